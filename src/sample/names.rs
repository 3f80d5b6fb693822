//! Index to domain name: which form a name has, which words, which suffix.
//!
//! # Invariants
//!
//! - `unique`: two indexes never give the same name. Each form takes a range of the indexes and a
//!   [`Permutation`] of its own space; the vocabulary is a prefix-free code, so the rows of words,
//!   digits and hyphens of two forms never spell the same label.
//! - A label has 3 to 63 characters and is valid by RFC 5890 (LDH, or A-label).
//!
//! # Does not
//!
//! Know the showcase: its names are not rows of words, which a test of it holds.

use super::mix::{Draw, Permutation, Stream, index, write_decimal, write_radix};
use super::scripts;
use super::words::{Vocabulary, WORD_COUNT};

/// The shape of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Three characters, one of them a digit.
    Short,
    /// One word.
    One,
    /// One word and a number.
    OneNumber,
    /// Two real words.
    RealReal,
    /// A real word and a coined one.
    RealCoined,
    /// A coined word and a real one.
    CoinedReal,
    /// Any two words with a hyphen.
    Hyphen,
    /// Three real words.
    ThreeReal,
    /// Five words with hyphens.
    Five,
    /// Seven real words with hyphens.
    Seven,
    /// Internationalised.
    Idn,
    /// A variant of an internationalised name.
    IdnVariant,
    /// Two coined words: takes what the other forms have no room for.
    CoinedCoined,
}

/// The forms with their share of the names, in thousandths; [`Form::CoinedCoined`] has the rest.
const SHARES: [(Form, u64); 12] = [
    (Form::Short, 3),
    (Form::One, 25),
    (Form::OneNumber, 60),
    (Form::RealReal, 220),
    (Form::RealCoined, 150),
    (Form::CoinedReal, 80),
    (Form::Hyphen, 60),
    (Form::ThreeReal, 260),
    (Form::Five, 12),
    (Form::Seven, 4),
    (Form::Idn, 20),
    (Form::IdnVariant, 2),
];

/// Numbers after a word: 0 to 999.
const NUMBER_COUNT: u64 = 1000;

#[derive(Debug)]
struct Range {
    form: Form,
    start: u64,
    count: u64,
    order: Permutation,
}

/// A name as a domain or an NNDN states it.
#[derive(Debug, Default)]
pub(crate) struct Name {
    /// A-label form.
    pub(crate) a: String,
    /// U-label form; empty where it does not differ.
    pub(crate) u: String,
    /// IDN table of the label; empty for ASCII labels.
    pub(crate) table: &'static str,
    /// The name that this one is a variant of; empty if it is not one.
    pub(crate) original: String,
    label: String,
}

/// A suffix under which names are registered.
#[derive(Debug)]
pub(crate) struct Suffix {
    /// A-label form.
    pub(crate) a: String,
    /// U-label form; the same where it does not differ.
    pub(crate) u: String,
}

/// All generated names of a registry.
#[derive(Debug)]
pub(crate) struct Names {
    seed: u64,
    vocabulary: Vocabulary,
    suffixes: Vec<Suffix>,
    ranges: Vec<Range>,
    /// Names with a variant among the internationalised ones.
    variant_count: u64,
}

impl Names {
    /// The names `0..count` under `suffixes`, of which there is at least one.
    pub(crate) fn new(seed: u64, count: u64, suffixes: Vec<Suffix>) -> Self {
        let vocabulary = Vocabulary::new();
        let real = vocabulary.real_count();
        let mut ranges = Vec::new();
        let (mut start, mut variant_count) = (0, 0);
        for (form, share) in SHARES {
            let space = space_of(form, real);
            let mut wanted = (count * share / 1000).min(space / 4 * 3);
            match form {
                Form::Idn => variant_count = wanted / 8 * scripts::VARIANT_SCRIPTS,
                Form::IdnVariant => wanted = wanted.min(variant_count / 2),
                _ => {}
            }
            let order = Permutation::new(space, seed, start);
            ranges.push(Range { form, start, count: wanted, order });
            start += wanted;
        }
        let order = Permutation::new(space_of(Form::CoinedCoined, real), seed, start);
        ranges.push(Range { form: Form::CoinedCoined, start, count: count - start, order });
        Self { seed, vocabulary, suffixes, ranges, variant_count }
    }

    /// The suffixes, as given.
    pub(crate) fn suffixes(&self) -> &[Suffix] {
        &self.suffixes
    }

    /// The words.
    pub(crate) fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// How many variants of internationalised names there are that are not domains.
    pub(crate) fn loose_variant_count(&self) -> u64 {
        self.variant_count / 2
    }

    /// Writes the `g`-th name.
    pub(crate) fn write(&self, g: u64, name: &mut Name) {
        name.a.clear();
        name.u.clear();
        name.original.clear();
        name.table = "";
        let Some(range) = self.ranges.iter().find(|range| g - range.start < range.count) else {
            return;
        };
        let rank = g - range.start;
        match range.form {
            Form::Idn => self.write_idn(rank, false, name),
            Form::IdnVariant => self.write_variant(rank * 2, name),
            form => {
                self.write_label(form, range.order.at(rank), &mut name.a);
                self.write_suffix(self.suffix_of(g), name);
            }
        }
    }

    /// Writes the `v`-th variant that is not a domain, below [`Self::loose_variant_count`].
    pub(crate) fn write_loose_variant(&self, v: u64, name: &mut Name) {
        self.write_variant(v * 2 + 1, name);
    }

    fn write_variant(&self, v: u64, name: &mut Name) {
        let rank = scripts::rank_of_variant(v);
        self.write_idn(rank, false, name);
        name.original.clear();
        std::mem::swap(&mut name.original, &mut name.a);
        self.write_idn(rank, true, name);
    }

    fn write_idn(&self, rank: u64, variant: bool, name: &mut Name) {
        name.a.clear();
        name.u.clear();
        name.label.clear();
        name.table = scripts::write_label(rank, variant, &mut name.label);
        scripts::write_a_label(&name.label, &mut name.a);
        if name.a != name.label {
            name.u.push_str(&name.label);
        }
        // The suffix of the original: a variant lives beside it.
        let start = self.ranges.iter().find(|range| range.form == Form::Idn).map_or(0, |r| r.start);
        self.write_suffix(self.suffix_of(start + rank), name);
    }

    /// Appends the suffix to a name whose label is written.
    pub(crate) fn write_suffix(&self, suffix: &Suffix, name: &mut Name) {
        if suffix.u != suffix.a && name.table.is_empty() {
            name.table = scripts::ASCII_TABLE;
        }
        if !name.u.is_empty() || suffix.u != suffix.a {
            if name.u.is_empty() {
                name.u.push_str(&name.a);
            }
            name.u.push('.');
            name.u.push_str(&suffix.u);
        }
        name.a.push('.');
        name.a.push_str(&suffix.a);
    }

    /// The place of the suffix of the `g`-th name.
    pub(crate) fn suffix_index(&self, g: u64) -> usize {
        let range = |form| self.ranges.iter().find(move |range| range.form == form);
        let (idn, variant) = (range(Form::Idn), range(Form::IdnVariant));
        let g = match (idn, variant) {
            (Some(idn), Some(variant))
                if g.checked_sub(variant.start).is_some_and(|r| r < variant.count) =>
            {
                idn.start + scripts::rank_of_variant((g - variant.start) * 2)
            }
            _ => g,
        };
        self.chosen(g)
    }

    /// Half of the names are under the first suffix, half of the rest under the second, ...
    fn chosen(&self, g: u64) -> usize {
        let halvings = Draw::new(self.seed, Stream::Suffix, g).bits().trailing_ones();
        index(u64::from(halvings)).min(self.suffixes.len() - 1)
    }

    fn suffix_of(&self, g: u64) -> &Suffix {
        &self.suffixes[self.chosen(g)]
    }

    fn write_label(&self, form: Form, mut x: u64, out: &mut String) {
        let real = self.vocabulary.real_count();
        let mut take = |count: u64| {
            let taken = x % count;
            x /= count;
            taken
        };
        let word = |position| self.vocabulary.any(position);
        match form {
            Form::Short => {
                let (letters, digit) = ([take(26), take(26)], take(10));
                let place = index(take(2));
                for (position, letter) in letters.into_iter().enumerate() {
                    write_radix(letter + 10, 36, 1, out);
                    if position == place {
                        write_decimal(digit, out);
                    }
                }
            }
            Form::One => out.push_str(word(take(WORD_COUNT))),
            Form::OneNumber => {
                out.push_str(word(take(WORD_COUNT)));
                write_decimal(take(NUMBER_COUNT), out);
            }
            Form::RealReal => row(out, "", [word(take(real)), word(take(real))]),
            Form::RealCoined => {
                row(out, "", [word(take(real)), word(real + take(WORD_COUNT - real))]);
            }
            Form::CoinedReal => {
                row(out, "", [word(real + take(WORD_COUNT - real)), word(take(real))]);
            }
            Form::CoinedCoined => {
                let positions = [take(WORD_COUNT - real), take(WORD_COUNT - real)];
                row(out, "", positions.map(|position| word(real + position)));
            }
            Form::Hyphen => row(out, "-", [word(take(WORD_COUNT)), word(take(WORD_COUNT))]),
            Form::ThreeReal => row(out, "", std::array::from_fn::<_, 3, _>(|_| word(take(real)))),
            Form::Five => row(out, "-", std::array::from_fn::<_, 5, _>(|_| word(take(real)))),
            Form::Seven => {
                let mut words = [""; 7];
                for slot in words.iter_mut().skip(2) {
                    *slot = word(take(real));
                }
                (words[0], words[1]) = ("the", "big");
                row(out, "-", words);
            }
            Form::Idn | Form::IdnVariant => {}
        }
    }
}

/// How many labels a form has.
fn space_of(form: Form, real: u64) -> u64 {
    match form {
        Form::Short => 26 * 26 * 10 * 2,
        Form::One => WORD_COUNT,
        Form::OneNumber => WORD_COUNT * NUMBER_COUNT,
        Form::RealReal => real * real,
        Form::RealCoined | Form::CoinedReal => (WORD_COUNT - real) * real,
        Form::CoinedCoined => (WORD_COUNT - real) * (WORD_COUNT - real),
        Form::Hyphen => WORD_COUNT * WORD_COUNT,
        Form::ThreeReal => real.pow(3),
        Form::Five | Form::Seven => real.pow(5),
        Form::Idn | Form::IdnVariant => u64::MAX >> 1,
    }
}

fn row<const N: usize>(out: &mut String, joint: &str, words: [&str; N]) {
    for (position, word) in words.into_iter().enumerate() {
        if position > 0 {
            out.push_str(joint);
        }
        out.push_str(word);
    }
}

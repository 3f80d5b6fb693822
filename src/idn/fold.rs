//! Names of organisations as keys: two texts that people take for one name become one.
//!
//! # Invariants
//!
//! - Canonically equivalent texts (composed, decomposed) fold to one key, whatever their case, the
//!   width of their letters, their blanks, and the shape of their quotation marks and dashes.
//! - `no allocation`: see the module above.
//!
//! # Does not
//!
//! Write keys of the format: those are in `snapshot_format::key`, and never change.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::mem;

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use super::{Short, has_few_marks, is_ignorable, is_mark};

/// Longest key, bytes: a text of 1,024 bytes may grow to this many when it is folded, apart from
/// letters that stand for whole words, which no name is full of.
pub(crate) const FOLDED_BYTES_MAX: usize = 3072;

/// A folded text.
pub(crate) type Folded = Short<FOLDED_BYTES_MAX>;

static DECOMPOSED: DecomposingNormalizerBorrowed<'static> =
    DecomposingNormalizerBorrowed::new_nfkd();
static COMPOSED: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();

/// The key of a name: case folded, compatible forms as one, one blank between words, none at the
/// ends, no final dots. `None` if it does not fit, or has too many marks on one letter.
pub(crate) fn folded(name: &str) -> Option<Folded> {
    let mut words = Words::new();
    for c in COMPOSED.normalize_iter(caseless(name)?) {
        if c.is_whitespace() {
            words.end();
        } else {
            words.push(c)?;
        }
    }
    let mut out = words.joined;
    while matches!(out.as_bytes(), [.., b'.' | b' ']) {
        out.pop();
    }
    Some(out)
}

/// The words of a name alone, one blank between them, without accents: what is left when people
/// leave commas, dots and quotation marks out. Empty if there are none.
pub(crate) fn words(name: &str) -> Option<Folded> {
    let mut words = Words::new();
    for c in caseless(name)? {
        // Accents of Latin, Greek and Cyrillic letters; in other scripts marks tell words apart.
        if matches!(c, '\u{300}'..='\u{36f}' | '\'' | '"') {
            continue;
        }
        if c.is_alphanumeric() || is_mark(c) {
            words.push(c)?;
        } else {
            words.end();
        }
    }
    Some(words.joined)
}

/// Words with one blank between them, whatever stood there.
struct Words {
    joined: Folded,
    ended: bool,
}

impl Words {
    const fn new() -> Self {
        Self { joined: Folded::new(), ended: false }
    }

    const fn end(&mut self) {
        self.ended = true;
    }

    /// Adds a character to the last word, or to a new one. `None` if it does not fit.
    fn push(&mut self, c: char) -> Option<()> {
        let begins = mem::take(&mut self.ended) && !self.joined.as_bytes().is_empty();
        let fits = (!begins || self.joined.push(b' ')) && self.joined.push_char(c);
        fits.then_some(())
    }
}

/// The characters of a text: compatible forms as one, decomposed, full case folding.
fn caseless(text: &str) -> Option<impl Iterator<Item = char> + '_> {
    if !has_few_marks(text) {
        return None;
    }
    let seen = text.chars().filter(|&c| !is_ignorable(c)).map(plain_mark);
    let mut after_i = false;
    let folded = DECOMPOSED.normalize_iter(seen).flat_map(case_folded);
    // The dot above a Turkish capital I: lower-case letters have it already.
    Some(folded.filter(move |&c| {
        let dropped = after_i && c == '\u{307}';
        after_i = c == 'i';
        !dropped
    }))
}

/// Full case folding by the tables of the standard library: it has only mappings, but both ways.
fn case_folded(c: char) -> impl Iterator<Item = char> {
    let upper = move |c: char| c.to_lowercase().flat_map(char::to_uppercase);
    let mut ascii = c.is_ascii().then(|| c.to_ascii_lowercase());
    let mut others = (!c.is_ascii()).then(|| upper(c).flat_map(char::to_lowercase));
    std::iter::from_fn(move || ascii.take().or_else(|| others.as_mut()?.next()))
}

/// One shape for quotation marks and dashes.
const fn plain_mark(c: char) -> char {
    match c {
        '\u{60}'
        | '\u{b4}'
        | '\u{2018}'..='\u{201b}'
        | '\u{2032}'
        | '\u{2035}'
        | '\u{2039}'
        | '\u{203a}'
        | '\u{2bc}'
        | '\u{300c}'
        | '\u{300d}'
        | '\u{ff07}' => '\'',
        '\u{ab}'
        | '\u{bb}'
        | '\u{201c}'..='\u{201f}'
        | '\u{2033}'
        | '\u{2036}'
        | '\u{300e}'
        | '\u{300f}'
        | '\u{301d}'..='\u{301f}'
        | '\u{ff02}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => '-',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> String {
        folded(name).unwrap().as_str().to_owned()
    }

    fn loose(name: &str) -> String {
        words(name).unwrap().as_str().to_owned()
    }

    #[test]
    fn texts_that_read_the_same_fold_to_the_same_key() {
        for (one, other) in [
            ("Jürg Müller GmbH", "Ju\u{308}rg Mu\u{308}ller GmbH"),
            ("ガード登録", "カ\u{3099}ート\u{3099}登録"),
            ("ガード", "ｶﾞｰﾄﾞ"),
            ("Straße AG", "STRASSE AG"),
            ("STRAẞE", "straße"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("İSTANBUL", "istanbul"),
            ("Example Registrar, Inc.", "ＥＸＡＭＰＬＥ\u{3000}Registrar,\u{a0}Inc"),
            ("O'Brien", "O\u{2019}Brien"),
            ("“A” – B", "\"a\" - b"),
            ("a\u{200b}b\u{feff}", "AB"),
            ("\u{1f82}", "\u{3b1}\u{313}\u{300}\u{345}"),
            ("\u{390}", "\u{3aa}\u{301}"),
            ("ǰ", "J\u{30c}"),
            ("ﬁn", "FIN"),
            ("  a \t b..", "A B"),
        ] {
            assert_eq!(key(one), key(other));
        }
        assert_ne!(key("Muller"), key("Müller"));
        assert_ne!(key("カード"), key("ガード"));
    }

    #[test]
    fn a_key_keeps_what_the_key_of_the_format_keeps_apart_from_forms() {
        for name in ["Example  Registrar, Inc.", "JÜRG Müller GmbH", "4711", " a "] {
            let format = snapshot_format::key::fold_registrar_name(name).unwrap();
            assert_eq!(key(name).as_bytes(), format.as_bytes());
        }
    }

    #[test]
    fn words_are_what_is_left_without_punctuation_and_accents() {
        assert_eq!(loose("Example Registrar, Inc."), "example registrar inc");
        assert_eq!(loose(" -- Jürg  O’Brien & Cie."), "jurg obrien cie");
        assert_eq!(loose("ガード登録"), loose("カ\u{3099}ート\u{3099}登録"));
        assert_ne!(loose("ガード登録"), loose("カード登録"));
        assert_eq!(loose("?!"), "");
    }

    #[test]
    fn what_needs_more_than_the_stack_has_no_key() {
        assert!(folded(&format!("a{}", "\u{301}".repeat(6))).is_none());
        assert!(folded("\u{fdfa}").is_none());
        assert!(folded(&"ü".repeat(512)).is_some());
        assert!(words(&"a".repeat(1024)).is_some());
    }
}

//! Internationalised names: what people type to A-labels, A-labels to what people see.
//!
//! Queries, imports and the feed all map names here, so that a name which one of them takes is a
//! name for the others.
//!
//! # Invariants
//!
//! - `label by label`: each label is mapped and judged by itself, the bidi rule included (RFC 5891
//!   sections 4.2.3.4 and 5.4). RFC 5893 and UTS 46 judge a whole name once one of its labels is
//!   written from right to left; then digits alone (`365`) could not stand below `شبكة`, where
//!   registries have such names, and where libidn2, Python's `idna` and Node accept them.
//! - `round trip`: [`unicode`] gives a Unicode form only if every A-label of the name is what its
//!   own Unicode form maps to.
//! - `no allocation`: texts live in buffers of fixed size. The normaliser keeps the marks of one
//!   character on its stack as long as there are few: names with more are refused.
//!
//! # Does not
//!
//! Ask whether a registry allows a label: that is the registry's own policy.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod fold;
mod punycode;
mod short;

use std::fmt;

use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;
use icu_normalizer::uts46::Uts46MapperBorrowed;
use idna::uts46::{AsciiDenyList, ErrorPolicy, Hyphens, ProcessingError, ProcessingSuccess, Uts46};

pub(crate) use fold::{FOLDED_BYTES_MAX, Folded, folded, words};
pub(crate) use short::Short;

use punycode::Label;

/// Longest name, bytes: RFC 1035 section 3.1 without the root.
pub(crate) const NAME_BYTES_MAX: usize = 253;
/// Longest label, bytes: RFC 1035 section 2.3.4.
const LABEL_BYTES_MAX: usize = 63;
/// Longest label with a character beyond ASCII: `xn--` and a delta take the rest of the 63 bytes.
const UNICODE_LABEL_CHARS_MAX: usize = 59;
/// Longest name in Unicode, bytes: 253 characters of at most 4 bytes.
pub(crate) const U_NAME_BYTES_MAX: usize = 4 * NAME_BYTES_MAX;

/// Most combining marks after one character. Scripts use up to four; the normaliser allocates for
/// more than 17 characters that may change places: up to seven of the character itself, and two of
/// each mark.
const MARKS_MAX: usize = 5;

/// ASCII that no label has: all but letters, digits, hyphen, and the underscore of host names.
const DENIED: AsciiDenyList = AsciiDenyList::new(true, "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~");

/// A domain name in the form of the records' keys.
pub(crate) type Name = Short<NAME_BYTES_MAX>;

/// A name in Unicode.
pub(crate) type UName = Short<U_NAME_BYTES_MAX>;

static MAPPER: Uts46MapperBorrowed<'static> = Uts46MapperBorrowed::new();
static MARKS: CanonicalCombiningClassMapBorrowed<'static> =
    CanonicalCombiningClassMapBorrowed::new();

/// The A-label form of a name: each label by UTS 46 (non-transitional), in lower case, without a
/// final dot. `None` if it is not a name.
pub(crate) fn to_ascii(name: &str) -> Option<Name> {
    if name.is_empty() || !has_few_marks(name) {
        return None;
    }
    ascii_of(MAPPER.map_normalize(name.chars()))
}

/// As [`to_ascii`], of what somebody typed or copied from a page: without the invisible characters
/// that come along, such as marks of the writing direction.
pub(crate) fn typed_to_ascii(typed: &str) -> Option<Name> {
    ascii_of(mapped(typed)?)
}

/// The characters that UTS 46 makes of what somebody typed, in Unicode normalisation form C; U+FFFD
/// for those that no name has. `None` where too many marks follow one another.
pub(crate) fn mapped(typed: &str) -> Option<impl Iterator<Item = char> + '_> {
    let seen = typed.chars().filter(|&c| !is_ignorable(c));
    has_few_marks(typed).then(|| MAPPER.map_normalize(seen))
}

fn ascii_of(mapped: impl Iterator<Item = char>) -> Option<Name> {
    let mut name = Name::new();
    let mut label = LabelText::new();
    let mut dot = false;
    for c in mapped {
        if c == '.' {
            label.end(&mut name)?;
            dot = true;
            continue;
        }
        if dot && !name.push(b'.') {
            return None;
        }
        dot = false;
        label.push(c)?;
    }
    if !dot {
        label.end(&mut name)?;
    }
    Some(name)
}

/// The Unicode form of a name in A-label form: `None` if no label is an A-label, or one that begins
/// as such is not what its Unicode form maps to.
pub(crate) fn unicode(name: &str) -> Option<UName> {
    converted(name, |encoded| {
        let text = decoded_label(encoded)?;
        let back = encoded_label(text.as_str())?;
        (back.as_str().strip_prefix("xn--") == Some(encoded)).then_some(text)
    })
}

/// What a name's A-labels decode to, proven or not: to compare with, never to show.
pub(crate) fn decoded(name: &str) -> Option<UName> {
    converted(name, decoded_label)
}

/// A name with each `xn--` label converted; `None` if there is none, or one cannot be.
fn converted(
    name: &str,
    convert: impl Fn(&str) -> Option<Short<LABEL_TEXT_BYTES_MAX>>,
) -> Option<UName> {
    // Every answer about a domain asks: this is quicker than a search for a text.
    if !name.as_bytes().windows(4).any(|window| window == b"xn--") {
        return None;
    }
    let mut out = UName::new();
    let mut any = false;
    for (index, label) in name.split('.').enumerate() {
        if index > 0 && !out.push(b'.') {
            return None;
        }
        let fits = match label.strip_prefix("xn--") {
            Some(encoded) => {
                any = true;
                out.push_all(convert(encoded)?.as_bytes())
            }
            None => out.push_all(label.as_bytes()),
        };
        if !fits {
            return None;
        }
    }
    any.then_some(out)
}

fn decoded_label(encoded: &str) -> Option<Short<LABEL_TEXT_BYTES_MAX>> {
    let label = Label::decode(encoded)?;
    let mut text = Short::new();
    for &c in label.chars() {
        if !text.push_char(c) {
            return None;
        }
    }
    Some(text)
}

/// The A-label of a label that has a character beyond ASCII.
fn encoded_label(label: &str) -> Option<Short<LABEL_BYTES_MAX>> {
    if label.chars().count() > UNICODE_LABEL_CHARS_MAX || !has_few_marks(label) {
        return None;
    }
    let mut sink = Sink { text: Short::new(), overflowed: false };
    let result = Uts46::new().process(
        label.as_bytes(),
        DENIED,
        Hyphens::Allow,
        ErrorPolicy::FailFast,
        |_label, _tld, _is_bidi| false,
        &mut sink,
        None,
    );
    match result {
        Ok(ProcessingSuccess::WroteToSink) if !sink.overflowed => Some(sink.text),
        // ASCII alone passes through: such a label was not an A-label.
        Ok(ProcessingSuccess::WroteToSink | ProcessingSuccess::Passthrough)
        | Err(ProcessingError::ValidityError | ProcessingError::SinkError) => None,
    }
}

/// Takes everything and remembers whether it fitted: `idna` 1.1 panics when a sink refuses a part
/// of an encoded label.
struct Sink {
    text: Short<LABEL_BYTES_MAX>,
    overflowed: bool,
}

impl fmt::Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.overflowed |= !self.text.push_all(text.as_bytes());
        Ok(())
    }
}

/// Bytes of a label in Unicode, of at most 63 characters.
const LABEL_TEXT_BYTES_MAX: usize = 4 * LABEL_BYTES_MAX;

/// A label that was mapped.
struct LabelText {
    text: Short<LABEL_TEXT_BYTES_MAX>,
    chars: usize,
    is_ascii: bool,
}

impl LabelText {
    const fn new() -> Self {
        Self { text: Short::new(), chars: 0, is_ascii: true }
    }

    fn push(&mut self, c: char) -> Option<()> {
        self.chars = self.chars.checked_add(1).filter(|&chars| chars <= LABEL_BYTES_MAX)?;
        self.is_ascii &= c.is_ascii();
        self.text.push_char(c).then_some(())
    }

    /// Appends the label to `name`, and begins the next one.
    fn end(&mut self, name: &mut Name) -> Option<()> {
        let label = std::mem::replace(self, Self::new());
        let fits = if label.is_ascii {
            // Not validated where it is an A-label: a name that was registered is found.
            let of_label = |&byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            let text = label.text.as_bytes();
            if text.is_empty() || !text.iter().all(of_label) {
                return None;
            }
            name.push_all(text)
        } else {
            name.push_all(encoded_label(label.text.as_str())?.as_bytes())
        };
        fits.then_some(())
    }
}

/// Whether a character is a combining mark, or becomes some when it is normalised.
fn is_mark(c: char) -> bool {
    // Tibetan vowels and the halfwidth sound marks: no marks, but made of them.
    !c.is_ascii()
        && (MARKS.get_u8(c) != 0
            || matches!(c, '\u{f73}' | '\u{f75}' | '\u{f81}' | '\u{ff9e}' | '\u{ff9f}'))
}

/// Whether the normaliser needs no more than its stack.
fn has_few_marks(text: &str) -> bool {
    let mut marks = 0_usize;
    for c in text.chars() {
        if is_mark(c) {
            marks = marks.saturating_add(1);
            if marks > MARKS_MAX {
                return false;
            }
        } else if c.is_alphanumeric() && !is_ignorable(c) {
            marks = 0;
        }
        // A word as one character of 18: no mark may follow it.
        if c == '\u{fdfa}' {
            return false;
        }
    }
    true
}

/// A character as a keyboard without an input method has it: fullwidth forms as ASCII.
pub(crate) const fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => match char::from_u32((c as u32).wrapping_sub(0xfee0)) {
            Some(narrow) => narrow,
            None => c,
        },
        '\u{3002}' | '\u{ff61}' => '.',
        _ => c,
    }
}

/// Whether a character has no shape of its own (`Default_Ignorable_Code_Point` of Unicode, without
/// the joiners, which mean something in names): copied along with a text, and not seen in it.
pub(crate) const fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'
        | '\u{200e}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ascii(typed: &str) -> Option<String> {
        to_ascii(typed).map(|name| name.as_str().to_owned())
    }

    fn shown(name: &str) -> Option<String> {
        unicode(name).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn a_labels_decode_as_the_idna_crate_decodes_them() {
        let names = [
            "münchen.example",
            "faß.example",
            "例え.テスト",
            "правительство.рф",
            "ไทย.example",
            "😀x😀.example",
            "a.ö.b.ü",
        ];
        for name in names {
            let encoded = idna::domain_to_ascii(name).unwrap();
            assert_eq!(ascii(name).as_deref(), Some(&*encoded));
            assert_eq!(shown(&encoded).as_deref(), Some(name), "{encoded}");
        }
    }

    #[test]
    fn a_name_is_shown_in_unicode_only_if_all_its_labels_map_back() {
        for name in [
            "example.com",
            "xn--!.com",
            "xn--99999999.com",
            "xn--mnchen-3ya.xn--99999999",
            // Upper case, a full stop of another script, U+0080, a mark in front, ASCII alone.
            "xn----5da7e.demo",
            "xn--brandname-9j3h.demo",
            "xn--a.demo",
            "xn--z9e.demo",
            "xn--abc-.demo",
            "xn--.demo",
            // Invisible, turning the text around, a separator of lines, private use.
            "xn--brand-nt3b.demo",
            "xn--abcd-wea.demo",
            "xn--abcd-1c7a.demo",
            "xn--ab-je4l.demo",
            "www.xn----5da7e.demo",
        ] {
            assert_eq!(shown(name), None, "{name}");
        }
        assert_eq!(shown("xn----zfa7e.demo").as_deref(), Some("ä-ü.demo"));
    }

    #[test]
    fn every_code_point_that_is_shown_maps_back_to_its_label() {
        for c in (0x80..=0x0001_04ff).chain(0x1f000..=0x1faff).filter_map(char::from_u32) {
            let text = format!("a{c}b");
            let encoded = format!("xn--{}.demo", idna::punycode::encode_str(&text).unwrap());
            if let Some(shown) = shown(&encoded) {
                assert_eq!(ascii(&shown).as_deref(), Some(&*encoded), "{c:?}");
                assert_eq!(shown, format!("{text}.demo"), "{c:?}");
            }
        }
    }

    #[test]
    fn labels_are_judged_one_by_one() {
        for (typed, encoded) in [
            ("365.شبكة", "365.xn--ngbc5azd"),
            ("365.xn--ngbc5azd", "365.xn--ngbc5azd"),
            ("3com.www.שלום", "3com.www.xn--9dbne9b"),
            ("-a.אב", "-a.xn--4dbc"),
            ("1.münchen.אב", "1.xn--mnchen-3ya.xn--4dbc"),
        ] {
            assert_eq!(ascii(typed).as_deref(), Some(encoded), "{typed}");
            let again = shown(encoded).unwrap();
            assert_eq!(ascii(&again).as_deref(), Some(encoded), "{again}");
        }
        // A label that has a letter of the right-to-left kind has to keep the rule itself.
        assert_eq!(ascii("3שלום.demo"), None);
        assert_eq!(ascii("שלוםa.demo"), None);
    }

    #[test]
    fn names_are_measured_once_they_are_mapped() {
        let encoded = format!("xn--tda{}.demo", "a".repeat(39));
        assert_eq!(ascii(&format!("{}.demo", "ü".repeat(40))).as_deref(), Some(&*encoded));
        assert_eq!(ascii(&format!("{}.demo", "u\u{308}".repeat(40))).as_deref(), Some(&*encoded));
        let hearts = format!("{}.demo", "\u{2764}\u{fe0f}".repeat(30));
        assert!(ascii(&hearts).is_some());
        let syllables = "\u{1100}\u{1161}\u{11a8}".repeat(20);
        assert_eq!(ascii(&syllables), ascii(&"\u{ac01}".repeat(20)));
        assert!(ascii(&syllables).is_some());
        assert_eq!(ascii(&"ü".repeat(64)), None);
        assert_eq!(ascii(&"a".repeat(64)), None);
        assert_eq!(ascii(&"ü.".repeat(120)), None);
        assert_eq!(ascii(&"ａ.".repeat(126)).map(|name| name.len()), Some(251));
    }

    #[test]
    fn what_is_no_name_is_no_name() {
        for typed in ["", ".", "ü..b", "ü ", "ü/b", "ü%", "ü。。", "。ü", "a\u{fffd}", "ü\u{fdfa}"]
        {
            assert_eq!(ascii(typed), None, "{typed:?}");
        }
        assert_eq!(ascii(&format!("a{}", "\u{301}".repeat(6))), None);
        assert_eq!(ascii("ש\u{200f}.demo"), None);
        let typed = |name| typed_to_ascii(name).map(|name| name.as_str().to_owned());
        assert_eq!(typed("\u{200f}ש\u{200f}.demo\u{202c}"), ascii("ש.demo"));
        assert_eq!(ascii("Ü。Demo。").as_deref(), Some("xn--tda.demo"));
        assert_eq!(ascii("_ü.demo").as_deref(), Some("xn--_-eha.demo"));
    }
}

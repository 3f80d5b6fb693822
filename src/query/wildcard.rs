//! Patterns over names: `%` and `*` are any run of characters, `_` exactly one.
//!
//! A pattern in ASCII is held against the names as the registry keeps them, A-labels included. A
//! pattern with other characters is held against their U-labels: nobody can know which part of an
//! A-label a part of a word becomes. It is mapped as names are (UTS 46) before it is judged. A
//! pattern of registrars' names is folded as these are.
//!
//! # Invariants
//!
//! - `prefix`: a name that matches begins with one of the pattern's prefixes, of which there are
//!   two at most, so it lies within these ranges of the sorted names.
//! - `bounded`: matching takes back one `%` at most at a time (the last one), so it needs at most
//!   pattern times name steps; each is counted against the query's budget.
//!
//! # Does not
//!
//! Look anything up.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::bounds::breaks_lines;
use crate::idn::{self, FOLDED_BYTES_MAX, Short, U_NAME_BYTES_MAX, narrow};

/// Characters at the beginning of a pattern that may not be wildcards.
pub const WILDCARD_FREE_CHARS: usize = 5;
/// Most names that a wildcard query lists.
pub const WILDCARD_NAMES_MAX: usize = 50;
/// Steps that one wildcard query may take: `RECORD_STEPS` for each name looked at and one for
/// each character compared. Under a millisecond of one core.
pub const WILDCARD_STEPS_MAX: u32 = 100_000;
/// Steps that looking at one name costs before any comparison.
pub(super) const RECORD_STEPS: u32 = 16;

/// Whether a text has a wildcard.
pub(super) fn has_wildcard(text: &str) -> bool {
    if text.is_ascii() {
        return memchr::memchr3(b'%', b'_', b'*', text.as_bytes()).is_some();
    }
    text.chars().any(is_wildcard)
}

/// Whether a character is a wildcard, in any width.
pub(super) const fn is_wildcard(c: char) -> bool {
    matches!(narrow(c), '%' | '_' | '*')
}

/// A pattern ready for matching.
pub(super) struct Pattern {
    text: Short<FOLDED_BYTES_MAX>,
    prefixes: [Option<Prefix>; 2],
    is_unicode: bool,
}

/// What a key begins with.
type Prefix = Short<U_NAME_BYTES_MAX>;

/// Why a text is not a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PatternError {
    /// A wildcard among the first five characters.
    Early,
    /// Characters or a length that no name has.
    Form,
}

impl Pattern {
    /// Makes a pattern of what was typed for the name of a domain or a nameserver.
    pub(super) fn new(typed: &str) -> Result<Self, PatternError> {
        let mut text = Short::new();
        let (mut chars, mut early, mut is_unicode) = (0_usize, false, false);
        for c in idn::mapped(typed).ok_or(PatternError::Form)? {
            let c = if c == '*' { '%' } else { c };
            let allowed = c.is_ascii_alphanumeric() || "-.%_".contains(c) || !c.is_ascii();
            if !allowed || c == '\u{fffd}' || breaks_lines(c) || c.is_whitespace() {
                return Err(PatternError::Form);
            }
            early |= chars < WILDCARD_FREE_CHARS && matches!(c, '%' | '_');
            chars = chars.saturating_add(1);
            is_unicode |= !c.is_ascii();
            if text.as_bytes().len() >= U_NAME_BYTES_MAX || !text.push_char(c) {
                return Err(PatternError::Form);
            }
        }
        if early {
            return Err(PatternError::Early);
        }
        if text.as_bytes().ends_with(b".") {
            text.pop();
        }
        let prefixes = prefixes(text.as_str(), is_unicode);
        Ok(Self { text, prefixes, is_unicode })
    }

    /// Makes a pattern of what was typed for the name of a registrar, folded as the names are.
    pub(super) fn of_folded(folded: &str) -> Self {
        let mut text = Short::new();
        for byte in folded.bytes() {
            text.push(if byte == b'*' { b'%' } else { byte });
        }
        // Names are kept without final dots: `Inc.%` begins as `Inc.` does.
        if text.as_bytes().ends_with(b"%") {
            while matches!(text.as_bytes(), [.., b'.' | b'%']) {
                text.pop();
            }
            text.push(b'%');
        }
        Self { text, prefixes: [None, None], is_unicode: false }
    }

    /// What matching names begin with, in the form of the records' keys and in their order; none:
    /// no name matches. Of patterns of names alone.
    pub(super) fn prefixes(&self) -> [Option<&str>; 2] {
        self.prefixes.each_ref().map(|prefix| prefix.as_ref().map(Short::as_str))
    }

    /// Whether it is to be held against U-labels.
    pub(super) const fn is_unicode(&self) -> bool {
        self.is_unicode
    }

    /// Whether `name` matches; `None` when `steps` ran out.
    pub(super) fn matches(&self, name: &str, steps: &mut u32) -> Option<bool> {
        let (pattern, name) = (self.text.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0_usize, 0_usize);
        // Where to go on when the last `%` has to take one character more.
        let mut resume: Option<(usize, usize)> = None;
        loop {
            *steps = steps.checked_sub(1)?;
            match (pattern.get(p), name.get(n)) {
                (None, None) => return Some(true),
                (Some(b'%'), _) => {
                    p = p.saturating_add(1);
                    resume = Some((p, n));
                    continue;
                }
                (Some(b'_'), Some(&first)) => {
                    p = p.saturating_add(1);
                    n = n.saturating_add(char_bytes(first));
                    continue;
                }
                (Some(a), Some(b)) if a == b => {
                    p = p.saturating_add(1);
                    n = n.saturating_add(1);
                    continue;
                }
                _ => {}
            }
            let Some((after_percent, taken)) = resume else { return Some(false) };
            let Some(&first) = name.get(taken) else { return Some(false) };
            let taken = taken.saturating_add(char_bytes(first));
            resume = Some((after_percent, taken));
            (p, n) = (after_percent, taken);
        }
    }
}

/// Bytes of the UTF-8 character that begins with `first`.
const fn char_bytes(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

/// What keys of names that match a pattern may begin with, in order: up to the first wildcard,
/// labels that are whole as they are in keys, and the begun one. Where the name is held against
/// U-labels, a begun label in ASCII may go on beyond it, and a wildcard may span its end: then it
/// stands as it is, or after `xn--`, since punycode puts the ASCII characters of a label first, in
/// their order (RFC 3492 section 3.1). Whole labels that no name has give no key.
fn prefixes(pattern: &str, is_unicode: bool) -> [Option<Prefix>; 2] {
    let literal = pattern.split(['%', '_']).next().unwrap_or_default();
    let mut plain = Prefix::new();
    if !is_unicode {
        plain.push_all(literal.as_bytes());
        return [Some(plain), None];
    }
    let (whole, begun) = literal.rsplit_once('.').map_or((None, literal), |(w, b)| (Some(w), b));
    if let Some(whole) = whole {
        let Some(whole) = idn::to_ascii(whole) else { return [None, None] };
        plain.push_all(whole.as_bytes());
        plain.push(b'.');
    }
    let mut encoded = Prefix::new();
    encoded.push_all(plain.as_bytes());
    encoded.push_all(b"xn--");
    for byte in begun.bytes().filter(u8::is_ascii) {
        encoded.push(byte);
    }
    if !begun.is_ascii() {
        return [Some(encoded), None];
    }
    plain.push_all(begun.as_bytes());
    // All names below what is whole have both beginnings.
    [Some(plain), (!begun.is_empty()).then_some(encoded)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern).ok().unwrap().matches(name, &mut 1_000_000).unwrap()
    }

    #[test]
    fn percent_is_any_run_and_underscore_one_character() {
        assert!(matches("exampl%", "example.demo"));
        assert!(matches("example%", "example"));
        assert!(matches("examp_e.%", "example.demo"));
        assert!(!matches("examp_.%", "example.demo"));
        assert!(matches("EXAMPLE%o%O", "example.demo.co"));
        assert!(!matches("example%x", "example.demo"));
        assert!(matches("münch_n%", "münchän.demo"));
        assert!(matches("例えテスト_.demo", "例えテスト例.demo"));
        assert!(!matches("例えテスト_.demo", "例えテスト例例.demo"));
        assert!(matches("exampl*.demo", "example.demo"));
    }

    #[test]
    fn a_pattern_is_mapped_as_names_are_before_it_is_looked_at() {
        assert!(matches("MU\u{308}NCH_N％", "münchän.demo"));
        assert!(matches("ｅｘａｍｐｌ＊。demo", "example.demo"));
        assert!(!Pattern::new("ｅｘａｍｐｌ％").ok().unwrap().is_unicode());
        assert_eq!(Pattern::new("u\u{308}u\u{308}u\u{308}_").err(), Some(PatternError::Early));
        assert_eq!(Pattern::new("exam＊").err(), Some(PatternError::Early));
        assert_eq!(Pattern::new("example\u{3000}%").err(), Some(PatternError::Form));
    }

    #[test]
    fn final_dots_before_a_final_percent_are_no_part_of_a_registrars_pattern() {
        let matches = |pattern| {
            Pattern::of_folded(pattern).matches("example registrar, inc", &mut 1_000).unwrap()
        };
        assert!(matches("example registrar, inc.%") && matches("ex*, inc.*") && matches("%%"));
        assert!(!matches("example. %"));
    }

    #[test]
    fn the_first_five_characters_are_literal() {
        assert_eq!(Pattern::new("exam%").err(), Some(PatternError::Early));
        assert_eq!(Pattern::new("%").err(), Some(PatternError::Early));
        assert_eq!(Pattern::new("münc_").err(), Some(PatternError::Early));
        assert!(Pattern::new("examp%").is_ok());
        assert_eq!(Pattern::new("examp le%").err(), Some(PatternError::Form));
        assert_eq!(Pattern::new("examp!%").err(), Some(PatternError::Form));
    }

    #[test]
    fn matching_names_begin_with_the_prefix() {
        let prefixes = |typed: &str| {
            let pattern = Pattern::new(typed).ok().unwrap();
            pattern.prefixes().into_iter().flatten().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(prefixes("Exampl%.demo"), ["exampl"]);
        assert_eq!(prefixes("münch%.demo"), ["xn--mnch"]);
        assert_eq!(prefixes("münchen.d%"), ["xn--mnchen-3ya.d", "xn--mnchen-3ya.xn--d"]);
        assert_eq!(prefixes("exampl%ü"), ["exampl", "xn--exampl"]);
        assert_eq!(prefixes("exampl%国"), ["exampl", "xn--exampl"]);
        assert_eq!(prefixes("example.mün%"), ["example.xn--mn"]);
        assert_eq!(prefixes("ns1.h%例%"), ["ns1.h", "ns1.xn--h"]);
        assert_eq!(prefixes("例え.xn--a.%"), ["xn--r8jz45g.xn--a."]);
        assert_eq!(prefixes(&format!("{}.ab%", "ü".repeat(60))), [""; 0]);
        for (pattern, names) in [
            ("münch%", &["münchen.demo", "münch.demo", "münch-süd.demo"][..]),
            ("exampl%国", &["example.中国", "exampleü.中国", "exampl.a.中国", "example国.demo国"]),
            ("example_中国", &["example.中国", "exampleü中国"]),
            ("exampl%.中国", &["example.中国", "exampl-é.x.中国"]),
            ("ns1.h%例%", &["ns1.host.例.中国", "ns1.hü.例", "ns1.h例"]),
            ("münchen.%国", &["münchen.中国", "münchen.a.中国"]),
        ] {
            for name in names {
                let key = idna::domain_to_ascii(name).unwrap();
                let begins = prefixes(pattern).iter().any(|prefix| key.starts_with(prefix));
                assert!(matches(pattern, name) && begins, "{pattern}: {key}");
            }
        }
    }

    #[test]
    fn work_is_bounded_by_steps_and_not_by_the_pattern() {
        let pattern = format!("aaaaa{}b", "%a".repeat(100));
        let pattern = Pattern::new(&pattern).ok().unwrap();
        let name = "a".repeat(253);
        let mut steps = 1_000_000;
        assert_eq!(pattern.matches(&name, &mut steps), Some(false));
        assert!(1_000_000 - steps < 253 * 253, "{steps}");
        assert_eq!(pattern.matches(&name, &mut 10), None);
    }
}

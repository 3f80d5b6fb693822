//! What was typed, without what people and programs put around it: blanks of every kind, quotation
//! marks, brackets, the rest of a URL or of an e-mail address.
//!
//! # Invariants
//!
//! - A part of a text is a part of its bytes: nothing is copied, so characters are looked at in
//!   their narrow form and stay as they are.
//! - Plain lines, printable ASCII, cost no more than a search for blanks.
//!
//! # Does not
//!
//! Map names: `name` does. Decide what a line asks for: `parse` does.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::idn::{is_ignorable, narrow};

/// Whether a character separates words.
const fn is_blank(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// Whether a character is a quotation mark, of any language.
const fn is_quote(c: char) -> bool {
    matches!(c,
        '"' | '\'' | '`' | '\u{ab}' | '\u{b4}' | '\u{bb}' | '\u{2018}'..='\u{201f}' | '\u{2039}'
        | '\u{203a}' | '\u{300c}'..='\u{300f}' | '\u{301d}'..='\u{301f}' | '\u{ff02}' | '\u{ff07}'
    )
}

fn opens(c: char) -> bool {
    is_quote(c) || is_ignorable(c) || matches!(narrow(c), '(' | '<' | '[' | '{' | ',')
}

fn closes(c: char) -> bool {
    is_quote(c)
        || is_ignorable(c)
        || matches!(narrow(c), ')' | '>' | ']' | '}' | ',' | '\u{3001}' | ';' | ':' | '!' | '?')
}

/// How to read a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Typed {
    /// It holds printable ASCII alone.
    pub(super) is_plain: bool,
}

impl Typed {
    /// Without blanks and invisible characters around.
    pub(super) fn trim(self, text: &str) -> &str {
        if self.is_plain {
            return text.trim_matches(' ');
        }
        text.trim_matches(|c| is_blank(c) || is_ignorable(c))
    }

    /// The first word, and what follows it without blanks around.
    pub(super) fn split_word(self, text: &str) -> (&str, &str) {
        let blank =
            if self.is_plain { memchr::memchr(b' ', text.as_bytes()) } else { text.find(is_blank) };
        match blank.and_then(|blank| text.split_at_checked(blank)) {
            Some((word, rest)) => (word, self.trim(rest)),
            None => (text, ""),
        }
    }

    /// The same without the quotation marks around all of it.
    pub(super) fn unquoted(self, text: &str) -> &str {
        if self.is_plain && !matches!(text.as_bytes(), [b'"' | b'\'' | b'`', ..]) {
            return text;
        }
        let mut text = text;
        while let Some(inner) = text.strip_prefix(is_quote).and_then(|t| t.strip_suffix(is_quote)) {
            text = self.trim(inner);
        }
        text
    }

    /// What follows the character that `text` begins with, if that is `sign`.
    pub(super) fn after_sign(self, text: &str, sign: char) -> Option<&str> {
        Some(self.trim(text.strip_prefix(|c| narrow(c) == sign)?))
    }

    /// What stands before the first `=` or `:` of the first word, `word`, and what follows it
    /// without blanks around.
    pub(super) fn split_joint<'t>(self, text: &'t str, word: &str) -> Option<(&'t str, &'t str)> {
        let at = if self.is_plain {
            memchr::memchr2(b'=', b':', word.as_bytes())
        } else {
            word.find(|c| matches!(narrow(c), '=' | ':'))
        };
        let (first, joined) = text.split_at_checked(at?)?;
        let mut joined = joined.chars();
        joined.next();
        Some((first, self.trim(joined.as_str())))
    }

    /// Whether a word is one of `keywords`, in any case and width.
    pub(super) fn is(self, word: &str, keywords: &[&str]) -> bool {
        if self.is_plain {
            return keywords.iter().any(|keyword| word.eq_ignore_ascii_case(keyword));
        }
        let narrowed = || word.chars().filter(|&c| !is_ignorable(c)).map(narrow);
        let same = |keyword: &&str| narrowed().map(|c| c.to_ascii_lowercase()).eq(keyword.chars());
        keywords.iter().any(same)
    }
}

/// Looks at a word's bytes once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bytes(u8);

impl Bytes {
    const DOT: u8 = 1;
    const WILDCARD: u8 = 2;
    const ODD: u8 = 4;
    const LETTER: u8 = 8;

    /// Which bytes `word` has.
    pub(super) fn of(word: &str) -> Self {
        let of = |byte: &u8| BYTES.get(usize::from(*byte)).copied().unwrap_or_default();
        Self(word.as_bytes().iter().fold(0, |all, byte| all | of(byte)))
    }

    /// Nothing but letters, digits and hyphens, and a letter and a dot at least.
    pub(super) const fn is_plain_name(self) -> bool {
        self.0 == Self::DOT | Self::LETTER
    }

    /// A letter of ASCII at least.
    pub(super) const fn has_letter(self) -> bool {
        self.0 & Self::LETTER != 0
    }

    /// Nothing but what names and patterns have, in ASCII.
    pub(super) const fn has_odd(self) -> bool {
        self.0 & Self::ODD != 0
    }
}

/// Digits and hyphens are 0.
const BYTES: [u8; 256] = {
    let mut bytes = [Bytes::ODD; 256];
    let mut byte = 0;
    while byte < u8::MAX {
        #[expect(clippy::indexing_slicing, reason = "there are 256 bytes")]
        let class = &mut bytes[byte as usize];
        *class = match byte {
            b'.' => Bytes::DOT,
            b'%' | b'_' | b'*' => Bytes::WILDCARD,
            b'-' | b'0'..=b'9' => 0,
            b'a'..=b'z' | b'A'..=b'Z' => Bytes::LETTER,
            _ => Bytes::ODD,
        };
        byte = byte.wrapping_add(1);
    }
    bytes
};

/// The host that a word names: of a URL or an e-mail address its host, without a port, brackets,
/// and the marks of the sentence that it was copied from; signs in any width.
pub(super) fn host(word: &str) -> &str {
    let word = word.trim_start_matches(opens).trim_end_matches(closes);
    let word = after_scheme(word);
    let end = word.find(|c| matches!(narrow(c), '/' | '?' | '#' | '\\')).unwrap_or(word.len());
    let word = word.get(..end).unwrap_or(word);
    let word = word.rsplit(|c| narrow(c) == '@').next().unwrap_or(word);
    let word = in_brackets(word).unwrap_or(word);
    let word = word.trim_start_matches(opens).trim_end_matches(closes);
    let is_port = |port: &str| !port.is_empty() && port.chars().all(|c| narrow(c).is_ascii_digit());
    match word.split_once(|c| narrow(c) == ':') {
        Some((host, port)) if is_port(port) => host,
        // `[IPv6:2001:db8::1]` (RFC 5321 section 4.1.3).
        Some((tag, address)) if tag.eq_ignore_ascii_case("ipv6") => address,
        _ => word,
    }
}

/// What follows `://`, or `//` at the beginning.
fn after_scheme(word: &str) -> &str {
    let after_colon = word.split_once(|c| narrow(c) == ':').map(|(_scheme, rest)| rest);
    let mut host = after_colon.and_then(after_slashes).unwrap_or(word);
    while let Some(rest) = after_slashes(host) {
        host = rest;
    }
    host
}

fn after_slashes(text: &str) -> Option<&str> {
    let is_slash = |c| narrow(c) == '/';
    text.strip_prefix(is_slash)?.strip_prefix(is_slash)
}

/// The text in the brackets that a host begins with: an address; a port may follow them.
fn in_brackets(host: &str) -> Option<&str> {
    let inner = host.strip_prefix(|c| narrow(c) == '[')?;
    inner.split_once(|c| narrow(c) == ']').map(|(inner, _port)| inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_what_people_paste_is_found() {
        for pasted in [
            "example.demo",
            "http://example.demo/",
            "https://user:word@example.demo:8443/a/b?c=d%20e#f",
            "//example.demo/x_y",
            "example.demo/path",
            "example.demo:43",
            "someone@example.demo",
            "mailto:someone@example.demo?subject=x",
            "<someone@example.demo>",
            "\u{201c}example.demo\u{201d}",
            "\u{200e}example.demo\u{200f}",
            "(example.demo),",
            "example.demo?",
            "example.demo、",
            "（example.demo）！",
            "someone＠example.demo",
            "ｈｔｔｐ：／／example.demo：８０／a＠b",
        ] {
            assert_eq!(host(pasted), "example.demo", "{pasted}");
        }
        assert_eq!(host("http://[2001:db8::1]:80/"), "2001:db8::1");
        assert_eq!(host("http://[2001:db8::1]/"), "2001:db8::1");
        assert_eq!(host("http://"), "");
    }

    #[test]
    fn every_byte_of_a_name_has_its_class() {
        assert!(Bytes::of("xn--a.demo").is_plain_name());
        assert!(!Bytes::of("192.0.2.1").is_plain_name() && !Bytes::of("192.0.2.1").has_letter());
        assert!(!Bytes::of("demo").is_plain_name() && !Bytes::of("demo").has_odd());
        assert!(!Bytes::of("a_b.demo").is_plain_name() && !Bytes::of("a_b%*.demo").has_odd());
        for odd in ["a b", "ü.demo", "a:b", "a/b", "\u{7f}", "ÿ"] {
            assert!(Bytes::of(odd).has_odd(), "{odd}");
        }
    }
}

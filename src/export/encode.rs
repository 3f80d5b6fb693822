//! Text as XML carries it, octets as text.
//!
//! # Invariants
//!
//! - Escaped text has no markup and no character that XML 1.0 does not allow.
//!
//! # Does not
//!
//! Normalise: white space stays what it is, as character references where a reader would touch it.

/// Appends `text` for an element's content or an attribute's value in double quotes.
pub(super) fn escape(text: &str, out: &mut String) {
    let special = |b: u8| matches!(b, b'&' | b'<' | b'>' | b'"' | 0..=0x1f | 0x7f | 0xef);
    // 0xEF begins U+FFFE and U+FFFF, the only others that XML 1.0 excludes.
    if !text.bytes().any(special) {
        out.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

/// Appends octets in base64 with padding (RFC 4648 section 4).
pub(crate) fn base64(octets: &[u8], out: &mut String) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in octets.chunks(3) {
        let mut group = [0u8; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let [a, b, c] = group.map(usize::from);
        let digits = [a >> 2, (a & 3) << 4 | b >> 4, (b & 15) << 2 | c >> 6, c & 63];
        for (place, digit) in digits.into_iter().enumerate() {
            out.push(if place <= chunk.len() { char::from(DIGITS[digit]) } else { '=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_forbidden_characters_are_escaped() {
        let mut out = String::new();
        escape("a<b>&\"c\"\n\u{1}\u{ffff}é\u{fffd}", &mut out);
        assert_eq!(out, "a&lt;b&gt;&amp;&quot;c&quot;&#10;\u{fffd}\u{fffd}é\u{fffd}");
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let cases = ["", "f", "fo", "foo", "foob", "fooba", "foobar"];
        let expected = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (case, expected) in cases.into_iter().zip(expected) {
            let mut out = String::new();
            base64(case.as_bytes(), &mut out);
            assert_eq!(out, expected);
        }
    }
}

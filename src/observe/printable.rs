//! Texts from outside in messages to people: what goes to a terminal must not command it.

use std::borrow::Cow;

/// `text` with its control characters as Rust writes them (`\u{1b}`): one line, and nothing that a
/// terminal obeys. Costs a copy only where there is one.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_written_out_and_everything_else_stays() {
        assert_eq!(printable("a\x1b[2J\n\u{85}ü"), "a\\u{1b}[2J\\n\\u{85}ü");
        assert!(matches!(printable("münchen \"x\" \\"), Cow::Borrowed(_)));
    }
}

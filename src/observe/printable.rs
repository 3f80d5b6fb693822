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

/// A number with its noun, as a sentence needs it: `1 file`, `2 queries`, `0 prefixes`.
#[must_use]
pub fn counted(number: u64, noun: &str) -> String {
    if number == 1 {
        return format!("1 {noun}");
    }
    match noun.strip_suffix('y') {
        Some(stem) => format!("{number} {stem}ies"),
        None if noun.ends_with(['x', 'h']) => format!("{number} {noun}es"),
        None => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noun_is_in_the_plural_for_every_number_but_one() {
        let said =
            ["file", "query", "prefix", "batch"].map(|noun| [0, 1, 2].map(|n| counted(n, noun)));
        assert_eq!(said[0], ["0 files", "1 file", "2 files"]);
        assert_eq!(said[1], ["0 queries", "1 query", "2 queries"]);
        assert_eq!(said[2], ["0 prefixes", "1 prefix", "2 prefixes"]);
        assert_eq!(said[3], ["0 batches", "1 batch", "2 batches"]);
    }

    #[test]
    fn control_characters_are_written_out_and_everything_else_stays() {
        assert_eq!(printable("a\x1b[2J\n\u{85}ü"), "a\\u{1b}[2J\\n\\u{85}ü");
        assert!(matches!(printable("münchen \"x\" \\"), Cow::Borrowed(_)));
    }
}

//! Texts of the configuration as lines of an answer.
//!
//! # Invariants
//!
//! - Every line ends in CRLF and has no blank at its end; wrapped lines have at most
//!   [`LINE_CHARS_MAX`] characters, unless a single word is longer.
//!
//! # Does not
//!
//! Check the texts: `display::settings` does.

/// Longest line of a wrapped text, characters without the line end.
pub(super) const LINE_CHARS_MAX: usize = 72;

/// A text with its words filled into lines; empty lines separate paragraphs.
pub(super) fn wrapped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut line_chars = 0_usize;
    let mut paragraph_open = false;
    for line in text.lines() {
        let mut words = line.split_whitespace().peekable();
        if words.peek().is_none() {
            if paragraph_open {
                out.extend_from_slice(b"\r\n\r\n");
                paragraph_open = false;
                line_chars = 0;
            }
            continue;
        }
        for word in words {
            let chars = word.chars().count();
            let needed = line_chars.saturating_add(1).saturating_add(chars);
            if line_chars > 0 && needed > LINE_CHARS_MAX {
                out.extend_from_slice(b"\r\n");
                line_chars = 0;
            } else if line_chars > 0 {
                out.push(b' ');
                line_chars = line_chars.saturating_add(1);
            }
            out.extend_from_slice(word.as_bytes());
            line_chars = line_chars.saturating_add(chars);
            paragraph_open = true;
        }
    }
    while out.ends_with(b"\r\n") {
        out.truncate(out.len().saturating_sub(2));
    }
    if !out.is_empty() {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// A text line by line as it is, without blanks at the ends of lines.
pub(super) fn verbatim(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for line in text.trim_end().lines() {
        out.extend_from_slice(line.trim_end().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fill_lines_of_72_characters() {
        let text = format!("{} b\n\n\n c\nd {} e\n\n", "a".repeat(70), "ü".repeat(80));
        let wrapped = String::from_utf8(wrapped(&text)).unwrap();
        let lines: Vec<&str> = wrapped.split("\r\n").collect();
        let (a, u) = (format!("{} b", "a".repeat(70)), "ü".repeat(80));
        assert_eq!(lines, [a.as_str(), "", "c d", u.as_str(), "e", ""]);
    }

    #[test]
    fn nothing_stays_nothing() {
        assert!(wrapped(" \n\n ").is_empty());
        assert!(verbatim("\n").is_empty());
        assert_eq!(verbatim("a  \n  b\n\n"), b"a\r\n  b\r\n");
    }
}

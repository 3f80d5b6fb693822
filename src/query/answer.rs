//! The buffer that an answer is written into, line by line.
//!
//! # Invariants
//!
//! - `fixed`: the buffer is allocated once, with [`ANSWER_BYTES_MAX`] bytes, and never grows.
//! - `whole-lines`: a line is written whole or not at all, ends in CRLF, and holds no other
//!   character that a program or a terminal could take for a line end.
//! - `room`: the body stops at `body_end_max`, which leaves room for everything after it.
//!
//! # Does not
//!
//! Know what lines mean.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::number::{Decimal, TimeText};

/// Size of the answer buffer, bytes. The largest answer of a real registry has about 5 KB; a
/// list of nameservers by address fills the buffer with about 1,500 lines.
pub const ANSWER_BYTES_MAX: usize = 65_536;

/// Room for what follows a body besides the rule's own tail, bytes: the line that says that there
/// is more, the complaint-form line, the last-update line, empty lines.
const CLOSING_BYTES_MAX: usize = 512;

const _: () = assert!(
    // Header, disclaimer and footer are wrapped: a line end of two bytes for each character at
    // most. Half the buffer stays for the body.
    3 * 3 * crate::config::tld::TEXT_BYTES_MAX + CLOSING_BYTES_MAX < ANSWER_BYTES_MAX * 2 / 3
);

/// An answer: a buffer of fixed capacity, used again and again.
#[derive(Debug)]
pub struct Answer {
    bytes: Vec<u8>,
    /// Length that the body may reach.
    body_end_max: usize,
    /// Whether a line of the body did not fit.
    cut: bool,
}

impl Default for Answer {
    fn default() -> Self {
        Self::new()
    }
}

impl Answer {
    /// An empty answer; allocates the buffer.
    #[must_use]
    pub fn new() -> Self {
        let bytes = Vec::with_capacity(ANSWER_BYTES_MAX);
        Self { bytes, body_end_max: ANSWER_BYTES_MAX, cut: false }
    }

    /// The answer so far.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Empties the answer and reserves `tail_bytes` for what follows its body.
    pub(super) fn begin(&mut self, tail_bytes: usize) {
        self.bytes.clear();
        self.cut = false;
        let reserved = tail_bytes.saturating_add(CLOSING_BYTES_MAX);
        self.body_end_max = ANSWER_BYTES_MAX.saturating_sub(reserved);
    }

    /// Ends the body: what follows may use the reserved room.
    pub(super) fn end_body(&mut self) {
        self.body_end_max = ANSWER_BYTES_MAX;
        self.cut = false;
    }

    /// Whether a line of the body did not fit.
    pub(super) const fn is_cut(&self) -> bool {
        self.cut
    }

    /// Length so far, bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Drops everything after the first `len` bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
        self.cut = false;
    }

    /// Writes whole lines that are known to be clean, each with its line end.
    #[inline]
    pub(super) fn raw(&mut self, lines: &[u8]) {
        if self.reserve(lines.len()) {
            self.bytes.extend_from_slice(lines);
        }
    }

    /// Writes an empty line.
    pub(super) fn blank(&mut self) {
        self.raw(b"\r\n");
    }

    /// Writes `label` (key, colon, blank) and a value from the data. Without a value the key and
    /// its colon alone: no line ends in a blank.
    #[inline]
    pub(super) fn line(&mut self, label: &str, value: &str) {
        let label = label.as_bytes();
        // The line end of two bytes, and never more bytes than the value itself.
        let needed = label.len().saturating_add(value.len()).saturating_add(2);
        if !self.reserve(needed) {
            return;
        }
        if is_plain(value.as_bytes()) {
            self.bytes.extend_from_slice(label);
            self.bytes.extend_from_slice(value.as_bytes());
        } else {
            self.unusual_value(label, value);
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Writes a line of several clean parts.
    #[inline]
    pub(super) fn line_of(&mut self, parts: &[&[u8]]) {
        let needed = parts.iter().fold(2_usize, |sum, part| sum.saturating_add(part.len()));
        if !self.reserve(needed) {
            return;
        }
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Writes a number.
    pub(super) fn number(&mut self, label: &str, number: u64) {
        self.line_of(&[label.as_bytes(), Decimal::of(number).as_bytes()]);
    }

    /// Writes a time; nothing if it lies outside the years 0 to 9999.
    pub(super) fn time(&mut self, label: &str, ms: i64) -> bool {
        let time = TimeText::of(ms);
        let shown = !time.as_bytes().is_empty();
        if shown {
            self.line_of(&[label.as_bytes(), time.as_bytes()]);
        }
        shown
    }

    /// Starts a line of which `bytes_max` is all that it may need with its end; whoever calls
    /// this writes it with [`Self::part`] and ends it with [`Self::end_line`].
    pub(super) fn start_line(&mut self, bytes_max: usize) -> bool {
        self.reserve(bytes_max)
    }

    /// A clean part of a started line.
    pub(super) fn part(&mut self, part: &[u8]) {
        if part.len() <= ANSWER_BYTES_MAX.saturating_sub(self.bytes.len()) {
            self.bytes.extend_from_slice(part);
        }
    }

    /// A part of a started line that comes from the data.
    pub(super) fn part_of_data(&mut self, part: &str) {
        if is_plain(part.as_bytes()) {
            self.part(part.as_bytes());
        } else {
            for c in part.chars() {
                let c = if breaks_lines(c) { ' ' } else { c };
                self.part(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }

    /// Ends a started line, without blanks at its end.
    pub(super) fn end_line(&mut self) {
        while self.bytes.last() == Some(&b' ') {
            self.bytes.pop();
        }
        self.part(b"\r\n");
    }

    #[inline]
    fn reserve(&mut self, bytes: usize) -> bool {
        let fits = bytes <= self.body_end_max.saturating_sub(self.bytes.len());
        // Nothing after the first line that did not fit: an answer has no holes.
        self.cut |= !fits;
        !self.cut
    }

    /// A value that is empty, not ASCII, or has characters that must not be copied.
    #[cold]
    fn unusual_value(&mut self, label: &[u8], value: &str) {
        self.bytes.extend_from_slice(label);
        let start = self.bytes.len();
        for c in value.chars() {
            let c = if breaks_lines(c) { ' ' } else { c };
            if c == ' ' && self.bytes.len() == start {
                continue;
            }
            self.bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        while self.bytes.last() == Some(&b' ') {
            self.bytes.pop();
        }
    }
}

/// Whether a character could make one line look like two, or turn its text around: controls,
/// the Unicode line and paragraph separators, and the controls of writing direction.
#[must_use]
pub const fn breaks_lines(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
    )
}

/// Whether a value can be copied as it is: printable ASCII that neither starts nor ends in a
/// blank, and is not empty.
#[inline]
fn is_plain(value: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const ONES: u64 = 0x0101_0101_0101_0101;
    match (value.first(), value.last()) {
        (Some(&first), Some(&last)) if first != b' ' && last != b' ' => {}
        _ => return false,
    }
    let (words, rest) = value.as_chunks::<8>();
    let mut unusual = 0_u64;
    for word in words {
        let word = u64::from_le_bytes(*word);
        // Per byte: the high bit is set if it was set, if the byte is below 0x20, or 0x7f. The
        // subtraction may borrow between bytes, which sets bits only beside a byte that is
        // unusual itself.
        unusual |= word | word.wrapping_sub(ONES.wrapping_mul(0x20)) | word.wrapping_add(ONES);
    }
    let mut odd = false;
    for &byte in rest {
        odd |= !(0x20..0x7f).contains(&byte);
    }
    unusual & HIGH == 0 && !odd
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(value: &str) -> String {
        let mut answer = Answer::new();
        answer.begin(0);
        answer.line("Key: ", value);
        String::from_utf8(answer.bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_value_is_one_line_whatever_it_holds() {
        assert_eq!(line("value"), "Key: value\r\n");
        assert_eq!(line(""), "Key:\r\n");
        assert_eq!(line(" \t "), "Key:\r\n");
        assert_eq!(line("a\r\nDomain Name: evil"), "Key: a  Domain Name: evil\r\n");
        assert_eq!(line("a\u{85}b\u{2028}c\u{2029}d\u{202e}e\0"), "Key: a b c d e\r\n");
        assert_eq!(line(" Jürg Müller "), "Key: Jürg Müller\r\n");
        assert_eq!(line("sixteen bytes\u{7f}ab"), "Key: sixteen bytes ab\r\n");
    }

    #[test]
    fn the_quick_look_at_eight_bytes_sees_what_the_slow_one_sees() {
        for byte in 0..=255_u8 {
            for place in 0..17 {
                let mut value = [b'a'; 17];
                value[place] = byte;
                let outer_blank = byte == b' ' && (place == 0 || place == 16);
                let plain = (0x20..0x7f).contains(&byte) && !outer_blank;
                assert_eq!(is_plain(&value), plain, "{byte} at {place}");
            }
        }
    }

    #[test]
    fn a_line_that_does_not_fit_is_left_out_whole_and_so_is_what_follows_it() {
        let mut answer = Answer::new();
        answer.begin(ANSWER_BYTES_MAX - CLOSING_BYTES_MAX - 20);
        answer.line("Key: ", "123456789");
        answer.line("Key: ", "too long");
        answer.line("K: ", "");
        assert!(answer.is_cut());
        assert_eq!(answer.bytes(), b"Key: 123456789\r\n");
        answer.truncate(0);
        answer.end_body();
        answer.raw(b"there is room again\r\n");
        assert_eq!(answer.bytes(), b"there is room again\r\n");
    }

    #[test]
    fn the_buffer_never_grows() {
        let mut answer = Answer::new();
        let capacity = answer.bytes.capacity();
        answer.begin(0);
        for _ in 0..ANSWER_BYTES_MAX {
            answer.line("Key: ", "välue");
        }
        answer.end_body();
        for _ in 0..ANSWER_BYTES_MAX {
            answer.raw(b"Key: value\r\n");
        }
        assert_eq!(answer.bytes.capacity(), capacity);
        assert!(answer.bytes().len() <= ANSWER_BYTES_MAX);
        assert!(answer.bytes().ends_with(b"\r\n"));
    }
}

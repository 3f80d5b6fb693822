//! The buffer that an answer is written into, line by line.
//!
//! # Invariants
//!
//! - `fixed`: the buffer is allocated once, with [`ANSWER_BYTES_MAX`] bytes and a little that no
//!   answer reaches, and never grows.
//! - `whole-lines`: a line is written whole or not at all, ends in CRLF, and holds no other
//!   character that a program or a terminal could take for a line end.
//! - `room`: the body stops at `body_end_max`, which leaves room for everything after it.
//!
//! # Does not
//!
//! Know what lines mean.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::lines::Lines;
use crate::bounds::breaks_lines;
use crate::policy::{LABEL_BYTES, Label};
use crate::query::Shown;
use crate::query::copies::{VALUE_BYTES, copy, copy_plain, is_plain};
use crate::query::number::{Decimal, TimeText};

/// Size of the answer buffer, bytes. The largest answer of a real registry has about 5 KB; a
/// list of nameservers by address fills the buffer with about 1,500 lines.
pub const ANSWER_BYTES_MAX: usize = 65_536;

/// Room for what follows a body besides the rule's own tail, bytes: the line that says that there
/// is more, the complaint-form line, the last-update line, empty lines.
const CLOSING_BYTES_MAX: usize = 512;

/// What a line of a contact may write beyond its end: see [`Answer::line_of_field`].
pub(super) const WIDE_BYTES: usize = LABEL_BYTES + VALUE_BYTES + 2;

const _: () = assert!(
    // Header, disclaimer and footer are wrapped: a line end of two bytes for each character at
    // most. Half the buffer stays for the body.
    3 * 3 * crate::policy::display::settings::TEXT_BYTES_MAX + CLOSING_BYTES_MAX
        < ANSWER_BYTES_MAX * 2 / 3
);

/// An answer: a buffer of fixed capacity, used again and again.
#[derive(Debug)]
pub struct Answer {
    bytes: Box<[u8]>,
    len: usize,
    /// Length that the body may reach.
    body_end_max: usize,
    /// Whether a line of the body did not fit.
    cut: bool,
    /// Tells the time, if somebody wants to know when answers began.
    now_us: Option<fn() -> u64>,
    /// When the answer began.
    began_us: u64,
    /// The time that [`Self::known_time`] told last, and its text: most answers in a row tell one.
    known: Option<(i64, TimeText)>,
    shown: Shown,
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
        let bytes = vec![0; ANSWER_BYTES_MAX + WIDE_BYTES].into_boxed_slice();
        Self {
            bytes,
            len: 0,
            body_end_max: ANSWER_BYTES_MAX,
            cut: false,
            now_us: None,
            began_us: 0,
            known: None,
            shown: Shown::default(),
        }
    }

    /// As [`Self::new`], with a clock that is read when an answer begins: where looking up ends and
    /// rendering starts.
    #[must_use]
    pub fn timed(now_us: fn() -> u64) -> Self {
        Self { now_us: Some(now_us), ..Self::new() }
    }

    /// When the answer that it holds began, by the clock that it was given; 0 without one.
    #[must_use]
    pub const fn began_us(&self) -> u64 {
        self.began_us
    }

    /// The answer so far.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Empties the answer and reserves `tail_bytes` for what follows its body.
    pub(super) fn begin(&mut self, tail_bytes: usize) {
        self.len = 0;
        self.cut = false;
        self.shown = Shown::default();
        if let Some(now_us) = self.now_us {
            self.began_us = now_us();
        }
        let reserved = tail_bytes.saturating_add(CLOSING_BYTES_MAX);
        self.body_end_max = ANSWER_BYTES_MAX.saturating_sub(reserved);
    }

    /// Which records it shows.
    #[must_use]
    pub const fn shown(&self) -> Shown {
        self.shown
    }

    /// Notes that the answer shows these as well.
    #[inline]
    pub(super) const fn note_shown(&mut self, more: Shown) {
        self.shown.records = self.shown.records.saturating_add(more.records);
        self.shown.contacts = self.shown.contacts.saturating_add(more.contacts);
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
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Drops everything after the first `len` bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.cut = false;
    }

    /// Writes whole lines that are known to be clean, each with its line end.
    #[inline]
    pub(super) fn raw(&mut self, lines: &[u8]) {
        if let Some(place) = self.place(lines.len()) {
            place.copy_from_slice(lines);
        }
    }

    /// Writes an empty line.
    pub(super) fn blank(&mut self) {
        self.raw(b"\r\n");
    }

    /// Writes `label` and a value from the data. Without a value the key and its colon alone: no
    /// line ends in a blank.
    #[inline(never)]
    pub(super) fn line(&mut self, label: &Label, value: &str) {
        let value_at = self.len.wrapping_add(label.len());
        // Neither is near the end of all numbers.
        let needed = label.len().wrapping_add(value.len()).wrapping_add(2);
        if !self.reserve(needed) {
            return;
        }
        let Some(place) = self.bytes.get_mut(self.len..) else { return };
        let Some(key) = place.first_chunk_mut() else { return };
        *key = label.bytes;
        let place = place.get_mut(label.len()..).unwrap_or_default();
        let Some((text, end)) = place.split_at_mut_checked(value.len()) else { return };
        let plain = copy_plain(text, value.as_bytes());
        if let Some(end) = end.first_chunk_mut() {
            *end = *b"\r\n";
        }
        self.keep(needed);
        if !plain {
            self.unusual_value(value_at, value.as_bytes());
        }
    }

    /// As [`Self::line`]: the value is the first `length` bytes of `rest`, should be UTF-8, and
    /// reads as such whatever it holds. Label and value are copied in pieces of fixed size, whose
    /// surplus the rest of the line and the next line overwrite: a third of the instructions.
    #[inline]
    pub(super) fn line_of_field(&mut self, label: &Label, rest: &[u8], length: usize) {
        let value_at = self.len.wrapping_add(label.len());
        let needed = label.len().saturating_add(length).saturating_add(2);
        let wide = rest.first_chunk::<VALUE_BYTES>().filter(|_| length <= VALUE_BYTES);
        if !self.reserve(needed) {
            return;
        }
        let Some(place) = self.bytes.get_mut(self.len..) else { return };
        let Some((key, _)) = place.split_first_chunk_mut() else { return };
        *key = label.bytes;
        let Some(place) = place.get_mut(label.len()..) else { return };
        let plain = if let Some(wide) = wide
            && let Some(to) = place.first_chunk_mut()
        {
            *to = *wide;
            is_plain(wide, length)
        } else {
            let to = place.get_mut(..length).zip(rest.get(..length));
            to.is_some_and(|(to, value)| copy_plain(to, value))
        };
        if let Some(end) = place.get_mut(length..).and_then(|place| place.first_chunk_mut()) {
            *end = *b"\r\n";
        }
        self.len = self.len.saturating_add(needed);
        if !plain {
            self.unusual_value(value_at, rest.get(..length).unwrap_or_default());
        }
    }

    /// Room for whole lines of at most `bytes_max` bytes in all, to be written without a further
    /// look at the room, and then kept by [`Self::keep`]; `None` if they may not fit.
    #[inline]
    pub(super) fn lines(&mut self, bytes_max: usize) -> Option<Lines<'_>> {
        if self.cut || bytes_max > self.body_end_max.saturating_sub(self.len) {
            return None;
        }
        Some(Lines::at(self.bytes.get_mut(self.len..)?))
    }

    /// Keeps `bytes` that were written after the answer's end.
    #[inline]
    pub(super) fn keep(&mut self, bytes: usize) {
        self.len = self.len.wrapping_add(bytes).min(ANSWER_BYTES_MAX);
    }

    /// Writes a line of several clean parts.
    #[inline]
    pub(super) fn line_of(&mut self, parts: &[&[u8]]) {
        let needed = parts.iter().fold(2_usize, |sum, part| sum.saturating_add(part.len()));
        let Some(mut place) = self.place(needed) else { return };
        for part in parts {
            let Some((to, rest)) = place.split_at_mut_checked(part.len()) else { return };
            copy(to, part);
            place = rest;
        }
        place.copy_from_slice(b"\r\n");
    }

    /// Writes a number.
    pub(super) fn number(&mut self, label: &Label, number: u64) {
        self.line(label, Decimal::of(number).as_str());
    }

    /// Writes a time; nothing if it lies outside the years 0 to 9999.
    pub(super) fn time(&mut self, label: &Label, ms: i64) -> bool {
        let Some(time) = TimeText::of(ms) else { return false };
        let length = time.as_bytes().len();
        let needed = label.len().wrapping_add(length).wrapping_add(2);
        if !self.reserve(needed) {
            return true;
        }
        let place = self.bytes.get_mut(self.len..).unwrap_or_default();
        if let Some(key) = place.first_chunk_mut() {
            *key = label.bytes;
        }
        let place = place.get_mut(label.len()..).unwrap_or_default();
        // A piece of fixed size, whose surplus the line end and the next line overwrite.
        if let Some(text) = place.first_chunk_mut() {
            *text = *time.padded();
        }
        if let Some(end) = place.get_mut(length..).and_then(|place| place.first_chunk_mut()) {
            *end = *b"\r\n";
        }
        self.keep(needed);
        true
    }

    /// Writes a line with a time that answer after answer has; one outside the calendar reads as
    /// the epoch.
    pub(super) fn known_time(&mut self, before: &[u8], ms: i64, after: &[u8]) {
        if self.known.as_ref().is_none_or(|(known_ms, _)| *known_ms != ms) {
            self.known = TimeText::of(ms).or_else(|| TimeText::of(0)).map(|text| (ms, text));
        }
        let Some((_, text)) = self.known else { return };
        self.line_of(&[before, text.as_bytes(), after]);
    }

    /// Starts a line of which `bytes_max` is all that it may need with its end; the caller writes
    /// it with [`Self::part`] and ends it with [`Self::end_line`].
    pub(super) fn start_line(&mut self, bytes_max: usize) -> bool {
        self.reserve(bytes_max)
    }

    /// A clean part of a started line.
    pub(super) fn part(&mut self, part: &[u8]) {
        let end = self.len.saturating_add(part.len());
        if let Some(place) = self.bytes.get_mut(self.len..end) {
            place.copy_from_slice(part);
            self.len = end;
        }
    }

    /// A part of a started line that comes from the data.
    pub(super) fn part_of_data(&mut self, part: &str) {
        // Names as nearly all are, at once: a list holds fifty.
        if part.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~')) {
            return self.part(part.as_bytes());
        }
        for c in part.chars() {
            let c = if breaks_lines(c) { ' ' } else { c };
            self.part(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    /// Ends a started line, without blanks at its end.
    pub(super) fn end_line(&mut self) {
        while self.bytes().last() == Some(&b' ') {
            self.len = self.len.saturating_sub(1);
        }
        self.part(b"\r\n");
    }

    #[inline]
    fn reserve(&mut self, bytes: usize) -> bool {
        let fits = bytes <= self.body_end_max.saturating_sub(self.len);
        // Nothing after the first line that did not fit: an answer has no holes.
        self.cut |= !fits;
        !self.cut
    }

    /// Takes room for `bytes` bytes, to be filled whole.
    #[inline]
    fn place(&mut self, bytes: usize) -> Option<&mut [u8]> {
        if !self.reserve(bytes) {
            return None;
        }
        let start = self.len;
        let end = start.checked_add(bytes)?;
        self.len = end;
        self.bytes.get_mut(start..end)
    }

    /// Ends the line whose value begins at `start` with a value that is empty, not ASCII, or has
    /// characters that must not be copied.
    #[cold]
    fn unusual_value(&mut self, start: usize, value: &[u8]) {
        if let Ok(text) = std::str::from_utf8(value) {
            let has_blanks_around = text.trim_matches(' ').len() != text.len();
            if !text.is_empty() && !has_blanks_around && !text.contains(breaks_lines) {
                // Not ASCII, and nothing else: it is copied already.
                return;
            }
        }
        self.len = start;
        for chunk in value.utf8_chunks() {
            for c in chunk.valid().chars() {
                let c = if breaks_lines(c) { ' ' } else { c };
                if c != ' ' || self.len != start {
                    self.part(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            // Damage: one byte each, so that the value does not grow.
            for _ in chunk.invalid() {
                self.part(b"?");
            }
        }
        self.end_line();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Label = Label::new("Key: ");

    fn line(value: &str) -> String {
        let mut answer = Answer::new();
        answer.begin(0);
        answer.line(&KEY, value);
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
    fn a_line_that_does_not_fit_is_left_out_whole_and_so_is_what_follows_it() {
        let mut answer = Answer::new();
        answer.begin(ANSWER_BYTES_MAX - CLOSING_BYTES_MAX - 20);
        answer.line(&KEY, "123456789");
        answer.line(&KEY, "too long");
        answer.line(&Label::new("K: "), "");
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
        answer.begin(0);
        for _ in 0..ANSWER_BYTES_MAX {
            answer.line(&KEY, "välue");
        }
        answer.end_body();
        for _ in 0..ANSWER_BYTES_MAX {
            answer.raw(b"Key: value\r\n");
        }
        assert_eq!(answer.bytes.len(), ANSWER_BYTES_MAX + WIDE_BYTES);
        assert!(answer.bytes().len() <= ANSWER_BYTES_MAX);
        assert!(answer.bytes().ends_with(b"\r\n"));
    }
}

//! The buffer that an answer is written into, as JSON (RFC 8259).
//!
//! # Invariants
//!
//! - `bounded`: the buffer never grows. What does not fit is left out by whole elements of lists,
//!   and the document says so; the tail of an answer has its room reserved.
//! - `clean`: a value from the data is one JSON string whatever it holds; what breaks lines on port
//!   43 is a blank here as well, so that both read the same.
//!
//! # Does not
//!
//! Know what RDAP is: members and their order are the renderers'.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::Corrupt;

use super::prepared;
use crate::bounds::breaks_lines;
use crate::query::Shown;
use crate::query::copies::{copy_plain_json, may_break_lines};
use crate::query::number::{Decimal, TimeText};

/// Longest answer, bytes: several times the longest domain that a record can hold.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// What the end of an open list takes at most, with what is open around it.
const CLOSING_BYTES_MAX: usize = 32;

/// A buffer for one answer.
#[derive(Debug)]
pub struct Document {
    bytes: Box<[u8]>,
    len: usize,
    /// Where what is written has to end.
    end_max: usize,
    /// Whether something did not fit since the last element of a list.
    cut: bool,
    shown: Shown,
    /// Reads the time, if somebody wants to know when answers began.
    now_us: Option<fn() -> u64>,
    /// When the answer began.
    began_us: u64,
}

impl Default for Document {
    fn default() -> Self {
        Self::new()
    }
}

impl Document {
    /// An empty document; allocates the buffer.
    #[must_use]
    pub fn new() -> Self {
        // Here, so that no answer has to.
        prepared::prepare();
        let bytes = vec![0; DOCUMENT_BYTES_MAX].into_boxed_slice();
        let (len, end_max) = (0, DOCUMENT_BYTES_MAX);
        let (shown, now_us, began_us) = (Shown::default(), None, 0);
        Self { bytes, len, end_max, cut: false, shown, now_us, began_us }
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

    /// The answer.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Empties the document and reserves `tail_bytes` for what follows its body.
    pub(super) fn begin(&mut self, tail_bytes: usize) {
        (self.len, self.cut) = (0, false);
        self.shown = Shown::default();
        if let Some(now_us) = self.now_us {
            self.began_us = now_us();
        }
        self.end_max = DOCUMENT_BYTES_MAX.saturating_sub(tail_bytes);
    }

    /// Which records it shows.
    #[must_use]
    pub const fn shown(&self) -> Shown {
        self.shown
    }

    /// Notes that the answer shows these as well.
    pub(super) const fn note_shown(&mut self, more: Shown) {
        self.shown.records = self.shown.records.saturating_add(more.records);
        self.shown.contacts = self.shown.contacts.saturating_add(more.contacts);
    }

    /// Ends the body: what follows may use the reserved room.
    pub(super) const fn end_body(&mut self) {
        self.end_max = DOCUMENT_BYTES_MAX;
        self.cut = false;
    }

    /// Writes a part that is known to be JSON.
    #[inline]
    pub(super) fn raw(&mut self, part: &[u8]) {
        let end = self.len.saturating_add(part.len());
        // Nothing after the first part that did not fit: an answer has no holes.
        if !self.cut
            && end <= self.end_max
            && let Some(place) = self.bytes.get_mut(self.len..end)
        {
            place.copy_from_slice(part);
            self.len = end;
        } else {
            self.cut = true;
        }
    }

    /// Writes a string.
    #[inline]
    pub(super) fn text(&mut self, text: &str) {
        self.string(text.as_bytes());
    }

    /// As [`Self::text`], of bytes that should be UTF-8.
    #[inline]
    pub(super) fn string(&mut self, value: &[u8]) {
        let start = self.len;
        let end = start.wrapping_add(value.len()).wrapping_add(2);
        if !self.cut
            && end <= self.end_max
            && let Some([open, inside @ .., close]) = self.bytes.get_mut(start..end)
        {
            (*open, *close) = (b'"', b'"');
            // One without a value reads so with care as well.
            if value.is_empty() || copy_plain_json(inside, value) {
                self.len = end;
                return;
            }
        }
        self.careful_string(value);
    }

    #[cold]
    fn careful_string(&mut self, value: &[u8]) {
        self.raw(b"\"");
        self.careful(value);
        self.raw(b"\"");
    }

    /// Writes a part of a string.
    #[inline]
    pub(super) fn inside(&mut self, value: &[u8]) {
        let end = self.len.wrapping_add(value.len());
        if !self.cut
            && end <= self.end_max
            && let Some(place) = self.bytes.get_mut(self.len..end)
            && copy_plain_json(place, value)
        {
            self.len = end;
            return;
        }
        self.careful(value);
    }

    /// Writes a number.
    pub(super) fn number(&mut self, number: u64) {
        self.raw(Decimal::of(number).as_bytes());
    }

    /// Writes a time as a string (RFC 3339); `head` comes before it. Nothing if it lies outside the
    /// years 0 to 9999.
    #[inline]
    pub(super) fn time(&mut self, head: &[u8], ms: i64, end: &[u8]) {
        if let Some(time) = TimeText::of(ms) {
            self.raw(head);
            self.raw(time.as_bytes());
            self.raw(end);
        }
    }

    /// A value that is empty, not ASCII, has blanks around it, or characters that a string must not
    /// have as they are.
    #[cold]
    fn careful(&mut self, value: &[u8]) {
        let is_escaped = |byte: &u8| matches!(byte, b'"' | b'\\');
        let has_blanks = value.first() == Some(&b' ') || value.last() == Some(&b' ');
        if !has_blanks
            && !value.iter().any(is_escaped)
            && !may_break_lines(value)
            && std::str::from_utf8(value).is_ok()
        {
            // Letters of any script, and nothing else.
            return self.raw(value);
        }
        let start = self.len;
        let mut end = start;
        for chunk in value.utf8_chunks() {
            for c in chunk.valid().chars() {
                let c = if breaks_lines(c) { ' ' } else { c };
                if c == ' ' && self.len == start {
                    continue;
                }
                if matches!(c, '"' | '\\') {
                    self.raw(b"\\");
                }
                self.raw(c.encode_utf8(&mut [0; 4]).as_bytes());
                if c != ' ' {
                    end = self.len;
                }
            }
            // Damage: one character each, as on port 43.
            for _ in chunk.invalid() {
                self.raw(b"?");
                end = self.len;
            }
        }
        self.len = end;
    }

    /// Writes an element of a list, after the list's head if it is the first one; leaves it out if
    /// it does not fit.
    pub(super) fn element(
        &mut self,
        list: &mut List,
        write: impl FnOnce(&mut Self) -> Result<(), Corrupt>,
    ) -> Result<(), Corrupt> {
        if list.full || self.cut {
            return Ok(());
        }
        let (start, end_max) = (self.len, self.end_max);
        self.end_max = end_max.saturating_sub(CLOSING_BYTES_MAX);
        self.raw(if list.count == 0 { list.head } else { b"," });
        let written = write(self);
        self.end_max = end_max;
        if self.cut {
            (self.len, self.cut) = (start, false);
            list.full = true;
        } else {
            list.count = list.count.saturating_add(1);
        }
        written
    }

    /// Ends a list; one without elements is not there at all. Whether there are any.
    pub(super) fn end(&mut self, list: &List) -> bool {
        if list.count > 0 {
            self.raw(b"]");
        }
        list.count > 0
    }
}

/// A list that is being written: see [`Document::element`].
#[derive(Debug)]
pub(super) struct List {
    /// What comes before its first element, with the bracket.
    head: &'static [u8],
    count: usize,
    full: bool,
}

impl List {
    pub(super) const fn new(head: &'static [u8]) -> Self {
        Self { head, count: 0, full: false }
    }

    /// Elements that were written.
    pub(super) const fn count(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Document)) -> String {
        let mut out = Document::new();
        out.begin(0);
        write(&mut out);
        String::from_utf8(out.bytes().to_vec()).unwrap()
    }

    fn text(value: &str) -> String {
        let json = written(|out| out.text(value));
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn a_value_is_one_string_whatever_it_holds() {
        assert_eq!(text("value"), "value");
        assert_eq!(text(""), "");
        assert_eq!(text(" \t "), "");
        assert_eq!(text("a\r\n\"b\\"), "a  \"b\\");
        assert_eq!(text("a\u{85}b\u{2028}c\u{202e}d\0"), "a b c d");
        assert_eq!(text(" Jürg Müller "), "Jürg Müller");
        assert_eq!(text("</script>\u{7f}x"), "</script> x");
        let damaged = written(|out| out.string(b"a\xffb"));
        assert_eq!(damaged, r#""a?b""#);
    }

    #[test]
    fn what_is_copied_reads_as_what_is_escaped_with_care() {
        for first in 0..=255_u8 {
            for value in [vec![first], vec![b'a', first, b'b'], [b'x'; 40].map(|_| first).to_vec()]
            {
                let quick = written(|out| out.inside(&value));
                let careful = written(|out| out.careful(&value));
                assert_eq!(quick, careful, "{value:?}");
                serde_json::from_str::<String>(&format!("\"{quick}\"")).unwrap();
            }
        }
    }

    #[test]
    fn a_list_leaves_out_whole_elements_and_the_tail_has_its_room() {
        let mut out = Document::new();
        out.begin(100);
        out.raw(b"{\"name\":\"x\"");
        let mut list = List::new(b",\"list\":[");
        let long = "e".repeat(1_000);
        for _ in 0..DOCUMENT_BYTES_MAX {
            out.element(&mut list, |out| {
                out.raw(b"{\"name\":\"y\"");
                let mut inner = List::new(b",\"inner\":[");
                for _ in 0..3 {
                    out.element(&mut inner, |out| {
                        out.text(&long);
                        Ok(())
                    })?;
                }
                out.end(&inner);
                out.raw(b"}");
                Ok(())
            })
            .unwrap();
        }
        assert!(out.end(&list) && list.full);
        out.end_body();
        out.raw(b",\"tail\":\"");
        out.raw("t".repeat(80).as_bytes());
        out.raw(b"\"}");
        assert!(!out.cut && out.bytes().len() <= DOCUMENT_BYTES_MAX);
        let value: serde_json::Value = serde_json::from_slice(out.bytes()).unwrap();
        assert!(value["list"].as_array().unwrap().len() > 300, "{}", out.bytes().len());
    }

    #[test]
    fn a_list_without_elements_is_not_there() {
        let empty = written(|out| assert!(!out.end(&List::new(b",\"list\":["))));
        assert_eq!(empty, "");
    }
}

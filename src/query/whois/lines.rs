//! Lines of a contact's block, written where room for all of them has been found already.
//!
//! # Does not
//!
//! Look at values but for their ends: they are known to be clean inside.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::answer::WIDE_BYTES;
use crate::policy::Label;
use crate::query::copies::{VALUE_BYTES, copy};

/// Lines after the end of an answer, which has room for them.
pub(super) struct Lines<'a> {
    place: &'a mut [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    /// Lines from the first byte of `place` on.
    pub(super) const fn at(place: &'a mut [u8]) -> Self {
        Self { place, at: 0 }
    }

    /// Bytes written.
    pub(super) const fn len(&self) -> usize {
        self.at
    }

    /// Whole lines that are known to be clean.
    #[inline]
    pub(super) fn raw(&mut self, lines: &[u8]) {
        let end = self.at.wrapping_add(lines.len());
        if let Some(place) = self.place.get_mut(self.at..end) {
            place.copy_from_slice(lines);
            self.at = end;
        }
    }

    /// The line of a value that is known to be clean inside: the first `length` bytes of `rest`.
    /// Copied in pieces of fixed size, whose surplus the rest of the line and the next line
    /// overwrite. Whether the value starts or ends in a blank, which it must not.
    #[inline(always)]
    pub(super) fn line(&mut self, label: &Label, rest: &[u8], length: usize) -> bool {
        // One look at the room serves the whole line: the compiler sees that the rest lies inside.
        let place = self.place.get_mut(self.at..);
        let Some(place) = place.and_then(|place| place.first_chunk_mut::<WIDE_BYTES>()) else {
            return false;
        };
        if let Some(key) = place.first_chunk_mut() {
            *key = label.bytes;
        }
        if length <= VALUE_BYTES
            && length > 0
            && let Some(wide) = rest.first_chunk::<VALUE_BYTES>()
        {
            let end = label.len().wrapping_add(length);
            if let Some(to) = place.get_mut(label.len()..).and_then(|to| to.first_chunk_mut()) {
                *to = *wide;
            }
            if let Some(to) = place.get_mut(end..).and_then(|to| to.first_chunk_mut()) {
                *to = *b"\r\n";
            }
            self.at = self.at.wrapping_add(end).wrapping_add(2);
            let last = wide.get(length.wrapping_sub(1));
            return wide.first() == Some(&b' ') || last == Some(&b' ');
        }
        let value = rest.get(..length).unwrap_or_default();
        self.at = self.at.wrapping_add(unusual_line(place_of(self.place, self.at), label, value));
        value.first() == Some(&b' ') || value.last() == Some(&b' ')
    }
}

/// What is left from `at` on.
fn place_of(place: &mut [u8], at: usize) -> &mut [u8] {
    place.get_mut(at..).unwrap_or_default()
}

/// Ends the line that begins at `place` with its label: a long value, one at the end of its text,
/// or none. Its length.
#[inline(never)]
fn unusual_line(place: &mut [u8], label: &Label, value: &[u8]) -> usize {
    // Without a value the key and its colon alone: no line ends in a blank.
    let label_bytes = label.len().wrapping_sub(usize::from(value.is_empty()));
    let place = place_of(place, label_bytes);
    if let Some(to) = place.get_mut(..value.len()) {
        copy(to, value);
    }
    if let Some(end) = place.get_mut(value.len()..).and_then(|place| place.first_chunk_mut()) {
        *end = *b"\r\n";
    }
    label_bytes.wrapping_add(value.len()).wrapping_add(2)
}

//! A short text in a buffer of its own.
//!
//! # Does not
//!
//! Grow: text that does not fit is left out, and the caller learns of it.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

/// A short text in a buffer of `N` bytes. Text that does not fit is left out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Short<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Short<N> {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    /// The first `len` bytes of a buffer that is filled already.
    pub(crate) const fn filled(bytes: [u8; N], len: usize) -> Self {
        Self { bytes, len }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn as_bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }

    pub(crate) const fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The text and what pads it.
    pub(crate) const fn padded(&self) -> &[u8; N] {
        &self.bytes
    }

    /// Appends; `false` if it does not fit.
    pub(crate) fn push(&mut self, byte: u8) -> bool {
        let Some(place) = self.bytes.get_mut(self.len) else { return false };
        *place = byte;
        self.len = self.len.saturating_add(1);
        true
    }

    /// Appends whole or not at all.
    pub(crate) fn push_all(&mut self, bytes: &[u8]) -> bool {
        let end = self.len.saturating_add(bytes.len());
        let Some(place) = self.bytes.get_mut(self.len..end) else { return false };
        place.copy_from_slice(bytes);
        self.len = end;
        true
    }

    /// Appends a character, whole or not at all.
    pub(crate) fn push_char(&mut self, c: char) -> bool {
        self.push_all(c.encode_utf8(&mut [0; 4]).as_bytes())
    }

    pub(crate) fn pop(&mut self) {
        self.len = self.len.saturating_sub(1);
    }
}

impl<const N: usize> std::fmt::Write for Short<N> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if self.push_all(text.as_bytes()) { Ok(()) } else { Err(std::fmt::Error) }
    }
}

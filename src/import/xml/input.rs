//! A buffered reader that knows its line and refuses tokens without end.
//!
//! # Invariants
//!
//! - Memory is the buffer; a token (what the parser takes between two calls of
//!   [`Input::token_begins`]) is at most [`TOKEN_BYTES_MAX`] and one buffer long.
//!
//! # Does not
//!
//! Know XML.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io::{self, BufRead, Read};

/// Buffer, bytes: the system call's cost vanishes, the cache's second level still holds it.
const BUFFER_BYTES: usize = 256 << 10;
/// Longest token, bytes: a text or a tag with its attributes. EPP's longest text is a DNSSEC key
/// of some hundred bytes.
pub(super) const TOKEN_BYTES_MAX: u64 = 1 << 20;

/// Counts lines and token bytes while a parser reads.
pub(super) struct Input<R> {
    inner: R,
    buffer: Vec<u8>,
    /// Read position in the buffer, and end of what it holds.
    position: usize,
    filled: usize,
    /// Up to where in the buffer lines are counted, and how many line ends lie before it.
    counted: usize,
    line_ends: u64,
    /// Bytes taken in all, and at the beginning of the token.
    taken_bytes: u64,
    token_start: u64,
    /// Set when a token passed its bound.
    overlong: bool,
}

impl<R: Read> Input<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            buffer: vec![0; BUFFER_BYTES],
            position: 0,
            filled: 0,
            counted: 0,
            line_ends: 0,
            taken_bytes: 0,
            token_start: 0,
            overlong: false,
        }
    }

    /// A new token begins here.
    pub(super) fn token_begins(&mut self) {
        self.token_start = self.taken_bytes;
    }

    /// Whether reading failed since a token passed its bound.
    pub(super) const fn overlong(&self) -> bool {
        self.overlong
    }

    /// The line of the read position, from 1. Costs one pass over the bytes since the last call.
    pub(super) fn line(&mut self) -> u64 {
        self.count_to(self.position);
        self.line_ends.saturating_add(1)
    }

    fn count_to(&mut self, end: usize) {
        if let Some(bytes) = self.buffer.get(self.counted..end) {
            let count = memchr::memchr_iter(b'\n', bytes).count();
            self.line_ends = self.line_ends.saturating_add(u64::try_from(count).unwrap_or(0));
            self.counted = end;
        }
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Input<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position >= self.filled {
            if self.taken_bytes.saturating_sub(self.token_start) > TOKEN_BYTES_MAX {
                self.overlong = true;
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a token without end"));
            }
            self.count_to(self.filled);
            (self.position, self.counted, self.filled) = (0, 0, 0);
            self.filled = self.inner.read(&mut self.buffer)?;
        }
        Ok(self.buffer.get(self.position..self.filled).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.position = self.position.saturating_add(count).min(self.filled);
        self.taken_bytes = self.taken_bytes.saturating_add(u64::try_from(count).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_that_of_the_read_position_across_buffers() {
        let text = "a\n".repeat(BUFFER_BYTES);
        let mut input = Input::new(text.as_bytes());
        let mut sink = vec![0; 2 * 1000 + 1];
        input.read_exact(&mut sink).unwrap();
        assert_eq!(input.line(), 1001);
        let mut sink = vec![0; BUFFER_BYTES];
        input.token_begins();
        input.read_exact(&mut sink).unwrap();
        assert_eq!(input.line(), 1001 + BUFFER_BYTES as u64 / 2);
    }

    #[test]
    fn a_token_without_end_is_refused() {
        let mut input = Input::new(io::repeat(b'x'));
        assert!(io::copy(&mut input, &mut io::sink()).is_err());
        assert!(input.overlong());
    }
}

//! Text of a file, buffered: where a token may be looked at as a whole, and which line it is in.
//!
//! # Invariants
//!
//! - `whole`: what [`Input::rest`] shows is valid UTF-8, from UTF-8 or UTF-16; a character that a
//!   read cut in two waits for its other half.
//! - Memory is one token (at most [`TOKEN_BYTES_MAX`]) and two read buffers.
//!
//! # Does not
//!
//! Know XML.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io::{self, Read};
use std::ops::Range;

use super::XmlError;
use crate::import::encoding::{Declared, NotText, Utf8};
use crate::vet::rule::Rule;

/// Read buffer, bytes: the system call's cost vanishes, the cache's second level still holds it.
const BUFFER_BYTES: usize = 256 << 10;
/// Longest token, bytes: a text or a tag with its attributes. EPP's longest text is a DNSSEC key
/// of some hundred bytes.
pub(super) const TOKEN_BYTES_MAX: usize = 1 << 20;
/// Longest tag, bytes. Those of deposits with all of their namespaces have some two thousand.
pub(super) const TAG_BYTES_MAX: usize = 64 << 10;

/// Text that is being read.
pub(super) struct Input<R> {
    inner: Utf8<R>,
    /// Bytes as they were read; the first `cut_bytes` are half a character.
    buffer: Vec<u8>,
    cut_bytes: usize,
    /// Text, taken up to `position`; lines are counted up to `counted`.
    text: String,
    position: usize,
    counted: usize,
    line_ends: u64,
}

impl<R: Read> Input<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner: Utf8::new(inner, Declared::Nothing),
            buffer: vec![0; BUFFER_BYTES],
            cut_bytes: 0,
            text: String::with_capacity(BUFFER_BYTES),
            position: 0,
            counted: 0,
            line_ends: 0,
        }
    }

    /// What is at hand and not taken.
    pub(super) fn rest(&self) -> &str {
        self.text.get(self.position..).unwrap_or_default()
    }

    /// The first `bytes` of the rest.
    pub(super) fn start(&self, bytes: usize) -> &str {
        let end = self.position.saturating_add(bytes);
        self.text.get(self.position..end).unwrap_or_default()
    }

    /// Where the first `bytes` of the rest lie: for [`Self::taken`], until the next read.
    pub(super) fn range(&self, bytes: usize) -> Range<usize> {
        self.position..self.position.saturating_add(bytes)
    }

    /// What was taken and has not been read over yet.
    pub(super) fn taken(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// Takes the first `bytes` of the rest: they have been shown, and end between characters.
    pub(super) fn take(&mut self, bytes: usize) {
        self.position = self.position.saturating_add(bytes).min(self.text.len());
    }

    /// Reads on, so that the rest grows; `false` at the end of the file.
    pub(super) fn more(&mut self) -> Result<bool, XmlError> {
        if self.rest().len() > TOKEN_BYTES_MAX {
            let got = "a text or tag of more than 1 MiB".to_owned();
            return Err(XmlError::Broken(Rule::XmlBounds, got));
        }
        self.count_to(self.position);
        self.text.drain(..self.position);
        (self.position, self.counted) = (0, 0);
        let free = self.buffer.get_mut(self.cut_bytes..).unwrap_or_default();
        let count = loop {
            match self.inner.read(free) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(match NotText::of(&error) {
                        Some(what) => XmlError::Broken(Rule::XmlEncoding, what.to_string()),
                        None => XmlError::Io(error),
                    });
                }
            }
        };
        let filled = self.cut_bytes.saturating_add(count);
        let bytes = self.buffer.get(..filled).unwrap_or_default();
        let broken = || XmlError::Broken(Rule::XmlEncoding, "bytes that are not UTF-8".to_owned());
        let valid = match std::str::from_utf8(bytes) {
            Ok(text) => {
                self.text.push_str(text);
                filled
            }
            // A character that the read cut in two; at the end of the file it stays cut.
            Err(error) if error.error_len().is_none() && count > 0 => {
                let (whole, _) = bytes.split_at(error.valid_up_to());
                self.text.push_str(std::str::from_utf8(whole).map_err(|_| broken())?);
                error.valid_up_to()
            }
            Err(_) => return Err(broken()),
        };
        self.buffer.copy_within(valid..filled, 0);
        self.cut_bytes = filled.saturating_sub(valid);
        Ok(count > 0)
    }

    /// Length of the rest up to and with the first `end` from `from` on.
    pub(super) fn find(
        &mut self,
        mut from: usize,
        find: impl Fn(&[u8]) -> Option<usize>,
        end_bytes: usize,
    ) -> Result<Option<usize>, XmlError> {
        loop {
            let bytes = self.rest().as_bytes();
            if let Some(at) = find(bytes.get(from..).unwrap_or_default()) {
                return Ok(Some(from.saturating_add(at).saturating_add(end_bytes)));
            }
            // The end may be cut in two.
            from = bytes.len().saturating_sub(end_bytes.saturating_sub(1)).max(from);
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    /// Makes `bytes` bytes available, if the file has them.
    pub(super) fn at_least(&mut self, bytes: usize) -> Result<(), XmlError> {
        while self.rest().len() < bytes && self.more()? {}
        Ok(())
    }

    /// The line of the position, from 1. Costs one pass over the bytes since the last call.
    pub(super) fn line(&mut self) -> u64 {
        self.count_to(self.position);
        self.line_ends.saturating_add(1)
    }

    fn count_to(&mut self, end: usize) {
        if let Some(bytes) = self.text.as_bytes().get(self.counted..end) {
            let count = memchr::memchr_iter(b'\n', bytes).count();
            self.line_ends = self.line_ends.saturating_add(u64::try_from(count).unwrap_or(0));
            self.counted = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte a read.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(1);
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn characters_and_ends_that_reads_cut_in_two_are_found() {
        let mut input = Input::new(Slow("é–𝄞-->x".as_bytes()));
        let find = |bytes: &[u8]| memchr::memmem::find(bytes, b"-->");
        let end = input.find(0, find, 3).unwrap().unwrap();
        assert_eq!(input.start(end), "é–𝄞-->");
        input.take(end);
        assert_eq!(input.find(0, find, 3).unwrap(), None);
        assert_eq!(input.rest(), "x");
        let mut cut = Input::new(Slow(b"a\xe2\x82"));
        assert!(cut.find(0, find, 3).is_err());
    }

    #[test]
    fn the_line_is_that_of_the_position() {
        let text = "a\n".repeat(BUFFER_BYTES);
        let mut input = Input::new(text.as_bytes());
        for line in 1..=BUFFER_BYTES {
            if line % 1000 == 1 {
                assert_eq!(input.line(), line as u64);
            }
            input.at_least(2).unwrap();
            input.take(2);
        }
    }

    #[test]
    fn a_token_without_end_is_refused() {
        let mut input = Input::new(io::repeat(b'x'));
        let find = |bytes: &[u8]| memchr::memchr(b'<', bytes);
        assert!(matches!(input.find(0, find, 1), Err(XmlError::Broken(Rule::XmlBounds, _))));
    }
}

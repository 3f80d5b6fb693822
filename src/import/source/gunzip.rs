//! gzip as the program of that name reads it: members one after another, then zeros; anything after
//! them is ignored, and reported.
//!
//! # Does not
//!
//! Bound what comes out: readers do.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use flate2::bufread::GzDecoder;

/// Reads the content of a gzip file.
pub(in crate::import) struct Gunzip<R> {
    /// The member that is being read; `None`: the end was reached.
    member: Option<GzDecoder<R>>,
    /// Set where something else follows the last member.
    trailing: Rc<Cell<bool>>,
}

impl<R: BufRead> Gunzip<R> {
    pub(in crate::import) fn new(from: R, trailing: Rc<Cell<bool>>) -> Self {
        Self { member: Some(GzDecoder::new(from)), trailing }
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(out)?;
            if count > 0 || out.is_empty() {
                return Ok(count);
            }
            let Some(mut from) = self.member.take().map(GzDecoder::into_inner) else { break };
            // A second byte that is not gzip's shows when the member is read.
            if from.fill_buf()?.first() == Some(&0x1f) {
                self.member = Some(GzDecoder::new(from));
            } else if skip_zeros(&mut from)? {
                self.trailing.set(true);
            }
        }
        Ok(0)
    }
}

/// Skips zeros, which tapes and uploads add; whether something else follows.
fn skip_zeros(from: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = from.fill_buf()?;
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        if bytes.is_empty() || zeros < bytes.len() {
            return Ok(!bytes.is_empty());
        }
        from.consume(zeros);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, GzBuilder};

    use super::*;

    fn member(text: &str) -> Vec<u8> {
        let builder = GzBuilder::new().filename("a.xml").comment("of a day").extra("more");
        let mut encoder = builder.write(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> io::Result<(String, bool)> {
        let trailing = Rc::new(Cell::new(false));
        let mut text = String::new();
        // Buffers of one byte: whatever is cut in two is found.
        let from = io::BufReader::with_capacity(1, bytes);
        Gunzip::new(from, Rc::clone(&trailing)).read_to_string(&mut text)?;
        Ok((text, trailing.get()))
    }

    #[test]
    fn members_and_zeros_are_read_without_a_word_and_other_bytes_are_told() {
        let two = [member("one "), member(""), member("two")].concat();
        assert_eq!(read(&two).unwrap(), ("one two".to_owned(), false));
        let padded = [&two[..], &[0; 700]].concat();
        assert_eq!(read(&padded).unwrap(), ("one two".to_owned(), false));
        for more in [&b"garbage"[..], b"\0\0garbage", b"\n"] {
            let bytes = [&two[..], more].concat();
            assert_eq!(read(&bytes).unwrap(), ("one two".to_owned(), true), "{more:?}");
        }
        assert!(read(&two[..two.len() - 1]).is_err());
        assert!(read(&[&two[..], b"\x1fx"].concat()).is_err());
        assert!(read(b"").is_err());
    }
}

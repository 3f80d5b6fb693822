//! How much a deposit may have, unpacked: a small file may hold a thousand times as much. And what
//! refuses a file that passes a bound, which is complete all the same.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::io::{self, Read};
use std::rc::Rc;

use crate::vet::rule::Rule;

/// A file that passes a bound: which rule refuses it, and what it has.
#[derive(Debug)]
struct Beyond(Rule, String);

impl fmt::Display for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1)
    }
}

impl Error for Beyond {}

impl Beyond {
    fn error(rule: Rule, got: String) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, Self(rule, got))
    }
}

/// A file has more of something than is read.
pub(super) fn beyond(got: &str) -> io::Error {
    Beyond::error(Rule::InputBounds, got.to_owned())
}

/// Which rule refuses a deposit whose file cannot be read, and what it got; `None`: the disk or the
/// operator is at fault, not what the file holds.
pub(in crate::import) fn refusal(error: &io::Error) -> Option<(Rule, String)> {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    // Readers wrap what a file beneath them says.
    let mut inner = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
    while let Some(one) = inner {
        if let Some(Beyond(rule, got)) = one.downcast_ref() {
            return Some((*rule, got.clone()));
        }
        let wrapped = one.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner = wrapped.map_or_else(|| one.source(), |wrapped| Some(wrapped));
    }
    let is_content = matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof | Other);
    is_content.then(|| (Rule::InputUnreadable, error.to_string()))
}

/// Bytes that may still be read, of all files of a deposit. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Limit {
    left_bytes: Rc<Cell<u64>>,
    bytes_max: u64,
}

impl Limit {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { left_bytes: Rc::new(Cell::new(bytes_max)), bytes_max }
    }

    /// Reads what `from` has, and counts it.
    pub(super) fn of<R: Read>(&self, from: R) -> Limited<R> {
        Limited { from, limit: self.clone() }
    }

    /// Counts `bytes` that are about to be there.
    ///
    /// # Errors
    ///
    /// They would be more than there may be.
    pub(super) fn take(&self, bytes: u64) -> io::Result<()> {
        match self.left_bytes.get().checked_sub(bytes) {
            Some(left_bytes) => {
                self.left_bytes.set(left_bytes);
                Ok(())
            }
            None => {
                let got = format!("its files have more than {} bytes, unpacked", self.bytes_max);
                Err(Beyond::error(Rule::InputTooLarge, got))
            }
        }
    }
}

/// A file that counts against a limit.
pub(super) struct Limited<R> {
    from: R,
    limit: Limit,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(out)?;
        self.limit.take(u64::try_from(count).unwrap_or(u64::MAX))?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_of_a_deposit_count_together() {
        let limit = Limit::new(5 << 20);
        let copy = |bytes: u64| {
            io::copy(&mut limit.clone().of(io::repeat(1).take(bytes)), &mut io::sink())
        };
        copy(2 << 20).unwrap();
        copy(3 << 20).unwrap();
        let refused = copy(1).unwrap_err();
        assert!(
            refused.to_string().starts_with("its files have more than 5242880 bytes, unpacked")
        );
        let rule = |error: &io::Error| refusal(error).map(|(rule, _)| rule);
        assert_eq!(rule(&refused), Some(Rule::InputTooLarge));
        let wrapped = io::Error::other(io::Error::other(refused));
        assert_eq!(rule(&wrapped), Some(Rule::InputTooLarge));
        assert_eq!(rule(&beyond("names")), Some(Rule::InputBounds));
        assert_eq!(rule(&io::ErrorKind::UnexpectedEof.into()), Some(Rule::InputUnreadable));
        assert_eq!(rule(&io::ErrorKind::PermissionDenied.into()), None);
    }
}

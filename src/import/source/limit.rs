//! How much a deposit may have, unpacked: a small file may hold a thousand times as much.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

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
            None => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "its files have more than {} bytes, unpacked; permit more if it is a deposit \
                     all the same (updater.deposit_bytes_max, or --unpacked-max)",
                    self.bytes_max
                ),
            )),
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
    }
}

//! Compares the blocks of a snapshot with their checksums: all at once, or one after another.
//!
//! # Invariants
//!
//! - The header names the hash of the table of checksums, the table the hash of every block before
//!   it: whatever byte changes, one of them differs.
//!
//! # Does not
//!
//! Know what the bytes mean: what was wrong when the file was written, [`crate::verify`] finds.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use twox_hash::XxHash3_64;

use crate::error::FormatError;
use crate::layout::{BLOCK_BYTES, SectionId, word64};
use crate::limits::HEADER_BYTES;
use crate::reader::Snapshot;

impl<D: AsRef<[u8]>> Snapshot<D> {
    /// Compares all block checksums, on as many threads as the process may use: as fast as memory,
    /// or the disk, gives the bytes.
    ///
    /// # Errors
    ///
    /// [`FormatError::Block`] names the first damaged block.
    pub fn check_sums(&self) -> Result<(), FormatError> {
        let sums = Sums::of(self)?;
        // Each thread takes the next block, so that a slow one holds nobody up. Numbers ascend: the
        // first damaged block is the smallest of those that the threads found.
        let next = AtomicUsize::new(0);
        let first_damaged = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if !sums.is_whole(number)? {
                    return Some(number);
                }
            }
        };
        let more = thread::available_parallelism().map_or(0, |all| all.get().saturating_sub(1));
        let damaged = thread::scope(|scope| {
            let start = || thread::Builder::new().spawn_scoped(scope, first_damaged).ok();
            // The threads run while this one works too, and does everything if there are none.
            let others: Vec<_> =
                (0..more.min(sums.block_count() / 8)).filter_map(|_| start()).collect();
            let own = first_damaged();
            let join = |other: thread::ScopedJoinHandle<'_, _>| {
                other.join().unwrap_or_else(|panic| resume_unwind(panic))
            };
            let found = others.into_iter().filter_map(join);
            found.chain(own).min()
        });
        if let Some(number) = damaged {
            return Err(sums.damaged(number));
        }
        self.is_checked.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Compares all block checksums, one after another on this thread, as long as `go_on` says so
    /// (asked before each block of 2 MiB). Returns how many blocks there are, or `None` if `go_on`
    /// ended it before the last one.
    ///
    /// # Errors
    ///
    /// [`FormatError::Block`] names the first damaged block.
    pub fn check_sums_while(&self, go_on: &dyn Fn() -> bool) -> Result<Option<usize>, FormatError> {
        let sums = Sums::of(self)?;
        let mut number = 0_usize;
        while let Some(whole) = sums.is_whole(number) {
            if !whole {
                return Err(sums.damaged(number));
            }
            if !go_on() {
                return Ok(None);
            }
            number = number.saturating_add(1);
        }
        self.is_checked.store(true, Ordering::Relaxed);
        Ok(Some(number))
    }

    /// As [`Self::check_sums_while`], unless they were compared already since this was opened:
    /// before something new is made of the bytes, which would give damage checksums that are right.
    /// Reads the file once, in order, on this thread. Returns whether all were compared.
    ///
    /// # Errors
    ///
    /// See [`Self::check_sums`].
    pub fn check_sums_once(&self, go_on: &dyn Fn() -> bool) -> Result<bool, FormatError> {
        if self.is_checked.load(Ordering::Relaxed) {
            return Ok(true);
        }
        self.check_sums_while(go_on).map(|compared| compared.is_some())
    }
}

/// The blocks of a snapshot, and the table of their checksums.
struct Sums<'a> {
    blocks: &'a [u8],
    table: &'a [u8],
}

impl<'a> Sums<'a> {
    /// Checks the table itself.
    fn of<D: AsRef<[u8]>>(snapshot: &'a Snapshot<D>) -> Result<Self, FormatError> {
        let table = snapshot.section(SectionId::Sums);
        let section = snapshot.header().section(SectionId::Sums);
        if XxHash3_64::oneshot(table) != snapshot.header().sums_hash {
            let to = section.offset.saturating_add(section.bytes);
            return Err(FormatError::Block { from: section.offset, to });
        }
        let end = usize::try_from(section.offset).ok();
        match end.and_then(|end| snapshot.data().as_ref().get(..end)) {
            Some(blocks) => Ok(Self { blocks, table }),
            None => Err(FormatError::Length {
                expected: section.offset,
                got: snapshot.header().file_bytes,
            }),
        }
    }

    fn block_count(&self) -> usize {
        self.blocks.len().div_ceil(BLOCK_BYTES)
    }

    /// `None` after the last block; empty blocks have no checksum.
    fn block(&self, number: usize) -> Option<&'a [u8]> {
        let rest = self.blocks.get(number.saturating_mul(BLOCK_BYTES)..)?;
        let block = rest.get(..BLOCK_BYTES).unwrap_or(rest);
        (!block.is_empty()).then_some(block)
    }

    /// Whether a block is as it was written; `None` after the last one.
    fn is_whole(&self, number: usize) -> Option<bool> {
        // The header has a checksum of its own: it is written last.
        let skip = if number == 0 { HEADER_BYTES } else { 0 };
        let sum = XxHash3_64::oneshot(self.block(number)?.get(skip..).unwrap_or_default());
        Some(sum == word64(self.table, number.saturating_mul(8)))
    }

    fn damaged(&self, number: usize) -> FormatError {
        let from = number.saturating_mul(BLOCK_BYTES);
        let bytes = self.block(number).map_or(0, <[u8]>::len);
        FormatError::Block { from: from as u64, to: from.saturating_add(bytes) as u64 }
    }
}

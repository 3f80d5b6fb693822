//! Sorting more than memory holds: runs sorted in memory, spilled to scratch files, merged.
//!
//! [`Sorter`] sorts byte records by key (deposits, samples); [`HashSorter`] sorts 16-byte values
//! (index entries, reference tables). Both keep within the bytes that they are given and touch a
//! scratch file only when these do not suffice.
//!
//! # Does not
//!
//! Know where scratch files lie: a [`Scratch`] makes them.

mod hashes;
mod records;

use std::io::{self, Cursor, Read, Seek, Write};

pub use hashes::{HashSorter, SortedHashes};
pub use records::{Sorted, Sorter};

/// A file for intermediate data.
pub trait ScratchFile: Read + Write + Seek {}

impl<T: Read + Write + Seek> ScratchFile for T {}

/// Makes anonymous scratch files.
pub trait Scratch {
    /// A new, empty file that vanishes when it is dropped.
    ///
    /// # Errors
    ///
    /// Whatever making the file reports.
    fn create(&self) -> io::Result<Box<dyn ScratchFile>>;
}

/// Scratch "files" in memory: for tests and small inputs.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemoryScratch;

impl Scratch for MemoryScratch {
    fn create(&self) -> io::Result<Box<dyn ScratchFile>> {
        Ok(Box::new(Cursor::new(Vec::new())))
    }
}

/// Smallest read buffer of a run during a merge, bytes.
const RUN_BUFFER_BYTES_MIN: usize = 64 << 10;
/// Largest read buffer of a run during a merge, bytes: beyond it reads gain nothing.
const RUN_BUFFER_BYTES_MAX: usize = 4 << 20;

/// Read buffer for each of `runs` runs, so that all of them keep within `memory_bytes`.
fn run_buffer_bytes(memory_bytes: usize, runs: usize) -> usize {
    (memory_bytes / runs.max(1)).clamp(RUN_BUFFER_BYTES_MIN, RUN_BUFFER_BYTES_MAX)
}

//! The bytes of a snapshot: a read-only mapping of its file, or owned bytes in tests and tools. And
//! those of a log of changes, which another process may be writing further on.
//!
//! # Invariants
//!
//! - `mapped`: the mapping covers a regular file that was complete when it was opened; it lives as
//!   long as this value.
//! - `written once`: a log has its length from the start; bytes of it are lent out where a frame
//!   was found, and nobody writes other bytes there again.
//! - `immutable`: nobody writes or truncates a snapshot file after its rename (`store` never opens
//!   one for writing).
//!
//! # Does not
//!
//! Know what the bytes mean.

use std::fs::File;
use std::io;
use std::num::NonZero;
use std::ops::Range;
use std::path::Path;
use std::thread;

use rustix::io::{ReadWriteFlags, preadv2};
use snapshot_format::delta::Heap;

/// Bytes of a snapshot file.
#[derive(Debug)]
pub enum Bytes {
    /// A file, and its mapping.
    Mapped(File, memmap2::Mmap),
    /// Bytes in memory.
    Owned(Vec<u8>),
}

impl Bytes {
    /// Maps the file at `path`, read-only. Costs microseconds, reads nothing yet.
    ///
    /// # Errors
    ///
    /// Whatever opening or mapping reports.
    pub fn map(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the mapping is read-only and private to this value (`mapped`).
        // - Nothing of ours writes the file: `store` renames it into place complete and never
        //   opens it for writing again (`immutable`).
        // - Another process could truncate it and raise SIGBUS: deploy/README.md makes the
        //   directory writable by the importing user alone. This is assumed, not proved.
        #[expect(unsafe_code, reason = "mapping a file is unsafe by nature; this is its one place")]
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Self::Mapped(file, map))
    }

    /// Whether the page cache holds the file, by a byte of each 2 MiB: the kernel
    /// takes in and lets go of more than single pages. Costs about a microsecond each.
    #[must_use]
    pub fn is_cached(&self) -> bool {
        let Self::Mapped(file, map) = self else { return true };
        let mut byte = [0];
        let mut is_there = |at: usize| {
            let bytes = &mut [io::IoSliceMut::new(&mut byte)];
            // Without `NOWAIT` support every file counts as not cached.
            preadv2(file, bytes, at as u64, ReadWriteFlags::NOWAIT).is_ok_and(|read| read == 1)
        };
        (0..map.len()).step_by(PART_UNIT_BYTES).all(&mut is_there)
    }

    /// Asks the kernel to read the whole mapping in now, so that queries find it in memory.
    /// Where the kernel cannot, queries fault pages in one by one.
    pub fn populate(&self) {
        if let Self::Mapped(_, map) = self {
            let threads = thread::available_parallelism().map_or(1, NonZero::get);
            let part = map.len().div_ceil(threads).max(1).next_multiple_of(PART_UNIT_BYTES);
            thread::scope(|scope| {
                for start in (0..map.len()).step_by(part) {
                    let bytes = part.min(map.len() - start);
                    // A hint: a kernel older than 5.14 refuses it, and nothing depends on it.
                    let ask = move || {
                        let _ = map.advise_range(memmap2::Advice::PopulateRead, start, bytes);
                    };
                    let _ = thread::Builder::new().spawn_scoped(scope, ask);
                }
            });
        }
    }
}

/// A thread populates a multiple of it: no two threads fill one page of a page table.
const PART_UNIT_BYTES: usize = 2 << 20;

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Mapped(_, map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// Bytes of a log of changes.
#[derive(Debug)]
pub struct LogBytes {
    file: File,
    map: memmap2::MmapRaw,
}

impl LogBytes {
    /// Maps the log at `path`, read-only. Costs microseconds.
    ///
    /// # Errors
    ///
    /// Whatever opening or mapping reports.
    pub fn map(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let map = memmap2::MmapOptions::new().map_raw_read_only(&file)?;
        Ok(Self { file, map })
    }

    /// The file, to copy out what may still change.
    #[must_use]
    pub const fn file(&self) -> &File {
        &self.file
    }
}

impl Heap for LogBytes {
    #[inline]
    fn bytes(&self, range: Range<usize>) -> Option<&[u8]> {
        if range.start > range.end || range.end > self.map.len() {
            return None;
        }
        let length = range.end.wrapping_sub(range.start);
        // SAFETY: `start` lies within the mapping, which is one allocation and lives as long as
        // `self`.
        #[expect(unsafe_code, reason = "a raw mapping lends no slices: parts of it change")]
        let start = unsafe { self.map.as_ptr().add(range.start) };
        // SAFETY: the range lies within the mapping, as checked above, and is initialised: file
        // bytes are.
        // - The caller has found a frame there (`Heap`), and nobody writes where a frame is
        //   (`written once`; `store` appends after the last one). So these bytes do not change
        //   while they are lent, though others of the mapping may.
        // - The file never shrinks: `store` makes it with its length. Another process could
        //   truncate it: see `Bytes::map`.
        #[expect(unsafe_code, reason = "the slice is of bytes that stay")]
        Some(unsafe { std::slice::from_raw_parts(start, length) })
    }
}

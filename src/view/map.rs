//! The bytes of a snapshot: a read-only mapping of its file, or owned bytes in tests and tools.
//!
//! # Invariants
//!
//! - `mapped`: the mapping covers a regular file that was complete when it was opened; it lives as
//!   long as this value.
//! - `immutable`: nobody writes or truncates a snapshot file after its rename (`store` never opens
//!   one for writing).
//!
//! # Does not
//!
//! Know what the bytes mean.

use std::fs::File;
use std::io;
use std::path::Path;

/// Bytes of a snapshot file.
#[derive(Debug)]
pub enum Bytes {
    /// A file mapping.
    Mapped(memmap2::Mmap),
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
        Ok(Self::Mapped(map))
    }

    /// Asks the kernel to read the whole mapping in now, so that queries find it in memory.
    /// Where the kernel cannot, queries fault pages in one by one.
    pub fn populate(&self) {
        if let Self::Mapped(map) = self {
            // A hint: a kernel older than 5.14 refuses it, and nothing depends on it.
            let _ = map.advise(memmap2::Advice::PopulateRead);
        }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}

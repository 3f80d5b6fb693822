//! An immutable generation in memory: what queries are answered from.
//!
//! # Invariants
//!
//! - `immutable`: a view never changes; a new generation is a new view.
//! - `one generation`: base, generation number and time belong together: the manifest's hash ties
//!   them.
//!
//! # Does not
//!
//! Know queries or sockets.

mod map;
mod registrar;

use std::fs;
use std::io;
use std::path::Path;

use snapshot_format::{FormatError, Snapshot};

pub use map::Bytes;
pub use registrar::Registrar;

use crate::store::{Directory, StoreError};

/// How often opening starts over when a writer replaces the generation at the same moment.
const OPEN_TRIES_MAX: usize = 5;

/// One generation.
#[derive(Debug)]
pub struct View {
    base: Snapshot<Bytes>,
    /// What every answer needs, taken out of the records once: registrars are few, and checking
    /// their records in each answer would cost as much as writing a tenth of it.
    registrars: Box<[Registrar]>,
    /// Served suffixes, sorted.
    suffixes: Box<[Box<str>]>,
}

impl View {
    /// Opens the current generation of the snapshot directory at `path`, or, if `path` is a file,
    /// that snapshot. Costs microseconds: reads little more than the header.
    ///
    /// # Errors
    ///
    /// No generation, a damaged manifest or header, or a base that is not the manifest's.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
            return Self::open_file(path);
        }
        let directory = Directory::new(path);
        let mut tries = 1;
        loop {
            match Self::open_current(&directory) {
                // The base vanished between reading the manifest and opening it: a writer has
                // published the next one.
                Err(StoreError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound && tries < OPEN_TRIES_MAX =>
                {
                    tries += 1;
                }
                result => return result,
            }
        }
    }

    fn open_current(directory: &Directory) -> Result<Self, StoreError> {
        let Some(manifest) = directory.manifest()? else {
            return Err(StoreError::Empty { path: directory.path().to_owned() });
        };
        let path = directory.base_path(&manifest);
        let view = Self::open_file(&path)?;
        let header = view.base.header();
        for (what, got, expected) in [
            ("the generation", header.generation, manifest.generation),
            ("the checksum", header.sums_hash, manifest.base_sums_hash),
        ] {
            if got != expected {
                return Err(StoreError::Mismatch { path, what, got, expected });
            }
        }
        Ok(view)
    }

    fn open_file(path: &Path) -> Result<Self, StoreError> {
        let bytes = Bytes::map(path).map_err(|source| StoreError::Io {
            path: path.to_owned(),
            what: "open it",
            source,
        })?;
        Self::of(bytes).map_err(|source| StoreError::Format { path: path.to_owned(), source })
    }

    fn of(bytes: Bytes) -> Result<Self, FormatError> {
        let base = Snapshot::open(bytes)?;
        let registrars = registrar::all(&base)?;
        let suffixes = base.meta()?.suffixes.iter().map(|suffix| suffix.as_str().into());
        let mut suffixes: Box<[Box<str>]> = suffixes.collect();
        suffixes.sort_unstable();
        Ok(Self { base, registrars, suffixes })
    }

    /// A view over a snapshot in memory: for tests and tools.
    ///
    /// # Errors
    ///
    /// Not a snapshot, or a damaged one.
    pub fn of_bytes(bytes: Vec<u8>) -> Result<Self, FormatError> {
        Self::of(Bytes::Owned(bytes))
    }

    /// Loads the whole generation into memory and compares its checksums, so that the first
    /// queries are fast and no damaged byte is ever shown. Takes as long as reading the file, or,
    /// where the page cache has it, its memory; on as many threads as the process may use.
    ///
    /// # Errors
    ///
    /// A damaged block.
    pub fn prepare(&self) -> Result<(), FormatError> {
        self.base.data().populate();
        self.base.check_sums()
    }

    /// Reads what the page cache does not hold, so that no query waits for the disk. Takes
    /// milliseconds where it holds everything, otherwise as long as reading the file.
    pub fn load(&self) {
        if !self.base.data().is_cached() {
            self.base.data().populate();
        }
    }

    /// Compares the checksums on this thread alone and as long as `go_on` says so, while queries
    /// are answered: each record is checked against its type, but a changed letter is
    /// shown until its block is reached. Returns how many blocks were compared, or `None` if it
    /// was told to end.
    ///
    /// # Errors
    ///
    /// A damaged block.
    pub fn check_behind(&self, go_on: &dyn Fn() -> bool) -> Result<Option<usize>, FormatError> {
        self.base.check_sums_while(go_on)
    }

    /// The records and indexes.
    #[must_use]
    pub const fn base(&self) -> &Snapshot<Bytes> {
        &self.base
    }

    /// The registrar with this ordinal; `None` for [`snapshot_format::record::NONE`].
    #[must_use]
    pub fn registrar(&self, ordinal: u32) -> Option<&Registrar> {
        self.registrars.get(usize::try_from(ordinal).ok()?)
    }

    /// The suffixes under which names are served, sorted; none if the snapshot names none.
    #[must_use]
    pub fn suffixes(&self) -> &[Box<str>] {
        &self.suffixes
    }

    /// Number of the generation.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.base.header().generation
    }

    /// Time of the data, ms since the Unix epoch.
    #[must_use]
    pub const fn as_of_ms(&self) -> i64 {
        self.base.header().watermark_ms
    }
}

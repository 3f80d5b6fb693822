//! An immutable generation in memory: what queries are answered from.
//!
//! # Invariants
//!
//! - `immutable`: a view never changes; a new generation is a new view.
//! - `one generation`: base, log, generation number and time belong together: the manifest's hash
//!   and the log's frames tie them.
//!
//! # Does not
//!
//! Know queries or sockets.

mod disk;
mod map;
mod registrar;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use snapshot_format::delta::{Generation, State};
use snapshot_format::{FormatError, Kind, Snapshot};

pub use disk::Disk;
pub use map::{Bytes, LogBytes};
pub use registrar::{Registrar, RegistrarName, RegistrarNames};

use crate::store::{Reader, StoreError};

/// Data of a generation, and what finds them.
pub type Data = Generation<Bytes, LogBytes>;

/// One generation.
#[derive(Debug)]
pub struct View {
    data: Arc<Data>,
    /// What every answer needs, taken out of the records once: registrars are few, and checking
    /// their records in each answer would cost as much as writing a tenth of it.
    registrars: Arc<[Option<Registrar>]>,
    /// The same by name, for queries about them.
    registrar_names: Arc<RegistrarNames>,
}

impl View {
    /// Opens the current generation of the snapshot directory at `path`, or, if `path` is a file,
    /// that snapshot. Costs microseconds: reads little more than the header, and the log.
    ///
    /// # Errors
    ///
    /// No generation, a damaged manifest or header, or a file that is not the manifest's.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
            return Self::open_file(path);
        }
        let reader = Reader::open(Disk::new(path))?;
        Self::of(Arc::clone(reader.generation()), None)
            .map_err(|source| StoreError::Format { path: path.to_owned(), source })
    }

    fn open_file(path: &Path) -> Result<Self, StoreError> {
        let bytes = Bytes::map(path).map_err(|source| StoreError::Io {
            path: path.to_owned(),
            what: "open it",
            source,
        })?;
        Self::of_base(bytes).map_err(|source| StoreError::Format { path: path.to_owned(), source })
    }

    fn of_base(bytes: Bytes) -> Result<Self, FormatError> {
        let base = Arc::new(Snapshot::open(bytes)?);
        Self::of(Arc::new(Generation::of_base(base)?), None)
    }

    /// The view of a generation; what did not change since the view `before` is shared with it.
    ///
    /// # Errors
    ///
    /// A damaged registrar, or base.
    pub fn of(data: Arc<Data>, before: Option<&Self>) -> Result<Self, FormatError> {
        let same_base = |view: &&Self| Arc::ptr_eq(view.data.base(), data.base());
        let before = before.filter(same_base);
        let same_registrars =
            |view: &&Self| view.data.changes(Kind::Registrar) == data.changes(Kind::Registrar);
        let (registrars, registrar_names) = match before.filter(same_registrars) {
            Some(before) => (Arc::clone(&before.registrars), Arc::clone(&before.registrar_names)),
            None => {
                let registrars = registrar::all(&data)?;
                let names = Arc::new(RegistrarNames::of(&registrars));
                (registrars, names)
            }
        };
        Ok(Self { data, registrars, registrar_names })
    }

    /// A view over a snapshot in memory: for tests and tools.
    ///
    /// # Errors
    ///
    /// Not a snapshot, or a damaged one.
    pub fn of_bytes(bytes: Vec<u8>) -> Result<Self, FormatError> {
        Self::of_base(Bytes::Owned(bytes))
    }

    /// Loads the whole generation into memory and compares its checksums, so that the first
    /// queries are fast and no damaged byte is ever shown. Takes as long as reading the file, or,
    /// where the page cache has it, its memory; on as many threads as the process may use.
    ///
    /// # Errors
    ///
    /// A damaged block.
    pub fn prepare(&self) -> Result<(), FormatError> {
        self.data.base().data().populate();
        self.data.base().check_sums()
    }

    /// Reads what the page cache does not hold, so that no query waits for the disk. Takes
    /// milliseconds where it holds everything, otherwise as long as reading the file.
    pub fn load(&self) {
        if !self.data.base().data().is_cached() {
            self.data.base().data().populate();
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
        self.data.base().check_sums_while(go_on)
    }

    /// The records and indexes.
    #[must_use]
    #[inline]
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// As [`Self::data`], for who makes another view of it.
    #[must_use]
    pub const fn shared(&self) -> &Arc<Data> {
        &self.data
    }

    /// The base alone, without changes: for who measures or proves it.
    #[must_use]
    pub fn base(&self) -> &Snapshot<Bytes> {
        self.data.base()
    }

    /// The registrar with this ordinal; `None` for [`snapshot_format::record::NONE`].
    #[must_use]
    pub fn registrar(&self, ordinal: u32) -> Option<&Registrar> {
        self.registrars.get(usize::try_from(ordinal).ok()?)?.as_ref()
    }

    /// The registrars by name.
    #[must_use]
    pub fn registrar_names(&self) -> &RegistrarNames {
        &self.registrar_names
    }

    /// The suffixes under which names are served, sorted; none if the snapshot names none. A change
    /// that brings a name brings its suffix.
    #[must_use]
    pub fn suffixes(&self) -> &[Box<str>] {
        self.data.suffixes()
    }

    /// Which state it is.
    #[must_use]
    pub fn state(&self) -> &State {
        self.data.state()
    }

    /// Number of the generation.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.state().generation
    }

    /// As of when the data are, ms since the Unix epoch: the commit time of the newest change, or
    /// of a later heartbeat, which says that nothing else changed up to its time.
    #[must_use]
    pub fn as_of_ms(&self) -> i64 {
        let state = self.state();
        state.committed_ms.max(state.heartbeat_ms)
    }
}

//! An immutable generation in memory, from which queries are answered.
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
mod weigh;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use snapshot_format::delta::{Generation, State};
use snapshot_format::dump::Utc;
use snapshot_format::{FormatError, Kind, Snapshot};

pub use disk::Disk;
pub use map::{Bytes, LogBytes};
pub use registrar::{Registrar, RegistrarName, RegistrarNames};
pub use weigh::{WeighError, weigh};

use crate::observe::clock;
use crate::store::{Reader, StoreError};

/// Data of a generation, and what finds them.
pub type Data = Generation<Bytes, LogBytes>;

/// One generation.
#[derive(Debug)]
pub struct View {
    data: Arc<Data>,
    /// Everything that every answer needs, taken out of the records once: registrars are few, and
    /// checking their records in each answer would cost as much as writing a tenth of it.
    registrars: Arc<[Option<Registrar>]>,
    /// The same by name, for queries about them.
    registrar_names: Arc<RegistrarNames>,
    times: Times,
}

/// Times of a generation as they are believed: one that lies ahead counts from when it was seen
/// first, since data of a clock that was ahead would look new until that time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    committed_ms: i64,
    heartbeat_ms: i64,
}

/// How far the clocks of two machines may differ without a warning.
const AHEAD_MAX_MS: i64 = 2_000;

/// A time as it is believed at `now_ms`.
#[must_use]
pub const fn believed(claimed_ms: i64, now_ms: i64) -> i64 {
    if claimed_ms > now_ms.saturating_add(AHEAD_MAX_MS) { now_ms } else { claimed_ms }
}

impl Times {
    fn of(state: &State, before: Option<&View>, now_ms: i64) -> Self {
        let one = |claimed_ms: i64, before: Option<(i64, i64)>| match before {
            Some((claimed_before_ms, believed_ms)) if claimed_before_ms == claimed_ms => {
                believed_ms
            }
            _ => believed(claimed_ms, now_ms),
        };
        let committed = before.map(|view| (view.state().committed_ms, view.times.committed_ms));
        let heartbeat = before.map(|view| (view.state().heartbeat_ms, view.times.heartbeat_ms));
        let times = Self {
            committed_ms: one(state.committed_ms, committed),
            heartbeat_ms: one(state.heartbeat_ms, heartbeat),
        };
        let is_known = committed.is_some_and(|(claimed_ms, _)| claimed_ms == state.committed_ms);
        if times.committed_ms != state.committed_ms && !is_known {
            tracing::warn!(
                newest_change = %Utc(state.committed_ms),
                "the newest change lies ahead of this machine's clock and counts as of now, so the \
                 age of the data is not known; set the clocks, then import a FULL deposit"
            );
        }
        times
    }
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

    /// The view of a generation; parts that did not change since the view `before` are shared with
    /// it.
    ///
    /// # Errors
    ///
    /// A damaged registrar, or base.
    pub fn of(data: Arc<Data>, before: Option<&Self>) -> Result<Self, FormatError> {
        let times = Times::of(data.state(), before, clock::wall_ms());
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
        Ok(Self { data, registrars, registrar_names, times })
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
    /// are answered: each record is checked against its type, but a changed letter is shown until
    /// its block is reached. Returns how many blocks were compared, or `None` if `go_on` ended it.
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

    /// As [`Self::data`], for making another view of it.
    #[must_use]
    pub const fn shared(&self) -> &Arc<Data> {
        &self.data
    }

    /// The base alone, without changes: for measuring or proving it.
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

    /// Whether one of these suffixes lies below a name.
    #[must_use]
    pub fn suffixes_lie_below(&self, name: &str) -> bool {
        self.data.suffixes_lie_below(name)
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
    /// of a later heartbeat, which says that nothing else changed up to its time. One that lies
    /// ahead is the time at which it was seen first.
    #[must_use]
    pub fn as_of_ms(&self) -> i64 {
        self.times.committed_ms.max(self.times.heartbeat_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_come_counts_from_when_it_was_seen_first() {
        const NOW_MS: i64 = 1_800_000_000_000;
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let fixture = root.join("snapshot-format/tests/fixtures/version-1.snapshot");
        let view = View::open(&fixture).unwrap();
        let state = |committed_ms| State { committed_ms, ..view.state().clone() };
        let past = Times::of(&state(NOW_MS - 5_000), None, NOW_MS);
        assert_eq!(past.committed_ms, NOW_MS - 5_000);
        let ahead = Times::of(&state(NOW_MS + 10_000_000), None, NOW_MS);
        assert_eq!((ahead.committed_ms, ahead.heartbeat_ms), (NOW_MS, past.heartbeat_ms));
    }
}

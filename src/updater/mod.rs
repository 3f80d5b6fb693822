//! The updater: takes batches of changes, puts them on the disk, and publishes what they make.
//!
//! # Invariants
//!
//! - `disk first`: a generation is published once its batch is synced, and acknowledged once it is
//!   published.
//! - `one generation`: what is published is one immutable view; a query reads one of them to its
//!   end.
//! - `retire here`: an old view is let go of by this thread, never by a shard: unmapping a base
//!   takes long.
//!
//! # Does not
//!
//! Know where changes come from, or what is answered.

mod arrival;
mod findings;
mod fold;
mod intake;
mod known;
mod thread;

use std::sync::Arc;

use arc_swap::ArcSwap;
use snapshot_format::delta::{self, DepositMark, Naming};
use snapshot_format::{Change, Kind};

use crate::feed::key::Trusted;
use crate::feed::nats::{Fetched, Wanted};
use crate::feed::objects::{ObjectError, Objects};
use crate::feed::{Applied, ApplyError, Body, ChangeRecord};
use crate::observe::clock;
use crate::store::{Files, Holds, Live, Permit, Permits, Stamp, StoreError};
use crate::view::{Data, Disk, View};

pub use findings::{FINDINGS, FINDINGS_ENDING};
pub use fold::Policy;
pub use intake::{Serials, check_serials};
pub use known::{Vetted, Vetting, vet};
pub use thread::{Handle, Job, follow, start};

/// The view that the shards serve.
pub type Views = Arc<ArcSwap<View>>;

/// What the updater keeps to.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// When a fold begins, and how fast it writes.
    pub fold: Policy,
    /// Memory for reading deposits and for folds, bytes.
    pub memory_bytes: u64,
    /// A deposit of the spool with more findings is refused.
    pub findings_max: u64,
    /// A deposit of the spool with more bytes, unpacked, is refused.
    pub deposit_bytes_max: u64,
}

/// Memory without a setting, bytes.
pub const MEMORY_BYTES: u64 = 1 << 30;
/// Bytes of a deposit of the spool without a setting: ten times what fits into that memory.
pub const DEPOSIT_BYTES_MAX: u64 = 16 << 30;

/// Most findings of a deposit that are ever counted: a bound that none reaches.
pub const FINDINGS_MAX: u64 = 1 << 40;

impl Default for Settings {
    fn default() -> Self {
        Self {
            fold: Policy::default(),
            memory_bytes: MEMORY_BYTES,
            findings_max: FINDINGS_MAX,
            deposit_bytes_max: DEPOSIT_BYTES_MAX,
        }
    }
}

impl Settings {
    fn memory(&self) -> usize {
        usize::try_from(self.memory_bytes).unwrap_or(usize::MAX)
    }

    /// Memory of the records of a batch, bytes: what they are encoded into takes about as much, and
    /// the next batch is gathered meanwhile.
    #[must_use]
    pub fn batch_bytes_max(&self) -> usize {
        self.memory() / 4
    }
}

/// Where newer generations are fetched from.
#[derive(Debug)]
pub struct Fetcher {
    /// The object store.
    pub objects: Objects,
    /// The keys of which one must have signed.
    pub trusted: Trusted,
}

/// Owner of the directory's writer.
#[derive(Debug)]
pub struct Updater {
    live: Live<Disk>,
    views: Views,
    settings: Settings,
    /// How many domains name each nameserver, once it was needed.
    naming: Naming,
    /// Views that a shard may still hold.
    retired: Vec<Arc<View>>,
    fold: Option<fold::Running>,
    fetcher: Option<Fetcher>,
    /// When the log that a fold would take up began, by the monotonic clock.
    folded_at: std::time::Instant,
    /// When the last fold failed.
    fold_failed_at: Option<std::time::Instant>,
    /// When commit times that lie ahead were last logged.
    arrival: arrival::Arrival,
}

impl Updater {
    /// Updates what `live` holds and `views` shows.
    #[must_use]
    pub fn new(live: Live<Disk>, views: Views, settings: Settings) -> Self {
        Self {
            live,
            views,
            settings,
            naming: Naming::default(),
            retired: Vec::new(),
            fold: None,
            fetcher: None,
            folded_at: clock::monotonic(),
            fold_failed_at: None,
            arrival: arrival::Arrival::default(),
        }
    }

    /// Fetches newer generations by `fetcher` when a feed asks for one.
    #[must_use]
    pub fn with_fetcher(mut self, fetcher: Option<Fetcher>) -> Self {
        self.fetcher = fetcher;
        self
    }

    /// What it keeps to.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The current generation.
    #[must_use]
    pub const fn generation(&self) -> &Arc<Data> {
        self.live.generation()
    }

    /// Takes records in: see [`crate::feed::Apply::apply`].
    ///
    /// # Errors
    ///
    /// See there.
    pub fn apply(&mut self, records: &[ChangeRecord]) -> Result<Applied, ApplyError> {
        let state = self.generation().state().clone();
        let serials = check_serials(state.serial, records)?;
        let new = records.get(serials.first_new..).unwrap_or_default();
        let Some(last) = new.last() else {
            // It may be on the disk and not have been shown.
            if self.views.load().generation() != state.generation {
                self.publish().map_err(|error| store_error(&error))?;
            }
            return Ok(self.applied(0));
        };
        let changes: Vec<&Change> = new
            .iter()
            .filter_map(|record| match &record.body {
                Body::Change(change) => Some(&**change),
                Body::Heartbeat => None,
            })
            .collect();
        let committed = |record: &ChangeRecord| {
            matches!(record.body, Body::Change(_)).then_some(record.committed_ms)
        };
        let committed_ms = new.iter().filter_map(committed).max().unwrap_or(i64::MIN);
        let heartbeat_ms = new.iter().map(|record| record.committed_ms).max();
        let now = (clock::wall_ms(), clock::monotonic());
        let mut believe = |claimed_ms| self.arrival.believe(claimed_ms, last.serial, now);
        let (committed_ms, heartbeat_ms) =
            (believe(committed_ms), believe(heartbeat_ms.unwrap_or(i64::MIN)));
        // A time that was believed before may lie ahead as well: of an older version, of a deposit,
        // or of a clock that has been set back.
        let before = |ms| arrival::believed(ms, now.0);
        let stamp = Stamp {
            serial: last.serial,
            committed_ms: committed_ms.max(before(state.committed_ms)),
            heartbeat_ms: heartbeat_ms.max(before(state.heartbeat_ms)),
        };
        self.commit(changes, stamp, None)?;
        Ok(self.applied(new.len() as u64))
    }

    fn applied(&self, new_count: u64) -> Applied {
        let state = self.generation().state();
        Applied { serial: state.serial, generation: state.generation, new_count }
    }

    /// Encodes, appends and publishes a batch.
    fn commit<'c>(
        &mut self,
        changes: impl IntoIterator<Item = &'c Change>,
        stamp: Stamp,
        deposit: Option<&DepositMark>,
    ) -> Result<(), ApplyError> {
        let mut missing = 0_u64;
        let before = Arc::clone(self.generation());
        let naming = &mut self.naming;
        let encoded = delta::encode_with(&*before, changes, naming, &mut |_, _| missing += 1);
        let mut encoded = encoded.map_err(|error| ApplyError::Refused {
            serial: stamp.serial,
            problem: error.to_string(),
        })?;
        if let Some(mark) = deposit {
            encoded.push_deposit(mark);
        }
        if missing + u64::from(encoded.reserved_count) > 0 {
            tracing::warn!(
                serial = stamp.serial,
                left_out = missing,
                not_there_yet = encoded.reserved_count,
                "the batch refers to objects that are not there"
            );
        }
        let appended = self.live.append(&encoded, stamp).map_err(|error| match error {
            StoreError::Batch { .. } => {
                ApplyError::Refused { serial: stamp.serial, problem: error.to_string() }
            }
            other => store_error(&other),
        })?;
        self.naming.advance(before.state().generation, appended.state().generation);
        self.publish().map_err(|error| store_error(&error))
    }

    /// Shows the current generation.
    fn publish(&mut self) -> Result<(), StoreError> {
        let before = self.views.load_full();
        let path = || self.live.writer().files().path().to_owned();
        let view = View::of(Arc::clone(self.generation()), Some(&before))
            .map_err(|source| StoreError::Format { path: path(), source })?;
        if !Arc::ptr_eq(view.data().base(), before.data().base()) {
            // A new base: no shard may wait for the disk.
            view.load();
        }
        self.retired.push(self.views.swap(Arc::new(view)));
        self.retire();
        Ok(())
    }

    /// Lets go of views that nobody else holds any more.
    fn retire(&mut self) {
        self.retired.retain(|view| Arc::strong_count(view) > 1);
    }

    /// What is due without a batch: the end of a fold, the beginning of one, old views.
    fn tick(&mut self) {
        self.retire();
        self.end_fold();
        self.begin_fold();
    }

    /// Domains that are served.
    #[must_use]
    pub fn domain_count(&self) -> u32 {
        self.generation().count(Kind::Domain)
    }
}

impl Updater {
    /// Fetches a newer generation from an object store and shows it. The download is made on this
    /// thread: until it ends, no batch is applied. Nobody is asked: one without domains is refused
    /// where there are some, fewer or older ones are what the stream would have made.
    ///
    /// # Errors
    ///
    /// There is none that can be used, or the disk refuses; the current data are served on.
    pub fn fetch(&mut self, wanted: &Wanted) -> Result<Fetched, FetchError> {
        let Some(Fetcher { objects, trusted }) = &self.fetcher else {
            return Err(FetchError::NoObjects);
        };
        // Its base would be of a state that is about to go.
        self.fold = None;
        // The stream's source decides, as it would by its changes. Two are refused: a registry
        // without domains, which nobody means to serve, and the same serial with an older time,
        // since nothing in a stream goes back so.
        let there = Arc::clone(self.live.generation());
        let mut vet = |made: &Data| {
            let mut named = vec![Permit::Fewer];
            if made.state().serial > there.state().serial {
                named.push(Permit::Older);
            }
            let permits = Permits { named, ..Permits::default() };
            let holds =
                |data: &Data| Holds::of(data.state(), data.count(Kind::Domain).into(), i64::MAX);
            permits.check(holds(&there), holds(made)).map_err(|problem| {
                format!("{problem}, of `whoisd fetch-snapshot`, with the server stopped").into()
            })
        };
        let arrived =
            objects.fetch(wanted, trusted, self.live.writer(), &mut vet, &mut |_, _| true)?;
        self.live.reload().and_then(|()| self.publish())?;
        let serial = self.generation().state().serial;
        tracing::info!(serial, why = wanted.why, "a newer snapshot was fetched");
        Ok(Fetched { serial, source: arrived.object.source })
    }
}

/// Why no newer generation was fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No object store is set.
    #[error("no object store is set (feed.nats.objects)")]
    NoObjects,
    /// The object store has none that can be used.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// It cannot be shown.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The updater's thread has ended.
    #[error("the updater has ended")]
    Ended,
}

fn store_error(error: &StoreError) -> ApplyError {
    ApplyError::Store { problem: error.to_string() }
}

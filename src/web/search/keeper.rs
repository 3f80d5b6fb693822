//! Builds the index, keeps it up with the generations, and builds it anew when it has to be.
//!
//! ```text
//! lock ─▶ none, another version or history, damage ─▶ build ─▶ follow ─▶ a state for searches
//!                          ▲                                     │
//!                          └─────────── does not read ◀──────────┘
//! ```
//!
//! # Invariants
//!
//! - `one keeper`: nothing in the folder is read, written or removed without the lock, which is
//!   held until the keeper ends. At an upgrade the process before may still run.
//! - `whole or nothing`: a state that searches see has everything up to its mark.
//! - `beside`: its threads have the least weight that the kernel gives; no query waits for them.
//!
//! # Does not
//!
//! Search.

use std::cell::Cell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use arc_swap::{ArcSwap, ArcSwapOption};
use snapshot_format::record::{ArchivedContact, ArchivedDomain};
use snapshot_format::{Corrupt, FormatError, Kind};
use tantivy::directory::MmapDirectory;
use tantivy::directory::error::{LockError, OpenDirectoryError};
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyError};
use whoisd::observe::{IndexFigures, clock};
use whoisd::serving::folder::may_write_into;
use whoisd::view::{Data, View};

use super::backoff::Backoff;
use super::checksums;
use super::lock::Lock;
use super::reading::Reading;
use super::schema::{Fields, Mark, schema, settings};

/// The folder of the index in the one that is configured.
const FOLDER: &str = "rdap-index";
/// How often it is looked whether there is a newer generation.
const LOOK: Duration = Duration::from_millis(200);
/// How often a build says how far it is.
const TELL: Duration = Duration::from_secs(10);
/// How often it is looked whether the process that keeps the index has ended.
const LOOK_AT_LOCK: Duration = Duration::from_secs(1);
/// Memory of the writer that follows, bytes: the least that tantivy takes.
const FOLLOWING_BYTES: usize = 16_000_000;
/// Records between two looks at the stop.
const STEP: u32 = 1_024;

/// What the threads of searches and the keeper have in common.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// What searches ask; none while the index is being built.
    pub(crate) reading: ArcSwapOption<Reading>,
    pub(crate) figures: Arc<IndexFigures>,
    stop: AtomicBool,
}

/// How the index is built.
#[derive(Debug, Clone)]
pub(crate) struct Building {
    pub(crate) folder: PathBuf,
    /// Threads that write.
    pub(crate) threads: usize,
    /// Memory of them all, bytes.
    pub(crate) memory_bytes: usize,
}

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("{}: {source}", .path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("{}: it cannot be removed: {source}", .path.display())]
    Removal { path: PathBuf, source: io::Error },
    #[error("{}: it is not as it was written", .path.display())]
    Damaged { path: PathBuf },
    #[error(transparent)]
    Library(#[from] TantivyError),
    #[error(transparent)]
    Directory(#[from] OpenDirectoryError),
    #[error("the snapshot: {0}")]
    Record(#[from] Corrupt),
    #[error("the log of changes: {0}")]
    Log(#[from] FormatError),
    #[error("the index does not read")]
    Broken,
}

/// How keeping went on.
enum Kept {
    /// The server stops.
    Stopped,
    /// This has to be built anew.
    Anew(&'static str),
}

/// Keeps the index until the server stops.
pub(super) fn keep(building: &Building, views: &ArcSwap<View>, state: &State) {
    let folder = building.folder.join(FOLDER);
    let (shown_at, has_built) = (Cell::new(None), Cell::new(false));
    let keeper = Keeper { folder, building, views, state, shown_at, has_built };
    let (mut lock, mut backoff) = (Lock::of(&building.folder), Backoff::default());
    while !keeper.stops() {
        let Err(error) = keeper.once(&mut lock) else { continue };
        let shown_for = keeper.shown_at.get().map_or(Duration::ZERO, |at| at.elapsed());
        let wait = backoff.next(shown_for, keeper.has_built.get());
        tracing::error!(
            %error,
            folder = %keeper.folder.display(),
            next_try_s = wait.as_secs(),
            "cannot keep the search index; the next try builds a new one"
        );
        if !error.leaves_index()
            && let Err(error) = keeper.wipe(&mut lock)
        {
            tracing::error!(%error, "the old search index is still there");
        }
        keeper.wait(wait);
    }
    state.reading.store(None);
}

impl KeepError {
    /// Whether the index stays: it has just refused to go, or a program without our lock writes it.
    fn leaves_index(&self) -> bool {
        let is_busy = |error: &TantivyError| {
            matches!(error, TantivyError::LockFailure(LockError::LockBusy, _))
        };
        match self {
            Self::Removal { .. } => true,
            Self::Library(error) => is_busy(error),
            _ => false,
        }
    }
}

impl State {
    /// Ends the keeper.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct Keeper<'a> {
    folder: PathBuf,
    building: &'a Building,
    views: &'a ArcSwap<View>,
    state: &'a State,
    /// Since when searches have the index of this try.
    shown_at: Cell<Option<Instant>>,
    /// Whether this try has begun to build.
    has_built: Cell<bool>,
}

impl Keeper<'_> {
    fn stops(&self) -> bool {
        self.state.stop.load(Ordering::Relaxed)
    }

    fn wait(&self, time: Duration) {
        let until = clock::monotonic().checked_add(time);
        while !self.stops() && until.is_some_and(|until| clock::monotonic() < until) {
            thread::sleep(LOOK);
        }
    }

    /// One try, which ends with the server, or with the index taken away for another one.
    fn once(&self, lock: &mut Lock) -> Result<(), KeepError> {
        self.shown_at.set(None);
        self.has_built.set(false);
        if !self.claim(lock)? {
            return Ok(());
        }
        // A damaged file may make the library panic.
        let kept = catch_unwind(AssertUnwindSafe(|| self.open()));
        if let Kept::Anew(why) = kept.unwrap_or(Err(KeepError::Broken))? {
            tracing::info!(why, "a new search index is needed");
            self.wipe(lock)?;
        }
        Ok(())
    }

    /// Waits until no other process keeps the index; `false` if the server stops first.
    fn claim(&self, lock: &mut Lock) -> Result<bool, KeepError> {
        let mut has_waited = false;
        while !self.take(lock)? {
            if self.stops() {
                return Ok(false);
            }
            if !has_waited {
                tracing::warn!(
                    folder = %self.folder.display(),
                    "another process keeps the search index; searches wait for it to end"
                );
            }
            has_waited = true;
            self.wait(LOOK_AT_LOCK);
        }
        if has_waited {
            tracing::info!("the other process has ended; this one keeps the search index");
        }
        Ok(true)
    }

    fn take(&self, lock: &mut Lock) -> Result<bool, KeepError> {
        let taken = lock.take();
        taken.map_err(|source| KeepError::Folder { path: lock.path().to_owned(), source })
    }

    /// Takes the index away: everything in it can be made again.
    fn wipe(&self, lock: &mut Lock) -> Result<(), KeepError> {
        self.state.reading.store(None);
        self.state.figures.generation.store(0, Ordering::Relaxed);
        // Somebody may have taken the lock's file away, and another process have made a new one.
        if !self.take(lock)? {
            return Ok(());
        }
        match fs::remove_dir_all(&self.folder) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(KeepError::Removal { path: self.folder.clone(), source })
            }
            _ => Ok(()),
        }
    }

    /// Opens the index, builds it if need be, and follows the changes.
    fn open(&self) -> Result<Kept, KeepError> {
        let failed = |source| KeepError::Folder { path: self.folder.clone(), source };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let (schema, fields) = schema();
        let directory = MmapDirectory::open(&self.folder)?;
        let opened = Index::builder().schema(schema).settings(settings()).open_or_create(directory);
        let index = match opened {
            Err(TantivyError::SchemaError(_)) => return Ok(Kept::Anew("it has another schema")),
            opened => opened?,
        };
        let writer = self.writer(&index, 1, FOLLOWING_BYTES)?;
        let payload = index.load_metas()?.payload;
        let mark = payload.as_deref().and_then(|text| text.parse::<Mark>().ok());
        let view = self.views.load_full();
        let goes_on = |mark: &Mark| view.data().entries_since(&mark.0, false, &mut |_| {});
        let has_mark = mark.as_ref().map(goes_on).transpose()?;
        drop(view);
        let (writer, mark) = match (mark, has_mark) {
            (Some(mark), Some(true)) => {
                if let Some(path) = checksums::damaged(&index, &|| !self.stops())? {
                    return Err(KeepError::Damaged { path: self.folder.join(path) });
                }
                (writer, mark)
            }
            (None, _) if payload.is_none() && index.searchable_segment_ids()?.is_empty() => {
                drop(writer);
                let Some(mark) = self.build(&index, fields)? else { return Ok(Kept::Stopped) };
                (self.writer(&index, 1, FOLLOWING_BYTES)?, mark)
            }
            (None, _) => return Ok(Kept::Anew("it has no mark of this version")),
            (Some(_), _) => return Ok(Kept::Anew("the snapshot does not go on from it")),
        };
        self.follow(&index, fields, writer, mark)
    }

    fn writer(
        &self,
        index: &Index,
        threads: usize,
        memory_bytes: usize,
    ) -> Result<IndexWriter, KeepError> {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(threads)
            .memory_budget_per_thread(memory_bytes)
            .num_merge_threads(1)
            .build();
        let writer = index.writer_with_options(options)?;
        let mut policy = LogMergePolicy::default();
        // Larger ones stay: a merge of all would write the whole index for a few changes.
        policy.set_max_docs_before_merge(5_000_000);
        policy.set_del_docs_ratio_before_merge(0.3);
        writer.set_merge_policy(Box::new(policy));
        Ok(writer)
    }

    /// Takes everything in; `None` if the server stops meanwhile.
    fn build(&self, index: &Index, fields: Fields) -> Result<Option<Mark>, KeepError> {
        self.has_built.set(true);
        let Building { threads, memory_bytes, .. } = *self.building;
        let each = (memory_bytes / threads.max(1)).max(FOLLOWING_BYTES);
        let mut writer = self.writer(index, threads, each)?;
        let view = self.views.load_full();
        let data = view.data();
        let figures = &self.state.figures;
        let wanted = [Kind::Domain, Kind::Contact].map(|kind| u64::from(data.count(kind)));
        figures.wanted.store(wanted.iter().sum(), Ordering::Relaxed);
        figures.taken.store(0, Ordering::Relaxed);
        figures.builds.fetch_add(1, Ordering::Relaxed);
        tracing::info!(
            domains = wanted[0],
            contacts = wanted[1],
            generation = view.generation(),
            "building the search index; searches wait for it, nothing else does"
        );
        let began = clock::monotonic();
        let mut step = Step { taken: 0, told: began, began };
        for record in data.domains("")? {
            if let Some(record) = record? {
                writer.add_document(fields.domain(record))?;
                if !self.go_on(&mut step) {
                    return Ok(None);
                }
            }
        }
        for ordinal in 0..data.ordinals_end(Kind::Contact) {
            if let Some(record) = data.record::<ArchivedContact>(ordinal)? {
                writer.add_document(fields.contact(ordinal, record))?;
                if !self.go_on(&mut step) {
                    return Ok(None);
                }
            }
        }
        figures.taken.store(step.taken, Ordering::Relaxed);
        let mark = Mark(data.position()?);
        commit(&mut writer, mark)?;
        writer.wait_merging_threads()?;
        let seconds = began.elapsed().as_secs_f64();
        tracing::info!(
            records = step.taken,
            seconds,
            per_s = step.taken as f64 / seconds.max(0.001),
            "the search index is built"
        );
        Ok(Some(mark))
    }

    /// Counts a record that a build has taken in; `false` if the server stops.
    fn go_on(&self, step: &mut Step) -> bool {
        step.taken = step.taken.saturating_add(1);
        if !step.taken.is_multiple_of(u64::from(STEP)) {
            return true;
        }
        let figures = &self.state.figures;
        figures.taken.store(step.taken, Ordering::Relaxed);
        if step.told.elapsed() >= TELL {
            step.told = clock::monotonic();
            let wanted = figures.wanted.load(Ordering::Relaxed);
            tracing::info!(
                taken = step.taken,
                wanted,
                seconds = step.began.elapsed().as_secs(),
                "building the search index"
            );
        }
        !self.stops()
    }

    /// Takes changes in as they come.
    fn follow(
        &self,
        index: &Index,
        fields: Fields,
        mut writer: IndexWriter,
        mut mark: Mark,
    ) -> Result<Kept, KeepError> {
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let broken = Arc::new(AtomicBool::new(false));
        self.show((&reader, &broken), fields, mark)?;
        self.shown_at.set(Some(clock::monotonic()));
        loop {
            if self.stops() {
                return Ok(Kept::Stopped);
            }
            if broken.load(Ordering::Relaxed) {
                return Err(KeepError::Broken);
            }
            let view = self.views.load_full();
            let position = view.data().position()?;
            if position == mark.0 {
                drop(view);
                thread::sleep(LOOK);
                continue;
            }
            let mut changed = Changed::default();
            // A base of the generation that was followed until now is a fold of it.
            let goes_on =
                view.data().entries_since(&mark.0, true, &mut |entry| match entry.kind {
                    Kind::Domain => drop(changed.domains.insert(entry.key.to_owned())),
                    Kind::Contact => drop(changed.contacts.insert(entry.ordinal)),
                    _ => {}
                })?;
            if !goes_on {
                return Ok(Kept::Anew("the snapshot was replaced"));
            }
            changed.take_in(view.data(), fields, &writer)?;
            drop(view);
            mark = Mark(position);
            commit(&mut writer, mark)?;
            self.show((&reader, &broken), fields, mark)?;
        }
    }

    /// Lets searches see what was committed; they note in `broken` what does not read.
    fn show(
        &self,
        (reader, broken): (&IndexReader, &Arc<AtomicBool>),
        fields: Fields,
        mark: Mark,
    ) -> Result<(), KeepError> {
        reader.reload()?;
        let reading = Reading::open(reader.searcher(), fields, Arc::clone(broken))?;
        self.state.reading.store(Some(Arc::new(reading)));
        self.state.figures.generation.store(mark.0.generation, Ordering::Relaxed);
        Ok(())
    }
}

/// How far a build is.
struct Step {
    taken: u64,
    told: Instant,
    began: Instant,
}

/// What was changed.
#[derive(Default)]
struct Changed {
    domains: HashSet<String>,
    contacts: HashSet<u32>,
}

impl Changed {
    fn take_in(&self, data: &Data, fields: Fields, writer: &IndexWriter) -> Result<(), KeepError> {
        for name in &self.domains {
            let key = whoisd::query::search::domain_key(name);
            writer.delete_term(fields.of_key(&key));
            let record: Option<&ArchivedDomain> = data.find_domain(name)?;
            if let Some(record) = record {
                writer.add_document(fields.domain(record))?;
            }
        }
        for ordinal in &self.contacts {
            let key = whoisd::query::search::contact_key(*ordinal);
            writer.delete_term(fields.of_key(&key));
            if let Some(record) = data.record::<ArchivedContact>(*ordinal)? {
                writer.add_document(fields.contact(*ordinal, record))?;
            }
        }
        Ok(())
    }
}

/// Makes what was written durable, with the mark that says up to where it goes.
fn commit(writer: &mut IndexWriter, mark: Mark) -> tantivy::Result<()> {
    let mut prepared = writer.prepare_commit()?;
    prepared.set_payload(&mark.to_string());
    prepared.commit()?;
    Ok(())
}

/// Whether this user may keep an index in a folder, and if not, why. Makes nothing.
pub(crate) fn check(folder: &Path) -> Result<(), String> {
    may_write_into(folder)?;
    may_write_into(&folder.join(FOLDER))?;
    let lock = Lock::of(folder);
    let problem = |error| format!("{}: this user may not write it: {error}", lock.path().display());
    lock.check().map_err(problem)
}

/// Makes what the keeper needs, before anything is started.
pub(super) fn prepare(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder.join(FOLDER))?;
    Lock::of(folder).open().map(drop)
}

//! Threads of the updater: one that owns the writer and takes jobs, or one that follows what
//! another process writes.
//!
//! # Invariants
//!
//! - Feeds wait for the updater, never the other way round: a feed that breaks holds nothing up.
//!
//! # Does not
//!
//! Know feeds.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::{FetchError, Updater, Views};
use crate::feed::nats::{Cause, Fetched, Refetch, Wanted};
use crate::feed::{Applied, Apply, ApplyError, ChangeRecord, Intake};
use crate::place::aside::{self, Place};
use crate::store::Reader;
use crate::view::{Disk, View};

/// Jobs that wait at most: feeds wait with what comes after.
const JOBS_MAX: usize = 4;
/// How often the updater looks at folds and old views, milliseconds.
const TICK_MS: u64 = 50;

/// What the updater is asked to do.
#[derive(Debug)]
pub enum Job {
    /// Take records in.
    Records(Vec<ChangeRecord>, Sender<Result<Applied, ApplyError>>),
    /// Take a deposit in.
    Deposit(PathBuf, Sender<Result<Applied, ApplyError>>),
    /// Fetch a newer generation.
    Fetch(Wanted, Sender<Result<Fetched, FetchError>>),
}

/// A feed's end of the updater.
#[derive(Debug, Clone)]
pub struct Handle {
    jobs: Sender<Job>,
    serial: Arc<AtomicU64>,
    batch_bytes_max: usize,
}

impl Handle {
    fn ask(
        &self,
        job: impl FnOnce(Sender<Result<Applied, ApplyError>>) -> Job,
    ) -> Result<Applied, ApplyError> {
        let gone = || ApplyError::Store { problem: "the updater has ended".to_owned() };
        let (reply, outcome) = bounded(1);
        self.jobs.send(job(reply)).map_err(|_| gone())?;
        outcome.recv().map_err(|_| gone())?
    }
}

impl Apply for Handle {
    fn serial(&self) -> u64 {
        self.serial.load(Ordering::Acquire)
    }

    fn batch_bytes_max(&self) -> usize {
        self.batch_bytes_max
    }

    fn apply(&mut self, records: &[ChangeRecord]) -> Result<Applied, ApplyError> {
        self.ask(|reply| Job::Records(records.to_vec(), reply))
    }
}

impl Refetch for Handle {
    fn refetch(&mut self, wanted: &Wanted) -> Result<Fetched, Cause> {
        let (reply, outcome) = bounded(1);
        let sent = self.jobs.send(Job::Fetch(wanted.clone(), reply));
        let fetched = match sent.ok().and_then(|()| outcome.recv().ok()) {
            Some(fetched) => fetched,
            None => Err(FetchError::Ended),
        };
        Ok(fetched?)
    }
}

impl Intake for Handle {
    fn apply_deposit(&mut self, path: &Path) -> Result<Applied, ApplyError> {
        self.ask(|reply| Job::Deposit(path.to_owned(), reply))
    }
}

/// Starts the updater on a thread at `place`. It ends once every handle is gone.
///
/// # Errors
///
/// If there can be no further thread.
pub fn start(updater: Updater, place: Place<'_>) -> io::Result<(Handle, JoinHandle<()>)> {
    let (jobs, queue) = bounded(JOBS_MAX);
    let serial = Arc::new(AtomicU64::new(updater.generation().state().serial));
    let batch_bytes_max = updater.settings().batch_bytes_max();
    let handle = Handle { jobs, serial: Arc::clone(&serial), batch_bytes_max };
    let thread = aside::spawn("updater", place, move || run(updater, &queue, &serial))?;
    Ok((handle, thread))
}

fn run(mut updater: Updater, queue: &Receiver<Job>, serial: &AtomicU64) {
    let note = |updater: &Updater| {
        serial.store(updater.generation().state().serial, Ordering::Release);
    };
    loop {
        let (outcome, reply) = match queue.recv_timeout(Duration::from_millis(TICK_MS)) {
            Ok(Job::Records(records, reply)) => (updater.apply(&records), reply),
            Ok(Job::Deposit(path, reply)) => (updater.apply_spooled(&path), reply),
            Ok(Job::Fetch(wanted, reply)) => {
                let outcome = updater.fetch(&wanted);
                note(&updater);
                let _ = reply.send(outcome);
                continue;
            }
            Err(RecvTimeoutError::Timeout) => {
                updater.tick();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        note(&updater);
        // A feed that has ended meanwhile reads the serial when it starts again.
        let _ = reply.send(outcome);
        updater.tick();
    }
}

/// Starts a thread that shows what another process writes into the directory at `path`, looking
/// each `every`. It ends once `stop` is true.
///
/// # Errors
///
/// No generation, damage, or no further thread.
pub fn follow(
    reader: Reader<Disk>,
    views: Views,
    every: Duration,
    stop: Arc<AtomicBool>,
    place: Place<'_>,
) -> io::Result<JoinHandle<()>> {
    aside::spawn("updater", place, move || run_follower(reader, &views, every, &stop))
}

fn run_follower(mut reader: Reader<Disk>, views: &Views, every: Duration, stop: &AtomicBool) {
    let mut retired = Vec::new();
    let mut said = String::new();
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(every);
        match reader
            .follow()
            .and_then(|is_new| if is_new { show(&reader, views) } else { Ok(None) })
        {
            Ok(old) => {
                said.clear();
                retired.extend(old);
            }
            Err(error) => {
                // Once for each problem, not each time that it is still there.
                let text = error.to_string();
                if said != text {
                    tracing::error!(
                        %error,
                        "cannot follow the snapshot directory; what was read before is served on"
                    );
                    said = text;
                }
            }
        }
        retired.retain(|view| Arc::strong_count(view) > 1);
    }
}

/// Shows what a reader has read; returns the view before.
fn show(
    reader: &Reader<Disk>,
    views: &Views,
) -> Result<Option<Arc<View>>, crate::store::StoreError> {
    let before = views.load_full();
    let view = View::of(Arc::clone(reader.generation()), Some(&before));
    let view = view.map_err(|source| crate::store::StoreError::Format {
        path: PathBuf::from(&reader.manifest().current.base),
        source,
    })?;
    if view.generation() < before.generation() {
        tracing::warn!(
            generation = view.generation(),
            before = before.generation(),
            "the directory went back to an older generation, which is served: if nobody rolled it \
             back, look at who writes it"
        );
    }
    if !Arc::ptr_eq(view.data().base(), before.data().base()) {
        view.load();
        tracing::info!(generation = view.generation(), "another base is served");
    }
    Ok(Some(views.swap(Arc::new(view))))
}

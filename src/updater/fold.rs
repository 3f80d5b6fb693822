//! Folds: when one begins, how fast it writes, and how it ends.
//!
//! # Invariants
//!
//! - A fold runs on a thread of the least weight beside the shards; batches go on meanwhile.
//! - A fold that fails loses nothing: the next one begins after [`RETRY`].
//!
//! # Does not
//!
//! Write bases: `snapshot_format::delta::fold` does.

use std::io::{self, Seek, SeekFrom, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use snapshot_format::delta;
use snapshot_format::sort::Scratch;
use snapshot_format::{BuildError, Kind};

use super::Updater;
use crate::observe::clock;
use crate::place::aside;
use crate::store::{DiskScratch, Files, Fold, NewBase};
use crate::view::Disk;

/// Bytes between two looks at the clock.
const THROTTLE_BYTES: u64 = 1 << 20;

/// When a fold begins, and how fast it writes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Changed keys, of a hundred records of the base, at which a fold begins; 0: never for that.
    pub changed_percent: u64,
    /// Changed keys at which a fold begins; 0: never for that.
    pub changed_count: u64,
    /// Bytes of log at which a fold begins; 0: never for that.
    pub log_bytes: u64,
    /// Age of the oldest change at which a fold begins, seconds; 0: never for that.
    pub age_s: u64,
    /// Bytes a second that a fold writes at most; 0: as fast as it can.
    pub bytes_per_s: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            changed_percent: 5,
            changed_count: 1_000_000,
            log_bytes: 1 << 30,
            age_s: 86_400,
            bytes_per_s: 200_000_000,
        }
    }
}

impl Policy {
    /// Whether a fold is due; the word for why. `failed_ago`: when the last one failed.
    #[must_use]
    pub fn due(
        &self,
        changed: u64,
        records: u64,
        log_bytes: u64,
        age: Duration,
        failed_ago: Option<Duration>,
    ) -> Option<&'static str> {
        let reaches = |value: u64, bound: u64| bound > 0 && value >= bound;
        // A disk that is full is not filled again and again.
        if changed == 0 || failed_ago.is_some_and(|ago| ago < RETRY) {
            return None;
        }
        let share = changed.saturating_mul(100);
        if self.changed_percent > 0 && share >= records.max(1).saturating_mul(self.changed_percent)
        {
            return Some("share of the base");
        }
        if reaches(changed, self.changed_count) {
            return Some("count");
        }
        if reaches(log_bytes, self.log_bytes) {
            return Some("bytes of log");
        }
        reaches(age.as_secs(), self.age_s).then_some("age")
    }
}

/// How long the next fold waits after one that failed.
const RETRY: Duration = Duration::from_secs(60);
/// Fewest records of a base that a share is taken of: a small registry is not folded all the time.
const RECORDS_MIN: u64 = 20_000;

/// A fold that runs.
#[derive(Debug)]
pub(super) struct Running {
    thread: Option<JoinHandle<Result<Option<NewBase<Disk>>, BuildError>>>,
    stop: Arc<AtomicBool>,
    begun: Instant,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // If it panicked, standard error has the message; what it wrote removes itself.
            let _ = thread.join();
        }
    }
}

impl Updater {
    /// Begins a fold if one is due.
    pub(super) fn begin_fold(&mut self) {
        if self.fold.is_some() {
            return;
        }
        let generation = self.generation();
        let (changed, log_bytes) = generation.changed();
        let base = generation.base();
        let records: u64 = Kind::ALL.iter().map(|&kind| u64::from(base.live_count(kind))).sum();
        let age = clock::monotonic().saturating_duration_since(self.folded_at);
        let failed_ago =
            self.fold_failed_at.map(|at| clock::monotonic().saturating_duration_since(at));
        let records = records.max(RECORDS_MIN);
        let due = self.settings.fold.due(changed as u64, records, log_bytes, age, failed_ago);
        if let Some(reason) = due {
            self.start_fold(reason);
        }
    }

    /// Begins a fold now.
    fn start_fold(&mut self, reason: &'static str) {
        // Whatever comes of it: the next one is not tried at once.
        self.folded_at = clock::monotonic();
        let begun = match self.live.begin_fold() {
            Ok(Some(begun)) => begun,
            Ok(None) => return,
            Err(error) => {
                self.fold_failed(&error);
                return;
            }
        };
        let (changed, log_bytes) = begun.generation.changed();
        let generation = begun.generation.state().generation;
        tracing::info!(generation, changed, log_bytes, reason, "fold begins");
        let stop = Arc::new(AtomicBool::new(false));
        let (told, settings) = (Arc::clone(&stop), self.settings.clone());
        let directory = self.live.writer().files().path().to_owned();
        let work = move || {
            aside::be_least();
            let scratch: Rc<dyn Scratch> = Rc::new(DiskScratch::new(&directory));
            let Fold { generation, base } = begun;
            let mut out = Throttled::new(base, settings.fold.bytes_per_s);
            let folded =
                delta::fold(&*generation, &mut out, &scratch, settings.memory(), &mut |_, _| {
                    !told.load(Ordering::Relaxed)
                })?;
            Ok(folded.is_some().then_some(out.out))
        };
        // The thread takes over the core of this one.
        match thread::Builder::new().name("fold".to_owned()).spawn(work) {
            Ok(thread) => {
                let begun = clock::monotonic();
                self.fold = Some(Running { thread: Some(thread), stop, begun });
            }
            Err(error) => self.fold_failed(&error),
        }
    }

    /// Takes a fold's base up, once it is written.
    pub(super) fn end_fold(&mut self) {
        let ended = |fold: &Running| fold.thread.as_ref().is_none_or(JoinHandle::is_finished);
        let Some(mut fold) = self.fold.take_if(|fold| ended(fold)) else { return };
        let Some(outcome) = fold.thread.take().map(JoinHandle::join) else { return };
        let written = match outcome {
            Ok(Ok(Some(base))) => self.live.finish_fold(base).and_then(|_| self.publish()),
            Ok(Ok(None)) => return,
            Ok(Err(error)) => {
                self.fold_failed(&error);
                return;
            }
            Err(_panic) => {
                self.fold_failed(&"its thread panicked");
                return;
            }
        };
        match written {
            Ok(()) => {
                let took = clock::monotonic().saturating_duration_since(fold.begun);
                let base = self.generation().base().header();
                tracing::info!(
                    generation = base.generation,
                    bytes = base.file_bytes,
                    took_ms = clock::whole_ms(took),
                    "fold done"
                );
            }
            Err(error) => self.fold_failed(&error),
        }
    }

    fn fold_failed(&mut self, error: &dyn std::fmt::Display) {
        self.fold_failed_at = Some(clock::monotonic());
        let retry_s = RETRY.as_secs();
        tracing::warn!(%error, retry_s, "a fold failed; nothing is lost, it is tried again");
    }
}

/// An output that takes a bounded number of bytes a second.
struct Throttled<W> {
    out: W,
    bytes_per_s: u64,
    since: Instant,
    written: u64,
    looked: u64,
}

impl<W> Throttled<W> {
    fn new(out: W, bytes_per_s: u64) -> Self {
        Self { out, bytes_per_s, since: clock::monotonic(), written: 0, looked: 0 }
    }

    fn wait(&mut self) {
        if self.bytes_per_s == 0 || self.written - self.looked < THROTTLE_BYTES {
            return;
        }
        self.looked = self.written;
        let due_ms = self.written.saturating_mul(1000) / self.bytes_per_s;
        let due = Duration::from_millis(due_ms);
        let passed = clock::monotonic().saturating_duration_since(self.since);
        thread::sleep(due.saturating_sub(passed));
    }
}

impl<W: Write> Write for Throttled<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.written += written as u64;
        self.wait();
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Seek> Seek for Throttled<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.out.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fold_is_due_by_share_count_bytes_and_age_and_never_without_changes() {
        let policy = Policy {
            changed_percent: 5,
            changed_count: 1000,
            log_bytes: 10_000,
            age_s: 60,
            bytes_per_s: 0,
        };
        let due = |changed, log_bytes, age_s| {
            policy.due(changed, 10_000, log_bytes, Duration::from_secs(age_s), None)
        };
        assert_eq!(due(0, 1 << 40, 1 << 40), None);
        assert_eq!(due(499, 9_999, 59), None);
        assert_eq!(due(500, 0, 0), Some("share of the base"));
        assert_eq!(policy.due(1000, 1_000_000, 0, Duration::ZERO, None), Some("count"));
        let failed = |ago| policy.due(1000, 1_000_000, 0, Duration::ZERO, Some(ago));
        assert_eq!(failed(RETRY - Duration::from_millis(1)), None, "it rests");
        assert_eq!(failed(RETRY), Some("count"));
        assert_eq!(due(1, 10_000, 0), Some("bytes of log"));
        assert_eq!(due(1, 0, 60), Some("age"));
        let never =
            Policy { changed_percent: 0, changed_count: 0, log_bytes: 0, age_s: 0, ..policy };
        assert_eq!(never.due(u64::MAX, 1, u64::MAX, Duration::MAX, None), None);
    }
}

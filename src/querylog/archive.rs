//! The log's directory: segments of files, the day that runs, the totals of those that have ended.
//!
//! # Invariants
//!
//! - `alone`: one process writes a directory; the kernel's lock on `LOCK` says so.
//! - `by-day`: a segment lies in one day of UTC, and its rows count for that day.
//! - `counted`: rows that cannot be written are counted, and the next row that is written carries
//!   their number; a failure of files stops nothing else.
//! - `said-seldom`: failures are logged once in [`SAY_MS`] at most.
//!
//! # Does not
//!
//! Read a clock.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam::channel::{Receiver, Sender, bounded};
use rustix::fs::OFlags;

use super::Settings;
use super::block::Block;
use super::day::Day;
use super::error::LogError;
use super::figures::{Figures, add};
use super::recover::{Recovered, recover};
use super::retention::{Keep, expired};
use super::segment::Segment;
use super::segment_name::{PART, Stem, list};
use super::totals::{Chain, OpenDay};
use crate::held::Held;
use crate::place::aside::{self, Place};
use crate::time::Seldom;

/// File that the lock is on.
const LOCK: &str = "LOCK";
/// Its permissions: any process that may open it could hold it.
const LOCK_MODE: u32 = 0o600;

/// Whether a server has ever written a log in `dir`.
pub(super) fn is_claimed(dir: &Path) -> bool {
    dir.join(LOCK).is_file()
}
/// Permissions of a directory that is made: nobody else may see who asked for what.
const DIR_MODE: u32 = 0o750;
/// Shortest time between two lines about failures, milliseconds.
const SAY_MS: i64 = 60_000;
/// How often old files are looked for, and totals tried again that could not be written.
const UPKEEP_MS: i64 = 30_000;
/// Further than this between two turns, which are 50 ms apart, a clock jumps.
const JUMP_MS: i64 = 600_000;
/// How long a clock that has jumped is not believed, as far as it deletes.
const JUMP_WAIT_MS: i64 = 86_400_000;
/// Most days that wait for their line in the totals: a disk that is full for longer loses the
/// oldest.
const ENDED_DAYS_MAX: usize = 400;

/// The directory of a query log.
pub(super) struct Archive {
    dir: PathBuf,
    settings: Settings,
    figures: Arc<Figures>,
    segment: Option<Segment>,
    /// The last segment of each day that has files, or had: names ascend within a day whatever the
    /// clock does.
    last_stems: BTreeMap<Day, Stem>,
    open: OpenDay,
    /// Days that have ended and have no line yet, in order.
    ended: Vec<OpenDay>,
    /// `None` until it is known what is there.
    chain: Option<Chain>,
    recovering: Option<Receiver<Recovered>>,
    /// Has it tried again, if it failed.
    recover_again: Sender<()>,
    /// Whether what the running day has counted is written down.
    is_noted: bool,
    /// Rows that were taken and could not be written.
    lost: u64,
    next_upkeep_ms: i64,
    /// The clock at the last turn.
    turned_ms: Option<i64>,
    /// Until then nothing is too old: the clock has jumped, and may be wrong.
    no_age_before_ms: i64,
    failures: Seldom,
    _lock: Held,
}

impl Archive {
    /// Opens the directory, and makes it if it is not there. A thread of its own at `place` counts
    /// the files of earlier runs.
    pub(super) fn open(
        dir: &Path,
        settings: &Settings,
        figures: Arc<Figures>,
        now_ms: i64,
        place: Place<'_>,
    ) -> Result<Self, LogError> {
        let failed = |source| LogError::Io { path: dir.to_owned(), source };
        let mut made = DirBuilder::new();
        made.recursive(true).mode(DIR_MODE).create(dir).map_err(failed)?;
        let lock = lock(dir)?;
        let mut segments = list(dir).map_err(failed)?;
        for parts in segments.values_mut() {
            // A Parquet file that a crash cut has no footer, so nobody can read it.
            for part in parts.extract_if(.., |part| part.end == PART) {
                fs::remove_file(&part.path).map_err(failed)?;
            }
        }
        segments.retain(|_, parts| !parts.is_empty());
        let open = OpenDay::new(Day::of_ms(now_ms));
        let last_stems = segments.keys().map(|stem| (stem.day(), *stem)).collect();
        let (sender, recovering) = bounded(1);
        let (recover_again, again) = bounded(1);
        let (counted_dir, counted) = (dir.to_owned(), Arc::clone(&figures));
        let work = move || recover(&counted_dir, &segments, &counted, &sender, &again);
        aside::spawn("querylog-count", place, work).map_err(failed)?;
        Ok(Self {
            dir: dir.to_owned(),
            settings: settings.clone(),
            figures,
            segment: None,
            last_stems,
            open,
            ended: Vec::new(),
            chain: None,
            recovering: Some(recovering),
            recover_again,
            is_noted: false,
            lost: 0,
            next_upkeep_ms: 0,
            turned_ms: None,
            no_age_before_ms: i64::MIN,
            failures: Seldom::new(SAY_MS),
            _lock: lock,
        })
    }

    /// Takes other settings for what comes.
    pub(super) fn change(&mut self, settings: &Settings, now_ms: i64) {
        if settings.format != self.settings.format {
            self.end_segment(now_ms);
        }
        self.settings = settings.clone();
        self.next_upkeep_ms = 0;
    }

    /// Whether the files of earlier runs are still being counted.
    #[cfg(test)]
    pub(super) const fn is_recovering(&self) -> bool {
        self.recovering.is_some()
    }

    /// Whether `day` is another one than the one that runs.
    pub(super) fn is_over(&self, day: Day) -> bool {
        self.open.day != day
    }

    /// The day that runs has ended, another one begins.
    pub(super) fn begin_day(&mut self, day: Day, now_ms: i64) {
        self.end_segment(now_ms);
        let ended = std::mem::replace(&mut self.open, OpenDay::new(day));
        self.is_noted = false;
        self.end_day(ended);
        self.next_upkeep_ms = 0;
    }

    fn end_day(&mut self, ended: OpenDay) {
        if let Some(same) = self.ended.iter_mut().find(|one| one.day == ended.day) {
            same.merge(&ended);
            return;
        }
        let at = self.ended.partition_point(|one| one.day < ended.day);
        self.ended.insert(at, ended);
        if self.ended.len() > ENDED_DAYS_MAX {
            self.ended.remove(0);
        }
    }

    /// Rows that could not be written since the last call.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Writes a block.
    pub(super) fn write(&mut self, now_ms: i64, block: &mut Block, packed: Option<&[u8]>) {
        let rows = block.counts.queries;
        match self.try_write(now_ms, block, packed) {
            Ok(()) => {
                add(&self.figures.written, rows);
                // Columns are counted with their segment's end.
                let is_lines = self.settings.format.has_lines();
                let packed_bytes = packed.filter(|_| is_lines).map_or(0, <[u8]>::len);
                add(&self.figures.written_bytes, packed_bytes as u64);
            }
            Err(error) => {
                self.lose(rows, block.counts.lost);
                self.say(now_ms, &error);
            }
        }
    }

    fn try_write(
        &mut self,
        now_ms: i64,
        block: &mut Block,
        packed: Option<&[u8]>,
    ) -> io::Result<()> {
        if self.segment.is_none() {
            // Rows of a day that is just over are still its own; so are those of a day that has
            // not begun any more, since the clock went back.
            let day = self.open.day;
            let name_ms = now_ms.clamp(day.first_ms(), day.last_ms());
            let last = self.last_stems.get(&day).copied();
            let mut begun = Segment::begin(&self.dir, self.settings.format, name_ms, last)?;
            begun.begun_ms = now_ms;
            self.last_stems.insert(day, begun.stem);
            self.segment = Some(begun);
        }
        let Some(segment) = &mut self.segment else { return Ok(()) };
        let mut problem = None;
        match segment.append(block, packed, &mut problem) {
            Ok(true) => self.open.counts.merge(&block.counts),
            Ok(false) => segment.uncounted.merge(&block.counts),
            Err(error) => {
                if segment.is_gone() {
                    let uncounted = std::mem::take(&mut segment.uncounted);
                    self.segment = None;
                    self.lose(uncounted.queries, uncounted.lost);
                }
                return Err(error);
            }
        }
        let is_full = segment.bytes() >= self.settings.rotate_bytes;
        if let Some(problem) = problem {
            self.say(now_ms, &problem);
        }
        if is_full {
            self.end_segment(now_ms);
        }
        Ok(())
    }

    fn lose(&mut self, rows: u64, lost_before: u64) {
        add(&self.figures.lost, rows);
        self.lost += rows + lost_before;
    }

    fn end_segment(&mut self, now_ms: i64) {
        let Some(mut segment) = self.segment.take() else { return };
        let stem = segment.stem;
        let uncounted = std::mem::take(&mut segment.uncounted);
        let ended = segment.end();
        add(&self.figures.written_bytes, ended.columns_bytes);
        if ended.is_there {
            self.open.counts.merge(&uncounted);
            self.open.segments += 1;
            self.open.through = Some(stem);
            add(&self.figures.ended_segments, 1);
        } else {
            self.lose(uncounted.queries, uncounted.lost);
        }
        self.is_noted = false;
        let noted = self.note();
        for error in ended.error.into_iter().chain(noted.err()) {
            self.say(now_ms, &error);
        }
        self.next_upkeep_ms = 0;
    }

    /// Writes down what the running day has counted, once that of the days before is in the totals.
    fn note(&mut self) -> io::Result<()> {
        if !self.is_noted && self.recovering.is_none() && self.ended.is_empty() {
            self.open.write(&self.dir)?;
            self.is_noted = true;
        }
        Ok(())
    }

    /// What is to be done now and then: ends a segment that is old enough, writes totals, deletes.
    pub(super) fn upkeep(&mut self, now_ms: i64) {
        self.take_recovered();
        self.watch_clock(now_ms);
        let age_ms = self.segment.as_ref().map(|one| now_ms.saturating_sub(one.begun_ms));
        let age_max_ms = i64::try_from(self.settings.rotate_s * 1_000).unwrap_or(i64::MAX);
        // A negative age is a clock that was set back.
        if age_ms.is_some_and(|age| age >= age_max_ms || age < 0) {
            self.end_segment(now_ms);
        }
        let is_early = now_ms < self.next_upkeep_ms && now_ms >= self.next_upkeep_ms - UPKEEP_MS;
        if is_early {
            return;
        }
        self.next_upkeep_ms = now_ms + UPKEEP_MS;
        if self.recovering.is_some() {
            // One that waits already is enough.
            let _ = self.recover_again.try_send(());
            return;
        }
        if let Err(error) = self.write_totals().and_then(|()| self.note()) {
            self.say(now_ms, &error);
        }
        if let Err(error) = self.delete_expired(now_ms) {
            self.say(now_ms, &error);
        }
    }

    /// Notices a clock that jumps: by one that is wrong, every file would be too old.
    fn watch_clock(&mut self, now_ms: i64) {
        let Some(turned_ms) = self.turned_ms.replace(now_ms) else { return };
        let jump_ms = now_ms.saturating_sub(turned_ms);
        if jump_ms.saturating_abs() > JUMP_MS {
            self.no_age_before_ms = now_ms.saturating_add(JUMP_WAIT_MS);
            tracing::warn!(
                jump_s = jump_ms / 1_000,
                "query log: the clock has jumped; for a day of it, no file is deleted for its age"
            );
        }
    }

    fn take_recovered(&mut self) {
        let Some(recovering) = &self.recovering else { return };
        // A thread that broke has said so: nothing is deleted, and the next start counts again.
        let Ok(recovered) = recovering.try_recv() else { return };
        self.recovering = None;
        self.next_upkeep_ms = 0;
        for day in recovered.days {
            if day.day == self.open.day {
                self.open.merge(&day);
            } else {
                self.end_day(day);
            }
        }
        self.chain = Some(recovered.chain);
    }

    fn write_totals(&mut self) -> io::Result<()> {
        let Some(chain) = &mut self.chain else { return Ok(()) };
        while let Some(ended) = self.ended.first() {
            let total = chain.append(ended)?;
            self.ended.remove(0);
            // The hash in another log is what shows a chain that was written again: at a level that
            // hardly anybody turns off.
            tracing::warn!(
                day = %total.day,
                queries = total.counts.queries,
                responded = total.counts.responded(),
                lost = total.counts.lost,
                hash = %total.hash,
                "query log: a day's total"
            );
        }
        Ok(())
    }

    fn delete_expired(&self, now_ms: i64) -> io::Result<()> {
        let segments = list(&self.dir)?;
        let age_s = if now_ms < self.no_age_before_ms { 0 } else { self.settings.keep_s };
        let keep = Keep { age_s, bytes: self.settings.keep_bytes };
        // Files that neither a total nor a note counts yet are the only record of their rows.
        let uncounted = match self.ended.first() {
            Some(ended) => Some(ended.day),
            None => (!self.is_noted).then_some(self.open.day),
        };
        let open = self.segment.as_ref().map(|segment| segment.stem);
        let stay = open.into_iter().chain(uncounted.map(Stem::first_of)).min();
        let mut done = Ok(());
        for part in expired(&segments, keep, now_ms, stay) {
            // One that cannot be deleted does not keep the others.
            match fs::remove_file(&part.path) {
                Ok(()) => add(&self.figures.deleted_files, 1),
                Err(error) => done = done.and_then(|()| Err(named(&part.path, &error))),
            }
        }
        done
    }

    /// Ends the segment and has everything on the disk that is known.
    pub(super) fn finish(&mut self, now_ms: i64) {
        self.end_segment(now_ms);
        self.upkeep(now_ms);
    }

    fn say(&mut self, now_ms: i64, error: &io::Error) {
        add(&self.figures.errors, 1);
        let now = u64::try_from(now_ms).unwrap_or(0);
        self.figures.last_error_ms.store(now, Ordering::Relaxed);
        let Some(unsaid) = self.failures.due(now_ms) else { return };
        tracing::error!(
            dir = %self.dir.display(),
            %error,
            unsaid,
            lost = self.figures.lost.load(Ordering::Relaxed),
            "query log: cannot write; queries are answered on, and those that are not logged are \
             counted"
        );
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// What a start would refuse of a directory that is there: nothing is made or locked.
///
/// # Errors
///
/// It cannot be listed, or its lock not be opened.
pub fn check_directory(dir: &Path) -> Result<(), LogError> {
    list(dir).map_err(|source| LogError::Io { path: dir.to_owned(), source })?;
    let lock = dir.join(LOCK);
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    match OpenOptions::new().write(true).custom_flags(flags).open(&lock) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(LogError::Io { path: lock, source })
        }
        _ => Ok(()),
    }
}

fn lock(dir: &Path) -> Result<Held, LogError> {
    let path = dir.join(LOCK);
    let failed = |source| LogError::Io { path: path.clone(), source };
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(LOCK_MODE);
    let file = options.open(&path).map_err(failed)?;
    match Held::try_new(&file) {
        Ok(held) => Ok(held),
        Err(TryLockError::Error(error)) => Err(failed(error)),
        Err(TryLockError::WouldBlock) => Err(LogError::Locked { dir: dir.to_owned() }),
    }
}

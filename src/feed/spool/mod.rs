//! The spool directory: files of changes that are dropped in by a rename, applied in order of their
//! names, or of their serials where the names say otherwise, and moved to `done/`, or to
//! `rejected/` with a file that says why.
//!
//! # Invariants
//!
//! - A file is moved once its outcome is on the disk: after a crash it is applied again, which
//!   changes nothing.
//! - A file whose serials are to come waits for the file that has those before, whatever the two
//!   are called; what nobody has brought holds up everything behind it.
//! - `done/` is bounded, and no file there or in `rejected/` takes the place of another one.
//!
//! # Does not
//!
//! Apply: [`Intake`] does.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod moved;
mod status;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use self::moved::Done;
pub use self::moved::Keep;
pub use self::status::{Report, Status, Waiting};
use super::{Applied, ApplyError, ChangeRecord, Intake, LINE_BYTES_MAX, RecordError};

/// How often the directory is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How long a file that could not be applied waits before it is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Records of a file that are applied as one batch.
const BATCH_RECORDS_MAX: usize = 100_000;

/// Blank lines that are passed over in front of a file's first record.
const BLANK_LINES_MAX: usize = 1000;
/// Bytes of lines that are applied as one batch, however few records they are.
const BATCH_BYTES_MAX: usize = 256 << 20;

/// Folder of files that were applied.
pub const DONE: &str = "done";
/// Folder of files that were refused.
pub const REJECTED: &str = "rejected";
/// Ending of the file that says why another one was refused.
pub const WHY_ENDING: &str = ".why";

/// Why a file was not applied.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It cannot be read.
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    /// A line is no record.
    #[error("line {line}: {source}")]
    Record {
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        source: RecordError,
    },
    /// A batch was not taken in.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl SpoolError {
    /// Whether the file may be applied later as it is.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Io(_) | Self::Apply(ApplyError::Store { .. } | ApplyError::Gap { .. }))
    }
}

/// Applies a file of change records, one a line, or a DIFF or INCR deposit: any file that does not
/// end in `.jsonl`. Records are taken in by batches of up to 100,000, or 256 MiB of lines.
///
/// # Errors
///
/// The first thing that is wrong. Batches before it are applied.
pub fn apply_file(path: &Path, intake: &mut dyn Intake) -> Result<Applied, SpoolError> {
    if !is_records(path) {
        return Ok(intake.apply_deposit(path)?);
    }
    let mut lines = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut batch = Vec::new();
    let mut applied = Applied { serial: intake.serial(), generation: 0, new_count: 0 };
    let mut take = |batch: &mut Vec<ChangeRecord>| -> Result<(), SpoolError> {
        let taken = intake.apply(batch)?;
        let new_count = applied.new_count.saturating_add(taken.new_count);
        applied = Applied { new_count, ..taken };
        batch.clear();
        Ok(())
    };
    let (mut line, mut bytes) = (Vec::new(), 0_usize);
    for number in 1.. {
        line.clear();
        // One byte more than a line may have shows that it is too long.
        let most = (LINE_BYTES_MAX as u64).saturating_add(2);
        let read = lines.by_ref().take(most).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let record = ChangeRecord::parse(&line);
        batch.push(record.map_err(|source| SpoolError::Record { line: number, source })?);
        bytes = bytes.saturating_add(read);
        if batch.len() >= BATCH_RECORDS_MAX || bytes >= BATCH_BYTES_MAX {
            take(&mut batch)?;
            bytes = 0;
        }
    }
    if !batch.is_empty() {
        take(&mut batch)?;
    }
    Ok(applied)
}

/// A spool directory.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    done: Done,
    status: Arc<Status>,
    /// What was said of the file that waits, to say it once.
    said: String,
}

/// What became of a file.
enum Outcome {
    /// It is out of the way.
    Moved,
    /// It waits: why, and whether for serials that come before its own.
    Waits { problem: String, is_gap: bool },
}

impl Spool {
    /// The spool at `path`; it is made if it is not there. `keep` bounds `done/`.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn open(path: &Path, keep: Keep, status: Arc<Status>) -> io::Result<Self> {
        for folder in [path.to_owned(), path.join(DONE), path.join(REJECTED)] {
            fs::create_dir_all(folder)?;
        }
        let done = Done::open(&path.join(DONE), keep);
        Ok(Self { path: path.to_owned(), done, status, said: String::new() })
    }

    /// Applies what comes until `stop` is true.
    pub fn run(&mut self, intake: &mut dyn Intake, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let waits = match self.pass(intake) {
                Ok(waits) => waits,
                Err(error) => {
                    self.say(&format!("{}: {error}", self.path.display()));
                    true
                }
            };
            // In small steps: the end waits for this thread.
            let mut left = if waits { RETRY } else { LOOK };
            while !left.is_zero() && !stop.load(Ordering::Relaxed) {
                thread::sleep(LOOK);
                left = left.saturating_sub(LOOK);
            }
        }
    }

    /// Applies the files that are there. Returns whether one of them has to wait.
    ///
    /// # Errors
    ///
    /// The directory cannot be read, or a file not be moved.
    pub fn pass(&mut self, intake: &mut dyn Intake) -> io::Result<bool> {
        let mut names = self.names()?;
        self.status.found(names.len());
        let waits = self.in_order_of_names(&names, intake)?;
        let waits = match waits {
            Some((_, _, true)) => {
                names.retain(|name| self.path.join(name).exists());
                self.in_order_of_serials(&names, intake)?
            }
            Some((name, problem, false)) => Some((name, problem)),
            None => None,
        };
        let Some((name, problem)) = waits else {
            self.said.clear();
            self.status.nothing_waits();
            return Ok(false);
        };
        let count = self.names()?.len();
        self.say(&format!("{name}: {problem}"));
        self.status.waits(count, &name, &problem);
        Ok(true)
    }

    /// Applies files in order of their names, up to the first one that waits: which, why, and
    /// whether it waits for serials.
    fn in_order_of_names(
        &mut self,
        names: &[String],
        intake: &mut dyn Intake,
    ) -> io::Result<Option<(String, String, bool)>> {
        for name in names {
            if let Outcome::Waits { problem, is_gap } = self.take(name, intake)? {
                return Ok(Some((name.clone(), problem, is_gap)));
            }
        }
        Ok(None)
    }

    /// Applies files of records in order of their first serials, up to the first one that waits:
    /// then a serial is missing that no file has, or the disk refuses.
    fn in_order_of_serials(
        &mut self,
        names: &[String],
        intake: &mut dyn Intake,
    ) -> io::Result<Option<(String, String)>> {
        let mut sorted: Vec<(u64, &String)> = Vec::new();
        for name in names {
            if let Some(serial) = self.first_serial(name)? {
                sorted.push((serial, name));
            }
        }
        sorted.sort_unstable();
        for (_, name) in sorted {
            if let Outcome::Waits { problem, .. } = self.take(name, intake)? {
                return Ok(Some((name.clone(), problem)));
            }
        }
        Ok(None)
    }

    /// The serial of a file's first record; `None` of a file that has none, such as a deposit.
    fn first_serial(&self, name: &str) -> io::Result<Option<u64>> {
        let path = self.path.join(name);
        if !is_records(&path) {
            return Ok(None);
        }
        let mut lines = BufReader::new(File::open(&path)?);
        let mut line = Vec::new();
        for _ in 0..BLANK_LINES_MAX {
            line.clear();
            let most = (LINE_BYTES_MAX as u64).saturating_add(2);
            let read = lines.by_ref().take(most).read_until(b'\n', &mut line)?;
            if read == 0 {
                break;
            }
            if !line.trim_ascii().is_empty() {
                // What is no record is refused when its turn comes: at once.
                return Ok(Some(ChangeRecord::parse(&line).map_or(0, |record| record.serial)));
            }
        }
        Ok(Some(0))
    }

    /// Applies a file, and moves it out of the way unless it has to wait.
    fn take(&mut self, name: &str, intake: &mut dyn Intake) -> io::Result<Outcome> {
        let path = self.path.join(name);
        match apply_file(&path, intake) {
            Ok(applied) => {
                let Applied { serial, generation, new_count } = applied;
                tracing::info!(file = name, serial, generation, new_count, "applied");
                self.done.take(&path, name)?;
                self.status.applied();
            }
            // A crash came between applying it and moving it.
            Err(SpoolError::Apply(error @ ApplyError::Already { .. })) => {
                tracing::info!(file = name, %error, "applied before");
                self.done.take(&path, name)?;
                self.status.applied();
            }
            Err(error) if error.may_pass() => {
                let is_gap = matches!(error, SpoolError::Apply(ApplyError::Gap { .. }));
                return Ok(Outcome::Waits { problem: error.to_string(), is_gap });
            }
            Err(error) => {
                tracing::error!(file = name, %error, "refused");
                let rejected = self.path.join(REJECTED);
                let free = moved::free_name(&rejected, name)?;
                fs::write(rejected.join(format!("{free}{WHY_ENDING}")), format!("{error}\n"))?;
                moved::rename(&path, &rejected, &free)?;
                self.status.rejected();
            }
        }
        Ok(Outcome::Moved)
    }

    /// Names of the files that wait, in order. Who writes one gives it a name that starts with a
    /// point, and renames it.
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name().into_string().unwrap_or_default();
            if entry.file_type()?.is_file() && !name.is_empty() && !name.starts_with('.') {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn say(&mut self, text: &str) {
        if self.said != text {
            tracing::warn!(problem = text, "the spool waits");
            text.clone_into(&mut self.said);
        }
    }
}

fn is_records(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "jsonl")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "a test's own numbers")]

    use super::*;
    use crate::feed::{Apply, Body};

    /// Takes serials in order, and remembers which came in which order.
    #[derive(Default)]
    struct Taken {
        serial: u64,
        batches: Vec<u64>,
        deposits: usize,
    }

    impl Apply for Taken {
        fn serial(&self) -> u64 {
            self.serial
        }

        fn apply(&mut self, records: &[ChangeRecord]) -> Result<Applied, ApplyError> {
            let (first, last) = (records.first().unwrap().serial, records.last().unwrap().serial);
            if first > self.serial + 1 {
                return Err(ApplyError::Gap { have: self.serial, got: first });
            }
            self.batches.push(first);
            self.serial = self.serial.max(last);
            Ok(Applied { serial: self.serial, generation: 1, new_count: 1 })
        }
    }

    impl Intake for Taken {
        fn apply_deposit(&mut self, _: &Path) -> Result<Applied, ApplyError> {
            self.deposits += 1;
            Ok(Applied { serial: self.serial, generation: 1, new_count: 1 })
        }
    }

    fn put(folder: &Path, name: &str, serial: u64) {
        let record = ChangeRecord {
            serial,
            committed_ms: 0,
            transaction: String::new(),
            body: Body::Heartbeat,
        };
        let mut line = Vec::new();
        record.write_json(&mut line);
        fs::write(folder.join(name), line).unwrap();
    }

    fn spool(folder: &Path, keep: Keep) -> (Spool, Arc<Status>) {
        let status = Arc::new(Status::new(|| 0));
        (Spool::open(folder, keep, Arc::clone(&status)).unwrap(), status)
    }

    fn listed(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_whose_names_sort_otherwise_are_applied_by_serial() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, status) = spool(folder.path(), Keep::default());
        let mut taken = Taken { serial: 1, ..Taken::default() };
        // b10 sorts before b9, c1 before c0 by serial.
        for (name, serial) in [("b9.jsonl", 2), ("b10.jsonl", 3), ("c1.jsonl", 4), ("a.jsonl", 5)] {
            put(folder.path(), name, serial);
        }
        assert!(!spool.pass(&mut taken).unwrap());
        assert_eq!(taken.batches, [2, 3, 4, 5]);
        let report = status.report();
        assert_eq!((&report.waiting, report.applied_count), (&None, 4));
    }

    #[test]
    fn what_nobody_has_brought_is_waited_for_and_told_of_until_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, status) = spool(folder.path(), Keep::default());
        let mut taken = Taken { serial: 1, ..Taken::default() };
        put(folder.path(), "a.jsonl", 4);
        put(folder.path(), "b.jsonl", 3);
        fs::write(folder.path().join("c.xml"), "a deposit").unwrap();
        for _ in 0..2 {
            assert!(spool.pass(&mut taken).unwrap());
        }
        let waiting = status.report().waiting.clone().unwrap();
        assert_eq!((waiting.count, &*waiting.file), (3, "b.jsonl"));
        assert!(waiting.problem.contains("serial 3 does not follow 1"), "{}", waiting.problem);
        assert_eq!((taken.batches.len(), taken.deposits), (0, 0));
        put(folder.path(), "z.jsonl", 2);
        assert!(!spool.pass(&mut taken).unwrap() || !spool.pass(&mut taken).unwrap());
        assert_eq!(taken.batches, [2, 3, 4]);
        assert!(!spool.pass(&mut taken).unwrap());
        assert_eq!((taken.deposits, status.report().waiting.clone()), (1, None));
    }

    #[test]
    fn files_that_were_applied_are_kept_up_to_a_bound_and_none_takes_anothers_place() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Keep { count: 3, bytes: 1 << 20 };
        let (mut spool, _) = spool(folder.path(), keep);
        let mut taken = Taken::default();
        let done = folder.path().join(DONE);
        for serial in 1..=2 {
            put(folder.path(), "same.jsonl", serial);
            assert!(!spool.pass(&mut taken).unwrap());
        }
        assert_eq!(listed(&done), ["same.jsonl", "same.jsonl.1"]);
        for serial in 3..=5 {
            put(folder.path(), &format!("{serial}.jsonl"), serial);
            assert!(!spool.pass(&mut taken).unwrap());
        }
        assert_eq!(listed(&done), ["3.jsonl", "4.jsonl", "5.jsonl"]);
        for _ in 0..2 {
            fs::write(folder.path().join("bad.jsonl"), "no record\n").unwrap();
            assert!(!spool.pass(&mut taken).unwrap());
        }
        let rejected = listed(&folder.path().join(REJECTED));
        assert_eq!(rejected, ["bad.jsonl", "bad.jsonl.1", "bad.jsonl.1.why", "bad.jsonl.why"]);
        // The bound holds for what an earlier run has left, and for bytes.
        let keep = Keep { count: 3, bytes: 1 };
        drop(Spool::open(folder.path(), keep, Arc::new(Status::new(|| 0))).unwrap());
        assert_eq!(listed(&done), ["5.jsonl"], "the newest stays");
    }
}

//! The spool directory: files of changes that are dropped in by a rename, applied in order of their
//! names, and moved to `done/`, or to `rejected/` with a file that says why.
//!
//! # Invariants
//!
//! - A file is moved once its outcome is on the disk: after a crash it is applied again, which
//!   changes nothing.
//! - A file that waits for what is missing, or for the disk, stays, and holds up those behind it.
//!
//! # Does not
//!
//! Apply: [`Intake`] does.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{Applied, ApplyError, ChangeRecord, Intake, LINE_BYTES_MAX, RecordError};

/// How often the directory is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How long a file that could not be applied waits before it is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Records of a file that are applied as one batch.
const BATCH_RECORDS_MAX: usize = 100_000;

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
    let is_records = path.extension().is_some_and(|ending| ending == "jsonl");
    if !is_records {
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
    /// What was said of the file that waits, to say it once.
    said: String,
}

impl Spool {
    /// The spool at `path`; it is made if it is not there.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn open(path: &Path) -> io::Result<Self> {
        for folder in [path.to_owned(), path.join(DONE), path.join(REJECTED)] {
            fs::create_dir_all(folder)?;
        }
        Ok(Self { path: path.to_owned(), said: String::new() })
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
            thread::sleep(if waits { RETRY } else { LOOK });
        }
    }

    /// Applies the files that are there. Returns whether one of them has to wait.
    ///
    /// # Errors
    ///
    /// The directory cannot be read, or a file not be moved.
    pub fn pass(&mut self, intake: &mut dyn Intake) -> io::Result<bool> {
        for name in self.names()? {
            let path = self.path.join(&name);
            match apply_file(&path, intake) {
                Ok(applied) => {
                    let Applied { serial, generation, new_count } = applied;
                    tracing::info!(file = name, serial, generation, new_count, "applied");
                    self.said.clear();
                    fs::rename(&path, self.path.join(DONE).join(&name))?;
                }
                // A crash came between applying it and moving it.
                Err(SpoolError::Apply(error @ ApplyError::Already { .. })) => {
                    tracing::info!(file = name, %error, "applied before");
                    fs::rename(&path, self.path.join(DONE).join(&name))?;
                }
                Err(error) if error.may_pass() => {
                    self.say(&format!("{name}: {error}"));
                    return Ok(true);
                }
                Err(error) => {
                    tracing::error!(file = name, %error, "refused");
                    let rejected = self.path.join(REJECTED);
                    fs::write(rejected.join(format!("{name}{WHY_ENDING}")), format!("{error}\n"))?;
                    fs::rename(&path, rejected.join(&name))?;
                }
            }
        }
        Ok(false)
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

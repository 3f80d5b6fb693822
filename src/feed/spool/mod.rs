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
//! - `done/` and `rejected/` are bounded, and no file there takes the place of another one.
//! - Whoever may write into the spool chooses neither what else is read nor where files go: no
//!   symbolic link is followed in it.
//! - A file over which this process ended for want of memory, or ends again and again, is refused.
//!
//! # Does not
//!
//! Apply: [`Intake`] does.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod apply;
mod attempt;
mod away;
mod folder;
mod moved;
mod position;
mod status;

use std::collections::{BTreeMap, BinaryHeap};
use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

pub use self::apply::{SpoolError, apply_file};
use self::apply::{first_serial, is_records};
pub use self::attempt::ATTEMPT;
use self::attempt::Attempt;
use self::away::{Away, End};

pub(crate) use self::folder::{Folder, short};
pub use self::moved::Keep;
pub use self::position::{POSITION, Position};
pub use self::status::{Report, Status, Waiting};
use super::{Applied, ApplyError, Intake};
use crate::import::Follow;

/// How often the directory is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How long a file that could not be applied waits before it is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How long a deposit waits for the one that it follows, ms: both may have been handed in at once.
const TURN_WAIT_MS: i64 = 10_000;

/// Files that are looked at in one pass; a name has up to 255 bytes.
const NAMES_MAX: usize = 1 << 16;

/// Folder of files that were applied.
pub const DONE: &str = "done";
/// Folder of files that were refused.
pub const REJECTED: &str = "rejected";
/// Folder of what was found in deposits; whoever applies them fills it.
pub const FINDINGS: &str = "findings";
/// Ending of the file that says why another one was refused.
pub const WHY_ENDING: &str = ".why";

/// A spool directory.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    away: Away,
    position: Position,
    attempt: Attempt,
    status: Arc<Status>,
    /// Deposits that wait for the one that they follow, and since when.
    out_of_turn: BTreeMap<String, i64>,
    /// What was said of the file that waits, to say it once.
    said: String,
}

/// What became of a file.
enum Outcome {
    /// It is out of the way.
    Settled,
    /// It holds up what comes after it.
    Waits(Waits),
    /// It is a deposit that follows another one, which may come.
    OutOfTurn(Waits),
}

/// A file that waits.
struct Waits {
    name: String,
    problem: String,
    /// Whether it waits for serials that come before its own.
    is_gap: bool,
}

impl Spool {
    /// The spool at `path`, a folder of a snapshot directory; it is made if it is not there. `keep`
    /// bounds `done/` and `rejected/`, whose files have their days by `wall_ms`.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn open(
        path: &Path,
        keep: Keep,
        status: Arc<Status>,
        wall_ms: fn() -> i64,
    ) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        for folder in [DONE, REJECTED] {
            let within =
                |error: io::Error| io::Error::new(error.kind(), format!("{folder}/: {error}"));
            Folder::open(&path.join(folder)).map_err(within)?;
        }
        Ok(Self {
            path: path.to_owned(),
            away: Away::open(path, keep, wall_ms),
            position: path.parent().map(Position::open).unwrap_or_default(),
            attempt: path.parent().map(Attempt::open).unwrap_or_default(),
            status,
            out_of_turn: BTreeMap::new(),
            said: String::new(),
        })
    }

    /// Applies what comes until `stop` is true.
    pub fn run(&mut self, intake: &mut dyn Intake, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let waits = match self.pass(intake) {
                Ok(waits) => waits,
                Err(error) => {
                    let (path, problem) = (self.path.display().to_string(), error.to_string());
                    self.say(&format!("{path}: {problem}"));
                    self.status.waits(1, &path, &problem);
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
    /// The directory cannot be read.
    pub fn pass(&mut self, intake: &mut dyn Intake) -> io::Result<bool> {
        self.away.again();
        let mut names = self.names()?;
        self.status.found(names.len());
        self.out_of_turn.retain(|name, _| names.binary_search(name).is_ok());
        if intake.serial() == 0 {
            self.arrange(&mut names);
        }
        if !names.is_empty() {
            self.away.clear();
        }
        let waits = match self.in_order_of_names(&names, intake) {
            Some(Waits { is_gap: true, .. }) => {
                names.retain(|name| self.path.join(name).exists() && !self.away.is_stuck(name));
                self.in_order_of_serials(&names, intake)
            }
            waits => waits,
        };
        if let Some(Waits { name, problem, .. }) = waits {
            let count = self.names()?.len();
            self.say(&format!("{name}: {problem}"));
            self.status.waits(count, &name, &problem);
            return Ok(true);
        }
        if let Some((count, name, stuck)) = self.away.stuck() {
            let (problem, since_ms) = (stuck.problem(), stuck.since_ms);
            self.status.cannot_move(count, name, &problem, since_ms);
            let text = format!("{name}: {problem}");
            self.say(&text);
            return Ok(true);
        }
        self.said.clear();
        self.status.nothing_waits();
        Ok(false)
    }

    /// Puts files of records in order of their first serials, for a directory without a serial: it
    /// takes any as its first one, and none before that afterwards.
    fn arrange(&self, names: &mut [String]) {
        let records = |name: &String| is_records(Path::new(name));
        let mut sorted: Vec<(u64, String)> = names
            .iter()
            .filter(|name| records(name))
            .map(|name| (first_serial(&self.path.join(name)), name.clone()))
            .collect();
        sorted.sort_unstable();
        let places = names.iter_mut().filter(|name| records(name));
        for (place, (_, name)) in places.zip(sorted) {
            *place = name;
        }
    }

    /// Applies files in order of their names, up to the first one that waits. Deposits that follow
    /// one of another name come after it.
    fn in_order_of_names(&mut self, names: &[String], intake: &mut dyn Intake) -> Option<Waits> {
        let mut left: Vec<&String> = names.iter().collect();
        loop {
            let (mut later, mut first, mut is_any_settled) = (Vec::new(), None, false);
            for name in left {
                match self.take(name, intake) {
                    Outcome::Settled => is_any_settled = true,
                    Outcome::Waits(waits) => return Some(waits),
                    Outcome::OutOfTurn(waits) => {
                        later.push(name);
                        first.get_or_insert(waits);
                    }
                }
            }
            if later.is_empty() || !is_any_settled {
                return first;
            }
            left = later;
        }
    }

    /// Applies files of records in order of their first serials, up to the first one that waits:
    /// then a serial is missing that no file has, or the disk refuses.
    fn in_order_of_serials(&mut self, names: &[String], intake: &mut dyn Intake) -> Option<Waits> {
        let mut sorted: Vec<(u64, &String)> = names
            .iter()
            .filter(|name| is_records(Path::new(name)))
            .map(|name| (first_serial(&self.path.join(name)), name))
            .collect();
        sorted.sort_unstable();
        for (_, name) in sorted {
            if let Outcome::Waits(waits) = self.take(name, intake) {
                return Some(waits);
            }
        }
        None
    }

    /// Applies a file, and moves it out of the way unless it has to wait.
    fn take(&mut self, name: &str, intake: &mut dyn Intake) -> Outcome {
        let path = self.path.join(name);
        let waits = |problem: String, is_gap| Waits { name: name.to_owned(), problem, is_gap };
        if let Some(why) = self.attempt.refuses(&path, intake.serial()) {
            self.refuse(name, &path, why);
            // It may come again as it is.
            self.attempt.end();
            return Outcome::Settled;
        }
        self.attempt.begin(&path, intake.serial());
        let applied = apply_file(&path, Follow::Files, intake, &mut self.position);
        self.attempt.end();
        match applied {
            Ok(Applied { serial, generation, new_count: 0 }) if is_records(&path) => {
                tracing::info!(file = name, serial, generation, "known already");
                self.settle(name, &path, End::Applied);
            }
            Ok(Applied { serial, generation, new_count }) => {
                tracing::info!(file = name, serial, generation, new_count, "applied");
                self.settle(name, &path, End::Applied);
            }
            // A crash came between applying it and moving it.
            Err(SpoolError::Apply(error @ ApplyError::Already { .. })) => {
                tracing::info!(file = name, %error, "applied before");
                self.settle(name, &path, End::Applied);
            }
            Err(SpoolError::Apply(ApplyError::OutOfTurn { problem })) => {
                let now_ms = self.status.now_ms();
                let since_ms = *self.out_of_turn.entry(name.to_owned()).or_insert(now_ms);
                if now_ms.saturating_sub(since_ms) < TURN_WAIT_MS {
                    return Outcome::OutOfTurn(waits(problem, false));
                }
                self.refuse(name, &path, problem);
            }
            // Somebody took it away.
            Err(SpoolError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.holds_up() => {
                if matches!(error, SpoolError::Apply(ApplyError::Store { .. })) {
                    self.away.done.clear_all();
                }
                let is_gap = matches!(error, SpoolError::Apply(ApplyError::Gap { .. }));
                return Outcome::Waits(waits(error.to_string(), is_gap));
            }
            Err(error) => self.refuse(name, &path, error.to_string()),
        }
        Outcome::Settled
    }

    fn refuse(&mut self, name: &str, path: &Path, why: String) {
        tracing::error!(file = name, error = why, "refused");
        self.settle(name, path, End::Rejected(why));
    }

    /// Counts the outcome of a file, which is on the disk, and moves the file away.
    fn settle(&mut self, name: &str, path: &Path, end: End) {
        match end {
            End::Applied => self.status.applied(),
            End::Rejected(_) => self.status.rejected(),
        }
        self.away.put(name, path, end, self.status.now_ms());
    }

    /// Names of the files that are to be applied, in order. Who writes one gives it a name that
    /// starts with a point, and renames it. What is no file, or has no name that can be said, is
    /// refused.
    fn names(&mut self) -> io::Result<Vec<String>> {
        // The first ones: how many there are is for others to say.
        let mut names = BinaryHeap::new();
        for entry in fs::read_dir(&self.path)? {
            let (entry, kind) = match entry.and_then(|entry| Ok((entry.file_type()?, entry))) {
                Ok((kind, entry)) => (entry, kind),
                // Somebody took it away.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let file_name = entry.file_name();
            let name = file_name.to_string_lossy();
            let is_own = [DONE, REJECTED, FINDINGS].contains(&&*name);
            if is_own || kind.is_dir() || name.starts_with('.') || self.away.is_stuck(&name) {
                continue;
            }
            match strange(&file_name, kind) {
                None => {
                    names.push(name.into_owned());
                    if names.len() > NAMES_MAX {
                        names.pop();
                    }
                }
                Some(why) => self.refuse(&name, &entry.path(), why.to_owned()),
            }
        }
        Ok(names.into_sorted_vec())
    }

    fn say(&mut self, text: &str) {
        if self.said != text {
            tracing::warn!(problem = text, "the spool waits");
            text.clone_into(&mut self.said);
        }
    }
}

/// Why what lies in the spool cannot be one of its files.
fn strange(name: &OsStr, kind: FileType) -> Option<&'static str> {
    if kind.is_symlink() {
        return Some("it is a symbolic link, expected the file itself: rename that into the spool");
    }
    if !kind.is_file() {
        return Some("it is a pipe, a socket or a device, expected a file");
    }
    name.to_str().is_none().then_some("its name is not UTF-8: give it another one")
}

#[cfg(test)]
mod tests;

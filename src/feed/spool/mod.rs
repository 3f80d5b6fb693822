//! The spool directory: files of changes that are dropped in by a rename, applied in order of their
//! names, or of their serials where the names say otherwise, and moved to `done/`, or to
//! `rejected/` with a file that says why.
//!
//! # Invariants
//!
//! - A file is moved once its outcome is on the disk: after a crash it is applied again, which
//!   changes nothing.
//! - A file whose serials are to come waits for the file that has those before, whatever the two
//!   are called; a file that nobody has brought holds up all that follow it.
//! - Before a directory has a serial, a refused file of records holds its place: see [`HELD`].
//! - A file that cannot be read waits, and holds up deposits; records whose serials follow go on.
//! - `done/` and `rejected/` are bounded, and no file there takes the place of another one.
//! - A process that may write into the spool chooses neither what else is read nor where files go:
//!   no symbolic link is followed in it.
//! - A file over which this process ended for lack of memory, or ends again and again, is refused.
//!
//! # Does not
//!
//! Apply: [`Intake`] does.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod apply;
mod attempt;
mod away;
mod folder;
mod held;
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
pub use self::away::faults;
use self::away::{Away, End};

pub(crate) use self::folder::{Folder, short};
pub use self::held::{HELD, release};
pub use self::moved::Keep;
pub use self::position::{POSITION, Position};
pub use self::status::{Report, Status, Waiting};
use super::{Applied, ApplyError, Intake};
use crate::import::{Follow, open_plain};

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
/// Folder of what was found in deposits; the code that applies them fills it.
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
    /// The folder of somebody that was spoken of.
    said_folder: Option<String>,
    /// The file that cannot be read, and since when.
    unreadable: Option<(String, i64)>,
    /// Whether a file can be read; a test has files that cannot.
    readable: fn(&Path) -> io::Result<()>,
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
    why: Why,
}

/// Why a file waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// For serials that come before its own.
    Gap,
    /// It cannot be read.
    Unreadable,
    /// For the disk, or for an operator.
    Trouble,
}

impl Spool {
    /// The spool at `path`, a folder of a snapshot directory; it is made if it is not there. `keep`
    /// bounds `done/` and `rejected/`, whose files have their days by `wall_ms`.
    ///
    /// Each pass reports a folder in it that is not a folder; it holds up nothing.
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
        Ok(Self {
            path: path.to_owned(),
            away: Away::open(path, keep, wall_ms),
            position: path.parent().map(Position::open).unwrap_or_default(),
            attempt: path.parent().map(Attempt::open).unwrap_or_default(),
            status,
            out_of_turn: BTreeMap::new(),
            said: String::new(),
            said_folder: None,
            unreadable: None,
            readable: |path| open_plain(path).map(drop),
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
                    self.status.waits(1, &path, &problem, None);
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
        self.away.look(self.status.now_ms());
        self.away.again();
        if intake.serial() > 0 {
            self.position.held.clear();
        } else if self.position.held.look() {
            tracing::info!(
                "{HELD} was removed: the feed begins with the lowest serial in the spool"
            );
        }
        let (mut names, strange) = self.names(intake.serial())?;
        self.status.found(names.len());
        self.out_of_turn.retain(|name, _| names.binary_search(name).is_ok());
        if intake.serial() == 0 {
            self.arrange(&mut names);
        }
        if !names.is_empty() {
            self.away.clear();
        }
        let waits = match strange {
            Some(waits) => Some(waits),
            None => self.in_order(&mut names, intake),
        };
        self.report(waits, intake.serial())
    }

    /// Applies files, up to the first one that waits.
    fn in_order(&mut self, names: &mut Vec<String>, intake: &mut dyn Intake) -> Option<Waits> {
        let waits = self.in_order_of_names(names, intake)?;
        // Serials show whether records depend on a file that cannot be read, if there are any.
        let may_go_on =
            waits.why == Why::Gap || (waits.why == Why::Unreadable && intake.serial() > 0);
        if !may_go_on {
            return Some(waits);
        }
        names.retain(|name| self.path.join(name).exists() && !self.away.is_stuck(name));
        let later = self.in_order_of_serials(names, intake);
        if waits.why == Why::Unreadable { Some(waits) } else { later }
    }

    /// Says how the spool is doing. Returns whether something waits.
    fn report(&mut self, waits: Option<Waits>, serial: u64) -> io::Result<bool> {
        let held = self.position.held.first();
        let held = held.map(|(count, name, problem)| (count, name.to_owned(), problem));
        let held_count = held.as_ref().map_or(0, |(count, ..)| *count);
        let now_ms = self.status.now_ms();
        let is_readable = waits.as_ref().is_none_or(|waits| waits.why != Why::Unreadable);
        self.unreadable.take_if(|(name, _)| {
            is_readable || waits.as_ref().is_some_and(|waits| waits.name != *name)
        });
        if let Some(Waits { name, problem, why }) = waits {
            let count = self.names(serial)?.0.len().saturating_add(held_count);
            self.say(&format!("{name}: {problem}"));
            // Others may go on: that does not make it wait again.
            let since = (why == Why::Unreadable)
                .then(|| self.unreadable.get_or_insert_with(|| (name.clone(), now_ms)).1);
            self.status.waits(count, &name, &problem, since);
        } else if let Some((count, name, problem)) = held {
            self.say(&format!("{name}: {problem}"));
            self.status.waits(count, &name, &problem, None);
        } else if let Some((count, name, problem, since_ms)) = self.away.trouble() {
            self.say(&format!("{name}: {problem}"));
            self.status.cannot_move(count, &name, &problem, since_ms);
        } else {
            self.said.clear();
            self.status.nothing_waits();
            return Ok(false);
        }
        Ok(true)
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

    /// Applies files of records in order of their first serials, up to the first one that waits
    /// and can be read: then a serial is missing that no file has, or the disk refuses. Returns
    /// the first one that waits.
    fn in_order_of_serials(&mut self, names: &[String], intake: &mut dyn Intake) -> Option<Waits> {
        let mut sorted: Vec<(u64, &String)> = names
            .iter()
            .filter(|name| is_records(Path::new(name)))
            .map(|name| (first_serial(&self.path.join(name)), name))
            .collect();
        sorted.sort_unstable();
        let mut unreadable = None;
        for (_, name) in sorted {
            match self.take(name, intake) {
                Outcome::Waits(waits) if waits.why == Why::Unreadable && intake.serial() > 0 => {
                    unreadable.get_or_insert(waits);
                }
                Outcome::Waits(waits) => return unreadable.or(Some(waits)),
                Outcome::Settled | Outcome::OutOfTurn(_) => {}
            }
        }
        unreadable
    }

    /// Applies a file, and moves it out of the way unless it has to wait.
    fn take(&mut self, name: &str, intake: &mut dyn Intake) -> Outcome {
        let path = self.path.join(name);
        let waits = |problem: String, why| Waits { name: name.to_owned(), problem, why };
        match (self.readable)(&path) {
            // Somebody took it away.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Outcome::Settled,
            Err(error) => {
                return Outcome::Waits(waits(SpoolError::Io(error).to_string(), Why::Unreadable));
            }
            Ok(()) => {}
        }
        if let Some(why) = self.attempt.refuses(&path, intake.serial()) {
            let outcome = self.refuse(name, &path, why, intake.serial());
            if matches!(outcome, Outcome::Settled) {
                // It may come again as it is.
                self.attempt.end();
            }
            return outcome;
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
                    return Outcome::OutOfTurn(waits(problem, Why::Trouble));
                }
                return self.refuse(name, &path, problem, intake.serial());
            }
            // Somebody took it away.
            Err(SpoolError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.holds_up() => {
                if matches!(error, SpoolError::Apply(ApplyError::Store { .. })) {
                    self.away.done.clear_all();
                }
                let why = match error {
                    SpoolError::Apply(ApplyError::Gap { .. }) | SpoolError::Held { .. } => Why::Gap,
                    SpoolError::Io(_) => Why::Unreadable,
                    _ => Why::Trouble,
                };
                return Outcome::Waits(waits(error.to_string(), why));
            }
            Err(error) => return self.refuse(name, &path, error.to_string(), intake.serial()),
        }
        Outcome::Settled
    }

    /// Refuses a file. Its place is noted before, if the directory has no serial that would show
    /// what is missing; a file whose place cannot be noted holds it by staying.
    fn refuse(&mut self, name: &str, path: &Path, why: String, serial: u64) -> Outcome {
        if serial == 0
            && is_records(path)
            && let Err(error) = self.position.hold(name, path)
        {
            let problem = format!(
                "it is refused ({why}), and stays here, because {HELD} cannot be written: {error}; \
                 make room, or mend the rights of the snapshot directory"
            );
            return Outcome::Waits(Waits { name: name.to_owned(), problem, why: Why::Trouble });
        }
        tracing::error!(file = name, error = why, "refused");
        self.settle(name, path, End::Rejected(why));
        Outcome::Settled
    }

    /// Counts the outcome of a file, which is on the disk, and moves the file away.
    fn settle(&mut self, name: &str, path: &Path, end: End) {
        match end {
            End::Applied => self.status.applied(),
            End::Rejected(_) => self.status.rejected(),
        }
        self.away.put(name, path, end, self.status.now_ms());
    }

    /// Names of the files that are to be applied, in order. A writer gives a file a name that
    /// starts with a point, and renames it. An entry that is not a file, or has no printable name,
    /// is refused, or waits if even that cannot be done. Folders are passed over.
    fn names(&mut self, serial: u64) -> io::Result<(Vec<String>, Option<Waits>)> {
        // The first ones: how many there are is for others to say.
        let mut names = BinaryHeap::new();
        let (mut waits, mut folder) = (None, None::<String>);
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
            if is_own || name.starts_with('.') || self.away.is_stuck(&name) {
                continue;
            }
            if kind.is_dir() {
                if folder.as_deref().is_none_or(|first| *name < *first) {
                    folder = Some(name.into_owned());
                }
                continue;
            }
            match strange(&file_name, kind) {
                None => {
                    names.push(name.into_owned());
                    if names.len() > NAMES_MAX {
                        names.pop();
                    }
                }
                Some(why) => {
                    let refused = self.refuse(&name, &entry.path(), why.to_owned(), serial);
                    if let Outcome::Waits(one) = refused {
                        waits = Some(one);
                    }
                }
            }
        }
        self.say_folder(folder);
        Ok((names.into_sorted_vec(), waits))
    }

    /// Says once that a folder is passed over.
    fn say_folder(&mut self, folder: Option<String>) {
        if folder != self.said_folder {
            if let Some(folder) = &folder {
                tracing::warn!(
                    folder,
                    "a folder in the spool is passed over; move the files in it into the spool"
                );
            }
            self.said_folder = folder;
        }
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
#[cfg(test)]
mod trouble_tests;

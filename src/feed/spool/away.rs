//! Files whose outcome is on the disk go away: to `done/`, or to `rejected/` with the reason.
//!
//! # Invariants
//!
//! - `once`: a file that cannot be moved is remembered as settled, and not applied again; it is
//!   tried again until it can be moved, and holds up no other one.
//! - A folder that somebody has replaced by something else is reported as long as that lasts. It
//!   holds up nothing, least of all the start of the server.
//!
//! # Does not
//!
//! Decide the outcome: the parent does.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::folder::Folder;
use super::moved::{Bounds, Keep, Shelf};
use super::{DONE, FINDINGS, REJECTED, WHY_ENDING};
use crate::store::Room;

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// It was applied.
    Applied,
    /// It was refused, and why.
    Rejected(String),
}

/// A file that is settled, and cannot be moved.
#[derive(Debug)]
struct Stuck {
    from: PathBuf,
    end: End,
    /// Which file of that name it is.
    id: Id,
    /// Why it cannot be moved.
    problem: String,
    /// Since when, by the process's own clock, ms.
    since_ms: i64,
}

impl Stuck {
    /// What is to be said of it.
    fn problem(&self) -> String {
        let (what, folder) = match self.end {
            End::Applied => ("it was applied", DONE),
            End::Rejected(_) => ("it was refused", REJECTED),
        };
        format!(
            "{what}, and cannot be moved to {folder}/: {}; {folder}/ has to be a folder on the \
             spool's own file system that this process may write",
            self.problem
        )
    }
}

/// What tells a file from another one of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Id {
    /// As one line of text.
    pub(super) fn text(self) -> String {
        let Self { inode, bytes, modified: (s, ns) } = self;
        format!("{inode} {bytes} {s} {ns}")
    }

    pub(super) fn of(path: &Path) -> Option<Self> {
        let meta = path.symlink_metadata().ok()?;
        let modified = (meta.mtime(), meta.mtime_nsec());
        Some(Self { inode: meta.ino(), bytes: meta.len(), modified })
    }
}

/// Where files go.
#[derive(Debug)]
pub(super) struct Away {
    pub(super) done: Shelf,
    pub(super) rejected: Shelf,
    stuck: BTreeMap<String, Stuck>,
    spool: PathBuf,
    fault: Option<Fault>,
}

/// A folder of the spool that cannot be used.
#[derive(Debug)]
struct Fault {
    folder: &'static str,
    problem: String,
    /// Since when, by the process's own clock, ms.
    since_ms: i64,
}

/// What is wrong with the server's folders in the spool at `spool`: name and problem of each one
/// that is there and cannot be used. Nothing is made.
#[must_use]
pub fn faults(spool: &Path) -> Vec<(&'static str, String)> {
    let checked =
        [DONE, REJECTED, FINDINGS].map(|folder| (folder, Folder::check(&spool.join(folder))));
    let fault = |(folder, checked): (&'static str, io::Result<()>)| match checked {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Some((folder, error.to_string())),
        _ => None,
    };
    checked.into_iter().filter_map(fault).collect()
}

impl Away {
    pub(super) fn open(spool: &Path, keep: Keep, wall_ms: fn() -> i64) -> Self {
        let Keep { count, bytes, rejected_bytes, days } = keep;
        let done = Bounds { count, bytes, days, gives_way: true, least: 1 };
        // Somebody has to look at these.
        let rejected =
            Bounds { count: u64::MAX, bytes: rejected_bytes, days, gives_way: false, least: 1 };
        let [done, rejected] = [(DONE, done), (REJECTED, rejected)]
            .map(|(folder, bounds)| Shelf::open(&spool.join(folder), bounds, Room::of, wall_ms));
        let (stuck, spool) = (BTreeMap::new(), spool.to_owned());
        Self { done, rejected, stuck, spool, fault: None }
    }

    /// Looks whether the folders are such, and says so once if one is not.
    pub(super) fn look(&mut self, now_ms: i64) {
        let found = faults(&self.spool).into_iter().next();
        let is_known = match (&self.fault, &found) {
            (Some(fault), Some((folder, problem))) => {
                fault.folder == *folder && fault.problem == *problem
            }
            (None, None) => true,
            _ => false,
        };
        if is_known {
            return;
        }
        let path = self.spool.display();
        match &found {
            Some((folder, problem)) => tracing::error!(
                %path,
                folder,
                problem,
                "a folder of the spool cannot be used; files are applied, and stay in the spool"
            ),
            None => tracing::info!(%path, "the folders of the spool can be used again"),
        }
        let since_ms = self.fault.as_ref().map_or(now_ms, |fault| fault.since_ms);
        self.fault = found.map(|(folder, problem)| Fault { folder, problem, since_ms });
    }

    /// What is wrong with files that are settled, or with the folders: how many files, which file
    /// or folder, what, and since when.
    pub(super) fn trouble(&self) -> Option<(usize, String, String, i64)> {
        if let Some((name, stuck)) = self.stuck.first_key_value() {
            return Some((self.stuck.len(), name.clone(), stuck.problem(), stuck.since_ms));
        }
        let Fault { folder, problem, since_ms } = self.fault.as_ref()?;
        let problem = format!("{problem}; remove what is there, or put the folder back");
        Some((0, format!("{folder}/"), problem, *since_ms))
    }

    /// Removes what is beyond the bounds of either folder.
    pub(super) fn clear(&mut self) {
        self.done.clear();
        self.rejected.clear();
    }

    /// Moves a file, or remembers that it cannot be moved.
    pub(super) fn put(&mut self, name: &str, from: &Path, end: End, now_ms: i64) {
        let Some(id) = Id::of(from) else { return };
        if let Err(error) = self.moved(name, from, &end) {
            let (from, problem) = (from.to_owned(), error.to_string());
            let stuck = Stuck { from, end, id, problem, since_ms: now_ms };
            self.stuck.insert(name.to_owned(), stuck);
        }
    }

    /// Tries files again that could not be moved, up to the first that still cannot.
    pub(super) fn again(&mut self) {
        self.stuck.retain(|_, stuck| Id::of(&stuck.from) == Some(stuck.id));
        while let Some((name, stuck)) = self.stuck.pop_first() {
            if let Err(error) = self.moved(&name, &stuck.from, &stuck.end) {
                self.stuck.insert(name, Stuck { problem: error.to_string(), ..stuck });
                return;
            }
        }
    }

    /// Whether a file of this name is settled, and cannot be moved.
    pub(super) fn is_stuck(&self, name: &str) -> bool {
        self.stuck.contains_key(name)
    }

    fn moved(&mut self, name: &str, from: &Path, end: &End) -> io::Result<()> {
        match end {
            End::Applied => self.done.take(from, name, None),
            End::Rejected(why) => {
                self.rejected.take(from, name, Some((WHY_ENDING, &format!("{why}\n"))))
            }
        }
    }
}

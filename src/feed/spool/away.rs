//! Files whose outcome is on the disk go away: to `done/`, or to `rejected/` with the reason.
//!
//! # Invariants
//!
//! - `once`: a file that cannot be moved is remembered as settled, and not applied again; it is
//!   tried again until it can be moved, and holds up no other one.
//!
//! # Does not
//!
//! Decide the outcome, or log: the parent does.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::moved::{self, Done, Keep, Room};
use super::{DONE, REJECTED, WHY_ENDING};

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
pub(super) struct Stuck {
    from: PathBuf,
    end: End,
    /// Which file of that name it is.
    id: Id,
    /// Why it cannot be moved.
    problem: String,
    /// Since when, by the process's own clock, ms.
    pub(super) since_ms: i64,
}

impl Stuck {
    /// What is to be said of it.
    pub(super) fn problem(&self) -> String {
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
struct Id {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Id {
    fn of(path: &Path) -> Option<Self> {
        let meta = path.symlink_metadata().ok()?;
        let modified = (meta.mtime(), meta.mtime_nsec());
        Some(Self { inode: meta.ino(), bytes: meta.len(), modified })
    }
}

/// Where files go.
#[derive(Debug)]
pub(super) struct Away {
    pub(super) done: Done,
    rejected: PathBuf,
    stuck: BTreeMap<String, Stuck>,
}

impl Away {
    pub(super) fn open(spool: &Path, keep: Keep) -> Self {
        let done = Done::open(&spool.join(DONE), keep, Room::of);
        Self { done, rejected: spool.join(REJECTED), stuck: BTreeMap::new() }
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

    /// How many cannot be moved, and the first one.
    pub(super) fn stuck(&self) -> Option<(usize, &str, &Stuck)> {
        let (name, stuck) = self.stuck.first_key_value()?;
        Some((self.stuck.len(), name, stuck))
    }

    fn moved(&mut self, name: &str, from: &Path, end: &End) -> io::Result<()> {
        let End::Rejected(why) = end else { return self.done.take(from, name) };
        // Somebody may have taken it away while the server runs.
        fs::create_dir_all(&self.rejected)?;
        let free = moved::free_name(&self.rejected, name)?;
        fs::write(self.rejected.join(format!("{free}{WHY_ENDING}")), format!("{why}\n"))?;
        moved::rename(from, &self.rejected, &free)
    }
}

//! The lock of an index: one process keeps it.
//!
//! # Invariants
//!
//! - `beside`: the file lies beside the folder of the index, so that it outlives the folder, which
//!   its keeper takes away to build a new one.
//!
//! # Does not
//!
//! Wait for the process that has it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use whoisd::held::Held;

/// The file: not `LOCK`, which a snapshot directory has that may be the same folder.
const LOCK: &str = "rdap-index.lock";
/// Any process that may open the file could hold it.
const MODE: u32 = 0o600;

/// The lock of the index in a folder, held or not.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    held: Option<Held>,
}

impl Lock {
    /// The lock in the folder that is configured; not held yet.
    pub(super) fn of(folder: &Path) -> Self {
        Self { path: folder.join(LOCK), held: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the lock if it is free. Whether this process has it, in the file that is there now: a
    /// file that somebody removes takes the lock with it, and another process may make a new one.
    pub(super) fn take(&mut self) -> io::Result<bool> {
        if let Some(held) = &self.held
            && held.is_of(&self.path)?
        {
            return Ok(true);
        }
        self.held = None;
        let held = match Held::try_new(&self.open()?) {
            Ok(held) => held,
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        };
        if held.is_of(&self.path)? {
            self.held = Some(held);
        }
        Ok(self.held.is_some())
    }

    /// Opens the file, which is made if it is not there.
    pub(super) fn open(&self) -> io::Result<File> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(MODE).open(&self.path)
    }

    /// Whether this user may take it, where the file is there.
    pub(super) fn check(&self) -> io::Result<()> {
        match OpenOptions::new().write(true).open(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_until_it_ends_whatever_becomes_of_the_folder_of_the_index() {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path().join("rdap-index");
        fs::create_dir(&index).unwrap();
        let (mut one, mut other) = (Lock::of(folder.path()), Lock::of(folder.path()));
        one.check().unwrap();
        assert!(!one.path().exists(), "a check makes nothing");
        assert!(one.take().unwrap() && one.take().unwrap());
        fs::remove_dir_all(&index).unwrap();
        assert!(!other.take().unwrap());
        drop(one);
        assert!(other.take().unwrap());
    }

    #[test]
    fn a_lock_whose_file_was_removed_is_another_ones() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("search");
        let (mut one, mut other) = (Lock::of(&place), Lock::of(&place));
        assert!(one.take().unwrap());
        fs::remove_dir_all(&place).unwrap();
        assert!(other.take().unwrap());
        assert!(!one.take().unwrap());
        drop(other);
        assert!(one.take().unwrap());
    }
}

//! Locks on files that end with their holder.
//!
//! # Invariants
//!
//! - A lock that is dropped is free. Closing its file alone would not do: a process that is being
//!   started by another thread at that moment has the file open as well, until it runs its own
//!   program, and a lock stays until its last descriptor is closed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A file whose lock is held.
#[derive(Debug)]
pub struct Held(File);

impl Held {
    /// Takes the lock of a file, or says that another process holds it.
    ///
    /// # Errors
    ///
    /// It is held, or the system refuses.
    pub fn try_new(file: &File) -> Result<Self, TryLockError> {
        file.try_lock()?;
        // The same open file: its lock is this one's.
        file.try_clone().map(Self).map_err(TryLockError::Error)
    }

    /// Whether the file at `path` is the one that is locked. Costs two system calls.
    ///
    /// # Errors
    ///
    /// The system refuses; a file that is not there is not an error.
    pub fn is_of(&self, path: &Path) -> io::Result<bool> {
        let there = match fs::metadata(path) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let own = self.0.metadata()?;
        Ok((own.dev(), own.ino()) == (there.dev(), there.ino()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing it is what is left to do.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_dropped_is_free_though_its_file_is_still_open_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("LOCK");
        let file = File::create(&path).unwrap();
        let held = Held::try_new(&file).unwrap();
        let other = File::open(&path).unwrap();
        assert!(matches!(Held::try_new(&other), Err(TryLockError::WouldBlock)));
        // As a child process has it that does not run its own program yet.
        let inherited = file.try_clone().unwrap();
        drop((held, file));
        let held = Held::try_new(&other).unwrap();
        assert!(held.is_of(&path).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!held.is_of(&path).unwrap(), "removed");
        File::create(&path).unwrap();
        assert!(!held.is_of(&path).unwrap(), "another file");
        drop(inherited);
    }
}

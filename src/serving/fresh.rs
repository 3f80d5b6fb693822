//! A directory that a command makes for a snapshot: gone again if none came into it.
//!
//! # Invariants
//!
//! - Only what the command made is taken away, and of that only a directory without anything but a
//!   lock file that nobody holds.
//!
//! # Does not
//!
//! Say so: the command's own error does.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::held::Held;
use crate::store::LOCK;

/// Takes away what was made for nothing, once the writer is gone: to be made before it.
#[derive(Debug)]
#[must_use = "dropped at once, it takes nothing away"]
pub struct Fresh {
    /// The snapshot directory, then those above it, that were not there.
    made: Vec<PathBuf>,
}

impl Fresh {
    /// For a snapshot directory that perhaps is not there yet.
    pub fn of(directory: &Path) -> Self {
        let missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let made = directory.ancestors().take_while(missing).map(Path::to_owned).collect();
        Self { made }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let Some(directory) = self.made.first() else { return };
        // Files that cannot be removed do no harm, and the error that led here is reported.
        let Ok(mut entries) = fs::read_dir(directory) else { return };
        if !entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == OsStr::new(LOCK))) {
            return;
        }
        let lock = directory.join(LOCK);
        // Another command may have begun to write there.
        let held = File::open(&lock).ok().and_then(|file| Held::try_new(&file).ok());
        if held.is_some() && fs::remove_file(&lock).is_ok() {
            // Those that hold something else by now stay.
            let _ = self.made.iter().try_for_each(fs::remove_dir);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_made_for_nothing_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let (above, directory) = (folder.path().join("a"), folder.path().join("a/b"));
        let lock = directory.join(LOCK);
        let make = || {
            fs::create_dir_all(&directory).unwrap();
            File::create(&lock).unwrap();
        };
        let fresh = Fresh::of(&directory);
        make();
        drop(fresh);
        assert!(!above.exists() && folder.path().exists());
        // A snapshot came.
        let fresh = Fresh::of(&directory);
        make();
        fs::write(directory.join("MANIFEST"), "").unwrap();
        drop(fresh);
        assert!(lock.exists());
        fs::remove_file(directory.join("MANIFEST")).unwrap();
        // It was there before.
        drop(Fresh::of(&directory));
        assert!(lock.exists());
        // Somebody else writes there.
        fs::remove_dir_all(&above).unwrap();
        let fresh = Fresh::of(&directory);
        make();
        let held = Held::try_new(&File::open(&lock).unwrap()).unwrap();
        drop(fresh);
        assert!(lock.exists());
        drop(held);
    }
}

//! Where the files of a CSV deposit are until it is whole: a folder within the one that they are
//! for, whose name no import looks for.
//!
//! # Invariants
//!
//! - `header last`: the XML gets its name once all files that it declares have theirs.
//! - `no detour`: an entry that has such a name is replaced, a link as well, and never followed.
//! - `nothing half`: whatever ends the writing, the folder goes with its files, and so do folders
//!   that were made for the deposit.
//!
//! # Does not
//!
//! Write the files.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder of files that are being written.
pub(super) struct Folder {
    folder: Option<TempDir>,
    directory: PathBuf,
    /// The directory, then those above it, that were not there.
    made: Vec<PathBuf>,
}

impl Folder {
    /// For files of `directory`, which is made if it is not there.
    pub(super) fn new(directory: &Path) -> io::Result<Self> {
        let missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let made = directory.ancestors().take_while(missing).map(Path::to_owned).collect();
        let mut aside = Self { folder: None, directory: directory.to_owned(), made };
        fs::create_dir_all(directory)?;
        let mut folder = tempfile::Builder::new();
        let folder = folder.prefix(".whoisd-").suffix(".new").tempdir_in(directory);
        aside.folder = Some(folder.map_err(|error| {
            io::Error::new(error.kind(), format!("no file can be made in it: {}", error.kind()))
        })?);
        Ok(aside)
    }

    /// Where the files are to be written.
    pub(super) fn path(&self) -> &Path {
        self.folder.as_ref().map_or(&self.directory, TempDir::path)
    }

    /// Gives all files their names, `header` last; gives the path of that.
    pub(super) fn settle(mut self, header: &str) -> io::Result<PathBuf> {
        let from = self.path().to_owned();
        for entry in fs::read_dir(&from)? {
            let name = entry?.file_name();
            if name != OsStr::new(header) {
                fs::rename(from.join(&name), self.directory.join(&name))?;
            }
        }
        let path = self.directory.join(header);
        fs::rename(from.join(header), &path)?;
        self.made.clear();
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A file that cannot be removed does no harm; the error that led here is reported.
        drop(self.folder.take());
        // A folder that holds something else by now stays.
        let _ = self.made.iter().try_for_each(fs::remove_dir);
    }
}

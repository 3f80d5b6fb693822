//! Where files of the spool go: renamed, never over another one, and of those that were applied
//! only the newest are kept.
//!
//! # Does not
//!
//! Decide which folder: the parent does.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// Files that are kept in `done/` without a setting.
const DONE_COUNT: u64 = 10_000;
/// Their bytes.
const DONE_BYTES: u64 = 1 << 30;
/// Files of one name that are kept apart.
const SAME_NAME_MAX: u32 = 100_000;

/// What is kept of files that were applied: the newest, up to both. The last one stays in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Files.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Default for Keep {
    fn default() -> Self {
        Self { count: DONE_COUNT, bytes: DONE_BYTES }
    }
}

/// The folder of files that were applied.
#[derive(Debug)]
pub(super) struct Done {
    path: PathBuf,
    keep: Keep,
    /// Names and bytes, the oldest first.
    files: VecDeque<(String, u64)>,
    bytes: u64,
}

impl Done {
    /// The folder at `path`, with what lies there in the order in which it came.
    pub(super) fn open(path: &Path, keep: Keep) -> Self {
        let mut files = Vec::new();
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            let Ok(name) = entry.file_name().into_string() else { continue };
            if meta.is_file() {
                // A rename changes this time, and leaves the others.
                files.push(((meta.ctime(), meta.ctime_nsec()), name, meta.len()));
            }
        }
        files.sort_unstable();
        let files: VecDeque<_> = files.into_iter().map(|(_, name, bytes)| (name, bytes)).collect();
        let bytes = files.iter().fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
        let mut done = Self { path: path.to_owned(), keep, files, bytes };
        done.clear();
        done
    }

    /// Takes a file that was applied.
    pub(super) fn take(&mut self, from: &Path, name: &str) -> io::Result<()> {
        let bytes = fs::metadata(from).map_or(0, |meta| meta.len());
        let free = free_name(&self.path, name)?;
        rename(from, &self.path, &free)?;
        self.files.push_back((free, bytes));
        self.bytes = self.bytes.saturating_add(bytes);
        self.clear();
        Ok(())
    }

    /// Removes the oldest files, down to the bound.
    fn clear(&mut self) {
        let is_over =
            |done: &Self| done.files.len() as u64 > done.keep.count || done.bytes > done.keep.bytes;
        while self.files.len() > 1 && is_over(self) {
            let Some((name, bytes)) = self.files.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(bytes);
            match fs::remove_file(self.path.join(&name)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(file = name, %error, "a file of done/ cannot be removed");
                }
            }
        }
    }
}

/// A name that no file of a folder has: the one that is wanted, or that with a number behind it.
pub(super) fn free_name(folder: &Path, name: &str) -> io::Result<String> {
    let with_number = (1..SAME_NAME_MAX).map(|number| format!("{name}.{number}"));
    std::iter::once(name.to_owned())
        .chain(with_number)
        .find(|name| folder.join(name).symlink_metadata().is_err())
        .ok_or_else(|| io::Error::other(format!("too many files are called {name}")))
}

/// Renames a file into a folder; one of the name is an error.
pub(super) fn rename(from: &Path, folder: &Path, name: &str) -> io::Result<()> {
    let to = folder.join(name);
    match renameat_with(CWD, from, CWD, &to, RenameFlags::NOREPLACE) {
        // The file system does not know how; nobody else writes here.
        Err(Errno::INVAL | Errno::NOSYS) => fs::rename(from, &to),
        renamed => Ok(renamed?),
    }
}

//! A folder in the spool that this process keeps: any process that may write into the spool could
//! put something else in its place, and must not choose by that where files go.
//!
//! # Invariants
//!
//! - The folder is opened as one, never through a symbolic link, and everything in it is done
//!   through that one opening.
//! - No name is longer than a file system takes.
//!
//! # Does not
//!
//! Know what the files mean.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, Dir, Mode, OFlags, RenameFlags, Stat, accessat};
use rustix::fs::{mkdirat, openat, renameat, renameat_with, statat, unlinkat};
use rustix::io::Errno;

/// Longest name that a file system takes, bytes.
const NAME_BYTES_MAX: usize = 255;
/// Room for a number and an ending after a name, bytes.
const BEHIND_BYTES: usize = 32;
/// Of a name that is too long the end stays, bytes: the file's own ending.
const END_BYTES: usize = 24;
/// Files of one name that are kept apart.
const SAME_NAME_MAX: u32 = 100_000;
/// Permissions of a folder, and of a file in it.
const FOLDER_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

/// How a folder is opened.
const FOLDER_FLAGS: OFlags =
    OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::RDONLY).union(OFlags::CLOEXEC);

/// A folder that is open.
#[derive(Debug)]
pub(crate) struct Folder {
    opened: OwnedFd,
}

/// A file of a folder.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// When it was put here, seconds and nanoseconds since the epoch: a rename changes this time,
    /// and leaves the others.
    pub(crate) changed: (i64, i64),
}

impl Folder {
    /// The folder at `path`, which is made if it is not there.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let opened = match openat(CWD, path, FOLDER_FLAGS, Mode::empty()) {
            Err(Errno::NOENT) => {
                let made = mkdirat(CWD, path, Mode::from_raw_mode(FOLDER_MODE));
                made.or_else(|error| if error == Errno::EXIST { Ok(()) } else { Err(error) })?;
                openat(CWD, path, FOLDER_FLAGS, Mode::empty())
            }
            opened => opened,
        };
        Ok(Self { opened: opened.map_err(strange)? })
    }

    /// Whether the folder at `path` is one that this process may write.
    ///
    /// # Errors
    ///
    /// It is not a folder, or is not there: `NotFound`.
    pub(super) fn check(path: &Path) -> io::Result<()> {
        let opened = openat(CWD, path, FOLDER_FLAGS, Mode::empty()).map_err(strange)?;
        let access = Access::WRITE_OK | Access::EXEC_OK;
        accessat(&opened, ".", access, AtFlags::empty()).map_err(|error| {
            io::Error::new(
                io::Error::from(error).kind(),
                format!("this process may not write there: {}", io::Error::from(error)),
            )
        })
    }

    /// Its files, in no order.
    pub(crate) fn files(&self) -> io::Result<Vec<Entry>> {
        let mut files = Vec::new();
        for entry in Dir::read_from(&self.opened)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            // Somebody took it away.
            let Some(stat) = self.stat(name) else { continue };
            if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
                let bytes = u64::try_from(stat.st_size).unwrap_or(0);
                let nanoseconds = i64::try_from(stat.st_ctime_nsec).unwrap_or(0);
                let changed = (stat.st_ctime, nanoseconds);
                files.push(Entry { name: name.to_owned(), bytes, changed });
            }
        }
        Ok(files)
    }

    fn stat(&self, name: &str) -> Option<Stat> {
        statat(&self.opened, name, AtFlags::SYMLINK_NOFOLLOW).ok()
    }

    /// A name that no file has: the one that is wanted, shortened where it is too long, or that
    /// with a number after it.
    pub(super) fn free_name(&self, wanted: &str) -> io::Result<String> {
        let wanted = short(wanted);
        let with_number = (1..SAME_NAME_MAX).map(|number| format!("{wanted}.{number}"));
        std::iter::once(wanted.clone())
            .chain(with_number)
            .find(|name| self.stat(name).is_none())
            .ok_or_else(|| io::Error::other(format!("too many files are called {wanted}")))
    }

    /// Makes a file, in the place of one of that name.
    pub(crate) fn create(&self, name: &str) -> io::Result<File> {
        self.remove(name)?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        Ok(openat(&self.opened, name, flags, Mode::from_raw_mode(FILE_MODE))?.into())
    }

    /// Writes a file, in the place of one of that name.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        self.create(name)?.write_all(text.as_bytes())
    }

    /// Renames a file of the folder.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&self.opened, from, &self.opened, to)?)
    }

    /// Renames a file into the folder; one of the name is an error.
    pub(super) fn take(&self, from: &Path, name: &str) -> io::Result<()> {
        match renameat_with(CWD, from, &self.opened, name, RenameFlags::NOREPLACE) {
            // The file system does not know how; nobody else writes here.
            Err(Errno::INVAL | Errno::NOSYS) => Ok(renameat(CWD, from, &self.opened, name)?),
            renamed => Ok(renamed?),
        }
    }

    /// Removes a file; one that is gone already is not an error.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.opened, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What is wrong where a folder should be.
fn strange(error: Errno) -> io::Error {
    match error {
        Errno::LOOP | Errno::NOTDIR => {
            io::Error::other("it is a symbolic link or a file, expected a folder")
        }
        error => error.into(),
    }
}

/// A name with room for a number and an ending after it: of one that is too long the beginning and
/// the end.
pub(crate) fn short(name: &str) -> String {
    let bytes_max = NAME_BYTES_MAX - BEHIND_BYTES;
    if name.len() <= bytes_max {
        return name.to_owned();
    }
    let begin = name.floor_char_boundary(bytes_max.saturating_sub(END_BYTES).saturating_sub(1));
    let end = name.ceil_char_boundary(name.len().saturating_sub(END_BYTES));
    let part = |range: std::ops::Range<usize>| name.get(range).unwrap_or_default();
    format!("{}~{}", part(0..begin), part(end..name.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_too_long_keeps_its_beginning_and_its_ending() {
        for long in [format!("{}.jsonl", "x".repeat(249)), format!("{}.xml", "ü".repeat(125))] {
            let short = short(&long);
            assert!(short.len() <= NAME_BYTES_MAX - BEHIND_BYTES, "{short}");
            assert_eq!(long.rsplit('.').next(), short.rsplit('.').next());
        }
        assert_eq!(short("a.jsonl"), "a.jsonl");
    }

    #[test]
    fn a_folder_is_not_opened_through_a_link() {
        let spool = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let path = spool.path().join("done");
        std::os::unix::fs::symlink(elsewhere.path(), &path).unwrap();
        let refused = Folder::open(&path).unwrap_err();
        assert_eq!(refused.to_string(), "it is a symbolic link or a file, expected a folder");
        std::fs::remove_file(&path).unwrap();
        // Once it is open it is the same one, whatever stands at its path.
        let folder = Folder::open(&path).unwrap();
        std::fs::rename(&path, spool.path().join("aside")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), &path).unwrap();
        folder.write("a", "text").unwrap();
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
        assert_eq!(std::fs::read(spool.path().join("aside/a")).unwrap(), b"text");
    }
}

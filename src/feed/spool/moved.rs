//! Where files of the spool go: renamed, never over another one, and of those that were applied
//! only the newest are kept, as far as the disk has room for them.
//!
//! # Invariants
//!
//! - `changes first`: what was applied gives its room up before the log lacks it.
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
/// Such a share of the disk is theirs at most, and such a one has to stay free beside them.
const DISK_SHARE: u64 = 8;
/// More need not stay free, bytes: with less a log gets shorter parts; see `store::live`.
const FREE_BYTES: u64 = 512 << 20;
/// Files of one name that are kept apart.
const SAME_NAME_MAX: u32 = 100_000;

/// What is kept of files that were applied: the newest, up to both, and to an eighth of the disk.
/// The last one stays, unless the log lacks room.
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

/// A disk, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) all: u64,
    pub(super) free: u64,
}

impl Room {
    /// Of the disk that has a folder; `None`: it does not say.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let system = rustix::fs::statvfs(path).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(system.f_frsize);
        Some(Self { all: bytes(system.f_blocks), free: bytes(system.f_bavail) })
            .filter(|room| room.all > 0)
    }

    const fn share(self) -> u64 {
        self.all / DISK_SHARE
    }

    fn is_little(self) -> bool {
        self.free < FREE_BYTES.min(self.share())
    }
}

/// The folder of files that were applied.
#[derive(Debug)]
pub(super) struct Done {
    path: PathBuf,
    keep: Keep,
    room: fn(&Path) -> Option<Room>,
    /// Whether it was said that the disk has little room.
    is_said: bool,
    /// Names and bytes, the oldest first.
    files: VecDeque<(String, u64)>,
    bytes: u64,
}

impl Done {
    /// The folder at `path`, with what lies there in the order in which it came.
    pub(super) fn open(path: &Path, keep: Keep, room: fn(&Path) -> Option<Room>) -> Self {
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
        let (path, is_said) = (path.to_owned(), false);
        let mut done = Self { path, keep, room, is_said, files, bytes };
        done.clear();
        done
    }

    /// Takes a file that was applied.
    pub(super) fn take(&mut self, from: &Path, name: &str) -> io::Result<()> {
        let bytes = fs::metadata(from).map_or(0, |meta| meta.len());
        // Somebody may have taken it away while the server runs.
        fs::create_dir_all(&self.path)?;
        let free = free_name(&self.path, name)?;
        rename(from, &self.path, &free)?;
        self.files.push_back((free, bytes));
        self.bytes = self.bytes.saturating_add(bytes);
        self.clear();
        Ok(())
    }

    /// Removes the oldest files, down to the bounds and until the disk has room; the newest stays,
    /// for whoever waits to see it.
    pub(super) fn clear(&mut self) {
        self.give_up(1);
    }

    /// Removes the oldest files, down to the bounds and until the disk has room, or all: the log
    /// lacks it.
    pub(super) fn clear_all(&mut self) {
        self.give_up(0);
    }

    fn give_up(&mut self, least: usize) {
        while self.files.len() > least {
            let room = (self.room)(&self.path);
            let bytes = room.map_or(self.keep.bytes, |room| self.keep.bytes.min(room.share()));
            let is_little = room.is_some_and(Room::is_little);
            let is_over = self.files.len() as u64 > self.keep.count || self.bytes > bytes;
            self.say(is_little);
            if !is_little && (!is_over || self.files.len() <= 1) {
                return;
            }
            self.remove_oldest();
        }
    }

    /// Says once that files go because the disk has little room.
    fn say(&mut self, is_little: bool) {
        if is_little && !self.is_said {
            let path = self.path.display();
            tracing::warn!(
                %path,
                "the disk has little room: files that were applied are not kept, so that changes \
                 find it; make room"
            );
        }
        self.is_said = is_little;
    }

    fn remove_oldest(&mut self) {
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static ROOM: Cell<Option<Room>> = const { Cell::new(None) };
    }

    /// A folder in which files of 100 bytes lie, and that much of a disk.
    fn done(folder: &Path, count: usize, room: Room) -> Done {
        ROOM.set(Some(room));
        let mut done = Done::open(&folder.join("done"), Keep::default(), |_| ROOM.get());
        for number in 0..count {
            let file = folder.join(format!("{number}"));
            fs::write(&file, [0; 100]).unwrap();
            done.take(&file, &format!("{number}")).unwrap();
        }
        done
    }

    #[test]
    fn files_have_an_eighth_of_the_disk_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let done = done(folder.path(), 20, Room { all: 8000, free: 8000 });
        assert_eq!((done.files.len(), done.bytes), (10, 1000));
        assert_eq!(fs::read_dir(folder.path().join("done")).unwrap().count(), 10);
    }

    #[test]
    fn files_go_before_the_log_lacks_room_and_the_newest_one_goes_last() {
        let folder = tempfile::tempdir().unwrap();
        let mut done = done(folder.path(), 5, Room { all: 8000, free: 1000 });
        assert_eq!(done.files.len(), 5);
        done.clear_all();
        assert_eq!(done.files.len(), 5, "there is room");
        ROOM.set(Some(Room { all: 8000, free: 999 }));
        done.clear();
        assert_eq!(done.files.front().unwrap().0, "4");
        done.clear_all();
        assert_eq!((done.files.len(), done.bytes), (0, 0));
        // Of a large disk as much as parts of the usual length want.
        let large = |free| Room { all: 1 << 40, free }.is_little();
        assert!(!large(FREE_BYTES) && large(FREE_BYTES - 1));
    }
}

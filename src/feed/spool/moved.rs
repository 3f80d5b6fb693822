//! Where files of the spool go: renamed, never over another one. Of each folder only the newest are
//! kept, within bounds of number, bytes and days, as far as the disk has room: they hold data of
//! people.
//!
//! # Invariants
//!
//! - `changes first`: what was applied gives its room up before the log lacks it.
//!
//! # Does not
//!
//! Decide which folder: the parent does.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::folder::Folder;
use crate::store::Room;

/// Files that are kept in `done/` without a setting.
const DONE_COUNT: u64 = 10_000;
/// Their bytes.
const DONE_BYTES: u64 = 1 << 30;
/// Bytes that are kept in `rejected/`.
const REJECTED_BYTES: u64 = 1 << 30;
/// Days that files are kept in either.
const DAYS: u64 = 30;
const DAY: Duration = Duration::from_secs(86_400);
/// What a file takes at least, bytes: a block.
const FILE_BYTES_MIN: u64 = 4096;

/// What is kept of files that were applied or refused: the newest, up to all of these, and to an
/// eighth of the disk. The last one stays, unless the log lacks room or its days are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Files that were applied.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of files that were refused.
    pub rejected_bytes: u64,
    /// Days that files of either kind are kept.
    pub days: u64,
}

impl Default for Keep {
    fn default() -> Self {
        let (count, bytes, rejected_bytes) = (DONE_COUNT, DONE_BYTES, REJECTED_BYTES);
        Self { count, bytes, rejected_bytes, days: DAYS }
    }
}

/// What one folder keeps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) count: u64,
    pub(super) bytes: u64,
    pub(super) days: u64,
    /// Whether files go where the disk has little room.
    pub(super) gives_way: bool,
    /// Files that stay in any case: the newest one, and what says why it is there.
    pub(super) least: usize,
}

/// A file that is kept.
#[derive(Debug)]
struct Kept {
    name: String,
    bytes: u64,
    /// When it came, ms since the epoch.
    came_ms: i64,
}

/// A folder of files that the spool is done with.
#[derive(Debug)]
pub(super) struct Shelf {
    path: PathBuf,
    bounds: Bounds,
    room: fn(&Path) -> Option<Room>,
    now_ms: fn() -> i64,
    /// Whether it was said that the disk has little room.
    is_said: bool,
    /// The oldest first.
    files: VecDeque<Kept>,
    bytes: u64,
}

impl Shelf {
    /// The folder at `path`, with what lies there in the order in which it came.
    pub(super) fn open(
        path: &Path,
        bounds: Bounds,
        room: fn(&Path) -> Option<Room>,
        now_ms: fn() -> i64,
    ) -> Self {
        let listed = Folder::open(path).and_then(|folder| folder.files());
        let mut listed = listed.unwrap_or_default();
        listed.sort_unstable_by(|one, other| {
            (one.changed, &one.name).cmp(&(other.changed, &other.name))
        });
        let (path, is_said) = (path.to_owned(), false);
        let (files, bytes) = (VecDeque::with_capacity(listed.len()), 0);
        let mut shelf = Self { path, bounds, room, now_ms, is_said, files, bytes };
        for file in listed {
            let came_ms = file.changed.0.saturating_mul(1000);
            shelf.note(file.name, file.bytes, came_ms);
        }
        shelf.clear();
        shelf
    }

    fn note(&mut self, name: String, bytes: u64, came_ms: i64) {
        let bytes = bytes.max(FILE_BYTES_MIN);
        self.files.push_back(Kept { name, bytes, came_ms });
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Takes a file, and beside it a text about it: the ending of its name, and the text.
    pub(super) fn take(
        &mut self,
        from: &Path,
        name: &str,
        about: Option<(&str, &str)>,
    ) -> io::Result<()> {
        let bytes = from.symlink_metadata().map_or(0, |meta| meta.len());
        // Somebody may have taken it away while the server runs.
        let folder = Folder::open(&self.path)?;
        let free = folder.free_name(name)?;
        let now_ms = (self.now_ms)();
        let about = about.map(|(ending, text)| (format!("{free}{ending}"), text));
        if let Some((name, text)) = &about {
            folder.write(name, text)?;
        }
        folder.take(from, &free)?;
        if let Some((name, text)) = about {
            self.note(name, text.len() as u64, now_ms);
        }
        self.note(free, bytes, now_ms);
        self.clear();
        Ok(())
    }

    /// Removes the oldest files, down to the bounds and until the disk has room; the newest stays,
    /// for whoever waits to see it.
    pub(super) fn clear(&mut self) {
        self.give_up(self.bounds.least);
    }

    /// Removes the oldest files, down to the bounds and until the disk has room, or all: the log
    /// lacks it.
    pub(super) fn clear_all(&mut self) {
        self.give_up(0);
    }

    fn give_up(&mut self, least: usize) {
        let is_old = |kept: &Kept, now_ms: i64, days: u64| {
            let age_ms = u64::try_from(now_ms.saturating_sub(kept.came_ms)).unwrap_or(0);
            Duration::from_millis(age_ms)
                > DAY.saturating_mul(u32::try_from(days).unwrap_or(u32::MAX))
        };
        while let Some(oldest) = self.files.front()
            && is_old(oldest, (self.now_ms)(), self.bounds.days)
        {
            self.remove_oldest();
        }
        while self.files.len() > least {
            let room = (self.room)(&self.path);
            let bytes = room.map_or(self.bounds.bytes, |room| self.bounds.bytes.min(room.share()));
            let is_little = self.bounds.gives_way && room.is_some_and(Room::is_little);
            let is_over = self.files.len() as u64 > self.bounds.count || self.bytes > bytes;
            self.say(is_little);
            if !is_little && (!is_over || self.files.len() <= self.bounds.least) {
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
        let Some(Kept { name, bytes, .. }) = self.files.pop_front() else { return };
        self.bytes = self.bytes.saturating_sub(bytes);
        let removed = Folder::open(&self.path).and_then(|folder| folder.remove(&name));
        if let Err(error) = removed {
            let path = self.path.display();
            tracing::warn!(%path, file = name, %error, "a file of the spool cannot be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;

    use super::*;

    const DAY_MS: i64 = 86_400_000;

    thread_local! {
        static ROOM: Cell<Option<Room>> = const { Cell::new(None) };
        static NOW_MS: Cell<i64> = const { Cell::new(0) };
    }

    /// A folder in which files of a block lie, and that much of a disk.
    fn shelf(folder: &Path, count: usize, room: Room) -> Shelf {
        ROOM.set(Some(room));
        let Keep { count: count_max, bytes, days, .. } = Keep::default();
        let bounds = Bounds { count: count_max, bytes, days, gives_way: true, least: 1 };
        let mut shelf = Shelf::open(&folder.join("done"), bounds, |_| ROOM.get(), || NOW_MS.get());
        for number in 0..count {
            let file = folder.join(format!("{number}"));
            fs::write(&file, [0; 100]).unwrap();
            shelf.take(&file, &format!("{number}"), None).unwrap();
        }
        shelf
    }

    #[test]
    fn files_have_an_eighth_of_the_disk_at_most_and_a_small_one_counts_as_a_block() {
        let folder = tempfile::tempdir().unwrap();
        let all = 10 * FILE_BYTES_MIN * 8;
        let shelf = shelf(folder.path(), 20, Room { all, free: all });
        assert_eq!((shelf.files.len(), shelf.bytes), (10, 10 * FILE_BYTES_MIN));
        assert_eq!(fs::read_dir(folder.path().join("done")).unwrap().count(), 10);
    }

    #[test]
    fn files_go_before_the_log_lacks_room_and_the_newest_one_goes_last() {
        let folder = tempfile::tempdir().unwrap();
        let (all, little) = (800 << 20, 100 << 20);
        let mut shelf = shelf(folder.path(), 5, Room { all, free: little });
        assert_eq!(shelf.files.len(), 5);
        shelf.clear_all();
        assert_eq!(shelf.files.len(), 5, "there is room");
        ROOM.set(Some(Room { all, free: little - 1 }));
        shelf.clear();
        assert_eq!(shelf.files.front().unwrap().name, "4");
        shelf.clear_all();
        assert_eq!((shelf.files.len(), shelf.bytes), (0, 0));
    }

    #[test]
    fn files_go_after_their_days_the_newest_too() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room { all: 1 << 40, free: 1 << 40 };
        let mut shelf = shelf(folder.path(), 2, room);
        let days = i64::try_from(DAYS).unwrap();
        NOW_MS.set(days * DAY_MS);
        let file = folder.path().join("late");
        fs::write(&file, "").unwrap();
        shelf.take(&file, "late", Some((".why", "because\n"))).unwrap();
        assert_eq!(shelf.files.len(), 4);
        NOW_MS.set(days * DAY_MS + 1);
        shelf.clear();
        let left: Vec<_> = shelf.files.iter().map(|kept| kept.name.as_str()).collect();
        assert_eq!(left, ["late.why", "late"]);
        NOW_MS.set(2 * days * DAY_MS + 1);
        shelf.clear();
        assert_eq!(fs::read_dir(folder.path().join("done")).unwrap().count(), 0);
    }

    #[test]
    fn a_name_of_the_greatest_length_finds_its_place_with_the_reason_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = shelf(folder.path(), 0, Room { all: 1 << 40, free: 1 << 40 });
        let name = format!("{}.jsonl", "n".repeat(249));
        for _ in 0..2 {
            let file = folder.path().join(&name);
            fs::write(&file, "").unwrap();
            shelf.take(&file, &name, Some((".why", "because\n"))).unwrap();
        }
        let listed = fs::read_dir(folder.path().join("done")).unwrap();
        let mut endings: Vec<_> = listed
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|name| name.split_once("n.").unwrap().1.to_owned())
            .collect();
        endings.sort();
        assert_eq!(endings, ["jsonl", "jsonl.1", "jsonl.1.why", "jsonl.why"]);
    }
}

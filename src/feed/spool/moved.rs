//! Where files of the spool go: renamed, never over another one. Of each folder only the newest are
//! kept, within bounds of number, bytes and days, as far as the disk has room: they hold data of
//! people.
//!
//! # Invariants
//!
//! - `changes first`: what was applied gives its room up before the log lacks it.
//! - `reasons apart`: texts that say why a file is here have a bound of their own, and outlive it.
//! - A file that is larger than the bound by itself pushes out no other one: it stays until a newer
//!   one comes.
//!
//! # Does not
//!
//! Decide which folder: the parent does.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::WHY_ENDING;
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
/// Bytes of the texts about files: a thousand of a block.
const TEXT_BYTES: u64 = 4 << 20;
/// What a file takes at least, bytes: a block.
const FILE_BYTES_MIN: u64 = 4096;

/// Bounds on files that were applied or refused and are kept: the newest, up to all of these, and
/// to an eighth of the disk. The last one stays, however large, unless the log lacks room or its
/// days are over.
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
    /// Files that stay in any case: the newest one.
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

/// Files of one sort, the oldest first.
#[derive(Debug)]
struct Row {
    bounds: Bounds,
    files: VecDeque<Kept>,
    bytes: u64,
}

impl Row {
    const fn new(bounds: Bounds) -> Self {
        Self { bounds, files: VecDeque::new(), bytes: 0 }
    }

    /// Adds the newest. Returns the one before if it has to go: it stayed for being the newest.
    fn add(&mut self, kept: Kept, bytes_max: u64) -> Option<Kept> {
        let is_large = |kept: &mut Kept| kept.bytes > bytes_max;
        let goes = self.files.pop_back_if(is_large);
        self.bytes = self.bytes.saturating_sub(goes.as_ref().map_or(0, |kept| kept.bytes));
        self.bytes = self.bytes.saturating_add(kept.bytes);
        self.files.push_back(kept);
        goes
    }

    fn pop_oldest(&mut self) -> Option<Kept> {
        let kept = self.files.pop_front()?;
        self.bytes = self.bytes.saturating_sub(kept.bytes);
        Some(kept)
    }

    /// Whether there are more files than may be, or more bytes. The newest counts for others only
    /// if it has room beside any.
    fn is_over(&self, bytes_max: u64) -> bool {
        let newest = self.files.back().map_or(0, |kept| kept.bytes);
        let large = if newest > bytes_max { newest } else { 0 };
        let is_any_left = self.files.len() > self.bounds.least;
        let count = self.files.len() as u64;
        is_any_left && (count > self.bounds.count || self.bytes.saturating_sub(large) > bytes_max)
    }

    fn oldest_is_over_its_days(&self, now_ms: i64) -> bool {
        let days = u32::try_from(self.bounds.days).unwrap_or(u32::MAX);
        self.files.front().is_some_and(|kept| {
            let age_ms = u64::try_from(now_ms.saturating_sub(kept.came_ms)).unwrap_or(0);
            Duration::from_millis(age_ms) > DAY.saturating_mul(days)
        })
    }
}

/// A folder of files that the spool is done with.
#[derive(Debug)]
pub(super) struct Shelf {
    path: PathBuf,
    room: fn(&Path) -> Option<Room>,
    now_ms: fn() -> i64,
    /// Whether it was said that the disk has little room.
    is_said: bool,
    /// Whether it is known what lay there before.
    is_listed: bool,
    files: Row,
    /// The report on them.
    texts: Row,
}

impl Shelf {
    /// The folder at `path`, with what lies there in the order in which it came.
    pub(super) fn open(
        path: &Path,
        bounds: Bounds,
        room: fn(&Path) -> Option<Room>,
        now_ms: fn() -> i64,
    ) -> Self {
        let texts = Bounds { count: u64::MAX, bytes: TEXT_BYTES, gives_way: false, ..bounds };
        let (path, files, texts) = (path.to_owned(), Row::new(bounds), Row::new(texts));
        let (is_said, is_listed) = (false, false);
        let mut shelf = Self { path, room, now_ms, is_said, is_listed, files, texts };
        shelf.clear();
        shelf
    }

    /// Lists what lies in the folder, unless that is known.
    fn list(&mut self) {
        if self.is_listed {
            return;
        }
        // Somebody has put something else in its place: it is tried again.
        let Ok(mut listed) = Folder::open(&self.path).and_then(|folder| folder.files()) else {
            return;
        };
        self.is_listed = true;
        listed.sort_unstable_by(|one, other| {
            (one.changed, &one.name).cmp(&(other.changed, &other.name))
        });
        for file in listed {
            let is_text = file.name.ends_with(WHY_ENDING);
            let came_ms = file.changed.0.saturating_mul(1000);
            self.note(is_text, file.name, file.bytes, came_ms);
        }
    }

    fn note(&mut self, is_text: bool, name: String, bytes: u64, came_ms: i64) {
        let kept = Kept { name, bytes: bytes.max(FILE_BYTES_MIN), came_ms };
        let room = (self.room)(&self.path);
        let row = if is_text { &mut self.texts } else { &mut self.files };
        let bytes_max = most(row.bounds.bytes, room);
        if let Some(large) = row.add(kept, bytes_max) {
            self.remove(&large.name);
        }
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
        self.list();
        let free = folder.free_name(name)?;
        let now_ms = (self.now_ms)();
        let about = about.map(|(ending, text)| (format!("{free}{ending}"), text));
        if let Some((name, text)) = &about {
            folder.write(name, text)?;
        }
        folder.take(from, &free)?;
        if let Some((name, text)) = about {
            self.note(true, name, text.len() as u64, now_ms);
        }
        self.note(false, free, bytes, now_ms);
        self.clear();
        Ok(())
    }

    /// Removes the oldest files, down to the bounds and until the disk has room; the newest stays,
    /// for an operator that waits to see it.
    pub(super) fn clear(&mut self) {
        self.list();
        self.give_up(self.files.bounds.least);
    }

    /// Removes the oldest files, down to the bounds and until the disk has room, or all: the log
    /// lacks it.
    pub(super) fn clear_all(&mut self) {
        self.list();
        self.give_up(0);
    }

    fn give_up(&mut self, least: usize) {
        let now_ms = (self.now_ms)();
        while self.files.oldest_is_over_its_days(now_ms) {
            self.remove_oldest();
        }
        while self.texts.oldest_is_over_its_days(now_ms) || self.texts.is_over(TEXT_BYTES) {
            let Some(Kept { name, .. }) = self.texts.pop_oldest() else { break };
            self.remove(&name);
        }
        while self.files.files.len() > least {
            let room = (self.room)(&self.path);
            let bytes_max = most(self.files.bounds.bytes, room);
            let is_little = self.files.bounds.gives_way && room.is_some_and(Room::is_little);
            self.say(is_little);
            if !is_little && !self.files.is_over(bytes_max) {
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
        if let Some(Kept { name, .. }) = self.files.pop_oldest() {
            self.remove(&name);
        }
    }

    fn remove(&self, name: &str) {
        let removed = Folder::open(&self.path).and_then(|folder| folder.remove(name));
        if let Err(error) = removed {
            let path = self.path.display();
            tracing::warn!(%path, file = name, %error, "a file of the spool cannot be removed");
        }
    }
}

/// Most bytes that files may have: as it is set, and no more than an eighth of the disk.
fn most(bytes: u64, room: Option<Room>) -> u64 {
    room.map_or(bytes, |room| bytes.min(room.share()))
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

    /// What the shelf knows of, texts first.
    fn names(shelf: &Shelf) -> Vec<&str> {
        let kept = shelf.texts.files.iter().chain(&shelf.files.files);
        kept.map(|kept| kept.name.as_str()).collect()
    }

    #[test]
    fn files_have_an_eighth_of_the_disk_at_most_and_a_small_one_counts_as_a_block() {
        let folder = tempfile::tempdir().unwrap();
        let all = 10 * FILE_BYTES_MIN * 8;
        let shelf = shelf(folder.path(), 20, Room { all, free: all });
        assert_eq!((shelf.files.files.len(), shelf.files.bytes), (10, 10 * FILE_BYTES_MIN));
        assert_eq!(fs::read_dir(folder.path().join("done")).unwrap().count(), 10);
    }

    #[test]
    fn files_go_before_the_log_lacks_room_and_the_newest_one_goes_last() {
        let folder = tempfile::tempdir().unwrap();
        let (all, little) = (800 << 20, 100 << 20);
        let mut shelf = shelf(folder.path(), 5, Room { all, free: little });
        assert_eq!(shelf.files.files.len(), 5);
        shelf.clear_all();
        assert_eq!(shelf.files.files.len(), 5, "there is room");
        ROOM.set(Some(Room { all, free: little - 1 }));
        shelf.clear();
        assert_eq!(shelf.files.files.front().unwrap().name, "4");
        shelf.clear_all();
        assert_eq!((shelf.files.files.len(), shelf.files.bytes), (0, 0));
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
        assert_eq!(names(&shelf).len(), 4);
        NOW_MS.set(days * DAY_MS + 1);
        shelf.clear();
        let left = names(&shelf);
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
    /// Takes a file of some blocks that was refused.
    fn refused(shelf: &mut Shelf, folder: &Path, name: &str, blocks: usize) {
        let file = folder.join(name);
        fs::write(&file, [0; 4096].repeat(blocks)).unwrap();
        shelf.take(&file, name, Some((WHY_ENDING, "because\n"))).unwrap();
    }

    #[test]
    fn a_file_larger_than_the_bound_pushes_out_no_other_and_reasons_outlive_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("rejected");
        let bytes = 4 * FILE_BYTES_MIN;
        let bounds = Bounds { count: u64::MAX, bytes, days: 30, gives_way: false, least: 1 };
        let open = || Shelf::open(&at, bounds, |_| None, || NOW_MS.get());
        NOW_MS.set(0);
        let mut shelf = open();
        for name in ["a", "b", "c"] {
            refused(&mut shelf, folder.path(), name, 1);
        }
        refused(&mut shelf, folder.path(), "large", 100);
        let there = |expected: &str| {
            let mut names: Vec<_> = fs::read_dir(&at)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            assert_eq!(names.join(" "), expected);
        };
        there("a a.why b b.why c c.why large large.why");
        refused(&mut shelf, folder.path(), "d", 1);
        there("a a.why b b.why c c.why d d.why large.why");
        refused(&mut shelf, folder.path(), "e", 3);
        there("a.why b.why c.why d d.why e e.why large.why");
        // The next run knows the same.
        drop(open());
        there("a.why b.why c.why d d.why e e.why large.why");
    }

    #[test]
    fn a_large_file_that_an_earlier_run_left_behind_newer_ones_goes_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("done");
        fs::create_dir(&at).unwrap();
        fs::write(at.join("large"), vec![0; 100 << 10]).unwrap();
        let later = fs::metadata(at.join("large")).unwrap().modified().unwrap();
        let is_later = |name: &str| {
            fs::write(at.join(name), "x").unwrap();
            fs::metadata(at.join(name)).unwrap().modified().unwrap() > later
        };
        // Times of files are as coarse as the kernel's tick.
        while !is_later("small") {}
        let bytes = 4 * FILE_BYTES_MIN;
        let bounds = Bounds { count: 9, bytes, days: 1 << 40, gives_way: true, least: 1 };
        let shelf = Shelf::open(&at, bounds, |_| None, || 0);
        assert_eq!(names(&shelf), ["small"]);
        assert!(!at.join("large").exists());
    }

    #[test]
    fn texts_about_files_have_a_bound_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = shelf(folder.path(), 0, Room { all: 1 << 40, free: 1 << 40 });
        let count = TEXT_BYTES / FILE_BYTES_MIN;
        for number in 0..count + 2 {
            shelf.note(true, format!("{number}.why"), 10, NOW_MS.get());
        }
        shelf.clear();
        assert_eq!(shelf.texts.files.len() as u64, count);
        assert_eq!(shelf.texts.files.front().unwrap().name, "2.why");
    }

    #[test]
    fn a_folder_that_was_something_else_at_the_start_is_listed_once_it_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let (at, away) = (folder.path().join("done"), folder.path().join("away"));
        fs::create_dir(&at).unwrap();
        fs::write(at.join("old"), "x").unwrap();
        fs::rename(&at, &away).unwrap();
        fs::write(&at, "no folder").unwrap();
        let bounds = Bounds { count: 1, bytes: 1 << 20, days: 1 << 40, gives_way: true, least: 1 };
        let mut shelf = Shelf::open(&at, bounds, |_| None, || 0);
        let file = folder.path().join("new");
        fs::write(&file, "x").unwrap();
        assert!(shelf.take(&file, "new", None).is_err());
        fs::remove_file(&at).unwrap();
        fs::rename(&away, &at).unwrap();
        shelf.take(&file, "new", None).unwrap();
        assert_eq!(names(&shelf), ["new"]);
        assert!(!at.join("old").exists(), "the bound holds for it");
    }
}

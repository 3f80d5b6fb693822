//! The spool, with an intake that keeps to the order of serials.

#![allow(clippy::arithmetic_side_effects, reason = "a test's own numbers")]

use std::cell::Cell;
use std::os::unix::ffi::OsStrExt;

use super::moved::{Bounds, Shelf};
use super::*;
use crate::feed::{Apply, Body, ChangeRecord};

thread_local! {
    pub(super) static NOW_MS: Cell<i64> = const { Cell::new(0) };
}

/// Takes serials in order, and remembers which came in which order.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) serial: u64,
    pub(super) batches: Vec<u64>,
    pub(super) deposits: usize,
}

impl Apply for Taken {
    fn serial(&self) -> u64 {
        self.serial
    }

    fn apply(&mut self, records: &[ChangeRecord]) -> Result<Applied, ApplyError> {
        let (first, last) = (records.first().unwrap().serial, records.last().unwrap().serial);
        if first > self.serial + 1 && self.serial > 0 {
            return Err(ApplyError::Gap { have: self.serial, got: first });
        }
        let new_count = last.saturating_sub(self.serial);
        self.batches.push(first);
        self.serial = self.serial.max(last);
        Ok(Applied { serial: self.serial, generation: 1, new_count })
    }
}

impl Intake for Taken {
    fn apply_deposit(&mut self, path: &Path) -> Result<Applied, ApplyError> {
        let number = fs::read_to_string(path).unwrap().parse().unwrap_or(self.deposits + 1);
        if number != self.deposits + 1 {
            let problem = format!("deposit {} is missing", number - 1);
            return Err(ApplyError::OutOfTurn { problem });
        }
        self.deposits += 1;
        Ok(Applied { serial: self.serial, generation: 1, new_count: 1 })
    }
}

pub(super) fn put(folder: &Path, name: &str, serial: u64) {
    let record =
        ChangeRecord { serial, committed_ms: 0, transaction: String::new(), body: Body::Heartbeat };
    let mut line = Vec::new();
    record.write_json(&mut line);
    fs::write(folder.join(name), line).unwrap();
}

fn spool(folder: &Path, keep: Keep) -> (Spool, Arc<Status>) {
    let status = Arc::new(Status::new(|| NOW_MS.get()));
    let mut spool = Spool::open(folder, keep, Arc::clone(&status), || NOW_MS.get()).unwrap();
    // The disk that this runs on is of no importance.
    spool.away.done = shelf(folder, keep);
    let (position, attempt) = (Position::default(), Attempt::default());
    (Spool { position, attempt, ..spool }, status)
}

fn shelf(folder: &Path, keep: Keep) -> Shelf {
    let Keep { count, bytes, days, .. } = keep;
    let bounds = Bounds { count, bytes, days, gives_way: true, least: 1 };
    Shelf::open(&folder.join(DONE), bounds, |_| None, || NOW_MS.get())
}

pub(super) fn listed(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn files_whose_names_sort_otherwise_are_applied_by_serial() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, status) = spool(folder.path(), Keep::default());
    let mut taken = Taken { serial: 1, ..Taken::default() };
    // b10 sorts before b9, c1 before c0 by serial.
    for (name, serial) in [("b9.jsonl", 2), ("b10.jsonl", 3), ("c1.jsonl", 4), ("a.jsonl", 5)] {
        put(folder.path(), name, serial);
    }
    assert!(!spool.pass(&mut taken).unwrap());
    assert_eq!(taken.batches, [2, 3, 4, 5]);
    let report = status.report();
    assert_eq!((&report.waiting, report.applied_count), (&None, 4));
}

#[test]
fn what_nobody_has_brought_is_waited_for_and_told_of_until_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, status) = spool(folder.path(), Keep::default());
    let mut taken = Taken { serial: 1, ..Taken::default() };
    put(folder.path(), "a.jsonl", 4);
    put(folder.path(), "b.jsonl", 3);
    fs::write(folder.path().join("c.xml"), "a deposit").unwrap();
    for _ in 0..2 {
        assert!(spool.pass(&mut taken).unwrap());
    }
    let waiting = status.report().waiting.clone().unwrap();
    assert_eq!((waiting.count, &*waiting.file), (3, "b.jsonl"));
    assert!(waiting.problem.contains("serial 3 does not follow 1"), "{}", waiting.problem);
    assert_eq!((taken.batches.len(), taken.deposits), (0, 0));
    put(folder.path(), "z.jsonl", 2);
    assert!(!spool.pass(&mut taken).unwrap() || !spool.pass(&mut taken).unwrap());
    assert_eq!(taken.batches, [2, 3, 4]);
    assert!(!spool.pass(&mut taken).unwrap());
    assert_eq!((taken.deposits, status.report().waiting.clone()), (1, None));
}

#[test]
fn files_that_were_applied_are_kept_up_to_a_bound_and_none_takes_anothers_place() {
    let folder = tempfile::tempdir().unwrap();
    let keep = Keep { count: 3, bytes: 1 << 20, ..Keep::default() };
    let (mut spool, _) = spool(folder.path(), keep);
    let mut taken = Taken::default();
    let done = folder.path().join(DONE);
    for serial in 1..=2 {
        put(folder.path(), "same.jsonl", serial);
        assert!(!spool.pass(&mut taken).unwrap());
    }
    assert_eq!(listed(&done), ["same.jsonl", "same.jsonl.1"]);
    for serial in 3..=5 {
        put(folder.path(), &format!("{serial}.jsonl"), serial);
        assert!(!spool.pass(&mut taken).unwrap());
    }
    assert_eq!(listed(&done), ["3.jsonl", "4.jsonl", "5.jsonl"]);
    for _ in 0..2 {
        fs::write(folder.path().join("bad.jsonl"), "no record\n").unwrap();
        assert!(!spool.pass(&mut taken).unwrap());
    }
    let rejected = listed(&folder.path().join(REJECTED));
    assert_eq!(rejected, ["bad.jsonl", "bad.jsonl.1", "bad.jsonl.1.why", "bad.jsonl.why"]);
    // The bound holds for what an earlier run has left, and for bytes.
    let keep = Keep { count: 3, bytes: 1, ..Keep::default() };
    drop(shelf(folder.path(), keep));
    assert_eq!(listed(&done), ["5.jsonl"], "the newest stays");
}

#[test]
fn at_the_beginning_of_a_feed_files_are_taken_by_serial_and_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, status) = spool(folder.path(), Keep::default());
    let mut taken = Taken::default();
    fs::write(folder.path().join("b1.xml"), "1").unwrap();
    for (name, serial) in [("b10.jsonl", 5), ("b9.jsonl", 4), ("b8.jsonl", 3)] {
        put(folder.path(), name, serial);
    }
    assert!(!spool.pass(&mut taken).unwrap());
    assert_eq!((&taken.batches[..], taken.deposits), (&[3, 4, 5][..], 1));
    // Serials before the first one were never applied, and are not reported as such.
    put(folder.path(), "b7.jsonl", 2);
    assert!(!spool.pass(&mut taken).unwrap());
    assert_eq!(taken.batches.len(), 3);
    let why = fs::read_to_string(folder.path().join("rejected/b7.jsonl.why")).unwrap();
    assert!(why.contains("serials 2 to 2 lie before 3"), "{why}");
    let report = status.report();
    assert_eq!((report.applied_count, report.rejected_count), (4, 1));
}

#[test]
fn another_content_under_the_last_serial_holds_up_what_would_be_built_upon_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, status) = spool(folder.path(), Keep::default());
    let mut taken = Taken::default();
    put(folder.path(), "1.jsonl", 1);
    assert!(!spool.pass(&mut taken).unwrap());
    let line = fs::read_to_string(folder.path().join("done/1.jsonl")).unwrap();
    fs::write(folder.path().join("2.jsonl"), &line).unwrap();
    assert!(!spool.pass(&mut taken).unwrap(), "the same again is known already");
    fs::write(folder.path().join("3.jsonl"), line.replace("1970", "1971")).unwrap();
    put(folder.path(), "4.jsonl", 2);
    for _ in 0..2 {
        assert!(spool.pass(&mut taken).unwrap());
    }
    assert_eq!(taken.serial, 1);
    let waiting = status.report().waiting.clone().unwrap();
    assert_eq!((waiting.count, &*waiting.file, waiting.is_behind), (2, "3.jsonl", true));
    assert!(waiting.problem.contains("serial 1 is there already with another content"));
    fs::remove_file(folder.path().join("3.jsonl")).unwrap();
    assert!(!spool.pass(&mut taken).unwrap());
    assert_eq!(taken.serial, 2);
}

#[test]
fn a_file_that_cannot_be_moved_is_applied_once_and_named_and_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, status) = spool(folder.path(), Keep::default());
    let mut taken = Taken::default();
    for name in [DONE, REJECTED] {
        // Whatever user runs this, a folder in /proc takes nothing.
        fs::remove_dir(folder.path().join(name)).unwrap();
        std::os::unix::fs::symlink("/proc/self", folder.path().join(name)).unwrap();
    }
    put(folder.path(), "1.jsonl", 1);
    fs::write(folder.path().join("bad.jsonl"), "no record\n").unwrap();
    for pass in 0..3 {
        NOW_MS.set(pass);
        assert!(spool.pass(&mut taken).unwrap());
    }
    put(folder.path(), "2.jsonl", 2);
    assert!(spool.pass(&mut taken).unwrap());
    assert_eq!(taken.batches, [1, 2]);
    let report = status.report();
    let waiting = report.waiting.clone().unwrap();
    assert_eq!((waiting.since_ms, &*waiting.file), (0, "1.jsonl"));
    assert!(!waiting.is_behind, "the data are as fresh as can be");
    assert!(waiting.problem.starts_with("it was applied, and cannot be moved to done/: "));
    assert_eq!(report.applied_count, 2);
    // It is another file now, of the same name.
    put(folder.path(), "1.jsonl", 3);
    for name in [DONE, REJECTED] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    assert!(!spool.pass(&mut taken).unwrap());
    assert_eq!(taken.batches, [1, 2, 3]);
    assert_eq!(listed(&folder.path().join(DONE)), ["1.jsonl", "2.jsonl"]);
    assert_eq!(listed(&folder.path().join(REJECTED)), ["bad.jsonl", "bad.jsonl.why"]);
}

#[test]
fn what_cannot_be_a_file_of_the_spool_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, status) = spool(folder.path(), Keep::default());
    let mut taken = Taken::default();
    put(folder.path(), ".elsewhere", 1);
    std::os::unix::fs::symlink(".elsewhere", folder.path().join("link.jsonl")).unwrap();
    fs::write(folder.path().join(OsStr::from_bytes(b"caf\xe9.jsonl")), "").unwrap();
    fs::write(folder.path().join("empty.jsonl"), "\n").unwrap();
    fs::create_dir(folder.path().join("somebody's")).unwrap();
    assert!(spool.pass(&mut taken).unwrap(), "the first place is held");
    assert_eq!((taken.batches.len(), status.report().rejected_count), (0, 3));
    let rejected = folder.path().join(REJECTED);
    for (name, said) in [
        ("link.jsonl", "a symbolic link"),
        ("caf\u{fffd}.jsonl", "not UTF-8"),
        ("empty.jsonl", "it has no record: got 1 bytes"),
    ] {
        let why = fs::read_to_string(rejected.join(format!("{name}.why"))).unwrap();
        assert!(why.contains(said), "{name}: {why}");
        assert!(rejected.join(name).symlink_metadata().is_ok(), "{name}");
    }
}

#[test]
fn deposits_that_follow_each_other_are_applied_whatever_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, status) = spool(folder.path(), Keep::default());
    let mut taken = Taken::default();
    NOW_MS.set(0);
    for (name, number) in [("d1.xml", "3"), ("d2.xml", "2"), ("d3.xml", "1"), ("d9.xml", "5")] {
        fs::write(folder.path().join(name), number).unwrap();
    }
    assert!(spool.pass(&mut taken).unwrap());
    assert_eq!(taken.deposits, 3);
    let waiting = status.report().waiting.clone().unwrap();
    assert_eq!((&*waiting.file, &*waiting.problem), ("d9.xml", "deposit 4 is missing"));
    // It comes a moment later.
    NOW_MS.set(TURN_WAIT_MS - 1);
    fs::write(folder.path().join("late.xml"), "4").unwrap();
    assert!(!spool.pass(&mut taken).unwrap());
    assert_eq!(taken.deposits, 5);
    fs::write(folder.path().join("d7.xml"), "7").unwrap();
    assert!(spool.pass(&mut taken).unwrap());
    NOW_MS.set(2 * TURN_WAIT_MS);
    assert!(!spool.pass(&mut taken).unwrap());
    assert_eq!(listed(&folder.path().join(REJECTED)), ["d7.xml", "d7.xml.why"]);
}

#[test]
fn a_file_over_which_run_after_run_ended_is_refused_and_what_follows_is_applied() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("spool");
    fs::create_dir(&folder).unwrap();
    put(&folder, "a.jsonl", 1);
    fs::write(folder.join("b.xml"), "1").unwrap();
    // No run came to its end.
    for _ in 0..5 {
        Attempt::open(dir.path()).begin(&folder.join("a.jsonl"), 0);
    }
    let status = Arc::new(Status::new(|| NOW_MS.get()));
    let mut spool =
        Spool::open(&folder, Keep::default(), Arc::clone(&status), || NOW_MS.get()).unwrap();
    let mut taken = Taken::default();
    assert!(spool.pass(&mut taken).unwrap(), "its place is held");
    assert_eq!((taken.batches.len(), taken.deposits), (0, 1));
    let waiting = status.report().waiting.clone().unwrap();
    assert_eq!((waiting.count, &*waiting.file), (1, "a.jsonl"));
    let why = fs::read_to_string(folder.join("rejected/a.jsonl.why")).unwrap();
    assert!(
        why.starts_with("the process ended 5 times in a row while it applied this file"),
        "{why}"
    );
    assert!(!dir.path().join(ATTEMPT).exists());
    // Moved back as it is, it gets another try.
    fs::rename(folder.join("rejected/a.jsonl"), folder.join("a.jsonl")).unwrap();
    assert!(!spool.pass(&mut taken).unwrap());
    assert_eq!((&taken.batches[..], listed(&folder.join(DONE)).len()), (&[1][..], 2));
}

#[test]
fn a_link_that_takes_the_place_of_a_file_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "elsewhere.jsonl", 1);
    let link = folder.path().join("link.jsonl");
    std::os::unix::fs::symlink("elsewhere.jsonl", &link).unwrap();
    let (mut taken, mut position) = (Taken::default(), Position::default());
    let refused = apply_file(&link, Follow::Files, &mut taken, &mut position).unwrap_err();
    assert!(refused.to_string().contains("symbolic link"), "{refused}");
    assert_eq!(first_serial(&link), 0);
    apply_file(&link, Follow::Any, &mut taken, &mut position).unwrap();
    assert_eq!(taken.batches, [1]);
}

#[test]
fn names_of_the_greatest_length_hold_up_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, status) = spool(folder.path(), Keep::default());
    let mut taken = Taken::default();
    for begin in ["a", "b"] {
        let name = format!("{}.jsonl", begin.repeat(249));
        fs::write(folder.path().join(name), "no record\n").unwrap();
    }
    put(folder.path(), &format!("{}.jsonl", "c".repeat(249)), 1);
    put(folder.path(), "d.jsonl", 2);
    assert!(!spool.pass(&mut taken).unwrap());
    assert_eq!(taken.batches, [1, 2]);
    let report = status.report();
    assert_eq!((report.rejected_count, report.applied_count), (2, 2));
    assert_eq!(listed(&folder.path().join(REJECTED)).len(), 4, "each with its reason");
}

//! The spool with files that are refused before its directory has a serial, with files that cannot
//! be read, and with folders that are not folders.

#![allow(clippy::arithmetic_side_effects, reason = "a test's own numbers")]

use std::ops::RangeInclusive;

use super::apply::refused_serial;
use super::tests::{NOW_MS, Taken, listed, put};
use super::*;

/// A snapshot directory with a spool.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        fs::create_dir(site.spool()).unwrap();
        site
    }

    fn spool(&self) -> PathBuf {
        self.0.path().join("spool")
    }

    fn held(&self) -> PathBuf {
        self.0.path().join(HELD)
    }

    /// The spool as a run finds it.
    fn open(&self) -> (Spool, Arc<Status>) {
        let status = Arc::new(Status::new(|| NOW_MS.get()));
        let keep = Keep::default();
        let spool = Spool::open(&self.spool(), keep, Arc::clone(&status), || NOW_MS.get());
        (spool.unwrap(), status)
    }

    /// A file of records, the third of which has a field that nobody knows.
    fn put_wrong(&self, name: &str, serials: RangeInclusive<u64>) {
        let text = self.records(serials);
        let third = text.match_indices("\"kind\"").nth(2).unwrap().0;
        let text = format!("{}\"colour\":1,{}", &text[..third], &text[third..]);
        fs::write(self.spool().join(name), text).unwrap();
    }

    fn put_right(&self, name: &str, serials: RangeInclusive<u64>) {
        let text = self.records(serials);
        fs::write(self.spool().join(name), text).unwrap();
    }

    fn records(&self, serials: RangeInclusive<u64>) -> String {
        serials
            .map(|serial| {
                put(self.0.path(), "record", serial);
                fs::read_to_string(self.0.path().join("record")).unwrap().trim().to_owned() + "\n"
            })
            .collect()
    }
}

fn waiting(status: &Status) -> Waiting {
    status.report().waiting.clone().unwrap()
}

#[test]
fn a_refused_first_file_is_waited_for_over_restarts_until_its_serials_come() {
    let site = Site::new();
    let mut taken = Taken::default();
    site.put_wrong("0001.jsonl", 7..=16);
    {
        let (mut spool, status) = site.open();
        assert!(spool.pass(&mut taken).unwrap());
        let waiting = waiting(&status);
        assert_eq!((waiting.count, &*waiting.file, waiting.is_behind), (1, "0001.jsonl", true));
        site.put_right("0002.jsonl", 17..=26);
        assert!(spool.pass(&mut taken).unwrap());
    }
    for _ in 0..2 {
        let (mut spool, status) = site.open();
        assert!(spool.pass(&mut taken).unwrap());
        assert_eq!(taken.serial, 0);
        let waiting = waiting(&status);
        assert_eq!((waiting.count, &*waiting.file), (2, "0002.jsonl"));
        for said in ["0001.jsonl was refused", "the serials from 7 on", HELD] {
            assert!(waiting.problem.contains(said), "{}", waiting.problem);
        }
        let rejected = listed(&site.spool().join(REJECTED));
        assert_eq!(rejected, ["0001.jsonl", "0001.jsonl.why"]);
    }
    let (mut spool, status) = site.open();
    site.put_right("mended.jsonl", 7..=16);
    assert!(!spool.pass(&mut taken).unwrap());
    assert_eq!((&taken.batches[..], taken.serial), (&[7, 17][..], 26));
    assert!(status.report().waiting.is_none() && !site.held().exists());
}

#[test]
fn a_place_is_held_whatever_step_of_refusing_a_file_power_fails_after() {
    let site = Site::new();
    let mut taken = Taken::default();
    site.put_wrong("0001.jsonl", 7..=16);
    site.put_right("0002.jsonl", 17..=26);
    let aside = site.0.path().join(format!("{HELD}.new"));
    let rejected = site.spool().join(REJECTED);
    let steps: [&dyn Fn(); 4] = [
        &|| fs::write(&aside, "whoisd-files-he").unwrap(),
        &|| held::Held::open(site.0.path()).hold("0001.jsonl", 7).unwrap(),
        &|| fs::write(rejected.join("0001.jsonl.why"), "line").unwrap(),
        &|| fs::rename(site.spool().join("0001.jsonl"), rejected.join("0001.jsonl")).unwrap(),
    ];
    fs::create_dir(&rejected).unwrap();
    for count in 0..=steps.len() {
        for step in &steps[..count] {
            step();
        }
        let (mut spool, status) = site.open();
        assert!(spool.pass(&mut taken).unwrap());
        assert_eq!((taken.serial, waiting(&status).count), (0, 2), "after {count} steps");
        assert_eq!(listed(&rejected), ["0001.jsonl", "0001.jsonl.why"]);
        // As it was before.
        fs::rename(rejected.join("0001.jsonl"), site.spool().join("0001.jsonl")).unwrap();
        fs::remove_file(rejected.join("0001.jsonl.why")).unwrap();
        fs::remove_file(site.held()).unwrap();
    }
    // Records are on the disk, and the note is still there.
    held::Held::open(site.0.path()).hold("0001.jsonl", 7).unwrap();
    taken.serial = 16;
    assert!(!site.open().0.pass(&mut taken).unwrap());
    assert_eq!((taken.serial, site.held().exists()), (26, false));
}

#[test]
fn a_refused_file_without_a_serial_that_reads_holds_all_until_an_operator_lets_the_feed_go_on() {
    let site = Site::new();
    let (mut spool, status) = site.open();
    let mut taken = Taken::default();
    fs::write(site.spool().join("0001.jsonl"), "").unwrap();
    for name in ["0003.jsonl", "0002.jsonl"] {
        site.put_right(name, if name == "0002.jsonl" { 17..=26 } else { 27..=28 });
    }
    // Neither one with lower serials nor one of its name is it for sure.
    site.put_right("other.jsonl", 5..=6);
    assert!(spool.pass(&mut taken).unwrap());
    site.put_right("0001.jsonl", 15..=16);
    assert!(spool.pass(&mut taken).unwrap());
    assert_eq!(taken.serial, 0);
    let waiting = waiting(&status);
    assert_eq!((waiting.count, &*waiting.file), (5, "other.jsonl"));
    let remove = format!("remove {}", site.held().display());
    assert!(waiting.problem.contains(&remove), "{}", waiting.problem);
    fs::remove_file(site.spool().join("other.jsonl")).unwrap();
    fs::remove_file(site.held()).unwrap();
    assert!(!spool.pass(&mut taken).unwrap());
    assert_eq!(taken.batches, [15, 17, 27]);
}

#[test]
fn a_file_whose_place_cannot_be_noted_holds_it_by_staying_in_the_spool() {
    let site = Site::new();
    let (mut spool, status) = site.open();
    let mut taken = Taken::default();
    let in_the_way = site.0.path().join(format!("{HELD}.new"));
    fs::create_dir(&in_the_way).unwrap();
    site.put_wrong("0001.jsonl", 7..=16);
    site.put_right("0002.jsonl", 17..=26);
    std::os::unix::fs::symlink("elsewhere", site.spool().join("link.jsonl")).unwrap();
    for _ in 0..2 {
        assert!(spool.pass(&mut taken).unwrap());
    }
    fs::remove_file(site.spool().join("link.jsonl")).unwrap();
    for _ in 0..2 {
        assert!(spool.pass(&mut taken).unwrap());
        assert_eq!((taken.serial, status.report().rejected_count), (0, 0));
        let waiting = waiting(&status);
        assert_eq!((waiting.count, &*waiting.file), (2, "0001.jsonl"));
        assert!(waiting.problem.contains("it is refused (line 3: "), "{}", waiting.problem);
    }
    fs::remove_dir(&in_the_way).unwrap();
    assert!(spool.pass(&mut taken).unwrap());
    assert_eq!((taken.serial, status.report().rejected_count), (0, 1));
}

#[test]
fn refused_deposits_and_files_of_a_directory_with_a_serial_hold_no_place() {
    let site = Site::new();
    let (mut spool, status) = site.open();
    let mut taken = Taken::default();
    std::os::unix::fs::symlink("elsewhere", site.spool().join("full.xml")).unwrap();
    site.put_right("0002.jsonl", 17..=26);
    assert!(!spool.pass(&mut taken).unwrap());
    assert_eq!(taken.serial, 26);
    fs::write(site.spool().join("0003.jsonl"), "no record\n").unwrap();
    assert!(!spool.pass(&mut taken).unwrap());
    assert_eq!((status.report().rejected_count, site.held().exists()), (2, false));
}

#[test]
fn the_first_serial_of_a_refused_file_is_read_from_any_line_that_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.jsonl");
    for (text, serial) in [
        ("{\"v\":1,\"serial\":8,\"colour\":1}\n", 8),
        ("{\"v\":1,\"serial\":88, \"committed\":\"20", 88),
        ("{\"v\":1,\"serial\" : 88", 0),
        ("\nno record\n\u{fffd}\n\n{\"serial\":8}\n", 6),
        ("no record\n{\"serial\":1}\n", 1),
        ("{\"serial\":0}\n{\"serial\":-1}\n{\"serial\":\"9\"}\n", 0),
        ("{\"extras\":[\"\\\"serial\\\":5,\"]", 0),
        ("", 0),
    ] {
        fs::write(&file, text).unwrap();
        assert_eq!(refused_serial(&file), serial, "{text}");
    }
    assert_eq!(refused_serial(&folder.path().join("nothing")), 0);
}

#[test]
fn a_folder_of_the_spool_that_is_none_holds_nothing_up_is_told_of_and_recovers() {
    let site = Site::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let at = |name: &str| site.spool().join(name);
    fs::write(at(DONE), "").unwrap();
    fs::write(at(FINDINGS), "").unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), at(REJECTED)).unwrap();
    NOW_MS.set(5);
    let (mut spool, status) = site.open();
    let mut taken = Taken::default();
    assert!(spool.pass(&mut taken).unwrap());
    let told = waiting(&status);
    assert_eq!((told.count, &*told.file, told.since_ms, told.is_behind), (0, "done/", 5, false));
    assert!(told.problem.starts_with("it is a symbolic link or a file"), "{}", told.problem);
    put(&site.spool(), "1.jsonl", 1);
    fs::write(at("bad.jsonl"), "no record\n").unwrap();
    assert!(spool.pass(&mut taken).unwrap());
    assert_eq!((taken.serial, status.report().rejected_count), (1, 1));
    assert_eq!((waiting(&status).count, &*waiting(&status).file), (2, "1.jsonl"));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0, "no link is followed");
    let found: Vec<_> = faults(&site.spool()).into_iter().map(|(folder, _)| folder).collect();
    assert_eq!(found, [DONE, REJECTED, FINDINGS]);
    fs::remove_file(at(DONE)).unwrap();
    fs::remove_file(at(REJECTED)).unwrap();
    NOW_MS.set(9);
    assert!(spool.pass(&mut taken).unwrap());
    let told = waiting(&status);
    assert_eq!((told.count, &*told.file, told.since_ms), (0, "findings/", 5));
    fs::remove_file(at(FINDINGS)).unwrap();
    assert!(!spool.pass(&mut taken).unwrap());
    assert_eq!(listed(&at(DONE)), ["1.jsonl"]);
    assert_eq!(listed(&at(REJECTED)), ["bad.jsonl", "bad.jsonl.why"]);
    assert!(status.report().waiting.is_none() && faults(&site.spool()).is_empty());
}

/// The user that runs the test may read any file.
fn closed(path: &Path) -> io::Result<()> {
    let is_closed = path.file_name().unwrap().to_str().unwrap().contains("closed");
    let denied = || Err(io::Error::from(io::ErrorKind::PermissionDenied));
    if is_closed { denied() } else { Ok(()) }
}

#[test]
fn a_file_that_cannot_be_read_waits_and_records_whose_serials_follow_go_on() {
    let site = Site::new();
    let (mut spool, status) = site.open();
    spool.readable = closed;
    let mut taken = Taken { serial: 1, ..Taken::default() };
    NOW_MS.set(3);
    fs::write(site.spool().join("a-closed.xml"), "1").unwrap();
    put(&site.spool(), "b-closed.jsonl", 1);
    fs::write(site.spool().join("c.xml"), "2").unwrap();
    put(&site.spool(), "d.jsonl", 2);
    put(&site.spool(), "e.jsonl", 4);
    for serial in [2, 4] {
        assert!(spool.pass(&mut taken).unwrap());
        assert_eq!((taken.serial, taken.deposits), (serial, 0), "deposits wait");
        let told = waiting(&status);
        assert_eq!((&*told.file, told.since_ms, told.is_behind), ("a-closed.xml", 3, true));
        assert_eq!(told.problem, "cannot read it: permission denied");
        NOW_MS.set(NOW_MS.get() + 1);
        put(&site.spool(), "f.jsonl", 3);
    }
    spool.readable = |_| Ok(());
    assert!(!spool.pass(&mut taken).unwrap());
    assert_eq!((taken.serial, taken.deposits), (4, 2));
}

#[test]
fn before_the_first_serial_a_file_that_cannot_be_read_holds_up_all_others() {
    let site = Site::new();
    let (mut spool, status) = site.open();
    spool.readable = closed;
    let mut taken = Taken::default();
    put(&site.spool(), "closed.jsonl", 1);
    put(&site.spool(), "d.jsonl", 2);
    assert!(spool.pass(&mut taken).unwrap());
    assert_eq!((taken.serial, &*waiting(&status).file), (0, "closed.jsonl"));
}

//! Files of lists that come, change, go, and cannot be read.

use std::net::IpAddr;

use super::*;
use crate::policy::lists::Action;

const NOW_MS: i64 = 1_800_000_000_000;

struct Files {
    folder: tempfile::TempDir,
    shown: Arc<ArcSwap<Lists>>,
    watch: ListWatcher,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shown = Arc::new(ArcSwap::from_pointee(Lists::default()));
        let patterns = vec![folder.path().join("*.toml")];
        let has_tier = Box::new(|tier: &str| tier != "unknown");
        let watch = ListWatcher::new(patterns, Arc::clone(&shown), has_tier);
        Self { folder, shown, watch }
    }

    fn write(&self, name: &str, prefix: &str, rest: &str) {
        let text = format!("[[entry]]\nprefix = \"{prefix}\"\n{rest}\n");
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Two looks: a change is taken at the second.
    fn look(&mut self) -> Looked {
        let first = self.watch.look(NOW_MS, false);
        let second = self.watch.look(NOW_MS, false);
        Looked { changed: first.changed || second.changed, ..second }
    }

    fn is_denied(&self, address: &str) -> bool {
        let address: IpAddr = address.parse().unwrap();
        self.shown.load().standing(address).action() == Action::Deny
    }

    fn failing(&self) -> u64 {
        self.watch.figures.gauges()[0].2
    }
}

#[test]
fn files_that_come_change_and_go_are_taken_over() {
    let mut files = Files::new();
    assert_eq!(files.look(), Looked::default());
    files.write("a.toml", "192.0.2.0/24", "action = \"deny\"");
    files.write(".b.toml", "10.0.0.0/8", "action = \"deny\"");
    files.write("c.toml~", "10.0.0.0/8", "action = \"deny\"");
    assert!(!files.watch.look(NOW_MS, false).changed, "a file that may be being written");
    assert!(files.watch.look(NOW_MS, false).changed);
    assert!(files.is_denied("192.0.2.1") && !files.is_denied("10.0.0.1"));
    assert!(!files.look().changed);
    files.write("a.toml", "198.51.100.0/24", "action = \"deny\"");
    assert!(files.watch.look(NOW_MS, true).changed, "a reload takes it at once");
    assert!(files.is_denied("198.51.100.1") && !files.is_denied("192.0.2.1"));
    fs::remove_file(files.folder.path().join("a.toml")).unwrap();
    assert!(files.look().changed);
    assert_eq!(files.shown.load().count(), 0);
}

#[test]
fn a_list_with_an_error_keeps_the_old_one_and_says_which_line() {
    let mut files = Files::new();
    files.write("a.toml", "192.0.2.0/24", "action = \"deny\"");
    files.write("b.toml", "198.51.100.0/24", "action = \"deny\"");
    files.look();
    files.write("a.toml", "192.0.2.1/24", "action = \"deny\"");
    files.write("b.toml", "203.0.113.0/24", "action = \"deny\"");
    let looked = files.look();
    assert!(looked.changed);
    let place = format!("{}/a.toml:2: entry 1: prefix: ", files.folder.path().display());
    assert!(looked.errors[0].starts_with(&place), "{looked:?}");
    assert!(files.is_denied("192.0.2.1"), "what a.toml held before");
    assert!(files.is_denied("203.0.113.1"), "b.toml is good");
    assert_eq!(files.failing(), 1);
    assert_eq!(files.look().errors, looked.errors);
    fs::write(files.folder.path().join("a.toml"), b"# \xff").unwrap();
    assert!(files.look().errors[0].ends_with("a.toml:1: no UTF-8"));
    files.write("a.toml", "192.0.2.0/25", "action = \"deny\"");
    assert_eq!(files.look().errors, [""; 0]);
    assert_eq!(files.failing(), 0);
}

#[test]
fn files_that_contradict_each_other_keep_what_was_there() {
    let mut files = Files::new();
    files.write("a.toml", "192.0.2.0/24", "action = \"deny\"");
    files.look();
    files.write("b.toml", "192.0.2.0/24", "action = \"allow\"");
    let looked = files.look();
    assert!(!looked.changed);
    assert!(looked.errors[0].contains("\"allow\" here and \"deny\" at"), "{looked:?}");
    assert!(files.is_denied("192.0.2.1"));
    let expires = "action = \"allow\"\nexpires = 2027-01-15T08:00:10Z";
    files.write("b.toml", "192.0.2.0/24", expires);
    assert_eq!(files.look().errors.len(), 1);
    assert_eq!(files.watch.look(NOW_MS + 59_999, false).errors.len(), 1);
    assert_eq!(files.watch.look(NOW_MS + 60_000, false).errors, [""; 0]);
    files.write("b.toml", "192.0.2.0/24", "action = \"allow\"");
    assert_eq!(files.look().errors.len(), 1);
    fs::remove_file(files.folder.path().join("a.toml")).unwrap();
    assert_eq!(files.look().errors, [""; 0]);
    assert!(!files.is_denied("192.0.2.1"));
    files.write("b.toml", "192.0.2.0/24", "tier = \"unknown\"");
    assert!(files.look().errors[0].contains("there is no tier \"unknown\""));
}

#[test]
fn a_named_file_that_is_gone_keeps_its_entries_and_is_told_of() {
    let mut files = Files::new();
    files.watch.name(&[files.folder.path().join("own.toml")]);
    assert!(files.look().errors[0].contains("own.toml: No such file"));
    files.write("own.toml", "192.0.2.0/24", "action = \"deny\"");
    assert_eq!(files.look().errors, [""; 0]);
    fs::remove_file(files.folder.path().join("own.toml")).unwrap();
    assert_eq!(files.look().errors.len(), 1);
    assert!(files.is_denied("192.0.2.1"));
}

#[test]
fn a_list_that_may_not_be_read_is_taken_once_it_may() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let mut files = Files::new();
    files.write("a.toml", "192.0.2.0/24", "action = \"deny\"");
    let path = files.folder.path().join("a.toml");
    let allow = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        // Nothing is forbidden to root; a folder in its place is read by nobody, and its stamp may
        // stay as it is, too.
        let entries = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(files.look().errors.len(), 1);
        assert_eq!(files.watch.held[0].stamp, None, "it is tried again");
        fs::remove_dir(&path).unwrap();
        fs::write(&path, entries).unwrap();
    } else {
        allow(0o000);
        assert_eq!(files.look().errors.len(), 1);
    }
    allow(0o600);
    files.look();
    assert_eq!(files.look().errors, [""; 0]);
    assert!(files.is_denied("192.0.2.1"));
}

#[test]
fn a_folder_that_is_swapped_or_gone_keeps_what_was_held() {
    let mut files = Files::new();
    files.write("a.toml", "192.0.2.0/24", "action = \"deny\"");
    files.look();
    let aside = files.folder.path().with_extension("aside");
    fs::rename(files.folder.path(), &aside).unwrap();
    assert!(files.look().errors[0].contains("No such file"));
    assert!(files.is_denied("192.0.2.1"));
    // An empty one in its place for a moment.
    fs::create_dir(files.folder.path()).unwrap();
    assert_eq!(files.watch.look(NOW_MS, false).errors, [""; 0]);
    assert!(files.is_denied("192.0.2.1"));
    fs::remove_dir(files.folder.path()).unwrap();
    fs::rename(&aside, files.folder.path()).unwrap();
    assert_eq!(files.look().errors, [""; 0]);
    assert!(files.is_denied("192.0.2.1"));
}

#[test]
fn an_entry_that_a_clock_ahead_has_ended_comes_back_with_the_clock() {
    let mut files = Files::new();
    let expires = "action = \"deny\"\nexpires = 2027-01-15T08:00:10Z";
    files.write("a.toml", "192.0.2.0/24", expires);
    files.look();
    assert_eq!(files.watch.look(NOW_MS + 86_400_000, false).entry_count, 0);
    assert_eq!(files.watch.look(NOW_MS, false).entry_count, 1);
    assert!(files.is_denied("192.0.2.1"));
}

#[test]
fn an_entry_ends_when_it_expires_though_no_file_changes() {
    let mut files = Files::new();
    let expires = "action = \"deny\"\nexpires = 2027-01-15T08:00:10Z";
    files.write("a.toml", "192.0.2.0/24", expires);
    assert_eq!(files.look().entry_count, 1);
    assert_eq!(files.watch.look(NOW_MS + 9_999, false).entry_count, 1);
    let looked = files.watch.look(NOW_MS + 10_000, false);
    assert_eq!((looked.entry_count, looked.expired_count), (0, 1));
    assert!(!files.is_denied("192.0.2.1"));
}

//! The guards of an existing registry against a replacement: commands over directories whose files
//! were changed, lost, or made by another program.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be run fails it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Exit status, and all that was printed.
fn ran(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_whoisd")).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// A folder with deposits, and a directory `d`.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// A FULL deposit of a TLD.
    fn deposit(&self, tld: &str, domains: u32, day: u32) -> String {
        let path = self.at(&format!("{tld}-{domains}-{day}.xml"));
        let (domains, day) = (domains.to_string(), format!("2026-01-{day:02}"));
        let made = ["sample", "--rde-xml", &path, "--tld", tld, "--domains", &domains];
        let made = ran(&[&made[..], &["--watermark", &day, "-q"]].concat());
        assert_eq!(made.0, 0, "{}", made.1);
        path
    }

    fn import(&self, deposits: &[&str], options: &[&str]) -> (i32, String) {
        let into = self.at("d");
        ran(&[&["import"], deposits, &["--into", &into, "-q"], options].concat())
    }

    /// Applies one change record.
    fn apply(&self, serial: u64) -> (i32, String) {
        let path = self.at(&format!("r{serial}.jsonl"));
        let record = format!(
            "{{\"v\":1,\"serial\":{serial},\"committed\":\"2026-02-01T00:00:00Z\",\
             \"kind\":\"domain\",\"upsert\":{{\"name\":\"s{serial}.demo\",\"roid\":\"D{serial}-X\",\
             \"status\":[\"ok\"],\"clID\":\"9001\"}}}}\n"
        );
        fs::write(&path, record).unwrap();
        ran(&["apply", &path, "--dir", &self.at("d")])
    }

    fn verify(&self) -> (i32, String) {
        ran(&["verify", &self.at("d")])
    }

    /// The number after a word of `inspect`.
    fn shown(&self, word: &str) -> u64 {
        let (status, text) = ran(&["inspect", &self.at("d")]);
        assert_eq!(status, 0, "{text}");
        let line = text.lines().find_map(|line| line.strip_prefix(word)).unwrap();
        line.trim_start_matches(':').trim().parse().unwrap()
    }

    /// The newest file of the directory whose name starts and ends so.
    fn file(&self, start: &str, ending: &str) -> PathBuf {
        let files = fs::read_dir(self.at("d")).unwrap().map(|entry| entry.unwrap().path());
        let is_it = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(start) && name.ends_with(ending)
        };
        files.filter(is_it).max().unwrap()
    }
}

fn change(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Changes a letter of a record: the header and the structure stay as they are.
fn change_letter(path: &Path, text: &str) {
    let bytes = fs::read(path).unwrap();
    let at = bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    change(path, at);
}

#[test]
fn a_damaged_log_leaves_all_guards_in_force() {
    let place = Place::new();
    let full = place.deposit("demo", 200, 1);
    assert_eq!(place.import(&[&full], &[]).0, 0);
    for serial in 1..6 {
        let (status, text) = place.apply(serial);
        assert_eq!(status, 0, "{text}");
    }
    let generation = place.shown("generation");
    change(&place.file("delta-", ".log"), 450);
    assert_eq!(place.verify().0, 3);
    // All reasons at once.
    let less = place.deposit("demo", 100, 2);
    let (status, text) = place.import(&[&less], &[]);
    assert_eq!(status, 3, "{text}");
    assert!(text.contains("does not read") && text.contains("--allow damaged,feed,"), "{text}");
    assert!(text.contains("fewer"), "{text}");
    let other = place.deposit("other", 200, 2);
    let (status, text) = place.import(&[&other], &["--allow", "damaged,feed,older"]);
    assert!(status == 3 && text.contains("--add"), "another TLD: {text}");
    let (status, text) = ran(&["sample", "--into", &place.at("d"), "-q"]);
    assert!(status == 3 && text.contains("--replace"), "a sample: {text}");
    assert_eq!(place.verify().0, 3, "nothing was changed");

    let (status, text) = place.import(&[&less], &["--allow", "damaged,feed,older,fewer"]);
    assert_eq!(status, 0, "{text}");
    assert!(place.shown("generation") > generation);
    let (status, text) = place.verify();
    assert!(status == 0 && text.contains("good: kept generation"), "what read is kept: {text}");
}

#[test]
fn a_manifest_that_is_gone_or_damaged_is_not_an_empty_directory() {
    for harm in ["gone", "damaged"] {
        let place = Place::new();
        let full = place.deposit("demo", 100, 1);
        assert_eq!(place.import(&[&full], &[]).0, 0);
        assert_eq!(place.apply(1).0, 0);
        let generation = place.shown("generation");
        let manifest = place.file("MANIFEST", "");
        if harm == "gone" {
            fs::remove_file(&manifest).unwrap();
        } else {
            change(&manifest, 3);
        }
        let (status, text) = place.verify();
        assert!(status == 3 && text.contains("--allow damaged"), "{harm}: {text}");
        let (status, text) = place.import(&[&full], &[]);
        assert!(status == 3 && text.contains("--allow damaged"), "{harm}: {text}");
        let (status, text) = place.import(&[&full], &["--allow", "damaged"]);
        assert_eq!(status, 0, "{harm}: {text}");
        assert!(place.shown("generation") > generation, "{harm}");
        assert!(place.file("delta-", ".damaged").exists(), "{harm}");
        assert_eq!(place.verify().0, 0, "{harm}");
    }
}

#[test]
fn nothing_is_made_of_a_damaged_base() {
    let place = Place::new();
    let full = place.deposit("demo", 100, 1);
    assert_eq!(place.import(&[&full], &[]).0, 0);
    let generation = place.shown("generation");
    assert_eq!(place.apply(1).0, 0);
    change_letter(&place.file("base-", ".snapshot"), "Registrar");
    assert_eq!(place.verify().0, 3);
    let other = place.deposit("other", 100, 1);
    let (status, text) = place.import(&[&other], &["--add", "--allow", "feed"]);
    assert!(status == 3 && text.contains("are damaged"), "--add: {text}");
    let (dir, store) = (place.at("d"), place.at("store"));
    let (status, text) = ran(&["publish-snapshot", "--dir", &dir, "--to", &store]);
    assert!(status == 3 && text.contains("are damaged"), "publish-snapshot: {text}");
    let to = generation.to_string();
    let (status, text) = ran(&["rollback", "--dir", &dir, "--to", &to]);
    assert!(status == 3 && text.contains("are damaged"), "rollback: {text}");
    // All of it may go.
    let (status, text) = place.import(&[&full], &["--allow", "feed,older"]);
    assert_eq!(status, 0, "{text}");
    assert_eq!(ran(&["lookup", "--dir", &dir, "help"]).0, 0);
}

#[test]
fn a_small_tld_is_not_emptied_beside_a_large_one() {
    let place = Place::new();
    let (small, large) = (place.deposit("demo", 200, 1), place.deposit("test", 2000, 1));
    assert_eq!(place.import(&[&small, &large], &[]).0, 0);
    let (less, more) = (place.deposit("demo", 100, 2), place.deposit("test", 2000, 2));
    let (status, text) = place.import(&[&less, &more], &[]);
    assert!(status == 3 && text.contains("100 domains of demo"), "{text}");
    assert!(text.ends_with("--allow fewer\n"), "{text}");
    let same = place.deposit("demo", 190, 2);
    assert_eq!(place.import(&[&same, &more], &[]).0, 0);
}

#[test]
fn a_sample_that_follows_a_feed_is_not_replaced_by_a_sample() {
    let place = Place::new();
    let dir = place.at("d");
    let sample = |options: &[&str]| {
        ran(&[&["sample", "--into", &dir, "--domains", "100", "-q"], options].concat())
    };
    assert_eq!(sample(&[]).0, 0);
    assert_eq!(sample(&[]).0, 0, "a sample takes the place of a sample");
    assert_eq!(place.apply(1).0, 0);
    let (status, text) = sample(&[]);
    assert!(status == 3 && text.contains("follows a feed (serial 1)"), "{text}");
    assert_eq!(place.shown("serial"), 1);
    assert_eq!(sample(&["--replace"]).0, 0);
}

#[test]
fn a_fetched_snapshot_is_weighed_as_a_deposit_is() {
    let place = Place::new();
    let (dir, store) = (place.at("d"), place.at("store"));
    let (small, large) = (place.deposit("demo", 200, 1), place.deposit("test", 400, 1));
    assert_eq!(place.import(&[&small], &[]).0, 0);
    assert_eq!(ran(&["publish-snapshot", "--dir", &dir, "--to", &store, "-q"]).0, 0);
    assert_eq!(place.import(&[&large], &["--add"]).0, 0);
    let new = place.deposit("demo", 200, 3);
    assert_eq!(place.import(&[&new], &[]).0, 0);
    let domains = place.shown("domains");
    let fetch = |options: &[&str]| {
        ran(&[&["fetch-snapshot", "--from", &store, "--into", &dir, "-q"], options].concat())
    };
    let (status, text) = fetch(&[]);
    assert!(status == 3 && text.contains("no domains of test"), "{text}");
    assert!(text.contains("--allow older,empty"), "{text}");
    assert_eq!(place.shown("domains"), domains);
    let (status, text) = fetch(&["--allow", "older,empty"]);
    assert_eq!(status, 0, "{text}");
    // A new node asks no permission.
    fs::remove_dir_all(&dir).unwrap();
    assert_eq!(fetch(&[]).0, 0);
}

#[test]
fn the_rest_of_a_batch_is_named() {
    let place = Place::new();
    let full = place.deposit("demo", 100, 1);
    assert_eq!(place.import(&[&full], &[]).0, 0);
    assert_eq!((place.apply(1).0, place.apply(2).0), (0, 0));
    let log = place.file("delta-", ".log");
    let mut bytes = fs::read(&log).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() / 512 * 512 + 1024;
    // The first sector of a batch came, the others did not.
    let head = bytes[64..104].to_vec();
    bytes[end..end + 40].copy_from_slice(&head);
    fs::write(&log, bytes).unwrap();
    for command in ["verify", "inspect"] {
        let (status, text) = ran(&[command, &place.at("d")]);
        assert_eq!(status, 0, "{text}");
        assert!(text.contains("the rest of a batch at byte "), "{command}: {text}");
    }
}

//! The file that is being applied, noted where the next run finds it: one over which this process
//! dies twice (memory, the system's limits, a fault of ours) must not end it at each start.
//!
//! # Invariants
//!
//! - A note is there while a file is applied, and only then; it says how often runs have ended over
//!   that file before. What an end of the whole machine cut off does not count.
//!
//! # Does not
//!
//! Hold anything up: a note that cannot be written is a warning.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::away::Id;

/// Name of the file in a snapshot directory.
pub const ATTEMPT: &str = "files.attempt";
/// First line of the file.
const FIRST_LINE: &str = "whoisd-files-attempt 1";
/// Longest file that is read, bytes.
const FILE_BYTES_MAX: u64 = 1024;
/// Runs that may end over a file before it is refused.
const ENDS_MAX: u32 = 2;
/// Names one run of the machine.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The note of a snapshot directory.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    /// Where it is written; `None`: nowhere.
    path: Option<PathBuf>,
    boot: String,
    /// The file over which runs ended, and how many.
    ended: Option<(String, u32)>,
}

impl Attempt {
    /// Of the snapshot directory at `dir`: what a run that ended has left there counts.
    pub(super) fn open(dir: &Path) -> Self {
        let boot = fs::read_to_string(BOOT_ID).unwrap_or_default().trim().to_owned();
        let path = dir.join(ATTEMPT);
        let ended = read(&path).ok().and_then(|text| decode(&text, &boot));
        Self { path: Some(path), boot, ended }
    }

    /// Why a file is not to be tried again, if it is not.
    pub(super) fn refuses(&self, file: &Path) -> Option<String> {
        let (known, ends) = self.ended.as_ref()?;
        let is_it = Id::of(file).is_some_and(|id| id.text() == *known);
        (is_it && *ends >= ENDS_MAX).then(|| {
            format!(
                "the process ended {ends} times while it applied this file, without a word of its \
                 own: look for what ended it in the system's log (memory: `journalctl -k`, \
                 MemoryMax of the unit), give it what it lacks or correct the file, and put it \
                 into the spool again"
            )
        })
    }

    /// A file is about to be applied.
    pub(super) fn begin(&self, file: &Path) {
        let (Some(path), Some(id)) = (&self.path, Id::of(file)) else { return };
        let id = id.text();
        let ends = match &self.ended {
            Some((known, ends)) if *known == id => *ends,
            _ => 0,
        };
        let text = format!("{FIRST_LINE}\nfile {id}\nends {ends}\nboot {}\n", self.boot);
        // Not synced: what a power failure takes away does not count.
        if let Err(error) = fs::write(path, text) {
            let path = path.display();
            tracing::warn!(%path, %error, "the file that is being applied cannot be noted");
        }
    }

    /// Applying it has ended, however.
    pub(super) fn end(&self) {
        if let Some(path) = &self.path {
            // A rest that stays names a file that is no longer there, or is applied again.
            let _ = fs::remove_file(path);
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// The file of a note, and how often a run has ended over it, the last one included.
fn decode(text: &str, boot: &str) -> Option<(String, u32)> {
    let mut lines = text.lines();
    if lines.next()? != FIRST_LINE {
        return None;
    }
    let file = lines.next()?.strip_prefix("file ")?.to_owned();
    let ends: u32 = lines.next()?.strip_prefix("ends ")?.parse().ok()?;
    let is_same_boot = lines.next()?.strip_prefix("boot ")? == boot;
    Some((file, ends.saturating_add(u32::from(is_same_boot))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_over_which_two_runs_ended_is_refused_at_the_second_start_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.jsonl");
        fs::write(&file, "x").unwrap();
        let first = Attempt::open(dir.path());
        assert_eq!(first.refuses(&file), None);
        first.begin(&file);
        let second = Attempt::open(dir.path());
        assert_eq!(second.refuses(&file), None, "whoever ended it");
        second.begin(&file);
        let third = Attempt::open(dir.path());
        let why = third.refuses(&file).unwrap();
        assert!(why.starts_with("the process ended 2 times while it applied this file"), "{why}");
        // Another file of its name, or one that was applied to its end.
        fs::write(&file, "corrected").unwrap();
        assert_eq!(third.refuses(&file), None);
        third.begin(&file);
        third.end();
        assert_eq!(Attempt::open(dir.path()).ended, None);
    }

    #[test]
    fn an_end_of_the_machine_does_not_count() {
        let text = |boot| format!("{FIRST_LINE}\nfile 1 2 3 4\nends 1\nboot {boot}\n");
        let decoded = |boot| decode(&text(boot), "b").unwrap().1;
        assert_eq!((decoded("b"), decoded("a")), (2, 1));
        assert_eq!(decode("something else", "b"), None);
    }
}

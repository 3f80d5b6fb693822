//! The file that is being applied, noted where the next run finds it: one over which this process
//! dies (memory, a fault of ours) must not end it at each start.
//!
//! # Invariants
//!
//! - A note is there while a file is applied, and only then; it says how often runs have ended over
//!   that file before. A run that ended with the whole machine does not count.
//! - A run that took some records of the file in does not count.
//! - A run that the kernel ended for lack of memory counts at once. Any other SIGKILL may hit a
//!   good file by chance, so it takes [`ENDS_MAX`] of them in a row.
//!
//! # Does not
//!
//! Hold anything up: a note that cannot be written is a warning.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::away::Id;
use crate::aside;

/// Name of the file in a snapshot directory.
pub const ATTEMPT: &str = "files.attempt";
/// First line of the file.
const FIRST_LINE: &str = "whoisd-files-attempt 1";
/// Longest file that is read, bytes.
const FILE_BYTES_MAX: u64 = 1024;
/// Runs that may end over a file, for whatever reason, before it is refused.
const ENDS_MAX: u32 = 5;
/// Names one run of the machine.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// Has a line `oom_kill N`: processes that the kernel ended for lack of memory, of the machine or
/// of a group such as a unit with MemoryMax.
const VMSTAT: &str = "/proc/vmstat";

/// The note of a snapshot directory.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    /// Where it is written; `None`: nowhere.
    path: Option<PathBuf>,
    boot: String,
    /// The file over which the last run ended.
    ended: Option<Ended>,
}

/// A file over which runs ended.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    file: String,
    /// How many in a row.
    ends: u32,
    /// Whether the kernel ended processes for lack of memory while it was applied.
    for_memory: bool,
    /// The last serial of the directory when the run began with it.
    serial: u64,
}

impl Attempt {
    /// Of the snapshot directory at `dir`: the note of a run that ended counts.
    pub(super) fn open(dir: &Path) -> Self {
        let boot = fs::read_to_string(BOOT_ID).unwrap_or_default().trim().to_owned();
        let path = dir.join(ATTEMPT);
        let ended = read(&path).ok().and_then(|text| decode(&text, &boot, oom_kills()));
        Self { path: Some(path), boot, ended }
    }

    /// Why a file is not to be tried again by a directory that has serials up to `serial`, if it is
    /// not. A run that took some of its records in has shown that they can be.
    pub(super) fn refuses(&self, file: &Path, serial: u64) -> Option<String> {
        let Ended { file: known, ends, for_memory, serial: before } = self.ended.as_ref()?;
        if Id::of(file)?.text() != *known || serial > *before {
            return None;
        }
        if *for_memory {
            return Some(
                "the process ended while it applied this file, and the kernel was ending processes \
                 for want of memory (`journalctl -k`): give the server more (MemoryMax of the \
                 unit), or lower updater.memory_bytes, or correct the file, and put it into the \
                 spool again"
                    .to_owned(),
            );
        }
        (*ends >= ENDS_MAX).then(|| {
            format!(
                "the process ended {ends} times in a row while it applied this file, without a \
                 word of its own: look for what ended it (`systemctl status whoisd`, \
                 `coredumpctl`), correct the file if it is that, and put it into the spool again"
            )
        })
    }

    /// A file is about to be applied.
    pub(super) fn begin(&self, file: &Path, serial: u64) {
        let (Some(path), Some(id)) = (&self.path, Id::of(file)) else { return };
        let id = id.text();
        let is_same = |ended: &&Ended| ended.file == id && ended.serial == serial;
        let ends = self.ended.as_ref().filter(is_same).map_or(0, |ended| ended.ends);
        let (boot, oom) = (&self.boot, oom_kills());
        let text = format!(
            "{FIRST_LINE}\nfile {id}\nserial {serial}\nends {ends}\noom {oom}\nboot {boot}\n"
        );
        // Not synced: a run that a power failure ended does not count.
        let written = aside::create(path).and_then(|mut file| file.write_all(text.as_bytes()));
        if let Err(error) = written {
            let path = path.display();
            tracing::warn!(%path, %error, "the file that is being applied cannot be noted");
        }
    }

    /// Applying it has ended, however; earlier ends are forgotten.
    pub(super) fn end(&mut self) {
        self.ended = None;
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

/// Processes that the kernel has ended for lack of memory since it was started; 0 if it does not
/// say.
fn oom_kills() -> u64 {
    let text = fs::read_to_string(VMSTAT).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    line.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// The file of a note, and how often a run has ended over it, the last one included.
fn decode(text: &str, boot: &str, oom_now: u64) -> Option<Ended> {
    let mut lines = text.lines();
    if lines.next()? != FIRST_LINE {
        return None;
    }
    let file = lines.next()?.strip_prefix("file ")?.to_owned();
    let serial: u64 = lines.next()?.strip_prefix("serial ")?.parse().ok()?;
    let ends: u32 = lines.next()?.strip_prefix("ends ")?.parse().ok()?;
    let oom_then: u64 = lines.next()?.strip_prefix("oom ")?.parse().ok()?;
    let is_same_boot = lines.next()?.strip_prefix("boot ")? == boot;
    let ends = ends.saturating_add(u32::from(is_same_boot));
    Some(Ended { file, ends, for_memory: is_same_boot && oom_now > oom_then, serial })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_over_which_run_after_run_ended_is_refused_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.jsonl");
        fs::write(&file, "x").unwrap();
        for _ in 0..ENDS_MAX {
            let run = Attempt::open(dir.path());
            assert_eq!(run.refuses(&file, 7), None, "whoever ended it");
            run.begin(&file, 7);
        }
        let mut last = Attempt::open(dir.path());
        assert_eq!(last.refuses(&file, 8), None, "a batch of it was taken in");
        let why = last.refuses(&file, 7).unwrap();
        assert!(why.starts_with("the process ended 5 times in a row while it applied"), "{why}");
        // Another file of its name, or one that was applied to its end.
        fs::write(&file, "corrected").unwrap();
        assert_eq!(last.refuses(&file, 7), None);
        last.begin(&file, 7);
        last.end();
        assert_eq!((&last.ended, Attempt::open(dir.path()).ended), (&None, None));
    }

    #[test]
    fn an_end_for_want_of_memory_counts_at_once_and_one_of_the_machine_never() {
        let text =
            |boot| format!("{FIRST_LINE}\nfile 1 2 3 4\nserial 7\nends 1\noom 7\nboot {boot}\n");
        let ended = |boot, oom_now| decode(&text(boot), "b", oom_now).unwrap();
        assert_eq!((ended("b", 7).ends, ended("b", 7).for_memory), (2, false));
        assert!(ended("b", 8).for_memory);
        assert_eq!((ended("a", 8).ends, ended("a", 8).for_memory), (1, false));
        assert_eq!(decode("something else", "b", 0), None);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.jsonl");
        fs::write(&file, "x").unwrap();
        let ended =
            Ended { file: Id::of(&file).unwrap().text(), ends: 1, for_memory: true, serial: 7 };
        let second = Attempt { ended: Some(ended), ..Attempt::default() };
        assert!(second.refuses(&file, 7).unwrap().contains("for want of memory"));
    }
}

//! A directory as a sink: one file of JSON lines for each batch, named by its serials.
//!
//! ```text
//! 00000000000000000101-00000000000000000107.jsonl    records 101 to 107
//! .published                                          the last serial that was ever put in, whose
//!                                                     serials these are, and the commit time and
//!                                                     transaction of that one
//! .publisher                                          locked while somebody puts a batch in
//! .batch.new                                          what is being written, or a crash's rest
//! ```
//!
//! # Invariants
//!
//! - A batch appears whole: written aside, synced, renamed, the directory synced.
//! - Names of everything that is not a batch begin with a point: a spool passes over them.
//! - Files are consecutive: a batch that continues nothing is refused, records that are there
//!   already are not written twice, even if files were taken out in between.
//!
//! # Does not
//!
//! Take files out: the program that applies them does, once they are applied.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;

use super::sink::{Last, Sink, SinkError, Told};
use crate::aside;
use crate::feed::ChangeRecord;
use crate::held::Held;

/// Ending of a batch.
const ENDING: &str = ".jsonl";
/// More than `.published` has, bytes.
const PUBLISHED_BYTES_MAX: u64 = 2048;
/// Longest line of a batch that is read back, bytes.
const LINE_BYTES_MAX: i64 = 4 << 20;
/// Digits of a serial in a name, so that names sort as serials do.
const DIGITS: usize = 20;
const PUBLISHED: &str = ".published";
const LOCK: &str = ".publisher";
/// Its permissions: any process that may open it could hold it.
const LOCK_MODE: u32 = 0o600;
const ASIDE: &str = ".batch.new";
/// Where the program that applies batches keeps them.
const TAKEN: [&str; 2] = ["done", "rejected"];
/// How often the lock is tried, and the pause between: 5 s. It is held while a batch is written.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// A directory of batches.
#[derive(Debug, Clone)]
pub struct DirectorySink {
    path: PathBuf,
    /// The source of the serials that are put in.
    source: String,
}

/// What `.published` says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Published {
    serial: u64,
    source: String,
    told: Option<Told>,
}

impl Published {
    /// Reads `SERIAL SOURCE [COMMITTED_MS [TRANSACTION]]`.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.trim_end_matches('\n').splitn(4, ' ');
        let (serial, source) = (words.next()?.parse().ok()?, words.next()?.to_owned());
        let told = match words.next() {
            None => None,
            Some(committed) => Some(Told {
                committed_ms: committed.parse().ok()?,
                transaction: words.next().unwrap_or_default().to_owned(),
            }),
        };
        Some(Self { serial, source, told })
    }
}

impl DirectorySink {
    /// The directory at `path`; it is made if it does not exist.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn new(path: &Path) -> Result<Self, SinkError> {
        let sink = Self { path: path.to_owned(), source: String::new() };
        fs::create_dir_all(path).map_err(sink.failed("make it"))?;
        Ok(sink)
    }

    fn failed(&self, doing: &'static str) -> impl Fn(io::Error) -> SinkError {
        move |source| DirectoryError::Io { path: self.path.clone(), doing, source }.into()
    }

    fn lock(&self) -> Result<Held, SinkError> {
        let mut options = OpenOptions::new();
        // Others may write into the folder: a link of that name is not followed.
        let flags = OFlags::NOFOLLOW.bits().cast_signed();
        options.write(true).create(true).truncate(false).mode(LOCK_MODE).custom_flags(flags);
        let file = options.open(self.path.join(LOCK)).map_err(self.failed("open its lock"))?;
        for _ in 0..LOCK_TRIES {
            match Held::try_new(&file) {
                Ok(held) => return Ok(held),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(self.failed("lock it")(error)),
            }
        }
        Err(DirectoryError::Held { path: self.path.join(LOCK) }.into())
    }

    /// What `.published` says.
    fn published(&self) -> Result<Option<Published>, SinkError> {
        let path = self.path.join(PUBLISHED);
        let mut text = String::new();
        let read = File::open(&path)
            .and_then(|file| file.take(PUBLISHED_BYTES_MAX).read_to_string(&mut text));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("read .published")(error)),
        }
        Published::parse(&text).map(Some).ok_or_else(|| {
            let (got, own) = (text.chars().take(40).collect(), self.source.clone());
            DirectoryError::Published { path, got, own }.into()
        })
    }

    /// The last serial of a batch that lies there, or that was applied and kept, and its file.
    fn last_of_files(&self) -> Result<Option<(u64, PathBuf)>, SinkError> {
        let mut last: Option<(u64, PathBuf)> = None;
        let taken = TAKEN.map(|folder| self.path.join(folder));
        // In the order in which a file moves, so that one that moves meanwhile is seen.
        for folder in [self.path.clone()].into_iter().chain(taken) {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(self.failed("list it")(error)),
            };
            for entry in entries {
                let name = entry.map_err(self.failed("list it"))?.file_name();
                let Some(serial) = name.to_str().and_then(last_of_name) else { continue };
                if last.as_ref().is_none_or(|(last, _)| *last < serial) {
                    last = Some((serial, folder.join(&name)));
                }
            }
        }
        Ok(last)
    }

    fn write_published(&self, serial: u64, told: Option<&Told>) -> Result<(), SinkError> {
        let mut text = format!("{serial} {}", self.source);
        if let Some(Told { committed_ms, transaction }) = told {
            text.push_str(&format!(" {committed_ms} {transaction}"));
        }
        text.push('\n');
        self.put(PUBLISHED, text.as_bytes()).map_err(self.failed("write .published"))
    }

    /// Writes a file aside, and gives it its name.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        aside::replace(&self.path.join(ASIDE), &self.path.join(name), bytes, true)?;
        File::open(&self.path)?.sync_all()
    }
}

impl Sink for DirectorySink {
    fn last(&mut self, source: &str) -> Result<Option<Last>, SinkError> {
        source.clone_into(&mut self.source);
        let _lock = self.lock()?;
        let published = self.published()?;
        if let Some(other) = published.as_ref().filter(|known| known.source != source) {
            let (path, other, own) = (self.path.clone(), other.source.clone(), source.to_owned());
            return Err(DirectoryError::OtherSource { path, other, own }.into());
        }
        let files = self.last_of_files()?;
        let known = published.as_ref().map(|published| published.serial);
        match files.filter(|(serial, _)| known < Some(*serial)) {
            // A crash came between the rename of a batch and that of `.published`.
            Some((serial, path)) => {
                let told = told_by(&path, serial);
                self.write_published(serial, told.as_ref())?;
                Ok(Some(Last { serial, told }))
            }
            None => Ok(published.map(|Published { serial, told, .. }| Last { serial, told })),
        }
    }

    fn send(&mut self, records: &[ChangeRecord]) -> Result<(), SinkError> {
        let _lock = self.lock()?;
        let last = self.published()?.map(|published| published.serial);
        let is_new = |record: &&ChangeRecord| last.is_none_or(|last| record.serial > last);
        let fresh: Vec<&ChangeRecord> = records.iter().filter(is_new).collect();
        let (Some(from), Some(to)) = (fresh.first(), fresh.last()) else { return Ok(()) };
        if let Some(last) = last.filter(|last| last.checked_add(1) != Some(from.serial)) {
            let (path, got) = (self.path.clone(), from.serial);
            return Err(DirectoryError::Gap { path, last, got }.into());
        }
        let mut lines = Vec::new();
        for record in &fresh {
            record.write_json(&mut lines);
        }
        self.put(&name(from.serial, to.serial), &lines).map_err(self.failed("write a batch"))?;
        self.write_published(to.serial, Some(&Told::of(to)))
    }
}

/// Why a directory does not take a batch.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The file system refuses.
    #[error("{}: cannot {doing}: {source}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What was to be done.
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// Another publisher puts a batch in, and does not end.
    #[error("{}: another publisher holds it", path.display())]
    Held {
        /// The lock.
        path: PathBuf,
    },
    /// The note of the last serial does not read.
    #[error(
        "{}: got {got:?}, expected a serial and a source; write the last serial that was applied \
         and {own:?} into it",
        path.display()
    )]
    Published {
        /// The note.
        path: PathBuf,
        /// Its first characters.
        got: String,
        /// The source of the serials to come.
        own: String,
    },
    /// It has the serials of another database.
    #[error(
        "{}: it has serials of {other}, and the database gives those of {own}; publish into \
         another directory, or make a base with --bootstrap and empty this one",
        path.display()
    )]
    OtherSource {
        /// The directory.
        path: PathBuf,
        /// The source of those that are there.
        other: String,
        /// The source of the serials to come.
        own: String,
    },
    /// Records are missing in front of a batch.
    #[error("{}: serial {got} does not follow {last}, the last one there", path.display())]
    Gap {
        /// The directory.
        path: PathBuf,
        /// The last serial there.
        last: u64,
        /// The first serial of the batch.
        got: u64,
    },
}

impl From<DirectoryError> for SinkError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Io { .. } | DirectoryError::Held { .. } => {
                Self::Transient(error.into())
            }
            DirectoryError::Published { .. }
            | DirectoryError::OtherSource { .. }
            | DirectoryError::Gap { .. } => Self::Lasting(error.into()),
        }
    }
}

/// What the last record of a batch's file says, if it reads.
fn told_by(path: &Path, serial: u64) -> Option<Told> {
    let mut file = File::open(path).ok()?;
    let end = i64::try_from(file.metadata().ok()?.len()).ok()?;
    file.seek(SeekFrom::End(end.min(LINE_BYTES_MAX).saturating_neg())).ok()?;
    let mut bytes = Vec::new();
    file.take(LINE_BYTES_MAX.unsigned_abs()).read_to_end(&mut bytes).ok()?;
    let line = bytes.trim_ascii_end().rsplit(|byte| *byte == b'\n').next()?;
    let record = ChangeRecord::parse(line).ok()?;
    (record.serial == serial).then(|| Told::of(&record))
}

fn name(from: u64, to: u64) -> String {
    format!("{from:0DIGITS$}-{to:0DIGITS$}{ENDING}")
}

/// The last serial of a batch by its name; `None`: the name of something else.
fn last_of_name(name: &str) -> Option<u64> {
    let (from, to) = name.strip_suffix(ENDING)?.split_once('-')?;
    let is_serial =
        |text: &str| text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_serial(from) && is_serial(to) { to.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Body;

    const SOURCE: &str = "pg-1";

    fn records(serials: std::ops::RangeInclusive<u64>) -> Vec<ChangeRecord> {
        let record = |serial| ChangeRecord {
            serial,
            committed_ms: 0,
            transaction: String::new(),
            body: Body::Heartbeat,
        };
        serials.map(record).collect()
    }

    fn serial(last: Result<Option<Last>, SinkError>) -> Option<u64> {
        last.unwrap().map(|last| last.serial)
    }

    #[test]
    fn what_was_told_of_under_the_last_serial_is_known_after_a_crash_and_from_older_versions() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = DirectorySink::new(folder.path()).unwrap();
        assert_eq!(sink.last(SOURCE).unwrap(), None);
        let mut batch = records(1..=3);
        batch[2].committed_ms = 7_000;
        sink.send(&batch).unwrap();
        let told = Told { committed_ms: 7_000, transaction: String::new() };
        let last = Last { serial: 3, told: Some(told) };
        assert_eq!(sink.last(SOURCE).unwrap(), Some(last.clone()));
        // A crash came before it was written: the batch itself says it.
        fs::remove_file(folder.path().join(PUBLISHED)).unwrap();
        assert_eq!(sink.last(SOURCE).unwrap(), Some(last));
        fs::write(folder.path().join(PUBLISHED), "3 pg-1\n").unwrap();
        assert_eq!(sink.last(SOURCE).unwrap(), Some(Last { serial: 3, told: None }));
        let with_blanks = Published::parse("3 pg-1 -5 T 1\n").unwrap().told.unwrap();
        assert!(with_blanks.is_of(-5, "T 1") && !with_blanks.is_of(-5, "T 2"));
        assert!(!with_blanks.is_of(-4, "T 1"));
        assert_eq!(Published::parse("3 pg-1 soon"), None);
    }

    fn batches(path: &Path) -> Vec<String> {
        let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| name.ends_with(ENDING));
        names.sort();
        names
    }

    #[test]
    fn a_batch_is_a_file_and_a_second_time_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = DirectorySink::new(&folder.path().join("new/feed")).unwrap();
        let path = sink.path.clone();
        assert_eq!(sink.last(SOURCE).unwrap(), None);
        sink.send(&records(5..=7)).unwrap();
        sink.send(&records(5..=7)).unwrap();
        // Another publisher, which cut its batches elsewhere.
        let mut other = DirectorySink::new(&path).unwrap();
        assert_eq!(serial(other.last(SOURCE)), Some(7));
        other.send(&records(6..=9)).unwrap();
        sink.send(&[]).unwrap();
        let names = [
            "00000000000000000005-00000000000000000007.jsonl",
            "00000000000000000008-00000000000000000009.jsonl",
        ];
        assert_eq!(batches(&path), names);
        let text = fs::read_to_string(path.join(names[1])).unwrap();
        let read = |line: &str| ChangeRecord::parse(line.as_bytes()).unwrap().serial;
        assert_eq!(text.lines().map(read).collect::<Vec<_>>(), [8, 9]);
        assert_eq!(serial(sink.last(SOURCE)), Some(9));
    }

    #[test]
    fn the_position_survives_that_files_are_taken_out_and_a_crash_before_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = DirectorySink::new(folder.path()).unwrap();
        assert_eq!(sink.last(SOURCE).unwrap(), None);
        sink.send(&records(1..=3)).unwrap();
        fs::remove_file(folder.path().join(name(1, 3))).unwrap();
        assert_eq!(serial(sink.last(SOURCE)), Some(3));
        // The rename of the batch was the last thing that happened, and it was applied at once.
        sink.send(&records(4..=4)).unwrap();
        fs::write(folder.path().join(PUBLISHED), "3 pg-1\n").unwrap();
        assert_eq!(serial(sink.last(SOURCE)), Some(4));
        let done = folder.path().join("done");
        fs::create_dir(&done).unwrap();
        fs::rename(folder.path().join(name(4, 4)), done.join(name(4, 4))).unwrap();
        fs::write(folder.path().join(ASIDE), "half a ba").unwrap();
        assert_eq!(serial(sink.last(SOURCE)), Some(4));
        sink.send(&records(3..=5)).unwrap();
        assert_eq!(batches(folder.path()), [name(5, 5)]);
    }

    #[test]
    fn gaps_and_damage_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = DirectorySink::new(folder.path()).unwrap();
        assert_eq!(sink.last(SOURCE).unwrap(), None);
        sink.send(&records(1..=3)).unwrap();
        let SinkError::Lasting(said) = sink.send(&records(5..=6)).unwrap_err() else { panic!() };
        let said = said.to_string();
        assert!(said.ends_with("serial 5 does not follow 3, the last one there"), "{said}");
        let SinkError::Lasting(said) = sink.last("pg-2").unwrap_err() else { panic!() };
        assert!(said.to_string().contains("it has serials of pg-1"), "{said}");
        fs::write(folder.path().join(PUBLISHED), "three").unwrap();
        assert!(matches!(sink.last(SOURCE), Err(SinkError::Lasting(_))));
    }
}

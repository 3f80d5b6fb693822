//! What a directory knows of the serials that files brought: the first one ever, what came under
//! the last ones, and which are waited for before the first one.
//!
//! # Invariants
//!
//! - The file is about the directory as it is: once its last serial is another one (a base, a
//!   stream, a crash before this was written), everything is forgotten. So a wrong claim is never
//!   made; less is noticed.
//!
//! # Does not
//!
//! Decide what becomes of a file: the spool does. Hold anything up: a position that cannot be
//! written is a warning.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::apply::{SpoolError, refused_serial};
use super::held::Held;
use crate::feed::ChangeRecord;
use crate::feed::seen::{self, Seen};

/// Name of the file in a snapshot directory.
pub const POSITION: &str = "files.position";
/// Records that are remembered: 512 KiB of memory.
const HASH_COUNT_MAX: usize = 1 << 15;
/// Of these, this many are for the next run.
const WRITTEN_COUNT_MAX: usize = 64;
/// First line of the file.
const FIRST_LINE: &str = "whoisd-files-position 1";
/// Longest file that is read, bytes; [`WRITTEN_COUNT_MAX`] lines of 45 bytes and four others.
const FILE_BYTES_MAX: u64 = 8 << 10;

/// The serials that files have brought.
#[derive(Debug, Default)]
pub struct Position {
    /// Where it is written; `None`: nowhere.
    path: Option<PathBuf>,
    /// The first serial that the directory ever took; 0: it is not known.
    first: u64,
    seen: Seen<HASH_COUNT_MAX>,
    /// Places of files that were refused before the first serial.
    pub(super) held: Held,
}

impl Position {
    /// Of the snapshot directory at `dir`. Without a file, or with one that does not read, nothing
    /// is known.
    #[must_use]
    pub fn open(dir: &Path) -> Self {
        let path = dir.join(POSITION);
        let known = match read(&path) {
            Ok(text) => decode(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Self::default()),
            Err(_) => None,
        };
        let known = known.unwrap_or_else(|| {
            let path = path.display();
            tracing::warn!(%path, "the position of files does not read, and is ignored");
            Self::default()
        });
        Self { path: Some(path), held: Held::open(dir), ..known }
    }

    /// Holds the place of a file of records that was refused before the directory has a serial:
    /// later files wait for its serials.
    ///
    /// # Errors
    ///
    /// It cannot be noted on the disk.
    pub fn hold(&mut self, name: &str, path: &Path) -> io::Result<()> {
        self.held.hold(name, refused_serial(path))
    }

    /// Compares records with what the directory has, whose last serial is `have`.
    pub(super) fn check(&mut self, have: u64, records: &[ChangeRecord]) -> Result<(), SpoolError> {
        if self.seen.last() != Some(have) {
            (self.first, self.seen) = (0, Seen::default());
        }
        if let Some(serial) = self.seen.rewritten(records) {
            return Err(SpoolError::Rewritten { serial });
        }
        let (Some(from), Some(to)) = (records.first(), records.last()) else { return Ok(()) };
        if have == 0 {
            self.held.check(from.serial)?;
        }
        if to.serial < self.first {
            let (from, to, first) = (from.serial, to.serial, self.first);
            return Err(SpoolError::TooEarly { from, to, first });
        }
        if from.serial < self.first {
            let (serial, first) = (from.serial, self.first);
            tracing::warn!(
                serial,
                first,
                "records before the first serial that this directory took are left out"
            );
        }
        Ok(())
    }

    /// Notes records that were taken in by a directory whose last serial was `have` before.
    pub(super) fn note(&mut self, have: u64, records: &[ChangeRecord]) {
        let Some(first) = records.iter().find(|record| record.serial > have) else { return };
        if have == 0 {
            self.first = first.serial;
        }
        self.held.clear();
        self.seen.note(records, have);
        if let Some(path) = &self.path
            && let Err(error) = seen::replace(path, &self.encode())
        {
            let path = path.display();
            tracing::warn!(%path, %error, "the position of files cannot be written");
        }
    }

    fn encode(&self) -> String {
        let mut text = format!("{FIRST_LINE}\nfirst {}\n", self.first);
        self.seen.write_lines(&mut text, "", WRITTEN_COUNT_MAX);
        text.push_str(&seen::end_of(&text));
        text
    }
}

/// The file at `path`, or as much of it as is enough to tell that it is too long.
fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn decode(text: &str) -> Option<Position> {
    let mut lines = seen::body_of(text)?.lines();
    if lines.next()? != FIRST_LINE {
        return None;
    }
    let first = lines.next()?.strip_prefix("first ")?.parse().ok()?;
    let mut seen = Seen::default();
    lines.try_for_each(|line| seen.read_line(line))?;
    Some(Position { first, seen, ..Position::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Body;

    fn records(serials: std::ops::RangeInclusive<u64>, content: i64) -> Vec<ChangeRecord> {
        let record = |serial| ChangeRecord {
            serial,
            committed_ms: content,
            transaction: String::new(),
            body: Body::Heartbeat,
        };
        serials.map(record).collect()
    }

    #[test]
    fn another_content_under_a_serial_that_is_remembered_is_noticed_by_the_next_run_too() {
        let dir = tempfile::tempdir().unwrap();
        let mut position = Position::open(dir.path());
        position.check(4, &records(5..=7, 0)).unwrap();
        position.note(4, &records(5..=7, 0));
        for mut position in [position, Position::open(dir.path())] {
            assert!(position.check(7, &records(3..=7, 0)).is_ok());
            let other = position.check(7, &records(7..=8, 1)).unwrap_err();
            assert!(matches!(other, SpoolError::Rewritten { serial: 7 }), "{other}");
            // A base or a stream came between.
            assert!(position.check(9, &records(7..=8, 1)).is_ok());
        }
    }

    #[test]
    fn what_lies_before_the_first_serial_ever_taken_is_known_as_such() {
        let dir = tempfile::tempdir().unwrap();
        let mut position = Position::open(dir.path());
        position.note(0, &records(10..=12, 0));
        for mut position in [position, Position::open(dir.path())] {
            let early = position.check(12, &records(8..=9, 0)).unwrap_err();
            assert!(matches!(early, SpoolError::TooEarly { from: 8, to: 9, first: 10 }), "{early}");
            assert!(position.check(12, &records(8..=10, 0)).is_ok());
        }
        let mut of_base = Position::default();
        of_base.note(3, &records(4..=4, 0));
        assert!(of_base.check(4, &records(1..=2, 0)).is_ok(), "the base has them");
    }

    #[test]
    fn a_file_has_the_newest_and_one_that_is_cut_or_too_long_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut position = Position::open(dir.path());
        position.note(0, &records(1..=200, 0));
        let text = position.encode();
        assert!((text.len() as u64) < FILE_BYTES_MAX);
        let known = Position::open(dir.path());
        assert_eq!((known.first, known.seen.count()), (1, WRITTEN_COUNT_MAX));
        assert_eq!(known.seen.last(), position.seen.last());
        for other in [text[..text.len() - 1].to_owned(), text.repeat(3)] {
            std::fs::write(dir.path().join(POSITION), other).unwrap();
            let unknown = Position::open(dir.path());
            assert_eq!((unknown.first, unknown.seen.count()), (0, 0));
        }
    }
}

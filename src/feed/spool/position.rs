//! What a directory knows of the serials that files brought: the first one ever, and what came
//! under the last ones.
//!
//! # Invariants
//!
//! - What is known is of the directory as it is: once its last serial is another one (a base, a
//!   stream, a crash before this was written), everything is forgotten. So a wrong claim is never
//!   made; less is noticed.
//!
//! # Does not
//!
//! Decide what becomes of a file: the spool does. Hold anything up: a position that cannot be
//! written is a warning.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use twox_hash::XxHash3_64;

use super::apply::SpoolError;
use crate::feed::{ChangeRecord, VERSION};

/// Name of the file in a snapshot directory.
pub const POSITION: &str = "files.position";
/// Records that are remembered: 512 KiB of memory.
const HASH_COUNT_MAX: usize = 1 << 15;
/// Of these, so many are for the next run.
const WRITTEN_COUNT_MAX: usize = 64;
/// First line of the file.
const FIRST_LINE: &str = "whoisd-files-position 1";
/// Longest file that is read, bytes; [`WRITTEN_COUNT_MAX`] lines of 45 bytes and four others.
const FILE_BYTES_MAX: usize = 8 << 10;

/// The serials that files have brought.
#[derive(Debug, Default)]
pub struct Position {
    /// Where it is written; `None`: nowhere.
    path: Option<PathBuf>,
    /// The first serial that the directory ever took; 0: it is not known.
    first: u64,
    /// Serial and hash of records, in order of their serials.
    hashes: VecDeque<(u64, u64)>,
}

impl Position {
    /// Of the snapshot directory at `dir`. Without a file, or with one that does not read, nothing
    /// is known.
    #[must_use]
    pub fn open(dir: &Path) -> Self {
        let path = dir.join(POSITION);
        let known = match fs::read(&path) {
            Ok(bytes) => decode(&String::from_utf8_lossy(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Self::default()),
            Err(_) => None,
        };
        let known = known.unwrap_or_else(|| {
            let path = path.display();
            tracing::warn!(%path, "the position of files does not read, and is ignored");
            Self::default()
        });
        Self { path: Some(path), ..known }
    }

    /// Compares records with what the directory has, whose last serial is `have`.
    pub(super) fn check(&mut self, have: u64, records: &[ChangeRecord]) -> Result<(), SpoolError> {
        if self.hashes.back().is_none_or(|(last, _)| *last != have) {
            (self.first, self.hashes) = (0, VecDeque::new());
        }
        for record in records.iter().take_while(|record| record.serial <= have) {
            let serial = record.serial;
            let known = self.hashes.binary_search_by_key(&serial, |(serial, _)| *serial).ok();
            let known = known.and_then(|at| self.hashes.get(at));
            if known.is_some_and(|(_, known)| *known != hash(record)) {
                return Err(SpoolError::Rewritten { serial });
            }
        }
        let (Some(from), Some(to)) = (records.first(), records.last()) else { return Ok(()) };
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
        let mut new = records.iter().filter(|record| record.serial > have).peekable();
        let Some(first) = new.peek() else { return };
        if have == 0 {
            self.first = first.serial;
        }
        for record in new {
            if self.hashes.len() >= HASH_COUNT_MAX {
                self.hashes.pop_front();
            }
            self.hashes.push_back((record.serial, hash(record)));
        }
        if let Some(path) = &self.path
            && let Err(error) = self.write(path)
        {
            let path = path.display();
            tracing::warn!(%path, %error, "the position of files cannot be written");
        }
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let mut aside = path.as_os_str().to_owned();
        aside.push(".new");
        // Not synced: after a crash of the machine less is known.
        fs::write(&aside, self.encode())?;
        fs::rename(&aside, path)
    }

    fn encode(&self) -> String {
        let mut text = format!("{FIRST_LINE}\nfirst {}\n", self.first);
        let passed = self.hashes.len().saturating_sub(WRITTEN_COUNT_MAX);
        for (serial, hash) in self.hashes.iter().skip(passed) {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{serial} {VERSION} {hash:016x}");
        }
        let crc = crc32c::crc32c(text.as_bytes());
        let _ = writeln!(text, "end {crc:08x}");
        text
    }
}

fn decode(text: &str) -> Option<Position> {
    if text.len() > FILE_BYTES_MAX {
        return None;
    }
    let (body, end) = text.rsplit_once("end ")?;
    if end != format!("{:08x}\n", crc32c::crc32c(body.as_bytes())) {
        return None;
    }
    let mut lines = body.lines();
    if lines.next()? != FIRST_LINE {
        return None;
    }
    let first = lines.next()?.strip_prefix("first ")?.parse().ok()?;
    let mut hashes = VecDeque::new();
    for line in lines {
        let [serial, version, hash] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
        // Another version of the record has other bytes.
        if version == VERSION.to_string() {
            hashes.push_back((serial.parse().ok()?, u64::from_str_radix(hash, 16).ok()?));
        }
    }
    Some(Position { path: None, first, hashes })
}

/// Hash of a record as this build writes it, whoever wrote it.
fn hash(record: &ChangeRecord) -> u64 {
    let mut line = Vec::new();
    record.write_json(&mut line);
    XxHash3_64::oneshot(&line)
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
    fn a_file_that_is_cut_or_changed_says_nothing() {
        let mut position = Position::default();
        position.note(0, &records(1..=200, 0));
        let text = position.encode();
        assert!(text.len() < FILE_BYTES_MAX);
        let read = decode(&text).unwrap();
        assert_eq!((read.first, read.hashes.len()), (1, WRITTEN_COUNT_MAX));
        assert_eq!(read.hashes.back(), position.hashes.back());
        for at in 0..text.len() {
            assert!(decode(&text[..at]).is_none(), "cut at {at}");
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            assert!(decode(&String::from_utf8(changed).unwrap()).is_none(), "a bit of byte {at}");
        }
    }
}

//! Remembers what came under the serials that were taken in, so that other content under one of
//! them shows; and the small files in which the next run finds it.
//!
//! # Invariants
//!
//! - `bounded`: the newest `MAX` records are remembered, 16 bytes each.
//! - A file is whole or says nothing: its last line has a checksum of those before it.
//!
//! # Does not
//!
//! Decide what follows from a difference. Sync: after a crash of the machine less is known.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use twox_hash::XxHash3_64;

use super::{ChangeRecord, VERSION};
use crate::aside;

/// Serials and hashes of records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen<const MAX: usize> {
    /// In order of the serials.
    hashes: VecDeque<(u64, u64)>,
}

impl<const MAX: usize> Seen<MAX> {
    /// The last serial; `None` if none is remembered.
    pub(super) fn last(&self) -> Option<u64> {
        self.hashes.back().map(|(serial, _)| *serial)
    }

    /// The first serial of `records`, which are in order, that came with another content before.
    pub(super) fn rewritten(&self, records: &[ChangeRecord]) -> Option<u64> {
        let last = self.last()?;
        let known = records.iter().take_while(|record| record.serial <= last);
        known.map(|record| (record.serial, record)).find_map(|(serial, record)| {
            let at = self.hashes.binary_search_by_key(&serial, |(serial, _)| *serial).ok()?;
            let (_, known) = self.hashes.get(at)?;
            (*known != hash(record)).then_some(serial)
        })
    }

    /// Remembers the records after `have`.
    pub(super) fn note(&mut self, records: &[ChangeRecord], have: u64) {
        for record in records.iter().filter(|record| record.serial > have) {
            if self.hashes.len() >= MAX {
                self.hashes.pop_front();
            }
            self.hashes.push_back((record.serial, hash(record)));
        }
    }

    /// Forgets what follows `serial`.
    pub(super) fn cut(&mut self, serial: u64) {
        while self.last().is_some_and(|last| last > serial) {
            self.hashes.pop_back();
        }
    }

    /// Adds a line for each of the newest `count`, after `word`.
    pub(super) fn write_lines(&self, text: &mut String, word: &str, count: usize) {
        let passed = self.hashes.len().saturating_sub(count);
        for (serial, hash) in self.hashes.iter().skip(passed) {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{word}{serial} {VERSION} {hash:016x}");
        }
    }

    /// Takes in what such a line has after its word. `None` if it does not read.
    pub(super) fn read_line(&mut self, line: &str) -> Option<()> {
        let [serial, version, hash] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let known = (serial.parse().ok()?, u64::from_str_radix(hash, 16).ok()?);
        // Another version of the record has other bytes.
        if version == VERSION.to_string() {
            self.hashes.push_back(known);
        }
        Some(())
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.hashes.len()
    }
}

/// Hash of a record as this build writes it, whatever build wrote it.
fn hash(record: &ChangeRecord) -> u64 {
    let mut line = Vec::new();
    record.write_json(&mut line);
    XxHash3_64::oneshot(&line)
}

/// The last line, for the lines before it.
pub(super) fn end_of(body: &str) -> String {
    format!("end {:08x}\n", crc32c::crc32c(body.as_bytes()))
}

/// The lines before the last one, if that is theirs.
pub(super) fn body_of(text: &str) -> Option<&str> {
    let (body, _) = text.rsplit_once("end ")?;
    (text.strip_prefix(body)? == end_of(body)).then_some(body)
}

/// Puts a file in the place of the one before.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    aside::replace(Path::new(&aside), path, text.as_bytes(), false)
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
    fn memory_is_bounded_and_the_newest_are_kept() {
        let mut seen = Seen::<100>::default();
        seen.note(&records(1..=110, 0), 0);
        assert_eq!((seen.count(), seen.last()), (100, Some(110)));
        assert_eq!(seen.rewritten(&records(1..=10, 1)), None);
        assert_eq!(seen.rewritten(&records(9..=12, 1)), Some(11));
        seen.cut(50);
        assert_eq!((seen.last(), seen.rewritten(&records(51..=60, 1))), (Some(50), None));
    }

    #[test]
    fn lines_are_read_as_they_were_written_and_those_of_another_version_passed_over() {
        let mut seen = Seen::<100>::default();
        seen.note(&records(1..=9, 0), 0);
        let mut text = String::new();
        seen.write_lines(&mut text, "last ", 2);
        let mut read = Seen::<100>::default();
        for line in text.lines() {
            read.read_line(line.strip_prefix("last ").unwrap()).unwrap();
        }
        assert_eq!(read.count(), 2);
        assert_eq!(read.rewritten(&records(7..=9, 1)), Some(8));
        read.read_line("10 999 00").unwrap();
        assert_eq!(read.last(), Some(9));
        assert_eq!(read.read_line("10 1"), None);
    }

    #[test]
    fn a_text_that_is_cut_or_changed_has_no_body() {
        let body = "first\nsecond\n";
        let text = format!("{body}{}", end_of(body));
        assert_eq!(body_of(&text), Some(body));
        for at in 0..text.len() {
            assert_eq!(body_of(&text[..at]), None, "cut at {at}");
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            assert_eq!(body_of(&String::from_utf8(changed).unwrap()), None, "a bit of byte {at}");
        }
    }
}

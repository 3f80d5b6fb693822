//! Names of the log's files: `queries-YYYYMMDDTHHMMSSZ-N.jsonl.gz` and `.parquet`.
//!
//! # Invariants
//!
//! - The day in a segment's name is the day for which its queries count.
//! - Segments of one day have ascending names in the order in which they were begun.
//!
//! # Does not
//!
//! Read what is in a file.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::day::{Day, compact, of_compact};

/// What every name begins with.
const PREFIX: &str = "queries-";
/// End of a file of JSON lines.
pub(super) const LINES: &str = "jsonl.gz";
/// End of a Parquet file.
pub(super) const COLUMNS: &str = "parquet";
/// End of a Parquet file that is being written.
pub(super) const PART: &str = "parquet.part";

/// What the files of one stretch of time have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stem {
    at_s: i64,
    number: u32,
}

impl Stem {
    /// The stem of a segment that begins now, after `last`.
    pub(super) fn next(now_ms: i64, last: Option<Self>) -> Self {
        let at_s = now_ms.div_euclid(1_000).max(0);
        match last {
            // A clock that was set back within a day: names still ascend.
            Some(last) if last.at_s >= at_s && last.day() == Day::of_ms(now_ms) => {
                Self { at_s: last.at_s, number: last.number.saturating_add(1) }
            }
            _ => Self { at_s, number: 1 },
        }
    }

    /// No segment of this day comes before it.
    pub(super) fn first_of(day: Day) -> Self {
        Self { at_s: day.first_ms().div_euclid(1_000), number: 0 }
    }

    /// Its day.
    pub(super) fn day(self) -> Day {
        Day::of_ms(self.at_s.saturating_mul(1_000))
    }

    /// When it was begun, seconds since the Unix epoch.
    pub(super) const fn at_s(self) -> i64 {
        self.at_s
    }

    /// Name of the file with this end.
    pub(super) fn file(self, end: &str) -> String {
        format!("{self}.{end}")
    }

    /// Reads a stem.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (time, number) = text.strip_prefix(PREFIX)?.split_once('-')?;
        let is_plain = !number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit());
        let number = number.parse().ok().filter(|_| is_plain)?;
        Some(Self { at_s: of_compact(time)?, number })
    }
}

impl fmt::Display for Stem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}-{}", compact(self.at_s), self.number)
    }
}

/// One file of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    /// One of [`LINES`], [`COLUMNS`], [`PART`].
    pub(super) end: &'static str,
    pub(super) bytes: u64,
}

/// The segments of a directory, in order, each with its files.
pub(super) type Segments = BTreeMap<Stem, Vec<Part>>;

/// Lists the segments of a directory; other files are passed over.
pub(super) fn list(dir: &Path) -> io::Result<Segments> {
    let mut segments = Segments::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some((stem, end)) = name.to_str().and_then(|name| name.split_once('.')) else {
            continue;
        };
        let known = [LINES, COLUMNS, PART].into_iter().find(|known| *known == end);
        let (Some(stem), Some(end)) = (Stem::parse(stem), known) else { continue };
        // One that is gone meanwhile was deleted: it is not there.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() {
            let part = Part { path: entry.path(), end, bytes: metadata.len() };
            segments.entry(stem).or_default().push(part);
        }
    }
    Ok(segments)
}

/// The file of a segment from which its queries are counted: JSON lines where there are any, since
/// they hold what a crash left.
pub(super) fn counted(parts: &[Part]) -> Option<&Part> {
    let of = |end| parts.iter().find(|part| part.end == end);
    of(LINES).or_else(|| of(COLUMNS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_as_it_is_written_and_names_ascend() {
        let first = Stem::next(1_795_656_123_456, None);
        assert_eq!(first.file(LINES), "queries-20261126T012203Z-1.jsonl.gz");
        assert_eq!(Stem::parse(&first.to_string()), Some(first));
        assert_eq!(first.day().to_string(), "2026-11-26");
        let second = Stem::next(1_795_656_123_999, Some(first));
        let set_back = Stem::next(1_795_656_000_000, Some(second));
        assert_eq!(set_back.to_string(), "queries-20261126T012203Z-3");
        assert!(first < second && second < set_back);
        let another_day = Stem::next(1_795_556_123_456, Some(second));
        assert_eq!(another_day.to_string(), "queries-20261124T213523Z-1");
        for bad in ["queries-20261126T012203Z", "queries-20261126T012203Z-01", "q-1", ""] {
            assert_eq!(Stem::parse(bad), None, "{bad}");
        }
        assert!(
            Stem::parse("queries-20261126T012203Z-9") < Stem::parse("queries-20261126T012203Z-10")
        );
    }
}

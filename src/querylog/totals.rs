//! The daily totals, `totals.jsonl`: one line a day, each with the hash of the one before it.
//!
//! The hash of a line is the SHA-256 of its JSON without the member `hash`, as it is written: cut
//! `,"hash":"..."` out of the line and hash the rest. `COUNTING.md` says what is counted.
//!
//! # Invariants
//!
//! - `chained`: a line that is changed, taken out, put in or moved shows, unless every line after
//!   it is written again; the last hash, kept elsewhere, shows that too.
//! - `appended`: a line is on the disk before the next one is made. Part of a line at the end, from
//!   a crash, is cut off before the next line is written.
//! - A line that is not byte for byte what would be written for its values is refused.
//!
//! # Does not
//!
//! Count: `archive` does, and `recover` after a crash.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::counts::Counts;
use super::day::Day;
use super::error::{ChainError, TotalError};
use super::row::json_problem;
use super::segment::FILE_MODE;
use super::segment_name::Stem;
use crate::aside;
use crate::hex::LOWER;

/// Name of the file.
pub(super) const TOTALS: &str = "totals.jsonl";
/// Name of the file that holds what the running day has counted.
const OPEN: &str = "totals.open";
/// The same while it is written.
const OPEN_PART: &str = "totals.open.part";
/// Version of a line.
pub(super) const LINE_VERSION: u32 = 1;
/// Longest line, bytes: the bounds of what is counted give about 10 MB.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// One day's totals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayTotal {
    /// Version of the line.
    pub v: u32,
    /// The day.
    pub day: Day,
    /// Segments of files that the day has.
    pub segments: u64,
    /// Name of the last of them, without its end; empty if there is none.
    pub through: String,
    /// What was counted.
    pub counts: Counts,
    /// Hash of the line before; zeros for the first one.
    pub previous: String,
    /// Hash of this line without this member.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
}

impl DayTotal {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// What the hash of its values would be.
    fn expected_hash(&self) -> serde_json::Result<String> {
        let unhashed = Self { hash: String::new(), ..self.clone() };
        Ok(LOWER.encode(&Sha256::digest(unhashed.json()?.as_bytes())))
    }

    /// What is wrong with its hashes, where the line before has the hash `previous`.
    fn problems(&self, previous: &str) -> Vec<TotalError> {
        let mut problems = Vec::new();
        if self.previous != previous {
            let (got, expected) = (self.previous.clone(), previous.to_owned());
            problems.push(TotalError::Previous { got, expected });
        }
        match self.expected_hash() {
            Ok(expected) if expected == self.hash => {}
            Ok(expected) => problems.push(TotalError::Hash { got: self.hash.clone(), expected }),
            Err(error) => problems.push(no_json(&error)),
        }
        problems
    }

    /// Reads a line, without its line end.
    fn read(line: &[u8]) -> Result<Self, TotalError> {
        let total: Self = serde_json::from_slice(line).map_err(|error| no_json(&error))?;
        if total.v != LINE_VERSION {
            return Err(TotalError::Version { got: total.v });
        }
        if !total.through.is_empty() && Stem::parse(&total.through).is_none() {
            return Err(TotalError::Through);
        }
        if !is_hash(&total.previous) || !is_hash(&total.hash) {
            return Err(TotalError::HashForm);
        }
        if total.json().map_err(|error| no_json(&error))?.as_bytes() != line {
            return Err(TotalError::Form);
        }
        Ok(total)
    }
}

fn no_json(error: &serde_json::Error) -> TotalError {
    TotalError::Json { problem: json_problem(error) }
}

/// `previous` of the first line.
#[must_use]
pub fn first_hash() -> String {
    "0".repeat(64)
}

/// Whether a text looks like a hash of a line.
#[must_use]
pub fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Has the names of a directory's files on the disk.
fn sync_names(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// What is wrong with a line of the totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The line, from 1.
    pub line: u64,
    /// The day that it says, if it can be read.
    pub day: Option<Day>,
    /// What is wrong.
    pub problem: TotalError,
}

/// The totals of a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// The lines that can be read.
    pub days: Vec<DayTotal>,
    /// What is wrong with the chain.
    pub broken: Vec<Broken>,
    /// Bytes up to the end of the last whole line.
    pub whole_bytes: u64,
    /// Whether something follows that is not a whole line.
    pub torn: bool,
    /// Whether only the end of the last line is missing.
    pub lacks_end: bool,
}

impl Totals {
    /// Reads and checks the totals of a directory; there may be none.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn read(dir: &Path) -> io::Result<Self> {
        let file = match File::open(dir.join(TOTALS)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        Self::of(BufReader::new(file))
    }

    fn of(mut from: impl BufRead) -> io::Result<Self> {
        let mut totals = Self::default();
        let mut previous = first_hash();
        let mut text = Vec::new();
        for line in 1.. {
            text.clear();
            let length = from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut text)?;
            if length == 0 {
                return Ok(totals);
            }
            let whole = text.strip_suffix(b"\n");
            totals.lacks_end = whole.is_none();
            // The end alone may be missing: then the line says as much as with it.
            if whole.is_none() && DayTotal::read(&text).is_err() {
                (totals.torn, totals.lacks_end) = (true, false);
                return Ok(totals);
            }
            let whole = whole.unwrap_or(&text);
            totals.whole_bytes = totals.whole_bytes.saturating_add(length as u64);
            let mut broken = |day, problem| totals.broken.push(Broken { line, day, problem });
            match DayTotal::read(whole) {
                Err(problem) => broken(None, problem),
                Ok(total) => {
                    for problem in total.problems(&previous) {
                        broken(Some(total.day), problem);
                    }
                    previous.clone_from(&total.hash);
                    totals.days.push(total);
                }
            }
        }
        Ok(totals)
    }

    /// The last hash of the chain.
    #[must_use]
    pub fn last_hash(&self) -> String {
        self.days.last().map_or_else(first_hash, |last| last.hash.clone())
    }

    /// For each day the last segment that was counted.
    pub(super) fn through(&self) -> BTreeMap<Day, Option<Stem>> {
        let mut through = BTreeMap::new();
        for total in &self.days {
            let last = through.entry(total.day).or_insert(None);
            *last = (*last).max(Stem::parse(&total.through));
        }
        through
    }
}

/// Appends lines to the totals of a directory.
#[derive(Debug)]
pub(super) struct Chain {
    path: PathBuf,
    last_hash: String,
    /// Where the next line begins.
    whole_bytes: u64,
    /// Whether the end of the last line is missing.
    lacks_end: bool,
}

impl Chain {
    /// Continues `totals`, whose last line has to be readable.
    pub(super) fn behind(dir: &Path, totals: &Totals) -> Result<Self, ChainError> {
        let path = dir.join(TOTALS);
        let last_line = (totals.days.len() as u64).saturating_add(
            totals.broken.iter().filter(|broken| broken.day.is_none()).count() as u64,
        );
        let unread = totals.broken.iter().find(|one| one.day.is_none() && one.line == last_line);
        if let Some(unread) = unread {
            let problem = unread.problem.clone();
            return Err(ChainError::LastLine { path, line: last_line, problem });
        }
        let (last_hash, whole_bytes) = (totals.last_hash(), totals.whole_bytes);
        Ok(Self { path, last_hash, whole_bytes, lacks_end: totals.lacks_end })
    }

    /// Appends a day, and returns its line once it is on the disk.
    pub(super) fn append(&mut self, open: &OpenDay) -> io::Result<DayTotal> {
        let mut total = DayTotal {
            v: LINE_VERSION,
            day: open.day,
            segments: open.segments,
            through: open.through.map(|stem| stem.to_string()).unwrap_or_default(),
            counts: open.counts.clone(),
            previous: self.last_hash.clone(),
            hash: String::new(),
        };
        total.hash = total.expected_hash().map_err(io::Error::other)?;
        let json = total.json().map_err(io::Error::other)?;
        let line = format!("{}{json}\n", if self.lacks_end { "\n" } else { "" });
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).mode(FILE_MODE).open(&self.path)?;
        let bytes = file.metadata()?.len();
        if bytes < self.whole_bytes {
            let (path, expected) = (self.path.display(), self.whole_bytes);
            return Err(io::Error::other(format!(
                "{path}: has {bytes} bytes, and had {expected}: somebody has changed it; put it \
                 back"
            )));
        }
        // Cuts off a line that a crash, or a full disk, left unfinished.
        file.set_len(self.whole_bytes)?;
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        if self.whole_bytes == 0 {
            sync_names(self.path.parent().unwrap_or(&self.path))?;
        }
        self.whole_bytes = self.whole_bytes.saturating_add(line.len() as u64);
        self.lacks_end = false;
        self.last_hash.clone_from(&total.hash);
        Ok(total)
    }
}

/// A day that has no line in the totals yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenDay {
    pub(super) day: Day,
    /// Segments that are complete, and counted.
    pub(super) segments: u64,
    /// The last of them.
    #[serde(with = "stem_text")]
    pub(super) through: Option<Stem>,
    pub(super) counts: Counts,
}

impl OpenDay {
    /// Nothing yet.
    pub(super) fn new(day: Day) -> Self {
        Self { day, segments: 0, through: None, counts: Counts::default() }
    }

    /// Adds what was counted of the same day elsewhere.
    pub(super) fn merge(&mut self, other: &Self) {
        self.segments = self.segments.saturating_add(other.segments);
        self.through = self.through.max(other.through);
        self.counts.merge(&other.counts);
    }

    /// Writes it down, so that the next start need not read complete segments again, which may be
    /// deleted meanwhile.
    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        let text = serde_json::to_vec(self)?;
        aside::replace(&dir.join(OPEN_PART), &dir.join(OPEN), &text, true)?;
        // With it, the names of files that were completed before.
        sync_names(dir)
    }

    /// Reads what was written down last, if that can be read: if not, everything is counted again.
    pub(super) fn read(dir: &Path) -> Option<Self> {
        let mut text = Vec::new();
        let file = File::open(dir.join(OPEN)).ok()?;
        file.take(LINE_BYTES_MAX).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

/// A stem as its text.
mod stem_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use super::Stem;

    pub(super) fn serialize<S: Serializer>(
        stem: &Option<Stem>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        stem.map(|stem| stem.to_string()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Stem>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let read = |text: String| Stem::parse(&text).ok_or_else(|| de::Error::custom("no segment"));
        text.map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "a test's own numbers")]

    use std::fs;

    use super::super::row::tests::row;
    use super::*;

    fn day(number: i64) -> OpenDay {
        let at_ms = 1_795_656_123_456 + number * 86_400_000;
        let mut open = OpenDay::new(Day::of_ms(at_ms));
        (0..=number).for_each(|_| open.counts.add(&row()));
        open.segments = 1;
        open.through = Some(Stem::next(at_ms, None));
        open
    }

    fn chain(dir: &Path, days: i64) -> Vec<DayTotal> {
        let mut chain = Chain::behind(dir, &Totals::read(dir).unwrap()).unwrap();
        (0..days).map(|number| chain.append(&day(number)).unwrap()).collect()
    }

    #[test]
    fn a_line_reads_so_and_its_hash_can_be_had_without_us() {
        let folder = tempfile::tempdir().unwrap();
        chain(folder.path(), 1);
        let text = fs::read_to_string(folder.path().join(TOTALS)).unwrap();
        let golden = format!(
            "{{\"v\":1,\"day\":\"2026-11-26\",\"segments\":1,\
             \"through\":\"queries-20261126T012203Z-1\",\"counts\":{{\"queries\":1,\"lost\":0,\
             \"bytes\":1834,\"kinds\":{{\"domain\":{{\"found\":1}}}},\
             \"tlds\":{{\"example\":{{\"found\":1}}}}}},\"previous\":\"{}\"}}",
            "0".repeat(64)
        );
        let hash = LOWER.encode(&Sha256::digest(golden.as_bytes()));
        let expected = format!("{},\"hash\":\"{hash}\"}}\n", golden.strip_suffix('}').unwrap());
        assert_eq!(text, expected);
    }

    #[test]
    fn a_change_of_any_byte_is_found_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let days = chain(folder.path(), 3);
        let totals = Totals::read(folder.path()).unwrap();
        assert_eq!((&totals.days, &*totals.broken, totals.torn), (&days, &[][..], false));
        let good = fs::read(folder.path().join(TOTALS)).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let totals = Totals::of(&*bad).unwrap();
            let line = 1 + good[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
            // Without its end, a line with something after it is part of a line.
            let is_last = at == good.len() - 1;
            assert!(is_last || !totals.broken.is_empty(), "{at}");
            assert!(is_last || totals.broken[0].line.abs_diff(line) <= 1, "{at}: {totals:?}");
        }
        let lines: Vec<_> = good.split_inclusive(|byte| *byte == b'\n').collect();
        for (what, bytes) in [
            ("taken out", [lines[0], lines[2]].concat()),
            ("moved", [lines[1], lines[0], lines[2]].concat()),
            ("put in", [lines[0], lines[0], lines[1], lines[2]].concat()),
        ] {
            let totals = Totals::of(&*bytes).unwrap();
            assert!(totals.broken[0].problem.to_string().contains(what), "{totals:?}");
        }
        let text = String::from_utf8(good).unwrap();
        let more = text.replace("\"queries\":2", "\"queries\":9");
        let totals = Totals::of(more.as_bytes()).unwrap();
        assert_eq!(totals.broken.len(), 1);
        assert_eq!((totals.broken[0].line, totals.broken[0].day), (2, Some(days[1].day)));
        assert!(totals.broken[0].problem.to_string().contains("a value was changed"));
    }

    #[test]
    fn a_torn_line_is_cut_off_before_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        chain(folder.path(), 2);
        let path = folder.path().join(TOTALS);
        let good = fs::read(&path).unwrap();
        fs::write(&path, &good[..good.len() - 30]).unwrap();
        let totals = Totals::read(folder.path()).unwrap();
        assert!(totals.torn && totals.broken.is_empty() && totals.days.len() == 1);
        Chain::behind(folder.path(), &totals).unwrap().append(&day(1)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), good);
        // A line that only lacks its end is not torn.
        let first = good.iter().position(|byte| *byte == b'\n').unwrap();
        fs::write(&path, &good[..first]).unwrap();
        let totals = Totals::read(folder.path()).unwrap();
        assert!(totals.lacks_end && !totals.torn && totals.days.len() == 1, "{totals:?}");
        let mut behind = Chain::behind(folder.path(), &totals).unwrap();
        behind.append(&day(1)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), good);
        let mut behind =
            Chain::behind(folder.path(), &Totals::read(folder.path()).unwrap()).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(behind.append(&day(2)).unwrap_err().to_string().contains("put it back"));
        let raw = "{\"v\":1,\"day\":\"\u{202e}\"}\n{\"\u{202e}\":1}\n";
        fs::write(&path, raw).unwrap();
        let broken = Totals::read(folder.path()).unwrap().broken;
        assert!(
            broken.len() == 2
                && broken.iter().all(|one| !one.problem.to_string().contains('\u{202e}'))
        );
        fs::write(&path, b"garbage\n").unwrap();
        let totals = Totals::read(folder.path()).unwrap();
        let error = Chain::behind(folder.path(), &totals).unwrap_err().to_string();
        assert!(error.contains("totals.jsonl:1: "), "{error}");
    }

    #[test]
    fn an_open_day_reads_back_or_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(OpenDay::read(folder.path()), None);
        day(3).write(folder.path()).unwrap();
        assert_eq!(OpenDay::read(folder.path()), Some(day(3)));
        OpenDay::new(Day::of_ms(0)).write(folder.path()).unwrap();
        assert_eq!(OpenDay::read(folder.path()), Some(OpenDay::new(Day::of_ms(0))));
        fs::write(folder.path().join(OPEN), b"{").unwrap();
        assert_eq!(OpenDay::read(folder.path()), None);
    }
}

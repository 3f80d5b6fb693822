//! One file of the spool, or of a command: its records go to an [`Intake`], batch by batch.
//!
//! # Does not
//!
//! Move files, or wait.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use super::position::Position;
use crate::feed::{
    Applied, ApplyError, ChangeRecord, Intake, LINE_BYTES_MAX, RecordError, SERIAL_MAX,
};
use crate::import::{Follow, open_plain};

/// Records of a file that are applied as one batch.
const BATCH_RECORDS_MAX: usize = 100_000;
/// Blank lines that are passed over in front of a file's first record.
const BLANK_LINES_MAX: usize = 1000;
/// Bytes of a refused file that are looked through for a serial: as many as 64 lines may have.
const REFUSED_BYTES_MAX: u64 = 64 << 20;

/// Why a file was not applied.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It cannot be read.
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    /// A line is not a record.
    #[error("line {line}: {source}")]
    Record {
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        source: RecordError,
    },
    /// It has no record.
    #[error(
        "it has no record: got {got} bytes of blank lines or none, expected a record a line; write \
         it under a name that starts with a point, and rename it once it is whole"
    )]
    Empty {
        /// Its length, bytes.
        got: u64,
    },
    /// It may not begin the feed: a file that was refused has to come first.
    #[error("serial {first} cannot be the first one of this directory: {problem}")]
    Held {
        /// First serial of the batch.
        first: u64,
        /// What is waited for, and what to do.
        problem: String,
    },
    /// Its serials lie before the first one that the directory took.
    #[error(
        "its serials {from} to {to} lie before {first}, the first one that this directory took: \
         they were never applied, and cannot be any more; import a FULL deposit, or a base, that \
         has them"
    )]
    TooEarly {
        /// First serial of the batch.
        from: u64,
        /// Last serial of the batch.
        to: u64,
        /// First serial of the directory.
        first: u64,
    },
    /// A serial came again with another content.
    #[error(
        "serial {serial} is there already with another content: the source went back to an earlier \
         state, or is another one; import a FULL deposit or a base of it, or take the file away"
    )]
    Rewritten {
        /// The serial.
        serial: u64,
    },
    /// A batch was not taken in.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl SpoolError {
    /// Whether the file may be applied later as it is.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Io(_)
                | Self::Held { .. }
                | Self::Apply(ApplyError::Store { .. } | ApplyError::Gap { .. })
        )
    }

    /// Whether the file, and with it what comes after it, waits: files after a history that was
    /// rewritten would be built upon another state.
    pub(super) const fn holds_up(&self) -> bool {
        self.may_pass() || matches!(self, Self::Rewritten { .. })
    }
}

/// Applies a file of change records, one a line, or a DIFF or INCR deposit: any file that does not
/// end in `.jsonl`. Records are taken in by batches of up to 100,000, or of the memory that
/// `intake` leaves for them, and compared with what `position` knows of their serials. `follow`
/// says what may stand at `path`.
///
/// # Errors
///
/// The first thing that is wrong. Batches before it are applied.
pub fn apply_file(
    path: &Path,
    follow: Follow,
    intake: &mut dyn Intake,
    position: &mut Position,
) -> Result<Applied, SpoolError> {
    if !is_records(path) {
        return Ok(intake.apply_deposit(path)?);
    }
    let mut lines = BufReader::with_capacity(1 << 20, follow.open(path)?);
    let mut batch = Vec::new();
    let bytes_max = intake.batch_bytes_max();
    let mut applied: Option<Applied> = None;
    let mut take = |batch: &mut Vec<ChangeRecord>| -> Result<(), SpoolError> {
        let have = intake.serial();
        position.check(have, batch)?;
        let taken = intake.apply(batch)?;
        position.note(have, batch);
        let before = applied.map_or(0, |applied| applied.new_count);
        applied = Some(Applied { new_count: before.saturating_add(taken.new_count), ..taken });
        batch.clear();
        Ok(())
    };
    let (mut line, mut bytes, mut got) = (Vec::new(), 0_usize, 0_u64);
    for number in 1.. {
        let read = next_line(&mut lines, &mut line)?;
        got = got.saturating_add(read as u64);
        if read == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let record = ChangeRecord::parse(&line);
        let record = record.map_err(|source| SpoolError::Record { line: number, source })?;
        bytes = bytes.saturating_add(record.memory_bytes());
        batch.push(record);
        if batch.len() >= BATCH_RECORDS_MAX || bytes >= bytes_max {
            take(&mut batch)?;
            bytes = 0;
        }
    }
    if !batch.is_empty() {
        take(&mut batch)?;
    }
    applied.ok_or(SpoolError::Empty { got })
}

/// The serial of the first record of a file of records; 0 of one that has none or does not read: it
/// is refused when its turn comes, and that is at once.
pub(super) fn first_serial(path: &Path) -> u64 {
    let Ok(file) = open_plain(path) else { return 0 };
    let (mut lines, mut line) = (BufReader::new(file), Vec::new());
    for _ in 0..BLANK_LINES_MAX {
        if next_line(&mut lines, &mut line).is_ok_and(|read| read == 0) {
            break;
        }
        if !line.trim_ascii().is_empty() {
            return ChangeRecord::parse(&line).map_or(0, |record| record.serial);
        }
    }
    0
}

/// A record as far as its place goes, whatever is wrong with the rest.
#[derive(Deserialize)]
struct Placed {
    serial: u64,
}

/// The first serial of a file that was refused, counted back from the first line that has one; 0:
/// none can be read.
pub(super) fn refused_serial(path: &Path) -> u64 {
    let Ok(file) = open_plain(path) else { return 0 };
    let mut lines = BufReader::new(file.take(REFUSED_BYTES_MAX));
    let (mut line, mut passed) = (Vec::new(), 0_u64);
    while next_line(&mut lines, &mut line).is_ok_and(|read| read > 0) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if let Some(serial) = serial_of(&line) {
            return serial.saturating_sub(passed).max(1);
        }
        passed = passed.saturating_add(1);
    }
    0
}

/// The serial of a line that is not a record, or is cut.
fn serial_of(line: &[u8]) -> Option<u64> {
    let in_text = || {
        let text = String::from_utf8_lossy(line);
        let (_, rest) = text.split_once("\"serial\"")?;
        let digits = rest.trim_start().strip_prefix(':')?.trim_start();
        // A number at the end may be cut.
        let end = digits.find(|c: char| !c.is_ascii_digit())?;
        digits.get(..end)?.parse().ok()
    };
    let placed = serde_json::from_slice(line).map(|Placed { serial }| serial);
    placed.ok().or_else(in_text).filter(|serial| (1..=SERIAL_MAX).contains(serial))
}

/// Whether a file holds records.
pub(super) fn is_records(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "jsonl")
}

/// Reads a line, and says how many bytes it has; 0 at the end.
fn next_line(lines: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    line.clear();
    // One byte more than a line may have shows that it is too long.
    let most = (LINE_BYTES_MAX as u64).saturating_add(2);
    lines.take(most).read_until(b'\n', line)
}

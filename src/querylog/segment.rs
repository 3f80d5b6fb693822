//! The files that are being written: JSON lines, Parquet, or both for one stretch of time.
//!
//! # Invariants
//!
//! - `whole-blocks`: a file of JSON lines ends with a block; the rest of a failed write is cut off.
//! - `counted-once`: rows count when their JSON lines are written; without such a file, when the
//!   Parquet file is complete.
//!
//! # Does not
//!
//! Decide when a segment ends.

use std::fs::File;
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;

use super::block::Block;
use super::columns::ColumnsFile;
use super::counts::Counts;
use super::segment_name::{COLUMNS, LINES, PART, Stem};
use crate::bounds::{UnknownWord, of_word};

/// Numbers that are tried for a name: somebody else's files may be there.
const NUMBERS_MAX: usize = 64;

/// Permissions of files: nobody else may see who asked for what.
pub(super) const FILE_MODE: u32 = 0o640;

/// Kinds of files that are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON lines, gzip.
    #[default]
    Jsonl,
    /// Parquet.
    Parquet,
    /// Both.
    Both,
}

impl Format {
    /// The word in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
            Self::Both => "both",
        }
    }

    /// Whether Parquet is written.
    pub(super) const fn has_columns(self) -> bool {
        matches!(self, Self::Parquet | Self::Both)
    }

    /// Whether JSON lines are written.
    pub(super) const fn has_lines(self) -> bool {
        matches!(self, Self::Jsonl | Self::Both)
    }
}

impl FromStr for Format {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        of_word(text, [Self::Jsonl, Self::Parquet, Self::Both], Self::word)
    }
}

/// One stretch of the log.
pub(super) struct Segment {
    pub(super) stem: Stem,
    pub(super) begun_ms: i64,
    lines: Option<LinesFile>,
    columns: Option<ColumnsFile>,
    /// What the Parquet file holds, where there are no JSON lines.
    pub(super) uncounted: Counts,
}

impl Segment {
    /// Begins files in `dir`, after the segment `last`.
    pub(super) fn begin(
        dir: &Path,
        format: Format,
        now_ms: i64,
        last: Option<Stem>,
    ) -> io::Result<Self> {
        let mut stem = Stem::next(now_ms, last);
        for _ in 0..NUMBERS_MAX {
            match Self::at(dir, format, now_ms, stem) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    stem = Stem::next(now_ms, Some(stem));
                }
                done => return done,
            }
        }
        Err(io::Error::other(format!("{NUMBERS_MAX} files with names like {stem} are there")))
    }

    fn at(dir: &Path, format: Format, now_ms: i64, stem: Stem) -> io::Result<Self> {
        let columns = format.has_columns().then(|| {
            let path = dir.join(stem.file(COLUMNS));
            if path.exists() {
                return Err(ErrorKind::AlreadyExists.into());
            }
            ColumnsFile::create(&path, &dir.join(stem.file(PART)))
        });
        let columns = columns.transpose()?;
        let lines = format.has_lines().then(|| {
            let mut options = File::options();
            options.write(true).create_new(true).mode(FILE_MODE).open(dir.join(stem.file(LINES)))
        });
        let lines = match lines.transpose() {
            Ok(file) => file.map(|file| LinesFile { file, whole_bytes: 0 }),
            Err(error) => {
                if let Some(columns) = columns {
                    columns.abandon();
                }
                return Err(error);
            }
        };
        Ok(Self { stem, begun_ms: now_ms, lines, columns, uncounted: Counts::default() })
    }

    /// Writes a block; `Ok(true)` if its rows count from now on. With both formats, one that fails
    /// for Parquet alone is given up, and the error is in `problem`.
    pub(super) fn append(
        &mut self,
        block: &mut Block,
        packed: Option<&[u8]>,
        problem: &mut Option<io::Error>,
    ) -> io::Result<bool> {
        if let Some(lines) = &mut self.lines {
            lines.append(packed.unwrap_or_default())?;
        }
        if let (Some(columns), Some(rows)) = (&mut self.columns, &mut block.rows)
            && let Err(error) = columns.append(rows)
        {
            if let Some(columns) = self.columns.take() {
                columns.abandon();
            }
            if self.lines.is_none() {
                return Err(error);
            }
            *problem = Some(error);
        }
        Ok(self.lines.is_some())
    }

    /// Whether no file is left.
    pub(super) const fn is_gone(&self) -> bool {
        self.lines.is_none() && self.columns.is_none()
    }

    /// Bytes of the larger file.
    pub(super) fn bytes(&self) -> u64 {
        let lines = self.lines.as_ref().map_or(0, |lines| lines.whole_bytes);
        lines.max(self.columns.as_ref().map_or(0, ColumnsFile::bytes))
    }

    /// Has the files on the disk.
    pub(super) fn end(self) -> Ended {
        let lines = self.lines.map(|lines| lines.file.sync_data());
        let columns = self.columns.map(ColumnsFile::finish);
        Ended {
            is_there: lines.is_some() || matches!(columns, Some(Ok(_))),
            columns_bytes: columns
                .as_ref()
                .map_or(0, |done| done.as_ref().map_or(0, |bytes| *bytes)),
            error: lines.and_then(Result::err).or_else(|| columns.and_then(Result::err)),
        }
    }
}

/// How a segment ended.
pub(super) struct Ended {
    /// Whether its rows are there.
    pub(super) is_there: bool,
    /// Length of its Parquet file.
    pub(super) columns_bytes: u64,
    /// What went wrong.
    pub(super) error: Option<io::Error>,
}

/// A file of JSON lines, block by block.
struct LinesFile {
    file: File,
    /// Length up to the end of the last block.
    whole_bytes: u64,
}

impl LinesFile {
    fn append(&mut self, packed: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(packed) {
            self.cut();
            return Err(error);
        }
        self.whole_bytes += packed.len() as u64;
        Ok(())
    }

    /// Cuts off what follows the last whole block.
    fn cut(&mut self) {
        // If the length cannot be set, the next block is written over it all the same.
        let _ = self.file.set_len(self.whole_bytes);
        let _ = self.file.seek(SeekFrom::Start(self.whole_bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_an_error_and_the_file_ends_behind_its_last_block() {
        let file = File::options().write(true).open("/dev/full").unwrap();
        let mut full = LinesFile { file, whole_bytes: 0 };
        let error = full.append(b"block").unwrap_err();
        assert_eq!((error.kind(), full.whole_bytes), (ErrorKind::StorageFull, 0));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let mut lines = LinesFile { file: File::create(&path).unwrap(), whole_bytes: 0 };
        lines.append(b"one").unwrap();
        // What a write that fails half way leaves, and what follows it.
        lines.file.write_all(b"hal").unwrap();
        lines.cut();
        lines.append(b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"onetwo");
    }
}

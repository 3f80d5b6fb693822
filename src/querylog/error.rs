//! Why the query log cannot start, and what is wrong with its files.
//!
//! # Does not
//!
//! Say what a file means: rows that were read before an error count.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use parquet::errors::ParquetError;

use super::privacy::KEY_BYTES;
use super::read::MEMBER_BYTES_MAX;
use super::row::ROW_VERSION;
use super::totals::LINE_VERSION;

/// The query log cannot start, or take other settings.
#[derive(Debug, thiserror::Error)]
#[error("query log: {problem}")]
pub struct StartError {
    /// What is wrong.
    #[from]
    pub problem: LogError,
}

/// Something that the query log needs is missing, or is not as it has to be.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// Another process writes the directory.
    #[error(
        "{}: another process writes this query log; give each server a directory of its own",
        dir.display()
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// Others may read a key.
    #[error("{}: others may read this key (mode {mode:o}); run `chmod 600` on it", path.display())]
    KeyExposed {
        /// The key's file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file does not hold a key.
    #[error(
        "{}: is not a key, expected {} hex digits; make one with `openssl rand -hex {KEY_BYTES}`",
        path.display(), 2 * KEY_BYTES
    )]
    KeyForm {
        /// The file.
        path: PathBuf,
    },
    /// No key has been read yet.
    #[error("no key")]
    NoKey,
    /// The kernel gives no random numbers, so there is no key in memory.
    #[error("no random numbers: {0}")]
    NoRandom(rustix::io::Errno),
    /// There can be no further thread.
    #[error("{0}")]
    NoThread(io::Error),
    /// A disk holds the writer up.
    #[error("its writer has taken none of the last changes: a disk holds it up")]
    HeldUp,
    /// The subject of the stream is not one.
    #[error("{got:?} is not a subject, expected words such as \"whoisd.queries\"")]
    Subject {
        /// Its first characters.
        got: String,
    },
}

/// A text is not a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{got:?} is not a day, expected YYYY-MM-DD")]
pub struct NotADay {
    /// Its first characters.
    pub got: String,
}

/// A file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system says so.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// The directory holds no query log.
    #[error(
        "{}: holds no query log (no lock, no files of queries, no totals); its directory is \
         query_log.dir of the server's configuration", path.display()
    )]
    NoLog {
        /// The directory.
        path: PathBuf,
    },
    /// It holds what no query log holds.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1, as in what `zcat` shows.
        line: u64,
        /// What is wrong.
        problem: Damage,
    },
    /// A file is not Parquet, or is damaged.
    #[error("{}: {problem}", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: Damage,
    },
}

impl ReadError {
    /// Whether the file is gone: its server deletes old ones.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == ErrorKind::NotFound)
    }
}

/// What is wrong with a row, a block or a Parquet file.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// A line is not the JSON of a row.
    #[error("{problem}")]
    Json {
        /// What the reader of JSON says, in printable characters.
        problem: String,
    },
    /// A row is of another version.
    #[error("a row of version {got}, this build reads {ROW_VERSION}")]
    Version {
        /// The version.
        got: u32,
    },
    /// A text of a row is longer than any that is written.
    #[error("`{field}` has {got} bytes, {max} at most")]
    TooLong {
        /// The row's field.
        field: &'static str,
        /// Bytes that it has.
        got: usize,
        /// Bytes that it may have.
        max: usize,
    },
    /// Zeros within the file.
    #[error("damaged from here on: zeros, and something behind them")]
    Zeros,
    /// No block begins where one should.
    #[error("damaged from here on: no gzip member begins here")]
    NoMember,
    /// A block is cut, and others follow.
    #[error("damaged from here on: a block does not end, and others follow")]
    Unended,
    /// A block does not unpack.
    #[error("damaged from here on: {0}")]
    Packed(io::Error),
    /// A block is larger than any that is written.
    #[error("a block of more than {MEMBER_BYTES_MAX} bytes")]
    BlockTooLong,
    /// A block is cut within a line.
    #[error("a block that does not end with a line's end")]
    CutLine,
    /// The system does not give the bytes of a Parquet file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A Parquet file has no checksum of ours.
    #[error("no Parquet file of a query log, or a damaged one")]
    Unsealed,
    /// The checksum of a Parquet file differs.
    #[error("damaged: its checksum differs")]
    Checksum,
    /// A Parquet file does not decode.
    #[error("no Parquet file, or a damaged one: {0}")]
    Columns(ParquetError),
    /// A Parquet file has other columns.
    #[error("its columns are not those of a query log")]
    OtherColumns,
    /// The rows of a Parquet file are of another version.
    #[error("rows of version {got}, this build reads {ROW_VERSION}")]
    Rows {
        /// The version that it names, or "none".
        got: String,
    },
    /// A row of a Parquet file does not decode.
    #[error("damaged behind row {row}: {source}")]
    Row {
        /// The last row before it, from 1.
        row: u64,
        /// Why.
        source: ParquetError,
    },
    /// A Parquet file has more or fewer rows than it says.
    #[error("damaged: {got} rows, {promised} are promised")]
    RowCount {
        /// Rows that it has.
        got: u64,
        /// Rows that its footer names.
        promised: u64,
    },
}

/// What is wrong with a line of the totals.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TotalError {
    /// It is not the JSON of a day's total.
    #[error("{problem}")]
    Json {
        /// What the reader of JSON says, in printable characters.
        problem: String,
    },
    /// It is of another version.
    #[error("a line of version {got}, this build reads {LINE_VERSION}")]
    Version {
        /// The version.
        got: u32,
    },
    /// Its last segment has another name than segments have.
    #[error("\"through\" is not a name of a segment")]
    Through,
    /// One of its hashes is not a hash.
    #[error("\"previous\" and \"hash\" are to be 64 digits, 0 to 9 and a to f")]
    HashForm,
    /// It says the same in another form.
    #[error("the line is not in the form in which it is written")]
    Form,
    /// It does not follow the line before.
    #[error(
        "follows a line with the hash {got}, the line before has {expected}: a line before this \
         one was changed, taken out, put in or moved"
    )]
    Previous {
        /// The hash that it says.
        got: String,
        /// The hash of the line before.
        expected: String,
    },
    /// Its values are not those that were hashed.
    #[error("its values have the hash {expected}, the line says {got:?}: a value was changed")]
    Hash {
        /// The hash that it says.
        got: String,
        /// The hash of its values.
        expected: String,
    },
}

/// No line can be appended to the totals.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChainError {
    /// The totals cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Their last line does not read.
    #[error("{}:{line}: {problem}; put the line right or move it away", path.display())]
    LastLine {
        /// The totals.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: TotalError,
    },
}

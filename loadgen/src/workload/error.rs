//! Why a profile, its names or a log cannot be used: what was there and what is expected.

use std::path::PathBuf;
use std::{fmt, io};

use super::profile::{BUILT_IN, GAP_US_MAX, SHARES_TOLERANCE, ZIPF_EXPONENT_MAX};
use crate::snapshot::SnapshotError;

/// A profile, names or a log cannot be used.
#[derive(Debug)]
pub enum WorkloadError {
    /// A snapshot directory cannot be opened.
    Snapshot(SnapshotError),
    /// A file of names, or a log, cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line of a file of names, or of a log, cannot be used.
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        number: u64,
        /// What is wrong with it.
        source: LineError,
    },
    /// The queries of a log cannot be kept.
    Queries {
        /// The log.
        path: PathBuf,
        /// Why not.
        source: LineError,
    },
    /// A file of names has none.
    NoLine {
        /// The file.
        path: PathBuf,
    },
    /// A log has no query.
    NoQuery {
        /// The log.
        path: PathBuf,
    },
    /// A profile is not built in, and cannot be read from a file.
    NoProfile {
        /// Its name or path.
        profile: String,
        /// What the system said.
        source: io::Error,
    },
    /// A profile is not TOML, a key is unknown, or a value has the wrong type.
    Toml {
        /// Its name or path.
        profile: String,
        /// Where, and what is wrong.
        source: Box<toml::de::Error>,
    },
    /// The share of a kind is not from 0 to 1.
    KindShare {
        /// Name or path of the profile.
        profile: String,
        /// The kind.
        kind: &'static str,
        /// Its share.
        share: f64,
    },
    /// The share of slow or silent clients is not from 0 to 1.
    ClientShare {
        /// Name or path of the profile.
        profile: String,
        /// The key, or the keys whose sum it is.
        key: &'static str,
        /// The share.
        share: f64,
    },
    /// The shares of the kinds do not sum to 1.
    ShareSum {
        /// Name or path of the profile.
        profile: String,
        /// Their sum.
        sum: f64,
    },
    /// The exponent of Zipf's law is out of bounds.
    ZipfExponent {
        /// Name or path of the profile.
        profile: String,
        /// The exponent.
        exponent: f64,
    },
    /// The gap between the bytes of a slow client is out of bounds.
    SlowGap {
        /// Name or path of the profile.
        profile: String,
        /// The gap, microseconds.
        gap_us: u32,
    },
    /// None of the kinds that a profile asks for has a name.
    NoName {
        /// Name or path of the profile.
        profile: String,
        /// The kinds that have a share.
        kinds: Vec<&'static str>,
    },
}

impl fmt::Display for WorkloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(source) => write!(f, "{source}"),
            Self::Read { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Line { path, number, source } => {
                write!(f, "{}: line {number}: {source}", path.display())
            }
            Self::Queries { path, source } => write!(f, "{}: {source}", path.display()),
            Self::NoLine { path } => {
                write!(f, "{}: no line; expected one query per line", path.display())
            }
            Self::NoQuery { path } => {
                write!(f, "{}: no query; expected one per line", path.display())
            }
            Self::NoProfile { profile, source } => {
                let names = BUILT_IN.map(|(name, _)| name).join(", ");
                write!(
                    f,
                    "profile {profile}: {source}; expected the path of a file or one of {names}"
                )
            }
            Self::Toml { profile, source } => write!(f, "profile {profile}: {source}"),
            Self::KindShare { profile, kind, share } => {
                write!(f, "profile {profile}: shares.{kind} is {share}; it must be from 0 to 1")
            }
            Self::ClientShare { profile, key, share } => {
                write!(f, "profile {profile}: {key} is {share}; it must be from 0 to 1")
            }
            Self::ShareSum { profile, sum } => write!(
                f,
                "profile {profile}: shares sum to {sum}; they must sum to 1 within \
                 {SHARES_TOLERANCE}"
            ),
            Self::ZipfExponent { profile, exponent } => write!(
                f,
                "profile {profile}: zipf_exponent is {exponent}; it must be more than 0 and at \
                 most {ZIPF_EXPONENT_MAX}"
            ),
            Self::SlowGap { profile, gap_us } => write!(
                f,
                "profile {profile}: slow_gap_us is {gap_us}; it must be from 1 to {GAP_US_MAX}"
            ),
            Self::NoName { profile, kinds } => write!(
                f,
                "profile {profile} asks for {}, and there is no such name",
                kinds.join(", ")
            ),
        }
    }
}

impl std::error::Error for WorkloadError {}

impl From<SnapshotError> for WorkloadError {
    fn from(error: SnapshotError) -> Self {
        Self::Snapshot(error)
    }
}

/// A line cannot be used.
#[derive(Debug)]
pub enum LineError {
    /// It cannot be read.
    Read(io::Error),
    /// The query is too long.
    QueryLength {
        /// Its bytes.
        got: usize,
        /// The most that are possible.
        max: usize,
    },
    /// The query has a byte that ends a line, or NUL.
    QueryByte(u8),
    /// It is one query too many.
    QueryCount {
        /// The most that are possible.
        max: usize,
    },
    /// A line of a log is too long.
    Length {
        /// The most bytes that are possible.
        max: u64,
    },
    /// A line of a log starts as JSON does and cannot be read as that.
    Json {
        /// What is wrong.
        source: serde_json::Error,
        /// The line.
        line: Vec<u8>,
    },
    /// A line of a log is not JSON, and has no tab.
    Form {
        /// The line.
        line: Vec<u8>,
    },
    /// The time before a tab is not seconds since the epoch.
    Seconds {
        /// What is there.
        got: Vec<u8>,
    },
    /// A time in JSON is not RFC 3339, or out of bounds.
    Time {
        /// The time.
        got: String,
    },
    /// A time in JSON, milliseconds, is out of bounds.
    Milliseconds {
        /// The time.
        got: u64,
    },
    /// A time in JSON, milliseconds with a fraction or a sign, is out of bounds.
    MillisecondsFraction {
        /// The time.
        got: f64,
    },
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const TIMES: &str = "expected RFC 3339 or milliseconds, from 1970 to 2500";
        match self {
            Self::Read(source) => write!(f, "{source}"),
            Self::QueryLength { got, max } => {
                write!(f, "got {got} bytes; expected a query of {max} at most")
            }
            Self::QueryByte(byte) => {
                write!(f, "got the byte {byte}; expected a query of one line")
            }
            Self::QueryCount { max } => write!(f, "expected {max} queries at most"),
            Self::Length { max } => {
                write!(f, "got a longer line; expected {max} bytes at most")
            }
            Self::Json { source, line } => {
                write!(f, "{source}; got {}, expected \"time\" and \"query\"", Start(line))
            }
            Self::Form { line } => {
                write!(f, "got {}; expected JSON, or seconds, a tab and the query", Start(line))
            }
            Self::Seconds { got } => {
                write!(f, "got the time {}; expected seconds since the epoch", Start(got))
            }
            Self::Time { got } => write!(f, "got the time {}; {TIMES}", Start(got.as_bytes())),
            Self::Milliseconds { got } => write!(f, "got the time {got}; {TIMES}"),
            Self::MillisecondsFraction { got } => write!(f, "got the time {got}; {TIMES}"),
        }
    }
}

impl std::error::Error for LineError {}

/// The start of what was there, in quotes.
struct Start<'a>(&'a [u8]);

impl fmt::Display for Start<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.0.get(..START_BYTES_MAX).unwrap_or(self.0);
        write!(f, "\"{}\"", start.escape_ascii())
    }
}

/// Most bytes of a line that a message shows.
const START_BYTES_MAX: usize = 60;

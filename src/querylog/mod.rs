//! The query log: every query that was answered, into files and a stream, without a shard waiting.
//!
//! ```text
//! shard: Recorder ─▶ ring ─┐                  ┌─▶ queries-TIME-N.jsonl.gz, .parquet (segment)
//! shard: Recorder ─▶ ring ─┼─▶ writer: rows ─▶ block ─▶ counts ─▶ totals.jsonl, a line a day
//! shard: Recorder ─▶ ring ─┘   (privacy)      └─▶ JetStream subject (stream)
//!
//! files ─▶ read ─▶ summary, audit (whoisd log summary, whoisd log verify)
//! ```
//!
//! # Invariants
//!
//! - `never waits`: [`Recorder::record`] takes no lock, no memory and no system call; queries that
//!   find no room are counted.
//! - `nothing silent`: a query that was answered and that is not in the files is in a count: of its
//!   shard, of the writer, and as `lost` of the next row and of the day's total.
//! - `COUNTING.md` says what counts as what; code and that page are changed together.
//!
//! # Does not
//!
//! Know kinds, outcomes or tiers: they are words that a shard hands over.

mod archive;
mod audit;
mod block;
mod columns;
mod counts;
mod day;
mod entry;
mod error;
mod figures;
mod privacy;
mod read;
mod recover;
mod retention;
mod ring;
mod row;
mod segment;
mod segment_name;
mod stream;
mod summary;
mod survey;
mod top;
mod totals;
mod writer;

pub use archive::check_directory;
pub use audit::{Audit, Verdict, audit};
pub use counts::{ByWord, Counts, MISS, OTHER, RESPONDED};
pub use day::Day;
pub use entry::{Entry, NAME_BYTES_MAX};
pub use error::{Damage, LogError, NotADay, ReadError, StartError, TotalError};
pub use figures::{Figures, Report};
pub use privacy::{Privacy, PrivacySettings};
pub use read::{FileRead, lines as read_lines};
pub use ring::{Recorder, RingFigures};
pub use row::{ROW_VERSION, Row};
pub use segment::Format;
pub use stream::StreamSettings;
pub use summary::{Frequent, Numbers, Source, Summary, TOP_ROWS, TopList, summarise};
pub use top::TEXTS_MAX;
pub use totals::{Broken, DayTotal, Totals, first_hash, is_hash};
pub use writer::{Changer, Prepared, Writer, check, start};

use std::path::PathBuf;

/// Where queries are logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Directory of the files; `None`: there are none.
    pub dir: Option<PathBuf>,
    /// Kinds of files.
    pub format: Format,
    /// Bytes after which other files are begun.
    pub rotate_bytes: u64,
    /// Seconds after which other files are begun.
    pub rotate_s: u64,
    /// Seconds for which files are kept; 0: for ever.
    pub keep_s: u64,
    /// Bytes of all files together; 0: any number.
    pub keep_bytes: u64,
    /// Longest time that a query waits until it is written, milliseconds.
    pub flush_ms: u64,
    /// Memory of one shard's ring, bytes.
    pub ring_bytes: u64,
    /// What of clients' addresses is written.
    pub privacy: PrivacySettings,
    /// Stream of a central place; `None`: there is none.
    pub stream: Option<StreamSettings>,
}

impl Settings {
    /// Whether anything is logged.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.dir.is_some() || self.stream.is_some()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dir: None,
            format: Format::Jsonl,
            rotate_bytes: 64 << 20,
            rotate_s: 3_600,
            keep_s: 90 * 86_400,
            keep_bytes: 10 << 30,
            flush_ms: 1_000,
            ring_bytes: 4 << 20,
            privacy: PrivacySettings {
                privacy: Privacy::None,
                prefix_v4: 24,
                prefix_v6: 48,
                key_hours: 24,
                key_file: None,
            },
            stream: None,
        }
    }
}

#[cfg(test)]
mod tests;

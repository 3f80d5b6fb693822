//! Rows on their way out: put together for a moment, packed once, and given to every sink.
//!
//! # Invariants
//!
//! - `whole`: a packed block is one gzip member of whole lines. A file of JSON lines is such
//!   members one after another, and so are the messages of the stream when a reader appends one to
//!   another.
//! - `bounded`: a block is given out once it has [`BLOCK_BYTES`] of lines.
//!
//! # Does not
//!
//! Know when it is time, or where blocks go.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::columns::Rows;
use super::counts::Counts;
use super::row::Row;

/// Bytes of lines after which a block is packed: about 1,000 queries. Larger blocks are hardly
/// smaller when packed, and a crash loses one.
pub(super) const BLOCK_BYTES: usize = 256 << 10;
/// Level of gzip: at 1, lines take 6.1 % of their size and 1.4 us each; at the usual 6 it is 4.5 %
/// and 6.2 us (measured on lines of 280 bytes with 90 names).
const LEVEL: u32 = 1;

/// Rows that wait to be given out.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// The rows as JSON lines.
    lines: Vec<u8>,
    /// The rows for a Parquet file, if one is wanted.
    pub(super) rows: Option<Rows>,
    /// What the rows count.
    pub(super) counts: Counts,
    /// Time of the first and the last row.
    pub(super) times_ms: (i64, i64),
}

impl Block {
    /// An empty block, which keeps rows for Parquet if `columns` is true.
    pub(super) fn new(columns: bool) -> Self {
        Self { rows: columns.then(Rows::default), ..Self::default() }
    }

    /// Takes a row.
    pub(super) fn push(&mut self, row: &Row<'_>) {
        if self.is_empty() {
            self.times_ms.0 = row.at_ms;
        }
        self.times_ms.1 = row.at_ms;
        row.write_line(&mut self.lines);
        if let Some(rows) = &mut self.rows {
            rows.push(row);
        }
        self.counts.add(row);
    }

    /// Whether there is no row.
    pub(super) const fn is_empty(&self) -> bool {
        self.counts.queries == 0
    }

    /// Whether it is time whatever the clock says.
    pub(super) const fn is_full(&self) -> bool {
        self.lines.len() >= BLOCK_BYTES
    }

    /// The lines as one gzip member.
    pub(super) fn pack(&self) -> io::Result<Vec<u8>> {
        let out = Vec::with_capacity(self.lines.len() / 8);
        let mut encoder = GzEncoder::new(out, Compression::new(LEVEL));
        encoder.write_all(&self.lines)?;
        encoder.finish()
    }

    /// Empties it; keeps the memory.
    pub(super) fn clear(&mut self) {
        self.lines.clear();
        if let Some(rows) = &mut self.rows {
            rows.clear();
        }
        self.counts = Counts::default();
    }
}

//! Rows as columns in memory, and the Parquet file that they go into.
//!
//! # Invariants
//!
//! - `bounded`: rows in memory become a row group at [`GROUP_ROWS`] or [`GROUP_BYTES`].

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, GzipLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::super::row::{ROW_VERSION, Row};
use super::super::segment::FILE_MODE;
use super::seal::{SEAL_KEY, Summed, unsealed};
use super::{SCHEMA, VERSION_KEY};

/// Rows of a row group: what readers take in at a time.
const GROUP_ROWS: usize = 65_536;
/// Bytes of texts of a row group in memory.
const GROUP_BYTES: usize = 16 << 20;
/// Columns of text.
const TEXTS: usize = 8;
/// Columns of 64 bits.
const NUMBERS: usize = 5;
/// Level of gzip within the file.
const LEVEL: u32 = 3;

/// Texts of one column, one after another.
#[derive(Debug, Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len());
    }

    fn append(&mut self, other: &Self) {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| end.saturating_add(before)));
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// The texts for the writer, which share one piece of memory.
    fn values(&mut self) -> Vec<ByteArray> {
        let all = ByteArray::from(std::mem::take(&mut self.bytes));
        let mut from = 0;
        let value = |end: usize| {
            let length = end.saturating_sub(std::mem::replace(&mut from, end));
            all.slice(end.saturating_sub(length), length)
        };
        self.ends.drain(..).map(value).collect()
    }
}

/// Rows as columns.
#[derive(Debug, Default)]
pub(in crate::querylog) struct Rows {
    texts: [Texts; TEXTS],
    numbers: [Vec<i64>; NUMBERS],
    shards: Vec<i32>,
}

impl Rows {
    /// Takes a row.
    pub(in crate::querylog) fn push(&mut self, row: &Row<'_>) {
        let texts = [
            &row.server,
            &row.client,
            &row.network,
            &row.tld,
            &row.kind,
            &row.name,
            &row.outcome,
            &row.tier,
        ];
        for (column, text) in self.texts.iter_mut().zip(texts) {
            column.push(text);
        }
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let numbers =
            [row.at_ms, row.bytes.into(), row.us.into(), signed(row.generation), signed(row.lost)];
        for (column, number) in self.numbers.iter_mut().zip(numbers) {
            column.push(number);
        }
        self.shards.push(row.shard.into());
    }

    /// Empties it; keeps the memory.
    pub(in crate::querylog) fn clear(&mut self) {
        self.texts.iter_mut().for_each(Texts::clear);
        self.numbers.iter_mut().for_each(Vec::clear);
        self.shards.clear();
    }

    fn append(&mut self, other: &Self) {
        self.texts.iter_mut().zip(&other.texts).for_each(|(mine, theirs)| mine.append(theirs));
        self.numbers.iter_mut().zip(&other.numbers).for_each(|(mine, theirs)| mine.extend(theirs));
        self.shards.extend(&other.shards);
    }

    fn bytes(&self) -> usize {
        self.texts.iter().fold(0, |sum, texts| sum.saturating_add(texts.bytes.len()))
    }

    /// Writes a row group of what is there, in the order of the schema.
    fn write(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, Summed>,
    ) -> Result<(), ParquetError> {
        let [server, client, network, tld, kind, name, outcome, tier] = &mut self.texts;
        let [at_ms, bytes, us, generation, lost] = &self.numbers;
        number(group, at_ms)?;
        for texts in [server, client, network, tld, kind, name, outcome, tier] {
            text(group, &texts.values())?;
        }
        number(group, bytes)?;
        number(group, us)?;
        let mut column = group.next_column()?.ok_or_else(no_column)?;
        column.typed::<Int32Type>().write_batch(&self.shards, None, None)?;
        column.close()?;
        number(group, generation)?;
        number(group, lost)
    }
}

fn no_column() -> ParquetError {
    ParquetError::General("the schema has fewer columns than a row".to_owned())
}

fn number(
    group: &mut SerializedRowGroupWriter<'_, Summed>,
    values: &[i64],
) -> Result<(), ParquetError> {
    let mut column = group.next_column()?.ok_or_else(no_column)?;
    column.typed::<Int64Type>().write_batch(values, None, None)?;
    column.close()
}

fn text(
    group: &mut SerializedRowGroupWriter<'_, Summed>,
    values: &[ByteArray],
) -> Result<(), ParquetError> {
    let mut column = group.next_column()?.ok_or_else(no_column)?;
    column.typed::<ByteArrayType>().write_batch(values, None, None)?;
    column.close()
}

/// A Parquet file that is being written.
pub(in crate::querylog) struct ColumnsFile {
    path: PathBuf,
    part: PathBuf,
    writer: SerializedFileWriter<Summed>,
    waiting: Rows,
}

impl ColumnsFile {
    /// Begins the file at `path`, which lies at `part` until it is complete.
    pub(in crate::querylog) fn create(path: &Path, part: &Path) -> io::Result<Self> {
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).mode(FILE_MODE).open(part)?;
        let schema = parse_message_type(SCHEMA).map_err(io::Error::other)?;
        let level = GzipLevel::try_new(LEVEL).map_err(io::Error::other)?;
        let version = KeyValue::new(VERSION_KEY.to_owned(), ROW_VERSION.to_string());
        let seal = KeyValue::new(SEAL_KEY.to_owned(), unsealed());
        let properties = WriterProperties::builder()
            .set_compression(Compression::GZIP(level))
            .set_created_by(concat!("whoisd ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(vec![version, seal]))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .build();
        let writer =
            SerializedFileWriter::new(Summed::new(file), Arc::new(schema), Arc::new(properties))
                .map_err(io::Error::other)?;
        let (path, part) = (path.to_owned(), part.to_owned());
        Ok(Self { path, part, writer, waiting: Rows::default() })
    }

    /// Takes rows over.
    pub(in crate::querylog) fn append(&mut self, rows: &mut Rows) -> io::Result<()> {
        self.waiting.append(rows);
        rows.clear();
        let is_full =
            self.waiting.shards.len() >= GROUP_ROWS || self.waiting.bytes() >= GROUP_BYTES;
        if is_full { self.write_group().map_err(io::Error::other) } else { Ok(()) }
    }

    /// Bytes written so far, and an eighth of what waits.
    pub(in crate::querylog) fn bytes(&self) -> u64 {
        let waiting = u64::try_from(self.waiting.bytes()).unwrap_or(0);
        let written = u64::try_from(self.writer.bytes_written()).unwrap_or(0);
        written.saturating_add(waiting.checked_div(8).unwrap_or(0))
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        self.waiting.write(&mut group)?;
        group.close()?;
        self.waiting.clear();
        Ok(())
    }

    /// Completes the file, has it on the disk, and gives it its name; returns its length.
    pub(in crate::querylog) fn finish(mut self) -> io::Result<u64> {
        if !self.waiting.shards.is_empty() {
            self.write_group().map_err(io::Error::other)?;
        }
        self.writer.finish().map_err(io::Error::other)?;
        let summed = self.writer.inner();
        summed.seal()?;
        summed.file.sync_all()?;
        fs::rename(&self.part, &self.path)?;
        Ok(u64::try_from(self.writer.bytes_written()).unwrap_or(u64::MAX))
    }

    /// Gives the file up.
    pub(in crate::querylog) fn abandon(self) {
        // The next start deletes a part that stays.
        let _ = fs::remove_file(&self.part);
    }
}

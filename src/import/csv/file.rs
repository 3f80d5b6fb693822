//! Reads one CSV file: rows, bounds, checksums.
//!
//! # Invariants
//!
//! - A row takes at most [`ROW_BYTES_MAX`] and one buffer of memory.
//! - The checksum of a compressed file may be that of the file or that of its content: RFC 9022
//!   section 4.6.2.1 says "of the CSV file" and leaves it open.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::column::{self, Column, Table};
use super::definition::{Definition, FileReference};
use super::deletes;
use super::row::Row;
use crate::hex;
use crate::import::collect::Collector;
use crate::import::encoding::{Declared, NotText, Utf8};
use crate::import::model::Stop;
use crate::import::progress::Watch;
use crate::import::source::{Gunzip, Source, is_gzip};
use crate::import::xml::XmlError;
use crate::vet::findings::{ObjectKind, Place};
use crate::vet::rule::Rule;

/// Longest row, bytes.
const ROW_BYTES_MAX: u64 = 1 << 20;
/// Read buffer, bytes.
const BUFFER_BYTES: usize = 64 << 10;

/// Reads the rows of a file of a definition into the collector. `file` is its number; `trailing` is
/// set if something follows its compressed data.
pub(in crate::import) fn read(
    definition: &Definition,
    reference: &FileReference,
    source: &Source,
    (file, trailing): (u16, &Rc<Cell<bool>>),
    out: &mut Collector<'_, '_>,
    watch: &mut Watch<'_>,
) -> Result<(), Stop> {
    let whole = Place { file, line: 0 };
    let refuse = |rule, place: Place, got: &str, out: &mut Collector<'_, '_>| {
        let finding =
            out.findings.add(rule, place, ObjectKind::Deposit, "", definition.name.clone(), got);
        Stop::Refused(Box::new(finding))
    };
    let Some(expected) = Checksum::of(reference) else {
        let got = format!("{} {}", reference.algorithm, reference.checksum);
        return Err(refuse(Rule::CsvChecksumKind, reference.place, &got, out));
    };
    let encoding = reference.encoding.as_str();
    let Some(encoding) = Declared::of(encoding) else {
        return Err(refuse(Rule::CsvEncoding, reference.place, encoding, out));
    };
    let declared = match reference.compression.as_str() {
        word if ["", "none"].iter().any(|none| word.eq_ignore_ascii_case(none)) => false,
        word if ["gzip", "gz"].iter().any(|gzip| word.eq_ignore_ascii_case(gzip)) => true,
        word => return Err(refuse(Rule::CsvCompression, reference.place, word, out)),
    };
    let mut row = match prepare(definition, out) {
        Ok(row) => row,
        Err(wrong) => {
            let got = wrong.to_string();
            return Err(refuse(Rule::CsvDefinition, definition.place, &got, out));
        }
    };
    let outer = Rc::new(RefCell::new(expected.start()));
    let inner = Rc::new(RefCell::new(expected.start()));
    let stored = source.stored(&watch.read_bytes).map_err(XmlError::Io)?;
    let summed = Summed { from: stored, sum: Rc::clone(&outer), row_bytes: None };
    let mut summed = BufReader::with_capacity(BUFFER_BYTES, summed);
    // No text begins as gzip does.
    let head = summed.fill_buf().map_err(XmlError::Io)?;
    let compressed = declared || is_gzip(head);
    let since_row = Rc::new(Cell::new(0));
    let row_bytes = Some(Rc::clone(&since_row));
    let content: Box<dyn Read> = if compressed {
        let decoder = Gunzip::new(summed, Rc::clone(trailing));
        Box::new(Summed { from: decoder, sum: Rc::clone(&inner), row_bytes })
    } else {
        let sum = Rc::new(RefCell::new(Sum::None));
        Box::new(Summed { from: summed, sum, row_bytes })
    };
    let content = Box::new(Utf8::new(source.limited(content), encoding));
    rows(definition, content, &since_row, file, &mut row, out, watch)?;
    let got = [outer.take().end(), if compressed { inner.take().end() } else { None }];
    if expected.value.is_some() && !got.contains(&expected.value) {
        let got =
            got.iter().flatten().map(|sum| hex::UPPER.encode(sum)).collect::<Vec<_>>().join(" or ");
        let got = format!("{got}, declared {}", reference.checksum);
        return Err(refuse(Rule::CsvChecksum, whole, &got, out));
    }
    Ok(())
}

/// What is wrong with a definition, as a finding says it.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error("the name {0:?}")]
    Name(String),
    #[error("no column with the key")]
    NoKey,
}

/// Checks a definition.
fn prepare(definition: &Definition, out: &mut Collector<'_, '_>) -> Result<Row, Wrong> {
    let table = Table::of(&definition.name).ok_or_else(|| Wrong::Name(definition.name.clone()))?;
    let columns = column::columns(table, definition);
    let keys = if definition.deletes { deletes::keys(table) } else { table.keys() };
    if !keys.iter().any(|key| columns.iter().any(|usage| usage.column == *key)) {
        return Err(Wrong::NoKey);
    }
    for usage in columns.iter().filter(|usage| usage.column == Column::Unknown) {
        let (rule, kind) = (Rule::ElementUnknown, ObjectKind::Deposit);
        out.findings.add(rule, definition.place, kind, "", definition.name.clone(), &usage.word);
    }
    Ok(Row::new(table, columns))
}

fn rows(
    definition: &Definition,
    content: Box<dyn Read>,
    since_row: &Cell<u64>,
    file: u16,
    row: &mut Row,
    out: &mut Collector<'_, '_>,
    watch: &mut Watch<'_>,
) -> Result<(), Stop> {
    let Some(separator) = definition.separator_byte() else {
        let got = format!("the separator {:?}", definition.separator);
        return Err(XmlError::Broken(Rule::CsvDefinition, got).into());
    };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .buffer_capacity(BUFFER_BYTES)
        .from_reader(content);
    let mut record = csv::ByteRecord::new();
    let mut first = true;
    loop {
        since_row.set(0);
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return Err(failed(error, reader.position().record())),
        }
        // Rows are counted, since the reader's lines depend on where a line end was seen.
        let number = record.position().map_or(0, |at| at.record().saturating_add(1));
        let place = Place { file, line: number };
        if std::mem::take(&mut first) {
            strip_mark(&mut record);
        }
        match row.fill(&record) {
            Ok(()) if definition.deletes => row.remove(out, place)?,
            Ok(()) => row.collect(out, place)?,
            Err(rule) => {
                row.defects.list.clear();
                let got = if rule == Rule::RowLength {
                    format!("{} columns, {} declared", record.len(), row.columns.len())
                } else {
                    String::from_utf8_lossy(record.as_slice()).into_owned()
                };
                let kind = ObjectKind::Deposit;
                out.findings.add(rule, place, kind, "", definition.name.clone(), &got);
            }
        }
        watch.read(out)?;
    }
}

/// A byte order mark before the first cell is not part of it.
fn strip_mark(record: &mut csv::ByteRecord) {
    if record.get(0).is_some_and(|cell| cell.starts_with(b"\xef\xbb\xbf")) {
        *record = record
            .iter()
            .enumerate()
            .map(|(at, cell)| if at == 0 { cell.get(3..).unwrap_or_default() } else { cell })
            .collect();
    }
}

fn failed(error: csv::Error, rows: u64) -> Stop {
    match error.into_kind() {
        csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            XmlError::Broken(Rule::CsvMalformed, format!("after {rows} rows: {error}")).into()
        }
        csv::ErrorKind::Io(error) => match NotText::of(&error) {
            Some(what) => {
                let got = format!("after {rows} rows: {what}");
                XmlError::Broken(Rule::CsvEncoding, got).into()
            }
            None => XmlError::Io(error).into(),
        },
        other => {
            XmlError::Broken(Rule::CsvMalformed, format!("after {rows} rows: {other:?}")).into()
        }
    }
}

/// A checksum algorithm, and the value that a file should have, if one is declared.
struct Checksum {
    sha256: bool,
    value: Option<Vec<u8>>,
}

impl Checksum {
    fn of(reference: &FileReference) -> Option<Self> {
        let sha256 = match reference.algorithm.as_str() {
            "" | "CRC32" => false,
            "SHA256" => true,
            _ => return None,
        };
        if reference.checksum.is_empty() {
            return reference.algorithm.is_empty().then_some(Self { sha256, value: None });
        }
        // Leading zeros of a CRC are at times left out.
        let width = if sha256 { 64 } else { 8 };
        let value = hex::decode(&format!("{:0>width$}", reference.checksum))?;
        (value.len().checked_mul(2) == Some(width)).then_some(Self { sha256, value: Some(value) })
    }

    fn start(&self) -> Sum {
        match (&self.value, self.sha256) {
            (None, _) => Sum::None,
            (Some(_), true) => Sum::Sha256(Box::default()),
            (Some(_), false) => Sum::Crc32(crc32fast::Hasher::new()),
        }
    }
}

/// A checksum under way.
#[derive(Default)]
enum Sum {
    #[default]
    None,
    Crc32(crc32fast::Hasher),
    Sha256(Box<Sha256>),
}

impl Sum {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::None => {}
            Self::Crc32(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    fn end(self) -> Option<Vec<u8>> {
        match self {
            Self::None => None,
            Self::Crc32(hasher) => Some(hasher.finalize().to_be_bytes().to_vec()),
            Self::Sha256(hasher) => Some(hasher.finalize().to_vec()),
        }
    }
}

/// Sums what it reads, and refuses rows without end.
struct Summed<R> {
    from: R,
    sum: Rc<RefCell<Sum>>,
    row_bytes: Option<Rc<Cell<u64>>>,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(out)?;
        self.sum.borrow_mut().update(out.get(..count).unwrap_or_default());
        if let Some(bytes) = &self.row_bytes {
            bytes.set(bytes.get().saturating_add(u64::try_from(count).unwrap_or(0)));
            if bytes.get() > ROW_BYTES_MAX {
                let text = "a row of more than 1 MiB: a quote is not closed";
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
            }
        }
        Ok(count)
    }
}

//! One CSV file of a deposit: rows out, checksum and definition when it is finished.
//!
//! # Invariants
//!
//! - The checksum is that of the file as it lies in the directory, compressed or not (RFC 9022
//!   section 4.6.2.1: "the checksum of the CSV file").
//! - Every row has a cell per field; [`csv::Writer`] refuses others. Quoting is RFC 4180's.
//!
//! # Does not
//!
//! Know what the columns mean.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use snapshot_format::object::{Actor, Time};

use super::{Checksum, Options};
use crate::aside;
use crate::export::encode::escape;
use crate::export::envelope::push;
use crate::export::time::write_time;
use crate::hex::UPPER;

/// A file that is being written.
pub(super) struct Table {
    /// `name` of the definition, fields as XML elements.
    name: &'static str,
    fields: Vec<String>,
    file_name: String,
    options: Options,
    writer: csv::Writer<Sink>,
    scratch: String,
    /// Cells of the row that is being written.
    cells: usize,
}

impl Table {
    /// Makes the file `file_name` in `directory`.
    pub(super) fn create(
        directory: &Path,
        file_name: String,
        name: &'static str,
        fields: Vec<String>,
        options: Options,
    ) -> io::Result<Self> {
        let path = directory.join(&file_name);
        let file = aside::create(&path)
            .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
        let sum = match options.checksum {
            Checksum::Crc32 => Sum::Crc32(crc32fast::Hasher::new()),
            Checksum::Sha256 => Sum::Sha256(Box::default()),
        };
        let summed = Summed { out: BufWriter::with_capacity(1 << 16, file), sum };
        let sink = if options.gzip {
            Sink::Gzip(Box::new(GzEncoder::new(summed, Compression::fast())))
        } else {
            Sink::Plain(Box::new(summed))
        };
        let writer = csv::WriterBuilder::new().flexible(false).from_writer(sink);
        Ok(Self { name, fields, file_name, options, writer, scratch: String::new(), cells: 0 })
    }

    /// Writes a cell.
    pub(super) fn text(&mut self, cell: &str) -> io::Result<()> {
        self.cells = self.cells.saturating_add(1);
        self.writer.write_field(cell).map_err(io::Error::other)
    }

    /// Writes cells.
    pub(super) fn texts(&mut self, cells: &[&str]) -> io::Result<()> {
        cells.iter().try_for_each(|cell| self.text(cell))
    }

    /// Writes a number's cell.
    pub(super) fn number(&mut self, number: u64) -> io::Result<()> {
        self.text(&number.to_string())
    }

    /// Writes a time's cell; empty if there is none.
    pub(super) fn time(&mut self, time: Time) -> io::Result<()> {
        self.computed(|text| {
            if time.is_some() {
                write_time(time.ms, text);
            }
        })
    }

    /// Writes the two cells of an actor.
    pub(super) fn actor(&mut self, actor: &Actor) -> io::Result<()> {
        self.texts(&[&actor.registrar, &actor.client])
    }

    /// Writes a cell that `write` makes.
    pub(super) fn computed(&mut self, write: impl FnOnce(&mut String)) -> io::Result<()> {
        self.scratch.clear();
        write(&mut self.scratch);
        self.cells = self.cells.saturating_add(1);
        self.writer.write_field(&self.scratch).map_err(io::Error::other)
    }

    /// Ends the row, which has a cell for each field.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let (cells, fields) = (std::mem::take(&mut self.cells), self.fields.len());
        if cells != fields {
            let what = format!("{}: a row of {cells} cells under {fields} columns", self.name);
            return Err(io::Error::other(what));
        }
        self.writer.write_record(None::<&[u8]>).map_err(io::Error::other)
    }

    /// Writes a row of texts.
    pub(super) fn row(&mut self, cells: &[&str]) -> io::Result<()> {
        self.texts(cells)?;
        self.end()
    }

    /// Ends the file and appends its definition (`rdeCsv:csv`).
    pub(super) fn finish(self, out: &mut String) -> io::Result<()> {
        let sink = self.writer.into_inner().map_err(|e| io::Error::other(e.to_string()))?;
        let sum = sink.finish()?;
        push(out, &["<rdeCsv:csv name=\"", self.name, "\" sep=\",\">\n<rdeCsv:fields>\n"]);
        for field in &self.fields {
            push(out, &["<", field, "/>\n"]);
        }
        out.push_str("</rdeCsv:fields>\n<rdeCsv:files>\n<rdeCsv:file");
        if self.options.gzip {
            out.push_str(" compression=\"gzip\"");
        }
        push(out, &[" cksum=\"", &sum, "\""]);
        if self.options.checksum == Checksum::Sha256 {
            out.push_str(" cksumAlg=\"SHA256\"");
        }
        out.push('>');
        escape(&self.file_name, out);
        out.push_str("</rdeCsv:file>\n</rdeCsv:files>\n</rdeCsv:csv>\n");
        Ok(())
    }
}

enum Sink {
    Plain(Box<Summed>),
    Gzip(Box<GzEncoder<Summed>>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Gzip(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Gzip(out) => out.flush(),
        }
    }
}

impl Sink {
    /// The checksum, in upper-case hexadecimal digits.
    fn finish(self) -> io::Result<String> {
        let mut summed = match self {
            Self::Plain(out) => *out,
            Self::Gzip(out) => out.finish()?,
        };
        summed.flush()?;
        let mut text = String::new();
        match summed.sum {
            Sum::Crc32(sum) => UPPER.write(&sum.finalize().to_be_bytes(), &mut text),
            Sum::Sha256(sum) => UPPER.write(&sum.finalize(), &mut text),
        }
        Ok(text)
    }
}

/// Sums what it writes.
struct Summed {
    out: BufWriter<File>,
    sum: Sum,
}

enum Sum {
    Crc32(crc32fast::Hasher),
    Sha256(Box<Sha256>),
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        let done = bytes.get(..written).unwrap_or_default();
        match &mut self.sum {
            Sum::Crc32(sum) => sum.update(done),
            Sum::Sha256(sum) => sum.update(done),
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

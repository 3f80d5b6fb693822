//! Reads the log's files back: rows out of gzip members of JSON lines, or out of Parquet.
//!
//! # Invariants
//!
//! - `whole-blocks`: the rows of a gzip member are given out once its checksum has been compared,
//!   so a torn end gives the same rows every time: those of the members before it.
//! - A member that does not read is a torn end only if none after it reads: otherwise it is damage,
//!   which is an error.
//! - `bounded`: one member is unpacked at a time, [`MEMBER_BYTES_MAX`] at most.
//!
//! # Does not
//!
//! Mend anything.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;

use super::columns;
use super::error::{Damage, ReadError};
use super::row::Row;
use super::segment_name::{COLUMNS, Part};

/// Most bytes of lines in one gzip member: 64 times what the writer puts there.
pub(super) const MEMBER_BYTES_MAX: u64 = 16 << 20;
/// First bytes of a gzip member (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// First bytes of a member as the writer makes it: deflate, and no further fields.
const MEMBER: [u8; 4] = [0x1f, 0x8b, 8, 0];
/// Bytes that are noted of a member: it has fewer, since text packs.
const NOTED_BYTES_MAX: usize = 32 << 20;
/// Places that are tried for a member after one that does not end.
const MEMBERS_TRIED_MAX: usize = 64;
/// Bytes of a file read at a time.
const READ_BYTES: usize = 64 << 10;

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileRead {
    /// Rows given out.
    pub rows: u64,
    /// Whether the file ends within a block: a crash, or somebody writes it now.
    pub torn: bool,
}

/// Hands each row of a file to `each`.
pub(super) fn read(part: &Part, each: &mut dyn FnMut(&Row<'_>)) -> Result<FileRead, ReadError> {
    let path = &part.path;
    let file = File::open(path).map_err(|source| io_error(path, source))?;
    if part.end == COLUMNS {
        return match columns::read(file, each) {
            Ok(rows) => Ok(FileRead { rows, torn: false }),
            Err(problem) => Err(ReadError::Columns { path: path.clone(), problem }),
        };
    }
    lines(path, BufReader::with_capacity(READ_BYTES, file), each)
}

/// Hands each row of gzip members of JSON lines to `each`; `path` is for messages.
///
/// # Errors
///
/// Damage, or a line that is not a row.
pub fn lines(
    path: &Path,
    mut from: impl BufRead,
    each: &mut dyn FnMut(&Row<'_>),
) -> Result<FileRead, ReadError> {
    let mut done = FileRead::default();
    let mut text = Vec::new();
    loop {
        let refused = |line: u64, problem| ReadError::Line {
            path: path.to_owned(),
            line: line.saturating_add(1),
            problem,
        };
        let ahead = from.fill_buf().map_err(|source| io_error(path, source))?;
        let Some(first) = ahead.first().copied() else { return Ok(done) };
        if first == 0 {
            if rest_is_zero(&mut from).map_err(|source| io_error(path, source))? {
                // What a file system leaves after a power cut.
                done.torn = true;
                return Ok(done);
            }
            return Err(refused(done.rows, Damage::Zeros));
        }
        if !ahead_is_member(&mut from).map_err(|source| io_error(path, source))? {
            return Err(refused(done.rows, Damage::NoMember));
        }
        text.clear();
        let mut noting = Noting { from: &mut from, noted: Vec::new() };
        let unpacked = GzDecoder::new(&mut noting)
            .take(MEMBER_BYTES_MAX.saturating_add(1))
            .read_to_end(&mut text);
        match unpacked {
            Ok(length) if length as u64 > MEMBER_BYTES_MAX => {
                return Err(refused(done.rows, Damage::BlockTooLong));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                if has_member(&noting.noted) {
                    return Err(refused(done.rows, Damage::Unended));
                }
                done.torn = true;
                return Ok(done);
            }
            Err(error) => return Err(refused(done.rows, Damage::Packed(error))),
        }
        let whole = text.strip_suffix(b"\n").ok_or_else(|| refused(done.rows, Damage::CutLine))?;
        for line in whole.split(|byte| *byte == b'\n') {
            let row = Row::read_line(line).map_err(|problem| refused(done.rows, problem))?;
            each(&row);
            done.rows = done.rows.saturating_add(1);
        }
    }
}

fn io_error(path: &Path, source: io::Error) -> ReadError {
    ReadError::Io { path: path.to_owned(), source }
}

/// Whether what follows begins as a gzip member does, as far as it is there.
fn ahead_is_member(from: &mut impl BufRead) -> io::Result<bool> {
    Ok(from.fill_buf()?.iter().zip(GZIP).all(|(got, expected)| *got == expected))
}

/// A reader that notes what was taken out of it, up to [`NOTED_BYTES_MAX`].
struct Noting<'r, R> {
    from: &'r mut R,
    noted: Vec<u8>,
}

impl<R: BufRead> Read for Noting<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let ahead = self.fill_buf()?;
        let length = ahead.len().min(into.len());
        let (Some(to), Some(bytes)) = (into.get_mut(..length), ahead.get(..length)) else {
            return Ok(0);
        };
        to.copy_from_slice(bytes);
        self.consume(length);
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Noting<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.from.fill_buf()
    }

    fn consume(&mut self, length: usize) {
        let room = NOTED_BYTES_MAX.saturating_sub(self.noted.len()).min(length);
        if room > 0
            && let Ok(ahead) = self.from.fill_buf()
        {
            self.noted.extend_from_slice(ahead.get(..room).unwrap_or_default());
        }
        self.from.consume(length);
    }
}

/// Whether a whole member follows the first byte, or there are more bytes than any member has.
fn has_member(bytes: &[u8]) -> bool {
    let begins = |at: &usize| bytes.get(*at..).is_some_and(|rest| rest.starts_with(&MEMBER));
    let reads = |at: usize| {
        let mut text = Vec::new();
        let rest = bytes.get(at..).unwrap_or_default();
        let read = GzDecoder::new(rest).take(MEMBER_BYTES_MAX).read_to_end(&mut text);
        read.is_ok() && text.ends_with(b"\n")
    };
    bytes.len() >= NOTED_BYTES_MAX
        || (1..bytes.len()).filter(begins).take(MEMBERS_TRIED_MAX).any(reads)
}

/// Reads to the end; whether all of it was zero.
fn rest_is_zero(from: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let ahead = from.fill_buf()?;
        if ahead.is_empty() {
            return Ok(true);
        }
        if ahead.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        let length = ahead.len();
        from.consume(length);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "a test's own numbers")]

    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::super::block::Block;
    use super::super::row::tests::row;
    use super::*;

    /// Three blocks of ten rows, and the length of the file after each.
    fn file() -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends) = (Vec::new(), vec![0]);
        for _ in 0..3 {
            let mut block = Block::new(false);
            (0..10).for_each(|generation| block.push(&Row { generation, ..row() }));
            bytes.extend(block.pack().unwrap());
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn read_bytes(bytes: &[u8]) -> Result<FileRead, String> {
        let mut rows = 0;
        let read = lines(Path::new("log"), bytes, &mut |_| rows += 1);
        let read = read.map_err(|error| error.to_string())?;
        assert_eq!(read.rows, rows);
        Ok(read)
    }

    fn packed(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_file_that_is_cut_anywhere_gives_its_whole_blocks() {
        let (bytes, ends) = file();
        for length in 0..=bytes.len() {
            let read = read_bytes(&bytes[..length]).unwrap();
            let whole = ends.iter().rposition(|end| *end <= length).unwrap();
            assert_eq!(read.rows, 10 * whole as u64, "cut at {length}");
            assert_eq!(read.torn, !ends.contains(&length), "cut at {length}");
        }
        let mut zeros = bytes[..ends[2]].to_vec();
        zeros.extend([0; 5000]);
        assert_eq!(read_bytes(&zeros).unwrap(), FileRead { rows: 20, torn: true });
    }

    #[test]
    fn damage_is_refused_with_file_and_line_or_leaves_the_blocks_before_it() {
        let (bytes, ends) = file();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << (at % 8);
            match read_bytes(&bad) {
                // Times and names in a member's head are not protected; a member that does not
                // read, with nothing after it, is a torn end.
                Ok(read) if read.torn => assert!(read.rows == 20 && at >= ends[2], "{at}"),
                Ok(read) => assert_eq!(read.rows, 30, "{at}"),
                Err(error) => {
                    let block = ends.iter().filter(|end| **end <= at).count() - 1;
                    let expected = format!("log:{}: ", 10 * block + 1);
                    assert!(error.starts_with(&expected), "{at}: {error}");
                }
            }
        }
        let mut lost = bytes.clone();
        lost[ends[1]..ends[2]].fill(0);
        assert!(read_bytes(&lost).unwrap_err().starts_with("log:11: damaged from here on"));
        let mut garbage = bytes[..ends[1]].to_vec();
        garbage.extend(b"garbage");
        assert!(read_bytes(&garbage).unwrap_err().starts_with("log:11: damaged from here on"));
    }

    #[test]
    fn a_line_that_is_no_row_is_refused_with_its_number() {
        let mut line = Vec::new();
        row().write_line(&mut line);
        let line = String::from_utf8(line).unwrap();
        let text = format!("{line}{line}{}", line.replace("\"tier\"", "\"tear\""));
        let error = read_bytes(&packed(&text)).unwrap_err();
        assert!(error.starts_with("log:3: unknown field `tear`"), "{error}");
        assert!(read_bytes(&packed(line.trim_end())).unwrap_err().contains("line's end"));
        assert!(read_bytes(&packed("\n")).unwrap_err().starts_with("log:1: "));
        let bomb = packed(&" ".repeat(17 << 20));
        assert!(read_bytes(&bomb).unwrap_err().contains("more than 16777216 bytes"));
    }
}

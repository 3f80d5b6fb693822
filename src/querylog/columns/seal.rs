//! A checksum over a whole Parquet file, inside of it: the SHA-256 of its bytes, with zeros in
//! place of the digits of the checksum.
//!
//! The Parquet format protects neither its footer nor, as a rule, its pages, and the library that
//! decodes it may panic over damage. So nothing is decoded before the checksum has been compared.
//!
//! # Invariants
//!
//! - The checksum is a value of the footer's metadata, 64 digits in both forms: other readers of
//!   Parquet see a file like any other.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use memchr::memmem;
use sha2::{Digest, Sha256};

use super::super::error::Damage;
use crate::hex::LOWER;

/// Key of the checksum in the footer's metadata.
pub(super) const SEAL_KEY: &str = "whoisd.query_log.sha256";
/// What the value begins with: found in the footer without decoding it.
const MARK: &str = "whoisd-sha256:";
/// Digits that follow it.
const DIGITS: usize = 64;
/// Footer's length and magic at the end of a Parquet file, bytes.
const TAIL_BYTES: u64 = 8;
/// Magic of Parquet.
const MAGIC: &[u8] = b"PAR1";
/// Longest footer that is looked at, bytes; ours have about 2 KB for each row group.
const FOOTER_BYTES_MAX: u64 = 64 << 20;
/// Bytes read at a time.
const READ_BYTES: usize = 64 << 10;

/// The value while the file is being written.
pub(super) fn unsealed() -> String {
    format!("{MARK}{}", "0".repeat(DIGITS))
}

/// A file that sums what is written.
#[derive(Debug)]
pub(super) struct Summed {
    pub(super) file: File,
    sum: Sha256,
}

impl Summed {
    pub(super) fn new(file: File) -> Self {
        Self { file, sum: Sha256::new() }
    }

    /// Puts the checksum into the file, which is complete.
    pub(super) fn seal(&self) -> io::Result<()> {
        let digits = LOWER.encode(&self.sum.clone().finalize());
        let at = place_of_digits(&mut &self.file).map_err(io::Error::other)?;
        self.file.write_all_at(digits.as_bytes(), at)
    }
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sum.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Compares the checksum of a file.
pub(super) fn check(file: &mut File) -> Result<(), Damage> {
    let at = place_of_digits(&mut *file)?;
    let mut digits = [0; DIGITS];
    file.read_exact_at(&mut digits, at)?;
    file.seek(SeekFrom::Start(0))?;
    let mut sum = Sha256::new();
    add(&mut sum, &mut (&mut *file).take(at))?;
    sum.update("0".repeat(DIGITS));
    file.seek(SeekFrom::Start(at.saturating_add(DIGITS as u64)))?;
    add(&mut sum, file)?;
    if LOWER.encode(&sum.finalize()).as_bytes() == digits { Ok(()) } else { Err(Damage::Checksum) }
}

fn add(sum: &mut Sha256, from: &mut impl Read) -> io::Result<()> {
    let mut piece = vec![0; READ_BYTES];
    loop {
        let length = from.read(&mut piece)?;
        if length == 0 {
            return Ok(());
        }
        sum.update(piece.get(..length).unwrap_or_default());
    }
}

/// Where the digits are in the file.
fn place_of_digits(mut file: impl Read + Seek) -> Result<u64, Damage> {
    let end = file.seek(SeekFrom::End(0))?;
    let tail_at = end.checked_sub(TAIL_BYTES).ok_or(Damage::Unsealed)?;
    file.seek(SeekFrom::Start(tail_at))?;
    let (mut length, mut magic) = ([0; 4], [0; 4]);
    file.read_exact(&mut length).and_then(|()| file.read_exact(&mut magic))?;
    let length = u64::from(u32::from_le_bytes(length));
    if magic != MAGIC || length > FOOTER_BYTES_MAX {
        return Err(Damage::Unsealed);
    }
    let footer_at = tail_at.checked_sub(length).ok_or(Damage::Unsealed)?;
    file.seek(SeekFrom::Start(footer_at))?;
    let mut footer = Vec::new();
    file.take(length).read_to_end(&mut footer)?;
    // The last one: names in statistics of columns come before it, and could look like it.
    let at = memmem::rfind(&footer, MARK.as_bytes()).ok_or(Damage::Unsealed)?;
    let digits_at = at.saturating_add(MARK.len());
    if digits_at.saturating_add(DIGITS) > footer.len() {
        return Err(Damage::Unsealed);
    }
    Ok(footer_at.saturating_add(digits_at as u64))
}

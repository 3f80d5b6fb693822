//! One entry of a frame: what became of one key.
//!
//! # Invariants
//!
//! - An entry is a multiple of 8 bytes, and so is the end of its record: a record that starts at a
//!   multiple of 8 within the log is read where it lies.
//!
//! # Does not
//!
//! Know what records mean.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::layout::{Kind, word32};
use crate::limits::RECORD_UNIT_BYTES;

/// Bytes in front of an entry's key.
pub const ENTRY_HEAD_BYTES: usize = 16;

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Op {
    /// It has this record.
    Record = 1,
    /// It has none any more.
    Removed = 2,
    /// It has none yet; its ordinal is spoken for.
    Reserved = 3,
    /// The key is the identifier of a deposit whose changes end here; the kind means nothing.
    Deposit = 4,
}

impl Op {
    const fn of_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Record,
            2 => Self::Removed,
            3 => Self::Reserved,
            4 => Self::Deposit,
            _ => return None,
        })
    }
}

/// An entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Kind of the object.
    pub kind: Kind,
    /// What became of it.
    pub op: Op,
    /// Ordinal of kinds that keep theirs, otherwise [`crate::record::NONE`].
    pub ordinal: u32,
    /// Key of the object.
    pub key: &'a str,
    /// Archive of the record; empty unless `op` is [`Op::Record`].
    pub record: &'a [u8],
}

/// Where the parts of an entry lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) kind: Kind,
    pub(crate) op: Op,
    pub(crate) ordinal: u32,
    key_bytes: usize,
    record_bytes: usize,
}

impl Parts {
    /// Reads the head of an entry.
    #[inline]
    pub(crate) fn read(head: &[u8; ENTRY_HEAD_BYTES]) -> Option<Self> {
        let [kind, op, key_low, key_high, ..] = *head;
        Some(Self {
            kind: Kind::of_number(kind)?,
            op: Op::of_number(op)?,
            ordinal: word32(head, 4),
            key_bytes: usize::from(u16::from_le_bytes([key_low, key_high])),
            record_bytes: word32(head, 8) as usize,
        })
    }

    /// Where the key ends, padding included: the padded record starts there.
    const fn key_end(self) -> usize {
        padded(ENTRY_HEAD_BYTES.saturating_add(self.key_bytes))
    }

    /// Bytes of the whole entry.
    pub(crate) const fn bytes(self) -> usize {
        self.key_end().saturating_add(padded(self.record_bytes))
    }

    /// Where the key lies in the entry.
    pub(crate) const fn key(self) -> std::ops::Range<usize> {
        ENTRY_HEAD_BYTES..ENTRY_HEAD_BYTES.saturating_add(self.key_bytes)
    }

    /// Where the record lies in the entry, with the padding in front of it.
    pub(crate) const fn slot(self) -> std::ops::Range<usize> {
        self.key_end()..self.bytes()
    }
}

const fn padded(bytes: usize) -> usize {
    bytes.saturating_add(RECORD_UNIT_BYTES.wrapping_sub(1)) & !(RECORD_UNIT_BYTES.wrapping_sub(1))
}

impl<'a> Entry<'a> {
    /// Reads the entry at the start of `bytes`; also how many bytes it has.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let parts = Parts::read(bytes.first_chunk()?)?;
        let key = std::str::from_utf8(bytes.get(parts.key())?).ok()?;
        let record = bytes.get(parts.slot())?;
        let Parts { kind, op, ordinal, .. } = parts;
        Some((Self { kind, op, ordinal, key, record }, parts.bytes()))
    }

    /// Appends the entry to `out`, whose length is a multiple of 8. The key has at most
    /// [`crate::limits::KEY_BYTES_MAX`] bytes, the record at most
    /// [`crate::limits::RECORD_BYTES_MAX`].
    pub fn write(&self, out: &mut Vec<u8>) {
        let Self { kind, op, ordinal, key, record } = *self;
        let key_bytes = u16::try_from(key.len()).unwrap_or(u16::MAX);
        let record_bytes = u32::try_from(record.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&[kind as u8, op as u8]);
        out.extend_from_slice(&key_bytes.to_le_bytes());
        out.extend_from_slice(&ordinal.to_le_bytes());
        out.extend_from_slice(&record_bytes.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(key.as_bytes());
        out.resize(padded(out.len()), 0);
        // The root is at the archive's end, so the padding goes in front.
        let padding = padded(record.len()).wrapping_sub(record.len());
        out.resize(out.len().saturating_add(padding), 0);
        out.extend_from_slice(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_as_it_was_written_and_a_cut_one_does_not_read() {
        let mut out = Vec::new();
        let record = [7; 13];
        let entries = [
            Entry {
                kind: Kind::Domain,
                op: Op::Record,
                ordinal: 9,
                key: "a.test",
                record: &record,
            },
            Entry { kind: Kind::Contact, op: Op::Removed, ordinal: 3, key: "C1", record: &[] },
            Entry { kind: Kind::Contact, op: Op::Reserved, ordinal: 4, key: "", record: &[] },
        ];
        for entry in &entries {
            entry.write(&mut out);
            assert!(out.len().is_multiple_of(8));
        }
        let mut at = 0;
        for entry in &entries {
            let (read, bytes) = Entry::read(&out[at..]).unwrap();
            assert_eq!((read.kind, read.op, read.ordinal), (entry.kind, entry.op, entry.ordinal));
            assert_eq!(read.key, entry.key);
            assert!(read.record.ends_with(entry.record));
            assert!(Entry::read(&out[at..at + bytes - 1]).is_none());
            at += bytes;
        }
        assert_eq!(at, out.len());
    }
}

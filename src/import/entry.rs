//! An entry of the sorter between reading and writing: what it is to its object, and where that was
//! read.
//!
//! # Does not
//!
//! Know what objects mean.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;

use crate::vet::findings::{ObjectKind, Place};

/// What a sorted entry is to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Rank {
    /// The object, from the XML model.
    Xml = 0,
    /// The object, from the CSV model.
    Csv = 1,
    /// A part of it: an object of the same type with some fields set.
    Part = 2,
    /// A nameserver as the host attributes of a domain state it.
    HostAttribute = 3,
    /// One address of a nameserver, or none, as a row of host attributes states it.
    HostAttributeRow = 4,
}

impl Rank {
    pub(super) const fn of(byte: u8) -> Self {
        match byte {
            0 => Self::Xml,
            1 => Self::Csv,
            2 => Self::Part,
            3 => Self::HostAttribute,
            _ => Self::HostAttributeRow,
        }
    }
}

/// Bytes of a payload before the archive: file, line.
pub(super) const PLACE_BYTES: usize = 10;

/// Kind, file and line in one number.
pub(super) fn packed(kind: ObjectKind, place: Place) -> u64 {
    u64::from(kind as u8).wrapping_shl(60)
        | u64::from(place.file & 0xfff).wrapping_shl(48)
        | (place.line & 0xffff_ffff_ffff)
}

/// The reverse of packing: kind and place.
pub(super) fn unpacked(value: u128) -> (ObjectKind, Place) {
    let low = u64::try_from(value & u128::from(u64::MAX)).unwrap_or(0);
    let kind = ObjectKind::RECORDS
        .into_iter()
        .find(|&kind| u64::from(kind as u8) == low.wrapping_shr(60))
        .unwrap_or(ObjectKind::Deposit);
    let file = u16::try_from(low.wrapping_shr(48) & 0xfff).unwrap_or(0);
    (kind, Place { file, line: low & 0xffff_ffff_ffff })
}

/// Place and archive of a payload.
pub(super) fn split(payload: &[u8]) -> io::Result<(Place, &[u8])> {
    let (head, archive) = payload.split_at_checked(PLACE_BYTES).ok_or_else(damaged)?;
    let [f0, f1, line @ ..] = head else { return Err(damaged()) };
    let line = u64::from_le_bytes(line.try_into().map_err(|_| damaged())?);
    Ok((Place { file: u16::from_le_bytes([*f0, *f1]), line }, archive))
}

/// Takes the next part from what a collector made one: its place and archive.
pub(super) fn next_part<'p>(parts: &mut &'p [u8]) -> io::Result<Option<(Place, &'p [u8])>> {
    if parts.is_empty() {
        return Ok(None);
    }
    let (bytes, rest) = parts.split_first_chunk().ok_or_else(damaged)?;
    let bytes = usize::try_from(u32::from_le_bytes(*bytes)).map_err(io::Error::other)?;
    let (part, rest) = rest.split_at_checked(bytes).ok_or_else(damaged)?;
    *parts = rest;
    split(part).map(Some)
}

/// A scratch file gave back what was never written.
pub(super) fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a scratch file was damaged while it was in use")
}

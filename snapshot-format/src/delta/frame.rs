//! A batch of changes as one frame of a log, and the head of a log's file.
//!
//! # Invariants
//!
//! - `whole or nothing`: a frame checks only with every byte of head and payload, and only in the
//!   log that it was written for: its checksum covers the log's epoch and salt. So bytes of another
//!   log, or of this place's past, never read as a frame.
//! - `chain`: a frame names the generation that it was made over.
//!
//! # Does not
//!
//! Look into payloads.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::Heap;
use crate::error::FormatError;
use crate::layout::{SCHEMA_HASH, word32, word64};

/// First bytes of a log.
pub const LOG_MAGIC: [u8; 8] = *b"WHOISL\x1a\n";
/// Version of the log's bytes that this crate writes.
pub const LOG_VERSION: u32 = 2;
/// Oldest version that it reads: see [`crate::layout::FORMAT_VERSION_MIN`].
pub const LOG_VERSION_MIN: u32 = 1;
/// Bytes of a log's head: the first frame follows.
pub const LOG_HEAD_BYTES: usize = 64;
/// Bytes of a frame's head.
pub const FRAME_HEAD_BYTES: usize = 80;
/// Largest payload of a frame, bytes.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 30;

/// First bytes of a frame.
pub const FRAME_MAGIC: [u8; 4] = *b"WFRM";
/// Where the checksummed part of a frame's head starts.
const CHECKED_AT: usize = 8;

/// Head of a log's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// Which log of the directory: never used twice.
    pub epoch: u64,
    /// Position of the file among those of the epoch, from 1.
    pub number: u32,
    /// Random: two logs of one epoch (a copied directory) differ.
    pub salt: u64,
    /// Generation over which the log begins.
    pub begins_over: u64,
    /// Length that the file was made with, bytes; 0: not said.
    pub file_bytes: u64,
}

impl LogHead {
    /// The bytes of the head.
    #[must_use]
    pub fn encode(&self) -> [u8; LOG_HEAD_BYTES] {
        let mut head = [0; LOG_HEAD_BYTES];
        let Self { epoch, number, salt, begins_over, file_bytes } = *self;
        put(&mut head, 0, &LOG_MAGIC);
        put(&mut head, 8, &LOG_VERSION.to_le_bytes());
        put(&mut head, 12, &number.to_le_bytes());
        put(&mut head, 16, &epoch.to_le_bytes());
        put(&mut head, 24, &salt.to_le_bytes());
        put(&mut head, 32, &begins_over.to_le_bytes());
        put(&mut head, 40, &SCHEMA_HASH.to_le_bytes());
        put(&mut head, 48, &file_bytes.to_le_bytes());
        let crc = crc32c::crc32c(head.get(..LOG_HEAD_BYTES.wrapping_sub(4)).unwrap_or_default());
        put(&mut head, LOG_HEAD_BYTES.wrapping_sub(4), &crc.to_le_bytes());
        head
    }

    /// Reads the head of a log.
    ///
    /// # Errors
    ///
    /// Not a log, another version, damaged, or of a build with other record types.
    pub fn decode(log: &impl Heap) -> Result<Self, FormatError> {
        let head = log.bytes(0..LOG_HEAD_BYTES).unwrap_or_default();
        let wrong = |what| FormatError::Log { at: 0, what };
        if head.get(..LOG_MAGIC.len()) != Some(&LOG_MAGIC) {
            return Err(wrong("does not start as a log of changes does"));
        }
        if !(LOG_VERSION_MIN..=LOG_VERSION).contains(&word32(head, 8)) {
            return Err(wrong("has a version that this build does not read"));
        }
        let checked = head.get(..LOG_HEAD_BYTES.wrapping_sub(4)).unwrap_or_default();
        if crc32c::crc32c(checked) != word32(head, LOG_HEAD_BYTES.wrapping_sub(4)) {
            return Err(wrong("has a damaged head"));
        }
        if word64(head, 40) != SCHEMA_HASH {
            return Err(wrong("holds records of another build"));
        }
        Ok(Self {
            epoch: word64(head, 16),
            number: word32(head, 12),
            salt: word64(head, 24),
            begins_over: word64(head, 32),
            file_bytes: word64(head, 48),
        })
    }
}

/// What a frame says of its batch. Serials and times are those of the whole generation that the
/// frame makes, not of the batch alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameHead {
    /// Number of the generation that the frame makes.
    pub generation: u64,
    /// Number of the generation that it was made over.
    pub parent: u64,
    /// Last serial that is contained; 0 without a feed.
    pub serial: u64,
    /// Commit time of the newest change that is contained, ms since the epoch.
    pub committed_ms: i64,
    /// Newest sign of life of the feed, ms since the epoch; `i64::MIN` for none.
    pub heartbeat_ms: i64,
    /// Entries of the payload.
    pub entry_count: u32,
}

/// A frame in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// What it says of its batch.
    pub head: FrameHead,
    /// Where its payload starts in the log, bytes.
    pub payload_at: usize,
    /// Length of its payload, bytes.
    pub payload_bytes: usize,
}

impl Frame {
    /// Where the frame ends.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.payload_at.saturating_add(self.payload_bytes)
    }

    /// The frame at `at` of `log`, if there is a whole one.
    #[must_use]
    pub fn read(log: &impl Heap, log_head: &LogHead, at: usize) -> Option<Self> {
        let payload_at = at.checked_add(FRAME_HEAD_BYTES)?;
        let head = log.bytes(at..payload_at)?;
        let payload_bytes = payload_bytes(head.first_chunk()?)?;
        let payload = log.bytes(payload_at..payload_at.checked_add(payload_bytes)?)?;
        if checksum(log_head, head.get(CHECKED_AT..)?, payload) != word32(head, 4) {
            return None;
        }
        let word = |n: usize| word64(head, n.saturating_mul(8));
        let head = FrameHead {
            entry_count: word32(head, 12),
            generation: word(2),
            parent: word(3),
            serial: word(4),
            committed_ms: word(5).cast_signed(),
            heartbeat_ms: word(6).cast_signed(),
        };
        Some(Self { head, payload_at, payload_bytes })
    }
}

/// Length of the payload that a frame's head announces, bytes; `None` if it is no such head.
#[must_use]
pub fn payload_bytes(head: &[u8; FRAME_HEAD_BYTES]) -> Option<usize> {
    let bytes = word32(head, CHECKED_AT) as usize;
    (head.starts_with(&FRAME_MAGIC) && bytes <= PAYLOAD_BYTES_MAX).then_some(bytes)
}

/// The generation that a frame's head says it makes, and the one that it was made over: what a
/// reader looks at before it compares a checksum.
#[must_use]
pub fn generations(head: &[u8; FRAME_HEAD_BYTES]) -> (u64, u64) {
    (word64(head, 16), word64(head, 24))
}

impl FrameHead {
    /// The bytes of a frame with this payload, whose length is a multiple of 8 and at most
    /// [`PAYLOAD_BYTES_MAX`].
    #[must_use]
    pub fn frame(&self, log_head: &LogHead, payload: &[u8]) -> Vec<u8> {
        let mut head = [0; FRAME_HEAD_BYTES];
        let payload_bytes = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        put(&mut head, 0, &FRAME_MAGIC);
        put(&mut head, 8, &payload_bytes.to_le_bytes());
        put(&mut head, 12, &self.entry_count.to_le_bytes());
        let words = [
            self.generation,
            self.parent,
            self.serial,
            self.committed_ms.cast_unsigned(),
            self.heartbeat_ms.cast_unsigned(),
        ];
        for (word, at) in words.into_iter().zip((16..).step_by(8)) {
            put(&mut head, at, &word.to_le_bytes());
        }
        let crc = checksum(log_head, head.get(CHECKED_AT..).unwrap_or_default(), payload);
        put(&mut head, 4, &crc.to_le_bytes());
        let mut out = Vec::with_capacity(FRAME_HEAD_BYTES.saturating_add(payload.len()));
        out.extend_from_slice(&head);
        out.extend_from_slice(payload);
        out
    }
}

fn checksum(log: &LogHead, head: &[u8], payload: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&log.salt.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &log.epoch.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, head);
    crc32c::crc32c_append(crc, payload)
}

fn put(block: &mut [u8], at: usize, bytes: &[u8]) {
    let end = at.saturating_add(bytes.len());
    if let Some(place) = block.get_mut(at..end) {
        place.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> (LogHead, FrameHead, Vec<u8>) {
        let log_head = LogHead { epoch: 3, number: 1, salt: 99, begins_over: 7, file_bytes: 4096 };
        let head = FrameHead {
            generation: 8,
            parent: 7,
            serial: 5,
            committed_ms: -1,
            heartbeat_ms: i64::MIN,
            entry_count: 2,
        };
        let mut log = log_head.encode().to_vec();
        log.extend(head.frame(&log_head, &[1; 24]));
        (log_head, head, log)
    }

    #[test]
    fn a_log_reads_as_it_was_written() {
        let (log_head, head, log) = log();
        assert_eq!(LogHead::decode(&log), Ok(log_head));
        let frame = Frame::read(&log, &log_head, LOG_HEAD_BYTES).unwrap();
        assert_eq!(frame.head, head);
        assert_eq!((frame.payload_bytes, frame.end()), (24, log.len()));
        assert_eq!(Frame::read(&log, &log_head, frame.end()), None);
    }

    #[test]
    fn a_frame_with_any_bit_turned_or_byte_missing_or_of_another_log_does_not_read() {
        let (log_head, _, log) = log();
        for at in 0..log.len() {
            for bit in 0..8 {
                let mut damaged = log.clone();
                damaged[at] ^= 1 << bit;
                if at < LOG_HEAD_BYTES {
                    assert!(LogHead::decode(&damaged).is_err(), "byte {at} bit {bit}");
                } else {
                    let frame = Frame::read(&damaged, &log_head, LOG_HEAD_BYTES);
                    assert_eq!(frame, None, "byte {at} bit {bit}");
                }
            }
        }
        for length in LOG_HEAD_BYTES..log.len() {
            assert_eq!(Frame::read(&log[..length].to_vec(), &log_head, LOG_HEAD_BYTES), None);
        }
        for other in [LogHead { salt: 98, ..log_head }, LogHead { epoch: 4, ..log_head }] {
            assert_eq!(Frame::read(&log, &other, LOG_HEAD_BYTES), None);
        }
    }
}

//! Tells damage from the rest of a batch that was never finished, where a log stops reading: by
//! batches after it that do read, or because all of its own bytes were written.
//!
//! A batch is written once the one before it is on the disk, and after a failure the log goes on in
//! its next part. So nothing of its part reads after a batch that was not finished, and a batch
//! that reads after one that does not was acknowledged after it.
//!
//! Nothing follows the last batch. But a log's file is zeros before it is written, and a device
//! writes sectors whole: if a crash has torn a batch, some sector has none of its bytes.
//!
//! # Invariants
//!
//! - `bounded`: a look reads its part once, and compares checksums of at most
//!   [`COMPARED_BYTES_MAX`]: records that somebody has forged cannot make it last.
//! - A frame is found only whole, of this part, and of a generation that follows.
//!
//! # Does not
//!
//! Take in what it finds: the batches before that are missing. Tell damage of a last batch that has
//! a sector of zeros, or whose length reads as longer than it is: that counts as torn.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::delta::Frame;
use snapshot_format::delta::frame::{FRAME_HEAD_BYTES, FRAME_MAGIC, generations, payload_bytes};

use super::error::{StoreError, failed};
use super::files::Files;
use super::log::{Copy, Part};

/// How much is looked at at once.
const PIECE_BYTES: usize = 64 << 10;
/// Zeros are passed over by blocks of it.
const BLOCK_BYTES: usize = 4 << 10;
const ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];
/// What devices write whole, bytes; some have larger ones.
const SECTOR_BYTES: usize = 512;
/// Frames start at multiples of it: heads and payloads have such lengths.
const FRAME_UNIT_BYTES: usize = 8;
/// Bytes whose checksums are compared in one look.
const COMPARED_BYTES_MAX: usize = 2 << 30;
/// A generation that is further ahead is not a number that was given.
const AHEAD_MAX: u64 = 1 << 32;

impl<F: Files> Part<F> {
    /// Whether anything but zeros stands where the next frame's head would.
    pub(super) fn is_begun(&self, files: &F, name: &str) -> Result<bool, StoreError> {
        let mut head = [0; FRAME_HEAD_BYTES];
        files.read_log(&self.log, self.at, &mut head).map_err(failed(files, name, "read it"))?;
        Ok(head.iter().any(|byte| *byte != 0))
    }

    /// Whether all bytes of the frame at [`Part::at`] were written, so that one that does not read
    /// is damaged, not torn.
    pub(super) fn is_written(&self, files: &F, name: &str) -> Result<bool, StoreError> {
        let read = |at: u64, into: &mut [u8]| {
            files.read_log(&self.log, at, into).map_err(failed(files, name, "read it"))
        };
        let mut head = [0; FRAME_HEAD_BYTES];
        read(self.at, &mut head)?;
        let sector_end = |at: u64| {
            let sectors = at.checked_div(SECTOR_BYTES as u64).unwrap_or(0).saturating_add(1);
            sectors.saturating_mul(SECTOR_BYTES as u64)
        };
        let first = usize::try_from(sector_end(self.at).saturating_sub(self.at));
        if head.iter().take(first.unwrap_or(usize::MAX)).all(|byte| *byte == 0) {
            return Ok(false);
        }
        // A frame's first bytes are not zeros, and their sector was written.
        let Some(payload) = payload_bytes(&head) else { return Ok(true) };
        let length = FRAME_HEAD_BYTES.saturating_add(payload) as u64;
        let (mut at, end) = (self.at, self.at.saturating_add(length));
        let mut sector = [0; SECTOR_BYTES];
        while at < end {
            let next = sector_end(at).min(end);
            let length = usize::try_from(next.saturating_sub(at)).unwrap_or(0);
            let Some(part) = sector.get_mut(..length) else { return Ok(false) };
            // No frame is written that its part has no room for.
            if read(at, part)? < length {
                return Ok(true);
            }
            if part.iter().all(|byte| *byte == 0) {
                return Ok(false);
            }
            at = next;
        }
        Ok(true)
    }

    /// Where the first frame starts that reads after the place where the next one should start, and
    /// whose generation follows `state`.
    pub(super) fn behind(
        &self,
        files: &F,
        name: &str,
        state: u64,
    ) -> Result<Option<u64>, StoreError> {
        let mut piece = vec![0; PIECE_BYTES];
        let mut at = self.at;
        let mut budget = COMPARED_BYTES_MAX;
        loop {
            let read = files.read_log(&self.log, at, &mut piece);
            let read = read.map_err(failed(files, name, "read it"))?;
            let bytes = piece.get(..read).unwrap_or_default();
            for (block, begins) in bytes.chunks(BLOCK_BYTES).zip((at..).step_by(BLOCK_BYTES)) {
                // Most of a log is zeros.
                if ZEROS.starts_with(block) {
                    continue;
                }
                let places = (begins..).step_by(FRAME_UNIT_BYTES);
                for (word, place) in block.chunks(FRAME_UNIT_BYTES).zip(places) {
                    let may_be = word.starts_with(&FRAME_MAGIC) && place > self.at;
                    if may_be && self.follows(files, name, place, state, &mut budget)? {
                        return Ok(Some(place));
                    }
                }
            }
            if read < piece.len() {
                return Ok(None);
            }
            at = at.saturating_add(read as u64);
        }
    }

    /// Whether a whole frame stands at `at`, of a generation that follows `state`.
    fn follows(
        &self,
        files: &F,
        name: &str,
        at: u64,
        state: u64,
        budget: &mut usize,
    ) -> Result<bool, StoreError> {
        let mut head = [0; FRAME_HEAD_BYTES];
        let read = |into: &mut [u8]| {
            let read = files.read_log(&self.log, at, into);
            read.map_err(failed(files, name, "read it")).map(|read| read == into.len())
        };
        if !read(&mut head)? {
            return Ok(false);
        }
        let Some(payload) = payload_bytes(&head) else { return Ok(false) };
        let (generation, parent) = generations(&head);
        let is_given = parent >= state
            && generation >= parent
            && generation.saturating_sub(state) <= AHEAD_MAX;
        let bytes = FRAME_HEAD_BYTES.saturating_add(payload);
        if !is_given || bytes > *budget {
            return Ok(false);
        }
        *budget = budget.saturating_sub(bytes);
        let mut whole = vec![0; bytes];
        if !read(&mut whole)? {
            return Ok(false);
        }
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        Ok(Frame::read(&Copy { at, bytes: &whole }, &self.head, at).is_some())
    }
}

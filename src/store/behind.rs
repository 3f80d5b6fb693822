//! Looks behind the place where a log stops to read, for batches that do: what tells damage from
//! the rest of a batch that was never finished.
//!
//! A batch is written once the one before it is on the disk, and after a failure the log goes on in
//! its next part. So behind a batch that was not finished nothing of its part reads, and a batch
//! that reads behind one that does not was acknowledged after it.
//!
//! # Invariants
//!
//! - `bounded`: a look reads its part once, and compares checksums of at most
//!   [`COMPARED_BYTES_MAX`]: what somebody has written into records cannot make it last.
//! - A frame is found only whole, of this part, and of a generation that follows.
//!
//! # Does not
//!
//! Take in what it finds: what lies before it is missing.

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
/// Frames start at multiples of it: heads and payloads have such lengths.
const FRAME_UNIT_BYTES: usize = 8;
/// Bytes whose checksums are compared in one look.
const COMPARED_BYTES_MAX: usize = 2 << 30;
/// A generation that is further ahead is no number that was given.
const AHEAD_MAX: u64 = 1 << 32;

impl<F: Files> Part<F> {
    /// Whether anything but zeros stands where the next frame's head would.
    pub(super) fn is_begun(&self, files: &F, name: &str) -> Result<bool, StoreError> {
        let mut head = [0; FRAME_HEAD_BYTES];
        files.read_log(&self.log, self.at, &mut head).map_err(failed(files, name, "read it"))?;
        Ok(head.iter().any(|byte| *byte != 0))
    }

    /// Where the first frame starts that reads behind the place where the next one should, and
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

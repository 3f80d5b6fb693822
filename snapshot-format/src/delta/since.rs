//! What changed since a position, for programs that follow the records, such as an index of their
//! texts.
//!
//! # Invariants
//!
//! - `the same history or nothing`: a position of another history, such as before a rollback or an
//!   import, gives nothing rather than a part: see [`Generation::entries_since`].
//!
//! # Does not
//!
//! Say what a key had before.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::entry::Entry;
use super::frame::{FRAME_HEAD_BYTES, LOG_HEAD_BYTES, LogHead, generations, payload_bytes};
use super::{Generation, Heap};
use crate::error::FormatError;

/// Up to where a generation goes, in a form that outlives the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Number of the generation.
    pub generation: u64,
    /// Random number of its base, which no other base has.
    pub base_seed: u64,
    /// Its last log: random number, epoch and part; 0 without one.
    pub log: (u64, u64, u32),
    /// Where the last frame ends in that log, bytes.
    pub log_at: u64,
}

/// What tells a log from all others.
const fn identity(head: &LogHead) -> (u64, u64, u32) {
    (head.salt, head.epoch, head.number)
}

impl<D: AsRef<[u8]>, S: Heap> Generation<D, S> {
    /// Up to where this generation goes.
    ///
    /// # Errors
    ///
    /// The head of its last log is damaged.
    pub fn position(&self) -> Result<Position, FormatError> {
        let last = self.logs.last().map(|log| LogHead::decode(&**log)).transpose()?;
        Ok(Position {
            generation: self.state().generation,
            base_seed: self.base.header().hash_seed,
            log: last.map_or((0, 0, 0), |head| identity(&head)),
            log_at: self.ends.last().map_or(0, |end| *end as u64),
        })
    }

    /// Hands each entry of the logs after `since` to `visit`, in the order of the changes; one key
    /// may come several times. `false`, with nothing visited, if this generation does not go on
    /// from there as far as its files tell: after an import, a rollback, or a fold that contains
    /// more. `folded`: a base of exactly that generation is taken for a fold of it, which only
    /// somebody knows who has seen both.
    ///
    /// # Errors
    ///
    /// A damaged log.
    pub fn entries_since(
        &self,
        since: &Position,
        folded: bool,
        visit: &mut dyn FnMut(&Entry<'_>),
    ) -> Result<bool, FormatError> {
        let Some((first, at)) = self.place_of(since, folded)? else { return Ok(false) };
        let mut at = at;
        for (log, end) in self.logs.iter().zip(&self.ends).skip(first) {
            while at < *end {
                at = visit_frame(&**log, at, since.generation, visit)?;
            }
            at = LOG_HEAD_BYTES;
        }
        Ok(true)
    }

    /// The log and the place in it after which everything is new.
    fn place_of(
        &self,
        since: &Position,
        folded: bool,
    ) -> Result<Option<(usize, usize)>, FormatError> {
        let base = self.base.header();
        if since.generation > self.state().generation || since.generation < base.generation {
            return Ok(None);
        }
        for (place, (log, end)) in self.logs.iter().zip(&self.ends).enumerate() {
            let head = LogHead::decode(&**log)?;
            let at = usize::try_from(since.log_at).unwrap_or(usize::MAX);
            if identity(&head) == since.log && at <= *end {
                return Ok(Some((place, at)));
            }
        }
        let is_base = since.generation == base.generation;
        let is_same = since.log == (0, 0, 0) && since.base_seed == base.hash_seed;
        Ok((is_base && (is_same || folded)).then_some((0, LOG_HEAD_BYTES)))
    }
}

/// Visits the entries of the frame at `at`, unless `generation` has them; returns where it ends.
fn visit_frame(
    log: &impl Heap,
    at: usize,
    generation: u64,
    visit: &mut dyn FnMut(&Entry<'_>),
) -> Result<usize, FormatError> {
    let wrong = |what| FormatError::Log { at: at as u64, what };
    let unread = || wrong("holds a batch that does not read");
    let payload_at = at.checked_add(FRAME_HEAD_BYTES).ok_or_else(unread)?;
    let head = log.bytes(at..payload_at).and_then(<[u8]>::first_chunk).ok_or_else(unread)?;
    let payload = payload_bytes(head).ok_or_else(unread)?;
    let end = payload_at.checked_add(payload).ok_or_else(unread)?;
    if generations(head).0 <= generation {
        return Ok(end);
    }
    let mut rest = log.bytes(payload_at..end).ok_or_else(unread)?;
    while !rest.is_empty() {
        let (entry, bytes) = Entry::read(rest).ok_or_else(unread)?;
        visit(&entry);
        rest = rest.get(bytes..).unwrap_or_default();
    }
    Ok(end)
}

//! Batches as they come, into batches in order: an early batch is held back until those that are
//! missing before it have come.
//!
//! # Invariants
//!
//! - At most [`HELD_COUNT_MAX`] batches are held back, and no more once they take the memory that
//!   [`Intake::new`] is given.
//!
//! # Does not
//!
//! Wait: the caller decides when a gap has lasted too long.

use std::collections::BTreeMap;

use crate::feed::message::Batch;

/// Most batches that are held back.
pub(super) const HELD_COUNT_MAX: usize = 256;

/// Batches that were received and not taken in yet; `T` is what they are acknowledged with.
#[derive(Debug)]
pub(super) struct Intake<T> {
    /// By the first serial, then in the order in which they came: a batch that came twice is here
    /// twice.
    held: BTreeMap<(u64, u64), Held<T>>,
    came: u64,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Held<T> {
    batch: Batch,
    token: T,
    bytes: usize,
}

impl<T> Intake<T> {
    /// Nothing yet; batches that are held back may take `bytes_max`.
    pub(super) const fn new(bytes_max: usize) -> Self {
        Self { held: BTreeMap::new(), came: 0, bytes: 0, bytes_max }
    }

    /// Takes a batch.
    pub(super) fn offer(&mut self, batch: Batch, token: T) {
        let bytes = batch.memory_bytes();
        self.bytes = self.bytes.saturating_add(bytes);
        self.came = self.came.wrapping_add(1);
        self.held.insert((batch.head.first, self.came), Held { batch, token, bytes });
    }

    /// The next batch that follows `have`, or is there already.
    pub(super) fn next(&mut self, have: u64) -> Option<(Batch, T)> {
        let entry = self.held.first_entry()?;
        if entry.key().0 > have.saturating_add(1) {
            return None;
        }
        let Held { batch, token, bytes } = entry.remove();
        self.bytes = self.bytes.saturating_sub(bytes);
        Some((batch, token))
    }

    /// The first serial that is held back, if one is missing in front of it.
    pub(super) fn gap(&self) -> Option<u64> {
        self.held.keys().next().map(|(first, _)| *first)
    }

    /// Whether no more batches may be held back.
    pub(super) fn is_full(&self) -> bool {
        self.held.len() >= HELD_COUNT_MAX || self.bytes >= self.bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::message::Head;

    fn batch(first: u64, last: u64) -> Batch {
        let head = Head { source: "a".parse().unwrap(), first, last };
        Batch { head, records: Vec::new() }
    }

    fn taken(intake: &mut Intake<u8>, mut have: u64) -> Vec<(u64, u8)> {
        let mut taken = Vec::new();
        while let Some((batch, token)) = intake.next(have) {
            have = have.max(batch.head.last);
            taken.push((batch.head.first, token));
        }
        taken
    }

    #[test]
    fn batches_come_out_in_order_however_they_came_in() {
        let mut intake = Intake::new(1 << 20);
        intake.offer(batch(7, 9), 3);
        intake.offer(batch(4, 6), 2);
        assert_eq!((taken(&mut intake, 0), intake.gap()), (vec![], Some(4)));
        intake.offer(batch(1, 3), 1);
        assert!(intake.bytes > 0);
        assert_eq!(taken(&mut intake, 0), [(1, 1), (4, 2), (7, 3)]);
        assert_eq!((intake.gap(), intake.bytes), (None, 0));
    }

    #[test]
    fn what_is_there_already_comes_out_too_so_that_it_is_acknowledged() {
        let mut intake = Intake::new(1 << 20);
        intake.offer(batch(1, 3), 1);
        for (last, token) in [(9, 2), (7, 3), (9, 4)] {
            intake.offer(batch(6, last), token);
        }
        assert_eq!(taken(&mut intake, 5), [(1, 1), (6, 2), (6, 3), (6, 4)]);
        assert_eq!(intake.bytes, 0);
    }

    #[test]
    fn what_is_held_back_is_bounded() {
        let mut intake = Intake::new(1 << 20);
        for first in 10..10 + HELD_COUNT_MAX as u64 {
            assert!(!intake.is_full());
            intake.offer(batch(first, first), 0);
        }
        assert!(intake.is_full());
        let mut small = Intake::new(batch(1, 1).memory_bytes() + 1);
        small.offer(batch(1, 1), 0);
        assert!(!small.is_full());
        small.offer(batch(2, 2), 0);
        assert!(small.is_full());
    }
}

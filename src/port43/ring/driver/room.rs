//! Takes answer buffers back from those who do not read.
//!
//! # Invariants
//!
//! - `readers-first`: a query waits for an answer buffer a few ticks at most, as long as somebody
//!   holds one who does not read.
//!
//! # Does not
//!
//! Close anything itself: `Connection` says how.

use super::super::kernel::Kernel;
use super::super::slots::List;
use super::Driver;
use crate::port43::Answering;
use crate::port43::connection::{Event, Phase};
use crate::port43::limits::{EXPIRIES_PER_TURN, WRITE_GRACE_MS};
use crate::port43::moment::Moment;

impl<A: Answering> Driver<A> {
    /// For each query that waits for an answer buffer, cuts who has been taking its answer longest:
    /// clients that read take theirs at once.
    pub(super) fn take_buffers_back(&mut self, kernel: &mut impl Kernel<A::Buffer>, now: Moment) {
        let waiting = usize::try_from(self.slots.count(List::Answering)).unwrap_or(usize::MAX);
        for _ in 0..waiting.min(EXPIRIES_PER_TURN) {
            let Some((index, connection)) = self.slots.first_connection(List::Writing) else {
                return;
            };
            let is_writing = connection.phase() == Phase::Writing;
            let answered_ms = self.slots.get_mut(index).map_or(now.ms, |slot| slot.answered_ms);
            if !is_writing || now.ms < answered_ms.saturating_add(WRITE_GRACE_MS) {
                return;
            }
            self.step(kernel, index, Event::Evict, now);
        }
    }
}

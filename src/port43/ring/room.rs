//! Who has to go: connections whose deadline has passed, and those whose place somebody else needs.
//!
//! # Invariants
//!
//! - `bounded`: a turn cuts at most `EXPIRIES_PER_TURN` connections for each reason.
//! - `readers-first`: a query waits for an answer buffer a few ticks at most, as long as somebody
//!   holds one who does not read.
//!
//! # Does not
//!
//! Close anything itself: `Connection` says how.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::super::Answering;
use super::super::connection::{Event, Phase};
use super::super::limits::{EXPIRIES_PER_TURN, WRITE_GRACE_MS};
use super::driver::Driver;
use super::kernel::Kernel;
use super::slots::List;

/// The lists whose heads may expire.
const EXPIRING: [List; 6] = [
    List::FirstByte,
    List::Line,
    List::Answering,
    List::Writing,
    List::Draining,
    List::Age, // Last: a phase's own deadline names the client's fault.
];

impl<A: Answering> Driver<A> {
    /// Cuts what has expired, a bounded number of them.
    pub(super) fn expire(&mut self, kernel: &mut impl Kernel<A::Buffer>, now_ms: u64) {
        let mut left = EXPIRIES_PER_TURN;
        for list in EXPIRING {
            while left > 0 {
                let Some((index, connection)) = self.slots.first_connection(list) else { break };
                let end_ms = match list {
                    List::Age => connection.total_end_ms(),
                    _ => connection.phase_end_ms(),
                };
                if now_ms < end_ms {
                    break;
                }
                left = left.saturating_sub(1);
                self.step(kernel, index, Event::Tick, now_ms);
            }
        }
        self.take_buffers_back(kernel, now_ms);
    }

    /// For each query that waits for an answer buffer, cuts who has been taking its answer longest:
    /// clients that read take theirs at once.
    fn take_buffers_back(&mut self, kernel: &mut impl Kernel<A::Buffer>, now_ms: u64) {
        let waiting = usize::try_from(self.slots.count(List::Answering)).unwrap_or(usize::MAX);
        for _ in 0..waiting.min(EXPIRIES_PER_TURN) {
            let Some((index, connection)) = self.slots.first_connection(List::Writing) else {
                return;
            };
            let is_writing = connection.phase() == Phase::Writing;
            let answered_ms = self.slots.get_mut(index).map_or(now_ms, |slot| slot.answered_ms);
            if !is_writing || now_ms < answered_ms.saturating_add(WRITE_GRACE_MS) {
                return;
            }
            self.step(kernel, index, Event::Evict, now_ms);
        }
    }

    /// Makes room: false if every open connection is being answered.
    pub(super) fn evict(&mut self, kernel: &mut impl Kernel<A::Buffer>, now_ms: u64) -> bool {
        let longest = |list| self.slots.first(list);
        let Some(index) = longest(List::FirstByte).or_else(|| longest(List::Line)) else {
            return false;
        };
        self.step(kernel, index, Event::Evict, now_ms);
        true
    }
}

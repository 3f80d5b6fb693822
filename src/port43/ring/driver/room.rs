//! Answer buffers while they are short: which queries wait, and which clients lose theirs.
//!
//! # Invariants
//!
//! - `readers-first`: a query of a source that holds no buffer waits two turns of the ring at most,
//!   however many clients of other sources hold buffers, or wait for one: in the first turn
//!   somebody is cut for it, in the second the buffer is back.
//! - `one-turn`: no client is cut before the kernel has said that it did not take the answer whole.
//!
//! # Does not
//!
//! Close anything itself: `Connection` says how. Choose: `Shares` does.

use std::net::{Ipv4Addr, SocketAddr};

use super::super::kernel::Kernel;
use super::super::slots::List;
use super::Driver;
use crate::observe::counters;
use crate::port43::Answering;
use crate::port43::connection::{Connection, Event, Phase};
use crate::port43::gate::client_of;
use crate::port43::limits::{EXPIRIES_PER_TURN, WRITE_GRACE_MS};
use crate::port43::measure::Moment;
use crate::port43::shares::Shares;

/// Stands for a client whose address is not known.
const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl<A: Answering> Driver<A> {
    /// A line is there, and no buffer for its answer.
    pub(super) fn wait_for_buffer(&mut self, kernel: &impl Kernel<A::Buffer>, index: u32) {
        counters::add(&self.figures.counters.waited_for_buffer, 1);
        self.enter_shares(kernel, index, Shares::wait);
    }

    /// A client has not taken its answer at once.
    pub(super) fn hold_buffer(&mut self, kernel: &impl Kernel<A::Buffer>, index: u32) {
        if self.slots.get_mut(index).is_some_and(|slot| !slot.is_holding) {
            self.enter_shares(kernel, index, Shares::hold);
            if let Some(slot) = self.slots.get_mut(index) {
                slot.is_holding = true;
            }
        }
    }

    fn enter_shares(
        &mut self,
        kernel: &impl Kernel<A::Buffer>,
        index: u32,
        enter: impl FnOnce(&mut Shares, u32, SocketAddr),
    ) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.is_in_shares = true;
        let client = kernel.peer(index).map_or(NOBODY, |peer| client_of(peer, slot.source));
        enter(&mut self.shares, index, client);
    }

    /// It has its buffer; whether it waited for one.
    pub(super) fn lend_share(&mut self, index: u32) -> bool {
        let has_waited = self.slots.get_mut(index).is_some_and(|slot| slot.is_in_shares);
        if has_waited {
            self.shares.lend(index);
        }
        has_waited
    }

    /// It is being closed: it does not wait any more, and if it has a buffer, that comes back.
    pub(super) fn close_shares(&mut self, index: u32) {
        if self.slots.get_mut(index).is_some_and(|slot| slot.is_in_shares) {
            self.shares.close(index);
        }
    }

    /// It neither waits any more nor has a buffer.
    pub(super) fn leave_shares(&mut self, index: u32) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.is_holding = false;
        if std::mem::take(&mut slot.is_in_shares) {
            self.shares.leave(index);
        }
    }

    /// For each query that waits, cuts a client that does not take its answer: all of them at once.
    pub(super) fn take_buffers_back(&mut self, kernel: &mut impl Kernel<A::Buffer>, now: Moment) {
        let wanted_count = self.shares.waiting_count().saturating_sub(self.cut_count);
        for _ in 0..usize::try_from(wanted_count).unwrap_or(usize::MAX).min(EXPIRIES_PER_TURN) {
            let Some(index) = self.shares.next_cut() else { return };
            self.close_shares(index);
            if let Some(slot) = self.slots.get_mut(index) {
                slot.is_cut = true;
                self.cut_count = self.cut_count.saturating_add(1);
            }
            self.step(kernel, index, Event::Evict, now);
        }
    }

    /// While queries wait, finds clients of whose answers the kernel has taken nothing so far: it
    /// says nothing about those until it has. Called on the tick.
    pub(super) fn note_unread(&mut self, kernel: &impl Kernel<A::Buffer>, now: Moment) {
        if self.shares.waiting_count() == 0 {
            return;
        }
        let mut next = self.slots.first(List::Writing);
        for _ in 0..EXPIRIES_PER_TURN {
            let Some(index) = next else { return };
            next = self.slots.after(index, List::Writing);
            let Some(slot) = self.slots.get_mut(index) else { return };
            let is_old = now.ms >= slot.answered_ms.saturating_add(WRITE_GRACE_MS);
            let phase = slot.connection.as_ref().map(Connection::phase);
            if is_old && phase == Some(Phase::Writing) {
                self.hold_buffer(kernel, index);
            }
        }
    }
}

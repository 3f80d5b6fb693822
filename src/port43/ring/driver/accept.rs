//! Connections coming in: accepts asked for, accepts completed, and room made for one more.
//!
//! # Does not
//!
//! Read from a connection.

use super::{Driver, Listener, error_of};
use crate::observe::counters;
use crate::port43::Answering;
use crate::port43::connection::{Action, Connection, Event};
use crate::port43::limits::{ACCEPT_BACKOFF_MS, ROOM_GRACE_MS};
use crate::port43::measure::{Moment, Stopwatch};
use crate::port43::proxy::Refusal;
use crate::port43::ring::kernel::Kernel;
use crate::port43::ring::slots::List;

impl<A: Answering> Driver<A> {
    /// Asks for accepts as far as there are free slots, on every listener alike: the one with the
    /// fewest under way comes first. Slots that are being closed are missing here, most of all in
    /// a full shard; a listener under a flood must not take those that come free from the others.
    pub(in super::super) fn refill(&mut self, kernel: &mut impl Kernel<A::Buffer>, now: Moment) {
        let most_count = self.sizes.accepts_per_listener;
        while !self.stopping {
            let takes = |accepts: &Listener| {
                accepts.under_way_count < most_count && accepts.resume_ms <= now.ms
            };
            let listeners = self.listeners.iter_mut().enumerate();
            let next = listeners
                .filter(|(_, accepts)| takes(accepts))
                .min_by_key(|(_, accepts)| accepts.under_way_count);
            let Some((listener, accepts)) = next else { return };
            let Some(index) = self.slots.take_free() else { return };
            let Some(slot) = self.slots.get_mut(index) else { return };
            slot.accepting = true;
            slot.listener = u8::try_from(listener).unwrap_or(u8::MAX);
            accepts.under_way_count = accepts.under_way_count.saturating_add(1);
            kernel.accept(index, listener);
        }
    }

    /// Takes every accept back; those that complete all the same are served.
    pub(in super::super) fn stop_accepting(&mut self, kernel: &mut impl Kernel<A::Buffer>) {
        self.stopping = true;
        for index in 0..self.slots.len() {
            if self.slots.get_mut(index).is_some_and(|slot| slot.accepting) {
                kernel.cancel_accept(index);
            }
        }
    }

    pub(super) fn accepted(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        result: i32,
        now: Moment,
    ) {
        let Some(slot) = self.slots.get_mut(index).filter(|slot| slot.accepting) else { return };
        slot.accepting = false;
        let listener = usize::from(slot.listener);
        let Some(accepts) = self.listeners.get_mut(listener) else { return };
        accepts.under_way_count = accepts.under_way_count.saturating_sub(1);
        if result < 0 {
            if !self.stopping {
                counters::add(&self.figures.counters.accept_errors, 1);
                accepts.resume_ms = now.ms.saturating_add(ACCEPT_BACKOFF_MS);
                tracing::debug!(error = %error_of(result), "accept failed");
            }
            return self.slots.free(index);
        }
        counters::add(&self.figures.counters.accepted, 1);
        let Some(connection) = self.admit(kernel, index, listener, now) else {
            kernel.close(index, false);
            return self.slots.free(index);
        };
        if let Some(slot) = self.slots.get_mut(index) {
            slot.connection = Some(connection);
            slot.watch = Stopwatch::start(now);
        }
        self.slots.open(index);
        self.act(kernel, index, Action::Receive, now);
    }

    /// The connection that begins, if it may; makes room for it.
    fn admit(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        listener: usize,
        now: Moment,
    ) -> Option<Connection> {
        let gate = &self.listeners.get(listener)?.gate;
        let Some(peer) = kernel.peer(index) else {
            counters::add(&self.figures.counters.ended_broken, 1);
            return None;
        };
        let Some(connection) = gate.admit(peer, self.deadlines, now) else {
            counters::add(&self.figures.counters.ended_untrusted, 1);
            self.notices.untrusted(gate, peer, now);
            return None;
        };
        let full = self.open_count() >= u64::from(self.sizes.connections);
        if full && !self.evict(kernel, now) {
            counters::add(&self.figures.counters.over_bound, 1);
            return None;
        }
        Some(connection)
    }

    /// Writes about a proxy's header that is not taken.
    pub(super) fn note_refusal(
        &mut self,
        kernel: &impl Kernel<A::Buffer>,
        index: u32,
        refusal: Refusal,
        now: Moment,
    ) {
        let Some(listener) = self.slots.get_mut(index).map(|slot| slot.listener) else { return };
        let Some(listener) = self.listeners.get(usize::from(listener)) else { return };
        self.notices.refused(&listener.gate, kernel.peer(index), refusal, now);
    }

    /// Makes room: false if every open connection is being answered, or has just been.
    pub(super) fn evict(&mut self, kernel: &mut impl Kernel<A::Buffer>, now: Moment) -> bool {
        let longest = |list| {
            let (index, connection) = self.slots.first_connection(list)?;
            let waited_ms = now.ms.saturating_sub(connection.phase_begun_ms());
            Some((index, waited_ms >= ROOM_GRACE_MS))
        };
        let silent = longest(List::FirstByte).or_else(|| longest(List::Proxy));
        let asking = silent.or_else(|| longest(List::Line));
        // A connection that has just come goes after those that have their answer: else a shard
        // full of these would close each client before its query is there.
        let answered = longest(List::Draining).filter(|(_, is_old)| *is_old);
        let is_asking_first = asking.is_some_and(|(_, is_old)| is_old) || answered.is_none();
        let Some((index, _)) = (if is_asking_first { asking } else { answered }) else {
            return false;
        };
        self.step(kernel, index, Event::Evict, now);
        true
    }
}

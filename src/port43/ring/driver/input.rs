//! What a connection sends: the proxy's header, if one is wanted, and the query line.
//!
//! # Does not
//!
//! Know where a header or a line ends: the connection does.

use super::{Driver, is_retry};
use crate::observe::counters;
use crate::port43::Answering;
use crate::port43::connection::{Action, Event, Phase};
use crate::port43::measure::{Moment, count_source};
use crate::port43::proxy::Source;
use crate::port43::ring::kernel::{Kernel, Op};

impl<A: Answering> Driver<A> {
    pub(super) fn received(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        result: i32,
        now: Moment,
    ) {
        let Ok(fresh_bytes) = usize::try_from(result) else {
            return self.not_received(kernel, index, result, now);
        };
        let Some(slot) = self.slots.get_mut(index) else { return };
        let fresh = u16::try_from(fresh_bytes).unwrap_or(u16::MAX);
        slot.input_bytes = slot.input_bytes.saturating_add(fresh);
        counters::add(&self.figures.counters.received_bytes, u64::from(fresh));
        self.show(kernel, index, fresh_bytes, now);
    }

    /// A receive that failed, or was stopped since the line was late.
    fn not_received(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        result: i32,
        now: Moment,
    ) {
        let connection = self.slots.get_mut(index).and_then(|slot| slot.connection.as_ref());
        let is_late = connection.is_some_and(|of| of.phase() == Phase::Answering);
        match (is_late, is_retry(result) || result == -libc::ECANCELED) {
            (true, true) => self.stopped(kernel, index, now),
            (false, true) if result != -libc::ECANCELED => {
                self.act(kernel, index, Action::Receive, now);
            }
            _ => self.step(kernel, index, Event::Broken, now),
        }
    }

    /// Ends the receive of a connection whose line is late.
    pub(super) fn stop_receiving(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        now: Moment,
    ) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        match slot.waiting_for.filter(|_| slot.pending_count > 0) {
            Some(op) => kernel.cancel(op, index),
            None => self.stopped(kernel, index, now),
        }
    }

    fn stopped(&mut self, kernel: &mut impl Kernel<A::Buffer>, index: u32, now: Moment) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Some(connection) = slot.connection.as_mut() else { return };
        let input = kernel.input(index, usize::from(slot.input_bytes));
        let action = connection.step(Event::Stopped { input }, now.ms);
        self.act(kernel, index, action, now);
    }

    /// Shows the connection its input, of which the last `fresh_bytes` are new.
    fn show(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        fresh_bytes: usize,
        now: Moment,
    ) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Some(connection) = slot.connection.as_mut() else { return };
        let input = kernel.input(index, usize::from(slot.input_bytes));
        let before = connection.phase();
        let action = connection.step(Event::Received { input, fresh_bytes }, now.ms);
        slot.watch.stepped(&self.figures.phases, before, connection.phase(), now);
        self.act(kernel, index, action, now);
    }

    /// Takes the proxy's header off the input, and goes on with what follows it.
    pub(super) fn proxied(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        header_bytes: usize,
        source: Source,
        now: Moment,
    ) {
        count_source(&self.figures.counters, source);
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.source = Some(source);
        let bytes = usize::from(slot.input_bytes);
        kernel.take_input(index, header_bytes, bytes);
        let rest_bytes = bytes.saturating_sub(header_bytes);
        slot.input_bytes = u16::try_from(rest_bytes).unwrap_or(u16::MAX);
        // None of what is shown as fresh: that would be the end of the input.
        match rest_bytes {
            0 => self.receive(kernel, index, now),
            fresh_bytes => self.show(kernel, index, fresh_bytes, now),
        }
    }

    pub(super) fn receive(&mut self, kernel: &mut impl Kernel<A::Buffer>, index: u32, now: Moment) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let from = usize::from(slot.input_bytes);
        if from >= kernel.room(index) && !kernel.lengthen(index) {
            return self.step(kernel, index, Event::Evict, now);
        }
        slot.pending_count = slot.pending_count.saturating_add(1);
        slot.waiting_for = Some(Op::Receive);
        kernel.receive(index, from);
    }
}

//! Answers made, and the buffers that they lie in.
//!
//! # Does not
//!
//! Know what an answer says.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Driver;
use crate::port43::connection::{Action, Event, Phase};
use crate::port43::measure::Moment;
use crate::port43::ring::kernel::Kernel;
use crate::port43::ring::slots::List;
use crate::port43::{Answering, Asked};

impl<A: Answering> Driver<A> {
    pub(super) fn take_buffer(&mut self) -> Option<Box<A::Buffer>> {
        if let Some(buffer) = self.free_buffers.pop() {
            return Some(buffer);
        }
        if self.buffers_made_count >= self.settings.answer_buffers_max {
            return None;
        }
        self.buffers_made_count = self.buffers_made_count.saturating_add(1);
        Some(Box::new(self.answering.buffer()))
    }

    /// Takes the answer of a completed send back; its buffer goes to the query whose turn it is.
    pub(super) fn return_buffer(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        now: Moment,
    ) {
        self.leave_shares(index);
        let Some(buffer) = kernel.take_answer(index) else { return };
        match self.shares.next_waiting() {
            Some(waiting) => self.answer(kernel, waiting, buffer, now),
            None => self.free_buffers.push(buffer),
        }
    }

    pub(super) fn answer(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        mut buffer: Box<A::Buffer>,
        now: Moment,
    ) {
        let has_waited = self.lend_share(index);
        let (peer, slot) = (kernel.peer(index), self.slots.get_mut(index));
        let (Some(peer), Some(slot)) = (peer, slot) else {
            self.free_buffers.push(buffer);
            return self.step(kernel, index, Event::Failed, now);
        };
        let Some(listener) = self.listeners.get(usize::from(slot.listener)) else { return };
        let line = kernel.input(index, usize::from(slot.line_bytes));
        let asked = listener.gate.asked(line, peer, slot.source, slot.watch.since_us());
        let asked = Asked { is_unfinished: slot.is_unfinished, ..asked };
        // A panic here is a bug; it must not take the other connections of the shard with it. The
        // state that it leaves is safe to use: `answer` replaces whatever the buffer holds.
        let answered = catch_unwind(AssertUnwindSafe(|| self.answering.answer(asked, &mut buffer)));
        let Ok(class) = answered else {
            tracing::error!(query = %line.escape_ascii(), "answering panicked");
            self.free_buffers.push(buffer);
            return self.step(kernel, index, Event::Failed, now);
        };
        self.figures.counters.count_answer(class);
        slot.watch.answered(kernel.now_us());
        kernel.forget_input(index);
        let bytes = (*buffer).as_ref().len();
        let Some(connection) = slot.connection.as_mut() else { return };
        let action = connection.step(Event::Answered { bytes }, now.ms);
        slot.watch.stepped(&self.figures.phases, Phase::Answering, connection.phase(), now);
        match action {
            Action::Send { from_bytes } => {
                slot.answered_ms = now.ms;
                let end_ms = connection.phase_end_ms();
                if has_waited || slot.is_unfinished {
                    self.slots.list_by_end(index, List::Writing, end_ms);
                } else {
                    self.slots.list(index, List::Writing);
                }
                self.send(kernel, index, buffer, from_bytes);
            }
            // An empty answer.
            action => {
                self.free_buffers.push(buffer);
                self.act(kernel, index, action, now);
            }
        }
    }

    /// Gives free buffers to the queries that wait for one, and has as many others come back as are
    /// still wanted; called at the end of every turn.
    pub(in super::super) fn serve_waiting(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        now: Moment,
    ) {
        while let Some(waiting) = self.shares.next_waiting() {
            let Some(buffer) = self.take_buffer() else { break };
            self.answer(kernel, waiting, buffer, now);
        }
        self.take_buffers_back(kernel, now);
    }
}

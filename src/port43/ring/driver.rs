//! Carries out what connections ask for, through a [`Kernel`]: completions and the time go in,
//! requests come out.
//!
//! ```text
//! accept ─▶ slot ─▶ receive ─▶ Connection ─▶ answer ─▶ send + look ─▶ close ─▶ free ─▶ accept
//!                      ▲            │ unread input ─▶ drain ──────────▲
//!                      └────────────┘ deadline, eviction ─▶ cancel ───┘
//! ```
//!
//! # Invariants
//!
//! - `whole-slot`: a slot is freed once, after its last operation has completed and its socket's
//!   close was asked for; an accept into it is asked for after that.
//! - `bounded-room`: at most `connections_max` connections are open; when one more comes, the one
//!   that has been silent longest is closed, then the one with the longest unfinished line; if
//!   there is none, the new one.
//! - `buffers-return`: an answer buffer is free, or in a send that is under way.
//! - `fair`: who waits for an answer buffer longest gets the next one.
//!
//! # Does not
//!
//! Read a clock, touch a ring, or know what an answer says.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::super::connection::{Action, Connection, Deadlines, Event, Phase};
use super::super::limits::{ACCEPT_BACKOFF_MS, Settings};
use super::super::{Answering, tally};
use super::kernel::{Completion, Kernel, Op};
use super::slots::{List, Sizes, Slots};
use crate::observe::counters::{self, Counters};

/// One listener's accepts.
#[derive(Clone, Copy, Default)]
struct Accepts {
    under_way_count: u32,
    /// No new ones before this, after one has failed.
    resume_ms: u64,
}

/// All connections of a shard.
pub(super) struct Driver<A: Answering> {
    answering: A,
    pub(super) slots: Slots,
    sizes: Sizes,
    free_buffers: Vec<Box<A::Buffer>>,
    buffers_made_count: u64,
    settings: Settings,
    deadlines: Deadlines,
    counters: Rc<Counters>,
    accepts: Vec<Accepts>,
    stopping: bool,
}

impl<A: Answering> Driver<A> {
    pub(super) fn new(
        answering: A,
        settings: Settings,
        sizes: Sizes,
        listener_count: usize,
        counters: Rc<Counters>,
    ) -> Self {
        Self {
            answering,
            slots: Slots::new(sizes.slots),
            sizes,
            free_buffers: Vec::new(),
            buffers_made_count: 0,
            settings,
            deadlines: Deadlines::from(&settings),
            counters,
            accepts: vec![Accepts::default(); listener_count],
            stopping: false,
        }
    }

    /// Open connections.
    pub(super) fn open_count(&self) -> u64 {
        u64::from(self.slots.count(List::Age))
    }

    /// Accepts under way.
    pub(super) fn accepting_count(&self) -> u32 {
        self.accepts.iter().map(|accepts| accepts.under_way_count).sum()
    }

    /// Slots that are neither free nor accepting: open connections and those being closed.
    #[cfg(test)]
    pub(super) fn busy_count(&self) -> u32 {
        let idle = self.slots.count(List::Free).saturating_add(self.accepting_count());
        self.slots.len().saturating_sub(idle)
    }

    /// Whether every answer buffer has come back.
    #[cfg(test)]
    pub(super) fn buffers_are_free(&self) -> bool {
        self.free_buffers.len() as u64 == self.buffers_made_count
    }

    /// Asks for accepts as far as there are free slots, on every listener alike.
    pub(super) fn refill(&mut self, kernel: &mut impl Kernel<A::Buffer>, now_ms: u64) {
        if self.stopping {
            return;
        }
        for (listener, accepts) in self.accepts.iter_mut().enumerate() {
            while accepts.under_way_count < self.sizes.accepts_per_listener
                && accepts.resume_ms <= now_ms
            {
                let Some(index) = self.slots.take_free() else { return };
                let Some(slot) = self.slots.get_mut(index) else { return };
                slot.accepting = true;
                slot.listener = u8::try_from(listener).unwrap_or(u8::MAX);
                accepts.under_way_count = accepts.under_way_count.saturating_add(1);
                kernel.accept(index, listener);
            }
        }
    }

    /// Takes every accept back; those that complete all the same are served.
    pub(super) fn stop_accepting(&mut self, kernel: &mut impl Kernel<A::Buffer>) {
        self.stopping = true;
        for index in 0..self.slots.len() {
            if self.slots.get_mut(index).is_some_and(|slot| slot.accepting) {
                kernel.cancel_accept(index);
            }
        }
    }

    /// Takes a completion.
    pub(super) fn completed(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        completion: Completion,
        now_ms: u64,
    ) {
        let Completion { op, slot: index, result } = completion;
        if op == Op::Accept {
            return self.accepted(kernel, index, result, now_ms);
        }
        let Some(slot) = self.slots.get_mut(index) else { return };
        if matches!(op, Op::Tick | Op::Quiet) || slot.pending_count == 0 {
            return;
        }
        slot.pending_count = slot.pending_count.saturating_sub(1);
        match op {
            Op::Look => slot.looked = Some(result),
            // A look before the end of the send came too early.
            Op::Send => slot.looked = None,
            _ => slot.waiting_for = None,
        }
        if slot.closing.is_some() {
            return self.finish(kernel, index);
        }
        match op {
            Op::Receive => self.received(kernel, index, result, now_ms),
            Op::Send => self.sent(kernel, index, result, now_ms),
            Op::Drain => self.drained(kernel, index, result, now_ms),
            _ => self.looked(kernel, index, now_ms),
        }
    }

    fn accepted(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        result: i32,
        now_ms: u64,
    ) {
        let Some(slot) = self.slots.get_mut(index).filter(|slot| slot.accepting) else { return };
        slot.accepting = false;
        let listener = usize::from(slot.listener);
        let Some(accepts) = self.accepts.get_mut(listener) else { return };
        accepts.under_way_count = accepts.under_way_count.saturating_sub(1);
        if result < 0 {
            if !self.stopping {
                counters::add(&self.counters.accept_errors, 1);
                accepts.resume_ms = now_ms.saturating_add(ACCEPT_BACKOFF_MS);
                tracing::debug!(error = %error_of(result), "accept failed");
            }
            return self.slots.free(index);
        }
        counters::add(&self.counters.accepted, 1);
        let full = self.open_count() >= u64::from(self.sizes.connections);
        let refused = match kernel.peer(index) {
            Some(_) if full && !self.evict(kernel, now_ms) => Some(&self.counters.over_bound),
            Some(_) => None,
            None => Some(&self.counters.ended_broken),
        };
        if let Some(counter) = refused {
            counters::add(counter, 1);
            kernel.close(index, false);
            return self.slots.free(index);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            slot.connection = Some(Connection::open(self.deadlines, now_ms));
        }
        self.slots.open(index);
        self.act(kernel, index, Action::Receive, now_ms);
    }

    fn received(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        result: i32,
        now_ms: u64,
    ) {
        if is_retry(result) {
            return self.act(kernel, index, Action::Receive, now_ms);
        }
        let Ok(fresh_bytes) = usize::try_from(result) else {
            return self.step(kernel, index, Event::Broken, now_ms);
        };
        let Some(slot) = self.slots.get_mut(index) else { return };
        let fresh = u16::try_from(fresh_bytes).unwrap_or(u16::MAX);
        slot.input_bytes = slot.input_bytes.saturating_add(fresh);
        counters::add(&self.counters.received_bytes, u64::from(fresh));
        let Some(connection) = slot.connection.as_mut() else { return };
        let input = kernel.input(index, usize::from(slot.input_bytes));
        let action = connection.step(Event::Received { input, fresh_bytes }, now_ms);
        self.act(kernel, index, action, now_ms);
    }

    fn sent(&mut self, kernel: &mut impl Kernel<A::Buffer>, index: u32, result: i32, now_ms: u64) {
        let event = match usize::try_from(result) {
            Ok(bytes) => {
                counters::add(&self.counters.sent_bytes, bytes as u64);
                Event::Sent { bytes }
            }
            Err(_) if is_retry(result) => Event::Sent { bytes: 0 },
            Err(_) => Event::Broken,
        };
        self.step(kernel, index, event, now_ms);
    }

    /// The look after the last send has come, or the send after which it is wanted.
    fn looked(&mut self, kernel: &mut impl Kernel<A::Buffer>, index: u32, now_ms: u64) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let phase = slot.connection.as_ref().map(Connection::phase);
        if phase != Some(Phase::Looking) || slot.pending_count > 0 {
            return;
        }
        let Some(result) = slot.looked.take() else {
            // Nobody has looked since the last byte was sent.
            slot.pending_count = slot.pending_count.saturating_add(1);
            return kernel.look(index);
        };
        let event = match result {
            bytes if bytes >= 0 => Event::Looked { unread: bytes > 0 },
            error if is_retry(error) || error == -libc::ECANCELED => {
                Event::Looked { unread: false }
            }
            _ => Event::Broken,
        };
        self.step(kernel, index, event, now_ms);
    }

    fn drained(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        result: i32,
        now_ms: u64,
    ) {
        let event = match usize::try_from(result) {
            Ok(bytes) => {
                counters::add(&self.counters.received_bytes, bytes as u64);
                Event::Drained { bytes }
            }
            Err(_) if is_retry(result) => {
                return self.act(kernel, index, Action::Drain, now_ms);
            }
            Err(_) => Event::Broken,
        };
        self.step(kernel, index, event, now_ms);
    }

    pub(super) fn step(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        event: Event<'_>,
        now_ms: u64,
    ) {
        let connection = self.slots.get_mut(index).and_then(|slot| slot.connection.as_mut());
        if let Some(connection) = connection {
            let action = connection.step(event, now_ms);
            self.act(kernel, index, action, now_ms);
        }
    }

    /// Carries an action out, and those that it leads to at once.
    fn act(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        action: Action,
        now_ms: u64,
    ) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let phase = slot.connection.as_ref().map_or(Phase::Closed, Connection::phase);
        if let Some(list) = List::of(phase) {
            self.slots.list(index, list);
        }
        match action {
            Action::Receive => self.receive(kernel, index, now_ms),
            Action::Answer { line } => {
                if let Some(slot) = self.slots.get_mut(index) {
                    slot.line_bytes = u16::try_from(line.end).unwrap_or(u16::MAX);
                }
                if self.slots.first(List::Answering) == Some(index)
                    && let Some(buffer) = self.take_buffer()
                {
                    return self.answer(kernel, index, buffer, now_ms);
                }
                counters::add(&self.counters.waited_for_buffer, 1);
            }
            Action::Send { from_bytes } => {
                if let Some(answer) = kernel.take_answer(index) {
                    self.send(kernel, index, answer, from_bytes);
                }
            }
            Action::Look => {
                self.return_buffer(kernel, index, now_ms);
                self.looked(kernel, index, now_ms);
            }
            Action::Drain => {
                let Some(slot) = self.slots.get_mut(index) else { return };
                let shutdown = !std::mem::replace(&mut slot.shut_down, true);
                slot.pending_count = slot.pending_count.saturating_add(1);
                slot.waiting_for = Some(Op::Drain);
                kernel.drain(index, shutdown);
            }
            Action::Close { ending, reset } => {
                tally::ending(&self.counters, ending);
                self.slots.end(index);
                let Some(slot) = self.slots.get_mut(index) else { return };
                slot.closing = Some(reset);
                if let Some(op) = slot.waiting_for.filter(|_| slot.pending_count > 0) {
                    kernel.cancel(op, index);
                }
                self.finish(kernel, index);
            }
        }
    }

    fn receive(&mut self, kernel: &mut impl Kernel<A::Buffer>, index: u32, now_ms: u64) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let from = usize::from(slot.input_bytes);
        if from >= kernel.room(index) && !kernel.lengthen(index) {
            return self.step(kernel, index, Event::Evict, now_ms);
        }
        slot.pending_count = slot.pending_count.saturating_add(1);
        slot.waiting_for = Some(Op::Receive);
        kernel.receive(index, from);
    }

    fn take_buffer(&mut self) -> Option<Box<A::Buffer>> {
        if let Some(buffer) = self.free_buffers.pop() {
            return Some(buffer);
        }
        if self.buffers_made_count >= self.settings.answer_buffers_max {
            return None;
        }
        self.buffers_made_count = self.buffers_made_count.saturating_add(1);
        Some(Box::new(self.answering.buffer()))
    }

    /// Takes the answer of a completed send back, and gives its buffer to who waits longest.
    fn return_buffer(&mut self, kernel: &mut impl Kernel<A::Buffer>, index: u32, now_ms: u64) {
        let Some(buffer) = kernel.take_answer(index) else { return };
        match self.slots.first(List::Answering) {
            Some(waiting) => self.answer(kernel, waiting, buffer, now_ms),
            None => self.free_buffers.push(buffer),
        }
    }

    fn answer(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        mut buffer: Box<A::Buffer>,
        now_ms: u64,
    ) {
        let (Some(peer), Some(slot)) = (kernel.peer(index), self.slots.get_mut(index)) else {
            self.free_buffers.push(buffer);
            return self.step(kernel, index, Event::Failed, now_ms);
        };
        let line = kernel.input(index, usize::from(slot.line_bytes));
        // A panic here is a bug; it must not take the other connections of the shard with it.
        // What it leaves behind is safe to use: `answer` replaces whatever the buffer holds.
        let answered =
            catch_unwind(AssertUnwindSafe(|| self.answering.answer(line, peer, &mut buffer)));
        let Ok(class) = answered else {
            tracing::error!(query = %line.escape_ascii(), "answering panicked");
            self.free_buffers.push(buffer);
            return self.step(kernel, index, Event::Failed, now_ms);
        };
        tally::answer(&self.counters, class);
        kernel.forget_input(index);
        let bytes = (*buffer).as_ref().len();
        let Some(connection) = slot.connection.as_mut() else { return };
        match connection.step(Event::Answered { bytes }, now_ms) {
            Action::Send { from_bytes } => {
                slot.answered_ms = now_ms;
                self.slots.list(index, List::Writing);
                self.send(kernel, index, buffer, from_bytes);
            }
            // An empty answer.
            action => {
                self.free_buffers.push(buffer);
                self.act(kernel, index, action, now_ms);
            }
        }
    }

    fn send(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        answer: Box<A::Buffer>,
        from_bytes: usize,
    ) {
        if let Some(slot) = self.slots.get_mut(index) {
            // The send, and the look behind it.
            slot.pending_count = slot.pending_count.saturating_add(2);
            slot.waiting_for = Some(Op::Send);
        }
        kernel.send(index, answer, from_bytes);
    }

    /// Closes the socket of a closing connection and frees its slot, once nothing is pending.
    fn finish(&mut self, kernel: &mut impl Kernel<A::Buffer>, index: u32) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Some(reset) = slot.closing.filter(|_| slot.pending_count == 0) else { return };
        let answer = kernel.take_answer(index);
        kernel.forget_input(index);
        kernel.close(index, reset);
        self.slots.free(index);
        // Whoever waits for it is served by `serve_waiting`: a close may come from anywhere.
        self.free_buffers.extend(answer);
    }

    /// Gives free buffers to those who wait for one; called at the end of every turn.
    pub(super) fn serve_waiting(&mut self, kernel: &mut impl Kernel<A::Buffer>, now_ms: u64) {
        while let Some(waiting) = self.slots.first(List::Answering) {
            let Some(buffer) = self.take_buffer() else { return };
            self.answer(kernel, waiting, buffer, now_ms);
        }
    }
}

/// Whether an operation only has to be asked for again.
const fn is_retry(result: i32) -> bool {
    result == -libc::EAGAIN || result == -libc::EINTR
}

fn error_of(result: i32) -> std::io::Error {
    std::io::Error::from_raw_os_error(result.saturating_neg())
}

//! Carries out what connections ask for, through a [`Kernel`]: completions and the time go in,
//! requests come out.
//!
//! ```text
//! accept ─▶ slot ─▶ receive ─▶ Connection ─▶ answer ─▶ send + look ─▶ close ─▶ free ─▶ accept
//!                      ▲            │ unread input ─▶ drain ──────────▲
//!                      └────────────┘ deadline, eviction ─▶ cancel ───┘
//!              deadline of the line ─▶ cancel ─▶ answer: a refusal
//! ```
//!
//! # Invariants
//!
//! - `whole-slot`: a slot is freed once, after its last operation has completed and its socket's
//!   close was asked for; an accept into it is asked for after that.
//! - `bounded-room`: at most `connections_max` connections are open; when one more comes, the one
//!   that has been silent longest is closed, then the one that has waited longest for its proxy's
//!   header, then the one with the longest unfinished line, then the one that has had its answer
//!   longest and does not close, if not just now; if there is none, the new one. A connection that
//!   has just come goes after those that have had their answer.
//! - `buffers-return`: an answer buffer is free, or in a send that is under way.
//! - `fair`: the next answer buffer goes to the query whose source holds fewest of those whose
//!   answers are not taken, and among equals to the one that has waited longest (`Shares`).
//!
//! # Does not
//!
//! Touch a ring, or know what an answer says. It takes the time once a turn, and asks the kernel
//! for it where an answer ends.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod accept;
mod answer;
mod input;
mod room;

use std::sync::Arc;

use super::kernel::{Completion, Kernel, Op};
use super::slots::{List, Sizes, Slots};
use crate::observe::{ShardFigures, counters};
use crate::port43::Answering;
use crate::port43::connection::{Action, Connection, Deadlines, Ending, Event, Phase};
use crate::port43::gate::{Gate, Notices};
use crate::port43::limits::{EXPIRIES_PER_TURN, Settings};
use crate::port43::measure::{Moment, count_ending};
use crate::port43::shares::Shares;

/// The lists whose heads may expire.
const EXPIRING: [List; 7] = [
    List::Proxy,
    List::FirstByte,
    List::Line,
    List::Answering,
    List::Writing,
    List::Draining,
    List::Age, // Last: a phase's own deadline names the client's fault.
];

/// One listener and its accepts.
struct Listener {
    gate: Gate,
    under_way_count: u32,
    /// No new ones before this, after one has failed.
    resume_ms: u64,
}

/// All connections of a shard.
pub(super) struct Driver<A: Answering> {
    answering: A,
    slots: Slots,
    sizes: Sizes,
    free_buffers: Vec<Box<A::Buffer>>,
    buffers_made_count: u64,
    settings: Settings,
    deadlines: Deadlines,
    figures: Arc<ShardFigures>,
    listeners: Vec<Listener>,
    notices: Notices,
    /// The slots that wait for an answer buffer, and those that hold one and do not take the
    /// answer.
    shares: Shares,
    /// Connections being closed so that their answer buffers come free.
    cut_count: u32,
    stopping: bool,
}

impl<A: Answering> Driver<A> {
    pub(super) fn new(
        answering: A,
        settings: Settings,
        sizes: Sizes,
        gates: Vec<Gate>,
        figures: Arc<ShardFigures>,
        key: u64,
    ) -> Self {
        let listener = |gate| Listener { gate, under_way_count: 0, resume_ms: 0 };
        Self {
            answering,
            slots: Slots::new(sizes.slots),
            sizes,
            free_buffers: Vec::new(),
            buffers_made_count: 0,
            settings,
            deadlines: Deadlines::from(&settings),
            figures,
            listeners: gates.into_iter().map(listener).collect(),
            notices: Notices::default(),
            shares: Shares::new(sizes.slots, key),
            cut_count: 0,
            stopping: false,
        }
    }

    /// Notes how much of everything is in use: the figures between two turns.
    pub(super) fn note_levels(&self) {
        let figures = &self.figures.engine;
        figures.connections_open.set(self.open_count());
        figures.buffers_made.set(self.buffers_made_count);
        let in_use = self.buffers_made_count.saturating_sub(self.free_buffers.len() as u64);
        figures.buffers_free.set(self.settings.answer_buffers_max.saturating_sub(in_use));
    }

    /// Open connections.
    pub(super) fn open_count(&self) -> u64 {
        u64::from(self.slots.count(List::Age))
    }

    /// Accepts under way.
    pub(super) fn accepting_count(&self) -> u32 {
        self.listeners.iter().map(|listener| listener.under_way_count).sum()
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

    /// Takes a completion.
    pub(super) fn completed(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        completion: Completion,
        now: Moment,
    ) {
        let Completion { op, slot: index, result } = completion;
        if op == Op::Accept {
            return self.accepted(kernel, index, result, now);
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
            Op::Receive => self.received(kernel, index, result, now),
            Op::Send => self.sent(kernel, index, result, now),
            Op::Drain => self.drained(kernel, index, result, now),
            _ => self.looked(kernel, index, now),
        }
    }

    /// Cuts what had expired at `heard_ms`, a bounded number of them: what came before that moment
    /// is known.
    pub(super) fn expire(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        heard_ms: u64,
        now: Moment,
    ) {
        let mut left = EXPIRIES_PER_TURN;
        for list in EXPIRING {
            while left > 0 {
                let Some((index, connection)) = self.slots.first_connection(list) else { break };
                let end_ms = match list {
                    List::Age => connection.total_end_ms(),
                    _ => connection.phase_end_ms(),
                };
                if heard_ms.min(now.ms) < end_ms {
                    break;
                }
                left = left.saturating_sub(1);
                self.step(kernel, index, Event::Tick, now);
            }
        }
        self.note_unread(kernel, now);
    }

    fn sent(&mut self, kernel: &mut impl Kernel<A::Buffer>, index: u32, result: i32, now: Moment) {
        let event = match usize::try_from(result) {
            Ok(bytes) => {
                counters::add(&self.figures.counters.sent_bytes, bytes as u64);
                Event::Sent { bytes }
            }
            Err(_) if is_retry(result) => Event::Sent { bytes: 0 },
            Err(_) => Event::Broken,
        };
        self.step(kernel, index, event, now);
    }

    /// The look after the last send has come, or the send after which it is wanted.
    fn looked(&mut self, kernel: &mut impl Kernel<A::Buffer>, index: u32, now: Moment) {
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
        self.step(kernel, index, event, now);
    }

    fn drained(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        result: i32,
        now: Moment,
    ) {
        let event = match usize::try_from(result) {
            Ok(bytes) => {
                counters::add(&self.figures.counters.received_bytes, bytes as u64);
                Event::Drained { bytes }
            }
            Err(_) if is_retry(result) => {
                return self.act(kernel, index, Action::Drain, now);
            }
            Err(_) => Event::Broken,
        };
        self.step(kernel, index, event, now);
    }

    fn step(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        event: Event<'_>,
        now: Moment,
    ) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Some(connection) = slot.connection.as_mut() else { return };
        let before = connection.phase();
        let action = connection.step(event, now.ms);
        slot.watch.stepped(&self.figures.phases, before, connection.phase(), now);
        self.act(kernel, index, action, now);
    }

    /// Carries an action out, and those that it leads to at once.
    fn act(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        action: Action,
        now: Moment,
    ) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let phase = slot.connection.as_ref().map_or(Phase::Closed, Connection::phase);
        if let Some(list) = List::of(phase) {
            self.slots.list(index, list);
        }
        match action {
            Action::Receive => self.receive(kernel, index, now),
            Action::Proxied { header_bytes, source } => {
                self.proxied(kernel, index, header_bytes, source, now);
            }
            Action::Stop => self.stop_receiving(kernel, index, now),
            Action::Answer { line, ended } => {
                if let Some(slot) = self.slots.get_mut(index) {
                    slot.line_bytes = u16::try_from(line.end).unwrap_or(u16::MAX);
                    slot.is_unfinished = !ended;
                }
                if self.shares.waiting_count() == 0
                    && let Some(buffer) = self.take_buffer()
                {
                    return self.answer(kernel, index, buffer, now);
                }
                self.wait_for_buffer(kernel, index);
            }
            Action::Send { from_bytes } => {
                // The kernel has not taken all of it at once.
                self.hold_buffer(kernel, index);
                if let Some(answer) = kernel.take_answer(index) {
                    self.send(kernel, index, answer, from_bytes);
                }
            }
            Action::Look => {
                self.return_buffer(kernel, index, now);
                self.looked(kernel, index, now);
            }
            Action::Drain => {
                let Some(slot) = self.slots.get_mut(index) else { return };
                let shutdown = !std::mem::replace(&mut slot.shut_down, true);
                slot.pending_count = slot.pending_count.saturating_add(1);
                slot.waiting_for = Some(Op::Drain);
                kernel.drain(index, shutdown);
            }
            Action::Rest => {}
            Action::Close { ending, reset } => {
                self.close_shares(index);
                count_ending(&self.figures.counters, ending);
                if let Ending::Unproxied(refusal) = ending {
                    self.note_refusal(kernel, index, refusal, now);
                }
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

    fn send(
        &mut self,
        kernel: &mut impl Kernel<A::Buffer>,
        index: u32,
        answer: Box<A::Buffer>,
        from_bytes: usize,
    ) {
        if let Some(slot) = self.slots.get_mut(index) {
            // The send, and the look after it.
            slot.pending_count = slot.pending_count.saturating_add(2);
            slot.waiting_for = Some(Op::Send);
        }
        kernel.send(index, answer, from_bytes);
    }

    /// Closes the socket of a closing connection and frees its slot, once nothing is pending.
    fn finish(&mut self, kernel: &mut impl Kernel<A::Buffer>, index: u32) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Some(reset) = slot.closing.filter(|_| slot.pending_count == 0) else { return };
        self.cut_count = self.cut_count.saturating_sub(u32::from(slot.is_cut));
        self.leave_shares(index);
        let answer = kernel.take_answer(index);
        kernel.forget_input(index);
        kernel.close(index, reset);
        self.slots.free(index);
        // `serve_waiting` serves the slot that waits for it: a close may come from anywhere.
        self.free_buffers.extend(answer);
    }
}

/// Whether an operation only has to be asked for again.
const fn is_retry(result: i32) -> bool {
    result == -libc::EAGAIN || result == -libc::EINTR
}

fn error_of(result: i32) -> std::io::Error {
    std::io::Error::from_raw_os_error(result.saturating_neg())
}

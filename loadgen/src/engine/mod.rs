//! One core of the generator: starts each query when it is due, carries it out on the core's ring,
//! checks the answer, counts.
//!
//! # Invariants
//!
//! - `open-loop`: due times come from the schedule alone. A query that finds no free slot waits
//!   with its due time kept; its latency counts from there, and it counts as late.
//! - `one-end`: every query that fell due is counted once, as an answer or as one error.
//!
//! # Does not
//!
//! Share anything with another core but the clock, the names and the stop flag.

mod error;
mod exchange;
mod session;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

pub use error::EngineError;
pub use exchange::{Ending, Exchange, Step};

use crate::check::Checker;
use crate::clock::Clock;
use crate::http::{Fault, Speech};
use crate::protocol::{self, Protocol};
use crate::proxy::{self, Proxy};
use crate::ring::{Completion, Ring};
use crate::schedule::Due;
use crate::stats::{CoreSecond, Stats};
use crate::workload::{Manner, Request, Workload};

/// Longest sleep in the ring, nanoseconds: deadlines and the stop flag are looked at after it.
const SLEEP_NS_MAX: u64 = 5_000_000;
/// How long exchanges under way may go on once the run is ended early, nanoseconds.
const STOP_NS: u64 = 1_000_000_000;
/// The error of those that had not ended by then.
const INTERRUPTED: &str = "interrupted";
/// The error of a request that does not fit the ring's memory.
const TOO_LONG: Fault = "request-too-long";
/// Queries started between two turns of the ring, so that each is sent soon, even in a backlog.
const STARTS_PER_TURN: u32 = 64;

/// What one core does.
pub struct Plan {
    /// Where queries go, in turn.
    pub targets: Vec<SocketAddr>,
    /// Where they come from, in turn; empty: as the kernel chooses.
    pub sources: Vec<SocketAddr>,
    /// What is spoken.
    pub protocol: Protocol,
    /// How HTTP is spoken, if it is.
    pub speech: Option<Speech>,
    /// What HTTP asks for; see [`crate::protocol::path`].
    pub http_path: String,
    /// Whether answers of WHOIS and HTTP are looked at.
    pub checked: bool,
    /// Header before each query.
    pub proxy: Option<Proxy>,
    /// Connections at a time.
    pub slots: u32,
    /// No query is due after this, nanoseconds from the start.
    pub end_ns: u64,
    /// What is due before this does not count.
    pub warm_up_ns: u64,
    /// From when on a start is late, nanoseconds.
    pub late_after_ns: u64,
    /// How long an exchange may take from its start, nanoseconds.
    pub timeout_ns: u64,
    /// Ends the run early.
    pub stop: Arc<AtomicBool>,
}

/// A connection that is open, or could be.
#[derive(Default)]
struct Slot {
    request: Request,
    exchange: Exchange,
    /// Places of the target and the source in their lists.
    target: usize,
    source: Option<usize>,
    /// What HTTP says on it.
    talk: Option<session::Talk>,
}

/// A core at work.
pub struct Core {
    plan: Plan,
    clock: Clock,
    ring: Ring,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Kept connections that wait for a query, the one that has waited longest first.
    idle: VecDeque<u32>,
    /// Connections to be opened again for a query that the server did not take.
    stale: VecDeque<u32>,
    /// Busy slots by start, with the start that makes an entry current.
    started: VecDeque<(u64, u32)>,
    /// Bytes that slow clients send later.
    later: BinaryHeap<Reverse<(u64, u32, usize)>>,
    workload: Workload,
    checker: Checker,
    stats: Stats,
    second: CoreSecond,
    seconds: Sender<CoreSecond>,
    turn: usize,
    bytes: Vec<u8>,
    path: String,
    /// When the run was ended early.
    stopped_ns: Option<u64>,
}

impl Core {
    /// A core with its ring; must be made on the thread that runs it.
    ///
    /// # Errors
    ///
    /// If the kernel refuses the ring; the message says what it needs.
    pub fn new(
        plan: Plan,
        clock: Clock,
        workload: Workload,
        checker: Checker,
        seconds: Sender<CoreSecond>,
    ) -> Result<Self, EngineError> {
        let ring = Ring::new(plan.slots, &plan.targets, &plan.sources)
            .map_err(|source| EngineError::Ring { connections: plan.slots, source })?;
        Ok(Self {
            clock,
            ring,
            slots: (0..plan.slots).map(|_| Slot::default()).collect(),
            free: (0..plan.slots).rev().collect(),
            idle: VecDeque::new(),
            stale: VecDeque::new(),
            started: VecDeque::new(),
            later: BinaryHeap::new(),
            workload,
            checker,
            stats: Stats::default(),
            second: CoreSecond::new(0),
            seconds,
            turn: 0,
            bytes: Vec::new(),
            path: String::new(),
            stopped_ns: None,
            plan,
        })
    }

    /// Runs the schedule to its end and waits for what is under way.
    ///
    /// # Errors
    ///
    /// If the kernel no longer turns the ring.
    pub fn run(mut self, due: Due) -> Result<(Stats, Checker), EngineError> {
        let mut due = due.peekable();
        let mut completions = Vec::new();
        let mut start_count = 0;
        std::thread::sleep(std::time::Duration::from_nanos(self.clock.until_start_ns()));
        loop {
            let now_ns = self.clock.now_ns();
            let stopped = self.plan.stop.load(Ordering::Relaxed);
            if stopped {
                self.stopped_ns.get_or_insert(now_ns);
            }
            let next = due.peek().copied().filter(|due| *due < self.plan.end_ns && !stopped);
            match next {
                Some(_) if now_ns > self.plan.end_ns + self.plan.timeout_ns => {
                    self.give_up(&mut due);
                    continue;
                }
                _ if !self.stale.is_empty() && self.ring.has_room() => {
                    self.reopen(now_ns);
                    continue;
                }
                Some(due_ns) if due_ns <= now_ns && self.may_start(start_count) => {
                    start_count += 1;
                    let _ = due.next();
                    self.start(due_ns, now_ns);
                    continue;
                }
                None if self.free.len() + self.idle.len() == self.slots.len() => break,
                _ => {}
            }
            self.send_later(now_ns);
            self.expire(now_ns);
            self.close_seconds(now_ns);
            let wait_ns = self.wait_ns(next, now_ns);
            completions.clear();
            start_count = 0;
            self.ring.turn(wait_ns, &mut completions).map_err(EngineError::Turn)?;
            let now_ns = self.clock.now_ns();
            for completion in &completions {
                self.completed(*completion, now_ns);
            }
        }
        let last = std::mem::replace(&mut self.second, CoreSecond::new(0));
        let _ = self.seconds.send(last);
        Ok((self.stats, self.checker))
    }

    /// Whether there is a slot, and room in the ring, for one more after `start_count` in this
    /// turn.
    fn may_start(&mut self, start_count: u32) -> bool {
        start_count < STARTS_PER_TURN && self.has_slot() && self.ring.has_room()
    }

    fn has_slot(&self) -> bool {
        !self.free.is_empty() || !self.idle.is_empty()
    }

    /// Counts what is due and cannot be started any more.
    fn give_up(&mut self, due: &mut std::iter::Peekable<Due>) {
        while let Some(due_ns) = due.next_if(|due_ns| *due_ns < self.plan.end_ns) {
            if due_ns >= self.plan.warm_up_ns {
                self.stats.due_count += 1;
                self.stats.late_count += 1;
                self.stats.fail("not-sent");
            }
        }
    }

    /// How long the ring may sleep: until something is due, and never long.
    fn wait_ns(&self, next: Option<u64>, now_ns: u64) -> u64 {
        let next = next.filter(|_| self.has_slot()).unwrap_or(u64::MAX);
        let later = self.later.peek().map_or(u64::MAX, |Reverse((due_ns, ..))| *due_ns);
        next.min(later).saturating_sub(now_ns).min(SLEEP_NS_MAX)
    }

    fn start(&mut self, due_ns: u64, now_ns: u64) {
        // As many connections as there may be are opened before one is used again.
        let index = self.free.pop().or_else(|| self.idle.pop_front());
        let Some(index) = index else { return };
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        self.workload.next(&mut slot.request);
        self.started.push_back((now_ns, index));
        if due_ns >= self.plan.warm_up_ns {
            self.stats.due_count += 1;
            self.stats.sent_count += 1;
            self.second.due_count += 1;
            self.stats.late_count += u64::from(now_ns - due_ns > self.plan.late_after_ns);
        }
        let begun = if slot.talk.is_some() {
            self.ask_again(index, due_ns, now_ns)
        } else {
            let pick = |list: &[SocketAddr]| self.turn.checked_rem(list.len());
            slot.target = pick(&self.plan.targets).unwrap_or(0);
            slot.source = pick(&self.plan.sources);
            self.turn = self.turn.wrapping_add(1);
            self.connect(index, due_ns, now_ns)
        };
        if let Err(fault) = begun {
            self.fail(index, fault, now_ns);
        }
    }

    /// Opens a slot's connection and sends its request.
    fn connect(&mut self, index: u32, due_ns: u64, now_ns: u64) -> Result<(), Fault> {
        let Some(slot) = self.slots.get_mut(index as usize) else { return Ok(()) };
        let (target, source, plan) = (slot.target, slot.source, &self.plan);
        let ending = plan.protocol.ending();
        slot.exchange = Exchange::start(due_ns, now_ns, 0, None, ending);
        self.bytes.clear();
        if let Some(proxy) = plan.proxy
            && let Some(to) = plan.targets.get(target)
        {
            let from = source.and_then(|source| plan.sources.get(source)).unwrap_or(to);
            proxy::header(proxy, *from, *to, &mut self.bytes);
        }
        if let Some(speech) = &plan.speech {
            let line = &slot.request.bytes;
            session::path_of(line, &plan.http_path, &mut self.path);
            let talk = session::Talk::begin(speech, &self.path, &mut self.bytes)?;
            slot.talk = Some(talk);
            self.stats.connections.opened_count += 1;
        } else {
            plan.protocol.request(&slot.request.bytes, &mut self.bytes);
        }
        let (gap, send_bytes) = match slot.request.manner {
            Manner::Usual => (None, self.bytes.len()),
            Manner::Slow { gap_us } => (Some(u64::from(gap_us) * 1_000), 0),
            Manner::Silent => (None, 0),
        };
        slot.exchange = Exchange::start(due_ns, now_ns, self.bytes.len(), gap, ending);
        if self.ring.start(index, target, source, &self.bytes, send_bytes) {
            Ok(())
        } else {
            Err(TOO_LONG)
        }
    }

    /// Ends an exchange of which nothing is under way.
    fn fail(&mut self, index: u32, fault: Fault, now_ns: u64) {
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.exchange.fail(fault);
            self.ended(index, now_ns);
        }
    }

    fn completed(&mut self, completion: Completion, now_ns: u64) {
        let Completion { op, slot: index, result, pending_count } = completion;
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        if slot.talk.is_some() {
            let step = self.session_step(completion, now_ns);
            return self.act(index, step, now_ns);
        }
        let prefix = if self.plan.protocol.ending() == Ending::Length && pending_count == 0 {
            self.ring.answer(index, 2)
        } else {
            &[]
        };
        let step = slot.exchange.step(op, result, pending_count, prefix, now_ns);
        self.act(index, step, now_ns);
    }

    fn act(&mut self, index: u32, step: Step, now_ns: u64) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        match step {
            Step::Wait => {}
            // A session has taken what was there.
            Step::Receive if slot.talk.is_some() => self.ring.receive(index, 0),
            Step::Receive => self.ring.receive(index, slot.exchange.answer_bytes),
            Step::Say => {
                if let Err(fault) = self.say(index) {
                    self.fail(index, fault, now_ns);
                }
            }
            Step::SendByte { at, due_ns } => self.later.push(Reverse((due_ns, index, at))),
            Step::Cancel => self.ring.cancel(index),
            Step::Ended => self.ended(index, now_ns),
        }
    }

    fn ended(&mut self, index: u32, now_ns: u64) {
        if self.is_stale(index) {
            return self.stale.push_back(index);
        }
        let Some(slot) = self.slots.get(index as usize) else { return };
        let Exchange { due_ns, started_ns, connected_ns, first_ns, answer_bytes, failure, .. } =
            slot.exchange;
        let in_time = (self.plan.warm_up_ns..self.plan.end_ns).contains(&now_ns);
        if due_ns < self.plan.warm_up_ns {
            self.stats.in_time_count += u64::from(in_time && failure.is_none());
            return self.release(index);
        }
        let request = &slot.request;
        let kind = match request.manner {
            Manner::Usual => request.kind.name(),
            Manner::Slow { .. } => "slow client",
            Manner::Silent => "silent client",
        };
        let is_usual = matches!(request.manner, Manner::Usual);
        let is_silent = matches!(request.manner, Manner::Silent);
        let is_reused = slot.talk.as_ref().is_some_and(session::Talk::is_reused);
        // A server may close connections of clients that keep it waiting, or wait for longer.
        let is_unasked = slot.exchange.ended_unasked();
        let failure = match failure {
            Some("timeout") if self.stopped_ns.is_some_and(|at_ns| at_ns + STOP_NS <= now_ns) => {
                Some(INTERRUPTED)
            }
            None | Some("cut-short") if is_silent => None,
            _ if is_unasked => None,
            None if answer_bytes == 0 => Some("cut-short"),
            None if self.plan.checked => self.checked(index, answer_bytes),
            failure => failure,
        };
        self.release(index);
        self.stats.received_bytes += answer_bytes as u64;
        if let Some(kind) = failure {
            self.stats.fail(kind);
            self.second.error_count += 1;
            return;
        }
        self.stats.answered_count += 1;
        self.stats.in_time_count += u64::from(in_time);
        self.second.answered_count += 1;
        let latency_ns = now_ns - due_ns;
        self.stats.kind_mut(kind).record(latency_ns);
        // A client's deliberate delay is not the server's latency.
        if is_usual {
            self.second.latency.record(latency_ns);
            self.stats.latency.record(latency_ns);
            self.stats.service.record(now_ns - started_ns);
            if !is_reused {
                self.stats.connect.record(connected_ns.saturating_sub(started_ns));
            }
            self.stats.first_byte.record(first_ns.saturating_sub(connected_ns));
            self.stats.last_byte.record(now_ns.saturating_sub(first_ns));
        }
    }

    /// What is wrong with an answer.
    fn checked(&mut self, index: u32, answer_bytes: usize) -> Option<Fault> {
        let slot = self.slots.get(index as usize)?;
        if self.plan.protocol == Protocol::Whois {
            let answer = self.ring.answer(index, answer_bytes);
            return self.checker.check(&slot.request, answer).err();
        }
        let Some(answer) = slot.talk.as_ref()?.answer() else { return Some("cut-short") };
        let is_asked = protocol::is_asked(&self.plan.http_path);
        self.checker.check_http(&slot.request, is_asked, answer).err()
    }

    fn send_later(&mut self, now_ns: u64) {
        while let Some(Reverse((due_ns, index, at))) = self.later.peek().copied() {
            if due_ns > now_ns {
                return;
            }
            let _ = self.later.pop();
            // An exchange that has ended meanwhile has nothing under way.
            if self.ring.pending_count(index) > 0 {
                self.ring.send(index, at, at + 1);
            }
        }
    }

    fn expire(&mut self, now_ns: u64) {
        let stopped = self.stopped_ns.is_some_and(|at_ns| at_ns + STOP_NS <= now_ns);
        while let Some((started_ns, index)) = self.started.front().copied() {
            if !stopped && started_ns + self.plan.timeout_ns > now_ns {
                return;
            }
            let _ = self.started.pop_front();
            let Some(slot) = self.slots.get_mut(index as usize) else { continue };
            let current = slot.exchange.started_ns == started_ns;
            if current && self.ring.pending_count(index) > 0 {
                slot.exchange.expire();
                self.ring.cancel(index);
            }
        }
    }

    /// Hands over the second that is past.
    fn close_seconds(&mut self, now_ns: u64) {
        let at_s = now_ns / 1_000_000_000;
        if at_s > self.second.at_s {
            let past = std::mem::replace(&mut self.second, CoreSecond::new(at_s));
            // The receiver is gone only if the run has failed elsewhere.
            let _ = self.seconds.send(past);
        }
    }
}

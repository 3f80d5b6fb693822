//! HTTP on the connections of a core: what is said on them, and which are used again.
//!
//! # Invariants
//!
//! - A kept connection that the server has closed meanwhile costs no query: it is opened again,
//!   once, and the query is sent there (RFC 9112 section 9.3.1). Its latency counts as ever from
//!   the due time.
//!
//! # Does not
//!
//! Read HTTP: [`crate::http`] does.

use super::{Core, Exchange, Step, TOO_LONG};
use crate::http::{Answer, Fault, Session, Speech};
use crate::protocol;
use crate::ring::{Completion, Op, REQUEST_BYTES_MAX};

/// What is said on a connection.
#[derive(Debug)]
pub(super) struct Talk {
    session: Session,
    /// Bytes received that it has not taken: the request is still being sent.
    unheard_bytes: usize,
    /// Whether its handshake is in the figures.
    is_counted: bool,
    /// Queries before the present one.
    earlier_count: u64,
}

/// Puts the path of `line` into `path`.
pub(super) fn path_of(line: &[u8], template: &str, path: &mut String) {
    path.clear();
    protocol::path(line, template, path);
}

impl Talk {
    /// A new connection's, with what it sends first.
    pub(super) fn begin(speech: &Speech, path: &str, out: &mut Vec<u8>) -> Result<Self, Fault> {
        let mut session = Session::open(speech)?;
        session.ask(speech, path)?;
        session.output(out)?;
        Ok(Self { session, unheard_bytes: 0, is_counted: false, earlier_count: 0 })
    }

    pub(super) fn answer(&self) -> Option<Answer<'_>> {
        self.session.answer()
    }

    /// Whether an earlier query was answered on it.
    pub(super) const fn is_reused(&self) -> bool {
        self.earlier_count > 0
    }
}

impl Core {
    /// Asks on a connection that was kept.
    pub(super) fn ask_again(&mut self, index: u32, due_ns: u64, now_ns: u64) -> Result<(), Fault> {
        let Some(slot) = self.slots.get_mut(index as usize) else { return Ok(()) };
        slot.exchange = Exchange::start(due_ns, now_ns, 0, None, self.plan.protocol.ending());
        slot.exchange.connected_ns = now_ns;
        let (Some(speech), Some(talk)) = (&self.plan.speech, &mut slot.talk) else { return Ok(()) };
        path_of(&slot.request.bytes, &self.plan.http_path, &mut self.path);
        talk.session.ask(speech, &self.path)?;
        self.say(index)
    }

    /// Sends what a session has to say, and receives.
    pub(super) fn say(&mut self, index: u32) -> Result<(), Fault> {
        let Some(slot) = self.slots.get_mut(index as usize) else { return Ok(()) };
        let Some(talk) = &mut slot.talk else { return Ok(()) };
        self.bytes.clear();
        talk.session.output(&mut self.bytes)?;
        if self.bytes.is_empty() {
            self.ring.receive(index, 0);
        } else if self.bytes.len() > REQUEST_BYTES_MAX || !self.ring.ask(index, &self.bytes) {
            return Err(TOO_LONG);
        }
        Ok(())
    }

    /// What follows from a completion.
    pub(super) fn session_step(&mut self, completion: Completion, now_ns: u64) -> Step {
        let Completion { op, slot: index, result, pending_count } = completion;
        let Some(slot) = self.slots.get_mut(index as usize) else { return Step::Wait };
        let Some(talk) = &mut slot.talk else { return Step::Wait };
        match (op, usize::try_from(result)) {
            (Op::Receive, Ok(0)) => {
                return slot.exchange.close(talk.session.closed(), pending_count);
            }
            (Op::Receive, Ok(bytes)) => {
                talk.unheard_bytes = bytes;
                slot.exchange.count_received(bytes, now_ns);
            }
            (Op::Send, Ok(_)) if talk.unheard_bytes > 0 => {}
            _ => return slot.exchange.step(op, result, pending_count, &[], now_ns),
        }
        if pending_count > 0 {
            return Step::Wait;
        }
        let bytes = std::mem::take(&mut talk.unheard_bytes);
        let was_handshaking = talk.session.is_handshaking();
        let heard = talk.session.take(self.ring.answer(index, bytes));
        if was_handshaking {
            slot.exchange.shake_hands(now_ns);
        }
        if !talk.is_counted
            && let Some(is_resumed) = talk.session.is_resumed()
        {
            talk.is_counted = true;
            let connections = &mut self.stats.connections;
            connections.resumed_count += u64::from(is_resumed);
            connections.full_handshake_count += u64::from(!is_resumed);
        }
        slot.exchange.hear(heard)
    }

    /// Whether the server had closed a kept connection before the query came.
    pub(super) fn is_stale(&self, index: u32) -> bool {
        let Some(slot) = self.slots.get(index as usize) else { return false };
        let Some(talk) = &slot.talk else { return false };
        let is_closed = matches!(slot.exchange.failure, Some("reset" | "cut-short"));
        is_closed && talk.is_reused() && !talk.session.has_begun()
    }

    /// Sends the query of a stale connection over a new one.
    pub(super) fn reopen(&mut self, now_ns: u64) {
        let Some(index) = self.stale.pop_front() else { return };
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        slot.talk = None;
        let Exchange { due_ns, started_ns, .. } = slot.exchange;
        self.stats.connections.reopened_count += 1;
        self.ring.close(index);
        if let Err(fault) = self.connect(index, due_ns, started_ns) {
            self.fail(index, fault, now_ns);
        }
    }

    /// Keeps a connection for the next query if that can be, or closes it.
    pub(super) fn release(&mut self, index: u32) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        match &mut slot.talk {
            Some(talk) if slot.exchange.failure.is_none() && talk.session.is_reusable() => {
                talk.earlier_count += 1;
                self.idle.push_back(index);
            }
            _ => {
                slot.talk = None;
                self.ring.close(index);
                self.free.push(index);
            }
        }
    }
}

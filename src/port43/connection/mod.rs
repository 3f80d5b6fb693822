//! One connection as a state machine without I/O: (state, event, now) to (state, action).
//!
//! ```text
//!            Receive            Answer             Send               Look
//! open ──▶ FirstByte ──▶ Line ────────▶ Answering ──────▶ Writing ──────────▶ Looking ──▶ closed
//!              │           │                │                │  all sent         │
//!              ▼           ▼                ▼                ▼                   ▼ unread input
//!            closed (deadline, end of input, broken)      closed             Draining ──▶ closed
//! ```
//!
//! A line ends with LF, CR LF, CR NUL (RFC 854), a CR alone, or the end of the input, whatever
//! comes first. A CR that ends what was received ends the line at once: the LF or NUL that may
//! still come is dropped with everything else after the line. A line that is not ended by its
//! deadline is refused: receiving is stopped (`Stop`), and then an answer is made as for any line.
//!
//! Behind a proxy there is one phase before: `open ──▶ Proxy ──▶ FirstByte`, in which the header of
//! the PROXY protocol is received.
//!
//! # Invariants
//!
//! - `one-line`: [`Action::Answer`] comes at most once.
//! - `whole-answer`: a close that may make the kernel send a reset (unread input) comes only after
//!   the client has closed, a deadline or a byte bound has passed, or another connection needs the
//!   room.
//! - `closed-is-last`: after [`Action::Close`] every event gives the same close again.
//!
//! # Does not
//!
//! Read a clock, hold a buffer, or know what an answer says. The driver owns the input bytes and
//! shows them with each event.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::ops::Range;

use super::limits::{DRAIN_BYTES_MAX, INPUT_BYTES, QUERY_LINE_BYTES_MAX, Settings};
use super::proxy::{self, Expected, Refusal, Source, Step};

/// The deadlines of the phases, in milliseconds from the start of each.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// From opening to the end of the proxy's header, where one is wanted.
    pub proxy_ms: u64,
    /// From opening, or the end of the proxy's header, to the first byte.
    pub first_byte_ms: u64,
    /// From the first byte to the line end.
    pub line_ms: u64,
    /// From the line end to the last byte sent.
    pub write_ms: u64,
    /// From the last byte sent to the client's close.
    pub drain_ms: u64,
    /// From opening to the end, whatever the phases take.
    pub total_ms: u64,
}

impl From<&Settings> for Deadlines {
    fn from(settings: &Settings) -> Self {
        Self {
            proxy_ms: settings.proxy_ms,
            first_byte_ms: settings.first_byte_ms,
            line_ms: settings.line_ms,
            write_ms: settings.write_ms,
            drain_ms: settings.drain_ms,
            total_ms: settings.total_ms,
        }
    }
}

/// Where a connection stands; later phases compare greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Open, the header of the proxy not yet received whole.
    Proxy,
    /// Open, nothing of the query received.
    FirstByte,
    /// Part of the line received.
    Line,
    /// The line is complete, or refused since it was not in time; its answer is not yet made (an
    /// answer buffer may be awaited).
    Answering,
    /// The answer is being sent.
    Writing,
    /// Everything is sent; the driver looks for unread input.
    Looking,
    /// Sending is shut down; input is read and dropped until the client closes.
    Draining,
    /// Done.
    Closed,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A read returned. `input` is everything received so far, its last `fresh_bytes` are new;
    /// none means that the client has shut down its side.
    Received {
        /// All bytes of the proxy's header or of the line so far, at most [`INPUT_BYTES`].
        input: &'a [u8],
        /// How many of them this read brought.
        fresh_bytes: usize,
    },
    /// The result of [`Action::Stop`]: nothing is being received any more.
    Stopped {
        /// All bytes of the line so far.
        input: &'a [u8],
    },
    /// The answer is made and `bytes` long.
    Answered {
        /// Length of the answer.
        bytes: usize,
    },
    /// The answer could not be made.
    Failed,
    /// The kernel took `bytes` of the answer.
    Sent {
        /// How many.
        bytes: usize,
    },
    /// The driver looked whether the socket holds unread input (or an unread reset).
    Looked {
        /// Whether it does.
        unread: bool,
    },
    /// `bytes` were read and dropped; none means that the client has closed.
    Drained {
        /// How many.
        bytes: usize,
    },
    /// The socket failed: reset by the peer, unreachable, ...
    Broken,
    /// Time has passed; nothing else happened.
    Tick,
    /// The room is needed for another connection.
    Evict,
}

/// What the driver does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read more input after what is there.
    Receive,
    /// Note which client the connection is from, and take `header_bytes` off the front of the
    /// input. The rest is the query's: to be shown as received, or more to be read if it is
    /// nothing.
    Proxied {
        /// Length of the proxy's header.
        header_bytes: usize,
        /// What it says.
        source: Source,
    },
    /// End the receive that is under way; show what it brings, or that it was stopped.
    Stop,
    /// Make the answer to `input[line]`.
    Answer {
        /// The line without its end.
        line: Range<usize>,
        /// Whether its end came in time; a refusal is due if not.
        ended: bool,
    },
    /// Send the answer from this byte on.
    Send {
        /// Bytes sent already.
        from_bytes: usize,
    },
    /// Look for unread input without waiting.
    Look,
    /// Shut down sending if that was not done, then read and drop input.
    Drain,
    /// Read no more, and wait for the deadline: enough was dropped. A close now would make the
    /// kernel send a reset, which may overtake the answer at the client.
    Rest,
    /// Close the socket, with a reset if what is not yet delivered shall be thrown away.
    Close {
        /// Why it ended.
        ending: Ending,
        /// Whether undelivered bytes are thrown away, so that the kernel does not keep them.
        reset: bool,
    },
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The whole answer was handed to the kernel and nothing was left unread.
    Served,
    /// The client closed before it sent anything.
    Silent,
    /// The bytes in place of the proxy's header are not taken.
    Unproxied(Refusal),
    /// A deadline passed in this phase.
    Expired(Phase),
    /// The socket failed in this phase.
    Broken(Phase),
    /// More input after the line than is read and dropped.
    Flooded,
    /// Closed to make room for another one, in this phase.
    Evicted(Phase),
    /// The answer could not be made: a bug, counted and logged.
    Failed,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Connection {
    phase: Phase,
    /// Which header is wanted first.
    expected: Option<Expected>,
    deadlines: Deadlines,
    /// Of the present phase.
    phase_end_ms: u64,
    /// Of the whole connection.
    total_end_ms: u64,
    /// Bytes sent while writing, bytes dropped while draining.
    done_bytes: usize,
    answer_bytes: usize,
    /// More than the line was received, or the answer did not go out at once.
    careful: bool,
    /// The deadline of the line passed before its end came.
    is_late: bool,
    /// More was sent after the line than is read.
    is_flooded: bool,
    ending: Ending,
}

impl Connection {
    /// A connection opened at `now_ms`; its first action is [`Action::Receive`].
    #[must_use]
    pub fn open(deadlines: Deadlines, now_ms: u64) -> Self {
        Self {
            phase: Phase::FirstByte,
            expected: None,
            deadlines,
            phase_end_ms: now_ms.saturating_add(deadlines.first_byte_ms),
            total_end_ms: now_ms.saturating_add(deadlines.total_ms),
            done_bytes: 0,
            answer_bytes: 0,
            careful: false,
            is_late: false,
            is_flooded: false,
            ending: Ending::Silent,
        }
    }

    /// A connection that begins with the header of a proxy.
    #[must_use]
    pub fn open_behind_proxy(deadlines: Deadlines, expected: Expected, now_ms: u64) -> Self {
        Self {
            phase: Phase::Proxy,
            expected: Some(expected),
            phase_end_ms: now_ms.saturating_add(deadlines.proxy_ms),
            ..Self::open(deadlines, now_ms)
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// When the present phase expires, in the same milliseconds as `now_ms`. It may go on longer
    /// than the connection may.
    #[must_use]
    pub fn phase_end_ms(&self) -> u64 {
        self.phase_end_ms
    }

    /// When the present phase began. Answering, writing and looking are one in this.
    #[must_use]
    pub fn phase_begun_ms(&self) -> u64 {
        let length_ms = match self.phase {
            Phase::Proxy => self.deadlines.proxy_ms,
            Phase::FirstByte => self.deadlines.first_byte_ms,
            Phase::Line => self.deadlines.line_ms,
            Phase::Answering | Phase::Writing | Phase::Looking => self.deadlines.write_ms,
            Phase::Draining => self.deadlines.drain_ms,
            Phase::Closed => 0,
        };
        self.phase_end_ms.saturating_sub(length_ms)
    }

    /// When the connection expires, whatever its phase.
    #[must_use]
    pub fn total_end_ms(&self) -> u64 {
        self.total_end_ms
    }

    /// When the connection is cut if nothing happens.
    #[must_use]
    pub fn deadline_ms(&self) -> u64 {
        self.phase_end_ms.min(self.total_end_ms)
    }

    /// Takes an event and says what to do next.
    ///
    /// An event that does not belong to the phase (a driver's bug) closes the connection as
    /// broken; it never panics.
    #[must_use]
    pub fn step(&mut self, event: Event<'_>, now_ms: u64) -> Action {
        match (self.phase, event) {
            (Phase::Closed, _) => self.closed(false),
            (phase, Event::Broken) => self.close(Ending::Broken(phase), false),
            // The rest of its answer, which a client has not read, is of no use to it any more.
            (phase, Event::Evict) => self.close(Ending::Evicted(phase), phase == Phase::Writing),
            (_, Event::Tick) => self.tick(now_ms),
            (Phase::Proxy, Event::Received { input, fresh_bytes }) => {
                self.header(input, fresh_bytes, now_ms)
            }
            (Phase::FirstByte | Phase::Line, Event::Received { input, fresh_bytes }) => {
                self.received(input, fresh_bytes, now_ms)
            }
            (Phase::Answering, Event::Received { input, fresh_bytes }) if self.is_late => {
                self.received_late(input, fresh_bytes, now_ms)
            }
            (Phase::Answering, Event::Stopped { input }) if self.is_late => self.refuse(input),
            (Phase::Answering, Event::Answered { bytes }) => {
                self.phase = Phase::Writing;
                self.answer_bytes = bytes;
                self.sent(0)
            }
            (Phase::Answering, Event::Failed) => self.close(Ending::Failed, false),
            (Phase::Writing, Event::Sent { bytes }) => {
                if bytes < self.answer_bytes {
                    self.careful = true;
                }
                self.sent(bytes)
            }
            (Phase::Looking, Event::Looked { unread }) => self.looked(unread, now_ms),
            (Phase::Draining, Event::Drained { bytes }) => self.drained(bytes),
            (phase, _) => self.close(Ending::Broken(phase), true),
        }
    }

    /// More of the proxy's header. It is read again with each byte: it is short, and comes in one
    /// piece from every honest proxy.
    fn header(&mut self, input: &[u8], fresh_bytes: usize, now_ms: u64) -> Action {
        match proxy::parse_as(input, self.expected.unwrap_or(Expected::Either)) {
            Step::Header { bytes, source } => {
                self.phase = Phase::FirstByte;
                self.phase_end_ms = now_ms.saturating_add(self.deadlines.first_byte_ms);
                Action::Proxied { header_bytes: bytes, source }
            }
            Step::More if fresh_bytes > 0 => Action::Receive,
            // A balancer that only looks whether the port is open.
            Step::More if input.is_empty() => self.close(Ending::Silent, false),
            Step::More => self.close(Ending::Unproxied(Refusal::CutOff), false),
            Step::Refused(refusal) => self.close(Ending::Unproxied(refusal), false),
        }
    }

    fn received(&mut self, input: &[u8], fresh_bytes: usize, now_ms: u64) -> Action {
        if fresh_bytes == 0 {
            // End of input ends a line too, but nobody asked anything in an empty one.
            return match input.len() {
                0 => self.close(Ending::Silent, false),
                bytes => self.complete(input, bytes.min(INPUT_BYTES), now_ms),
            };
        }
        if let Some(line_bytes) = self.line_bytes(input, fresh_bytes) {
            return self.complete(input, line_bytes, now_ms);
        }
        if self.phase == Phase::FirstByte {
            self.phase = Phase::Line;
            self.phase_end_ms = now_ms.saturating_add(self.deadlines.line_ms);
        }
        Action::Receive
    }

    /// Where the line ends, if it does; notes whether more than it was received, or may still come.
    fn line_bytes(&mut self, input: &[u8], fresh_bytes: usize) -> Option<usize> {
        // Everything before the fresh bytes was searched when it arrived.
        let seen_bytes = input.len().saturating_sub(fresh_bytes);
        let fresh = input.get(seen_bytes..).unwrap_or_default();
        if let Some(index) = memchr::memchr2(b'\n', b'\r', fresh) {
            let (end, behind) = fresh.get(index..)?.split_first()?;
            // The rest of the line's end, if there is one, and nothing else.
            let is_whole = matches!((*end, behind), (b'\n', []) | (b'\r', [b'\n' | 0]));
            self.careful = !is_whole;
            return Some(seen_bytes.saturating_add(index));
        }
        self.careful = input.len() >= INPUT_BYTES;
        self.careful.then_some(input.len())
    }

    /// The line is `input[..line_bytes]`.
    fn complete(&mut self, input: &[u8], line_bytes: usize, now_ms: u64) -> Action {
        // One that was late is in this phase already.
        if self.phase != Phase::Answering {
            self.phase = Phase::Answering;
            self.phase_end_ms = now_ms.saturating_add(self.deadlines.write_ms);
        }
        answer(input, line_bytes, true)
    }

    /// The deadline of the line has passed: a refusal is due, once nothing is received any more. It
    /// has the time of an answer; the deadline of the whole connection stays what it is.
    fn stop(&mut self, now_ms: u64) -> Action {
        self.is_late = true;
        self.phase = Phase::Answering;
        self.phase_end_ms = now_ms.saturating_add(self.deadlines.write_ms);
        Action::Stop
    }

    /// The bytes that the last receive brought before it was stopped: the end of the line, perhaps,
    /// which then counts.
    fn received_late(&mut self, input: &[u8], fresh_bytes: usize, now_ms: u64) -> Action {
        let line_bytes = match fresh_bytes {
            0 => Some(input.len()),
            _ => self.line_bytes(input, fresh_bytes),
        };
        let Some(line_bytes) = line_bytes else { return self.refuse(input) };
        self.is_late = false;
        self.complete(input, line_bytes, now_ms)
    }

    fn refuse(&self, input: &[u8]) -> Action {
        answer(input, input.len(), false)
    }

    fn sent(&mut self, bytes: usize) -> Action {
        self.done_bytes = self.done_bytes.saturating_add(bytes);
        if self.done_bytes < self.answer_bytes {
            return Action::Send { from_bytes: self.done_bytes };
        }
        self.phase = Phase::Looking;
        Action::Look
    }

    fn looked(&mut self, unread: bool, now_ms: u64) -> Action {
        if !unread && !self.careful {
            return self.close(Ending::Served, false);
        }
        self.phase = Phase::Draining;
        self.done_bytes = 0;
        self.phase_end_ms = now_ms.saturating_add(self.deadlines.drain_ms);
        Action::Drain
    }

    fn drained(&mut self, bytes: usize) -> Action {
        if bytes == 0 {
            return self.close(Ending::Served, false);
        }
        self.done_bytes = self.done_bytes.saturating_add(bytes);
        self.is_flooded = self.done_bytes > DRAIN_BYTES_MAX;
        if self.is_flooded { Action::Rest } else { Action::Drain }
    }

    fn tick(&mut self, now_ms: u64) -> Action {
        if now_ms >= self.deadline_ms() {
            if self.phase == Phase::Line && now_ms < self.total_end_ms {
                return self.stop(now_ms);
            }
            if self.is_flooded {
                return self.close(Ending::Flooded, true);
            }
            // A client that does not read would leave its answer in the kernel's memory.
            return self.close(Ending::Expired(self.phase), self.phase == Phase::Writing);
        }
        match self.phase {
            Phase::Proxy | Phase::FirstByte | Phase::Line => Action::Receive,
            Phase::Writing => Action::Send { from_bytes: self.done_bytes },
            Phase::Looking => Action::Look,
            Phase::Draining if self.is_flooded => Action::Rest,
            Phase::Draining => Action::Drain,
            // The driver still holds the line of the answer that it is making.
            Phase::Answering => self.close(Ending::Broken(Phase::Answering), true),
            Phase::Closed => self.closed(false),
        }
    }

    fn close(&mut self, ending: Ending, reset: bool) -> Action {
        self.phase = Phase::Closed;
        self.phase_end_ms = u64::MAX;
        self.total_end_ms = u64::MAX;
        self.ending = match ending {
            // The refusal is out, whatever was sent after the line.
            Ending::Served | Ending::Expired(Phase::Looking | Phase::Draining) if self.is_late => {
                Ending::Expired(Phase::Line)
            }
            ending => ending,
        };
        self.closed(reset)
    }

    fn closed(&self, reset: bool) -> Action {
        Action::Close { ending: self.ending, reset }
    }
}

/// The answer to the first `line_bytes` of the input, which may be too long.
fn answer(input: &[u8], line_bytes: usize, ended: bool) -> Action {
    let line_bytes = line_bytes.min(input.len()).min(QUERY_LINE_BYTES_MAX.saturating_add(1));
    Action::Answer { line: 0..line_bytes, ended }
}

#[cfg(test)]
mod tests;

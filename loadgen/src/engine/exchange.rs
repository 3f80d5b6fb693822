//! One query's way over its connection, as a state machine without I/O: (state, event, now) to
//! (state, step).
//!
//! ```text
//! start ─▶ connecting ─▶ asking ─▶ reading ─▶ ended
//!              │ slow clients: one byte, a gap, one byte ...  ▲
//!              └──── failure, deadline ─▶ ending ─────────────┘  (until nothing is under way)
//! ```
//!
//! # Invariants
//!
//! - An exchange ends once, after its last operation has completed.
//!
//! # Does not
//!
//! Check answers, or count.

use crate::http::{Fault, Heard};
use crate::ring::Op;

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With the connection (WHOIS).
    Close,
    /// After the bytes that its first two bytes count (DNS over TCP).
    Length,
    /// Where a session says ([`Exchange::hear`]; HTTP).
    Session,
}

/// What the driver does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing; something else is under way.
    Wait,
    /// Receive after what is there.
    Receive,
    /// Send what the session has to say, and receive.
    Say,
    /// Send this byte, when its time has come.
    SendByte {
        /// Its place in the request.
        at: usize,
        /// When, nanoseconds.
        due_ns: u64,
    },
    /// End what is under way.
    Cancel,
    /// It is over.
    Ended,
}

/// One exchange.
#[derive(Debug, Clone, Copy, Default)]
pub struct Exchange {
    /// When the query was due, nanoseconds from the start.
    pub due_ns: u64,
    /// When connecting began.
    pub started_ns: u64,
    /// When it was connected; 0 before.
    pub connected_ns: u64,
    /// When the first byte of the answer came; 0 before.
    pub first_ns: u64,
    /// Bytes of the answer.
    pub answer_bytes: usize,
    /// What went wrong.
    pub failure: Option<&'static str>,
    /// Whether the answer has ended.
    pub complete: bool,
    /// Next byte of a slow client; with its gap.
    slow: Option<(usize, u64)>,
    request_bytes: usize,
    sent_bytes: usize,
    length_prefixed: bool,
}

impl Exchange {
    /// Begins at `now_ns`. `slow_gap_ns` is the gap between two bytes of a slow client.
    #[must_use]
    pub fn start(
        due_ns: u64,
        now_ns: u64,
        request_bytes: usize,
        slow_gap_ns: Option<u64>,
        ending: Ending,
    ) -> Self {
        Self {
            due_ns,
            started_ns: now_ns,
            request_bytes,
            slow: slow_gap_ns.map(|gap| (0, gap)),
            length_prefixed: ending == Ending::Length,
            ..Self::default()
        }
    }

    /// Takes a completion. `prefix` is the start of the answer, where it is needed and to be had.
    pub fn step(
        &mut self,
        op: Op,
        result: i32,
        pending_count: u8,
        prefix: &[u8],
        now_ns: u64,
    ) -> Step {
        if op == Op::Send {
            self.sent_bytes += usize::try_from(result).unwrap_or_default();
        }
        match op {
            _ if result < 0 => self.fail(failure_of(op, result)),
            Op::Connect => {
                self.connected_ns = now_ns;
                if let Some((0, _)) = self.slow
                    && self.failure.is_none()
                {
                    return self.slow_byte(now_ns);
                }
            }
            // A client that has its answer, or waits for none, sends no more.
            Op::Send if self.slow.is_some() && !self.complete && self.failure.is_none() => {
                return self.slow_byte(now_ns);
            }
            Op::Send | Op::Setup | Op::Quiet => {}
            Op::Receive => return self.received(result, pending_count, prefix, now_ns),
        }
        self.over(pending_count)
    }

    /// Whether a slow client came to its end before it had asked: the server closed, as it may, or
    /// the time for the whole exchange was over, as it is before a request of HTTP is sent byte by
    /// byte.
    #[must_use]
    pub fn ended_unasked(&self) -> bool {
        let is_ended = matches!(self.failure, None | Some("reset" | "cut-short" | "timeout"));
        is_ended && self.slow.is_some() && self.sent_bytes < self.request_bytes
    }

    /// Bytes came that a session has not taken yet.
    pub fn count_received(&mut self, bytes: usize, now_ns: u64) {
        if self.first_ns == 0 {
            self.first_ns = now_ns;
        }
        self.answer_bytes = self.answer_bytes.saturating_add(bytes);
    }

    /// What came belonged to the opening of TLS: that is part of connecting.
    pub const fn shake_hands(&mut self, now_ns: u64) {
        self.connected_ns = now_ns;
        self.first_ns = 0;
    }

    /// Takes what a session made of bytes; nothing is under way.
    pub fn hear(&mut self, heard: Result<Heard, Fault>) -> Step {
        match heard {
            _ if self.failure.is_some() => {}
            Err(kind) => self.fail(kind),
            Ok(Heard::Answered) => self.complete = true,
            Ok(Heard::Say) => return Step::Say,
            Ok(Heard::More) => return Step::Receive,
        }
        Step::Ended
    }

    /// The server ended the connection; `said` is what the session says to that.
    pub fn close(&mut self, said: Result<(), Fault>, pending_count: u8) -> Step {
        match said {
            Ok(()) => self.complete = true,
            Err(kind) => self.fail(kind),
        }
        self.over(pending_count)
    }

    /// The time for the whole exchange is over.
    pub fn expire(&mut self) -> Step {
        self.fail("timeout");
        Step::Cancel
    }

    fn received(&mut self, result: i32, pending: u8, prefix: &[u8], now_ns: u64) -> Step {
        let bytes = usize::try_from(result).unwrap_or_default();
        if bytes == 0 {
            if self.length_prefixed {
                self.fail("cut-short");
            }
            self.complete = true;
            return self.over(pending);
        }
        self.count_received(bytes, now_ns);
        if self.length_prefixed
            && let [high, low, ..] = prefix
            && self.answer_bytes >= usize::from(u16::from_be_bytes([*high, *low])) + 2
        {
            self.complete = true;
            return self.over(pending);
        }
        if self.failure.is_some() { self.over(pending) } else { Step::Receive }
    }

    fn slow_byte(&mut self, now_ns: u64) -> Step {
        let Some((at, gap_ns)) = self.slow else { return Step::Wait };
        if at >= self.request_bytes {
            return Step::Wait;
        }
        self.slow = Some((at + 1, gap_ns));
        Step::SendByte { at, due_ns: if at == 0 { now_ns } else { now_ns + gap_ns } }
    }

    pub(super) fn fail(&mut self, kind: &'static str) {
        // A cancellation is the consequence of something earlier.
        if self.failure.is_none() && !self.complete {
            self.failure = Some(kind);
        }
    }

    fn over(&self, pending_count: u8) -> Step {
        match (pending_count, self.complete || self.failure.is_some()) {
            (0, _) => Step::Ended,
            (_, true) => Step::Cancel,
            (_, false) => Step::Wait,
        }
    }
}

/// The name of a failure, as results have it.
fn failure_of(op: Op, result: i32) -> &'static str {
    match -result {
        libc::ECONNREFUSED => "connect-refused",
        libc::ECONNRESET | libc::EPIPE => "reset",
        libc::ETIMEDOUT => "timeout",
        libc::EADDRNOTAVAIL | libc::EADDRINUSE => "no-source-port",
        libc::EMFILE | libc::ENFILE => "no-descriptor",
        libc::ECANCELED => "cancelled",
        _ if matches!(op, Op::Setup | Op::Connect) => "connect-failed",
        _ => "broken",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_with_the_connection_and_its_phases_are_kept_apart() {
        let mut exchange = Exchange::start(5, 10, 9, None, Ending::Close);
        assert_eq!(exchange.step(Op::Connect, 0, 2, &[], 20), Step::Wait);
        assert_eq!(exchange.step(Op::Send, 9, 1, &[], 20), Step::Wait);
        assert_eq!(exchange.step(Op::Receive, 100, 0, &[], 30), Step::Receive);
        assert_eq!(exchange.step(Op::Receive, 50, 0, &[], 35), Step::Receive);
        assert_eq!(exchange.step(Op::Receive, 0, 0, &[], 40), Step::Ended);
        assert_eq!(
            (exchange.connected_ns, exchange.first_ns, exchange.answer_bytes),
            (20, 30, 150)
        );
        assert!(exchange.complete && exchange.failure.is_none());
    }

    #[test]
    fn a_length_says_where_an_answer_ends() {
        let mut exchange = Exchange::start(0, 0, 9, None, Ending::Length);
        let _ = exchange.step(Op::Connect, 0, 2, &[], 1);
        let _ = exchange.step(Op::Send, 9, 1, &[], 1);
        assert_eq!(exchange.step(Op::Receive, 5, 0, &[0, 10, 1, 1, 1], 2), Step::Receive);
        assert_eq!(exchange.step(Op::Receive, 7, 0, &[0, 10], 3), Step::Ended);
        assert!(exchange.failure.is_none());
    }

    #[test]
    fn the_first_failure_counts_and_the_rest_is_waited_for() {
        let mut exchange = Exchange::start(0, 0, 9, None, Ending::Close);
        assert_eq!(exchange.step(Op::Connect, -libc::ECONNREFUSED, 2, &[], 1), Step::Cancel);
        assert_eq!(exchange.step(Op::Send, -libc::ECANCELED, 1, &[], 1), Step::Cancel);
        assert_eq!(exchange.step(Op::Receive, -libc::ECANCELED, 0, &[], 1), Step::Ended);
        assert_eq!(exchange.failure, Some("connect-refused"));
    }

    #[test]
    fn a_slow_client_sends_byte_by_byte() {
        let mut exchange = Exchange::start(0, 0, 2, Some(100), Ending::Close);
        let first = exchange.step(Op::Connect, 0, 1, &[], 50);
        assert_eq!(first, Step::SendByte { at: 0, due_ns: 50 });
        let second = exchange.step(Op::Send, 1, 1, &[], 60);
        assert_eq!(second, Step::SendByte { at: 1, due_ns: 160 });
        assert_eq!(exchange.step(Op::Send, 1, 1, &[], 170), Step::Wait);
    }

    #[test]
    fn a_slow_client_that_has_not_asked_in_time_is_no_failure_and_one_that_has_is() {
        for (bytes, is_unasked) in [(2, true), (1, false)] {
            let mut exchange = Exchange::start(0, 0, bytes, Some(1_000), Ending::Close);
            let _ = exchange.step(Op::Connect, 0, 1, &[], 5);
            let _ = exchange.step(Op::Send, 1, 1, &[], 10);
            assert_eq!(exchange.expire(), Step::Cancel);
            assert_eq!(exchange.step(Op::Receive, -libc::ECANCELED, 0, &[], 20), Step::Ended);
            assert_eq!((exchange.failure, exchange.ended_unasked()), (Some("timeout"), is_unasked));
        }
    }

    #[test]
    fn a_slow_client_that_is_answered_early_ends() {
        let mut exchange = Exchange::start(0, 0, 2, Some(100), Ending::Close);
        let _ = exchange.step(Op::Connect, 0, 1, &[], 50);
        assert_eq!(exchange.step(Op::Receive, 0, 1, &[], 60), Step::Cancel);
        assert_eq!(exchange.step(Op::Send, 1, 0, &[], 61), Step::Ended);
        assert!(exchange.ended_unasked());
        let _ = exchange.step(Op::Send, 1, 0, &[], 61);
        assert!(!exchange.ended_unasked());
    }

    #[test]
    fn a_session_says_where_an_answer_ends_and_its_handshake_is_part_of_connecting() {
        let mut exchange = Exchange::start(0, 10, 9, None, Ending::Session);
        let _ = exchange.step(Op::Connect, 0, 2, &[], 20);
        let _ = exchange.step(Op::Send, 9, 1, &[], 20);
        exchange.count_received(100, 30);
        exchange.shake_hands(30);
        assert_eq!(exchange.hear(Ok(Heard::Say)), Step::Say);
        exchange.count_received(50, 40);
        assert_eq!(exchange.hear(Ok(Heard::More)), Step::Receive);
        exchange.count_received(50, 50);
        assert_eq!(exchange.hear(Ok(Heard::Answered)), Step::Ended);
        assert!(exchange.complete && exchange.failure.is_none());
        let Exchange { connected_ns, first_ns, answer_bytes, .. } = exchange;
        assert_eq!((connected_ns, first_ns, answer_bytes), (30, 40, 200));
    }

    #[test]
    fn a_session_whose_connection_ends_early_fails() {
        let mut exchange = Exchange::start(0, 10, 9, None, Ending::Session);
        assert_eq!(exchange.close(Err("cut-short"), 1), Step::Cancel);
        assert_eq!(exchange.step(Op::Send, -libc::ECANCELED, 0, &[], 20), Step::Ended);
        assert_eq!(exchange.failure, Some("cut-short"));
        let mut whole = Exchange::start(0, 10, 9, None, Ending::Session);
        assert_eq!(whole.close(Ok(()), 0), Step::Ended);
        assert!(whole.complete && whole.failure.is_none());
    }

    #[test]
    fn an_expired_exchange_is_cancelled_and_ends_as_a_timeout() {
        let mut exchange = Exchange::start(0, 0, 2, None, Ending::Close);
        let _ = exchange.step(Op::Connect, 0, 2, &[], 1);
        let _ = exchange.step(Op::Send, 2, 1, &[], 1);
        assert_eq!(exchange.expire(), Step::Cancel);
        assert_eq!(exchange.step(Op::Receive, -libc::ECANCELED, 0, &[], 9), Step::Ended);
        assert_eq!(exchange.failure, Some("timeout"));
    }
}

//! How a connection ended, and what counts it.
//!
//! # Invariants
//!
//! - `accounted`: every connection that was accepted is counted once as ended, whatever ended it;
//!   those that a stop cuts are in its log line.

use whoisd::observe::counters::Counters;

/// Which connection was closed for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// No byte had come.
    Silent,
    /// A head had begun, or a handshake.
    Line,
    /// It was kept open between two requests.
    Draining,
    /// Its client did not read.
    Writing,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// In order, after an answer.
    Served,
    /// By the client, before it had asked.
    Silent,
    /// By the client or the network, after that.
    Broken,
    /// No byte came in time.
    FirstByte,
    /// A head did not end in time.
    Head,
    /// The client did not read in time.
    Write,
    /// It was to end, and the client did not end it in time.
    Drain,
    /// The handshake of TLS failed, or was not over in time.
    Handshake,
    HandshakeLate,
    /// It made room for others.
    Evicted(Eviction),
}

impl End {
    /// Counts it.
    pub(crate) fn count(self, counters: &Counters) {
        let counter = match self {
            Self::Served => &counters.ended_served,
            Self::Silent => &counters.ended_silent,
            Self::Broken => &counters.ended_broken,
            Self::FirstByte => &counters.expired_first_byte,
            Self::Head => &counters.expired_line,
            Self::Write => &counters.expired_write,
            Self::Drain => &counters.expired_drain,
            Self::Handshake => &counters.ended_handshake,
            Self::HandshakeLate => &counters.expired_handshake,
            Self::Evicted(Eviction::Silent) => &counters.evicted_silent,
            Self::Evicted(Eviction::Line) => &counters.evicted_line,
            Self::Evicted(Eviction::Draining) => &counters.evicted_draining,
            Self::Evicted(Eviction::Writing) => &counters.evicted_writing,
        };
        counter.add(1);
    }
}

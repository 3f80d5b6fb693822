//! Every bound of the connection engine, with its unit and its reason.
//!
//! # Invariants
//!
//! - Each default lies within its bounds (checked when this file is compiled).
//!
//! # Does not
//!
//! Read configuration: `config` fills [`Settings`] and names the key of a value out of bounds.

/// Longest query line in bytes, without its line end. RFC 3912 gives no limit; the longest legal
/// query is a keyword and a name of 253 characters, typed in Unicode at up to four bytes each.
pub const QUERY_LINE_BYTES_MAX: usize = 1024;

/// CR and LF.
pub const LINE_END_BYTES_MAX: usize = 2;

/// What one connection may hold of its client's input: a line and its end.
pub const INPUT_BYTES: usize = QUERY_LINE_BYTES_MAX + LINE_END_BYTES_MAX;

/// How many bytes after the query line are read and dropped before the connection is cut; a
/// well-meaning client sends a few, a flood is not worth the CPU.
pub const DRAIN_BYTES_MAX: usize = 64 * 1024;

/// Bytes read at a time while draining.
pub const DRAIN_READ_BYTES: usize = 2048;

/// Pause after a failed accept, in milliseconds: long enough for a descriptor to come free, short
/// against a client's patience.
pub const ACCEPT_BACKOFF_MS: u64 = 20;

/// Pauses in which a stopping shard settles with the kernel what it had asked it to accept, in
/// milliseconds. Any length does: what counts is the turn of the executor.
pub const ACCEPT_HANDOVER_MS: u64 = 1;

/// How often a draining shard looks whether its last connection has ended, in milliseconds.
pub const DRAIN_LOOK_MS: u64 = 5;

/// A bounded setting: its default and what it may be set to.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// The value without configuration.
    pub default: u64,
    /// Smallest value accepted.
    pub min: u64,
    /// Largest value accepted.
    pub max: u64,
}

impl Bound {
    pub(crate) const fn new(default: u64, min: u64, max: u64) -> Self {
        assert!(min <= default && default <= max, "the default lies outside of its bounds");
        Self { default, min, max }
    }
}

/// Open connections of one shard. 8,192 at 20 ms each carry 400,000 queries a second.
pub const CONNECTIONS_PER_SHARD: Bound = Bound::new(8_192, 1, 1_000_000);

/// Answers being written at the same time in one shard. The kernel takes most answers at once, so
/// only clients that read slowly hold one.
pub const ANSWER_BUFFERS_PER_SHARD: Bound = Bound::new(512, 1, 65_536);

/// From accept to the first byte of the query, milliseconds; meets silent connections.
pub const FIRST_BYTE_MS: Bound = Bound::new(5_000, 50, 120_000);

/// From the first byte to the line end, milliseconds; meets a query dripped byte by byte.
pub const LINE_MS: Bound = Bound::new(5_000, 50, 120_000);

/// From the line end until the kernel has taken the last byte of the answer, milliseconds; meets
/// clients that do not read.
pub const WRITE_MS: Bound = Bound::new(15_000, 50, 300_000);

/// From the end of the answer until the client has closed, milliseconds, where it sent more than a
/// line; meets clients that never close.
pub const DRAIN_MS: Bound = Bound::new(2_000, 10, 60_000);

/// Settings of one shard's engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Open connections; one more is accepted and closed at once.
    pub connections_max: u64,
    /// Answer buffers; a query waits for one within its write deadline.
    pub answer_buffers_max: u64,
    /// Deadline of the first byte, milliseconds.
    pub first_byte_ms: u64,
    /// Deadline of the line, milliseconds.
    pub line_ms: u64,
    /// Deadline of the answer, milliseconds.
    pub write_ms: u64,
    /// Deadline of draining, milliseconds.
    pub drain_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_PER_SHARD.default,
            answer_buffers_max: ANSWER_BUFFERS_PER_SHARD.default,
            first_byte_ms: FIRST_BYTE_MS.default,
            line_ms: LINE_MS.default,
            write_ms: WRITE_MS.default,
            drain_ms: DRAIN_MS.default,
        }
    }
}

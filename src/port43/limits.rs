//! Every bound of the connection engine, with its unit and its reason.
//!
//! # Invariants
//!
//! - Each default lies within its bounds (checked when this file is compiled).
//!
//! # Does not
//!
//! Read configuration: `config` fills [`Settings`] and names the key of a value out of bounds.

use crate::bounds::{Bound, UnknownWord, of_word};

/// Longest query line in bytes, without its line end. RFC 3912 gives no limit; the longest legal
/// query is a keyword and a name of 253 characters, typed in Unicode at up to four bytes each.
pub const QUERY_LINE_BYTES_MAX: usize = 1024;

/// CR and LF.
pub const LINE_END_BYTES_MAX: usize = 2;

/// The input that one connection may hold: a line and its end.
pub const INPUT_BYTES: usize = QUERY_LINE_BYTES_MAX + LINE_END_BYTES_MAX;

/// How many bytes after the query line are read and dropped before the connection is cut; a
/// well-meaning client sends a few, a flood is not worth the CPU.
pub const DRAIN_BYTES_MAX: usize = 64 * 1024;

/// Bytes read at a time while draining.
pub const DRAIN_READ_BYTES: usize = 2048;

/// What the ring engine keeps of a connection's input beside its slot: any query but the longest. A
/// longer line borrows one of the long lines below. So an idle connection stays under 1 KiB.
pub const SHORT_INPUT_BYTES: usize = 512;

/// Lines longer than [`SHORT_INPUT_BYTES`] that one shard of the ring engine reads at a time: 1 MiB
/// of memory. No usual query needs one, so one more is cut off rather than kept waiting.
pub const LONG_LINES: usize = 1_024;

/// Accepts that the ring engine keeps asked for, for each listener. Each one more saves a turn of
/// the ring in a burst; they cost a slot each.
pub const ACCEPTS_PER_LISTENER: usize = 32;

/// Length of the ring engine's tick, milliseconds: how long the shard's other work may have to
/// wait, and how exact deadlines are.
pub const TICK_MS: u64 = 4;
/// Turns of a ring after which other work of its core has its own, however short they were: a tick
/// has room for some hundred.
pub const TURNS_BEFORE_OTHERS_MAX: u32 = 1_024;

/// Completions handled before the ring is turned and other work looked at again: about 40 queries,
/// 1 ms. With a tick it is what other work may have to wait, 5 ms.
pub const COMPLETIONS_PER_TURN: usize = 128;

/// Connections cut by deadline in one turn, for the same reason.
pub const EXPIRIES_PER_TURN: usize = 256;

/// How late a deadline may be at most while each turn brings as many completions as it takes,
/// milliseconds: until then clients that asked in time may be among those not looked at.
pub const DEAF_MS_MAX: u64 = 1_000;

/// Pause after a failed accept, in milliseconds: long enough for a descriptor to come free, short
/// against a client's patience.
pub const ACCEPT_BACKOFF_MS: u64 = 20;

/// Pauses in which a stopping shard settles with the kernel what it had asked it to accept, in
/// milliseconds. Any length does: what counts is the turn of the executor.
pub const ACCEPT_HANDOVER_MS: u64 = 1;

/// How often a draining shard looks whether its last connection has ended, in milliseconds.
pub const DRAIN_LOOK_MS: u64 = 5;

/// How long the kernel may take to take the first byte of an answer, milliseconds, before the
/// client counts as one that does not read: a tick. Usually the kernel takes the first part at
/// once, and mostly that is all; only where it is short of memory does nothing happen.
pub const WRITE_GRACE_MS: u64 = TICK_MS;

/// Groups that the sources of clients fall into while answer buffers are short. With 100 hostile
/// sources, a good one shares its group with one of them in 9 of 100 cases, and waits in its line
/// then. A choice looks at each group that waits or holds; it is made only where a query waits.
pub const SOURCE_GROUPS: usize = 1_024;

/// How long a connection keeps its place in a full shard at least, milliseconds, while another one
/// has had a whole answer for as long and does not close; and how long a client that has its answer
/// may take to close before it loses the place. An honest client closes, or asks, within the time
/// that its network takes.
pub const ROOM_GRACE_MS: u64 = 100;

/// Open connections of one shard. 8,192 at 20 ms each carry 400,000 queries a second.
pub const CONNECTIONS_PER_SHARD: Bound = Bound::new(8_192, 1, 1_000_000);

/// Answers being written at the same time in one shard. The kernel takes most answers at once, so
/// only clients that read slowly hold one; when a query needs one and all are held, the source that
/// holds most loses the one that it has held longest.
pub const ANSWER_BUFFERS_PER_SHARD: Bound = Bound::new(512, 1, 65_536);

/// From accept to the end of the proxy's header, milliseconds, on listeners behind proxies; meets a
/// balancer that sends none. A balancer writes it with the connection, so that only its network
/// takes time: the default is two retransmissions (1 s, then 2 s).
pub const PROXY_MS: Bound = Bound::new(3_000, 50, 120_000);

/// How often one shard writes a line about connections that it refuses as no proxy's, milliseconds:
/// a peer that is refused must not fill the disk. All are counted.
pub const PROXY_LOG_EVERY_MS: i64 = 10_000;

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

/// From accept to the close, milliseconds, whatever each phase takes; meets clients that use up one
/// deadline after the other. The default is a little more than the sum of the other defaults: a
/// client that keeps within each of them is not cut by it.
pub const TOTAL_MS: Bound = Bound::new(33_000, 100, 600_000);

const PHASES_MS: u64 = PROXY_MS.default
    + FIRST_BYTE_MS.default
    + LINE_MS.default
    + WRITE_MS.default
    + DRAIN_MS.default;
const _: () = assert!(PHASES_MS < TOTAL_MS.default);

/// Connections that the kernel may hold for a listener until they are accepted. The kernel takes
/// the lower of this and `net.core.somaxconn`.
pub const BACKLOG: Bound = Bound::new(4_096, 1, 65_535);

/// Settings of one shard's engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Open connections; one more is accepted and closed at once.
    pub connections_max: u64,
    /// Answer buffers; a query that needs one takes it from the source that holds most.
    pub answer_buffers_max: u64,
    /// Deadline of a proxy's header, milliseconds.
    pub proxy_ms: u64,
    /// Deadline of the first byte, milliseconds.
    pub first_byte_ms: u64,
    /// Deadline of the line, milliseconds.
    pub line_ms: u64,
    /// Deadline of the answer, milliseconds.
    pub write_ms: u64,
    /// Deadline of draining, milliseconds.
    pub drain_ms: u64,
    /// Deadline of the whole connection, milliseconds.
    pub total_ms: u64,
    /// Connections that wait in the kernel to be accepted, for each listener of the ring engine.
    pub backlog_count: u64,
    /// Which engine carries the connections.
    pub engine: Wanted,
}

/// Which engine is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// The ring where the kernel offers it, otherwise streams.
    #[default]
    Auto,
    /// The ring, or no start.
    Ring,
    /// glommio's streams.
    Streams,
}

impl Wanted {
    /// The word in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Ring => "ring",
            Self::Streams => "streams",
        }
    }
}

impl std::str::FromStr for Wanted {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        of_word(text, [Self::Auto, Self::Ring, Self::Streams], Self::word)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_PER_SHARD.default,
            answer_buffers_max: ANSWER_BUFFERS_PER_SHARD.default,
            proxy_ms: PROXY_MS.default,
            first_byte_ms: FIRST_BYTE_MS.default,
            line_ms: LINE_MS.default,
            write_ms: WRITE_MS.default,
            drain_ms: DRAIN_MS.default,
            total_ms: TOTAL_MS.default,
            backlog_count: BACKLOG.default,
            engine: Wanted::Auto,
        }
    }
}

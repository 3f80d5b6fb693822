//! What the driver asks of the kernel, and what comes back: the one place where a simulated kernel
//! can replace the real one.
//!
//! # Invariants
//!
//! - `one-answer`: each accept, receive, send, look and drain asked for completes exactly once.
//! - `numbered`: a slot's number names its socket in the kernel's table, its input and its peer.
//!
//! # Does not
//!
//! Decide anything.

use std::net::SocketAddr;

use io_uring::cqueue;

/// What a completion belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Op {
    /// A connection for the slot.
    Accept = 1,
    /// Input after what the slot has.
    Receive = 2,
    /// Bytes of the answer.
    Send = 3,
    /// Whether input is unread.
    Look = 4,
    /// Input read and dropped.
    Drain = 5,
    /// The tick; its slot is 0.
    Tick = 6,
    /// Something whose success needs no completion has failed: a close, a shutdown, a cancel.
    Quiet = 7,
}

/// One completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Completion {
    pub(super) op: Op,
    pub(super) slot: u32,
    /// The result of the system call: not negative, or a negated error number.
    pub(super) result: i32,
}

/// The mark of a request, by which its completion is known again.
pub(super) const fn data_of(op: Op, slot: u32) -> u64 {
    ((slot as u64) << 8) | op as u64
}

impl Op {
    fn of(data: u64) -> Self {
        const OPS: [Op; 7] =
            [Op::Accept, Op::Receive, Op::Send, Op::Look, Op::Drain, Op::Tick, Op::Quiet];
        OPS.into_iter().find(|op| *op as u64 == data & 0xff).unwrap_or(Self::Quiet)
    }
}

impl Completion {
    /// The completion that an entry is.
    #[expect(clippy::cast_possible_truncation, reason = "a slot's number was put there as a u32")]
    pub(super) fn of(entry: &cqueue::Entry) -> Self {
        let data = entry.user_data();
        Self { op: Op::of(data), slot: (data >> 8) as u32, result: entry.result() }
    }
}

/// The kernel's side of a shard's connections. `B` holds an answer.
///
/// Requests are taken at once and carried out at the next turn, in the order in which they were
/// made.
pub(super) trait Kernel<B> {
    /// The time, microseconds on [`crate::observe::clock::micros`]: between two turns, for what is
    /// to be told apart from the rest of a turn.
    fn now_us(&self) -> u64;

    /// Accepts from `listener` into `slot`, which must be free.
    fn accept(&mut self, slot: u32, listener: usize);
    /// Takes back an accept that has not completed; it still completes.
    fn cancel_accept(&mut self, slot: u32);
    /// The peer of the connection accepted into `slot`.
    fn peer(&self, slot: u32) -> Option<SocketAddr>;

    /// Receives after the first `from` bytes of the slot's input.
    fn receive(&mut self, slot: u32, from: usize);
    /// How many bytes of input the slot can take at present.
    fn room(&self, slot: u32) -> usize;
    /// Lends the slot a long line, which keeps its input; false if none is left.
    fn lengthen(&mut self, slot: u32) -> bool;
    /// The first `bytes` of the slot's input; none while a receive is under way.
    fn input(&self, slot: u32, bytes: usize) -> &[u8];
    /// Takes the first `taken` of the slot's `bytes` of input off its front, and gives a long line
    /// back if the rest needs none; nothing while a receive is under way.
    fn take_input(&mut self, slot: u32, taken: usize, bytes: usize);
    /// Gives a long line back.
    fn forget_input(&mut self, slot: u32);

    /// Sends the answer from a byte on, then looks for unread input: two completions. Where the
    /// send has to wait, the look comes first, and says nothing. A close or a drain follows in
    /// every case, and brings the end of the answer on its way.
    fn send(&mut self, slot: u32, answer: Box<B>, from: usize);
    /// Looks for unread input, where nothing was sent.
    fn look(&mut self, slot: u32);
    /// The answer of a completed send.
    fn take_answer(&mut self, slot: u32) -> Option<Box<B>>;
    /// Reads and drops; `shutdown` ends our side first.
    fn drain(&mut self, slot: u32, shutdown: bool);

    /// Ends an operation of the slot early; it completes with an error, or as it would have.
    fn cancel(&mut self, op: Op, slot: u32);
    /// Closes the slot's socket; `reset` throws away what is not delivered. No completion.
    fn close(&mut self, slot: u32, reset: bool);
}

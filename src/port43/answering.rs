//! What the engine asks for an answer; the shard provides it, tests replace it.

use std::net::SocketAddr;

use crate::observe::counters::AnswerClass;

/// Turns a query line into an answer.
pub trait Answering {
    /// Holds one answer. Its capacity is fixed when it is made: it never grows.
    type Buffer: AsRef<[u8]>;

    /// A new buffer. Called at most `answer_buffers_max` times in the life of a shard.
    fn buffer(&self) -> Self::Buffer;

    /// Replaces what `out` holds by the answer to `line`, which has no line end and is at most
    /// one byte longer than [`super::limits::QUERY_LINE_BYTES_MAX`]: longer ones are cut there, to
    /// be refused as too long.
    fn answer(&mut self, line: &[u8], peer: SocketAddr, out: &mut Self::Buffer) -> AnswerClass;
}

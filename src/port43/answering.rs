//! What the engine asks for an answer; the shard provides it, tests replace it.

use std::net::SocketAddr;

use crate::observe::counters::AnswerClass;

/// A query as the engine hands it over.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The query line, without its line end, and at most one byte longer than
    /// [`super::limits::QUERY_LINE_BYTES_MAX`]: longer ones are cut there, to be refused as too
    /// long.
    pub line: &'a [u8],
    /// Whether the line's end did not come in time: `line` is what came, and a refusal is due.
    pub is_unfinished: bool,
    /// Who asks: the other end of the connection, or whom a trusted proxy names.
    pub client: SocketAddr,
    /// Where it came in: the listener's address, which may be the unspecified one, or what a
    /// trusted proxy names as the destination.
    pub server: SocketAddr,
    /// When the line was complete, on [`crate::observe::clock::micros`]; what lies between then and
    /// now is waiting.
    pub complete_us: u64,
    /// Whether `client` is whom a trusted proxy names.
    pub proxied: bool,
    /// Whether it is a proxy's own connection (its health check), not one that it passes on;
    /// `client` is then the proxy.
    pub local: bool,
}

/// Turns a query line into an answer.
pub trait Answering {
    /// Holds one answer. Its capacity is fixed when it is made: it never grows.
    type Buffer: AsRef<[u8]>;

    /// A new buffer. Called at most `answer_buffers_max` times in the life of a shard.
    fn buffer(&self) -> Self::Buffer;

    /// Replaces what `out` holds by the answer to what was asked.
    fn answer(&mut self, asked: Asked<'_>, out: &mut Self::Buffer) -> AnswerClass;
}

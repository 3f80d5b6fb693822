//! Carries one query and its answer over each TCP connection (RFC 3912).
//!
//! A connection is a state machine without I/O ([`Connection`]): an event and the time go in, the
//! next action comes out. An engine carries the actions out: [`ring`] on the shard's own io_uring
//! ring, or [`stream`] on glommio's streams, which run on every kernel that glommio runs on, at
//! about 1.6 times the processor time. [`choose`] says which. Engines do not decide the answer:
//! they are generic over [`Answering`].
//!
//! Behind a load balancer a connection begins with the header of the PROXY protocol ([`proxy`]), on
//! the listeners that are set so ([`Gate`]), and [`Asked`] names the client that it speaks for.
//!
//! # Invariants
//!
//! - `one-line`: a connection takes one query line and gives at most one answer.
//! - `bounded`: every wait has a deadline, every buffer a size in [`limits`].
//!
//! # Does not
//!
//! Know snapshots, files, rules or the meaning of a query.

mod choice;
mod connection;
mod error;
mod gate;
pub mod limits;
mod measure;
mod pool;
pub mod proxy;
pub mod ring;
mod shares;
pub mod stream;

use std::net::SocketAddr;

use crate::observe::counters::AnswerClass;

pub use choice::{Choice, EngineKind, choose};
pub use connection::{Action, Connection, Deadlines, Ending, Event, Phase};
pub use error::EngineError;
pub use gate::Gate;
pub use limits::Settings;
pub use ring::Sockets;

/// A query as the engine hands it over.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The query line, without its line end, and at most one byte longer than
    /// [`limits::QUERY_LINE_BYTES_MAX`]: longer ones are cut there, to be refused as too
    /// long.
    pub line: &'a [u8],
    /// Whether the line's end did not come in time: `line` is what came, and a refusal is due.
    pub is_unfinished: bool,
    /// The client: the other end of the connection, or the address that a trusted proxy names.
    pub client: SocketAddr,
    /// Where it came in: the listener's address, which may be the unspecified one, or what a
    /// trusted proxy names as the destination.
    pub server: SocketAddr,
    /// When the line was complete, on [`crate::observe::clock::micros`]; what lies between then and
    /// now is waiting.
    pub complete_us: u64,
    /// Whether a trusted proxy has named `client`.
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

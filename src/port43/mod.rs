//! Carries one query and its answer over each TCP connection (RFC 3912).
//!
//! A connection is a state machine without I/O ([`Connection`]): an event and the time go in, the
//! next action comes out. An engine carries the actions out: [`ring`] on the shard's own io_uring
//! ring, or [`stream`] on glommio's streams, which run on every kernel that glommio runs on, at
//! about 1.6 times the processor time. [`choose`] says which. What is answered is not decided here:
//! an engine is generic over [`Answering`].
//!
//! Behind a load balancer a connection begins with the header of the PROXY protocol ([`proxy`]), on
//! the listeners that are set so ([`Gate`]), and [`Asked`] names whom it speaks for.
//!
//! # Invariants
//!
//! - `one-line`: a connection takes one query line and gives at most one answer.
//! - `bounded`: every wait has a deadline, every buffer a size in [`limits`].
//!
//! # Does not
//!
//! Know snapshots, files, rules or the meaning of a query.

mod answering;
mod choice;
mod connection;
mod gate;
pub mod limits;
mod moment;
mod pool;
pub mod proxy;
pub mod ring;
mod shares;
mod stopwatch;
pub mod stream;
mod tally;

pub use answering::{Answering, Asked};
pub use choice::{Choice, EngineKind, choose};
pub use connection::{Action, Connection, Deadlines, Ending, Event, Phase};
pub use gate::Gate;
pub use limits::Settings;
pub use ring::Sockets;

//! Carries one query and its answer over each TCP connection (RFC 3912).
//!
//! A connection is a state machine without I/O ([`Connection`]): an event and the time go in, the
//! next action comes out. An engine carries the actions out. The one here, [`stream`], uses
//! glommio's own streams and runs on every kernel that glommio runs on. What is answered is not
//! decided here: the engine is generic over [`Answering`].
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
mod connection;
pub mod limits;
mod pool;
pub mod stream;

pub use answering::Answering;
pub use connection::{Action, Connection, Deadlines, Ending, Event, Phase};
pub use limits::Settings;

//! What one core owns, and the life of all of them: start, serve, drain, end.
//!
//! Each shard is a glommio executor on its own thread, pinned to its core, with its own
//! `SO_REUSEPORT` listeners: the kernel spreads connections, shards share nothing but the
//! immutable view. [`Fleet`] is the control side: it starts the shards, hears when one is ready or
//! has ended, and tells them to stop.
//!
//! # Invariants
//!
//! - `all-or-none`: a fleet serves only after every shard has bound every address.
//! - `told-once`: the end of its stop line tells a shard to stop; no signal can lose it.
//!
//! # Does not
//!
//! Know how the view came to be, or what an answer says.

mod answerer;
mod error;
mod fleet;
pub mod listen;
pub mod reception;
pub mod system;

pub use answerer::{AnswerBuffer, Answerer};
pub use error::ShardError;
pub use fleet::{Fleet, Plan, RING_ENTRIES, ShardReport};
pub use reception::{Ended, Sources};

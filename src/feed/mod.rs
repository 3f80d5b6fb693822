//! Live changes of a registry: what a change is on its way from the registry to a server.
//!
//! `record` is the one form that every feed carries; `json` says how its fields are called, `write`
//! and `read` are the two directions. `message` makes a signed batch of records, `nats` carries
//! batches to a fleet, `objects` carries snapshots to a node that cannot go on without one, and
//! `apply` is what every feed hands records to.
//!
//! # Invariants
//!
//! - A record that is read is what an import would have kept of the same object: names are A-labels
//!   in lower case without a final dot, texts and lists are within the bounds of the snapshot.
//!
//! # Does not
//!
//! Know what records are applied to.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

pub mod address;
mod apply;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod json;
pub mod key;
pub mod message;
pub mod nats;
pub mod objects;
mod read;
mod record;
mod seen;
pub mod spool;
mod write;

pub use apply::{Applied, Apply, ApplyError, Intake};
pub(crate) use read::normal_name;
pub(crate) use record::word;
pub use record::{Body, ChangeRecord, LINE_BYTES_MAX, RecordError, SERIAL_MAX, VERSION};

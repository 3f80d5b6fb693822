//! Compares a machine with a tuning profile and says what to do, most valuable first.
//!
//! [`Machine`] holds what `/proc` and `/sys` say, [`Profile`] what is wanted, `SETTINGS` why;
//! [`check`] compares them, [`shards`] says where each shard sits, [`report`] writes it down.
//!
//! # Invariants
//!
//! - `changes nothing`: files are opened for reading, no program is started; the operator gets
//!   commands (`tests/tidy/imports.rs` forbids the calls that write).
//! - `unknown is reported`: a fact that cannot be read carries its reason, and no check guesses it.
//! - `bounded`: whatever a file or folder holds, [`source`] reads a bounded part of it.
//!
//! # Does not
//!
//! Choose the connection engine: the choice comes as an argument.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

pub mod check;
pub mod machine;
pub mod network;
pub mod profile;
pub mod report;
pub mod settings;
pub mod shards;
pub mod source;

pub use check::{Finding, State};
pub use machine::Machine;
pub use profile::{Profile, ProfileError, ProfileProblem};
pub use source::{Fact, Source, Unknown};

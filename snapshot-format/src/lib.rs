//! The snapshot file of whoisd: what it holds, how it is written, how it is read.
//!
//! A snapshot is one immutable file. [`builder`] takes [`object`]s kind by kind in ascending order
//! of their keys, resolves their references to ordinals, and writes [`record`]s, indexes and
//! checksums; [`sort`] brings any input into that order within a bound of memory. [`reader`] opens
//! any `AsRef<[u8]>`, finds records by key without allocating, and verifies on demand; [`dump`]
//! shows what is in it. FORMAT.md describes every byte.
//!
//! # Does not
//!
//! Know sockets, policies, clocks, or where files lie.

// What registry objects are.
pub mod calendar;
pub mod change;
mod footprint;
pub mod limits;
pub mod object;
pub mod record;
pub mod status;
pub mod suffixes;

// How they lie in the file.
pub mod index;
pub mod key;
pub mod layout;

// Into the file.
mod archive;
pub mod builder;
mod convert;
mod links;
pub mod sort;
mod spool;
mod write;

// Changes over the file.
pub mod delta;

// Out of the file.
mod access;
pub mod dump;
mod early;
pub mod packed;
pub mod reader;
mod revert;
mod sums;
pub mod verify;

pub mod error;

// Laws that the fuzzer holds against all of it.
#[cfg(any(test, fuzzing))]
pub mod fuzz;

pub use builder::{Builder, Defect, Options, Summary};
pub use change::{Change, Object};
pub use error::{BuildError, Corrupt, FormatError};
pub use layout::{Header, Kind, Section, SectionId};
pub use reader::Snapshot;

//! Deposits (RFC 8909, RFC 9022) into snapshots: read, vetted, sorted, built.
//!
//! The pipeline, in the order of a run: `source` finds the files; `xml` and `model` read the XML
//! model, `csv` the CSV model, both through [`crate::vet`] into objects; `collect` sorts them
//! within a bound of memory (`deposit`); `merge` joins parts, has them checked and hands objects
//! on: to the builder of a snapshot (`run`), or, from a DIFF or INCR deposit, to the caller that
//! applies them (`changes`).
//!
//! # Invariants
//!
//! - The output is complete when [`run()`] or [`Changes::visit`] returns `Ok`, and worthless
//!   otherwise: the caller publishes it, or drops it.
//!
//! # Does not
//!
//! Know the snapshot directory, print, or read clocks.

mod changes;
mod claims;
mod collect;
mod csv;
mod deposit;
mod encoding;
mod entry;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod join;
mod known;
mod left_out;
mod merge;
mod model;
mod packed;
mod progress;
mod run;
mod sink;
mod source;
mod standing;
mod xml;

pub use changes::{Changes, changes};
pub use claims::owner;
pub use deposit::{CLOCK_TOLERANCE_MS, Head, head};
pub use known::Known;
pub use model::envelope::{DepositType, parse_deposit_name};
pub use progress::{Phase, Progress, Quiet, Step};
pub use run::{ImportError, Options, Reason, Report, run, run_beside};
pub use source::{Follow, Pipes, open_plain};
pub use standing::{Kept, NotAllowed, Standing, Zones};

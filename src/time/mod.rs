//! Times as numbers: dates, jumps of the wall clock, lines that are logged seldom.
//!
//! # Does not
//!
//! Read a clock: `observe::clock` does, and the caller hands the time in.

mod jump;
mod seldom;

pub(crate) use jump::JumpWatch;
pub use seldom::Seldom;

//! What a server process is made of, whichever protocol it answers: who guards it, how an operator
//! reaches it, where its changes come from, what it logs and tells of itself.
//!
//! # Does not
//!
//! Know options of a command line, or how queries are answered.

pub mod checking;
pub mod controlling;
mod failure;
pub mod folder;
pub mod fresh;
pub mod guarding;
pub mod logging;
pub mod patience;
pub mod programs;
pub mod systemd;
pub mod telling;
pub mod updating;

pub use failure::Failure;

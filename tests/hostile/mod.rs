//! Hostile clients, and what a server must do while they are there.
//!
//! `client` is one connection of theirs, `attack` the list of what they do with it, `site` the
//! server under test and the kernel's figures for it, `gauge` the well-behaved client beside them.

pub(crate) mod attack;
pub(crate) mod client;
pub(crate) mod gauge;
pub(crate) mod site;

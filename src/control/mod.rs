//! What an operator can do with a server that runs: reload, block, unblock, list, explain.
//!
//! ```text
//! protocol   a request as one line of JSON, and the reply
//! socket     the Unix socket, its clients, their bounds       client  the other end
//! commands   each request carried out
//! reload     one thread: configuration, and the lists' files (watch), looked at every second
//! blocks     what commands ask of the part that holds the blocks
//! parts      what a reload puts in force besides the lists
//! kernel     long blocks in an nftables set
//! ```
//!
//! # Invariants
//!
//! - `whole or not`: what changes while the server runs is made first and swapped then; with an
//!   error all stays as it was.
//! - `beside`: all of it runs on threads beside the shards, which see immutable tables alone.
//!
//! # Does not
//!
//! Hold limits or blocks, or answer queries.

mod blocks;
mod client;
mod commands;
mod error;
mod kernel;
mod parts;
mod patterns;
mod protocol;
mod reload;
mod socket;
mod watch;

pub use blocks::{Blocked, Blocks, Explained, LimitLeft};
pub use client::{AskError, RELOAD_TIME, REPLY_TIME, ask, ask_within};
pub use commands::{BLOCK_S_DEFAULT, BLOCK_S_MAX, Commands, LISTED_MAX, Told, explain_lists};
pub use error::{ControlError, PartError, SocketError};
pub use kernel::{ELEMENTS_MAX, InKernel, Kernel};
pub use parts::{Answers, LogLevel};
pub use patterns::find;
pub use protocol::{Handler, REQUEST_BYTES_MAX, Request};
pub use reload::{Handle, Keeper, Load, Part, start as start_keeper};
pub use socket::{Claimed, SILENT, claim, may_claim, serve};
pub use watch::{Figures, HasTier, ListWatcher, Looked};

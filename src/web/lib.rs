//! whoisd-web: RDAP over HTTP from the snapshot directory that `whoisd` writes and serves.
//!
//! ```text
//! socket ─▶ worker ─▶ connection (hyper) ─▶ http ─▶ answering ─▶ whoisd::query::rdap
//!             │                             └ what is asked
//!             └ one core: its runtime, its listeners, its buffer
//! ```
//!
//! # Does not
//!
//! Decide what is found, shown or limited: the library `whoisd` does, as for port 43. Write the
//! snapshot directory: it follows it as any reader.

mod activity;
mod answering;
mod bare;
mod behind;
mod beside;
mod body;
mod checking;
mod connection;
mod end;
mod forwarded;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
#[cfg(test)]
mod fuzz_smoke;
mod http;
mod listening;
mod room;
mod search;
mod serve;
mod tls;
mod validity;
mod worker;

pub use serve::run;

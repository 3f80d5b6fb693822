//! whoisd, a registration-data directory server.
//!
//! The pipeline, in the order of the modules below: a deposit is read and vetted (`import`),
//! written as a snapshot into a directory (`store`), mapped as an immutable generation (`view`);
//! changes after it come as records (`feed`), which `publish` makes at the registry, to a fleet
//! through a stream; a query line is parsed, looked up and rendered under the per-TLD rules
//! (`query`, `policy`), and carried by the connection engine (`port43`) of each core (`shard`).
//! `control` takes the operator's commands while it runs, `warden` keeps the books of blocked
//! sources, `querylog` writes down what was asked. `doctor` looks at the machine before that.
//! ARCHITECTURE.md draws it.

// Control plane: may block, may allocate.
pub mod aside;
pub mod command;
pub mod config;
pub mod control;
pub mod doctor;
pub mod export;
pub mod feed;
pub mod held;
pub mod import;
pub mod publish;
pub mod querylog;
pub mod sample;
mod secret;
pub mod serving;
pub mod status;
pub mod store;
pub mod updater;
pub mod vet;
pub mod view;
pub mod warden;

// Data plane: one shard per core; no locks, no allocation, no file I/O per query.
pub mod policy;
pub mod port43;
pub mod query;
pub mod shard;

// Seen from both.
pub mod bounds;
pub mod field;
mod hex;
mod idn;
pub mod observe;
pub mod place;
pub mod time;

// Kept inputs of the fuzzer, and mutations of them; they name this crate as its users do.
#[cfg(test)]
extern crate self as whoisd;
#[cfg(test)]
#[path = "../tests/fuzz/smoke.rs"]
mod fuzz_smoke;

//! The configuration: one TOML file, a few flags, defaults; all into one checked [`Settings`].
//!
//! # Invariants
//!
//! - A flag wins over the file, the file over the default; [`Effective::origin`] says which one
//!   won.
//! - Every value of [`Settings`] lies within its bounds: nobody checks them again.
//!
//! # Does not
//!
//! Look at the machine: whether a core or an address is there shows when the server starts.

mod apart;
mod change;
mod contradiction;
mod error;
mod feed;
mod file;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod guard;
pub mod keys;
mod load;
mod policy;
mod program;
mod proxy;
mod query_log;
mod registrars;
mod settings;
mod show;
mod value;
pub mod web;

pub use change::{ANSWERS, Change, changes};
pub use contradiction::Contradiction;
pub use error::{ConfigError, STANDARD_FILE};
pub use feed::Nats;
pub use load::{load, look};
pub use policy::{Nftables, Policy};
pub use program::{Keys, Program};
pub use registrars::{Registrars, RegistrarsError};
pub use settings::{Check, Effective, Flags, Origin, Settings};
pub use value::ValueError;
pub use web::Web;

#[cfg(test)]
mod tests;

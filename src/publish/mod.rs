//! The publisher: what a registry's PostgreSQL database commits, as change records into a sink, and
//! whole as a base.
//!
//! In the order of the data: `address` says where the database is, `session` is the connection and
//! `contract` what the database has to offer; `assign` gives committed changes their serials;
//! `batch` reads the objects of the next serials (`rows`, whatever single rows do; `unread`, those
//! that do not read); `rules` and `translate` make records of them, without what may not leave; a
//! [`Sink`] takes them (`directory` is one). `run` turns this round and round; `bootstrap` makes a
//! base of `everything`. `deploy/postgres/README.md` describes the database's side.
//!
//! # Invariants
//!
//! - `no gap`: every committed change has a serial, given within the database by the session that
//!   holds the lock on `whoisd.assigning`; a record goes out for each serial, in order.
//! - `converges`: the record of a serial is read after the serial's transaction committed, so the
//!   last record of an object shows its last state, whichever publisher sends it, and however
//!   often.
//! - `what may not leave`: only what [`Rules`] let through comes into a record, a key included.
//!
//! # Does not
//!
//! Apply records, or know what does; keep a position of its own: the sink has it.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod address;
mod assign;
mod batch;
mod bootstrap;
mod contract;
mod directory;
mod error;
mod everything;
mod fields;
mod rows;
mod rules;
mod run;
mod session;
mod sink;
mod stream;
mod translate;
mod unread;

pub use address::{AddressError, PassfileError, TlsError};
pub use bootstrap::{BootstrapOptions, Bootstrapped, bootstrap};
pub use directory::{DirectoryError, DirectorySink};
pub use error::{BaseError, Broken, PublishError};
pub use rules::{KindRules, Model, Rules, RulesError, ZoneRules};
pub use run::{Settings, Totals, once, run};
pub use sink::{Last, Sink, SinkError, Told};
pub use stream::StreamSink;

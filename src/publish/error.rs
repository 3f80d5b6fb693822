//! Why publishing stopped, or has to be tried again.
//!
//! # Does not
//!
//! Decide how often: `run` does.

use std::io;
use std::sync::Arc;

use snapshot_format::{BuildError, FormatError};

use super::address::AddressError;
use super::batch::KEY_BYTES_MAX;
use super::contract::VERSION;
use super::session::DOCUMENT_BYTES_MAX;
use super::sink::SinkError;
use crate::feed::RecordError;
use crate::store::StoreError;
use crate::view::WeighError;

/// Why publishing stopped.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// `--from` is not an address of a database.
    #[error(
        "--from: {problem}; expected postgres://USER@HOST/DATABASE, or postgres:///DATABASE for a \
         server of this machine"
    )]
    Address {
        /// What is wrong with it; without the password.
        problem: AddressError,
    },
    /// The database refuses, or is gone. Trying again may help.
    #[error("database: {}", said(source))]
    Database {
        /// What the database says.
        source: tokio_postgres::Error,
        /// Whether it stays so until somebody does something.
        lasting: bool,
    },
    /// Another publisher reads the same database.
    #[error("database: another publisher is at work on it")]
    Busy,
    /// The database does not have what deploy/postgres describes.
    #[error("database: {problem}; deploy/postgres/README.md says what has to be there")]
    Contract {
        /// What is missing or different.
        problem: Box<Broken>,
    },
    /// The directory has a registry that the base may not take the place of unbidden.
    #[error("--bootstrap: {problem}")]
    Kept {
        /// Why not, and which option permits it.
        problem: WeighError,
    },
    /// Serials that the sink needs are not in the database any more.
    #[error(
        "the sink has serial {have}, and the database has none before {first} any more \
         (--retain-days); make a base with --bootstrap, and empty the sink"
    )]
    Pruned {
        /// Last serial of the sink.
        have: u64,
        /// First serial of the database.
        first: u64,
    },
    /// The sink has more than the database ever gave.
    #[error(
        "the sink has serial {have}, and the database gave {given} at most: it is another \
         database, or was restored from a backup; make a base with --bootstrap, and empty the sink"
    )]
    Ahead {
        /// Last serial of the sink.
        have: u64,
        /// Last serial of the database.
        given: u64,
    },
    /// The database gives a serial that was published to another change.
    #[error(
        "serial {have} was published for another change than the one that the database has: it \
         went back to an earlier state, as a standby that takes over may; make a base with \
         --bootstrap, and empty the sink"
    )]
    Rewound {
        /// The serial, the last one of the sink.
        have: u64,
    },
    /// The sink refuses.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A base was not made.
    #[error(transparent)]
    Base(Box<BaseError>),
}

impl PublishError {
    /// Whether trying again later may help.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Database { lasting: false, .. } | Self::Sink(SinkError::Transient(_)))
    }

    /// Whether somebody may mend the database while this program runs: its views, its rights.
    #[must_use]
    pub const fn may_be_mended(&self) -> bool {
        matches!(self, Self::Database { .. } | Self::Busy | Self::Contract { .. })
    }
}

impl From<tokio_postgres::Error> for PublishError {
    fn from(source: tokio_postgres::Error) -> Self {
        // Classes of SQLSTATE: 08 connection, 25 state of the transaction (its deadline is one), 40
        // rollback, 53 resources, 55 object not ready, 57 operator, 58 system. The database repeats
        // any other refusal of a statement.
        let passing = ["08", "25", "40", "53", "55", "57", "58"];
        let passes = match source.code() {
            Some(state) => passing.iter().any(|class| state.code().starts_with(class)),
            None => source.is_closed() || is_io(&source),
        };
        Self::Database { source, lasting: !passes }
    }
}

impl From<Broken> for PublishError {
    fn from(problem: Broken) -> Self {
        Self::Contract { problem: Box::new(problem) }
    }
}

/// What a database says, and what to do.
fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => {
            let mut hint = said.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
            if *said.code() == tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE {
                hint.push_str("; load grants.sql, as the owner");
            }
            format!("{} [{}]{hint}", said.message(), said.code().code())
        }
        None => std::error::Error::source(error)
            .map_or_else(|| error.to_string(), |source| format!("{error}: {source}")),
    }
}

/// Whether the network, or what lies below it, is the reason.
fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<io::Error>)
}

/// What of the contract a database does not keep.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// It was never set up.
    #[error("the table whoisd.contract is missing; load feed.sql")]
    NoTable,
    /// It was set up for another version.
    #[error(
        "the version in whoisd.contract is {}, this build knows {VERSION}",
        got.map_or_else(|| "none".to_owned(), |version| version.to_string())
    )]
    Version {
        /// The version.
        got: Option<i32>,
    },
    /// Nothing says in which zones contacts are used.
    #[error(
        "view whoisd.contact_uses with columns id, zone and role is missing; zones that are not \
         thick need it"
    )]
    NoUses,
    /// A view lacks a column that names its rows.
    #[error("view whoisd.{view} with column {column:?} is missing")]
    NoColumn {
        /// The view.
        view: &'static str,
        /// The column.
        column: &'static str,
    },
    /// A view has a column of which nothing is known.
    #[error(
        "view whoisd.{view} has column {column:?}, which is not a field of a record; leave it out, \
         or rename it in the configuration ([{kind}.rename])"
    )]
    UnknownColumn {
        /// The view.
        view: &'static str,
        /// The column.
        column: String,
        /// The word of the kind.
        kind: &'static str,
    },
    /// A view has no columns any more for fields that were published.
    #[error(
        "view whoisd.{view} has no column any more for {gone:?}, which were published; put them \
         back, or, if they are to go, delete their rows of kind {kind:?} from whoisd.fields and \
         make a new base with --bootstrap"
    )]
    Gone {
        /// The view.
        view: &'static str,
        /// The fields.
        gone: Vec<String>,
        /// The word of the kind.
        kind: &'static str,
    },
    /// A view has two rows of one object.
    #[error("view whoisd.{view} has two rows of {key:?}")]
    Twice {
        /// The view.
        view: &'static str,
        /// The object's key.
        key: String,
    },
    /// A view has a row of no object.
    #[error("view whoisd.{view} has a row without a key")]
    NoKey {
        /// The view.
        view: &'static str,
    },
    /// A view does not even give the keys of its rows.
    #[error(
        "the keys of view whoisd.{view} cannot be listed, so that no row can be left out: \
         {problem}; declare the functions that the view calls STABLE, or mend the row"
    )]
    Unlisted {
        /// The view.
        view: &'static str,
        /// What the database says.
        problem: Box<PublishError>,
    },
    /// Serials are not consecutive.
    #[error("whoisd.serials has {got} where {expected} should be")]
    Serial {
        /// The serial that it has.
        got: u64,
        /// The one that follows the serial before.
        expected: u64,
    },
    /// A serial has no commit time that reads.
    #[error("{problem}")]
    Head {
        /// What is wrong with its row.
        problem: String,
    },
}

/// Why no base was made.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// The system gives this program no runtime.
    #[error("cannot start: {0}")]
    Start(io::Error),
    /// Scratch files cannot be written or read.
    #[error("scratch file: {0}; make room in the directory")]
    Scratch(io::Error),
    /// The directory refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An object cannot be written into the snapshot.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// An object cannot be put aside until its turn.
    #[error(transparent)]
    Archive(#[from] rkyv::rancor::Error),
    /// The new snapshot is not what was written.
    #[error(
        "the new snapshot failed its check: {0}; nothing was changed. The disk or the memory is \
         faulty, or whoisd is: try again, and report it if it comes again"
    )]
    Check(FormatError),
}

/// Why a row is not published. Cloned where several entries are of one row.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum RowError {
    /// The database cannot give it.
    #[error(transparent)]
    Database(Arc<PublishError>),
    /// A column of it has another type.
    #[error("{0}")]
    Column(Arc<tokio_postgres::Error>),
    /// Bytes of it, or of its key, are not a text.
    #[error("its bytes are not UTF-8")]
    NotText,
    /// Its key is longer than that of any record.
    #[error("a key of more than {KEY_BYTES_MAX} bytes")]
    Key,
    /// Its document is too long to be read.
    #[error("{got} bytes of JSON, at most {DOCUMENT_BYTES_MAX} are read")]
    TooLong {
        /// Bytes that it has.
        got: usize,
    },
    /// Its document is too long, and nothing says by how much.
    #[error("more than {DOCUMENT_BYTES_MAX} bytes of JSON")]
    Long,
    /// Its document is not JSON.
    #[error("{0}")]
    Json(Arc<serde_json::Error>),
    /// It has no zone, or one whose name does not read.
    #[error("its zone is {}, expected the name of the zone that it lies in; correct the view",
        if got.is_empty() { "null or empty".to_owned() } else { format!("{got:?}") })]
    NoZone {
        /// What the view has.
        got: String,
    },
    /// Its name lies elsewhere than in its zone.
    #[error("its zone is {zone:?}, and the name does not lie in it; correct the view")]
    OtherZone {
        /// The zone.
        zone: String,
    },
    /// Its name lies in a zone below its own, which has rules.
    #[error(
        "its zone is {zone:?}, and the name lies in {closer:?}, which has rules of its own; \
         correct the view"
    )]
    CloserZone {
        /// Its zone.
        zone: String,
        /// The other one.
        closer: String,
    },
    /// It is not a record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The uses of a contact cannot be read, so nobody knows what of it may leave.
    #[error("whoisd.contact_uses: {0}")]
    Uses(Box<Self>),
}

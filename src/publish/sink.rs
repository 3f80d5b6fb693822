//! Where records go: what every way from the registry to the servers offers to the publisher.
//!
//! # Invariants
//!
//! - `last wins nothing`: a record whose serial the sink has already changes nothing there, so
//!   sending twice, and two senders at once, do no harm.
//!
//! # Does not
//!
//! Give serials: the database does.

use std::error::Error;

use crate::feed::ChangeRecord;

/// Takes records in order of their serials, durably. Its calls block, and are made outside of the
/// publisher's runtime, so that a sink may have one of its own.
pub trait Sink {
    /// The last serial that it has, and the change that it received under it; `None`: it never had
    /// any. `source` names the source of the serials to come: 1 to 64 letters, digits, `.`, `_` and
    /// `-`, the same as long as one database counts on. Asked when a publisher starts or connects
    /// again, before anything is sent.
    ///
    /// # Errors
    ///
    /// It cannot be asked now, or has another source's serials.
    fn last(&mut self, source: &str) -> Result<Option<Last>, SinkError>;

    /// Takes one batch, an atomic group. When it returns, the batch is safe with the sink. Records
    /// that it has already are skipped.
    ///
    /// # Errors
    ///
    /// Nothing of the batch is promised to be there.
    fn send(&mut self, records: &[ChangeRecord]) -> Result<(), SinkError>;
}

/// Where a sink ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// Its last serial.
    pub serial: u64,
    /// What the record of that serial says, if the sink still knows.
    pub told: Option<Told>,
}

/// What a record says of its change: by this it shows whether a database still has the serial for
/// the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Commit time, ms since the epoch.
    pub committed_ms: i64,
    /// The registry's transaction; empty in a heartbeat.
    pub transaction: String,
}

impl Told {
    /// What a record says.
    #[must_use]
    pub fn of(record: &ChangeRecord) -> Self {
        let ChangeRecord { committed_ms, transaction, .. } = record;
        Self { committed_ms: *committed_ms, transaction: transaction.clone() }
    }

    /// Whether it is of the change that committed then, in that transaction. A hidden change is
    /// sent as a heartbeat, without its transaction.
    pub(super) fn is_of(&self, committed_ms: i64, transaction: &str) -> bool {
        self.committed_ms == committed_ms
            && (self.transaction.is_empty() || self.transaction == transaction)
    }
}

/// Why a sink did not take a batch. A publisher acts on whether it lasts; the error is the sink's
/// own.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// It may go another time: the disk is full, the network is gone.
    #[error("{0}")]
    Transient(Box<dyn Error + Send + Sync>),
    /// It stays so until somebody does something.
    #[error("{0}")]
    Lasting(Box<dyn Error + Send + Sync>),
}

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

use crate::feed::ChangeRecord;

/// Takes records in order of their serials, durably.
pub trait Sink {
    /// The last serial that it has; `None`: it never had any. Asked when a publisher starts or
    /// connects again.
    ///
    /// # Errors
    ///
    /// It cannot be asked now.
    fn last(&mut self) -> Result<Option<u64>, SinkError>;

    /// Takes one batch, an atomic group. When it returns, the batch is safe with the sink. Records
    /// that it has already are skipped.
    ///
    /// # Errors
    ///
    /// Nothing of the batch is promised to be there.
    fn send(&mut self, records: &[ChangeRecord]) -> Result<(), SinkError>;
}

/// Why a sink did not take a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// It may go another time: the disk is full, the network is gone.
    #[error("{0}; it is tried again")]
    Transient(String),
    /// It stays so until somebody does something.
    #[error("{0}")]
    Lasting(String),
}

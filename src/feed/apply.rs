//! Takes change records in: every feed hands them to an [`Apply`].
//!
//! # Invariants
//!
//! - `consecutive`: serials count up by one. A record that is there already is skipped, one that
//!   leaves a gap is refused: so a feed may deliver twice, and may not leave out.
//!
//! # Does not
//!
//! Deliver: feeds do.

use std::path::Path;

use super::ChangeRecord;
use crate::observe::printable::counted;

/// Memory of a batch where nothing else is set, bytes.
const BATCH_BYTES_MAX: usize = 64 << 20;

/// Takes change records in, in order of their serials.
pub trait Apply {
    /// The last serial that is on the disk; 0 before the first.
    fn serial(&self) -> u64;

    /// Most memory that the records of a batch may take, bytes: a feed that gathers them stops
    /// there.
    fn batch_bytes_max(&self) -> usize {
        BATCH_BYTES_MAX
    }

    /// Takes records in as one batch. When it returns, the batch is on the disk and answers come
    /// from it: the feed that delivered it may acknowledge it. Records that are there already are
    /// skipped. An empty list does nothing.
    ///
    /// # Errors
    ///
    /// Nothing was taken in; see [`ApplyError`] for what the feed does then.
    fn apply(&mut self, records: &[ChangeRecord]) -> Result<Applied, ApplyError>;
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// The last serial that is on the disk.
    pub serial: u64,
    /// The generation that holds it.
    pub generation: u64,
    /// Records that were new.
    pub new_count: u64,
}

/// Why a batch was not taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Records are missing in front of the batch. Deliver them, or fetch a newer base.
    #[error(
        "serial {got} does not follow {have}: {} missing; deliver them, or fetch a newer snapshot",
        counted(got.saturating_sub(*have).saturating_sub(1), "change")
    )]
    Gap {
        /// Last serial that is on the disk.
        have: u64,
        /// First new serial of the batch.
        got: u64,
    },
    /// Serials within the batch do not count up by one. The batch is wrong and stays so.
    #[error(
        "serial {got} comes after {before} in one batch, expected {}", before.saturating_add(1)
    )]
    Disorder {
        /// The serial before.
        before: u64,
        /// The serial.
        got: u64,
    },
    /// An object cannot be held. The batch is wrong and stays so.
    #[error("serial {serial}: {problem}")]
    Refused {
        /// Serial of the record, or of the batch's last one.
        serial: u64,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A deposit cannot be taken in. It is wrong, or older than what there is.
    #[error("{problem}")]
    Deposit {
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A deposit follows one that is not there. Deliver that one, then this one again.
    #[error("{problem}")]
    OutOfTurn {
        /// Which one is missing, and what to do.
        problem: String,
    },
    /// The deposit was taken in before. There is nothing to do.
    #[error("deposit {deposit} is in generation {generation} already")]
    Already {
        /// Its identifier.
        deposit: String,
        /// The generation that was looked at.
        generation: u64,
    },
    /// The disk refuses. Try again.
    #[error("{problem}; it is tried again")]
    Store {
        /// What happened.
        problem: String,
    },
}

/// Takes deposits of changes in as well.
pub trait Intake: Apply {
    /// Takes a DIFF or INCR deposit in as one batch.
    ///
    /// # Errors
    ///
    /// Nothing was taken in: [`ApplyError::Deposit`] with what is wrong, [`ApplyError::OutOfTurn`]
    /// with which deposit is missing; [`ApplyError::Refused`], [`ApplyError::Already`],
    /// [`ApplyError::Store`].
    fn apply_deposit(&mut self, path: &Path) -> Result<Applied, ApplyError>;
}

//! What a directory has already, as an import sees it: what stays beside the deposits, and whether
//! they may take the place of what goes.
//!
//! # Does not
//!
//! Know where it is kept: the caller does.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;

use snapshot_format::delta::{DepositMark, Gone};
use snapshot_format::{FormatError, Object};

use super::deposit::Full;

/// The zones that a deposit is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zones {
    /// TLD of its header, A-label form; empty: none is given.
    pub tld: String,
    /// TLD and registry-class names, A-label form, without those of deposits that come with it.
    pub all: Vec<String>,
}

impl Zones {
    pub(super) fn of(full: &Full) -> Self {
        Self { tld: full.envelope.tld.clone(), all: full.zones.clone() }
    }
}

/// What stays beside the deposits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Time of the data, ms since the epoch: of objects that come twice the newer one is taken.
    pub watermark_ms: i64,
    /// Suffixes that stay.
    pub suffixes: Vec<String>,
    /// Deposits that stay.
    pub deposits: Vec<DepositMark>,
    /// How much went and stayed; filled in by the import.
    pub gone: Gone,
}

/// A registry that deposits come into.
pub trait Standing {
    /// What stays beside deposits of these zones; `None`: nothing does.
    ///
    /// # Errors
    ///
    /// Why the deposits may not come in without an option, and which option permits it.
    fn beside(&mut self, zones: &[Zones]) -> Result<Option<Kept>, NotAllowed>;

    /// Hands out each object that stays.
    ///
    /// # Errors
    ///
    /// What is there does not read, or what `visit` reports.
    fn each(
        &mut self,
        zones: &[Zones],
        visit: &mut dyn FnMut(Object) -> io::Result<()>,
    ) -> io::Result<Gone>;
}

/// Deposits may not come in without an option. The message names the one that permits it.
#[derive(Debug, thiserror::Error)]
pub enum NotAllowed {
    /// A header names no TLD, so that the deposit would take the place of all that there is.
    #[error(
        "its header names no TLD, and the directory has {}; nothing was changed. If it is to take \
         the place of all that, say so with --replace", there.join(", ")
    )]
    NoTld {
        /// The zones that are there.
        there: Vec<String>,
    },
    /// A deposit is of a TLD that is not there.
    #[error(
        "it is of the TLD {tld}, and the directory has {}; nothing was changed. To take it beside \
         these, use --add; to let these go, --replace", there.join(", ")
    )]
    OtherTld {
        /// The deposit's TLD.
        tld: String,
        /// The zones that are there.
        there: Vec<String>,
    },
    /// The objects that would stay are damaged.
    #[error(
        "the base that {} would stay of is damaged: {source}; nothing was changed. To let all of \
         it go, use --replace", stays.join(", ")
    )]
    Damaged {
        /// The zones that would stay.
        stays: Vec<String>,
        /// What is wrong.
        source: FormatError,
    },
}

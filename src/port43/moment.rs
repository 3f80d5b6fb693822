//! A moment, in the two units that an engine needs: microseconds to measure, milliseconds for
//! deadlines.
//!
//! # Invariants
//!
//! - `once-a-turn`: the ring engine reads the clock once for all completions of a turn; a moment is
//!   what is handed on.

use crate::observe::clock;

/// A moment on [`clock::micros`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moment {
    /// Microseconds.
    pub(super) us: u64,
    /// The same in whole milliseconds.
    pub(super) ms: u64,
}

impl Moment {
    /// The moment so many microseconds after the clock's beginning.
    pub(super) const fn of_us(us: u64) -> Self {
        Self { us, ms: us / 1_000 }
    }

    /// This moment.
    pub(super) fn now() -> Self {
        Self::of_us(clock::micros())
    }

    /// Microseconds since an earlier moment.
    pub(super) const fn since_us(self, earlier_us: u64) -> u64 {
        self.us.saturating_sub(earlier_us)
    }
}

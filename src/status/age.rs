//! How old the data are, whatever happens to the wall clock meanwhile.
//!
//! The age at the moment at which data were seen first is what the wall clock says, since nothing
//! else knows. From then on it grows by a clock that nobody sets: a wall clock that is set back
//! does not make old data young, and neither does a time that lies ahead.
//!
//! # Does not
//!
//! Read clocks: the caller passes the time.

use std::sync::atomic::{AtomicI64, Ordering};

/// How old data were when they were seen first. Shared: a look by two at once may take either's
/// moment.
#[derive(Debug)]
pub struct Age {
    newest_ms: AtomicI64,
    /// The moment of age 0 by the steady clock, ms; it may lie before that clock's beginning.
    born_ms: AtomicI64,
}

impl Default for Age {
    fn default() -> Self {
        Self { newest_ms: AtomicI64::new(i64::MAX), born_ms: AtomicI64::new(0) }
    }
}

impl Age {
    /// Age of data whose newest time is `newest_ms`, at `now_ms` of the wall clock and `steady_ms`
    /// of one that nobody sets; ms.
    #[must_use]
    pub fn of(&self, newest_ms: i64, now_ms: i64, steady_ms: i64) -> i64 {
        let by_wall_ms = now_ms.saturating_sub(newest_ms).max(0);
        if self.newest_ms.swap(newest_ms, Ordering::AcqRel) != newest_ms {
            self.born_ms.store(steady_ms.saturating_sub(by_wall_ms), Ordering::Release);
        }
        let by_steady_ms = steady_ms.saturating_sub(self.born_ms.load(Ordering::Acquire));
        by_wall_ms.max(by_steady_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    #[test]
    fn age_grows_whatever_is_done_to_the_wall_clock() {
        let age = Age::default();
        assert_eq!(age.of(NOW_MS - 5_000, NOW_MS, 100), 5_000);
        // Set back by an hour, a second later.
        assert_eq!(age.of(NOW_MS - 5_000, NOW_MS - 3_600_000, 1_100), 6_000);
        assert_eq!(age.of(NOW_MS - 5_000, NOW_MS + 60_000, 60_100), 65_000);
        // Data of a time to come are as old as they have been there.
        assert_eq!(age.of(NOW_MS + 3_600_000, NOW_MS + 60_000, 60_100), 0);
        assert_eq!(age.of(NOW_MS + 3_600_000, NOW_MS + 70_000, 70_100), 10_000);
        // New data begin again.
        assert_eq!(age.of(NOW_MS + 70_000, NOW_MS + 71_000, 71_100), 1_000);
    }
}

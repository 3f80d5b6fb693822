//! How long to wait before another try to keep the index, once one has failed.
//!
//! # Does not
//!
//! Wait, or read a clock.

use std::time::Duration;

/// The wait after a build that failed: it may have written gigabytes, and what made it fail, such
/// as a full disk, seldom passes in a moment.
const FIRST: Duration = Duration::from_secs(5);
/// The longest wait: so long may searches be refused after the cause has gone.
const LONGEST: Duration = Duration::from_secs(300);
/// How long searches have an index that counts as good; a failure after that is the first one.
const GOOD: Duration = Duration::from_secs(600);

const _: () = assert!(FIRST.as_secs() < LONGEST.as_secs() && LONGEST.as_secs() < GOOD.as_secs());

/// The waits between tries that fail one after another.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    /// The wait after a try that failed. `shown_for`: how long searches had its index;
    /// `has_built`: whether it had to build one.
    pub(super) fn next(&mut self, shown_for: Duration, has_built: bool) -> Duration {
        if shown_for >= GOOD {
            self.last = None;
        }
        let next = match self.last {
            // The index of an earlier process is damaged: a build mends that, and no wait does.
            None if !has_built => Duration::ZERO,
            None => FIRST,
            Some(last) => last.saturating_mul(2).clamp(FIRST, LONGEST),
        };
        self.last = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits_s(backoff: &mut Backoff, tries: &[(u64, bool)]) -> Vec<u64> {
        let wait = |(shown_s, has_built): &(u64, bool)| {
            backoff.next(Duration::from_secs(*shown_s), *has_built).as_secs()
        };
        tries.iter().map(wait).collect()
    }

    #[test]
    fn builds_that_fail_wait_twice_as_long_each_time_up_to_a_bound() {
        let mut backoff = Backoff::default();
        let waits = waits_s(&mut backoff, &[(0, true); 9]);
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        // An index that does not last is no reason to begin again with short waits.
        assert_eq!(waits_s(&mut backoff, &[(599, true), (599, false)]), [300, 300]);
        assert_eq!(waits_s(&mut backoff, &[(600, true), (0, true)]), [5, 10]);
    }

    #[test]
    fn a_damaged_index_is_replaced_at_once_and_not_twice() {
        let mut backoff = Backoff::default();
        let tries = [(0, false), (0, false), (1, true), (86_400, false), (0, true)];
        assert_eq!(waits_s(&mut backoff, &tries), [0, 5, 10, 0, 5]);
    }
}

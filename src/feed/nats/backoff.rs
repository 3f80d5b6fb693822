//! How long to wait before trying again: twice as long each time, up to a bound, and never all
//! nodes at once.
//!
//! # Does not
//!
//! Wait.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// The next pause.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Pauses from `min` to `max`.
    pub(crate) const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, next: min }
    }

    /// Something has worked.
    pub(crate) const fn reset(&mut self) {
        self.next = self.min;
    }

    /// Something has failed: a pause between half and all of what it may be by now.
    pub(crate) fn pause(&mut self) -> Duration {
        let most = self.next.min(self.max);
        self.next = most.saturating_mul(2).min(self.max);
        let half = most.checked_div(2).unwrap_or(most);
        // Random enough to spread nodes that lost the same server at the same time.
        let random = std::hash::RandomState::new().build_hasher().finish();
        let steps = u32::try_from(random & 1023).unwrap_or(0);
        half.saturating_add(half.saturating_mul(steps).checked_div(1023).unwrap_or(half))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_bound_and_begin_anew() {
        let (min, max) = (Duration::from_millis(100), Duration::from_secs(2));
        let mut backoff = Backoff::new(min, max);
        for most_ms in [100, 200, 400, 800, 1600, 2000, 2000] {
            let (pause, most) = (backoff.pause(), Duration::from_millis(most_ms));
            assert!(most / 2 <= pause && pause <= most, "{pause:?} of {most:?}");
        }
        backoff.reset();
        assert!(backoff.pause() <= min);
    }
}

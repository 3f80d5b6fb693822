//! How far a commit time is believed: up to what this machine's clock has seen.
//!
//! A time to come would make the data look fresh for as long as it lies ahead: age, readiness and
//! alarms would be blind. So what lies ahead counts from its arrival.
//!
//! # Does not
//!
//! Judge times that lie back: data may be old.

use std::time::{Duration, Instant};

/// Pause between two lines about it.
const SAY_PAUSE: Duration = Duration::from_secs(600);

/// When commit times that lie ahead were last logged.
#[derive(Debug, Default)]
pub(super) struct Arrival {
    said: Option<Instant>,
}

pub(super) use crate::view::believed;

impl Arrival {
    /// The newest time of a batch as it is believed; says so if that is another one.
    pub(super) fn believe(
        &mut self,
        claimed_ms: i64,
        serial: u64,
        (now_ms, moment): (i64, Instant),
    ) -> i64 {
        let believed = believed(claimed_ms, now_ms);
        let pauses =
            self.said.is_some_and(|said| moment.saturating_duration_since(said) < SAY_PAUSE);
        if believed != claimed_ms && !pauses {
            self.said = Some(moment);
            let ahead_s = claimed_ms.saturating_sub(now_ms) / 1000;
            tracing::warn!(
                serial,
                ahead_s,
                "a commit time lies ahead of this machine's clock and counts as of now; set the \
                 clocks of the registry's database and of this machine"
            );
        }
        believed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::clock;

    const AHEAD_MAX_MS: i64 = 2_000;

    #[test]
    fn a_time_to_come_counts_from_its_arrival_and_other_times_as_they_are() {
        const NOW_MS: i64 = 1_800_000_000_000;
        for (claimed_ms, expected) in [
            (NOW_MS, NOW_MS),
            (NOW_MS - 86_400_000, NOW_MS - 86_400_000),
            (NOW_MS + AHEAD_MAX_MS, NOW_MS + AHEAD_MAX_MS),
            (NOW_MS + AHEAD_MAX_MS + 1, NOW_MS),
            (i64::MAX, NOW_MS),
            (i64::MIN, i64::MIN),
        ] {
            assert_eq!(believed(claimed_ms, NOW_MS), expected, "{claimed_ms}");
        }
        let mut arrival = Arrival::default();
        let moment = clock::monotonic();
        for later_s in [0, 1, 700] {
            let moment = moment + Duration::from_secs(later_s);
            assert_eq!(arrival.believe(NOW_MS + 60_000, 1, (NOW_MS, moment)), NOW_MS);
        }
        assert_eq!(arrival.said, Some(moment + Duration::from_secs(700)), "once in a while");
    }
}

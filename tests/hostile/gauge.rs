//! The well-behaved client: whether it gets every answer whole, and, for the long run, how long it
//! waits for them.
//!
//! # Does not
//!
//! Judge a wait: that says as much about the machine as about the server.

use std::time::Duration;

use whoisd::port43::limits::ROOM_GRACE_MS;

/// How long it waits before it counts an answer as missing: only a server that has forgotten the
/// client lets it wait as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// A client that takes longer than this from its connection to its query may be taken for a silent
/// one, by a deadline or where a full server makes room. If the machine has kept it waiting so
/// long, it asks again: an answer that is missing says nothing then.
pub(crate) const OWN_PAUSE_MAX: Duration = Duration::from_millis(ROOM_GRACE_MS / 2);
/// How often it does.
const TRIES: usize = 100;
/// Pause between two queries: it is one client, not a load.
const PAUSE: Duration = Duration::from_micros(500);

/// Waits of some queries, milliseconds, ascending.
pub(crate) struct Waits(Vec<f64>);

impl Waits {
    /// Asks `count` times, one after the other; `ask` says how long that took, or nothing if the
    /// client was too late itself. A missing or wrong answer is an error.
    pub(crate) fn measure(
        count: usize,
        ask: &dyn Fn() -> Result<Option<Duration>, String>,
    ) -> Result<Self, String> {
        let mut waits = Vec::with_capacity(count);
        for _ in 0..count {
            let wait = (0..TRIES).find_map(|_| ask().transpose());
            waits.push(wait.ok_or("the good client is never in time")??.as_secs_f64() * 1e3);
            std::thread::sleep(PAUSE);
        }
        waits.sort_by(f64::total_cmp);
        Ok(Self(waits))
    }

    /// The wait that `share` of 100 do not exceed.
    pub(crate) fn percentile(&self, share: usize) -> f64 {
        self.0[(self.0.len() * share).div_ceil(100).clamp(1, self.0.len()) - 1]
    }
}

/// The middle one.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

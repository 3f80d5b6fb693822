//! The only place that reads clocks; everybody else takes the time as an argument.
//!
//! # Does not
//!
//! Run on the data plane's query path: `query` and `policy` never see a clock.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Monotonic time, for rates, deadlines and progress.
#[expect(clippy::disallowed_methods, reason = "this is the place that the lint points to")]
#[must_use]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// The moment that [`micros`] counts from: the first reading.
static BEGAN: LazyLock<Instant> = LazyLock::new(monotonic);

/// Microseconds since this clock was first read: one base for all threads, so that moments which
/// different threads have taken can be compared.
#[must_use]
pub fn micros() -> u64 {
    let elapsed = monotonic().saturating_duration_since(*BEGAN);
    // Not `as_micros`, which divides 128 bits.
    elapsed.as_secs().saturating_mul(1_000_000).saturating_add(elapsed.subsec_micros().into())
}

/// A duration in whole milliseconds, in a type that logs and JSON take for a number.
#[must_use]
pub fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// [`micros`] in milliseconds, signed as wall-clock times are.
#[must_use]
pub fn steady_ms() -> i64 {
    i64::try_from(micros() / 1_000).unwrap_or(i64::MAX)
}

/// Wall-clock time in milliseconds since the Unix epoch; 0 if the clock is set before it.
#[expect(clippy::disallowed_methods, reason = "this is the place that the lint points to")]
#[must_use]
pub fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

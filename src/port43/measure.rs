//! Measures and counts a connection, the same for every engine: moments, the phases between them,
//! and which counter an ending or an answer belongs to.
//!
//! # Invariants
//!
//! - `once-a-turn`: the ring engine reads the clock once for all completions of a turn, and hands
//!   the moment on.
//!
//! # Does not
//!
//! Measure looking up and rendering: the shard's answerer does. Count bytes or accepts: the engine
//! that moves them does.

use super::connection::{Ending, Phase};
use super::proxy::Source;
use crate::observe::clock;
use crate::observe::counters::{self, Counters};
use crate::observe::figures::Phases;

/// A moment on [`clock::micros`], in the two units that an engine needs: microseconds to measure,
/// milliseconds for deadlines.
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

/// When what is measured at present began, microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stopwatch {
    since_us: u64,
}

impl Stopwatch {
    /// Starts with a connection.
    pub(super) const fn start(now: Moment) -> Self {
        Self { since_us: now.us }
    }

    /// When the present phase began; of a connection that waits for its answer, when its line was
    /// complete.
    pub(super) const fn since_us(self) -> u64 {
        self.since_us
    }

    /// Notes that the answer was finished at `made_us`: writing begins.
    pub(super) const fn answered(&mut self, made_us: u64) {
        self.since_us = made_us;
    }

    /// Records what a step from one phase to another has ended, if it has.
    #[inline]
    pub(super) fn stepped(&mut self, phases: &Phases, from: Phase, to: Phase, now: Moment) {
        if from == to {
            return;
        }
        let took_us = now.since_us(self.since_us);
        match (from, to) {
            (Phase::FirstByte, Phase::Line) => phases.first_byte.record(took_us),
            (Phase::FirstByte, Phase::Answering) => {
                phases.first_byte.record(took_us);
                phases.read.record(0);
            }
            (Phase::Line, Phase::Answering) => phases.read.record(took_us),
            (Phase::Answering | Phase::Writing, Phase::Looking) => phases.write.record(took_us),
            (Phase::Looking | Phase::Draining, Phase::Closed) => phases.close.record(took_us),
            // A phase that is cut before its end was not measured; draining belongs to the close.
            _ => return,
        }
        self.since_us = now.us;
    }
}

/// Counts how a connection ended.
pub(super) fn count_ending(counters: &Counters, ending: Ending) {
    let counter = match ending {
        Ending::Served => &counters.ended_served,
        // Balancers end their checks with a reset: that says no more than a close.
        Ending::Silent | Ending::Broken(Phase::Proxy | Phase::FirstByte) => &counters.ended_silent,
        Ending::Unproxied(_) => &counters.ended_unproxied,
        Ending::Flooded => &counters.ended_flooded,
        Ending::Failed => &counters.panicked,
        Ending::Evicted(Phase::Proxy | Phase::FirstByte) => &counters.evicted_silent,
        Ending::Evicted(Phase::Writing) => &counters.evicted_writing,
        Ending::Evicted(Phase::Draining) => &counters.evicted_draining,
        Ending::Evicted(_) => &counters.evicted_line,
        Ending::Broken(_) | Ending::Expired(Phase::Closed) => &counters.ended_broken,
        Ending::Expired(Phase::Proxy) => &counters.expired_proxy,
        Ending::Expired(Phase::FirstByte) => &counters.expired_first_byte,
        Ending::Expired(Phase::Line) => &counters.expired_line,
        Ending::Expired(Phase::Answering) => &counters.expired_answer,
        Ending::Expired(Phase::Writing) => &counters.expired_write,
        Ending::Expired(Phase::Looking | Phase::Draining) => &counters.expired_drain,
    };
    counters::add(counter, 1);
}

/// Counts what a proxy's header names.
pub(super) fn count_source(counters: &Counters, source: Source) {
    counters::add(
        match source {
            Source::Client { .. } => &counters.proxied,
            Source::Own => &counters.proxied_own,
        },
        1,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_is_recorded_once_and_draining_belongs_to_the_close() {
        let phases = Phases::default();
        let at = |ms: u64| Moment::of_us(1_000 * ms);
        let mut watch = Stopwatch::start(at(1));
        watch.stepped(&phases, Phase::FirstByte, Phase::FirstByte, at(2));
        watch.stepped(&phases, Phase::FirstByte, Phase::Line, at(3));
        watch.stepped(&phases, Phase::Line, Phase::Answering, at(7));
        assert_eq!(watch.since_us(), 7_000);
        watch.answered(20_000);
        watch.stepped(&phases, Phase::Answering, Phase::Writing, at(15));
        watch.stepped(&phases, Phase::Writing, Phase::Looking, at(28));
        watch.stepped(&phases, Phase::Looking, Phase::Draining, at(40));
        watch.stepped(&phases, Phase::Draining, Phase::Closed, at(60));
        let snapshot = phases.snapshot();
        let sums: Vec<_> = snapshot.rows().map(|(name, of)| (name, of.sum_us / 1_000)).collect();
        let expected = [
            ("first_byte", 2),
            ("read", 4),
            ("lookup", 0),
            ("render", 0),
            ("write", 8),
            ("close", 32),
        ];
        assert_eq!(sums, expected);
    }
}

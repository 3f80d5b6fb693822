//! Measures the phases of a connection, the same for every engine.
//!
//! # Does not
//!
//! Read a clock. Measure looking up and rendering: who answers does.

use super::connection::Phase;
use super::moment::Moment;
use crate::observe::figures::Phases;

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
            // What is cut before its end was not measured; draining belongs to the close.
            _ => return,
        }
        self.since_us = now.us;
    }
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

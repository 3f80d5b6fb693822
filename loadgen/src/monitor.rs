//! Monitors a run while its cores work: its seconds, the server, the generator itself.
//!
//! # Invariants
//!
//! - Room for a run of hours: a second's histogram is kept until every core has long handed its
//!   part over, then its figures alone.
//! - Processor time is that between the end of the warm-up and the end of the run, or its early
//!   end by the stop flag.
//!
//! # Does not
//!
//! Judge.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::clock::Clock;
use crate::result::Second;
use crate::run::Progress;
use crate::stats::CoreSecond;
use crate::usage::{self, Look};

/// How often the monitoring thread wakes, milliseconds.
const WAKE_MS: u64 = 20;
/// After how many further seconds a second is reported; every core has handed it over by then,
/// unless one was held up.
const REPORTED_AFTER_S: u64 = 2;
/// After how many further seconds no core is expected to add to a second.
const CLOSED_AFTER_S: u64 = 10;

/// What was seen.
#[derive(Default)]
pub(crate) struct Monitored {
    /// Every second, warm-up included, in order.
    pub(crate) seconds: Vec<Second>,
    /// The first and the last look at the server, if it is monitored.
    pub(crate) server: Option<(Look, Look)>,
    /// The first and the last look at this process.
    pub(crate) generator: (Look, Look),
    /// Largest anonymous memory of the server, bytes.
    pub(crate) server_peak_bytes: u64,
    /// Largest anonymous memory of this process, bytes.
    pub(crate) generator_peak_bytes: u64,
    /// When the measured part ended, nanoseconds from the start.
    pub(crate) ended_ns: u64,
}

/// What is monitored, and for how long.
pub(crate) struct Monitor<'a> {
    pub(crate) server_pid: Option<u32>,
    pub(crate) warm_up_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) clock: Clock,
    pub(crate) stop: &'a AtomicBool,
}

impl Monitor<'_> {
    /// Monitors until the last core is done.
    pub(crate) fn run(&self, receiver: &Receiver<CoreSecond>, progress: Progress<'_>) -> Monitored {
        let pid = self.server_pid.map(|pid| pid.to_string());
        let mut monitored = Monitored { ended_ns: self.end_ns, ..Monitored::default() };
        let mut open = Open::default();
        let (mut begun, mut ended, mut looked_s) = (false, false, u64::MAX);
        loop {
            let received = receiver.recv_timeout(Duration::from_millis(WAKE_MS));
            let now_ns = self.clock.now_ns();
            let at_s = now_ns / 1_000_000_000;
            let begins = !begun && now_ns >= self.warm_up_ns;
            let ends = !ended && (now_ns >= self.end_ns || self.stop.load(Ordering::Relaxed));
            if begins || ends || at_s != looked_s {
                looked_s = at_s;
                let generator = usage::look("self");
                let server = pid.as_deref().map(usage::look);
                monitored.look(generator, server, begins, ended);
                open.looks.insert(at_s, server.unwrap_or_default());
                begun |= begins;
                if ends {
                    ended = true;
                    monitored.ended_ns = now_ns.min(self.end_ns);
                }
            }
            match received {
                Ok(second) => open.add(&second, &mut monitored.seconds),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    open.close(u64::MAX, &mut monitored.seconds);
                    return monitored;
                }
            }
            open.report(at_s, progress);
            open.close(at_s.saturating_sub(CLOSED_AFTER_S), &mut monitored.seconds);
        }
    }
}

impl Monitored {
    fn look(&mut self, generator: Look, server: Option<Look>, begins: bool, ended: bool) {
        self.generator_peak_bytes = self.generator_peak_bytes.max(generator.anonymous_bytes);
        let server_bytes = server.map_or(0, |server| server.anonymous_bytes);
        self.server_peak_bytes = self.server_peak_bytes.max(server_bytes);
        if begins {
            self.generator = (generator, generator);
            self.server = server.map(|server| (server, server));
        }
        if !ended {
            self.generator.1 = generator;
            if let (Some((_, last)), Some(server)) = (&mut self.server, server) {
                *last = server;
            }
        }
    }
}

/// Seconds that cores may still add to.
#[derive(Default)]
struct Open {
    seconds: BTreeMap<u64, CoreSecond>,
    looks: BTreeMap<u64, Look>,
    reported_s: u64,
    /// Seconds before this one are closed.
    closed_s: u64,
}

impl Open {
    fn add(&mut self, second: &CoreSecond, closed: &mut [Second]) {
        if second.at_s >= self.closed_s {
            let empty = CoreSecond::new(second.at_s);
            self.seconds.entry(second.at_s).or_insert(empty).add(second);
            return;
        }
        // A core was held up for long: its counts are kept, the percentiles are not.
        let place = closed.binary_search_by_key(&second.at_s, |closed| closed.at_s);
        if let Some(closed) = place.ok().and_then(|place| closed.get_mut(place)) {
            closed.due_count += second.due_count;
            closed.answered_count += second.answered_count;
            closed.error_count += second.error_count;
            closed.max_ns = closed.max_ns.max(second.latency.max());
        }
    }

    fn report(&mut self, at_s: u64, progress: Progress<'_>) {
        while self.reported_s + REPORTED_AFTER_S <= at_s {
            if let Some(second) = self.seconds.get(&self.reported_s) {
                progress(&second_of(second, self.looks.get(&self.reported_s)));
            }
            self.reported_s += 1;
        }
    }

    /// Closes the seconds before `before_s`.
    fn close(&mut self, before_s: u64, closed: &mut Vec<Second>) {
        self.closed_s = self.closed_s.max(before_s);
        while let Some(entry) = self.seconds.first_entry().filter(|entry| *entry.key() < before_s) {
            let second = entry.remove();
            closed.push(second_of(&second, self.looks.get(&second.at_s)));
        }
        self.looks = self.looks.split_off(&before_s);
    }
}

fn second_of(second: &CoreSecond, look: Option<&Look>) -> Second {
    Second {
        at_s: second.at_s,
        due_count: second.due_count,
        answered_count: second.answered_count,
        error_count: second.error_count,
        p50_ns: second.latency.at(50.0),
        p99_ns: second.latency.at(99.0),
        max_ns: second.latency.max(),
        server_resident_bytes: look.map_or(0, |look| look.anonymous_bytes),
        server_descriptor_count: look.map_or(0, |look| look.descriptor_count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at_s: u64, answered_count: u64) -> CoreSecond {
        CoreSecond { answered_count, ..CoreSecond::new(at_s) }
    }

    #[test]
    fn seconds_are_closed_in_order_and_late_parts_are_counted() {
        let (mut open, mut closed) = (Open::default(), Vec::new());
        for at_s in 0..4 {
            open.add(&second(at_s, 5), &mut closed);
            open.add(&second(at_s, 7), &mut closed);
        }
        open.close(3, &mut closed);
        assert_eq!((open.seconds.len(), closed.len()), (1, 3));
        open.add(&second(1, 100), &mut closed);
        open.close(u64::MAX, &mut closed);
        let counts: Vec<_> =
            closed.iter().map(|second| (second.at_s, second.answered_count)).collect();
        assert_eq!(counts, [(0, 12), (1, 112), (2, 12), (3, 12)]);
    }

    #[test]
    fn a_second_is_reported_once_when_it_is_past() {
        let mut open = Open::default();
        open.add(&second(0, 5), &mut []);
        open.add(&second(1, 6), &mut []);
        let mut reported = Vec::new();
        for at_s in [0, 1, 2, 2, 3, 9] {
            open.report(at_s, &mut |second| reported.push(second.answered_count));
        }
        assert_eq!(reported, [5, 6]);
    }
}

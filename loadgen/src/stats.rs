//! What a core counts, and how the counts of all cores become a result.
//!
//! # Invariants
//!
//! - Only queries that fell due after the warm-up count; each of them ends as an answer or as one
//!   error. Connections of HTTP count from the beginning.
//!
//! # Does not
//!
//! Look at clocks or sockets.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::result::{Connections, Latency};

/// Longest latency that the histograms resolve, nanoseconds: ten minutes.
const LATENCY_NS_MAX: u64 = 600_000_000_000;
/// Digits of the histograms of a run, and of a second.
const DIGITS: u8 = 3;
const SECOND_DIGITS: u8 = 2;
/// Percentiles of a result.
const PERCENTILES: [f64; 6] = [50.0, 90.0, 95.0, 99.0, 99.9, 99.99];

/// A histogram of nanoseconds.
#[derive(Debug, Clone)]
pub struct Times(Histogram<u64>);

impl Times {
    fn new(digits: u8) -> Self {
        // The bounds are constants that the crate takes; the fallback has its own.
        let histogram = Histogram::new_with_bounds(1, LATENCY_NS_MAX, digits);
        Self(
            histogram.unwrap_or_else(|_| Histogram::<u64>::new(digits).unwrap_or_else(|_| never())),
        )
    }

    /// Counts a time.
    pub fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns.max(1));
    }

    /// Adds the times of another.
    pub fn add(&mut self, other: &Self) {
        let _ = self.0.add(&other.0);
    }

    /// Value at a percentile, nanoseconds; 0 without values.
    #[must_use]
    pub fn at(&self, percentile: f64) -> u64 {
        if self.0.is_empty() { 0 } else { self.0.value_at_percentile(percentile) }
    }

    /// The largest time, nanoseconds.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.0.max()
    }

    /// In the form of a result.
    #[must_use]
    pub fn latency(&self) -> Latency {
        let spectrum = self
            .0
            .iter_quantiles(4)
            .map(|step| (step.quantile_iterated_to() * 100.0, step.value_iterated_to()));
        Latency {
            count: self.0.len(),
            mean_ns: self.0.mean(),
            max_ns: self.max(),
            percentiles: PERCENTILES.iter().map(|p| (*p, self.at(*p))).collect(),
            spectrum: if self.0.is_empty() { Vec::new() } else { spectrum.collect() },
        }
    }
}

#[expect(clippy::unreachable, reason = "one to five digits are always taken")]
fn never() -> Histogram<u64> {
    unreachable!("a histogram of 1 to 5 digits is always made")
}

/// One second of one core.
#[derive(Debug, Clone)]
pub struct CoreSecond {
    /// Seconds from the start of the run, warm-up included.
    pub at_s: u64,
    /// Queries that fell due.
    pub due_count: u64,
    /// Whole answers.
    pub answered_count: u64,
    /// Failures.
    pub error_count: u64,
    /// From the due time.
    pub latency: Times,
}

impl CoreSecond {
    /// An empty second.
    #[must_use]
    pub fn new(at_s: u64) -> Self {
        let latency = Times::new(SECOND_DIGITS);
        Self { at_s, due_count: 0, answered_count: 0, error_count: 0, latency }
    }

    /// Adds the same second of another core.
    pub fn add(&mut self, other: &Self) {
        self.due_count += other.due_count;
        self.answered_count += other.answered_count;
        self.error_count += other.error_count;
        self.latency.add(&other.latency);
    }
}

/// What one core counted over the measured part.
#[derive(Debug, Clone)]
pub struct Stats {
    /// Queries that fell due.
    pub due_count: u64,
    /// Queries started.
    pub sent_count: u64,
    /// Whole answers.
    pub answered_count: u64,
    /// Whole answers that came within the measured part, whenever their queries fell due: the rate
    /// that was achieved, and what processor time is divided by.
    pub in_time_count: u64,
    /// Queries started too late.
    pub late_count: u64,
    /// Bytes of answers.
    pub received_bytes: u64,
    /// Failures by kind.
    pub errors: BTreeMap<&'static str, u64>,
    /// From the due time to the last byte.
    pub latency: Times,
    /// From the start of connect.
    pub service: Times,
    /// Of connecting.
    pub connect: Times,
    /// From the connection to the first byte.
    pub first_byte: Times,
    /// From the first byte to the end.
    pub last_byte: Times,
    /// Latency by kind.
    pub by_kind: BTreeMap<&'static str, Times>,
    /// Connections of HTTP, of the whole run.
    pub connections: Connections,
}

impl Default for Stats {
    fn default() -> Self {
        let times = || Times::new(DIGITS);
        Self {
            due_count: 0,
            sent_count: 0,
            answered_count: 0,
            in_time_count: 0,
            late_count: 0,
            received_bytes: 0,
            errors: BTreeMap::new(),
            latency: times(),
            service: times(),
            connect: times(),
            first_byte: times(),
            last_byte: times(),
            by_kind: BTreeMap::new(),
            connections: Connections::default(),
        }
    }
}

impl Stats {
    /// Latency of a kind.
    pub fn kind_mut(&mut self, kind: &'static str) -> &mut Times {
        self.by_kind.entry(kind).or_insert_with(|| Times::new(DIGITS))
    }

    /// Counts a failure.
    pub fn fail(&mut self, kind: &'static str) {
        *self.errors.entry(kind).or_default() += 1;
    }

    /// Adds what another core counted.
    pub fn add(&mut self, other: &Self) {
        self.due_count += other.due_count;
        self.sent_count += other.sent_count;
        self.answered_count += other.answered_count;
        self.in_time_count += other.in_time_count;
        self.late_count += other.late_count;
        self.received_bytes += other.received_bytes;
        for (kind, count) in &other.errors {
            *self.errors.entry(kind).or_default() += count;
        }
        for (mine, theirs) in [
            (&mut self.latency, &other.latency),
            (&mut self.service, &other.service),
            (&mut self.connect, &other.connect),
            (&mut self.first_byte, &other.first_byte),
            (&mut self.last_byte, &other.last_byte),
        ] {
            mine.add(theirs);
        }
        self.connections.add(&other.connections);
        for (kind, times) in &other.by_kind {
            self.kind_mut(kind).add(times);
        }
    }
}

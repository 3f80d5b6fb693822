//! What the benchmarks share: options, rounds, medians, a table.
//!
//! # Does not
//!
//! Judge: a benchmark prints figures; MEASUREMENTS.md says which of them are targets.

pub mod bare;
pub mod callgrind;
pub mod changes;
pub mod dns_zone;
pub mod holder;
pub mod http;
pub mod load;
pub mod postgres;
pub mod probe;
pub mod process;
pub mod programs;
pub mod registry;
pub mod report;
pub mod rival;
pub mod served;
pub mod server;
pub mod steps;
pub mod typical;
pub mod web;
pub mod workload;

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use hdrhistogram::Histogram;

/// Command line of a benchmark.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Size of the registry.
    pub domains: u64,
    /// Small sizes, one round: shows that the benchmark works.
    pub smoke: bool,
}

impl Options {
    /// Reads `--domains N` and `--smoke`; ignores what cargo adds.
    ///
    /// # Panics
    ///
    /// If N is not a number.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a benchmark's own command line")]
    pub fn of_arguments(domains: u64, domains_smoke: u64) -> Self {
        let arguments: Vec<String> = std::env::args().collect();
        let smoke = arguments.iter().any(|argument| argument == "--smoke");
        let given = arguments.iter().position(|argument| argument == "--domains");
        let given = given.map(|at| {
            let number = arguments.get(at + 1).and_then(|number| number.parse().ok());
            number.expect("--domains needs a number")
        });
        let standard = if smoke { domains_smoke } else { domains };
        Self { domains: given.unwrap_or(standard), smoke }
    }

    /// The snapshot directory of `--dir DIRECTORY`, if one is given.
    #[must_use]
    pub fn directory() -> Option<PathBuf> {
        std::env::args_os().skip_while(|argument| argument != "--dir").nth(1).map(PathBuf::from)
    }

    /// Rounds of a measurement.
    #[must_use]
    pub const fn rounds(self) -> usize {
        if self.smoke { 1 } else { 7 }
    }
}

/// Runs `work` and gives its result and its seconds.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let result = black_box(work());
    (result, start.elapsed().as_secs_f64())
}

/// Median of some figures; 0 of none.
#[must_use]
pub fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// Nanoseconds of one operation over many items.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Mean of a round, median of the rounds.
    pub mean_ns: f64,
    /// Median of single operations, the clock's own cost taken off.
    pub p50_ns: f64,
    /// 99th percentile of single operations.
    pub p99_ns: f64,
}

/// Measures `operation` over `items`: `rounds` times all of them in a row for the mean, then each
/// by itself for the percentiles.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub fn measure<T>(rounds: usize, items: &[T], mut operation: impl FnMut(&T)) -> Figures {
    let mut means: Vec<f64> = (0..rounds)
        .map(|_| {
            let ((), seconds) = timed(|| items.iter().for_each(&mut operation));
            seconds * 1e9 / items.len().max(1) as f64
        })
        .collect();
    let each = measure_each(items, &mut operation, |_, _| (), |operation, item| operation(item));
    Figures { mean_ns: median(&mut means), ..each }
}

/// Measures `operation` over each of `items` by itself, after something that does not count; both
/// work on `subject`.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub fn measure_each<S, T>(
    items: &[T],
    subject: &mut S,
    mut before: impl FnMut(&mut S, &T),
    mut operation: impl FnMut(&mut S, &T),
) -> Figures {
    let mut empty = Histogram::<u64>::new_with_max(1_000_000_000, 3).ok();
    let mut each = empty.clone();
    for item in items {
        before(subject, item);
        let start = Instant::now();
        let between = Instant::now();
        operation(subject, item);
        let end = Instant::now();
        let record = |histogram: &mut Option<Histogram<u64>>, from: Instant, to: Instant| {
            let ns = u64::try_from(to.duration_since(from).as_nanos()).unwrap_or(u64::MAX);
            if let Some(histogram) = histogram {
                histogram.saturating_record(ns);
            }
        };
        record(&mut empty, start, between);
        record(&mut each, between, end);
    }
    let at = |histogram: &Option<Histogram<u64>>, quantile| {
        histogram.as_ref().map_or(0.0, |histogram| histogram.value_at_quantile(quantile) as f64)
    };
    let mean = |histogram: &Option<Histogram<u64>>| histogram.as_ref().map_or(0.0, Histogram::mean);
    let clock_ns = at(&empty, 0.5);
    Figures {
        mean_ns: mean(&each) - mean(&empty),
        p50_ns: at(&each, 0.5) - clock_ns,
        p99_ns: at(&each, 0.99) - clock_ns,
    }
}

/// Numbers in random order from a seed: SplitMix64.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next number below `bound`.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// Prints a line of a result.
#[expect(clippy::print_stdout, reason = "a benchmark's result")]
pub fn print(name: &str, value: &str) {
    println!("{name:<44} {value}");
}

/// Prints figures of an operation.
pub fn print_figures(name: &str, figures: Figures) {
    let Figures { mean_ns, p50_ns, p99_ns } = figures;
    print(name, &format!("mean {mean_ns:7.0} ns   p50 {p50_ns:7.0} ns   p99 {p99_ns:7.0} ns"));
}

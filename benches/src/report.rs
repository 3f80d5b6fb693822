//! Figures of rounds into a table: medians, ratios with their spread, JSON.
//!
//! # Invariants
//!
//! - `answered`: a round without an answer has no processor time per query; it is left out of the
//!   ratios and of that column, and marked.
//! - `same-round`: a ratio compares two servers within one round, so that changes of the machine
//!   from round to round cancel out; its spread is the least and greatest of them.
//!
//! # Does not
//!
//! Judge, or leave a bad round out: a server that does not keep up is marked.

use serde_json::{Value, json};

use crate::median;

/// Share of the asked rate below which a server does not keep up.
const KEEPS_UP_SHARE: f64 = 0.98;

/// Share of failed queries above which a server does not keep up.
const ERRORS_SHARE_MAX: f64 = 0.001;

/// One server in one round.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Which server.
    pub server: &'static str,
    /// From 0.
    pub round: usize,
    /// Asked rate, queries per second.
    pub asked_per_s: f64,
    /// Rate of whole answers.
    pub achieved_per_s: f64,
    /// Whole answers.
    pub answered_count: u64,
    /// Failures of every kind.
    pub error_count: u64,
    /// Processor time of all its processes by whole answers, microseconds.
    pub cpu_us: f64,
    /// Share of it in user mode, 0 to 1; coarse.
    pub user_share: f64,
    /// Time of the core's softirq thread by whole answers, microseconds; not in `cpu_us`.
    pub softirq_us: f64,
    /// Median, 99th and 99.9th percentile from the due time, microseconds.
    pub latency_us: [f64; 3],
    /// Why the generator says that its run must not be used.
    pub invalid: Option<String>,
}

impl Sample {
    fn keeps_up(&self) -> bool {
        let all = (self.answered_count + self.error_count).max(1);
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let errors_share = self.error_count as f64 / all as f64;
        self.achieved_per_s >= KEEPS_UP_SHARE * self.asked_per_s
            && errors_share <= ERRORS_SHARE_MAX
            && self.invalid.is_none()
    }

    /// Every figure.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "server": self.server,
            "round": self.round,
            "asked_per_s": self.asked_per_s,
            "achieved_per_s": self.achieved_per_s,
            "answered_count": self.answered_count,
            "error_count": self.error_count,
            "cpu_us_per_query": self.cpu_us,
            "user_share": self.user_share,
            "softirq_thread_us_per_query": self.softirq_us,
            "p50_us": self.latency_us[0],
            "p99_us": self.latency_us[1],
            "p99_9_us": self.latency_us[2],
            "invalid": self.invalid,
        })
    }
}

/// Least, median and greatest of some figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Least.
    pub least: f64,
    /// Median.
    pub median: f64,
    /// Greatest.
    pub greatest: f64,
}

impl Spread {
    /// Of figures in any order; zeros of none.
    #[must_use]
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        let middle = median(&mut figures);
        let edge = |figure: Option<&f64>| figure.copied().unwrap_or_default();
        Self { least: edge(figures.first()), median: middle, greatest: edge(figures.last()) }
    }
}

/// Ratios of the processor time of `server` to that of `reference`, round by round.
#[must_use]
pub fn ratios(samples: &[Sample], server: &str, reference: &str) -> Vec<f64> {
    let answered = || samples.iter().filter(|sample| sample.answered_count > 0);
    let of = |name: &str, round| {
        answered().find(|sample| sample.server == name && sample.round == round)
    };
    let rounds = samples.iter().map(|sample| sample.round + 1).max().unwrap_or(0);
    (0..rounds)
        .filter_map(|round| Some((of(server, round)?, of(reference, round)?)))
        .filter(|(_, reference)| reference.cpu_us > 0.0)
        .map(|(server, reference)| server.cpu_us / reference.cpu_us)
        .collect()
}

/// The head of [`row`]'s table, in Markdown.
pub const HEAD: &str = "\
| server | CPU per query, us | of it user | ratio (spread) | rate, 1/s | p50, us | p99, us \
| p99.9, us |\n|---|---|---|---|---|---|---|---|";

/// One server's line of the table: medians over the rounds.
#[must_use]
pub fn row(samples: &[Sample], server: &str, what: &str, reference: &str) -> String {
    let own: Vec<&Sample> = samples.iter().filter(|sample| sample.server == server).collect();
    let answered = || own.iter().filter(|sample| sample.answered_count > 0);
    let over = |figure: &dyn Fn(&Sample) -> f64| {
        Spread::of(answered().map(|sample| figure(sample))).median
    };
    let ratio = Spread::of(ratios(samples, server, reference));
    let bad = own.iter().filter(|sample| !sample.keeps_up()).count();
    let mark = if bad == 0 { String::new() } else { format!(" (not in {bad} of {})", own.len()) };
    format!(
        "| {what} | {:.2} | {:.0} % | {:.2} ({:.2} to {:.2}) | {:.0}{mark} | {:.0} | {:.0} \
         | {:.0} |",
        over(&|sample| sample.cpu_us),
        over(&|sample| sample.user_share * 100.0),
        ratio.median,
        ratio.least,
        ratio.greatest,
        over(&|sample| sample.achieved_per_s),
        over(&|sample| sample.latency_us[0]),
        over(&|sample| sample.latency_us[1]),
        over(&|sample| sample.latency_us[2]),
    )
}

/// Every sample, for other programs.
#[must_use]
pub fn json(method: &str, samples: &[Sample]) -> Value {
    let samples: Vec<Value> = samples.iter().map(Sample::json).collect();
    json!({ "method": method, "samples": samples })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(server: &'static str, round: usize, cpu_us: f64) -> Sample {
        Sample {
            server,
            round,
            asked_per_s: 1_000.0,
            achieved_per_s: 1_000.0,
            answered_count: 10_000,
            error_count: 0,
            cpu_us,
            user_share: 0.25,
            softirq_us: 0.0,
            latency_us: [100.0, 200.0, 300.0],
            invalid: None,
        }
    }

    #[test]
    fn a_ratio_compares_within_a_round() {
        // The machine is twice as slow in the second round, for both.
        let samples = [
            sample("a", 0, 10.0),
            sample("b", 0, 12.0),
            sample("b", 1, 26.0),
            sample("a", 1, 20.0),
        ];
        assert_eq!(ratios(&samples, "b", "a"), [1.2, 1.3]);
        let spread = Spread::of(ratios(&samples, "a", "a"));
        assert_eq!(spread, Spread { least: 1.0, median: 1.0, greatest: 1.0 });
    }

    #[test]
    fn a_server_that_does_not_keep_up_is_marked() {
        let mut slow = sample("a", 1, 10.0);
        slow.achieved_per_s = 900.0;
        let samples = [sample("a", 0, 10.0), slow];
        let row = row(&samples, "a", "the slow one", "a");
        assert!(row.starts_with("| the slow one | 10.00 | 25 % | 1.00 (1.00 to 1.00) |"), "{row}");
        assert!(row.contains("(not in 1 of 2)"), "{row}");
    }

    #[test]
    fn a_round_without_an_answer_is_marked_and_has_no_ratio() {
        let mut silent = sample("a", 1, 0.0);
        (silent.answered_count, silent.achieved_per_s, silent.error_count) = (0, 0.0, 10_000);
        let samples = [sample("a", 0, 12.0), silent, sample("b", 0, 10.0), sample("b", 1, 10.0)];
        assert_eq!(ratios(&samples, "a", "b"), [1.2]);
        let row = row(&samples, "a", "the silent one", "b");
        assert!(row.contains("| 12.00 |") && row.contains("(not in 1 of 2)"), "{row}");
    }

    #[test]
    fn figures_of_nothing_are_zeros() {
        assert_eq!(Spread::of([]), Spread { least: 0.0, median: 0.0, greatest: 0.0 });
        assert!(ratios(&[sample("a", 0, 1.0)], "b", "a").is_empty());
    }
}

//! What changed between two sets of runs beyond the noise.
//!
//! A figure counts as changed if two things hold: the interval of its change ([`noise`]) leaves out
//! "none", and it changed by [`Settings::least_percent`] or more, since a change can be sure and
//! not matter. With fewer than three runs a side only figures that have a series of seconds can be
//! judged: the median, p99, the rate, failures. The rest is shown and called `not judged`.
//!
//! # Invariants
//!
//! - Runs that were made in another way are never compared silently: the difference is refused or
//!   named.
//! - A figure that cannot be judged never decides the outcome.
//!
//! # Does not
//!
//! Compare sweeps, whose steps do not repeat one another.

pub mod method;
pub mod noise;

use serde::Serialize;

use self::noise::{Interval, between_runs, mean, within_runs};
use crate::report::units::{decimal, percent, percentile, plain, time_of};
use crate::result::RunResult;
use crate::sweep::{failed_share, percentile_ns};

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Settings {
    /// Smallest change that counts, percent.
    pub least_percent: f64,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// Compare although machine or method differ.
    pub anyway: bool,
}

/// Smallest change of the share of failures that counts: 1 in 10,000.
pub const FAILED_SHARE_LEAST: f64 = 0.0001;

/// What became of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Changed for the worse, beyond the noise.
    Worse,
    /// Changed for the better, beyond the noise.
    Better,
    /// A change that would matter, but within the noise: more runs would decide.
    WithinNoise,
    /// No change that matters.
    Same,
    /// The noise is not known.
    NotJudged,
}

/// What the noise was estimated from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Between runs.
    Runs,
    /// Within runs, second by second.
    Seconds,
}

/// One figure of both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// Mean of side A: nanoseconds, per second, or a share; geometric but for shares.
    pub a: f64,
    /// Mean of side B.
    pub b: f64,
    /// B by A; for shares B - A.
    pub change: f64,
    /// Where the true change lies with 99.5 % confidence; `None` if that is not known.
    pub interval: Option<Interval>,
    /// The outcome.
    pub verdict: Verdict,
    /// How to print it.
    #[serde(skip)]
    unit: Unit,
}

/// The comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// As given.
    pub settings: Settings,
    /// Runs of side A and B.
    pub run_counts: (usize, usize),
    /// Where the noise comes from.
    pub basis: Basis,
    /// Why the sides must not be compared; empty if they can be.
    pub refusals: Vec<String>,
    /// What differs and may matter.
    pub warnings: Vec<String>,
    /// The figures that both sides have.
    pub figures: Vec<Figure>,
    /// What came out.
    pub outcome: Outcome,
}

/// The outcome of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing got worse beyond the noise.
    NotWorse,
    /// At least one figure did.
    Worse,
    /// The sides cannot be compared.
    NotComparable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Time,
    PerSecond,
    Share,
}

/// A figure of a run, and how it is judged.
#[derive(Debug, Clone, Copy)]
enum Measure {
    Latency(f64),
    Rate,
    Failed,
    ServerCpu,
}

const MEASURES: &[Measure] = &[
    Measure::Latency(50.0),
    Measure::Latency(90.0),
    Measure::Latency(99.0),
    Measure::Latency(99.9),
    Measure::Latency(99.99),
    Measure::Rate,
    Measure::Failed,
    Measure::ServerCpu,
];

impl Measure {
    fn name(self) -> String {
        match self {
            Self::Latency(at) => format!("latency {}", percentile(at)),
            Self::Rate => "answers per second".to_owned(),
            Self::Failed => "failed".to_owned(),
            Self::ServerCpu => "server CPU per query".to_owned(),
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::Latency(_) | Self::ServerCpu => Unit::Time,
            Self::Rate => Unit::PerSecond,
            Self::Failed => Unit::Share,
        }
    }

    fn value(self, run: &RunResult) -> Option<f64> {
        let value = match self {
            Self::Latency(at) => percentile_ns(&run.latency, at)? as f64,
            Self::Rate => run.achieved_per_s,
            Self::Failed => return Some(failed_share(run)),
            Self::ServerCpu => run.server.as_ref()?.cpu_us_per_query * 1e3,
        };
        // A ratio needs something to divide by.
        (value > 0.0 && value.is_finite()).then_some(value)
    }

    /// One value a second over all runs of a side; `None` if there is no such series.
    fn seconds(self, runs: &[RunResult]) -> Option<Vec<f64>> {
        let mut values = Vec::new();
        for run in runs {
            let due_per_s = run.due_count as f64 / run.duration_s.max(1e-9);
            // A second that was not measured to its end does not count.
            let whole = run
                .seconds
                .iter()
                .filter(|second| second.at_s as f64 + 1.0 <= run.duration_s + 1e-6);
            for second in whole {
                let answered = second.answered_count > 0;
                match self {
                    Self::Latency(50.0) if answered => values.push(second.p50_ns as f64),
                    Self::Latency(99.0) if answered => values.push(second.p99_ns as f64),
                    Self::Latency(50.0 | 99.0) => {}
                    Self::Rate => values.push(second.answered_count as f64),
                    Self::Failed => values.push(second.error_count as f64 / due_per_s.max(1e-9)),
                    Self::Latency(_) | Self::ServerCpu => return None,
                }
            }
        }
        Some(values)
    }

    fn more_is_worse(self) -> bool {
        !matches!(self, Self::Rate)
    }
}

/// Compares the runs of two sides; each has at least one, or the comparison is refused.
#[must_use]
pub fn compare(a: &[RunResult], b: &[RunResult], settings: Settings) -> Comparison {
    let differences = method::differences(a, b, settings.anyway);
    let repeated = a.len().min(b.len()) >= noise::RUNS_MIN;
    let basis = if repeated { Basis::Runs } else { Basis::Seconds };
    let figure = |measure: &Measure| figure(*measure, a, b, basis, settings);
    let figures: Vec<_> = MEASURES.iter().filter_map(figure).collect();
    let worse = figures.iter().any(|figure| figure.verdict == Verdict::Worse);
    let outcome = match (differences.refusals.is_empty(), worse) {
        (false, _) => Outcome::NotComparable,
        (true, true) => Outcome::Worse,
        (true, false) => Outcome::NotWorse,
    };
    Comparison {
        settings,
        run_counts: (a.len(), b.len()),
        basis,
        refusals: differences.refusals,
        warnings: differences.warnings,
        figures,
        outcome,
    }
}

fn figure(
    measure: Measure,
    a: &[RunResult],
    b: &[RunResult],
    basis: Basis,
    settings: Settings,
) -> Option<Figure> {
    let share = measure.unit() == Unit::Share;
    let values = |runs: &[RunResult]| -> Option<Vec<f64>> {
        let values = runs.iter().map(|run| measure.value(run));
        values.map(|value| value.map(|value| if share { value } else { value.ln() })).collect()
    };
    let (values_a, values_b) = (values(a)?, values(b)?);
    if values_a.is_empty() || values_b.is_empty() {
        return None;
    }
    let back = |value: f64| if share { value } else { value.exp() };
    let interval = match basis {
        Basis::Runs => between_runs(&values_a, &values_b)
            .map(|Interval { low, high }| Interval { low: back(low), high: back(high) }),
        Basis::Seconds => measure.seconds(a).zip(measure.seconds(b)).and_then(|(a, b)| {
            within_runs(&a, &b, settings.seed, |a, b| if share { b - a } else { b / a })
        }),
    };
    let (mean_a, mean_b) = (mean(&values_a), mean(&values_b));
    let change = back(mean_b - mean_a);
    let least = 1.0 + settings.least_percent / 100.0;
    let (none, rose, fell) = if share {
        (0.0, change >= FAILED_SHARE_LEAST, change <= -FAILED_SHARE_LEAST)
    } else {
        (1.0, change >= least, change <= 1.0 / least)
    };
    let verdict = match interval {
        None => Verdict::NotJudged,
        Some(interval) if (rose && interval.low > none) || (fell && interval.high < none) => {
            if rose == measure.more_is_worse() { Verdict::Worse } else { Verdict::Better }
        }
        Some(_) if rose || fell => Verdict::WithinNoise,
        Some(_) => Verdict::Same,
    };
    let (name, unit) = (measure.name(), measure.unit());
    Some(Figure { name, a: back(mean_a), b: back(mean_b), change, interval, verdict, unit })
}

impl Comparison {
    /// The comparison as a table for a terminal, with what to beware of and the outcome.
    #[must_use]
    pub fn text(&self) -> String {
        let (a, b) = self.run_counts;
        let mut text = format!("A: {a} run{}, B: {b} run{}\n", plural(a), plural(b));
        for refusal in &self.refusals {
            text.push_str(&format!("NOT COMPARABLE: {}\n", plain(refusal)));
        }
        for warning in &self.warnings {
            text.push_str(&format!("Note: {}\n", plain(warning)));
        }
        text.push_str(&format!(
            "\n{:<21} {:>10} {:>10} {:>9}   {:<19} {}\n",
            "", "A", "B", "B/A", "99.5 % interval", "beyond the noise"
        ));
        for figure in &self.figures {
            text.push_str(&figure.row());
        }
        text.push_str(match self.basis {
            Basis::Runs => "\nNoise: between the runs (Student's t).\n",
            Basis::Seconds => {
                "\nNoise: within the runs, second by second (block bootstrap). What stays the same \
                 through\na run, such as placement in memory, is taken for a change; three runs a \
                 side or more tell,\nand judge what is not judged here.\n"
            }
        });
        text.push_str(&format!(
            "Changes below {} %, of failures below {}, count as none.\n\n{}\n",
            decimal(self.settings.least_percent),
            percent(FAILED_SHARE_LEAST),
            match self.outcome {
                Outcome::NotWorse => "B is not worse than A beyond the noise.",
                Outcome::Worse => "B is WORSE than A beyond the noise.",
                Outcome::NotComparable => "A and B cannot be compared.",
            }
        ));
        text
    }
}

impl Figure {
    fn row(&self) -> String {
        let value = |value: f64| match self.unit {
            Unit::Time => time_of(value),
            Unit::PerSecond => decimal(value),
            Unit::Share => percent(value),
        };
        let change = |change: f64| match self.unit {
            Unit::Share => format!("{}{}", if change > 0.0 { "+" } else { "" }, percent(change)),
            _ => format!("{change:.3}"),
        };
        let interval = self.interval.map_or_else(
            || "-".to_owned(),
            |Interval { low, high }| format!("{} to {}", change(low), change(high)),
        );
        let verdict = match self.verdict {
            Verdict::Worse => "WORSE",
            Verdict::Better => "better",
            Verdict::WithinNoise => "no, noise",
            Verdict::Same => "no",
            Verdict::NotJudged => "not judged",
        };
        format!(
            "{:<21} {:>10} {:>10} {:>9}   {interval:<19} {verdict}\n",
            self.name,
            value(self.a),
            value(self.b),
            change(self.change),
        )
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests;

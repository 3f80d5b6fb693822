//! The search for the knee: the highest rate at which the objective is still met.
//!
//! ```text
//!   Ascend ──met──▶ Ascend ──met at `high`─────────────────────▶ Done (range)
//!     │  └─────────not met at `low`────────────────────────────▶ Done (below the range)
//!     └──not met, or invalid──▶ Bisect ──bracket narrow enough─▶ Done (server or generator)
//! ```
//!
//! # Invariants
//!
//! - The next rate depends on the results so far alone; the search ends after at most
//!   [`Search::steps_max`] results.
//! - `good < bad` while bisecting: the highest rate that met the objective, and the lowest one that
//!   did not or whose run was invalid. One bad step is believed: a sweep on a noisy machine finds a
//!   knee that is too low, never one that is too high.
//! - Whether the server or the generator was the limit is kept apart until the end.
//!
//! # Does not
//!
//! Run anything, read a clock, or decide whether a run is valid: the run says so.

mod error;

pub use error::{Missed, SweepError};

use crate::report::units::{count, percent, percentile};
use crate::result::{Latency, Objective, RunResult, SweepResult};

/// The search itself: ask [`next_rate`](Self::next_rate), run at it, [`tell`](Self::tell).
#[derive(Debug, Clone)]
pub struct Search {
    high_per_s: f64,
    factor: f64,
    precision: f64,
    objective: Objective,
    state: State,
    good_per_s: Option<f64>,
    steps_max: u32,
}

/// Most steps of the ascent.
pub const ASCENT_COUNT_MAX: u32 = 100;
/// Narrowest bracket that the bisection can be asked for, as a share of the rate: below it, noise
/// decides.
pub const PRECISION_MIN: f64 = 0.001;
/// Widest bracket, as a share of the rate.
pub const PRECISION_MAX: f64 = 1.0;

#[derive(Debug, Clone, PartialEq)]
enum State {
    Ascend { rate_per_s: f64 },
    Bisect { bad_per_s: f64, generator: Option<String> },
    Done(Limit),
}

/// What ended a search.
#[derive(Debug, Clone, PartialEq)]
pub enum Limit {
    /// The server missed the objective above the knee.
    Server {
        /// Lowest rate that missed it, per second.
        missed_per_s: f64,
    },
    /// The generator could not send at this rate; the knee is a lower bound, if there is one.
    Generator {
        /// Lowest rate whose run was invalid, per second.
        invalid_per_s: f64,
        /// Why that run was.
        reason: String,
    },
    /// The highest rate of the search met the objective: the knee is a lower bound.
    Range,
    /// The lowest rate of the search missed the objective: there is no knee in the range.
    BelowRange,
}

impl Search {
    /// A search that climbs from `low_per_s` to `high_per_s` in up to `ascent_count` equal ratios
    /// (2 to [`ASCENT_COUNT_MAX`]), then halves the bracket until it is narrower than `precision`
    /// of the rate ([`PRECISION_MIN`] to [`PRECISION_MAX`]).
    ///
    /// # Errors
    ///
    /// Names the bound that does not hold.
    pub fn new(
        low_per_s: f64,
        high_per_s: f64,
        ascent_count: u32,
        precision: f64,
        objective: Objective,
    ) -> Result<Self, SweepError> {
        if !(low_per_s > 0.0 && low_per_s < high_per_s && high_per_s.is_finite()) {
            return Err(SweepError::Rates { low_per_s, high_per_s });
        }
        if !(2..=ASCENT_COUNT_MAX).contains(&ascent_count) {
            return Err(SweepError::Steps { count: ascent_count });
        }
        if !(PRECISION_MIN..=PRECISION_MAX).contains(&precision) {
            return Err(SweepError::Precision { precision });
        }
        if !(objective.percentile > 0.0 && objective.percentile <= 100.0) {
            return Err(SweepError::Percentile { percentile: objective.percentile });
        }
        let factor = (high_per_s / low_per_s).powf(1.0 / f64::from(ascent_count - 1));
        // Each halving takes the root of the bracket's ratio; rounding may cost one more.
        let halvings = (factor.ln() / precision.ln_1p()).log2().ceil().max(0.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and saturates"
        )]
        let halvings = halvings as u32;
        Ok(Self {
            high_per_s,
            factor,
            precision,
            objective,
            state: State::Ascend { rate_per_s: low_per_s },
            good_per_s: None,
            steps_max: ascent_count + halvings + 1,
        })
    }

    /// The rate to run at, queries per second; `None` when the search has ended. The same until
    /// [`tell`](Self::tell).
    #[must_use]
    pub fn next_rate(&self) -> Option<f64> {
        match &self.state {
            State::Ascend { rate_per_s } => Some(*rate_per_s),
            State::Bisect { bad_per_s, .. } => {
                Some(middle(self.good_per_s.unwrap_or(0.0), *bad_per_s))
            }
            State::Done(_) => None,
        }
    }

    /// Takes the result of the run at [`next_rate`](Self::next_rate). Does nothing after the end.
    pub fn tell(&mut self, result: &RunResult) {
        let Some(rate_per_s) = self.next_rate() else { return };
        let generator = result.invalid.clone();
        let met = generator.is_none() && judge(result, &self.objective).is_ok();
        if met {
            self.good_per_s = Some(rate_per_s);
            self.state = match std::mem::replace(&mut self.state, State::Done(Limit::Range)) {
                State::Ascend { .. } if rate_per_s >= self.high_per_s => State::Done(Limit::Range),
                State::Ascend { .. } => State::Ascend { rate_per_s: self.above(rate_per_s) },
                other => other,
            };
        } else if self.good_per_s.is_none() {
            self.state = State::Done(match generator {
                Some(reason) => Limit::Generator { invalid_per_s: rate_per_s, reason },
                None => Limit::BelowRange,
            });
        } else {
            self.state = State::Bisect { bad_per_s: rate_per_s, generator };
        }
        self.end_if_narrow();
    }

    /// Highest rate that met the objective, per second, so far.
    #[must_use]
    pub fn knee_per_s(&self) -> Option<f64> {
        self.good_per_s
    }

    /// What ended the search; `None` while it goes on.
    #[must_use]
    pub fn limit(&self) -> Option<&Limit> {
        match &self.state {
            State::Done(limit) => Some(limit),
            _ => None,
        }
    }

    /// Most results that the search can ask for.
    #[must_use]
    pub fn steps_max(&self) -> u32 {
        self.steps_max
    }

    /// The outcome in a sentence, for a terminal; `None` while the search goes on.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let objective = objective_text(&self.objective);
        let knee = self.good_per_s.map(|rate| format!("{rate:.0} per second met the objective"));
        let knee = knee.unwrap_or_else(|| "no rate met the objective".to_owned());
        Some(match self.limit()? {
            Limit::Server { missed_per_s } => {
                format!("{knee} ({objective}), {missed_per_s:.0} per second missed it")
            }
            Limit::Generator { invalid_per_s, reason } => format!(
                "{knee} ({objective}); the generator, not the server, was the limit at \
                 {invalid_per_s:.0} per second ({reason}): the server's knee is not known; give \
                 the generator more cores, or a machine of its own"
            ),
            Limit::Range => format!(
                "{knee} ({objective}), the highest rate of the search: the knee lies above it; \
                 raise the upper rate"
            ),
            Limit::BelowRange => format!(
                "{knee} ({objective}): the lowest rate of the search missed it; lower it, or \
                 loosen the objective"
            ),
        })
    }

    fn above(&self, rate_per_s: f64) -> f64 {
        let exact = rate_per_s * self.factor;
        let half = self.factor.sqrt();
        let round = rounded(exact);
        let near = round > rate_per_s * half && round < exact * half;
        let next = if near { round } else { exact };
        // The last step lands on `high` exactly, whatever rounding did on the way.
        if next * half >= self.high_per_s { self.high_per_s } else { next }
    }

    fn end_if_narrow(&mut self) {
        let (Some(good), State::Bisect { bad_per_s, generator }) = (self.good_per_s, &self.state)
        else {
            return;
        };
        if *bad_per_s > good * (1.0 + self.precision) {
            return;
        }
        let limit = match generator.clone() {
            Some(reason) => Limit::Generator { invalid_per_s: *bad_per_s, reason },
            None => Limit::Server { missed_per_s: *bad_per_s },
        };
        self.state = State::Done(limit);
    }
}

/// Whether a run met an objective, or why not; an invalid run never does.
///
/// # Errors
///
/// The reason, with figure and bound.
pub fn judge(result: &RunResult, objective: &Objective) -> Result<(), Missed> {
    if let Some(reason) = &result.invalid {
        return Err(Missed::Invalid { reason: reason.clone() });
    }
    let Objective { percentile, latency_us: max_us, error_share_max: share_max } = *objective;
    let share = failed_share(result);
    if share > share_max {
        return Err(Missed::Failed { share, share_max });
    }
    let value_ns = percentile_ns(&result.latency, percentile).ok_or(Missed::NoAnswer)?;
    // Whole microseconds, rounded up: 5,000,001 ns is over 5,000 us.
    let value_us = value_ns.div_ceil(1_000);
    if value_us > max_us {
        return Err(Missed::Latency { percentile, value_us, max_us });
    }
    Ok(())
}

/// Share of the due queries that failed, 0 to 1: the errors counted, or what was due and never
/// answered in whole, whichever is more. 0 if none was due.
#[must_use]
pub fn failed_share(result: &RunResult) -> f64 {
    if result.due_count == 0 {
        return 0.0;
    }
    let errors: u64 = result.errors.values().sum();
    let missing = result.due_count.saturating_sub(result.answered_count);
    (errors.max(missing) as f64 / result.due_count as f64).min(1.0)
}

/// A percentile (0 to 100) of a distribution, nanoseconds: from the list, or the first value of the
/// spectrum at or above it. `None` if the distribution is empty or does not reach so far.
#[must_use]
pub fn percentile_ns(latency: &Latency, percentile: f64) -> Option<u64> {
    if latency.count == 0 {
        return None;
    }
    let same = |at: f64| (at - percentile).abs() < 1e-9;
    let listed = latency.percentiles.iter().find(|(at, _)| same(*at));
    let found =
        listed.or_else(|| latency.spectrum.iter().find(|(at, _)| *at >= percentile || same(*at)));
    found.map(|(_, value)| *value)
}

/// An objective in words: `p99 within 5,000 us, at most 0.1 % failed`.
#[must_use]
pub fn objective_text(objective: &Objective) -> String {
    format!(
        "{} within {} us, at most {} failed",
        percentile(objective.percentile),
        count(objective.latency_us),
        percent(objective.error_share_max)
    )
}

/// The steps of a sweep by rate, not by the order in which the search made them.
#[must_use]
pub fn steps_by_rate(sweep: &SweepResult) -> Vec<&RunResult> {
    let mut steps: Vec<_> = sweep.steps.iter().collect();
    steps.sort_by(|a, b| a.asked_per_s.total_cmp(&b.asked_per_s));
    steps
}

/// Which of [`steps_by_rate`] is the knee: the one nearest to it, since a random schedule asks for
/// a rate that is a little off. `None` without a knee, or without steps.
#[must_use]
pub fn knee_index(sweep: &SweepResult) -> Option<usize> {
    let knee = sweep.knee_per_s?;
    let distance = |step: &RunResult| (step.asked_per_s - knee).abs();
    let steps = steps_by_rate(sweep).into_iter().enumerate();
    steps.min_by(|(_, a), (_, b)| distance(a).total_cmp(&distance(b))).map(|(index, _)| index)
}

/// Between two rates, by ratio, rounded where that stays between them.
fn middle(good_per_s: f64, bad_per_s: f64) -> f64 {
    let exact = (good_per_s * bad_per_s).sqrt();
    let round = rounded(exact);
    if round > good_per_s && round < bad_per_s { round } else { exact }
}

/// Rounded to three digits that count, for figures that people compare.
fn rounded(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return value;
    }
    let unit = 10_f64.powf(value.log10().floor() - 2.0);
    // Divided where the unit is a fraction, since binary has no 0.01.
    if unit >= 1.0 { (value / unit).round() * unit } else { (value / unit).round() / unit.recip() }
}

#[cfg(test)]
mod tests;

//! How the rate of queries goes over a run.
//!
//! # Invariants
//!
//! - The expected number of queries up to a time, and the time by which a number of them is
//!   expected, are exact inverses of one another; due times are made from the latter.
//!
//! # Does not
//!
//! Draw random numbers.

use std::sync::Arc;

use super::{RATE_PER_S_MAX, ShapeError};

/// How the rate goes. Rates are queries per second, of all cores together.
#[derive(Debug, Clone)]
pub enum Shape {
    /// At equal distances.
    Constant {
        /// The rate.
        rate_per_s: f64,
    },
    /// Independently of one another, at one rate.
    Poisson {
        /// The rate.
        rate_per_s: f64,
    },
    /// A Poisson process whose rate goes evenly from one to another and stays there.
    Ramp {
        /// Rate at the start; may be 0.
        from_per_s: f64,
        /// Rate at the end and from then on.
        to_per_s: f64,
        /// How long that takes, seconds.
        over_s: f64,
    },
    /// A Poisson process with bursts, each at the end of its period.
    Burst {
        /// Rate between bursts.
        rate_per_s: f64,
        /// Rate within a burst: the whole of it, not what is added.
        burst_per_s: f64,
        /// A period: from the start of one burst to that of the next, seconds.
        every_s: f64,
        /// Length of a burst, seconds.
        length_s: f64,
    },
    /// At the times of a recording.
    Recorded {
        /// Nanoseconds from the first query, not descending.
        times_ns: Arc<[u64]>,
        /// 2 sends twice as fast as it was recorded.
        speed: f64,
    },
}

fn positive(what: &'static str, value: f64, max: f64) -> Result<(), ShapeError> {
    let fits = value > 0.0 && value <= max;
    if fits { Ok(()) } else { Err(ShapeError::Bounds { what, value, max }) }
}

/// Longest period of a ramp or a burst, seconds: a year.
const PERIOD_S_MAX: f64 = 366.0 * 86_400.0;
/// Largest speed of a replay.
const SPEED_MAX: f64 = 1e6;

impl Shape {
    /// Whether a run can have this shape.
    ///
    /// # Errors
    ///
    /// What is out of bounds: name, value and bound.
    pub fn check(&self) -> Result<(), ShapeError> {
        match *self {
            Self::Constant { rate_per_s } | Self::Poisson { rate_per_s } => {
                positive("the rate per second", rate_per_s, RATE_PER_S_MAX)
            }
            Self::Ramp { from_per_s, to_per_s, over_s } => {
                if from_per_s != 0.0 {
                    positive("the first rate per second", from_per_s, RATE_PER_S_MAX)?;
                }
                positive("the last rate per second", to_per_s, RATE_PER_S_MAX)?;
                positive("the length of the ramp in seconds", over_s, PERIOD_S_MAX)
            }
            Self::Burst { rate_per_s, burst_per_s, every_s, length_s } => {
                positive("the rate per second", rate_per_s, RATE_PER_S_MAX)?;
                positive("the rate per second of bursts", burst_per_s, RATE_PER_S_MAX)?;
                positive("the period of bursts in seconds", every_s, PERIOD_S_MAX)?;
                positive("the length of a burst in seconds", length_s, every_s)
            }
            Self::Recorded { ref times_ns, speed } => {
                positive("the speed of the replay", speed, SPEED_MAX)?;
                if times_ns.is_empty() {
                    return Err(ShapeError::Empty);
                }
                match times_ns.windows(2).position(|pair| pair.first() > pair.last()) {
                    Some(at) => Err(ShapeError::Order { number: at + 2 }),
                    None => Ok(()),
                }
            }
        }
    }

    /// The shape in words, without how long it lasts.
    #[must_use]
    pub fn words(&self) -> String {
        match *self {
            Self::Constant { rate_per_s } => format!("{rate_per_s} per second at equal distances"),
            Self::Poisson { rate_per_s } => format!("{rate_per_s} per second, Poisson arrivals"),
            Self::Ramp { from_per_s, to_per_s, over_s } => format!(
                "from {from_per_s} to {to_per_s} per second over {over_s} s, Poisson arrivals"
            ),
            Self::Burst { rate_per_s, burst_per_s, every_s, length_s } => format!(
                "{rate_per_s} per second with bursts of {burst_per_s} per second for {length_s} s \
                 every {every_s} s, Poisson arrivals"
            ),
            Self::Recorded { ref times_ns, speed } => {
                format!("{} recorded queries at {speed} times their speed", times_ns.len())
            }
        }
    }

    /// Mean rate between two times, seconds from the start; 0 unless `from_s < to_s`.
    #[must_use]
    pub fn mean_per_s(&self, from_s: f64, to_s: f64) -> f64 {
        if from_s < to_s {
            (self.expected(to_s) - self.expected(from_s)) / (to_s - from_s)
        } else {
            0.0
        }
    }

    /// Queries expected before `at_s` seconds.
    fn expected(&self, at_s: f64) -> f64 {
        let at_s = at_s.max(0.0);
        match *self {
            Self::Constant { rate_per_s } | Self::Poisson { rate_per_s } => at_s * rate_per_s,
            Self::Ramp { from_per_s, to_per_s, over_s } => {
                let in_ramp_s = at_s.min(over_s);
                let slope = (to_per_s - from_per_s) / over_s;
                let in_ramp = in_ramp_s * (from_per_s + slope * in_ramp_s / 2.0);
                in_ramp + (at_s - in_ramp_s) * to_per_s
            }
            Self::Burst { rate_per_s, burst_per_s, every_s, length_s } => {
                let quiet_s = every_s - length_s;
                let periods = (at_s / every_s).floor();
                let rest_s = at_s - periods * every_s;
                let of_period = quiet_s * rate_per_s + length_s * burst_per_s;
                periods * of_period
                    + rest_s.min(quiet_s) * rate_per_s
                    + (rest_s - quiet_s).max(0.0) * burst_per_s
            }
            Self::Recorded { ref times_ns, speed } => {
                let until_ns = at_s * 1e9 * speed;
                #[expect(clippy::cast_precision_loss, reason = "counts and times below 2^53")]
                let count = times_ns.partition_point(|&time_ns| (time_ns as f64) < until_ns) as f64;
                count
            }
        }
    }

    /// Seconds from the start by which `count` queries are expected. A recording has its own
    /// times: infinite.
    pub(super) fn reached_s(&self, count: f64) -> f64 {
        match *self {
            Self::Constant { rate_per_s } | Self::Poisson { rate_per_s } => count / rate_per_s,
            Self::Ramp { from_per_s, to_per_s, over_s } => {
                let in_ramp = over_s * f64::midpoint(from_per_s, to_per_s);
                if count >= in_ramp {
                    return over_s + (count - in_ramp) / to_per_s;
                }
                let slope = (to_per_s - from_per_s) / over_s;
                let root = (from_per_s * from_per_s + 2.0 * slope * count).max(0.0).sqrt();
                2.0 * count / (from_per_s + root)
            }
            Self::Burst { rate_per_s, burst_per_s, every_s, length_s } => {
                let quiet_s = every_s - length_s;
                let in_quiet = quiet_s * rate_per_s;
                let of_period = in_quiet + length_s * burst_per_s;
                let periods = (count / of_period).floor();
                let rest = count - periods * of_period;
                let rest_s = if rest < in_quiet {
                    rest / rate_per_s
                } else {
                    quiet_s + (rest - in_quiet) / burst_per_s
                };
                periods * every_s + rest_s
            }
            Self::Recorded { .. } => f64::INFINITY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_counts_and_the_times_that_reach_them_are_inverses() {
        for shape in [
            Shape::Poisson { rate_per_s: 70.0 },
            Shape::Ramp { from_per_s: 0.0, to_per_s: 50.0, over_s: 10.0 },
            Shape::Ramp { from_per_s: 90.0, to_per_s: 5.0, over_s: 20.0 },
            Shape::Burst { rate_per_s: 10.0, burst_per_s: 100.0, every_s: 6.0, length_s: 1.5 },
        ] {
            for tenths in 1..400 {
                let at_s = f64::from(tenths) / 10.0;
                let again_s = shape.reached_s(shape.expected(at_s));
                assert!((again_s - at_s).abs() < 1e-6, "{shape:?}: {at_s} {again_s}");
            }
        }
    }

    #[test]
    fn the_mean_rate_is_that_of_the_part_that_is_asked_for() {
        let ramp = Shape::Ramp { from_per_s: 10.0, to_per_s: 30.0, over_s: 10.0 };
        assert!((ramp.mean_per_s(0.0, 10.0) - 20.0).abs() < 1e-9);
        assert!((ramp.mean_per_s(10.0, 99.0) - 30.0).abs() < 1e-9);
        let recorded = Shape::Recorded { times_ns: [0, 1_000_000_000].into(), speed: 2.0 };
        assert!((recorded.mean_per_s(0.0, 1.0) - 2.0).abs() < 1e-9);
        assert!(recorded.mean_per_s(1.0, 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_shape_out_of_bounds_is_refused_with_its_bound() {
        let refused = |shape: Shape, part: &str| {
            let message = shape.check().unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        };
        refused(Shape::Constant { rate_per_s: 0.0 }, "the rate per second is 0; it must be");
        refused(Shape::Poisson { rate_per_s: f64::NAN }, "NaN");
        refused(Shape::Ramp { from_per_s: -1.0, to_per_s: 2.0, over_s: 1.0 }, "first rate");
        refused(
            Shape::Burst { rate_per_s: 1.0, burst_per_s: 2.0, every_s: 1.0, length_s: 2.0 },
            "at most 1",
        );
        refused(Shape::Recorded { times_ns: [].into(), speed: 1.0 }, "no query");
        refused(Shape::Recorded { times_ns: [2, 1].into(), speed: 1.0 }, "query 2");
        assert!(Shape::Ramp { from_per_s: 0.0, to_per_s: 2.0, over_s: 1.0 }.check().is_ok());
    }
}

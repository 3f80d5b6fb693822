//! When each query is due: decided before the run, so that a slow server cannot slow its own test
//! down (coordinated omission).
//!
//! # Invariants
//!
//! - Due times never descend, and depend on shape, seed, core and number of cores alone.
//! - The cores of a run together have the shape's rate, whatever their number.
//!
//! # Does not
//!
//! Read a clock, or send anything.

mod due;
mod error;
mod shape;

pub use due::Due;
pub use error::ShapeError;
pub use shape::Shape;

use crate::random::Random;

/// How queries arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// At equal distances.
    Constant,
    /// Independently of one another: exponentially distributed distances.
    Poisson,
}

/// An endless sequence of due times, nanoseconds from the start of the run.
#[derive(Debug, Clone)]
pub struct Schedule {
    arrivals: Arrivals,
    distance_ns: f64,
    random: Random,
    due_ns: f64,
}

/// Highest rate, queries per second: beyond it due times would be closer than a nanosecond.
pub const RATE_PER_S_MAX: f64 = 1e9;

impl Schedule {
    /// A schedule of `rate_per_s` queries per second; the first one is due one distance after the
    /// start. `None` unless `0 < rate_per_s <= RATE_PER_S_MAX`.
    #[must_use]
    pub fn new(arrivals: Arrivals, rate_per_s: f64, seed: u64) -> Option<Self> {
        if !(rate_per_s > 0.0 && rate_per_s <= RATE_PER_S_MAX) {
            return None;
        }
        Some(Self {
            arrivals,
            distance_ns: 1e9 / rate_per_s,
            random: Random::new(seed),
            due_ns: 0.0,
        })
    }
}

impl Iterator for Schedule {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let distance_ns = match self.arrivals {
            Arrivals::Constant => self.distance_ns,
            Arrivals::Poisson => self.random.exponential() * self.distance_ns,
        };
        self.due_ns += distance_ns;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates; due times are not negative"
        )]
        Some(self.due_ns as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_arrivals_keep_their_distance_without_drift() {
        let due: Vec<u64> =
            Schedule::new(Arrivals::Constant, 6_000.0, 1).unwrap().take(60_000).collect();
        assert_eq!(due[0], 166_666);
        let last = due[59_999];
        assert!(last.abs_diff(10_000_000_000) < 1_000, "{last}");
    }

    #[test]
    fn poisson_arrivals_keep_the_rate_and_vary_as_they_should() {
        let mut schedule = Schedule::new(Arrivals::Poisson, 1_000.0, 7).unwrap();
        let mut last = 0;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..100_000 {
            let due = schedule.next().unwrap();
            let distance = due.checked_sub(last).expect("due times never descend") as f64 / 1e6;
            (sum, squares) = (sum + distance, squares + distance * distance);
            last = due;
        }
        let mean = sum / 1e5;
        let variance = squares / 1e5 - mean * mean;
        assert!((mean - 1.0).abs() < 0.02, "mean {mean} ms");
        assert!((variance - 1.0).abs() < 0.05, "variance {variance}");
    }

    #[test]
    fn the_seed_decides_the_schedule() {
        let take = |seed| -> Vec<u64> {
            Schedule::new(Arrivals::Poisson, 50.0, seed).unwrap().take(100).collect()
        };
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
    }

    #[test]
    fn a_rate_that_is_none_is_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 2e9] {
            assert!(Schedule::new(Arrivals::Constant, rate, 1).is_none(), "{rate}");
        }
    }
}

//! Why a sweep cannot be made, and why a run missed its objective.

use std::fmt;

use super::{ASCENT_COUNT_MAX, PRECISION_MAX, PRECISION_MIN};
use crate::report::units::{count, percent, percentile};

/// A sweep cannot be made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SweepError {
    /// The lower rate is not above 0 and below the higher one.
    Rates {
        /// The lower rate, per second.
        low_per_s: f64,
        /// The higher rate, per second.
        high_per_s: f64,
    },
    /// The number of steps of the ascent is out of bounds.
    Steps {
        /// The number.
        count: u32,
    },
    /// The precision is out of bounds.
    Precision {
        /// The precision, a share of the rate.
        precision: f64,
    },
    /// The percentile of the objective is out of bounds.
    Percentile {
        /// The percentile.
        percentile: f64,
    },
}

impl fmt::Display for SweepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rates { low_per_s, high_per_s } => write!(
                f,
                "sweep from {low_per_s} to {high_per_s} per second: the lower rate must be above \
                 0 and below the higher one"
            ),
            Self::Steps { count } => {
                write!(f, "{count} steps up: 2 to {ASCENT_COUNT_MAX} are possible")
            }
            Self::Precision { precision } => write!(
                f,
                "precision {precision}: a share of {PRECISION_MIN} to {PRECISION_MAX} is possible"
            ),
            Self::Percentile { percentile } => write!(
                f,
                "objective at percentile {percentile}: above 0 and at most 100 is possible"
            ),
        }
    }
}

impl std::error::Error for SweepError {}

/// Why a run did not meet an objective.
#[derive(Debug, Clone, PartialEq)]
pub enum Missed {
    /// The run is invalid.
    Invalid {
        /// Why, as its result says.
        reason: String,
    },
    /// Too many queries failed.
    Failed {
        /// Share that failed, 0 to 1.
        share: f64,
        /// The largest that the objective permits.
        share_max: f64,
    },
    /// No query was answered.
    NoAnswer,
    /// Answers took too long.
    Latency {
        /// The percentile of the objective.
        percentile: f64,
        /// Its latency, microseconds.
        value_us: u64,
        /// The longest that the objective permits, microseconds.
        max_us: u64,
    },
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { reason } => write!(f, "invalid: {reason}"),
            Self::Failed { share, share_max } => {
                write!(f, "failed {} over {}", percent(*share), percent(*share_max))
            }
            Self::NoAnswer => write!(f, "no answer"),
            Self::Latency { percentile: at, value_us, max_us } => {
                let (value, max) = (count(*value_us), count(*max_us));
                write!(f, "{} {value} us over {max} us", percentile(*at))
            }
        }
    }
}

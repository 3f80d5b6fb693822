//! Why a run cannot have a shape.

use std::fmt;

/// A run cannot have this shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ShapeError {
    /// A number is out of bounds.
    Bounds {
        /// What it is, with its unit.
        what: &'static str,
        /// The number.
        value: f64,
        /// The largest that is possible; it must be more than 0.
        max: f64,
    },
    /// A recording has no query.
    Empty,
    /// A query of a recording is earlier than the one before it.
    Order {
        /// Its number, from 1.
        number: usize,
    },
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bounds { what, value, max } => {
                write!(f, "{what} is {value}; it must be more than 0 and at most {max}")
            }
            Self::Empty => write!(f, "the recording holds no query"),
            Self::Order { number } => {
                write!(f, "query {number} of the recording is earlier than the one before it")
            }
        }
    }
}

impl std::error::Error for ShapeError {}

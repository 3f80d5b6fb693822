//! Why a run, a plan or a result cannot be had, and what to do.

use std::{fmt, io};

use crate::engine::EngineError;
use crate::http::TlsError;
use crate::result::RESULT_FORMAT;
use crate::schedule::ShapeError;

/// A run, a plan or a result cannot be had.
#[derive(Debug)]
pub enum LoadgenError {
    /// The schedule is not possible.
    Shape(ShapeError),
    /// A core cannot do its work.
    Engine(EngineError),
    /// A processor cannot be used.
    Core {
        /// Its number.
        core: usize,
        /// What the system said.
        source: io::Error,
    },
    /// The thread of a core does not start.
    Thread {
        /// Number of the processor.
        core: usize,
        /// What the system said.
        source: io::Error,
    },
    /// TLS cannot be spoken.
    Tls(TlsError),
    /// A core panicked.
    Panicked,
    /// A file is not a result.
    NoResult(serde_json::Error),
    /// A result has a format version that this build does not read.
    ResultFormat {
        /// The version.
        got: u32,
    },
    /// A field of a run's result is missing or has the wrong type.
    RunResult(serde_json::Error),
    /// A field of a sweep's result is missing or has the wrong type.
    SweepResult(serde_json::Error),
    /// A plan is to use a sweep in which no rate met the objective.
    NoKnee,
    /// A plan has no site left.
    NoSite {
        /// Sites that may be lost.
        lost: u32,
        /// Sites.
        all: u32,
    },
    /// A plan has no rate for a server.
    NoRate {
        /// What head room leaves of it, per second.
        planned_per_s: f64,
    },
}

impl fmt::Display for LoadgenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(source) => write!(f, "{source}"),
            Self::Engine(source) => write!(f, "{source}"),
            Self::Core { core, source } => write!(
                f,
                "core {core} cannot be used ({source}); `taskset -pc $$` lists those that can"
            ),
            Self::Thread { core, source } => write!(f, "core {core}: {source}"),
            Self::Tls(source) => write!(f, "{source}"),
            Self::Panicked => write!(f, "a core of the generator panicked: a bug"),
            Self::NoResult(source) => write!(f, "no result of this program: {source}"),
            Self::ResultFormat { got } => write!(
                f,
                "format version {got}, this build reads {RESULT_FORMAT}; measure again, or use \
                 the program that wrote it"
            ),
            Self::RunResult(source) => write!(f, "run: {source}"),
            Self::SweepResult(source) => write!(f, "sweep: {source}"),
            Self::NoKnee => write!(
                f,
                "no rate of this sweep met its objective; sweep lower rates, or name one with \
                 --rate-per-server"
            ),
            Self::NoSite { lost, all } => {
                write!(f, "{lost} of {all} sites may be lost: one must stay")
            }
            Self::NoRate { planned_per_s } => {
                write!(f, "{planned_per_s} per second and server: must be above 0")
            }
        }
    }
}

impl std::error::Error for LoadgenError {}

impl From<ShapeError> for LoadgenError {
    fn from(error: ShapeError) -> Self {
        Self::Shape(error)
    }
}

impl From<TlsError> for LoadgenError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

impl From<EngineError> for LoadgenError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_value_and_what_to_do() {
        let refused = || io::Error::from(io::ErrorKind::PermissionDenied);
        for (error, message) in [
            (
                LoadgenError::Core { core: 7, source: refused() },
                "core 7 cannot be used (permission denied); `taskset -pc $$` lists those that can",
            ),
            (
                EngineError::Ring { connections: 4_096, source: refused() }.into(),
                "the kernel refuses a ring with 4096 connections (permission denied); it needs \
                 Linux 6.1, and `ulimit -n` of at least that",
            ),
            (
                ShapeError::Order { number: 2 }.into(),
                "query 2 of the recording is earlier than the one before it",
            ),
            (LoadgenError::NoSite { lost: 2, all: 2 }, "2 of 2 sites may be lost: one must stay"),
        ] {
            assert_eq!(error.to_string(), message);
        }
    }
}

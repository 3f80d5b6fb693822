//! Reads a result again, whichever kind it is.
//!
//! # Invariants
//!
//! - A result of another format version is refused before its fields are looked at.
//!
//! # Does not
//!
//! Open files, or judge what it reads.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use serde::Deserialize;

use crate::LoadgenError;
use crate::result::{RESULT_FORMAT, RunResult, SweepResult};

/// What a result file holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Saved {
    /// One run.
    Run(Box<RunResult>),
    /// The steps of a sweep.
    Sweep(Box<SweepResult>),
}

/// The fields that tell them apart.
#[derive(Deserialize)]
struct Head {
    format: u32,
    steps: Option<serde::de::IgnoredAny>,
    objective: Option<serde::de::IgnoredAny>,
}

impl Saved {
    /// Reads JSON: a sweep has `steps` and `objective`, a run has neither.
    ///
    /// # Errors
    ///
    /// Not JSON, another format version, or a field that is missing or of another type.
    pub fn parse(text: &str) -> Result<Self, LoadgenError> {
        let head: Head = serde_json::from_str(text).map_err(LoadgenError::NoResult)?;
        if head.format != RESULT_FORMAT {
            return Err(LoadgenError::ResultFormat { got: head.format });
        }
        if head.steps.is_some() && head.objective.is_some() {
            return serde_json::from_str(text).map(Self::Sweep).map_err(LoadgenError::SweepResult);
        }
        serde_json::from_str(text).map(Self::Run).map_err(LoadgenError::RunResult)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{Method, Objective};

    #[test]
    fn runs_and_sweeps_are_distinguished() {
        let objective = Objective { percentile: 99.0, latency_us: 1, error_share_max: 0.0 };
        let sweep =
            SweepResult { format: RESULT_FORMAT, objective, steps: vec![], knee_per_s: None };
        let text = serde_json::to_string(&sweep).unwrap();
        assert_eq!(Saved::parse(&text).unwrap(), Saved::Sweep(Box::new(sweep)));
        let error = Saved::parse(r#"{"format": 1}"#).unwrap_err().to_string();
        assert!(error.starts_with("run: missing field"), "{error}");
    }

    #[test]
    fn other_versions_and_other_files_are_refused() {
        let error = Saved::parse(r#"{"format": 2}"#).unwrap_err().to_string();
        assert!(error.contains("format version 2, this build reads 1"), "{error}");
        for text in ["", "[]", "{}", "{\"format\": -1}", "WHOIS"] {
            let error = Saved::parse(text).unwrap_err().to_string();
            assert!(error.starts_with("no result of this program"), "{text}: {error}");
        }
        let method = serde_json::to_string(&Method::default()).unwrap();
        assert!(Saved::parse(&method).is_err());
    }
}

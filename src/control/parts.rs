//! What a reload can put in force besides the lists: how answers read, the log's level.
//!
//! # Does not
//!
//! Know when it is asked.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::error::PartError;
use super::reload::Part;
use crate::config::{ANSWERS, Settings};
use crate::observe::log;
use crate::policy::Rules;

/// The rules of how answers read.
#[derive(Debug)]
pub struct Answers {
    rules: Arc<ArcSwap<Rules>>,
    prepared: Option<Arc<Rules>>,
}

impl Answers {
    /// Swaps the rules in `rules`.
    #[must_use]
    pub fn new(rules: Arc<ArcSwap<Rules>>) -> Self {
        Self { rules, prepared: None }
    }
}

impl Part for Answers {
    fn takes(&self, key: &str) -> bool {
        key == ANSWERS
    }

    fn prepare(&mut self, settings: &Settings) -> Result<(), PartError> {
        self.prepared = Some(Arc::clone(settings.answers.rules()));
        Ok(())
    }

    fn commit(&mut self) {
        if let Some(rules) = self.prepared.take() {
            self.rules.store(rules);
        }
    }
}

/// The level of the log.
#[derive(Debug, Default)]
pub struct LogLevel {
    prepared: log::Level,
}

impl Part for LogLevel {
    fn takes(&self, key: &str) -> bool {
        key == "log.level"
    }

    fn prepare(&mut self, settings: &Settings) -> Result<(), PartError> {
        self.prepared = settings.log.level;
        Ok(())
    }

    fn commit(&mut self) {
        log::set_level(self.prepared);
    }
}

//! How answers read: as the configuration says it, and compiled.
//!
//! # Invariants
//!
//! - `compiled once`: rules are made where the settings are read, and handed on; nobody checks or
//!   compiles them again.

use std::sync::Arc;

use super::settings::{SettingError, Settings};
use crate::policy::Rules;

/// The tables of a configuration, and the rules that were made of them.
#[derive(Debug, Clone)]
pub struct Answers {
    written: Settings,
    rules: Arc<Rules>,
}

impl Default for Answers {
    fn default() -> Self {
        Self { written: Settings::default(), rules: Arc::new(Rules::standard()) }
    }
}

impl PartialEq for Answers {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Answers {
    /// Compiles tables; with every setting that cannot be used, if there is one: the rules are the
    /// standard ones then.
    #[must_use]
    pub fn compile(written: Settings) -> (Self, Vec<SettingError>) {
        let problems = written.problems();
        let rules = if problems.is_empty() { Rules::of_valid(&written) } else { Rules::standard() };
        (Self { written, rules: Arc::new(rules) }, problems)
    }

    /// As the file says it.
    #[must_use]
    pub const fn written(&self) -> &Settings {
        &self.written
    }

    /// What answers are made under.
    #[must_use]
    pub const fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }
}

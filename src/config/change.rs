//! What differs between two configurations, setting by setting.
//!
//! # Does not
//!
//! Know which of them can change while a server runs: `control::reload` does.

use std::fmt;

use super::Settings;
use super::show::rows;

/// The key under which a change of how answers read is named.
pub const ANSWERS: &str = "answers";

/// The key under which a change of listeners behind proxies is named.
const PROXIES: &str = "proxy";

/// A setting that has another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key with its table; [`ANSWERS`] for `[defaults]`, `[[tld]]`, `[[registrar]]` and
    /// `[[tier]]`, `proxy` for `[[proxy]]`.
    pub key: &'static str,
    /// The value before, as TOML; `None`: it was not set.
    pub from: Option<String>,
    /// The value after.
    pub to: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key == ANSWERS {
            let what = "how answers read ([defaults], [[tld]], [[registrar]], [[tier]])";
            return write!(f, "{what}: changed");
        }
        if self.key == PROXIES {
            return f.write_str("listeners behind proxies ([[proxy]]): changed");
        }
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
        write!(f, "{}: changed from {} to {}", self.key, value(&self.from), value(&self.to))
    }
}

/// What differs of the settings of one program, in their order. What it does not read is left out:
/// a restart of it would change nothing.
#[must_use]
pub fn changes(old: &Settings, new: &Settings) -> Vec<Change> {
    let mut changes: Vec<_> = rows(old)
        .into_iter()
        .zip(rows(new))
        .filter(|((key, from), (_, to))| from != to && new.program.reads(key))
        .map(|((key, from), (_, to))| Change { key, from, to })
        .collect();
    if old.answers != new.answers {
        changes.push(Change { key: ANSWERS, from: None, to: None });
    }
    if old.proxies != new.proxies {
        changes.push(Change { key: PROXIES, from: None, to: None });
    }
    changes
}

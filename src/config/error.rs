//! Why a configuration is refused: place, key, value, bound.

use std::io;
use std::path::PathBuf;

use crate::observe::printable::printable;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no TOML, a key is unknown, or a value has the wrong type.
    #[error("{}:{line}: {}{problem}", path.display(), prefix(key))]
    Refused {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key in this line with its table, empty if there is none.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// A value is out of bounds, or does not read as what it should be.
    #[error("{place}: {key}: {}", printable(problem))]
    Setting {
        /// File and line, or the flag.
        place: String,
        /// The key with its table.
        key: String,
        /// What is wrong, with the value and the bound.
        problem: String,
    },
    /// A setting without a default is not set.
    #[error("{key} is not set; give {flag}, or set it in the configuration file")]
    Missing {
        /// The key with its table.
        key: &'static str,
        /// The flag that sets it.
        flag: &'static str,
    },
}

fn prefix(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}: ") }
}

impl ConfigError {
    /// Exit status of a command that meets this: 1 if it could not be read, 3 if it is refused.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Read { .. } => 1,
            _ => 3,
        }
    }
}

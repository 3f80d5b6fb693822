//! Why a configuration is refused: place, key, value, bound.

use std::io;
use std::path::PathBuf;

use super::value::ValueError;
use crate::observe::printable::printable;

/// Where a package puts the configuration, and `deploy/whoisd.service` expects it.
pub const STANDARD_FILE: &str = "/etc/whoisd/whoisd.toml";

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is not TOML, a key is unknown, or a value has the wrong type.
    #[error("{}:{line}: {}{problem}", path.display(), prefix(key))]
    Refused {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key in this line with its table, empty if there is none.
        key: String,
        /// What is wrong, in the parser's words.
        problem: String,
    },
    /// A value is out of bounds, or does not read as what it should be.
    #[error("{place}: {key}: {}", printable(&problem.to_string()))]
    Setting {
        /// File and line, or the flag.
        place: String,
        /// The key with its table.
        key: String,
        /// What is wrong, with the value and the bound.
        problem: Box<ValueError>,
    },
    /// A setting without a default is not set.
    #[error(
        "{key} is not set; give {flag}, or --config FILE with a file that sets it (without both, \
         {STANDARD_FILE} is read if it is there)"
    )]
    Missing {
        /// The key with its table.
        key: &'static str,
        /// The flag that sets it.
        flag: &'static str,
    },
    /// Several of these, each in a line of its own.
    #[error("{}", lines(.0))]
    Several(Vec<Self>),
}

fn lines(errors: &[ConfigError]) -> String {
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn prefix(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}: ") }
}

impl ConfigError {
    /// One error of all that were found; nothing if there are none.
    pub(super) fn of(mut errors: Vec<Self>) -> Result<(), Self> {
        match errors.len() {
            0 => Ok(()),
            1 => errors.pop().map_or(Ok(()), Err),
            _ => Err(Self::Several(errors)),
        }
    }

    /// The errors that it is made of.
    #[must_use]
    pub fn each(&self) -> &[Self] {
        match self {
            Self::Several(errors) => errors,
            one => std::slice::from_ref(one),
        }
    }

    /// The line of the file that it is about; 0 if it is about none.
    #[must_use]
    pub fn line(&self) -> usize {
        match self {
            Self::Refused { line, .. } => *line,
            Self::Setting { place, .. } => {
                let line = place.rsplit_once(':').and_then(|(_, line)| line.parse().ok());
                line.unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// The key with its table that it is about; empty if it is about none.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Refused { key, .. } | Self::Setting { key, .. } => key,
            Self::Missing { key, .. } => key,
            Self::Read { .. } | Self::Several(_) => "",
        }
    }

    /// Exit status of a command that meets this: 1 if it could not be read, 3 if it is refused.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Read { .. } => 1,
            Self::Several(errors) => errors.iter().map(Self::status).max().unwrap_or(3),
            _ => 3,
        }
    }
}

//! Why a configuration is refused: place, key, value, bound.

use std::io;
use std::path::PathBuf;

use ipnet::IpNet;

use super::guard::CANARY_BYTES_MAX;
use crate::observe::printable::printable;
use crate::policy::display::settings::TextError;
use crate::policy::mining::CANARIES_MAX;
use crate::warden::CHANNEL_BYTES_MAX;

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

/// What is wrong with a value, whatever its key.
#[derive(Debug, thiserror::Error)]
pub(super) enum ValueError {
    /// A text cannot be part of an answer.
    #[error(transparent)]
    Text(#[from] TextError),
    /// There are too many names of canary records.
    #[error("{got} names, expected at most {CANARIES_MAX}")]
    CanaryCount { got: usize },
    /// Texts are not names of records.
    #[error(
        "{} is not a name of 1 to {CANARY_BYTES_MAX} letters, digits, hyphens and dots; write IDNs \
         as A-labels",
        quoted(names)
    )]
    Canaries { names: Vec<String> },
    /// A text is not the address of a Redis server. It is not quoted: it may hold a password,
    /// although it should not.
    #[error("is not the address of a Redis server; expected \"redis://127.0.0.1:6379\"")]
    Redis,
    /// The address of a Redis server has a user or a password.
    #[error(
        "the address holds a user or a password, which would be shown; put one line \
         \"user:password\" into a file and name it as site.credentials"
    )]
    RedisPassword,
    /// A text is not the name of a channel.
    #[error("{name:?} is not a name of 1 to {CHANNEL_BYTES_MAX} letters, digits and `-_.:`")]
    Channel { name: String },
    /// A text is not a network.
    #[error("{text:?} is not a network; write \"10.0.0.0/8\" or \"2001:db8::1\"")]
    Network { text: String },
    /// Bits of a network's address are set after the length of its prefix.
    #[error("{text} has bits behind its prefix; write \"{}\" for the network", network.trunc())]
    HostBits { text: String, network: IpNet },
    /// A network is that of all addresses.
    #[error("{text} is everybody, who could then say to be anybody; name balancers")]
    Everybody { text: String },
    /// A path ends in no name.
    #[error("{path:?} names no file; write one such as \"/etc/whoisd/a.toml\"")]
    NoFile { path: PathBuf },
    /// A path is a pattern of another kind than ours.
    #[error(
        "{path:?} is not a pattern; `*` may stand in the last part, as in \
         \"/etc/whoisd/lists.d/*.toml\""
    )]
    Pattern { path: PathBuf },
}

fn quoted(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
    names.join(", ")
}

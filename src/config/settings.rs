//! Everything that can be set, and where each value comes from.
//!
//! # Does not
//!
//! Read or check anything: `load` does.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use hashbrown::HashMap;

use super::keys::{DRAIN_DELAY_MS, FOLLOW_MS, KEEP, SHUTDOWN_MS};
use super::{ConfigError, Nats, Policy, Program, Registrars, Web};
use crate::bounds::{UnknownWord, of_word};
use crate::feed::spool;
use crate::observe::log;
use crate::policy::display::Answers;
use crate::policy::{guard, limit};
use crate::port43;
use crate::querylog;
use crate::updater;
use crate::warden;

/// Everything that can be set, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The snapshot directory; no default.
    pub dir: Option<PathBuf>,
    /// Addresses listened on.
    pub listen: Vec<SocketAddr>,
    /// Cores with a shard; `None` is every core that the process may use.
    pub cores: Option<Vec<usize>>,
    /// How long connections in flight may go on after the stop, milliseconds.
    pub shutdown_ms: u64,
    /// Socket of the control commands; `None`: `control.sock` in the snapshot directory; empty:
    /// none.
    pub control: Option<PathBuf>,
    /// From the stop until listeners close, milliseconds.
    pub drain_delay_ms: u64,
    /// Listeners behind proxies.
    pub proxies: Vec<port43::proxy::Rule>,
    /// The connection engine.
    pub port43: port43::Settings,
    /// When checksums are compared.
    pub check: Check,
    /// Older states that are kept to go back to.
    pub keep: u64,
    /// How often a directory is looked at that another process writes, milliseconds.
    pub follow_ms: u64,
    /// Whether changes are taken from the spool of the directory.
    pub spool: bool,
    /// What is kept of files that were applied from it.
    pub spool_keep: spool::Keep,
    /// The updater's core; `None`: any that no shard has, if there are such.
    pub updater_core: Option<usize>,
    /// The updater.
    pub updater: updater::Settings,
    /// Exceptions by address prefix.
    pub policy: Policy,
    /// Where health and figures are answered over HTTP; `None`: nowhere.
    pub status_listen: Option<SocketAddr>,
    /// Where connections are accepted and closed while the server is ready; `None`: nowhere.
    pub health_listen: Option<SocketAddr>,
    /// Age of the data at which the server stops being ready, seconds; 0: never.
    pub ready_age_max_s: u64,
    /// Which queries are served, and how many.
    pub guard: guard::Settings,
    /// Memory of the limiter, bytes.
    pub limits_memory_bytes: u64,
    /// Blocks, signs of mining, the other nodes of the site.
    pub warden: warden::Settings,
    /// The log.
    pub log: log::Settings,
    /// The stream that the node follows, if it follows one.
    pub nats: Option<Nats>,
    /// The query log.
    pub query_log: querylog::Settings,
    /// How answers read.
    pub answers: Answers,
    /// Files that add to registrars.
    pub registrars: Registrars,
    /// The server of RDAP.
    pub web: Web,
    /// The program that they are for.
    pub program: Program,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dir: None,
            listen: vec![
                SocketAddr::from((Ipv4Addr::UNSPECIFIED, 43)),
                SocketAddr::from((Ipv6Addr::UNSPECIFIED, 43)),
            ],
            cores: None,
            shutdown_ms: SHUTDOWN_MS.default,
            control: None,
            drain_delay_ms: DRAIN_DELAY_MS.default,
            proxies: Vec::new(),
            port43: port43::Settings::default(),
            check: Check::default(),
            keep: KEEP.default,
            follow_ms: FOLLOW_MS.default,
            spool: false,
            spool_keep: spool::Keep::default(),
            updater_core: None,
            updater: updater::Settings::default(),
            policy: Policy::default(),
            status_listen: None,
            health_listen: None,
            ready_age_max_s: 0,
            guard: guard::Settings::default(),
            limits_memory_bytes: limit::MEMORY_BYTES.default,
            warden: warden::Settings::default(),
            log: log::Settings::default(),
            nats: None,
            query_log: querylog::Settings::default(),
            answers: Answers::default(),
            registrars: Registrars::default(),
            web: Web::default(),
            program: Program::default(),
        }
    }
}

impl Settings {
    /// The control socket: where it was set, or in the snapshot directory; `None`: there is none.
    #[must_use]
    pub fn control_path(&self) -> Option<PathBuf> {
        match &self.control {
            Some(path) => (!path.as_os_str().is_empty()).then(|| path.clone()),
            None => self.dir.as_ref().map(|dir| dir.join(self.program.keys().control_name)),
        }
    }

    /// Settings that work, and hardly as they are meant, each with its key.
    #[must_use]
    pub fn doubtful(&self) -> Vec<String> {
        super::contradiction::doubtful(self)
    }

    /// The snapshot directory.
    ///
    /// # Errors
    ///
    /// If neither flag nor file names it.
    pub fn dir(&self) -> Result<&Path, ConfigError> {
        let missing = ConfigError::Missing { key: "server.dir", flag: "--dir DIR" };
        self.dir.as_deref().ok_or(missing)
    }
}

/// What the command line sets.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--dir`.
    pub dir: Option<PathBuf>,
    /// `--listen`, each time.
    pub listen: Vec<SocketAddr>,
    /// `--cores`.
    pub cores: Option<String>,
    /// `--engine`.
    pub engine: Option<port43::limits::Wanted>,
    /// `--check`.
    pub check: Option<Check>,
    /// `--spool`.
    pub spool: bool,
    /// `--log-format`.
    pub log_format: Option<log::Format>,
    /// `--log-level`.
    pub log_level: Option<log::Level>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// This line of the file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// This flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// When a server compares the checksums of what it serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// While answers are given already.
    #[default]
    Behind,
    /// Before the first answer.
    First,
}

impl Check {
    /// The word in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Behind => "behind",
            Self::First => "first",
        }
    }
}

impl std::str::FromStr for Check {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        of_word(text, [Self::Behind, Self::First], Self::word)
    }
}

/// The settings in force, and where each comes from.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The settings.
    pub settings: Settings,
    pub(super) origins: HashMap<&'static str, Origin, ahash::RandomState>,
}

impl Effective {
    /// Where the value of a key (with its table, `server.dir`) comes from.
    #[must_use]
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }
}

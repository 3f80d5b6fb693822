//! Keeps the books that no query waits for: which sources are blocked and for how long, which seem
//! to mine, which ask most, and what the other nodes of the site have served.
//!
//! ```text
//! shards ─ Observed ─▶ bounded rings ─▶ warden ─▶ book ─▶ Blocks, swapped ─▶ shards
//!                                     │ │ └─▶ miner ─▶ flags (and blocks, if told to)
//!                                     │ └───▶ site: Redis, both ways ─▶ limiter
//!                                     └─────▶ file of the blocks
//! ```
//!
//! # Invariants
//!
//! - `never waited for`: a shard puts what it has seen into its ring, or drops it and counts that.
//! - `one book`: this thread alone writes blocks; commands reach it by a channel.
//! - `survives`: blocks are written beside, synced and renamed about [`SAVE_MS`] after a change, on
//!   a thread of its own.
//! - `two clocks`: how often something is done goes by a clock that never jumps; the wall clock
//!   says when blocks begin and end, and when it jumps, blocks move with it.
//!
//! # Does not
//!
//! Decide about a query: `policy::guard` does.

mod reports;
mod saver;
mod site;
mod state;
#[cfg(test)]
mod tests;
mod thread;
mod top;

use std::path::{Path, PathBuf};

pub use reports::{NAME_BYTES_MAX, Observed, Reporter, Reports};
pub use site::SiteFigures;
pub use thread::{Figures, Order, Warden, start};
pub use top::Top;

use crate::bounds::Bound;
use crate::policy::{block, mining};

/// How often usage goes to the other nodes of a site, milliseconds.
pub const INTERVAL_MS: Bound = Bound::new(200, 20, 10_000);

/// Longest name of a channel, bytes.
pub const CHANNEL_BYTES_MAX: usize = 64;

/// How often rings are emptied, milliseconds: at 100,000 queries a second a ring fills in 160 ms.
const TURN_MS: u64 = 20;

/// How soon after a change blocks are written to the disk, milliseconds.
pub const SAVE_MS: u64 = 1_000;

/// The settings of the warden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long blocks last.
    pub terms: block::Terms,
    /// The file that keeps blocks over a restart; `None`: that name in the snapshot directory.
    pub state: Option<PathBuf>,
    /// Name of that file in the snapshot directory.
    pub state_name: &'static str,
    /// Whether mining is looked for.
    pub mining_enabled: bool,
    /// Whether a source that seems to mine is blocked.
    pub mining_blocks: bool,
    /// When something is a sign of mining.
    pub mining: mining::Settings,
    /// The other nodes.
    pub site: Site,
}

impl Settings {
    /// The file of the blocks of a server of `dir`.
    #[must_use]
    pub fn state_path(&self, dir: &Path) -> PathBuf {
        // A directory that is one snapshot file keeps its blocks beside itself.
        let dir = if dir.is_file() { dir.parent().unwrap_or(dir) } else { dir };
        self.state.clone().unwrap_or_else(|| dir.join(self.state_name))
    }

    /// Whether a server of `dir` can keep its blocks, which nothing is changed for: what it holds
    /// against a start, and else what it loses blocks by.
    #[must_use]
    pub fn check_state(&self, dir: &Path) -> StateFound {
        let path = self.state_path(dir);
        let at = path.display();
        match state::read(&path, self.state.is_some()) {
            Err(state::Unread::Foreign(foreign)) => StateFound::Foreign(format!("{at}: {foreign}")),
            Err(state::Unread::Refused(error)) => {
                StateFound::Doubtful(format!("{at}: {error}: blocks are not kept"))
            }
            Err(state::Unread::Damaged(damaged)) => {
                StateFound::Doubtful(format!("{at}: {damaged}: a start puts it aside"))
            }
            Ok(_) => StateFound::Good(path),
        }
    }
}

/// What is found of the file of the blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateFound {
    /// It is a file of blocks, or is to be made.
    Good(PathBuf),
    /// A server starts, and does not have, or keep, its blocks.
    Doubtful(String),
    /// It is something else: no server starts with it.
    Foreign(String),
}

/// How the nodes of a site tell each other what they have served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Address of a Redis or Valkey server; `None`: each node limits alone.
    pub redis: Option<String>,
    /// File with one line `user:password` for it, if it wants one; the user may be empty.
    pub credentials: Option<PathBuf>,
    /// Name of the channel: one for each site.
    pub channel: String,
    /// How often usage is sent, milliseconds.
    pub interval_ms: u64,
}

impl Default for Site {
    fn default() -> Self {
        let channel = "whoisd-usage".to_owned();
        Self { redis: None, credentials: None, channel, interval_ms: INTERVAL_MS.default }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            terms: block::Terms::default(),
            state: None,
            state_name: "blocks.json",
            mining_enabled: true,
            mining_blocks: false,
            mining: mining::Settings::default(),
            site: Site::default(),
        }
    }
}

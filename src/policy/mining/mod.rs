//! Sources that copy the registry name by name: seen over all sources, not only within each.
//!
//! | signal | what is seen |
//! |---|---|
//! | `sequence` | names that count on (`shop9`, `shop10`; `aaz`, `aba`), whoever asks for them |
//! | `ascending` | a source, or a network, that goes through names in order: a dictionary |
//! | `misses` | mostly names that are not registered: guessing |
//! | `spread` | many addresses of one network, each within its limit |
//! | `canary` | a name that nobody can know but from the registry's own data |
//!
//! # Invariants
//!
//! - `bounded`: the sources and names that are kept have a bound, for one window; more are left out
//!   and counted. The cost of one query does not depend on how many there are.
//! - `flags only`: nothing here refuses anybody.
//! - A prefix is flagged once for each signal within [`QUIET_WINDOWS`] windows.
//!
//! # Does not
//!
//! Read a clock: times are arguments, milliseconds.

mod sequence;

use std::net::IpAddr;

use ahash::RandomState;
use hashbrown::{HashMap, HashSet};
use ipnet::IpNet;

use super::limit::source_of;
use crate::bounds::Bound;
use sequence::Sequences;

/// Length of a window, milliseconds.
pub const WINDOW_MS: i64 = 60_000;

/// Windows in which a flag is not repeated.
pub const QUIET_WINDOWS: i64 = 10;

/// Sources and networks that are kept for a window.
const SOURCES_MAX: usize = 65_536;

/// Bytes of a name that are kept of the last query of a source.
const NAME_BYTES: usize = 24;

/// Number of consecutive names that is not a coincidence any more.
pub const SEQUENCE_MIN: Bound = Bound::new(30, 5, 100_000);

/// Queries of a source or network within a window, from which on their order and outcome tell
/// something. Below the 60 a minute that an address has by default: a source that uses all of them
/// is seen.
pub const QUERIES_MIN: Bound = Bound::new(50, 10, 1_000_000);

/// Share of steps upwards at which the order counts as a walk, percent.
pub const ASCENDING_PERCENT: Bound = Bound::new(90, 60, 100);

/// Share of queries without a record at which they count as guessing, percent.
pub const MISSES_PERCENT: Bound = Bound::new(90, 1, 100);

/// Addresses of a network (links, in IPv6) within a window at which it counts as spread.
pub const SPREAD_MIN: Bound = Bound::new(32, 2, 256);

/// Addresses that have to take part before a network is flagged for what its queries look like: one
/// of them alone is a source, and answers for itself.
const NETWORK_SOURCES_MIN: u64 = 4;

/// Most names of canary records.
pub const CANARIES_MAX: usize = 10_000;

/// When something is a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Names in a row.
    pub sequence_min: u64,
    /// Queries in a window.
    pub queries_min: u64,
    /// Share of upward steps, percent.
    pub ascending_percent: u64,
    /// Share of misses, percent.
    pub misses_percent: u64,
    /// Addresses of a network.
    pub spread_min: u64,
    /// Names of canary records, in lower case.
    pub canaries: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sequence_min: SEQUENCE_MIN.default,
            queries_min: QUERIES_MIN.default,
            ascending_percent: ASCENDING_PERCENT.default,
            misses_percent: MISSES_PERCENT.default,
            spread_min: SPREAD_MIN.default,
            canaries: Vec::new(),
        }
    }
}

/// What gives a miner away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Names that count on.
    Sequence,
    /// Names in order.
    Ascending,
    /// Names that are not there.
    Misses,
    /// Many addresses of one network.
    Spread,
    /// A canary record.
    Canary,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Sequence, Self::Ascending, Self::Misses, Self::Spread, Self::Canary];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sequence => "sequence",
            Self::Ascending => "ascending",
            Self::Misses => "misses",
            Self::Spread => "spread",
            Self::Canary => "canary",
        }
    }
}

/// One query, as far as mining goes.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    /// The address that asks.
    pub address: IpAddr,
    /// The name asked for; its case does not matter.
    pub name: &'a [u8],
    /// Whether there was no record.
    pub missed: bool,
    /// When.
    pub at_ms: i64,
}

/// A source that seems to mine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// What gave it away.
    pub signal: Signal,
    /// An address, or the network around it.
    pub prefix: IpNet,
    /// When.
    pub at_ms: i64,
    /// What was seen, for people.
    pub evidence: String,
    /// Whether the prefix did so by itself, so that it can be blocked for it: the end of a run that
    /// others have walked is a sign alone.
    pub is_own: bool,
}

/// What is kept of a source or a network for a window.
#[derive(Default)]
struct Walk {
    query_count: u64,
    missed_count: u64,
    step_count: u64,
    ascending_count: u64,
    last: [u8; NAME_BYTES],
    /// Of a network: hashes of its sources, at most as many as make a signal.
    sources: HashSet<u64, RandomState>,
}

/// A flag that is not repeated for a time.
#[derive(Clone, Copy, Debug)]
struct Flagged {
    at_ms: i64,
    is_own: bool,
}

fn own(signal: Signal, prefix: IpNet, at_ms: i64, evidence: String) -> Flag {
    Flag { signal, prefix, at_ms, evidence, is_own: true }
}

/// Looks at queries as they come.
pub struct Miner {
    settings: Settings,
    canaries: HashSet<Box<[u8]>, RandomState>,
    walks: HashMap<IpNet, Walk, RandomState>,
    sequences: Sequences,
    hasher: RandomState,
    window_end_ms: i64,
    /// When each was flagged last.
    flagged: HashMap<(Signal, IpNet), Flagged, RandomState>,
    untracked_count: u64,
}

impl Miner {
    /// A miner that has seen nothing.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let lower = |name: &String| {
            let name = name.strip_suffix('.').unwrap_or(name);
            name.to_ascii_lowercase().into_bytes().into()
        };
        let canaries = settings.canaries.iter().take(CANARIES_MAX).map(lower).collect();
        Self {
            settings,
            canaries,
            walks: HashMap::default(),
            sequences: Sequences::default(),
            hasher: RandomState::new(),
            window_end_ms: i64::MIN,
            flagged: HashMap::default(),
            untracked_count: 0,
        }
    }

    /// Other settings from now on.
    pub fn set(&mut self, settings: Settings) {
        if self.settings != settings {
            *self = Self { flagged: std::mem::take(&mut self.flagged), ..Self::new(settings) };
        }
    }

    /// Sources and networks, and flags of them, that were left out because there were too many.
    #[must_use]
    pub const fn untracked_count(&self) -> u64 {
        self.untracked_count
    }

    /// Takes a query in; appends what it gives away to `flags`.
    pub fn see(&mut self, seen: Lookup<'_>, flags: &mut Vec<Flag>) {
        // A clock that was set back begins another one, too.
        let begin_ms = self.window_end_ms.saturating_sub(WINDOW_MS);
        if !(begin_ms..self.window_end_ms).contains(&seen.at_ms) {
            self.next_window(seen.at_ms);
        }
        let mut lower = [0; 256];
        let bytes = seen.name.len().min(lower.len());
        for (to, from) in lower.iter_mut().zip(seen.name) {
            *to = from.to_ascii_lowercase();
        }
        let name = lower.get(..bytes).unwrap_or_default();
        let name = name.strip_suffix(b".").unwrap_or(name);
        let source = source_of(seen.address);
        let network = network_of(seen.address);
        if self.canaries.contains(name) {
            let evidence = format!("asked for the canary {}", name.escape_ascii());
            let flag = own(Signal::Canary, source, seen.at_ms, evidence);
            self.flag(flag, flags);
        }
        let run = self.sequences.see(name, self.hasher.hash_one(network));
        let sequence_min = self.settings.sequence_min;
        if run.len >= sequence_min {
            let evidence = format!("{} names in a row up to {}", run.len, name.escape_ascii());
            let flag = own(Signal::Sequence, network, seen.at_ms, evidence);
            self.flag(Flag { is_own: run.own_len >= sequence_min, ..flag }, flags);
        }
        for prefix in [source, network] {
            let source_hash = self.hasher.hash_one(source);
            self.walk(prefix, (prefix == network).then_some(source_hash), name, &seen, flags);
        }
    }

    fn walk(
        &mut self,
        prefix: IpNet,
        source_hash: Option<u64>,
        name: &[u8],
        seen: &Lookup<'_>,
        flags: &mut Vec<Flag>,
    ) {
        if self.walks.len() >= SOURCES_MAX && !self.walks.contains_key(&prefix) {
            self.untracked_count += 1;
            return;
        }
        let settings = &self.settings;
        let walk = self.walks.entry(prefix).or_default();
        walk.take(name, seen.missed);
        if let Some(hash) = source_hash
            && (walk.sources.len() as u64) < settings.spread_min.max(NETWORK_SOURCES_MIN)
        {
            walk.sources.insert(hash);
        }
        if walk.query_count < settings.queries_min {
            return;
        }
        let source_count = walk.sources.len() as u64;
        // Queries of one of its addresses alone are not a sign of a network.
        let is_one = source_hash.is_none() || source_count >= NETWORK_SOURCES_MIN;
        let mut found = [None, None, None];
        let (queries, misses) = (walk.query_count, walk.missed_count);
        if is_one && misses * 100 >= queries * settings.misses_percent {
            let evidence = format!("{misses} of {queries} queries found nothing");
            found[0] = Some((Signal::Misses, evidence));
        }
        let (steps, upwards) = (walk.step_count, walk.ascending_count);
        if is_one
            && steps >= settings.queries_min
            && upwards * 100 >= steps * settings.ascending_percent
        {
            let evidence = format!("{upwards} of {steps} steps go up in order of names");
            found[1] = Some((Signal::Ascending, evidence));
        }
        // Many addresses are a sign only where they ask for much more than one may.
        let is_much = queries >= settings.queries_min.saturating_mul(2);
        if source_count >= settings.spread_min && is_much {
            let evidence =
                format!("{queries} queries of {} addresses or more", settings.spread_min);
            found[2] = Some((Signal::Spread, evidence));
        }
        for (signal, evidence) in found.into_iter().flatten() {
            self.flag(own(signal, prefix, seen.at_ms, evidence), flags);
        }
    }

    fn flag(&mut self, flag: Flag, flags: &mut Vec<Flag>) {
        let key = (flag.signal, flag.prefix);
        let is_strike_now = flag.is_own && self.flagged.get(&key).is_some_and(|last| !last.is_own);
        if self.flagged.contains_key(&key) && !is_strike_now {
            return;
        }
        // Sources that fill the table with other signs do not hide one that asks for a canary.
        let room = if flag.signal == Signal::Canary { 2 * SOURCES_MAX } else { SOURCES_MAX };
        if self.flagged.len() >= room {
            self.untracked_count += 1;
            return;
        }
        self.flagged.insert(key, Flagged { at_ms: flag.at_ms, is_own: flag.is_own });
        flags.push(flag);
    }

    fn next_window(&mut self, now_ms: i64) {
        self.window_end_ms = now_ms.saturating_add(WINDOW_MS);
        self.walks.clear();
        self.sequences.next_window();
        let old_ms = now_ms.saturating_sub(WINDOW_MS * QUIET_WINDOWS);
        self.flagged.retain(|_, flagged| flagged.at_ms > old_ms && flagged.at_ms <= now_ms);
    }
}

impl Walk {
    fn take(&mut self, name: &[u8], missed: bool) {
        let mut kept = [0; NAME_BYTES];
        for (to, from) in kept.iter_mut().zip(name) {
            *to = *from;
        }
        if self.query_count > 0 && kept != self.last {
            self.step_count += 1;
            self.ascending_count += u64::from(kept > self.last);
        }
        self.last = kept;
        self.query_count += 1;
        self.missed_count += u64::from(missed);
    }
}

/// The network that one holder commonly has: /24 and /48.
fn network_of(address: IpAddr) -> IpNet {
    let length = match address {
        IpAddr::V4(_) => 24,
        IpAddr::V6(_) => 48,
    };
    IpNet::new(address, length).map_or_else(|_| address.into(), |net| net.trunc())
}

#[cfg(test)]
mod tests;

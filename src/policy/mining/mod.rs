//! Who takes the registry away name by name: seen over all sources, not only within each.
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
//! - `bounded`: so many sources and names are kept at most, for one window; more are left out and
//!   counted. What one query costs does not depend on how many there are.
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
use crate::config::Bound;
use sequence::Sequences;

/// Length of a window, milliseconds.
pub const WINDOW_MS: i64 = 60_000;

/// Windows in which a flag is not repeated.
pub const QUIET_WINDOWS: i64 = 10;

/// Sources and networks that are kept for a window.
const SOURCES_MAX: usize = 65_536;

/// Bytes of a name that are kept of the last query of a source.
const NAME_BYTES: usize = 24;

/// Names that count on, from which on it is no coincidence.
pub const SEQUENCE_MIN: Bound = Bound::new(30, 5, 100_000);

/// Queries of a source or network within a window, from which on their order and outcome tell
/// something.
pub const QUERIES_MIN: Bound = Bound::new(100, 10, 1_000_000);

/// Share of steps that go upwards, from which on the order is a walk, percent.
pub const ASCENDING_PERCENT: Bound = Bound::new(90, 60, 100);

/// Share of queries without a record, from which on it is guessing, percent.
pub const MISSES_PERCENT: Bound = Bound::new(90, 1, 100);

/// Addresses of a network (links, in IPv6) within a window, from which on it is spread.
pub const SPREAD_MIN: Bound = Bound::new(32, 2, 256);

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
pub struct Seen<'a> {
    /// Who asks.
    pub address: IpAddr,
    /// The name asked for; its case does not matter.
    pub name: &'a [u8],
    /// Whether there was no record.
    pub missed: bool,
    /// When.
    pub at_ms: i64,
}

/// Somebody who seems to mine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// What gave it away.
    pub signal: Signal,
    /// Who: a source, or the network around it.
    pub prefix: IpNet,
    /// When.
    pub at_ms: i64,
    /// What was seen, for people.
    pub evidence: String,
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

/// Looks at queries as they come.
pub struct Miner {
    settings: Settings,
    canaries: HashSet<Box<[u8]>, RandomState>,
    walks: HashMap<IpNet, Walk, RandomState>,
    sequences: Sequences,
    hasher: RandomState,
    window_end_ms: i64,
    /// When each was flagged last.
    flagged: HashMap<(Signal, IpNet), i64, RandomState>,
    untracked_count: u64,
}

impl Miner {
    /// A miner that has seen nothing.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let lower = |name: &String| name.to_ascii_lowercase().into_bytes().into();
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

    /// Sources and networks that were left out because there were too many.
    #[must_use]
    pub const fn untracked_count(&self) -> u64 {
        self.untracked_count
    }

    /// Takes a query in; appends what it gives away to `flags`.
    pub fn see(&mut self, seen: Seen<'_>, flags: &mut Vec<Flag>) {
        if seen.at_ms >= self.window_end_ms {
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
            self.flag(Signal::Canary, source, seen.at_ms, evidence, flags);
        }
        let run = self.sequences.see(name);
        if run >= self.settings.sequence_min {
            let evidence = format!("{run} names in a row up to {}", name.escape_ascii());
            self.flag(Signal::Sequence, network, seen.at_ms, evidence, flags);
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
        seen: &Seen<'_>,
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
            && (walk.sources.len() as u64) < settings.spread_min
        {
            walk.sources.insert(hash);
        }
        if walk.query_count < settings.queries_min {
            return;
        }
        let mut found = [None, None, None];
        let (queries, misses) = (walk.query_count, walk.missed_count);
        if misses * 100 >= queries * settings.misses_percent {
            let evidence = format!("{misses} of {queries} queries found nothing");
            found[0] = Some((Signal::Misses, evidence));
        }
        let (steps, upwards) = (walk.step_count, walk.ascending_count);
        if steps >= settings.queries_min && upwards * 100 >= steps * settings.ascending_percent {
            let evidence = format!("{upwards} of {steps} steps go up in order of names");
            found[1] = Some((Signal::Ascending, evidence));
        }
        if walk.sources.len() as u64 >= settings.spread_min {
            let evidence =
                format!("{queries} queries of {} addresses or more", settings.spread_min);
            found[2] = Some((Signal::Spread, evidence));
        }
        for (signal, evidence) in found.into_iter().flatten() {
            self.flag(signal, prefix, seen.at_ms, evidence, flags);
        }
    }

    fn flag(
        &mut self,
        signal: Signal,
        prefix: IpNet,
        at_ms: i64,
        evidence: String,
        flags: &mut Vec<Flag>,
    ) {
        if self.flagged.len() >= SOURCES_MAX || self.flagged.contains_key(&(signal, prefix)) {
            return;
        }
        self.flagged.insert((signal, prefix), at_ms);
        flags.push(Flag { signal, prefix, at_ms, evidence });
    }

    fn next_window(&mut self, now_ms: i64) {
        self.window_end_ms = now_ms.saturating_add(WINDOW_MS);
        self.walks.clear();
        self.sequences.next_window();
        let old_ms = now_ms.saturating_sub(WINDOW_MS * QUIET_WINDOWS);
        self.flagged.retain(|_, at_ms| *at_ms > old_ms);
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

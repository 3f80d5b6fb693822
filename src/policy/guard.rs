//! Which queries are served: lists, blocks and limits put together into one decision each.
//!
//! ```text
//! address ─▶ lists ─▶ block ─▶ (parse) ─▶ limits by price ─▶ served, with what is left
//!              │ deny    │ blocked             │ over
//!              └─────────┴─────────────────────┴──▶ a refusal that says who, why and until when
//! ```
//!
//! # Invariants
//!
//! - `whole`: a query is decided under one state of lists, blocks and settings each, taken when it
//!   comes.
//! - `dry run`: in a dry run limits decide and count as otherwise, and refuse nobody.
//! - An address on an allow list has no limits and no blocks; a deny list comes before both.
//!
//! # Does not
//!
//! Keep books: the warden, which reads the events of queries, decides what repetitions lead to.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard as Loaded};

use super::block::{Block, Blocks, Cause};
use super::limit::{Level, Levels, Limiter, Over, Scarcest, Use, Uses, unmapped};
use super::lists::{Action, Entry, Lists, OwnLimits, Per, Place};
use crate::bounds::{UnknownWord, of_word};

/// What limits do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is limited or counted; lists hold, and blocks that limits have not led to.
    Off,
    /// Queries that would be refused are counted, logged and served; otherwise the same.
    DryRun,
    /// Queries over a limit are refused.
    #[default]
    On,
}

impl Mode {
    /// The word in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::DryRun => "dry-run",
            Self::On => "on",
        }
    }
}

impl std::str::FromStr for Mode {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        of_word(text, [Self::Off, Self::DryRun, Self::On], Self::word)
    }
}

/// What queries cost, by their kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    /// One record by its name or identifier; a line that is not a query; help.
    pub exact: u32,
    /// Names by a pattern.
    pub wildcard: u32,
    /// A contact.
    pub contact: u32,
    /// Nameservers by an address.
    pub address: u32,
}

impl Default for Prices {
    fn default() -> Self {
        Self { exact: 1, wildcard: 5, contact: 3, address: 2 }
    }
}

/// The settings of the guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What limits do.
    pub mode: Mode,
    /// Rates.
    pub levels: Levels,
    /// Prices.
    pub prices: Prices,
    /// Share of a burst below which answers say what is left, percent.
    pub warn_percent: u32,
    /// Whether queries from the machine itself have no limits.
    pub loopback_free: bool,
    /// Refusals of a source that are borne before it is blocked: a rate and a burst of them.
    pub patience: Level,
    /// Whether a source that loses that patience is blocked.
    pub blocks: bool,
    /// The contact that a refusal names; may be empty.
    pub contact: Box<str>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::On,
            levels: Levels::default(),
            prices: Prices::default(),
            warn_percent: 20,
            loopback_free: true,
            patience: Level { length: 0, queries_per_min: 12, burst: 60 },
            blocks: true,
            contact: Box::default(),
        }
    }
}

impl Settings {
    /// Whether a block counts: what limits have led to while they are in force; what an operator
    /// wants, and has set for miners, always.
    #[must_use]
    pub fn is_in_force(&self, block: &Block) -> bool {
        block.cause != Cause::Limit || (self.mode == Mode::On && self.blocks)
    }
}

/// What all shards ask.
#[derive(Debug)]
pub struct Guard {
    settings: ArcSwap<Settings>,
    lists: Arc<ArcSwap<Lists>>,
    blocks: ArcSwap<Blocks>,
    limiter: Limiter,
    figures: Figures,
}

/// Prefix lengths that refusals are counted by: 0 to 128.
const LENGTHS: usize = 129;

/// What was refused, by all shards. Only refusals count here: they are not a hot path.
#[derive(Debug)]
pub struct Figures {
    /// By length of the prefix whose limit it was.
    limited: [AtomicU64; LENGTHS],
    /// The same in a dry run.
    dry_run: [AtomicU64; LENGTHS],
    /// By length of the block's prefix.
    blocked: [AtomicU64; LENGTHS],
    /// By length of the entry's prefix.
    denied: [AtomicU64; LENGTHS],
}

/// Why a query was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A limit.
    Limit,
    /// A limit, in a dry run: it was served.
    DryRun,
    /// A block.
    Block,
    /// A list.
    Deny,
}

impl Figures {
    const fn new() -> Self {
        Self {
            limited: [const { AtomicU64::new(0) }; LENGTHS],
            dry_run: [const { AtomicU64::new(0) }; LENGTHS],
            blocked: [const { AtomicU64::new(0) }; LENGTHS],
            denied: [const { AtomicU64::new(0) }; LENGTHS],
        }
    }

    fn of(&self, why: Why) -> &[AtomicU64; LENGTHS] {
        match why {
            Why::Limit => &self.limited,
            Why::DryRun => &self.dry_run,
            Why::Block => &self.blocked,
            Why::Deny => &self.denied,
        }
    }

    fn count(&self, why: Why, length: u8) {
        if let Some(counter) = self.of(why).get(usize::from(length)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Prefix lengths and counts of a reason, those that are not 0.
    pub fn rows(&self, why: Why) -> impl Iterator<Item = (usize, u64)> + '_ {
        let counts = self.of(why).iter().map(|counter| counter.load(Ordering::Relaxed));
        counts.enumerate().filter(|(_, count)| *count > 0)
    }
}

/// The state that one query is decided under.
pub struct Pass {
    settings: Loaded<Arc<Settings>>,
    lists: Loaded<Arc<Lists>>,
    address: IpAddr,
    place: Place,
    /// Whether limits are looked at.
    limited: bool,
    /// Whether limits are in use, and this source has none.
    exempt: bool,
    /// Limits of an entry of a list, in the place of the levels.
    own: Option<OwnLevel>,
}

#[derive(Clone, Copy, Debug)]
struct OwnLevel([Level; 1]);

/// Whether a query may be looked at at all.
pub enum Admission {
    /// It may, under this state.
    Open(Pass),
    /// A list denies it: the state has the entry.
    Denied(Denied),
    /// A block holds.
    Blocked(Arc<Block>),
}

/// An address that a list denies.
pub struct Denied(Pass);

impl Denied {
    /// The prefix that is denied.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.0.address
    }

    /// The entry that denies it.
    #[must_use]
    pub fn entry(&self) -> Option<&Entry> {
        self.0.lists.standing_at(self.0.place).entry
    }
}

/// What a charge came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// Served, without a word about limits.
    Served,
    /// Served; little is left, which the answer says.
    Scarce(Use),
    /// Served, although it is over this limit: a dry run.
    DryRun(Over),
    /// Refused.
    Refused {
        /// The limit.
        over: Over,
        /// Whether the source has lost all patience with that: it is to be blocked.
        strike: bool,
    },
}

impl Guard {
    /// A guard whose limiter takes `memory_bytes`; `seeds` are secret.
    #[must_use]
    pub fn new(
        settings: Settings,
        lists: Arc<ArcSwap<Lists>>,
        memory_bytes: usize,
        seeds: [u64; 4],
    ) -> Self {
        Self {
            settings: ArcSwap::from_pointee(settings),
            lists,
            blocks: ArcSwap::default(),
            limiter: Limiter::new(memory_bytes, seeds),
            figures: Figures::new(),
        }
    }

    /// A guard that lets everybody pass: for tools and benchmarks.
    #[must_use]
    pub fn open() -> Self {
        let settings = Settings { mode: Mode::Off, ..Settings::default() };
        Self::new(settings, Arc::default(), 0, [0; 4])
    }

    /// Other settings from now on; what was used stays.
    pub fn set(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
    }

    /// The settings now.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Other blocks from now on.
    pub fn set_blocks(&self, blocks: Blocks) {
        self.blocks.store(Arc::new(blocks));
    }

    /// The blocks now.
    #[must_use]
    pub fn blocks(&self) -> Arc<Blocks> {
        self.blocks.load_full()
    }

    /// The lists now.
    #[must_use]
    pub fn lists(&self) -> Arc<Lists> {
        self.lists.load_full()
    }

    /// The limiter.
    #[must_use]
    pub const fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// What was refused.
    #[must_use]
    pub const fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Whether a query from `address` is looked at, which counts as one; `proxied`: a proxy names
    /// the address. `now` reads the wall clock, if that is needed.
    #[inline]
    pub fn admit(&self, address: IpAddr, proxied: bool, now: impl FnOnce() -> i64) -> Admission {
        let admission = self.standing(address, proxied, now);
        match &admission {
            Admission::Open(_) => {}
            Admission::Denied(by) => {
                let length = by.entry().map_or(0, |entry| entry.prefix.prefix_len());
                self.figures.count(Why::Deny, length);
            }
            Admission::Blocked(block) => self.figures.count(Why::Block, block.prefix.prefix_len()),
        }
        admission
    }

    /// How an address stands, without a query. A proxy may name this machine for anybody.
    #[inline]
    pub fn standing(&self, address: IpAddr, proxied: bool, now: impl FnOnce() -> i64) -> Admission {
        let address = unmapped(address);
        let settings = self.settings.load();
        let lists = self.lists.load();
        let limited = settings.mode != Mode::Off;
        let place = lists.place(address);
        let mut pass = Pass { settings, lists, address, place, limited, exempt: false, own: None };
        let entry = pass.lists.standing_at(place).entry;
        match entry.map(|entry| (entry.action, entry.prefix.prefix_len())) {
            Some((Action::Deny, _)) => return Admission::Denied(Denied(pass)),
            Some((Action::Allow, _)) => {
                (pass.limited, pass.exempt) = (false, limited);
                return Admission::Open(pass);
            }
            Some((Action::Limits(own), length)) => {
                pass.own = Some(OwnLevel::of(own, length, address));
            }
            _ if pass.settings.loopback_free && !proxied && address.is_loopback() => {
                (pass.limited, pass.exempt) = (false, limited);
                return Admission::Open(pass);
            }
            _ => {}
        }
        let blocks = self.blocks.load();
        if blocks.count() > 0 {
            let counts = |block: &Block| pass.settings.is_in_force(block);
            if let Some(block) = blocks.of(address, now(), counts) {
                return Admission::Blocked(Arc::clone(block));
            }
        }
        Admission::Open(pass)
    }

    /// A query that is not a client's: a balancer that asks whether the server is there. It has no
    /// limits.
    #[must_use]
    pub fn admit_local(&self, address: IpAddr) -> Pass {
        let (settings, lists) = (self.settings.load(), self.lists.load());
        let address = unmapped(address);
        let place = lists.place(address);
        Pass { settings, lists, address, place, limited: false, exempt: false, own: None }
    }

    /// Charges what a query costs; what costs nothing is served, and counted nowhere.
    #[inline]
    pub fn charge(&self, pass: &Pass, price: u32, now_us: u64) -> Charge {
        if !pass.limited || price == 0 {
            return Charge::Served;
        }
        match self.limiter.charge(pass.address, pass.levels(), price, now_us) {
            Ok(Some(scarcest)) if pass.is_scarce(scarcest) => {
                Charge::Scarce(scarcest.of(pass.address))
            }
            Ok(_) => Charge::Served,
            Err(over) => self.over(pass, over, now_us),
        }
    }

    #[cold]
    fn over(&self, pass: &Pass, over: Over, now_us: u64) -> Charge {
        if pass.settings.mode == Mode::DryRun {
            self.figures.count(Why::DryRun, over.prefix.prefix_len());
            return Charge::DryRun(over);
        }
        self.figures.count(Why::Limit, over.prefix.prefix_len());
        // A network's limit is not the fault of each of its addresses.
        let strike = over.own
            && pass.settings.blocks
            && self.limiter.exceeds(pass.address, pass.settings.patience, now_us);
        Charge::Refused { over, strike }
    }

    /// Where a source stands at each of its limits; none if it has none.
    #[must_use]
    pub fn uses(&self, pass: &Pass, now_us: u64) -> Uses {
        if !pass.limited {
            return Uses::default();
        }
        self.limiter.uses(pass.address, pass.levels(), now_us)
    }

    /// Charges what a source has used at another node of the site.
    pub fn add(&self, address: IpAddr, price: u32, now_us: u64) {
        let Admission::Open(pass) = self.standing(address, false, || i64::MAX) else { return };
        if pass.limited {
            self.limiter.add(pass.address, pass.levels(), price, now_us);
        }
    }
}

impl OwnLevel {
    fn of(own: OwnLimits, prefix_length: u8, address: IpAddr) -> Self {
        let length = match (own.per, address) {
            (Per::Prefix, _) => prefix_length,
            (Per::Address, IpAddr::V4(_)) => 32,
            (Per::Address, IpAddr::V6(_)) => 128,
        };
        Self([Level { length, queries_per_min: own.queries_per_min, burst: own.burst }])
    }
}

impl Pass {
    /// The address that asks.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// The settings that hold for the query.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether limits are looked at.
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.limited
    }

    /// Whether limits are in use and this source has none: a list allows it, or it is this machine.
    #[must_use]
    pub const fn is_exempt(&self) -> bool {
        self.exempt
    }

    /// The name of the tier that the lists give the address.
    #[must_use]
    pub fn tier(&self) -> Option<&str> {
        self.lists.standing_at(self.place).tier
    }

    /// Its limits.
    #[must_use]
    pub fn levels(&self) -> &[Level] {
        match &self.own {
            Some(own) => &own.0,
            None => self.settings.levels.of(self.address),
        }
    }

    fn is_scarce(&self, scarcest: Scarcest) -> bool {
        // In a dry run clients see nothing of limits.
        if self.settings.mode != Mode::On {
            return false;
        }
        let percent = u64::from(self.settings.warn_percent);
        let left = u64::from(scarcest.left());
        left * 100 < u64::from(scarcest.level.burst) * percent
    }
}

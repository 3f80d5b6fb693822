//! How much a source may ask: rates for its address and for the networks around it, all at once.
//!
//! ```text
//! 192.0.2.7 ─▶ /32 ─▶ /24 ─▶ /20 ─▶ /16     each charged; the first that is over refuses,
//!               60    600   3000  12000     and what was charged before it is given back
//! ```
//!
//! # Invariants
//!
//! - `narrow first`: an address that is over its own limit uses nothing of its networks' limits.
//! - `all or nothing`: a query that is refused is charged nowhere.
//! - `payable`: a query that is dearer than a burst costs all of it, so that what is refused now
//!   can be asked later.
//!
//! # Does not
//!
//! Read a clock, count, or decide what a refusal leads to.

mod prefix;
mod table;

use std::net::IpAddr;

use ipnet::IpNet;

use prefix::Keys;
pub(crate) use prefix::unmapped;
use table::{Charged, Table, Terms};

use crate::bounds::Bound;

/// Microseconds in a minute.
const MINUTE_US: u64 = 60_000_000;

/// Queries a minute that a level or an entry of a list may allow. Beyond, the time that one query
/// costs is too few microseconds to be exact.
pub const QUERIES_PER_MIN: Bound = Bound::new(60, 1, 6_000_000);

/// Queries that may come at once.
pub const BURST: Bound = Bound::new(60, 1, 6_000_000);

/// Memory of the table, bytes: 64 KiB hold 4,096 sources, 16 MiB a million.
pub const MEMORY_BYTES: Bound = Bound::new(16 << 20, 64 << 10, 4 << 30);

/// Price of a query.
pub const PRICE: Bound = Bound::new(1, 0, 1_000);

/// Share of a burst below which answers say what is left, percent.
pub const WARN_PERCENT: Bound = Bound::new(20, 0, 100);

/// Most levels of one family.
pub const LEVELS_MAX: usize = 5;

/// How much one prefix length may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Length of the prefix, bits.
    pub length: u8,
    /// Queries a minute.
    pub queries_per_min: u32,
    /// Queries at once.
    pub burst: u32,
}

const fn level(length: u8, queries_per_min: u32) -> Level {
    Level { length, queries_per_min, burst: queries_per_min }
}

/// Levels of IPv4, narrowest first: an address, and the networks that one holder commonly has.
pub const LEVELS_V4: [Level; 4] =
    [level(32, 60), level(24, 600), level(20, 3_000), level(16, 12_000)];

/// Levels of IPv6: an address, a link (of one customer), a customer's site, a large site, a
/// provider.
pub const LEVELS_V6: [Level; 5] =
    [level(128, 60), level(64, 60), level(56, 240), level(48, 600), level(32, 12_000)];

/// All rates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels {
    /// Of IPv4 addresses, narrowest first.
    pub v4: [Level; 4],
    /// Of IPv6 addresses, narrowest first.
    pub v6: [Level; 5],
}

impl Default for Levels {
    fn default() -> Self {
        Self { v4: LEVELS_V4, v6: LEVELS_V6 }
    }
}

impl Levels {
    /// The levels of an address's family.
    #[must_use]
    pub fn of(&self, address: IpAddr) -> &[Level] {
        match address {
            IpAddr::V4(_) => &self.v4,
            IpAddr::V6(_) => &self.v6,
        }
    }

    /// All of them, IPv4 first.
    pub fn all(&self) -> impl Iterator<Item = &Level> {
        self.v4.iter().chain(&self.v6)
    }
}

impl Level {
    /// What one query costs, microseconds of the entry's time.
    const fn interval_us(self) -> u64 {
        MINUTE_US / if self.queries_per_min == 0 { 1 } else { self.queries_per_min as u64 }
    }

    const fn terms(self, price: u32) -> Terms {
        let interval_us = self.interval_us();
        let price = if price > self.burst { self.burst } else { price };
        Terms { cost_us: interval_us * price as u64, tolerance_us: interval_us * self.burst as u64 }
    }

    /// Queries left when so much is owed.
    fn left(self, owed_us: u64) -> u32 {
        let left_us = self.terms(0).tolerance_us.saturating_sub(owed_us);
        u32::try_from(left_us / self.interval_us()).unwrap_or(u32::MAX).min(self.burst)
    }
}

/// Where a source stands at one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// The prefix whose limit it is.
    pub prefix: IpNet,
    /// The limit.
    pub level: Level,
    /// Queries of price 1 that are left now.
    pub left: u32,
    /// Until all of the burst is there again, seconds, rounded up.
    pub full_s: u64,
}

/// Where a source stands at each level, narrowest first; without an allocation.
#[derive(Clone, Copy, Debug)]
pub struct Uses {
    all: [Use; LEVELS_MAX],
    count: usize,
}

impl Default for Uses {
    fn default() -> Self {
        let level = level(0, 1);
        let prefix = IpNet::from(IpAddr::from([0; 4]));
        Self { all: [Use { prefix, level, left: 0, full_s: 0 }; LEVELS_MAX], count: 0 }
    }
}

impl Uses {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Use] {
        self.all.get(..self.count).unwrap_or_default()
    }
}

/// The least that is left of any limit, after a query was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scarcest {
    /// The level with the least share of its burst left.
    pub level: Level,
    /// What is owed there, microseconds.
    owed_us: u64,
}

impl Scarcest {
    /// Queries of price 1 that are left.
    #[must_use]
    pub fn left(self) -> u32 {
        self.level.left(self.owed_us)
    }

    /// The same, with the prefix that it is for.
    #[must_use]
    pub fn of(self, address: IpAddr) -> Use {
        use_of(address, self.level, self.owed_us)
    }
}

/// A query that is over a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// The prefix whose limit it is.
    pub prefix: IpNet,
    /// The limit.
    pub level: Level,
    /// Until the same query is within it, seconds, rounded up.
    pub wait_s: u64,
    /// Whether it is the limit of the source itself: of its address, or of its link in IPv6.
    pub own: bool,
}

/// The limiter of one node.
#[derive(Debug)]
pub struct Limiter {
    table: Table,
    keys: Keys,
    /// Of refusals, which lead to blocks: other entries than those of the limits.
    refusal_keys: Keys,
}

/// Length of the prefix that is one source: an address, in IPv6 a link, whose owner may use any
/// address of it.
const fn source_length(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 64,
    }
}

/// The prefix that is one source.
#[must_use]
pub fn source_of(address: IpAddr) -> IpNet {
    prefix::network(address, source_length(address))
}

impl Limiter {
    /// A limiter that takes `memory_bytes`; `seeds` keep its places from being foreseen.
    #[must_use]
    pub fn new(memory_bytes: usize, seeds: [u64; 4]) -> Self {
        let [a, b, c, d] = seeds;
        let refusal_keys = Keys::new([b, a, d, c]);
        Self { table: Table::new(memory_bytes), keys: Keys::new(seeds), refusal_keys }
    }

    /// Charges a query of `price` to all levels, or to none.
    ///
    /// `None` if there are no levels.
    ///
    /// # Errors
    ///
    /// The narrowest limit that it is over, with the time after which no limit refuses it.
    #[inline]
    pub fn charge(
        &self,
        address: IpAddr,
        levels: &[Level],
        price: u32,
        now_us: u64,
    ) -> Result<Option<Scarcest>, Over> {
        let mut scarcest = None;
        let mut share_max = 0;
        for (index, level) in levels.iter().enumerate() {
            let key = self.keys.of(address, level.length);
            match self.table.charge(key, level.terms(price), now_us) {
                Charged::Taken { owed_us } => {
                    // Compared by share of the burst, in 1/1024.
                    let tolerance_us = level.terms(0).tolerance_us.max(1);
                    let share = owed_us.saturating_mul(1024) / tolerance_us;
                    if scarcest.is_none() || share > share_max {
                        share_max = share;
                        scarcest = Some(Scarcest { level: *level, owed_us });
                    }
                }
                Charged::Over { wait_us } => {
                    let (narrower, wider) = levels.split_at_checked(index).unwrap_or_default();
                    self.refund(address, narrower, price);
                    // A client that waited as told must not then be refused by a wider limit.
                    let waits =
                        wider.iter().map(|level| self.wait_us(address, level, price, now_us));
                    return Err(Over {
                        prefix: prefix::network(address, level.length),
                        level: *level,
                        wait_s: waits.fold(wait_us, u64::max).div_ceil(1_000_000),
                        own: level.length >= source_length(address),
                    });
                }
            }
        }
        Ok(scarcest)
    }

    /// Until a level could take a query, microseconds.
    fn wait_us(&self, address: IpAddr, level: &Level, price: u32, now_us: u64) -> u64 {
        let terms = level.terms(price);
        let owed_us = self.table.owed_us(self.keys.of(address, level.length), now_us);
        owed_us.saturating_add(terms.cost_us).saturating_sub(terms.tolerance_us)
    }

    fn refund(&self, address: IpAddr, levels: &[Level], price: u32) {
        for level in levels {
            let key = self.keys.of(address, level.length);
            self.table.refund(key, level.terms(price).cost_us);
        }
    }

    /// Charges what was used at another node: up to twice a burst, so that one message cannot lock
    /// a source out for long.
    pub fn add(&self, address: IpAddr, levels: &[Level], price: u32, now_us: u64) {
        for level in levels {
            let key = self.keys.of(address, level.length);
            // A sum of many queries: it may well be above a burst.
            let cost_us = level.interval_us().saturating_mul(u64::from(price));
            let owed_us_max = level.terms(0).tolerance_us.saturating_mul(2);
            self.table.add(key, cost_us, owed_us_max, now_us);
        }
    }

    /// Where a source stands at each level.
    #[must_use]
    pub fn uses(&self, address: IpAddr, levels: &[Level], now_us: u64) -> Uses {
        let mut uses = Uses::default();
        for (level, place) in levels.iter().zip(&mut uses.all) {
            let owed_us = self.table.owed_us(self.keys.of(address, level.length), now_us);
            *place = use_of(address, *level, owed_us);
            uses.count += 1;
        }
        uses
    }

    /// Notes that a query of a source was over its own limit; true once that has happened more
    /// often than `patience` allows, after which it begins again.
    pub fn exceeds(&self, address: IpAddr, patience: Level, now_us: u64) -> bool {
        let key = self.refusal_keys.of(address, source_length(address));
        let over =
            matches!(self.table.charge(key, patience.terms(1), now_us), Charged::Over { .. });
        if over {
            self.table.forget(key);
        }
        over
    }

    /// Forgets what a source has used: at its address and link, not in the networks around it.
    pub fn forgive(&self, address: IpAddr, levels: &[Level]) {
        for level in levels.iter().filter(|level| level.length >= source_length(address)) {
            self.table.forget(self.keys.of(address, level.length));
        }
        self.table.forget(self.refusal_keys.of(address, source_length(address)));
    }

    /// Sources and networks that owe something now; looks at the whole table.
    #[must_use]
    pub fn owing_count(&self, now_us: u64) -> usize {
        self.table.owing_count(now_us)
    }

    /// Sources and networks that there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.table.capacity()
    }

    /// Sources and networks that were forgotten to make room.
    #[must_use]
    pub fn eviction_count(&self) -> u64 {
        self.table.eviction_count()
    }
}

fn use_of(address: IpAddr, level: Level, owed_us: u64) -> Use {
    Use {
        prefix: prefix::network(address, level.length),
        level,
        left: level.left(owed_us),
        full_s: owed_us.div_ceil(1_000_000),
    }
}

#[cfg(test)]
mod tests;

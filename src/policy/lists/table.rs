//! The lists of all files as one table: longest matching prefixes, made once, never changed.
//!
//! Prefixes are cut into ranges of addresses that do not overlap; each range knows the entry that
//! decides the action of its addresses, and the one that decides their tier:
//!
//! ```text
//! 10.0.0.0/8 deny    ─▶   from 10.0.0.0 deny, 10.1.0.0 allow, 10.2.0.0 deny, 11.0.0.0 nothing
//! 10.1.0.0/16 allow
//! ```
//!
//! # Invariants
//!
//! - `no allocation`: a look-up is one search, for action and tier together; an empty table is
//!   one comparison.
//! - `ascending`: ranges are ascending by their first address; the next one ends each.
//!
//! # Does not
//!
//! Know the time: it is made for one.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::error::{ListError, ListProblem};
use super::{Action, Entry, PREFIX_COUNT_MAX, Standing};

/// Every list that is in force.
#[derive(Default)]
pub struct Lists {
    /// The files' entries, also those that had expired.
    files: Vec<Arc<[Entry]>>,
    v4: Ranges<u32>,
    /// Prefixes of up to 64 bits, by the first half of an address: nearly all that there are.
    v6: Ranges<u64>,
    /// Longer ones; where they say nothing, `v6` does.
    v6_long: Ranges<u128>,
    next_expiry_ms: Option<i64>,
    /// The time that it was made for, ms since the epoch.
    made_ms: i64,
    count: usize,
    expired_count: usize,
}

/// Place of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct At {
    file: u16,
    index: u32,
}

/// No entry: there are fewer files.
const NOWHERE: At = At { file: u16::MAX, index: u32::MAX };

/// Where the entries lie that decide for the addresses of a range: of use with the lists that gave
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    action: At,
    tier: At,
}

const NOTHING: Place = Place { action: NOWHERE, tier: NOWHERE };

/// Ranges that stand under one mark.
const GROUP: usize = 64;

/// The ranges of one family.
struct Ranges<A> {
    /// First addresses of the ranges.
    firsts: Vec<A>,
    /// As many as `firsts`.
    decide: Vec<Place>,
    /// The first address of every group of ranges: a search by halves over all ranges would miss
    /// the cache at each of its steps, one over the marks and then within a group does not.
    marks: Vec<A>,
}

impl<A> Default for Ranges<A> {
    fn default() -> Self {
        Self { firsts: Vec::new(), decide: Vec::new(), marks: Vec::new() }
    }
}

impl<A: Ord + Copy> Ranges<A> {
    #[inline]
    fn find(&self, address: A) -> Place {
        let groups = self.marks.partition_point(|mark| *mark <= address);
        // Below the first mark there is no range.
        let Some(group) = groups.checked_sub(1) else { return NOTHING };
        let start = group.saturating_mul(GROUP);
        let firsts = self.firsts.get(start..).unwrap_or_default();
        let firsts = firsts.get(..GROUP).unwrap_or(firsts);
        let within = firsts.partition_point(|first| *first <= address);
        let at = start.saturating_add(within).checked_sub(1);
        at.and_then(|at| self.decide.get(at)).copied().unwrap_or(NOTHING)
    }

    /// From `first` on, `decide` decides.
    fn begin(&mut self, first: A, decide: Place) {
        if self.firsts.last() == Some(&first) {
            self.firsts.pop();
            self.decide.pop();
        }
        if self.decide.last().copied().unwrap_or(NOTHING) != decide {
            self.firsts.push(first);
            self.decide.push(decide);
        }
    }

    /// Sets the marks, once every range has begun.
    fn finish(&mut self) {
        self.firsts.shrink_to_fit();
        self.decide.shrink_to_fit();
        self.marks = self.firsts.iter().step_by(GROUP).copied().collect();
    }
}

/// An entry in force, in the order in which ranges are cut.
struct Item {
    first: u128,
    last: u128,
    prefix: IpNet,
    at: At,
}

/// Items by the ranges that they belong to.
#[derive(Default)]
struct Items {
    v4: Vec<Item>,
    v6: Vec<Item>,
    v6_long: Vec<Item>,
}

impl Items {
    fn push(&mut self, item: Item) {
        match item.prefix {
            IpNet::V4(_) => self.v4.push(item),
            IpNet::V6(prefix) if prefix.prefix_len() <= 64 => self.v6.push(item),
            IpNet::V6(_) => self.v6_long.push(item),
        }
    }
}

impl Item {
    fn new(prefix: IpNet, at: At) -> Self {
        let bits = |address: IpAddr| match address {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        };
        Self { first: bits(prefix.network()), last: bits(prefix.broadcast()), prefix, at }
    }
}

impl Lists {
    /// Puts the entries of all files together as they are in force at `now_ms`. `has_tier` says
    /// whether there is a tier of a name.
    ///
    /// # Errors
    ///
    /// Two entries give one prefix different actions or tiers, a tier is not known, or there are
    /// too many prefixes.
    pub fn new(
        files: Vec<Arc<[Entry]>>,
        has_tier: &dyn Fn(&str) -> bool,
        now_ms: i64,
    ) -> Result<Self, ListError> {
        let mut lists = Self { files, made_ms: now_ms, ..Self::default() };
        let Items { mut v4, mut v6, mut v6_long } = lists.in_force(has_tier)?;
        lists.v4 = lists.cut(&mut v4, |bits| u32::try_from(bits).ok())?;
        lists.v6 = lists.cut(&mut v6, |bits| Some(upper(bits)))?;
        lists.v6_long = lists.cut(&mut v6_long, Some)?;
        Ok(lists)
    }

    /// The moment that they were put together for, ms since the epoch.
    #[must_use]
    pub const fn made_ms(&self) -> i64 {
        self.made_ms
    }

    /// The same lists as they are in force at `now_ms`.
    #[must_use]
    pub fn at(&self, now_ms: i64) -> Self {
        // Files that were taken once are taken again: an entry that expires can only end a
        // conflict.
        Self::new(self.files.clone(), &|_| true, now_ms).unwrap_or_default()
    }

    /// Counts the entries, and gives those in force.
    fn in_force(&mut self, has_tier: &dyn Fn(&str) -> bool) -> Result<Items, ListError> {
        let mut items = Items::default();
        let mut count = 0_usize;
        for (entries, file) in self.files.iter().zip(0_u16..) {
            count = count.saturating_add(entries.len());
            if let Some(first) = entries.first().filter(|_| count > PREFIX_COUNT_MAX) {
                let problem = ListProblem::PrefixCountOfAll { got: count };
                return Err(refused(first, "", problem));
            }
            for (entry, index) in entries.iter().zip(0_u32..) {
                if entry.has_expired(self.made_ms) {
                    self.expired_count = self.expired_count.saturating_add(1);
                    continue;
                }
                if let Some(tier) = entry.tier.as_deref().filter(|tier| !has_tier(tier)) {
                    let problem = ListProblem::NoTier { name: tier.to_owned() };
                    return Err(refused(entry, "tier", problem));
                }
                self.count = self.count.saturating_add(1);
                self.next_expiry_ms = match (self.next_expiry_ms, entry.expires_ms) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                };
                items.push(Item::new(entry.prefix, At { file, index }));
            }
        }
        Ok(items)
    }

    /// Cuts the prefixes of one family into ranges.
    fn cut<A: Ord + Copy>(
        &self,
        items: &mut [Item],
        address: impl Fn(u128) -> Option<A>,
    ) -> Result<Ranges<A>, ListError> {
        // A prefix comes before those within it; of one prefix, entries in the order of the files.
        items.sort_by_key(|item| (item.first, item.prefix.prefix_len()));
        let mut ranges = Ranges::default();
        let mut begin = |bits: u128, decide| {
            // Behind the last address of a family nothing begins.
            if let Some(first) = address(bits) {
                ranges.begin(first, decide);
            }
        };
        // Prefixes around the one at hand, with what decides within each; the longest is last.
        let mut around: Vec<(&Item, Place)> = Vec::new();
        for item in items.iter() {
            while let Some((ended, _)) = around.pop_if(|(outer, _)| outer.last < item.first) {
                let outer = around.last().map_or(NOTHING, |(_, decide)| *decide);
                begin(ended.last.saturating_add(1), outer);
            }
            let (outer, inherited) = match around.last() {
                Some((outer, decide)) => (Some(*outer), *decide),
                None => (None, NOTHING),
            };
            let twin = outer.is_some_and(|outer| outer.prefix == item.prefix);
            let decide = self.decided(item.at, inherited, twin)?;
            begin(item.first, decide);
            around.push((item, decide));
        }
        while let Some((ended, _)) = around.pop() {
            let outer = around.last().map_or(NOTHING, |(_, decide)| *decide);
            if let Some(behind) = ended.last.checked_add(1) {
                begin(behind, outer);
            }
        }
        ranges.finish();
        Ok(ranges)
    }

    /// What decides within the prefix of an entry; `twin`: what is inherited may come from an entry
    /// about the same prefix, which must not say anything else.
    fn decided(&self, at: At, inherited: Place, twin: bool) -> Result<Place, ListError> {
        let mut decide = inherited;
        let Some(entry) = self.find(at) else { return Ok(decide) };
        let same_prefix =
            |before: At| self.find(before).filter(|before| twin && before.prefix == entry.prefix);
        if entry.action != Action::None {
            decide.action = match same_prefix(inherited.action) {
                Some(before) if before.action != entry.action => {
                    let problem = ListProblem::Actions {
                        prefix: entry.prefix,
                        new: entry.action,
                        old: before.action,
                        file: before.file.to_string(),
                        line: before.line,
                    };
                    return Err(refused(entry, "action", problem));
                }
                Some(before) if lasts_longer(before, entry) => inherited.action,
                _ => at,
            };
        }
        if let Some(tier) = &entry.tier {
            decide.tier = match same_prefix(inherited.tier) {
                Some(before) if before.tier != entry.tier => {
                    let problem = ListProblem::Tiers {
                        prefix: entry.prefix,
                        new: tier.to_string(),
                        old: before.tier.as_deref().unwrap_or_default().to_owned(),
                        file: before.file.to_string(),
                        line: before.line,
                    };
                    return Err(refused(entry, "tier", problem));
                }
                Some(before) if lasts_longer(before, entry) => inherited.tier,
                _ => at,
            };
        }
        Ok(decide)
    }

    /// What the lists say of an address.
    #[inline]
    #[must_use]
    pub fn standing(&self, address: IpAddr) -> Standing<'_> {
        self.standing_at(self.place(address))
    }

    /// Where the entries lie that decide for an address: for a caller that asks more than once.
    #[inline]
    #[must_use]
    pub fn place(&self, address: IpAddr) -> Place {
        if self.count == 0 { NOTHING } else { self.decides(address) }
    }

    /// What the entries at a place say.
    #[inline]
    #[must_use]
    pub fn standing_at(&self, place: Place) -> Standing<'_> {
        if place == NOTHING {
            return Standing::default();
        }
        Standing {
            entry: self.find(place.action),
            tier: self.find(place.tier).and_then(|entry| entry.tier.as_deref()),
        }
    }

    /// The entry that decides the tier of an address.
    #[must_use]
    pub fn tier_entry(&self, address: IpAddr) -> Option<&Entry> {
        self.find(self.decides(address).tier)
    }

    fn decides(&self, address: IpAddr) -> Place {
        let bits = match address.to_canonical() {
            IpAddr::V4(address) => return self.v4.find(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        };
        let long = self.v6_long.find(bits);
        let short = self.v6.find(upper(bits));
        let first = |long, short| if long == NOWHERE { short } else { long };
        Place { action: first(long.action, short.action), tier: first(long.tier, short.tier) }
    }

    fn find(&self, at: At) -> Option<&Entry> {
        self.files.get(usize::from(at.file))?.get(usize::try_from(at.index).ok()?)
    }

    /// Every entry of the files, also those that had expired.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.files.iter().flat_map(|entries| entries.iter())
    }

    /// The entries that were in force when the table was made, file by file; of several that say
    /// the same of one prefix, each.
    pub fn entries_in_force(&self) -> impl Iterator<Item = &Entry> {
        self.entries().filter(|entry| !entry.has_expired(self.made_ms))
    }

    /// Prefixes in force.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Prefixes that had expired.
    #[must_use]
    pub fn expired_count(&self) -> usize {
        self.expired_count
    }

    /// When the next entry expires, ms since the epoch: [`Self::at`] is due then.
    #[must_use]
    pub fn next_expiry_ms(&self) -> Option<i64> {
        self.next_expiry_ms
    }
}

/// A million entries would be no help in a log.
impl fmt::Debug for Lists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lists").field("count", &self.count()).finish_non_exhaustive()
    }
}

/// The first half of an address of IPv6.
const fn upper(bits: u128) -> u64 {
    (bits >> 64) as u64
}

fn lasts_longer(one: &Entry, other: &Entry) -> bool {
    let until = |entry: &Entry| entry.expires_ms.unwrap_or(i64::MAX);
    until(one) >= until(other)
}

fn refused(entry: &Entry, key: &'static str, problem: ListProblem) -> ListError {
    let (file, problem) = (entry.file.to_string(), Box::new(problem));
    ListError { file, line: entry.line, entry: entry.number, key, problem }
}

//! The lists of all files as one table: longest matching prefixes, made once, never changed.
//!
//! # Invariants
//!
//! - `no allocation`: a look-up follows at most two tries per address and allocates nothing; an
//!   empty table is one comparison.
//!
//! # Does not
//!
//! Know the time: it is made for one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;
use prefix_trie::{Prefix, PrefixMap};

use super::{Action, Entry, ListError, PREFIX_COUNT_MAX, Standing};

/// Every list that is in force.
#[derive(Default)]
pub struct Lists {
    /// The files' entries, also those that had expired.
    files: Vec<Arc<[Entry]>>,
    actions: Tries,
    tiers: Tries,
    next_expiry_ms: Option<i64>,
    /// The time that it was made for, ms since the epoch.
    made_ms: i64,
    count: usize,
    expired_count: usize,
}

/// Place of an entry.
#[derive(Debug, Clone, Copy)]
struct At {
    file: u16,
    index: u32,
}

/// One trie for each family.
#[derive(Default)]
struct Tries {
    v4: PrefixMap<Key<u32>, At>,
    v6: PrefixMap<Key<u128>, At>,
}

/// A prefix as the trie wants it: cheaper to make from an address than a checked one.
#[derive(Debug, Clone, Copy)]
struct Key<R> {
    bits: R,
    len: u8,
}

impl Prefix for Key<u32> {
    type R = u32;

    fn repr(&self) -> u32 {
        self.bits
    }

    fn prefix_len(&self) -> u8 {
        self.len
    }

    fn from_repr_len(bits: u32, len: u8) -> Self {
        Self { bits, len }
    }
}

impl Prefix for Key<u128> {
    type R = u128;

    fn repr(&self) -> u128 {
        self.bits
    }

    fn prefix_len(&self) -> u8 {
        self.len
    }

    fn from_repr_len(bits: u128, len: u8) -> Self {
        Self { bits, len }
    }
}

impl Tries {
    fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// The longest prefix around `address`.
    fn longest(&self, address: IpAddr) -> Option<At> {
        match address {
            IpAddr::V4(address) => longest_v4(&self.v4, address),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(address) => longest_v4(&self.v4, address),
                None => longest_v6(&self.v6, address),
            },
        }
    }

    /// Puts `at` where `prefix` is; what was there before.
    fn insert(&mut self, prefix: IpNet, at: At) -> Option<At> {
        match prefix {
            IpNet::V4(prefix) => {
                let key = Key { bits: prefix.network().to_bits(), len: prefix.prefix_len() };
                self.v4.insert(key, at)
            }
            IpNet::V6(prefix) => {
                let key = Key { bits: prefix.network().to_bits(), len: prefix.prefix_len() };
                self.v6.insert(key, at)
            }
        }
    }
}

fn longest_v4(trie: &PrefixMap<Key<u32>, At>, address: Ipv4Addr) -> Option<At> {
    let key = Key { bits: address.to_bits(), len: 32 };
    trie.get_lpm(&key).map(|(_, at)| *at)
}

fn longest_v6(trie: &PrefixMap<Key<u128>, At>, address: Ipv6Addr) -> Option<At> {
    let key = Key { bits: address.to_bits(), len: 128 };
    trie.get_lpm(&key).map(|(_, at)| *at)
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
        let mut lists = Self { made_ms: now_ms, ..Self::default() };
        let mut count = 0_usize;
        for (file, entries) in files.iter().enumerate() {
            count = count.saturating_add(entries.len());
            if let Some(first) = entries.first().filter(|_| count > PREFIX_COUNT_MAX) {
                let problem = format!(
                    "{count} prefixes in all files up to this one, at most {PREFIX_COUNT_MAX} are \
                     allowed"
                );
                return Err(refused(first, "", problem));
            }
            let file = u16::try_from(file).unwrap_or(u16::MAX);
            for (entry, index) in entries.iter().zip(0_u32..) {
                lists.take(&files, entry, At { file, index }, has_tier, now_ms)?;
            }
        }
        lists.files = files;
        Ok(lists)
    }

    /// The same lists as they are in force at `now_ms`.
    #[must_use]
    pub fn at(&self, now_ms: i64) -> Self {
        // What was taken once is taken again: an entry that expires can only end a conflict.
        Self::new(self.files.clone(), &|_| true, now_ms).unwrap_or_default()
    }

    fn take(
        &mut self,
        files: &[Arc<[Entry]>],
        entry: &Entry,
        at: At,
        has_tier: &dyn Fn(&str) -> bool,
        now_ms: i64,
    ) -> Result<(), ListError> {
        if let Some(tier) = entry.tier.as_deref().filter(|tier| !has_tier(tier)) {
            let problem = format!("there is no tier {tier:?}; the configuration names the tiers");
            return Err(refused(entry, "tier", problem));
        }
        if entry.has_expired(now_ms) {
            self.expired_count = self.expired_count.saturating_add(1);
            return Ok(());
        }
        self.count = self.count.saturating_add(1);
        self.next_expiry_ms = match (self.next_expiry_ms, entry.expires_ms) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let same_action = |before: &Entry| before.action == entry.action;
        let same_tier = |before: &Entry| before.tier == entry.tier;
        if entry.action != Action::None {
            let before = self.actions.insert(entry.prefix, at);
            if let Some((place, before)) = before.and_then(|at| Some((at, find(files, at)?))) {
                if !same_action(before) {
                    return Err(conflict(entry, "action", before, &before.action, &entry.action));
                }
                if lasts_longer(before, entry) {
                    self.actions.insert(entry.prefix, place);
                }
            }
        }
        if let Some(tier) = &entry.tier {
            let before = self.tiers.insert(entry.prefix, at);
            if let Some((place, before)) = before.and_then(|at| Some((at, find(files, at)?))) {
                if !same_tier(before) {
                    let other = before.tier.as_deref().unwrap_or_default();
                    return Err(conflict(entry, "tier", before, &other, tier));
                }
                if lasts_longer(before, entry) {
                    self.tiers.insert(entry.prefix, place);
                }
            }
        }
        Ok(())
    }

    /// What the lists say of an address.
    #[inline]
    #[must_use]
    pub fn standing(&self, address: IpAddr) -> Standing<'_> {
        if self.actions.is_empty() && self.tiers.is_empty() {
            return Standing::default();
        }
        Standing {
            entry: self.longest(&self.actions, address),
            tier: self.longest(&self.tiers, address).and_then(|entry| entry.tier.as_deref()),
        }
    }

    /// The entry that decides the tier of an address.
    #[must_use]
    pub fn tier_entry(&self, address: IpAddr) -> Option<&Entry> {
        self.longest(&self.tiers, address)
    }

    fn longest(&self, tries: &Tries, address: IpAddr) -> Option<&Entry> {
        tries.longest(address).and_then(|at| find(&self.files, at))
    }

    /// Every entry of the files, also those that had expired.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.files.iter().flat_map(|entries| entries.iter())
    }

    /// The entries that were in force when the table was made, file by file; of several that say
    /// the same of one prefix, each.
    pub fn in_force(&self) -> impl Iterator<Item = &Entry> {
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

fn find(files: &[Arc<[Entry]>], at: At) -> Option<&Entry> {
    files.get(usize::from(at.file))?.get(usize::try_from(at.index).ok()?)
}

fn lasts_longer(one: &Entry, other: &Entry) -> bool {
    let until = |entry: &Entry| entry.expires_ms.unwrap_or(i64::MAX);
    until(one) >= until(other)
}

fn refused(entry: &Entry, key: &str, problem: String) -> ListError {
    ListError {
        file: entry.file.to_string(),
        line: entry.line,
        entry: entry.number,
        key: key.to_owned(),
        problem,
    }
}

fn conflict(
    entry: &Entry,
    key: &str,
    before: &Entry,
    old: &dyn fmt::Display,
    new: &dyn fmt::Display,
) -> ListError {
    let Entry { prefix, .. } = entry;
    let place = format!("{}:{}", before.file, before.line);
    let problem =
        format!("{prefix} is \"{new}\" here and \"{old}\" at {place}; take one of them out");
    refused(entry, key, problem)
}

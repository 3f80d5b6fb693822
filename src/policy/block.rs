//! Blocks: sources that are not served for a time, which doubles with each repetition.
//!
//! ```text
//! Book (one writer: strikes, times) ─▶ Blocks (immutable, swapped whole) ─▶ shards
//! ```
//!
//! # Invariants
//!
//! - `bounded`: a book holds at most [`BLOCKS_MAX`] blocks; one more takes the place of the one
//!   that ends first, manual ones excepted.
//! - `doubling`: the n-th block in a row lasts twice as long as the one before, up to a bound; each
//!   `forgive_s` without a block takes one repetition back. Repetitions beyond the longest block
//!   are not counted: forgiveness takes no longer than the doubling did.
//! - `as long as it was to be`: a clock that jumps moves the blocks of this run with it
//!   ([`Book::shift`]); one that began in the future begins now.
//!
//! # Does not
//!
//! Read a clock or a file: times are arguments, in milliseconds since the epoch, so that blocks
//! survive a restart.

use std::net::IpAddr;
use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashMap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;
use serde::{Deserialize, Serialize};

use crate::bounds::Bound;

/// Most blocks at once: some 10 MiB, and a copy of them takes some ms.
pub const BLOCKS_MAX: usize = 65_536;

/// Longest reason, bytes.
pub const REASON_BYTES_MAX: usize = 255;

/// First block, seconds.
pub const FIRST_S: Bound = Bound::new(60, 1, 86_400);

/// Longest block, seconds.
pub const LONGEST_S: Bound = Bound::new(86_400, 1, 31_536_000);

/// Time without a block that takes one repetition back, seconds.
pub const FORGIVE_S: Bound = Bound::new(86_400, 60, 31_536_000);

/// Most doublings: beyond, every bound is reached.
const DOUBLINGS_MAX: u32 = 25;

/// How long blocks last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The first one, seconds.
    pub first_s: u64,
    /// The longest one, seconds.
    pub longest_s: u64,
    /// Time that takes one repetition back, seconds.
    pub forgive_s: u64,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            first_s: FIRST_S.default,
            longest_s: LONGEST_S.default,
            forgive_s: FORGIVE_S.default,
        }
    }
}

/// Why somebody is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It kept exceeding its limit.
    Limit,
    /// It was found to mine.
    Mining,
    /// An operator wanted it.
    Operator,
}

impl Cause {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Mining => "mining",
            Self::Operator => "operator",
        }
    }
}

/// One block, present or past: past ones are kept for their repetitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// The prefix that is blocked.
    pub prefix: IpNet,
    /// Since when, ms since the epoch.
    pub since_ms: i64,
    /// Until when, ms since the epoch.
    pub until_ms: i64,
    /// Which one in a row it is, from 1.
    pub repetition: u32,
    /// Why.
    pub cause: Cause,
    /// Why, in an operator's words; may be empty.
    pub reason: Box<str>,
    /// Whether its times are by the clock as it has gone since this process began.
    #[serde(skip)]
    is_of_this_run: bool,
}

impl Block {
    /// Whether it holds at that time.
    #[must_use]
    pub const fn holds(&self, now_ms: i64) -> bool {
        now_ms < self.until_ms
    }

    fn shift(&mut self, jump_ms: i64) {
        self.since_ms = self.since_ms.saturating_add(jump_ms);
        self.until_ms = self.until_ms.saturating_add(jump_ms);
    }

    /// Repetitions that count at that time.
    fn repetitions(&self, terms: &Terms, now_ms: i64) -> u32 {
        let quiet_s = u64::try_from(now_ms.saturating_sub(self.until_ms) / 1000).unwrap_or(0);
        let forgiven = u32::try_from(quiet_s / terms.forgive_s.max(1)).unwrap_or(u32::MAX);
        self.repetition.saturating_sub(forgiven)
    }
}

/// The blocks that held when this was made, for shards.
#[derive(Debug)]
pub struct Blocks {
    v4: PrefixMap<Ipv4Net, Arc<Block>>,
    v6: PrefixMap<Ipv6Net, Arc<Block>>,
    count: usize,
    /// When the first of them ends, ms since the epoch.
    next_end_ms: i64,
}

impl Default for Blocks {
    fn default() -> Self {
        let (v4, v6) = (PrefixMap::default(), PrefixMap::default());
        Self { v4, v6, count: 0, next_end_ms: i64::MAX }
    }
}

impl Blocks {
    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// When the first of them ends, ms since the epoch.
    #[must_use]
    pub const fn next_end_ms(&self) -> i64 {
        self.next_end_ms
    }

    /// The narrowest block around `address` that holds at that time and that `counts`: one that has
    /// ended hides no wider one.
    #[inline]
    #[must_use]
    pub fn of(
        &self,
        address: IpAddr,
        now_ms: i64,
        counts: impl Fn(&Block) -> bool,
    ) -> Option<&Arc<Block>> {
        let holds = |block: &&Arc<Block>| block.holds(now_ms) && counts(block);
        match address {
            IpAddr::V4(v4) => self.v4.cover_values(&Ipv4Net::from(v4)).filter(holds).last(),
            IpAddr::V6(v6) => self.v6.cover_values(&Ipv6Net::from(v6)).filter(holds).last(),
        }
    }
}

/// All blocks and their repetitions.
#[derive(Debug, Default)]
pub struct Book {
    terms: Terms,
    blocks: HashMap<IpNet, Arc<Block>, RandomState>,
}

impl Book {
    /// A book with what was kept of an earlier one. What began later than now was made by a clock
    /// that was ahead: it begins now.
    #[must_use]
    pub fn new(terms: Terms, kept: impl IntoIterator<Item = Block>, now_ms: i64) -> Self {
        let mut book = Self { terms, blocks: HashMap::default() };
        for mut block in kept.into_iter().take(BLOCKS_MAX) {
            if block.since_ms > now_ms {
                block.shift(now_ms.saturating_sub(block.since_ms));
                block.is_of_this_run = true;
            }
            book.blocks.insert(block.prefix, Arc::new(block));
        }
        book
    }

    /// The clock has jumped by so many milliseconds: what was blocked by it lasts as long as it was
    /// to. Blocks that were kept of an earlier run had the time of that run, and keep it.
    pub fn shift(&mut self, jump_ms: i64) {
        for block in self.blocks.values_mut().filter(|block| block.is_of_this_run) {
            Arc::make_mut(block).shift(jump_ms);
        }
    }

    /// Other terms from now on.
    pub fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
    }

    /// Blocks a source that has earned it: for longer than the last time. `None` if it is blocked
    /// already: it stays so.
    pub fn strike(
        &mut self,
        prefix: IpNet,
        cause: Cause,
        reason: &str,
        now_ms: i64,
    ) -> Option<Arc<Block>> {
        let old = self.blocks.get(&prefix);
        if old.is_some_and(|old| old.holds(now_ms)) {
            return None;
        }
        let before = old.map_or(0, |old| old.repetitions(&self.terms, now_ms));
        let doubled = self.terms.first_s.saturating_mul(1 << before.min(DOUBLINGS_MAX));
        let seconds = doubled.min(self.terms.longest_s);
        let is_longest = before > 0 && doubled / 2 >= self.terms.longest_s;
        let repetition = if is_longest { before } else { before.saturating_add(1) };
        Some(self.put(prefix, seconds, repetition, cause, reason, now_ms))
    }

    /// Blocks as an operator wants it, or until later if it is blocked until later already.
    pub fn block(&mut self, prefix: IpNet, seconds: u64, reason: &str, now_ms: i64) -> Arc<Block> {
        let old = self.blocks.get(&prefix);
        let before = old.map_or(0, |old| old.repetitions(&self.terms, now_ms));
        let left_ms = old.map_or(0, |old| old.until_ms.saturating_sub(now_ms));
        let seconds = seconds.max(u64::try_from(left_ms).unwrap_or(0).div_ceil(1_000));
        let repetition = before.saturating_add(1);
        self.put(prefix, seconds, repetition, Cause::Operator, reason, now_ms)
    }

    fn put(
        &mut self,
        prefix: IpNet,
        seconds: u64,
        repetition: u32,
        cause: Cause,
        reason: &str,
        now_ms: i64,
    ) -> Arc<Block> {
        self.make_room(&prefix, now_ms);
        let milliseconds = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        let until_ms = now_ms.saturating_add(milliseconds);
        let reason = cut(reason).into();
        let block = Arc::new(Block {
            prefix,
            since_ms: now_ms,
            until_ms,
            repetition,
            cause,
            reason,
            is_of_this_run: true,
        });
        self.blocks.insert(prefix, Arc::clone(&block));
        block
    }

    /// Takes a block back, with its repetitions; `None` if there is none.
    pub fn unblock(&mut self, prefix: &IpNet) -> Option<Arc<Block>> {
        self.blocks.remove(prefix)
    }

    /// Drops what has ended and is forgiven. True if that changed anything.
    pub fn forget(&mut self, now_ms: i64) -> bool {
        let before = self.blocks.len();
        let terms = self.terms;
        self.blocks.retain(|_, block| block.holds(now_ms) || block.repetitions(&terms, now_ms) > 0);
        self.blocks.len() != before
    }

    /// All blocks, ended ones too, in order of their prefixes.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Block>> {
        let mut all: Vec<_> = self.blocks.values().cloned().collect();
        all.sort_by_key(|block| block.prefix);
        all
    }

    /// What shards look at.
    #[must_use]
    pub fn published(&self, now_ms: i64) -> Blocks {
        let mut blocks = Blocks::default();
        for block in self.blocks.values().filter(|block| block.holds(now_ms)) {
            let block = Arc::clone(block);
            blocks.next_end_ms = blocks.next_end_ms.min(block.until_ms);
            match block.prefix {
                IpNet::V4(net) => drop(blocks.v4.insert(net, block)),
                IpNet::V6(net) => drop(blocks.v6.insert(net, block)),
            }
            blocks.count += 1;
        }
        blocks
    }

    /// Keeps within the bound: what has ended goes first, then what ends first.
    fn make_room(&mut self, prefix: &IpNet, now_ms: i64) {
        if self.blocks.len() < BLOCKS_MAX || self.blocks.contains_key(prefix) {
            return;
        }
        // Some at a time: under an attack each would look through all of them otherwise.
        let mut ends: Vec<_> = self
            .blocks
            .values()
            .filter(|block| block.cause != Cause::Operator || !block.holds(now_ms))
            .map(|block| (block.until_ms, block.prefix))
            .collect();
        ends.sort_unstable();
        for (_, prefix) in ends.into_iter().take(BLOCKS_MAX / 16) {
            self.blocks.remove(&prefix);
        }
        if self.blocks.len() >= BLOCKS_MAX
            && let Some(first) = self.blocks.values().min_by_key(|block| block.until_ms)
        {
            let prefix = first.prefix;
            self.blocks.remove(&prefix);
        }
    }
}

/// A text within its bound, cut at a character.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(REASON_BYTES_MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000;
    const TERMS: Terms = Terms { first_s: 60, longest_s: 1_000, forgive_s: 3_600 };

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn seconds(block: &Block) -> i64 {
        (block.until_ms - block.since_ms) / S
    }

    #[test]
    fn each_repetition_lasts_twice_as_long_up_to_the_bound_and_is_forgiven_with_time() {
        let mut book = Book::new(TERMS, [], 0);
        let one = net("192.0.2.1/32");
        let mut now_ms = 0;
        for expected in [60, 120, 240, 480, 960, 1_000, 1_000] {
            let block = book.strike(one, Cause::Limit, "", now_ms).unwrap();
            assert_eq!(seconds(&block), expected);
            now_ms = block.until_ms;
        }
        // Of the six that counted, the seventh being no longer than the sixth, four are taken back.
        now_ms += 4 * 3_600 * S;
        let block = book.strike(one, Cause::Limit, "", now_ms).unwrap();
        assert_eq!((seconds(&block), block.repetition), (240, 3));
        assert!(!book.forget(block.until_ms + 3 * 3_600 * S - 1));
        assert!(book.forget(block.until_ms + 3 * 3_600 * S));
        assert!(book.all().is_empty());
    }

    #[test]
    fn who_was_blocked_for_a_year_is_forgiven_as_soon_as_who_was_for_the_longest_time_once() {
        let mut book = Book::new(TERMS, [], 0);
        let one = net("192.0.2.1/32");
        let mut now_ms = 0;
        for _ in 0..30_000 {
            now_ms = book.strike(one, Cause::Limit, "", now_ms).unwrap().until_ms;
        }
        assert!(book.forget(now_ms + 6 * 3_600 * S));
    }

    #[test]
    fn a_block_lasts_as_long_as_it_was_to_whatever_the_clock_does() {
        let mut book = Book::new(TERMS, [], 0);
        book.strike(net("192.0.2.1/32"), Cause::Limit, "", 0);
        // A day ahead, and back again.
        for jump_ms in [86_400 * S, -86_400 * S] {
            book.shift(jump_ms);
        }
        assert_eq!(book.published(0).next_end_ms(), 60 * S);
        let kept: Vec<Block> = book.all().iter().map(|block| Block::clone(block)).collect();
        let json = serde_json::to_string(&kept).unwrap();
        let kept = || serde_json::from_str::<Vec<Block>>(&json).unwrap();
        // Kept by a clock that was ahead: it begins now, and moves with the clock.
        let mut book = Book::new(TERMS, kept(), -86_400 * S);
        assert_eq!(book.published(-86_400 * S).next_end_ms(), -86_340 * S);
        book.shift(3 * S);
        assert_eq!(book.published(-86_400 * S).next_end_ms(), -86_337 * S);
        // Kept by a clock that was right: a clock that is put right moves it no further.
        let mut book = Book::new(TERMS, kept(), 10 * S);
        book.shift(-86_400 * S);
        assert_eq!(book.published(10 * S).next_end_ms(), 60 * S);
    }

    #[test]
    fn an_operator_ends_no_longer_block_early_unless_it_is_taken_back() {
        let mut book = Book::new(TERMS, [], 0);
        let one = net("192.0.2.1/32");
        book.block(one, 900, "", 0);
        let again = book.block(one, 60, "why", 100 * S);
        assert_eq!((again.until_ms, &*again.reason), (900 * S, "why"));
        book.unblock(&one);
        assert_eq!(book.block(one, 60, "", 100 * S).until_ms, 160 * S);
    }

    #[test]
    fn a_strike_during_a_block_changes_nothing() {
        let mut book = Book::new(TERMS, [], 0);
        let first = book.strike(net("192.0.2.1/32"), Cause::Limit, "", 0).unwrap();
        assert_eq!(book.strike(net("192.0.2.1/32"), Cause::Mining, "", 59 * S), None);
        assert_eq!(book.all(), [first]);
    }

    #[test]
    fn shards_see_the_narrowest_block_that_holds() {
        let mut book = Book::new(TERMS, [], 0);
        book.block(net("192.0.2.0/24"), 600, "the whole office", 0);
        book.strike(net("192.0.2.1/32"), Cause::Limit, "", 0);
        book.strike(net("2001:db8::/64"), Cause::Limit, "", 0);
        let blocks = book.published(0);
        assert_eq!(blocks.count(), 3);
        let of = |text: &str, now_ms| {
            blocks.of(text.parse().unwrap(), now_ms, |_| true).map(|block| block.prefix.to_string())
        };
        assert_eq!(of("192.0.2.1", 0).as_deref(), Some("192.0.2.1/32"));
        assert_eq!(of("192.0.2.1", 60 * S).as_deref(), Some("192.0.2.0/24"), "it hides no other");
        assert_eq!(blocks.next_end_ms(), 60 * S);
        assert_eq!(of("192.0.2.2", 599 * S).as_deref(), Some("192.0.2.0/24"));
        assert_eq!(of("192.0.2.2", 600 * S), None);
        assert_eq!(of("192.0.3.1", 0), None);
        assert_eq!(of("2001:db8::77", 0).as_deref(), Some("2001:db8::/64"));
        assert!(book.unblock(&net("192.0.2.0/24")).is_some());
        assert!(book.unblock(&net("192.0.2.0/24")).is_none());
        assert_eq!(book.published(0).count(), 2);
    }

    #[test]
    fn a_book_that_was_kept_goes_on_where_it_was() {
        let mut book = Book::new(TERMS, [], 0);
        let one = net("192.0.2.1/32");
        let first = book.strike(one, Cause::Limit, "", 0).unwrap();
        let kept: Vec<Block> = book.all().iter().map(|block| Block::clone(block)).collect();
        let json = serde_json::to_string(&kept).unwrap();
        let mut book = Book::new(TERMS, serde_json::from_str::<Vec<Block>>(&json).unwrap(), 0);
        assert_eq!(book.published(0).count(), 1);
        let second = book.strike(one, Cause::Limit, "", first.until_ms).unwrap();
        assert_eq!(seconds(&second), 120);
    }

    #[test]
    fn an_attack_cannot_make_a_book_grow_beyond_its_bound_or_push_out_an_operators_block() {
        let mut book = Book::new(TERMS, [], 0);
        let wanted = net("203.0.113.0/24");
        book.block(wanted, 10, "", 0);
        for host in 0..200_000_u32 {
            let address = IpAddr::V4((0x0a00_0000 + host).into());
            book.strike(address.into(), Cause::Limit, "", i64::from(host) / 100);
        }
        assert!(book.all().len() <= BLOCKS_MAX);
        let address = "203.0.113.9".parse().unwrap();
        assert!(book.published(1).of(address, 1, |_| true).is_some());
        let newest = IpAddr::V4((0x0a00_0000 + 199_999_u32).into());
        assert!(book.published(2_000).of(newest, 2_000, |_| true).is_some());
    }

    #[test]
    fn a_reason_is_cut_at_a_character() {
        let mut book = Book::new(TERMS, [], 0);
        let block = book.block(net("192.0.2.1/32"), 1, &"\u{e9}".repeat(200), 0);
        assert_eq!(block.reason.len(), 254);
    }
}

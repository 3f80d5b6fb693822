//! The usage of many prefixes, in one table of fixed memory that all shards share.
//!
//! Each entry is a bucket of the generic cell rate algorithm: the moment at which everything used
//! will have been given back (its *theoretical arrival time*). It decays by the clock alone: nobody
//! has to visit it. Four entries share a cache line, and a prefix can lie in one line only.
//!
//! ```text
//! key ──▶ line ──▶ entry with that key, or one that owes nothing, or the one that owes least
//!                    word = time (48 bits, us) + check (16 bits of the key)
//! ```
//!
//! # Invariants
//!
//! - `fixed`: the memory is taken once and stays the same.
//! - `forgets only`: an entry that has to make room is forgotten, never handed to another prefix
//!   with what it owed: the check in its word belongs to the key before. So nobody is refused for
//!   what others have used (but in a race of nanoseconds between two keys with one check, 1 in
//!   65,536).
//! - `exact`: charges of several threads to one entry add up: each is one exchange of its word.
//!   Only a prefix that loses its entry, or is entered twice within some nanoseconds beside an
//!   eviction, is charged less.
//!
//! # Does not
//!
//! Read a clock, or know what a key stands for.

use std::sync::atomic::{AtomicU64, Ordering};

/// Entries of a line of 64 bytes.
const LINE_ENTRIES: usize = 4;

/// Bits of an entry's word that check whose it is.
const CHECK_BITS: u32 = 16;
const CHECK_MASK: u64 = (1 << CHECK_BITS) - 1;

/// Last moment that a word can hold, microseconds: 8.9 years after the start.
const MOMENT_US_MAX: u64 = (1 << (64 - CHECK_BITS)) - 1;

/// Times that an entry is looked for while others move entries of its line about.
const SEARCHES_MAX: usize = 8;

/// What one entry allows: in microseconds of its own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// What the queries cost.
    pub(crate) cost_us: u64,
    /// How far what is owed may reach ahead.
    pub(crate) tolerance_us: u64,
}

/// What a charge came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charged {
    /// It was taken; so much is owed now.
    Taken {
        /// Until everything is given back, microseconds.
        owed_us: u64,
    },
    /// It would reach too far, and was not taken.
    Over {
        /// Until it could be taken, microseconds.
        wait_us: u64,
    },
}

#[derive(Default)]
struct Entry {
    /// 0: nobody's.
    key: AtomicU64,
    word: AtomicU64,
}

impl Entry {
    /// Charges the key; `None` if the entry was lost to another one meanwhile.
    #[inline]
    fn charge(&self, key: u64, terms: Terms, now_us: u64) -> Option<Charged> {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let from_us = moment_of(key, word).max(now_us);
            let until_us = from_us.saturating_add(terms.cost_us);
            let owed_us = until_us - now_us;
            // A query that costs nothing is taken, also where more is owed than a burst.
            if owed_us > terms.tolerance_us && terms.cost_us > 0 {
                return Some(Charged::Over { wait_us: owed_us - terms.tolerance_us });
            }
            let new = pack(key, until_us);
            let (done, not) = (Ordering::AcqRel, Ordering::Acquire);
            let exchanged = self.word.compare_exchange_weak(word, new, done, not);
            if self.key.load(Ordering::Acquire) != key {
                return None;
            }
            match exchanged {
                Ok(_) => return Some(Charged::Taken { owed_us }),
                Err(other) => word = other,
            }
        }
    }
}

#[derive(Default)]
#[repr(align(64))]
struct Line([Entry; LINE_ENTRIES]);

const _: () = assert!(size_of::<Line>() == 64);

/// The table.
pub(crate) struct Table {
    lines: Box<[Line]>,
    evictions: AtomicU64,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("lines", &self.lines.len()).finish_non_exhaustive()
    }
}

const fn check_of(key: u64) -> u64 {
    key & CHECK_MASK
}

const fn pack(key: u64, moment_us: u64) -> u64 {
    let moment = if moment_us > MOMENT_US_MAX { MOMENT_US_MAX } else { moment_us };
    (moment << CHECK_BITS) | check_of(key)
}

/// The moment of a word; 0 if the word is another key's.
const fn moment_of(key: u64, word: u64) -> u64 {
    if word & CHECK_MASK == check_of(key) { word >> CHECK_BITS } else { 0 }
}

impl Table {
    /// A table that takes at most `bytes`, of one line at least.
    pub(crate) fn new(bytes: usize) -> Self {
        let count = (bytes / size_of::<Line>()).max(1);
        let lines = (0..count).map(|_| Line::default()).collect();
        Self { lines, evictions: AtomicU64::new(0) }
    }

    /// Entries that there is room for.
    pub(crate) fn capacity(&self) -> usize {
        self.lines.len() * LINE_ENTRIES
    }

    /// Entries that owe something: looks at all of the table.
    pub(crate) fn owing_count(&self, now_us: u64) -> usize {
        let entries = self.lines.iter().flat_map(|line| &line.0);
        entries
            .filter(|entry| {
                let key = entry.key.load(Ordering::Relaxed);
                key != 0 && moment_of(key, entry.word.load(Ordering::Relaxed)) > now_us
            })
            .count()
    }

    /// Entries that were forgotten although they owed something.
    pub(crate) fn eviction_count(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    /// Charges a key, unless that would reach beyond its tolerance.
    #[inline]
    pub(crate) fn charge(&self, key: u64, terms: Terms, now_us: u64) -> Charged {
        for _ in 0..SEARCHES_MAX {
            if let Some(entry) = self.enter(key, now_us)
                && let Some(charged) = entry.charge(key, terms, now_us)
            {
                return charged;
            }
        }
        // Others move the line about all the time: one query goes free.
        Charged::Taken { owed_us: 0 }
    }

    /// Charges a key whatever it owes, up to `owed_us_max`: what was used elsewhere.
    pub(crate) fn add(&self, key: u64, cost_us: u64, owed_us_max: u64, now_us: u64) {
        let Some(entry) = self.enter(key, now_us) else { return };
        let change = |word| {
            let until_us = moment_of(key, word).max(now_us).saturating_add(cost_us);
            Some(pack(key, until_us.min(now_us.saturating_add(owed_us_max))))
        };
        // The closure always gives a value.
        let _ = entry.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, change);
    }

    /// Gives back what was charged.
    pub(crate) fn refund(&self, key: u64, cost_us: u64) {
        let Some(entry) = self.find(key) else { return };
        let change = |word| {
            let moment_us = moment_of(key, word);
            (moment_us > 0).then(|| pack(key, moment_us.saturating_sub(cost_us)))
        };
        // An entry that is another's by now owes nothing to this key.
        let _ = entry.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, change);
    }

    /// What a key owes, microseconds.
    pub(crate) fn owed_us(&self, key: u64, now_us: u64) -> u64 {
        let word = self.find(key).map(|entry| entry.word.load(Ordering::Acquire));
        word.map_or(0, |word| moment_of(key, word).saturating_sub(now_us))
    }

    /// Forgets what a key owes.
    pub(crate) fn forget(&self, key: u64) {
        if let Some(entry) = self.find(key) {
            entry.word.store(pack(key, 0), Ordering::Release);
        }
    }

    #[inline]
    fn line(&self, key: u64) -> &[Entry; LINE_ENTRIES] {
        // The upper bits choose the line, the lower ones are the check.
        let index = (u128::from(key) * self.lines.len() as u128) >> 64;
        match usize::try_from(index).ok().and_then(|index| self.lines.get(index)) {
            Some(line) => &line.0,
            // Cannot be: the product's upper half is below the number of lines.
            None => &NO_LINE.0,
        }
    }

    #[inline]
    fn find(&self, key: u64) -> Option<&Entry> {
        self.line(key).iter().find(|entry| entry.key.load(Ordering::Acquire) == key)
    }

    /// The key's entry, made if there is none.
    #[inline]
    fn enter(&self, key: u64, now_us: u64) -> Option<&Entry> {
        for _ in 0..SEARCHES_MAX {
            if let Some(entry) = self.find(key) {
                return Some(entry);
            }
            self.make(key, now_us);
        }
        None
    }

    /// Enters a key in its line, in the place of what owes least. Its word then still has the check
    /// of the key before, and counts as nothing.
    #[cold]
    fn make(&self, key: u64, now_us: u64) {
        let mut least: Option<(&Entry, u64, u64)> = None;
        for entry in self.line(key) {
            let old = entry.key.load(Ordering::Acquire);
            if old == key {
                // Another thread was faster: a second entry would have a burst of its own.
                return;
            }
            if old == 0 {
                least = Some((entry, 0, 0));
                break;
            }
            let moment_us = moment_of(old, entry.word.load(Ordering::Acquire));
            if least.is_none_or(|(_, _, other_us)| moment_us < other_us) {
                least = Some((entry, old, moment_us));
            }
        }
        let Some((entry, old, moment_us)) = least else { return };
        let word = entry.word.load(Ordering::Acquire);
        if entry.key.compare_exchange(old, key, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return;
        }
        if moment_us > now_us {
            self.evictions.fetch_add(1, Ordering::Relaxed);
        }
        // Two keys may have one check (1 in 65,536): what the other one owed is taken out of the
        // word, unless another shard has charged the new key already.
        if word & CHECK_MASK == check_of(key) {
            let _ = entry.word.compare_exchange(
                word,
                pack(key, 0),
                Ordering::AcqRel,
                Ordering::Acquire,
            );
        }
    }
}

/// Stands where an index is out of range.
static NO_LINE: Line =
    Line([const { Entry { key: AtomicU64::new(0), word: AtomicU64::new(0) } }; 4]);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    const TERMS: Terms = Terms { cost_us: 1_000_000, tolerance_us: 60_000_000 };

    fn key(seed: u64) -> u64 {
        let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).max(1)
    }

    #[test]
    fn a_burst_is_taken_then_one_query_for_each_interval() {
        let table = Table::new(1 << 16);
        for _ in 0..60 {
            assert!(matches!(table.charge(key(1), TERMS, 0), Charged::Taken { .. }));
        }
        assert_eq!(table.charge(key(1), TERMS, 0), Charged::Over { wait_us: 1_000_000 });
        assert_eq!(table.charge(key(1), TERMS, 999_999), Charged::Over { wait_us: 1 });
        let taken = Charged::Taken { owed_us: 60_000_000 };
        assert_eq!(table.charge(key(1), TERMS, 1_000_000), taken);
        assert_eq!(table.owed_us(key(1), 31_000_000), 30_000_000);
        assert_eq!(table.owed_us(key(1), 61_000_000), 0);
    }

    #[test]
    fn what_is_refunded_can_be_used_again() {
        let table = Table::new(1 << 16);
        for _ in 0..60 {
            let _ = table.charge(key(1), TERMS, 0);
        }
        table.refund(key(1), TERMS.cost_us);
        assert!(matches!(table.charge(key(1), TERMS, 0), Charged::Taken { .. }));
        assert!(matches!(table.charge(key(1), TERMS, 0), Charged::Over { .. }));
        table.forget(key(1));
        assert_eq!(table.owed_us(key(1), 0), 0);
    }

    #[test]
    fn what_was_used_elsewhere_counts_up_to_its_bound() {
        let table = Table::new(1 << 16);
        table.add(key(1), 30_000_000, 90_000_000, 0);
        assert_eq!(table.owed_us(key(1), 0), 30_000_000);
        table.add(key(1), 500_000_000, 90_000_000, 0);
        assert_eq!(table.owed_us(key(1), 0), 90_000_000);
    }

    /// Entries make room for others without handing on what they owed, whatever their checks.
    #[test]
    fn nobody_is_charged_for_an_entry_that_made_room() {
        let table = Table::new(64);
        for seed in 0..1_000_000 {
            let charged = table.charge(key(seed), TERMS, 0);
            assert_eq!(charged, Charged::Taken { owed_us: TERMS.cost_us }, "seed {seed}");
        }
        assert_eq!(table.capacity(), LINE_ENTRIES);
        assert!(table.eviction_count() > 900_000);
        assert_eq!(table.owing_count(0), LINE_ENTRIES);
        assert_eq!(table.owing_count(TERMS.cost_us), 0);
    }

    /// As many are taken as the burst allows, over all threads, for each of many keys that all
    /// threads meet for the first time.
    #[test]
    fn charges_of_several_threads_add_up() {
        const THREADS: usize = 4;
        const KEYS: u64 = 2_000;
        let table = Arc::new(Table::new(1 << 20));
        let barrier = Arc::new(std::sync::Barrier::new(THREADS));
        let work = |_| {
            let (table, barrier) = (Arc::clone(&table), Arc::clone(&barrier));
            thread::spawn(move || {
                barrier.wait();
                let mut taken = vec![0_u64; usize::try_from(KEYS).unwrap()];
                for _ in 0..40 {
                    for (seed, taken) in (0..KEYS).zip(&mut taken) {
                        let charged = table.charge(key(seed), TERMS, 0);
                        *taken += u64::from(matches!(charged, Charged::Taken { .. }));
                    }
                }
                taken
            })
        };
        let threads: Vec<_> = (0..THREADS).map(work).collect();
        let mut sums = vec![0; usize::try_from(KEYS).unwrap()];
        for thread in threads {
            for (sum, taken) in sums.iter_mut().zip(thread.join().unwrap()) {
                *sum += taken;
            }
        }
        assert!(sums.iter().all(|sum| *sum == 60), "{:?}", sums.iter().max());
    }
}

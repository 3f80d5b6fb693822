//! How long something took, counted in buckets of fixed bounds.
//!
//! Four buckets for each doubling: a value read out of one is at most a quarter off. The bounds are
//! powers of two and the quarters between them, so that finding a bucket is a shift, not a search.
//!
//! # Invariants
//!
//! - `fixed`: the buckets are part of the struct; recording allocates nothing.
//! - `one-writer`: as with counters. A snapshot taken meanwhile may miss the value just recorded,
//!   or have it in the buckets and not yet in the sum; it never counts one twice.
//! - `same-bounds`: all histograms have the same bounds, so any two snapshots can be added.
//!
//! # Does not
//!
//! Know what was measured.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::counters::Counter;

/// Buckets of one doubling, as a power of two.
const QUARTERS_LOG2: u32 = 2;
const QUARTERS: u64 = 1 << QUARTERS_LOG2;

/// From here on all values share the last bucket, microseconds as a power of two: 67 s, more than
/// any phase but the longest that can be configured.
const LARGEST_LOG2: u32 = 26;

/// Buckets of a histogram: each value below 4 has its own, then four for each doubling, and one for
/// what is larger.
pub const BUCKETS: usize = ((LARGEST_LOG2 - 1) << QUARTERS_LOG2) as usize + 1;

/// A histogram of durations in microseconds: one thread records, any thread reads.
#[derive(Debug)]
pub struct Histogram {
    buckets: [Counter; BUCKETS],
    sum_us: Counter,
}

/// What a histogram held at one moment, or several of them together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// How many values fell into each bucket; [`bound_us`] says up to where each goes.
    pub counts: [u64; BUCKETS],
    /// The sum of all values, microseconds.
    pub sum_us: u64,
}

/// Values of a bucket are below this, microseconds; `None` for the last one, which has no end.
#[must_use]
pub fn bound_us(bucket: usize) -> Option<u64> {
    if bucket >= BUCKETS.saturating_sub(1) {
        return None;
    }
    let next = (bucket as u64).saturating_add(1);
    if next <= QUARTERS {
        return Some(next);
    }
    // The inverse of `bucket_of`, for the lowest value of the bucket after this one.
    let doublings = u32::try_from(next >> QUARTERS_LOG2).unwrap_or(u32::MAX).saturating_sub(1);
    let quarter = next & (QUARTERS.saturating_sub(1));
    Some(QUARTERS.saturating_add(quarter) << doublings.min(LARGEST_LOG2))
}

/// The bucket of a value.
#[inline]
fn bucket_of(value_us: u64) -> usize {
    if value_us < QUARTERS {
        return usize::try_from(value_us).unwrap_or(0);
    }
    let doublings = value_us.ilog2().saturating_sub(QUARTERS_LOG2);
    let quarter = (value_us >> doublings) & (QUARTERS.saturating_sub(1));
    let above = u64::from(doublings.saturating_add(1)) << QUARTERS_LOG2;
    usize::try_from(above | quarter).unwrap_or(BUCKETS).min(BUCKETS.saturating_sub(1))
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| Counter::default()), sum_us: Counter::default() }
    }
}

impl Histogram {
    /// Counts one value. Only the one writer may.
    #[inline]
    pub fn record(&self, value_us: u64) {
        if let Some(bucket) = self.buckets.get(bucket_of(value_us)) {
            bucket.add(1);
        }
        self.sum_us.add(value_us);
    }

    /// What it holds now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot { sum_us: self.sum_us.get(), ..Snapshot::default() };
        for (count, bucket) in snapshot.counts.iter_mut().zip(&self.buckets) {
            *count = bucket.get();
        }
        snapshot
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], sum_us: 0 }
    }
}

impl Snapshot {
    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// Adds what another one holds.
    pub fn add(&mut self, other: &Self) {
        for (count, other) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.wrapping_add(*other);
        }
        self.sum_us = self.sum_us.wrapping_add(other.sum_us);
    }

    /// What came after `earlier`, a snapshot of the same histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        for (count, before) in since.counts.iter_mut().zip(&earlier.counts) {
            *count = count.saturating_sub(*before);
        }
        since.sum_us = since.sum_us.saturating_sub(earlier.sum_us);
        since
    }

    /// How many values are below a bound; exact where the bound is one of [`bound_us`].
    #[must_use]
    pub fn count_below(&self, bound: u64) -> u64 {
        let within = |bucket: &(usize, &u64)| bound_us(bucket.0).is_some_and(|end| end <= bound);
        self.counts
            .iter()
            .enumerate()
            .take_while(within)
            .fold(0, |sum, (_, count)| sum.wrapping_add(*count))
    }

    /// The value that `permille` of 1,000 values do not exceed, microseconds: the end of its bucket
    /// (for the last bucket its start); `None` without values.
    #[must_use]
    pub fn quantile_us(&self, permille: u64) -> Option<u64> {
        let count = self.count();
        let rank = u128::from(count).saturating_mul(permille.min(1_000).into()).div_ceil(1_000);
        let rank = u64::try_from(rank).unwrap_or(u64::MAX).max(1);
        let mut seen = 0_u64;
        for (bucket, in_bucket) in self.counts.iter().enumerate() {
            seen = seen.saturating_add(*in_bucket);
            if seen >= rank {
                return Some(bound_us(bucket).unwrap_or(1 << LARGEST_LOG2));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_within_the_bounds_of_its_bucket() {
        let near = |power: u32| {
            let value = 1_u64 << power;
            [value - 1, value, value + 1, value + value / 2]
        };
        for value in (0..5_000).chain((2..40).flat_map(near)).chain([u64::MAX]) {
            let bucket = bucket_of(value);
            assert!(bound_us(bucket).is_none_or(|end| value < end), "{value} in {bucket}");
            let start = bucket.checked_sub(1).map_or(Some(0), bound_us).unwrap();
            assert!(value >= start, "{value} in {bucket}, which starts at {start}");
        }
    }

    #[test]
    fn bounds_grow_by_a_quarter_at_most_and_end_where_they_should() {
        let bounds: Vec<u64> = (0..BUCKETS).map_while(bound_us).collect();
        assert_eq!(bounds.len(), BUCKETS - 1);
        assert_eq!(bounds[..10], [1, 2, 3, 4, 5, 6, 7, 8, 10, 12]);
        assert_eq!(*bounds.last().unwrap(), 1 << LARGEST_LOG2);
        for pair in bounds[3..].windows(2) {
            assert!(pair[0] < pair[1] && pair[1] - pair[0] <= pair[0].div_ceil(4), "{pair:?}");
        }
    }

    #[test]
    fn snapshots_add_up_and_tell_what_came_between() {
        let (one, other) = (Histogram::default(), Histogram::default());
        one.record(3);
        let before = one.snapshot();
        one.record(100);
        other.record(100_000_000);
        let mut both = one.snapshot();
        both.add(&other.snapshot());
        assert_eq!((both.count(), both.sum_us), (3, 100_000_103));
        let between = one.snapshot().since(&before);
        assert_eq!((between.count(), between.sum_us), (1, 100));
        assert_eq!((both.count_below(4), both.count_below(128)), (1, 2));
    }

    #[test]
    fn quantiles_are_within_a_quarter_of_the_value() {
        let histogram = Histogram::default();
        assert_eq!(histogram.snapshot().quantile_us(500), None);
        (1..=1_000).for_each(|value| histogram.record(value));
        let snapshot = histogram.snapshot();
        for permille in [1, 500, 900, 990, 1_000] {
            let quantile = snapshot.quantile_us(permille).unwrap();
            assert!(quantile >= permille && quantile <= permille + permille.div_ceil(4) + 1);
        }
    }
}

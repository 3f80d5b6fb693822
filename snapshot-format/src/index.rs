//! The key index: one cache line a bucket, filled in order of the hash, probed forwards.
//!
//! A section of 64-byte buckets of eight `u64` entries. An entry is a value of 44 bits over a tag
//! of 20; 0 is "empty". A key's home bucket is `mulhi(hash, home_count)`, its tag the low 20 bits
//! of the hash. The section's `count` is `home_count`; overflow of the last buckets goes into
//! buckets after them.
//!
//! # Invariants
//!
//! - `no gaps`: the entries of a bucket come first, and an entry lies after its home bucket only if
//!   every bucket from there on is full. So a search ends at the first bucket that is not.
//! - `bounded probe`: no entry lies more than [`PROBE_BUCKETS_MAX`] buckets after its home: the
//!   builder refuses, the reader stops.
//!
//! # Does not
//!
//! Know keys: the caller compares the record's key with what was asked.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::VecDeque;
use std::io;

use crate::error::BuildError;
use crate::layout::word64;

/// Entries of a bucket.
const BUCKET_ENTRIES: usize = 8;
/// Bytes of a bucket.
pub(crate) const BUCKET_BYTES: usize = BUCKET_ENTRIES * 8;
/// Bits of an entry's tag.
const TAG_BITS: u32 = 20;
const TAG_MASK: u64 = (1 << TAG_BITS) - 1;
/// Largest value of an entry: 44 bits.
pub(crate) const VALUE_MAX: u64 = u64::MAX >> TAG_BITS;
/// How far an entry may lie after its home bucket.
pub const PROBE_BUCKETS_MAX: usize = 64;
/// Keys of a home bucket at the aimed load of 0.8, times ten.
const KEYS_PER_BUCKET_TIMES_10: u64 = 64;

/// Home buckets for `keys` keys.
pub(crate) fn home_count(keys: u64) -> u64 {
    keys.saturating_mul(10).div_ceil(KEYS_PER_BUCKET_TIMES_10)
}

/// Home bucket of a hash.
fn home(hash: u64, home_count: u64) -> u64 {
    (u128::from(hash).wrapping_mul(u128::from(home_count)) >> 64) as u64
}

/// Writes the buckets of `keys` keys from `next`, which gives `hash << 64 | value` in ascending
/// order, to `write`. Memory: a few buckets.
///
/// # Errors
///
/// Those of `next` and `write`; [`BuildError::Crowded`] against `bounded probe`.
pub(crate) fn write(
    section: &str,
    keys: u64,
    next: &mut dyn FnMut() -> io::Result<Option<u128>>,
    write: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), BuildError> {
    let home_count = home_count(keys);
    let mut bucket = 0;
    // Entries that go into `bucket` and, beyond eight, into those after it.
    let mut pending = VecDeque::new();
    let mut flush = |pending: &mut VecDeque<u64>| -> io::Result<()> {
        let mut bytes = [0; BUCKET_BYTES];
        for slot in bytes.chunks_exact_mut(8) {
            let Some(entry) = pending.pop_front() else { break };
            slot.copy_from_slice(&u64::to_le_bytes(entry));
        }
        write(&bytes)
    };
    while let Some(entry) = next()? {
        #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
        let (hash, value) = ((entry >> 64) as u64, entry as u64);
        let home = home(hash, home_count);
        while bucket < home {
            flush(&mut pending)?;
            bucket = bucket.saturating_add(1);
        }
        pending.push_back(value << TAG_BITS | hash & TAG_MASK);
        if pending.len() > BUCKET_ENTRIES.saturating_mul(PROBE_BUCKETS_MAX) {
            return Err(BuildError::Crowded { section: section.into(), count: pending.len() });
        }
    }
    while bucket < home_count || !pending.is_empty() {
        flush(&mut pending)?;
        bucket = bucket.saturating_add(1);
    }
    Ok(())
}

/// The bytes of a hash's home bucket, to load them early.
#[inline]
pub(crate) fn home_bucket(section: &[u8], home_count: u64, hash: u64) -> &[u8] {
    let place = usize::try_from(home(hash, home_count)).unwrap_or(usize::MAX);
    section.as_chunks::<BUCKET_BYTES>().0.get(place).map_or(&[], |bucket| bucket)
}

/// Values whose tag is that of `hash`: what the key may be.
#[derive(Debug, Clone)]
pub struct Candidates<'a> {
    /// The buckets after the one in hand.
    rest: &'a [[u8; BUCKET_BYTES]],
    bucket: &'a [u8; BUCKET_BYTES],
    /// Entries of the bucket in hand that have the tag and were not given yet, as bits.
    alike: u32,
    /// Whether the search goes on after the bucket in hand.
    full: bool,
    tag: u64,
}

const EMPTY_BUCKET: [u8; BUCKET_BYTES] = [0; BUCKET_BYTES];

impl<'a> Candidates<'a> {
    /// Searches the index `section` of `home_count` home buckets.
    #[inline]
    pub(crate) fn new(section: &'a [u8], home_count: u64, hash: u64) -> Self {
        let (buckets, _) = section.as_chunks();
        let home = usize::try_from(home(hash, home_count)).unwrap_or(usize::MAX);
        let probed = buckets.get(home..).unwrap_or_default();
        let probed = probed.get(..PROBE_BUCKETS_MAX).unwrap_or(probed);
        let tag = hash & TAG_MASK;
        let mut new = Self { rest: probed, bucket: &EMPTY_BUCKET, alike: 0, full: true, tag };
        new.turn();
        new
    }

    /// Takes the next bucket in hand and compares its eight tags at once.
    #[inline]
    fn turn(&mut self) {
        let Some((bucket, rest)) = self.rest.split_first() else {
            self.full = false;
            return;
        };
        (self.bucket, self.rest, self.alike) = (bucket, rest, 0);
        let (entries, _) = bucket.as_chunks::<8>();
        for (bit, entry) in entries.iter().enumerate() {
            let entry = u64::from_le_bytes(*entry);
            let alike = entry & TAG_MASK == self.tag && entry != 0;
            self.alike |= u32::from(alike) << bit;
        }
        // Entries come first in a bucket: the last slot tells whether all are taken.
        self.full = word64(bucket, BUCKET_BYTES.wrapping_sub(8)) != 0;
    }
}

impl Iterator for Candidates<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        while self.alike == 0 {
            if !self.full {
                return None;
            }
            self.turn();
        }
        let slot = self.alike.trailing_zeros() as usize;
        self.alike &= self.alike.wrapping_sub(1);
        Some(word64(self.bucket, slot.wrapping_mul(8)) >> TAG_BITS)
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use super::*;

    fn built(hashes: &[u64]) -> Vec<u8> {
        let mut entries: Vec<u128> = hashes
            .iter()
            .enumerate()
            .map(|(i, &hash)| u128::from(hash) << 64 | (i as u128 + 1))
            .collect();
        entries.sort_unstable();
        let mut entries = entries.into_iter();
        let mut out = Vec::new();
        write("test", hashes.len() as u64, &mut || Ok(entries.next()), &mut |bytes| {
            out.extend_from_slice(bytes);
            Ok(())
        })
        .unwrap();
        out
    }

    #[test]
    fn every_key_is_found_at_every_size() {
        for count in [1usize, 2, 7, 8, 9, 64, 1000, 20_000] {
            let hashes: Vec<u64> =
                (0..count).map(|i| crate::key::hash(5, &i.to_le_bytes())).collect();
            let section = built(&hashes);
            let homes = home_count(count as u64);
            for (i, &hash) in hashes.iter().enumerate() {
                let found = Candidates::new(&section, homes, hash).any(|v| v == i as u64 + 1);
                assert!(found, "key {i} of {count}");
            }
        }
    }

    #[test]
    fn keys_of_the_last_bucket_overflow_behind_it() {
        let hashes: Vec<u64> = (0..100).map(|i| u64::MAX - i).collect();
        let section = built(&hashes);
        for (i, &hash) in hashes.iter().enumerate() {
            assert!(Candidates::new(&section, 16, hash).any(|v| v == i as u64 + 1));
        }
    }

    #[test]
    fn too_many_keys_in_one_place_are_refused() {
        let mut left = 1000u128;
        let mut next = || {
            left -= 1;
            Ok((left > 0).then_some(1000 - left))
        };
        let error = write("test", 1000, &mut next, &mut |_| Ok(())).unwrap_err();
        assert!(matches!(error, BuildError::Crowded { .. }), "{error}");
    }
}

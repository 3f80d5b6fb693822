//! Numbers from (seed, stream, index): the generator's only source of chance.
//!
//! # Invariants
//!
//! - `stateless`: a [`Draw`] depends on its three arguments alone, so that objects can be made in
//!   any order, several times, and on several cores.
//! - `bijective`: a [`Permutation`] of `n` maps `0..n` onto `0..n`, so that what it indexes is
//!   unique without a set of what was given out.
//!
//! # Does not
//!
//! Promise cryptographic quality: this is SplitMix64 (Steele, Lea, Flood 2014).

/// What the numbers are for: one stream per purpose, so that a new draw in one does not shift
/// the others.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub(crate) enum Stream {
    Registrar = 1,
    Contact,
    Nameserver,
    Provider,
    Domain,
    Lifecycle,
    Delegation,
    Rare,
    Suffix,
    Nndn,
    Permutation,
}

/// A sequence of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Draw {
    state: u64,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

const fn finish(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Draw {
    /// The sequence of `index` in `stream`.
    pub(crate) const fn new(seed: u64, stream: Stream, index: u64) -> Self {
        let keyed = finish(seed ^ (stream as u64).wrapping_mul(0xd6e8_feb8_6659_fd93));
        Self { state: finish(keyed ^ index.wrapping_mul(GOLDEN)) }
    }

    /// The next 64 bits.
    pub(crate) const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        finish(self.state)
    }

    /// A number in `0..bound`; `bound` is 1 to 2^32 (0 counts as 1).
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        ((self.bits() >> 32) * bound) >> 32
    }

    /// A number in `0..bound` that favours small ones: the square of an even draw.
    pub(crate) const fn skewed(&mut self, bound: u64) -> u64 {
        let x = self.bits() >> 32;
        (((x * x) >> 32) * bound) >> 32
    }

    /// True `per_million` times in a million.
    pub(crate) const fn chance(&mut self, per_million: u64) -> bool {
        self.below(1_000_000) < per_million
    }

    /// One of `items`, which is not empty.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[index(self.below(items.len() as u64))]
    }
}

/// A table index. Indexes come from counts of things in memory or from a bound on the size of the
/// registry, so they fit; an index that does not fit is out of every table's range.
pub(crate) fn index(x: u64) -> usize {
    usize::try_from(x).unwrap_or(usize::MAX)
}

/// Writes `x` in `radix` (at most 36) with digits `0-9a-z`, at least `width` (at most 16) digits.
pub(crate) fn write_radix(mut x: u64, radix: u64, width: usize, out: &mut String) {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut reversed = [0u8; 64];
    let mut length = 0;
    while x > 0 || length < width.clamp(1, 16) {
        reversed[length] = DIGITS[index(x % radix)];
        x /= radix;
        length += 1;
    }
    out.extend(reversed[..length].iter().rev().map(|&digit| char::from(digit)));
}

/// Writes `x` in decimal.
pub(crate) fn write_decimal(x: u64, out: &mut String) {
    write_radix(x, 10, 1, out);
}

/// A seeded permutation of `0..n`: a Feistel network over the next even number of bits, walked
/// until it lands below `n` (at most four steps on average).
#[derive(Debug, Clone)]
pub(crate) struct Permutation {
    n: u64,
    half_bits: u32,
    keys: [u64; 4],
}

impl Permutation {
    /// The permutation of `0..n` that belongs to `seed` and `salt`.
    pub(crate) fn new(n: u64, seed: u64, salt: u64) -> Self {
        let bits = (64 - n.max(2).saturating_sub(1).leading_zeros()).max(2);
        let mut draw = Draw::new(seed, Stream::Permutation, salt);
        Self { n, half_bits: bits.div_ceil(2), keys: std::array::from_fn(|_| draw.bits()) }
    }

    /// Where `x`, below `n`, goes.
    pub(crate) fn at(&self, mut x: u64) -> u64 {
        let mask = (1u64 << self.half_bits) - 1;
        loop {
            let (mut left, mut right) = (x >> self.half_bits, x & mask);
            for key in self.keys {
                (left, right) = (right, left ^ (finish(right ^ key) & mask));
            }
            x = left << self.half_bits | right;
            if x < self.n {
                return x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_hits_every_number_once() {
        for n in [1u64, 2, 3, 5, 64, 65, 1000, 4097] {
            let permutation = Permutation::new(n, 7, n);
            let mut seen = vec![false; index(n)];
            for x in 0..n {
                let y = index(permutation.at(x));
                assert!(!seen[y], "{n}: {y} twice");
                seen[y] = true;
            }
        }
    }

    #[test]
    fn streams_seeds_and_indexes_give_different_numbers() {
        let first = Draw::new(1, Stream::Domain, 0).bits();
        assert_ne!(first, Draw::new(2, Stream::Domain, 0).bits());
        assert_ne!(first, Draw::new(1, Stream::Contact, 0).bits());
        assert_ne!(first, Draw::new(1, Stream::Domain, 1).bits());
        assert_eq!(first, Draw::new(1, Stream::Domain, 0).bits());
    }

    #[test]
    fn bounded_draws_stay_below_their_bound_and_reach_it() {
        let mut draw = Draw::new(3, Stream::Domain, 9);
        let mut seen = [false; 7];
        for _ in 0..1000 {
            seen[index(draw.below(7))] = true;
            assert!(draw.skewed(7) < 7);
        }
        assert!(seen.iter().all(|&s| s));
    }
}

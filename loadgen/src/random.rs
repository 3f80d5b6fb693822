//! Random numbers from a seed: SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom
//! Number Generators").
//!
//! # Invariants
//!
//! - The seed decides every number.
//!
//! # Does not
//!
//! Serve where a guessed number would be of use to an attacker.

/// A source of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// The source of `seed`.
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The source of `seed` for one core: those of different cores have nothing in common.
    pub(crate) fn of_core(seed: u64, core: usize) -> Self {
        let mut mixed = Self::new(seed ^ 0x5bf0_3635_dcf9_8d4f);
        let first = mixed.next();
        let core = u64::try_from(core).unwrap_or(u64::MAX);
        Self::new(Self::new(first ^ core.wrapping_mul(0xd6e8_feb8_6659_fd93)).next())
    }

    /// The next 64 bits.
    pub(crate) const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in (0, 1].
    pub(crate) fn uniform(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64")]
        let numerator = ((self.next() >> 11) + 1) as f64;
        numerator / 9_007_199_254_740_992.0
    }

    /// A number below `bound`; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        (wide >> 64) as u64
    }

    /// A distance of a Poisson process of rate 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut random = Random::new(1);
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            seen[usize::try_from(random.below(10)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|&count| (850..1_150).contains(&count)), "{seen:?}");
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn cores_and_seeds_get_numbers_of_their_own() {
        let first = |seed, core| Random::of_core(seed, core).next();
        assert_eq!(first(1, 2), first(1, 2));
        assert_ne!(first(1, 2), first(1, 3));
        assert_ne!(first(1, 2), first(2, 2));
    }
}

//! Which of many is next: at random, by Zipf's law, or one after the other.
//!
//! # Invariants
//!
//! - The popular ones are the same for every seed and core, and lie scattered over the whole.
//! - A scan by several cores together visits every one.
//!
//! # Does not
//!
//! Keep a table: a draw takes constant time and room whatever the number.

use crate::random::Random;

/// Places whose scans are kept apart: the kinds of a profile.
const PLACES: usize = 7;

/// Where the scans of one core are.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    next: [u64; PLACES],
    step: u64,
}

impl Turn {
    pub(super) fn new(core: usize, core_count: usize) -> Self {
        let first = u64::try_from(core).unwrap_or(0);
        Self { next: [first; PLACES], step: u64::try_from(core_count.max(1)).unwrap_or(1) }
    }

    /// The next number of the core's scan at `place`.
    pub(super) fn next(&mut self, place: usize) -> u64 {
        let Some(next) = self.next.get_mut(place) else { return 0 };
        let number = *next;
        *next = number.wrapping_add(self.step);
        number
    }
}

/// A way of picking one of a fixed number.
#[derive(Debug, Clone)]
pub(super) enum Picker {
    Uniform { count: u64 },
    Zipf(Zipf),
    Scan { count: u64 },
}

impl Picker {
    /// A number below the count.
    pub(super) fn pick(&self, random: &mut Random, turn: &mut Turn, place: usize) -> u64 {
        match self {
            Self::Uniform { count } => random.below(*count),
            Self::Zipf(zipf) => zipf.scattered(zipf.rank(random)),
            Self::Scan { count } => turn.next(place).checked_rem(*count).unwrap_or(0),
        }
    }
}

/// Zipf's law: the n-th most popular is asked for with a probability proportional to n to the
/// power of minus the exponent. Drawn by rejection-inversion (Hörmann, Derflinger: "Rejection-
/// Inversion to Generate Variates from Monotone Discrete Distributions").
#[derive(Debug, Clone)]
pub(super) struct Zipf {
    count: u64,
    exponent: f64,
    /// Integral of the hat up to the first rank, and up to the last.
    first: f64,
    last: f64,
    /// How far from a rank a draw is always accepted.
    accepted: f64,
    /// Coprime to the count.
    factor: u64,
}

impl Zipf {
    /// The law over `count` (at least 1) with this exponent (more than 0).
    pub(super) fn new(count: u64, exponent: f64) -> Self {
        let count = count.max(1);
        let mut zipf =
            Self { count, exponent, first: 0.0, last: 0.0, accepted: 0.0, factor: factor(count) };
        zipf.first = zipf.integral(1.5) - 1.0;
        zipf.last = zipf.integral(float(count) + 0.5);
        zipf.accepted = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.height(2.0));
        zipf
    }

    fn height(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    fn integral(&self, x: f64) -> f64 {
        let log = x.ln();
        let power = (1.0 - self.exponent) * log;
        if power.abs() < 1e-8 { log * (1.0 + power / 2.0) } else { log * power.exp_m1() / power }
    }

    fn inverse(&self, y: f64) -> f64 {
        let power = (y * (1.0 - self.exponent)).max(-1.0);
        let log = if power.abs() < 1e-8 { 1.0 - power / 2.0 } else { power.ln_1p() / power };
        (log * y).exp()
    }

    /// A rank, 0 being the most popular.
    fn rank(&self, random: &mut Random) -> u64 {
        loop {
            let y = self.last + random.uniform() * (self.first - self.last);
            let x = self.inverse(y);
            let near = x.round().clamp(1.0, float(self.count));
            if near - x <= self.accepted || y >= self.integral(near + 0.5) - self.height(near) {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "clamped to the count"
                )]
                let rank = near as u64;
                return (rank - 1).min(self.count - 1);
            }
        }
    }

    /// The place of a rank: neighbours in popularity lie far from each other.
    fn scattered(&self, rank: u64) -> u64 {
        let wide = u128::from(rank) * u128::from(self.factor) % u128::from(self.count);
        u64::try_from(wide).unwrap_or(0)
    }
}

/// A number near the golden section of `count` that has no divisor in common with it.
fn factor(count: u64) -> u64 {
    let divisor = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let start = u64::try_from(u128::from(count) * 618 / 1_000).unwrap_or(1).max(1);
    (start..).find(|&factor| divisor(factor, count) == 1).unwrap_or(1)
}

#[expect(clippy::cast_precision_loss, reason = "counts of names are below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zipf_draws_follow_its_law() {
        for exponent in [0.7, 1.0, 1.3] {
            let zipf = Zipf::new(1_000, exponent);
            let mut random = Random::new(3);
            let mut counts = vec![0_u32; 1_000];
            for _ in 0..400_000 {
                counts[usize::try_from(zipf.rank(&mut random)).unwrap()] += 1;
            }
            let total: f64 = (1..=1_000).map(|n| f64::from(n).powf(-exponent)).sum();
            for rank in [1_u32, 2, 3, 10, 50] {
                let wanted = 400_000.0 * f64::from(rank).powf(-exponent) / total;
                let got = f64::from(counts[usize::try_from(rank - 1).unwrap()]);
                assert!((got - wanted).abs() < 5.0 * wanted.sqrt(), "{rank}: {got} {wanted}");
            }
        }
    }

    #[test]
    fn scattering_keeps_every_place_and_parts_neighbours() {
        for count in [1, 2, 6, 1_000, 9_973] {
            let zipf = Zipf::new(count, 1.0);
            let mut places: Vec<u64> = (0..count).map(|rank| zipf.scattered(rank)).collect();
            if count > 100 {
                assert!(places[1].abs_diff(places[0]) > count / 10);
            }
            places.sort_unstable();
            assert!(places.into_iter().eq(0..count), "{count}");
        }
    }

    #[test]
    fn a_scan_by_several_cores_covers_all() {
        let picker = Picker::Scan { count: 100 };
        let mut random = Random::new(1);
        let mut seen = [0; 100];
        for core in 0..3 {
            let mut turn = Turn::new(core, 3);
            for _ in 0..34 - core.min(1) {
                let at = picker.pick(&mut random, &mut turn, 2);
                seen[usize::try_from(at).unwrap()] += 1;
            }
        }
        assert_eq!(seen, [1; 100]);
    }

    #[test]
    fn a_uniform_pick_comes_by_all_alike() {
        let picker = Picker::Uniform { count: 10 };
        let (mut random, mut turn) = (Random::new(1), Turn::new(0, 1));
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            seen[usize::try_from(picker.pick(&mut random, &mut turn, 0)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|count| (850..1_150).contains(count)), "{seen:?}");
    }
}

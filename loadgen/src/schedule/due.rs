//! The due times of one core.
//!
//! # Invariants
//!
//! - Never descending; endless, unless they are recorded.
//! - Constant and recorded times: core k of n has every n-th one from the k-th on. Other shapes:
//!   each core has a process of its own at its part of the rate; together they are one.
//!
//! # Does not
//!
//! Check the shape: [`Shape::check`] does.

use super::Shape;
use crate::random::Random;

/// Nanoseconds from the start, one for each query of a core.
#[derive(Debug, Clone)]
pub struct Due {
    shape: Shape,
    random: Random,
    core_count: usize,
    /// Number of the core's next query among all, for constant and recorded times.
    index: usize,
    /// Queries of all cores expected by the last due time, for the other shapes.
    expected: f64,
    last_ns: u64,
}

impl Due {
    /// The due times of core `core` of `core_count`.
    #[must_use]
    pub fn of_core(shape: &Shape, seed: u64, core: usize, core_count: usize) -> Self {
        Self {
            shape: shape.clone(),
            random: Random::of_core(seed, core),
            core_count: core_count.max(1),
            index: core,
            expected: 0.0,
            last_ns: 0,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates; due times are not negative"
)]
const fn whole_ns(time_ns: f64) -> u64 {
    time_ns as u64
}

#[expect(clippy::cast_precision_loss, reason = "counts and times of a run are below 2^53")]
impl Iterator for Due {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let due_ns = match &self.shape {
            Shape::Constant { .. } => {
                let count = (self.index as f64) + 1.0;
                self.index = self.index.saturating_add(self.core_count);
                whole_ns(self.shape.reached_s(count) * 1e9)
            }
            Shape::Recorded { times_ns, speed } => {
                let time_ns = *times_ns.get(self.index)?;
                self.index = self.index.saturating_add(self.core_count);
                whole_ns(time_ns as f64 / speed)
            }
            Shape::Poisson { .. } | Shape::Ramp { .. } | Shape::Burst { .. } => {
                self.expected += self.random.exponential() * self.core_count as f64;
                whole_ns(self.shape.reached_s(self.expected) * 1e9)
            }
        };
        self.last_ns = self.last_ns.max(due_ns);
        Some(self.last_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(shape: &Shape, seed: u64, core_count: usize, end_s: f64) -> Vec<u64> {
        let end_ns = whole_ns(end_s * 1e9);
        let core = |core| {
            Due::of_core(shape, seed, core, core_count).take_while(move |&due_ns| due_ns < end_ns)
        };
        let mut all: Vec<u64> = (0..core_count).flat_map(core).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn cores_split_a_constant_schedule_exactly() {
        let shape = Shape::Constant { rate_per_s: 6_000.0 };
        let one = until(&shape, 1, 1, 10.0);
        assert_eq!(one[0], 166_666);
        for core_count in [2, 3, 7] {
            assert_eq!(until(&shape, 9, core_count, 10.0), one);
        }
    }

    #[test]
    fn cores_split_a_recording_exactly_and_end() {
        let shape = Shape::Recorded { times_ns: (0..1_000).map(|n| n * n).collect(), speed: 2.0 };
        for core_count in [1, 3] {
            let all = until(&shape, 1, core_count, 1e9);
            assert_eq!(all.len(), 1_000);
            assert_eq!(all[999], 999 * 999 / 2);
        }
    }

    #[test]
    fn cores_together_have_the_rate_of_the_shape_in_every_part() {
        for shape in [
            Shape::Poisson { rate_per_s: 20_000.0 },
            Shape::Ramp { from_per_s: 1_000.0, to_per_s: 30_000.0, over_s: 8.0 },
            Shape::Burst {
                rate_per_s: 3_000.0,
                burst_per_s: 50_000.0,
                every_s: 3.0,
                length_s: 0.5,
            },
        ] {
            let all = until(&shape, 5, 4, 10.0);
            for second in 0..10_u32 {
                let (from_s, to_s) = (f64::from(second), f64::from(second + 1));
                let range = whole_ns(from_s * 1e9)..whole_ns(to_s * 1e9);
                let count = all.iter().filter(|due_ns| range.contains(due_ns)).count() as f64;
                let wanted = shape.mean_per_s(from_s, to_s);
                assert!((count - wanted).abs() < 5.0 * wanted.sqrt(), "{count} {wanted} {shape:?}");
            }
        }
    }

    #[test]
    fn due_times_never_descend_and_the_seed_decides_them() {
        let shape =
            Shape::Burst { rate_per_s: 10.0, burst_per_s: 900.0, every_s: 2.0, length_s: 0.1 };
        let take = |seed| -> Vec<u64> { Due::of_core(&shape, seed, 1, 2).take(5_000).collect() };
        assert!(take(1).is_sorted());
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
    }
}

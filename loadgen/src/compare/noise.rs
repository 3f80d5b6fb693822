//! How far two figures may lie apart by chance.
//!
//! Two ways, by the number of runs. Both give an interval that holds the true change with 99.5 %
//! confidence; a table has about ten figures, so about 1 in 20 comparisons of equal servers calls
//! one of them changed.
//!
//! - `runs`: with [`RUNS_MIN`] runs or more a side, Student's t interval of the difference of means
//!   (of logarithms, for ratios), with one variance for both sides: they are the same machine and
//!   method, and Welch's own variance a side would leave two degrees of freedom at three runs. It
//!   sees all noise that differs from run to run. Five runs a side halve the interval of three.
//! - `seconds`: otherwise, a circular block bootstrap of the mean over the seconds of the runs,
//!   in blocks of [`BLOCK_S`] seconds, since neighbouring seconds are alike. It sees the noise
//!   within the runs alone: a difference that lasts a whole run (placement in memory, clock
//!   frequency, a neighbour) counts as a change.
//!
//! # Invariants
//!
//! - The same figures and the same seed give the same interval.
//! - Too few values give `None`, never a narrow interval.
//!
//! # Does not
//!
//! Know what a figure means, or whether a change matters.

use crate::random::Random;

/// Fewest runs a side from which the noise between runs is estimated.
pub const RUNS_MIN: usize = 3;
/// Seconds that are drawn together.
pub const BLOCK_S: usize = 5;
/// Fewest seconds a side that can be drawn from: six blocks.
pub const SECONDS_MIN: usize = 6 * BLOCK_S;
/// Draws; 25 lie beyond each end of the interval.
const DRAWS: usize = 10_000;
/// Share of the draws beyond each end.
const TAIL: f64 = 0.0025;

/// Interval of a change.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies in it.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// Interval of mean(b) - mean(a) from one value a run; `None` with fewer than [`RUNS_MIN`] a side.
#[must_use]
pub fn between_runs(a: &[f64], b: &[f64]) -> Option<Interval> {
    if a.len() < RUNS_MIN || b.len() < RUNS_MIN {
        return None;
    }
    let freedom = (a.len() + b.len() - 2) as f64;
    let variance = (squares(a) + squares(b)) / freedom;
    let error = (variance * (1.0 / a.len() as f64 + 1.0 / b.len() as f64)).sqrt();
    let (difference, half) = (mean(b) - mean(a), student(freedom) * error);
    Some(Interval { low: difference - half, high: difference + half })
}

/// Interval of `change(mean(a), mean(b))` from one value a second; `None` with fewer than
/// [`SECONDS_MIN`] a side. Cost: about 10,000 draws of a fifth of the values.
#[must_use]
pub fn within_runs(
    a: &[f64],
    b: &[f64],
    seed: u64,
    change: impl Fn(f64, f64) -> f64,
) -> Option<Interval> {
    if a.len() < SECONDS_MIN || b.len() < SECONDS_MIN {
        return None;
    }
    let (blocks_a, blocks_b) = (block_sums(a), block_sums(b));
    let mut random = Random::new(seed);
    let mut changes: Vec<f64> = (0..DRAWS)
        .map(|_| change(drawn_mean(&mut random, &blocks_a), drawn_mean(&mut random, &blocks_b)))
        .filter(|change| change.is_finite())
        .collect();
    if changes.len() < DRAWS {
        return None;
    }
    changes.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small share of 10,000"
    )]
    let tail = (DRAWS as f64 * TAIL) as usize;
    Some(Interval { low: *changes.get(tail)?, high: *changes.get(DRAWS - 1 - tail)? })
}

/// Mean; 0 of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// Sum of the squares of the distances from the mean.
fn squares(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum()
}

/// Quantile 0.9975 of Student's t; degrees of freedom between two of the table take the lower one,
/// whose interval is wider.
fn student(freedom: f64) -> f64 {
    let found = STUDENT.iter().rev().find(|(from, _)| freedom >= *from);
    found.or(STUDENT.first()).map_or(f64::INFINITY, |(_, quantile)| *quantile)
}

/// Sums of every block of neighbours; the last ones go on at the beginning.
fn block_sums(values: &[f64]) -> Vec<f64> {
    let block = |at: usize| values.iter().cycle().skip(at).take(BLOCK_S).sum();
    (0..values.len()).map(block).collect()
}

/// Mean of as many blocks, drawn with replacement, as make up the series.
fn drawn_mean(random: &mut Random, blocks: &[f64]) -> f64 {
    let draws = (blocks.len() / BLOCK_S).max(1);
    let mut sum = 0.0;
    for _ in 0..draws {
        let index = usize::try_from(random.below(blocks.len() as u64)).unwrap_or(0);
        sum += blocks.get(index).copied().unwrap_or(0.0);
    }
    sum / (draws * BLOCK_S) as f64
}

/// Degrees of freedom and quantile 0.9975.
const STUDENT: &[(f64, f64)] = &[
    (1.0, 127.321),
    (2.0, 14.089),
    (3.0, 7.453),
    (4.0, 5.598),
    (5.0, 4.773),
    (6.0, 4.317),
    (7.0, 4.029),
    (8.0, 3.833),
    (9.0, 3.690),
    (10.0, 3.581),
    (12.0, 3.428),
    (15.0, 3.286),
    (20.0, 3.153),
    (30.0, 3.030),
    (60.0, 2.915),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Roughly normal, by the sum of twelve.
    fn normal(random: &mut Random) -> f64 {
        let uniform = |random: &mut Random| (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
        (0..12).map(|_| uniform(random)).sum::<f64>() - 6.0
    }

    #[test]
    fn intervals_between_runs_hold_the_truth_as_often_as_they_say() {
        let mut random = Random::new(1);
        let mut missed = 0;
        for _ in 0..2_000 {
            let mut side = |count| (0..count).map(|_| normal(&mut random)).collect::<Vec<_>>();
            let (a, b) = (side(3), side(5));
            missed += u32::from(!between_runs(&a, &b).unwrap().holds(0.0));
        }
        // 0.5 % of 2,000 is 10.
        assert!((1..=25).contains(&missed), "{missed}");
    }

    #[test]
    fn intervals_within_runs_hold_the_truth_about_as_often_as_they_say() {
        let mut random = Random::new(2);
        let mut missed = 0;
        for seed in 0..100 {
            // Neighbours are alike: each second keeps a third of the one before.
            let mut side = || {
                let mut last = 0.0;
                let next = |_| {
                    last = last / 3.0 + normal(&mut random);
                    10.0 + last
                };
                (0..120).map(next).collect::<Vec<_>>()
            };
            let (a, b) = (side(), side());
            let interval = within_runs(&a, &b, seed, |a, b| b / a).unwrap();
            missed += u32::from(!interval.holds(1.0));
        }
        assert!(missed <= 4, "{missed} of 100");
    }

    #[test]
    fn a_change_larger_than_the_noise_is_outside_the_interval() {
        let mut random = Random::new(3);
        let mut side =
            |level: f64| (0..60).map(|_| level + 0.05 * normal(&mut random)).collect::<Vec<_>>();
        let interval = within_runs(&side(1.0), &side(1.2), 1, |a, b| b / a).unwrap();
        assert!(!interval.holds(1.0) && interval.holds(1.2), "{interval:?}");
    }

    #[test]
    fn one_bad_block_is_noise() {
        let a = vec![0.0; 60];
        let mut b = a.clone();
        b[30] = 100.0;
        assert!(within_runs(&a, &b, 1, |a, b| b - a).unwrap().holds(0.0));
    }

    #[test]
    fn the_seed_decides_the_interval() {
        let a: Vec<f64> = (0..60).map(f64::from).collect();
        let interval = |seed| within_runs(&a, &a, seed, |a, b| b - a).unwrap();
        assert_eq!(interval(1), interval(1));
        assert_ne!(interval(1), interval(2));
    }

    #[test]
    fn too_few_values_give_no_interval() {
        assert_eq!(between_runs(&[1.0, 2.0], &[1.0, 2.0, 3.0]), None);
        assert_eq!(within_runs(&[1.0; 29], &[1.0; 60], 1, |a, b| b - a), None);
        assert_eq!(within_runs(&[0.0; 60], &[1.0; 60], 1, |a, b| b / a), None);
        let equal = between_runs(&[1.0; 3], &[2.0; 3]).unwrap();
        assert_eq!((equal.low, equal.high), (1.0, 1.0));
    }

    #[test]
    fn fewer_degrees_of_freedom_widen_the_interval() {
        assert_eq!(student(2.9), 14.089);
        assert_eq!(student(1_000.0), 2.915);
        assert_eq!(student(0.5), 127.321);
        assert!(STUDENT.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 > pair[1].1));
    }
}

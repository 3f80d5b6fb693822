//! Comparisons of runs that are formulas with noise from a seed.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures of tests are small and not negative"
)]

use super::*;
use crate::result::{Latency, Method, RESULT_FORMAT, Second, Usage};

const SETTINGS: Settings = Settings { least_percent: 5.0, seed: 1, anyway: false };

/// A run of 60 s at 1,000 per second around `p50_us`; the seed is the noise.
fn run(p50_us: u64, seed: u64) -> RunResult {
    let mut state = seed;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        1.0 + ((state >> 40) as f64 / (1_u64 << 24) as f64 - 0.5) * 0.1
    };
    let scaled = |value: u64, by: f64| (value as f64 * by) as u64;
    let level = noise() / 5.0 + 0.8;
    let p50_ns = scaled(p50_us * 1_000, level);
    let seconds: Vec<_> = (0..60)
        .map(|at_s| Second {
            at_s,
            due_count: 1_000,
            answered_count: 1_000,
            p50_ns: scaled(p50_ns, noise()),
            p99_ns: scaled(p50_ns * 4, noise()),
            ..Second::default()
        })
        .collect();
    let percentiles =
        vec![(50.0, p50_ns), (90.0, p50_ns * 2), (99.0, p50_ns * 4), (99.9, p50_ns * 9)];
    let usage = Usage { cpu_us_per_query: 12.0 * noise(), ..Usage::default() };
    RunResult {
        format: RESULT_FORMAT,
        method: Method { seed, processor: "P".to_owned(), ..Method::default() },
        asked_per_s: 1_000.0,
        achieved_per_s: 1_000.0,
        duration_s: 60.0,
        due_count: 60_000,
        sent_count: 60_000,
        answered_count: 60_000,
        late_count: 0,
        invalid: None,
        errors: [].into(),
        checked: [].into(),
        received_bytes: 60_000_000,
        latency: Latency { count: 60_000, percentiles, ..Latency::default() },
        service: Latency::default(),
        connect: Latency::default(),
        first_byte: Latency::default(),
        last_byte: Latency::default(),
        by_kind: [].into(),
        seconds,
        connections: None,
        server: Some(usage.clone()),
        generator: usage,
    }
}

fn runs(p50_us: u64, seeds: std::ops::Range<u64>) -> Vec<RunResult> {
    seeds.map(|seed| run(p50_us, seed)).collect()
}

fn verdict(comparison: &Comparison, name: &str) -> Verdict {
    comparison.figures.iter().find(|figure| figure.name == name).unwrap().verdict
}

#[test]
fn equal_runs_do_not_differ() {
    for count in [1, 5] {
        let comparison = compare(&runs(100, 0..count), &runs(100, 10..10 + count), SETTINGS);
        assert_eq!(comparison.outcome, Outcome::NotWorse, "{}", comparison.text());
    }
}

#[test]
fn a_slower_run_is_worse_and_a_faster_one_is_not() {
    for count in [1, 5] {
        let (slow, fast) = (runs(125, 0..count), runs(100, 10..10 + count));
        let comparison = compare(&fast, &slow, SETTINGS);
        assert_eq!(comparison.outcome, Outcome::Worse, "{}", comparison.text());
        assert_eq!(verdict(&comparison, "latency p50"), Verdict::Worse);
        assert_eq!(verdict(&comparison, "answers per second"), Verdict::Same);
        let comparison = compare(&slow, &fast, SETTINGS);
        assert_eq!(comparison.outcome, Outcome::NotWorse, "{}", comparison.text());
        assert_eq!(verdict(&comparison, "latency p99"), Verdict::Better);
    }
}

#[test]
fn a_figure_without_a_series_is_judged_from_three_runs_on() {
    let single = compare(&runs(100, 0..2), &runs(200, 10..14), SETTINGS);
    assert_eq!(single.basis, Basis::Seconds);
    let (p99_9, cpu) = ("latency p99.9", "server CPU per query");
    assert_eq!(verdict(&single, p99_9), Verdict::NotJudged);
    assert_eq!(verdict(&single, cpu), Verdict::NotJudged);
    let repeated = compare(&runs(100, 0..3), &runs(200, 10..13), SETTINGS);
    assert_eq!(repeated.basis, Basis::Runs);
    assert_eq!(verdict(&repeated, p99_9), Verdict::Worse);
    assert_eq!(verdict(&repeated, cpu), Verdict::Same);
}

#[test]
fn a_change_within_the_noise_is_called_that() {
    let runs = |levels: [u64; 3]| levels.map(|level| run(level, 1)).to_vec();
    let comparison = compare(&runs([100, 130, 160]), &runs([120, 150, 190]), SETTINGS);
    assert_eq!(verdict(&comparison, "latency p50"), Verdict::WithinNoise, "{}", comparison.text());
    assert_eq!(comparison.outcome, Outcome::NotWorse);
}

#[test]
fn a_sure_change_that_is_too_small_to_matter_counts_as_none() {
    let (mut a, mut b) = (run(100, 1), run(100, 1));
    a.seconds.iter_mut().for_each(|second| second.p50_ns = 100_000);
    b.seconds.iter_mut().for_each(|second| second.p50_ns = 104_000);
    (a.latency.percentiles[0].1, b.latency.percentiles[0].1) = (100_000, 104_000);
    let (a, b) = ([a], [b]);
    assert_eq!(verdict(&compare(&a, &b, SETTINGS), "latency p50"), Verdict::Same);
    let strict = Settings { least_percent: 3.0, ..SETTINGS };
    assert_eq!(verdict(&compare(&a, &b, strict), "latency p50"), Verdict::Worse);
}

#[test]
fn failures_all_through_a_run_are_worse_and_a_single_one_is_not() {
    let mut failing = run(100, 2);
    failing.seconds.iter_mut().for_each(|second| second.error_count = 1);
    failing.errors = [("timeout".to_owned(), 60)].into();
    let comparison = compare(&runs(100, 1..2), &[failing.clone()], SETTINGS);
    assert_eq!(verdict(&comparison, "failed"), Verdict::Worse, "{}", comparison.text());
    failing.seconds.iter_mut().skip(1).for_each(|second| second.error_count = 0);
    failing.errors = [("timeout".to_owned(), 1)].into();
    let comparison = compare(&runs(100, 1..2), &[failing], SETTINGS);
    assert_eq!(verdict(&comparison, "failed"), Verdict::Same, "{}", comparison.text());
}

#[test]
fn other_machines_profiles_and_rates_are_not_comparable_unless_asked_for() {
    let changes: [fn(&mut RunResult); 5] = [
        |run| run.method.processor = "Q".to_owned(),
        |run| run.method.profile = "other".repeat(100),
        |run| run.method.schedule = "other".to_owned(),
        |run| run.method.processor_count = 9,
        |run| run.asked_per_s = 1_020.0,
    ];
    for change in changes {
        let mut other = run(100, 2);
        change(&mut other);
        let (a, b) = ([run(100, 1)], [other]);
        let comparison = compare(&a, &b, SETTINGS);
        assert_eq!(comparison.outcome, Outcome::NotComparable, "{}", comparison.text());
        assert_eq!(comparison.refusals.len(), 1, "{:?}", comparison.refusals);
        let anyway = compare(&a, &b, Settings { anyway: true, ..SETTINGS });
        assert_eq!(anyway.outcome, Outcome::NotWorse);
        assert_eq!(anyway.warnings.len(), 1, "{:?}", anyway.warnings);
    }
}

#[test]
fn another_kernel_or_length_is_a_warning() {
    let mut other = run(100, 2);
    other.method.kernel = "7.0\u{1b}[2J".to_owned();
    other.duration_s = 50.0;
    let comparison = compare(&[run(100, 1)], &[other.clone(), other], SETTINGS);
    assert_eq!(comparison.outcome, Outcome::NotWorse);
    assert_eq!(comparison.warnings.len(), 2, "{:?}", comparison.warnings);
    assert!(!comparison.text().contains('\u{1b}'));
}

#[test]
fn invalid_runs_and_empty_sides_are_never_compared() {
    let mut late = run(100, 2);
    late.invalid = Some("late".to_owned());
    let anyway = Settings { anyway: true, ..SETTINGS };
    let comparison = compare(&[run(100, 1)], &[late], anyway);
    assert_eq!(comparison.outcome, Outcome::NotComparable);
    assert_eq!(compare(&[], &[run(100, 1)], anyway).outcome, Outcome::NotComparable);
    assert_eq!(compare(&[run(100, 1)], &[], anyway).outcome, Outcome::NotComparable);
}

#[test]
fn a_run_without_answers_or_seconds_has_fewer_figures_and_no_panic() {
    let mut empty = run(100, 1);
    (empty.latency, empty.seconds, empty.server) = (Latency::default(), Vec::new(), None);
    (empty.achieved_per_s, empty.duration_s) = (0.0, 0.0);
    let comparison = compare(&[empty.clone()], &[empty], SETTINGS);
    assert_eq!(comparison.figures.len(), 1, "{:?}", comparison.figures);
    assert_eq!(verdict(&comparison, "failed"), Verdict::NotJudged);
}

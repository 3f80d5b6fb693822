//! The search on servers that are formulas.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures of tests are small and not negative"
)]

use super::*;
use crate::result::{Method, RESULT_FORMAT, Usage};

const OBJECTIVE: Objective =
    Objective { percentile: 99.0, latency_us: 5_000, error_share_max: 0.001 };

/// A run at `rate_per_s` whose 99th percentile is `p99_us`.
fn run(rate_per_s: f64, p99_us: f64, errors: u64) -> RunResult {
    let due_count = (rate_per_s * 10.0) as u64;
    let latency = Latency {
        count: due_count - errors,
        percentiles: vec![(50.0, 100), (99.0, (p99_us * 1e3) as u64)],
        ..Latency::default()
    };
    RunResult {
        format: RESULT_FORMAT,
        method: Method::default(),
        asked_per_s: rate_per_s,
        achieved_per_s: rate_per_s,
        duration_s: 10.0,
        due_count,
        sent_count: due_count,
        answered_count: due_count - errors,
        late_count: 0,
        invalid: None,
        errors: [("timeout".to_owned(), errors)].into(),
        checked: [].into(),
        received_bytes: 0,
        latency,
        service: Latency::default(),
        connect: Latency::default(),
        first_byte: Latency::default(),
        last_byte: Latency::default(),
        by_kind: [].into(),
        seconds: Vec::new(),
        connections: None,
        server: None,
        generator: Usage::default(),
    }
}

/// A queue: latency grows without bound as the rate nears the capacity.
fn queue(rate_per_s: f64, base_us: f64, capacity_per_s: f64) -> RunResult {
    let load = rate_per_s / capacity_per_s;
    if load >= 1.0 {
        return run(rate_per_s, 1e6, (rate_per_s * 10.0 * (1.0 - 1.0 / load)) as u64);
    }
    run(rate_per_s, base_us / (1.0 - load), 0)
}

fn search(mut server: impl FnMut(f64) -> RunResult) -> (Search, Vec<f64>) {
    let mut search = Search::new(1_000.0, 100_000.0, 10, 0.02, OBJECTIVE).unwrap();
    let mut rates = Vec::new();
    while let Some(rate) = search.next_rate() {
        rates.push(rate);
        assert!(rates.len() <= search.steps_max() as usize, "no end: {rates:?}");
        search.tell(&server(rate));
    }
    (search, rates)
}

#[test]
fn the_knee_of_a_queue_is_found_within_the_precision() {
    for capacity in [2_000.0, 7_777.0, 33_000.0, 101_000.0] {
        // base / (1 - load) = 5,000 us at load 0.9.
        let (search, rates) = search(|rate| queue(rate, 500.0, capacity));
        let (knee, truth) = (search.knee_per_s().unwrap(), capacity * 0.9);
        assert!(knee <= truth && knee * 1.021 >= truth, "{knee} is not {truth}: {rates:?}");
        assert!(matches!(search.limit(), Some(Limit::Server { missed_per_s }) if
            *missed_per_s > truth && *missed_per_s <= knee * 1.02));
        assert!(search.note().unwrap().contains("missed it"), "{:?}", search.note());
    }
}

#[test]
fn the_ascent_is_geometric_and_ends_at_the_upper_rate() {
    let (search, rates) = search(|rate| run(rate, 100.0, 0));
    assert_eq!(rates.len(), 10);
    assert_eq!((rates[0], rates[9]), (1_000.0, 100_000.0));
    for pair in rates.windows(2) {
        assert!((pair[1] / pair[0] / 1.668 - 1.0).abs() < 0.03, "{rates:?}");
    }
    assert_eq!(search.limit(), Some(&Limit::Range));
    assert_eq!(search.knee_per_s(), Some(100_000.0));
}

#[test]
fn a_server_too_slow_for_the_lowest_rate_has_no_knee() {
    let (search, rates) = search(|rate| run(rate, 6_000.0, 0));
    assert_eq!(rates, [1_000.0]);
    assert_eq!((search.knee_per_s(), search.limit()), (None, Some(&Limit::BelowRange)));
}

#[test]
fn errors_miss_the_objective_whatever_the_latency() {
    let (search, _) = search(|rate| run(rate, 100.0, if rate > 20_000.0 { 10_000 } else { 0 }));
    let knee = search.knee_per_s().unwrap();
    assert!((19_600.0..=20_000.0).contains(&knee), "{knee}");
}

#[test]
fn a_generator_that_is_too_slow_is_named_as_the_limit() {
    let (search, _) = search(|rate| {
        let mut result = run(rate, 100.0, 0);
        result.invalid = (rate > 12_345.0).then(|| "3 % of the queries were late".to_owned());
        result
    });
    let knee = search.knee_per_s().unwrap();
    assert!(knee <= 12_345.0 && knee * 1.02 >= 12_345.0, "{knee}");
    assert!(matches!(search.limit(), Some(Limit::Generator { .. })), "{:?}", search.limit());
    let note = search.note().unwrap();
    assert!(note.contains("the generator, not the server, was the limit"), "{note}");
    assert!(note.contains("3 % of the queries were late"), "{note}");
}

#[test]
fn a_server_slower_than_a_slow_generator_still_shows_its_own_knee() {
    let (search, _) = search(|rate| {
        let mut result = queue(rate, 500.0, 10_000.0);
        result.invalid = (rate > 10_500.0).then(|| "late".to_owned());
        result
    });
    assert!(matches!(search.limit(), Some(Limit::Server { .. })), "{:?}", search.limit());
    let knee = search.knee_per_s().unwrap();
    assert!((8_800.0..=9_000.0).contains(&knee), "{knee}");
}

#[test]
fn a_generator_too_slow_from_the_start_says_nothing_of_the_server() {
    let (search, rates) = search(|rate| {
        let mut result = run(rate, 100.0, 0);
        result.invalid = Some("late".to_owned());
        result
    });
    assert_eq!((rates.len(), search.knee_per_s()), (1, None));
    assert!(matches!(search.limit(), Some(Limit::Generator { .. })));
}

#[test]
fn a_result_after_the_end_changes_nothing() {
    let (mut search, _) = search(|rate| queue(rate, 500.0, 10_000.0));
    let (knee, limit) = (search.knee_per_s(), search.limit().cloned());
    search.tell(&run(1.0, 1.0, 0));
    assert_eq!((search.knee_per_s(), search.limit().cloned()), (knee, limit));
}

#[test]
fn the_smallest_ranges_and_precisions_end() {
    for (low, high, count, precision) in
        [(1.0, 1.001, 2, 0.001), (0.001, 1e9, 100, 0.001), (10.0, 11.0, 100, 1.0)]
    {
        for share in [0.0, 0.5, 0.99, 2.0] {
            let mut search = Search::new(low, high, count, precision, OBJECTIVE).unwrap();
            let mut steps = 0;
            while let Some(rate) = search.next_rate() {
                steps += 1;
                assert!(steps <= search.steps_max(), "{low} {high} {count} {precision} {share}");
                let slow = rate > low + (high - low) * share;
                search.tell(&run(rate.max(1.0), if slow { 1e6 } else { 1.0 }, 0));
            }
        }
    }
}

#[test]
fn bounds_that_do_not_hold_are_refused_by_name() {
    let refused = |low, high, count, precision, percentile| {
        let objective = Objective { percentile, ..OBJECTIVE };
        Search::new(low, high, count, precision, objective).unwrap_err().to_string()
    };
    assert!(refused(0.0, 1.0, 5, 0.1, 99.0).contains("lower rate"));
    assert!(refused(2.0, 1.0, 5, 0.1, 99.0).contains("lower rate"));
    assert!(refused(f64::NAN, 1.0, 5, 0.1, 99.0).contains("lower rate"));
    assert!(refused(1.0, f64::INFINITY, 5, 0.1, 99.0).contains("lower rate"));
    assert!(refused(1.0, 2.0, 1, 0.1, 99.0).contains("steps"));
    assert!(refused(1.0, 2.0, 5, 0.0, 99.0).contains("precision"));
    assert!(refused(1.0, 2.0, 5, f64::NAN, 99.0).contains("precision"));
    assert!(refused(1.0, 2.0, 5, 0.1, 101.0).contains("percentile"));
}

#[test]
fn a_percentile_comes_from_the_list_or_from_the_spectrum() {
    let latency = Latency {
        count: 10,
        percentiles: vec![(99.0, 7)],
        spectrum: vec![(50.0, 1), (90.0, 2), (99.5, 3)],
        ..Latency::default()
    };
    assert_eq!(percentile_ns(&latency, 99.0), Some(7));
    assert_eq!(percentile_ns(&latency, 75.0), Some(2));
    assert_eq!(percentile_ns(&latency, 99.9), None);
    assert_eq!(percentile_ns(&Latency::default(), 50.0), None);
}

#[test]
fn a_judgement_names_figure_and_bound() {
    assert_eq!(judge(&run(1_000.0, 5_000.0, 0), &OBJECTIVE), Ok(()));
    let slow = judge(&run(1_000.0, 5_000.1, 0), &OBJECTIVE).unwrap_err();
    assert_eq!(slow.to_string(), "p99 5,001 us over 5,000 us");
    let failed = judge(&run(1_000.0, 1.0, 100), &OBJECTIVE).unwrap_err();
    assert_eq!(failed.to_string(), "failed 1 % over 0.1 %");
    assert_eq!(judge(&run(0.0, 1.0, 0), &OBJECTIVE), Err(Missed::NoAnswer));
}

#[test]
fn figures_are_rounded_to_three_digits() {
    let pairs = [(12_345.6, 12_300.0), (0.012_345, 0.012_3), (999.6, 1_000.0), (0.1, 0.1)];
    for (value, round) in pairs {
        assert_eq!(rounded(value), round);
    }
    assert_eq!(objective_text(&OBJECTIVE), "p99 within 5,000 us, at most 0.1 % failed");
}

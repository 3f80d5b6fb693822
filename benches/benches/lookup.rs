//! The steps of an answer by the clock: view pin, parse, find, render, and whole answers; each hot,
//! the same few queries again, and cold, queries at random over the whole directory.
//!
//! `cargo bench -p whoisd-benches --bench lookup [-- --domains N | --smoke]`; with
//! `--dir DIRECTORY` over one that `whoisd sample --into` made before.
//!
//! A pin knows no names. Cold, it is measured after an answer, which is not timed, as a shard makes
//! one between two pins.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::path::Path;
use std::sync::Arc;

use snapshot_format::Kind;
use whoisd::view::View;
use whoisd_benches::steps::{self, CASES, Case, HOT_QUERIES, Step};
use whoisd_benches::{Options, measure, measure_each, print, print_figures, timed};

/// Queries of a measurement.
const QUERIES: usize = 300_000;

/// Answers whose length is measured.
const ANSWERS_MEASURED: usize = 10_000;

fn main() {
    let options = Options::of_arguments(1_000_000, 2_000);
    let temporary = tempfile::tempdir().unwrap();
    run(&steps::directory(options, temporary.path()), options);
}

fn run(directory: &Path, options: Options) {
    let (view, seconds) = timed(|| View::open(directory).unwrap());
    print("open", &format!("{:.0} us", seconds * 1e6));
    let ((), seconds) = timed(|| view.prepare().unwrap());
    print("load and compare checksums", &format!("{:.1} ms", seconds * 1e3));
    print("domains", &view.base().count(Kind::Domain).to_string());
    let view = Arc::new(view);
    for case in &CASES {
        measure_case(case, &view, options);
    }
}

fn measure_case(case: &Case, view: &Arc<View>, options: Options) {
    let queries = if options.smoke { 2_000 } else { QUERIES };
    let mut bench = case.prepare(view, queries);
    if case.step == Step::Answer {
        let measured = queries.min(ANSWERS_MEASURED);
        let bytes: usize = (0..measured)
            .map(|at| {
                bench.answer(at);
                bench.answer_bytes()
            })
            .sum();
        print(&format!("{}, mean length", case.name), &format!("{} bytes", bytes / measured));
    }
    let hot: Vec<usize> = (0..queries).map(|at| at % HOT_QUERIES).collect();
    let cold: Vec<usize> = (0..queries).collect();
    let figures = measure(options.rounds(), &hot, |at| bench.run(*at));
    print_figures(&format!("{}, hot", case.name), figures);
    let figures = if case.step == Step::Pin {
        measure_each(&cold, &mut bench, |bench, at| bench.answer(*at), |bench, at| bench.run(*at))
    } else {
        measure(options.rounds(), &cold, |at| bench.run(*at))
    };
    print_figures(&format!("{}, cold", case.name), figures);
}

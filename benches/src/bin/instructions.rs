//! Instructions of the steps of an answer, counted by valgrind's callgrind: a figure that a busy
//! machine does not change. Names are at random over the directory; caches do not count here.
//!
//! `cargo run --release -p whoisd-benches --bin instructions [-- --domains N | --smoke]`; with
//! `--dir DIRECTORY` over one that `whoisd sample --into` made before. Each figure is what N more
//! queries cost after N, so that opening and preparing do not count.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use whoisd::view::View;
use whoisd_benches::steps::{self, CASES, Case};
use whoisd_benches::{Options, print};

/// The argument of the process that is counted; case, directory, queries to run and to prepare
/// follow.
const COUNTED: &str = "--counted";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, first, case, directory, run, prepared] = arguments.as_slice()
        && first == COUNTED
    {
        return counted(
            Case::named(case).unwrap(),
            Path::new(directory),
            run.parse().unwrap(),
            prepared.parse().unwrap(),
        );
    }
    let options = Options::of_arguments(100_000, 1_000);
    let there = Command::new("valgrind").arg("--version").output();
    if !there.is_ok_and(|output| output.status.success()) {
        print("valgrind is missing", "no instructions counted");
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let directory = steps::directory(options, temporary.path());
    let queries = if options.smoke { 50 } else { 5_000 };
    for case in &CASES {
        let of = |run| instructions(case, &directory, run, 2 * queries);
        let each = (of(2 * queries) - of(queries)) / queries;
        print(case.name, &format!("{each:6} instructions"));
    }
}

/// Instructions of a whole process that runs `run` queries of the `prepared` ones.
fn instructions(case: &Case, directory: &Path, run: u64, prepared: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args([COUNTED, case.name])
        .arg(directory)
        .args([run.to_string(), prepared.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // "==123== Collected : 4567"
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    collected.unwrap().1.trim().parse().unwrap()
}

/// What is counted: `run` queries of `prepared` ones.
fn counted(case: &Case, directory: &Path, run: usize, prepared: usize) {
    let view = Arc::new(View::open(directory).unwrap());
    let mut bench = case.prepare(&view, prepared);
    (0..run).for_each(|at| bench.run(at));
}

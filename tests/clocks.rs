//! No test depends on the clock of a machine that others use: a test that waits for an event waits
//! at least a minute before it reports that there is none.
//!
//! # Does not
//!
//! See bounds that are not on the line that uses them: reviews do.
#![allow(clippy::unwrap_used, reason = "a test: what cannot be read fails it")]

use std::fs;
use std::path::{Path, PathBuf};

/// Shortest time after which a test may report that an event does not happen, milliseconds.
const PATIENCE_MS: u64 = 60_000;

/// Calls that bound a wait from above, and make a test fail on a slow machine.
const BOUNDS: [&str; 5] =
    ["elapsed() <", "duration_since(", "recv_timeout(", "set_read_timeout(", "set_write_timeout("];

/// The times that a line names, milliseconds.
fn times_ms(line: &str) -> Vec<u64> {
    let of = |unit: &str, ms: u64| {
        let places = line.match_indices(unit).map(|(at, _)| &line[at + unit.len()..]);
        let numbers =
            places.filter_map(|rest| rest.split_once(')')?.0.replace('_', "").parse().ok());
        numbers.map(move |number: u64| number * ms).collect::<Vec<_>>()
    };
    [of("from_millis(", 1), of("from_secs(", 1_000)].concat()
}

fn is_too_short(line: &str) -> bool {
    let is_bound = BOUNDS.iter().any(|bound| line.contains(bound));
    is_bound && times_ms(line).iter().any(|ms| *ms < PATIENCE_MS)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The lines of a file that are tests, each with its number.
fn test_lines<'a>(path: &Path, text: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    let is_test =
        path.components().any(|part| part.as_os_str().to_string_lossy().contains("tests"));
    let of_file = text.lines().position(|line| line.trim() == "#[cfg(test)]");
    let from = if is_test { Some(0) } else { of_file };
    text.lines().enumerate().skip(from.unwrap_or(usize::MAX))
}

#[test]
fn no_test_gives_up_before_a_minute_has_passed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for folder in ["src", "tests", "loadgen/src", "loadgen/tests", "snapshot-format"] {
        files(&root.join(folder), &mut all);
    }
    let (mut findings, mut looked_at) = (Vec::new(), 0);
    for path in all {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root).unwrap();
        for (number, line) in test_lines(name, &text) {
            looked_at += 1;
            if is_too_short(line) && name != Path::new("tests/clocks.rs") {
                findings.push(format!("{}:{}: {}", name.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(looked_at > 10_000, "{looked_at} lines of tests");
    assert!(findings.is_empty(), "bounds under {PATIENCE_MS} ms:\n{}", findings.join("\n"));
}

#[test]
fn short_bounds_are_found_and_long_ones_and_pauses_are_not() {
    for short in [
        "assert!(begun.elapsed() < Duration::from_secs(5));",
        "while begun.elapsed() <= Duration::from_millis(10_000) {",
        "client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();",
    ] {
        assert!(is_too_short(short), "{short}");
    }
    for long in [
        "assert!(begun.elapsed() < Duration::from_secs(120));",
        "assert!(begun.elapsed() < PATIENCE);",
        "thread::sleep(Duration::from_millis(20));",
    ] {
        assert!(!is_too_short(long), "{long}");
    }
}

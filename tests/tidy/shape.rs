//! Lengths of lines and files, heads of files, names of modules.

use std::fs;

use super::source::{Source, assert_none, root, sources};

const LINE_CHARS_MAX: usize = 100;
const FILE_LINES_WANTED: usize = 500;
const FILE_LINES_MAX: usize = 1_000;

/// Files that may pass 500 lines, each with its reason; none may pass 1,000.
const LONG_FILES: &[(&str, &str)] = &[
    ("tests/store_simulation.rs", "one store under one harness, and all that befalls it"),
    ("snapshot-format/src/reader.rs", "the fields of one open snapshot stay private to it"),
    ("tests/feed_nats.rs", "what servers and streams do to both ends, in one list"),
    (
        "snapshot-format/src/builder/mod.rs",
        "one pass over the kinds, in the order of the file; the parts share its state",
    ),
    (
        "src/policy/display/settings/mod.rs",
        "every key of how answers read, with its documentation and its bound",
    ),
];

/// Files that may pass 100 characters a line, each with its reason.
const LONG_LINES: &[(&str, &str)] =
    &[("src/vet/rule.rs", "a table: one rule a line, so that two rules can be compared")];

/// Module names that say nothing.
const EMPTY_NAMES: &[&str] = &["utils", "common", "helpers", "misc", "types", "manager", "core"];

#[test]
fn lines_and_files_keep_their_length() {
    let mut findings = Vec::new();
    for Source { path, text } in sources() {
        for (index, line) in text.lines().enumerate() {
            let chars = line.chars().count();
            // A text that a test gives or expects stays in one piece.
            let test_text = path.starts_with("tests/") && line.contains(['"', '<']);
            // A row of a table in a comment cannot be broken.
            let row = line.starts_with("//! | ");
            let reasoned = test_text || row || LONG_LINES.iter().any(|(long, _)| *long == path);
            if chars > LINE_CHARS_MAX && !reasoned {
                findings.push(format!("{path}:{}: {chars} characters", index + 1));
            }
        }
        let lines = text.lines().count();
        let reasoned = LONG_FILES.iter().any(|(long, _)| *long == path);
        if lines > FILE_LINES_MAX || (lines > FILE_LINES_WANTED && !reasoned) {
            findings.push(format!("{path}: {lines} lines; split it by role"));
        }
    }
    for (path, reason) in LONG_LINES {
        let text = fs::read_to_string(root().join(path)).unwrap_or_default();
        if !text.lines().any(|line| line.chars().count() > LINE_CHARS_MAX) || reason.is_empty() {
            findings.push(format!("{path}: no longer has long lines; take it off the list"));
        }
    }
    for (path, reason) in LONG_FILES {
        let text = fs::read_to_string(root().join(path)).unwrap_or_default();
        if text.lines().count() <= FILE_LINES_WANTED || reason.is_empty() {
            findings.push(format!("{path}: no longer an exception; take it off the list"));
        }
    }
    assert_none("lines over 100 characters, files over 500 lines without a reason", &findings);
}

#[test]
fn every_file_starts_with_what_it_is() {
    let findings: Vec<_> = sources()
        .into_iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.path)
        .collect();
    assert_none("files without a `//!` head", &findings);
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    let findings: Vec<_> = sources()
        .into_iter()
        .filter(|source| {
            source
                .path
                .split('/')
                .any(|part| EMPTY_NAMES.contains(&part.strip_suffix(".rs").unwrap_or(part)))
        })
        .map(|source| source.path)
        .collect();
    assert_none("modules named for nothing", &findings);
}

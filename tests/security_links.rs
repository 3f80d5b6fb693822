//! Each test that SECURITY.md names for a promise exists.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::fs;
use std::path::{Path, PathBuf};

/// Promises whose tests are not linked yet; none in a release.
const TO_BE_LINKED: usize = 0;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Name and file of every link of the form ``[`name`](file.rs)``.
fn links(text: &str) -> Vec<(&str, &str)> {
    let parts = text.split("[`").skip(1);
    let links = parts.filter_map(|part| {
        let (name, rest) = part.split_once("`](")?;
        Some((name, rest.split_once(')')?.0))
    });
    links.filter(|(_, file)| Path::new(file).extension().is_some_and(|of| of == "rs")).collect()
}

/// Whether a text has a test of that name that is run.
fn has_test(text: &str, name: &str) -> bool {
    let head = format!("fn {name}(");
    let Some(at) = text.find(&head) else { return false };
    let above = text[..at].trim_end().lines().rev().map(str::trim);
    let attributes: Vec<_> = above.take_while(|line| line.starts_with(['#', '/'])).collect();
    attributes.contains(&"#[test]") && !attributes.iter().any(|line| line.starts_with("#[ignore"))
}

#[test]
fn every_promise_is_kept_by_tests_that_exist() {
    let text = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let links = links(&text);
    assert!(links.len() > 40, "{} links", links.len());
    let mut missing = Vec::new();
    for (name, file) in links {
        let text = fs::read_to_string(root().join(file)).unwrap_or_default();
        if !has_test(&text, name) {
            missing.push(format!("{file}: {name}"));
        }
    }
    assert!(missing.is_empty(), "SECURITY.md names tests that do not exist: {missing:#?}");
}

#[test]
fn every_row_of_promises_names_a_test_or_is_counted_as_open() {
    let text = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let promises = text.split("\n## ").find(|part| part.starts_with("Promises")).unwrap();
    let mut open = 0;
    for row in promises.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        if cells.first() == Some(&"promised") {
            continue;
        }
        match cells.get(1) {
            Some(&"to be linked") => open += 1,
            Some(kept) => assert!(!links(kept).is_empty(), "{row}"),
            None => panic!("{row}"),
        }
    }
    assert_eq!(open, TO_BE_LINKED, "rows to be linked");
}

#[test]
fn a_link_to_nothing_is_seen() {
    let text = "| x | [`one`](a.rs), [`two`](b/c.rs) and [`three`](d.md) |";
    assert_eq!(links(text), [("one", "a.rs"), ("two", "b/c.rs")]);
    assert!(has_test("#[test]\nfn one() {}", "one"));
    assert!(!has_test("fn one() {}", "one") && !has_test("#[test]\nfn other() {}", "one"));
    assert!(!has_test("#[test]\n#[ignore = \"slow\"]\nfn one() {}", "one"));
}

//! `whoisd import` as a program: exit statuses, the report, and what stays after a refusal.

use std::path::Path;
use std::process::{Command, Output};

use whoisd::view::View;

use crate::support::{good, spoiled};

fn whoisd(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_whoisd"))
        .arg("import")
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap()
}

/// Names of the files in a snapshot directory, sorted.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_refused_deposit_leaves_the_old_generation_and_a_good_one_replaces_it() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path();
    std::fs::write(directory.join("good.xml"), good()).unwrap();
    let twice = spoiled(">xn--bcher-kva.test<", ">a.test<");
    std::fs::write(directory.join("bad.xml"), twice).unwrap();
    let done = whoisd(directory, &["good.xml", "--into", "s"]);
    assert!(done.status.success());
    assert!(String::from_utf8(done.stdout).unwrap().contains("generation 1"));
    let snapshot = directory.join("s");
    let before = names(&snapshot);
    let report = ["--report", "report.jsonl"];
    let refused = whoisd(directory, &[&["bad.xml", "--into", "s"][..], &report].concat());
    assert_eq!(refused.status.code(), Some(3));
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(message.starts_with("whoisd: the deposit was refused: bad.xml:"), "{message}");
    assert!(message.contains("[key-repeated, RFC 9022 section 8]"), "{message}");
    let lines = std::fs::read_to_string(directory.join("report.jsonl")).unwrap();
    assert!(lines.lines().last().unwrap().contains("\"severity\":\"refusal\""));
    assert_eq!(names(&snapshot), before);
    assert_eq!(View::open(&snapshot).unwrap().generation(), 1);
    assert!(whoisd(directory, &["good.xml", "--into", "s", "--quiet"]).status.success());
    assert_eq!(View::open(&snapshot).unwrap().generation(), 2);
}

#[test]
fn a_directory_that_was_made_for_a_refused_deposit_is_gone_again() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path();
    let twice = spoiled(">xn--bcher-kva.test<", ">a.test<");
    std::fs::write(directory.join("bad.xml"), twice).unwrap();
    assert_eq!(whoisd(directory, &["bad.xml", "--into", "of/mine"]).status.code(), Some(3));
    assert_eq!(whoisd(directory, &["none.xml", "--into", "of/mine"]).status.code(), Some(1));
    assert_eq!(names(directory), ["bad.xml"]);
    // One that was there stays.
    std::fs::create_dir(directory.join("of")).unwrap();
    assert_eq!(whoisd(directory, &["bad.xml", "--into", "of"]).status.code(), Some(3));
    assert_eq!(names(&directory.join("of")), ["LOCK"]);
}

#[test]
fn exit_statuses_tell_failures_from_refusals_and_wrong_usage() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path();
    std::fs::write(directory.join("odd.xml"), spoiled(">FR<", ">XX<")).unwrap();
    let status = |arguments: &[&str]| whoisd(directory, arguments).status.code();
    assert_eq!(status(&["none.xml", "--into", "s"]), Some(1));
    assert_eq!(status(&["odd.xml"]), Some(2));
    assert_eq!(status(&["odd.xml", "--into", "s", "--memory", "1M"]), Some(2));
    assert_eq!(status(&["odd.xml", "--into", "s", "--strict"]), Some(3));
    assert_eq!(status(&["odd.xml", "--into", "s", "--findings-max", "0"]), Some(3));
    assert_eq!(status(&["odd.xml", "--into", "s", "--findings-max", "1"]), Some(0));
}

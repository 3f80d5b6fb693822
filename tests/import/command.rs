//! `whoisd import` as a program: exit statuses, the report, and the directory after a refusal.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use whoisd::store::{Settings, Writer};
use whoisd::view::{Disk, View};

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

/// An import that is under way.
fn begun(directory: &Path, program: &[&str]) -> Child {
    let (first, rest) = program.split_first().unwrap();
    let mut command = Command::new(first);
    command.args(rest).args(["import", "good.xml", "--into", "s"]).current_dir(directory);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn an_import_waits_a_while_for_a_directory_that_is_about_to_be_free() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path();
    std::fs::write(directory.join("good.xml"), good()).unwrap();
    let held = Writer::lock(Disk::new(&directory.join("s")), Settings::default()).unwrap();
    let mut import = begun(directory, &[env!("CARGO_BIN_EXE_whoisd")]);
    std::thread::sleep(Duration::from_millis(500));
    assert!(import.try_wait().unwrap().is_none(), "it waits");
    drop(held);
    assert!(import.wait_with_output().unwrap().status.success());
}

/// The good deposit with so many more domains.
fn good_with(count: usize) -> String {
    let (start, end) = ("<rdeDomain:domain><rdeDomain:name>xn--", "</rdeDomain:domain>");
    let good = good();
    let from = good.find(start).unwrap();
    let to = from + good[from..].find(end).unwrap() + end.len();
    let mut text = good[..to].to_owned();
    for number in 0..count {
        let domain = good[from..to].replace("xn--bcher-kva.test", &format!("d{number}.test"));
        text.push_str(&domain.replace("D2-TEST", &format!("N{number}-TEST")));
    }
    text.push_str(&good[to..]);
    text
}

/// How an import ended that was told of the end of its terminal while it wrote, and whether it was
/// still at it: on a busy machine the signal may come too late.
fn hung_up(directory: &Path, program: &[&str]) -> (Output, bool) {
    let mut import = begun(directory, program);
    let data = directory.join("s");
    while !(data.is_dir() && has_aside(&data)) && import.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(2));
    }
    let id = import.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    // What is left is as much work as an import takes to end after it has published.
    let was_at_it = !data.join("MANIFEST").exists();
    (import.wait_with_output().unwrap(), was_at_it)
}

fn has_aside(directory: &Path) -> bool {
    directory.is_dir() && names(directory).iter().any(|name| name.ends_with(".new"))
}

#[test]
fn an_import_whose_terminal_goes_away_leaves_nothing_unless_it_is_to_outlive_it() {
    let whoisd = env!("CARGO_BIN_EXE_whoisd");
    // What runs the tests may outlive its terminal, and with it what it starts.
    let usual = ["env", "--default-signal=HUP", whoisd];
    for (program, outlives) in [(&usual[..], false), (&["nohup", whoisd], true)] {
        // The larger, the longer it writes.
        let in_time = [20_000, 80_000, 320_000].into_iter().any(|count| {
            let temporary = tempfile::tempdir().unwrap();
            let directory = temporary.path();
            std::fs::write(directory.join("good.xml"), good_with(count)).unwrap();
            let (done, was_at_it) = hung_up(directory, program);
            let data = directory.join("s");
            let has_ended_well = done.status.success();
            assert!(has_ended_well || done.status.code() == Some(1), "{done:?}");
            // A directory that was made in vain is removed.
            assert_eq!((data.exists(), has_aside(&data)), (has_ended_well, false), "{done:?}");
            was_at_it && has_ended_well == outlives
        });
        assert!(in_time, "outlives: {outlives}");
    }
}

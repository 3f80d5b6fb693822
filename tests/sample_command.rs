//! `whoisd sample` as it is typed: outputs, exit statuses, messages.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output};

use whoisd::view::View;

fn sample(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whoisd"));
    command.arg("sample").args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn refused(arguments: &[&str], expected: &str) {
    let output = sample(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains(expected), "{stderr}");
}

#[test]
fn wrong_usage_says_what_was_got_and_expected() {
    refused(&["--domains", "99", "--queries"], "99 is not in 100..=100000000");
    refused(&["--domains", "many", "--queries"], "invalid digit");
    refused(&["--tld", "a b", "--queries"], "tld \"a b\": is not a domain name");
    refused(&["--tld", "demo", "--tld", "DEMO", "--queries"], "tld \"demo\": is given twice");
    refused(&["--watermark", "yesterday", "--queries"], "expected YYYY-MM-DD");
    refused(&["--watermark", "1970-01-01", "--queries"], "the years 2000 to 2199 are expected");
    refused(&["--domains", "100"], "name --into DIR, --rde-xml PATH or --rde-csv DIR");
    refused(&["--queries", "--into", "x"], "cannot be used with");
    refused(&["--sha256", "--into", "x"], "--rde-csv");
}

#[test]
fn a_file_that_cannot_be_written_is_a_failure_that_names_the_path() {
    let output = sample(&["--domains", "100", "--rde-xml", "/nonexistent/deposit.xml"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let expected = "/nonexistent/deposit.xml: its folder /nonexistent is not there; make it first";
    assert!(stderr.contains(expected), "{stderr}");
}

#[test]
fn queries_are_printed_one_a_line_for_the_first_suffix() {
    let text = stdout(&sample(&["--queries", "--tld", "shop"]));
    assert!(text.lines().any(|line| line == "example.shop"), "{text}");
    assert!(text.lines().any(|line| line == "registrar Example Registrar, Inc."), "{text}");
    assert!(!text.contains('{'), "{text}");
}

#[test]
fn one_call_writes_deposits_and_a_directory_that_can_be_served() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (xml, csv, into) = (path("xml/"), path("csv"), path("served"));
    let output = sample(&[
        "--domains",
        "150",
        "--rde-xml",
        &xml,
        "--gzip",
        "--rde-csv",
        &csv,
        "--sha256",
        "--into",
        &into,
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = stdout(&output);
    assert!(text.starts_with("domains              150\n"), "{text}");
    let file = Path::new(&xml).join("demo_2026-01-01_full_S1_R0.xml.gz");
    let mut deposit = String::new();
    let compressed = fs::File::open(file).unwrap();
    flate2::read::GzDecoder::new(compressed).read_to_string(&mut deposit).unwrap();
    assert!(deposit.ends_with("</rde:deposit>\n"));
    assert_eq!(deposit.matches("<rdeDomain:domain>").count(), 150);
    assert!(Path::new(&csv).join("demo_2026-01-01_full_S1_R0.domain.csv.gz").exists());
    let view = View::open(Path::new(&into)).unwrap();
    assert!(view.base().find_domain("example.demo").unwrap().is_some());
    let left: Vec<_> = walk(directory.path()).filter(|name| name.ends_with(".new")).collect();
    assert!(left.is_empty(), "{left:?}");
}

fn walk(path: &Path) -> impl Iterator<Item = String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            names.extend(walk(&entry.path()));
        }
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.into_iter()
}

#[test]
fn a_minus_is_standard_output_and_a_name_in_gz_is_compressed() {
    let piped = sample(&["--domains", "120", "--rde-xml", "-"]);
    let text = stdout(&piped);
    assert!(text.starts_with("<?xml") && text.ends_with("</rde:deposit>\n"));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("deposit.xml.gz");
    let output = sample(&["--domains", "120", "--rde-xml", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let mut unpacked = String::new();
    let compressed = fs::File::open(file).unwrap();
    flate2::read::GzDecoder::new(compressed).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, text, "the same registry either way");
}

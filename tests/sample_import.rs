//! A sample's deposits import without a finding, and give the snapshot that the sample builds.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::path::Path;
use std::process::Command;

use snapshot_format::dump;
use snapshot_format::layout::Kind;
use whoisd::view::View;

fn whoisd(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_whoisd")).args(arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
}

/// All records of a directory as text, without the lines that `left_out` names.
fn records(path: &str, left_out: &[&str]) -> Vec<String> {
    let view = View::open(Path::new(path)).unwrap();
    let base = view.base();
    let mut records = Vec::new();
    for kind in Kind::ALL {
        for ordinal in 0..base.count(kind) {
            let text = dump::record(base, kind, ordinal).unwrap();
            let kept = text
                .lines()
                .filter(|line| !left_out.iter().any(|word| line.trim_start().starts_with(word)));
            records.push(kept.collect::<Vec<_>>().join("\n"));
        }
    }
    records
}

#[track_caller]
fn same(direct: &[String], imported: &[String]) {
    assert_eq!(direct.len(), imported.len());
    for (direct, imported) in direct.iter().zip(imported) {
        assert_eq!(direct, imported);
    }
}

#[test]
fn both_models_import_without_a_finding_and_give_the_same_records() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (xml, csv, direct) = (path("deposit.xml"), path("csv"), path("direct"));
    let (of_xml, of_csv) = (path("of-xml"), path("of-csv"));
    whoisd(&[
        "sample",
        "--domains",
        "2000",
        "--rde-xml",
        &xml,
        "--rde-csv",
        &csv,
        "--into",
        &direct,
    ]);
    whoisd(&["import", "--strict", "--into", &of_xml, &xml]);
    let declared = format!("{csv}/demo_2026-01-01_full_S1_R0.xml");
    whoisd(&["import", "--strict", "--into", &of_csv, &declared]);
    // The XML model has no room for extras; the CSV model has custom columns.
    same(&records(&direct, &["extra"]), &records(&of_xml, &["extra"]));
    same(&records(&direct, &[]), &records(&of_csv, &[]));
}

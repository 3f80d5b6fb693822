//! A sample's deposits import without a finding, and give the snapshot that the sample builds.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use snapshot_format::layout::Kind;
use snapshot_format::sort::{MemoryScratch, Scratch};
use snapshot_format::{Change, Object, dump};
use whoisd::feed::ChangeRecord;
use whoisd::import::{Known, Options, Pipes, Quiet, changes};
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
    let declared = format!("{csv}/demo_2026-01-01_full_S1_R0.csv.xml");
    whoisd(&["import", "--strict", "--into", &of_csv, &declared]);
    // The XML model has no room for extras; the CSV model has custom columns.
    same(&records(&direct, &["extra"]), &records(&of_xml, &["extra"]));
    same(&records(&direct, &[]), &records(&of_csv, &[]));
}

/// An empty registry.
struct Empty;

impl Known for Empty {
    fn registrar_of_gurid(&self, _: u32) -> io::Result<Option<String>> {
        Ok(None)
    }

    fn keys_of_roid(&self, _: Kind, _: &str) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn roid_of_host(&self, _: &str) -> io::Result<Option<String>> {
        Ok(None)
    }

    fn has(&self, _: Kind, _: &str) -> io::Result<bool> {
        Ok(false)
    }

    fn count(&self, _: Kind, _: &[String]) -> io::Result<Option<u64>> {
        Ok(None)
    }
}

/// The objects of a deposit whose type was made INCR, by way of change records.
fn objects(path: &str) -> Vec<Object> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("type=\"FULL\""));
    std::fs::write(path, text.replacen("type=\"FULL\"", "type=\"INCR\"", 1)).unwrap();
    let scratch: Rc<dyn Scratch> = Rc::new(MemoryScratch);
    let options = Options {
        deposits: vec![PathBuf::from(path)],
        pipes: Pipes::default(),
        memory_bytes: Options::MEMORY_BYTES_MIN,
        content_bytes_max: Options::CONTENT_BYTES_MAX,
        follow: whoisd::import::Follow::Any,
        strict: true,
        findings_max: None,
        now_ms: i64::MAX,
        hash_seed: 0,
        generation: 0,
    };
    let deposit = changes(&options, &scratch, None, &mut Quiet).unwrap();
    let mut objects = Vec::new();
    deposit
        .visit(&Empty, &mut Quiet, &mut |change| {
            let Change::Upsert(object) = &change else { panic!("{change:?}") };
            objects.push(Object::clone(object));
            let body = change.into();
            let record =
                ChangeRecord { serial: 1, committed_ms: 0, transaction: String::new(), body };
            let mut line = Vec::new();
            record.write_json(&mut line);
            assert_eq!(ChangeRecord::parse(&line), Ok(record));
            Ok(())
        })
        .unwrap();
    objects
}

#[test]
fn both_models_give_the_same_changes_which_records_carry_without_loss() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (xml, csv) = (path("deposit.xml"), path("csv"));
    whoisd(&["sample", "--domains", "2000", "--rde-xml", &xml, "--rde-csv", &csv]);
    let mut of_csv = objects(&format!("{csv}/demo_2026-01-01_full_S1_R0.csv.xml"));
    let of_xml = objects(&xml);
    assert!(of_xml.len() > 2000, "{}", of_xml.len());
    // The XML model has no room for extras.
    for object in &mut of_csv {
        if let Object::Domain(domain) = object {
            domain.extras.clear();
        }
    }
    for (of_csv, of_xml) in of_csv.iter().zip(&of_xml) {
        assert_eq!(of_csv, of_xml);
    }
    assert_eq!(of_csv.len(), of_xml.len());
}

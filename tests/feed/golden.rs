//! One record of each kind, and one line for each error, beside files.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use snapshot_format::{Change, Kind};
use whoisd::feed::{Body, ChangeRecord};

use crate::objects::{self, record_of, written};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/feed").join(name)
}

#[track_caller]
fn same_as_file(name: &str, text: &str) {
    if std::env::var_os("WHOISD_BLESS").is_some() {
        std::fs::write(file(name), text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(file(name)).unwrap());
}

#[test]
fn one_record_of_each_kind_is_written_as_the_file_says() {
    let mut records: Vec<ChangeRecord> = objects::one_of_each().map(record_of).into();
    let keys = ["reg-1", "sq", "C-1", "ns1.example.demo", "blocked.demo", "example.demo"];
    for (kind, key) in Kind::ALL.into_iter().zip(keys) {
        let key = key.to_owned();
        let mut record = record_of(objects::domain());
        record.body = Change::Delete { kind, key }.into();
        records.push(record);
    }
    records.push(ChangeRecord { body: Body::Heartbeat, ..record_of(objects::domain()) });
    records.last_mut().unwrap().transaction.clear();
    let mut text = Vec::new();
    for (serial, record) in (1..).zip(&mut records) {
        record.serial = serial;
        record.write_json(&mut text);
    }
    for (line, record) in text.split_inclusive(|&byte| byte == b'\n').zip(&records) {
        assert_eq!(ChangeRecord::parse(line).as_ref(), Ok(record));
    }
    same_as_file("records.jsonl", &String::from_utf8(text).unwrap());
}

/// Each odd line of the file is a record with an error; the line after it is that error.
#[test]
fn every_error_says_what_was_got_and_what_was_expected() {
    let text = std::fs::read_to_string(file("errors.txt")).unwrap();
    let mut found = String::new();
    for line in text.lines().filter(|line| !line.starts_with("  ")) {
        let error = ChangeRecord::parse(line.as_bytes()).expect_err(line);
        let _ = write!(found, "{line}\n  {error}\n");
    }
    same_as_file("errors.txt", &found);
}

#[test]
fn an_object_with_nothing_but_its_key_is_written_short() {
    let record = record_of(snapshot_format::Object::Domain(snapshot_format::object::Domain {
        name: "a.test".to_owned(),
        ..Default::default()
    }));
    let line = String::from_utf8(written(&record)).unwrap();
    assert!(line.ends_with("\"kind\":\"domain\",\"upsert\":{\"name\":\"a.test\"}}\n"), "{line}");
}

#[test]
fn the_records_of_the_manual_are_records() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/changes.md");
    let page = std::fs::read_to_string(page).unwrap();
    let begin = page.find("    {\"v\":1").unwrap();
    let (text, _) = page[begin..].split_once("\n\n").unwrap();
    let records = text.replace("\n     ", "");
    let records: Vec<_> =
        records.lines().map(|line| ChangeRecord::parse(line.as_bytes()).unwrap()).collect();
    let serials: Vec<_> = records.iter().map(|record| record.serial).collect();
    assert_eq!(serials, [8812, 8813, 8814]);
}

//! A written record reads back the same; reading fails by an error alone.

use snapshot_format::limits::{LIST_COUNT_MAX, TEXT_BYTES_MAX};
use snapshot_format::object::{Domain, HostLink};
use snapshot_format::{Change, Object};
use whoisd::feed::{Body, ChangeRecord, LINE_BYTES_MAX, RecordError};

use crate::objects::{record_of, written};
use crate::random::Random;

#[test]
fn a_written_record_is_read_as_the_same_record() {
    for seed in 0..3_000 {
        let record = Random::new(seed).record();
        let line = written(&record);
        assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1, "seed {seed}");
        let read = ChangeRecord::parse(&line);
        assert_eq!(read.as_ref(), Ok(&record), "seed {seed}: {}", String::from_utf8_lossy(&line));
        assert_eq!(written(&read.unwrap()), line, "seed {seed}");
    }
}

#[test]
fn a_line_that_was_changed_anywhere_is_read_or_refused_and_never_panics() {
    for seed in 0..3_000 {
        let mut random = Random::new(seed);
        let mut line = written(&random.record());
        for _ in 0..=random.below(3) {
            let at = usize::try_from(random.below(line.len() as u64)).unwrap();
            match random.below(4) {
                0 => line.truncate(at),
                1 => drop(line.splice(at..at, *b"\\u0001")),
                2 => drop(line.splice(at..at, *b"[{}")),
                _ => line[at] = random.next().to_le_bytes()[0],
            }
            if line.is_empty() {
                break;
            }
        }
        if let Ok(record) = ChangeRecord::parse(&line) {
            assert_eq!(ChangeRecord::parse(&written(&record)).as_ref(), Ok(&record), "seed {seed}");
        }
    }
}

#[test]
fn bounds_are_kept_to_the_byte_and_to_the_element() {
    let mut domain = Domain {
        name: "a.test".to_owned(),
        nameservers: (0..LIST_COUNT_MAX).map(|n| HostLink::Name(format!("ns{n}.test"))).collect(),
        extras: vec![("k".to_owned(), "é".repeat(TEXT_BYTES_MAX / 2))],
        ..Domain::default()
    };
    let read = |domain: &Domain| {
        ChangeRecord::parse(&written(&record_of(Object::Domain(domain.clone())))).map(drop)
    };
    let rule = |read: Result<(), RecordError>| match read {
        Err(RecordError::Value { rule, .. }) => rule.text().code,
        other => panic!("{other:?}"),
    };
    assert_eq!(read(&domain), Ok(()));
    domain.extras[0].1.push('x');
    assert_eq!(rule(read(&domain)), "text-too-long");
    domain.extras.clear();
    domain.nameservers.push(HostLink::Name("ns.test".to_owned()));
    assert_eq!(rule(read(&domain)), "list-too-long");
    domain.nameservers.clear();
    domain.extras = (0..40).map(|n| (format!("{n}"), "x".repeat(TEXT_BYTES_MAX))).collect();
    assert_eq!(rule(read(&domain)), "record-too-large");
    domain.extras.clear();
    domain.registrar = "r".repeat(256);
    assert_eq!(rule(read(&domain)), "reference-bad");
    let mut line = written(&record_of(Object::Domain(Domain::default())));
    line.resize(LINE_BYTES_MAX, b' ');
    assert!(!matches!(ChangeRecord::parse(&line), Err(RecordError::TooLong { .. })));
    line.push(b' ');
    assert_eq!(ChangeRecord::parse(&line), Err(RecordError::TooLong { got: LINE_BYTES_MAX + 1 }));
}

#[test]
fn the_largest_object_fits_into_a_line_with_room_to_spare() {
    let long = |n: usize| format!("{n:0>63}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
    let domain = Domain {
        name: long(0),
        nameservers: (0..LIST_COUNT_MAX).map(|n| HostLink::Name(long(n))).collect(),
        contacts: (0..LIST_COUNT_MAX)
            .map(|n| snapshot_format::object::ContactLink {
                role: snapshot_format::object::ContactRole::Billing,
                id: format!("{n:\"<255}"),
            })
            .collect(),
        extras: (0..8).map(|n| (format!("{n}"), "\"".repeat(TEXT_BYTES_MAX))).collect(),
        ..Domain::default()
    };
    let record = record_of(Object::Domain(domain));
    let line = written(&record);
    assert!(line.len() < LINE_BYTES_MAX / 3, "{}", line.len());
    assert_eq!(ChangeRecord::parse(&line), Ok(record));
}

#[test]
fn names_become_a_labels_in_lower_case_without_a_final_dot() {
    let line = r#"{"v":1,"serial":7,"committed":"2026-11-25T13:00:00+01:00","kind":"domain","upsert":{
        "name":"BÜCHER.Test.","uName":"Bücher.test","originalName":"Books.TEST.",
        "ns":["NS1.Example.","ns2.bücher.test"],"status":["ok"]}}"#;
    let record = ChangeRecord::parse(line.as_bytes()).unwrap();
    assert_eq!(record.committed_ms, 1_795_608_000_000);
    let Body::Change(change) = record.body else { panic!() };
    let Change::Upsert(object) = &*change else { panic!() };
    let Object::Domain(domain) = &**object else { panic!() };
    assert_eq!(
        (domain.name.as_str(), domain.u_name.as_str()),
        ("xn--bcher-kva.test", "bücher.test")
    );
    assert_eq!(domain.original_name, "books.test");
    let hosts = ["ns1.example", "ns2.xn--bcher-kva.test"].map(|name| HostLink::Name(name.into()));
    assert_eq!(domain.nameservers, hosts);
    let line = r#"{"v":1,"serial":8,"committed":"2026-11-25T12:00:00Z","kind":"host","delete":"NS1.bücher.TEST."}"#;
    let record = ChangeRecord::parse(line.as_bytes()).unwrap();
    let Body::Change(change) = record.body else { panic!() };
    assert_eq!(change.key(), "ns1.xn--bcher-kva.test");
}

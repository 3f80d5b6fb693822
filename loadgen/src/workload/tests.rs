//! Tests of whole workloads.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::check::{Checker, Expect};
use crate::snapshot::{Answers, sampled};

fn drawn(source: &Source, seed: u64, count: usize) -> Vec<Request> {
    let mut workload = Workload::new(source, seed, 0, 1);
    let mut request = Request::default();
    (0..count)
        .map(|_| {
            workload.next(&mut request);
            request.clone()
        })
        .collect()
}

fn generated(profile: &str, count: u64) -> Source {
    Source::open(&Profile::of_test(profile), &Names::Generated { count }).unwrap()
}

#[test]
fn shares_hold_over_many_draws() {
    let directory = sampled();
    let profile = Profile::named("registry").unwrap();
    let source = Source::open(&profile, &Names::Directory(directory.path().to_owned())).unwrap();
    let mut counts: BTreeMap<&str, f64> = BTreeMap::new();
    for request in drawn(&source, 1, 50_000) {
        *counts.entry(request.kind.name()).or_default() += 1.0;
        assert!(request.bytes.ends_with(b"\r\n") && request.bytes.len() > 3, "{request:?}");
    }
    for (kind, share) in Kind::ALL.iter().zip(profile.parsed().shares()) {
        let wanted = share * 50_000.0;
        let got = counts[kind.name()];
        assert!((got - wanted).abs() < 5.0 * wanted.sqrt(), "{kind:?}: {got} {wanted}");
    }
}

#[test]
fn every_answer_of_the_server_passes_its_request_s_check() {
    let directory = sampled();
    let names = Names::Directory(directory.path().to_owned());
    let expect = Expect::open(directory.path(), None).unwrap();
    let mut checker = Checker::new(Some(&expect), 0.2, 1);
    let mut reader = Answers::open(directory.path(), None).unwrap().into_reader();
    for name in ["registry", "thick", "hot", "hostile"] {
        let source = Source::open(&Profile::named(name).unwrap(), &names).unwrap();
        for request in drawn(&source, 7, 5_000) {
            let answer = reader.answer(&request.bytes);
            let text = String::from_utf8_lossy(answer);
            assert_eq!(checker.check(&request, answer), Ok(()), "{request:?}\n{text}");
        }
    }
    assert!(checker.counts()["object"] > 15_000);
}

#[test]
fn the_seed_and_the_core_decide_the_requests() {
    let source = generated("order = \"uniform\"\n[shares]\ndomain = 0.5\nmiss = 0.5\n", 1_000);
    assert_eq!(drawn(&source, 1, 100), drawn(&source, 1, 100));
    assert_ne!(drawn(&source, 1, 100), drawn(&source, 2, 100));
    let mut other = Request::default();
    let mut workload = Workload::new(&source, 1, 1, 2);
    let of_other_core = (0..100).map(|_| {
        workload.next(&mut other);
        other.clone()
    });
    assert_ne!(drawn(&source, 1, 100), of_other_core.collect::<Vec<_>>());
}

#[test]
fn a_scan_asks_for_every_name() {
    let source = generated("order = \"scan\"\n[shares]\ndomain = 1\n", 500);
    let names: BTreeSet<Vec<u8>> = drawn(&source, 1, 500).into_iter().map(|r| r.bytes).collect();
    assert_eq!(names.len(), 500);
    assert!(names.contains(&b"n499.example\r\n"[..]));
}

#[test]
fn slow_and_silent_clients_come_as_often_as_they_should() {
    let source = generated(
        "order = \"uniform\"\nslow_share = 0.1\nslow_gap_us = 7\nsilent_share = 0.05\n\
         [shares]\ndomain = 1\n",
        10,
    );
    let requests = drawn(&source, 1, 20_000);
    let count = |manner| requests.iter().filter(|request| request.manner == manner).count();
    assert!((1_800..2_200).contains(&count(Manner::Slow { gap_us: 7 })));
    assert!((850..1_150).contains(&count(Manner::Silent)));
}

#[test]
fn a_kind_without_names_leaves_its_share_to_the_others() {
    let source = generated("order = \"zipf\"\n[shares]\ndomain = 0.2\nidn = 0.8\n", 10);
    assert!(drawn(&source, 1, 1_000).iter().all(|request| request.kind == Kind::Domain));
    let profile = Profile::of_test("order = \"zipf\"\n[shares]\nidn = 1\n");
    let message = Source::open(&profile, &Names::Generated { count: 10 }).unwrap_err().to_string();
    assert!(message.contains("asks for idn"), "{message}");
}

#[test]
fn lines_of_a_file_are_asked_for_by_their_kinds() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("names");
    std::fs::write(&path, "a.demo\n\nns ns.a.demo\r\nhelp\n").unwrap();
    let profile = Profile::named("registry").unwrap();
    let source = Source::open(&profile, &Names::File(path.clone())).unwrap();
    let seen: BTreeSet<(&str, Vec<u8>)> = (drawn(&source, 1, 2_000).into_iter())
        .filter(|request| request.kind != Kind::Miss)
        .map(|request| (request.kind.name(), request.bytes))
        .collect();
    let wanted = [
        ("domain", &b"a.demo\r\n"[..]),
        ("nameserver", b"ns ns.a.demo\r\n"),
        ("other", b"help\r\n"),
    ];
    assert!(seen.into_iter().eq(wanted.map(|(kind, line)| (kind, line.to_vec()))));
    std::fs::write(&path, "\n").unwrap();
    let message = Source::open(&profile, &Names::File(path)).unwrap_err().to_string();
    assert!(message.contains("no line"), "{message}");
}

#[test]
fn requests_and_checks_allocate_nothing_in_the_steady_state() {
    let directory = sampled();
    let names = Names::Directory(directory.path().to_owned());
    let source = Source::open(&Profile::named("registry").unwrap(), &names).unwrap();
    let mut workload = Workload::new(&source, 1, 0, 1);
    let (bytes, subject) = (Vec::with_capacity(2048), String::with_capacity(2048));
    let mut request = Request { bytes, subject, ..Request::default() };
    let mut checker = Checker::new(None, 0.0, 1);
    let mut reader = Answers::open(directory.path(), None).unwrap().into_reader();
    let mut step = |count: usize| {
        for _ in 0..count {
            workload.next(&mut request);
        }
        let answer = reader.answer(b"help\r\n");
        let help = Request::default();
        allocation_counter::measure(|| assert_eq!(checker.check(&help, answer), Ok(()))).count_total
    };
    step(1_000);
    let allocated = allocation_counter::measure(|| assert_eq!(step(5_000), 0));
    assert_eq!(allocated.count_total, 0);
}

#[test]
fn a_core_can_own_its_workload() {
    const fn sent<T: Send>() {}
    const fn shared<T: Send + Sync + Clone>() {}
    shared::<Source>();
    shared::<Expect>();
    sent::<Workload>();
    sent::<Checker>();
    sent::<crate::schedule::Due>();
}

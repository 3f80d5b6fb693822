//! What bounds a search, with bounds that a small registry passes.
#![allow(clippy::arithmetic_side_effects, reason = "numbers of a test")]

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use snapshot_format::builder::{Builder, Options};
use snapshot_format::delta::encode;
use snapshot_format::object::{Domain, Nameserver, Time};
use snapshot_format::record::Meta;
use snapshot_format::sort::MemoryScratch;
use snapshot_format::{Change, Kind};

use super::*;
use crate::policy::{Rules, Tier};
use crate::query::rdap::Caller;
use crate::query::search::Awaited;
use crate::store::{Live, Settings, Stamp, Writer};
use crate::view::{Disk, View};

/// Domains and nameservers of the registry, each.
const COUNT: usize = 40;
/// The first of them are removed by a change.
const GONE: usize = 30;
const ADDRESS: [u8; 4] = [192, 0, 2, 1];

fn name(number: usize) -> String {
    format!("page-{number:02}.demo")
}

fn view() -> View {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::lock(Disk::new(folder.path()), Settings::default()).unwrap();
    let mut base = writer.begin().unwrap();
    let mut builder = Builder::new(&mut base, Rc::new(MemoryScratch), Options::default()).unwrap();
    let created = Time::from_s(1_600_000_000);
    for number in 0..COUNT {
        let (name, roid) = (name(number), format!("H{number}-DEMO"));
        let host = Nameserver { name, roid, created, v4: vec![ADDRESS], ..Nameserver::default() };
        builder.nameserver(&host, &mut |_defect| {}).unwrap();
    }
    for number in 0..COUNT {
        let (name, roid) = (name(number), format!("D{number}-DEMO"));
        let domain = Domain { name, roid, created, ..Domain::default() };
        builder.domain(&domain, &mut |_defect| {}).unwrap();
    }
    let meta = Meta { suffixes: vec!["demo".to_owned()], ..Meta::default() };
    builder.finish(&meta, &mut |_name, _defect| {}).unwrap();
    writer.publish(base).unwrap();
    let mut live = Live::open(writer).unwrap();
    let removal = |kind, number| Change::Delete { kind, key: name(number) };
    let removals = (0..GONE).map(|number| removal(Kind::Domain, number));
    let removals: Vec<_> =
        removals.chain((0..GONE).map(|number| removal(Kind::Nameserver, number))).collect();
    let encoded = encode(&**live.generation(), &removals, &mut |_key, _defect| {}).unwrap();
    let stamp = Stamp { serial: 1, committed_ms: 1_700_000_000_000, heartbeat_ms: i64::MIN };
    live.append(&encoded, stamp).unwrap();
    View::of(Arc::clone(live.generation()), None).unwrap()
}

/// The keys that a scan hands out, and how it ends, with a bound on what it looks at.
fn scanned(
    view: &View,
    (class, query): (Class, &str),
    looked_at_max: usize,
    after: Option<&str>,
) -> Result<(Vec<String>, End), Refusal> {
    let rules = Rules::standard();
    let caller = Caller {
        tier: Tier::PUBLIC,
        base: "https://rdap.example/",
        target: query,
        index: Some(&Awaited),
    };
    let site = Site::new(view, view.data(), &rules, &caller);
    let wanted = Wanted::read(class, query).unwrap();
    let mut found = Vec::new();
    let search = Search::new(&site, &wanted.by).looking_at(looked_at_max);
    let end = search.scan(after, &mut |_hit, key| {
        found.push(key.to_owned());
        Ok(true)
    })?;
    Ok((found, end))
}

#[test]
fn records_that_are_gone_count_as_looked_at_and_a_search_goes_on_after_them() {
    let view = view();
    for class in [Class::Domain, Class::Nameserver] {
        let scanned =
            |after: Option<&str>| scanned(&view, (class, "name=page-*"), 8, after).unwrap();
        let (found, mut end) = scanned(None);
        assert_eq!((found, &end), (Vec::new(), &End::Enough(name(7))));
        let (mut all, mut scans) = (Vec::new(), 1);
        while let End::Enough(key) = end {
            let (found, next) = scanned(Some(&key));
            all.extend(found);
            end = next;
            scans += 1;
        }
        assert_eq!((all, end), ((GONE..COUNT).map(name).collect(), End::Complete));
        // Each goes on with the last name of the one before.
        assert!(scans >= COUNT / 8, "{scans}");
    }
}

#[test]
fn a_pattern_that_meets_too_many_hosts_is_refused() {
    let view = view();
    let scanned = |max| scanned(&view, (Class::Domain, "nsLdhName=page-*"), max, None);
    assert_eq!(scanned(COUNT - 1), Err(Refusal::Broad));
    assert_eq!(Refusal::Broad.status().code, 422);
    // With all hosts looked at it is the index that says no.
    assert_eq!(scanned(COUNT), Err(Refusal::Building));
}

#[test]
fn an_address_of_too_many_nameservers_is_refused() {
    let view = view();
    let query = format!("ip={}", IpAddr::from(ADDRESS));
    let scanned = |max| scanned(&view, (Class::Nameserver, &query), max, None);
    let current: Vec<_> = (GONE..COUNT).map(name).collect();
    assert_eq!(scanned(current.len() - 1), Err(Refusal::Broad));
    assert_eq!(scanned(current.len()), Ok((current, End::Complete)));
}

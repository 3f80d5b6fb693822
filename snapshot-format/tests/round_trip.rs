//! Objects come out as they went in: every kind, by every key.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod registry;

use std::io::Cursor;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use registry::{NAMES, build, domain, registrar};
use snapshot_format::builder::NamedHosts;
use snapshot_format::delta::{Fate, Generation, Gone, others};
use snapshot_format::key::RegistrarKey;
use snapshot_format::object::Disclose;
use snapshot_format::record::{ContactField, Meta, NONE};
use snapshot_format::sort::{MemoryScratch, Scratch};
use snapshot_format::verify::verify;
use snapshot_format::{BuildError, Builder, Defect, Kind, Object, Options, Snapshot, dump};

#[test]
fn domains_are_found_with_all_that_they_refer_to() {
    let (bytes, _) = build(&NAMES);
    let snapshot = Snapshot::open(bytes).unwrap();
    snapshot.check_sums().unwrap();
    for name in NAMES {
        let domain = snapshot.find_domain(name).unwrap().unwrap();
        assert_eq!(domain.name, name);
        assert_eq!(domain.registrar, 0);
        assert_eq!(domain.creator, 1);
        assert_eq!(domain.contacts, [0, 0, NONE, NONE]);
        assert_eq!(domain.nameservers.as_slice(), [1, 2, 3], "0 and 3 are named alone");
        let cold = domain.cold.as_ref().unwrap();
        assert_eq!(cold.creator_client, "jdoe");
        assert_eq!(cold.contacts_more.len(), 1);
        snapshot.prefetch_places(domain);
        snapshot.prefetch_records(domain);
    }
    assert!(snapshot.find_domain("absent.demo").unwrap().is_none());
    assert_eq!(snapshot.meta().unwrap().suffixes.len(), 1);
    assert_eq!(snapshot.header().watermark_ms, 7);
}

#[test]
fn what_refers_to_nothing_is_reported_and_left_out() {
    let (_, defects) = build(&NAMES);
    let per_domain = [
        r#"Dangling { kind: Contact, key: "nobody" }"#,
        r#"Dangling { kind: Nameserver, key: "ns9.nowhere.demo" }"#,
    ];
    let mut expected: Vec<String> =
        NAMES.iter().flat_map(|_| per_domain).map(String::from).collect();
    expected.push(r#"widow.demo: Dangling { kind: Domain, key: "gone.demo" }"#.into());
    assert_eq!(defects, expected);
}

#[test]
fn contacts_are_found_exactly_first_and_otherwise_whatever_the_case() {
    let (bytes, _) = build(&NAMES);
    let snapshot = Snapshot::open(bytes).unwrap();
    let ids = |id: &str| -> Vec<String> {
        let found = snapshot.find_contacts(id);
        found.map(|contact| contact.unwrap().field(ContactField::Id).to_owned()).collect()
    };
    assert_eq!(ids("C1"), ["C1"]);
    assert_eq!(ids("c1"), ["c1"]);
    assert_eq!(ids("C2"), [""; 0]);
    let contact = snapshot.find_contacts("C1").next().unwrap().unwrap();
    assert_eq!(contact.field(ContactField::Name), "Jane Doe");
    assert_eq!(contact.field(ContactField::VoiceExt), "7");
    assert_eq!(contact.field(ContactField::Email), "jane@example.demo");
    assert_eq!(contact.second_postal().unwrap().bytes(ContactField::Name), "Jané Doë".as_bytes());
    assert_eq!((contact.disclose, contact.disclose_fields.to_native()), (2, Disclose::EMAIL));
}

#[test]
fn registrars_nameservers_nndn_and_roids_are_found() {
    let (bytes, _) = build(&NAMES);
    let snapshot = Snapshot::open(bytes).unwrap();
    let folded = snapshot_format::key::fold_registrar_name("EXAMPLE registrar, inc").unwrap();
    let keys = [
        RegistrarKey::FoldedName(folded.as_bytes()),
        RegistrarKey::IanaId(9001),
        RegistrarKey::Id("R1"),
    ];
    for key in keys {
        let found: Vec<_> = snapshot.find_registrars(key).map(Result::unwrap).collect();
        assert_eq!(found.len(), 1, "{key:?}");
        assert_eq!(found[0].id, "R1");
    }
    assert_eq!(snapshot.find_registrars(RegistrarKey::IanaId(0)).count(), 0);
    assert_eq!(snapshot.find_nameserver("ns2.example.demo").unwrap().unwrap().roid, "H2-ROID");
    assert!(snapshot.find_nndn("xn--b.demo").unwrap().is_some());
    let by = |address: &str| -> Vec<u32> {
        snapshot.nameservers_by_address(address.parse::<IpAddr>().unwrap()).collect()
    };
    // Ordinal 0 is of a nameserver that is named and has no object.
    assert_eq!(by("192.0.2.1"), [1, 2]);
    assert_eq!(by("2001:db8::1"), [1, 2]);
    assert_eq!(by("192.0.2.2"), [0; 0]);
    let found: Vec<_> = snapshot.find_roid("d-example_demo").collect();
    assert_eq!(found, [(Kind::Domain, 0)]);
    assert_eq!(snapshot.find_roid("h2-roid").next(), Some((Kind::Nameserver, 2)));
}

#[test]
fn names_are_in_order_and_variants_are_listed_with_their_primary() {
    let (bytes, _) = build(&NAMES);
    let snapshot = Snapshot::open(bytes).unwrap();
    assert_eq!(snapshot.domain_range("examp").unwrap(), 0..2);
    assert_eq!(snapshot.domain_range("").unwrap(), 0..4);
    assert_eq!(snapshot.domain_range("zz").unwrap(), 4..4);
    assert_eq!(snapshot.nameserver_range("ns2").unwrap(), 1..2);
    assert_eq!(snapshot.nameserver_range("").unwrap(), 0..2, "none that is named alone");
    assert_eq!(snapshot.live_count(Kind::Nameserver), 2);
    let variants: Vec<_> = snapshot.variants("example.demo").unwrap().collect();
    assert_eq!(variants, [(Kind::Domain, 2), (Kind::Nndn, 0)]);
    let orphans: Vec<_> = snapshot.variants("gone.demo").unwrap().collect();
    assert_eq!(orphans, [(Kind::Domain, 3)], "kept for a primary that comes later");
}

#[test]
fn duplicates_and_disorder_are_refused() {
    let options = Options::default();
    let out = Cursor::new(Vec::new());
    let mut builder = Builder::new(out, Rc::new(MemoryScratch), options).unwrap();
    builder.domain(&domain("b.demo"), &mut |_| {}).unwrap();
    let again = builder.domain(&domain("b.demo"), &mut |_| {}).unwrap_err();
    assert!(matches!(again, BuildError::Duplicate { kind: Kind::Domain, .. }), "{again}");
    let before = builder.domain(&domain("a.demo"), &mut |_| {}).unwrap_err();
    assert!(matches!(before, BuildError::Order { .. }), "{before}");
    let kind = builder.registrar(&registrar("R", "", 0)).unwrap_err();
    assert!(matches!(kind, BuildError::Order { .. }), "{kind}");
}

#[test]
fn an_empty_registry_is_a_snapshot_too() {
    let out = Cursor::new(Vec::new());
    let builder = Builder::new(out, Rc::new(MemoryScratch), Options::default()).unwrap();
    let (out, _) = builder.finish(&Meta::default(), &mut |_, _| {}).unwrap();
    let snapshot = Snapshot::open(out.into_inner()).unwrap();
    snapshot.check_sums().unwrap();
    assert!(snapshot.find_domain("a.demo").unwrap().is_none());
    assert_eq!(snapshot.domain_range("a").unwrap(), 0..0);
    assert_eq!(snapshot.variants("a.demo").unwrap().count(), 0);
}

#[test]
fn forty_thousand_domains_are_all_found_whatever_the_memory() {
    let names: Vec<String> = (0..40_000).map(|i| format!("name{i:06}.demo")).collect();
    let mut files = Vec::new();
    for memory_bytes in [1 << 20, 256 << 20] {
        let options = Options { memory_bytes, hash_seed: 9, ..Options::default() };
        let out = Cursor::new(Vec::new());
        let mut builder = Builder::new(out, Rc::new(MemoryScratch), options).unwrap();
        for name in &names {
            builder.domain(&domain(name), &mut |_| {}).unwrap();
        }
        let (out, _) = builder.finish(&Meta::default(), &mut |_, _| {}).unwrap();
        files.push(out.into_inner());
    }
    assert!(files[0] == files[1], "memory changes nothing about the file");
    let snapshot = Snapshot::open(files.remove(0)).unwrap();
    snapshot.check_sums().unwrap();
    for name in &names {
        assert_eq!(snapshot.find_domain(name).unwrap().unwrap().name, *name);
    }
}

#[test]
fn a_built_snapshot_passes_its_full_check_and_every_record_can_be_shown() {
    let (bytes, _) = build(&NAMES);
    let snapshot = Snapshot::open(bytes).unwrap();
    let mut last = (0, 0);
    verify(&snapshot, &mut |done, all| last = (done, all)).unwrap();
    assert_eq!(last, (14, 14));
    for kind in Kind::ALL {
        for ordinal in 0..snapshot.count(kind) {
            let text = dump::record(&snapshot, kind, ordinal).unwrap();
            assert!(text.starts_with(&format!("kind: {}", kind.word())), "{text}");
        }
    }
    let text = dump::record(&snapshot, Kind::Domain, 1).unwrap();
    for line in ["registrar: 0 (R1)", "registrant: 0 (C1)", "DS: 7 8 2 010203", "extra Nexus: C11"]
    {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(dump::header(&snapshot).contains("suffix: demo"));
}

#[test]
fn records_become_the_objects_that_they_were_made_of() {
    let (bytes, _) = build(&NAMES);
    let snapshot = Snapshot::open(bytes.clone()).unwrap();
    let generation: Generation<_, Vec<u8>> = Generation::of_base(Arc::new(snapshot)).unwrap();
    let mut objects = Vec::new();
    let gone = others(&generation, &|_| Fate::Stays, &mut |object| {
        objects.push(object);
        Ok(())
    });
    assert_eq!(gone.unwrap(), Gone { domains: 0, kept_domains: 4 });
    objects.sort_by_key(|object| (object.kind(), object.key().as_bytes().to_vec()));
    let options = Options { hash_seed: 42, watermark_ms: 7, ..Options::default() };
    let scratch: Rc<dyn Scratch> = Rc::new(MemoryScratch);
    let mut named = NamedHosts::new(3, Rc::clone(&scratch), 1 << 16);
    named.push("ns9.nowhere.demo").unwrap();
    named.push("a.early.demo").unwrap();
    let builder = Builder::new(Cursor::new(Vec::new()), scratch, options).unwrap();
    let mut builder = builder.with_named(named).unwrap();
    let note = &mut |_: Defect<'_>| {};
    for object in &objects {
        match object {
            Object::Registrar(object) => builder.registrar(object),
            Object::IdnTable(object) => builder.idn_table(object),
            Object::Contact(object) => builder.contact(object, note),
            Object::Nameserver(object) => builder.nameserver(object, note),
            Object::Nndn(object) => builder.nndn(object, note),
            Object::Domain(object) => builder.domain(object, note),
        }
        .unwrap();
    }
    let meta = Meta { suffixes: vec!["demo".into()], ..Meta::default() };
    let (again, _) = builder.finish(&meta, &mut |_, _| {}).unwrap();
    assert!(again.into_inner() == bytes, "the bytes differ");
}

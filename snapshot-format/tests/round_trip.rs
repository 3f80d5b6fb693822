//! What goes in comes out: every kind, by every key.

use std::io::Cursor;
use std::net::IpAddr;
use std::rc::Rc;

use snapshot_format::key::RegistrarKey;
use snapshot_format::object::{
    Actor, Contact, ContactLink, ContactRole, Disclose, Domain, HostLink, IdnTable, Nameserver,
    Nndn, NndnState, Phone, Postal, PostalKind, Registrar, Time,
};
use snapshot_format::record::{ContactField, Meta, NONE};
use snapshot_format::sort::MemoryScratch;
use snapshot_format::status::DomainStatuses;
use snapshot_format::{BuildError, Builder, Defect, Kind, Options, Snapshot};

fn registrar(id: &str, name: &str, iana_id: u32) -> Registrar {
    Registrar { id: id.into(), name: name.into(), iana_id, ..Registrar::default() }
}

fn contact(id: &str) -> Contact {
    Contact {
        id: id.into(),
        roid: format!("{id}-ROID"),
        postal: vec![
            Postal { name: "Jane Doe".into(), cc: "CA".into(), ..Postal::default() },
            Postal { kind: PostalKind::Loc, name: "Jané Doë".into(), ..Postal::default() },
        ],
        voice: Phone { number: "+1.5555551212".into(), ext: "7".into() },
        email: "jane@example.demo".into(),
        registrar: "R1".into(),
        disclose: Some(Disclose { allow: false, fields: Disclose::EMAIL }),
        ..Contact::default()
    }
}

fn domain(name: &str) -> Domain {
    let link = |role, id: &str| ContactLink { role, id: id.into() };
    Domain {
        name: name.into(),
        roid: format!("D-{}", name.replace('.', "_")),
        statuses: DomainStatuses { bits: DomainStatuses::OK },
        contacts: vec![
            link(ContactRole::Registrant, "C1"),
            link(ContactRole::Admin, "C1"),
            link(ContactRole::Admin, "c1"),
            link(ContactRole::Tech, "nobody"),
        ],
        nameservers: vec![
            HostLink::Name("ns1.example.demo".into()),
            HostLink::Roid("H2-ROID".into()),
            HostLink::Name("ns9.nowhere.demo".into()),
        ],
        registrar: "R1".into(),
        creator: Actor { registrar: "R2".into(), client: "jdoe".into() },
        created: Time::from_s(1_000_000_000),
        ..Domain::default()
    }
}

fn build(names: &[&str]) -> (Vec<u8>, Vec<String>) {
    let mut defects = Vec::new();
    let mut note = |defect: Defect<'_>| defects.push(format!("{defect:?}"));
    let options = Options { hash_seed: 42, watermark_ms: 7, ..Options::default() };
    let mut builder =
        Builder::new(Cursor::new(Vec::new()), Rc::new(MemoryScratch), options).unwrap();
    builder.registrar(&registrar("R1", "Example Registrar, Inc.", 9001)).unwrap();
    builder.registrar(&registrar("R2", "Zwei GmbH", 0)).unwrap();
    builder.idn_table(&IdnTable { id: "de".into(), ..IdnTable::default() }).unwrap();
    builder.contact(&contact("C1"), &mut note).unwrap();
    builder.contact(&contact("c1"), &mut note).unwrap();
    let addresses = |last: u8| vec![[192, 0, 2, last]];
    let mut host = Nameserver { name: "ns1.example.demo".into(), ..Nameserver::default() };
    host.v4 = addresses(1);
    host.v6 = vec![[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]];
    builder.nameserver(&host, &mut note).unwrap();
    host = Nameserver { name: "ns2.example.demo".into(), roid: "H2-ROID".into(), ..host };
    builder.nameserver(&host, &mut note).unwrap();
    let nndn = Nndn {
        name: "xn--b.demo".into(),
        original_name: "example.demo".into(),
        state: NndnState::Mirrored,
        idn_table: "de".into(),
        ..Nndn::default()
    };
    builder.nndn(&nndn, &mut note).unwrap();
    for name in names {
        let mut domain = domain(name);
        if *name == "variant.demo" {
            domain.original_name = "example.demo".into();
        }
        if *name == "widow.demo" {
            domain.original_name = "gone.demo".into();
        }
        builder.domain(&domain, &mut note).unwrap();
    }
    let meta = Meta { suffixes: vec!["demo".into()], ..Meta::default() };
    let mut late = |name: &str, defect: Defect<'_>| defects.push(format!("{name}: {defect:?}"));
    let (out, summary) = builder.finish(&meta, &mut late).unwrap();
    assert_eq!(summary.count(Kind::Domain) as usize, names.len());
    assert_eq!(summary.file_bytes, out.get_ref().len() as u64);
    (out.into_inner(), defects)
}

const NAMES: [&str; 4] = ["example.demo", "examples.demo", "variant.demo", "widow.demo"];

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
        assert_eq!(domain.nameservers.as_slice(), [0, 1]);
        let cold = domain.cold.as_ref().unwrap();
        assert_eq!(cold.creator_client, "jdoe");
        assert_eq!(cold.contacts_more.len(), 1);
        snapshot.prefetch(domain);
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
    assert_eq!(contact.second_postal_field(ContactField::Name), "Jané Doë");
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
    assert_eq!(by("192.0.2.1"), [0, 1]);
    assert_eq!(by("2001:db8::1"), [0, 1]);
    assert_eq!(by("192.0.2.2"), [0; 0]);
    let found: Vec<_> = snapshot.find_roid("d-example_demo").collect();
    assert_eq!(found, [(Kind::Domain, 0)]);
    assert_eq!(snapshot.find_roid("h2-roid").next(), Some((Kind::Nameserver, 1)));
}

#[test]
fn names_are_in_order_and_variants_are_listed_with_their_primary() {
    let (bytes, _) = build(&NAMES);
    let snapshot = Snapshot::open(bytes).unwrap();
    assert_eq!(snapshot.domain_range("examp").unwrap(), 0..2);
    assert_eq!(snapshot.domain_range("").unwrap(), 0..4);
    assert_eq!(snapshot.domain_range("zz").unwrap(), 4..4);
    assert_eq!(snapshot.nameserver_range("ns2").unwrap(), 1..2);
    let variants: Vec<_> = snapshot.variants("example.demo").unwrap().collect();
    assert_eq!(variants, [(Kind::Domain, 2), (Kind::Nndn, 0)]);
    assert_eq!(snapshot.variants("gone.demo").unwrap().count(), 0);
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

//! A small registry that has one of everything, for the tests of the format.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::Cursor;
use std::rc::Rc;

use snapshot_format::builder::NamedHosts;
use snapshot_format::object::{
    Actor, Contact, ContactLink, ContactRole, Disclose, DnsKey, Domain, Ds, HostLink, IdnTable,
    Nameserver, Nndn, NndnState, Phone, Postal, PostalKind, Registrar, SecDns, Time, Transfer,
};
use snapshot_format::record::Meta;
use snapshot_format::sort::{MemoryScratch, Scratch};
use snapshot_format::status::DomainStatuses;
use snapshot_format::{Builder, Defect, Kind, Options};

/// Names of the domains.
pub(crate) const NAMES: [&str; 4] = ["example.demo", "examples.demo", "variant.demo", "widow.demo"];

pub(crate) fn registrar(id: &str, name: &str, iana_id: u32) -> Registrar {
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

pub(crate) fn domain(name: &str) -> Domain {
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

pub(crate) fn build(names: &[&str]) -> (Vec<u8>, Vec<String>) {
    let mut defects = Vec::new();
    let mut note = |defect: Defect<'_>| defects.push(format!("{defect:?}"));
    let options = Options { hash_seed: 42, watermark_ms: 7, ..Options::default() };
    let scratch: Rc<dyn Scratch> = Rc::new(MemoryScratch);
    let mut named = NamedHosts::new(3, Rc::clone(&scratch), 1 << 16);
    for name in ["ns9.nowhere.demo", "ns1.example.demo", "ns9.nowhere.demo", "a.early.demo"] {
        named.push(name).unwrap();
    }
    let builder = Builder::new(Cursor::new(Vec::new()), scratch, options).unwrap();
    let mut builder = builder.with_named(named).unwrap();
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
        if *name == "examples.demo" {
            domain.sec_dns = Some(SecDns {
                max_sig_life_s: 604_800,
                ds: vec![Ds { key_tag: 7, algorithm: 8, digest_type: 2, digest: vec![1, 2, 3] }],
                keys: vec![DnsKey { flags: 257, protocol: 3, algorithm: 8, public_key: vec![9] }],
            });
            domain.transfer = Some(Transfer { status: "pending".into(), ..Transfer::default() });
            domain.extras = vec![("Nexus".into(), "C11".into())];
        }
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

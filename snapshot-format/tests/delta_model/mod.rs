//! A small world of changes: random ones, a plain map to hold them against, and all that a
//! generation says as text.
#![allow(dead_code, reason = "each test program uses a part of it")]

mod model;

use std::fmt::Write;
use std::io::Cursor;
use std::rc::Rc;
use std::sync::Arc;

use snapshot_format::delta::frame::LOG_HEAD_BYTES;
use snapshot_format::delta::{
    Encoded, Frame, FrameHead, Generation, Heap, LogHead, Naming, Owner, encode_with, fold,
};
use snapshot_format::key::{RegistrarKey, fold_registrar_name};
use snapshot_format::object::{
    Contact, ContactLink, ContactRole, Domain, HostLink, IdnTable, Nameserver, Nndn, Postal,
    Registrar, Time,
};
use snapshot_format::reader::Archived;
use snapshot_format::record::{
    ArchivedContact, ArchivedDomain, ArchivedIdnTable, ArchivedNameserver, ArchivedNndn,
    ArchivedRegistrar, ContactField, NONE,
};
use snapshot_format::sort::{MemoryScratch, Scratch};
use snapshot_format::status::HostStatuses;
use snapshot_format::verify::verify;
use snapshot_format::{Change, Corrupt, Kind, Object, Snapshot};

pub(crate) use model::Model;

pub(crate) type Generated = Generation<Vec<u8>, Vec<u8>>;

/// Numbers from a seed (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    fn one_of(&mut self, list: &[&str]) -> String {
        let at = usize::try_from(self.below(list.len() as u64)).unwrap();
        list[at].to_owned()
    }

    pub(crate) fn batch(&mut self) -> Vec<Change> {
        (0..self.below(30)).map(|_| self.change()).collect()
    }

    fn change(&mut self) -> Change {
        let kind = Kind::ALL[usize::try_from(self.below(6)).unwrap()];
        let key = self.one_of(keys(kind));
        if self.below(4) == 0 {
            return Change::Delete { kind, key };
        }
        Change::Upsert(Box::new(self.object(kind, key)))
    }

    fn object(&mut self, kind: Kind, key: String) -> Object {
        let registrar = self.one_of(&["r0", "r1", "r2", "r3", ""]);
        let created = Time::from_s(i64::try_from(self.below(1000)).unwrap());
        match kind {
            Kind::Registrar => Object::Registrar(Registrar {
                id: key,
                name: self.one_of(&["Alpha", "alpha.", "Beta", "Gamma GmbH"]),
                iana_id: u32::try_from(self.below(3)).unwrap(),
                created,
                ..Registrar::default()
            }),
            Kind::IdnTable => {
                let url = self.one_of(&["u0", "u1"]);
                Object::IdnTable(IdnTable { id: key, url, ..IdnTable::default() })
            }
            Kind::Contact => Object::Contact(Contact {
                roid: self.one_of(ROIDS),
                postal: vec![Postal { name: self.one_of(&["Ann", "Bob"]), ..Postal::default() }],
                email: self.one_of(&["a@x.test", "b@x.test"]),
                id: key,
                registrar,
                created,
                ..Contact::default()
            }),
            Kind::Nameserver => Object::Nameserver(Nameserver {
                roid: self.one_of(ROIDS),
                statuses: HostStatuses {
                    bits: if self.below(3) == 0 { HostStatuses::ATTRIBUTE } else { 0 },
                },
                v4: (0..self.below(3)).map(|_| [192, 0, 2, self.octet()]).collect(),
                v6: (0..self.below(2)).map(|_| [self.octet(); 16]).collect(),
                name: key,
                registrar,
                created,
                ..Nameserver::default()
            }),
            Kind::Nndn => Object::Nndn(Nndn {
                idn_table: self.one_of(&["t0", "t1", "t2", ""]),
                original_name: self.one_of(PRIMARIES),
                name: key,
                created,
                ..Nndn::default()
            }),
            Kind::Domain => Object::Domain(self.domain(key, registrar, created)),
        }
    }

    fn domain(&mut self, name: String, registrar: String, created: Time) -> Domain {
        let roles = [ContactRole::Registrant, ContactRole::Admin, ContactRole::Admin];
        let contacts = roles.map(|role| ContactLink { role, id: self.one_of(keys(Kind::Contact)) });
        let hosts = self.below(4);
        Domain {
            roid: self.one_of(ROIDS),
            original_name: self.one_of(PRIMARIES),
            idn_table: self.one_of(&["t0", "t1", "t2", ""]),
            contacts: contacts.into_iter().take(usize::try_from(self.below(4)).unwrap()).collect(),
            nameservers: (0..hosts)
                .map(|_| HostLink::Name(self.one_of(keys(Kind::Nameserver))))
                .collect(),
            name,
            registrar,
            created,
            ..Domain::default()
        }
    }

    fn octet(&mut self) -> u8 {
        u8::try_from(self.below(3)).unwrap()
    }
}

/// Shared by records of all kinds, in both cases.
const ROIDS: &[&str] = &["X1", "x1", "X2", "X3", ""];
const PRIMARIES: &[&str] = &["d0.test", "d1.test", "zz.test", "", ""];

fn keys(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Registrar => &["r0", "r1", "r2", "r3"],
        Kind::IdnTable => &["t0", "t1", "t2"],
        Kind::Contact => &["c0", "c1", "C1", "c2", "c3", "C3"],
        Kind::Nameserver => &["a.ns", "b.ns", "ba.ns", "c.ns", "d.ns"],
        Kind::Nndn => &["d1.test", "n0.test", "n1.test"],
        Kind::Domain => {
            &["d0.test", "d1.test", "d2.test", "da.test", "e0.test", "n1.test", "zz.test"]
        }
    }
}

/// A generation, what it should hold, and the logs that made it: one for each batch.
pub(crate) struct World {
    pub(crate) generation: Generated,
    pub(crate) model: Model,
    pub(crate) logs: Vec<Arc<Vec<u8>>>,
    pub(crate) naming: Naming,
}

impl World {
    /// A random base, made of a log: a base that was built leaves references out that lead
    /// nowhere, and they stay out when there is something.
    pub(crate) fn new(random: &mut Random) -> Self {
        let model = Model::default();
        let generation = model.rebuilt();
        let mut world = Self { generation, model, logs: Vec::new(), naming: Naming::default() };
        for _ in 0..2 {
            let batch = random.batch();
            world.apply(&batch);
        }
        world.fold();
        world
    }

    pub(crate) fn apply(&mut self, changes: &[Change]) {
        let before = self.generation.state().generation;
        let naming = &mut self.naming;
        let encoded = encode_with(&self.generation, changes, naming, &mut |_, _| {}).unwrap();
        self.model.apply(changes);
        self.append(&encoded);
        self.naming.advance(before, self.generation.state().generation);
    }

    pub(crate) fn append(&mut self, encoded: &Encoded) {
        let state = self.generation.state();
        let head = FrameHead {
            generation: state.generation + 1,
            parent: state.generation,
            serial: state.serial,
            committed_ms: state.committed_ms,
            heartbeat_ms: i64::MIN,
            entry_count: encoded.entry_count,
        };
        let number = u32::try_from(self.logs.len()).unwrap();
        let log_head =
            LogHead { epoch: 1, number, salt: 5, begins_over: state.generation, file_bytes: 0 };
        let mut log = log_head.encode().to_vec();
        log.extend(head.frame(&log_head, &encoded.payload));
        let log = Arc::new(log);
        let frame = Frame::read(&*log, &log_head, LOG_HEAD_BYTES).unwrap();
        self.generation = self.generation.with_frame(&log, &frame).unwrap();
        self.logs.push(log);
    }

    pub(crate) fn fold(&mut self) {
        let scratch: Rc<dyn Scratch> = Rc::new(MemoryScratch);
        let out = Cursor::new(Vec::new());
        let folded = fold(&self.generation, out, &scratch, 1 << 24, &mut |_, _| true);
        let (out, _) = folded.unwrap().unwrap();
        let base = Snapshot::open(out.into_inner()).unwrap();
        verify(&base, &mut |_, _| {}).unwrap();
        let reservations = self.generation.reservations();
        let state = self.generation.state().clone();
        self.generation = Generation::of_base(Arc::new(base)).unwrap();
        assert_eq!(self.generation.state(), &state);
        self.logs.clear();
        let before = self.generation.state().generation;
        self.append(&reservations);
        self.naming.advance(before, self.generation.state().generation);
    }
}

/// All that a generation says; lists that have the order of ordinals are sorted on wish.
pub(crate) fn text<D, S>(generation: &Generation<D, S>, sort: bool) -> String
where
    D: AsRef<[u8]>,
    S: Heap,
{
    let mut text = Text { generation, sort, out: String::new() };
    for key in keys(Kind::Registrar) {
        text.list(&format!("registrar {key}"), |text| {
            let found = text.generation.find_registrars(RegistrarKey::Id(key));
            found
                .map(|record| record.map_or_else(damage, |record| text.registrar(record)))
                .collect()
        });
    }
    for name in ["alpha", "beta", "gamma gmbh"] {
        let folded = fold_registrar_name(name).unwrap();
        text.list(name, |text| {
            let key = RegistrarKey::FoldedName(folded.as_bytes());
            let found = text.generation.find_registrars(key);
            found
                .map(|record| record.map_or_else(damage, |record| text.registrar(record)))
                .collect()
        });
    }
    for id in 1..3 {
        text.list(&format!("iana {id}"), |text| {
            let found = text.generation.find_registrars(RegistrarKey::IanaId(id));
            found
                .map(|record| record.map_or_else(damage, |record| text.registrar(record)))
                .collect()
        });
    }
    text.stable();
    text.named();
    text.out
}

fn damage(error: Corrupt) -> String {
    error.to_string()
}

/// Holds two texts against each other, line by line.
#[track_caller]
pub(crate) fn assert_same(left: &str, right: &str, seed: u64) {
    let lines = left.lines().zip(right.lines());
    let differing: Vec<_> = lines.filter(|(left, right)| left != right).collect();
    assert!(left == right, "seed {seed}: {differing:#?}");
}

struct Text<'g, D, S> {
    generation: &'g Generation<D, S>,
    sort: bool,
    out: String,
}

impl<D: AsRef<[u8]>, S: Heap> Text<'_, D, S> {
    fn list(&mut self, title: &str, lines: impl FnOnce(&Self) -> Vec<String>) {
        let mut lines = lines(self);
        if self.sort {
            lines.sort();
        }
        writeln!(self.out, "{title}: {lines:?}").unwrap();
    }

    fn stable(&mut self) {
        for key in keys(Kind::Contact) {
            self.list(&format!("contact {key}"), |text| {
                let found = text.generation.find_contacts(key);
                found
                    .map(|record| record.map_or_else(damage, |record| text.contact(record)))
                    .collect()
            });
        }
        for key in keys(Kind::IdnTable) {
            let table = self.generation.find_idn_table(key).ok().flatten();
            let url = table.map(|table: &ArchivedIdnTable| table.url.as_str().to_owned());
            writeln!(self.out, "table {key}: {url:?}").unwrap();
        }
        for key in keys(Kind::Nameserver) {
            let host = self.generation.find_nameserver(key).ok().flatten();
            let host = host.map(|host| self.nameserver(host));
            writeln!(self.out, "nameserver {key}: {host:?}").unwrap();
        }
        for octet in 0..4_u8 {
            for address in [[192, 0, 2, octet].into(), [octet; 16].into()] {
                self.list(&format!("address {address}"), |text| {
                    let found = text.generation.nameservers_by_address(address);
                    found
                        .map(|record| record.map_or_else(damage, |record| text.nameserver(record)))
                        .collect()
                });
            }
        }
        for roid in ["x1", "X2", "X3"] {
            self.list(&format!("roid {roid}"), |text| {
                let found = text.generation.find_roid(roid).map(|owner| match owner {
                    Ok(Owner::Contact(contact)) => text.contact(contact),
                    Ok(Owner::Nameserver(host)) => text.nameserver(host),
                    Ok(Owner::Domain(domain)) => text.domain(domain),
                    Err(error) => damage(error),
                });
                found.collect()
            });
        }
    }

    fn named(&mut self) {
        for prefix in ["", "d", "d1", "e", "zz.test", "zzz"] {
            let Ok(domains) = self.generation.domains(prefix) else { continue };
            let domains = domains.filter_map(|found| Some(self.domain(found.ok()??)));
            let domains: Vec<_> = domains.collect();
            writeln!(self.out, "domains {prefix}: {domains:#?}").unwrap();
        }
        for prefix in ["", "b", "d.ns"] {
            let Ok(hosts) = self.generation.nameservers(prefix) else { continue };
            let hosts = hosts.filter_map(|found| Some(self.nameserver(found.ok()??)));
            let hosts: Vec<_> = hosts.collect();
            writeln!(self.out, "nameservers {prefix}: {hosts:#?}").unwrap();
        }
        for key in keys(Kind::Domain) {
            let domain = self.generation.find_domain(key).ok().flatten();
            let domain = domain.map(|domain| self.domain(domain));
            let Ok(variants) = self.generation.variants(key) else { continue };
            let variants: Vec<_> = variants.flatten().map(|variant| variant.name()).collect();
            writeln!(self.out, "domain {key}: {domain:?}, variants {variants:?}").unwrap();
        }
        for key in keys(Kind::Nndn) {
            let nndn = self.generation.find_nndn(key).ok().flatten();
            let nndn = nndn.map(|nndn: &ArchivedNndn| {
                let table = self.table(nndn.idn_table.to_native());
                format!("{} {} {table} {}", nndn.name, nndn.original_name, nndn.created_ms)
            });
            writeln!(self.out, "nndn {key}: {nndn:?}").unwrap();
        }
    }

    fn registrar(&self, record: &ArchivedRegistrar) -> String {
        let _ = self;
        format!("{} {} {} {}", record.id, record.name, record.iana_id, record.created_ms)
    }

    /// What an ordinal refers to, if it is there and whole.
    fn get<T: Archived>(&self, ordinal: u32) -> Option<&T> {
        self.generation.record(ordinal).ok().flatten().filter(|_| ordinal != NONE)
    }

    /// Key of a registrar that is referred to.
    fn sponsor(&self, ordinal: u32) -> &str {
        self.get(ordinal).map_or("-", |found: &ArchivedRegistrar| found.id.as_str())
    }

    fn table(&self, ordinal: u32) -> &str {
        self.get(ordinal).map_or("-", |found: &ArchivedIdnTable| found.id.as_str())
    }

    fn contact(&self, record: &ArchivedContact) -> String {
        let field = |field| record.field(field);
        let texts = [ContactField::Id, ContactField::Roid, ContactField::Name, ContactField::Email];
        let sponsor = self.sponsor(record.registrar.to_native());
        format!("{:?} {sponsor} {}", texts.map(field), record.created_ms)
    }

    fn nameserver(&self, record: &ArchivedNameserver) -> String {
        let sponsor = self.sponsor(record.registrar.to_native());
        let (name, roid) = (&record.name, &record.roid);
        format!("{name} {roid} {sponsor} {:?} {:?}", record.v4.as_slice(), record.v6.as_slice())
    }

    fn domain(&self, record: &ArchivedDomain) -> String {
        let mut contacts: Vec<(u8, u32)> =
            (0..).zip(record.contacts.iter().map(|ordinal| ordinal.to_native())).collect();
        let cold = record.cold.as_ref();
        if let Some(cold) = cold {
            let more = cold.contacts_more.iter().map(|link| (link.0, link.1.to_native()));
            contacts.extend(more);
        }
        contacts.sort_by_key(|(role, _)| *role);
        contacts.retain(|(_, ordinal)| *ordinal != NONE);
        let id = |ordinal| {
            self.get(ordinal).map(|found: &ArchivedContact| found.field(ContactField::Id))
        };
        let contacts: Vec<_> = contacts
            .into_iter()
            .filter_map(|(role, ordinal)| Some(format!("{role}={}", id(ordinal)?)))
            .collect();
        let hosts: Vec<_> = record
            .nameservers
            .iter()
            .filter_map(|ordinal| self.get(ordinal.to_native()))
            .map(|host: &ArchivedNameserver| host.name.as_str())
            .collect();
        let original = cold.map_or("", |cold| cold.original_name.as_str());
        let table = self.table(cold.map_or(NONE, |cold| cold.idn_table.to_native()));
        let (name, roid, created_ms) = (&record.name, &record.roid, record.created_ms);
        let sponsor = self.sponsor(record.registrar.to_native());
        format!("{name} {roid} {sponsor} {contacts:?} {hosts:?} {original} {table} {created_ms}")
    }
}

//! A small world of changes: random ones, a plain map to hold them against, and all that a
//! generation says as text.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Cursor;
use std::rc::Rc;
use std::sync::Arc;

use snapshot_format::delta::frame::LOG_HEAD_BYTES;
use snapshot_format::delta::{
    Encoded, Frame, FrameHead, Generation, Heap, LogHead, Owner, encode, fold,
};
use snapshot_format::key::{RegistrarKey, fold_registrar_name};
use snapshot_format::object::{
    Contact, ContactLink, ContactRole, Domain, HostLink, IdnTable, Nameserver, Nndn, Postal,
    Registrar, Time,
};
use snapshot_format::reader::Archived;
use snapshot_format::record::{
    ArchivedContact, ArchivedDomain, ArchivedIdnTable, ArchivedNameserver, ArchivedNndn,
    ArchivedRegistrar, ContactField, Meta, NONE,
};
use snapshot_format::sort::{MemoryScratch, Scratch};
use snapshot_format::verify::verify;
use snapshot_format::{Builder, Change, Corrupt, Kind, Object, Options, Snapshot};

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

/// What there is, by key.
#[derive(Clone, Default)]
pub(crate) struct Model(pub(crate) BTreeMap<(Kind, Vec<u8>), Object>);

/// The order in which a builder wants keys.
fn order(kind: Kind, key: &str) -> (Kind, Vec<u8>) {
    match kind {
        Kind::Contact => (kind, snapshot_format::builder::contact_order_key(key)),
        _ => (kind, key.as_bytes().to_vec()),
    }
}

impl Model {
    pub(crate) fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            let place = order(change.kind(), change.key());
            match change {
                Change::Upsert(object) => drop(self.0.insert(place, (**object).clone())),
                Change::Delete { .. } => drop(self.0.remove(&place)),
            }
        }
    }

    pub(crate) fn count(&self, kind: Kind) -> u32 {
        u32::try_from(self.0.keys().filter(|(of, _)| *of == kind).count()).unwrap()
    }

    pub(crate) fn contact(id: &str, email: &str) -> Object {
        Object::Contact(Contact { id: id.into(), email: email.into(), ..Contact::default() })
    }

    /// One object of each kind that refers to another one.
    pub(crate) fn example() -> Self {
        let mut random = Random(9);
        let mut model = Self::default();
        let mut domain = random.domain("d1.test".into(), "r1".into(), Time::from_s(1));
        domain.contacts = vec![ContactLink { role: ContactRole::Registrant, id: "c1".into() }];
        domain.nameservers = vec![HostLink::Name("a.ns".into())];
        for object in [
            random.object(Kind::Registrar, "r1".into()),
            random.object(Kind::IdnTable, "t1".into()),
            Self::contact("c1", "old@d1.test"),
            random.object(Kind::Nameserver, "a.ns".into()),
            random.object(Kind::Nndn, "n1.test".into()),
            Object::Domain(domain),
        ] {
            model.0.insert(order(object.kind(), object.key()), object);
        }
        model
    }

    pub(crate) fn changes(&self) -> Vec<Change> {
        self.0.values().map(|object| Change::Upsert(Box::new(object.clone()))).collect()
    }

    /// The same as a base, built from nothing.
    pub(crate) fn rebuilt(&self) -> Generated {
        let base = Snapshot::open(self.built(1)).unwrap();
        verify(&base, &mut |_, _| {}).unwrap();
        Generation::of_base(Arc::new(base)).unwrap()
    }

    /// The bytes of that base, as of `generation`.
    pub(crate) fn built(&self, generation: u64) -> Vec<u8> {
        let scratch: Rc<dyn Scratch> = Rc::new(MemoryScratch);
        let out = Cursor::new(Vec::new());
        let options = Options { hash_seed: 77, generation, ..Options::default() };
        let mut builder = Builder::new(out, scratch, options).unwrap();
        for object in self.0.values() {
            let note = &mut |_: snapshot_format::Defect<'_>| {};
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
        let (out, _) = builder.finish(&Meta::default(), &mut |_, _| {}).unwrap();
        out.into_inner()
    }
}

/// A generation, what it should hold, and the logs that made it: one for each batch.
pub(crate) struct World {
    pub(crate) generation: Generated,
    pub(crate) model: Model,
    pub(crate) logs: Vec<Arc<Vec<u8>>>,
}

impl World {
    /// A random base, made of a log: a base that was built leaves references out that lead
    /// nowhere, and they stay out when there is something.
    pub(crate) fn new(random: &mut Random) -> Self {
        let model = Model::default();
        let mut world = Self { generation: model.rebuilt(), model, logs: Vec::new() };
        for _ in 0..2 {
            let batch = random.batch();
            world.apply(&batch);
        }
        world.fold();
        world
    }

    pub(crate) fn apply(&mut self, changes: &[Change]) {
        let encoded = encode(&self.generation, changes, &mut |_, _| {}).unwrap();
        self.model.apply(changes);
        self.append(&encoded);
    }

    fn append(&mut self, encoded: &Encoded) {
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
        let log_head = LogHead { epoch: 1, number, salt: 5, begins_over: state.generation };
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
        self.append(&reservations);
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

//! A registry in memory whose every transaction travels as records to a server in memory.
//!
//! # Invariants
//!
//! - After each transaction both have the same objects, and so they have once all records have
//!   been applied again, twice.

use std::collections::BTreeMap;

use snapshot_format::object::{
    Actor, Contact, ContactLink, ContactRole, Domain, HostLink, Nameserver, Registrar, Time,
    Transfer,
};
use snapshot_format::status::{ContactStatuses, DomainStatuses, HostStatuses, RegistrarStatus};
use snapshot_format::{Change, Kind, Object};
use whoisd::feed::{Body, ChangeRecord};

use crate::objects::{NOW_MS, text, written};

const DAY_MS: i64 = 86_400_000;
pub(crate) const YEAR_MS: i64 = 365 * DAY_MS;

/// A registry, and a server that knows it from records alone.
#[derive(Default)]
pub(crate) struct Registry {
    objects: BTreeMap<(Kind, String), Object>,
    pub(crate) served: BTreeMap<(Kind, String), Object>,
    serial: u64,
    /// All lines so far.
    lines: Vec<Vec<u8>>,
}

impl Registry {
    /// A registry with two registrars, a contact, and `example.demo` with a host below it.
    pub(crate) fn new() -> Self {
        let mut registry = Self::default();
        let domain = Domain { nameservers: vec![], ..domain("example.demo") };
        registry.commit(&[
            upsert(registrar("reg-1")),
            upsert(registrar("reg-2")),
            upsert(contact("C-1")),
            upsert(Object::Domain(domain)),
            upsert(host("ns1.example.demo")),
        ]);
        registry.commit(&[upsert(Object::Domain(self::domain("example.demo")))]);
        registry
    }

    /// One transaction; the server applies its records, which arrive as text.
    pub(crate) fn commit(&mut self, changes: &[Change]) {
        let transaction = format!("T-{}", self.serial);
        for change in changes {
            self.serial += 1;
            apply(&mut self.objects, change);
            let record = ChangeRecord {
                serial: self.serial,
                committed_ms: NOW_MS + self.serial.cast_signed(),
                transaction: transaction.clone(),
                body: change.clone().into(),
            };
            let line = written(&record);
            let read = ChangeRecord::parse(&line).unwrap();
            assert_eq!(read, record);
            let Body::Change(change) = read.body else { panic!() };
            apply(&mut self.served, &change);
            self.lines.push(line);
        }
        assert_eq!(self.served, self.objects);
    }

    /// The domain as it is served.
    pub(crate) fn domain(&self, name: &str) -> Domain {
        match self.served.get(&(Kind::Domain, text(name))) {
            Some(Object::Domain(domain)) => domain.clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn host(&self, name: &str) -> Nameserver {
        match self.served.get(&(Kind::Nameserver, text(name))) {
            Some(Object::Nameserver(host)) => host.clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn contact(&self, id: &str) -> Contact {
        match self.served.get(&(Kind::Contact, text(id))) {
            Some(Object::Contact(contact)) => contact.clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn has(&self, kind: Kind, key: &str) -> bool {
        self.served.contains_key(&(kind, text(key)))
    }

    /// Changes the domain as `change` says, in a transaction of its own.
    pub(crate) fn update_domain(&mut self, name: &str, change: impl FnOnce(&mut Domain)) {
        let mut domain = self.domain(name);
        change(&mut domain);
        self.commit(&[upsert(Object::Domain(domain))]);
    }
}

/// Every record again, from the first one: the state of a server that has to start again.
impl Drop for Registry {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for _ in 0..2 {
            for line in &self.lines {
                let Body::Change(change) = ChangeRecord::parse(line).unwrap().body else {
                    panic!()
                };
                apply(&mut self.served, &change);
            }
            assert_eq!(self.served, self.objects);
        }
    }
}

fn apply(objects: &mut BTreeMap<(Kind, String), Object>, change: &Change) {
    let key = (change.kind(), change.key().to_owned());
    match change {
        Change::Upsert(object) => drop(objects.insert(key, Object::clone(object))),
        Change::Delete { .. } => drop(objects.remove(&key)),
    }
}

pub(crate) fn upsert(object: Object) -> Change {
    Change::Upsert(Box::new(object))
}

pub(crate) fn delete(kind: Kind, key: &str) -> Change {
    Change::Delete { kind, key: text(key) }
}

pub(crate) fn at(days: i64) -> Time {
    Time::from_ms(NOW_MS + days * DAY_MS)
}

pub(crate) fn actor(registrar: &str) -> Actor {
    Actor { registrar: text(registrar), client: text("epp") }
}

pub(crate) fn registrar(id: &str) -> Object {
    Object::Registrar(Registrar {
        id: text(id),
        name: format!("Registrar {id}"),
        status: RegistrarStatus::Ok,
        email: format!("info@{id}.example"),
        created: at(-900),
        ..Registrar::default()
    })
}

pub(crate) fn contact(id: &str) -> Object {
    Object::Contact(Contact {
        id: text(id),
        roid: format!("{id}_1-DEMO"),
        statuses: ContactStatuses { bits: ContactStatuses::OK },
        email: text("c@example.demo"),
        registrar: text("reg-1"),
        creator: actor("reg-1"),
        created: at(-800),
        ..Contact::default()
    })
}

pub(crate) fn host(name: &str) -> Object {
    Object::Nameserver(Nameserver {
        name: text(name),
        roid: text("H1-DEMO"),
        statuses: HostStatuses { bits: HostStatuses::OK },
        v4: vec![[192, 0, 2, 1]],
        registrar: text("reg-1"),
        creator: actor("reg-1"),
        created: at(-700),
        ..Nameserver::default()
    })
}

pub(crate) fn domain(name: &str) -> Domain {
    Domain {
        name: text(name),
        roid: text("D1-DEMO"),
        statuses: DomainStatuses { bits: DomainStatuses::ADD_PERIOD | DomainStatuses::OK },
        contacts: vec![ContactLink { role: ContactRole::Registrant, id: text("C-1") }],
        nameservers: vec![HostLink::Name(text("ns1.example.demo"))],
        registrar: text("reg-1"),
        creator: actor("reg-1"),
        created: at(0),
        expires: Time::from_ms(NOW_MS + YEAR_MS),
        ..Domain::default()
    }
}

/// The pending transfer of something of reg-1 to reg-2.
pub(crate) fn pending() -> Transfer {
    Transfer {
        status: text("pending"),
        requester: actor("reg-2"),
        requested: at(10),
        actor: actor("reg-1"),
        acted: at(15),
        expires: Time::NONE,
    }
}

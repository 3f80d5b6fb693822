//! A plain map of objects: what a generation is held against.
//!
//! Some nameservers are stated by host attributes: the map loses one at the end of a batch after
//! which no domain names it, as a registry of host attributes does.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::rc::Rc;
use std::sync::Arc;

use snapshot_format::builder::NamedHosts;
use snapshot_format::delta::{Fate, Generation};
use snapshot_format::object::{Contact, ContactLink, ContactRole, HostLink, Nameserver, Time};
use snapshot_format::record::Meta;
use snapshot_format::sort::{MemoryScratch, Scratch};
use snapshot_format::status::HostStatuses;
use snapshot_format::verify::verify;
use snapshot_format::{Builder, Change, Kind, Object, Options, Snapshot};

use super::{Generated, Random};

/// What there is, by key.
#[derive(Clone, Default)]
pub(crate) struct Model(pub(crate) BTreeMap<(Kind, Vec<u8>), Object>);

/// What an object refers to, by kind and key.
fn references(object: &Object, into: &mut BTreeSet<(Kind, String)>) {
    let mut add = |kind, key: &str| {
        into.insert((kind, key.to_owned()));
    };
    match object {
        Object::Registrar(_) | Object::IdnTable(_) => {}
        Object::Contact(object) => add(Kind::Registrar, &object.registrar),
        Object::Nameserver(object) => add(Kind::Registrar, &object.registrar),
        Object::Nndn(object) => add(Kind::IdnTable, &object.idn_table),
        Object::Domain(object) => {
            add(Kind::Registrar, &object.registrar);
            add(Kind::IdnTable, &object.idn_table);
            object.contacts.iter().for_each(|link| add(Kind::Contact, &link.id));
            for HostLink::Name(key) | HostLink::Roid(key) in &object.nameservers {
                add(Kind::Nameserver, key);
            }
        }
    }
}

/// The order in which a builder wants keys.
fn order(kind: Kind, key: &str) -> (Kind, Vec<u8>) {
    match kind {
        Kind::Contact => (kind, snapshot_format::builder::contact_order_key(key)),
        _ => (kind, key.as_bytes().to_vec()),
    }
}

impl Model {
    /// Which of the nameservers domains name.
    fn named(&self) -> BTreeSet<String> {
        let domains = self.0.values().filter_map(|object| match object {
            Object::Domain(domain) => Some(domain),
            _ => None,
        });
        let links = domains.flat_map(|domain| &domain.nameservers);
        links.map(|(HostLink::Name(name) | HostLink::Roid(name))| name.clone()).collect()
    }

    pub(crate) fn apply(&mut self, changes: &[Change]) {
        let before = self.clone();
        self.take(changes);
        for place in before.0.keys().filter(|(kind, _)| *kind == Kind::Nameserver) {
            if !self.is_news(&before, changes, place) {
                self.0.insert(place.clone(), before.0[place].clone());
            }
        }
        let named = self.named();
        self.0.retain(|_, object| match object {
            Object::Nameserver(host) => {
                !host.statuses.any(HostStatuses::ATTRIBUTE) || named.contains(&host.name)
            }
            _ => true,
        });
    }

    /// Whether host attributes that a batch has say something of a nameserver that was there.
    fn is_news(&self, before: &Self, changes: &[Change], place: &(Kind, Vec<u8>)) -> bool {
        let host = |model: &Self| match model.0.get(place) {
            Some(Object::Nameserver(host)) => Some(host.clone()),
            _ => None,
        };
        let attribute = |host: &Nameserver| host.statuses.any(HostStatuses::ATTRIBUTE);
        let empty = |host: &Nameserver| host.v4.is_empty() && host.v6.is_empty();
        let (Some(now), Some(was)) = (host(self), host(before)) else { return true };
        let newest = |kind: Kind, key: &str| {
            let of_key = |change: &&Change| change.kind() == kind && change.key() == key;
            changes.iter().rfind(of_key).is_some()
        };
        if !newest(Kind::Nameserver, &now.name) || !attribute(&now) || !empty(&now) {
            return true;
        }
        if !attribute(&was) {
            return false;
        }
        let names = |object: &&Object| match object {
            Object::Domain(domain) => {
                domain.nameservers.contains(&HostLink::Name(now.name.clone()))
            }
            _ => false,
        };
        let all: Vec<_> = self.0.values().filter(names).collect();
        empty(&was) || all.iter().all(|domain| newest(Kind::Domain, domain.key()))
    }

    /// Takes away what goes with the names of a zone: these, and what nothing else refers to.
    pub(crate) fn without(&mut self, fate: &dyn Fn(&str) -> Fate) {
        let goes = |object: &Object| {
            matches!(object.kind(), Kind::Nndn | Kind::Domain) && fate(object.key()) == Fate::Goes
        };
        let (mut kept, mut dropped) = (BTreeSet::new(), BTreeSet::new());
        for object in self.0.values().filter(|object| object.kind() >= Kind::Nndn) {
            references(object, if goes(object) { &mut dropped } else { &mut kept });
        }
        let of_domains = kept.clone();
        let mut stays = |object: &Object| {
            let is = of_domains.contains(&(object.kind(), object.key().to_owned()));
            let stays = match object {
                Object::Contact(_) => is,
                Object::Nameserver(host) => {
                    let attribute = host.statuses.any(HostStatuses::ATTRIBUTE);
                    is || fate(&host.name) == Fate::Stays && !attribute
                }
                _ => return true,
            };
            references(object, if stays { &mut kept } else { &mut dropped });
            stays
        };
        self.0.retain(|_, object| stays(object));
        self.0.retain(|_, object| {
            let key = (object.kind(), object.key().to_owned());
            match object.kind() {
                Kind::Registrar | Kind::IdnTable => kept.contains(&key) || !dropped.contains(&key),
                _ => !goes(object),
            }
        });
    }

    fn take(&mut self, changes: &[Change]) {
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
        self.built_as(generation, &Meta::default())
    }

    /// As [`Self::built`], which says of itself what `meta` does.
    pub(crate) fn built_as(&self, generation: u64, meta: &Meta) -> Vec<u8> {
        let scratch: Rc<dyn Scratch> = Rc::new(MemoryScratch);
        let out = Cursor::new(Vec::new());
        let options = Options { hash_seed: 77, generation, ..Options::default() };
        let mut named = NamedHosts::new(5, Rc::clone(&scratch), 1 << 16);
        for name in self.named() {
            named.push(&name).unwrap();
            named.push(&name).unwrap();
        }
        let builder = Builder::new(out, scratch, options).unwrap();
        let mut builder = builder.with_named(named).unwrap();
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
        let (out, _) = builder.finish(meta, &mut |_, _| {}).unwrap();
        out.into_inner()
    }
}

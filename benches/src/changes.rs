//! Changes of domains that are there, for benchmarks to apply.
//!
//! # Does not
//!
//! Make new registrars, contacts or nameservers: the objects refer to existing ones.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use snapshot_format::object::{ContactLink, ContactRole, Domain, HostLink, Time};
use snapshot_format::record::{
    ArchivedContact, ArchivedDomain, ArchivedNameserver, ArchivedRegistrar, ContactField, NONE,
};
use snapshot_format::status::DomainStatuses;
use snapshot_format::{Change, Kind, Object};
use whoisd::view::Data;

use crate::Random;

const ROLES: [ContactRole; 4] =
    [ContactRole::Registrant, ContactRole::Admin, ContactRole::Tech, ContactRole::Billing];

/// A domain as an object, without the fields that most domains lack.
///
/// # Panics
///
/// If a record is damaged.
#[must_use]
pub fn object_of(data: &Data, record: &ArchivedDomain) -> Domain {
    let contact = |ordinal: u32| -> Option<String> {
        let contact: Option<&ArchivedContact> = data.record(ordinal).unwrap();
        contact.map(|contact| contact.field(ContactField::Id).to_owned())
    };
    let registrar: Option<&ArchivedRegistrar> = data.record(record.registrar.to_native()).unwrap();
    let contacts = ROLES.into_iter().zip(record.contacts.iter());
    let named = contacts.filter(|(_, ordinal)| ordinal.to_native() != NONE);
    let hosts = record.nameservers.iter();
    Domain {
        name: record.name.as_str().into(),
        roid: record.roid.as_str().into(),
        statuses: DomainStatuses { bits: record.statuses.to_native() },
        contacts: named
            .filter_map(|(role, at)| Some(ContactLink { role, id: contact(at.to_native())? }))
            .collect(),
        nameservers: hosts
            .filter_map(|at| data.record::<ArchivedNameserver>(at.to_native()).unwrap())
            .map(|host| HostLink::Name(host.name.as_str().into()))
            .collect(),
        registrar: registrar.map_or_else(String::new, |registrar| registrar.id.as_str().into()),
        created: Time::from_ms(record.created_ms.to_native()),
        updated: Time::from_ms(record.updated_ms.to_native()),
        expires: Time::from_ms(record.expires_ms.to_native()),
        ..Domain::default()
    }
}

/// `count` changes of a registry's day: renewals and updates of domains at random, one in ten a new
/// name, one in twenty a deletion. `round` makes the changes of each call differ.
///
/// # Panics
///
/// If a record is damaged.
#[must_use]
pub fn of_domains(data: &Data, count: u64, round: u64) -> Vec<Change> {
    let mut random = Random(round.wrapping_mul(77).wrapping_add(5));
    let base = data.base();
    let domains = base.count(Kind::Domain);
    let change = |number: u64| {
        let at = u32::try_from(random.below(domains.into())).unwrap();
        let record = base.record::<ArchivedDomain>(at).unwrap();
        if number.is_multiple_of(20) {
            return Change::Delete { kind: Kind::Domain, key: record.name.as_str().into() };
        }
        let mut domain = object_of(data, record);
        domain.updated = Time::from_ms(i64::try_from(round * 1_000_000 + number).unwrap());
        if number % 10 == 1 {
            domain.name = format!("new-{round}-{number}-{}", domain.name);
            domain.roid = format!("N{round}-{number}");
        }
        Change::Upsert(Box::new(Object::Domain(domain)))
    };
    (0..count).map(change).collect()
}

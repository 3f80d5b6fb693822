//! A domain between reading and writing: all its texts as one, so that it is archived, checked and
//! taken apart as one, into an object that keeps its memory.
//!
//! # Invariants
//!
//! - A domain that was packed comes out as it was; [`Fields`] names every field.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;

use rkyv::rancor::Error as RkyvError;
use rkyv::{Archive, Deserialize, Serialize};
use snapshot_format::object::{
    Actor, ContactLink, ContactRole, Domain, HostLink, SecDns, Time, Transfer,
};
use snapshot_format::status::DomainStatuses;

use super::collect::damaged;

/// A link to a nameserver by its identifier; roles of contacts are below.
const HOST_ROID: u8 = 16;
/// A link to a nameserver by its name.
const HOST_NAME: u8 = 17;

/// A domain, packed.
#[derive(Debug, Default, Archive, Serialize, Deserialize)]
pub(super) struct PackedDomain {
    /// The texts of the object, then those of its links.
    text: String,
    /// Where each text ends.
    ends: Vec<u32>,
    /// What each link is: the role of a contact, or a kind of nameserver.
    links: Vec<u8>,
    /// `created`, `updated`, `expires`, `transferred`.
    times_ms: [i64; 4],
    statuses: u32,
    rare: Option<Rare>,
}

/// What few domains have.
#[derive(Debug, Archive, Serialize, Deserialize)]
struct Rare {
    sec_dns: Option<SecDns>,
    transfer: Option<Transfer>,
    extras: Vec<(String, String)>,
}

/// The fields of a domain, by what is done with them.
struct Fields<'d> {
    texts: [&'d mut String; 10],
    /// As in [`PackedDomain`].
    times: [&'d mut Time; 4],
    statuses: &'d mut DomainStatuses,
    contacts: &'d mut Vec<ContactLink>,
    nameservers: &'d mut Vec<HostLink>,
    sec_dns: &'d mut Option<SecDns>,
    transfer: &'d mut Option<Transfer>,
    extras: &'d mut Vec<(String, String)>,
}

impl<'d> Fields<'d> {
    fn of(domain: &'d mut Domain) -> Self {
        // No `..`: a new field has to be somewhere.
        let Domain {
            name,
            roid,
            u_name,
            idn_table,
            original_name,
            statuses,
            contacts,
            nameservers,
            registrar,
            creator: Actor { registrar: creator, client: creator_client },
            updater: Actor { registrar: updater, client: updater_client },
            created,
            updated,
            expires,
            transferred,
            sec_dns,
            transfer,
            extras,
        } = domain;
        let texts = [
            name,
            roid,
            u_name,
            idn_table,
            original_name,
            registrar,
            creator,
            creator_client,
            updater,
            updater_client,
        ];
        let times = [created, updated, expires, transferred];
        Self { texts, times, statuses, contacts, nameservers, sec_dns, transfer, extras }
    }
}

impl PackedDomain {
    /// Packs a domain; fields that few domains have are moved out of it.
    pub(super) fn pack(&mut self, domain: &mut Domain) {
        self.text.clear();
        self.ends.clear();
        self.links.clear();
        let fields = Fields::of(domain);
        fields.texts.into_iter().for_each(|text| self.push(text));
        for ContactLink { role, id } in fields.contacts {
            self.links.push(*role as u8);
            self.push(id);
        }
        for link in fields.nameservers {
            let (kind, text) = match link {
                HostLink::Name(name) => (HOST_NAME, name),
                HostLink::Roid(roid) => (HOST_ROID, roid),
            };
            self.links.push(kind);
            self.push(text);
        }
        self.times_ms = fields.times.map(|time| time.ms);
        self.statuses = fields.statuses.bits;
        let (sec_dns, transfer, extras) = (fields.sec_dns, fields.transfer, fields.extras);
        let any = sec_dns.is_some() || transfer.is_some() || !extras.is_empty();
        self.rare = any.then(|| Rare {
            sec_dns: sec_dns.take(),
            transfer: transfer.take(),
            extras: std::mem::take(extras),
        });
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        // Lists of at most 256 texts of at most 4 KiB.
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
    }
}

/// Unpacks a domain into `domain`, whatever was in it.
///
/// # Errors
///
/// `InvalidData`: the bytes are not an archive.
pub(super) fn unpack(archive: &[u8], domain: &mut Domain) -> io::Result<()> {
    clear(domain);
    let packed = rkyv::access::<ArchivedPackedDomain, RkyvError>(archive).map_err(|_| damaged())?;
    let mut start = 0usize;
    let mut texts = packed.ends.iter().map(|end| {
        let end = usize::try_from(end.to_native()).unwrap_or(usize::MAX);
        let text = packed.text.as_str().get(start..end).ok_or_else(damaged);
        start = end;
        text
    });
    let fields = Fields::of(domain);
    for slot in fields.texts {
        slot.push_str(texts.next().ok_or_else(damaged)??);
    }
    for kind in packed.links.iter() {
        let text = texts.next().ok_or_else(damaged)??.to_owned();
        match *kind {
            HOST_NAME => fields.nameservers.push(HostLink::Name(text)),
            HOST_ROID => fields.nameservers.push(HostLink::Roid(text)),
            role => fields.contacts.push(ContactLink { role: role_of(role)?, id: text }),
        }
    }
    for (time, ms) in fields.times.into_iter().zip(packed.times_ms) {
        *time = Time::from_ms(ms.to_native());
    }
    fields.statuses.bits = packed.statuses.to_native();
    if let Some(rare) = packed.rare.as_ref() {
        let Rare { sec_dns, transfer, extras } =
            rkyv::deserialize::<Rare, RkyvError>(rare).map_err(|_| damaged())?;
        (*fields.sec_dns, *fields.transfer, *fields.extras) = (sec_dns, transfer, extras);
    }
    Ok(())
}

fn role_of(byte: u8) -> io::Result<ContactRole> {
    Ok(match byte {
        0 => ContactRole::Registrant,
        1 => ContactRole::Admin,
        2 => ContactRole::Tech,
        3 => ContactRole::Billing,
        _ => return Err(damaged()),
    })
}

/// Empties a domain; its texts keep their memory.
pub(super) fn clear(domain: &mut Domain) {
    let fields = Fields::of(domain);
    fields.texts.into_iter().for_each(String::clear);
    fields.statuses.bits = 0;
    fields.contacts.clear();
    fields.nameservers.clear();
    for time in fields.times {
        *time = Time::NONE;
    }
    (*fields.sec_dns, *fields.transfer) = (None, None);
    fields.extras.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_comes_out_as_it_went_in_and_nothing_of_the_last_one_stays() {
        let mut full = Domain {
            name: "a.test".to_owned(),
            roid: "D1-TEST".to_owned(),
            u_name: "ä.test".to_owned(),
            idn_table: "de".to_owned(),
            original_name: "b.test".to_owned(),
            registrar: "r1".to_owned(),
            creator: Actor { registrar: "r2".to_owned(), client: "c".to_owned() },
            updater: Actor { registrar: "r3".to_owned(), client: "d".to_owned() },
            created: Time::from_ms(1),
            updated: Time::from_ms(2),
            expires: Time::from_ms(3),
            transferred: Time::from_ms(4),
            extras: vec![("k".to_owned(), "v".to_owned())],
            sec_dns: Some(SecDns { max_sig_life_s: 7, ..SecDns::default() }),
            transfer: Some(Transfer::default()),
            ..Domain::default()
        };
        full.statuses.bits = 5;
        for role in
            [ContactRole::Registrant, ContactRole::Admin, ContactRole::Tech, ContactRole::Billing]
        {
            full.contacts.push(ContactLink { role, id: format!("{role:?}") });
        }
        full.nameservers.push(HostLink::Name("ns.test".to_owned()));
        full.nameservers.push(HostLink::Roid("H1-TEST".to_owned()));
        let mut packed = PackedDomain::default();
        let mut out = Domain::default();
        for domain in [full, Domain { name: "c.test".to_owned(), ..Domain::default() }] {
            packed.pack(&mut domain.clone());
            let archive = rkyv::to_bytes::<RkyvError>(&packed).unwrap();
            unpack(&archive, &mut out).unwrap();
            assert_eq!(out, domain);
        }
        assert!(unpack(b"damaged", &mut out).is_err());
    }
}

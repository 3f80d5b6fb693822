//! Objects into records: references become ordinals, bounds are checked.
//!
//! # Invariants
//!
//! - A text in a record has at most [`TEXT_BYTES_MAX`] bytes, a list at most [`LIST_COUNT_MAX`]
//!   elements: so a contact's packed text ends within `u16`.
//!
//! # Does not
//!
//! Write, or know where ordinals come from: [`References`] says.

use std::io;

use crate::builder::Defect;
use crate::error::BuildError;
use crate::layout::Kind;
use crate::limits::{LIST_COUNT_MAX, TEXT_BYTES_MAX};
use crate::links::Link;
use crate::object::{self, Actor, HostLink, Phone, Postal, Time};
use crate::record::{
    self, CONTACT_FIELDS, DISCLOSE_ALLOW, DISCLOSE_DENY, DISCLOSE_NO_WISH, NONE, POSTAL_FIELDS,
    POSTAL_NONE,
};

/// Reports what a record is written without.
type Report<'a> = &'a mut dyn FnMut(Defect<'_>);

/// Ordinals of what objects refer to.
pub(crate) trait References {
    /// The registrar with this identifier.
    fn registrar(&mut self, id: &str) -> io::Result<Link>;
    /// The IDN table with this identifier.
    fn idn_table(&mut self, id: &str) -> io::Result<Link>;
    /// The contact with exactly this identifier.
    fn contact(&mut self, id: &str) -> io::Result<Link>;
    /// The nameserver with this name or ROID.
    fn nameserver(&mut self, link: &HostLink) -> io::Result<Link>;
    /// Whether the name is that of an NNDN.
    fn is_nndn(&mut self, name: &str) -> io::Result<bool>;
}

/// Makes records with the ordinals that `R` knows.
pub(crate) struct Converter<'a, R>(pub(crate) &'a mut R);

impl<R: References> Converter<'_, R> {
    fn registrar(&mut self, id: &str, report: Report<'_>) -> io::Result<u32> {
        known(Kind::Registrar, id, report, |id| self.0.registrar(id))
    }

    fn idn_table(&mut self, id: &str, report: Report<'_>) -> io::Result<u32> {
        known(Kind::IdnTable, id, report, |id| self.0.idn_table(id))
    }

    fn transfer(
        &mut self,
        transfer: Option<&object::Transfer>,
        report: Report<'_>,
    ) -> io::Result<Option<Box<record::Transfer>>> {
        let Some(transfer) = transfer else { return Ok(None) };
        Ok(Some(Box::new(record::Transfer {
            status: transfer.status.clone(),
            requester: self.registrar(&transfer.requester.registrar, report)?,
            requester_client: transfer.requester.client.clone(),
            requested_ms: transfer.requested.ms,
            actor: self.registrar(&transfer.actor.registrar, report)?,
            actor_client: transfer.actor.client.clone(),
            acted_ms: transfer.acted.ms,
            expires_ms: transfer.expires.ms,
        })))
    }

    pub(crate) fn contact(
        &mut self,
        object: &object::Contact,
        report: Report<'_>,
    ) -> Result<record::Contact, BuildError> {
        let bounds = Bounds { kind: Kind::Contact, key: &object.id };
        bounds.list("postal addresses", object.postal.len(), 2)?;
        let first = object.postal.first();
        let mut packer = Packer::new(bounds);
        packer.push(&object.id)?;
        packer.push(&object.roid)?;
        packer.postal(first)?;
        packer.phone(&object.voice)?;
        packer.phone(&object.fax)?;
        packer.push(&object.email)?;
        let mut ends = [0; CONTACT_FIELDS];
        ends.copy_from_slice(&packer.ends);
        let (disclose, disclose_fields) = match object.disclose {
            None => (DISCLOSE_NO_WISH, 0),
            Some(wish) if wish.allow => (DISCLOSE_ALLOW, wish.fields),
            Some(wish) => (DISCLOSE_DENY, wish.fields),
        };
        Ok(record::Contact {
            created_ms: object.created.ms,
            updated_ms: object.updated.ms,
            statuses: object.statuses.bits,
            registrar: self.registrar(&object.registrar, report)?,
            creator: self.registrar(&object.creator.registrar, report)?,
            updater: self.registrar(&object.updater.registrar, report)?,
            ends,
            disclose_fields,
            disclose,
            postal_kind: first.map_or(POSTAL_NONE, |postal| postal.kind as u8),
            text: packer.text,
            cold: self.contact_cold(object, bounds, report)?,
        })
    }

    fn contact_cold(
        &mut self,
        object: &object::Contact,
        bounds: Bounds<'_>,
        report: Report<'_>,
    ) -> Result<Option<Box<record::ContactCold>>, BuildError> {
        let second = object.postal.get(1);
        let (creator, updater) = (&object.creator.client, &object.updater.client);
        let nothing = second.is_none()
            && creator.is_empty()
            && updater.is_empty()
            && !object.transferred.is_some()
            && object.transfer.is_none();
        if nothing {
            return Ok(None);
        }
        let mut packer = Packer::new(bounds);
        packer.postal(second)?;
        let mut postal_ends = [0; POSTAL_FIELDS];
        postal_ends.copy_from_slice(&packer.ends);
        bounds.text(creator)?;
        bounds.text(updater)?;
        Ok(Some(Box::new(record::ContactCold {
            transferred_ms: object.transferred.ms,
            postal_ends,
            postal_text: packer.text,
            creator_client: creator.clone(),
            updater_client: updater.clone(),
            transfer: self.transfer(object.transfer.as_ref(), report)?,
        })))
    }

    pub(crate) fn nameserver(
        &mut self,
        object: &object::Nameserver,
        report: Report<'_>,
    ) -> Result<record::Nameserver, BuildError> {
        let bounds = Bounds { kind: Kind::Nameserver, key: &object.name };
        bounds.list("IPv4 addresses", object.v4.len(), LIST_COUNT_MAX)?;
        bounds.list("IPv6 addresses", object.v6.len(), LIST_COUNT_MAX)?;
        bounds.text(&object.roid)?;
        let Actor { client: creator, .. } = &object.creator;
        let Actor { client: updater, .. } = &object.updater;
        bounds.text(creator)?;
        bounds.text(updater)?;
        let any_cold = !creator.is_empty() || !updater.is_empty() || object.transferred.is_some();
        Ok(record::Nameserver {
            created_ms: object.created.ms,
            updated_ms: object.updated.ms,
            statuses: object.statuses.bits,
            registrar: self.registrar(&object.registrar, report)?,
            creator: self.registrar(&object.creator.registrar, report)?,
            updater: self.registrar(&object.updater.registrar, report)?,
            name: object.name.clone(),
            roid: object.roid.clone(),
            v4: object.v4.clone(),
            v6: object.v6.clone(),
            cold: any_cold.then(|| {
                Box::new(record::NameserverCold {
                    transferred_ms: object.transferred.ms,
                    creator_client: creator.clone(),
                    updater_client: updater.clone(),
                })
            }),
        })
    }

    pub(crate) fn nndn(
        &mut self,
        object: &object::Nndn,
        report: Report<'_>,
    ) -> Result<record::Nndn, BuildError> {
        let bounds = Bounds { kind: Kind::Nndn, key: &object.name };
        bounds.text(&object.u_name)?;
        bounds.text(&object.original_name)?;
        Ok(record::Nndn {
            created_ms: object.created.ms,
            idn_table: self.idn_table(&object.idn_table, report)?,
            state: object.state as u8,
            mirroring_ns: object.mirroring_ns,
            name: object.name.clone(),
            u_name: object.u_name.clone(),
            original_name: object.original_name.clone(),
        })
    }

    pub(crate) fn domain(
        &mut self,
        object: &object::Domain,
        report: Report<'_>,
    ) -> Result<record::Domain, BuildError> {
        let bounds = Bounds { kind: Kind::Domain, key: &object.name };
        bounds.list("contacts", object.contacts.len(), LIST_COUNT_MAX)?;
        bounds.list("nameservers", object.nameservers.len(), LIST_COUNT_MAX)?;
        bounds.text(&object.roid)?;
        if self.0.is_nndn(&object.name)? {
            report(Defect::NndnIsDomain);
        }
        let (contacts, contacts_more) = self.contacts(&object.contacts, report)?;
        let nameservers = self.nameservers(&object.nameservers, report)?;
        Ok(record::Domain {
            created_ms: object.created.ms,
            updated_ms: object.updated.ms,
            expires_ms: object.expires.ms,
            statuses: object.statuses.bits,
            registrar: self.registrar(&object.registrar, report)?,
            creator: self.registrar(&object.creator.registrar, report)?,
            updater: self.registrar(&object.updater.registrar, report)?,
            contacts,
            name: object.name.clone(),
            roid: object.roid.clone(),
            nameservers,
            cold: self.domain_cold(object, contacts_more, bounds, report)?,
        })
    }

    /// The first contact of each role, and the others.
    #[expect(clippy::type_complexity, reason = "the two fields of the record")]
    fn contacts(
        &mut self,
        links: &[object::ContactLink],
        report: Report<'_>,
    ) -> Result<([u32; 4], Vec<(u8, u32)>), BuildError> {
        let mut first = [NONE; 4];
        let mut more = Vec::new();
        // Roles share contacts: a look-up that was just made is not made again.
        let mut recent = [Link::None; 4];
        for (at, link) in links.iter().enumerate() {
            let mut before = at.saturating_sub(recent.len())..at;
            let found = match before.find(|&known| links[known].id == link.id) {
                Some(known) => recent[known % recent.len()],
                None => self.0.contact(&link.id)?,
            };
            recent[at % recent.len()] = found;
            let Link::One(ordinal) = found else {
                report(Defect::Dangling { kind: Kind::Contact, key: &link.id });
                continue;
            };
            let slot = &mut first[link.role as usize];
            if *slot == NONE {
                *slot = ordinal;
            } else {
                more.push((link.role as u8, ordinal));
            }
        }
        Ok((first, more))
    }

    fn nameservers(
        &mut self,
        links: &[HostLink],
        report: Report<'_>,
    ) -> Result<Vec<u32>, BuildError> {
        let mut ordinals = Vec::with_capacity(links.len());
        for link in links {
            let (HostLink::Name(key) | HostLink::Roid(key)) = link;
            match self.0.nameserver(link)? {
                Link::One(ordinal) => ordinals.push(ordinal),
                Link::Named(ordinal) => {
                    ordinals.push(ordinal);
                    report(Defect::Dangling { kind: Kind::Nameserver, key });
                }
                Link::None => report(Defect::Dangling { kind: Kind::Nameserver, key }),
                Link::Several => report(Defect::Ambiguous { roid: key }),
            }
        }
        Ok(ordinals)
    }

    fn domain_cold(
        &mut self,
        object: &object::Domain,
        contacts_more: Vec<(u8, u32)>,
        bounds: Bounds<'_>,
        report: Report<'_>,
    ) -> Result<Option<Box<record::DomainCold>>, BuildError> {
        let texts = [
            &object.u_name,
            &object.original_name,
            &object.idn_table,
            &object.creator.client,
            &object.updater.client,
        ];
        let nothing = texts.iter().all(|text| text.is_empty())
            && !object.transferred.is_some()
            && contacts_more.is_empty()
            && object.sec_dns.is_none()
            && object.transfer.is_none()
            && object.extras.is_empty();
        if nothing {
            return Ok(None);
        }
        for text in texts.into_iter().chain(object.extras.iter().flat_map(|(k, v)| [k, v])) {
            bounds.text(text)?;
        }
        bounds.list("extras", object.extras.len(), LIST_COUNT_MAX)?;
        let sec_dns = object.sec_dns.as_ref();
        let ds = sec_dns.map_or(&[][..], |sec_dns| &sec_dns.ds);
        let keys = sec_dns.map_or(&[][..], |sec_dns| &sec_dns.keys);
        bounds.list("DS records", ds.len(), LIST_COUNT_MAX)?;
        bounds.list("DNSKEY records", keys.len(), LIST_COUNT_MAX)?;
        Ok(Some(Box::new(record::DomainCold {
            transferred_ms: object.transferred.ms,
            u_name: object.u_name.clone(),
            original_name: object.original_name.clone(),
            idn_table: self.idn_table(&object.idn_table, report)?,
            creator_client: object.creator.client.clone(),
            updater_client: object.updater.client.clone(),
            contacts_more,
            max_sig_life_s: sec_dns.map_or(0, |sec_dns| sec_dns.max_sig_life_s),
            ds: ds.iter().map(ds_record).collect(),
            keys: keys.iter().map(key_record).collect(),
            transfer: self.transfer(object.transfer.as_ref(), report)?,
            extras: object.extras.clone(),
        })))
    }
}

fn known(
    kind: Kind,
    id: &str,
    report: Report<'_>,
    find: impl FnOnce(&str) -> io::Result<Link>,
) -> io::Result<u32> {
    if id.is_empty() {
        return Ok(NONE);
    }
    let Link::One(ordinal) = find(id)? else {
        report(Defect::Dangling { kind, key: id });
        return Ok(NONE);
    };
    Ok(ordinal)
}

fn ds_record(ds: &object::Ds) -> record::Ds {
    let object::Ds { key_tag, algorithm, digest_type, digest } = ds.clone();
    record::Ds { key_tag, algorithm, digest_type, digest }
}

fn key_record(key: &object::DnsKey) -> record::DnsKey {
    let object::DnsKey { flags, protocol, algorithm, public_key } = key.clone();
    record::DnsKey { flags, protocol, algorithm, public_key }
}

pub(crate) fn registrar(object: &object::Registrar) -> Result<record::Registrar, BuildError> {
    let bounds = Bounds { kind: Kind::Registrar, key: &object.id };
    bounds.list("postal addresses", object.postal.len(), 2)?;
    let texts = [
        &object.name,
        &object.voice.number,
        &object.voice.ext,
        &object.fax.number,
        &object.fax.ext,
        &object.email,
        &object.url,
        &object.whois_name,
        &object.whois_url,
    ];
    for text in texts {
        bounds.text(text)?;
    }
    let Time { ms: created_ms } = object.created;
    let Time { ms: updated_ms } = object.updated;
    let mut postal = Vec::with_capacity(object.postal.len());
    for address in &object.postal {
        let Postal { kind, street, city, sp, pc, cc, .. } = address.clone();
        for text in street.iter().chain([&city, &sp, &pc, &cc]) {
            bounds.text(text)?;
        }
        postal.push(record::Address { kind: kind as u8, street, city, sp, pc, cc });
    }
    Ok(record::Registrar {
        created_ms,
        updated_ms,
        iana_id: object.iana_id,
        status: object.status as u8,
        id: object.id.clone(),
        name: object.name.clone(),
        postal,
        voice: object.voice.number.clone(),
        voice_ext: object.voice.ext.clone(),
        fax: object.fax.number.clone(),
        fax_ext: object.fax.ext.clone(),
        email: object.email.clone(),
        url: object.url.clone(),
        whois_name: object.whois_name.clone(),
        whois_url: object.whois_url.clone(),
    })
}

pub(crate) fn idn_table(object: &object::IdnTable) -> Result<record::IdnTable, BuildError> {
    let bounds = Bounds { kind: Kind::IdnTable, key: &object.id };
    bounds.text(&object.url)?;
    bounds.text(&object.policy_url)?;
    let object::IdnTable { id, url, policy_url } = object.clone();
    Ok(record::IdnTable { id, url, policy_url })
}

/// Checks sizes, and says whose they are.
#[derive(Clone, Copy)]
struct Bounds<'a> {
    kind: Kind,
    key: &'a str,
}

impl Bounds<'_> {
    fn list(self, what: &'static str, got: usize, max: usize) -> Result<(), BuildError> {
        if got <= max {
            return Ok(());
        }
        Err(BuildError::TooLarge { kind: self.kind, key: self.key.into(), what, got, max })
    }

    fn text(self, text: &str) -> Result<(), BuildError> {
        self.list("a text, in bytes,", text.len(), TEXT_BYTES_MAX)
    }
}

/// Packs texts one after another.
struct Packer<'a> {
    bounds: Bounds<'a>,
    text: String,
    ends: Vec<u16>,
}

impl<'a> Packer<'a> {
    fn new(bounds: Bounds<'a>) -> Self {
        Self { bounds, text: String::new(), ends: Vec::with_capacity(CONTACT_FIELDS) }
    }

    fn push(&mut self, text: &str) -> Result<(), BuildError> {
        self.bounds.text(text)?;
        self.text.push_str(text);
        let end = u16::try_from(self.text.len()).unwrap_or(u16::MAX);
        self.bounds.list("the packed text, in bytes,", self.text.len(), end.into())?;
        self.ends.push(end);
        Ok(())
    }

    fn phone(&mut self, phone: &Phone) -> Result<(), BuildError> {
        self.push(&phone.number)?;
        self.push(&phone.ext)
    }

    /// Name to country code: [`POSTAL_FIELDS`] fields, empty ones for no address.
    fn postal(&mut self, postal: Option<&Postal>) -> Result<(), BuildError> {
        let none = Postal::default();
        let Postal { name, org, street, city, sp, pc, cc, .. } = postal.unwrap_or(&none);
        let [street1, street2, street3] = street;
        for text in [name, org, street1, street2, street3, city, sp, pc, cc] {
            self.push(text)?;
        }
        Ok(())
    }
}

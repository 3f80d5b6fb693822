//! The rows of objects that have several tables: domains and contacts.
//!
//! # Does not
//!
//! Know which columns the definitions declare: `mod.rs` does, in the same order.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use snapshot_format::object::{
    Contact, ContactRole, Disclose, Domain, HostLink, Nameserver, Phone, Postal, Transfer,
};
use snapshot_format::status::{CONTACT_STATUS_WORDS, words_of};

use super::table::Table;
use crate::export::encode::base64;
use crate::export::xml::{domain_words, postal_word, role_word};
use crate::hex::UPPER;

/// Writes the cells of an address.
pub(super) fn address(postal: &Postal, table: &mut Table) -> io::Result<()> {
    let [first, second, third] = &postal.street;
    table.texts(&[first, second, third, &postal.city, &postal.sp, &postal.pc, &postal.cc])
}

/// Writes the cells of a telephone number.
pub(super) fn phone(phone: &Phone, table: &mut Table) -> io::Result<()> {
    table.texts(&[&phone.number, &phone.ext])
}

fn transfer(key: &str, data: &Transfer, table: &mut Table) -> io::Result<()> {
    table.texts(&[key, &data.status])?;
    table.actor(&data.requester)?;
    table.time(data.requested)?;
    table.actor(&data.actor)?;
    table.time(data.acted)
}

/// The tables of domains.
pub(super) struct DomainTables {
    pub(super) domain: Table,
    pub(super) contacts: Table,
    pub(super) statuses: Table,
    pub(super) nameservers: Table,
    pub(super) roids: Table,
    pub(super) attributes: Table,
    pub(super) ds: Table,
    pub(super) keys: Table,
    pub(super) transfers: Table,
}

impl DomainTables {
    pub(super) fn write(
        &mut self,
        domain: &Domain,
        attributes: &[Nameserver],
        keys: &[String],
    ) -> io::Result<()> {
        let name = &domain.name;
        let role = |role| domain.contacts.iter().find(move |link| link.role == role);
        let holder = role(ContactRole::Registrant).map_or("", |link| &link.id);
        self.domain.texts(&[name, &domain.roid, &domain.idn_table, &domain.original_name])?;
        self.domain.texts(&[holder, &domain.registrar])?;
        self.domain.actor(&domain.creator)?;
        self.domain.time(domain.created)?;
        self.domain.actor(&domain.updater)?;
        self.domain.time(domain.updated)?;
        self.domain.time(domain.expires)?;
        self.domain.text(&domain.u_name)?;
        self.domain.time(domain.transferred)?;
        for key in keys {
            let value = domain.extras.iter().find(|(name, _)| name == key);
            self.domain.text(value.map_or("", |(_, value)| value))?;
        }
        self.domain.end()?;
        for link in domain.contacts.iter().filter(|link| link.role != ContactRole::Registrant) {
            self.contacts.row(&[name, &link.id, role_word(link.role)])?;
        }
        self.write_statuses(domain)?;
        for link in &domain.nameservers {
            match link {
                HostLink::Name(host) => match attributes.iter().find(|own| own.name == *host) {
                    Some(own) => self.write_attribute(name, own)?,
                    None => self.nameservers.row(&[name, host])?,
                },
                HostLink::Roid(roid) => self.roids.row(&[name, roid])?,
            }
        }
        self.write_sec_dns(domain)?;
        if let Some(data) = &domain.transfer {
            transfer(name, data, &mut self.transfers)?;
            self.transfers.time(data.expires)?;
            self.transfers.end()?;
        }
        Ok(())
    }

    /// A row for each address, or one without.
    fn write_attribute(&mut self, domain: &str, host: &Nameserver) -> io::Result<()> {
        let v4 = host.v4.iter().map(|&v4| (Ipv4Addr::from(v4).to_string(), "v4"));
        let v6 = host.v6.iter().map(|&v6| (Ipv6Addr::from(v6).to_string(), "v6"));
        let mut has_any = false;
        for (address, version) in v4.chain(v6) {
            has_any = true;
            self.attributes.row(&[domain, &host.name, &address, version])?;
        }
        if has_any { Ok(()) } else { self.attributes.row(&[domain, &host.name, "", ""]) }
    }

    /// An RGP status goes beside an EPP one: beside EPP's `pendingDelete`, if that is there.
    fn write_statuses(&mut self, domain: &Domain) -> io::Result<()> {
        let (epp, rgp) = domain_words(domain.statuses);
        let words: Vec<&str> = epp.collect();
        let beside = words.iter().find(|&&word| word == "pendingDelete").or_else(|| words.first());
        let beside = beside.copied().unwrap_or_default();
        let mut grace: Vec<&str> = rgp.collect();
        for word in words {
            let one = if word == beside && !grace.is_empty() { grace.remove(0) } else { "" };
            self.statuses.row(&[&domain.name, word, "", "", one])?;
        }
        for more in grace {
            self.statuses.row(&[&domain.name, beside, "", "", more])?;
        }
        Ok(())
    }

    fn write_sec_dns(&mut self, domain: &Domain) -> io::Result<()> {
        let Some(data) = &domain.sec_dns else { return Ok(()) };
        let life = data.max_sig_life_s;
        let life = if life > 0 { life.to_string() } else { String::new() };
        for ds in &data.ds {
            self.ds.texts(&[&domain.name, &life])?;
            self.ds.number(ds.key_tag.into())?;
            self.ds.number(ds.algorithm.into())?;
            self.ds.number(ds.digest_type.into())?;
            self.ds.computed(|text| UPPER.write(&ds.digest, text))?;
            self.ds.end()?;
        }
        for key in &data.keys {
            self.keys.texts(&[&domain.name, &life])?;
            self.keys.number(key.flags.into())?;
            self.keys.number(key.protocol.into())?;
            self.keys.number(key.algorithm.into())?;
            self.keys.computed(|text| base64(&key.public_key, text))?;
            self.keys.end()?;
        }
        Ok(())
    }
}

impl From<DomainTables> for Vec<Table> {
    fn from(t: DomainTables) -> Self {
        let DomainTables {
            domain,
            contacts,
            statuses,
            nameservers,
            roids,
            attributes,
            ds,
            keys,
            transfers,
        } = t;
        vec![domain, contacts, statuses, nameservers, roids, attributes, ds, keys, transfers]
    }
}

/// Fields of a wish on disclosure, in the order of RFC 9022's example.
pub(super) const DISCLOSE: [(u16, &str); 9] = [
    (Disclose::NAME_LOC, "csvContact:fDiscloseNameLoc"),
    (Disclose::NAME_INT, "csvContact:fDiscloseNameInt"),
    (Disclose::ORG_LOC, "csvContact:fDiscloseOrgLoc"),
    (Disclose::ORG_INT, "csvContact:fDiscloseOrgInt"),
    (Disclose::ADDR_LOC, "csvContact:fDiscloseAddrLoc"),
    (Disclose::ADDR_INT, "csvContact:fDiscloseAddrInt"),
    (Disclose::VOICE, "csvContact:fDiscloseVoice"),
    (Disclose::FAX, "csvContact:fDiscloseFax"),
    (Disclose::EMAIL, "csvContact:fDiscloseEmail"),
];

/// The tables of contacts.
pub(super) struct ContactTables {
    pub(super) contact: Table,
    pub(super) statuses: Table,
    pub(super) postal: Table,
    pub(super) transfers: Table,
    pub(super) disclose: Table,
}

impl ContactTables {
    pub(super) fn write(&mut self, contact: &Contact) -> io::Result<()> {
        let id = &contact.id;
        self.contact.texts(&[id, &contact.roid])?;
        phone(&contact.voice, &mut self.contact)?;
        phone(&contact.fax, &mut self.contact)?;
        self.contact.texts(&[&contact.email, &contact.registrar])?;
        self.contact.actor(&contact.creator)?;
        self.contact.time(contact.created)?;
        self.contact.actor(&contact.updater)?;
        self.contact.time(contact.updated)?;
        self.contact.time(contact.transferred)?;
        self.contact.end()?;
        for word in words_of(contact.statuses.bits, CONTACT_STATUS_WORDS) {
            self.statuses.row(&[id, word, "", ""])?;
        }
        for postal in &contact.postal {
            self.postal.texts(&[id, postal_word(postal.kind), &postal.name, &postal.org])?;
            address(postal, &mut self.postal)?;
            self.postal.end()?;
        }
        if let Some(data) = &contact.transfer {
            transfer(id, data, &mut self.transfers)?;
            self.transfers.end()?;
        }
        if let Some(wish) = contact.disclose {
            let flag = |set: bool| if set { "1" } else { "0" };
            self.disclose.texts(&[id, flag(wish.allow)])?;
            for (bit, _) in DISCLOSE {
                self.disclose.text(flag(wish.fields & bit != 0))?;
            }
            self.disclose.end()?;
        }
        Ok(())
    }
}

impl From<ContactTables> for Vec<Table> {
    fn from(t: ContactTables) -> Self {
        vec![t.contact, t.statuses, t.postal, t.transfers, t.disclose]
    }
}

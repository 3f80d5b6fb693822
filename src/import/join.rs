//! Parts of objects, and joining them with their object: what CSV tables and host attributes add.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use rkyv::{Archive, Deserialize, Serialize};
use snapshot_format::object::{
    Contact, ContactLink, ContactRole, Domain, HostLink, Nameserver, SecDns, Transfer,
};
use snapshot_format::status::DomainStatuses;

use crate::vet::draft;
use crate::vet::findings::Defects;
use crate::vet::rule::Rule;

/// What one row of a CSV table adds to a domain: small, since there are a dozen to a domain.
#[derive(Debug, Archive, Serialize, Deserialize)]
pub(super) enum DomainPart {
    /// Statuses; none where the row was of no use, since its domain has to exist all the same.
    Statuses(DomainStatuses),
    Contact(ContactLink),
    Nameserver(HostLink),
    SecDns(SecDns),
    Transfer(Transfer),
}

impl DomainPart {
    /// The part that a domain holds which was made from one row.
    pub(super) fn of(domain: &mut Domain) -> Self {
        if let Some(link) = domain.contacts.pop() {
            return Self::Contact(link);
        }
        if let Some(link) = domain.nameservers.pop() {
            return Self::Nameserver(link);
        }
        if let Some(sec_dns) = domain.sec_dns.take() {
            return Self::SecDns(sec_dns);
        }
        match domain.transfer.take() {
            Some(transfer) => Self::Transfer(transfer),
            None => Self::Statuses(domain.statuses),
        }
    }
}

/// Adds a part to a domain.
pub(super) fn domain(domain: &mut Domain, part: DomainPart, defects: &mut Defects) {
    match part {
        DomainPart::Statuses(statuses) => domain.statuses.bits |= statuses.bits,
        DomainPart::Contact(link) => contact_link(domain, link, defects),
        DomainPart::Nameserver(link) => {
            if !domain.nameservers.contains(&link) {
                draft::push(defects, "ns", &mut domain.nameservers, link);
            }
        }
        DomainPart::SecDns(part) => {
            sec_dns(domain.sec_dns.get_or_insert_default(), part, defects);
        }
        DomainPart::Transfer(transfer) => {
            if domain.transfer.is_some() {
                defects.add(Rule::ElementRepeated, "trnData", "");
            } else {
                domain.transfer = Some(transfer);
            }
        }
    }
}

fn contact_link(domain: &mut Domain, link: ContactLink, defects: &mut Defects) {
    let registrant = |known: &ContactLink| {
        known.role == ContactRole::Registrant && link.role == ContactRole::Registrant
    };
    if domain.contacts.iter().any(registrant) {
        defects.add(Rule::ElementRepeated, "registrant", link.id);
    } else {
        draft::push(defects, "contact", &mut domain.contacts, link);
    }
}

fn sec_dns(whole: &mut SecDns, part: SecDns, defects: &mut Defects) {
    whole.max_sig_life_s = whole.max_sig_life_s.max(part.max_sig_life_s);
    for ds in part.ds {
        draft::push(defects, "secDNS", &mut whole.ds, ds);
    }
    for key in part.keys {
        draft::push(defects, "secDNS", &mut whole.keys, key);
    }
}

/// Adds a part to a nameserver.
pub(super) fn nameserver(host: &mut Nameserver, part: Nameserver, defects: &mut Defects) {
    host.statuses.bits |= part.statuses.bits;
    for address in part.v4 {
        if !host.v4.contains(&address) {
            draft::push(defects, "addr", &mut host.v4, address);
        }
    }
    for address in part.v6 {
        if !host.v6.contains(&address) {
            draft::push(defects, "addr", &mut host.v6, address);
        }
    }
}

/// Whether host attributes state other addresses than what is known of the nameserver. A host
/// object may know more than an attribute.
pub(super) fn differs(host: &Nameserver, part: &Nameserver, attribute: bool) -> bool {
    let more = part.v4.iter().any(|address| !host.v4.contains(address))
        || part.v6.iter().any(|address| !host.v6.contains(address));
    let fewer = part.v4.len() < host.v4.len() || part.v6.len() < host.v6.len();
    more || attribute && fewer
}

/// The addresses of a nameserver, for a finding.
pub(super) fn addresses(host: &Nameserver) -> String {
    let v4 = host.v4.iter().map(|&octets| std::net::Ipv4Addr::from(octets).to_string());
    let v6 = host.v6.iter().map(|&octets| std::net::Ipv6Addr::from(octets).to_string());
    v4.chain(v6).collect::<Vec<_>>().join(" ")
}

/// Adds a part to a contact.
pub(super) fn contact(contact: &mut Contact, part: Contact, defects: &mut Defects) {
    contact.statuses.bits |= part.statuses.bits;
    for postal in part.postal {
        draft::postal(defects, &mut contact.postal, postal);
    }
    if let Some(transfer) = part.transfer {
        if contact.transfer.is_some() {
            defects.add(Rule::ElementRepeated, "trnData", "");
        } else {
            contact.transfer = Some(transfer);
        }
    }
    if let Some(disclose) = part.disclose {
        draft::disclose(defects, &mut contact.disclose, disclose);
    }
}

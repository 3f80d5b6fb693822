//! `rdePolicy:policy` (RFC 9022 section 5.8): optional elements that a registry requires.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::object::{
    Contact, ContactRole, Domain, Nameserver, Nndn, Phone, Registrar, Time,
};
use snapshot_format::status::RegistrarStatus;

use super::element::Name;
use super::findings::ObjectKind;

/// One `rdePolicy:policy` that is understood.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// Objects that it is about.
    pub(crate) kind: ObjectKind,
    /// Element that they need.
    pub(crate) element: Name,
    /// The element's name, for findings.
    pub(crate) word: String,
}

/// Whether a policy on this element of this kind of object can be checked.
pub(crate) fn is_known(kind: ObjectKind, element: Name) -> bool {
    match kind {
        ObjectKind::Domain => domain(&Domain::default(), element).is_some(),
        ObjectKind::Nameserver => nameserver(&Nameserver::default(), element).is_some(),
        ObjectKind::Contact => contact(&Contact::default(), element).is_some(),
        ObjectKind::Registrar => registrar(&Registrar::default(), element).is_some(),
        ObjectKind::Nndn => nndn(&Nndn::default(), element).is_some(),
        ObjectKind::Deposit | ObjectKind::IdnTable => false,
    }
}

fn given(text: &str) -> Option<bool> {
    Some(!text.is_empty())
}

fn timed(time: Time) -> Option<bool> {
    Some(time.is_some())
}

fn called(phone: &Phone) -> Option<bool> {
    given(&phone.number)
}

/// Whether a domain has an element; `None`: not an element of domains.
pub(crate) fn domain(domain: &Domain, element: Name) -> Option<bool> {
    let has = |role| {
        Some(domain.contacts.iter().any(|link| (link.role == ContactRole::Registrant) == role))
    };
    match element {
        Name::Roid => given(&domain.roid),
        Name::UName => given(&domain.u_name),
        Name::IdnTableId => given(&domain.idn_table),
        Name::OriginalName => given(&domain.original_name),
        Name::RgpStatus => Some(domain.statuses.any(
            snapshot_format::status::DomainStatuses::RGP
                | snapshot_format::status::DomainStatuses::RGP_PENDING_DELETE,
        )),
        Name::Registrant => has(true),
        Name::Contact => has(false),
        Name::Ns => Some(!domain.nameservers.is_empty()),
        Name::ClId => given(&domain.registrar),
        Name::CrRr => given(&domain.creator.registrar),
        Name::CrDate => timed(domain.created),
        Name::ExDate => timed(domain.expires),
        Name::UpRr => given(&domain.updater.registrar),
        Name::UpDate => timed(domain.updated),
        Name::SecDns => Some(domain.sec_dns.is_some()),
        Name::TrDate => timed(domain.transferred),
        Name::TrnData => Some(domain.transfer.is_some()),
        _ => None,
    }
}

/// Whether a nameserver has an element.
pub(crate) fn nameserver(host: &Nameserver, element: Name) -> Option<bool> {
    match element {
        Name::Roid => given(&host.roid),
        Name::Addr => Some(!host.v4.is_empty() || !host.v6.is_empty()),
        Name::ClId => given(&host.registrar),
        Name::CrRr => given(&host.creator.registrar),
        Name::CrDate => timed(host.created),
        Name::UpRr => given(&host.updater.registrar),
        Name::UpDate => timed(host.updated),
        Name::TrDate => timed(host.transferred),
        _ => None,
    }
}

/// Whether a contact has an element.
pub(crate) fn contact(contact: &Contact, element: Name) -> Option<bool> {
    match element {
        Name::Roid => given(&contact.roid),
        Name::PostalInfo => Some(!contact.postal.is_empty()),
        Name::Voice => called(&contact.voice),
        Name::Fax => called(&contact.fax),
        Name::Email => given(&contact.email),
        Name::ClId => given(&contact.registrar),
        Name::CrRr => given(&contact.creator.registrar),
        Name::CrDate => timed(contact.created),
        Name::UpRr => given(&contact.updater.registrar),
        Name::UpDate => timed(contact.updated),
        Name::TrDate => timed(contact.transferred),
        Name::TrnData => Some(contact.transfer.is_some()),
        Name::Disclose => Some(contact.disclose.is_some()),
        _ => None,
    }
}

/// Whether a registrar has an element.
pub(crate) fn registrar(registrar: &Registrar, element: Name) -> Option<bool> {
    match element {
        Name::NameElement => given(&registrar.name),
        Name::Gurid => Some(registrar.iana_id != 0),
        Name::Status => Some(registrar.status != RegistrarStatus::None),
        Name::PostalInfo => Some(!registrar.postal.is_empty()),
        Name::Voice => called(&registrar.voice),
        Name::Fax => called(&registrar.fax),
        Name::Email => given(&registrar.email),
        Name::Url => given(&registrar.url),
        Name::WhoisInfo => {
            Some(!registrar.whois_name.is_empty() || !registrar.whois_url.is_empty())
        }
        Name::CrDate => timed(registrar.created),
        Name::UpDate => timed(registrar.updated),
        _ => None,
    }
}

/// Whether an NNDN has an element.
pub(crate) fn nndn(nndn: &Nndn, element: Name) -> Option<bool> {
    match element {
        Name::UName => given(&nndn.u_name),
        Name::IdnTableId => given(&nndn.idn_table),
        Name::OriginalName => given(&nndn.original_name),
        Name::CrDate => timed(nndn.created),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Source;
    use crate::field::contact::BLOCK;

    #[test]
    fn a_policy_on_any_element_of_a_contact_that_is_shown_can_be_checked() {
        for row in BLOCK {
            let Source::Own(stored) = row.field.source else { panic!("{}", row.field.key) };
            let element = Name::of(stored.epp.split('/').next().unwrap());
            assert!(is_known(ObjectKind::Contact, element), "{}", row.field.key);
        }
    }
}

//! Records into objects: the reverse of [`crate::convert`], references as keys.
//!
//! # Invariants
//!
//! - An object that was converted comes back as it was, but for what the format does not keep: a
//!   nameserver that a domain named by its ROID comes back by its name, and of several contacts of
//!   a role the first one comes before those of other roles.
//!
//! # Does not
//!
//! Choose records: [`crate::delta::others`] does.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::delta::{Generation, Heap};
use crate::error::Corrupt;
use crate::layout::Kind;
use crate::object::{
    Actor, Contact, ContactLink, ContactRole, Disclose, DnsKey, Domain, Ds, HostLink, IdnTable,
    Nameserver, Nndn, NndnState, Phone, Postal, PostalKind, Registrar, SecDns, Time, Transfer,
};
use crate::packed::Packed;
use crate::record::{
    ArchivedAddress, ArchivedContact, ArchivedDomain, ArchivedDomainCold, ArchivedIdnTable,
    ArchivedNameserver, ArchivedNndn, ArchivedRegistrar, ArchivedTransfer, ContactField,
    DISCLOSE_ALLOW, DISCLOSE_NO_WISH, NONE, POSTAL_NONE,
};
use crate::status::{ContactStatuses, DomainStatuses, HostStatuses, RegistrarStatus};

const ROLES: [ContactRole; 4] =
    [ContactRole::Registrant, ContactRole::Admin, ContactRole::Tech, ContactRole::Billing];

/// A registrar.
pub(crate) fn registrar(record: &ArchivedRegistrar) -> Registrar {
    let phone = |number: &str, ext: &str| Phone { number: number.into(), ext: ext.into() };
    let status = [
        RegistrarStatus::None,
        RegistrarStatus::Ok,
        RegistrarStatus::ReadOnly,
        RegistrarStatus::Terminated,
    ];
    Registrar {
        id: record.id.as_str().into(),
        name: record.name.as_str().into(),
        iana_id: record.iana_id.to_native(),
        status: status.get(usize::from(record.status)).copied().unwrap_or_default(),
        postal: record.postal.iter().map(address).collect(),
        voice: phone(&record.voice, &record.voice_ext),
        fax: phone(&record.fax, &record.fax_ext),
        email: record.email.as_str().into(),
        url: record.url.as_str().into(),
        whois_name: record.whois_name.as_str().into(),
        whois_url: record.whois_url.as_str().into(),
        created: Time::from_ms(record.created_ms.to_native()),
        updated: Time::from_ms(record.updated_ms.to_native()),
    }
}

fn address(address: &ArchivedAddress) -> Postal {
    let [first, second, third] = &address.street;
    Postal {
        kind: postal_kind(address.kind),
        street: [first, second, third].map(|line| line.as_str().into()),
        city: address.city.as_str().into(),
        sp: address.sp.as_str().into(),
        pc: address.pc.as_str().into(),
        cc: address.cc.as_str().into(),
        ..Postal::default()
    }
}

const fn postal_kind(kind: u8) -> PostalKind {
    if kind == PostalKind::Loc as u8 { PostalKind::Loc } else { PostalKind::Int }
}

/// A reference to an IDN table.
pub(crate) fn idn_table(record: &ArchivedIdnTable) -> IdnTable {
    let ArchivedIdnTable { id, url, policy_url } = record;
    IdnTable {
        id: id.as_str().into(),
        url: url.as_str().into(),
        policy_url: policy_url.as_str().into(),
    }
}

fn postal(packed: Packed<'_>, kind: PostalKind) -> Postal {
    let text = |field| String::from_utf8_lossy(packed.bytes(field)).into_owned();
    Postal {
        kind,
        name: text(ContactField::Name),
        org: text(ContactField::Org),
        street: [ContactField::Street1, ContactField::Street2, ContactField::Street3].map(text),
        city: text(ContactField::City),
        sp: text(ContactField::Sp),
        pc: text(ContactField::Pc),
        cc: text(ContactField::Cc),
    }
}

/// Makes objects of a generation's records.
pub(crate) struct Reverter<'g, D, S>(pub(crate) &'g Generation<D, S>);

impl<D: AsRef<[u8]>, S: Heap> Reverter<'_, D, S> {
    /// The key of what a record refers to; empty for nothing.
    fn key(&self, kind: Kind, ordinal: u32) -> Result<String, Corrupt> {
        if ordinal == NONE {
            return Ok(String::new());
        }
        Ok(self.0.key_of(kind, ordinal)?.unwrap_or_default().to_owned())
    }

    fn actor(&self, registrar: u32, client: &str) -> Result<Actor, Corrupt> {
        Ok(Actor { registrar: self.key(Kind::Registrar, registrar)?, client: client.into() })
    }

    fn transfer(&self, transfer: &ArchivedTransfer) -> Result<Transfer, Corrupt> {
        Ok(Transfer {
            status: transfer.status.as_str().into(),
            requester: self.actor(transfer.requester.to_native(), &transfer.requester_client)?,
            requested: Time::from_ms(transfer.requested_ms.to_native()),
            actor: self.actor(transfer.actor.to_native(), &transfer.actor_client)?,
            acted: Time::from_ms(transfer.acted_ms.to_native()),
            expires: Time::from_ms(transfer.expires_ms.to_native()),
        })
    }

    /// A contact.
    pub(crate) fn contact(&self, record: &ArchivedContact) -> Result<Contact, Corrupt> {
        let text = |field| record.field(field).to_owned();
        let phone = |number, ext| Phone { number: text(number), ext: text(ext) };
        let cold = record.cold.as_ref();
        let mut addresses = Vec::new();
        let first = postal_kind(record.postal_kind);
        if record.postal_kind != POSTAL_NONE {
            addresses.push(postal(record.packed(), first));
        }
        if let Some(second) = record.second_postal() {
            let other = if first == PostalKind::Int { PostalKind::Loc } else { PostalKind::Int };
            addresses.push(postal(second, other));
        }
        let fields = record.disclose_fields.to_native();
        let transfer = cold.and_then(|cold| cold.transfer.as_ref());
        Ok(Contact {
            id: text(ContactField::Id),
            roid: text(ContactField::Roid),
            statuses: ContactStatuses { bits: record.statuses.to_native() },
            postal: addresses,
            voice: phone(ContactField::Voice, ContactField::VoiceExt),
            fax: phone(ContactField::Fax, ContactField::FaxExt),
            email: text(ContactField::Email),
            registrar: self.key(Kind::Registrar, record.registrar.to_native())?,
            creator: self
                .actor(record.creator.to_native(), cold.map_or("", |cold| &cold.creator_client))?,
            updater: self
                .actor(record.updater.to_native(), cold.map_or("", |cold| &cold.updater_client))?,
            created: Time::from_ms(record.created_ms.to_native()),
            updated: Time::from_ms(record.updated_ms.to_native()),
            transferred: cold
                .map_or(Time::NONE, |cold| Time::from_ms(cold.transferred_ms.to_native())),
            transfer: transfer.map(|transfer| self.transfer(transfer)).transpose()?,
            disclose: (record.disclose != DISCLOSE_NO_WISH)
                .then_some(Disclose { allow: record.disclose == DISCLOSE_ALLOW, fields }),
        })
    }

    /// A nameserver.
    pub(crate) fn nameserver(&self, record: &ArchivedNameserver) -> Result<Nameserver, Corrupt> {
        let cold = record.cold.as_ref();
        Ok(Nameserver {
            name: record.name.as_str().into(),
            roid: record.roid.as_str().into(),
            statuses: HostStatuses { bits: record.statuses.to_native() },
            v4: record.v4.to_vec(),
            v6: record.v6.to_vec(),
            registrar: self.key(Kind::Registrar, record.registrar.to_native())?,
            creator: self
                .actor(record.creator.to_native(), cold.map_or("", |cold| &cold.creator_client))?,
            updater: self
                .actor(record.updater.to_native(), cold.map_or("", |cold| &cold.updater_client))?,
            created: Time::from_ms(record.created_ms.to_native()),
            updated: Time::from_ms(record.updated_ms.to_native()),
            transferred: cold
                .map_or(Time::NONE, |cold| Time::from_ms(cold.transferred_ms.to_native())),
        })
    }

    /// A name that is not a domain name.
    pub(crate) fn nndn(&self, record: &ArchivedNndn) -> Result<Nndn, Corrupt> {
        const STATES: [NndnState; 3] =
            [NndnState::Blocked, NndnState::Withheld, NndnState::Mirrored];
        Ok(Nndn {
            name: record.name.as_str().into(),
            u_name: record.u_name.as_str().into(),
            idn_table: self.key(Kind::IdnTable, record.idn_table.to_native())?,
            original_name: record.original_name.as_str().into(),
            state: STATES.get(usize::from(record.state)).copied().unwrap_or(NndnState::Unknown),
            mirroring_ns: record.mirroring_ns,
            created: Time::from_ms(record.created_ms.to_native()),
        })
    }

    /// A domain.
    pub(crate) fn domain(&self, record: &ArchivedDomain) -> Result<Domain, Corrupt> {
        let mut contacts = Vec::new();
        let first = ROLES.into_iter().zip(record.contacts.iter());
        let mut links: Vec<_> = first.map(|(role, ordinal)| (role, ordinal.to_native())).collect();
        let cold = record.cold.as_ref();
        for link in cold.iter().flat_map(|cold| cold.contacts_more.iter()) {
            let role = ROLES.get(usize::from(link.0)).copied();
            links.extend(role.map(|role| (role, link.1.to_native())));
        }
        for (role, ordinal) in links {
            let id = self.key(Kind::Contact, ordinal)?;
            if !id.is_empty() {
                contacts.push(ContactLink { role, id });
            }
        }
        let mut nameservers = Vec::new();
        for ordinal in record.nameservers.iter() {
            let name = self.key(Kind::Nameserver, ordinal.to_native())?;
            if !name.is_empty() {
                nameservers.push(HostLink::Name(name));
            }
        }
        let mut domain = Domain {
            name: record.name.as_str().into(),
            roid: record.roid.as_str().into(),
            statuses: DomainStatuses { bits: record.statuses.to_native() },
            contacts,
            nameservers,
            registrar: self.key(Kind::Registrar, record.registrar.to_native())?,
            creator: self.actor(record.creator.to_native(), "")?,
            updater: self.actor(record.updater.to_native(), "")?,
            created: Time::from_ms(record.created_ms.to_native()),
            updated: Time::from_ms(record.updated_ms.to_native()),
            expires: Time::from_ms(record.expires_ms.to_native()),
            ..Domain::default()
        };
        if let Some(cold) = cold {
            self.rarer(cold, &mut domain)?;
        }
        Ok(domain)
    }

    fn rarer(&self, cold: &ArchivedDomainCold, domain: &mut Domain) -> Result<(), Corrupt> {
        domain.u_name = cold.u_name.as_str().into();
        domain.original_name = cold.original_name.as_str().into();
        domain.idn_table = self.key(Kind::IdnTable, cold.idn_table.to_native())?;
        domain.creator.client = cold.creator_client.as_str().into();
        domain.updater.client = cold.updater_client.as_str().into();
        domain.transferred = Time::from_ms(cold.transferred_ms.to_native());
        let transfer = cold.transfer.as_ref();
        domain.transfer = transfer.map(|transfer| self.transfer(transfer)).transpose()?;
        let extra = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        domain.extras = cold.extras.iter().map(|pair| extra(&pair.0, &pair.1)).collect();
        let ds = cold.ds.iter().map(|ds| Ds {
            key_tag: ds.key_tag.to_native(),
            algorithm: ds.algorithm,
            digest_type: ds.digest_type,
            digest: ds.digest.to_vec(),
        });
        let keys = cold.keys.iter().map(|key| DnsKey {
            flags: key.flags.to_native(),
            protocol: key.protocol,
            algorithm: key.algorithm,
            public_key: key.public_key.to_vec(),
        });
        let max_sig_life_s = cold.max_sig_life_s.to_native();
        let sec_dns = SecDns { max_sig_life_s, ds: ds.collect(), keys: keys.collect() };
        domain.sec_dns = (sec_dns != SecDns::default()).then_some(sec_dns);
        Ok(())
    }
}

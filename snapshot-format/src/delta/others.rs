//! Hands out what stays of a registry when some of its zones are replaced: the objects of the
//! others.
//!
//! A record does not say which deposit brought it. So an object that several zones may share goes
//! by what refers to it: contacts and nameservers stay if a domain that stays names them,
//! nameservers also below a zone that stays; registrars and IDN tables stay unless the names that
//! go are the only ones that referred to them.
//!
//! # Invariants
//!
//! - `whole`: the base's checksums are compared first: the new base gets new ones.
//! - Memory: three bits for each ordinal of a contact, nameserver, registrar or IDN table.
//!
//! # Does not
//!
//! Know zones: the caller says which names go.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;

use super::Heap;
use super::generation::Generation;
use crate::builder::Ordinals;
use crate::change::Object;
use crate::error::Corrupt;
use crate::key::{self, RegistrarKey};
use crate::layout::Kind;
use crate::record::{
    ArchivedContact, ArchivedDomain, ArchivedIdnTable, ArchivedNameserver, ArchivedNndn,
    ArchivedRegistrar, ArchivedTransfer, ContactField,
};
use crate::revert::{self, Reverter};

/// Which zone a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Of one that is replaced.
    Goes,
    /// Of one that stays.
    Stays,
    /// Of none: the name of a nameserver elsewhere.
    Outside,
}

/// What went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gone {
    /// Domains of the zones that are replaced.
    pub domains: u64,
    /// Domains that stay.
    pub kept_domains: u64,
}

/// Ordinals that something refers to, by kind.
#[derive(Default)]
struct Referred([Ordinals; 4]);

impl Referred {
    fn insert(&mut self, kind: Kind, ordinal: u32) {
        // `NONE` and what a damaged record says are beyond all ordinals that are asked for.
        if let Some(ordinals) = self.0.get_mut(kind as usize).filter(|_| ordinal < ORDINAL_END) {
            ordinals.insert(ordinal);
        }
    }

    fn has(&self, kind: Kind, ordinal: u32) -> bool {
        self.0.get(kind as usize).is_some_and(|ordinals| ordinals.has(ordinal))
    }

    fn transfer(&mut self, transfer: Option<&ArchivedTransfer>) {
        for ordinal in transfer.iter().flat_map(|found| [found.requester, found.actor]) {
            self.insert(Kind::Registrar, ordinal.to_native());
        }
    }

    fn domain(&mut self, domain: &ArchivedDomain) {
        for ordinal in [domain.registrar, domain.creator, domain.updater] {
            self.insert(Kind::Registrar, ordinal.to_native());
        }
        for ordinal in domain.contacts {
            self.insert(Kind::Contact, ordinal.to_native());
        }
        for ordinal in domain.nameservers.iter() {
            self.insert(Kind::Nameserver, ordinal.to_native());
        }
        let Some(cold) = domain.cold.as_ref() else { return };
        for link in cold.contacts_more.iter() {
            self.insert(Kind::Contact, link.1.to_native());
        }
        self.insert(Kind::IdnTable, cold.idn_table.to_native());
        self.transfer(cold.transfer.as_deref());
    }

    fn contact(&mut self, contact: &ArchivedContact) {
        for ordinal in [contact.registrar, contact.creator, contact.updater] {
            self.insert(Kind::Registrar, ordinal.to_native());
        }
        self.transfer(contact.cold.as_ref().and_then(|cold| cold.transfer.as_deref()));
    }

    fn nameserver(&mut self, host: &ArchivedNameserver) {
        for ordinal in [host.registrar, host.creator, host.updater] {
            self.insert(Kind::Registrar, ordinal.to_native());
        }
    }
}

/// Ordinals have 31 bits.
const ORDINAL_END: u32 = 1 << 31;

/// What names that stay refer to, themselves or by a contact or a nameserver of theirs.
#[derive(Default)]
pub struct Shared(Referred);

impl Shared {
    pub(super) fn has(&self, kind: Kind, ordinal: u32) -> bool {
        self.0.has(kind, ordinal)
    }
}

/// Looks through a generation for what names that stay refer to: one pass over all domains.
///
/// # Errors
///
/// A damaged record.
pub fn shared<D: AsRef<[u8]>, S: Heap>(
    generation: &Generation<D, S>,
    stays: &dyn Fn(&str) -> bool,
) -> Result<Shared, Corrupt> {
    let mut found = Referred::default();
    for domain in generation.domains("")? {
        if let Some(domain) = domain?.filter(|domain| stays(&domain.name)) {
            found.domain(domain);
        }
    }
    for nndn in generation.nndns() {
        let nndn: &ArchivedNndn = nndn?;
        if stays(&nndn.name) {
            found.insert(Kind::IdnTable, nndn.idn_table.to_native());
        }
    }
    for ordinal in 0..generation.ordinals_end(Kind::Contact) {
        let Some(contact) = generation.record::<ArchivedContact>(ordinal)? else { continue };
        if found.has(Kind::Contact, ordinal) {
            found.contact(contact);
        }
    }
    for ordinal in 0..generation.ordinals_end(Kind::Nameserver) {
        let Some(host) = generation.record::<ArchivedNameserver>(ordinal)? else { continue };
        if found.has(Kind::Nameserver, ordinal) || (stays(&host.name) && !host.is_attribute()) {
            found.insert(Kind::Nameserver, ordinal);
            found.nameserver(host);
        }
    }
    Ok(Shared(found))
}

/// Hands the objects that stay to `visit`, in no order that counts. `fate` says which zone a name
/// is of.
///
/// # Errors
///
/// A damaged block or record, or what `visit` reports.
pub fn others<D: AsRef<[u8]>, S: Heap>(
    generation: &Generation<D, S>,
    fate: &dyn Fn(&str) -> Fate,
    visit: &mut dyn FnMut(Object) -> io::Result<()>,
) -> io::Result<Gone> {
    generation.base.check_sums_once(&|| true).map_err(io::Error::other)?;
    let reverter = Reverter(generation);
    let (mut kept, mut dropped) = (Referred::default(), Referred::default());
    let mut gone = Gone::default();
    for domain in generation.domains("")? {
        let Some(domain) = domain? else { continue };
        if fate(&domain.name) == Fate::Goes {
            gone.domains = gone.domains.saturating_add(1);
            dropped.domain(domain);
            continue;
        }
        gone.kept_domains = gone.kept_domains.saturating_add(1);
        kept.domain(domain);
        visit(Object::Domain(reverter.domain(domain)?))?;
    }
    for nndn in generation.nndns() {
        let nndn: &ArchivedNndn = nndn?;
        if fate(&nndn.name) == Fate::Goes {
            dropped.insert(Kind::IdnTable, nndn.idn_table.to_native());
            continue;
        }
        kept.insert(Kind::IdnTable, nndn.idn_table.to_native());
        visit(Object::Nndn(reverter.nndn(nndn)?))?;
    }
    for ordinal in 0..generation.ordinals_end(Kind::Contact) {
        let Some(contact) = generation.record::<ArchivedContact>(ordinal)? else { continue };
        if kept.has(Kind::Contact, ordinal) {
            kept.contact(contact);
            visit(Object::Contact(reverter.contact(contact)?))?;
        } else {
            dropped.contact(contact);
        }
    }
    for ordinal in 0..generation.ordinals_end(Kind::Nameserver) {
        let Some(host) = generation.record::<ArchivedNameserver>(ordinal)? else { continue };
        let named = kept.has(Kind::Nameserver, ordinal);
        if host.is_named_only() {
            continue;
        }
        if named || (fate(&host.name) == Fate::Stays && !host.is_attribute()) {
            kept.nameserver(host);
            visit(Object::Nameserver(reverter.nameserver(host)?))?;
        } else {
            dropped.nameserver(host);
        }
    }
    let stays = |kind, ordinal| kept.has(kind, ordinal) || !dropped.has(kind, ordinal);
    for ordinal in 0..generation.ordinals_end(Kind::Registrar) {
        let record = generation.record::<ArchivedRegistrar>(ordinal)?;
        if let Some(record) = record.filter(|_| stays(Kind::Registrar, ordinal)) {
            visit(Object::Registrar(revert::registrar(record)))?;
        }
    }
    for ordinal in 0..generation.ordinals_end(Kind::IdnTable) {
        let record = generation.record::<ArchivedIdnTable>(ordinal)?;
        if let Some(record) = record.filter(|_| stays(Kind::IdnTable, ordinal)) {
            visit(Object::IdnTable(revert::idn_table(record)))?;
        }
    }
    Ok(gone)
}

impl<D: AsRef<[u8]>, S: Heap> Generation<D, S> {
    /// Whether the object with this key is among what was found; names are never shared.
    ///
    /// # Errors
    ///
    /// A damaged record.
    pub fn is_shared(&self, shared: &Shared, kind: Kind, key: &str) -> Result<bool, Corrupt> {
        let hash = match kind {
            Kind::Nndn | Kind::Domain => return Ok(false),
            Kind::Registrar => {
                key::hash_registrar(self.base.header().hash_seed, RegistrarKey::Id(key))
            }
            Kind::Contact => {
                let folded = key::fold_contact_id(key);
                folded.map_or(0, |folded| self.base.hash(folded.as_bytes()))
            }
            Kind::Nameserver | Kind::IdnTable => self.base.hash(key.as_bytes()),
        };
        for ordinal in self.ordinals(kind, hash) {
            if shared.0.has(kind, ordinal) && self.key_of(kind, ordinal)? == Some(key) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The key of an ordinal, also of one that has no record now.
    ///
    /// # Errors
    ///
    /// A damaged record.
    pub fn key_of(&self, kind: Kind, ordinal: u32) -> Result<Option<&str>, Corrupt> {
        let place = self.overlay.stable(kind).and_then(|stable| stable.place(ordinal));
        if let Some(place) = place {
            return Ok(self.entry_at(place).map(|entry| entry.key));
        }
        let base = &self.base;
        if ordinal >= base.count(kind) {
            return Ok(None);
        }
        Ok(match kind {
            Kind::Registrar => {
                base.record_or_none::<ArchivedRegistrar>(ordinal)?.map(|record| &*record.id)
            }
            Kind::IdnTable => {
                base.record_or_none::<ArchivedIdnTable>(ordinal)?.map(|record| &*record.id)
            }
            Kind::Contact => base
                .record_or_none::<ArchivedContact>(ordinal)?
                .map(|record| record.field(ContactField::Id)),
            Kind::Nameserver => {
                base.record_or_none::<ArchivedNameserver>(ordinal)?.map(|record| &*record.name)
            }
            Kind::Nndn | Kind::Domain => None,
        })
    }

    /// The names that are not domain names, in their order.
    pub fn nndns(&self) -> impl Iterator<Item = Result<&ArchivedNndn, Corrupt>> {
        super::fold::slots(self, Kind::Nndn, |record: &ArchivedNndn| &record.name).map(|slot| {
            let corrupt = Corrupt { kind: Kind::Nndn, ordinal: u32::MAX };
            crate::access::record(slot.map_err(|_| corrupt)?).ok_or(corrupt)
        })
    }
}

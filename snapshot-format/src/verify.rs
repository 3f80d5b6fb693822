//! The full check of a snapshot: checksums, every record, every rule of ours, every index.
//!
//! Opening a snapshot and [`Snapshot::check_sums`] trust the builder; this trusts nobody. About a
//! microsecond a record.
//!
//! # Does not
//!
//! Judge data: a domain without a status is the importer's affair.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::error::FormatError;
use crate::key::{self, RegistrarKey};
use crate::layout::{Kind, SectionId, word32};
use crate::reader::{Archived, Snapshot};
use crate::record::{
    ArchivedContact, ArchivedDomain, ArchivedIdnTable, ArchivedNameserver, ArchivedNndn,
    ArchivedRegistrar, ArchivedTransfer, ContactField, NONE,
};

/// Records between two calls of the progress function.
const PROGRESS_RECORDS: u32 = 1 << 16;

/// Checks everything. `progress` is called with (records checked, records in all) now and then.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn verify<D: AsRef<[u8]>>(
    snapshot: &Snapshot<D>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), FormatError> {
    snapshot.check_sums()?;
    snapshot.meta()?;
    let all = Kind::ALL.iter().map(|&kind| u64::from(snapshot.count(kind))).sum();
    let mut check = Check { snapshot, progress, done: 0, all };
    check.offsets()?;
    check.records(Check::registrar)?;
    check.records(Check::idn_table)?;
    check.records(Check::contact)?;
    check.records(Check::nameserver)?;
    check.records(Check::nndn)?;
    check.records(Check::domain)?;
    check.domain_order()?;
    check.nameserver_order()?;
    check.address_count()
}

struct Check<'a, D> {
    snapshot: &'a Snapshot<D>,
    progress: &'a mut dyn FnMut(u64, u64),
    done: u64,
    all: u64,
}

/// The rule that a record breaks, if any.
type Verdict = Result<Option<&'static str>, FormatError>;

fn section(id: SectionId, what: &'static str) -> FormatError {
    FormatError::Section { name: id.name(), what }
}

impl<'a, D: AsRef<[u8]>> Check<'a, D> {
    fn offsets(&self) -> Result<(), FormatError> {
        for kind in Kind::ALL {
            let id = SectionId::Offsets(kind);
            let (words, _) = self.snapshot.section(id).as_chunks::<4>();
            let ends = words.iter().map(|word| u32::from_le_bytes(*word));
            if !ends.is_sorted() || words.first() != Some(&1u32.to_le_bytes()) {
                return Err(section(id, "does not ascend from 1"));
            }
        }
        Ok(())
    }

    fn records<T: Archived>(
        &mut self,
        check: fn(&Self, &T, u32) -> Verdict,
    ) -> Result<(), FormatError> {
        let mut live = 0_u32;
        for ordinal in 0..self.snapshot.count(T::KIND) {
            if let Some(record) = self.snapshot.record_or_none::<T>(ordinal)? {
                live = live.saturating_add(1);
                if let Some(what) = check(self, record, ordinal)? {
                    return Err(FormatError::Invariant { kind: T::KIND, ordinal, what });
                }
            }
            if ordinal.is_multiple_of(PROGRESS_RECORDS) {
                let done = self.done.saturating_add(ordinal.into());
                (self.progress)(done, self.all);
            }
        }
        if live != self.snapshot.heap_count(T::KIND) {
            return Err(section(
                SectionId::Heap(T::KIND),
                "does not have as many records as it says",
            ));
        }
        self.done = self.done.saturating_add(self.snapshot.count(T::KIND).into());
        (self.progress)(self.done, self.all);
        Ok(())
    }

    /// Whether each of `ordinals` is that of a record of `kind`, or none.
    fn known(&self, kind: Kind, ordinals: &[u32]) -> bool {
        let count = self.snapshot.count(kind);
        ordinals.iter().all(|&ordinal| ordinal == NONE || ordinal < count)
    }

    fn found_by_roid(&self, kind: Kind, ordinal: u32, roid: &str) -> bool {
        // An index holds at most 16 records of one ROID: then others stand for this one.
        let mut same = self.snapshot.find_roid(roid);
        roid.is_empty()
            || same.clone().any(|found| found == (kind, ordinal))
            || same.nth(15).is_some()
    }

    fn transfer(&self, transfer: Option<&ArchivedTransfer>) -> bool {
        transfer.is_none_or(|transfer| {
            let ordinals = [transfer.requester.to_native(), transfer.actor.to_native()];
            self.known(Kind::Registrar, &ordinals)
        })
    }

    fn registrar(&self, registrar: &ArchivedRegistrar, _: u32) -> Verdict {
        let folded = key::fold_registrar_name(&registrar.name);
        let name = folded.as_ref().map(|folded| RegistrarKey::FoldedName(folded.as_bytes()));
        let iana_id = registrar.iana_id.to_native();
        let iana = (iana_id != 0).then_some(RegistrarKey::IanaId(iana_id));
        for key in [Some(RegistrarKey::Id(&registrar.id)), name, iana].into_iter().flatten() {
            let mut found = self.snapshot.find_registrars(key);
            if !found.any(|found| found.is_ok_and(|found| found.id == registrar.id)) {
                return Ok(Some("its identifier, name or IANA identifier does not find it"));
            }
        }
        Ok(None)
    }

    fn idn_table(&self, table: &ArchivedIdnTable, _: u32) -> Verdict {
        let found = self.snapshot.find_idn_table(&table.id)?;
        let same = found.is_some_and(|found| std::ptr::eq(found, table));
        Ok((!same).then_some("its identifier does not find it"))
    }

    fn contact(&self, contact: &ArchivedContact, ordinal: u32) -> Verdict {
        let (ends, text) = (&contact.ends, contact.text.as_str());
        if !ends_are_whole(ends.iter().map(|end| end.to_native()), text) {
            return Ok(Some("its packed fields contradict their ends"));
        }
        if let Some(cold) = contact.cold.as_ref() {
            let ends = cold.postal_ends.iter().map(|end| end.to_native());
            if !ends_are_whole(ends, &cold.postal_text) {
                return Ok(Some("its second address contradicts its ends"));
            }
            if !self.transfer(cold.transfer.as_ref().map(AsRef::as_ref)) {
                return Ok(Some("its transfer refers to a registrar that does not exist"));
            }
        }
        let registrars = [&contact.registrar, &contact.creator, &contact.updater];
        if !self.known(Kind::Registrar, &registrars.map(|ordinal| ordinal.to_native())) {
            return Ok(Some("it refers to a registrar that does not exist"));
        }
        let id = contact.field(ContactField::Id);
        let mut found = self.snapshot.find_contacts(id);
        if !found.any(|found| found.is_ok_and(|found| std::ptr::eq(found, contact))) {
            return Ok(Some("its identifier does not find it"));
        }
        let roid = contact.field(ContactField::Roid);
        let found = self.found_by_roid(Kind::Contact, ordinal, roid);
        Ok((!found).then_some("its ROID does not find it"))
    }

    fn nameserver(&self, nameserver: &ArchivedNameserver, ordinal: u32) -> Verdict {
        let registrars = [&nameserver.registrar, &nameserver.creator, &nameserver.updater];
        if !self.known(Kind::Registrar, &registrars.map(|ordinal| ordinal.to_native())) {
            return Ok(Some("it refers to a registrar that does not exist"));
        }
        let found = self.snapshot.find_host(&nameserver.name)?;
        if !found.is_some_and(|found| std::ptr::eq(found, nameserver)) {
            return Ok(Some("its name does not find it"));
        }
        let v4 = nameserver.v4.iter().map(|&octets| octets.into());
        let v6 = nameserver.v6.iter().map(|&octets| octets.into());
        for address in v4.chain(v6) {
            if !self.snapshot.nameservers_by_address(address).any(|found| found == ordinal) {
                return Ok(Some("its address does not find it"));
            }
        }
        let found = self.found_by_roid(Kind::Nameserver, ordinal, &nameserver.roid);
        Ok((!found).then_some("its ROID does not find it"))
    }

    fn nndn(&self, nndn: &ArchivedNndn, ordinal: u32) -> Verdict {
        let found = self.snapshot.find_nndn(&nndn.name)?;
        if !found.is_some_and(|found| std::ptr::eq(found, nndn)) {
            return Ok(Some("its name does not find it"));
        }
        if !self.known(Kind::IdnTable, &[nndn.idn_table.to_native()]) {
            return Ok(Some("it refers to an IDN table that does not exist"));
        }
        self.variant(&nndn.original_name, (Kind::Nndn, ordinal))
    }

    fn domain(&self, domain: &ArchivedDomain, ordinal: u32) -> Verdict {
        let found = self.snapshot.find_domain(&domain.name)?;
        if !found.is_some_and(|found| std::ptr::eq(found, domain)) {
            return Ok(Some("its name does not find it"));
        }
        let registrars = [&domain.registrar, &domain.creator, &domain.updater];
        if !self.known(Kind::Registrar, &registrars.map(|ordinal| ordinal.to_native())) {
            return Ok(Some("it refers to a registrar that does not exist"));
        }
        let contacts = domain.contacts.map(|ordinal| ordinal.to_native());
        let nameservers = domain.nameservers.iter().map(|ordinal| ordinal.to_native());
        let known_hosts =
            nameservers.into_iter().all(|host| host < self.snapshot.count(Kind::Nameserver));
        if !self.known(Kind::Contact, &contacts) || !known_hosts {
            return Ok(Some("it refers to a contact or nameserver that does not exist"));
        }
        if !self.found_by_roid(Kind::Domain, ordinal, &domain.roid) {
            return Ok(Some("its ROID does not find it"));
        }
        let Some(cold) = domain.cold.as_ref() else { return Ok(None) };
        let contacts = cold.contacts_more.iter().map(|link| link.1.to_native());
        if contacts.into_iter().any(|contact| contact >= self.snapshot.count(Kind::Contact))
            || !self.known(Kind::IdnTable, &[cold.idn_table.to_native()])
            || !self.transfer(cold.transfer.as_ref().map(AsRef::as_ref))
        {
            return Ok(Some("its rarer parts refer to something that does not exist"));
        }
        self.variant(&cold.original_name, (Kind::Domain, ordinal))
    }

    /// A variant is listed with its primary, if that exists.
    fn variant(&self, primary: &str, variant: (Kind, u32)) -> Verdict {
        if primary.is_empty() || self.snapshot.find_domain(primary)?.is_none() {
            return Ok(None);
        }
        let listed = self.snapshot.variants(primary)?.any(|listed| listed == variant);
        Ok((!listed).then_some("it is not listed among the variants of its primary"))
    }

    fn domain_order(&self) -> Result<(), FormatError> {
        let mut last = "";
        for ordinal in 0..self.snapshot.count(Kind::Domain) {
            let name = self.snapshot.record::<ArchivedDomain>(ordinal)?.name.as_str();
            if name <= last {
                let what = "its name does not follow that of the domain before it";
                return Err(FormatError::Invariant { kind: Kind::Domain, ordinal, what });
            }
            last = name;
        }
        Ok(())
    }

    fn nameserver_order(&self) -> Result<(), FormatError> {
        let id = SectionId::NameserverOrder;
        let slots = self.snapshot.count(Kind::Nameserver);
        let count = self.snapshot.live_count(Kind::Nameserver);
        let order = self.snapshot.section(id);
        if order.len() != (count as usize).saturating_mul(4) {
            return Err(section(id, "has a wrong length"));
        }
        let has = |ordinal: &u32| self.snapshot.has(Kind::Nameserver, *ordinal);
        if u32::try_from((0..slots).filter(has).count()) != Ok(count) {
            return Err(section(id, "does not have as many nameservers as there are"));
        }
        // Names that strictly ascend are different, so the order names every nameserver once.
        let mut last = "";
        for position in 0..count {
            if word32(order, (position as usize).saturating_mul(4)) >= slots {
                return Err(section(id, "names a nameserver that does not exist"));
            }
            let host = self.snapshot.nameserver_at(position)?.1;
            if host.is_named_only() {
                return Err(section(id, "has a nameserver of which only the name is known"));
            }
            let name = host.name.as_str();
            if name <= last {
                return Err(section(id, "is not in order of names"));
            }
            last = name;
        }
        Ok(())
    }

    /// Every entry of the address index is a nameserver's: as many entries as addresses, each of
    /// which was found above.
    fn address_count(&self) -> Result<(), FormatError> {
        let id = SectionId::Addresses;
        let (entries, rest) = self.snapshot.section(id).as_chunks::<20>();
        if !entries.is_sorted() || !rest.is_empty() {
            return Err(section(id, "is not in order"));
        }
        for entry in entries {
            let (address, ordinal) = entry.split_at(16);
            let ordinal = ordinal.first_chunk().map_or(NONE, |bytes| u32::from_be_bytes(*bytes));
            let nameserver = self.snapshot.record::<ArchivedNameserver>(ordinal)?;
            let v4 = nameserver.v4.iter().map(|&octets| octets.into());
            let v6 = nameserver.v6.iter().map(|&octets| octets.into());
            if !v4.chain(v6).any(|own| key::address_bytes(own) == *address) {
                return Err(section(id, "has an address that its nameserver does not have"));
            }
        }
        Ok(())
    }
}

/// Whether ends ascend to the end of `text`, each between two characters.
fn ends_are_whole(ends: impl Iterator<Item = u16>, text: &str) -> bool {
    let mut last = 0;
    for end in ends.map(usize::from) {
        if end < last || !text.is_char_boundary(end) {
            return false;
        }
        last = end;
    }
    last == text.len()
}

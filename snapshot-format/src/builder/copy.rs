//! Records of another snapshot, copied as they lie: how a generation becomes a base.
//!
//! # Invariants
//!
//! - Kinds whose ordinals stay come in the order of these, one call for each: what has no record
//!   leaves an empty slot. References in records stay true, so that nothing is resolved.
//!
//! # Does not
//!
//! Check records: the caller has read them.

use std::io::{Seek, Write};
use std::rc::Rc;

use super::{Builder, LENGTH_BITS, heap_units};
use crate::delta::addresses_of;
use crate::error::BuildError;
use crate::layout::Kind;
use crate::limits::RECORD_UNIT_BYTES;
use crate::record::{
    ArchivedContact, ArchivedDomain, ArchivedIdnTable, ArchivedNameserver, ArchivedNndn,
    ArchivedRegistrar, ContactField,
};
use crate::sort::Sorter;

impl<W: Write + Seek> Builder<W> {
    /// Leaves the next ordinal of `kind` without a record.
    pub(crate) fn copy_nothing(&mut self, kind: Kind) -> Result<(), BuildError> {
        self.advance_to(kind)?;
        let offset = heap_units(&self.out, self.open.heap_start)?;
        self.empty_counts[kind as usize] += 1;
        if kind == Kind::Nameserver {
            self.host_order();
        }
        self.add_slot(kind, offset)
    }

    /// Sorts the names of nameservers, which lie in order of their ordinals.
    fn host_order(&mut self) -> &mut Sorter {
        let (scratch, memory_bytes) = (&self.scratch, self.options.memory_bytes / 8);
        self.host_order.get_or_insert_with(|| Sorter::new(Rc::clone(scratch), memory_bytes))
    }

    /// Copies a slot into the open heap: its ordinal, and its place as the domain index has it.
    fn copy_slot(&mut self, kind: Kind, slot: &[u8]) -> Result<(u32, u64), BuildError> {
        let ordinal = self.counts[kind as usize];
        let offset = heap_units(&self.out, self.open.heap_start)?;
        self.out.write(slot)?;
        self.add_slot(kind, offset)?;
        let units = (slot.len() / RECORD_UNIT_BYTES) as u64;
        Ok((ordinal, u64::from(offset) << LENGTH_BITS | units))
    }

    pub(crate) fn copy_registrar(
        &mut self,
        slot: &[u8],
        record: &ArchivedRegistrar,
    ) -> Result<(), BuildError> {
        self.advance_to(Kind::Registrar)?;
        let (ordinal, _) = self.copy_slot(Kind::Registrar, slot)?;
        self.registrar_keys(&record.id, &record.name, record.iana_id.to_native(), ordinal)
    }

    pub(crate) fn copy_idn_table(
        &mut self,
        slot: &[u8],
        record: &ArchivedIdnTable,
    ) -> Result<(), BuildError> {
        self.advance_to(Kind::IdnTable)?;
        let (ordinal, _) = self.copy_slot(Kind::IdnTable, slot)?;
        self.add_key(self.hash(record.id.as_bytes()), super::ordinal_value(ordinal))
    }

    pub(crate) fn copy_contact(
        &mut self,
        slot: &[u8],
        record: &ArchivedContact,
    ) -> Result<(), BuildError> {
        self.advance_to(Kind::Contact)?;
        let (ordinal, _) = self.copy_slot(Kind::Contact, slot)?;
        let [id, roid] = [ContactField::Id, ContactField::Roid].map(|field| record.field(field));
        self.contact_keys(id, roid, ordinal)
    }

    pub(crate) fn copy_nameserver(
        &mut self,
        slot: &[u8],
        record: &ArchivedNameserver,
    ) -> Result<(), BuildError> {
        self.advance_to(Kind::Nameserver)?;
        let (ordinal, _) = self.copy_slot(Kind::Nameserver, slot)?;
        if record.is_named_only() {
            self.host_order();
            self.resolver.named.insert(ordinal);
            return self.add_key(self.hash(record.name.as_bytes()), super::ordinal_value(ordinal));
        }
        self.host_order().push(record.name.as_bytes(), &ordinal.to_le_bytes())?;
        self.nameserver_keys(&record.name, &record.roid, addresses_of(record), ordinal)
    }

    /// Writes a nameserver of which nothing but the name is known.
    pub(crate) fn copy_named(&mut self, name: &str) -> Result<(), BuildError> {
        self.advance_to(Kind::Nameserver)?;
        self.host_order();
        self.named_host(name)
    }

    pub(crate) fn copy_nndn(
        &mut self,
        slot: &[u8],
        record: &ArchivedNndn,
    ) -> Result<(), BuildError> {
        self.place(Kind::Nndn, &record.name, record.name.as_bytes())?;
        let (ordinal, _) = self.copy_slot(Kind::Nndn, slot)?;
        self.nndn_keys(&record.name, &record.original_name, ordinal)
    }

    pub(crate) fn copy_domain(
        &mut self,
        slot: &[u8],
        record: &ArchivedDomain,
    ) -> Result<(), BuildError> {
        self.place(Kind::Domain, &record.name, record.name.as_bytes())?;
        let (ordinal, value) = self.copy_slot(Kind::Domain, slot)?;
        let original = record.cold.as_ref().map_or("", |cold| cold.original_name.as_str());
        self.domain_keys([&record.name, &record.roid, original], ordinal, value)
    }
}

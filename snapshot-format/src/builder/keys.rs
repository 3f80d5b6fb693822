//! Under which keys a record is found: what each kind puts into the indexes.
//!
//! # Does not
//!
//! Write records.

use std::io::{Seek, Write};
use std::net::IpAddr;

use super::{Builder, NNDN_BIT, ordinal_value};
use crate::error::BuildError;
use crate::index;
use crate::key::{self, RegistrarKey};
use crate::layout::Kind;
use crate::limits::KEY_BYTES_MAX;

impl<W: Write + Seek> Builder<W> {
    pub(super) fn registrar_keys(
        &mut self,
        id: &str,
        name: &str,
        iana_id: u32,
        ordinal: u32,
    ) -> Result<(), BuildError> {
        let seed = self.options.hash_seed;
        let value = ordinal_value(ordinal);
        let folded = key::fold_registrar_name(name);
        let name = folded.as_ref().map(|folded| RegistrarKey::FoldedName(folded.as_bytes()));
        let iana = (iana_id != 0).then_some(RegistrarKey::IanaId(iana_id));
        for key in [Some(RegistrarKey::Id(id)), name, iana].into_iter().flatten() {
            self.add_key(key::hash_registrar(seed, key), value)?;
        }
        Ok(())
    }

    pub(super) fn contact_keys(
        &mut self,
        id: &str,
        roid: &str,
        ordinal: u32,
    ) -> Result<(), BuildError> {
        if let Some(folded) = key::fold_contact_id(id) {
            self.add_key(self.hash(folded.as_bytes()), ordinal_value(ordinal))?;
        }
        self.add_roid(roid, Kind::Contact, ordinal)
    }

    pub(super) fn nameserver_keys(
        &mut self,
        name: &str,
        roid: &str,
        addresses: impl Iterator<Item = IpAddr>,
        ordinal: u32,
    ) -> Result<(), BuildError> {
        self.add_key(self.hash(name.as_bytes()), ordinal_value(ordinal))?;
        self.add_roid(roid, Kind::Nameserver, ordinal)?;
        for address in addresses {
            let mut entry = [0; 20];
            entry[..16].copy_from_slice(&key::address_bytes(address));
            entry[16..].copy_from_slice(&ordinal.to_be_bytes());
            self.addresses.push(&entry, &[])?;
        }
        Ok(())
    }

    pub(super) fn nndn_keys(
        &mut self,
        name: &str,
        original: &str,
        ordinal: u32,
    ) -> Result<(), BuildError> {
        self.add_key(self.hash(name.as_bytes()), ordinal_value(ordinal))?;
        self.add_variant(original, name, NNDN_BIT | ordinal)
    }

    /// `value` is the record's place as the index of domains has it.
    pub(super) fn domain_keys(
        &mut self,
        [name, roid, original]: [&str; 3],
        ordinal: u32,
        value: u64,
    ) -> Result<(), BuildError> {
        self.add_key(self.hash(name.as_bytes()), value)?;
        self.add_roid(roid, Kind::Domain, ordinal)?;
        self.add_variant(original, name, ordinal)
    }

    pub(super) fn add_key(&mut self, hash: u64, value: u64) -> Result<(), BuildError> {
        debug_assert!(value <= index::VALUE_MAX, "a value has 44 bits");
        self.open.keys.push(u128::from(hash) << 64 | u128::from(value))?;
        Ok(())
    }

    pub(super) fn add_roid(
        &mut self,
        roid: &str,
        kind: Kind,
        ordinal: u32,
    ) -> Result<(), BuildError> {
        let Some(folded) = key::fold_contact_id(roid).filter(|_| !roid.is_empty()) else {
            return Ok(());
        };
        let value = ordinal_value(ordinal) | kind as u64;
        let hash = self.hash(folded.as_bytes());
        self.roids.push(u128::from(hash) << 64 | u128::from(value))?;
        Ok(())
    }

    pub(super) fn add_variant(
        &mut self,
        original: &str,
        name: &str,
        packed: u32,
    ) -> Result<(), BuildError> {
        if original.is_empty() {
            return Ok(());
        }
        // Sorted by hash, then by primary, then by name: a list per primary, in order of names.
        let mut order = self.hash(original.as_bytes()).to_be_bytes().to_vec();
        order.extend_from_slice(original.as_bytes());
        order.push(0);
        order.extend_from_slice(name.as_bytes());
        if order.len() > KEY_BYTES_MAX {
            return Ok(());
        }
        self.variants.push(&order, &packed.to_le_bytes())?;
        self.variant_count += 1;
        Ok(())
    }
}

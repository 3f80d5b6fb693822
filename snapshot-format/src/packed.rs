//! Fields of records that hold several texts in one, and keys of records.
//!
//! # Invariants
//!
//! - Ends that contradict the text give empty fields: bytecheck does not know them, and a damaged
//!   file is not a reason to panic.
//!
//! # Does not
//!
//! Find records.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use rkyv::rend::unaligned::u16_ule;

use crate::key::{self, RegistrarKey};
use crate::record::{ArchivedContact, ArchivedRegistrar, CONTACT_FIELDS, ContactField};

/// Texts that lie one after another, with the places of each: a contact's fields, or those of its
/// second address.
#[derive(Debug, Clone, Copy)]
pub struct Packed<'a> {
    text: &'a [u8],
    /// Where each field starts, and the last one ends.
    starts: [u16; CONTACT_FIELDS + 1],
    /// The field that comes first.
    first: usize,
}

impl<'a> Packed<'a> {
    #[inline]
    fn new<const N: usize>(text: &'a str, ends: &[u16_ule; N], first: ContactField) -> Self {
        let mut starts = [0; CONTACT_FIELDS + 1];
        for (start, end) in starts.iter_mut().skip(1).zip(ends) {
            *start = end.to_native();
        }
        Self { text: text.as_bytes(), starts, first: first as usize }
    }

    /// Whether each field is UTF-8 by itself.
    #[must_use]
    pub fn has_whole_characters(&self) -> bool {
        let text = std::str::from_utf8(self.text).unwrap_or_default();
        self.starts.iter().all(|&at| text.is_char_boundary(usize::from(at)))
    }

    /// All fields together.
    #[must_use]
    pub const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The bytes of a field; none if it is absent, or if the ends contradict the text.
    #[must_use]
    #[inline]
    pub fn bytes(&self, field: ContactField) -> &'a [u8] {
        let (rest, length) = self.from(field);
        rest.get(..length).unwrap_or_default()
    }

    /// All bytes from a field on, and how many of them are the field's: a writer may copy more
    /// than it keeps.
    #[must_use]
    #[inline]
    pub fn from(&self, field: ContactField) -> (&'a [u8], usize) {
        self.at((field as usize).wrapping_sub(self.first))
    }

    /// As [`Self::from`] of a contact's fields, not those of its second address: for less.
    #[must_use]
    #[inline(always)]
    pub fn from_whole(&self, field: ContactField) -> (&'a [u8], usize) {
        self.at(field as usize)
    }

    #[inline(always)]
    fn at(&self, index: usize) -> (&'a [u8], usize) {
        let start = usize::from(self.starts.get(index).copied().unwrap_or(0));
        let end = usize::from(self.starts.get(index.wrapping_add(1)).copied().unwrap_or(0));
        if start >= end || end > self.text.len() {
            return (&[], 0);
        }
        (self.text.get(start..).unwrap_or_default(), end.wrapping_sub(start))
    }
}

impl ArchivedContact {
    /// All packed fields.
    #[must_use]
    #[inline]
    pub fn packed(&self) -> Packed<'_> {
        Packed::new(&self.text, &self.ends, ContactField::Id)
    }

    /// Fields from [`ContactField::Name`] to [`ContactField::Cc`] of the second address, if there
    /// is one.
    #[must_use]
    pub fn second_postal(&self) -> Option<Packed<'_>> {
        let cold = self.cold.as_ref().filter(|cold| !cold.postal_text.is_empty())?;
        Some(Packed::new(&cold.postal_text, &cold.postal_ends, ContactField::Name))
    }

    /// A packed field as text; empty if it is absent, or if the ends contradict the text.
    #[must_use]
    pub fn field(&self, field: ContactField) -> &str {
        std::str::from_utf8(self.packed().bytes(field)).unwrap_or_default()
    }
}

impl ArchivedRegistrar {
    /// Whether this registrar has this key.
    #[must_use]
    pub fn has_key(&self, key: RegistrarKey<'_>) -> bool {
        match key {
            RegistrarKey::Id(id) => self.id.as_str() == id,
            RegistrarKey::IanaId(id) => self.iana_id == id,
            RegistrarKey::FoldedName(name) => {
                key::fold_registrar_name(&self.name).is_some_and(|folded| folded.as_bytes() == name)
            }
        }
    }
}

//! A contact's values, whoever is to show them: which address, and what the contact asked for.
//!
//! # Does not
//!
//! Decide what may be shown: the rule does. Write anything.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::object::PostalKind;
use snapshot_format::packed::Packed;
use snapshot_format::record::{ArchivedContact, ContactField, DISCLOSE_ALLOW, DISCLOSE_DENY};

use crate::field::contact::{BLOCK, FIELD_COUNT, Row, ShownField};
use crate::policy::{TierRule, Wish};

/// How a shown field is taken from the record: what a renderer needs of a row of [`BLOCK`], which
/// is forty times as wide.
pub(super) struct Source {
    pub(super) field: ShownField,
    pub(super) from: ContactField,
    /// Whether it belongs to the address.
    pub(super) postal: bool,
    /// Whether it is there without a value.
    pub(super) required: bool,
    /// The field in a wish on disclosure: of the internationalised and of the localised form.
    wish_int: u16,
    wish_loc: u16,
}

const _: () = assert!(size_of::<Source>() == 8, "one row a load");

/// By [`ShownField`].
#[expect(clippy::indexing_slicing, reason = "at compile time, below one bound for both")]
pub(super) const SOURCES: [Source; FIELD_COUNT] = {
    const fn source(row: &Row) -> Source {
        let Row { shown, stored, required, wish_int, wish_loc, .. } = *row;
        Source { field: shown, from: stored, postal: row.is_postal(), required, wish_int, wish_loc }
    }
    let mut sources = [const { source(&BLOCK[0]) }; FIELD_COUNT];
    let mut index = 1;
    while index < FIELD_COUNT {
        sources[index] = source(&BLOCK[index]);
        index += 1;
    }
    sources
};

/// A contact with the address that the rule prefers.
pub(super) struct ContactView<'a> {
    pub(super) record: &'a ArchivedContact,
    pub(super) fields: Packed<'a>,
    /// The address: among `fields`, or the second one.
    pub(super) postal: Packed<'a>,
    /// Whether the address is the second one.
    pub(super) is_second: bool,
    localised: bool,
}

impl<'a> ContactView<'a> {
    #[inline]
    pub(super) fn of(rule: TierRule<'_>, record: &'a ArchivedContact) -> Self {
        Self::of_form(rule.prefer_localised, record)
    }

    /// As under a rule that prefers the localised form, or one that does not.
    #[inline]
    pub(super) fn of_form(prefer_localised: bool, record: &'a ArchivedContact) -> Self {
        let fields = record.packed();
        let second = if prefer_localised { record.second_postal() } else { None };
        let localised = second.is_some() || record.postal_kind == PostalKind::Loc as u8;
        let (is_second, postal) = (second.is_some(), second.unwrap_or(fields));
        Self { record, fields, postal, is_second, localised }
    }

    /// What the contact has asked for about a field.
    #[inline]
    pub(super) fn wish(&self, source: &Source) -> Wish {
        let named = if self.localised { source.wish_loc } else { source.wish_int };
        if self.record.disclose_fields.to_native() & named == 0 {
            return Wish::None;
        }
        match self.record.disclose {
            DISCLOSE_DENY => Wish::Hide,
            DISCLOSE_ALLOW => Wish::Show,
            _ => Wish::None,
        }
    }

    /// A field's value: the first bytes, so many, of a text; of a street its first line. The
    /// identifier is that within the registry, and the client's where there is no other.
    #[inline]
    pub(super) fn value(&self, source: &Source) -> (&'a [u8], usize) {
        let packed = if source.postal { &self.postal } else { &self.fields };
        let value = packed.from(source.from);
        if value.1 == 0 && source.field == ShownField::Id {
            return self.fields.from(ContactField::Id);
        }
        value
    }
}

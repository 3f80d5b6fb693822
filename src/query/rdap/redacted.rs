//! Which fields an answer hides, and the `redacted` member that says so (RFC 9537).
//!
//! # Invariants
//!
//! - `no tell-tale`: an entry is there whether the record has a value or not, so that an answer
//!   does not differ by what the caller may not see.
//!
//! # Does not
//!
//! Decide what is hidden: the mask does.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::document::{Document, List};
use super::prepared::{Redacted, parts};
use crate::field::contact::{FIELD_COUNT, ROLE_COUNT, ShownField};

const _: () = assert!(FIELD_COUNT <= 16, "a bit a field");

/// The hidden fields of an object, a bit each, by role.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    fields: [u16; ROLE_COUNT],
    /// Whether the address as a whole is not there, a bit each role.
    without_address: u16,
}

impl Hidden {
    /// Notes what a contact of a role hides: a bit for each field, in their order; and whether its
    /// address is left out.
    #[inline]
    pub(super) fn note(&mut self, role: usize, fields: u16, without_address: bool) {
        if let Some(place) = self.fields.get_mut(role) {
            *place |= fields;
            self.without_address |= u16::from(without_address) << role;
        }
    }

    /// Whether anything is hidden.
    pub(super) fn any(&self) -> bool {
        self.fields.iter().any(|fields| *fields != 0)
    }

    /// Writes the member, if anything is hidden; `object` is the path of the object in the answer,
    /// after `$`.
    pub(super) fn write(&self, object: &[u8], out: &mut Document) {
        let parts = parts();
        let mut list = List::new(b",\"redacted\":[");
        for (role, &fields) in self.fields.iter().enumerate() {
            let left_out = if self.without_address >> role & 1 == 1 { ADDRESS } else { 0 };
            let mut bits = fields;
            while bits != 0 {
                let field = bits.trailing_zeros() as usize;
                // The lowest bit is done.
                bits &= bits.wrapping_sub(1);
                let of = if is_part_of_shown(field, fields) {
                    &parts.extensions
                } else if left_out >> field & 1 == 1 {
                    &parts.addresses
                } else {
                    &parts.redacted
                };
                let Some(entry) = of.get(role).and_then(|of| of.get(field)) else { continue };
                write_entry(entry, object, &mut list, out);
            }
        }
        out.end(&list);
    }
}

fn write_entry(entry: &Redacted, object: &[u8], list: &mut List, out: &mut Document) {
    let written = out.element(list, |out| {
        out.raw(entry.head.as_bytes());
        // The usual answer is an object by itself.
        if !object.is_empty() {
            out.raw(object);
        }
        out.raw(entry.rest.as_bytes());
        Ok(())
    });
    debug_assert!(written.is_ok(), "an entry has no record to be damaged");
}

/// Whether a hidden field is the extension of a number that is shown: both are one value.
fn is_part_of_shown(field: usize, hidden: u16) -> bool {
    let number = match field {
        _ if field == ShownField::PhoneExt as usize => ShownField::Phone,
        _ if field == ShownField::FaxExt as usize => ShownField::Fax,
        _ => return false,
    };
    hidden & bit(number) == 0
}

/// The fields of an address.
pub(super) const ADDRESS: u16 = bit(ShownField::Street)
    | bit(ShownField::City)
    | bit(ShownField::Sp)
    | bit(ShownField::Pc)
    | bit(ShownField::Cc);

/// The bit of a field.
#[inline]
pub(super) const fn bit(field: ShownField) -> u16 {
    1 << field as u16
}

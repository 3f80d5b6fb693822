//! Records into lines. Keys and their order are those of ICANN's consistent labelling and display
//! policy, as its testing tool checks them.
//!
//! # Invariants
//!
//! - A field without a value is left out where the grammar allows that, and keeps its key where
//!   the grammar wants it, or where the rule prints empty fields: one style in one answer.
//!
//! # Does not
//!
//! Write what stands around a record: `frame` does.

/// A label of fixed size, made when it is compiled.
macro_rules! label {
    ($text:literal) => {
        const {
            assert!($text.len() < crate::policy::LABEL_BYTES, "too long for a label");
            crate::policy::Label::new($text)
        }
    };
}

mod contact;
mod domain;
mod nameserver;
mod registrar;

pub(super) use contact::contact;
#[cfg(test)]
pub(super) use domain::RESERVED_NOTE;
pub(super) use domain::{domain, reserved};
pub(super) use nameserver::nameserver;
pub(super) use registrar::registrar;

use super::answer::Answer;
use super::frame::Site;
use crate::policy::{Label, TierRule};
use crate::query::sponsor::RegistrarView;

/// A line that is left out without a value, unless the rule prints empty fields.
#[inline]
fn optional(rule: TierRule<'_>, label: &Label, value: &str, out: &mut Answer) {
    if !value.is_empty() || rule.mask.print_empty {
        out.line(label, value);
    }
}

/// The line of a registrar's IANA identifier.
fn iana_id_line(registrar: &RegistrarView<'_>, out: &mut Answer) {
    match registrar.iana_id {
        0 => out.line(&label!("Registrar IANA ID: "), ""),
        id => out.number(&label!("Registrar IANA ID: "), u64::from(id)),
    }
}

/// The registrar that another record refers to.
#[inline]
fn registrar_of<'a>(site: &Site<'a>, ordinal: u32) -> RegistrarView<'a> {
    RegistrarView::of(site.view, site.rules, ordinal)
}

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

use snapshot_format::record::ArchivedRegistrar;

use super::answer::Answer;
use super::frame::Site;
use crate::policy::{RegistrarRule, TierRule};
use crate::view::Registrar;

/// A line that is left out without a value, unless the rule prints empty fields.
#[inline]
fn optional(rule: TierRule<'_>, label: &str, value: &str, out: &mut Answer) {
    if !value.is_empty() || rule.mask.print_empty {
        out.line(label, value);
    }
}

/// A registrar as answers show it: its record and what the configuration says about it.
struct RegistrarView<'a> {
    name: &'a str,
    /// 0 is none.
    iana_id: u32,
    whois_server: &'a str,
    url: &'a str,
    rule: Option<&'a RegistrarRule>,
}

impl<'a> RegistrarView<'a> {
    /// The registrar that another record refers to; without one its lines are empty.
    fn of(site: &Site<'a>, ordinal: u32) -> Self {
        let Some(registrar) = site.view.registrar(ordinal) else {
            return Self { name: "", iana_id: 0, whois_server: "", url: "", rule: None };
        };
        let Registrar { id, name, iana_id, whois_name, url } = registrar;
        Self::new(site, id, name, *iana_id, whois_name, url)
    }

    /// The registrar of a record of its own.
    fn of_record(site: &Site<'a>, record: &'a ArchivedRegistrar) -> Self {
        let iana_id = record.iana_id.to_native();
        Self::new(site, &record.id, &record.name, iana_id, &record.whois_name, &record.url)
    }

    fn new(
        site: &Site<'a>,
        id: &str,
        name: &'a str,
        iana_id: u32,
        whois_name: &'a str,
        url: &'a str,
    ) -> Self {
        let rule = site.rules.of_registrar(id, iana_id);
        // What the configuration says goes before what the record says.
        let or =
            |set: Option<&'a str>, otherwise| set.filter(|s| !s.is_empty()).unwrap_or(otherwise);
        Self {
            name,
            iana_id,
            whois_server: or(rule.map(|rule| &*rule.whois_server), whois_name),
            url: or(rule.map(|rule| &*rule.url), url),
            rule,
        }
    }

    fn abuse_email(&self) -> &'a str {
        self.rule.map_or("", |rule| &rule.abuse_email)
    }

    fn abuse_phone(&self) -> &'a str {
        self.rule.map_or("", |rule| &rule.abuse_phone)
    }

    fn iana_id_line(&self, out: &mut Answer) {
        match self.iana_id {
            0 => out.line("Registrar IANA ID: ", ""),
            id => out.number("Registrar IANA ID: ", u64::from(id)),
        }
    }
}

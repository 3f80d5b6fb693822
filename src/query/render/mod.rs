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

use snapshot_format::Corrupt;
use snapshot_format::record::{ArchivedRegistrar, NONE};

use super::answer::Answer;
use super::frame::Site;
use crate::policy::{RegistrarRule, Rule};

/// A line that is left out without a value, unless the rule prints empty fields.
#[inline]
fn optional(rule: &Rule, label: &str, value: &str, out: &mut Answer) {
    if !value.is_empty() || rule.print_empty {
        out.line(label, value);
    }
}

/// A registrar as answers show it: its record and what the configuration says about it.
struct RegistrarView<'a> {
    record: Option<&'a ArchivedRegistrar>,
    rule: Option<&'a RegistrarRule>,
}

impl<'a> RegistrarView<'a> {
    fn of(site: &Site<'a>, ordinal: u32) -> Result<Self, Corrupt> {
        if ordinal == NONE {
            return Ok(Self { record: None, rule: None });
        }
        Ok(Self::of_record(site, site.snapshot.record(ordinal)?))
    }

    fn of_record(site: &Site<'a>, record: &'a ArchivedRegistrar) -> Self {
        let rule = site.rules.of_registrar(&record.id, record.iana_id.to_native());
        Self { record: Some(record), rule }
    }

    fn name(&self) -> &'a str {
        self.record.map_or("", |record| record.name.as_str())
    }

    fn whois_server(&self) -> &'a str {
        match self.rule {
            Some(rule) if !rule.whois_server.is_empty() => &rule.whois_server,
            _ => self.record.map_or("", |record| record.whois_name.as_str()),
        }
    }

    fn url(&self) -> &'a str {
        match self.rule {
            Some(rule) if !rule.url.is_empty() => &rule.url,
            _ => self.record.map_or("", |record| record.url.as_str()),
        }
    }

    fn abuse_email(&self) -> &'a str {
        self.rule.map_or("", |rule| &rule.abuse_email)
    }

    fn abuse_phone(&self) -> &'a str {
        self.rule.map_or("", |rule| &rule.abuse_phone)
    }

    /// 0 is none.
    fn iana_id(&self) -> u32 {
        self.record.map_or(0, |record| record.iana_id.to_native())
    }

    fn iana_id_line(&self, out: &mut Answer) {
        match self.iana_id() {
            0 => out.line("Registrar IANA ID: ", ""),
            id => out.number("Registrar IANA ID: ", u64::from(id)),
        }
    }
}

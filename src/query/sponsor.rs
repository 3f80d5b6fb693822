//! The registrar of a record as answers show it: what its own record says, and what the
//! configuration adds to it.
//!
//! # Does not
//!
//! Write anything.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::record::ArchivedRegistrar;

use crate::policy::{OfRegistrar, Person, Rules};
use crate::view::{Registrar, View};

/// A registrar as answers show it.
pub(super) struct RegistrarView<'a> {
    /// Its identifier within the registry.
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    /// 0 is none.
    pub(super) iana_id: u32,
    pub(super) whois_server: &'a str,
    pub(super) url: &'a str,
    said: OfRegistrar<'a>,
}

impl<'a> RegistrarView<'a> {
    /// The registrar that another record refers to; without one all texts are empty.
    #[inline]
    pub(super) fn of(view: &'a View, rules: &'a Rules, ordinal: u32) -> Self {
        let Some(registrar) = view.registrar(ordinal) else {
            return Self {
                id: "",
                name: "",
                iana_id: 0,
                whois_server: "",
                url: "",
                said: OfRegistrar::default(),
            };
        };
        let Registrar { id, name, iana_id, whois_name, url } = registrar;
        Self::new(rules, id, name, *iana_id, whois_name, url)
    }

    /// The registrar of a record of its own.
    pub(super) fn of_record(rules: &'a Rules, record: &'a ArchivedRegistrar) -> Self {
        let iana_id = record.iana_id.to_native();
        Self::new(rules, &record.id, &record.name, iana_id, &record.whois_name, &record.url)
    }

    fn new(
        rules: &'a Rules,
        id: &'a str,
        name: &'a str,
        iana_id: u32,
        whois_name: &'a str,
        url: &'a str,
    ) -> Self {
        let said = rules.of_registrar(id, iana_id);
        // What the configuration says goes before what the record says.
        let or = |set: &'a str, otherwise| if set.is_empty() { otherwise } else { set };
        Self {
            id,
            name,
            iana_id,
            whois_server: or(said.text(|rule| &rule.whois_server), whois_name),
            url: or(said.text(|rule| &rule.url), url),
            said,
        }
    }

    pub(super) fn abuse_email(&self) -> &'a str {
        self.said.text(|rule| &rule.abuse_email)
    }

    pub(super) fn abuse_phone(&self) -> &'a str {
        self.said.text(|rule| &rule.abuse_phone)
    }

    /// The base URL of its RDAP service; empty if it is not known.
    pub(super) fn rdap_url(&self) -> &'a str {
        self.said.text(|rule| &rule.rdap_url)
    }

    /// Its administrative contact, if one is known.
    pub(super) fn admin(&self) -> Option<&'a Person> {
        self.said.person(|rule| &rule.admin)
    }

    /// Its technical contact, if one is known.
    pub(super) fn tech(&self) -> Option<&'a Person> {
        self.said.person(|rule| &rule.tech)
    }
}

//! What the configuration and its files say of registrars, compiled.
//!
//! # Invariants
//!
//! - `nearest first`: a table of the configuration goes before the operator's own file, and that
//!   before IANA's list.
//!
//! # Does not
//!
//! Know what the record of a registrar says.

use ahash::RandomState;
use hashbrown::HashMap;

use crate::policy::display::settings::{Listed, Registrar};

/// What the configuration says about a registrar; empty texts say nothing.
#[derive(Debug, Default)]
pub(crate) struct RegistrarRule {
    pub(crate) abuse_email: Box<str>,
    pub(crate) abuse_phone: Box<str>,
    pub(crate) whois_server: Box<str>,
    pub(crate) url: Box<str>,
    /// Base URL of its RDAP service, as IANA has it.
    pub(crate) rdap_url: Box<str>,
    pub(crate) admin: Person,
    pub(crate) tech: Person,
}

/// A contact of a registrar; empty texts are not known.
#[derive(Debug, Default)]
pub(crate) struct Person {
    pub(crate) name: Box<str>,
    pub(crate) email: Box<str>,
    pub(crate) phone: Box<str>,
}

impl Person {
    /// Whether anything is known.
    pub(crate) fn is_known(&self) -> bool {
        [&self.name, &self.email, &self.phone].iter().any(|text| !text.is_empty())
    }
}

impl RegistrarRule {
    fn of(registrar: &Registrar) -> Self {
        let person = |name: &str, email: &str, phone: &str| Person {
            name: name.into(),
            email: email.into(),
            phone: phone.into(),
        };
        let Registrar { admin_name, admin_email, admin_phone, .. } = registrar;
        let Registrar { tech_name, tech_email, tech_phone, .. } = registrar;
        Self {
            abuse_email: registrar.abuse_email.as_str().into(),
            abuse_phone: registrar.abuse_phone.as_str().into(),
            whois_server: registrar.shown_whois_server().into(),
            url: registrar.shown_url().into(),
            rdap_url: registrar.rdap_url.as_str().into(),
            admin: person(admin_name, admin_email, admin_phone),
            tech: person(tech_name, tech_email, tech_phone),
        }
    }

    /// Takes from `other` what it does not know itself.
    fn or(self, other: &Self) -> Self {
        let text = |own: Box<str>, other: &str| if own.is_empty() { other.into() } else { own };
        // A contact is one whole: the telephone of another would be wrong.
        let person = |own: Person, other: &Person| {
            if own.is_known() {
                return own;
            }
            let Person { name, email, phone } = other;
            Person { name: name.clone(), email: email.clone(), phone: phone.clone() }
        };
        Self {
            abuse_email: text(self.abuse_email, &other.abuse_email),
            abuse_phone: text(self.abuse_phone, &other.abuse_phone),
            whois_server: text(self.whois_server, &other.whois_server),
            url: text(self.url, &other.url),
            rdap_url: text(self.rdap_url, &other.rdap_url),
            admin: person(self.admin, &other.admin),
            tech: person(self.tech, &other.tech),
        }
    }
}

/// What is said of a registrar: under its identifier, or else its IANA identifier, and by files
/// under the latter.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OfRegistrar<'a> {
    own: Option<&'a RegistrarRule>,
    other: Option<&'a RegistrarRule>,
}

impl<'a> OfRegistrar<'a> {
    /// A text: what goes first has it, or what goes second; empty for none.
    #[inline]
    pub(crate) fn text(self, of: impl Fn(&'a RegistrarRule) -> &'a str) -> &'a str {
        // What goes second is there only if what goes first is.
        let Some(own) = self.own else { return "" };
        let text = of(own);
        if text.is_empty() { self.other.map_or("", of) } else { text }
    }

    /// A contact, if one is known.
    pub(crate) fn person(self, of: impl Fn(&'a RegistrarRule) -> &'a Person) -> Option<&'a Person> {
        let known = |rule: Option<&'a RegistrarRule>| rule.map(&of).filter(|of| of.is_known());
        known(self.own).or_else(|| known(self.other))
    }
}

/// What is said of all registrars.
#[derive(Debug)]
pub(crate) struct Registrars {
    by_id: HashMap<Box<str>, RegistrarRule, RandomState>,
    by_iana_id: HashMap<u32, RegistrarRule, RandomState>,
}

impl Registrars {
    /// What the tables of the configuration say, and its files.
    pub(super) fn of(own: &[Registrar], listed: &Listed) -> Self {
        let mut by_iana_id = HashMap::<u32, RegistrarRule, RandomState>::default();
        for one in &listed.iana {
            let rdap_url = one.rdap_url.as_str().into();
            by_iana_id.insert(one.iana_id, RegistrarRule { rdap_url, ..RegistrarRule::default() });
        }
        let mut by_id = HashMap::<Box<str>, RegistrarRule, RandomState>::default();
        // The file of the operator goes before IANA's, and the configuration before both.
        for registrar in listed.overlay.iter().chain(own) {
            let rule = RegistrarRule::of(registrar);
            if !registrar.id.is_empty() {
                let of_id = RegistrarRule::of(registrar);
                by_id.insert(registrar.id.as_str().into(), of_id);
            }
            if registrar.iana_id != 0 {
                let rule = match by_iana_id.remove(&registrar.iana_id) {
                    Some(other) => rule.or(&other),
                    None => rule,
                };
                by_iana_id.insert(registrar.iana_id, rule);
            }
        }
        Self { by_id, by_iana_id }
    }

    #[inline]
    pub(super) fn said_of(&self, id: &str, iana_id: u32) -> OfRegistrar<'_> {
        if self.by_iana_id.is_empty() && self.by_id.is_empty() {
            return OfRegistrar::default();
        }
        self.look_up(id, iana_id)
    }

    fn look_up(&self, id: &str, iana_id: u32) -> OfRegistrar<'_> {
        let by_id = if self.by_id.is_empty() { None } else { self.by_id.get(id) };
        let by_iana_id = if iana_id == 0 { None } else { self.by_iana_id.get(&iana_id) };
        match by_id {
            Some(_) => OfRegistrar { own: by_id, other: by_iana_id },
            None => OfRegistrar { own: by_iana_id, other: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::Rules;
    use crate::policy::display::settings::{ListedRegistrar, Settings};

    #[test]
    fn what_the_configuration_says_of_a_registrar_goes_before_its_files() {
        let text = r#"
            [[registrar]]
            id = "reg-1"
            abuse_email = "own@example.net"
            [[registrar]]
            iana_id = 7
            url = "own.example"
            tech_name = "Own Desk"
            "#;
        let mut settings: Settings = toml::from_str(text).unwrap();
        let overlay = r#"
            [[registrar]]
            iana_id = 7
            url = "overlay.example"
            rdap_url = "https://overlay.example/"
            tech_name = "Other Desk"
            tech_phone = "+1.5550100"
            "#;
        settings.listed.overlay = toml::from_str::<Settings>(overlay).unwrap().registrar;
        for iana_id in [7, 8] {
            let rdap_url = "https://iana.example/".to_owned();
            settings.listed.iana.push(ListedRegistrar { iana_id, rdap_url });
        }
        let rules = Rules::compile(&settings).unwrap();
        let said = |id, iana_id| rules.of_registrar(id, iana_id);
        assert_eq!(said("x", 7).text(|rule| &rule.url), "http://own.example");
        assert_eq!(said("x", 7).text(|rule| &rule.rdap_url), "https://overlay.example/");
        assert_eq!(said("x", 8).text(|rule| &rule.rdap_url), "https://iana.example/");
        // A contact is one whole.
        let tech = said("x", 7).person(|rule| &rule.tech).unwrap();
        assert_eq!((&*tech.name, &*tech.phone), ("Own Desk", ""));
        assert!(said("x", 7).person(|rule| &rule.admin).is_none());
        // One that is named by its identifier has what files say under its IANA identifier.
        assert_eq!(said("reg-1", 8).text(|rule| &rule.abuse_email), "own@example.net");
        assert_eq!(said("reg-1", 8).text(|rule| &rule.rdap_url), "https://iana.example/");
        assert_eq!(said("x", 0).text(|rule| &rule.rdap_url), "");
    }
}

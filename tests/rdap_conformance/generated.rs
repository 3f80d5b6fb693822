//! A generated registry, and what can be asked about all of its records.

use std::fmt::Write as _;
use std::net::IpAddr;

use snapshot_format::reader::Archived;
use snapshot_format::record::{
    ArchivedContact, ArchivedDomain, ArchivedNameserver, ArchivedNndn, ArchivedRegistrar,
    ContactField,
};
use whoisd::policy::Rules;
use whoisd::view::View;

use crate::iana::TEST_RDAP_URL;
use crate::server::program;

/// The presets of what is shown.
pub(crate) const PRESETS: [&str; 3] =
    ["registration-data-policy-2025", "temporary-specification-2018", "open"];

/// A registry of `whoisd sample`.
pub(crate) struct Generated {
    pub(crate) view: View,
    _folder: tempfile::TempDir,
}

impl Generated {
    pub(crate) fn new(domains: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("registry");
        let mut command = program();
        command.args(["sample", "--quiet", "--domains", &domains.to_string(), "--into"]).arg(&path);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        Self { view: View::open(&path).unwrap(), _folder: folder }
    }

    /// The records of a kind by ordinal. Nothing has changed since the base.
    pub(crate) fn records<'a, T: Archived + 'a>(&'a self) -> impl Iterator<Item = &'a T> {
        let base = self.view.base();
        let records = (0..base.count(T::KIND)).map(|ordinal| base.record(ordinal).unwrap());
        assert!(base.count(T::KIND) > 0);
        records
    }

    /// A configuration with what deposits do not have about registrars, and with a tier that sees
    /// everything.
    pub(crate) fn rules(&self, preset: &str) -> Rules {
        let mut text = format!("[defaults]\npreset = \"{preset}\"\n");
        text.push_str("[[tier]]\nname = \"police\"\npreset = \"open\"\n");
        for registrar in self.records::<ArchivedRegistrar>() {
            let id = registrar.id.as_str();
            write!(text, "[[registrar]]\nid = {id:?}\nrdap_url = {TEST_RDAP_URL:?}\n").unwrap();
            text.push_str("abuse_email = \"abuse@registrar.example\"\n");
            text.push_str("abuse_phone = \"+1.6175550199\"\n");
        }
        Rules::compile(&toml::from_str(&text).unwrap()).unwrap()
    }

    /// A target for every domain, reserved name, nameserver, address, registrar and contact.
    pub(crate) fn targets(&self) -> Vec<String> {
        let domains = self.records::<ArchivedDomain>().map(|r| format!("domain/{}", r.name));
        let reserved = self.records::<ArchivedNndn>().map(|r| format!("domain/{}", r.name));
        let hosts = self.records::<ArchivedNameserver>();
        let hosts = hosts.map(|r| format!("nameserver/{}", r.name));
        let contacts = self.records::<ArchivedContact>();
        let contacts = contacts.map(|r| format!("entity/{}", roid(r)));
        let registrars = self.records::<ArchivedRegistrar>().flat_map(|registrar| {
            let id = registrar.iana_id.to_native();
            [format!("entity/{id}"), format!("entity/{}", escaped(&registrar.name))]
        });
        let addresses = self.records::<ArchivedNameserver>().flat_map(|nameserver| {
            let v4 = nameserver.v4.iter().map(|address| IpAddr::from(*address));
            let v6 = nameserver.v6.iter().map(|address| IpAddr::from(*address));
            v4.chain(v6).map(|address| format!("nameservers?ip={address}")).collect::<Vec<_>>()
        });
        let named = domains.chain(reserved).chain(hosts).chain(contacts);
        named.chain(registrars).chain(addresses).collect()
    }
}

/// The repository object identifier of a contact.
pub(crate) fn roid(contact: &ArchivedContact) -> String {
    String::from_utf8(contact.packed().bytes(ContactField::Roid).to_vec()).unwrap()
}

/// A segment of a path (RFC 3986 section 2.1).
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").unwrap();
        }
        out
    })
}

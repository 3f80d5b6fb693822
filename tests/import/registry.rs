//! The registry that deposits of changes are checked against.

use std::io;

use snapshot_format::Kind;
use whoisd::import::Known;

/// A registry that knows hosts and registrars: name and identifier, identifier and IANA identifier.
#[derive(Default)]
pub(crate) struct Registry {
    pub(crate) hosts: &'static [(&'static str, &'static str)],
    pub(crate) registrars: &'static [(&'static str, u32)],
    /// Keys that it lacks; it has all others. `*`: it has nothing.
    pub(crate) lacks: &'static [&'static str],
    /// Objects of every kind, as a header counts them.
    pub(crate) count: Option<u64>,
}

impl Known for Registry {
    fn registrar_of_gurid(&self, gurid: u32) -> io::Result<Option<String>> {
        let found = self.registrars.iter().find(|registrar| registrar.1 == gurid);
        Ok(found.map(|registrar| registrar.0.to_owned()))
    }

    fn keys_of_roid(&self, kind: Kind, roid: &str) -> io::Result<Vec<String>> {
        let of = if kind == Kind::Nameserver { self.hosts } else { &[] };
        let found = of.iter().filter(|host| host.1 == roid);
        Ok(found.map(|host| host.0.to_owned()).collect())
    }

    fn roid_of_host(&self, name: &str) -> io::Result<Option<String>> {
        let found = self.hosts.iter().find(|host| host.0 == name);
        Ok(found.map(|host| host.1.to_owned()))
    }

    fn has(&self, kind: Kind, key: &str) -> io::Result<bool> {
        let nndn = key == "blocked.test";
        let lacks = self.lacks.contains(&key) || self.lacks == ["*"];
        Ok((kind != Kind::Nndn || nndn) && !lacks)
    }

    fn count(&self, _: Kind, _: &[String]) -> io::Result<Option<u64>> {
        Ok(self.count)
    }
}

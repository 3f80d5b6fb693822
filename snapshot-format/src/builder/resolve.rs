//! What a snapshot that is being built refers to: ordinals by key.
//!
//! # Does not
//!
//! Convert objects: [`crate::convert`] does.

use std::io;
use std::rc::Rc;

use hashbrown::HashMap;

use super::named::Ordinals;
use crate::convert::References;
use crate::links::{Link, Links};
use crate::object::{self, HostLink};
use crate::sort::Scratch;

/// Ordinals by key, for all kinds that are referred to.
pub(super) struct Resolver {
    registrars: HashMap<String, u32>,
    idn_tables: HashMap<String, u32>,
    contacts: Links,
    nameservers: Links,
    nameserver_roids: Links,
    nndns: Links,
    /// Nameservers of which nothing but the name is known.
    pub(super) named: Ordinals,
}

impl Resolver {
    pub(super) fn new(seed: u64, scratch: &Rc<dyn Scratch>, memory_bytes: usize) -> Self {
        let links = |share: usize| Links::new(seed, Rc::clone(scratch), memory_bytes / share);
        Self {
            registrars: HashMap::new(),
            idn_tables: HashMap::new(),
            contacts: links(4),
            nameservers: links(8),
            nameserver_roids: links(8),
            nndns: links(16),
            named: Ordinals::default(),
        }
    }

    pub(super) fn add_registrar(&mut self, id: &str, ordinal: u32) {
        self.registrars.insert(id.into(), ordinal);
    }

    pub(super) fn add_idn_table(&mut self, id: &str, ordinal: u32) {
        self.idn_tables.insert(id.into(), ordinal);
    }

    pub(super) fn add_contact(&mut self, id: &str, ordinal: u32) -> io::Result<()> {
        self.contacts.insert(id.as_bytes(), ordinal)
    }

    pub(super) fn add_nameserver(
        &mut self,
        object: &object::Nameserver,
        ordinal: u32,
    ) -> io::Result<()> {
        self.nameservers.insert(object.name.as_bytes(), ordinal)?;
        if object.roid.is_empty() {
            return Ok(());
        }
        self.nameserver_roids.insert(object.roid.as_bytes(), ordinal)
    }

    /// Adds a nameserver of which nothing but the name is known.
    pub(super) fn add_named(&mut self, name: &str, ordinal: u32) -> io::Result<()> {
        self.named.insert(ordinal);
        self.nameservers.insert(name.as_bytes(), ordinal)
    }

    pub(super) fn add_nndn(&mut self, name: &str, ordinal: u32) -> io::Result<()> {
        self.nndns.insert(name.as_bytes(), ordinal)
    }
}

impl References for Resolver {
    fn registrar(&mut self, id: &str) -> io::Result<Link> {
        Ok(self.registrars.get(id).map_or(Link::None, |&ordinal| Link::One(ordinal)))
    }

    fn idn_table(&mut self, id: &str) -> io::Result<Link> {
        Ok(self.idn_tables.get(id).map_or(Link::None, |&ordinal| Link::One(ordinal)))
    }

    fn contact(&mut self, id: &str) -> io::Result<Link> {
        self.contacts.find(id.as_bytes())
    }

    fn nameserver(&mut self, link: &HostLink) -> io::Result<Link> {
        Ok(match link {
            HostLink::Name(name) => match self.nameservers.find(name.as_bytes())? {
                Link::One(ordinal) if self.named.has(ordinal) => Link::Named(ordinal),
                found => found,
            },
            HostLink::Roid(roid) => self.nameserver_roids.find(roid.as_bytes())?,
        })
    }

    fn is_nndn(&mut self, name: &str) -> io::Result<bool> {
        Ok(self.nndns.find(name.as_bytes())? != Link::None)
    }
}

//! A generation as objects again, kind by kind: all of it, or what belongs to some of its names.
//!
//! # Invariants
//!
//! - An object comes as it was given, but for what the format does not keep (see `revert`).
//! - A nameserver without an object of its own comes with the domains that name it.
//!
//! # Does not
//!
//! Sort: objects come in the order of their records.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;

use super::Heap;
use super::generation::Generation;
use super::others::{Shared, shared};
use crate::change::Object;
use crate::error::Corrupt;
use crate::layout::Kind;
use crate::object::{Domain, Nameserver};
use crate::record::{
    ArchivedContact, ArchivedDomain, ArchivedIdnTable, ArchivedNameserver, ArchivedNndn,
    ArchivedRegistrar,
};
use crate::revert::{self, Reverter};

/// Which objects of a generation are meant.
pub struct Chosen<'c> {
    /// `None`: everything.
    of: Option<Part<'c>>,
}

/// Some of the names, and what these refer to.
struct Part<'c> {
    is_meant: &'c dyn Fn(&str) -> bool,
    shared: Shared,
}

impl<'c> Chosen<'c> {
    /// Everything.
    #[must_use]
    pub const fn all() -> Self {
        Self { of: None }
    }

    /// The names that `is_meant` says, and what they refer to. Costs one pass over the generation.
    ///
    /// # Errors
    ///
    /// A damaged record.
    pub fn of<D: AsRef<[u8]>, S: Heap>(
        generation: &Generation<D, S>,
        is_meant: &'c dyn Fn(&str) -> bool,
    ) -> Result<Self, Corrupt> {
        let shared = shared(generation, is_meant)?;
        Ok(Self { of: Some(Part { is_meant, shared }) })
    }

    /// Whether a domain, or a name that is not one, is meant.
    #[must_use]
    pub fn has_name(&self, name: &str) -> bool {
        self.of.as_ref().is_none_or(|part| (part.is_meant)(name))
    }

    /// Whether an object of another kind is meant, by its ordinal.
    #[must_use]
    pub fn has(&self, kind: Kind, ordinal: u32) -> bool {
        self.of.as_ref().is_none_or(|part| part.shared.has(kind, ordinal))
    }
}

impl<D: AsRef<[u8]>, S: Heap> Generation<D, S> {
    /// Hands each domain that is meant to `visit`, with those of its nameservers that host
    /// attributes alone state.
    ///
    /// # Errors
    ///
    /// A damaged record, or what `visit` reports.
    pub fn domain_objects(
        &self,
        chosen: &Chosen<'_>,
        visit: &mut dyn FnMut(&Domain, &[Nameserver]) -> io::Result<()>,
    ) -> io::Result<()> {
        let reverter = Reverter(self);
        let mut attributes = Vec::new();
        for domain in self.domains("")? {
            let domain: Option<&ArchivedDomain> = domain?;
            let Some(domain) = domain.filter(|domain| chosen.has_name(&domain.name)) else {
                continue;
            };
            attributes.clear();
            for ordinal in domain.nameservers.iter() {
                let host = self.record::<ArchivedNameserver>(ordinal.to_native())?;
                if let Some(host) = host.filter(|host| host.is_attribute()) {
                    attributes.push(reverter.nameserver(host)?);
                }
            }
            visit(&reverter.domain(domain)?, &attributes)?;
        }
        Ok(())
    }

    /// Hands each object of a kind that is meant to `visit`: domains without what host attributes
    /// state, and of nameservers those that are objects.
    ///
    /// # Errors
    ///
    /// A damaged record, or what `visit` reports.
    pub fn objects(
        &self,
        kind: Kind,
        chosen: &Chosen<'_>,
        visit: &mut dyn FnMut(Object) -> io::Result<()>,
    ) -> io::Result<()> {
        let reverter = Reverter(self);
        match kind {
            Kind::Domain => {
                return self.domain_objects(chosen, &mut |domain, _| {
                    visit(Object::Domain(domain.clone()))
                });
            }
            Kind::Nndn => {
                for nndn in self.nndns() {
                    let nndn: &ArchivedNndn = nndn?;
                    if chosen.has_name(&nndn.name) {
                        visit(Object::Nndn(reverter.nndn(nndn)?))?;
                    }
                }
                return Ok(());
            }
            Kind::Registrar | Kind::IdnTable | Kind::Contact | Kind::Nameserver => {}
        }
        for ordinal in (0..self.ordinals_end(kind)).filter(|ordinal| chosen.has(kind, *ordinal)) {
            let object = match kind {
                Kind::Registrar => {
                    let record = self.record::<ArchivedRegistrar>(ordinal)?;
                    record.map(|record| Object::Registrar(revert::registrar(record)))
                }
                Kind::IdnTable => {
                    let record = self.record::<ArchivedIdnTable>(ordinal)?;
                    record.map(|record| Object::IdnTable(revert::idn_table(record)))
                }
                Kind::Contact => match self.record::<ArchivedContact>(ordinal)? {
                    Some(record) => Some(Object::Contact(reverter.contact(record)?)),
                    None => None,
                },
                _ => match self.record::<ArchivedNameserver>(ordinal)? {
                    Some(record) if !record.is_attribute() && !record.is_named_only() => {
                        Some(Object::Nameserver(reverter.nameserver(record)?))
                    }
                    _ => None,
                },
            };
            object.map_or(Ok(()), &mut *visit)?;
        }
        Ok(())
    }
}

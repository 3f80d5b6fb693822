//! Walks over the names of a generation, in their order.
//!
//! # Does not
//!
//! Find one record: `lookup` does.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::iter::from_fn;
use std::net::IpAddr;

use super::lookup::{Found, merged};
use super::{Generation, Heap, addresses_of};
use crate::error::Corrupt;
use crate::key;
use crate::layout::Kind;
use crate::record::{ArchivedDomain, ArchivedNameserver};

/// A name with its record; without one if the record is gone.
pub type Walked<'a, T> = Result<(&'a str, Option<&'a T>), Corrupt>;

/// A nameserver with its ordinal, if there is one.
pub type FoundHost<'a> = Result<Option<(u32, &'a ArchivedNameserver)>, Corrupt>;

/// The same, with the name.
type NamedHost<'a> = Result<(&'a str, Option<(u32, &'a ArchivedNameserver)>), Corrupt>;

impl<D: AsRef<[u8]>, S: Heap> Generation<D, S> {
    /// The domains whose names start with `prefix`, in order of their names; `None` for one that is
    /// gone, so that a caller that counts steps counts it. Starting takes about 3 us.
    ///
    /// # Errors
    ///
    /// A damaged record, also in its place.
    pub fn domains<'a>(
        &'a self,
        prefix: &str,
    ) -> Result<impl Iterator<Item = Found<'a, ArchivedDomain>>, Corrupt> {
        Ok(self.domains_from(prefix, prefix)?.map(|walked| Ok(walked?.1)))
    }

    /// As [`Self::domains`], without the names before `from`; with the name of one that is gone, so
    /// that a caller can go on after it.
    ///
    /// # Errors
    ///
    /// See there.
    pub fn domains_from<'a, 'p>(
        &'a self,
        prefix: &'p str,
        from: &'p str,
    ) -> Result<impl Iterator<Item = Walked<'a, ArchivedDomain>>, Corrupt> {
        let from = from.max(prefix);
        let mut range = self.base.domain_range(prefix)?;
        if from != prefix {
            range.start = range.start.max(self.base.domain_range(from)?.start);
        }
        let base = range.map(|ordinal| self.base.record::<ArchivedDomain>(ordinal));
        let sorted = self.overlay.sorted(Kind::Domain);
        let names = sorted.map(|sorted| sorted.names.from(|name| **name < *from));
        let names = names.into_iter().flatten().map(|name| &**name);
        Ok(self.current_names(base, names.take_while(move |name| name.starts_with(prefix))))
    }

    /// The nameservers whose names start with `prefix`, in order of their names, from `from` on;
    /// the name alone of one that is gone, or of which nothing else is known.
    ///
    /// # Errors
    ///
    /// A damaged record, also in its place.
    pub fn nameservers_from<'a, 'p>(
        &'a self,
        prefix: &'p str,
        from: &'p str,
    ) -> Result<impl Iterator<Item = Walked<'a, ArchivedNameserver>>, Corrupt> {
        let hosts = self.host_names_from(prefix, from)?;
        Ok(hosts.map(|host| {
            let (name, host) = host?;
            let host = host.map(|(_, host)| host);
            Ok((name, host.filter(|host| !host.is_named_only())))
        }))
    }

    /// As [`Self::nameservers_from`], all of them.
    ///
    /// # Errors
    ///
    /// See there.
    pub fn nameservers<'a>(
        &'a self,
        prefix: &str,
    ) -> Result<impl Iterator<Item = Found<'a, ArchivedNameserver>>, Corrupt> {
        Ok(self.nameservers_from(prefix, prefix)?.map(|walked| Ok(walked?.1)))
    }

    /// The nameservers whose names start with `prefix`, with their ordinals, in order of their
    /// names, from `from` on: those of which nothing but the name is known as well. `None` for one
    /// that is gone.
    ///
    /// # Errors
    ///
    /// A damaged record, also in its place.
    pub fn hosts_from<'a, 'p>(
        &'a self,
        prefix: &'p str,
        from: &'p str,
    ) -> Result<impl Iterator<Item = FoundHost<'a>>, Corrupt> {
        Ok(self.host_names_from(prefix, from)?.map(|host| Ok(host?.1)))
    }

    fn host_names_from<'a, 'p>(
        &'a self,
        prefix: &'p str,
        from: &'p str,
    ) -> Result<impl Iterator<Item = NamedHost<'a>>, Corrupt> {
        let from = from.max(prefix);
        let mut range = self.base.nameserver_range(prefix)?;
        if from != prefix {
            range.start = range.start.max(self.base.nameserver_range(from)?.start);
        }
        let mut base = range.map(|position| self.base.nameserver_at(position)).peekable();
        let names = self.overlay.host_names.from(|(name, _)| **name < *from);
        let mut names = names.take_while(move |(name, _)| name.starts_with(prefix)).peekable();
        let host = |name: &'a str, ordinal: u32| -> NamedHost<'a> {
            Ok((name, self.record(ordinal)?.map(|host| (ordinal, host))))
        };
        Ok(from_fn(move || {
            let from_base = match (base.peek(), names.peek()) {
                (Some(Ok((_, record))), Some((name, _))) => record.name.as_str() <= &**name,
                (record, _) => record.is_some(),
            };
            if from_base {
                let found = base.next()?;
                return Some(
                    found.and_then(|(ordinal, record)| host(record.name.as_str(), ordinal)),
                );
            }
            let (name, ordinal) = names.next()?;
            Some(host(name, *ordinal))
        }))
    }

    /// The nameservers with this address, in order of their ordinals.
    ///
    /// A damaged record is an error in its place.
    pub fn nameservers_by_address(
        &self,
        address: IpAddr,
    ) -> impl Iterator<Item = Result<&ArchivedNameserver, Corrupt>> {
        self.hosts_by_address(address).map(|found| Ok(found?.1))
    }

    /// As [`Self::nameservers_by_address`], with the ordinals.
    pub fn hosts_by_address(
        &self,
        address: IpAddr,
    ) -> impl Iterator<Item = Result<(u32, &ArchivedNameserver), Corrupt>> {
        let wanted = key::address_bytes(address);
        let hints = self.overlay.addresses.from(move |(of, _)| *of < wanted);
        let hints = hints.take_while(move |(of, _)| *of == wanted).map(|(_, ordinal)| *ordinal);
        let of = |ordinal| {
            let found = self.record::<ArchivedNameserver>(ordinal).transpose()?;
            Some(found.map(|host| (ordinal, host)))
        };
        merged(self.base.nameservers_by_address(address), hints).filter_map(of).filter(
            move |found| match found {
                Ok((_, host)) => addresses_of(host).any(|own| key::address_bytes(own) == wanted),
                Err(_) => true,
            },
        )
    }
}

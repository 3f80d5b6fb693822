//! Records of a generation by their keys: the changed record where there is one, else the base's.
//!
//! Nothing here allocates. Several records come in the order of their ordinals, or of their names,
//! whether they were changed or not: so folding changes no answer.
//!
//! # Does not
//!
//! Change anything.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::iter::{Peekable, from_fn};

use super::Heap;
use super::generation::Generation;
use super::overlay::{Place, RoidHint};
use super::walk::Walked;
use crate::access;
use crate::error::Corrupt;
use crate::key::{self, RegistrarKey};
use crate::layout::Kind;
use crate::reader::{Archived, contacts_named};
use crate::record::{
    ArchivedContact, ArchivedDomain, ArchivedIdnTable, ArchivedNameserver, ArchivedNndn,
    ArchivedRegistrar, ContactField, NONE,
};

/// A record that has a ROID.
#[derive(Clone, Copy)]
pub enum Owner<'a> {
    /// A contact.
    Contact(&'a ArchivedContact),
    /// A nameserver.
    Nameserver(&'a ArchivedNameserver),
    /// A domain.
    Domain(&'a ArchivedDomain),
}

/// A variant of a name.
#[derive(Clone, Copy)]
pub enum Variant<'a> {
    /// A name that is not a domain name.
    Nndn(&'a ArchivedNndn),
    /// A domain.
    Domain(&'a ArchivedDomain),
}

impl<'a> Variant<'a> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        match self {
            Self::Nndn(nndn) => &nndn.name,
            Self::Domain(domain) => &domain.name,
        }
    }

    /// The name that it is a variant of; empty if it is not one.
    #[must_use]
    pub fn original(&self) -> &'a str {
        match self {
            Self::Nndn(nndn) => &nndn.original_name,
            Self::Domain(domain) => {
                domain.cold.as_ref().map_or("", |cold| cold.original_name.as_str())
            }
        }
    }
}

/// A record whose kind lies in order of names.
pub(super) trait Named: Archived {
    fn name(&self) -> &str;
}

impl Named for ArchivedDomain {
    #[inline]
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for ArchivedNndn {
    #[inline]
    fn name(&self) -> &str {
        &self.name
    }
}

/// A record, none, or damage: what a step of a search gives.
pub(super) type Found<'a, T> = Result<Option<&'a T>, Corrupt>;

impl<D: AsRef<[u8]>, S: Heap> Generation<D, S> {
    /// The record of a kind that keeps its ordinals; `None` if it is gone, or has not come yet.
    ///
    /// # Errors
    ///
    /// The ordinal was never given, or the record is damaged.
    #[inline]
    pub fn record<T: Archived>(&self, ordinal: u32) -> Found<'_, T> {
        let corrupt = Corrupt { kind: T::KIND, ordinal };
        let stable = self.overlay.stable(T::KIND).ok_or(corrupt)?;
        if stable.places.len() > 0
            && let Some(place) = stable.place(ordinal)
        {
            return self.record_at(place, ordinal);
        }
        self.base.record_or_none(ordinal)
    }

    #[inline]
    fn record_at<T: Archived>(&self, place: Place, ordinal: u32) -> Found<'_, T> {
        if !place.is_record {
            return Ok(None);
        }
        let record = self.slot_at(place).and_then(access::record);
        record.map(Some).ok_or(Corrupt { kind: T::KIND, ordinal })
    }

    /// What the log says of a name: nothing, that it is gone, or its record.
    #[inline]
    fn changed_name<T: Named>(&self, name: &str) -> Result<Option<Option<&T>>, Corrupt> {
        let Some(sorted) = self.overlay.sorted(T::KIND).filter(|kind| kind.places.len() > 0) else {
            return Ok(None);
        };
        for place in sorted.places.values(self.base.hash(name.as_bytes())) {
            if place.is_record {
                let record = self.record_at::<T>(*place, NONE)?;
                if record.is_some_and(|record| record.name() == name) {
                    return Ok(Some(record));
                }
            } else if self.entry_at(*place).is_some_and(|entry| entry.key == name) {
                return Ok(Some(None));
            }
        }
        Ok(None)
    }

    /// Where the newest entry of a name lies, if it was changed.
    pub(super) fn place_of_name(&self, kind: Kind, name: &str) -> Option<Place> {
        let sorted = self.overlay.sorted(kind)?;
        let mut places = sorted.places.values(self.base.hash(name.as_bytes()));
        places.find(|&&place| self.entry_at(place).is_some_and(|entry| entry.key == name)).copied()
    }

    /// What became of a record of the base.
    #[inline]
    fn current<'a, T: Named>(&'a self, record: &'a T) -> Found<'a, T> {
        Ok(self.changed_name(record.name())?.unwrap_or(Some(record)))
    }

    /// The domain with this A-label name. About 0.5 us with 20 million domains.
    ///
    /// # Errors
    ///
    /// A damaged record; so below.
    #[inline]
    pub fn find_domain(&self, name: &str) -> Found<'_, ArchivedDomain> {
        match self.changed_name(name)? {
            Some(changed) => Ok(changed),
            None => self.base.find_domain(name),
        }
    }

    /// The name that is not a domain name, with this A-label.
    ///
    /// # Errors
    ///
    /// See [`Self::find_domain`].
    pub fn find_nndn(&self, name: &str) -> Found<'_, ArchivedNndn> {
        match self.changed_name(name)? {
            Some(changed) => Ok(changed),
            None => self.base.find_nndn(name),
        }
    }

    /// Ordinals that may belong to `hash`, ascending.
    pub(super) fn ordinals(&self, kind: Kind, hash: u64) -> impl Iterator<Item = u32> + Clone {
        let changed = self.overlay.stable(kind).map(|stable| {
            ascending(move |after| {
                stable.keys.values(hash).copied().filter(|&ordinal| Some(ordinal) > after).min()
            })
        });
        merged(self.base.ordinals(kind, hash), changed.into_iter().flatten())
    }

    fn find<T: Archived>(&self, key: &str, key_of: fn(&T) -> &str) -> Found<'_, T> {
        for ordinal in self.ordinals(T::KIND, self.base.hash(key.as_bytes())) {
            let record = self.record::<T>(ordinal)?;
            if record.is_some_and(|record| key_of(record) == key) {
                return Ok(record);
            }
        }
        Ok(None)
    }

    /// The nameserver with this A-label name.
    ///
    /// # Errors
    ///
    /// See [`Self::find_domain`].
    pub fn find_nameserver(&self, name: &str) -> Found<'_, ArchivedNameserver> {
        let found = self.find(name, |host: &ArchivedNameserver| host.name.as_str())?;
        Ok(found.filter(|host| !host.is_named_only()))
    }

    /// The IDN table with this identifier.
    ///
    /// # Errors
    ///
    /// See [`Self::find_domain`].
    pub fn find_idn_table(&self, id: &str) -> Found<'_, ArchivedIdnTable> {
        self.find(id, |table: &ArchivedIdnTable| table.id.as_str())
    }

    /// The contacts with this identifier: the one written exactly so if there is one, otherwise
    /// all whose identifiers differ from it in the case of ASCII letters only.
    ///
    /// A damaged record is an error in its place.
    pub fn find_contacts(
        &self,
        id: &str,
    ) -> impl Iterator<Item = Result<&ArchivedContact, Corrupt>> {
        let folded = key::fold_contact_id(id);
        let hash = folded.as_ref().map_or(0, |folded| self.base.hash(folded.as_bytes()));
        let alike = self
            .ordinals(Kind::Contact, hash)
            .filter_map(|ordinal| self.record::<ArchivedContact>(ordinal).transpose());
        contacts_named(alike, id)
    }

    /// The registrars with this key; several may have one name or IANA identifier.
    ///
    /// A damaged record is an error in its place.
    pub fn find_registrars(
        &self,
        key: RegistrarKey<'_>,
    ) -> impl Iterator<Item = Result<&ArchivedRegistrar, Corrupt>> {
        let hash = key::hash_registrar(self.base.header().hash_seed, key);
        self.ordinals(Kind::Registrar, hash)
            .filter_map(|ordinal| self.record::<ArchivedRegistrar>(ordinal).transpose())
            .filter(move |registrar| match registrar {
                Ok(registrar) => registrar.has_key(key),
                Err(_) => true,
            })
    }

    /// The records with this ROID, whatever the case of its letters: contacts, nameservers,
    /// domains.
    ///
    /// A damaged record is an error in its place.
    pub fn find_roid(&self, roid: &str) -> impl Iterator<Item = Result<Owner<'_>, Corrupt>> {
        let folded = key::fold_contact_id(roid).filter(|_| !roid.is_empty());
        let hash = folded.map_or(0, |folded| self.base.hash(folded.as_bytes()));
        let contacts = self.ordinals_of_roid(Kind::Contact, roid, hash);
        let contacts = contacts.map(|ordinal| Ok(self.record(ordinal)?.map(Owner::Contact)));
        let nameservers = self.ordinals_of_roid(Kind::Nameserver, roid, hash);
        let nameservers =
            nameservers.map(|ordinal| Ok(self.record(ordinal)?.map(Owner::Nameserver)));
        let domains = self.domains_of_roid(roid, hash);
        let domains = domains.map(|domain| Ok(domain?.map(Owner::Domain)));
        let all = contacts.chain(nameservers).chain(domains);
        all.filter_map(Result::transpose).filter(move |owner| {
            let own = match owner {
                Ok(Owner::Contact(contact)) => contact.field(ContactField::Roid),
                Ok(Owner::Nameserver(nameserver)) => nameserver.roid.as_str(),
                Ok(Owner::Domain(domain)) => domain.roid.as_str(),
                Err(_) => return true,
            };
            own.eq_ignore_ascii_case(roid)
        })
    }

    fn roid_hints(&self, kind: Kind, hash: u64) -> impl Iterator<Item = &RoidHint> {
        let of = (hash, kind);
        let hints = self.overlay.roids.from(move |hint| (hint.hash, hint.kind) < of);
        hints.take_while(move |hint| (hint.hash, hint.kind) == of)
    }

    fn ordinals_of_roid(&self, kind: Kind, roid: &str, hash: u64) -> impl Iterator<Item = u32> {
        let base = self.base.find_roid(roid).filter(move |(of, _)| *of == kind);
        let hints = self.roid_hints(kind, hash).map(|hint| hint.ordinal);
        merged(base.map(|(_, ordinal)| ordinal), hints)
    }

    fn domains_of_roid(
        &self,
        roid: &str,
        hash: u64,
    ) -> impl Iterator<Item = Found<'_, ArchivedDomain>> {
        let base = self.base.find_roid(roid).filter(|(of, _)| *of == Kind::Domain);
        let base = base.map(|(_, ordinal)| self.base.record::<ArchivedDomain>(ordinal));
        let hints = self.roid_hints(Kind::Domain, hash).map(|hint| &*hint.name);
        self.current_names(base, hints).map(|walked| Ok(walked?.1))
    }

    /// What became of records of the base and of names that it does not have; both ascend.
    pub(super) fn current_names<'a, T: Named + 'a>(
        &'a self,
        base: impl Iterator<Item = Result<&'a T, Corrupt>>,
        names: impl Iterator<Item = &'a str>,
    ) -> impl Iterator<Item = Walked<'a, T>> {
        let (mut base, mut names) = (base.peekable(), names.peekable());
        from_fn(move || {
            let from_base = match (base.peek(), names.peek()) {
                (Some(Ok(record)), Some(name)) => record.name() <= *name,
                (record, _) => record.is_some(),
            };
            if !from_base {
                let name = names.next()?;
                return Some(self.changed_name(name).map(|found| (name, found.flatten())));
            }
            let record = base.next()?;
            Some(record.and_then(|record| Ok((record.name(), self.current(record)?))))
        })
    }

    /// Variants of the name `primary`, in order of their names.
    ///
    /// # Errors
    ///
    /// A damaged record, also in its place.
    pub fn variants<'a>(
        &'a self,
        primary: &'a str,
    ) -> Result<impl Iterator<Item = Result<Variant<'a>, Corrupt>>, Corrupt> {
        let base = self.base.variants(primary)?;
        let mut base =
            base.map(|(kind, at)| Ok((self.base.variant_name((kind, at))?, kind))).peekable();
        let hints = self.overlay.variants.from(move |hint| *hint.primary < *primary);
        let hints = hints.take_while(move |hint| *hint.primary == *primary);
        let mut hints = hints.map(|hint| (&*hint.name, hint.kind)).peekable();
        let keys = from_fn(move || {
            let from_base = match (base.peek(), hints.peek()) {
                (Some(Ok(listed)), Some(hint)) => listed <= hint,
                (listed, _) => listed.is_some(),
            };
            if from_base { base.next() } else { hints.next().map(Ok) }
        });
        let current = keys.map(|found: Result<(&'a str, Kind), Corrupt>| {
            let (name, kind) = found?;
            Ok(match kind {
                Kind::Nndn => self.find_nndn(name)?.map(Variant::Nndn),
                _ => self.find_domain(name)?.map(Variant::Domain),
            })
        });
        Ok(current.filter_map(Result::transpose).filter(move |variant| match variant {
            Ok(variant) => variant.original() == primary,
            Err(_) => true,
        }))
    }

    /// Starts loading where the records lie that the answer on `domain` refers to: see
    /// [`crate::Snapshot::prefetch_places`]. Changed records are few, and not loaded early.
    #[inline]
    pub fn prefetch_places(&self, domain: &ArchivedDomain) {
        self.base.prefetch_places(domain);
    }

    /// Starts loading the records themselves, once their places have had time to arrive.
    #[inline]
    pub fn prefetch_records(&self, domain: &ArchivedDomain) {
        self.base.prefetch_records(domain);
    }
}

/// Values that ascend: each is what `next` gives after the one before.
fn ascending<N: Fn(Option<u32>) -> Option<u32> + Clone>(
    next: N,
) -> impl Iterator<Item = u32> + Clone {
    let mut last = None;
    from_fn(move || {
        last = Some(next(last)?);
        last
    })
}

/// Two ascending lists as one; what both have comes once.
pub(super) fn merged<A, B>(one: A, other: B) -> Merged<A, B>
where
    A: Iterator<Item = u32>,
    B: Iterator<Item = u32>,
{
    Merged { one: one.peekable(), other: other.peekable() }
}

#[derive(Clone)]
pub(super) struct Merged<A: Iterator<Item = u32>, B: Iterator<Item = u32>> {
    one: Peekable<A>,
    other: Peekable<B>,
}

impl<A, B> Iterator for Merged<A, B>
where
    A: Iterator<Item = u32>,
    B: Iterator<Item = u32>,
{
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (one, other) = (self.one.peek().copied(), self.other.peek().copied());
        match (one, other) {
            (Some(one), Some(other)) if other < one => self.other.next(),
            (Some(one), Some(other)) => {
                if one == other {
                    self.other.next();
                }
                self.one.next()
            }
            (Some(_), None) => self.one.next(),
            (None, _) => self.other.next(),
        }
    }
}

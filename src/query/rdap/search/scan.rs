//! The objects that a search finds, one after another in the order of their keys.
//!
//! # Invariants
//!
//! - `bounded`: at most [`LOOKED_AT_MAX`] records are looked at, and [`REFERENCES_MAX`] nameservers
//!   or contacts are gone out from.
//! - `what is hidden is not found`: a contact is found by what the mask of the asker shows of it,
//!   and a domain by its contacts as far as its own rule shows them.
//!
//! # Does not
//!
//! Write anything.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::HashSet;
use std::net::IpAddr;

use snapshot_format::Corrupt;
use snapshot_format::record::{ArchivedContact, ArchivedDomain, ArchivedNameserver};

use super::pattern::{NamePattern, TextPattern};
use super::wanted::{By, Predicate};
use crate::idn;
use crate::policy::Tier;
use crate::query::beside::{decoded_name, u_name_of};
use crate::query::contact::ContactView;
use crate::query::rdap::refusal::Refusal;
use crate::query::rdap::render::with_handle;
use crate::query::rdap::site::Site;
use crate::query::search::{HeadSet, Index, IndexError, KeyText, Reference, Wanted as WantedTexts};
use crate::query::sponsor::RegistrarView;

/// Records that one request looks at, at most: some tens of milliseconds of one core.
const LOOKED_AT_MAX: usize = 100_000;
/// Nameservers or contacts whose domains one request looks for, at most.
const REFERENCES_MAX: usize = 4_096;
/// The roles of a domain's contacts.
const DOMAIN_ROLES: u8 = 4;

/// An object that was found.
#[derive(Clone, Copy)]
pub(super) enum Hit<'v> {
    Domain(&'v ArchivedDomain),
    Nameserver(&'v ArchivedNameserver),
    Contact(&'v ArchivedContact),
    Registrar(u32),
}

/// How a scan ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing is left.
    Complete,
    /// The visitor wanted no more.
    Stopped,
    /// Enough was looked at; the last key.
    Enough(String),
}

/// Takes objects with their keys; says whether it wants more.
pub(super) type Visit<'a, 'v> = &'a mut dyn FnMut(Hit<'v>, &str) -> Result<bool, Refusal>;

/// A search over one view.
pub(super) struct Search<'v> {
    site: &'v Site<'v>,
    by: &'v By,
    /// Records that it looks at, at most.
    looked_at_max: usize,
}

impl From<IndexError> for Refusal {
    fn from(_: IndexError) -> Self {
        Self::Building
    }
}

impl<'v> Search<'v> {
    pub(super) const fn new(site: &'v Site<'v>, by: &'v By) -> Self {
        Self { site, by, looked_at_max: LOOKED_AT_MAX }
    }

    /// The same with another bound.
    #[cfg(test)]
    pub(super) const fn looking_at(self, looked_at_max: usize) -> Self {
        Self { looked_at_max, ..self }
    }

    /// Hands what is found to `visit`, in the order of the keys, from the first one after `after`.
    pub(super) fn scan(&self, after: Option<&str>, visit: Visit<'_, 'v>) -> Result<End, Refusal> {
        let data = self.site.data;
        match self.by {
            By::DomainName(pattern) if pattern.is_exact() => {
                let found = data.find_domain(pattern.range())?;
                one(found.map(|record| (Hit::Domain(record), &*record.name)), after, visit)
            }
            By::DomainName(pattern) => {
                let found = data.domains_from(pattern.range(), after.unwrap_or_default())?;
                let hits = found.map(|walked| {
                    let (name, record) = walked?;
                    Ok((name, record.map(Hit::Domain)))
                });
                self.by_name(pattern, hits, after, visit)
            }
            By::DomainNameserver(pattern) => {
                let mut hosts = HashSet::new();
                let found = data.hosts_from(pattern.range(), pattern.range())?;
                for (looked_at, host) in found.enumerate() {
                    if looked_at >= self.looked_at_max || hosts.len() > REFERENCES_MAX {
                        return Err(Refusal::Broad);
                    }
                    if let Some((ordinal, host)) = host?
                        && matches_name(pattern, &host.name)
                    {
                        hosts.insert(Reference::Nameserver(ordinal));
                    }
                }
                self.domains_of(&hosts, &|_, _| true, after, visit)
            }
            By::DomainAddress(address) => {
                // One more than `domains_of` takes.
                let found = data.hosts_by_address(*address).take(REFERENCES_MAX.saturating_add(1));
                let of = |host: Result<(u32, _), _>| Ok(Reference::Nameserver(host?.0));
                let hosts = found.map(of).collect::<Result<HashSet<_>, Refusal>>()?;
                self.domains_of(&hosts, &|_, _| true, after, visit)
            }
            By::DomainEntity(predicates) => self.domains_by_entity(predicates, after, visit),
            By::NameserverName(pattern) if pattern.is_exact() => {
                let found = data.find_nameserver(pattern.range())?;
                one(found.map(|record| (Hit::Nameserver(record), &*record.name)), after, visit)
            }
            By::NameserverName(pattern) => {
                let found = data.nameservers_from(pattern.range(), after.unwrap_or_default())?;
                let hits = found.map(|walked| {
                    let (name, record) = walked?;
                    Ok((name, record.map(Hit::Nameserver)))
                });
                self.by_name(pattern, hits, after, visit)
            }
            By::NameserverAddress(address) => self.nameservers_at(*address, after, visit),
            By::EntityName(pattern) => self.entities(KeyText::Name, pattern, after, visit),
            By::EntityHandle(pattern) => self.entities(KeyText::Handle, pattern, after, visit),
        }
    }

    fn index(&self) -> Result<&'v dyn Index, Refusal> {
        self.site.index.ok_or(Refusal::Unsupported)
    }

    /// Visits the objects of a walk whose names match. One that is gone counts as looked at: a run
    /// of them costs as much as a run of others.
    fn by_name(
        &self,
        pattern: &NamePattern,
        found: impl Iterator<Item = Result<(&'v str, Option<Hit<'v>>), Corrupt>>,
        after: Option<&str>,
        visit: Visit<'_, 'v>,
    ) -> Result<End, Refusal> {
        for (looked_at, found) in (1..).zip(found) {
            let (name, hit) = found?;
            if let Some(hit) = hit
                && after.is_none_or(|after| name > after)
                && matches_name(pattern, name)
                && !visit(hit, name)?
            {
                return Ok(End::Stopped);
            }
            if looked_at >= self.looked_at_max {
                return Ok(End::Enough(name.to_owned()));
            }
        }
        Ok(End::Complete)
    }

    fn nameservers_at(
        &self,
        address: IpAddr,
        after: Option<&str>,
        visit: Visit<'_, 'v>,
    ) -> Result<End, Refusal> {
        let most = self.looked_at_max.saturating_add(1);
        let found = self.site.data.nameservers_by_address(address).take(most);
        let mut found = found.collect::<Result<Vec<_>, _>>()?;
        if found.len() > self.looked_at_max {
            return Err(Refusal::Broad);
        }
        found.sort_unstable_by_key(|record| record.name.as_str());
        for record in found {
            let is_new = after.is_none_or(|after| *record.name > *after);
            if is_new && !visit(Hit::Nameserver(record), &record.name)? {
                return Ok(End::Stopped);
            }
        }
        Ok(End::Complete)
    }

    /// The domains that have one of the references.
    fn domains_of(
        &self,
        references: &HashSet<Reference>,
        is_meant: &dyn Fn(Reference, &str) -> bool,
        after: Option<&str>,
        visit: Visit<'_, 'v>,
    ) -> Result<End, Refusal> {
        let index = self.index()?;
        if references.len() > REFERENCES_MAX {
            return Err(Refusal::Broad);
        }
        if references.is_empty() {
            return Ok(End::Complete);
        }
        let mut list: Vec<_> = references.iter().copied().collect();
        list.sort_unstable();
        let (mut end, mut looked_at) = (Ok(End::Complete), 0_usize);
        let mut one = |name: &str| -> Result<Option<End>, Refusal> {
            looked_at = looked_at.saturating_add(1);
            // The index may be a moment behind.
            if let Some(record) = self.site.data.find_domain(name)?
                && refers(record, references, is_meant)
                && !visit(Hit::Domain(record), name)?
            {
                return Ok(Some(End::Stopped));
            }
            Ok((looked_at >= self.looked_at_max).then(|| End::Enough(name.to_owned())))
        };
        index.domains_of(&list, is_meant, after.unwrap_or_default(), &mut |name| {
            match one(name) {
                Ok(None) => return true,
                Ok(Some(ended)) => end = Ok(ended),
                Err(refusal) => end = Err(refusal),
            }
            false
        })?;
        end
    }

    fn domains_by_entity(
        &self,
        predicates: &[Predicate],
        after: Option<&str>,
        visit: Visit<'_, 'v>,
    ) -> Result<End, Refusal> {
        let index = self.index()?;
        let site = self.site;
        let texts: Vec<_> = predicates.iter().filter_map(text_of).collect();
        let has_role = |wanted: &Predicate| {
            let mut roles = predicates.iter().filter(|one| one.property() == "role");
            roles.all(|role| role == wanted)
        };
        let mut references = HashSet::new();
        if has_role(&Predicate::Registrar) {
            for ordinal in 0..site.data.ordinals_end(snapshot_format::Kind::Registrar) {
                let view = RegistrarView::of(site.view, site.rules, ordinal);
                let matches = |(key, pattern): &(KeyText, &TextPattern)| {
                    registrar_text(&view, *key).is_some_and(|text| pattern.matches(text.as_str()))
                };
                if !view.name.is_empty() && texts.iter().all(matches) {
                    references.insert(Reference::Registrar(ordinal));
                }
            }
        }
        // Domains of people are for those who have been given more than the public (RFC 9536
        // section 12).
        let may_ask = site.tier != Tier::PUBLIC;
        let is_wanted = |role: &u8| may_ask && has_role(&Predicate::Role(*role));
        let roles: Vec<u8> = (0..DOMAIN_ROLES).filter(is_wanted).collect();
        // What most certainly names few goes first.
        let first = texts.iter().max_by_key(|(key, pattern)| (pattern.is_exact(), *key as u8));
        if let Some((key, pattern)) = first.filter(|_| !roles.is_empty()) {
            let mut heads = HeadSet::default();
            for rule in site.rules.all() {
                let rule = rule.seen_by(site.tier);
                for role in &roles {
                    if let Some(block) = rule.blocks().nth(usize::from(*role)) {
                        heads.add(*key, &block, rule.prefer_localised);
                    }
                }
            }
            let wanted = wanted_texts(&heads, pattern);
            let mut is_broad = false;
            if !heads.as_slice().is_empty() {
                index.contacts(&wanted, None, &mut |_, ordinal| {
                    let of = |role: &u8| Reference::Contact { role: *role, ordinal };
                    references.extend(roles.iter().map(of));
                    is_broad = references.len() > REFERENCES_MAX;
                    !is_broad
                })?;
            }
            if is_broad {
                return Err(Refusal::Broad);
            }
        }
        let is_meant = |reference: Reference, suffix: &str| {
            let Reference::Contact { role, ordinal } = reference else { return true };
            let rule = site.rule_of_suffix(suffix);
            let Ok(Some(record)) = site.data.record::<ArchivedContact>(ordinal) else {
                return false;
            };
            let Some(block) = rule.blocks().nth(usize::from(role)) else { return false };
            let view = ContactView::of(rule, record);
            texts
                .iter()
                .all(|(key, pattern)| key.matches(&block, &view, |text| pattern.matches(text)))
        };
        self.domains_of(&references, &is_meant, after, visit)
    }

    /// Registrars and contacts. The key of one is its text, and what it is.
    fn entities(
        &self,
        key: KeyText,
        pattern: &TextPattern,
        after: Option<&str>,
        visit: Visit<'_, 'v>,
    ) -> Result<End, Refusal> {
        let index = self.index()?;
        let site = self.site;
        let mut registrars = Vec::new();
        for ordinal in 0..site.data.ordinals_end(snapshot_format::Kind::Registrar) {
            let view = RegistrarView::of(site.view, site.rules, ordinal);
            if let Some(text) = registrar_text(&view, key).filter(|_| !view.name.is_empty())
                && pattern.matches(text.as_str())
            {
                let key = format!("{}\0r{ordinal:08x}", text.as_str());
                if after.is_none_or(|after| *key > *after) {
                    registrars.push((key, ordinal));
                }
            }
        }
        registrars.sort_unstable();
        let mut registrars = registrars.into_iter().peekable();
        let rule = site.defaults();
        let block = rule.contact();
        let mut heads = HeadSet::default();
        heads.add(key, &block, rule.prefer_localised);
        let (mut end, mut looked_at) = (Ok(End::Complete), 0_usize);
        let mut one = |text: &str, ordinal: u32| -> Result<Option<End>, Refusal> {
            looked_at = looked_at.saturating_add(1);
            let own = format!("{text}\0c{ordinal:08x}");
            while let Some((key, ordinal)) = registrars.next_if(|(key, _)| *key < own) {
                if !visit(Hit::Registrar(ordinal), &key)? {
                    return Ok(Some(End::Stopped));
                }
            }
            if let Some(record) = site.data.record::<ArchivedContact>(ordinal)?
                && key.matches(&block, &ContactView::of(rule, record), |now| now == text)
                && !visit(Hit::Contact(record), &own)?
            {
                return Ok(Some(End::Stopped));
            }
            Ok((looked_at >= self.looked_at_max).then_some(End::Enough(own)))
        };
        if !heads.as_slice().is_empty() {
            let after = after.and_then(|after| after.split_once('\0')).map(|(text, of)| {
                let ordinal = of.strip_prefix('c').and_then(|of| u32::from_str_radix(of, 16).ok());
                // Contacts come before registrars of the same text.
                (text, ordinal.unwrap_or(u32::MAX))
            });
            index.contacts(&wanted_texts(&heads, pattern), after, &mut |text, ordinal| {
                match one(text, ordinal) {
                    Ok(None) => return true,
                    Ok(Some(ended)) => end = Ok(ended),
                    Err(refusal) => end = Err(refusal),
                }
                false
            })?;
        }
        if end.as_ref().is_ok_and(|end| *end == End::Complete) {
            for (key, ordinal) in registrars {
                if !visit(Hit::Registrar(ordinal), &key)? {
                    return Ok(End::Stopped);
                }
            }
        }
        end
    }
}

/// Visits the only object of a name.
fn one<'v>(
    found: Option<(Hit<'v>, &str)>,
    after: Option<&str>,
    visit: Visit<'_, 'v>,
) -> Result<End, Refusal> {
    match found.filter(|(_, name)| after.is_none_or(|after| *name > after)) {
        Some((hit, name)) if !visit(hit, name)? => Ok(End::Stopped),
        _ => Ok(End::Complete),
    }
}

fn matches_name(pattern: &NamePattern, name: &str) -> bool {
    let decoded = decoded_name(name, "");
    let unicode = u_name_of("", decoded.as_ref());
    pattern.matches(name, if unicode.is_empty() { name } else { unicode })
}

/// Whether a domain has a reference of a set.
fn refers(
    record: &ArchivedDomain,
    references: &HashSet<Reference>,
    is_meant: &dyn Fn(Reference, &str) -> bool,
) -> bool {
    let suffix = record.name.split_once('.').map_or("", |(_, suffix)| suffix);
    let has = |reference: Reference| references.contains(&reference) && is_meant(reference, suffix);
    let contacts = (0_u8..).zip(record.contacts.iter());
    let mut contacts =
        contacts.map(|(role, ordinal)| Reference::Contact { role, ordinal: ordinal.to_native() });
    let mut hosts = record.nameservers.iter().map(|host| Reference::Nameserver(host.to_native()));
    has(Reference::Registrar(record.registrar.to_native())) || hosts.any(has) || contacts.any(has)
}

fn text_of(predicate: &Predicate) -> Option<(KeyText, &TextPattern)> {
    match predicate {
        Predicate::Text(key, pattern) => Some((*key, pattern)),
        Predicate::Role(_) | Predicate::Registrar | Predicate::NoRole => None,
    }
}

fn wanted_texts<'a>(heads: &'a HeadSet, pattern: &'a TextPattern) -> WantedTexts<'a> {
    WantedTexts { heads: heads.as_slice(), text: pattern.text(), exact: pattern.is_exact() }
}

/// The folded text of a registrar, as answers show it; it shows no address of mail.
fn registrar_text(view: &RegistrarView<'_>, key: KeyText) -> Option<idn::Folded> {
    match key {
        KeyText::Name => idn::folded(view.name),
        KeyText::Handle => with_handle(view, view.id, idn::folded),
        KeyText::Email => None,
    }
}

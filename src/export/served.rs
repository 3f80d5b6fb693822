//! A served generation as the source of a deposit: the way in, backwards.
//!
//! # Invariants
//!
//! - Objects come in the order of their records, one at a time: nothing is sorted.
//!
//! # Does not
//!
//! Look at masks: a deposit has everything, and is for readers that may have that.

use std::collections::BTreeSet;
use std::io;

use snapshot_format::Object;
use snapshot_format::delta::{Chosen, Generation, Heap, State};
use snapshot_format::layout::Kind;
use snapshot_format::object::{Contact, Domain, IdnTable, Nameserver, Nndn, Registrar};
use snapshot_format::record::{ArchivedContact, ArchivedNameserver, ArchivedRegistrar};
use snapshot_format::record::{ArchivedDomain, ArchivedIdnTable};
use snapshot_format::status::DomainStatuses;

use super::{Repository, Source, Visit, VisitDomain, time};

/// Objects between two reports of progress.
const TELL_EVERY: u64 = 1 << 12;
/// Most keys of extras that become columns.
const EXTRA_KEYS_MAX: usize = 1000;

/// Hears how far a pass is: what, how many of how many; an error ends it.
pub type Progress<'p> = &'p mut dyn FnMut(&'static str, u64, u64) -> io::Result<()>;

/// What a deposit is made of.
pub struct Served<'a, D, S> {
    generation: &'a Generation<D, S>,
    chosen: Chosen<'a>,
    /// Suffixes of the deposit; the first one is its TLD.
    suffixes: Vec<String>,
    progress: Progress<'a>,
    counts: [u64; 6],
    /// Domains whose DNSSEC data the generation does not have, since they did not read.
    pub unread_count: u64,
}

impl<'a, D: AsRef<[u8]>, S: Heap> Served<'a, D, S> {
    /// The objects of a generation that are meant, in a deposit of these suffixes.
    pub const fn new(
        generation: &'a Generation<D, S>,
        chosen: Chosen<'a>,
        suffixes: Vec<String>,
        progress: Progress<'a>,
    ) -> Self {
        Self { generation, chosen, suffixes, progress, counts: [0; 6], unread_count: 0 }
    }

    /// Objects by kind, once they were counted.
    #[must_use]
    pub const fn counts(&self) -> [u64; 6] {
        self.counts
    }

    /// Goes over the objects of a kind, and tells how far it is.
    fn pass<T>(
        &mut self,
        kind: Kind,
        what: &'static str,
        of: fn(Object) -> Option<T>,
        visit: Visit<'_, T>,
    ) -> io::Result<()> {
        let all = self.counts[kind as usize];
        let (progress, mut done) = (&mut *self.progress, 0);
        self.generation.objects(kind, &self.chosen, &mut |object| {
            if let Some(object) = of(object) {
                visit(&object)?;
            }
            tell(progress, what, &mut done, all)
        })
    }

    fn count(&mut self) -> io::Result<(Vec<u64>, BTreeSet<String>)> {
        let (generation, chosen) = (self.generation, &self.chosen);
        let mut counts = [0; 6];
        let mut kind = |kind: Kind, ordinal: u32, is_there: bool| {
            counts[kind as usize] += u64::from(is_there && chosen.has(kind, ordinal));
        };
        for ordinal in 0..generation.ordinals_end(Kind::Registrar) {
            let is_there = generation.record::<ArchivedRegistrar>(ordinal)?.is_some();
            kind(Kind::Registrar, ordinal, is_there);
        }
        for ordinal in 0..generation.ordinals_end(Kind::IdnTable) {
            let is_there = generation.record::<ArchivedIdnTable>(ordinal)?.is_some();
            kind(Kind::IdnTable, ordinal, is_there);
        }
        for ordinal in 0..generation.ordinals_end(Kind::Contact) {
            let is_there = generation.record::<ArchivedContact>(ordinal)?.is_some();
            kind(Kind::Contact, ordinal, is_there);
        }
        for ordinal in 0..generation.ordinals_end(Kind::Nameserver) {
            let host = generation.record::<ArchivedNameserver>(ordinal)?;
            let is_object = host.is_some_and(|host| !host.is_attribute() && !host.is_named_only());
            kind(Kind::Nameserver, ordinal, is_object);
        }
        for nndn in generation.nndns() {
            counts[Kind::Nndn as usize] += u64::from(chosen.has_name(&nndn?.name));
        }
        let mut suffix_domains = vec![0; self.suffixes.len()];
        let mut keys = BTreeSet::new();
        let (all, mut done) = (u64::from(generation.count(Kind::Domain)), 0);
        for domain in generation.domains("")? {
            let domain: Option<&ArchivedDomain> = domain?;
            tell(&mut *self.progress, "counting", &mut done, all)?;
            let Some(domain) = domain.filter(|domain| chosen.has_name(&domain.name)) else {
                continue;
            };
            counts[Kind::Domain as usize] += 1;
            let below = self.suffixes.iter().zip(&mut suffix_domains);
            below.filter(|(suffix, _)| is_below(&domain.name, suffix)).for_each(|(_, count)| {
                *count += 1;
            });
            let unread = domain.statuses.to_native() & DomainStatuses::SEC_DNS_UNREAD != 0;
            self.unread_count += u64::from(unread);
            for extra in domain.cold.iter().flat_map(|cold| cold.extras.iter()) {
                if !keys.contains(&*extra.0) && keys.len() < EXTRA_KEYS_MAX {
                    keys.insert(extra.0.as_str().to_owned());
                }
            }
        }
        self.counts = counts;
        Ok((suffix_domains, keys))
    }
}

fn tell(progress: Progress<'_>, what: &'static str, done: &mut u64, all: u64) -> io::Result<()> {
    *done += 1;
    if done.is_multiple_of(TELL_EVERY) || *done == all {
        return progress(what, *done, all);
    }
    Ok(())
}

/// The time of a TLD's data, ms since the epoch: that of its last deposit, which another TLD's may
/// be newer than; where a feed brings changes, that of the newest one, since it is of all TLDs.
#[must_use]
pub fn watermark_ms(state: &State, tld: &str) -> i64 {
    let mark = state.deposits.iter().find(|mark| *mark.tld == *tld);
    let own = mark.map(|mark| mark.watermark_ms).filter(|&ms| ms != i64::MIN && state.serial == 0);
    own.unwrap_or(state.committed_ms)
}

/// Whether a name is a suffix, or lies below it.
#[must_use]
pub fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

impl<D: AsRef<[u8]>, S: Heap> Source for Served<'_, D, S> {
    fn repository(&mut self) -> io::Result<Repository> {
        let (suffix_domains, keys) = self.count()?;
        let tld = self.suffixes.first().map_or("", String::as_str);
        let watermark_ms = watermark_ms(self.generation.state(), tld);
        let mut date = String::new();
        time::write_date(watermark_ms, &mut date);
        date.retain(|c| c != '-');
        Ok(Repository {
            suffixes: self.suffixes.clone(),
            watermark_ms,
            deposit_id: format!("{date}001"),
            counts: self.counts,
            suffix_domains,
            extra_keys: keys.into_iter().collect(),
        })
    }

    fn registrars(&mut self, visit: Visit<'_, Registrar>) -> io::Result<()> {
        let of = |object| if let Object::Registrar(object) = object { Some(object) } else { None };
        self.pass(Kind::Registrar, "registrars", of, visit)
    }

    fn idn_tables(&mut self, visit: Visit<'_, IdnTable>) -> io::Result<()> {
        let of = |object| if let Object::IdnTable(object) = object { Some(object) } else { None };
        self.pass(Kind::IdnTable, "IDN tables", of, visit)
    }

    fn contacts(&mut self, visit: Visit<'_, Contact>) -> io::Result<()> {
        let of = |object| if let Object::Contact(object) = object { Some(object) } else { None };
        self.pass(Kind::Contact, "contacts", of, visit)
    }

    fn nameservers(&mut self, visit: Visit<'_, Nameserver>) -> io::Result<()> {
        let of = |object| if let Object::Nameserver(object) = object { Some(object) } else { None };
        self.pass(Kind::Nameserver, "nameservers", of, visit)
    }

    fn nndns(&mut self, visit: Visit<'_, Nndn>) -> io::Result<()> {
        let of = |object| if let Object::Nndn(object) = object { Some(object) } else { None };
        self.pass(Kind::Nndn, "reserved names", of, visit)
    }

    fn domains(&mut self, visit: VisitDomain<'_>) -> io::Result<()> {
        let all = self.counts[Kind::Domain as usize];
        let (progress, mut done) = (&mut *self.progress, 0);
        self.generation.domain_objects(
            &self.chosen,
            &mut |domain: &Domain, attributes: &[Nameserver]| {
                visit(domain, attributes)?;
                tell(progress, "domains", &mut done, all)
            },
        )
    }
}

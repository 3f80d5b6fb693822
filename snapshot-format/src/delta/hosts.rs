//! Nameservers in a batch: what becomes of one that loses its object, or its last domain.
//!
//! # Invariants
//!
//! - A nameserver that was ever named keeps a record of its name, so that domains show it.
//! - One that host attributes state is answered as long as a domain names it. Which domains do is
//!   counted only if the batch does not tell.
//!
//! # Does not
//!
//! Convert objects.

use super::Heap;
use super::encode::Encoding;
use super::entry::{Entry, Op};
use super::naming::{self, Naming};
use crate::error::BuildError;
use crate::layout::Kind;
use crate::object::Nameserver;
use crate::record::{self, ArchivedNameserver};

impl<D: AsRef<[u8]>, S: Heap> Encoding<'_, D, S> {
    /// Domains may go on naming a nameserver that is gone: its name stays.
    pub(super) fn delete_host(&mut self, ordinal: u32, key: &str) -> Result<(), BuildError> {
        self.known.stated.insert(ordinal);
        let slot = self.known.generation.slot_of(Kind::Nameserver, ordinal, "")?;
        if slot.is_none() { Ok(()) } else { self.unname(ordinal, key) }
    }

    /// Leaves a nameserver with its name alone.
    pub(super) fn unname(&mut self, ordinal: u32, key: &str) -> Result<(), BuildError> {
        let generation = self.known.generation;
        let there = ordinal < generation.ordinals_end(Kind::Nameserver);
        let host = if there { generation.record::<ArchivedNameserver>(ordinal)? } else { None };
        if host.is_some_and(|host| host.is_named_only()) {
            return Ok(());
        }
        self.put_name(ordinal, key)
    }

    /// Whether a domain names a nameserver once the batch is applied.
    pub(super) fn is_named(&self, ordinal: u32, naming: &mut Naming) -> Result<bool, BuildError> {
        if self.kept.contains_key(&ordinal) {
            return Ok(true);
        }
        let change = self.named.get(&ordinal).copied().unwrap_or_default();
        let generation = self.known.generation;
        if ordinal >= generation.ordinals_end(Kind::Nameserver) {
            return Ok(false);
        }
        Ok(naming.count(generation, ordinal)? > change.lost)
    }

    /// Whether host attributes say something new of a nameserver. Without addresses they take those
    /// away that are known only if every domain that names it is in the batch: another one may have
    /// stated them. An object is not theirs to empty.
    pub(super) fn is_news(
        &self,
        host: &Nameserver,
        ordinal: u32,
        naming: &mut Naming,
    ) -> Result<bool, BuildError> {
        let generation = self.known.generation;
        let there = ordinal < generation.ordinals_end(Kind::Nameserver);
        let before = if there { generation.record::<ArchivedNameserver>(ordinal)? } else { None };
        let Some(before) = before.filter(|before| !before.is_named_only()) else { return Ok(true) };
        let says_nothing = host.v4.is_empty() && host.v6.is_empty();
        if !says_nothing || before.v4.is_empty() && before.v6.is_empty() {
            return Ok(!says_nothing || before.is_attribute());
        }
        if !before.is_attribute() {
            return Ok(false);
        }
        let change = self.named.get(&ordinal).copied().unwrap_or_default();
        let all = naming.count(generation, ordinal)?.saturating_add(change.gained);
        let stated = self.kept.get(&ordinal).copied().unwrap_or_default();
        Ok(all.saturating_sub(change.lost) <= stated)
    }

    pub(super) fn put_name(&mut self, ordinal: u32, key: &str) -> Result<(), BuildError> {
        let kind = Kind::Nameserver;
        let record = self.archiver.archive(kind, key, &record::Nameserver::named(key))?;
        self.out.push(&Entry { kind, op: Op::Record, ordinal, key, record });
        Ok(())
    }

    /// Notes which nameservers a domain names from now on.
    pub(super) fn names(&mut self, domain: &str, now: &[u32]) -> Result<(), BuildError> {
        let before = self.known.generation.find_domain(domain)?;
        let before = before.map(naming::hosts_of_record).unwrap_or_default();
        let now = naming::hosts_of(now.iter().copied());
        for ordinal in &now {
            *self.kept.entry(*ordinal).or_default() += 1;
        }
        for ordinal in before.iter().filter(|ordinal| now.binary_search(ordinal).is_err()) {
            self.named.entry(*ordinal).or_default().lost += 1;
        }
        for ordinal in now.iter().filter(|ordinal| before.binary_search(ordinal).is_err()) {
            self.named.entry(*ordinal).or_default().gained += 1;
        }
        Ok(())
    }

    /// Takes nameservers away that host attributes stated, and that no domain names any more.
    pub(super) fn unnamed(&mut self, naming: &mut Naming) -> Result<(), BuildError> {
        let generation = self.known.generation;
        let mut gone: Vec<(u32, &str)> = Vec::new();
        for (&ordinal, _) in self.named.iter().filter(|(_, change)| change.lost > 0) {
            if self.known.stated.contains(&ordinal) {
                continue;
            }
            let host = generation.record::<ArchivedNameserver>(ordinal)?;
            if let Some(host) = host.filter(|host| host.is_attribute())
                && !self.is_named(ordinal, naming)?
            {
                gone.push((ordinal, &host.name));
            }
        }
        gone.into_iter().try_for_each(|(ordinal, name)| self.put_name(ordinal, name))
    }

    /// Writes the names of nameservers that are named and have no record.
    pub(super) fn name(&mut self) -> Result<(), BuildError> {
        for (ordinal, name) in std::mem::take(&mut self.known.named) {
            self.put_name(ordinal, &name)?;
            self.out.reserved_count += 1;
        }
        Ok(())
    }
}

//! What a registry has besides a deposit of changes, and what it will have after it: for references
//! to nothing, deletes of nothing and the header's counts, which a FULL deposit shows by itself.
//!
//! # Invariants
//!
//! - Memory is one hash for each key that the deposit names, and what is looked at again at the
//!   end, within the bytes that [`Seen::new`] is given; beyond that nothing is reported as missing.
//!
//! # Does not
//!
//! Know what is served: [`Known`] answers for it.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;

use ahash::RandomState;
use hashbrown::{HashMap, HashSet};
use snapshot_format::object::{Actor, Domain, HostLink, Transfer};
use snapshot_format::{Defect, Kind, Object};

use super::sink::Heard;
use crate::vet::findings::ObjectKind;
use crate::vet::rule::Rule;

/// What a key takes, with the tables before and after they grow, bytes.
const KEY_BYTES: usize = 64;
/// Such a part of the memory is for what is looked at again at the end.
const LATE_SHARE: usize = 4;

/// What the registry has before the changes are applied. An error stops the deposit.
pub trait Known {
    /// Identifier of the one registrar with an IANA identifier; `None`: no registrar has it, or
    /// several have.
    ///
    /// # Errors
    ///
    /// The registry cannot be read.
    fn registrar_of_gurid(&self, gurid: u32) -> io::Result<Option<String>>;

    /// Keys of the objects of a kind with a repository object identifier.
    ///
    /// # Errors
    ///
    /// The registry cannot be read.
    fn keys_of_roid(&self, kind: Kind, roid: &str) -> io::Result<Vec<String>>;

    /// Repository object identifier of the host with a name, empty if it has none; `None`: there is
    /// no such host.
    ///
    /// # Errors
    ///
    /// The registry cannot be read.
    fn roid_of_host(&self, name: &str) -> io::Result<Option<String>>;

    /// Whether there is an object with this key.
    ///
    /// # Errors
    ///
    /// The registry cannot be read.
    fn has(&self, kind: Kind, key: &str) -> io::Result<bool>;

    /// How many objects of a kind a deposit of `zones` would count; `None`: the registry holds more
    /// than these zones, or objects that no deposit counts.
    ///
    /// # Errors
    ///
    /// The registry cannot be read.
    fn count(&self, kind: Kind, zones: &[String]) -> io::Result<Option<u64>>;

    /// TLDs of other deposits: their names are not this one's to change.
    fn others(&self) -> &[String] {
        &[]
    }

    /// Whether names of these TLDs refer to an object, which stays then.
    ///
    /// # Errors
    ///
    /// The registry cannot be read.
    fn is_shared(&self, _: Kind, _: &str) -> io::Result<bool> {
        Ok(false)
    }
}

/// What the deposit has done so far.
pub(super) struct Seen<'k> {
    known: &'k dyn Known,
    hasher: RandomState,
    present: HashSet<u64, RandomState>,
    gone: HashSet<u64, RandomState>,
    /// Hosts of the deposit by the hashes of their identifiers: how many.
    roids: HashMap<u64, u32, RandomState>,
    /// How many more objects of each kind there are than before.
    more: [i64; 6],
    /// Variants and their original names, looked for when all domains have come.
    variants: Vec<(String, String)>,
    /// Objects, and what else had their identifier before: it may get another one, or go.
    same_roids: Vec<(ObjectKind, String, String)>,
    /// NNDNs whose names were domains before: these may come as well, and say so themselves.
    domain_nndns: Vec<String>,
    /// What these three may still take, bytes.
    late_bytes: usize,
    keys_max: usize,
    is_full: bool,
}

/// A finding that only the end of a deposit shows.
pub(super) struct Late {
    pub(super) rule: Rule,
    pub(super) kind: ObjectKind,
    pub(super) key: String,
    pub(super) field: &'static str,
    pub(super) got: String,
}

impl<'k> Seen<'k> {
    /// What is known of a deposit that begins, within `memory_bytes`.
    pub(super) fn new(known: &'k dyn Known, memory_bytes: usize) -> Self {
        let late_bytes = memory_bytes.wrapping_div(LATE_SHARE);
        let keys_max = memory_bytes.saturating_sub(late_bytes).wrapping_div(KEY_BYTES);
        Self {
            known,
            hasher: RandomState::new(),
            present: HashSet::default(),
            gone: HashSet::default(),
            roids: HashMap::default(),
            more: [0; 6],
            variants: Vec::new(),
            same_roids: Vec::new(),
            domain_nndns: Vec::new(),
            late_bytes,
            keys_max,
            is_full: false,
        }
    }

    fn hash(&self, kind: Kind, key: &str) -> u64 {
        self.hasher.hash_one((kind as u8, key))
    }

    /// Whether there is an object at this point of the deposit.
    pub(super) fn has(&self, kind: Kind, key: &str) -> io::Result<bool> {
        let hash = self.hash(kind, key);
        if self.present.contains(&hash) || self.is_full {
            return Ok(true);
        }
        Ok(!self.gone.contains(&hash) && self.known.has(kind, key)?)
    }

    /// An object is so from now on.
    pub(super) fn upsert(&mut self, object: &Object) -> io::Result<()> {
        let (kind, key) = (object.kind(), object.key());
        if !self.has(kind, key)? {
            self.count(kind, 1);
        }
        let hash = self.hash(kind, key);
        self.gone.remove(&hash);
        self.present.insert(hash);
        if let Object::Nameserver(host) = object
            && !host.roid.is_empty()
        {
            let count = self.roids.entry(self.hasher.hash_one(&host.roid)).or_insert(0);
            *count = count.saturating_add(1);
        }
        self.bound();
        Ok(())
    }

    /// An object is gone from now on; `false`: there was none.
    pub(super) fn remove(&mut self, kind: Kind, key: &str) -> io::Result<bool> {
        let there = self.has(kind, key)?;
        if there {
            self.count(kind, -1);
        }
        let hash = self.hash(kind, key);
        self.present.remove(&hash);
        self.gone.insert(hash);
        self.bound();
        Ok(there)
    }

    fn count(&mut self, kind: Kind, more: i64) {
        if let Some(count) = self.more.get_mut(kind as usize) {
            *count = count.saturating_add(more);
        }
    }

    /// Whether two names can be kept until the end.
    fn is_room_for(&mut self, key: &str, other: &str) -> bool {
        let texts = key.len().saturating_add(other.len());
        let bytes = texts.saturating_add(size_of::<(ObjectKind, String, String)>());
        // A list that grows is there twice.
        let left = self.late_bytes.checked_sub(bytes.saturating_mul(2));
        self.late_bytes = left.unwrap_or(self.late_bytes);
        left.is_some()
    }

    fn bound(&mut self) {
        let keys = self.present.len().saturating_add(self.gone.len());
        self.is_full = keys.saturating_add(self.roids.len()) >= self.keys_max;
    }

    /// Objects of a kind that the registry has once the deposit is applied, as a deposit of `zones`
    /// counts them; `None`: it cannot be said.
    pub(super) fn total(&self, kind: Kind, zones: &[String]) -> io::Result<Option<u64>> {
        let before = self.known.count(kind, zones)?.filter(|_| !self.is_full);
        let more = self.more.get(kind as usize).copied().unwrap_or(0);
        Ok(before.map(|before| before.saturating_add_signed(more)))
    }

    /// Says which references of a domain are to nothing.
    pub(super) fn domain(&mut self, domain: &Domain, heard: Heard<'_>) -> io::Result<()> {
        if self.knows_nndn(&domain.name)? {
            heard(Defect::NndnIsDomain);
        }
        let Domain { registrar, creator, updater, idn_table, transfer, .. } = domain;
        self.registrars(registrar, [creator, updater], transfer.as_ref(), heard)?;
        self.refer(Kind::IdnTable, idn_table, heard)?;
        for contact in &domain.contacts {
            self.refer(Kind::Contact, &contact.id, heard)?;
        }
        for host in &domain.nameservers {
            match host {
                HostLink::Name(name) => self.refer(Kind::Nameserver, name, heard)?,
                HostLink::Roid(roid) => self.refer_roid(roid, heard)?,
            }
        }
        if !domain.original_name.is_empty() && self.is_room_for(&domain.name, &domain.original_name)
        {
            self.variants.push((domain.name.clone(), domain.original_name.clone()));
        }
        Ok(())
    }

    /// NNDNs come before domains, and are few.
    fn knows_nndn(&self, name: &str) -> io::Result<bool> {
        Ok(!self.is_full && self.has(Kind::Nndn, name)?)
    }

    /// Says which registrars that an object names are not there.
    pub(super) fn registrars(
        &self,
        sponsor: &str,
        actors: [&Actor; 2],
        transfer: Option<&Transfer>,
        heard: Heard<'_>,
    ) -> io::Result<()> {
        self.refer(Kind::Registrar, sponsor, heard)?;
        for actor in actors {
            self.refer(Kind::Registrar, &actor.registrar, heard)?;
        }
        for actor in transfer.iter().flat_map(|transfer| [&transfer.requester, &transfer.actor]) {
            self.refer(Kind::Registrar, &actor.registrar, heard)?;
        }
        Ok(())
    }

    /// Says whether an IDN table that an object names is not there.
    pub(super) fn refer(&self, kind: Kind, key: &str, heard: Heard<'_>) -> io::Result<()> {
        if !key.is_empty() && !self.has(kind, key)? {
            heard(Defect::Dangling { kind, key });
        }
        Ok(())
    }

    fn refer_roid(&self, roid: &str, heard: Heard<'_>) -> io::Result<()> {
        let own = self.roids.get(&self.hasher.hash_one(roid)).copied().unwrap_or(0);
        let count = if own > 0 {
            usize::try_from(own).unwrap_or(usize::MAX)
        } else {
            let mut names = self.known.keys_of_roid(Kind::Nameserver, roid)?;
            names.retain(|name| !self.gone.contains(&self.hash(Kind::Nameserver, name)));
            names.len()
        };
        match count {
            0 if self.is_full => {}
            0 => heard(Defect::Dangling { kind: Kind::Nameserver, key: roid }),
            1 => {}
            _ => heard(Defect::Ambiguous { roid }),
        }
        Ok(())
    }

    /// Another object of the registry has the identifier of one of the deposit.
    pub(super) fn same_roid(&mut self, kind: ObjectKind, key: &str, other: &str) {
        if self.is_room_for(key, other) {
            self.same_roids.push((kind, key.to_owned(), other.to_owned()));
        }
    }

    /// Notes an NNDN whose name is a domain; deletes have come.
    pub(super) fn nndn(&mut self, name: &str) -> io::Result<()> {
        if !self.is_full && self.has(Kind::Domain, name)? && self.is_room_for(name, "") {
            self.domain_nndns.push(name.to_owned());
        }
        Ok(())
    }

    /// Findings that show now that every object has come: variants whose original is not there, and
    /// records that the registry keeps and that contradict the deposit.
    pub(super) fn late(&mut self) -> io::Result<Vec<Late>> {
        let mut late = Vec::new();
        for (key, original) in std::mem::take(&mut self.variants) {
            if !self.has(Kind::Domain, &original)? {
                let (rule, kind) = (Rule::ReferenceOther, ObjectKind::Domain);
                late.push(Late { rule, kind, key, field: "originalName", got: String::new() });
            }
        }
        for (kind, key, other) in std::mem::take(&mut self.same_roids) {
            if kind.record().is_some_and(|record| self.is_untouched(record, &other)) {
                let (rule, got) = (Rule::RoidRepeated, format!("that of {other}"));
                late.push(Late { rule, kind, key, field: "roid", got });
            }
        }
        for key in std::mem::take(&mut self.domain_nndns) {
            if self.is_untouched(Kind::Domain, &key) {
                let (rule, kind) = (Rule::NndnIsDomain, ObjectKind::Nndn);
                late.push(Late { rule, kind, key, field: "aName", got: String::new() });
            }
        }
        Ok(late)
    }

    /// Whether the deposit neither has nor deletes what the registry had.
    fn is_untouched(&self, kind: Kind, key: &str) -> bool {
        let hash = self.hash(kind, key);
        !self.is_full && !self.present.contains(&hash) && !self.gone.contains(&hash)
    }
}

//! What finds the changed records: indexes over a log, shared between generations.
//!
//! # Invariants
//!
//! - `hints` (see [`super`]): entries of the base's indexes are not repeated here.
//! - A place is that of the newest entry of its key.
//!
//! # Does not
//!
//! Hold records: those lie in the log.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::IpAddr;
use std::sync::Arc;

use super::cow::CowMap;
use super::entry::{Entry, Op};
use super::set::CowSet;
use crate::access;
use crate::change::key_hash;
use crate::error::{Corrupt, FormatError};
use crate::key::{self, RegistrarKey};
use crate::layout::Kind;
use crate::reader::{Archived, Snapshot};
use crate::record::{
    ArchivedContact, ArchivedDomain, ArchivedNameserver, ArchivedNndn, ArchivedRegistrar,
    ContactField, NONE,
};
use crate::suffixes::Suffixes;

/// Kinds whose ordinals stay: those before [`Kind::Nndn`].
pub(crate) const STABLE_KINDS: [Kind; 4] =
    [Kind::Registrar, Kind::IdnTable, Kind::Contact, Kind::Nameserver];

/// Where an entry lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which of the generation's logs.
    pub(crate) log: u32,
    /// Its first byte there, in units of 8.
    pub(crate) at: u32,
    /// Whether it has a record.
    pub(crate) is_record: bool,
    /// Whether the record is that of a nameserver of which nothing but the name is known.
    pub(crate) is_named: bool,
}

/// A kind whose ordinals stay.
#[derive(Debug, Clone)]
pub(crate) struct Stable {
    /// By ordinal.
    pub(crate) places: CowMap<(u32, Place)>,
    /// Ordinals by hash of what the base's index does not have.
    pub(crate) keys: CowMap<u32>,
    /// The next ordinal to be given.
    pub(crate) next: u32,
    /// Records.
    pub(crate) live: u32,
    /// Entries taken in.
    pub(crate) taken: u64,
}

/// A kind that lies in order of its names.
#[derive(Debug, Clone)]
pub(crate) struct Sorted {
    /// By hash of the name; compare the name.
    pub(crate) places: CowMap<Place>,
    /// Names that the base does not have.
    pub(crate) names: CowSet<Arc<str>>,
    /// Records.
    pub(crate) live: u32,
}

/// Where a ROID may be found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RoidHint {
    pub(crate) hash: u64,
    pub(crate) kind: Kind,
    /// Of kinds whose ordinals stay.
    pub(crate) ordinal: u32,
    /// Of domains.
    pub(crate) name: Arc<str>,
}

/// A variant that the base does not list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VariantHint {
    pub(crate) primary: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
}

/// All indexes.
#[derive(Debug, Clone)]
pub(crate) struct Overlay {
    pub(crate) stable: [Stable; 4],
    pub(crate) sorted: [Sorted; 2],
    /// Names of nameservers that the base does not have, with their ordinals.
    pub(crate) host_names: CowSet<(Arc<str>, u32)>,
    pub(crate) addresses: CowSet<([u8; 16], u32)>,
    pub(crate) roids: CowSet<RoidHint>,
    pub(crate) variants: CowSet<VariantHint>,
    /// Suffixes under which names are served; none: every name is.
    pub(crate) suffixes: Suffixes,
}

/// Hash of an ordinal: an odd factor keeps different ones different.
#[inline]
pub(crate) fn ordinal_hash(ordinal: u32) -> u64 {
    u64::from(ordinal).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Stable {
    /// Where the newest entry of an ordinal lies, if it was changed.
    #[inline]
    pub(crate) fn place(&self, ordinal: u32) -> Option<Place> {
        let mut places = self.places.values(ordinal_hash(ordinal));
        places.find(|(of, _)| *of == ordinal).map(|(_, place)| *place)
    }

    fn hint(&mut self, hash: u64, ordinal: u32) {
        self.keys.put(hash, ordinal, |&there| there == ordinal);
    }
}

/// What an entry changes the number of records by.
fn count(live: &mut u32, was: bool, is: bool) {
    match (was, is) {
        (false, true) => *live = live.saturating_add(1),
        (true, false) => *live = live.saturating_sub(1),
        _ => {}
    }
}

/// The record of an entry.
fn record_of<'a, T: Archived>(entry: &Entry<'a>) -> Result<&'a T, Corrupt> {
    let corrupt = Corrupt { kind: T::KIND, ordinal: entry.ordinal };
    access::record(entry.record).ok_or(corrupt)
}

impl Overlay {
    /// Nothing is changed.
    pub(crate) fn over<D: AsRef<[u8]>>(base: &Snapshot<D>, suffixes: Suffixes) -> Self {
        let stable = |kind| Stable {
            places: CowMap::new(),
            keys: CowMap::new(),
            next: base.count(kind),
            live: base.live_count(kind),
            taken: 0,
        };
        let sorted = |kind| Sorted {
            places: CowMap::new(),
            names: CowSet::new(),
            live: base.live_count(kind),
        };
        Self {
            stable: STABLE_KINDS.map(stable),
            sorted: [Kind::Nndn, Kind::Domain].map(sorted),
            host_names: CowSet::new(),
            addresses: CowSet::new(),
            roids: CowSet::new(),
            variants: CowSet::new(),
            suffixes,
        }
    }

    #[inline]
    pub(crate) fn stable(&self, kind: Kind) -> Option<&Stable> {
        self.stable.get(kind as usize)
    }

    #[inline]
    pub(crate) fn sorted(&self, kind: Kind) -> Option<&Sorted> {
        self.sorted.get((kind as usize).wrapping_sub(STABLE_KINDS.len()))
    }

    /// Keys that were changed.
    pub(crate) fn changed(&self) -> usize {
        let stable = self.stable.iter().map(|kind| kind.places.len());
        stable.chain(self.sorted.iter().map(|kind| kind.places.len())).sum()
    }

    /// Takes an entry in. `key_at` says which key the entry at a place has.
    ///
    /// # Errors
    ///
    /// The entry contradicts the base or its own kind, or its record is damaged.
    pub(crate) fn take<D: AsRef<[u8]>>(
        &mut self,
        base: &Snapshot<D>,
        entry: &Entry<'_>,
        place: Place,
        has_key: &dyn Fn(Place, &str) -> bool,
    ) -> Result<(), FormatError> {
        if STABLE_KINDS.contains(&entry.kind) {
            self.take_stable(base, entry, place)
        } else {
            self.take_sorted(base, entry, place, has_key)
        }
    }

    fn take_stable<D: AsRef<[u8]>>(
        &mut self,
        base: &Snapshot<D>,
        entry: &Entry<'_>,
        place: Place,
    ) -> Result<(), FormatError> {
        let Entry { kind, ordinal, .. } = *entry;
        let Some(stable) = self.stable.get_mut(kind as usize) else { return Ok(()) };
        if ordinal > stable.next {
            return Err(FormatError::Invariant { kind, ordinal, what: "its ordinal leaves a gap" });
        }
        stable.taken = stable.taken.saturating_add(1);
        stable.next = stable.next.max(ordinal.saturating_add(1));
        let before = stable.place(ordinal);
        let is_record = entry.op == Op::Record;
        let is_named = is_record
            && kind == Kind::Nameserver
            && record_of::<ArchivedNameserver>(entry)?.is_named_only();
        let place = Place { is_named, ..place };
        let is_live = |place: Place| place.is_record && !place.is_named;
        let was = before.map_or_else(|| base.has(kind, ordinal), is_live);
        count(&mut stable.live, was, is_live(place));
        let same = |(of, _): &(u32, Place)| *of == ordinal;
        stable.places.put(ordinal_hash(ordinal), (ordinal, place), same);
        let seed = base.header().hash_seed;
        if let Some(hash) = key_hash(seed, kind, entry.key)
            && !base.ordinals(kind, hash).any(|there| there == ordinal)
        {
            stable.hint(hash, ordinal);
        }
        if !is_record || is_named {
            return Ok(());
        }
        match kind {
            Kind::Registrar => self.registrar(base, record_of(entry)?, ordinal),
            Kind::Contact => {
                let contact = record_of::<ArchivedContact>(entry)?;
                self.roid(base, contact.field(ContactField::Roid), kind, ordinal, "");
            }
            Kind::Nameserver => self.nameserver(base, record_of(entry)?, ordinal)?,
            Kind::IdnTable | Kind::Nndn | Kind::Domain => {}
        }
        Ok(())
    }

    fn registrar<D: AsRef<[u8]>>(
        &mut self,
        base: &Snapshot<D>,
        record: &ArchivedRegistrar,
        ordinal: u32,
    ) {
        let [registrars, ..] = &mut self.stable;
        let folded = key::fold_registrar_name(&record.name);
        let name = folded.as_ref().map(|folded| RegistrarKey::FoldedName(folded.as_bytes()));
        let iana_id = record.iana_id.to_native();
        let iana = (iana_id != 0).then_some(RegistrarKey::IanaId(iana_id));
        for key in [name, iana].into_iter().flatten() {
            let hash = key::hash_registrar(base.header().hash_seed, key);
            if !base.ordinals(Kind::Registrar, hash).any(|there| there == ordinal) {
                registrars.hint(hash, ordinal);
            }
        }
    }

    fn nameserver<D: AsRef<[u8]>>(
        &mut self,
        base: &Snapshot<D>,
        record: &ArchivedNameserver,
        ordinal: u32,
    ) -> Result<(), FormatError> {
        self.roid(base, &record.roid, Kind::Nameserver, ordinal, "");
        if !base.has(Kind::Nameserver, ordinal) {
            self.host_names.insert((record.name.as_str().into(), ordinal));
        }
        for address in addresses_of(record) {
            if !base.nameservers_by_address(address).any(|there| there == ordinal) {
                self.addresses.insert((key::address_bytes(address), ordinal));
            }
        }
        Ok(())
    }

    fn take_sorted<D: AsRef<[u8]>>(
        &mut self,
        base: &Snapshot<D>,
        entry: &Entry<'_>,
        place: Place,
        has_key: &dyn Fn(Place, &str) -> bool,
    ) -> Result<(), FormatError> {
        let Entry { kind, op, key, .. } = *entry;
        let at = (kind as usize).wrapping_sub(STABLE_KINDS.len());
        let Some(sorted) = self.sorted.get_mut(at) else { return Ok(()) };
        let hash = key::hash(base.header().hash_seed, key.as_bytes());
        let in_base = match kind {
            Kind::Nndn => base.find_nndn(key)?.is_some(),
            _ => base.find_domain(key)?.is_some(),
        };
        let before = sorted.places.values(hash).find(|&&place| has_key(place, key)).copied();
        let was = before.map_or(in_base, |place| place.is_record);
        let is = op == Op::Record;
        count(&mut sorted.live, was, is);
        sorted.places.put(hash, place, |there| Some(*there) == before);
        self.suffix(key, was, is);
        let Some(sorted) = self.sorted.get_mut(at).filter(|_| is) else { return Ok(()) };
        if !in_base {
            sorted.names.insert(key.into());
        }
        if kind == Kind::Nndn {
            let nndn = record_of::<ArchivedNndn>(entry)?;
            return Ok(self.variant(base, &nndn.original_name, key, kind)?);
        }
        let domain = record_of::<ArchivedDomain>(entry)?;
        self.roid(base, &domain.roid, kind, NONE, key);
        let original = domain.cold.as_ref().map_or("", |cold| cold.original_name.as_str());
        Ok(self.variant(base, original, key, kind)?)
    }

    /// Serves the suffix of a name that came, as the importer does, as long as it has names; not
    /// where every name is served.
    fn suffix(&mut self, name: &str, was: bool, is: bool) {
        let suffixes = &mut self.suffixes;
        if suffixes.all().is_empty() {
            return;
        }
        match (was, is) {
            (false, true) => suffixes.add(name),
            (true, false) => suffixes.remove(name),
            _ => {}
        }
    }

    fn roid<D: AsRef<[u8]>>(
        &mut self,
        base: &Snapshot<D>,
        roid: &str,
        kind: Kind,
        ordinal: u32,
        name: &str,
    ) {
        let Some(folded) = key::fold_contact_id(roid).filter(|_| !roid.is_empty()) else { return };
        let same = |(of, at): (Kind, u32)| {
            let own = kind != Kind::Domain && at == ordinal;
            let named = || base.record::<ArchivedDomain>(at).is_ok_and(|there| there.name == *name);
            of == kind && (own || (kind == Kind::Domain && named()))
        };
        if !base.find_roid(roid).any(same) {
            let hash = key::hash(base.header().hash_seed, folded.as_bytes());
            self.roids.insert(RoidHint { hash, kind, ordinal, name: name.into() });
        }
    }

    fn variant<D: AsRef<[u8]>>(
        &mut self,
        base: &Snapshot<D>,
        primary: &str,
        name: &str,
        kind: Kind,
    ) -> Result<(), Corrupt> {
        if primary.is_empty() {
            return Ok(());
        }
        for (of, ordinal) in base.variants(primary)? {
            if of == kind && base.variant_name((of, ordinal))? == name {
                return Ok(());
            }
        }
        self.variants.insert(VariantHint { primary: primary.into(), name: name.into(), kind });
        Ok(())
    }
}

/// Addresses of a nameserver.
pub(crate) fn addresses_of(record: &ArchivedNameserver) -> impl Iterator<Item = IpAddr> {
    let v4 = record.v4.iter().map(|&octets| octets.into());
    v4.chain(record.v6.iter().map(|&octets| octets.into()))
}

//! Reads a snapshot from any bytes: opening is cheap, look-ups allocate nothing.
//!
//! # Invariants
//!
//! - `bounded`: every access to a section is checked against its bounds and every record against
//!   its type: damaged bytes give [`Corrupt`], never a panic.
//! - Opening does not check the blocks' checksums. A flipped bit in a text reads as another text
//!   until [`Snapshot::check_sums`] finds it.
//!
//! # Does not
//!
//! Own files or mappings: it borrows from `D`.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::IpAddr;
use std::ops::Range;
use std::sync::atomic::AtomicBool;

use rkyv::Portable;
use rkyv::api::low::LowValidator;
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::Failure;

use crate::access;
use crate::builder::{LENGTH_BITS, NNDN_BIT};
use crate::early::PREFETCH_LINES_MAX;
use crate::error::{Corrupt, FormatError};
use crate::index::Candidates;
use crate::key::{self, RegistrarKey};
use crate::layout::{Header, Kind, SECTION_COUNT, Section, SectionId, word32};
use crate::limits::RECORD_UNIT_BYTES;
use crate::record::{
    ArchivedContact, ArchivedDomain, ArchivedIdnTable, ArchivedMeta, ArchivedNameserver,
    ArchivedNndn, ArchivedRegistrar, ContactField,
};

/// An archived type that a section holds.
pub trait Archived: Portable + for<'a> CheckBytes<LowValidator<'a, Failure>> {
    /// Kind of the records that have this type.
    const KIND: Kind;
}

macro_rules! archived {
    ($($type:ty => $kind:ident),*) => {
        $(impl Archived for $type { const KIND: Kind = Kind::$kind; })*
    };
}

archived! {
    ArchivedRegistrar => Registrar, ArchivedIdnTable => IdnTable, ArchivedContact => Contact,
    ArchivedNameserver => Nameserver, ArchivedNndn => Nndn, ArchivedDomain => Domain
}

/// A domain's record, with the bytes that it was read from.
type DomainSlot<'a> = (&'a [u8], &'a ArchivedDomain);

/// Where the records of a kind lie.
#[derive(Clone, Copy)]
pub(crate) struct Slots<'a> {
    /// By ordinal, in units of [`RECORD_UNIT_BYTES`]; the next one is where a record ends.
    places: &'a [[u8; 4]],
    heap: &'a [u8],
}

impl<'a> Slots<'a> {
    /// The bytes of a record, with the padding in front of it.
    #[inline]
    pub(crate) fn get(self, ordinal: u32) -> Option<&'a [u8]> {
        let [from, to] = *self.places.get(ordinal as usize..)?.first_chunk::<2>()?;
        let from = (u32::from_le_bytes(from) as usize).checked_mul(RECORD_UNIT_BYTES)?;
        let to = (u32::from_le_bytes(to) as usize).checked_mul(RECORD_UNIT_BYTES)?;
        self.heap.get(from..to)
    }

    /// Where the place of a record is kept.
    #[inline]
    pub(crate) fn place(self, ordinal: u32) -> &'a [u8] {
        self.places.get(ordinal as usize).map_or(&[], |place| place)
    }
}

/// An open snapshot over the bytes `D`.
#[derive(Debug)]
pub struct Snapshot<D> {
    data: D,
    header: Header,
    ranges: [Range<usize>; SECTION_COUNT],
    /// Whether all block checksums were compared.
    pub(crate) is_checked: AtomicBool,
}

impl<D: AsRef<[u8]>> Snapshot<D> {
    /// Opens a snapshot: reads and checks the header, in microseconds. Does not read the rest:
    /// see [`Self::check_sums`] and [`crate::verify`].
    ///
    /// # Errors
    ///
    /// Not a snapshot, another format version, a damaged header, a wrong length.
    pub fn open(data: D) -> Result<Self, FormatError> {
        let header = Header::decode(data.as_ref())?;
        let range = |section: Section| {
            let start = usize::try_from(section.offset).unwrap_or(usize::MAX);
            let end = section.offset.saturating_add(section.bytes);
            start..usize::try_from(end).unwrap_or(usize::MAX)
        };
        let ranges = header.sections.map(range);
        let snapshot = Self { data, header, ranges, is_checked: AtomicBool::new(false) };
        for kind in Kind::ALL {
            let offsets = snapshot.header.section(SectionId::Offsets(kind));
            let whole = offsets.count.checked_mul(4) == Some(offsets.bytes);
            if !whole || offsets.count == 0 || offsets.count > u64::from(NNDN_BIT) {
                let name = SectionId::Offsets(kind).name();
                return Err(FormatError::Section { name, what: "has a wrong length" });
            }
        }
        Ok(snapshot)
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The bytes that the snapshot was opened over.
    #[must_use]
    pub const fn data(&self) -> &D {
        &self.data
    }

    /// The bytes of a section.
    #[must_use]
    #[inline]
    pub fn section(&self, id: SectionId) -> &[u8] {
        let range = self.ranges.get(id.number()).cloned().unwrap_or_default();
        self.data.as_ref().get(range).unwrap_or_default()
    }

    /// Ordinals of a kind are below this number; not all of a folded snapshot have a record.
    #[must_use]
    pub fn count(&self, kind: Kind) -> u32 {
        let offsets = self.header.section(SectionId::Offsets(kind)).count;
        u32::try_from(offsets.saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// What the snapshot was made from, and the suffixes that it serves.
    ///
    /// # Errors
    ///
    /// A damaged record.
    pub fn meta(&self) -> Result<&ArchivedMeta, FormatError> {
        access::record(self.section(SectionId::Meta)).ok_or_else(|| FormatError::Section {
            name: SectionId::Meta.name(),
            what: "does not hold its record",
        })
    }

    /// The bytes of a record, with the padding in front of it.
    #[inline]
    pub(crate) fn slot(&self, kind: Kind, ordinal: u32) -> Option<&[u8]> {
        self.slots(kind).get(ordinal)
    }

    /// The bytes of all records of a kind.
    #[inline]
    pub(crate) fn slots(&self, kind: Kind) -> Slots<'_> {
        let (places, _) = self.section(SectionId::Offsets(kind)).as_chunks();
        Slots { places, heap: self.section(SectionId::Heap(kind)) }
    }

    /// The record of type `T` with this ordinal.
    ///
    /// # Errors
    ///
    /// The ordinal is out of range, or the bytes are damaged.
    #[inline]
    pub fn record<T: Archived>(&self, ordinal: u32) -> Result<&T, Corrupt> {
        let slot = self.slot(T::KIND, ordinal);
        slot.and_then(access::record).ok_or(Corrupt { kind: T::KIND, ordinal })
    }

    /// As [`Self::record`]; `None` where the slot of the ordinal is empty: the record was removed
    /// before the last fold, or never came.
    ///
    /// # Errors
    ///
    /// See [`Self::record`].
    #[inline]
    pub fn record_or_none<T: Archived>(&self, ordinal: u32) -> Result<Option<&T>, Corrupt> {
        let corrupt = Corrupt { kind: T::KIND, ordinal };
        let slot = self.slot(T::KIND, ordinal).ok_or(corrupt)?;
        if slot.is_empty() {
            return Ok(None);
        }
        access::record(slot).map(Some).ok_or(corrupt)
    }

    /// Whether an ordinal has a record that is more than the name of a nameserver.
    #[must_use]
    pub fn has(&self, kind: Kind, ordinal: u32) -> bool {
        if kind == Kind::Nameserver {
            let host = self.record_or_none::<ArchivedNameserver>(ordinal);
            return host.is_ok_and(|host| host.is_some_and(|host| !host.is_named_only()));
        }
        self.slot(kind, ordinal).is_some_and(|slot| !slot.is_empty())
    }

    /// Records of a kind that [`Self::has`] says yes to.
    #[must_use]
    pub fn live_count(&self, kind: Kind) -> u32 {
        let id = match kind {
            Kind::Nameserver => SectionId::NameserverOrder,
            _ => SectionId::Heap(kind),
        };
        u32::try_from(self.header.section(id).count).unwrap_or(u32::MAX)
    }

    /// Records of a kind.
    pub(crate) fn heap_count(&self, kind: Kind) -> u32 {
        u32::try_from(self.header.section(SectionId::Heap(kind)).count).unwrap_or(u32::MAX)
    }

    /// Length of a record, bytes, with the padding in front of it; 0 if there is none.
    #[must_use]
    pub fn record_bytes(&self, kind: Kind, ordinal: u32) -> usize {
        self.slot(kind, ordinal).map_or(0, <[u8]>::len)
    }

    /// Values of the index `id` that may belong to `hash`.
    #[inline]
    fn candidates(&self, id: SectionId, hash: u64) -> Candidates<'_> {
        Candidates::new(self.section(id), self.header.section(id).count, hash)
    }

    #[inline]
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        key::hash(self.header.hash_seed, key)
    }

    /// Ordinals of the index of `kind` that may belong to `hash`.
    #[inline]
    pub(crate) fn ordinals(&self, kind: Kind, hash: u64) -> impl Iterator<Item = u32> + Clone {
        self.candidates(SectionId::Keys(kind), hash).map(ordinal_of)
    }

    /// Slots and records of domains that may have this hash.
    #[inline]
    fn domain_slots(&self, hash: u64) -> impl Iterator<Item = Result<DomainSlot<'_>, Corrupt>> {
        let heap = self.section(SectionId::Heap(Kind::Domain));
        self.candidates(SectionId::Keys(Kind::Domain), hash).map(move |value| {
            let unit = RECORD_UNIT_BYTES as u64;
            let from = (value >> LENGTH_BITS).saturating_mul(unit);
            let length = (value & ((1 << LENGTH_BITS) - 1)).saturating_mul(unit);
            let range = usize::try_from(from).ok().zip(usize::try_from(length).ok());
            let slot = range.and_then(|(from, length)| heap.get(from..)?.get(..length));
            access::prefetch(slot.unwrap_or_default(), PREFETCH_LINES_MAX);
            let found = slot.and_then(|slot| Some((slot, access::record::<ArchivedDomain>(slot)?)));
            found.ok_or(Corrupt { kind: Kind::Domain, ordinal: u32::MAX })
        })
    }

    /// The domain with this A-label name. About 0.5 us with 20 million domains.
    ///
    /// # Errors
    ///
    /// A damaged record.
    #[inline]
    pub fn find_domain(&self, name: &str) -> Result<Option<&ArchivedDomain>, Corrupt> {
        for found in self.domain_slots(self.hash(name.as_bytes())) {
            let (_, domain) = found?;
            if domain.name.as_bytes() == name.as_bytes() {
                return Ok(Some(domain));
            }
        }
        Ok(None)
    }

    /// The slot of a domain or NNDN with this name.
    pub(crate) fn slot_of_name(&self, kind: Kind, name: &str) -> Result<Option<&[u8]>, Corrupt> {
        let hash = self.hash(name.as_bytes());
        if kind == Kind::Nndn {
            for ordinal in self.ordinals(kind, hash) {
                if self.record::<ArchivedNndn>(ordinal)?.name == *name {
                    return Ok(self.slot(kind, ordinal));
                }
            }
            return Ok(None);
        }
        for found in self.domain_slots(hash) {
            let (slot, domain) = found?;
            if domain.name == *name {
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    /// The nameserver with this A-label name.
    ///
    /// # Errors
    ///
    /// A damaged record.
    pub fn find_nameserver(&self, name: &str) -> Result<Option<&ArchivedNameserver>, Corrupt> {
        Ok(self.find_host(name)?.filter(|host| !host.is_named_only()))
    }

    /// As [`Self::find_nameserver`], also of a mere name.
    pub(crate) fn find_host(&self, name: &str) -> Result<Option<&ArchivedNameserver>, Corrupt> {
        self.find(name, |nameserver: &ArchivedNameserver| nameserver.name.as_str())
    }

    /// The name that is not a domain name, with this A-label.
    ///
    /// # Errors
    ///
    /// A damaged record.
    pub fn find_nndn(&self, name: &str) -> Result<Option<&ArchivedNndn>, Corrupt> {
        self.find(name, |nndn: &ArchivedNndn| nndn.name.as_str())
    }

    /// The IDN table with this identifier.
    ///
    /// # Errors
    ///
    /// A damaged record.
    pub fn find_idn_table(&self, id: &str) -> Result<Option<&ArchivedIdnTable>, Corrupt> {
        self.find(id, |table: &ArchivedIdnTable| table.id.as_str())
    }

    fn find<T: Archived>(&self, key: &str, key_of: fn(&T) -> &str) -> Result<Option<&T>, Corrupt> {
        for ordinal in self.ordinals(T::KIND, self.hash(key.as_bytes())) {
            let record = self.record::<T>(ordinal)?;
            if key_of(record) == key {
                return Ok(Some(record));
            }
        }
        Ok(None)
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
        let hash = folded.as_ref().map_or(0, |folded| self.hash(folded.as_bytes()));
        let alike = self
            .ordinals(Kind::Contact, hash)
            .map(|ordinal| self.record::<ArchivedContact>(ordinal));
        contacts_named(alike, id)
    }

    /// The registrars with this key; several may have one name or IANA identifier.
    ///
    /// A damaged record is an error in its place.
    pub fn find_registrars(
        &self,
        key: RegistrarKey<'_>,
    ) -> impl Iterator<Item = Result<&ArchivedRegistrar, Corrupt>> {
        let hash = key::hash_registrar(self.header.hash_seed, key);
        self.ordinals(Kind::Registrar, hash)
            .map(|ordinal| self.record::<ArchivedRegistrar>(ordinal))
            .filter(move |registrar| match registrar {
                Ok(registrar) => registrar.has_key(key),
                Err(_) => true,
            })
    }

    /// Kind and ordinal of the records with this ROID, whatever the case of its letters; at most
    /// 16 for one ROID. Compare the record's ROID: an index entry may belong to another one.
    pub fn find_roid(&self, roid: &str) -> impl Iterator<Item = (Kind, u32)> + Clone {
        let folded = key::fold_contact_id(roid);
        let hash = folded.as_ref().map_or(0, |folded| self.hash(folded.as_bytes()));
        self.candidates(SectionId::RoidKeys, hash).filter_map(|value| {
            let kind = u8::try_from(value & ((1 << LENGTH_BITS) - 1)).ok()?;
            Some((Kind::of_number(kind)?, ordinal_of(value)))
        })
    }

    /// Ordinals of the domains whose names start with `prefix`: they lie in order of their names.
    /// A binary search: about 3 us.
    ///
    /// # Errors
    ///
    /// A damaged record.
    pub fn domain_range(&self, prefix: &str) -> Result<Range<u32>, Corrupt> {
        let name = |ordinal| Ok(self.record::<ArchivedDomain>(ordinal)?.name.as_bytes());
        prefix_range(self.count(Kind::Domain), prefix.as_bytes(), &name)
    }

    /// Name of a variant.
    pub(crate) fn variant_name(&self, (kind, ordinal): (Kind, u32)) -> Result<&str, Corrupt> {
        if kind == Kind::Nndn {
            return Ok(self.record::<ArchivedNndn>(ordinal)?.name.as_str());
        }
        Ok(self.record::<ArchivedDomain>(ordinal)?.name.as_str())
    }

    /// Positions, in the order of names, of the nameservers whose names start with `prefix`.
    ///
    /// # Errors
    ///
    /// A damaged record.
    pub fn nameserver_range(&self, prefix: &str) -> Result<Range<u32>, Corrupt> {
        let name = |position| Ok(self.nameserver_at(position)?.1.name.as_bytes());
        prefix_range(self.live_count(Kind::Nameserver), prefix.as_bytes(), &name)
    }

    /// The nameserver at this position in the order of names, with its ordinal.
    ///
    /// # Errors
    ///
    /// The position is out of range, or the record is damaged.
    pub fn nameserver_at(&self, position: u32) -> Result<(u32, &ArchivedNameserver), Corrupt> {
        let order = self.section(SectionId::NameserverOrder);
        let at = (position as usize).saturating_mul(4);
        if at >= order.len() {
            return Err(Corrupt { kind: Kind::Nameserver, ordinal: u32::MAX });
        }
        let ordinal = word32(order, at);
        Ok((ordinal, self.record(ordinal)?))
    }

    /// Ordinals of the nameservers with this address, ascending.
    pub fn nameservers_by_address(&self, address: IpAddr) -> impl Iterator<Item = u32> {
        let (entries, _) = self.section(SectionId::Addresses).as_chunks::<20>();
        let wanted = key::address_bytes(address);
        let is = |entry: &[u8; 20]| entry.first_chunk::<16>().copied().unwrap_or_default();
        let from = entries.partition_point(|entry| is(entry) < wanted);
        let rest = entries.get(from..).unwrap_or_default();
        rest.iter().take_while(move |entry| is(entry) == wanted).map(|entry| {
            entry.last_chunk::<4>().map_or(u32::MAX, |ordinal| u32::from_be_bytes(*ordinal))
        })
    }

    /// Variants of the name `primary`, in order of their names: domains and NNDN, by ordinal.
    ///
    /// # Errors
    ///
    /// A damaged record.
    pub fn variants(
        &self,
        primary: &str,
    ) -> Result<impl Iterator<Item = (Kind, u32)> + '_, Corrupt> {
        let list = self.section(SectionId::Variants);
        let mut found: &[[u8; 4]] = &[];
        if !list.is_empty() {
            let hash = self.hash(primary.as_bytes());
            for value in self.candidates(SectionId::VariantKeys, hash) {
                let at = (ordinal_of(value) as usize).saturating_mul(4);
                let count = word32(list, at) as usize;
                let (words, _) = list.get(at..).unwrap_or_default().as_chunks();
                let variants = words.get(1..).and_then(|rest| rest.get(..count));
                let variants = variants.unwrap_or_default();
                let Some(first) = variants.first() else { continue };
                if self.original_name(variant_of(*first))? == primary {
                    found = variants;
                    break;
                }
            }
        }
        Ok(found.iter().map(|word| variant_of(*word)))
    }

    fn original_name(&self, (kind, ordinal): (Kind, u32)) -> Result<&str, Corrupt> {
        if kind == Kind::Nndn {
            return Ok(self.record::<ArchivedNndn>(ordinal)?.original_name.as_str());
        }
        let domain = self.record::<ArchivedDomain>(ordinal)?;
        Ok(domain.cold.as_ref().map_or("", |cold| cold.original_name.as_str()))
    }
}

/// Of contacts whose folded identifiers may be that of `id`: the one written exactly so if there is
/// one, otherwise all whose identifiers differ from it in the case of ASCII letters only.
pub(crate) fn contacts_named<'a>(
    may_be: impl Iterator<Item = Result<&'a ArchivedContact, Corrupt>> + Clone,
    id: &str,
) -> impl Iterator<Item = Result<&'a ArchivedContact, Corrupt>> {
    let alike = may_be.filter(move |contact| match contact {
        Ok(contact) => contact.field(ContactField::Id).eq_ignore_ascii_case(id),
        Err(_) => true,
    });
    let exact = alike
        .clone()
        .position(|contact| contact.is_ok_and(|contact| contact.field(ContactField::Id) == id));
    let (skip, take) = exact.map_or((0, usize::MAX), |position| (position, 1));
    alike.skip(skip).take(take)
}

/// The ordinal in an index value.
#[inline]
fn ordinal_of(value: u64) -> u32 {
    u32::try_from((value >> LENGTH_BITS).saturating_sub(1)).unwrap_or(u32::MAX)
}

const fn variant_of(word: [u8; 4]) -> (Kind, u32) {
    let packed = u32::from_le_bytes(word);
    let kind = if packed & NNDN_BIT == 0 { Kind::Domain } else { Kind::Nndn };
    (kind, packed & !NNDN_BIT)
}

/// Range of those of `count` sorted names that start with `prefix`.
fn prefix_range<'a>(
    count: u32,
    prefix: &[u8],
    name: &dyn Fn(u32) -> Result<&'a [u8], Corrupt>,
) -> Result<Range<u32>, Corrupt> {
    let search = |from: u32, before: &dyn Fn(&[u8]) -> bool| {
        let (mut low, mut high) = (from, count);
        while low < high {
            let middle = low.midpoint(high);
            if before(name(middle)?) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        Ok(low)
    };
    let start = search(0, &|name| name < prefix)?;
    let end = search(start, &|name| name.starts_with(prefix))?;
    Ok(start..end)
}

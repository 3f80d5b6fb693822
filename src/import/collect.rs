//! Gathers what a deposit holds, in whatever order, and hands it out in the order of a snapshot.
//!
//! # Invariants
//!
//! - A sort key is the kind, the builder's order key of the object, a zero byte, and a rank:
//!   objects before the parts that belong to them. No key of an object has a zero byte at its end,
//!   so the order is the builder's order.
//! - Memory is bounded by the sorters' shares, see [`Collector::new`].
//!
//! # Does not
//!
//! Judge objects: a name twice, or a part without its object, shows in the sorted order.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;
use std::rc::Rc;

use ahash::RandomState;
use hashbrown::HashSet;
use rkyv::api::high::HighSerializer;
use rkyv::rancor::Error as RkyvError;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;
use snapshot_format::object::{Contact, Domain, IdnTable, Nameserver, Nndn, Registrar};
use snapshot_format::sort::{HashSorter, Scratch, Sorted, SortedHashes, Sorter};

use super::findings::{Defects, Findings, ObjectKind, Place};
use super::packed::PackedDomain;
use super::part::DomainPart;
use super::removal::Removal;
use super::rule::Rule;

/// What a sorted entry is to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Rank {
    /// The object, from the XML model.
    Xml = 0,
    /// The object, from the CSV model.
    Csv = 1,
    /// A part of it: an object of the same type with some fields set.
    Part = 2,
    /// A nameserver as the host attributes of a domain state it.
    HostAttribute = 3,
    /// One address of a nameserver, or none, as a row of host attributes states it.
    HostAttributeRow = 4,
}

impl Rank {
    pub(super) const fn of(byte: u8) -> Self {
        match byte {
            0 => Self::Xml,
            1 => Self::Csv,
            2 => Self::Part,
            3 => Self::HostAttribute,
            _ => Self::HostAttributeRow,
        }
    }
}

/// Bytes of a payload before the archive: file, line.
pub(super) const PLACE_BYTES: usize = 10;
/// Most host attributes that are remembered to push each of them once.
const HOST_ATTRIBUTES_MAX: usize = 1 << 16;
/// Bytes from which on parts of one domain make another entry of the sorter.
const PARTS_BYTES_MAX: usize = 64 << 10;

/// Objects of a deposit on their way into the order of a snapshot.
pub(super) struct Collector<'f, 'r> {
    pub(super) findings: &'f mut Findings<'r>,
    sorter: Sorter,
    roids: HashSorter,
    /// Hosts of the CSV model and their parts, by identifier.
    hosts: Option<Sorter>,
    scratch: Rc<dyn Scratch>,
    memory_bytes: usize,
    key: Vec<u8>,
    payload: AlignedVec,
    /// Parts of one domain that came one after another, and their key: they are sorted as one.
    parts: Vec<u8>,
    parts_key: Vec<u8>,
    /// Memory for a domain.
    packed: PackedDomain,
    counts: [u64; 7],
    /// Objects that are deleted.
    removals: u64,
    host_attributes: HashSet<Vec<u8>, RandomState>,
}

/// What a collector holds when everything was read.
pub(super) struct Collected {
    /// Objects and parts in the order of a snapshot.
    pub(super) sorted: Sorted,
    /// Identifiers: hash, then kind, file and line.
    pub(super) roids: SortedHashes,
    /// Objects read, by kind.
    pub(super) counts: [u64; 7],
    /// Objects that are deleted.
    pub(super) removals: u64,
}

impl<'f, 'r> Collector<'f, 'r> {
    /// A collector within `memory_bytes`: six eighths for objects, one for identifiers, one for
    /// hosts of the CSV model.
    pub(super) fn new(
        findings: &'f mut Findings<'r>,
        scratch: Rc<dyn Scratch>,
        memory_bytes: usize,
    ) -> Self {
        let share = memory_bytes.wrapping_div(8);
        Self {
            findings,
            sorter: Sorter::new(Rc::clone(&scratch), share.saturating_mul(6)),
            roids: HashSorter::new(Rc::clone(&scratch), share),
            hosts: None,
            scratch,
            memory_bytes: share,
            key: Vec::new(),
            payload: AlignedVec::new(),
            parts: Vec::new(),
            parts_key: Vec::new(),
            packed: PackedDomain::default(),
            counts: [0; 7],
            removals: 0,
            host_attributes: HashSet::default(),
        }
    }

    /// Objects of a kind so far.
    pub(super) fn count(&self, kind: ObjectKind) -> u64 {
        self.counts.get(kind as usize).copied().unwrap_or(0)
    }

    /// Counts an object that was read, usable or not.
    pub(super) fn counted(&mut self, kind: ObjectKind) {
        if let Some(count) = self.counts.get_mut(kind as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// Records the defects of an object.
    pub(super) fn defects(
        &mut self,
        defects: &mut Defects,
        place: Place,
        kind: ObjectKind,
        key: &str,
    ) {
        if !defects.list.is_empty() {
            self.findings.add_all(defects, place, kind, key);
        }
    }

    /// Takes a domain, and parts of what it holds.
    pub(super) fn domain(
        &mut self,
        rank: Rank,
        place: Place,
        domain: &mut Domain,
    ) -> io::Result<()> {
        self.roid(ObjectKind::Domain, place, &domain.roid)?;
        self.key_of(ObjectKind::Domain, &domain.name, rank);
        let mut packed = std::mem::take(&mut self.packed);
        packed.pack(domain);
        let pushed = self.push(place, &packed);
        self.packed = packed;
        pushed
    }

    /// Takes a part of a domain. Tables list the parts of a domain one after another: together
    /// they are one entry to sort, [`next_part`] takes it apart.
    pub(super) fn domain_part(
        &mut self,
        place: Place,
        name: &str,
        part: &DomainPart,
    ) -> io::Result<()> {
        self.key_of(ObjectKind::Domain, name, Rank::Part);
        if self.parts_key != self.key || self.parts.len() > PARTS_BYTES_MAX {
            self.flush_parts()?;
            self.parts_key.clone_from(&self.key);
        }
        self.archive(place, part)?;
        let bytes = u32::try_from(self.payload.len()).map_err(io::Error::other)?;
        self.parts.extend_from_slice(&bytes.to_le_bytes());
        self.parts.extend_from_slice(&self.payload);
        Ok(())
    }

    fn flush_parts(&mut self) -> io::Result<()> {
        if !self.parts.is_empty() {
            self.sorter.push(&self.parts_key, &self.parts)?;
            self.parts.clear();
        }
        Ok(())
    }

    /// Takes a nameserver or a part of one.
    pub(super) fn nameserver(
        &mut self,
        rank: Rank,
        place: Place,
        nameserver: &Nameserver,
    ) -> io::Result<()> {
        self.roid(ObjectKind::Nameserver, place, &nameserver.roid)?;
        self.key_of(ObjectKind::Nameserver, &nameserver.name, rank);
        self.push(place, nameserver)
    }

    /// Takes a nameserver as host attributes state it; the same one again costs a look-up.
    pub(super) fn host_attribute(
        &mut self,
        rank: Rank,
        place: Place,
        host: &Nameserver,
    ) -> io::Result<()> {
        let mut seen = Vec::with_capacity(host.name.len().saturating_add(32));
        seen.extend_from_slice(host.name.as_bytes());
        host.v4.iter().for_each(|address| seen.extend_from_slice(address));
        host.v6.iter().for_each(|address| seen.extend_from_slice(address));
        if self.host_attributes.contains(&seen) {
            return Ok(());
        }
        if self.host_attributes.len() >= HOST_ATTRIBUTES_MAX {
            self.host_attributes.clear();
        }
        self.host_attributes.insert(seen);
        self.nameserver(rank, place, host)
    }

    /// Takes a host of the CSV model, or a part of one, by its identifier.
    pub(super) fn host_by_roid(
        &mut self,
        rank: Rank,
        place: Place,
        host: &Nameserver,
    ) -> io::Result<()> {
        self.roid(ObjectKind::Nameserver, place, if rank == Rank::Csv { &host.roid } else { "" })?;
        self.key.clear();
        self.key.extend_from_slice(host.roid.as_bytes());
        self.key.extend_from_slice(&[0, rank as u8]);
        self.archive(place, host)?;
        let memory_bytes = self.memory_bytes;
        let scratch = &self.scratch;
        let hosts = self.hosts.get_or_insert_with(|| Sorter::new(Rc::clone(scratch), memory_bytes));
        hosts.push(&self.key, &self.payload)
    }

    /// Takes a contact or a part of one.
    pub(super) fn contact(
        &mut self,
        rank: Rank,
        place: Place,
        contact: &Contact,
    ) -> io::Result<()> {
        self.roid(ObjectKind::Contact, place, &contact.roid)?;
        self.key.clear();
        self.key.push(ObjectKind::Contact as u8);
        self.key.extend_from_slice(&snapshot_format::builder::contact_order_key(&contact.id));
        self.key.extend_from_slice(&[0, rank as u8]);
        self.push(place, contact)
    }

    /// Takes a registrar.
    pub(super) fn registrar(
        &mut self,
        rank: Rank,
        place: Place,
        registrar: &Registrar,
    ) -> io::Result<()> {
        self.key_of(ObjectKind::Registrar, &registrar.id, rank);
        self.push(place, registrar)
    }

    /// Takes an IDN table reference.
    pub(super) fn idn_table(
        &mut self,
        rank: Rank,
        place: Place,
        table: &IdnTable,
    ) -> io::Result<()> {
        self.key_of(ObjectKind::IdnTable, &table.id, rank);
        self.push(place, table)
    }

    /// Takes a name that is not a domain name.
    pub(super) fn nndn(&mut self, rank: Rank, place: Place, nndn: &Nndn) -> io::Result<()> {
        self.key_of(ObjectKind::Nndn, &nndn.name, rank);
        self.push(place, nndn)
    }

    /// Takes what is deleted: it comes before all objects, in the order in which it is taken.
    pub(super) fn removal(&mut self, place: Place, removal: &Removal) -> io::Result<()> {
        self.key.clear();
        self.key.push(ObjectKind::Deposit as u8);
        self.key.extend_from_slice(&self.removals.to_be_bytes());
        self.key.extend_from_slice(&[0, Rank::Xml as u8]);
        self.removals = self.removals.saturating_add(1);
        self.push(place, removal)
    }

    fn key_of(&mut self, kind: ObjectKind, key: &str, rank: Rank) {
        self.key.clear();
        self.key.push(kind as u8);
        self.key.extend_from_slice(key.as_bytes());
        self.key.extend_from_slice(&[0, rank as u8]);
    }

    fn roid(&mut self, kind: ObjectKind, place: Place, roid: &str) -> io::Result<()> {
        if roid.is_empty() {
            return Ok(());
        }
        let hash = twox_hash::XxHash3_64::oneshot_with_seed(kind as u64, roid.as_bytes());
        self.roids.push(u128::from(hash).wrapping_shl(64) | u128::from(packed(kind, place)))
    }

    fn push<T>(&mut self, place: Place, object: &T) -> io::Result<()>
    where
        T: for<'a> rkyv::Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, RkyvError>>,
    {
        self.archive(place, object)?;
        self.sorter.push(&self.key, &self.payload)
    }

    fn archive<T>(&mut self, place: Place, object: &T) -> io::Result<()>
    where
        T: for<'a> rkyv::Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, RkyvError>>,
    {
        let mut buffer = core::mem::take(&mut self.payload);
        buffer.clear();
        buffer.extend_from_slice(&place.file.to_le_bytes());
        buffer.extend_from_slice(&place.line.to_le_bytes());
        self.payload = rkyv::api::high::to_bytes_in::<_, RkyvError>(object, buffer)
            .map_err(io::Error::other)?;
        Ok(())
    }

    /// Joins the hosts of the CSV model with their parts, then sorts everything.
    pub(super) fn finish(mut self) -> io::Result<Collected> {
        self.flush_parts()?;
        if let Some(hosts) = self.hosts.take() {
            self.join_hosts(hosts.finish()?)?;
        }
        Ok(Collected {
            sorted: self.sorter.finish()?,
            roids: self.roids.finish()?,
            counts: self.counts,
            removals: self.removals,
        })
    }

    fn join_hosts(&mut self, mut sorted: Sorted) -> io::Result<()> {
        let mut roid = String::new();
        let mut names: Vec<(String, Place)> = Vec::new();
        while let Some((key, payload)) = sorted.next()? {
            let [id @ .., 0, rank] = key else { return Err(damaged()) };
            let (place, archive) = split(payload)?;
            let mut host: Nameserver =
                rkyv::from_bytes::<Nameserver, RkyvError>(archive).map_err(|_| damaged())?;
            if id != roid.as_bytes() {
                names.clear();
                roid.clear();
                roid.push_str(&host.roid);
            }
            if Rank::of(*rank) == Rank::Csv {
                // A second name is enough to make it ambiguous.
                if names.len() < 2 {
                    names.push((host.name.clone(), place));
                }
                self.nameserver_row(place, &host)?;
                continue;
            }
            match names.as_slice() {
                [(name, _)] => {
                    host.name.clone_from(name);
                    host.roid.clear();
                    self.nameserver(Rank::Part, place, &host)?;
                }
                [] => {
                    let kind = ObjectKind::Nameserver;
                    self.findings.add(Rule::RowOrphan, place, kind, &roid, "fRoid", &roid);
                }
                [first, second, ..] => {
                    let got = format!("{} and {}", first.0, second.0);
                    let kind = ObjectKind::Nameserver;
                    self.findings.add(Rule::HostRoidAmbiguous, place, kind, &roid, "fRoid", &got);
                }
            }
        }
        Ok(())
    }

    fn nameserver_row(&mut self, place: Place, host: &Nameserver) -> io::Result<()> {
        self.key_of(ObjectKind::Nameserver, &host.name, Rank::Csv);
        self.push(place, host)
    }
}

/// Kind, file and line in one number.
fn packed(kind: ObjectKind, place: Place) -> u64 {
    u64::from(kind as u8).wrapping_shl(60)
        | u64::from(place.file & 0xfff).wrapping_shl(48)
        | (place.line & 0xffff_ffff_ffff)
}

/// The reverse of packing: kind and place.
pub(super) fn unpacked(value: u128) -> (ObjectKind, Place) {
    let low = u64::try_from(value & u128::from(u64::MAX)).unwrap_or(0);
    let kind = ObjectKind::RECORDS
        .into_iter()
        .find(|&kind| u64::from(kind as u8) == low.wrapping_shr(60))
        .unwrap_or(ObjectKind::Deposit);
    let file = u16::try_from(low.wrapping_shr(48) & 0xfff).unwrap_or(0);
    (kind, Place { file, line: low & 0xffff_ffff_ffff })
}

/// Place and archive of a payload.
pub(super) fn split(payload: &[u8]) -> io::Result<(Place, &[u8])> {
    let (head, archive) = payload.split_at_checked(PLACE_BYTES).ok_or_else(damaged)?;
    let [f0, f1, line @ ..] = head else { return Err(damaged()) };
    let line = u64::from_le_bytes(line.try_into().map_err(|_| damaged())?);
    Ok((Place { file: u16::from_le_bytes([*f0, *f1]), line }, archive))
}

/// Takes the next part from what [`Collector::domain_part`] made one: its place and archive.
pub(super) fn next_part<'p>(parts: &mut &'p [u8]) -> io::Result<Option<(Place, &'p [u8])>> {
    if parts.is_empty() {
        return Ok(None);
    }
    let (bytes, rest) = parts.split_first_chunk().ok_or_else(damaged)?;
    let bytes = usize::try_from(u32::from_le_bytes(*bytes)).map_err(io::Error::other)?;
    let (part, rest) = rest.split_at_checked(bytes).ok_or_else(damaged)?;
    *parts = rest;
    split(part).map(Some)
}

/// A scratch file gave back what was never written.
pub(super) fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a scratch file was damaged while it was in use")
}

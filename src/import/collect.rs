//! Gathers what a deposit holds, in whatever order, and hands it out in the order of a snapshot.
//!
//! # Invariants
//!
//! - A sort key is the kind, the builder's order key of the object, a zero byte, the number of the
//!   deposit, and a rank: objects before the parts that belong to them. No key of an object has a
//!   zero byte at its end, so the order is the builder's order.
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
use snapshot_format::Object;
use snapshot_format::builder::NamedHosts;
use snapshot_format::object::HostLink;
use snapshot_format::object::{Contact, Domain, IdnTable, Nameserver, Nndn, Registrar};
use snapshot_format::sort::{HashSorter, Scratch, Sorted, SortedHashes, Sorter};
use snapshot_format::status::HostStatuses;

use super::entry::packed;
pub(super) use super::entry::{Rank, damaged, next_part, split, unpacked};
use super::join::DomainPart;
use super::packed::PackedDomain;
use super::sink::Removal;
use crate::vet::findings::{Defects, Findings, ObjectKind, Place};
use crate::vet::rule::Rule;

/// Most bytes of host attributes that are remembered to push each of them once.
const HOST_ATTRIBUTES_BYTES_MAX: usize = 4 << 20;
/// What one takes besides its text, bytes.
const HOST_ATTRIBUTE_BYTES: usize = 64;
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
    host_attributes_bytes: usize,
    /// Nameservers that domains name, where a snapshot is to be built.
    named: Option<NamedHosts>,
    /// Number of the deposit that is read.
    deposit: u8,
    /// Whether objects are those that stay, instead of a deposit's.
    standing: bool,
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
    /// Nameservers that domains name, where a snapshot is to be built.
    pub(super) named: Option<NamedHosts>,
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
            host_attributes_bytes: 0,
            named: None,
            deposit: 0,
            standing: false,
        }
    }

    /// Begins with the next deposit.
    pub(super) fn begin(&mut self, deposit: u8) {
        self.deposit = deposit;
        self.forget_host_attributes();
    }

    fn forget_host_attributes(&mut self) {
        self.host_attributes.clear();
        self.host_attributes_bytes = 0;
    }

    /// Begins with what stays beside the deposits.
    pub(super) fn begin_standing(&mut self, number: u8) {
        self.begin(number);
        self.standing = true;
    }

    /// Objects so far, by kind.
    pub(super) const fn counts(&self) -> [u64; 7] {
        self.counts
    }

    /// Takes an object that stays.
    pub(super) fn object(&mut self, object: Object) -> io::Result<()> {
        let (rank, place) = (Rank::Xml, Place::default());
        match object {
            Object::Registrar(object) => self.registrar(rank, place, &object),
            Object::IdnTable(object) => self.idn_table(rank, place, &object),
            Object::Contact(object) => self.contact(rank, place, &object),
            Object::Nameserver(object) if object.statuses.any(HostStatuses::ATTRIBUTE) => {
                self.nameserver(Rank::HostAttribute, place, &object)
            }
            Object::Nameserver(object) => self.nameserver(rank, place, &object),
            Object::Nndn(object) => self.nndn(rank, place, &object),
            Object::Domain(mut object) => self.domain(rank, place, &mut object),
        }
    }

    /// Gathers the names of nameservers as well.
    pub(super) fn with_named(mut self, named: NamedHosts) -> Self {
        self.named = Some(named);
        self
    }

    fn name(&mut self, link: &HostLink) -> io::Result<()> {
        match (&mut self.named, link) {
            (Some(named), HostLink::Name(name)) => named.push(name),
            _ => Ok(()),
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
        domain.nameservers.iter().try_for_each(|link| self.name(link))?;
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
        if let DomainPart::Nameserver(link) = part {
            self.name(link)?;
        }
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
        let bytes = seen.capacity().saturating_add(HOST_ATTRIBUTE_BYTES);
        if self.host_attributes_bytes.saturating_add(bytes) > HOST_ATTRIBUTES_BYTES_MAX {
            self.forget_host_attributes();
        }
        self.host_attributes_bytes = self.host_attributes_bytes.saturating_add(bytes);
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
        self.key.push(self.deposit);
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
        self.key.extend_from_slice(&[0, self.deposit, rank as u8]);
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
        self.key.extend_from_slice(&[0, self.deposit, Rank::Xml as u8]);
        self.removals = self.removals.saturating_add(1);
        self.push(place, removal)
    }

    fn key_of(&mut self, kind: ObjectKind, key: &str, rank: Rank) {
        self.key.clear();
        self.key.push(kind as u8);
        self.key.extend_from_slice(key.as_bytes());
        self.key.extend_from_slice(&[0, self.deposit, rank as u8]);
    }

    fn roid(&mut self, kind: ObjectKind, place: Place, roid: &str) -> io::Result<()> {
        // Objects that stay were vetted when they came.
        if roid.is_empty() || self.standing {
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
            named: self.named,
        })
    }

    fn join_hosts(&mut self, mut sorted: Sorted) -> io::Result<()> {
        let mut roid = String::new();
        let mut names: Vec<(String, Place)> = Vec::new();
        while let Some((key, payload)) = sorted.next()? {
            let [deposit, id @ .., 0, rank] = key else { return Err(damaged()) };
            let (place, archive) = split(payload)?;
            let mut host: Nameserver =
                rkyv::from_bytes::<Nameserver, RkyvError>(archive).map_err(|_| damaged())?;
            if id != roid.as_bytes() || *deposit != self.deposit {
                self.deposit = *deposit;
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

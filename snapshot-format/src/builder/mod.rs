//! Builds a snapshot from objects that come kind by kind, in ascending order of their keys.
//!
//! Cost per domain, measured in release on one core: see benches/MEASUREMENTS.md. Memory:
//! [`Options::memory_bytes`], whatever the number of objects; beyond it scratch files take over.
//!
//! # Invariants
//!
//! - `ascending`: kinds come in the order of [`Kind`], keys within a kind strictly ascend (domains,
//!   nameservers and NNDN by name, registrars and IDN tables by identifier, contacts by
//!   [`contact_order_key`]). Anything else is an error, so a duplicate key is never written.
//! - `resolved`: an ordinal in a record is that of an existing record, or [`crate::record::NONE`].
//!
//! # Does not
//!
//! Judge objects: a reference that cannot be resolved is reported as a [`Defect`] and left out.

mod copy;
mod keys;
mod named;
mod resolve;

use std::io::{self, Seek, Write};
use std::rc::Rc;

use rkyv::api::low::LowSerializer;
use rkyv::rancor::BoxedError;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;

use crate::archive::{self, Archiver};
use crate::convert::{self, Converter};
use crate::error::BuildError;
use crate::index;
use crate::key;
use crate::layout::{
    FORMAT_VERSION, HEAP_TAIL_BYTES, Header, Kind, SECTION_ALIGN_BYTES_MAX,
    SECTION_ALIGN_BYTES_MIN, SECTION_COUNT, Section, SectionId,
};
use crate::limits::RECORD_UNIT_BYTES;
use crate::object;
use crate::record;
use crate::sort::{HashSorter, Scratch, Sorter};
use crate::spool::Spool;
use crate::write::SectionWriter;
pub use named::NamedHosts;
use named::Names;
pub(crate) use named::Ordinals;
use resolve::Resolver;

/// What a snapshot is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory that the builder may use, bytes.
    pub memory_bytes: usize,
    /// Alignment of sections, bytes, a power of two from 64 to 2 MiB. Large files want 2 MiB.
    pub section_align_bytes: u64,
    /// Seed of all key hashes. Take it at random: registrants choose names.
    pub hash_seed: u64,
    /// Number of the published state.
    pub generation: u64,
    /// Last change that is contained; 0 without a feed.
    pub serial: u64,
    /// Time of the data, ms since the epoch.
    pub watermark_ms: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            memory_bytes: 256 << 20,
            section_align_bytes: SECTION_ALIGN_BYTES_MIN,
            hash_seed: 0,
            generation: 1,
            serial: 0,
            watermark_ms: 0,
        }
    }
}

/// Something about an object that the snapshot cannot hold; the record is written without it, but
/// for a nameserver whose name is known ([`Builder::with_named`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect<'a> {
    /// It refers to an object that does not exist. For a variant's primary: it is served as a
    /// name of its own.
    Dangling {
        /// Kind of what it refers to.
        kind: Kind,
        /// Key of what it refers to.
        key: &'a str,
    },
    /// It refers to a nameserver by a ROID that several nameservers have.
    Ambiguous {
        /// The ROID.
        roid: &'a str,
    },
    /// The name is an NNDN as well: answers show the domain.
    NndnIsDomain,
}

/// What was built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records, by [`Kind`].
    pub counts: [u32; 6],
    /// Length of the file, bytes.
    pub file_bytes: u64,
}

impl Summary {
    /// Records of a kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> u32 {
        self.counts[kind as usize]
    }
}

/// The key by which contacts have to come in order: identifiers that differ in case only are
/// neighbours.
#[must_use]
pub fn contact_order_key(id: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(id.len() * 2 + 1);
    key.extend_from_slice(id.as_bytes());
    key.make_ascii_lowercase();
    key.push(0);
    key.extend_from_slice(id.as_bytes());
    key
}

/// Takes objects, writes a snapshot to `W`.
pub struct Builder<W> {
    out: SectionWriter<W>,
    scratch: Rc<dyn Scratch>,
    options: Options,
    resolver: Resolver,
    /// The kind that is being written; `None` before the first.
    kind: Option<Kind>,
    open: OpenKind,
    /// Ordinals given, by kind.
    counts: [u32; 6],
    /// Those of them without a record.
    empty_counts: [u32; 6],
    /// Names of nameservers that domains have, and that may have no object.
    names: Option<Names>,
    /// Names of nameservers that did not come in order, with their ordinals.
    host_order: Option<Sorter>,
    roids: HashSorter,
    addresses: Sorter,
    variants: Sorter,
    variant_count: u64,
    archiver: Archiver,
}

/// The parts of the kind that is being written.
struct OpenKind {
    heap_start: u64,
    offsets: Spool,
    keys: HashSorter,
    last_key: Vec<u8>,
}

impl OpenKind {
    fn new(scratch: &Rc<dyn Scratch>, memory_bytes: usize) -> Self {
        Self {
            heap_start: 0,
            offsets: Spool::new(Rc::clone(scratch)),
            keys: HashSorter::new(Rc::clone(scratch), memory_bytes / 4),
            last_key: Vec::new(),
        }
    }
}

impl<W: Write + Seek> Builder<W> {
    /// Starts a snapshot at the beginning of `out`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the alignment is not a power of two from 64 bytes to 2 MiB.
    pub fn new(out: W, scratch: Rc<dyn Scratch>, options: Options) -> Result<Self, BuildError> {
        let align = options.section_align_bytes;
        let range = SECTION_ALIGN_BYTES_MIN..=SECTION_ALIGN_BYTES_MAX;
        if !align.is_power_of_two() || !range.contains(&align) {
            return Err(BuildError::Io(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("section alignment {align}: not a power of two from 64 to 2097152"),
            )));
        }
        let memory = options.memory_bytes;
        let seed = options.hash_seed;
        Ok(Self {
            out: SectionWriter::new(out, align),
            resolver: Resolver::new(seed, &scratch, memory),
            kind: None,
            open: OpenKind::new(&scratch, memory),
            counts: [0; 6],
            empty_counts: [0; 6],
            names: None,
            host_order: None,
            roids: HashSorter::new(Rc::clone(&scratch), memory / 8),
            addresses: Sorter::new(Rc::clone(&scratch), memory / 16),
            variants: Sorter::new(Rc::clone(&scratch), memory / 16),
            variant_count: 0,
            archiver: Archiver::new(),
            scratch,
            options,
        })
    }

    /// Adds a registrar; returns its ordinal, as the methods below do.
    ///
    /// # Errors
    ///
    /// Order, duplicates, bounds, output: see [`BuildError`]; so for the methods below.
    pub fn registrar(&mut self, object: &object::Registrar) -> Result<u32, BuildError> {
        let kind = Kind::Registrar;
        self.place(kind, &object.id, object.id.as_bytes())?;
        let record = convert::registrar(object)?;
        let (ordinal, _) = self.write_record(kind, &object.id, &record)?;
        self.resolver.add_registrar(&object.id, ordinal);
        self.registrar_keys(&object.id, &object.name, object.iana_id, ordinal)?;
        Ok(ordinal)
    }

    /// Adds a reference to an IDN table.
    ///
    /// # Errors
    ///
    /// See [`Self::registrar`].
    pub fn idn_table(&mut self, object: &object::IdnTable) -> Result<u32, BuildError> {
        let kind = Kind::IdnTable;
        self.place(kind, &object.id, object.id.as_bytes())?;
        let record = convert::idn_table(object)?;
        let (ordinal, _) = self.write_record(kind, &object.id, &record)?;
        self.resolver.add_idn_table(&object.id, ordinal);
        self.add_key(self.hash(object.id.as_bytes()), ordinal_value(ordinal))?;
        Ok(ordinal)
    }

    /// Adds a contact.
    ///
    /// # Errors
    ///
    /// See [`Self::registrar`].
    pub fn contact(
        &mut self,
        object: &object::Contact,
        defect: &mut dyn FnMut(Defect<'_>),
    ) -> Result<u32, BuildError> {
        let kind = Kind::Contact;
        self.place(kind, &object.id, &contact_order_key(&object.id))?;
        let record = Converter(&mut self.resolver).contact(object, defect)?;
        let (ordinal, _) = self.write_record(kind, &object.id, &record)?;
        self.resolver.add_contact(&object.id, ordinal)?;
        self.contact_keys(&object.id, &object.roid, ordinal)?;
        Ok(ordinal)
    }

    /// Adds a nameserver.
    ///
    /// # Errors
    ///
    /// See [`Self::registrar`].
    pub fn nameserver(
        &mut self,
        object: &object::Nameserver,
        defect: &mut dyn FnMut(Defect<'_>),
    ) -> Result<u32, BuildError> {
        let kind = Kind::Nameserver;
        self.named_before(Some(&object.name))?;
        self.place(kind, &object.name, object.name.as_bytes())?;
        let record = Converter(&mut self.resolver).nameserver(object, defect)?;
        let (ordinal, _) = self.write_record(kind, &object.name, &record)?;
        self.resolver.add_nameserver(object, ordinal)?;
        let v4 = object.v4.iter().map(|&octets| octets.into());
        let v6 = object.v6.iter().map(|&octets| octets.into());
        self.nameserver_keys(&object.name, &object.roid, v4.chain(v6), ordinal)?;
        Ok(ordinal)
    }

    /// Adds a name that is not a domain name.
    ///
    /// # Errors
    ///
    /// See [`Self::registrar`].
    pub fn nndn(
        &mut self,
        object: &object::Nndn,
        defect: &mut dyn FnMut(Defect<'_>),
    ) -> Result<u32, BuildError> {
        let kind = Kind::Nndn;
        self.place(kind, &object.name, object.name.as_bytes())?;
        let record = Converter(&mut self.resolver).nndn(object, defect)?;
        let (ordinal, _) = self.write_record(kind, &object.name, &record)?;
        self.resolver.add_nndn(&object.name, ordinal)?;
        self.nndn_keys(&object.name, &object.original_name, ordinal)?;
        Ok(ordinal)
    }

    /// Adds a domain.
    ///
    /// # Errors
    ///
    /// See [`Self::registrar`].
    pub fn domain(
        &mut self,
        object: &object::Domain,
        defect: &mut dyn FnMut(Defect<'_>),
    ) -> Result<u32, BuildError> {
        let kind = Kind::Domain;
        self.place(kind, &object.name, object.name.as_bytes())?;
        let record = Converter(&mut self.resolver).domain(object, defect)?;
        let (ordinal, value) = self.write_record(kind, &object.name, &record)?;
        let names = [&*object.name, &*object.roid, &*object.original_name];
        self.domain_keys(names, ordinal, value)?;
        Ok(ordinal)
    }

    /// Writes indexes, checksums and header, the header last. `defect` hears of variants, by name,
    /// whose primary does not exist.
    ///
    /// # Errors
    ///
    /// See [`Self::registrar`].
    pub fn finish(
        mut self,
        meta: &record::Meta,
        defect: &mut dyn FnMut(&str, Defect<'_>),
    ) -> Result<(W, Summary), BuildError> {
        self.advance_to(Kind::Domain)?;
        let variants = self.close_domains(defect)?;
        self.write_nameserver_sections()?;
        self.write_variants(&variants)?;
        self.write_roids()?;
        self.out.begin(SectionId::Meta)?;
        self.out.write(self.archiver.archive(Kind::Domain, "meta", meta)?)?;
        self.out.end(SectionId::Meta, 1);
        let header = Header {
            format_version: FORMAT_VERSION,
            section_align_bytes: self.options.section_align_bytes,
            hash_seed: self.options.hash_seed,
            generation: self.options.generation,
            serial: self.options.serial,
            watermark_ms: self.options.watermark_ms,
            file_bytes: 0,
            sums_hash: 0,
            sections: [Section::default(); SECTION_COUNT],
        };
        let (out, file_bytes) = self.out.finish(header)?;
        let mut counts = self.counts;
        let [.., hosts, _, _] = &mut counts;
        *hosts -= self.resolver.named.count;
        Ok((out, Summary { counts, file_bytes }))
    }

    fn hash(&self, key: &[u8]) -> u64 {
        key::hash(self.options.hash_seed, key)
    }

    /// Opens the sections of `kind` if they are not, and checks that `key` is the next one.
    fn place(&mut self, kind: Kind, key: &str, order: &[u8]) -> Result<(), BuildError> {
        archive::check_key(kind, key)?;
        if self.kind.is_some_and(|open| open > kind) {
            return Err(BuildError::Order { kind, key: key.into() });
        }
        self.advance_to(kind)?;
        let last = &mut self.open.last_key;
        match order.cmp(last.as_slice()) {
            std::cmp::Ordering::Greater => {}
            std::cmp::Ordering::Equal => {
                return Err(BuildError::Duplicate { kind, key: key.into() });
            }
            std::cmp::Ordering::Less => {
                return Err(BuildError::Order { kind, key: key.into() });
            }
        }
        last.clear();
        last.extend_from_slice(order);
        Ok(())
    }

    fn advance_to(&mut self, kind: Kind) -> Result<(), BuildError> {
        for next in Kind::ALL {
            if next > kind || self.kind.is_some_and(|open| open >= next) {
                continue;
            }
            if let Some(open) = self.kind {
                if open == Kind::Nameserver {
                    self.named_before(None)?;
                }
                let keys = self.close_heap(open)?;
                let mut sorted = keys.finish()?;
                let count = keys_of(open, &self.counts);
                let id = SectionId::Keys(open);
                write_index(id, &mut self.out, count, &mut || sorted.next())?;
            }
            self.kind = Some(next);
            self.out.begin(SectionId::Heap(next))?;
            self.open.heap_start = self.out.position();
            // Offset 0 stays free, so that no index entry is 0.
            self.out.zeros(RECORD_UNIT_BYTES as u64)?;
        }
        Ok(())
    }

    /// Ends the heap of `kind` and writes its offsets; hands its keys out and starts afresh.
    fn close_heap(&mut self, kind: Kind) -> Result<HashSorter, BuildError> {
        let end = heap_units(&self.out, self.open.heap_start)?;
        self.out.zeros(HEAP_TAIL_BYTES)?;
        let count = u64::from(self.counts[kind as usize]);
        let empty = u64::from(self.empty_counts[kind as usize]);
        self.out.end(SectionId::Heap(kind), count - empty);
        let fresh = OpenKind::new(&self.scratch, self.options.memory_bytes);
        let OpenKind { mut offsets, keys, .. } = std::mem::replace(&mut self.open, fresh);
        offsets.write(&end.to_le_bytes())?;
        self.out.begin(SectionId::Offsets(kind))?;
        offsets.drain(&mut |bytes| self.out.write(bytes))?;
        self.out.end(SectionId::Offsets(kind), count + 1);
        Ok(keys)
    }

    /// Writes a record; returns its ordinal, and its place as the domain index has it.
    fn write_record<T>(
        &mut self,
        kind: Kind,
        key: &str,
        record: &T,
    ) -> Result<(u32, u64), BuildError>
    where
        T: for<'a> rkyv::Serialize<LowSerializer<AlignedVec, ArenaHandle<'a>, BoxedError>>,
    {
        let archive = self.archiver.archive(kind, key, record)?;
        let units = archive.len().div_ceil(RECORD_UNIT_BYTES);
        let ordinal = self.counts[kind as usize];
        let offset = heap_units(&self.out, self.open.heap_start)?;
        // The root is at the archive's end, so the padding goes in front.
        let padding = (units * RECORD_UNIT_BYTES - archive.len()) as u64;
        self.out.zeros(padding)?;
        self.out.write(archive)?;
        self.add_slot(kind, offset)?;
        Ok((ordinal, u64::from(offset) << LENGTH_BITS | units as u64))
    }

    /// Counts a slot of the open heap that starts at `offset`.
    fn add_slot(&mut self, kind: Kind, offset: u32) -> Result<(), BuildError> {
        let ordinal = &mut self.counts[kind as usize];
        if *ordinal >= ORDINAL_MAX {
            return Err(BuildError::Full { what: "records of one kind", max: ORDINAL_MAX.into() });
        }
        *ordinal += 1;
        Ok(self.open.offsets.write(&offset.to_le_bytes())?)
    }

    /// Writes the domains' offsets and key index, and finds which primaries of variants exist as
    /// the hashes pass by.
    fn close_domains(
        &mut self,
        defect: &mut dyn FnMut(&str, Defect<'_>),
    ) -> Result<VariantLists, BuildError> {
        let keys = self.close_heap(Kind::Domain)?;
        let memory_bytes = self.options.memory_bytes / 16;
        let fresh = Sorter::new(Rc::clone(&self.scratch), memory_bytes);
        let variants = std::mem::replace(&mut self.variants, fresh);
        let mut lists = VariantMerge::new(variants)?;
        let mut sorted = keys.finish()?;
        let count = u64::from(self.counts[Kind::Domain as usize]);
        write_index(SectionId::Keys(Kind::Domain), &mut self.out, count, &mut || {
            let next = sorted.next()?;
            lists.pass(next.map(|entry| (entry >> 64) as u64), defect)?;
            Ok(next)
        })?;
        Ok(lists.done)
    }

    fn write_nameserver_sections(&mut self) -> Result<(), BuildError> {
        let count = self.counts[Kind::Nameserver as usize];
        self.out.begin(SectionId::NameserverOrder)?;
        if let Some(order) = self.host_order.take() {
            let mut sorted = order.finish()?;
            while let Some((_, ordinal)) = sorted.next()? {
                self.out.write(ordinal)?;
            }
        } else {
            for ordinal in (0..count).filter(|&ordinal| !self.resolver.named.has(ordinal)) {
                self.out.write(&ordinal.to_le_bytes())?;
            }
        }
        let empty = self.empty_counts[Kind::Nameserver as usize];
        let named = self.resolver.named.count;
        self.out.end(SectionId::NameserverOrder, (count - empty - named).into());
        self.out.begin(SectionId::Addresses)?;
        let fresh = Sorter::new(Rc::clone(&self.scratch), 0);
        let mut sorted = std::mem::replace(&mut self.addresses, fresh).finish()?;
        let mut entries = 0;
        let mut last = [0; 20];
        while let Some((entry, _)) = sorted.next()? {
            // A nameserver that lists an address twice is found once.
            if entries > 0 && entry == last {
                continue;
            }
            last.copy_from_slice(entry);
            self.out.write(entry)?;
            entries += 1;
        }
        self.out.end(SectionId::Addresses, entries);
        Ok(())
    }

    fn write_roids(&mut self) -> Result<(), BuildError> {
        let fresh = HashSorter::new(Rc::clone(&self.scratch), 0);
        let roids = std::mem::replace(&mut self.roids, fresh);
        let count = roids.count();
        let mut sorted = roids.finish()?;
        let (mut last, mut same) = (None, 0);
        write_index(SectionId::RoidKeys, &mut self.out, count, &mut || {
            while let Some(entry) = sorted.next()? {
                same = if last == Some(entry >> 64) { same + 1 } else { 0 };
                last = Some(entry >> 64);
                if same < SAME_ROID_COUNT_MAX {
                    return Ok(Some(entry));
                }
            }
            Ok(None)
        })
    }

    fn write_variants(&mut self, lists: &VariantLists) -> Result<(), BuildError> {
        let keys = lists.keys.len() as u64;
        let mut entries = lists.keys.iter().copied();
        write_index(SectionId::VariantKeys, &mut self.out, keys, &mut || Ok(entries.next()))?;
        self.out.begin(SectionId::Variants)?;
        for word in &lists.words {
            self.out.write(&word.to_le_bytes())?;
        }
        self.out.end(SectionId::Variants, lists.words.len() as u64);
        Ok(())
    }
}

/// Bit of a variant's packed ordinal that says "NNDN".
pub(crate) const NNDN_BIT: u32 = 1 << 31;
/// Bits of an index value that hold a domain's length, or a kind.
pub(crate) const LENGTH_BITS: u32 = 12;
/// Most records of a kind: ordinals keep their top bit free (`NNDN_BIT`).
pub const ORDINAL_MAX: u32 = NNDN_BIT - 1;
/// Most records that share one ROID in the index: more is an attack, not a registry.
const SAME_ROID_COUNT_MAX: u64 = 16;

/// Index value of an ordinal: never 0.
fn ordinal_value(ordinal: u32) -> u64 {
    (u64::from(ordinal) + 1) << LENGTH_BITS
}

/// Keys that were added for a kind: an upper bound for registrars, which have up to three.
fn keys_of(kind: Kind, counts: &[u32; 6]) -> u64 {
    let count = u64::from(counts[kind as usize]);
    if kind == Kind::Registrar { count * 3 } else { count }
}

/// Length of the open heap, in units of 8 bytes.
fn heap_units<W: Write + Seek>(out: &SectionWriter<W>, heap_start: u64) -> Result<u32, BuildError> {
    let units = (out.position() - heap_start) / RECORD_UNIT_BYTES as u64;
    let max = u64::from(u32::MAX) * RECORD_UNIT_BYTES as u64;
    u32::try_from(units).map_err(|_| BuildError::Full { what: "bytes of one kind", max })
}

fn write_index<W: Write + Seek>(
    id: SectionId,
    out: &mut SectionWriter<W>,
    keys: u64,
    next: &mut dyn FnMut() -> io::Result<Option<u128>>,
) -> Result<(), BuildError> {
    out.begin(id)?;
    index::write(&id.name(), keys, next, &mut |bytes| out.write(bytes))?;
    out.end(id, index::home_count(keys));
    Ok(())
}

/// Variants by primary, as the file has them.
#[derive(Default)]
struct VariantLists {
    /// `hash << 64 | value` of each primary, ascending.
    keys: Vec<u128>,
    words: Vec<u32>,
}

/// Merges variants, sorted by their primary's hash, with the hashes of all domains.
struct VariantMerge {
    sorted: crate::sort::Sorted,
    /// The variant that was read last: (hash, primary, name, packed).
    next: Option<(u64, String, String, u32)>,
    done: VariantLists,
}

impl VariantMerge {
    fn new(variants: Sorter) -> Result<Self, BuildError> {
        let mut merge =
            Self { sorted: variants.finish()?, next: None, done: VariantLists::default() };
        merge.read()?;
        Ok(merge)
    }

    fn read(&mut self) -> io::Result<()> {
        self.next = self.sorted.next()?.and_then(|(key, payload)| {
            let (hash, names) = key.split_first_chunk()?;
            let mut names = std::str::from_utf8(names).ok()?.split('\0');
            let packed = u32::from_le_bytes(*payload.first_chunk()?);
            Some((u64::from_be_bytes(*hash), names.next()?.into(), names.next()?.into(), packed))
        });
        Ok(())
    }

    /// Handles all variants whose primary's hash is at most `hash`; all that are left on `None`.
    fn pass(
        &mut self,
        hash: Option<u64>,
        defect: &mut dyn FnMut(&str, Defect<'_>),
    ) -> io::Result<()> {
        while let Some((variant_hash, primary, name, packed)) = &self.next {
            if hash.is_some_and(|hash| *variant_hash > hash) {
                break;
            }
            // Kept also without a primary: one that comes later finds its variants.
            let exists = hash == Some(*variant_hash);
            let (wanted, mut list) = ((*variant_hash, primary.clone()), vec![*packed]);
            let mut name = name.clone();
            loop {
                if !exists {
                    defect(&name, Defect::Dangling { kind: Kind::Domain, key: &wanted.1 });
                }
                self.read()?;
                match &self.next {
                    Some((hash, primary, next, packed))
                        if (*hash, primary) == (wanted.0, &wanted.1) =>
                    {
                        list.push(*packed);
                        name.clone_from(next);
                    }
                    _ => break,
                }
            }
            self.close_list(wanted.0, &list);
        }
        Ok(())
    }

    fn close_list(&mut self, hash: u64, list: &[u32]) {
        let value = ordinal_value(u32::try_from(self.done.words.len()).unwrap_or(u32::MAX - 1));
        self.done.keys.push(u128::from(hash) << 64 | u128::from(value));
        self.done.words.push(u32::try_from(list.len()).unwrap_or(u32::MAX));
        self.done.words.extend_from_slice(list);
    }
}

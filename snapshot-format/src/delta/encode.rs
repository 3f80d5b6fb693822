//! Changes into the payload of a frame.
//!
//! # Invariants
//!
//! - The order of changes of different keys does not matter: they are taken in order of their keys,
//!   and a reference to what is not there reserves its ordinal. Of several changes of one key the
//!   last one counts.
//! - A change that changes nothing makes no entry: replaying a batch leaves the generation as it
//!   is.
//! - A nameserver that is named has a record, if only of its name: one that is deleted keeps that,
//!   and so does one that host attributes stated once no domain names it any more.
//!
//! # Does not
//!
//! Judge objects, or number generations.

use std::collections::BTreeMap;
use std::io;

use hashbrown::{HashMap, HashSet};
use rkyv::api::low::LowSerializer;
use rkyv::rancor::BoxedError;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;

use super::Heap;
use super::entry::{Entry, Op};
use super::generation::Generation;
use super::lookup::Owner;
use super::mark::DepositMark;
use super::naming::{self, Naming};
use super::overlay::STABLE_KINDS;
use crate::archive::{Archiver, check_key};
use crate::builder::{Defect, ORDINAL_MAX};
use crate::change::{Change, Object, key_hash};
use crate::convert::{self, Converter, References};
use crate::error::{BuildError, Corrupt};
use crate::layout::Kind;
use crate::links::Link;
use crate::object::HostLink;
use crate::record::{
    ArchivedContact, ArchivedIdnTable, ArchivedNameserver, ArchivedRegistrar, ContactField, NONE,
};
use crate::status::HostStatuses;

/// The payload of a frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Entries, one after another.
    pub payload: Vec<u8>,
    /// Their number.
    pub entry_count: u32,
    /// How many of them are references to what is not there yet.
    pub reserved_count: u32,
}

impl Encoded {
    pub(super) fn push(&mut self, entry: &Entry<'_>) {
        entry.write(&mut self.payload);
        self.entry_count += 1;
    }

    /// Notes that the changes of a deposit end here. Its mark has at most 64 KiB.
    pub fn push_deposit(&mut self, mark: &DepositMark) {
        let (op, ordinal) = (Op::Deposit, NONE);
        let key = &mark.text();
        self.push(&Entry { kind: Kind::Domain, op, ordinal, key, record: &[] });
    }
}

/// The payload that makes the next generation of `generation`. `defect` hears, with the key of the
/// object, what its record is written without. Costs a few microseconds a change.
///
/// # Errors
///
/// A key or an object beyond the bounds of the format, or a damaged base; nothing is encoded.
pub fn encode<'c, D: AsRef<[u8]>, S: Heap>(
    generation: &Generation<D, S>,
    changes: impl IntoIterator<Item = &'c Change>,
    defect: &mut dyn FnMut(&str, Defect<'_>),
) -> Result<Encoded, BuildError> {
    encode_with(generation, changes, &mut Naming::default(), defect)
}

/// As [`encode`], for batch after batch: `naming` is kept, and [`Naming::advance`] reports to it
/// what became of a batch.
///
/// # Errors
///
/// As [`encode`].
pub fn encode_with<'c, D: AsRef<[u8]>, S: Heap>(
    generation: &Generation<D, S>,
    changes: impl IntoIterator<Item = &'c Change>,
    naming: &mut Naming,
    defect: &mut dyn FnMut(&str, Defect<'_>),
) -> Result<Encoded, BuildError> {
    let mut newest = BTreeMap::new();
    for change in changes {
        check_key(change.kind(), change.key())?;
        newest.insert((change.kind(), change.key()), change);
    }
    let mut known = Known::new(generation);
    for change in newest.values() {
        if let Change::Upsert(object) = change {
            known.expect(object)?;
        }
    }
    let mut encoding = Encoding {
        known,
        archiver: Archiver::new(),
        out: Encoded::default(),
        named: BTreeMap::new(),
        kept: HashMap::new(),
    };
    // Nameservers come after domains: host attributes count as long as a domain names them.
    let (hosts, others): (Vec<&Change>, Vec<&Change>) =
        newest.values().copied().partition(|change| change.kind() == Kind::Nameserver);
    for change in others.into_iter().chain(hosts) {
        match change {
            Change::Upsert(object) => encoding.upsert(object, naming, defect)?,
            Change::Delete { kind, key } => encoding.delete(*kind, key)?,
        }
    }
    encoding.unnamed(naming)?;
    encoding.name()?;
    let Encoding { known, mut out, named, .. } = encoding;
    naming.expect(named);
    for (kind, ordinal, key) in &known.reserved {
        let (kind, ordinal) = (*kind, *ordinal);
        out.push(&Entry { kind, op: Op::Reserved, ordinal, key, record: &[] });
        out.reserved_count += 1;
    }
    Ok(out)
}

pub(super) struct Encoding<'g, D, S> {
    pub(super) known: Known<'g, D, S>,
    pub(super) archiver: Archiver,
    pub(super) out: Encoded,
    /// What becomes of nameservers in domains.
    pub(super) named: BTreeMap<u32, naming::Change>,
    /// Nameservers that domains of the batch name, and how many of these do.
    pub(super) kept: HashMap<u32, u32>,
}

impl<D: AsRef<[u8]>, S: Heap> Encoding<'_, D, S> {
    fn upsert(
        &mut self,
        object: &Object,
        naming: &mut Naming,
        defect: &mut dyn FnMut(&str, Defect<'_>),
    ) -> Result<(), BuildError> {
        let key = object.key();
        if let Object::Nameserver(host) = object
            && host.statuses.any(HostStatuses::ATTRIBUTE)
            && let Some(ordinal) = self.known.ordinal(Kind::Nameserver, key)?
        {
            if !self.is_news(host, ordinal, naming)? {
                return Ok(());
            }
            if !self.is_named(ordinal, naming)? {
                return self.unname(ordinal, key);
            }
        }
        let report = &mut |what: Defect<'_>| defect(key, what);
        let mut converter = Converter(&mut self.known);
        match object {
            Object::Registrar(object) => {
                self.put(Kind::Registrar, key, &convert::registrar(object)?)
            }
            Object::IdnTable(object) => self.put(Kind::IdnTable, key, &convert::idn_table(object)?),
            Object::Contact(object) => {
                let record = converter.contact(object, report)?;
                self.put(Kind::Contact, key, &record)
            }
            Object::Nameserver(object) => {
                let record = converter.nameserver(object, report)?;
                self.put(Kind::Nameserver, key, &record)
            }
            Object::Nndn(object) => {
                let record = converter.nndn(object, report)?;
                self.put(Kind::Nndn, key, &record)
            }
            Object::Domain(object) => {
                let record = converter.domain(object, report)?;
                self.names(key, &record.nameservers)?;
                self.put(Kind::Domain, key, &record)
            }
        }
    }

    /// Writes the entry of a record, unless it is there already.
    fn put<T>(&mut self, kind: Kind, key: &str, record: &T) -> Result<(), BuildError>
    where
        T: for<'a> rkyv::Serialize<LowSerializer<AlignedVec, ArenaHandle<'a>, BoxedError>>,
    {
        let archive = self.archiver.archive(kind, key, record)?;
        let ordinal = match STABLE_KINDS.contains(&kind) {
            true => self.known.ordinal(kind, key)?.unwrap_or(NONE),
            false => NONE,
        };
        let slot = self.known.generation.slot_of(kind, ordinal, key)?;
        let same = slot.is_some_and(|slot| {
            let padding = slot.len().checked_sub(archive.len());
            padding.is_some_and(|padding| padding < 8 && slot.ends_with(archive))
        });
        if !same {
            self.out.push(&Entry { kind, op: Op::Record, ordinal, key, record: archive });
        }
        Ok(())
    }

    fn delete(&mut self, kind: Kind, key: &str) -> Result<(), BuildError> {
        let mut ordinal = NONE;
        if STABLE_KINDS.contains(&kind) {
            let known = self.known.ordinal(kind, key)?;
            let Some(known) = known else { return Ok(()) };
            ordinal = known;
        }
        if kind == Kind::Nameserver {
            return self.delete_host(ordinal, key);
        }
        if kind == Kind::Domain {
            self.names(key, &[])?;
        }
        let slot = self.known.generation.slot_of(kind, ordinal, key)?;
        if slot.is_some() {
            self.out.push(&Entry { kind, op: Op::Removed, ordinal, key, record: &[] });
        }
        Ok(())
    }
}

/// Ordinals of the generation, and those that the batch gives.
pub(super) struct Known<'g, D, S> {
    pub(super) generation: &'g Generation<D, S>,
    /// Ordinals that were looked up or given, by kind.
    ordinals: [HashMap<String, u32>; 4],
    next: [u32; 4],
    /// Nameservers of the batch.
    pub(super) stated: HashSet<u32>,
    /// Nameservers that are named and have no record.
    pub(super) named: BTreeMap<u32, String>,
    /// ROIDs of the batch's nameservers.
    host_roids: HashMap<String, Link>,
    nndns: HashMap<String, bool>,
    /// Ordinals given to what is not there.
    reserved: Vec<(Kind, u32, String)>,
}

impl<'g, D: AsRef<[u8]>, S: Heap> Known<'g, D, S> {
    fn new(generation: &'g Generation<D, S>) -> Self {
        Self {
            generation,
            ordinals: std::array::from_fn(|_| HashMap::new()),
            next: STABLE_KINDS.map(|kind| generation.ordinals_end(kind)),
            stated: HashSet::new(),
            named: BTreeMap::new(),
            host_roids: HashMap::new(),
            nndns: HashMap::new(),
            reserved: Vec::new(),
        }
    }

    /// Gives an object of the batch its ordinal, if its kind has them.
    fn expect(&mut self, object: &Object) -> io::Result<()> {
        let (kind, key) = (object.kind(), object.key());
        match object {
            Object::Nndn(_) => {
                self.nndns.insert(key.into(), true);
            }
            Object::Domain(_) => {}
            _ => {
                let ordinal = self.ordinal_or_new(kind, key)?.0;
                let Object::Nameserver(host) = object else { return Ok(()) };
                self.stated.insert(ordinal);
                if !host.roid.is_empty() {
                    let link = self.host_roids.entry_ref(host.roid.as_str());
                    link.and_modify(|link| *link = Link::Several).or_insert(Link::One(ordinal));
                }
            }
        }
        Ok(())
    }

    /// The ordinal of a key, if it ever had one.
    fn ordinal(&mut self, kind: Kind, key: &str) -> io::Result<Option<u32>> {
        let known = &mut self.ordinals[kind as usize];
        if let Some(&ordinal) = known.get(key) {
            return Ok(Some(ordinal));
        }
        let found = self.generation.ordinal_of(kind, key)?;
        if let Some(ordinal) = found {
            known.insert(key.into(), ordinal);
        }
        Ok(found)
    }

    /// The ordinal of a key, and whether it was given just now.
    fn ordinal_or_new(&mut self, kind: Kind, key: &str) -> io::Result<(u32, bool)> {
        if let Some(ordinal) = self.ordinal(kind, key)? {
            return Ok((ordinal, false));
        }
        let next = &mut self.next[kind as usize];
        let ordinal = *next;
        if ordinal >= ORDINAL_MAX {
            return Err(io::Error::other("there are no ordinals left; import again"));
        }
        *next += 1;
        self.ordinals[kind as usize].insert(key.into(), ordinal);
        Ok((ordinal, true))
    }

    /// The ordinal of what an object refers to.
    fn refer(&mut self, kind: Kind, key: &str) -> io::Result<Link> {
        if check_key(kind, key).is_err() {
            return Ok(Link::None);
        }
        let (ordinal, is_new) = self.ordinal_or_new(kind, key)?;
        if kind == Kind::Nameserver {
            let known = self.stated.contains(&ordinal) || self.named.contains_key(&ordinal);
            if !known && self.generation.slot_of(kind, ordinal, "")?.is_none() {
                self.named.insert(ordinal, key.into());
            }
        } else if is_new {
            self.reserved.push((kind, ordinal, key.into()));
        }
        Ok(Link::One(ordinal))
    }
}

impl<D: AsRef<[u8]>, S: Heap> References for Known<'_, D, S> {
    fn registrar(&mut self, id: &str) -> io::Result<Link> {
        self.refer(Kind::Registrar, id)
    }

    fn idn_table(&mut self, id: &str) -> io::Result<Link> {
        self.refer(Kind::IdnTable, id)
    }

    fn contact(&mut self, id: &str) -> io::Result<Link> {
        self.refer(Kind::Contact, id)
    }

    fn nameserver(&mut self, link: &HostLink) -> io::Result<Link> {
        let roid = match link {
            HostLink::Name(name) => return self.refer(Kind::Nameserver, name),
            HostLink::Roid(roid) => roid,
        };
        if let Some(link) = self.host_roids.get(roid.as_str()) {
            return Ok(*link);
        }
        let mut found = Link::None;
        for owner in self.generation.find_roid(roid) {
            if let Owner::Nameserver(host) = owner?
                && host.roid == *roid.as_str()
            {
                let ordinal = self.generation.ordinal_of(Kind::Nameserver, &host.name);
                let ordinal = ordinal?.unwrap_or(NONE);
                found = if found == Link::None { Link::One(ordinal) } else { Link::Several };
            }
        }
        self.host_roids.insert(roid.clone(), found);
        Ok(found)
    }

    fn is_nndn(&mut self, name: &str) -> io::Result<bool> {
        if let Some(is) = self.nndns.get(name) {
            return Ok(*is);
        }
        Ok(self.generation.find_nndn(name)?.is_some())
    }
}

impl<D: AsRef<[u8]>, S: Heap> Generation<D, S> {
    /// The ordinal of a key of a kind that keeps its ordinals, whether it has a record or not.
    ///
    /// # Errors
    ///
    /// A damaged record.
    pub fn ordinal_of(&self, kind: Kind, key: &str) -> Result<Option<u32>, Corrupt> {
        let Some(hash) = key_hash(self.base.header().hash_seed, kind, key) else { return Ok(None) };
        for ordinal in self.ordinals(kind, hash) {
            let changed = self.overlay.stable(kind).and_then(|stable| stable.place(ordinal));
            let same = match changed {
                Some(place) => self.entry_at(place).is_some_and(|entry| entry.key == key),
                None => self.base_has_key(kind, ordinal, key)?,
            };
            if same {
                return Ok(Some(ordinal));
            }
        }
        Ok(None)
    }

    fn base_has_key(&self, kind: Kind, ordinal: u32, key: &str) -> Result<bool, Corrupt> {
        let base = &self.base;
        fn is<T>(record: Option<&T>, is: impl FnOnce(&T) -> bool) -> bool {
            record.is_some_and(is)
        }
        Ok(match kind {
            Kind::Registrar => {
                is(base.record_or_none(ordinal)?, |record: &ArchivedRegistrar| record.id == *key)
            }
            Kind::IdnTable => {
                is(base.record_or_none(ordinal)?, |record: &ArchivedIdnTable| record.id == *key)
            }
            Kind::Contact => is(base.record_or_none(ordinal)?, |record: &ArchivedContact| {
                record.field(ContactField::Id) == key
            }),
            Kind::Nameserver => {
                is(base.record_or_none(ordinal)?, |record: &ArchivedNameserver| record.name == *key)
            }
            Kind::Nndn | Kind::Domain => false,
        })
    }

    /// The bytes of a record: by ordinal of kinds that keep theirs, otherwise by name.
    pub(crate) fn slot_of(
        &self,
        kind: Kind,
        ordinal: u32,
        key: &str,
    ) -> Result<Option<&[u8]>, Corrupt> {
        if let Some(stable) = self.overlay.stable(kind) {
            return Ok(match stable.place(ordinal) {
                Some(place) if !place.is_record => None,
                Some(place) => self.slot_at(place),
                None => self.base.slot(kind, ordinal).filter(|slot| !slot.is_empty()),
            });
        }
        if let Some(place) = self.place_of_name(kind, key) {
            return Ok(place.is_record.then(|| self.slot_at(place)).flatten());
        }
        self.base.slot_of_name(kind, key)
    }
}

//! Which records answer a question.
//!
//! # Invariants
//!
//! - `bounded`: a chain of variants has at most [`VARIANT_HOPS_MAX`] steps; lists hold at most
//!   [`WILDCARD_NAMES_MAX`] matches, but for those of an address, which are not collected.
//! - `no-text`: nothing here knows how a question was written, or how its answer reads.
//!
//! # Does not
//!
//! Decide what a requester may see: `policy` does. Know patterns (`pattern`) or names of registrars
//! (`registrar`).

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::IpAddr;

use snapshot_format::Corrupt;
use snapshot_format::delta::Owner;
use snapshot_format::object::NndnState;
use snapshot_format::record::{ArchivedContact, ArchivedDomain, ArchivedNameserver, ArchivedNndn};

use super::pattern::{self, Of};
use super::question::{Question, Settled};
use super::wildcard::WILDCARD_NAMES_MAX;
use super::{registrar, suffix};
use crate::idn::{self, Short, narrow};
use crate::view::{Data, View};

/// Longest chain from a variant to its primary.
const VARIANT_HOPS_MAX: usize = 8;

/// Most records with one identifier that an answer shows: those of several TLDs, or that differ in
/// case.
const SAME_ID_MAX: usize = 16;

/// Longest identifier that can be asked for, bytes: no protocol takes a longer question.
pub(super) const IDENTIFIER_BYTES_MAX: usize = 1024;

/// What answers a question.
#[derive(Clone, Copy)]
pub(super) enum Found<'v, 'r> {
    /// The domain of a name, or the one that the name is a variant or a mirror of.
    Domain(&'v ArchivedDomain),
    /// The domains that match a pattern: one at least.
    Domains(&'r Matches<&'v ArchivedDomain>),
    /// A name that is kept back from registration.
    Reserved(&'v ArchivedNndn),
    /// The nameserver of a name.
    Nameserver(&'v ArchivedNameserver),
    /// The nameservers that match a pattern: one at least.
    Nameservers(&'r Matches<&'v ArchivedNameserver>),
    /// The nameservers of an address: one at least.
    NameserversAt(At<'v>),
    /// The ordinals of registrars: one at least.
    Registrars(&'r Matches<u32>),
    /// The only contact with an identifier.
    Contact(&'v ArchivedContact),
    /// The contacts with an identifier, of which there are several.
    Contacts(&'r SameId<&'v ArchivedContact>),
    /// The only record with a repository object identifier, which may be a variant.
    Object(Owner<'v>),
    /// The records with a repository object identifier, of which there are several.
    Objects(&'r SameId<Owner<'v>>),
    /// Nothing.
    Absent(Absent<'r>),
}

/// What is known about a name or identifier that no record has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Absent<'r> {
    /// Nothing more.
    NoRecord,
    /// It is a name below this one: a host below a domain is not free.
    Below(Above<'r>),
    /// It lies under no suffix of the snapshot.
    Elsewhere,
    /// It is a suffix of the snapshot itself.
    SuffixItself,
    /// Suffixes of the snapshot lie below it.
    SuffixBelow,
    /// It has no dot.
    OneLabel,
}

/// What there is above a name that no record has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Above<'n> {
    Registered(&'n str),
    KeptBack(&'n str),
}

/// Why a question cannot be answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    /// Not the name of a domain or a host.
    Name,
    /// A wildcard among the first characters.
    WildcardEarly,
    /// A wildcard in an identifier.
    WildcardKind,
    /// The pattern needs more steps than one query may take.
    Budget,
    /// A record that cannot be read.
    Damaged(Corrupt),
}

impl From<Corrupt> for Failure {
    fn from(corrupt: Corrupt) -> Self {
        Self::Damaged(corrupt)
    }
}

/// The nameservers of an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'v> {
    data: &'v Data,
    address: IpAddr,
}

impl<'v> At<'v> {
    /// All of them, in the order of their ordinals.
    pub(super) fn iter(self) -> impl Iterator<Item = Result<&'v ArchivedNameserver, Corrupt>> {
        self.data.nameservers_by_address(self.address)
    }
}

/// Why a list of matches ends where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListEnd {
    /// Everything is there.
    Complete,
    /// There are more than are listed.
    More,
    /// The step budget ran out.
    Budget,
}

/// The first matches of a question, at most `N`.
pub(super) struct Matches<T, const N: usize = WILDCARD_NAMES_MAX> {
    list: [Option<T>; N],
    count: usize,
    pub(super) end: ListEnd,
}

impl<T: Copy, const N: usize> Matches<T, N> {
    pub(super) const fn new() -> Self {
        Self { list: [None; N], count: 0, end: ListEnd::Complete }
    }

    /// Adds one; `false` if there was no room.
    pub(super) fn push(&mut self, found: T) -> bool {
        let Some(place) = self.list.get_mut(self.count) else {
            self.end = ListEnd::More;
            return false;
        };
        *place = Some(found);
        self.count = self.count.saturating_add(1);
        true
    }

    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Whether a whole search found nothing.
    pub(super) fn is_none(&self) -> bool {
        self.count == 0 && self.end == ListEnd::Complete
    }

    /// Whether there is one match, and certainly no other.
    pub(super) fn is_only_one(&self) -> bool {
        self.count == 1 && self.end == ListEnd::Complete
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = T> + Clone {
        self.list.iter().take(self.count).filter_map(|found| *found)
    }
}

/// The records with one identifier.
pub(super) type SameId<T> = Matches<T, SAME_ID_MAX>;

/// An identifier whose fullwidth characters are narrow: no longer than what was typed.
type Identifier = Short<IDENTIFIER_BYTES_MAX>;

/// Room for what is found, on the stack of the caller: empty until something needs it.
#[derive(Default)]
pub(super) struct Room<'v> {
    pub(super) domains: Option<Matches<&'v ArchivedDomain>>,
    pub(super) nameservers: Option<Matches<&'v ArchivedNameserver>>,
    pub(super) registrars: Option<Matches<u32>>,
    contacts: Option<SameId<&'v ArchivedContact>>,
    objects: Option<SameId<Owner<'v>>>,
}

/// What answers a question. Costs: benches/MEASUREMENTS.md.
///
/// # Errors
///
/// The typed text cannot be looked up, or a record cannot be read.
#[inline]
pub(super) fn find<'v, 'r>(
    view: &'v View,
    settled: &Settled<'r>,
    room: &'r mut Room<'v>,
) -> Result<Found<'v, 'r>, Failure> {
    let of = match settled.question {
        Question::Name(_) => return domain(view, settled, true),
        Question::Domain(_) => return domain(view, settled, false),
        Question::Nameserver(_) => return nameserver(view, settled),
        Question::Address(address) => return at_address(view, address),
        Question::Registrar(typed) => return registrar::exact(view, typed, room),
        Question::RegistrarPart(typed) => return registrar::part(view, typed, room),
        Question::Contact(typed) => return contacts(view.data(), typed, room),
        Question::Roid(typed) => return objects(view.data(), typed, room),
        Question::Entity(typed) => return entity(view, typed, room),
        Question::NamePattern(_) => Of::Either,
        Question::DomainPattern(_) => Of::Domains,
        Question::NameserverPattern(_) => Of::Nameservers,
    };
    pattern::matching(view, settled, of, room)
}

/// The domain of a name, or else, if there is no keyword, the nameserver.
#[inline]
fn domain<'v, 'r>(
    view: &'v View,
    settled: &Settled<'r>,
    or_nameserver: bool,
) -> Result<Found<'v, 'r>, Failure> {
    let (data, name) = (view.data(), settled.name.ok_or(Failure::Name)?);
    if let Some(record) = registered(data, name)? {
        return Ok(Found::Domain(record));
    }
    if let Some(nndn) = data.find_nndn(name)? {
        return reserved(data, nndn);
    }
    if or_nameserver && let Some(record) = data.find_nameserver(name)? {
        return Ok(Found::Nameserver(record));
    }
    Ok(Found::Absent(without_domain(view, name)?))
}

/// The domain of that name, or the one that it is a variant of.
#[inline]
pub(super) fn registered<'v>(
    data: &'v Data,
    name: &str,
) -> Result<Option<&'v ArchivedDomain>, Corrupt> {
    match data.find_domain(name)? {
        Some(record) => primary(data, record).map(Some),
        None => Ok(None),
    }
}

/// The domain that `record` is a variant of, or itself.
fn primary<'v>(data: &'v Data, record: &'v ArchivedDomain) -> Result<&'v ArchivedDomain, Corrupt> {
    let mut record = record;
    for _ in 0..VARIANT_HOPS_MAX {
        let Some(cold) = record.cold.as_ref() else { break };
        if cold.original_name.is_empty() {
            break;
        }
        match data.find_domain(&cold.original_name)? {
            Some(original) => record = original,
            None => break,
        }
    }
    Ok(record)
}

/// A name that is not a domain name, or the domain that it mirrors.
fn reserved<'v, 'r>(data: &'v Data, nndn: &'v ArchivedNndn) -> Result<Found<'v, 'r>, Failure> {
    if nndn.state == NndnState::Mirrored as u8
        && let Some(record) = registered(data, &nndn.original_name)?
    {
        return Ok(Found::Domain(record));
    }
    Ok(Found::Reserved(nndn))
}

/// Why no domain has a name, where a reason is known.
fn without_domain<'n>(view: &View, name: &'n str) -> Result<Absent<'n>, Corrupt> {
    if let Some(reason) = no_whole_name(view, name) {
        return Ok(reason);
    }
    if !is_served(view, name) {
        return Ok(Absent::Elsewhere);
    }
    Ok(above(view, name)?.map_or(Absent::NoRecord, Absent::Below))
}

/// Whether a name is a suffix itself, or above one, or has no dot.
fn no_whole_name<'r>(view: &View, name: &str) -> Option<Absent<'r>> {
    match () {
        () if suffix::is_one(view, name) => Some(Absent::SuffixItself),
        () if view.suffixes_lie_below(name) => Some(Absent::SuffixBelow),
        () if !name.contains('.') => Some(Absent::OneLabel),
        () => None,
    }
}

/// What is registered, or kept back, above a name that no record has: the nearest within its
/// suffix.
pub(super) fn above<'n>(view: &View, name: &'n str) -> Result<Option<Above<'n>>, Corrupt> {
    let mut rest = name;
    // At most as many steps as a name has labels, 127.
    while let Some((_, parent)) = rest.split_once('.') {
        if suffix::is_one(view, parent) || !parent.contains('.') {
            break;
        }
        if view.data().find_domain(parent)?.is_some() {
            return Ok(Some(Above::Registered(parent)));
        }
        if view.data().find_nndn(parent)?.is_some() {
            return Ok(Some(Above::KeptBack(parent)));
        }
        rest = parent;
    }
    Ok(None)
}

/// Whether a name lies under one of the snapshot's suffixes, or is one. A snapshot that names no
/// suffix serves every name.
pub(super) fn is_served(view: &View, name: &str) -> bool {
    view.suffixes().is_empty() || suffix::of_canonical(view, name).is_some()
}

fn nameserver<'v, 'r>(view: &'v View, settled: &Settled<'r>) -> Result<Found<'v, 'r>, Failure> {
    let name = settled.name.ok_or(Failure::Name)?;
    Ok(match view.data().find_nameserver(name)? {
        Some(record) => Found::Nameserver(record),
        None => Found::Absent(no_whole_name(view, name).unwrap_or(Absent::NoRecord)),
    })
}

fn at_address<'v, 'r>(view: &'v View, address: IpAddr) -> Result<Found<'v, 'r>, Failure> {
    let at = At { data: view.data(), address };
    let first = at.iter().next().transpose()?;
    Ok(first.map_or(Found::Absent(Absent::NoRecord), |_| Found::NameserversAt(at)))
}

fn contacts<'v, 'r>(
    data: &'v Data,
    typed: &str,
    room: &'r mut Room<'v>,
) -> Result<Found<'v, 'r>, Failure> {
    let mut narrowed = None;
    let id = as_kept(typed, &mut narrowed, |id| data.find_contacts(id).next().is_some());
    let mut all = data.find_contacts(id);
    let Some(first) = all.next().transpose()? else { return no_identifier(typed) };
    let Some(second) = all.next().transpose()? else { return Ok(Found::Contact(first)) };
    let more = all.take(SAME_ID_MAX);
    Ok(Found::Contacts(listed(&mut room.contacts, [first, second], more)?))
}

/// A registrar by its IANA identifier, its name or its identifier within the registry; or else a
/// contact by its repository object identifier, or its identifier.
fn entity<'v, 'r>(
    view: &'v View,
    typed: &str,
    room: &'r mut Room<'v>,
) -> Result<Found<'v, 'r>, Failure> {
    if registrar::is_one(view, typed) {
        return registrar::exact(view, typed, room);
    }
    let data = view.data();
    if let Some(found) = registrar::with_id(view, typed)? {
        return Ok(Found::Registrars(room.registrars.insert(found)));
    }
    for owner in data.find_roid(typed).take(SAME_ID_MAX) {
        if let Owner::Contact(record) = owner? {
            return Ok(Found::Contact(record));
        }
    }
    contacts(data, typed, room)
}

/// Matches of which the first two are known.
fn listed<T: Copy>(
    room: &mut Option<SameId<T>>,
    first: [T; 2],
    more: impl Iterator<Item = Result<T, Corrupt>>,
) -> Result<&SameId<T>, Corrupt> {
    let found = room.insert(Matches::new());
    for record in first.into_iter().map(Ok).chain(more) {
        if !found.push(record?) {
            break;
        }
    }
    Ok(found)
}

fn objects<'v, 'r>(
    data: &'v Data,
    typed: &str,
    room: &'r mut Room<'v>,
) -> Result<Found<'v, 'r>, Failure> {
    let mut narrowed = None;
    let roid = as_kept(typed, &mut narrowed, |roid| data.find_roid(roid).next().is_some());
    let mut all = data.find_roid(roid);
    let Some(first) = all.next().transpose()? else { return no_identifier(typed) };
    let Some(second) = all.next().transpose()? else { return Ok(Found::Object(first)) };
    let more = all.take(SAME_ID_MAX);
    Ok(Found::Objects(listed(&mut room.objects, [first, second], more)?))
}

/// Nothing has an identifier, which knows no wildcards.
fn no_identifier<'v, 'r>(typed: &str) -> Result<Found<'v, 'r>, Failure> {
    if typed.contains(is_many) {
        return Err(Failure::WildcardKind);
    }
    Ok(Found::Absent(Absent::NoRecord))
}

/// Whether a character is a wildcard that no identifier has.
pub(super) const fn is_many(c: char) -> bool {
    matches!(narrow(c), '%' | '*')
}

/// An identifier as it was typed, or, if nothing has that one, decoded where it is an A-label, or
/// without fullwidth and invisible characters.
fn as_kept<'t>(
    typed: &'t str,
    narrowed: &'t mut Option<Identifier>,
    is_there: impl Fn(&str) -> bool,
) -> &'t str {
    // Debian's client sends a last word beyond ASCII as an A-label.
    let decoded = idn::decoded(typed);
    if (typed.is_ascii() && decoded.is_none()) || is_there(typed) {
        return typed;
    }
    let narrowed = narrowed.insert(Identifier::new());
    if let Some(decoded) = decoded {
        narrowed.push_all(decoded.as_bytes());
        return narrowed.as_str();
    }
    for c in typed.chars().filter(|&c| !idn::is_ignorable(c)) {
        narrowed.push_char(narrow(c));
    }
    narrowed.as_str()
}

//! Names and how a profile picks among them.
//!
//! # Invariants
//!
//! - A kind without names has no share; the others share its part in proportion.
//! - A request says whether it is a hit only where that is known: a snapshot's names, made-up
//!   misses.
//!
//! # Does not
//!
//! Copy a snapshot's names.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use super::lines::Lines;
use super::pick::{Picker, Turn, Zipf};
use super::profile::{Order, Parsed};
use super::{Kind, Manner, Profile, Request, WorkloadError};
use crate::random::Random;
use crate::snapshot::SnapshotNames;

/// Kinds that have shares, the first ones of [`Kind::ALL`].
const KIND_COUNT: usize = 7;
/// Characters of a name before a wildcard: the server's least and two more.
const WILDCARD_PREFIX_CHARS: usize = 7;

/// Where names come from.
#[derive(Debug, Clone)]
pub enum Names {
    /// A snapshot directory of whoisd.
    Directory(PathBuf),
    /// A file with one query line per line; kinds are guessed.
    File(PathBuf),
    /// Made-up domain names below `.example`: `n0.example` and so on.
    Generated {
        /// How many.
        count: u64,
    },
}

#[derive(Debug)]
enum Store {
    Snapshot(SnapshotNames),
    Lines(Lines),
    Generated { count: u64 },
    Recorded(Lines),
}

impl Store {
    /// How many names can be asked for as this kind.
    fn count(&self, kind: Kind) -> u64 {
        match (self, kind) {
            (Self::Snapshot(names), Kind::Domain | Kind::Miss | Kind::Wildcard) => {
                names.domain_count()
            }
            (Self::Snapshot(names), Kind::Idn) => names.idn_count(),
            (Self::Snapshot(names), Kind::Nameserver) => names.nameserver_count(),
            (Self::Snapshot(names), Kind::Contact) => names.contact_count(),
            (Self::Snapshot(names), Kind::Registrar) => names.registrar_count(),
            (Self::Lines(lines), Kind::Miss) => lines.count(Kind::Domain),
            (Self::Lines(lines), kind) => lines.count(kind),
            (Self::Generated { count }, Kind::Domain | Kind::Miss | Kind::Wildcard) => *count,
            _ => 0,
        }
    }
}

#[derive(Debug)]
struct Inner {
    store: Store,
    profile: Option<Parsed>,
    /// Up to which draw in (0, 1] each kind comes.
    upto: [f64; KIND_COUNT],
    pickers: [Picker; KIND_COUNT],
}

/// The names and the profile of a run, shared by its cores.
#[derive(Debug, Clone)]
pub struct Source {
    inner: Arc<Inner>,
}

impl Source {
    /// Opens the names that `profile` asks for.
    ///
    /// # Errors
    ///
    /// Names that cannot be read, or none of any kind that the profile asks for.
    pub fn open(profile: &Profile, names: &Names) -> Result<Self, WorkloadError> {
        let store = match names {
            Names::Directory(path) => Store::Snapshot(SnapshotNames::open(path)?),
            Names::File(path) => Store::Lines(Lines::read(path)?),
            Names::Generated { count } => Store::Generated { count: *count },
        };
        let parsed = profile.parsed();
        let kinds = kinds();
        let counts = kinds.map(|kind| store.count(kind));
        let mut shares = parsed.shares();
        for (share, &count) in shares.iter_mut().zip(&counts) {
            if count == 0 {
                *share = 0.0;
            }
        }
        let sum: f64 = shares.iter().sum();
        if sum <= 0.0 {
            let asked = kinds.iter().zip(parsed.shares()).filter(|(_, share)| *share > 0.0);
            let kinds = asked.map(|(kind, _)| kind.name()).collect();
            return Err(WorkloadError::NoName { profile: profile.name().to_owned(), kinds });
        }
        let mut before = 0.0;
        let upto = shares.map(|share| {
            before += share / sum;
            before
        });
        let pickers = counts.map(|count| match parsed.order {
            Order::Uniform => Picker::Uniform { count },
            Order::Zipf => Picker::Zipf(Zipf::new(count, parsed.zipf_exponent)),
            Order::Scan => Picker::Scan { count },
        });
        Ok(Self { inner: Arc::new(Inner { store, profile: Some(*parsed), upto, pickers }) })
    }

    /// The queries of a log, in its order.
    pub(super) fn recorded(lines: Lines) -> Self {
        let count = lines.len();
        let pickers =
            [const { Picker::Scan { count: 0 } }; KIND_COUNT].map(|_none| Picker::Scan { count });
        let store = Store::Recorded(lines);
        Self { inner: Arc::new(Inner { store, profile: None, upto: [1.0; KIND_COUNT], pickers }) }
    }

    /// Puts the next request into `into`.
    pub(super) fn next(
        &self,
        random: &mut Random,
        turn: &mut Turn,
        scratch: &mut String,
        into: &mut Request,
    ) {
        let inner = &*self.inner;
        // Past the last kind with a share only by rounding: then it is that kind.
        let draw = random.uniform().min(inner.upto.last().copied().unwrap_or(1.0));
        let place = inner.upto.iter().position(|&upto| draw <= upto).unwrap_or(0);
        let kind = Kind::ALL.get(place).copied().unwrap_or_default();
        let Some(picker) = inner.pickers.get(place) else { return };
        let index = picker.pick(random, turn, place);
        scratch.clear();
        match &inner.store {
            Store::Snapshot(names) => snapshot(names, kind, index, random, scratch, into),
            Store::Lines(lines) if kind == Kind::Miss => {
                let (_, subject) = lines.get(Kind::Domain, index);
                miss(subject, random, scratch, into);
            }
            Store::Lines(lines) => {
                let (line, subject) = lines.get(kind, index);
                into.set(lines.kind(kind, index), "", line, "");
                into.subject.push_str(subject);
            }
            Store::Generated { .. } => {
                // A String takes everything that is written to it.
                let _ = write!(scratch, "n{index}.example");
                match kind {
                    Kind::Miss => {
                        scratch.clear();
                        miss("n.example", random, scratch, into);
                    }
                    Kind::Wildcard => wildcard(scratch, into),
                    _ => {
                        into.set(kind, "", scratch.as_bytes(), "");
                        into.subject.push_str(scratch);
                    }
                }
            }
            Store::Recorded(lines) => {
                into.set(Kind::Recorded, "", lines.at(index), "");
            }
        }
        if let Some(profile) = &inner.profile {
            into.manner = manner(profile, random);
        }
    }
}

fn kinds() -> [Kind; KIND_COUNT] {
    let [domain, idn, miss, nameserver, contact, registrar, wildcard, ..] = Kind::ALL;
    [domain, idn, miss, nameserver, contact, registrar, wildcard]
}

fn manner(profile: &Parsed, random: &mut Random) -> Manner {
    if profile.slow_share + profile.silent_share <= 0.0 {
        return Manner::Usual;
    }
    let draw = random.uniform();
    if draw <= profile.slow_share {
        Manner::Slow { gap_us: profile.slow_gap_us }
    } else if draw <= profile.slow_share + profile.silent_share {
        Manner::Silent
    } else {
        Manner::Usual
    }
}

fn snapshot(
    names: &SnapshotNames,
    kind: Kind,
    index: u64,
    random: &mut Random,
    scratch: &mut String,
    into: &mut Request,
) {
    match kind {
        Kind::Idn => {
            let idn = names.idn(index);
            let by_a_labels = idn.u_name.is_empty() || random.below(2) == 0;
            let typed = if by_a_labels { idn.name } else { idn.u_name };
            into.set(kind, "", typed.as_bytes(), "");
            into.expect(idn.shown);
        }
        Kind::Miss => miss(names.domain(index).name, random, scratch, into),
        Kind::Wildcard => wildcard(names.domain(index).name, into),
        Kind::Nameserver => {
            let name = names.nameserver(index);
            into.set(kind, "nameserver ", name.as_bytes(), "");
            into.expect(name);
        }
        // Rules may hide the identifier, or contacts altogether, so it may be a hit or a miss.
        Kind::Contact => into.set(kind, "contact ", names.contact(index).as_bytes(), ""),
        Kind::Registrar => {
            let name = names.registrar(index);
            into.set(kind, "registrar ", name.as_bytes(), "");
            // Answers may write other names in another way.
            let is_plain = name.bytes().all(|byte| (b' '..0x7f).contains(&byte));
            if is_plain && name.trim() == name {
                into.expect(name);
            }
        }
        Kind::Domain | Kind::Recorded | Kind::Other => {
            let domain = names.domain(index);
            into.set(kind, "", domain.name.as_bytes(), "");
            into.expect(domain.shown);
        }
    }
}

/// A name that is not registered, under the suffix of `like`; without a suffix if that has none.
fn miss(like: &str, random: &mut Random, scratch: &mut String, into: &mut Request) {
    let suffix = like.find('.').and_then(|dot| like.get(dot..)).unwrap_or_default();
    // A String takes everything that is written to it.
    let _ = write!(scratch, "zq{:013x}{suffix}", random.next() >> 12);
    into.set(Kind::Miss, "", scratch.as_bytes(), "");
    into.hit = Some(false);
}

/// A pattern that matches `like`.
fn wildcard(like: &str, into: &mut Request) {
    let end = like.char_indices().nth(WILDCARD_PREFIX_CHARS).map_or(like.len(), |(at, _)| at);
    let prefix = like.get(..end).unwrap_or(like);
    into.set(Kind::Wildcard, "", prefix.as_bytes(), "%");
}

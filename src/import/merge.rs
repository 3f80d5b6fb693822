//! Walks the sorted objects, joins parts with their object, checks it, and hands it on: to the
//! builder of a snapshot, or to the code that applies changes.
//!
//! # Invariants
//!
//! - One object is in memory at a time.
//! - An object is handed on once: a second one with its key refuses the deposit. Of one that
//!   several deposits have, or that stays beside them, the newer one is handed on.
//!
//! # Does not
//!
//! Read deposits, or publish what comes of it.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io::{Seek, Write};

use ahash::RandomState;
use hashbrown::HashMap;
use rkyv::rancor::Error as RkyvError;
use snapshot_format::object::{Contact, Domain, IdnTable, Nameserver, Nndn, Registrar};
use snapshot_format::record::Meta;
use snapshot_format::status::HostStatuses;
use snapshot_format::suffixes::Suffixes;
use snapshot_format::{Builder, Defect, Kind, Summary};

use super::collect::{Rank, damaged, next_part, split};
use super::csv::GURID_MARK;
use super::join;
use super::join::DomainPart;
use super::left_out::{Entry, LeftOut};
use super::model::Stop;
use super::packed;
use super::progress::Watch;
use super::sink::Removal;
use super::sink::{Heard, Sink};
use super::standing::Kept;
use crate::vet::check::{self, Context};
use crate::vet::findings::{Defects, Findings, ObjectKind, Place};
use crate::vet::is_below;
use crate::vet::rule::Rule;
use crate::vet::value;

/// The object at hand.
enum Held {
    None,
    Registrar(Registrar),
    IdnTable(IdnTable),
    Contact(Contact),
    /// A nameserver; `true`: host attributes alone state it.
    Nameserver(Nameserver, bool),
    Nndn(Nndn),
    Domain(Domain),
}

/// Hands sorted objects on, whole and checked.
pub(super) struct Merge<'m, 'r, S> {
    sink: S,
    findings: &'m mut Findings<'r>,
    /// What rules need to know, by deposit.
    contexts: Vec<Context<'m>>,
    /// Time of what stays beside the deposits.
    standing_ms: i64,
    /// The deposit whose object is at hand.
    deposit: u8,
    /// Whether what follows of the deposit that comes now is passed over.
    passed_over: Option<u8>,
    left_out: LeftOut,
    held: Held,
    rank: Rank,
    place: Place,
    defects: Defects,
    /// Memory for a domain.
    spare_domain: Domain,
    /// Identifiers of registrars by IANA identifier; empty: several have it.
    gurids: HashMap<u32, String, RandomState>,
    /// Registry-class names whose domains are counted, and how many there are.
    pub(super) rcdns: Vec<(String, u64)>,
    suffixes: Suffixes,
    /// Parent of the name before, which is known.
    last_parent: String,
    pub(super) domains: u64,
}

impl<'m, 'r, S: Sink> Merge<'m, 'r, S> {
    pub(super) fn new(
        sink: S,
        findings: &'m mut Findings<'r>,
        contexts: Vec<Context<'m>>,
        rcdns: Vec<(String, u64)>,
    ) -> Self {
        let mut suffixes = Suffixes::default();
        contexts.iter().flat_map(|context| &context.zones).for_each(|zone| suffixes.declare(zone));
        Self {
            sink,
            findings,
            contexts,
            standing_ms: i64::MIN,
            deposit: 0,
            passed_over: None,
            left_out: LeftOut::default(),
            held: Held::None,
            rank: Rank::Xml,
            place: Place::default(),
            defects: Defects::default(),
            spare_domain: Domain::default(),
            gurids: HashMap::default(),
            rcdns,
            suffixes,
            last_parent: String::new(),
            domains: 0,
        }
    }

    /// Takes all objects. `total`: how many there are, about.
    pub(super) fn run(
        &mut self,
        sorted: &mut snapshot_format::sort::Sorted,
        total: u64,
        watch: &mut Watch<'_>,
    ) -> Result<(), Stop> {
        let mut group: Vec<u8> = Vec::new();
        let mut done = 0u64;
        while let Some((key, payload)) = sorted.next()? {
            let [stem @ .., deposit, rank] = key else { return Err(damaged().into()) };
            let (deposit, rank) = (*deposit, *rank);
            if stem != group {
                self.flush()?;
                done = done.saturating_add(1);
                let findings = &*self.findings;
                watch.written(done, total, self.domains, || findings.count())?;
                group.clear();
                group.extend_from_slice(stem);
                (self.deposit, self.passed_over) = (deposit, None);
                self.left_out = LeftOut::default();
            }
            let kind = stem.first().copied().unwrap_or_default();
            let rank = Rank::of(rank);
            let entry = Entry { context: self.contexts.get(usize::from(deposit)), stem, deposit };
            if self.left_out.takes(entry, rank, payload, self.findings)?
                || deposit != self.deposit && !self.takes(deposit, rank)
            {
                continue;
            }
            if kind == ObjectKind::Domain as u8 && rank == Rank::Part {
                self.take_domain_parts(stem, payload)?;
            } else {
                let (place, archive) = split(payload)?;
                self.take(kind, rank, place, archive)?;
            }
        }
        self.flush()
    }

    /// Takes what stays beside the deposits as of its time; it was vetted when it came.
    pub(super) fn stand(&mut self, kept: &Kept) {
        self.standing_ms = kept.watermark_ms;
        for suffix in &kept.suffixes {
            self.suffixes.declare(suffix);
        }
    }

    /// Time of the data of a deposit, or of what stays.
    fn watermark_ms(&self, deposit: u8) -> i64 {
        let context = self.contexts.get(usize::from(deposit));
        context.map_or(self.standing_ms, |context| context.watermark.ms)
    }

    /// Whether another deposit's object of the same key, or a part of it, is taken: instead of what
    /// is at hand, or, if host attributes state both, beside it.
    fn takes(&mut self, deposit: u8, rank: Rank) -> bool {
        if self.passed_over == Some(deposit) {
            return false;
        }
        let attribute = matches!(rank, Rank::HostAttribute | Rank::HostAttributeRow);
        let newer = self.watermark_ms(deposit) > self.watermark_ms(self.deposit);
        let instead = match &self.held {
            Held::None => true,
            Held::Nameserver(_, true) if attribute => return true,
            Held::Nameserver(_, true) => true,
            _ => newer && !attribute,
        };
        if instead {
            self.held = Held::None;
            self.defects.list.clear();
            self.deposit = deposit;
        } else {
            self.passed_over = Some(deposit);
        }
        instead
    }

    fn take(&mut self, kind: u8, rank: Rank, place: Place, archive: &[u8]) -> Result<(), Stop> {
        macro_rules! read {
            ($kind:ty) => {
                rkyv::from_bytes::<$kind, RkyvError>(archive).map_err(|_| damaged())?
            };
        }
        if matches!(rank, Rank::Xml | Rank::Csv) {
            let held = match kind {
                0 => return self.remove(place, read!(Removal)),
                1 => Held::Registrar(read!(Registrar)),
                2 => Held::IdnTable(read!(IdnTable)),
                3 => Held::Contact(read!(Contact)),
                4 => Held::Nameserver(read!(Nameserver), false),
                5 => Held::Nndn(read!(Nndn)),
                6 => {
                    let mut domain = std::mem::take(&mut self.spare_domain);
                    packed::unpack(archive, &mut domain)?;
                    Held::Domain(domain)
                }
                _ => return Err(damaged().into()),
            };
            return self.hold(held, rank, place);
        }
        match kind {
            3 => {
                let part = read!(Contact);
                match &mut self.held {
                    Held::Contact(contact) => join::contact(contact, part, &mut self.defects),
                    _ => self.orphan(ObjectKind::Contact, place, &part.id),
                }
            }
            4 => self.take_host(rank, place, read!(Nameserver)),
            _ => return Err(damaged().into()),
        }
        Ok(())
    }

    fn remove(&mut self, place: Place, removal: Removal) -> Result<(), Stop> {
        let kind = removal.kind();
        let shown = removal.to_string();
        self.sink.removal(removal, &mut self.defects)?;
        if !self.defects.list.is_empty() {
            self.findings.add_all(&mut self.defects, place, kind, &shown);
        }
        Ok(())
    }

    /// Joins parts with the domain at hand; the stem of their key is the kind, the name, and 0.
    fn take_domain_parts(&mut self, stem: &[u8], mut parts: &[u8]) -> Result<(), Stop> {
        while let Some((place, archive)) = next_part(&mut parts)? {
            let Held::Domain(domain) = &mut self.held else {
                let [_, name @ .., 0] = stem else { return Err(damaged().into()) };
                let name = std::str::from_utf8(name).map_err(|_| damaged())?;
                self.orphan(ObjectKind::Domain, place, name);
                continue;
            };
            let part = rkyv::from_bytes::<DomainPart, RkyvError>(archive).map_err(|_| damaged())?;
            join::domain(domain, part, &mut self.defects);
        }
        Ok(())
    }

    fn hold(&mut self, held: Held, rank: Rank, place: Place) -> Result<(), Stop> {
        if matches!(self.held, Held::None) {
            self.held = held;
            self.rank = rank;
            self.place = place;
            return Ok(());
        }
        let rule = if self.rank == rank { Rule::KeyRepeated } else { Rule::BothModels };
        let (kind, key) = self.subject();
        let first = self.findings.place_text(self.place);
        let got = format!("the first one is at {first}");
        let finding = self.findings.add(rule, place, kind, &key, "", &got);
        Err(Stop::Refused(Box::new(finding)))
    }

    fn orphan(&mut self, kind: ObjectKind, place: Place, key: &str) {
        self.findings.add(Rule::RowOrphan, place, kind, key, "", key);
    }

    fn take_host(&mut self, rank: Rank, place: Place, part: Nameserver) {
        match (&mut self.held, rank) {
            (Held::Nameserver(host, false), Rank::Part) => {
                join::nameserver(host, part, &mut self.defects);
            }
            (_, Rank::Part) => self.orphan(ObjectKind::Nameserver, place, &part.name),
            (Held::Nameserver(host, attribute), _) => {
                let differs = rank == Rank::HostAttribute && join::differs(host, &part, *attribute);
                if differs {
                    let got = join::addresses(&part);
                    self.defects.add(Rule::HostAttrDiffers, "hostAttr", got);
                }
                join::nameserver(host, part, &mut self.defects);
            }
            _ => {
                self.held = Held::Nameserver(part, true);
                self.rank = rank;
                self.place = place;
            }
        }
    }

    fn subject(&self) -> (ObjectKind, String) {
        match &self.held {
            Held::None => (ObjectKind::Deposit, String::new()),
            Held::Registrar(object) => (ObjectKind::Registrar, object.id.clone()),
            Held::IdnTable(object) => (ObjectKind::IdnTable, object.id.clone()),
            Held::Contact(object) => (ObjectKind::Contact, object.id.clone()),
            Held::Nameserver(object, _) => (ObjectKind::Nameserver, object.name.clone()),
            Held::Nndn(object) => (ObjectKind::Nndn, object.name.clone()),
            Held::Domain(object) => (ObjectKind::Domain, object.name.clone()),
        }
    }

    /// Checks and writes the object at hand.
    fn flush(&mut self) -> Result<(), Stop> {
        let mut held = std::mem::replace(&mut self.held, Held::None);
        let defects = &mut self.defects;
        let Some(context) = self.contexts.get(usize::from(self.deposit)) else {
            return self.stays(held);
        };
        let (kind, key) = match &mut held {
            Held::None => return Ok(()),
            Held::Registrar(object) => {
                check::registrar(object, context, defects);
                self.sink.registrar(object)?;
                note_gurid(&mut self.gurids, object);
                (ObjectKind::Registrar, &object.id)
            }
            Held::IdnTable(object) => {
                self.sink.idn_table(object)?;
                (ObjectKind::IdnTable, &object.id)
            }
            Held::Contact(object) => {
                check::contact(object, context, defects);
                resolve_gurid(&self.gurids, &self.sink, &mut object.registrar, defects)?;
                self.sink.contact(object, &mut |defect| note(defects, defect))?;
                (ObjectKind::Contact, &object.id)
            }
            Held::Nameserver(object, attribute) => {
                check::nameserver(object, *attribute, context, defects);
                if *attribute {
                    object.statuses.bits |= HostStatuses::ATTRIBUTE;
                }
                resolve_gurid(&self.gurids, &self.sink, &mut object.registrar, defects)?;
                self.sink.nameserver(object, *attribute, &mut |defect| note(defects, defect))?;
                (ObjectKind::Nameserver, &object.name)
            }
            Held::Nndn(object) => {
                check::nndn(object, context, defects);
                self.sink.nndn(object, &mut |defect| note(defects, defect))?;
                (ObjectKind::Nndn, &object.name)
            }
            Held::Domain(object) => {
                check::domain(object, context, defects);
                resolve_gurid(&self.gurids, &self.sink, &mut object.registrar, defects)?;
                self.sink.domain(object, &mut |defect| note(defects, defect))?;
                (ObjectKind::Domain, &object.name)
            }
        };
        if !self.defects.list.is_empty() {
            self.findings.add_all(&mut self.defects, self.place, kind, key);
        }
        if let Held::Nndn(nndn) = &held {
            self.suffix(&nndn.name);
        }
        if let Held::Domain(domain) = held {
            self.written(&domain.name);
            self.spare_domain = domain;
        }
        Ok(())
    }

    /// Writes the object at hand, which stays.
    fn stays(&mut self, held: Held) -> Result<(), Stop> {
        let quiet: Heard<'_> = &mut |_| {};
        match held {
            Held::None => {}
            Held::Registrar(object) => {
                self.sink.registrar(&object)?;
                note_gurid(&mut self.gurids, &object);
            }
            Held::IdnTable(object) => self.sink.idn_table(&object)?,
            Held::Contact(object) => self.sink.contact(&object, quiet)?,
            Held::Nameserver(object, attribute) => {
                self.sink.nameserver(&object, attribute, quiet)?;
            }
            Held::Nndn(object) => {
                self.sink.nndn(&object, quiet)?;
                self.suffix(&object.name);
            }
            Held::Domain(object) => {
                self.sink.domain(&object, quiet)?;
                self.written(&object.name);
            }
        }
        self.defects.list.clear();
        Ok(())
    }

    /// A domain was written: it lies below a suffix, and the registry-class names count it.
    fn written(&mut self, name: &str) {
        self.domains = self.domains.saturating_add(1);
        for (rcdn, count) in &mut self.rcdns {
            if is_below(name, rcdn) {
                *count = count.saturating_add(1);
            }
        }
        self.suffix(name);
    }

    /// A name that was written lies below a suffix: its zone, or else its parent.
    fn suffix(&mut self, name: &str) {
        let Some((_, parent)) = name.split_once('.') else { return };
        if self.last_parent == parent {
            return;
        }
        self.last_parent.clear();
        self.last_parent.push_str(parent);
        self.suffixes.add(name);
    }
}

impl<S> Merge<'_, '_, S> {
    /// Gives back where the objects went.
    pub(super) fn into_sink(self) -> S {
        self.sink
    }
}

impl<W: Write + Seek> Merge<'_, '_, Builder<W>> {
    /// Ends the snapshot.
    pub(super) fn finish(self, deposits: Vec<String>, source: &str) -> Result<(W, Summary), Stop> {
        let suffixes = self.suffixes.all().iter().map(|suffix| suffix.to_string()).collect();
        let meta = Meta { suffixes, deposits, source: source.to_owned() };
        let findings = self.findings;
        let done = self.sink.finish(&meta, &mut |variant, _| {
            let (kind, place) = (ObjectKind::Domain, Place::default());
            findings.add(Rule::ReferenceOther, place, kind, variant, "originalName", "");
        })?;
        Ok(done)
    }
}

/// Notes a registrar's IANA identifier.
fn note_gurid(gurids: &mut HashMap<u32, String, RandomState>, object: &Registrar) {
    if object.iana_id != 0 {
        let known = gurids.entry(object.iana_id);
        known.and_modify(String::clear).or_insert_with(|| object.id.clone());
    }
}

/// Puts a registrar's identifier in the place of its IANA identifier.
fn resolve_gurid(
    gurids: &HashMap<u32, String, RandomState>,
    sink: &impl Sink,
    registrar: &mut String,
    defects: &mut Defects,
) -> Result<(), Stop> {
    let Some(gurid) = registrar.strip_prefix(GURID_MARK) else { return Ok(()) };
    let found = match value::integer(gurid).map(|number: u32| (number, gurids.get(&number))) {
        Some((_, Some(id))) => Some(id.clone()),
        Some((number, None)) => sink.registrar_of_gurid(number)?,
        None => None,
    };
    match found {
        Some(id) if !id.is_empty() => *registrar = id,
        _ => {
            defects.add(Rule::RegistrarDangling, "fGurid", gurid);
            registrar.clear();
        }
    }
    Ok(())
}

/// What the builder could not resolve, as a defect of ours.
fn note(defects: &mut Defects, defect: Defect<'_>) {
    let (rule, field, got) = match defect {
        Defect::Dangling { kind: Kind::Contact, key } => (Rule::ContactDangling, "contact", key),
        Defect::Dangling { kind: Kind::Nameserver, key } => (Rule::NameserverDangling, "ns", key),
        Defect::Dangling { kind: Kind::Registrar, key } => {
            (Rule::RegistrarDangling, "registrar", key)
        }
        Defect::Dangling { kind: Kind::IdnTable, key } => {
            (Rule::IdnTableDangling, "idnTableId", key)
        }
        Defect::Dangling { key, .. } => (Rule::ReferenceOther, "originalName", key),
        Defect::Ambiguous { roid } => (Rule::HostRoidAmbiguous, "ns", roid),
        Defect::NndnIsDomain => (Rule::NndnIsDomain, "name", ""),
    };
    // Once for each key: a registrar is named up to five times.
    if !defects.list.iter().any(|known| known.rule == rule && known.got == got) {
        defects.add(rule, field, got);
    }
}

//! Opens a deposit and reads all of it, into what it says of itself and its objects in the order of
//! a snapshot.
//!
//! # Does not
//!
//! Know what comes of the objects.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;
use std::rc::Rc;

use snapshot_format::builder::NamedHosts;
use snapshot_format::delta::DepositMark;
use snapshot_format::dump::Utc;
use snapshot_format::object::Time;
use snapshot_format::sort::{Scratch, SortedHashes};

use super::claims;
use super::collect::{Collected, Collector, unpacked};
use super::csv;
use super::model::envelope::{DEPOSIT_ID_BYTES_MAX, DepositType, Envelope, Wanted};
use super::model::{Reading, Stop};
use super::progress::{Phase, Progress, Step, Watch};
use super::run::{ImportError, Options, Reason, Report, failed};
use super::source::{Source, SourceError, Sources, refusal};
use super::standing::{Kept, Standing, Zones};
use super::xml::Step::Open;
use super::xml::{Xml, XmlError};
use crate::vet::element::{Element, Name, Space};
use crate::vet::findings::{Findings, ObjectKind, Place, clip};
use crate::vet::rule::Rule;
use crate::vet::value;

/// An import under way.
pub(super) struct Import<'a, 'r> {
    pub(super) options: &'a Options,
    pub(super) scratch: &'a Rc<dyn Scratch>,
    pub(super) findings: &'a mut Findings<'r>,
    pub(super) said: &'a mut Report,
}

/// What the outermost element of a deposit says, before anything else is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// `type`.
    pub kind: DepositType,
    /// `id`, at most 64 bytes of it.
    pub id: String,
    /// `prevId`, at most 64 bytes of it; empty: none.
    pub prev_id: String,
    /// `resend`; 0 where it cannot be read.
    pub resend: u16,
}

/// Reads what kind of deposit the files are, to decide whether it is to be imported or applied: a
/// few kilobytes, unless they are a compressed tar, which is unpacked for that.
///
/// # Errors
///
/// The files are not a deposit, or cannot be read.
pub fn head(options: &Options, scratch: &Rc<dyn Scratch>) -> Result<Head, ImportError> {
    let mut findings = Findings::new(None);
    let mut said = Report { watermark_ms: i64::MIN, ..Report::default() };
    let mut import = Import { options, scratch, findings: &mut findings, said: &mut said };
    let head = import.head();
    head.map_err(|reason| failed(reason, findings, said))
}

/// Most deposits of one import: a registry has one for each TLD.
const DEPOSITS_MAX: usize = 200;

/// One of the FULL deposits that were read.
pub(super) struct Full {
    /// What it says of itself.
    pub(super) envelope: Envelope,
    /// Its zones, without those of deposits that come with it.
    pub(super) zones: Vec<String>,
    /// Its objects, by kind.
    pub(super) counts: [u64; 7],
    /// Files are numbered deposit by deposit: its own are below this number.
    files_end: u16,
}

/// FULL deposits that were read, each of a TLD of its own.
pub(super) struct Fulls {
    /// The deposits.
    pub(super) deposits: Vec<Full>,
    /// What stays beside them.
    pub(super) kept: Option<Kept>,
    /// All objects.
    pub(super) collected: Collected,
}

/// A deposit that was read.
pub(super) struct Read {
    /// What it says of itself.
    pub(super) envelope: Envelope,
    /// Its objects.
    pub(super) collected: Collected,
}

impl Import<'_, '_> {
    fn head(&mut self) -> Result<Head, Reason> {
        let sources = self.sources()?;
        let document = self.document(&sources)?;
        let content = document
            .content(&Rc::default(), &Rc::default())
            .map_err(|error| self.unreadable(&document.name, error))?;
        let mut xml = Xml::new(content);
        let opened = match xml.step() {
            Ok(Open(root)) => (root.space, root.name) == (Space::Rde, Name::Deposit),
            Ok(_) => false,
            Err(XmlError::Io(error)) => return Err(self.unreadable(&document.name, error)),
            Err(XmlError::Broken(rule, got)) => {
                let file = self.findings.file(&document.name, false);
                return Err(self.refuse(rule, Place { file, line: xml.line() }, &got));
            }
        };
        let kind = xml.attribute("type").unwrap_or_default();
        let id = |name| clip(xml.attribute(name).unwrap_or_default(), DEPOSIT_ID_BYTES_MAX);
        match DepositType::of_word(kind).filter(|_| opened) {
            Some(kind) => {
                let (id, prev_id) = (id("id").to_owned(), id("prevId").to_owned());
                let resend = xml.attribute("resend").and_then(value::integer).unwrap_or(0);
                Ok(Head { kind, id, prev_id, resend })
            }
            None => {
                let (rule, got) = if opened {
                    (Rule::DepositNotChanges, kind)
                } else {
                    (Rule::NotDeposit, xml.opened())
                };
                let file = self.findings.file(&document.name, false);
                Err(self.refuse(rule, Place { file, line: 1 }, got))
            }
        }
    }

    fn sources(&mut self) -> Result<Sources, Reason> {
        let Options { deposits, pipes, content_bytes_max, follow, .. } = self.options;
        Sources::open(deposits, pipes, self.scratch, *content_bytes_max, *follow)
            .map_err(|SourceError { name, error }| self.unreadable(&name, error))
    }

    /// Reads a whole deposit of changes: what it says of itself, and its objects in the order of a
    /// snapshot.
    pub(super) fn read<'p>(
        &mut self,
        progress: &'p mut dyn Progress,
    ) -> Result<(Read, Watch<'p>), Reason> {
        let mut sources = self.sources()?;
        let document = self.document(&sources)?;
        let mut watch = Watch::new(progress, sources.total_bytes, self.options.findings_max);
        let share = self.options.table_bytes().wrapping_div(8);
        let mut collector =
            Collector::new(self.findings, Rc::clone(self.scratch), share.saturating_mul(5));
        let read = read(&document, Wanted::Changes, &mut sources, &mut collector, &mut watch);
        self.said.read_bytes = watch.read_bytes.get();
        for (objects, kind) in self.said.objects.iter_mut().zip(ObjectKind::RECORDS) {
            *objects = collector.count(kind);
        }
        let mut envelope = read.map_err(|failure| failure.reason(&mut collector, self.options))?;
        believe_watermark(&mut envelope, self.options.now_ms, collector.findings);
        self.said.deposit = envelope.name();
        self.said.watermark_ms = envelope.watermark.ms;
        let step = Step {
            phase: Phase::Writing,
            done: 0,
            total: 0,
            domains: 0,
            findings: collector.findings.count(),
        };
        watch.say(step).map_err(|stop| reason(stop, self.options))?;
        let collected = collector.finish().map_err(scratch_failed)?;
        Ok((Read { envelope, collected }, watch))
    }

    /// Reads FULL deposits, each of a TLD of its own, and what stays beside them.
    pub(super) fn read_full<'p>(
        &mut self,
        standing: Option<&mut dyn Standing>,
        progress: &'p mut dyn Progress,
    ) -> Result<(Fulls, Watch<'p>), Reason> {
        let mut sources = self.sources()?;
        let documents = self.documents(&sources)?;
        let mut watch = Watch::new(progress, sources.total_bytes, self.options.findings_max);
        let share = self.options.table_bytes().wrapping_div(8);
        let (seed, memory) = (self.options.hash_seed, share.wrapping_div(2));
        let named = NamedHosts::new(seed, Rc::clone(self.scratch), memory);
        let mut collector =
            Collector::new(self.findings, Rc::clone(self.scratch), share.saturating_mul(5))
                .with_named(named);
        let mut deposits: Vec<Full> = Vec::new();
        for document in &documents {
            let before = collector.counts();
            collector.begin(u8::try_from(deposits.len()).unwrap_or(u8::MAX));
            let read = read(document, Wanted::Full, &mut sources, &mut collector, &mut watch);
            self.said.read_bytes = watch.read_bytes.get();
            for (objects, kind) in self.said.objects.iter_mut().zip(ObjectKind::RECORDS) {
                *objects = collector.count(kind);
            }
            let mut envelope =
                read.map_err(|failure| failure.reason(&mut collector, self.options))?;
            believe_watermark(&mut envelope, self.options.now_ms, collector.findings);
            if let Some(other) = deposits.iter().find(|other| other.envelope.tld == envelope.tld) {
                let got = format!("{} is of {:?} as well", other.envelope.id, envelope.tld);
                let place = envelope.watermark_place;
                let (rule, kind) = (Rule::DepositSeveral, ObjectKind::Deposit);
                let finding = collector.findings.add(rule, place, kind, "", "", &got);
                return Err(Reason::Refused(Box::new(finding)));
            }
            if deposits.is_empty() {
                self.said.deposit = envelope.name();
            } else {
                self.said.deposit = format!("{}, {}", self.said.deposit, envelope.name());
            }
            self.said.watermark_ms = self.said.watermark_ms.max(envelope.watermark.ms);
            self.said.deposits.push(DepositMark {
                id: (*envelope.name()).into(),
                tld: (*envelope.tld).into(),
                watermark_ms: envelope.watermark.ms,
                full: "".into(),
            });
            let mut counts = collector.counts();
            for (count, before) in counts.iter_mut().zip(before) {
                *count = count.saturating_sub(before);
            }
            let files_end = collector.findings.files();
            deposits.push(Full { envelope, zones: Vec::new(), counts, files_end });
        }
        claims::settle(&mut deposits, collector.findings);
        let kept = match standing {
            Some(standing) => stay(standing, &deposits, &mut collector)?,
            None => None,
        };
        let findings = collector.findings.count();
        let step = Step { phase: Phase::Writing, done: 0, total: 0, domains: 0, findings };
        watch.say(step).map_err(|stop| reason(stop, self.options))?;
        let collected = collector.finish().map_err(scratch_failed)?;
        Ok((Fulls { deposits, kept, collected }, watch))
    }

    /// Identifiers that two objects of one kind and one deposit have: several deposits may have an
    /// object in common.
    pub(super) fn repeated_roids_of(&mut self, fulls: &mut Fulls) -> io::Result<()> {
        let ends: Vec<u16> = fulls.deposits.iter().map(|deposit| deposit.files_end).collect();
        let of_file = |file: u16| ends.iter().take_while(|end| **end <= file).count();
        self.roids_repeated(&mut fulls.collected.roids, &of_file)
    }

    /// Identifiers that two objects of one kind have.
    pub(super) fn repeated_roids(&mut self, roids: &mut SortedHashes) -> io::Result<()> {
        self.roids_repeated(roids, &|_| 0)
    }

    fn roids_repeated(
        &mut self,
        roids: &mut SortedHashes,
        of_file: &dyn Fn(u16) -> usize,
    ) -> io::Result<()> {
        let mut last = 0u128;
        while let Some(value) = roids.next()? {
            if last.wrapping_shr(64) == value.wrapping_shr(64) && last != 0 {
                let (kind, place) = unpacked(value);
                let (_, first) = unpacked(last);
                if of_file(place.file) != of_file(first.file) {
                    last = value;
                    continue;
                }
                let got = format!("the one of {}", self.findings.place_text(first));
                self.findings.add(Rule::RoidRepeated, place, kind, "", "roid", &got);
            }
            last = value;
        }
        Ok(())
    }

    /// A file that cannot be opened: the deposit's fault if that is what it holds, ours otherwise.
    fn unreadable(&mut self, name: &str, source: io::Error) -> Reason {
        let Some((rule, got)) = refusal(&source) else {
            return Reason::Io { what: name.to_owned(), source };
        };
        let file = self.findings.file(name, false);
        self.refuse(rule, Place { file, line: 0 }, &got)
    }

    fn refuse(&mut self, rule: Rule, place: Place, got: &str) -> Reason {
        let finding = self.findings.add(rule, place, ObjectKind::Deposit, "", "", got);
        Reason::Refused(Box::new(finding))
    }

    /// The XML files, one for each deposit; reports and other documents lie beside them.
    fn documents(&mut self, sources: &Sources) -> Result<Vec<Source>, Reason> {
        let documents = sources.documents.iter();
        let deposits: Vec<Source> = documents.filter(|one| is_deposit(one)).cloned().collect();
        match deposits.len() {
            0 | 1 => self.document(sources).map(|document| vec![document]),
            count if count > DEPOSITS_MAX => {
                let got = format!("{count} of them");
                Err(self.refuse(Rule::DepositSeveral, Place::default(), &got))
            }
            _ => Ok(deposits),
        }
    }

    /// The one XML file whose outermost element is that of a deposit: reports and other documents
    /// lie beside it.
    fn document(&mut self, sources: &Sources) -> Result<Source, Reason> {
        let documents = &sources.documents;
        let mut deposits: Vec<&Source> = documents.iter().collect();
        if documents.len() > 1 {
            deposits.retain(|document| is_deposit(document));
        }
        // Without any, the first document says what is wrong with it.
        match (deposits.as_slice(), documents.first()) {
            (&[document], _) | ([], Some(document)) => Ok(document.clone()),
            ([], None) => {
                let first = self.options.deposits.first();
                let first = first.map(|path| path.display().to_string()).unwrap_or_default();
                let packed = sources.packed.as_ref();
                let name = packed.map_or(&first, |(name, _)| name);
                let place = Place { file: self.findings.file(name, false), line: 0 };
                let Some((_, packing)) = packed else {
                    return Err(self.refuse(Rule::DepositMissing, place, ""));
                };
                let got = format!("{}: {}", packing.word, packing.advice);
                Err(self.refuse(Rule::DepositPacked, place, &got))
            }
            ([first, second, ..], _) => {
                let file = self.findings.file(&second.name, false);
                let place = Place { file, line: 0 };
                let got = format!("{} as well", first.name);
                Err(self.refuse(Rule::DepositSeveral, place, &got))
            }
        }
    }
}

/// Gathers what stays beside the deposits.
fn stay(
    standing: &mut dyn Standing,
    deposits: &[Full],
    collector: &mut Collector<'_, '_>,
) -> Result<Option<Kept>, Reason> {
    let zones: Vec<Zones> = deposits.iter().map(Zones::of).collect();
    let Some(mut kept) = standing.beside(&zones).map_err(Reason::NotAllowed)? else {
        return Ok(None);
    };
    collector.begin_standing(u8::try_from(deposits.len()).unwrap_or(u8::MAX));
    let what = "what the directory has beside the deposit".to_owned();
    let gone = standing.each(&zones, &mut |object| collector.object(object));
    kept.gone = gone.map_err(|source| Reason::Io { what, source })?;
    Ok(Some(kept))
}

/// Clocks of registry and node that differ by less are not a reason to doubt a watermark, ms.
pub const CLOCK_TOLERANCE_MS: i64 = 5 * 60 * 1000;

/// A watermark has to have passed. One in the future is not believed: it would make the data look
/// fresh for as long, and every later deposit older than what there is.
fn believe_watermark(envelope: &mut Envelope, now_ms: i64, findings: &mut Findings<'_>) {
    if envelope.watermark.ms > now_ms.saturating_add(CLOCK_TOLERANCE_MS) {
        let (rule, kind) = (Rule::WatermarkFuture, ObjectKind::Deposit);
        let got = Utc(envelope.watermark.ms).to_string();
        findings.add(rule, envelope.watermark_place, kind, "", "watermark", &got);
        envelope.watermark = Time::from_ms(now_ms);
    }
}

/// Whether a document is a deposit, by its outermost element.
fn is_deposit(document: &Source) -> bool {
    let Ok(content) = document.content(&Rc::default(), &Rc::default()) else { return false };
    let root = Open(Element { space: Space::Rde, name: Name::Deposit });
    Xml::new(content).step().is_ok_and(|step| step == root)
}

/// A stop with the place where it came about.
struct Failure {
    stop: Stop,
    place: Place,
    file: String,
}

impl Failure {
    fn reason(self, collector: &mut Collector<'_, '_>, options: &Options) -> Reason {
        let refuse = |rule, place, got: &str, collector: &mut Collector<'_, '_>| {
            let finding = collector.findings.add(rule, place, ObjectKind::Deposit, "", "", got);
            Reason::Refused(Box::new(finding))
        };
        match self.stop {
            Stop::Xml(XmlError::Broken(rule, got)) => refuse(rule, self.place, &got, collector),
            Stop::Xml(XmlError::Io(source)) => match refusal(&source) {
                Some((rule, got)) => refuse(rule, self.place, &got, collector),
                None => Reason::Io { what: self.file, source },
            },
            stop => reason(stop, options),
        }
    }
}

/// Why an import ends, from what stopped it.
pub(super) fn reason(stop: Stop, options: &Options) -> Reason {
    match stop {
        Stop::Refused(finding) => Reason::Refused(finding),
        Stop::Interrupted => Reason::Interrupted,
        Stop::TooMany => Reason::TooMany(options.findings_max.unwrap_or_default()),
        Stop::Scratch(error) => scratch_failed(error),
        Stop::Build(error) => Reason::Build(error),
        Stop::Visit(source) => Reason::Io { what: "the deposit's changes".to_owned(), source },
        // Readers turn these into refusals where the place is known.
        Stop::Xml(XmlError::Io(source)) => Reason::Io { what: "the deposit".to_owned(), source },
        Stop::Xml(XmlError::Broken(rule, got)) => {
            let source = io::Error::other(format!("{}: {got}", rule.text().what));
            Reason::Io { what: "the deposit".to_owned(), source }
        }
    }
}

fn scratch_failed(source: io::Error) -> Reason {
    Reason::Io { what: "scratch files beside the snapshot".to_owned(), source }
}

/// Reads the XML, then the CSV files that it declares.
fn read(
    document: &Source,
    wanted: Wanted,
    sources: &mut Sources,
    collector: &mut Collector<'_, '_>,
    watch: &mut Watch<'_>,
) -> Result<Envelope, Failure> {
    let file = collector.findings.file(&document.name, false);
    let whole = Place { file, line: 0 };
    let at = |stop, place| Failure { stop, place, file: document.name.clone() };
    let content = document
        .content(&watch.read_bytes, &sources.trailing)
        .map_err(|error| at(Stop::Xml(XmlError::Io(error)), whole))?;
    let mut xml: Xml<Box<dyn io::Read>> = Xml::new(content);
    let mut reading = Reading::new(&mut xml, collector, whole, wanted);
    let deposit = reading.deposit(watch);
    let envelope = deposit.map_err(|stop| at(stop, Place { file, line: xml.line() }))?;
    let refuse = |rule| at(Stop::Xml(XmlError::Broken(rule, String::new())), whole);
    if !envelope.watermark.is_some() {
        return Err(refuse(Rule::WatermarkMissing));
    }
    if envelope.header.is_none() {
        return Err(refuse(Rule::HeaderMissing));
    }
    for definition in &envelope.definitions {
        let at = |stop| Failure { stop, place: definition.place, file: document.name.clone() };
        let refuse = |rule, got: String| at(Stop::Xml(XmlError::Broken(rule, got)));
        if definition.files.is_empty() {
            return Err(refuse(Rule::CsvDefinition, "no file".to_owned()));
        }
        for reference in &definition.files {
            let Some(source) = sources.find(&reference.name, document) else {
                return Err(refuse(Rule::CsvMissing, reference.name.clone()));
            };
            let file = collector.findings.file(&source.name, true);
            let failed =
                |stop| Failure { stop, place: Place { file, line: 0 }, file: source.name.clone() };
            let file = (file, &sources.trailing);
            csv::read(definition, reference, &source, file, collector, watch).map_err(failed)?;
        }
    }
    if sources.trailing.get() {
        collector.findings.add(Rule::InputTrailing, whole, ObjectKind::Deposit, "", "", "");
    }
    Ok(envelope)
}

//! One import, from files to a snapshot.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt;
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;
use std::rc::Rc;

use snapshot_format::layout::{SECTION_ALIGN_BYTES_MAX, SECTION_ALIGN_BYTES_MIN};
use snapshot_format::sort::{Scratch, SortedHashes};
use snapshot_format::{BuildError, Builder, Kind, Summary};

use super::check::Context;
use super::collect::{Collected, Collector, unpacked};
use super::csv;
use super::findings::{Finding, Findings, ObjectKind, Place};
use super::merge::Merge;
use super::model::envelope::Envelope;
use super::model::{Reading, Stop};
use super::progress::{Phase, Progress, Step, Watch};
use super::rule::Rule;
use super::source::{Source, SourceError, Sources};
use super::xml::{Xml, XmlError};

/// Input from which on sections are aligned for huge pages, bytes.
const LARGE_INPUT_BYTES: u64 = 64 << 20;
/// Most registry-class names whose domains are counted.
const RCDNS_MAX: usize = 64;

/// What to import, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Files of the deposit: one XML (or a tar that holds it), and CSV files that lie elsewhere.
    pub deposits: Vec<PathBuf>,
    /// Memory to use, bytes; see [`Options::MEMORY_BYTES_MIN`].
    pub memory_bytes: usize,
    /// Refuse the deposit on any finding.
    pub strict: bool,
    /// Refuse the deposit on more findings than that.
    pub findings_max: Option<u64>,
    /// The time, ms since the epoch: a watermark after it is a finding.
    pub now_ms: i64,
    /// Seed of the snapshot's key hashes; take it at random.
    pub hash_seed: u64,
    /// Number of the generation that the snapshot will be.
    pub generation: u64,
}

impl Options {
    /// Default of `memory_bytes`.
    pub const MEMORY_BYTES: usize = 1 << 30;
    /// Least memory, bytes: below it what does not depend on the setting is most of it.
    pub const MEMORY_BYTES_MIN: usize = 64 << 20;
    /// What does not depend on the setting, bytes: the program, and buffers of files.
    const FIXED_BYTES: usize = 20 << 20;

    /// Memory for sorting and for tables of references, bytes.
    const fn table_bytes(&self) -> usize {
        self.memory_bytes.saturating_sub(Self::FIXED_BYTES)
    }
}

/// What an import found and made.
#[derive(Debug, Default)]
pub struct Report {
    /// `id` of the deposit.
    pub deposit: String,
    /// Its watermark, ms since the epoch; `i64::MIN` if it was not read.
    pub watermark_ms: i64,
    /// Records of the snapshot, by [`Kind`], and its length; zero if it was not built.
    pub summary: Summary,
    /// Objects read, in the order of [`ObjectKind::RECORDS`].
    pub objects: [u64; 6],
    /// Bytes of the deposit's files.
    pub read_bytes: u64,
    /// The first findings, refusals among them.
    pub findings: Vec<Finding>,
    /// Rules that were broken, with counts.
    pub per_rule: Vec<(Rule, u64)>,
    /// Number of findings; refusals are not counted.
    pub findings_count: u64,
}

/// Why an import made nothing.
#[derive(Debug)]
pub enum Reason {
    /// The deposit was refused.
    Refused(Box<Finding>),
    /// The deposit has findings, and `strict` was asked for.
    Strict,
    /// The deposit has more findings than allowed.
    TooMany(u64),
    /// Somebody asked to stop.
    Interrupted,
    /// A file cannot be read or written.
    Io {
        /// Which file, and what for.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// The snapshot cannot be built.
    Build(BuildError),
}

/// An import that made nothing: why, and what it found.
#[derive(Debug)]
pub struct ImportError {
    /// Why.
    pub reason: Reason,
    /// What was found until then.
    pub report: Box<Report>,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.report.findings_count;
        match &self.reason {
            Reason::Refused(finding) => write!(f, "{finding}"),
            Reason::Strict => {
                write!(f, "{count} findings, expected none; leave out --strict to serve the rest")
            }
            Reason::TooMany(max) => {
                write!(f, "{count} findings, at most {max} are allowed; raise --findings-max")
            }
            Reason::Interrupted => write!(f, "interrupted; nothing was changed"),
            Reason::Io { what, source } => write!(f, "{what}: {source}"),
            Reason::Build(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ImportError {}

/// Imports a deposit into `out`. Intermediate data go to `scratch`, findings to `report` as JSON
/// lines. Memory: about `options.memory_bytes`, whatever the size of the deposit.
///
/// # Errors
///
/// Why nothing was made; `out` is then worthless.
pub fn run<W: Write + Seek>(
    options: &Options,
    scratch: &Rc<dyn Scratch>,
    out: W,
    report: Option<&mut dyn Write>,
    progress: &mut dyn Progress,
) -> Result<(W, Report), ImportError> {
    let mut findings = Findings::new(report);
    let mut said = Report { watermark_ms: i64::MIN, ..Report::default() };
    let made =
        Import { options, scratch, findings: &mut findings, said: &mut said }.run(out, progress);
    said.findings_count = findings.count();
    said.per_rule = findings.per_rule().collect();
    let (kept, report_error) = findings.into_parts();
    said.findings = kept;
    let reason = match (made, report_error) {
        (Ok(_), Some(source)) => Reason::Io { what: "the report".to_owned(), source },
        (Ok(_), None) if options.strict && said.findings_count > 0 => Reason::Strict,
        (Ok(_), None) if options.findings_max.is_some_and(|max| said.findings_count > max) => {
            Reason::TooMany(options.findings_max.unwrap_or_default())
        }
        (Ok(out), None) => return Ok((out, said)),
        (Err(reason), _) => reason,
    };
    Err(ImportError { reason, report: Box::new(said) })
}

struct Import<'a, 'r> {
    options: &'a Options,
    scratch: &'a Rc<dyn Scratch>,
    findings: &'a mut Findings<'r>,
    said: &'a mut Report,
}

impl Import<'_, '_> {
    fn run<W: Write + Seek>(&mut self, out: W, progress: &mut dyn Progress) -> Result<W, Reason> {
        let mut sources = match Sources::open(&self.options.deposits, self.scratch) {
            Ok(sources) => sources,
            Err(SourceError { name, error }) => return Err(self.unreadable(&name, error)),
        };
        let document = self.document(&sources)?;
        let mut watch = Watch::new(progress, sources.total_bytes, self.options.findings_max);
        let share = self.options.table_bytes().wrapping_div(8);
        let mut collector =
            Collector::new(self.findings, Rc::clone(self.scratch), share.saturating_mul(5));
        let read = read(&document, &mut sources, &mut collector, &mut watch);
        self.said.read_bytes = watch.read_bytes.get();
        for (objects, kind) in self.said.objects.iter_mut().zip(ObjectKind::RECORDS) {
            *objects = collector.count(kind);
        }
        let envelope = read.map_err(|failure| failure.reason(&mut collector, self.options))?;
        self.said.deposit.clone_from(&envelope.id);
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
        self.build(out, &envelope, collected, &mut watch).map_err(|stop| reason(stop, self.options))
    }

    /// A file that cannot be opened: the deposit's fault if it is cut short, ours otherwise.
    fn unreadable(&mut self, name: &str, source: io::Error) -> Reason {
        if !is_content(&source) {
            return Reason::Io { what: name.to_owned(), source };
        }
        let file = self.findings.file(name, false);
        self.refuse(Rule::InputUnreadable, Place { file, line: 0 }, &source.to_string())
    }

    fn refuse(&mut self, rule: Rule, place: Place, got: &str) -> Reason {
        let finding = self.findings.add(rule, place, ObjectKind::Deposit, "", "", got);
        Reason::Refused(Box::new(finding))
    }

    /// The one XML file.
    fn document(&mut self, sources: &Sources) -> Result<Source, Reason> {
        match sources.documents.as_slice() {
            [document] => Ok(document.clone()),
            [] => {
                let first = self.options.deposits.first();
                let file = first.map(|path| self.findings.file(&path.display().to_string(), false));
                let place = Place { file: file.unwrap_or_default(), line: 0 };
                Err(self.refuse(Rule::DepositMissing, place, ""))
            }
            [first, second, ..] => {
                let file = self.findings.file(&second.name, false);
                let place = Place { file, line: 0 };
                let got = format!("{} as well", first.name);
                Err(self.refuse(Rule::DepositSeveral, place, &got))
            }
        }
    }

    fn build<W: Write + Seek>(
        &mut self,
        out: W,
        envelope: &Envelope,
        collected: Collected,
        watch: &mut Watch<'_>,
    ) -> Result<W, Stop> {
        let Collected { mut sorted, roids, counts } = collected;
        self.repeated_roids(roids)?;
        self.menu_and_counts(envelope, &counts);
        let future = envelope.watermark.ms > self.options.now_ms;
        if future {
            let (rule, kind) = (Rule::WatermarkFuture, ObjectKind::Deposit);
            self.findings.add(rule, envelope.watermark_place, kind, "", "watermark", "");
        }
        let large = self.said.read_bytes >= LARGE_INPUT_BYTES;
        let builder = Builder::new(
            out,
            Rc::clone(self.scratch),
            snapshot_format::Options {
                memory_bytes: self.options.table_bytes().wrapping_div(4),
                section_align_bytes: if large {
                    SECTION_ALIGN_BYTES_MAX
                } else {
                    SECTION_ALIGN_BYTES_MIN
                },
                hash_seed: self.options.hash_seed,
                generation: self.options.generation,
                serial: 0,
                watermark_ms: envelope.watermark.ms,
            },
        )?;
        let rcdns = rcdns(envelope);
        let mut zones: Vec<String> = rcdns.iter().map(|(rcdn, _)| rcdn.clone()).collect();
        zones.push(envelope.tld.clone());
        zones.retain(|zone| !zone.is_empty());
        zones.sort_unstable();
        zones.dedup();
        let policies = &envelope.policies;
        let context = Context { watermark: envelope.watermark, zones, policies };
        let total = counts.iter().fold(0u64, |sum, count| sum.saturating_add(*count));
        let mut merge = Merge::new(builder, self.findings, context, rcdns);
        merge.run(&mut sorted, total, watch)?;
        drop(sorted);
        let domains = merge.domains;
        let below = std::mem::take(&mut merge.rcdns);
        watch.say(Step { phase: Phase::Finishing, done: 0, total: 0, domains, findings: 0 })?;
        let source = "whoisd import of an RDE deposit";
        let (out, summary) = merge.finish(&envelope.id, source)?;
        self.said.summary = summary;
        self.rcdn_counts(envelope, &below);
        Ok(out)
    }

    fn repeated_roids(&mut self, mut roids: SortedHashes) -> io::Result<()> {
        let mut last = 0u128;
        while let Some(value) = roids.next()? {
            if last.wrapping_shr(64) == value.wrapping_shr(64) && last != 0 {
                let (kind, place) = unpacked(value);
                let (_, first) = unpacked(last);
                let got = format!("the one of {}", self.findings.place_text(first));
                self.findings.add(Rule::RoidRepeated, place, kind, "", "roid", &got);
            }
            last = value;
        }
        Ok(())
    }

    /// Menu, counts and objects have to agree (RFC 9022 section 8).
    fn menu_and_counts(&mut self, envelope: &Envelope, counts: &[u64; 7]) {
        let kind = ObjectKind::Deposit;
        let mut counted: Vec<&str> = Vec::new();
        for count in &envelope.counts {
            counted.push(&count.uri);
            let whole = !count.of_registrar && count.rcdn.is_empty();
            let actual = actual(&count.uri, counts, envelope.epp_params);
            if let Some(actual) =
                actual.filter(|&actual| whole && count.count.is_some_and(|count| count != actual))
            {
                let stated = count.count.unwrap_or_default();
                let got = format!("{stated} for {actual} of {}", count.uri);
                self.findings.add(Rule::CountWrong, count.place, kind, "", "count", &got);
            }
        }
        let header = envelope.header.unwrap_or_default();
        for object in ObjectKind::RECORDS {
            let there = counts.get(object as usize).is_some_and(|&count| count > 0);
            if there && !counted.iter().any(|uri| kind_of_uri(uri) == Some(object)) {
                let got = object.word();
                self.findings.add(Rule::CountMissing, header, kind, "", "count", got);
            }
        }
        let described =
            |uri: &&str| !uri.ends_with(":rdeHeader-1.0") && !uri.ends_with(":rdePolicy-1.0");
        let menu: Vec<&str> = envelope.menu.iter().map(String::as_str).collect();
        let lacking =
            |list: &[&str], other: &[&str], of: &str, field, findings: &mut Findings<'_>| {
                for uri in list.iter().filter(|uri| described(uri) && !other.contains(uri)) {
                    let got = format!("{uri}, which {of} lacks");
                    findings.add(Rule::MenuMismatch, envelope.menu_place, kind, "", field, &got);
                }
            };
        counted.sort_unstable();
        counted.dedup();
        lacking(&menu, &counted, "the header", "objURI", self.findings);
        lacking(&counted, &menu, "the menu", "count", self.findings);
    }

    fn rcdn_counts(&mut self, envelope: &Envelope, below: &[(String, u64)]) {
        for count in envelope.counts.iter().filter(|count| !count.of_registrar) {
            let domains = kind_of_uri(&count.uri) == Some(ObjectKind::Domain);
            let found = below.iter().find(|(rcdn, _)| *rcdn == count.rcdn);
            let Some((rcdn, actual)) = found.filter(|_| domains) else {
                continue;
            };
            if let Some(stated) = count.count.filter(|count| count != actual) {
                let got = format!("{stated} for {actual} domains below {rcdn}");
                let (rule, kind) = (Rule::CountWrong, ObjectKind::Deposit);
                self.findings.add(rule, count.place, kind, "", "count", &got);
            }
        }
    }
}

/// Registry-class names of the header's counts.
fn rcdns(envelope: &Envelope) -> Vec<(String, u64)> {
    let mut names: Vec<String> = envelope.counts.iter().map(|count| count.rcdn.clone()).collect();
    names.retain(|name| !name.is_empty());
    names.sort_unstable();
    names.dedup();
    names.truncate(RCDNS_MAX);
    names.into_iter().map(|name| (name, 0)).collect()
}

/// The kind of object that a namespace is about.
fn kind_of_uri(uri: &str) -> Option<ObjectKind> {
    let name = uri.strip_prefix("urn:ietf:params:xml:ns:")?.strip_suffix("-1.0")?;
    Some(match name.strip_prefix("rde").or_else(|| name.strip_prefix("csv"))? {
        "Domain" => ObjectKind::Domain,
        "Host" => ObjectKind::Nameserver,
        "Contact" => ObjectKind::Contact,
        "Registrar" => ObjectKind::Registrar,
        "IDN" => ObjectKind::IdnTable,
        "NNDN" => ObjectKind::Nndn,
        _ => return None,
    })
}

/// Objects that were read for a count's namespace; `None`: not a kind that we count.
fn actual(uri: &str, counts: &[u64; 7], epp_params: u64) -> Option<u64> {
    if uri.ends_with(":rdeEppParams-1.0") {
        return Some(epp_params);
    }
    kind_of_uri(uri).and_then(|kind| counts.get(kind as usize).copied())
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
            Stop::Xml(XmlError::Io(error)) if is_content(&error) => {
                refuse(Rule::InputUnreadable, self.place, &error.to_string(), collector)
            }
            Stop::Xml(XmlError::Io(source)) => Reason::Io { what: self.file, source },
            stop => reason(stop, options),
        }
    }
}

fn reason(stop: Stop, options: &Options) -> Reason {
    match stop {
        Stop::Refused(finding) => Reason::Refused(finding),
        Stop::Interrupted => Reason::Interrupted,
        Stop::TooMany => Reason::TooMany(options.findings_max.unwrap_or_default()),
        Stop::Scratch(error) => scratch_failed(error),
        Stop::Build(error) => Reason::Build(error),
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

/// Whether an error is about what a file holds, not about reading it.
fn is_content(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof | Other)
}

/// Reads the XML, then the CSV files that it declares.
fn read(
    document: &Source,
    sources: &mut Sources,
    collector: &mut Collector<'_, '_>,
    watch: &mut Watch<'_>,
) -> Result<Envelope, Failure> {
    let file = collector.findings.file(&document.name, false);
    let whole = Place { file, line: 0 };
    let at = |stop, place| Failure { stop, place, file: document.name.clone() };
    let content = document
        .content(&watch.read_bytes)
        .map_err(|error| at(Stop::Xml(XmlError::Io(error)), whole))?;
    let mut xml: Xml<Box<dyn Read>> = Xml::new(content);
    let mut reading = Reading::new(&mut xml, collector, whole);
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
            let Some(source) = sources.find(&reference.name) else {
                return Err(refuse(Rule::CsvMissing, reference.name.clone()));
            };
            let file = collector.findings.file(&source.name, true);
            let failed =
                |stop| Failure { stop, place: Place { file, line: 0 }, file: source.name.clone() };
            let stored = source
                .stored(&watch.read_bytes)
                .map_err(|error| failed(Stop::Xml(XmlError::Io(error))))?;
            csv::read(definition, reference, stored, file, collector, watch).map_err(failed)?;
        }
    }
    Ok(envelope)
}

/// Records of a kind in a report's summary.
impl Report {
    /// Records of a kind in the snapshot.
    #[must_use]
    pub fn records(&self, kind: Kind) -> u32 {
        self.summary.count(kind)
    }
}

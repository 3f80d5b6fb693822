//! One import, from a deposit to a snapshot.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt;
use std::io::{self, Seek, Write};
use std::path::PathBuf;
use std::rc::Rc;

use snapshot_format::delta::{DepositMark, Gone};
use snapshot_format::layout::{SECTION_ALIGN_BYTES_MAX, SECTION_ALIGN_BYTES_MIN};
use snapshot_format::sort::Scratch;
use snapshot_format::{BuildError, Builder, Kind, Summary};

use super::collect::Collected;
use super::deposit::{Full, Fulls, Import, reason};
use super::known::Seen;
use super::merge::Merge;
use super::model::Stop;
use super::model::envelope::{Count, Envelope};
use super::progress::{Phase, Progress, Step, Watch};
use super::source::{Follow, Pipes};
use super::standing::{NotAllowed, Standing};
use crate::observe::printable::counted;
use crate::vet::check::Context;
use crate::vet::findings::{Finding, Findings, ObjectKind};
use crate::vet::rule::Rule;

/// Input from which on sections are aligned for huge pages, bytes.
const LARGE_INPUT_BYTES: u64 = 64 << 20;
/// Domains that stay beside a deposit from which on sections are aligned for huge pages.
const LARGE_KEPT_DOMAINS: u64 = 100_000;
/// Most registry-class names whose domains are counted.
const RCDNS_MAX: usize = 64;

/// What to import, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Files of the deposit: one XML (or a tar that holds it), and CSV files that lie elsewhere; or
    /// those of several FULL deposits, each of a TLD of its own.
    pub deposits: Vec<PathBuf>,
    /// What came through pipes among them; [`Pipes::default`], and the same for every look at one
    /// deposit.
    pub pipes: Pipes,
    /// Memory to use, bytes; see [`Options::MEMORY_BYTES_MIN`].
    pub memory_bytes: usize,
    /// Most bytes that are read of its files, unpacked; bytes that are read twice count twice.
    pub content_bytes_max: u64,
    /// What may be at the paths where they are read.
    pub follow: Follow,
    /// Refuse the deposit on any finding.
    pub strict: bool,
    /// Refuse the deposit on more findings than that.
    pub findings_max: Option<u64>,
    /// The time, ms since the epoch: a watermark after it is a finding, and not believed.
    pub now_ms: i64,
    /// Seed of the snapshot's key hashes; take it at random.
    pub hash_seed: u64,
    /// Number of the generation that the snapshot will be.
    pub generation: u64,
}

impl Options {
    /// Default of `content_bytes_max`: fifty times the deposit of the largest registry.
    pub const CONTENT_BYTES_MAX: u64 = 1 << 42;
    /// Default of `memory_bytes`.
    pub const MEMORY_BYTES: usize = 1 << 30;
    /// Least memory, bytes: below it what does not depend on the setting is most of it.
    pub const MEMORY_BYTES_MIN: usize = 64 << 20;
    /// What does not depend on the setting, bytes: the program, and buffers of files.
    const FIXED_BYTES: usize = 20 << 20;

    /// Memory for sorting and for tables of references, bytes.
    pub(super) const fn table_bytes(&self) -> usize {
        self.memory_bytes.saturating_sub(Self::FIXED_BYTES)
    }
}

/// What an import found and made.
#[derive(Debug, Default)]
pub struct Report {
    /// `id` of the deposit; of a corrected one with `#` and its `resend`; of several, all of them.
    pub deposit: String,
    /// The deposits, one for each TLD.
    pub deposits: Vec<DepositMark>,
    /// How much stayed beside them, if anything did.
    pub kept: Option<Gone>,
    /// The newest watermark, ms since the epoch, or `now_ms` where that is not believed; `i64::MIN`
    /// if it was not read.
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
    /// It may not take the place of what there is unbidden.
    NotAllowed(NotAllowed),
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
                let found = counted(count, "finding");
                write!(f, "{found}, expected none; leave out --strict to serve the rest")
            }
            Reason::TooMany(max) => {
                write!(
                    f,
                    "{}, at most {max} are allowed; raise --findings-max, or \
                     updater.findings_max of a server",
                    counted(count, "finding")
                )
            }
            Reason::NotAllowed(why) => write!(f, "{why}"),
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
    run_beside(options, scratch, None, out, report, progress)
}

/// As [`run()`], of deposits of one TLD each that replace what `standing` has of these.
///
/// # Errors
///
/// As [`run()`].
pub fn run_beside<W: Write + Seek>(
    options: &Options,
    scratch: &Rc<dyn Scratch>,
    standing: Option<&mut dyn Standing>,
    out: W,
    report: Option<&mut dyn Write>,
    progress: &mut dyn Progress,
) -> Result<(W, Report), ImportError> {
    let mut findings = Findings::new(report);
    let mut said = Report { watermark_ms: i64::MIN, ..Report::default() };
    let mut import = Import { options, scratch, findings: &mut findings, said: &mut said };
    let made = import.snapshot(standing, out, progress);
    conclude(options, made, findings, said)
}

/// What comes of an import: what was made, unless a limit on findings or the report prevents it.
pub(super) fn conclude<T>(
    options: &Options,
    made: Result<T, Reason>,
    findings: Findings<'_>,
    mut said: Report,
) -> Result<(T, Report), ImportError> {
    let report_error = tell(findings, &mut said);
    let reason = match (made, report_error) {
        (Ok(_), Some(source)) => Reason::Io { what: "the report".to_owned(), source },
        (Ok(_), None) if options.strict && said.findings_count > 0 => Reason::Strict,
        (Ok(_), None) if options.findings_max.is_some_and(|max| said.findings_count > max) => {
            Reason::TooMany(options.findings_max.unwrap_or_default())
        }
        (Ok(made), None) => return Ok((made, said)),
        (Err(reason), _) => reason,
    };
    Err(ImportError { reason, report: Box::new(said) })
}

/// An import that ends before anything could be made.
pub(super) fn failed(reason: Reason, findings: Findings<'_>, mut said: Report) -> ImportError {
    tell(findings, &mut said);
    ImportError { reason, report: Box::new(said) }
}

/// Puts the findings into the report; gives back why they could not be written out, if so.
fn tell(findings: Findings<'_>, said: &mut Report) -> Option<io::Error> {
    said.findings_count = findings.count();
    said.per_rule = findings.per_rule().collect();
    let (kept, report_error) = findings.into_parts();
    said.findings = kept;
    report_error
}

impl Import<'_, '_> {
    fn snapshot<W: Write + Seek>(
        &mut self,
        standing: Option<&mut dyn Standing>,
        out: W,
        progress: &mut dyn Progress,
    ) -> Result<W, Reason> {
        let (fulls, mut watch) = self.read_full(standing, progress)?;
        self.build(out, fulls, &mut watch).map_err(|stop| reason(stop, self.options))
    }

    fn build<W: Write + Seek>(
        &mut self,
        out: W,
        mut fulls: Fulls,
        watch: &mut Watch<'_>,
    ) -> Result<W, Stop> {
        self.repeated_roids_of(&mut fulls)?;
        let Fulls { deposits, kept, collected } = fulls;
        let Collected { mut sorted, roids, counts, named, .. } = collected;
        drop(roids);
        for Full { envelope, counts, .. } in &deposits {
            self.menu_and_counts(envelope, counts);
        }
        self.said.kept = kept.as_ref().map(|kept| kept.gone);
        let kept_domains = self.said.kept.map_or(0, |gone| gone.kept_domains);
        let large = self.said.read_bytes >= LARGE_INPUT_BYTES || kept_domains >= LARGE_KEPT_DOMAINS;
        let kept_ms = kept.as_ref().map_or(i64::MIN, |kept| kept.watermark_ms);
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
                watermark_ms: self.said.watermark_ms.max(kept_ms),
            },
        )?;
        let builder = match named {
            Some(named) => builder.with_named(named)?,
            None => builder,
        };
        let mut below: Vec<(String, u64)> = Vec::new();
        let mut contexts = Vec::with_capacity(deposits.len());
        for Full { envelope, zones, .. } in &deposits {
            let mut own = rcdns(envelope);
            own.retain(|(rcdn, _)| zones.contains(rcdn));
            contexts.push(context(envelope, &own));
            below.extend(own);
        }
        let stays = kept.iter().flat_map(|kept| &kept.deposits).map(|mark| mark.tld.to_string());
        tell_apart(&mut contexts, &stays.collect::<Vec<_>>());
        let total = counts.iter().fold(kept_domains, |sum, count| sum.saturating_add(*count));
        let mut merge = Merge::new(builder, self.findings, contexts, below);
        if let Some(kept) = &kept {
            merge.stand(kept);
        }
        merge.run(&mut sorted, total, watch)?;
        drop(sorted);
        let domains = merge.domains;
        let below = std::mem::take(&mut merge.rcdns);
        watch.say(Step { phase: Phase::Finishing, done: 0, total: 0, domains, findings: 0 })?;
        let source = "whoisd import of an RDE deposit";
        let kept_marks = kept.iter().flat_map(|kept| &kept.deposits);
        let marks = kept_marks.chain(&self.said.deposits).map(DepositMark::text).collect();
        let (out, summary) = merge.finish(marks, source)?;
        self.said.summary = summary;
        for Full { envelope, .. } in &deposits {
            self.rcdn_counts(envelope, &below);
        }
        Ok(out)
    }

    /// Menu, counts and objects have to agree (RFC 9022 section 8).
    fn menu_and_counts(&mut self, envelope: &Envelope, counts: &[u64; 7]) {
        for count in envelope.whole_counts() {
            self.counted(count, actual(&count.uri, counts, envelope.epp_params));
        }
        self.menu(envelope, counts);
    }

    /// As [`Self::menu_and_counts`], of a deposit of changes: its counts are of the whole registry.
    pub(super) fn menu_and_totals(
        &mut self,
        envelope: &Envelope,
        counts: &[u64; 7],
        seen: &Seen<'_>,
        zones: &[String],
    ) -> Result<(), Stop> {
        for count in envelope.whole_counts() {
            let kind = kind_of_uri(&count.uri).and_then(ObjectKind::record);
            let total = kind.map_or(Ok(None), |kind| seen.total(kind, zones));
            self.counted(count, total.map_err(Stop::Visit)?);
        }
        self.menu(envelope, counts);
        Ok(())
    }

    /// Compares one count with what there is.
    fn counted(&mut self, count: &Count, actual: Option<u64>) {
        let (Some(stated), Some(actual)) = (count.count, actual) else { return };
        if stated != actual {
            let got = format!("{stated} for {actual} of {}", count.uri);
            let (rule, kind) = (Rule::CountWrong, ObjectKind::Deposit);
            self.findings.add(rule, count.place, kind, "", "count", &got);
        }
    }

    /// Menu and counts have to name the same kinds, and those of the objects.
    fn menu(&mut self, envelope: &Envelope, counts: &[u64; 7]) {
        let kind = ObjectKind::Deposit;
        let mut counted: Vec<&str> = envelope.counts.iter().map(|count| &*count.uri).collect();
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
pub(super) fn rcdns(envelope: &Envelope) -> Vec<(String, u64)> {
    let mut names: Vec<String> = envelope.counts.iter().map(|count| count.rcdn.clone()).collect();
    names.retain(|name| !name.is_empty());
    names.sort_unstable();
    names.dedup();
    names.truncate(RCDNS_MAX);
    names.into_iter().map(|name| (name, 0)).collect()
}

/// What rules need to know of a deposit.
pub(super) fn context<'e>(envelope: &'e Envelope, rcdns: &[(String, u64)]) -> Context<'e> {
    let mut zones: Vec<String> = rcdns.iter().map(|(rcdn, _)| rcdn.clone()).collect();
    zones.push(envelope.tld.clone());
    zones.retain(|zone| !zone.is_empty());
    zones.sort_unstable();
    zones.dedup();
    let others = Vec::new();
    Context { watermark: envelope.watermark, zones, others, policies: &envelope.policies }
}

/// Tells each deposit which zones are of the others, and of those that stay.
fn tell_apart(contexts: &mut [Context<'_>], stays: &[String]) {
    let zones: Vec<Vec<String>> = contexts.iter().map(|context| context.zones.clone()).collect();
    for (index, context) in contexts.iter_mut().enumerate() {
        let others = zones.iter().enumerate().filter(|(other, _)| *other != index);
        let others = others.flat_map(|(_, zones)| zones).chain(stays);
        context.others = others.filter(|zone| !zone.is_empty()).cloned().collect();
    }
}

/// The kind of object that a namespace is about.
pub(super) fn kind_of_uri(uri: &str) -> Option<ObjectKind> {
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

/// Records of a kind in a report's summary.
impl Report {
    /// Records of a kind in the snapshot.
    #[must_use]
    pub fn records(&self, kind: Kind) -> u32 {
        self.summary.count(kind)
    }
}

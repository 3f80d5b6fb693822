//! `whoisd import`: a deposit into a snapshot directory.
//!
//! # Does not
//!
//! Leave anything visible unless the whole deposit was read, vetted and written: an error or an
//! interruption leaves the generation that was there.

use std::fmt::Write as _;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, IsTerminal, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use snapshot_format::sort::Scratch;
use snapshot_format::verify::verify;
use snapshot_format::{Kind, Summary};

use super::report_file::{ReportFile, check_report};
use super::standing::{There, Tlds};
use super::stopping::{stop_at_hang_up, stop_flag};
use super::{Failure, KINDS};
use crate::config::Settings;
use crate::import::{
    self, DepositType, ImportError, Phase, Progress, Reason, Report, Standing, Step,
};
use crate::observe::clock;
use crate::observe::printable::counted;
use crate::serving::fresh::Fresh;
use crate::serving::patience::{self, patiently};
use crate::serving::updating::begin_anew;
use crate::store::{
    DiskScratch, FEWER_PERCENT, Live, Permit, Permits, Settings as StoreSettings, StoreError,
    Writer, read_manifest,
};
use crate::updater::Vetting;
use crate::view::{Disk, View};

/// Findings that are printed; a report has all of them.
const FINDINGS_SHOWN: usize = 20;
/// Pause between two lines of progress without a terminal.
const LINE_PAUSE: Duration = Duration::from_secs(5);

/// Import a registry's escrow deposit (RDE, RFC 8909 and RFC 9022) into a snapshot directory
///
/// Reads FULL deposits in the XML or the CSV model, one for each TLD, checks them, and publishes
/// what they make as the next generation of the directory, after a full check of the new snapshot.
/// Servers that run on the directory show it as soon as it is there; a server with --spool writes
/// the directory itself, and takes deposits in its spool. Nothing half-imported is ever visible.
/// A DIFF or INCR deposit changes what an earlier one has made, under the same rules; a corrected
/// one (`resend`) is applied after the one before, and a finding says what of that stays.
///
/// A FULL deposit takes the place of what the directory has of its TLD; other TLDs stay. What would
/// lose much of a registry is refused unless an option permits it: no or far fewer domains, older
/// data, a TLD with a deposit of its own that the header names (`rcdn`), the end of a feed, a state
/// that does not read (--allow), a TLD that the directory does not have (--add, --replace).
///
/// A defect of one record (a reference to nothing, an unreadable date) is a finding: it is
/// reported, and the record is served without the part. What would make answers wrong (a key
/// twice, unreadable XML, a wrong checksum, no header) refuses the whole deposit.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  whoisd import example_2026-11-22_full_S1_R0.xml --into /var/lib/whoisd
  whoisd import deposit.xml.gz --into snapshot --report findings.jsonl
  whoisd import deposit.tar --into snapshot --memory 512M --strict
  whoisd import deposit.xml csv/domain.csv csv/host.csv --into snapshot
  whoisd import one.xml two.xml --into snapshot
  whoisd import three.xml --into snapshot --add
  gpg --decrypt deposit.ryde | whoisd import /dev/stdin --into snapshot

Exit status: 0 imported; 1 failed (a file or the disk), or interrupted; 2 wrong usage;
3 the deposit was refused.")]
pub(super) struct Options {
    /// The deposit: XML, or a tar with the XML and its CSV files; either may be gzip, or a pipe.
    /// CSV files are also found beside the XML; elsewhere, name them here. Several deposits are of
    /// a TLD each
    #[arg(required = true, value_name = "DEPOSIT")]
    deposits: Vec<PathBuf>,
    /// Snapshot directory; it is made if it does not exist
    #[arg(long, value_name = "DIR", value_parser = super::kinds::directory())]
    into: PathBuf,
    /// Write every finding to FILE, one JSON object a line; also when the deposit is refused. FILE
    /// is none of the deposits, and not in a snapshot directory
    #[arg(long, value_name = "FILE", value_parser = super::kinds::file())]
    report: Option<PathBuf>,
    /// Refuse the deposit if there is any finding
    #[arg(long)]
    strict: bool,
    /// Refuse the deposit if there are more than N findings
    #[arg(long, value_name = "N")]
    findings_max: Option<u64>,
    /// Take a TLD that the directory does not have beside those that it has
    #[arg(long)]
    add: bool,
    /// Let go of all TLDs that the deposits are not of
    #[arg(long, conflicts_with = "add")]
    replace: bool,
    /// Permit what would lose much of the registry that there is
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    allow: Vec<Permit>,
    /// Domains that may be missing, of a hundred that there are
    #[arg(long, value_name = "PERCENT", default_value_t = FEWER_PERCENT)]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
    fewer_max: u8,
    /// Memory to use, 64M to 1024G; what does not fit is sorted in files in the directory
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = memory_bytes)]
    memory: usize,
    /// Refuse the deposit if its files have more, unpacked, 1M to 1024T: a small file may hold a
    /// thousand times as much
    #[arg(long, value_name = "SIZE", default_value = "4T", value_parser = unpacked_bytes)]
    unpacked_max: u64,
    /// Older states to keep for `whoisd rollback`, each as large as a snapshot
    #[arg(long, value_name = "N", default_value_t = 1)]
    keep: usize,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the command.
///
/// # Errors
///
/// Status 1: a file cannot be read or written, or an interruption; 3: the deposit was refused.
pub(super) fn run(arguments: &Options) -> Result<(), Failure> {
    let started = clock::monotonic();
    if let Some(report) = &arguments.report {
        check_report(report, &arguments.deposits, &arguments.into)?;
    }
    let stop = stop_flag()?;
    stop_at_hang_up(&stop)?;
    if arguments.into.exists() && !arguments.into.is_dir() {
        let into = arguments.into.display();
        return Err(failed(&format!("{into}: is a file; --into names a snapshot directory")));
    }
    let _fresh = Fresh::of(&arguments.into);
    let settings = StoreSettings { keep: arguments.keep, ..StoreSettings::default() };
    let lock = || Writer::lock(Disk::new(&arguments.into), settings);
    let is_held = |error: &StoreError| {
        matches!(error, StoreError::Locked { .. }) && !stop.load(Ordering::Relaxed)
    };
    let writer = patiently(patience::LOCK, is_held, lock).map_err(|error| failed(&error))?;
    let scratch: Rc<dyn Scratch> = Rc::new(DiskScratch::new(&arguments.into));
    let mut options = import::Options {
        deposits: arguments.deposits.clone(),
        pipes: import::Pipes::until(Arc::clone(&stop)),
        memory_bytes: arguments.memory,
        content_bytes_max: arguments.unpacked_max,
        follow: import::Follow::Any,
        strict: arguments.strict,
        findings_max: arguments.findings_max,
        now_ms: clock::wall_ms(),
        // Registrants choose names: the seed must not be known to them.
        hash_seed: std::hash::RandomState::new().build_hasher().finish(),
        generation: 0,
    };
    if is_of_changes(&options, &scratch) && is_there(&writer)? {
        let live = Live::open(writer)?;
        let display = Display::new(arguments.quiet, stop, started);
        return change(arguments, live, &options, display);
    }
    let permits = Permits { named: arguments.allow.clone(), fewer_percent: arguments.fewer_max };
    let tlds = Tlds { add: arguments.add, replace: arguments.replace };
    let mut there = There::open(&arguments.into, tlds, permits, options.now_ms)?;
    // The directory is judged once all reasons are known.
    let writer = writer.over_damage(there.is_some());
    let mut base = writer.begin().map_err(|error| failed(&error))?;
    options.generation = base.generation();
    let mut lines = arguments.report.as_deref().map(ReportFile::new).transpose()?;
    let mut display = Display::new(arguments.quiet, stop, started);
    let report = lines.as_mut().map(|lines| &mut lines.file as &mut dyn Write);
    let standing = there.as_mut().map(|there| there as &mut dyn Standing);
    let made = import::run_beside(&options, &scratch, standing, &mut base, report, &mut display);
    // Half a report does not take the place of the last one.
    if let Some(lines) = lines.filter(|_| made.is_ok() || !display.stop_asked()) {
        lines.finish()?;
    }
    let (_, report) = made.map_err(|error| {
        // A pipe that is waited for fails when the wait ends.
        if display.stop_asked() { interrupted() } else { refused(&error, arguments) }
    })?;
    let peak = peak_memory();
    let made = arguments.into.join(base.aside());
    if let Some(there) = there {
        there.check(&report, &View::open(&made)?)?;
    }
    check(&made, &report, &mut display)?;
    let manifest = writer.publish(base).map_err(|error| failed(&error))?;
    begin_anew(&arguments.into)?;
    if !arguments.quiet {
        let seconds = clock::monotonic().duration_since(started).as_secs_f64();
        let mut text = findings_text(&report, arguments.report.is_some());
        summary_text(&mut text, &report, manifest.current.base_generation, seconds, &peak);
        print(&text)?;
    }
    Ok(())
}

/// Applies a DIFF or INCR deposit, vetted as a FULL one is.
fn change(
    arguments: &Options,
    live: Live<Disk>,
    options: &import::Options,
    mut display: Display,
) -> Result<(), Failure> {
    let mut lines = arguments.report.as_deref().map(ReportFile::new).transpose()?;
    let (bar, stop) = (display.bar.clone(), Arc::clone(&display.stop));
    let mut vetting = Vetting {
        strict: options.strict,
        findings_max: options.findings_max,
        memory_bytes: Some(options.memory_bytes),
        content_bytes_max: Some(options.content_bytes_max),
        pipes: options.pipes.clone(),
        lines: lines.as_mut().map(|lines| &mut lines.file as &mut dyn Write),
        ..Vetting::new(options.now_ms, &mut display)
    };
    let files = &arguments.deposits;
    let applied = super::apply::deposit_directly(files, live, &Settings::default(), &mut vetting);
    let report = vetting.report.take();
    bar.finish_and_clear();
    if applied.is_err() && stop.load(Ordering::Relaxed) {
        return Err(interrupted());
    }
    if let Some(lines) = lines {
        lines.finish()?;
    }
    let how = Telling { quiet: arguments.quiet, has_report: arguments.report.is_some() };
    super::apply::tell(files, applied, report.as_deref(), how)
}

/// How much is reported of a deposit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Telling {
    /// Nothing but errors.
    pub(super) quiet: bool,
    /// Every finding is in a report.
    pub(super) has_report: bool,
}

/// Whether the deposit is a DIFF or INCR one. The import reports a deposit that cannot be read.
fn is_of_changes(options: &import::Options, scratch: &Rc<dyn Scratch>) -> bool {
    import::head(options, scratch).is_ok_and(|head| head.kind != DepositType::Full)
}

/// Whether there is something that changes can be applied to.
fn is_there(writer: &Writer<Disk>) -> Result<bool, Failure> {
    // One that does not read says so, and what may take its place, where a FULL deposit comes.
    Ok(read_manifest(writer.files())?.is_some())
}

/// Checks the new base in full: what is published is what every reader relies on.
fn check(base: &Path, report: &Report, display: &mut Display) -> Result<(), Failure> {
    let domains = u64::from(report.records(Kind::Domain));
    let findings = report.findings_count;
    let view = View::open(base)?;
    let checked = verify(view.base(), &mut |done, total| {
        display.step(Step { phase: Phase::Checking, done, total, domains, findings });
    });
    display.bar.finish_and_clear();
    checked.map_err(|error| {
        failed(&format!(
            "the new snapshot failed its check: {error}; nothing was changed. The disk or the \
             memory is faulty, or whoisd is: import again, and report it if it comes again"
        ))
    })?;
    if display.stop_asked() {
        return Err(interrupted());
    }
    Ok(())
}

fn interrupted() -> Failure {
    failed(&"interrupted; nothing was changed")
}

fn failed(error: &dyn std::fmt::Display) -> Failure {
    Failure { status: 1, message: error.to_string() }
}

fn refused(error: &ImportError, arguments: &Options) -> Failure {
    let status = match error.reason {
        Reason::Refused(_) | Reason::NotAllowed(_) | Reason::Strict | Reason::TooMany(_) => 3,
        Reason::Interrupted | Reason::Io { .. } | Reason::Build(_) => 1,
    };
    let mut message = String::new();
    if !arguments.quiet {
        message.push_str(&findings_text(&error.report, arguments.report.is_some()));
    }
    let outcome = if status == 3 { "the deposit was refused: " } else { "" };
    // Writing to a String cannot fail.
    let _ = write!(message, "{outcome}{error}");
    Failure { status, message }
}

/// The findings of a report, as text: the first ones, then counts per rule.
pub(super) fn findings_text(report: &Report, has_report: bool) -> String {
    let mut text = String::new();
    let findings = || report.findings.iter().filter(|finding| finding.severity == "finding");
    for finding in findings().take(FINDINGS_SHOWN) {
        let _ = writeln!(text, "{finding}");
    }
    let shown = u64::try_from(findings().take(FINDINGS_SHOWN).count()).unwrap_or(0);
    let more = report.findings_count.saturating_sub(shown);
    if more > 0 {
        let hint = if has_report { "" } else { "; --report FILE writes them all" };
        let _ = writeln!(text, "and {} more{hint}", counted(more, "finding"));
    }
    if report.findings_count > 0 {
        let _ = writeln!(text, "findings per rule:");
        for (rule, count) in &report.per_rule {
            let rule = rule.text();
            let _ = writeln!(text, "  {count:>10}  {}: {} [{}]", rule.code, rule.what, rule.rfc);
        }
    }
    text
}

fn summary_text(text: &mut String, report: &Report, generation: u64, seconds: f64, peak: &str) {
    let Summary { file_bytes, .. } = report.summary;
    let rate = f64::from(report.records(Kind::Domain)) / seconds.max(0.001);
    let _ = writeln!(text, "deposit {} as generation {generation}:", report.deposit);
    for (kind, word) in KINDS {
        let _ = writeln!(text, "  {:>10}  {word}", report.records(kind));
    }
    if let Some(gone) = report.kept {
        let _ = writeln!(text, "  {:>10}  domains of other TLDs, which stay", gone.kept_domains);
    }
    let _ = writeln!(text, "  {:>10}  findings", report.findings_count);
    let _ = writeln!(
        text,
        "{file_bytes} bytes of snapshot from {} bytes in {seconds:.1} s: {rate:.0} domains/s, \
         peak memory {peak}",
        report.read_bytes,
    );
}

/// Largest resident size of this process so far, as the kernel says it.
/// Most memory so far. To be asked before the check maps the new file: its pages are page cache,
/// which the kernel counts here and takes back when it needs them.
fn peak_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |value| value.trim().to_owned())
}

pub(super) fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // The reader has seen enough; the import is done.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|error| failed(&error)),
    }
}

/// Shows how far the import is: a bar on a terminal, lines elsewhere.
struct Display {
    bar: ProgressBar,
    phase: Option<Phase>,
    lines: bool,
    last_line: Instant,
    started: Instant,
    stop: Arc<AtomicBool>,
}

impl Display {
    fn new(quiet: bool, stop: Arc<AtomicBool>, started: Instant) -> Self {
        let terminal = io::stderr().is_terminal();
        let bar = if quiet || !terminal { ProgressBar::hidden() } else { ProgressBar::new(0) };
        Self { bar, phase: None, lines: !quiet && !terminal, last_line: started, started, stop }
    }

    fn enter(&mut self, step: Step) {
        self.phase = Some(step.phase);
        let template = match step.phase {
            Phase::Reading => {
                "reading  {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} {msg}"
            }
            Phase::Writing => "writing  {wide_bar} {pos}/{len} {per_sec} {eta} {msg}",
            Phase::Finishing => "indexes  {spinner} {elapsed} {msg}",
            Phase::Checking => "checking {wide_bar} {pos}/{len} {per_sec} {eta} {msg}",
        };
        // A template that indicatif refuses leaves its own style.
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.bar.reset();
    }
}

impl Progress for Display {
    fn step(&mut self, step: Step) {
        if self.phase != Some(step.phase) {
            self.enter(step);
        }
        self.bar.set_length(step.total);
        self.bar.set_position(step.done);
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("{} domains", step.domains));
        }
        let now = clock::monotonic();
        if self.lines && now.duration_since(self.last_line) >= LINE_PAUSE {
            self.last_line = now;
            let seconds = now.duration_since(self.started).as_secs();
            let line = progress_line(step, seconds);
            // Progress that nobody reads is not a reason to stop.
            let _ = io::stderr().lock().write_all(line.as_bytes());
        }
    }

    fn stop_asked(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn progress_line(step: Step, seconds: u64) -> String {
    let Step { phase, done, total, domains, findings } = step;
    let word = match phase {
        Phase::Reading => "reading",
        Phase::Writing => "writing",
        Phase::Finishing => "writing indexes",
        Phase::Checking => "checking",
    };
    let percent = done.saturating_mul(100).checked_div(total).unwrap_or(0).min(100);
    let (domains, findings) = (counted(domains, "domain"), counted(findings, "finding"));
    format!("import: {seconds} s: {word}: {percent} %, {domains}, {findings}\n")
}

/// Reads `512M`, `2G`, `1073741824`.
pub(super) fn memory_bytes(text: &str) -> Result<usize, String> {
    let bounds = import::Options::MEMORY_BYTES_MIN as u64..=1 << 40;
    let bytes = size_bytes(text, bounds, "64M to 1024G")?;
    usize::try_from(bytes).map_err(|error| error.to_string())
}

/// The bytes of `--unpacked-max`.
fn unpacked_bytes(text: &str) -> Result<u64, String> {
    size_bytes(text, 1 << 20..=1 << 50, "1M to 1024T")
}

/// The bytes of a size such as `512M`.
fn size_bytes(text: &str, bounds: RangeInclusive<u64>, expected: &str) -> Result<u64, String> {
    let trimmed = text.trim_end_matches("iB").trim_end_matches('B');
    let digits = trimmed.trim_end_matches(['K', 'k', 'M', 'm', 'G', 'g', 'T', 't']);
    let unit = match trimmed.get(digits.len()..).map(str::to_ascii_uppercase).as_deref() {
        Some("") => Some(1),
        Some("K") => Some(1 << 10),
        Some("M") => Some(1 << 20),
        Some("G") => Some(1 << 30),
        Some("T") => Some(1 << 40),
        _ => None,
    };
    let bytes = digits.parse::<u64>().ok().zip(unit);
    let bytes = bytes.and_then(|(count, unit)| count.checked_mul(unit)).ok_or_else(|| {
        format!("{text:?} is not a size, expected a number with K, M, G or T, as in 512M")
    })?;
    if !bounds.contains(&bytes) {
        return Err(format!("{text} is out of bounds, expected {expected}"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_bounds() {
        assert_eq!(memory_bytes("512M"), Ok(512 << 20));
        assert_eq!(memory_bytes("2GiB"), Ok(2 << 30));
        assert_eq!(memory_bytes("67108864"), Ok(64 << 20));
        for bad in ["", "M", "1M", "63M", "2T", "-1G", "99999G", "1.5G"] {
            assert!(memory_bytes(bad).is_err(), "{bad}");
        }
    }
}

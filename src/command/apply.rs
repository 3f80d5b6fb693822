//! `whoisd apply`: applies a file of changes, through the server that writes the directory, or
//! directly where none does.
//!
//! # Invariants
//!
//! - Through a server: the file is written aside and renamed into the spool, so that no part of it
//!   is ever applied as the whole.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use clap::Args;
use snapshot_format::delta::State;

use super::import::{Telling, findings_text};
use super::report_file::{ReportFile, check_report};
use super::standard::DirOptions;
use super::{Failure, output};
use crate::aside;
use crate::config::Settings;
use crate::feed::spool::{self, DONE, HELD, REJECTED, SpoolError, WHY_ENDING};
use crate::feed::{Applied, Apply, ApplyError, ChangeRecord, Intake};
use crate::import::{Follow, Quiet, Report};
use crate::observe::clock;
use crate::observe::printable::counted;
use crate::serving::patience::{self, patiently};
use crate::serving::updating::{SPOOL, writer};
use crate::store::{Files, Live, Reader, StoreError, read_manifest};
use crate::updater::{self, FINDINGS, FINDINGS_ENDING, Updater, Vetting};
use crate::view::{Disk, View};

/// How often the outcome is looked for.
const LOOK: Duration = Duration::from_millis(20);
/// Looks between two tries whether the directory has no writer any more: half a second.
const LOOKS_A_LOCK: u32 = 25;

/// Apply a file of changes to a snapshot directory
///
/// FILE holds change records, one JSON object a line, if its name ends in .jsonl; otherwise it is a
/// DIFF or INCR deposit. Where a server with --spool writes the directory, the file goes through
/// its spool, and the command waits for the outcome; where nobody does, it is applied here.
///
/// A deposit is vetted as `whoisd import` vets a FULL one: --strict, --findings-max and --report
/// mean the same. Through a server, it is vetted here against what is served, then handed over; the
/// server's own bound is `updater.findings_max`, and its findings are in DIR/spool/findings.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    whoisd apply changes.jsonl --dir /var/lib/whoisd\n  \
    whoisd apply diff.xml --dir /var/lib/whoisd --timeout 60\n  \
    whoisd apply diff.xml --dir /var/lib/whoisd --strict --report findings.jsonl\n\n\
    Exit status: 0 applied; 1 not applied, it may be tried again as it is; 3 refused, the message \
    says why.")]
pub(super) struct Options {
    /// Change records (.jsonl) or a deposit of changes
    #[arg(value_name = "FILE", value_parser = super::kinds::file())]
    file: PathBuf,

    #[command(flatten)]
    place: DirOptions,

    /// How long to wait for the server, seconds
    #[arg(long, value_name = "S", default_value_t = 60)]
    timeout: u64,

    /// Write every finding of a deposit to FILE, one JSON object a line; also when it is refused.
    /// FILE is not the deposit, and not in a snapshot directory
    #[arg(long, value_name = "FILE", value_parser = super::kinds::file())]
    report: Option<PathBuf>,

    /// Refuse a deposit if there is any finding
    #[arg(long)]
    strict: bool,

    /// Refuse a deposit if there are more than N findings
    #[arg(long, value_name = "N")]
    findings_max: Option<u64>,
}

impl Options {
    /// Whether the deposit's findings are asked for.
    const fn vets(&self) -> bool {
        self.strict || self.findings_max.is_some() || self.report.is_some()
    }
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let dir = &options.place.dir()?;
    check_file(options)?;
    if let Some(report) = &options.report {
        check_report(report, std::slice::from_ref(&options.file), dir)?;
    }
    if read_manifest(&Disk::new(dir))?.is_none() {
        return Err(StoreError::Empty { path: dir.clone() }.into());
    }
    let settings = Settings { spool: true, ..Settings::default() };
    let lock = || writer(&settings, dir);
    let is_held = |error: &StoreError| matches!(error, StoreError::Locked { .. });
    // Without a spool no server would take it: another command is at work.
    let patience = if dir.join(SPOOL).is_dir() { Duration::ZERO } else { patience::LOCK };
    match patiently(patience, is_held, lock) {
        Ok(writer) => directly(options, Live::open(writer)?, &settings),
        Err(StoreError::Locked { .. }) => through_server(options, dir, &settings),
        Err(error) => Err(error.into()),
    }
}

/// The path has to lead to a file or a pipe of the kind that is asked for.
fn check_file(options: &Options) -> Result<(), Failure> {
    let file = options.file.display();
    if !options.file.exists() {
        return Err(Failure::failed(format!("{file}: there is no such file")));
    }
    if options.file.is_dir() {
        let what = "is a directory, expected a file of change records or a deposit";
        return Err(Failure::failed(format!("{file}: {what}")));
    }
    if is_records(&options.file) && options.vets() {
        let message = format!(
            "{file}: change records have no findings, a wrong one is refused; leave out --strict, \
             --findings-max and --report"
        );
        return Err(Failure { status: 2, message });
    }
    Ok(())
}

fn is_records(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending == "jsonl")
}

/// The updater, called on this thread.
struct Direct(Updater);

impl Apply for Direct {
    fn serial(&self) -> u64 {
        self.0.generation().state().serial
    }

    fn batch_bytes_max(&self) -> usize {
        self.0.settings().batch_bytes_max()
    }

    fn apply(&mut self, records: &[ChangeRecord]) -> Result<Applied, ApplyError> {
        self.0.apply(records)
    }
}

impl Intake for Direct {
    fn apply_deposit(&mut self, path: &Path) -> Result<Applied, ApplyError> {
        let mut progress = Quiet;
        let mut vetting = Vetting::new(clock::wall_ms(), &mut progress);
        self.0.apply_files(&[path.to_owned()], &mut vetting)
    }
}

/// Applies a file as the directory's writer.
fn directly(options: &Options, live: Live<Disk>, settings: &Settings) -> Result<(), Failure> {
    let files = std::slice::from_ref(&options.file);
    if is_records(&options.file) {
        let applied = records_directly(&options.file, live, settings)?;
        return tell(files, applied, None, Telling { quiet: false, has_report: false });
    }
    let apply = |vetting: &mut Vetting<'_>| deposit_directly(files, live, settings, vetting);
    let (applied, report) = vetted(options, apply)?;
    let how = Telling { quiet: false, has_report: options.report.is_some() };
    tell(files, applied, report.as_deref(), how)
}

/// Applies a file of records as the directory's writer. A refused one holds its place, as in a
/// spool: what comes later is not applied over the hole.
fn records_directly(
    file: &Path,
    live: Live<Disk>,
    settings: &Settings,
) -> Result<Result<Applied, SpoolError>, Failure> {
    let mut position = spool::Position::open(live.writer().files().path());
    let mut intake = direct(live, settings)?;
    let applied = spool::apply_file(file, Follow::Any, &mut intake, &mut position);
    if applied.as_ref().is_err_and(|error| !error.may_pass()) && intake.serial() == 0 {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        position.hold(&name, file).map_err(|error| {
            Failure::failed(format!(
                "{name} is refused, and {HELD} cannot be written, so that later files would not \
                 wait for it: {error}; make room, or mend the rights of the snapshot directory"
            ))
        })?;
    }
    Ok(applied)
}

fn direct(live: Live<Disk>, settings: &Settings) -> Result<Direct, Failure> {
    let view = View::of(Arc::clone(live.generation()), None)
        .map_err(|error| Failure::refused(error.to_string()))?;
    let views: updater::Views = Arc::new(ArcSwap::new(Arc::new(view)));
    Ok(Direct(Updater::new(live, views, settings.updater.clone())))
}

/// Applies the files of one deposit as the directory's writer.
pub(super) fn deposit_directly(
    files: &[PathBuf],
    live: Live<Disk>,
    settings: &Settings,
    vetting: &mut Vetting<'_>,
) -> Result<Applied, SpoolError> {
    let direct = direct(live, settings);
    let problem = |failure: Failure| ApplyError::Store { problem: failure.message };
    Ok(direct.map_err(problem)?.0.apply_files(files, vetting)?)
}

/// What came of a deposit, and its findings.
type Outcome = (Result<Applied, SpoolError>, Option<Box<Report>>);

/// Applies, or only reads, a deposit with the limits of the options. The error is the report's.
fn vetted(
    options: &Options,
    apply: impl FnOnce(&mut Vetting<'_>) -> Result<Applied, SpoolError>,
) -> Result<Outcome, Failure> {
    let mut lines = options.report.as_deref().map(ReportFile::new).transpose()?;
    let mut progress = Quiet;
    let mut vetting = Vetting {
        strict: options.strict,
        findings_max: options.findings_max,
        lines: lines.as_mut().map(|lines| &mut lines.file as &mut dyn Write),
        ..Vetting::new(clock::wall_ms(), &mut progress)
    };
    let applied = apply(&mut vetting);
    let report = vetting.report.take();
    if let Some(lines) = lines {
        lines.finish()?;
    }
    Ok((applied, report))
}

/// Tells what came of a file, or of a deposit's files, and what was found.
pub(super) fn tell(
    files: &[PathBuf],
    applied: Result<Applied, SpoolError>,
    report: Option<&Report>,
    how: Telling,
) -> Result<(), Failure> {
    let file = files.first().map_or_else(|| Path::new(""), PathBuf::as_path);
    let found = report.filter(|_| !how.quiet);
    let mut text = found.map_or_else(String::new, |report| findings_text(report, how.has_report));
    let Applied { serial, generation, new_count } = match applied {
        Ok(applied) => applied,
        Err(error) => {
            let mut failure = failure(file, &error);
            failure.message.insert_str(0, &text);
            return Err(failure);
        }
    };
    let changes = counted(new_count, "change");
    let findings = match found {
        Some(report) => format!(", {}", counted(report.findings_count, "finding")),
        None => String::new(),
    };
    let known = if new_count == 0 && is_records(file) { "known already" } else { "applied" };
    let file = file.display();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{file}: {known}: {changes}, generation {generation}, serial {serial}{findings}"
    );
    if how.quiet { Ok(()) } else { output::print(text.as_bytes()) }
}

fn failure(file: &Path, error: &SpoolError) -> Failure {
    let message = match error {
        // A server tries again; a command does not.
        SpoolError::Apply(ApplyError::Store { problem }) => {
            format!("{}: {problem}", file.display())
        }
        error => format!("{}: {error}", file.display()),
    };
    if error.may_pass() { Failure::failed(message) } else { Failure::refused(message) }
}

/// Holds a deposit against what is served, by the limits of the options.
fn vet_first(options: &Options, dir: &Path, spool: &Path) -> Result<(), Failure> {
    if !options.file.is_file() {
        let file = options.file.display();
        let what = "a pipe cannot be read twice, for its findings and by the server; save it first";
        return Err(Failure::failed(format!("{file}: {what}")));
    }
    let reader = Reader::open(Disk::new(dir))?;
    let files = std::slice::from_ref(&options.file);
    let (vetted, report) = vetted(options, |vetting| {
        let vetted = updater::vet(reader.generation(), files, spool, vetting)?;
        let State { serial, generation, .. } = *reader.generation().state();
        Ok(Applied { serial, generation, new_count: vetted.changes.len() as u64 })
    })?;
    let how = Telling { quiet: false, has_report: options.report.is_some() };
    match vetted {
        // The server moves it out of the spool.
        Ok(_) | Err(SpoolError::Apply(ApplyError::Already { .. })) => {
            let report = report.unwrap_or_default();
            output::print(findings_text(&report, how.has_report).as_bytes())
        }
        refused => tell(files, refused, report.as_deref(), how),
    }
}

/// The generation of the directory, and its serial.
fn known(dir: &Path) -> Result<(u64, u64), Failure> {
    let reader = Reader::open(Disk::new(dir))?;
    let State { generation, serial, .. } = *reader.generation().state();
    Ok((generation, serial))
}

/// Tells what the server has made of a file.
fn tell_done(file: &Path, dir: &Path, before: (u64, u64), findings: &Path) -> Result<(), Failure> {
    let now = known(dir)?;
    // What others apply meanwhile makes a generation too: then this says what there is.
    let what = if now == before { "applied before, nothing is new" } else { "applied" };
    let (generation, serial) = now;
    let found = match findings.exists() {
        true => format!(", findings in {}", findings.display()),
        false => String::new(),
    };
    let file = file.display();
    let line = format!("{file}: {what}: generation {generation}, serial {serial}{found}\n");
    output::print(line.as_bytes())
}

/// Hands a file to the server that writes the directory, and waits.
fn through_server(options: &Options, dir: &Path, settings: &Settings) -> Result<(), Failure> {
    let spool = dir.join(SPOOL);
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Failure::failed(format!("{}: {what}: {error}", spool.display()))
    };
    if !spool.is_dir() {
        let message = "another process writes the directory, and takes no changes: start the \
                       server with --spool, or wait for the import to end";
        return Err(Failure::failed(format!("{}: {message}", dir.display())));
    }
    if options.vets() {
        vet_first(options, dir, &spool)?;
    }
    let before = known(dir)?;
    let file_name = options.file.file_name().unwrap_or_default().to_string_lossy();
    // Files are applied in order of their names, or of their serials where a clock that was set
    // back made it another one: this one after those that are there.
    let name = format!("{:020}-{}-{file_name}", clock::wall_ms(), std::process::id());
    let unnamed = spool.join(format!(".{name}"));
    // The mode of a copy is not that of the file.
    let copied = File::open(&options.file)
        .and_then(|mut file| io::copy(&mut file, &mut aside::create(&unnamed)?));
    copied.map_err(|error| failed("cannot copy the file", &error))?;
    fs::rename(&unnamed, spool.join(&name))
        .map_err(|error| failed("cannot rename the file", &error))?;
    let (done, rejected) = (spool.join(DONE).join(&name), spool.join(REJECTED).join(&name));
    let begun = clock::monotonic();
    let timeout = Duration::from_secs(options.timeout);
    let mut looks: u32 = 0;
    while clock::monotonic().saturating_duration_since(begun) < timeout {
        if done.exists() {
            let found = spool.join(FINDINGS).join(format!("{name}{FINDINGS_ENDING}"));
            return tell_done(&options.file, dir, before, &found);
        }
        if rejected.exists() {
            let why = fs::read_to_string(spool.join(REJECTED).join(format!("{name}{WHY_ENDING}")));
            let why = why.map_err(|error| failed("cannot read why it was refused", &error))?;
            return Err(Failure::refused(format!(
                "{}: {}",
                options.file.display(),
                why.trim_end()
            )));
        }
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(LOOKS_A_LOCK)
            && let Ok(writer) = writer(settings, dir)
        {
            // The process that wrote the directory has ended, and nobody will look into the spool.
            match fs::remove_file(spool.join(&name)) {
                Ok(()) => {
                    return directly(options, Live::open(writer)?, settings);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed("cannot take the file back", &error)),
            }
        }
        thread::sleep(LOOK);
    }
    Err(Failure::failed(format!(
        "{}: not applied within {} s; it waits in {}, and the server's log says why",
        options.file.display(),
        options.timeout,
        spool.join(&name).display()
    )))
}

//! `whoisd apply`: applies a file of changes, through the server that writes the directory, or
//! directly where none does.
//!
//! # Invariants
//!
//! - Through a server: the file is written aside and renamed into the spool, so that no part of it
//!   is ever applied as the whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use clap::Args;

use super::standard::DirOptions;
use super::updating::{SPOOL, writer};
use super::{Failure, output};
use crate::config::Settings;
use crate::feed::spool::{self, DONE, REJECTED, SpoolError, WHY_ENDING};
use crate::feed::{Applied, Apply, ApplyError, ChangeRecord, Intake};
use crate::observe::clock;
use crate::store::{Live, StoreError, read_manifest};
use crate::updater::{self, Updater};
use crate::view::{Disk, View};

/// How often the outcome is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// Apply a file of changes to a snapshot directory
///
/// FILE holds change records, one JSON object a line, if its name ends in .jsonl; otherwise it is a
/// DIFF or INCR deposit. Where a server with --spool writes the directory, the file goes through
/// its spool, and the command waits for the outcome; where nobody does, it is applied here.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    whoisd apply changes.jsonl --dir /var/lib/whoisd\n  \
    whoisd apply diff.xml --dir /var/lib/whoisd --timeout 60\n\n\
    Exit status: 0 applied; 1 not applied, it may be tried again as it is; 3 refused, the message \
    says why.")]
pub(super) struct Options {
    /// Change records (.jsonl) or a deposit of changes
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    place: DirOptions,

    /// How long to wait for the server, seconds
    #[arg(long, value_name = "S", default_value_t = 60)]
    timeout: u64,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let dir = &options.place.dir()?;
    if !options.file.is_file() {
        return Err(Failure::failed(format!("{}: there is no such file", options.file.display())));
    }
    if read_manifest(&Disk::new(dir))?.is_none() {
        return Err(StoreError::Empty { path: dir.clone() }.into());
    }
    let settings = Settings { spool: true, ..Settings::default() };
    match writer(&settings, dir) {
        Ok(writer) => directly(std::slice::from_ref(&options.file), Live::open(writer)?, &settings),
        Err(StoreError::Locked { .. }) => through_server(options, dir),
        Err(error) => Err(error.into()),
    }
}

/// The updater, called on this thread.
struct Direct(Updater);

impl Apply for Direct {
    fn serial(&self) -> u64 {
        self.0.generation().state().serial
    }

    fn apply(&mut self, records: &[ChangeRecord]) -> Result<Applied, ApplyError> {
        self.0.apply(records)
    }
}

impl Intake for Direct {
    fn apply_deposit(&mut self, path: &Path) -> Result<Applied, ApplyError> {
        self.0.apply_deposit(path)
    }
}

/// Applies a file, or the files of one deposit, as the directory's writer.
pub(super) fn directly(
    files: &[PathBuf],
    live: Live<Disk>,
    settings: &Settings,
) -> Result<(), Failure> {
    let view = View::of(Arc::clone(live.generation()), None)
        .map_err(|error| Failure::refused(error.to_string()))?;
    let views: updater::Views = Arc::new(ArcSwap::new(Arc::new(view)));
    let mut direct = Direct(Updater::new(live, views, settings.updater.clone()));
    let applied = match files {
        [file] => spool::apply_file(file, &mut direct),
        files => direct.0.apply_files(files).map_err(SpoolError::from),
    };
    let file = files.first().map_or_else(|| Path::new(""), PathBuf::as_path);
    let applied = applied.map_err(|error| failure(file, &error))?;
    let Applied { serial, generation, new_count } = applied;
    let changes = if new_count == 1 { "change" } else { "changes" };
    let text = format!(
        "{}: applied: {new_count} {changes}, generation {generation}, serial {serial}\n",
        file.display()
    );
    output::print(text.as_bytes())
}

fn failure(file: &Path, error: &SpoolError) -> Failure {
    let message = format!("{}: {error}", file.display());
    if error.may_pass() { Failure::failed(message) } else { Failure::refused(message) }
}

/// Hands a file to the server that writes the directory, and waits.
fn through_server(options: &Options, dir: &Path) -> Result<(), Failure> {
    let spool = dir.join(SPOOL);
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Failure::failed(format!("{}: {what}: {error}", spool.display()))
    };
    if !spool.is_dir() {
        let message = "another process writes the directory, and takes no changes: start the \
                       server with --spool, or wait for the import to end";
        return Err(Failure::failed(format!("{}: {message}", dir.display())));
    }
    let file_name = options.file.file_name().unwrap_or_default().to_string_lossy();
    // Files are applied in order of their names: this one after those that are there.
    let name = format!("{:020}-{}-{file_name}", clock::wall_ms(), std::process::id());
    let aside = spool.join(format!(".{name}"));
    fs::copy(&options.file, &aside).map_err(|error| failed("cannot copy the file", &error))?;
    fs::rename(&aside, spool.join(&name))
        .map_err(|error| failed("cannot rename the file", &error))?;
    let (done, rejected) = (spool.join(DONE).join(&name), spool.join(REJECTED).join(&name));
    let begun = clock::monotonic();
    let timeout = Duration::from_secs(options.timeout);
    while clock::monotonic().saturating_duration_since(begun) < timeout {
        if done.exists() {
            return output::print(format!("{}: applied\n", options.file.display()).as_bytes());
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
        thread::sleep(LOOK);
    }
    Err(Failure::failed(format!(
        "{}: not applied within {} s; it waits in {}, and the server's log says why",
        options.file.display(),
        options.timeout,
        spool.join(&name).display()
    )))
}

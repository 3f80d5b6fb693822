//! `whoisd publish`: what a registry's database commits, as change records, or whole as a base.
//!
//! # Does not
//!
//! Read more than the configuration names: the configuration decides what leaves the registry.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use signal_hook::consts::{SIGHUP, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use super::import::memory_bytes;
use super::stopping::stop_flag;
use super::{Failure, KINDS, output, overwriting};
use crate::feed::address::scheme_without_slashes;
use crate::feed::key::{SecretKey, Signer, Trusted};
use crate::feed::nats::{Address, POSITION, note_source};
use crate::observe::log;
use crate::observe::printable::counted;
use crate::publish::{
    self, BootstrapOptions, DirectorySink, PublishError, Rules, RulesError, Settings, Sink,
    SinkError, StreamSink,
};
use crate::serving::fresh::Fresh;
use crate::store::{FEWER_PERCENT, Permit, Permits};

/// Publish what a registry's PostgreSQL database commits
///
/// Sits at the registry: reads committed changes in commit order through documented views
/// (deploy/postgres), leaves out and renames what the configuration says, and puts change records
/// into a directory, such as a server's spool, or into a stream. It goes on where it stopped; a
/// second one waits until the first is gone. With --bootstrap it makes a snapshot directory of all
/// that the database has, with which a server begins; changes go on from there.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  whoisd publish --from postgres:///registry --to /var/spool/whoisd
  whoisd publish --from @/etc/whoisd/database --to spool --config deploy/publish.toml
  whoisd publish --from postgres:///registry --to nats://nats-1.example:4222/WHOISD
  whoisd publish --from 'postgres://whoisd@db.example/registry?sslmode=verify-full' --to spool
  whoisd publish --from postgres:///registry --bootstrap --into /var/lib/whoisd

What the address does not say comes from PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE, PGSSLMODE
and the other variables and files of libpq; without a host it is the socket of this machine. SIGHUP
reloads nothing and ends nothing.

Exit status: 0 done, or ended by SIGINT or SIGTERM; 1 failed (database, disk); 2 wrong usage;
3 the configuration was refused, or the database does not have what deploy/postgres describes.")]
pub(super) struct Options {
    /// Database, postgres://USER@HOST/NAME, or postgres:///NAME as psql finds it; or @FILE whose
    /// first line is that: command lines are seen by everybody on the machine, passwords should
    /// not be
    #[arg(long, value_name = "URL")]
    from: String,
    /// Directory that batches of change records are put into, one file each, such as the spool of a
    /// snapshot directory; or a stream, such as nats://HOST:PORT,HOST:PORT/STREAM
    #[arg(long, value_name = "DIR|URL", required_unless_present = "bootstrap")]
    #[arg(conflicts_with = "bootstrap")]
    to: Option<PathBuf>,
    /// Credentials for the stream: a .creds file, or one line user:password
    #[arg(long, value_name = "FILE", requires = "to", value_parser = super::kinds::file())]
    credentials: Option<PathBuf>,
    /// Sign what goes into the stream with the secret key in FILE (`whoisd key new`)
    #[arg(long, value_name = "FILE", requires = "to", value_parser = super::kinds::file())]
    key: Option<PathBuf>,
    /// Go on from what the key of this public key has signed as well: the one of before, once the
    /// key was changed. May be given several times
    #[arg(long, value_name = "FILE", requires = "key", value_parser = super::kinds::file())]
    trusted: Vec<PathBuf>,
    /// Resume after the last message of the stream, whatever its signature: once, for a stream
    /// that was not signed before
    #[arg(long, requires = "key", conflicts_with = "trusted")]
    adopt: bool,
    /// What may leave the registry, per zone; without it everything does
    #[arg(long, value_name = "FILE", value_parser = super::kinds::file())]
    config: Option<PathBuf>,
    /// Collect changes for so many milliseconds into one batch, 0 to 60000
    #[arg(long, value_name = "MS", default_value_t = 200)]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=60_000))]
    batch_ms: u64,
    /// Send a heartbeat after so many milliseconds without a change, 100 to 3600000
    #[arg(long, value_name = "MS", default_value_t = 5000)]
    #[arg(value_parser = clap::value_parser!(u64).range(100..=3_600_000))]
    heartbeat_ms: u64,
    /// Look for changes every so many milliseconds, also if the database does not notify, 50 to
    /// 60000
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u64).range(50..=60_000))]
    poll_ms: u64,
    /// Keep serials that were published in the database for so many days, 1 to 3650
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=3650))]
    retain_days: u16,
    /// Publish what there is, and end
    #[arg(long, conflicts_with = "bootstrap")]
    once: bool,
    /// Make a base of everything instead
    #[arg(long, requires = "into")]
    bootstrap: bool,
    /// Snapshot directory of --bootstrap; it is made if it does not exist
    #[arg(
        long,
        value_name = "DIR",
        requires = "bootstrap",
        value_parser = super::kinds::directory()
    )]
    into: Option<PathBuf>,
    /// Memory for --bootstrap, 64M to 1024G; what does not fit is sorted in files in the directory
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = memory_bytes)]
    memory: usize,
    /// Older states that --bootstrap keeps for `whoisd rollback`, each as large as a snapshot
    #[arg(long, value_name = "N", default_value_t = 1)]
    keep: usize,
    /// Permit --bootstrap what would lose much of the registry that the directory has
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',', requires = "bootstrap")]
    allow: Vec<Permit>,
    /// Domains that may be missing from --bootstrap, of a hundred that the directory has
    #[arg(long, value_name = "PERCENT", default_value_t = FEWER_PERCENT)]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
    fewer_max: u8,
    /// How log lines look: text or json
    #[arg(long, value_name = "FORMAT", default_value_t)]
    log_format: log::Format,
    /// Least severe log lines: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value_t)]
    log_level: log::Level,
}

/// Runs the command.
///
/// # Errors
///
/// Status 1: the database or the disk; 3: the configuration, or what the database has.
pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let log = log::Settings { format: options.log_format, level: options.log_level };
    log::start(log).map_err(Failure::failed)?;
    let rules = match &options.config {
        Some(path) => Rules::read(path).map_err(|error| match error {
            RulesError::Read { .. } => Failure::failed(error),
            _ => Failure::refused(format!("{}: {error}", path.display())),
        })?,
        None => Rules::default(),
    };
    let from = address(&options.from)?;
    if let Some(into) = options.into.clone() {
        let _fresh = Fresh::of(&into);
        let (memory_bytes, keep) = (options.memory, options.keep);
        let permits = Permits { named: options.allow.clone(), fewer_percent: options.fewer_max };
        let options = BootstrapOptions { from, into, memory_bytes, keep, permits };
        return bootstrap(&options, &rules);
    }
    let Some(to) = &options.to else { return Ok(()) };
    let settings = Settings {
        from,
        batch: Duration::from_millis(options.batch_ms),
        heartbeat: Duration::from_millis(options.heartbeat_ms),
        poll: Duration::from_millis(options.poll_ms),
        retain_days: options.retain_days,
    };
    let mut sink = sink(options, to)?;
    let sink = &mut *sink;
    if options.once {
        let totals = publish::once(&settings, &rules, sink).map_err(|e| failure(&e))?;
        let last = totals.last.map_or_else(|| "none".to_owned(), |last| last.to_string());
        let mut text = format!(
            "{} in {}, {} left out, last serial {last}\n",
            counted(totals.record_count, "record"),
            counted(totals.batch_count, "batch"),
            totals.refused_count,
        );
        if totals.unread_count > 0 {
            let _ = writeln!(
                text,
                "waiting until they can be read (whoisd.unread): {}",
                counted(totals.unread_count, "object")
            );
        }
        return output::print(text.as_bytes());
    }
    let stop = stop_flag()?;
    go_on_at_signals()?;
    publish::run(&settings, &rules, sink, &stop).map_err(|error| failure(&error))?;
    Ok(())
}

/// Lets signals pass that mean something to other services: SIGHUP reloads nothing here, since what
/// was published under other rules is not taken back.
fn go_on_at_signals() -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("signals: {error}"));
    let mut signals = Signals::new([SIGHUP, SIGUSR1, SIGUSR2]).map_err(failed)?;
    let watch = move || {
        for signal in signals.forever() {
            tracing::info!(
                signal,
                "the signal is ignored: nothing is read again; for another configuration, start \
                 the publisher again, and make a new base if it hides more"
            );
        }
    };
    let spawned = std::thread::Builder::new().name("signals".to_owned()).spawn(watch);
    spawned.map(drop).map_err(failed)
}

/// Where records go: a stream if it reads like one, otherwise a directory.
fn sink(options: &Options, to: &Path) -> Result<Box<dyn Sink>, Failure> {
    let text = to.to_str().unwrap_or_default();
    if let Some(scheme) = scheme_without_slashes(text).filter(|_| !to.is_dir()) {
        return Err(Failure::refused(format!(
            "--to {text}: got {scheme}: without //; a stream is nats://HOST:PORT/STREAM, and a \
             directory whose name has a colon is written ./{text}"
        )));
    }
    let Some(url) = Some(text).filter(|to| to.contains("://")) else {
        // An operator that gives a key believes that the records are signed.
        let given = [("--key", &options.key), ("--credentials", &options.credentials)];
        if let Some((name, _)) = given.iter().find(|(_, value)| value.is_some()) {
            return Err(Failure::refused(format!(
                "{name}: is for a stream, and --to {} is a directory, whose batches are not \
                 signed; leave {name} out, or publish to nats://HOST:PORT",
                to.display()
            )));
        }
        overwriting::check_batches("--to", to)?;
        let sink = DirectorySink::new(to).map_err(|error| failure(&error.into()))?;
        return Ok(Box::new(sink));
    };
    let mut address =
        Address::parse(url).map_err(|problem| Failure::refused(format!("--to: {problem}")))?;
    address.credentials.clone_from(&options.credentials);
    let key = options.key.as_deref().map(SecretKey::read).transpose()?;
    let former = Trusted::read(&options.trusted)?;
    let signer = key.map(|key| Signer::new(key, former));
    let signer = if options.adopt { signer.map(Signer::adopting) } else { signer };
    Ok(Box::new(StreamSink::new(address, signer)))
}

fn bootstrap(options: &BootstrapOptions, rules: &Rules) -> Result<(), Failure> {
    let made = publish::bootstrap(options, rules).map_err(|error| failure(&error))?;
    // A node that begins with it follows no other database's stream.
    if let Ok(source) = made.source.parse() {
        note_source(&options.into, &source).map_err(|error| {
            let path = options.into.join(POSITION);
            Failure::failed(format!("{}: cannot note the source: {error}", path.display()))
        })?;
    }
    let mut text =
        format!("generation {} with serial {} of {}:\n", made.generation, made.serial, made.source);
    for (kind, word) in KINDS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:>10}  {word}", made.summary.count(kind));
    }
    for (count, words) in [
        (made.hidden_count, "contacts that may not leave"),
        (made.refused_count, "rows that are no records"),
        (made.dangling_count, "references to nothing"),
    ] {
        let _ = writeln!(text, "  {count:>10}  {words}");
    }
    output::print(text.as_bytes())
}

/// The address of the database, from a file if it is named so.
fn address(from: &str) -> Result<String, Failure> {
    let Some(path) = from.strip_prefix('@') else { return Ok(from.to_owned()) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::failed(format!("--from: {path}: {error}")))?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

fn failure(error: &PublishError) -> Failure {
    match error {
        PublishError::Address { .. }
        | PublishError::Contract { .. }
        | PublishError::Pruned { .. }
        | PublishError::Ahead { .. }
        | PublishError::Rewound { .. }
        | PublishError::Kept { .. }
        | PublishError::Sink(SinkError::Lasting(_)) => Failure::refused(error),
        _ => Failure::failed(error),
    }
}

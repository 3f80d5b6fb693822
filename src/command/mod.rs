//! The subcommands, one file each: its options, its help, its exit status.
//!
//! Exit statuses: 0 done; 1 failed (I/O, network, a full disk); 2 wrong usage; 3 the input was
//! refused (deposit, configuration, snapshot); 4 nothing found (`lookup`, `query`, `inspect`). How
//! an answer ends a command: `answered`. Which configuration a command reads: `standard`.
//! `doctor` ends with 1 if there is something to do.

mod answered;
mod apply;
mod block;
mod completions;
mod config;
mod config_check;
mod control;
mod controlling;
mod deposit_file;
mod doctor;
mod export;
mod fetch_snapshot;
mod fresh;
mod guarding;
mod import;
mod inspect;
mod key;
mod kinds;
mod list;
mod log;
mod logging;
mod lookup;
mod output;
mod overwriting;
mod patience;
mod policy;
mod policy_simulate;
mod publish;
mod publish_snapshot;
mod query;
mod reload;
mod report_file;
mod rollback;
mod sample;
mod serve;
mod settings;
mod standard;
mod standing;
mod status;
mod stopping;
mod systemd;
mod telling;
mod top;
mod updating;
mod verify;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use rustix::fs::Mode;

use crate::observe::printable::printable;
use crate::store::StoreError;

/// The version with the commit that it was built from and its cargo features.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("WHOISD_COMMIT"),
    ", features: ",
    env!("WHOISD_FEATURES"),
    ")"
);

/// Registration-data directory server: WHOIS from a registry's escrow deposit.
#[derive(Debug, Parser)]
#[command(name = "whoisd", version = VERSION, about, long_about = None, max_term_width = 100)]
#[command(after_help = "Exit status: 0 done; 1 failed (I/O, network); 2 wrong usage; 3 the input \
    was refused (deposit, configuration, snapshot); 4 nothing found.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Import(import::Options),
    Export(export::Options),
    Sample(sample::Options),
    Serve(serve::Options),
    Apply(apply::Options),
    Publish(publish::Options),
    Lookup(lookup::Options),
    Query(query::Options),
    Inspect(inspect::Options),
    Verify(verify::Options),
    Rollback(rollback::Options),
    Reload(reload::Options),
    Block(block::Options),
    Unblock(block::UnblockOptions),
    List(list::Options),
    #[command(subcommand)]
    Policy(policy::Command),
    #[command(subcommand)]
    Config(config::Command),
    Status(status::Options),
    Top(top::Options),
    PublishSnapshot(publish_snapshot::Options),
    FetchSnapshot(fetch_snapshot::Options),
    #[command(subcommand)]
    Key(key::Command),
    #[command(subcommand)]
    Log(log::Command),
    Doctor(doctor::Options),
    Completions(completions::Options),
}

/// Why a command ended without doing its work; the message goes to standard error.
#[derive(Debug)]
pub struct Failure {
    /// Exit status: 1 failed, 3 input refused, 4 nothing found.
    pub status: u8,
    /// What happened, and what to do; empty if everything was printed already.
    pub message: String,
}

impl Failure {
    /// I/O, the network, the machine: status 1.
    fn failed(message: impl ToString) -> Self {
        Self { status: 1, message: message.to_string() }
    }

    /// Configuration or snapshot: status 3.
    fn refused(message: impl ToString) -> Self {
        Self { status: 3, message: message.to_string() }
    }

    /// There is no such record, and the answer says so already: status 4.
    fn nothing_found() -> Self {
        Self { status: 4, message: String::new() }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io { .. } | StoreError::Locked { .. } | StoreError::Room { .. } => {
                Self::failed(error)
            }
            _ => Self::refused(error),
        }
    }
}

/// What this process writes holds data of people: nobody but its user and group gets at it,
/// whatever the umask that it was started with. A stricter one stays.
fn keep_from_others() {
    let others = Mode::RWXO | Mode::WGRP;
    let given = rustix::process::umask(others);
    rustix::process::umask(given | others);
}

/// SIGUSR1 and SIGUSR2, which other daemons take for "reopen the log", end no command: a handler
/// that does nothing takes the place of their default. Programs that are started do not inherit it.
fn outlive_signals() {
    for signal in [signal_hook::consts::SIGUSR1, signal_hook::consts::SIGUSR2] {
        // A system that refuses it leaves the command as it would be without.
        let _ = signal_hook::flag::register(signal, Arc::default());
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    outlive_signals();
    keep_from_others();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(said) => return told(&said),
    };
    let done = match arguments.command {
        Command::Import(options) => import::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Sample(options) => sample::run(&options),
        Command::Serve(options) => serve::run(&options),
        Command::Apply(options) => apply::run(&options),
        Command::Publish(options) => publish::run(&options),
        Command::Lookup(options) => lookup::run(&options),
        Command::Query(options) => query::run(&options),
        Command::Inspect(options) => inspect::run(&options),
        Command::Verify(options) => verify::run(&options),
        Command::Rollback(options) => rollback::run(&options),
        Command::Reload(options) => reload::run(&options),
        Command::Block(options) => block::run(&options),
        Command::Unblock(options) => block::unblock(&options),
        Command::List(options) => list::run(&options),
        Command::Policy(command) => policy::run(&command),
        Command::Config(command) => config::run(&command),
        Command::Status(options) => status::run(&options),
        Command::Top(options) => top::run(&options),
        Command::PublishSnapshot(options) => publish_snapshot::run(&options),
        Command::FetchSnapshot(options) => fetch_snapshot::run(&options),
        Command::Key(command) => key::run(&command),
        Command::Log(command) => log::run(&command),
        Command::Doctor(options) => doctor::run(&options),
        Command::Completions(options) => completions::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ended(&failure),
    }
}

fn ended(failure: &Failure) -> ExitCode {
    if !failure.message.is_empty() {
        // If standard error is gone, the exit status still tells.
        let prefix = crate::observe::log::error_prefix();
        // Paths and the like are as somebody named them: no terminal is to obey them.
        let lines = failure.message.lines().map(printable);
        let lines = lines.map(|line| format!("{prefix}whoisd: {line}\n"));
        let _ = std::io::stderr().write_all(lines.collect::<String>().as_bytes());
    }
    ExitCode::from(failure.status)
}

/// Prints help, the version or what is wrong with the command line.
fn told(said: &clap::Error) -> ExitCode {
    match said.print().and_then(|()| std::io::stdout().flush()) {
        // If standard error is gone, the exit status still tells; a reader has seen enough.
        Err(error) if !said.use_stderr() && error.kind() != ErrorKind::BrokenPipe => {
            ended(&Failure::failed(format!("standard output: {error}")))
        }
        _ => ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(2)),
    }
}

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
mod deposit_file;
mod doctor;
mod export;
mod fetch_snapshot;
mod import;
mod inspect;
mod key;
mod kinds;
mod list;
mod log;
mod lookup;
mod order;
mod output;
mod overwriting;
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
mod top;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use snapshot_format::Kind;

pub use crate::serving::Failure;
use crate::serving::programs;

/// The name in messages.
const PROGRAM: &str = "whoisd";

/// Kinds of objects, in the words and the order of summaries.
const KINDS: [(Kind, &str); 6] = [
    (Kind::Domain, "domains"),
    (Kind::Nameserver, "nameservers"),
    (Kind::Contact, "contacts"),
    (Kind::Registrar, "registrars"),
    (Kind::IdnTable, "IDN tables"),
    (Kind::Nndn, "NNDN names"),
];

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

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    programs::begin();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(said) => return programs::usage(PROGRAM, &said),
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
        Err(failure) => programs::ended(PROGRAM, &failure),
    }
}

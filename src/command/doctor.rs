//! `whoisd doctor`: compares this machine with a tuning profile; changes nothing.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, output};
use crate::config::{self, Flags};
use crate::doctor::report::{self, Subject};
use crate::doctor::{Finding, Machine, Profile, Source, State, check, shards};

/// Compare this machine with a tuning profile, and say what to do
///
/// Looks at cores, interrupts, memory nodes, kernel settings, limits and the configuration, and
/// prints what differs from the profile, most valuable first: what is, what is wanted, why, how
/// that is known, the command that sets it and the one that takes it back. Changes nothing itself,
/// and needs no right that an ordinary user lacks; what cannot be read is called unknown.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    whoisd doctor --config /etc/whoisd/whoisd.toml\n  \
    whoisd doctor --shards\n  \
    whoisd doctor --profile bl460c-2x4-64g --json\n\n\
    Exit status: 0 all that is known is as wanted; 1 something to do; 2 wrong usage; 3 profile or \
    configuration refused.")]
pub(super) struct Options {
    /// Profile: small-2-core, bl460c-2x4-64g, dual-socket-64-core, or a file. Default by the
    /// number of cores
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,

    /// Configuration of the server; without it, the defaults are compared
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print where each shard sits instead, and what would be better
    #[arg(long)]
    shards: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,

    /// List what is as wanted, too
    #[arg(long)]
    verbose: bool,

    /// Look at a copy of another machine's /proc and /sys below DIR
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let machine = Machine::read(&Source::new(&options.root));
    let effective =
        config::load(options.config.as_deref(), &Flags::default()).map_err(Failure::refused)?;
    let settings = &effective.settings;
    let (profile, chosen) = match &options.profile {
        Some(name) => (Profile::load(name), "as asked for".to_owned()),
        None => Profile::choose(&machine)
            .map(|(profile, why)| (Ok(profile), format!("chosen for {why}")))
            .map_err(Failure::refused)?,
    };
    let profile = profile.map_err(Failure::refused)?;
    let (engine, why) = engine_choice(&machine);
    let subject =
        Subject { machine: &machine, profile: &profile, chosen: &chosen, engine: (&engine, &why) };
    let findings = check::check(&machine, &profile, settings);
    let todo = |list: &[Finding]| list.iter().any(|finding| finding.state == State::Todo);
    if options.shards {
        let rows = shards::table(&machine, settings);
        let origin = shards::origin(&machine, settings);
        let advice = shards::advice(&machine, &profile, settings).unwrap_or_default();
        let text = if options.json {
            report::json(&subject, &findings, Some((&rows, &advice)))
        } else {
            report::shards_text(&subject, &origin, &rows, &advice)
        };
        output::print(text.as_bytes())?;
        return done(todo(&advice));
    }
    let text = if options.json {
        report::json(&subject, &findings, None)
    } else {
        report::text(&subject, &findings, options.verbose)
    };
    output::print(text.as_bytes())?;
    done(todo(&findings))
}

/// Everything was said already.
fn done(todo: bool) -> Result<(), Failure> {
    if todo { Err(Failure { status: 1, message: String::new() }) } else { Ok(()) }
}

/// The engine that a server would use here, and why.
fn engine_choice(machine: &Machine) -> (String, String) {
    let release = machine.release.as_ref().map_or_else(
        |unknown| format!("kernel unknown ({unknown})"),
        |release| format!("kernel {release}"),
    );
    let disabled = machine.sysctl("kernel.io_uring_disabled").map_or_else(
        |unknown| format!("io_uring_disabled unknown ({unknown})"),
        |value| format!("io_uring_disabled {value}"),
    );
    let why = format!("the only engine of this build; {release}, {disabled}");
    ("glommio streams".to_owned(), why)
}

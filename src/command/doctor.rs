//! `whoisd doctor`: compares this machine with a tuning profile; changes nothing.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failure, output, standard};
use crate::config::{self, Flags};
use crate::doctor::report::{self, Subject};
use crate::doctor::{Finding, Machine, Profile, Source, State, check, shards};
use crate::port43::limits::Wanted;
use crate::port43::{self, EngineKind, Sockets};
use crate::shard::system;

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
    Exit status: 0 all that is known is as wanted; 1 something to do; 2 wrong usage; 3 profile, \
    configuration or --root refused.")]
pub(super) struct Options {
    /// Profile: small-2-core, bl460c-2x4-64g, dual-socket-64-core, or a file. Default by the
    /// number of cores
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,

    /// Configuration of the server. Default /etc/whoisd/whoisd.toml, if it is there and --root is
    /// not given; otherwise the defaults are compared
    #[arg(long, value_name = "FILE", value_parser = super::kinds::file())]
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
    #[arg(long, value_name = "DIR", default_value = "/", value_parser = super::kinds::directory())]
    root: PathBuf,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    if !["proc", "sys"].iter().any(|part| options.root.join(part).is_dir()) {
        return Err(Failure::refused(format!(
            "{}: has neither proc nor sys in it, expected a copy of a machine's /proc and /sys",
            options.root.display()
        )));
    }
    let machine = Machine::read(&Source::new(&options.root));
    let is_other = options.root != Path::new("/");
    let file = standard::file(options.config.as_deref(), is_other);
    let effective = config::load(file.as_deref(), &Flags::default()).map_err(Failure::refused)?;
    let settings = &effective.settings;
    let (profile, chosen) = match &options.profile {
        Some(name) => (Profile::load(name), "as asked for".to_owned()),
        None => Profile::choose(&machine)
            .map(|(profile, why)| (Ok(profile), format!("chosen for {why}")))
            .map_err(Failure::refused)?,
    };
    let profile = profile.map_err(Failure::refused)?;
    let (engine, why) = engine_choice(&options.root, &machine, settings.port43.engine);
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
        known(&machine, &options.root)?;
        return done(todo(&advice) || engine == NONE);
    }
    let text = if options.json {
        report::json(&subject, &findings, None)
    } else {
        report::text(&subject, &findings, options.verbose)
    };
    output::print(text.as_bytes())?;
    known(&machine, &options.root)?;
    done(todo(&findings) || engine == NONE)
}

/// A setting of which nothing is known is not as wanted.
fn known(machine: &Machine, root: &Path) -> Result<(), Failure> {
    if !machine.is_unknown() {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "{}: nothing of a machine can be read there, expected a copy of its /proc and /sys",
        root.display()
    )))
}

/// Where no engine can run.
const NONE: &str = "none";

/// Everything was printed already.
fn done(todo: bool) -> Result<(), Failure> {
    if todo { Err(Failure { status: 1, message: String::new() }) } else { Ok(()) }
}

/// The engine that a server would use here, and why. This kernel is tried out; of another machine
/// only the release and the switch are known.
fn engine_choice(root: &Path, machine: &Machine, wanted: Wanted) -> (String, String) {
    if root == Path::new("/") {
        if let Err(refused) = system::check_io_uring() {
            return (NONE.to_owned(), refused.to_string());
        }
        return match port43::choose(wanted) {
            Ok(choice) => (choice.engine.name().to_owned(), choice.reason),
            Err(refused) => (NONE.to_owned(), refused.to_string()),
        };
    }
    let disabled = machine.sysctl("kernel.io_uring_disabled").unwrap_or_default();
    let release = machine.release.as_deref().unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next(), numbers.next());
    let told = "by its release and kernel.io_uring_disabled; not tried out from here";
    let (engine, why) = match (wanted, disabled) {
        (_, 1) => {
            let why = format!(
                "io_uring is for root and the group of kernel.io_uring_group alone; for other \
                 users no engine runs, {told}"
            );
            return (NONE.to_owned(), why);
        }
        (_, 2) => {
            let why = format!("io_uring is switched off, and no engine runs without it, {told}");
            return (NONE.to_owned(), why);
        }
        (Wanted::Streams, _) => (EngineKind::Streams, "server.engine asks for it".to_owned()),
        (_, _) if version >= (Some(6), Some(13)) => {
            (EngineKind::Ring(Sockets::Direct), format!("kernel {release}, {told}"))
        }
        (_, _) if version >= (Some(6), Some(1)) => {
            (EngineKind::Ring(Sockets::Ordinary), format!("kernel {release}, {told}"))
        }
        (_, _) => (EngineKind::Streams, format!("kernel {release:?} has no such ring, {told}")),
    };
    (engine.name().to_owned(), why)
}

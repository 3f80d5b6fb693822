//! `whoisd policy`: checks lists, explains what applies to an address.

use std::fs;
use std::iter::once;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::control::{ControlOptions, block_line, entry_line, items, text};
use super::{Failure, output, policy_simulate, standard};
use crate::config::{self, Flags, STANDARD_FILE, Settings};
use crate::control::{self, AskError, Request, explain_lists};
use crate::observe::clock;
use crate::observe::printable::counted;
use crate::policy::lists::{self, Action, Entry, LIST_BYTES_MAX, Lists};

/// Most warnings that are printed.
const WARNINGS_MAX: usize = 100;

/// Check lists, explain what applies to an address
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Check(Check),
    Explain(Explain),
    Simulate(policy_simulate::Options),
}

/// Read lists and files of registrars as the server would, and say what is wrong with them
///
/// Prints how many prefixes each file has, and warns of entries without an effect: expired, said
/// twice, or covered by others.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  whoisd policy check /etc/whoisd/lists.d/*.toml\n  \
    whoisd policy check --config /etc/whoisd/whoisd.toml\n\n\
    Exit status: 0 good, perhaps with warnings; 1 cannot be read; 3 refused, the message names \
    file, line, entry, value and what is expected.")]
pub(super) struct Check {
    /// Files of lists; without one, those that the configuration names
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Configuration file. Default /etc/whoisd/whoisd.toml, if it is there and no
    /// file is named
    #[arg(long, value_name = "FILE", conflicts_with = "files", value_parser = super::kinds::file())]
    config: Option<PathBuf>,
}

/// Say what applies to an address, and why
///
/// Asks the server that runs: its lists, the block that the address is under, and what is left of
/// its limits. Where none answers, the lists that the configuration names are read instead.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  whoisd policy explain 192.0.2.7\n  \
    whoisd policy explain 2001:db8::1 --config whoisd.toml\n\n\
    Exit status: 0 explained; 1 no server answers at the named socket; 3 configuration or a list \
    refused.")]
pub(super) struct Explain {
    /// IPv4 or IPv6 address
    #[arg(value_name = "ADDRESS")]
    address: IpAddr,

    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    control: ControlOptions,
}

pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Check(options) => check(options),
        Command::Explain(options) => explain(options),
        Command::Simulate(options) => policy_simulate::run(options),
    }
}

/// How many registrars the files of `[registrars]` name.
fn listed_registrars(settings: &Settings) -> String {
    let listed = &settings.answers.written().listed;
    let mut lines = String::new();
    if let Some(path) = &settings.registrars.iana {
        let urls = counted(listed.iana.len() as u64, "RDAP base URL");
        lines.push_str(&format!("{}: {urls}\n", path.display()));
        if listed.passed_over > 0 {
            let (path, count) = (path.display(), counted(listed.passed_over, "line"));
            lines.push_str(&format!(
                "warning: {path}: {count} passed over, without number or URL\n"
            ));
        }
    }
    if let Some(path) = &settings.registrars.overlay {
        let registrars = counted(listed.overlay.len() as u64, "registrar");
        lines.push_str(&format!("{}: {registrars}\n", path.display()));
    }
    lines
}

fn check(options: &Check) -> Result<(), Failure> {
    // Files alone do not say which tiers there are.
    let (files, rules, listed) = if options.files.is_empty() {
        let file = standard::file(options.config.as_deref(), false).ok_or_else(|| {
            let problem = "no lists are named; name their files, or --config FILE with the file \
                           that names them";
            Failure::failed(format!("{problem} ({STANDARD_FILE} is not there)"))
        })?;
        let settings = config::load(Some(&file), &Flags::default())?.settings;
        let listed = listed_registrars(&settings);
        (settings.policy.lists, Some(Arc::clone(settings.answers.rules())), listed)
    } else {
        (options.files.clone(), None, String::new())
    };
    let has_tier = |name: &str| rules.as_ref().is_none_or(|rules| rules.tier(name).is_some());
    let now_ms = clock::wall_ms();
    let read = read_all(&files)?;
    let mut lines = listed;
    for (path, entries) in &read {
        lines.push_str(&format!("{}: {}\n", path.display(), counts(entries)));
    }
    let file_count = read.len();
    let entries = read.into_iter().map(|(_, entries)| entries).collect();
    let lists = Lists::new(entries, &has_tier, now_ms).map_err(Failure::refused)?;
    for pattern in &files {
        if control::find(std::slice::from_ref(pattern)).0.is_empty() {
            lines.push_str(&format!("warning: {} names no file\n", pattern.display()));
        }
    }
    let warnings = lists::review(&lists, now_ms);
    for warning in warnings.iter().take(WARNINGS_MAX) {
        lines.push_str(&format!("warning: {warning}\n"));
    }
    if warnings.len() > WARNINGS_MAX {
        lines.push_str(&format!("and {} warnings more\n", warnings.len() - WARNINGS_MAX));
    }
    lines.push_str(&format!(
        "good: {} in force from {}, {}\n",
        counted(lists.count() as u64, "prefix"),
        counted(file_count as u64, "file"),
        counted(warnings.len() as u64, "warning")
    ));
    output::print(lines.as_bytes())
}

fn counts(entries: &[Entry]) -> String {
    let count = |is: &dyn Fn(&Entry) -> bool| entries.iter().filter(|entry| is(entry)).count();
    format!(
        "{} prefixes: {} denied, {} allowed, {} with limits of their own, {} with a tier",
        entries.len(),
        count(&|entry| entry.action == Action::Deny),
        count(&|entry| entry.action == Action::Allow),
        count(&|entry| matches!(entry.action, Action::Limits(_))),
        count(&|entry| entry.tier.is_some())
    )
}

/// A file and its entries.
type Read = (PathBuf, Arc<[Entry]>);

/// Reads the files that patterns name; every file that is refused is named.
fn read_all(patterns: &[PathBuf]) -> Result<Vec<Read>, Failure> {
    let (paths, errors) = control::find(patterns);
    if !errors.is_empty() {
        return Err(Failure::failed(errors.join("\n")));
    }
    let (mut read, mut refused) = (Vec::new(), Vec::new());
    for path in paths {
        match read_one(&path)? {
            Ok(entries) => read.push((path, entries)),
            Err(error) => refused.push(error),
        }
    }
    if refused.is_empty() { Ok(read) } else { Err(Failure::refused(refused.join("\n"))) }
}

fn read_one(path: &Path) -> Result<Result<Arc<[Entry]>, String>, Failure> {
    let failed = |error| Failure::failed(format!("{}: {error}", path.display()));
    let got = fs::metadata(path).map_err(failed)?.len();
    if got > LIST_BYTES_MAX as u64 {
        let place = path.display();
        return Ok(Err(format!("{place}: {got} bytes, at most {LIST_BYTES_MAX} are allowed")));
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    Ok(lists::check(&path.to_string_lossy(), &text).map_err(|(first, more)| {
        let said: Vec<_> = once(first).chain(more).map(|error| error.to_string()).collect();
        said.join("\n")
    }))
}

fn explain(options: &Explain) -> Result<(), Failure> {
    let request = Request::Explain { address: options.address };
    let settings = options.control.settings()?;
    let asked = match &settings {
        // The socket is named: that server is meant, no other.
        None => options.control.ask(&request)?,
        Some(settings) => match settings.control_path() {
            None => Value::Null,
            Some(path) => match control::ask(&path, &request) {
                Ok(told) => told,
                Err(error @ AskError::Refused { .. }) => return Err(error.into()),
                // No server runs there: the files say what it would say.
                Err(_) => Value::Null,
            },
        },
    };
    let (told, is_live) = match (asked, settings) {
        (Value::Null, Some(settings)) => {
            let read = read_all(&settings.policy.lists)?;
            let entries = read.into_iter().map(|(_, entries)| entries).collect();
            let now_ms = clock::wall_ms();
            let rules = settings.answers.rules();
            let lists = Lists::new(entries, &|name| rules.tier(name).is_some(), now_ms)
                .map_err(Failure::refused)?;
            (explain_lists(&lists, options.address), false)
        }
        (told, _) => (told, true),
    };
    if options.json {
        return output::print(format!("{told}\n").as_bytes());
    }
    output::print(explained(&told, is_live).as_bytes())
}

/// What applies, in lines for people.
fn explained(told: &Value, is_live: bool) -> String {
    let (entry, block) = (&told["entry"], &told["block"]);
    let verdict = match text(entry, "action") {
        "deny" => "refused: the list denies it",
        "allow" => "answered without limits: the list allows it",
        _ if !block.is_null() => "refused: it is blocked",
        _ if items(told, "limits").iter().any(|limit| limit["left"] == 0) => {
            "over a limit now: refused, unless limits.mode is \"dry-run\""
        }
        "limit" => "answered within limits of its own",
        _ if !is_live => "answered within the usual limits, unless it is blocked",
        _ if items(told, "limits").is_empty() => "answered without limits",
        _ => "answered within the usual limits",
    };
    let mut lines = format!("{}: {verdict}\n", text(told, "address"));
    let list = if entry.is_null() { "no entry".to_owned() } else { entry_line(entry) };
    lines.push_str(&format!("list: {list}\n"));
    let tier = &told["tier_entry"];
    if tier.is_null() {
        lines.push_str("tier: that of everybody\n");
    } else {
        lines.push_str(&format!(
            "tier: {}, by {} ({}:{})\n",
            text(told, "tier"),
            text(tier, "prefix"),
            text(tier, "file"),
            tier["line"]
        ));
    }
    if !is_live {
        lines.push_str("block, limits: not known, no server answers; the lists were read again\n");
        return lines;
    }
    let kept = &told["kept_block"];
    let block = match (block.is_null(), kept.is_null()) {
        (false, _) => block_line(block),
        (true, true) => "none".to_owned(),
        (true, false) => {
            let why = match text(entry, "action") {
                "allow" | "deny" => "the list comes first",
                _ => "queries from this machine itself are never blocked (limits.loopback_free)",
            };
            format!("{}; it is kept, and changes nothing: {why}", block_line(kept))
        }
    };
    lines.push_str(&format!("block: {block}\n"));
    for limit in items(told, "limits") {
        lines.push_str(&format!(
            "limit: {} {}/min burst {}, {} left\n",
            text(limit, "prefix"),
            limit["queries_per_min"],
            limit["burst"],
            limit["left"]
        ));
    }
    lines
}

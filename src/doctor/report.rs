//! Writes what was found: for a person at night, or as JSON.
//!
//! # Does not
//!
//! Print: the command does.

use std::fmt::Write;

use serde_json::json;

use super::check::{Finding, State};
use super::machine::Machine;
use super::profile::Profile;
use super::shards::Row;
use super::source::Fact;
use crate::observe::printable::counted;
use crate::place::cores;

/// Longest line of running text; commands are never broken.
const LINE_CHARS_MAX: usize = 92;

/// What a report is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// The profile.
    pub profile: &'a Profile,
    /// Why this profile.
    pub chosen: &'a str,
    /// Name of the connection engine, and why that one.
    pub engine: (&'a str, &'a str),
}

/// The findings as text; `verbose` lists what is as wanted too.
#[must_use]
pub fn text(subject: &Subject<'_>, findings: &[Finding], verbose: bool) -> String {
    let mut out = head(subject);
    let nothing_to_do = if subject.machine.is_unknown() {
        "nothing of the machine is known"
    } else {
        "as the profile wants it"
    };
    out += &list(findings, nothing_to_do);
    let of = |state| findings.iter().filter(move |finding| finding.state == state);
    let unknown = of(State::Unknown).count();
    if unknown > 0 {
        let _ = write!(out, "\n{unknown} unknown:\n");
        for finding in of(State::Unknown) {
            let Finding { key, wanted, got, .. } = finding;
            wrap(&mut out, "  ", &format!("{key}, wanted {wanted}: {got}"));
        }
    }
    let good = of(State::Good).count();
    let hint = if verbose { ":" } else { " (--verbose lists them)" };
    let _ =
        write!(out, "\n{good} of {} as wanted{hint}\n", counted(findings.len() as u64, "setting"));
    if verbose {
        for Finding { key, wanted, got, .. } in of(State::Good) {
            wrap(&mut out, "  ", &format!("{key} is {got}, wanted {wanted}"));
        }
    }
    out + "nothing was changed\n"
}

/// The placement of shards as text, with what would be better.
#[must_use]
pub fn shards_text(
    subject: &Subject<'_>,
    origin: &str,
    rows: &Fact<Vec<Row>>,
    advice: &[Finding],
) -> String {
    let mut out = head(subject);
    wrap(&mut out, "", &format!("shards: {origin}"));
    out.push('\n');
    match rows {
        Err(unknown) => {
            let _ = writeln!(out, "cores: unknown: {unknown}");
        }
        Ok(rows) => {
            out += "shard  core  node     siblings  isolated  queues\n";
            for row in rows {
                let Row { shard, core, node, siblings, isolated, queues } = row;
                let queues = if queues.is_empty() { "none".to_owned() } else { queues.join(", ") };
                let _ = writeln!(
                    out,
                    "{shard:<7}{core:<6}{node:<9}{siblings:<10}{isolated:<10}{queues}"
                );
            }
        }
    }
    out += &cards(subject.machine);
    out += &list(advice, "nothing to do better");
    out + "\nnothing was changed\n"
}

/// Everything as JSON.
#[must_use]
pub fn json(
    subject: &Subject<'_>,
    findings: &[Finding],
    shards: Option<(&Fact<Vec<Row>>, &[Finding])>,
) -> String {
    let machine = subject.machine;
    let fact = |fact: Fact<String>| match fact {
        Ok(value) => json!({ "value": value }),
        Err(unknown) => json!({ "unknown": unknown.to_string() }),
    };
    let list = |list: &Fact<Vec<usize>>| fact(list.clone().map(|list| cores::format(&list)));
    let shards = shards.map(|(rows, advice)| {
        let rows = match rows {
            Ok(rows) => json!(rows),
            Err(unknown) => json!({ "unknown": unknown.to_string() }),
        };
        json!({ "table": rows, "advice": advice })
    });
    let value = json!({
        "profile": { "name": subject.profile.name, "chosen": subject.chosen },
        "engine": { "name": subject.engine.0, "why": subject.engine.1 },
        "machine": {
            "release": fact(machine.release.clone()),
            "online": list(&machine.online),
            "isolated": list(&machine.isolated),
        },
        "limits_of": machine.limits.of,
        "findings": findings,
        "shards": shards,
    });
    format!("{value:#}\n")
}

fn head(subject: &Subject<'_>) -> String {
    let machine = subject.machine;
    let or_unknown =
        |fact: Fact<String>| fact.unwrap_or_else(|unknown| format!("unknown ({unknown})"));
    let nodes = machine.nodes.as_ref().map(|nodes| counted(nodes.len() as u64, "node"));
    let mut out = String::new();
    let (name, why) = (&subject.profile.name, subject.chosen);
    let embedded = super::profile::EMBEDDED.iter().any(|(known, _)| known == name);
    let files =
        if embedded { format!("; its settings files: tuning/{name}/") } else { String::new() };
    wrap(&mut out, "", &format!("profile: {name}, {why}{files}"));
    let text = format!(
        "machine: Linux {}; cores {}; {}; {}",
        or_unknown(machine.release.clone()),
        or_unknown(machine.online.as_ref().map(|list| cores::format(list)).map_err(Clone::clone)),
        or_unknown(nodes.map_err(Clone::clone)),
        or_unknown(machine.memory_mib.clone().map(|mib| format!("{mib} MiB"))),
    );
    wrap(&mut out, "", &text);
    let (engine, reason) = subject.engine;
    wrap(&mut out, "", &format!("engine: {engine}: {reason}"));
    out
}

/// The findings that are to be done, numbered.
fn list(findings: &[Finding], nothing: &str) -> String {
    let todo: Vec<_> = findings.iter().filter(|one| one.state == State::Todo).collect();
    if todo.is_empty() {
        return format!("\n{nothing}\n");
    }
    let mut out = format!("\n{} to do, most valuable first:\n", todo.len());
    for (finding, number) in todo.iter().zip(1_usize..) {
        let Finding { key, got, wanted, why, measured, action, undo, .. } = finding;
        let first = format!("{number}. {key}: got {got}; wanted {wanted}");
        out.push('\n');
        wrap(&mut out, "", &first);
        wrap(&mut out, "   ", &format!("why: {why}"));
        wrap(&mut out, "   ", &format!("how known: {measured}"));
        if let Some(action) = action {
            let _ = writeln!(out, "   do: {action}");
        }
        if let Some(undo) = undo {
            let _ = writeln!(out, "   undo: {undo}");
        }
    }
    out
}

/// One line for each card.
fn cards(machine: &Machine) -> String {
    let cards = match &machine.interfaces {
        Ok(cards) if cards.is_empty() => return "\nnetwork cards: none\n".to_owned(),
        Ok(cards) => cards,
        Err(unknown) => return format!("\nnetwork cards: unknown: {unknown}\n"),
    };
    let mut out = "\n".to_owned();
    for card in cards {
        let masks = |fact: &Fact<Vec<super::network::Mask>>| match fact {
            Err(_) => "unknown".to_owned(),
            Ok(masks) => {
                let all = masks.iter().flat_map(|mask| mask.cores.iter().copied()).collect();
                let all = super::source::sorted(all);
                if all.is_empty() { "off".to_owned() } else { cores::format(&all) }
            }
        };
        let node = match &card.node {
            Ok(Some(node)) => node.to_string(),
            Ok(None) => "none of its own".to_owned(),
            Err(unknown) => format!("unknown ({unknown})"),
        };
        let count = |fact: &Fact<usize>| {
            fact.as_ref().map_or_else(|_| "unknown".to_owned(), ToString::to_string)
        };
        let interrupts = match &card.interrupts {
            Ok(interrupts) => interrupts.len().to_string(),
            Err(unknown) => format!("unknown ({unknown})"),
        };
        let text = format!(
            "card {}: node {node}; queues {} in, {} out; interrupts {interrupts}; rps {}; xps {}",
            card.name,
            count(&card.receive_count),
            count(&card.send_count),
            masks(&card.rps),
            masks(&card.xps),
        );
        wrap(&mut out, "", &text);
    }
    out
}

/// Adds `text` in lines of bounded length, all but the first indented by three more.
fn wrap(out: &mut String, indent: &str, text: &str) {
    let mut line = indent.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
        let long = line.chars().count().saturating_add(word.chars().count()) >= LINE_CHARS_MAX;
        if long && !empty {
            out.push_str(line.trim_end());
            out.push('\n');
            line = format!("{indent}   ");
        } else if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

//! A result as tables for a terminal, at most 100 columns.
//!
//! # Invariants
//!
//! - A run that must not be used says so on its first line.
//!
//! # Does not
//!
//! Colour anything: the text goes into logs and mails.

use super::units::{bytes, count, decimal, percent, percentile, plain, time, time_of};
use crate::advice::advice;
use crate::protocol::WHOIS_WORDS;
use crate::result::{Connections, Latency, Method, RunResult, SweepResult, Usage};
use crate::sweep::{failed_share, judge, knee_index, objective_text, percentile_ns, steps_by_rate};

/// Percentiles of every table.
pub(super) const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 99.99];

/// A run: rates, failures, latencies, use of the machine, method.
#[must_use]
pub fn run_text(result: &RunResult) -> String {
    let mut text = verdict(result);
    text.push('\n');
    for (name, value) in summary(result) {
        text.push_str(&format!("{name:<10} {value}\n"));
    }
    text.push_str(&format!("\n{:<28} {:>9}", "Latency", "mean"));
    for at in PERCENTILES {
        text.push_str(&format!(" {:>8}", percentile(at)));
    }
    text.push_str(&format!(" {:>8}\n", "max"));
    for (name, latency) in phases(result) {
        text.push_str(&latency_row(name, latency));
    }
    for (kind, latency) in &result.by_kind {
        text.push_str(&latency_row(&format!("kind {}", plain(kind)), latency));
    }
    text.push('\n');
    text.push_str(&method_text(&result.method));
    text
}

/// A sweep: its knee, its steps by rate, the method of its first step.
#[must_use]
pub fn sweep_text(sweep: &SweepResult) -> String {
    let mut text = format!(
        "Sweep of {} steps; objective: {}\n{}\n\n",
        sweep.steps.len(),
        objective_text(&sweep.objective),
        knee_text(sweep)
    );
    text.push_str(&format!(
        "{:>10} {:>10} {:>9} {:>8} {:>8} {:>8} {:>8}   objective\n",
        "asked/s", "answered/s", "failed", "p50", "p99", "p99.9", "max"
    ));
    for step in steps_by_rate(sweep) {
        let at = |at: f64| percentile_ns(&step.latency, at).map_or_else(|| "-".to_owned(), time);
        let judgement = judge(step, &sweep.objective)
            .map_or_else(|missed| missed.to_string(), |()| "met".to_owned());
        text.push_str(&format!(
            "{:>10} {:>10} {:>9} {:>8} {:>8} {:>8} {:>8}   {}\n",
            decimal(step.asked_per_s),
            decimal(step.achieved_per_s),
            percent(failed_share(step)),
            at(50.0),
            at(99.0),
            at(99.9),
            time(step.latency.max_ns),
            plain(&judgement),
        ));
    }
    if let Some(step) = sweep.steps.first() {
        text.push('\n');
        text.push_str(&method_text(&step.method));
    }
    text
}

/// The knee in a sentence, and what bounds it.
pub(super) fn knee_text(sweep: &SweepResult) -> String {
    let Some(knee) = sweep.knee_per_s else {
        let invalid = sweep.steps.iter().any(|step| step.invalid.is_some());
        let limit = if invalid { "; the generator was too slow in some steps" } else { "" };
        return format!("Knee: none, no rate met the objective{limit}");
    };
    let knee_text = format!("Knee: {} per second", decimal(knee));
    let above = knee_index(sweep).and_then(|index| steps_by_rate(sweep).get(index + 1).copied());
    match above {
        None => format!("{knee_text}, the highest rate tried: the server may be faster"),
        Some(step) if step.invalid.is_some() => format!(
            "{knee_text}, a lower bound: at {} per second the generator, not the server, was the \
             limit",
            decimal(step.asked_per_s)
        ),
        Some(step) => {
            format!("{knee_text}; {} per second missed it", decimal(step.asked_per_s))
        }
    }
}

/// The parts of a run's latency, each from where to where.
pub(super) fn phases(result: &RunResult) -> [(&'static str, &Latency); 5] {
    [
        ("due time to last byte", &result.latency),
        ("connect begun to last byte", &result.service),
        ("  connect begun to connected", &result.connect),
        ("  connected to first byte", &result.first_byte),
        ("  first byte to last byte", &result.last_byte),
    ]
}

/// What a run came to, name and value.
pub(super) fn summary(result: &RunResult) -> Vec<(&'static str, String)> {
    let per_answer = result.received_bytes.checked_div(result.answered_count);
    let mut rows = vec![
        (
            "Rate",
            format!(
                "{} per second asked, {} per second answered, over {} s",
                decimal(result.asked_per_s),
                decimal(result.achieved_per_s),
                decimal(result.duration_s)
            ),
        ),
        (
            "Queries",
            format!(
                "{} due, {} sent, {} answered, {} late",
                count(result.due_count),
                count(result.sent_count),
                count(result.answered_count),
                count(result.late_count)
            ),
        ),
        ("Failed", format!("{}{}", percent(failed_share(result)), listed(&result.errors))),
        ("Checked", listed(&result.checked).trim_start_matches(": ").to_owned()),
        (
            "Received",
            format!(
                "{}, {} an answer",
                bytes(result.received_bytes),
                bytes(per_answer.unwrap_or(0))
            ),
        ),
        ("Connected", result.connections.as_ref().map_or_else(String::new, connections)),
        ("Server", result.server.as_ref().map_or_else(|| "not watched".to_owned(), usage)),
        ("Generator", usage(&result.generator)),
    ];
    if result.connections.is_none() {
        rows.retain(|(name, _)| *name != "Connected");
    }
    if result.checked.is_empty() {
        rows.retain(|(name, _)| *name != "Checked");
        rows.insert(3, ("Checked", "nothing: answers were counted, not read".to_owned()));
    }
    rows
}

/// How a run was made, name and value; empty values are called unknown.
pub(super) fn method_rows(method: &Method) -> Vec<(&'static str, String)> {
    let known = |text: &str| if text.is_empty() { "unknown".to_owned() } else { plain(text) };
    let cores: Vec<_> = method.generator_cores.iter().map(ToString::to_string).collect();
    vec![
        ("Program", known(&method.program)),
        ("Commit", known(&method.commit)),
        ("Started", known(&method.started)),
        ("Processor", format!("{}, {} online", known(&method.processor), method.processor_count)),
        ("Memory", bytes(method.memory_bytes)),
        ("Kernel", known(&method.kernel)),
        ("Targets", known(&method.targets.join(", "))),
        ("Protocol", protocol(method)),
        ("Schedule", known(&method.schedule)),
        ("Seed", method.seed.to_string()),
        ("Warm-up", format!("{} s, not in the figures", decimal(method.warm_up_s))),
        ("Generator cores", if cores.is_empty() { known("") } else { cores.join(", ") }),
        ("Source addresses", count(method.source_count)),
        ("Late after", time(method.late_after_us.saturating_mul(1_000))),
    ]
}

fn protocol(method: &Method) -> String {
    if method.protocol.is_empty() { WHOIS_WORDS.to_owned() } else { plain(&method.protocol) }
}

fn verdict(result: &RunResult) -> String {
    let mut text = match &result.invalid {
        Some(reason) => format!("INVALID, do not use: {}", plain(reason)),
        None => "Valid run".to_owned(),
    };
    if let Some((name, number)) = commonest(result) {
        let (failed, number) = (percent(failed_share(result)), count(number));
        text.push_str(&format!("; {failed} failed, most often {} ({number})", plain(name)));
        if let Some(advice) = advice(name) {
            text.push_str(&format!(":\n{advice}"));
        }
    }
    text.push('\n');
    text
}

/// The error that came most often.
fn commonest(result: &RunResult) -> Option<(&str, u64)> {
    let errors = result.errors.iter().filter(|(_, number)| **number > 0);
    errors.max_by_key(|(_, number)| **number).map(|(name, number)| (name.as_str(), *number))
}

fn latency_row(name: &str, latency: &Latency) -> String {
    let mut row = format!("{name:<28} {:>9}", time_of(latency.mean_ns));
    for at in PERCENTILES {
        let value = percentile_ns(latency, at).map_or_else(|| "-".to_owned(), time);
        row.push_str(&format!(" {value:>8}"));
    }
    row.push_str(&format!(" {:>8}\n", time(latency.max_ns)));
    row
}

fn listed(counts: &std::collections::BTreeMap<String, u64>) -> String {
    let entries: Vec<_> = counts
        .iter()
        .filter(|(_, number)| **number > 0)
        .map(|(name, number)| format!("{} {}", plain(name), count(*number)))
        .collect();
    if entries.is_empty() { String::new() } else { format!(": {}", entries.join(", ")) }
}

/// What became of connections in a line.
fn connections(connections: &Connections) -> String {
    let Connections { opened_count, reopened_count, resumed_count, full_handshake_count } =
        connections;
    let mut text = format!("{} times", count(*opened_count));
    if *reopened_count > 0 {
        let times = count(*reopened_count);
        text.push_str(&format!(", {times} because the server had closed a kept connection"));
    }
    if resumed_count + full_handshake_count > 0 {
        let (full, resumed) = (count(*full_handshake_count), count(*resumed_count));
        text.push_str(&format!("; TLS: {full} whole handshakes, {resumed} resumed"));
    }
    text
}

/// Use of processor and memory in a line.
pub(super) fn usage(usage: &Usage) -> String {
    format!(
        "{} s user, {} s system, {} a query, {} of anonymous memory at most",
        decimal(usage.user_s),
        decimal(usage.system_s),
        time_of(usage.cpu_us_per_query * 1e3),
        bytes(usage.anonymous_peak_bytes)
    )
}

fn method_text(method: &Method) -> String {
    let mut text = "Method\n".to_owned();
    for (name, value) in method_rows(method) {
        text.push_str(&format!("  {name:<17} {value}\n"));
    }
    let mut lines = method.profile.lines();
    text.push_str(&format!("  {:<17} {}\n", "Profile", plain(lines.next().unwrap_or("unknown"))));
    for line in lines {
        text.push_str(format!("  {:<17} {}", "", plain(line)).trim_end());
        text.push('\n');
    }
    text.push_str("Not measured\n");
    for item in &method.not_measured {
        text.push_str(&format!("  - {}\n", plain(item)));
    }
    if method.not_measured.is_empty() {
        text.push_str("  - (the result does not say)\n");
    }
    text
}

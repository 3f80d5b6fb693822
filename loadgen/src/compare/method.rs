//! Whether two sets of runs were made in the same way.
//!
//! # Invariants
//!
//! - An invalid run is never compared; no option overrides that.
//!
//! # Does not
//!
//! Look at the figures of the runs, or at seed, commit and time: repeats differ in them.

use crate::protocol::WHOIS_WORDS;
use crate::report::units::decimal;
use crate::result::{Method, RunResult};

/// What differs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Differences {
    /// What forbids the comparison.
    pub refusals: Vec<String>,
    /// What may matter.
    pub warnings: Vec<String>,
}

/// Share by which rates may differ and still be one rate: the schedule's own chance.
const RATE_SHARE_MAX: f64 = 0.01;
/// Share by which lengths may differ without a warning.
const DURATION_SHARE_MAX: f64 = 0.1;

type Property = (&'static str, fn(&Method) -> String);

/// A difference here changes the figures: refused, unless it is what is to be compared.
const DECISIVE: &[Property] = &[
    ("processor", |method| method.processor.clone()),
    ("number of processors", |method| method.processor_count.to_string()),
    ("protocol", |method| words(&method.protocol)),
    ("profile", |method| method.profile.clone()),
    ("schedule", |method| method.schedule.clone()),
];

/// Results from before there was a choice do not name their protocol.
fn words(protocol: &str) -> String {
    if protocol.is_empty() { WHOIS_WORDS.to_owned() } else { protocol.to_owned() }
}

/// A difference here may change the figures.
const SUSPICIOUS: &[Property] = &[
    ("kernel", |method| method.kernel.clone()),
    ("memory", |method| format!("{} bytes", method.memory_bytes)),
    ("program", |method| method.program.clone()),
    ("cores of the generator", |method| format!("{:?}", method.generator_cores)),
    ("number of targets", |method| method.targets.len().to_string()),
    ("source addresses", |method| method.source_count.to_string()),
    ("warm-up", |method| format!("{} s", decimal(method.warm_up_s))),
    ("bound of lateness", |method| format!("{} us", method.late_after_us)),
];

/// Compares every run with the first one of side A; with `anyway`, only invalid runs are refused.
#[must_use]
pub fn differences(a: &[RunResult], b: &[RunResult], anyway: bool) -> Differences {
    let mut found = Differences::default();
    let (Some(first), false) = (a.first(), b.is_empty()) else {
        found.refusals.push("a side has no run".to_owned());
        return found;
    };
    let all = || {
        let named = |side, runs: &'static str| (side, runs);
        let (a, b) = (named(a, "A"), named(b, "B"));
        [a, b].into_iter().flat_map(|(runs, side)| runs.iter().map(move |run| (run, side)))
    };
    for (run, side) in all() {
        if let Some(reason) = &run.invalid {
            note(&mut found.refusals, format!("a run of {side} is invalid: {reason}"));
        }
    }
    let mut decisive = Vec::new();
    for (run, _) in all() {
        for (name, value) in DECISIVE {
            differ(&mut decisive, name, &value(&first.method), &value(&run.method));
        }
        if !near(first.asked_per_s, run.asked_per_s, RATE_SHARE_MAX) {
            let (one, other) = (decimal(first.asked_per_s), decimal(run.asked_per_s));
            differ(&mut decisive, "rate asked for", &one, &other);
        }
        for (name, value) in SUSPICIOUS {
            differ(&mut found.warnings, name, &value(&first.method), &value(&run.method));
        }
        if !near(first.duration_s, run.duration_s, DURATION_SHARE_MAX) {
            let (one, other) = (decimal(first.duration_s), decimal(run.duration_s));
            differ(&mut found.warnings, "duration in seconds", &one, &other);
        }
    }
    if anyway {
        decisive.append(&mut found.warnings);
        found.warnings = decisive;
    } else {
        let advice = |text| format!("{text}; --anyway compares nevertheless");
        found.refusals.extend(decisive.into_iter().map(advice));
    }
    found
}

fn differ(notes: &mut Vec<String>, name: &str, one: &str, other: &str) {
    if one != other {
        let text = if one.len() + other.len() > TEXT_BYTES_MAX {
            format!("{name} differs")
        } else {
            format!("{name} differs: {one:?} and {other:?}")
        };
        note(notes, text);
    }
}

/// Several runs may differ in the same way; once is enough.
fn note(notes: &mut Vec<String>, text: String) {
    if !notes.contains(&text) {
        notes.push(text);
    }
}

fn near(a: f64, b: f64, share: f64) -> bool {
    (a - b).abs() <= share * a.abs().max(b.abs())
}

/// Longer texts (whole profiles) are not repeated in a message.
const TEXT_BYTES_MAX: usize = 160;

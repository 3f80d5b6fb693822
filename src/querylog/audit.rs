//! `whoisd log verify`: the chain of the daily totals, and each day against its files.
//!
//! # Invariants
//!
//! - A day is counted again if all of its segments are there; if some were deleted, the report says
//!   so, and the chain alone vouches for the day. The files that are left cannot count more than
//!   the whole day, and have to be the newest: retention deletes the oldest first.
//! - A total counts every segment of a day that is over.
//!
//! # Does not
//!
//! Say who changed something, or when.

use std::fmt::Write;
use std::path::Path;

use super::archive::is_claimed;
use super::counts::{ByWord, Counts};
use super::day::Day;
use super::error::ReadError;
use super::row::shown;
use super::survey::{DayFound, survey};
use super::totals::TOTALS;
use crate::observe::printable::counted;

/// Differences of a day that are named.
const NAMED_MAX: usize = 8;

/// How a day stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its files give its total.
    Agrees,
    /// Files are gone: only the chain vouches for it.
    FilesGone {
        /// Segments that are there.
        present: u64,
        /// Segments that there were.
        expected: u64,
    },
    /// Its files give something else; each difference in words.
    Differs(Vec<String>),
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Each day of the totals.
    pub days: Vec<(Day, u64, Verdict)>,
    /// What is wrong with the chain, each with its line.
    pub broken: Vec<String>,
    /// What is wrong besides.
    pub problems: Vec<String>,
    /// What is worth a line, and no problem.
    pub notes: Vec<String>,
    /// The last hash of the chain.
    pub last_hash: String,
}

impl Audit {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let differs = |verdict: &Verdict| matches!(verdict, Verdict::Differs(_));
        self.broken.is_empty()
            && self.problems.is_empty()
            && !self.days.iter().any(|(_, _, verdict)| differs(verdict))
    }

    /// What was found, for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (day, queries, verdict) in &self.days {
            let _ = match verdict {
                Verdict::Agrees => {
                    writeln!(text, "{day}: {}, as in its files", counted(*queries, "query"))
                }
                Verdict::FilesGone { present, expected } => writeln!(
                    text,
                    "{day}: {}, not counted again: {present} of {} there",
                    counted(*queries, "query"),
                    counted(*expected, "segment")
                ),
                Verdict::Differs(differences) => {
                    writeln!(text, "{day}: DIFFERS: {}", differences.join("; "))
                }
            };
        }
        for note in &self.notes {
            let _ = writeln!(text, "{note}");
        }
        for problem in self.broken.iter().chain(&self.problems) {
            let _ = writeln!(text, "WRONG: {problem}");
        }
        let word = if self.is_good() { "good" } else { "NOT good" };
        let _ = if self.days.is_empty() {
            writeln!(text, "{word}; there is no daily total yet")
        } else {
            writeln!(text, "{word}; last hash {}", self.last_hash)
        };
        text
    }
}

/// Checks a directory; `kept` is a hash that was kept elsewhere, which has to be in the chain.
///
/// # Errors
///
/// The directory or the totals cannot be read, or there is no log.
pub fn audit(dir: &Path, kept: Option<&str>) -> Result<Audit, ReadError> {
    let found = survey(dir, |_| true, &mut |_| {})?;
    // An empty answer about a directory that was mistaken for the log's would pass for a good one.
    let totals = &found.totals;
    let has_totals = !totals.days.is_empty() || !totals.broken.is_empty() || totals.torn;
    let has_files = found.running.is_some() || !found.days.is_empty() || !found.damaged.is_empty();
    if !has_totals && !has_files && !is_claimed(dir) {
        return Err(ReadError::NoLog { path: dir.to_owned() });
    }
    let totals = &found.totals;
    let path = dir.join(TOTALS);
    let path = path.display();
    let word = |day: Option<Day>| day.map_or_else(String::new, |day| format!("{day}: "));
    let broken = totals.broken.iter();
    let broken = broken.map(|one| format!("{path}:{}: {}{}", one.line, word(one.day), one.problem));
    let mut audit = Audit {
        days: Vec::new(),
        broken: broken.collect(),
        problems: Vec::new(),
        notes: Vec::new(),
        last_hash: totals.last_hash(),
    };
    if totals.torn {
        audit.notes.push(format!("{path}: ends within a line: a crash; the next start mends it"));
    }
    if let Some(kept) = kept.filter(|kept| !totals.days.iter().any(|day| day.hash == **kept)) {
        audit.problems.push(format!(
            "{path}: no line has the hash {kept}: the chain was written again, or its end is gone"
        ));
    }
    for torn in &found.torn {
        audit.notes.push(format!("{torn}: ends within a block"));
    }
    let mut open = 0;
    let mut has_older = false;
    for (day, one) in &found.days {
        if one.is_in_totals {
            let verdict = check(one, has_older && !found.is_deleting, found.is_deleting);
            audit.days.push((*day, one.noted.queries, verdict));
        }
        has_older |= one.last.is_some() || one.behind_segments > 0;
        let uncounted = if one.is_in_totals { 0 } else { one.present + one.damaged.len() as u64 };
        open += one.behind_segments + uncounted;
        if one.behind_segments > 0 && found.running != Some(*day) {
            audit.problems.push(format!(
                "{day}: {} in no total, and the day is over: a line of {path} is gone, or \
                 somebody put files there, or a server that was just started still counts them",
                counted(one.behind_segments, "segment")
            ));
        }
    }
    let in_totals = |error: &&String| {
        found.days.values().any(|day| day.is_in_totals && day.damaged.contains(error))
    };
    audit.problems.extend(found.damaged.iter().filter(|error| !in_totals(error)).cloned());
    if open > 0 {
        audit.notes.push(format!("{} in no total yet", counted(open, "segment")));
    }
    Ok(audit)
}

/// Compares a day with its total; `has_older`: files of days before it are there.
fn check(found: &DayFound, has_older: bool, is_deleting: bool) -> Verdict {
    let (expected, through) = (found.expected, found.through);
    let present = found.present.saturating_add(found.damaged.len() as u64);
    let mut differences = found.damaged.clone();
    if present >= expected {
        if present > expected {
            differences.push(format!("{}, the total has {expected}", counted(present, "segment")));
        }
        differences.extend(compare(&found.noted, &found.files, |total, files| total != files));
        return if differences.is_empty() {
            Verdict::Agrees
        } else {
            Verdict::Differs(differences)
        };
    }
    // The files that are left cannot count more than the whole; retention deletes the oldest first.
    differences.extend(compare(&found.noted, &found.files, |total, files| files > total));
    if has_older {
        differences.push("files of it are gone, and older ones are there".to_owned());
    } else if !is_deleting
        && let Some(through) = through.filter(|_| found.last.is_some() && found.last < through)
    {
        differences.push(format!("its last one, {through}, is gone, and older ones are there"));
    }
    if differences.is_empty() {
        return Verdict::FilesGone { present, expected };
    }
    differences.insert(0, format!("{present} of {} there", counted(expected, "segment")));
    Verdict::Differs(differences)
}

/// What differs, in words.
fn compare(total: &Counts, files: &Counts, is_wrong: fn(u64, u64) -> bool) -> Vec<String> {
    let mut differences = Vec::new();
    let mut note = |what: String, total: u64, files: u64| {
        if is_wrong(total, files) && differences.len() < NAMED_MAX {
            differences.push(format!("{what}: the total says {total}, the files {files}"));
        }
    };
    note("queries".to_owned(), total.queries, files.queries);
    note("lost".to_owned(), total.lost, files.lost);
    note("bytes".to_owned(), total.bytes, files.bytes);
    let tables = [("kind", &total.kinds, &files.kinds), ("suffix", &total.tlds, &files.tlds)];
    for (what, total, files) in tables {
        let none = ByWord::new();
        let words: std::collections::BTreeSet<_> = total.keys().chain(files.keys()).collect();
        for word in words {
            let (total, files) =
                (total.get(word).unwrap_or(&none), files.get(word).unwrap_or(&none));
            let outcomes: std::collections::BTreeSet<_> =
                total.keys().chain(files.keys()).collect();
            for outcome in outcomes {
                let of = |table: &ByWord| table.get(outcome).copied().unwrap_or(0);
                note(format!("{what} {}, {}", shown(word), shown(outcome)), of(total), of(files));
            }
        }
    }
    differences
}

//! `whoisd log verify`: the chain of the daily totals, and each day against its files.
//!
//! # Invariants
//!
//! - A day is counted anew if all of its segments are there; if some were deleted, that is said,
//!   and the chain alone vouches for it.
//!
//! # Does not
//!
//! Say who changed something, or when.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::counts::{ByWord, Counts};
use super::day::Day;
use super::read::{self, ReadError};
use super::row::shown;
use super::segment_name::{Segments, Stem, counted, list};
use super::totals::{TOTALS, Totals};

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
                Verdict::Agrees => writeln!(text, "{day}: {queries} queries, as in its files"),
                Verdict::FilesGone { present, expected } => writeln!(
                    text,
                    "{day}: {queries} queries, not counted anew: {present} of {expected} segments \
                     are there"
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

/// One day of the totals, its lines added up.
#[derive(Default)]
struct Expected {
    segments: u64,
    through: Option<Stem>,
    counts: Counts,
}

/// Checks a directory; `kept` is a hash that was kept elsewhere, which has to be in the chain.
///
/// # Errors
///
/// The directory or the totals cannot be read.
pub fn audit(dir: &Path, kept: Option<&str>) -> Result<Audit, ReadError> {
    let failed = |source| ReadError::Io { path: dir.to_owned(), source };
    let totals = Totals::read(dir).map_err(failed)?;
    let segments = list(dir).map_err(failed)?;
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
            "{path}: no line has the hash {kept}: the chain was written anew, or its end is gone"
        ));
    }
    let mut days: BTreeMap<Day, Expected> = BTreeMap::new();
    for total in &totals.days {
        let day = days.entry(total.day).or_default();
        day.segments += total.segments;
        day.through = day.through.max(Stem::parse(&total.through));
        day.counts.merge(&total.counts);
    }
    for (day, expected) in &days {
        let verdict = check(*day, expected, &segments, &mut audit.notes);
        audit.days.push((*day, expected.counts.queries, verdict));
    }
    let through = |day| days.get(&day).and_then(|expected| expected.through);
    let open = segments.keys().filter(|stem| Some(**stem) > through(stem.day())).count();
    if open > 0 {
        audit.notes.push(format!("{open} segments stand in no total yet"));
    }
    Ok(audit)
}

/// Counts the segments of a day up to the last one of its total.
fn check(day: Day, expected: &Expected, segments: &Segments, notes: &mut Vec<String>) -> Verdict {
    let mut counts = Counts::default();
    let mut present = 0;
    let mut unreadable = Vec::new();
    for (stem, parts) in segments {
        let Some(part) = counted(parts) else { continue };
        if stem.day() != day || Some(*stem) > expected.through {
            continue;
        }
        present += 1;
        match read::read(part, &mut |row| counts.add(row)) {
            Err(error) if error.is_gone() => present -= 1,
            Ok(read) if read.torn => {
                notes.push(format!("{}: ends within a block", part.path.display()));
            }
            Ok(_) => {}
            Err(error) => unreadable.push(error.to_string()),
        }
    }
    if present < expected.segments {
        return Verdict::FilesGone { present, expected: expected.segments };
    }
    let mut differences = unreadable;
    if present > expected.segments {
        differences.push(format!("{present} segments, the total has {}", expected.segments));
    }
    differences.extend(compare(&expected.counts, &counts));
    if differences.is_empty() { Verdict::Agrees } else { Verdict::Differs(differences) }
}

/// What differs, in words.
fn compare(total: &Counts, files: &Counts) -> Vec<String> {
    let mut differences = Vec::new();
    let mut note = |what: String, total: u64, files: u64| {
        if total != files && differences.len() < NAMED_MAX {
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

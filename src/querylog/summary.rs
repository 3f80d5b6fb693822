//! `whoisd log summary`: what the files and the totals of a directory say of some days.
//!
//! # Invariants
//!
//! - A day's numbers are those of its files; of a day whose files are no longer all there, those of
//!   its total or of what was counted of the running day, and `source` says so.
//! - `bounded`: memory is that of the counts, and of [`super::top`].
//!
//! # Does not
//!
//! Check the totals: `audit` does.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::counts::{Counts, responded};
use super::day::Day;
use super::error::ReadError;
use super::row::shown;
use super::survey::{DayFound, Survey, survey};
use super::top::Top;
use crate::observe::printable::counted;

/// Rows of each list of the most frequent.
pub const TOP_ROWS: usize = 20;

/// Where a day's numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Its files.
    Files,
    /// Its line in the totals: files are gone.
    Totals,
}

/// Numbers of a day, of a month, or of all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Numbers {
    /// The day or the month.
    pub period: String,
    /// Where they come from; `None` for sums.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Queries in the log.
    pub queries: u64,
    /// Those that got an answer to what they asked.
    pub responded: u64,
    /// Those that found nothing.
    pub misses: u64,
    /// Share of look-ups that found nothing, 0 to 1.
    pub miss_ratio: Option<f64>,
    /// Queries that were answered and could not be logged.
    pub lost: u64,
    /// Bytes of answers.
    pub bytes: u64,
}

/// One of the most frequent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frequent {
    /// The network or name.
    pub text: String,
    /// Times at least.
    pub queries: u64,
}

/// The most frequent of their kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopList {
    /// By how much a number may be too small; 0 is exact.
    pub error: u64,
    /// The most frequent first.
    pub rows: Vec<Frequent>,
}

/// What the log says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Each day.
    pub days: Vec<Numbers>,
    /// Each month, as far as its days are here.
    pub months: Vec<Numbers>,
    /// All of it.
    pub total: Numbers,
    /// Kind, then outcome.
    pub kinds: BTreeMap<String, BTreeMap<String, u64>>,
    /// Suffix, then outcome.
    pub tlds: BTreeMap<String, BTreeMap<String, u64>>,
    /// Networks by queries, of those days whose files are there.
    pub top_networks: TopList,
    /// Names by queries, in small letters, of those days whose files are there.
    pub top_names: TopList,
    /// Files that were read.
    pub files: u64,
    /// Files with a torn end, of which the last block is missing.
    pub torn: Vec<String>,
    /// Files that cannot be read, each with the reason; the rows before the damage are counted.
    pub damaged: Vec<String>,
}

/// Where the numbers of a day come from.
fn source(found: &DayFound) -> Source {
    if found.is_whole() { Source::Files } else { Source::Totals }
}

/// The numbers of a day.
fn counts(found: DayFound) -> Counts {
    let mut counts = if found.is_whole() { found.files } else { found.noted };
    counts.merge(&found.behind);
    counts
}

/// Reads the days from `from` to `to`, both included.
///
/// # Errors
///
/// The directory or the totals cannot be read.
pub fn summarise(dir: &Path, from: Option<Day>, to: Option<Day>) -> Result<Summary, ReadError> {
    let is_wanted = |day: Day| from.is_none_or(|from| from <= day) && to.is_none_or(|to| day <= to);
    let (mut networks, mut names) = (Top::default(), Top::default());
    let found = survey(dir, is_wanted, &mut |row| {
        networks.add(&row.network);
        if row.name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            names.add(&row.name.to_ascii_lowercase());
        } else {
            names.add(&row.name);
        }
    })?;
    Ok(put_together(found, &networks, &names))
}

fn put_together(found: Survey, networks: &Top, names: &Top) -> Summary {
    let mut rows = Vec::new();
    let mut months: BTreeMap<String, Counts> = BTreeMap::new();
    let mut all = Counts::default();
    for (day, found) in found.days {
        let source = source(&found);
        let counts = counts(found);
        rows.push(Numbers { source: Some(source), ..numbers(day.to_string(), &counts) });
        months.entry(day.month()).or_default().merge(&counts);
        all.merge(&counts);
    }
    let top = |top: &Top| TopList {
        error: top.cut(),
        rows: top
            .most(TOP_ROWS)
            .into_iter()
            .map(|(text, queries)| Frequent { text, queries })
            .collect(),
    };
    Summary {
        days: rows,
        months: months.into_iter().map(|(month, counts)| numbers(month, &counts)).collect(),
        total: numbers("all".to_owned(), &all),
        kinds: all.kinds,
        tlds: all.tlds,
        top_networks: top(networks),
        top_names: top(names),
        files: found.files,
        torn: found.torn,
        damaged: found.damaged,
    }
}

fn numbers(period: String, counts: &Counts) -> Numbers {
    Numbers {
        period,
        source: None,
        queries: counts.queries,
        responded: counts.responded(),
        misses: counts.outcomes().get(super::counts::MISS).copied().unwrap_or(0),
        miss_ratio: counts.miss_ratio(),
        lost: counts.lost,
        bytes: counts.bytes,
    }
}

impl Summary {
    /// The summary for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let head = ["", "queries", "responded", "misses", "miss %", "lost", "bytes"];
        row(&mut text, head.map(str::to_owned), "");
        for numbers in self.days.iter().chain(&self.months).chain([&self.total]) {
            let percent = numbers.miss_ratio.map(|ratio| format!("{:.1}", ratio * 100.0));
            let cells = [
                numbers.period.clone(),
                numbers.queries.to_string(),
                numbers.responded.to_string(),
                numbers.misses.to_string(),
                percent.unwrap_or_else(|| "-".to_owned()),
                numbers.lost.to_string(),
                numbers.bytes.to_string(),
            ];
            let is_total = numbers.source == Some(Source::Totals);
            row(&mut text, cells, if is_total { "  from totals.jsonl" } else { "" });
        }
        for (what, table) in [("kind", &self.kinds), ("suffix", &self.tlds)] {
            let _ = writeln!(text, "\nqueries by {what} and outcome");
            for (word, outcomes) in table {
                let word = if word.is_empty() { "(none)".into() } else { shown(word) };
                let all: u64 = outcomes.values().sum();
                let each = outcomes.iter();
                let each: Vec<_> =
                    each.map(|(outcome, count)| format!("{} {count}", shown(outcome))).collect();
                let answered = responded(outcomes);
                let each = each.join(", ");
                let _ = writeln!(text, "{word:<20} {all:>12}  {answered:>12} responded: {each}");
            }
        }
        let has_gone = self.days.iter().any(|day| day.source == Some(Source::Totals));
        let without = if has_gone { ", as far as files are there" } else { "" };
        for (what, list) in [("networks", &self.top_networks), ("names", &self.top_names)] {
            let _ = writeln!(text, "\n{what} by queries{}{without}", at_least(list.error));
            for Frequent { text: name, queries } in &list.rows {
                let _ = writeln!(text, "{queries:>12}  {}", shown(name));
            }
        }
        let _ = writeln!(text, "\n{}", counted(self.files, "file"));
        for torn in &self.torn {
            let _ =
                writeln!(text, "{torn}: ends within a block; what follows there is not counted");
        }
        for damaged in &self.damaged {
            let _ = writeln!(text, "NOT READ: {damaged}");
        }
        text
    }
}

fn row(text: &mut String, cells: [String; 7], note: &str) {
    let [first, rest @ ..] = cells;
    let _ = write!(text, "{first:<12}");
    for cell in rest {
        let _ = write!(text, " {cell:>12}");
    }
    let _ = writeln!(text, "{note}");
}

fn at_least(error: u64) -> String {
    if error == 0 { String::new() } else { format!(", each up to {error} too small") }
}

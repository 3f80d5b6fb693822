//! What is counted of queries: by kind, by suffix and by outcome. `COUNTING.md` says the rules.
//!
//! # Invariants
//!
//! - `bounded`: words beyond a bound are counted together, as [`OTHER`].
//! - `additive`: counting rows in parts and merging gives what counting them at once gives, as long
//!   as the words stay within their bounds.
//!
//! # Does not
//!
//! Know the words: they are a shard's.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::row::Row;

/// What stands for words beyond a bound.
pub const OTHER: &str = "(other)";
/// Most kinds of queries, and most outcomes of one: there are about ten and twenty.
const WORDS_MAX: usize = 256;
/// Most suffixes: twice what a configuration may have rules for.
const SUFFIXES_MAX: usize = 8_192;
/// Outcomes that answer what was asked for: what reports mean by a query that was responded to.
pub const RESPONDED: [&str; 5] = ["found", "listed", "reserved", "not_found", "help"];
/// The outcome that is a miss.
pub const MISS: &str = "not_found";

/// Numbers of queries by word.
pub type ByWord = BTreeMap<String, u64>;

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Queries in the log.
    pub queries: u64,
    /// Queries that were answered and could not be written into the log.
    pub lost: u64,
    /// Bytes of the answers in the log.
    pub bytes: u64,
    /// Kind, then outcome.
    pub kinds: BTreeMap<String, ByWord>,
    /// Suffix, then outcome; the empty suffix is what lies in none that is served.
    pub tlds: BTreeMap<String, ByWord>,
}

impl Counts {
    /// Counts one row.
    pub fn add(&mut self, row: &Row<'_>) {
        self.queries = self.queries.saturating_add(1);
        self.lost = self.lost.saturating_add(row.lost);
        self.bytes = self.bytes.saturating_add(u64::from(row.bytes));
        count(&mut self.kinds, WORDS_MAX, &row.kind, &row.outcome, 1);
        count(&mut self.tlds, SUFFIXES_MAX, &row.tld, &row.outcome, 1);
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.queries = self.queries.saturating_add(other.queries);
        self.lost = self.lost.saturating_add(other.lost);
        self.bytes = self.bytes.saturating_add(other.bytes);
        for (mine, theirs, words_max) in [
            (&mut self.kinds, &other.kinds, WORDS_MAX),
            (&mut self.tlds, &other.tlds, SUFFIXES_MAX),
        ] {
            for (word, outcomes) in theirs {
                for (outcome, number) in outcomes {
                    count(mine, words_max, word, outcome, *number);
                }
            }
        }
    }

    /// All queries by outcome.
    #[must_use]
    pub fn outcomes(&self) -> ByWord {
        let mut sums = ByWord::new();
        for (outcome, number) in self.kinds.values().flatten() {
            bump(&mut sums, outcome, *number);
        }
        sums
    }

    /// Queries whose answer was what was asked for, be it that there is no such record.
    #[must_use]
    pub fn responded(&self) -> u64 {
        responded(&self.outcomes())
    }

    /// Share of queries for a record or a list that found none, 0 to 1; `None` without such
    /// queries.
    #[must_use]
    pub fn miss_ratio(&self) -> Option<f64> {
        let outcomes = self.outcomes();
        let looked_up = responded(&outcomes).saturating_sub(number(&outcomes, "help"));
        // For a ratio, a float's 53 bits are plenty.
        #[expect(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
        let ratio = number(&outcomes, MISS) as f64 / looked_up as f64;
        (looked_up > 0).then_some(ratio)
    }
}

/// The part of `outcomes` that was responded to.
#[must_use]
pub(super) fn responded(outcomes: &ByWord) -> u64 {
    RESPONDED.iter().fold(0, |sum, word| sum.saturating_add(number(outcomes, word)))
}

fn number(outcomes: &ByWord, word: &str) -> u64 {
    outcomes.get(word).copied().unwrap_or(0)
}

fn count(
    table: &mut BTreeMap<String, ByWord>,
    words_max: usize,
    word: &str,
    outcome: &str,
    number: u64,
) {
    let is_full = table.len() >= words_max && !table.contains_key(word);
    let word = if is_full { OTHER } else { word };
    let outcomes = match table.get_mut(word) {
        Some(outcomes) => outcomes,
        None => table.entry(word.to_owned()).or_default(),
    };
    let is_full = outcomes.len() >= WORDS_MAX && !outcomes.contains_key(outcome);
    bump(outcomes, if is_full { OTHER } else { outcome }, number);
}

fn bump(table: &mut ByWord, word: &str, number: u64) {
    match table.get_mut(word) {
        Some(sum) => *sum = sum.saturating_add(number),
        None => drop(table.insert(word.to_owned(), number)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::row;
    use super::*;

    #[test]
    fn rows_are_counted_by_kind_suffix_and_outcome_and_parts_add_up() {
        let (mut all, mut one, mut two) = (Counts::default(), Counts::default(), Counts::default());
        for (at, outcome) in ["found", "not_found", "help", "refused", "found"].iter().enumerate() {
            let tld = if at == 2 { "" } else { "example" };
            let row = Row { outcome: (*outcome).into(), tld: tld.into(), lost: at as u64, ..row() };
            all.add(&row);
            if at % 2 == 0 { one.add(&row) } else { two.add(&row) }
        }
        one.merge(&two);
        assert_eq!(one, all);
        assert_eq!((all.queries, all.lost, all.bytes), (5, 10, 5 * 1834));
        assert_eq!((all.responded(), all.miss_ratio()), (4, Some(1.0 / 3.0)));
        assert_eq!((all.kinds["domain"]["found"], all.tlds["example"]["found"]), (2, 2));
        assert_eq!(all.tlds[""]["help"], 1);
        let (before, ratio) = (all.responded(), all.miss_ratio());
        all.add(&Row { kind: "limits".into(), outcome: "limits".into(), ..row() });
        assert_eq!((all.queries, all.responded(), all.miss_ratio()), (6, before, ratio));
        assert_eq!(Counts::default().miss_ratio(), None);
    }

    #[test]
    fn words_without_end_are_counted_together() {
        let mut counts = Counts::default();
        for number in 0..20_000 {
            let word = format!("w{number}");
            counts.add(&Row { outcome: word.clone().into(), tld: word.clone().into(), ..row() });
            counts.add(&Row { kind: word.into(), ..row() });
        }
        assert_eq!(counts.kinds.len(), WORDS_MAX + 1);
        assert_eq!(counts.kinds["domain"].len(), WORDS_MAX + 1);
        assert_eq!(counts.tlds.len(), SUFFIXES_MAX + 1);
        assert_eq!(counts.outcomes().values().sum::<u64>(), counts.queries);
    }
}

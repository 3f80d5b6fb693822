//! What callgrind has counted, by the file and the function of the source where it was spent.
//!
//! # Invariants
//!
//! - `own-cost`: what a called function spends counts where that is written, not at the call; code
//!   that the compiler has inlined counts where it was written too.
//!
//! # Does not
//!
//! Run valgrind.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Instructions, by (file, function).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spent(BTreeMap<(String, String), u64>);

impl Spent {
    /// Reads a file of callgrind's ("Callgrind Format Specification" of its manual).
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(Self::parse(&std::fs::read_to_string(path)?))
    }

    fn parse(text: &str) -> Self {
        let mut spent = Self::default();
        let (mut files, mut functions) = (BTreeMap::new(), BTreeMap::new());
        let (mut file, mut function) = (String::new(), String::new());
        let mut is_call = false;
        for line in text.lines() {
            if let Some((key, name)) = line.split_once('=') {
                match key {
                    "fl" | "fi" | "fe" => file = named(&mut files, name),
                    "fn" => function = named(&mut functions, name),
                    // The called function's names number like all others.
                    "cfi" | "cfl" => drop(named(&mut files, name)),
                    "cfn" => drop(named(&mut functions, name)),
                    "calls" => is_call = true,
                    _ => {}
                }
                continue;
            }
            // A position and a cost; after `calls` it is the cost of the called function.
            let mut words = line.split(' ');
            let is_position = |word: &str| word.starts_with(['+', '-', '*']) || is_number(word);
            let cost = words.next().filter(|word| is_position(word)).and_then(|_| words.next());
            let Some(cost) = cost.and_then(|cost| cost.parse::<u64>().ok()) else { continue };
            if !std::mem::take(&mut is_call) {
                *spent.0.entry((file.clone(), function.clone())).or_default() += cost;
            }
        }
        spent
    }

    /// The instructions since `earlier`; not below 0.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let more = |(key, cost): (&(String, String), &u64)| {
            let before = earlier.0.get(key).copied().unwrap_or(0);
            (key.clone(), cost.saturating_sub(before))
        };
        Self(self.0.iter().map(more).collect())
    }

    /// The sum over every file and function for which `wanted` holds.
    pub fn sum(&self, wanted: impl Fn(&str, &str) -> bool) -> u64 {
        self.0.iter().filter(|((file, function), _)| wanted(file, function)).map(|at| at.1).sum()
    }
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// `(1) name` the first time, `(1)` from then on.
fn named(known: &mut BTreeMap<String, String>, text: &str) -> String {
    match text.split_once(' ') {
        Some((number, name)) => {
            known.insert(number.to_owned(), name.to_owned());
            name.to_owned()
        }
        None => known.get(text).cloned().unwrap_or_else(|| text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "version: 1\npositions: line\nevents: Ir\n\nfl=(1) a.rs\nfn=(1) outer\n\
        10 5\nfi=(2) b.rs\n+3 7\nfe=(1)\n* 1\ncfi=(2)\ncfn=(2) inner\ncalls=2 30\n+1 400\n\
        fl=(2)\nfn=(2)\n30 400\ntotals: 413\n";

    #[test]
    fn costs_count_where_they_are_written_and_calls_do_not_count_twice() {
        let spent = Spent::parse(FILE);
        assert_eq!(spent.sum(|_, _| true), 413);
        assert_eq!(spent.sum(|file, _| file == "a.rs"), 6);
        assert_eq!(spent.sum(|file, function| (file, function) == ("b.rs", "outer")), 7);
        assert_eq!(spent.sum(|_, function| function == "inner"), 400);
        let twice = Spent::parse(&format!("{FILE}fl=(1)\nfn=(1)\n10 20\n"));
        assert_eq!(twice.since(&spent).sum(|_, _| true), 20);
    }
}

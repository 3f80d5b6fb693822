//! Counts the days that have no line in the totals, from their files, after a start.
//!
//! # Invariants
//!
//! - `once`: a segment counts in a line of the totals, in what was written down of the running day,
//!   or here; never twice.
//!
//! # Does not
//!
//! Look at segments that were begun after the start: the writer counts those.

use std::collections::BTreeMap;
use std::path::Path;

use crossbeam::channel::{Receiver, Sender};

use super::day::Day;
use super::error::ChainError;
use super::figures::{Figures, add};
use super::read;
use super::segment_name::{Segments, counted};
use super::totals::{Chain, OpenDay, Totals};

/// A failure to go on with the totals is logged once in this many tries.
const SAY_EVERY: u64 = 20;

/// What earlier runs left.
pub(super) struct Recovered {
    pub(super) chain: Chain,
    pub(super) days: Vec<OpenDay>,
}

/// Counts what earlier runs left, as soon as the totals can be extended. Tries again whenever
/// `again` says so, until its other end is dropped.
pub(super) fn recover(
    dir: &Path,
    segments: &Segments,
    figures: &Figures,
    recovered: &Sender<Recovered>,
    again: &Receiver<()>,
) {
    for number in 0_u64.. {
        let totals = Totals::read(dir).map_err(ChainError::from);
        let chain =
            totals.and_then(|totals| Chain::behind(dir, &totals).map(|chain| (totals, chain)));
        match chain {
            Ok((totals, chain)) => {
                for broken in &totals.broken {
                    let (line, problem) = (broken.line, &broken.problem);
                    tracing::error!(line, %problem, "query log: totals.jsonl");
                }
                let days = days(dir, &totals, segments);
                // If nobody listens any more, the process is ending already.
                let _ = recovered.send(Recovered { chain, days });
                return;
            }
            Err(problem) => {
                add(&figures.errors, 1);
                if number.is_multiple_of(SAY_EVERY) {
                    tracing::error!(
                        %problem,
                        "query log: until this is put right, no daily totals are written and no \
                         file is deleted; it is tried again each half minute"
                    );
                }
            }
        }
        if again.recv().is_err() {
            return;
        }
    }
}

/// Days without a line, in order.
fn days(dir: &Path, totals: &Totals, segments: &Segments) -> Vec<OpenDay> {
    let through = totals.through();
    let in_totals = |day: Day| through.get(&day).copied().flatten();
    let mut days: BTreeMap<Day, OpenDay> = BTreeMap::new();
    if let Some(open) = OpenDay::read(dir)
        && open.through > in_totals(open.day)
    {
        days.insert(open.day, open);
    }
    for (stem, parts) in segments {
        let day = stem.day();
        let counted_through = days.get(&day).map_or_else(|| in_totals(day), |open| open.through);
        if Some(*stem) <= counted_through {
            continue;
        }
        let Some(part) = counted(parts) else { continue };
        let mut open = OpenDay::new(day);
        open.segments = 1;
        open.through = Some(*stem);
        match read::read(part, &mut |row| open.counts.add(row)) {
            Ok(read) => tracing::info!(
                file = %part.path.display(), rows = read.rows, torn = read.torn,
                "query log: a file of before the start was counted"
            ),
            Err(error) => tracing::error!(
                %error, "query log: the day's total lacks what follows in this file"
            ),
        }
        days.entry(day).or_insert_with(|| OpenDay::new(day)).merge(&open);
    }
    days.into_values().collect()
}

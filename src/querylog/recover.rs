//! What days without a line in the totals have counted, from the files: after a start.
//!
//! # Invariants
//!
//! - `once`: a segment counts in a line of the totals, in what was written down of the running day,
//!   or here; never twice.
//!
//! # Does not
//!
//! Look at segments that were begun after the start: whoever writes them counts them.

use std::collections::BTreeMap;
use std::path::Path;

use super::day::Day;
use super::read;
use super::segment_name::{Segments, counted};
use super::totals::{OpenDay, Totals};

/// Days without a line, in order.
pub(super) fn recover(dir: &Path, totals: &Totals, segments: &Segments) -> Vec<OpenDay> {
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

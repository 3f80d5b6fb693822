//! What the files and the totals of a directory say of each day: what `summary` and `audit` show.
//!
//! # Invariants
//!
//! - `one-moment`: totals and names of files are those of one moment, though a server writes
//!   meanwhile, unless it changes them each time that they are read.
//! - `goes-on`: a file that cannot be read is named, and the others are read.
//!
//! # Does not
//!
//! Judge: `audit` does.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::counts::Counts;
use super::day::Day;
use super::error::ReadError;
use super::read;
use super::row::Row;
use super::segment_name::{Segments, Stem, counted, list};
use super::totals::{OpenDay, Totals};

/// Times that totals and names are read until nothing changes between them.
const MOMENTS_MAX: usize = 5;

/// What is known of one day.
#[derive(Debug, Default)]
pub(super) struct DayFound {
    /// Whether it has a line in the totals.
    pub(super) is_in_totals: bool,
    /// Segments that were counted, in the totals or on the running day.
    pub(super) expected: u64,
    /// The last of them.
    pub(super) through: Option<Stem>,
    /// What was counted in them.
    pub(super) noted: Counts,
    /// Those of them that are there and can be read.
    pub(super) present: u64,
    /// The last of them that is there.
    pub(super) last: Option<Stem>,
    /// What was counted now in those that are there.
    pub(super) files: Counts,
    /// Why others of them cannot be read.
    pub(super) damaged: Vec<String>,
    /// Segments after the last one that was counted.
    pub(super) behind_segments: u64,
    /// What is in them.
    pub(super) behind: Counts,
}

impl DayFound {
    fn note(&mut self, segments: u64, through: Option<Stem>, counts: &Counts) {
        self.expected = self.expected.saturating_add(segments);
        self.through = self.through.max(through);
        self.noted.merge(counts);
    }

    /// Whether all that was counted is there and can be read.
    pub(super) const fn is_whole(&self) -> bool {
        self.present >= self.expected
    }
}

/// What is known of a directory.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) totals: Totals,
    pub(super) days: BTreeMap<Day, DayFound>,
    /// The day that runs, or ran when the server ended.
    pub(super) running: Option<Day>,
    /// Files that were read.
    pub(super) files: u64,
    /// Files with a torn end, of which the last block is missing.
    pub(super) torn: Vec<String>,
    /// Files that cannot be read, each with the reason.
    pub(super) damaged: Vec<String>,
    /// Whether files were deleted while others were read.
    pub(super) is_deleting: bool,
}

/// Reads the days that are wanted, and hands each of their rows to `each`.
///
/// # Errors
///
/// The directory or the totals cannot be read.
pub(super) fn survey(
    dir: &Path,
    is_wanted: impl Fn(Day) -> bool,
    each: &mut dyn FnMut(&Row<'_>),
) -> Result<Survey, ReadError> {
    let failed = |source| ReadError::Io { path: dir.to_owned(), source };
    let (totals, open, segments) = moment(dir).map_err(failed)?;
    let mut days: BTreeMap<Day, DayFound> = BTreeMap::new();
    for total in totals.days.iter().filter(|total| is_wanted(total.day)) {
        let found = days.entry(total.day).or_default();
        found.is_in_totals = true;
        found.note(total.segments, Stem::parse(&total.through), &total.counts);
    }
    let running = open.as_ref().map(|open| open.day);
    if let Some(open) = open.filter(|open| is_wanted(open.day)) {
        let found = days.entry(open.day).or_default();
        // Otherwise it is in the totals by now.
        if open.through > found.through {
            found.note(open.segments, open.through, &open.counts);
        }
    }
    let newest = segments.keys().next_back().map(|stem| stem.day());
    let mut survey = Survey {
        totals,
        days,
        running: running.or(newest),
        files: 0,
        torn: Vec::new(),
        damaged: Vec::new(),
        is_deleting: false,
    };
    for (stem, parts) in segments {
        let Some(part) = counted(&parts).filter(|_| is_wanted(stem.day())) else { continue };
        let mut counts = Counts::default();
        let read = read::read(part, &mut |row| {
            counts.add(row);
            each(row);
        });
        let damage = match read {
            Err(error) if error.is_gone() => {
                survey.is_deleting = true;
                continue;
            }
            Ok(read) if read.torn => {
                survey.torn.push(part.path.display().to_string());
                None
            }
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        };
        survey.files += 1;
        let found = survey.days.entry(stem.day()).or_default();
        if Some(stem) > found.through {
            found.behind_segments += 1;
            found.behind.merge(&counts);
        } else {
            found.present += u64::from(damage.is_none());
            found.last = Some(stem);
            found.files.merge(&counts);
            found.damaged.extend(damage.clone());
        }
        survey.damaged.extend(damage);
    }
    // A day that has nothing but the note that it has begun.
    survey.days.retain(|_, found| {
        found.is_in_totals || found.expected > 0 || found.behind_segments > 0 || found.present > 0
    });
    Ok(survey)
}

fn moment(dir: &Path) -> io::Result<(Totals, Option<OpenDay>, Segments)> {
    let notes = || Ok::<_, io::Error>((Totals::read(dir)?, OpenDay::read(dir)));
    let mut before = notes()?;
    for _ in 1..MOMENTS_MAX {
        let segments = list(dir)?;
        let after = notes()?;
        if after == before {
            return Ok((after.0, after.1, segments));
        }
        before = after;
    }
    let (totals, open) = before;
    Ok((totals, open, list(dir)?))
}

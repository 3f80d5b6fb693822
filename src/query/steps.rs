//! The steps of an answer, each by itself: for benchmarks, which say where the time goes.
//!
//! # Invariants
//!
//! - The code is that of [`super::answer()`], cut where it hands over.
//!
//! # Does not
//!
//! Answer anything but domain names.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::record::ArchivedDomain;

use super::answer::Answer;
use super::frame::Site;
use super::{AnswerResult, QueryKind, Refusal, find, kind_of, name, parse};
use crate::policy::{Rules, Tier};
use crate::view::View;

/// Parses a line and says what kind of query it is.
///
/// # Errors
///
/// Why it is none.
pub fn parse(line: &[u8]) -> Result<QueryKind, Refusal> {
    parse::parse(line).map(|query| kind_of(query.target))
}

/// Finds the domain that answers a typed name; none also where the record is damaged.
#[must_use]
pub fn find<'a>(view: &'a View, typed: &str) -> Option<&'a ArchivedDomain> {
    let name = name::canonical(typed)?;
    find::registered(view.data(), name.as_str()).ok().flatten()
}

/// Writes the answer that shows `record`.
pub fn render(
    view: &View,
    rules: &Rules,
    record: &ArchivedDomain,
    out: &mut Answer,
) -> AnswerResult {
    let site = Site::new(view, rules, Tier::PUBLIC);
    find::domain_record(&site, site.rule_of(&record.name), record, out)
        .unwrap_or(AnswerResult::Refused(Refusal::Damaged))
}

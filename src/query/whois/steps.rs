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
use super::{AnswerResult, Refusal, Request, parse, show};
use crate::policy::{Rules, Tier};
use crate::query::find::{self, ListEnd};
use crate::query::{QueryKind, name};
use crate::view::View;

/// Parses a line and says what kind of query it is.
///
/// # Errors
///
/// Why it is not a query.
pub fn parse(line: &[u8]) -> Result<QueryKind, Refusal> {
    parse::parse(line).map(|line| Request(Ok(line)).kind())
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
    show::domains(&site, std::iter::once(record), ListEnd::Complete, out)
        .unwrap_or(AnswerResult::Refused(Refusal::Damaged))
}

//! Which records answer a pattern.
//!
//! # Invariants
//!
//! - `bounded`: a pattern takes at most [`WILDCARD_STEPS_MAX`] steps, and lists at most
//!   [`WILDCARD_NAMES_MAX`] names.
//!
//! # Does not
//!
//! Write lines: `render` and `frame` do.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::Corrupt;
use snapshot_format::record::{ArchivedDomain, ArchivedNameserver};

use super::answer::Answer;
use super::find::{self, Answered, Failure, is_many};
use super::frame::{self, ListEnd, Site};
use super::name;
use super::parse::{Display, Refusal};
use super::wildcard::{
    Pattern, PatternError, RECORD_STEPS, WILDCARD_NAMES_MAX, WILDCARD_STEPS_MAX,
};
use crate::idn;

/// Steps that the proof of a Unicode form costs.
const PROOF_STEPS: u32 = 400;

/// The first names that match a pattern.
struct Matches<'a, T> {
    records: [Option<&'a T>; WILDCARD_NAMES_MAX],
    count: usize,
    end: ListEnd,
}

impl<'a, T> Matches<'a, T> {
    /// Holds `pattern` against records in their order; one that is gone costs its steps.
    fn collect(
        pattern: &Pattern,
        records: impl Iterator<Item = Result<Option<&'a T>, Corrupt>>,
        names: impl Fn(&'a T) -> (&'a str, &'a str),
    ) -> Result<Self, Corrupt> {
        let mut matches =
            Self { records: [None; WILDCARD_NAMES_MAX], count: 0, end: ListEnd::Complete };
        let mut steps = WILDCARD_STEPS_MAX;
        for record in records {
            let Some(record) = record? else {
                let Some(left) = steps.checked_sub(RECORD_STEPS) else {
                    matches.end = ListEnd::Budget;
                    break;
                };
                steps = left;
                continue;
            };
            let (a_name, u_name) = names(record);
            let decoded;
            let name = if !pattern.is_unicode() {
                a_name
            } else if u_name.is_empty() {
                decoded = idn::decoded(a_name);
                decoded.as_ref().map_or(a_name, idn::UName::as_str)
            } else {
                u_name
            };
            let matched = match steps.checked_sub(RECORD_STEPS) {
                Some(left) => {
                    steps = left;
                    pattern.matches(name, &mut steps)
                }
                None => None,
            };
            // What it decodes to has to be proven; few names get here.
            let unproven = pattern.is_unicode() && u_name.is_empty();
            let matched = match matched {
                Some(true) if unproven => steps.checked_sub(PROOF_STEPS).map(|left| {
                    steps = left;
                    idn::unicode(a_name).is_some()
                }),
                matched => matched,
            };
            match matched {
                None => {
                    matches.end = ListEnd::Budget;
                    break;
                }
                Some(false) => {}
                Some(true) => match matches.records.get_mut(matches.count) {
                    Some(place) => {
                        *place = Some(record);
                        matches.count = matches.count.saturating_add(1);
                    }
                    None => {
                        matches.end = ListEnd::More;
                        break;
                    }
                },
            }
        }
        Ok(matches)
    }

    fn records(&self) -> impl Iterator<Item = &'a T> {
        self.records.iter().take(self.count).copied().flatten()
    }

    /// Whether the matches are shown as whole records.
    fn as_records(&self, display: Display) -> bool {
        let only_one = self.count == 1 && self.end == ListEnd::Complete;
        display == Display::Full || (only_one && display == Display::Auto)
    }
}

fn pattern_of(typed: &str) -> Result<Pattern, Failure> {
    Pattern::new(typed).map_err(|error| match error {
        PatternError::Early => Refusal::WildcardEarly.into(),
        PatternError::Form => Refusal::Name.into(),
    })
}

/// Answers a pattern of domain names.
pub(super) fn domains(
    site: &Site<'_>,
    typed: &str,
    display: Display,
    out: &mut Answer,
) -> Answered {
    let pattern = match pattern_of(typed) {
        Ok(pattern) => pattern,
        Err(refused) => return below_domain(site, typed, out)?.ok_or(refused),
    };
    let matches = Matches::<ArchivedDomain>::collect(
        &pattern,
        site.snapshot.domains(pattern.prefix())?,
        |record| {
            let u_name = record.cold.as_ref().map_or("", |cold| cold.u_name.as_str());
            (record.name.as_str(), u_name)
        },
    )?;
    let Some(first) = matches.records().next() else {
        if matches.end == ListEnd::Complete
            && let Some(result) = below_domain(site, typed, out)?
        {
            return Ok(result);
        }
        return nothing_matched(site, typed, matches.end, out);
    };
    let rule = site.rule_of(&first.name);
    let mut records = [first; WILDCARD_NAMES_MAX];
    for (place, record) in records.iter_mut().zip(matches.records()) {
        *place = record;
    }
    let records = records.get(..matches.count).unwrap_or_default();
    if matches.as_records(display) {
        return find::domain_records(site, rule, records, matches.end, out);
    }
    Ok(find::domain_list(site, rule, records, matches.end, out))
}

/// Answers a name with underscores that nothing is called and that lies below a domain, as
/// `_dmarc.example.demo` does: it was hardly meant as a pattern.
fn below_domain(
    site: &Site<'_>,
    typed: &str,
    out: &mut Answer,
) -> Result<Option<super::AnswerResult>, Failure> {
    if typed.contains(is_many) {
        return Ok(None);
    }
    let Some(name) = name::canonical(typed) else { return Ok(None) };
    let Some(above) = find::above(site, name.as_str())? else { return Ok(None) };
    let rule = site.rule_of(name.as_str());
    Ok(Some(frame::not_found_below(site, &rule, Some(above), out)))
}

fn nothing_matched(site: &Site<'_>, typed: &str, end: ListEnd, out: &mut Answer) -> Answered {
    if end == ListEnd::Budget {
        return Err(Refusal::Budget.into());
    }
    Ok(frame::not_found(site, &site.rule_of(typed), out))
}

/// Answers a pattern of nameserver names.
pub(super) fn nameservers(
    site: &Site<'_>,
    typed: &str,
    display: Display,
    out: &mut Answer,
) -> Answered {
    let pattern = pattern_of(typed)?;
    let matches = Matches::<ArchivedNameserver>::collect(
        &pattern,
        site.snapshot.nameservers(pattern.prefix())?,
        |record| (record.name.as_str(), ""),
    )?;
    let Some(first) = matches.records().next() else {
        return nothing_matched(site, typed, matches.end, out);
    };
    let rule = site.rule_of(&first.name);
    find::nameservers(site, rule, || matches.records().map(Ok), matches.end, display, out)
}

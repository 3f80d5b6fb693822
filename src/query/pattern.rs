//! Which records match a pattern.
//!
//! # Invariants
//!
//! - `bounded`: a pattern takes at most [`WILDCARD_STEPS_MAX`] steps, whatever it is of.
//!
//! # Does not
//!
//! Show records.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::Corrupt;
use snapshot_format::record::{ArchivedDomain, ArchivedNameserver};

use super::find::{self, Absent, Failure, Found, ListEnd, Matches, Room};
use super::question::Settled;
use super::suffix;
use super::wildcard::{Pattern, PatternError, RECORD_STEPS, WILDCARD_STEPS_MAX};
use crate::idn;
use crate::view::{Data, View};

/// Steps that the proof of a Unicode form costs.
const PROOF_STEPS: u32 = 400;

/// What a pattern may be of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Domains,
    Nameservers,
    /// Without a keyword: of domains, or else of nameservers.
    Either,
}

/// The first records that match a pattern.
pub(super) fn matching<'v, 'r>(
    view: &'v View,
    settled: &Settled<'r>,
    of: Of,
    room: &'r mut Room<'v>,
) -> Result<Found<'v, 'r>, Failure> {
    let typed = settled.question.subject();
    let pattern = match Pattern::new(typed) {
        Ok(pattern) => pattern,
        Err(error) => {
            let absent = no_pattern(view, settled, of)?.ok_or(match error {
                PatternError::Early => Failure::WildcardEarly,
                PatternError::Form => Failure::Name,
            });
            return absent.map(Found::Absent);
        }
    };
    let (mut steps, mut end) = (WILDCARD_STEPS_MAX, ListEnd::Complete);
    if of != Of::Nameservers {
        let matches = domains(view.data(), &pattern, &mut steps)?;
        end = matches.end;
        if matches.count() > 0 {
            return Ok(Found::Domains(room.domains.insert(matches)));
        }
    }
    if of != Of::Domains && end == ListEnd::Complete {
        let matches = nameservers(view.data(), &pattern, &mut steps)?;
        end = matches.end;
        if matches.count() > 0 {
            return Ok(Found::Nameservers(room.nameservers.insert(matches)));
        }
    }
    if end == ListEnd::Budget {
        return Err(Failure::Budget);
    }
    let absent = if of == Of::Nameservers { None } else { no_domain(view, settled)? };
    Ok(Found::Absent(absent.unwrap_or(Absent::NoRecord)))
}

fn domains<'v>(
    data: &'v Data,
    pattern: &Pattern,
    steps: &mut u32,
) -> Result<Matches<&'v ArchivedDomain>, Corrupt> {
    let [first, second] = pattern.prefixes();
    let range = |prefix| data.domains(prefix);
    let (first, second) = (first.map(range).transpose()?, second.map(range).transpose()?);
    let records = first.into_iter().flatten().chain(second.into_iter().flatten());
    collect(pattern, records, steps, |record| {
        let u_name = record.cold.as_ref().map_or("", |cold| cold.u_name.as_str());
        (record.name.as_str(), u_name)
    })
}

fn nameservers<'v>(
    data: &'v Data,
    pattern: &Pattern,
    steps: &mut u32,
) -> Result<Matches<&'v ArchivedNameserver>, Corrupt> {
    let [first, second] = pattern.prefixes();
    let range = |prefix| data.nameservers(prefix);
    let (first, second) = (first.map(range).transpose()?, second.map(range).transpose()?);
    let records = first.into_iter().flatten().chain(second.into_iter().flatten());
    collect(pattern, records, steps, |record| (record.name.as_str(), ""))
}

/// Holds `pattern` against records in their order, within `steps_left`; one that is gone costs its
/// steps. `names`: a record's A-label form, and its Unicode form or nothing.
fn collect<'v, T>(
    pattern: &Pattern,
    records: impl Iterator<Item = Result<Option<&'v T>, Corrupt>>,
    steps_left: &mut u32,
    names: impl Fn(&'v T) -> (&'v str, &'v str),
) -> Result<Matches<&'v T>, Corrupt> {
    let mut matches = Matches::new();
    let mut steps = *steps_left;
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
        // Its decoded form has to be proven; few names get here.
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
            Some(true) => {
                if !matches.push(record) {
                    break;
                }
            }
        }
    }
    *steps_left = steps;
    Ok(matches)
}

/// What is known about a name with underscores that lies below a domain or in another zone, and
/// that no record has, such as `_dmarc.example.demo` and `ns_1.other.net`: it was hardly meant as a
/// pattern.
fn no_pattern<'n>(
    view: &View,
    settled: &Settled<'n>,
    of: Of,
) -> Result<Option<Absent<'n>>, Failure> {
    let Some(name) = settled.name else { return Ok(None) };
    let is_elsewhere = name.contains('.') && !find::is_served(view, name);
    let above = find::above(view, name)?;
    if of == Of::Nameservers {
        return Ok((is_elsewhere || above.is_some()).then_some(Absent::NoRecord));
    }
    Ok(above.map(Absent::Below).or_else(|| is_elsewhere.then_some(Absent::Elsewhere)))
}

/// What is known about the names that a pattern of domains stands for, if none of them is there.
fn no_domain<'n>(view: &View, settled: &Settled<'n>) -> Result<Option<Absent<'n>>, Failure> {
    if let Some(name) = settled.name
        && let Some(above) = find::above(view, name)?
    {
        return Ok(Some(Absent::Below(above)));
    }
    let is_of_none = suffix::is_of_none(view, settled.question.subject());
    Ok(is_of_none.then_some(Absent::Elsewhere))
}

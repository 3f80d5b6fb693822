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
use super::name::{self, Name};
use super::parse::{Display, Refusal};
use super::suffix;
use super::wildcard::{
    Pattern, PatternError, RECORD_STEPS, WILDCARD_NAMES_MAX, WILDCARD_STEPS_MAX,
};
use super::{AnswerResult, QueryKind};
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
    /// Holds `pattern` against records in their order, within `steps_left`; one that is gone costs
    /// its steps.
    fn collect(
        pattern: &Pattern,
        records: impl Iterator<Item = Result<Option<&'a T>, Corrupt>>,
        steps_left: &mut u32,
        names: impl Fn(&'a T) -> (&'a str, &'a str),
    ) -> Result<Self, Corrupt> {
        let mut matches =
            Self { records: [None; WILDCARD_NAMES_MAX], count: 0, end: ListEnd::Complete };
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
        *steps_left = steps;
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

/// What a pattern may be of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Domains,
    Nameservers,
    /// Without a keyword: of domains, or else of nameservers.
    Either,
}

/// Answers a pattern, whatever it is of within one bound of steps; `kind` becomes that of the
/// records.
pub(super) fn answer(
    site: &Site<'_>,
    (typed, of): (&str, Of),
    display: Display,
    kind: &mut QueryKind,
    out: &mut Answer,
) -> Answered {
    let pattern = match pattern_of(typed) {
        Ok(pattern) => pattern,
        Err(refused) => return no_pattern(site, typed, out)?.ok_or(refused),
    };
    let (mut steps, mut end) = (WILDCARD_STEPS_MAX, ListEnd::Complete);
    if of != Of::Nameservers {
        let matches = domains_matching(site, &pattern, &mut steps)?;
        if let Some(answered) = with_domains(site, &matches, display, out) {
            return answered;
        }
        end = matches.end;
    }
    if of != Of::Domains && end == ListEnd::Complete {
        let matches = nameservers_matching(site, &pattern, &mut steps)?;
        if let Some(answered) = with_nameservers(site, &matches, display, out) {
            *kind = QueryKind::NameserverPattern;
            return answered;
        }
        end = matches.end;
    }
    if of == Of::Nameservers {
        nothing_matched(site, typed, end, out)
    } else {
        no_domain_matched(site, typed, end, out)
    }
}

fn domains_matching<'a>(
    site: &Site<'a>,
    pattern: &Pattern,
    steps: &mut u32,
) -> Result<Matches<'a, ArchivedDomain>, Corrupt> {
    let [first, second] = pattern.prefixes();
    let range = |prefix| site.snapshot.domains(prefix);
    let (first, second) = (first.map(range).transpose()?, second.map(range).transpose()?);
    let records = first.into_iter().flatten().chain(second.into_iter().flatten());
    Matches::collect(pattern, records, steps, |record| {
        let u_name = record.cold.as_ref().map_or("", |cold| cold.u_name.as_str());
        (record.name.as_str(), u_name)
    })
}

fn nameservers_matching<'a>(
    site: &Site<'a>,
    pattern: &Pattern,
    steps: &mut u32,
) -> Result<Matches<'a, ArchivedNameserver>, Corrupt> {
    let [first, second] = pattern.prefixes();
    let range = |prefix| site.snapshot.nameservers(prefix);
    let (first, second) = (first.map(range).transpose()?, second.map(range).transpose()?);
    let records = first.into_iter().flatten().chain(second.into_iter().flatten());
    Matches::collect(pattern, records, steps, |record| (record.name.as_str(), ""))
}

/// Answers with the domains that matched, if any did.
fn with_domains(
    site: &Site<'_>,
    matches: &Matches<'_, ArchivedDomain>,
    display: Display,
    out: &mut Answer,
) -> Option<Answered> {
    let first = matches.records().next()?;
    let rule = site.rule_of(&first.name);
    let mut records = [first; WILDCARD_NAMES_MAX];
    for (place, record) in records.iter_mut().zip(matches.records()) {
        *place = record;
    }
    let records = records.get(..matches.count).unwrap_or_default();
    Some(if matches.as_records(display) {
        find::domain_records(site, rule, records, matches.end, out)
    } else {
        Ok(find::domain_list(site, rule, records, matches.end, out))
    })
}

/// Answers with the nameservers that matched, if any did.
fn with_nameservers(
    site: &Site<'_>,
    matches: &Matches<'_, ArchivedNameserver>,
    display: Display,
    out: &mut Answer,
) -> Option<Answered> {
    let rule = site.rule_of(&matches.records().next()?.name);
    let all = || matches.records().map(Ok);
    Some(find::nameservers(site, rule, all, matches.end, display, out))
}

/// Answers a name with underscores that lies below a domain or in another zone, and that nothing
/// has, such as `_dmarc.example.demo` and `ns_1.other.net`: it was hardly meant as a pattern.
fn no_pattern(
    site: &Site<'_>,
    typed: &str,
    out: &mut Answer,
) -> Result<Option<AnswerResult>, Failure> {
    let Some(name) = name_of(typed) else { return Ok(None) };
    let name = name.as_str();
    let is_elsewhere = name.contains('.') && !find::is_served(site, name);
    if site.is_asked(QueryKind::NameserverPattern) {
        let is_host = is_elsewhere || find::above(site, name)?.is_some();
        return Ok(is_host.then(|| frame::not_found(site, &site.rule_of(name), out)));
    }
    match below_domain(site, name, out)? {
        None if is_elsewhere => Err(Refusal::Suffix.into()),
        below => Ok(below),
    }
}

/// The name that a text with underscores alone may be.
fn name_of(typed: &str) -> Option<Name> {
    if typed.contains(is_many) { None } else { name::canonical(typed) }
}

fn below_domain(
    site: &Site<'_>,
    name: &str,
    out: &mut Answer,
) -> Result<Option<AnswerResult>, Failure> {
    let Some(above) = find::above(site, name)? else { return Ok(None) };
    let rule = site.rule_of(name);
    Ok(Some(frame::not_found_below(site, &rule, Some(above), out)))
}

/// Says that no domain matches a pattern; of names below no served suffix, that none is served.
fn no_domain_matched(site: &Site<'_>, typed: &str, end: ListEnd, out: &mut Answer) -> Answered {
    if end == ListEnd::Complete {
        if let Some(name) = name_of(typed)
            && let Some(result) = below_domain(site, name.as_str(), out)?
        {
            return Ok(result);
        }
        if suffix::is_of_none(site.view, typed) {
            return Err(Refusal::Suffix.into());
        }
    }
    nothing_matched(site, typed, end, out)
}

fn nothing_matched(site: &Site<'_>, typed: &str, end: ListEnd, out: &mut Answer) -> Answered {
    if end == ListEnd::Budget {
        return Err(Refusal::Budget.into());
    }
    Ok(frame::not_found(site, &site.rule_of(typed), out))
}

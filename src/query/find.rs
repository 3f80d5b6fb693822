//! Which records answer a query.
//!
//! # Invariants
//!
//! - `bounded`: a chain of variants has at most [`VARIANT_HOPS_MAX`] steps, a pattern
//!   [`WILDCARD_STEPS_MAX`]; lists end where the answer is full.
//!
//! # Does not
//!
//! Write lines: `render` and `frame` do.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::IpAddr;

use snapshot_format::Corrupt;
use snapshot_format::delta::Owner;
use snapshot_format::key::{RegistrarKey, fold_registrar_name};
use snapshot_format::object::NndnState;
use snapshot_format::record::{ArchivedDomain, ArchivedNameserver, ArchivedNndn};

use super::AnswerResult;
use super::answer::Answer;
use super::frame::{self, ListEnd, Records, Site, Tail};
use super::name;
use super::number::Short;
use super::parse::{Display, QUERY_LINE_BYTES_MAX, Refusal};
use super::punycode::{U_NAME_BYTES_MAX, unicode_name};
use super::render;
use super::suffix;
use super::wildcard::{
    Pattern, PatternError, RECORD_STEPS, WILDCARD_NAMES_MAX, WILDCARD_STEPS_MAX,
};
use crate::policy::Seen;
use crate::view::Data;

/// Longest chain from a variant to its primary.
const VARIANT_HOPS_MAX: usize = 8;

const MANY_NAMESERVERS: &[u8] = b"Query matched more than one name server:\r\n";
const ONE_NAMESERVER: &[u8] = b"Query matched one name server:\r\n";
const MANY_DOMAINS: &[u8] = b"Query matched more than one domain:\r\n";
const ONE_DOMAIN: &[u8] = b"Query matched one domain:\r\n";

/// Why a query has no answer of its kind.
#[derive(Debug, Clone, Copy)]
pub(super) enum Failure {
    Refused(Refusal),
    Damaged(Corrupt),
}

impl From<Corrupt> for Failure {
    fn from(corrupt: Corrupt) -> Self {
        Self::Damaged(corrupt)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

pub(super) type Answered = Result<AnswerResult, Failure>;

/// Answers a domain name.
pub(super) fn domain(site: &Site<'_>, typed: &str, display: Display, out: &mut Answer) -> Answered {
    let name = name::canonical(typed).ok_or(Refusal::Name)?;
    let name = name.as_str();
    if let Some(record) = registered(site.snapshot, name)? {
        let rule = site.rule_of(&record.name);
        return if display == Display::List {
            Ok(domain_list(site, rule, &[record], ListEnd::Complete, out))
        } else {
            domain_record(site, rule, record, out)
        };
    }
    if let Some(nndn) = site.snapshot.find_nndn(name)? {
        return reserved(site, nndn, out);
    }
    if !is_served(site, name) {
        return Err(Refusal::Suffix.into());
    }
    Ok(frame::not_found(site, &site.rule_of(name), out))
}

/// Answers a name that is no domain name: with the record that it mirrors, or with its own.
fn reserved(site: &Site<'_>, nndn: &ArchivedNndn, out: &mut Answer) -> Answered {
    if nndn.state == NndnState::Mirrored as u8
        && let Some(record) = registered(site.snapshot, &nndn.original_name)?
    {
        return domain_record(site, site.rule_of(&record.name), record, out);
    }
    let rule = site.rule_of(&nndn.name);
    let mut records = Records::begin(site, &rule, out);
    records.add(out, |out| render::reserved(site, nndn, out))?;
    records.finish(Tail::Plain, ListEnd::Complete, out);
    Ok(AnswerResult::Reserved)
}

/// The domain of that name, or the one that it is a variant of.
#[inline]
pub(super) fn registered<'a>(
    snapshot: &'a Data,
    name: &str,
) -> Result<Option<&'a ArchivedDomain>, Corrupt> {
    match snapshot.find_domain(name)? {
        Some(record) => primary(snapshot, record).map(Some),
        None => Ok(None),
    }
}

/// The domain that `record` is a variant of, or itself.
fn primary<'a>(
    snapshot: &'a Data,
    record: &'a ArchivedDomain,
) -> Result<&'a ArchivedDomain, Corrupt> {
    let mut record = record;
    for _ in 0..VARIANT_HOPS_MAX {
        let Some(cold) = record.cold.as_ref() else { break };
        if cold.original_name.is_empty() {
            break;
        }
        match snapshot.find_domain(&cold.original_name)? {
            Some(original) => record = original,
            None => break,
        }
    }
    Ok(record)
}

/// Whether a name lies under one of the snapshot's suffixes, or is one. A snapshot that names no
/// suffix serves every name.
fn is_served(site: &Site<'_>, name: &str) -> bool {
    site.view.suffixes().is_empty() || suffix::of_canonical(site.view, name).is_some()
}

/// Shows one domain whole.
#[inline]
pub(super) fn domain_record(
    site: &Site<'_>,
    rule: Seen<'_>,
    record: &ArchivedDomain,
    out: &mut Answer,
) -> Answered {
    domain_records(site, rule, &[record], ListEnd::Complete, out)
}

fn domain_records(
    site: &Site<'_>,
    rule: Seen<'_>,
    matches: &[&ArchivedDomain],
    end: ListEnd,
    out: &mut Answer,
) -> Answered {
    let mut records = Records::begin(site, &rule, out);
    for record in matches {
        let rule = site.rule_of(&record.name);
        let fits = records.add(out, |out| {
            render::domain(site, rule, record, out)?;
            frame::complaint_form(&rule, out);
            Ok(())
        })?;
        if !fits {
            break;
        }
    }
    Ok(records.finish(Tail::Domains, end, out))
}

fn domain_list(
    site: &Site<'_>,
    rule: Seen<'_>,
    matches: &[&ArchivedDomain],
    end: ListEnd,
    out: &mut Answer,
) -> AnswerResult {
    frame::begin(&rule, out);
    out.raw(if matches.len() == 1 { ONE_DOMAIN } else { MANY_DOMAINS });
    let mut end = end;
    for record in matches {
        if !frame::list_line(&record.roid, &record.name, out) {
            end = ListEnd::More;
            break;
        }
    }
    frame::finish_list(site, &rule, end, out)
}

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
            let (name, u_name) = names(record);
            let decoded;
            let name = if !pattern.is_unicode() {
                name
            } else if u_name.is_empty() {
                decoded = unicode_name(name);
                decoded.as_ref().map_or(name, Short::as_str)
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
pub(super) fn domain_pattern(
    site: &Site<'_>,
    typed: &str,
    display: Display,
    out: &mut Answer,
) -> Answered {
    let pattern = pattern_of(typed)?;
    let matches = Matches::<ArchivedDomain>::collect(
        &pattern,
        site.snapshot.domains(pattern.prefix())?,
        |record| {
            let u_name = record.cold.as_ref().map_or("", |cold| cold.u_name.as_str());
            (record.name.as_str(), u_name)
        },
    )?;
    let Some(first) = matches.records().next() else {
        return nothing_matched(site, typed, matches.end, out);
    };
    let rule = site.rule_of(&first.name);
    let mut records = [first; WILDCARD_NAMES_MAX];
    for (place, record) in records.iter_mut().zip(matches.records()) {
        *place = record;
    }
    let records = records.get(..matches.count).unwrap_or_default();
    if matches.as_records(display) {
        return domain_records(site, rule, records, matches.end, out);
    }
    Ok(domain_list(site, rule, records, matches.end, out))
}

fn nothing_matched(site: &Site<'_>, typed: &str, end: ListEnd, out: &mut Answer) -> Answered {
    if end == ListEnd::Budget {
        return Err(Refusal::Budget.into());
    }
    Ok(frame::not_found(site, &site.rule_of(typed), out))
}

/// Answers a nameserver's name.
pub(super) fn nameserver(
    site: &Site<'_>,
    typed: &str,
    display: Display,
    out: &mut Answer,
) -> Answered {
    let name = name::canonical(typed).ok_or(Refusal::Name)?;
    let rule = site.rule_of(name.as_str());
    match site.snapshot.find_nameserver(name.as_str())? {
        None => Ok(frame::not_found(site, &rule, out)),
        Some(record) => {
            let one = || std::iter::once(Ok(record));
            nameservers(site, rule, one, ListEnd::Complete, display, out)
        }
    }
}

/// Answers a pattern of nameserver names.
pub(super) fn nameserver_pattern(
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
    nameservers(site, rule, || matches.records().map(Ok), matches.end, display, out)
}

/// Answers an address.
pub(super) fn address(
    site: &Site<'_>,
    address: IpAddr,
    display: Display,
    out: &mut Answer,
) -> Answered {
    let all = || site.snapshot.nameservers_by_address(address);
    match all().next().transpose()? {
        None => Ok(frame::not_found(site, &site.defaults(), out)),
        Some(first) => {
            let rule = site.rule_of(&first.name);
            nameservers(site, rule, all, ListEnd::Complete, display, out)
        }
    }
}

/// Shows nameservers: one whole, several as a list, unless the query asks for another display.
fn nameservers<'a, I>(
    site: &Site<'a>,
    rule: Seen<'_>,
    matches: impl Fn() -> I,
    end: ListEnd,
    display: Display,
    out: &mut Answer,
) -> Answered
where
    I: Iterator<Item = Result<&'a ArchivedNameserver, Corrupt>>,
{
    let one = matches().nth(1).is_none();
    let only_one = one && end == ListEnd::Complete;
    if display == Display::Full || (only_one && display == Display::Auto) {
        let mut records = Records::begin(site, &rule, out);
        for record in matches() {
            let record = record?;
            let rule = site.rule_of(&record.name);
            if !records.add(out, |out| render::nameserver(site, rule, record, out))? {
                break;
            }
        }
        return Ok(records.finish(Tail::Plain, end, out));
    }
    frame::begin(&rule, out);
    out.raw(if one { ONE_NAMESERVER } else { MANY_NAMESERVERS });
    let mut end = end;
    for record in matches() {
        let record = record?;
        if !frame::list_line(&record.roid, &record.name, out) {
            end = ListEnd::More;
            break;
        }
    }
    Ok(frame::finish_list(site, &rule, end, out))
}

/// Answers a registrar's name or IANA identifier.
pub(super) fn registrar(site: &Site<'_>, typed: &str, out: &mut Answer) -> Answered {
    if let Some(iana_id) = iana_id(typed)
        && let Some(result) = registrars(site, RegistrarKey::IanaId(iana_id), out)?
    {
        return Ok(result);
    }
    if let Some(folded) = fold_registrar_name(typed)
        && let Some(result) = registrars(site, RegistrarKey::FoldedName(folded.as_bytes()), out)?
    {
        return Ok(result);
    }
    // Debian's client sends the last word as an A-label: `Jürg xn--mller-kva`.
    if let Some(decoded) = with_last_word_decoded(typed)
        && let Some(folded) = fold_registrar_name(decoded.as_str())
        && let Some(result) = registrars(site, RegistrarKey::FoldedName(folded.as_bytes()), out)?
    {
        return Ok(result);
    }
    no_such(site, typed, out)
}

fn registrars(
    site: &Site<'_>,
    key: RegistrarKey<'_>,
    out: &mut Answer,
) -> Result<Option<AnswerResult>, Failure> {
    let rule = site.defaults();
    let mut records = Records::begin(site, &rule, out);
    for record in site.snapshot.find_registrars(key) {
        let record = record?;
        let fits = records.add(out, |out| {
            render::registrar(site, rule, record, out);
            Ok(())
        })?;
        if !fits {
            break;
        }
    }
    Ok((records.count() > 0).then(|| records.finish(Tail::Plain, ListEnd::Complete, out)))
}

fn iana_id(typed: &str) -> Option<u32> {
    let digits = !typed.is_empty() && typed.bytes().all(|byte| byte.is_ascii_digit());
    if digits { typed.parse().ok().filter(|&id| id != 0) } else { None }
}

/// A registrar's name of which the last word was sent as A-labels.
fn with_last_word_decoded(
    typed: &str,
) -> Option<Short<{ QUERY_LINE_BYTES_MAX + U_NAME_BYTES_MAX }>> {
    let word_at = typed.rfind(' ').map_or(0, |blank| blank.saturating_add(1));
    let (before, word) = typed.split_at_checked(word_at)?;
    let word = unicode_name(word)?;
    let mut name = Short::new();
    name.push_all(before.as_bytes());
    name.push_all(word.as_bytes());
    Some(name)
}

/// Nothing was found under an identifier or a name that knows no wildcards.
fn no_such(site: &Site<'_>, typed: &str, out: &mut Answer) -> Answered {
    if typed.contains('%') {
        return Err(Refusal::WildcardKind.into());
    }
    Ok(frame::not_found(site, &site.defaults(), out))
}

/// Answers a contact's identifier.
pub(super) fn contact(site: &Site<'_>, typed: &str, out: &mut Answer) -> Answered {
    let rule = site.defaults();
    if !rule.contact().mask.is_shown() {
        return Err(Refusal::Contact.into());
    }
    let mut records = Records::begin(site, &rule, out);
    for record in site.snapshot.find_contacts(typed) {
        let record = record?;
        if !records.add(out, |out| render::contact(site, rule, record, out))? {
            break;
        }
    }
    if records.count() == 0 {
        return no_such(site, typed, out);
    }
    Ok(records.finish(Tail::Statuses, ListEnd::Complete, out))
}

/// Answers a repository object identifier with the record itself, a variant included.
pub(super) fn roid(site: &Site<'_>, typed: &str, out: &mut Answer) -> Answered {
    let defaults = site.defaults();
    let mut records = None;
    let mut tail = Tail::Plain;
    for owner in site.snapshot.find_roid(typed) {
        let owner = owner?;
        let rule = match owner {
            Owner::Domain(domain) => site.rule_of(&domain.name),
            Owner::Nameserver(nameserver) => site.rule_of(&nameserver.name),
            Owner::Contact(_) if !defaults.contact().mask.is_shown() => {
                return Err(Refusal::Contact.into());
            }
            Owner::Contact(_) => defaults,
        };
        let records = records.get_or_insert_with(|| Records::begin(site, rule.rule(), out));
        let fits = records.add(out, |out| match owner {
            Owner::Domain(domain) => {
                render::domain(site, rule, domain, out)?;
                frame::complaint_form(&rule, out);
                Ok(())
            }
            Owner::Nameserver(nameserver) => render::nameserver(site, rule, nameserver, out),
            Owner::Contact(contact) => render::contact(site, rule, contact, out),
        })?;
        match owner {
            Owner::Domain(_) => tail = Tail::Domains,
            Owner::Contact(_) if tail == Tail::Plain => tail = Tail::Statuses,
            Owner::Contact(_) | Owner::Nameserver(_) => {}
        }
        if !fits {
            break;
        }
    }
    match records {
        Some(records) => Ok(records.finish(tail, ListEnd::Complete, out)),
        None => no_such(site, typed, out),
    }
}

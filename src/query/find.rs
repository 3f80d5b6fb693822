//! Which records answer a query.
//!
//! # Invariants
//!
//! - `bounded`: a chain of variants has at most [`VARIANT_HOPS_MAX`] steps; lists end where the
//!   answer is full.
//!
//! # Does not
//!
//! Write lines: `render` and `frame` do. Know patterns (`pattern`) or names of registrars
//! (`registrar`).

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::IpAddr;

use snapshot_format::Corrupt;
use snapshot_format::delta::Owner;
use snapshot_format::object::NndnState;
use snapshot_format::record::{ArchivedDomain, ArchivedNameserver, ArchivedNndn};

use super::answer::Answer;
use super::frame::{self, Above, ListEnd, Records, Site, Tail};
use super::name;
use super::parse::{Display, QUERY_LINE_BYTES_MAX, Query, Refusal, Target};
use super::registrar;
use super::render;
use super::suffix;
use super::typed::narrow;
use super::{AnswerResult, QueryKind};
use crate::idn::{self, Short};
use crate::policy::TierRule;
use crate::view::{Data, View};

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

/// The query that is meant where a pattern is the name of a record, or a registrar's name is none.
/// A record that is damaged settles nothing: answering says so.
#[inline]
pub(super) fn settled<'a>(view: &View, query: Query<'a>) -> Query<'a> {
    match query.target {
        Target::BarePattern(_)
        | Target::DomainPattern(_)
        | Target::NameserverPattern(_)
        | Target::Registrar(_) => {
            let target = settled_target(view, query.target);
            Query { target, ..query }
        }
        _ => query,
    }
}

#[cold]
fn settled_target<'a>(view: &View, target: Target<'a>) -> Target<'a> {
    let is_nameserver = |name: &str| matches!(view.data().find_nameserver(name), Ok(Some(_)));
    let is_domain = |name: &str| {
        matches!(view.data().find_domain(name), Ok(Some(_)))
            || matches!(view.data().find_nndn(name), Ok(Some(_)))
    };
    match target {
        Target::Registrar(text) if !registrar::is_one(view, text) => Target::RegistrarPart(text),
        Target::BarePattern(text)
        | Target::DomainPattern(text)
        | Target::NameserverPattern(text)
            if !text.contains(is_many) =>
        {
            let Some(name) = name::canonical(text) else { return target };
            match target {
                Target::NameserverPattern(_) if is_nameserver(name.as_str()) => {
                    Target::Nameserver(text)
                }
                Target::BarePattern(_) | Target::DomainPattern(_) if is_domain(name.as_str()) => {
                    Target::Domain(text)
                }
                Target::BarePattern(_) if is_nameserver(name.as_str()) => Target::Nameserver(text),
                _ => target,
            }
        }
        _ => target,
    }
}

/// Answers a domain name.
#[inline]
pub(super) fn domain(site: &Site<'_>, typed: &str, display: Display, out: &mut Answer) -> Answered {
    let name = name::canonical(typed).ok_or(Refusal::Name)?;
    match named_domain(site, name.as_str(), display, out)? {
        Some(result) => Ok(result),
        None => no_domain(site, name.as_str(), out),
    }
}

/// Answers a name without a keyword: with the domain of that name, or else the nameserver; `kind`
/// becomes that of the record.
#[inline]
pub(super) fn bare(
    site: &Site<'_>,
    typed: &str,
    display: Display,
    kind: &mut QueryKind,
    out: &mut Answer,
) -> Answered {
    let name = name::canonical(typed).ok_or(Refusal::Name)?;
    let name = name.as_str();
    if let Some(result) = named_domain(site, name, display, out)? {
        return Ok(result);
    }
    if let Some(record) = site.snapshot.find_nameserver(name)? {
        *kind = QueryKind::Nameserver;
        return one_nameserver(site, record, display, out);
    }
    no_domain(site, name, out)
}

/// Answers with the domain, or the name that is kept back, of a canonical name.
#[inline]
fn named_domain(
    site: &Site<'_>,
    name: &str,
    display: Display,
    out: &mut Answer,
) -> Result<Option<AnswerResult>, Failure> {
    if let Some(record) = registered(site.snapshot, name)? {
        let rule = site.rule_of(&record.name);
        return Ok(Some(if display == Display::List {
            domain_list(site, rule, &[record], ListEnd::Complete, out)
        } else {
            domain_record(site, rule, record, out)?
        }));
    }
    match site.snapshot.find_nndn(name)? {
        Some(nndn) => reserved(site, nndn, out).map(Some),
        None => Ok(None),
    }
}

/// Says that there is no domain of a canonical name, and why, where a reason is known.
fn no_domain(site: &Site<'_>, name: &str, out: &mut Answer) -> Answered {
    refuse_without_name(site, name)?;
    if !is_served(site, name) {
        return Err(Refusal::Suffix.into());
    }
    let above = above(site, name)?;
    Ok(frame::not_found_below(site, &site.rule_of(name), above, out))
}

/// Refuses a canonical name that is a suffix itself, or above one, or has no dot.
fn refuse_without_name(site: &Site<'_>, name: &str) -> Result<(), Failure> {
    if suffix::is_one(site.view, name) {
        return Err(Refusal::SuffixItself.into());
    }
    if site.view.suffixes_lie_below(name) {
        return Err(Refusal::SuffixBelow.into());
    }
    if !name.contains('.') {
        return Err(Refusal::OneLabel.into());
    }
    Ok(())
}

/// What is registered, or kept back, above a name that is not: the nearest within its suffix.
pub(super) fn above<'n>(site: &Site<'_>, name: &'n str) -> Result<Option<Above<'n>>, Corrupt> {
    let mut rest = name;
    // At most as many steps as a name has labels, 127.
    while let Some((_, parent)) = rest.split_once('.') {
        if suffix::is_one(site.view, parent) || !parent.contains('.') {
            break;
        }
        if site.snapshot.find_domain(parent)?.is_some() {
            return Ok(Some(Above::Registered(parent)));
        }
        if site.snapshot.find_nndn(parent)?.is_some() {
            return Ok(Some(Above::KeptBack(parent)));
        }
        rest = parent;
    }
    Ok(None)
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
pub(super) fn is_served(site: &Site<'_>, name: &str) -> bool {
    site.view.suffixes().is_empty() || suffix::of_canonical(site.view, name).is_some()
}

/// Shows one domain whole.
#[inline]
pub(super) fn domain_record(
    site: &Site<'_>,
    rule: TierRule<'_>,
    record: &ArchivedDomain,
    out: &mut Answer,
) -> Answered {
    domain_records(site, rule, &[record], ListEnd::Complete, out)
}

pub(super) fn domain_records(
    site: &Site<'_>,
    rule: TierRule<'_>,
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

pub(super) fn domain_list(
    site: &Site<'_>,
    rule: TierRule<'_>,
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

/// Answers a nameserver's name.
pub(super) fn nameserver(
    site: &Site<'_>,
    typed: &str,
    display: Display,
    out: &mut Answer,
) -> Answered {
    let name = name::canonical(typed).ok_or(Refusal::Name)?;
    match site.snapshot.find_nameserver(name.as_str())? {
        None => {
            refuse_without_name(site, name.as_str())?;
            Ok(frame::not_found(site, &site.rule_of(name.as_str()), out))
        }
        Some(record) => one_nameserver(site, record, display, out),
    }
}

fn one_nameserver(
    site: &Site<'_>,
    record: &ArchivedNameserver,
    display: Display,
    out: &mut Answer,
) -> Answered {
    let one = || std::iter::once(Ok(record));
    nameservers(site, site.rule_of(&record.name), one, ListEnd::Complete, display, out)
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
pub(super) fn nameservers<'a, I>(
    site: &Site<'_>,
    rule: TierRule<'_>,
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

/// Whether a character is a wildcard that no identifier has.
pub(super) const fn is_many(c: char) -> bool {
    matches!(narrow(c), '%' | '*')
}

/// Nothing was found under an identifier or a name that knows no wildcards.
pub(super) fn no_such(site: &Site<'_>, typed: &str, out: &mut Answer) -> Answered {
    if typed.contains(is_many) {
        return Err(Refusal::WildcardKind.into());
    }
    Ok(frame::not_found(site, &site.defaults(), out))
}

/// An identifier whose fullwidth characters are narrow: no longer than what was typed.
type Identifier = Short<QUERY_LINE_BYTES_MAX>;

/// An identifier as it was typed, or, if nothing has that one, decoded where it is an A-label, or
/// without fullwidth and invisible characters.
fn as_kept<'t>(
    typed: &'t str,
    narrowed: &'t mut Identifier,
    is_there: impl Fn(&str) -> bool,
) -> &'t str {
    // Debian's client sends a last word beyond ASCII as an A-label.
    let decoded = idn::decoded(typed);
    if (typed.is_ascii() && decoded.is_none()) || is_there(typed) {
        return typed;
    }
    if let Some(decoded) = decoded {
        narrowed.push_all(decoded.as_bytes());
        return narrowed.as_str();
    }
    for c in typed.chars().filter(|&c| !idn::is_ignorable(c)) {
        narrowed.push_char(narrow(c));
    }
    narrowed.as_str()
}

/// Answers a contact's identifier.
pub(super) fn contact(site: &Site<'_>, typed: &str, out: &mut Answer) -> Answered {
    let rule = site.defaults();
    if !rule.contact().mask.is_shown() {
        return Err(Refusal::Contact.into());
    }
    let mut records = Records::begin(site, &rule, out);
    records.of_contacts = true;
    let mut narrowed = Identifier::new();
    let is_there = |id: &str| site.snapshot.find_contacts(id).next().is_some();
    let id = as_kept(typed, &mut narrowed, is_there);
    for record in site.snapshot.find_contacts(id) {
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
    let mut narrowed = Identifier::new();
    let is_there = |roid: &str| site.snapshot.find_roid(roid).next().is_some();
    let id = as_kept(typed, &mut narrowed, is_there);
    for owner in site.snapshot.find_roid(id) {
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
        records.of_contacts = matches!(owner, Owner::Contact(_));
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

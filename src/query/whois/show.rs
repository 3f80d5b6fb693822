//! What was found, as answers on port 43 show it: whole records, lists, or that there is nothing.
//!
//! # Invariants
//!
//! - `one rule a record`: the rule of a record's name is looked up once; the first record's is that
//!   of the answer.
//!
//! # Does not
//!
//! Find records: `find` does. Write their lines: `render` does.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::Corrupt;
use snapshot_format::delta::Owner;
use snapshot_format::record::{
    ArchivedContact, ArchivedDomain, ArchivedNameserver, ArchivedNndn, ArchivedRegistrar,
};

use super::answer::Answer;
use super::frame::{self, Records, Site, Tail};
use super::parse::{Display, Refusal};
use super::{AnswerResult, render};
use crate::field::{DOMAIN_LIST, NAMESERVER_LIST, REGISTRAR_LIST};
use crate::policy::TierRule;
use crate::query::find::{Absent, Failure, Found, ListEnd, Matches, Room, find};
use crate::query::number::Decimal;
use crate::query::question::{Question, Settled};
use crate::query::{QueryKind, Shown};

type Answered = Result<AnswerResult, Refusal>;

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Name => Self::Name,
            Failure::WildcardEarly => Self::WildcardEarly,
            Failure::WildcardKind => Self::WildcardKind,
            Failure::Budget => Self::Budget,
            Failure::Damaged(_corrupt) => Self::Damaged,
        }
    }
}

impl From<Corrupt> for Refusal {
    fn from(_: Corrupt) -> Self {
        Self::Damaged
    }
}

/// Answers a question; `kind` becomes that of the records that are found.
#[inline]
pub(super) fn answer(
    site: &Site<'_>,
    display: Display,
    settled: &Settled<'_>,
    kind: &mut QueryKind,
    out: &mut Answer,
) -> Answered {
    // Whether contacts are shown does not depend on which there are.
    if matches!(settled.question, Question::Contact(_)) && !shows_contacts(site.defaults()) {
        return Err(Refusal::Contact);
    }
    let mut room = Room::default();
    match find(site.view, settled, &mut room)? {
        Found::Domain(record) if display != Display::List => {
            domains(site, std::iter::once(record), ListEnd::Complete, out)
        }
        found => {
            *kind = kind_of(*kind, &found);
            others(site, display, settled, found, out)
        }
    }
}

/// What kind of query one without a keyword was, by what it has found.
const fn kind_of(asked: QueryKind, found: &Found<'_, '_>) -> QueryKind {
    match (asked, found) {
        (QueryKind::Domain, Found::Nameserver(_)) => QueryKind::Nameserver,
        (QueryKind::DomainPattern, Found::Nameservers(_)) => QueryKind::NameserverPattern,
        _ => asked,
    }
}

/// Answers with anything but one domain.
#[inline(never)]
fn others(
    site: &Site<'_>,
    display: Display,
    settled: &Settled<'_>,
    found: Found<'_, '_>,
    out: &mut Answer,
) -> Answered {
    match found {
        Found::Domain(record) => {
            domain_list(site, std::iter::once(record), (true, ListEnd::Complete), out)
        }
        Found::Domains(matches) if is_whole(display, matches.is_only_one()) => {
            domains(site, matches.iter(), matches.end, out)
        }
        Found::Domains(matches) => {
            domain_list(site, matches.iter(), (matches.count() == 1, matches.end), out)
        }
        Found::Reserved(record) => reserved(site, record, out),
        Found::Nameserver(record) => {
            let all = std::iter::once(Ok(record));
            nameservers(site, all, is_whole(display, true), (true, ListEnd::Complete), out)
        }
        Found::Nameservers(matches) => {
            let (whole, one) = (is_whole(display, matches.is_only_one()), matches.count() == 1);
            nameservers(site, matches.iter().map(Ok), whole, (one, matches.end), out)
        }
        Found::NameserversAt(at) => {
            let one = at.iter().nth(1).is_none();
            nameservers(site, at.iter(), is_whole(display, one), (one, ListEnd::Complete), out)
        }
        Found::Registrars(matches) => {
            // Registrars of one name, or one IANA identifier, are not a choice to make.
            let only_one =
                matches!(settled.question, Question::Registrar(_)) || matches.is_only_one();
            registrars(site, matches, is_whole(display, only_one), out)
        }
        Found::Contact(record) => contacts(site, std::iter::once(record), ListEnd::Complete, out),
        Found::Contacts(matches) => contacts(site, matches.iter(), matches.end, out),
        Found::Object(owner) => objects(site, std::iter::once(owner), ListEnd::Complete, out),
        Found::Objects(matches) => objects(site, matches.iter(), matches.end, out),
        Found::Absent(absent) => nothing(site, settled, absent, out),
    }
}

/// Whether records are shown whole, and not as a list.
const fn is_whole(display: Display, is_only_one: bool) -> bool {
    match display {
        Display::Auto => is_only_one,
        Display::Full => true,
        Display::List => false,
    }
}

fn shows_contacts(rule: TierRule<'_>) -> bool {
    rule.contact().mask.is_shown()
}

/// Says that there is no such record, and what is known about it.
fn nothing(
    site: &Site<'_>,
    settled: &Settled<'_>,
    absent: Absent<'_>,
    out: &mut Answer,
) -> Answered {
    let above = match absent {
        Absent::NoRecord => None,
        Absent::Below(above) => Some(above),
        Absent::Elsewhere => return Err(Refusal::Suffix),
        Absent::SuffixItself => return Err(Refusal::SuffixItself),
        Absent::SuffixBelow => return Err(Refusal::SuffixBelow),
        Absent::OneLabel => return Err(Refusal::OneLabel),
    };
    let rule = match settled.question {
        Question::Name(typed)
        | Question::NamePattern(typed)
        | Question::Domain(typed)
        | Question::DomainPattern(typed)
        | Question::Nameserver(typed)
        | Question::NameserverPattern(typed) => site.rule_of(settled.name.unwrap_or(typed)),
        Question::Address(_)
        | Question::Registrar(_)
        | Question::RegistrarPart(_)
        | Question::Contact(_)
        | Question::Roid(_)
        | Question::Entity(_) => site.defaults(),
    };
    Ok(frame::not_found(site, &rule, above, out))
}

/// Shows domains whole.
#[inline]
pub(super) fn domains<'v>(
    site: &Site<'_>,
    matches: impl Iterator<Item = &'v ArchivedDomain>,
    end: ListEnd,
    out: &mut Answer,
) -> Answered {
    let write = |rule: TierRule<'_>, record, out: &mut Answer| {
        render::domain(site, rule, record, out)?;
        frame::complaint_form(&rule, out);
        Ok(Shown::RECORD)
    };
    let rule_of = |record: &ArchivedDomain| site.rule_of(&record.name);
    records(site, matches.map(Ok), rule_of, write, (Tail::Domains, end), out)
}

/// Writes records one after another, each under its own rule, and the first one's around all.
#[inline]
fn records<'s, T: Copy>(
    site: &'s Site<'s>,
    matches: impl Iterator<Item = Result<T, Corrupt>>,
    rule_of: impl Fn(T) -> TierRule<'s>,
    write: impl Fn(TierRule<'s>, T, &mut Answer) -> Result<Shown, Corrupt>,
    (tail, end): (Tail, ListEnd),
    out: &mut Answer,
) -> Answered {
    let mut records = None;
    for record in matches {
        let record = record?;
        let rule = rule_of(record);
        let records = records.get_or_insert_with(|| Records::begin(site, rule.rule(), out));
        if !records.add(out, |out| write(rule, record, out))? {
            break;
        }
    }
    Ok(match records {
        Some(records) => records.finish(tail, end, out),
        None => frame::not_found(site, &site.defaults(), None, out),
    })
}

/// Lists domains; `one`: there is one alone.
fn domain_list<'v>(
    site: &Site<'_>,
    matches: impl Iterator<Item = &'v ArchivedDomain>,
    (one, end): (bool, ListEnd),
    out: &mut Answer,
) -> Answered {
    let mut matches = matches.peekable();
    let rule = matches.peek().map_or_else(|| site.defaults(), |first| site.rule_of(&first.name));
    frame::begin(&rule, out);
    frame::heading(&DOMAIN_LIST, one, out);
    let fits = matches.all(|record| frame::list_line(&record.roid, &record.name, out));
    Ok(frame::finish_list(site, &rule, if fits { end } else { ListEnd::More }, out))
}

fn nameservers<'v>(
    site: &Site<'_>,
    matches: impl Iterator<Item = Result<&'v ArchivedNameserver, Corrupt>>,
    whole: bool,
    (one, end): (bool, ListEnd),
    out: &mut Answer,
) -> Answered {
    let rule_of = |record: &ArchivedNameserver| site.rule_of(&record.name);
    if whole {
        let write = |rule, record, out: &mut Answer| {
            render::nameserver(site, rule, record, out)?;
            Ok(Shown::RECORD)
        };
        return records(site, matches, rule_of, write, (Tail::Plain, end), out);
    }
    let mut matches = matches.peekable();
    let first = matches.peek().and_then(|first| first.as_ref().ok());
    let rule = first.map_or_else(|| site.defaults(), |first| rule_of(first));
    frame::begin(&rule, out);
    frame::heading(&NAMESERVER_LIST, one, out);
    let mut end = end;
    for record in matches {
        let record = record?;
        if !frame::list_line(&record.roid, &record.name, out) {
            end = ListEnd::More;
            break;
        }
    }
    Ok(frame::finish_list(site, &rule, end, out))
}

fn registrars(site: &Site<'_>, found: &Matches<u32>, whole: bool, out: &mut Answer) -> Answered {
    let rule = site.defaults();
    if whole {
        let of_ordinal = |ordinal| site.snapshot.record::<ArchivedRegistrar>(ordinal).transpose();
        let write = |rule, record, out: &mut Answer| {
            render::registrar(site, rule, record, out);
            Ok(Shown::RECORD)
        };
        let all = found.iter().filter_map(of_ordinal);
        return records(site, all, |_| rule, write, (Tail::Plain, found.end), out);
    }
    frame::begin(&rule, out);
    frame::heading(&REGISTRAR_LIST, found.count() == 1, out);
    let mut all = found.iter().filter_map(|ordinal| site.view.registrar(ordinal));
    let fits = all.all(|registrar| registrar_line(registrar.iana_id, &registrar.name, out));
    Ok(frame::finish_list(site, &rule, if fits { found.end } else { ListEnd::More }, out))
}

/// Lists a registrar by its IANA identifier, which a query may name, and its name. Names are free
/// texts: without something before it, one could read as a line of a record.
fn registrar_line(iana_id: u32, name: &str, out: &mut Answer) -> bool {
    let id = Decimal::of(u64::from(iana_id));
    frame::list_line(if iana_id == 0 { "-" } else { id.as_str() }, name, out)
}

/// Shows a name that is kept back.
fn reserved(site: &Site<'_>, record: &ArchivedNndn, out: &mut Answer) -> Answered {
    let write = |_rule, record, out: &mut Answer| {
        render::reserved(site, record, out)?;
        Ok(Shown::RECORD)
    };
    let rule_of = |record: &ArchivedNndn| site.rule_of(&record.name);
    let one = std::iter::once(Ok(record));
    records(site, one, rule_of, write, (Tail::Plain, ListEnd::Complete), out)?;
    Ok(AnswerResult::Reserved)
}

fn contacts<'v>(
    site: &Site<'_>,
    found: impl Iterator<Item = &'v ArchivedContact>,
    end: ListEnd,
    out: &mut Answer,
) -> Answered {
    let rule = site.defaults();
    let write = |rule, record, out: &mut Answer| {
        render::contact(site, rule, record, out)?;
        Ok(Shown::CONTACT)
    };
    records(site, found.map(Ok), |_| rule, write, (Tail::Statuses, end), out)
}

/// Shows the records with a repository object identifier, a variant as itself.
fn objects<'v>(
    site: &Site<'_>,
    found: impl Iterator<Item = Owner<'v>> + Clone,
    end: ListEnd,
    out: &mut Answer,
) -> Answered {
    let defaults = site.defaults();
    let mut tail = Tail::Plain;
    for owner in found.clone() {
        match owner {
            Owner::Contact(_) if !shows_contacts(defaults) => return Err(Refusal::Contact),
            Owner::Domain(_) => tail = Tail::Domains,
            Owner::Contact(_) if tail == Tail::Plain => tail = Tail::Statuses,
            Owner::Contact(_) | Owner::Nameserver(_) => {}
        }
    }
    let rule_of = |owner: Owner<'_>| match owner {
        Owner::Domain(domain) => site.rule_of(&domain.name),
        Owner::Nameserver(nameserver) => site.rule_of(&nameserver.name),
        Owner::Contact(_) => defaults,
    };
    let write = |rule: TierRule<'_>, owner: Owner<'_>, out: &mut Answer| {
        match owner {
            Owner::Domain(record) => {
                render::domain(site, rule, record, out)?;
                frame::complaint_form(&rule, out);
            }
            Owner::Nameserver(record) => render::nameserver(site, rule, record, out)?,
            Owner::Contact(record) => {
                render::contact(site, rule, record, out)?;
                return Ok(Shown::CONTACT);
            }
        }
        Ok(Shown::RECORD)
    };
    records(site, found.map(Ok), rule_of, write, (tail, end), out)
}

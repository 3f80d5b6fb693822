//! What was found, as RDAP shows it: an object, a list of results, or that there is nothing.
//!
//! # Does not
//!
//! Find records: `find` does. Write their members: `render` does.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::IpAddr;

use snapshot_format::Corrupt;
use snapshot_format::record::{
    ArchivedContact, ArchivedDomain, ArchivedNameserver, ArchivedRegistrar,
};

use super::document::{Document, List};
use super::redacted::Hidden;
use super::render;
use super::site::{Notices, Site};
use super::{AnswerResult, Refusal, error};
use crate::query::contact::ContactView;
use crate::query::find::{Absent, Failure, Found, Matches, Room, find};
use crate::query::question::{Question, Settled};
use crate::query::sponsor::RegistrarView;
use crate::query::{QueryKind, Shown};

type Answered = Result<AnswerResult, Refusal>;

/// Most results of a search.
const RESULTS_MAX: usize = 100;

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Name | Failure::WildcardEarly => Self::Name,
            // A handle with a wildcard is a handle that nothing has.
            Failure::WildcardKind | Failure::Budget => Self::NotFound,
            Failure::Damaged(_corrupt) => Self::Damaged,
        }
    }
}

impl From<Corrupt> for Refusal {
    fn from(_: Corrupt) -> Self {
        Self::Damaged
    }
}

/// Answers a question for one object; `kind` becomes that of the record that is found.
pub(super) fn object(
    site: &Site<'_>,
    settled: &Settled<'_>,
    kind: &mut QueryKind,
    out: &mut Document,
) -> Answered {
    let mut room = Room::default();
    match find(site.view, settled, &mut room)? {
        Found::Domain(record) => domain(site, record, out),
        Found::Nameserver(record) => nameserver(site, record, out),
        Found::Registrars(matches) => registrar(site, matches, out),
        Found::Contact(record) => {
            *kind = QueryKind::Contact;
            contact(site, record, out)
        }
        // Of several TLDs: the first one.
        Found::Contacts(matches) => {
            *kind = QueryKind::Contact;
            matches
                .iter()
                .next()
                .map_or(Err(Refusal::NotFound), |record| contact(site, record, out))
        }
        Found::Reserved(record) => Ok(error::reserved(site, &record.name, out)),
        Found::Absent(absent) => nothing(site, settled, absent, out),
        Found::Domains(_)
        | Found::Nameservers(_)
        | Found::NameserversAt(_)
        | Found::Object(_)
        | Found::Objects(_) => Err(Refusal::NotFound),
    }
}

fn domain(site: &Site<'_>, record: &ArchivedDomain, out: &mut Document) -> Answered {
    let rule = site.rule_of(&record.name);
    let mut hidden = Hidden::default();
    site.begin(rule.rule(), out);
    render::domain(site, rule, record, &mut hidden, out)?;
    let registrar = RegistrarView::of(site.view, site.rules, record.registrar.to_native());
    let (rdap_url, name) = (registrar.rdap_url(), record.name.as_str());
    let related = |out: &mut Document| {
        out.inside(rdap_url.as_bytes());
        // IANA's list has both kinds.
        if !rdap_url.ends_with("domain/") {
            out.raw(if rdap_url.ends_with('/') { b"domain/" } else { b"/domain/" });
        }
        out.inside(name.as_bytes());
    };
    let related: Option<&dyn Fn(&mut Document)> =
        if rdap_url.is_empty() { None } else { Some(&related) };
    site.links(rule.rule(), (b"domain/", name), related, out);
    site.finish(rule.rule(), Notices::Domain, &hidden, out);
    out.note_shown(Shown::RECORD);
    Ok(AnswerResult::Found)
}

fn nameserver(site: &Site<'_>, record: &ArchivedNameserver, out: &mut Document) -> Answered {
    let rule = site.rule_of(&record.name);
    site.begin(rule.rule(), out);
    render::nameserver(site, record, out)?;
    site.links(rule.rule(), (b"nameserver/", &record.name), None, out);
    out.note_shown(Shown::RECORD);
    site.finish(rule.rule(), Notices::Terms, &Hidden::default(), out);
    Ok(AnswerResult::Found)
}

/// Several registrars may have one identifier or name: the first one answers.
fn registrar(site: &Site<'_>, matches: &Matches<u32>, out: &mut Document) -> Answered {
    let ordinal = matches.iter().next().ok_or(Refusal::NotFound)?;
    let record = site.data.record::<ArchivedRegistrar>(ordinal)?.ok_or(Refusal::NotFound)?;
    let rule = site.defaults();
    site.begin(rule.rule(), out);
    render::registrar(site, rule, record, out)?;
    out.note_shown(Shown::RECORD);
    let view = RegistrarView::of_record(site.rules, record);
    render::with_handle(&view, view.id, |handle| {
        site.links(rule.rule(), (b"entity/", handle), None, out);
    });
    site.finish(rule.rule(), Notices::Terms, &Hidden::default(), out);
    Ok(AnswerResult::Found)
}

/// A contact that may not be shown is not there: an answer does not tell one from the other.
fn contact(site: &Site<'_>, record: &ArchivedContact, out: &mut Document) -> Answered {
    let rule = site.defaults();
    if !rule.contact().mask.is_shown() {
        return Err(Refusal::NotFound);
    }
    let mut hidden = Hidden::default();
    site.begin(rule.rule(), out);
    render::contact(site, rule, record, &mut hidden, out)?;
    let handle = render::handle_of(&ContactView::of(rule, record));
    let handle = std::str::from_utf8(handle).unwrap_or_default();
    site.links(rule.rule(), (b"entity/", handle), None, out);
    site.finish(rule.rule(), Notices::Terms, &hidden, out);
    out.note_shown(Shown::CONTACT);
    Ok(AnswerResult::Found)
}

/// Answers with the nameservers of an address.
pub(super) fn nameservers_at(site: &Site<'_>, address: IpAddr, out: &mut Document) -> Answered {
    let settled = Settled { question: Question::Address(address), name: None };
    let mut room = Room::default();
    let Found::NameserversAt(at) = find(site.view, &settled, &mut room)? else {
        return Err(Refusal::NotFound);
    };
    let rule = site.defaults();
    site.begin(rule.rule(), out);
    let mut list = List::new(b"{\"nameserverSearchResults\":[");
    let mut more = false;
    for (index, record) in at.iter().enumerate() {
        let record = record?;
        if index == RESULTS_MAX {
            more = true;
            break;
        }
        out.element(&mut list, |out| {
            render::nameserver(site, record, out)?;
            out.raw(b"}");
            out.note_shown(Shown::RECORD);
            Ok(())
        })?;
    }
    out.end(&list);
    let truncated = (more || out.is_truncated()).then_some(RESULTS_TRUNCATED);
    site.end(rule.rule(), Notices::Terms, false, truncated, out);
    Ok(AnswerResult::Listed)
}

/// RFC 9083 section 10.2.1.
const RESULTS_TRUNCATED: &[u8] = concat!(
    r#"{"title":"Search Policy","type":"result set truncated due to unexplainable reasons","#,
    r#""description":["There are more results than this answer shows."]}"#,
)
.as_bytes();

/// Says that there is no such object, and what is known about it.
fn nothing(
    site: &Site<'_>,
    settled: &Settled<'_>,
    absent: Absent<'_>,
    out: &mut Document,
) -> Answered {
    match absent {
        Absent::NoRecord => Err(Refusal::NotFound),
        Absent::Elsewhere => Err(Refusal::Elsewhere),
        Absent::SuffixItself | Absent::SuffixBelow | Absent::OneLabel => Err(Refusal::Suffix),
        Absent::Below(above) => {
            error::below(site, settled.name.unwrap_or_default(), above, out);
            Ok(AnswerResult::Refused(Refusal::NotFound))
        }
    }
}

//! What was found, as RDAP shows it: an object, a list of results, or that there is nothing.
//!
//! # Does not
//!
//! Find records: `find` does. Write their members: `render` does.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::Corrupt;
use snapshot_format::record::{
    ArchivedContact, ArchivedDomain, ArchivedNameserver, ArchivedRegistrar,
};

use super::document::Document;
use super::redacted::Hidden;
use super::render;
use super::site::{Notices, Site};
use super::{AnswerResult, Refusal, error};
use crate::query::contact::ContactView;
use crate::query::find::{Absent, Failure, Found, Matches, Room, find};
use crate::query::question::Settled;
use crate::query::sponsor::RegistrarView;
use crate::query::{QueryKind, Shown};

type Answered = Result<AnswerResult, Refusal>;

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
    let rule = site.rule_of(&record.name).rule();
    site.begin(rule, out);
    let hidden = domain_body(site, record, out)?;
    site.finish(rule, Notices::Domain, &hidden, out);
    out.note_shown(Shown::RECORD);
    Ok(AnswerResult::Found)
}

/// Writes a domain with its links, but for what it hides and its last bracket.
#[inline]
pub(super) fn domain_body(
    site: &Site<'_>,
    record: &ArchivedDomain,
    out: &mut Document,
) -> Result<Hidden, Corrupt> {
    let rule = site.rule_of(&record.name);
    let mut hidden = Hidden::default();
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
    Ok(hidden)
}

fn nameserver(site: &Site<'_>, record: &ArchivedNameserver, out: &mut Document) -> Answered {
    let rule = site.rule_of(&record.name).rule();
    site.begin(rule, out);
    let hidden = nameserver_body(site, record, out)?;
    out.note_shown(Shown::RECORD);
    site.finish(rule, Notices::Terms, &hidden, out);
    Ok(AnswerResult::Found)
}

/// As [`domain_body`], of a nameserver.
pub(super) fn nameserver_body(
    site: &Site<'_>,
    record: &ArchivedNameserver,
    out: &mut Document,
) -> Result<Hidden, Corrupt> {
    render::nameserver(site, record, out)?;
    let rule = site.rule_of(&record.name);
    site.links(rule.rule(), (b"nameserver/", &record.name), None, out);
    Ok(Hidden::default())
}

/// Several registrars may have one identifier or name: the first one answers.
fn registrar(site: &Site<'_>, matches: &Matches<u32>, out: &mut Document) -> Answered {
    let ordinal = matches.iter().next().ok_or(Refusal::NotFound)?;
    let record = site.data.record::<ArchivedRegistrar>(ordinal)?.ok_or(Refusal::NotFound)?;
    let rule = site.defaults().rule();
    site.begin(rule, out);
    let hidden = registrar_body(site, record, out)?;
    out.note_shown(Shown::RECORD);
    site.finish(rule, Notices::Terms, &hidden, out);
    Ok(AnswerResult::Found)
}

/// As [`domain_body`], of a registrar.
pub(super) fn registrar_body(
    site: &Site<'_>,
    record: &ArchivedRegistrar,
    out: &mut Document,
) -> Result<Hidden, Corrupt> {
    render::registrar(site, site.defaults(), record, out)?;
    registrar_links(site, &RegistrarView::of_record(site.rules, record), out);
    Ok(Hidden::default())
}

pub(super) fn registrar_links(site: &Site<'_>, view: &RegistrarView<'_>, out: &mut Document) {
    render::with_handle(view, view.id, |handle| {
        site.links(site.defaults().rule(), (b"entity/", handle), None, out);
    });
}

/// A contact that may not be shown is not there: an answer does not tell one from the other.
fn contact(site: &Site<'_>, record: &ArchivedContact, out: &mut Document) -> Answered {
    let rule = site.defaults();
    if !rule.contact().mask.is_shown() {
        return Err(Refusal::NotFound);
    }
    site.begin(rule.rule(), out);
    let hidden = contact_body(site, record, out)?;
    contact_links(site, record, out);
    site.finish(rule.rule(), Notices::Terms, &hidden, out);
    out.note_shown(Shown::CONTACT);
    Ok(AnswerResult::Found)
}

/// As [`domain_body`], of a contact, without its links: who asks for it has its handle already, who
/// finds it may not see that.
pub(super) fn contact_body(
    site: &Site<'_>,
    record: &ArchivedContact,
    out: &mut Document,
) -> Result<Hidden, Corrupt> {
    let rule = site.defaults();
    let mut hidden = Hidden::default();
    render::contact(site, rule, record, &mut hidden, out)?;
    Ok(hidden)
}

pub(super) fn contact_links(site: &Site<'_>, record: &ArchivedContact, out: &mut Document) {
    let rule = site.defaults();
    let handle = render::handle_of(&ContactView::of(rule, record));
    let handle = std::str::from_utf8(handle).unwrap_or_default();
    site.links(rule.rule(), (b"entity/", handle), None, out);
}

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

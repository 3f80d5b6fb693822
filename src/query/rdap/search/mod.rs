//! Searches (RFC 9082 section 3.2; RFC 8977, RFC 8982, RFC 9536): lists of objects, by pages.
//!
//! ```text
//! parameters ─▶ Wanted ─▶ scan (view, index) ─▶ sorted, if so wanted ─▶ a page ─▶ Document
//! ```
//!
//! # Invariants
//!
//! - `a page goes on where the one before ended`: see [`cursor`].
//! - `no more than fits`: a page ends where the document is full.
//!
//! # Does not
//!
//! Allocate nothing, as look-ups do: searches are made beside the shards.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod cursor;
mod metadata;
mod pattern;
mod scan;
#[cfg(test)]
mod tests;
mod wanted;

pub(super) use wanted::{Class, Wanted};

use snapshot_format::record::{ArchivedContact, ArchivedRegistrar};

use super::document::{Document, List};
use super::refusal::Refusal;
use super::site::{Notices, Site};
use super::{AnswerResult, show};
use crate::query::Shown;
use crate::query::beside::{decoded_name, u_name_of};
use crate::query::contact::ContactView;
use crate::query::rdap::render;
use crate::query::search::KeyText;
use crate::query::sponsor::RegistrarView;
use cursor::{Cursor, Part, Place};
use metadata::Page;
use scan::{End, Hit, Search};
use wanted::{FieldSet, Sort, SortBy};

pub(super) use metadata::REVERSE_SEARCH_PROPERTIES;

/// Most objects of a page.
const RESULTS_MAX: usize = 100;

/// Answers a search.
pub(super) fn answer(
    site: &Site<'_>,
    wanted: &Wanted,
    out: &mut Document,
) -> Result<AnswerResult, Refusal> {
    let search = Search::new(site, &wanted.by);
    let rule = site.defaults();
    let after = wanted.cursor.as_ref().map(|cursor| &cursor.place);
    site.begin(rule.rule(), out);
    let list = List::new(head(wanted.class()));
    let mut writer = Writer { site, wanted, list, count: 0, any_hidden: false, last: None };
    let mut page = Page::default();
    let is_streamed = wanted.sorts.is_empty() && !wanted.count;
    if is_streamed {
        let end = search.scan(after.map(|place| &*place.key), &mut |hit, key| {
            let written =
                writer.write(hit, Place { parts: Vec::new(), key: key.to_owned() }, out)?;
            page.has_more |= !written;
            Ok(written)
        })?;
        if let End::Enough(key) = end {
            page.has_more = true;
            writer.last = Some(Place { parts: Vec::new(), key });
        }
    } else {
        let mut found = Vec::new();
        let end = search.scan(None, &mut |hit, key| {
            let parts = wanted.sorts.iter().map(|sort| part(site, hit, *sort)).collect();
            found.push((Place { parts, key: key.to_owned() }, hit));
            Ok(true)
        })?;
        if matches!(end, End::Enough(_)) {
            return Err(Refusal::Broad);
        }
        page.total_count = wanted.count.then_some(found.len() as u64);
        let order = |a: &Place, b: &Place| in_order(&wanted.sorts, a, b);
        found.retain(|(place, _)| after.is_none_or(|after| order(place, after).is_gt()));
        found.sort_unstable_by(|(a, _), (b, _)| order(a, b));
        for (place, hit) in found {
            if !writer.write(hit, place, out)? {
                page.has_more = true;
                break;
            }
        }
    }
    if writer.count == 0 && !page.has_more {
        return Err(Refusal::NotFound);
    }
    if !out.end(&writer.list) {
        // Enough was looked at before anything was found.
        out.raw(head(wanted.class()));
        out.raw(b"]");
    }
    let (any_hidden, last) = (writer.any_hidden, writer.last);
    page.next = last.filter(|_| page.has_more).map(|place| {
        let pages = wanted.cursor.as_ref().map_or(0, |cursor| cursor.pages).saturating_add(1);
        Cursor { pages, place }.write(wanted.key())
    });
    out.end_body();
    let extensions = metadata::write(site, rule.rule(), wanted, &page, any_hidden, out);
    let truncated: &[&[u8]] = if page.has_more { &[metadata::RESULTS_TRUNCATED] } else { &[] };
    site.end(rule.rule(), Notices::Terms, extensions, truncated, out);
    Ok(AnswerResult::Listed)
}

/// The beginning of an answer.
const fn head(class: Class) -> &'static [u8] {
    match class {
        Class::Domain => b"{\"domainSearchResults\":[",
        Class::Nameserver => b"{\"nameserverSearchResults\":[",
        Class::Entity => b"{\"entitySearchResults\":[",
    }
}

/// Writes the objects of a page.
struct Writer<'a, 'v> {
    site: &'a Site<'v>,
    wanted: &'a Wanted,
    list: List,
    count: usize,
    any_hidden: bool,
    /// The object that was written last.
    last: Option<Place>,
}

impl Writer<'_, '_> {
    /// Writes an object; `false` if there is no room for it.
    fn write(&mut self, hit: Hit<'_>, place: Place, out: &mut Document) -> Result<bool, Refusal> {
        if self.count >= RESULTS_MAX {
            return Ok(false);
        }
        let (site, index) = (self.site, self.count);
        let fields = self.wanted.field_set.unwrap_or(FieldSet::Full);
        let mut hides = false;
        out.element(&mut self.list, |out| {
            hides = match (fields, hit) {
                (FieldSet::Full, hit) => full(site, hit, (self.wanted.class(), index), out)?,
                (fields, hit) => {
                    short(site, hit, fields, out);
                    false
                }
            };
            out.raw(b"}");
            Ok(())
        })?;
        if self.list.count() == index {
            return Ok(false);
        }
        // A list of names is worth no more than its search, as on port 43.
        if fields == FieldSet::Full {
            let is_contact = matches!(hit, Hit::Contact(_));
            out.note_shown(if is_contact { Shown::CONTACT } else { Shown::RECORD });
        }
        self.any_hidden |= hides;
        self.count = self.list.count();
        self.last = Some(place);
        Ok(true)
    }
}

/// Writes all of an object, but for its last bracket; whether it hides something.
fn full(
    site: &Site<'_>,
    hit: Hit<'_>,
    (class, index): (Class, usize),
    out: &mut Document,
) -> Result<bool, snapshot_format::Corrupt> {
    let hidden = match hit {
        Hit::Domain(record) => show::domain_body(site, record, out)?,
        Hit::Nameserver(record) => show::nameserver_body(site, record, out)?,
        Hit::Contact(record) => {
            let hidden = show::contact_body(site, record, out)?;
            contact_links(site, record, out);
            hidden
        }
        Hit::Registrar(ordinal) => match site.data.record::<ArchivedRegistrar>(ordinal)? {
            Some(record) => show::registrar_body(site, record, out)?,
            None => {
                return Err(snapshot_format::Corrupt {
                    kind: snapshot_format::Kind::Registrar,
                    ordinal,
                });
            }
        },
    };
    let list = match class {
        Class::Domain => "domainSearchResults",
        Class::Nameserver => "nameserverSearchResults",
        Class::Entity => "entitySearchResults",
    };
    hidden.write(format!(".{list}[{index}]").as_bytes(), out);
    Ok(hidden.any())
}

/// Writes an object in short (RFC 8982 section 4), but for its last bracket: what tells it from
/// others, and for `brief` its statuses and dates.
fn short(site: &Site<'_>, hit: Hit<'_>, fields: FieldSet, out: &mut Document) {
    let is_brief = fields == FieldSet::Brief;
    match hit {
        Hit::Domain(record) => {
            render::domain_in_short(record, is_brief, out);
            let rule = site.rule_of(&record.name);
            site.links(rule.rule(), (b"domain/", &record.name), None, out);
        }
        Hit::Nameserver(record) => {
            render::nameserver_in_short(record, is_brief, out);
            let rule = site.rule_of(&record.name);
            site.links(rule.rule(), (b"nameserver/", &record.name), None, out);
        }
        Hit::Contact(record) => {
            let rule = site.defaults();
            render::contact_in_short(rule, record, is_brief, out);
            contact_links(site, record, out);
        }
        Hit::Registrar(ordinal) => {
            let view = RegistrarView::of(site.view, site.rules, ordinal);
            render::registrar_in_short(&view, is_brief, out);
            show::registrar_links(site, &view, out);
        }
    }
}

/// Links a contact to itself, unless its handle is hidden.
fn contact_links(site: &Site<'_>, record: &ArchivedContact, out: &mut Document) {
    let rule = site.defaults();
    if render::shows_handle(rule, record) {
        show::contact_links(site, record, out);
    }
}

/// The order of a search: its criteria, then the keys.
fn in_order(sorts: &[Sort], a: &Place, b: &Place) -> std::cmp::Ordering {
    let parts = sorts.iter().zip(a.parts.iter().zip(&b.parts));
    let mut orders = parts.map(|(sort, (a, b))| {
        let order = a.cmp(b);
        if sort.descends { order.reverse() } else { order }
    });
    orders.find(|order| order.is_ne()).unwrap_or_else(|| a.key.cmp(&b.key))
}

/// What a criterion says of an object: as far as the asker sees it.
fn part(site: &Site<'_>, hit: Hit<'_>, sort: Sort) -> Part {
    let time = |ms: i64| Part::Number(i128::from(ms));
    let none = i64::MIN;
    match (sort.by, hit) {
        (SortBy::Name, Hit::Domain(record)) => name_part(&record.name),
        (SortBy::Name, Hit::Nameserver(record)) => name_part(&record.name),
        (SortBy::Registration, Hit::Domain(record)) => time(record.created_ms.to_native()),
        (SortBy::Registration, Hit::Nameserver(record)) => time(record.created_ms.to_native()),
        (SortBy::Registration, Hit::Contact(record)) => time(record.created_ms.to_native()),
        (SortBy::LastChanged, Hit::Domain(record)) => time(record.updated_ms.to_native()),
        (SortBy::LastChanged, Hit::Nameserver(record)) => time(record.updated_ms.to_native()),
        (SortBy::LastChanged, Hit::Contact(record)) => time(record.updated_ms.to_native()),
        (SortBy::Registration | SortBy::LastChanged, Hit::Registrar(ordinal)) => {
            let record = site.data.record::<ArchivedRegistrar>(ordinal).ok().flatten();
            let of = |record: &ArchivedRegistrar| match sort.by {
                SortBy::Registration => record.created_ms.to_native(),
                _ => record.updated_ms.to_native(),
            };
            time(record.map_or(none, of))
        }
        (SortBy::Expiration, Hit::Domain(record)) => time(record.expires_ms.to_native()),
        (SortBy::Transfer, Hit::Domain(record)) => {
            time(record.cold.as_ref().map_or(none, |cold| cold.transferred_ms.to_native()))
        }
        (SortBy::V4, Hit::Nameserver(record)) => {
            let first = record.v4.first().map(|octets| i128::from(u32::from_be_bytes(*octets)));
            Part::Number(first.unwrap_or(-1))
        }
        (SortBy::V6, Hit::Nameserver(record)) => {
            // The highest addresses come out below zero: moved down by half, all keep their order.
            let first = record.v6.first().map(|octets| u128::from_be_bytes(*octets) >> 1);
            Part::Number(first.map_or(-1, u128::cast_signed))
        }
        (SortBy::Handle, Hit::Contact(record)) => text_part(site, record, KeyText::Handle),
        (SortBy::Fn, Hit::Contact(record)) => text_part(site, record, KeyText::Name),
        (SortBy::Handle, Hit::Registrar(ordinal)) => {
            let view = RegistrarView::of(site.view, site.rules, ordinal);
            render::with_handle(&view, view.id, |handle| Part::Text(handle.to_owned()))
        }
        (SortBy::Fn, Hit::Registrar(ordinal)) => {
            Part::Text(RegistrarView::of(site.view, site.rules, ordinal).name.to_owned())
        }
        // `SortBy::of` gives each class its own.
        _ => Part::Number(-1),
    }
}

/// Names are sorted by their Unicode forms, where they have one (RFC 8977 section 2.3.1).
fn name_part(name: &str) -> Part {
    let decoded = decoded_name(name, "");
    let unicode = u_name_of("", decoded.as_ref());
    Part::Text(if unicode.is_empty() { name } else { unicode }.to_owned())
}

fn text_part(site: &Site<'_>, record: &ArchivedContact, key: KeyText) -> Part {
    let rule = site.defaults();
    let mut text = String::new();
    key.matches(&rule.contact(), &ContactView::of(rule, record), |shown| {
        shown.clone_into(&mut text);
        true
    });
    Part::Text(text)
}

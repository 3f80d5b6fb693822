//! What an answer to a search says of itself: its page, its order, its fields, what was searched.
//!
//! # Does not
//!
//! Know what was found.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::RESULTS_MAX;
use super::wanted::{By, Class, FieldSet, Predicate, SortBy, Wanted};
use crate::policy::Rule;
use crate::query::rdap::document::Document;
use crate::query::rdap::site::{Extensions, Site};

/// RFC 9083 section 10.2.1.
pub(super) const RESULTS_TRUNCATED: &[u8] = concat!(
    r#"{"title":"Search Policy","type":"result set truncated due to unexplainable reasons","#,
    r#""description":["There are more results than this answer shows."]}"#,
)
.as_bytes();

/// What `help` says of reverse searches (RFC 9536 section 4).
pub(in crate::query::rdap) const REVERSE_SEARCH_PROPERTIES: &[u8] = concat!(
    r#","reverse_search_properties":["#,
    r#"{"searchableResourceType":"domains","relatedResourceType":"entity","property":"fn"},"#,
    r#"{"searchableResourceType":"domains","relatedResourceType":"entity","property":"handle"},"#,
    r#"{"searchableResourceType":"domains","relatedResourceType":"entity","property":"email"},"#,
    r#"{"searchableResourceType":"domains","relatedResourceType":"entity","property":"role"}]"#,
)
.as_bytes();

/// A page of a list.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Objects in all, if they were counted.
    pub(super) total_count: Option<u64>,
    pub(super) has_more: bool,
    /// The cursor of the next page.
    pub(super) next: Option<String>,
}

/// Writes the members; returns which extensions the answer uses.
pub(super) fn write(
    site: &Site<'_>,
    rule: &Rule,
    wanted: &Wanted,
    page: &Page,
    any_hidden: bool,
    out: &mut Document,
) -> Extensions {
    let paging = paging(site, rule, wanted, page, out);
    // The search that every registry has to offer stays as small as it was before RFC 8977.
    let is_told = !(wanted.is_quick() && wanted.is_plain());
    if is_told {
        sorting(wanted, out);
        subsetting(wanted, out);
    }
    let reverse_search = if let By::DomainEntity(predicates) = &wanted.by {
        mapping(predicates, out);
        true
    } else {
        false
    };
    let (sorting, subsetting) = (is_told, is_told);
    Extensions { redacted: any_hidden, paging, sorting, subsetting, reverse_search }
}

/// RFC 8977 section 2.1; whether there is anything to say.
fn paging(site: &Site<'_>, rule: &Rule, wanted: &Wanted, page: &Page, out: &mut Document) -> bool {
    let is_page = page.has_more || wanted.cursor.is_some();
    if !is_page && page.total_count.is_none() {
        return false;
    }
    out.raw(b",\"paging_metadata\":{");
    let mut head: &[u8] = b"";
    if let Some(count) = page.total_count {
        out.raw(b"\"totalCount\":");
        out.number(count);
        head = b",";
    }
    if is_page {
        out.raw(head);
        out.raw(b"\"pageSize\":");
        out.number(RESULTS_MAX as u64);
        out.raw(b",\"pageNumber\":");
        let pages = wanted.cursor.as_ref().map_or(0, |cursor| cursor.pages);
        out.number(u64::from(pages).saturating_add(1));
    }
    if let Some(next) = &page.next {
        out.raw(br#","links":[{"rel":"next","type":"application/rdap+json","href":""#);
        site.url_with(rule, ("cursor", next), out);
        out.raw(b"\",\"value\":\"");
        site.url(rule, out);
        out.raw(b"\"}]");
    }
    out.raw(b"}");
    true
}

/// RFC 8977 section 2.1.
fn sorting(wanted: &Wanted, out: &mut Document) {
    out.raw(b",\"sorting_metadata\":{");
    if !wanted.sort_text.is_empty() {
        out.raw(b"\"currentSort\":");
        out.text(&wanted.sort_text);
        out.raw(b",");
    }
    let list = match wanted.class() {
        Class::Domain => "$.domainSearchResults[*]",
        Class::Nameserver => "$.nameserverSearchResults[*]",
        Class::Entity => "$.entitySearchResults[*]",
    };
    let mut head: &[u8] = b"\"availableSorts\":[";
    for by in SortBy::of(wanted.class()) {
        out.raw(head);
        out.raw(b"{\"property\":");
        out.text(by.word());
        out.raw(b",\"default\":false,\"jsonPath\":\"");
        out.inside(list.as_bytes());
        out.inside(by.path().as_bytes());
        out.raw(b"\"}");
        head = b",";
    }
    out.raw(b"]}");
}

/// RFC 8982 section 2.1.
fn subsetting(wanted: &Wanted, out: &mut Document) {
    out.raw(b",\"subsetting_metadata\":{\"currentFieldSet\":");
    out.text(wanted.field_set.unwrap_or(FieldSet::Full).word());
    let mut head: &[u8] = b",\"availableFieldSets\":[";
    for set in FieldSet::ALL {
        out.raw(head);
        out.raw(b"{\"name\":");
        out.text(set.word());
        out.raw(b",\"default\":");
        out.raw(if set == FieldSet::Full { b"true" } else { b"false" });
        out.raw(b",\"description\":");
        out.text(match set {
            FieldSet::Id => "Names and handles",
            FieldSet::Brief => "Names, handles, statuses and dates",
            FieldSet::Full => "All that the asker may see",
        });
        out.raw(b"}");
        head = b",";
    }
    out.raw(b"]}");
}

/// RFC 9536 section 5: each property once.
fn mapping(predicates: &[Predicate], out: &mut Document) {
    let mut head: &[u8] = b",\"reverse_search_properties_mapping\":[";
    for (place, predicate) in predicates.iter().enumerate() {
        let property = predicate.property();
        let mut before = predicates.iter().take(place);
        if before.any(|other| other.property() == property) {
            continue;
        }
        out.raw(head);
        out.raw(b"{\"property\":");
        out.text(property);
        out.raw(b",\"propertyPath\":");
        out.text(match property {
            "fn" => "$.entities[*].vcardArray[1][?(@[0]=='fn')][3]",
            "email" => "$.entities[*].vcardArray[1][?(@[0]=='email')][3]",
            "handle" => "$.entities[*].handle",
            _ => "$.entities[*].roles",
        });
        out.raw(b"}");
        head = b",";
    }
    out.raw(b"]");
}

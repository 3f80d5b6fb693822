//! A nameserver: among those of a domain, and as an answer of its own.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::Corrupt;
use snapshot_format::record::ArchivedNameserver;

use super::{entities, member, registrar, statuses};
use crate::query::beside::{decoded_name, u_name_of};
use crate::query::number::{v4_text, v6_text};
use crate::query::rdap::document::{Document, List};
use crate::query::rdap::prepared::parts;
use crate::query::rdap::site::{self, Site};
use crate::query::sponsor::RegistrarView;

/// The handle of a registrar without an IANA identifier (ICANN's response profile 2.2, section
/// 4.3).
const NOT_APPLICABLE: &str = "not applicable";

/// Writes a nameserver as one of a domain. The addresses of one that is stated by domains alone are
/// always there (response profile 2.2, section 2.8.3).
pub(super) fn of_domain(record: &ArchivedNameserver, addresses: bool, out: &mut Document) {
    names(record, out);
    if addresses || record.is_attribute() {
        ip_addresses(record, out);
    }
    out.raw(b"}");
}

/// Writes a nameserver as an answer, or an element of one, all but what stands around it.
pub(in crate::query::rdap) fn nameserver(
    site: &Site<'_>,
    record: &ArchivedNameserver,
    out: &mut Document,
) -> Result<(), Corrupt> {
    names(record, out);
    member(b",\"handle\":", &record.roid, out);
    statuses(&parts().of_nameserver, record.statuses.to_native(), out);
    ip_addresses(record, out);
    let mut events = site::events();
    site::event(&mut events, b"\"registration\"", record.created_ms.to_native(), out);
    site::event(&mut events, b"\"last changed\"", record.updated_ms.to_native(), out);
    if let Some(cold) = record.cold.as_ref() {
        site::event(&mut events, b"\"transfer\"", cold.transferred_ms.to_native(), out);
    }
    site.last_update(&mut events, out);
    out.end(&events);
    let sponsor = RegistrarView::of(site.view, site.rules, record.registrar.to_native());
    let mut list = entities();
    if !sponsor.name.is_empty() {
        out.element(&mut list, |out| {
            registrar::entity(&sponsor, NOT_APPLICABLE, out);
            Ok(())
        })?;
    }
    out.end(&list);
    Ok(())
}

/// As for a domain, of a nameserver.
pub(in crate::query::rdap) fn nameserver_in_short(
    record: &ArchivedNameserver,
    is_brief: bool,
    out: &mut Document,
) {
    names(record, out);
    if is_brief {
        member(b",\"handle\":", &record.roid, out);
        statuses(&parts().of_nameserver, record.statuses.to_native(), out);
        ip_addresses(record, out);
    }
}

fn names(record: &ArchivedNameserver, out: &mut Document) {
    out.raw(b"{\"objectClassName\":\"nameserver\",\"ldhName\":");
    out.text(&record.name);
    let decoded = decoded_name(&record.name, "");
    member(b",\"unicodeName\":", u_name_of("", decoded.as_ref()), out);
}

/// Writes the addresses: IPv4, then IPv6, in the deposit's order; no member for none.
fn ip_addresses(record: &ArchivedNameserver, out: &mut Document) {
    if record.v4.is_empty() && record.v6.is_empty() {
        return;
    }
    out.raw(b",\"ipAddresses\":{");
    let mut v4 = List::new(b"\"v4\":[");
    for address in record.v4.iter() {
        one(&mut v4, v4_text(*address).as_str(), out);
    }
    let mut v6 = List::new(if out.end(&v4) { b",\"v6\":[" } else { b"\"v6\":[" });
    for address in record.v6.iter() {
        one(&mut v6, v6_text(*address).as_str(), out);
    }
    out.end(&v6);
    out.raw(b"}");
}

fn one(list: &mut List, address: &str, out: &mut Document) {
    let written = out.element(list, |out| {
        out.text(address);
        Ok(())
    });
    debug_assert!(written.is_ok(), "an address has no record to be damaged");
}

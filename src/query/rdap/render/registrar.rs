//! A registrar: as an entity of another record, and as an answer of its own.
//!
//! # Invariants
//!
//! - `handle is the identifier`: a registrar with an IANA identifier has that as its handle and its
//!   public identifier (ICANN's response profile 2.2, section 2.4.2).
//!
//! # Does not
//!
//! Know contacts of a registrar that the configuration does not name, and its files: deposits have
//! none.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::Corrupt;
use snapshot_format::object::PostalKind;
use snapshot_format::record::{ArchivedAddress, ArchivedRegistrar};
use snapshot_format::status::RegistrarStatus;

use super::{Address, EMAIL, FAX, VOICE, begin_card, entities, member, property, telephone};
use crate::policy::TierRule;
use crate::query::number::Decimal;
use crate::query::rdap::document::{Document, List};
use crate::query::rdap::site::{self, Site};
use crate::query::sponsor::RegistrarView;

/// Writes a registrar as an entity of another record; `otherwise` is the handle of one without an
/// IANA identifier.
pub(super) fn entity(registrar: &RegistrarView<'_>, otherwise: &str, out: &mut Document) {
    begin(registrar, otherwise, out);
    begin_card(registrar.name.as_bytes(), out);
    out.raw(b"]]");
    about(registrar, out);
    let mut list = entities();
    abuse(registrar, &mut list, out);
    out.end(&list);
    out.raw(b"}");
}

/// Writes a registrar as an answer of its own, all but what stands around it.
pub(in crate::query::rdap) fn registrar(
    site: &Site<'_>,
    rule: TierRule<'_>,
    record: &ArchivedRegistrar,
    out: &mut Document,
) -> Result<(), Corrupt> {
    let view = RegistrarView::of_record(site.rules, record);
    begin(&view, view.id, out);
    if record.status == RegistrarStatus::Ok as u8 {
        out.raw(b",\"status\":[\"active\"]");
    }
    begin_card(record.name.as_bytes(), out);
    let localised = |kind: u8| kind == PostalKind::Loc as u8;
    let preferred = record.postal.iter().find(|p| localised(p.kind) == rule.prefer_localised);
    if let Some(postal) = preferred.or_else(|| record.postal.first()) {
        address(postal).write(out);
    }
    telephone(VOICE, record.voice.as_bytes(), record.voice_ext.as_bytes(), out);
    telephone(FAX, record.fax.as_bytes(), record.fax_ext.as_bytes(), out);
    property(EMAIL, record.email.as_bytes(), out);
    property(br#",["url",{},"uri","#, view.url.as_bytes(), out);
    out.raw(b"]]");
    member(b",\"port43\":", view.whois_server, out);
    let mut events = site::events();
    site::event(&mut events, b"\"registration\"", record.created_ms.to_native(), out);
    site::event(&mut events, b"\"last changed\"", record.updated_ms.to_native(), out);
    site.last_update(&mut events, out);
    out.end(&events);
    let mut list = entities();
    abuse(&view, &mut list, out);
    // Response profile 2.2, section 3.2.
    for (role, person) in [("administrative", view.admin()), ("technical", view.tech())] {
        if let Some(person) = person {
            contact((role, &person.name), (&person.phone, &person.email), &mut list, out);
        }
    }
    out.end(&list);
    Ok(())
}

/// As for a domain, of a registrar: `brief` has its name.
pub(in crate::query::rdap) fn registrar_in_short(
    registrar: &RegistrarView<'_>,
    is_brief: bool,
    out: &mut Document,
) {
    if is_brief {
        begin(registrar, registrar.id, out);
        begin_card(registrar.name.as_bytes(), out);
        out.raw(b"]]");
        return;
    }
    out.raw(b"{\"objectClassName\":\"entity\",\"handle\":");
    with_handle(registrar, registrar.id, |handle| out.text(handle));
}

/// The handle of a registrar: its IANA identifier, or else that within the registry.
pub(in crate::query::rdap) fn with_handle<T>(
    view: &RegistrarView<'_>,
    otherwise: &str,
    then: impl FnOnce(&str) -> T,
) -> T {
    match view.iana_id {
        0 => then(otherwise),
        id => then(Decimal::of(u64::from(id)).as_str()),
    }
}

fn begin(registrar: &RegistrarView<'_>, otherwise: &str, out: &mut Document) {
    out.raw(b"{\"objectClassName\":\"entity\",\"handle\":");
    with_handle(registrar, otherwise, |handle| out.text(handle));
    out.raw(b",\"roles\":[\"registrar\"]");
    if registrar.iana_id != 0 {
        out.raw(br#","publicIds":[{"type":"IANA Registrar ID","identifier":""#);
        out.number(u64::from(registrar.iana_id));
        out.raw(b"\"}]");
    }
}

fn address(postal: &ArchivedAddress) -> Address<'_> {
    let [first, second, third] = &postal.street;
    Address {
        street: [first.as_bytes(), second.as_bytes(), third.as_bytes()],
        city: postal.city.as_bytes(),
        state: postal.sp.as_bytes(),
        postal_code: postal.pc.as_bytes(),
        country: postal.cc.as_bytes(),
    }
}

/// The link to the registrar's web site, whose value is the base URL of its RDAP service (response
/// profile 2.2, section 2.4.6).
fn about(registrar: &RegistrarView<'_>, out: &mut Document) {
    if registrar.rdap_url().is_empty() || registrar.url.is_empty() {
        return;
    }
    out.raw(br#","links":[{"rel":"about","type":"text/html","href":"#);
    out.text(registrar.url);
    out.raw(b",\"value\":");
    out.text(registrar.rdap_url());
    out.raw(b"}]");
}

fn abuse(registrar: &RegistrarView<'_>, list: &mut List, out: &mut Document) {
    let (email, phone) = (registrar.abuse_email(), registrar.abuse_phone());
    if !email.is_empty() || !phone.is_empty() {
        contact(("abuse", "Abuse Contact"), (phone, email), list, out);
    }
}

/// Writes a contact of a registrar as one of its entities.
fn contact(
    (role, name): (&str, &str),
    (phone, email): (&str, &str),
    list: &mut List,
    out: &mut Document,
) {
    let written = out.element(list, |out| {
        out.raw(b"{\"objectClassName\":\"entity\",\"roles\":[");
        out.text(role);
        out.raw(b"]");
        begin_card(name.as_bytes(), out);
        telephone(VOICE, phone.as_bytes(), b"", out);
        property(EMAIL, email.as_bytes(), out);
        out.raw(b"]]}");
        Ok(())
    });
    debug_assert!(written.is_ok(), "the configuration is not damaged");
}

//! A registrar's record.
//!
//! # Does not
//!
//! Know contacts of a registrar that the configuration does not name, and its files: deposits have
//! none.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::object::PostalKind;
use snapshot_format::record::ArchivedRegistrar;

use super::{iana_id_line, optional};
use crate::policy::TierRule;
use crate::query::sponsor::RegistrarView;
use crate::query::whois::answer::Answer;
use crate::query::whois::frame::Site;

/// Writes the record. The IANA identifier and the abuse contact come after the standard fields.
pub(in crate::query::whois) fn registrar(
    site: &Site<'_>,
    rule: TierRule<'_>,
    record: &ArchivedRegistrar,
    out: &mut Answer,
) {
    let view = RegistrarView::of_record(site.rules, record);
    out.line(&label!("Registrar: "), view.name);
    let localised = |kind: u8| kind == PostalKind::Loc as u8;
    let preferred = record.postal.iter().find(|p| localised(p.kind) == rule.prefer_localised);
    if let Some(postal) = preferred.or_else(|| record.postal.first()) {
        let mut streets = 0_usize;
        for street in postal.street.iter().filter(|street| !street.is_empty()) {
            out.line(&label!("Street: "), street);
            streets = streets.saturating_add(1);
        }
        if streets == 0 {
            out.line(&label!("Street: "), "");
        }
        out.line(&label!("City: "), &postal.city);
        optional(rule, &label!("State/Province: "), &postal.sp, out);
        optional(rule, &label!("Postal Code: "), &postal.pc, out);
        out.line(&label!("Country: "), &postal.cc);
    } else {
        for label in [label!("Street: "), label!("City: ")] {
            out.line(&label, "");
        }
        optional(rule, &label!("State/Province: "), "", out);
        optional(rule, &label!("Postal Code: "), "", out);
        out.line(&label!("Country: "), "");
    }
    out.line(&label!("Phone Number: "), &record.voice);
    optional(rule, &label!("Phone Ext: "), &record.voice_ext, out);
    optional(rule, &label!("Fax Number: "), &record.fax, out);
    optional(rule, &label!("Fax Ext: "), &record.fax_ext, out);
    out.line(&label!("Email: "), &record.email);
    optional(rule, &label!("Registrar WHOIS Server: "), view.whois_server, out);
    out.line(&label!("Registrar URL: "), view.url);
    let admin = (label!("Admin Contact: "), view.admin());
    for (label, person) in [admin, (label!("Technical Contact: "), view.tech())] {
        if let Some(person) = person {
            out.line(&label, &person.name);
            out.line(&label!("Phone Number: "), &person.phone);
            out.line(&label!("Email: "), &person.email);
        }
    }
    if view.iana_id != 0 {
        iana_id_line(&view, out);
    }
    if !view.abuse_email().is_empty() {
        out.line(&label!("Registrar Abuse Contact Email: "), view.abuse_email());
    }
    if !view.abuse_phone().is_empty() {
        out.line(&label!("Registrar Abuse Contact Phone: "), view.abuse_phone());
    }
}

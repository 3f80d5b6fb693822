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
    out.line("Registrar: ", view.name);
    let localised = |kind: u8| kind == PostalKind::Loc as u8;
    let preferred = record.postal.iter().find(|p| localised(p.kind) == rule.prefer_localised);
    if let Some(postal) = preferred.or_else(|| record.postal.first()) {
        let mut streets = 0_usize;
        for street in postal.street.iter().filter(|street| !street.is_empty()) {
            out.line("Street: ", street);
            streets = streets.saturating_add(1);
        }
        if streets == 0 {
            out.line("Street: ", "");
        }
        out.line("City: ", &postal.city);
        optional(rule, "State/Province: ", &postal.sp, out);
        optional(rule, "Postal Code: ", &postal.pc, out);
        out.line("Country: ", &postal.cc);
    } else {
        for label in ["Street: ", "City: "] {
            out.line(label, "");
        }
        optional(rule, "State/Province: ", "", out);
        optional(rule, "Postal Code: ", "", out);
        out.line("Country: ", "");
    }
    out.line("Phone Number: ", &record.voice);
    optional(rule, "Phone Ext: ", &record.voice_ext, out);
    optional(rule, "Fax Number: ", &record.fax, out);
    optional(rule, "Fax Ext: ", &record.fax_ext, out);
    out.line("Email: ", &record.email);
    optional(rule, "Registrar WHOIS Server: ", view.whois_server, out);
    out.line("Registrar URL: ", view.url);
    for (label, person) in [("Admin Contact: ", view.admin()), ("Technical Contact: ", view.tech())]
    {
        if let Some(person) = person {
            out.line(label, &person.name);
            out.line("Phone Number: ", &person.phone);
            out.line("Email: ", &person.email);
        }
    }
    if view.iana_id != 0 {
        iana_id_line(&view, out);
    }
    if !view.abuse_email().is_empty() {
        out.line("Registrar Abuse Contact Email: ", view.abuse_email());
    }
    if !view.abuse_phone().is_empty() {
        out.line("Registrar Abuse Contact Phone: ", view.abuse_phone());
    }
}

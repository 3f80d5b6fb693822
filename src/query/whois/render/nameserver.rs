//! A nameserver's record.
//!
//! # Does not
//!
//! Show the nameserver's statuses: the standard answer has none.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::Corrupt;
use snapshot_format::record::ArchivedNameserver;

use super::{optional, registrar_of};
use crate::policy::TierRule;
use crate::query::number::{v4_text, v6_text};
use crate::query::whois::answer::Answer;
use crate::query::whois::frame::Site;

/// Writes the record.
pub(in crate::query::whois) fn nameserver(
    site: &Site<'_>,
    rule: TierRule<'_>,
    record: &ArchivedNameserver,
    out: &mut Answer,
) -> Result<(), Corrupt> {
    out.line(&label!("Server Name: "), &record.name);
    addresses(record, out);
    let registrar = registrar_of(site, record.registrar.to_native());
    optional(rule, &label!("Registrar: "), registrar.name, out);
    optional(rule, &label!("Registrar WHOIS Server: "), registrar.whois_server, out);
    optional(rule, &label!("Registrar URL: "), registrar.url, out);
    Ok(())
}

/// Writes the addresses: IPv4, then IPv6, in the deposit's order.
pub(super) fn addresses(record: &ArchivedNameserver, out: &mut Answer) {
    for address in record.v4.iter() {
        out.line(&label!("IP Address: "), v4_text(*address).as_str());
    }
    for address in record.v6.iter() {
        out.line(&label!("IP Address: "), v6_text(*address).as_str());
    }
}

//! A domain.
//!
//! # Does not
//!
//! Decide which record answers a name: `find` does.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::Corrupt;
use snapshot_format::record::{ArchivedDomain, ArchivedDomainCold, NONE};
use snapshot_format::status::DomainStatuses;

use super::{contact, entities, member, nameserver, registrar, statuses};
use crate::hex::UPPER;
use crate::policy::TierRule;
use crate::query::beside::{self, decoded_name, u_name_of};
use crate::query::contact::ContactView;
use crate::query::number::base64;
use crate::query::rdap::document::{Document, List};
use crate::query::rdap::prepared::parts;
use crate::query::rdap::redacted::Hidden;
use crate::query::rdap::site::{self, Site};
use crate::query::sponsor::RegistrarView;

/// Writes a domain, all but what stands around it.
pub(in crate::query::rdap) fn domain(
    site: &Site<'_>,
    rule: TierRule<'_>,
    record: &ArchivedDomain,
    hidden: &mut Hidden,
    out: &mut Document,
) -> Result<(), Corrupt> {
    site.data.prefetch_places(record);
    let cold = record.cold.as_deref();
    let stored = cold.map_or("", |cold| cold.u_name.as_str());
    let decoded = decoded_name(&record.name, stored);
    out.raw(b"{\"objectClassName\":\"domain\"");
    member(b",\"handle\":", &record.roid, out);
    out.raw(b",\"ldhName\":");
    out.text(&record.name);
    member(b",\"unicodeName\":", u_name_of(stored, decoded.as_ref()), out);
    statuses(&parts().of_domain, shown_statuses(record), out);
    site.data.prefetch_records(record);
    events(site, record, cold, out);
    secure_dns(record, cold, out);
    nameservers(site, rule, record, out)?;
    let registrar = RegistrarView::of(site.view, site.rules, record.registrar.to_native());
    let mut list = entities();
    if !registrar.name.is_empty() {
        out.element(&mut list, |out| {
            registrar::entity(&registrar, registrar.id, out);
            Ok(())
        })?;
    }
    contacts(site, rule, record, (&mut list, hidden), out)?;
    out.end(&list);
    variants(site, record, out)
}

/// Writes what tells a domain from others (RFC 8982 section 4); in `brief`, its statuses and dates
/// as well.
pub(in crate::query::rdap) fn domain_in_short(
    record: &ArchivedDomain,
    is_brief: bool,
    out: &mut Document,
) {
    let stored = record.cold.as_deref().map_or("", |cold| cold.u_name.as_str());
    let decoded = decoded_name(&record.name, stored);
    out.raw(b"{\"objectClassName\":\"domain\",\"ldhName\":");
    out.text(&record.name);
    member(b",\"unicodeName\":", u_name_of(stored, decoded.as_ref()), out);
    if is_brief {
        member(b",\"handle\":", &record.roid, out);
        statuses(&parts().of_domain, shown_statuses(record), out);
        let mut events = site::events();
        site::event(&mut events, b"\"registration\"", record.created_ms.to_native(), out);
        site::event(&mut events, b"\"expiration\"", record.expires_ms.to_native(), out);
        site::event(&mut events, b"\"last changed\"", record.updated_ms.to_native(), out);
        out.end(&events);
    }
}

/// The statuses; `pendingDelete` once, whether EPP's or RGP's.
fn shown_statuses(record: &ArchivedDomain) -> u32 {
    let bits = record.statuses.to_native();
    let purge = bits & DomainStatuses::RGP_PENDING_DELETE != 0;
    let bits = bits & !DomainStatuses::RGP_PENDING_DELETE;
    if purge { bits | DomainStatuses::PENDING_DELETE } else { bits }
}

fn events(
    site: &Site<'_>,
    record: &ArchivedDomain,
    cold: Option<&ArchivedDomainCold>,
    out: &mut Document,
) {
    let mut events = site::events();
    site::event(&mut events, b"\"registration\"", record.created_ms.to_native(), out);
    site::event(&mut events, b"\"expiration\"", record.expires_ms.to_native(), out);
    site::event(&mut events, b"\"last changed\"", record.updated_ms.to_native(), out);
    if let Some(cold) = cold {
        site::event(&mut events, b"\"transfer\"", cold.transferred_ms.to_native(), out);
    }
    site.last_update(&mut events, out);
    out.end(&events);
}

fn secure_dns(record: &ArchivedDomain, cold: Option<&ArchivedDomainCold>, out: &mut Document) {
    // DNSSEC data that could not be read are not "unsigned".
    let unread = record.statuses.to_native() & DomainStatuses::SEC_DNS_UNREAD != 0;
    let cold = cold.filter(|cold| !cold.ds.is_empty() || !cold.keys.is_empty());
    let Some(cold) = cold else {
        let signed: &[u8] = if unread { b"true}" } else { b"false}" };
        out.raw(b",\"secureDNS\":{\"delegationSigned\":");
        return out.raw(signed);
    };
    out.raw(b",\"secureDNS\":{\"delegationSigned\":true");
    let life_s = cold.max_sig_life_s.to_native();
    if life_s != 0 {
        out.raw(b",\"maxSigLife\":");
        out.number(u64::from(life_s));
    }
    data_of_ds(cold, out);
    data_of_keys(cold, out);
    out.raw(b"}");
}

fn data_of_ds(cold: &ArchivedDomainCold, out: &mut Document) {
    let mut list = List::new(b",\"dsData\":[");
    for ds in cold.ds.iter() {
        let written = out.element(&mut list, |out| {
            out.raw(b"{\"keyTag\":");
            out.number(u64::from(ds.key_tag.to_native()));
            out.raw(b",\"algorithm\":");
            out.number(u64::from(ds.algorithm));
            out.raw(b",\"digest\":\"");
            for byte in ds.digest.iter() {
                out.raw(&UPPER.of(*byte));
            }
            out.raw(b"\",\"digestType\":");
            out.number(u64::from(ds.digest_type));
            out.raw(b"}");
            Ok(())
        });
        debug_assert!(written.is_ok(), "the record is read already");
    }
    out.end(&list);
}

fn data_of_keys(cold: &ArchivedDomainCold, out: &mut Document) {
    let mut list = List::new(b",\"keyData\":[");
    for key in cold.keys.iter() {
        let written = out.element(&mut list, |out| {
            out.raw(b"{\"flags\":");
            out.number(u64::from(key.flags.to_native()));
            out.raw(b",\"protocol\":");
            out.number(u64::from(key.protocol));
            out.raw(b",\"algorithm\":");
            out.number(u64::from(key.algorithm));
            out.raw(b",\"publicKey\":\"");
            for bytes in key.public_key.chunks(3) {
                out.raw(&base64(bytes));
            }
            out.raw(b"\"}");
            Ok(())
        });
        debug_assert!(written.is_ok(), "the record is read already");
    }
    out.end(&list);
}

fn nameservers(
    site: &Site<'_>,
    rule: TierRule<'_>,
    record: &ArchivedDomain,
    out: &mut Document,
) -> Result<(), Corrupt> {
    let mut list = List::new(b",\"nameservers\":[");
    beside::nameservers(site.data, record, |record| {
        let written = out.element(&mut list, |out| {
            nameserver::of_domain(record, rule.mask.nameserver_addresses, out);
            Ok(())
        });
        debug_assert!(written.is_ok(), "the record is read already");
    })?;
    // A domain without nameservers says so: response profile 2.2, section 2.8, asks for the member.
    if !out.end(&list) {
        out.raw(b",\"nameservers\":[]");
    }
    Ok(())
}

/// Writes the contacts that the rule shows, the first of each role.
fn contacts(
    site: &Site<'_>,
    rule: TierRule<'_>,
    record: &ArchivedDomain,
    (list, hidden): (&mut List, &mut Hidden),
    out: &mut Document,
) -> Result<(), Corrupt> {
    // One contact often has several roles: its record is checked once.
    let mut last: Option<(u32, ContactView<'_>)> = None;
    for (role, (block, ordinal)) in rule.blocks().zip(record.contacts.iter()).enumerate() {
        let ordinal = ordinal.to_native();
        if !block.mask.is_shown() || ordinal == NONE {
            continue;
        }
        let (_, view) = match last {
            Some(ref known) if known.0 == ordinal => known,
            _ => {
                // It may be gone, or not come yet.
                let Some(record) = site.data.record(ordinal)? else { continue };
                last.insert((ordinal, ContactView::of(rule, record)))
            }
        };
        out.element(list, |out| {
            contact::entity((&block, role), view, hidden, out);
            Ok(())
        })?;
    }
    Ok(())
}

/// Writes the active variants of a name, in one group (RFC 9083 section 5.3).
fn variants(site: &Site<'_>, record: &ArchivedDomain, out: &mut Document) -> Result<(), Corrupt> {
    let mut list = List::new(br#","variants":[{"relation":["registered"],"variantNames":["#);
    for variant in beside::active_variants(site.data, &record.name)? {
        let name = variant?;
        out.element(&mut list, |out| {
            out.raw(b"{\"ldhName\":");
            out.text(name);
            let decoded = decoded_name(name, "");
            member(b",\"unicodeName\":", u_name_of("", decoded.as_ref()), out);
            out.raw(b"}");
            Ok(())
        })?;
    }
    if out.end(&list) {
        out.raw(b"}]");
    }
    Ok(())
}

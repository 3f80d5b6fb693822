//! A domain's record, and that of a name that is kept back from registration.
//!
//! # Invariants
//!
//! - After `DNSSEC` come the additional fields: DS data, key data, language table, code points,
//!   what the name is a variant of (where the record of a variant itself is shown), active
//!   variants, then the extras that the rule allows.
//! - `Domain Name:` is printed for registered names only: programs conclude from it.
//!
//! # Does not
//!
//! Decide which record answers a name: `find` does.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::Corrupt;
use snapshot_format::object::NndnState;
use snapshot_format::record::{
    ArchivedDomain, ArchivedDomainCold, ArchivedIdnTable, ArchivedNndn, NONE,
};
use snapshot_format::status::DomainStatuses;

use super::nameserver::addresses;
use super::{contact, iana_id_line, optional, registrar_of};
use crate::hex::UPPER;
use crate::policy::{ExtrasRule, TierRule, is_extra_key};
use crate::query::beside::{self, decoded_name, u_name_of};
use crate::query::number::{Decimal, base64, code_point};
use crate::query::whois::answer::Answer;
use crate::query::whois::frame::Site;

/// Bytes of a digest that are written at once: those of SHA-256.
const HEX_BYTES: usize = 32;

/// What the answer about a kept-back name says: neither that it is free nor that it is registered.
pub(in crate::query::whois) const RESERVED_NOTE: &[u8] =
    b"Note: The registry keeps this name back. Nobody holds it, and requests for it are \
      refused.\r\n";

macro_rules! status_lines {
    ($($word:literal),* $(,)?) => {
        [$(concat!("Domain Status: ", $word, " https://icann.org/epp#", $word, "\r\n")),*]
    };
}

/// The status lines, by bit of [`DomainStatuses`]: alphabetical, EPP and RGP together.
const STATUS_LINES: [&str; 23] = status_lines![
    "addPeriod",
    "autoRenewPeriod",
    "clientDeleteProhibited",
    "clientHold",
    "clientRenewProhibited",
    "clientTransferProhibited",
    "clientUpdateProhibited",
    "inactive",
    "ok",
    "pendingCreate",
    "pendingDelete",
    "pendingRenew",
    "pendingRestore",
    "pendingTransfer",
    "pendingUpdate",
    "redemptionPeriod",
    "renewPeriod",
    "serverDeleteProhibited",
    "serverHold",
    "serverRenewProhibited",
    "serverTransferProhibited",
    "serverUpdateProhibited",
    "transferPeriod",
];

/// The bits that have a line.
const ALL_STATUSES: u32 = (1 << STATUS_LINES.len()) - 1;

/// Writes a domain's record, all but the complaint-form line.
pub(in crate::query::whois) fn domain(
    site: &Site<'_>,
    rule: TierRule<'_>,
    record: &ArchivedDomain,
    out: &mut Answer,
) -> Result<(), Corrupt> {
    site.snapshot.prefetch_places(record);
    let cold = record.cold.as_deref();
    let decoded = decoded_name(&record.name, cold.map_or("", |cold| cold.u_name.as_str()));
    let u_name = u_name_of(cold.map_or("", |cold| cold.u_name.as_str()), decoded.as_ref());
    out.line(&label!("Domain Name: "), &record.name);
    if !u_name.is_empty() {
        out.line(&label!("Internationalized Domain Name: "), u_name);
    }
    out.line(&label!("Registry Domain ID: "), &record.roid);
    let registrar = registrar_of(site, record.registrar.to_native());
    optional(rule, &label!("Registrar WHOIS Server: "), registrar.whois_server, out);
    out.line(&label!("Registrar URL: "), registrar.url);
    dates(rule, record, out);
    site.snapshot.prefetch_records(record);
    out.line(&label!("Registrar: "), registrar.name);
    iana_id_line(&registrar, out);
    out.line(&label!("Registrar Abuse Contact Email: "), registrar.abuse_email());
    out.line(&label!("Registrar Abuse Contact Phone: "), registrar.abuse_phone());
    optional(rule, &label!("Reseller: "), "", out);
    statuses(record.statuses.to_native(), out);
    contacts(site, rule, record, out)?;
    nameservers(site, rule, record, out)?;
    // DNSSEC data that could not be read are not "unsigned".
    let signed = cold.is_some_and(|cold| !cold.ds.is_empty() || !cold.keys.is_empty())
        || record.statuses.to_native() & DomainStatuses::SEC_DNS_UNREAD != 0;
    out.raw(if signed { b"DNSSEC: signedDelegation\r\n" } else { b"DNSSEC: unsigned\r\n" });
    if let Some(cold) = cold {
        dnssec(cold, out);
        idn_table(site, cold.idn_table.to_native(), out)?;
    }
    if !u_name.is_empty() {
        code_points(u_name, out);
    }
    if let Some(cold) = cold.filter(|cold| !cold.original_name.is_empty()) {
        out.line(&label!("Variant Of: "), &cold.original_name);
    }
    variants(site, &record.name, out)?;
    if let Some(cold) = cold {
        extras(rule, cold, out);
    }
    Ok(())
}

/// Writes the record of a name that is kept back.
pub(in crate::query::whois) fn reserved(
    site: &Site<'_>,
    record: &ArchivedNndn,
    out: &mut Answer,
) -> Result<(), Corrupt> {
    let decoded = decoded_name(&record.name, &record.u_name);
    let u_name = u_name_of(&record.u_name, decoded.as_ref());
    out.line(&label!("Reserved Name: "), &record.name);
    if !u_name.is_empty() && out.start_line(u_name.len().saturating_add(40)) {
        out.part(b"Internationalized Reserved Name: ");
        out.part_of_data(u_name);
        out.end_line();
    }
    if let Some(word) = state_word(record.state) {
        out.line(&label!("Reserved Name State: "), word);
    }
    if !record.original_name.is_empty() {
        out.line(&label!("Variant Of: "), &record.original_name);
    }
    idn_table(site, record.idn_table.to_native(), out)?;
    out.raw(RESERVED_NOTE);
    Ok(())
}

fn contacts(
    site: &Site<'_>,
    rule: TierRule<'_>,
    record: &ArchivedDomain,
    out: &mut Answer,
) -> Result<(), Corrupt> {
    // One contact often has several roles: its record is checked once.
    let mut last: Option<(u32, contact::ContactLines<'_>)> = None;
    for (block, ordinal) in rule.blocks().zip(record.contacts.iter()) {
        let ordinal = ordinal.to_native();
        if !block.mask.is_shown() || ordinal == NONE {
            continue;
        }
        let (_, view) = match last {
            Some(ref known) if known.0 == ordinal => known,
            _ => {
                // It may be gone, or not come yet.
                let Some(record) = site.snapshot.record(ordinal)? else { continue };
                last.insert((ordinal, contact::ContactLines::of(rule, &block, record)))
            }
        };
        contact::block(&block, view, out);
    }
    Ok(())
}

/// `None` for a state that is not known: no word may stand for it.
const fn state_word(state: u8) -> Option<&'static str> {
    const BLOCKED: u8 = NndnState::Blocked as u8;
    const WITHHELD: u8 = NndnState::Withheld as u8;
    const MIRRORED: u8 = NndnState::Mirrored as u8;
    match state {
        BLOCKED => Some("blocked"),
        WITHHELD => Some("withheld"),
        MIRRORED => Some("mirrored"),
        _ => None,
    }
}

fn dates(rule: TierRule<'_>, record: &ArchivedDomain, out: &mut Answer) {
    if !out.time(&label!("Updated Date: "), record.updated_ms.to_native()) {
        optional(rule, &label!("Updated Date: "), "", out);
    }
    if !out.time(&label!("Creation Date: "), record.created_ms.to_native()) {
        out.line(&label!("Creation Date: "), "");
    }
    if !out.time(&label!("Registry Expiry Date: "), record.expires_ms.to_native()) {
        out.line(&label!("Registry Expiry Date: "), "");
    }
    // Only the registrar knows it.
    if rule.mask.print_empty {
        out.raw(b"Registrar Registration Expiration Date:\r\n");
    }
}

/// Writes the statuses; `pendingDelete` once, whether EPP's or RGP's.
fn statuses(bits: u32, out: &mut Answer) {
    let mut bits = bits;
    if bits & DomainStatuses::RGP_PENDING_DELETE != 0 {
        bits |= DomainStatuses::PENDING_DELETE;
    }
    bits &= ALL_STATUSES;
    if bits == 0 {
        out.line(&label!("Domain Status: "), "");
    }
    while bits != 0 {
        if let Some(line) = STATUS_LINES.get(bits.trailing_zeros() as usize) {
            out.raw(line.as_bytes());
        }
        // The lowest bit is done.
        bits &= bits.wrapping_sub(1);
    }
}

fn nameservers(
    site: &Site<'_>,
    rule: TierRule<'_>,
    record: &ArchivedDomain,
    out: &mut Answer,
) -> Result<(), Corrupt> {
    let any = beside::nameservers(site.snapshot, record, |nameserver| {
        out.line(&label!("Name Server: "), &nameserver.name);
        if rule.mask.nameserver_addresses {
            addresses(nameserver, out);
        }
    })?;
    if !any {
        optional(rule, &label!("Name Server: "), "", out);
    }
    Ok(())
}

/// Writes DS data as key tag, algorithm, digest type and digest, and key data as flags, protocol,
/// algorithm and key: the order of their DNS records.
fn dnssec(cold: &ArchivedDomainCold, out: &mut Answer) {
    for ds in cold.ds.iter() {
        if !out.start_line(ds.digest.len().saturating_mul(2).saturating_add(48)) {
            return;
        }
        out.part(b"DNSSEC DS Data: ");
        let numbers = [ds.key_tag.to_native(), u16::from(ds.algorithm), u16::from(ds.digest_type)];
        numbers_of_line(&numbers, out);
        for bytes in ds.digest.chunks(HEX_BYTES) {
            let mut digits = [[0; 2]; HEX_BYTES];
            for (pair, byte) in digits.iter_mut().zip(bytes) {
                *pair = UPPER.of(*byte);
            }
            let digits = digits.get(..bytes.len()).unwrap_or_default();
            out.part(digits.as_flattened());
        }
        out.end_line();
    }
    for key in cold.keys.iter() {
        if !out.start_line(key.public_key.len().saturating_mul(2).saturating_add(48)) {
            return;
        }
        out.part(b"DNSSEC Key Data: ");
        let numbers = [key.flags.to_native(), u16::from(key.protocol), u16::from(key.algorithm)];
        numbers_of_line(&numbers, out);
        for bytes in key.public_key.chunks(3) {
            out.part(&base64(bytes));
        }
        out.end_line();
    }
}

fn numbers_of_line(numbers: &[u16], out: &mut Answer) {
    for number in numbers {
        out.part(Decimal::of(u64::from(*number)).as_bytes());
        out.part(b" ");
    }
}

fn idn_table(site: &Site<'_>, ordinal: u32, out: &mut Answer) -> Result<(), Corrupt> {
    if ordinal != NONE
        && let Some(table) = site.snapshot.record::<ArchivedIdnTable>(ordinal)?
    {
        out.line(&label!("IDN Table: "), &table.id);
    }
    Ok(())
}

/// Writes the code points of the name's first label.
fn code_points(u_name: &str, out: &mut Answer) {
    let label = u_name.split('.').next().unwrap_or_default();
    // "U+10FFFF " is the longest.
    if !out.start_line(label.chars().count().saturating_mul(9).saturating_add(32)) {
        return;
    }
    out.part(b"Unicode Code Points:");
    for c in label.chars() {
        out.part(b" ");
        out.part(code_point(c).as_bytes());
    }
    out.end_line();
}

/// Writes the active variants of a name.
fn variants(site: &Site<'_>, primary: &str, out: &mut Answer) -> Result<(), Corrupt> {
    for variant in beside::active_variants(site.snapshot, primary)? {
        out.line(&label!("Active Variant: "), variant?);
    }
    Ok(())
}

/// Writes the key-value extras that the rule allows.
fn extras(rule: TierRule<'_>, cold: &ArchivedDomainCold, out: &mut Answer) {
    for extra in cold.extras.iter() {
        let (key, value) = (extra.0.as_str(), extra.1.as_str());
        let allowed = match &rule.mask.extras {
            ExtrasRule::None => return,
            ExtrasRule::All => is_extra_key(key),
            // The configuration was checked: its keys are keys of extras.
            ExtrasRule::Keys(keys) => keys.iter().any(|allowed| **allowed == *key),
        };
        if !allowed {
            continue;
        }
        let needed = key.len().saturating_add(value.len()).saturating_add(4);
        if out.start_line(needed) {
            out.part(key.as_bytes());
            out.part(b": ");
            out.part_of_data(value);
            out.end_line();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use snapshot_format::status::DOMAIN_STATUS_WORDS;

    #[test]
    fn status_lines_follow_the_table_of_words() {
        for (line, word) in STATUS_LINES.iter().zip(DOMAIN_STATUS_WORDS) {
            let expected = format!("Domain Status: {word} https://icann.org/epp#{word}\r\n");
            assert_eq!(*line, expected);
        }
        assert_eq!(STATUS_LINES.len(), DOMAIN_STATUS_WORDS.len());
    }
}

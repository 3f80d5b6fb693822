//! Fills the fields of objects from the texts of a deposit, whatever its model.
//!
//! # Invariants
//!
//! - What ends up in an object keeps the bounds of `snapshot_format::limits`.
//! - A value that cannot be used leaves a defect behind, and the field as it was.
//!
//! # Does not
//!
//! Look at other objects: `check` and the builder do.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::IpAddr;

use snapshot_format::limits::{LIST_COUNT_MAX, TEXT_BYTES_MAX};
use snapshot_format::object::{
    ContactLink, ContactRole, Disclose, DnsKey, Domain, Ds, HostLink, NndnState, Postal,
    PostalKind, SecDns, Time, Transfer,
};
use snapshot_format::status::{ContactStatuses, DomainStatuses, HostStatuses};

use super::findings::{Defects, clip};
use super::rule::Rule;
use super::time;
use super::value::{self, Read};
use crate::hex;

/// Longest key (name, identifier), bytes: room for the composed keys of the sorter.
pub(crate) const KEY_BYTES_MAX: usize = 255;

/// Sets a text once; cuts it to the format's bound.
pub(crate) fn text(defects: &mut Defects, field: &'static str, slot: &mut String, value: &str) {
    if value.is_empty() {
        return;
    }
    if !slot.is_empty() {
        defects.add(Rule::ElementRepeated, field, value);
        return;
    }
    let clipped = clip(value, TEXT_BYTES_MAX);
    if clipped.len() < value.len() {
        defects.add(Rule::TextTooLong, field, value);
    }
    if slot.capacity() == 0 {
        // At its length at once: growing an empty text costs more.
        *slot = clipped.to_owned();
    } else {
        slot.push_str(clipped);
    }
}

/// Sets an identifier once: of the object itself, or of another one.
pub(crate) fn identifier(
    defects: &mut Defects,
    field: &'static str,
    slot: &mut String,
    value: &str,
) {
    if value.len() > KEY_BYTES_MAX {
        defects.add(Rule::ReferenceBad, field, value);
    } else {
        text(defects, field, slot, value);
    }
}

/// Sets a time once.
pub(crate) fn time(defects: &mut Defects, field: &'static str, slot: &mut Time, value: &str) {
    if value.is_empty() {
        return;
    }
    if slot.is_some() {
        defects.add(Rule::ElementRepeated, field, value);
        return;
    }
    let (time, rule) = match time::time(value) {
        time::Read::Good(time) => (time, None),
        time::Read::NoZone(time) => (time, Some(Rule::TimeNoZone)),
        time::Read::Late(time) => (time, Some(Rule::TimeBeyond)),
        time::Read::Bad => return defects.add(Rule::TimeBad, field, value),
    };
    *slot = time;
    if let Some(rule) = rule {
        defects.add(rule, field, value);
    }
}

/// Sets the name that an object is, once; an unusable name leaves it empty.
pub(crate) fn own_name(defects: &mut Defects, field: &'static str, slot: &mut String, value: &str) {
    if value.is_empty() {
        return;
    }
    if !slot.is_empty() {
        defects.add(Rule::ElementRepeated, field, value);
        return;
    }
    match value::name(value, slot) {
        Read::Good(()) => {}
        Read::Odd(()) => defects.add(Rule::NameNotALabel, field, value),
        Read::Bad => slot.clear(),
    }
}

/// Sets the name that another object is, once.
pub(crate) fn other_name(
    defects: &mut Defects,
    field: &'static str,
    slot: &mut String,
    value: &str,
) {
    own_name(defects, field, slot, value);
    if slot.is_empty() && !value.is_empty() {
        defects.add(Rule::OriginalNameBad, field, value);
    }
}

/// Adds a status word of a domain: EPP's, or (`grace`) one of the registry grace period.
pub(crate) fn domain_status(
    defects: &mut Defects,
    slot: &mut DomainStatuses,
    word: &str,
    grace: bool,
) {
    let (field, bit) = if grace {
        ("rgpStatus", DomainStatuses::rgp_bit(word))
    } else {
        ("status", DomainStatuses::epp_bit(word))
    };
    match bit {
        Some(bit) => slot.bits |= bit,
        None => {
            slot.bits |= DomainStatuses::UNKNOWN;
            defects.add(Rule::StatusUnknown, field, word);
        }
    }
}

/// Adds a status word of a host.
pub(crate) fn host_status(defects: &mut Defects, slot: &mut HostStatuses, word: &str) {
    match HostStatuses::bit(word) {
        Some(bit) => slot.bits |= bit,
        None => defects.add(Rule::StatusUnknown, "status", word),
    }
}

/// Adds a status word of a contact.
pub(crate) fn contact_status(defects: &mut Defects, slot: &mut ContactStatuses, word: &str) {
    match ContactStatuses::bit(word) {
        Some(bit) => slot.bits |= bit,
        None => defects.add(Rule::StatusUnknown, "status", word),
    }
}

/// Adds a contact of a domain.
pub(crate) fn contact(defects: &mut Defects, domain: &mut Domain, role: &str, id: &str) {
    let (field, role) = match role {
        "registrant" => ("registrant", ContactRole::Registrant),
        "admin" => ("contact", ContactRole::Admin),
        "tech" => ("contact", ContactRole::Tech),
        "billing" => ("contact", ContactRole::Billing),
        _ => return defects.add(Rule::ValueBad, "contact type", role),
    };
    if id.is_empty() || id.len() > KEY_BYTES_MAX {
        return defects.add(Rule::ReferenceBad, field, id);
    }
    let first = |link: &ContactLink| link.role == ContactRole::Registrant;
    if role == ContactRole::Registrant && domain.contacts.iter().any(first) {
        return defects.add(Rule::ElementRepeated, field, id);
    }
    let link = ContactLink { role, id: id.to_owned() };
    if role == ContactRole::Registrant {
        domain.contacts.insert(0, link);
    } else {
        push(defects, field, &mut domain.contacts, link);
    }
}

/// Adds a nameserver of a domain by name; gives the name back in A-label form.
pub(crate) fn nameserver<'d>(
    defects: &mut Defects,
    domain: &'d mut Domain,
    text: &str,
) -> Option<&'d str> {
    let mut name = String::with_capacity(text.len());
    match value::name(text, &mut name) {
        Read::Good(()) => {}
        Read::Odd(()) => defects.add(Rule::NameNotALabel, "ns", text),
        Read::Bad => {
            defects.add(Rule::ReferenceBad, "ns", text);
            return None;
        }
    }
    nameserver_link(defects, domain, HostLink::Name(name));
    match domain.nameservers.last() {
        Some(HostLink::Name(name)) => Some(name),
        _ => None,
    }
}

/// Adds a nameserver of a domain, once.
pub(crate) fn nameserver_link(defects: &mut Defects, domain: &mut Domain, link: HostLink) {
    if let Some(at) = domain.nameservers.iter().position(|known| *known == link) {
        // The last one is the one that was named last: host attributes repeat names.
        let known = domain.nameservers.remove(at);
        domain.nameservers.push(known);
        return;
    }
    push(defects, "ns", &mut domain.nameservers, link);
}

/// Adds an element to a list within the format's bound.
pub(crate) fn push<T>(defects: &mut Defects, field: &'static str, list: &mut Vec<T>, item: T) {
    if list.len() < LIST_COUNT_MAX {
        list.push(item);
    } else if !defects.list.iter().any(|defect| defect.rule == Rule::ListTooLong) {
        defects.add(Rule::ListTooLong, field, "more than 256 elements");
    }
}

/// Adds an address of a host; `version` is what the deposit says of it, `v4` or `v6`.
pub(crate) fn address(
    defects: &mut Defects,
    v4: &mut Vec<[u8; 4]>,
    v6: &mut Vec<[u8; 16]>,
    value: &str,
    version: Option<&str>,
) {
    let Ok(address) = value.parse::<IpAddr>() else {
        return defects.add(Rule::AddressBad, "addr", value);
    };
    let is = if address.is_ipv4() { "v4" } else { "v6" };
    if version.is_some_and(|version| version != is) {
        defects.add(Rule::AddressVersion, "addr", value);
    }
    match address {
        IpAddr::V4(address) if !v4.contains(&address.octets()) => {
            push(defects, "addr", v4, address.octets());
        }
        IpAddr::V6(address) if !v6.contains(&address.octets()) => {
            push(defects, "addr", v6, address.octets());
        }
        _ => {}
    }
}

/// The texts of one DS record or one key, as the deposit gives them.
#[derive(Debug, Default)]
pub(crate) struct SecDnsTexts {
    /// `keyTag`, or `flags`.
    pub(crate) first: String,
    /// `alg`.
    pub(crate) algorithm: String,
    /// `digestType`, or `protocol`.
    pub(crate) second: String,
    /// `digest`, or `pubKey`.
    pub(crate) bytes: String,
}

/// Adds a DS record.
pub(crate) fn ds(defects: &mut Defects, sec_dns: &mut SecDns, texts: &SecDnsTexts) {
    let read = || {
        Some(Ds {
            key_tag: value::integer(&texts.first)?,
            algorithm: value::integer(&texts.algorithm)?,
            digest_type: value::integer(&texts.second)?,
            digest: hex::decode(&texts.bytes)
                .filter(|bytes| (1..=TEXT_BYTES_MAX).contains(&bytes.len()))?,
        })
    };
    match read() {
        Some(ds) => push(defects, "secDNS", &mut sec_dns.ds, ds),
        None => {
            defects.add(Rule::DsBad, "secDNS", shown(texts));
            unread(sec_dns);
        }
    }
}

/// Adds a key.
pub(crate) fn dns_key(defects: &mut Defects, sec_dns: &mut SecDns, texts: &SecDnsTexts) {
    let read = || {
        Some(DnsKey {
            flags: value::integer(&texts.first)?,
            protocol: value::integer(&texts.second)?,
            algorithm: value::integer(&texts.algorithm)?,
            public_key: value::base64(&texts.bytes).filter(|key| key.len() <= TEXT_BYTES_MAX)?,
        })
    };
    match read() {
        Some(key) => push(defects, "secDNS", &mut sec_dns.keys, key),
        None => {
            defects.add(Rule::KeyDataBad, "secDNS", shown(texts));
            unread(sec_dns);
        }
    }
}

/// Keeps the place of a record that could not be read, as one without a digest: the domain is not
/// unsigned for it.
fn unread(sec_dns: &mut SecDns) {
    if !sec_dns.ds.iter().any(is_unread) {
        sec_dns.ds.push(Ds { key_tag: 0, algorithm: 0, digest_type: 0, digest: Vec::new() });
    }
}

/// Whether a DS record stands for one that could not be read.
pub(crate) fn is_unread(ds: &Ds) -> bool {
    ds.digest.is_empty()
}

fn shown(texts: &SecDnsTexts) -> String {
    format!("{} {} {} {}", texts.first, texts.algorithm, texts.second, texts.bytes)
}

/// Sets the signature lifetime.
pub(crate) fn max_sig_life(defects: &mut Defects, sec_dns: &mut SecDns, value: &str) {
    if value.is_empty() {
        return;
    }
    match value::integer(value) {
        Some(seconds) => sec_dns.max_sig_life_s = seconds,
        None => defects.add(Rule::ValueBad, "maxSigLife", value),
    }
}

/// Sets the state of a transfer (RFC 5730 section 2.9.3.4).
pub(crate) fn transfer_status(defects: &mut Defects, transfer: &mut Transfer, value: &str) {
    match value {
        "clientApproved" | "clientCancelled" | "clientRejected" | "pending" | "serverApproved"
        | "serverCancelled" => text(defects, "trStatus", &mut transfer.status, value),
        _ => defects.add(Rule::ValueBad, "trStatus", value),
    }
}

/// Adds a postal address; the second one of a kind is left out.
pub(crate) fn postal(defects: &mut Defects, list: &mut Vec<Postal>, postal: Postal) {
    if list.iter().any(|known| known.kind == postal.kind) {
        let word = if postal.kind == PostalKind::Int { "int" } else { "loc" };
        defects.add(Rule::PostalRepeated, "postalInfo", word);
    } else {
        list.push(postal);
    }
}

/// The kind of a postal address.
pub(crate) fn postal_kind(defects: &mut Defects, word: &str) -> PostalKind {
    match word {
        "int" => PostalKind::Int,
        "loc" => PostalKind::Loc,
        _ => {
            defects.add(Rule::ValueBad, "postalInfo type", word);
            PostalKind::Loc
        }
    }
}

/// Adds a street line: the first free one of three.
pub(crate) fn street(defects: &mut Defects, postal: &mut Postal, value: &str) {
    match postal.street.iter_mut().find(|line| line.is_empty()) {
        Some(line) => text(defects, "street", line, value),
        None => defects.add(Rule::ElementRepeated, "street", value),
    }
}

/// Adds a contact's wish on disclosure. Of two the stricter one holds: a field that one of them
/// hides is hidden, and one is shown against the policy only if both ask for it.
pub(crate) fn disclose(defects: &mut Defects, slot: &mut Option<Disclose>, wish: Disclose) {
    let Some(known) = slot else {
        *slot = Some(wish);
        return;
    };
    defects.add(Rule::DiscloseRepeated, "disclose", "");
    *known = match (known.allow, wish.allow) {
        (true, true) => Disclose { allow: true, fields: known.fields & wish.fields },
        (false, false) => Disclose { allow: false, fields: known.fields | wish.fields },
        (false, true) => *known,
        (true, false) => wish,
    };
}

/// The state of a name that is not a domain name.
pub(crate) fn nndn_state(defects: &mut Defects, word: &str) -> NndnState {
    match word {
        "blocked" => NndnState::Blocked,
        "withheld" => NndnState::Withheld,
        "mirrored" => NndnState::Mirrored,
        _ => {
            defects.add(Rule::ValueBad, "nameState", word);
            NndnState::Unknown
        }
    }
}

/// Adds a key-value extra, within the format's bounds.
pub(crate) fn extra(defects: &mut Defects, domain: &mut Domain, key: &str, value: &str) {
    if key.is_empty() || value.is_empty() {
        return;
    }
    if key.len() > TEXT_BYTES_MAX || value.len() > TEXT_BYTES_MAX {
        defects.add(Rule::TextTooLong, "extra", key);
    }
    let pair = (clip(key, TEXT_BYTES_MAX).to_owned(), clip(value, TEXT_BYTES_MAX).to_owned());
    push(defects, "extra", &mut domain.extras, pair);
}

//! Objects into the fields of a record.
//!
//! # Invariants
//!
//! - Texts are borrowed: only times, addresses and digests are made here.
//! - A time is written within the years 1 to 9999, which is what RFC 3339 can say.
//!
//! # Does not
//!
//! Check an object: a bad one comes back as an error when the record is read.

use std::borrow::Cow;
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use snapshot_format::calendar::civil_from_days;
use snapshot_format::object::{self, ContactRole, NndnState, PostalKind, Time};
use snapshot_format::status::{
    CONTACT_STATUS_WORDS, DOMAIN_STATUS_WORDS, DomainStatuses, HOST_STATUS_WORDS, words_of,
};

use super::json::{
    Actor, Addresses, Contact, ContactLink, DISCLOSE_WORDS, Disclose, Domain, DsData, Extra, Host,
    HostLink, HostRoid, IdnTable, KeyData, List, Nndn, Object, Phone, Postal, PostalAddress,
    Registrar, SecDns, Text, Transfer, WhoisInfo,
};
use crate::export::encode;
use crate::hex::UPPER;

/// 0001-01-01T00:00:00.000Z, ms since the epoch.
const FIRST_MS: i64 = -62_135_596_800_000;
/// 9999-12-31T23:59:59.999Z, ms since the epoch.
const LAST_MS: i64 = 253_402_300_799_999;

/// An object as a record has it.
pub(super) fn object(object: &snapshot_format::Object) -> Object<'_> {
    use snapshot_format::Object as Whole;
    match object {
        Whole::Registrar(object) => Object::Registrar(registrar(object)),
        Whole::IdnTable(object) => Object::IdnTable(idn_table(object)),
        Whole::Contact(object) => Object::Contact(contact(object)),
        Whole::Nameserver(object) => Object::Host(host(object)),
        Whole::Nndn(object) => Object::Nndn(nndn(object)),
        Whole::Domain(object) => Object::Domain(domain(object)),
    }
}

/// A time as RFC 3339 writes it, in UTC with three digits of a second's fraction.
pub(super) fn instant(time_ms: i64) -> String {
    let time_ms = time_ms.clamp(FIRST_MS, LAST_MS);
    let (of_day_ms, day) = (time_ms.rem_euclid(86_400_000), time_ms.div_euclid(86_400_000));
    let (year, month, day) = civil_from_days(day);
    let of_day_s = of_day_ms.wrapping_div(1000);
    let (hour, minute) = (of_day_s.wrapping_div(3600), of_day_s.wrapping_div(60).wrapping_rem(60));
    let (second, ms) = (of_day_s.wrapping_rem(60), of_day_ms.wrapping_rem(1000));
    let mut out = String::with_capacity(24);
    // Writing to a string does not fail.
    let _ = write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z");
    out
}

fn time(time: Time) -> Text<'static> {
    if time.is_some() { Cow::Owned(instant(time.ms)) } else { Cow::Borrowed("") }
}

fn text(text: &str) -> Text<'_> {
    Cow::Borrowed(text)
}

fn words(bits: u32, table: &'static [&'static str]) -> List<Text<'static>> {
    words_of(bits, table).map(Cow::Borrowed).collect()
}

fn actor(actor: &object::Actor) -> Option<Actor<'_>> {
    let blank = actor.registrar.is_empty() && actor.client.is_empty();
    (!blank).then(|| Actor { id: text(&actor.registrar), client: text(&actor.client) })
}

fn phone(phone: &object::Phone) -> Option<Phone<'_>> {
    let blank = phone.number.is_empty() && phone.ext.is_empty();
    (!blank).then(|| Phone { number: text(&phone.number), ext: text(&phone.ext) })
}

fn transfer(transfer: &object::Transfer) -> Transfer<'_> {
    Transfer {
        status: text(&transfer.status),
        requester: actor(&transfer.requester),
        requested: time(transfer.requested),
        actor: actor(&transfer.actor),
        acted: time(transfer.acted),
        expires: time(transfer.expires),
    }
}

fn postal(postal: &object::Postal) -> Postal<'_> {
    // A line that is empty stays where one follows it.
    let lines = postal.street.iter().rposition(|line| !line.is_empty());
    let lines = lines.map_or(0, |last| last.saturating_add(1));
    let addr = PostalAddress {
        street: postal.street.iter().take(lines).map(|line| text(line)).collect(),
        city: text(&postal.city),
        sp: text(&postal.sp),
        pc: text(&postal.pc),
        cc: text(&postal.cc),
    };
    let blank = lines == 0
        && [&addr.city, &addr.sp, &addr.pc, &addr.cc].into_iter().all(|text| text.is_empty());
    Postal {
        kind: text(if postal.kind == PostalKind::Int { "int" } else { "loc" }),
        name: text(&postal.name),
        org: text(&postal.org),
        addr: (!blank).then_some(addr),
    }
}

fn contact_link(link: &object::ContactLink) -> ContactLink<'_> {
    let role = match link.role {
        ContactRole::Registrant => "registrant",
        ContactRole::Admin => "admin",
        ContactRole::Tech => "tech",
        ContactRole::Billing => "billing",
    };
    ContactLink { role: text(role), id: text(&link.id) }
}

fn host_link(link: &object::HostLink) -> HostLink<'_> {
    match link {
        object::HostLink::Name(name) => HostLink::Name(text(name)),
        object::HostLink::Roid(roid) => HostLink::Roid(HostRoid { roid: text(roid) }),
    }
}

fn sec_dns(sec_dns: &object::SecDns) -> SecDns<'_> {
    let ds = |ds: &object::Ds| DsData {
        key_tag: ds.key_tag,
        algorithm: ds.algorithm,
        digest_type: ds.digest_type,
        digest: octets(&ds.digest, |octets, out| UPPER.write(octets, out)),
    };
    let key = |key: &object::DnsKey| KeyData {
        flags: key.flags,
        protocol: key.protocol,
        algorithm: key.algorithm,
        public_key: octets(&key.public_key, encode::base64),
    };
    SecDns {
        max_sig_life_s: sec_dns.max_sig_life_s,
        ds: sec_dns.ds.iter().map(ds).collect(),
        keys: sec_dns.keys.iter().map(key).collect(),
    }
}

fn octets(octets: &[u8], write: fn(&[u8], &mut String)) -> Text<'static> {
    let mut out = String::with_capacity(octets.len().saturating_mul(2));
    write(octets, &mut out);
    Cow::Owned(out)
}

fn domain(domain: &object::Domain) -> Domain<'_> {
    let bits = domain.statuses.bits;
    let mut grace = words(bits & DomainStatuses::RGP, DOMAIN_STATUS_WORDS);
    if domain.statuses.any(DomainStatuses::RGP_PENDING_DELETE) {
        let all = grace.items.into_iter().chain([text("pendingDelete")]);
        grace = all.collect();
    }
    Domain {
        name: text(&domain.name),
        roid: text(&domain.roid),
        u_name: text(&domain.u_name),
        idn_table: text(&domain.idn_table),
        original_name: text(&domain.original_name),
        statuses: words(bits & !DomainStatuses::RGP, DOMAIN_STATUS_WORDS),
        grace,
        contacts: domain.contacts.iter().map(contact_link).collect(),
        nameservers: domain.nameservers.iter().map(host_link).collect(),
        registrar: text(&domain.registrar),
        creator: actor(&domain.creator),
        created: time(domain.created),
        updater: actor(&domain.updater),
        updated: time(domain.updated),
        expires: time(domain.expires),
        transferred: time(domain.transferred),
        sec_dns: domain.sec_dns.as_ref().map(sec_dns),
        transfer: domain.transfer.as_ref().map(transfer),
        extras: domain
            .extras
            .iter()
            .map(|(key, value)| Extra { key: text(key), value: text(value) })
            .collect(),
    }
}

fn host(host: &object::Nameserver) -> Host<'_> {
    let v4 = host.v4.iter().map(|&octets| Cow::Owned(Ipv4Addr::from(octets).to_string()));
    let v6 = host.v6.iter().map(|&octets| Cow::Owned(Ipv6Addr::from(octets).to_string()));
    let blank = host.v4.is_empty() && host.v6.is_empty();
    Host {
        name: text(&host.name),
        roid: text(&host.roid),
        statuses: words(host.statuses.bits, HOST_STATUS_WORDS),
        addresses: (!blank).then(|| Addresses { v4: v4.collect(), v6: v6.collect() }),
        registrar: text(&host.registrar),
        creator: actor(&host.creator),
        created: time(host.created),
        updater: actor(&host.updater),
        updated: time(host.updated),
        transferred: time(host.transferred),
    }
}

fn contact(contact: &object::Contact) -> Contact<'_> {
    let disclose = |disclose: object::Disclose| {
        let named = DISCLOSE_WORDS.iter().enumerate();
        let named = named.filter(|&(bit, _)| disclose.fields >> bit & 1 == 1);
        Disclose { flag: disclose.allow, fields: named.map(|(_, word)| text(word)).collect() }
    };
    Contact {
        id: text(&contact.id),
        roid: text(&contact.roid),
        statuses: words(contact.statuses.bits, CONTACT_STATUS_WORDS),
        postal: contact.postal.iter().map(postal).collect(),
        voice: phone(&contact.voice),
        fax: phone(&contact.fax),
        email: text(&contact.email),
        registrar: text(&contact.registrar),
        creator: actor(&contact.creator),
        created: time(contact.created),
        updater: actor(&contact.updater),
        updated: time(contact.updated),
        transferred: time(contact.transferred),
        transfer: contact.transfer.as_ref().map(transfer),
        disclose: contact.disclose.map(disclose),
    }
}

fn registrar(registrar: &object::Registrar) -> Registrar<'_> {
    let whois = WhoisInfo { name: text(&registrar.whois_name), url: text(&registrar.whois_url) };
    let blank = whois.name.is_empty() && whois.url.is_empty();
    Registrar {
        id: text(&registrar.id),
        name: text(&registrar.name),
        iana_id: registrar.iana_id,
        status: text(registrar.status.word()),
        postal: registrar.postal.iter().map(postal).collect(),
        voice: phone(&registrar.voice),
        fax: phone(&registrar.fax),
        email: text(&registrar.email),
        url: text(&registrar.url),
        whois: (!blank).then_some(whois),
        created: time(registrar.created),
        updated: time(registrar.updated),
    }
}

fn idn_table(table: &object::IdnTable) -> IdnTable<'_> {
    IdnTable { id: text(&table.id), url: text(&table.url), policy_url: text(&table.policy_url) }
}

fn nndn(nndn: &object::Nndn) -> Nndn<'_> {
    let state = match nndn.state {
        NndnState::Blocked => "blocked",
        NndnState::Withheld => "withheld",
        NndnState::Mirrored => "mirrored",
        NndnState::Unknown => "",
    };
    Nndn {
        name: text(&nndn.name),
        state: text(state),
        u_name: text(&nndn.u_name),
        idn_table: text(&nndn.idn_table),
        original_name: text(&nndn.original_name),
        // True is what an absent field means (RFC 9022 section 5.6.1).
        mirroring_ns: (!nndn.mirroring_ns).then_some(false),
        created: time(nndn.created),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds_and_stay_within_four_digits_of_a_year() {
        assert_eq!(instant(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(instant(951_782_400_123), "2000-02-29T00:00:00.123Z");
        assert_eq!(instant(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(instant(i64::MIN), "0001-01-01T00:00:00.000Z");
        assert_eq!(instant(i64::MAX), "9999-12-31T23:59:59.999Z");
    }
}

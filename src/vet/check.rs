//! Rules on whole objects: statuses, dates, names, forms (RFC 9022 section 8 and RFC 5730 to 5733).
//!
//! # Invariants
//!
//! - A check may take something away from an object, never add but the derived Unicode form
//!   and the scheme of a URL.
//!
//! # Does not
//!
//! Look for other objects: references are the builder's.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::Object;
use snapshot_format::delta::Fate;
use snapshot_format::dump::Utc;
use snapshot_format::limits::TEXT_BYTES_MAX;
use snapshot_format::object::{
    Contact, Domain, Nameserver, Nndn, Phone, Postal, PostalKind, Registrar, Time,
};
use snapshot_format::status::{ContactStatuses, DomainStatuses, HostStatuses};

use super::draft;
use super::element::Name;
use super::findings::{Defects, ObjectKind, clip};
use super::policy::{self, Policy};
use super::rule::Rule;
use super::value;
use super::web;
use super::zones::{fate, is_below};

/// Largest domain before archiving, bytes: leaves room for the archive's own within 32 KiB.
const DOMAIN_BYTES_MAX: usize = 28 << 10;

/// What rules need to know of the deposit.
pub(crate) struct Context<'e> {
    /// Time of the data.
    pub(crate) watermark: Time,
    /// TLD and registry-class names of the deposit, A-label form.
    pub(crate) zones: Vec<String>,
    /// Zones of other deposits, which are there or come with this one.
    pub(crate) others: Vec<String>,
    /// Its policies.
    pub(crate) policies: &'e [Policy],
}

impl Context<'_> {
    pub(crate) fn is_under_zone(&self, name: &str) -> bool {
        self.zones.is_empty() || self.zones.iter().any(|zone| is_below(name, zone))
    }

    /// Whether a name is another deposit's to say something of. One that is of no deposit is
    /// this one's: in the samples of RFC 9022, sections 14 and 15, every name is.
    pub(crate) fn is_of_other(&self, name: &str) -> bool {
        fate(name, &self.zones, &self.others) == Fate::Stays
    }

    /// What of a name was registered: its labels before the longest zone.
    fn registered<'n>(&self, name: &'n str) -> &'n str {
        let below = |zone: &&String| is_below(name, zone);
        let zone = self.zones.iter().filter(below).map(String::len).max().unwrap_or(0);
        name.get(..name.len().saturating_sub(zone)).unwrap_or(name)
    }

    fn policies(
        &self,
        kind: ObjectKind,
        defects: &mut Defects,
        has: &dyn Fn(Name) -> Option<bool>,
    ) {
        for policy in self.policies.iter().filter(|policy| policy.kind == kind) {
            if has(policy.element) == Some(false) {
                defects.add(Rule::PolicyBroken, policy.word.clone(), "");
            }
        }
    }
}

/// Checks an object that comes by itself, without the zones, watermark and policies of a deposit.
pub(crate) fn alone(object: &mut Object, defects: &mut Defects) {
    let context =
        Context { watermark: Time::NONE, zones: Vec::new(), others: Vec::new(), policies: &[] };
    match object {
        Object::Registrar(object) => registrar(object, &context, defects),
        Object::IdnTable(_) => {}
        Object::Contact(object) => contact(object, &context, defects),
        Object::Nameserver(object) => nameserver(object, false, &context, defects),
        Object::Nndn(object) => nndn(object, &context, defects),
        Object::Domain(object) => domain(object, &context, defects),
    }
}

/// Checks a domain.
pub(crate) fn domain(domain: &mut Domain, context: &Context<'_>, defects: &mut Defects) {
    if !context.policies.is_empty() {
        let seen = &*domain;
        context.policies(ObjectKind::Domain, defects, &|name| policy::domain(seen, name));
    }
    roid(&domain.roid, defects);
    sponsor(&domain.registrar, defects);
    if !context.is_under_zone(&domain.name) {
        defects.add(Rule::NameOutside, "name", domain.name.as_str());
    }
    names(&domain.name, &mut domain.u_name, &domain.idn_table, context, defects);
    domain_statuses(domain, defects);
    domain_dates(domain, context, defects);
    domain_size(domain, defects);
    sec_dns(domain, defects);
}

/// A statement that cannot be shown does not become its opposite: a domain whose DNSSEC data did
/// not read, or do not fit, is not unsigned.
fn sec_dns(domain: &mut Domain, defects: &mut Defects) {
    let Some(sec_dns) = &mut domain.sec_dns else { return };
    let too_large = defects.list.iter().any(|defect| defect.rule == Rule::RecordTooLarge);
    let unread = too_large || sec_dns.ds.iter().any(draft::is_unread);
    sec_dns.ds.retain(|ds| !draft::is_unread(ds));
    if !sec_dns.ds.is_empty() || !sec_dns.keys.is_empty() {
        return;
    }
    domain.sec_dns = None;
    if unread {
        domain.statuses.bits |= DomainStatuses::SEC_DNS_UNREAD;
    } else {
        defects.add(Rule::SecDnsEmpty, "secDNS", "");
    }
}

fn roid(roid: &str, defects: &mut Defects) {
    if roid.is_empty() {
        defects.add(Rule::RoidMissing, "roid", "");
    } else if !value::is_roid(roid) {
        defects.add(Rule::RoidSyntax, "roid", roid);
    }
}

fn sponsor(registrar: &str, defects: &mut Defects) {
    if registrar.is_empty() {
        defects.add(Rule::SponsorMissing, "clID", "");
    }
}

/// Derives the Unicode form of an internationalised name.
fn names(
    name: &str,
    u_name: &mut String,
    table: &str,
    context: &Context<'_>,
    defects: &mut Defects,
) {
    if !value::is_idn(name) {
        if !u_name.is_empty() && !u_name.eq_ignore_ascii_case(name) {
            defects.add(Rule::UNameMismatch, "uName", u_name.as_str());
        }
        u_name.clear();
        return;
    }
    // The labels of an internationalised TLD are not from a table of its registry.
    if table.is_empty() && value::is_idn(context.registered(name)) {
        defects.add(Rule::IdnTableMissing, "idnTableId", "");
    }
    let Some(derived) = value::unicode(name) else {
        defects.add(Rule::ALabelInvalid, "name", name);
        u_name.clear();
        return;
    };
    if !u_name.is_empty() && *u_name != derived && !value::is_unicode_of(u_name, name) {
        defects.add(Rule::UNameMismatch, "uName", u_name.as_str());
    }
    *u_name = clip(&derived, TEXT_BYTES_MAX).to_owned();
}

fn domain_statuses(domain: &mut Domain, defects: &mut Defects) {
    const PENDING: [(u32, u32, &str); 5] = [
        (DomainStatuses::PENDING_CREATE, 0, "pendingCreate"),
        (
            DomainStatuses::PENDING_DELETE,
            DomainStatuses::CLIENT_DELETE_PROHIBITED | DomainStatuses::SERVER_DELETE_PROHIBITED,
            "pendingDelete",
        ),
        (
            DomainStatuses::PENDING_RENEW,
            DomainStatuses::CLIENT_RENEW_PROHIBITED | DomainStatuses::SERVER_RENEW_PROHIBITED,
            "pendingRenew",
        ),
        (
            DomainStatuses::PENDING_TRANSFER,
            DomainStatuses::CLIENT_TRANSFER_PROHIBITED | DomainStatuses::SERVER_TRANSFER_PROHIBITED,
            "pendingTransfer",
        ),
        (
            DomainStatuses::PENDING_UPDATE,
            DomainStatuses::CLIENT_UPDATE_PROHIBITED | DomainStatuses::SERVER_UPDATE_PROHIBITED,
            "pendingUpdate",
        ),
    ];
    let grace = DomainStatuses::RGP | DomainStatuses::RGP_PENDING_DELETE;
    let unknown = domain.statuses.any(DomainStatuses::UNKNOWN);
    domain.statuses.bits &= !DomainStatuses::UNKNOWN;
    let statuses = domain.statuses;
    let epp = statuses.bits & !grace;
    if unknown {
        // A status that is not known says that something is not `ok`.
        domain.statuses.bits &= !DomainStatuses::OK;
    }
    if epp == 0 {
        defects.add(Rule::StatusMissing, "status", "");
    }
    pending(statuses.bits, &PENDING, defects);
    if statuses.any(DomainStatuses::OK) && epp != DomainStatuses::OK {
        defects.add(Rule::StatusOk, "status", words(statuses));
        domain.statuses.bits &= !DomainStatuses::OK;
    }
    if domain.nameservers.is_empty() {
        let exempt = DomainStatuses::INACTIVE | DomainStatuses::PENDING_CREATE;
        if epp != 0 && !statuses.any(exempt) {
            defects.add(Rule::StatusNotInactive, "status", words(statuses));
        }
    } else if statuses.any(DomainStatuses::INACTIVE) {
        defects.add(Rule::StatusInactive, "status", words(statuses));
        domain.statuses.bits &= !DomainStatuses::INACTIVE;
    }
    let deletion = DomainStatuses::REDEMPTION_PERIOD
        | DomainStatuses::PENDING_RESTORE
        | DomainStatuses::RGP_PENDING_DELETE;
    if statuses.any(deletion) && !statuses.any(DomainStatuses::PENDING_DELETE) {
        defects.add(Rule::StatusGrace, "rgpStatus", words(statuses));
    }
}

fn words(statuses: DomainStatuses) -> String {
    statuses.words().collect::<Vec<_>>().join(" ")
}

/// Pending statuses exclude each other, and what prohibits them.
fn pending(bits: u32, table: &[(u32, u32, &str)], defects: &mut Defects) {
    let mut first = None;
    for &(bit, prohibited, word) in table {
        if bits & bit == 0 {
            continue;
        }
        if let Some(first) = first {
            defects.add(Rule::StatusPending, "status", format!("{first} {word}"));
        }
        first = Some(word);
        if bits & prohibited != 0 {
            defects.add(Rule::StatusProhibited, "status", word);
        }
    }
}

fn domain_dates(domain: &Domain, context: &Context<'_>, defects: &mut Defects) {
    created(domain.created, context, defects);
    let pending_create = domain.statuses.any(DomainStatuses::PENDING_CREATE);
    for (field, time) in [("crDate", domain.created), ("exDate", domain.expires)] {
        let reported = defects.list.iter().any(|defect| defect.field == field);
        if !time.is_some() && !pending_create && !reported {
            defects.add(Rule::TimeMissing, field, "");
        }
    }
    let watermark = context.watermark;
    let expired = domain.expires.is_some() && watermark.is_some() && domain.expires < watermark;
    if expired && !domain.statuses.any(DomainStatuses::PENDING_DELETE) {
        defects.add(Rule::ExpiredEarly, "exDate", shown(domain.expires));
    }
}

fn created(time: Time, context: &Context<'_>, defects: &mut Defects) {
    let watermark = context.watermark;
    if time.is_some() && watermark.is_some() && time >= watermark {
        defects.add(Rule::CreatedLate, "crDate", shown(time));
    }
}

fn shown(time: Time) -> String {
    Utc(time.ms).to_string()
}

/// Takes away what would not fit into a record: extras, then keys, then DS records.
fn domain_size(domain: &mut Domain, defects: &mut Defects) {
    let lists = domain.extras.len().saturating_add(domain.contacts.len());
    let small = lists < 16 && domain.sec_dns.is_none();
    if small || bytes_of(domain) <= DOMAIN_BYTES_MAX {
        return;
    }
    defects.add(Rule::RecordTooLarge, "", format!("about {} bytes", bytes_of(domain)));
    while bytes_of(domain) > DOMAIN_BYTES_MAX {
        let keys = domain.sec_dns.as_mut().and_then(|sec_dns| sec_dns.keys.pop()).map(|_| ());
        let taken = domain.extras.pop().map(|_| ()).or(keys);
        let ds = || domain.sec_dns.as_mut().and_then(|sec_dns| sec_dns.ds.pop()).map(|_| ());
        if taken.or_else(ds).is_none() {
            return;
        }
    }
}

fn bytes_of(domain: &Domain) -> usize {
    let mut bytes = 8 << 10;
    let mut add = |more: usize| bytes = usize::saturating_add(bytes, more);
    domain
        .extras
        .iter()
        .for_each(|(key, value)| add(key.len().saturating_add(value.len()).saturating_add(16)));
    add(domain.contacts.len().saturating_mul(8));
    if let Some(sec_dns) = &domain.sec_dns {
        sec_dns.ds.iter().for_each(|ds| add(ds.digest.len().saturating_add(12)));
        sec_dns.keys.iter().for_each(|key| add(key.public_key.len().saturating_add(12)));
    }
    bytes
}

/// Checks a nameserver; `attribute`: it comes from host attributes only, which have no more than
/// names and addresses.
pub(crate) fn nameserver(
    host: &mut Nameserver,
    attribute: bool,
    context: &Context<'_>,
    defects: &mut Defects,
) {
    let zoned = context.zones.iter().any(|zone| is_below(&host.name, zone));
    if zoned && host.v4.is_empty() && host.v6.is_empty() {
        defects.add(Rule::AddressMissing, "addr", "");
    }
    if attribute {
        return;
    }
    let seen = &*host;
    context.policies(ObjectKind::Nameserver, defects, &|name| policy::nameserver(seen, name));
    roid(&host.roid, defects);
    sponsor(&host.registrar, defects);
    created(host.created, context, defects);
    let statuses = host.statuses;
    if statuses.bits == 0 {
        defects.add(Rule::StatusMissing, "status", "");
    }
    if statuses.any(HostStatuses::OK) && statuses.any(!(HostStatuses::OK | HostStatuses::LINKED)) {
        let got = statuses.words().collect::<Vec<_>>().join(" ");
        defects.add(Rule::StatusOk, "status", got);
        host.statuses.bits &= !HostStatuses::OK;
    }
    const PENDING: [(u32, u32, &str); 4] = [
        (HostStatuses::PENDING_CREATE, 0, "pendingCreate"),
        (
            HostStatuses::PENDING_DELETE,
            HostStatuses::CLIENT_DELETE_PROHIBITED | HostStatuses::SERVER_DELETE_PROHIBITED,
            "pendingDelete",
        ),
        (HostStatuses::PENDING_TRANSFER, 0, "pendingTransfer"),
        (
            HostStatuses::PENDING_UPDATE,
            HostStatuses::CLIENT_UPDATE_PROHIBITED | HostStatuses::SERVER_UPDATE_PROHIBITED,
            "pendingUpdate",
        ),
    ];
    pending(statuses.bits, &PENDING, defects);
}

/// Checks a contact.
pub(crate) fn contact(contact: &mut Contact, context: &Context<'_>, defects: &mut Defects) {
    let seen = &*contact;
    context.policies(ObjectKind::Contact, defects, &|name| policy::contact(seen, name));
    roid(&contact.roid, defects);
    sponsor(&contact.registrar, defects);
    created(contact.created, context, defects);
    contact_statuses(contact, defects);
    if contact.postal.is_empty() {
        defects.add(Rule::PostalMissing, "postalInfo", "");
    }
    // The internationalised form comes first, whatever the deposit's order.
    contact.postal.sort_by_key(|postal| postal.kind);
    for postal in &mut contact.postal {
        if postal.name.is_empty() {
            defects.add(Rule::PostalIncomplete, "name", "");
        }
        address(postal, defects);
    }
    phone("voice", &contact.voice, defects);
    phone("fax", &contact.fax, defects);
    if !value::is_email(&contact.email) {
        defects.add(Rule::EmailBad, "email", contact.email.as_str());
    }
}

fn contact_statuses(contact: &mut Contact, defects: &mut Defects) {
    const PENDING: [(u32, u32, &str); 4] = [
        (ContactStatuses::PENDING_CREATE, 0, "pendingCreate"),
        (
            ContactStatuses::PENDING_DELETE,
            ContactStatuses::CLIENT_DELETE_PROHIBITED | ContactStatuses::SERVER_DELETE_PROHIBITED,
            "pendingDelete",
        ),
        (
            ContactStatuses::PENDING_TRANSFER,
            ContactStatuses::CLIENT_TRANSFER_PROHIBITED
                | ContactStatuses::SERVER_TRANSFER_PROHIBITED,
            "pendingTransfer",
        ),
        (
            ContactStatuses::PENDING_UPDATE,
            ContactStatuses::CLIENT_UPDATE_PROHIBITED | ContactStatuses::SERVER_UPDATE_PROHIBITED,
            "pendingUpdate",
        ),
    ];
    let statuses = contact.statuses;
    if statuses.bits == 0 {
        defects.add(Rule::StatusMissing, "status", "");
    }
    let others = !(ContactStatuses::OK | ContactStatuses::LINKED);
    if statuses.any(ContactStatuses::OK) && statuses.any(others) {
        let got = statuses.words().collect::<Vec<_>>().join(" ");
        defects.add(Rule::StatusOk, "status", got);
        contact.statuses.bits &= !ContactStatuses::OK;
    }
    pending(statuses.bits, &PENDING, defects);
}

fn address(postal: &mut Postal, defects: &mut Defects) {
    if postal.city.is_empty() {
        defects.add(Rule::PostalIncomplete, "city", "");
    }
    if postal.cc.is_empty() {
        defects.add(Rule::PostalIncomplete, "cc", "");
    } else {
        if postal.cc.len() == 2 {
            postal.cc.make_ascii_uppercase();
        }
        if !value::is_country(&postal.cc) {
            defects.add(Rule::CountryUnknown, "cc", postal.cc.as_str());
        }
    }
    if postal.kind == PostalKind::Int {
        let Postal { name, org, street, city, sp, pc, .. } = &*postal;
        let texts = [name, org, city, sp, pc].into_iter().chain(street);
        if let Some(text) = texts.into_iter().find(|text| !text.is_ascii()) {
            defects.add(Rule::PostalAscii, "postalInfo", text.as_str());
        }
    }
}

fn phone(field: &'static str, phone: &Phone, defects: &mut Defects) {
    if !phone.number.is_empty() && !value::is_phone(&phone.number) {
        defects.add(Rule::PhoneBad, field, phone.number.as_str());
    }
}

/// Checks a registrar.
pub(crate) fn registrar(registrar: &mut Registrar, context: &Context<'_>, defects: &mut Defects) {
    let seen = &*registrar;
    context.policies(ObjectKind::Registrar, defects, &|name| policy::registrar(seen, name));
    if registrar.name.is_empty() {
        defects.add(Rule::RegistrarName, "name", "");
    }
    created(registrar.created, context, defects);
    web::registrar(registrar, defects);
    registrar.postal.sort_by_key(|postal| postal.kind);
    for postal in &mut registrar.postal {
        address(postal, defects);
    }
    phone("voice", &registrar.voice, defects);
    phone("fax", &registrar.fax, defects);
    if !registrar.email.is_empty() && !value::is_email(&registrar.email) {
        defects.add(Rule::EmailBad, "email", registrar.email.as_str());
    }
}

/// Checks a name that is not a domain name.
pub(crate) fn nndn(nndn: &mut Nndn, context: &Context<'_>, defects: &mut Defects) {
    let seen = &*nndn;
    context.policies(ObjectKind::Nndn, defects, &|name| policy::nndn(seen, name));
    created(nndn.created, context, defects);
    if !context.is_under_zone(&nndn.name) {
        defects.add(Rule::NameOutside, "aName", nndn.name.as_str());
    }
    names(&nndn.name, &mut nndn.u_name, &nndn.idn_table, context, defects);
}

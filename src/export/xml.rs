//! The XML model of RFC 9022: one file, objects as elements.
//!
//! # Invariants
//!
//! - Elements come in the order of the schemas; an absent value has no element.
//!
//! # Does not
//!
//! Hold more than one object's text, or write key-value extras: the model has no room for them.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

use snapshot_format::object::{
    Actor, Contact, ContactRole, Disclose, DnsKey, Domain, HostLink, IdnTable, Nameserver, Nndn,
    NndnState, Phone, Postal, PostalKind, Registrar, SecDns, Time, Transfer,
};
use snapshot_format::status::{
    CONTACT_STATUS_WORDS, DOMAIN_STATUS_WORDS, DomainStatuses, HOST_STATUS_WORDS, words_of,
};

use super::Source;
use super::encode::{base64, escape};
use super::envelope::{self, Model, push};
use super::time::write_time;
use crate::hex::UPPER;

/// Writes a full deposit in the XML model.
///
/// # Errors
///
/// The source's, the writer's; a domain that refers to a nameserver by ROID.
pub fn write(source: &mut dyn Source, out: &mut dyn Write) -> io::Result<()> {
    let mut text = String::with_capacity(1 << 14);
    envelope::open(Model::Xml, &source.repository()?, &mut text);
    out.write_all(text.as_bytes())?;
    macro_rules! each {
        ($kind:ident, $write:expr) => {
            source.$kind(&mut |object| {
                text.clear();
                $write(object, &mut text)?;
                out.write_all(text.as_bytes())
            })?;
        };
    }
    each!(registrars, registrar);
    each!(idn_tables, idn_table);
    each!(contacts, contact);
    each!(nameservers, nameserver);
    each!(nndns, nndn);
    source.domains(&mut |object, attributes| {
        text.clear();
        domain(object, attributes, &mut text)?;
        out.write_all(text.as_bytes())
    })?;
    text.clear();
    envelope::close(&mut text);
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Appends an element, unless its text is empty.
fn element(name: &str, text: &str, out: &mut String) {
    if !text.is_empty() {
        push(out, &["<", name, ">"]);
        escape(text, out);
        push(out, &["</", name, ">"]);
    }
}

fn time(name: &str, time: Time, out: &mut String) {
    if time.is_some() {
        push(out, &["<", name, ">"]);
        write_time(time.ms, out);
        push(out, &["</", name, ">"]);
    }
}

/// Appends an element with an attribute, unless its text is empty; without the attribute, if that
/// is empty.
fn attributed(name: &str, attribute: &str, value: &str, text: &str, out: &mut String) {
    if text.is_empty() {
        return;
    }
    push(out, &["<", name]);
    if !value.is_empty() {
        push(out, &[" ", attribute, "=\""]);
        escape(value, out);
        out.push('"');
    }
    out.push('>');
    escape(text, out);
    push(out, &["</", name, ">"]);
}

fn actor(name: &str, actor: &Actor, out: &mut String) {
    attributed(name, "client", &actor.client, &actor.registrar, out);
}

fn statuses<'a>(name: &str, words: impl Iterator<Item = &'a str>, out: &mut String) {
    for word in words {
        push(out, &["<", name, " s=\"", word, "\"/>"]);
    }
}

fn registrar(registrar: &Registrar, out: &mut String) -> io::Result<()> {
    out.push_str("<rdeRegistrar:registrar>");
    element("rdeRegistrar:id", &registrar.id, out);
    element("rdeRegistrar:name", &registrar.name, out);
    if registrar.iana_id > 0 {
        element("rdeRegistrar:gurid", &registrar.iana_id.to_string(), out);
    }
    element("rdeRegistrar:status", registrar.status.word(), out);
    for postal in &registrar.postal {
        push(out, &["<rdeRegistrar:postalInfo type=\"", postal_word(postal.kind), "\">"]);
        address("rdeRegistrar", postal, out);
        out.push_str("</rdeRegistrar:postalInfo>");
    }
    phone("rdeRegistrar:voice", &registrar.voice, out);
    phone("rdeRegistrar:fax", &registrar.fax, out);
    element("rdeRegistrar:email", &registrar.email, out);
    element("rdeRegistrar:url", &registrar.url, out);
    if !registrar.whois_name.is_empty() || !registrar.whois_url.is_empty() {
        out.push_str("<rdeRegistrar:whoisInfo>");
        element("rdeRegistrar:name", &registrar.whois_name, out);
        element("rdeRegistrar:url", &registrar.whois_url, out);
        out.push_str("</rdeRegistrar:whoisInfo>");
    }
    time("rdeRegistrar:crDate", registrar.created, out);
    time("rdeRegistrar:upDate", registrar.updated, out);
    out.push_str("</rdeRegistrar:registrar>\n");
    Ok(())
}

fn idn_table(table: &IdnTable, out: &mut String) -> io::Result<()> {
    out.push_str("<rdeIDN:idnTableRef id=\"");
    escape(&table.id, out);
    out.push_str("\"><rdeIDN:url>");
    escape(&table.url, out);
    // Both are required, even if there is nothing to say.
    out.push_str("</rdeIDN:url><rdeIDN:urlPolicy>");
    escape(&table.policy_url, out);
    out.push_str("</rdeIDN:urlPolicy></rdeIDN:idnTableRef>\n");
    Ok(())
}

pub(super) const fn postal_word(kind: PostalKind) -> &'static str {
    match kind {
        PostalKind::Int => "int",
        PostalKind::Loc => "loc",
    }
}

fn address(space: &str, postal: &Postal, out: &mut String) {
    let field = |name: &str, text: &str, out: &mut String| {
        if !text.is_empty() {
            push(out, &["<", space, ":", name, ">"]);
            escape(text, out);
            push(out, &["</", space, ":", name, ">"]);
        }
    };
    push(out, &["<", space, ":addr>"]);
    for line in &postal.street {
        field("street", line, out);
    }
    field("city", &postal.city, out);
    field("sp", &postal.sp, out);
    field("pc", &postal.pc, out);
    field("cc", &postal.cc, out);
    push(out, &["</", space, ":addr>"]);
}

fn phone(name: &str, phone: &Phone, out: &mut String) {
    attributed(name, "x", &phone.ext, &phone.number, out);
}

fn contact(contact: &Contact, out: &mut String) -> io::Result<()> {
    out.push_str("<rdeContact:contact>");
    element("rdeContact:id", &contact.id, out);
    element("rdeContact:roid", &contact.roid, out);
    statuses("rdeContact:status", words_of(contact.statuses.bits, CONTACT_STATUS_WORDS), out);
    for postal in &contact.postal {
        push(out, &["<rdeContact:postalInfo type=\"", postal_word(postal.kind), "\">"]);
        element("contact:name", &postal.name, out);
        element("contact:org", &postal.org, out);
        address("contact", postal, out);
        out.push_str("</rdeContact:postalInfo>");
    }
    phone("rdeContact:voice", &contact.voice, out);
    phone("rdeContact:fax", &contact.fax, out);
    element("rdeContact:email", &contact.email, out);
    element("rdeContact:clID", &contact.registrar, out);
    actor("rdeContact:crRr", &contact.creator, out);
    time("rdeContact:crDate", contact.created, out);
    actor("rdeContact:upRr", &contact.updater, out);
    time("rdeContact:upDate", contact.updated, out);
    time("rdeContact:trDate", contact.transferred, out);
    if let Some(data) = &contact.transfer {
        out.push_str("<rdeContact:trnData>");
        transfer("rdeContact", data, out);
        out.push_str("</rdeContact:trnData>");
    }
    if let Some(wish) = contact.disclose {
        disclose(wish, out);
    }
    out.push_str("</rdeContact:contact>\n");
    Ok(())
}

fn disclose(wish: Disclose, out: &mut String) {
    const FIELDS: [(u16, &str); 9] = [
        (Disclose::NAME_INT, "<contact:name type=\"int\"/>"),
        (Disclose::NAME_LOC, "<contact:name type=\"loc\"/>"),
        (Disclose::ORG_INT, "<contact:org type=\"int\"/>"),
        (Disclose::ORG_LOC, "<contact:org type=\"loc\"/>"),
        (Disclose::ADDR_INT, "<contact:addr type=\"int\"/>"),
        (Disclose::ADDR_LOC, "<contact:addr type=\"loc\"/>"),
        (Disclose::VOICE, "<contact:voice/>"),
        (Disclose::FAX, "<contact:fax/>"),
        (Disclose::EMAIL, "<contact:email/>"),
    ];
    push(out, &["<rdeContact:disclose flag=\"", if wish.allow { "1" } else { "0" }, "\">"]);
    for (bit, element) in FIELDS {
        if wish.fields & bit != 0 {
            out.push_str(element);
        }
    }
    out.push_str("</rdeContact:disclose>");
}

fn transfer(space: &str, data: &Transfer, out: &mut String) {
    let tag = |name: &str| format!("{space}:{name}");
    element(&tag("trStatus"), &data.status, out);
    actor(&tag("reRr"), &data.requester, out);
    time(&tag("reDate"), data.requested, out);
    actor(&tag("acRr"), &data.actor, out);
    time(&tag("acDate"), data.acted, out);
    time(&tag("exDate"), data.expires, out);
}

fn addresses(name: &str, host: &Nameserver, out: &mut String) {
    for &v4 in &host.v4 {
        attributed(name, "ip", "v4", &Ipv4Addr::from(v4).to_string(), out);
    }
    for &v6 in &host.v6 {
        attributed(name, "ip", "v6", &Ipv6Addr::from(v6).to_string(), out);
    }
}

fn nameserver(nameserver: &Nameserver, out: &mut String) -> io::Result<()> {
    out.push_str("<rdeHost:host>");
    element("rdeHost:name", &nameserver.name, out);
    element("rdeHost:roid", &nameserver.roid, out);
    statuses("rdeHost:status", words_of(nameserver.statuses.bits, HOST_STATUS_WORDS), out);
    addresses("rdeHost:addr", nameserver, out);
    element("rdeHost:clID", &nameserver.registrar, out);
    actor("rdeHost:crRr", &nameserver.creator, out);
    time("rdeHost:crDate", nameserver.created, out);
    actor("rdeHost:upRr", &nameserver.updater, out);
    time("rdeHost:upDate", nameserver.updated, out);
    time("rdeHost:trDate", nameserver.transferred, out);
    out.push_str("</rdeHost:host>\n");
    Ok(())
}

pub(super) const fn state_word(state: NndnState) -> &'static str {
    match state {
        NndnState::Blocked => "blocked",
        NndnState::Withheld => "withheld",
        NndnState::Mirrored => "mirrored",
        NndnState::Unknown => "",
    }
}

fn nndn(nndn: &Nndn, out: &mut String) -> io::Result<()> {
    out.push_str("<rdeNNDN:NNDN>");
    element("rdeNNDN:aName", &nndn.name, out);
    element("rdeNNDN:uName", &nndn.u_name, out);
    element("rdeNNDN:idnTableId", &nndn.idn_table, out);
    element("rdeNNDN:originalName", &nndn.original_name, out);
    // The default is true.
    let mirroring = if nndn.mirroring_ns { "" } else { "false" };
    attributed("rdeNNDN:nameState", "mirroringNS", mirroring, state_word(nndn.state), out);
    time("rdeNNDN:crDate", nndn.created, out);
    out.push_str("</rdeNNDN:NNDN>\n");
    Ok(())
}

/// The word of a contact's role other than registrant.
pub(super) const fn role_word(role: ContactRole) -> &'static str {
    match role {
        ContactRole::Registrant => "registrant",
        ContactRole::Admin => "admin",
        ContactRole::Tech => "tech",
        ContactRole::Billing => "billing",
    }
}

/// The words of EPP's statuses and of RGP's.
pub(super) fn domain_words(
    statuses: DomainStatuses,
) -> (impl Iterator<Item = &'static str>, impl Iterator<Item = &'static str>) {
    const RGP: u32 = DomainStatuses::RGP | DomainStatuses::RGP_PENDING_DELETE;
    let bits = statuses.bits;
    let epp = words_of(bits & !RGP, DOMAIN_STATUS_WORDS);
    let last = (bits & DomainStatuses::RGP_PENDING_DELETE != 0).then_some("pendingDelete");
    (epp, words_of(bits & DomainStatuses::RGP, DOMAIN_STATUS_WORDS).chain(last))
}

fn domain(domain: &Domain, attributes: &[Nameserver], out: &mut String) -> io::Result<()> {
    out.push_str("<rdeDomain:domain>");
    element("rdeDomain:name", &domain.name, out);
    element("rdeDomain:roid", &domain.roid, out);
    element("rdeDomain:uName", &domain.u_name, out);
    element("rdeDomain:idnTableId", &domain.idn_table, out);
    element("rdeDomain:originalName", &domain.original_name, out);
    let (epp, rgp) = domain_words(domain.statuses);
    statuses("rdeDomain:status", epp, out);
    statuses("rdeDomain:rgpStatus", rgp, out);
    let mut links = domain.contacts.iter();
    if let Some(holder) = links.find(|link| link.role == ContactRole::Registrant) {
        element("rdeDomain:registrant", &holder.id, out);
    }
    for link in domain.contacts.iter().filter(|link| link.role != ContactRole::Registrant) {
        attributed("rdeDomain:contact", "type", role_word(link.role), &link.id, out);
    }
    delegation(domain, attributes, out)?;
    element("rdeDomain:clID", &domain.registrar, out);
    actor("rdeDomain:crRr", &domain.creator, out);
    time("rdeDomain:crDate", domain.created, out);
    time("rdeDomain:exDate", domain.expires, out);
    actor("rdeDomain:upRr", &domain.updater, out);
    time("rdeDomain:upDate", domain.updated, out);
    if let Some(data) = &domain.sec_dns {
        sec_dns(data, out);
    }
    time("rdeDomain:trDate", domain.transferred, out);
    if let Some(data) = &domain.transfer {
        out.push_str("<rdeDomain:trnData>");
        transfer("rdeDomain", data, out);
        out.push_str("</rdeDomain:trnData>");
    }
    out.push_str("</rdeDomain:domain>\n");
    Ok(())
}

/// EPP has objects or attributes for one domain (RFC 5731 section 1.1): where one nameserver is an
/// attribute, all are.
fn delegation(domain: &Domain, attributes: &[Nameserver], out: &mut String) -> io::Result<()> {
    if domain.nameservers.is_empty() {
        return Ok(());
    }
    out.push_str("<rdeDomain:ns>");
    for link in &domain.nameservers {
        match link {
            HostLink::Name(name) if attributes.is_empty() => {
                element("domain:hostObj", name, out);
            }
            HostLink::Name(name) => {
                out.push_str("<domain:hostAttr>");
                element("domain:hostName", name, out);
                if let Some(host) = attributes.iter().find(|host| host.name == *name) {
                    addresses("domain:hostAddr", host, out);
                }
                out.push_str("</domain:hostAttr>");
            }
            HostLink::Roid(roid) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!(
                        "domain {}: refers to nameserver {roid} by its ROID, which the XML model \
                         cannot; name it, or write the CSV model",
                        domain.name
                    ),
                ));
            }
        }
    }
    out.push_str("</rdeDomain:ns>");
    Ok(())
}

fn sec_dns(data: &SecDns, out: &mut String) {
    if data.ds.is_empty() && data.keys.is_empty() {
        return;
    }
    out.push_str("<rdeDomain:secDNS>");
    if data.max_sig_life_s > 0 {
        element("secDNS:maxSigLife", &data.max_sig_life_s.to_string(), out);
    }
    for (position, ds) in data.ds.iter().enumerate() {
        out.push_str("<secDNS:dsData>");
        element("secDNS:keyTag", &ds.key_tag.to_string(), out);
        element("secDNS:alg", &ds.algorithm.to_string(), out);
        element("secDNS:digestType", &ds.digest_type.to_string(), out);
        out.push_str("<secDNS:digest>");
        UPPER.write(&ds.digest, out);
        out.push_str("</secDNS:digest>");
        if let Some(key) = data.keys.get(position) {
            key_data(key, out);
        }
        out.push_str("</secDNS:dsData>");
    }
    if data.ds.is_empty() {
        for key in &data.keys {
            key_data(key, out);
        }
    }
    out.push_str("</rdeDomain:secDNS>");
}

fn key_data(key: &DnsKey, out: &mut String) {
    out.push_str("<secDNS:keyData>");
    element("secDNS:flags", &key.flags.to_string(), out);
    element("secDNS:protocol", &key.protocol.to_string(), out);
    element("secDNS:alg", &key.algorithm.to_string(), out);
    out.push_str("<secDNS:pubKey>");
    base64(&key.public_key, out);
    out.push_str("</secDNS:pubKey></secDNS:keyData>");
}

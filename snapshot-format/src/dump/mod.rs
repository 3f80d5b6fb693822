//! Shows what a snapshot holds, as text for people: header, sections, any record.
//!
//! # Does not
//!
//! Redact: a user that may read the file may see all of it. Print: it returns text.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod keys;

use std::fmt::{self, Display, Write};

use self::keys::Keys;
use crate::calendar::civil_from_days;
use crate::delta::{DepositMark, Generation, Heap};
use crate::error::Corrupt;
use crate::layout::{Kind, SectionId};
use crate::object::{Disclose, PostalKind};
use crate::reader::Snapshot;
use crate::record::{
    ArchivedContact, ArchivedDomain, ArchivedDomainCold, ArchivedIdnTable, ArchivedNameserver,
    ArchivedNndn, ArchivedRegistrar, ArchivedTransfer, ContactField, DISCLOSE_ALLOW,
    DISCLOSE_NO_WISH, NONE, POSTAL_NONE,
};
use crate::status::{
    CONTACT_STATUS_WORDS, DOMAIN_STATUS_WORDS, DomainStatuses, HOST_STATUS_WORDS, words_of,
};

/// A time as RFC 3339 in UTC, with milliseconds where there are any; `-` if it is absent.
#[derive(Debug, Clone, Copy)]
pub struct Utc(pub i64);

impl Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == i64::MIN {
            return f.write_str("-");
        }
        let (days, ms) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = civil_from_days(days);
        let (s, ms) = (ms.div_euclid(1000), ms.rem_euclid(1000));
        let (h, m, s) = (s.div_euclid(3600), s.div_euclid(60).rem_euclid(60), s.rem_euclid(60));
        write!(f, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}")?;
        if ms != 0 {
            write!(f, ".{ms:03}")?;
        }
        f.write_str("Z")
    }
}

/// Header and section table.
pub fn header<D: AsRef<[u8]>>(snapshot: &Snapshot<D>) -> String {
    let header = snapshot.header();
    let mut out = Lines::default();
    out.line("format version", header.format_version);
    out.line("generation", header.generation);
    out.line("serial", header.serial);
    out.line("data as of", Utc(header.watermark_ms));
    out.line("file bytes", header.file_bytes);
    out.line("section alignment", header.section_align_bytes);
    out.line("hash seed", format_args!("{:016x}", header.hash_seed));
    if let Ok(meta) = snapshot.meta() {
        out.text("made from", &meta.source);
        for deposit in meta.deposits.iter() {
            let DepositMark { id, tld, watermark_ms, .. } = DepositMark::read(deposit);
            out.text("deposit", &id);
            if !tld.is_empty() {
                out.text("deposit's TLD", &tld);
                out.line("deposit as of", Utc(watermark_ms));
            }
        }
        for suffix in meta.suffixes.iter() {
            out.text("suffix", suffix);
        }
    }
    for kind in Kind::ALL {
        out.line(&format!("{} count", kind.word()), snapshot.count(kind));
    }
    out.0.push_str("\nsection                       offset           bytes       count\n");
    for id in SectionId::all() {
        let section = header.section(id);
        let (offset, bytes, count) = (section.offset, section.bytes, section.count);
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(out.0, "{:<22} {offset:>13} {bytes:>15} {count:>11}", id.name());
    }
    out.0
}

/// A record of any kind, references with the key of what they refer to.
///
/// # Errors
///
/// The ordinal is out of range, or the record is damaged.
pub fn record<D: AsRef<[u8]>>(
    snapshot: &Snapshot<D>,
    kind: Kind,
    ordinal: u32,
) -> Result<String, Corrupt> {
    let record = match kind {
        Kind::Registrar => Record::Registrar(snapshot.record(ordinal)?),
        Kind::IdnTable => Record::IdnTable(snapshot.record(ordinal)?),
        Kind::Contact => Record::Contact(snapshot.record(ordinal)?),
        Kind::Nameserver => Record::Nameserver(snapshot.record(ordinal)?),
        Kind::Nndn => Record::Nndn(snapshot.record(ordinal)?),
        Kind::Domain => Record::Domain(snapshot.record(ordinal)?),
    };
    Ok(shown(&record, Some(ordinal), &keys::Base(snapshot)))
}

/// A record of any kind.
#[derive(Clone, Copy)]
pub enum Record<'a> {
    /// A registrar.
    Registrar(&'a ArchivedRegistrar),
    /// A reference to an IDN table.
    IdnTable(&'a ArchivedIdnTable),
    /// A contact.
    Contact(&'a ArchivedContact),
    /// A nameserver.
    Nameserver(&'a ArchivedNameserver),
    /// A name that is not a domain name.
    Nndn(&'a ArchivedNndn),
    /// A domain.
    Domain(&'a ArchivedDomain),
}

/// A record of a generation, references with the key of what they refer to.
pub fn of_generation<D: AsRef<[u8]>, S: Heap>(
    generation: &Generation<D, S>,
    record: &Record<'_>,
) -> String {
    let ordinal = match record {
        Record::Registrar(record) => generation.ordinal_of(Kind::Registrar, &record.id),
        Record::IdnTable(record) => generation.ordinal_of(Kind::IdnTable, &record.id),
        Record::Contact(record) => {
            generation.ordinal_of(Kind::Contact, record.field(ContactField::Id))
        }
        Record::Nameserver(record) => generation.ordinal_of(Kind::Nameserver, &record.name),
        Record::Nndn(_) | Record::Domain(_) => Ok(None),
    };
    shown(record, ordinal.ok().flatten(), generation)
}

fn shown(record: &Record<'_>, ordinal: Option<u32>, keys: &dyn Keys) -> String {
    let mut dump = Dump { keys, out: Lines::default() };
    let mut head = |kind: Kind| {
        dump.out.line("kind", kind.word());
        if let Some(ordinal) = ordinal {
            dump.out.line("ordinal", ordinal);
        }
    };
    match record {
        Record::Registrar(record) => {
            head(Kind::Registrar);
            dump.registrar(record)
        }
        Record::IdnTable(record) => {
            head(Kind::IdnTable);
            dump.idn_table(record)
        }
        Record::Contact(record) => {
            head(Kind::Contact);
            dump.contact(record)
        }
        Record::Nameserver(record) => {
            head(Kind::Nameserver);
            dump.nameserver(record)
        }
        Record::Nndn(record) => {
            head(Kind::Nndn);
            dump.nndn(record)
        }
        Record::Domain(record) => {
            head(Kind::Domain);
            dump.domain(record)
        }
    }
}

/// Lines `name: value`.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, name: &str, value: impl Display) {
        let _ = writeln!(self.0, "{name}: {value}");
    }

    /// A text, unless it is empty; control characters escaped.
    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            let escaped: String = text
                .chars()
                .flat_map(|c| {
                    let escape = c.is_control().then(|| c.escape_default());
                    let plain = escape.is_none().then_some(c);
                    escape.into_iter().flatten().chain(plain)
                })
                .collect();
            self.line(name, escaped);
        }
    }

    fn time(&mut self, name: &str, ms: i64) {
        if ms != i64::MIN {
            self.line(name, Utc(ms));
        }
    }

    fn statuses(&mut self, bits: u32, words: &'static [&'static str]) {
        for word in words_of(bits, words) {
            self.line("status", word);
        }
    }
}

struct Dump<'a> {
    keys: &'a dyn Keys,
    out: Lines,
}

impl Dump<'_> {
    /// A reference: `ordinal (key)`.
    fn link(&mut self, name: &str, kind: Kind, ordinal: u32) {
        if ordinal == NONE {
            return;
        }
        let key = self.keys.key(kind, ordinal).unwrap_or("damaged");
        self.out.line(name, format_args!("{ordinal} ({key})"));
    }

    fn registrars(&mut self, registrar: u32, creator: u32, updater: u32) {
        self.link("registrar", Kind::Registrar, registrar);
        self.link("created by", Kind::Registrar, creator);
        self.link("updated by", Kind::Registrar, updater);
    }

    fn times(&mut self, created_ms: i64, updated_ms: i64) {
        self.out.time("created", created_ms);
        self.out.time("updated", updated_ms);
    }

    fn transfer(&mut self, transfer: Option<&ArchivedTransfer>) {
        let Some(transfer) = transfer else { return };
        self.out.text("transfer status", &transfer.status);
        self.link("transfer asked by", Kind::Registrar, transfer.requester.to_native());
        self.out.text("transfer asked by client", &transfer.requester_client);
        self.out.time("transfer asked", transfer.requested_ms.to_native());
        self.link("transfer acted on by", Kind::Registrar, transfer.actor.to_native());
        self.out.text("transfer acted on by client", &transfer.actor_client);
        self.out.time("transfer acted on", transfer.acted_ms.to_native());
        self.out.time("transfer expiry", transfer.expires_ms.to_native());
    }

    fn registrar(mut self, registrar: &ArchivedRegistrar) -> String {
        let out = &mut self.out;
        out.text("id", &registrar.id);
        out.text("name", &registrar.name);
        out.line("IANA id", registrar.iana_id);
        out.line("status", registrar.status);
        for address in registrar.postal.iter() {
            out.line("address kind", if address.kind == 0 { "int" } else { "loc" });
            for street in &address.street {
                out.text("street", street);
            }
            out.text("city", &address.city);
            out.text("sp", &address.sp);
            out.text("pc", &address.pc);
            out.text("cc", &address.cc);
        }
        out.text("voice", &registrar.voice);
        out.text("voice ext", &registrar.voice_ext);
        out.text("fax", &registrar.fax);
        out.text("fax ext", &registrar.fax_ext);
        out.text("email", &registrar.email);
        out.text("url", &registrar.url);
        out.text("whois server", &registrar.whois_name);
        out.text("whois url", &registrar.whois_url);
        self.times(registrar.created_ms.to_native(), registrar.updated_ms.to_native());
        self.out.0
    }

    fn idn_table(mut self, table: &ArchivedIdnTable) -> String {
        self.out.text("id", &table.id);
        self.out.text("url", &table.url);
        self.out.text("policy url", &table.policy_url);
        self.out.0
    }

    fn contact(mut self, contact: &ArchivedContact) -> String {
        let out = &mut self.out;
        for (name, field) in CONTACT_FIELD_NAMES {
            out.text(name, contact.field(*field));
        }
        if contact.postal_kind != POSTAL_NONE {
            let is_loc = contact.postal_kind == PostalKind::Loc as u8;
            out.line("address kind", if is_loc { "loc" } else { "int" });
        }
        if let Some(second) = contact.second_postal() {
            for (name, field) in CONTACT_FIELD_NAMES {
                let text = String::from_utf8_lossy(second.bytes(*field));
                out.text(&format!("second address {name}"), &text);
            }
        }
        out.statuses(contact.statuses.to_native(), CONTACT_STATUS_WORDS);
        if contact.disclose != DISCLOSE_NO_WISH {
            let allows = contact.disclose == DISCLOSE_ALLOW;
            let wish = if allows { "may be shown" } else { "may not be shown" };
            let fields = contact.disclose_fields.to_native();
            let names = DISCLOSE_NAMES.iter().filter(|(bit, _)| fields & bit != 0);
            let names: Vec<&str> = names.map(|(_, name)| *name).collect();
            out.line("disclose", format_args!("{wish}: {}", names.join(", ")));
        }
        self.registrars(
            contact.registrar.to_native(),
            contact.creator.to_native(),
            contact.updater.to_native(),
        );
        self.times(contact.created_ms.to_native(), contact.updated_ms.to_native());
        if let Some(cold) = contact.cold.as_ref() {
            self.out.time("transferred", cold.transferred_ms.to_native());
            self.out.text("created by client", &cold.creator_client);
            self.out.text("updated by client", &cold.updater_client);
            self.transfer(cold.transfer.as_ref().map(AsRef::as_ref));
        }
        self.out.0
    }

    fn nameserver(mut self, nameserver: &ArchivedNameserver) -> String {
        let out = &mut self.out;
        out.text("name", &nameserver.name);
        out.text("roid", &nameserver.roid);
        for v4 in nameserver.v4.iter() {
            out.line("address", std::net::Ipv4Addr::from(*v4));
        }
        for v6 in nameserver.v6.iter() {
            out.line("address", std::net::Ipv6Addr::from(*v6));
        }
        out.statuses(nameserver.statuses.to_native(), HOST_STATUS_WORDS);
        self.registrars(
            nameserver.registrar.to_native(),
            nameserver.creator.to_native(),
            nameserver.updater.to_native(),
        );
        self.times(nameserver.created_ms.to_native(), nameserver.updated_ms.to_native());
        if let Some(cold) = nameserver.cold.as_ref() {
            self.out.time("transferred", cold.transferred_ms.to_native());
            self.out.text("created by client", &cold.creator_client);
            self.out.text("updated by client", &cold.updater_client);
        }
        self.out.0
    }

    fn nndn(mut self, nndn: &ArchivedNndn) -> String {
        let out = &mut self.out;
        out.text("name", &nndn.name);
        out.text("U-label", &nndn.u_name);
        out.line(
            "state",
            ["blocked", "withheld", "mirrored", "unknown"]
                .get(usize::from(nndn.state))
                .unwrap_or(&"?"),
        );
        out.text("original name", &nndn.original_name);
        out.line("mirrors nameservers", nndn.mirroring_ns);
        out.time("created", nndn.created_ms.to_native());
        self.link("IDN table", Kind::IdnTable, nndn.idn_table.to_native());
        self.out.0
    }

    fn domain(mut self, domain: &ArchivedDomain) -> String {
        self.out.text("name", &domain.name);
        self.out.text("roid", &domain.roid);
        let bits = domain.statuses.to_native();
        self.out.statuses(bits, DOMAIN_STATUS_WORDS);
        if bits & DomainStatuses::RGP_PENDING_DELETE != 0 {
            self.out.line("RGP status", "pendingDelete");
        }
        self.registrars(
            domain.registrar.to_native(),
            domain.creator.to_native(),
            domain.updater.to_native(),
        );
        self.times(domain.created_ms.to_native(), domain.updated_ms.to_native());
        self.out.time("expires", domain.expires_ms.to_native());
        for (role, ordinal) in ROLE_NAMES.iter().zip(domain.contacts.iter()) {
            self.link(role, Kind::Contact, ordinal.to_native());
        }
        for ordinal in domain.nameservers.iter() {
            self.link("nameserver", Kind::Nameserver, ordinal.to_native());
        }
        if let Some(cold) = domain.cold.as_ref() {
            self.domain_cold(cold);
        }
        self.out.0
    }

    fn domain_cold(&mut self, cold: &ArchivedDomainCold) {
        self.out.time("transferred", cold.transferred_ms.to_native());
        self.out.text("U-label", &cold.u_name);
        self.out.text("original name", &cold.original_name);
        self.link("IDN table", Kind::IdnTable, cold.idn_table.to_native());
        self.out.text("created by client", &cold.creator_client);
        self.out.text("updated by client", &cold.updater_client);
        for link in cold.contacts_more.iter() {
            let role = ROLE_NAMES.get(usize::from(link.0)).unwrap_or(&"contact");
            self.link(role, Kind::Contact, link.1.to_native());
        }
        if cold.max_sig_life_s != 0 {
            self.out.line("maximum signature lifetime, s", cold.max_sig_life_s);
        }
        for ds in cold.ds.iter() {
            let (tag, algorithm, kind) = (ds.key_tag, ds.algorithm, ds.digest_type);
            let digest: String = ds.digest.iter().map(|byte| format!("{byte:02X}")).collect();
            self.out.line("DS", format_args!("{tag} {algorithm} {kind} {digest}"));
        }
        for key in cold.keys.iter() {
            let (flags, protocol, algorithm) = (key.flags, key.protocol, key.algorithm);
            let bytes = key.public_key.len();
            self.out.line("DNSKEY", format_args!("{flags} {protocol} {algorithm} ({bytes} bytes)"));
        }
        self.transfer(cold.transfer.as_ref().map(AsRef::as_ref));
        for extra in cold.extras.iter() {
            self.out.text(&format!("extra {}", extra.0.as_str()), &extra.1);
        }
    }
}

const ROLE_NAMES: [&str; 4] = ["registrant", "admin", "tech", "billing"];

const CONTACT_FIELD_NAMES: &[(&str, ContactField)] = &[
    ("id", ContactField::Id),
    ("roid", ContactField::Roid),
    ("name", ContactField::Name),
    ("org", ContactField::Org),
    ("street", ContactField::Street1),
    ("street", ContactField::Street2),
    ("street", ContactField::Street3),
    ("city", ContactField::City),
    ("sp", ContactField::Sp),
    ("pc", ContactField::Pc),
    ("cc", ContactField::Cc),
    ("voice", ContactField::Voice),
    ("voice ext", ContactField::VoiceExt),
    ("fax", ContactField::Fax),
    ("fax ext", ContactField::FaxExt),
    ("email", ContactField::Email),
];

const DISCLOSE_NAMES: &[(u16, &str)] = &[
    (Disclose::NAME_INT, "name (int)"),
    (Disclose::NAME_LOC, "name (loc)"),
    (Disclose::ORG_INT, "org (int)"),
    (Disclose::ORG_LOC, "org (loc)"),
    (Disclose::ADDR_INT, "addr (int)"),
    (Disclose::ADDR_LOC, "addr (loc)"),
    (Disclose::VOICE, "voice"),
    (Disclose::FAX, "fax"),
    (Disclose::EMAIL, "email"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_rfc_3339() {
        assert_eq!(Utc(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Utc(951_782_399_999).to_string(), "2000-02-28T23:59:59.999Z");
        assert_eq!(Utc(-1).to_string(), "1969-12-31T23:59:59.999Z");
        assert_eq!(Utc(i64::MIN).to_string(), "-");
        assert_eq!(Utc(4_107_542_400_000).to_string(), "2100-03-01T00:00:00Z");
    }
}

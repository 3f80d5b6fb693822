//! The fields of a record into objects, with the importer's own readers of values.
//!
//! # Invariants
//!
//! - A value that the importer would leave out, or change in a way that loses something, is a
//!   defect here too; the record is then refused.
//! - A defect that the importer only remarks on (no status, no sponsor) is not a reason to refuse.
//!
//! # Does not
//!
//! Look at other objects: a reference may be to one that does not exist.

use snapshot_format::Kind;
use snapshot_format::limits::TEXT_BYTES_MAX;
use snapshot_format::object::{self, Disclose, DnsKey, Ds, HostLink, PostalKind, SecDns, Time};
use snapshot_format::status::RegistrarStatus;

use super::json::{self, DISCLOSE_WORDS, List};
use crate::hex;
use crate::vet::Rule;
use crate::vet::findings::Defects;
use crate::vet::{draft, value};

/// A name as records have it: A-labels in lower case, no final dot; `None`: it is not a name.
pub(crate) fn normal_name(text: &str) -> Option<String> {
    let name = Reader::default().key(Kind::Domain, text);
    (!name.is_empty()).then_some(name)
}

/// Reads the fields of one record; its defects say what is wrong with them.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) defects: Defects,
}

impl Reader {
    /// The key of an object that is deleted: a name in A-label form, an identifier as it stands.
    pub(super) fn key(&mut self, kind: Kind, text: &str) -> String {
        let mut key = String::new();
        match kind {
            Kind::Domain | Kind::Nameserver | Kind::Nndn => self.name("delete", &mut key, text),
            Kind::Contact | Kind::Registrar | Kind::IdnTable => {
                self.own_id("delete", &mut key, text);
            }
        }
        key
    }

    pub(super) fn domain(&mut self, json: &json::Domain<'_>) -> object::Domain {
        let mut domain = object::Domain::default();
        self.name("name", &mut domain.name, &json.name);
        self.id("roid", &mut domain.roid, &json.roid);
        self.text("uName", &mut domain.u_name, &json.u_name);
        self.id("idnTableId", &mut domain.idn_table, &json.idn_table);
        self.other_name("originalName", &mut domain.original_name, &json.original_name);
        for word in self.list("status", &json.statuses) {
            draft::domain_status(&mut self.defects, &mut domain.statuses, word, false);
        }
        for word in self.list("rgpStatus", &json.grace) {
            draft::domain_status(&mut self.defects, &mut domain.statuses, word, true);
        }
        for link in self.list("contacts", &json.contacts) {
            self.control("contacts", &link.id);
            draft::contact(&mut self.defects, &mut domain, &link.role, &link.id);
        }
        for link in self.list("ns", &json.nameservers) {
            self.nameserver(&mut domain, link);
        }
        self.id("clID", &mut domain.registrar, &json.registrar);
        self.actor("crRr", &mut domain.creator, json.creator.as_ref());
        self.time("crDate", &mut domain.created, &json.created);
        self.actor("upRr", &mut domain.updater, json.updater.as_ref());
        self.time("upDate", &mut domain.updated, &json.updated);
        self.time("exDate", &mut domain.expires, &json.expires);
        self.time("trDate", &mut domain.transferred, &json.transferred);
        domain.sec_dns = json.sec_dns.as_ref().map(|json| self.sec_dns(json));
        domain.transfer = json.transfer.as_ref().map(|json| self.transfer(json));
        for extra in self.list("extras", &json.extras) {
            self.control("extras", &extra.key);
            self.control("extras", &extra.value);
            draft::extra(&mut self.defects, &mut domain, &extra.key, &extra.value);
        }
        domain
    }

    pub(super) fn host(&mut self, json: &json::Host<'_>) -> object::Nameserver {
        let mut host = object::Nameserver::default();
        self.name("name", &mut host.name, &json.name);
        self.id("roid", &mut host.roid, &json.roid);
        for word in self.list("status", &json.statuses) {
            draft::host_status(&mut self.defects, &mut host.statuses, word);
        }
        if let Some(addresses) = &json.addresses {
            for (version, texts) in [("v4", &addresses.v4), ("v6", &addresses.v6)] {
                for text in self.list("addr", texts) {
                    let (v4, v6) = (&mut host.v4, &mut host.v6);
                    draft::address(&mut self.defects, v4, v6, text, Some(version));
                }
            }
        }
        self.id("clID", &mut host.registrar, &json.registrar);
        self.actor("crRr", &mut host.creator, json.creator.as_ref());
        self.time("crDate", &mut host.created, &json.created);
        self.actor("upRr", &mut host.updater, json.updater.as_ref());
        self.time("upDate", &mut host.updated, &json.updated);
        self.time("trDate", &mut host.transferred, &json.transferred);
        host
    }

    pub(super) fn contact(&mut self, json: &json::Contact<'_>) -> object::Contact {
        let mut contact = object::Contact::default();
        self.own_id("id", &mut contact.id, &json.id);
        self.id("roid", &mut contact.roid, &json.roid);
        for word in self.list("status", &json.statuses) {
            draft::contact_status(&mut self.defects, &mut contact.statuses, word);
        }
        self.postal(&mut contact.postal, &json.postal);
        self.phone("voice", &mut contact.voice, json.voice.as_ref());
        self.phone("fax", &mut contact.fax, json.fax.as_ref());
        self.text("email", &mut contact.email, &json.email);
        self.id("clID", &mut contact.registrar, &json.registrar);
        self.actor("crRr", &mut contact.creator, json.creator.as_ref());
        self.time("crDate", &mut contact.created, &json.created);
        self.actor("upRr", &mut contact.updater, json.updater.as_ref());
        self.time("upDate", &mut contact.updated, &json.updated);
        self.time("trDate", &mut contact.transferred, &json.transferred);
        contact.transfer = json.transfer.as_ref().map(|json| self.transfer(json));
        contact.disclose = json.disclose.as_ref().map(|json| self.disclose(json));
        contact
    }

    pub(super) fn registrar(&mut self, json: &json::Registrar<'_>) -> object::Registrar {
        let mut registrar = object::Registrar { iana_id: json.iana_id, ..Default::default() };
        self.own_id("id", &mut registrar.id, &json.id);
        self.text("name", &mut registrar.name, &json.name);
        if !json.status.is_empty() {
            match RegistrarStatus::of_word(&json.status) {
                Some(status) => registrar.status = status,
                None => self.defects.add(Rule::ValueBad, "status", json.status.as_ref()),
            }
        }
        self.postal(&mut registrar.postal, &json.postal);
        self.phone("voice", &mut registrar.voice, json.voice.as_ref());
        self.phone("fax", &mut registrar.fax, json.fax.as_ref());
        self.text("email", &mut registrar.email, &json.email);
        self.text("url", &mut registrar.url, &json.url);
        if let Some(whois) = &json.whois {
            self.text("whoisInfo", &mut registrar.whois_name, &whois.name);
            self.text("whoisInfo", &mut registrar.whois_url, &whois.url);
        }
        self.time("crDate", &mut registrar.created, &json.created);
        self.time("upDate", &mut registrar.updated, &json.updated);
        registrar
    }

    pub(super) fn idn_table(&mut self, json: &json::IdnTable<'_>) -> object::IdnTable {
        let mut table = object::IdnTable::default();
        self.own_id("id", &mut table.id, &json.id);
        self.text("url", &mut table.url, &json.url);
        self.text("urlPolicy", &mut table.policy_url, &json.policy_url);
        table
    }

    pub(super) fn nndn(&mut self, json: &json::Nndn<'_>) -> object::Nndn {
        let mirroring_ns = json.mirroring_ns.unwrap_or(true);
        let mut nndn = object::Nndn { mirroring_ns, ..object::Nndn::default() };
        self.name("aName", &mut nndn.name, &json.name);
        self.text("uName", &mut nndn.u_name, &json.u_name);
        self.id("idnTableId", &mut nndn.idn_table, &json.idn_table);
        self.other_name("originalName", &mut nndn.original_name, &json.original_name);
        nndn.state = draft::nndn_state(&mut self.defects, &json.state);
        self.time("crDate", &mut nndn.created, &json.created);
        nndn
    }

    /// The elements of a list; a defect if there were more than are kept.
    fn list<'l, T>(&mut self, field: &'static str, list: &'l List<T>) -> &'l [T] {
        if list.count > list.items.len() {
            self.defects.add(Rule::ListTooLong, field, format!("{} elements", list.count));
        }
        &list.items
    }

    fn control(&mut self, field: &'static str, text: &str) {
        if text.chars().any(char::is_control) {
            self.defects.add(Rule::CharacterBad, field, text);
        }
    }

    pub(super) fn text(&mut self, field: &'static str, slot: &mut String, text: &str) {
        self.control(field, text);
        draft::text(&mut self.defects, field, slot, text);
    }

    /// An identifier; empty: none.
    pub(super) fn id(&mut self, field: &'static str, slot: &mut String, text: &str) {
        self.control(field, text);
        draft::identifier(&mut self.defects, field, slot, text);
    }

    fn own_id(&mut self, field: &'static str, slot: &mut String, text: &str) {
        self.id(field, slot, text);
        if text.is_empty() {
            self.defects.add(Rule::KeyUnusable, field, text);
        }
    }

    fn name(&mut self, field: &'static str, slot: &mut String, text: &str) {
        draft::own_name(&mut self.defects, field, slot, text);
        if slot.is_empty() {
            self.defects.add(Rule::KeyUnusable, field, text);
        }
    }

    fn other_name(&mut self, field: &'static str, slot: &mut String, text: &str) {
        draft::other_name(&mut self.defects, field, slot, text);
    }

    /// A time; empty: none.
    pub(super) fn time(&mut self, field: &'static str, slot: &mut Time, text: &str) {
        draft::time(&mut self.defects, field, slot, text);
    }

    fn actor(
        &mut self,
        field: &'static str,
        slot: &mut object::Actor,
        json: Option<&json::Actor<'_>>,
    ) {
        let Some(json) = json else { return };
        self.id(field, &mut slot.registrar, &json.id);
        self.text(field, &mut slot.client, &json.client);
    }

    fn phone(
        &mut self,
        field: &'static str,
        slot: &mut object::Phone,
        json: Option<&json::Phone<'_>>,
    ) {
        let Some(json) = json else { return };
        self.text(field, &mut slot.number, &json.number);
        self.text(field, &mut slot.ext, &json.ext);
    }

    fn postal(&mut self, list: &mut Vec<object::Postal>, json: &List<json::Postal<'_>>) {
        for json in self.list("postalInfo", json) {
            let kind = match json.kind.as_ref() {
                "int" => PostalKind::Int,
                "loc" => PostalKind::Loc,
                other => {
                    self.defects.add(Rule::ValueBad, "postalInfo", other);
                    continue;
                }
            };
            let mut postal = object::Postal { kind, ..object::Postal::default() };
            self.text("name", &mut postal.name, &json.name);
            self.text("org", &mut postal.org, &json.org);
            if let Some(addr) = &json.addr {
                self.address_of(&mut postal, addr);
            }
            draft::postal(&mut self.defects, list, postal);
        }
    }

    fn address_of(&mut self, postal: &mut object::Postal, addr: &json::PostalAddress<'_>) {
        let lines = self.list("street", &addr.street);
        if lines.len() > postal.street.len() {
            let got = format!("{} lines", lines.len());
            self.defects.add(Rule::ElementRepeated, "street", got);
        }
        for (slot, line) in postal.street.iter_mut().zip(lines) {
            self.text("street", slot, line);
        }
        self.text("city", &mut postal.city, &addr.city);
        self.text("sp", &mut postal.sp, &addr.sp);
        self.text("pc", &mut postal.pc, &addr.pc);
        self.text("cc", &mut postal.cc, &addr.cc);
    }

    fn transfer(&mut self, json: &json::Transfer<'_>) -> object::Transfer {
        let mut transfer = object::Transfer::default();
        if !json.status.is_empty() {
            draft::transfer_status(&mut self.defects, &mut transfer, &json.status);
        }
        self.actor("reRr", &mut transfer.requester, json.requester.as_ref());
        self.time("reDate", &mut transfer.requested, &json.requested);
        self.actor("acRr", &mut transfer.actor, json.actor.as_ref());
        self.time("acDate", &mut transfer.acted, &json.acted);
        self.time("trnData exDate", &mut transfer.expires, &json.expires);
        transfer
    }

    fn nameserver(&mut self, domain: &mut object::Domain, link: &json::HostLink<'_>) {
        match link {
            json::HostLink::Name(name) => {
                draft::nameserver(&mut self.defects, domain, name);
            }
            json::HostLink::Roid(json) => {
                let mut roid = String::new();
                self.id("ns", &mut roid, &json.roid);
                if roid.is_empty() {
                    self.defects.add(Rule::ReferenceBad, "ns", json.roid.as_ref());
                } else {
                    draft::nameserver_link(&mut self.defects, domain, HostLink::Roid(roid));
                }
            }
        }
    }

    fn sec_dns(&mut self, json: &json::SecDns<'_>) -> SecDns {
        let mut sec_dns = SecDns { max_sig_life_s: json.max_sig_life_s, ..SecDns::default() };
        for ds in self.list("secDNS", &json.ds) {
            let (key_tag, algorithm) = (ds.key_tag, ds.algorithm);
            match hex::decode(&ds.digest).filter(|digest| digest.len() <= TEXT_BYTES_MAX) {
                Some(digest) => {
                    let digest_type = ds.digest_type;
                    sec_dns.ds.push(Ds { key_tag, algorithm, digest_type, digest });
                }
                None => self.defects.add(Rule::DsBad, "secDNS", ds.digest.as_ref()),
            }
        }
        for key in self.list("secDNS", &json.keys) {
            let (flags, protocol, algorithm) = (key.flags, key.protocol, key.algorithm);
            match value::base64(&key.public_key).filter(|key| key.len() <= TEXT_BYTES_MAX) {
                Some(public_key) => {
                    sec_dns.keys.push(DnsKey { flags, protocol, algorithm, public_key });
                }
                None => self.defects.add(Rule::KeyDataBad, "secDNS", key.public_key.as_ref()),
            }
        }
        sec_dns
    }

    fn disclose(&mut self, json: &json::Disclose<'_>) -> Disclose {
        let mut fields = 0u16;
        for word in self.list("disclose", &json.fields) {
            match DISCLOSE_WORDS.iter().zip(0u32..).find(|(known, _)| *known == word) {
                Some((_, bit)) => fields |= 1u16.wrapping_shl(bit),
                None => self.defects.add(Rule::ValueBad, "disclose", word.as_ref()),
            }
        }
        Disclose { allow: json.flag, fields }
    }
}

//! A small fixed registry, as a snapshot in memory, for the conversations.

// Each test file uses its part of this module.
#![allow(dead_code, reason = "shared by several test binaries")]

mod idn;
pub(crate) mod index;
mod typed;

use std::io::Cursor;
use std::rc::Rc;
use std::sync::Arc;

use snapshot_format::builder::{Builder, Options, contact_order_key};
use snapshot_format::delta::encode;
use snapshot_format::object::{
    Contact, ContactLink, ContactRole, Disclose, DnsKey, Domain, Ds, HostLink, IdnTable,
    Nameserver, Nndn, NndnState, Phone, Postal, PostalKind, Registrar, SecDns, Time,
};
use snapshot_format::record::Meta;
use snapshot_format::sort::MemoryScratch;
use snapshot_format::status::{ContactStatuses, DomainStatuses, HostStatuses, RegistrarStatus};
use snapshot_format::{Change, Object};
use whoisd::store::{Live, Settings, Stamp, Writer};
use whoisd::view::{Disk, View};

/// 2026-11-01T00:00:00Z.
pub(crate) const AS_OF_MS: i64 = 1_793_491_200_000;

const DAY_S: i64 = 86_400;
const CREATED: Time = Time::from_s(1_577_836_800); // 2020-01-01

/// Objects of a registry, in any order.
#[derive(Default)]
pub(crate) struct Objects {
    pub(crate) registrars: Vec<Registrar>,
    pub(crate) idn_tables: Vec<IdnTable>,
    pub(crate) contacts: Vec<Contact>,
    pub(crate) nameservers: Vec<Nameserver>,
    pub(crate) nndns: Vec<Nndn>,
    pub(crate) domains: Vec<Domain>,
    pub(crate) suffixes: Vec<String>,
}

impl Objects {
    /// A view of these objects.
    pub(crate) fn view(mut self) -> View {
        let out = Cursor::new(Vec::new());
        let options = Options { watermark_ms: AS_OF_MS, ..Options::default() };
        let mut builder = Builder::new(out, Rc::new(MemoryScratch), options).unwrap();
        self.registrars.sort_by(|a, b| a.id.cmp(&b.id));
        self.idn_tables.sort_by(|a, b| a.id.cmp(&b.id));
        self.contacts.sort_by_key(|contact| contact_order_key(&contact.id));
        self.nameservers.sort_by(|a, b| a.name.cmp(&b.name));
        self.nndns.sort_by(|a, b| a.name.cmp(&b.name));
        self.domains.sort_by(|a, b| a.name.cmp(&b.name));
        self.suffixes.sort();
        for registrar in &self.registrars {
            builder.registrar(registrar).unwrap();
        }
        for table in &self.idn_tables {
            builder.idn_table(table).unwrap();
        }
        for contact in &self.contacts {
            builder.contact(contact, &mut |_defect| {}).unwrap();
        }
        for nameserver in &self.nameservers {
            builder.nameserver(nameserver, &mut |_defect| {}).unwrap();
        }
        for nndn in &self.nndns {
            builder.nndn(nndn, &mut |_defect| {}).unwrap();
        }
        for domain in &self.domains {
            builder.domain(domain, &mut |_defect| {}).unwrap();
        }
        let meta = Meta { suffixes: self.suffixes, ..Meta::default() };
        let (out, _summary) = builder.finish(&meta, &mut |_name, _defect| {}).unwrap();
        View::of_bytes(out.into_inner()).unwrap()
    }

    /// The same as changes over an empty base: in a directory, one batch for each kind, objects
    /// that refer to others first. Nameservers are the exception: those of one address are listed
    /// in the order in which they came.
    pub(crate) fn view_of_changes(self) -> View {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::lock(Disk::new(directory.path()), Settings::default()).unwrap();
        let mut base = writer.begin().unwrap();
        let options = Options { watermark_ms: AS_OF_MS, ..Options::default() };
        let builder = Builder::new(&mut base, Rc::new(MemoryScratch), options).unwrap();
        let mut suffixes = self.suffixes;
        suffixes.sort();
        let meta = Meta { suffixes, ..Meta::default() };
        builder.finish(&meta, &mut |_name, _defect| {}).unwrap();
        writer.publish(base).unwrap();
        let mut live = Live::open(writer).unwrap();
        let batches: [Vec<Object>; 6] = [
            self.nameservers.into_iter().map(Object::Nameserver).collect(),
            self.domains.into_iter().map(Object::Domain).collect(),
            self.nndns.into_iter().map(Object::Nndn).collect(),
            self.contacts.into_iter().map(Object::Contact).collect(),
            self.idn_tables.into_iter().map(Object::IdnTable).collect(),
            self.registrars.into_iter().map(Object::Registrar).collect(),
        ];
        for (serial, batch) in (1..).zip(batches) {
            let upsert = |object| Change::Upsert(Box::new(object));
            let changes: Vec<Change> = batch.into_iter().map(upsert).collect();
            let encoded = encode(&**live.generation(), &changes, &mut |_key, _defect| {}).unwrap();
            let stamp = Stamp { serial, committed_ms: AS_OF_MS, heartbeat_ms: i64::MIN };
            live.append(&encoded, stamp).unwrap();
        }
        View::of(Arc::clone(live.generation()), None).unwrap()
    }
}

/// The registry of the conversations.
pub(crate) fn small() -> View {
    objects().view()
}

/// The same, come as changes.
pub(crate) fn small_of_changes() -> View {
    objects().view_of_changes()
}

/// What it is made of.
pub(crate) fn objects() -> Objects {
    Objects {
        registrars: registrars().into_iter().chain(typed::registrars()).collect(),
        idn_tables: idn::tables(),
        contacts: contacts(),
        nameservers: nameservers().into_iter().chain(typed::nameservers()).collect(),
        nndns: nndns().into_iter().chain(typed::nndns()).collect(),
        domains: domains().into_iter().chain(typed::domains()).collect(),
        suffixes: ["demo", "co.demo", "xn--80adxhks", "open", "xn--ngbc5azd.demo"]
            .map(str::to_owned)
            .to_vec(),
    }
}

fn text(value: &str) -> String {
    value.to_owned()
}

fn phone(number: &str, ext: &str) -> Phone {
    Phone { number: text(number), ext: text(ext) }
}

fn postal(kind: PostalKind, fields: [&str; 9]) -> Postal {
    let [name, org, street1, street2, street3, city, sp, pc, cc] = fields.map(text);
    Postal { kind, name, org, street: [street1, street2, street3], city, sp, pc, cc }
}

fn registrars() -> Vec<Registrar> {
    let address = |cc| {
        let fields = ["", "", "100 Main Street", "Floor 2", "", "Boston", "MA", "02101", cc];
        vec![postal(PostalKind::Int, fields)]
    };
    vec![
        Registrar {
            id: text("reg-1"),
            name: text("Example Registrar, Inc."),
            iana_id: 9998,
            status: RegistrarStatus::Ok,
            postal: address("US"),
            voice: phone("+1.6175550100", "7"),
            fax: phone("+1.6175550101", ""),
            email: text("support@registrar.example"),
            url: text("https://www.registrar.example"),
            whois_name: text("whois.registrar.example"),
            ..Registrar::default()
        },
        Registrar {
            id: text("reg-2"),
            name: text("Jürg Müller"),
            iana_id: 77,
            postal: vec![
                postal(
                    PostalKind::Int,
                    ["", "", "Bahnhofstr. 1", "", "", "Zuerich", "", "8001", "CH"],
                ),
                postal(
                    PostalKind::Loc,
                    ["", "", "Bahnhofstraße 1", "", "", "Zürich", "", "8001", "CH"],
                ),
            ],
            voice: phone("+41.445550100", ""),
            email: text("info@mueller.example"),
            url: text("https://mueller.example"),
            ..Registrar::default()
        },
        Registrar {
            id: text("reg-3"),
            name: text("Twin Names Ltd"),
            iana_id: 101,
            ..Registrar::default()
        },
        Registrar {
            id: text("reg-4"),
            name: text("TWIN  NAMES LTD."),
            iana_id: 102,
            ..Registrar::default()
        },
        Registrar { id: text("reg-5"), name: text("4711"), ..Registrar::default() },
    ]
}

fn contact(id: &str, roid: &str) -> Contact {
    Contact {
        id: text(id),
        roid: text(roid),
        statuses: ContactStatuses {
            bits: ContactStatuses::LINKED | ContactStatuses::CLIENT_UPDATE_PROHIBITED,
        },
        postal: vec![postal(
            PostalKind::Int,
            [
                "Alex Holder",
                "Holder Ltd",
                "1 High Street",
                "",
                "Back Yard",
                "Leeds",
                "West Yorkshire",
                "LS1 1AA",
                "GB",
            ],
        )],
        voice: phone("+44.1135550100", "12"),
        fax: phone("+44.1135550101", ""),
        email: text("alex@holder.example"),
        registrar: text("reg-1"),
        created: CREATED,
        updated: Time::from_ms(1_600_000_000_120),
        ..Contact::default()
    }
}

/// Every field of a wish on disclosure.
const EVERYTHING: u16 = (Disclose::EMAIL << 1) - 1;

const LOCALISED: [&str; 9] =
    ["Αλέξης Κάτοχος", "Κάτοχος ΑΕ", "Οδός 1", "", "", "Αθήνα", "", "10431", "GR"];
const INTERNATIONALISED: [&str; 9] =
    ["Alexis Katochos", "Katochos AE", "Odos 1", "", "", "Athina", "", "10431", "GR"];
const SPARSE: [&str; 9] = ["Sparse", "", "", "", "", "", "", "", ""];
const FORGED: [&str; 9] = [
    "Eve\r\nDomain Name: evil.demo",
    "Org\u{85}Registrar: evil",
    "Street\u{2028}City: evil",
    "\u{202e}gnorw",
    "",
    "City\0\t",
    "\u{7f}",
    "1\u{b}2",
    "GB",
];

fn contacts() -> Vec<Contact> {
    let wish = |allow, fields| Some(Disclose { allow, fields });
    let int = |fields| postal(PostalKind::Int, fields);
    vec![
        contact("C-PLAIN", "C1-DEMO"),
        Contact { disclose: wish(true, EVERYTHING), ..contact("C-SHOW", "C2-DEMO") },
        Contact { disclose: wish(false, EVERYTHING), ..contact("C-HIDE", "C3-DEMO") },
        Contact {
            postal: vec![int(INTERNATIONALISED), postal(PostalKind::Loc, LOCALISED)],
            disclose: wish(true, Disclose::NAME_LOC | Disclose::ORG_LOC),
            ..contact("C-TWO", "C4-DEMO")
        },
        Contact {
            postal: vec![int(SPARSE)],
            voice: Phone::default(),
            fax: Phone::default(),
            email: String::new(),
            created: Time::NONE,
            updated: Time::NONE,
            ..contact("C-SPARSE", "")
        },
        Contact {
            postal: vec![int(FORGED)],
            email: text("eve@evil.demo\r\n>>> Last update of WHOIS database: never <<<"),
            ..contact("C-FORGED", "C6-DEMO")
        },
        contact("Case_1", "C7-DEMO"),
        contact("CASE_1", "C8-DEMO"),
    ]
}

fn nameserver(name: &str, roid: &str) -> Nameserver {
    Nameserver {
        name: text(name),
        roid: text(roid),
        statuses: HostStatuses { bits: HostStatuses::OK | HostStatuses::LINKED },
        registrar: text("reg-1"),
        created: CREATED,
        ..Nameserver::default()
    }
}

const SHARED_V4: [u8; 4] = [192, 0, 2, 53];
const SHARED_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53];

fn nameservers() -> Vec<Nameserver> {
    let mut list = vec![
        Nameserver {
            v4: vec![[192, 0, 2, 1], SHARED_V4],
            v6: vec![SHARED_V6],
            ..nameserver("ns1.example.demo", "H1-DEMO")
        },
        Nameserver { v4: vec![[192, 0, 2, 2]], ..nameserver("ns2.example.demo", "H2-DEMO") },
        Nameserver { v4: vec![SHARED_V4], ..nameserver("ns.shared.demo", "H3-DEMO") },
        Nameserver { v4: vec![SHARED_V4], ..nameserver("a.noroid.demo", "") },
        Nameserver { registrar: String::new(), ..nameserver("ns.elsewhere.test", "H5-DEMO") },
        nameserver("ns1.xn--mnchen-3ya.demo", "H6-DEMO"),
    ];
    for number in 0..12 {
        list.push(nameserver(&format!("ns{number}.pool.demo"), &format!("HP{number}-DEMO")));
    }
    list
}

fn nndns() -> Vec<Nndn> {
    let nndn = |name: &str, original: &str, state| Nndn {
        name: text(name),
        original_name: text(original),
        state,
        mirroring_ns: true,
        created: CREATED,
        ..Nndn::default()
    };
    vec![
        nndn("blocked.demo", "", NndnState::Blocked),
        Nndn {
            idn_table: text("de"),
            ..nndn("xn--mnechen-n2a.demo", "xn--mnchen-3ya.demo", NndnState::Withheld)
        },
        nndn("muenchen-stadt.demo", "xn--mnchen-3ya.demo", NndnState::Mirrored),
        nndn("mirrored.demo", "", NndnState::Mirrored),
        nndn("stateless.demo", "", NndnState::Unknown),
    ]
}

fn roles(ids: [&str; 4]) -> Vec<ContactLink> {
    let roles =
        [ContactRole::Registrant, ContactRole::Admin, ContactRole::Tech, ContactRole::Billing];
    let links = roles.into_iter().zip(ids).filter(|(_, id)| !id.is_empty());
    links.map(|(role, id)| ContactLink { role, id: text(id) }).collect()
}

fn hosts(names: &[&str]) -> Vec<HostLink> {
    names.iter().map(|name| HostLink::Name(text(name))).collect()
}

fn domain(name: &str, roid: &str) -> Domain {
    Domain {
        name: text(name),
        roid: text(roid),
        statuses: DomainStatuses { bits: DomainStatuses::OK },
        contacts: roles(["C-PLAIN", "C-PLAIN", "C-PLAIN", "C-PLAIN"]),
        nameservers: hosts(&["ns2.example.demo", "ns1.example.demo"]),
        registrar: text("reg-1"),
        created: CREATED,
        updated: Time::from_ms(1_600_000_000_120),
        expires: Time::from_s(1_577_836_800 + 10 * 366 * DAY_S),
        ..Domain::default()
    }
}

fn domains() -> Vec<Domain> {
    let mut list = vec![
        Domain {
            name: text("minimal.demo"),
            roid: text("D2-DEMO"),
            statuses: DomainStatuses { bits: DomainStatuses::INACTIVE },
            ..Domain::default()
        },
        Domain {
            nameservers: (0..12).map(|n| HostLink::Name(format!("ns{n}.pool.demo"))).collect(),
            ..domain("pool.demo", "D12-DEMO")
        },
        Domain {
            nameservers: Vec::new(),
            registrar: text("reg-2"),
            ..domain("mueller.demo", "D13-DEMO")
        },
        domain("domain.demo", "D14-DEMO"),
        domain("help.demo", "D15-DEMO"),
        domain("shop.co.demo", "D16-DEMO"),
        domain("example.open", "D17-DEMO"),
    ];
    list.extend(domains_with_statuses());
    list.extend(domains_with_contacts());
    list.extend(domains_with_more());
    list.extend(idn::domains());
    for number in 0..60 {
        list.push(domain(&format!("wildcard{number:02}.demo"), &format!("W{number}-DEMO")));
    }
    for number in 0..8000 {
        list.push(Domain {
            contacts: Vec::new(),
            ..domain(&format!("budget{number:04}.demo"), &format!("B{number}-DEMO"))
        });
    }
    list
}

fn domains_with_statuses() -> [Domain; 3] {
    let with =
        |name, roid, bits| Domain { statuses: DomainStatuses { bits }, ..domain(name, roid) };
    [
        with(
            "example.demo",
            "D1-DEMO",
            DomainStatuses::CLIENT_TRANSFER_PROHIBITED
                | DomainStatuses::SERVER_DELETE_PROHIBITED
                | DomainStatuses::AUTO_RENEW_PERIOD,
        ),
        with(
            "deleted.demo",
            "D3-DEMO",
            DomainStatuses::PENDING_DELETE
                | DomainStatuses::RGP_PENDING_DELETE
                | DomainStatuses::CLIENT_HOLD,
        ),
        with(
            "restorable.demo",
            "D4-DEMO",
            DomainStatuses::PENDING_DELETE | DomainStatuses::REDEMPTION_PERIOD,
        ),
    ]
}

fn domains_with_contacts() -> [Domain; 4] {
    let with = |name, roid, ids| Domain { contacts: roles(ids), ..domain(name, roid) };
    [
        with("shown.demo", "D6-DEMO", ["C-SHOW", "", "C-SHOW", ""]),
        with("hidden.demo", "D7-DEMO", ["C-HIDE"; 4]),
        with("localised.demo", "D8-DEMO", ["C-TWO", "", "", ""]),
        with("sparse.demo", "D9-DEMO", ["C-SPARSE", "", "C-SPARSE", ""]),
    ]
}

/// Domains with DNSSEC, and with key-value extras.
fn domains_with_more() -> [Domain; 3] {
    let ds = Ds { key_tag: 12345, algorithm: 13, digest_type: 2, digest: vec![0xab; 32] };
    let key = DnsKey { flags: 257, protocol: 3, algorithm: 13, public_key: vec![1, 2, 3, 4] };
    let extra = |key, value| (text(key), text(value));
    [
        Domain {
            sec_dns: Some(SecDns { max_sig_life_s: 0, ds: vec![ds], keys: vec![key] }),
            ..domain("signed.demo", "D5-DEMO")
        },
        Domain {
            contacts: roles(["C-FORGED"; 4]),
            extras: vec![
                extra("Eligibility", "a\r\nRegistrar: evil"),
                extra("Domain Name", "evil.demo"),
                extra("Fine: x\r\nDomain Name", "evil.demo"),
            ],
            ..domain("forged.demo", "D10-DEMO")
        },
        Domain {
            extras: vec![
                extra("Eligibility", "company"),
                extra("Language", "sq"),
                extra("registrant name", "not from here"),
            ],
            ..domain("extras.demo", "D11-DEMO")
        },
    ]
}

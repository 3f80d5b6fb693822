//! A small registry of objects with every field set, and records of them.

use snapshot_format::object::{
    Actor, Contact, ContactLink, ContactRole, Disclose, DnsKey, Domain, Ds, HostLink, IdnTable,
    Nameserver, Nndn, NndnState, Phone, Postal, PostalKind, Registrar, SecDns, Time, Transfer,
};
use snapshot_format::status::{ContactStatuses, DomainStatuses, HostStatuses, RegistrarStatus};
use snapshot_format::{Change, Object};
use whoisd::feed::ChangeRecord;

/// 2026-11-25T12:00:00Z, ms since the epoch.
pub(crate) const NOW_MS: i64 = 1_795_608_000_000;

pub(crate) fn text(text: &str) -> String {
    text.to_owned()
}

/// The line of a record.
pub(crate) fn written(record: &ChangeRecord) -> Vec<u8> {
    let mut line = Vec::new();
    record.write_json(&mut line);
    line
}

/// A record that states an object.
pub(crate) fn record_of(object: Object) -> ChangeRecord {
    ChangeRecord {
        serial: 1,
        committed_ms: NOW_MS + 250,
        transaction: text("T-4711"),
        body: Change::Upsert(Box::new(object)).into(),
    }
}

/// An object of each kind, in the order of the kinds.
pub(crate) fn one_of_each() -> [Object; 6] {
    [registrar(), idn_table(), contact(), host(), nndn(), domain()]
}

fn actor(client: &str) -> Actor {
    Actor { registrar: text("reg-1"), client: text(client) }
}

fn phone(number: &str, ext: &str) -> Phone {
    Phone { number: text(number), ext: text(ext) }
}

fn postal(kind: PostalKind, name: &str, org: &str, city: &str) -> Postal {
    Postal {
        kind,
        name: text(name),
        org: text(org),
        street: [text("Main Street 1"), String::new(), text("\"Back\" house")],
        city: text(city),
        sp: text("BY"),
        pc: text("80331"),
        cc: text("DE"),
    }
}

fn transfer() -> Transfer {
    Transfer {
        status: text("clientApproved"),
        requester: Actor { registrar: text("reg-2"), client: text("anna") },
        requested: Time::from_ms(NOW_MS - 500_000_000),
        actor: actor("jdoe"),
        acted: Time::from_ms(NOW_MS - 400_000_000),
        expires: Time::from_s(1_900_000_000),
    }
}

pub(crate) fn registrar() -> Object {
    Object::Registrar(Registrar {
        id: text("reg-1"),
        name: text("Registrar One, Inc."),
        iana_id: 9999,
        status: RegistrarStatus::Ok,
        postal: vec![
            postal(PostalKind::Int, "", "", "Munich"),
            postal(PostalKind::Loc, "", "", "München"),
        ],
        voice: phone("+49.891234", "12"),
        fax: phone("+49.891235", ""),
        email: text("info@registrar.example"),
        url: text("https://registrar.example/"),
        whois_name: text("whois.registrar.example"),
        whois_url: text("https://registrar.example/whois"),
        created: Time::from_s(1_000_000_000),
        updated: Time::from_ms(1_100_000_000_001),
    })
}

pub(crate) fn idn_table() -> Object {
    Object::IdnTable(IdnTable {
        id: text("sq"),
        url: text("https://registry.example/tables/sq"),
        policy_url: text("https://registry.example/tables/sq-policy"),
    })
}

pub(crate) fn contact() -> Object {
    Object::Contact(Contact {
        id: text("C-1"),
        roid: text("C1-DEMO"),
        statuses: ContactStatuses { bits: ContactStatuses::OK | ContactStatuses::LINKED },
        postal: vec![
            postal(PostalKind::Int, "Juergen", "Buecher", "Munich"),
            postal(PostalKind::Loc, "Jürgen", "Bücher \\ GmbH", "München"),
        ],
        voice: phone("+49.891234", ""),
        fax: phone("+49.891235", "7"),
        email: text("juergen@example.demo"),
        registrar: text("reg-1"),
        creator: actor("jdoe"),
        updater: actor(""),
        created: Time::from_s(1_200_000_000),
        updated: Time::from_s(1_300_000_000),
        transferred: Time::from_s(1_250_000_000),
        transfer: Some(Transfer { expires: Time::NONE, ..transfer() }),
        disclose: Some(Disclose { allow: false, fields: Disclose::NAME_INT | Disclose::EMAIL }),
    })
}

pub(crate) fn host() -> Object {
    Object::Nameserver(Nameserver {
        name: text("ns1.example.demo"),
        roid: text("H1-DEMO"),
        statuses: HostStatuses { bits: HostStatuses::LINKED },
        v4: vec![[192, 0, 2, 1], [192, 0, 2, 2]],
        v6: vec![[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
        registrar: text("reg-1"),
        creator: actor("jdoe"),
        updater: actor("batch"),
        created: Time::from_s(1_200_000_000),
        updated: Time::from_s(1_300_000_000),
        transferred: Time::from_s(1_250_000_000),
    })
}

pub(crate) fn nndn() -> Object {
    Object::Nndn(Nndn {
        name: text("xn--mnchen-3ya.demo"),
        u_name: text("münchen.demo"),
        idn_table: text("de"),
        original_name: text("muenchen.demo"),
        state: NndnState::Mirrored,
        mirroring_ns: false,
        created: Time::from_s(1_200_000_000),
    })
}

pub(crate) fn domain() -> Object {
    let link = |role, id| ContactLink { role, id: text(id) };
    Object::Domain(Domain {
        name: text("xn--bcher-kva.demo"),
        roid: text("D1-DEMO"),
        u_name: text("bücher.demo"),
        idn_table: text("de"),
        original_name: text("buecher.demo"),
        statuses: DomainStatuses {
            bits: DomainStatuses::CLIENT_HOLD
                | DomainStatuses::PENDING_DELETE
                | DomainStatuses::REDEMPTION_PERIOD
                | DomainStatuses::RGP_PENDING_DELETE,
        },
        contacts: vec![
            link(ContactRole::Registrant, "C-1"),
            link(ContactRole::Admin, "C-1"),
            link(ContactRole::Tech, "C-2"),
            link(ContactRole::Billing, "C-3"),
        ],
        nameservers: vec![
            HostLink::Name(text("ns1.example.demo")),
            HostLink::Roid(text("H2-DEMO")),
        ],
        registrar: text("reg-1"),
        creator: actor("jdoe"),
        updater: actor("batch"),
        created: Time::from_s(1_200_000_000),
        updated: Time::from_ms(1_300_000_000_120),
        expires: Time::from_s(1_900_000_000),
        transferred: Time::from_s(1_250_000_000),
        sec_dns: Some(SecDns {
            max_sig_life_s: 604_800,
            ds: vec![Ds { key_tag: 12_345, algorithm: 13, digest_type: 2, digest: vec![0xab; 32] }],
            keys: vec![DnsKey {
                flags: 257,
                protocol: 3,
                algorithm: 13,
                public_key: vec![1, 2, 3, 4],
            }],
        }),
        transfer: Some(transfer()),
        extras: vec![(text("Eligibility"), text("company"))],
    })
}

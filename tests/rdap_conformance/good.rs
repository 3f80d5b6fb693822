//! Answers without findings: a registry whose records have all that ICANN asks for, under a
//! configuration that has it too.

use snapshot_format::object::{
    Contact, ContactLink, ContactRole, Disclose, DnsKey, Domain, Ds, HostLink, Nameserver, Nndn,
    NndnState, Phone, Postal, PostalKind, Registrar, SecDns, Time,
};
use snapshot_format::status::{ContactStatuses, DomainStatuses, HostStatuses, RegistrarStatus};
use whoisd::policy::{Rules, Tier};
use whoisd::query::rdap::{Caller, Document, Refused, refuse};
use whoisd::view::View;

use crate::asked::{Answer, BASE};
use crate::registry::{AS_OF_MS, Objects};

/// An answer of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// A domain whose contacts have not consented: their values are redacted.
    Redacted,
    /// A domain whose contacts have consented.
    Consented,
    /// As [`Of::Redacted`], with every contact shown under the preset `open`.
    Open,
    /// A domain that is signed.
    Signed,
    /// An internationalised domain, asked for in Unicode; it has a variant.
    Idn,
    Nameserver,
    /// Asked for in Unicode.
    IdnNameserver,
    Registrar,
    Contact,
    Nameservers,
    Help,
    NotFound,
    Reserved,
}

impl Of {
    pub(crate) const ALL: [Self; 13] = [
        Self::Redacted,
        Self::Consented,
        Self::Open,
        Self::Signed,
        Self::Idn,
        Self::Nameserver,
        Self::IdnNameserver,
        Self::Registrar,
        Self::Contact,
        Self::Nameservers,
        Self::Help,
        Self::NotFound,
        Self::Reserved,
    ];

    const fn target(self) -> &'static str {
        match self {
            Self::Redacted | Self::Open => "domain/good.example",
            Self::Consented => "domain/Consented.example",
            Self::Signed => "domain/signed.example",
            Self::Idn => "domain/m%C3%BCnchen.example",
            Self::Nameserver => "nameserver/ns1.good.example",
            Self::IdnNameserver => "nameserver/ns.m%C3%BCnchen.example",
            Self::Registrar => "entity/3878",
            Self::Contact => "entity/C2-VRSN",
            Self::Nameservers => "nameservers?ip=198.41.0.4",
            Self::Help => "help",
            Self::NotFound => "domain/none.example",
            Self::Reserved => "domain/reserved.example",
        }
    }
}

/// The registry with its rules.
pub(crate) struct Good {
    view: View,
    rules: Rules,
    open: Rules,
}

const REGISTRAR: &str = r#"
[[registrar]]
id = "reg-1"
abuse_email = "abuse@registrar.example"
abuse_phone = "+1.6175550199"
rdap_url = "https://www.17domain.com/rdap/domain/"
"#;

impl Good {
    pub(crate) fn new() -> Self {
        let rules = |preset: &str| {
            let text = format!("[defaults]\npreset = \"{preset}\"\n{REGISTRAR}");
            Rules::compile(&toml::from_str(&text).unwrap()).unwrap()
        };
        Self {
            view: objects().view(),
            rules: rules("registration-data-policy-2025"),
            open: rules("open"),
        }
    }

    pub(crate) fn answer(&self, of: Of) -> Answer {
        let rules = if of == Of::Open { &self.open } else { &self.rules };
        Answer::to(of.target(), &self.view, (rules, Tier::PUBLIC), &mut Document::new())
    }

    /// As [`Of::Redacted`], the name in other letters.
    pub(crate) fn answer_in_other_case(&self) -> Answer {
        let asked = (&self.rules, Tier::PUBLIC);
        Answer::to("domain/gOoD.eXaMpLe", &self.view, asked, &mut Document::new())
    }

    /// The error of a request that is refused before it is looked at.
    pub(crate) fn refusal(&self, refused: &Refused<'_>) -> Answer {
        let (target, mut out) = ("domain/good.example", Document::new());
        let caller = Caller { tier: Tier::PUBLIC, base: BASE, target, index: None };
        let status = refuse(&self.view, &self.rules, &caller, refused, &mut out);
        Answer::of(target, status.code, &out)
    }

    /// The answer about a name that no registry has.
    pub(crate) fn answer_about_invalid(&self) -> Answer {
        let asked = (&self.rules, Tier::PUBLIC);
        Answer::to("domain/not-a-domain.invalid", &self.view, asked, &mut Document::new())
    }
}

/// The nameservers of an address that has more than an answer shows.
pub(crate) fn many_nameservers() -> Answer {
    let mut objects = objects();
    let number = |number| nameserver(&format!("ns{number}.many.example"), "");
    objects.nameservers.extend((0..150).map(number));
    let rules = Rules::standard();
    let asked = (&rules, Tier::PUBLIC);
    Answer::to(Of::Nameservers.target(), &objects.view(), asked, &mut Document::new())
}

const CREATED: Time = Time::from_s(1_577_836_800); // 2020-01-01
const UPDATED: Time = Time::from_s(1_600_000_000);
const EXPIRES: Time = Time::from_s(1_893_456_000); // 2030-01-01
const _: () = assert!(EXPIRES.ms > AS_OF_MS);

fn text(value: &str) -> String {
    value.to_owned()
}

fn phone(number: &str, ext: &str) -> Phone {
    Phone { number: text(number), ext: text(ext) }
}

fn postal(name: &str, org: &str) -> Vec<Postal> {
    vec![Postal {
        kind: PostalKind::Int,
        name: text(name),
        org: text(org),
        street: [text("1 High Street"), text("Back Yard"), String::new()],
        city: text("Leeds"),
        sp: text("West Yorkshire"),
        pc: text("LS1 1AA"),
        cc: text("GB"),
    }]
}

fn contact(id: &str, roid: &str, disclose: Option<Disclose>) -> Contact {
    Contact {
        id: text(id),
        roid: text(roid),
        statuses: ContactStatuses { bits: ContactStatuses::LINKED },
        postal: postal("Alex Holder", "Holder Ltd"),
        voice: phone("+44.1135550100", "12"),
        fax: phone("+44.1135550101", "13"),
        email: text("alex@holder.example"),
        registrar: text("reg-1"),
        created: CREATED,
        updated: UPDATED,
        disclose,
        ..Contact::default()
    }
}

fn nameserver(name: &str, roid: &str) -> Nameserver {
    Nameserver {
        name: text(name),
        roid: text(roid),
        statuses: HostStatuses { bits: HostStatuses::OK | HostStatuses::LINKED },
        // A root server's: prefixes for documentation are special-purpose space.
        v4: vec![[198, 41, 0, 4]],
        v6: vec![[0x20, 1, 5, 3, 0xba, 0x3e, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0x30]],
        registrar: text("reg-1"),
        created: CREATED,
        ..Nameserver::default()
    }
}

fn domain(name: &str, roid: &str, contact: &str) -> Domain {
    let roles =
        [ContactRole::Registrant, ContactRole::Admin, ContactRole::Tech, ContactRole::Billing];
    let hosts = ["ns1.good.example", "ns.xn--mnchen-3ya.example"];
    Domain {
        name: text(name),
        roid: text(roid),
        statuses: DomainStatuses { bits: DomainStatuses::CLIENT_TRANSFER_PROHIBITED },
        contacts: roles.map(|role| ContactLink { role, id: text(contact) }).into(),
        nameservers: hosts.map(|host| HostLink::Name(text(host))).into(),
        registrar: text("reg-1"),
        created: CREATED,
        updated: UPDATED,
        expires: EXPIRES,
        ..Domain::default()
    }
}

fn objects() -> Objects {
    let everything = Disclose { allow: true, fields: (Disclose::EMAIL << 1) - 1 };
    let ds = Ds { key_tag: 12_345, algorithm: 13, digest_type: 2, digest: vec![0xab; 32] };
    let key = DnsKey { flags: 257, protocol: 3, algorithm: 13, public_key: vec![1, 2, 3, 4] };
    Objects {
        registrars: vec![Registrar {
            id: text("reg-1"),
            name: text("Example Registrar, Inc."),
            iana_id: 3878,
            status: RegistrarStatus::Ok,
            postal: postal("", ""),
            voice: phone("+1.6175550100", "7"),
            email: text("support@registrar.example"),
            url: text("https://www.registrar.example"),
            whois_name: text("whois.registrar.example"),
            created: CREATED,
            ..Registrar::default()
        }],
        contacts: vec![
            contact("c-1", "C1-VRSN", None),
            contact("c-2", "C2-VRSN", Some(everything)),
        ],
        nameservers: vec![
            nameserver("ns1.good.example", "H1-VRSN"),
            nameserver("ns.xn--mnchen-3ya.example", "H2-VRSN"),
        ],
        nndns: vec![Nndn {
            name: text("reserved.example"),
            state: NndnState::Blocked,
            created: CREATED,
            ..Nndn::default()
        }],
        domains: vec![
            domain("good.example", "D1-VRSN", "c-1"),
            domain("consented.example", "D2-VRSN", "c-2"),
            Domain {
                sec_dns: Some(SecDns { max_sig_life_s: 604_800, ds: vec![ds], keys: vec![key] }),
                ..domain("signed.example", "D3-VRSN", "c-1")
            },
            domain("xn--mnchen-3ya.example", "D4-VRSN", "c-1"),
            Domain {
                original_name: text("xn--mnchen-3ya.example"),
                ..domain("muenchen.example", "D5-VRSN", "c-1")
            },
        ],
        suffixes: vec![text("example")],
        ..Objects::default()
    }
}

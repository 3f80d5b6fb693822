//! The showcase: objects that every sample has, whatever its seed and size, for the README, the
//! demo and tests. Names are below the sample's first suffix, `demo` unless chosen otherwise.
//!
//! | object | what it shows |
//! |---|---|
//! | `example.demo` | thick, signed (DS), locked; nameservers below itself; extras |
//! | `examples.demo`, `examplo.demo`, `exampledns.demo`, `exam-paper.demo` | what `exam%` and `exampl_` match |
//! | `exampledns.demo` | 13 nameservers of its own |
//! | `xn--mnchen-3ya.demo` (münchen) | IDN with table `de`; variants `muenchen.demo` (registered), `mnchen.demo` (blocked) |
//! | `xn--fa-hia.demo` (faß) | sharp s stays by UTS 46 non-transitional; variant `fass.demo` withheld |
//! | `xn--hxakic4aa.demo` (ελλάδα) | Greek; its variant is mirrored |
//! | `status-*.demo` | one domain per EPP status, or set of locks |
//! | `rgp-*.demo` | one domain per RGP status |
//! | `keydata.demo` | DNSSEC key data |
//! | `nic.demo` | reserved: withheld, not registered |
//! | `ns1.example.demo` | nameserver with IPv4 and IPv6 glue |
//! | 192.0.2.1, 2001:db8::1 | several nameservers have each |
//! | `Example Registrar, Inc.` | IANA 90001 |
//! | `Müller & Söhne Domains GmbH` | IANA 90002 |
//! | `EX1-DEMO` to `EX4-DEMO` | contacts: full; two address forms; Japanese; not to be disclosed |
//!
//! # Invariants
//!
//! - No label of the showcase is a row of words, so none is a generated name.
//!
//! # Does not
//!
//! Depend on the seed; dates depend on the watermark.

use snapshot_format::calendar::DAY_S;
use snapshot_format::object::{
    Actor, Contact, ContactLink, ContactRole, Disclose, Domain, HostLink, Nameserver, Nndn,
    NndnState, Phone, Postal, PostalKind, Time, Transfer,
};
use snapshot_format::status::{ContactStatuses, DomainStatuses as S, HostStatuses};

use super::domains::{EXTRA_KEYS, keys, signers};
use super::lifecycle::add_years;
use super::mix::{Draw, Stream};
use super::names::Suffix;
use super::registrars;
use super::scripts::{ASCII_TABLE, write_a_label};

/// Queries that the showcase answers, with what each shows; `{tld}` is the first suffix.
pub const QUERIES: [(&str, &str); 16] = [
    ("example.{tld}", "a domain"),
    ("MÜNCHEN.{tld}", "an internationalised name, as it is typed"),
    ("xn--mnchen-3ya.{tld}", "the same, as it is in the DNS"),
    ("mnchen.{tld}", "a blocked variant"),
    ("faß.{tld}", "a name with a sharp s"),
    ("nameserver ns1.example.{tld}", "a nameserver by name"),
    ("nameserver 192.0.2.1", "nameservers by IPv4 address: several matches"),
    ("nameserver 2001:db8::1", "nameservers by IPv6 address"),
    ("registrar Example Registrar, Inc.", "a registrar by name"),
    ("registrar 90002", "a registrar by IANA identifier"),
    ("contact EX1-DEMO", "a contact"),
    ("exampl%.{tld}", "names by pattern: any run of characters"),
    ("exampl_.{tld}", "names by pattern: one character"),
    ("rgp-redemption.{tld}", "a deleted name that may be restored"),
    ("nic.{tld}", "a reserved name"),
    ("not-registered.{tld}", "a name that is not there"),
];

/// The showcase's objects.
#[derive(Debug, Default)]
pub(crate) struct Showcase {
    pub(crate) domains: Vec<Domain>,
    pub(crate) nameservers: Vec<Nameserver>,
    /// In ascending order of identifiers, above those of generated contacts.
    pub(crate) contacts: Vec<Contact>,
    pub(crate) nndns: Vec<Nndn>,
}

/// Labels with an EPP or RGP state: statuses, and how many days ago they came about.
const STATES: [(&str, u32, i64); 19] = [
    ("status-ok", S::OK, 400),
    ("status-inactive", S::INACTIVE, 400),
    ("status-client-hold", S::CLIENT_HOLD, 20),
    ("status-server-hold", S::SERVER_HOLD, 20),
    ("status-client-locked", CLIENT_LOCKS, 200),
    ("status-server-locked", SERVER_LOCKS, 200),
    ("status-pending-create", S::PENDING_CREATE, 1),
    ("status-pending-delete", S::PENDING_DELETE | S::RGP_PENDING_DELETE, 33),
    ("status-pending-renew", S::PENDING_RENEW, 2),
    ("status-pending-transfer", S::PENDING_TRANSFER, 2),
    ("status-pending-update", S::PENDING_UPDATE, 2),
    ("rgp-add", S::OK | S::ADD_PERIOD, 2),
    ("rgp-auto-renew", S::CLIENT_TRANSFER_PROHIBITED | S::AUTO_RENEW_PERIOD, 10),
    ("rgp-renew", S::OK | S::RENEW_PERIOD, 3),
    ("rgp-transfer", S::OK | S::TRANSFER_PERIOD, 3),
    ("rgp-redemption", S::PENDING_DELETE | S::REDEMPTION_PERIOD, 12),
    ("rgp-pending-restore", S::PENDING_DELETE | S::PENDING_RESTORE, 4),
    ("rgp-pending-delete", S::PENDING_DELETE | S::RGP_PENDING_DELETE, 33),
    ("keydata", S::OK, 300),
];

const CLIENT_LOCKS: u32 = S::CLIENT_DELETE_PROHIBITED
    | S::CLIENT_RENEW_PROHIBITED
    | S::CLIENT_TRANSFER_PROHIBITED
    | S::CLIENT_UPDATE_PROHIBITED;
const SERVER_LOCKS: u32 = S::SERVER_DELETE_PROHIBITED
    | S::SERVER_RENEW_PROHIBITED
    | S::SERVER_TRANSFER_PROHIBITED
    | S::SERVER_UPDATE_PROHIBITED;

/// Internationalised labels: U-label and table.
const IDNS: [(&str, &str); 4] =
    [("münchen", "de"), ("faß", "de"), ("ελλάδα", "el"), ("书城", "zh")];

/// Variants that are not domains: label, original label, table, state.
const VARIANTS: [(&str, &str, &str, NndnState); 4] = [
    ("mnchen", "münchen", "de", NndnState::Blocked),
    ("fass", "faß", "de", NndnState::Withheld),
    ("ελλαδα", "ελλάδα", "el", NndnState::Mirrored),
    ("書城", "书城", "zh", NndnState::Blocked),
];

/// Labels that a pattern matches beside `example`.
const LIKE_EXAMPLE: [&str; 3] = ["examples", "examplo", "exam-paper"];

impl Showcase {
    /// The showcase below `suffix` as of `now_s`.
    pub(crate) fn new(suffix: &Suffix, now_s: i64) -> Self {
        let mut showcase = Self::default();
        showcase.add_domains(suffix, now_s);
        showcase.add_nameservers(suffix, now_s);
        for number in 1..=4 {
            showcase.contacts.push(contact(number, now_s));
        }
        for (label, original, table, state) in VARIANTS {
            let (name, u_name) = both(label, suffix);
            showcase.nndns.push(Nndn {
                name,
                u_name,
                idn_table: table.to_owned(),
                original_name: both(original, suffix).0,
                state,
                mirroring_ns: true,
                created: Time::from_s(now_s - 900 * DAY_S),
            });
        }
        showcase
    }

    fn add_domains(&mut self, suffix: &Suffix, now_s: i64) {
        let mut draw = Draw::new(0, Stream::Rare, 0);
        let mut example = plain("example", suffix, now_s);
        example.statuses.bits = CLIENT_LOCKS & !S::CLIENT_RENEW_PROHIBITED;
        example.nameservers =
            ["ns1.", "ns2."].map(|ns| HostLink::Name(format!("{ns}{}", example.name))).into();
        example.sec_dns = Some(signers(&mut draw));
        example.extras = vec![
            (EXTRA_KEYS[2].to_owned(), "M-000001".to_owned()),
            (EXTRA_KEYS[4].to_owned(), "en".to_owned()),
        ];
        self.domains.push(example);
        let mut dns = plain("exampledns", suffix, now_s);
        dns.nameservers = (1..=13).map(|n| HostLink::Name(format!("ns{n}.{}", dns.name))).collect();
        self.domains.push(dns);
        self.domains.extend(LIKE_EXAMPLE.map(|label| plain(label, suffix, now_s)));
        for (u_label, table) in IDNS {
            let mut domain = plain(u_label, suffix, now_s);
            table.clone_into(&mut domain.idn_table);
            self.domains.push(domain);
        }
        let mut variant = plain("muenchen", suffix, now_s);
        "de".clone_into(&mut variant.idn_table);
        variant.original_name = both(IDNS[0].0, suffix).0;
        self.domains.push(variant);
        for (label, bits, days) in STATES {
            self.domains.push(in_state(label, bits, days, suffix, now_s));
        }
        if let Some(last) = self.domains.last_mut() {
            last.sec_dns = Some(keys(&mut draw));
        }
        for (number, domain) in self.domains.iter_mut().enumerate() {
            if !domain.u_name.is_empty() && domain.idn_table.is_empty() {
                ASCII_TABLE.clone_into(&mut domain.idn_table);
            }
            domain.roid = format!("D_EX{:02}-DEMO", number + 1);
        }
    }

    fn add_nameservers(&mut self, suffix: &Suffix, now_s: i64) {
        let names = ["ns1.example", "ns2.example"].map(str::to_owned).into_iter();
        for name in names.chain((1..=13).map(|number| format!("ns{number}.exampledns"))) {
            let place = u8::try_from(self.nameservers.len()).unwrap_or(0);
            // ns1.example and ns1.exampledns share their addresses.
            let host = if place == 2 { 1 } else { place + 1 };
            let mut v6 = [0u8; 16];
            v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
            v6[15] = host;
            self.nameservers.push(Nameserver {
                name: format!("{name}.{}", suffix.a),
                roid: format!("H_EX{:02}-DEMO", place + 1),
                statuses: HostStatuses { bits: HostStatuses::OK | HostStatuses::LINKED },
                v4: vec![[192, 0, 2, host]],
                v6: if place % 3 == 1 { Vec::new() } else { vec![v6] },
                registrar: registrars::SHOWCASE[0].0.to_owned(),
                creator: actor(registrars::SHOWCASE[0].0),
                created: Time::from_s(now_s - 3000 * DAY_S),
                ..Nameserver::default()
            });
        }
    }
}

/// A-label and U-label form of a name; the latter empty where it does not differ.
fn both(label: &str, suffix: &Suffix) -> (String, String) {
    let mut a = String::new();
    write_a_label(label, &mut a);
    let name = format!("{a}.{}", suffix.a);
    let u_name = format!("{label}.{}", suffix.u);
    if name == u_name { (name, String::new()) } else { (name, u_name) }
}

fn actor(registrar: &str) -> Actor {
    Actor { registrar: registrar.to_owned(), client: String::new() }
}

/// A domain as most are: delegated to the showcase's company, sponsored by its registrar.
fn plain(label: &str, suffix: &Suffix, now_s: i64) -> Domain {
    let (name, u_name) = both(label, suffix);
    let created_s = add_years(now_s - 100 * DAY_S, -7);
    let links = [
        (ContactRole::Registrant, 1),
        (ContactRole::Admin, 2),
        (ContactRole::Tech, 3),
        (ContactRole::Billing, 4),
    ];
    Domain {
        name,
        u_name,
        statuses: S { bits: S::CLIENT_TRANSFER_PROHIBITED },
        contacts: links.map(|(role, n)| ContactLink { role, id: format!("EX{n}-DEMO") }).into(),
        nameservers: (1..=2)
            .map(|n| HostLink::Name(format!("ns{n}.exampledns.{}", suffix.a)))
            .collect(),
        registrar: registrars::SHOWCASE[0].0.to_owned(),
        creator: actor(registrars::SHOWCASE[0].0),
        updater: Actor {
            registrar: registrars::SHOWCASE[0].0.to_owned(),
            client: "console".to_owned(),
        },
        created: Time::from_s(created_s),
        updated: Time::from_s(now_s - 45 * DAY_S),
        expires: Time::from_s(add_years(created_s, 10)),
        ..Domain::default()
    }
}

/// A domain with statuses that came about `days` ago, and the dates that belong to them.
fn in_state(label: &str, bits: u32, days: i64, suffix: &Suffix, now_s: i64) -> Domain {
    let mut domain = plain(label, suffix, now_s);
    let then_s = now_s - days * DAY_S;
    domain.statuses.bits = bits;
    domain.updated = Time::from_s(then_s);
    let has = |status: u32| bits & status != 0;
    if has(S::INACTIVE) {
        domain.nameservers.clear();
    }
    if has(S::ADD_PERIOD | S::PENDING_CREATE) {
        domain.created = Time::from_s(then_s);
        domain.updated = Time::NONE;
        domain.updater = Actor::default();
        domain.expires = Time::from_s(add_years(then_s, 1));
    }
    if has(S::AUTO_RENEW_PERIOD) {
        domain.created = Time::from_s(add_years(then_s, -4));
        domain.expires = Time::from_s(add_years(then_s, 1));
    }
    if has(S::TRANSFER_PERIOD | S::PENDING_TRANSFER) {
        let through = has(S::TRANSFER_PERIOD);
        let (here, there) = (registrars::SHOWCASE[0].0, registrars::SHOWCASE[1].0);
        let (asks, acts) = if through { (here, there) } else { (there, here) };
        let due_s = if through { then_s } else { then_s + 5 * DAY_S };
        if through {
            domain.transferred = Time::from_s(then_s);
            domain.creator = actor(there);
        }
        domain.transfer = Some(Transfer {
            status: if through { "clientApproved" } else { "pending" }.to_owned(),
            requester: actor(asks),
            requested: Time::from_s(then_s - if through { DAY_S } else { 0 }),
            actor: actor(acts),
            acted: Time::from_s(due_s),
            expires: domain.expires,
        });
        if !through {
            domain.updated = Time::from_s(now_s - 45 * DAY_S);
        }
    }
    domain
}

/// The contacts: full; two forms of the address; Japanese; with a wish not to be shown.
fn contact(number: usize, now_s: i64) -> Contact {
    let postal = |kind, texts: [&str; 7]| {
        let [name, org, street, city, sp, pc, cc] = texts.map(str::to_owned);
        let street = [street, String::new(), String::new()];
        Postal { kind, name, org, street, city, sp, pc, cc }
    };
    let (int, loc) = (PostalKind::Int, PostalKind::Loc);
    let mut contact = Contact {
        id: format!("EX{number}-DEMO"),
        roid: format!("K_EX{number}-DEMO"),
        statuses: ContactStatuses { bits: ContactStatuses::LINKED | ContactStatuses::OK },
        voice: Phone { number: "+1.2025550100".to_owned(), ext: String::new() },
        email: format!("contact{number}@example.com"),
        registrar: registrars::SHOWCASE[0].0.to_owned(),
        creator: actor(registrars::SHOWCASE[0].0),
        created: Time::from_s(now_s - 2600 * DAY_S),
        ..Contact::default()
    };
    match number {
        1 => {
            let texts = ["Jane Doe", "Example & Co.", "123 Example Dr.", "Springfield", "IL"];
            let [name, org, street, city, sp] = texts;
            let mut address = postal(int, [name, org, street, city, sp, "62701", "US"]);
            "Suite 100".clone_into(&mut address.street[1]);
            contact.postal.push(address);
            "1234".clone_into(&mut contact.voice.ext);
            "+1.2025550101".clone_into(&mut contact.fax.number);
        }
        2 => {
            let (ascii, german) = (
                ["Juergen Mueller", "Mueller & Soehne", "Koenigsallee 1", "Muenchen"],
                ["Jürgen Müller", "Müller & Söhne", "Königsallee 1", "München"],
            );
            for (kind, [name, org, street, city]) in [(int, ascii), (loc, german)] {
                let texts = [name, org, street, city, "Bayern", "80331", "DE"];
                contact.postal.push(postal(kind, texts));
            }
            "+49.3023125042".clone_into(&mut contact.voice.number);
        }
        3 => {
            let texts = ["Yui Sato", "Tatoe K.K.", "1-1 Sakura-cho", "Kyoto", "", "600-0000", "JP"];
            contact.postal.push(postal(int, texts));
            let texts = ["佐藤結衣", "例え株式会社", "桜町1-1", "京都市", "", "600-0000", "JP"];
            contact.postal.push(postal(loc, texts));
            "+999.8100000001".clone_into(&mut contact.voice.number);
        }
        _ => {
            let texts = ["Shy Person", "", "4 Quiet Lane", "Bath", "Somerset", "BA1 0AA", "GB"];
            contact.postal.push(postal(int, texts));
            "+44.2079460004".clone_into(&mut contact.voice.number);
            contact.disclose = Some(Disclose {
                allow: false,
                fields: Disclose::NAME_INT | Disclose::ADDR_INT | Disclose::VOICE | Disclose::EMAIL,
            });
        }
    }
    contact
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::nndns::RESERVED;
    use crate::sample::words::Vocabulary;

    #[test]
    fn no_label_of_the_showcase_or_reserved_is_a_generated_name() {
        let suffix = Suffix { a: "demo".to_owned(), u: "demo".to_owned() };
        let showcase = Showcase::new(&suffix, 1_767_225_600);
        let vocabulary = Vocabulary::new();
        let names = showcase.domains.iter().map(|d| d.name.clone());
        let names = names.chain(showcase.nndns.iter().map(|n| n.name.clone()));
        for name in names.chain(RESERVED.iter().map(|label| format!("{label}.demo"))) {
            let label = name.strip_suffix(".demo").unwrap();
            assert!(!vocabulary.reads(label), "{label}");
        }
        assert!(showcase.domains.len() <= 48, "{}", showcase.domains.len());
    }

    #[test]
    fn internationalised_names_are_as_documented() {
        let suffix = Suffix { a: "demo".to_owned(), u: "demo".to_owned() };
        let name = |label| both(label, &suffix).0;
        assert_eq!(name("münchen"), "xn--mnchen-3ya.demo");
        assert_eq!(name("faß"), "xn--fa-hia.demo");
        assert_eq!(name("ελλάδα"), "xn--hxakic4aa.demo");
    }
}

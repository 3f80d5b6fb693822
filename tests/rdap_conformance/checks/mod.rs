//! What ICANN's RDAP Conformance Tool checks of an answer, code by code: STD 95 (RFC 9082, RFC
//! 9083), the technical implementation guide 2.2 (TIG) and the response profile 2.2 (RP) of 2024,
//! RFC 9537. Written from their texts and the tool's documents; one function a group of codes.
//!
//! # Does not
//!
//! - Check what needs a connection; tests of the HTTP server have -13000 to -13021 but -13003,
//!   -20100 and -20101 (https alone), -20300 (HEAD), -20400 and -20401 (A and AAAA), -20500 (CORS),
//!   -61100 and -61101 (TLS), -23100 to -23102 (bootstrap registry).
//! - Check what needs further answers: `../../rdap_conformance.rs` asks for those of -10403 (case)
//!   and -65300 (`not-a-domain.invalid`).
//! - Check what only a registrar's server has: -63000, -64100 to -64108, -65200 to -65207, -65500
//!   of events, -65600 and -47203.
//! - Check what the profile of 2024 has replaced: -20600, -20700, -23300 and -23301, -40200,
//!   -40400, -46500, -46600, -46700, -47000, -52101 to -52103, -55000, -58000 and -58001.
//! - Report that another group has failed, as -12207 to -12217 do, except for names.

mod classes;
mod guide;
mod profile;
pub(crate) mod redaction;
mod registrar;
mod secure_dns;
mod structures;
pub(crate) mod syntax;

use super::asked::Answer;

/// Codes, each with the value that it is about.
pub(crate) type Findings = Vec<(i32, String)>;

/// A group of codes.
pub(crate) type Check = fn(&Answer) -> Findings;

/// The code of what RFC 9537 asks for and the tool does not check.
pub(crate) const OURS: i32 = -1;

/// The groups.
pub(crate) const GROUPS: &[(&str, Check)] = &[
    ("-101xx, -102xx, -114xx: addresses", syntax::addresses),
    ("-103xx, -116xx, -117xx: names", syntax::names),
    ("-104xx: URIs", syntax::uris),
    ("-105xx: rdapConformance", structures::conformance),
    ("-106xx: links", structures::links),
    ("-107xx: notices and remarks", structures::notices),
    ("-108xx: languages", structures::languages),
    ("-109xx: events", structures::events),
    ("-110xx: statuses", structures::statuses),
    ("-111xx: port43", structures::port43),
    ("-112xx: publicIds", structures::public_ids),
    ("-113xx: asEventActor", structures::event_actors),
    ("-115xx: variants", structures::variants),
    ("-118xx: roles", structures::roles),
    ("-119xx: entities", structures::entities),
    ("-120xx: secureDNS", secure_dns::secure_dns),
    ("-121xx: errors", classes::errors),
    ("-122xx to -126xx, -13003: object classes", classes::classes),
    ("-12305: jCards", classes::cards),
    ("-12320: mail addresses", classes::mail_addresses),
    ("-20701: help", guide::help),
    ("-20800: structured addresses", guide::structured_addresses),
    ("-20900: types of telephones", guide::telephone_types),
    ("-232xx: the related link", guide::related_link),
    ("-261xx: the registrar in IANA's list", guide::registrar_in_list),
    ("-61000 and -61001: the guide's identifier", guide::identifier),
    ("-612xx: terms of service", guide::terms_of_service),
    ("-40100: no scripts", profile::no_scripts),
    ("-43100, -46300, -46400: events of the top", profile::events),
    ("-46100, -46101, -49100, -49101: the name asked for", profile::name_asked),
    ("-462xx: the domain's handle", profile::domain_handle),
    ("-466xx, -467xx: notices of a domain", profile::notices),
    ("-468xx: secureDNS", profile::secure_dns),
    ("-46900, -470xx, -47100: statuses of a domain", profile::statuses),
    ("-472xx: nameservers of a domain", profile::nameservers),
    ("-49102 to -49104, -49300: a nameserver", profile::nameserver),
    ("-473xx to -475xx: the registrar of a domain", registrar::of_domain),
    ("-477xx: the about link", registrar::about_link),
    ("-492xx: the registrar of a nameserver", registrar::of_nameserver),
    ("-601xx, -602xx: a registrar", registrar::registrar),
    ("-476xx, -521xx: entities of a domain", registrar::entities),
    ("-620xx: identifiers, form of redacted", redaction::form),
    ("-621xx: countries", redaction::countries),
    ("-631xx to -641xx, -654xx: the registrant", redaction::registrant),
    ("-650xx, -651xx, -655xx, -657xx: the technical contact", redaction::technical),
    ("-658xx: names that are descriptions", redaction::descriptions),
];

/// The findings of all groups.
pub(crate) fn findings(answer: &Answer) -> Findings {
    GROUPS.iter().flat_map(|(_, check)| check(answer)).collect()
}

/// Collects findings.
#[derive(Default)]
pub(crate) struct Report(pub(crate) Findings);

impl Report {
    /// Adds a finding unless the condition holds. Returns the condition.
    fn needs(&mut self, code: i32, what: impl Into<String>, holds: bool) -> bool {
        if !holds {
            self.0.push((code, what.into()));
        }
        holds
    }
}

/// Whether a handle is a repository object identifier (RFC 5730 section 2.8): letters, digits and
/// underscores, a hyphen, the repository's identifier.
pub(crate) fn is_roid(handle: &str) -> bool {
    let is_word = |text: &str, most: usize| {
        (1..=most).contains(&text.chars().count())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    handle.split_once('-').is_some_and(|(own, of)| is_word(own, 80) && is_word(of, 8))
}

/// The repository's identifier.
pub(crate) fn repository(handle: &str) -> &str {
    handle.split_once('-').map_or("", |(_, of)| of)
}

//! Every field of a contact block reads the same on port 43 and in RDAP: the same values, or hidden
//! in both.

use std::collections::BTreeSet;

use serde_json::Value;
use snapshot_format::record::{ArchivedContact, ArchivedDomain, ContactField};
use whoisd::field::contact::{BLOCK, Method, ROLE_COUNT, ROLES, Row};
use whoisd::policy::{Rules, Tier};
use whoisd::query::rdap::Document;
use whoisd::query::whois;
use whoisd::view::View;

use crate::asked::{Answer, elements};
use crate::generated::{Generated, roid};
use crate::jsonpath;

/// The place in [`ROLES`] of a contact that is asked for by itself.
const NO_ROLE: usize = ROLE_COUNT - 1;

/// What port 43 shows instead of a value, and the beginning of what it shows instead of a mail
/// address.
const REDACTED: &str = "REDACTED FOR PRIVACY";
const REDACTED_EMAIL: &str = "Please query the RDDS service";

/// What was compared.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    pub(crate) records: usize,
    /// Fields that both show, that both hide, and that neither has.
    pub(crate) shown: usize,
    pub(crate) hidden: usize,
    pub(crate) none: usize,
}

/// The lines of an answer of port 43.
fn lines(query: &str, view: &View, (rules, tier): (&Rules, Tier)) -> Vec<(String, String)> {
    let mut out = whois::Answer::new();
    whois::answer(view, rules, tier, query.as_bytes(), &mut out);
    let text = String::from_utf8(out.bytes().to_vec()).unwrap();
    let lines = text.lines().take_while(|line| !line.starts_with(">>>"));
    let pairs = lines.map(|line| match line.split_once(": ") {
        Some((label, value)) => (label.to_owned(), value.to_owned()),
        None => (line.trim_end_matches(':').to_owned(), String::new()),
    });
    pairs.collect()
}

/// The texts of a value of RDAP as port 43 has them.
fn texts(key: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) => all.iter().flat_map(|value| texts(key, value)).collect(),
        Value::String(text) => {
            let number = || text.strip_prefix("tel:").unwrap_or_else(|| panic!("{text}: a URI"));
            vec![match key {
                "phone" | "fax" => number().split(";ext=").next().unwrap().to_owned(),
                "phone_ext" | "fax_ext" => {
                    number().split(";ext=").nth(1).unwrap_or_default().to_owned()
                }
                _ => text.clone(),
            }]
        }
        other => panic!("{key}: {other}"),
    }
}

/// Compares one field of one contact.
fn compare(
    (place, row): (usize, &Row),
    lines: &[(String, String)],
    answer: &Answer,
    compared: &mut Compared,
) {
    let role = ROLES[place];
    let label = row.label(role);
    let what = || format!("{}: {label}: {:#}", answer.target, answer.json);
    let entity = match place {
        NO_ROLE => String::new(),
        _ => format!(".entities[?(@.roles[0]=='{}')]", role.rdap),
    };
    let path = row.field.rdap.replacen('$', &format!("${entity}"), 1);
    let found = jsonpath::at(&path, &answer.json);
    let found = found.into_iter().flat_map(|value| texts(row.field.key, value));
    let rdap: BTreeSet<String> = found.filter(|text| !text.is_empty()).collect();
    let whois = lines.iter().filter(|(of, _)| *of == label).map(|(_, value)| value.clone());
    let whois: BTreeSet<String> = whois.filter(|value| !value.is_empty()).collect();
    let is_named = row.is_named(place);
    let kind = if is_named { "type" } else { "description" };
    let entries = elements(&answer.json["redacted"]).iter();
    let entry = entries.into_iter().find(|entry| entry["name"][kind] == label.as_str());
    let is_hidden = whois.iter().any(|text| text == REDACTED || text.starts_with(REDACTED_EMAIL));
    if is_hidden {
        assert!(rdap.is_empty(), "{}", what());
        let address =
            jsonpath::at(&format!("${entity}.vcardArray[1][?(@[0]=='adr')]"), &answer.json);
        let method = match row.redaction.method {
            // The address is left out as a whole.
            _ if row.is_address() && address.is_empty() => "removal",
            Method::Removal => "removal",
            Method::EmptyValue => "emptyValue",
        };
        assert!(entry.is_some_and(|entry| entry["method"] == method), "{}", what());
        compared.hidden += 1;
    } else if whois.is_empty() {
        assert!(rdap.is_empty(), "{}", what());
        // A field that is left out is named where the profile names it.
        assert!(entry.is_none() || is_named, "{}", what());
        compared.none += 1;
    } else {
        assert_eq!(rdap, whois, "{}", what());
        assert!(entry.is_none(), "{}", what());
        compared.shown += 1;
    }
}

/// Compares all domains and contacts.
pub(crate) fn compare_all(
    generated: &Generated,
    (rules, tier): (&Rules, Tier),
    compared: &mut Compared,
) {
    let (view, mut out) = (&generated.view, Document::new());
    let mut ask = |target: &str, query: &str, places: std::ops::Range<usize>| {
        let lines = lines(query, view, (rules, tier));
        let answer = Answer::to(target, view, (rules, tier), &mut out);
        assert_eq!(answer.status, 200, "{target}");
        for place in places {
            for row in &BLOCK {
                compare((place, row), &lines, &answer, compared);
            }
        }
        compared.records += 1;
    };
    for domain in generated.records::<ArchivedDomain>() {
        let name = domain.name.as_str();
        ask(&format!("domain/{name}"), &format!("domain {name}"), 0..NO_ROLE);
    }
    for contact in generated.records::<ArchivedContact>() {
        let id = String::from_utf8(contact.packed().bytes(ContactField::Id).to_vec()).unwrap();
        let roid = roid(contact);
        ask(&format!("entity/{roid}"), &format!("contact {id}"), NO_ROLE..ROLE_COUNT);
    }
}

//! Object classes and errors (RFC 9083 sections 5 to 8), jCards (RFC 7095).

use serde_json::Value;

use super::{Findings, Report};
use crate::asked::{Answer, Class, elements};

pub(super) fn errors(answer: &Answer) -> Findings {
    let mut report = Report::default();
    if answer.class() != Class::Error {
        return report.0;
    }
    let json = &answer.json;
    if !report.needs(-12100, "", json.is_object()) {
        return report.0;
    }
    let code = json.get("errorCode");
    report.needs(-12101, json.to_string(), code.is_some());
    report.needs(-12107, "", code.is_some() && json.get("rdapConformance").is_some());
    if let Some(code) = code {
        report.needs(-12103, code.to_string(), code.is_number());
        let is_status = !code.is_number() || *code == answer.status;
        report.needs(-12108, format!("{code}, status {}", answer.status), is_status);
    }
    report.needs(-12104, "", json.get("title").is_none_or(Value::is_string));
    if let Some(description) = json.get("description") {
        report.needs(-12105, "", description.is_array());
        report.needs(-12106, "", elements(description).iter().all(Value::is_string));
    }
    report.0
}

/// A class of objects, its members and its codes.
struct Kind {
    class: &'static str,
    members: &'static [&'static str],
    unknown: i32,
    name: i32,
    handle: i32,
    notices: i32,
}

/// Members that every class may have. `redacted` is the extension of RFC 9537; the tool's list does
/// not have it.
const ANY: [&str; 12] = [
    "objectClassName",
    "handle",
    "entities",
    "status",
    "remarks",
    "links",
    "port43",
    "events",
    "notices",
    "rdapConformance",
    "lang",
    "redacted",
];

const DOMAIN: Kind = Kind {
    class: "domain",
    members: &["ldhName", "unicodeName", "variants", "nameservers", "secureDNS", "publicIds"],
    unknown: -12201,
    name: -12203,
    handle: -12204,
    // No answer has a domain below the top.
    notices: -12218,
};
const ENTITY: Kind = Kind {
    class: "entity",
    members: &["vcardArray", "roles", "publicIds", "asEventActor", "networks", "autnums"],
    unknown: -12301,
    name: -12303,
    handle: -12304,
    notices: -12316,
};
const NAMESERVER: Kind = Kind {
    class: "nameserver",
    members: &["ldhName", "unicodeName", "ipAddresses"],
    unknown: -12401,
    name: -12403,
    handle: -12404,
    notices: -12415,
};

pub(super) fn classes(answer: &Answer) -> Findings {
    let mut report = Report::default();
    let json = &answer.json;
    let kind = match answer.class() {
        Class::Domain => &DOMAIN,
        Class::Entity => &ENTITY,
        Class::Nameserver => &NAMESERVER,
        Class::Help => {
            only(-12501, json, &["rdapConformance", "notices", "lang"], &mut report);
            return report.0;
        }
        Class::Nameservers => {
            search(json, &mut report);
            return report.0;
        }
        Class::Other | Class::Error => return report.0,
    };
    report.needs(-13003, "", json["objectClassName"].is_string());
    object(json, kind, true, &mut report);
    report.0
}

fn only(code: i32, json: &Value, names: &[&str], report: &mut Report) {
    for name in json.as_object().into_iter().flat_map(|object| object.keys()) {
        report.needs(code, name, names.contains(&&**name));
    }
}

fn search(json: &Value, report: &mut Report) {
    const NAMES: [&str; 6] =
        ["nameserverSearchResults", "rdapConformance", "notices", "lang", "events", "remarks"];
    only(-12601, json, &NAMES, report);
    let Some(results) = json.get("nameserverSearchResults") else {
        report.needs(-12610, "", false);
        return;
    };
    report.needs(-12603, "", results.is_array());
    for result in elements(results) {
        object(result, &NAMESERVER, false, report);
    }
}

/// An object of a class, and those below it.
fn object(json: &Value, kind: &Kind, is_top: bool, report: &mut Report) {
    let what = || format!("{}: {}", kind.class, json["handle"]);
    for name in json.as_object().into_iter().flat_map(|object| object.keys()) {
        let is_known = ANY.contains(&&**name) || kind.members.contains(&&**name);
        report.needs(kind.unknown, format!("{}: {name}", what()), is_known);
    }
    if let Some(name) = json.get("objectClassName") {
        report.needs(kind.name, what(), *name == kind.class);
    }
    report.needs(kind.handle, what(), json.get("handle").is_none_or(Value::is_string));
    report.needs(kind.notices, what(), is_top || json.get("notices").is_none());
    for entity in elements(&json["entities"]) {
        object(entity, &ENTITY, false, report);
    }
    for nameserver in elements(&json["nameservers"]) {
        object(nameserver, &NAMESERVER, false, report);
    }
}

pub(super) fn cards(answer: &Answer) -> Findings {
    let mut report = Report::default();
    for (path, card) in answer.members("vcardArray") {
        if let Some(why) = card_problem(card) {
            report.needs(-12305, format!("{path}: {why}"), false);
        }
    }
    report.0
}

/// Why a value is not a jCard (RFC 7095 section 3).
fn card_problem(card: &Value) -> Option<String> {
    let [name, properties] = elements(card) else { return Some("not two elements".to_owned()) };
    let properties = properties.as_array()?;
    if name != "vcard" {
        return Some(format!("it begins with {name}"));
    }
    if properties.first() != Some(&serde_json::json!(["version", {}, "text", "4.0"])) {
        return Some("its first property is not the version".to_owned());
    }
    if properties.iter().filter(|property| property[0] == "fn").count() != 1 {
        return Some("not one fn".to_owned());
    }
    let is_property = |property: &Value| match elements(property) {
        [Value::String(name), Value::Object(_), Value::String(kind), value, ..] => {
            let is_lower = |text: &str| !text.is_empty() && text.to_lowercase() == text;
            is_lower(name) && is_lower(kind) && !value.is_null()
        }
        _ => false,
    };
    let wrong = properties.iter().find(|property| !is_property(property));
    wrong.map(|property| format!("no property: {property}"))
}

/// The tool accepts the dot-atom form of RFC 5322 section 3.4.1 with a dot in the domain.
pub(super) fn mail_addresses(answer: &Answer) -> Findings {
    let mut report = Report::default();
    for (path, card) in answer.members("vcardArray") {
        let is_email = |property: &&Value| property[0] == "email";
        for property in elements(&card[1]).iter().filter(is_email) {
            let holds = property[3].as_str().is_some_and(is_address);
            report.needs(-12320, format!("{path}: {}", property[3]), holds);
        }
    }
    report.0
}

fn is_address(text: &str) -> bool {
    let is_atom = |part: &str| {
        let is_one = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
        !part.is_empty() && part.chars().all(is_one)
    };
    let is_label = |label: &str| {
        let is_one = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let is_bare = !label.starts_with('-') && !label.ends_with('-');
        !label.is_empty() && is_bare && label.chars().all(is_one)
    };
    text.split_once('@').is_some_and(|(local, domain)| {
        local.split('.').all(is_atom) && domain.contains('.') && domain.split('.').all(is_label)
    })
}

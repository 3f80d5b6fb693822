//! What is redacted (RFC 9537), named as ICANN's response profile 2.2 (RP) requires.

use serde_json::Value;

use super::profile::handle;
use super::{Findings, OURS, Report};
use crate::asked::{Answer, Class, elements, properties, telephones};
use crate::iana;
use crate::jsonpath;

/// RP 1.2, 1.3; the form of `redacted`.
pub(super) fn form(answer: &Answer) -> Findings {
    let mut report = Report::default();
    let has = |word: &str| elements(&answer.json["rdapConformance"]).iter().any(|id| id == word);
    report.needs(-62000, "", has("icann_rdap_response_profile_1"));
    report.needs(-62006, "", !has("icann_rdap_response_profile_0"));
    let Some(redacted) = answer.json.get("redacted") else { return report.0 };
    report.needs(-62001, "", has("redacted"));
    let is_list = redacted.is_array() && elements(redacted).iter().all(Value::is_object);
    report.needs(-62002, "", is_list);
    for entry in elements(redacted).iter().filter(|entry| entry.is_object()) {
        let what = entry.to_string();
        let name = &entry["name"];
        let is_name = name["type"].is_string() != name["description"].is_string();
        report.needs(-62003, &what, is_name);
        let is_text = |member: &str| entry.get(member).is_none_or(Value::is_string);
        let texts = ["prePath", "postPath", "replacementPath", "pathLang", "method"];
        report.needs(-62004, &what, texts.into_iter().all(is_text));
        let is_reason = |reason: &Value| {
            let members = reason.as_object()?.keys();
            let known = ["lang", "type", "description"];
            Some(members.into_iter().all(|name| known.contains(&&**name)))
        };
        let reason = entry.get("reason").is_none_or(|reason| is_reason(reason) == Some(true));
        report.needs(-62005, &what, reason);
        // RFC 9537 section 4.2.
        let is_language = |lang: &Value| {
            lang.as_str().is_some_and(|word| iana::is_value("redacted expression language", word))
        };
        report.needs(OURS, &what, entry.get("pathLang").is_none_or(is_language));
    }
    report.0
}

/// RP 1.4, and RFC 8605 section 3.1: a country has a code and no name.
pub(super) fn countries(answer: &Answer) -> Findings {
    let mut report = Report::default();
    for (path, card) in answer.members("vcardArray") {
        for address in elements(&card[1]).iter().filter(|property| property[0] == "adr") {
            let what = format!("{path}: {address}");
            // An address of another length is reported as -20800.
            let country = elements(&address[3]).get(6);
            report.needs(-62100, &what, country.is_none_or(|name| name == ""));
            let is_code = address[1]["cc"].as_str().is_some_and(iana::is_country);
            report.needs(-62101, &what, is_code);
        }
    }
    report.0
}

/// Whether a text is a JSONPath of the kind that `jsonpath` reads (RFC 9535): from the root, by
/// names and closed brackets.
fn is_path(text: &str) -> bool {
    let Some(mut rest) = text.strip_prefix('$') else { return false };
    while !rest.is_empty() {
        let after = match rest.strip_prefix('.') {
            Some(name) => {
                let end = name.find(['.', '[']).unwrap_or(name.len());
                name.get(end..).filter(|_| end > 0)
            }
            None => rest.strip_prefix('[').and_then(|inside| {
                let mut depth = 0_i32;
                let close = inside.char_indices().find(|(_, c)| {
                    depth += i32::from(*c == '[') - i32::from(*c == ']');
                    depth < 0
                });
                let (end, _) = close.filter(|(end, _)| *end > 0)?;
                inside.get(end + 1..)
            }),
        };
        let Some(after) = after else { return false };
        rest = after;
    }
    true
}

/// A field that is left out where it is redacted. Its codes: field and entry missing, the path is
/// not one, the path matches, another method, field and entry both there. 0: not checked.
struct Removed {
    name: &'static str,
    codes: [i32; 5],
    is_there: fn(&Value) -> bool,
}

/// A field that is empty where it is redacted. Its codes: field missing, empty without an entry,
/// the path is not one, the path matches nothing, another method.
struct Emptied {
    name: &'static str,
    codes: [i32; 5],
    value: fn(&Value) -> Option<&Value>,
}

fn removed(field: &Removed, answer: &Answer, entity: &Value, report: &mut Report) {
    let Removed { name, codes, is_there } = field;
    let [missing, path, matches, method, beside] = *codes;
    let needs = |report: &mut Report, code: i32, what: String, holds: bool| {
        if code != 0 {
            report.needs(code, what, holds);
        }
    };
    let Some(entry) = answer.redaction(name) else {
        needs(report, missing, (*name).to_owned(), is_there(entity));
        return;
    };
    let what = || format!("{name}: {entry}");
    if is_there(entity) {
        needs(report, beside, what(), false);
    }
    if let Some(text) = entry.get("prePath").and_then(Value::as_str) {
        if is_path(text) {
            needs(report, matches, what(), jsonpath::at(text, &answer.json).is_empty());
        } else {
            needs(report, path, what(), false);
        }
    }
    needs(report, method, what(), entry.get("method").is_none_or(|method| method == "removal"));
}

fn emptied(field: &Emptied, answer: &Answer, entity: &Value, report: &mut Report) {
    let Emptied { name, codes, value } = field;
    let [missing, entry_missing, path, matches, method] = *codes;
    let Some(value) = value(entity) else {
        report.needs(missing, *name, false);
        return;
    };
    let is_empty = *value == "" || value.as_array().is_some_and(Vec::is_empty);
    let entry = answer.redaction(name);
    let Some(entry) = entry else {
        report.needs(entry_missing, *name, !is_empty);
        return;
    };
    let what = format!("{name}: {entry}");
    // A field with consent must not be redacted (RP 2.7.9).
    report.needs(OURS, format!("{name}: {value} is shown, and said to be emptied"), is_empty);
    let text = entry["postPath"].as_str().unwrap_or_default();
    if report.needs(path, &what, is_path(text)) {
        report.needs(matches, &what, !jsonpath::at(text, &answer.json).is_empty());
    }
    report.needs(method, what, entry["method"] == "emptyValue");
}

fn has_handle(entity: &Value) -> bool {
    entity.get("handle").is_some()
}

fn has_voice(entity: &Value) -> bool {
    !telephones(entity, "voice").is_empty()
}

fn has_email(entity: &Value) -> bool {
    !properties(entity, "email").is_empty()
}

fn full_name(entity: &Value) -> Option<&Value> {
    properties(entity, "fn").first().and_then(|property| property.get(3))
}

fn part(entity: &Value, place: usize) -> Option<&Value> {
    properties(entity, "adr").first().and_then(|address| address[3].get(place))
}

/// RP 2.7.4, 2.7.5. Extensions and fax numbers need not be there.
const REGISTRANT_REMOVED: [Removed; 7] = [
    Removed {
        name: "Registry Registrant ID",
        codes: [-63102, -63103, -63104, -63105, -63106],
        is_there: has_handle,
    },
    Removed {
        name: "Registrant Organization",
        codes: [-63300, -63301, -63302, -63303, 0],
        is_there: |entity| !properties(entity, "org").is_empty(),
    },
    Removed {
        name: "Registrant Phone",
        codes: [-63700, -63701, -63702, -63703, -63704],
        is_there: has_voice,
    },
    Removed {
        name: "Registrant Phone Ext",
        codes: [0, -63800, -63801, -63802, 0],
        is_there: has_voice,
    },
    Removed {
        name: "Registrant Fax",
        codes: [0, -63900, -63901, -63902, 0],
        is_there: |entity| !telephones(entity, "fax").is_empty(),
    },
    Removed {
        name: "Registrant Fax Ext",
        codes: [0, -64000, -64001, -64002, 0],
        is_there: |entity| !telephones(entity, "fax").is_empty(),
    },
    Removed {
        name: "Registrant Email",
        codes: [-65400, -65401, -65402, -65403, -65404],
        is_there: has_email,
    },
];

const REGISTRANT_EMPTIED: [Emptied; 4] = [
    Emptied {
        name: "Registrant Name",
        codes: [-63200, -63201, -63202, -63203, -63204],
        value: full_name,
    },
    Emptied {
        name: "Registrant Street",
        codes: [-63400, -63401, -63402, -63403, -63404],
        value: |entity| part(entity, 2),
    },
    Emptied {
        name: "Registrant City",
        codes: [-63500, -63501, -63502, -63503, -63504],
        value: |entity| part(entity, 3),
    },
    Emptied {
        name: "Registrant Postal Code",
        codes: [-63600, -63601, -63602, -63603, -63604],
        value: |entity| part(entity, 5),
    },
];

pub(super) fn registrant(answer: &Answer) -> Findings {
    let mut report = Report::default();
    if answer.class() != Class::Domain {
        return report.0;
    }
    for entity in answer.with_role("registrant") {
        if let Some(value) = entity.get("handle") {
            handle(value, [-63100, -63101, 0], "registrant", &mut report);
        }
        for field in &REGISTRANT_REMOVED {
            removed(field, answer, entity, &mut report);
        }
        for field in &REGISTRANT_EMPTIED {
            emptied(field, answer, entity, &mut report);
        }
    }
    report.0
}

/// RP 2.7.6. A registry's server need not say that the identifier is missing.
const TECHNICAL_REMOVED: [Removed; 3] = [
    Removed { name: "Registry Tech ID", codes: [0, 0, 0, 0, -65702], is_there: has_handle },
    Removed { name: "Tech Phone", codes: [-65100, -65101, -65102, -65103, 0], is_there: has_voice },
    Removed { name: "Tech Email", codes: [0, -65500, -65501, -65502, -65503], is_there: has_email },
];

const TECHNICAL_EMPTIED: Emptied = Emptied {
    name: "Tech Name",
    codes: [-65000, -65001, -65002, -65003, -65004],
    value: full_name,
};

pub(super) fn technical(answer: &Answer) -> Findings {
    let mut report = Report::default();
    if answer.class() != Class::Domain {
        return report.0;
    }
    for entity in answer.with_role("technical") {
        if let Some(value) = entity.get("handle") {
            handle(value, [-65700, -65701, 0], "technical", &mut report);
        }
        for field in &TECHNICAL_REMOVED {
            removed(field, answer, entity, &mut report);
        }
        emptied(&TECHNICAL_EMPTIED, answer, entity, &mut report);
    }
    report.0
}

/// The names of appendix E of the profile, in the order of the codes from -65800 on.
pub(crate) const NAMES: [&str; 17] = [
    "Registry Domain ID",
    "Registry Registrant ID",
    "Registrant Name",
    "Registrant Organization",
    "Registrant Street",
    "Registrant City",
    "Registrant Postal Code",
    "Registrant Phone",
    "Registrant Phone Ext",
    "Registrant Fax",
    "Registrant Fax Ext",
    "Registrant Email",
    "Registry Tech ID",
    "Tech Name",
    "Tech Phone",
    "Tech Phone Ext",
    "Tech Email",
];

pub(super) fn descriptions(answer: &Answer) -> Findings {
    let mut report = Report::default();
    if answer.class() != Class::Domain {
        return report.0;
    }
    for entry in elements(&answer.json["redacted"]) {
        for (code, name) in (0..).zip(NAMES) {
            report.needs(-65800 - code, name, entry["name"]["description"] != name);
        }
    }
    report.0
}

#[test]
fn a_path_begins_at_the_root_and_closes_its_brackets() {
    for path in ["$", "$.handle", "$.entities[?(@.roles[0]=='registrant')].vcardArray[1][0][:3]"] {
        assert!(is_path(path), "{path}");
    }
    for path in ["", "handle", "$handle", "$.", "$.a[", "$.a[]", "$.a[0", "$.a..b", "$[0]x"] {
        assert!(!is_path(path), "{path}");
    }
}

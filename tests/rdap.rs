//! Holds the conversations of `tests/rdap/*.txt` with the query module, compares every byte of the
//! answers, and holds each answer against what RFC 9083, RFC 9537 and ICANN's profile ask of any.
//! `WHOISD_BLESS=1 cargo test --test rdap` writes the answers: review the diff.
//!
//! A file has a title, then sections: `== config` (TOML, for what follows; the tier is the public
//! again), `== tier` (its name, for what follows), `== get` (what comes after the base URL) and
//! `== answer` (the status, then the JSON, in lines).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod jsonpath;
mod registry;
mod script;

use std::fmt::Write as _;
use std::path::Path;

use allocation_counter::measure;
use serde_json::Value;
use whoisd::policy::display::settings::Settings;
use whoisd::policy::{Rules, Tier};
use whoisd::query::rdap::{Caller, Document, Outcome, Request, answer, escaped};
use whoisd::query::search::Index;
use whoisd::view::View;

use registry::index::ModelIndex;
use script::{files_of, sections};

const BASE: &str = "https://rdap.example/";

/// Asks for a target that needs no escapes.
fn ask(view: &View, seen: (&Rules, Tier), target: &str, out: &mut Document) -> Outcome {
    ask_with((view, None), seen, (target, target), out)
}

/// Asks for a target, which the answer repeats in another form.
fn ask_with(
    (view, index): (&View, Option<&dyn Index>),
    (rules, tier): (&Rules, Tier),
    (target, repeated): (&str, &str),
    out: &mut Document,
) -> Outcome {
    let caller = Caller { tier, base: BASE, target: repeated, index };
    answer(view, rules, &caller, &Request::read(target), out)
}

/// Holds one conversation; returns the file with the answers as they are now.
fn hold(path: &Path, file: &str, view: &View, out: &mut Document) -> String {
    let (mut rules, mut tier) = (Rules::standard(), Tier::PUBLIC);
    let index = ModelIndex::of(view);
    let mut now = String::new();
    for section in sections(file) {
        match section.name.as_str() {
            "title" => now.push_str(&section.text),
            "config" => {
                let settings: Settings = toml::from_str(&section.text).unwrap();
                rules = Rules::compile(&settings).unwrap();
                tier = Tier::PUBLIC;
                write!(now, "== config\n{}", section.text).unwrap();
            }
            "tier" => {
                let name = section.text.trim();
                tier = rules.tier(name).unwrap_or_else(|| panic!("no tier {name}"));
                write!(now, "== tier\n{}", section.text).unwrap();
            }
            "get" => {
                let target = section.text.trim_end_matches('\n');
                let repeated = escaped(target.as_bytes());
                let (from, seen) = ((view, Some(&index as &dyn Index)), (&rules, tier));
                let status = ask_with(from, seen, (target, &repeated), out).result.status();
                let what = format!("{}: {target}", path.display());
                let json: Value = serde_json::from_slice(out.bytes())
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                check(&what, &repeated, status.code, &json);
                let (code, title) = (status.code, status.title);
                let text = laid_out(std::str::from_utf8(out.bytes()).unwrap(), 0);
                write!(now, "== get\n{target}\n== answer\n{code} {title}\n{text}\n").unwrap();
            }
            "answer" => {}
            other => panic!("{}: unknown section {other}", path.display()),
        }
    }
    now
}

/// JSON as people read it, its members in their order: what fits into a line stays in one.
fn laid_out(json: &str, depth: usize) -> String {
    const LINE_CHARS_MAX: usize = 110;
    let is_short = 2 * depth + json.chars().count() <= LINE_CHARS_MAX;
    // An entry of `redacted`.
    let fits = is_short || json.starts_with("{\"name\":{");
    let (Some(open), false) = (json.chars().next().filter(|c| "[{".contains(*c)), fits) else {
        return json.to_owned();
    };
    let parts = parts(&json[1..json.len() - 1]);
    let indent = "  ".repeat(depth + 1);
    let parts = parts.into_iter().map(|part| {
        // A member's name stays before its value.
        let value_at = if open == '{' { part.find("\":").unwrap() + 2 } else { 0 };
        let (name, value) = part.split_at(value_at);
        format!(
            "{indent}{name}{}{}",
            if name.is_empty() { "" } else { " " },
            laid_out(value, depth + 1)
        )
    });
    let parts: Vec<String> = parts.collect();
    let close = if open == '{' { '}' } else { ']' };
    format!("{open}\n{}\n{}{close}", parts.join(",\n"), "  ".repeat(depth))
}

/// The elements of a list, or members of an object, without the brackets around them.
fn parts(inside: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut escaped, mut start) = (0, false, false, 0);
    let mut parts = Vec::new();
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inside[start..]);
    parts
}

/// What holds of any answer.
fn check(what: &str, target: &str, status: u16, json: &Value) {
    let conformance: Vec<&str> =
        json["rdapConformance"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    for id in [
        "rdap_level_0",
        "icann_rdap_response_profile_1",
        "icann_rdap_technical_implementation_guide_1",
    ] {
        assert!(conformance.contains(&id), "{what}: {id}");
    }
    // Help names every extension that some answer uses (RFC 9083 section 4.1).
    let is_help = status == 200 && target.starts_with("help");
    let mut entries = Vec::new();
    each_object(json, true, &mut |object, _| {
        entries.extend(object["redacted"].as_array().into_iter().flatten().cloned());
    });
    for (extension, is_used) in [
        ("redacted", !entries.is_empty()),
        ("paging", json.get("paging_metadata").is_some()),
        ("sorting", json.get("sorting_metadata").is_some()),
        ("subsetting", json.get("subsetting_metadata").is_some()),
        ("reverse_search", json.get("reverse_search_properties_mapping").is_some()),
    ] {
        assert_eq!(conformance.contains(&extension), is_used || is_help, "{what}: {extension}");
    }
    if status == 200 {
        assert!(json.get("errorCode").is_none(), "{what}");
    } else {
        assert_eq!(json["errorCode"], status, "{what}");
        assert!(!json["description"].as_array().unwrap().is_empty(), "{what}");
        assert!(json["title"].is_string(), "{what}");
    }
    let terms = jsonpath::at("$.notices[*].links[?(@.rel=='terms-of-service')]", json);
    assert_eq!(terms.len(), 1, "{what}");
    each_object(json, true, &mut |object, is_top| {
        for only_top in ["rdapConformance", "notices"] {
            assert!(is_top || object.get(only_top).is_none(), "{what}: {only_top} below the top");
        }
    });
    links_are_whole(what, target, json);
    cards_are_whole(what, json);
    for entry in &entries {
        redaction_holds(what, entry, json);
    }
}

/// Visits all JSON objects.
fn each_object(value: &Value, is_top: bool, visit: &mut impl FnMut(&Value, bool)) {
    match value {
        Value::Array(all) => all.iter().for_each(|value| each_object(value, false, visit)),
        Value::Object(all) => {
            visit(value, is_top);
            all.values().for_each(|value| each_object(value, false, visit));
        }
        _ => {}
    }
}

/// RFC 9083 section 4.2, and ICANN's tool: every link has a value, a relation and a target.
fn links_are_whole(what: &str, target: &str, json: &Value) {
    each_object(json, true, &mut |object, _| {
        for link in object["links"].as_array().into_iter().flatten() {
            for member in ["value", "rel", "href"] {
                assert!(!link[member].as_str().unwrap().is_empty(), "{what}: {link}");
            }
            let relations = ["glossary", "help", "terms-of-service", "related", "self"];
            if relations.contains(&link["rel"].as_str().unwrap()) {
                let asked = format!("{BASE}{target}");
                assert!(link["value"].as_str().unwrap().ends_with(target), "{what}: {asked}");
            }
        }
    });
}

/// RFC 7095 section 3.3, RFC 9083 section 5.1, ICANN's response profile 2.2 section 1.4.
fn cards_are_whole(what: &str, json: &Value) {
    each_object(json, true, &mut |object, _| {
        assert!(object["roles"].as_array().is_none_or(|roles| roles.len() == 1), "{what}");
        let Some(card) = object["vcardArray"].as_array() else { return };
        assert_eq!((card.len(), &card[0]), (2, &Value::from("vcard")), "{what}");
        let properties = card[1].as_array().unwrap();
        assert_eq!(properties[0], serde_json::json!(["version", {}, "text", "4.0"]), "{what}");
        assert_eq!(properties[1][0], "fn", "{what}");
        for property in properties {
            assert_eq!(property.as_array().unwrap().len(), 4, "{what}: {property}");
            assert!(property[1].is_object(), "{what}: {property}");
            if property[0] == "tel" {
                let kind = property[1]["type"].as_str().unwrap();
                assert!(["voice", "fax"].contains(&kind), "{what}: {property}");
            }
            if property[0] == "adr" {
                let parts = property[3].as_array().unwrap();
                assert_eq!((parts.len(), &parts[6]), (7, &Value::from("")), "{what}: {property}");
            }
        }
    });
}

/// RFC 9537 section 4.2: what is removed is not there, what is emptied is there and empty.
fn redaction_holds(what: &str, entry: &Value, json: &Value) {
    assert!(
        entry["name"]["type"].is_string() != entry["name"]["description"].is_string(),
        "{what}"
    );
    let found = |member: &str| jsonpath::at(entry[member].as_str().unwrap(), json);
    match entry["method"].as_str().unwrap() {
        "removal" => assert!(found("prePath").is_empty(), "{what}: {entry}"),
        "emptyValue" => {
            let found = found("postPath");
            assert!(!found.is_empty(), "{what}: {entry}");
            assert!(found.iter().all(|value| **value == ""), "{what}: {entry}");
        }
        "partialValue" => assert_eq!(found("postPath").len(), 1, "{what}: {entry}"),
        other => panic!("{what}: method {other}"),
    }
}

#[test]
fn every_conversation_goes_as_it_is_written_down() {
    hold_all(&registry::small(), std::env::var_os("WHOISD_BLESS").is_some());
}

#[test]
fn every_conversation_goes_the_same_where_all_has_come_as_changes() {
    hold_all(&registry::small_of_changes(), false);
}

fn hold_all(view: &View, bless: bool) {
    let mut out = Document::new();
    let files = files_of("tests/rdap");
    assert!(files.len() >= 10, "{files:?}");
    script::hold_all(files, bless, |path, file| hold(path, file, view, &mut out));
}

#[test]
fn no_look_up_allocates() {
    let view = registry::small();
    let mut out = Document::new();
    let mut asked = 0;
    for path in files_of("tests/rdap") {
        let (mut rules, mut tier) = (Rules::standard(), Tier::PUBLIC);
        for section in sections(&std::fs::read_to_string(&path).unwrap()) {
            match section.name.as_str() {
                "config" => {
                    rules = Rules::compile(&toml::from_str(&section.text).unwrap()).unwrap();
                    tier = Tier::PUBLIC;
                }
                "tier" => tier = rules.tier(section.text.trim()).unwrap(),
                // Searches are made beside the shards.
                "get" if is_search(&section.text) => {}
                "get" => {
                    let target = section.text.trim_end_matches('\n');
                    let allocations = measure(|| {
                        ask(&view, (&rules, tier), target, &mut out);
                    });
                    assert_eq!(allocations.count_total, 0, "{target}: {allocations:?}");
                    asked += 1;
                }
                _ => {}
            }
        }
    }
    assert!(asked > 40, "{asked}");
}

fn is_search(target: &str) -> bool {
    ["domains", "nameservers", "entities"].iter().any(|list| target.starts_with(list))
}

#[test]
fn an_answer_does_not_differ_by_what_the_mask_hides() {
    let mut objects = registry::objects();
    let shown = answers_of(objects.view());
    objects = registry::objects();
    for contact in &mut objects.contacts {
        for postal in &mut contact.postal {
            postal.name = "Another Name".to_owned();
            postal.street = ["1 Other Street".to_owned(), "2nd".to_owned(), String::new()];
            postal.city = String::new();
            postal.pc = String::new();
        }
        contact.voice.number = String::new();
        contact.email = "another@example.net".to_owned();
    }
    assert_eq!(answers_of(objects.view()), shown);
}

/// What the public sees of the small registry's first domains under the preset of 2018, which shows
/// of a contact its state and country whatever it wishes.
fn answers_of(view: View) -> Vec<String> {
    let text = "[defaults]\npreset = \"temporary-specification-2018\"\n\
        registrant = { organization = \"redacted\" }";
    let rules = Rules::compile(&toml::from_str(text).unwrap()).unwrap();
    let mut out = Document::new();
    let names = ["example.demo", "fass.demo", "thick.demo"];
    let answers = names.iter().map(|name| {
        ask(&view, (&rules, Tier::PUBLIC), &format!("domain/{name}"), &mut out);
        String::from_utf8(out.bytes().to_vec()).unwrap()
    });
    answers.collect()
}

//! Structures that objects of several classes have (RFC 9083 section 4).

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Findings, Report, syntax};
use crate::asked::{Answer, elements};
use crate::iana;

/// Reports a value that is not a list; returns its elements.
fn list<'v>(code: i32, path: &str, value: &'v Value, report: &mut Report) -> &'v [Value] {
    report.needs(code, path, value.is_array());
    elements(value)
}

/// Reports members with other names.
fn only(code: i32, path: &str, object: &Value, names: &[&str], report: &mut Report) {
    for name in object.as_object().into_iter().flat_map(|object| object.keys()) {
        report.needs(code, format!("{path}: {name}"), names.contains(&&**name));
    }
}

/// Reports a member that is missing or not a text; returns the text.
fn text<'v>(
    (missing, wrong): (i32, i32),
    path: &str,
    value: Option<&'v Value>,
    report: &mut Report,
) -> Option<&'v str> {
    if !report.needs(missing, path, value.is_some()) {
        return None;
    }
    let text = value?.as_str();
    report.needs(wrong, path, text.is_some());
    text
}

/// Reports a member that is there and not a text; returns the text.
fn text_if_any<'v>(
    wrong: i32,
    path: &str,
    value: Option<&'v Value>,
    report: &mut Report,
) -> Option<&'v str> {
    let text = value?.as_str();
    report.needs(wrong, path, text.is_some());
    text
}

/// A language tag in the tool's form: `en`, `zh-Hant`, `zh-Hant-TW`.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let is_first = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_lowercase());
    let is_other = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_uppercase())
            && part.bytes().all(|byte| byte.is_ascii_alphabetic())
    };
    parts.next().is_some_and(is_first) && parts.all(is_other)
}

pub(super) fn conformance(answer: &Answer) -> Findings {
    let mut report = Report::default();
    for (path, _) in answer.members("rdapConformance") {
        report.needs(-10505, &path, path.is_empty());
    }
    let Some(ids) = answer.json.get("rdapConformance") else {
        report.needs(-10504, "", false);
        return report.0;
    };
    for id in list(-10500, "", ids, &mut report) {
        let Some(word) = id.as_str() else {
            report.needs(-10501, id.to_string(), false);
            continue;
        };
        report.needs(-10502, word, iana::is_extension(word));
    }
    let has_level = elements(ids).iter().any(|id| id == "rdap_level_0");
    report.needs(-10503, ids.to_string(), has_level || !ids.is_array());
    report.0
}

const MEDIA: [&str; 10] = [
    "screen",
    "tty",
    "tv",
    "projection",
    "handheld",
    "print",
    "braille",
    "embossed",
    "speech",
    "all",
];

pub(super) fn links(answer: &Answer) -> Findings {
    const NAMES: [&str; 7] = ["value", "rel", "href", "hreflang", "title", "media", "type"];
    let mut report = Report::default();
    for (path, links) in answer.members("links") {
        for link in list(-10600, &path, links, &mut report) {
            let what = format!("{path}/links: {link}");
            only(-10601, &what, link, &NAMES, &mut report);
            let word = |member: &str| link.get(member).map(|value| value.as_str().unwrap_or(""));
            let is_medium = word("media").is_none_or(|word| MEDIA.contains(&word));
            report.needs(-10603, &what, is_medium);
            report.needs(-10604, &what, word("rel").is_none_or(iana::is_link_relation));
            report.needs(-10605, &what, word("type").is_none_or(iana::is_media_type));
            text_if_any(-10606, &what, link.get("title"), &mut report);
            for (member, code) in [("href", -10610), ("value", -10612), ("rel", -10613)] {
                report.needs(code, &what, link.get(member).is_some());
            }
            let languages = match &link["hreflang"] {
                Value::Null => &[][..],
                Value::Array(all) => all,
                one => std::slice::from_ref(one),
            };
            for language in languages {
                let tag = text_if_any(-10607, &what, Some(language), &mut report);
                report.needs(-10608, &what, tag.is_none_or(is_language));
            }
        }
    }
    report.0
}

pub(super) fn notices(answer: &Answer) -> Findings {
    let mut report = Report::default();
    for (path, notices) in [answer.members("notices"), answer.members("remarks")].concat() {
        for notice in list(-10700, &path, notices, &mut report) {
            let what = format!("{path}: {notice}");
            only(-10701, &what, notice, &["title", "type", "description", "links"], &mut report);
            text_if_any(-10703, &what, notice.get("title"), &mut report);
            let kind = text_if_any(-10705, &what, notice.get("type"), &mut report);
            let is_kind = |word: &str| iana::is_value("notice and remark type", word);
            report.needs(-10706, &what, kind.is_none_or(is_kind));
            let Some(description) = notice.get("description") else {
                report.needs(-10707, what, false);
                continue;
            };
            for line in list(-10708, &what, description, &mut report) {
                report.needs(-10709, &what, line.is_string());
            }
        }
    }
    report.0
}

pub(super) fn languages(answer: &Answer) -> Findings {
    let mut report = Report::default();
    for (path, lang) in answer.members("lang") {
        let holds = lang.as_str().is_some_and(is_language);
        report.needs(-10800, format!("{path}: {lang}"), holds);
    }
    report.0
}

/// The codes of a list of events.
struct EventCodes {
    list: i32,
    unknown: i32,
    action: (i32, i32),
    word: i32,
    date: (i32, i32),
    form: i32,
    twice: i32,
}

fn event_list(path: &str, events: &Value, codes: &EventCodes, names: &[&str], report: &mut Report) {
    let mut actions = BTreeSet::new();
    for event in list(codes.list, path, events, report) {
        let what = format!("{path}: {event}");
        only(codes.unknown, &what, event, names, report);
        let action = text(codes.action, &what, event.get("eventAction"), report);
        if let Some(word) = action {
            report.needs(codes.word, &what, iana::is_value("event action", word));
            report.needs(codes.twice, &what, actions.insert(word));
        }
        let date = text(codes.date, &what, event.get("eventDate"), report);
        report.needs(codes.form, &what, date.is_none_or(is_date_time));
    }
}

/// Whether a text is a time of RFC 3339 section 5.6.
fn is_date_time(text: &str) -> bool {
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u32>().ok())?
    };
    let between =
        |at: usize, mark: &[u8]| text.as_bytes().get(at).is_some_and(|b| mark.contains(b));
    let is_in = |value: Option<u32>, most: u32, least: u32| {
        value.is_some_and(|value| (least..=most).contains(&value))
    };
    let date = number(0, 4).is_some()
        && is_in(number(5, 7), 12, 1)
        && is_in(number(8, 10), 31, 1)
        && between(4, b"-")
        && between(7, b"-");
    let time = between(10, b"Tt")
        && is_in(number(11, 13), 23, 0)
        && is_in(number(14, 16), 59, 0)
        && is_in(number(17, 19), 60, 0)
        && between(13, b":")
        && between(16, b":");
    let rest = text.get(19..).unwrap_or_default();
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let has_digits = !rest.starts_with('.') || rest.len() - zone.len() > 1;
    let is_offset = zone.len() == 6
        && zone.starts_with(['+', '-'])
        && zone[1..].split(':').all(|part| part.len() == 2 && part.parse::<u8>().is_ok());
    date && time && has_digits && (["Z", "z"].contains(&zone) || is_offset)
}

pub(super) fn events(answer: &Answer) -> Findings {
    const CODES: EventCodes = EventCodes {
        list: -10900,
        unknown: -10901,
        action: (-10903, -10904),
        word: -10905,
        date: (-10906, -10907),
        form: -10908,
        twice: -10912,
    };
    const NAMES: [&str; 4] = ["eventAction", "eventActor", "eventDate", "links"];
    let mut report = Report::default();
    for (path, events) in answer.members("events") {
        event_list(&path, events, &CODES, &NAMES, &mut report);
        for event in elements(events) {
            text_if_any(-10909, &path, event.get("eventActor"), &mut report);
            let has_actor = event.get("links").is_none() || event.get("eventActor").is_some();
            report.needs(-10910, &path, has_actor);
        }
    }
    report.0
}

/// No answer has `asEventActor` today.
pub(super) fn event_actors(answer: &Answer) -> Findings {
    const CODES: EventCodes = EventCodes {
        list: -11300,
        unknown: -11302,
        action: (-11304, -11305),
        word: -11306,
        date: (-11307, -11308),
        form: -11309,
        twice: -11310,
    };
    let mut report = Report::default();
    for (path, events) in answer.members("asEventActor") {
        report.needs(-11301, &path, !path.is_empty());
        event_list(&path, events, &CODES, &["eventAction", "eventDate"], &mut report);
    }
    report.0
}

pub(super) fn statuses(answer: &Answer) -> Findings {
    let mut report = Report::default();
    for (path, statuses) in answer.members("status") {
        let mut words = BTreeSet::new();
        for status in list(-11000, &path, statuses, &mut report) {
            let what = format!("{path}/status: {status}");
            let word = text_if_any(-11001, &what, Some(status), &mut report);
            let Some(word) = word else { continue };
            report.needs(-11002, &what, iana::is_value("status", word));
            report.needs(-11003, &what, words.insert(word));
        }
    }
    report.0
}

pub(super) fn port43(answer: &Answer) -> Findings {
    let mut report = Report::default();
    for (path, host) in answer.members("port43") {
        let host = host.as_str().unwrap_or_default();
        if !report.needs(-11100, format!("{path}/port43: {host}"), syntax::is_host(host)) {
            report.0.extend(syntax::name_findings(host));
        }
    }
    report.0
}

pub(super) fn public_ids(answer: &Answer) -> Findings {
    let mut report = Report::default();
    for (path, ids) in answer.members("publicIds") {
        for id in list(-11200, &path, ids, &mut report) {
            let what = format!("{path}/publicIds: {id}");
            only(-11201, &what, id, &["type", "identifier"], &mut report);
            text((-11203, -11204), &what, id.get("type"), &mut report);
            text((-11203, -11205), &what, id.get("identifier"), &mut report);
        }
    }
    report.0
}

pub(super) fn variants(answer: &Answer) -> Findings {
    let mut report = Report::default();
    for (path, variants) in answer.members("variants") {
        for variant in list(-11500, &path, variants, &mut report) {
            only(-11501, &path, variant, &["relation", "idnTable", "variantNames"], &mut report);
            if let Some(relations) = variant.get("relation") {
                for relation in list(-11503, &path, relations, &mut report) {
                    let word = text_if_any(-11504, &path, Some(relation), &mut report);
                    let is_one = |word: &str| iana::is_value("domain variant relation", word);
                    report.needs(-11505, relation.to_string(), word.is_none_or(is_one));
                }
            }
            text_if_any(-11506, &path, variant.get("idnTable"), &mut report);
            let Some(names) = variant.get("variantNames") else { continue };
            for name in list(-11507, &path, names, &mut report) {
                only(-11508, &path, name, &["ldhName", "unicodeName"], &mut report);
            }
        }
    }
    report.0
}

pub(super) fn roles(answer: &Answer) -> Findings {
    let mut report = Report::default();
    for (path, roles) in answer.members("roles") {
        let mut words = BTreeSet::new();
        for role in list(-11800, &path, roles, &mut report) {
            let what = format!("{path}/roles: {role}");
            let word = text_if_any(-11801, &what, Some(role), &mut report);
            let Some(word) = word else { continue };
            report.needs(-11802, &what, iana::is_value("role", word));
            report.needs(-11803, &what, words.insert(word));
        }
    }
    report.0
}

pub(super) fn entities(answer: &Answer) -> Findings {
    let mut report = Report::default();
    for (path, entities) in answer.members("entities") {
        list(-11900, &path, entities, &mut report);
    }
    report.0
}

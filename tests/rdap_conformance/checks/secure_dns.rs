//! `secureDNS` (RFC 9083 section 5.3).

use serde_json::Value;

use super::{Findings, Report};
use crate::asked::{Answer, elements};
use crate::iana;

pub(super) fn secure_dns(answer: &Answer) -> Findings {
    const NAMES: [&str; 5] = ["zoneSigned", "delegationSigned", "maxSigLife", "dsData", "keyData"];
    const LIFE_S_MAX: u64 = 2_147_483_647;
    let mut report = Report::default();
    for (path, secure) in answer.members("secureDNS") {
        let Some(members) = secure.as_object() else {
            report.needs(-12000, path, false);
            continue;
        };
        for name in members.keys() {
            report.needs(-12001, format!("{path}: {name}"), NAMES.contains(&&**name));
        }
        for (member, code) in [("zoneSigned", -12003), ("delegationSigned", -12005)] {
            report.needs(code, &path, members.get(member).is_none_or(Value::is_boolean));
        }
        let is_life = |value: &Value| value.as_u64().is_some_and(|s| (1..=LIFE_S_MAX).contains(&s));
        report.needs(-12006, &path, members.get("maxSigLife").is_none_or(is_life));
        if let Some(list) = members.get("dsData") {
            data(&path, list, &DS, &mut report);
        }
        if let Some(list) = members.get("keyData") {
            data(&path, list, &KEY, &mut report);
        }
    }
    report.0
}

/// A member, its code, and the test of its value.
type Member = (&'static str, i32, fn(&Value) -> bool);

/// A list of data of one kind: its codes and its members.
struct Kind {
    list: i32,
    unknown: i32,
    missing: i32,
    members: [Member; 4],
}

const DS: Kind = Kind {
    list: -12008,
    unknown: -12009,
    missing: -12011,
    members: [
        ("keyTag", -12012, |tag| tag.as_u64().is_some_and(|tag| (1..=65_535).contains(&tag))),
        ("algorithm", -12013, |number| number.as_u64().is_some_and(iana::signs_zones)),
        ("digest", -12014, |digest| {
            let is_hex = |c: char| c.is_ascii_hexdigit() || c == ' ';
            digest.as_str().is_some_and(|text| !text.is_empty() && text.chars().all(is_hex))
        }),
        ("digestType", -12015, |number| number.as_u64().is_some_and(iana::is_digest_type)),
    ],
};

const KEY: Kind = Kind {
    list: -12018,
    unknown: -12019,
    missing: -12021,
    members: [
        ("flags", -12022, |flags| flags == 256 || flags == 257),
        ("protocol", -12023, |protocol| protocol == 3),
        ("publicKey", -12024, |key| {
            let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/= ".contains(c);
            key.as_str().is_some_and(|text| !text.is_empty() && text.chars().all(is_base64))
        }),
        ("algorithm", -12025, |number| number.as_u64().is_some_and(iana::signs_zones)),
    ],
};

fn data(path: &str, list: &Value, kind: &Kind, report: &mut Report) {
    let is_list = list.is_array() && elements(list).iter().all(Value::is_object);
    report.needs(kind.list, path, is_list);
    for one in elements(list).iter().filter(|one| one.is_object()) {
        let what = format!("{path}: {one}");
        for name in one.as_object().into_iter().flat_map(|one| one.keys()) {
            let is_own = kind.members.iter().any(|(member, ..)| member == name);
            let is_known = is_own || ["events", "links"].contains(&&**name);
            report.needs(kind.unknown, &what, is_known);
        }
        for (member, code, holds) in kind.members {
            match one.get(member) {
                Some(value) => report.needs(code, &what, holds(value)),
                None => report.needs(kind.missing, &what, false),
            };
        }
    }
}

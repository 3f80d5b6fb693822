//! ICANN's response profile 2.2 (RP): registrars and other entities.

use serde_json::Value;

use super::profile::{ICANNS_TESTS, handle};
use super::{Findings, Report, repository, syntax};
use crate::asked::{Answer, Class, card, elements, properties, with_role};
use crate::iana;

/// The handle of a nameserver's registrar that has no identifier (RP 4.3).
const NOT_APPLICABLE: &str = "not applicable";

/// The codes of a registrar's identifiers: no identifier, not a number, a handle that is not a
/// number, two that differ, none of IANA's list.
struct IdCodes {
    missing: i32,
    identifier: i32,
    handle: i32,
    equal: i32,
    listed: i32,
}

fn number(value: &Value) -> Option<u32> {
    let text = value.as_str()?;
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    is_number.then(|| text.parse().ok())?
}

fn identifiers(entity: &Value, codes: &IdCodes, report: &mut Report) {
    let what = entity["handle"].to_string();
    if let Some(id) = entity["publicIds"][0].get("identifier") {
        report.needs(codes.identifier, &what, number(id).is_some());
        report.needs(codes.equal, &what, *id == entity["handle"]);
    } else {
        report.needs(codes.missing, &what, false);
    }
    match number(&entity["handle"]) {
        Some(id) => report.needs(codes.listed, &what, iana::registrar(id).is_some()),
        None => report.needs(codes.handle, &what, false),
    };
}

/// RP 2.4.1, 2.4.2, 2.4.3, 2.4.5.
pub(super) fn of_domain(answer: &Answer) -> Findings {
    let mut report = Report::default();
    if answer.class() != Class::Domain {
        return report.0;
    }
    let registrars = answer.with_role("registrar");
    report.needs(-47300, "", !registrars.is_empty());
    report.needs(-47301, "", registrars.len() <= 1);
    for registrar in registrars {
        report.needs(-47302, "", !properties(registrar, "fn").is_empty());
        let codes = IdCodes {
            missing: -47400,
            identifier: -47401,
            handle: -47402,
            equal: -47403,
            listed: -47404,
        };
        identifiers(registrar, &codes, &mut report);
        let abuse = with_role(registrar, "abuse");
        let is_whole = |entity: &&Value| {
            !properties(entity, "tel").is_empty() && !properties(entity, "email").is_empty()
        };
        let holds = !abuse.is_empty() && abuse.iter().all(is_whole);
        report.needs(-47500, registrar["handle"].to_string(), holds);
    }
    report.0
}

/// RP 2.4.6: the value is the base URL of the registrar's service, character for character as in
/// IANA's list; the target is its web site.
pub(super) fn about_link(answer: &Answer) -> Findings {
    let mut report = Report::default();
    let registrars = answer.with_role("registrar");
    let Some(registrar) = registrars.first().filter(|_| answer.class() == Class::Domain) else {
        return report.0;
    };
    let listed = number(&registrar["handle"]).and_then(iana::registrar);
    // A registry that is its own registrar.
    if listed.is_some_and(|listed| listed.is_reserved) {
        return report.0;
    }
    let links = elements(&registrar["links"]);
    let Some(link) = links.iter().find(|link| link["rel"] == "about") else {
        report.needs(-47700, registrar["handle"].to_string(), false);
        return report.0;
    };
    let value = link["value"].as_str().unwrap_or_default();
    let is_listed = listed.is_none_or(|listed| listed.url == value);
    report.needs(-47701, link.to_string(), is_listed);
    report.needs(-47702, link.to_string(), value.starts_with("https://"));
    let href = link["href"].as_str().unwrap_or_default();
    report.needs(-47703, link.to_string(), syntax::uri_findings(href).is_empty());
    report.0
}

/// RP 4.3.
pub(super) fn of_nameserver(answer: &Answer) -> Findings {
    let mut report = Report::default();
    if answer.class() != Class::Nameserver {
        return report.0;
    }
    for registrar in answer.with_role("registrar") {
        if registrar["handle"] == NOT_APPLICABLE {
            report.needs(-49205, "", registrar.get("publicIds").is_none());
            continue;
        }
        let codes = IdCodes {
            missing: -49200,
            identifier: -49201,
            handle: -49202,
            equal: -49203,
            listed: -49204,
        };
        identifiers(registrar, &codes, &mut report);
    }
    report.0
}

/// RP 3.1, 3.2. The tool no longer checks them under the profile of 2024; other validators do.
pub(super) fn registrar(answer: &Answer) -> Findings {
    let mut report = Report::default();
    let json = &answer.json;
    let asked = answer.target.strip_prefix("entity/").unwrap_or_default();
    let is_number = !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit());
    if answer.class() != Class::Entity {
        return report.0;
    }
    let is_registrar = elements(&json["roles"]).iter().any(|role| role == "registrar");
    report.needs(-60100, asked, is_registrar || !is_number);
    if !is_registrar {
        return report.0;
    }
    let has = |entity: &Value, name: &str| !properties(entity, name).is_empty();
    let is_whole = |address: &&Value| {
        let (street, city) = (&address[3][2], &address[3][3]);
        *street != "" && *city != "" && address[1]["cc"].is_string()
    };
    let address = properties(json, "adr").into_iter().any(|address| is_whole(&address));
    let all = ["fn", "tel", "email"].into_iter().all(|name| has(json, name));
    report.needs(-60101, asked, address && all && json.get("handle").is_some());
    for role in ["administrative", "technical"] {
        for entity in with_role(json, role) {
            let all = ["fn", "tel", "email"].into_iter().all(|name| has(entity, name));
            report.needs(-60200, role, all);
        }
    }
    report.0
}

/// RP 2.7.3 and the profile of 2019: contacts of a domain.
pub(super) fn entities(answer: &Answer) -> Findings {
    let mut report = Report::default();
    if answer.class() != Class::Domain {
        return report.0;
    }
    for entity in elements(&answer.json["entities"]) {
        let has = |role: &str| elements(&entity["roles"]).iter().any(|of| of == role);
        // The registrant and the technical contact have codes of their own.
        let is_other = !["reseller", "registrar", "registrant", "technical"].into_iter().any(has);
        if let Some(value) = entity.get("handle").filter(|_| is_other) {
            handle(value, [-47600, -47601, 0], "entity", &mut report);
        }
        let is_remark = |remark: &&Value| remark["title"] == "REDACTED FOR PRIVACY";
        let remark = elements(&entity["remarks"]).iter().find(is_remark);
        let is_typed = |remark: &Value| remark["type"] == "object redacted due to authorization";
        report.needs(-52100, "", remark.is_none_or(is_typed));
        let text = entity["handle"].as_str().unwrap_or_default();
        report.needs(-52106, text, has("registrar") || repository(text) != ICANNS_TESTS);
    }
    for role in ["registrant", "administrative", "technical", "billing"] {
        report.needs(-52104, role, answer.with_role(role).len() <= 1);
    }
    for registrant in answer.with_role("registrant") {
        let has_cc = card(registrant).iter().any(|property| property[1].get("cc").is_some());
        report.needs(-52105, "", has_cc);
    }
    report.0
}

//! ICANN's technical implementation guide 2.2 (TIG).

use serde_json::Value;

use super::{Findings, Report, syntax};
use crate::asked::{Answer, Class, elements};
use crate::iana;

/// Identifiers that ICANN keeps for registries acting as registrars, and for tests: such registrars
/// have no RDAP service of their own.
const WITHOUT_SERVICE: std::ops::RangeInclusive<u32> = 9994..=9999;

pub(super) fn help(answer: &Answer) -> Findings {
    let mut report = Report::default();
    if answer.target.starts_with("help") {
        let json = &answer.json;
        let is_whole = json.get("rdapConformance").is_some() && json.get("notices").is_some();
        report.needs(-20701, "", answer.status == 200 && is_whole);
    }
    report.0
}

/// The properties with this name in all jCards.
fn properties<'v>(answer: &'v Answer, name: &str) -> Vec<&'v Value> {
    let cards = answer.members("vcardArray").into_iter();
    let all = cards.flat_map(|(_, card)| elements(&card[1]));
    all.filter(|property| property[0] == name).collect()
}

/// TIG 3.8.1: an address has seven parts; a street is one line, or a list of lines.
pub(super) fn structured_addresses(answer: &Answer) -> Findings {
    let mut report = Report::default();
    for address in properties(answer, "adr") {
        let parts = elements(&address[3]);
        let is_text = |value: &Value| {
            value.is_string() || (value.is_array() && elements(value).iter().all(Value::is_string))
        };
        let is_line = |value: &Value| value.as_str().is_none_or(|text| !text.contains('\n'));
        let holds = parts.len() == 7 && parts.iter().all(|part| is_text(part) && is_line(part));
        report.needs(-20800, address.to_string(), holds);
    }
    report.0
}

/// TIG 7.1 and 7.2.
pub(super) fn telephone_types(answer: &Answer) -> Findings {
    let mut report = Report::default();
    for telephone in properties(answer, "tel") {
        let types = &telephone[1]["type"];
        let types = if types.is_array() { elements(types) } else { std::slice::from_ref(types) };
        let holds = types.iter().any(|of| of == "voice" || of == "fax");
        report.needs(-20900, telephone.to_string(), holds);
    }
    report.0
}

/// The public identifier of the domain's registrar.
pub(super) fn registrar_id(answer: &Answer) -> Option<&Value> {
    answer
        .with_role("registrar")
        .first()
        .and_then(|entity| entity["publicIds"][0].get("identifier"))
}

fn number(id: &Value) -> Option<u32> {
    id.as_str().and_then(|text| text.parse().ok())
}

/// The topmost related links.
fn related(answer: &Answer) -> Vec<&Value> {
    elements(&answer.json["links"]).iter().filter(|link| link["rel"] == "related").collect()
}

/// TIG 3.2.
pub(super) fn related_link(answer: &Answer) -> Findings {
    let mut report = Report::default();
    let id = registrar_id(answer).and_then(number);
    let is_exempt = id.is_some_and(|id| WITHOUT_SERVICE.contains(&id));
    if answer.class() != Class::Domain || is_exempt {
        return report.0;
    }
    let links = related(answer);
    let Some(link) = links.iter().find(|link| link.get("href").is_some()) else {
        report.needs(-23200, answer.json["links"].to_string(), false);
        return report.0;
    };
    report.needs(-23201, link.to_string(), link["value"] == answer.url.as_str());
    let is_query = |href: &str| {
        href.split_once("domain/").is_some_and(|(_, name)| !name.is_empty() && !name.contains('/'))
    };
    report.needs(-23202, link.to_string(), link["href"].as_str().is_some_and(is_query));
    report.0
}

/// TIG 1.12.1.
pub(super) fn registrar_in_list(answer: &Answer) -> Findings {
    let mut report = Report::default();
    if answer.class() != Class::Domain || answer.with_role("registrar").is_empty() {
        return report.0;
    }
    let Some(id) = registrar_id(answer) else {
        report.needs(-26100, "", false);
        return report.0;
    };
    let Some(listed) = number(id).and_then(iana::registrar) else {
        report.needs(-26101, id.to_string(), false);
        return report.0;
    };
    let is_https = listed.url.is_empty() || listed.url.starts_with("https://");
    report.needs(-26102, listed.url, is_https);
    if listed.is_accredited && is_https && !listed.url.is_empty() {
        let is_referral = |link: &&Value| {
            let href = link["href"].as_str().unwrap_or_default();
            let name = href.rsplit('/').next().unwrap_or_default();
            href.starts_with(listed.url) && syntax::is_name(name)
        };
        let links = related(answer);
        report.needs(-26103, listed.url, links.is_empty() || links.iter().any(is_referral));
    }
    report.0
}

/// TIG 1.3.
pub(super) fn identifier(answer: &Answer) -> Findings {
    let mut report = Report::default();
    let has = |word: &str| elements(&answer.json["rdapConformance"]).iter().any(|id| id == word);
    report.needs(-61000, "", has("icann_rdap_technical_implementation_guide_1"));
    report.needs(-61001, "", !has("icann_rdap_technical_implementation_guide_0"));
    report.0
}

/// TIG 3.3.
pub(super) fn terms_of_service(answer: &Answer) -> Findings {
    let mut report = Report::default();
    let notices = elements(&answer.json["notices"]).iter();
    let mut links = notices.flat_map(|notice| elements(&notice["links"]));
    let Some(link) = links.find(|link| link["rel"] == "terms-of-service") else {
        report.needs(-61200, "", false);
        return report.0;
    };
    let is_web = |href: &str| href.starts_with("https://") || href.starts_with("http://");
    report.needs(-61201, link.to_string(), link["href"].as_str().is_some_and(is_web));
    report.needs(-61202, link.to_string(), link["value"] == answer.url.as_str());
    report.0
}

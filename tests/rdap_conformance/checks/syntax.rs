//! Addresses, names and URIs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde_json::Value;

use super::{Findings, Report};
use crate::asked::Answer;
use crate::iana;

pub(super) fn addresses(answer: &Answer) -> Findings {
    let mut report = Report::default();
    for (path, addresses) in answer.members("ipAddresses") {
        let Some(members) = addresses.as_object() else {
            report.needs(-11400, path, false);
            continue;
        };
        for name in members.keys() {
            report.needs(-11401, format!("{path}: {name}"), ["v4", "v6"].contains(&&**name));
        }
        let has_one = members.contains_key("v4") || members.contains_key("v6");
        report.needs(-11403, &path, has_one);
        if let Some(list) = members.get("v4") {
            family(&path, list, &V4, &mut report);
        }
        if let Some(list) = members.get("v6") {
            family(&path, list, &V6, &mut report);
        }
    }
    report.0
}

/// A family of addresses, and its codes.
struct Family {
    list: i32,
    text: i32,
    form: i32,
    syntax: i32,
    allocated: i32,
    special: i32,
    parse: fn(&str) -> Option<IpAddr>,
    has_form: fn(&str) -> bool,
}

const V4: Family = Family {
    list: -11404,
    text: -11405,
    form: -11406,
    syntax: -10100,
    allocated: -10101,
    special: -10102,
    parse: |text| text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    has_form: |text| {
        let parts = text.split('.');
        let is_part = |part: &str| {
            (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        parts.clone().count() == 4 && parts.into_iter().all(is_part)
    },
};

const V6: Family = Family {
    list: -11407,
    text: -11408,
    form: -11409,
    syntax: -10200,
    allocated: -10201,
    special: -10202,
    parse: |text| {
        let address = text.parse::<Ipv6Addr>().ok()?;
        // In its canonical form (RFC 5952).
        (address.to_string() == text).then_some(IpAddr::V6(address))
    },
    has_form: |text| text.parse::<Ipv6Addr>().is_ok(),
};

fn family(path: &str, list: &Value, family: &Family, report: &mut Report) {
    let Some(all) = list.as_array() else {
        report.needs(family.list, path, false);
        return;
    };
    for address in all {
        let what = format!("{path}: {address}");
        let Some(text) = address.as_str() else {
            report.needs(family.text, what, false);
            continue;
        };
        report.needs(family.form, &what, (family.has_form)(text));
        let Some(address) = (family.parse)(text) else {
            report.needs(family.syntax, what, false);
            continue;
        };
        // A special address is reported once, not as unallocated as well.
        let is_special = iana::is_special(address);
        report.needs(family.special, &what, !is_special);
        report.needs(family.allocated, &what, is_special || iana::is_allocated(address));
    }
}

/// What may be wrong with a name, as codes.
struct NameCodes {
    label: i32,
    length: i32,
    count: i32,
    form: i32,
}

const LDH: NameCodes = NameCodes { label: -11700, length: -11701, count: -11702, form: -11703 };
const UNICODE: NameCodes = NameCodes { label: -11600, length: -11601, count: -11602, form: -11603 };
const ANY: NameCodes = NameCodes { label: -10300, length: -10301, count: -10302, form: -10303 };

/// The longest label and name of the DNS (RFC 1035 section 2.3.4), in characters.
const LABEL_CHARS_MAX: usize = 63;
const NAME_CHARS_MAX: usize = 253;

fn name(text: &str, codes: &NameCodes, report: &mut Report) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let has_length = |label: &str| (1..=LABEL_CHARS_MAX).contains(&label.chars().count());
    let labels = || text.split('.');
    let lengths = report.needs(codes.label, text, labels().all(has_length));
    let length = report.needs(codes.length, text, text.chars().count() <= NAME_CHARS_MAX);
    let count = report.needs(codes.count, text, labels().count() >= 2);
    // A label that is too long is not judged twice.
    let judged = labels().filter(|label| has_length(label));
    let is_ldh = |label: &str| codes.form != LDH.form || label.is_ascii();
    let is_label = |label: &str| {
        let mapped = Uts46::new().to_ascii(
            label.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::Check,
            DnsLength::Ignore,
        );
        is_ldh(label) && mapped.is_ok()
    };
    let form = report.needs(codes.form, text, judged.into_iter().all(is_label));
    lengths && length && count && form
}

pub(super) fn names(answer: &Answer) -> Findings {
    let mut report = Report::default();
    for (path, object) in answer.objects() {
        // The class has a code of its own for the same mistake.
        let of_class = match object.get("objectClassName").and_then(Value::as_str) {
            Some("domain") => (-12205, -12206),
            Some("nameserver") => (-12405, -12406),
            _ => (-11510, -11511),
        };
        for (member, codes, code) in
            [("ldhName", LDH, of_class.0), ("unicodeName", UNICODE, of_class.1)]
        {
            let Some(value) = object.get(member) else { continue };
            let text = value.as_str();
            let holds = text.is_some_and(|text| name(text, &codes, &mut report));
            report.needs(code, format!("{path}/{member}: {value}"), holds);
        }
    }
    report.0
}

/// What is wrong with a name of any kind.
pub(super) fn name_findings(text: &str) -> Findings {
    let mut report = Report::default();
    name(text, &ANY, &mut report);
    report.0
}

/// Whether a text is a name of two labels or more.
pub(crate) fn is_name(text: &str) -> bool {
    name_findings(text).is_empty()
}

/// Whether a text is a name or an address.
pub(crate) fn is_host(text: &str) -> bool {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok() || is_name(text)
}

/// The host of a URI with an authority (RFC 3986 section 3.2).
pub(crate) fn host_of(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    match host.find(']') {
        Some(end) => host.get(..=end),
        None => host.split(':').next(),
    }
}

/// Whether a text is a URI (RFC 3986): a scheme, and characters that one may have.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let mut bytes = rest.bytes();
    while let Some(byte) = bytes.next() {
        let is_digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
        let is_one = match byte {
            b'%' => is_digit(bytes.next()) && is_digit(bytes.next()),
            _ => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&byte),
        };
        if !is_one {
            return false;
        }
    }
    is_scheme && rest.matches('#').count() <= 1
}

/// What is wrong with the URI of a web site or service.
pub(super) fn uri_findings(text: &str) -> Findings {
    let mut report = Report::default();
    let is_web = text.starts_with("http://") || text.starts_with("https://");
    report.needs(-10401, text, is_web);
    report.needs(-10400, text, is_uri(text));
    if is_web {
        let host = host_of(text).unwrap_or_default();
        if !report.needs(-10402, text, is_host(host)) {
            report.0.extend(name_findings(host));
        }
    }
    report.0
}

pub(super) fn uris(answer: &Answer) -> Findings {
    let mut report = Report::default();
    for (path, links) in answer.members("links") {
        for link in links.as_array().into_iter().flatten() {
            for (member, code) in [("value", -10609), ("href", -10611)] {
                let Some(value) = link.get(member) else { continue };
                let found = uri_findings(value.as_str().unwrap_or_default());
                report.needs(code, format!("{path}/links: {value}"), found.is_empty());
                report.0.extend(found);
            }
        }
    }
    report.0
}

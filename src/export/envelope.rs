//! The frame of a deposit, the same in both models: watermark, menu, header, EPP parameters.
//!
//! # Invariants
//!
//! - Menu and header counts name the same object URIs.
//!
//! # Does not
//!
//! Write objects.

use snapshot_format::layout::Kind;

use super::Repository;
use super::encode::escape;
use super::time::write_time;

/// The model of the objects: which URIs they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    Xml,
    Csv,
}

/// The kinds in the order of the menu, with their part of the URI.
const KINDS: [(Kind, &str); 6] = [
    (Kind::Domain, "Domain"),
    (Kind::Nameserver, "Host"),
    (Kind::Contact, "Contact"),
    (Kind::Registrar, "Registrar"),
    (Kind::IdnTable, "IDN"),
    (Kind::Nndn, "NNDN"),
];

/// Name spaces of either model: prefix and what follows `urn:ietf:params:xml:ns:`.
const NAMESPACES: [(&str, &str); 7] = [
    ("rde", "rde-1.0"),
    ("rdeHeader", "rdeHeader-1.0"),
    ("rdeEppParams", "rdeEppParams-1.0"),
    ("epp", "epp-1.0"),
    ("domain", "domain-1.0"),
    ("contact", "contact-1.0"),
    ("secDNS", "secDNS-1.1"),
];

const URN: &str = "urn:ietf:params:xml:ns:";

impl Model {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Xml => "rde",
            Self::Csv => "csv",
        }
    }
}

/// Appends all that comes before the objects.
pub(super) fn open(model: Model, repository: &Repository, out: &mut String) {
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rde:deposit type=\"FULL\" id=\"");
    escape(&repository.deposit_id, out);
    out.push('"');
    for (prefix, name) in NAMESPACES {
        namespace(prefix, name, out);
    }
    if model == Model::Csv {
        namespace("rdeCsv", "rdeCsv-1.0", out);
    }
    let prefix = model.prefix();
    for (_, name) in KINDS {
        let prefixed = format!("{prefix}{name}");
        namespace(&prefixed, &format!("{prefixed}-1.0"), out);
    }
    out.push_str(">\n<rde:watermark>");
    write_time(repository.watermark_ms, out);
    out.push_str("</rde:watermark>\n<rde:rdeMenu>\n<rde:version>1.0</rde:version>\n");
    for (_, name) in KINDS {
        push(out, &["<rde:objURI>", URN, prefix, name, "-1.0</rde:objURI>\n"]);
    }
    push(out, &["<rde:objURI>", URN, "rdeEppParams-1.0</rde:objURI>\n</rde:rdeMenu>\n"]);
    out.push_str("<rde:contents>\n<rdeHeader:header>\n<rdeHeader:tld>");
    escape(repository.suffixes.first().map_or("", String::as_str), out);
    out.push_str("</rdeHeader:tld>\n");
    for (kind, name) in KINDS {
        count(&[prefix, name], "", repository.count(kind), out);
        if kind == Kind::Domain {
            // Not of the first: `rcdn` equal to `tld` means the whole repository.
            let suffixes = repository.suffixes.iter().zip(&repository.suffix_domains);
            for (suffix, &domains) in suffixes.skip(1) {
                count(&[prefix, name], suffix, domains, out);
            }
        }
    }
    count(&["rde", "EppParams"], "", 1, out);
    out.push_str("</rdeHeader:header>\n");
}

/// Appends all that comes after the objects.
pub(super) fn close(out: &mut String) {
    out.push_str("<rdeEppParams:eppParams>\n");
    out.push_str("<rdeEppParams:version>1.0</rdeEppParams:version>\n");
    out.push_str("<rdeEppParams:lang>en</rdeEppParams:lang>\n");
    for name in ["domain-1.0", "host-1.0", "contact-1.0"] {
        push(out, &["<rdeEppParams:objURI>", URN, name, "</rdeEppParams:objURI>\n"]);
    }
    out.push_str("<rdeEppParams:svcExtension>\n");
    for name in ["secDNS-1.1", "rgp-1.0"] {
        push(out, &["<epp:extURI>", URN, name, "</epp:extURI>\n"]);
    }
    out.push_str(concat!(
        "</rdeEppParams:svcExtension>\n<rdeEppParams:dcp>\n",
        "<epp:access><epp:all/></epp:access>\n<epp:statement>",
        "<epp:purpose><epp:admin/><epp:prov/></epp:purpose>",
        "<epp:recipient><epp:ours/><epp:public/></epp:recipient>",
        "<epp:retention><epp:stated/></epp:retention></epp:statement>\n",
        "</rdeEppParams:dcp>\n</rdeEppParams:eppParams>\n</rde:contents>\n</rde:deposit>\n",
    ));
}

fn namespace(prefix: &str, name: &str, out: &mut String) {
    push(out, &["\n xmlns:", prefix, "=\"", URN, name, "\""]);
}

fn count(name: &[&str], rcdn: &str, value: u64, out: &mut String) {
    push(out, &["<rdeHeader:count uri=\"", URN]);
    push(out, name);
    out.push_str("-1.0\"");
    if !rcdn.is_empty() {
        out.push_str(" rcdn=\"");
        escape(rcdn, out);
        out.push('"');
    }
    push(out, &[">", &value.to_string(), "</rdeHeader:count>\n"]);
}

/// Appends the parts.
pub(super) fn push(out: &mut String, parts: &[&str]) {
    for part in parts {
        out.push_str(part);
    }
}

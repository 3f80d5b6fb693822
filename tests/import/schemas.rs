//! Every element and attribute of the schemas of RFC 8909 and RFC 9022 is read, or is in a list
//! with the reason why it is not (attributes: `attributes`): what is read changes what is served,
//! or is a finding.

use std::collections::BTreeSet;
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::changes::{diff, read};
use crate::csv_model::{good_csv, import_csv};
use crate::registry::Registry;
use crate::support::{good, import};

/// Elements that are not read, each with its reason. All others of the schemas are.
const NOT_READ: &[(&str, &str)] = &[
    ("rdeHeader:contentTag", "a free word of the parties to a deposit"),
    ("rdeEppParams:version", "of the EPP server, which is not served; the object is counted"),
    ("rdeEppParams:lang", "of the EPP server"),
    ("rdeEppParams:objURI", "of the EPP server"),
    ("rdeEppParams:svcExtension", "of the EPP server"),
    ("rdeEppParams:dcp", "of the EPP server"),
    ("csvDomain:fStatusDescription", "texts of statuses are not served"),
    ("rdeCsv:fStatusDescription", "texts of statuses are not served"),
    ("rdeCsv:fLang", "the language of a text that is not served"),
    ("csvContact:fIsRegistrarContact", "no answer tells contacts of registrars from others"),
    ("csvRegistrar:fStatusName", "names of statuses beyond EPP's are not served"),
];

/// Elements that stand for others and never occur.
const ABSTRACT: &[&str] = &[
    "rde:delete",
    "rde:content",
    "rdeCsv:field",
    "rdeDomain:abstractDomain",
    "rdeHost:abstractHost",
    "rdeContact:abstractContact",
    "rdeRegistrar:abstractRegistrar",
    "rdeNNDN:abstractNNDN",
    "rdeEppParams:abstractEppParams",
];

/// Elements with tests of their own: of deletes, and a policy that all objects keep.
const ELSEWHERE: &[&str] = &[
    "rdeDomain:delete",
    "rdeHost:delete",
    "rdeContact:delete",
    "rdeRegistrar:delete",
    "rdeIDN:delete",
    "rdeIDN:id",
    "rdeNNDN:delete",
    "rde:deletes",
    "rdePolicy:policy",
];

/// What a header may have in the place of a TLD.
const CHOICE: &[&str] = &["rdeHeader:registrar", "rdeHeader:ppsp", "rdeHeader:reseller"];

/// Types of EPP that objects of a deposit are made of.
const EPP_TYPES: &[(&str, &[&str])] = &[
    ("domain", &["nsType", "hostAttrType", "contactType", "statusType"]),
    ("host", &["addrType", "statusType"]),
    (
        "contact",
        &["e164Type", "postalInfoType", "addrType", "discloseType", "intLocType", "statusType"],
    ),
    ("secDNS", &["dsOrKeyType", "dsDataType", "keyDataType"]),
    ("rgp", &["statusType"]),
];

/// What one schema declares: `prefix:element` and `prefix@attribute`.
fn declared(prefix: &str, path: &Path, types: Option<&[&str]>, found: &mut BTreeSet<String>) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut reader = Reader::from_str(&text);
    let mut inside = types.is_none();
    let mut depth = 0;
    loop {
        let (start, empty) = match reader.read_event().unwrap() {
            Event::Start(start) => (start, false),
            Event::Empty(start) => (start, true),
            Event::End(_) => {
                depth -= 1;
                if depth == 1 && types.is_some() {
                    inside = false;
                }
                continue;
            }
            Event::Eof => return,
            _ => continue,
        };
        let attribute = start.try_get_attribute("name").unwrap();
        let name = attribute.map(|name| name.value.into_owned()).unwrap_or_default();
        let what = start.local_name().into_inner().to_owned();
        if what == "complexType" && depth == 1 {
            inside = types.is_none_or(|types| types.contains(&&*name));
        }
        if inside && !name.is_empty() && what == "element" {
            found.insert(format!("{prefix}:{name}"));
        } else if inside && !name.is_empty() && what == "attribute" {
            found.insert(format!("{prefix}@{name}"));
        }
        depth += i32::from(!empty);
    }
}

pub(crate) fn all_declared() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rde-schema");
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder.join("rfc-xsd")).unwrap() {
        let path = entry.unwrap().path();
        let prefix = path.file_name().unwrap().to_str().unwrap().split('-').next().unwrap();
        declared(prefix, &path, None, &mut found);
    }
    for (prefix, types) in EPP_TYPES {
        let version = if *prefix == "secDNS" { "1.1" } else { "1.0" };
        let path = folder.join(format!("epp-xsd/{prefix}-{version}.xsd"));
        declared(prefix, &path, Some(types), &mut found);
    }
    found
}

/// Changes that give the good deposit every element: a text, and its replacement.
const EDITS: &[(&str, &str)] = &[
    ("</rdeHeader:header>", "<rdeHeader:contentTag>x</rdeHeader:contentTag></rdeHeader:header>"),
    (
        "<rdeRegistrar:cc>",
        "<rdeRegistrar:sp>SP</rdeRegistrar:sp><rdeRegistrar:pc>PC</rdeRegistrar:pc><rdeRegistrar:cc>",
    ),
    (
        "<rdeRegistrar:email>",
        "<rdeRegistrar:fax x=\"7\">+1.5552222</rdeRegistrar:fax><rdeRegistrar:email>",
    ),
    (
        "<rdeRegistrar:whoisInfo>",
        "<rdeRegistrar:whoisInfo><rdeRegistrar:name>whois.one.test</rdeRegistrar:name>",
    ),
    (
        "</rdeRegistrar:registrar>",
        "<rdeRegistrar:upDate>2020-01-01T00:00:00Z</rdeRegistrar:upDate></rdeRegistrar:registrar>",
    ),
    ("</rdeIDN:url>", "</rdeIDN:url><rdeIDN:urlPolicy>http://tables.test/p</rdeIDN:urlPolicy>"),
    ("<contact:pc>", "<contact:sp>Region</contact:sp><contact:pc>"),
    ("<rdeContact:voice>", "<rdeContact:voice x=\"9\">"),
    ("<rdeContact:email>", "<rdeContact:fax>+33.654321</rdeContact:fax><rdeContact:email>"),
    (
        "<rdeContact:disclose flag=\"0\">",
        "<rdeContact:upRr client=\"c\">R1</rdeContact:upRr><rdeContact:upDate>2020-01-01T00:00:00Z</rdeContact:upDate>\
             <rdeContact:trDate>2020-01-02T00:00:00Z</rdeContact:trDate>\
             <rdeContact:trnData><rdeContact:trStatus>pending</rdeContact:trStatus>\
             <rdeContact:reRr>R1</rdeContact:reRr><rdeContact:reDate>2020-01-01T00:00:00Z</rdeContact:reDate>\
             <rdeContact:acRr>R1</rdeContact:acRr><rdeContact:acDate>2020-01-03T00:00:00Z</rdeContact:acDate></rdeContact:trnData>\
             <rdeContact:disclose flag=\"0\"><contact:name type=\"int\"/><contact:org type=\"loc\"/><contact:addr type=\"loc\"/><contact:fax/>",
    ),
    (
        "<rdeHost:clID>R1</rdeHost:clID><rdeHost:crDate>",
        "<rdeHost:clID>R1</rdeHost:clID><rdeHost:crRr>R1</rdeHost:crRr>\
             <rdeHost:upRr>R1</rdeHost:upRr><rdeHost:upDate>2020-01-01T00:00:00Z</rdeHost:upDate>\
             <rdeHost:trDate>2020-01-01T00:00:00Z</rdeHost:trDate><rdeHost:crDate>",
    ),
    (
        "<rdeDomain:status s=\"ok\"/>",
        "<rdeDomain:status s=\"clientHold\" lang=\"en\">held</rdeDomain:status><rdeDomain:rgpStatus s=\"addPeriod\" lang=\"en\">new</rdeDomain:rgpStatus>",
    ),
    (
        "</rdeDomain:ns>",
        "<domain:hostAttr><domain:hostName>ns7.b.example</domain:hostName><domain:hostAddr ip=\"v4\">192.0.2.7</domain:hostAddr></domain:hostAttr></rdeDomain:ns>",
    ),
    (
        "<rdeDomain:secDNS>",
        "<rdeDomain:upRr>R1</rdeDomain:upRr><rdeDomain:upDate>2020-01-01T00:00:00Z</rdeDomain:upDate><rdeDomain:secDNS>",
    ),
    (
        "</secDNS:dsData>",
        "<secDNS:keyData><secDNS:flags>257</secDNS:flags><secDNS:protocol>3</secDNS:protocol><secDNS:alg>8</secDNS:alg><secDNS:pubKey>AQAB</secDNS:pubKey></secDNS:keyData></secDNS:dsData>",
    ),
    (
        "</rdeDomain:secDNS>",
        "</rdeDomain:secDNS><rdeDomain:trDate>2020-01-01T00:00:00Z</rdeDomain:trDate>\
             <rdeDomain:trnData><rdeDomain:trStatus>pending</rdeDomain:trStatus>\
             <rdeDomain:reRr>R1</rdeDomain:reRr><rdeDomain:reDate>2020-01-01T00:00:00Z</rdeDomain:reDate>\
             <rdeDomain:acRr>R1</rdeDomain:acRr><rdeDomain:acDate>2020-01-03T00:00:00Z</rdeDomain:acDate>\
             <rdeDomain:exDate>2031-01-01T00:00:00Z</rdeDomain:exDate></rdeDomain:trnData>",
    ),
    (
        "<rdeDomain:idnTableId>",
        "<rdeDomain:uName>b\u{fc}cher.test</rdeDomain:uName><rdeDomain:originalName>a.test</rdeDomain:originalName><rdeDomain:idnTableId>",
    ),
    (
        "<rdeNNDN:NNDN><rdeNNDN:aName>reserved.test</rdeNNDN:aName>",
        "<rdeNNDN:NNDN><rdeNNDN:aName>xn--bcher-kva.b.test</rdeNNDN:aName><rdeNNDN:uName>b\u{fc}cher.b.test</rdeNNDN:uName>\
             <rdeNNDN:idnTableId>pt</rdeNNDN:idnTableId><rdeNNDN:originalName>a.test</rdeNNDN:originalName>\
             <rdeNNDN:crDate>2020-01-01T00:00:00Z</rdeNNDN:crDate>",
    ),
    (
        "</rde:contents>",
        "<rdeEppParams:eppParams><rdeEppParams:version>1.0</rdeEppParams:version><rdeEppParams:lang>en</rdeEppParams:lang>\
             <rdeEppParams:objURI>urn:x</rdeEppParams:objURI><rdeEppParams:svcExtension/><rdeEppParams:dcp/></rdeEppParams:eppParams>\
             <rdePolicy:policy scope=\"//rde:deposit/rde:contents/rdeDomain:domain\" element=\"rdeDomain:registrant\"/></rde:contents>",
    ),
    (
        "<rdeHeader:count uri=\"urn:ietf:params:xml:ns:rdeNNDN-1.0\">",
        "<rdeHeader:count uri=\"urn:ietf:params:xml:ns:rdeEppParams-1.0\">1</rdeHeader:count>\
             <rdeHeader:count uri=\"urn:ietf:params:xml:ns:rdeDomain-1.0\" registrarId=\"8\">9</rdeHeader:count>\
             <rdeHeader:count uri=\"urn:ietf:params:xml:ns:rdeDomain-1.0\" rcdn=\"b.test\">0</rdeHeader:count>\
             <rdeHeader:count uri=\"urn:ietf:params:xml:ns:rdeNNDN-1.0\">",
    ),
    (
        "<rde:objURI>urn:ietf:params:xml:ns:rdeNNDN-1.0</rde:objURI>",
        "<rde:objURI>urn:ietf:params:xml:ns:rdeNNDN-1.0</rde:objURI><rde:objURI>urn:ietf:params:xml:ns:rdeEppParams-1.0</rde:objURI>",
    ),
];

/// A deposit with every element of the XML model that a full one has.
pub(crate) fn everything() -> String {
    EDITS.iter().fold(good(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

/// What came of a deposit: the snapshot, and what was found or why it was refused.
pub(crate) fn outcome(text: &str) -> (Vec<u8>, Vec<&'static str>) {
    let outcome = import(text);
    let codes = outcome.codes();
    (outcome.bytes.unwrap_or_default(), codes)
}

/// The text without its first element of a name, and with another content in it.
fn without(text: &str, name: &str) -> Option<[String; 2]> {
    let start =
        [format!("<{name}>"), format!("<{name} "), format!("<{name}/>"), format!("<{name}\n")];
    let at = start.iter().filter_map(|start| text.find(start.as_str())).min()?;
    let tag_end = at + text[at..].find('>')? + 1;
    if text[..tag_end].ends_with("/>") {
        return Some([format!("{}{}", &text[..at], &text[tag_end..]), text.to_owned()]);
    }
    let close = format!("</{name}>");
    let close_at = tag_end + text[tag_end..].find(&close)?;
    let end = close_at + close.len();
    let other = format!("{}zz9{}", &text[..tag_end], &text[close_at..]);
    Some([format!("{}{}", &text[..at], &text[end..]), other])
}

#[test]
fn the_deposit_with_every_element_is_in_order() {
    let outcome = import(everything());
    assert!(outcome.bytes.is_ok() && outcome.lines.is_empty(), "{}", outcome.lines);
}

#[test]
fn every_element_of_the_schemas_is_read_or_has_a_reason() {
    let text = everything();
    let expected = outcome(&text);
    let mut of_csv = 0;
    let mut wrong = Vec::new();
    for name in all_declared() {
        let Some((prefix, _)) = name.split_once(':') else { continue };
        let is_csv = prefix.starts_with("csv") || prefix == "rdeCsv";
        // Those of deletes and of the CSV model have separate tests.
        if ABSTRACT.contains(&&*name) || ELSEWHERE.contains(&&*name) || is_csv {
            of_csv += u32::from(is_csv);
            continue;
        }
        let not_read = NOT_READ.iter().any(|known| known.0 == name);
        let changed = match (CHOICE.contains(&&*name), without(&text, &name)) {
            (true, _) => vec![text.replace("rdeHeader:tld>", &format!("{name}>"))],
            (false, Some(changed)) => changed.to_vec(),
            (false, None) => Vec::new(),
        };
        let differs = changed.iter().any(|text| outcome(text) != expected);
        if changed.is_empty() || differs == not_read {
            wrong.push(name);
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(of_csv > 60, "{of_csv}");
}

#[test]
fn every_column_of_the_schemas_is_known_or_has_a_reason() {
    let mut xml = good_csv()[0].1.clone();
    let files = "<rdeCsv:files><rdeCsv:file>none.csv</rdeCsv:file></rdeCsv:files></rdeCsv:csv>";
    let tables = [
        ("csvDomain", "domain", "<csvDomain:fName/>"),
        ("csvHost", "host", "<csvHost:fName/>"),
        ("csvContact", "contact", "<csvContact:fId/>"),
        ("csvRegistrar", "registrar", "<csvRegistrar:fId/>"),
        ("csvNNDN", "NNDN", "<csvNNDN:fAName/>"),
        ("rdeCsv", "domain", "<csvDomain:fName/>"),
    ];
    let mut columns = 0;
    for name in all_declared() {
        let Some((prefix, local)) = name.split_once(':') else { continue };
        let table = tables.iter().find(|table| table.0 == prefix);
        let Some((_, table, key)) = table.filter(|_| local.starts_with('f')) else { continue };
        if matches!(local, "field" | "fields" | "file" | "files") {
            continue;
        }
        columns += 1;
        // The end of the first definitions: elements of all namespaces may be there.
        let more = format!(
            "<rdeCsv:csv name=\"{table}\"><rdeCsv:fields>{key}<{name}/></rdeCsv:fields>{files}"
        );
        xml = xml.replacen("</csvDomain:contents>", &format!("{more}</csvDomain:contents>"), 1);
    }
    assert!(columns > 60, "{columns}");
    let mut files = good_csv();
    files.push(("none.csv".to_owned(), String::new()));
    files[0].1.clone_from(&xml);
    let outcome = import_csv(&files);
    assert_eq!(outcome.lines, "");
    files[0].1 = xml.replace("<csvContact:fFaxExt/>", "<csvContact:fTelexExt/>");
    assert_eq!(import_csv(&files).codes(), ["element-unknown"]);
}

#[test]
fn every_delete_of_the_schemas_is_read() {
    for (prefix, key, value, word) in [
        ("rdeDomain", "name", "x.test", "-domain x.test"),
        ("rdeHost", "name", "ns1.x.test", "-nameserver ns1.x.test"),
        ("rdeHost", "roid", "H1-TEST", "-nameserver ns1.a.test"),
        ("rdeContact", "id", "X1", "-contact X1"),
        ("rdeRegistrar", "id", "R2", "-registrar R2"),
        ("rdeIDN", "id", "de", "-IDN table de"),
        ("rdeNNDN", "aName", "y.test", "-NNDN y.test"),
    ] {
        let text =
            format!("<{prefix}:delete><{prefix}:{key}>{value}</{prefix}:{key}></{prefix}:delete>");
        let registry = Registry { hosts: &[("ns1.a.test", "H1-TEST")], ..Registry::default() };
        assert_eq!(read(diff(&text, ""), &registry).unwrap().words(), [word]);
    }
    let named = all_declared().into_iter().filter(|name| name.ends_with(":delete"));
    assert_eq!(named.count(), 7, "six kinds, and the abstract one");
}

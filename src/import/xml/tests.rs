//! Documents that are read, and those that are refused.

use super::*;
use crate::vet::element::{Name, Space};

fn leaf_of(document: &str) -> Result<String, XmlError> {
    let mut xml = Xml::new(document.as_bytes());
    assert!(matches!(xml.step()?, Step::Open(_)));
    xml.leaf()?;
    let text = xml.text().to_owned();
    assert_eq!(xml.step()?, Step::End);
    Ok(text)
}

#[test]
fn text_is_collapsed_and_references_are_resolved() {
    assert_eq!(
        leaf_of("<a>\r\n  x  y\t&amp;&#x41;<!-- c --><![CDATA[<b> ]]>\n</a>").unwrap(),
        "x y &A<b>"
    );
    assert_eq!(leaf_of("<?xml version='1.0' encoding='utf-8'?><a/>").unwrap(), "");
    assert_eq!(leaf_of("\u{feff}<a>1</a>").unwrap(), "1");
    assert_eq!(leaf_of("<a>x\u{1}\u{85}y</a>").unwrap(), "xy");
}

#[test]
fn what_is_no_document_is_refused_with_its_rule() {
    let rule = |document: &str| match leaf_of(document) {
        Err(XmlError::Broken(rule, _)) => rule,
        other => panic!("{document}: {other:?}"),
    };
    assert_eq!(rule("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"), Rule::XmlDoctype);
    assert_eq!(rule("<?xml version='1.0' encoding='ISO-8859-1'?><a/>"), Rule::XmlEncoding);
    for malformed in [
        "<a>&x;</a>",
        "<a><b></a>",
        "<a>",
        "",
        "<a/><b/>",
        "x<a/>",
        "<p:a/>",
        "<a b='1' b='2'/>",
        "<a b=1/>",
    ] {
        assert_eq!(rule(malformed), Rule::XmlMalformed, "{malformed}");
    }
    assert_eq!(rule(&"<a>".repeat(65)), Rule::XmlBounds);
    let long = format!("<a>{}</a>", "x".repeat(3 << 20));
    assert_eq!(rule(&long), Rule::XmlBounds);
}

#[test]
fn prefixes_are_what_the_document_declares_them_to_be() {
    let document = "<d:deposit xmlns:d='urn:ietf:params:xml:ns:rde-1.0'>\
        <domain xmlns='urn:ietf:params:xml:ns:rdeDomain-1.0'><name>a</name></domain>\
        <d:domain xmlns:d='urn:ietf:params:xml:ns:rdeDomain-1.0'/>\
        <domain xmlns='urn:x'/><d:watermark/></d:deposit>";
    let mut xml = Xml::new(document.as_bytes());
    let mut seen = Vec::new();
    loop {
        match xml.step().unwrap() {
            Step::Open(element) => seen.push((element.space, element.name)),
            Step::Close => {}
            Step::End => break,
        }
    }
    assert_eq!(
        seen,
        [
            (Space::Rde, Name::Deposit),
            (Space::RdeDomain, Name::Domain),
            (Space::RdeDomain, Name::NameElement),
            (Space::RdeDomain, Name::Domain),
            (Space::Foreign, Name::Domain),
            (Space::Rde, Name::Watermark),
        ]
    );
}

//! Streaming, namespace-aware XML: steps of elements and collapsed texts over `quick_xml`.
//!
//! # Invariants
//!
//! - Memory is bounded: token size, nesting, number of remembered names and scopes.
//! - Document type declarations are refused, so entities are the five predefined ones and
//!   character references.
//! - A raw name means one element within one scope of namespace declarations: the cache of a
//!   scope is a map from raw names, and a scope is recognised by its parent and the raw text of
//!   the attributes that declare it, so a deposit that declares namespaces on each object costs
//!   one look-up per object more.
//!
//! # Does not
//!
//! Know what the elements mean.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

pub(super) mod element;
mod input;
mod scope;

use std::io::Read;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use self::element::Element;
use self::input::Input;
use self::scope::Scopes;
use super::rule::Rule;

/// Deepest nesting: deposits have about 8 levels.
const DEPTH_MAX: usize = 64;
/// Most attributes of one element.
const ATTRIBUTES_MAX: usize = 256;

/// What comes next in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// An element opens; its attributes are at hand until the next step.
    Open(Element),
    /// The innermost open element closes.
    Close,
    /// The document is over.
    End,
}

/// Why a document cannot be read on.
#[derive(Debug)]
pub(super) enum XmlError {
    /// The document breaks a rule.
    Broken(Rule, String),
    /// The file cannot be read.
    Io(std::io::Error),
}

/// A document that is being read.
pub(super) struct Xml<R> {
    reader: Reader<Input<R>>,
    buffer: Vec<u8>,
    scopes: Scopes,
    depth: usize,
    seen_root: bool,
    attributes: Attributes,
    /// The last leaf's text, and what it was made from.
    text: String,
    raw: String,
    /// Raw name of the last element that opened.
    opened: String,
    /// A control character was dropped from the last text.
    pub(super) dropped_control: bool,
}

/// Attributes of one element: names and values, one after another.
#[derive(Default)]
struct Attributes {
    text: String,
    /// Ends of name and value of each attribute in `text`.
    ends: Vec<(usize, usize)>,
}

impl Attributes {
    fn value(&self, name: &str) -> Option<&str> {
        let mut start = 0;
        for &(name_end, value_end) in &self.ends {
            if self.text.get(start..name_end) == Some(name) {
                return self.text.get(name_end..value_end);
            }
            start = value_end;
        }
        None
    }
}

impl<R: Read> Xml<R> {
    pub(super) fn new(input: R) -> Self {
        let mut reader = Reader::from_reader(Input::new(input));
        reader.config_mut().expand_empty_elements = true;
        Self {
            reader,
            buffer: Vec::new(),
            scopes: Scopes::new(),
            depth: 0,
            seen_root: false,
            attributes: Attributes::default(),
            text: String::new(),
            raw: String::new(),
            opened: String::new(),
            dropped_control: false,
        }
    }

    /// The line of the read position.
    pub(super) fn line(&mut self) -> u64 {
        self.reader.get_mut().line()
    }

    /// Raw name of the last element that opened.
    pub(super) fn opened(&self) -> &str {
        &self.opened
    }

    /// Local name of the last element that opened.
    pub(super) fn opened_local(&self) -> &str {
        self.opened.rsplit_once(':').map_or(&self.opened, |(_, local)| local)
    }

    /// An attribute of the element that opened in the last step.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.value(name)
    }

    /// The next step; text in between is skipped.
    pub(super) fn step(&mut self) -> Result<Step, XmlError> {
        self.next(false)
    }

    /// The next step, with the text in between, as it stands in the document.
    pub(super) fn step_with_text(&mut self, out: &mut String) -> Result<Step, XmlError> {
        self.raw.clear();
        let step = self.next(true)?;
        out.push_str(&self.raw);
        Ok(step)
    }

    /// Reads the text of the element that opened in the last step, white space collapsed, and its
    /// close; [`Self::text`] is the text. Elements within it are skipped: `true` if there were some.
    pub(super) fn leaf(&mut self) -> Result<bool, XmlError> {
        self.raw.clear();
        let mut nested = false;
        loop {
            match self.next(true)? {
                Step::Open(_) => {
                    nested = true;
                    self.skip()?;
                }
                Step::Close => break,
                Step::End => return Err(broken("the document ends within an element")),
            }
        }
        self.dropped_control = collapse(&self.raw, &mut self.text);
        Ok(nested)
    }

    /// The text of the last leaf.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Skips the rest of the element that opened in the last step, with its close.
    pub(super) fn skip(&mut self) -> Result<(), XmlError> {
        let mut open = 1usize;
        while open > 0 {
            match self.next(false)? {
                Step::Open(_) => open = open.saturating_add(1),
                Step::Close => open = open.saturating_sub(1),
                Step::End => return Err(broken("the document ends within an element")),
            }
        }
        Ok(())
    }

    fn next(&mut self, keep_text: bool) -> Result<Step, XmlError> {
        loop {
            self.buffer.clear();
            self.reader.get_mut().token_begins();
            let event = match self.reader.read_event_into(&mut self.buffer) {
                Ok(event) => event,
                Err(error) => {
                    let overlong = self.reader.get_ref().overlong();
                    return Err(reading_failed(error, overlong));
                }
            };
            match event {
                Event::Start(start) => {
                    if self.depth >= DEPTH_MAX {
                        let got = format!("more than {DEPTH_MAX} levels of elements");
                        return Err(XmlError::Broken(Rule::XmlBounds, got));
                    }
                    if self.depth == 0 && self.seen_root {
                        return Err(broken("a second outermost element"));
                    }
                    self.seen_root = true;
                    self.depth = self.depth.saturating_add(1);
                    read_attributes(&start, &mut self.attributes)?;
                    let declares = !self.attributes.ends.is_empty()
                        && memchr::memmem::find(start.attributes_raw().as_bytes(), b"xmlns")
                            .is_some();
                    self.scopes
                        .enter(declares.then(|| (start.attributes_raw(), self.attributes.pairs())));
                    let name = start.name().into_inner();
                    self.opened.clear();
                    self.opened.push_str(name);
                    return self.scopes.element(name).map(Step::Open);
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    self.scopes.leave();
                    return Ok(Step::Close);
                }
                Event::Text(text) => {
                    if keep_text {
                        self.raw.push_str(&text);
                    } else if self.depth == 0 && !text.trim_ascii().is_empty() {
                        return Err(broken("text outside of the outermost element"));
                    }
                }
                Event::CData(text) if keep_text => self.raw.push_str(&text),
                Event::GeneralRef(reference) => {
                    let character = resolve(&reference)?;
                    if keep_text {
                        self.raw.push(character);
                    }
                }
                Event::DocType(_) => {
                    return Err(XmlError::Broken(Rule::XmlDoctype, String::new()));
                }
                Event::Decl(declaration) => {
                    if let Some(encoding) = declaration.encoding() {
                        check_encoding(&encoding.map_err(|error| broken(&error.to_string()))?)?;
                    }
                }
                Event::Eof if self.depth > 0 => {
                    return Err(broken("the document ends within an element"));
                }
                Event::Eof if !self.seen_root => return Err(broken("no element")),
                Event::Eof => return Ok(Step::End),
                Event::CData(_) | Event::Comment(_) | Event::PI(_) => {}
                _ => return Err(broken("an unexpected construct")),
            }
            if self.raw.len() > usize::try_from(input::TOKEN_BYTES_MAX).unwrap_or(usize::MAX) {
                let got = "a text of more than 1 MiB".to_owned();
                return Err(XmlError::Broken(Rule::XmlBounds, got));
            }
        }
    }
}

impl Attributes {
    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        self.ends.iter().map(move |&(name_end, value_end)| {
            let name = self.text.get(start..name_end).unwrap_or_default();
            start = value_end;
            (name, self.text.get(name_end..value_end).unwrap_or_default())
        })
    }
}

fn read_attributes(start: &BytesStart<'_>, out: &mut Attributes) -> Result<(), XmlError> {
    out.text.clear();
    out.ends.clear();
    if start.attributes_raw().is_empty() {
        return Ok(());
    }
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| broken(&error.to_string()))?;
        if out.ends.len() >= ATTRIBUTES_MAX {
            let got = format!("more than {ATTRIBUTES_MAX} attributes");
            return Err(XmlError::Broken(Rule::XmlBounds, got));
        }
        out.text.push_str(attribute.key.into_inner());
        let name_end = out.text.len();
        let value = attribute
            .normalized_value(XmlVersion::Explicit1_0)
            .map_err(|error| broken(&error.to_string()))?;
        out.text.push_str(value.trim_ascii());
        out.ends.push((name_end, out.text.len()));
    }
    Ok(())
}

fn broken(got: &str) -> XmlError {
    XmlError::Broken(Rule::XmlMalformed, got.to_owned())
}

fn reading_failed(error: quick_xml::Error, overlong: bool) -> XmlError {
    match error {
        _ if overlong => {
            XmlError::Broken(Rule::XmlBounds, "a text or tag of more than 1 MiB".to_owned())
        }
        quick_xml::Error::Io(error) => {
            XmlError::Io(std::io::Error::new(error.kind(), error.to_string()))
        }
        quick_xml::Error::Encoding(error) => XmlError::Broken(Rule::XmlEncoding, error.to_string()),
        error => broken(&error.to_string()),
    }
}

fn check_encoding(encoding: &str) -> Result<(), XmlError> {
    if encoding.eq_ignore_ascii_case("UTF-8") || encoding.eq_ignore_ascii_case("US-ASCII") {
        return Ok(());
    }
    Err(XmlError::Broken(Rule::XmlEncoding, encoding.to_owned()))
}

fn resolve(reference: &quick_xml::events::BytesRef<'_>) -> Result<char, XmlError> {
    if let Some(character) =
        reference.resolve_char_ref().map_err(|error| broken(&error.to_string()))?
    {
        return Ok(character);
    }
    match &**reference {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        other => Err(broken(&format!("the entity &{other};"))),
    }
}

/// Collapses white space as xs:token does, and drops control characters; says whether it dropped
/// some.
pub(super) fn collapse(raw: &str, out: &mut String) -> bool {
    out.clear();
    let trimmed = raw.trim_matches([' ', '\t', '\r', '\n']);
    let plain = |pair: (usize, u8)| {
        let (index, byte) = pair;
        // A single space between words is fine; a second one is not.
        byte > b' ' && byte != 0x7f && byte != 0xc2
            || byte == b' ' && trimmed.as_bytes().get(index.wrapping_add(1)) != Some(&b' ')
    };
    if trimmed.bytes().enumerate().all(plain) {
        out.push_str(trimmed);
        return false;
    }
    let mut dropped = false;
    let mut space = false;
    for character in trimmed.chars() {
        match character {
            ' ' | '\t' | '\r' | '\n' => space = true,
            character if character.is_control() => dropped = true,
            character => {
                if space && !out.is_empty() {
                    out.push(' ');
                }
                space = false;
                out.push(character);
            }
        }
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::element::{Name, Space};
    use super::*;

    fn leaf_of(document: &str) -> Result<String, XmlError> {
        let mut xml = Xml::new(document.as_bytes());
        assert!(matches!(xml.step()?, Step::Open(_)));
        xml.leaf()?;
        assert_eq!(xml.step()?, Step::End);
        Ok(xml.text().to_owned())
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
}

//! Streaming, namespace-aware XML: steps of elements and collapsed texts.
//!
//! Tags and texts are cut out of the buffer where they lie; `quick_xml` takes attributes apart and
//! resolves references. Its reader copies and validates each event by itself, which made half of
//! an import's time.
//!
//! # Invariants
//!
//! - Memory is bounded in bytes: tokens and tags, names, nesting, what is remembered of names and
//!   scopes, bindings in force; some 8 MiB whatever is read.
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

mod attributes;
mod input;
mod scope;
mod text;

use std::io::Read;
use std::ops::Range;

use quick_xml::escape;

use self::attributes::Attributes;
use self::input::Input;
use self::scope::Scopes;
pub(super) use self::text::collapse;
use super::encoding::Declared;
use crate::vet::element::Element;
use crate::vet::findings::clip;
use crate::vet::rule::Rule;

/// Deepest nesting: deposits have about 8 levels.
const DEPTH_MAX: usize = 64;
/// Longest name of an element or of an attribute, with its prefix, bytes; those of the schemas have
/// up to 30.
const NAME_BYTES_MAX: usize = 256;

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

/// An element that is open.
struct Open {
    /// Where its raw name begins.
    name_at: usize,
    /// The scope outside of it.
    outer: usize,
}

/// A document that is being read.
pub(super) struct Xml<R> {
    input: Input<R>,
    scopes: Scopes,
    /// Raw names of the open elements, one after another.
    names: String,
    open: Vec<Open>,
    /// The innermost element was an empty tag: its close comes next.
    empty: bool,
    seen_root: bool,
    attributes: Attributes,
    /// The last leaf's text, unless it lies in the input as it is.
    text: String,
    text_in_input: Option<Range<usize>>,
    /// What a text that is not plain is made from.
    raw: String,
    /// A control character was dropped from the last text.
    pub(super) dropped_control: bool,
}

impl<R: Read> Xml<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input: Input::new(input),
            scopes: Scopes::new(),
            names: String::new(),
            open: Vec::new(),
            empty: false,
            seen_root: false,
            attributes: Attributes::default(),
            text: String::new(),
            text_in_input: None,
            raw: String::new(),
            dropped_control: false,
        }
    }

    /// The line of the read position.
    pub(super) fn line(&mut self) -> u64 {
        self.input.line()
    }

    /// Raw name of the innermost open element.
    pub(super) fn opened(&self) -> &str {
        self.open.last().and_then(|open| self.names.get(open.name_at..)).unwrap_or_default()
    }

    /// Local name of the innermost open element.
    pub(super) fn opened_local(&self) -> &str {
        let name = self.opened();
        name.rsplit_once(':').map_or(name, |(_, local)| local)
    }

    /// An attribute of the element that opened in the last step.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.value(name)
    }

    /// An attribute with the white space at its edges.
    pub(super) fn attribute_whole(&self, name: &str) -> Option<&str> {
        self.attributes.whole(name)
    }

    /// The next step; text in between is skipped.
    pub(super) fn step(&mut self) -> Result<Step, XmlError> {
        self.next(false)
    }

    /// The next step, with the text in between, as the document has it.
    pub(super) fn step_with_text(&mut self, out: &mut String) -> Result<Step, XmlError> {
        self.raw.clear();
        let step = self.next(true)?;
        out.push_str(&self.raw);
        Ok(step)
    }

    /// Reads the text of the element that opened in the last step, white space collapsed, and its
    /// close; [`Self::text`] is the text. Elements within it are skipped: `true` if any.
    pub(super) fn leaf(&mut self) -> Result<bool, XmlError> {
        if self.clean_leaf() || self.plain_leaf()? {
            return Ok(false);
        }
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
        self.text_in_input = None;
        self.dropped_control = collapse(&self.raw, &mut self.text);
        Ok(nested)
    }

    /// The common case of a leaf: a text that is clean as it stands, and the close, all of it at
    /// hand. The text stays in the input.
    fn clean_leaf(&mut self) -> bool {
        if self.empty {
            return false;
        }
        let bytes = text::plain_start(self.input.rest().as_bytes(), text::UNCLEAN | text::MARKUP);
        let Some(end) = self.close_at(bytes) else { return false };
        self.text_in_input = Some(self.input.range(bytes));
        self.dropped_control = false;
        self.input.take(end);
        self.close();
        true
    }

    /// Whether the innermost element's closing tag is `at` bytes on; if so, where it ends.
    fn close_at(&self, at: usize) -> Option<usize> {
        let name = self.opened();
        let tag = self.input.rest().as_bytes().get(at..)?.strip_prefix(b"</")?;
        let end = tag.strip_prefix(name.as_bytes())?;
        end.starts_with(b">").then_some(at.saturating_add(name.len()).saturating_add(3))
    }

    /// The next case: one text without references that may have to be cleaned, then the close.
    fn plain_leaf(&mut self) -> Result<bool, XmlError> {
        if self.empty {
            return Ok(false);
        }
        let Some(end) = self.input.find(0, |bytes| memchr::memchr(b'<', bytes), 0)? else {
            return Ok(false);
        };
        self.input.at_least(end.saturating_add(2))?;
        let closes = self.input.rest().get(end..).is_some_and(|rest| rest.starts_with("</"));
        let text = self.input.start(end);
        if !closes || memchr::memchr(b'&', text.as_bytes()).is_some() {
            return Ok(false);
        }
        self.text_in_input = None;
        self.dropped_control = collapse(text, &mut self.text);
        self.input.take(end);
        self.end_tag()?;
        Ok(true)
    }

    /// The text of the last leaf; at hand until the next step.
    pub(super) fn text(&self) -> &str {
        match &self.text_in_input {
            Some(range) => self.input.taken(range),
            None => &self.text,
        }
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
        if std::mem::take(&mut self.empty) {
            return Ok(self.close());
        }
        loop {
            match self.input.rest().as_bytes() {
                [] => {
                    if !self.input.more()? {
                        return self.end();
                    }
                }
                [b'<', b'/', ..] => return self.end_tag(),
                [b'<', b'!', ..] => self.declaration(keep_text)?,
                [b'<', b'?', ..] => self.instruction()?,
                [b'<', _, ..] => return self.start_tag(),
                [b'<'] => {
                    if !self.input.more()? {
                        return Err(broken("the document ends within a tag"));
                    }
                }
                _ => self.characters(keep_text)?,
            }
        }
    }

    fn end(&self) -> Result<Step, XmlError> {
        if !self.open.is_empty() {
            return Err(broken("the document ends within an element"));
        }
        if self.seen_root { Ok(Step::End) } else { Err(broken("no element")) }
    }

    /// The innermost element closes.
    fn close(&mut self) -> Step {
        if let Some(Open { name_at, outer }) = self.open.pop() {
            self.names.truncate(name_at);
            self.scopes.leave(outer);
        }
        Step::Close
    }

    fn end_tag(&mut self) -> Result<Step, XmlError> {
        if let Some(end) = self.close_at(0) {
            self.input.take(end);
            return Ok(self.close());
        }
        let Some(end) = self.input.find(2, |bytes| memchr::memchr(b'>', bytes), 1)? else {
            return Err(broken("the document ends within a tag"));
        };
        let tag = self.input.start(end);
        let name = tag.get(2..end.saturating_sub(1)).unwrap_or_default().trim_ascii_end();
        // Without an open element its name is empty, and no name that was read is empty.
        let opened = self.opened();
        if self.open.is_empty() || opened != name {
            let name = clip(name, NAME_BYTES_MAX);
            let got = format!("</{name}> where </{opened}> is due");
            return Err(broken(&got));
        }
        self.input.take(end);
        Ok(self.close())
    }

    /// The common case of a start tag: an element that was to be expected, with plain attributes,
    /// all of it at hand.
    fn plain_start_tag(&mut self) -> Option<Element> {
        if self.open.is_empty() || self.open.len() >= DEPTH_MAX {
            return None;
        }
        let tag = self.input.rest().get(1..)?;
        let (element, name_bytes) = self.scopes.expected(tag.as_bytes())?;
        let (name, tail) = tag.split_at_checked(name_bytes)?;
        let (tail_bytes, empty) = self.attributes.read_plain(tail)?;
        self.open.push(Open { name_at: self.names.len(), outer: self.scopes.current() });
        self.names.push_str(name);
        self.empty = empty;
        self.input.take(name_bytes.saturating_add(tail_bytes).saturating_add(1));
        Some(element)
    }

    fn start_tag(&mut self) -> Result<Step, XmlError> {
        if let Some(element) = self.plain_start_tag() {
            return Ok(Step::Open(element));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(bounds(&format!("more than {DEPTH_MAX} levels of elements")));
        }
        if self.open.is_empty() && self.seen_root {
            return Err(broken("a second outermost element"));
        }
        self.seen_root = true;
        let end = self.end_of_start_tag()?;
        if end > input::TAG_BYTES_MAX {
            return Err(bounds("a tag of more than 64 KiB"));
        }
        let tag = self.input.start(end);
        let inner = tag.get(1..end.saturating_sub(1)).unwrap_or_default();
        let (inner, empty) = inner.strip_suffix('/').map_or((inner, false), |inner| (inner, true));
        let white = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let name_end = inner.as_bytes().iter().position(white).unwrap_or(inner.len());
        let (name, raw) = inner.split_at_checked(name_end).unwrap_or_default();
        check_name(name)?;
        self.attributes.read(inner, name_end)?;
        let declares =
            !self.attributes.is_empty() && memchr::memmem::find(raw.as_bytes(), b"xmlns").is_some();
        self.open.push(Open { name_at: self.names.len(), outer: self.scopes.current() });
        if declares {
            self.scopes.enter(raw, self.attributes.pairs())?;
        }
        self.names.push_str(name);
        self.empty = empty;
        let element = self.scopes.element(name)?;
        self.input.take(end);
        Ok(Step::Open(element))
    }

    /// Length of a start tag: a `>` within quotes does not end it.
    fn end_of_start_tag(&mut self) -> Result<usize, XmlError> {
        let mut from = 1;
        loop {
            let mark = |bytes: &[u8]| memchr::memchr3(b'>', b'"', b'\'', bytes);
            let Some(end) = self.input.find(from, mark, 1)? else { break };
            let quote = match self.input.rest().as_bytes().get(end.saturating_sub(1)) {
                Some(b'>') => return Ok(end),
                Some(&quote) => quote,
                None => break,
            };
            let close = |bytes: &[u8]| memchr::memchr(quote, bytes);
            let Some(end) = self.input.find(end, close, 1)? else { break };
            from = end;
        }
        Err(broken("the document ends within a tag"))
    }

    /// `<!...`: a comment, character data, or a document type, which is refused.
    fn declaration(&mut self, keep_text: bool) -> Result<(), XmlError> {
        const DATA: &str = "<![CDATA[";
        self.input.at_least(DATA.len())?;
        let rest = self.input.rest();
        let (start, end_mark): (usize, &[u8]) = if rest.starts_with("<!--") {
            (4, b"-->")
        } else if rest.starts_with(DATA) {
            (DATA.len(), b"]]>")
        } else {
            return Err(XmlError::Broken(Rule::XmlDoctype, String::new()));
        };
        let find = |bytes: &[u8]| memchr::memmem::find(bytes, end_mark);
        let Some(end) = self.input.find(start, find, 3)? else {
            return Err(broken("the document ends within a comment or character data"));
        };
        if start == DATA.len() {
            if self.open.is_empty() {
                return Err(broken("text outside of the outermost element"));
            }
            if keep_text {
                let data = self.input.start(end).get(start..end.saturating_sub(3));
                self.raw.push_str(data.unwrap_or_default());
                self.check_raw()?;
            }
        }
        self.input.take(end);
        Ok(())
    }

    /// `<?...?>`: skipped, but for the encoding of the XML declaration.
    fn instruction(&mut self) -> Result<(), XmlError> {
        let Some(end) = self.input.find(2, |bytes| memchr::memmem::find(bytes, b"?>"), 2)? else {
            return Err(broken("the document ends within a processing instruction"));
        };
        let content = self.input.start(end).get(2..end.saturating_sub(2)).unwrap_or_default();
        if content.starts_with("xml") && content.get(3..4).is_some_and(|c| c.trim().is_empty()) {
            self.attributes.read(content, 3)?;
            if let Some(encoding) = self.attributes.value("encoding") {
                check_encoding(encoding)?;
            }
        }
        self.input.take(end);
        Ok(())
    }

    /// Text up to the next tag.
    fn characters(&mut self, keep_text: bool) -> Result<(), XmlError> {
        if !keep_text && !self.open.is_empty() {
            // Most of it is the white space between elements.
            let bytes = self.input.rest().as_bytes();
            let white = bytes.iter().position(|byte| !b" \n\t\r".contains(byte));
            if let Some(white) = white.filter(|&at| bytes.get(at) == Some(&b'<')) {
                self.input.take(white);
                return Ok(());
            }
        }
        let find = |bytes: &[u8]| memchr::memchr(b'<', bytes);
        let end = match self.input.find(0, find, 0)? {
            Some(end) => end,
            None => self.input.rest().len(),
        };
        let text = self.input.start(end);
        if self.open.is_empty() {
            // A byte order mark may come first.
            let text = if self.seen_root { text } else { text.trim_start_matches('\u{feff}') };
            if !text.trim_ascii().is_empty() {
                return Err(broken("text outside of the outermost element"));
            }
        } else if memchr::memchr(b'&', text.as_bytes()).is_some() {
            let text = escape::unescape(text).map_err(|error| broken(&error.to_string()))?;
            if keep_text {
                self.raw.push_str(&text);
            }
        } else if keep_text {
            self.raw.push_str(text);
        }
        self.input.take(end);
        self.check_raw()
    }

    fn check_raw(&self) -> Result<(), XmlError> {
        if self.raw.len() > input::TOKEN_BYTES_MAX {
            return Err(bounds("a text of more than 1 MiB"));
        }
        Ok(())
    }
}

fn broken(got: &str) -> XmlError {
    XmlError::Broken(Rule::XmlMalformed, got.to_owned())
}

fn bounds(got: &str) -> XmlError {
    XmlError::Broken(Rule::XmlBounds, got.to_owned())
}

/// Refuses a name of an element or of an attribute that is longer than any is.
fn check_name(name: &str) -> Result<(), XmlError> {
    if name.len() > NAME_BYTES_MAX {
        let start = clip(name, 40);
        return Err(bounds(&format!("a name of {} bytes, {start}..", name.len())));
    }
    Ok(())
}

fn check_encoding(encoding: &str) -> Result<(), XmlError> {
    // Which of the two is read shows in the bytes; files that were rewritten often say the other.
    match Declared::of(encoding) {
        Some(_) => Ok(()),
        None => Err(XmlError::Broken(Rule::XmlEncoding, encoding.to_owned())),
    }
}

#[cfg(test)]
mod tests;

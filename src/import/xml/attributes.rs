//! Attributes of a tag: taken apart by `quick_xml`, kept one after another.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use quick_xml::XmlVersion;
use quick_xml::events::BytesStart;

use super::text::{MARKUP, QUOTE, UNCLEAN, plain_start};
use super::{NAME_BYTES_MAX, XmlError, bounds, broken, check_name};

/// Most attributes of one element.
const ATTRIBUTES_MAX: usize = 256;

/// Attributes of one element: names and values, one after another.
#[derive(Default)]
pub(super) struct Attributes {
    text: String,
    /// Ends of name and value of each attribute in `text`.
    ends: Vec<(usize, usize)>,
}

impl Attributes {
    /// The value of a name, without white space at its edges: all types of the schemas but one
    /// collapse it.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.whole(name).map(str::trim_ascii)
    }

    /// The value of a name as it stands.
    pub(super) fn whole(&self, name: &str) -> Option<&str> {
        let mut start = 0;
        for &(name_end, value_end) in &self.ends {
            if self.text.get(start..name_end) == Some(name) {
                return self.text.get(name_end..value_end);
            }
            start = value_end;
        }
        None
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Names and values.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        self.ends.iter().map(move |&(name_end, value_end)| {
            let name = self.text.get(start..name_end).unwrap_or_default();
            start = value_end;
            (name, self.text.get(name_end..value_end).unwrap_or_default().trim_ascii())
        })
    }

    /// Reads the attributes of a tag and its end, from the end of the tag's name on, in the form
    /// in which nearly all of them are: ` name="value"`, no references, no namespaces declared.
    /// The length up to and with the end, and whether the element is empty; `None`: it is for
    /// [`Self::read`] to read it, or to say what is wrong with it.
    pub(super) fn read_plain(&mut self, tail: &str) -> Option<(usize, bool)> {
        self.text.clear();
        self.ends.clear();
        let mut at = 0usize;
        loop {
            let after = match tail.as_bytes().get(at..)? {
                [b'>', ..] => return Some((at.checked_add(1)?, false)),
                [b'/', b'>', ..] => return Some((at.checked_add(2)?, true)),
                [b' ', after @ ..] => after,
                _ => return None,
            };
            let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b':';
            let name_bytes = after.iter().position(|&byte| !named(byte))?;
            let name_at = at.checked_add(1)?;
            let name_end = name_at.checked_add(name_bytes)?;
            let name = tail.get(name_at..name_end)?;
            let value_at = name_end.checked_add(2)?;
            let known = name.starts_with("xmlns") || self.value(name).is_some();
            let opens = tail.get(name_end..value_at) == Some("=\"");
            let is_long = name.len() > NAME_BYTES_MAX;
            if name.is_empty() || is_long || known || !opens || self.ends.len() >= ATTRIBUTES_MAX {
                return None;
            }
            let value = tail.as_bytes().get(value_at..)?;
            let value_bytes = plain_start(value, UNCLEAN | MARKUP | QUOTE);
            let value_end = value_at.checked_add(value_bytes)?;
            if tail.as_bytes().get(value_end) != Some(&b'"') {
                return None;
            }
            self.text.push_str(name);
            let name_end = self.text.len();
            self.text.push_str(tail.get(value_at..value_end)?);
            self.ends.push((name_end, self.text.len()));
            at = value_end.checked_add(1)?;
        }
    }

    /// Reads the attributes of a tag's inside, whose name has `name_bytes` bytes.
    pub(super) fn read(&mut self, inner: &str, name_bytes: usize) -> Result<(), XmlError> {
        self.text.clear();
        self.ends.clear();
        if inner.len() == name_bytes {
            return Ok(());
        }
        // Repeated names are looked for below: the iterator would allocate for it.
        for attribute in BytesStart::from_content(inner, name_bytes).attributes().with_checks(false)
        {
            let attribute = attribute.map_err(|error| broken(&error.to_string()))?;
            if self.ends.len() >= ATTRIBUTES_MAX {
                return Err(bounds(&format!("more than {ATTRIBUTES_MAX} attributes")));
            }
            let name = attribute.key.into_inner();
            check_name(name)?;
            if self.value(name).is_some() {
                return Err(broken(&format!("the attribute {name} twice")));
            }
            self.text.push_str(name);
            let name_end = self.text.len();
            let plain = |byte: u8| byte >= b' ' && byte != b'&' && byte != b'<';
            // XML makes a blank of a tab; a separator that is one is meant as it stands.
            if attribute.value.bytes().all(plain) || attribute.value == "\t" {
                self.text.push_str(&attribute.value);
            } else if attribute.value.contains('<') {
                return Err(broken("< within an attribute"));
            } else {
                let value = attribute
                    .normalized_value(XmlVersion::Explicit1_0)
                    .map_err(|error| broken(&error.to_string()))?;
                self.text.push_str(&value);
            }
            self.ends.push((name_end, self.text.len()));
        }
        Ok(())
    }
}

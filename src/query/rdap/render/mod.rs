//! Records into objects (RFC 9083 section 5) and jCards (RFC 7095).
//!
//! # Invariants
//!
//! - `comma first`: an object begins with `objectClassName`, and every member after it with its
//!   comma, so that an optional one needs no look back.
//! - `one role`: an entity has one role, and is there again for another: readers take the first
//!   one (ICANN's response profile 2.2, appendix E).
//!
//! # Does not
//!
//! Write what stands around a record: `site` does.

mod contact;
mod domain;
mod nameserver;
mod registrar;

pub(super) use contact::{contact, contact_in_short, handle_of, shows_handle};
pub(super) use domain::{domain, domain_in_short};
pub(super) use nameserver::{nameserver, nameserver_in_short};
pub(super) use registrar::{registrar, registrar_in_short, with_handle};

use super::document::{Document, List};

/// Writes the statuses of an object, whose words are JSON strings by bit; nothing for none.
fn statuses(words: &[Box<str>], bits: u32, out: &mut Document) {
    let mut bits = bits;
    let mut head: &[u8] = b",\"status\":[";
    while bits != 0 {
        // Bits without a word are of no status of EPP's.
        if let Some(word) = words.get(bits.trailing_zeros() as usize) {
            out.raw(head);
            out.raw(word.as_bytes());
            head = b",";
        }
        // The lowest bit is done.
        bits &= bits.wrapping_sub(1);
    }
    if head == b"," {
        out.raw(b"]");
    }
}

/// Writes a member whose value is a text; nothing for none.
fn member(head: &[u8], value: &str, out: &mut Document) {
    if !value.is_empty() {
        out.raw(head);
        out.text(value);
    }
}

/// The list of an object's entities.
const fn entities() -> List {
    List::new(b",\"entities\":[")
}

/// Starts a jCard (RFC 7095 section 3.2) with its `fn`.
fn begin_card(name: &[u8], out: &mut Document) {
    out.raw(br#","vcardArray":["vcard",[["version",{},"text","4.0"],["fn",{},"text","#);
    out.string(name);
    out.raw(b"]");
}

/// Writes a property that has a text; nothing for none.
fn property(head: &[u8], value: &[u8], out: &mut Document) {
    if !value.is_empty() {
        out.raw(head);
        out.string(value);
        out.raw(b"]");
    }
}

const ORGANIZATION: &[u8] = br#",["org",{},"text","#;
const EMAIL: &[u8] = br#",["email",{},"text","#;
const VOICE: &[u8] = br#",["tel",{"type":"voice"},"#;
const FAX: &[u8] = br#",["tel",{"type":"fax"},"#;

/// Writes a telephone number and its extension; nothing without a number. One that cannot be
/// dialled as it is (RFC 3966 section 3) is a text.
fn telephone(head: &[u8], number: &[u8], extension: &[u8], out: &mut Document) {
    if number.is_empty() {
        return;
    }
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'(' | b')');
    let is_global =
        matches!(number, [b'+', rest @ ..] if !rest.is_empty() && rest.iter().all(is_part));
    let as_uri = is_global && extension.iter().all(is_part);
    out.raw(head);
    out.raw(if as_uri { b"\"uri\",\"tel:" } else { b"\"text\",\"" });
    out.inside(number);
    if !extension.is_empty() {
        out.raw(if as_uri { b";ext=" } else { b" ext. " });
        out.inside(extension);
    }
    out.raw(b"\"]");
}

/// An address as its property has it (RFC 9083 section 3.1; RFC 8605 section 3.1 of the country).
struct Address<'a> {
    street: [&'a [u8]; 3],
    city: &'a [u8],
    state: &'a [u8],
    postal_code: &'a [u8],
    country: &'a [u8],
}

impl Address<'_> {
    fn is_empty(&self) -> bool {
        let others = [self.city, self.state, self.postal_code, self.country];
        self.street.iter().chain(&others).all(|part| part.is_empty())
    }

    fn write(&self, out: &mut Document) {
        out.raw(b",[\"adr\",{");
        if !self.country.is_empty() {
            out.raw(b"\"cc\":");
            out.string(self.country);
        }
        out.raw(b"},\"text\",[\"\",\"\",");
        self.write_street(out);
        for part in [self.city, self.state, self.postal_code] {
            out.raw(b",");
            out.string(part);
        }
        out.raw(b",\"\"]]");
    }

    /// One line as a text, several as a list of texts.
    fn write_street(&self, out: &mut Document) {
        let mut lines = self.street.iter().filter(|line| !line.is_empty());
        let first = lines.next().copied().unwrap_or_default();
        let Some(second) = lines.next() else { return out.string(first) };
        out.raw(b"[");
        out.string(first);
        for line in std::iter::once(second).chain(lines) {
            out.raw(b",");
            out.string(line);
        }
        out.raw(b"]");
    }
}

//! Where a page ends, as the next request names it (RFC 8977 section 2.4): opaque to clients.
//!
//! A cursor has the place of the last object in the order of the search, not a number of objects:
//! so it stays valid while objects come and go.
//!
//! # Does not
//!
//! Hide anything: what is in it was shown.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use twox_hash::XxHash3_64;

use crate::hex::{self, LOWER};
use crate::query::rdap::refusal::Refusal;

/// First byte of a cursor.
const VERSION: u8 = 1;
/// Bytes of the sum at its end.
const SUM_BYTES: usize = 4;

/// A value that objects are sorted by. Numbers come before texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Number(i128),
    Text(String),
}

/// The place of an object in the order of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// What the criteria say, in their order.
    pub(super) parts: Vec<Part>,
    /// What tells objects with the same values apart.
    pub(super) key: String,
}

/// The end of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Pages before it, this one included.
    pub(super) pages: u32,
    /// The last object.
    pub(super) place: Place,
}

impl Cursor {
    /// Writes it for a search, whose own number is `search`.
    pub(super) fn write(&self, search: u64) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.pages.to_le_bytes());
        for part in &self.place.parts {
            match part {
                Part::Number(number) => {
                    bytes.push(b'n');
                    bytes.extend_from_slice(&number.to_le_bytes());
                }
                Part::Text(text) => put(b't', text, &mut bytes),
            }
        }
        put(b'k', &self.place.key, &mut bytes);
        bytes.extend_from_slice(&sum(&bytes, search));
        LOWER.encode(&bytes)
    }

    /// Reads what a client has sent back.
    pub(super) fn read(text: &str, search: u64) -> Result<Self, Refusal> {
        let bytes = hex::decode(text).ok_or(Refusal::Cursor)?;
        let end = bytes.len().checked_sub(SUM_BYTES).ok_or(Refusal::Cursor)?;
        let (body, found) = bytes.split_at_checked(end).ok_or(Refusal::Cursor)?;
        if found != sum(body, search) {
            return Err(Refusal::Cursor);
        }
        Self::of_body(body).ok_or(Refusal::Cursor)
    }

    fn of_body(body: &[u8]) -> Option<Self> {
        let rest = body.strip_prefix(&[VERSION])?;
        let (pages, mut rest) = rest.split_first_chunk()?;
        let mut parts = Vec::new();
        loop {
            let (kind, after) = rest.split_first()?;
            if *kind == b'n' {
                let (number, after) = after.split_first_chunk()?;
                parts.push(Part::Number(i128::from_le_bytes(*number)));
                rest = after;
                continue;
            }
            let (length, after) = after.split_first_chunk()?;
            let (text, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
            let text = String::from_utf8(text.to_vec()).ok()?;
            match kind {
                b't' => parts.push(Part::Text(text)),
                b'k' if after.is_empty() => {
                    let place = Place { parts, key: text };
                    return Some(Self { pages: u32::from_le_bytes(*pages), place });
                }
                _ => return None,
            }
            rest = after;
        }
    }
}

fn put(kind: u8, text: &str, bytes: &mut Vec<u8>) {
    // No text of a record is longer.
    let length = u16::try_from(text.len()).unwrap_or(0);
    bytes.push(kind);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes().get(..usize::from(length)).unwrap_or_default());
}

fn sum(body: &[u8], search: u64) -> [u8; SUM_BYTES] {
    let [a, b, c, d, ..] = XxHash3_64::oneshot_with_seed(search, body).to_le_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_as_it_was_written_for_its_own_search_alone() {
        let place = Place {
            parts: vec![Part::Number(-5), Part::Text("münchen.example".to_owned())],
            key: "xn--mnchen-3ya.example".to_owned(),
        };
        let cursor = Cursor { pages: 3, place };
        let text = cursor.write(7);
        assert_eq!(Cursor::read(&text, 7), Ok(cursor.clone()));
        assert_eq!(Cursor::read(&text, 8), Err(Refusal::Cursor));
        for end in 0..text.len() {
            assert_eq!(Cursor::read(&text[..end], 7), Err(Refusal::Cursor));
        }
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(Cursor::read(&changed, 7), Err(Refusal::Cursor), "{at}");
        }
    }
}

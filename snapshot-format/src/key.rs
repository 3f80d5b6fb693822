//! Keys: how a name, an identifier or an address becomes what the indexes hash and order by.
//!
//! # Invariants
//!
//! - These foldings are part of the format: a key that was built with one of them is found only
//!   with the same one.
//!
//! # Does not
//!
//! Map internationalised names (UTS 46): names arrive as A-labels in lower case.

use std::net::IpAddr;

use twox_hash::{XxHash3_64, XxHash3_128};

use crate::limits::KEY_BYTES_MAX;

/// What a key of the registrar index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrarKey<'a> {
    /// Registrar identifier, exactly.
    Id(&'a str),
    /// Name, as [`fold_registrar_name`] makes it.
    FoldedName(&'a [u8]),
    /// IANA registrar identifier.
    IanaId(u32),
}

/// Seeded hash of a key: xxh3, 64 bits.
#[must_use]
pub fn hash(seed: u64, key: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(seed, key)
}

/// Seeded hash of a key of one of several kinds that share an index.
#[must_use]
pub fn hash_tagged(seed: u64, tag: u8, key: &[u8]) -> u64 {
    hash(seed ^ u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15), key)
}

/// 128-bit seeded hash, for tables of references while a snapshot is built.
#[must_use]
pub(crate) fn hash_wide(seed: u64, key: &[u8]) -> u128 {
    XxHash3_128::oneshot_with_seed(seed, key)
}

/// Hash of a registrar key.
#[must_use]
pub fn hash_registrar(seed: u64, key: RegistrarKey<'_>) -> u64 {
    match key {
        RegistrarKey::Id(id) => hash_tagged(seed, 1, id.as_bytes()),
        RegistrarKey::FoldedName(name) => hash_tagged(seed, 2, name),
        RegistrarKey::IanaId(id) => hash_tagged(seed, 3, &id.to_le_bytes()),
    }
}

/// A key folded into a buffer of its own: look-ups allocate nothing.
#[derive(Debug, Clone)]
pub struct Folded {
    bytes: [u8; KEY_BYTES_MAX],
    len: usize,
}

impl Folded {
    const fn new() -> Self {
        Self { bytes: [0; KEY_BYTES_MAX], len: 0 }
    }

    /// The folded key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len.checked_add(bytes.len())?;
        self.bytes.get_mut(self.len..end)?.copy_from_slice(bytes);
        self.len = end;
        Some(())
    }
}

/// Folds a contact identifier: ASCII letters in lower case. `None` if it is longer than
/// [`KEY_BYTES_MAX`].
#[must_use]
pub fn fold_contact_id(id: &str) -> Option<Folded> {
    let mut folded = Folded::new();
    folded.push(id.as_bytes())?;
    let len = folded.len;
    folded.bytes.get_mut(..len)?.make_ascii_lowercase();
    Some(folded)
}

/// Folds a registrar's name: Unicode lower case, runs of white space as one blank, none at the
/// ends, final dots dropped. `None` if the result is longer than [`KEY_BYTES_MAX`].
///
/// So that `Example  Registrar, Inc.` and what Debian's `whois` makes of it,
/// `Example Registrar, inc`, are one key.
#[must_use]
pub fn fold_registrar_name(name: &str) -> Option<Folded> {
    let mut folded = Folded::new();
    let mut first = true;
    for word in name.trim_end_matches(|c: char| c == '.' || c.is_whitespace()).split_whitespace() {
        if !first {
            folded.push(b" ")?;
        }
        first = false;
        for c in word.chars().flat_map(char::to_lowercase) {
            folded.push(c.encode_utf8(&mut [0; 4]).as_bytes())?;
        }
    }
    Some(folded)
}

/// The 16 bytes by which the address index orders: IPv4 as `::ffff:a.b.c.d`.
#[must_use]
pub const fn address_bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_debians_whois_makes_of_a_registrar_name_folds_to_the_same_key() {
        let stored = fold_registrar_name("Example  Registrar, Inc.").unwrap();
        let asked = fold_registrar_name(" Example Registrar, inc ").unwrap();
        assert_eq!(stored.as_bytes(), asked.as_bytes());
        assert_eq!(stored.as_bytes(), b"example registrar, inc");
    }

    #[test]
    fn names_fold_beyond_ascii() {
        let folded = fold_registrar_name("JÜRG Müller GmbH").unwrap();
        assert_eq!(folded.as_bytes(), "jürg müller gmbh".as_bytes());
    }

    #[test]
    fn a_key_that_is_too_long_folds_to_nothing() {
        assert!(fold_contact_id(&"x".repeat(KEY_BYTES_MAX + 1)).is_none());
        assert!(fold_registrar_name(&"x".repeat(KEY_BYTES_MAX + 1)).is_none());
    }
}

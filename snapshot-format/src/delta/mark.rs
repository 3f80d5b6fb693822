//! Which deposit of which TLD is contained: what a base's meta and a log's entries say of it.
//!
//! # Invariants
//!
//! - One text: the identifier, and, where the TLD is known, a tab, the TLD, a tab, and the
//!   watermark in milliseconds. An identifier of RFC 8909 has no tab; one that has is taken whole.
//!
//! # Does not
//!
//! Judge which deposit follows which.

/// The last deposit of a TLD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DepositMark {
    /// Its identifier.
    pub id: Box<str>,
    /// Its TLD, A-label form; empty: not known.
    pub tld: Box<str>,
    /// Time of its data, ms since the epoch; `i64::MIN`: not known.
    pub watermark_ms: i64,
}

impl DepositMark {
    /// The text as it is stored.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { id, tld, watermark_ms } = self;
        if tld.is_empty() { id.to_string() } else { format!("{id}\t{tld}\t{watermark_ms}") }
    }

    /// Reads a stored text.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut parts = text.split('\t');
        if let (Some(id), Some(tld), Some(watermark), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
            && let Ok(watermark_ms) = watermark.parse()
            && !tld.is_empty()
        {
            return Self { id: id.into(), tld: tld.into(), watermark_ms };
        }
        Self { id: text.into(), tld: "".into(), watermark_ms: i64::MIN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_as_it_was_written_and_an_old_identifier_is_a_mark_without_tld() {
        let mark = DepositMark { id: "20261101001".into(), tld: "demo".into(), watermark_ms: -7 };
        assert_eq!(mark.text(), "20261101001\tdemo\t-7");
        assert_eq!(DepositMark::read(&mark.text()), mark);
        for text in ["20261101001", "", "a\tb", "a\tb\tc", "a\t\t7", "a\tb\t7\td"] {
            let mark = DepositMark::read(text);
            assert_eq!((&*mark.id, &*mark.tld), (text, ""), "{text:?}");
            assert_eq!(mark.text(), text);
        }
    }
}

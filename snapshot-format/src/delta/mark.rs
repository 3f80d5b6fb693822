//! Which deposit of which TLD is contained: what a base's meta and a log's entries say of it.
//!
//! # Invariants
//!
//! - One text: the identifier, and, where the TLD is known, a tab, the TLD, a tab, and the
//!   watermark in milliseconds; of a deposit of changes also a tab and the identifier of the full
//!   one under it. An identifier of RFC 8909 has no tab; one that has is taken whole.
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
    /// Identifier of the full deposit that this one and those between them change; empty: this one
    /// is it, or that is not known.
    pub full: Box<str>,
}

impl DepositMark {
    /// The text as it is stored.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { id, tld, watermark_ms, full } = self;
        match (&**tld, &**full) {
            ("", _) => id.to_string(),
            (tld, "") => format!("{id}\t{tld}\t{watermark_ms}"),
            (tld, full) => format!("{id}\t{tld}\t{watermark_ms}\t{full}"),
        }
    }

    /// Reads a stored text.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut parts = text.split('\t');
        if let (Some(id), Some(tld), Some(watermark), full, None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
            && let Ok(watermark_ms) = watermark.parse()
            && !tld.is_empty()
            && full != Some("")
        {
            let full = full.unwrap_or_default().into();
            return Self { id: id.into(), tld: tld.into(), watermark_ms, full };
        }
        Self { id: text.into(), tld: "".into(), watermark_ms: i64::MIN, full: "".into() }
    }

    /// Identifier of the full deposit, as far as it is known: of this one, or of that under it.
    #[must_use]
    pub fn full_id(&self) -> &str {
        if self.full.is_empty() { &self.id } else { &self.full }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_as_it_was_written_and_an_old_identifier_is_a_mark_without_tld() {
        let (id, tld) = ("20261101001".into(), "demo".into());
        let mark = DepositMark { id, tld, watermark_ms: -7, full: "".into() };
        assert_eq!(mark.text(), "20261101001\tdemo\t-7");
        assert_eq!(DepositMark::read(&mark.text()), mark);
        assert_eq!(mark.full_id(), "20261101001");
        let mark = DepositMark { id: "20261102001".into(), full: "20261101001".into(), ..mark };
        assert_eq!(mark.text(), "20261102001\tdemo\t-7\t20261101001");
        assert_eq!(DepositMark::read(&mark.text()), mark);
        assert_eq!(mark.full_id(), "20261101001");
        for text in ["20261101001", "", "a\tb", "a\tb\tc", "a\t\t7", "a\tb\t7\t", "a\tb\t7\td\te"] {
            let mark = DepositMark::read(text);
            assert_eq!((&*mark.id, &*mark.tld), (text, ""), "{text:?}");
            assert_eq!(mark.text(), text);
        }
    }
}

//! Deposits out of a registry: the XML and the CSV model of RFC 9022, streamed.
//!
//! # Invariants
//!
//! - One pass over each kind of object, no object kept: memory does not grow with the registry.
//! - Text is escaped, so that no value can end its element or its column; characters that XML 1.0
//!   cannot carry become U+FFFD.
//! - The output validates against the schemas of RFC 8909 and RFC 9022, as far as the source has
//!   what they require.
//!
//! # Does not
//!
//! Know where objects come from ([`Source`]: a generated sample, or a served generation), or write
//! what a model has no room for:
//!
//! | | XML model | CSV model |
//! |---|---|---|
//! | key-value extras of domains | left out | `rdeCsv:fCustom` columns of `domain`, one per key |
//! | registrar's WHOIS server name | `whoisInfo/name` | `rdeCsv:fCustom name="whoisName"` |
//! | policy address of an IDN table | `urlPolicy` | `rdeCsv:fCustom name="urlPolicy"` |
//! | nameserver referred to by ROID | refused | its own `domainNameServers` file |
//! | nameserver that host attributes state | `hostAttr`, all of the domain's with it | `domainNameServersAddresses` |
//! | client of a registrar that is not there | left out | as it is |
//! | nameserver object without a ROID | as it is | refused |
//! | DS and key data of one domain | key data within the DS data, in order | both |
//!
//! # Several top-level domains
//!
//! A deposit has exactly one header, and a header one `tld` (RFC 9022 section 5.9.1), the identity
//! of the repository. Contacts, nameservers and registrars of a back-end with several suffixes are
//! shared between them, so splitting it into a deposit per suffix would repeat objects. One deposit
//! is written therefore: its `tld` is the first suffix, the counts without `rcdn` are those of the
//! whole repository, and one count of domains for each further suffix, with `rcdn`, names these.

pub mod csv;
pub(crate) mod encode;
mod envelope;
pub mod served;
pub mod time;
pub mod xml;

use std::io;

use snapshot_format::layout::Kind;
use snapshot_format::object::{Contact, Domain, IdnTable, Nameserver, Nndn, Registrar};

/// Takes one object after another; an error ends the pass.
pub type Visit<'a, T> = &'a mut dyn FnMut(&T) -> io::Result<()>;

/// Takes one domain after another, with the nameservers that its host attributes state.
pub type VisitDomain<'a> = &'a mut dyn FnMut(&Domain, &[Nameserver]) -> io::Result<()>;

/// What a deposit's envelope says (RFC 8909 section 5.1, RFC 9022 section 5.9).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repository {
    /// Suffixes under which names are registered, A-labels; the first one is the deposit's `tld`.
    pub suffixes: Vec<String>,
    /// Time of the data, ms since 1970.
    pub watermark_ms: i64,
    /// Identifier of the deposit: 1 to 13 letters, digits or `_`.
    pub deposit_id: String,
    /// Objects, by [`Kind`].
    pub counts: [u64; 6],
    /// Domains at and below each suffix, in the order of `suffixes`.
    pub suffix_domains: Vec<u64>,
    /// Keys of extras, in the order of their columns.
    pub extra_keys: Vec<String>,
}

impl Repository {
    /// Objects of a kind.
    #[must_use]
    pub const fn count(&self, kind: Kind) -> u64 {
        self.counts[kind as usize]
    }
}

/// Where the objects of a deposit come from; each method goes over all objects of a kind, in the
/// same order each time.
pub trait Source {
    /// What the envelope says; asked once, before any object.
    ///
    /// # Errors
    ///
    /// Whatever keeps the source from counting.
    fn repository(&mut self) -> io::Result<Repository>;

    /// Goes over the registrars.
    ///
    /// # Errors
    ///
    /// The visitor's, or the source's own; here and below.
    fn registrars(&mut self, visit: Visit<'_, Registrar>) -> io::Result<()>;

    /// Goes over the IDN tables.
    ///
    /// # Errors
    ///
    /// See [`Self::registrars`].
    fn idn_tables(&mut self, visit: Visit<'_, IdnTable>) -> io::Result<()>;

    /// Goes over the contacts.
    ///
    /// # Errors
    ///
    /// See [`Self::registrars`].
    fn contacts(&mut self, visit: Visit<'_, Contact>) -> io::Result<()>;

    /// Goes over the nameservers.
    ///
    /// # Errors
    ///
    /// See [`Self::registrars`].
    fn nameservers(&mut self, visit: Visit<'_, Nameserver>) -> io::Result<()>;

    /// Goes over the NNDNs.
    ///
    /// # Errors
    ///
    /// See [`Self::registrars`].
    fn nndns(&mut self, visit: Visit<'_, Nndn>) -> io::Result<()>;

    /// Goes over the domains, each with those of its nameservers that host attributes alone state
    /// (RFC 5732 section 1.1).
    ///
    /// # Errors
    ///
    /// See [`Self::registrars`].
    fn domains(&mut self, visit: VisitDomain<'_>) -> io::Result<()>;
}

/// The name of a full deposit's file (Specification 2 of the registry agreement, part A section
/// 5): `{tld}_{date}_full_S1_R0.{extension}`. The extension tells files of one deposit apart, and
/// those of both models.
#[must_use]
pub fn file_name(tld: &str, watermark_ms: i64, extension: &str) -> String {
    let mut date = String::new();
    time::write_date(watermark_ms, &mut date);
    format!("{tld}_{date}_full_S1_R0.{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_has_tld_date_and_kind() {
        assert_eq!(file_name("demo", 1_767_225_600_000, "xml"), "demo_2026-01-01_full_S1_R0.xml");
    }
}

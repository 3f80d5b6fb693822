//! What the index holds: one document a domain and a contact, found by their terms and kept in the
//! order of their keys.
//!
//! # Invariants
//!
//! - `sorted`: the documents of a segment lie in the order of their keys, so that a page of results
//!   is a run of them.
//!
//! # Does not
//!
//! Store anything: an answer is made from the record.

use std::fmt;
use std::str::FromStr;

use snapshot_format::delta::Position;
use snapshot_format::record::{ArchivedContact, ArchivedDomain};
use tantivy::schema::{BytesOptions, Field, Schema};
use tantivy::store::Compressor;
use tantivy::{IndexSettings, IndexSortByField, Order, TantivyDocument, Term};
use whoisd::query::search::{TERMS_VERSION, contact_key, contact_terms, domain_key, domain_terms};

/// The field that documents are sorted by.
pub(super) const KEY: &str = "key";

/// The fields of the index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    pub(super) key: Field,
    /// What a domain refers to.
    pub(super) reference: Field,
    /// What a contact is found by.
    pub(super) text: Field,
}

/// The schema, and its fields.
pub(super) fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let indexed = BytesOptions::default().set_indexed();
    let fields = Fields {
        key: builder.add_bytes_field(KEY, indexed.clone().set_fast()),
        reference: builder.add_bytes_field("reference", indexed.clone()),
        text: builder.add_bytes_field("text", indexed),
    };
    (builder.build(), fields)
}

/// How segments are laid out.
pub(super) fn settings() -> IndexSettings {
    IndexSettings {
        sort_by_field: Some(IndexSortByField { field: KEY.to_owned(), order: Order::Asc }),
        docstore_compression: Compressor::None,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    }
}

impl Fields {
    pub(super) fn domain(self, record: &ArchivedDomain) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_bytes(self.key, &domain_key(&record.name));
        domain_terms(record, &mut |term| document.add_bytes(self.reference, term));
        document
    }

    pub(super) fn contact(self, ordinal: u32, record: &ArchivedContact) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_bytes(self.key, &contact_key(ordinal));
        contact_terms(record, &mut |term| document.add_bytes(self.text, term));
        document
    }

    /// The term of a key, by which a document is taken out.
    pub(super) fn of_key(self, key: &[u8]) -> Term {
        Term::from_field_bytes(self.key, key)
    }
}

/// Up to where an index follows the records, as its commits say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(pub(super) Position);

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { generation, base_seed, log: (salt, epoch, part), log_at } = self.0;
        write!(
            f,
            "terms {TERMS_VERSION} at {generation} {base_seed} {salt} {epoch} {part} {log_at}"
        )
    }
}

/// It is of another version, or of something else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Foreign;

impl FromStr for Mark {
    type Err = Foreign;

    fn from_str(text: &str) -> Result<Self, Foreign> {
        let head = format!("terms {TERMS_VERSION} at ");
        let numbers = text.strip_prefix(&*head).ok_or(Foreign)?.split(' ');
        let numbers: Vec<u64> =
            numbers.map(str::parse).collect::<Result<_, _>>().map_err(|_| Foreign)?;
        let [generation, base_seed, salt, epoch, part, log_at] = numbers[..] else {
            return Err(Foreign);
        };
        let part = u32::try_from(part).map_err(|_| Foreign)?;
        Ok(Self(Position { generation, base_seed, log: (salt, epoch, part), log_at }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_as_it_was_written_and_another_version_does_not() {
        let mark =
            Mark(Position { generation: 7, base_seed: u64::MAX, log: (1, 2, 3), log_at: 64 });
        assert_eq!(mark.to_string().parse(), Ok(mark));
        for text in ["", "terms 0 at 7 1 0 0 0 64", "terms 1 at 7 1 0", "terms 1 at 7 1 0 0 0 x"] {
            assert_eq!(text.parse::<Mark>(), Err(Foreign), "{text}");
        }
    }
}

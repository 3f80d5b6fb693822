//! Keys of what records refer to, in a snapshot or in a generation.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::delta::{Generation, Heap};
use crate::error::Corrupt;
use crate::layout::Kind;
use crate::reader::Snapshot;
use crate::record::{
    ArchivedContact, ArchivedIdnTable, ArchivedNameserver, ArchivedRegistrar, ContactField,
};

/// Keys of what records refer to.
pub(super) trait Keys {
    /// The key, `-` if it has no record, or an error.
    fn key(&self, kind: Kind, ordinal: u32) -> Result<&str, Corrupt>;
}

/// A snapshot by itself.
pub(super) struct Base<'a, D>(pub(super) &'a Snapshot<D>);

impl<D: AsRef<[u8]>> Keys for Base<'_, D> {
    fn key(&self, kind: Kind, ordinal: u32) -> Result<&str, Corrupt> {
        let Self(snapshot) = self;
        Ok(match kind {
            Kind::Registrar => registrar_id(snapshot.record_or_none(ordinal)?),
            Kind::IdnTable => table_id(snapshot.record_or_none(ordinal)?),
            Kind::Contact => contact_id(snapshot.record_or_none(ordinal)?),
            _ => host_name(snapshot.record_or_none(ordinal)?),
        })
    }
}

impl<D: AsRef<[u8]>, S: Heap> Keys for Generation<D, S> {
    fn key(&self, kind: Kind, ordinal: u32) -> Result<&str, Corrupt> {
        Ok(match kind {
            Kind::Registrar => registrar_id(self.record(ordinal)?),
            Kind::IdnTable => table_id(self.record(ordinal)?),
            Kind::Contact => contact_id(self.record(ordinal)?),
            _ => host_name(self.record(ordinal)?),
        })
    }
}

fn registrar_id(record: Option<&ArchivedRegistrar>) -> &str {
    record.map_or("-", |record| record.id.as_str())
}

fn table_id(record: Option<&ArchivedIdnTable>) -> &str {
    record.map_or("-", |record| record.id.as_str())
}

fn contact_id(record: Option<&ArchivedContact>) -> &str {
    record.map_or("-", |record| record.field(ContactField::Id))
}

fn host_name(record: Option<&ArchivedNameserver>) -> &str {
    record.map_or("-", |record| record.name.as_str())
}

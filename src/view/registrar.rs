//! What answers about other records say of their registrar, out of the mapping.
//!
//! # Does not
//!
//! Hold all of a registrar: an answer about the registrar itself reads its record.

use std::sync::Arc;

use snapshot_format::record::ArchivedRegistrar;
use snapshot_format::{Corrupt, Kind};

use super::Data;

/// A registrar, as other records name it.
#[derive(Debug)]
pub struct Registrar {
    /// Identifier.
    pub id: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// IANA registrar identifier; 0 is none.
    pub iana_id: u32,
    /// Host name of its WHOIS server; may be empty.
    pub whois_name: Box<str>,
    /// Web site; may be empty.
    pub url: Box<str>,
}

impl Registrar {
    pub(super) fn of_record(record: &ArchivedRegistrar) -> Self {
        Self {
            id: record.id.as_str().into(),
            name: record.name.as_str().into(),
            iana_id: record.iana_id.to_native(),
            whois_name: record.whois_name.as_str().into(),
            url: record.url.as_str().into(),
        }
    }
}

/// All registrars, by ordinal; `None` where there is none any more, or none yet.
pub(super) fn all(data: &Data) -> Result<Arc<[Option<Registrar>]>, Corrupt> {
    let ordinals = 0..data.ordinals_end(Kind::Registrar);
    ordinals.map(|ordinal| Ok(data.record(ordinal)?.map(Registrar::of_record))).collect()
}

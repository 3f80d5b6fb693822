//! What `deletes` of a differential or incremental deposit takes away.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt;

use rkyv::{Archive, Deserialize, Serialize};

use crate::vet::findings::ObjectKind;

/// An object that is gone (RFC 8909 section 5.1.3), by what the deposit calls it.
#[derive(Debug, Clone, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(super) enum Removal {
    /// A domain by its name, in A-label form.
    Domain(String),
    /// A host by its name, in A-label form.
    Host(String),
    /// A host by its repository object identifier: the key of the CSV model.
    HostRoid(String),
    /// A contact by its identifier.
    Contact(String),
    /// A registrar by its identifier.
    Registrar(String),
    /// A registrar by its IANA identifier.
    RegistrarGurid(u32),
    /// A reference to an IDN table by its identifier.
    IdnTable(String),
    /// A name that is not a domain name, in A-label form.
    Nndn(String),
}

impl Removal {
    /// Kind of the object.
    pub(super) const fn kind(&self) -> ObjectKind {
        match self {
            Self::Domain(_) => ObjectKind::Domain,
            Self::Host(_) | Self::HostRoid(_) => ObjectKind::Nameserver,
            Self::Contact(_) => ObjectKind::Contact,
            Self::Registrar(_) | Self::RegistrarGurid(_) => ObjectKind::Registrar,
            Self::IdnTable(_) => ObjectKind::IdnTable,
            Self::Nndn(_) => ObjectKind::Nndn,
        }
    }
}

/// What the deposit calls the object.
impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(key)
            | Self::Host(key)
            | Self::HostRoid(key)
            | Self::Contact(key)
            | Self::Registrar(key)
            | Self::IdnTable(key)
            | Self::Nndn(key) => f.write_str(key),
            Self::RegistrarGurid(gurid) => write!(f, "{gurid}"),
        }
    }
}

//! Changes of a registry: states, not operations, so that one that comes twice changes nothing.
//!
//! # Invariants
//!
//! - `states`: a change gives an object whole, or takes it away by its key; the record from before
//!   does not matter.
//!
//! # Does not
//!
//! Know serials, times or transactions: those belong to the code that delivers changes.

use crate::key;
use crate::layout::Kind;
use crate::object::{Contact, Domain, IdnTable, Nameserver, Nndn, Registrar};

/// An object of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// A registrar.
    Registrar(Registrar),
    /// A reference to an IDN table.
    IdnTable(IdnTable),
    /// A contact.
    Contact(Contact),
    /// A nameserver.
    Nameserver(Nameserver),
    /// A name that is not a domain name.
    Nndn(Nndn),
    /// A domain.
    Domain(Domain),
}

impl Object {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Registrar(_) => Kind::Registrar,
            Self::IdnTable(_) => Kind::IdnTable,
            Self::Contact(_) => Kind::Contact,
            Self::Nameserver(_) => Kind::Nameserver,
            Self::Nndn(_) => Kind::Nndn,
            Self::Domain(_) => Kind::Domain,
        }
    }

    /// The key under which it is known: a name or an identifier, as [`Change::Delete`] has it.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Registrar(object) => &object.id,
            Self::IdnTable(object) => &object.id,
            Self::Contact(object) => &object.id,
            Self::Nameserver(object) => &object.name,
            Self::Nndn(object) => &object.name,
            Self::Domain(object) => &object.name,
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The object is so from now on, whether it existed or not.
    Upsert(Box<Object>),
    /// There is no such object from now on.
    Delete {
        /// Its kind.
        kind: Kind,
        /// Name of a domain, nameserver or NNDN as an A-label, identifier of the others.
        key: String,
    },
}

impl Change {
    /// Kind of the object.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Upsert(object) => object.kind(),
            Self::Delete { kind, .. } => *kind,
        }
    }

    /// Key of the object.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Upsert(object) => object.key(),
            Self::Delete { key, .. } => key,
        }
    }
}

/// Hash under which a key of a kind is looked up; `None` if it is longer than any key.
#[must_use]
pub fn key_hash(seed: u64, kind: Kind, key: &str) -> Option<u64> {
    match kind {
        Kind::Registrar => Some(key::hash_registrar(seed, key::RegistrarKey::Id(key))),
        Kind::Contact => Some(key::hash(seed, key::fold_contact_id(key)?.as_bytes())),
        _ => Some(key::hash(seed, key.as_bytes())),
    }
}

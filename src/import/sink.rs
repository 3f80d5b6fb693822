//! Where vetted objects go, and removals: into a snapshot, or to the caller that applies changes.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt;
use std::io::{Seek, Write};

use rkyv::{Archive, Deserialize, Serialize};
use snapshot_format::object::{Contact, Domain, IdnTable, Nameserver, Nndn, Registrar};
use snapshot_format::{Builder, Defect};

use super::model::Stop;
use crate::vet::findings::{Defects, ObjectKind};

/// Hears what is wrong with the references of an object.
pub(super) type Heard<'h> = &'h mut dyn FnMut(Defect<'_>);

/// Takes objects, kind by kind in the order of a snapshot, each once; removals come before them.
pub(super) trait Sink {
    fn registrar(&mut self, object: &Registrar) -> Result<(), Stop>;
    fn idn_table(&mut self, object: &IdnTable) -> Result<(), Stop>;
    fn contact(&mut self, object: &Contact, heard: Heard<'_>) -> Result<(), Stop>;
    /// `attribute`: host attributes alone state it.
    fn nameserver(
        &mut self,
        object: &Nameserver,
        attribute: bool,
        heard: Heard<'_>,
    ) -> Result<(), Stop>;
    fn nndn(&mut self, object: &Nndn, heard: Heard<'_>) -> Result<(), Stop>;
    fn domain(&mut self, object: &Domain, heard: Heard<'_>) -> Result<(), Stop>;
    fn removal(&mut self, removal: Removal, defects: &mut Defects) -> Result<(), Stop>;

    /// The identifier of a registrar that the deposit does not have, by its IANA identifier.
    fn registrar_of_gurid(&self, gurid: u32) -> Result<Option<String>, Stop>;
}

impl<W: Write + Seek> Sink for Builder<W> {
    fn registrar(&mut self, object: &Registrar) -> Result<(), Stop> {
        Self::registrar(self, object)?;
        Ok(())
    }

    fn idn_table(&mut self, object: &IdnTable) -> Result<(), Stop> {
        Self::idn_table(self, object)?;
        Ok(())
    }

    fn contact(&mut self, object: &Contact, heard: Heard<'_>) -> Result<(), Stop> {
        Self::contact(self, object, heard)?;
        Ok(())
    }

    fn nameserver(&mut self, object: &Nameserver, _: bool, heard: Heard<'_>) -> Result<(), Stop> {
        Self::nameserver(self, object, heard)?;
        Ok(())
    }

    fn nndn(&mut self, object: &Nndn, heard: Heard<'_>) -> Result<(), Stop> {
        Self::nndn(self, object, heard)?;
        Ok(())
    }

    fn domain(&mut self, object: &Domain, heard: Heard<'_>) -> Result<(), Stop> {
        Self::domain(self, object, heard)?;
        Ok(())
    }

    /// A full deposit has no removals: its reader ignores them.
    fn removal(&mut self, _: Removal, _: &mut Defects) -> Result<(), Stop> {
        Ok(())
    }

    /// A full deposit has every registrar.
    fn registrar_of_gurid(&self, _: u32) -> Result<Option<String>, Stop> {
        Ok(None)
    }
}

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

//! Where vetted objects go: into a snapshot, or to whoever applies them as changes.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io::{Seek, Write};

use snapshot_format::object::{Contact, Domain, IdnTable, Nameserver, Nndn, Registrar};
use snapshot_format::{Builder, Defect};

use super::model::Stop;
use super::removal::Removal;
use crate::vet::findings::Defects;

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

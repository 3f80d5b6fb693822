//! Objects of the XML model (RFC 9022 section 5): elements into objects.
//!
//! # Invariants
//!
//! - Elements are recognised by their local names within the namespaces of RFC 9022 and EPP: real
//!   deposits mix up the namespaces of children, never their names.
//! - Elements of other namespaces within a domain become key-value extras.
//!
//! # Does not
//!
//! Check anything that takes more than one element.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod contact;
mod deletes;
mod domain;
pub(super) mod envelope;
mod host;
mod room;

pub(super) use contact::{gurid, registrar_status};
use envelope::Wanted;
use room::Room;

use std::io::{self, Read};

use snapshot_format::object::{Actor, Domain, Postal, Transfer};

use super::collect::Collector;
use super::xml::{Step, Xml, XmlError};
use crate::vet::draft;
use crate::vet::element::{Element, Name, Space};
use crate::vet::findings::{Defects, Finding, Place};
use crate::vet::rule::Rule;

/// A document from whatever file.
pub(super) type Document = Xml<Box<dyn Read>>;

/// Why reading stops.
#[derive(Debug)]
pub(super) enum Stop {
    /// The document cannot be read on.
    Xml(XmlError),
    /// The sorters cannot write or read their scratch files.
    Scratch(io::Error),
    /// The deposit was refused.
    Refused(Box<Finding>),
    /// Somebody asked to stop.
    Interrupted,
    /// More findings than allowed.
    TooMany,
    /// The code that takes the changes cannot go on.
    Visit(io::Error),
    /// The snapshot cannot be built.
    Build(snapshot_format::BuildError),
}

impl From<snapshot_format::BuildError> for Stop {
    fn from(error: snapshot_format::BuildError) -> Self {
        Self::Build(error)
    }
}

impl From<XmlError> for Stop {
    fn from(error: XmlError) -> Self {
        Self::Xml(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Scratch(error)
    }
}

/// A document, where its objects go, and the defects of the object at hand.
pub(super) struct Reading<'x, 'c, 'f, 'r> {
    pub(super) xml: &'x mut Document,
    pub(super) out: &'c mut Collector<'f, 'r>,
    pub(super) defects: Defects,
    pub(super) place: Place,
    /// Memory for a domain.
    pub(super) spare_domain: Domain,
    pub(super) wanted: Wanted,
    room: Room,
}

impl<'x, 'c, 'f, 'r> Reading<'x, 'c, 'f, 'r> {
    pub(super) fn new(
        xml: &'x mut Document,
        out: &'c mut Collector<'f, 'r>,
        place: Place,
        wanted: Wanted,
    ) -> Self {
        let (defects, spare_domain) = (Defects::default(), Domain::default());
        let room = Room::default();
        Self { xml, out, defects, place, spare_domain, wanted, room }
    }
}

impl Reading<'_, '_, '_, '_> {
    /// The name of an element of a known namespace.
    fn known(element: Element) -> Option<Name> {
        (element.space != Space::Foreign).then_some(element.name)
    }

    /// Skips an element that nothing is made of; a finding if its namespace should know it.
    fn unknown(&mut self, element: Element) -> Result<(), XmlError> {
        if element.space != Space::Foreign {
            let got = self.xml.opened().to_owned();
            self.defects.add(Rule::ElementUnknown, "", got);
        }
        self.xml.skip()
    }

    fn text(&mut self, field: &'static str, slot: &mut String) -> Result<(), XmlError> {
        let text = leaf(self.xml, &mut self.defects, field)?;
        draft::text(&mut self.defects, field, slot, text);
        Ok(())
    }

    fn identifier(&mut self, field: &'static str, slot: &mut String) -> Result<(), XmlError> {
        let text = leaf(self.xml, &mut self.defects, field)?;
        draft::identifier(&mut self.defects, field, slot, text);
        Ok(())
    }

    fn time(
        &mut self,
        field: &'static str,
        slot: &mut snapshot_format::object::Time,
    ) -> Result<(), XmlError> {
        let text = leaf(self.xml, &mut self.defects, field)?;
        draft::time(&mut self.defects, field, slot, text);
        Ok(())
    }

    fn actor(&mut self, field: &'static str, slot: &mut Actor) -> Result<(), XmlError> {
        if let Some(client) = self.xml.attribute("client") {
            draft::text(&mut self.defects, field, &mut slot.client, client);
        }
        self.identifier(field, &mut slot.registrar)
    }

    /// A number with an extension (`e164Type`).
    fn phone(
        &mut self,
        field: &'static str,
        slot: &mut snapshot_format::object::Phone,
    ) -> Result<(), XmlError> {
        if let Some(ext) = self.xml.attribute("x") {
            draft::text(&mut self.defects, field, &mut slot.ext, ext);
        }
        self.text(field, &mut slot.number)
    }

    fn transfer(&mut self) -> Result<Transfer, XmlError> {
        let mut transfer = Transfer::default();
        while let Step::Open(element) = self.xml.step()? {
            match Self::known(element) {
                Some(Name::TrStatus) => {
                    let text = leaf(self.xml, &mut self.defects, "trStatus")?;
                    draft::transfer_status(&mut self.defects, &mut transfer, text);
                }
                Some(Name::ReRr) => self.actor("reRr", &mut transfer.requester)?,
                Some(Name::ReDate) => self.time("reDate", &mut transfer.requested)?,
                Some(Name::AcRr) => self.actor("acRr", &mut transfer.actor)?,
                Some(Name::AcDate) => self.time("acDate", &mut transfer.acted)?,
                Some(Name::ExDate) => self.time("exDate", &mut transfer.expires)?,
                _ => self.unknown(element)?,
            }
        }
        Ok(transfer)
    }

    /// `addr` of a contact or a registrar.
    fn postal_address(&mut self, postal: &mut Postal) -> Result<(), XmlError> {
        while let Step::Open(element) = self.xml.step()? {
            match Self::known(element) {
                Some(Name::Street) => {
                    let text = leaf(self.xml, &mut self.defects, "street")?;
                    draft::street(&mut self.defects, postal, text);
                }
                Some(Name::City) => self.text("city", &mut postal.city)?,
                Some(Name::Sp) => self.text("sp", &mut postal.sp)?,
                Some(Name::Pc) => self.text("pc", &mut postal.pc)?,
                Some(Name::Cc) => self.text("cc", &mut postal.cc)?,
                _ => self.unknown(element)?,
            }
        }
        Ok(())
    }

    /// `postalInfo` of a contact or a registrar.
    fn postal_info(&mut self, list: &mut Vec<Postal>) -> Result<(), XmlError> {
        let kind = self.xml.attribute("type").unwrap_or_default();
        let mut postal =
            Postal { kind: draft::postal_kind(&mut self.defects, kind), ..Postal::default() };
        while let Step::Open(element) = self.xml.step()? {
            match Self::known(element) {
                Some(Name::NameElement) => self.text("name", &mut postal.name)?,
                Some(Name::Org) => self.text("org", &mut postal.org)?,
                Some(Name::Addr) => self.postal_address(&mut postal)?,
                _ => self.unknown(element)?,
            }
        }
        draft::postal(&mut self.defects, list, postal);
        Ok(())
    }
}

/// The text of the element that just opened.
fn leaf<'x>(
    xml: &'x mut Document,
    defects: &mut Defects,
    field: &'static str,
) -> Result<&'x str, XmlError> {
    if xml.leaf()? {
        defects.add(Rule::ElementUnknown, field, "an element within a text");
    }
    if xml.dropped_control {
        defects.add(Rule::CharacterBad, field, xml.text());
    }
    Ok(xml.text())
}

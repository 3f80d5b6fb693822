//! `rde:deletes` (RFC 8909 section 5.1.3): keys of objects that are gone, in either model.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::envelope::Envelope;
use super::{Reading, Stop, leaf};
use crate::import::progress::Watch;
use crate::import::sink::Removal;
use crate::import::xml::Step;
use crate::vet::draft;
use crate::vet::element::{Name, Space};
use crate::vet::findings::{Defects, ObjectKind};
use crate::vet::rule::Rule;

impl Reading<'_, '_, '_, '_> {
    /// Reads what is deleted; it goes to the collector in its order.
    pub(super) fn deletes(
        &mut self,
        envelope: &mut Envelope,
        watch: &mut Watch<'_>,
    ) -> Result<(), Stop> {
        while let Step::Open(element) = self.xml.step()? {
            self.begin();
            match (element.space, element.name) {
                (
                    Space::RdeDomain
                    | Space::RdeHost
                    | Space::RdeContact
                    | Space::RdeRegistrar
                    | Space::RdeIdn
                    | Space::RdeNndn,
                    Name::Delete,
                ) => self.delete(element.space, watch)?,
                (
                    Space::CsvDomain
                    | Space::CsvHost
                    | Space::CsvContact
                    | Space::CsvRegistrar
                    | Space::CsvIdn
                    | Space::CsvNndn,
                    Name::Deletes,
                ) => self.csv_contents(envelope, true)?,
                _ => {
                    // One defect for each name: there may be millions of elements.
                    let name = self.xml.opened().to_owned();
                    let known = |defect: &crate::vet::findings::Defect| {
                        defect.rule == Rule::ObjectUnknown && defect.got == name
                    };
                    if !self.defects.list.iter().any(known) {
                        self.defects.add(Rule::ObjectUnknown, "deletes", name);
                    }
                    self.xml.skip()?;
                }
            }
        }
        Ok(())
    }

    /// One `delete`, with any number of keys.
    fn delete(&mut self, space: Space, watch: &mut Watch<'_>) -> Result<(), Stop> {
        while let Step::Open(element) = self.xml.step()? {
            self.begin();
            let mut defects = Defects::default();
            let (kind, make): (ObjectKind, fn(String) -> Removal) =
                match (space, Self::known(element)) {
                    (Space::RdeDomain, Some(Name::NameElement)) => {
                        (ObjectKind::Domain, Removal::Domain)
                    }
                    (Space::RdeHost, Some(Name::NameElement)) => {
                        (ObjectKind::Nameserver, Removal::Host)
                    }
                    (Space::RdeHost, Some(Name::Roid)) => {
                        (ObjectKind::Nameserver, Removal::HostRoid)
                    }
                    (Space::RdeContact, Some(Name::Id)) => (ObjectKind::Contact, Removal::Contact),
                    (Space::RdeRegistrar, Some(Name::Id)) => {
                        (ObjectKind::Registrar, Removal::Registrar)
                    }
                    (Space::RdeIdn, Some(Name::Id)) => (ObjectKind::IdnTable, Removal::IdnTable),
                    (Space::RdeNndn, Some(Name::AName)) => (ObjectKind::Nndn, Removal::Nndn),
                    _ => {
                        self.unknown(element)?;
                        continue;
                    }
                };
            let text = leaf(self.xml, &mut defects, "delete")?;
            let mut key = String::new();
            match element.name {
                Name::NameElement | Name::AName => {
                    draft::own_name(&mut defects, "delete", &mut key, text);
                }
                _ => draft::identifier(&mut defects, "delete", &mut key, text),
            }
            if key.is_empty() {
                defects.add(Rule::KeyUnusable, "delete", text);
            }
            let shown = if key.is_empty() { text } else { &key };
            self.out.defects(&mut defects, self.place, kind, shown);
            if !key.is_empty() {
                self.out.removal(self.place, &make(key))?;
            }
            watch.read(self.out)?;
        }
        Ok(())
    }
}

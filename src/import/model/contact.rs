//! `rdeContact:contact` and `rdeRegistrar:registrar` (RFC 9022 sections 5.3 and 5.4).
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::object::{Contact, Disclose, Registrar};
use snapshot_format::status::RegistrarStatus;

use super::{Reading, Stop, leaf};
use crate::import::collect::Rank;
use crate::import::xml::{Step, XmlError};
use crate::vet::draft;
use crate::vet::element::Name;
use crate::vet::findings::{Defects, ObjectKind};
use crate::vet::rule::Rule;
use crate::vet::value;

impl Reading<'_, '_, '_, '_> {
    /// Reads the contact whose element just opened.
    pub(super) fn contact(&mut self) -> Result<(), Stop> {
        let mut contact = Contact::default();
        while let Step::Open(element) = self.xml.step()? {
            match Self::known(element) {
                Some(Name::Id) => self.identifier("id", &mut contact.id)?,
                Some(Name::Roid) => self.identifier("roid", &mut contact.roid)?,
                Some(Name::Status) => {
                    let word = self.xml.attribute("s").unwrap_or_default();
                    draft::contact_status(&mut self.defects, &mut contact.statuses, word);
                    self.xml.skip()?;
                }
                Some(Name::PostalInfo) => self.postal_info(&mut contact.postal)?,
                Some(Name::Voice) => self.phone("voice", &mut contact.voice)?,
                Some(Name::Fax) => self.phone("fax", &mut contact.fax)?,
                Some(Name::Email) => self.text("email", &mut contact.email)?,
                Some(Name::ClId) => self.identifier("clID", &mut contact.registrar)?,
                Some(Name::CrRr) => self.actor("crRr", &mut contact.creator)?,
                Some(Name::CrDate) => self.time("crDate", &mut contact.created)?,
                Some(Name::UpRr) => self.actor("upRr", &mut contact.updater)?,
                Some(Name::UpDate) => self.time("upDate", &mut contact.updated)?,
                Some(Name::TrDate) => self.time("trDate", &mut contact.transferred)?,
                Some(Name::TrnData) => contact.transfer = Some(self.transfer()?),
                Some(Name::Disclose) => {
                    let wish = self.disclose()?;
                    draft::disclose(&mut self.defects, &mut contact.disclose, wish);
                }
                _ => self.unknown(element)?,
            }
        }
        let kind = ObjectKind::Contact;
        self.out.counted(kind);
        if contact.id.is_empty() {
            self.defects.add(Rule::KeyUnusable, "id", "");
        }
        self.out.defects(&mut self.defects, self.place, kind, &contact.id);
        if !contact.id.is_empty() {
            self.out.contact(Rank::Xml, self.place, &contact)?;
        }
        Ok(())
    }

    /// `disclose` (RFC 5733 section 2.9). A wish that does not read is not taken for consent, and a
    /// refusal of an unknown field not for a refusal of nothing.
    fn disclose(&mut self) -> Result<Disclose, XmlError> {
        let flag = self.xml.attribute("flag").unwrap_or_default();
        let allow = value::boolean(flag);
        if allow.is_none() {
            self.defects.add(Rule::DiscloseBad, "disclose flag", flag);
        }
        let allow = allow.unwrap_or(false);
        let mut fields = 0;
        while let Step::Open(element) = self.xml.step()? {
            let form = self.xml.attribute("type");
            let of_form = |int, loc| match form {
                Some("int") => Some(int),
                Some("loc") => Some(loc),
                _ => None,
            };
            let (field, may_be) = match Self::known(element) {
                Some(Name::NameElement) => (
                    of_form(Disclose::NAME_INT, Disclose::NAME_LOC),
                    Disclose::NAME_INT | Disclose::NAME_LOC,
                ),
                Some(Name::Org) => (
                    of_form(Disclose::ORG_INT, Disclose::ORG_LOC),
                    Disclose::ORG_INT | Disclose::ORG_LOC,
                ),
                Some(Name::Addr) => (
                    of_form(Disclose::ADDR_INT, Disclose::ADDR_LOC),
                    Disclose::ADDR_INT | Disclose::ADDR_LOC,
                ),
                Some(Name::Voice) => (Some(Disclose::VOICE), 0),
                Some(Name::Fax) => (Some(Disclose::FAX), 0),
                Some(Name::Email) => (Some(Disclose::EMAIL), 0),
                _ => (None, Disclose::ALL),
            };
            fields |= field.unwrap_or(if allow { 0 } else { may_be });
            if field.is_none() {
                let got = self.xml.opened().to_owned();
                self.defects.add(Rule::DiscloseBad, "disclose", got);
            }
            self.xml.skip()?;
        }
        Ok(Disclose { allow, fields })
    }

    /// Reads the registrar whose element just opened.
    pub(super) fn registrar(&mut self) -> Result<(), Stop> {
        let mut registrar = Registrar::default();
        while let Step::Open(element) = self.xml.step()? {
            match Self::known(element) {
                Some(Name::Id) => self.identifier("id", &mut registrar.id)?,
                Some(Name::NameElement) => self.text("name", &mut registrar.name)?,
                Some(Name::Gurid) => {
                    let text = leaf(self.xml, &mut self.defects, "gurid")?;
                    registrar.iana_id = gurid(&mut self.defects, text);
                }
                Some(Name::Status) => {
                    let text = leaf(self.xml, &mut self.defects, "status")?;
                    registrar.status = registrar_status(&mut self.defects, text);
                }
                Some(Name::PostalInfo) => self.postal_info(&mut registrar.postal)?,
                Some(Name::Voice) => self.phone("voice", &mut registrar.voice)?,
                Some(Name::Fax) => self.phone("fax", &mut registrar.fax)?,
                Some(Name::Email) => self.text("email", &mut registrar.email)?,
                Some(Name::Url) => self.text("url", &mut registrar.url)?,
                Some(Name::WhoisInfo) => self.whois_info(&mut registrar)?,
                Some(Name::CrDate) => self.time("crDate", &mut registrar.created)?,
                Some(Name::UpDate) => self.time("upDate", &mut registrar.updated)?,
                _ => self.unknown(element)?,
            }
        }
        let kind = ObjectKind::Registrar;
        self.out.counted(kind);
        if registrar.id.is_empty() {
            self.defects.add(Rule::KeyUnusable, "id", "");
        }
        self.out.defects(&mut self.defects, self.place, kind, &registrar.id);
        if !registrar.id.is_empty() {
            self.out.registrar(Rank::Xml, self.place, &registrar)?;
        }
        Ok(())
    }

    fn whois_info(&mut self, registrar: &mut Registrar) -> Result<(), XmlError> {
        while let Step::Open(element) = self.xml.step()? {
            match Self::known(element) {
                Some(Name::NameElement) => self.text("whoisInfo", &mut registrar.whois_name)?,
                Some(Name::Url) => self.text("whoisInfo", &mut registrar.whois_url)?,
                _ => self.unknown(element)?,
            }
        }
        Ok(())
    }
}

/// A registrar's IANA identifier; 0 if there is none.
pub(in crate::import) fn gurid(defects: &mut Defects, text: &str) -> u32 {
    match value::integer(text) {
        Some(id) if id > 0 => id,
        _ if text.is_empty() => 0,
        _ => {
            defects.add(Rule::ValueBad, "gurid", text);
            0
        }
    }
}

/// A registrar's status.
pub(in crate::import) fn registrar_status(defects: &mut Defects, word: &str) -> RegistrarStatus {
    if word.is_empty() {
        return RegistrarStatus::None;
    }
    RegistrarStatus::of_word(word).unwrap_or_else(|| {
        defects.add(Rule::ValueBad, "status", word);
        RegistrarStatus::None
    })
}

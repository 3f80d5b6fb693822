//! `rdeContact:contact` and `rdeRegistrar:registrar` (RFC 9022 sections 5.3 and 5.4).
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::object::{Contact, Disclose, Registrar};
use snapshot_format::status::RegistrarStatus;

use super::{Reading, Stop, leaf};
use crate::import::collect::Rank;
use crate::import::draft;
use crate::import::findings::{Defects, ObjectKind};
use crate::import::rule::Rule;
use crate::import::value;
use crate::import::xml::element::Name;
use crate::import::xml::{Step, XmlError};

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
                Some(Name::Disclose) => contact.disclose = self.disclose()?,
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

    /// `disclose` (RFC 5733 section 2.9).
    fn disclose(&mut self) -> Result<Option<Disclose>, XmlError> {
        let flag = self.xml.attribute("flag").unwrap_or_default();
        let allow = value::boolean(flag);
        if allow.is_none() {
            self.defects.add(Rule::ValueBad, "disclose flag", flag);
        }
        let mut fields = 0;
        while let Step::Open(element) = self.xml.step()? {
            let loc = self.xml.attribute("type") == Some("loc");
            fields |= match (Self::known(element), loc) {
                (Some(Name::NameElement), false) => Disclose::NAME_INT,
                (Some(Name::NameElement), true) => Disclose::NAME_LOC,
                (Some(Name::Org), false) => Disclose::ORG_INT,
                (Some(Name::Org), true) => Disclose::ORG_LOC,
                (Some(Name::Addr), false) => Disclose::ADDR_INT,
                (Some(Name::Addr), true) => Disclose::ADDR_LOC,
                (Some(Name::Voice), _) => Disclose::VOICE,
                (Some(Name::Fax), _) => Disclose::FAX,
                (Some(Name::Email), _) => Disclose::EMAIL,
                _ => {
                    self.unknown(element)?;
                    continue;
                }
            };
            self.xml.skip()?;
        }
        // A wish that does not read is not taken for consent.
        Ok(Some(Disclose { allow: allow.unwrap_or(false), fields }))
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

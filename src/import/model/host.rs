//! `rdeHost:host`, `rdeIDN:idnTableRef`, `rdeNNDN:NNDN` (RFC 9022 sections 5.2, 5.5, 5.6).
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::object::{IdnTable, Nameserver, Nndn, NndnState};

use super::{Reading, Stop, leaf};
use crate::import::collect::Rank;
use crate::import::xml::{Step, XmlError};
use crate::vet::draft;
use crate::vet::element::Name;
use crate::vet::findings::ObjectKind;
use crate::vet::rule::Rule;
use crate::vet::value;

impl Reading<'_, '_, '_, '_> {
    /// Reads the host whose element just opened.
    pub(super) fn host(&mut self) -> Result<(), Stop> {
        let mut host = Nameserver::default();
        let mut name_text = String::new();
        while let Step::Open(element) = self.xml.step()? {
            match Self::known(element) {
                Some(Name::NameElement) => {
                    let text = leaf(self.xml, &mut self.defects, "name")?;
                    draft::own_name(&mut self.defects, "name", &mut host.name, text);
                    if host.name.is_empty() {
                        name_text.push_str(text);
                    }
                }
                Some(Name::Roid) => self.identifier("roid", &mut host.roid)?,
                Some(Name::Status) => {
                    let word = self.xml.attribute("s").unwrap_or_default();
                    draft::host_status(&mut self.defects, &mut host.statuses, word);
                    self.xml.skip()?;
                }
                Some(Name::Addr) => self.address(&mut host)?,
                Some(Name::ClId) => self.identifier("clID", &mut host.registrar)?,
                Some(Name::CrRr) => self.actor("crRr", &mut host.creator)?,
                Some(Name::CrDate) => self.time("crDate", &mut host.created)?,
                Some(Name::UpRr) => self.actor("upRr", &mut host.updater)?,
                Some(Name::UpDate) => self.time("upDate", &mut host.updated)?,
                Some(Name::TrDate) => self.time("trDate", &mut host.transferred)?,
                _ => self.unknown(element)?,
            }
        }
        let kind = ObjectKind::Nameserver;
        self.out.counted(kind);
        if host.name.is_empty() {
            self.defects.add(Rule::KeyUnusable, "name", name_text.as_str());
            self.out.defects(&mut self.defects, self.place, kind, &name_text);
            return Ok(());
        }
        self.out.defects(&mut self.defects, self.place, kind, &host.name);
        self.out.nameserver(Rank::Xml, self.place, &host)?;
        Ok(())
    }

    /// `addr` or `hostAddr`: `ip` is v4 unless it says otherwise (RFC 5732 section 2.5).
    pub(super) fn address(&mut self, host: &mut Nameserver) -> Result<(), XmlError> {
        let version = match self.xml.attribute("ip") {
            Some("v6") => "v6",
            Some("v4") | None => "v4",
            Some(other) => {
                self.defects.add(Rule::ValueBad, "ip", other);
                "v4"
            }
        };
        let text = leaf(self.xml, &mut self.defects, "addr")?;
        draft::address(&mut self.defects, &mut host.v4, &mut host.v6, text, Some(version));
        Ok(())
    }

    /// Reads the IDN table reference whose element just opened.
    pub(super) fn idn_table(&mut self) -> Result<(), Stop> {
        let mut table = IdnTable::default();
        let id = self.xml.attribute("id").unwrap_or_default();
        draft::identifier(&mut self.defects, "id", &mut table.id, id);
        while let Step::Open(element) = self.xml.step()? {
            match Self::known(element) {
                Some(Name::Url) => self.text("url", &mut table.url)?,
                Some(Name::UrlPolicy) => self.text("urlPolicy", &mut table.policy_url)?,
                _ => self.unknown(element)?,
            }
        }
        let kind = ObjectKind::IdnTable;
        self.out.counted(kind);
        if table.id.is_empty() {
            self.defects.add(Rule::KeyUnusable, "id", "");
        }
        self.out.defects(&mut self.defects, self.place, kind, &table.id);
        if !table.id.is_empty() {
            self.out.idn_table(Rank::Xml, self.place, &table)?;
        }
        Ok(())
    }

    /// Reads the NNDN whose element just opened.
    pub(super) fn nndn(&mut self) -> Result<(), Stop> {
        let mut nndn = Nndn { mirroring_ns: true, ..Nndn::default() };
        let mut name_text = String::new();
        let mut has_state = false;
        while let Step::Open(element) = self.xml.step()? {
            match Self::known(element) {
                Some(Name::AName) => {
                    let text = leaf(self.xml, &mut self.defects, "aName")?;
                    draft::own_name(&mut self.defects, "aName", &mut nndn.name, text);
                    if nndn.name.is_empty() {
                        name_text.push_str(text);
                    }
                }
                Some(Name::UName) => self.text("uName", &mut nndn.u_name)?,
                Some(Name::IdnTableId) => self.identifier("idnTableId", &mut nndn.idn_table)?,
                Some(Name::OriginalName) => {
                    let text = leaf(self.xml, &mut self.defects, "originalName")?;
                    let slot = &mut nndn.original_name;
                    draft::other_name(&mut self.defects, "originalName", slot, text);
                }
                Some(Name::NameState) => {
                    has_state = true;
                    self.name_state(&mut nndn)?;
                }
                Some(Name::CrDate) => self.time("crDate", &mut nndn.created)?,
                _ => self.unknown(element)?,
            }
        }
        if !has_state {
            nndn.state = NndnState::Unknown;
            self.defects.add(Rule::ValueBad, "nameState", "");
        }
        let kind = ObjectKind::Nndn;
        self.out.counted(kind);
        if nndn.name.is_empty() {
            self.defects.add(Rule::KeyUnusable, "aName", name_text.as_str());
            self.out.defects(&mut self.defects, self.place, kind, &name_text);
            return Ok(());
        }
        self.out.defects(&mut self.defects, self.place, kind, &nndn.name);
        self.out.nndn(Rank::Xml, self.place, &nndn)?;
        Ok(())
    }

    fn name_state(&mut self, nndn: &mut Nndn) -> Result<(), XmlError> {
        match self.xml.attribute("mirroringNS").map(|text| (value::boolean(text), text)) {
            Some((Some(mirroring), _)) => nndn.mirroring_ns = mirroring,
            Some((None, text)) => self.defects.add(Rule::ValueBad, "mirroringNS", text),
            None => {}
        }
        let text = leaf(self.xml, &mut self.defects, "nameState")?;
        nndn.state = draft::nndn_state(&mut self.defects, text);
        Ok(())
    }
}

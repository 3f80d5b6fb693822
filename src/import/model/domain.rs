//! `rdeDomain:domain` (RFC 9022 section 5.1.1).
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::object::{Domain, Nameserver, SecDns};

use super::{Reading, Stop, leaf};
use crate::import::collect::Rank;
use crate::import::packed;
use crate::import::xml::{Step, XmlError};
use crate::vet::draft::{self, SecDnsTexts};
use crate::vet::element::Name;
use crate::vet::findings::ObjectKind;
use crate::vet::rule::Rule;

impl Reading<'_, '_, '_, '_> {
    /// Reads the domain whose element just opened.
    pub(super) fn domain(&mut self) -> Result<(), Stop> {
        // The last one's memory is this one's.
        let mut domain = std::mem::take(&mut self.spare_domain);
        packed::clear(&mut domain);
        let read = self.domain_into(&mut domain);
        self.spare_domain = domain;
        read
    }

    fn domain_into(&mut self, domain: &mut Domain) -> Result<(), Stop> {
        let mut name_text = String::new();
        while let Step::Open(element) = self.xml.step()? {
            let Some(name) = Self::known(element) else {
                self.extras(domain, 0)?;
                continue;
            };
            match name {
                Name::NameElement => {
                    let text = leaf(self.xml, &mut self.defects, "name")?;
                    draft::own_name(&mut self.defects, "name", &mut domain.name, text);
                    if domain.name.is_empty() {
                        name_text.push_str(text);
                    }
                }
                Name::Status => {
                    let word = self.xml.attribute("s").unwrap_or_default();
                    draft::domain_status(&mut self.defects, &mut domain.statuses, word, false);
                    self.xml.skip()?;
                }
                Name::RgpStatus => {
                    let word = self.xml.attribute("s").unwrap_or_default();
                    draft::domain_status(&mut self.defects, &mut domain.statuses, word, true);
                    self.xml.skip()?;
                }
                Name::Registrant => {
                    let text = leaf(self.xml, &mut self.defects, "registrant")?;
                    draft::contact(&mut self.defects, domain, "registrant", text);
                }
                Name::Contact => self.domain_contact(domain)?,
                Name::Ns => self.nameservers(domain)?,
                Name::SecDns => self.sec_dns(domain)?,
                Name::TrnData => domain.transfer = Some(self.transfer()?),
                _ => self.domain_field(name, domain, element)?,
            }
        }
        let kind = ObjectKind::Domain;
        self.out.counted(kind);
        if domain.name.is_empty() {
            self.defects.add(Rule::KeyUnusable, "name", name_text.as_str());
            self.out.defects(&mut self.defects, self.place, kind, &name_text);
            return Ok(());
        }
        self.out.defects(&mut self.defects, self.place, kind, &domain.name);
        self.out.domain(Rank::Xml, self.place, domain)?;
        Ok(())
    }

    fn domain_field(
        &mut self,
        name: Name,
        domain: &mut Domain,
        element: crate::vet::element::Element,
    ) -> Result<(), XmlError> {
        match name {
            Name::Roid => self.identifier("roid", &mut domain.roid),
            Name::UName => self.text("uName", &mut domain.u_name),
            Name::IdnTableId => self.identifier("idnTableId", &mut domain.idn_table),
            Name::OriginalName => {
                let text = leaf(self.xml, &mut self.defects, "originalName")?;
                let slot = &mut domain.original_name;
                draft::other_name(&mut self.defects, "originalName", slot, text);
                Ok(())
            }
            Name::ClId => self.identifier("clID", &mut domain.registrar),
            Name::CrRr => self.actor("crRr", &mut domain.creator),
            Name::CrDate => self.time("crDate", &mut domain.created),
            Name::ExDate => self.time("exDate", &mut domain.expires),
            Name::UpRr => self.actor("upRr", &mut domain.updater),
            Name::UpDate => self.time("upDate", &mut domain.updated),
            Name::TrDate => self.time("trDate", &mut domain.transferred),
            _ => self.unknown(element),
        }
    }

    fn domain_contact(&mut self, domain: &mut Domain) -> Result<(), XmlError> {
        // The roles are few: copying the word costs no allocation in the common case.
        let role = match self.xml.attribute("type").unwrap_or_default() {
            "admin" => "admin",
            "tech" => "tech",
            "billing" => "billing",
            other => {
                self.defects.add(Rule::ValueBad, "contact type", other);
                return self.xml.skip();
            }
        };
        let text = leaf(self.xml, &mut self.defects, "contact")?;
        draft::contact(&mut self.defects, domain, role, text);
        Ok(())
    }

    /// `ns`: host objects by name, or host attributes, which become nameservers of their own.
    fn nameservers(&mut self, domain: &mut Domain) -> Result<(), Stop> {
        while let Step::Open(element) = self.xml.step()? {
            match Self::known(element) {
                Some(Name::HostObj) => {
                    let text = leaf(self.xml, &mut self.defects, "ns")?;
                    draft::nameserver(&mut self.defects, domain, text);
                }
                Some(Name::HostAttr) => self.host_attribute(domain)?,
                _ => self.unknown(element)?,
            }
        }
        Ok(())
    }

    fn host_attribute(&mut self, domain: &mut Domain) -> Result<(), Stop> {
        let mut host = Nameserver::default();
        while let Step::Open(element) = self.xml.step()? {
            match Self::known(element) {
                Some(Name::HostName) => {
                    let text = leaf(self.xml, &mut self.defects, "hostName")?;
                    if let Some(name) = draft::nameserver(&mut self.defects, domain, text) {
                        host.name.clear();
                        host.name.push_str(name);
                    }
                }
                Some(Name::HostAddr) => self.address(&mut host)?,
                _ => self.unknown(element)?,
            }
        }
        if !host.name.is_empty() {
            self.out.host_attribute(Rank::HostAttribute, self.place, &host)?;
        }
        Ok(())
    }

    fn sec_dns(&mut self, domain: &mut Domain) -> Result<(), XmlError> {
        let mut sec_dns = SecDns::default();
        while let Step::Open(element) = self.xml.step()? {
            match Self::known(element) {
                Some(Name::MaxSigLife) => {
                    let text = leaf(self.xml, &mut self.defects, "maxSigLife")?;
                    draft::max_sig_life(&mut self.defects, &mut sec_dns, text);
                }
                Some(Name::DsData) => {
                    let texts = self.sec_dns_texts(Some(&mut sec_dns))?;
                    draft::ds(&mut self.defects, &mut sec_dns, &texts);
                }
                Some(Name::KeyData) => {
                    let texts = self.sec_dns_texts(None)?;
                    draft::dns_key(&mut self.defects, &mut sec_dns, &texts);
                }
                _ => self.unknown(element)?,
            }
        }
        if domain.sec_dns.is_some() {
            self.defects.add(Rule::ElementRepeated, "secDNS", "");
        } else {
            domain.sec_dns = Some(sec_dns);
        }
        Ok(())
    }

    /// The texts of `dsData` or `keyData`; a key within DS data goes to `keys`.
    fn sec_dns_texts(&mut self, mut keys: Option<&mut SecDns>) -> Result<SecDnsTexts, XmlError> {
        let mut texts = SecDnsTexts::default();
        while let Step::Open(element) = self.xml.step()? {
            let slot = match Self::known(element) {
                Some(Name::KeyTag | Name::Flags) => &mut texts.first,
                Some(Name::Alg) => &mut texts.algorithm,
                Some(Name::DigestType | Name::Protocol) => &mut texts.second,
                Some(Name::Digest | Name::PubKey) => &mut texts.bytes,
                Some(Name::KeyData) => {
                    let inner = self.sec_dns_texts(None)?;
                    if let Some(sec_dns) = keys.as_deref_mut() {
                        draft::dns_key(&mut self.defects, sec_dns, &inner);
                    }
                    continue;
                }
                _ => {
                    self.unknown(element)?;
                    continue;
                }
            };
            let text = leaf(self.xml, &mut self.defects, "secDNS")?;
            slot.clear();
            slot.push_str(text);
        }
        Ok(texts)
    }

    /// An element of another namespace: its leaves become extras.
    fn extras(&mut self, domain: &mut Domain, depth: usize) -> Result<(), XmlError> {
        let key = self.xml.opened_local().to_owned();
        // Deeper than any extension that was seen: `leaf` skips what is within.
        if depth >= 8 {
            return self.xml.skip();
        }
        let mut nested = false;
        let mut raw = String::new();
        while let Step::Open(_) = self.xml.step_with_text(&mut raw)? {
            nested = true;
            self.extras(domain, depth.saturating_add(1))?;
        }
        if nested {
            return Ok(());
        }
        let mut value = String::new();
        if crate::import::xml::collapse(&raw, &mut value) {
            self.defects.add(Rule::CharacterBad, "extra", value.as_str());
        }
        draft::extra(&mut self.defects, domain, &key, &value);
        Ok(())
    }
}

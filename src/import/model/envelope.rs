//! `rde:deposit` (RFC 8909 section 5) around the objects, and the objects that describe the
//! deposit: header, policies, EPP parameters, CSV definitions.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use hashbrown::HashSet;
use snapshot_format::object::Time;

use super::{Reading, Stop, leaf};
use crate::import::csv::definition::{Definition, FieldDefinition, FileReference};
use crate::import::progress::Watch;
use crate::import::xml::{Step, XmlError};
use crate::vet::element::{Element, Name, Space};
use crate::vet::findings::{Defects, ObjectKind, Place, clip};
use crate::vet::policy::Policy;
use crate::vet::rule::Rule;
use crate::vet::time;
use crate::vet::value::{self, Read};

/// Most names of unknown objects that are counted apart.
const UNKNOWN_MAX: usize = 4096;

/// Longest identifier of a deposit that is kept, bytes: RFC 8909 allows 13 characters.
pub(in crate::import) const DEPOSIT_ID_BYTES_MAX: usize = 64;

/// What a deposit holds (RFC 8909 section 5.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DepositType {
    /// The whole registry.
    #[default]
    Full,
    /// What changed since the deposit before it.
    Diff,
    /// What changed since the last full deposit.
    Incr,
}

impl DepositType {
    /// The type of a word of RFC 8909.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            "FULL" => Some(Self::Full),
            "DIFF" => Some(Self::Diff),
            "INCR" => Some(Self::Incr),
            _ => None,
        }
    }

    /// The word of RFC 8909.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Diff => "DIFF",
            Self::Incr => "INCR",
        }
    }
}

/// Which deposits a reader takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::import) enum Wanted {
    /// FULL ones, whose deletes are ignored (RFC 8909 section 5.2).
    Full,
    /// DIFF and INCR ones.
    Changes,
}

/// One `rdeHeader:count`.
#[derive(Debug, Clone, Default)]
pub(in crate::import) struct Count {
    /// Namespace of the objects.
    pub(in crate::import) uri: String,
    /// Registry-class domain name that it is limited to; empty: none.
    pub(in crate::import) rcdn: String,
    /// Whether it is limited to a registrar.
    pub(in crate::import) of_registrar: bool,
    /// Number of objects; `None`: it could not be read.
    pub(in crate::import) count: Option<u64>,
    /// Where it stands.
    pub(in crate::import) place: Place,
}

/// What a deposit says of itself.
#[derive(Debug, Default)]
pub(in crate::import) struct Envelope {
    /// `type` of the deposit.
    pub(in crate::import) kind: DepositType,
    /// `id` of the deposit.
    pub(in crate::import) id: String,
    /// `prevId` of the deposit; empty: none.
    pub(in crate::import) prev_id: String,
    /// `resend` of the deposit: how often it was corrected.
    pub(in crate::import) resend: u16,
    /// Time of its data.
    pub(in crate::import) watermark: Time,
    /// Where the watermark stands.
    pub(in crate::import) watermark_place: Place,
    /// URIs of the menu, and where it stands.
    pub(in crate::import) menu: Vec<String>,
    /// Where the menu stands.
    pub(in crate::import) menu_place: Place,
    /// Where the header is, if there is one.
    pub(in crate::import) header: Option<Place>,
    /// `tld` of the header, A-label form; empty: none.
    pub(in crate::import) tld: String,
    /// Counts of the header.
    pub(in crate::import) counts: Vec<Count>,
    /// Policies.
    pub(in crate::import) policies: Vec<Policy>,
    /// EPP parameter objects.
    pub(in crate::import) epp_params: u64,
    /// CSV definitions.
    pub(in crate::import) definitions: Vec<Definition>,
}

impl Envelope {
    /// Counts of all objects of a kind, not of those of one registrar or zone.
    pub(in crate::import) fn whole_counts(&self) -> impl Iterator<Item = &Count> {
        self.counts.iter().filter(|count| !count.of_registrar && count.rcdn.is_empty())
    }

    /// What a snapshot and a log call the deposit: [`deposit_name`].
    pub(in crate::import) fn name(&self) -> String {
        deposit_name(&self.id, self.resend)
    }
}

/// The name under which a deposit is noted: its identifier, then `#` and the number of its
/// correction if it is one. `\w` of RFC 8909's identifiers has no `#`.
pub(in crate::import) fn deposit_name(id: &str, resend: u16) -> String {
    if resend == 0 { id.to_owned() } else { format!("{id}#{resend}") }
}

/// Identifier and `resend` of a deposit's name.
#[must_use]
pub fn parse_deposit_name(name: &str) -> (&str, u16) {
    let parts = name.rsplit_once('#');
    let parts = parts.and_then(|(id, resend)| Some((id, resend.parse().ok()?)));
    parts.unwrap_or((name, 0))
}

impl Reading<'_, '_, '_, '_> {
    /// Reads the whole deposit; objects go to the collector.
    pub(in crate::import) fn deposit(&mut self, watch: &mut Watch<'_>) -> Result<Envelope, Stop> {
        let Step::Open(root) = self.xml.step()? else {
            return Err(XmlError::Broken(Rule::NotDeposit, String::new()).into());
        };
        if (root.space, root.name) != (Space::Rde, Name::Deposit) {
            let got = self.xml.opened().to_owned();
            return Err(XmlError::Broken(Rule::NotDeposit, got).into());
        }
        let mut envelope = self.attributes()?;
        while let Step::Open(element) = self.xml.step()? {
            self.begin();
            match Self::known(element) {
                Some(Name::Watermark) => self.watermark(&mut envelope)?,
                Some(Name::RdeMenu) => self.menu(&mut envelope)?,
                Some(Name::Contents) => self.contents(&mut envelope, watch)?,
                Some(Name::Deletes) if self.wanted == Wanted::Changes => {
                    self.deletes(&mut envelope, watch)?;
                }
                Some(Name::Deletes) => {
                    self.defects.add(Rule::DeletesIgnored, "deletes", "");
                    self.xml.skip()?;
                }
                _ => self.unknown(element)?,
            }
            self.end();
        }
        while self.xml.step()? != Step::End {}
        Ok(envelope)
    }

    /// An object, or a part of the envelope, begins at the read position.
    pub(super) fn begin(&mut self) {
        self.place.line = self.xml.line();
    }

    /// Reports what is left of the defects as the deposit's own.
    pub(super) fn end(&mut self) {
        self.out.defects(&mut self.defects, self.place, ObjectKind::Deposit, "");
    }

    fn attributes(&mut self) -> Result<Envelope, Stop> {
        self.begin();
        let word = self.xml.attribute("type").unwrap_or_default();
        let kind = match (DepositType::of_word(word), self.wanted) {
            (Some(kind @ DepositType::Full), Wanted::Full)
            | (Some(kind @ (DepositType::Diff | DepositType::Incr)), Wanted::Changes) => kind,
            (_, wanted) => {
                let full = wanted == Wanted::Full;
                let rule = if full { Rule::DepositType } else { Rule::DepositNotChanges };
                return Err(XmlError::Broken(rule, word.to_owned()).into());
            }
        };
        let id = self.deposit_id("id");
        let prev_id =
            if kind == DepositType::Full { String::new() } else { self.deposit_id("prevId") };
        if kind == DepositType::Diff && prev_id.is_empty() {
            return Err(XmlError::Broken(Rule::PrevIdMissing, id).into());
        }
        let resend = self.xml.attribute("resend").unwrap_or("0");
        let resend = value::integer(resend).unwrap_or_else(|| {
            self.defects.add(Rule::ValueBad, "resend", resend);
            0
        });
        self.end();
        Ok(Envelope { kind, id, prev_id, resend, ..Envelope::default() })
    }

    /// An identifier of a deposit; an incremental one may lack that of the one before.
    fn deposit_id(&mut self, field: &'static str) -> String {
        let mut id = self.xml.attribute(field).unwrap_or_default().to_owned();
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let optional = field == "prevId" && id.is_empty();
        if !optional && (!(1..=13).contains(&id.chars().count()) || !id.chars().all(word)) {
            self.defects.add(Rule::DepositId, field, id.as_str());
        }
        id.truncate(clip(&id, DEPOSIT_ID_BYTES_MAX).len());
        id
    }

    fn watermark(&mut self, envelope: &mut Envelope) -> Result<(), XmlError> {
        let text = leaf(self.xml, &mut self.defects, "watermark")?;
        envelope.watermark = match time::time(text) {
            // One beyond the year 9999 is in the future, which is a finding of its own.
            time::Read::Good(time) | time::Read::Late(time) => time,
            time::Read::NoZone(time) => {
                self.defects.add(Rule::TimeNoZone, "watermark", text);
                time
            }
            time::Read::Bad => {
                return Err(XmlError::Broken(Rule::WatermarkMissing, text.to_owned()));
            }
        };
        envelope.watermark_place = self.place;
        Ok(())
    }

    fn menu(&mut self, envelope: &mut Envelope) -> Result<(), XmlError> {
        envelope.menu_place = self.place;
        while let Step::Open(element) = self.xml.step()? {
            match Self::known(element) {
                Some(Name::ObjUri) => {
                    let text = leaf(self.xml, &mut self.defects, "objURI")?;
                    self.room.keep(&mut envelope.menu, text.to_owned(), text.len())?;
                }
                Some(Name::Version) => {
                    let text = leaf(self.xml, &mut self.defects, "version")?;
                    if text != "1.0" {
                        self.defects.add(Rule::ValueBad, "version", text);
                    }
                }
                _ => self.unknown(element)?,
            }
        }
        Ok(())
    }

    fn contents(&mut self, envelope: &mut Envelope, watch: &mut Watch<'_>) -> Result<(), Stop> {
        let mut unknown_objects = HashSet::<String, ahash::RandomState>::default();
        while let Step::Open(element) = self.xml.step()? {
            self.begin();
            match (element.space, element.name) {
                (Space::RdeDomain, Name::Domain) => self.domain()?,
                (Space::RdeHost, Name::Host) => self.host()?,
                (Space::RdeContact, Name::Contact) => self.contact()?,
                (Space::RdeRegistrar, Name::Registrar) => self.registrar()?,
                (Space::RdeIdn, Name::IdnTableRef) => self.idn_table()?,
                (Space::RdeNndn, Name::Nndn) => self.nndn()?,
                (Space::RdeHeader, Name::Header) => self.header(envelope)?,
                (Space::RdePolicy, Name::Policy) => self.policy(envelope)?,
                (Space::RdeEppParams, Name::EppParams) => {
                    envelope.epp_params = envelope.epp_params.saturating_add(1);
                    self.xml.skip()?;
                }
                (
                    Space::CsvDomain
                    | Space::CsvHost
                    | Space::CsvContact
                    | Space::CsvRegistrar
                    | Space::CsvIdn
                    | Space::CsvNndn,
                    Name::Contents,
                ) => self.csv_contents(envelope, false)?,
                _ => {
                    // Once per name: there may be millions.
                    let name = self.xml.opened();
                    if !unknown_objects.contains(name) && unknown_objects.len() < UNKNOWN_MAX {
                        unknown_objects.insert(name.to_owned());
                        self.defects.add(Rule::ObjectUnknown, "", name);
                    }
                    self.xml.skip()?;
                }
            }
            if !self.defects.list.is_empty() {
                self.end();
            }
            watch.read(self.out)?;
        }
        Ok(())
    }

    fn header(&mut self, envelope: &mut Envelope) -> Result<(), XmlError> {
        if envelope.header.is_some() {
            return Err(XmlError::Broken(Rule::HeaderRepeated, String::new()));
        }
        envelope.header = Some(self.place);
        while let Step::Open(element) = self.xml.step()? {
            match Self::known(element) {
                Some(Name::Tld) => {
                    let text = leaf(self.xml, &mut self.defects, "tld")?;
                    if zone(&mut self.defects, "tld", text, &mut envelope.tld) == Read::Bad {
                        envelope.tld.clear();
                        self.defects.add(Rule::HeaderRepository, "tld", text);
                    }
                }
                Some(word @ (Name::Registrar | Name::Ppsp | Name::Reseller)) => {
                    self.defects.add(Rule::HeaderRepository, "", format!("{word:?}"));
                    self.xml.skip()?;
                }
                Some(Name::Count) => self.count(envelope)?,
                Some(Name::ContentTag) => self.xml.skip()?,
                _ => self.unknown(element)?,
            }
        }
        Ok(())
    }

    fn count(&mut self, envelope: &mut Envelope) -> Result<(), XmlError> {
        let mut count = Count {
            uri: self.xml.attribute("uri").unwrap_or_default().to_owned(),
            rcdn: String::new(),
            of_registrar: self.xml.attribute("registrarId").is_some(),
            count: None,
            place: Place { line: self.xml.line(), ..self.place },
        };
        let rcdn = self.xml.attribute("rcdn").unwrap_or_default();
        let slot = &mut count.rcdn;
        if !rcdn.is_empty() && zone(&mut self.defects, "rcdn", rcdn, slot) == Read::Bad {
            self.defects.add(Rule::ValueBad, "rcdn", rcdn);
            return self.xml.skip();
        }
        let text = leaf(self.xml, &mut self.defects, "count")?;
        count.count = value::integer(text);
        if count.count.is_none() {
            self.defects.add(Rule::CountUnreadable, "count", text);
        }
        let bytes = count.uri.len().saturating_add(count.rcdn.len());
        self.room.keep(&mut envelope.counts, count, bytes)
    }

    /// A policy: its scope ends in an object, its element is one of that object's.
    fn policy(&mut self, envelope: &mut Envelope) -> Result<(), XmlError> {
        fn local(path: &str) -> &str {
            let last = path.rsplit('/').next().unwrap_or_default();
            last.rsplit(':').next().unwrap_or_default()
        }
        let scope = self.xml.attribute("scope").unwrap_or_default();
        let element = self.xml.attribute("element").unwrap_or_default();
        let kind = match local(scope) {
            "domain" => Some(ObjectKind::Domain),
            "host" => Some(ObjectKind::Nameserver),
            "contact" => Some(ObjectKind::Contact),
            "registrar" => Some(ObjectKind::Registrar),
            "NNDN" => Some(ObjectKind::Nndn),
            _ => None,
        };
        let name = Name::of(local(element));
        match kind {
            Some(kind) if crate::vet::policy::is_known(kind, name) => {
                let word = local(element).to_owned();
                let bytes = word.len();
                self.room.keep(
                    &mut envelope.policies,
                    Policy { kind, element: name, word },
                    bytes,
                )?;
            }
            _ => self.defects.add(Rule::PolicyUnknown, "policy", format!("{scope} {element}")),
        }
        self.xml.skip()
    }

    /// CSV definitions of contents, or of `deletes`.
    pub(super) fn csv_contents(
        &mut self,
        envelope: &mut Envelope,
        deletes: bool,
    ) -> Result<(), XmlError> {
        while let Step::Open(element) = self.xml.step()? {
            if Self::known(element) != Some(Name::Csv) {
                self.unknown(element)?;
                continue;
            }
            let separator = self.xml.attribute_whole("sep").unwrap_or(",");
            let mut definition = Definition {
                name: self.xml.attribute("name").unwrap_or_default().to_owned(),
                deletes,
                separator: separator.to_owned(),
                place: Place { line: self.xml.line(), ..self.place },
                ..Definition::default()
            };
            while let Step::Open(element) = self.xml.step()? {
                match Self::known(element) {
                    Some(Name::Fields) => self.csv_fields(&mut definition)?,
                    Some(Name::Files) => self.csv_files(&mut definition)?,
                    _ => self.unknown(element)?,
                }
            }
            let bytes = definition.name.len().saturating_add(definition.separator.len());
            self.room.keep(&mut envelope.definitions, definition, bytes)?;
        }
        Ok(())
    }

    fn csv_fields(&mut self, definition: &mut Definition) -> Result<(), XmlError> {
        while let Step::Open(Element { space, .. }) = self.xml.step()? {
            let flag = |name, defects: &mut Defects, xml: &super::Document| {
                let text = xml.attribute(name)?;
                let read = value::boolean(text);
                if read.is_none() {
                    defects.add(Rule::ValueBad, name, text);
                }
                read
            };
            let field = FieldDefinition {
                space,
                local: self.xml.opened_local().to_owned(),
                required: flag("isRequired", &mut self.defects, self.xml),
                localised: flag("isLoc", &mut self.defects, self.xml),
                index: self.xml.attribute("index").and_then(value::integer),
                custom: self.xml.attribute("name").unwrap_or_default().to_owned(),
            };
            self.xml.skip()?;
            let bytes = field.local.len().saturating_add(field.custom.len());
            self.room.keep(&mut definition.fields, field, bytes)?;
        }
        Ok(())
    }

    fn csv_files(&mut self, definition: &mut Definition) -> Result<(), XmlError> {
        while let Step::Open(element) = self.xml.step()? {
            if Self::known(element) != Some(Name::File) {
                self.unknown(element)?;
                continue;
            }
            let own = |name| self.xml.attribute(name).unwrap_or_default().to_owned();
            let mut file = FileReference {
                name: String::new(),
                compression: own("compression"),
                encoding: own("encoding"),
                checksum: own("cksum"),
                algorithm: own("cksumAlg"),
                place: self.place,
            };
            leaf(self.xml, &mut self.defects, "file")?.clone_into(&mut file.name);
            file.place.line = self.xml.line();
            let texts = [&file.name, &file.compression, &file.encoding, &file.checksum];
            let bytes = texts
                .iter()
                .fold(file.algorithm.len(), |sum, text| usize::saturating_add(sum, text.len()));
            self.room.keep(&mut definition.files, file, bytes)?;
        }
        Ok(())
    }
}

/// A TLD or registry-class name, which some registries write with the dot before it.
fn zone(defects: &mut Defects, field: &'static str, text: &str, slot: &mut String) -> Read<()> {
    let bare = text.strip_prefix('.').filter(|bare| !bare.is_empty());
    if bare.is_some() {
        defects.add(Rule::HeaderTld, field, text);
    }
    value::name(bare.unwrap_or(text), slot)
}

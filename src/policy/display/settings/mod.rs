//! What the configuration says about answers: `[defaults]`, `[[tld]]` and `[[registrar]]`; tiers
//! are in `tier`.
//!
//! # Invariants
//!
//! - An absent key is `None`: only [`crate::policy::Rules`] knows the defaults.
//! - [`Settings::validate`] accepts nothing that could break a line, overfill an answer, or make
//!   a program misread one: every text goes through [`crate::policy::phrases`].
//!
//! # Does not
//!
//! Compile rules (`policy`), or read files (the rest of `config`).

pub mod rdap;

use serde::{Deserialize, Serialize};

pub use super::block::Block;
pub use super::error::{SettingError, SettingProblem, TextError};
use crate::field::contact::ROLES;
use crate::policy::display::tier::{self, Tier};
use crate::policy::phrases::{Place, misleading};
use crate::vet::{value, web};
pub use rdap::{Rdap, is_followed};

/// Longest disclaimer, header or footer, bytes. Three of them and a record fit one answer.
pub const TEXT_BYTES_MAX: usize = 4096;
/// Longest text that stands for a value or a record, bytes.
pub const VALUE_BYTES_MAX: usize = 255;
/// Most `[[tld]]` tables.
pub const TLD_COUNT_MAX: usize = 4096;
/// Most `[[registrar]]` tables.
pub const REGISTRAR_COUNT_MAX: usize = 65_536;
/// Most keys that `extras` lists.
pub const EXTRAS_COUNT_MAX: usize = 64;

/// The part of the configuration that decides how answers read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What holds for every suffix, and for answers that belong to none (registrars, contacts,
    /// help, refusals). The same keys as `[[tld]]`, without `suffix`.
    pub defaults: Tld,
    /// Rules of one suffix each; the longest suffix of a name decides. At most 4,096.
    pub tld: Vec<Tld>,
    /// What the deposit does not know about a registrar. At most 65,536.
    pub registrar: Vec<Registrar>,
    /// Who is shown more, or less, than the public. At most 8.
    pub tier: Vec<Tier>,
    /// What the files of `[registrars]` say.
    #[serde(skip)]
    pub listed: Listed,
}

/// What the files of `[registrars]` say of registrars, by their IANA identifiers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// IANA's list.
    pub iana: Vec<ListedRegistrar>,
    /// Lines of it that did not read.
    pub passed_over: u64,
    /// What an operator adds to it.
    pub overlay: Vec<Registrar>,
}

/// A registrar of IANA's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRegistrar {
    /// Its identifier.
    pub iana_id: u32,
    /// Base URL of its RDAP service, letter for letter.
    pub rdap_url: String,
}

/// Rules of one suffix. A key that is absent has the value of `[defaults]`; if it is absent
/// there too, that of the preset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tld {
    /// The suffix, `example` or `co.example`, as A-label or U-label, at most 253 bytes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub suffix: String,
    /// Which contact data is shown. Default `registration-data-policy-2025`. In a `[[tld]]` it
    /// also sets aside the contact blocks and the model of `[defaults]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// How much of its contacts a domain shows. Default `thick`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// The registrant's block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registrant: Option<Block>,
    /// The administrative contact's block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<Block>,
    /// The technical contact's block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tech: Option<Block>,
    /// The billing contact's block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing: Option<Block>,
    /// Answers to `contact ID` and to a contact's ROID; of `[defaults]` only, since a contact has
    /// no suffix. Without it, they show no more than the strictest suffix does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Block>,
    /// How a redacted field reads: `text` (default), `empty` (the key alone) or `left-out`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redacted_as: Option<RedactedAs>,
    /// What stands for a redacted value. Default `REDACTED FOR PRIVACY`, 1 to 255 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redacted_text: Option<String>,
    /// What stands for a redacted electronic mail address. Default the sentence that sends the
    /// reader to the registrar, 1 to 255 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redacted_email_text: Option<String>,
    /// Legal text at the end of every answer; wrapped at 72 characters, an empty line separates
    /// paragraphs. At most 4,096 bytes. It may not hold phrases that programs take for "free".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disclaimer: Option<String>,
    /// Lines before every answer, kept as they are. Default none, at most 4,096 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Lines after the disclaimer, kept as they are. Default none, at most 4,096 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    /// The line that says that there is no such record. Default `No Data Found`; some clients'
    /// programs know other phrases. 1 to 255 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_found: Option<String>,
    /// Key-value extras of the deposit to show: `none` (default), `all`, or a list of at most 64
    /// keys. Keys of the standard answer are never taken from extras.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extras: Option<Extras>,
    /// Which of two postal addresses is shown: `int` (default, ASCII) or `loc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal: Option<Postal>,
    /// Whether a domain's answer shows the addresses of its nameservers. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nameserver_addresses: Option<bool>,
    /// Whether a domain's answer ends in the address of ICANN's complaint form. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complaint_form: Option<bool>,
    /// What RDAP answers say of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rdap: Option<Rdap>,
}

/// A named set of contact rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preset {
    /// ICANN's Registration Data Policy, in force since 21 August 2025: registrant and technical
    /// contact (name, phone, mail); values are shown where the contact asked for it.
    #[serde(rename = "registration-data-policy-2025")]
    RegistrationDataPolicy2025,
    /// ICANN's Temporary Specification of 2018: registrant, administrative, technical and billing
    /// blocks, redacted but for organisation (if asked for), state and country.
    #[serde(rename = "temporary-specification-2018")]
    TemporarySpecification2018,
    /// Everything is shown, save what the contact asked to hide: for registries whose law wants it.
    #[serde(rename = "open")]
    Open,
}

/// How much of its contacts a domain shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// No contact blocks.
    Thin,
    /// The blocks as their rules say.
    Thick,
    /// Of the registrant the identifier, and name, organisation, state, country and mail address,
    /// each as the preset says; of every other contact the identifier alone. A field that a block
    /// names is as the block says.
    ModifiedThick,
}

/// How a redacted field reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RedactedAs {
    /// `redacted_text`, or `redacted_email_text` for a mail address.
    Text,
    /// The key without a value.
    Empty,
    /// No line at all.
    LeftOut,
}

/// Which of two postal addresses is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Postal {
    /// The internationalised one, ASCII.
    Int,
    /// The localised one.
    Loc,
}

/// Which key-value extras are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected `none`, `all` or a list of keys")]
pub enum Extras {
    /// All or none.
    Word(ExtrasWord),
    /// Those with these keys, spelled as in the deposit.
    Keys(Vec<String>),
}

/// All extras or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExtrasWord {
    /// None.
    None,
    /// All whose key is not a key of the standard answer.
    All,
}

/// How a field of a contact reads. In the file: `shown`, `consent`, `redacted`, `empty`,
/// `left-out`, or `text:` and the text; in a tier also `always`, and no text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Field {
    /// The value, save where the contact asked to hide it. It does not weaken what the preset
    /// publishes in any case.
    Shown,
    /// The value where the contact's wish (RFC 5733 section 2.9) allows it; else as `Redacted`.
    Consent,
    /// The value, also where the contact asked to hide it; written in a tier alone, and what
    /// ICANN's presets say of the registrant's state and country.
    Always,
    /// As `redacted_as` says.
    Redacted,
    /// The key without a value.
    Empty,
    /// No line at all.
    LeftOut,
    /// This text, 1 to 255 bytes.
    Text(String),
}

/// What the configuration adds to a registrar, or says instead of the deposit. Named by `id` or
/// `iana_id`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Registrar {
    /// Identifier in the deposit (`clID`).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// IANA registrar identifier; 0 is none.
    #[serde(skip_serializing_if = "is_zero")]
    pub iana_id: u32,
    /// Address for reports of abuse; at most 255 bytes, as are the others.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub abuse_email: String,
    /// Telephone number for reports of abuse, `+1.7035555555`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub abuse_phone: String,
    /// Host name of the registrar's WHOIS server, instead of the deposit's; scheme, port and path
    /// are left out.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub whois_server: String,
    /// Web site, instead of the deposit's: a URL with `http://` or `https://`; the first is put
    /// before one without.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// Base URL of its RDAP service, letter for letter as in IANA's list of registrars; RDAP
    /// answers about its domains link to it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rdap_url: String,
    /// Name of its administrative contact, a person or a desk.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub admin_name: String,
    /// Mail address of that contact.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub admin_email: String,
    /// Telephone number of that contact.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub admin_phone: String,
    /// Name of its technical contact.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tech_name: String,
    /// Mail address of that contact.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tech_email: String,
    /// Telephone number of that contact.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tech_phone: String,
}

impl TryFrom<String> for Field {
    type Error = SettingProblem;

    fn try_from(word: String) -> Result<Self, SettingProblem> {
        Ok(match word.as_str() {
            "shown" => Self::Shown,
            "consent" => Self::Consent,
            "always" => Self::Always,
            "redacted" => Self::Redacted,
            "empty" => Self::Empty,
            "left-out" => Self::LeftOut,
            _ => match word.strip_prefix("text:") {
                Some(text) => Self::Text(text.trim().to_owned()),
                None => return Err(SettingProblem::Rule { word }),
            },
        })
    }
}

impl From<Field> for String {
    fn from(field: Field) -> Self {
        match field {
            Field::Shown => "shown".to_owned(),
            Field::Consent => "consent".to_owned(),
            Field::Always => "always".to_owned(),
            Field::Redacted => "redacted".to_owned(),
            Field::Empty => "empty".to_owned(),
            Field::LeftOut => "left-out".to_owned(),
            Field::Text(text) => format!("text:{text}"),
        }
    }
}

impl Settings {
    /// Checks every bound.
    ///
    /// # Errors
    ///
    /// The first setting that cannot be used.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.problems().into_iter().next().map_or(Ok(()), Err)
    }

    /// Every setting that cannot be used.
    #[must_use]
    pub fn problems(&self) -> Vec<SettingError> {
        let mut problems = Problems(Vec::new());
        for (key, got, max) in [
            ("tld", self.tld.len(), TLD_COUNT_MAX),
            ("registrar", self.registrar.len(), REGISTRAR_COUNT_MAX),
        ] {
            if got > max {
                problems.add(key, SettingProblem::Tables { got, max });
                return problems.0;
            }
        }
        if !self.defaults.suffix.is_empty() {
            let suffix = self.defaults.suffix.clone();
            problems.add("defaults.suffix", SettingProblem::SuffixOfDefaults { suffix });
        }
        self.defaults.check("defaults", &mut problems);
        self.check_suffixes(&mut problems);
        check_each_registrar(&self.registrar, &mut problems);
        tier::check(&self.tier, &mut problems);
        problems.0
    }

    fn check_suffixes(&self, problems: &mut Problems) {
        let mut suffixes = hashbrown::HashSet::<String, ahash::RandomState>::default();
        for (table, tld) in (1_usize..).zip(&self.tld) {
            let path = format!("tld[{table}]");
            tld.check(&path, problems);
            let got = tld.suffix.clone();
            let key = format!("{path}.suffix");
            match canonical_suffix(&got).map(|suffix| suffixes.insert(suffix)) {
                None => problems.add(&key, SettingProblem::Suffix { suffix: got }),
                Some(false) => problems.add(&key, SettingProblem::Twice { name: got }),
                Some(true) => {}
            }
            if tld.contact.is_some() {
                problems.add(&format!("{path}.contact"), SettingProblem::ContactOfTld);
            }
        }
    }
}

/// Checks registrars that a file of its own names.
///
/// # Errors
///
/// The first setting that cannot be used.
pub fn check_registrars(registrars: &[Registrar]) -> Result<(), SettingError> {
    let mut problems = Problems(Vec::new());
    let (got, max) = (registrars.len(), REGISTRAR_COUNT_MAX);
    if got > max {
        problems.add("registrar", SettingProblem::Tables { got, max });
    }
    check_each_registrar(registrars, &mut problems);
    problems.0.into_iter().next().map_or(Ok(()), Err)
}

fn check_each_registrar(registrars: &[Registrar], problems: &mut Problems) {
    let mut ids = hashbrown::HashSet::<&str, ahash::RandomState>::default();
    let mut iana_ids = hashbrown::HashSet::<u32, ahash::RandomState>::default();
    for (table, registrar) in (1_usize..).zip(registrars) {
        let path = format!("registrar[{table}]");
        registrar.check(&path, problems);
        if !registrar.id.is_empty() && !ids.insert(&registrar.id) {
            let name = registrar.id.clone();
            problems.add(&format!("{path}.id"), SettingProblem::Twice { name });
        }
        if registrar.iana_id != 0 && !iana_ids.insert(registrar.iana_id) {
            let iana_id = registrar.iana_id;
            problems.add(&format!("{path}.iana_id"), SettingProblem::IanaIdTwice { iana_id });
        }
    }
}

/// Settings that cannot be used, as they are found.
pub(super) struct Problems(Vec<SettingError>);

impl Problems {
    pub(super) fn add(&mut self, key: &str, problem: SettingProblem) {
        self.0.push(SettingError { key: key.to_owned(), problem });
    }

    /// Adds what a check of `key` has found.
    fn note(&mut self, key: &str, checked: Result<(), TextError>) {
        if let Err(error) = checked {
            self.add(key, error.into());
        }
    }
}

impl Tld {
    fn check(&self, path: &str, problems: &mut Problems) {
        let paragraphs =
            [("disclaimer", &self.disclaimer), ("header", &self.header), ("footer", &self.footer)];
        for (key, text) in paragraphs {
            if let Some(text) = text {
                let place = if key == "header" { Place::Start } else { Place::Record };
                problems.note(&format!("{path}.{key}"), paragraph(text, place));
            }
        }
        let values = [
            ("not_found", &self.not_found, Place::NotFound),
            ("redacted_text", &self.redacted_text, Place::Record),
            ("redacted_email_text", &self.redacted_email_text, Place::Record),
        ];
        for (key, text, place) in values {
            if let Some(text) = text {
                problems.note(&format!("{path}.{key}"), line(text, VALUE_BYTES_MAX, place));
            }
        }
        if let Some(rdap) = &self.rdap {
            rdap.check(&format!("{path}.rdap"), problems);
        }
        for (role, block) in ROLES.iter().zip(self.layer().blocks) {
            for (key, rule) in block.into_iter().flat_map(Block::rules) {
                let key = format!("{path}.{}.{key}", role.key);
                match rule {
                    Field::Text(text) => {
                        problems.note(&key, line(text, VALUE_BYTES_MAX, Place::Record));
                    }
                    Field::Always => problems.add(&key, SettingProblem::Always),
                    _ => {}
                }
            }
        }
        check_extras(self.extras.as_ref(), path, problems);
    }
}

/// Checks the extras of the table at `path`.
pub(super) fn check_extras(extras: Option<&Extras>, path: &str, problems: &mut Problems) {
    let Some(Extras::Keys(keys)) = extras else { return };
    let path = format!("{path}.extras");
    if keys.len() > EXTRAS_COUNT_MAX {
        let got = keys.len();
        return problems.add(&path, SettingProblem::Extras { got });
    }
    for key in keys.iter().filter(|key| !crate::policy::is_extra_key(key)) {
        problems.add(&path, SettingProblem::ExtraKey { key: key.clone() });
    }
}

impl Registrar {
    fn check(&self, path: &str, problems: &mut Problems) {
        if self.id.is_empty() && self.iana_id == 0 {
            problems.add(path, SettingProblem::NoRegistrar);
        }
        let values = [
            ("id", &self.id),
            ("abuse_email", &self.abuse_email),
            ("abuse_phone", &self.abuse_phone),
            ("whois_server", &self.whois_server),
            ("url", &self.url),
            ("admin_name", &self.admin_name),
            ("admin_email", &self.admin_email),
            ("admin_phone", &self.admin_phone),
            ("tech_name", &self.tech_name),
            ("tech_email", &self.tech_email),
            ("tech_phone", &self.tech_phone),
        ];
        for (key, text) in values {
            if !text.is_empty() {
                problems.note(&format!("{path}.{key}"), line(text, VALUE_BYTES_MAX, Place::Record));
            }
        }
        if !self.rdap_url.is_empty() && !is_followed(&self.rdap_url) {
            let expected = "a URL such as https://rdap.registrar.example/";
            let problem = SettingProblem::Followed { text: self.rdap_url.clone(), expected };
            problems.add(&format!("{path}.rdap_url"), problem);
        }
        for (key, text, shown, expected) in self.followed() {
            if shown.is_none_or(|shown| shown.len() > VALUE_BYTES_MAX) {
                let problem = SettingProblem::Followed { text: text.to_owned(), expected };
                problems.add(&format!("{path}.{key}"), problem);
            }
        }
    }

    /// The WHOIS server as answers show it; empty for none.
    pub(crate) fn shown_whois_server(&self) -> String {
        web::whois_server_in_form(&self.whois_server).unwrap_or_default()
    }

    /// The URL as answers show it; empty for none.
    pub(crate) fn shown_url(&self) -> String {
        web::url_in_form(&self.url).unwrap_or_default()
    }

    /// The WHOIS server and the URL, where they are set: key, text, form in answers, what is
    /// expected.
    pub(crate) fn followed(
        &self,
    ) -> impl Iterator<Item = (&'static str, &str, Option<String>, &'static str)> {
        let server = (
            "whois_server",
            &*self.whois_server,
            web::whois_server_in_form(&self.whois_server),
            "a host name such as whois.registrar.example",
        );
        let url = (
            "url",
            &*self.url,
            web::url_in_form(&self.url),
            "a URL such as https://www.registrar.example",
        );
        [server, url].into_iter().filter(|(_, text, ..)| !text.is_empty())
    }
}

/// The A-label form of a suffix, as an import reads the names of TLDs; `None` if it is not a domain
/// name.
#[must_use]
pub fn canonical_suffix(suffix: &str) -> Option<String> {
    let suffix = suffix.strip_prefix('.').unwrap_or(suffix);
    let mut name = String::new();
    (value::name(suffix, &mut name) != value::Read::Bad).then_some(name)
}

/// Whether a text may be one line of a refusal: 1 to `bytes_max` bytes, printable, without the
/// words from which programs conclude whether a name is registered.
///
/// # Errors
///
/// What is wrong, and the bound.
pub fn answer_line(text: &str, bytes_max: usize) -> Result<(), TextError> {
    line(text, bytes_max, Place::Refusal)
}

/// Whether a text of one line may be part of an answer.
fn line(text: &str, bytes_max: usize, place: Place) -> Result<(), TextError> {
    if text.trim() != text || text.is_empty() || text.len() > bytes_max {
        return Err(TextError::Line { text: text.to_owned(), bytes_max });
    }
    match text.chars().find(|&c| crate::bounds::breaks_lines(c)) {
        Some(character) => Err(TextError::LineBreak { character }),
        None => words(text, place),
    }
}

/// Whether a text of several lines may be part of every answer.
fn paragraph(text: &str, place: Place) -> Result<(), TextError> {
    lines(text)?;
    words(text, place)
}

/// Whether a text has no other line ends than `\n`, and is not too long.
fn lines(text: &str) -> Result<(), TextError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(TextError::Long { got: text.len() });
    }
    let breaks = |c: char| c != '\n' && crate::bounds::breaks_lines(c);
    let other = text.chars().find(|&c| breaks(c));
    other.map_or(Ok(()), |character| Err(TextError::OtherBreak { character }))
}

/// Whether no program misreads an answer for a text in it.
fn words(text: &str, place: Place) -> Result<(), TextError> {
    match misleading(text, place) {
        Some((phrase, why)) => Err(TextError::Misleading { phrase, why }),
        None => Ok(()),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests;

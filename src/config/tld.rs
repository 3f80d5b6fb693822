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

use std::fmt;

use serde::{Deserialize, Serialize};

use super::tier::{self, Tier};
use crate::import::{value, web};
use crate::policy::phrases::{Place, misleading};

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
    /// Answers to `contact ID`; of `[defaults]` only, since a contact has no suffix.
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
    /// All whose key is no key of the standard answer.
    All,
}

/// One contact block: whether it is there, and how each field reads. A field that is absent keeps
/// the preset's rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Block {
    /// Whether the block is there at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown: Option<bool>,
    /// Rule of every field that has none of its own below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Field>,
    /// Identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Field>,
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Field>,
    /// Organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<Field>,
    /// Street lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street: Option<Field>,
    /// City.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<Field>,
    /// State or province.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Field>,
    /// Postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<Field>,
    /// Country code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Field>,
    /// Voice number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<Field>,
    /// Its extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_ext: Option<Field>,
    /// Fax number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fax: Option<Field>,
    /// Its extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fax_ext: Option<Field>,
    /// Electronic mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Field>,
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
}

/// A setting that cannot be used: which, what it is, and what it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError {
    /// Path of the key, `tld[1].suffix`; tables are counted from 1.
    pub key: String,
    /// What is wrong, with the value and the bound.
    pub problem: String,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)
    }
}

impl std::error::Error for SettingError {}

impl TryFrom<String> for Field {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        Ok(match word.as_str() {
            "shown" => Self::Shown,
            "consent" => Self::Consent,
            "always" => Self::Always,
            "redacted" => Self::Redacted,
            "empty" => Self::Empty,
            "left-out" => Self::LeftOut,
            _ => match word.strip_prefix("text:") {
                Some(text) => Self::Text(text.trim().to_owned()),
                None => {
                    return Err(format!(
                        "\"{word}\" is no rule of a field; expected shown, consent, redacted, \
                         empty, left-out, text:... or, in a tier, always"
                    ));
                }
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

impl Block {
    /// The fields that have a rule of their own, with the names of their keys.
    #[must_use]
    pub fn own_fields(&self) -> [(&'static str, Option<&Field>); 13] {
        [
            ("id", self.id.as_ref()),
            ("name", self.name.as_ref()),
            ("organization", self.organization.as_ref()),
            ("street", self.street.as_ref()),
            ("city", self.city.as_ref()),
            ("state", self.state.as_ref()),
            ("postal_code", self.postal_code.as_ref()),
            ("country", self.country.as_ref()),
            ("phone", self.phone.as_ref()),
            ("phone_ext", self.phone_ext.as_ref()),
            ("fax", self.fax.as_ref()),
            ("fax_ext", self.fax_ext.as_ref()),
            ("email", self.email.as_ref()),
        ]
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
                problems.add(key, format!("{got} tables, at most {max} may be given"));
                return problems.0;
            }
        }
        if !self.defaults.suffix.is_empty() {
            let problem = format!("\"{}\" belongs into a [[tld]] table", self.defaults.suffix);
            problems.add("defaults.suffix", problem);
        }
        self.defaults.check("defaults", &mut problems);
        self.check_suffixes(&mut problems);
        self.check_registrars(&mut problems);
        tier::check(&self.tier, &mut problems);
        problems.0
    }

    fn check_suffixes(&self, problems: &mut Problems) {
        let mut suffixes = hashbrown::HashSet::<String, ahash::RandomState>::default();
        for (table, tld) in (1_usize..).zip(&self.tld) {
            let path = format!("tld[{table}]");
            tld.check(&path, problems);
            let got = &tld.suffix;
            match canonical_suffix(got).map(|suffix| suffixes.insert(suffix)) {
                None => problems.add(
                    &format!("{path}.suffix"),
                    format!("\"{got}\" is no domain name; expected one such as example"),
                ),
                Some(false) => problems.add(
                    &format!("{path}.suffix"),
                    format!("\"{got}\" has a table already; join the two"),
                ),
                Some(true) => {}
            }
            if tld.contact.is_some() {
                let problem = "a contact has no suffix; set it in [defaults]".to_owned();
                problems.add(&format!("{path}.contact"), problem);
            }
        }
    }

    fn check_registrars(&self, problems: &mut Problems) {
        let mut ids = hashbrown::HashSet::<&str, ahash::RandomState>::default();
        let mut iana_ids = hashbrown::HashSet::<u32, ahash::RandomState>::default();
        for (table, registrar) in (1_usize..).zip(&self.registrar) {
            let path = format!("registrar[{table}]");
            registrar.check(&path, problems);
            if !registrar.id.is_empty() && !ids.insert(&registrar.id) {
                let problem = format!("\"{}\" has a table already; join the two", registrar.id);
                problems.add(&format!("{path}.id"), problem);
            }
            if registrar.iana_id != 0 && !iana_ids.insert(registrar.iana_id) {
                let problem = format!("{} has a table already; join the two", registrar.iana_id);
                problems.add(&format!("{path}.iana_id"), problem);
            }
        }
    }
}

/// Settings that cannot be used, as they are found.
pub(super) struct Problems(Vec<SettingError>);

impl Problems {
    pub(super) fn add(&mut self, key: &str, problem: String) {
        self.0.push(SettingError { key: key.to_owned(), problem });
    }

    /// Adds what a check of `key` has found.
    fn note(&mut self, key: &str, checked: Result<(), String>) {
        if let Err(problem) = checked {
            self.add(key, problem);
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
        let blocks = [
            ("registrant", &self.registrant),
            ("admin", &self.admin),
            ("tech", &self.tech),
            ("billing", &self.billing),
            ("contact", &self.contact),
        ];
        for (name, block) in blocks {
            let Some(block) = block else { continue };
            for (key, field) in
                block.own_fields().into_iter().chain([("fields", block.fields.as_ref())])
            {
                let checked = match field {
                    Some(Field::Text(text)) => line(text, VALUE_BYTES_MAX, Place::Record),
                    Some(Field::Always) => Err("\"always\" is for tiers, in [[tier]]; here \
                         \"shown\" is the most, which a contact's own wish may hide, save what \
                         the preset publishes in any case"
                        .to_owned()),
                    _ => Ok(()),
                };
                problems.note(&format!("{path}.{name}.{key}"), checked);
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
        return problems.add(&path, format!("{got} keys, at most {EXTRAS_COUNT_MAX} may be given"));
    }
    for key in keys.iter().filter(|key| !crate::policy::is_extra_key(key)) {
        problems.add(
            &path,
            format!(
                "\"{key}\" cannot be shown: it is a key of the standard answer, or one that \
                 programs take for such, for a free name or for a limit, or holds other characters \
                 than letters, digits, blanks and -_/.()"
            ),
        );
    }
}

impl Registrar {
    fn check(&self, path: &str, problems: &mut Problems) {
        if self.id.is_empty() && self.iana_id == 0 {
            let problem = "has neither id nor iana_id; one of them says which it is".to_owned();
            problems.add(path, problem);
        }
        let values = [
            ("id", &self.id),
            ("abuse_email", &self.abuse_email),
            ("abuse_phone", &self.abuse_phone),
            ("whois_server", &self.whois_server),
            ("url", &self.url),
        ];
        for (key, text) in values {
            if !text.is_empty() {
                problems.note(&format!("{path}.{key}"), line(text, VALUE_BYTES_MAX, Place::Record));
            }
        }
        for (key, text, shown, expected) in self.followed() {
            if shown.is_none_or(|shown| shown.len() > VALUE_BYTES_MAX) {
                let problem = format!("{text:?} cannot be followed; expected {expected}");
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

    /// What is set of WHOIS server and URL: key, text, form in answers, what is expected.
    pub(super) fn followed(
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

/// The A-label form of a suffix, as an import reads the names of TLDs; `None` if it is no domain
/// name.
#[must_use]
pub fn canonical_suffix(suffix: &str) -> Option<String> {
    let suffix = suffix.strip_prefix('.').unwrap_or(suffix);
    let mut name = String::new();
    (value::name(suffix, &mut name) != value::Read::Bad).then_some(name)
}

/// Whether a text may stand in one line of a refusal: 1 to `bytes_max` bytes, printable, without
/// the words from which programs conclude whether a name is registered.
///
/// # Errors
///
/// What is wrong, and the bound.
pub fn answer_line(text: &str, bytes_max: usize) -> Result<(), String> {
    line(text, bytes_max, Place::Refusal)
}

/// Whether a text of one line may stand in answers.
fn line(text: &str, bytes_max: usize, place: Place) -> Result<(), String> {
    if text.trim() != text || text.is_empty() || text.len() > bytes_max {
        let got = text.len();
        return Err(format!(
            "{text:?} has {got} bytes; 1 to {bytes_max} without blanks around are allowed"
        ));
    }
    match text.chars().find(|&c| crate::query::breaks_lines(c)) {
        Some(c) => Err(format!("{c:?} is not allowed; the text has one line")),
        None => words(text, place),
    }
}

/// Whether a text of several lines may be part of every answer.
fn paragraph(text: &str, place: Place) -> Result<(), String> {
    if text.len() > TEXT_BYTES_MAX {
        let got = text.len();
        return Err(format!("{got} bytes, at most {TEXT_BYTES_MAX} are allowed"));
    }
    let breaks = |c: char| c != '\n' && crate::query::breaks_lines(c);
    match text.chars().find(|&c| breaks(c)) {
        Some(c) => Err(format!("{c:?} is not allowed; lines end in \\n")),
        None => words(text, place),
    }
}

/// Whether no program misreads an answer for a text in it.
fn words(text: &str, place: Place) -> Result<(), String> {
    match misleading(text, place) {
        Some((phrase, why)) => Err(format!("holds \"{phrase}\", {why}; say it in other words")),
        None => Ok(()),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Settings {
        toml::from_str(text).unwrap()
    }

    fn problem(text: &str) -> String {
        read(text).validate().unwrap_err().to_string()
    }

    #[test]
    fn a_full_set_of_tables_is_read() {
        let settings = read(
            r#"
            [defaults]
            preset = "temporary-specification-2018"
            extras = "none"
            registrant = { name = "text:ask the registrar", fields = "left-out" }
            [[tld]]
            suffix = "example"
            model = "modified-thick"
            extras = ["Language"]
            [[registrar]]
            iana_id = 9999
            abuse_email = "abuse@example.com"
            "#,
        );
        settings.validate().unwrap();
        assert_eq!(settings.tld[0].model, Some(Model::ModifiedThick));
        assert_eq!(settings.tld[0].extras, Some(Extras::Keys(vec!["Language".to_owned()])));
        let again: Settings = toml::from_str(&toml::to_string(&settings).unwrap()).unwrap();
        assert_eq!(again, settings);
    }

    #[test]
    fn unknown_keys_and_words_are_refused() {
        assert!(toml::from_str::<Settings>("[defaults]\ncolour = 1").is_err());
        assert!(toml::from_str::<Settings>("[defaults]\nmodel = \"fat\"").is_err());
        let error = toml::from_str::<Settings>("[defaults]\nextras = 3").unwrap_err();
        assert!(error.to_string().contains("a list of keys"), "{error}");
        let error = toml::from_str::<Settings>("[defaults.tech]\nname = \"hidden\"").unwrap_err();
        assert!(error.to_string().contains("\"hidden\" is no rule of a field"), "{error}");
    }

    #[test]
    fn messages_name_key_value_and_bound() {
        let cases = [
            ("[[tld]]\nsuffix = \"a..b\"", "tld[1].suffix: \"a..b\" is no domain name"),
            ("[[tld]]", "tld[1].suffix: \"\" is no domain name"),
            ("[defaults]\nsuffix = \"x\"", "defaults.suffix: \"x\" belongs into a [[tld]] table"),
            (
                "[[tld]]\nsuffix = \"x\"\n[[tld]]\nsuffix = \"X.\"",
                "tld[2].suffix: \"X.\" has a table already",
            ),
            ("[defaults]\nnot_found = \"\"", "defaults.not_found: \"\" has 0 bytes; 1 to 255"),
            ("[defaults]\nnot_found = \"a\\nb\"", "defaults.not_found: '\\n' is not allowed"),
            (
                "[defaults]\ndisclaimer = \"if no\\n match\"",
                "defaults.disclaimer: holds \"no match\"",
            ),
            (
                "[defaults]\nextras = [\"domain  name\"]",
                "defaults.extras: \"domain  name\" cannot be shown",
            ),
            ("[defaults.tech]\nname = \"text:\"", "defaults.tech.name: \"\" has 0 bytes; 1 to 255"),
            ("[[registrar]]\nurl = \"x\"", "registrar[1]: has neither id nor iana_id"),
            (
                "[[registrar]]\nid = \"x\"\n[[registrar]]\nid = \"x\"",
                "registrar[2].id: \"x\" has a table already",
            ),
            (
                "[[registrar]]\niana_id = 7\n[[registrar]]\nid = \"x\"\niana_id = 7",
                "registrar[2].iana_id: 7 has a table already",
            ),
            ("[[tld]]\nsuffix = \"x\"\ncontact = {}", "tld[1].contact: a contact has no suffix"),
        ];
        for (text, expected) in cases {
            let got = problem(text);
            assert!(got.starts_with(expected), "{text}: {got}");
        }
        let long = format!("[defaults]\nfooter = \"{}\"", "x".repeat(TEXT_BYTES_MAX + 1));
        assert_eq!(problem(&long), "defaults.footer: 4097 bytes, at most 4096 are allowed");
    }

    /// Every text that an operator sets, each with a value of its own.
    const TEXTS: &[&str] = &[
        "[defaults]\nheader = \"{}\"",
        "[defaults]\nfooter = \"{}\"",
        "[defaults]\ndisclaimer = \"{}\"",
        "[defaults]\nredacted_text = \"{}\"",
        "[defaults]\nredacted_email_text = \"{}\"",
        "[defaults.registrant]\nname = \"text:{}\"",
        "[defaults.contact]\nfields = \"text:{}\"",
        "[[tld]]\nsuffix = \"x\"\nredacted_text = \"{}\"",
        "[[tld]]\nsuffix = \"x\"\nbilling = { email = \"text:{}\" }",
        "[[registrar]]\nid = \"x\"\nabuse_email = \"{}\"",
        "[[registrar]]\nid = \"x\"\nabuse_phone = \"{}\"",
    ];

    #[test]
    fn what_programs_follow_has_the_form_of_the_records() {
        let shown = |key: &str, text: &str| {
            let settings = read(&format!("[[registrar]]\nid = \"x\"\n{key} = {text:?}"));
            settings.validate().map_err(|error| error.to_string())?;
            let registrar = &settings.registrar[0];
            Ok::<_, String>(if key == "url" {
                registrar.shown_url()
            } else {
                registrar.shown_whois_server()
            })
        };
        for (key, text, expected) in [
            ("whois_server", "http://whois.x.example:43/", "whois.x.example"),
            ("url", "www.x.example", "http://www.x.example"),
            ("url", "https://www.x.example/a", "https://www.x.example/a"),
        ] {
            assert_eq!(shown(key, text).as_deref(), Ok(expected), "{text}");
        }
        for (key, text) in [
            ("whois_server", "n/a"),
            ("whois_server", "127.0.0.1"),
            ("url", "n/a"),
            ("url", "javascript:alert(1)"),
            ("url", "http://www.x.example:99999"),
            ("url", "http://www.x.example/?Domain Name: y"),
        ] {
            let refused = shown(key, text).unwrap_err();
            assert!(refused.starts_with(&format!("registrar[1].{key}: ")), "{refused}");
        }
        // What is put before it counts as well.
        let long = format!("x.example/{}", "x".repeat(VALUE_BYTES_MAX - 10));
        assert!(shown("url", &long).is_err());
    }

    #[test]
    fn no_text_holds_a_phrase_or_key_from_which_programs_conclude_something() {
        for text in TEXTS {
            let with = |phrase: &str| read(&text.replace("{}", phrase)).validate();
            with("Ask the registry").unwrap();
            for phrase in [
                "not found",
                "NO  MATCH",
                "names not registered",
                "Quota exceeded",
                "x Domain Name: y",
            ] {
                assert!(with(phrase).is_err(), "{phrase} in {text}");
            }
        }
        for (not_found, expected) in [
            ("NOT FOUND", true),
            ("No match for this name", true),
            ("Domain Name: is free", false),
            ("Registrar: none", false),
            ("Status : free", false),
            ("%ERROR:QUOTA", false),
            ("Quota exceeded", false),
        ] {
            let settings = read(&format!("[defaults]\nnot_found = \"{not_found}\""));
            assert_eq!(settings.validate().is_ok(), expected, "{not_found}");
        }
        for key in ["Status", "Domain", "My Registrar", "Expiry Date", "Nserver", "Not Found"] {
            let settings = read(&format!("[defaults]\nextras = [\"{key}\"]"));
            assert!(settings.validate().is_err(), "{key}");
        }
        assert!(answer_line("limit exceeded, ask noc@example", 200).is_ok());
        assert!(answer_line("no such domain, says the registrar", 200).is_err());
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let settings = read(
            "[defaults]\nheader = \"no match\"\nnot_found = \"\"\n\
             registrant = { name = \"always\", city = \"text:\" }\n\
             [[tld]]\nsuffix = \"a..b\"\n[[registrar]]\nurl = \"x.example\"\n[[tier]]\nname = \"\"",
        );
        let keys: Vec<_> = settings.problems().into_iter().map(|problem| problem.key).collect();
        assert_eq!(
            keys,
            [
                "defaults.header",
                "defaults.not_found",
                "defaults.registrant.name",
                "defaults.registrant.city",
                "tld[1].suffix",
                "registrar[1]",
                "tier[1].name",
            ]
        );
    }

    #[test]
    fn a_suffix_may_be_written_in_unicode() {
        assert_eq!(canonical_suffix(".МОСКВА").as_deref(), Some("xn--80adxhks"));
    }

    #[test]
    fn a_suffix_that_an_import_takes_is_one() {
        for (suffix, expected) in [
            ("365.xn--ngbc5azd", Some("365.xn--ngbc5azd")),
            ("365.شبكة", Some("365.xn--ngbc5azd")),
            ("3com.אב", Some("3com.xn--4dbc")),
            ("r3---sn", Some("r3---sn")),
            ("aa--b", Some("aa--b")),
            ("Co.Demo.", Some("co.demo")),
            ("", None),
            (".", None),
            ("a..b", None),
            ("-a", None),
            ("*.demo", None),
            ("a b", None),
        ] {
            assert_eq!(canonical_suffix(suffix).as_deref(), expected, "{suffix}");
            let tier = format!("[[tier]]\nname = \"x\"\n[[tier.tld]]\nsuffix = \"{suffix}\"");
            for table in [format!("[[tld]]\nsuffix = \"{suffix}\""), tier] {
                assert_eq!(read(&table).validate().is_ok(), expected.is_some(), "{table}");
            }
        }
    }
}

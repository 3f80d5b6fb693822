//! The per-TLD rules, compiled: every constant part of an answer is bytes already.
//!
//! # Invariants
//!
//! - `whole-lines`: each byte string here is empty or ends in CRLF, and holds no line that the
//!   configuration did not mean: `config::tld` has checked the texts.
//! - `tail-fits`: header, tails and the longest line of ours fit an answer together; a constant
//!   beside the answer buffer asserts it.
//!
//! # Does not
//!
//! Change after it was compiled: a new configuration makes new rules.

use ahash::RandomState;
use hashbrown::HashMap;

use super::keys::CONTACT_LABELS;
use super::label::{LABEL_BYTES, Label};
use super::preset::{Draft, blocks};
use super::text::{verbatim, wrapped};
use super::tier::{PUBLIC_TIER, Tier};
use crate::config::tld::{
    Extras, ExtrasWord, Field, Model, Postal, Preset, RedactedAs, SettingError, Settings, Tld,
    canonical_suffix,
};

/// Fields of a contact block.
pub(crate) const CONTACT_FIELD_COUNT: usize = 13;

/// The line that answers with statuses carry (ICANN, additional WHOIS information policy).
const STATUS_CODE_LINE: &str =
    "For more information on Whois status codes, please visit https://icann.org/epp\r\n";

const NOT_FOUND: &str = "No Data Found";
const REDACTED: &str = "REDACTED FOR PRIVACY";
const REDACTED_EMAIL: &str = "Please query the RDDS service of the Registrar of Record identified \
    in this output for information on how to contact the Registrant, Admin, or Tech contact of \
    the queried domain name.";
const DISCLAIMER: &str = "The data in this WHOIS service is provided by the registry for \
    information purposes only, to assist persons in obtaining information about or related to a \
    domain name registration record. The registry does not guarantee its accuracy. By submitting \
    a query you agree to use the data for lawful purposes only and under no circumstances to use \
    it to allow, enable or support the transmission of unsolicited advertising or solicitations \
    by electronic mail, telephone or facsimile, or to enable high-volume, automated, electronic \
    processes that apply to the registry or its registrars, except as needed to register or \
    modify domain names. The registry may restrict access to this service to ensure its \
    operational stability, and may change these terms at any time.";

/// A field of a contact block, in the order of its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShownField {
    Id,
    Name,
    Org,
    Street,
    City,
    Sp,
    Pc,
    Cc,
    Phone,
    PhoneExt,
    Fax,
    FaxExt,
    Email,
}

/// When a field shows its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// Unless the contact asked to hide it.
    Shown,
    /// If the contact asked to show it.
    Consent,
    /// Never.
    Hidden,
}

/// How one field of one block reads.
#[derive(Debug)]
pub(crate) struct FieldRule {
    pub(crate) visibility: Visibility,
    /// Key, colon, blank.
    pub(crate) label: Label,
    /// The whole line where the value is not shown; empty for none.
    pub(crate) hidden_line: Box<[u8]>,
}

/// How one contact block reads.
#[derive(Debug)]
pub(crate) struct BlockRule {
    pub(crate) shown: bool,
    pub(crate) fields: [FieldRule; CONTACT_FIELD_COUNT],
    /// The block of a contact that has no wish on disclosure, as most have none: the same as
    /// `fields` say, with runs of hidden lines in one piece.
    pub(crate) usual: Box<[Step]>,
    /// What that takes at most besides the contact's text, bytes.
    pub(crate) usual_bytes_max: usize,
}

/// A part of a contact block.
#[derive(Debug)]
pub(crate) enum Step {
    /// Lines as they are.
    Lines(Box<[u8]>),
    /// The line of the [`ShownField`] with this number.
    Field(usize),
}

impl Step {
    /// What it writes at most besides the text of its field, bytes; a street has three lines.
    fn bytes_max(&self) -> usize {
        match self {
            Self::Lines(lines) => lines.len(),
            Self::Field(_) => 3 * (LABEL_BYTES + "\r\n".len()),
        }
    }
}

/// Which key-value extras are shown.
#[derive(Debug)]
pub(crate) enum ExtrasRule {
    None,
    All,
    Keys(Box<[Box<str>]>),
}

/// The rules of one suffix.
#[derive(Debug)]
pub(crate) struct Rule {
    /// By [`snapshot_format::object::ContactRole`].
    pub(crate) blocks: [BlockRule; 4],
    /// Answers to `contact ID`.
    pub(crate) contact: BlockRule,
    pub(crate) extras: ExtrasRule,
    /// Whether the localised address is preferred.
    pub(crate) prefer_localised: bool,
    /// Whether a field without a value keeps its key. One style in the whole answer: the grammar
    /// of ICANN's testing tool asks for that.
    pub(crate) print_empty: bool,
    pub(crate) nameserver_addresses: bool,
    pub(crate) complaint_form: bool,
    pub(crate) header: Box<[u8]>,
    pub(crate) not_found: Box<[u8]>,
    /// What follows the last-update line, beginning with an empty line.
    pub(crate) tail: Box<[u8]>,
    /// The same with the status-code line.
    pub(crate) tail_with_statuses: Box<[u8]>,
}

/// What the configuration says about a registrar; empty texts say nothing.
#[derive(Debug)]
pub(crate) struct RegistrarRule {
    pub(crate) abuse_email: Box<str>,
    pub(crate) abuse_phone: Box<str>,
    pub(crate) whois_server: Box<str>,
    pub(crate) url: Box<str>,
}

/// The compiled rules of all suffixes: immutable, swapped whole.
#[derive(Debug)]
pub struct Rules {
    defaults: Rule,
    suffixes: HashMap<Box<str>, Rule, RandomState>,
    registrars: Vec<RegistrarRule>,
    registrars_by_id: HashMap<Box<str>, usize, RandomState>,
    registrars_by_iana_id: HashMap<u32, usize, RandomState>,
}

impl Rules {
    /// Compiles what the configuration says.
    ///
    /// # Errors
    ///
    /// The first setting that cannot be used.
    pub fn compile(settings: &Settings) -> Result<Self, SettingError> {
        settings.validate()?;
        Ok(Self::of_valid(settings))
    }

    /// The rules without a configuration: the Registration Data Policy of 2025 for every suffix.
    #[must_use]
    pub fn standard() -> Self {
        Self::of_valid(&Settings::default())
    }

    fn of_valid(settings: &Settings) -> Self {
        let mut suffixes = HashMap::default();
        for tld in &settings.tld {
            if let Some(suffix) = canonical_suffix(&tld.suffix) {
                suffixes.insert(suffix.into(), rule(&settings.defaults, Some(tld)));
            }
        }
        let mut registrars = Vec::with_capacity(settings.registrar.len());
        let mut registrars_by_id = HashMap::default();
        let mut registrars_by_iana_id = HashMap::default();
        for registrar in &settings.registrar {
            if !registrar.id.is_empty() {
                registrars_by_id.insert(registrar.id.as_str().into(), registrars.len());
            }
            if registrar.iana_id != 0 {
                registrars_by_iana_id.insert(registrar.iana_id, registrars.len());
            }
            registrars.push(RegistrarRule {
                abuse_email: registrar.abuse_email.as_str().into(),
                abuse_phone: registrar.abuse_phone.as_str().into(),
                whois_server: registrar.whois_server.as_str().into(),
                url: registrar.url.as_str().into(),
            });
        }
        let defaults = rule(&settings.defaults, None);
        Self { defaults, suffixes, registrars, registrars_by_id, registrars_by_iana_id }
    }

    /// The tier of that name.
    #[must_use]
    pub fn tier(&self, name: &str) -> Option<Tier> {
        (name == PUBLIC_TIER).then_some(Tier::PUBLIC)
    }

    /// The rule of the longest suffix of `name` that has one; the defaults if none has.
    pub(crate) fn of_name(&self, name: &str) -> &Rule {
        if self.suffixes.is_empty() {
            return &self.defaults;
        }
        let mut rest = name;
        loop {
            if let Some(rule) = self.suffixes.get(rest) {
                return rule;
            }
            match rest.split_once('.') {
                Some((_label, parent)) => rest = parent,
                None => return &self.defaults,
            }
        }
    }

    /// The rule of answers that belong to no suffix.
    pub(crate) const fn defaults(&self) -> &Rule {
        &self.defaults
    }

    /// What the configuration adds to the registrar with this identifier, or else with this IANA
    /// identifier.
    pub(crate) fn of_registrar(&self, id: &str, iana_id: u32) -> Option<&RegistrarRule> {
        if self.registrars.is_empty() {
            return None;
        }
        let by_iana_id = || self.registrars_by_iana_id.get(&iana_id).filter(|_| iana_id != 0);
        let index = self.registrars_by_id.get(id).or_else(by_iana_id)?;
        self.registrars.get(*index)
    }
}

/// One rule out of the defaults and, for a suffix, its own table.
fn rule(defaults: &Tld, own: Option<&Tld>) -> Rule {
    let absent = Tld::default();
    let own = own.unwrap_or(&absent);
    let preset = own.preset.or(defaults.preset).unwrap_or(Preset::RegistrationDataPolicy2025);
    // A table that names its own preset starts from it alone.
    let blocks_below = if own.preset.is_some() { &absent } else { defaults };
    let model = own.model.or(blocks_below.model).unwrap_or(Model::Thick);
    let mut drafts = blocks(preset, model);
    for layer in [blocks_below, own] {
        let changes =
            [&layer.registrant, &layer.admin, &layer.tech, &layer.billing, &layer.contact];
        for (draft, block) in drafts.iter_mut().zip(changes) {
            if let Some(block) = block {
                draft.apply(block);
            }
        }
    }
    let text = |of: fn(&Tld) -> Option<&String>, otherwise: &'static str| {
        of(own).or_else(|| of(defaults)).map_or(otherwise, String::as_str).to_owned()
    };
    let style = Style {
        redacted_as: own.redacted_as.or(defaults.redacted_as).unwrap_or(RedactedAs::Text),
        redacted: text(|t| t.redacted_text.as_ref(), REDACTED),
        redacted_email: text(|t| t.redacted_email_text.as_ref(), REDACTED_EMAIL),
    };
    let print_empty = drafts.iter().any(|draft| draft.shown && style.prints_empty(draft));
    let [registrant, admin, tech, billing, contact] = compile_blocks(&style, &drafts);
    let disclaimer = wrapped(&text(|t| t.disclaimer.as_ref(), DISCLAIMER));
    let footer = verbatim(&text(|t| t.footer.as_ref(), ""));
    let mut header = verbatim(&text(|t| t.header.as_ref(), ""));
    if !header.is_empty() {
        header.extend_from_slice(b"\r\n");
    }
    let not_found = format!("{}\r\n", text(|t| t.not_found.as_ref(), NOT_FOUND));
    Rule {
        blocks: [registrant, admin, tech, billing],
        contact,
        extras: extras(own.extras.as_ref().or(defaults.extras.as_ref())),
        prefer_localised: own.postal.or(defaults.postal) == Some(Postal::Loc),
        print_empty,
        nameserver_addresses: own
            .nameserver_addresses
            .or(defaults.nameserver_addresses)
            .unwrap_or(false),
        complaint_form: own.complaint_form.or(defaults.complaint_form).unwrap_or(true),
        header: header.into(),
        not_found: not_found.into_bytes().into(),
        tail: tail(&[&disclaimer, &footer]),
        tail_with_statuses: tail(&[STATUS_CODE_LINE.as_bytes(), &disclaimer, &footer]),
    }
}

/// How redacted fields read.
struct Style {
    redacted_as: RedactedAs,
    redacted: String,
    redacted_email: String,
}

impl Style {
    /// The line of a field whose value is not shown.
    fn hidden_line(&self, field: &Field, label: &str, is_email: bool) -> Box<[u8]> {
        let text = match field {
            Field::LeftOut => return Box::default(),
            Field::Empty => "",
            Field::Text(text) => text,
            Field::Shown | Field::Consent | Field::Redacted => match self.redacted_as {
                RedactedAs::LeftOut => return Box::default(),
                RedactedAs::Empty => "",
                RedactedAs::Text if is_email => &self.redacted_email,
                RedactedAs::Text => &self.redacted,
            },
        };
        let line = format!("{label}{text}");
        format!("{}\r\n", line.trim_end()).into_bytes().into()
    }

    /// Whether a block of this draft may hold a key without a value.
    fn prints_empty(&self, draft: &Draft) -> bool {
        draft.fields.iter().any(|field| match field {
            Field::Empty => true,
            Field::Consent | Field::Redacted => self.redacted_as == RedactedAs::Empty,
            Field::Shown | Field::LeftOut | Field::Text(_) => false,
        })
    }
}

fn compile_blocks(style: &Style, drafts: &[Draft; 5]) -> [BlockRule; 5] {
    std::array::from_fn(|block| {
        let (draft, labels) = (&drafts[block], &CONTACT_LABELS[block]);
        let fields: [FieldRule; CONTACT_FIELD_COUNT] = std::array::from_fn(|index| {
            let (field, label) = (&draft.fields[index], labels[index]);
            let is_email = index == ShownField::Email as usize;
            FieldRule {
                visibility: match field {
                    Field::Shown => Visibility::Shown,
                    Field::Consent => Visibility::Consent,
                    Field::Redacted | Field::Empty | Field::LeftOut | Field::Text(_) => {
                        Visibility::Hidden
                    }
                },
                label: Label::new(label),
                hidden_line: style.hidden_line(field, label, is_email),
            }
        });
        let usual = usual_steps(&fields);
        let usual_bytes_max = usual.iter().map(Step::bytes_max).sum();
        BlockRule { shown: draft.shown, fields, usual, usual_bytes_max }
    })
}

fn usual_steps(fields: &[FieldRule]) -> Box<[Step]> {
    let mut steps = Vec::new();
    let mut lines = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        if field.visibility != Visibility::Shown {
            lines.extend_from_slice(&field.hidden_line);
            continue;
        }
        if !lines.is_empty() {
            steps.push(Step::Lines(std::mem::take(&mut lines).into()));
        }
        steps.push(Step::Field(index));
    }
    if !lines.is_empty() {
        steps.push(Step::Lines(lines.into()));
    }
    steps.into()
}

fn extras(setting: Option<&Extras>) -> ExtrasRule {
    match setting {
        None | Some(Extras::Word(ExtrasWord::None)) => ExtrasRule::None,
        Some(Extras::Word(ExtrasWord::All)) => ExtrasRule::All,
        Some(Extras::Keys(keys)) => {
            ExtrasRule::Keys(keys.iter().map(|key| key.as_str().into()).collect())
        }
    }
}

/// The parts that have lines, each after an empty line.
fn tail(parts: &[&[u8]]) -> Box<[u8]> {
    let mut bytes = Vec::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(part);
    }
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Rules {
        Rules::compile(&toml::from_str(text).unwrap()).unwrap()
    }

    fn not_found(rules: &Rules, name: &str) -> String {
        String::from_utf8(rules.of_name(name).not_found.to_vec()).unwrap()
    }

    #[test]
    fn the_longest_suffix_decides_and_the_defaults_decide_for_the_rest() {
        let rules = rules(
            r#"
            [defaults]
            not_found = "defaults"
            [[tld]]
            suffix = "example"
            not_found = "example"
            [[tld]]
            suffix = "co.example"
            not_found = "co.example"
            "#,
        );
        assert_eq!(not_found(&rules, "a.example"), "example\r\n");
        assert_eq!(not_found(&rules, "b.a.co.example"), "co.example\r\n");
        assert_eq!(not_found(&rules, "co.example"), "co.example\r\n");
        assert_eq!(not_found(&rules, "xexample"), "defaults\r\n");
        assert_eq!(not_found(&rules, ""), "defaults\r\n");
    }

    #[test]
    fn a_table_with_its_own_preset_sets_aside_the_blocks_of_the_defaults() {
        let rules = rules(
            r#"
            [defaults]
            model = "thin"
            registrant = { name = "shown" }
            [[tld]]
            suffix = "one"
            model = "thick"
            [[tld]]
            suffix = "two"
            preset = "temporary-specification-2018"
            "#,
        );
        let name = |suffix| {
            let block = &rules.of_name(suffix).blocks[0];
            (block.shown, block.fields[ShownField::Name as usize].visibility)
        };
        assert_eq!(name("three"), (false, Visibility::Shown));
        assert_eq!(name("one"), (true, Visibility::Shown));
        assert_eq!(name("two"), (true, Visibility::Hidden));
    }

    #[test]
    fn hidden_fields_read_as_the_rule_says() {
        let line = |text: &str, field: ShownField| {
            let rules = rules(text);
            let line = rules.defaults().blocks[0].fields[field as usize].hidden_line.to_vec();
            String::from_utf8(line).unwrap()
        };
        let name = ShownField::Name;
        assert_eq!(line("", name), "Registrant Name: REDACTED FOR PRIVACY\r\n");
        assert!(line("", ShownField::Email).starts_with("Registrant Email: Please query"));
        assert_eq!(line("[defaults]\nredacted_as = \"empty\"", name), "Registrant Name:\r\n");
        assert_eq!(line("[defaults]\nredacted_as = \"left-out\"", name), "");
        assert_eq!(
            line("[defaults]\nregistrant = { name = \"text:by post\" }", name),
            "Registrant Name: by post\r\n"
        );
    }

    #[test]
    fn the_standard_disclaimer_is_one_that_the_configuration_may_hold() {
        let defaults = Tld { disclaimer: Some(DISCLAIMER.to_owned()), ..Tld::default() };
        Settings { defaults, ..Settings::default() }.validate().unwrap();
        let tail = String::from_utf8(Rules::standard().defaults().tail.to_vec()).unwrap();
        assert!(tail.split("\r\n").all(|line| line.chars().count() <= 72), "{tail}");
    }

    #[test]
    fn a_registrar_is_found_by_its_identifier_before_its_iana_identifier() {
        let rules = rules(
            r#"
            [[registrar]]
            id = "reg-1"
            url = "by id"
            [[registrar]]
            iana_id = 7
            url = "by iana id"
            "#,
        );
        let url = |id, iana_id| rules.of_registrar(id, iana_id).map(|registrar| &*registrar.url);
        assert_eq!(url("reg-1", 7), Some("by id"));
        assert_eq!(url("reg-2", 7), Some("by iana id"));
        assert_eq!(url("reg-2", 0), None);
    }
}

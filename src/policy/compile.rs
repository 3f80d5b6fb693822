//! One rule out of the tables that say something about a suffix: texts into lines, presets and
//! blocks into masks.
//!
//! # Invariants
//!
//! - `tables-lie-over-each-other`: `[defaults]`, `[[tld]]`, `[[tier]]`, `[[tier.tld]]`, in this
//!   order; a later one has the last word, and one that names its preset sets aside the blocks and
//!   the model of those before it.
//! - Only masks differ between tiers; the lines are those of the public.
//!
//! # Does not
//!
//! Check settings: `config` has done so.

use ahash::RandomState;
use hashbrown::HashMap;

use super::mask::{BlockMask, CONTACT_BLOCK, Mask, Sees, Wish};
use super::preset::{Draft, blocks};
use super::rdap::RdapRule;
use super::rules::{BlockRule, ExtrasRule, FieldRule, FieldStep, Label, Rule, Step, longest};
use super::strict::restrict;
use super::text::{verbatim, wrapped};
use crate::field::contact::{BLOCK, FIELD_COUNT, MORE_STREET, ROLE_COUNT, ROLES, Row, ShownField};
use crate::policy::display::settings::{
    Extras, ExtrasWord, Field, Model, Postal, Preset, RedactedAs, Settings, Tld, canonical_suffix,
};
use crate::policy::display::tier::{Layer, Tier, TierTld};

/// The line that answers with statuses carry (ICANN, additional WHOIS information policy).
const STATUS_CODE_LINE: &str =
    "For more information on Whois status codes, please visit https://icann.org/epp\r\n";

const NOT_FOUND: &str = "No Data Found";
const REDACTED: &str = "REDACTED FOR PRIVACY";
const REDACTED_EMAIL: &str = "Please query the RDDS service of the Registrar of Record identified \
    in this output for information on how to contact the Registrant, Admin, or Tech contact of \
    the queried domain name.";
pub(super) const DISCLAIMER: &str = "The data in this WHOIS service is provided by the registry \
    for information purposes only, to assist persons in obtaining information about or related to \
    a domain name registration record. The registry does not guarantee its accuracy. By submitting \
    a query you agree to use the data for lawful purposes only and under no circumstances to use \
    it to allow, enable or support the transmission of unsolicited advertising or solicitations \
    by electronic mail, telephone or facsimile, or to enable high-volume, automated, electronic \
    processes that apply to the registry or its registrars, except as needed to register or \
    modify domain names. The registry may restrict access to this service to ensure its \
    operational stability, and may change these terms at any time.";

/// The tables of a configuration, by suffix.
pub(super) struct Tables<'a> {
    settings: &'a Settings,
    own: BySuffix<&'a Tld>,
    /// Of each tier.
    tiers: Vec<BySuffix<&'a TierTld>>,
}

type BySuffix<T> = HashMap<String, T, RandomState>;

impl<'a> Tables<'a> {
    pub(super) fn new(settings: &'a Settings) -> Self {
        let own = settings.tld.iter();
        let own = own.filter_map(|tld| Some((canonical_suffix(&tld.suffix)?, tld))).collect();
        let of_tier = |tier: &'a Tier| {
            let tables = tier.tld.iter();
            tables.filter_map(|tld| Some((canonical_suffix(&tld.suffix)?, tld))).collect()
        };
        Self { settings, own, tiers: settings.tier.iter().map(of_tier).collect() }
    }

    /// Every suffix that has a table, some more than once: one that a tier alone has a table for
    /// needs a rule as well.
    pub(super) fn suffixes(&self) -> impl Iterator<Item = &String> {
        self.own.keys().chain(self.tiers.iter().flat_map(BySuffix::keys))
    }

    /// The rule of `suffix`; without one, that of the answers which belong to none.
    pub(super) fn rule(&self, suffix: Option<&str>) -> Rule {
        // A contact belongs to no suffix: what any of them hides of it is hidden.
        let others = match suffix {
            Some(_) => Vec::new(),
            None => self.suffixes().map(|suffix| self.of(suffix)).collect(),
        };
        rule(&self.settings.defaults, &self.of(suffix.unwrap_or_default()), &others)
    }

    /// The tables of a suffix, the empty one for none.
    fn of(&self, suffix: &str) -> OfSuffix<'a> {
        let tiers = self.settings.tier.iter().zip(&self.tiers).map(|(tier, tables)| {
            let below = longest(suffix, |suffix| tables.get(suffix).copied());
            [Some(tier.layer()), below.map(TierTld::layer)]
        });
        OfSuffix {
            own: longest(suffix, |suffix| self.own.get(suffix).copied()),
            tiers: tiers.collect(),
        }
    }
}

/// What tables say about one suffix.
struct OfSuffix<'a> {
    own: Option<&'a Tld>,
    /// The two of each tier.
    tiers: Vec<[Option<Layer<'a>>; 2]>,
}

impl<'a> OfSuffix<'a> {
    /// What the public sees by them, over `defaults`, and what a tier sees.
    fn layers(&self, defaults: &'a Tld, tier: Option<usize>) -> Vec<Layer<'a>> {
        let own = [Some(defaults.layer()), self.own.map(Tld::layer)];
        let of_tier = tier.and_then(|tier| self.tiers.get(tier)).into_iter().flatten().copied();
        own.into_iter().chain(of_tier).flatten().collect()
    }
}

/// One rule out of its tables; a contact shows no more under it than under `others`.
fn rule<'a>(defaults: &'a Tld, of: &OfSuffix<'a>, others: &[OfSuffix<'a>]) -> Rule {
    let absent = Tld::default();
    let own = of.own.unwrap_or(&absent);
    let text = |of: fn(&Tld) -> Option<&String>, otherwise: &'static str| {
        of(own).or_else(|| of(defaults)).map_or(otherwise, String::as_str).to_owned()
    };
    let style = Style {
        redacted_as: own.redacted_as.or(defaults.redacted_as).unwrap_or(RedactedAs::Text),
        redacted: text(|t| t.redacted_text.as_ref(), REDACTED),
        redacted_email: text(|t| t.redacted_email_text.as_ref(), REDACTED_EMAIL),
    };
    let mut contact_is_restricted = false;
    let mut drafts_of = |layers: &[Layer<'a>], tier: Option<usize>| {
        let mut of_layers = drafts(layers);
        for other in others {
            let of_other = other.layers(defaults, tier);
            let hidden = (&drafts(&of_other), &*of_other);
            contact_is_restricted |= restrict(&mut of_layers[CONTACT_BLOCK], hidden, layers);
        }
        of_layers
    };
    let public = of.layers(defaults, None);
    let drafts = drafts_of(&public, None);
    let tiers = (0..of.tiers.len()).map(|tier| {
        let layers = of.layers(defaults, Some(tier));
        let mut of_tier = drafts_of(&layers, Some(tier));
        for (draft, public) in of_tier.iter_mut().zip(&drafts) {
            draft.keep_published(public);
        }
        mask(&style, &layers, &of_tier)
    });
    let tiers = tiers.collect();
    let public = mask(&style, &public, &drafts);
    let [registrant, admin, tech, billing, contact] = compile_blocks(&style, &drafts, &public);
    let disclaimer = text(|t| t.disclaimer.as_ref(), DISCLAIMER);
    // The standard text names the service.
    let terms = if disclaimer == DISCLAIMER {
        disclaimer.replace("WHOIS", "RDAP")
    } else {
        disclaimer.clone()
    };
    let rdap = RdapRule::new(own.rdap.as_ref(), defaults.rdap.as_ref(), &terms);
    let disclaimer = wrapped(&disclaimer);
    let footer = verbatim(&text(|t| t.footer.as_ref(), ""));
    let mut header = verbatim(&text(|t| t.header.as_ref(), ""));
    if !header.is_empty() {
        header.extend_from_slice(b"\r\n");
    }
    let not_found = format!("{}\r\n", text(|t| t.not_found.as_ref(), NOT_FOUND));
    Rule {
        blocks: [registrant, admin, tech, billing],
        contact,
        public,
        tiers,
        contact_is_restricted,
        prefer_localised: own.postal.or(defaults.postal) == Some(Postal::Loc),
        complaint_form: own.complaint_form.or(defaults.complaint_form).unwrap_or(true),
        header: header.into(),
        not_found: not_found.into_bytes().into(),
        not_found_is_own: own.not_found.is_some() || defaults.not_found.is_some(),
        tail: tail(&[&disclaimer, &footer]),
        tail_with_statuses: tail(&[STATUS_CODE_LINE.as_bytes(), &disclaimer, &footer]),
        rdap,
    }
}

/// The blocks that come of tables, each over those before it. One that names its own preset starts
/// from it alone.
fn drafts(layers: &[Layer<'_>]) -> [Draft; ROLE_COUNT] {
    let start = layers.iter().rposition(|layer| layer.preset.is_some()).unwrap_or(0);
    let layers = layers.get(start..).unwrap_or_default();
    let preset = layers.first().and_then(|layer| layer.preset);
    let model = layers.iter().rev().find_map(|layer| layer.model);
    let preset = preset.unwrap_or(Preset::RegistrationDataPolicy2025);
    let mut drafts = blocks(preset, model.unwrap_or(Model::Thick));
    for layer in layers {
        for (draft, block) in drafts.iter_mut().zip(layer.blocks) {
            if let Some(block) = block {
                draft.apply(block);
            }
        }
    }
    drafts
}

/// What is seen under these tables.
fn mask(style: &Style, layers: &[Layer<'_>], drafts: &[Draft; ROLE_COUNT]) -> Mask {
    let last = layers.iter().rev();
    Mask {
        blocks: std::array::from_fn(|block| {
            let draft = &drafts[block];
            BlockMask::new(draft.shown, std::array::from_fn(|field| sees(&draft.fields[field])))
        }),
        print_empty: drafts.iter().any(|draft| draft.shown && style.prints_empty(draft)),
        nameserver_addresses: last
            .clone()
            .find_map(|layer| layer.nameserver_addresses)
            .unwrap_or(false),
        extras: extras(last.clone().find_map(|layer| layer.extras)),
    }
}

const fn sees(field: &Field) -> Sees {
    match field {
        Field::Shown => Sees::Shown,
        Field::Consent => Sees::Consent,
        Field::Always => Sees::Always,
        Field::Redacted => Sees::Redacted,
        Field::Empty => Sees::Empty,
        Field::LeftOut => Sees::LeftOut,
        Field::Text(_) => Sees::Text,
    }
}

/// How redacted fields read.
struct Style {
    redacted_as: RedactedAs,
    redacted: String,
    redacted_email: String,
}

impl Style {
    /// The line of a redacted value; empty for none.
    fn redacted_line(&self, label: &str, is_email: bool) -> Box<[u8]> {
        match self.redacted_as {
            RedactedAs::LeftOut => Box::default(),
            RedactedAs::Empty => line(label, ""),
            RedactedAs::Text if is_email => line(label, &self.redacted_email),
            RedactedAs::Text => line(label, &self.redacted),
        }
    }

    /// Whether a block of this draft may hold a key without a value.
    fn prints_empty(&self, draft: &Draft) -> bool {
        draft.fields.iter().any(|field| match field {
            Field::Empty => true,
            Field::Consent | Field::Redacted => self.redacted_as == RedactedAs::Empty,
            Field::Shown | Field::Always | Field::LeftOut | Field::Text(_) => false,
        })
    }
}

/// A line of a key and a text of ours, without a blank at its end.
fn line(label: &str, text: &str) -> Box<[u8]> {
    let line = format!("{label}{text}");
    format!("{}\r\n", line.trim_end()).into_bytes().into()
}

fn compile_blocks(
    style: &Style,
    drafts: &[Draft; ROLE_COUNT],
    public: &Mask,
) -> [BlockRule; ROLE_COUNT] {
    std::array::from_fn(|block| {
        let draft = &drafts[block];
        let fields: [FieldRule; FIELD_COUNT] = std::array::from_fn(|index| {
            let row = &BLOCK[index];
            let label = &format!("{}: ", row.label(ROLES[block]));
            FieldRule {
                label: Label::new(label),
                redacted_line: style.redacted_line(label, row.shown == ShownField::Email),
                own_line: match &draft.fields[index] {
                    Field::Text(text) => line(label, text),
                    _ => Box::default(),
                },
                empty_line: line(label, ""),
            }
        });
        let usual = usual_steps(&fields, public.blocks[block], public.print_empty);
        let bytes_max = fields.iter().map(FieldRule::bytes_max).sum();
        BlockRule { fields, usual, bytes_max }
    })
}

fn usual_steps(fields: &[FieldRule], mask: BlockMask, print_empty: bool) -> Box<[Step]> {
    let mut steps = Vec::new();
    let mut lines = Vec::new();
    for (index, (field, sees)) in fields.iter().zip(mask.fields()).enumerate() {
        if !sees.shows(Wish::None) {
            lines.extend_from_slice(field.hidden_line(sees));
            continue;
        }
        if !lines.is_empty() {
            steps.push(Step::Lines(std::mem::take(&mut lines).into()));
        }
        let Row { shown, stored, required, .. } = BLOCK[index];
        let keeps_key = required || print_empty;
        let step = |from, keeps_key| FieldStep { label: field.label, shown, from, keeps_key };
        steps.push(Step::Field(step(stored, keeps_key)));
        if shown == ShownField::Street {
            steps.extend(MORE_STREET.map(|from| Step::More(step(from, false))));
        }
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

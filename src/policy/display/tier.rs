//! What the configuration says about tiers: `[[tier]]` and `[[tier.tld]]`.
//!
//! # Invariants
//!
//! - A tier says what is shown, never how it reads: texts, disclaimers and the style of redaction
//!   are those of the suffix, for every tier.
//! - `no-wishes-of-others`: only a tier may show what a contact asked to hide (`always`).
//!
//! # Does not
//!
//! Say which requesters have a tier: lists of prefixes do (port 43), and accounts (the web).

use hashbrown::HashSet;
use serde::{Deserialize, Serialize};

use super::settings::{
    Block, Extras, Field, Model, Preset, Problems, SettingProblem, Tld, canonical_suffix,
    check_extras,
};
use crate::field::contact::{ROLE_COUNT, ROLES};

/// Most `[[tier]]` tables. Each costs 72 bytes for each suffix that has rules, and the answer is
/// the same for 2 or for 8; a registry that needs more has policies, not tiers.
pub const TIER_COUNT_MAX: usize = 8;
/// Longest name of a tier, bytes: every line of the query log has it.
pub const TIER_NAME_BYTES_MAX: usize = 32;
/// Most `[[tier.tld]]` tables of all tiers together; as many as there may be suffixes.
pub const TIER_TLD_COUNT_MAX: usize = 4096;

/// A named group of requesters, and what it sees. A key that is absent is as the public sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tier {
    /// Its name, by which lists refer to it: 1 to 32 small letters, digits and `-`, not `public`.
    pub name: String,
    /// A named set of contact rules to start from, instead of what the public sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// How much of its contacts a domain shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// Key-value extras of the deposit to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extras: Option<Extras>,
    /// Whether a domain's answer shows the addresses of its nameservers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nameserver_addresses: Option<bool>,
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
    /// Answers to `contact ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Block>,
    /// What the tier sees of one suffix each; the longest one decides. Of all tiers, at most 4,096.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tld: Vec<TierTld>,
}

/// What a tier sees of one suffix. A key that is absent is as the tier says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TierTld {
    /// The suffix, as A-label or U-label; it needs no `[[tld]]` table.
    pub suffix: String,
    /// A named set of contact rules to start from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// How much of its contacts a domain shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// Key-value extras of the deposit to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extras: Option<Extras>,
    /// Whether a domain's answer shows the addresses of its nameservers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nameserver_addresses: Option<bool>,
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
}

/// What one table says about what each requester sees. Tables lie over each other: that of all
/// suffixes, that of one, and over these the two of a tier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layer<'a> {
    pub(crate) preset: Option<Preset>,
    pub(crate) model: Option<Model>,
    pub(crate) extras: Option<&'a Extras>,
    pub(crate) nameserver_addresses: Option<bool>,
    /// By [`ROLES`].
    pub(crate) blocks: [Option<&'a Block>; ROLE_COUNT],
}

macro_rules! layer {
    ($table:expr, $contact:expr) => {
        Layer {
            preset: $table.preset,
            model: $table.model,
            extras: $table.extras.as_ref(),
            nameserver_addresses: $table.nameserver_addresses,
            blocks: [
                $table.registrant.as_ref(),
                $table.admin.as_ref(),
                $table.tech.as_ref(),
                $table.billing.as_ref(),
                $contact,
            ],
        }
    };
}

impl Tld {
    pub(crate) const fn layer(&self) -> Layer<'_> {
        layer!(self, self.contact.as_ref())
    }
}

impl Tier {
    pub(crate) const fn layer(&self) -> Layer<'_> {
        layer!(self, self.contact.as_ref())
    }
}

impl TierTld {
    pub(crate) const fn layer(&self) -> Layer<'_> {
        layer!(self, None)
    }
}

impl Layer<'_> {
    fn check(&self, path: &str, problems: &mut Problems) {
        for (role, block) in ROLES.iter().zip(self.blocks) {
            for (key, rule) in block.into_iter().flat_map(Block::rules) {
                if let Field::Text(text) = rule {
                    let problem = SettingProblem::TextOfTier { text: text.clone() };
                    problems.add(&format!("{path}.{}.{key}", role.key), problem);
                }
            }
        }
        check_extras(self.extras, path, problems);
    }
}

/// Checks every bound of the tiers.
pub(super) fn check(tiers: &[Tier], problems: &mut Problems) {
    if tiers.len() > TIER_COUNT_MAX {
        let problem = SettingProblem::Tables { got: tiers.len(), max: TIER_COUNT_MAX };
        problems.add("tier", problem);
        return;
    }
    let tables: usize = tiers.iter().map(|tier| tier.tld.len()).sum();
    if tables > TIER_TLD_COUNT_MAX {
        let problem = SettingProblem::Tables { got: tables, max: TIER_TLD_COUNT_MAX };
        problems.add("tier.tld", problem);
        return;
    }
    for (table, tier) in (1_usize..).zip(tiers) {
        let path = format!("tier[{table}]");
        if let Some(problem) = problem_of_name(&tier.name) {
            problems.add(&format!("{path}.name"), problem);
        } else if tiers.iter().take(table.saturating_sub(1)).any(|other| other.name == tier.name) {
            let name = tier.name.clone();
            problems.add(&format!("{path}.name"), SettingProblem::Twice { name });
        }
        tier.layer().check(&path, problems);
        check_suffixes(tier, &path, problems);
    }
}

fn check_suffixes(tier: &Tier, path: &str, problems: &mut Problems) {
    let mut suffixes = HashSet::<String, ahash::RandomState>::default();
    for (table, tld) in (1_usize..).zip(&tier.tld) {
        let path = format!("{path}.tld[{table}]");
        tld.layer().check(&path, problems);
        let suffix = tld.suffix.clone();
        let problem = match canonical_suffix(&suffix).map(|suffix| suffixes.insert(suffix)) {
            None => SettingProblem::Suffix { suffix },
            Some(false) => SettingProblem::TwiceInTier { suffix },
            Some(true) => continue,
        };
        problems.add(&format!("{path}.suffix"), problem);
    }
}

fn problem_of_name(name: &str) -> Option<SettingProblem> {
    if name == crate::policy::PUBLIC_TIER {
        return Some(SettingProblem::PublicTier { name: name.to_owned() });
    }
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > TIER_NAME_BYTES_MAX || !name.bytes().all(allowed) {
        return Some(SettingProblem::TierName { name: name.to_owned() });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::*;

    fn problem(text: &str) -> String {
        let settings: Settings = toml::from_str(text).unwrap();
        settings.validate().unwrap_err().to_string()
    }

    #[test]
    fn a_full_set_of_tables_is_read_and_written() {
        let settings: Settings = toml::from_str(
            r#"
            [[tier]]
            name = "law-enforcement"
            preset = "open"
            extras = "all"
            nameserver_addresses = true
            registrant = { fields = "always" }
            [tier.contact]
            email = "shown"
            [[tier.tld]]
            suffix = "example"
            model = "thin"
            [[tier]]
            name = "embargoed"
            model = "thin"
            "#,
        )
        .unwrap();
        settings.validate().unwrap();
        assert_eq!(settings.tier[0].tld[0].model, Some(Model::Thin));
        let again: Settings = toml::from_str(&toml::to_string(&settings).unwrap()).unwrap();
        assert_eq!(again, settings);
    }

    #[test]
    fn messages_name_key_value_and_bound() {
        let named = |name: &str| format!("[[tier]]\nname = \"{name}\"\n");
        let cases = [
            (named("public"), "tier[1].name: \"public\" is who has no tier"),
            (
                named(""),
                "tier[1].name: \"\" is not a name of a tier; expected 1 to 32 small letters",
            ),
            (named("Law"), "tier[1].name: \"Law\" is not a name of a tier"),
            (named(&"x".repeat(33)), "tier[1].name: \"xxx"),
            (named("a") + &named("a"), "tier[2].name: \"a\" has a table already"),
            (
                named("a") + "[tier.tech]\nname = \"text:x\"",
                "tier[1].tech.name: \"text:x\" cannot be said in a tier",
            ),
            (named("a") + "extras = [\"Domain Name\"]", "tier[1].extras: \"Domain Name\" cannot"),
            (named("a") + "[[tier.tld]]\nsuffix = \"a..b\"", "tier[1].tld[1].suffix: \"a..b\" is"),
            (
                named("a") + "[[tier.tld]]\nsuffix = \"x\"\n[[tier.tld]]\nsuffix = \"X.\"",
                "tier[1].tld[2].suffix: \"X.\" has a table of this tier already",
            ),
            (
                (0..9).map(|number| named(&format!("t{number}"))).collect(),
                "tier: 9 tables, at most 8 may be given",
            ),
            (
                "[defaults.tech]\nname = \"always\"".to_owned(),
                "defaults.tech.name: \"always\" is for tiers",
            ),
        ];
        for (text, expected) in cases {
            let got = problem(&text);
            assert!(got.starts_with(expected), "{text}: {got}");
        }
    }

    #[test]
    fn a_tier_cannot_say_how_answers_read() {
        for key in ["disclaimer", "redacted_text", "suffix", "not_found"] {
            let text = format!("[[tier]]\nname = \"a\"\n{key} = \"x\"");
            assert!(toml::from_str::<Settings>(&text).is_err(), "{key}");
        }
    }
}

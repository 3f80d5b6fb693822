//! What may leave the registry, and how it is called there: the publisher's configuration.
//!
//! # Invariants
//!
//! - Unknown keys, unknown fields of a record and rules that would drop what a record needs are
//!   refused when the file is read, never when a change comes.
//! - `least`: a contact that several zones refer to shows a field if one of them may publish it; a
//!   contact that none but thin zones refer to does not leave at all.
//!
//! # Does not
//!
//! Decide what a client sees: that is the server's policy, over what left.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use snapshot_format::Kind;

use super::fields::{self, Leaves, PathProblem};

/// What of a zone's contacts leaves the registry; the words of `whoisd.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// Contacts whole.
    #[default]
    Thick,
    /// Of registrants the name, organisation, state, country and mail address, of other contacts
    /// the identifier. Fields of the record itself (ROID, statuses, sponsor, dates) stay.
    ModifiedThick,
    /// No contacts, and no references to them.
    Thin,
}

/// What is done with the fields of one kind of object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KindRules {
    /// Paths of fields that never leave, `postalInfo.addr.street`.
    pub drop: Vec<String>,
    /// Columns of the view whose names are not those of a record's fields, and those fields.
    pub rename: BTreeMap<String, String>,
    /// By the path of a field, texts and what they become; an empty text: nothing.
    pub map: BTreeMap<String, BTreeMap<String, String>>,
}

/// What holds for one zone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ZoneRules {
    /// What of its contacts leaves; that of the top of the file if not given.
    pub model: Option<Model>,
    /// Its domains, after the rules for all domains.
    pub domain: KindRules,
    /// Names that are not domain names, after the rules for all of them.
    pub nndn: KindRules,
    /// Fields of contacts that do not leave because of this zone.
    pub contact_drop: Vec<String>,
}

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct File {
    model: Model,
    domain: KindRules,
    contact: KindRules,
    host: KindRules,
    registrar: KindRules,
    idn_table: KindRules,
    nndn: KindRules,
    zone: BTreeMap<String, ZoneRules>,
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is not TOML, or has keys that there are not.
    #[error("line {line}: {problem}")]
    Toml {
        /// From 1.
        line: usize,
        /// What the parser says.
        problem: String,
    },
    /// A rule names a field that a record of the kind does not have.
    #[error(
        "{place}: {path:?} is not a field of a record; change-record.schema.json has the fields, \
         with dots between a field and those within it"
    )]
    Unknown {
        /// Where in the file.
        place: String,
        /// What stands there.
        path: String,
    },
    /// A rule drops a field without which there is no record.
    #[error("{place}: {path:?} cannot be dropped, a record needs it; drop what it stands in")]
    Required {
        /// Where in the file.
        place: String,
        /// What stands there.
        path: String,
    },
    /// The name of a zone cannot be one.
    #[error("zone {zone:?}: expected A-labels in lower case without a final dot")]
    Zone {
        /// What stands there.
        zone: String,
    },
}

/// Rules of one kind, ready to use.
#[derive(Debug, Clone, Default)]
pub(super) struct Ready {
    pub(super) drop: Leaves,
    pub(super) rename: BTreeMap<String, String>,
    pub(super) map: BTreeMap<String, BTreeMap<String, String>>,
}

/// Rules of one zone, ready to use.
#[derive(Debug, Clone, Default)]
struct Zone {
    model: Model,
    domain: Ready,
    nndn: Ready,
    contact_drop: Leaves,
}

/// What may leave the registry. The default: everything.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    kinds: [Ready; 6],
    /// Of zones that the file does not name.
    others: Zone,
    zones: BTreeMap<String, Zone>,
    /// Whether a contact's uses matter.
    contacts_differ: bool,
}

/// A use of a contact: a zone that refers to it, and in which role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    /// In normal form.
    pub(super) zone: String,
    pub(super) is_registrant: bool,
}

impl Rules {
    /// Reads a configuration.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let file: File = toml::from_str(text).map_err(|error: toml::de::Error| {
            let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or("");
            let line = before.matches('\n').count().saturating_add(1);
            RulesError::Toml { line, problem: error.message().replace('\n', " ") }
        })?;
        let mut rules =
            Self { others: Zone::of("", file.model, &ZoneRules::default())?, ..Self::default() };
        for kind in Kind::ALL {
            let (word, given) = match kind {
                Kind::Registrar => ("registrar", &file.registrar),
                Kind::IdnTable => ("idn-table", &file.idn_table),
                Kind::Contact => ("contact", &file.contact),
                Kind::Nameserver => ("host", &file.host),
                Kind::Nndn => ("nndn", &file.nndn),
                Kind::Domain => ("domain", &file.domain),
            };
            if let Some(slot) = rules.kinds.get_mut(kind as usize) {
                *slot = Ready::of(word, kind, given)?;
            }
        }
        for (zone, given) in &file.zone {
            let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            let is_name =
                zone.bytes().all(|byte| allowed(byte) || matches!(byte, b'-' | b'.' | b'_'));
            if !is_name || zone.is_empty() || zone.ends_with('.') {
                return Err(RulesError::Zone { zone: zone.clone() });
            }
            let model = given.model.unwrap_or(file.model);
            rules.zones.insert(zone.clone(), Zone::of(zone, model, given)?);
        }
        rules.contacts_differ = std::iter::once(&rules.others)
            .chain(rules.zones.values())
            .any(|zone| zone.model != Model::Thick || !zone.contact_drop.is_empty());
        Ok(rules)
    }

    /// Reads the configuration of a file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or what is wrong with it, and where.
    pub fn read(path: &std::path::Path) -> Result<Self, RulesError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RulesError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// Rules for all objects of a kind.
    pub(super) fn kind(&self, kind: Kind) -> Option<&Ready> {
        self.kinds.get(kind as usize)
    }

    /// Names of the zones that have rules.
    pub(super) fn zone_names(&self) -> impl Iterator<Item = &str> {
        self.zones.keys().map(String::as_str)
    }

    /// Rules of a zone, by its name in normal form.
    fn zone(&self, zone: &str) -> &Zone {
        self.zones.get(zone).unwrap_or(&self.others)
    }

    /// Columns of a kind's view that some rule gives the name of a field.
    pub(super) fn renames(&self, kind: Kind, column: &str) -> bool {
        let zones = self.zones.values().chain([&self.others]);
        let zoned = zones.filter_map(|zone| zone.of_kind(kind));
        self.kind(kind).into_iter().chain(zoned).any(|ready| ready.rename.contains_key(column))
    }

    /// The fields that a column of a kind's view is, by the rules for all objects and by those of
    /// each zone.
    pub(super) fn field_names(&self, kind: Kind, column: &str) -> Vec<String> {
        let renamed = |ready: Option<&Ready>, name: &str| {
            ready.and_then(|ready| ready.rename.get(name)).map_or(name, String::as_str).to_owned()
        };
        let name = renamed(self.kind(kind), column);
        let zones = self.zones.values().chain([&self.others]);
        zones.map(|zone| renamed(zone.of_kind(kind), &name)).collect()
    }

    /// Rules of a zone for its domains and other names; `None` for other kinds.
    pub(super) fn zoned(&self, kind: Kind, zone: &str) -> Option<&Ready> {
        self.zone(zone).of_kind(kind)
    }

    /// Whether it matters which domains refer to a contact.
    pub(super) const fn contacts_differ(&self) -> bool {
        self.contacts_differ
    }

    /// The fields that a contact with these uses does not show; `None`: it does not leave.
    pub(super) fn hidden(&self, uses: &[Use]) -> Option<Leaves> {
        if !self.contacts_differ {
            return Some(Leaves::new());
        }
        let mut hidden: Option<Leaves> = None;
        for used in uses {
            let zone = self.zone(&used.zone);
            let mut here = match zone.model {
                Model::Thin => continue,
                Model::Thick => Leaves::new(),
                Model::ModifiedThick => modified(used.is_registrant),
            };
            here.extend(zone.contact_drop.iter().cloned());
            hidden = Some(match hidden {
                None => here,
                Some(known) => known.intersection(&here).cloned().collect(),
            });
        }
        hidden
    }
}

impl Zone {
    const fn of_kind(&self, kind: Kind) -> Option<&Ready> {
        match kind {
            Kind::Domain => Some(&self.domain),
            Kind::Nndn => Some(&self.nndn),
            _ => None,
        }
    }

    fn of(name: &str, model: Model, given: &ZoneRules) -> Result<Self, RulesError> {
        let place = |part: &str| format!("zone.{name:?}.{part}");
        let mut zone = Self {
            model,
            domain: Ready::of(&place("domain"), Kind::Domain, &given.domain)?,
            nndn: Ready::of(&place("nndn"), Kind::Nndn, &given.nndn)?,
            contact_drop: dropped(&place("contact-drop"), Kind::Contact, &given.contact_drop)?,
        };
        if model == Model::Thin {
            // The path is one of the schema's, and no record needs it.
            zone.domain.drop.extend(fields::optional(Kind::Domain, "contacts").unwrap_or_default());
        }
        Ok(zone)
    }
}

impl Ready {
    fn of(place: &str, kind: Kind, given: &KindRules) -> Result<Self, RulesError> {
        let leaves = fields::leaves(kind);
        if let Some(path) = given.map.keys().find(|path| !leaves.contains(*path)) {
            return Err(RulesError::Unknown { place: format!("{place}.map"), path: path.clone() });
        }
        for path in given.rename.values() {
            let known = fields::optional(kind, path) != Err(PathProblem::Unknown);
            if path.contains('.') || !known {
                let place = format!("{place}.rename");
                return Err(RulesError::Unknown { place, path: path.clone() });
            }
        }
        Ok(Self {
            drop: dropped(&format!("{place}.drop"), kind, &given.drop)?,
            rename: given.rename.clone(),
            map: given.map.clone(),
        })
    }
}

fn dropped(place: &str, kind: Kind, paths: &[String]) -> Result<Leaves, RulesError> {
    let mut dropped = Leaves::new();
    for path in paths {
        let below = fields::optional(kind, path).map_err(|problem| {
            let (place, path) = (place.to_owned(), path.clone());
            match problem {
                PathProblem::Unknown => RulesError::Unknown { place, path },
                PathProblem::Required => RulesError::Required { place, path },
            }
        })?;
        dropped.extend(below);
    }
    Ok(dropped)
}

/// What [`Model::ModifiedThick`] leaves of every contact: nothing that is about a person.
const MODIFIED: [&str; 11] = [
    "id", "roid", "status", "clID", "crRr", "crDate", "upRr", "upDate", "trDate", "trnData",
    "disclose",
];
/// What it leaves of a registrant besides.
const MODIFIED_REGISTRANT: [&str; 6] = [
    "postalInfo.type",
    "postalInfo.name",
    "postalInfo.org",
    "postalInfo.addr.sp",
    "postalInfo.addr.cc",
    "email",
];

/// What [`Model::ModifiedThick`] takes away: all that it does not leave, so that a field which is
/// new in the schema is not published until somebody decides so.
fn modified(is_registrant: bool) -> Leaves {
    let more = if is_registrant { &MODIFIED_REGISTRANT[..] } else { &[] };
    let is_at = |leaf: &str, path: &str| {
        leaf.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let stays = |leaf: &String| MODIFIED.iter().chain(more).any(|path| is_at(leaf, path));
    fields::leaves(Kind::Contact).into_iter().filter(|leaf| !stays(leaf)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(zone: &str, is_registrant: bool) -> Use {
        Use { zone: zone.to_owned(), is_registrant }
    }

    #[test]
    fn a_contact_shows_what_one_of_its_zones_may_publish() {
        let text = r#"
            [zone.thin]
            model = "thin"
            [zone.modified]
            model = "modified-thick"
            [zone.mute]
            contact-drop = ["email", "postalInfo.addr"]
        "#;
        let rules = Rules::parse(text).unwrap();
        assert_eq!(rules.hidden(&[]), None);
        assert_eq!(rules.hidden(&[used("thin", true)]), None);
        let registrant = rules.hidden(&[used("modified", true), used("thin", true)]).unwrap();
        assert!(registrant.contains("postalInfo.addr.street") && registrant.contains("voice.x"));
        assert!(!registrant.contains("email") && !registrant.contains("postalInfo.addr.cc"));
        let tech = rules.hidden(&[used("modified", false)]).unwrap();
        assert!(tech.contains("email") && tech.contains("postalInfo.type"));
        assert!(!tech.contains("clID"));
        let both = rules.hidden(&[used("modified", true), used("mute", false)]).unwrap();
        let expected = ["postalInfo.addr.city", "postalInfo.addr.pc", "postalInfo.addr.street"];
        assert_eq!(both.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(rules.hidden(&[used("other", false)]), Some(Leaves::new()));
    }

    #[test]
    fn modified_thick_leaves_what_is_listed_and_nothing_that_is_not() {
        let below = |paths: &[&str]| -> Leaves {
            let of = |path: &&str| fields::optional(Kind::Contact, path).unwrap();
            paths.iter().flat_map(of).collect()
        };
        assert_eq!(modified(false), below(&["postalInfo", "voice", "fax", "email"]));
        let hidden = ["postalInfo.addr.street", "postalInfo.addr.city", "postalInfo.addr.pc"];
        assert_eq!(modified(true), below(&[&hidden[..], &["voice", "fax"]].concat()));
        let all = fields::leaves(Kind::Contact);
        for path in MODIFIED.iter().chain(&MODIFIED_REGISTRANT) {
            assert!(all.iter().any(|leaf| leaf.starts_with(path)), "{path}");
        }
    }

    #[test]
    fn the_default_for_zones_holds_where_a_zone_says_nothing() {
        let rules = Rules::parse("model = \"thin\"\n[zone.demo]\nmodel = \"thick\"").unwrap();
        assert_eq!(rules.hidden(&[used("other", true)]), None);
        assert_eq!(rules.hidden(&[used("demo", true)]), Some(Leaves::new()));
        assert!(rules.zoned(Kind::Domain, "other").unwrap().drop.contains("contacts.id"));
        assert!(!Rules::parse("").unwrap().contacts_differ());
        assert_eq!(Rules::default().hidden(&[]), Some(Leaves::new()));
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_place() {
        for (text, said) in [
            ("modell = \"thin\"", "unknown field `modell`"),
            ("[zone.demo]\nmodel = \"thinn\"", "unknown variant `thinn`"),
            ("[zone.demo.domain]\ndrops = []", "unknown field `drops`"),
            ("[domain]\ndrop = [\"name\"]", "domain.drop: \"name\" cannot be dropped"),
            ("[host]\ndrop = [\"address\"]", "host.drop: \"address\" is not a field"),
            (
                "[zone.demo]\ncontact-drop = [\"x\"]",
                "zone.\"demo\".contact-drop: \"x\" is not a field",
            ),
            ("[domain.rename]\nowner = \"holder\"", "domain.rename: \"holder\" is not a field"),
            ("[domain.map.stat]\na = \"b\"", "domain.map: \"stat\" is not a field"),
            ("[zone.\"Demo.\"]", "zone \"Demo.\": expected A-labels"),
        ] {
            let error = Rules::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}

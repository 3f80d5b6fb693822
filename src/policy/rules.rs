//! The per-TLD rules, compiled: every constant part of an answer is bytes already, and what is
//! seen of a record is a mask for each tier.
//!
//! # Invariants
//!
//! - `whole-lines`: each byte string here is empty or ends in CRLF, and holds no line that the
//!   configuration did not mean: `display::settings` has checked the texts.
//! - `tail-fits`: header, tails and the longest line of ours fit an answer together; a constant
//!   beside the answer buffer asserts it.
//! - `of-its-rules`: a [`Tier`] belongs to the [`Rules`] that gave it. Under other rules it is
//!   another one, or the public if there are not so many.
//!
//! # Does not
//!
//! Change after it was compiled: a new configuration makes new rules. Know which requesters have a
//! tier (`lists`).

use std::ops::Deref;

use ahash::RandomState;
use hashbrown::HashMap;
use snapshot_format::record::ContactField;

use super::compile::Tables;
use super::mask::{BlockMask, CONTACT_BLOCK, Mask, Sees};
use super::rdap::RdapRule;
use super::registrar::{OfRegistrar, Registrars};
use crate::field::contact::{FIELD_COUNT, ShownField};
use crate::policy::display::settings::{SettingError, Settings};

/// Name of [`Tier::PUBLIC`].
pub const PUBLIC_TIER: &str = "public";
/// Bytes of a [`Label`], a power of two; the longest are `Registrar Abuse Contact Email: ` and
/// that of the phone, with one byte less.
pub(crate) const LABEL_BYTES: usize = 32;

/// A tier of one set of rules: a number that costs nothing to hand around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tier(u8);

impl Tier {
    /// The tier of a client that has no other one. It is there without configuration.
    pub const PUBLIC: Self = Self(0);

    /// Its place among the tiers of its rules; the public is 0.
    #[must_use]
    pub const fn index(self) -> u8 {
        self.0
    }
}

/// A key with its colon and a blank, in a piece of fixed size that is copied without a loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label {
    pub(crate) bytes: [u8; LABEL_BYTES],
    len: usize,
}

impl Label {
    /// The first bytes of `text`, one less than [`LABEL_BYTES`]; a test holds that every label
    /// fits.
    #[expect(clippy::indexing_slicing, reason = "below the length of both")]
    pub(crate) const fn new(text: &str) -> Self {
        let mut bytes = [b' '; LABEL_BYTES];
        let mut len = 0;
        while len < text.len() && len + 1 < LABEL_BYTES {
            bytes[len] = text.as_bytes()[len];
            len += 1;
        }
        Self { bytes, len }
    }

    /// Its length, less than [`LABEL_BYTES`]; the compiler sees that it is.
    #[inline(always)]
    pub(crate) const fn len(&self) -> usize {
        self.len & (LABEL_BYTES - 1)
    }
}

/// How one field of one block reads.
#[derive(Debug)]
pub(crate) struct FieldRule {
    /// Key, colon, blank.
    pub(crate) label: Label,
    /// The whole line of a redacted value; empty for none.
    pub(super) redacted_line: Box<[u8]>,
    /// The line of the text that stands for this field; empty where none does.
    pub(super) own_line: Box<[u8]>,
    /// The key without a value.
    pub(super) empty_line: Box<[u8]>,
}

impl FieldRule {
    /// The line of a value that is not shown; empty for none.
    #[inline]
    pub(crate) fn hidden_line(&self, sees: Sees) -> &[u8] {
        match sees {
            Sees::Shown | Sees::Consent | Sees::Always | Sees::Redacted => &self.redacted_line,
            Sees::Empty => &self.empty_line,
            Sees::LeftOut => &[],
            Sees::Text => &self.own_line,
        }
    }
}

/// How one contact block reads.
#[derive(Debug)]
pub(crate) struct BlockRule {
    pub(crate) fields: [FieldRule; FIELD_COUNT],
    /// What the public sees of a contact that has no wish on disclosure, as most have none: the
    /// same as mask and `fields` say, with runs of hidden lines in one piece.
    pub(crate) usual: Box<[Step]>,
    /// Most bytes that a block takes besides the contact's text, for any requester.
    pub(crate) bytes_max: usize,
}

/// A part of a contact block.
#[derive(Debug)]
pub(crate) enum Step {
    /// Lines as they are.
    Lines(Box<[u8]>),
    /// The line of a field; of a street the first.
    Field(FieldStep),
    /// A further line of the street before it.
    More(FieldStep),
}

/// A line of a contact block that shows a value.
#[derive(Debug)]
pub(crate) struct FieldStep {
    pub(crate) label: Label,
    /// Which field it is.
    pub(crate) shown: ShownField,
    /// Where the record has it.
    pub(crate) from: ContactField,
    /// Whether the line is there without a value.
    pub(crate) keeps_key: bool,
}

impl FieldRule {
    /// What the field takes at most besides its text, bytes: a street has three lines.
    pub(super) fn bytes_max(&self) -> usize {
        let shown = 3 * (LABEL_BYTES + "\r\n".len());
        let hidden = [&self.redacted_line, &self.own_line, &self.empty_line];
        hidden.iter().map(|line| line.len()).fold(shown, usize::max)
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
    /// What the public sees.
    pub(super) public: Mask,
    /// What the tiers see, in the order of [`Tier::index`] from 1.
    pub(super) tiers: Box<[Mask]>,
    /// Whether a contact shows less than its own tables say, since a suffix hides it.
    pub(super) contact_is_restricted: bool,
    /// Whether the localised address is preferred.
    pub(crate) prefer_localised: bool,
    pub(crate) complaint_form: bool,
    pub(crate) header: Box<[u8]>,
    pub(crate) not_found: Box<[u8]>,
    /// Whether an operator has set it.
    pub(crate) not_found_is_own: bool,
    /// What follows the last-update line, beginning with an empty line.
    pub(crate) tail: Box<[u8]>,
    /// The same with the status-code line.
    pub(crate) tail_with_statuses: Box<[u8]>,
    /// What RDAP answers say of the service.
    pub(crate) rdap: RdapRule,
}

/// A rule as one tier sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TierRule<'a> {
    rule: &'a Rule,
    pub(crate) mask: &'a Mask,
}

/// A block as one tier sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SeenBlock<'a> {
    pub(crate) rule: &'a BlockRule,
    pub(crate) mask: BlockMask,
    /// [`BlockRule::usual`] for the public, nothing for the others.
    pub(crate) usual: &'a [Step],
    /// [`Mask::print_empty`] of its rule.
    pub(crate) print_empty: bool,
}

impl Deref for TierRule<'_> {
    type Target = Rule;

    #[inline]
    fn deref(&self) -> &Rule {
        self.rule
    }
}

impl Rule {
    /// The rule as a tier sees it: as the public does, if there is no such tier.
    #[inline]
    pub(crate) fn seen_by(&self, tier: Tier) -> TierRule<'_> {
        let place = usize::from(tier.index()).checked_sub(1);
        let mask = place.and_then(|place| self.tiers.get(place)).unwrap_or(&self.public);
        TierRule { rule: self, mask }
    }
}

impl<'a> TierRule<'a> {
    /// What is the same for every tier.
    #[inline]
    pub(crate) const fn rule(self) -> &'a Rule {
        self.rule
    }

    /// The blocks of a domain, by [`snapshot_format::object::ContactRole`].
    #[inline]
    pub(crate) fn blocks(self) -> impl Iterator<Item = SeenBlock<'a>> {
        let blocks = self.rule.blocks.iter().zip(&self.mask.blocks);
        blocks.map(move |(rule, mask)| self.block(rule, *mask))
    }

    /// The block of `contact ID`.
    pub(crate) fn contact(self) -> SeenBlock<'a> {
        self.block(&self.rule.contact, self.mask.blocks[CONTACT_BLOCK])
    }

    #[inline]
    fn block(self, rule: &'a BlockRule, mask: BlockMask) -> SeenBlock<'a> {
        let is_public = std::ptr::eq(self.mask, &raw const self.rule.public);
        let usual = if is_public { &*rule.usual } else { &[] };
        SeenBlock { rule, mask, usual, print_empty: self.mask.print_empty }
    }
}

/// The compiled rules of all suffixes: immutable, swapped whole.
#[derive(Debug)]
pub struct Rules {
    defaults: Rule,
    suffixes: HashMap<Box<str>, Rule, RandomState>,
    /// Names of the tiers but the public, in the order of [`Tier::index`] from 1.
    tiers: Box<[Box<str>]>,
    registrars: Registrars,
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

    /// Compiles settings that were checked.
    pub(super) fn of_valid(settings: &Settings) -> Self {
        super::phrases::prepare();
        let tables = Tables::new(settings);
        let mut suffixes = HashMap::<Box<str>, Rule, RandomState>::default();
        for suffix in tables.suffixes() {
            let entry = suffixes.entry(suffix.as_str().into());
            entry.or_insert_with(|| tables.rule(Some(suffix)));
        }
        let defaults = tables.rule(None);
        let tiers = settings.tier.iter().map(|tier| tier.name.as_str().into()).collect();
        let registrars = Registrars::of(&settings.registrar, &settings.listed);
        Self { defaults, suffixes, tiers, registrars }
    }

    /// The tier of that name; `public` is one.
    #[must_use]
    pub fn tier(&self, name: &str) -> Option<Tier> {
        let place = self.tier_names().position(|known| known == name)?;
        u8::try_from(place).ok().map(Tier)
    }

    /// The names of all tiers, by [`Tier::index`]: `public`, then those of the configuration in
    /// its order.
    pub fn tier_names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(PUBLIC_TIER).chain(self.tiers.iter().map(|name| &**name))
    }

    /// The rule of the longest suffix of `name` that has one; the defaults if none has.
    #[inline]
    pub(crate) fn of_name(&self, name: &str) -> &Rule {
        if self.suffixes.is_empty() {
            return &self.defaults;
        }
        self.of_suffix(name)
    }

    #[inline(never)]
    fn of_suffix(&self, name: &str) -> &Rule {
        longest(name, |suffix| self.suffixes.get(suffix)).unwrap_or(&self.defaults)
    }

    /// The rules of all suffixes, and the defaults.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Rule> {
        self.suffixes.values().chain([&self.defaults])
    }

    /// The rule of answers that belong to no suffix.
    pub(crate) const fn defaults(&self) -> &Rule {
        &self.defaults
    }

    /// Whether `contact ID` shows less than `[defaults]` or a tier says, since a suffix hides it.
    #[must_use]
    pub const fn contact_is_restricted(&self) -> bool {
        self.defaults.contact_is_restricted
    }

    /// What is said of the registrar with this identifier, or with this IANA identifier.
    #[inline]
    pub(crate) fn of_registrar(&self, id: &str, iana_id: u32) -> OfRegistrar<'_> {
        self.registrars.said_of(id, iana_id)
    }
}

/// What `get` has for the longest suffix of `name`, the name itself included.
#[inline]
pub(super) fn longest<T>(name: &str, get: impl Fn(&str) -> Option<T>) -> Option<T> {
    let mut rest = name;
    loop {
        if let Some(found) = get(rest) {
            return Some(found);
        }
        (_, rest) = rest.split_once('.')?;
    }
}

#[cfg(test)]
mod tests {
    use super::super::compile::DISCLAIMER;
    use super::*;
    use crate::field::contact::{BLOCK, ROLES, ShownField};
    use crate::policy::display::settings::Tld;

    fn rules(text: &str) -> Rules {
        Rules::compile(&toml::from_str(text).unwrap()).unwrap()
    }

    fn not_found(rules: &Rules, name: &str) -> String {
        String::from_utf8(rules.of_name(name).not_found.to_vec()).unwrap()
    }

    #[test]
    fn every_label_fits_its_piece() {
        let labels = ROLES.iter().flat_map(|role| BLOCK.iter().map(|row| row.label(*role)));
        for label in labels.map(|label| format!("{label}: ")) {
            let piece = Label::new(&label);
            assert_eq!(&piece.bytes[..piece.len()], label.as_bytes());
        }
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
            let block = rules.of_name(suffix).public.blocks[0];
            (block.is_shown(), block.sees(ShownField::Name))
        };
        assert_eq!(name("three"), (false, Sees::Shown));
        assert_eq!(name("one"), (true, Sees::Shown));
        assert_eq!(name("two"), (true, Sees::Redacted));
    }

    #[test]
    fn hidden_fields_read_as_the_rule_says() {
        let line = |text: &str, field: ShownField| {
            let rules = rules(text);
            let rule = rules.defaults();
            let sees = rule.public.blocks[0].sees(field);
            let line = rule.blocks[0].fields[field as usize].hidden_line(sees);
            String::from_utf8(line.to_vec()).unwrap()
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
            url = "by.id.example"
            [[registrar]]
            iana_id = 7
            url = "by.iana-id.example"
            "#,
        );
        let url = |id, iana_id| rules.of_registrar(id, iana_id).text(|rule| &rule.url);
        assert_eq!(url("reg-1", 7), "http://by.id.example");
        assert_eq!(url("reg-2", 7), "http://by.iana-id.example");
        assert_eq!(url("reg-2", 0), "");
    }
}

//! What a contact that is asked for by itself shows where suffixes differ: it belongs to none of
//! them and may be in the domains of all, so it shows only what every suffix shows.
//!
//! # Invariants
//!
//! - `strictest`: a field is shown no more than each suffix shows it of a contact, and than each
//!   block of a suffix that names it; a word of `[defaults.contact]` or a tier's `contact` holds.
//!
//! # Does not
//!
//! Know which contact stands where: that would take a look at every domain.

use super::mask::CONTACT_BLOCK;
use super::preset::Draft;
use crate::field::contact::ROLE_COUNT;
use crate::policy::display::settings::Field;
use crate::policy::display::tier::Layer;

/// How much a field hides.
const fn hides(field: &Field) -> u8 {
    match field {
        Field::Always => 0,
        Field::Shown => 1,
        Field::Consent => 2,
        Field::Redacted | Field::Empty | Field::LeftOut | Field::Text(_) => 3,
    }
}

/// What stands for a field that another table hides; its text is that table's own.
fn hidden(field: &Field) -> Field {
    match field {
        Field::Text(_) => Field::Redacted,
        other => other.clone(),
    }
}

/// Hides of a contact what a suffix hides, whose `drafts` come of its tables `of_suffix`. `named`:
/// the tables whose words about contacts hold. Whether anything was hidden.
pub(super) fn restrict(
    contact: &mut Draft,
    (drafts, of_suffix): (&[Draft; ROLE_COUNT], &[Layer<'_>]),
    named: &[Layer<'_>],
) -> bool {
    let words = || named.iter().filter_map(|layer| layer.blocks[CONTACT_BLOCK]);
    let said = |index: usize| words().any(|block| block.rule(index).is_some());
    let mut changed = false;
    let of_contact = &drafts[CONTACT_BLOCK];
    if contact.shown && !of_contact.shown && !words().any(|block| block.shown.is_some()) {
        (contact.shown, changed) = (false, true);
    }
    for (index, field) in contact.fields.iter_mut().enumerate().filter(|(index, _)| !said(*index)) {
        let roles = of_suffix.iter().flat_map(|layer| &layer.blocks[..CONTACT_BLOCK]);
        let of_roles = roles.filter_map(|block| (*block)?.rule(index));
        for other in of_roles.chain([&of_contact.fields[index]]) {
            if hides(other) > hides(field) {
                (*field, changed) = (hidden(other), true);
            }
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use crate::field::contact::BLOCK;
    use crate::policy::{Rules, Tier, Wish};

    /// Which fields `contact ID` shows of a contact without a wish, by their first letters.
    fn shown(text: &str, tier: &str) -> Option<String> {
        const LETTERS: &str = "inoscapcpxfxe";
        let rules = Rules::compile(&toml::from_str(text).unwrap()).unwrap();
        let tier = rules.tier(tier).unwrap();
        let mask = rules.defaults().seen_by(tier).mask.blocks[4];
        let letters = LETTERS.chars().enumerate();
        let seen = letters.filter(|(index, _)| mask.sees(BLOCK[*index].shown).shows(Wish::None));
        mask.is_shown().then(|| seen.map(|(_, letter)| letter).collect())
    }

    const OPEN: &str = "[defaults]\npreset = \"open\"\n";
    const HIDES: &str = "[[tld]]\nsuffix = \"a\"\npreset = \"registration-data-policy-2025\"\n";
    const LAW: &str = "[[tier]]\nname = \"law\"\npreset = \"open\"\n";

    #[test]
    fn a_contact_shows_no_more_than_the_strictest_suffix() {
        let public = |text: &str| shown(text, "public");
        let everything = public(OPEN);
        assert_eq!(everything.as_deref(), Some("inoscapcpxfxe"));
        let other = "[[tld]]\nsuffix = \"b\"\n";
        assert_eq!(public(&format!("{OPEN}{other}")), everything);
        assert_eq!(
            public(&format!("{OPEN}{other}{HIDES}")).as_deref(),
            Some("ac"),
            "state, country"
        );
        let thin = "[[tld]]\nsuffix = \"c\"\nmodel = \"thin\"\n";
        assert_eq!(public(&format!("{OPEN}{other}{thin}")), None);
        // A block that names a field counts, in any role.
        let tech = "[[tld]]\nsuffix = \"d\"\ntech = { email = \"redacted\" }\n";
        assert_eq!(public(&format!("{OPEN}{tech}")).as_deref(), Some("inoscapcpxfx"));
    }

    #[test]
    fn a_word_of_the_defaults_about_contacts_holds() {
        let named = "contact = { phone = \"shown\", shown = true }\n";
        let text = format!("{OPEN}{named}{HIDES}[[tld]]\nsuffix = \"c\"\nmodel = \"thin\"\n");
        assert_eq!(shown(&text, "public").as_deref(), Some("acp"));
    }

    #[test]
    fn a_tier_is_as_strict_as_its_own_suffixes() {
        assert_eq!(Tier::PUBLIC.index(), 0);
        let all = Some("inoscapcpxfxe");
        assert_eq!(shown(&format!("{OPEN}{HIDES}{LAW}"), "law").as_deref(), all);
        let own = "[[tier.tld]]\nsuffix = \"a\"\nregistrant = { fax = \"redacted\" }\n";
        let text = format!("{OPEN}{HIDES}{LAW}{own}");
        assert_eq!(shown(&text, "law").as_deref(), Some("inoscapcpxxe"));
        assert_eq!(shown(&text, "public").as_deref(), Some("ac"));
    }
}

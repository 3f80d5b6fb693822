//! The named sets of contact rules, and what the display models make of them.
//!
//! # Invariants
//!
//! - `published`: what ICANN's policies publish whatever a contact wishes (state and country of the
//!   registrant) is [`Field::Always`] in their presets, and `shown` in a block of the configuration
//!   does not weaken that: it would let a wish hide what the policy shows.
//! - `by name`: each row of a preset names its field, each column its role; that both are in the
//!   order of the table of fields is checked when this file is compiled.
//!
//! # Does not
//!
//! Know lines or texts: `rules` compiles those.

use crate::field::contact::{BLOCK, FIELD_COUNT, ROLE_COUNT, ROLES, ShownField};
use crate::policy::display::settings::{Block, Field, Model, Preset};

/// A contact block before it is compiled.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) shown: bool,
    pub(super) fields: [Field; FIELD_COUNT],
}

// Short names, so that a preset reads as a table.
const S: Field = Field::Shown;
const C: Field = Field::Consent;
const R: Field = Field::Redacted;
const L: Field = Field::LeftOut;
/// No wish hides it.
const A: Field = Field::Always;

impl Draft {
    const fn new(shown: bool, fields: [Field; FIELD_COUNT]) -> Self {
        Self { shown, fields }
    }

    /// A tier sees every value that the public always sees: a preset of the tier's own that shows a
    /// value must not let a wish hide it.
    pub(super) fn keep_published(&mut self, public: &Self) {
        for (field, published) in self.fields.iter_mut().zip(&public.fields) {
            if *field == Field::Shown && *published == Field::Always {
                *field = Field::Always;
            }
        }
    }

    /// What a block of the configuration changes.
    pub(super) fn apply(&mut self, block: &Block) {
        if let Some(shown) = block.shown {
            self.shown = shown;
        }
        for (index, field) in self.fields.iter_mut().enumerate() {
            let Some(rule) = block.rule(index) else { continue };
            if !(*field == Field::Always && *rule == Field::Shown) {
                *field = rule.clone();
            }
        }
    }
}

/// The blocks of a preset under a model: registrant, administrative, technical, billing, and the
/// contact of no role.
pub(super) fn blocks(preset: Preset, model: Model) -> [Draft; ROLE_COUNT] {
    let mut blocks = of_preset(preset);
    match model {
        Model::Thick => {}
        Model::Thin => {
            for block in &mut blocks {
                block.shown = false;
            }
        }
        Model::ModifiedThick => {
            let [registrant, admin, tech, billing, _contact] = &mut blocks;
            for (field, row) in registrant.fields.iter_mut().zip(&BLOCK) {
                match row.shown {
                    ShownField::Id => *field = S,
                    ShownField::Street
                    | ShownField::City
                    | ShownField::Pc
                    | ShownField::Phone
                    | ShownField::PhoneExt
                    | ShownField::Fax
                    | ShownField::FaxExt => *field = L,
                    ShownField::Name
                    | ShownField::Org
                    | ShownField::Sp
                    | ShownField::Cc
                    | ShownField::Email => {}
                }
            }
            for block in [admin, tech, billing] {
                let fields = BLOCK.map(|row| if row.shown == ShownField::Id { S } else { L });
                *block = Draft::new(true, fields);
            }
        }
    }
    blocks
}

/// The blocks of a preset: whether each is shown, and a row for each field.
macro_rules! blocks {
    (
        registrant $registrant:literal, admin $admin:literal, tech $tech:literal,
        billing $billing:literal, contact $contact:literal;
        $($field:ident $of_registrant:ident $of_admin:ident $of_tech:ident $of_billing:ident
            $of_contact:ident,)*
    ) => {{
        const _: () = {
            let rows: [ShownField; FIELD_COUNT] = [$(ShownField::$field),*];
            let mut index = 0;
            while index < FIELD_COUNT {
                assert!(rows[index] as usize == index, "rows are in the order of ShownField");
                index += 1;
            }
        };
        [
            Draft::new($registrant, [$($of_registrant),*]),
            Draft::new($admin, [$($of_admin),*]),
            Draft::new($tech, [$($of_tech),*]),
            Draft::new($billing, [$($of_billing),*]),
            Draft::new($contact, [$($of_contact),*]),
        ]
    }};
}

/// The columns of a preset.
const COLUMNS: [&str; ROLE_COUNT] = ["registrant", "admin", "tech", "billing", "contact"];

const _: () = {
    let mut role = 0;
    while role < ROLE_COUNT {
        let (column, key) = (COLUMNS[role].as_bytes(), ROLES[role].key.as_bytes());
        assert!(column.len() == key.len(), "columns are in the order of ROLES");
        let mut at = 0;
        while at < key.len() {
            assert!(column[at] == key[at], "columns are in the order of ROLES");
            at += 1;
        }
        role += 1;
    }
};

#[rustfmt::skip]
fn of_preset(preset: Preset) -> [Draft; ROLE_COUNT] {
    match preset {
        Preset::RegistrationDataPolicy2025 => blocks! {
            registrant true, admin false, tech true, billing false, contact true;
            Id       R      R      R      R      R,
            Name     C      R      C      R      C,
            Org      C      R      L      R      C,
            Street   C      R      L      R      C,
            City     C      R      L      R      C,
            Sp       A      R      L      R      S,
            Pc       C      R      L      R      C,
            Cc       A      R      L      R      S,
            Phone    C      R      C      R      C,
            PhoneExt C      R      L      R      C,
            Fax      C      R      L      R      C,
            FaxExt   C      R      L      R      C,
            Email    C      R      C      R      C,
        },
        Preset::TemporarySpecification2018 => blocks! {
            registrant true, admin true, tech true, billing true, contact true;
            Id       R      R      R      R      R,
            Name     R      R      R      R      R,
            Org      C      R      R      R      C,
            Street   R      R      R      R      R,
            City     R      R      R      R      R,
            Sp       A      R      R      R      S,
            Pc       R      R      R      R      R,
            Cc       A      R      R      R      S,
            Phone    R      R      R      R      R,
            PhoneExt R      R      R      R      R,
            Fax      R      R      R      R      R,
            FaxExt   R      R      R      R      R,
            Email    R      R      R      R      R,
        },
        Preset::Open => blocks! {
            registrant true, admin true, tech true, billing true, contact true;
            Id       S      S      S      S      S,
            Name     S      S      S      S      S,
            Org      S      S      S      S      S,
            Street   S      S      S      S      S,
            City     S      S      S      S      S,
            Sp       S      S      S      S      S,
            Pc       S      S      S      S      S,
            Cc       S      S      S      S      S,
            Phone    S      S      S      S      S,
            PhoneExt S      S      S      S      S,
            Fax      S      S      S      S      S,
            FaxExt   S      S      S      S      S,
            Email    S      S      S      S      S,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Rules, Tier, Wish};

    #[test]
    fn a_block_of_the_configuration_has_the_last_word() {
        let mut registrant = blocks(Preset::Open, Model::ModifiedThick)[0].clone();
        let field = |block: &Draft, of: ShownField| block.fields[of as usize].clone();
        assert_eq!(field(&registrant, ShownField::Street), Field::LeftOut);
        let mut block = Block { fields: Some(Field::Empty), ..Block::default() };
        block.own[ShownField::Street as usize] = Some(Field::Shown);
        registrant.apply(&block);
        assert_eq!(field(&registrant, ShownField::Street), Field::Shown);
        assert_eq!(field(&registrant, ShownField::Id), Field::Empty);
    }

    /// What a domain's answer shows the public of its registrant under each preset, by the
    /// contact's wish: none, to show, to hide (`#` is the value, `-` what stands for it).
    ///
    /// Sources: ICANN, Registration Data Policy (in force since 21 August 2025), section 9.1
    /// (published) and 9.2 (redacted): state and country of the registrant are published, without a
    /// word on a wish; organisation, name, address and the like are redacted unless consented to.
    /// ICANN, Temporary Specification of 2018, appendix A, 2.2 to 2.4: all but organisation, state
    /// and country redacted. ICANN's grammar of port 43 (rst-whois-selftest-tool, 1.4.6) takes two
    /// letters for `Registrant Country` and no redaction. `open`: RFC 5733 section 2.9 alone.
    #[rustfmt::skip]
    const REGISTRANT: [(&str, [&str; 3]); FIELD_COUNT] = [
        //               2025   2018   open
        ("id",           ["---", "---", "##-"]),
        ("name",         ["-#-", "---", "##-"]),
        ("organization", ["-#-", "-#-", "##-"]),
        ("street",       ["-#-", "---", "##-"]),
        ("city",         ["-#-", "---", "##-"]),
        ("state",        ["###", "###", "##-"]),
        ("postal_code",  ["-#-", "---", "##-"]),
        ("country",      ["###", "###", "##-"]),
        ("phone",        ["-#-", "---", "##-"]),
        ("phone_ext",    ["-#-", "---", "##-"]),
        ("fax",          ["-#-", "---", "##-"]),
        ("fax_ext",      ["-#-", "---", "##-"]),
        ("email",        ["-#-", "---", "##-"]),
    ];

    #[test]
    fn a_preset_shows_of_the_registrant_what_its_policy_says_whatever_the_wish() {
        let presets = ["registration-data-policy-2025", "temporary-specification-2018", "open"];
        for model in ["thick", "modified-thick"] {
            for (preset, word) in presets.into_iter().enumerate() {
                let text = format!("[defaults]\npreset = \"{word}\"\nmodel = \"{model}\"");
                let rules = Rules::compile(&toml::from_str(&text).unwrap()).unwrap();
                let mask = rules.defaults().seen_by(Tier::PUBLIC).mask.blocks[0];
                for (row, (name, expected)) in BLOCK.iter().zip(REGISTRANT) {
                    assert_eq!(row.field.key, name);
                    if model == "modified-thick" && !["state", "country"].contains(&name) {
                        continue;
                    }
                    let wishes = [Wish::None, Wish::Show, Wish::Hide];
                    let seen = wishes.map(|wish| mask.sees(row.shown).shows(wish));
                    let seen: String =
                        seen.iter().map(|shown| if *shown { '#' } else { '-' }).collect();
                    assert_eq!(seen, expected[preset], "{word}, {model}: {name}");
                }
            }
        }
    }

    #[test]
    fn a_tier_sees_what_the_public_sees_in_any_case() {
        let text = "[[tier]]\nname = \"a\"\npreset = \"open\"\n\
            [[tier]]\nname = \"b\"\npreset = \"open\"\nregistrant = { country = \"redacted\" }";
        let rules = Rules::compile(&toml::from_str(text).unwrap()).unwrap();
        let country = |tier| {
            let mask = rules.defaults().seen_by(rules.tier(tier).unwrap()).mask;
            mask.blocks[0].sees(ShownField::Cc).shows(Wish::Hide)
        };
        assert!(country("a"));
        assert!(!country("b"), "a word of the tier's own holds");
    }

    #[test]
    fn shown_does_not_weaken_what_a_preset_publishes_and_other_words_do() {
        let of = |text: &str| {
            let block: Block = toml::from_str(text).unwrap();
            let mut registrant =
                blocks(Preset::RegistrationDataPolicy2025, Model::Thick)[0].clone();
            registrant.apply(&block);
            let field = |of: ShownField| registrant.fields[of as usize].clone();
            (field(ShownField::Cc), field(ShownField::Name))
        };
        assert_eq!(of("fields = \"shown\""), (Field::Always, Field::Shown));
        assert_eq!(of("country = \"shown\""), (Field::Always, Field::Consent));
        assert_eq!(of("country = \"consent\""), (Field::Consent, Field::Consent));
        assert_eq!(of("fields = \"redacted\""), (Field::Redacted, Field::Redacted));
    }

    #[test]
    fn thin_shows_no_block() {
        assert!(blocks(Preset::Open, Model::Thin).iter().all(|block| !block.shown));
    }
}

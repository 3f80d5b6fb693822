//! The named sets of contact rules, and what the display models make of them.
//!
//! # Invariants
//!
//! - Fields are in the order of [`super::ShownField`], blocks in that of
//!   [`super::keys::CONTACT_LABELS`].
//!
//! # Does not
//!
//! Know lines or texts: `rules` compiles those.

use crate::config::tld::{Block, Field, Model, Preset};

/// A contact block before it is compiled.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) shown: bool,
    pub(super) fields: [Field; 13],
}

// Short names, so that a preset reads as a table.
const S: Field = Field::Shown;
const C: Field = Field::Consent;
const R: Field = Field::Redacted;
const L: Field = Field::LeftOut;

impl Draft {
    const fn new(shown: bool, fields: [Field; 13]) -> Self {
        Self { shown, fields }
    }

    /// What a block of the configuration changes.
    pub(super) fn apply(&mut self, block: &Block) {
        if let Some(shown) = block.shown {
            self.shown = shown;
        }
        for (field, (_, own)) in self.fields.iter_mut().zip(block.own_fields()) {
            if let Some(rule) = own.or(block.fields.as_ref()) {
                *field = rule.clone();
            }
        }
    }
}

/// The blocks of a preset under a model: registrant, administrative, technical, billing, and the
/// contact of no role.
pub(super) fn blocks(preset: Preset, model: Model) -> [Draft; 5] {
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
            let [id, _name, _org, street, city, _sp, pc, _cc, phone, phone_ext, fax, fax_ext, _] =
                &mut registrant.fields;
            *id = S;
            for field in [street, city, pc, phone, phone_ext, fax, fax_ext] {
                *field = L;
            }
            for block in [admin, tech, billing] {
                *block = Draft::new(true, [S, L, L, L, L, L, L, L, L, L, L, L, L]);
            }
        }
    }
    blocks
}

fn of_preset(preset: Preset) -> [Draft; 5] {
    //                 id name org street city sp pc cc phone ext fax ext email
    match preset {
        Preset::RegistrationDataPolicy2025 => [
            Draft::new(true, [R, C, C, C, C, S, C, S, C, C, C, C, C]),
            Draft::new(false, [R, R, R, R, R, R, R, R, R, R, R, R, R]),
            Draft::new(true, [R, C, L, L, L, L, L, L, C, L, L, L, C]),
            Draft::new(false, [R, R, R, R, R, R, R, R, R, R, R, R, R]),
            Draft::new(true, [R, C, C, C, C, S, C, S, C, C, C, C, C]),
        ],
        Preset::TemporarySpecification2018 => [
            Draft::new(true, [R, R, C, R, R, S, R, S, R, R, R, R, R]),
            Draft::new(true, [R, R, R, R, R, R, R, R, R, R, R, R, R]),
            Draft::new(true, [R, R, R, R, R, R, R, R, R, R, R, R, R]),
            Draft::new(true, [R, R, R, R, R, R, R, R, R, R, R, R, R]),
            Draft::new(true, [R, R, C, R, R, S, R, S, R, R, R, R, R]),
        ],
        Preset::Open => [const { Draft::new(true, [S, S, S, S, S, S, S, S, S, S, S, S, S]) }; 5],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_the_configuration_has_the_last_word() {
        let mut registrant = blocks(Preset::Open, Model::ModifiedThick)[0].clone();
        assert_eq!(registrant.fields[3], Field::LeftOut);
        let block =
            Block { street: Some(Field::Shown), fields: Some(Field::Empty), ..Block::default() };
        registrant.apply(&block);
        assert_eq!(registrant.fields[3], Field::Shown);
        assert_eq!(registrant.fields[0], Field::Empty);
    }

    #[test]
    fn thin_shows_no_block() {
        assert!(blocks(Preset::Open, Model::Thin).iter().all(|block| !block.shown));
    }
}

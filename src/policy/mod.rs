//! What a requester is shown: the per-TLD rules of the configuration, compiled.
//!
//! # Does not
//!
//! See views or sockets.

mod compile;
mod keys;
mod label;
mod mask;
mod preset;
mod rules;
mod text;
mod tier;

pub use keys::is_extra_key;
pub use rules::Rules;
pub use tier::{PUBLIC_TIER, Tier};

pub(crate) use label::{LABEL_BYTES, Label};
pub(crate) use mask::Wish;
pub(crate) use rules::{
    CONTACT_FIELD_COUNT, ExtrasRule, FieldRule, RegistrarRule, Rule, Seen, SeenBlock, ShownField,
    Step,
};

//! What a requester is shown and how much of it: the per-TLD rules of the configuration, compiled;
//! the lists by prefix.
//!
//! # Does not
//!
//! See views or sockets.

pub mod block;
mod compile;
pub mod display;
pub mod guard;
mod keys;
mod label;
pub mod limit;
pub mod lists;
mod mask;
pub mod mining;
pub mod phrases;
mod preset;
mod rdap;
mod rules;
mod strict;
mod text;
mod tier;

pub use keys::is_extra_key;
pub use rules::Rules;
pub use tier::{PUBLIC_TIER, Tier};

pub(crate) use label::{LABEL_BYTES, Label};
pub(crate) use mask::{Sees, Wish};
pub(crate) use rules::{ExtrasRule, FieldRule, RegistrarRule, Rule, SeenBlock, Step, TierRule};

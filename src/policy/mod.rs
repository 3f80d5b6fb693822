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
pub mod limit;
pub mod lists;
mod mask;
pub mod mining;
pub mod phrases;
mod preset;
mod rdap;
mod registrar;
mod rules;
mod strict;
mod text;

pub use keys::is_extra_key;
pub use rules::{PUBLIC_TIER, Rules, Tier};

pub(crate) use mask::{Sees, Wish};
pub(crate) use registrar::{OfRegistrar, Person};
pub(crate) use rules::{
    ExtrasRule, FieldRule, FieldStep, LABEL_BYTES, Label, Rule, SeenBlock, Step, TierRule,
};

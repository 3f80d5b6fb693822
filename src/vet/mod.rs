//! What an object may be: raw values into objects, checked against the rules of RFC 9022 and EPP.
//!
//! ```text
//! values ─▶ value, time ─▶ draft ─▶ object ─▶ check (policy, zones) ─▶ findings (rule)
//! ```
//!
//! Imports and the feed stand on it, so that an object is the same whichever way it came, and an
//! error names the same rule.
//!
//! # Invariants
//!
//! - Nothing here panics, whatever the bytes.
//!
//! # Does not
//!
//! Read files, or decide what a finding means for what it was found in.

pub(crate) mod check;
pub(crate) mod draft;
pub(crate) mod element;
pub(crate) mod findings;
pub(crate) mod policy;
pub(crate) mod rule;
pub(crate) mod time;
pub(crate) mod value;
pub(crate) mod web;
mod zones;

pub use findings::{Finding, ObjectKind};
pub use rule::{RULES, Rule, RuleText, Severity};
pub use zones::{fate, zone_of};

pub(crate) use zones::is_below;

//! Lists by prefix: which sources are denied, have no limits or limits of their own, or see a tier.
//!
//! ```text
//! file.rs    text of one file ─▶ entries, or file:line: what is wrong
//! table.rs   entries of all files, at a time ─▶ Lists: longest prefixes, immutable, swapped whole
//! review.rs  what an operator should know of lists that are good
//! ```
//!
//! # Invariants
//!
//! - `one action a prefix`: no two entries in force give one prefix different actions or tiers.
//! - `in force`: a table holds no entry that had expired when it was made; its holder makes a new
//!   one when [`Lists::next_expiry_ms`] comes. So a look-up needs no clock.
//! - `canonical`: prefixes have no host bits; an address of IPv4 written as IPv6
//!   (`::ffff:192.0.2.1`) counts as IPv4, in lists and of clients.
//!
//! # Does not
//!
//! Read files or clocks, or decide what a denied client gets.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod error;
mod file;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod review;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;

pub use error::{ListError, ListProblem, PrefixError};
pub(crate) use file::unmapped;
pub use file::{check, parse, prefix};
pub use review::{Warning, review};
pub use table::{Lists, Place};

/// Largest file of lists, bytes: a million prefixes of usual length take half of it.
pub const LIST_BYTES_MAX: usize = 32 << 20;
/// Most prefixes in all files together. A file of a million takes 340 MB and 3 s while it is read,
/// on a thread beside the shards, and 200 MB after (measured).
pub const PREFIX_COUNT_MAX: usize = 1_000_000;
/// Most files of lists.
pub const LIST_FILE_COUNT_MAX: usize = 256;
/// Longest reason or contact, bytes: each is part of one line of a refusal.
pub const NOTE_BYTES_MAX: usize = 200;
/// Highest rate and burst of own limits: above it, `allow` says the same.
pub const OWN_LIMIT_MAX: u32 = 1_000_000;

/// What is counted under own limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Per {
    /// Each address of the prefix by itself.
    #[default]
    Address,
    /// All addresses of the prefix together.
    Prefix,
}

impl Per {
    /// The word in a list.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Prefix => "prefix",
        }
    }
}

/// Limits that take the place of the usual ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnLimits {
    /// Rate, 1 to [`OWN_LIMIT_MAX`].
    pub queries_per_min: u32,
    /// Queries at once after a pause, 1 to [`OWN_LIMIT_MAX`].
    pub burst: u32,
    /// What shares them.
    pub per: Per,
}

/// What an entry does to the queries of its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// They are refused.
    Deny,
    /// They have no limits.
    Allow,
    /// They have limits of their own.
    Limits(OwnLimits),
    /// Nothing: the entry sets a tier alone.
    None,
}

impl Action {
    /// The word in a list; `tier` for an entry without an action.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Allow => "allow",
            Self::Limits(_) => "limit",
            Self::None => "tier",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limits(OwnLimits { queries_per_min, burst, per }) => {
                write!(f, "limit {queries_per_min}/min burst {burst} per {}", per.word())
            }
            other => f.write_str(other.word()),
        }
    }
}

/// One prefix of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its prefix, without host bits.
    pub prefix: IpNet,
    /// What it does.
    pub action: Action,
    /// What its prefix may see.
    pub tier: Option<Arc<str>>,
    /// Why, in one printable line; refusals show it.
    pub reason: Option<Arc<str>>,
    /// Whom to ask, in one printable line; refusals show it.
    pub contact: Option<Arc<str>>,
    /// From when on it has no effect, ms since the epoch.
    pub expires_ms: Option<i64>,
    /// Its file.
    pub file: Arc<str>,
    /// Line of its prefix there, from 1.
    pub line: u32,
    /// Which `[[entry]]` of the file it is, from 1.
    pub number: u32,
}

impl Entry {
    /// Whether it has no effect any more.
    #[must_use]
    pub fn has_expired(&self, now_ms: i64) -> bool {
        self.expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms)
    }
}

/// What the lists say of an address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The entry with the longest prefix that has an action.
    pub entry: Option<&'a Entry>,
    /// The tier of the longest prefix that has one.
    pub tier: Option<&'a str>,
}

impl Standing<'_> {
    /// What the entry does, [`Action::None`] without one.
    #[inline]
    #[must_use]
    pub fn action(&self) -> Action {
        self.entry.map_or(Action::None, |entry| entry.action)
    }
}

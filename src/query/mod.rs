//! What a question means, and which records answer it; and, below it, each protocol's way from the
//! bytes of a question to those of its answer.
//!
//! ```text
//! whois: line ─▶ parse ─┐                 ┌─▶ render ─▶ frame ─▶ Answer
//!                       ├─▶ find ─▶ Found ┤
//! rdap: target ─▶ read ──┘                 └─▶ render ─▶ site ──▶ Document
//! ```
//!
//! # Invariants
//!
//! - `pure`: an answer depends on snapshot, rules and question alone; no clock, no I/O.
//! - `no-allocation`: everything lives on the stack or in a buffer of the caller.
//!
//! # Does not
//!
//! Read questions from anywhere, or count.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod beside;
mod contact;
mod copies;
mod find;
mod name;
mod number;
mod pattern;
mod question;
pub mod rdap;
mod registrar;
pub mod search;
mod sponsor;
mod suffix;
pub mod whois;
mod wildcard;

pub use suffix::suffix_of;
pub use wildcard::{WILDCARD_FREE_CHARS, WILDCARD_NAMES_MAX, WILDCARD_STEPS_MAX};

/// Kind of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueryKind {
    /// A domain name.
    Domain,
    /// A domain name with wildcards.
    DomainPattern,
    /// A nameserver by name.
    Nameserver,
    /// A nameserver's name with wildcards.
    NameserverPattern,
    /// Nameservers by address.
    Address,
    /// Registrars by name or IANA identifier.
    Registrar,
    /// Registrars by a part of their names, or with wildcards.
    RegistrarPattern,
    /// Contacts by identifier.
    Contact,
    /// Anything by repository object identifier.
    Roid,
    /// The grammar.
    Help,
    /// What the caller may ask.
    Limits,
    /// A line that is not a query.
    Unreadable,
}

impl QueryKind {
    /// All of them, in the order of the type.
    pub const ALL: [Self; 12] = [
        Self::Domain,
        Self::DomainPattern,
        Self::Nameserver,
        Self::NameserverPattern,
        Self::Address,
        Self::Registrar,
        Self::RegistrarPattern,
        Self::Contact,
        Self::Roid,
        Self::Help,
        Self::Limits,
        Self::Unreadable,
    ];

    /// The word in logs and figures.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::DomainPattern => "domain_pattern",
            Self::Nameserver => "nameserver",
            Self::NameserverPattern => "nameserver_pattern",
            Self::Address => "address",
            Self::Registrar => "registrar",
            Self::RegistrarPattern => "registrar_pattern",
            Self::Contact => "contact",
            Self::Roid => "roid",
            Self::Help => "help",
            Self::Limits => "limits",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Whole records that an answer shows, those of contacts apart: what it is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Domains, nameservers, registrars, names that are kept back.
    pub records: u32,
    /// Contacts that are asked for by themselves.
    pub contacts: u32,
}

impl Shown {
    pub(crate) const CONTACT: Self = Self { records: 0, contacts: 1 };
    pub(crate) const RECORD: Self = Self { records: 1, contacts: 0 };
}

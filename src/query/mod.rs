//! A query line into the bytes of its answer: parse, look up, render.
//!
//! ```text
//! line ─▶ parse ─▶ find ─▶ render ─▶ frame (last update, disclaimer) ─▶ Answer
//!           └─ refusal ──────────────▶ frame
//! ```
//!
//! # Invariants
//!
//! - `pure`: an answer depends on snapshot, rules and line alone; no clock, no I/O.
//! - `no-allocation`: everything lives on the stack or in the caller's [`Answer`]. The one
//!   exception is not ours: `idna`, for typed Unicode names of more than eight labels.
//! - `complete`: every line gets an answer that ends in its tail, whatever the line holds.
//! - No text of ours holds words from which client programs conclude that a name is free.
//!
//! # Does not
//!
//! Read lines from anywhere, or count: [`Outcome`] says what to count.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod answer;
mod copies;
mod find;
mod frame;
mod name;
mod number;
mod parse;
mod punycode;
mod render;
pub mod steps;
mod wildcard;

#[cfg(test)]
mod tests;

pub use answer::{ANSWER_BYTES_MAX, Answer, breaks_lines};
pub use parse::{QUERY_LINE_BYTES_MAX, Refusal};
pub use wildcard::{WILDCARD_FREE_CHARS, WILDCARD_NAMES_MAX, WILDCARD_STEPS_MAX};

use crate::policy::{Rules, Tier};
use crate::view::View;
use find::Failure;
use frame::Site;
use parse::{Query, Target};

/// What was asked, and what came of it: for counters and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// What kind of query it was.
    pub kind: QueryKind,
    /// How it was answered.
    pub result: AnswerResult,
}

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
    /// Contacts by identifier.
    Contact,
    /// Anything by repository object identifier.
    Roid,
    /// The grammar.
    Help,
    /// A line that is no query.
    Unreadable,
}

/// How a query was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnswerResult {
    /// With one record or several.
    Found,
    /// With a list of names.
    Listed,
    /// With a name that is kept back from registration.
    Reserved,
    /// With the not-found text.
    NotFound,
    /// With the help text.
    Help,
    /// With a line that says why not.
    Refused(Refusal),
}

/// Answers a query line from `view`, as `tier` of `rules` sees it. `line` may have its line end;
/// what follows that is not looked at. What it costs: README.md, "Measurements".
pub fn answer(view: &View, rules: &Rules, tier: Tier, line: &[u8], out: &mut Answer) -> Outcome {
    let site = Site::new(view, rules, tier);
    let (kind, found) = match parse::parse(line) {
        Ok(query) => (kind_of(query.target), run(&site, query, out)),
        Err(refusal) => (QueryKind::Unreadable, Err(Failure::Refused(refusal))),
    };
    let result = match found {
        Ok(result) => result,
        Err(failure) => {
            let refusal = match failure {
                Failure::Refused(refusal) => refusal,
                Failure::Damaged(_corrupt) => Refusal::Damaged,
            };
            frame::refuse(&site, refusal, out);
            AnswerResult::Refused(refusal)
        }
    };
    Outcome { kind, result }
}

fn run(site: &Site<'_>, query: Query<'_>, out: &mut Answer) -> Result<AnswerResult, Failure> {
    let display = query.display;
    match query.target {
        Target::Help => Ok(frame::help(site, out)),
        Target::Domain(name) => find::domain(site, name, display, out),
        Target::DomainPattern(pattern) => find::domain_pattern(site, pattern, display, out),
        Target::Nameserver(name) => find::nameserver(site, name, display, out),
        Target::NameserverPattern(pattern) => find::nameserver_pattern(site, pattern, display, out),
        Target::Address(address) => find::address(site, address, display, out),
        Target::Registrar(name) => find::registrar(site, name, out),
        Target::Contact(id) => find::contact(site, id, out),
        Target::Roid(roid) => find::roid(site, roid, out),
    }
}

const fn kind_of(target: Target<'_>) -> QueryKind {
    match target {
        Target::Help => QueryKind::Help,
        Target::Domain(_) => QueryKind::Domain,
        Target::DomainPattern(_) => QueryKind::DomainPattern,
        Target::Nameserver(_) => QueryKind::Nameserver,
        Target::NameserverPattern(_) => QueryKind::NameserverPattern,
        Target::Address(_) => QueryKind::Address,
        Target::Registrar(_) => QueryKind::Registrar,
        Target::Contact(_) => QueryKind::Contact,
        Target::Roid(_) => QueryKind::Roid,
    }
}

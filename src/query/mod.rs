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
//! - `no-allocation`: everything lives on the stack or in the caller's [`Answer`].
//! - `complete`: every line gets an answer that ends in its tail, whatever the line holds.
//! - No text of ours holds words from which client programs conclude that a name is free, but the
//!   answer that it is (`phrases_tests`).
//!
//! # Does not
//!
//! Read lines from anywhere, or count: [`Outcome`] says what to count.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod address;
mod answer;
mod before;
mod copies;
mod find;
mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod name;
mod number;
mod parse;
mod pattern;
mod quota;
mod registrar;
mod render;
pub mod steps;
mod suffix;
mod typed;
mod wildcard;

#[cfg(test)]
mod names_tests;
#[cfg(test)]
mod phrases_tests;
#[cfg(test)]
mod tests;

pub use answer::{ANSWER_BYTES_MAX, Answer, Shown};
pub use parse::{QUERY_LINE_BYTES_MAX, Refusal};
pub use quota::{Limits, Refused};
pub use suffix::suffix_of;
pub use wildcard::{WILDCARD_FREE_CHARS, WILDCARD_NAMES_MAX, WILDCARD_STEPS_MAX};

use crate::policy::limit::Use;
use crate::policy::{Rules, Tier};
use crate::view::View;
use find::Failure;
use frame::Site;
use parse::{Query, Target};
use pattern::Of;

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
    /// A line that is no query.
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
    /// With the help text, or what the caller may ask.
    Help,
    /// With a line that says why not.
    Refused(Refusal),
}

/// Who asks, as far as that matters for an answer.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// What he is shown.
    pub tier: Tier,
    /// How much he may ask; used by `help` and `limits` alone.
    pub limits: Limits<'a>,
    /// What little is left to him, if he is to be told.
    pub scarce: Option<Use>,
}

impl Caller<'_> {
    /// Anybody of a tier, whom nobody limits.
    #[must_use]
    pub const fn of(tier: Tier) -> Self {
        Self { tier, limits: Limits::Nobody, scarce: None }
    }
}

/// A query line that was read: what it asks, or that it asks nothing.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a>(Result<Query<'a>, Refusal>);

impl<'a> Request<'a> {
    /// Reads a line. It may have its line end; what follows that is not looked at.
    #[must_use]
    pub fn read(line: &'a [u8]) -> Self {
        Self(parse::parse(line))
    }

    /// A line whose end did not come in time: whatever it says, it is refused.
    #[must_use]
    pub const fn unfinished() -> Self {
        Self(Err(Refusal::Unfinished))
    }

    /// The same query where it asks for less than its form says: a pattern that is the name of a
    /// record asks for that record; and a registrar's name that none has asks for a list. What a
    /// query costs goes by this kind. Names without wildcards, the usual query, are not looked up.
    #[must_use]
    #[inline]
    pub fn settled(self, view: &View) -> Self {
        match self.0 {
            Ok(query) => Self(Ok(find::settled(view, query))),
            Err(_) => self,
        }
    }

    /// What kind of query it is.
    #[must_use]
    pub fn kind(&self) -> QueryKind {
        self.0.as_ref().map_or(QueryKind::Unreadable, |query| kind_of(query.target))
    }

    /// The name, pattern or identifier that is asked for, as it was typed; empty if there is none.
    #[must_use]
    pub fn subject(&self) -> &'a str {
        let Ok(query) = &self.0 else { return "" };
        match query.target {
            Target::Bare(text)
            | Target::BarePattern(text)
            | Target::Domain(text)
            | Target::DomainPattern(text)
            | Target::Nameserver(text)
            | Target::NameserverPattern(text)
            | Target::Registrar(text)
            | Target::RegistrarPart(text)
            | Target::Contact(text)
            | Target::Roid(text) => text,
            Target::Help | Target::Limits | Target::Address(_) => "",
        }
    }
}

/// Answers a query line from `view`, as `tier` of `rules` sees it, without limits. `line` may have
/// its line end; what follows that is not looked at. What it costs: benches/MEASUREMENTS.md.
pub fn answer(view: &View, rules: &Rules, tier: Tier, line: &[u8], out: &mut Answer) -> Outcome {
    answer_request(view, rules, &Caller::of(tier), Request::read(line), out)
}

/// Answers a query for a caller.
pub fn answer_request(
    view: &View,
    rules: &Rules,
    caller: &Caller<'_>,
    request: Request<'_>,
    out: &mut Answer,
) -> Outcome {
    let request = request.settled(view);
    let mut kind = request.kind();
    let site = Site::new(view, rules, caller.tier).asked(kind).telling(caller.scarce);
    let found = match request.0 {
        Ok(query) => run(&site, caller, query, &mut kind, out),
        Err(refusal) => Err(Failure::Refused(refusal)),
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

/// Refuses a query that was not looked at; `contact` is whom to ask, or empty.
pub fn refuse(view: &View, rules: &Rules, refused: &Refused<'_>, contact: &str, out: &mut Answer) {
    frame::refuse_caller(&Site::new(view, rules, Tier::PUBLIC), refused, contact, out);
}

fn run(
    site: &Site<'_>,
    caller: &Caller<'_>,
    query: Query<'_>,
    kind: &mut QueryKind,
    out: &mut Answer,
) -> Result<AnswerResult, Failure> {
    let display = query.display;
    match query.target {
        Target::Help => Ok(frame::help(site, caller, out)),
        Target::Limits => Ok(frame::limits(site, caller, out)),
        Target::Bare(name) => find::bare(site, name, display, kind, out),
        Target::Domain(name) => find::domain(site, name, display, out),
        Target::BarePattern(text) => pattern::answer(site, (text, Of::Either), display, kind, out),
        Target::DomainPattern(text) => {
            pattern::answer(site, (text, Of::Domains), display, kind, out)
        }
        Target::Nameserver(name) => find::nameserver(site, name, display, out),
        Target::NameserverPattern(text) => {
            pattern::answer(site, (text, Of::Nameservers), display, kind, out)
        }
        Target::Address(address) => find::address(site, address, display, out),
        Target::Registrar(name) => registrar::exact(site, name, display, out),
        Target::RegistrarPart(text) => registrar::part(site, text, display, out),
        Target::Contact(id) => find::contact(site, id, out),
        Target::Roid(roid) => find::roid(site, roid, out),
    }
}

const fn kind_of(target: Target<'_>) -> QueryKind {
    match target {
        Target::Help => QueryKind::Help,
        Target::Limits => QueryKind::Limits,
        Target::Bare(_) | Target::Domain(_) => QueryKind::Domain,
        Target::BarePattern(_) | Target::DomainPattern(_) => QueryKind::DomainPattern,
        Target::Nameserver(_) => QueryKind::Nameserver,
        Target::NameserverPattern(_) => QueryKind::NameserverPattern,
        Target::Address(_) => QueryKind::Address,
        Target::Registrar(_) => QueryKind::Registrar,
        Target::RegistrarPart(_) => QueryKind::RegistrarPattern,
        Target::Contact(_) => QueryKind::Contact,
        Target::Roid(_) => QueryKind::Roid,
    }
}

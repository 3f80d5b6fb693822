//! A query line of port 43 into the bytes of its answer: parse, find, show.
//!
//! ```text
//! line ─▶ parse ─▶ find ─▶ render ─▶ frame (last update, disclaimer) ─▶ Answer
//!           └─ refusal ──────────────▶ frame
//! ```
//!
//! # Invariants
//!
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
mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod lines;
mod parse;
mod quota;
mod render;
mod show;
pub mod steps;
mod typed;

#[cfg(test)]
mod names_tests;
#[cfg(test)]
mod phrases_tests;
#[cfg(test)]
mod tests;

pub use answer::{ANSWER_BYTES_MAX, Answer};
pub use parse::{QUERY_LINE_BYTES_MAX, Refusal};
pub use quota::{Limits, Refused};

use crate::policy::limit::Use;
use crate::policy::{Rules, Tier};
use crate::query::QueryKind;
use crate::query::name::Name;
use crate::query::question::{Question, Settled};
use crate::view::View;
use frame::Site;
use parse::{Line, Target};

/// What was asked, and what came of it: for counters and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// What kind of query it was.
    pub kind: QueryKind,
    /// How it was answered.
    pub result: AnswerResult,
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

/// The client, as far as that matters for an answer.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// What it is shown.
    pub tier: Tier,
    /// How much it may ask; used by `help` and `limits` alone.
    pub limits: Limits<'a>,
    /// How little is left to it, if the answer is to report that.
    pub scarce: Option<Use>,
}

impl Caller<'_> {
    /// Anybody of a tier, whom nobody limits.
    #[must_use]
    pub const fn of(tier: Tier) -> Self {
        Self { tier, limits: Limits::Nobody, scarce: None }
    }
}

/// A query line that was read, and not looked up: what it asks, or that it asks nothing.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a>(Result<Line<'a>, Refusal>);

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

    /// What is meant where a line asks for less than its form says: a pattern that is the name of a
    /// record asks for that record; a registrar's name that no registrar has asks for a list. The
    /// cost of a query depends on the resulting kind. Names without wildcards, the usual query, are
    /// not looked up.
    #[must_use]
    #[inline]
    pub fn settled(self, view: &View) -> Query<'a> {
        let mut query = Query { read: self, name: Name::new(), has_name: false };
        if let Ok(Line { target: Target::Records(question), .. }) = &mut query.read.0 {
            query.has_name = question.settle(view, &mut query.name);
        }
        query
    }

    /// What kind of query it is by its form.
    #[must_use]
    pub const fn kind(&self) -> QueryKind {
        match self.0 {
            Ok(Line { target: Target::Records(question), .. }) => question.kind(),
            Ok(Line { target: Target::Help, .. }) => QueryKind::Help,
            Ok(Line { target: Target::Limits, .. }) => QueryKind::Limits,
            Err(_) => QueryKind::Unreadable,
        }
    }

    /// The name, pattern or identifier that is asked for, as it was typed; empty if there is none.
    #[must_use]
    pub const fn subject(&self) -> &'a str {
        match self.0 {
            Ok(Line { target: Target::Records(question), .. }) => question.subject(),
            _ => "",
        }
    }
}

/// A query as it is meant: see [`Request::settled`].
#[derive(Clone, Debug)]
pub struct Query<'a> {
    read: Request<'a>,
    /// Of use with `has_name` alone. It is filled where it lies: moving it costs more than looking
    /// at it.
    name: Name,
    has_name: bool,
}

impl<'a> Query<'a> {
    /// What kind of query it is.
    #[must_use]
    #[inline]
    pub const fn kind(&self) -> QueryKind {
        self.read.kind()
    }

    /// The name, pattern or identifier that is asked for, as it was typed; empty if there is none.
    #[must_use]
    #[inline]
    pub const fn subject(&self) -> &'a str {
        self.read.subject()
    }

    /// The suffix of the snapshot that the name which is asked for lies under.
    #[must_use]
    pub fn suffix<'v>(&self, view: &'v View) -> Option<&'v str> {
        match self.read.0 {
            Ok(Line { target: Target::Records(question), .. }) => {
                self.asking(question).suffix(view)
            }
            _ => None,
        }
    }

    #[inline]
    fn asking(&self, question: Question<'a>) -> Settled<'_> {
        Settled { question, name: self.has_name.then(|| self.name.as_str()) }
    }
}

/// Answers a query line from `view`, as `tier` of `rules` sees it, without limits. `line` may have
/// its line end; what follows that is not looked at. Its cost: benches/MEASUREMENTS.md.
pub fn answer(view: &View, rules: &Rules, tier: Tier, line: &[u8], out: &mut Answer) -> Outcome {
    answer_query(view, rules, &Caller::of(tier), &Request::read(line).settled(view), out)
}

/// Answers a query for a caller, from the view under which it was settled.
pub fn answer_query(
    view: &View,
    rules: &Rules,
    caller: &Caller<'_>,
    query: &Query<'_>,
    out: &mut Answer,
) -> Outcome {
    let mut kind = query.kind();
    let site = Site::new(view, rules, caller.tier).asked(kind).telling(caller.scarce);
    let answered = match query.read.0 {
        Ok(Line { target: Target::Records(question), display }) => {
            show::answer(&site, display, &query.asking(question), &mut kind, out)
        }
        Ok(Line { target: Target::Help, .. }) => Ok(frame::help(&site, caller, out)),
        Ok(Line { target: Target::Limits, .. }) => Ok(frame::limits(&site, caller, out)),
        Err(refusal) => Err(refusal),
    };
    let result = answered.unwrap_or_else(|refusal| {
        frame::refuse(&site, refusal, out);
        AnswerResult::Refused(refusal)
    });
    Outcome { kind, result }
}

/// Refuses a query that was not looked at; `contact` is whom to ask, or empty.
pub fn refuse(view: &View, rules: &Rules, refused: &Refused<'_>, contact: &str, out: &mut Answer) {
    frame::refuse_caller(&Site::new(view, rules, Tier::PUBLIC), refused, contact, out);
}

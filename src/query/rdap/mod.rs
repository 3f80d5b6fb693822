//! A path of RDAP into the bytes of its answer (RFC 9082, RFC 9083): read, find, show.
//!
//! ```text
//! target ─▶ read ─▶ find ─▶ render ─▶ site (redacted, links, notices, conformance) ─▶ Document
//!             └─ refusal ───────────▶ error
//! ```
//!
//! # Invariants
//!
//! - `complete`: every target gets a whole JSON object, whatever it holds; an error is one as well,
//!   with the status of the answer in it.
//! - `one mask`: what is shown of a record, and to whom, is what port 43 shows.
//!
//! # Does not
//!
//! Know HTTP: the server takes the target out of a request and puts the status into the answer.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod document;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod help;
mod prepared;
mod redacted;
mod refusal;
mod render;
mod show;
mod site;
mod target;

pub use document::{DOCUMENT_BYTES_MAX, Document};
pub use error::Refused;
pub use refusal::{Refusal, Status};
pub use target::{TARGET_BYTES_MAX, escaped};

use std::net::IpAddr;

use crate::policy::{Rules, Tier};
use crate::query::QueryKind;
use crate::query::name::Name;
use crate::query::question::{Question, Settled};
use crate::view::View;
use site::Site;
use target::{Kind, Target};

/// Who asks, and what for.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// What the caller is shown.
    pub tier: Tier,
    /// Public base URL of the server, with its final slash, for rules that have none.
    pub base: &'a str,
    /// What was asked, below the base URL: see [`escaped`].
    pub target: &'a str,
}

/// What was asked, and what came of it: for counters and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// What kind of query it was.
    pub kind: QueryKind,
    /// How it was answered.
    pub result: AnswerResult,
}

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerResult {
    /// With an object.
    Found,
    /// With a list of objects.
    Listed,
    /// With a name that is kept back from registration.
    Reserved,
    /// With help.
    Help,
    /// With an error.
    Refused(Refusal),
}

impl AnswerResult {
    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Found | Self::Listed | Self::Help => Status::OK,
            Self::Reserved => Status::NOT_FOUND,
            Self::Refused(refusal) => refusal.status(),
        }
    }
}

/// A target that was read, and not looked up.
#[derive(Clone, Debug)]
pub struct Request(Result<Target, Refusal>);

impl Request {
    /// Reads what comes after the base URL: a path without its first slash, and parameters.
    #[must_use]
    pub fn read(target: &str) -> Self {
        Self(Target::read(target))
    }

    /// What kind of query it is by its form.
    #[must_use]
    pub const fn kind(&self) -> QueryKind {
        match &self.0 {
            Ok(target) => match target.kind {
                Kind::Domain => QueryKind::Domain,
                Kind::Nameserver => QueryKind::Nameserver,
                // A contact's, if it is one, is known once it is found.
                Kind::Entity => QueryKind::Registrar,
                Kind::NameserversByAddress => QueryKind::Address,
                Kind::Help => QueryKind::Help,
            },
            Err(_) => QueryKind::Unreadable,
        }
    }

    /// The name, handle or address that is asked for, without escapes; empty if there is none.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.0.as_ref().map_or("", |target| target.text.as_str())
    }

    /// The suffix of the snapshot that the name which is asked for lies under.
    #[must_use]
    pub fn suffix<'v>(&self, view: &'v View) -> Option<&'v str> {
        let target = self.0.as_ref().ok()?;
        let is_name = matches!(target.kind, Kind::Domain | Kind::Nameserver);
        if is_name { crate::query::suffix_of(view, target.text.as_str()) } else { None }
    }

    fn question(&self) -> Result<Asked<'_>, Refusal> {
        let target = self.0.as_ref().map_err(|refusal| *refusal)?;
        let text = target.text.as_str();
        Ok(match target.kind {
            Kind::Domain => Asked::Record(Question::Domain(text)),
            Kind::Nameserver => Asked::Record(Question::Nameserver(text)),
            Kind::Entity => Asked::Record(Question::Entity(text)),
            Kind::NameserversByAddress => Asked::NameserversAt(target.address()?),
            Kind::Help => Asked::Help,
        })
    }
}

/// What is asked for.
#[derive(Clone, Copy)]
enum Asked<'a> {
    /// One object.
    Record(Question<'a>),
    /// The nameservers of an address.
    NameserversAt(IpAddr),
    Help,
}

/// Answers a request for a caller.
pub fn answer(
    view: &View,
    rules: &Rules,
    caller: &Caller<'_>,
    request: &Request,
    out: &mut Document,
) -> Outcome {
    let site = Site::new(view, view.data(), (rules, caller.tier), (caller.base, caller.target));
    let mut kind = request.kind();
    let answered = request.question().and_then(|asked| match asked {
        Asked::Record(mut question) => {
            let mut name = Name::new();
            let has_name = question.settle(view, &mut name);
            let settled = Settled { question, name: has_name.then(|| name.as_str()) };
            show::object(&site, &settled, &mut kind, out)
        }
        Asked::NameserversAt(address) => show::nameservers_at(&site, address, out),
        Asked::Help => Ok(help::help(&site, out)),
    });
    let result = answered.unwrap_or_else(|refusal| {
        error::refuse(&site, refusal, out);
        AnswerResult::Refused(refusal)
    });
    Outcome { kind, result }
}

/// Refuses a request that was not looked at, for the reason that `refused` gives. Returns the
/// status.
pub fn refuse(
    view: &View,
    rules: &Rules,
    caller: &Caller<'_>,
    refused: &Refused<'_>,
    out: &mut Document,
) -> Status {
    let site = Site::new(view, view.data(), (rules, caller.tier), (caller.base, caller.target));
    error::refuse_caller(&site, refused, out)
}

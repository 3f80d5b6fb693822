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
mod search;
mod show;
mod site;
mod target;

pub use document::{DOCUMENT_BYTES_MAX, Document};
pub use error::Refused;
pub use refusal::{Refusal, Status};
pub use target::{TARGET_BYTES_MAX, escaped};

use crate::policy::{Rules, Tier};
use crate::query::QueryKind;
use crate::query::name::Name;
use crate::query::question::Settled;
use crate::query::search::Index;
use crate::view::View;
use search::Class;
use site::Site;
use target::{Lookup, Target};

/// Who asks, and what for.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// What the caller is shown.
    pub tier: Tier,
    /// Public base URL of the server, with its final slash, for rules that have none.
    pub base: &'a str,
    /// What was asked, below the base URL: see [`escaped`].
    pub target: &'a str,
    /// What searches ask; `None`: those that need one are not offered.
    pub index: Option<&'a dyn Index>,
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
            Ok(Target::Lookup(lookup, _)) => match lookup {
                Lookup::Domain => QueryKind::Domain,
                Lookup::Nameserver => QueryKind::Nameserver,
                // A contact's, if it is one, is known once it is found.
                Lookup::Entity => QueryKind::Registrar,
            },
            Ok(Target::Search(wanted)) => match wanted.class() {
                Class::Nameserver if wanted.is_quick() => QueryKind::Address,
                Class::Nameserver => QueryKind::NameserverPattern,
                Class::Domain => QueryKind::DomainPattern,
                Class::Entity => QueryKind::RegistrarPattern,
            },
            Ok(Target::Help) => QueryKind::Help,
            Err(_) => QueryKind::Unreadable,
        }
    }

    /// The name, handle or address that is asked for, without escapes; empty if there is none.
    #[must_use]
    pub fn subject(&self) -> &str {
        match &self.0 {
            Ok(Target::Lookup(_, text)) => text.as_str(),
            Ok(Target::Search(wanted)) => &wanted.subject,
            Ok(Target::Help) | Err(_) => "",
        }
    }

    /// The suffix of the snapshot that the name which is asked for lies under.
    #[must_use]
    pub fn suffix<'v>(&self, view: &'v View) -> Option<&'v str> {
        match &self.0 {
            Ok(Target::Lookup(Lookup::Domain | Lookup::Nameserver, text)) => {
                crate::query::suffix_of(view, text.as_str())
            }
            _ => None,
        }
    }

    /// Whether it is a reverse search (RFC 9536).
    #[must_use]
    pub const fn is_reverse(&self) -> bool {
        matches!(&self.0, Ok(Target::Search(wanted)) if wanted.is_reverse())
    }

    /// Whether it looks at many records: a search that is to be made beside the shards.
    #[must_use]
    pub const fn is_long(&self) -> bool {
        matches!(&self.0, Ok(Target::Search(wanted)) if !wanted.is_quick())
    }
}

/// Answers a request for a caller.
pub fn answer(
    view: &View,
    rules: &Rules,
    caller: &Caller<'_>,
    request: &Request,
    out: &mut Document,
) -> Outcome {
    let site = Site::new(view, view.data(), rules, caller);
    let mut kind = request.kind();
    let answered = match &request.0 {
        Ok(Target::Lookup(lookup, text)) => {
            let mut question = lookup.question(text.as_str());
            let mut name = Name::new();
            let has_name = question.settle(view, &mut name);
            let settled = Settled { question, name: has_name.then(|| name.as_str()) };
            show::object(&site, &settled, &mut kind, out)
        }
        Ok(Target::Search(wanted)) => search::answer(&site, wanted, out),
        Ok(Target::Help) => Ok(help::help(&site, out)),
        Err(refusal) => Err(*refusal),
    };
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
    let site = Site::new(view, view.data(), rules, caller);
    error::refuse_caller(&site, refused, out)
}

//! Answers without an object (RFC 9083 section 6).
//!
//! # Invariants
//!
//! - `errorCode is the status`: whatever is refused has the number of the HTTP answer in it.
//!
//! # Does not
//!
//! Decide what is refused.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt::Write;

use super::AnswerResult;
use super::document::Document;
use super::refusal::{Refusal, Status};
use super::site::{Extensions, Notices, Site};
use crate::idn::Short;
use crate::policy::limit::Over;
use crate::query::find::Above;
use crate::query::number::TimeText;

/// Longest sentence of this file without texts of an operator, bytes.
const SENTENCE_BYTES_MAX: usize = 256;

/// Why a request is refused before it is looked at.
#[derive(Clone, Copy, Debug)]
pub enum Refused<'a> {
    /// It is over a limit.
    Quota {
        /// Which.
        over: Over,
        /// Whom to ask; may be empty.
        contact: &'a str,
    },
    /// Its source is blocked.
    Blocked {
        /// Until when, ms since the epoch.
        until_ms: i64,
        /// In the operator's words; may be empty.
        reason: &'a str,
        /// Whom to ask; may be empty.
        contact: &'a str,
    },
    /// A list denies it.
    Denied {
        /// In the operator's words; may be empty.
        reason: &'a str,
        /// Whom to ask; may be empty.
        contact: &'a str,
    },
    /// It cannot be made now.
    Of(Refusal),
    /// HTTP asks for something that is not served, such as another method or type.
    Http(Status, &'a str),
}

/// Says why a request has no object.
pub(super) fn refuse(site: &Site<'_>, refusal: Refusal, out: &mut Document) {
    sentences(site, refusal.status(), &[refusal.text()], &[], out);
}

/// Says that there is no such name, but one above it.
pub(super) fn below(site: &Site<'_>, name: &str, above: Above<'_>, out: &mut Document) {
    let mut sentence = Short::<{ 2 * SENTENCE_BYTES_MAX + 64 }>::new();
    // What does not fit is left out: two names and a few words do.
    let _ = match above {
        Above::Registered(above) => {
            write!(sentence, "The name {name} lies below the registered domain {above}.")
        }
        Above::KeptBack(above) => {
            write!(sentence, "The name {name} lies below {above}, which the registry reserves.")
        }
    };
    let texts = [Refusal::NotFound.text(), sentence.as_str()];
    sentences(site, Status::NOT_FOUND, &texts, &[], out);
}

/// Says that a name is kept back from registration.
pub(super) fn reserved(site: &Site<'_>, name: &str, out: &mut Document) -> AnswerResult {
    const NOTICE: &[u8] = concat!(
        r#"{"title":"Reserved Name","description":["The registry keeps this name back. "#,
        r#"It has no holder and cannot be requested."]}"#,
    )
    .as_bytes();
    let mut sentence = Short::<{ SENTENCE_BYTES_MAX + 64 }>::new();
    let _ = write!(sentence, "The name {name} is reserved by the registry.");
    sentences(site, Status::NOT_FOUND, &[sentence.as_str()], &[NOTICE], out);
    AnswerResult::Reserved
}

/// Says why a request was not looked at.
pub(super) fn refuse_caller(site: &Site<'_>, refused: &Refused<'_>, out: &mut Document) -> Status {
    let mut sentence = Short::<SENTENCE_BYTES_MAX>::new();
    let (status, reason, contact) = match refused {
        Refused::Quota { over, contact } => {
            let _ = write!(
                sentence,
                "You are over the limit of {} queries per minute for {}; ask again in {} s.",
                over.level.queries_per_min, over.prefix, over.wait_s
            );
            (Status::TOO_MANY, "", *contact)
        }
        Refused::Blocked { until_ms, reason, contact } => {
            let until = TimeText::of(*until_ms);
            let until = until.as_ref().map_or(&[][..], TimeText::as_bytes);
            let until = std::str::from_utf8(until).unwrap_or_default();
            let _ = write!(sentence, "Your address is blocked until {until}.");
            (Status::TOO_MANY, *reason, *contact)
        }
        Refused::Denied { reason, contact } => {
            let _ = write!(sentence, "Your address may not ask this server.");
            (Status::FORBIDDEN, *reason, *contact)
        }
        Refused::Of(refusal) => {
            refuse(site, *refusal, out);
            return refusal.status();
        }
        Refused::Http(status, text) => {
            sentences(site, *status, &[text], &[], out);
            return *status;
        }
    };
    let mut asked = Short::<{ SENTENCE_BYTES_MAX * 2 }>::new();
    if !contact.is_empty() {
        let _ = write!(asked, "Questions go to {contact}.");
    }
    sentences(site, status, &[sentence.as_str(), reason, asked.as_str()], &[], out);
    status
}

/// Writes a whole error; empty sentences are left out.
fn sentences(
    site: &Site<'_>,
    status: Status,
    sentences: &[&str],
    notice: &[&[u8]],
    out: &mut Document,
) {
    let rule = site.defaults();
    let rule = rule.rule();
    site.begin(rule, out);
    out.raw(b"{\"errorCode\":");
    out.number(u64::from(status.code));
    out.raw(b",\"title\":");
    out.text(status.title);
    out.raw(b",\"lang\":\"en\",\"description\":[");
    let mut head: &[u8] = b"";
    for sentence in sentences.iter().filter(|sentence| !sentence.is_empty()) {
        out.raw(head);
        out.text(sentence);
        head = b",";
    }
    out.raw(b"]");
    site.end(rule, Notices::Terms, Extensions::default(), notice, out);
}

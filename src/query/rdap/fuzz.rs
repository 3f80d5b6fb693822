//! The laws of RDAP answers, whatever a target holds: a driver for the fuzzer.
//!
//! # Invariants
//!
//! - `complete`: an answer is one JSON object within its bound, with its conformance and its terms;
//!   an error has the number of its status.
//! - `pure`: the same target gives the same answer.
//!
//! # Does not
//!
//! Exist in a release: it is built for tests and for the fuzzer alone.

use serde_json::Value;

use super::{Caller, DOCUMENT_BYTES_MAX, Document, Request, answer, escaped};
use crate::policy::{Rules, Tier};
use crate::query::search::Index;
use crate::view::View;

/// Holds the laws against the answer on what comes after the base URL, as bytes, with an index of
/// the view.
pub fn target((view, index): (&View, &dyn Index), rules: &Rules, bytes: &[u8]) {
    let target = escaped(bytes);
    assert_eq!(escaped(target.as_bytes()), target, "an escaped target is escaped again");
    let (tier, base, target) = (Tier::PUBLIC, "https://rdap.example/", target.as_str());
    let caller = Caller { tier, base, target, index: Some(index) };
    let (mut first, mut second) = (Document::new(), Document::new());
    let request = Request::read(std::str::from_utf8(bytes).unwrap_or(target));
    let outcome = answer(view, rules, &caller, &request, &mut first);
    assert!(first.bytes().len() <= DOCUMENT_BYTES_MAX, "{} bytes", first.bytes().len());
    let json: Value = match serde_json::from_slice(first.bytes()) {
        Ok(json) => json,
        Err(error) => panic!("{error}: {}", String::from_utf8_lossy(first.bytes())),
    };
    let status = outcome.result.status().code;
    let said = json.get("errorCode").and_then(Value::as_u64).unwrap_or(200);
    assert_eq!(said, u64::from(status), "{json}");
    for member in ["rdapConformance", "notices"] {
        assert!(json.get(member).is_some_and(Value::is_array), "{member}: {json}");
    }
    assert_eq!(answer(view, rules, &caller, &request, &mut second), outcome, "another outcome");
    assert!(first.bytes() == second.bytes(), "another answer");
}

//! The laws of answers, whatever a query line holds: a driver for the fuzzer.
//!
//! # Invariants
//!
//! - `complete`: an answer is whole lines of UTF-8 without control characters, within its bound; it
//!   has one last-update line, and ends in its disclaimer.
//! - `no forged lines`: an answer that is not a record has no line that reads like one; only
//!   refusals have a line `%ERROR:`, first, and once.
//! - `pure`: the same line gives the same answer, and what follows its end changes nothing.
//!
//! # Does not
//!
//! Exist in a release: it is built for tests and for the fuzzer alone.

use super::{ANSWER_BYTES_MAX, Answer, AnswerResult, Outcome, answer};
use crate::bounds::breaks_lines;
use crate::policy::{Rules, Tier};
use crate::view::View;

/// How the lines begin by which programs tell that something is registered.
const RECORD_KEYS: [&str; 6] = [
    "Domain Name:",
    "Registry Domain ID:",
    "Registrar:",
    "Registrar IANA ID:",
    "Server Name:",
    "Creation Date:",
];

/// How the disclaimer of [`Rules::standard`] ends.
const STANDARD_END: &str = "any time.\r\n";

/// Holds the laws against the answer on `line`, under rules with the standard disclaimer.
pub fn line(view: &View, rules: &Rules, line: &[u8]) {
    let (mut first, mut second) = (Answer::new(), Answer::new());
    let outcome = answer(view, rules, Tier::PUBLIC, line, &mut first);
    holds(&first, outcome);
    assert_eq!(answer(view, rules, Tier::PUBLIC, line, &mut second), outcome, "another outcome");
    assert!(first.bytes() == second.bytes(), "another answer");
    let end = memchr::memchr(b'\n', line).unwrap_or(line.len());
    let mut more = line.get(..end).unwrap_or_default().to_vec();
    more.extend_from_slice(b"\nexample.demo\r\n\0\xff");
    assert_eq!(
        answer(view, rules, Tier::PUBLIC, &more, &mut second),
        outcome,
        "more lines, another outcome"
    );
    assert!(first.bytes() == second.bytes(), "more lines, another answer");
}

fn holds(out: &Answer, outcome: Outcome) {
    let Ok(text) = std::str::from_utf8(out.bytes()) else { panic!("not UTF-8") };
    assert!(text.len() <= ANSWER_BYTES_MAX, "{} bytes", text.len());
    assert!(text.ends_with("\r\n"), "does not end in a line end");
    for line in text.split_terminator("\r\n") {
        assert!(!line.contains(breaks_lines), "{line:?}");
        assert!(!line.ends_with(' '), "{line:?}");
    }
    let begin = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(begin(">>> Last update of WHOIS database: "), 1, "{text}");
    assert!(text.ends_with(STANDARD_END), "the disclaimer is cut: {text}");
    let is_record = RECORD_KEYS.iter().any(|key| begin(key) > 0);
    assert!(!is_record || outcome.result == AnswerResult::Found, "{outcome:?}: {text}");
    if let AnswerResult::Refused(refusal) = outcome.result {
        assert!(text.starts_with(&format!("%ERROR:{} ", refusal.code())), "{text}");
    }
    let refused = matches!(outcome.result, AnswerResult::Refused(_));
    assert_eq!(begin("%ERROR:"), usize::from(refused), "{text}");
}

//! Holds our own texts against the phrases by which programs tell what an answer is.
//!
//! `deploy/PARSERS.md` has how the programs themselves read these texts; the phrases are theirs.

use std::net::IpAddr;

use super::answer::Answer;
use super::quota::{self, Limits, Refused};
use super::{Refusal, frame, render};
use crate::policy::Rules;
use crate::policy::limit::{Level, Over, Use};
use crate::policy::phrases::{FREE, KEYS, Place, QUOTA, misleading};

fn text(write: impl FnOnce(&mut Answer)) -> String {
    let mut out = Answer::new();
    out.begin(0);
    write(&mut out);
    String::from_utf8(out.bytes().to_vec()).unwrap()
}

/// Every refusal of a source.
fn refusals_of_sources() -> Vec<String> {
    let scope = "192.0.2.0/24".parse().unwrap();
    let level = Level { length: 24, queries_per_min: 60, burst: 60 };
    let quota = |own| Refused::Quota(Over { prefix: scope, level, wait_s: 12, own });
    let blocked = |cause| Refused::Blocked {
        scope,
        until_ms: 1_793_577_600_000,
        wait_s: 900,
        cause,
        reason: "too many queries",
    };
    let denied = Refused::Denied { scope, reason: "agreement of 2026" };
    let all = [quota(true), quota(false), blocked("limit"), blocked("mining"), blocked("operator")];
    let all = all.into_iter().chain([denied]);
    all.map(|refused| text(|out| quota::refused(&refused, "noc@registry.demo", out))).collect()
}

#[test]
fn a_refusal_of_a_source_reads_as_a_quota_and_never_as_free() {
    for refusal in refusals_of_sources() {
        let (head, rest) = refusal.split_once("\r\n").unwrap();
        assert!(head.starts_with("%ERROR:"), "{refusal}");
        assert!(rest.lines().all(|line| line.starts_with("% ")), "{refusal}");
        // Two programs look for this one line by line, and raise an error of their own.
        assert!(rest.lines().any(|line| line.contains("Quota exceeded")), "{refusal}");
        let rest = rest.to_lowercase();
        for phrase in FREE.iter().chain(KEYS) {
            assert!(!rest.contains(phrase), "{phrase:?} in {refusal}");
        }
    }
}

#[test]
fn an_error_that_leaves_the_name_open_reads_as_a_quota() {
    use super::frame::refuse;
    let rules = Rules::standard();
    let view = super::tests::empty_view();
    let site = frame::Site::new(&view, &rules, crate::policy::Tier::PUBLIC);
    for refusal in Refusal::ALL {
        let answer = text(|out| refuse(&site, refusal, out)).to_lowercase();
        // What names addresses, contacts or several records names no domain.
        let open = !["ADDRESS", "WILDCARD", "BUDGET", "CONTACT"].contains(&refusal.code());
        assert_eq!(answer.contains("quota exceeded"), open, "{answer}");
        for phrase in FREE {
            assert!(!answer.contains(phrase), "{phrase:?} in {answer}");
        }
    }
}

#[test]
fn no_text_of_ours_reads_as_free_or_registered() {
    let prefix = "192.0.2.7/32".parse().unwrap();
    let level = Level { length: 32, queries_per_min: 60, burst: 60 };
    let scarce = Use { prefix, level, left: 3, full_s: 12 };
    let address: IpAddr = "192.0.2.7".parse().unwrap();
    let rules = Rules::standard();
    let of_bytes = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut texts: Vec<String> = frame::TEXTS.iter().map(|bytes| of_bytes(bytes)).collect();
    texts.extend(Refusal::ALL.iter().map(|refusal| refusal.text().to_owned()));
    texts.push(of_bytes(render::RESERVED_NOTE));
    texts.push(of_bytes(&rules.defaults().tail_with_statuses));
    texts.push(text(|out| quota::scarce(&scarce, out)));
    for limits in [Limits::Nobody, Limits::Free(address), Limits::Some(address, &[scarce])] {
        texts.push(text(|out| quota::limits(limits, out)));
    }
    for text in texts {
        assert_eq!(misleading(&text, Place::Refusal), None, "{text:?}");
    }
}

#[test]
fn the_answer_without_a_record_says_so_in_the_words_of_each_program() {
    let rules = Rules::standard();
    let view = super::tests::empty_view();
    let site = frame::Site::new(&view, &rules, crate::policy::Tier::PUBLIC);
    let site = site.asked(super::QueryKind::Domain);
    let answer = text(|out| {
        frame::not_found(&site, rules.defaults(), None, out);
    });
    // `No Data Found` at the start; `Domain not found` with this case anywhere; `not found`.
    assert!(answer.starts_with("No Data Found\r\n% Domain not found.\r\n>>> Last"), "{answer}");
    let lower = answer.to_lowercase();
    // The last four are words of one program, too usual in texts of law to be refused there.
    let others = ["domain name:", "error", "status:"];
    let limits = ["rate limit", "ratelimit", "excessive quer", "connection limit"];
    for phrase in QUOTA.iter().chain(&others).chain(&limits) {
        assert!(!lower.contains(phrase), "{phrase:?} in {answer}");
    }
}

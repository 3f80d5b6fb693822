//! How a shard of port 43 answers: the line is read, the client received, the query answered.
//!
//! ```text
//! asked ─▶ read ─▶ admit (lists, block) ─▶ settle ─▶ charge (limits) ─▶ answer ─▶ told
//!                     └─ refused ──────────────────────┴─▶ refusal ─────────────────┘
//! ```
//!
//! # Does not
//!
//! Decide: `policy` says which queries are served, `query` what is found.

use std::sync::Arc;

use arc_swap::Guard as Loaded;

use super::reception::{Ended, Made, Origin, Reception, Sources, Told};
use crate::observe::counters::AnswerClass;
use crate::observe::{ShardFigures, clock};
use crate::policy::block::Block;
use crate::policy::guard::{Admission, Charge, Denied, Pass};
use crate::policy::limit::Uses;
use crate::policy::lists::Entry;
use crate::policy::{Rules, Tier};
use crate::port43::{self, Answering, Asked};
use crate::query::whois::{
    self, Answer, AnswerResult, Caller, Limits, Query, Refusal, Refused, Request,
};
use crate::query::{QueryKind, suffix_of};
use crate::querylog::Recorder;
use crate::view::View;
use crate::warden::{Observed, Reporter};

/// Answers the queries of one shard.
#[derive(Debug)]
pub struct Answerer(Reception);

/// How an answer on port 43 ended.
const fn ended(kind: QueryKind, result: AnswerResult) -> Ended {
    match result {
        AnswerResult::Help if matches!(kind, QueryKind::Limits) => Ended::Limits,
        AnswerResult::Found => Ended::Found,
        AnswerResult::Listed => Ended::Listed,
        AnswerResult::Reserved => Ended::Reserved,
        AnswerResult::NotFound => Ended::NotFound,
        AnswerResult::Help => Ended::Help,
        AnswerResult::Refused(Refusal::Damaged) => Ended::Failed,
        AnswerResult::Refused(_) => Ended::Refused,
    }
}

impl Answerer {
    /// Answers from `sources`, and tells `figures` how long it took.
    #[must_use]
    pub fn new(sources: Sources, figures: Arc<ShardFigures>) -> Self {
        Self(Reception::new(sources, figures))
    }

    /// The same, telling `reporter` who asked and `log` everything.
    #[must_use]
    pub fn telling(self, reporter: Option<Reporter>, log: Option<Recorder>) -> Self {
        Self(self.0.telling(reporter, log))
    }

    /// The view that a query which comes now is answered from.
    #[inline]
    #[must_use]
    pub fn view(&self) -> Loaded<Arc<View>> {
        self.0.view()
    }

    fn decide<'a>(
        &self,
        view: &'a View,
        rules: &Rules,
        (asked, origin): (&Asked<'a>, &Origin),
        now_us: u64,
        out: &mut Answer,
    ) -> Told<'a> {
        let request = match asked.is_unfinished {
            true => Request::unfinished(),
            false => Request::read(asked.line),
        };
        let contact = || self.0.guard().settings();
        let refused = match self.0.admit(origin) {
            Admission::Open(pass) => {
                let query = request.settled(view);
                return self.serve(view, rules, &pass, &query, now_us, out);
            }
            Admission::Blocked(block) => {
                blocked(view, rules, &block, &contact().contact, out);
                Ended::Blocked
            }
            Admission::Denied(by) => {
                denied(view, rules, &by, &contact().contact, out);
                Ended::Denied
            }
        };
        let seen = Observed::new(origin.client.to_canonical(), 0).refused(false);
        let (kind, subject) = (request.kind(), request.subject());
        let suffix = self.0.logged(|| suffix_of(view, subject).filter(|_| is_of_names(kind)));
        let subject = subject.as_bytes();
        Told { kind, outcome: refused, subject, suffix, tier: Tier::PUBLIC, seen: Some(seen) }
    }

    /// Answers a client that may ask, within its limits.
    #[inline]
    fn serve<'a>(
        &self,
        view: &'a View,
        rules: &Rules,
        pass: &Pass,
        query: &Query<'a>,
        now_us: u64,
        out: &mut Answer,
    ) -> Told<'a> {
        let (kind, subject) = (query.kind(), query.subject());
        let suffix = self.0.logged(|| query.suffix(view));
        let tier = Reception::tier(pass, rules);
        let charged = self.0.charge(pass, kind, now_us);
        let scarce = match charged.charge {
            Charge::Served | Charge::DryRun(_) => None,
            Charge::Scarce(left) => Some(left),
            Charge::Refused { over, strike } => {
                whois::refuse(view, rules, &Refused::Quota(over), &pass.settings().contact, out);
                let seen = charged.seen.map(|seen| seen.refused(strike));
                let subject = subject.as_bytes();
                return Told { kind, outcome: Ended::Limited, subject, suffix, tier, seen };
            }
        };
        let uses = match kind {
            QueryKind::Help | QueryKind::Limits => self.0.guard().uses(pass, now_us),
            _ => Uses::default(),
        };
        let caller = Caller { tier, limits: limits_of(pass, &uses), scarce };
        let answered = whois::answer_query(view, rules, &caller, query, out);
        let more = self.0.charge_shown(pass, charged.price, out.shown(), now_us);
        let outcome = ended(kind, answered.result);
        let missed = outcome == Ended::NotFound;
        let dry_run = charged.dry_run();
        let told = |seen: Observed| seen.named(subject).missed(missed).dry_run(dry_run).more(more);
        let (seen, subject) = (charged.seen.map(told), subject.as_bytes());
        Told { kind: answered.kind, outcome, subject, suffix, tier, seen }
    }
}

/// Whether a query asks for names that lie under a suffix.
const fn is_of_names(kind: QueryKind) -> bool {
    matches!(
        kind,
        QueryKind::Domain
            | QueryKind::DomainPattern
            | QueryKind::Nameserver
            | QueryKind::NameserverPattern
    )
}

fn blocked(view: &View, rules: &Rules, block: &Block, contact: &str, out: &mut Answer) {
    let left_ms = block.until_ms.saturating_sub(clock::wall_ms());
    let wait_s = u64::try_from(left_ms).unwrap_or(0).div_ceil(1_000);
    let refused = Refused::Blocked {
        scope: block.prefix,
        until_ms: block.until_ms,
        wait_s,
        cause: block.cause.word(),
        reason: &block.reason,
    };
    whois::refuse(view, rules, &refused, contact, out);
}

fn denied(view: &View, rules: &Rules, by: &Denied, contact: &str, out: &mut Answer) {
    let entry = by.entry();
    let text = |of: fn(&Entry) -> &Option<Arc<str>>| entry.and_then(|entry| of(entry).as_deref());
    let refused = Refused::Denied {
        scope: entry.map_or_else(|| by.address().into(), |entry| entry.prefix),
        reason: text(|entry| &entry.reason).unwrap_or_default(),
    };
    let contact = text(|entry| &entry.contact).unwrap_or(contact);
    whois::refuse(view, rules, &refused, contact, out);
}

fn limits_of<'a>(pass: &Pass, uses: &'a Uses) -> Limits<'a> {
    if pass.is_limited() {
        Limits::Some(pass.address(), uses.all())
    } else {
        Limits::Free(pass.address())
    }
}

/// A buffer for one answer.
#[derive(Debug)]
pub struct AnswerBuffer(Answer);

impl AsRef<[u8]> for AnswerBuffer {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl Answering for Answerer {
    type Buffer = AnswerBuffer;

    fn buffer(&self) -> AnswerBuffer {
        AnswerBuffer(Answer::timed(clock::micros))
    }

    fn answer(&mut self, asked: Asked<'_>, out: &mut AnswerBuffer) -> AnswerClass {
        let began_us = clock::micros();
        let (view, rules) = (self.0.view(), self.0.rules());
        let origin = Origin {
            client: asked.client.ip(),
            server: asked.server,
            proxied: asked.proxied,
            local: asked.local,
            complete_us: asked.complete_us,
        };
        let mut told = self.decide(&view, &rules, (&asked, &origin), began_us, &mut out.0);
        if told.subject.is_empty() {
            // A query that is refused for its form is logged as it came.
            told.subject = asked.line;
        }
        let (found_us, at_us) = (out.0.began_us(), clock::micros());
        let made = Made { began_us, found_us, at_us, bytes: out.0.bytes().len() };
        self.0.tell((&view, &rules), &origin, &told, &made);
        told.outcome.class()
    }
}

// The engine cuts a line one byte behind the longest: `query` must take that one for too long.
const _: () = assert!(port43::limits::QUERY_LINE_BYTES_MAX == whois::QUERY_LINE_BYTES_MAX);

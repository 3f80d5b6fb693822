//! What a shard answers with: who may ask, the view, the rules, and the query module between them.
//!
//! ```text
//! asked ─▶ admit (lists, block) ─▶ read ─▶ charge (limits) ─▶ answer under the tier ─▶ told
//!            └─ refused ───────────────────────┴─▶ refusal ────────────────────────────┘
//! ```
//!
//! # Invariants
//!
//! - `every query is told`: whatever came of it, the shard's figures and the warden hear of it, and
//!   neither is waited for.
//!
//! # Does not
//!
//! Decide: `policy` says who is served, `query` what is found.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard as Loaded};

use crate::observe::counters::AnswerClass;
use crate::observe::{ShardFigures, clock};
use crate::policy::block::Block;
use crate::policy::guard::{Admission, Charge, Denied, Guard, Pass, Prices};
use crate::policy::{Rules, Tier};
use crate::port43::{self, Answering, Asked};
use crate::query::{
    self, Answer, AnswerResult, Caller, Limits, Outcome, QueryKind, Refusal, Refused, Request,
};
use crate::view::View;
use crate::warden::{Seen, Watch};

/// What all shards answer with.
#[derive(Clone, Debug)]
pub struct Sources {
    /// What is shown: taken for each query, at about 5 ns, so that a shard which nobody asks keeps
    /// no old view, and with it no old base on the disk.
    pub views: Arc<ArcSwap<View>>,
    /// How it is shown.
    pub rules: Arc<ArcSwap<Rules>>,
    /// To whom.
    pub guard: Arc<Guard>,
}

/// Answers the queries of one shard.
#[derive(Clone, Debug)]
pub struct Answerer {
    sources: Sources,
    figures: Arc<ShardFigures>,
    watch: Option<Watch>,
}

/// What became of a query, for those who are told.
struct Told {
    class: AnswerClass,
    seen: Seen,
    /// Whether the warden is to hear of it.
    watched: bool,
}

impl Answerer {
    /// Answers from `sources`, tells `figures` how long it took, and `watch` who asked.
    #[must_use]
    pub fn new(sources: Sources, figures: Arc<ShardFigures>, watch: Option<Watch>) -> Self {
        Self { sources, figures, watch }
    }

    /// The view that a query which comes now is answered from.
    #[inline]
    #[must_use]
    pub fn view(&self) -> Loaded<Arc<View>> {
        self.sources.views.load()
    }

    fn decide(&self, asked: &Asked<'_>, now_us: u64, out: &mut Answer) -> Told {
        let guard = &self.sources.guard;
        let address = asked.client.ip();
        let view = self.sources.views.load();
        let rules = self.sources.rules.load();
        let admission = if asked.local {
            Admission::Open(guard.admit_local(address))
        } else {
            guard.admit(address, clock::wall_ms)
        };
        match admission {
            Admission::Open(pass) => {
                let request = Request::read(asked.line);
                let price = price_of(&pass.settings().prices, request.kind());
                let charge = guard.charge(&pass, price, now_us);
                if let Charge::Refused { over, strike } = charge {
                    let contact = &pass.settings().contact;
                    query::refuse(&view, &rules, &Refused::Quota(over), contact, out);
                    let seen = Seen::new(pass.address(), price).refused(strike);
                    return Told { class: AnswerClass::Limited, seen, watched: true };
                }
                let scarce = match charge {
                    Charge::Scarce(left) => Some(left),
                    _ => None,
                };
                let tier = pass.tier().and_then(|name| rules.tier(name)).unwrap_or(Tier::PUBLIC);
                let uses = match request.kind() {
                    QueryKind::Help | QueryKind::Limits => guard.uses(&pass, now_us),
                    _ => crate::policy::limit::Uses::default(),
                };
                let limits = limits_of(&pass, uses.all());
                let caller = Caller { tier, limits, scarce };
                let outcome = query::answer_request(&view, &rules, &caller, request, out);
                let class = class_of(outcome);
                let seen = Seen::new(pass.address(), price)
                    .named(request.subject())
                    .missed(class == AnswerClass::NotFound);
                Told { class, seen, watched: pass.is_limited() }
            }
            Admission::Blocked(block) => {
                blocked(&view, &rules, &block, &guard.settings().contact, out);
                refused(address, AnswerClass::Blocked)
            }
            Admission::Denied(by) => {
                denied(&view, &rules, &by, &guard.settings().contact, out);
                refused(address, AnswerClass::Denied)
            }
        }
    }
}

fn refused(address: IpAddr, class: AnswerClass) -> Told {
    let seen = Seen::new(address.to_canonical(), 0).refused(false);
    Told { class, seen, watched: true }
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
    query::refuse(view, rules, &refused, contact, out);
}

fn denied(view: &View, rules: &Rules, by: &Denied, contact: &str, out: &mut Answer) {
    let Some(entry) = by.entry() else { return };
    let refused = Refused::Denied {
        scope: entry.prefix,
        reason: entry.reason.as_deref().unwrap_or_default(),
    };
    query::refuse(view, rules, &refused, entry.contact.as_deref().unwrap_or(contact), out);
}

/// What a kind of query costs.
const fn price_of(prices: &Prices, kind: QueryKind) -> u32 {
    match kind {
        QueryKind::DomainPattern | QueryKind::NameserverPattern => prices.wildcard,
        QueryKind::Contact => prices.contact,
        QueryKind::Address => prices.address,
        QueryKind::Domain
        | QueryKind::Nameserver
        | QueryKind::Registrar
        | QueryKind::Roid
        | QueryKind::Help
        | QueryKind::Limits
        | QueryKind::Unreadable => prices.exact,
    }
}

fn limits_of<'a>(pass: &Pass, uses: &'a [crate::policy::limit::Use]) -> Limits<'a> {
    if pass.is_limited() {
        Limits::Some(pass.address(), uses)
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
        let told = self.decide(&asked, began_us, &mut out.0);
        let (found_us, made_us) = (out.0.began_us().max(began_us), clock::micros());
        self.figures.phases.lookup.record(found_us.saturating_sub(began_us));
        self.figures.phases.render.record(made_us.saturating_sub(found_us));
        if let Some(watch) = self.watch.as_ref().filter(|_| told.watched) {
            watch.tell(told.seen);
        }
        told.class
    }
}

fn class_of(outcome: Outcome) -> AnswerClass {
    match outcome.result {
        AnswerResult::Found | AnswerResult::Listed | AnswerResult::Help => AnswerClass::Found,
        AnswerResult::Reserved | AnswerResult::NotFound => AnswerClass::NotFound,
        AnswerResult::Refused(Refusal::Damaged) => AnswerClass::Failed,
        AnswerResult::Refused(_) => AnswerClass::Refused,
    }
}

// The engine cuts a line one byte behind the longest: `query` must take that one for too long.
const _: () = assert!(port43::limits::QUERY_LINE_BYTES_MAX == query::QUERY_LINE_BYTES_MAX);

//! What a shard answers with: who may ask, the view, the rules, and the query module between them.
//!
//! ```text
//! asked ─▶ read ─▶ admit (lists, block) ─▶ settle ─▶ charge (limits) ─▶ answer ─▶ told
//!                     └─ refused ──────────────────────┴─▶ refusal ─────────────────┘
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

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard as Loaded};

use crate::observe::counters::AnswerClass;
use crate::observe::figures::{KINDS_MAX, OUTCOMES_MAX};
use crate::observe::{ShardFigures, clock};
use crate::policy::block::Block;
use crate::policy::guard::{Admission, Charge, Denied, Guard, Pass, Prices};
use crate::policy::limit::Uses;
use crate::policy::lists::Entry;
use crate::policy::{Rules, Tier};
use crate::port43::{self, Answering, Asked};
use crate::query::whois::{
    self, Answer, AnswerResult, Caller, Limits, Query, Refusal, Refused, Request, Shown,
};
use crate::query::{QueryKind, suffix_of};
use crate::querylog::{self, Recorder};
use crate::view::View;
use crate::warden::{Observed, Reporter};

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
#[derive(Debug)]
pub struct Answerer {
    sources: Sources,
    figures: Arc<ShardFigures>,
    reporter: Option<Reporter>,
    log: Option<Recorder>,
    shard: u16,
}

/// What became of a query, for those who are told.
struct Told<'a> {
    kind: QueryKind,
    outcome: Ended,
    /// The name or identifier that was asked for.
    subject: &'a str,
    /// The suffix that the name lies under, if there is a log.
    suffix: &'a str,
    tier: Tier,
    /// Who asked; `None`: with limits off nobody is watched, and a balancer's own check never.
    seen: Option<Observed>,
}

/// How a query ended, for figures and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With one record or several.
    Found,
    /// With a list of names.
    Listed,
    /// With a name that is kept back from registration.
    Reserved,
    /// With the not-found text.
    NotFound,
    /// With help.
    Help,
    /// With the caller's limits: free, and so no measure of what was asked of the registry.
    Limits,
    /// With why the line is not served.
    Refused,
    /// With a record that cannot be read.
    Failed,
    /// With a limit that is reached.
    Limited,
    /// With a block.
    Blocked,
    /// With a list that denies.
    Denied,
}

impl Ended {
    /// All of them, in the order of the type.
    pub const ALL: [Self; 11] = [
        Self::Found,
        Self::Listed,
        Self::Reserved,
        Self::NotFound,
        Self::Help,
        Self::Limits,
        Self::Refused,
        Self::Failed,
        Self::Limited,
        Self::Blocked,
        Self::Denied,
    ];

    /// The word in logs and figures.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Listed => "listed",
            Self::Reserved => "reserved",
            Self::NotFound => "not_found",
            Self::Help => "help",
            Self::Limits => "limits",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Limited => "limited",
            Self::Blocked => "blocked",
            Self::Denied => "denied",
        }
    }

    const fn of(kind: QueryKind, result: AnswerResult) -> Self {
        match result {
            AnswerResult::Help if matches!(kind, QueryKind::Limits) => Self::Limits,
            AnswerResult::Found => Self::Found,
            AnswerResult::Listed => Self::Listed,
            AnswerResult::Reserved => Self::Reserved,
            AnswerResult::NotFound => Self::NotFound,
            AnswerResult::Help => Self::Help,
            AnswerResult::Refused(Refusal::Damaged) => Self::Failed,
            AnswerResult::Refused(_) => Self::Refused,
        }
    }

    const fn class(self) -> AnswerClass {
        match self {
            Self::Found | Self::Listed | Self::Help | Self::Limits => AnswerClass::Found,
            Self::Reserved | Self::NotFound => AnswerClass::NotFound,
            Self::Failed => AnswerClass::Failed,
            Self::Refused => AnswerClass::Refused,
            Self::Limited => AnswerClass::Limited,
            Self::Blocked => AnswerClass::Blocked,
            Self::Denied => AnswerClass::Denied,
        }
    }
}

const _: () = assert!(QueryKind::ALL.len() <= KINDS_MAX && Ended::ALL.len() <= OUTCOMES_MAX);

impl Answerer {
    /// Answers from `sources`, and tells `figures` how long it took.
    #[must_use]
    pub fn new(sources: Sources, figures: Arc<ShardFigures>) -> Self {
        let shard = u16::try_from(figures.core).unwrap_or(u16::MAX);
        Self { sources, figures, reporter: None, log: None, shard }
    }

    /// The same, telling `reporter` who asked and `log` everything.
    #[must_use]
    pub fn telling(self, reporter: Option<Reporter>, log: Option<Recorder>) -> Self {
        Self { reporter, log, ..self }
    }

    /// The view that a query which comes now is answered from.
    #[inline]
    #[must_use]
    pub fn view(&self) -> Loaded<Arc<View>> {
        self.sources.views.load()
    }

    fn decide<'a>(
        &self,
        view: &'a View,
        rules: &Rules,
        asked: &Asked<'a>,
        now_us: u64,
        out: &mut Answer,
    ) -> Told<'a> {
        let guard = &self.sources.guard;
        let address = asked.client.ip();
        let request = match asked.is_unfinished {
            true => Request::unfinished(),
            false => Request::read(asked.line),
        };
        let admission = if asked.local {
            Admission::Open(guard.admit_local(address))
        } else {
            guard.admit(address, asked.proxied, clock::wall_ms)
        };
        let contact = || guard.settings();
        let refused = match admission {
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
        let seen = Observed::new(address.to_canonical(), 0).refused(false);
        let (kind, subject) = (request.kind(), request.subject());
        let suffix = self.logged(|| suffix_of(view, subject).filter(|_| is_of_names(kind)));
        Told { kind, outcome: refused, subject, suffix, tier: Tier::PUBLIC, seen: Some(seen) }
    }

    /// What the log alone needs; nothing without one.
    fn logged<'a>(&self, suffix: impl FnOnce() -> Option<&'a str>) -> &'a str {
        self.log.as_ref().and_then(|_| suffix()).unwrap_or_default()
    }

    /// Answers who may ask, within his limits.
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
        let guard = &self.sources.guard;
        let (kind, subject) = (query.kind(), query.subject());
        let suffix = self.logged(|| query.suffix(view));
        let price = price_of(&pass.settings().prices, kind);
        let seen = if pass.is_limited() {
            Some(Observed::new(pass.address(), price))
        } else {
            pass.is_exempt().then(|| Observed::exempt(pass.address()))
        };
        let tier = pass.tier().and_then(|name| rules.tier(name)).unwrap_or(Tier::PUBLIC);
        let mut dry_run = None;
        let scarce = match guard.charge(pass, price, now_us) {
            Charge::Served => None,
            Charge::Scarce(left) => Some(left),
            Charge::DryRun(over) => {
                dry_run = Some(over.prefix.prefix_len());
                None
            }
            Charge::Refused { over, strike } => {
                whois::refuse(view, rules, &Refused::Quota(over), &pass.settings().contact, out);
                let seen = seen.map(|seen| seen.refused(strike));
                return Told { kind, outcome: Ended::Limited, subject, suffix, tier, seen };
            }
        };
        let uses = match kind {
            QueryKind::Help | QueryKind::Limits => guard.uses(pass, now_us),
            _ => Uses::default(),
        };
        let caller = Caller { tier, limits: limits_of(pass, &uses), scarce };
        let answered = whois::answer_query(view, rules, &caller, query, out);
        let more = price_of_shown(&pass.settings().prices, out.shown()).saturating_sub(price);
        if more > 0 && pass.is_limited() {
            // It may go below nothing: the next query waits for it.
            guard.limiter().add(pass.address(), pass.levels(), more, now_us);
        }
        let outcome = Ended::of(kind, answered.result);
        let missed = outcome == Ended::NotFound;
        let told = |seen: Observed| seen.named(subject).missed(missed).dry_run(dry_run).more(more);
        let seen = seen.map(told);
        Told { kind: answered.kind, outcome, subject, suffix, tier, seen }
    }

    /// Puts a query into the log, if there is one.
    #[inline]
    fn log(&mut self, view: &View, rules: &Rules, asked: &Asked<'_>, told: &Told<'_>, made: Made) {
        let Some(log) = &mut self.log else { return };
        let micros = made.at_us.saturating_sub(asked.complete_us);
        // A query that is refused for its form is logged as it came.
        let name = if told.subject.is_empty() { asked.line } else { told.subject.as_bytes() };
        log.record(querylog::Entry {
            at_ms: clock::wall_ms(),
            server: asked.server,
            client: asked.client.ip().to_canonical(),
            kind: told.kind.word(),
            outcome: told.outcome.word(),
            tier: rules.tier_names().nth(usize::from(told.tier.index())).unwrap_or_default(),
            suffix: told.suffix,
            name,
            bytes: u32::try_from(made.bytes).unwrap_or(u32::MAX),
            micros: u32::try_from(micros).unwrap_or(u32::MAX),
            shard: self.shard,
            generation: view.generation(),
        });
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

/// An answer that was made.
#[derive(Clone, Copy)]
struct Made {
    at_us: u64,
    bytes: usize,
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

/// What an answer is worth by the records in it: each what a query for it alone costs.
const fn price_of_shown(prices: &Prices, shown: Shown) -> u32 {
    let contacts = shown.contacts.saturating_mul(prices.contact);
    contacts.saturating_add(shown.records.saturating_mul(prices.exact))
}

/// What a kind of query costs.
const fn price_of(prices: &Prices, kind: QueryKind) -> u32 {
    match kind {
        QueryKind::DomainPattern | QueryKind::NameserverPattern | QueryKind::RegistrarPattern => {
            prices.wildcard
        }
        QueryKind::Contact => prices.contact,
        QueryKind::Address => prices.address,
        QueryKind::Domain
        | QueryKind::Nameserver
        | QueryKind::Registrar
        | QueryKind::Roid
        | QueryKind::Help
        | QueryKind::Unreadable => prices.exact,
        // Who is at the limit has to see it; a refusal would cost the server the same.
        QueryKind::Limits => 0,
    }
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
        let (view, rules) = (self.sources.views.load(), self.sources.rules.load());
        let told = self.decide(&view, &rules, &asked, began_us, &mut out.0);
        let (found_us, at_us) = (out.0.began_us().max(began_us), clock::micros());
        self.figures.phases.lookup.record(found_us.saturating_sub(began_us));
        self.figures.phases.render.record(at_us.saturating_sub(found_us));
        self.figures.queries.count(told.kind as usize, told.outcome as usize);
        if told.tier != Tier::PUBLIC {
            self.figures.tiers.count(usize::from(told.tier.index()));
        }
        if let (Some(reporter), Some(seen)) = (&self.reporter, told.seen) {
            reporter.tell(seen);
        }
        self.log(&view, &rules, &asked, &told, Made { at_us, bytes: out.0.bytes().len() });
        told.outcome.class()
    }
}

// The engine cuts a line one byte behind the longest: `query` must take that one for too long.
const _: () = assert!(port43::limits::QUERY_LINE_BYTES_MAX == whois::QUERY_LINE_BYTES_MAX);

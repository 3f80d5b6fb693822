//! One request into one answer: who may ask, what RDAP says, who hears of it.
//!
//! # Invariants
//!
//! - `every answer is RDAP`: refusals, too, are whole RDAP errors with the status of the answer.
//!
//! # Does not
//!
//! Read or write sockets.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use whoisd::observe::clock;
use whoisd::policy::block::Block;
use whoisd::policy::guard::{Admission, Charge, Denied, Pass};
use whoisd::policy::{Rules, Tier};
use whoisd::query::QueryKind;
use whoisd::query::rdap::{
    self, AnswerResult, Caller, Document, Outcome, Refusal, Refused, Request, Status,
};
use whoisd::shard::reception::{Ended, Made, Origin, Reception, Told};
use whoisd::view::View;
use whoisd::warden::Observed;

use crate::forwarded::Trusted;
use crate::http::{Asked, asked};

/// What a server answers under, the same for all its requests.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// Path below which RDAP lies, with both slashes.
    pub(crate) mount: Box<str>,
    /// Public base URL, for rules that have none.
    pub(crate) base: Box<str>,
    /// Whose `Forwarded` and `X-Forwarded-For` are believed.
    pub(crate) trusted: Trusted,
}

/// Answers the requests of one core.
pub(crate) struct Answerer {
    reception: Reception,
    site: Site,
    document: Document,
}

/// An answer, but for its constant headers.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Whole, for HEAD as well: its length is told.
    pub(crate) body: Bytes,
    /// After how long to ask again, seconds.
    pub(crate) retry_after_s: Option<u64>,
}

/// A request as it came.
pub(crate) struct Came<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    /// The other end, or whom the header of a proxy names.
    pub(crate) peer: IpAddr,
    /// Whether such a header names it.
    pub(crate) proxied: bool,
    /// Whether a proxy asks for itself.
    pub(crate) local: bool,
    /// Where it came in.
    pub(crate) server: SocketAddr,
    /// When it was complete, on [`clock::micros`].
    pub(crate) complete_us: u64,
}

impl Answerer {
    /// Answers for `site` what `reception` receives.
    pub(crate) fn new(reception: Reception, site: Site) -> Self {
        Self { reception, site, document: Document::timed(clock::micros) }
    }

    /// Answers a request; `None` for a preflight, which has no body and costs nothing.
    pub(crate) fn answer(&mut self, came: &Came<'_>) -> Option<Reply> {
        let began_us = clock::micros();
        let asked = asked(came.method, came.uri, came.headers, &self.site.mount);
        if asked == Asked::Preflight {
            return None;
        }
        let (client, named) = self.site.trusted.client(came.peer, came.headers);
        let origin = Origin {
            client,
            server: came.server,
            proxied: came.proxied || named,
            local: came.local && !named,
            complete_us: came.complete_us,
        };
        let (view, rules) = (self.reception.view(), self.reception.rules());
        let came_for = match asked {
            Asked::Rdap(target) => target,
            _ => "",
        };
        let (request, target) = (Request::read(came_for), rdap::escaped(came_for.as_bytes()));
        let asking = Asking { view: &view, rules: &rules, target: &target, request: &request };
        let (told, status, retry_after_s) = match self.reception.admit(&origin) {
            Admission::Open(pass) => self.serve(&asking, &asked, &pass, began_us),
            Admission::Blocked(block) => self.blocked(&asking, &block, client),
            Admission::Denied(by) => self.denied(&asking, &by, client),
        };
        let body = Bytes::copy_from_slice(self.document.bytes());
        let (found_us, at_us) = (self.document.began_us(), clock::micros());
        let made = Made { began_us, found_us, at_us, bytes: body.len() };
        self.reception.tell((&view, &rules), &origin, &told, &made);
        Some(Reply { status: status.code, body, retry_after_s })
    }

    /// Answers a client that may ask, within its limits.
    fn serve<'a>(
        &mut self,
        asking: &Asking<'a>,
        asked: &Asked<'_>,
        pass: &Pass,
        now_us: u64,
    ) -> (Told<'a>, Status, Option<u64>) {
        let kind = match asked {
            Asked::Rdap(_) => asking.request.kind(),
            Asked::Preflight | Asked::Refused(..) => QueryKind::Unreadable,
        };
        let tier = Reception::tier(pass, asking.rules);
        let charged = self.reception.charge(pass, kind, now_us);
        if let Charge::Refused { over, strike } = charged.charge {
            let status = self.refuse(asking, &Refused::Quota(over));
            let seen = charged.seen.map(|seen| seen.refused(strike));
            let told = self.told(asking, kind, (Ended::Limited, tier, seen));
            return (told, status, Some(over.wait_s));
        }
        let (outcome, status) = match asked {
            Asked::Refused(status, text) => {
                self.refuse(asking, &Refused::Http(*status, text));
                let result = AnswerResult::Refused(Refusal::Path);
                (Outcome { kind, result }, *status)
            }
            Asked::Rdap(_) | Asked::Preflight => {
                let caller = Caller { tier, base: &self.site.base, target: asking.target, index: None };
                let (view, rules) = (asking.view, asking.rules);
                let outcome =
                    rdap::answer(view, rules, &caller, asking.request, &mut self.document);
                (outcome, outcome.result.status())
            }
        };
        let shown = self.document.shown();
        let more = self.reception.charge_shown(pass, charged.price, shown, now_us);
        let ended = ended(outcome.result);
        let subject = asking.request.subject();
        let (missed, dry_run) = (ended == Ended::NotFound, charged.dry_run());
        let seen = |seen: Observed| seen.named(subject).missed(missed).dry_run(dry_run).more(more);
        let told = self.told(asking, outcome.kind, (ended, tier, charged.seen.map(seen)));
        (told, status, None)
    }

    fn blocked<'a>(
        &mut self,
        asking: &Asking<'a>,
        block: &Block,
        client: IpAddr,
    ) -> (Told<'a>, Status, Option<u64>) {
        let settings = self.reception.guard().settings();
        let (until_ms, reason, contact) = (block.until_ms, &*block.reason, &*settings.contact);
        let status = self.refuse(asking, &Refused::Blocked { until_ms, reason, contact });
        let left_ms = until_ms.saturating_sub(clock::wall_ms());
        let wait_s = u64::try_from(left_ms).unwrap_or(0).div_ceil(1_000);
        (self.told_refused(asking, Ended::Blocked, client), status, Some(wait_s.max(1)))
    }

    fn denied<'a>(
        &mut self,
        asking: &Asking<'a>,
        by: &Denied,
        client: IpAddr,
    ) -> (Told<'a>, Status, Option<u64>) {
        let settings = self.reception.guard().settings();
        let entry = by.entry();
        let reason = entry.and_then(|entry| entry.reason.as_deref()).unwrap_or_default();
        let own = entry.and_then(|entry| entry.contact.as_deref());
        let contact = own.unwrap_or(&settings.contact);
        let status = self.refuse(asking, &Refused::Denied { reason, contact });
        (self.told_refused(asking, Ended::Denied, client), status, None)
    }

    fn refuse(&mut self, asking: &Asking<'_>, refused: &Refused<'_>) -> Status {
        let caller = Caller { tier: Tier::PUBLIC, base: &self.site.base, target: asking.target, index: None };
        rdap::refuse(asking.view, asking.rules, &caller, refused, &mut self.document)
    }

    fn told_refused<'a>(&self, asking: &Asking<'a>, outcome: Ended, client: IpAddr) -> Told<'a> {
        let seen = Observed::new(client, 0).refused(false);
        self.told(asking, asking.request.kind(), (outcome, Tier::PUBLIC, Some(seen)))
    }

    fn told<'a>(
        &self,
        asking: &Asking<'a>,
        kind: QueryKind,
        (outcome, tier, seen): (Ended, Tier, Option<Observed>),
    ) -> Told<'a> {
        let suffix = self.reception.logged(|| asking.request.suffix(asking.view));
        let subject = asking.request.subject();
        let subject = if subject.is_empty() { asking.target } else { subject };
        Told { kind, outcome, subject: subject.as_bytes(), suffix, tier, seen }
    }
}

/// What one request is answered from.
struct Asking<'a> {
    view: &'a View,
    rules: &'a Rules,
    target: &'a str,
    request: &'a Request,
}

/// How an answer ended.
const fn ended(result: AnswerResult) -> Ended {
    match result {
        AnswerResult::Found => Ended::Found,
        AnswerResult::Listed => Ended::Listed,
        AnswerResult::Reserved => Ended::Reserved,
        AnswerResult::Help => Ended::Help,
        AnswerResult::Refused(Refusal::NotFound) => Ended::NotFound,
        AnswerResult::Refused(Refusal::Damaged) => Ended::Failed,
        AnswerResult::Refused(_) => Ended::Refused,
    }
}

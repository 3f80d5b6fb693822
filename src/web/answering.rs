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
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, Version};
use tokio::sync::oneshot;
use whoisd::observe::clock;
use whoisd::policy::block::Block;
use whoisd::policy::guard::{Admission, Charge, Denied, Pass};
use whoisd::policy::{Rules, Tier};
use whoisd::query::rdap::{
    self, AnswerResult, Caller, Document, Outcome, Refusal, Refused, Request, Status,
};
use whoisd::query::search::{Awaited, Index};
use whoisd::query::{QueryKind, Shown};
use whoisd::shard::reception::{Charged, Ended, Made, Origin, Reception, Told};
use whoisd::time::Seldom;
use whoisd::view::View;
use whoisd::warden::Observed;

use crate::beside::Beside;
use crate::forwarded::Trusted;
use crate::http::{Asked, NO_HOST, Wrong, asked, named, names_host};
use crate::search::{self, Pool};

/// How often a core writes that a proxy names nobody, milliseconds: its health checks do so, too.
const UNNAMED_LOG_EVERY_MS: i64 = 3_600_000;

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
    searches: Pool,
    /// Requests of proxies that name nobody.
    unnamed: Seldom,
}

/// An answer, but for its constant headers.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Whole, for HEAD as well: its length is told.
    pub(crate) body: Bytes,
    pub(crate) beside: Beside,
}

/// A request as it came.
pub(crate) struct Came<'a> {
    pub(crate) method: &'a Method,
    pub(crate) version: Version,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    /// The other end, or whom the header of a proxy names.
    pub(crate) peer: IpAddr,
    /// Whether such a header names it.
    pub(crate) proxied: bool,
    /// Whether a proxy asks for itself.
    pub(crate) local: bool,
    /// Whether it came in over TLS.
    pub(crate) encrypted: bool,
    /// Whether it came without TLS where TLS is spoken.
    pub(crate) misdirected: bool,
    /// Where it came in.
    pub(crate) server: SocketAddr,
    /// When it was complete, on [`clock::micros`].
    pub(crate) complete_us: u64,
}

/// What becomes of a request.
pub(crate) enum Answer {
    Now(Reply),
    /// Once a search has been made.
    Later(oneshot::Receiver<search::Made>, Box<Pending>),
}

/// A request whose search is under way.
pub(crate) struct Pending {
    origin: Origin,
    pass: Pass,
    charged: Charged,
    tier: Tier,
    view: Arc<View>,
    rules: Arc<Rules>,
    target: String,
    request: Request,
    began_us: u64,
}

/// What a preflight is answered with.
pub(crate) const NO_CONTENT: Status = Status::new(204, "No Content");

/// What a request reads that came without TLS where TLS is spoken.
const TLS_ALONE: &str = "This port speaks TLS, and the request came without it; ask by https.";

/// What a request refused for want of TLS reads (RFC 9536 section 12).
const HTTPS_ONLY: &str = "Reverse searches are answered over HTTPS alone.";

impl Answerer {
    /// Answers for `site` what `reception` receives; searches are made by `searches`.
    pub(crate) fn new(reception: Reception, site: Site, searches: Pool) -> Self {
        let document = Document::timed(clock::micros);
        Self { reception, site, document, searches, unnamed: Seldom::new(UNNAMED_LOG_EVERY_MS) }
    }

    /// Answers a request, or begins to.
    pub(crate) fn answer(&mut self, came: &Came<'_>) -> Answer {
        let mut asked = asked(came.method, came.uri, came.headers, &self.site.mount);
        let (client, by_proxy) = self.site.trusted.client(came.peer, came.headers);
        self.count_forwarded(came.peer, by_proxy);
        let origin = Origin {
            client,
            server: came.server,
            proxied: came.proxied || by_proxy,
            local: came.local && !by_proxy,
            complete_us: came.complete_us,
        };
        let (came_for, unread) = match asked {
            Asked::Rdap(target) => (target, ""),
            _ => ("", named(came.uri, &self.site.mount)),
        };
        let request = Request::read(came_for);
        if came.misdirected {
            asked = Asked::Refused(Status::BAD_REQUEST, TLS_ALONE);
        } else if !names_host(came.version, came.uri, came.headers) {
            asked = Asked::Refused(Status::BAD_REQUEST, NO_HOST);
        } else if request.is_reverse() && !came.encrypted && !origin.proxied {
            asked = Asked::Refused(Status::FORBIDDEN, HTTPS_ONLY);
        }
        let [target, unread] = [came_for, unread].map(|text| rdap::escaped(text.as_bytes()));
        self.respond(&origin, &asked, Read { request, target, unread })
    }

    /// Refuses a head that could not be read: nothing is known of it but where it came from.
    pub(crate) fn refuse_head(&mut self, came: &Came<'_>, wrong: Wrong) -> Reply {
        let origin = Origin {
            client: came.peer.to_canonical(),
            server: came.server,
            proxied: came.proxied,
            // A listed proxy sends it for a client that its fields would name: what others send
            // takes nothing from the proxy's limits, by which its checks are answered.
            local: came.local || self.site.trusted.is_proxy(came.peer),
            complete_us: came.complete_us,
        };
        let (status, text) =
            if came.misdirected { (Status::BAD_REQUEST, TLS_ALONE) } else { wrong.refusal() };
        let (request, target, unread) = (Request::read(""), String::new(), String::new());
        let read = Read { request, target, unread };
        match self.respond(&origin, &Asked::Refused(status, text), read) {
            Answer::Now(reply) => reply,
            // Only searches are answered later.
            Answer::Later(..) => {
                Reply { status: status.code, body: Bytes::new(), beside: Beside::default() }
            }
        }
    }

    /// Counts whom a trusted proxy names; that one names nobody is written once in a while.
    fn count_forwarded(&mut self, peer: IpAddr, by_proxy: bool) {
        if !self.site.trusted.is_proxy(peer) {
            return;
        }
        let counters = &self.reception.figures().counters;
        let counter = if by_proxy { &counters.forwarded } else { &counters.forwarded_unnamed };
        counter.add(1);
        if by_proxy {
            return;
        }
        if let Some(unwritten_count) = self.unnamed.due(clock::wall_ms()) {
            let (peer, header) = (peer.to_canonical(), self.site.trusted.header());
            tracing::warn!(
                %peer, header, unwritten_count,
                "a trusted proxy named no client; the request counts as its own"
            );
        }
    }

    /// Answers what was read, or begins to.
    fn respond(&mut self, origin: &Origin, asked: &Asked<'_>, read: Read) -> Answer {
        // Reading a request is a part of looking it up.
        let began_us = origin.complete_us;
        let (view, rules) = (self.reception.view(), self.reception.rules());
        let Read { request, target, unread } = read;
        let asking = Asking {
            view: &view,
            rules: &rules,
            target: &target,
            unread: &unread,
            request: &request,
        };
        let (told, status, beside) = match self.reception.admit(origin) {
            Admission::Open(pass) => match self.serve(&asking, asked, &pass, began_us) {
                Served::Now(told, status, beside) => (told, status, beside),
                Served::Later(made, charged, tier) => {
                    let (view, rules) = (Arc::clone(&view), Arc::clone(&rules));
                    return Answer::Later(
                        made,
                        Box::new(Pending {
                            origin: *origin,
                            pass,
                            charged,
                            tier,
                            view,
                            rules,
                            target,
                            request,
                            began_us,
                        }),
                    );
                }
            },
            Admission::Blocked(block) => self.blocked(&asking, &block, origin.client),
            Admission::Denied(by) => self.denied(&asking, &by, origin.client),
        };
        let has_body = status != NO_CONTENT;
        let body = if has_body { self.document.bytes() } else { &[] };
        let body = Bytes::copy_from_slice(body);
        let found_us = if has_body { self.document.began_us() } else { began_us };
        let at_us = clock::micros();
        let made = Made { began_us, found_us, at_us, bytes: body.len() };
        self.count(told.outcome);
        self.reception.tell((&view, &rules), origin, &told, &made);
        Answer::Now(Reply { status: status.code, body, beside })
    }

    /// Ends what [`Answer::Later`] began; `None`: the thread of the search is gone.
    pub(crate) fn finish(&mut self, pending: &Pending, made: Option<search::Made>) -> Reply {
        let Pending { view, rules, target, request, .. } = pending;
        let asking = Asking { view, rules, target, unread: "", request };
        let made = made.unwrap_or_else(|| {
            let caller = caller(&self.site, &self.searches, &asking, pending.tier);
            let refused = Refused::Http(Status::FAILED, "The search was not finished.");
            rdap::refuse(view, rules, &caller, &refused, &mut self.document);
            search::Made {
                outcome: Outcome {
                    kind: request.kind(),
                    result: AnswerResult::Refused(Refusal::Damaged),
                },
                body: Bytes::copy_from_slice(self.document.bytes()),
                shown: self.document.shown(),
                began_us: 0,
            }
        });
        let told = self.answered(
            &asking,
            &pending.pass,
            (&pending.charged, pending.tier),
            (made.outcome, made.shown),
        );
        let times = Made {
            began_us: pending.began_us,
            found_us: made.began_us,
            at_us: clock::micros(),
            bytes: made.body.len(),
        };
        self.count(told.outcome);
        self.reception.tell((view, rules), &pending.origin, &told, &times);
        let result = made.outcome.result;
        let beside = Beside::of(result, &pending.charged);
        Reply { status: result.status().code, body: made.body, beside }
    }

    /// Answers a client that may ask, within its limits.
    fn serve<'a>(
        &mut self,
        asking: &Asking<'a>,
        asked: &Asked<'_>,
        pass: &Pass,
        now_us: u64,
    ) -> Served<'a> {
        let kind = match asked {
            Asked::Rdap(_) => asking.request.kind(),
            Asked::Preflight | Asked::Refused(..) => QueryKind::Unreadable,
        };
        let tier = Reception::tier(pass, asking.rules);
        let charged = self.reception.charge(pass, kind, now_us);
        if let Charge::Refused { over, strike } = charged.charge {
            let settings = self.reception.guard().settings();
            let contact = &*settings.contact;
            let status = self.refuse(asking, &Refused::Quota { over, contact });
            let seen = charged.seen.map(|seen| seen.refused(strike));
            let told = self.told(asking, kind, (Ended::Limited, tier, seen));
            let beside = Beside::again_in(over.wait_s);
            return Served::Now(told, status, beside);
        }
        if *asked == Asked::Preflight {
            // It shows nothing: its price is all that it costs.
            let seen = charged.seen.map(|seen| seen.dry_run(charged.dry_run()));
            let told = self.told(asking, kind, (Ended::Preflight, tier, seen));
            return Served::Now(told, NO_CONTENT, Beside::default());
        }
        let (outcome, status) = match asked {
            Asked::Refused(status, text) => {
                self.refuse(asking, &Refused::Http(*status, text));
                let result = AnswerResult::Refused(Refusal::Path);
                (Outcome { kind, result }, *status)
            }
            Asked::Rdap(_) | Asked::Preflight if asking.request.is_long() => {
                let job = search::Job {
                    view: Arc::clone(asking.view),
                    rules: Arc::clone(asking.rules),
                    request: asking.request.clone(),
                    tier,
                    base: self.site.base.clone(),
                    target: asking.target.to_owned(),
                };
                if let Some(made) = self.searches.order(job) {
                    return Served::Later(made, charged, tier);
                }
                let caller = caller(&self.site, &self.searches, asking, tier);
                let result = AnswerResult::Refused(Refusal::Busy);
                let refused = Refused::Of(Refusal::Busy);
                let status =
                    rdap::refuse(asking.view, asking.rules, &caller, &refused, &mut self.document);
                (Outcome { kind, result }, status)
            }
            Asked::Rdap(_) | Asked::Preflight => {
                let caller = caller(&self.site, &self.searches, asking, tier);
                let (view, rules) = (asking.view, asking.rules);
                let outcome =
                    rdap::answer(view, rules, &caller, asking.request, &mut self.document);
                (outcome, outcome.result.status())
            }
        };
        let shown = self.document.shown();
        let told = self.answered(asking, pass, (&charged, tier), (outcome, shown));
        Served::Now(told, status, Beside::of(outcome.result, &charged))
    }

    /// Charges what an answer shows, and says what became of the query.
    fn answered<'a>(
        &self,
        asking: &Asking<'a>,
        pass: &Pass,
        (charged, tier): (&Charged, Tier),
        (outcome, shown): (Outcome, Shown),
    ) -> Told<'a> {
        let more = self.reception.charge_shown(pass, charged.price, shown, clock::micros());
        let ended = ended(outcome.result);
        let subject = asking.request.subject();
        let (missed, dry_run) = (ended == Ended::NotFound, charged.dry_run());
        let seen = |seen: Observed| seen.named(subject).missed(missed).dry_run(dry_run).more(more);
        self.told(asking, outcome.kind, (ended, tier, charged.seen.map(seen)))
    }

    fn blocked<'a>(
        &mut self,
        asking: &Asking<'a>,
        block: &Block,
        client: IpAddr,
    ) -> (Told<'a>, Status, Beside) {
        let settings = self.reception.guard().settings();
        let (until_ms, reason, contact) = (block.until_ms, &*block.reason, &*settings.contact);
        let status = self.refuse(asking, &Refused::Blocked { until_ms, reason, contact });
        let left_ms = until_ms.saturating_sub(clock::wall_ms());
        let wait_s = u64::try_from(left_ms).unwrap_or(0).div_ceil(1_000);
        let beside = Beside::again_in(wait_s.max(1));
        (self.told_refused(asking, Ended::Blocked, client), status, beside)
    }

    fn denied<'a>(
        &mut self,
        asking: &Asking<'a>,
        by: &Denied,
        client: IpAddr,
    ) -> (Told<'a>, Status, Beside) {
        let settings = self.reception.guard().settings();
        let entry = by.entry();
        let reason = entry.and_then(|entry| entry.reason.as_deref()).unwrap_or_default();
        let own = entry.and_then(|entry| entry.contact.as_deref());
        let contact = own.unwrap_or(&settings.contact);
        let status = self.refuse(asking, &Refused::Denied { reason, contact });
        (self.told_refused(asking, Ended::Denied, client), status, Beside::default())
    }

    fn count(&self, outcome: Ended) {
        self.reception.figures().counters.count_answer(outcome.class());
    }

    fn refuse(&mut self, asking: &Asking<'_>, refused: &Refused<'_>) -> Status {
        let (tier, base, target) = (Tier::PUBLIC, &*self.site.base, asking.target);
        let caller = Caller { tier, base, target, index: None };
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
        let named = [asking.request.subject(), asking.target, asking.unread];
        let subject = named.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        Told { kind, outcome, subject: subject.as_bytes(), suffix, tier, seen }
    }
}

/// What was read of a request; see [`Asking`].
struct Read {
    request: Request,
    target: String,
    unread: String,
}

/// What one request is answered from.
struct Asking<'a> {
    view: &'a Arc<View>,
    rules: &'a Arc<Rules>,
    target: &'a str,
    /// The path of a request that is refused before RDAP is read, for the log alone.
    unread: &'a str,
    request: &'a Request,
}

/// Who asks; help says whether there are searches.
fn caller<'a>(site: &'a Site, searches: &Pool, asking: &Asking<'a>, tier: Tier) -> Caller<'a> {
    let index: Option<&dyn Index> = if searches.has_index() { Some(&Awaited) } else { None };
    Caller { tier, base: &site.base, target: asking.target, index }
}

/// How far serving a request has come.
enum Served<'a> {
    Now(Told<'a>, Status, Beside),
    Later(oneshot::Receiver<search::Made>, Charged, Tier),
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

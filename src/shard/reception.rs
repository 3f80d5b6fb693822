//! What a shard does with any request, whichever protocol it speaks: who may ask, what it costs,
//! and who hears of it.
//!
//! ```text
//! admit (lists, block) ─▶ charge (limits) ─▶ (the protocol answers) ─▶ add what was shown ─▶ tell
//! ```
//!
//! # Invariants
//!
//! - `every query is told`: whatever came of it, the shard's figures and the warden hear of it, and
//!   neither is waited for.
//!
//! # Does not
//!
//! Decide: `policy` says who is served. Know how requests are written, or how answers read.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard as Loaded};

use crate::observe::counters::AnswerClass;
use crate::observe::figures::{KINDS_MAX, OUTCOMES_MAX};
use crate::observe::{ShardFigures, clock};
use crate::policy::guard::{Admission, Charge, Guard, Pass, Prices};
use crate::policy::{Rules, Tier};
use crate::query::{QueryKind, Shown};
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
    /// With what a browser asks before it lets a script ask: no query.
    Preflight,
}

impl Ended {
    /// All of them, in the order of the type.
    pub const ALL: [Self; 12] = [
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
        Self::Preflight,
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
            Self::Preflight => "preflight",
        }
    }

    /// What it counts as.
    #[must_use]
    pub const fn class(self) -> AnswerClass {
        match self {
            Self::Found | Self::Listed | Self::Help | Self::Limits => AnswerClass::Found,
            Self::Preflight => AnswerClass::Preflight,
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

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Who asks.
    pub client: IpAddr,
    /// Where it came in.
    pub server: SocketAddr,
    /// Whether a trusted proxy names the client.
    pub proxied: bool,
    /// Whether it is a proxy's own request, such as a health check.
    pub local: bool,
    /// When it was complete, on [`clock::micros`].
    pub complete_us: u64,
}

/// What became of a query, for those who are told.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// What kind of query it was.
    pub kind: QueryKind,
    /// What came of it.
    pub outcome: Ended,
    /// The name or identifier that was asked for; without one, what the client has sent.
    pub subject: &'a [u8],
    /// The suffix that the name lies under, if there is a log.
    pub suffix: &'a str,
    /// What the client may see.
    pub tier: Tier,
    /// Who asked; `None`: with limits off nobody is watched, and a balancer's own check never.
    pub seen: Option<Observed>,
}

/// An answer that was made.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    /// When its making began.
    pub began_us: u64,
    /// When looking up ended and rendering began; 0 is not known.
    pub found_us: u64,
    /// When it was ready.
    pub at_us: u64,
    /// Its length.
    pub bytes: usize,
}

/// What a query came to at the limits, before it is answered.
#[derive(Clone, Copy, Debug)]
pub struct Charged {
    /// What its kind costs.
    pub price: u32,
    /// Who asks, for the warden.
    pub seen: Option<Observed>,
    /// Whether it is served.
    pub charge: Charge,
}

impl Charged {
    /// Length of the prefix whose limit would have refused it, in a dry run.
    #[must_use]
    pub fn dry_run(&self) -> Option<u8> {
        match self.charge {
            Charge::DryRun(over) => Some(over.prefix.prefix_len()),
            _ => None,
        }
    }
}

/// Receives the requests of one shard.
#[derive(Debug)]
pub struct Reception {
    sources: Sources,
    figures: Arc<ShardFigures>,
    reporter: Option<Reporter>,
    log: Option<Recorder>,
    shard: u16,
}

impl Reception {
    /// Receives for `sources`, and tells `figures` how long it took.
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

    /// The rules that a query which comes now is answered under.
    #[inline]
    #[must_use]
    pub fn rules(&self) -> Loaded<Arc<Rules>> {
        self.sources.rules.load()
    }

    /// Who is served.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.sources.guard
    }

    /// What the shard tells about itself.
    #[must_use]
    pub fn figures(&self) -> &ShardFigures {
        &self.figures
    }

    /// Whether a request may be looked at.
    #[inline]
    #[must_use]
    pub fn admit(&self, origin: &Origin) -> Admission {
        let guard = &self.sources.guard;
        if origin.local {
            return Admission::Open(guard.admit_local(origin.client));
        }
        guard.admit(origin.client, origin.proxied, clock::wall_ms)
    }

    /// What the log alone needs; nothing without one.
    pub fn logged<'a>(&self, suffix: impl FnOnce() -> Option<&'a str>) -> &'a str {
        self.log.as_ref().and_then(|_| suffix()).unwrap_or_default()
    }

    /// What a client may see under the rules.
    #[inline]
    #[must_use]
    pub fn tier(pass: &Pass, rules: &Rules) -> Tier {
        pass.tier().and_then(|name| rules.tier(name)).unwrap_or(Tier::PUBLIC)
    }

    /// Charges what a kind of query costs.
    #[inline]
    #[must_use]
    pub fn charge(&self, pass: &Pass, kind: QueryKind, now_us: u64) -> Charged {
        let price = price_of(&pass.settings().prices, kind);
        let seen = if pass.is_limited() {
            Some(Observed::new(pass.address(), price))
        } else {
            pass.is_exempt().then(|| Observed::exempt(pass.address()))
        };
        Charged { price, seen, charge: self.sources.guard.charge(pass, price, now_us) }
    }

    /// Charges what an answer has shown beyond the price of its kind, which it returns.
    #[inline]
    #[must_use]
    pub fn charge_shown(&self, pass: &Pass, price: u32, shown: Shown, now_us: u64) -> u32 {
        let more = price_of_shown(&pass.settings().prices, shown).saturating_sub(price);
        if more > 0 && pass.is_limited() {
            // It may go below nothing: the next query waits for it.
            self.sources.guard.limiter().add(pass.address(), pass.levels(), more, now_us);
        }
        more
    }

    /// Tells figures, warden and log of a query.
    #[inline]
    pub fn tell(
        &mut self,
        (view, rules): (&View, &Rules),
        origin: &Origin,
        told: &Told<'_>,
        made: &Made,
    ) {
        let found_us = made.found_us.max(made.began_us);
        self.figures.phases.lookup.record(found_us.saturating_sub(made.began_us));
        self.figures.phases.render.record(made.at_us.saturating_sub(found_us));
        self.figures.queries.count(told.kind as usize, told.outcome as usize);
        if told.tier != Tier::PUBLIC {
            self.figures.tiers.count(usize::from(told.tier.index()));
        }
        if let (Some(reporter), Some(seen)) = (&self.reporter, told.seen) {
            reporter.tell(seen);
        }
        let Some(log) = &mut self.log else { return };
        let micros = made.at_us.saturating_sub(origin.complete_us);
        log.record(querylog::Entry {
            at_ms: clock::wall_ms(),
            server: origin.server,
            client: origin.client.to_canonical(),
            kind: told.kind.word(),
            outcome: told.outcome.word(),
            tier: rules.tier_names().nth(usize::from(told.tier.index())).unwrap_or_default(),
            suffix: told.suffix,
            name: told.subject,
            bytes: u32::try_from(made.bytes).unwrap_or(u32::MAX),
            micros: u32::try_from(micros).unwrap_or(u32::MAX),
            shard: self.shard,
            generation: view.generation(),
        });
    }
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
        // A client at its limit has to see it; a refusal would cost the server the same.
        QueryKind::Limits => 0,
    }
}

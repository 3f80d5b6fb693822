//! The figures of a running server in one piece, for `whoisd top`.
//!
//! # Does not
//!
//! Count anything itself, or touch shards.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use snapshot_format::Kind;

use super::Sources;
use super::metrics::Service;
use crate::observe::clock;
use crate::observe::figures::ShardFigures;
use crate::observe::histogram::{self, Snapshot};
use crate::observe::readout::{
    Bucket, Deadline, Feed, Figures, Limiter, Phase, Queries, Refusal, Shard, Source, TierQueries,
    thread_cpu_us,
};
use crate::policy::guard::Why;
use crate::policy::lists::{Action, Lists};
use crate::query::QueryKind;
use crate::querylog;
use crate::shard::Ended;

impl Sources {
    /// Everything, at this moment.
    #[must_use]
    pub fn readout(&self) -> Figures {
        let figures = self.figures();
        let mut all = Figures {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_ms: self.started_ms,
            at_ms: (self.now_ms)(),
            at_us: clock::micros(),
            generation: figures.generation,
            serial: figures.serial,
            data_age_s: figures.age_s,
            domains: figures.counts.get(Kind::Domain as usize).copied().unwrap_or(0).into(),
            spool: self.spool.is_some(),
            spool_waits: figures.spool_waits().map(|(_, what)| what),
            feed: figures.feed.map(|feed| Feed {
                connected: feed.server.is_some(),
                backlog: feed.backlog_count,
                error: feed.error.as_ref().map(|trouble| trouble.text.clone()),
            }),
            draining: self.draining.load(Ordering::Relaxed),
            ..Figures::default()
        };
        if let Some(service) = &self.service {
            service.read_out(&mut all);
        }
        all
    }
}

impl Service {
    fn read_out(&self, all: &mut Figures) {
        let log = self.log.as_ref().map(|log| log.report());
        let rings = log.iter().flat_map(|report| report.shards.iter().copied().map(Some));
        let rings = rings.chain(std::iter::repeat(None));
        all.shards = self.shards.iter().zip(rings).map(|(of, ring)| shard(of, ring)).collect();
        let refused = self.guard.figures();
        for (reason, why) in [("limit", Why::Limit), ("block", Why::Block), ("deny", Why::Deny)] {
            all.refusals.extend(refused.rows(why).map(|(length, count)| Refusal {
                reason: reason.to_owned(),
                prefix_length: u8::try_from(length).unwrap_or(u8::MAX),
                count,
            }));
        }
        let limiter = self.guard.limiter();
        all.limiter = Some(Limiter {
            entries: self.warden.limiter_entries.load(Ordering::Relaxed),
            capacity: limiter.capacity() as u64,
            evictions: limiter.eviction_count(),
            dry_run: refused.rows(Why::DryRun).map(|(_, count)| count).sum(),
        });
        all.blocks = self.guard.blocks().count() as u64;
        all.blocks_total = self.warden.blocks_total.load(Ordering::Relaxed);
        all.mining_flags = self.warden.flags().map(|(_, count)| count).sum();
        all.log_written_bytes = log.map_or(0, |report| report.written_bytes);
        let rules = self.rules.load();
        let named = rules.tier_names().enumerate().skip(1).map(|(index, name)| TierQueries {
            tier: name.to_owned(),
            count: self.shards.iter().map(|shard| shard.tiers.get(index)).sum(),
        });
        all.tiers = named.collect();
        let (top, lists) = (self.warden.top.load(), self.guard.lists());
        let loopback_free = self.guard.settings().loopback_free;
        let source = |one: &crate::warden::Top| Source {
            prefix: one.prefix.to_string(),
            count: one.query_count,
            standing: standing(&lists, one.prefix.addr(), loopback_free),
        };
        all.sources = top.iter().map(source).collect();
    }
}

/// What lists make of a source, in a few words.
fn standing(lists: &Lists, address: IpAddr, loopback_free: bool) -> String {
    let standing = lists.standing(address);
    let action = match standing.action() {
        Action::Allow => "allowed",
        Action::Deny => "denied",
        Action::Limits(_) => "own limits",
        Action::None if loopback_free && address.is_loopback() => "loopback",
        Action::None => "",
    };
    match (action, standing.tier) {
        (action, None) => action.to_owned(),
        ("", Some(tier)) => format!("tier {tier}"),
        (action, Some(tier)) => format!("{action}, tier {tier}"),
    }
}

fn shard(figures: &ShardFigures, ring: Option<querylog::RingFigures>) -> Shard {
    let (engine, counters) = (&figures.engine, figures.counters.totals());
    let mut queries = Vec::new();
    for kind in QueryKind::ALL {
        for outcome in Ended::ALL {
            let count = figures.queries.get(kind as usize, outcome as usize);
            if count > 0 {
                let (kind, outcome) = (kind.word().to_owned(), outcome.word().to_owned());
                queries.push(Queries { kind, outcome, count });
            }
        }
    }
    let deadlines = counters.rows().filter_map(|(name, count)| {
        Some(Deadline { phase: name.strip_prefix("expired_")?.to_owned(), count })
    });
    let phases = figures.phases.snapshot();
    let dropped = ring.map_or(0, |ring| ring.dropped);
    Shard {
        core: figures.core,
        cpu_us: i32::try_from(engine.thread.get()).ok().and_then(thread_cpu_us),
        turns: engine.turns.get(),
        completions: engine.completions.get(),
        connections_open: engine.connections_open.get(),
        accepted: counters.accepted,
        queries,
        deadlines: deadlines.collect(),
        phases: phases.rows().map(|(name, snapshot)| phase(name, snapshot)).collect(),
        log_entries: ring.map_or(0, |_| figures.queries.count_all().saturating_sub(dropped)),
        log_dropped: dropped,
        sent_bytes: counters.sent_bytes,
        received_bytes: counters.received_bytes,
        answer_buffers_free: engine.buffers_free.get(),
    }
}

fn phase(name: &str, snapshot: &Snapshot) -> Phase {
    let buckets = snapshot.counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let buckets = buckets
        .map(|(index, count)| Bucket { below_us: histogram::bound_us(index), count: *count });
    Phase { name: name.to_owned(), sum_us: snapshot.sum_us, buckets: buckets.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::lists::parse;

    #[test]
    fn a_source_is_shown_with_what_the_lists_make_of_it() {
        let entry =
            |prefix: &str, rest: &str| format!("[[entry]]\nprefix = \"{prefix}\"\n{rest}\n");
        let text = [
            entry("192.0.2.0/24", "action = \"allow\""),
            entry("192.0.2.7", "tier = \"police\""),
            entry("198.51.100.0/24", "tier = \"partner\""),
            entry("203.0.113.1", "action = \"deny\""),
            entry("2001:db8::/32", "action = \"limit\"\nqueries_per_min = 9"),
        ];
        let entries = parse("a.toml", &text.concat()).unwrap();
        let lists = Lists::new(vec![entries], &|_| true, 0).unwrap();
        for (address, expected) in [
            ("192.0.2.1", "allowed"),
            ("192.0.2.7", "allowed, tier police"),
            ("198.51.100.9", "tier partner"),
            ("203.0.113.1", "denied"),
            ("2001:db8::1", "own limits"),
            ("203.0.113.2", ""),
            ("127.0.0.1", "loopback"),
        ] {
            assert_eq!(standing(&lists, address.parse().unwrap(), true), expected, "{address}");
        }
        assert_eq!(standing(&lists, IpAddr::from([127, 0, 0, 1]), false), "");
    }
}

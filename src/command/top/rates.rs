//! Two readings into what happens per second between them.
//!
//! # Invariants
//!
//! - A count that went down (the server started again) makes no rate: the reading before it is then
//!   of another process and is not compared.
//!
//! # Does not
//!
//! Ask the server, or draw.

use crate::observe::readout::{Bucket, Figures, Phase, Shard};

/// What a server does between two readings.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::command) struct Rates {
    /// Time between the readings, seconds.
    pub(in crate::command) seconds: f64,
    pub(in crate::command) shards: Vec<ShardRates>,
    /// By name, the most frequent first.
    pub(in crate::command) outcomes: Vec<(String, f64)>,
    /// By tier, the most frequent first; the public is left out.
    pub(in crate::command) tiers: Vec<(String, f64)>,
    /// By reason, the most frequent first.
    pub(in crate::command) refusals: Vec<(String, f64)>,
    /// Phases of all shards together, in the order of a query.
    pub(in crate::command) phases: Vec<PhaseTimes>,
    pub(in crate::command) sources: Vec<SourceRate>,
    pub(in crate::command) evictions: f64,
    pub(in crate::command) dry_run: f64,
    pub(in crate::command) log_written_bytes: f64,
    pub(in crate::command) mining_flags: f64,
}

/// What one shard does, per second.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::command) struct ShardRates {
    pub(in crate::command) core: usize,
    /// Share of the time that its thread had a processor, 0 to 1.
    pub(in crate::command) load: Option<f64>,
    pub(in crate::command) queries: f64,
    pub(in crate::command) accepted: f64,
    pub(in crate::command) open: u64,
    pub(in crate::command) deadlines: f64,
    pub(in crate::command) lookup: Option<PhaseTimes>,
    pub(in crate::command) write: Option<PhaseTimes>,
    pub(in crate::command) completions_per_turn: f64,
    pub(in crate::command) log_entries: f64,
    pub(in crate::command) log_dropped: f64,
    pub(in crate::command) sent_bytes: f64,
    pub(in crate::command) received_bytes: f64,
}

/// How long a phase took: up to so many microseconds for this share of the queries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::command) struct PhaseTimes {
    pub(in crate::command) name: String,
    pub(in crate::command) p50_us: Option<u64>,
    pub(in crate::command) p90_us: Option<u64>,
    pub(in crate::command) p99_us: Option<u64>,
    pub(in crate::command) p999_us: Option<u64>,
}

/// The sources that ask, and how much.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::command) struct SourceRate {
    pub(in crate::command) prefix: String,
    /// `None`: it was not among the most frequent before.
    pub(in crate::command) rate: Option<f64>,
    pub(in crate::command) count: u64,
    /// What the lists make of it.
    pub(in crate::command) standing: String,
}

impl Rates {
    /// What happened from `before` to `now`; `None` if they are not of one
    /// process, or of one moment.
    pub(in crate::command) fn between(before: &Figures, now: &Figures) -> Option<Self> {
        let same = (before.pid, before.started_ms) == (now.pid, now.started_ms);
        let micros = now.at_us.checked_sub(before.at_us).filter(|&micros| same && micros > 0)?;
        let seconds = as_f64(micros) / 1e6;
        let per_s = |now: u64, before: u64| as_f64(now.saturating_sub(before)) / seconds;
        let shards = now.shards.iter().map(|shard| {
            let absent = Shard { core: shard.core, ..Shard::default() };
            let before = before.shards.iter().find(|before| before.core == shard.core);
            ShardRates::between(before.unwrap_or(&absent), shard, seconds)
        });
        let limits = (before.limiter.unwrap_or_default(), now.limiter.unwrap_or_default());
        Some(Self {
            seconds,
            shards: shards.collect(),
            outcomes: named(outcomes(now), &outcomes(before), seconds),
            tiers: named(tiers(now), &tiers(before), seconds),
            refusals: named(refusals(now), &refusals(before), seconds),
            phases: merged(now).iter().map(|phase| since(phase, &merged(before))).collect(),
            sources: sources(before, now, seconds),
            evictions: per_s(limits.1.evictions, limits.0.evictions),
            dry_run: per_s(limits.1.dry_run, limits.0.dry_run),
            log_written_bytes: per_s(now.log_written_bytes, before.log_written_bytes),
            mining_flags: per_s(now.mining_flags, before.mining_flags),
        })
    }

    /// The sum over all shards.
    pub(in crate::command) fn sum(&self, of: impl Fn(&ShardRates) -> f64) -> f64 {
        // `sum` of nothing is -0.
        self.shards.iter().map(of).fold(0.0, |sum, of| sum + of)
    }
}

impl ShardRates {
    fn between(before: &Shard, now: &Shard, seconds: f64) -> Self {
        let per_s = |of: fn(&Shard) -> u64| as_f64(of(now).saturating_sub(of(before))) / seconds;
        let load = before.cpu_us.zip(now.cpu_us).map(|(before, now)| {
            (as_f64(now.saturating_sub(before)) / (seconds * 1e6)).clamp(0.0, 1.0)
        });
        let phase = |name: &str| {
            let phase = now.phases.iter().find(|phase| phase.name == name)?;
            Some(since(phase, &before.phases))
        };
        let turns = per_s(|shard| shard.turns);
        let completions = per_s(|shard| shard.completions);
        Self {
            core: now.core,
            load,
            queries: per_s(|shard| shard.queries.iter().map(|of| of.count).sum()),
            accepted: per_s(|shard| shard.accepted),
            open: now.connections_open,
            deadlines: per_s(|shard| shard.deadlines.iter().map(|of| of.count).sum()),
            lookup: phase("lookup"),
            write: phase("write"),
            completions_per_turn: if turns > 0.0 { completions / turns } else { 0.0 },
            log_entries: per_s(|shard| shard.log_entries),
            log_dropped: per_s(|shard| shard.log_dropped),
            sent_bytes: per_s(|shard| shard.sent_bytes),
            received_bytes: per_s(|shard| shard.received_bytes),
        }
    }
}

/// Counts by name over all shards.
fn outcomes(figures: &Figures) -> Vec<(String, u64)> {
    let queries = figures.shards.iter().flat_map(|shard| &shard.queries);
    summed(queries.map(|of| (of.outcome.as_str(), of.count)))
}

fn tiers(figures: &Figures) -> Vec<(String, u64)> {
    summed(figures.tiers.iter().map(|of| (of.tier.as_str(), of.count)))
}

fn refusals(figures: &Figures) -> Vec<(String, u64)> {
    summed(figures.refusals.iter().map(|of| (of.reason.as_str(), of.count)))
}

fn summed<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> Vec<(String, u64)> {
    let mut sums: Vec<(String, u64)> = Vec::new();
    for (name, count) in counts {
        match sums.iter_mut().find(|(known, _)| known == name) {
            Some((_, sum)) => *sum = sum.saturating_add(count),
            None => sums.push((name.to_owned(), count)),
        }
    }
    sums
}

/// Rates by name, the most frequent first; names whose rate is the same stay in order.
fn named(now: Vec<(String, u64)>, before: &[(String, u64)], seconds: f64) -> Vec<(String, f64)> {
    let mut rates: Vec<_> = now
        .into_iter()
        .map(|(name, count)| {
            let earlier = before.iter().find(|(known, _)| *known == name).map_or(0, |of| of.1);
            let rate = as_f64(count.saturating_sub(earlier)) / seconds;
            (name, rate)
        })
        .collect();
    rates.sort_by(|one, other| other.1.total_cmp(&one.1));
    rates
}

/// The phases of all shards together.
fn merged(figures: &Figures) -> Vec<Phase> {
    let mut merged: Vec<Phase> = Vec::new();
    for phase in figures.shards.iter().flat_map(|shard| &shard.phases) {
        match merged.iter_mut().find(|known| known.name == phase.name) {
            Some(known) => known.buckets = added(&known.buckets, &phase.buckets),
            None => merged.push(phase.clone()),
        }
    }
    merged
}

/// The order of bounds: no end comes after all others.
fn bound(bucket: &Bucket) -> u64 {
    bucket.below_us.unwrap_or(u64::MAX)
}

fn added(one: &[Bucket], other: &[Bucket]) -> Vec<Bucket> {
    let mut sum = one.to_vec();
    for bucket in other {
        match sum.binary_search_by_key(&bound(bucket), bound) {
            Ok(at) => sum[at].count = sum[at].count.saturating_add(bucket.count),
            Err(at) => sum.insert(at, *bucket),
        }
    }
    sum
}

/// How long a phase took since `before`, which has all phases then.
fn since(phase: &Phase, before: &[Phase]) -> PhaseTimes {
    let before = before.iter().find(|known| known.name == phase.name);
    let before = before.map_or(&[][..], |phase| &phase.buckets);
    let earlier = |bucket: &Bucket| {
        let found = before.iter().find(|known| known.below_us == bucket.below_us);
        found.map_or(0, |known| known.count)
    };
    let between = phase.buckets.iter().map(|bucket| Bucket {
        below_us: bucket.below_us,
        count: bucket.count.saturating_sub(earlier(bucket)),
    });
    let between: Vec<_> = between.filter(|bucket| bucket.count > 0).collect();
    let quantile = |permille| quantile_us(&between, permille);
    PhaseTimes {
        name: phase.name.clone(),
        p50_us: quantile(500),
        p90_us: quantile(900),
        p99_us: quantile(990),
        p999_us: quantile(999),
    }
}

/// The value that `permille` of 1,000 values do not exceed: the end of its bucket; for the last
/// bucket, which has none, the end of the one before it that holds values.
fn quantile_us(buckets: &[Bucket], permille: u64) -> Option<u64> {
    let count = buckets.iter().map(|bucket| u128::from(bucket.count)).sum::<u128>();
    let rank = (count * u128::from(permille)).div_ceil(1_000).max(1);
    let (mut seen, mut end_us) = (0, None);
    for bucket in buckets {
        seen += u128::from(bucket.count);
        end_us = bucket.below_us.or(end_us);
        if seen >= rank {
            return end_us;
        }
    }
    None
}

fn sources(before: &Figures, now: &Figures, seconds: f64) -> Vec<SourceRate> {
    let rate = |prefix: &str, count: u64| {
        let earlier = before.sources.iter().find(|known| known.prefix == prefix)?;
        Some(as_f64(count.saturating_sub(earlier.count)) / seconds)
    };
    let rates = now.sources.iter().map(|source| SourceRate {
        prefix: source.prefix.clone(),
        rate: rate(&source.prefix, source.count),
        count: source.count,
        standing: source.standing.clone(),
    });
    let mut rates: Vec<_> = rates.collect();
    let key = |source: &SourceRate| source.rate.unwrap_or(0.0);
    rates.sort_by(|one, other| {
        key(other).total_cmp(&key(one)).then_with(|| other.count.cmp(&one.count))
    });
    rates
}

/// Counts are far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "for a screen")]
pub(in crate::command) const fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::readout::{Queries, Source};

    fn figures(at_us: u64, count: u64, buckets: &[(Option<u64>, u64)]) -> Figures {
        let buckets = buckets.iter().map(|&(below_us, count)| Bucket { below_us, count });
        let phase = Phase { name: "lookup".to_owned(), sum_us: 0, buckets: buckets.collect() };
        let queries = Queries { kind: "domain".to_owned(), outcome: "found".to_owned(), count };
        let shard = Shard {
            core: 1,
            cpu_us: Some(at_us / 2),
            queries: vec![queries],
            phases: vec![phase],
            ..Shard::default()
        };
        let prefix = format!("192.0.2.{count}/32");
        let sources = vec![Source { prefix, count, ..Source::default() }];
        Figures {
            pid: 1,
            at_us,
            shards: vec![shard.clone(), Shard { core: 2, ..shard }],
            sources,
            ..Figures::default()
        }
    }

    #[test]
    fn rates_are_differences_over_the_time_between() {
        let rates = Rates::between(
            &figures(1_000_000, 10, &[(Some(8), 100)]),
            &figures(3_000_000, 30, &[(Some(4), 98), (Some(8), 101), (None, 1)]),
        )
        .unwrap();
        assert!((rates.seconds - 2.0).abs() < 1e-9);
        assert!((rates.sum(|shard| shard.queries) - 20.0).abs() < 1e-9);
        assert_eq!(rates.shards[0].load, Some(0.5));
        assert_eq!(rates.outcomes, [("found".to_owned(), 20.0)]);
        let lookup = rates.shards[0].lookup.clone().unwrap();
        assert_eq!((lookup.p50_us, lookup.p99_us, lookup.p999_us), (Some(4), Some(8), Some(8)));
        assert_eq!(rates.phases, [lookup]);
        assert_eq!(rates.sources[0].rate, None);
    }

    #[test]
    fn readings_of_two_processes_are_not_compared() {
        let before = figures(1, 10, &[]);
        let now = Figures { pid: 2, ..figures(9, 3, &[]) };
        assert_eq!(Rates::between(&before, &now), None);
        assert_eq!(Rates::between(&before, &before), None);
    }
}

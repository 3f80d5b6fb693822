//! What a running server tells of itself in one piece: the reply to `{"command":"figures"}` on its
//! control socket, one JSON object.
//!
//! # Invariants
//!
//! - `cumulative`: every counter counts events since the start of the process. A reader makes rates
//!   out of two readings; `started_ms` says whether they are of one process.
//! - `tolerant`: a field that is absent has its default, one that is unknown is passed over, so
//!   that a screen and a server of neighbouring builds understand each other.
//!
//! # Does not
//!
//! Collect the figures, or know how they are shown.

use std::fs;

use serde::{Deserialize, Serialize};

/// Everything, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// Version of the program.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// When it started, ms since the epoch.
    pub started_ms: i64,
    /// When this was read, ms since the epoch: for people.
    pub at_ms: i64,
    /// The same on a clock that never steps, microseconds from any moment: for rates.
    pub at_us: u64,
    /// Number of the generation served.
    pub generation: u64,
    /// Last serial contained; 0 without a feed.
    pub serial: u64,
    /// Age of the newest change or sign of life, seconds.
    pub data_age_s: u64,
    /// Domains served.
    pub domains: u64,
    /// Whether the server takes changes from its spool.
    pub spool: bool,
    /// The files that wait in the spool and since when, as a sentence, if there are any.
    pub spool_waits: Option<String>,
    /// The feed, where there is one.
    pub feed: Option<Feed>,
    /// Whether the server is on its way out, and says so to balancers.
    pub draining: bool,
    /// The shards, by core.
    pub shards: Vec<Shard>,
    /// Queries of those who have a tier, by tier; the public is left out.
    pub tiers: Vec<TierQueries>,
    /// Queries refused by policy.
    pub refusals: Vec<Refusal>,
    /// The table of limits, where limits are on.
    pub limiter: Option<Limiter>,
    /// Prefixes blocked at present.
    pub blocks: u64,
    /// Blocks made.
    pub blocks_total: u64,
    /// Findings of the mining detection.
    pub mining_flags: u64,
    /// Bytes of query log written to files.
    pub log_written_bytes: u64,
    /// The sources that ask most, most first; a few dozen at most.
    pub sources: Vec<Source>,
}

/// A feed of changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Feed {
    /// Whether it has a server.
    pub connected: bool,
    /// Messages not delivered yet.
    pub backlog: u64,
    /// What is wrong with it, if something is.
    pub error: Option<String>,
}

/// One shard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shard {
    /// Its core.
    pub core: usize,
    /// Time that its thread had a processor, microseconds ([`thread_cpu_us`]); `None`: not known.
    pub cpu_us: Option<u64>,
    /// Turns of its ring.
    pub turns: u64,
    /// Completions that these brought.
    pub completions: u64,
    /// Connections open at present.
    pub connections_open: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Queries answered or refused, by kind and outcome.
    pub queries: Vec<Queries>,
    /// Connections cut because a phase took too long, by phase.
    pub deadlines: Vec<Deadline>,
    /// How long phases took.
    pub phases: Vec<Phase>,
    /// Entries handed to the query log.
    pub log_entries: u64,
    /// Entries that it had no room for.
    pub log_dropped: u64,
    /// Bytes of answers handed to the kernel.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Answer buffers free at present.
    pub answer_buffers_free: u64,
}

/// Queries of one kind with one outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Queries {
    /// The kind, as `whoisd_queries_total` has it.
    pub kind: String,
    /// The outcome, as there.
    pub outcome: String,
    /// How many.
    pub count: u64,
}

/// Connections cut in one phase.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deadline {
    /// The phase.
    pub phase: String,
    /// How many.
    pub count: u64,
}

/// How long a phase took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Phase {
    /// The phase, as `whoisd_phase_seconds` has it.
    pub name: String,
    /// The sum of all values, microseconds.
    pub sum_us: u64,
    /// Buckets that hold values, in order of their bounds.
    pub buckets: Vec<Bucket>,
}

/// Values of one bucket; not added up over the buckets before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Values are below this, microseconds; `None`: the last bucket, which has no end.
    pub below_us: Option<u64>,
    /// How many.
    pub count: u64,
}

/// Queries of one tier.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TierQueries {
    /// Its name now.
    pub tier: String,
    /// How many.
    pub count: u64,
}

/// Queries refused by policy for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refusal {
    /// `deny`, `block`, `limit` or `overload`.
    pub reason: String,
    /// Length of the prefix that it is about; 0 if about none.
    pub prefix_length: u8,
    /// How many.
    pub count: u64,
}

/// The table of limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limiter {
    /// Entries in use.
    pub entries: u64,
    /// Entries that there is room for.
    pub capacity: u64,
    /// Entries that made room for others.
    pub evictions: u64,
    /// Queries that limits in dry run would have refused.
    pub dry_run: u64,
}

/// A source that asks much.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// The prefix, `192.0.2.0/24`.
    pub prefix: String,
    /// Queries counted of it; a table of the most frequent may count some too many.
    pub count: u64,
    /// What the lists make of it, in a few words: `allowed`, `tier police`; empty if nothing.
    pub standing: String,
}

/// Time that a thread of this process has had a processor, microseconds, from
/// `/proc/self/task/ID/schedstat`; `None` if the kernel does not tell.
#[must_use]
pub fn thread_cpu_us(thread: i32) -> Option<u64> {
    cpu_us_of(&fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?)
}

/// "12345678 2345 67": nanoseconds on a processor, nanoseconds in the queue, turns.
fn cpu_us_of(schedstat: &str) -> Option<u64> {
    Some(schedstat.split_whitespace().next()?.parse::<u64>().ok()? / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_fields_have_defaults_and_unknown_ones_are_passed_over() {
        let text = r#"{"pid":7,"moon":"full","shards":[{"core":3,"cpu_us":9,"phases":[
            {"name":"read","buckets":[{"below_us":8,"count":2},{"below_us":null,"count":1}]}]}]}"#;
        let figures: Figures = serde_json::from_str(text).unwrap();
        assert_eq!((figures.pid, figures.shards[0].cpu_us), (7, Some(9)));
        assert_eq!(figures.shards[0].phases[0].buckets[1], Bucket { below_us: None, count: 1 });
        let again = serde_json::to_string(&figures).unwrap();
        assert!(!again.contains('\n'));
        assert_eq!(serde_json::from_str::<Figures>(&again).unwrap(), figures);
    }

    #[test]
    fn a_thread_that_works_has_had_a_processor() {
        assert_eq!(cpu_us_of("12345678 2345 67\n"), Some(12_345));
        assert_eq!(cpu_us_of("x"), None);
        let thread = rustix::thread::gettid().as_raw_nonzero().get();
        let before = thread_cpu_us(thread).unwrap();
        let sum = (0..20_000_000_u64).fold(0, |sum: u64, n| std::hint::black_box(sum ^ n));
        std::hint::black_box(sum);
        // The kernel brings its account up to date at a tick or a switch.
        std::thread::yield_now();
        assert!(thread_cpu_us(thread).unwrap() > before);
        assert_eq!(thread_cpu_us(i32::MAX), None);
    }
}

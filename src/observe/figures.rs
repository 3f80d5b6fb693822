//! All that one shard tells about itself, in one place that any thread may read.
//!
//! # Invariants
//!
//! - `one-writer`: the shard writes, on its own core; everybody else reads.
//! - `undisturbed`: reading takes no lock and makes the shard do nothing; figures of different
//!   shards never lie in one cache line.
//!
//! # Does not
//!
//! Name or publish anything: `status` does.

use super::counters::{Counter, Counters, Gauge};
use super::histogram::{Histogram, Snapshot};

/// The figures of one shard. Two cache lines of alignment: processors fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct ShardFigures {
    /// The shard's core.
    pub core: usize,
    /// What has happened.
    pub counters: Counters,
    /// How long it took.
    pub phases: Phases,
    /// How the engine fares.
    pub engine: EngineFigures,
    /// What was asked, and what came of it.
    pub queries: Queries,
    /// Queries of those who have a tier.
    pub tiers: Tiers,
}

/// Kinds of queries that can be counted.
pub const KINDS_MAX: usize = 16;
/// Outcomes that can be counted.
pub const OUTCOMES_MAX: usize = 16;

/// Tiers that can be counted, the public among them.
pub const TIERS_MAX: usize = 16;

/// Queries of those who have a tier, by its number.
#[derive(Debug, Default)]
pub struct Tiers([Counter; TIERS_MAX]);

impl Tiers {
    /// Counts one. Numbers beyond the bound are not counted.
    #[inline]
    pub fn count(&self, tier: usize) {
        if let Some(counter) = self.0.get(tier) {
            super::counters::add(counter, 1);
        }
    }

    /// How many there were.
    #[must_use]
    pub fn get(&self, tier: usize) -> u64 {
        self.0.get(tier).map_or(0, Counter::get)
    }
}

/// Queries by kind and outcome, both by their number: what they mean is the shard's.
#[derive(Debug, Default)]
pub struct Queries([[Counter; OUTCOMES_MAX]; KINDS_MAX]);

impl Queries {
    /// Counts one. Numbers beyond the bounds are not counted.
    #[inline]
    pub fn count(&self, kind: usize, outcome: usize) {
        if let Some(counter) = self.0.get(kind).and_then(|of| of.get(outcome)) {
            super::counters::add(counter, 1);
        }
    }

    /// All of them.
    #[must_use]
    pub fn count_all(&self) -> u64 {
        self.0.iter().flatten().map(Counter::get).sum()
    }

    /// How many there were.
    #[must_use]
    pub fn get(&self, kind: usize, outcome: usize) -> u64 {
        self.0.get(kind).and_then(|of| of.get(outcome)).map_or(0, Counter::get)
    }
}

impl ShardFigures {
    /// Figures of the shard on `core`, all zero.
    #[must_use]
    pub fn new(core: usize) -> Self {
        Self { core, ..Self::default() }
    }
}

macro_rules! phases {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// How long each phase of a connection took. The engine takes the time once a turn, so the
        /// phases that the network ends are exact to a turn, about 1 ms under full load.
        #[derive(Debug, Default)]
        pub struct Phases {
            $($(#[doc = $doc])+ pub $name: Histogram,)+
        }

        /// The phases at one moment, of one shard or of several together.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct PhasesSnapshot {
            $($(#[doc = $doc])+ pub $name: Snapshot,)+
        }

        impl Phases {
            /// What they hold now.
            #[must_use]
            pub fn snapshot(&self) -> PhasesSnapshot {
                PhasesSnapshot { $($name: self.$name.snapshot(),)+ }
            }
        }

        impl PhasesSnapshot {
            /// Adds those of another shard.
            pub fn add(&mut self, other: &Self) {
                $(self.$name.add(&other.$name);)+
            }

            /// Name and histogram of each, in the order in which a query meets them.
            pub fn rows(&self) -> impl Iterator<Item = (&'static str, &Snapshot)> {
                [$((stringify!($name), &self.$name),)+].into_iter()
            }
        }
    };
}

phases! {
    /// From the accept to the first byte of the query, the header of a proxy included.
    first_byte,
    /// From the first byte to the end of the line.
    read,
    /// From the line to the first byte of the answer: understanding the query, finding records.
    lookup,
    /// From the first byte of the answer to its last.
    render,
    /// From the finished answer until the kernel has taken all of it.
    write,
    /// From then until the connection is closed.
    close,
}

/// How the engine fares. The stream engine has no ring of its own: all but the open connections
/// stays 0 there.
#[derive(Debug, Default)]
pub struct EngineFigures {
    /// Number of the shard's thread, as the kernel counts threads; 0 before it runs.
    pub thread: Gauge,
    /// Turns of the ring.
    pub turns: Counter,
    /// Completions that turns brought, ticks included.
    pub completions: Counter,
    /// Requests that waited for a place in the ring.
    pub requests_waited: Counter,
    /// The most completions that one turn brought.
    pub batch_max: Gauge,
    /// Connections open at present.
    pub connections_open: Gauge,
    /// Answer buffers made so far.
    pub buffers_made: Gauge,
    /// Answer buffers that a query could take at present, made already or not.
    pub buffers_free: Gauge,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_of_shards_add_up_by_name() {
        let figures = ShardFigures::new(3);
        figures.phases.read.record(7);
        figures.phases.close.record(9);
        let mut sum = figures.phases.snapshot();
        sum.add(&figures.phases.snapshot());
        let counted: Vec<_> = sum.rows().map(|(name, of)| (name, of.sum_us)).collect();
        assert_eq!(counted[1], ("read", 14));
        assert_eq!(counted[5], ("close", 18));
        assert_eq!(counted.iter().filter(|(_, sum_us)| *sum_us > 0).count(), 2);
    }
}

//! What shards tell the warden: one small value for each query, through a ring of fixed memory.
//!
//! # Invariants
//!
//! - `never waits`: where the ring is full, the value is dropped and counted.
//!
//! # Does not
//!
//! Hold whole names: what [`NAME_BYTES_MAX`] keeps is enough to see an order in them.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::queue::ArrayQueue;

/// Values that one shard's ring holds: 1.6 MiB.
const RING_ENTRIES: usize = 16_384;

/// Bytes of a name that are kept: the longest label and some of what follows.
pub const NAME_BYTES_MAX: usize = 72;

/// One query, as the warden sees it.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    /// The address that asked.
    pub address: IpAddr,
    /// What it cost.
    pub price: u32,
    /// Whether it was refused because of a limit, a block or a list.
    pub refused: bool,
    /// Whether its source has lost all patience: it is to be blocked.
    pub strike: bool,
    /// Whether there was no record.
    pub missed: bool,
    /// Length of the prefix whose limit would have refused it, in a dry run.
    pub dry_run: Option<u8>,
    /// Whether its source has no limits: it is shown, and nothing else is made of it.
    pub exempt: bool,
    name_bytes: u8,
    name: [u8; NAME_BYTES_MAX],
}

impl Observed {
    /// A query without a name.
    #[must_use]
    pub const fn new(address: IpAddr, price: u32) -> Self {
        Self {
            address,
            price,
            refused: false,
            strike: false,
            missed: false,
            dry_run: None,
            exempt: false,
            name_bytes: 0,
            name: [0; NAME_BYTES_MAX],
        }
    }

    /// The same for a higher price.
    #[must_use]
    pub const fn more(mut self, price: u32) -> Self {
        if !self.exempt {
            self.price = self.price.saturating_add(price);
        }
        self
    }

    /// A query of a source without limits.
    #[must_use]
    pub const fn exempt(address: IpAddr) -> Self {
        Self { exempt: true, ..Self::new(address, 0) }
    }

    /// The same with the name that was asked for, as far as it is kept.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        let bytes = name.len().min(NAME_BYTES_MAX);
        if let (Some(to), Some(from)) = (self.name.get_mut(..bytes), name.as_bytes().get(..bytes)) {
            to.copy_from_slice(from);
        }
        self.name_bytes = u8::try_from(bytes).unwrap_or(0);
        self
    }

    /// The same, refused; `strike`: its source has lost all patience.
    #[must_use]
    pub const fn refused(self, strike: bool) -> Self {
        Self { refused: true, strike, ..self }
    }

    /// The same, with whether there was a record.
    #[must_use]
    pub const fn missed(self, missed: bool) -> Self {
        Self { missed, ..self }
    }

    /// The same, with the length of the prefix whose limit would have refused it.
    #[must_use]
    pub const fn dry_run(self, dry_run: Option<u8>) -> Self {
        Self { dry_run, ..self }
    }

    /// The name, as far as it is kept.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.name.get(..usize::from(self.name_bytes)).unwrap_or_default()
    }
}

#[derive(Debug)]
struct Ring {
    queue: ArrayQueue<Observed>,
    dropped: AtomicU64,
}

/// A shard's end of its ring.
#[derive(Clone, Debug)]
pub struct Reporter(Arc<Ring>);

impl Reporter {
    /// Tells the warden, if there is room.
    #[inline]
    pub fn tell(&self, seen: Observed) {
        if self.0.queue.push(seen).is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The warden's end of all rings.
#[derive(Clone, Debug, Default)]
pub struct Reports(Vec<Arc<Ring>>);

impl Reports {
    /// A ring for each of `count` shards.
    #[must_use]
    pub fn new(count: usize) -> (Self, Vec<Reporter>) {
        let ring =
            || Arc::new(Ring { queue: ArrayQueue::new(RING_ENTRIES), dropped: AtomicU64::new(0) });
        let rings: Vec<_> = std::iter::repeat_with(ring).take(count).collect();
        let reporters = rings.iter().map(|ring| Reporter(Arc::clone(ring))).collect();
        (Self(rings), reporters)
    }

    /// Takes what is there: of each ring no more than it can hold, so that this comes to an end.
    pub fn take(&self, mut each: impl FnMut(&Observed)) {
        for ring in &self.0 {
            for _ in 0..RING_ENTRIES {
                let Some(seen) = ring.queue.pop() else { break };
                each(&seen);
            }
        }
    }

    /// What was dropped, of all shards.
    #[must_use]
    pub fn dropped_count(&self) -> u64 {
        self.0.iter().map(|ring| ring.dropped.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_ring_drops_and_counts_and_holds_up_nobody() {
        let (reporters, watch) = Reports::new(2);
        let seen = Observed::new(IpAddr::from([192, 0, 2, 1]), 1).named(&"n".repeat(300));
        for _ in 0..RING_ENTRIES + 10 {
            watch[0].tell(seen);
        }
        watch[1].tell(Observed::new(IpAddr::from([192, 0, 2, 2]), 1).named("x.demo"));
        assert_eq!(reporters.dropped_count(), 10);
        let mut names = Vec::new();
        reporters.take(|seen| names.push(seen.name().len()));
        assert_eq!(names.len(), RING_ENTRIES + 1);
        assert_eq!((names[0], names[RING_ENTRIES]), (NAME_BYTES_MAX, 6));
    }
}

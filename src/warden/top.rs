//! The sources that ask most, by their queries within the last minute or two.
//!
//! # Invariants
//!
//! - `bounded`: at most [`SOURCES_MAX`] sources are counted in a minute; those that come later than
//!   that are left out of the list (a flood of addresses has no top).
//!
//! # Does not
//!
//! Read a clock.

use ahash::RandomState;
use hashbrown::HashMap;
use ipnet::IpNet;
use serde::Serialize;

/// Sources that are counted at a time.
const SOURCES_MAX: usize = 65_536;

/// Sources that are reported.
const TOLD_MAX: usize = 50;

/// Length of a window, milliseconds.
const WINDOW_MS: i64 = 60_000;

/// One source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Top {
    /// The source.
    pub prefix: IpNet,
    /// Queries since it came: they only grow while it asks at least once a window.
    pub query_count: u64,
    /// Those that were refused.
    pub refused_count: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    query_count: u64,
    refused_count: u64,
    /// Queries of this window and of the one before.
    now: u64,
    before: u64,
}

/// Counts sources.
#[derive(Debug, Default)]
pub(super) struct Tops {
    counts: HashMap<IpNet, Counted, RandomState>,
    window_end_ms: i64,
}

impl Tops {
    pub(super) fn count(&mut self, source: IpNet, refused: bool) {
        if self.counts.len() >= SOURCES_MAX && !self.counts.contains_key(&source) {
            return;
        }
        let counted = self.counts.entry(source).or_default();
        counted.query_count += 1;
        counted.refused_count += u64::from(refused);
        counted.now += 1;
    }

    /// The sources with the most queries in this window and the one before, most first; ends the
    /// window when it is time.
    pub(super) fn turn(&mut self, now_ms: i64) -> Vec<Top> {
        let mut tops: Vec<_> = self.counts.iter().collect();
        let recent = |counted: &Counted| counted.now + counted.before;
        let most = |a: &(&IpNet, &Counted), b: &(&IpNet, &Counted)| {
            (recent(b.1), a.0).cmp(&(recent(a.1), b.0))
        };
        if tops.len() > TOLD_MAX {
            tops.select_nth_unstable_by(TOLD_MAX, most);
            tops.truncate(TOLD_MAX);
        }
        tops.sort_unstable_by(most);
        let told = |(prefix, counted): (&IpNet, &Counted)| Top {
            prefix: *prefix,
            query_count: counted.query_count,
            refused_count: counted.refused_count,
        };
        let tops = tops.into_iter().map(told).collect();
        if now_ms >= self.window_end_ms {
            self.window_end_ms = now_ms.saturating_add(WINDOW_MS);
            self.counts.retain(|_, counted| {
                (counted.before, counted.now) = (counted.now, 0);
                counted.before > 0
            });
        }
        tops
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_the_sources_with_the_most_queries_of_late() {
        let mut tops = Tops::default();
        assert_eq!(tops.turn(0), []);
        let source = |host: u8| IpNet::from(std::net::IpAddr::from([192, 0, 2, host]));
        for host in 0..200_u8 {
            for query in 0..=host {
                tops.count(source(host), query % 2 == 1);
            }
        }
        let list = tops.turn(1);
        assert_eq!((list.len(), list[0].prefix), (TOLD_MAX, source(199)));
        assert_eq!((list[0].query_count, list[0].refused_count), (200, 100));
        // A source that has stopped falls below those that ask now, and is gone after a window
        // without a query.
        assert_eq!(tops.turn(WINDOW_MS), list);
        for _ in 0..150 {
            tops.count(source(198), false);
        }
        let list = tops.turn(WINDOW_MS + 1);
        assert_eq!((list[0].prefix, list[0].query_count), (source(198), 349));
        tops.turn(2 * WINDOW_MS);
        let list = tops.turn(2 * WINDOW_MS + 1);
        assert_eq!((list.len(), list[0].query_count), (1, 349), "counts only grow");
    }

    #[test]
    fn memory_is_bounded_whoever_asks() {
        let mut tops = Tops::default();
        for host in 0..200_000_u32 {
            tops.count(std::net::IpAddr::V4(host.into()).into(), false);
        }
        assert_eq!(tops.counts.len(), SOURCES_MAX);
    }
}

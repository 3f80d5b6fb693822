//! Who asks most: sources by their queries within the last minute.
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

/// Sources that are told of.
const TOLD_MAX: usize = 50;

/// Length of a window, milliseconds.
const WINDOW_MS: i64 = 60_000;

/// One source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Top {
    /// Who.
    pub prefix: IpNet,
    /// Queries within the last whole window.
    pub query_count: u64,
    /// Those that were refused.
    pub refused_count: u64,
}

/// Counts sources.
#[derive(Debug, Default)]
pub(super) struct Tops {
    counts: HashMap<IpNet, (u64, u64), RandomState>,
    window_end_ms: i64,
}

impl Tops {
    pub(super) fn count(&mut self, source: IpNet, refused: bool) {
        if self.counts.len() >= SOURCES_MAX && !self.counts.contains_key(&source) {
            return;
        }
        let (queries, refusals) = self.counts.entry(source).or_default();
        *queries += 1;
        *refusals += u64::from(refused);
    }

    /// The sources with the most queries, most first.
    pub(super) fn list(&self) -> Vec<Top> {
        let mut tops: Vec<_> = self
            .counts
            .iter()
            .map(|(prefix, (query_count, refused_count))| Top {
                prefix: *prefix,
                query_count: *query_count,
                refused_count: *refused_count,
            })
            .collect();
        tops.sort_unstable_by(|a, b| (b.query_count, a.prefix).cmp(&(a.query_count, b.prefix)));
        tops.truncate(TOLD_MAX);
        tops
    }

    /// Begins anew after a window; the list of the one that has ended.
    pub(super) fn turn(&mut self, now_ms: i64) -> Option<Vec<Top>> {
        if now_ms < self.window_end_ms {
            return None;
        }
        self.window_end_ms = now_ms.saturating_add(WINDOW_MS);
        let list = self.list();
        self.counts.clear();
        Some(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_the_sources_with_the_most_queries() {
        let mut tops = Tops::default();
        assert_eq!(tops.turn(0), Some(Vec::new()));
        for host in 0..200_u8 {
            for query in 0..=host {
                tops.count(std::net::IpAddr::from([192, 0, 2, host]).into(), query % 2 == 1);
            }
        }
        assert_eq!(tops.turn(WINDOW_MS - 1), None);
        let list = tops.turn(WINDOW_MS).unwrap();
        assert_eq!(list.len(), TOLD_MAX);
        assert_eq!(list[0].prefix.to_string(), "192.0.2.199/32");
        assert_eq!((list[0].query_count, list[0].refused_count), (200, 100));
        assert_eq!(tops.list(), []);
    }
}

//! Which files have to go: those that are too old, then the oldest until the rest is small enough.
//!
//! # Invariants
//!
//! - The segment that is being written stays, what is counted nowhere else, and everything begun
//!   after those.
//!
//! # Does not
//!
//! Delete, or know of the totals: they stay for ever.

use super::segment_name::{Part, Segments, Stem};

/// How long files are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keep {
    /// Seconds since a segment was begun; 0: for ever.
    pub(super) age_s: u64,
    /// Bytes of all files together; 0: any number.
    pub(super) bytes: u64,
}

/// The files of `segments` that have to go, oldest first; those from `stay` on stay.
pub(super) fn expired(
    segments: &Segments,
    keep: Keep,
    now_ms: i64,
    stay: Option<Stem>,
) -> Vec<&Part> {
    let mut bytes: u64 = segments.values().flatten().map(|part| part.bytes).sum();
    let age_s = i64::try_from(keep.age_s).unwrap_or(i64::MAX);
    let oldest_s = now_ms.div_euclid(1_000).saturating_sub(age_s);
    let mut expired = Vec::new();
    for (stem, parts) in segments {
        let is_old = keep.age_s > 0 && stem.at_s() < oldest_s;
        let is_much = keep.bytes > 0 && bytes > keep.bytes;
        if stay.is_some_and(|stay| *stem >= stay) || !(is_old || is_much) {
            break;
        }
        bytes -= parts.iter().map(|part| part.bytes).sum::<u64>();
        expired.extend(parts);
    }
    expired
}

#[cfg(test)]
mod tests {
    use super::super::segment_name::{COLUMNS, LINES};
    use super::*;

    const NOW_MS: i64 = 1_795_656_123_456;

    /// Segments begun 10, 9, .. 1 hours ago, each of two files of 100 bytes.
    fn segments() -> Segments {
        let parts = |hours: i64| {
            let stem = Stem::next(NOW_MS - hours * 3_600_000, None);
            let part = |end| Part { path: stem.file(end).into(), end, bytes: 100 };
            (stem, vec![part(LINES), part(COLUMNS)])
        };
        (1..=10).map(parts).collect()
    }

    fn gone(age_s: u64, bytes: u64, open: usize) -> usize {
        let segments = segments();
        let stay = segments.keys().nth(open).copied();
        let expired = expired(&segments, Keep { age_s, bytes }, NOW_MS, stay);
        let oldest = segments.values().flatten().take(expired.len());
        assert!(expired.iter().copied().eq(oldest), "the oldest go");
        expired.len() / 2
    }

    #[test]
    fn the_oldest_files_go_by_age_then_by_size_and_the_open_ones_stay() {
        assert_eq!(gone(0, 0, 9), 0);
        assert_eq!(gone(5 * 3_600, 0, 9), 5);
        assert_eq!(gone(5 * 3_600 + 1, 0, 9), 5);
        assert_eq!(gone(0, 2_000, 9), 0);
        assert_eq!(gone(0, 1_999, 9), 1);
        assert_eq!(gone(0, 700, 9), 7);
        assert_eq!(gone(8 * 3_600, 700, 9), 7);
        assert_eq!(gone(3 * 3_600, 1_900, 9), 7);
        assert_eq!(gone(1, 1, 9), 9);
        assert_eq!(gone(1, 1, 4), 4);
    }
}

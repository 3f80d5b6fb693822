//! Figures of the search index of `whoisd-web`.
//!
//! # Does not
//!
//! Know what is in it.

use std::sync::atomic::{AtomicU64, Ordering};

/// How the index is.
#[derive(Debug, Default)]
pub struct IndexFigures {
    /// Records that the last build was to take in.
    pub wanted: AtomicU64,
    /// Records that it has taken in.
    pub taken: AtomicU64,
    /// The generation that searches see; 0 while there is none.
    pub generation: AtomicU64,
    /// Builds that were begun.
    pub builds: AtomicU64,
}

impl IndexFigures {
    /// Each gauge: its name, its help, its value.
    pub fn gauges(&self) -> [(&'static str, &'static str, u64); 3] {
        let value = |of: &AtomicU64| of.load(Ordering::Relaxed);
        [
            (
                "whoisd_search_generation",
                "Generation that searches see; 0 for none.",
                value(&self.generation),
            ),
            (
                "whoisd_search_build_records",
                "Records that the last build of the index was to take in.",
                value(&self.wanted),
            ),
            (
                "whoisd_search_build_done_records",
                "Records that the last build of the index has taken in.",
                value(&self.taken),
            ),
        ]
    }
}

//! How many domains name each nameserver: what tells whether one that host attributes state is
//! still there.
//!
//! Counted when it is needed first, with one look at every domain (about 0.1 us each), and then
//! kept up to date batch by batch. A registry with host objects never needs it.
//!
//! # Invariants
//!
//! - Memory: 4 bytes for each nameserver, once counted.
//! - A count belongs to one generation; of another one it is made again.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use super::Heap;
use super::generation::Generation;
use crate::error::Corrupt;
use crate::layout::Kind;
use crate::record::ArchivedDomain;

/// How many domains name each nameserver.
#[derive(Debug, Default)]
pub struct Naming {
    /// Number of a generation, and counts by ordinal.
    counted: Option<(u64, Vec<u32>)>,
    /// What the batch that was encoded last changes.
    pending: BTreeMap<u32, Change>,
}

/// What a batch changes about a nameserver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Domains that name it and did not before.
    pub(super) gained: u32,
    /// Domains that named it and do not any more.
    pub(super) lost: u32,
}

/// Nameservers of a domain, each once.
pub(super) fn hosts_of(ordinals: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let mut ordinals: Vec<u32> = ordinals.into_iter().collect();
    ordinals.sort_unstable();
    ordinals.dedup();
    ordinals
}

/// As [`hosts_of`], of a record.
pub(super) fn hosts_of_record(domain: &ArchivedDomain) -> Vec<u32> {
    hosts_of(domain.nameservers.iter().map(|ordinal| ordinal.to_native()))
}

impl Naming {
    /// Domains of `generation` that name a nameserver.
    pub(super) fn count<D: AsRef<[u8]>, S: Heap>(
        &mut self,
        generation: &Generation<D, S>,
        ordinal: u32,
    ) -> Result<u32, Corrupt> {
        let number = generation.state().generation;
        if self.counted.as_ref().is_none_or(|(of, _)| *of != number) {
            self.counted = Some((number, counted(generation)?));
        }
        let counts = self.counted.as_ref().map(|(_, counts)| counts);
        Ok(counts.and_then(|counts| counts.get(ordinal as usize)).copied().unwrap_or(0))
    }

    /// Notes what a batch that is being encoded changes.
    pub(super) fn expect(&mut self, changes: BTreeMap<u32, Change>) {
        self.pending = changes;
    }

    /// Says that the batch that was encoded last made `generation` of `before`.
    pub fn advance(&mut self, before: u64, generation: u64) {
        let pending = std::mem::take(&mut self.pending);
        let Some((of, counts)) = self.counted.as_mut().filter(|(of, _)| *of == before) else {
            self.counted = None;
            return;
        };
        *of = generation;
        for (ordinal, Change { gained, lost }) in pending {
            let at = ordinal as usize;
            if counts.len() <= at {
                counts.resize(at.saturating_add(1), 0);
            }
            if let Some(count) = counts.get_mut(at) {
                *count = count.saturating_add(gained).saturating_sub(lost);
            }
        }
    }
}

fn counted<D: AsRef<[u8]>, S: Heap>(generation: &Generation<D, S>) -> Result<Vec<u32>, Corrupt> {
    let mut counts = vec![0_u32; generation.ordinals_end(Kind::Nameserver) as usize];
    for domain in generation.domains("")? {
        let Some(domain) = domain? else { continue };
        for ordinal in hosts_of_record(domain) {
            if let Some(count) = counts.get_mut(ordinal as usize) {
                *count = count.saturating_add(1);
            }
        }
    }
    Ok(counts)
}

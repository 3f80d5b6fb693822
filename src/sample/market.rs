//! Market shares: of registrars among domains, of hosting companies among delegations.
//!
//! # Invariants
//!
//! - Every member has at least one of the [`SLOTS`] of the table, so none is left out.
//! - Ranks ascend along the table: a stretch of it is a rank's share, which is how contacts and
//!   domains find a common registrar.
//!
//! # Does not
//!
//! Change with the seed: the owner of a domain does.

use super::mix::index;

/// Resolution of shares.
pub(crate) const SLOTS: u64 = 1 << 14;

/// A market with Zipf-distributed shares.
#[derive(Debug)]
pub(crate) struct Market {
    ranks: Vec<u16>,
    /// First slot of each rank, and the end.
    starts: Vec<u64>,
}

impl Market {
    /// A market of `members` (1 to 4,096): the share of rank `r` falls as 1 / (r + 2).
    pub(crate) fn new(members: u64) -> Self {
        let weight = |rank: u64| 1_000_000_000 / (rank + 2);
        let total: u64 = (0..members).map(weight).sum();
        let spare = SLOTS - members;
        let (mut ranks, mut starts) = (Vec::with_capacity(index(SLOTS)), vec![0]);
        let mut sum = 0;
        for rank in 0..members {
            sum += weight(rank);
            // One slot each, the others by weight; rounding goes along, so that the sum is SLOTS.
            let end = rank + 1 + spare * sum / total;
            ranks.resize(index(end), u16::try_from(rank).unwrap_or(u16::MAX));
            starts.push(end);
        }
        Self { ranks, starts }
    }

    /// Number of members.
    pub(crate) fn members(&self) -> u64 {
        self.starts.len() as u64 - 1
    }

    /// The rank that has `slot`, below [`SLOTS`].
    pub(crate) fn rank(&self, slot: u64) -> u64 {
        u64::from(self.ranks[index(slot)])
    }

    /// The stretch of `0..count` that belongs to the member with `slot`, where `count` things are
    /// spread evenly over the slots; may be empty if `count` is below [`SLOTS`].
    pub(crate) fn stretch(&self, slot: u64, count: u64) -> std::ops::Range<u64> {
        let rank = index(self.rank(slot));
        let at = |slot: u64| (slot * count).div_ceil(SLOTS);
        at(self.starts[rank])..at(self.starts[rank + 1])
    }

    /// The slot of the `i`-th of `count` things.
    pub(crate) const fn slot_of(i: u64, count: u64) -> u64 {
        i * SLOTS / count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_has_a_share_and_shares_fall() {
        for members in [1, 2, 7, 1000, 4096] {
            let market = Market::new(members);
            assert_eq!(market.ranks.len() as u64, SLOTS);
            let shares: Vec<u64> = market.starts.windows(2).map(|p| p[1] - p[0]).collect();
            assert_eq!(shares.len() as u64, members);
            assert!(shares.iter().all(|&share| share > 0));
            assert!(shares[0] >= shares[shares.len() - 1]);
        }
    }

    #[test]
    fn a_thing_lies_in_the_stretch_of_its_slot() {
        let market = Market::new(100);
        for i in 0..5000 {
            let slot = Market::slot_of(i, 5000);
            assert!(market.stretch(slot, 5000).contains(&i), "{i}");
        }
    }
}

//! Answer buffers by the sources of their clients: which waiting query gets the next one, and which
//! client loses its own to a query that waits. The same for every engine.
//!
//! # Invariants
//!
//! - `fewest-first`: the next buffer goes to the query whose source has fewest; among equals, to
//!   the one that has waited longest. A source has a buffer from when a query of it that waited is
//!   given one, or a client of it does not take its answer at once, until that buffer is back.
//! - `most-first`: the client that loses its buffer is of the source that holds most; among those
//!   of one source, it is the one that has held longest.
//! - `bounded`: a choice looks at the groups of sources that wait, or hold, [`SOURCE_GROUPS`] at
//!   most, however many connections do. Sources fall into groups by a keyed hash, so that no client
//!   chooses its own.
//!
//! # Does not
//!
//! Hold a buffer, close a connection, or know which engine runs it. A query that finds a buffer and
//! whose answer the kernel takes at once, as most do, is unknown here.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, SocketAddr};

use super::limits::SOURCE_GROUPS;

/// No place.
const NONE: u32 = u32::MAX;

/// How a connection stands to the buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// It is unknown here.
    #[default]
    Out,
    /// It waits for one.
    Waiting,
    /// It has one, and is not to be cut: its answer has just been made, or it is being closed.
    Lent,
    /// It has one, and does not take its answer.
    Holding,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    standing: Standing,
    group: u32,
    before: u32,
    after: u32,
    /// The number of its arrival in its list.
    arrival: u64,
}

impl Standing {
    const fn has_buffer(self) -> bool {
        matches!(self, Self::Lent | Self::Holding)
    }
}

const OUT: Place =
    Place { standing: Standing::Out, group: 0, before: NONE, after: NONE, arrival: 0 };

#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
    count: u32,
    /// Where its group stands among those in which it is not empty.
    at: u32,
}

const EMPTY: Ends = Ends { first: NONE, last: NONE, count: 0, at: NONE };

/// The connections of some sources.
#[derive(Clone, Copy, Debug)]
struct Group {
    waiting: Ends,
    /// Those that may be cut.
    holding: Ends,
    /// Buffers that they have, those of whom may not be cut among them.
    buffer_count: u32,
}

impl Group {
    const fn ends_mut(&mut self, of: Standing) -> Option<&mut Ends> {
        match of {
            Standing::Out | Standing::Lent => None,
            Standing::Waiting => Some(&mut self.waiting),
            Standing::Holding => Some(&mut self.holding),
        }
    }
}

/// Some connections in lists, one for each group.
#[derive(Debug)]
struct Lists {
    /// Groups whose list is not empty, in any order; room for all is made at the start.
    groups: Vec<u32>,
    /// All of them.
    count: u32,
}

impl Lists {
    fn new() -> Self {
        Self { groups: Vec::with_capacity(SOURCE_GROUPS), count: 0 }
    }
}

/// All connections of a shard that wait for a buffer or hold one, each at a place with a number.
#[derive(Debug)]
pub(super) struct Shares {
    places: Vec<Place>,
    groups: Box<[Group]>,
    key: u64,
    arrivals: u64,
    waiting: Lists,
    holding: Lists,
}

impl Shares {
    /// Nobody, with room for `places` connections; sources are grouped under `key`.
    pub(super) fn new(places: u32, key: u64) -> Self {
        let group = Group { waiting: EMPTY, holding: EMPTY, buffer_count: 0 };
        Self {
            places: vec![OUT; places as usize],
            groups: vec![group; SOURCE_GROUPS].into_boxed_slice(),
            key,
            arrivals: 0,
            waiting: Lists::new(),
            holding: Lists::new(),
        }
    }

    /// How many places there are.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.places.len()).unwrap_or(u32::MAX)
    }

    /// Adds a place at the end; its number.
    pub(super) fn add_place(&mut self) -> u32 {
        self.places.push(OUT);
        self.len().saturating_sub(1)
    }

    /// How many wait.
    #[inline]
    pub(super) fn waiting_count(&self) -> u32 {
        self.waiting.count
    }

    /// A query of `client` waits from now on.
    pub(super) fn wait(&mut self, place: u32, client: SocketAddr) {
        self.stand(place, Standing::Waiting, group_of(client.ip(), self.key));
    }

    /// The query that waited has its buffer.
    pub(super) fn lend(&mut self, place: u32) {
        self.stand_as(place, Standing::Waiting, Standing::Lent);
    }

    /// `client` has a buffer, and does not take its answer at once.
    pub(super) fn hold(&mut self, place: u32, client: SocketAddr) {
        self.stand(place, Standing::Holding, group_of(client.ip(), self.key));
    }

    /// The connection is being closed: it waits no more, and if it has a buffer, that comes back.
    pub(super) fn close(&mut self, place: u32) {
        self.stand_as(place, Standing::Waiting, Standing::Out);
        self.stand_as(place, Standing::Holding, Standing::Lent);
    }

    /// It waits no more, and has no buffer.
    pub(super) fn leave(&mut self, place: u32) {
        self.stand(place, Standing::Out, 0);
    }

    /// Takes a place out of its list.
    fn unlist(&mut self, place: u32) {
        let Some(was) = self.places.get(place as usize).copied() else { return };
        if was.standing.has_buffer()
            && let Some(group) = self.groups.get_mut(was.group as usize)
        {
            group.buffer_count = group.buffer_count.saturating_sub(1);
        }
        let group = self.groups.get_mut(was.group as usize);
        let Some(ends) = group.and_then(|group| group.ends_mut(was.standing)) else { return };
        ends.count = ends.count.saturating_sub(1);
        if was.before == NONE {
            ends.first = was.after;
        }
        if was.after == NONE {
            ends.last = was.before;
        }
        let emptied_at = (ends.count == 0).then_some(ends.at);
        if let Some(lists) = self.lists_mut(was.standing) {
            lists.count = lists.count.saturating_sub(1);
        }
        if let Some(at) = emptied_at {
            self.unlist_group(at, was.standing);
        }
        if let Some(before) = self.places.get_mut(was.before as usize) {
            before.after = was.after;
        }
        if let Some(after) = self.places.get_mut(was.after as usize) {
            after.before = was.before;
        }
    }

    /// The query that gets the next buffer; it waits until it is [lent](Self::lend) one.
    #[inline]
    pub(super) fn next_waiting(&self) -> Option<u32> {
        if self.waiting.count == 0 { None } else { self.choose_waiting() }
    }

    fn choose_waiting(&self) -> Option<u32> {
        let heads = self.groups_in(&self.waiting);
        let next = heads.min_by_key(|group| (group.buffer_count, self.arrival(group.waiting)))?;
        Some(next.waiting.first)
    }

    /// The client that loses its buffer next; it is the next until it is [closed](Self::close).
    pub(super) fn next_cut(&self) -> Option<u32> {
        let heads = self.groups_in(&self.holding);
        let next = heads.min_by_key(|group| {
            (u32::MAX.saturating_sub(group.holding.count), self.arrival(group.holding))
        })?;
        Some(next.holding.first)
    }

    fn arrival(&self, of: Ends) -> u64 {
        self.places.get(of.first as usize).map_or(0, |place| place.arrival)
    }

    /// The groups whose list is not empty.
    fn groups_in<'a>(&'a self, lists: &'a Lists) -> impl Iterator<Item = &'a Group> {
        lists.groups.iter().filter_map(|group| self.groups.get(*group as usize))
    }

    fn lists_mut(&mut self, of: Standing) -> Option<&mut Lists> {
        match of {
            Standing::Out | Standing::Lent => None,
            Standing::Waiting => Some(&mut self.waiting),
            Standing::Holding => Some(&mut self.holding),
        }
    }

    /// Takes a group whose list is empty out of those whose list is not; the last one of these
    /// takes its place.
    fn unlist_group(&mut self, at: u32, of: Standing) {
        let Some(lists) = self.lists_mut(of).filter(|lists| lists.groups.len() > at as usize)
        else {
            return;
        };
        lists.groups.swap_remove(at as usize);
        let Some(moved) = lists.groups.get(at as usize).copied() else { return };
        let group = self.groups.get_mut(moved as usize);
        if let Some(ends) = group.and_then(|group| group.ends_mut(of)) {
            ends.at = at;
        }
    }

    /// Notes that a group's list has its first one; where it stands among those that have some.
    fn list_group(&mut self, group: u32, of: Standing) -> u32 {
        let Some(lists) = self.lists_mut(of) else { return NONE };
        lists.groups.push(group);
        u32::try_from(lists.groups.len().saturating_sub(1)).unwrap_or(NONE)
    }

    /// Changes the state of a place in its group, if it is `from`.
    fn stand_as(&mut self, place: u32, from: Standing, to: Standing) {
        let was = self.places.get(place as usize).copied();
        if let Some(was) = was.filter(|was| was.standing == from) {
            self.stand(place, to, was.group);
        }
    }

    fn stand(&mut self, place: u32, standing: Standing, group: u32) {
        if place >= self.len() {
            return;
        }
        self.unlist(place);
        self.arrivals = self.arrivals.wrapping_add(1);
        let mut new = Place { standing, group, before: NONE, after: NONE, arrival: self.arrivals };
        let of_group = self.groups.get_mut(group as usize);
        let mut is_first = false;
        if let Some(ends) = of_group.and_then(|group| group.ends_mut(standing)) {
            new.before = std::mem::replace(&mut ends.last, place);
            ends.count = ends.count.saturating_add(1);
            is_first = new.before == NONE;
            if is_first {
                ends.first = place;
            }
        }
        if is_first {
            let at = self.list_group(group, standing);
            let of_group = self.groups.get_mut(group as usize);
            if let Some(ends) = of_group.and_then(|group| group.ends_mut(standing)) {
                ends.at = at;
            }
        }
        if let Some(lists) = self.lists_mut(standing) {
            lists.count = lists.count.saturating_add(1);
        }
        if let Some(before) = self.places.get_mut(new.before as usize) {
            before.after = place;
        }
        if let Some(place) = self.places.get_mut(place as usize) {
            *place = new;
        }
        if standing.has_buffer()
            && let Some(group) = self.groups.get_mut(group as usize)
        {
            group.buffer_count = group.buffer_count.saturating_add(1);
        }
    }
}

/// A key that no client knows.
pub(super) fn random_key() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The group of an address: one IPv4 address is a source, and so is an IPv6 /64, which one customer
/// has at least.
fn group_of(ip: IpAddr, key: u64) -> u32 {
    let source = match ip.to_canonical() {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        // The upper half. Global addresses begin with other bits than those of IPv4, which are 0.
        IpAddr::V6(v6) => u64::try_from(v6.to_bits() >> 64).unwrap_or(u64::MAX),
    };
    // The finaliser of SplitMix64, before and after the key: every bit counts.
    let mixed = mix(mix(source ^ key).wrapping_add(key));
    let groups = u64::try_from(SOURCE_GROUPS).unwrap_or(1).max(1);
    u32::try_from(mixed.checked_rem(groups).unwrap_or(0)).unwrap_or(0)
}

const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

const _: () = assert!(SOURCE_GROUPS > 0);

#[cfg(test)]
mod tests {
    use super::*;

    /// Clients of different groups under the key 1.
    fn client(number: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, number], 4711))
    }

    fn shares() -> Shares {
        let groups: Vec<u32> = (1..6).map(|number| group_of(client(number).ip(), 1)).collect();
        let mut different = groups.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), groups.len(), "another key keeps them apart: {groups:?}");
        Shares::new(40, 1)
    }

    /// The clients that get buffers, in order, if there are enough.
    fn served(shares: &mut Shares) -> Vec<u32> {
        let next = |shares: &mut Shares| {
            let next = shares.next_waiting()?;
            shares.lend(next);
            Some(next)
        };
        std::iter::from_fn(|| next(shares)).collect()
    }

    fn cut(shares: &mut Shares, count: usize) -> Vec<u32> {
        let next = |shares: &mut Shares| {
            let next = shares.next_cut()?;
            shares.close(next);
            Some(next)
        };
        std::iter::from_fn(|| next(shares)).take(count).collect()
    }

    #[test]
    fn a_source_that_holds_none_is_served_before_one_that_holds_some_however_many_wait() {
        let mut shares = shares();
        (0..4).for_each(|place| shares.hold(place, client(1)));
        shares.hold(4, client(2));
        (10..30).for_each(|place| shares.wait(place, client(1)));
        shares.wait(30, client(2));
        shares.wait(31, client(3));
        // Those whose buffers are on their way back count as before.
        assert_eq!(cut(&mut shares, 5), [0, 1, 2, 3, 4]);
        assert_eq!(served(&mut shares)[..4], [31, 30, 10, 11]);
        assert_eq!((shares.next_waiting(), shares.waiting_count()), (None, 0));
    }

    #[test]
    fn among_equals_the_longest_wait_counts() {
        let mut shares = shares();
        for (place, number) in [(7, 1), (3, 2), (9, 1), (5, 3)] {
            shares.wait(place, client(number));
        }
        // One gives up.
        shares.leave(3);
        // The second of a source comes after the first of another.
        assert_eq!(served(&mut shares), [7, 5, 9]);
    }

    #[test]
    fn the_source_that_holds_most_loses_first_and_its_oldest_before_its_others() {
        let mut shares = shares();
        shares.hold(0, client(1));
        [4, 2, 6].into_iter().for_each(|place| shares.hold(place, client(2)));
        shares.hold(1, client(3));
        // Down to what the others hold, then by age.
        assert_eq!(cut(&mut shares, 9), [4, 2, 0, 6, 1]);
        assert_eq!(shares.next_cut(), None);
    }

    #[test]
    fn an_ipv6_64_is_one_source_and_an_ipv4_address_is_the_same_in_both_notations() {
        let group = |text: &str| group_of(text.parse().unwrap(), 1);
        assert_eq!(group("2001:db8:1:2::1"), group("2001:db8:1:2:ffff::9"));
        assert_ne!(group("2001:db8:1:2::1"), group("2001:db8:1:3::1"));
        assert_eq!(group("192.0.2.7"), group("::ffff:192.0.2.7"));
        assert_ne!(group("192.0.2.7"), group_of("192.0.2.7".parse().unwrap(), 2), "the key counts");
    }

    /// Beside a model: lists of all that wait and hold, looked through from end to end.
    #[test]
    fn choices_are_those_of_a_model_that_looks_at_everybody() {
        let mut state = 11_u64;
        let mut random = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % bound
        };
        let mut shares = shares();
        let [mut waiting, mut holding, mut lent] = [const { Vec::<(u32, u8)>::new() }; 3];
        for _ in 0..20_000 {
            let place = u32::try_from(random(40)).unwrap();
            let number = u8::try_from(1 + random(5)).unwrap();
            let take = |list: &mut Vec<(u32, u8)>| {
                let at = list.iter().position(|(other, _)| *other == place)?;
                Some(list.remove(at))
            };
            let was_waiting = take(&mut waiting);
            let (was_holding, was_lent) = (take(&mut holding), take(&mut lent));
            match random(5) {
                0 => shares.leave(place),
                1 => {
                    shares.wait(place, client(number));
                    waiting.push((place, number));
                }
                2 => {
                    shares.lend(place);
                    lent.extend(was_waiting.or(was_lent));
                    // In their order, which nothing of this changes.
                    holding.extend(was_holding);
                    if let Some((_, number)) = was_holding {
                        shares.hold(place, client(number));
                    }
                }
                3 => {
                    shares.close(place);
                    lent.extend(was_holding.or(was_lent));
                }
                _ => {
                    shares.hold(place, client(number));
                    holding.push((place, number));
                }
            }
            let held = |of: u8| holding.iter().filter(|(_, number)| *number == of).count();
            let has = |of: u8| held(of) + lent.iter().filter(|(_, number)| *number == of).count();
            // Both take the first of equals.
            let next = waiting.iter().min_by_key(|(_, number)| has(*number));
            assert_eq!(shares.next_waiting(), next.map(|(place, _)| *place));
            let cut = holding.iter().min_by_key(|(_, number)| usize::MAX - held(*number));
            assert_eq!(shares.next_cut(), cut.map(|(place, _)| *place));
        }
    }
}

//! The slots of a shard: a fixed table of connections, threaded by lists in order of expiry.
//!
//! # Invariants
//!
//! - `fixed`: the table is made once; nothing is allocated per connection.
//! - `in-order`: every list is in order of the time that its phase began. Since a phase has one
//!   length for all, the head expires first, and is the one that has waited longest. A slot that
//!   waited for an answer buffer is put in its place among those that did not.
//! - `one-place`: an open slot is in the list of its phase and in the list of all, a free one in
//!   the list of the free.
//!
//! # Does not
//!
//! Look at a clock, or know what a connection does.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::super::connection::{Connection, Phase};
use super::super::limits::{ACCEPTS_PER_LISTENER, SHORT_INPUT_BYTES};
use super::super::measure::Stopwatch;
use super::super::proxy::Source;
use super::kernel::Op;

/// The sum of all demands for slots: open connections, and accepts under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Open connections.
    pub(super) connections: u32,
    /// Accepts under way, for each listener.
    pub(super) accepts_per_listener: u32,
    /// All slots.
    pub(super) slots: u32,
}

impl Sizes {
    /// The sizes that are wanted, as far as they fit into `slots_max`: accepts then have a quarter
    /// of it.
    pub(super) fn fit(connections_max: u64, listener_count: usize, slots_max: u32) -> Self {
        let listeners = u32::try_from(listener_count).unwrap_or(u32::MAX).max(1);
        let wanted = u32::try_from(ACCEPTS_PER_LISTENER).unwrap_or(u32::MAX);
        let connections = u32::try_from(connections_max).unwrap_or(u32::MAX);
        let accepts_per_listener = match connections.checked_add(wanted.saturating_mul(listeners)) {
            Some(slots) if slots <= slots_max => wanted,
            _ => wanted.min((slots_max / 4).checked_div(listeners).unwrap_or(0)).max(1),
        };
        let accepts = accepts_per_listener.saturating_mul(listeners);
        let connections = connections.min(slots_max.saturating_sub(accepts)).max(1);
        Self { connections, accepts_per_listener, slots: connections.saturating_add(accepts) }
    }
}

/// No slot.
const NONE: u32 = u32::MAX;

/// Slots that one which had to wait is put before at most. More let past it only where buffers
/// change hands by the thousand; its deadline is then looked at somewhat late.
const LET_PAST_MAX: usize = 1_024;

/// A list that a slot is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// A proxy's header not received whole.
    Proxy,
    /// Nothing of the query received.
    FirstByte,
    /// Part of a line received.
    Line,
    /// A line without an answer buffer.
    Answering,
    /// An answer on its way.
    Writing,
    /// Input read and dropped.
    Draining,
    /// All open slots, by age.
    Age,
    /// Free slots; the last one freed is used first.
    Free,
}

/// How many lists there are.
const LISTS: usize = 8;

impl List {
    /// The list of a phase; looking goes with writing, whose deadline it keeps.
    pub(super) const fn of(phase: Phase) -> Option<Self> {
        match phase {
            Phase::Proxy => Some(Self::Proxy),
            Phase::FirstByte => Some(Self::FirstByte),
            Phase::Line => Some(Self::Line),
            Phase::Answering => Some(Self::Answering),
            Phase::Writing | Phase::Looking => Some(Self::Writing),
            Phase::Draining => Some(Self::Draining),
            Phase::Closed => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Link {
    before: u32,
    after: u32,
}

const UNLINKED: Link = Link { before: NONE, after: NONE };

/// Which of a slot's two links a list uses.
const fn link_of(list: List) -> usize {
    if matches!(list, List::Age) { 1 } else { 0 }
}

/// One slot.
#[derive(Debug)]
pub(super) struct Slot {
    /// The connection, once accepted.
    pub(super) connection: Option<Connection>,
    /// The listener whose accept is asked for.
    pub(super) listener: u8,
    /// Operations asked for that have not completed.
    pub(super) pending_count: u8,
    /// Bytes of input received.
    pub(super) input_bytes: u16,
    /// What the look after the send said, until it is wanted.
    pub(super) looked: Option<i32>,
    /// The close that waits for the pending operations; whether with a reset.
    pub(super) closing: Option<bool>,
    /// Whether our side is shut down.
    pub(super) shut_down: bool,
    /// Whether an accept is under way.
    pub(super) accepting: bool,
    /// The operation that a close has to end first.
    pub(super) waiting_for: Option<Op>,
    /// When its answer was made, in milliseconds.
    pub(super) answered_ms: u64,
    /// Where the query line ends in the input.
    pub(super) line_bytes: u16,
    /// Whether the line's end did not come in time.
    pub(super) is_unfinished: bool,
    /// Whether it waits for an answer buffer, or waited for the one that it has, or holds it.
    pub(super) is_in_shares: bool,
    /// Whether its client did not take its answer at once.
    pub(super) is_holding: bool,
    /// Whether it is being closed so that its answer buffer comes free.
    pub(super) is_cut: bool,
    /// What the proxy's header says, once it is there.
    pub(super) source: Option<Source>,
    /// Measures the connection's phases.
    pub(super) watch: Stopwatch,
    listed: Option<List>,
    links: [Link; 2],
}

// With its input, its peer's address and the kernel-side state, an idle connection keeps within
// 1 KiB (`raw` asserts its own part).
const _: () = assert!(size_of::<Slot>() + SHORT_INPUT_BYTES <= 800);

#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
    count: u32,
}

/// All slots of a shard.
#[derive(Debug)]
pub(super) struct Slots {
    slots: Box<[Slot]>,
    ends: [Ends; LISTS],
}

impl Slots {
    /// `count` free slots.
    pub(super) fn new(count: u32) -> Self {
        let slot = |_| Slot {
            connection: None,
            listener: 0,
            pending_count: 0,
            input_bytes: 0,
            looked: None,
            closing: None,
            shut_down: false,
            accepting: false,
            waiting_for: None,
            answered_ms: 0,
            line_bytes: 0,
            is_unfinished: false,
            is_in_shares: false,
            is_holding: false,
            is_cut: false,
            source: None,
            watch: Stopwatch::default(),
            listed: None,
            links: [UNLINKED; 2],
        };
        let slots = (0..count).map(slot).collect();
        let mut this = Self { slots, ends: [Ends { first: NONE, last: NONE, count: 0 }; LISTS] };
        for index in (0..count).rev() {
            this.free(index);
        }
        this
    }

    /// A slot by its number; `None` if there is none such.
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Slot> {
        self.slots.get_mut(index as usize)
    }

    /// The slot that has stood in a list longest.
    pub(super) fn first(&self, list: List) -> Option<u32> {
        let first = self.ends.get(list as usize)?.first;
        (first != NONE).then_some(first)
    }

    /// How many slots are in a list.
    pub(super) fn count(&self, list: List) -> u32 {
        self.ends.get(list as usize).map_or(0, |ends| ends.count)
    }

    /// The connection that has stood in a list longest.
    pub(super) fn first_connection(&self, list: List) -> Option<(u32, &Connection)> {
        let first = self.first(list)?;
        Some((first, self.slots.get(first as usize)?.connection.as_ref()?))
    }

    /// How many slots there are.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    /// Takes a free slot out of its list.
    pub(super) fn take_free(&mut self) -> Option<u32> {
        let index = self.first(List::Free)?;
        self.unlist(index);
        Some(index)
    }

    /// Makes a slot free; it is the next one taken.
    pub(super) fn free(&mut self, index: u32) {
        self.unlist(index);
        self.unlink(index, List::Age);
        self.push_first(index);
        if let Some(slot) = self.get_mut(index) {
            slot.connection = None;
            slot.pending_count = 0;
            slot.input_bytes = 0;
            slot.looked = None;
            slot.closing = None;
            slot.shut_down = false;
            slot.accepting = false;
            slot.waiting_for = None;
            slot.is_unfinished = false;
            slot.is_cut = false;
            slot.source = None;
        }
    }

    /// The slot after another one in the list of its phase.
    pub(super) fn after(&self, index: u32, list: List) -> Option<u32> {
        let link = self.slots.get(index as usize)?.links.get(link_of(list))?;
        (link.after != NONE).then_some(link.after)
    }

    /// Puts a slot that had to wait into the list of its phase, before those whose phase ends later
    /// than its own: they were let past. It passes [`LET_PAST_MAX`] of them at most.
    pub(super) fn list_by_end(&mut self, index: u32, list: List, end_ms: u64) {
        self.unlist(index);
        let Some(mut before) = self.ends.get(list as usize).map(|ends| ends.last) else { return };
        for _ in 0..LET_PAST_MAX {
            let Some(slot) = self.slots.get(before as usize) else { break };
            let ends_later =
                slot.connection.as_ref().is_some_and(|other| other.phase_end_ms() > end_ms);
            if !ends_later {
                break;
            }
            before = slot.links.get(link_of(list)).map_or(NONE, |link| link.before);
        }
        self.push_behind(before, index, list);
        if let Some(slot) = self.get_mut(index) {
            slot.listed = Some(list);
        }
    }

    /// Moves a slot to the end of the list of its phase, unless it is there already.
    pub(super) fn list(&mut self, index: u32, list: List) {
        let Some(slot) = self.get_mut(index) else { return };
        if slot.listed != Some(list) {
            self.unlist(index);
            self.push_last(index, list);
            if let Some(slot) = self.get_mut(index) {
                slot.listed = Some(list);
            }
        }
    }

    /// Puts an accepted connection's slot at the end of the list of all.
    pub(super) fn open(&mut self, index: u32) {
        self.push_last(index, List::Age);
    }

    /// Takes a slot out of the list of its phase.
    pub(super) fn unlist(&mut self, index: u32) {
        let Some(list) = self.get_mut(index).and_then(|slot| slot.listed.take()) else { return };
        self.unlink(index, list);
    }

    /// Takes a slot out of the list of all: it no longer expires.
    pub(super) fn end(&mut self, index: u32) {
        self.unlist(index);
        self.unlink(index, List::Age);
    }

    fn link_mut(&mut self, index: u32, list: List) -> Option<&mut Link> {
        self.get_mut(index)?.links.get_mut(link_of(list))
    }

    fn push_last(&mut self, index: u32, list: List) {
        let Some(ends) = self.ends.get_mut(list as usize) else { return };
        let before = ends.last;
        ends.last = index;
        ends.count = ends.count.saturating_add(1);
        if before == NONE {
            ends.first = index;
        } else if let Some(link) = self.link_mut(before, list) {
            link.after = index;
        }
        if let Some(link) = self.link_mut(index, list) {
            *link = Link { before, after: NONE };
        }
    }

    /// Puts a slot after another one, or first if there is none.
    fn push_behind(&mut self, before: u32, index: u32, list: List) {
        let Some(ends) = self.ends.get(list as usize).copied() else { return };
        if before == ends.last {
            return self.push_last(index, list);
        }
        let after = match self.link_mut(before, list) {
            Some(link) => std::mem::replace(&mut link.after, index),
            None => ends.first,
        };
        if let Some(link) = self.link_mut(after, list) {
            link.before = index;
        }
        if let Some(ends) = self.ends.get_mut(list as usize) {
            ends.count = ends.count.saturating_add(1);
            if before == NONE {
                ends.first = index;
            }
        }
        if let Some(link) = self.link_mut(index, list) {
            *link = Link { before, after };
        }
    }

    fn push_first(&mut self, index: u32) {
        let list = List::Free;
        let Some(ends) = self.ends.get_mut(list as usize) else { return };
        let after = ends.first;
        ends.first = index;
        ends.count = ends.count.saturating_add(1);
        if after == NONE {
            ends.last = index;
        } else if let Some(link) = self.link_mut(after, list) {
            link.before = index;
        }
        if let Some(slot) = self.get_mut(index) {
            slot.listed = Some(list);
            slot.links = [Link { before: NONE, after }, UNLINKED];
        }
    }

    /// Takes a slot out of a list; nothing if it is not there.
    fn unlink(&mut self, index: u32, list: List) {
        let Some(link) = self.link_mut(index, list).copied() else { return };
        let Some(ends) = self.ends.get_mut(list as usize) else { return };
        if link.before == NONE && ends.first != index {
            return;
        }
        ends.count = ends.count.saturating_sub(1);
        if link.before == NONE {
            ends.first = link.after;
        }
        if link.after == NONE {
            ends.last = link.before;
        }
        if let Some(before) = self.link_mut(link.before, list) {
            before.after = link.after;
        }
        if let Some(after) = self.link_mut(link.after, list) {
            after.before = link.before;
        }
        if let Some(link) = self.link_mut(index, list) {
            *link = UNLINKED;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::super::super::connection::Deadlines;
    use super::super::super::limits::Settings;
    use super::*;

    #[test]
    fn a_slot_that_waited_stands_before_those_that_end_later() {
        let mut slots = Slots::new(6);
        let mut open = |end_ms: u64| {
            let index = slots.take_free().unwrap();
            slots.open(index);
            let usual = Deadlines::from(&Settings::default());
            let deadlines = Deadlines { first_byte_ms: end_ms, ..usual };
            slots.get_mut(index).unwrap().connection = Some(Connection::open(deadlines, 0));
            slots.list_by_end(index, List::Writing, end_ms);
            let mut order = Vec::new();
            let mut next = slots.first(List::Writing);
            while let Some(index) = next {
                let connection = slots.get_mut(index).unwrap().connection.as_ref();
                order.push(connection.unwrap().phase_end_ms());
                next = slots.after(index, List::Writing);
            }
            order
        };
        assert_eq!(open(5), [5]);
        assert_eq!(open(9), [5, 9]);
        assert_eq!(open(7), [5, 7, 9]);
        assert_eq!(open(1), [1, 5, 7, 9]);
        assert_eq!(open(9), [1, 5, 7, 9, 9]);
        // The links hold from both ends.
        while let Some(first) = slots.first(List::Writing) {
            slots.free(first);
        }
        assert_eq!((slots.count(List::Writing), slots.count(List::Free)), (0, 6));
    }

    #[test]
    fn a_table_that_the_kernel_cuts_has_room_for_connections_and_accepts() {
        let fit = |slots_max| {
            let sizes = Sizes::fit(1_000, 2, slots_max);
            (sizes.connections, sizes.accepts_per_listener, sizes.slots)
        };
        assert_eq!(fit(u32::MAX), (1_000, 32, 1_064));
        assert_eq!(fit(1_063), (999, 32, 1_063));
        assert_eq!(fit(64), (48, 8, 64));
        assert_eq!(fit(0), (1, 1, 3));
    }

    /// The lists beside a model, with slots drawn from a seed.
    #[test]
    fn lists_keep_the_order_of_a_model_queue() {
        const LINES: [List; 5] =
            [List::FirstByte, List::Line, List::Answering, List::Writing, List::Draining];
        let mut state = 7_u64;
        let mut random = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % bound
        };
        let mut slots = Slots::new(40);
        let mut model: [VecDeque<u32>; 5] = Default::default();
        let mut age: VecDeque<u32> = VecDeque::new();
        for _ in 0..20_000 {
            let forget = |model: &mut [VecDeque<u32>; 5], index: u32| {
                model.iter_mut().for_each(|list| list.retain(|other| *other != index));
            };
            match random(3) {
                0 => {
                    if let Some(index) = slots.take_free() {
                        slots.open(index);
                        slots.list(index, List::FirstByte);
                        model[0].push_back(index);
                        age.push_back(index);
                    }
                }
                1 if !age.is_empty() => {
                    let index = age[usize::try_from(random(age.len() as u64)).unwrap()];
                    let to = usize::try_from(random(5)).unwrap();
                    if !model[to].contains(&index) {
                        forget(&mut model, index);
                        model[to].push_back(index);
                    }
                    slots.list(index, LINES[to]);
                }
                _ if !age.is_empty() => {
                    let at = usize::try_from(random(age.len() as u64)).unwrap();
                    let index = age.remove(at).unwrap();
                    forget(&mut model, index);
                    slots.free(index);
                }
                _ => {}
            }
            for (list, queue) in LINES.iter().zip(&model) {
                assert_eq!(slots.first(*list), queue.front().copied());
                assert_eq!(slots.count(*list) as usize, queue.len());
            }
            assert_eq!(slots.first(List::Age), age.front().copied());
            assert_eq!(slots.count(List::Age) as usize, age.len());
            assert_eq!(slots.count(List::Free) as usize, 40 - age.len());
        }
    }
}

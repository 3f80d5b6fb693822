//! The connections of a core, and which of them make room: for a new one where there are as many as
//! may be, for answers where too many wait for clients who do not read.
//!
//! # Invariants
//!
//! - `waiting alone`: only a connection that waits for its client gives way, and not before it has
//!   waited [`GRACE`]; those that have waited longest go first.
//! - `seldom`: a look at all connections makes room for several, and one that finds none is not
//!   repeated before there can be some. The server looks for those who hold answers once in
//!   [`GRACE`] at most.
//!
//! # Does not
//!
//! Close a connection: its own task does, once told.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use whoisd::port43::limits::ROOM_GRACE_MS;

use crate::activity::Activity;

/// How long a connection may keep its core waiting in any case: as on port 43.
const GRACE: Duration = Duration::from_millis(ROOM_GRACE_MS);
/// Connections that make room at once: at most so many, and at most so large a part of those that
/// wait. As nginx does it: one look at all for each accept would be most of a flood's work.
const AT_ONCE_MAX: usize = 32;
const PART: usize = 8;
/// Unsent bytes of answers of a core, above which those who do not read are closed. A client may
/// open 64 streams and take nothing: 4,096 such connections could hold gigabytes.
const UNSENT_BYTES_MAX: usize = 32 << 20;

/// The connections of a core.
#[derive(Debug)]
pub(crate) struct Room {
    connections: RefCell<BTreeMap<u64, Rc<Activity>>>,
    next: Cell<u64>,
    max: usize,
    /// Those that have been told to close, and have not.
    leaving: Cell<usize>,
    /// Before then nobody can have waited long enough.
    nobody_before: Cell<Option<Instant>>,
    /// Before then it is not looked again who holds answers.
    relieved_until: Cell<Option<Instant>>,
    unsent: Rc<Cell<usize>>,
}

/// A connection that is open; dropped, it no longer is.
#[derive(Debug)]
pub(crate) struct Open {
    room: Rc<Room>,
    number: u64,
}

impl Room {
    /// For at most so many connections.
    pub(crate) fn new(max: u64) -> Rc<Self> {
        Rc::new(Self {
            connections: RefCell::default(),
            next: Cell::new(0),
            max: usize::try_from(max).unwrap_or(usize::MAX),
            leaving: Cell::new(0),
            nobody_before: Cell::new(None),
            relieved_until: Cell::new(None),
            unsent: Rc::default(),
        })
    }

    /// What a connection that is accepted now is noted in.
    pub(crate) fn activity(&self, now: fn() -> Instant) -> Rc<Activity> {
        Activity::new(now, &self.unsent)
    }

    /// Lets a connection in.
    pub(crate) fn enter(self: &Rc<Self>, activity: Rc<Activity>) -> Open {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        self.connections.borrow_mut().insert(number, activity);
        Open { room: Rc::clone(self), number }
    }

    /// Connections that are open.
    pub(crate) fn open_count(&self) -> usize {
        self.connections.borrow().len()
    }

    /// Whether one more has no place.
    pub(crate) fn is_full(&self) -> bool {
        self.open_count().saturating_sub(self.leaving.get()) >= self.max
    }

    /// Has those closed that have waited longest for their clients; whether there is room now.
    pub(crate) fn make(&self, now: Instant) -> bool {
        if self.nobody_before.get().is_some_and(|then| now < then) {
            return false;
        }
        let connections = self.connections.borrow();
        let waits = |(_, activity): (_, &Rc<Activity>)| {
            Some((activity.waits_since()?, Rc::clone(activity)))
        };
        let mut waiting: Vec<(Instant, Rc<Activity>)> =
            connections.iter().filter_map(waits).collect();
        let count = (waiting.len() / PART).clamp(1, AT_ONCE_MAX);
        if waiting.len() > count {
            waiting.select_nth_unstable_by_key(count.saturating_sub(1), |(since, _)| *since);
            waiting.truncate(count);
        }
        let mut evicted_count = 0_usize;
        let mut soonest = now.checked_add(GRACE);
        for (since, activity) in waiting {
            let may_go = since.checked_add(GRACE);
            if may_go.is_some_and(|then| then <= now) {
                activity.evict();
                evicted_count = evicted_count.saturating_add(1);
            } else {
                soonest = soonest.min(may_go);
            }
        }
        self.leaving.set(self.leaving.get().saturating_add(evicted_count));
        self.nobody_before.set(soonest.filter(|_| evicted_count == 0));
        evicted_count > 0
    }

    /// Has those closed that hold most bytes of answers, if the core has too many of them.
    pub(crate) fn relieve(&self, now: Instant) {
        let has_looked = self.relieved_until.get().is_some_and(|until| now < until);
        if self.unsent.get() <= UNSENT_BYTES_MAX || has_looked {
            return;
        }
        self.relieved_until.set(now.checked_add(GRACE));
        let connections = self.connections.borrow();
        let is_old = |activity: &&Rc<Activity>| {
            let since = activity.waits_since();
            activity.unsent() > 0
                && since.and_then(|since| since.checked_add(GRACE)).is_some_and(|then| then <= now)
        };
        let mut holding: Vec<&Rc<Activity>> = connections.values().filter(is_old).collect();
        holding.sort_unstable_by_key(|activity| std::cmp::Reverse(activity.unsent()));
        // Those that have been told to close take theirs with them.
        let leaving = connections.values().filter(|activity| activity.is_evicted());
        let leaving: usize = leaving.map(|activity| activity.unsent()).sum();
        let mut unsent = self.unsent.get().saturating_sub(leaving);
        for activity in holding {
            if unsent <= UNSENT_BYTES_MAX / 2 {
                break;
            }
            unsent = unsent.saturating_sub(activity.unsent());
            activity.evict();
            self.leaving.set(self.leaving.get().saturating_add(1));
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let left = self.room.connections.borrow_mut().remove(&self.number);
        if left.is_some_and(|activity| activity.is_evicted()) {
            self.room.leaving.set(self.room.leaving.get().saturating_sub(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
    }

    #[expect(clippy::disallowed_methods, reason = "the start of a time that the test makes up")]
    fn now() -> Instant {
        NOW.with(|now| now.get().unwrap_or_else(Instant::now))
    }

    /// Time goes on.
    fn after(time: Duration) -> Instant {
        let then = now() + time;
        NOW.with(|now| now.set(Some(then)));
        then
    }

    fn entered(room: &Rc<Room>) -> (Rc<Activity>, Open) {
        let activity = room.activity(now);
        (Rc::clone(&activity), room.enter(activity))
    }

    #[test]
    fn those_that_have_waited_longest_make_room_and_no_others() {
        let room = Room::new(4);
        let all: Vec<_> = (0..4)
            .map(|_| {
                after(Duration::from_millis(10));
                entered(&room)
            })
            .collect();
        assert!(room.is_full());
        assert!(!room.make(now()), "nobody has waited long enough");
        // The first one is being answered.
        let asking = all[0].0.ask();
        let later = after(GRACE);
        assert!(room.make(later));
        let gone = all.iter().map(|(activity, _)| activity.is_evicted());
        assert_eq!(gone.collect::<Vec<_>>(), [false, true, false, false]);
        assert!(!room.is_full() && room.open_count() == 4);
        drop(asking);
        let (first, _) = (all.into_iter().next().unwrap(), ());
        assert!(!first.0.is_evicted() && room.open_count() == 1);
    }

    #[test]
    fn a_look_that_finds_nobody_is_not_repeated_before_there_can_be_somebody() {
        let room = Room::new(1);
        let (activity, _open) = entered(&room);
        let begun = after(Duration::from_millis(1));
        assert!(!room.make(begun));
        let soon = begun + GRACE - Duration::from_millis(2);
        assert!(!room.make(soon));
        assert!(room.make(begun + GRACE) && activity.is_evicted());
    }

    #[test]
    fn an_eighth_and_at_most_32_go_at_once() {
        let room = Room::new(1_000);
        let all: Vec<_> = (0..100).map(|_| entered(&room)).collect();
        assert!(room.make(after(GRACE)));
        let gone = |all: &[(Rc<Activity>, Open)]| {
            all.iter().filter(|(activity, _)| activity.is_evicted()).count()
        };
        assert_eq!(gone(&all), 12);
        let more: Vec<_> = (0..900).map(|_| entered(&room)).collect();
        assert!(room.make(after(GRACE)));
        assert_eq!(gone(&all) + gone(&more), 44);
    }

    #[test]
    fn those_who_take_no_answers_are_closed_once_these_are_too_many() {
        let room = Room::new(100);
        let all: Vec<_> = (0..10).map(|_| entered(&room)).collect();
        for (place, (activity, _)) in all.iter().enumerate() {
            activity.hold((place + 1) << 20);
        }
        room.relieve(after(GRACE));
        let gone = all.iter().map(|(activity, _)| activity.is_evicted());
        // 55 MiB: the largest ones go until 16 MiB are left.
        let expected = [false, false, false, false, false, true, true, true, true, true];
        assert_eq!(gone.collect::<Vec<_>>(), expected);
        // The next look comes later, and the bytes of those who were told to close do not count.
        let (new, _open) = entered(&room);
        new.hold(40 << 20);
        room.relieve(now() + GRACE / 2);
        assert!(!new.is_evicted());
        room.relieve(after(GRACE));
        assert!(new.is_evicted() && !all[4].0.is_evicted());
        new.let_go(40 << 20);
        let (kept, _open) = entered(&room);
        kept.hold(1 << 20);
        all.iter().for_each(|(activity, _)| activity.let_go(activity.unsent()));
        drop(all);
        room.relieve(after(GRACE));
        assert!(!kept.is_evicted());
    }
}

//! The stream engine's connections that are taking their answer, the slowest first: whose answer
//! buffer is taken back when queries wait for one.
//!
//! # Invariants
//!
//! - `in-order`: writers stand in the order in which the kernel did not take their answer at once.
//! - A writer stands here as long as its handle lives, and is told once at most.
//!
//! # Does not
//!
//! Close anything: the connection does, once it is told.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{self, Future};
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Those of one shard.
#[derive(Debug, Default)]
pub(super) struct Writers(RefCell<VecDeque<Rc<Entry>>>);

#[derive(Debug)]
struct Entry {
    since_ms: u64,
    evicted: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// A connection's place among them.
#[must_use = "dropping it says that the answer is out"]
#[derive(Debug)]
pub(super) struct Writer {
    entry: Rc<Entry>,
    writers: Rc<Writers>,
}

impl Writers {
    /// Adds one, at the end.
    pub(super) fn add(self: &Rc<Self>, since_ms: u64) -> Writer {
        let entry = Entry { since_ms, evicted: Cell::new(false), waker: RefCell::default() };
        let entry = Rc::new(entry);
        self.0.borrow_mut().push_back(Rc::clone(&entry));
        Writer { entry, writers: Rc::clone(self) }
    }

    /// Tells the first one that has not been told that it has to go, if it stands here since
    /// `before_ms` or longer.
    pub(super) fn evict(&self, before_ms: u64) {
        let writers = self.0.borrow();
        let slowest = writers.iter().find(|entry| !entry.evicted.get());
        let Some(entry) = slowest.filter(|entry| entry.since_ms <= before_ms) else { return };
        entry.evicted.set(true);
        if let Some(waker) = entry.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

impl Writer {
    /// Is ready once it has to go.
    pub(super) fn evicted(&self) -> impl Future<Output = ()> + '_ {
        future::poll_fn(|context| {
            if self.entry.evicted.get() {
                return Poll::Ready(());
            }
            *self.entry.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.writers.0.borrow_mut().retain(|entry| !Rc::ptr_eq(entry, &self.entry));
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};

    use super::*;

    #[test]
    fn the_slowest_that_has_had_its_time_goes_first_and_each_once() {
        let writers = Rc::new(Writers::default());
        let [first, second, third] = [1, 5, 9].map(|since_ms| writers.add(since_ms));
        let told = |writer: &Writer| block_on(poll_once(writer.evicted())).is_some();
        writers.evict(0);
        assert!(!told(&first));
        writers.evict(5);
        assert!(told(&first) && !told(&second));
        writers.evict(5);
        writers.evict(5);
        assert!(told(&second) && !told(&third));
        drop((first, second));
        assert_eq!(writers.0.borrow().len(), 1);
        writers.evict(9);
        assert!(told(&third));
    }
}

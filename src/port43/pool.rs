//! The answer buffers of one shard of the stream engine: made when first needed, up to a bound,
//! given back on drop. While all are lent, `Shares` says which query gets the next one, and which
//! client that does not take its answer loses its own.
//!
//! # Invariants
//!
//! - `bounded`: a lease holds one buffer, and no more than `buffers_max` are ever made.
//! - `no-idle-buffer`: while a query waits, no buffer lies idle, and as many clients as queries
//!   wait are told to go, if so many hold a buffer and do not take their answer.
//!
//! # Does not
//!
//! Clear a buffer: the next answer replaces what it holds. Close a connection: the connection does,
//! once it is asked to.

use std::cell::{Cell, RefCell};
use std::future::{self, Future};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::shares::{Shares, random_key};

/// A bounded stack of buffers; the one given back last is used first, since it is in the cache.
#[derive(Debug)]
pub(super) struct Pool<B>(RefCell<Inner<B>>);

#[derive(Debug)]
struct Inner<B> {
    free: Vec<B>,
    made_count: u64,
    buffers_max: u64,
    shares: Shares,
    /// One for each place of `shares`.
    seats: Vec<Seat<B>>,
    free_seats: Vec<u32>,
    /// Clients told to go whose buffers have not come back.
    cut_count: u32,
}

/// What is due to a connection that waits for a buffer or holds one.
#[derive(Debug)]
struct Seat<B> {
    /// The buffer that it waited for.
    given: Option<B>,
    /// Whether its client does not take the answer.
    is_held: bool,
    /// Whether it has to go.
    is_cut: bool,
    waker: Option<Waker>,
}

/// A buffer on loan; it goes back when this is dropped.
#[must_use = "dropping it gives the buffer back"]
#[derive(Debug)]
pub(super) struct Lease<B> {
    buffer: Option<B>,
    pool: Rc<Pool<B>>,
    /// Once its query had to wait for it, or its client does not take the answer.
    seat: Cell<Option<u32>>,
}

/// A query that waits for a buffer; it gives up its place when this is dropped.
#[must_use = "it waits while it is polled"]
#[derive(Debug)]
pub(super) struct Waiting<B> {
    pool: Rc<Pool<B>>,
    seat: Option<u32>,
}

impl<B> Pool<B> {
    pub(super) fn new(buffers_max: u64) -> Rc<Self> {
        let inner = Inner {
            free: Vec::new(),
            made_count: 0,
            buffers_max,
            shares: Shares::new(0, random_key()),
            seats: Vec::new(),
            free_seats: Vec::new(),
            cut_count: 0,
        };
        Rc::new(Self(RefCell::new(inner)))
    }

    /// A buffer now, or `None` if all are on loan.
    pub(super) fn try_lease(self: &Rc<Self>, make: impl FnOnce() -> B) -> Option<Lease<B>> {
        let mut inner = self.0.borrow_mut();
        let buffer = match inner.free.pop() {
            Some(buffer) => buffer,
            None if inner.made_count < inner.buffers_max => {
                inner.made_count = inner.made_count.saturating_add(1);
                drop(inner);
                make()
            }
            None => return None,
        };
        Some(Lease { buffer: Some(buffer), pool: Rc::clone(self), seat: Cell::new(None) })
    }

    /// A buffer for a query of `client`, once it is its turn; there is none at present.
    pub(super) fn wait(self: &Rc<Self>, client: SocketAddr) -> Waiting<B> {
        let mut inner = self.0.borrow_mut();
        let seat = inner.take_seat();
        inner.shares.wait(seat, client);
        inner.cut();
        Waiting { pool: Rc::clone(self), seat: Some(seat) }
    }
}

impl<B> Inner<B> {
    fn take_seat(&mut self) -> u32 {
        if let Some(seat) = self.free_seats.pop() {
            return seat;
        }
        self.seats.push(Seat { given: None, is_held: false, is_cut: false, waker: None });
        self.shares.add_place()
    }

    fn seat_mut(&mut self, seat: u32) -> Option<&mut Seat<B>> {
        self.seats.get_mut(seat as usize)
    }

    /// Ends a seat's use; the buffer that was given to it, if it has not taken it.
    fn leave(&mut self, seat: u32) -> Option<B> {
        self.shares.leave(seat);
        self.free_seats.push(seat);
        let left = self.seat_mut(seat)?;
        let (given, was_cut) = (left.given.take(), std::mem::take(&mut left.is_cut));
        (left.waker, left.is_held) = (None, false);
        self.cut_count = self.cut_count.saturating_sub(u32::from(was_cut));
        given
    }

    /// Tells as many clients to go as queries wait.
    fn cut(&mut self) {
        while self.cut_count < self.shares.waiting_count() {
            let Some(seat) = self.shares.next_cut() else { return };
            self.shares.close(seat);
            self.cut_count = self.cut_count.saturating_add(1);
            if let Some(seat) = self.seat_mut(seat) {
                seat.is_cut = true;
                seat.wake();
            }
        }
    }

    /// Takes a buffer back, for the query whose turn it is.
    fn give(&mut self, buffer: B) {
        let Some(next) = self.shares.next_waiting() else { return self.free.push(buffer) };
        self.shares.lend(next);
        if let Some(seat) = self.seat_mut(next) {
            seat.given = Some(buffer);
            seat.wake();
        }
    }
}

impl<B> Seat<B> {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl<B> Future for Waiting<B> {
    type Output = Lease<B>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Lease<B>> {
        let mut inner = self.pool.0.borrow_mut();
        let Some(seat) = self.seat else { return Poll::Pending };
        let Some(waiting) = inner.seat_mut(seat) else { return Poll::Pending };
        let Some(buffer) = waiting.given.take() else {
            waiting.waker = Some(context.waker().clone());
            return Poll::Pending;
        };
        waiting.waker = None;
        drop(inner);
        let (pool, seat) = (Rc::clone(&self.pool), Cell::new(self.seat.take()));
        Poll::Ready(Lease { buffer: Some(buffer), pool, seat })
    }
}

impl<B> Drop for Waiting<B> {
    fn drop(&mut self) {
        let Some(seat) = self.seat.take() else { return };
        let mut inner = self.pool.0.borrow_mut();
        if let Some(buffer) = inner.leave(seat) {
            inner.give(buffer);
        }
    }
}

impl<B> Lease<B> {
    /// The buffer; `None` never happens before the drop.
    pub(super) fn buffer_mut(&mut self) -> Option<&mut B> {
        self.buffer.as_mut()
    }

    /// `client` does not take the answer at once; ready once it has to go.
    pub(super) fn cut(&self, client: SocketAddr) -> impl Future<Output = ()> + use<B> {
        let mut inner = self.pool.0.borrow_mut();
        let seat = self.seat.get().unwrap_or_else(|| inner.take_seat());
        self.seat.set(Some(seat));
        let was_held = inner.seat_mut(seat).map(|seat| std::mem::replace(&mut seat.is_held, true));
        if was_held == Some(false) {
            inner.shares.hold(seat, client);
            inner.cut();
        }
        drop(inner);
        let pool = Rc::clone(&self.pool);
        future::poll_fn(move |context| {
            let mut inner = pool.0.borrow_mut();
            let Some(seat) = inner.seat_mut(seat) else { return Poll::Ready(()) };
            if seat.is_cut {
                return Poll::Ready(());
            }
            seat.waker = Some(context.waker().clone());
            Poll::Pending
        })
    }
}

impl<B: AsRef<[u8]>> Lease<B> {
    /// What the buffer holds.
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.as_ref().map(AsRef::as_ref).unwrap_or_default()
    }
}

impl<B> Drop for Lease<B> {
    fn drop(&mut self) {
        let mut inner = self.pool.0.borrow_mut();
        if let Some(seat) = self.seat.take() {
            inner.leave(seat);
        }
        if let Some(buffer) = self.buffer.take() {
            inner.give(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};

    use super::*;

    fn client(number: usize) -> SocketAddr {
        SocketAddr::from(([198, 51, 100, u8::try_from(number).unwrap()], 1))
    }

    fn poll<T>(future: impl Future<Output = T>) -> Option<T> {
        block_on(poll_once(future))
    }

    fn pool(buffers_max: u64) -> Rc<Pool<usize>> {
        Pool::new(buffers_max)
    }

    #[test]
    fn no_more_buffers_are_made_than_allowed_and_each_is_used_again() {
        let pool = pool(2);
        let made = RefCell::new(0);
        let lease = || {
            pool.try_lease(|| {
                *made.borrow_mut() += 1;
                0
            })
        };
        for _ in 0..3 {
            let both = (lease().unwrap(), lease().unwrap());
            assert!(lease().is_none());
            drop(both);
        }
        assert_eq!(*made.borrow(), 2);
    }

    /// One round of buffers is all that a query of a source that holds none has to wait for,
    /// however many of another source wait before it.
    #[test]
    fn a_source_that_holds_none_gets_the_first_buffer_whatever_the_number_of_hostile_clients() {
        for hostile_count in [20, 200, 2_000] {
            let pool = pool(16);
            let mut leases: Vec<_> = (0..16).map(|_| pool.try_lease(|| 0).unwrap()).collect();
            let held: Vec<_> = leases.iter().map(|lease| lease.cut(client(1))).collect();
            let waiting: Vec<_> = (16..hostile_count).map(|_| pool.wait(client(1))).collect();
            let mut good = pool.wait(client(2));
            assert!(poll(&mut good).is_none());
            let told = held.into_iter().filter_map(|mut held| poll(&mut held)).count();
            assert_eq!(told, 16.min(waiting.len() + 1), "as many go as wait");
            drop(leases.remove(0));
            assert!(poll(&mut good).is_some(), "beside {hostile_count}");
        }
    }

    #[test]
    fn nobody_is_cut_without_need_and_each_client_for_one_query() {
        let pool = pool(3);
        let mut leases: Vec<_> = (0..3).map(|_| pool.try_lease(|| 0).unwrap()).collect();
        let mut cuts: Vec<_> = leases.iter().map(|lease| lease.cut(client(1))).collect();
        let mut told = || cuts.iter_mut().map(|cut| poll(cut).is_some()).collect::<Vec<_>>();
        assert_eq!(told(), [false; 3]);
        let mut first = pool.wait(client(2));
        assert_eq!(told(), [true, false, false], "the oldest");
        let second = pool.wait(client(3));
        assert_eq!(told(), [true, true, false]);
        // One gives up: nobody else goes for the next one.
        drop(second);
        let mut third = pool.wait(client(4));
        assert_eq!(told(), [true, true, false]);
        drop(leases.remove(0));
        let first = poll(&mut first).expect("the first buffer is for the first query");
        assert!(poll(&mut third).is_none());
        drop(first);
        assert!(poll(&mut third).is_some());
    }

    /// A buffer that was given to a query which has gone meanwhile is not lost.
    #[test]
    fn a_buffer_given_to_a_query_that_has_gone_goes_to_the_next() {
        let pool = pool(1);
        let lease = pool.try_lease(|| 0).unwrap();
        let (gone, mut next) = (pool.wait(client(1)), pool.wait(client(1)));
        drop(lease);
        drop(gone);
        let lease = poll(&mut next).expect("it is the next one");
        drop(lease);
        assert!(pool.try_lease(|| 1).is_some_and(|lease| lease.buffer == Some(0)));
    }

    /// A client that begins to hold a buffer while queries wait is cut for them.
    #[test]
    fn a_client_that_holds_while_queries_wait_goes_at_once() {
        let pool = pool(1);
        let lease = pool.try_lease(|| 0).unwrap();
        let mut waiting = pool.wait(client(1));
        let mut cut = lease.cut(client(2));
        assert!(poll(&mut cut).is_some());
        drop(lease);
        assert!(poll(&mut waiting).is_some());
    }
}

//! How the simulated kernel holds sockets: in a ring's table or as descriptors, and when one that
//! was closed has ended.
//!
//! As kernels before Linux 6.13 it can be late: a socket closed in the table then ends only when
//! each request for a socket of the table that began before the close has ended.
//!
//! # Does not
//!
//! Know clients, or what they get.

use std::collections::BTreeMap;

use super::super::Sockets;
use super::super::kernel::{Completion, Op};

/// A close that has not ended the stream.
#[derive(Debug)]
struct Closing {
    client: usize,
    closed: u64,
}

/// The sockets that are held, and those that have not ended.
#[derive(Debug)]
pub(super) struct Table {
    /// How the driver's sockets are held.
    pub(super) held: Sockets,
    /// Whether sockets of the table end late.
    pub(super) is_late: bool,
    /// Closes that did not end at once.
    pub(super) late_count: u64,
    /// The most sockets that were closed and had not ended.
    pub(super) piled_up_max: usize,
    /// How many descriptors there may be.
    pub(super) descriptors_max: usize,
    /// Descriptors in use, by slot.
    pub(super) descriptors: BTreeMap<u32, i32>,
    closing: Vec<Closing>,
    /// Requests under way, and the count of all when each began.
    begun: Vec<(Op, u32, u64)>,
    /// Requests and closes so far.
    made_count: u64,
}

impl Table {
    pub(super) fn new(held: Sockets) -> Self {
        Self {
            held,
            is_late: false,
            late_count: 0,
            piled_up_max: 0,
            descriptors_max: usize::MAX,
            descriptors: BTreeMap::new(),
            closing: Vec::new(),
            begun: Vec::new(),
            made_count: 0,
        }
    }

    /// The result of an accept into a slot: its descriptor, 0 for a place in the table, or that
    /// there is no descriptor left.
    pub(super) fn accept(&mut self, slot: u32) -> i32 {
        if self.held == Sockets::Direct {
            return 0;
        }
        if self.descriptors.len() >= self.descriptors_max {
            return -libc::EMFILE;
        }
        let in_use = |number: &i32| self.descriptors.values().any(|other| other == number);
        let free = (3..).find(|number| !in_use(number)).unwrap();
        assert!(self.descriptors.insert(slot, free).is_none(), "a descriptor is lost");
        free
    }

    /// A request for a slot's socket begins.
    pub(super) fn begin(&mut self, op: Op, slot: u32) {
        self.made_count += 1;
        self.begun.push((op, slot, self.made_count));
    }

    /// Requests have completed: what was closed and has waited for them ends.
    pub(super) fn completed(&mut self, done: &[Completion]) {
        for completion in done {
            let of =
                |(op, slot, _): &(Op, u32, u64)| *op == completion.op && *slot == completion.slot;
            if let Some(at) = self.begun.iter().position(of) {
                self.begun.remove(at);
            }
        }
        self.end();
    }

    /// A slot's socket is closed, which was this client's.
    pub(super) fn close(&mut self, slot: u32, client: usize) {
        let descriptor = self.descriptors.remove(&slot);
        assert_eq!(descriptor.is_some(), self.held == Sockets::Ordinary, "what is closed?");
        self.made_count += 1;
        self.closing.push(Closing { client, closed: self.made_count });
        self.end();
        let is_late = self.is_closing(client);
        self.late_count += u64::from(is_late);
    }

    /// Whether a client's socket was closed and has not ended.
    pub(super) fn is_closing(&self, client: usize) -> bool {
        self.closing.iter().any(|closing| closing.client == client)
    }

    fn end(&mut self) {
        let first = self.begun.iter().map(|(_, _, begun)| *begun).min().unwrap_or(u64::MAX);
        // Sockets outside the table end at once on every kernel.
        let is_late = self.is_late && self.held == Sockets::Direct;
        self.closing.retain(|closing| is_late && closing.closed > first);
        self.piled_up_max = self.piled_up_max.max(self.closing.len());
    }
}

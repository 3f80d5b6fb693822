//! The ring itself: the only file of the engine that hands memory to the kernel.
//!
//! # Invariants
//!
//! - `owned`: whatever address a request carries lies in [`Memory`], which is made once, never
//!   moved (everything in it is boxed) and dropped after the last request has completed; if that
//!   cannot be had, it is leaked.
//! - `lent`: while a request for a slot is under way, Rust code neither reads nor writes what the
//!   request names: `Lent` says for each slot what that is.
//! - `in-flight`: `in_flight_count` counts the requests that still complete.
//! - `ours`: where sockets are descriptors, `Lent::socket` owns the slot's from the completion of
//!   its accept until its close is asked for; nothing else closes it.
//!
//! # Does not
//!
//! Know what a connection is, or when one expires.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
#![expect(unsafe_code, reason = "requests name memory by address; each block says why it holds")]

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use io_uring::types::{CancelBuilder, DestinationSlot, Fd, Fixed, Timespec};
use io_uring::{IoUring, opcode, squeue};
use socket2::{SockRef, Socket};

use super::super::limits::{
    COMPLETIONS_PER_TURN, DRAIN_READ_BYTES, INPUT_BYTES, LONG_LINES, SHORT_INPUT_BYTES,
};
use super::Sockets;
use super::kernel::{Completion, Kernel, Op, data_of};
use super::memory::{Lent, Memory, NO_SOCKET, PEER_BYTES, SlotMemory, peer_of};
use super::setup::{SUBMISSIONS, completions_for, setup};
use crate::observe::clock;

/// Turns that an ending ring waits for its cancelled requests.
const ENDING_TURNS: usize = 1_000;

/// How long the kernel may take to cancel everything.
const ENDING_WAIT_NS: u32 = 100_000_000;

/// A ring and the sockets of its slots.
pub(super) struct Ring<B> {
    ring: IoUring,
    sockets: Sockets,
    /// What each request for a slot's socket carries: whether its number is one of the ring's
    /// table.
    table: squeue::Flags,
    memory: Option<Memory<B>>,
    lent: Box<[Lent]>,
    long_free: Vec<u16>,
    listeners: Vec<Socket>,
    /// Requests for which the ring had no place: made before all others at the next turn.
    waiting: VecDeque<squeue::Entry>,
    in_flight_count: u64,
    /// Requests that had to wait for a place, in all.
    waited_count: u64,
    /// Whether the kernel knows [`ACCEPT_POLL_FIRST`].
    waits_first: bool,
}

/// Flag of an accept: wait until a connection is there, instead of trying at once. A try makes a
/// socket, its inode and its file before it finds that there is nothing to accept.
const ACCEPT_POLL_FIRST: u16 = 4;

impl<B> Ring<B> {
    /// A ring with `slots` places for sockets, held as `sockets` says, which accepts from
    /// `listeners`.
    ///
    /// # Errors
    ///
    /// If the kernel refuses the ring or so large a table (`RLIMIT_NOFILE` bounds it).
    pub(super) fn new(slots: u32, sockets: Sockets, listeners: Vec<Socket>) -> io::Result<Self> {
        let ring = setup(completions_for(slots))?;
        let table = match sockets {
            Sockets::Direct => squeue::Flags::FIXED_FILE,
            Sockets::Ordinary => squeue::Flags::empty(),
        };
        if sockets == Sockets::Direct {
            ring.submitter().register_files_sparse(slots)?;
        }
        // An older kernel does without.
        let _ = ring.submitter().register_ring_fd();
        let lent = (0..slots).map(|slot| match sockets {
            Sockets::Direct => Lent::of(i32::try_from(slot).unwrap_or(NO_SOCKET)),
            Sockets::Ordinary => Lent::of(NO_SOCKET),
        });
        let mut made = Self {
            ring,
            sockets,
            table,
            memory: Some(Memory::new(slots)),
            lent: lent.collect(),
            long_free: (0..u16::try_from(LONG_LINES).unwrap_or(u16::MAX)).rev().collect(),
            listeners,
            waiting: VecDeque::with_capacity(SUBMISSIONS as usize),
            in_flight_count: 0,
            waited_count: 0,
            waits_first: false,
        };
        made.waits_first = made.knows_waiting_first()?;
        Ok(made)
    }

    /// Tries an accept on no socket at all: a kernel that knows the flag misses the socket, an
    /// older one (before 6.10) refuses the flag.
    fn knows_waiting_first(&mut self) -> io::Result<bool> {
        let nowhere = opcode::Accept::new(Fd(-1), std::ptr::null_mut(), std::ptr::null_mut());
        self.push(waiting_first(nowhere.build()).user_data(data_of(Op::Quiet, 0)));
        let mut completed = Vec::with_capacity(1);
        self.turn(1, &mut completed)?;
        Ok(completed.first().is_some_and(|completion| completion.result == -libc::EBADF))
    }

    /// Arms the tick once.
    pub(super) fn tick(&mut self) {
        let Some(memory) = &self.memory else { return };
        let entry = opcode::Timeout::new(&raw const *memory.tick).build();
        self.push_counted(entry, Op::Tick, 0);
    }

    /// Makes the requests, waits for `want` completions, and appends what has completed to `out`,
    /// at most [`COMPLETIONS_PER_TURN`].
    ///
    /// # Errors
    ///
    /// If the kernel refuses to turn the ring: it never does for a ring in order.
    pub(super) fn turn(&mut self, want: usize, out: &mut Vec<Completion>) -> io::Result<()> {
        self.push_waiting();
        let want = if self.waiting.is_empty() { want } else { 0 };
        if let Err(error) = self.ring.submit_and_wait(want) {
            let later = [libc::EINTR, libc::EBUSY, libc::EAGAIN];
            if !error.raw_os_error().is_some_and(|code| later.contains(&code)) {
                return Err(error);
            }
        }
        let completions = self.ring.completion().take(COMPLETIONS_PER_TURN);
        for entry in completions {
            let completion = Completion::of(&entry);
            if completion.op != Op::Quiet {
                self.in_flight_count = self.in_flight_count.saturating_sub(1);
            }
            if let Some(lent) = self.lent.get_mut(completion.slot as usize) {
                match completion.op {
                    Op::Accept => {
                        lent.accepting = false;
                        // A place in the table is the slot's own, and stays so.
                        if self.sockets == Sockets::Ordinary && completion.result >= 0 {
                            lent.socket = completion.result;
                        }
                    }
                    Op::Receive => lent.receiving = false,
                    Op::Send => lent.sending = false,
                    _ => {}
                }
            }
            out.push(completion);
        }
        Ok(())
    }

    /// Puts a socket into a slot's place in the table, which alone holds it then.
    ///
    /// # Errors
    ///
    /// If there is no table, or no such place in it.
    pub(super) fn adopt(&self, slot: u32, socket: OwnedFd) -> io::Result<()> {
        self.ring.submitter().register_files_update(slot, &[socket.as_raw_fd()]).map(drop)
    }

    /// Requests that had to wait for a place since this was asked last.
    pub(super) fn take_waited_count(&mut self) -> u64 {
        std::mem::take(&mut self.waited_count)
    }

    /// Closes a listener. Its accepts must have completed.
    pub(super) fn close_listeners(&mut self) {
        self.listeners.clear();
    }

    fn push_waiting(&mut self) {
        while let Some(entry) = self.waiting.pop_front() {
            // SAFETY: the entry was made in this file; what it names is valid, per `owned`.
            let pushed = unsafe { self.ring.submission().push(&entry) };
            if pushed.is_err() {
                self.waiting.push_front(entry);
                return;
            }
        }
    }

    fn push(&mut self, entry: squeue::Entry) {
        if self.waiting.is_empty() {
            // SAFETY: the entry was made in this file; what it names is valid, per `owned`.
            let pushed = unsafe { self.ring.submission().push(&entry) };
            if pushed.is_ok() {
                return;
            }
        }
        self.waited_count = self.waited_count.saturating_add(1);
        self.waiting.push_back(entry);
    }

    fn push_counted(&mut self, entry: squeue::Entry, op: Op, slot: u32) {
        self.in_flight_count = self.in_flight_count.saturating_add(1);
        self.push(entry.user_data(data_of(op, slot)));
    }

    fn push_quiet(&mut self, entry: squeue::Entry, slot: u32) {
        let quiet = entry.flags(squeue::Flags::SKIP_SUCCESS).user_data(data_of(Op::Quiet, slot));
        self.push(quiet);
    }

    fn slot_memory(&self, slot: u32) -> Option<&SlotMemory> {
        self.memory.as_ref()?.slots.get(slot as usize)
    }

    fn lent(&self, slot: u32) -> Lent {
        self.lent.get(slot as usize).copied().unwrap_or(Lent::of(NO_SOCKET))
    }

    /// The slot's socket, as requests with the flags in `table` name it.
    fn socket(&self, slot: u32) -> Fd {
        Fd(self.lent.get(slot as usize).map_or(NO_SOCKET, |lent| lent.socket))
    }

    /// Takes the slot's descriptor out of it, for a close.
    fn take_socket(&mut self, slot: u32) -> Option<i32> {
        let lent = self.lent.get_mut(slot as usize)?;
        let socket = std::mem::replace(&mut lent.socket, NO_SOCKET);
        (socket != NO_SOCKET).then_some(socket)
    }

    /// Makes the close of a slot's place in the table a reset. Every kernel that ends sockets of a
    /// table in time knows the request; another one refuses it, and the close is not a reset.
    fn linger_no_more(&mut self, slot: u32) {
        let linger = self.memory.as_ref().map(|memory| (&raw const *memory.linger).cast());
        let Some(linger) = linger else { return };
        let option = opcode::SetSockOpt::new(
            Fixed(slot),
            libc::SOL_SOCKET.cast_unsigned(),
            libc::SO_LINGER.cast_unsigned(),
            linger,
            u32::try_from(size_of::<libc::linger>()).unwrap_or_default(),
        );
        self.push_quiet(option.build(), slot);
    }

    /// Where the slot's input lies, and how much it takes.
    fn input_place(&self, slot: u32) -> Option<(*mut u8, usize)> {
        let memory = self.memory.as_ref()?;
        if let Some(long) = self.lent(slot).long {
            let place = memory.long.get(usize::from(long))?;
            return Some((place.get().cast(), INPUT_BYTES));
        }
        Some((memory.slots.get(slot as usize)?.input.get().cast(), SHORT_INPUT_BYTES))
    }
}

/// An accept with [`ACCEPT_POLL_FIRST`], for which the crate has no name.
fn waiting_first(mut accept: squeue::Entry) -> squeue::Entry {
    // SAFETY: an entry is the kernel's `struct io_uring_sqe` (asserted below), plain integers of
    // which the second half-word is `ioprio`: the place of an accept's flags.
    unsafe { (&raw mut accept).cast::<u16>().wrapping_add(1).write(ACCEPT_POLL_FIRST) };
    accept
}

const _: () = assert!(size_of::<squeue::Entry>() == 64 && align_of::<squeue::Entry>() >= 2);

impl<B: AsRef<[u8]>> Kernel<B> for Ring<B> {
    fn now_us(&self) -> u64 {
        clock::micros()
    }

    fn accept(&mut self, slot: u32, listener: usize) {
        let Some(listener) = self.listeners.get(listener).map(AsRawFd::as_raw_fd) else { return };
        if self.lent(slot).accepting {
            return;
        }
        let Some(memory) = self.slot_memory(slot) else { return };
        let (peer, bytes) = (memory.peer.get(), memory.peer_bytes.get());
        // SAFETY: the cell lives in `memory`, and no accept for the slot is under way, per `lent`.
        unsafe { *bytes = PEER_LEN };
        let entry = opcode::Accept::new(Fd(listener), peer.cast(), bytes);
        if let Some(lent) = self.lent.get_mut(slot as usize) {
            lent.accepting = true;
        }
        let entry = match self.sockets {
            Sockets::Direct => {
                entry.file_index(DestinationSlot::try_from_slot_target(slot).ok()).build()
            }
            Sockets::Ordinary => entry.flags(libc::SOCK_CLOEXEC).build(),
        };
        let entry = if self.waits_first { waiting_first(entry) } else { entry };
        self.push_counted(entry, Op::Accept, slot);
    }

    fn cancel_accept(&mut self, slot: u32) {
        self.cancel(Op::Accept, slot);
    }

    fn peer(&self, slot: u32) -> Option<SocketAddr> {
        if self.lent(slot).accepting {
            return None;
        }
        // SAFETY: no accept for the slot is under way, per `lent`, so that nothing writes it.
        let bytes = unsafe { *self.slot_memory(slot)?.peer.get() };
        peer_of(&bytes)
    }

    fn receive(&mut self, slot: u32, from: usize) {
        let Some((place, room)) = self.input_place(slot) else { return };
        let Some(lent) = self.lent.get_mut(slot as usize) else { return };
        if lent.receiving || from > room {
            return;
        }
        lent.receiving = true;
        let socket = Fd(lent.socket);
        // An address within or at the end of the place: `from` is at most its length.
        let place = place.wrapping_add(from);
        let room = u32::try_from(room.saturating_sub(from)).unwrap_or_default();
        let receive = opcode::Recv::new(socket, place, room).build().flags(self.table);
        self.push_counted(receive, Op::Receive, slot);
    }

    fn room(&self, slot: u32) -> usize {
        self.input_place(slot).map_or(0, |(_, room)| room)
    }

    fn lengthen(&mut self, slot: u32) -> bool {
        let Some((short, bytes)) = self.input_place(slot) else { return false };
        let lent = self.lent(slot);
        if lent.receiving || lent.long.is_some() {
            return false;
        }
        let Some(long) = self.long_free.pop() else { return false };
        let place = self.memory.as_ref().and_then(|memory| memory.long.get(usize::from(long)));
        let Some(place) = place else { return false };
        // SAFETY: both places live in `memory` and are different allocations; the short one has
        // `bytes` bytes, the long one more (asserted below); nothing is under way for the slot,
        // and a free long line belongs to no slot, per `lent`.
        unsafe { std::ptr::copy_nonoverlapping(short, place.get().cast::<u8>(), bytes) };
        if let Some(lent) = self.lent.get_mut(slot as usize) {
            lent.long = Some(long);
        }
        true
    }

    fn input(&self, slot: u32, bytes: usize) -> &[u8] {
        if self.lent(slot).receiving {
            return &[];
        }
        let Some((place, room)) = self.input_place(slot) else { return &[] };
        // SAFETY: `place` has `room` initialised bytes in `memory`, which lives as long as `self`;
        // no receive is under way, per `lent`, and none can begin while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(place, bytes.min(room)) }
    }

    fn take_input(&mut self, slot: u32, taken: usize, bytes: usize) {
        let Some((place, room)) = self.input_place(slot) else { return };
        let Some(left) = bytes.checked_sub(taken).filter(|_| bytes <= room) else { return };
        let lent = self.lent(slot);
        let Some(memory) = self.slot_memory(slot).filter(|_| !lent.receiving) else { return };
        let is_short = left <= SHORT_INPUT_BYTES;
        let to = if is_short { memory.input.get().cast() } else { place };
        let from = place.wrapping_add(taken);
        // SAFETY: `place` has `room` bytes in `memory`; `taken` and `left` together are `bytes`, at
        // most that; `to` has `left` bytes, and may overlap; no receive is under way, per `lent`.
        unsafe { std::ptr::copy(from, to, left) };
        if is_short {
            self.forget_input(slot);
        }
    }

    fn forget_input(&mut self, slot: u32) {
        let Some(lent) = self.lent.get_mut(slot as usize) else { return };
        if !lent.receiving
            && let Some(long) = lent.long.take()
        {
            self.long_free.push(long);
        }
    }

    fn send(&mut self, slot: u32, answer: Box<B>, from: usize) {
        let index = slot as usize;
        let Some(lent) = self.lent.get_mut(index).filter(|lent| !lent.sending) else { return };
        let memory = self.memory.as_mut();
        let place = memory.and_then(|memory| memory.answers.get_mut(index));
        let Some(place) = place else { return };
        lent.sending = true;
        let socket = Fd(lent.socket);
        // The answer stays in its box, untouched, until the send has completed: `take_answer`.
        let bytes = (**place.insert(answer)).as_ref().get(from..).unwrap_or_default();
        let (start, length) = (bytes.as_ptr(), u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        // `MSG_MORE`: the end of the answer and the end of the stream share a segment, since a
        // close or a shutdown follows in every case.
        let send = opcode::Send::new(socket, start, length)
            .flags(libc::MSG_NOSIGNAL | libc::MSG_MORE)
            .build()
            .flags(self.table);
        // Not linked: requests are carried out in order as far as they need not wait, and a link
        // costs the look a turn of its own.
        self.push_counted(send, Op::Send, slot);
        self.look(slot);
    }

    fn look(&mut self, slot: u32) {
        let Some(dropped) = self.memory.as_ref().map(|memory| memory.dropped.get()) else { return };
        let look = opcode::Recv::new(self.socket(slot), dropped.cast(), 1)
            .flags(libc::MSG_PEEK | libc::MSG_DONTWAIT)
            .build()
            .flags(self.table);
        self.push_counted(look, Op::Look, slot);
    }

    fn take_answer(&mut self, slot: u32) -> Option<Box<B>> {
        if self.lent(slot).sending {
            return None;
        }
        self.memory.as_mut()?.answers.get_mut(slot as usize)?.take()
    }

    fn drain(&mut self, slot: u32, shutdown: bool) {
        if shutdown {
            let end = opcode::Shutdown::new(self.socket(slot), libc::SHUT_WR).build();
            self.push_quiet(end.flags(self.table), slot);
        }
        let Some(dropped) = self.memory.as_ref().map(|memory| memory.dropped.get()) else { return };
        let length = u32::try_from(DRAIN_READ_BYTES).unwrap_or_default();
        let drain = opcode::Recv::new(self.socket(slot), dropped.cast(), length).build();
        self.push_counted(drain.flags(self.table), Op::Drain, slot);
    }

    fn cancel(&mut self, op: Op, slot: u32) {
        self.push_quiet(opcode::AsyncCancel::new(data_of(op, slot)).build(), slot);
    }

    fn close(&mut self, slot: u32, reset: bool) {
        match self.sockets {
            Sockets::Direct => {
                if reset {
                    self.linger_no_more(slot);
                }
                self.push_quiet(opcode::Close::new(Fixed(slot)).build(), slot);
            }
            Sockets::Ordinary => {
                let Some(socket) = self.take_socket(slot) else { return };
                if reset {
                    // SAFETY: the descriptor is open: it was the slot's until now, per `ours`, and
                    // is closed by the request below.
                    let borrowed = unsafe { BorrowedFd::borrow_raw(socket) };
                    // Where it fails the connection has ended already.
                    let _ = SockRef::from(&borrowed).set_linger(Some(Duration::ZERO));
                }
                self.push_quiet(opcode::Close::new(Fd(socket)).build(), slot);
            }
        }
    }
}

const _: () = assert!(INPUT_BYTES > SHORT_INPUT_BYTES);
#[expect(clippy::cast_possible_truncation, reason = "28")]
const PEER_LEN: libc::socklen_t = PEER_BYTES as libc::socklen_t;

impl<B> Drop for Ring<B> {
    /// Ends what is under way, so that the kernel writes nothing any more; if it cannot be ended,
    /// the memory stays. A table closes its sockets by itself, descriptors are closed here.
    fn drop(&mut self) {
        let wait = Timespec::new().nsec(ENDING_WAIT_NS);
        let _ = self.ring.submitter().register_sync_cancel(Some(wait), CancelBuilder::any().all());
        let mut completed = Vec::with_capacity(COMPLETIONS_PER_TURN);
        for _ in 0..ENDING_TURNS {
            completed.clear();
            if self.in_flight_count == 0 || self.turn(1, &mut completed).is_err() {
                break;
            }
        }
        if self.in_flight_count > 0 {
            std::mem::forget(self.memory.take());
        }
        if self.sockets == Sockets::Ordinary {
            for slot in 0..u32::try_from(self.lent.len()).unwrap_or_default() {
                let Some(socket) = self.take_socket(slot) else { continue };
                // SAFETY: the descriptor was the slot's own, per `ours`, and is so no more.
                drop(unsafe { OwnedFd::from_raw_fd(socket) });
            }
        }
    }
}

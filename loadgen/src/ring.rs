//! The generator's ring: the only file of the crate that hands memory to the kernel.
//!
//! # Invariants
//!
//! - `owned`: whatever address a request carries lies in boxes of [`Ring`] that are made once and
//!   dropped after the last request has completed; if that cannot be had, they are leaked.
//! - `lent`: while a slot has requests under way, its memory is not touched: `pending` counts them.
//!
//! # Does not
//!
//! Know what is sent or what an answer means.
#![expect(unsafe_code, reason = "requests name memory by address; each block says why it holds")]

use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use io_uring::types::{CancelBuilder, DestinationSlot, Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, Probe, cqueue, opcode, squeue};

use crate::sockaddr::Address;

/// Longest request, bytes: a PROXY header, and a query line that is too long on purpose, whose
/// bytes a path writes with three each.
pub const REQUEST_BYTES_MAX: usize = 4_096;
/// Longest answer that is kept for the checks, bytes; whoisd's own bound.
pub const ANSWER_BYTES_MAX: usize = 65_536;
/// Requests taken between two turns.
const SUBMISSIONS: u32 = 8_192;
/// Requests of one start: socket, option, bind, connect, send, receive. They are linked, and links
/// do not reach over the end of a turn.
const START_REQUESTS_MAX: usize = 6;
/// Completions handled in one turn.
const COMPLETIONS_PER_TURN: usize = 2_048;

/// What completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Making and binding the socket; only failures are reported, and nothing else follows.
    Setup = 1,
    /// The connection.
    Connect = 2,
    /// Bytes of the request.
    Send = 3,
    /// Bytes of the answer; 0 is its end.
    Receive = 4,
    /// Nothing of interest.
    Quiet = 5,
}

/// One completion.
#[derive(Debug, Clone, Copy)]
pub struct Completion {
    /// Of what.
    pub op: Op,
    /// The slot.
    pub slot: u32,
    /// Result of the system call: not negative, or a negated error number.
    pub result: i32,
    /// Operations of the slot that are still under way.
    pub pending_count: u8,
}

struct SlotMemory {
    request: UnsafeCell<[u8; REQUEST_BYTES_MAX]>,
    answer: UnsafeCell<Box<[u8]>>,
}

struct Memory {
    slots: Box<[SlotMemory]>,
    targets: Box<[Address]>,
    sources: Box<[Address]>,
    one: Box<i32>,
}

/// A ring with a table of sockets, each with room for a request and an answer.
pub struct Ring {
    ring: IoUring,
    memory: Option<Memory>,
    pending: Box<[u8]>,
    waiting: VecDeque<squeue::Entry>,
    in_flight_count: u64,
    /// Whether the kernel binds sockets of the ring's table (Linux 6.11); plain calls do otherwise.
    binds: bool,
    /// Sockets that plain calls could not make.
    refused: Vec<Completion>,
}

/// Lets sleeps of this thread end on time instead of up to 50 us late, the kernel's default.
pub fn sleep_exactly() {
    // SAFETY: PR_SET_TIMERSLACK takes a number and touches no memory.
    let _ = unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_000_u64) };
}

/// Ties this thread to one processor.
///
/// # Errors
///
/// If the kernel refuses: there is no such processor, or the process may not use it.
pub fn pin(core: usize) -> io::Result<()> {
    // SAFETY: a processor set is an array of numbers; all zeros is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    if core >= usize::try_from(libc::CPU_SETSIZE).unwrap_or_default() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: `core` is within the set, checked above.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: the set is valid for the call and of the size given; 0 is this thread.
    let done = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A socket bound to an address; its port is chosen when it connects.
fn bound_socket(from: &Address, one: &i32) -> io::Result<OwnedFd> {
    // SAFETY: numbers only.
    let socket = unsafe { libc::socket(from.family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was made here, and nothing else has it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let (level, option) = (libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT);
    // SAFETY: the option is a number of 4 bytes, valid for the call.
    unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const *one).cast(), 4) };
    let address = (&raw const from.bytes).cast();
    // SAFETY: the address is valid for the call and of the length given.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), address, from.length) };
    if bound == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
}

const fn data_of(op: Op, slot: u32) -> u64 {
    ((slot as u64) << 8) | op as u64
}

impl Ring {
    /// A ring for `slots` connections at a time to `targets`, each from one of `sources` (none: the
    /// kernel chooses).
    ///
    /// # Errors
    ///
    /// If the kernel refuses the ring or so large a table; it needs Linux 6.1 and as many
    /// descriptors (`ulimit -n`) as slots.
    pub fn new(slots: u32, targets: &[SocketAddr], sources: &[SocketAddr]) -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_cqsize(slots.saturating_mul(4).clamp(SUBMISSIONS, 65_536))
            .setup_clamp()
            .build(SUBMISSIONS)?;
        ring.submitter().register_files_sparse(slots)?;
        let _ = ring.submitter().register_ring_fd();
        let mut probe = Probe::new();
        let probed = ring.submitter().register_probe(&mut probe);
        let binds = probed.is_ok() && probe.is_supported(opcode::Bind::CODE);
        let slot = |_| SlotMemory {
            request: UnsafeCell::new([0; REQUEST_BYTES_MAX]),
            answer: UnsafeCell::new(vec![0; ANSWER_BYTES_MAX].into_boxed_slice()),
        };
        let memory = Memory {
            slots: (0..slots).map(slot).collect(),
            targets: targets.iter().map(|target| Address::of(*target)).collect(),
            sources: sources.iter().map(|source| Address::of(*source)).collect(),
            one: Box::new(1),
        };
        let pending = vec![0; slots as usize].into_boxed_slice();
        let waiting = VecDeque::with_capacity(SUBMISSIONS as usize);
        let (memory, refused) = (Some(memory), Vec::new());
        Ok(Self { ring, memory, pending, waiting, in_flight_count: 0, binds, refused })
    }

    /// Connects, sends the first `send_bytes` of `request` (none: only connects), and receives.
    /// `false`: the slot has operations under way, or the request is too long.
    #[must_use]
    pub fn start(
        &mut self,
        slot: u32,
        target: usize,
        source: Option<usize>,
        request: &[u8],
        send_bytes: usize,
    ) -> bool {
        if self.pending_count(slot) > 0 || !self.put_request(slot, request) {
            return false;
        }
        let Some(memory) = &self.memory else { return false };
        let Some(to) = memory.targets.get(target) else { return false };
        let Ok(place) = DestinationSlot::try_from_slot_target(slot) else { return false };
        let (to_bytes, to_length) = ((&raw const to.bytes).cast(), to.length);
        let from = source.and_then(|source| memory.sources.get(source));
        if let Some(from) = from.filter(|_| !self.binds) {
            let made = bound_socket(from, &memory.one).and_then(|socket| {
                self.ring.submitter().register_files_update(slot, &[socket.as_raw_fd()])
            });
            if let Err(error) = made {
                let result = error.raw_os_error().unwrap_or(libc::EIO).saturating_neg();
                let refused = Completion { op: Op::Setup, slot, result, pending_count: 0 };
                self.refused.push(refused);
                return true;
            }
        } else {
            let socket = opcode::Socket::new(to.family, libc::SOCK_STREAM, 0);
            let from = from.map(|from| ((&raw const from.bytes).cast(), from.length));
            let one = (&raw const *memory.one).cast();
            self.push_setup(socket.file_index(Some(place)).build(), slot);
            if let Some((bytes, length)) = from {
                let level = libc::IPPROTO_IP.cast_unsigned();
                let option = libc::IP_BIND_ADDRESS_NO_PORT.cast_unsigned();
                let option = opcode::SetSockOpt::new(Fixed(slot), level, option, one, 4);
                self.push_setup(option.build(), slot);
                self.push_setup(opcode::Bind::new(Fixed(slot), bytes, length).build(), slot);
            }
        }
        let connect = opcode::Connect::new(Fixed(slot), to_bytes, to_length).build();
        self.push_counted(connect.flags(squeue::Flags::IO_LINK), Op::Connect, slot);
        if send_bytes > 0 {
            self.send_linked(slot, 0, send_bytes.min(request.len()));
        }
        self.receive(slot, 0);
        true
    }

    /// Sends `request` over the slot's connection, and receives. `false`: the slot has operations
    /// under way, or the request is too long.
    #[must_use]
    pub fn ask(&mut self, slot: u32, request: &[u8]) -> bool {
        if self.pending_count(slot) > 0 || !self.put_request(slot, request) {
            return false;
        }
        self.send_linked(slot, 0, request.len());
        self.receive(slot, 0);
        true
    }

    /// Whether the requests of one more start get into this turn.
    pub fn has_room(&mut self) -> bool {
        let queue = self.ring.submission();
        self.waiting.is_empty() && queue.capacity() - queue.len() >= START_REQUESTS_MAX
    }

    /// Sends bytes of the slot's request.
    pub fn send(&mut self, slot: u32, from: usize, to: usize) {
        if let Some(entry) = self.send_entry(slot, from, to) {
            self.push_counted(entry, Op::Send, slot);
        }
    }

    fn send_linked(&mut self, slot: u32, from: usize, to: usize) {
        if let Some(entry) = self.send_entry(slot, from, to) {
            self.push_counted(entry.flags(squeue::Flags::IO_LINK), Op::Send, slot);
        }
    }

    fn send_entry(&self, slot: u32, from: usize, to: usize) -> Option<squeue::Entry> {
        let memory = self.memory.as_ref()?.slots.get(slot as usize)?;
        let length = to.checked_sub(from).filter(|_| to <= REQUEST_BYTES_MAX)?;
        let start = memory.request.get().cast::<u8>().wrapping_add(from).cast_const();
        let length = u32::try_from(length).ok()?;
        Some(opcode::Send::new(Fixed(slot), start, length).flags(libc::MSG_NOSIGNAL).build())
    }

    /// Receives after the first `from` bytes of the answer; once the room is full, over its last
    /// byte.
    pub fn receive(&mut self, slot: u32, from: usize) {
        let Some(memory) = self.memory.as_ref() else { return };
        let Some(memory) = memory.slots.get(slot as usize) else { return };
        let from = from.min(ANSWER_BYTES_MAX - 1);
        // SAFETY: the box itself is never replaced, so reading its address does not race with the
        // kernel, which writes what it points to.
        let start = unsafe { (*memory.answer.get()).as_mut_ptr() }.wrapping_add(from);
        let length = u32::try_from(ANSWER_BYTES_MAX - from).unwrap_or_default();
        let entry = opcode::Recv::new(Fixed(slot), start, length).build();
        self.push_counted(entry, Op::Receive, slot);
    }

    /// The first `bytes` of the answer; none while operations are under way.
    pub fn answer(&self, slot: u32, bytes: usize) -> &[u8] {
        let memory = self.memory.as_ref().and_then(|memory| memory.slots.get(slot as usize));
        let Some(memory) = memory.filter(|_| self.pending_count(slot) == 0) else { return &[] };
        // SAFETY: nothing is under way for the slot, per `lent`, and nothing can begin while
        // `self` is borrowed.
        let answer: &[u8] = unsafe { &*memory.answer.get() };
        answer.get(..bytes).unwrap_or(answer)
    }

    /// Ends what is under way for the slot; each operation still completes.
    pub fn cancel(&mut self, slot: u32) {
        for op in [Op::Connect, Op::Send, Op::Receive] {
            let entry = opcode::AsyncCancel::new(data_of(op, slot)).build();
            self.push_quiet(entry, slot);
        }
    }

    /// Closes the slot's socket.
    pub fn close(&mut self, slot: u32) {
        if !self.binds {
            // The next socket takes the place at once: a request to close would come too late.
            let _ = self.ring.submitter().register_files_update(slot, &[-1]);
            return;
        }
        self.push_quiet(opcode::Close::new(Fixed(slot)).build(), slot);
    }

    /// Operations of a slot that are under way.
    pub fn pending_count(&self, slot: u32) -> u8 {
        self.pending.get(slot as usize).copied().unwrap_or_default()
    }

    /// Makes the requests, waits up to `wait_ns` for a completion, and appends what has completed
    /// to `out`.
    ///
    /// # Errors
    ///
    /// If the kernel refuses to turn the ring.
    pub fn turn(&mut self, wait_ns: u64, out: &mut Vec<Completion>) -> io::Result<()> {
        while let Some(entry) = self.waiting.pop_front() {
            // SAFETY: the entry was made in this file; what it names is valid, per `owned`.
            let pushed = unsafe { self.ring.submission().push(&entry) };
            if pushed.is_err() {
                self.waiting.push_front(entry);
                break;
            }
        }
        let idle = self.waiting.is_empty() && self.refused.is_empty();
        let wait_ns = if idle { wait_ns } else { 0 };
        let seconds = wait_ns / 1_000_000_000;
        let rest = u32::try_from(wait_ns % 1_000_000_000).unwrap_or_default();
        let wait = Timespec::new().sec(seconds).nsec(rest);
        // Even without time to wait: the kernel completes operations only for a thread that waits.
        let turned = self.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&wait));
        if let Err(error) = turned {
            let later = [libc::ETIME, libc::EINTR, libc::EBUSY, libc::EAGAIN];
            if !error.raw_os_error().is_some_and(|code| later.contains(&code)) {
                return Err(error);
            }
        }
        out.append(&mut self.refused);
        for entry in self.ring.completion().take(COMPLETIONS_PER_TURN) {
            out.extend(completed(&entry, &mut self.pending, &mut self.in_flight_count));
        }
        Ok(())
    }

    #[expect(clippy::needless_pass_by_ref_mut, reason = "it writes: nobody else may look")]
    fn put_request(&mut self, slot: u32, request: &[u8]) -> bool {
        let memory = self.memory.as_ref().and_then(|memory| memory.slots.get(slot as usize));
        let Some(memory) = memory else { return false };
        // SAFETY: nothing is under way for the slot (`start` looked), per `lent`, and `self` is
        // borrowed for writing.
        let place = unsafe { &mut *memory.request.get() };
        let Some(place) = place.get_mut(..request.len()) else { return false };
        place.copy_from_slice(request);
        true
    }

    fn push(&mut self, entry: squeue::Entry) {
        if self.waiting.is_empty() {
            // SAFETY: the entry was made in this file; what it names is valid, per `owned`.
            let pushed = unsafe { self.ring.submission().push(&entry) };
            if pushed.is_ok() {
                return;
            }
        }
        self.waiting.push_back(entry);
    }

    fn push_counted(&mut self, entry: squeue::Entry, op: Op, slot: u32) {
        if let Some(pending) = self.pending.get_mut(slot as usize) {
            *pending = pending.saturating_add(1);
        }
        self.in_flight_count += 1;
        self.push(entry.user_data(data_of(op, slot)));
    }

    fn push_quiet(&mut self, entry: squeue::Entry, slot: u32) {
        let quiet = entry.flags(squeue::Flags::SKIP_SUCCESS);
        self.push(quiet.user_data(data_of(Op::Quiet, slot)));
    }

    fn push_setup(&mut self, entry: squeue::Entry, slot: u32) {
        let flags = squeue::Flags::SKIP_SUCCESS | squeue::Flags::IO_LINK;
        self.push(entry.flags(flags).user_data(data_of(Op::Setup, slot)));
    }
}

/// A completion, counted. A failed setup ends the requests after it too, without a completion.
#[expect(clippy::cast_possible_truncation, reason = "a slot's number was put there as a u32")]
fn completed(
    entry: &cqueue::Entry,
    pending: &mut [u8],
    in_flight_count: &mut u64,
) -> Option<Completion> {
    const OPS: [Op; 5] = [Op::Setup, Op::Connect, Op::Send, Op::Receive, Op::Quiet];
    let data = entry.user_data();
    let op = OPS.into_iter().find(|op| *op as u64 == data & 0xff)?;
    let slot = (data >> 8) as u32;
    let pending = pending.get_mut(slot as usize)?;
    match op {
        Op::Quiet => return None,
        Op::Setup => {
            *in_flight_count = in_flight_count.saturating_sub(u64::from(*pending));
            *pending = 0;
        }
        _ => {
            *in_flight_count = in_flight_count.saturating_sub(1);
            *pending = pending.saturating_sub(1);
        }
    }
    Some(Completion { op, slot, result: entry.result(), pending_count: *pending })
}

impl Drop for Ring {
    /// Ends what is under way; if it cannot be ended, the memory stays.
    fn drop(&mut self) {
        let wait = Timespec::new().nsec(100_000_000);
        let _ = self.ring.submitter().register_sync_cancel(Some(wait), CancelBuilder::any().all());
        let mut completions = Vec::new();
        for _ in 0..1_000 {
            completions.clear();
            if self.in_flight_count == 0 || self.turn(1_000_000, &mut completions).is_err() {
                break;
            }
        }
        if self.in_flight_count > 0 {
            std::mem::forget(self.memory.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Connects twice from `source` in one slot, and gives what was received and from where; the
    /// first error if any.
    fn exchanged(binds: bool, source: &str) -> Result<(String, String), i32> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                // Bytes left unread when the server closes would reset the connection.
                let _ = client.read(&mut [0]);
                let from = client.peer_addr().unwrap().ip().to_string();
                let _ = client.write_all(from.as_bytes());
            }
        });
        let mut ring = Ring::new(2, &[target], &[source.parse().unwrap()]).unwrap();
        ring.binds &= binds;
        let first = exchange(&mut ring)?;
        ring.close(1);
        Ok((first, exchange(&mut ring)?))
    }

    fn exchange(ring: &mut Ring) -> Result<String, i32> {
        assert!(ring.start(1, 0, Some(0), b"q", 1));
        let (mut completions, mut bytes) = (Vec::new(), 0);
        loop {
            completions.clear();
            ring.turn(10_000_000, &mut completions).unwrap();
            for completion in &completions {
                let received =
                    usize::try_from(completion.result).map_err(|_| -completion.result)?;
                match (completion.op, received) {
                    (Op::Receive, 0) => {
                        return Ok(String::from_utf8(ring.answer(1, bytes).to_vec()).unwrap());
                    }
                    (Op::Receive, _) => {
                        bytes += received;
                        ring.receive(1, bytes);
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn sockets_are_bound_by_the_ring_and_by_plain_calls() {
        for binds in [true, false] {
            let (first, second) = exchanged(binds, "127.9.8.7:0").unwrap();
            assert_eq!((first.as_str(), second.as_str()), ("127.9.8.7", "127.9.8.7"));
            // Not an address of this machine.
            assert_eq!(exchanged(binds, "192.0.2.1:0"), Err(libc::EADDRNOTAVAIL), "{binds}");
        }
    }
}

//! Two servers that know nothing: every connection gets one fixed block, then it is closed.
//!
//! They are the limit that ours is compared with: without parsing, look-up and rendering, the rest
//! of a query's cost is the kernel's share. One by a ring, one by epoll; both on
//! one thread, with one read and one send a connection.
//!
//! # Invariants
//!
//! - `pinned-buffers`: the memory that a ring operation names is allocated before the ring, never
//!   moves, and is freed after the ring; each slot has its own piece of it.
//! - `one-operation`: a slot has at most one operation in flight; nothing else touches its piece.
//! - `bounded`: at most [`CONNECTIONS_MAX`] connections are open.
//!
//! # Does not
//!
//! Have deadlines, read a whole line, or look for unread input: a slow client keeps its slot.
#![expect(unsafe_code, reason = "rings, epoll, accept4 and affinity are plain system calls")]
#![expect(clippy::indexing_slicing, reason = "slots come from the kernel's table of that size")]

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use io_uring::squeue::{Entry, Flags};
use io_uring::{IoUring, cqueue, opcode, types};

/// Connections that may be open at once; a power of two, above what a generator keeps in flight.
pub const CONNECTIONS_MAX: u32 = 4_096;

/// Bytes of a query that one read takes; RFC 3912 gives no bound, this is one of ours.
const QUERY_BYTES_MAX: usize = 1_024;

/// Submission entries: completions handled between two system calls rarely exceed it.
const SUBMISSIONS: u32 = 1_024;

/// Completion entries: one of each slot, and as many again for the accepts among them.
const COMPLETIONS: u32 = 2 * CONNECTIONS_MAX;

/// Events that one call of `epoll_wait` returns at most.
const EVENTS_MAX: usize = 512;

/// Pins the calling thread, and the threads and processes that it starts later, to one core.
///
/// # Errors
///
/// The kernel's, when the core does not exist or is not allowed.
pub fn pin(core: usize) -> io::Result<()> {
    if core >= usize::try_from(libc::CPU_SETSIZE).unwrap_or(0) {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: a set of processors is an array of integers, for which all zeros is a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `core` is below CPU_SETSIZE, which is compared above.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: the pointer is to a whole set of that size, which the kernel only reads.
    let result =
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    outcome(result).map(drop)
}

/// What the ring server does with one connection, kept in the high half of `user_data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Accept = 0,
    Receive = 1,
    Send = 2,
    Close = 3,
}

impl Step {
    const fn user_data(self, slot: u32) -> u64 {
        (self as u64) << 32 | slot as u64
    }

    const fn of(user_data: u64) -> Self {
        match user_data >> 32 {
            0 => Self::Accept,
            1 => Self::Receive,
            2 => Self::Send,
            _ => Self::Close,
        }
    }
}

/// The server over a ring: multishot accept into direct descriptors, receive, send, close from the
/// send's completion.
struct RingServer {
    ring: IoUring,
    listener: RawFd,
    /// A piece of [`QUERY_BYTES_MAX`] for each slot; `pinned-buffers`.
    queries: Box<[[u8; QUERY_BYTES_MAX]]>,
    /// Bytes of the block that each slot has sent.
    sent: Box<[usize]>,
    send_flags: i32,
    accepting: bool,
}

/// Answers every connection of `listener` with `block` over a ring; returns only with an error.
///
/// With `one_segment`, the end of the connection travels with the last data (`MSG_MORE`): the close
/// that follows sends both.
///
/// # Errors
///
/// If the kernel refuses a ring of this kind, its table of descriptors or the listener.
pub fn serve_ring(
    listener: &TcpListener,
    block: &[u8],
    one_segment: bool,
) -> io::Result<Infallible> {
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_cqsize(COMPLETIONS);
    let ring: IoUring = builder.build(SUBMISSIONS)?;
    ring.submitter().register_files_sparse(CONNECTIONS_MAX)?;
    // Saves a look-up of the descriptor a call; older kernels do without.
    let _ = ring.submitter().register_ring_fd();
    let slots = CONNECTIONS_MAX as usize;
    let mut server = RingServer {
        ring,
        listener: listener.as_raw_fd(),
        queries: vec![[0; QUERY_BYTES_MAX]; slots].into_boxed_slice(),
        sent: vec![0; slots].into_boxed_slice(),
        send_flags: libc::MSG_NOSIGNAL | if one_segment { libc::MSG_MORE } else { 0 },
        accepting: false,
    };
    loop {
        server.turn(block)?;
    }
}

impl RingServer {
    /// Waits for completions and answers each with its next step.
    fn turn(&mut self, block: &[u8]) -> io::Result<()> {
        if !self.accepting {
            let accept =
                opcode::AcceptMulti::new(types::Fd(self.listener)).allocate_file_index(true);
            self.push(&accept.build().user_data(Step::Accept.user_data(0)))?;
            self.accepting = true;
        }
        match self.ring.submit_and_wait(1) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        // As many as there are now: later ones wait for the next turn, so a turn is bounded.
        let waiting = self.ring.completion().len();
        for _ in 0..waiting {
            let Some(completion) = self.ring.completion().next() else { break };
            self.next_step(&completion, block)?;
        }
        Ok(())
    }

    fn next_step(&mut self, completion: &cqueue::Entry, block: &[u8]) -> io::Result<()> {
        let (user_data, result) = (completion.user_data(), completion.result());
        let slot = u32::try_from(user_data & u64::from(u32::MAX)).unwrap_or(0);
        match (Step::of(user_data), u32::try_from(result)) {
            (Step::Accept, accepted) => {
                // A full table, or a client that went away, ends the multishot: begin it again.
                self.accepting &= cqueue::more(completion.flags());
                accepted.map_or(Ok(()), |slot| self.receive(slot))
            }
            (Step::Receive, Ok(1..)) => {
                self.sent[slot as usize] = 0;
                self.send(slot, block)
            }
            (Step::Send, Ok(bytes @ 1..)) => {
                self.sent[slot as usize] += bytes as usize;
                if self.sent[slot as usize] < block.len() {
                    self.send(slot, block)
                } else {
                    self.close(slot)
                }
            }
            // The other side is gone, or reset the connection.
            (Step::Receive | Step::Send, _) => self.close(slot),
            // Only a close that failed has a completion, and nothing can be done about it.
            (Step::Close, _) => Ok(()),
        }
    }

    fn receive(&mut self, slot: u32) -> io::Result<()> {
        let query = &mut self.queries[slot as usize];
        let bytes = u32::try_from(query.len()).unwrap_or(0);
        let receive = opcode::Recv::new(types::Fixed(slot), query.as_mut_ptr(), bytes).build();
        self.push(&receive.user_data(Step::Receive.user_data(slot)))
    }

    fn send(&mut self, slot: u32, block: &[u8]) -> io::Result<()> {
        let rest = &block[self.sent[slot as usize]..];
        let bytes = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        let send = opcode::Send::new(types::Fixed(slot), rest.as_ptr(), bytes);
        let send = send.flags(self.send_flags).build();
        self.push(&send.user_data(Step::Send.user_data(slot)))
    }

    fn close(&mut self, slot: u32) -> io::Result<()> {
        let close = opcode::Close::new(types::Fixed(slot)).build().flags(Flags::SKIP_SUCCESS);
        self.push(&close.user_data(Step::Close.user_data(slot)))
    }

    fn push(&mut self, entry: &Entry) -> io::Result<()> {
        if self.ring.submission().is_full() {
            self.ring.submit()?;
        }
        let mut submission = self.ring.submission();
        // SAFETY: what the entry points to lives until its completion.
        // - A receive names the slot's piece of `queries`, which is on the heap and is dropped
        //   after `ring` (`pinned-buffers`); no other operation uses it (`one-operation`).
        // - A send names `block`, which the kernel only reads and which the caller of `serve_ring`
        //   lends for as long as the ring exists.
        // - Accept and close name no memory.
        let pushed = unsafe { submission.push(entry) };
        pushed.map_err(|_| io::Error::other("the submission queue is full after a submit"))
    }
}

/// Answers every connection of `listener` with `block` by epoll: `accept4`, read, write, close;
/// returns only with an error.
///
/// # Errors
///
/// The kernel's, of epoll or the listener.
pub fn serve_epoll(listener: &TcpListener, block: &[u8]) -> io::Result<Infallible> {
    listener.set_nonblocking(true)?;
    // SAFETY: it takes no pointer.
    let created = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    let created = outcome(created)?;
    // SAFETY: the descriptor is new and nothing else owns it.
    let epoll = unsafe { OwnedFd::from_raw_fd(created) };
    let listening = listener.as_raw_fd();
    watch(&epoll, listening)?;
    // By descriptor: the kernel gives the lowest free number.
    let mut streams: Vec<Option<TcpStream>> = Vec::new();
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX];
    let events_max = i32::try_from(EVENTS_MAX).unwrap_or(i32::MAX);
    loop {
        // SAFETY: the pointer is to an array of `events_max` events, which lives through the call.
        let count =
            unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), events_max, -1) };
        let count = match outcome(count) {
            Ok(count) => usize::try_from(count).unwrap_or(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        for event in &events[..count] {
            let descriptor = usize::try_from(event.u64).unwrap_or(0);
            if event.u64 == u64::try_from(listening).unwrap_or(0) {
                accept_all(listener, &epoll, &mut streams, block)?;
            } else if let Some(stream) = streams.get_mut(descriptor) {
                *stream = stream.take().filter(|stream| !answer(stream, block));
            }
        }
    }
}

/// Accepts what waits, up to a bound; the rest makes the listener ready again.
fn accept_all(
    listener: &TcpListener,
    epoll: &OwnedFd,
    streams: &mut Vec<Option<TcpStream>>,
    block: &[u8],
) -> io::Result<()> {
    for _ in 0..CONNECTIONS_MAX {
        let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        let (address, length) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: null pointers say that the peer's address is not wanted.
        let accepted = unsafe { libc::accept4(listener.as_raw_fd(), address, length, flags) };
        let Ok(descriptor) = outcome(accepted) else {
            // No client waits, or the one that waited is gone.
            return Ok(());
        };
        // SAFETY: the descriptor is new and nothing else owns it.
        let stream = unsafe { TcpStream::from_raw_fd(descriptor) };
        let index = usize::try_from(descriptor).unwrap_or(0);
        if index >= CONNECTIONS_MAX as usize {
            continue;
        }
        if index >= streams.len() {
            streams.resize_with(index + 1, || None);
        }
        // Under load the query is often there already, which saves a turn.
        if !answer(&stream, block) {
            watch(epoll, descriptor)?;
            streams[index] = Some(stream);
        }
    }
    Ok(())
}

/// Reads once and answers; whether the connection is finished.
fn answer(mut stream: &TcpStream, block: &[u8]) -> bool {
    let mut query = [0; QUERY_BYTES_MAX];
    match stream.read(&mut query) {
        // A fresh connection's send buffer takes the whole block.
        // If it takes less, the client is gone: closed all the same.
        Ok(1..) => {
            let _ = stream.write_all(block);
            true
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
        _ => true,
    }
}

fn watch(epoll: &OwnedFd, descriptor: RawFd) -> io::Result<()> {
    let number = u64::try_from(descriptor).unwrap_or(0);
    let mut event = libc::epoll_event { events: libc::EPOLLIN.cast_unsigned(), u64: number };
    let operation = libc::EPOLL_CTL_ADD;
    // SAFETY: the pointer is to a whole event, which the kernel only reads.
    let result =
        unsafe { libc::epoll_ctl(epoll.as_raw_fd(), operation, descriptor, &raw mut event) };
    outcome(result).map(drop)
}

/// The result of a system call, or the error that it left.
fn outcome(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Lets as many connections wait for their accept as the server takes; the standard library's 128
/// are too few for a burst, and a client that does not fit waits a second for its second SYN.
///
/// # Errors
///
/// The kernel's.
pub fn deepen_backlog(listener: &TcpListener) -> io::Result<()> {
    let connections = i32::try_from(CONNECTIONS_MAX).unwrap_or(i32::MAX);
    // SAFETY: it takes no pointer; a second `listen` on a socket only changes its backlog.
    outcome(unsafe { libc::listen(listener.as_raw_fd(), connections) }).map(drop)
}

/// Keeps huge pages away from this process and from those that it starts, so that their memory is
/// what they have touched, to the page.
///
/// # Errors
///
/// The kernel's.
pub fn without_huge_pages() -> io::Result<()> {
    let (on, none): (libc::c_ulong, libc::c_ulong) = (1, 0);
    // SAFETY: it takes no pointer.
    outcome(unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, on, none, none, none) }).map(drop)
}

/// Sends a signal to a process of ours.
///
/// # Errors
///
/// The kernel's, when the process does not exist.
pub fn signal(process: u32, signal: i32) -> io::Result<()> {
    let process = i32::try_from(process).map_err(io::Error::other)?;
    // Zero and negative numbers mean groups of processes.
    if process <= 0 {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: it takes no pointer.
    outcome(unsafe { libc::kill(process, signal) }).map(drop)
}

//! What requests name by address, and what of it the kernel has at present.
//!
//! # Does not
//!
//! Hand any of it to the kernel, or read what the kernel writes: `raw` does.

use std::cell::UnsafeCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use io_uring::types::Timespec;

use super::super::limits::{DRAIN_READ_BYTES, INPUT_BYTES, LONG_LINES, SHORT_INPUT_BYTES, TICK_MS};

/// What requests for one slot may write.
pub(super) struct SlotMemory {
    pub(super) input: UnsafeCell<[u8; SHORT_INPUT_BYTES]>,
    pub(super) peer: UnsafeCell<[u8; PEER_BYTES]>,
    pub(super) peer_bytes: UnsafeCell<libc::socklen_t>,
}

/// Everything that requests name by address.
pub(super) struct Memory<B> {
    pub(super) slots: Box<[SlotMemory]>,
    pub(super) long: Box<[UnsafeCell<[u8; INPUT_BYTES]>]>,
    /// Written by looks and drains, never read.
    pub(super) dropped: Box<UnsafeCell<[u8; DRAIN_READ_BYTES]>>,
    pub(super) tick: Box<Timespec>,
    pub(super) linger: Box<libc::linger>,
    pub(super) answers: Box<[Option<Box<B>>]>,
}

/// What of a slot is in the kernel's hands, and what the kernel calls its socket.
#[derive(Clone, Copy)]
pub(super) struct Lent {
    pub(super) accepting: bool,
    pub(super) receiving: bool,
    pub(super) sending: bool,
    /// The long line that holds the slot's input.
    pub(super) long: Option<u16>,
    /// The place in the ring's table, or the descriptor.
    pub(super) socket: i32,
}

/// `sockaddr_in6`, the larger of the two that an accept may write.
pub(super) const PEER_BYTES: usize = 28;

/// No descriptor.
pub(super) const NO_SOCKET: i32 = -1;

// An idle connection's memory outside of its `Slot`: input, peer, lent, place of its answer.
const _: () = assert!(size_of::<SlotMemory>() + size_of::<Lent>() + 8 <= SHORT_INPUT_BYTES + 64);

/// [`TICK_MS`] in the form of a `Timespec`.
#[expect(clippy::cast_possible_truncation, reason = "a few milliseconds")]
const TICK_NS: u32 = TICK_MS as u32 * 1_000_000;

impl<B> Memory<B> {
    /// For so many slots.
    pub(super) fn new(slots: u32) -> Self {
        Self {
            slots: (0..slots).map(|_| SlotMemory::new()).collect(),
            long: (0..LONG_LINES).map(|_| UnsafeCell::new([0; INPUT_BYTES])).collect(),
            dropped: Box::new(UnsafeCell::new([0; DRAIN_READ_BYTES])),
            tick: Box::new(Timespec::new().nsec(TICK_NS)),
            linger: Box::new(libc::linger { l_onoff: 1, l_linger: 0 }),
            answers: (0..slots).map(|_| None).collect(),
        }
    }
}

impl SlotMemory {
    fn new() -> Self {
        Self {
            input: UnsafeCell::new([0; SHORT_INPUT_BYTES]),
            peer: UnsafeCell::new([0; PEER_BYTES]),
            peer_bytes: UnsafeCell::new(0),
        }
    }
}

impl Lent {
    /// Nothing but the slot's socket.
    pub(super) const fn of(socket: i32) -> Self {
        Self { accepting: false, receiving: false, sending: false, long: None, socket }
    }
}

/// The address that an accept wrote: a `sockaddr_in` or `sockaddr_in6`: family in this
/// machine's order, port and address in the network's.
pub(super) fn peer_of(bytes: &[u8; PEER_BYTES]) -> Option<SocketAddr> {
    let at = |from: usize, to: usize| bytes.get(from..to);
    let family = u16::from_ne_bytes(at(0, 2)?.try_into().ok()?);
    let port = u16::from_be_bytes(at(2, 4)?.try_into().ok()?);
    let ip = match i32::from(family) {
        libc::AF_INET => {
            let octets: [u8; 4] = at(4, 8)?.try_into().ok()?;
            IpAddr::from(Ipv4Addr::from(octets))
        }
        libc::AF_INET6 => {
            let octets: [u8; 16] = at(8, 24)?.try_into().ok()?;
            IpAddr::from(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

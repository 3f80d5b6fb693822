//! The address that an accept writes.
//!
//! # Does not
//!
//! Touch the kernel's memory: it is given a copy.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `sockaddr_in6`, the larger of the two that an accept may write.
pub(super) const PEER_BYTES: usize = 28;

/// A `sockaddr_in` or `sockaddr_in6`: family in this machine's order, port and address in the
/// network's.
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

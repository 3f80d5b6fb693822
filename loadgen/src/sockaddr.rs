//! Socket addresses in the kernel's form.

use std::net::SocketAddr;

/// `sockaddr_in6`, the longest.
const ADDRESS_BYTES: usize = 28;

/// An address.
pub(crate) struct Address {
    /// A `sockaddr_in` or `sockaddr_in6`.
    pub(crate) bytes: [u8; ADDRESS_BYTES],
    /// How many of the bytes.
    pub(crate) length: libc::socklen_t,
    /// `AF_INET` or `AF_INET6`.
    pub(crate) family: i32,
}

impl Address {
    pub(crate) fn of(address: SocketAddr) -> Self {
        let mut bytes = [0; ADDRESS_BYTES];
        let (family, length) = match address {
            SocketAddr::V4(v4) => {
                bytes[4..8].copy_from_slice(&v4.ip().octets());
                (libc::AF_INET, size_of::<libc::sockaddr_in>())
            }
            SocketAddr::V6(v6) => {
                bytes[8..24].copy_from_slice(&v6.ip().octets());
                (libc::AF_INET6, size_of::<libc::sockaddr_in6>())
            }
        };
        bytes[0..2].copy_from_slice(&u16::try_from(family).unwrap_or_default().to_ne_bytes());
        bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
        Self { bytes, length: libc::socklen_t::try_from(length).unwrap_or_default(), family }
    }
}

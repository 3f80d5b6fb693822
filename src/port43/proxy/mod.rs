//! The header of the PROXY protocol, versions 1 and 2: what a balancer writes before a client's
//! bytes, so that the server knows the client (doc/proxy-protocol.txt of HAProxy).
//!
//! # Invariants
//!
//! - `never-guessed`: a listener either wants a header from everybody or from nobody; bytes are
//!   looked at only where one is wanted, and only from peers that are listed.
//! - `whole-or-nothing`: what [`parse`] says about bytes does not depend on how they were cut: more
//!   bytes never change a header or a refusal, only [`Step::More`].
//! - `bounded`: a header is refused once it is longer than [`V1_BYTES_MAX`] or [`V2_BYTES_MAX`].
//!
//! # Does not
//!
//! Read sockets. Believe names, certificates or anything else that TLVs carry: only the addresses.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod rule;
mod v1;
mod v2;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

pub use rule::{Expected, FROM_COUNT_MAX, Rule};
pub use v1::BYTES_MAX as V1_BYTES_MAX;
pub use v2::BYTES_MAX as V2_BYTES_MAX;

/// What the bytes received so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The beginning of a header; the rest is still to come.
    More,
    /// A header of so many bytes; what follows is the client's.
    Header {
        /// Its length.
        bytes: usize,
        /// What it says.
        source: Source,
    },
    /// No header, or one that is not taken.
    Refused(Refusal),
}

/// The origin of a connection with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the proxy itself, which checks the server's health, or does not know its client (LOCAL,
    /// UNKNOWN, UNSPEC): the connection's own addresses hold.
    Own,
    /// From a client of the proxy's.
    Client {
        /// The client.
        client: SocketAddr,
        /// The address that the client has connected to.
        server: SocketAddr,
    },
}

/// Why a header is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The bytes do not begin like the header that is wanted.
    NoHeader,
    /// It is longer than the bound.
    TooLong,
    /// It ended before it was complete.
    CutOff,
    /// A version that is not known.
    Version,
    /// A command that is not known.
    Command,
    /// A family of addresses that says nothing here: Unix sockets, or an unknown one.
    Family,
    /// A transport other than TCP.
    Transport,
    /// Malformed addresses or ports, or too few bytes for them.
    Address,
    /// TLVs that do not fit into the header.
    Tlv,
    /// The checksum is another one.
    Checksum,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoHeader => {
                "no PROXY header of the wanted version; the proxy must send one \
                 (HAProxy: send-proxy for v1, send-proxy-v2 for v2)"
            }
            Self::TooLong => "the PROXY header is longer than is read; have it carry fewer TLVs",
            Self::CutOff => "the connection ended within its PROXY header",
            Self::Version => "the PROXY header has a version that is neither 1 nor 2",
            Self::Command => "the PROXY header has a command that is neither LOCAL nor PROXY",
            Self::Family => "the PROXY header names no IPv4 or IPv6 client",
            Self::Transport => "the PROXY header names a client that did not come by TCP",
            Self::Address => "the PROXY header has no complete addresses",
            Self::Tlv => "the PROXY header has TLVs that reach beyond its end",
            Self::Checksum => "the PROXY header has a wrong CRC-32C",
        })
    }
}

/// What `bytes` begin with, a header of either version being wanted.
#[must_use]
pub fn parse(bytes: &[u8]) -> Step {
    parse_as(bytes, Expected::Either)
}

/// What `bytes` begin with, where a header as `expected` is wanted.
#[must_use]
pub fn parse_as(bytes: &[u8], expected: Expected) -> Step {
    match (expected, bytes.first()) {
        (_, None) => Step::More,
        (Expected::V1, _) | (Expected::Either, Some(b'P')) => v1::parse(bytes),
        (Expected::V2 | Expected::Either, _) => v2::parse(bytes),
    }
}

/// An address in its usual form: an IPv4 address written as IPv6 becomes an IPv4 address, or limits
/// and lists would not know it.
#[must_use]
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => match v6.ip().to_canonical() {
            IpAddr::V4(v4) => SocketAddr::new(IpAddr::V4(v4), v6.port()),
            IpAddr::V6(_) => address,
        },
    }
}

#[cfg(test)]
pub(crate) mod tests;

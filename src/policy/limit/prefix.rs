//! Addresses as the prefixes around them, and keys of the table made of these.
//!
//! # Invariants
//!
//! - An IPv4 address that comes in IPv6 (`::ffff:192.0.2.1`) is that IPv4 address everywhere: a
//!   client does not get a second limit by the listener that it comes to.
//! - Keys depend on secret seeds: nobody outside can choose addresses that share a place.
//!
//! # Does not
//!
//! Know what is kept under a key.

use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use ahash::RandomState;
use ipnet::IpNet;

/// The address without its mapping into IPv6.
#[must_use]
pub(crate) fn unmapped(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The prefix of that length that holds the address.
pub(super) fn network(address: IpAddr, length: u8) -> IpNet {
    // A length beyond the family's cannot come from `Level`; the address itself stands for it.
    IpNet::new(address, length).map_or_else(|_| address.into(), |net| net.trunc())
}

/// Turns prefixes into keys.
#[derive(Clone, Debug)]
pub(crate) struct Keys(RandomState);

impl Keys {
    pub(crate) fn new([a, b, c, d]: [u64; 4]) -> Self {
        Self(RandomState::with_seeds(a, b, c, d))
    }

    /// The key of the prefix of `length` around `address`; never 0.
    #[inline]
    pub(crate) fn of(&self, address: IpAddr, length: u8) -> u64 {
        let (bits, family_bits) = match address {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, 0),
            IpAddr::V6(v6) => (u128::from(v6), 0x80),
        };
        let mask = u128::MAX.checked_shl(128 - u32::from(length.min(128))).unwrap_or(0);
        let mut hasher = self.0.build_hasher();
        hasher.write_u128(bits & mask);
        // IPv6 lengths go up to 128: the family has to lie beyond them.
        hasher.write_u16(u16::from(length) | (family_bits << 8));
        hasher.finish().max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_prefix_share_its_key_and_no_other() {
        let keys = Keys::new([1, 2, 3, 4]);
        let of = |text: &str, length| keys.of(text.parse().unwrap(), length);
        assert_eq!(of("192.0.2.1", 24), of("192.0.2.255", 24));
        assert_ne!(of("192.0.2.1", 24), of("192.0.3.1", 24));
        assert_ne!(of("192.0.2.0", 24), of("192.0.2.0", 20));
        assert_eq!(of("2001:db8::1", 64), of("2001:db8::ffff", 64));
        assert_ne!(of("2001:db8::", 64), of("2001:db8::", 48));
        assert_ne!(of("0.0.0.0", 0), of("::", 0), "families are apart");
        assert_eq!(unmapped("::ffff:192.0.2.1".parse().unwrap()).to_string(), "192.0.2.1");
    }
}

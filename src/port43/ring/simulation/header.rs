//! Headers of proxies, whole and broken, drawn from a seed.

use std::net::{IpAddr, Ipv4Addr};

use super::Random;
use crate::port43::proxy::tests::{block, summed, tlv};

/// What a client sends first at a listener of proxies.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) bytes: Vec<u8>,
    /// The client that it names; `None` for the proxy's own.
    pub(super) named: Option<IpAddr>,
    /// Whether it must not be taken.
    pub(super) is_broken: bool,
    /// Whether it comes from a peer that is not listed.
    pub(super) is_stranger: bool,
}

impl Header {
    /// The header of client number `index`, which is named by its port.
    pub(super) fn draw(random: &mut Random, index: usize) -> Self {
        let ip = Ipv4Addr::new(203, 0, 113, u8::try_from(random.below(256)).unwrap());
        let port = u16::try_from(index).unwrap();
        let addresses =
            [&ip.octets()[..], &[198, 51, 100, 1], &port.to_be_bytes(), &[0, 43]].concat();
        // Longer than what a slot takes by itself, in half of the cases.
        let tlvs = tlv(4, &vec![0; random.size(514)]);
        let with_tlvs = [&addresses[..], &tlvs].concat();
        let line = format!("PROXY TCP4 {ip} 198.51.100.1 {port} 43\r\n").into_bytes();
        let (bytes, is_own, is_broken) = match random.below(24) {
            0..6 => (line, false, false),
            6 | 7 => (block(0x21, 0x11, &addresses), false, false),
            8..12 => (block(0x21, 0x11, &with_tlvs), false, false),
            12 | 13 => (summed(0x21, 0x11, &addresses, &tlvs), false, false),
            14 | 15 => (block(0x20, 0, b""), true, false),
            16..19 => (b"PROXY UNKNOWN\r\n".to_vec(), true, false),
            // None at all, and those that are not to be taken.
            19 => (Vec::new(), false, true),
            20 => (block(0x21, 0x31, &[0; 216]), false, true),
            21 => {
                let mut header = summed(0x21, 0x11, &addresses, &tlvs);
                *header.last_mut().unwrap() ^= 1;
                (header, false, true)
            }
            22 => (line[..line.len() - 2].to_vec(), false, true),
            _ => (block(0x21, 0x11, &[&addresses[..], b"\x05\0\x09short"].concat()), false, true),
        };
        let named = (!is_own).then_some(IpAddr::V4(ip));
        Self { bytes, named, is_broken, is_stranger: random.one_in(24) }
    }
}

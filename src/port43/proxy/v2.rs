//! Version 2: a block of bytes with a signature, a length, addresses and TLVs.
//!
//! # Does not
//!
//! Keep anything of the TLVs: they are walked to see that they fit, and for the checksum.

use std::net::{IpAddr, SocketAddr};

use super::{Refusal, Source, Step, canonical};

/// What every block begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The signature, version and command, family and transport, and the length of the rest.
const FIXED_BYTES: usize = 16;

/// What may follow: two IPv6 addresses are 36 bytes, the rest is for TLVs. A balancer's unique ID,
/// host name and checksum fit; a client's certificate does not, and says nothing here.
const REST_BYTES_MAX: usize = 536;

/// Longest block, bytes.
pub const BYTES_MAX: usize = FIXED_BYTES + REST_BYTES_MAX;

const VERSION_2: u8 = 0x20;
const COMMAND_LOCAL: u8 = 0x0;
const COMMAND_PROXY: u8 = 0x1;

/// Type and length of a TLV.
const TLV_HEAD_BYTES: usize = 3;
const TLV_CRC32C: u8 = 0x03;
const CRC_BYTES: usize = 4;

/// A family of addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Unspecified,
    V4,
    V6,
    Unix,
}

impl Family {
    fn of(nibble: u8) -> Option<Self> {
        Some(match nibble {
            0x0 => Self::Unspecified,
            0x1 => Self::V4,
            0x2 => Self::V6,
            0x3 => Self::Unix,
            _ => return None,
        })
    }

    /// Bytes of its addresses and ports.
    const fn address_bytes(self) -> usize {
        match self {
            Self::Unspecified => 0,
            Self::V4 => 12,
            Self::V6 => 36,
            Self::Unix => 216,
        }
    }
}

/// What `bytes`, of which there is at least one, begin with.
pub(super) fn parse(bytes: &[u8]) -> Step {
    let seen = bytes.len().min(SIGNATURE.len());
    if bytes.get(..seen) != SIGNATURE.get(..seen) {
        return Step::Refused(Refusal::NoHeader);
    }
    let Some(&[version, family, high, low]) = bytes.get(SIGNATURE.len()..FIXED_BYTES) else {
        return Step::More;
    };
    let rest_bytes = usize::from(u16::from_be_bytes([high, low]));
    if rest_bytes > REST_BYTES_MAX {
        return Step::Refused(Refusal::TooLong);
    }
    let length = FIXED_BYTES.saturating_add(rest_bytes);
    let Some(block) = bytes.get(..length) else { return Step::More };
    match source_of(block, version, family) {
        Ok(source) => Step::Header { bytes: length, source },
        Err(refusal) => Step::Refused(refusal),
    }
}

/// What a whole block says.
fn source_of(block: &[u8], version: u8, family: u8) -> Result<Source, Refusal> {
    let rest = block.get(FIXED_BYTES..).unwrap_or_default();
    if version & 0xf0 != VERSION_2 {
        return Err(Refusal::Version);
    }
    let (family, transport) = (Family::of(family >> 4), family & 0xf);
    match version & 0xf {
        COMMAND_LOCAL => {
            // Family and addresses are to be ignored; a checksum that is there counts all the same.
            let skipped = family.map_or(0, Family::address_bytes);
            return own(block, FIXED_BYTES.saturating_add(skipped));
        }
        COMMAND_PROXY => {}
        _ => return Err(Refusal::Command),
    }
    let family = match family {
        Some(Family::Unspecified) => return own(block, FIXED_BYTES),
        Some(family @ (Family::V4 | Family::V6)) => family,
        Some(Family::Unix) | None => return Err(Refusal::Family),
    };
    if transport != 1 {
        return Err(Refusal::Transport);
    }
    let addresses = match family {
        Family::V4 => addresses::<4>(rest),
        _ => addresses::<16>(rest),
    };
    let [client, server] = addresses.ok_or(Refusal::Address)?;
    let tlvs_at = FIXED_BYTES.saturating_add(family.address_bytes());
    check(block, tlvs_at)?;
    Ok(Source::Client { client: canonical(client), server: canonical(server) })
}

/// A block whose addresses do not count. Whether what follows them are TLVs is not certain, so that
/// only a checksum that can be found is held against it.
fn own(block: &[u8], tlvs_at: usize) -> Result<Source, Refusal> {
    match check(block, tlvs_at) {
        Err(Refusal::Checksum) => Err(Refusal::Checksum),
        _ => Ok(Source::Own),
    }
}

/// Two addresses, then two ports.
fn addresses<const N: usize>(rest: &[u8]) -> Option<[SocketAddr; 2]>
where
    IpAddr: From<[u8; N]>,
{
    let (from, rest) = rest.split_first_chunk::<N>()?;
    let (to, rest) = rest.split_first_chunk::<N>()?;
    let (from_port, rest) = rest.split_first_chunk::<2>()?;
    let (to_port, _) = rest.split_first_chunk::<2>()?;
    let address =
        |ip: [u8; N], port: [u8; 2]| SocketAddr::new(IpAddr::from(ip), u16::from_be_bytes(port));
    Some([address(*from, *from_port), address(*to, *to_port)])
}

/// Walks the TLVs that begin at `at`, and compares the checksum if one is there.
fn check(block: &[u8], mut at: usize) -> Result<(), Refusal> {
    let mut sum_at = None;
    // Ends, since each TLV has a head at least.
    while at < block.len() {
        let tlv = block.get(at..).unwrap_or_default();
        let Some((&[kind, high, low], value)) = tlv.split_first_chunk::<TLV_HEAD_BYTES>() else {
            return Err(Refusal::Tlv);
        };
        let value_bytes = usize::from(u16::from_be_bytes([high, low]));
        let value = value.get(..value_bytes).ok_or(Refusal::Tlv)?;
        let value_at = at.saturating_add(TLV_HEAD_BYTES);
        if kind == TLV_CRC32C {
            let sum: [u8; CRC_BYTES] = value.try_into().map_err(|_| Refusal::Tlv)?;
            if sum_at.replace((value_at, u32::from_be_bytes(sum))).is_some() {
                // Two sums, each of which covers the other, cannot both be meant.
                return Err(Refusal::Tlv);
            }
        }
        at = value_at.saturating_add(value_bytes);
    }
    let Some((value_at, wanted)) = sum_at else { return Ok(()) };
    // The sum is taken with its own place zero.
    let (before, rest) = block.split_at_checked(value_at).ok_or(Refusal::Tlv)?;
    let sum = crc32c::crc32c_append(crc32c::crc32c(before), &[0; CRC_BYTES]);
    let sum = crc32c::crc32c_append(sum, rest.get(CRC_BYTES..).unwrap_or_default());
    if sum == wanted { Ok(()) } else { Err(Refusal::Checksum) }
}

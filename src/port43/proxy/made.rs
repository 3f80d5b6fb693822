//! Headers of version 2 as tests write them, whole and broken.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "tests")]

/// What every block begins with.
pub const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// From 192.0.2.7:4711 to 198.51.100.1:43.
pub const V4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0, 43];

/// A block with a length that is right.
pub fn block(version: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap();
    [SIGNATURE, &[version, family], &length.to_be_bytes(), rest].concat()
}

/// A TLV with a length that is right.
pub fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap();
    [&[kind][..], &length.to_be_bytes(), value].concat()
}

/// A block with addresses, TLVs and their checksum, which comes last.
pub fn summed(version: u8, family: u8, addresses: &[u8], tlvs: &[u8]) -> Vec<u8> {
    let mut made = block(version, family, &[addresses, tlvs, &tlv(3, &[0; 4])].concat());
    let sum = crc32c::crc32c(&made).to_be_bytes();
    let at = made.len() - 4;
    made[at..].copy_from_slice(&sum);
    made
}

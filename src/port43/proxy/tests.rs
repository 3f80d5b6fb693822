//! Headers as the specification has them, cut and broken in every place.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "tests")]

use super::*;

/// What every block begins with.
pub(crate) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// From 192.0.2.7:4711 to 198.51.100.1:43.
pub(crate) const V4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0, 43];

/// A block with a length that is right.
pub(crate) fn block(version: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap();
    [SIGNATURE, &[version, family], &length.to_be_bytes(), rest].concat()
}

/// A TLV with a length that is right.
pub(crate) fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap();
    [&[kind][..], &length.to_be_bytes(), value].concat()
}

/// A block with addresses, TLVs and their checksum, which comes last.
pub(crate) fn summed(version: u8, family: u8, addresses: &[u8], tlvs: &[u8]) -> Vec<u8> {
    let mut made = block(version, family, &[addresses, tlvs, &tlv(3, &[0; 4])].concat());
    let sum = crc32c::crc32c(&made).to_be_bytes();
    let at = made.len() - 4;
    made[at..].copy_from_slice(&sum);
    made
}

fn client(text: &str) -> Source {
    let mut ends = text.split(' ').map(|address| address.parse().unwrap());
    Source::Client { client: ends.next().unwrap(), server: ends.next().unwrap() }
}

fn v6() -> Vec<u8> {
    let ip = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    [&ip("2001:db8::7")[..], &ip("2001:db8::1"), &[0x12, 0x67, 0, 43]].concat()
}

/// Headers that are taken, with what they say.
fn taken() -> Vec<(Vec<u8>, Source)> {
    let v4 = client("192.0.2.7:4711 198.51.100.1:43");
    let tlvs = [tlv(4, &[0; 9]), tlv(5, b"unique"), tlv(0xe0, b""), tlv(2, &[b'h'; 200])].concat();
    vec![
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 43\r\n".to_vec(), v4),
        (
            b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 43\r\n".to_vec(),
            client("[2001:db8::7]:4711 [2001:db8::1]:43"),
        ),
        (b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 4711 43\r\n".to_vec(), v4),
        (b"PROXY UNKNOWN\r\n".to_vec(), Source::Own),
        (b"PROXY UNKNOWN ffff::1 anything \x7f 0 99999999\r\n".to_vec(), Source::Own),
        (block(0x21, 0x11, &V4), v4),
        (block(0x21, 0x21, &v6()), client("[2001:db8::7]:4711 [2001:db8::1]:43")),
        (block(0x21, 0x11, &[&V4[..], &tlvs].concat()), v4),
        (summed(0x21, 0x11, &V4, &tlvs), v4),
        (block(0x20, 0x00, b""), Source::Own),
        // What HAProxy may send with a check: the family and its addresses do not count.
        (block(0x20, 0x11, &V4), Source::Own),
        (block(0x20, 0xff, b"whatever"), Source::Own),
        (summed(0x20, 0x00, b"", &tlvs), Source::Own),
        (block(0x21, 0x00, b"not TLVs"), Source::Own),
        (block(0x21, 0x11, &[&V4[..], &tlv(4, &[0; 521])].concat()), v4),
    ]
}

#[test]
fn headers_are_taken_whole_whatever_follows() {
    for (header, source) in taken() {
        let expected = Step::Header { bytes: header.len(), source };
        let shown = header.escape_ascii();
        assert_eq!(parse(&header), expected, "{shown}");
        assert_eq!(parse(&[&header[..], b"example.com\r\n"].concat()), expected, "{shown}");
        assert_eq!(parse(&[&header[..], &header].concat()), expected, "{shown}");
    }
}

#[test]
fn every_beginning_of_a_header_wants_more() {
    for (header, _) in taken() {
        for cut in 0..header.len() {
            assert_eq!(parse(&header[..cut]), Step::More, "{}", header[..cut].escape_ascii());
        }
    }
}

#[test]
fn the_version_that_is_not_wanted_is_no_header() {
    for (header, _) in taken() {
        let is_line = header.starts_with(b"P");
        let other = if is_line { Expected::V2 } else { Expected::V1 };
        let own = if is_line { Expected::V1 } else { Expected::V2 };
        assert_eq!(parse_as(&header, other), Step::Refused(Refusal::NoHeader));
        assert_eq!(parse_as(&header, own), parse(&header));
    }
    // A client that talks to a proxy's listener itself.
    for query in [&b"example.com\r\n"[..], b"P", b"PROXY", b"\r\n", b"\n", b"proxy x\r\n"] {
        let begins = matches!(query, b"P" | b"PROXY" | b"\r\n");
        let expected = if begins { Step::More } else { Step::Refused(Refusal::NoHeader) };
        assert_eq!(parse(query), expected, "{}", query.escape_ascii());
    }
}

#[test]
fn a_broken_line_is_refused_with_its_reason() {
    for (line, refusal) in [
        ("PROXY\tTCP4 1.2.3.4 1.2.3.4 1 2\r\n", Refusal::NoHeader),
        ("PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", Refusal::Family),
        ("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", Refusal::Family),
        ("PROXY TCP4\r\n", Refusal::Address),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", Refusal::Address),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", Refusal::Address),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", Refusal::Address),
        ("PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n", Refusal::Address),
        ("PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n", Refusal::Address),
        ("PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n", Refusal::Address),
        ("PROXY TCP4 2001:db8::7 1.2.3.4 1 2\r\n", Refusal::Address),
        ("PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", Refusal::Address),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", Refusal::Address),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", Refusal::Address),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", Refusal::Address),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\r\n", Refusal::Address),
        ("PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n", Refusal::Address),
    ] {
        assert_eq!(parse(line.as_bytes()), Step::Refused(refusal), "{line:?}");
    }
    let endless = [&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat();
    assert_eq!(parse(&endless[..V1_BYTES_MAX - 1]), Step::More);
    assert_eq!(parse(&endless[..V1_BYTES_MAX]), Step::Refused(Refusal::TooLong));
    assert_eq!(parse(&endless), Step::Refused(Refusal::TooLong));
    let mut longest = endless[..V1_BYTES_MAX - 2].to_vec();
    longest.extend_from_slice(b"\r\n");
    let taken = Step::Header { bytes: V1_BYTES_MAX, source: Source::Own };
    assert_eq!(parse(&longest), taken);
    longest.insert(V1_BYTES_MAX - 2, b'x');
    assert_eq!(parse(&longest), Step::Refused(Refusal::TooLong));
}

#[test]
fn a_broken_block_is_refused_with_its_reason() {
    let with = |tlvs: &[u8]| [&V4[..], tlvs].concat();
    let unix = [0; 216];
    for (header, refusal) in [
        (block(0x11, 0x11, &V4), Refusal::Version),
        (block(0x30, 0x00, b""), Refusal::Version),
        (block(0x22, 0x11, &V4), Refusal::Command),
        (block(0x21, 0x31, &unix), Refusal::Family),
        (block(0x21, 0x41, &V4), Refusal::Family),
        (block(0x21, 0x12, &V4), Refusal::Transport),
        (block(0x21, 0x10, &V4), Refusal::Transport),
        (block(0x21, 0x11, &V4[..11]), Refusal::Address),
        (block(0x21, 0x21, &v6()[..35]), Refusal::Address),
        (block(0x21, 0x11, &with(b"\x05")), Refusal::Tlv),
        (block(0x21, 0x11, &with(b"\x05\0")), Refusal::Tlv),
        (block(0x21, 0x11, &with(b"\x05\0\x02a")), Refusal::Tlv),
        (block(0x21, 0x11, &with(b"\x05\xff\xffa")), Refusal::Tlv),
        (block(0x21, 0x11, &with(&tlv(3, &[0; 3]))), Refusal::Tlv),
        (block(0x21, 0x11, &with(&[tlv(3, &[0; 4]), tlv(3, &[0; 4])].concat())), Refusal::Tlv),
        (block(0x21, 0x11, &with(&tlv(3, &[0; 4]))), Refusal::Checksum),
        (block(0x20, 0x00, &tlv(3, &[0; 4])), Refusal::Checksum),
        (block(0x21, 0x11, &with(&tlv(4, &[0; 522]))), Refusal::TooLong),
    ] {
        assert_eq!(parse(&header), Step::Refused(refusal), "{}", header.escape_ascii());
    }
    // The length alone is enough to refuse: nobody waits for 64 KiB.
    assert_eq!(parse(&block(0x21, 0x11, &[0; 0x2ff])[..16]), Step::Refused(Refusal::TooLong));
}

#[test]
fn a_checksum_finds_every_changed_byte() {
    let header = summed(0x21, 0x11, &V4, &tlv(5, b"unique"));
    assert!(matches!(parse(&header), Step::Header { .. }));
    for at in FIXED..header.len() {
        for bit in 0..8 {
            let mut changed = header.clone();
            changed[at] ^= 1 << bit;
            // A changed type or length may hide the checksum's TLV; then it is unreadable, or, if
            // the TLV has become an unknown one, nothing says that there was a sum.
            let hidden = at == header.len() - 7;
            let step = parse(&changed);
            assert!(matches!(step, Step::Refused(_)) || hidden, "byte {at}, bit {bit}: {step:?}");
        }
    }
}

/// Signature, version, family, length.
const FIXED: usize = 16;

#[test]
fn random_bytes_behind_a_signature_never_panic_and_never_read_beyond_the_bound() {
    let mut state = 5_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        u8::try_from(state >> 56).unwrap()
    };
    for round in 0..20_000 {
        let length = 4 + usize::from(random()) * 3;
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend((0..length).map(|_| random()));
        if round % 2 == 0 {
            bytes[12] = 0x20 | (bytes[12] & 1);
            bytes[13] = [0x11, 0x21, 0x00, 0x31][usize::from(bytes[13] % 4)];
            bytes[14] &= 3;
        }
        match parse(&bytes) {
            Step::Header { bytes: taken, .. } => assert!(taken <= bytes.len().min(V2_BYTES_MAX)),
            Step::More => assert!(bytes.len() < V2_BYTES_MAX),
            Step::Refused(_) => {}
        }
    }
}

#[test]
fn only_listed_peers_are_trusted_also_in_the_clothes_of_ipv6() {
    let rule = Rule {
        listen: "127.0.0.1:43".parse().unwrap(),
        from: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        header: Expected::V2,
    };
    for (peer, trusted) in [
        ("10.255.0.1", true),
        ("::ffff:10.0.0.1", true),
        ("2001:db8:ffff::1", true),
        ("11.0.0.1", false),
        ("::ffff:11.0.0.1", false),
        ("2001:db9::1", false),
        ("::10.0.0.1", false),
    ] {
        assert_eq!(rule.trusts(peer.parse().unwrap()), trusted, "{peer}");
    }
}

//! The laws of PROXY headers, whatever bytes come: a driver for the fuzzer.
//!
//! # Invariants
//!
//! - The result does not depend on how the bytes were cut: every beginning wants more, or says the
//!   same as the whole.
//! - A header has the bytes that it says and no more than its bound; what follows changes nothing.
//! - A header that one version takes, the other refuses from the first byte on; where either is
//!   wanted, the answer is that of the version whose start the bytes have.
//! - An address that comes out is never an IPv4 address written as IPv6.
//!
//! # Does not
//!
//! Stand in a release: built for tests and for the fuzzer alone.

use std::net::{IpAddr, SocketAddr};

use super::{Expected, Refusal, Source, Step, V1_BYTES_MAX, V2_BYTES_MAX, parse, parse_as};

/// Holds the laws against what a connection begins with.
pub fn header(bytes: &[u8]) {
    let step = parse(bytes);
    cuts(bytes, step);
    match step {
        Step::More => assert!(bytes.len() < V2_BYTES_MAX, "more is wanted of {}", bytes.len()),
        Step::Header { bytes: length, source } => taken(bytes, length, source),
        Step::Refused(refusal) => {
            let text = refusal.to_string();
            assert!(!text.is_empty() && !text.contains(char::is_control), "{text:?}");
        }
    }
    let [v1, v2] = [Expected::V1, Expected::V2].map(|expected| parse_as(bytes, expected));
    if let Some(first) = bytes.first() {
        assert_eq!(step, if *first == b'P' { v1 } else { v2 });
        let other = if *first == b'P' { v2 } else { v1 };
        assert_eq!(other, Step::Refused(Refusal::NoHeader));
    }
}

fn cuts(bytes: &[u8], whole: Step) {
    // Beyond the bound nothing is looked at.
    for end in 0..bytes.len().min(V2_BYTES_MAX.saturating_add(1)) {
        let step = parse(bytes.get(..end).unwrap_or_default());
        assert!(step == Step::More || step == whole, "{step:?} of {end} bytes, {whole:?} of all");
    }
}

fn taken(bytes: &[u8], length: usize, source: Source) {
    let is_line = bytes.starts_with(b"P");
    let bound = if is_line { V1_BYTES_MAX } else { V2_BYTES_MAX };
    assert!(length <= bytes.len() && length <= bound, "{length} bytes");
    let mut more = bytes.get(..length).unwrap_or_default().to_vec();
    more.extend_from_slice(b"example.demo\r\n");
    assert_eq!(parse(&more), Step::Header { bytes: length, source });
    let cut = bytes.get(..length.saturating_sub(1)).unwrap_or_default();
    assert_eq!(parse(cut), Step::More);
    let Source::Client { client, server } = source else { return };
    for address in [client, server] {
        let clothed = |ip: IpAddr| ip != ip.to_canonical();
        assert!(!clothed(address.ip()), "{address} is IPv4 in IPv6 clothes");
    }
    if is_line {
        written(client, server, source);
    }
}

/// The addresses of a line as this side would write them give the same.
fn written(client: SocketAddr, server: SocketAddr, source: Source) {
    if client.is_ipv4() != server.is_ipv4() {
        // One of two IPv6 addresses was an IPv4 address written as IPv6: no line says that plainly.
        return;
    }
    let family = if client.is_ipv4() { "TCP4" } else { "TCP6" };
    let line = format!(
        "PROXY {family} {} {} {} {}\r\n",
        client.ip(),
        server.ip(),
        client.port(),
        server.port()
    );
    let again = parse(line.as_bytes());
    assert_eq!(again, Step::Header { bytes: line.len(), source }, "{line:?}");
}

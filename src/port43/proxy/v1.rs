//! Version 1: a line, `PROXY TCP4 192.0.2.7 198.51.100.1 4711 43` and CR LF.
//!
//! # Does not
//!
//! Take what the specification does not allow: other blanks, leading zeros, a bare LF.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::{Refusal, Source, Step, canonical};

/// Longest line with its end, bytes: the specification's worst case, two IPv6 addresses.
pub const BYTES_MAX: usize = 107;

const START: &[u8] = b"PROXY ";
const END: &[u8] = b"\r\n";

/// What `bytes`, of which there is at least one, begin with.
pub(super) fn parse(bytes: &[u8]) -> Step {
    let window = bytes.get(..BYTES_MAX).unwrap_or(bytes);
    let seen = window.len().min(START.len());
    if window.get(..seen) != START.get(..seen) {
        return Step::Refused(Refusal::NoHeader);
    }
    let Some(end) = memchr::memmem::find(window, END) else {
        return if window.len() < BYTES_MAX { Step::More } else { Step::Refused(Refusal::TooLong) };
    };
    let line = window.get(START.len()..end).unwrap_or_default();
    match source_of(line) {
        Ok(source) => Step::Header { bytes: end.saturating_add(END.len()), source },
        Err(refusal) => Step::Refused(refusal),
    }
}

/// What the line says, its first word and its end taken off.
fn source_of(line: &[u8]) -> Result<Source, Refusal> {
    let line = std::str::from_utf8(line).map_err(|_| Refusal::Address)?;
    let mut words = line.split(' ');
    let ips = match words.next() {
        // Whatever follows is to be ignored.
        Some("UNKNOWN") => return Ok(Source::Own),
        Some("TCP4") => [ip::<Ipv4Addr>(words.next())?, ip::<Ipv4Addr>(words.next())?],
        Some("TCP6") => [ip::<Ipv6Addr>(words.next())?, ip::<Ipv6Addr>(words.next())?],
        _ => return Err(Refusal::Family),
    };
    let ports = [port(words.next())?, port(words.next())?];
    if words.next().is_some() {
        return Err(Refusal::Address);
    }
    let ([from, to], [from_port, to_port]) = (ips, ports);
    Ok(Source::Client {
        client: canonical(SocketAddr::new(from, from_port)),
        server: canonical(SocketAddr::new(to, to_port)),
    })
}

fn ip<I: FromStr + Into<IpAddr>>(word: Option<&str>) -> Result<IpAddr, Refusal> {
    let ip: I = word.unwrap_or_default().parse().map_err(|_| Refusal::Address)?;
    Ok(ip.into())
}

fn port(word: Option<&str>) -> Result<u16, Refusal> {
    let word = word.unwrap_or_default();
    // The parser would take a sign; leading zeros are not allowed either.
    let plain = word.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || (word.len() > 1 && word.starts_with('0')) {
        return Err(Refusal::Address);
    }
    word.parse().map_err(|_| Refusal::Address)
}

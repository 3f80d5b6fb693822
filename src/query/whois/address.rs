//! Addresses as people and programs write them.
//!
//! # Invariants
//!
//! - `one or none`: one address, or a refusal that says how to write one; nothing is guessed.
//!   Leading zeros are refused, since some programs read them as octal (RFC 6943 section 3.1.1); so
//!   is a prefix of several addresses.
//!
//! # Does not
//!
//! Look anything up, or allocate.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::IpAddr;

use super::parse::Refusal;
use crate::idn::{Short, is_ignorable, narrow};

/// Longest text that may be an address, bytes: the longest address has 45, a zone 15, and there may
/// be brackets, a prefix length or a port.
const TEXT_BYTES_MAX: usize = 96;

/// The address that a text means; `None` if it looks like none.
pub(super) fn read(text: &str) -> Option<Result<IpAddr, Refusal>> {
    if let Some(address) = exact(text) {
        return Some(Ok(address));
    }
    let mut narrowed = Short::<TEXT_BYTES_MAX>::new();
    for c in text.chars().filter(|&c| !is_ignorable(c)) {
        if !narrowed.push_char(narrow(c)) {
            return None;
        }
    }
    written(narrowed.as_str())
}

/// An address and nothing else. An IPv4 address mapped into IPv6 is the IPv4 address.
fn exact(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn written(text: &str) -> Option<Result<IpAddr, Refusal>> {
    let text = text.trim_matches(['(', ')', '<', '>', '{', '}', '"', '\'', '`', ',', ';']);
    let text = text.strip_suffix('.').unwrap_or(text);
    if let Some(address) = exact(text).or_else(|| in_brackets(text)).or_else(|| with_port(text)) {
        return Some(Ok(address));
    }
    let (bare, prefix) = text.split_once('/').map_or((text, None), |(b, p)| (b, Some(p)));
    let (bare, zone) = bare.split_once('%').map_or((bare, None), |(b, z)| (b, Some(z)));
    let zoned = |zone: &str| !zone.is_empty() && zone.bytes().all(is_of_zone);
    let is_v6 = bare.contains(':');
    match exact(bare).or_else(|| in_brackets(bare)) {
        Some(address) if zone.is_none_or(|zone| is_v6 && zoned(zone)) => {
            let bits = if is_v6 { "128" } else { "32" };
            let whole = prefix.is_none_or(|prefix| prefix.is_empty() || prefix == bits);
            return Some(if whole { Ok(address) } else { Err(Refusal::Address) });
        }
        _ if is_pattern(text) => return Some(Err(Refusal::WildcardKind)),
        _ => {}
    }
    // Any text that looks like one and is not: of digits and dots, or with two colons.
    let digits = |byte: u8| byte.is_ascii_digit() || b"./-".contains(&byte);
    let hex = |byte: u8| byte.is_ascii_hexdigit() || b".:/[]".contains(&byte);
    let like_v4 = text.contains('.') && text.bytes().all(digits);
    let like_v6 = text.bytes().filter(|&byte| byte == b':').nth(1).is_some();
    let odd = like_v4 && text.starts_with(|c: char| c.is_ascii_digit())
        || like_v6 && text.bytes().all(hex);
    odd.then_some(Err(Refusal::Address))
}

/// `[2001:db8::1]`, with or without a port after it.
fn in_brackets(text: &str) -> Option<IpAddr> {
    let (inner, after) = text.strip_prefix('[')?.split_once(']')?;
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = after.strip_prefix([':', '#']);
    if !after.is_empty() && !port.is_some_and(is_port) {
        return None;
    }
    let inner = inner.split_once('%').map_or(inner, |(address, _zone)| address);
    exact(inner)
}

/// `192.0.2.1:53`, and `192.0.2.1#53` as `dig` writes it.
fn with_port(text: &str) -> Option<IpAddr> {
    let (bare, port) = text.split_once('#').or_else(|| text.split_once(':'))?;
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    exact(bare).filter(|_| is_port)
}

fn is_of_zone(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-%".contains(&byte)
}

/// Whether a text with a wildcard can only mean addresses: it has a colon, or it is written with
/// dots and all that is not a wildcard in it are octets.
fn is_pattern(text: &str) -> bool {
    let octets = |text: &str| {
        text.contains('.')
            && text
                .split(['.', '%', '_', '*'])
                .all(|part| part.is_empty() || part.parse::<u8>().is_ok())
    };
    let digit_first = text.starts_with(|c: char| c.is_ascii_digit());
    let hex = |byte: u8| byte.is_ascii_hexdigit() || b".:%_*".contains(&byte);
    text.contains(['%', '_', '*'])
        && ((text.contains(':') && text.bytes().all(hex)) || (digit_first && octets(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_is_read_in_every_form() {
        for text in [
            "192.0.2.1",
            "::ffff:192.0.2.1",
            "192.0.2.1/32",
            "(192.0.2.1)",
            "[192.0.2.1]",
            "192.0.2.1:53",
            "192.0.2.1#53",
            "192.0.2.1.",
            "::ffff:192.0.2.1/128",
            "１９２．０．２．１",
            "\u{200e}192.0.2.1",
        ] {
            assert_eq!(read(text), Some(Ok([192, 0, 2, 1].into())), "{text}");
        }
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        for text in [
            "2001:DB8:0::1",
            "[2001:db8::1]",
            "[2001:db8::1]:53",
            "[2001:db8::1%eth0]:53",
            "2001:db8::1/128",
            "2001:db8::1%eth0",
            "2001:db8::1%25eth0.1-a/128",
            "<2001:db8::1>,",
            "2001:0db8:0000:0000:0000:0000:0000:0001",
        ] {
            assert_eq!(read(text), Some(Ok(v6)), "{text}");
        }
    }

    #[test]
    fn what_reads_as_an_address_and_is_none_is_told_how_to_write_one() {
        for text in [
            "192.000.002.001",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.1.5",
            "192.0.2.0/24",
            "192.0.2.1-192.0.2.9",
            "2001:db8::/32",
            "2001:db8:::1",
            "1:2:3",
            "[2001:db8::1]/64",
        ] {
            assert_eq!(read(text), Some(Err(Refusal::Address)), "{text}");
        }
        for text in ["192.0.2.%", "2001:db8::%", "192.0.*.1", "2001:db8::_"] {
            assert_eq!(read(text), Some(Err(Refusal::WildcardKind)), "{text}");
        }
        for text in ["example.demo", "12306.%", "%", "1a.demo", "3221225985", "a:b", "", "1.2.demo"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

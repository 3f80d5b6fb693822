//! What is spoken: WHOIS, and for comparisons DNS over TCP and HTTP/1.1, one query a connection.
//!
//! # Does not
//!
//! Check answers of other protocols beyond their end.

use crate::engine::Ending;

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// RFC 3912.
    Whois,
    /// DNS over TCP (RFC 7766), a query of type A for the name; for comparisons with name servers.
    Dns,
    /// `GET` with `Connection: close`; for comparisons with web servers.
    Http,
}

/// Stands for the query in a path.
pub const QUERY_PLACE: &str = "{query}";

/// Type A, class IN (RFC 1035 section 3.2).
const TYPE_A_IN: [u8; 4] = [0, 1, 0, 1];
/// Any identifier, recursion not desired, one question.
const DNS_HEADER: [u8; 12] = [0x4c, 0x47, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];

impl Protocol {
    /// How its answers end.
    #[must_use]
    pub const fn ending(self) -> Ending {
        match self {
            Self::Whois | Self::Http => Ending::Close,
            Self::Dns => Ending::Length,
        }
    }

    /// Appends the request that `line`, a WHOIS query line, becomes. HTTP asks for `http_path`, in
    /// which [`QUERY_PLACE`] stands for the line.
    pub fn request(self, line: &[u8], http_path: &str, out: &mut Vec<u8>) {
        match self {
            Self::Whois => out.extend_from_slice(line),
            Self::Http => {
                out.extend_from_slice(b"GET ");
                for (index, part) in http_path.split(QUERY_PLACE).enumerate() {
                    if index > 0 {
                        percent_encoded(line.trim_ascii(), out);
                    }
                    out.extend_from_slice(part.as_bytes());
                }
                out.extend_from_slice(b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            }
            Self::Dns => {
                let start = out.len();
                out.extend_from_slice(&[0, 0]);
                out.extend_from_slice(&DNS_HEADER);
                let name = line.trim_ascii();
                for label in name.split(|byte| *byte == b'.').filter(|label| !label.is_empty()) {
                    // RFC 1035 section 3.1: at most 63 bytes.
                    let label = label.get(..63).unwrap_or(label);
                    out.push(u8::try_from(label.len()).unwrap_or_default());
                    out.extend_from_slice(label);
                }
                out.push(0);
                out.extend_from_slice(&TYPE_A_IN);
                let length = u16::try_from(out.len() - start - 2).unwrap_or_default();
                if let Some(place) = out.get_mut(start..start + 2) {
                    place.copy_from_slice(&length.to_be_bytes());
                }
            }
        }
    }
}

/// Appends what RFC 3986 section 2.3 leaves as it is, and the rest in percent form.
fn percent_encoded(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0') as u8;
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_asks_for_the_path_with_the_query_in_its_place() {
        let request = |path| {
            let mut out = Vec::new();
            Protocol::Http.request(b"a b.example\r\n", path, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert!(request("/").starts_with("GET / HTTP/1.1\r\nHost: "));
        assert!(request("/domain/{query}").starts_with("GET /domain/a%20b.example HTTP/1.1\r\n"));
    }

    #[test]
    fn a_dns_query_is_that_of_the_rfc() {
        let mut out = Vec::new();
        Protocol::Dns.request(b"a.example\r\n", "/", &mut out);
        assert_eq!(out[..2], [0, 27]);
        assert_eq!(&out[14..], b"\x01a\x07example\x00\x00\x01\x00\x01");
    }
}

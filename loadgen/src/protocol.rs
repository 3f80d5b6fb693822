//! What is spoken: WHOIS; HTTP/1.1 and HTTP/2, RDAP above all; for comparisons DNS over TCP.
//!
//! # Does not
//!
//! Check answers of DNS beyond their end.

use crate::engine::Ending;
use crate::http::{HttpSettings, Version};

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// RFC 3912.
    Whois,
    /// HTTP/1.1, a connection for each query unless connections are kept.
    Http,
    /// HTTP/2, one query at a time on a connection; without TLS by prior knowledge.
    Http2,
    /// DNS over TCP (RFC 7766), a query of type A for the name; for comparisons with name servers.
    Dns,
}

/// What is spoken by default, in words.
pub const WHOIS_WORDS: &str = "WHOIS, a connection for each query";

/// Stands for the query line in a path.
pub const QUERY_PLACE: &str = "{query}";
/// Stands for the query's path of RDAP (RFC 9082 section 3) in a path.
pub const RDAP_PLACE: &str = "{rdap}";

/// Type A, class IN (RFC 1035 section 3.2).
const TYPE_A_IN: [u8; 4] = [0, 1, 0, 1];
/// Any identifier, recursion not desired, one question.
const DNS_HEADER: [u8; 12] = [0x4c, 0x47, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];

impl Protocol {
    /// What is spoken, in words.
    #[must_use]
    pub fn words(self, http: &HttpSettings) -> String {
        let version = match self {
            Self::Whois => return WHOIS_WORDS.to_owned(),
            Self::Dns => return "DNS over TCP, a connection for each query".to_owned(),
            Self::Http => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        };
        let tls = match (http.is_tls, http.resumes) {
            (false, _) => "",
            (true, true) => " over TLS with resumption",
            (true, false) => " over TLS without resumption",
        };
        let connections =
            if http.is_kept { "kept connections" } else { "a connection for each query" };
        format!("{version}{tls}, {connections}, {}", http.path)
    }

    /// How its answers end.
    #[must_use]
    pub const fn ending(self) -> Ending {
        match self {
            Self::Whois => Ending::Close,
            Self::Http | Self::Http2 => Ending::Session,
            Self::Dns => Ending::Length,
        }
    }

    /// Which HTTP it is, if it is HTTP.
    #[must_use]
    pub const fn http(self) -> Option<Version> {
        match self {
            Self::Whois | Self::Dns => None,
            Self::Http => Some(Version::One),
            Self::Http2 => Some(Version::Two),
        }
    }

    /// Appends the request that `line`, a WHOIS query line, becomes; nothing for HTTP, which asks
    /// for a [`path`].
    pub fn request(self, line: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Whois => out.extend_from_slice(line),
            Self::Http | Self::Http2 => {}
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

/// Whether the path depends on the query.
#[must_use]
pub fn is_asked(template: &str) -> bool {
    template.contains(QUERY_PLACE) || template.contains(RDAP_PLACE)
}

/// Appends the path that `line`, a WHOIS query line, becomes: `template`, in which
/// [`QUERY_PLACE`] stands for the line and [`RDAP_PLACE`] for its path of RDAP.
pub fn path(line: &[u8], template: &str, out: &mut String) {
    let line = line.trim_ascii();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, place) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = place.strip_prefix(QUERY_PLACE) {
            percent_encoded(line, out);
            rest = after;
        } else if let Some(after) = place.strip_prefix(RDAP_PLACE) {
            rdap_path(line, out);
            rest = after;
        } else {
            out.push('{');
            rest = place.get(1..).unwrap_or_default();
        }
    }
    out.push_str(rest);
}

/// Appends the path that asks RDAP what `line` asks WHOIS.
fn rdap_path(line: &[u8], out: &mut String) {
    const KEYWORDS: [(&[u8], &str); 4] = [
        (b"domain ", "domain/"),
        (b"nameserver ", "nameserver/"),
        (b"contact ", "entity/"),
        (b"registrar ", "entity/"),
    ];
    let keyword = KEYWORDS.iter().find_map(|(keyword, path)| {
        let (head, name) = line.split_at_checked(keyword.len())?;
        head.eq_ignore_ascii_case(keyword).then_some((*path, name.trim_ascii()))
    });
    let (path, name) = keyword.unwrap_or(("domain/", line));
    let is_pattern = |byte: &u8| matches!(byte, b'%' | b'*');
    match name.iter().position(is_pattern) {
        Some(at) if path == "domain/" => {
            out.push_str("domains?name=");
            // RFC 9082 section 4.1 knows one sign, once.
            let (start, end) = name.split_at_checked(at).unwrap_or_default();
            percent_encoded(start, out);
            out.push('*');
            percent_encoded(end.get(1..).unwrap_or_default(), out);
        }
        _ => {
            let text = std::str::from_utf8(name).unwrap_or_default();
            if path == "nameserver/" && text.parse::<std::net::IpAddr>().is_ok() {
                out.push_str("nameservers?ip=");
            } else {
                out.push_str(path);
            }
            percent_encoded(name, out);
        }
    }
}

/// Appends what RFC 3986 section 2.3 leaves as it is, and the rest in percent form.
fn percent_encoded(text: &[u8], out: &mut String) {
    for &byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(line: &str, template: &str) -> String {
        let mut out = String::new();
        path(line.as_bytes(), template, &mut out);
        out
    }

    #[test]
    fn http_asks_for_the_path_with_the_query_in_its_place() {
        assert_eq!(path_of("a b.example\r\n", "/"), "/");
        assert_eq!(path_of("a b.example\r\n", "/domain/{query}"), "/domain/a%20b.example");
        assert_eq!(path_of("x\r\n", "/{other}/{query}?q={query}"), "/{other}/x?q=x");
        assert!(is_asked("/{rdap}") && is_asked("/{query}") && !is_asked("/{}"));
    }

    #[test]
    fn rdap_is_asked_what_the_line_asks_whois() {
        for (line, path) in [
            ("a.example\r\n", "/rdap/domain/a.example"),
            ("Domain a.example\r\n", "/rdap/domain/a.example"),
            ("\u{fc}.example\r\n", "/rdap/domain/%c3%bc.example"),
            ("nameserver ns1.a.example\r\n", "/rdap/nameserver/ns1.a.example"),
            ("nameserver 2001:db8::1\r\n", "/rdap/nameservers?ip=2001%3adb8%3a%3a1"),
            ("contact C1-X\r\n", "/rdap/entity/C1-X"),
            ("registrar A B Inc.\r\n", "/rdap/entity/A%20B%20Inc."),
            ("abc%\r\n", "/rdap/domains?name=abc*"),
            ("abc*.example\r\n", "/rdap/domains?name=abc*.example"),
        ] {
            assert_eq!(path_of(line, "/rdap/{rdap}"), path, "{line}");
        }
    }

    #[test]
    fn a_dns_query_is_that_of_the_rfc() {
        let mut out = Vec::new();
        Protocol::Dns.request(b"a.example\r\n", &mut out);
        assert_eq!(out[..2], [0, 27]);
        assert_eq!(&out[14..], b"\x01a\x07example\x00\x00\x01\x00\x01");
    }
}

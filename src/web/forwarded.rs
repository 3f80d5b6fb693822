//! Whom a balancer that speaks HTTP names as its client: `Forwarded` (RFC 7239) and
//! `X-Forwarded-For`.
//!
//! # Invariants
//!
//! - `listed peers alone`: headers of a peer that is not listed are not looked at.
//! - `one header alone`: the one that the proxies write. The other one comes through them as the
//!   client wrote it.
//! - `from the right`: each proxy appends whom it has seen, so the list is believed from its end,
//!   as long as the addresses there are listed proxies themselves.
//!
//! # Does not
//!
//! Believe host, protocol, or names.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HeaderMap, HeaderName};
use ipnet::IpNet;
use whoisd::config::web::{ForwardedHeader, Web};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Most addresses of a list that are looked at, from its end.
const HOPS_MAX: usize = 16;

/// Proxies that are believed, and the header that they write.
#[derive(Debug, Clone)]
pub(crate) struct Trusted {
    proxies: Box<[IpNet]>,
    header: ForwardedHeader,
}

impl Trusted {
    pub(crate) fn of(web: &Web) -> Self {
        Self { proxies: web.forwarded_from.clone().into(), header: web.forwarded_header }
    }

    /// Whether a peer is a proxy that is believed.
    pub(crate) fn is_proxy(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.proxies.iter().any(|net| net.contains(&peer))
    }

    /// The header that they write.
    pub(crate) const fn header(&self) -> &'static str {
        self.header.word()
    }

    /// Who asks on a connection from `peer`, and whether a proxy has said so. A list that cannot be
    /// read ends where it cannot: the last address that was read holds.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> (IpAddr, bool) {
        let peer = peer.to_canonical();
        if !self.is_proxy(peer) {
            return (peer, false);
        }
        let mut client = peer;
        let name = match self.header {
            ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
            ForwardedHeader::Forwarded => FORWARDED,
        };
        let values = headers.get_all(&name).iter().rev();
        let hops = values.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
        for hop in hops.take(HOPS_MAX) {
            let text = if name == FORWARDED { node(hop) } else { Some(hop) };
            let Some(address) = text.and_then(address) else { break };
            client = address;
            if !self.is_proxy(client) {
                break;
            }
        }
        (client, client != peer)
    }
}

/// The value of `for` in an element of `Forwarded`.
fn node(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    })
}

/// An address, with or without a port, quotation marks and brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = bracketed.unwrap_or(text).parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    address.or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen_by(
        header: ForwardedHeader,
        peer: &str,
        headers: &[(&'static str, &str)],
    ) -> (String, bool) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let proxies = ["10.0.0.0/8", "2001:db8::/32"].map(|net| net.parse().unwrap());
        let trusted = Trusted { proxies: proxies.into(), header };
        let (client, named) = trusted.client(peer.parse().unwrap(), &map);
        (client.to_string(), named)
    }

    fn seen(peer: &str, headers: &[(&'static str, &str)]) -> (String, bool) {
        seen_by(ForwardedHeader::XForwardedFor, peer, headers)
    }

    #[test]
    fn only_listed_peers_are_believed() {
        let forged = [("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=198.51.100.2")];
        assert_eq!(seen("192.0.2.1", &forged), ("192.0.2.1".to_owned(), false));
        assert_eq!(seen("10.0.0.1", &[]), ("10.0.0.1".to_owned(), false));
        assert_eq!(
            seen("::ffff:10.0.0.1", &[("x-forwarded-for", "198.51.100.1")]).0,
            "198.51.100.1"
        );
    }

    #[test]
    fn lists_are_believed_from_their_end() {
        let of = |value| seen("10.0.0.1", &[("x-forwarded-for", value)]).0;
        assert_eq!(of("203.0.113.9, 198.51.100.1"), "198.51.100.1");
        assert_eq!(of("203.0.113.9, 198.51.100.1, 10.0.0.2"), "198.51.100.1");
        assert_eq!(of("nonsense, 10.0.0.2"), "10.0.0.2");
        assert_eq!(of("nonsense"), "10.0.0.1");
        assert_eq!(of("198.51.100.1:4711"), "198.51.100.1");
        let two = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "198.51.100.1")];
        assert_eq!(seen("10.0.0.1", &two).0, "198.51.100.1");
        let long = vec!["10.0.0.3"; 40].join(",");
        assert_eq!(of(&format!("198.51.100.1,{long}")), "10.0.0.3");
    }

    #[test]
    fn a_header_that_the_proxies_do_not_write_is_not_believed() {
        let both = [("forwarded", "for=198.51.100.1"), ("x-forwarded-for", "203.0.113.1")];
        assert_eq!(seen("10.0.0.1", &both).0, "203.0.113.1");
        assert_eq!(seen("10.0.0.1", &both[..1]), ("10.0.0.1".to_owned(), false));
        let of = |headers| seen_by(ForwardedHeader::Forwarded, "10.0.0.1", headers).0;
        assert_eq!(of(&both), "198.51.100.1");
        assert_eq!(of(&both[1..]), "10.0.0.1");
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_writes_it() {
        let of = |value| {
            let headers = [("forwarded", value)];
            seen_by(ForwardedHeader::Forwarded, "2001:db8::1", &headers).0
        };
        assert_eq!(of("for=198.51.100.1;proto=https"), "198.51.100.1");
        assert_eq!(of(r#"proto=https; For="[2001:470::9]:47011""#), "2001:470::9");
        assert_eq!(of("for=203.0.113.9, for=198.51.100.1"), "198.51.100.1");
        assert_eq!(of("for=unknown"), "2001:db8::1");
        assert_eq!(of("by=203.0.113.43"), "2001:db8::1");
    }
}

//! The header of the PROXY protocol, versions 1 and 2 (the HAProxy specification of 2020-03-05):
//! what a balancer writes before a client's bytes.
//!
//! # Does not
//!
//! Write TLVs or checksums.

use std::net::{IpAddr, SocketAddr};

/// Which header goes before each query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    /// The line of version 1.
    V1,
    /// The block of version 2.
    V2,
}

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Appends the header of a connection from `client` to `server`; both of one family.
pub fn header(proxy: Proxy, client: SocketAddr, server: SocketAddr, out: &mut Vec<u8>) {
    match proxy {
        Proxy::V1 => {
            let family = if client.is_ipv4() { "TCP4" } else { "TCP6" };
            let (from, to) = (client.ip(), server.ip());
            let line =
                format!("PROXY {family} {from} {to} {} {}\r\n", client.port(), server.port());
            out.extend_from_slice(line.as_bytes());
        }
        Proxy::V2 => {
            out.extend_from_slice(&SIGNATURE);
            // Version 2, command PROXY.
            out.push(0x21);
            out.push(if client.is_ipv4() { 0x11 } else { 0x21 });
            let length: u16 = if client.is_ipv4() { 12 } else { 36 };
            out.extend_from_slice(&length.to_be_bytes());
            for ip in [client.ip(), server.ip()] {
                match ip {
                    IpAddr::V4(v4) => out.extend_from_slice(&v4.octets()),
                    IpAddr::V6(v6) => out.extend_from_slice(&v6.octets()),
                }
            }
            out.extend_from_slice(&client.port().to_be_bytes());
            out.extend_from_slice(&server.port().to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_those_of_the_specification() {
        let (client, server) =
            ("192.0.2.7:4711".parse().unwrap(), "198.51.100.1:43".parse().unwrap());
        let mut out = Vec::new();
        header(Proxy::V1, client, server, &mut out);
        assert_eq!(out, b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 43\r\n");
        out.clear();
        header(Proxy::V2, client, server, &mut out);
        assert_eq!(out.len(), 28);
        assert_eq!(out[12..16], [0x21, 0x11, 0, 12]);
        assert_eq!(out[16..20], [192, 0, 2, 7]);
        assert_eq!(out[24..28], [0x12, 0x67, 0, 43]);
        out.clear();
        header(Proxy::V2, "[2001:db8::1]:1".parse().unwrap(), server, &mut out);
        assert_eq!(out[12..16], [0x21, 0x21, 0, 36]);
    }
}

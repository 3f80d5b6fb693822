//! Real shards on loopback behind a made-up proxy: whose address answers are given to.

use std::io::Write;
use std::net::{SocketAddr, TcpStream as Client};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::EngineKind;
use super::tests::{Echo, Served, over_both, patient, read_all, serve_behind};
use crate::observe::ShardFigures;
use crate::port43;
use crate::port43::proxy::tests::{V4, block};
use crate::port43::proxy::{Expected, Rule};
use crate::shard::listen;

/// The first address is for everybody, the second for proxies.
fn serve(engine: EngineKind, from: &str, header: Expected, port43: port43::Settings) -> Served {
    let claim = || listen::claim("127.0.0.1:0".parse().unwrap()).unwrap();
    let claims = [claim(), claim()];
    let addresses: Vec<_> = claims.iter().map(|claim| claim.address).collect();
    let rule = Rule { listen: addresses[1], from: vec![from.parse().unwrap()], header };
    let echo = |_: &Arc<ShardFigures>| Echo;
    serve_behind(engine, addresses, vec![Arc::new(rule)], port43, &echo)
}

fn connect(address: SocketAddr) -> Client {
    let client = Client::connect(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    client.set_nodelay(true).unwrap();
    client
}

fn ask(address: SocketAddr, bytes: &[u8]) -> String {
    let mut client = connect(address);
    // The server may have closed already.
    let _ = client.write_all(bytes);
    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut client, &mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
fn the_client_that_a_proxy_names_is_the_one_that_asks() {
    over_both(|engine| {
        let served = serve(engine, "127.0.0.0/8", Expected::Either, patient());
        let proxied = served.addresses[1];
        let long = block(0x21, 0x11, &[&V4[..], &[4, 2, 9], &[0; 521]].concat());
        for header in
            [&b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 43\r\n"[..], &block(0x21, 0x11, &V4), &long]
        {
            let answer = ask(proxied, &[header, b"asked\r\n"].concat());
            assert_eq!(answer, "192.0.2.7:4711 198.51.100.1:43 false", "{}", header.escape_ascii());
            // The longest line there may be still fits after the longest header.
            let line = "x".repeat(1_024);
            let answer = ask(proxied, &[header, line.as_bytes(), b"\r\n"].concat());
            assert_eq!(answer, format!("{line} answered\r\n"));
        }
        for header in [&b"PROXY UNKNOWN\r\n"[..], &block(0x20, 0, b""), &block(0x21, 0, b"")] {
            let answer = ask(proxied, &[header, b"asked\r\n"].concat());
            let expected = format!(" {proxied} true");
            assert!(answer.starts_with("127.0.0.1:") && answer.ends_with(&expected), "{answer}");
        }
        // Elsewhere nobody looks for a header.
        let header = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 43\r\n";
        let answer = ask(served.addresses[0], &[&header[..], b"asked\r\n"].concat());
        assert_eq!(answer, "PROXY TCP4 192.0.2.7 198.51.100.1 4711 43 answered\r\n");
        let totals = served.stop();
        assert_eq!((totals.proxied, totals.proxied_own, totals.ended_unproxied), (6, 3, 0));
    });
}

#[test]
fn a_header_may_come_byte_by_byte() {
    over_both(|engine| {
        let served = serve(engine, "127.0.0.1/32", Expected::V2, patient());
        let mut client = connect(served.addresses[1]);
        for byte in [&block(0x21, 0x11, &V4)[..], b"asked\r\n"].concat() {
            client.write_all(&[byte]).unwrap();
            thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(read_all(&mut client), b"192.0.2.7:4711 198.51.100.1:43 false");
        served.stop();
    });
}

#[test]
fn a_peer_that_is_not_listed_is_closed_at_once_whatever_it_sends() {
    over_both(|engine| {
        let served = serve(engine, "10.0.0.0/8", Expected::Either, patient());
        for bytes in [&b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 43\r\nasked\r\n"[..], b"a\r\n"] {
            assert_eq!(ask(served.addresses[1], bytes), "");
        }
        assert_eq!(ask(served.addresses[0], b"a\r\n"), "a answered\r\n");
        let totals = served.stop();
        assert_eq!((totals.ended_untrusted, totals.proxied, totals.ended_served), (2, 0, 1));
    });
}

#[test]
fn what_is_no_header_is_closed_unanswered_and_so_is_one_that_does_not_come() {
    over_both(|engine| {
        let served = serve(engine, "127.0.0.1/32", Expected::V2, patient());
        let line = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 43\r\nasked\r\n";
        let unix = block(0x21, 0x31, &[0; 216]);
        for bytes in [&line[..], b"asked\r\n", &unix] {
            assert_eq!(ask(served.addresses[1], bytes), "", "{}", bytes.escape_ascii());
        }
        let totals = served.stop();
        assert_eq!((totals.ended_unproxied, totals.expired_proxy), (3, 0));
        // Half a header, and silence.
        let settings = port43::Settings { proxy_ms: 200, ..patient() };
        let served = serve(engine, "127.0.0.1/32", Expected::V2, settings);
        assert_eq!(ask(served.addresses[1], &unix[..20]), "");
        let totals = served.stop();
        assert_eq!((totals.ended_unproxied, totals.expired_proxy), (0, 1));
    });
}

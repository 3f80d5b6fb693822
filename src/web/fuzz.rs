//! The laws of what comes over the network, whatever it is: drivers for the fuzzer.
//!
//! # Invariants
//!
//! - `ends`: a connection whose client has sent everything ends, whatever it has sent.
//! - `whole`: what it gets back over HTTP/1.1 begins as an answer, and names its type.
//! - `only proxies are believed`: headers name the client of a listed peer, and of no other one.
//!
//! # Does not
//!
//! Exist in a release: it is built for tests and for the fuzzer alone.

use std::cell::RefCell;
use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use whoisd::config::web::{ForwardedHeader, Web};
use whoisd::observe::{ShardFigures, clock};
use whoisd::policy::Rules;
use whoisd::policy::guard::Guard;
use whoisd::shard::reception::{Reception, Sources};
use whoisd::view::View;

use crate::activity::Deadlines;
use crate::answering::{Answerer, Site};
use crate::connection::{Connections, Ends};
use crate::forwarded::Trusted;
use crate::http::{Asked, asked};
use crate::room::Room;
use crate::search::Pool;

/// What the reading side of a client holds: more than any answer.
const ROOM_BYTES: usize = 4 << 20;

/// A server without sockets.
pub struct Server {
    runtime: RefCell<Runtime>,
    connections: Connections,
}

impl Server {
    /// A server of a view, under the standard rules.
    #[must_use]
    pub fn of(view: View) -> Self {
        let sources = Sources {
            views: Arc::new(ArcSwap::from_pointee(view)),
            rules: Arc::new(ArcSwap::from_pointee(Rules::standard())),
            guard: Arc::new(Guard::open()),
        };
        let reception = Reception::new(sources, Arc::new(ShardFigures::new(0)));
        let site = Site {
            mount: "/rdap/".into(),
            base: "https://rdap.example/rdap/".into(),
            trusted: trusted(),
        };
        let long = Duration::from_secs(3_600);
        // A connection that does not end by itself is cut with the next tick.
        let idle = Duration::from_millis(1);
        let deadlines = Deadlines { first_byte: long, idle, write: long, total: long };
        let answerer = Answerer::new(reception, site, Pool::none());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let Ok(runtime) = runtime else { panic!("no runtime") };
        let connections = Connections::new(answerer, deadlines, Room::new(1));
        Self { runtime: RefCell::new(runtime), connections }
    }

    /// Holds the laws of a connection on which a client sends `bytes`, and no more.
    pub fn connection(&self, bytes: &[u8]) {
        let local = LocalSet::new();
        let connections = self.connections.clone();
        let answered = self.runtime.borrow_mut().block_on(local.run_until(async move {
            let (mut client, server) = duplex(ROOM_BYTES);
            let activity = connections.room().activity(clock::monotonic);
            let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let ends = Ends {
                peer,
                server: SocketAddr::new(peer, 80),
                proxied: false,
                local: false,
                encrypted: false,
                misdirected: false,
            };
            let serving = connections.serve((server, Rc::clone(&activity)), ends, pending());
            let serving = tokio::task::spawn_local(serving);
            // The server may have ended before everything was sent.
            let _ = client.write_all(bytes).await;
            let _ = client.shutdown().await;
            let mut answered = Vec::new();
            let _ = client.read_to_end(&mut answered).await;
            let served = serving.await;
            assert!(served.is_ok(), "the connection panicked");
            answered
        }));
        if let Some(rest) = answered.strip_prefix(b"HTTP/1.") {
            assert!(rest.len() > 8, "half a status line");
            let head = rest.windows(4).position(|window| window == b"\r\n\r\n");
            let head = head.and_then(|end| rest.get(..end)).unwrap_or_default();
            let text = String::from_utf8_lossy(head).to_ascii_lowercase();
            let is_preflight = text.contains(" 204 ");
            assert!(is_preflight || text.contains("content-type: application/rdap+json"), "{text}");
        }
    }
}

fn trusted() -> Trusted {
    let listed = "192.0.2.0/24".parse().map(|net| vec![net]).unwrap_or_default();
    let header = ForwardedHeader::Forwarded;
    Trusted::of(&Web { forwarded_from: listed, forwarded_header: header, ..Web::default() })
}

/// Holds the laws of a request: a line with method and target, and a line for each header.
pub fn request(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let (method, target) = first.split_once(' ').unwrap_or((&first, "/"));
    let (Ok(method), Ok(uri)) = (method.parse::<Method>(), target.parse::<Uri>()) else { return };
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let value = HeaderValue::from_bytes(value.get(1..).unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), value) {
            headers.append(name, value);
        }
    }
    let is = asked(&method, &uri, &headers, "/rdap/");
    assert_eq!(asked(&method, &uri, &headers, "/rdap/"), is, "another answer");
    if let Asked::Rdap(target) = is {
        assert!(method == Method::GET || method == Method::HEAD, "{method}");
        assert!(uri.to_string().ends_with(target), "{uri}: {target}");
    }
    let stranger = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));
    let proxy = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    assert_eq!(trusted().client(stranger, &headers), (stranger, false), "a stranger is believed");
    let (client, named) = trusted().client(proxy, &headers);
    assert_eq!(named, client != proxy, "{client}");
    assert_eq!(client.to_canonical(), client, "an address in another form");
    if !headers.contains_key(http::header::FORWARDED) {
        assert!(!named, "nobody names a client");
    }
}

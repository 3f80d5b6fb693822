//! `whoisd-web` refuses: what the client reads, and what figures and query log have of it.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod server;

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use server::{Response, Server, Site, eventually};

/// Kind, outcome and name of each row of a query log. Sorted: cores hand over rows by themselves.
fn rows(log: &[Value]) -> Vec<[&str; 3]> {
    let rows = log.iter().map(|of| ["kind", "outcome", "name"].map(|key| of[key].as_str()));
    let mut rows: Vec<_> = rows.map(|row| row.map(Option::unwrap)).collect();
    rows.sort_unstable();
    rows
}

#[test]
fn what_is_refused_before_rdap_is_read_is_logged_with_its_path() {
    let site = Site::new();
    let server = site.serve_logged("");
    let long = format!("/rdap/domain/{}", "a".repeat(5_000));
    for (method, path, accept, status) in [
        ("GET", "/robots\u{e4}\"?x=1", "*/*", 404),
        ("POST", "/rdap/domain/example.demo", "*/*", 405),
        ("DELETE", "/", "*/*", 405),
        ("GET", "/rdap/help", "text/html", 406),
        ("GET", &long, "*/*", 414),
    ] {
        assert_eq!(server.request(method, path, &[("Accept", accept)]).status, status, "{path}");
    }
    let log = site.logged(server);
    let cut = format!("domain/{}\\+{}", "a".repeat(248), 5_007 - 255);
    let refused = ["/", "/robots%C3%A4%22?x=1", &cut, "domain/example.demo", "help"];
    assert_eq!(rows(&log), refused.map(|name| ["unreadable", "refused", name]));
}

#[test]
fn a_preflight_counts_against_the_limit_and_is_logged() {
    let site = Site::new();
    let limits = "[limits]\nloopback_free = false\nv4_32_per_min = 1\nv4_32_burst = 12\n";
    let server = site.serve_logged(limits);
    let ask = || server.request("OPTIONS", "/rdap/help", &[("Origin", "https://a.example")]);
    for _ in 0..12 {
        let allowed = ask();
        assert_eq!((allowed.status, allowed.body.len()), (204, 0), "{allowed:?}");
        assert_eq!(allowed.header("access-control-allow-methods"), Some("GET, HEAD, OPTIONS"));
    }
    for refused in [ask(), server.get("/rdap/help")] {
        assert_eq!(refused.status, 429);
        assert_eq!(refused.json()["errorCode"], 429);
        assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
        assert!(refused.header("retry-after").is_some(), "{refused:?}");
    }
    let log = site.logged(server);
    let mut expected = vec![["unreadable", "preflight", "help"]; 12];
    expected.extend([["help", "limited", "help"], ["unreadable", "limited", "help"]]);
    expected.sort_unstable();
    assert_eq!(rows(&log), expected);
}

/// A whole error, after which the connection ends in order.
fn assert_refused(client: &mut TcpStream, status: u16, asked: &str) {
    let refused = Response::read(client, "GET");
    assert_eq!(refused.status, status, "{asked}: {refused:?}");
    for (name, value) in [
        ("content-type", "application/rdap+json"),
        ("access-control-allow-origin", "*"),
        ("connection", "close"),
    ] {
        assert_eq!(refused.header(name), Some(value), "{asked}: {refused:?}");
    }
    let json = refused.json();
    assert_eq!(json["errorCode"], status, "{asked}");
    assert!(json["title"].is_string() && json["description"][0].is_string(), "{json}");
    assert!(json["rdapConformance"].is_array() && json["notices"].is_array(), "{json}");
    assert_eq!(client.read(&mut [0]).unwrap(), 0, "{asked}");
}

#[test]
fn a_head_that_cannot_be_read_gets_a_whole_error() {
    let site = Site::new();
    let server = site.serve_logged("");
    let fields = "X: y\r\n".repeat(65);
    let heads = [
        (400, "NONSENSE\r\n\r\n".to_owned()),
        (400, "GET /rdap/help\r\n\r\n".to_owned()),
        (400, "GET /rdap/he lp HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        (400, "GET /rdap/help HTTP/3.0\r\nHost: x\r\n\r\n".to_owned()),
        (400, "GET /rdap/help HTTP/1.1\r\nno field\r\n\r\n".to_owned()),
        (400, "GET /rdap/help HTTP/1.1\r\nContent-Length: x\r\n\r\n".to_owned()),
        (400, "GET /rdap/help HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned()),
        (400, "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}".to_owned()),
        (414, format!("GET /rdap/domain/{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(40_000))),
        (431, format!("GET /rdap/help HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(40_000))),
        (431, format!("GET /rdap/help HTTP/1.1\r\n{fields}\r\n")),
    ];
    for (status, head) in &heads {
        let mut client = server.connect();
        client.write_all(head.as_bytes()).unwrap();
        assert_refused(&mut client, *status, head);
    }
    let counted = server.figure("whoisd_queries_total", "kind=\"unreadable\",outcome=\"refused\"");
    assert_eq!(counted, heads.len() as u64);
    // Each has an answer of a kilobyte; what is dropped counts as well.
    let bytes = |way: &str| server.figure(&format!("whoisd_{way}_bytes_total"), "");
    assert!(bytes("sent") > 1_000 * counted && bytes("received") > 80_000, "{}", bytes("sent"));
    assert_eq!(rows(&site.logged(server)), vec![["unreadable", "refused", ""]; heads.len()]);
}

#[test]
fn a_head_that_cannot_be_read_is_refused_after_answers_on_its_connection() {
    let site = Site::new();
    let server = site.serve(&[]);
    for version in ["HTTP/1.1\r\nHost: x", "HTTP/1.0\r\nConnection: keep-alive"] {
        let good = format!("GET /rdap/domain/example.demo {version}\r\n\r\n");
        let mut client = server.connect();
        for _ in 0..2 {
            client.write_all(good.as_bytes()).unwrap();
            assert_eq!(Response::read(&mut client, "GET").status, 200);
        }
        // One after the other, without waiting: the answers may go out in one piece.
        client.write_all(format!("{good}{good}NONSENSE\r\n\r\n").as_bytes()).unwrap();
        for _ in 0..2 {
            let answer = Response::read(&mut client, "GET");
            assert_eq!((answer.status, &answer.json()["ldhName"]), (200, &"example.demo".into()));
        }
        assert_refused(&mut client, 400, version);
    }
}

#[test]
fn heads_that_cannot_be_read_count_against_their_client_and_not_against_a_proxy() {
    let site = Site::new();
    let limits = "[limits]\nloopback_free = false\nv4_32_per_min = 1\nv4_32_burst = 12\n";
    let refuse = |server: &Server, status| {
        let mut client = server.connect();
        client.write_all(b"NONSENSE\r\n\r\n").unwrap();
        assert_refused(&mut client, status, "nonsense");
    };
    let server = site.serve_with(limits);
    (0..12).for_each(|_| refuse(&server, 400));
    refuse(&server, 429);
    assert_eq!(server.get("/rdap/help").status, 429);
    drop(server);
    // Nobody knows for whom the proxy has sent it.
    let server = site.serve_with(&format!("{limits}[web]\nforwarded_from = [\"127.0.0.1\"]\n"));
    (0..13).for_each(|_| refuse(&server, 400));
    assert_eq!(server.get("/rdap/help").status, 200);
}

#[test]
fn a_head_that_does_not_end_in_time_gets_a_408_and_an_idle_connection_nothing() {
    let site = Site::new();
    let server = site.serve_with("[web]\nidle_ms = 100\nstatus_listen = \"127.0.0.1:0\"\n");
    let whole = "GET /rdap/help HTTP/1.1\r\nHost: x\r\n\r\n";
    let parts = ["G", "PRI", "GET /rdap/he", "GET /rdap/help HTTP/1.1\r\nHost: x\r\nX-Half: "];
    for before in ["", whole] {
        for part in parts {
            let mut client = server.connect();
            client.write_all(before.as_bytes()).unwrap();
            if !before.is_empty() {
                assert_eq!(Response::read(&mut client, "GET").status, 200, "{part}");
            }
            client.write_all(part.as_bytes()).unwrap();
            assert_refused(&mut client, 408, part);
        }
    }
    let mut idle = server.connect();
    idle.write_all(whole.as_bytes()).unwrap();
    assert_eq!(Response::read(&mut idle, "GET").status, 200);
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
    let late = || server.figure("whoisd_deadlines_total", "phase=\"line\"");
    eventually("the heads that were late", || late() == 2 * parts.len() as u64);
    eventually("the idle one", || {
        server.figure("whoisd_connections_ended_total", "how=\"served\"") == 1
    });
}

#[test]
fn a_client_that_nears_its_limit_reads_so_beside_the_same_answer() {
    let site = Site::new();
    let limits = "[limits]\nloopback_free = false\nv4_32_per_min = 1\nv4_32_burst = 12\n";
    let server = site.serve_with(&format!("{limits}warn_percent = 50\n"));
    let get = || server.get("/rdap/domain/example.demo");
    let first = get();
    assert_eq!((first.status, first.header("ratelimit")), (200, None), "{first:?}");
    let scarce = (0..11).map(|_| get()).find(|answer| answer.header("ratelimit").is_some());
    let scarce = scarce.unwrap();
    let left = scarce.header("ratelimit").unwrap();
    assert!(left.starts_with("\"127.0.0.1/32\";r=") && left.contains(";t="), "{left}");
    let policy = scarce.header("ratelimit-policy");
    assert_eq!(policy, Some("\"127.0.0.1/32\";q=12;w=720"));
    let exposed = scarce.header("access-control-expose-headers");
    assert_eq!(exposed, Some("ratelimit, ratelimit-policy"));
    assert_eq!((scarce.header("etag"), &scarce.body), (first.header("etag"), &first.body));
}

#[test]
fn what_browsers_ask_before_a_script_asks_is_counted_as_that() {
    let site = Site::new();
    let mut server = site.serve(&[]);
    for _ in 0..3 {
        assert_eq!(server.request("OPTIONS", "/rdap/help", &[]).status, 204);
    }
    assert_eq!(server.get("/rdap/help").status, 200);
    assert_eq!(server.get("/rdap/domain/none.demo").status, 404);
    server.signal("TERM");
    let log = server.rest_of_log();
    assert!(server.process.wait().unwrap().success());
    let line = log.lines().find(|line| line.contains("\"stopped\"")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let counted = ["answered_preflight", "answered_found", "answered_not_found"];
    assert_eq!(counted.map(|name| line[name].as_u64()), [Some(3), Some(1), Some(1)], "{line}");
}

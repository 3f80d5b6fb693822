//! `whoisd-web` refuses: what the client reads, and what figures and query log have of it.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod server;

use serde_json::Value;

use server::Site;

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

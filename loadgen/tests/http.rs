//! The generator over HTTP against servers whose behaviour is known. No test depends on how fast
//! the machine is.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be run fails it")]

mod certificate;
mod generator;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use certificate::server_config;
use generator::measure;
use whois_loadgen::http::HttpSettings;
use whois_loadgen::protocol::Protocol;
use whois_loadgen::run::Settings;
use whois_loadgen::workload::{Names, Profile, Source};

/// What a server does with the `number`th request of a connection; `false` ends it.
type Behaviour = fn(&mut TcpStream, &str, u64) -> bool;

/// A server of HTTP/1.1 that ends with the test's process, and how many connections came.
fn server(behaviour: Behaviour) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::Relaxed);
            thread::spawn(move || answer_each(client, behaviour));
        }
    });
    (address, count)
}

fn answer_each(mut client: TcpStream, behaviour: Behaviour) {
    client.set_nodelay(true).unwrap();
    let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
    let mut number = 0;
    while let Some(Ok(first)) = lines.next() {
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        let path = first.split(' ').nth(1).unwrap_or_default();
        if !behaviour(&mut client, path, number) {
            return;
        }
        number += 1;
    }
}

fn send(client: &mut TcpStream, status: &str, body: &str) -> bool {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
    client.write_all(text.as_bytes()).is_ok()
}

fn found(client: &mut TcpStream, path: &str, _number: u64) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    send(client, "200 OK", &format!("{{\"ldhName\":\"{name}\"}}"))
}

fn settings(target: SocketAddr, is_kept: bool) -> Settings {
    let path = "/rdap/{rdap}".to_owned();
    Settings {
        in_flight_max: 4,
        protocol: Protocol::Http,
        http: HttpSettings { path, is_kept, ..HttpSettings::default() },
        ..generator::settings(target, 200.0, 1.5)
    }
}

#[test]
fn kept_connections_are_as_many_as_asked_for_and_each_query_is_answered() {
    let (target, count) = server(found);
    let result = measure(&settings(target, true));
    assert!(result.errors.is_empty(), "{:?}", result.errors);
    assert_eq!(result.answered_count, result.due_count);
    assert_eq!(result.checked.get("status"), Some(&result.due_count));
    assert_eq!((count.load(Ordering::Relaxed), result.connections.unwrap().opened_count), (4, 4));
    // What was kept was not connected again.
    assert_eq!(result.connect.count, 4);
}

#[test]
fn without_kept_connections_each_query_has_its_own() {
    let (target, count) = server(|client, path, number| {
        found(client, path, number);
        false
    });
    let result = measure(&settings(target, false));
    assert!(result.errors.is_empty(), "{:?}", result.errors);
    assert_eq!(count.load(Ordering::Relaxed), result.due_count);
    assert_eq!(result.connect.count, result.due_count);
}

/// The server says nothing of closing: the next query meets a closed connection.
#[test]
fn a_kept_connection_that_the_server_has_closed_costs_no_query() {
    let (target, count) = server(|client, path, number| found(client, path, number) && number < 9);
    let result = measure(&settings(target, true));
    assert!(result.errors.is_empty(), "{:?}", result.errors);
    assert_eq!(result.answered_count, result.due_count);
    let connections = result.connections.unwrap();
    assert_eq!(connections.opened_count, count.load(Ordering::Relaxed));
    assert_eq!(connections.reopened_count + 4, connections.opened_count);
    assert!(connections.reopened_count > 10, "{connections:?}");
}

#[test]
fn each_failure_over_http_is_counted_by_its_kind() {
    let cases: [(&str, Behaviour); 6] = [
        ("refused-limit", |client, _, _| send(client, "429 Too Many Requests", "")),
        ("wrong-object", |client, _, _| send(client, "200 OK", "{}")),
        ("status-5xx", |client, _, _| send(client, "500 Internal Server Error", "")),
        ("malformed", |client, _, _| client.write_all(b"220 mail.example ESMTP\r\n").is_ok()),
        ("cut-short", |client, _, _| {
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
            false
        }),
        ("cut-short", |_, _, _| false),
    ];
    for (kind, behaviour) in cases {
        let (target, _) = server(behaviour);
        let result = measure(&settings(target, true));
        let expected = [(kind.to_owned(), result.due_count)].into();
        assert_eq!((result.answered_count, &result.errors), (0, &expected), "{kind}");
    }
    let (target, _) = server(found);
    let settings = Settings { protocol: Protocol::Http2, ..settings(target, true) };
    let result = measure(&settings);
    assert_eq!(result.answered_count, 0);
    assert_eq!(result.errors.values().sum::<u64>(), result.due_count, "{:?}", result.errors);
}

/// A server of HTTP/2 without TLS; each body is longer than a client lets come unasked.
fn server_of_two() -> (SocketAddr, Arc<AtomicU64>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async {
            while let Ok((client, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::task::spawn_local(answer_streams(client));
            }
        });
    });
    (address, count)
}

async fn answer_streams(client: tokio::net::TcpStream) {
    let mut connection = h2::server::handshake(client).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let name = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        assert_eq!(request.uri().authority().unwrap().as_str(), "localhost");
        let mut stream = respond.send_response(http::Response::new(()), false).unwrap();
        let body = format!("{{\"ldhName\":\"{name}\"}}{}", " ".repeat(200_000));
        stream.send_data(body.into(), true).unwrap();
    }
}

#[test]
fn http2_answers_longer_than_a_window_come_whole_over_kept_connections() {
    let (target, count) = server_of_two();
    let kept = Settings { protocol: Protocol::Http2, ..settings(target, true) };
    let result = measure(&kept);
    assert!(result.errors.is_empty(), "{:?}", result.errors);
    assert_eq!((result.answered_count, count.load(Ordering::Relaxed)), (result.due_count, 4));
    assert!(result.received_bytes > 200_000 * result.due_count);
    let each = Settings { protocol: Protocol::Http2, ..settings(target, false) };
    let result = measure(&each);
    assert!(result.errors.is_empty(), "{:?}", result.errors);
    assert_eq!(count.load(Ordering::Relaxed), 4 + result.due_count);
}

/// A server of TLS, with as many connections as there are threads.
fn server_of_tls() -> SocketAddr {
    let config = server_config("localhost");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            thread::spawn(move || {
                let mut stream = rustls::Stream::new(&mut tls, &mut client);
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    std::io::Read::read_exact(&mut stream, &mut byte).unwrap();
                    head.push(byte[0]);
                }
                let path = String::from_utf8(head).unwrap();
                let path = path.split(' ').nth(1).unwrap().rsplit('/').next().unwrap().to_owned();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", path.len());
                stream.write_all(format!("{head}{path}").as_bytes()).unwrap();
                tls.send_close_notify();
                let _ = tls.complete_io(&mut client);
            });
        }
    });
    address
}

#[test]
fn connections_over_tls_resume_one_another_unless_told_otherwise() {
    let target = server_of_tls();
    for resumes in [true, false] {
        let mut settings = settings(target, false);
        (settings.http.is_tls, settings.http.resumes) = (true, resumes);
        let result = measure(&settings);
        assert!(result.errors.is_empty(), "{:?}", result.errors);
        assert_eq!(result.answered_count, result.due_count);
        let connections = result.connections.unwrap();
        let all = connections.resumed_count + connections.full_handshake_count;
        assert_eq!((all, connections.opened_count), (result.due_count, result.due_count));
        assert_eq!(connections.resumed_count > 0, resumes, "{connections:?}");
    }
    // It speaks no HTTP without TLS, and none over a wrong kind of it.
    let result = measure(&Settings { duration_s: 1.0, ..settings(target, false) });
    assert_eq!(result.answered_count, 0, "{:?}", result.errors);
}

#[test]
fn slow_and_silent_clients_speak_http_too() {
    let (target, _) = server(|client, path, number| {
        found(client, path, number);
        false
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile");
    let text = "order = \"scan\"\nslow_share = 0.3\nslow_gap_us = 1000\n[shares]\ndomain = 1\n";
    std::fs::write(&path, text).unwrap();
    let profile = Profile::named(path.to_str().unwrap()).unwrap();
    let names = Source::open(&profile, &Names::Generated { count: 100 }).unwrap();
    let base = settings(target, false);
    let result = measure(&Settings { profile, names, in_flight_max: 512, ..base });
    assert_eq!(result.answered_count, result.due_count, "{:?}", result.errors);
    assert!(result.by_kind["slow client"].count > 5);
}

/// At 200 ms a byte a request takes some 30 s.
#[test]
fn slow_clients_over_http_end_at_the_bound_of_an_exchange() {
    let (target, _) = server(|client, path, number| {
        found(client, path, number);
        false
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slow");
    let text = "order = \"scan\"\nslow_share = 0.5\nslow_gap_us = 200000\n[shares]\ndomain = 1\n";
    std::fs::write(&path, text).unwrap();
    let profile = Profile::named(path.to_str().unwrap()).unwrap();
    let names = Source::open(&profile, &Names::Generated { count: 100 }).unwrap();
    let base = Settings { timeout_ms: 1_000, ..settings(target, false) };
    let result = measure(&Settings { profile, names, in_flight_max: 512, ..base });
    assert!(result.errors.is_empty(), "{:?}", result.errors);
    assert_eq!(result.answered_count, result.due_count);
    assert!(result.by_kind["slow client"].count > 20, "{:?}", result.by_kind);
}

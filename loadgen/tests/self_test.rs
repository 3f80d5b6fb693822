//! The generator against servers whose behaviour is known: it must report just that. A server's
//! certain delays are a lower bound of the figures. The machine decides how fast the rest is: no
//! test depends on it.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be run fails it")]

mod generator;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use generator::measure;
use whois_loadgen::result::Latency;
use whois_loadgen::run::{Settings, run};
use whois_loadgen::workload::{Names, Profile, Source};

const TAIL: &str = ">>> Last update of WHOIS database: 2026-01-01T00:00:00Z <<<\r\n\r\nterms\r\n";

/// How long a stub waits for a byte, milliseconds.
const IDLE_MS: u32 = 4_000;

/// What a stub does with a connection, given its query.
type Behaviour = fn(&mut TcpStream, &str, Instant);

/// A server that ends with the test's process.
fn stub(behaviour: Behaviour) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let started = now();
    thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { return };
            thread::spawn(move || {
                let idle = Duration::from_millis(IDLE_MS.into());
                client.set_read_timeout(Some(idle)).unwrap();
                let mut line = String::new();
                let _ = BufReader::new(client.try_clone().unwrap()).read_line(&mut line);
                behaviour(&mut client, line.trim(), started);
            });
        }
    });
    address
}

#[expect(clippy::disallowed_methods, reason = "a test's own clock")]
fn now() -> Instant {
    Instant::now()
}

fn answer(client: &mut TcpStream, name: &str) {
    let text = format!("Domain Name: {name}\r\nRegistry Domain ID: D1-X\r\n{TAIL}");
    let _ = client.write_all(text.as_bytes());
}

fn settings(target: SocketAddr, rate_per_s: f64, duration_s: f64) -> Settings {
    Settings {
        sources: vec!["127.1.0.1:0".parse().unwrap(), "127.1.0.2:0".parse().unwrap()],
        ..generator::settings(target, rate_per_s, duration_s)
    }
}

fn ms(latency: &Latency, percentile: f64) -> u64 {
    let found = latency.percentiles.iter().find(|(p, _)| (p - percentile).abs() < 1e-9);
    found.unwrap().1 / 1_000_000
}

#[test]
fn a_known_delay_is_reported_in_the_phase_that_it_belongs_to() {
    /// Half of all connects and last bytes are faster than this on any machine.
    const DELAY_MS: u64 = 1_000;
    let target = stub(|client, name, _| {
        thread::sleep(Duration::from_millis(DELAY_MS));
        answer(client, name);
    });
    let result = measure(&settings(target, 200.0, 2.0));
    assert_eq!(result.invalid, None);
    assert!(result.errors.is_empty(), "{:?}", result.errors);
    assert_eq!((result.due_count, result.answered_count), (399, 399));
    assert_eq!(result.checked.get("complete"), Some(&399));
    let percentiles = &result.latency.percentiles;
    assert!(ms(&result.latency, 50.0) >= DELAY_MS, "{percentiles:?}");
    assert!(ms(&result.first_byte, 50.0) >= DELAY_MS, "{:?}", result.first_byte.percentiles);
    // No part of it is in the other phases, which together with it are the whole.
    let [connect, last_byte] = [&result.connect, &result.last_byte].map(|of| ms(of, 50.0));
    let both = connect + last_byte;
    assert!(both < DELAY_MS, "connect {connect} ms, last byte {last_byte} ms");
}

/// Coordinated omission: a client that waits for each answer would send one query into the stall
/// and report one slow answer. Here a quarter of all queries fell due in it, and none of them has
/// its answer before the stall ends.
#[test]
fn a_stall_shows_in_the_latency_of_every_query_that_fell_due_in_it() {
    static STALLED: AtomicBool = AtomicBool::new(false);
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let target = stub(|client, name, _| {
        let into = now().duration_since(*FIRST.get_or_init(now));
        let stall = Duration::from_millis(1_500)..Duration::from_millis(2_500);
        if stall.contains(&into) {
            STALLED.store(true, Ordering::Relaxed);
            thread::sleep(stall.end - into);
        }
        answer(client, name);
    });
    let result = measure(&settings(target, 500.0, 4.0));
    assert!(STALLED.load(Ordering::Relaxed));
    assert!(result.errors.is_empty() && result.invalid.is_none(), "{result:?}");
    // 2,000 queries, 500 of them in the stall, with latencies spread evenly over its second.
    let percentiles = &result.latency.percentiles;
    assert!(ms(&result.latency, 90.0) >= 450, "{percentiles:?}");
    assert!(ms(&result.latency, 95.0) >= 650, "{percentiles:?}");
    assert!(ms(&result.latency, 99.0) >= 880, "{percentiles:?}");
}

#[test]
fn each_failure_is_counted_by_its_kind() {
    let cases: [(&str, Behaviour); 5] = [
        ("reset", |client, _, _| {
            let _ = client.write_all(b"Domain Name: ");
            let reset = socket2::SockRef::from(&*client).set_linger(Some(Duration::ZERO));
            reset.unwrap();
        }),
        ("cut-short", |client, name, _| {
            let _ = client.write_all(format!("Domain Name: {name}\r\nRegis").as_bytes());
        }),
        ("cut-short", |_, _, _| {}),
        ("malformed", |client, name, _| {
            let _ = client.write_all(format!("Domain Name: {name}\nx: y\r\n{TAIL}").as_bytes());
        }),
        ("timeout", |_, _, _| thread::sleep(Duration::from_secs(30))),
    ];
    for (kind, behaviour) in cases {
        let timeout_ms = if kind == "timeout" { 400 } else { 120_000 };
        let settings = Settings { timeout_ms, ..settings(stub(behaviour), 50.0, 1.0) };
        let result = measure(&settings);
        let expected = [(kind.to_owned(), result.due_count)].into();
        assert_eq!((result.answered_count, &result.errors), (0, &expected), "{kind}");
    }
    // No server listens there any more.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let result = measure(&settings(closed, 50.0, 1.0));
    assert_eq!(result.errors.get("connect-refused"), Some(&result.due_count));
}

#[test]
fn a_generator_that_cannot_send_on_time_says_that_its_run_is_invalid() {
    let target = stub(|client, name, _| {
        thread::sleep(Duration::from_millis(20));
        answer(client, name);
    });
    let hampered =
        Settings { in_flight_max: 1, late_after_us: 1_000, ..settings(target, 200.0, 1.0) };
    let result = measure(&hampered);
    assert!(result.late_count > result.due_count / 2, "{} late", result.late_count);
    assert!(result.invalid.unwrap().contains("could not keep up"));
    // The latency still counts from the due time: it grows with the queue.
    assert!(ms(&result.latency, 99.0) > 500, "{:?}", result.latency.percentiles);
}

#[test]
fn slow_and_silent_clients_are_apart_from_the_latencies() {
    let target = stub(|client, name, _| {
        // Names of misses begin so; they are not registered.
        if name.starts_with("zq") {
            let _ = client.write_all(TAIL.as_bytes());
        } else {
            answer(client, name);
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile");
    let text = "order = \"scan\"\nslow_share = 0.2\nslow_gap_us = 100000\n\
                silent_share = 0.2\n[shares]\ndomain = 0.8\nmiss = 0.2\n";
    std::fs::write(&path, text).unwrap();
    let profile = Profile::named(path.to_str().unwrap()).unwrap();
    let names = Source::open(&profile, &Names::Generated { count: 100 }).unwrap();
    let base = settings(target, 50.0, 2.0);
    let result = measure(&Settings { profile, names, ..base });
    assert_eq!(result.invalid, None);
    assert_eq!(result.answered_count, result.due_count, "{:?}", result.errors);
    let count = |kind: &str| result.by_kind.get(kind).map_or(0, |latency| latency.count);
    let (slow, silent) = (count("slow client"), count("silent client"));
    assert!(slow > 5 && silent > 5, "{slow} slow, {silent} silent");
    assert_eq!(result.latency.count, result.answered_count - slow - silent);
    // A line of 12 bytes takes 1.1 s; silence takes as long as the server allows.
    assert!(ms(&result.by_kind["slow client"], 50.0) >= 1_100);
    assert!(ms(&result.by_kind["silent client"], 50.0) >= u64::from(IDLE_MS) - 10);
}

#[test]
fn answers_that_come_after_the_end_are_not_throughput() {
    // One client at a time, 10 ms each: 100 a second of the 300 that are asked.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut line = String::new();
            let _ = BufReader::new(client.try_clone().unwrap()).read_line(&mut line);
            thread::sleep(Duration::from_millis(10));
            answer(&mut client, line.trim());
        }
    });
    let result = measure(&settings(target, 300.0, 1.0));
    assert_eq!((result.due_count, result.answered_count), (299, 299), "{:?}", result.errors);
    let achieved_per_s = result.achieved_per_s;
    assert!(achieved_per_s > 0.0 && achieved_per_s < 101.0, "{achieved_per_s} per s");
    assert!(ms(&result.latency, 99.0) > 1_500, "{:?}", result.latency.percentiles);
}

#[test]
fn a_run_that_is_stopped_early_has_the_length_that_it_had() {
    static ANSWERED: AtomicU64 = AtomicU64::new(0);
    let target = stub(|client, name, _| {
        ANSWERED.fetch_add(1, Ordering::Relaxed);
        answer(client, name);
    });
    let stop = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&stop);
    thread::spawn(move || {
        while ANSWERED.load(Ordering::Relaxed) < 200 {
            thread::sleep(Duration::from_millis(5));
        }
        set.store(true, Ordering::Relaxed);
    });
    let result = run(&settings(target, 100.0, 60.0), &stop, &mut |_| {}).unwrap();
    assert_eq!(result.invalid, None);
    assert!(result.duration_s >= 1.9 && result.duration_s < 60.0, "{} s", result.duration_s);
    assert!((85.0..115.0).contains(&result.asked_per_s), "{} per s", result.asked_per_s);
    assert_eq!(result.answered_count, result.due_count);
}

#[test]
fn a_server_is_asked_over_ipv6() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
    let target = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            assert!(client.peer_addr().unwrap().is_ipv6());
            let mut line = String::new();
            let _ = BufReader::new(client.try_clone().unwrap()).read_line(&mut line);
            answer(&mut client, line.trim());
        }
    });
    let sources = vec!["[::1]:0".parse().unwrap()];
    let result = measure(&Settings { sources, ..settings(target, 100.0, 1.0) });
    assert_eq!((result.answered_count, result.errors.len()), (99, 0), "{:?}", result.errors);
}

#[test]
fn a_server_that_limits_the_generator_is_named_as_such() {
    let target = stub(|client, _, _| {
        let line = "%ERROR:QUOTA limit=60/min scope=127.1.0.1/32 wait=9\r\n% over\r\n";
        let _ = client.write_all(format!("{line}{TAIL}").as_bytes());
    });
    let result = measure(&settings(target, 50.0, 1.0));
    let refused = result.errors.get("refused-limit").copied();
    assert_eq!(refused, Some(result.due_count), "{:?}", result.errors);
    let text = whois_loadgen::report::run_text(&result);
    let headline = text.lines().next().unwrap();
    assert!(headline.contains("100 % failed, most often refused-limit"), "{headline}");
    assert!(text.lines().nth(1).unwrap().contains("limits.mode = \"off\""), "{text}");
}

/// Half of the clients are never answered, and their time is a minute.
#[test]
fn a_run_that_is_ended_early_keeps_its_figures_and_waits_for_nobody() {
    let target = stub(|client, name, _| {
        if name == "one.example" {
            thread::sleep(Duration::from_secs(60));
        }
        answer(client, name);
    });
    let stop = Arc::new(AtomicBool::new(false));
    let settings = Settings { timeout_ms: 60_000, ..settings(target, 100.0, 50.0) };
    let told = Arc::clone(&stop);
    let mut second_count = 0;
    // The second second has been reported: the third is under way.
    let result = run(&settings, &stop, &mut |_| {
        second_count += 1;
        told.fetch_or(second_count >= 2, Ordering::Relaxed);
    });
    let result = result.unwrap();
    assert!(result.answered_count > 0 && result.duration_s < 50.0, "{result:?}");
    let interrupted = result.errors.get("interrupted").copied().unwrap_or_default();
    assert!(interrupted > 0 && result.errors.len() == 1, "{:?}", result.errors);
    assert_eq!(result.answered_count + interrupted, result.due_count);
}

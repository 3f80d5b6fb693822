//! The generator against servers whose behaviour is known: it must report just that.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be run fails it")]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use whois_loadgen::protocol::Protocol;
use whois_loadgen::result::{Latency, RunResult};
use whois_loadgen::run::{Settings, run};
use whois_loadgen::schedule::Shape;
use whois_loadgen::workload::{Names, Profile, Source};

const TAIL: &str = ">>> Last update of WHOIS database: 2026-01-01T00:00:00Z <<<\r\n\r\nterms\r\n";

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
    let folder = tempfile::tempdir().unwrap();
    let names = folder.path().join("names");
    std::fs::write(&names, "one.example\r\ntwo.example\r\nthree.example\r\n").unwrap();
    let profile = Profile::named("thick").unwrap();
    Settings {
        targets: vec![target],
        sources: vec!["127.1.0.1:0".parse().unwrap(), "127.1.0.2:0".parse().unwrap()],
        shape: Shape::Constant { rate_per_s },
        duration_s,
        warm_up_s: 0.0,
        seed: 1,
        cores: vec![first_core()],
        in_flight_max: 2_048,
        timeout_ms: 10_000,
        late_after_us: 100_000,
        late_share_max: 0.05,
        protocol: Protocol::Whois,
        proxy: None,
        names: Source::open(&profile, &Names::File(names)).unwrap(),
        profile,
        expect: None,
        expect_share: 0.0,
        checked: true,
        server_pid: None,
    }
}

/// A processor that this process may use.
fn first_core() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    list.trim().split([',', '-']).next().unwrap().parse().unwrap()
}

fn measure(settings: &Settings) -> RunResult {
    run(settings, &Arc::new(AtomicBool::new(false)), &mut |_| {}).unwrap()
}

fn ms(latency: &Latency, percentile: f64) -> u64 {
    let found = latency.percentiles.iter().find(|(p, _)| (p - percentile).abs() < 1e-9);
    found.unwrap().1 / 1_000_000
}

#[test]
fn a_known_delay_is_reported_in_the_phase_that_it_belongs_to() {
    let target = stub(|client, name, _| {
        thread::sleep(Duration::from_millis(20));
        answer(client, name);
    });
    let result = measure(&settings(target, 200.0, 2.0));
    assert_eq!(result.invalid, None);
    assert!(result.errors.is_empty(), "{:?}", result.errors);
    assert_eq!((result.due_count, result.answered_count), (399, 399));
    assert_eq!(result.checked.get("complete"), Some(&399));
    assert!((20..60).contains(&ms(&result.latency, 50.0)), "{:?}", result.latency.percentiles);
    assert!((20..60).contains(&ms(&result.first_byte, 50.0)));
    assert!(ms(&result.connect, 50.0) < 15 && ms(&result.last_byte, 50.0) < 15);
}

/// Coordinated omission: a client that waits for each answer would send one query into the stall
/// and report one slow answer. Here a quarter of all queries fell due in it.
#[test]
fn a_stall_shows_in_the_latency_of_every_query_that_fell_due_in_it() {
    static STALLED: AtomicBool = AtomicBool::new(false);
    let target = stub(|client, name, started| {
        let into = now().duration_since(started);
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
    assert!(ms(&result.latency, 50.0) < 100, "{percentiles:?}");
    assert!((450..750).contains(&ms(&result.latency, 90.0)), "{percentiles:?}");
    assert!((650..950).contains(&ms(&result.latency, 95.0)), "{percentiles:?}");
    assert!((880..1_200).contains(&ms(&result.latency, 99.0)), "{percentiles:?}");
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
        ("timeout", |_, _, _| thread::sleep(Duration::from_secs(3))),
    ];
    for (kind, behaviour) in cases {
        let settings = Settings { timeout_ms: 400, ..settings(stub(behaviour), 50.0, 1.0) };
        let result = measure(&settings);
        let expected = [(kind.to_owned(), result.due_count)].into();
        assert_eq!((result.answered_count, &result.errors), (0, &expected), "{kind}");
    }
    // Nobody listens there any more.
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
    let hampered = Settings {
        in_flight_max: 1,
        late_after_us: 1_000,
        timeout_ms: 2_000,
        ..settings(target, 200.0, 1.0)
    };
    let result = measure(&hampered);
    assert!(result.late_count > result.due_count / 2, "{} late", result.late_count);
    assert!(result.invalid.unwrap().contains("could not keep up"));
    // The latency still counts from the due time: it grows with the queue.
    assert!(ms(&result.latency, 99.0) > 500, "{:?}", result.latency.percentiles);
}

#[test]
fn slow_and_silent_clients_are_apart_from_the_latencies() {
    let target = stub(answer_after_line);
    let profile = Profile::named("hostile").unwrap();
    let base = settings(target, 50.0, 2.0);
    let result = measure(&Settings { profile, timeout_ms: 30_000, ..base });
    assert_eq!(result.invalid, None);
    assert_eq!(result.answered_count, result.due_count, "{:?}", result.errors);
}

fn answer_after_line(client: &mut TcpStream, name: &str, _: Instant) {
    answer(client, name);
}

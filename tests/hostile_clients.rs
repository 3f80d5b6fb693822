//! Hostile clients over real sockets, and a well-behaved one beside them: while each attack runs,
//! the good client gets every answer whole; the server's memory stays bounded, every connection is
//! accounted for, and afterwards nothing is left over. For both engines.
//!
//! No test here depends on the clock; timeouts only end hanging runs. Tests in
//! `src/port43/ring/simulation/fairness.rs` and `src/port43/pool.rs` bound the turns of the engine
//! that a good query waits. The long run prints how long it waits; benches/MEASUREMENTS.md has the
//! figures:
//!
//! ```text
//! WHOISD_HOSTILE=long cargo test --release --test hostile_clients -- --nocapture
//! ```
//!
//! # Does not
//!
//! Look at limits per source: they are switched off here, since the test is of the engine.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]
#![allow(clippy::print_stdout, reason = "figures for whoever runs it")]
#![expect(clippy::disallowed_methods, reason = "waits are what is measured")]

mod hostile;
mod registry;
mod server;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use whoisd::port43::limits::{ACCEPT_BACKOFF_MS, ACCEPTS_PER_LISTENER};

use hostile::attack::Attack;
use hostile::gauge::Waits;
use hostile::hold::{Size, Subject, size};
use hostile::site::{ANSWER_BUFFERS, Setting, Site};
use hostile::whois::{ANSWERED, ATTACKS, FLOOD_IPV6, OUT_OF_BUFFERS, ask, idle};

const ENGINES: [&str; 2] = ["ring", "streams"];
const LOOPBACK: &str = "127.0.0.1:0";

/// Resident memory that a server may take for an attack, KiB: the sum of the bounds of `site`
/// (16 answers, 1 MiB of long lines), connections at 8 KiB (the stream engine's tasks in a build
/// that is not optimised; the ring needs a tenth), and the allocator's slack.
const MEMORY_KIB: u64 = 24 << 10;
const MEMORY_KIB_PER_CONNECTION: u64 = 8;

/// One server at a time, so that servers do not disturb each other's measurement.
static TURN: RwLock<()> = RwLock::new(());

fn setting(engine: &'static str) -> Setting {
    Setting { engine, first_byte_ms: 500, drain_ms: 300, connections: 1_000, descriptors: None }
}

/// Holds a server against an attack.
fn hold(site: &Site, engine: &str, attack: Attack, size: Size) {
    let to = site.address();
    let subject = Subject {
        label: engine,
        to,
        held: &|| site.held(),
        ask: &|| ask(to),
        memory_kib: MEMORY_KIB,
        memory_kib_per_connection: MEMORY_KIB_PER_CONNECTION,
    };
    subject.hold(attack, size);
}

#[test]
fn a_good_client_is_served_beside_hostile_ones_and_nothing_is_left_behind() {
    let _turn = TURN.write().unwrap_or_else(PoisonError::into_inner);
    for engine in ENGINES {
        let site = Site::start(setting(engine), LOOPBACK);
        for attack in ATTACKS {
            hold(&site, engine, attack, size());
        }
        site.stop();
    }
}

#[test]
fn idle_connections_by_the_thousand_cost_a_good_client_nothing() {
    let _turn = TURN.write().unwrap_or_else(PoisonError::into_inner);
    rlimit::Resource::NOFILE.set(20_000, 20_000).unwrap();
    let size = size();
    for engine in ENGINES {
        let connections = size.idle + 100;
        let patient = Setting { first_byte_ms: 60_000, connections, ..setting(engine) };
        let site = Site::start(patient, LOOPBACK);
        hold(&site, engine, idle(size.idle), size);
        site.stop();
    }
}

#[test]
fn clients_that_do_not_read_take_no_answers_from_those_who_do() {
    let _turn = TURN.write().unwrap_or_else(PoisonError::into_inner);
    for engine in ENGINES {
        let site = Site::start(setting(engine), LOOPBACK);
        OUT_OF_BUFFERS.into_iter().for_each(|attack| hold(&site, engine, attack, size()));
        let counted = site.stop();
        // Each attack has more clients than there are buffers: some were cut for others.
        let cut_min = (OUT_OF_BUFFERS.len() * (OUT_OF_BUFFERS[0].clients - ANSWER_BUFFERS)) as u64;
        for name in ["evicted_writing", "waited_for_buffer"] {
            assert!(
                count(&counted, name) >= cut_min,
                "{engine}: under {cut_min} {name}: {counted:?}"
            );
        }
    }
}

/// A counter; those that are 0 are not listed.
fn count(counted: &[(String, u64)], name: &str) -> u64 {
    counted.iter().find(|(of, _)| of == name).map_or(0, |(_, count)| *count)
}

/// The ring engine alone makes room: the stream engine closes the last to come.
#[test]
fn clients_that_hold_on_after_their_answers_keep_no_other_out() {
    let _turn = TURN.write().unwrap_or_else(PoisonError::into_inner);
    // As long as may be: on a machine without time clients come slowly, and the server has to be
    // full of those who hold on before their deadline lets them go.
    let full = Setting { drain_ms: 60_000, connections: 400, ..setting(ENGINES[0]) };
    let site = Site::start(full, LOOPBACK);
    hold(&site, ENGINES[0], ANSWERED, size());
    let counted = site.stop();
    assert!(count(&counted, "evicted_draining") > 0, "the server was never full: {counted:?}");
}

/// Marks that the program is within the namespace.
const INSIDE: &str = "WHOISD_HOSTILE_NAMESPACE";

/// Set where the machine gives no network namespace: tests that need one then pass untried.
const NO_NAMESPACES: &str = "WHOISD_NO_NAMESPACES";

/// A network namespace of its own, whose loopback takes every address of fd5c:a1ab:1e::/64.
const NAMESPACE: &str = "ip link set lo up && ip -6 route add local fd5c:a1ab:1e::/64 dev lo && \
    echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind && exec \"$@\"";

#[test]
fn a_flood_from_one_ipv6_64_leaves_a_good_client_alone() {
    if std::env::var_os(INSIDE).is_some() {
        for engine in ENGINES {
            let site = Site::start(setting(engine), "[::1]:0");
            hold(&site, engine, FLOOD_IPV6, size());
            site.stop();
        }
        return;
    }
    let _turn = TURN.write().unwrap_or_else(PoisonError::into_inner);
    let unshare = ["--user", "--map-root-user", "--net", "sh", "-c", NAMESPACE, "sh"];
    let made = Command::new("unshare").args(unshare).arg("true").output();
    if !made.as_ref().is_ok_and(|output| output.status.success()) {
        let told = std::env::var_os(NO_NAMESPACES).is_some();
        assert!(told, "no network namespace here ({made:?}): {NO_NAMESPACES}=1 goes without");
        return;
    }
    let this = std::env::current_exe().unwrap();
    let name = "a_flood_from_one_ipv6_64_leaves_a_good_client_alone";
    let mut inside = Command::new("unshare");
    inside.args(unshare).arg(this).args(["--exact", name, "--nocapture"]).env(INSIDE, "1");
    let output = inside.output().unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    let figures = text[0].lines().filter(|line| line.contains(" opened, "));
    figures.for_each(|line| println!("{line}"));
    assert!(output.status.success(), "{}\n{}", text[0], text[1]);
}

/// Without descriptors the stream engine cannot serve a new client; the server pauses between
/// its tries, and serves again once there are some.
#[test]
fn descriptors_that_run_out_are_waited_for_and_come_back() {
    let _turn = TURN.write().unwrap_or_else(PoisonError::into_inner);
    for engine in ENGINES {
        let patient = Setting { first_byte_ms: 2_000, ..setting(engine) };
        let site = Site::start(patient, LOOPBACK);
        let to = site.address();
        Waits::measure(20, &|| ask(to)).unwrap();
        site.settle(site.held()).unwrap();
        let before = site.held();
        let begun = Instant::now();
        // Less than it has: every accept of a descriptor fails from now on.
        site.limit_descriptors(before.descriptors.saturating_sub(8));
        let mut late = TcpStream::connect(to).unwrap();
        late.write_all(b"small.demo\r\n").unwrap();
        let held: Vec<_> = (0..200).map(|_| TcpStream::connect(to).unwrap()).collect();
        thread::sleep(Duration::from_millis(500));
        let beside = site.held();
        assert!(beside.memory_kib <= before.memory_kib + MEMORY_KIB, "{engine}: {beside:?}");
        site.limit_descriptors(20_000);
        let without_ms = begun.elapsed().as_millis();
        let mut answer = String::new();
        late.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        late.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("Domain Name: small.demo"), "{engine}: {answer:?}");
        drop(held);
        site.settle(before).unwrap();
        Waits::measure(20, &|| ask(to)).unwrap();
        let errors = u128::from(count(&site.stop(), "accept_errors"));
        // All accepts of a listener once in each pause, however long that was; a slow machine only
        // makes it fewer.
        let pauses = without_ms / u128::from(ACCEPT_BACKOFF_MS) + 2;
        let errors_max = pauses * (ACCEPTS_PER_LISTENER as u128 + 1);
        assert!(errors <= errors_max, "{engine}: {errors} tries in {without_ms} ms");
    }
}

/// Few descriptors from the start: more connections than descriptors do not end the server.
#[test]
fn a_server_with_few_descriptors_serves_on_after_a_flood() {
    let _turn = TURN.write().unwrap_or_else(PoisonError::into_inner);
    for engine in ENGINES {
        let few = Setting { descriptors: Some(128), ..setting(engine) };
        let site = Site::start(few, LOOPBACK);
        site.limit_descriptors(128);
        let before = site.held();
        let held: Vec<_> = (0..400).map(|_| TcpStream::connect(site.address()).unwrap()).collect();
        thread::sleep(Duration::from_millis(300));
        drop(held);
        site.settle(before).unwrap_or_else(|what| panic!("{engine}: {what}"));
        Waits::measure(20, &|| ask(site.address())).unwrap();
        site.stop();
    }
}

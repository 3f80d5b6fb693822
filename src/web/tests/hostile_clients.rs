//! Hostile clients of HTTP over real sockets, and a well-behaved one beside them: while each attack
//! runs, the good client gets every answer whole; memory stays bounded, every connection is
//! accounted for, and afterwards nothing is left over.
//!
//! No test here depends on the clock; timeouts only end hanging runs. The long run prints how long
//! the good client waits; benches/MEASUREMENTS.md has the figures:
//!
//! ```text
//! WHOISD_HOSTILE=long cargo test --release -p whoisd-web --test hostile_clients -- --nocapture
//! ```
//!
//! # Does not
//!
//! Look at limits per source: they are switched off here, since the test is of the connections.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]
#![allow(clippy::print_stdout, reason = "figures for whoever runs it")]
#![expect(clippy::disallowed_methods, reason = "waits are what is measured")]

mod hostile;
mod server;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use hostile::attack::Attack;
use hostile::gauge::PATIENCE;
use hostile::held::Held;
use hostile::hold::{Subject, size};
use hostile::http::{
    ATTACKS, ATTACKS_OVER_TLS, FLOOD, TOO_MANY, ask, ask_again, asking_for_nothing,
};
use serde_json::Value;
use server::{Server, Site};

/// Resident memory that a server may take for an attack, KiB: 32 MiB of answers that are not sent,
/// and the allocator's slack.
const MEMORY_KIB: u64 = 48 << 10;
/// The same for each connection: a head, an answer, the states of 64 streams, in a build that is
/// not optimised.
const MEMORY_KIB_PER_CONNECTION: u64 = 512;

/// One server at a time, so that servers do not disturb each other.
static TURN: RwLock<()> = RwLock::new(());

const SHORT: &str = "first_byte_ms = 500\nidle_ms = 1000\nwrite_ms = 2000\n";

fn config(web: &str) -> String {
    format!("[limits]\nmode = \"off\"\n[web]\ncores = \"0\"\n{web}")
}

fn held(server: &Server) -> Held {
    let ports: Vec<u16> =
        [Some(server.address), server.encrypted].iter().flatten().map(|at| at.port()).collect();
    Held::of(server.process.id(), &ports)
}

/// A question of the good client.
type Ask = fn(SocketAddr) -> Result<Option<Duration>, String>;

/// Holds a server against an attack of one of its listeners; the good client asks without TLS.
fn hold(server: &Server, is_encrypted: bool, attack: Attack) {
    hold_with(server, is_encrypted, attack, ask);
}

fn hold_with(server: &Server, is_encrypted: bool, attack: Attack, ask: Ask) {
    let to = if is_encrypted { server.encrypted.unwrap() } else { server.address };
    let subject = Subject {
        label: "http",
        to,
        held: &|| held(server),
        ask: &|| ask(server.address),
        memory_kib: MEMORY_KIB,
        memory_kib_per_connection: MEMORY_KIB_PER_CONNECTION,
    };
    subject.hold(attack, size());
}

/// Drains a server; what it has counted, all connections accounted for.
fn stopped(mut server: Server) -> BTreeMap<String, u64> {
    server.signal("TERM");
    let log = server.rest_of_log();
    assert!(server.process.wait().unwrap().success(), "{log}");
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.into_iter().find(|line| line["message"] == "stopped").unwrap();
    let fields = line.as_object().unwrap().iter();
    let counted: BTreeMap<String, u64> =
        fields.filter_map(|(name, count)| Some((name.clone(), count.as_u64()?))).collect();
    let endings = ["ended_", "expired_", "evicted_", "over_bound", "cut_off_count"];
    let is_end = |name: &str| endings.iter().any(|ending| name.starts_with(ending));
    let ended: u64 = counted.iter().filter(|(name, _)| is_end(name)).map(|(_, count)| count).sum();
    assert_eq!((ended, counted["cut_off_count"]), (counted["accepted"], 0), "{counted:?}");
    counted
}

#[test]
fn a_good_client_is_served_beside_hostile_ones_and_nothing_is_left_behind() {
    let _turn = TURN.write().unwrap_or_else(PoisonError::into_inner);
    let site = Site::new();
    let server = site.serve_with(&config(SHORT));
    ATTACKS.into_iter().chain([FLOOD]).for_each(|attack| hold(&server, false, attack));
    let counted = stopped(server);
    for name in ["ended_silent", "ended_broken", "ended_served"] {
        assert!(counted.contains_key(name), "no {name}: {counted:?}");
    }
}

#[test]
fn a_good_client_is_served_beside_handshakes_that_come_to_nothing() {
    let _turn = TURN.write().unwrap_or_else(PoisonError::into_inner);
    let site = Site::new();
    let (chain, key) = (site.path("chain.pem"), site.path("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-keyout".as_ref(), key.as_os_str(), "-out".as_ref(), chain.as_os_str()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let tls = format!(
        "{SHORT}tls_listen = [\"127.0.0.1:0\"]\n\
         certificates = [{{ chain = {chain:?}, key = {key:?} }}]\n"
    );
    let server = site.serve_with(&config(&tls));
    ATTACKS_OVER_TLS.into_iter().for_each(|attack| hold(&server, true, attack));
    let counted = stopped(server);
    assert!(counted.contains_key("ended_handshake"), "{counted:?}");
}

/// Deadlines are no help here: they are longer than the attack.
#[test]
fn silent_clients_give_way_to_those_who_ask_where_there_is_no_room() {
    let _turn = TURN.write().unwrap_or_else(PoisonError::into_inner);
    let site = Site::new();
    let patient = "first_byte_ms = 60000\nidle_ms = 60000\nconnections_per_core_max = 200\n";
    let server = site.serve_with(&config(patient));
    hold_with(&server, false, TOO_MANY, ask_again);
    let counted = stopped(server);
    assert!(counted.contains_key("evicted_silent"), "{counted:?}");
}

/// Each asks for 64 answers and lets none come: together more than may be unsent.
#[test]
fn clients_that_take_no_answers_are_closed_once_these_are_too_many() {
    let _turn = TURN.write().unwrap_or_else(PoisonError::into_inner);
    let site = Site::new();
    let patient = "first_byte_ms = 60000\nidle_ms = 60000\nwrite_ms = 60000\n";
    let server = site.serve_with(&config(patient));
    let before = held(&server);
    let mut clients: Vec<TcpStream> = (0..300).map(|_| taking_nothing(&server)).collect();
    let answer = ask(server.address).unwrap();
    assert!(answer.is_some_and(|wait| wait < PATIENCE));
    let memory_kib = held(&server).memory_kib.saturating_sub(before.memory_kib);
    let bound = MEMORY_KIB + MEMORY_KIB_PER_CONNECTION * clients.len() as u64;
    assert!(memory_kib <= bound, "{memory_kib} KiB more, at most {bound}");
    let is_closed = |client: &mut TcpStream| {
        client.set_nonblocking(true).unwrap();
        let ended = client.read_to_end(&mut Vec::new());
        ended.map_or_else(|error| error.kind() != ErrorKind::WouldBlock, |_| true)
    };
    let closed = clients.iter_mut().map(is_closed).filter(|is_closed| *is_closed).count() as u64;
    drop(clients);
    let counted = stopped(server);
    let evicted = counted.get("evicted_writing").copied().unwrap_or_default();
    assert!(evicted > 0 && evicted >= closed, "{closed} closed, {counted:?}");
}

/// A client that has heard of its 64 answers, and takes none of them.
fn taking_nothing(server: &Server) -> TcpStream {
    let mut client = server.connect();
    client.write_all(&asking_for_nothing()).unwrap();
    let mut heard = Vec::new();
    // Each answer's fields have more than 20 bytes; those of the first have all names as well.
    while heard.len() < 64 * 20 {
        let mut part = [0; 4096];
        match client.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(count) => heard.extend_from_slice(&part[..count]),
        }
    }
    client
}

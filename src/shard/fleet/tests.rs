//! Real shards on loopback with an answer made up here: what every kind of client gets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream as Client};
use std::thread;

use crossbeam::channel::{Receiver, bounded};

use super::*;
use crate::observe::clock;
use crate::observe::counters::AnswerClass;
use crate::place::cores;
use crate::port43::Asked;
use crate::shard::listen;

/// More than the kernel takes for a client that does not read.
const BIG_BYTES: usize = 64 * 1024 * 1024;

#[derive(Clone, Copy)]
pub(super) struct Echo;

impl Answering for Echo {
    type Buffer = Vec<u8>;

    fn buffer(&self) -> Vec<u8> {
        Vec::new()
    }

    fn answer(&mut self, asked: Asked<'_>, out: &mut Vec<u8>) -> AnswerClass {
        out.clear();
        if asked.is_unfinished {
            out.extend_from_slice(asked.line);
            out.extend_from_slice(b" refused\r\n");
            return AnswerClass::Refused;
        }
        match asked.line {
            b"big" => out.resize(BIG_BYTES, b'.'),
            b"panic" => panic!("asked for"),
            b"peer" => out.extend_from_slice(asked.client.to_string().as_bytes()),
            b"asked" => {
                let Asked { client, server, local, complete_us, .. } = asked;
                let waited_us = clock::micros().checked_sub(complete_us);
                assert!(waited_us.is_some(), "the line was complete in the future");
                out.extend_from_slice(format!("{client} {server} {local}").as_bytes());
            }
            b"slow" => thread::sleep(Duration::from_millis(200)),
            line => {
                out.extend_from_slice(line);
                out.extend_from_slice(b" answered\r\n");
            }
        }
        AnswerClass::Found
    }
}

pub(super) struct Served {
    fleet: Fleet,
    pub(super) addresses: Vec<SocketAddr>,
    reports: Receiver<ShardReport>,
}

/// Deadlines that no client passes that asks, however busy the machine is.
pub(super) fn patient() -> port43::Settings {
    port43::Settings {
        proxy_ms: 60_000,
        first_byte_ms: 60_000,
        line_ms: 60_000,
        write_ms: 60_000,
        total_ms: 300_000,
        ..Default::default()
    }
}

/// How long something may take before it counts as not happening.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a test over both engines, the ring with either kind of sockets.
pub(super) fn over_both(test: impl Fn(EngineKind)) {
    // The test machines' kernels have both: a missing ring is a failure here.
    over_rings(&test);
    test(EngineKind::Streams);
}

/// Runs a test over the ring engine with either kind of sockets.
pub(super) fn over_rings(test: impl Fn(EngineKind)) {
    // On a kernel that is late with direct ones nothing uses these.
    let kinds = match ring::probe().unwrap() {
        Sockets::Direct => &[Sockets::Direct, Sockets::Ordinary][..],
        Sockets::Ordinary => &[Sockets::Ordinary],
    };
    for sockets in kinds {
        test(EngineKind::Ring(*sockets));
    }
}

fn serve_on(engine: EngineKind, listen: &[&str], port43: port43::Settings) -> Served {
    serve_with(engine, listen, port43, &|_: &Arc<ShardFigures>| Echo)
}

pub(super) fn serve_with<F>(
    engine: EngineKind,
    listen: &[&str],
    port43: port43::Settings,
    answering: &F,
) -> Served
where
    F: Fn(&Arc<ShardFigures>) -> Echo + Clone + Send + 'static,
{
    let claim = |text: &&str| listen::claim(text.parse().unwrap()).unwrap();
    let claims: Vec<_> = listen.iter().map(claim).collect();
    let addresses = claims.iter().map(|claim| claim.address).collect();
    serve_behind(engine, addresses, Vec::new(), port43, answering)
}

/// Serves addresses that are claimed already, some of them behind proxies.
pub(super) fn serve_behind<F>(
    engine: EngineKind,
    addresses: Vec<SocketAddr>,
    proxies: Vec<Arc<proxy::Rule>>,
    port43: port43::Settings,
    answering: &F,
) -> Served
where
    F: Fn(&Arc<ShardFigures>) -> Echo + Clone + Send + 'static,
{
    serve_plan(Plan { listen: addresses, proxies, port43, engine, shutdown_ms: 60_000 }, answering)
}

/// Serves one address for clients that may take so long to end after a stop.
fn serve_for(engine: EngineKind, shutdown_ms: u64) -> Served {
    let claim = listen::claim("127.0.0.1:0".parse().unwrap()).unwrap();
    let listen = vec![claim.address];
    let plan = Plan { listen, proxies: Vec::new(), port43: patient(), engine, shutdown_ms };
    serve_plan(plan, &|_: &Arc<ShardFigures>| Echo)
}

fn serve_plan<F>(plan: Plan, answering: &F) -> Served
where
    F: Fn(&Arc<ShardFigures>) -> Echo + Clone + Send + 'static,
{
    let (sender, reports) = bounded(64);
    let core = cores::allowed().unwrap()[0];
    let fleet = Fleet::start(&[core], &plan, answering, &sender, |report| report).unwrap();
    assert!(matches!(reports.recv().unwrap(), ShardReport::Ready));
    Served { fleet, addresses: plan.listen, reports }
}

pub(super) fn serve(engine: EngineKind, port43: port43::Settings) -> Served {
    serve_on(engine, &["127.0.0.1:0"], port43)
}

impl Served {
    pub(super) fn connect(&self) -> Client {
        let client = Client::connect(self.addresses[0]).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }

    /// Waits until the shard's figures are such.
    pub(super) fn until(&self, holds: impl Fn(&ShardFigures) -> bool) {
        let figures = self.fleet.figures();
        let until = clock::monotonic() + PATIENCE;
        while !holds(&figures[0]) {
            assert!(clock::monotonic() < until, "it never happened");
            thread::sleep(Duration::from_millis(2));
        }
    }

    pub(super) fn ask(&self, query: &[u8]) -> Vec<u8> {
        let mut client = self.connect();
        client.write_all(query).unwrap();
        read_all(&mut client)
    }

    pub(super) fn stop(self) -> Totals {
        let (totals, cut_off_count) = self.fleet.stop().unwrap();
        assert_eq!(cut_off_count, 0);
        assert!(matches!(self.reports.recv().unwrap(), ShardReport::Ended));
        totals
    }
}

pub(super) fn read_all(client: &mut Client) -> Vec<u8> {
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn every_line_end_is_answered_and_the_connection_closed() {
    over_both(|engine| {
        let served = serve(engine, patient());
        assert_eq!(served.ask(b"a\r\n"), b"a answered\r\n");
        assert_eq!(served.ask(b"a\n"), b"a answered\r\n");
        assert_eq!(served.ask(b"\r\n"), b" answered\r\n");
        assert_eq!(served.ask(b"a\r\0"), b"a answered\r\n");
        // A CR alone: nothing need follow.
        assert_eq!(served.ask(b"a\r"), b"a answered\r\n");
        let mut client = served.connect();
        client.write_all(b"a").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&mut client), b"a answered\r\n");
        let totals = served.stop();
        assert_eq!((totals.accepted, totals.answered_found, totals.ended_served), (6, 6, 6));
        assert_eq!(totals.received_bytes, 13);
        assert_eq!(totals.sent_bytes, 71);
    });
}

/// A line of any length gets its refusal too, and no reset before it: nothing is read beyond a
/// bound, and the connection is left alone until its client has had time to read.
#[test]
fn a_line_longer_than_is_read_behind_an_answer_gets_its_answer_whole() {
    over_both(|engine| {
        let served = serve(engine, patient());
        let expected = [&[b'a'; 1_025][..], b" answered\r\n"].concat();
        for bytes in [1_025, 66_000, 66_001, 140_000, 300_000] {
            let line = [&vec![b'a'; bytes][..], b"\r\n"].concat();
            assert_eq!(served.ask(&line), expected, "a line of {bytes} bytes");
        }
        let totals = served.stop();
        assert_eq!((totals.accepted, totals.answered_found), (5, 5));
    });
}

#[test]
fn a_query_byte_by_byte_is_answered_within_its_deadline() {
    over_both(|engine| {
        let served = serve(engine, patient());
        let mut client = served.connect();
        for byte in b"drip\r\n" {
            client.write_all(&[*byte]).unwrap();
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(read_all(&mut client), b"drip answered\r\n");
        served.stop();
    });
}

#[test]
fn ipv4_and_ipv6_are_served_also_on_the_unspecified_addresses_of_one_port() {
    over_both(|engine| {
        let served = serve_on(engine, &["127.0.0.1:0", "[::1]:0"], patient());
        let second = Client::connect(served.addresses[1]).unwrap();
        let mut second = second;
        second.write_all(b"peer\r\n").unwrap();
        let peer = String::from_utf8(read_all(&mut second)).unwrap();
        assert!(peer.starts_with("[::1]:"), "{peer}");
        served.stop();

        let held = listen::claim("[::]:0".parse().unwrap()).unwrap();
        let port = held.address.port();
        let served =
            serve_on(engine, &[&format!("0.0.0.0:{port}"), &format!("[::]:{port}")], patient());
        for (address, prefix) in [("127.0.0.1", "127.0.0.1:"), ("[::1]", "[::1]:")] {
            let mut client = Client::connect(format!("{address}:{port}")).unwrap();
            client.write_all(b"peer\r\n").unwrap();
            let peer = String::from_utf8(read_all(&mut client)).unwrap();
            assert!(peer.starts_with(prefix), "{peer}");
        }
        served.stop();
    });
}

#[test]
fn extra_bytes_do_not_destroy_the_answer() {
    over_both(|engine| {
        let served = serve(engine, patient());
        for _ in 0..50 {
            let mut client = served.connect();
            client.write_all(b"a\r\nand this\r\n").unwrap();
            client.write_all(&[b'x'; 3_000]).unwrap();
            assert_eq!(read_all(&mut client), b"a answered\r\n");
        }
        let totals = served.stop();
        assert_eq!(totals.ended_served, 50);
    });
}

#[test]
fn extra_bytes_without_end_are_cut_off() {
    over_both(|engine| {
        let served = serve(engine, port43::Settings { drain_ms: 200, ..patient() });
        let mut client = served.connect();
        client.write_all(b"a\r\nmore").unwrap();
        assert_eq!(read_all(&mut client), b"a answered\r\n");
        // The client keeps its side open: the deadline ends it.
        let totals = served.stop();
        assert_eq!((totals.expired_drain, totals.ended_flooded), (1, 0));

        let served = serve(engine, patient());
        let mut flooding = served.connect();
        // In one write: a query without anything after it is answered and closed.
        let mut first = b"a\r\n".to_vec();
        first.resize(4_096, b'x');
        let mut result = flooding.write_all(&first);
        let mut writes = 0;
        while result.is_ok() && writes < 100_000 {
            result = flooding.write_all(&[b'x'; 4_096]);
            writes += 1;
        }
        assert!(result.is_err(), "the flood was read to its end");
        let totals = served.stop();
        assert_eq!((totals.expired_drain, totals.ended_flooded), (0, 1));
    });
}

#[test]
fn silent_and_dripping_clients_are_cut_off_and_a_closing_one_is_no_query() {
    over_both(|engine| {
        let settings = port43::Settings { first_byte_ms: 300, ..patient() };
        let served = serve(engine, settings);
        assert_eq!(read_all(&mut served.connect()), b"");
        let totals = served.stop();
        assert_eq!((totals.expired_first_byte, totals.answered_refused), (1, 0));

        let served = serve(engine, port43::Settings { line_ms: 300, ..patient() });
        let mut dripping = served.connect();
        dripping.write_all(b"never ending").unwrap();
        drop(served.connect());
        // It has begun a query: it gets the reason why there is no answer.
        assert_eq!(read_all(&mut dripping), b"never ending refused\r\n");
        let totals = served.stop();
        assert_eq!((totals.expired_line, totals.ended_silent, totals.answered_refused), (1, 1, 1));
    });
}

#[test]
fn a_client_that_never_reads_is_cut_off_by_the_write_deadline() {
    over_both(|engine| {
        let served = serve(engine, port43::Settings { write_ms: 500, ..patient() });
        let mut client = served.connect();
        client.write_all(b"big\r\n").unwrap();
        // Not a byte is read until the reset has come; a busy machine may take its time.
        let error = (0..12_000).find_map(|_| {
            thread::sleep(Duration::from_millis(10));
            client.take_error().unwrap()
        });
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::ConnectionReset));
        let mut answer = Vec::new();
        // Bytes that the kernel had taken are still there; the error has been taken above.
        client.read_to_end(&mut answer).unwrap();
        assert!(answer.len() < BIG_BYTES, "{}", answer.len());
        assert_eq!(served.stop().expired_write, 1);
    });
}

#[test]
fn a_big_answer_reaches_a_client_that_reads() {
    over_both(|engine| {
        let served = serve(engine, patient());
        assert_eq!(served.ask(b"big\r\n").len(), BIG_BYTES);
        served.stop();
    });
}

#[test]
fn a_query_without_an_answer_buffer_gets_that_of_who_does_not_read() {
    over_both(|engine| {
        // Longer than a busy machine keeps the second query waiting.
        let settings = port43::Settings { answer_buffers_max: 1, write_ms: 20_000, ..patient() };
        let served = serve(engine, settings);
        let mut holder = served.connect();
        holder.write_all(b"big\r\n").unwrap();
        // Its first byte says that the holder has the buffer.
        holder.peek(&mut [0]).unwrap();
        // The holder does not read: it is cut off, and its buffer comes free.
        assert_eq!(served.ask(b"a\r\n"), b"a answered\r\n");
        let totals = served.stop();
        assert_eq!((totals.waited_for_buffer, totals.evicted_writing), (1, 1), "{totals:?}");
    });
}

#[test]
fn the_figures_of_a_shard_are_read_from_outside_while_it_serves() {
    over_both(|engine| {
        let served = serve(engine, patient());
        let figures = served.fleet.figures();
        let [figures] = figures.as_slice() else { panic!("one shard has one set of figures") };
        let began = clock::monotonic();
        let open = served.connect();
        for _ in 0..10 {
            assert_eq!(served.ask(b"a\r\n"), b"a answered\r\n");
        }
        served.until(|figures| {
            let ended = figures.counters.ended_served.get() == 10;
            ended && figures.engine.connections_open.get() == 1
        });
        assert_eq!(figures.counters.answered_found.get(), 10);
        let phases = figures.phases.snapshot();
        for (name, phase) in phases.rows() {
            // Looking up and rendering belong to the answerer, and this one does neither.
            let expected = if matches!(name, "lookup" | "render") { 0 } else { 10 };
            assert_eq!(phase.count(), expected, "{name} of {engine:?}");
            // Ten queries, one after the other: no more than all of them took.
            let took_us = u128::from(phase.sum_us);
            assert!(took_us <= began.elapsed().as_micros(), "{name} of {engine:?}: {took_us} us");
        }
        if engine != EngineKind::Streams {
            let ring = &figures.engine;
            assert!(
                ring.turns.get() > 10 && ring.completions.get() > 30 && ring.batch_max.get() > 0
            );
            let all = port43::Settings::default().answer_buffers_max;
            assert_eq!((ring.buffers_made.get(), ring.buffers_free.get()), (1, all));
        }
        drop(open);
        served.stop();
    });
}

#[test]
fn a_panic_while_answering_costs_one_connection_not_the_shard() {
    over_both(|engine| {
        let served = serve(engine, patient());
        assert_eq!(served.ask(b"panic\r\n"), b"");
        assert_eq!(served.ask(b"a\r\n"), b"a answered\r\n");
        assert_eq!(served.stop().panicked, 1);
    });
}

#[test]
fn a_stop_answers_what_is_in_flight_and_what_waits_in_the_queue() {
    over_both(|engine| {
        let served = serve(engine, patient());
        let mut slow = served.connect();
        slow.write_all(b"slow\r\n").unwrap();
        let mut begun = served.connect();
        begun.write_all(b"beg").unwrap();
        served.until(|figures| figures.counters.received_bytes.get() >= 9);
        // The shard is busy with the slow answer: these wait in the kernel's queue.
        let mut queued = served.connect();
        queued.write_all(b"queued\r\n").unwrap();
        let address = served.addresses[0];
        let stopping = thread::spawn(move || served.stop());
        thread::sleep(Duration::from_millis(50));
        begun.write_all(b"un\r\n").unwrap();
        assert_eq!(read_all(&mut slow), b"");
        assert_eq!(read_all(&mut queued), b"queued answered\r\n");
        assert_eq!(read_all(&mut begun), b"begun answered\r\n");
        let totals = stopping.join().unwrap();
        assert_eq!((totals.accepted, totals.ended_served), (3, 3));
        assert!(Client::connect(address).is_err());
    });
}

/// More than the accepts that are under way at a time.
#[test]
fn a_stop_answers_a_whole_queue() {
    const QUEUED: usize = 100;
    over_both(|engine| {
        let served = serve(engine, patient());
        let mut slow = served.connect();
        slow.write_all(b"slow\r\n").unwrap();
        served.until(|figures| figures.counters.received_bytes.get() >= 6);
        // The shard is busy with the slow answer, and sees the stop after it.
        let mut queued: Vec<_> = (0..QUEUED).map(|_| served.connect()).collect();
        for client in &mut queued {
            client.write_all(b"queued\r\n").unwrap();
        }
        let stopping = thread::spawn(move || served.stop());
        for client in &mut queued {
            assert_eq!(read_all(client), b"queued answered\r\n");
        }
        assert_eq!(read_all(&mut slow), b"");
        assert_eq!(stopping.join().unwrap().accepted, QUEUED as u64 + 1);
    });
}

#[test]
fn a_drain_ends_at_its_bound_whatever_clients_do() {
    over_both(|engine| {
        let served = serve_for(engine, 300);
        let _silent = served.connect();
        served.until(|figures| figures.engine.connections_open.get() == 1);
        let (_, cut_off_count) = served.fleet.stop().unwrap();
        assert_eq!(cut_off_count, 1);
    });
}

#[test]
fn a_shard_that_cannot_start_says_why() {
    over_both(|engine| {
        let plan = Plan {
            listen: vec!["192.0.2.1:4343".parse().unwrap()],
            proxies: Vec::new(),
            port43: patient(),
            engine,
            shutdown_ms: 100,
        };
        let (sender, reports) = bounded(64);
        let core = cores::allowed().unwrap()[0];
        let fleet =
            Fleet::start(&[core], &plan, &|_: &Arc<ShardFigures>| Echo, &sender, |report| report)
                .unwrap();
        assert!(matches!(reports.recv().unwrap(), ShardReport::Ended));
        let message = fleet.stop().unwrap_err().to_string();
        assert!(message.starts_with("listen 192.0.2.1:4343: no interface"), "{message}");
    });
}

//! The driver and its connections against a simulated kernel and clients, everything drawn from a
//! seed: short reads and writes, resets, silence, half-closes, extra input, failing accepts,
//! operations that complete in any order, a clock that jumps, lines that end in any way or never,
//! and headers of proxies, whole and broken, at one of two listeners; sockets in the ring's table
//! or ordinary descriptors, and a kernel that ends the former late.
//!
//! `WHOISD_SIMULATION_SEEDS=10000 cargo test --release --lib simulation` runs as many seeds;
//! `WHOISD_SIMULATION_SEED=N` runs one and prints its trace.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "tests")]

mod fairness;
mod header;
mod room;
mod table;
mod world;

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use self::world::{Client, World};
use super::super::limits::Settings;
use super::super::measure::Moment;
use super::super::proxy::{Expected, Rule};
use super::super::{Answering, Asked, Gate, limits};
use super::driver::Driver;
use super::kernel::Op;
use super::slots::Sizes;
use super::{Sockets, trial};
use crate::observe::ShardFigures;
use crate::observe::counters::AnswerClass;

/// Seeds of a usual test run.
const SEEDS: u64 = 500;

/// Turns of one seed in which clients come.
const TURNS: u64 = 400;

/// Connections that most shards take.
const CONNECTIONS: u64 = 6;

/// Listeners of a shard.
const LISTENERS: usize = 2;
const ADDRESSES: [SocketAddr; LISTENERS] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 43),
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 44),
];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn size(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }
}

/// Answers with the line, so that a client knows its own, and keeps the clients answered, in order.
#[derive(Default)]
struct Echo {
    answered: Rc<RefCell<Vec<usize>>>,
}

/// The answer to a line that was not ended in time.
const REFUSAL: [u8; 150] = [b'!'; 150];

fn answer_to(line: &[u8], client: IpAddr, local: bool) -> Vec<u8> {
    let line = &line[..line.len().min(limits::QUERY_LINE_BYTES_MAX + 1)];
    let asker = format!(" for {client} {local}");
    [b"answer to ", line, asker.as_bytes(), &[b'.'; 200]].concat()
}

impl Answering for Echo {
    type Buffer = Vec<u8>;

    fn buffer(&self) -> Vec<u8> {
        Vec::new()
    }

    fn answer(&mut self, asked: Asked<'_>, out: &mut Vec<u8>) -> AnswerClass {
        out.clear();
        if asked.is_unfinished {
            out.extend_from_slice(&REFUSAL);
            return AnswerClass::Refused;
        }
        self.answered.borrow_mut().push(usize::from(asked.client.port()));
        if asked.line != b"empty" {
            out.extend_from_slice(&answer_to(asked.line, asked.client.ip(), asked.local));
        }
        AnswerClass::Found
    }
}

struct Shard {
    world: World,
    driver: Driver<Echo>,
    /// As many may be open.
    connections: u64,
    figures: Arc<ShardFigures>,
    answered: Rc<RefCell<Vec<usize>>>,
    /// Clients whose line the server has and whose answer has not begun, in order.
    waiting: Vec<usize>,
    /// Answers that began while another client of the same source waited.
    contended_count: u64,
}

impl Shard {
    fn new(seed: u64, held: Sockets) -> Self {
        // Two may well be answered both at once, which leaves no room for anybody.
        let connections = if seed % 4 == 3 { 2 } else { CONNECTIONS };
        let mut this = Self::sized(seed, Sizes::fit(connections, LISTENERS, u32::MAX), 2);
        this.world.table.held = held;
        // At times fewer than connections: accepts then fail.
        let descriptors_max = usize::try_from(connections + seed % 3).unwrap();
        this.world.table.descriptors_max = descriptors_max.saturating_sub(1);
        this
    }

    fn sized(seed: u64, sizes: Sizes, answer_buffers_max: u64) -> Self {
        let settings = Settings {
            connections_max: u64::from(sizes.connections),
            answer_buffers_max,
            proxy_ms: 250,
            first_byte_ms: 300,
            line_ms: 400,
            write_ms: 500,
            drain_ms: 200,
            total_ms: 900,
            ..Settings::default()
        };
        let figures = Arc::new(ShardFigures::default());
        let world = World::new(seed, sizes.slots, LISTENERS, Sockets::Direct);
        let rule = Rule {
            listen: ADDRESSES[1],
            from: vec!["127.0.0.0/8".parse().unwrap()],
            header: Expected::Either,
        };
        let rules = [Arc::new(rule)];
        let gates = ADDRESSES.iter().map(|address| Gate::new(*address, &rules)).collect();
        let echo = Echo::default();
        let answered = Rc::clone(&echo.answered);
        let driver = Driver::new(echo, settings, sizes, gates, Arc::clone(&figures), seed);
        let (waiting, contended_count) = (Vec::new(), 0);
        let connections = u64::from(sizes.connections);
        Self { world, driver, connections, figures, answered, waiting, contended_count }
    }

    fn turn(&mut self) {
        let jump = if self.world.random.one_in(60) { 1_000 } else { 12 };
        self.world.now_us += 1_000 * self.world.random.below(jump);
        let now = Moment::of_us(self.world.now_us);
        for completion in self.world.turn() {
            let slot = completion.slot as usize;
            let client = self.world.sockets[slot].client;
            let served = self.figures.counters.ended_served.get();
            if completion.op == Op::Receive && self.world.line_is_whole(completion) {
                self.waiting.extend(client);
            }
            self.driver.completed(&mut self.world, completion, now);
            self.check_fair();
            if self.figures.counters.ended_served.get() > served {
                self.check_served(client.expect("somebody was served"));
            }
        }
        self.driver.expire(&mut self.world, now.ms, now);
        self.check_fair();
        self.driver.serve_waiting(&mut self.world, now);
        self.check_fair();
        self.driver.refill(&mut self.world, now);
        let open = self.driver.open_count();
        assert!(open <= self.connections, "{open} connections are open");
    }

    /// `fair`: a client whose answer has begun has waited longest of those of its source that are
    /// still there.
    fn check_fair(&mut self) {
        for client in self.answered.take() {
            let clients = &self.world.clients;
            self.waiting.retain(|other| *other == client || clients[*other].closed.is_none());
            let source = clients[client].source();
            let mut same = self.waiting.iter().filter(|other| clients[**other].source() == source);
            assert_eq!(same.next(), Some(&client), "answered before one that has waited longer");
            self.contended_count += u64::from(same.next().is_some());
            self.waiting.retain(|other| *other != client);
        }
    }

    /// A client that counts as served has the whole answer to its own line, and no reset after it.
    fn check_served(&self, client: usize) {
        let client = &self.world.clients[client];
        assert_eq!(client.got, client.expected(), "{client:?}");
        assert!(client.closed != Some(true), "a reset after the answer: {client:?}");
    }

    /// With sockets of either kind, by the seed.
    fn run(seed: u64) -> Self {
        let held = if seed.is_multiple_of(2) { Sockets::Direct } else { Sockets::Ordinary };
        Self::run_with(seed, held, false)
    }

    fn run_with(seed: u64, held: Sockets, is_late: bool) -> Self {
        let mut this = Self::new(seed, held);
        this.world.table.is_late = is_late;
        this.driver.refill(&mut this.world, Moment::default());
        for _ in 0..TURNS {
            if this.world.random.one_in(2) {
                let (random, index) = (&mut this.world.random, this.world.clients.len());
                let mut client = Client::draw(random);
                let listener = random.size(LISTENERS);
                if listener == 1 {
                    client = client.behind_proxy(random, index);
                }
                this.world.clients.push(client);
                this.world.queues[listener].push(this.world.clients.len() - 1);
            }
            for client in &mut this.world.clients {
                client.act(&mut this.world.random);
            }
            this.turn();
        }
        this.driver.stop_accepting(&mut this.world);
        for _ in 0..400 {
            this.turn();
        }
        this.check_end();
        this
    }

    fn check_end(&self) {
        assert_eq!(self.driver.accepting_count(), 0, "accepts are left");
        assert_eq!((self.driver.open_count(), self.driver.busy_count()), (0, 0), "slots are left");
        assert_eq!(self.world.long_left, 2, "a long line is not given back");
        assert!(self.world.table.descriptors.is_empty(), "descriptors are left");
        for client in self.world.clients.iter().filter(|client| client.is_refused()) {
            assert!(client.got.is_empty(), "a stranger, or a broken header, got: {client:?}");
        }
        for client in self.world.clients.iter().filter(|client| !client.got.is_empty()) {
            let is_due = client.expected().starts_with(&client.got);
            assert!(
                is_due || REFUSAL.starts_with(&client.got),
                "it got something else: {client:?}"
            );
        }
        assert!(self.driver.buffers_are_free(), "an answer buffer is not given back");
        let totals = self.figures.counters.totals();
        let ended: u64 = totals
            .rows()
            .filter(|(name, _)| {
                ["ended_", "expired_", "evicted_", "over_", "panicked"]
                    .iter()
                    .any(|start| name.starts_with(start))
            })
            .map(|(_, value)| value)
            .sum();
        assert_eq!(totals.accepted, ended, "each accepted connection ends once: {totals:?}");
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn no_slot_buffer_or_answer_is_lost_whatever_clients_and_kernel_do() {
    if let Some(seed) = number("WHOISD_SIMULATION_SEED") {
        println!("{}", Shard::run(seed).world.trace.join("\n"));
        return;
    }
    let mut totals = crate::observe::counters::Totals::default();
    for seed in 0..number("WHOISD_SIMULATION_SEEDS").unwrap_or(SEEDS) {
        let ran = std::panic::catch_unwind(|| Shard::run(seed).figures.counters.totals());
        totals.add(&ran.unwrap_or_else(|_| panic!("seed {seed}: WHOISD_SIMULATION_SEED={seed}")));
    }
    // Every kind of end has been met, or the simulation proves less than it says.
    let never: Vec<_> = totals.rows().filter(|(_, value)| *value == 0).collect();
    // The simulated answers are all of one class, and port 43 has neither TLS nor headers of HTTP.
    let unreachable = |name: &str| {
        let is_refused = name == "answered_refused";
        let is_other = name == "panicked" || name.ends_with("_handshake");
        let is_of_http = name.starts_with("forwarded");
        name.starts_with("answered_") && !is_refused || is_other || is_of_http
    };
    let never: Vec<_> = never.iter().filter(|(name, _)| !unreachable(name)).collect();
    assert!(never.is_empty(), "{never:?}");
}

/// Two buffers for six connections: the seeds are worth something only if many had to wait, though
/// a client that does not read loses its buffer soon.
#[test]
fn of_one_source_the_query_that_waits_longest_gets_the_next_answer_buffer() {
    let contended: u64 = (0..SEEDS).map(|seed| Shard::run(seed).contended_count).sum();
    assert!(contended > SEEDS / 5, "{contended} answers with somebody else waiting");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..20 {
        assert_eq!(Shard::run(seed).world.trace, Shard::run(seed).world.trace);
    }
    assert_ne!(Shard::run(1).world.trace, Shard::run(2).world.trace);
}

/// Fewer slots than both listeners want, as with slots that are being closed.
#[test]
fn slots_that_are_left_go_to_every_listener_alike() {
    let sizes = Sizes { connections: 6, accepts_per_listener: 4, slots: 6 };
    let mut shard = Shard::sized(1, sizes, 2);
    shard.driver.refill(&mut shard.world, Moment::default());
    let accepts = |listener| {
        shard.world.sockets.iter().filter(|socket| socket.accepting == Some(listener)).count()
    };
    assert_eq!([0, 1].map(accepts), [3, 3]);
}

/// What the trial chooses on a simulated kernel.
fn tried(is_late: bool) -> Sockets {
    let mut world = World::new(1, 2, LISTENERS, Sockets::Direct);
    world.table.is_late = is_late;
    for slot in 0..2 {
        world.connect(slot, Client::default());
    }
    trial::attempt(&mut world, |_| Ok(()), |world| world.has_ended(1)).unwrap()
}

/// Events are counted, not time: a close is late if a request that began before it keeps it.
#[test]
fn streams_end_at_once_also_on_a_kernel_that_is_late_with_the_sockets_of_a_table() {
    let late = |held, is_late| {
        let ran = (0..SEEDS / 5).map(|seed| Shard::run_with(seed, held, is_late).world.table);
        ran.map(|table| (table.late_count, table.piled_up_max)).reduce(|one, other| {
            (one.0 + other.0, one.1.max(other.1)) //
        })
    };
    for (is_late, expected) in [(false, Sockets::Direct), (true, Sockets::Ordinary)] {
        let held = tried(is_late);
        assert_eq!(held, expected, "late: {is_late}");
        assert_eq!(late(held, is_late), Some((0, 0)), "late: {is_late}");
    }
    // The reason for the choice: in the table, such a kernel keeps many, and they pile up.
    let (late_count, piled_up_max) = late(Sockets::Direct, true).unwrap();
    assert!(late_count > SEEDS && piled_up_max > 4, "{late_count} late, {piled_up_max} piled up");
}

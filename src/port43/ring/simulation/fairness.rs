//! A good query beside hostile clients that hold all answer buffers, on a simulated kernel that is
//! prompt and a clock that stands still: what is counted is turns of the ring.

use std::rc::Rc;

use super::super::super::limits::EXPIRIES_PER_TURN;
use super::super::super::measure::Moment;
use super::super::slots::Sizes;
use super::world::Client;
use super::{LISTENERS, Shard};

/// Answer buffers of the shard.
const BUFFERS: usize = 16;

/// Where the good client comes from.
const GOOD: [u8; 4] = [192, 0, 2, 1];

/// Turns from the end of the line to the answer if nobody else is there, none; if somebody has to
/// be cut first, two: the client is cut in the turn that brings the line, and its buffer is back
/// in the next.
const TURNS_MAX: usize = 2;

fn client(from: [u8; 4], never_reads: bool) -> Client {
    Client { from: Some(from), never_reads, taken_bytes_max: 40, ..Client::default() }
}

/// Turns until the answer of a good client has begun, beside hostile ones that ask as late as it
/// does and come again as soon as they are cut; `source` says where each comes from.
fn turns(seed: u64, hostile_count: usize, source: fn(usize) -> [u8; 4]) -> usize {
    let connections = hostile_count as u64 * 2 + 64;
    let sizes = Sizes::fit(connections, LISTENERS, u32::MAX);
    let mut shard = Shard::sized(seed, sizes, BUFFERS as u64);
    shard.world.is_prompt = true;
    let come = |shard: &mut Shard, client: Client| {
        shard.world.clients.push(client);
        shard.world.queues[0].push(shard.world.clients.len() - 1);
        shard.world.clients.len() - 1
    };
    let ask = |shard: &mut Shard, index: usize| {
        let client = &mut shard.world.clients[index];
        client.sent = b"query\r\n".to_vec();
        client.on_the_way.clone_from(&client.sent);
    };
    // As many as there are buffers, and their answers do not go out.
    for number in 0..BUFFERS {
        let index = come(&mut shard, client(source(number), true));
        ask(&mut shard, index);
    }
    shard.driver.refill(&mut shard.world, Moment::default());
    (0..10).for_each(|_| shard.prompt_turn());
    // The others have connected, and so has the good one.
    let mut hostile: Vec<usize> = (BUFFERS..hostile_count)
        .map(|number| come(&mut shard, client(source(number), true)))
        .collect();
    let good = come(&mut shard, client(GOOD, false));
    while !shard.world.queues[0].is_empty() {
        shard.prompt_turn();
    }
    assert!(shard.world.clients.iter().all(|client| client.closed.is_none()), "cut without need");
    hostile.iter().for_each(|index| ask(&mut shard, *index));
    ask(&mut shard, good);
    let answered = Rc::clone(&shard.answered);
    for turn in 0..10_000 {
        shard.prompt_turn();
        if answered.take().contains(&good) {
            (0..4).for_each(|_| shard.prompt_turn());
            assert_eq!(shard.world.clients[good].got, shard.world.clients[good].expected());
            return turn;
        }
        for (number, index) in hostile.iter_mut().enumerate() {
            if shard.world.clients[*index].closed.is_some() {
                *index = come(&mut shard, client(source(BUFFERS + number), true));
                ask(&mut shard, *index);
            }
        }
    }
    panic!("the good client is never answered");
}

impl Shard {
    /// A turn in which no time passes, and no deadline is looked at.
    fn prompt_turn(&mut self) {
        self.turn_at(0);
    }

    /// A turn at a moment.
    pub(super) fn turn_at(&mut self, now_ms: u64) {
        let now = Moment::of_us(1_000 * now_ms);
        for completion in self.world.turn() {
            self.driver.completed(&mut self.world, completion, now);
        }
        self.driver.serve_waiting(&mut self.world, now);
        self.driver.refill(&mut self.world, now);
    }
}

#[test]
fn a_good_query_waits_two_turns_however_many_hostile_clients_of_another_source_there_are() {
    for seed in 0..20 {
        for hostile_count in [17, 40, 120, 1_000] {
            let turns = turns(seed, hostile_count, |_| [203, 0, 113, 1]);
            assert!(turns <= TURNS_MAX, "{turns} turns beside {hostile_count}, seed {seed}");
        }
    }
}

/// More sources than one, each with some connections; the good one falls into the group of one of
/// them now and then, which the seed decides.
#[test]
fn a_good_query_waits_two_turns_beside_hostile_clients_of_several_sources() {
    let waited = |hostile_count| {
        let mut waited: Vec<_> = (0..20)
            .map(|seed| {
                turns(seed, hostile_count, |number| {
                    [203, 0, 113, u8::try_from(number % 8).unwrap()]
                })
            })
            .collect();
        waited.sort_unstable();
        waited
    };
    for hostile_count in [40, 120, 1_000] {
        let waited = waited(hostile_count);
        assert!(waited[15] <= TURNS_MAX, "beside {hostile_count}: {waited:?}");
    }
}

/// Nothing tells it from the others before it has its answer: it waits its turn in the line, of
/// which as many are served in two turns as there are buffers.
#[test]
fn a_good_query_of_the_hostile_source_waits_for_turns_and_for_no_clock() {
    let sources: [fn(usize) -> [u8; 4]; 2] = [
        |_| GOOD,
        // Each its own: none holds more than another.
        |number| [10, 0, u8::try_from(number >> 8).unwrap(), u8::try_from(number & 255).unwrap()],
    ];
    for source in sources {
        for hostile_count in [40_usize, 120, 1_000] {
            let rounds = hostile_count.div_ceil(BUFFERS);
            let turns = turns(3, hostile_count, source);
            let turns_max = 3 * (rounds + 1);
            assert!(turns <= turns_max, "{turns} turns beside {hostile_count}, over {turns_max}");
        }
    }
}

const _: () = assert!(BUFFERS <= EXPIRIES_PER_TURN);

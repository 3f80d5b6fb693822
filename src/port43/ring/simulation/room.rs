//! A full shard at moments that are chosen: how long each kind of client keeps its place.

use super::super::super::limits::ROOM_GRACE_MS;
use super::super::super::measure::Moment;
use super::super::slots::Sizes;
use super::world::Client;
use super::{LISTENERS, Shard};

const PLACES: usize = 4;

/// A shard full of clients that had their answers at 0 ms and keep their side open.
fn full() -> Shard {
    let mut shard = Shard::sized(1, Sizes::fit(PLACES as u64, LISTENERS, u32::MAX), 2);
    shard.world.is_prompt = true;
    shard.driver.refill(&mut shard.world, Moment::default());
    for _ in 0..PLACES {
        let client = come(&mut shard);
        ask(&mut shard, client, b"query\r\nx");
    }
    (0..10).for_each(|_| shard.turn_at(0));
    assert!(shard.world.clients.iter().all(|client| client.got == client.expected()));
    assert_eq!(shard.driver.open_count(), PLACES as u64);
    shard
}

fn come(shard: &mut Shard) -> usize {
    shard.world.clients.push(Client::default());
    shard.world.queues[0].push(shard.world.clients.len() - 1);
    shard.world.clients.len() - 1
}

fn ask(shard: &mut Shard, client: usize, line: &[u8]) {
    let client = &mut shard.world.clients[client];
    client.sent.extend_from_slice(line);
    client.on_the_way.extend_from_slice(line);
}

#[test]
fn two_that_come_at_once_find_places_by_those_that_had_their_answers_and_keep_them() {
    let mut shard = full();
    let late = [(); 2].map(|()| come(&mut shard));
    (0..4).for_each(|_| shard.turn_at(ROOM_GRACE_MS + 50));
    for client in late {
        ask(&mut shard, client, b"query\r\n");
    }
    (0..4).for_each(|_| shard.turn_at(ROOM_GRACE_MS + 60));
    for client in late.map(|client| &shard.world.clients[client]) {
        assert_eq!(client.got, client.expected(), "{client:?}");
    }
    let counters = &shard.figures.counters;
    assert_eq!((counters.evicted_draining.get(), counters.evicted_silent.get()), (2, 0));
}

#[test]
fn a_client_that_has_just_had_its_answer_keeps_its_place_and_a_new_one_finds_none() {
    let mut shard = full();
    come(&mut shard);
    (0..4).for_each(|_| shard.turn_at(ROOM_GRACE_MS - 1));
    let counters = &shard.figures.counters;
    assert_eq!((counters.evicted_draining.get(), counters.over_bound.get()), (0, 1));
}

/// A shard that was kept from its core looks at what has come before it judges a deadline.
#[test]
fn a_deadline_is_judged_by_what_was_heard_until_then() {
    let mut shard = Shard::sized(1, Sizes::fit(4, LISTENERS, u32::MAX), 2);
    shard.world.is_prompt = true;
    shard.driver.refill(&mut shard.world, Moment::default());
    let client = come(&mut shard);
    shard.turn_at(0);
    let first_byte_ms = 300;
    let late = Moment::of_us(900_000);
    let expired = |shard: &Shard| shard.figures.counters.expired_first_byte.get();
    shard.driver.expire(&mut shard.world, first_byte_ms - 1, late);
    assert_eq!(expired(&shard), 0);
    ask(&mut shard, client, b"query\r\n");
    (0..4).for_each(|_| shard.turn_at(900));
    shard.driver.expire(&mut shard.world, first_byte_ms, late);
    let asked = &shard.world.clients[client];
    assert_eq!((expired(&shard), &asked.got), (0, &asked.expected()));

    come(&mut shard);
    shard.turn_at(1_000);
    shard.driver.expire(&mut shard.world, 1_000 + first_byte_ms, Moment::of_us(1_300_000));
    assert_eq!(expired(&shard), 1, "without a query it counts");
}

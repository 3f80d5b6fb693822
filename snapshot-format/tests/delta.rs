//! The laws of changes over a base, with random changes held against a plain map.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod delta_model;

use delta_model::{Generated, Model, Random, World, assert_same, text};
use snapshot_format::delta::{Frame, Generation, LogHead, encode, frame::LOG_HEAD_BYTES};
use snapshot_format::record::{ArchivedContact, ContactField};
use snapshot_format::{Change, Kind};

/// Seeds of a run; `WHOISD_DELTA_SEEDS` asks for more.
fn seeds() -> u64 {
    std::env::var("WHOISD_DELTA_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(60)
}

#[test]
fn changes_give_what_they_say_in_batches_and_as_one() {
    for seed in 0..seeds() {
        let mut random = Random(seed);
        let mut world = World::new(&mut random);
        let start = world.generation.clone();
        let mut all = Vec::new();
        for _ in 0..random.below(6) + 1 {
            let batch = random.batch();
            world.apply(&batch);
            all.extend(batch);
            let expected = text(&world.model.rebuilt(), true);
            assert_same(&text(&world.generation, true), &expected, seed);
            for kind in Kind::ALL {
                let live = world.model.count(kind);
                assert_eq!(world.generation.count(kind), live, "seed {seed}, {}", kind.word());
            }
        }
        let mut merged = World { generation: start, ..World::new(&mut Random(seed)) };
        merged.apply(&all);
        assert_same(&text(&merged.generation, true), &text(&world.generation, true), seed);
    }
}

#[test]
fn a_batch_that_comes_again_or_in_another_order_changes_nothing() {
    for seed in 0..seeds() {
        let mut random = Random(seed);
        let mut world = World::new(&mut random);
        let mut batch = random.batch();
        // One change of a key: of several the last counts, so that their order would matter.
        let mut keys = std::collections::BTreeSet::new();
        batch.retain(|change| keys.insert((change.kind(), change.key().to_owned())));
        let first = encode(&world.generation, &batch, &mut |_, _| {}).unwrap();
        let backwards = encode(&world.generation, batch.iter().rev(), &mut |_, _| {}).unwrap();
        assert_eq!(first, backwards, "seed {seed}");
        world.apply(&batch);
        let again = encode(&world.generation, &batch, &mut |_, _| {}).unwrap();
        assert_eq!((again.entry_count, again.payload.len()), (0, 0), "seed {seed}");
    }
}

#[test]
fn who_follows_the_log_and_who_opens_it_fresh_see_the_same() {
    for seed in 0..seeds() {
        let mut random = Random(seed);
        let mut world = World::new(&mut random);
        let base: Generated = Generation::of_base(world.generation.base().clone()).unwrap();
        for _ in 0..random.below(6) + 1 {
            let batch = random.batch();
            world.apply(&batch);
        }
        let mut fresh = base;
        for log in &world.logs {
            let head = LogHead::decode(&**log).unwrap();
            let frame = Frame::read(&**log, &head, LOG_HEAD_BYTES).unwrap();
            fresh.take_frame(log, &frame).unwrap();
            assert!(fresh.take_frame(log, &frame).is_err(), "a frame twice");
        }
        assert_eq!(fresh.state(), world.generation.state());
        assert_same(&text(&fresh, false), &text(&world.generation, false), seed);
    }
}

#[test]
fn a_fold_changes_no_answer_and_life_goes_on_over_it() {
    for seed in 0..seeds() {
        let mut random = Random(seed);
        let mut world = World::new(&mut random);
        for _ in 0..4 {
            for _ in 0..random.below(4) + 1 {
                let batch = random.batch();
                world.apply(&batch);
            }
            let before = text(&world.generation, false);
            let state = world.generation.state().clone();
            world.fold();
            assert_same(&text(&world.generation, false), &before, seed);
            assert_eq!(world.generation.state().serial, state.serial);
            assert_eq!(world.generation.state().committed_ms, state.committed_ms);
            let expected = text(&world.model.rebuilt(), true);
            assert_same(&text(&world.generation, true), &expected, seed);
        }
    }
}

#[test]
fn a_change_of_what_is_referred_to_shows_in_what_refers_to_it() {
    let mut world = World::new(&mut Random(1));
    let model = Model::example();
    let upserts: Vec<Change> = model.changes();
    world.apply(&upserts);
    let domain = world.generation.find_domain("d1.test").unwrap().unwrap();
    let registrant = domain.contacts[0].to_native();
    let of = |world: &World| {
        let contact: Option<&ArchivedContact> = world.generation.record(registrant).unwrap();
        contact.map(|contact| contact.field(ContactField::Email).to_owned())
    };
    assert_eq!(of(&world), Some("old@d1.test".to_owned()));
    let changed = Model::contact("c1", "new@d1.test");
    world.apply(&[Change::Upsert(Box::new(changed.clone()))]);
    assert_eq!(of(&world), Some("new@d1.test".to_owned()));
    world.apply(&[Change::Delete { kind: Kind::Contact, key: "c1".into() }]);
    assert_eq!(of(&world), None);
    // The key keeps its ordinal through a fold in which it has no record.
    world.fold();
    assert_eq!(of(&world), None);
    world.apply(&[Change::Upsert(Box::new(changed))]);
    assert_eq!(of(&world), Some("new@d1.test".to_owned()));
}

#[test]
fn a_payload_with_any_byte_changed_gives_an_error_or_a_generation_and_never_a_panic() {
    let mut world = World::new(&mut Random(3));
    world.apply(&Model::example().changes());
    let log = world.logs.last().unwrap();
    let base: Generated = Generation::of_base(world.generation.base().clone()).unwrap();
    let head = LogHead::decode(&**log).unwrap();
    let whole = Frame::read(&**log, &head, LOG_HEAD_BYTES).unwrap();
    for at in whole.payload_at..whole.end() {
        let mut damaged = (**log).clone();
        damaged[at] ^= 0x41;
        // Past the checksum, as if it had been forged.
        if let Ok(generation) = base.with_frame(&damaged.into(), &whole) {
            text(&generation, false);
        }
    }
}

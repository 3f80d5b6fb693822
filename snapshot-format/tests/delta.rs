//! The laws of changes over a base, with random changes held against a plain map.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod delta_model;

use std::sync::Arc;

use delta_model::{Generated, Model, Random, World, assert_same, text};
use snapshot_format::delta::{
    DepositMark, Fate, Frame, Generation, LogHead, Naming, Position, encode, frame::LOG_HEAD_BYTES,
    others,
};
use snapshot_format::object::Domain;
use snapshot_format::record::{ArchivedContact, ContactField, Meta};
use snapshot_format::{Change, Kind, Object, Snapshot};

/// Seeds of a run; `WHOISD_DELTA_SEEDS` asks for more.
fn seeds() -> u64 {
    std::env::var("WHOISD_DELTA_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(60)
}

#[test]
fn changes_give_what_they_say_in_batches_and_as_one() {
    for seed in 0..seeds() {
        let mut random = Random(seed);
        let mut world = World::new(&mut random);
        let (start, model) = (world.generation.clone(), world.model.clone());
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
        // Not always what the batches make: a nameserver of host attributes that one batch leaves
        // without a domain and the next one names again is known by its name alone.
        let (logs, naming) = (Vec::new(), Naming::default());
        let mut merged = World { generation: start, model, logs, naming };
        merged.apply(&all);
        let expected = text(&merged.model.rebuilt(), true);
        assert_same(&text(&merged.generation, true), &expected, seed);
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
fn what_follows_a_position_is_what_was_changed_since_or_nothing() {
    for seed in 0..seeds() {
        let mut random = Random(seed);
        let mut world = World::new(&mut random);
        let mut positions = vec![world.generation.position().unwrap()];
        let mut expected: Vec<Vec<(Kind, String)>> = Vec::new();
        for _ in 0..random.below(6) + 1 {
            world.apply(&random.batch());
            let since = positions.last().unwrap();
            let found = entries(&world.generation, since, false).unwrap();
            let log = world.logs.last().unwrap();
            let frame =
                Frame::read(&**log, &LogHead::decode(&**log).unwrap(), LOG_HEAD_BYTES).unwrap();
            assert_eq!(found.len(), frame.head.entry_count as usize, "seed {seed}");
            expected.push(found);
            positions.push(world.generation.position().unwrap());
        }
        // From any of them on: all batches behind it.
        for (place, since) in positions.iter().enumerate() {
            let all: Vec<_> = expected[place..].concat();
            assert_eq!(entries(&world.generation, since, false), Some(all), "seed {seed}");
        }
        let last = positions.last().unwrap();
        assert_eq!(entries(&world.generation, last, false), Some(Vec::new()));
        let ahead = Position { generation: last.generation + 1, ..*last };
        assert_eq!(entries(&world.generation, &ahead, false), None);
        world.fold();
        // A base of the same generation may be of another history: only who has seen both knows.
        assert_eq!(entries(&world.generation, last, false), None, "seed {seed}");
        assert!(entries(&world.generation, last, true).is_some(), "seed {seed}");
        assert_eq!(entries(&world.generation, &positions[0], true), None, "seed {seed}");
    }
}

#[test]
fn a_walk_that_begins_at_a_name_is_the_rest_of_the_whole_walk() {
    for seed in 0..seeds() {
        let mut random = Random(seed);
        let mut world = World::new(&mut random);
        world.apply(&random.batch());
        let generation = &world.generation;
        for prefix in ["", "a", "x", "ns"] {
            let domains = |from: &str| -> Vec<String> {
                let found = generation.domains_from(prefix, from).unwrap().map(Result::unwrap);
                let walked: Vec<_> = found.collect();
                assert!(walked.is_sorted_by_key(|(name, _)| *name), "seed {seed}, {prefix}");
                let current = walked.iter().filter(|(_, record)| record.is_some());
                current.map(|(name, _)| (*name).to_owned()).collect()
            };
            let hosts = |from: &str| -> Vec<(u32, String)> {
                let found = generation.hosts_from(prefix, from).unwrap();
                let found = found.filter_map(Result::unwrap);
                found.map(|(ordinal, host)| (ordinal, host.name.as_str().to_owned())).collect()
            };
            let (all_domains, all_hosts) = (domains(""), hosts(""));
            for name in all_domains.iter().chain(all_hosts.iter().map(|(_, name)| name)) {
                let rest: Vec<_> = all_domains.iter().filter(|of| *of >= name).cloned().collect();
                assert_eq!(domains(name), rest, "seed {seed}, {prefix}, {name}");
                let rest: Vec<_> = all_hosts.iter().filter(|(_, of)| of >= name).cloned().collect();
                assert_eq!(hosts(name), rest, "seed {seed}, {prefix}, {name}");
            }
        }
    }
}

/// The keys of the entries since a position; `None` if the history is another one.
fn entries(generation: &Generated, since: &Position, folded: bool) -> Option<Vec<(Kind, String)>> {
    let mut found = Vec::new();
    let goes_on = generation.entries_since(since, folded, &mut |entry| {
        found.push((entry.kind, entry.key.to_owned()));
    });
    goes_on.unwrap().then_some(found)
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
fn a_suffix_that_came_and_the_last_deposit_of_each_tld_outlive_a_fold() {
    let texts = ["old", "T1\ttest\t1", "D1\tdemo\t2"].map(str::to_owned);
    let meta = Meta {
        suffixes: vec!["test".into(), "demo".into()],
        deposits: texts.to_vec(),
        ..Meta::default()
    };
    let base = Snapshot::open(Model::default().built_as(1, &meta)).unwrap();
    let generation = Generation::of_base(Arc::new(base)).unwrap();
    let (logs, naming) = (Vec::new(), Naming::default());
    let mut world = World { generation, model: Model::default(), logs, naming };
    assert_eq!(world.generation.suffixes(), ["demo".into(), "test".into()]);
    let domain = |name: &str| {
        Change::Upsert(Box::new(Object::Domain(Domain { name: name.into(), ..Domain::default() })))
    };
    let mark = |id: &str, tld: &str, watermark_ms| DepositMark {
        id: id.into(),
        tld: tld.into(),
        watermark_ms,
        full: "".into(),
    };
    let changes = [domain("a.new"), domain("b.test"), domain("c.new")];
    let mut encoded = encode(&world.generation, &changes, &mut |_, _| {}).unwrap();
    encoded.push_deposit(&mark("T2", "test", 3));
    world.append(&encoded);
    for _ in 0..2 {
        assert_eq!(world.generation.suffixes(), ["demo".into(), "new".into(), "test".into()]);
        let state = world.generation.state();
        assert_eq!(&*state.deposit, "T2");
        assert_eq!(*state.deposits, [mark("D1", "demo", 2), mark("T2", "test", 3)]);
        world.fold();
    }
    // It goes with its last name, unless that was folded: nobody counts the names of a base.
    let remove = |name: &str| Change::Delete { kind: Kind::Domain, key: name.into() };
    for (changes, other) in [
        (vec![domain("x.other"), domain("free.y.test"), remove("c.new")], true),
        (vec![remove("x.other"), remove("free.y.test"), remove("a.new")], false),
    ] {
        let encoded = encode(&world.generation, &changes, &mut |_, _| {}).unwrap();
        world.append(&encoded);
        let all = ["demo", "new", "other", "test"].into_iter();
        let expected: Vec<Box<str>> =
            all.filter(|name| *name != "other" || other).map(Box::from).collect();
        assert_eq!(world.generation.suffixes(), expected);
    }
    // Where every name is served, a name that comes does not narrow that.
    let mut all = World::new(&mut Random(1));
    all.apply(&changes);
    assert_eq!(all.generation.suffixes(), [] as [Box<str>; 0]);
}

#[test]
fn what_stays_beside_a_zone_is_what_others_refer_to() {
    let fate = |name: &str| if name.starts_with('d') { Fate::Goes } else { Fate::Stays };
    for seed in 0..seeds() {
        let mut random = Random(seed);
        let mut world = World::new(&mut random);
        for _ in 0..3 {
            let batch = random.batch();
            world.apply(&batch);
        }
        let mut kept = Vec::new();
        let visit = &mut |object| {
            kept.push(Change::Upsert(Box::new(object)));
            Ok(())
        };
        let gone = others(&world.generation, &fate, visit).unwrap();
        let (mut all, mut made) = (world.model.clone(), Model::default());
        made.apply(&kept);
        let before = u64::from(all.count(Kind::Domain));
        all.without(&fate);
        let after = u64::from(all.count(Kind::Domain));
        assert_eq!((gone.domains, gone.kept_domains), (before - after, after), "seed {seed}");
        let (made, expected) = (made.rebuilt(), all.rebuilt());
        assert_same(&text(&made, true), &text(&expected, true), seed);
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

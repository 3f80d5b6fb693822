//! The store on a disk that fails, tears, loses and fills up, from a seed: after every crash there
//! is a whole generation, and every batch that was acknowledged is in it. And on one that turns
//! bits: what was acknowledged is there, or an error says that it is not.
//!
//! `WHOISD_STORE_SEEDS=10000 cargo test --release --test store_simulation` for the long run;
//! `WHOISD_STORE_SEED=N` runs one seed again.
#![allow(clippy::unwrap_used, reason = "tests may panic")]
#![allow(clippy::disallowed_types, reason = "clones of the disk are the same disk")]
#![allow(clippy::print_stdout, reason = "a seed that is run again says what it does")]

#[path = "../snapshot-format/tests/delta_model/mod.rs"]
mod delta_model;
#[path = "store_simulation/disk.rs"]
mod disk;

use std::collections::BTreeMap;
use std::io::Write;
use std::rc::Rc;

use delta_model::{Model, Random, assert_same, text};
use disk::{SECTOR_BYTES, SimDisk};
use snapshot_format::delta::frame::LOG_HEAD_BYTES;
use snapshot_format::delta::{Frame, LogHead, encode, fold};
use snapshot_format::sort::{MemoryScratch, Scratch};
use whoisd::store::{Files, Live, Reader, Settings, Stamp, StoreError, Writer};

const SETTINGS: Settings = Settings { keep: 2, log_part_bytes: 1 << 12 };

fn seeds() -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("WHOISD_STORE_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("WHOISD_STORE_SEEDS").unwrap_or(200)).collect(),
    }
}

/// A store, and its expected content.
struct Run {
    seed: u64,
    random: Random,
    disk: SimDisk,
    live: Option<Live<SimDisk>>,
    reader: Option<Reader<SimDisk>>,
    /// The acknowledged state.
    model: Model,
    /// The states of batches that failed since then: one may be there after a crash.
    perhaps: Vec<Model>,
    /// The content of each generation.
    history: BTreeMap<u64, Model>,
    serial: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        let model = Model::default();
        let writer = Writer::lock(disk.clone(), SETTINGS).unwrap();
        let mut base = writer.begin().unwrap();
        base.write_all(&model.built(base.generation())).unwrap();
        writer.publish(base).unwrap();
        let live = Some(Live::open(writer).unwrap());
        let reader = Some(Reader::open(disk.clone()).unwrap());
        let history = BTreeMap::from([(1, model.clone())]);
        let random = Random(seed ^ 0x5eed);
        Self { seed, random, disk, live, reader, model, perhaps: Vec::new(), history, serial: 0 }
    }

    fn live(&mut self) -> &mut Live<SimDisk> {
        self.live.as_mut().unwrap()
    }

    /// Notes the content of the current generation.
    fn note(&mut self) {
        let generation = self.live().generation().state().generation;
        self.history.insert(generation, self.model.clone());
        self.check_live();
    }

    fn check_live(&mut self) {
        let expected = text(&self.model.rebuilt(), true);
        assert_same(&text(&**self.live().generation(), true), &expected, self.seed);
    }

    fn append(&mut self) -> Result<(), StoreError> {
        let batch = self.random.batch();
        let live = self.live.as_mut().unwrap();
        let encoded = encode(&**live.generation(), &batch, &mut |_, _| {}).unwrap();
        self.serial += 1;
        let stamp = Stamp {
            serial: self.serial,
            committed_ms: i64::try_from(self.serial).unwrap(),
            heartbeat_ms: i64::MIN,
        };
        let mut next = self.model.clone();
        next.apply(&batch);
        match live.append(&encoded, stamp) {
            Ok(generation) => {
                assert_eq!(generation.state().serial, self.serial, "seed {}", self.seed);
                self.model = next;
                self.perhaps.clear();
                self.note();
                Ok(())
            }
            Err(error) => {
                self.perhaps.push(next);
                self.check_live();
                Err(error)
            }
        }
    }

    fn fold(&mut self) -> Result<(), StoreError> {
        let Some(begun) = self.live().begin_fold()? else { return Ok(()) };
        for _ in 0..self.random.below(3) {
            // A failure here does not end the fold.
            let _ = self.append();
        }
        let scratch: Rc<dyn Scratch> = Rc::new(MemoryScratch);
        let mut base = begun.base;
        let folded = fold(&*begun.generation, &mut base, &scratch, 1 << 22, &mut |_, _| true);
        if folded.is_err() {
            return Ok(());
        }
        let outcome = self.live().finish_fold(base);
        self.check_live();
        outcome.map(drop)
    }

    fn roll_back(&mut self) {
        let to = {
            let generations: Vec<u64> = self.history.keys().copied().collect();
            generations[usize::try_from(self.random.below(generations.len() as u64)).unwrap()]
        };
        self.live = None;
        let rolled = Writer::lock(self.disk.clone(), SETTINGS)
            .and_then(|writer| writer.rollback(to).map(drop));
        match rolled {
            Ok(()) => {
                self.model = self.history[&to].clone();
                self.perhaps.clear();
            }
            // The manifest may have been renamed all the same.
            Err(StoreError::NotKept { .. }) => {}
            Err(_) => self.perhaps.push(self.history[&to].clone()),
        }
        self.recover();
    }

    /// Opens the store again, on a disk that works.
    fn recover(&mut self) {
        self.live = None;
        self.disk.fail_one_of(0);
        self.disk.die_after(None);
        self.disk.leave_room(None);
        let writer = Writer::lock(self.disk.clone(), SETTINGS)
            .unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
        let live = Live::open(writer);
        let live = live.unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
        self.live = Some(live);
        let found = text(&**self.live().generation(), true);
        for perhaps in std::mem::take(&mut self.perhaps) {
            if found == text(&perhaps.rebuilt(), true) {
                self.model = perhaps;
            }
        }
        self.serial = self.serial.max(self.live().generation().state().serial);
        self.note();
    }

    fn crash(&mut self) {
        self.live = None;
        self.reader = None;
        self.disk.crash();
        self.recover();
        self.reader = Some(Reader::open(self.disk.clone()).unwrap());
    }

    /// A reader sees the acknowledged state, or a batch that is on its way.
    fn follow(&mut self) {
        let Some(reader) = &mut self.reader else { return };
        // A disk that refuses reads leaves it with the state that it saw last.
        if reader.follow().is_err() {
            return;
        }
        let generation = reader.generation();
        let found = text(&**generation, true);
        let known = self.history.get(&generation.state().generation);
        let known = known.is_some_and(|model| found == text(&model.rebuilt(), true));
        let perhaps = self.perhaps.iter().any(|model| found == text(&model.rebuilt(), true));
        assert!(known || perhaps, "seed {}: the reader sees what never was", self.seed);
    }

    fn act(&mut self) {
        let action = self.random.below(20);
        if std::env::var_os("WHOISD_STORE_SEED").is_some() {
            let state = self.live().generation().state().generation;
            let read = self.reader.as_ref().map(|reader| reader.generation().state().generation);
            println!("generation {state}, reader at {read:?}: action {action}");
        }
        match action {
            0..=8 => drop(self.append()),
            9..=10 => drop(self.fold()),
            11..=13 => self.follow(),
            14 => self.roll_back(),
            15 => self
                .disk
                .fail_one_of([0, 3, 10, 30][usize::try_from(self.random.below(4)).unwrap()]),
            16 => {
                let room = self.random.below(1 << 21);
                self.disk.leave_room(Some(usize::try_from(room).unwrap()));
            }
            17 => {
                let operations = self.random.below(40);
                self.disk.die_after(Some(operations));
            }
            18 => self.recover(),
            _ => self.crash(),
        }
    }
}

#[test]
fn every_acknowledged_batch_is_there_after_any_crash_and_failure() {
    let mut operations = 0;
    for seed in seeds() {
        let mut run = Run::new(seed);
        for _ in 0..40 {
            run.act();
        }
        run.crash();
        operations += run.disk.operations();
    }
    println!("{operations} file operations");
}

/// One crash at each operation of a life with appends, a fold and more appends.
#[test]
fn a_crash_at_every_single_step_loses_nothing() {
    let mut at = 0;
    loop {
        let mut run = Run::new(at);
        run.disk.die_after(Some(at));
        let mut live_through = || -> Result<(), StoreError> {
            for _ in 0..3 {
                run.append()?;
            }
            run.fold()?;
            run.append()
        };
        let outcome = live_through();
        run.crash();
        for _ in 0..2 {
            run.append().unwrap();
        }
        run.crash();
        if outcome.is_ok() && at > 60 {
            println!("{at} steps");
            return;
        }
        at += 1;
    }
}

/// Where the frames of a log start, and where the last one ends.
fn frames(log: &Vec<u8>) -> (Vec<usize>, usize) {
    let head = LogHead::decode(log).unwrap();
    let (mut starts, mut at) = (Vec::new(), LOG_HEAD_BYTES);
    while let Some(frame) = Frame::read(log, &head, at) {
        starts.push(at);
        at = frame.end();
    }
    (starts, at)
}

/// The parts of logs, in order.
fn logs(disk: &SimDisk) -> Vec<String> {
    let mut names = disk.names();
    names.retain(|name| name.starts_with("delta-") && name.ends_with(".log"));
    names
}

#[test]
fn a_turned_bit_with_batches_after_it_is_an_error_that_names_file_and_place() {
    let mut run = Run::new(7);
    for _ in 0..5 {
        run.append().unwrap();
    }
    run.crash();
    let generation = run.live().generation().state().generation;
    let name = logs(&run.disk).pop().unwrap();
    let (starts, end) = frames(&run.disk.content(&name));
    assert!(starts.len() >= 5, "{starts:?}");
    let last = *starts.last().unwrap();
    let (mut noticed, mut missed) = (0, 0);
    for place in (LOG_HEAD_BYTES..end).step_by((end / 400).max(1)) {
        let bit = u8::try_from(place % 8).unwrap();
        run.disk.turn_bit(&name, place, bit);
        let opened = Reader::open(run.disk.clone());
        run.disk.turn_bit(&name, place, bit);
        if place >= last {
            match opened {
                Err(StoreError::DamagedLast { path, at, got }) => {
                    assert!(path.ends_with(&name), "{path:?}");
                    assert_eq!((usize::try_from(at).unwrap(), got), (last, generation - 1));
                    noticed += 1;
                }
                Err(error) => panic!("{error}"),
                // A length that reads as longer, or a sector that has zeros alone: like a tear.
                Ok(reader) => {
                    assert_eq!(reader.generation().state().generation, generation - 1);
                    missed += 1;
                }
            }
            continue;
        }
        let error = opened.err().unwrap_or_else(|| panic!("byte {place} is not noticed"));
        let begun = *starts.iter().rfind(|start| **start <= place).unwrap();
        let StoreError::Damaged { path, at, behind, .. } = error else { panic!("{error}") };
        assert!(path.ends_with(&name), "{path:?}");
        assert_eq!(usize::try_from(at).unwrap(), begun, "byte {place}");
        assert!(starts.contains(&usize::try_from(behind).unwrap()), "byte {place}: {behind}");
    }
    assert!(noticed > 10 * missed, "{noticed} of {} in the last batch", noticed + missed);
    assert_eq!(Reader::open(run.disk).unwrap().generation().state().generation, generation);
}

#[test]
fn a_batch_that_was_not_finished_ends_the_log_without_an_error() {
    let mut run = Run::new(8);
    for _ in 0..3 {
        run.append().unwrap();
    }
    run.crash();
    let generation = run.live().generation().state().generation;
    let name = logs(&run.disk).pop().unwrap();
    let (starts, end) = frames(&run.disk.content(&name));
    let last = *starts.last().unwrap();
    for sector in last / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
        let sector = sector * SECTOR_BYTES;
        let disk = run.disk.clone();
        let was = disk.clear(&name, sector.max(last)..(sector + SECTOR_BYTES).min(end));
        let reader = Reader::open(disk.clone()).unwrap();
        assert_eq!(reader.generation().state().generation, generation - 1);
        // A batch of which nothing was written leaves no rest.
        if let Some(rest) = reader.rest().unwrap() {
            assert_eq!(rest.at, last as u64);
        }
        disk.put(&name, sector.max(last), &was);
    }
    assert_eq!(Reader::open(run.disk).unwrap().generation().state().generation, generation);
}

#[test]
fn a_follower_hears_of_damage_in_front_of_what_comes() {
    let mut run = Run::new(9);
    run.append().unwrap();
    run.crash();
    let mut reader = run.reader.take().unwrap();
    let name = logs(&run.disk).pop().unwrap();
    run.append().unwrap();
    let (starts, _) = frames(&run.disk.content(&name));
    let at = *starts.last().unwrap();
    run.append().unwrap();
    run.disk.turn_bit(&name, at + 40, 1);
    let mut heard = None;
    // It looks once in a while.
    for _ in 0..200 {
        heard = heard.or_else(|| reader.follow().err());
    }
    assert!(matches!(heard, Some(StoreError::Damaged { .. })), "{heard:?}");
}

#[test]
fn whatever_bit_of_a_log_turns_what_was_acknowledged_is_there_or_an_error_is() {
    let (mut errors, mut torn) = (0, 0);
    for seed in seeds() {
        let mut run = Run::new(seed);
        for _ in 0..12 {
            match run.random.below(8) {
                0..=5 => run.append().unwrap(),
                6 => run.fold().unwrap(),
                _ => run.crash(),
            }
        }
        run.crash();
        let logs = logs(&run.disk);
        if logs.is_empty() {
            continue;
        }
        let name = &logs[usize::try_from(run.random.below(logs.len() as u64)).unwrap()];
        let (starts, end) = frames(&run.disk.content(name));
        let place = usize::try_from(run.random.below(end as u64)).unwrap();
        let bit = u8::try_from(run.random.below(8)).unwrap();
        run.disk.turn_bit(name, place, bit);
        match Reader::open(run.disk.clone()) {
            Err(_) => errors += 1,
            Ok(reader) => {
                let found = text(&**reader.generation(), true);
                if found == text(&run.model.rebuilt(), true) {
                    continue;
                }
                torn += 1;
                let is_last = starts.last().is_some_and(|start| place >= *start);
                assert!(
                    is_last && Some(name) == logs.last(),
                    "seed {seed}: byte {place} of {name} was turned, and an older state is opened"
                );
            }
        }
    }
    println!("{errors} errors, {torn} taken for a batch that was not finished");
    assert!(errors > 0 || seeds().len() == 1);
}

#[test]
fn a_disk_with_little_room_gets_a_short_log_and_one_with_none_says_how_much_is_missing() {
    let usual = Settings { keep: 1, log_part_bytes: 64 << 20 };
    let begin = |room: usize| {
        let mut run = Run::new(11);
        run.live = None;
        run.disk.leave_room(Some(room));
        let writer = Writer::lock(run.disk.clone(), usual).unwrap();
        run.live = Some(Live::open(writer).unwrap());
        run
    };
    for (room, expected) in [(100 << 20, 64 << 20), (20 << 20, 16 << 20), (3 << 20, 2 << 20)] {
        let mut run = begin(room);
        run.append().unwrap();
        let name = logs(&run.disk).pop().unwrap();
        assert_eq!(run.disk.content(&name).len(), expected, "{room} bytes are free");
        run.append().unwrap();
    }
    let mut run = begin(1 << 20);
    let error = run.append().unwrap_err();
    assert!(matches!(error, StoreError::Room { bytes: 2_097_152, .. }), "{error}");
    assert!(error.to_string().contains("no room for 2097152 bytes of log"), "{error}");
    run.disk.leave_room(Some(3 << 20));
    run.append().unwrap();
}

/// A store with batches in a log of several parts, and the disk.
fn of_parts(seed: u64) -> Run {
    let mut run = Run::new(seed);
    while logs(&run.disk).len() < 3 {
        run.append().unwrap();
        // After a failure the log goes on in its next part.
        run.disk.fail_one_of(1);
        run.append().unwrap_err();
        run.disk.fail_one_of(0);
        run.append().unwrap();
    }
    run.live = None;
    run
}

#[test]
fn a_part_of_a_log_that_is_missing_or_cut_is_an_error_and_not_an_older_state() {
    let parts = logs(&of_parts(12).disk).len();
    for missing in 0..parts {
        let run = of_parts(12);
        let name = logs(&run.disk)[missing].clone();
        run.disk.remove(&name).unwrap();
        let error = Reader::open(run.disk.clone()).unwrap_err();
        assert!(error.is_damage() && error.to_string().contains(&name), "{error}");
        let error = Writer::lock(run.disk.clone(), SETTINGS).and_then(Live::open).unwrap_err();
        assert!(error.is_damage(), "nothing is written over it: {error}");

        let run = of_parts(12);
        for length in [(2 << 20) - 1, 64] {
            run.disk.cut(&name, length);
            let error = Reader::open(run.disk.clone()).unwrap_err();
            assert!(matches!(error, StoreError::Short { .. }), "{error}");
        }
    }
}

#[test]
fn a_later_part_proves_that_one_is_missing_whatever_the_manifest_counts() {
    let run = of_parts(13);
    let of_first = Reader::open(run.disk.clone()).unwrap().manifest().encode();
    // As an older program writes it: it does not count parts.
    let old = |line: &str| match line.strip_prefix("log ") {
        Some(log) => format!("log {}\n", log.split(' ').take(2).collect::<Vec<_>>().join(" ")),
        None => format!("{line}\n"),
    };
    let lines = of_first.lines().filter(|line| !line.starts_with("crc32c"));
    let text: String = lines.map(old).collect();
    let text = format!("{text}crc32c {:08x}\n", crc32c(text.as_bytes()));
    run.disk.write("MANIFEST", text.as_bytes());
    Reader::open(run.disk.clone()).unwrap();
    let name = logs(&run.disk)[1].clone();
    run.disk.remove(&name).unwrap();
    let error = Reader::open(run.disk.clone()).unwrap_err();
    assert!(matches!(&error, StoreError::MissingPart { path, .. } if path.ends_with(&name)));
}

/// CRC32C, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
        })
    })
}

/// Replaces everything with a base without records.
fn replace(disk: &SimDisk, is_permitted: bool) -> Result<u64, StoreError> {
    let writer = Writer::lock(disk.clone(), SETTINGS)?.over_damage(is_permitted);
    let mut base = writer.begin()?;
    let bytes = Model::default().built(base.generation());
    base.write_all(&bytes).map_err(|source| StoreError::Io {
        path: base.aside().into(),
        what: "write it",
        source,
    })?;
    Ok(writer.publish(base)?.current.base_generation)
}

#[test]
fn a_state_that_does_not_read_is_replaced_only_by_permission_and_no_number_goes_back() {
    type Harm = fn(&Run);
    let harms: [(&str, Harm); 5] = [
        ("log", |run| {
            let name = logs(&run.disk).pop().unwrap();
            let (starts, _) = frames(&run.disk.content(&name));
            run.disk.turn_bit(&name, starts[1] + 40, 3);
        }),
        ("base", |run| run.disk.turn_bit("base-0000000001.snapshot", 20, 1)),
        ("no base", |run| run.disk.remove("base-0000000001.snapshot").unwrap()),
        ("manifest", |run| run.disk.turn_bit("MANIFEST", 5, 1)),
        ("no manifest", |run| run.disk.remove("MANIFEST").unwrap()),
    ];
    for (word, harm) in harms {
        let mut run = Run::new(14);
        for _ in 0..5 {
            run.append().unwrap();
        }
        let last = run.live().generation().state().generation;
        run.crash();
        run.live = None;
        harm(&run);
        let before = run.disk.names();
        let error = replace(&run.disk, false).unwrap_err();
        assert!(matches!(error, StoreError::Standing { .. }), "{word}: {error}");
        assert!(error.to_string().contains("--allow damaged"), "{word}: {error}");
        assert_eq!(run.disk.names(), before, "{word}: nothing was changed");
        let generation = replace(&run.disk, true).unwrap_or_else(|error| panic!("{word}: {error}"));
        assert!(generation > last, "{word}: {generation} after {last}");
        let names = run.disk.names();
        let is_there =
            |name: &String| names.contains(name) || names.contains(&format!("{name}.damaged"));
        assert!(before.iter().all(is_there), "{word}: {names:?} has all of {before:?}");
        // A rollback to the readable part is possible.
        let manifest = Reader::open(run.disk.clone()).unwrap().manifest().clone();
        if word == "log" {
            let to = manifest.kept[0].last().unwrap();
            Writer::lock(run.disk.clone(), SETTINGS).unwrap().rollback(to).unwrap();
            let reader = Reader::open(run.disk.clone()).unwrap();
            let found = text(&**reader.generation(), true);
            assert_eq!(found, text(&run.history[&to].rebuilt(), true));
        }
        // The next one goes on, and removes none of the files that were set aside.
        let next = replace(&run.disk, false).unwrap();
        assert!(next > generation, "{word}");
        let set_aside =
            |names: &[String]| names.iter().filter(|name| name.ends_with(".damaged")).count();
        assert_eq!(set_aside(&run.disk.names()), set_aside(&names), "{word}");
    }
}

#[test]
fn going_back_in_a_damaged_log_gives_no_number_twice() {
    let mut run = Run::new(15);
    for _ in 0..6 {
        run.append().unwrap();
    }
    let last = run.live().generation().state().generation;
    run.crash();
    run.live = None;
    let name = logs(&run.disk).pop().unwrap();
    let (starts, _) = frames(&run.disk.content(&name));
    run.disk.turn_bit(&name, starts[2] + 40, 3);
    Writer::lock(run.disk.clone(), SETTINGS).unwrap().rollback(last - 4).unwrap();
    run.live = Some(Writer::lock(run.disk.clone(), SETTINGS).and_then(Live::open).unwrap());
    run.model = run.history[&(last - 4)].clone();
    run.append().unwrap();
    assert!(run.live().generation().state().generation > last);
}

/// One crash at each operation of the first publication: the next one is as free as the first.
#[test]
fn a_crash_in_the_first_publication_leaves_nothing_that_needs_permission() {
    for at in 0..60 {
        let disk = SimDisk::new(at);
        disk.die_after(Some(at));
        let outcome = replace(&disk, false);
        disk.crash();
        let again = replace(&disk, false).unwrap_or_else(|error| panic!("step {at}: {error}"));
        if outcome.is_ok() {
            assert_eq!(again, 2, "step {at}");
            return;
        }
    }
    panic!("it takes more operations than that");
}

#[test]
fn nothing_new_is_made_of_a_damaged_base() {
    let mut run = Run::new(16);
    for _ in 0..3 {
        run.append().unwrap();
    }
    run.fold().unwrap();
    run.append().unwrap();
    let generation = run.live().generation().state().generation;
    run.live = None;
    let manifest = Reader::open(run.disk.clone()).unwrap().manifest().clone();
    // Any byte after the header that is not padding.
    let base = manifest.current.base;
    let content = run.disk.content(&base);
    let at = (4096..content.len()).find(|at| content[*at] != 0);
    run.disk.turn_bit(&base, at.unwrap(), 0);
    let mut live = Writer::lock(run.disk.clone(), SETTINGS).and_then(Live::open).unwrap();
    let Some(mut begun) = live.begin_fold().unwrap() else { panic!("nothing to fold") };
    let scratch: Rc<dyn Scratch> = Rc::new(MemoryScratch);
    let folded = fold(&*begun.generation, &mut begun.base, &scratch, 1 << 22, &mut |_, _| true);
    let error = folded.unwrap_err().to_string();
    assert!(error.contains("the base is damaged: bytes "), "{error}");
    drop((begun, live));
    let writer = Writer::lock(run.disk.clone(), SETTINGS).unwrap();
    let error = writer.rollback(generation).unwrap_err().to_string();
    assert!(error.contains(&base) && error.contains("are damaged"), "{error}");
}

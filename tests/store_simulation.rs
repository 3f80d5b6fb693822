//! The store on a disk that fails, tears, loses and fills up, from a seed: after every crash there
//! is a whole generation, and every batch that was acknowledged is in it.
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
use disk::SimDisk;
use snapshot_format::delta::{encode, fold};
use snapshot_format::sort::{MemoryScratch, Scratch};
use whoisd::store::{Live, Reader, Settings, Stamp, StoreError, Writer};

const SETTINGS: Settings = Settings { keep: 2, log_part_bytes: 1 << 12 };

fn seeds() -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("WHOISD_STORE_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("WHOISD_STORE_SEEDS").unwrap_or(200)).collect(),
    }
}

/// A store, and what should be in it.
struct Run {
    seed: u64,
    random: Random,
    disk: SimDisk,
    live: Option<Live<SimDisk>>,
    reader: Option<Reader<SimDisk>>,
    /// What was acknowledged.
    model: Model,
    /// What batches that failed since then would have made: one may be there after a crash.
    perhaps: Vec<Model>,
    /// What each generation held.
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

    /// Notes what the current generation holds.
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
            // A failure here is no reason to end the fold.
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

    /// A reader sees what was acknowledged, or a batch that is on its way.
    fn follow(&mut self) {
        let Some(reader) = &mut self.reader else { return };
        // A disk that refuses to be read leaves it with what it saw last.
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

//! The writer turn by turn, with a clock of the test's own.

mod audit;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::segment_name::{counted, list};
use super::writer::Core;
use super::*;
use crate::place::aside::{Place, Weight};

/// 2026-11-26T01:22:03.456Z.
const NOW_MS: i64 = 1_795_656_123_456;
/// The midnight that follows it.
const MIDNIGHT_MS: i64 = 1_795_737_600_000;
const PLACE: Place<'_> = Place { core: None, shard_cores: &[], weight: Weight::Full };

fn settings(dir: &Path) -> Settings {
    Settings {
        dir: Some(dir.to_owned()),
        ring_bytes: 1 << 20,
        keep_s: 0,
        keep_bytes: 0,
        ..Settings::default()
    }
}

/// A writer without a thread, and the shards' ends of its rings.
struct Log {
    recorders: Vec<Recorder>,
    core: Core,
}

impl Log {
    /// Starts it, and waits until it knows what is there.
    fn start(settings: &Settings, now_ms: i64) -> Self {
        let (recorders, mut core) = Core::new(settings, 2, now_ms, PLACE).unwrap();
        while core.archive.as_ref().is_some_and(|archive| archive.is_recovering()) {
            thread::sleep(Duration::from_millis(1));
            core.turn(now_ms);
        }
        Self { recorders, core }
    }

    fn ask(&mut self, shard: usize, at_ms: i64, name: &str) {
        self.recorders[shard].record(Entry {
            at_ms,
            server: "192.0.2.1:43".parse().unwrap(),
            client: "198.51.100.7".parse().unwrap(),
            kind: "domain",
            outcome: if name.starts_with('x') { "not_found" } else { "found" },
            tier: "public",
            suffix: "example",
            name: name.as_bytes(),
            bytes: 100,
            micros: 5,
            shard: u16::try_from(shard).unwrap(),
            generation: 1,
        });
    }

    fn ask_many(&mut self, at_ms: i64, count: u64) {
        (0..count).for_each(|number| self.ask(0, at_ms, &format!("name-{number}.example")));
    }

    fn figures(&self) -> Report {
        self.core.figures.report()
    }
}

fn rows_of(dir: &Path) -> Vec<(String, String, u64)> {
    let mut rows = Vec::new();
    for (stem, parts) in list(dir).unwrap() {
        let mut each =
            |row: &Row<'_>| rows.push((stem.to_string(), row.name.to_string(), row.lost));
        read::read(counted(&parts).unwrap(), &mut each).unwrap();
    }
    rows
}

fn files_of(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.starts_with("queries-"));
    names.sort();
    names
}

#[test]
fn queries_of_all_shards_are_in_the_file_within_the_time_that_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::start(&settings(folder.path()), NOW_MS);
    log.ask(0, NOW_MS, "a.example");
    log.ask(1, NOW_MS, "b.example");
    log.core.turn(NOW_MS);
    log.core.turn(NOW_MS + 999);
    assert_eq!(files_of(folder.path()), Vec::<String>::new());
    log.core.turn(NOW_MS + 1_000);
    assert_eq!(files_of(folder.path()), ["queries-20261126T012204Z-1.jsonl.gz"]);
    let names: Vec<_> = rows_of(folder.path()).into_iter().map(|row| row.1).collect();
    assert_eq!(names, ["a.example", "b.example"]);
    // No end was written: this is what a crash leaves.
    assert_eq!(log.figures().written, 2);
}

#[test]
fn other_files_are_begun_by_size_by_time_and_at_midnight() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { rotate_bytes: 20_000, rotate_s: 60, ..settings(folder.path()) };
    let mut log = Log::start(&settings, NOW_MS);
    // Three turns of about 10,000 bytes, packed: two files by size.
    for turn in 0..3 {
        log.ask_many(NOW_MS, 3_000);
        log.core.turn(NOW_MS + turn);
    }
    assert!(files_of(folder.path()).len() >= 2, "{:?}", files_of(folder.path()));
    let by_size = files_of(folder.path()).len();
    log.ask(0, NOW_MS, "late.example");
    log.core.turn(NOW_MS + 2_000);
    log.core.turn(NOW_MS + 70_000);
    log.ask(0, NOW_MS, "later.example");
    log.core.turn(NOW_MS + 70_000);
    log.core.turn(NOW_MS + 72_000);
    assert!(files_of(folder.path()).len() > by_size);
    log.ask(0, MIDNIGHT_MS - 1, "today.example");
    log.core.turn(MIDNIGHT_MS - 1);
    log.ask(0, MIDNIGHT_MS - 1, "today-2.example");
    log.ask(0, MIDNIGHT_MS, "tomorrow.example");
    log.core.turn(MIDNIGHT_MS);
    log.core.finish(MIDNIGHT_MS + 5);
    let rows = rows_of(folder.path());
    let day_of = |name: &str| {
        let (stem, ..) = rows.iter().find(|row| row.1 == name).unwrap();
        stem[8..16].to_owned()
    };
    assert_eq!(day_of("today.example"), "20261126");
    assert_eq!(day_of("today-2.example"), "20261126");
    assert_eq!(day_of("tomorrow.example"), "20261127");
    assert_eq!(rows.len(), 3 * 3_000 + 5);
    let totals = Totals::read(folder.path()).unwrap();
    assert_eq!(totals.days.len(), 1);
    assert_eq!(totals.days[0].counts.queries, 3 * 3_000 + 4);
    assert!(audit(folder.path(), None).unwrap().is_good());
}

#[test]
fn a_writer_that_is_held_up_drops_counts_and_says_so_in_the_next_row() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { ring_bytes: 64 << 10, ..settings(folder.path()) };
    let mut log = Log::start(&settings, NOW_MS);
    log.ask_many(NOW_MS, 10_000);
    let dropped = log.figures().shards[0].dropped;
    assert!(dropped > 9_000, "{dropped}");
    assert!(log.figures().shards[0].waiting_bytes > 65_000);
    log.core.turn(NOW_MS);
    log.ask(1, NOW_MS, "next.example");
    log.core.finish(NOW_MS + 1);
    let rows = rows_of(folder.path());
    assert_eq!(rows.len() as u64, 10_000 - dropped + 1);
    assert_eq!(rows[0].2, dropped, "in the first row that is written after it");
    assert_eq!(rows.iter().map(|row| row.2).sum::<u64>(), dropped);
    let summary = summarise(folder.path(), None, None).unwrap();
    assert_eq!(summary.total.queries + summary.total.lost, 10_001);
}

/// Makes a log of two days, the first of which has its total, and a running one.
fn two_days(settings: &Settings) {
    let mut log = Log::start(settings, NOW_MS);
    log.ask_many(NOW_MS, 300);
    log.ask(0, NOW_MS, "xyz.example");
    log.core.turn(NOW_MS);
    log.core.turn(MIDNIGHT_MS - 10);
    log.ask_many(MIDNIGHT_MS, 20);
    log.core.turn(MIDNIGHT_MS);
    log.core.turn(MIDNIGHT_MS + 5_000);
    // Dropped without an end: a crash.
}

#[test]
fn a_running_day_survives_a_crash_and_is_counted_once() {
    for format in [Format::Jsonl, Format::Both] {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { format, ..settings(folder.path()) };
        two_days(&settings);
        let mut log = Log::start(&settings, MIDNIGHT_MS + 10_000);
        log.ask_many(MIDNIGHT_MS + 10_000, 3);
        log.core.finish(MIDNIGHT_MS + 20_000);
        drop(log);
        // In order this time, and the day after the one after.
        let mut log = Log::start(&settings, MIDNIGHT_MS + 30_000);
        log.ask_many(MIDNIGHT_MS + 30_000, 4);
        log.core.finish(MIDNIGHT_MS + 30_000);
        drop(log);
        drop(Log::start(&settings, MIDNIGHT_MS + 3 * 86_400_000));
        let totals = Totals::read(folder.path()).unwrap();
        let counted: Vec<_> =
            totals.days.iter().map(|day| (day.day.to_string(), day.counts.queries)).collect();
        assert_eq!(counted, [("2026-11-26".into(), 301), ("2026-11-27".into(), 27)]);
        assert!(totals.broken.is_empty());
        let audit = audit(folder.path(), Some(&totals.days[0].hash)).unwrap();
        assert!(audit.is_good(), "{}", audit.text());
        assert!(files_of(folder.path()).iter().all(|name| !name.ends_with(".part")));
    }
}

#[test]
fn a_torn_file_counts_up_to_its_last_whole_block() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    two_days(&settings);
    let last = folder.path().join(files_of(folder.path()).pop().unwrap());
    let mut file = fs::OpenOptions::new().append(true).open(&last).unwrap();
    file.write_all(&fs::read(&last).unwrap()[..50]).unwrap();
    drop(Log::start(&settings, MIDNIGHT_MS + 86_400_000));
    let totals = Totals::read(folder.path()).unwrap();
    assert_eq!(totals.days[1].counts.queries, 20);
    let summary = summarise(folder.path(), None, None).unwrap();
    assert_eq!((summary.total.queries, summary.torn.len()), (321, 1));
    assert!(summary.text().contains("ends within a block"));
    let audit = audit(folder.path(), None).unwrap();
    assert!(audit.is_good() && audit.text().contains("ends within a block"), "{}", audit.text());
}

#[test]
fn old_files_go_and_totals_stay_with_what_they_counted() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { rotate_s: 10, keep_bytes: 1, ..settings(folder.path()) };
    let mut log = Log::start(&settings, NOW_MS);
    for turn in 0..20 {
        let now_ms = NOW_MS + turn * 10_000;
        log.ask_many(now_ms, 5);
        log.core.turn(now_ms);
    }
    assert!(files_of(folder.path()).len() <= 2, "{:?}", files_of(folder.path()));
    assert!(log.figures().deleted_files >= 8);
    drop(log);
    // After the crash most files are gone, and nothing is forgotten of them.
    let mut log = Log::start(&settings, NOW_MS + 300_000);
    log.core.turn(MIDNIGHT_MS);
    let totals = Totals::read(folder.path()).unwrap();
    assert_eq!(totals.days[0].counts.queries + totals.days[0].counts.lost, 100);
    let audit = audit(folder.path(), None).unwrap();
    assert!(audit.is_good() && audit.text().contains("not counted again"), "{}", audit.text());
}

#[test]
fn a_directory_that_takes_nothing_loses_queries_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let dir: PathBuf = folder.path().join("log");
    let mut log = Log::start(&settings(&dir), NOW_MS);
    fs::remove_dir_all(&dir).unwrap();
    for turn in 0..10 {
        log.ask_many(NOW_MS, 7);
        log.core.turn(NOW_MS + turn * 2_000);
    }
    let figures = log.figures();
    assert!(figures.lost == 70 && figures.errors >= 5, "{figures:?}");
    assert_eq!((figures.written, figures.dropped()), (0, figures.lost));
    // It comes back, and what follows reports what was lost.
    fs::create_dir_all(&dir).unwrap();
    log.ask(0, NOW_MS, "back.example");
    log.core.turn(NOW_MS + 30_000);
    log.ask(0, NOW_MS, "again.example");
    log.core.finish(NOW_MS + 40_000);
    let rows = rows_of(&dir);
    let lost: u64 = rows.iter().map(|row| row.2).sum();
    assert_eq!(rows.len() as u64 + lost, 72, "{rows:?}");
}

#[test]
fn a_clock_that_goes_back_over_midnight_gives_a_day_two_lines_that_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let mut log = Log::start(&settings, MIDNIGHT_MS - 10_000);
    for (at_ms, count) in [
        (MIDNIGHT_MS - 10_000, 3),
        (MIDNIGHT_MS + 5_000, 4),
        (MIDNIGHT_MS - 5_000, 5),
        (MIDNIGHT_MS + 9_000, 6),
    ] {
        log.ask_many(at_ms, count);
        log.core.turn(at_ms);
        log.core.turn(at_ms + 1_500);
    }
    log.core.finish(MIDNIGHT_MS + 86_400_000);
    let totals = Totals::read(folder.path()).unwrap();
    let counted: Vec<_> =
        totals.days.iter().map(|day| (day.day.to_string(), day.counts.queries)).collect();
    let day = |text: &str, queries| (text.to_owned(), queries);
    let (one, two) = ("2026-11-26", "2026-11-27");
    assert_eq!(counted, [day(one, 3), day(two, 4), day(one, 5), day(two, 6)]);
    let audit = audit(folder.path(), None).unwrap();
    assert!(audit.is_good() && audit.days.len() == 2, "{}", audit.text());
    assert_eq!(summarise(folder.path(), None, None).unwrap().total.queries, 18);
}

#[test]
fn a_clock_that_goes_back_over_midnight_before_the_day_has_a_file_loses_no_count_on_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let mut log = Log::start(&settings, MIDNIGHT_MS - 10_000);
    log.ask_many(MIDNIGHT_MS - 10_000, 3);
    log.core.turn(MIDNIGHT_MS - 10_000);
    // The new day's first queries are not in a file yet when the clock goes back.
    log.ask_many(MIDNIGHT_MS + 200, 4);
    log.core.turn(MIDNIGHT_MS + 200);
    log.ask_many(MIDNIGHT_MS - 800, 5);
    log.core.turn(MIDNIGHT_MS - 800);
    log.ask_many(MIDNIGHT_MS + 3_000, 6);
    log.core.turn(MIDNIGHT_MS + 3_000);
    log.core.turn(MIDNIGHT_MS + 5_000);
    let is_good = || {
        let audit = audit(folder.path(), None).unwrap();
        assert!(audit.is_good(), "{}", audit.text());
    };
    is_good();
    drop(log);
    let mut log = Log::start(&settings, MIDNIGHT_MS + 20_000);
    log.ask_many(MIDNIGHT_MS + 20_000, 7);
    log.core.turn(MIDNIGHT_MS + 20_000);
    log.core.finish(MIDNIGHT_MS + 86_400_000);
    is_good();
    let totals = Totals::read(folder.path()).unwrap();
    let counted: u64 = totals.days.iter().map(|day| day.counts.queries).sum();
    assert_eq!(counted, 3 + 4 + 5 + 6 + 7);
}

#[test]
fn a_clock_that_jumps_forward_deletes_nothing_before_it_has_gone_on_for_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { keep_s: 3_600, ..settings(folder.path()) };
    let mut log = Log::start(&settings, NOW_MS);
    log.ask_many(NOW_MS, 3);
    log.core.turn(NOW_MS);
    log.core.turn(NOW_MS + 2_000);
    let years_ms = 10 * 365 * 86_400_000;
    log.core.turn(NOW_MS + years_ms);
    log.core.turn(NOW_MS + 62_000);
    assert_eq!((files_of(folder.path()).len(), log.figures().deleted_files), (1, 0));
    // A clock that goes on is believed: then the file is too old.
    for minute in 0..1_500 {
        log.core.turn(NOW_MS + 62_000 + minute * 60_000);
    }
    assert_eq!(log.figures().deleted_files, 1);
}

#[test]
fn one_directory_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let log = Log::start(&settings, NOW_MS);
    let error = Core::new(&settings, 1, NOW_MS, PLACE).err().unwrap().to_string();
    assert!(error.contains("another process writes this query log"), "{error}");
    drop(log);
    Core::new(&settings, 1, NOW_MS, PLACE).unwrap();
    let file = folder.path().join("key");
    fs::write(&file, "x").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut settings = settings;
    settings.privacy.privacy = Privacy::Hash;
    settings.privacy.key_file = Some(file);
    let error = Core::new(&settings, 1, NOW_MS, PLACE).err().unwrap().to_string();
    assert!(error.starts_with("query log: ") && error.contains("64 hex digits"), "{error}");
}

#[test]
fn parquet_alone_counts_what_its_complete_files_hold() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { format: Format::Parquet, ..settings(folder.path()) };
    let mut log = Log::start(&settings, NOW_MS);
    log.ask_many(NOW_MS, 50);
    log.core.turn(NOW_MS);
    log.core.turn(NOW_MS + 2_000);
    assert!(files_of(folder.path())[0].ends_with(".parquet.part"));
    log.core.finish(NOW_MS + 3_000);
    assert_eq!(files_of(folder.path()), ["queries-20261126T012205Z-1.parquet"]);
    drop(log);
    let mut log = Log::start(&settings, NOW_MS + 10_000);
    log.ask_many(NOW_MS, 9);
    log.core.turn(NOW_MS + 12_000);
    drop(log);
    // The crash took the nine; their rest is cut off.
    let mut log = Log::start(&settings, NOW_MS + 20_000);
    log.core.turn(MIDNIGHT_MS);
    assert_eq!(files_of(folder.path()).len(), 1);
    assert_eq!(Totals::read(folder.path()).unwrap().days[0].counts.queries, 50);
    assert_eq!(summarise(folder.path(), None, None).unwrap().total.queries, 50);
    assert!(audit(folder.path(), None).unwrap().is_good());
}

/// Days, restarts, crashes, small and large files, deletions: from a seed.
fn live(seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut random = seed;
    let mut below = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % bound
    };
    let mut now_ms = NOW_MS;
    let (mut written, mut asked) = (0, 0);
    let keep_bytes = [0, 0, 5_000][usize::try_from(seed % 3).unwrap()];
    for _ in 0..6 {
        let settings = Settings {
            format: if below(2) == 0 { Format::Jsonl } else { Format::Both },
            rotate_bytes: 1_024 << below(8),
            rotate_s: 1 + below(7_200),
            keep_bytes,
            ..settings(folder.path())
        };
        let mut log = Log::start(&settings, now_ms);
        for _ in 0..below(40) {
            now_ms += i64::try_from(below(3_600_000)).unwrap();
            let count = below(60);
            asked += count;
            log.ask_many(now_ms - i64::try_from(below(40)).unwrap(), count);
            log.core.turn(now_ms);
            if below(3) == 0 {
                log.core.turn(now_ms + 1_200);
            }
        }
        if below(2) == 0 {
            log.core.finish(now_ms + 1_500);
        }
        written += log.figures().written;
        now_ms += i64::try_from(below(100_000_000)).unwrap();
    }
    let last_ms = now_ms + 2 * 86_400_000;
    Log::start(&settings(folder.path()), last_ms).core.finish(last_ms);
    let totals = Totals::read(folder.path()).unwrap();
    let counted: u64 = totals.days.iter().map(|day| day.counts.queries).sum();
    assert_eq!(counted, written, "seed {seed}");
    assert!(written <= asked && totals.broken.is_empty(), "seed {seed}");
    let audit = audit(folder.path(), None).unwrap();
    assert!(audit.is_good(), "seed {seed}: {}", audit.text());
    let is_whole = audit.days.iter().all(|(_, _, verdict)| *verdict == Verdict::Agrees);
    assert_eq!(is_whole, keep_bytes == 0 || written < 50, "seed {seed}: {}", audit.text());
    assert_eq!(summarise(folder.path(), None, None).unwrap().total.queries, written);
}

#[test]
fn whatever_happens_totals_are_what_was_written() {
    for seed in 0..12 {
        live(seed);
    }
}

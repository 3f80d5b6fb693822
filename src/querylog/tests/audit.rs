//! What `whoisd log verify` and `whoisd log summary` say of logs that somebody or a fault changed.

use super::*;

/// A log of three days, the last one running, with a file for each query; their names.
fn three_days(dir: &Path) -> Vec<PathBuf> {
    let settings = Settings { rotate_s: 1, ..settings(dir) };
    let mut log = Log::start(&settings, MIDNIGHT_MS - 20_000);
    for (begin_ms, count) in [
        (MIDNIGHT_MS - 20_000, 4),
        (MIDNIGHT_MS + 43_200_000, 3),
        (MIDNIGHT_MS + 86_400_000 + 43_200_000, 3),
    ] {
        for number in 0..count {
            let now_ms = begin_ms + number * 3_000;
            log.ask(0, now_ms, &format!("name-{number}.example"));
            log.core.turn(now_ms);
            log.core.turn(now_ms + 1_000);
            log.core.turn(now_ms + 2_000);
        }
    }
    let files = files_of(dir);
    assert_eq!(files.len(), 10, "{files:?}");
    files.into_iter().map(|name| dir.join(name)).collect()
}

/// What `audit` says, and whether it is good.
fn said(dir: &Path) -> (bool, String) {
    let audit = audit(dir, None).unwrap();
    (audit.is_good(), audit.text())
}

#[track_caller]
fn refused(dir: &Path, expected: &str) {
    let (is_good, text) = said(dir);
    assert!(!is_good && text.contains(expected), "{expected}: {text}");
}

/// A file of one query of `outcome` in the place of another.
fn put(path: &Path, name: &str, lost: u64) {
    let row = Row { name: name.into(), lost, ..row::tests::row() };
    let mut block = block::Block::new(false);
    block.push(&row);
    fs::write(path, block.pack().unwrap()).unwrap();
}

#[test]
fn days_whose_oldest_files_are_deleted_are_good_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let files = three_days(dir);
    assert!(said(dir).0, "{}", said(dir).1);
    // As retention does it: the oldest first, over the end of a day.
    let kept: Vec<_> = files.iter().map(|file| (file, fs::read(file).unwrap())).collect();
    for file in &files[..9] {
        fs::remove_file(file).unwrap();
        let (is_good, text) = said(dir);
        assert!(is_good && text.contains("not counted again"), "{text}");
        let summary = summarise(dir, None, None).unwrap();
        assert_eq!(summary.total.queries, 10, "{}", summary.text());
        assert!(summary.text().contains("as far as files are there"), "{}", summary.text());
    }
    let restore = || kept.iter().for_each(|(file, bytes)| fs::write(file, bytes).unwrap());
    for (gone, expected) in [
        (3, "2026-11-26: DIFFERS: 3 of 4 segments there; its last one, queries-20261126"),
        (4, "2026-11-27: DIFFERS: 2 of 3 segments there; files of it are gone, and older"),
    ] {
        restore();
        fs::remove_file(&files[gone]).unwrap();
        refused(dir, expected);
    }
    restore();
    assert!(said(dir).0);
}

#[test]
fn a_file_that_was_changed_shows_beside_a_deleted_one_of_its_day() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let files = three_days(dir);
    fs::remove_file(&files[0]).unwrap();
    assert!(said(dir).0);
    fs::write(&files[1], b"garbage").unwrap();
    refused(dir, ":1: damaged from here on");
    put(&files[1], "a.example", 7);
    refused(dir, "3 of 4 segments there; lost: the total says 0, the files 7");
    let summary = summarise(dir, None, None).unwrap();
    assert_eq!((summary.total.queries, summary.total.lost), (10, 0), "from the totals");
}

#[test]
fn a_file_that_was_put_in_shows_also_behind_the_last_one_of_its_day() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let _ = three_days(dir);
    for (name, expected) in [
        ("queries-20261126T235959Z-7", "2026-11-26: 1 segment in no total, and the day"),
        ("queries-20261125T120000Z-1", "2026-11-25: 1 segment in no total"),
        ("queries-20291125T120000Z-1", "2029-11-25: 1 segment in no total"),
        ("queries-20261127T000000Z-1", "4 segments, the total has 3"),
    ] {
        let path = dir.join(format!("{name}.jsonl.gz"));
        put(&path, "a.example", 0);
        refused(dir, expected);
        fs::remove_file(path).unwrap();
    }
    let path = dir.join("queries-20261128T235959Z-1.jsonl.gz");
    put(&path, "a.example", 0);
    let (is_good, text) = said(dir);
    assert!(is_good && text.contains("4 segments in no total yet"), "it runs: {text}");
    fs::write(&path, b"garbage").unwrap();
    refused(dir, "WRONG: ");
    let summary = summarise(dir, None, None).unwrap();
    assert_eq!((summary.total.queries, summary.damaged.len()), (10, 1));
    assert!(summary.text().contains("NOT READ: "), "{}", summary.text());
}

#[test]
fn lines_that_were_cut_off_the_totals_show_and_a_lost_line_end_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let _ = three_days(dir);
    let path = dir.join("totals.jsonl");
    let good = fs::read_to_string(&path).unwrap();
    let first = good.find('\n').unwrap() + 1;
    for (kept, day) in [(first, "2026-11-27"), (0, "2026-11-26"), (good.len() - 9, "2026-11-27")] {
        fs::write(&path, &good[..kept]).unwrap();
        refused(dir, &format!("{day}: "));
        refused(dir, "in no total, and the day is over: a line of");
    }
    fs::write(&path, good.trim_end()).unwrap();
    assert!(said(dir).0, "{}", said(dir).1);
    drop(Log::start(&settings(dir), MIDNIGHT_MS + 2 * 86_400_000));
    assert!(said(dir).0, "{}", said(dir).1);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with(&good) && text.lines().count() == 3, "{text}");
}

#[test]
fn totals_that_cannot_be_gone_on_with_keep_all_files_until_they_are_put_right() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let files = three_days(dir);
    let path = dir.join("totals.jsonl");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{good}garbage\n")).unwrap();
    let settings = Settings { keep_bytes: 1, ..settings(dir) };
    let now_ms = MIDNIGHT_MS + 3 * 86_400_000;
    let (_recorders, mut core) = Core::new(&settings, 1, now_ms, PLACE).unwrap();
    let failures = |core: &Core| core.figures.report().errors;
    while failures(&core) == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    core.turn(now_ms + 60_000);
    assert_eq!(files_of(dir).len(), files.len(), "nothing is deleted");
    fs::write(&path, &good).unwrap();
    for turn in 2.. {
        core.turn(now_ms + turn * 60_000);
        thread::sleep(Duration::from_millis(1));
        if files_of(dir).is_empty() {
            break;
        }
    }
    let totals = Totals::read(dir).unwrap();
    let counted: Vec<_> = totals.days.iter().map(|day| day.counts.queries).collect();
    assert_eq!(counted, [4, 3, 3]);
    assert!(said(dir).0, "{}", said(dir).1);
}

#[test]
fn files_stay_until_what_they_count_is_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let settings = Settings { keep_bytes: 1, rotate_s: 1, ..settings(dir) };
    let mut log = Log::start(&settings, NOW_MS);
    // What the running day has counted cannot be written.
    fs::create_dir(dir.join("totals.open.part")).unwrap();
    for number in 0..5 {
        log.ask(0, NOW_MS, "a.example");
        log.core.turn(NOW_MS + number * 40_000);
        log.core.turn(NOW_MS + number * 40_000 + 2_000);
    }
    log.core.turn(NOW_MS + 400_000);
    assert_eq!(files_of(dir).len(), 5);
    fs::remove_dir(dir.join("totals.open.part")).unwrap();
    log.core.turn(NOW_MS + 500_000);
    assert_eq!(files_of(dir).len(), 0);
    drop(log);
    // Nothing of it is forgotten.
    assert_eq!(summarise(dir, None, None).unwrap().total.queries, 5);
    drop(Log::start(&settings, MIDNIGHT_MS));
    assert_eq!(Totals::read(dir).unwrap().days[0].counts.queries, 5);
}

#[test]
fn a_changed_total_a_changed_file_and_a_lost_end_are_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    two_days(&settings);
    drop(Log::start(&settings, MIDNIGHT_MS + 86_400_000));
    let path = folder.path().join("totals.jsonl");
    let good = fs::read_to_string(&path).unwrap();
    let last_hash = Totals::read(folder.path()).unwrap().last_hash();
    let text = || audit(folder.path(), Some(&last_hash)).unwrap().text();
    assert!(text().ends_with(&format!("good; last hash {last_hash}\n")), "{}", text());

    fs::write(&path, good.replace("\"queries\":301", "\"queries\":300")).unwrap();
    assert!(text().contains("totals.jsonl:1: 2026-11-26: its values have the hash"), "{}", text());
    assert!(text().contains("2026-11-26: DIFFERS: queries: the total says 300, the files 301"));

    // Somebody who writes the chain again: only what was kept elsewhere, or the files, show it.
    let mut totals = Totals::read(folder.path()).unwrap();
    fs::remove_file(&path).unwrap();
    let mut chain = totals::Chain::behind(folder.path(), &Totals::default()).unwrap();
    for total in &mut totals.days {
        let mut open = totals::OpenDay::new(total.day);
        (open.segments, open.counts) = (total.segments, total.counts.clone());
        open.through = segment_name::Stem::parse(&total.through);
        chain.append(&open).unwrap();
    }
    assert!(!text().contains("hash of"), "{}", text());
    assert!(text().contains(&format!("no line has the hash {last_hash}")), "{}", text());
    assert!(text().contains("the total says 300, the files 301"), "{}", text());
    fs::write(&path, &good).unwrap();

    let files = files_of(folder.path());
    let first = folder.path().join(&files[0]);
    let bytes = fs::read(&first).unwrap();
    fs::write(&first, b"garbage").unwrap();
    assert!(text().contains(":1: damaged from here on"), "{}", text());
    fs::write(&first, &bytes).unwrap();
    fs::copy(&first, folder.path().join("queries-20261126T000000Z-1.jsonl.gz")).unwrap();
    assert!(text().contains("2 segments, the total has 1"), "{}", text());
    fs::remove_file(folder.path().join("queries-20261126T000000Z-1.jsonl.gz")).unwrap();
    fs::remove_file(&first).unwrap();
    assert!(text().contains("2026-11-26: 301 queries, not counted again: 0 of 1 segment there"));
    assert!(text().contains("good; last hash"), "files may go, by age or size");
    let summary = summarise(folder.path(), None, None).unwrap();
    assert_eq!(summary.total.queries, 321);
    assert_eq!(summary.days[0].source, Some(Source::Totals));
    fs::write(&path, &good[..good.find('\n').unwrap() + 1]).unwrap();
    assert!(text().contains("no line has the hash"), "the end is gone: {}", text());
}

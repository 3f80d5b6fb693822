//! Findings in deposits of changes: as many as in a full one, by every way in.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use whoisd::import::{DepositType, Options, Reason};
use whoisd::store::{Live, Settings as StoreSettings, Writer};
use whoisd::updater::{Settings, Updater, Vetting};
use whoisd::view::{Disk, View};

use crate::changes::{Read, diff, read, read_with};
use crate::registry::Registry;
use crate::support::{NOW_MS, OBJECTS, good, import, options};

/// Codes of the rules that this file tests.
pub(crate) const CODES: &[&str] = &["watermark-older", "correction-after-the-fact"];

const DOMAIN: &str = "<rdeDomain:domain><rdeDomain:name>b.test</rdeDomain:name>\
    <rdeDomain:roid>D3-TEST</rdeDomain:roid><rdeDomain:status s=\"ok\"/>\
    <rdeDomain:registrant>C1</rdeDomain:registrant>\
    <rdeDomain:ns><domain:hostObj>ns1.a.test</domain:hostObj></rdeDomain:ns>\
    <rdeDomain:clID>R1</rdeDomain:clID><rdeDomain:crDate>2010-01-01T00:00:00Z</rdeDomain:crDate>\
    <rdeDomain:exDate>2030-01-01T00:00:00Z</rdeDomain:exDate></rdeDomain:domain>";

/// A registry with the objects of the good deposit.
const REGISTRY: Registry = Registry {
    hosts: &[("ns1.a.test", "H1-TEST"), ("ns.other.example", "H2-TEST")],
    registrars: &[("R1", 8)],
    lacks: &["gone", "gone.test", "b.test"],
    count: Some(2),
};

fn sorted(read: &Read) -> Vec<&'static str> {
    let mut codes = read.codes();
    codes.retain(|code| *code != "count-wrong");
    codes.sort_unstable();
    codes
}

#[test]
fn a_deposit_of_changes_has_the_findings_that_a_full_one_has() {
    assert_eq!(sorted(&read(diff("", DOMAIN), &REGISTRY).unwrap()), [""; 0]);
    for (from, to) in [
        (">R1</rdeDomain:clID>", ">gone</rdeDomain:clID>"),
        (">C1</rdeDomain:registrant>", ">gone</rdeDomain:registrant>"),
        (">ns1.a.test<", ">gone.test<"),
        ("<rdeDomain:status s=\"ok\"/>", "<rdeDomain:status s=\"okay\"/>"),
        ("2010-01-01", "2x10-01-01"),
        ("2030-01-01", "2020-01-01"),
        ("<rdeDomain:roid>D3-TEST</rdeDomain:roid>", ""),
        (">b.test<", ">b.example<"),
        ("</rdeDomain:domain>", "<rdeDomain:color/></rdeDomain:domain>"),
        (
            "<rdeDomain:status",
            "<rdeDomain:originalName>gone.test</rdeDomain:originalName><rdeDomain:status",
        ),
        ("<rdeDomain:status", "<rdeDomain:idnTableId>gone</rdeDomain:idnTableId><rdeDomain:status"),
    ] {
        assert!(DOMAIN.contains(from), "{from}");
        let spoiled = DOMAIN.replacen(from, to, 1);
        let of_diff = read(diff("", &spoiled), &REGISTRY).unwrap();
        let full = good().replace("</rde:contents>", &format!("{spoiled}</rde:contents>"));
        let mut of_full = import(full.replace("rdeDomain-1.0\">2<", "rdeDomain-1.0\">3<")).codes();
        of_full.sort_unstable();
        assert!(!of_full.is_empty(), "{to}");
        assert_eq!(sorted(&of_diff), of_full, "{to}");
    }
}

#[test]
fn what_a_deposit_adds_or_takes_away_itself_counts() {
    let contact = OBJECTS.find("<rdeContact:contact>").unwrap();
    let end = OBJECTS.find("</rdeContact:contact>").unwrap() + "</rdeContact:contact>".len();
    let contact = OBJECTS[contact..end].replace(">C1<", ">gone<");
    let domain = DOMAIN.replace(">C1<", ">gone<");
    let both = read(diff("", &(contact + &domain)), &REGISTRY).unwrap();
    assert_eq!(sorted(&both), [""; 0]);
    // Deletes come first, whatever else is there.
    let gone = "<rdeContact:delete><rdeContact:id>C1</rdeContact:id></rdeContact:delete>";
    assert_eq!(sorted(&read(diff(gone, DOMAIN), &REGISTRY).unwrap()), ["contact-dangling"]);
    let host = "<rdeHost:delete><rdeHost:name>ns1.a.test</rdeHost:name></rdeHost:delete>";
    assert_eq!(sorted(&read(diff(host, DOMAIN), &REGISTRY).unwrap()), ["nameserver-dangling"]);
}

#[test]
fn deletes_of_nothing_are_found_unless_a_deposit_repeats_them() {
    let gone = "<rdeDomain:delete><rdeDomain:name>gone.test</rdeDomain:name></rdeDomain:delete>";
    let text = diff(gone, "");
    let found = read(&text, &REGISTRY).unwrap();
    assert_eq!(sorted(&found), ["delete-unknown"]);
    assert_eq!(found.report.findings[0].got, "gone.test");
    let incr = read(text.replace("type=\"DIFF\"", "type=\"INCR\""), &REGISTRY).unwrap();
    assert_eq!(sorted(&incr), [""; 0]);
    let corrected = text.replace("type=\"DIFF\"", "type=\"DIFF\" resend=\"1\"");
    assert_eq!(sorted(&read(corrected, &REGISTRY).unwrap()), [""; 0]);
}

#[test]
fn counts_of_the_header_are_those_of_the_whole_registry_afterwards() {
    let header = |count: u64| {
        format!(
            "<rdeHeader:header><rdeHeader:tld>test</rdeHeader:tld><rdeHeader:count \
             uri=\"urn:ietf:params:xml:ns:rdeDomain-1.0\">{count}</rdeHeader:count></rdeHeader:header>"
        )
    };
    let text = diff(
        "<rdeDomain:delete><rdeDomain:name>a.test</rdeDomain:name>\
         <rdeDomain:name>gone.test</rdeDomain:name></rdeDomain:delete>",
        &format!("{DOMAIN}{}", DOMAIN.replace("b.test", "known.test").replace("D3", "D4")),
    );
    let start = text.find("<rdeHeader:header>").unwrap();
    let end = text.find("</rdeHeader:header>").unwrap() + "</rdeHeader:header>".len();
    // Two before, one deleted, one added, one changed.
    for (count, wrong) in [(2, false), (3, true), (1, true)] {
        let text = text.replace(&text[start..end], &header(count));
        let codes = read(&text, &REGISTRY).unwrap().codes();
        assert_eq!(codes.contains(&"count-wrong"), wrong, "{count}: {codes:?}");
        // A registry that the header does not count as a whole.
        let unknown = Registry { count: None, ..REGISTRY };
        assert!(!read(&text, &unknown).unwrap().codes().contains(&"count-wrong"));
    }
}

#[test]
fn limits_on_findings_refuse_a_deposit_of_changes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deposit.xml");
    std::fs::write(&path, diff("", &DOMAIN.replace(">R1<", ">gone<"))).unwrap();
    let all = read_with(&options(&[&path]), &REGISTRY).unwrap().report.findings_count;
    assert!(all > 0);
    let strict = Options { strict: true, ..options(&[&path]) };
    let error = read_with(&strict, &REGISTRY).unwrap_err();
    assert!(matches!(error.reason, Reason::Strict));
    assert_eq!(error.report.findings_count, all);
    for (max, refused) in [(all - 1, true), (all, false)] {
        let some = Options { findings_max: Some(max), ..options(&[&path]) };
        assert_eq!(read_with(&some, &REGISTRY).is_err(), refused, "{max}");
    }
}

/// A snapshot directory with the good deposit.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        std::fs::write(site.0.path().join("full.xml"), good()).unwrap();
        let done = site.whoisd(&["import", "full.xml", "--into", "s"]);
        assert!(done.status.success(), "{done:?}");
        site
    }

    fn whoisd(&self, arguments: &[&str]) -> Output {
        let whoisd = Path::new(env!("CARGO_BIN_EXE_whoisd"));
        Command::new(whoisd).args(arguments).current_dir(self.0.path()).output().unwrap()
    }

    /// Applies a deposit at the time of a clock.
    fn apply(&self, text: &str, now_ms: i64) -> Result<Vec<&'static str>, String> {
        let path = self.0.path().join("deposit.xml");
        std::fs::write(&path, text).unwrap();
        let disk = Disk::new(&self.0.path().join("s"));
        let writer = Writer::lock(disk, StoreSettings::default()).unwrap();
        let live = Live::open(writer).unwrap();
        let view = View::of(Arc::clone(live.generation()), None).unwrap();
        let views = Arc::new(arc_swap::ArcSwap::new(Arc::new(view)));
        let mut updater = Updater::new(live, views, Settings::default());
        let mut progress = whoisd::import::Quiet;
        let mut vetting = Vetting::new(now_ms, &mut progress);
        let applied = updater.apply_files(&[path], &mut vetting);
        applied.map_err(|error| error.to_string())?;
        let report = vetting.report.unwrap();
        let codes = report.per_rule.iter().map(|(rule, _)| rule.text().code);
        Ok(codes.filter(|code| *code != "count-wrong").collect())
    }

    fn state(&self) -> (String, i64) {
        let view = View::open(&self.0.path().join("s")).unwrap();
        (view.state().deposit.to_string(), view.state().committed_ms)
    }
}

/// A deposit that adds a domain: its own identifier, the one before, its watermark.
fn next(id: &str, prev: &str, mark: &str) -> String {
    let domain = DOMAIN.replace("b.test", &format!("{}.test", id.to_lowercase()));
    let text = diff("", &domain.replace("D3-TEST", &format!("N{id}-TEST")));
    let text = text.replace(" id=\"20261101001\"", &format!(" id=\"{id}\""));
    let text = text.replace("prevId=\"20261031001\"", &format!("prevId=\"{prev}\""));
    assert!(text.contains("2026-11-01T00:00:00Z<"));
    text.replace("2026-11-01T00:00:00Z<", &format!("{mark}<"))
}

const FULL: &str = "20261101001";

#[test]
fn a_watermark_in_the_future_is_not_believed_and_blocks_nothing() {
    for kind in ["DIFF", "INCR"] {
        let site = Site::new();
        let future = next("D1", FULL, "2036-11-02T00:00:00Z");
        let future = future.replace("type=\"DIFF\"", &format!("type=\"{kind}\""));
        assert_eq!(site.apply(&future, NOW_MS), Ok(vec!["watermark-future"]), "{kind}");
        assert_eq!(site.state(), ("D1".to_owned(), NOW_MS));
        // The next one is right, and earlier than the clock was then.
        let right = next("D2", "D1", "2026-11-21T00:00:00Z");
        assert_eq!(site.apply(&right, NOW_MS), Ok(vec!["watermark-older"]));
        assert_eq!(site.state(), ("D2".to_owned(), NOW_MS));
        let later = next("D3", "D2", "2026-11-23T00:00:00Z");
        assert_eq!(site.apply(&later, NOW_MS + 86_400_000), Ok(vec![]));
        assert!(site.state().1 > NOW_MS);
    }
    // A small difference of clocks is not a reason.
    let site = Site::new();
    assert_eq!(site.apply(&next("D1", FULL, "2026-11-22T00:04:59Z"), NOW_MS), Ok(vec![]));
    let full = import(good().replace("2026-11-01T00:00:00Z<", "2036-11-01T00:00:00Z<"));
    assert_eq!(full.codes(), ["watermark-future"]);
    assert_eq!(full.snapshot().header().watermark_ms, NOW_MS);
    assert!(full.lines.contains("\"got\":\"2036-11-01T00:00:00Z\""), "{}", full.lines);
    let full = import(good().replace("2026-11-01T00:00:00Z<", "12036-11-01T00:00:00Z<"));
    assert_eq!(full.codes(), ["watermark-future"]);
}

#[test]
fn a_directory_with_a_time_in_the_future_goes_on() {
    let site = Site::new();
    // Applied when the clock of the machine was ten years ahead.
    let ahead = NOW_MS + 10 * 365 * 86_400_000;
    let first = next("D1", FULL, "2036-10-02T00:00:00Z").replace("2030-01-01", "2040-01-01");
    assert_eq!(site.apply(&first, ahead), Ok(vec![]));
    let right = next("D2", "D1", "2026-11-21T00:00:00Z");
    assert_eq!(site.apply(&right, NOW_MS), Ok(vec![]));
    assert_eq!(site.state(), ("D2".to_owned(), NOW_MS - 86_400_000));
    let incr = next("D3", "", "2026-11-21T12:00:00Z").replace("type=\"DIFF\"", "type=\"INCR\"");
    assert_eq!(site.apply(&incr.replace(" prevId=\"\"", ""), NOW_MS), Ok(vec![]));
}

#[test]
fn an_older_incremental_deposit_without_a_name_to_follow_is_refused() {
    let site = Site::new();
    let incr = next("D1", "", "2026-10-21T12:00:00Z").replace("type=\"DIFF\"", "type=\"INCR\"");
    let error = site.apply(&incr.replace(" prevId=\"\"", ""), NOW_MS).unwrap_err();
    assert!(error.contains("it is older than what there is"), "{error}");
    assert!(error.contains("of 2026-10-21T12:00:00Z, the data are of 2026-11-01"), "{error}");
}

#[test]
fn incremental_deposits_may_all_name_the_full_one_that_they_count_from() {
    let site = Site::new();
    let incr = |id: &str, prev: &str, day: &str| {
        next(id, prev, &format!("2026-11-{day}T00:00:00Z")).replace("\"DIFF\"", "\"INCR\"")
    };
    assert_eq!(site.apply(&incr("I1", FULL, "02"), NOW_MS), Ok(vec![]));
    assert_eq!(site.apply(&incr("I2", FULL, "03"), NOW_MS), Ok(vec![]));
    // Of differential ones between them it has everything.
    assert_eq!(site.apply(&next("D1", "I2", "2026-11-04T00:00:00Z"), NOW_MS), Ok(vec![]));
    assert_eq!(site.apply(&incr("I3", FULL, "05"), NOW_MS), Ok(vec![]));
    assert_eq!(site.apply(&incr("I4", "I3", "06"), NOW_MS), Ok(vec![]));
    assert_eq!(site.state().0, "I4");
    let old = site.apply(&incr("I2", FULL, "03"), NOW_MS).unwrap_err();
    assert!(old.contains("it is older than what there is"), "{old}");
    let strange = site.apply(&incr("I5", "20261025001", "07"), NOW_MS).unwrap_err();
    assert!(strange.contains("deposit 20261025001 is missing"), "{strange}");
    // A differential one counts from the one before it.
    let gap = site.apply(&next("D2", FULL, "2026-11-07T00:00:00Z"), NOW_MS).unwrap_err();
    assert!(gap.contains("the last one of test here is I4"), "{gap}");
    // The next full one begins again.
    let full = good().replace("20261101001", "20261108001").replace("2026-11-01T", "2026-11-08T");
    std::fs::write(site.0.path().join("full.xml"), full).unwrap();
    assert!(
        site.whoisd(&["import", "full.xml", "--into", "s", "--allow", "fewer"]).status.success()
    );
    let old = site.apply(&incr("I6", FULL, "09"), NOW_MS).unwrap_err();
    assert!(old.contains("is missing"), "{old}");
    assert_eq!(site.apply(&incr("I6", "20261108001", "09"), NOW_MS), Ok(vec![]));
}

#[test]
fn a_deposit_of_changes_is_checked_against_the_objects_that_stay() {
    let site = Site::new();
    let apply = |deletes: &str, contents: &str, id: &str, prev: &str| {
        let text = diff(deletes, contents).replace(" id=\"20261101001\"", &format!(" id=\"{id}\""));
        site.apply(&text.replace("20261031001", prev), NOW_MS)
    };
    let taken = DOMAIN.replace("D3-TEST", "D1-TEST");
    assert_eq!(apply("", &taken, "D1", FULL), Ok(vec!["roid-repeated"]));
    let delete = "<rdeDomain:delete><rdeDomain:name>b.test</rdeDomain:name></rdeDomain:delete>";
    // Neither of objects that go, nor of objects that get another one in the same deposit.
    assert_eq!(
        apply(delete, &taken.replace("b.test", "c.test"), "D2", "D1"),
        Ok(vec!["roid-repeated"])
    );
    let swap = |one: &str, other: &str| {
        let of = |name, roid| DOMAIN.replace("b.test", name).replace("D3-TEST", roid);
        of("a.test", one) + &of("c.test", other)
    };
    assert_eq!(apply("", &swap("D9-TEST", "D1-TEST"), "D3", "D2"), Ok(vec![]));
    assert_eq!(apply("", &swap("D1-TEST", "D9-TEST"), "D4", "D3"), Ok(vec![]));
    let nndn = "<rdeNNDN:NNDN><rdeNNDN:aName>a.test</rdeNNDN:aName>\
        <rdeNNDN:nameState>blocked</rdeNNDN:nameState></rdeNNDN:NNDN>";
    assert_eq!(apply("", nndn, "D5", "D4"), Ok(vec!["nndn-is-domain"]));
    let gone = delete.replace("b.test", "a.test");
    assert_eq!(apply(&gone, nndn, "D6", "D5"), Ok(vec![]));
}

#[test]
fn a_corrected_deposit_takes_the_place_of_the_one_before() {
    let site = Site::new();
    let first = next("D1", FULL, "2026-11-02T00:00:00Z").replace("2010-01-01", "2x10-01-01");
    assert_eq!(site.apply(&first, NOW_MS), Ok(vec!["time-bad", "time-missing"]));
    let again = site.apply(&first, NOW_MS).unwrap_err();
    assert!(again.contains("deposit D1 is in generation 2 already"), "{again}");
    let corrected = |number: &str| {
        let text = next("D1", FULL, "2026-11-02T00:00:00Z");
        text.replace("id=\"D1\"", &format!("id=\"D1\" resend=\"{number}\""))
    };
    assert_eq!(site.apply(&corrected("1"), NOW_MS), Ok(vec!["correction-after-the-fact"]));
    assert_eq!(site.state().0, "D1#1");
    let view = View::open(&site.0.path().join("s")).unwrap();
    let domain = view.data().find_domain("d1.test").unwrap().unwrap();
    assert_eq!(domain.created_ms.to_native(), 1_262_304_000_000);
    // Older and equal corrections are known, later ones are not.
    for known in ["0", "1"] {
        let error = site.apply(&corrected(known), NOW_MS).unwrap_err();
        assert!(error.contains("already"), "{known}: {error}");
    }
    assert_eq!(site.apply(&corrected("+03"), NOW_MS), Ok(vec!["correction-after-the-fact"]));
    assert_eq!(site.state().0, "D1#3");
    // The chain goes on by the identifier, and one that was passed is not taken up again.
    assert_eq!(site.apply(&next("D2", "D1", "2026-11-03T00:00:00Z"), NOW_MS), Ok(vec![]));
    let error = site.apply(&corrected("4"), NOW_MS).unwrap_err();
    assert!(error.contains("the last one of test here is D2"), "{error}");
    // A full one keeps its number as well.
    let full = import(good().replace("type=\"FULL\"", "type=\"FULL\" resend=\"2\""));
    assert_eq!(full.lines, "");
    let mark = full.snapshot().meta().unwrap().deposits[0].as_str().to_owned();
    assert_eq!(mark.split('\t').collect::<Vec<_>>()[..2], ["20261101001#2", "test"]);
    let head = read(corrected("7"), &REGISTRY).unwrap();
    assert_eq!((head.kind, head.id.as_str()), (DepositType::Diff, "D1"));
}

#[test]
fn import_and_apply_print_report_and_refuse_alike() {
    for command in [&["import", "d.xml", "--into", "s"], &["apply", "d.xml", "--dir", "s"]] {
        let site = Site::new();
        let text = next("D1", FULL, "2026-11-02T00:00:00Z").replace(">R1<", ">gone<");
        std::fs::write(site.0.path().join("d.xml"), text).unwrap();
        let run = |more: &[&str]| site.whoisd(&[&command[..], more].concat());
        for more in [&["--strict"][..], &["--findings-max", "0"]] {
            let refused = run(&[more, &["--report", "r.jsonl"]].concat());
            assert_eq!(refused.status.code(), Some(3), "{refused:?}");
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert!(said.contains("[registrar-dangling, RFC 9022 section 8]"), "{said}");
            assert!(said.contains("findings per rule:"), "{said}");
            let lines = std::fs::read_to_string(site.0.path().join("r.jsonl")).unwrap();
            assert!(lines.contains("registrar-dangling"), "{lines}");
            std::fs::remove_file(site.0.path().join("r.jsonl")).unwrap();
            assert_eq!(site.state().0, FULL);
        }
        let done = run(&["--report", "r.jsonl"]);
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success() && said.contains("applied: 1 change,"), "{done:?}");
        assert!(said.contains("registrar-dangling"), "{said}");
        assert_eq!(site.state().0, "D1");
        assert!(site.0.path().join("r.jsonl").is_file());
    }
}

#[test]
fn files_and_folders_that_are_mixed_up_are_reported() {
    let site = Site::new();
    std::fs::create_dir(site.0.path().join("folder")).unwrap();
    std::fs::write(site.0.path().join("records.jsonl"), "").unwrap();
    for (arguments, status, words) in [
        (&["import", "folder", "--into", "s"][..], 1, "folder: is a directory"),
        (&["import", "full.xml", "--into", "full.xml"], 2, "it is a file, expected a directory"),
        (&["import", "full.xml", "--into", "s", "--report", "folder"], 2, "expected a file"),
        (&["apply", "folder", "--dir", "s"], 2, "is a directory, expected a file"),
        (&["apply", "none.xml", "--dir", "s"], 1, "there is no such file"),
        (&["apply", "records.jsonl", "--dir", "s", "--strict"], 2, "records have no findings"),
    ] {
        let done = site.whoisd(arguments);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

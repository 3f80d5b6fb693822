//! Reading input from outside takes no more memory than is set: small files that expand to much,
//! deposits of changes, files of change records.
//!
//! # Does not
//!
//! Try inputs at random: the fuzz targets do, within bounds of their own (`tests/fuzz/targets.rs`).
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::fmt::Write as _;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use allocation_counter::measure;
use flate2::Compression;
use flate2::write::GzEncoder;
use snapshot_format::sort::Scratch;
use whoisd::feed::spool::{Position, apply_file};
use whoisd::feed::{Applied, Apply, ApplyError, ChangeRecord, Intake};
use whoisd::import::{self, Follow, Options, Pipes, Quiet};
use whoisd::store::{DiskScratch, Live, Settings as StoreSettings, Writer};
use whoisd::updater::{Settings, Updater, Vetting};
use whoisd::view::{Disk, View};

const MIB: u64 = 1 << 20;
/// Memory that does not depend on a setting: buffers of files, findings, the envelope.
const CONSTANT_BYTES: u64 = 16 * MIB;
/// 2026-11-22.
const NOW_MS: i64 = 1_795_305_600_000;

const SPACES: &str = "xmlns:rde=\"urn:ietf:params:xml:ns:rde-1.0\" \
    xmlns:h=\"urn:ietf:params:xml:ns:rdeHeader-1.0\" \
    xmlns:d=\"urn:ietf:params:xml:ns:rdeDomain-1.0\" \
    xmlns:r=\"urn:ietf:params:xml:ns:rdeRegistrar-1.0\" \
    xmlns:csv=\"urn:ietf:params:xml:ns:csvDomain-1.0\" \
    xmlns:c=\"urn:ietf:params:xml:ns:rdeCsv-1.0\"";
const DOMAINS: &str = "urn:ietf:params:xml:ns:rdeDomain-1.0";

/// A deposit: its attributes, the text before its contents, and the contents after its header.
fn deposit(attributes: &str, count: usize, contents: &str) -> String {
    format!(
        "<rde:deposit {attributes} {SPACES}><rde:watermark>2026-11-01T00:00:00Z</rde:watermark>\
         <rde:rdeMenu><rde:version>1.0</rde:version><rde:objURI>{DOMAINS}</rde:objURI>\
         </rde:rdeMenu><rde:contents><h:header><h:tld>test</h:tld>\
         <h:count uri=\"{DOMAINS}\">{count}</h:count></h:header>\
         <r:registrar><r:id>R1</r:id><r:name>One</r:name></r:registrar>{contents}\
         </rde:contents></rde:deposit>"
    )
}

fn full(contents: &str) -> String {
    deposit("type=\"FULL\" id=\"F1\"", 1, &(domain(0) + contents))
}

fn domain(number: usize) -> String {
    format!(
        "<d:domain><d:name>n{number}.test</d:name><d:roid>D{number}-TEST</d:roid>\
         <d:status s=\"inactive\"/><d:clID>R1</d:clID><d:crDate>2010-01-01T00:00:00Z</d:crDate>\
         <d:exDate>2030-01-01T00:00:00Z</d:exDate></d:domain>"
    )
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn options(path: &Path) -> Options {
    Options {
        deposits: vec![path.to_owned()],
        pipes: Pipes::default(),
        memory_bytes: Options::MEMORY_BYTES_MIN,
        content_bytes_max: Options::CONTENT_BYTES_MAX,
        follow: Follow::Any,
        strict: false,
        findings_max: None,
        now_ms: NOW_MS,
        hash_seed: 7,
        generation: 1,
    }
}

/// Imports a file; the result, and the most memory that it took.
fn imported(file: &[u8], content_bytes_max: Option<u64>) -> (Result<(), String>, u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deposit");
    fs::write(&path, file).unwrap();
    let mut options = options(&path);
    options.content_bytes_max = content_bytes_max.unwrap_or(options.content_bytes_max);
    let scratch: Rc<dyn Scratch> = Rc::new(DiskScratch::new(folder.path()));
    let mut outcome = Ok(());
    let taken = measure(|| {
        let out = Cursor::new(Vec::new());
        let done = import::run(&options, &scratch, out, None, &mut Quiet);
        outcome = done.map(|_| ()).map_err(|error| error.to_string());
    });
    (outcome, taken.bytes_max)
}

/// Unknown elements, each with its own name.
fn strangers(count: usize, name_bytes: usize) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let name = format!("d:n{number:0>width$}", width = name_bytes - 3);
        write!(text, "<{name}/>").unwrap();
        text
    })
}

/// Elements that declare a prefix each, with unknown elements in them.
fn scopes(count: usize, names: usize) -> String {
    let within = strangers(names, 250);
    (0..count).fold(String::new(), |mut text, number| {
        write!(text, "<d:x xmlns:p{number}=\"urn:x\">{within}</d:x>").unwrap();
        text
    })
}

/// Elements that each declare another prefix.
fn declaring(count: usize, prefix_bytes: usize) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let prefix = format!("p{number:0>width$}", width = prefix_bytes - 1);
        write!(text, "<{prefix}:x xmlns:{prefix}=\"urn:x\"/>").unwrap();
        text
    })
}

/// Definitions of CSV files, each with as many fields as there may be.
fn definitions(count: usize) -> String {
    let fields = "<csv:fName/>".repeat(4000);
    let one = format!("<c:csv name=\"domain\" sep=\",\"><c:fields>{fields}</c:fields></c:csv>");
    format!("<csv:contents>{}</csv:contents>", one.repeat(count))
}

/// A tar of empty files with long names.
fn tar_of_names(count: usize, name_bytes: usize) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content).unwrap();
    };
    add("deposit.xml", full("").as_bytes());
    for number in 0..count {
        add(&format!("{number:0>name_bytes$}.csv"), b"x");
    }
    tar.into_inner().unwrap()
}

#[test]
fn small_files_that_expand_to_much_take_no_more_memory_than_is_set() {
    let name_of_300 = full(&strangers(1, 300));
    let tag_of_100_kib = full(&format!("<d:x y=\"{}\"/>", "z".repeat(100 << 10)));
    let nested = (0..60).fold(String::new(), |text, number| {
        let mut prefixes = String::new();
        (0..10).for_each(|at| write!(prefixes, " xmlns:p{number}x{at}=\"urn:x\"").unwrap());
        format!("<d:x{prefixes}>{text}</d:x>")
    });
    let cases: [(&str, Vec<u8>, &str); 9] = [
        ("a good one", packed(full("").as_bytes()), ""),
        ("names without number", packed(full(&scopes(200, 500)).as_bytes()), ""),
        ("declarations without number", packed(full(&declaring(20_000, 250)).as_bytes()), ""),
        ("a long name", name_of_300.into(), "a name of 300 bytes"),
        ("a long tag", tag_of_100_kib.into(), "a tag of more than 64 KiB"),
        ("prefixes within prefixes", full(&nested).into(), "more than 256 prefixes of namespaces"),
        (
            "definitions without number",
            packed(full(&definitions(30)).as_bytes()),
            "menu, counts, policies and definitions of more than 1 MiB",
        ),
        (
            "names of a tar",
            packed(&tar_of_names(12_000, 1_000)),
            "the input passes a bound: got \"names of more than 32 MiB\"",
        ),
        (
            "one name of a tar",
            packed(&tar_of_names(1, 5_000)),
            "the input passes a bound: got \"a name of more than 4096 bytes\"",
        ),
    ];
    for (what, file, refusal) in cases {
        let (outcome, taken) = imported(&file, None);
        let shown = format!("{what}, {} bytes: {outcome:?}, {taken} bytes of memory", file.len());
        assert_eq!(outcome.is_ok(), refusal.is_empty(), "{shown}");
        assert!(outcome.err().unwrap_or_default().contains(refusal), "{shown}");
        assert!(taken <= Options::MEMORY_BYTES_MIN as u64, "{shown}");
    }
}

#[test]
fn the_unpacked_size_of_a_deposit_is_bounded_however_it_is_packed() {
    let comment = format!("<!--{}-->", "x".repeat(900 << 10)).repeat(4);
    let xml = full(&comment);
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(xml.len() as u64);
    tar.append_data(&mut header, "deposit.xml", xml.as_bytes()).unwrap();
    let tar = tar.into_inner().unwrap();
    for file in [xml.clone().into_bytes(), packed(xml.as_bytes()), packed(&tar), tar] {
        assert_eq!(imported(&file, None).0, Ok(()));
        let refused = imported(&file, Some(2 * MIB)).0.unwrap_err();
        assert!(refused.contains("have more than 2097152 bytes, unpacked"), "{refused}");
        assert!(refused.contains("permit more if") && refused.contains("[input-too-large, "));
        assert!(!refused.contains("ask for the deposit again"), "{refused}");
    }
}

#[test]
fn tables_beside_the_xml_count_as_well() {
    let site = tempfile::tempdir().unwrap();
    let csv = whoisd::export::csv::Options { gzip: true, ..Default::default() };
    let tlds = ["one".to_owned()];
    let settings = whoisd::sample::Settings::parse(1, 2_000, &tlds, 1_767_225_600).unwrap();
    let registry = whoisd::sample::Registry::new(&settings);
    let made =
        whoisd::sample::deposit::write_rde_csv(&registry, site.path(), csv, &mut |_, _, _| {});
    let scratch: Rc<dyn Scratch> = Rc::new(DiskScratch::new(site.path()));
    let options = options(&made.unwrap());
    let done = |content_bytes_max| {
        let options = Options { content_bytes_max, ..options.clone() };
        let out = Cursor::new(Vec::new());
        import::run(&options, &scratch, out, None, &mut Quiet).map(|_| ())
    };
    assert!(done(64 * MIB).is_ok());
    let refused = done(200_000).unwrap_err().to_string();
    assert!(refused.contains("have more than 200000 bytes, unpacked"), "{refused}");
    assert!(refused.contains("[input-too-large, "), "{refused}");
}

/// A directory with a FULL deposit of one domain.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        let writer = Writer::lock(site.disk(), StoreSettings::default()).unwrap();
        let base = writer.begin().unwrap();
        let path = site.file("full.xml", &full(""));
        let options = Options { generation: base.generation(), ..options(&path) };
        let scratch: Rc<dyn Scratch> = Rc::new(DiskScratch::new(site.0.path()));
        let (base, _) = import::run(&options, &scratch, base, None, &mut Quiet).unwrap();
        writer.publish(base).unwrap();
        site
    }

    fn disk(&self) -> Disk {
        Disk::new(&self.0.path().join("data"))
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn updater(&self, memory_bytes: u64) -> Updater {
        let writer = Writer::lock(self.disk(), StoreSettings::default()).unwrap();
        let live = Live::open(writer).unwrap();
        let view = View::of(Arc::clone(live.generation()), None).unwrap();
        let views = Arc::new(arc_swap::ArcSwap::new(Arc::new(view)));
        Updater::new(live, views, Settings { memory_bytes, ..Settings::default() })
    }
}

#[test]
fn a_deposit_of_changes_that_does_not_fit_into_memory_is_refused_and_one_that_does_is_applied() {
    const MEMORY_BYTES: u64 = 128 * MIB;
    let site = Site::new();
    for (count, fits) in [(80_000, false), (8_000, true)] {
        let contents = (0..count).map(domain).collect::<String>();
        let text = deposit("type=\"DIFF\" id=\"D1\" prevId=\"F1\"", count, &contents);
        let path = site.file("diff.xml", &text);
        let mut updater = site.updater(MEMORY_BYTES);
        let mut outcome = Err(ApplyError::Deposit { problem: String::new() });
        let taken = measure(|| {
            let mut progress = Quiet;
            let mut vetting = Vetting::new(NOW_MS, &mut progress);
            outcome = updater.apply_files(std::slice::from_ref(&path), &mut vetting);
        });
        let taken = taken.bytes_max;
        assert!(taken <= MEMORY_BYTES + CONSTANT_BYTES, "{count}: {taken} bytes of memory");
        match outcome {
            Ok(applied) => assert_eq!((fits, applied.new_count), (true, count as u64 + 1)),
            Err(error) => {
                let said = error.to_string();
                assert!(!fits, "{said}");
                assert!(
                    said.starts_with("its changes take more than 48 MiB of memory: "),
                    "{said}"
                );
                assert!(said.contains("updater.memory_bytes"), "{said}");
            }
        }
    }
}

/// The updater on this thread.
struct Direct {
    updater: Updater,
    batches: usize,
}

impl Apply for Direct {
    fn serial(&self) -> u64 {
        self.updater.generation().state().serial
    }

    fn batch_bytes_max(&self) -> usize {
        self.updater.settings().batch_bytes_max()
    }

    fn apply(&mut self, records: &[ChangeRecord]) -> Result<Applied, ApplyError> {
        self.batches += 1;
        self.updater.apply(records)
    }
}

impl Intake for Direct {
    fn apply_deposit(&mut self, _: &Path) -> Result<Applied, ApplyError> {
        panic!("a file of records")
    }
}

#[test]
fn a_file_of_records_is_applied_in_batches_that_fit_into_memory() {
    const MEMORY_BYTES: u64 = 64 * MIB;
    const COUNT: u64 = 40_000;
    let site = Site::new();
    let lines = (1..=COUNT).fold(String::new(), |mut text, serial| {
        writeln!(
            text,
            "{{\"v\":1,\"serial\":{serial},\"committed\":\"2026-11-02T00:00:00Z\",\
             \"kind\":\"domain\",\"upsert\":{{\"name\":\"m{serial}.test\",\
             \"roid\":\"M{serial}-TEST\",\"status\":[\"ok\"],\"clID\":\"R1\"}}}}"
        )
        .unwrap();
        text
    });
    let path = site.file("changes.jsonl", &lines);
    drop(lines);
    let mut direct = Direct { updater: site.updater(MEMORY_BYTES), batches: 0 };
    let mut outcome = None;
    let taken = measure(|| {
        let mut position = Position::default();
        outcome = Some(apply_file(&path, Follow::Files, &mut direct, &mut position));
    });
    let taken = taken.bytes_max;
    assert_eq!(outcome.unwrap().unwrap().new_count, COUNT);
    assert!(direct.batches > 1, "{} batches", direct.batches);
    assert!(taken <= MEMORY_BYTES, "{taken} bytes of memory in {} batches", direct.batches);
}

//! The laws of deposits, whatever their files hold: drivers for the fuzzer.
//!
//! # Invariants
//!
//! - `good or refused`: an import gives a snapshot that passes its full check and holds as many
//!   records as it says, or a reason in one line of printable text.
//! - Every finding is one line of JSON.
//! - Changes of a deposit fit into a log: what they say is what is found afterwards.
//!
//! # Does not
//!
//! Exist in a release: it is built for tests and for the fuzzer alone.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use snapshot_format::delta::frame::LOG_HEAD_BYTES;
use snapshot_format::delta::{Frame, FrameHead, Generation, LogHead, encode};
use snapshot_format::record::Meta;
use snapshot_format::sort::{MemoryScratch, Scratch};
use snapshot_format::verify::verify;
use snapshot_format::{Builder, Change, Kind, Snapshot};

use super::{DepositType, Follow, ImportError, Known, Options, Pipes, Quiet, changes, head, run};

/// The time of imports: 2026-11-22.
const NOW_MS: i64 = 1_795_305_600_000;
/// Files that a deposit of the fuzzer has at most.
const FILES_MAX: usize = 40;
/// Findings after which an import of the fuzzer ends: more is the same again.
const FINDINGS_MAX: u64 = 1_000;
/// Most bytes of an input, unpacked: scratch files are in memory here.
const CONTENT_BYTES_MAX: u64 = 4 << 20;
/// Longest refusal, bytes: it quotes a little of what was read.
const REFUSAL_BYTES_MAX: usize = 4_096;

/// Holds the laws against an XML file.
pub fn deposit_xml(file: &[u8]) {
    let Some(folder) = folder() else { return };
    let path = folder.path().join("deposit.xml");
    if std::fs::write(&path, file).is_ok() {
        deposit(&path);
    }
}

/// Holds the laws against an XML file and CSV files: each begins with a line `== NAME`.
pub fn deposit_csv(files: &[u8]) {
    let Some(folder) = folder() else { return };
    let Ok(text) = std::str::from_utf8(files) else { return };
    let mut xml = None;
    for file in text.split("== ").skip(1).take(FILES_MAX) {
        let Some((name, content)) = file.split_once('\n') else { continue };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.chars().all(plain) {
            continue;
        }
        let path = folder.path().join(name);
        if std::fs::write(&path, content).is_err() {
            return;
        }
        if xml.is_none() {
            xml = Some(path);
        }
    }
    if let Some(xml) = xml {
        deposit(&xml);
    }
}

/// Where the files lie; `TMPDIR` should be in memory.
fn folder() -> Option<tempfile::TempDir> {
    tempfile::Builder::new().prefix("whoisd-fuzz-").tempdir().ok()
}

fn options(path: &Path) -> Options {
    Options {
        deposits: vec![PathBuf::from(path)],
        pipes: Pipes::default(),
        content_bytes_max: CONTENT_BYTES_MAX,
        follow: Follow::Any,
        memory_bytes: Options::MEMORY_BYTES_MIN,
        strict: false,
        findings_max: Some(FINDINGS_MAX),
        now_ms: NOW_MS,
        hash_seed: 7,
        generation: 1,
    }
}

fn deposit(xml: &Path) {
    let options = options(xml);
    let scratch: Rc<dyn Scratch> = Rc::new(MemoryScratch);
    match head(&options, &scratch) {
        Ok(head) if head.kind != DepositType::Full => applied(&options, &scratch),
        Ok(_) => imported(&options, &scratch),
        Err(error) => {
            says_why(&error);
            // A reader that does not look first refuses it as well.
            let out = Cursor::new(Vec::new());
            assert!(run(&options, &scratch, out, None, &mut Quiet).is_err());
        }
    }
}

fn imported(options: &Options, scratch: &Rc<dyn Scratch>) {
    let mut lines = Vec::new();
    let out = Cursor::new(Vec::new());
    let made = run(options, scratch, out, Some(&mut lines), &mut Quiet);
    are_json(&lines);
    let (out, report) = match made {
        Ok(made) => made,
        Err(error) => return says_why(&error),
    };
    let snapshot = match Snapshot::open(out.into_inner()) {
        Ok(snapshot) => snapshot,
        Err(error) => panic!("what was imported does not open: {error}"),
    };
    if let Err(error) = verify(&snapshot, &mut |_, _| {}) {
        panic!("what was imported does not pass its check: {error}");
    }
    assert_eq!(snapshot.header().watermark_ms, report.watermark_ms);
    for kind in Kind::ALL {
        // Names of nameservers alone, which domains name, are not objects of the deposit.
        let count = u64::from(snapshot.live_count(kind));
        assert_eq!(count, u64::from(report.summary.count(kind)), "{kind:?}");
    }
    for finding in &report.findings {
        printable(&finding.to_string());
    }
}

fn are_json(lines: &[u8]) {
    for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line);
        assert!(object.is_ok(), "{}: {:?}", String::from_utf8_lossy(line), object.err());
    }
}

fn says_why(error: &ImportError) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() <= REFUSAL_BYTES_MAX, "{} bytes: {text}", text.len());
    printable(&text);
}

/// What goes to a terminal does not command it.
fn printable(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
}

/// A registry that knows nothing.
struct Empty;

impl Known for Empty {
    fn registrar_of_gurid(&self, _gurid: u32) -> io::Result<Option<String>> {
        Ok(None)
    }

    fn keys_of_roid(&self, _kind: Kind, _roid: &str) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn roid_of_host(&self, _name: &str) -> io::Result<Option<String>> {
        Ok(None)
    }

    fn has(&self, _kind: Kind, _key: &str) -> io::Result<bool> {
        Ok(false)
    }

    fn count(&self, _kind: Kind, _zones: &[String]) -> io::Result<Option<u64>> {
        Ok(Some(0))
    }
}

fn applied(options: &Options, scratch: &Rc<dyn Scratch>) {
    let mut lines = Vec::new();
    let read = changes(options, scratch, Some(&mut lines), &mut Quiet);
    let read = match read {
        Ok(read) => read,
        Err(error) => return says_why(&error),
    };
    let mut all = Vec::new();
    let visited = read.visit(&Empty, &mut Quiet, &mut |change| {
        all.push(change);
        Ok(())
    });
    are_json(&lines);
    match visited {
        Ok(_) => found(&all),
        Err(error) => says_why(&error),
    }
}

/// The changes over an empty registry.
fn found(all: &[Change]) {
    let out = Cursor::new(Vec::new());
    let options = snapshot_format::Options { hash_seed: 7, ..snapshot_format::Options::default() };
    let base = Builder::new(out, Rc::new(MemoryScratch), options)
        .and_then(|builder| builder.finish(&Meta::default(), &mut |_, _| {}));
    let Ok((base, _)) = base else { panic!("an empty base cannot be built") };
    let base = Snapshot::open(base.into_inner()).map(Arc::new);
    let Ok(generation) = base.and_then(Generation::<_, Vec<u8>>::of_base) else {
        panic!("an empty base does not open")
    };
    let encoded = match encode(&generation, all, &mut |_, _| {}) {
        Ok(encoded) => encoded,
        Err(error) => panic!("changes of a deposit do not fit into a log: {error}"),
    };
    let log_head = LogHead { epoch: 1, number: 1, salt: 1, begins_over: 0, file_bytes: 0 };
    let parent = generation.state().generation;
    let head = FrameHead {
        generation: parent.saturating_add(1),
        parent,
        entry_count: encoded.entry_count,
        ..FrameHead::default()
    };
    let mut log = log_head.encode().to_vec();
    log.extend(head.frame(&log_head, &encoded.payload));
    let log = Arc::new(log);
    let frame = Frame::read(&*log, &log_head, LOG_HEAD_BYTES);
    let Some(frame) = frame else { panic!("a frame that was written does not read") };
    let generation = match generation.with_frame(&log, &frame) {
        Ok(generation) => generation,
        Err(error) => panic!("a frame of encoded changes is not taken in: {error}"),
    };
    let last: BTreeMap<_, _> = all.iter().map(|one| ((one.kind(), one.key()), one)).collect();
    for ((kind, key), change) in last {
        let there = match kind {
            Kind::Domain => generation.find_domain(key).map(|found| found.is_some()),
            Kind::Nameserver => generation.find_nameserver(key).map(|found| found.is_some()),
            Kind::Nndn => generation.find_nndn(key).map(|found| found.is_some()),
            _ => continue,
        };
        assert_eq!(there, Ok(matches!(change, Change::Upsert(_))), "{kind:?} {key:?}");
    }
}

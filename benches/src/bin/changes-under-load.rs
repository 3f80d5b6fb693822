//! Queries while the registry changes: what changes cost the latency of answers, whether every
//! answer is of one generation, and how long a change takes from the spool to an answer.
//!
//! `cargo run --release -p whoisd-benches --bin changes-under-load [-- --dir DIRECTORY | --smoke]`
//!
//! In turns, a server answers the same load without changes and with them. Every file of changes
//! has a pair, a domain and its registrant, with one number in both; a prober asks for the domain
//! all the time, and no answer may show two numbers.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::json;
use snapshot_format::object::{Contact, ContactLink, ContactRole, Domain, Postal, Time};
use snapshot_format::{Change, Object};
use whoisd::feed::ChangeRecord;
use whoisd::store::read_manifest;
use whoisd::view::{Disk, View};
use whoisd_benches::load::{self, LoadOptions};
use whoisd_benches::probe::{self, Protocol};
use whoisd_benches::served::{Served, Site};
use whoisd_benches::workload::Workload;
use whoisd_benches::{Options as Sizes, changes, median, print, server, steps};

/// Files of changes a second.
const FILES_PER_S: u64 = 10;
/// Pause between two questions of the prober.
const PROBE_PAUSE: Duration = Duration::from_millis(2);
const PAIR: &str = "pair-of-changes.example";

/// Measure answers while the registry changes
#[derive(Debug, Parser)]
struct Options {
    /// Snapshot directory; without it a sample. Its base is linked, and stays as it is
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Size of the sample
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    domains: u64,
    /// Queries a second
    #[arg(long, value_name = "N", default_value_t = 3_000)]
    rate: u64,
    /// Changes a second
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    changes: u64,
    /// Fold once so many keys have changed; 0: not at all
    #[arg(long, value_name = "N", default_value_t = 0)]
    fold_count: u64,
    /// Rounds, each without changes and with them
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: u64,
    #[command(flatten)]
    load: LoadOptions,
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.load.shrink() {
        (options.domains, options.rate, options.changes, options.rounds) = (500, 200, 50, 1);
    }
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => server::fail(&error.to_string()),
    }
}

/// What a run showed.
struct Round {
    p99_9_us: f64,
    p50_us: f64,
    errors: u64,
}

fn run(options: &Options) -> io::Result<bool> {
    let folder = tempfile::Builder::new().prefix("whoisd-changes-").tempdir()?;
    let programs = options.load.server.programs()?;
    let Some(load) = options.load.load(&programs.folder)? else { return Ok(true) };
    let sample = folder.path().join("sample");
    fs::create_dir(&sample)?;
    let sizes = Sizes { domains: options.domains, smoke: options.load.server.smoke };
    let source = options.dir.clone().unwrap_or_else(|| steps::directory(sizes, &sample));
    let beside = tempfile::tempdir_in(source.parent().unwrap())?;
    link(&source, beside.path())?;
    let names = folder.path().join("names");
    let count = usize::try_from(options.domains).unwrap_or(usize::MAX).min(100_000);
    fs::write(&names, Workload::pick(&source, count, 1)?.names.join("\n"))?;
    let site = Site {
        whoisd: &programs.whoisd,
        dir: beside.path(),
        folder: folder.path(),
        core: options.load.server.server_core,
    };
    let settings = format!(
        "[updater]\nspool = true\ncore = \"{}\"\nfold_changed_percent = 0\n\
         fold_changed_count = {}\n",
        options.load.load_core, options.fold_count
    );
    let served = site.start("changed", &settings, &[])?;
    let changer = Changer::new(beside.path(), options)?;
    changer.put(0, &changer.write(0), || {})?;
    let mut prober = Prober::start(served.address);
    let drive = |seconds| {
        let files = (folder.path(), names.as_path());
        load.drive(served.address, &load::WHOIS, files, options.rate, seconds)
    };
    if options.load.warm_up > 0 {
        drive(options.load.warm_up)?;
    }
    let (mut without, mut with) = (Vec::new(), Vec::new());
    let mut number = 0;
    for _ in 0..options.rounds {
        without.push(round(&drive(load.seconds)?));
        let first = number + 1;
        let (result, dropped) = thread::scope(|scope| -> io::Result<_> {
            let changing = scope.spawn(|| changer.run(first, load.seconds, &prober.dropped));
            let result = drive(load.seconds);
            let dropped = changing.join().unwrap()?;
            Ok((result?, dropped))
        })?;
        with.push(round(&result));
        number += dropped;
    }
    let seen = prober.stop(number);
    report(options, &without, &with, &seen, number, &served)
}

fn link(source: &Path, beside: &Path) -> io::Result<()> {
    let manifest = read_manifest(&Disk::new(source)).map_err(io::Error::other)?.unwrap();
    let base = &manifest.current.base;
    fs::hard_link(source.join(base), beside.join(base))?;
    fs::copy(source.join("MANIFEST"), beside.join("MANIFEST")).map(drop)
}

fn round(result: &whois_loadgen::result::RunResult) -> Round {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let percentile = |wanted: f64| {
        let found = result.latency.percentiles.iter().find(|(at, _)| (at - wanted).abs() < 1e-6);
        found.map_or(0.0, |(_, ns)| *ns as f64 / 1e3)
    };
    let errors = result.errors.values().sum();
    Round { p99_9_us: percentile(99.9), p50_us: percentile(50.0), errors }
}

/// Drops files of changes into the spool.
struct Changer {
    spool: PathBuf,
    view: View,
    per_file: u64,
}

impl Changer {
    fn new(dir: &Path, options: &Options) -> io::Result<Self> {
        let view = View::open(dir).map_err(io::Error::other)?;
        let per_file = (options.changes / FILES_PER_S).max(3);
        Ok(Self { spool: dir.join("spool"), view, per_file })
    }

    /// Writes file `number`, whose serials follow those of the one before.
    fn write(&self, number: u64) -> Vec<u8> {
        let others = self.per_file - 2;
        let mut changes = changes::of_domains(self.view.data(), others, number + 1);
        changes.extend(pair(number));
        let mut out = Vec::new();
        for (serial, change) in (number * self.per_file + 1..).zip(changes) {
            let body = change.into();
            let transaction = format!("T{number}");
            ChangeRecord { serial, committed_ms: 1_800_000_000_000, transaction, body }
                .write_json(&mut out);
        }
        out
    }

    /// Drops files from number `first` on for `seconds`; returns how many.
    fn run(&self, first: u64, seconds: u64, dropped: &Dropped) -> io::Result<u64> {
        let start = Instant::now();
        let files = seconds * FILES_PER_S;
        for file in 0..files {
            let number = first + file;
            let text = self.write(number);
            let due = start + Duration::from_millis(file * 1000 / FILES_PER_S);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.put(number, &text, || dropped.note(number))?;
        }
        Ok(files)
    }

    /// Writes a file aside and renames it into the spool.
    fn put(&self, number: u64, text: &[u8], note: impl FnOnce()) -> io::Result<()> {
        let aside = self.spool.join(".next");
        fs::write(&aside, text)?;
        note();
        fs::rename(&aside, self.spool.join(format!("{number:012}.jsonl")))
    }
}

/// A domain and its registrant that show one number.
fn pair(number: u64) -> [Change; 2] {
    let contact = Contact {
        id: "PAIR-1".into(),
        postal: vec![Postal { name: "Pair".into(), cc: "DE".into(), ..Postal::default() }],
        email: format!("n{number}@pair.example"),
        ..Contact::default()
    };
    let domain = Domain {
        name: PAIR.into(),
        roid: format!("N{number}-PAIR"),
        contacts: vec![ContactLink { role: ContactRole::Registrant, id: "PAIR-1".into() }],
        created: Time::from_ms(1),
        ..Domain::default()
    };
    [Object::Contact(contact), Object::Domain(domain)]
        .map(|object| Change::Upsert(Box::new(object)))
}

/// When files were dropped: nanoseconds after the start, by number.
struct Dropped {
    start: Instant,
    times_ns: Vec<AtomicU64>,
}

impl Dropped {
    fn note(&self, number: u64) {
        let ns = u64::try_from(self.start.elapsed().as_nanos()).unwrap();
        if let Some(time) = self.times_ns.get(usize::try_from(number).unwrap()) {
            time.store(ns, Ordering::Release);
        }
    }
}

/// What the prober saw.
#[derive(Default)]
struct Seen {
    answers: u64,
    mixed: u64,
    backwards: u64,
    failed: u64,
    /// From a file's rename to an answer that shows it, milliseconds.
    fresh_ms: Vec<f64>,
    last: u64,
}

struct Prober {
    dropped: Arc<Dropped>,
    ending: Arc<AtomicBool>,
    last: Arc<AtomicU64>,
    thread: Option<thread::JoinHandle<Seen>>,
}

impl Prober {
    fn start(address: SocketAddr) -> Self {
        let times_ns = (0..100_000).map(|_| AtomicU64::new(0)).collect();
        let dropped = Arc::new(Dropped { start: Instant::now(), times_ns });
        let (ending, last) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (times, told, reached) = (Arc::clone(&dropped), Arc::clone(&ending), Arc::clone(&last));
        let work = move || {
            let mut seen = Seen::default();
            while !told.load(Ordering::Acquire) {
                look(address, &times, &mut seen);
                reached.store(seen.last, Ordering::Release);
                thread::sleep(PROBE_PAUSE);
            }
            seen
        };
        let thread = Some(thread::spawn(work));
        Self { dropped, ending, last, thread }
    }

    /// Waits until the last file was seen, at most some seconds, and ends.
    fn stop(&mut self, number: u64) -> Seen {
        let start = Instant::now();
        while self.last.load(Ordering::Acquire) < number
            && start.elapsed() < Duration::from_secs(10)
        {
            thread::sleep(PROBE_PAUSE);
        }
        self.ending.store(true, Ordering::Release);
        self.thread.take().map(|thread| thread.join().unwrap()).unwrap_or_default()
    }
}

fn look(address: SocketAddr, dropped: &Dropped, seen: &mut Seen) {
    let Ok(answer) = probe::ask(Protocol::Whois, address, PAIR) else {
        seen.failed += 1;
        return;
    };
    let answer = String::from_utf8_lossy(&answer);
    let now_ns = u64::try_from(dropped.start.elapsed().as_nanos()).unwrap();
    let number = |before: &str, after: &str| -> Option<u64> {
        answer.split_once(before)?.1.split_once(after)?.0.parse().ok()
    };
    let domain = number("Registry Domain ID: N", "-PAIR");
    let contact = number("Registrant Email: n", "@pair.example");
    seen.answers += 1;
    let (Some(domain), Some(contact)) = (domain, contact) else {
        // Before the first file.
        seen.failed += u64::from(seen.last > 0);
        return;
    };
    seen.mixed += u64::from(domain != contact);
    seen.backwards += u64::from(domain < seen.last);
    for fresh in seen.last + 1..=domain {
        let at = usize::try_from(fresh).unwrap();
        let dropped_ns = dropped.times_ns.get(at).map_or(0, |time| time.load(Ordering::Acquire));
        if dropped_ns > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
            seen.fresh_ms.push(now_ns.saturating_sub(dropped_ns) as f64 / 1e6);
        }
    }
    seen.last = domain.max(seen.last);
}

fn report(
    options: &Options,
    without: &[Round],
    with: &[Round],
    seen: &Seen,
    files: u64,
    served: &Served,
) -> io::Result<bool> {
    let middle = |rounds: &[Round], of: fn(&Round) -> f64| {
        median(&mut rounds.iter().map(of).collect::<Vec<_>>())
    };
    let (p50, p50_changed) = (middle(without, |r| r.p50_us), middle(with, |r| r.p50_us));
    let (p99_9, p99_9_changed) = (middle(without, |r| r.p99_9_us), middle(with, |r| r.p99_9_us));
    let errors: u64 = without.iter().chain(with).map(|round| round.errors).sum();
    let ratio = p99_9_changed / p99_9.max(1e-9);
    let mut fresh = seen.fresh_ms.clone();
    fresh.sort_by(f64::total_cmp);
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        fresh.get((fresh.len() as f64 * share) as usize).copied().unwrap_or(0.0)
    };
    print("p50 without, with changes", &format!("{p50:.0} us, {p50_changed:.0} us"));
    print(
        "p99.9 without, with changes",
        &format!("{p99_9:.0} us, {p99_9_changed:.0} us, ratio {ratio:.2} (at most 1.5)"),
    );
    print("queries that failed", &errors.to_string());
    let log = fs::read_to_string(&served.log).unwrap_or_default();
    print("folds", &log.matches("fold done").count().to_string());
    print(
        "answers on the pair",
        &format!(
            "{}, {} of two generations, {} that went back, {} failed",
            seen.answers, seen.mixed, seen.backwards, seen.failed
        ),
    );
    print(
        "from the spool to an answer",
        &format!("{:.0} ms median, {:.0} ms p99, of {} files", at(0.5), at(0.99), fresh.len()),
    );
    options.load.write_json(&json!({
        "p99_9_us": [p99_9, p99_9_changed], "errors": errors, "pair_answers": seen.answers,
        "mixed": seen.mixed, "fresh_ms": [at(0.5), at(0.99)], "files": files,
    }))?;
    let whole = errors == 0 && seen.mixed == 0 && seen.backwards == 0 && seen.failed == 0;
    let complete = seen.last == files;
    if !complete {
        let last: Vec<&str> = log.lines().rev().take(3).collect();
        print("files that were seen", &format!("{} of {files}: {}", seen.last, last.join(" / ")));
    }
    Ok(whole && complete && (options.load.server.smoke || ratio <= 1.5))
}

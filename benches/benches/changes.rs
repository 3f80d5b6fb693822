//! Changes over a directory: how long until they are visible, and how fast a fold writes.
//!
//! `cargo bench -p whoisd-benches --bench changes [-- --domains N | --smoke]`; with
//! `--dir DIRECTORY` over one that `whoisd sample --into` made before: its base is linked into a
//! temporary directory beside it, and stays as it is.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::ArcSwap;
use snapshot_format::delta::fold;
use snapshot_format::sort::Scratch;
use snapshot_format::{Change, Kind};
use whoisd::feed::{Body, ChangeRecord};
use whoisd::store::{DiskScratch, Live, Settings, Writer, read_manifest};
use whoisd::updater::{Policy, Settings as UpdaterSettings, Updater, Views};
use whoisd::view::{Data, Disk, View};
use whoisd_benches::process::own_anonymous_bytes;
use whoisd_benches::{Options, changes, median, print, steps, timed};

/// Memory that a fold is given, bytes.
const MEMORY_BYTES: usize = 256 << 20;

fn main() {
    let options = Options::of_arguments(1_000_000, 2_000);
    let temporary = tempfile::tempdir().unwrap();
    let source = steps::directory(options, temporary.path());
    let beside = tempfile::tempdir_in(source.parent().unwrap()).unwrap();
    link(&source, beside.path());
    let settings = Settings { keep: 0, ..Settings::default() };
    let open = || Live::open(Writer::lock(Disk::new(beside.path()), settings).unwrap()).unwrap();
    batches(open(), options);
    let (live, seconds) = timed(open);
    let (changed, log_bytes) = live.generation().changed();
    let megabytes = per_second(log_bytes, 1.0);
    print("open again", &format!("{seconds:.2} s, {changed} changes, {megabytes:.0} MB of log"));
    folds(live, beside.path());
}

/// The base of `source`, linked into `beside`, and a manifest that names it alone.
fn link(source: &Path, beside: &Path) {
    let manifest = read_manifest(&Disk::new(source)).unwrap().unwrap();
    let base = &manifest.current.base;
    fs::hard_link(source.join(base), beside.join(base)).unwrap();
    fs::copy(source.join("MANIFEST"), beside.join("MANIFEST")).unwrap();
}

/// Records of changes, from the serial after the last one on.
fn records(data: &Data, changes: Vec<Change>) -> Vec<ChangeRecord> {
    let first = data.state().serial + 1;
    let record = |(serial, change)| ChangeRecord {
        serial,
        committed_ms: 1,
        transaction: String::new(),
        body: Body::from(change),
    };
    (first..).zip(changes).map(record).collect()
}

/// From a batch in memory until every shard that takes a query answers from it: encoded, synced,
/// indexed, published.
fn batches(live: Live<Disk>, options: Options) {
    let view = View::of(Arc::clone(live.generation()), None).unwrap();
    print("domains", &view.data().count(Kind::Domain).to_string());
    view.load();
    let views: Views = Arc::new(ArcSwap::new(Arc::new(view)));
    let never =
        Policy { changed_percent: 0, changed_count: 0, log_bytes: 0, age_s: 0, bytes_per_s: 0 };
    let settings = UpdaterSettings { fold: never, ..UpdaterSettings::default() };
    let mut updater = Updater::new(live, Arc::clone(&views), settings);
    let sizes: &[(u64, u64)] =
        if options.smoke { &[(1, 2), (50, 2)] } else { &[(1, 50), (1_000, 20), (100_000, 3)] };
    let mut round = 0;
    for &(count, rounds) in sizes {
        let mut taken = Vec::new();
        for _ in 0..rounds {
            round += 1;
            let changes = changes::of_domains(updater.generation(), count, round);
            let batch = records(updater.generation(), changes);
            let last = batch.last().unwrap().serial;
            let (applied, seconds) = timed(|| updater.apply(&batch));
            assert_eq!(applied.unwrap().new_count, count);
            assert_eq!(views.load().state().serial, last);
            taken.push(seconds * 1e3);
        }
        let most = taken.iter().copied().fold(0.0, f64::max);
        let text = format!("{:9.2} ms median, {most:.2} ms at most", median(&mut taken));
        print(&format!("{count} changes, visible after"), &text);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn per_second(bytes: u64, seconds: f64) -> f64 {
    bytes as f64 / 1e6 / seconds
}

/// A whole fold, unthrottled, and how long the switch to the new base takes.
fn folds(mut live: Live<Disk>, directory: &Path) {
    let scratch: Rc<dyn Scratch> = Rc::new(DiskScratch::new(directory));
    let mut peak = 0;
    let mut begun = live.begin_fold().unwrap().unwrap();
    let mut look = |_, _| {
        peak = peak.max(own_anonymous_bytes());
        true
    };
    let (bytes, seconds) = timed(|| {
        let folded = fold(&*begun.generation, &mut begun.base, &scratch, MEMORY_BYTES, &mut look);
        folded.unwrap().unwrap().1.file_bytes
    });
    let rate = per_second(bytes, seconds);
    print("fold", &format!("{seconds:.1} s, {rate:.0} MB/s, memory {} MB", peak / 1_000_000));
    let (finished, seconds) = timed(|| live.finish_fold(begun.base));
    finished.unwrap();
    print("switch to the new base, with its sync", &format!("{seconds:.2} s"));
}

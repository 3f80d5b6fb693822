//! The snapshot directory: one writer, old generation or new one, nothing in between.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::fs;
use std::path::Path;
use std::rc::Rc;

use snapshot_format::delta::frame::PAYLOAD_BYTES_MAX;
use snapshot_format::delta::{self, Encoded};
use snapshot_format::object::Domain;
use snapshot_format::record::Meta;
use snapshot_format::sort::Scratch;
use snapshot_format::{Builder, Options};
use whoisd::store::{DiskScratch, Files, Live, Settings, Stamp, StoreError, Writer};
use whoisd::view::{Disk, View};

fn lock(path: &Path) -> Result<Writer<Disk>, StoreError> {
    Writer::lock(Disk::new(path), Settings { keep: 0, ..Settings::default() })
}

fn write(writer: &Writer<Disk>, name: &str) -> u64 {
    let mut base = writer.begin().unwrap();
    let options = Options { generation: base.generation(), ..Options::default() };
    let scratch = Rc::new(DiskScratch::new(writer.files().path()));
    let mut builder = Builder::new(&mut base, scratch, options).unwrap();
    let domain = Domain { name: name.into(), ..Domain::default() };
    builder.domain(&domain, &mut |_| {}).unwrap();
    builder.finish(&Meta::default(), &mut |_, _| {}).unwrap();
    writer.publish(base).unwrap().current.base_generation
}

fn serves(path: &Path, name: &str) -> bool {
    let view = View::open(path).unwrap();
    view.prepare().unwrap();
    view.base().find_domain(name).unwrap().is_some()
}

#[test]
fn each_published_base_is_the_next_generation_and_old_ones_go() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/registry");
    let writer = lock(&path).unwrap();
    assert_eq!(write(&writer, "one.demo"), 1);
    assert!(serves(&path, "one.demo"));
    let old = View::open(&path).unwrap();
    assert_eq!(write(&writer, "two.demo"), 2);
    assert!(serves(&path, "two.demo"));
    assert!(!serves(&path, "one.demo"));
    assert!(old.base().find_domain("one.demo").unwrap().is_some(), "a reader keeps its own");
    let bases = fs::read_dir(&path)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("base-"));
    assert_eq!(bases.count(), 1);
}

#[test]
fn a_base_that_is_given_up_leaves_the_old_generation_and_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let writer = lock(directory.path()).unwrap();
    write(&writer, "one.demo");
    drop(writer.begin().unwrap());
    let unfinished = writer.begin().unwrap();
    assert!(writer.publish(unfinished).is_err(), "an empty file is not a snapshot");
    assert!(serves(directory.path(), "one.demo"));
    drop(writer);
    fs::write(directory.path().join("base-0000000009.snapshot.new"), "rest").unwrap();
    let writer = lock(directory.path()).unwrap();
    assert!(!directory.path().join("base-0000000009.snapshot.new").exists());
    assert_eq!(write(&writer, "two.demo"), 2);
}

#[test]
fn a_second_writer_learns_which_process_is_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let writer = lock(directory.path()).unwrap();
    let error = lock(directory.path()).unwrap_err();
    assert!(error.to_string().contains(&format!("(pid {})", std::process::id())), "{error}");
    drop(writer);
    lock(directory.path()).unwrap();
}

#[test]
fn an_empty_directory_and_a_damaged_manifest_say_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let error = View::open(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::Empty { .. }));
    assert!(error.to_string().contains("whoisd import"), "{error}");
    fs::write(directory.path().join("MANIFEST"), "whoisd-manifest 1\ngeneration x\n").unwrap();
    let error = View::open(directory.path()).unwrap_err();
    assert!(error.to_string().contains("it is damaged"), "{error}");
}

#[test]
fn a_base_that_is_not_the_manifests_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let writer = lock(directory.path()).unwrap();
    write(&writer, "one.demo");
    let base = directory.path().join("base-0000000001.snapshot");
    let other = tempfile::tempdir().unwrap();
    let other_writer = lock(other.path()).unwrap();
    write(&other_writer, "other.demo");
    fs::copy(other.path().join("base-0000000001.snapshot"), &base).unwrap();
    let error = View::open(directory.path()).unwrap_err();
    assert!(error.to_string().contains("not the file that was published"), "{error}");
}

#[test]
fn a_damaged_or_cut_base_never_becomes_a_view() {
    let directory = tempfile::tempdir().unwrap();
    let writer = lock(directory.path()).unwrap();
    write(&writer, "one.demo");
    let base = directory.path().join("base-0000000001.snapshot");
    let whole = fs::read(&base).unwrap();
    fs::remove_file(&base).unwrap();
    fs::write(&base, &whole[..whole.len() - 1]).unwrap();
    assert!(View::open(directory.path()).unwrap_err().to_string().contains("cut short"));
    let mut changed = whole;
    changed[5000] ^= 1;
    fs::remove_file(&base).unwrap();
    fs::write(&base, &changed).unwrap();
    let view = View::open(directory.path()).unwrap();
    assert!(view.prepare().unwrap_err().to_string().contains("damaged"));
}

#[test]
fn a_batch_that_no_frame_can_hold_is_refused_and_the_log_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let writer = lock(directory.path()).unwrap();
    write(&writer, "one.demo");
    let mut live = Live::open(writer).unwrap();
    let stamp = Stamp { serial: 1, committed_ms: 1, heartbeat_ms: i64::MIN };
    // Zeros that are never read take no memory.
    let payload = vec![0; PAYLOAD_BYTES_MAX + 8];
    let error = live.append(&Encoded { payload, ..Encoded::default() }, stamp).unwrap_err();
    assert!(error.to_string().contains("deliver it in several"), "{error}");
    live.append(&Encoded::default(), stamp).unwrap();
    assert_eq!(View::open(directory.path()).unwrap().state().serial, 1);
}

#[test]
fn a_heartbeat_moves_the_time_of_the_data_through_a_fold_a_restart_and_for_followers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let writer = lock(path).unwrap();
    write(&writer, "one.demo");
    let mut live = Live::open(writer).unwrap();
    let as_of = || View::open(path).unwrap().as_of_ms();
    let append = |live: &mut Live<Disk>, serial, committed_ms, heartbeat_ms| {
        let stamp = Stamp { serial, committed_ms, heartbeat_ms };
        live.append(&Encoded::default(), stamp).unwrap();
    };
    append(&mut live, 1, 1_000, 1_000);
    assert_eq!(as_of(), 1_000);
    append(&mut live, 2, 1_000, 6_000);
    assert_eq!(as_of(), 6_000, "who follows or starts sees the heartbeat");
    let fold = live.begin_fold().unwrap().unwrap();
    let scratch: Rc<dyn Scratch> = Rc::new(DiskScratch::new(path));
    let (generation, mut base) = (fold.generation, fold.base);
    let memory_bytes = 64 << 20;
    delta::fold(&*generation, &mut base, &scratch, memory_bytes, &mut |_, _| true).unwrap();
    let folded = live.finish_fold(base).unwrap();
    let state = folded.state();
    assert_eq!((state.committed_ms, state.heartbeat_ms), (1_000, 6_000), "answers do not change");
    assert_eq!(as_of(), 6_000);
    drop(live);
    let mut live = Live::open(lock(path).unwrap()).unwrap();
    assert_eq!(as_of(), 6_000);
    append(&mut live, 3, 9_000, 9_000);
    assert_eq!(as_of(), 9_000, "the later of both");
}

#[test]
fn a_writer_whose_lock_file_was_removed_writes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    write(&lock(folder.path()).unwrap(), "one.demo");
    let mut live = Live::open(lock(folder.path()).unwrap()).unwrap();
    let append = |live: &mut Live<Disk>| {
        let encoded = Encoded::default();
        let stamp = Stamp { serial: 1, committed_ms: 1, heartbeat_ms: i64::MIN };
        live.append(&encoded, stamp).map(|generation| generation.state().generation)
    };
    append(&mut live).unwrap();
    fs::remove_file(folder.path().join("LOCK")).unwrap();
    let error = append(&mut live).unwrap_err();
    assert!(matches!(error, StoreError::LockLost { .. }), "{error}");
    // Another one has it now.
    let mut other = Live::open(lock(folder.path()).unwrap()).unwrap();
    let last = append(&mut other).unwrap();
    assert!(matches!(append(&mut live), Err(StoreError::LockLost { .. })));
    assert!(matches!(live.begin_fold(), Err(StoreError::LockLost { .. })));
    drop(live);
    assert_eq!(View::open(folder.path()).unwrap().generation(), last);
}

//! Snapshots through an object store: what arrives, and what is refused for what is next to it.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be done fails it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::ArcSwap;
use snapshot_format::object::Domain;
use snapshot_format::record::Meta;
use snapshot_format::{Builder, Change, Object, Options, delta};
use whoisd::feed::key::{SecretKey, Trusted};
use whoisd::feed::nats::{Wanted, note_source};
use whoisd::feed::objects::{Arrived, How, ObjectError, Objects, PART_BYTES};
use whoisd::store::{DiskScratch, Files, Live, Settings, Stamp, Writer};
use whoisd::updater::{self, Fetcher, Updater};
use whoisd::view::{Disk, View};

/// The writer of a directory. A program that another test starts at this moment holds the lock
/// until it has become that program, so it is tried for a while.
fn lock(path: &Path) -> Writer<Disk> {
    let tried = (0..6_000).find_map(|_| {
        let locked = Writer::lock(Disk::new(path), Settings::default()).ok();
        if locked.is_none() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        locked
    });
    tried.unwrap()
}

/// A directory whose current base holds one domain, as of a serial.
fn directory(path: &Path, serial: u64, name: &str) {
    directory_of(path, serial, name, 1_764_000_000_000);
}

fn directory_of(path: &Path, serial: u64, name: &str, watermark_ms: i64) {
    let writer = lock(path);
    let mut base = writer.begin().unwrap();
    let options =
        Options { generation: base.generation(), serial, watermark_ms, ..Options::default() };
    let scratch = Rc::new(DiskScratch::new(writer.files().path()));
    let mut builder = Builder::new(&mut base, scratch, options).unwrap();
    builder.domain(&Domain { name: name.into(), ..Domain::default() }, &mut |_| {}).unwrap();
    builder.finish(&Meta::default(), &mut |_, _| {}).unwrap();
    writer.publish(base).unwrap();
}

/// Appends one domain to a directory, as of a serial.
fn append(path: &Path, serial: u64, name: &str) {
    let writer = lock(path);
    let mut live = Live::open(writer).unwrap();
    let domain = Domain { name: name.into(), ..Domain::default() };
    let change = Change::Upsert(Box::new(Object::Domain(domain)));
    let encoded = delta::encode(live.generation(), [&change], &mut |_, _| {}).unwrap();
    let stamp = Stamp { serial, committed_ms: 1_764_000_000_001, heartbeat_ms: i64::MIN };
    live.append(&encoded, stamp).unwrap();
}

/// Appends a heartbeat to a directory, as of a serial.
fn beat(path: &Path, serial: u64) {
    let mut live = Live::open(lock(path)).unwrap();
    let state = live.generation().state();
    let (committed_ms, heartbeat_ms) = (state.committed_ms, 1_764_000_005_000);
    let encoded = delta::encode(live.generation(), [], &mut |_, _| {}).unwrap();
    live.append(&encoded, Stamp { serial, committed_ms, heartbeat_ms }).unwrap();
}

/// An object store and a directory that fetches from it.
struct Place {
    folder: tempfile::TempDir,
    objects: Objects,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", folder.path().join("store").display());
        let objects = Objects::open(&url).unwrap();
        Self { folder, objects }
    }

    fn node(&self) -> PathBuf {
        self.folder.path().join("node")
    }

    fn publish(&self, serial: u64, source: Option<&str>, key: Option<&SecretKey>) {
        let path = self.folder.path().join(format!("registry-{serial}"));
        directory(&path, serial, &format!("of-{serial}.demo"));
        let view = View::open(&path).unwrap();
        let source = source.map(|source| source.parse().unwrap());
        let how = How { source: source.as_ref(), key, replace: true };
        let published = self.objects.publish(view.base(), how, &mut |_, _| true);
        assert_eq!(published.unwrap().manifest.serial, serial);
    }

    /// The object whose name begins with a serial, and ends so.
    fn object(&self, serial: u64, ending: &str) -> PathBuf {
        let files = fs::read_dir(self.folder.path().join("store")).unwrap();
        let is_it = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(&format!("{serial:020}-")) && name.ends_with(ending)
        };
        files.map(|entry| entry.unwrap().path()).find(is_it).unwrap()
    }

    fn fetch(&self, serial_min: u64, source: Option<&str>) -> Result<Arrived, ObjectError> {
        self.fetch_trusting(serial_min, source, &Trusted::default())
    }

    fn fetch_trusting(
        &self,
        serial_min: u64,
        source: Option<&str>,
        trusted: &Trusted,
    ) -> Result<Arrived, ObjectError> {
        let source = source.map(|source| source.parse().unwrap());
        let wanted = Wanted { serial_min, source, unnamed: false, why: String::new() };
        let writer = lock(&self.node());
        self.objects.fetch(&wanted, trusted, &writer, &mut |_| Ok(()), &mut |_, _| true)
    }

    fn refusal(&self, serial_min: u64, source: Option<&str>) -> String {
        self.fetch(serial_min, source).unwrap_err().to_string()
    }

    /// The serial that the node serves, whose base is whole.
    fn serves(&self) -> u64 {
        let view = View::open(&self.node()).unwrap();
        view.prepare().unwrap();
        let serial = view.state().serial;
        let name = format!("of-{serial}.demo");
        assert!(view.base().find_domain(&name).unwrap().is_some(), "{name}");
        let files: Vec<_> = fs::read_dir(self.node()).unwrap().flatten().collect();
        assert!(files.iter().all(|file| !file.file_name().to_string_lossy().ends_with(".new")));
        serial
    }
}

#[test]
fn the_newest_snapshot_becomes_the_next_generation() {
    let place = Place::new();
    assert!(place.refusal(0, None).contains("put one there with `whoisd publish-snapshot`"));
    place.publish(9, None, None);
    place.publish(10, Some("a"), None);
    directory(&place.node(), 3, "of-3.demo");
    let arrived = place.fetch(3, None).unwrap();
    assert_eq!((arrived.object.serial, arrived.passed_over), (10, Vec::new()));
    assert_eq!((place.serves(), View::open(&place.node()).unwrap().generation()), (10, 2));
    let again = place.fetch(10, None).unwrap();
    assert_eq!((again.manifest.current.base_generation, place.serves()), (3, 10));
    let listed = place.objects.list(&Trusted::default()).unwrap();
    let serials: Vec<_> = listed.into_iter().map(|object| object.unwrap().serial).collect();
    assert_eq!(serials, [10, 9]);
}

#[test]
fn a_snapshot_of_several_parts_arrives_whole() {
    let place = Place::new();
    let path = place.folder.path().join("large");
    let program = env!("CARGO_BIN_EXE_whoisd");
    let made = Command::new(program)
        .args(["sample", "--domains", "30000", "--into", path.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let view = View::open(&path).unwrap();
    let mut parts = 0;
    let mut count = |_, _| {
        parts += 1;
        true
    };
    place.objects.publish(view.base(), How::default(), &mut count).unwrap();
    assert!(view.base().data().as_ref().len() > PART_BYTES && parts > 1, "{parts} parts");
    place.fetch(0, None).unwrap();
    let fetched = View::open(&place.node()).unwrap();
    fetched.prepare().unwrap();
    let body = |view: &View| view.base().data().as_ref()[4096..].to_vec();
    assert!(body(&fetched) == body(&view), "the same bytes behind the header");
}

#[test]
fn a_damaged_snapshot_is_passed_over_for_the_next_older_one() {
    let place = Place::new();
    for serial in [7, 8, 9, 10] {
        place.publish(serial, None, None);
    }
    let flipped = place.object(10, ".snapshot");
    let mut bytes = fs::read(&flipped).unwrap();
    bytes[5000] ^= 1;
    fs::write(&flipped, &bytes).unwrap();
    let cut = place.object(9, ".snapshot");
    fs::write(&cut, &fs::read(&cut).unwrap()[..5000]).unwrap();
    fs::remove_file(place.object(8, ".snapshot")).unwrap();
    let arrived = place.fetch(0, None).unwrap();
    assert_eq!((arrived.object.serial, place.serves()), (7, 7));
    let words = ["it is damaged", "has 5000 bytes, its manifest says", "not found"];
    assert_eq!(arrived.passed_over.len(), words.len());
    for (problem, words) in arrived.passed_over.iter().zip(words) {
        assert!(problem.contains(words), "{words:?} in {problem}");
    }
    // It is not fetched again, until it was published again.
    let mut asked = 0;
    let wanted = Wanted { serial_min: 10, source: None, unnamed: true, why: String::new() };
    let writer = lock(&place.node());
    let again =
        place.objects.fetch(&wanted, &Trusted::default(), &writer, &mut |_| Ok(()), &mut |_, _| {
            asked += 1;
            true
        });
    assert!(again.unwrap_err().to_string().contains("it is damaged") && asked == 0);
    drop(writer);
    // None that will do: the node keeps what it has.
    let refusal = place.refusal(8, None);
    assert!(refusal.contains("no snapshot that holds serial 8 can be used"), "{refusal}");
    assert_eq!(place.serves(), 7);
    place.publish(10, None, None);
    assert_eq!(place.fetch(8, None).unwrap().object.serial, 10);
}

#[test]
fn a_damaged_or_foreign_manifest_is_passed_over() {
    let place = Place::new();
    place.publish(7, None, None);
    place.publish(8, None, None);
    let manifest = place.object(8, ".manifest");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("serial 8", "serial 9")).unwrap();
    fs::write(place.folder.path().join("store/notes.manifest"), "hello").unwrap();
    fs::write(place.folder.path().join("store/README"), "hello").unwrap();
    let arrived = place.fetch(0, None).unwrap();
    assert_eq!((arrived.object.serial, arrived.passed_over.len()), (7, 1));
    fs::write(&manifest, "x".repeat(10_000)).unwrap();
    assert!(place.fetch(0, None).unwrap().passed_over[0].contains("has 10000 bytes"));
}

#[test]
fn what_holds_less_than_is_wanted_is_not_fetched() {
    let place = Place::new();
    place.publish(7, None, None);
    let refusal = place.refusal(8, None);
    assert!(refusal.contains("the newest one holds serial 7"), "{refusal}");
    // An old one under a newer name, and a newer manifest's name.
    for ending in [".manifest", ".snapshot"] {
        let old = place.object(7, ending);
        let name = old.file_name().unwrap().to_string_lossy().replacen("07-", "09-", 1);
        fs::copy(&old, old.with_file_name(name)).unwrap();
    }
    let refusal = place.refusal(8, None);
    assert!(refusal.contains("it is of serial 7, its name says 9"), "{refusal}");
    assert!(View::open(&place.node()).is_err(), "nothing was published");
}

#[test]
fn only_what_a_trusted_key_signed_is_fetched() {
    let place = Place::new();
    let (key, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    place.publish(7, None, Some(&key));
    place.publish(8, None, Some(&other));
    place.publish(9, None, None);
    let arrived = place.fetch_trusting(0, None, &Trusted::new(vec![key.public()])).unwrap();
    assert_eq!((arrived.object.serial, place.serves()), (7, 7));
    assert!(arrived.passed_over[0].contains("is not signed"), "{arrived:?}");
    assert!(arrived.passed_over[1].contains("is signed with key"), "{arrived:?}");
    assert_eq!(place.fetch(0, None).unwrap().object.serial, 9, "without a trusted key");
}

#[test]
fn a_manifest_says_the_sha256_that_sha256sum_prints() {
    let place = Place::new();
    place.publish(7, None, None);
    let said = fs::read_to_string(place.object(7, ".manifest")).unwrap();
    let sum = Command::new("sha256sum").arg(place.object(7, ".snapshot")).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    let digits = sum.split(' ').next().unwrap();
    assert!(said.contains(&format!("\nsha256 {digits}\n")), "{sum} {said}");
}

#[test]
fn a_node_does_not_go_back_to_an_older_time_of_the_serial_that_it_has() {
    let place = Place::new();
    place.publish(7, None, None);
    directory_of(&place.node(), 7, "of-7.demo", 1_764_000_000_001);
    let live = Live::open(lock(&place.node())).unwrap();
    let views = Arc::new(ArcSwap::from_pointee(View::open(&place.node()).unwrap()));
    let url = format!("file://{}", place.folder.path().join("store").display());
    let fetcher = Fetcher { objects: Objects::open(&url).unwrap(), trusted: Trusted::default() };
    let mut updater =
        Updater::new(live, views, updater::Settings::default()).with_fetcher(Some(fetcher));
    let wanted = Wanted { serial_min: 0, source: None, unnamed: true, why: String::new() };
    let problem = updater.fetch(&wanted).unwrap_err();
    assert!(
        problem.contains("those here are of") && problem.contains("--allow older"),
        "{problem}"
    );
    place.publish(8, None, None);
    assert_eq!(updater.fetch(&wanted).unwrap().serial, 8, "its serial is newer, its time is not");
}

#[test]
fn the_command_trusts_the_keys_of_the_configuration_and_says_what_nobody_vouches_for() {
    let place = Place::new();
    let at = |name: &str| place.folder.path().join(name).to_str().unwrap().to_owned();
    let (key, node, store, config) = (at("key"), at("node"), at("store"), at("whoisd.toml"));
    SecretKey::generate().unwrap().write_new(Path::new(&key)).unwrap();
    let nats =
        format!("[feed.nats]\nservers = [\"nats://127.0.0.1\"]\ntrusted_keys = [\"{key}.pub\"]");
    fs::write(&config, nats).unwrap();
    place.publish(7, None, None);
    let fetch = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whoisd"));
        let output =
            command.args(["fetch-snapshot", "--from", &store, "--into", &node]).args(more).output();
        let output = output.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
    };
    let (status, said) = fetch(&["--config", &config]);
    assert!(status == 1 && said.contains("is not signed"), "{status} {said}");
    let (status, said) = fetch(&[]);
    assert!(status == 0 && said.contains("no key is trusted"), "{status} {said}");
    place.publish(8, None, Some(&SecretKey::read(Path::new(&key)).unwrap()));
    let (status, said) = fetch(&["--config", &config]);
    assert!(status == 0 && said.contains("signed by a trusted key"), "{status} {said}");
}

#[test]
fn only_serials_of_the_wanted_source_are_fetched() {
    let place = Place::new();
    place.publish(7, Some("a"), None);
    place.publish(8, None, None);
    place.publish(9, Some("b"), None);
    assert_eq!(place.fetch(0, Some("a")).unwrap().object.serial, 7);
    let refusal = place.refusal(8, Some("a"));
    assert!(refusal.contains("no snapshot of source a that holds serial 8"), "{refusal}");
}

#[test]
fn an_interruption_leaves_nothing_behind() {
    let place = Place::new();
    place.publish(7, None, None);
    directory(&place.node(), 3, "of-3.demo");
    let wanted = Wanted { serial_min: 0, source: None, unnamed: true, why: String::new() };
    let writer = lock(&place.node());
    let fetched =
        place
            .objects
            .fetch(&wanted, &Trusted::default(), &writer, &mut |_| Ok(()), &mut |_, _| false);
    assert!(matches!(fetched, Err(ObjectError::Interrupted)), "{fetched:?}");
    assert_eq!(place.serves(), 3);
    let view = View::open(&place.node()).unwrap();
    let sent = place.objects.publish(view.base(), How::default(), &mut |_, _| false);
    assert!(matches!(sent, Err(ObjectError::Interrupted)), "{sent:?}");
    assert_eq!(place.objects.list(&Trusted::default()).unwrap().len(), 1);
}

#[test]
fn an_address_that_is_none_says_what_is_expected() {
    for bad in ["", "ftp://x", "file://relative", "nats://x"] {
        let refusal = Objects::open(bad).unwrap_err().to_string();
        assert!(refusal.contains("expected a directory, file:///DIRECTORY"), "{refusal}");
    }
}

#[test]
fn the_commands_publish_and_fetch() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let ran = |arguments: &[&str]| {
        let program = env!("CARGO_BIN_EXE_whoisd");
        let output = Command::new(program).args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
    };
    directory(Path::new(&at("registry")), 7, "of-7.demo");
    let (registry, store, node, key) = (at("registry"), at("store"), at("node"), at("key"));
    assert_eq!(ran(&["key", "new", &key]).0, 0);
    let publish =
        ["publish-snapshot", "--dir", &registry, "--to", &store, "--source", "a", "--key", &key];
    let (status, text) = ran(&publish);
    assert!(status == 0 && text.contains("serial 7 of source a"), "{text}");
    let (status, text) = ran(&publish);
    assert!(status == 0 && text.contains("is there already"), "{text}");
    let trusted = format!("{key}.pub");
    let fetch = ["fetch-snapshot", "--from", &store, "--into", &node, "--trusted", &trusted];
    let (status, text) = ran(&fetch);
    assert!(status == 0 && text.contains("fetched serial 7"), "{text}");
    // Changes are folded into what is published, or left out and said so.
    append(Path::new(&registry), 8, "of-8.demo");
    let (status, text) = ran(&["publish-snapshot", "--dir", &registry, "--to", &store, "--base"]);
    assert!(
        status == 0 && text.contains("serial 7") && text.contains("left out: 1 later change"),
        "{text}"
    );
    let (status, text) = ran(&publish);
    assert!(status == 0 && text.contains("serial 8 of source a"), "{text}");
    let (status, text) = ran(&fetch);
    assert!(status == 0 && text.contains("fetched serial 8"), "{text}");
    assert_eq!(whoisd::feed::nats::source_of(Path::new(&node)).unwrap().to_string(), "a");
    let view = View::open(Path::new(&node)).unwrap();
    view.prepare().unwrap();
    for name in ["of-7.demo", "of-8.demo"] {
        assert!(view.base().find_domain(name).unwrap().is_some(), "{name}");
    }
    directory(Path::new(&node), 9, "of-9.demo");
    let (status, text) = ran(&fetch);
    assert!(status == 1 && text.contains("the newest one holds serial 8"), "{text}");
    let (status, text) = ran(&["publish-snapshot", "--dir", &registry, "--to", "x://y"]);
    assert!(status == 1 && text.contains("no object store that is known"), "{text}");
}

#[test]
fn heartbeats_alone_make_a_newer_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let ran = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_whoisd")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let (registry, store, node) = (at("registry"), at("store"), at("node"));
    directory(Path::new(&registry), 41, "of-41.demo");
    let publish = ["publish-snapshot", "--dir", &registry, "--to", &store];
    assert!(ran(&publish).contains("serial 41"));
    for serial in 42..=69 {
        beat(Path::new(&registry), serial);
    }
    let said = ran(&publish);
    assert!(said.contains("serial 69") && !said.contains("left out"), "{said}");
    let again = ran(&publish);
    assert!(again.contains("serial 69") && again.contains("is there already"), "{again}");
    assert!(ran(&[&publish[..], &["--base"]].concat()).contains("left out: 28 later changes"));
    ran(&["fetch-snapshot", "--from", &store, "--into", &node]);
    let view = View::open(Path::new(&node)).unwrap();
    view.prepare().unwrap();
    assert_eq!(view.state().serial, 69);
    assert!(view.base().find_domain("of-41.demo").unwrap().is_some());
}

#[test]
fn the_same_data_of_a_directory_that_counts_otherwise_leave_what_is_there_good() {
    let place = Place::new();
    place.publish(7, None, None);
    let manifest = fs::read(place.object(7, ".manifest")).unwrap();
    // The node's second generation is the registry's first one.
    directory(&place.node(), 3, "of-3.demo");
    place.fetch(0, None).unwrap();
    let view = View::open(&place.node()).unwrap();
    assert_eq!((view.base().header().generation, view.base().header().serial), (2, 7));
    let how = How::default();
    let published = place.objects.publish(view.base(), how, &mut |_, _| true).unwrap();
    assert!(published.was_there && published.changes.is_empty(), "{published:?}");
    assert_eq!(fs::read(place.object(7, ".manifest")).unwrap(), manifest);
    assert_eq!(place.fetch(7, None).unwrap().passed_over, Vec::<String>::new());
    // One whose manifest is not there yet may have any bytes: it is written again.
    fs::remove_file(place.object(7, ".manifest")).unwrap();
    let published = place.objects.publish(view.base(), how, &mut |_, _| true).unwrap();
    assert!(!published.was_there);
    assert_eq!(place.fetch(7, None).unwrap().passed_over, Vec::<String>::new());
}

#[test]
fn the_same_serial_under_another_source_leaves_the_manifest_as_it_is() {
    let place = Place::new();
    place.publish(9, Some("registry-a"), None);
    let manifest = fs::read(place.object(9, ".manifest")).unwrap();
    let path = place.folder.path().join("registry-9");
    let view = View::open(&path).unwrap();
    for replace in [false, true] {
        let source = "registry-b".parse().unwrap();
        let how = How { source: Some(&source), key: None, replace };
        let error = place.objects.publish(view.base(), how, &mut |_, _| true).unwrap_err();
        assert!(error.to_string().contains("has the serials of registry-a"), "{error}");
        assert_eq!(fs::read(place.object(9, ".manifest")).unwrap(), manifest);
    }
    // Who does not say whose serials they are does not unsay it.
    let how = How { source: None, key: None, replace: false };
    place.objects.publish(view.base(), how, &mut |_, _| true).unwrap();
    assert_eq!(fs::read(place.object(9, ".manifest")).unwrap(), manifest);
    place.publish(9, Some("registry-a"), None);
}

#[test]
fn a_directory_that_follows_a_source_publishes_and_fetches_under_no_other() {
    let place = Place::new();
    let store = place.folder.path().join("store").display().to_string();
    let path = place.folder.path().join("registry-9");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_whoisd")).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    place.publish(9, Some("registry-a"), None);
    note_source(&path, &"registry-a".parse().unwrap()).unwrap();
    let dir = path.to_str().unwrap();
    let (status, said) =
        run(&["publish-snapshot", "--dir", dir, "--to", &store, "--source", "registry-b"]);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("has the serials of registry-a"), "{said}");
    assert_eq!(run(&["publish-snapshot", "--dir", dir, "--to", &store]).0, Some(0));
    // A newer snapshot of another registry is not what it goes on with.
    place.publish(12, Some("registry-b"), None);
    let (status, said) = run(&["fetch-snapshot", "--from", &store, "--into", dir]);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(View::open(&path).unwrap().state().serial, 9);
    let slip = format!("file:{store}");
    let (status, said) = run(&["publish-snapshot", "--dir", dir, "--to", &slip]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("there is no // behind the scheme"), "{said}");
}

#[test]
fn what_is_there_keeps_its_signature_and_its_source_and_changes_are_said() {
    let place = Place::new();
    let (one, two) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    place.publish(9, Some("registry-a"), Some(&one));
    let path = place.folder.path().join("registry-9");
    let view = View::open(&path).unwrap();
    let publish = |key: Option<&SecretKey>, replace| {
        let how = How { source: None, key, replace };
        place.objects.publish(view.base(), how, &mut |_, _| true).unwrap()
    };
    let manifest = fs::read(place.object(9, ".manifest")).unwrap();
    for (key, replace) in [(None, false), (None, true), (Some(&one), false)] {
        let published = publish(key, replace);
        assert_eq!(published.changes, Vec::<String>::new());
        assert_eq!(published.key.as_deref(), Some(one.public().id()));
        assert_eq!(fs::read(place.object(9, ".manifest")).unwrap(), manifest);
    }
    let published = publish(Some(&two), false);
    assert!(published.changes[0].contains("was replaced by one of key"), "{published:?}");
    place.fetch_trusting(0, None, &Trusted::new(vec![two.public()])).unwrap();
    // One without either gets both.
    place.publish(10, None, None);
    let view = View::open(&place.folder.path().join("registry-10")).unwrap();
    let source = "registry-a".parse().unwrap();
    let how = How { source: Some(&source), key: Some(&one), replace: false };
    let changes = place.objects.publish(view.base(), how, &mut |_, _| true).unwrap().changes;
    assert!(changes.len() == 2 && changes[1].contains("has registry-a now"), "{changes:?}");
}

#[test]
fn an_interrupted_upload_leaves_nothing_behind() {
    let place = Place::new();
    let path = place.folder.path().join("registry");
    directory(&path, 9, "of-9.demo");
    let view = View::open(&path).unwrap();
    let how = How::default();
    let stopped = place.objects.publish(view.base(), how, &mut |_, _| false);
    assert!(matches!(stopped, Err(ObjectError::Interrupted)));
    let left = fs::read_dir(place.folder.path().join("store"));
    assert_eq!(left.map_or(0, Iterator::count), 0);
}

//! Snapshots through an object store: which arrive, and which are refused for the files beside
//! them.

mod objects;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arc_swap::ArcSwap;
use objects::{Place, directory, directory_of, lock};
use whoisd::feed::key::{SecretKey, Trusted};
use whoisd::feed::nats::Wanted;
use whoisd::feed::objects::{How, ObjectError, Objects, PART_BYTES};
use whoisd::store::Live;
use whoisd::updater::{self, Fetcher, Updater};
use whoisd::view::View;

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
    // It is not fetched again until it is published again.
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
    // No snapshot can be used: the node keeps what it has.
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
fn a_snapshot_with_less_than_is_wanted_is_not_fetched() {
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
    let problem = updater.fetch(&wanted).unwrap_err().to_string();
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

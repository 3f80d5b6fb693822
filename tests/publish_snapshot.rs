//! `whoisd publish-snapshot` and its effect on an object store.

mod objects;

use std::fs;
use std::path::Path;
use std::process::Command;

use objects::{Place, append, beat, directory};
use whoisd::feed::key::{SecretKey, Trusted};
use whoisd::feed::nats::note_source;
use whoisd::feed::objects::{How, ObjectError};
use whoisd::view::View;

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
fn a_directory_may_be_named_by_way_of_the_one_above() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    directory(&inner.join("registry"), 7, "of-7.demo");
    let ran = |arguments: &[&str]| {
        let program = env!("CARGO_BIN_EXE_whoisd");
        let output = Command::new(program).args(arguments).current_dir(&inner).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap(), said)
    };
    let absolute = format!("file://{}/inner/../store", folder.path().display());
    for to in ["../store", "../none/../store/", absolute.as_str()] {
        let (status, said) = ran(&["publish-snapshot", "--dir", "registry", "--to", to]);
        assert!(status == 0, "{to}: {said}");
        let (status, said) = ran(&["fetch-snapshot", "--from", "../store", "--into", "node"]);
        assert!(status == 0, "{to}: {said}");
    }
    assert_eq!(fs::read_dir(folder.path().join("store")).unwrap().count(), 2);
    for to in ["../file", "../file/store"] {
        let (status, said) = ran(&["publish-snapshot", "--dir", "registry", "--to", to]);
        assert!(status == 1 && said.contains("file is not a directory; expected a"), "{said}");
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
    // Changes are folded into the snapshot, or left out, and the command says so.
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
    // A publication without a source does not remove the one that is known.
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
    // It does not go on from a newer snapshot of another registry.
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
fn a_published_snapshot_keeps_its_signature_and_its_source_and_changes_are_reported() {
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

#[test]
fn batches_of_changes_go_into_no_snapshot_directory_but_its_spool() {
    let folder = tempfile::tempdir().unwrap();
    let registry = folder.path().join("registry");
    directory(&registry, 7, "of-7.demo");
    fs::create_dir(registry.join("spool")).unwrap();
    let ran = |to: &str| {
        let program = env!("CARGO_BIN_EXE_whoisd");
        // There is no server: asking for a database fails the command.
        let from = "postgres://a@127.0.0.1:1/a?connect_timeout=1";
        let output = Command::new(program)
            .args(["publish", "--once", "--from", from, "--to", to])
            .current_dir(folder.path())
            .output()
            .unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, said) = ran("registry");
    assert!(status == 2 && said.contains("is the snapshot directory"), "{status} {said}");
    assert!(said.contains("registry/spool, or another directory"), "{said}");
    let (status, said) = ran("registry/spool");
    assert!(status == 1 && !said.contains("snapshot directory"), "{status} {said}");
}

#[test]
fn a_server_that_finds_no_first_snapshot_takes_its_directory_away_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("store")).unwrap();
    let config = "[server]\nlisten = [\"127.0.0.1:0\"]\ncontrol = \"\"\n\
                  [feed.nats]\nservers = [\"nats://127.0.0.1:1\"]\nobjects = \"store\"\n";
    fs::write(folder.path().join("whoisd.toml"), config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_whoisd"))
        .args(["serve", "--dir", "above/node", "--config", "whoisd.toml"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1), "{said}");
    assert!(said.contains("put one there with `whoisd publish-snapshot`"), "{said}");
    assert!(!folder.path().join("above").exists(), "{said}");
}

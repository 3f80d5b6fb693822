//! `whoisd publish` as a program.

use std::fs;
use std::process::{Command, Output, Stdio};

use crate::database::Database;
use crate::order::{last_in, within_patience};

fn publish(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whoisd"));
    let Output { status, stdout, stderr } =
        command.arg("publish").args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn it_publishes_into_a_directory_and_makes_bases() {
    let database = Database::unpublished("");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("from"), format!("{}\n", database.url())).unwrap();
    let from = format!("@{}", path("from"));
    let (status, out, err) = publish(&["--from", &from, "--to", &path("feed"), "--once"]);
    // The server of the tests runs without fsync: there is a warning of that, and no other line.
    let said: Vec<_> = err.lines().filter(|line| !line.contains("fsync = off")).collect();
    assert_eq!((status, said.len()), (0, 0), "{err}");
    assert_eq!(out, "7 records in 1 batch, 0 left out, last serial 7\n");
    let batch = path("feed/00000000000000000001-00000000000000000007.jsonl");
    assert_eq!(fs::read_to_string(batch).unwrap().lines().count(), 7);
    let (_, out, _) = publish(&["--from", &from, "--to", &path("feed"), "--once"]);
    assert_eq!(out, "0 records in 0 batches, 0 left out, last serial 7\n");
    let (status, out, err) =
        publish(&["--from", database.url(), "--bootstrap", "--into", &path("base")]);
    assert_eq!(status, 0, "{err}");
    assert!(out.starts_with("generation 1 with serial 7 of pg-"), "{out}");
    assert!(out.contains(":\n           1  domains\n           2  nameservers\n"), "{out}");
}

#[test]
fn the_annotated_configuration_is_one() {
    let rules = whoisd::publish::Rules::parse(include_str!("../../deploy/publish.toml"));
    rules.unwrap();
}

#[test]
fn wrong_use_says_what_is_wrong_without_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().to_str().unwrap();
    let (status, _, err) = publish(&["--from", "mysql://u:secret@h/d", "--to", to]);
    assert_eq!(status, 3);
    assert!(err.contains("--from: got something that does not begin with postgres://"), "{err}");
    let (status, _, err) = publish(&["--from", "postgres://u:secret@h:port/d", "--to", to]);
    assert!(status == 3 && !err.contains("secret"), "{err}");
    for (from, named) in [
        ("postgres://u@h/d?sslmode=full", "sslmode=full"),
        ("postgres:///d?sslmode=verify-full", "sslmode=verify-full"),
        ("postgres:///d?passfile=/nowhere", "passfile=/nowhere"),
        ("postgres:///d?colour=red", "\"colour\" is not known"),
    ] {
        let (status, _, err) = publish(&["--from", from, "--to", to]);
        assert!(status == 3 && err.contains(named), "{from}: {err}");
    }
    for slip in ["nats:127.0.0.1", "nats:/127.0.0.1/WHOISD", "localhost:4222"] {
        let (status, _, err) = publish(&["--from", "postgres:///d", "--to", slip]);
        assert!(status == 3 && err.contains("without //"), "{slip}: {err}");
        assert!(!std::path::Path::new(slip).exists(), "{slip}");
    }
    let config = folder.path().join("publish.toml");
    fs::write(&config, "[zone.demo]\nmodel = \"fat\"\n").unwrap();
    let config = config.to_str().unwrap();
    let arguments = ["--from", "postgres:///d", "--to", to, "--config", config];
    let (status, _, err) = publish(&arguments);
    assert!(status == 3 && err.contains("publish.toml") && err.contains("`fat`"), "{err}");
    let (status, ..) = publish(&["--from", "postgres:///d", "--bootstrap"]);
    assert_eq!(status, 2);
    let (status, ..) = publish(&["--from", "postgres:///d"]);
    assert_eq!(status, 2);
    for option in ["--key", "--credentials"] {
        let (status, _, err) = publish(&["--from", "postgres:///d", "--to", to, option, "file"]);
        assert!(status == 3 && err.contains(&format!("{option}: is for a stream")), "{err}");
    }
    let socket = format!("postgres:///d?host={to}&user=nobody");
    let (status, _, err) = publish(&["--from", &socket, "--to", to, "--once"]);
    assert!(status == 1 && err.contains("database: "), "{err}");
}

#[test]
fn signals_that_mean_a_reload_elsewhere_do_not_end_it_and_those_that_end_do() {
    let database = Database::unpublished("");
    let folder = tempfile::tempdir().unwrap();
    for end in ["TERM", "INT"] {
        let to = folder.path().join(end);
        let mut running = Command::new(env!("CARGO_BIN_EXE_whoisd"))
            .args(["publish", "--from", database.url(), "--heartbeat-ms", "100", "--to"])
            .arg(&to)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let id = running.id().to_string();
        let signal = |name: &str| {
            let sent = Command::new("kill").args(["-s", name, &id]).status().unwrap();
            assert!(sent.success());
        };
        assert!(within_patience(|| last_in(&to).is_some()));
        for name in ["HUP", "USR1", "USR2"] {
            let before = last_in(&to);
            signal(name);
            assert!(within_patience(|| last_in(&to) > before), "{name}");
            assert_eq!(running.try_wait().unwrap(), None, "{name}");
        }
        signal(end);
        assert!(within_patience(|| running.try_wait().unwrap().is_some()));
        assert_eq!(running.wait().unwrap().code(), Some(0), "{end}");
    }
}

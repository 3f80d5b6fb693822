//! A server whose spool has a problem: a first file that is refused, folders that were replaced by
//! something else.
#![allow(clippy::unwrap_used, reason = "tests may panic")]
#![allow(clippy::disallowed_methods, reason = "a test that waits for other processes")]

mod server;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use server::{Server, program};
use whoisd::view::View;

/// An event that takes longer than this does not happen.
const PATIENCE: Duration = Duration::from_secs(120);

/// A directory with a FULL deposit, and a configuration with a spool and a status listener.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        site.import();
        let config = format!(
            "[server]\ndir = {:?}\nlisten = [\"127.0.0.1:0\"]\ncores = \"0\"\n[updater]\n\
             spool = true\n[status]\nlisten = \"127.0.0.1:0\"\n",
            site.dir()
        );
        fs::write(site.config(), config).unwrap();
        site
    }

    fn import(&self) {
        let full = "tests/deposits/rfc9022-full-xml.xml";
        let done = program().args(["import", full, "--into"]).arg(self.dir()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    fn dir(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn spool(&self) -> PathBuf {
        self.dir().join("spool")
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("whoisd.toml")
    }

    fn serve(&self) -> Server {
        Server::start(&["--config", self.config().to_str().unwrap()])
    }

    fn check(&self) -> Output {
        program().args(["config", "check"]).arg(self.config()).output().unwrap()
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.spool().join(".next"), text).unwrap();
        fs::rename(self.spool().join(".next"), self.spool().join(name)).unwrap();
    }

    fn serial(&self) -> u64 {
        View::open(&self.dir()).unwrap().state().serial
    }
}

fn heartbeats(serials: std::ops::RangeInclusive<u64>, more: &str) -> String {
    let line = |serial| {
        format!(
            "{{\"v\":1,\"serial\":{serial},\"committed\":\"2026-11-20T03:04:05.000Z\",{more}\
             \"kind\":\"heartbeat\"}}\n"
        )
    };
    serials.map(line).collect()
}

fn get(server: &Server, path: &str) -> String {
    let mut client = TcpStream::connect(server.status.unwrap()).unwrap();
    write!(client, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// The spool in `/freshness`, once it is as expected.
fn fresh(server: &Server, is_so: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let begun = Instant::now();
    loop {
        let all: serde_json::Value = serde_json::from_str(&get(server, "/freshness")).unwrap();
        if is_so(&all["spool"]) {
            return all["spool"].clone();
        }
        assert!(begun.elapsed() < PATIENCE, "{all}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_refused_first_file_holds_up_later_ones_until_its_serials_or_a_full_deposit_come() {
    let site = Site::new();
    let server = site.serve();
    site.put("0001.jsonl", &heartbeats(6..=10, "\"colour\":1,"));
    fresh(&server, |spool| spool["rejected"] == 1 && spool["file"] == "0001.jsonl");
    site.put("0002.jsonl", &heartbeats(11..=20, ""));
    let held = fresh(&server, |spool| spool["file"] == "0002.jsonl");
    assert!(held["problem"].as_str().unwrap().contains("0001.jsonl was refused"), "{held}");
    assert_eq!(held["waiting"], 2);
    let said = get(&server, "/ready");
    assert!(said.contains("ready, but waiting in the spool for"), "{said}");
    assert!(get(&server, "/metrics").contains("\nwhoisd_spool_waiting_files 2\n"));
    let log = server.stop();
    assert!(log.contains("the spool waits"), "{log}");
    // Without a server the command keeps to it as well.
    let file = site.0.path().join("later.jsonl");
    fs::write(&file, heartbeats(11..=20, "")).unwrap();
    let apply = program().arg("apply").arg(&file).arg("--dir").arg(site.dir()).output().unwrap();
    let said = String::from_utf8_lossy(&apply.stderr).into_owned();
    assert_eq!(apply.status.code(), Some(1), "{said}");
    assert!(said.contains("serial 11 cannot be the first one of this directory"), "{said}");
    let server = site.serve();
    fresh(&server, |spool| spool["file"] == "0002.jsonl");
    site.put("mended.jsonl", &heartbeats(6..=10, ""));
    fresh(&server, |spool| spool["applied"] == 2 && spool["waiting"] == 0);
    server.stop();
    assert_eq!(site.serial(), 20);
    // Another registry: a FULL deposit replaces all that the spool waits for.
    let site = Site::new();
    let server = site.serve();
    site.put("0001.jsonl", "no record\n");
    fresh(&server, |spool| spool["rejected"] == 1);
    server.stop();
    assert!(site.dir().join("files.held").exists());
    site.import();
    assert!(!site.dir().join("files.held").exists());
    let server = site.serve();
    site.put("0002.jsonl", &heartbeats(11..=20, ""));
    fresh(&server, |spool| spool["applied"] == 1);
    server.stop();
    assert_eq!(site.serial(), 20);
}

#[test]
fn a_command_without_a_server_does_not_apply_later_records_over_a_refused_first_file() {
    let site = Site::new();
    let apply = |text: &str| {
        let file = site.0.path().join("changes.jsonl");
        fs::write(&file, text).unwrap();
        let done = program().arg("apply").arg(&file).arg("--dir").arg(site.dir()).output().unwrap();
        (done.status.code().unwrap(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    assert_eq!(apply(&heartbeats(6..=10, "\"colour\":1,")).0, 3);
    let (status, said) = apply(&heartbeats(11..=20, ""));
    assert!(status == 1 && said.contains("changes.jsonl was refused"), "{status}: {said}");
    for serials in [6..=10, 11..=20] {
        assert_eq!(apply(&heartbeats(serials, "")).0, 0);
    }
    assert_eq!(site.serial(), 20);
    // Once there is a serial, it shows what is missing.
    assert_eq!((apply("no record\n").0, apply(&heartbeats(22..=22, "")).0), (3, 1));
    assert!(!site.dir().join("files.held").exists());
}

#[test]
fn a_server_starts_and_answers_whatever_replaces_its_folders_in_the_spool() {
    let site = Site::new();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir_all(site.spool().join("rejected")).unwrap();
    fs::write(site.spool().join("done"), "").unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), site.spool().join("findings")).unwrap();
    let check = site.check();
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.success(), "the unit starts the server after it: {check:?}");
    for folder in ["done", "findings"] {
        let warned = said.lines().any(|line| {
            line.contains("warning: updater.spool: ") && line.contains(&format!("spool/{folder}: "))
        });
        assert!(warned, "{folder} in {said}");
    }
    assert!(!said.contains("chmod"), "{said}");
    let mode = |mode| fs::set_permissions(site.spool(), fs::Permissions::from_mode(mode)).unwrap();
    for (bits, is_warned) in [(0o2770, true), (0o3770, false)] {
        mode(bits);
        let said = String::from_utf8_lossy(&site.check().stdout).into_owned();
        assert_eq!(said.contains("chmod +t"), is_warned, "{said}");
    }
    let server = site.serve();
    let answer = server.ask("example1.example\r\n");
    assert!(answer.contains("Registry Domain ID"), "{answer}");
    fresh(&server, |spool| spool["file"] == "done/" && spool["waiting"] == 0);
    let said = get(&server, "/ready");
    assert!(said.starts_with("ready, but in the spool for"), "{said}");
    site.put("0001.jsonl", &heartbeats(1..=2, ""));
    fresh(&server, |spool| spool["applied"] == 1 && spool["waiting"] == 1);
    fs::create_dir(site.spool().join("somebody's")).unwrap();
    fs::remove_file(site.spool().join("done")).unwrap();
    fs::remove_file(site.spool().join("findings")).unwrap();
    fresh(&server, |spool| spool["file"].is_null());
    assert!(site.spool().join("done/0001.jsonl").exists());
    site.put("0002.jsonl", &heartbeats(3..=4, ""));
    fresh(&server, |spool| spool["applied"] == 2 && spool["waiting"] == 0);
    assert!(String::from_utf8_lossy(&site.check().stdout).contains(": good\n"));
    let log = server.stop();
    let times = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!(times("a folder in the spool is passed over"), 1, "{log}");
    // Done, and the findings once that was right.
    assert!(times("a folder of the spool cannot be used") <= 2, "{log}");
    assert_eq!(times("the folders of the spool can be used again"), 1, "{log}");
}

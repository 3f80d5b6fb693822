//! The server as a service manager and its log see it: readiness, signals, priorities, numbers.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be run fails it")]

mod server;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use server::{Server, program};

/// How long a test waits for an event that does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory with a small registry, and a configuration that serves it on a free port.
fn registry() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("registry");
    let mut sample = program();
    sample.args(["sample", "--quiet", "--domains", "100", "--into"]).arg(&dir);
    assert!(sample.status().unwrap().success());
    let config = folder.path().join("whoisd.toml");
    let text = format!(
        "[server]\ndir = {:?}\nlisten = [\"127.0.0.1:0\"]\ncores = \"0\"\n",
        dir.to_str().unwrap()
    );
    fs::write(&config, text).unwrap();
    (folder, config)
}

fn serve(config: &Path) -> Command {
    let mut command = program();
    command.args(["serve", "--log-format", "json", "--config"]).arg(config);
    command
}

/// The messages to the service manager, as `KEY=VALUE` lines.
fn told(manager: &UnixDatagram) -> Vec<String> {
    let mut bytes = [0; 4_096];
    let count = manager.recv(&mut bytes).unwrap();
    let text = std::str::from_utf8(&bytes[..count]).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Values of a key that are in force in a unit.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

/// A size as units have it, bytes.
fn bytes(size: &str) -> Option<u64> {
    let (number, shift) = match size.split_at(size.len().checked_sub(1)?) {
        (number, "M") => (number, 20),
        (number, "G") => (number, 30),
        _ => (size, 0),
    };
    number.parse::<u64>().ok()?.checked_shl(shift)
}

#[test]
fn every_unit_that_runs_on_has_a_bound_of_memory_in_which_its_own_bounds_fit() {
    let (mut count, mut percents) = (0, Vec::new());
    for entry in fs::read_dir("deploy").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "service") {
            continue;
        }
        let unit = fs::read_to_string(&path).unwrap();
        if values(&unit, "Type") == ["oneshot"] {
            continue;
        }
        count += 1;
        let max = values(&unit, "MemoryMax");
        let [max] = max[..] else { panic!("{}: MemoryMax {max:?}", path.display()) };
        let serves = |run: &str| run.contains("whoisd serve") || run.contains("whoisd-web serve");
        let is_server = values(&unit, "ExecStart").into_iter().any(serves);
        // Servers have the machine for themselves; snapshots are mapped beside what
        // updater.memory_bytes bounds, and the pages that both servers map count once, for the one
        // that read them first. Others run beside something.
        let fits = match (max.strip_suffix('%'), is_server) {
            (Some(percent), true) => {
                let percent: u32 = percent.parse().unwrap();
                percents.push(percent);
                percent >= 25
            }
            (None, true) => bytes(max).unwrap() >= 2 * whoisd::updater::MEMORY_BYTES,
            (Some(_), false) => false,
            (None, false) => bytes(max).unwrap() <= whoisd::updater::MEMORY_BYTES,
        };
        assert!(fits, "{}: MemoryMax={max}", path.display());
    }
    assert!(count >= 2, "{count} units in deploy/");
    // Both at their bounds at once leave the machine the tenth that it needs.
    assert!(percents.iter().sum::<u32>() <= 90, "{percents:?} % of the memory");
}

#[test]
fn the_service_manager_hears_of_readiness_reloads_and_the_end() {
    let (folder, config) = registry();
    let path = folder.path().join("notify.sock");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let server = Server::from_command(serve(&config).env("NOTIFY_SOCKET", &path));
    let ready = told(&manager);
    assert_eq!(ready, ["READY=1", "STATUS=serving generation 1, 100 domains"]);
    assert!(server.ask("example.demo\r\n").contains("Domain Name"), "it is ready");
    server.signal("-HUP");
    let reloading = told(&manager);
    assert_eq!(reloading[0], "RELOADING=1");
    assert!(reloading[1].starts_with("MONOTONIC_USEC="), "{reloading:?}");
    assert_eq!(told(&manager), ["READY=1"]);
    server.signal("-TERM");
    assert_eq!(told(&manager), ["STOPPING=1", "STATUS=draining"]);
    let (status, log) = server.wait();
    assert_eq!(status, Some(0), "{log}");
}

#[test]
fn signals_that_mean_something_elsewhere_end_no_server() {
    let (_folder, config) = registry();
    let server = Server::from_command(&mut serve(&config));
    for signal in ["-USR1", "-USR2", "-HUP", "-WINCH", "-PIPE"] {
        server.signal(signal);
        assert!(server.ask("example.demo\r\n").contains("Domain Name"), "after {signal}");
    }
    let log = server.stop();
    assert_eq!(log.matches("a signal without a meaning here").count(), 2, "{log}");
    assert!(log.contains("\"stopped\""), "{log}");
}

/// Fields that are numbers by their name.
fn is_number(key: &str) -> bool {
    ["_ms", "_s", "_bytes", "_count"].iter().any(|ending| key.ends_with(ending))
        || ["generation", "serial", "domains", "signal", "changed", "takes_restart"].contains(&key)
}

#[test]
fn numbers_in_the_json_log_are_numbers() {
    let (_folder, config) = registry();
    let mut command = serve(&config);
    let server = Server::from_command(command.args(["--log-level", "debug"]));
    server.signal("-USR1");
    server.signal("-HUP");
    assert!(server.ask("example.demo\r\n").contains("Domain Name"));
    let started = server.started.to_string();
    let log = server.stop();
    let mut seen = 0;
    for line in std::iter::once(started.as_str()).chain(log.lines()) {
        let Value::Object(fields) = serde_json::from_str::<Value>(line).unwrap() else { panic!() };
        for (key, value) in fields.iter().filter(|(key, _)| is_number(key)) {
            assert!(value.is_number(), "{key} in {line}");
            seen += 1;
        }
    }
    assert!(seen >= 6, "{started}\n{log}");
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a server whose standard error is a file that counts as the journal, or not, until its log
/// has a word, or it has ended.
fn logged(arguments: &[&str], journal: bool, word: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = File::create(&path).unwrap();
    let at = log.metadata().unwrap();
    let other = u64::from(!journal);
    let mut command = program();
    command.args(arguments).stderr(Stdio::from(log));
    command.env("JOURNAL_STREAM", format!("{}:{}", at.dev(), at.ino() + other));
    let mut process = Ended(command.spawn().unwrap());
    for _ in 0..1_200 {
        let text = fs::read_to_string(&path).unwrap();
        if text.contains(word) || process.0.try_wait().unwrap().is_some() {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    fs::read_to_string(&path).unwrap()
}

#[test]
fn the_journal_gets_priorities_and_nobody_else_does() {
    let (_folder, config) = registry();
    let config = config.to_str().unwrap();
    for format in ["text", "json"] {
        let arguments = ["serve", "--config", config, "--log-format", format];
        let text = logged(&arguments, true, "serving");
        assert!(text.lines().count() > 0 && text.contains("serving"), "{text}");
        assert!(
            text.lines().all(|line| line.starts_with("<6>") || line.starts_with("<4>")),
            "{text}"
        );
        let text = logged(&arguments, false, "serving");
        assert!(text.contains("serving") && !text.contains("<6>"), "{text}");
    }
    // Lines before there is a log.
    let arguments = ["serve", "--dir", "/nothing/there", "--listen", "127.0.0.1:0"];
    let text = logged(&arguments, true, "whoisd:");
    assert!(text.starts_with("<3>whoisd: /nothing/there: "), "{text}");
    assert!(logged(&arguments, false, "whoisd:").starts_with("whoisd: "));
}

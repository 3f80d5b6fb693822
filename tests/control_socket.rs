//! The control socket by itself: who may connect, what a hostile client gets, and the commands
//! against a model of the blocks.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be run fails it")]

mod blocks;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::{Value, json};
use tempfile::TempDir;
use whoisd::config::Settings;
use whoisd::control::{
    Blocks, Commands, Keeper, ListWatcher, REQUEST_BYTES_MAX, Request, ask, claim, serve,
    start_keeper,
};
use whoisd::observe::clock;
use whoisd::place::aside::{Place, Weight};
use whoisd::policy::lists::Lists;

use blocks::Model;

/// How long a client may be silent here.
const SILENT: Duration = Duration::from_secs(4);

/// A control socket without a server.
struct Alone {
    folder: TempDir,
    socket: PathBuf,
    model: Arc<Model>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Alone {
    fn start(list: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control.sock");
        let file = folder.path().join("a.toml");
        fs::write(&file, list).unwrap();
        let lists = Arc::new(ArcSwap::from_pointee(Lists::default()));
        let mut watch =
            ListWatcher::new(vec![file.clone()], Arc::clone(&lists), Box::new(|_| true));
        assert!(watch.look(clock::wall_ms(), true).errors.is_empty());
        let mut settings = Settings::default();
        settings.policy.lists = vec![file];
        let again = settings.clone();
        let keeper = Keeper {
            load: Box::new(move || Ok(again.clone())),
            started: settings,
            parts: Vec::new(),
            watch,
            now_ms: clock::wall_ms,
            reloading: |_| {},
        };
        let stop = Arc::new(AtomicBool::new(false));
        let place = Place { core: None, shard_cores: &[], weight: Weight::Full };
        let (keeper, keeping) = start_keeper(keeper, Arc::clone(&stop), place).unwrap();
        let model = Arc::new(Model::default());
        let blocks: Arc<dyn Blocks> = Arc::<Model>::clone(&model);
        let commands = Commands {
            lists,
            blocks,
            keeper,
            status: Box::new(|| json!({"fine": true})),
            figures: Box::new(|| panic!("figures that break")),
        };
        let claimed = claim(&socket).unwrap();
        let serving = serve(claimed, Arc::new(commands), Arc::clone(&stop), place, SILENT).unwrap();
        Self { folder, socket, model, stop, threads: vec![keeping, serving] }
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Exit status, standard output and standard error of a command.
    fn whoisd(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_whoisd"))
            .args(arguments)
            .arg("--control")
            .arg(&self.socket)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        assert!(!self.socket.exists(), "the socket's file is left behind");
    }
}

fn reply(stream: &mut BufReader<UnixStream>) -> Value {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

#[test]
fn the_commands_block_list_explain_and_unblock() {
    let alone = Alone::start(
        "[[entry]]\nprefix = \"198.51.100.0/24\"\naction = \"allow\"\nreason = \"registrar\"\n\
         contact = \"a@b.example\"\ntier = \"police\"\nexpires = 2099-01-01T00:00:00Z\n",
    );
    let file = alone.folder.path().join("a.toml").display().to_string();
    assert_eq!(alone.whoisd(&["list"]).1.lines().next(), Some("no blocks"));
    let (status, out, _) =
        alone.whoisd(&["block", "192.0.2.0/24", "--for", "2h", "--reason", "floods"]);
    assert_eq!(status, 0);
    assert!(out.starts_with("blocked: 192.0.2.0/24 until 20"), "{out}");
    assert!(out.ends_with(", by operator, reason: floods\n"), "{out}");
    alone.model.since("2001:db8::/48", 10, 3600);
    let (_, out, _) = alone.whoisd(&["list"]);
    let entry = format!(
        "  allow for 198.51.100.0/24, tier police, until 2099-01-01T00:00:00Z, reason: registrar, \
         contact: a@b.example ({file}:2)"
    );
    assert!(out.lines().any(|line| line == entry), "{out}");
    assert!(out.contains(", by limits, 2 before, reason: test\n"), "{out}");
    let (_, out, _) = alone.whoisd(&["list", "--json"]);
    let listed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(listed["blocks"][0]["prefix"], "192.0.2.0/24");

    let (status, out, _) = alone.whoisd(&["policy", "explain", "192.0.2.9"]);
    assert_eq!(status, 0);
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(
        lines[..3],
        ["192.0.2.9: refused: it is blocked", "list: no entry", "tier: that of everybody"]
    );
    assert!(lines[3].starts_with("block: 192.0.2.0/24 until"), "{out}");
    assert_eq!(lines[4], "limit: 192.0.2.9/32 60/min burst 60, 59 left");
    let (_, out, _) = alone.whoisd(&["policy", "explain", "198.51.100.7"]);
    assert!(out.starts_with("198.51.100.7: answered without limits: the list allows it\n"));
    assert!(out.contains("\ntier: police, by 198.51.100.0/24 ("), "{out}");

    let (status, _, err) = alone.whoisd(&["unblock", "192.0.2.9"]);
    let expected =
        "whoisd: 192.0.2.9/32 is not blocked; blocked around or within it: 192.0.2.0/24\n";
    assert_eq!((status, err.as_str()), (4, expected));
    let (status, out, _) = alone.whoisd(&["unblock", "192.0.2.0/24"]);
    assert!(status == 0 && out.starts_with("unblocked: 192.0.2.0/24 until"), "{out}");
    let (status, _, err) = alone.whoisd(&["block", "192.0.2.1/24"]);
    assert!(status == 3 && err.contains("write \"192.0.2.0/24\""), "{err}");
    assert_eq!(alone.whoisd(&["block", "192.0.2.0/24", "--for", "1y"]).0, 2);
    let (status, out, _) = alone.whoisd(&["reload"]);
    assert_eq!((status, out.as_str()), (0, "lists: 1 entry in force, 0 expired, from 1 file\n"));
}

#[test]
fn a_command_without_a_server_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("none.sock");
    let program = || Command::new(env!("CARGO_BIN_EXE_whoisd"));
    let output = program().args(["list", "--control"]).arg(&socket).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("none.sock: No such file") && err.contains("no server runs there"));
    let output = program().args(["list", "--config", "/nowhere.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_socket_is_for_its_owner_and_for_one_server() {
    let alone = Alone::start("");
    let mode = fs::metadata(&alone.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let error = claim(&alone.socket).unwrap_err().to_string();
    assert!(error.contains("a server answers there already; name another path"), "{error}");
    // One that a dead process has left is replaced.
    let stale = alone.folder.path().join("stale.sock");
    drop(UnixListener::bind(&stale).unwrap());
    assert!(stale.exists());
    let claimed = claim(&stale).unwrap();
    UnixStream::connect(&stale).unwrap();
    drop(claimed);
    assert!(!stale.exists());
    let file = alone.folder.path().join("a.toml");
    let error = claim(&file).unwrap_err().to_string();
    assert!(error.contains("is there and is not a socket"), "{error}");
    assert!(file.exists());
    let error = claim(&alone.folder.path().join("x".repeat(120))).unwrap_err().to_string();
    assert!(error.contains("xxx: "), "{error}");
}

#[test]
fn a_client_that_sends_rubbish_gets_words_and_one_that_sends_too_much_is_cut() {
    let alone = Alone::start("");
    let mut client = alone.connect();
    client.write_all(b"\n{\n\xff\xfe\n{\"command\":\"halt\"}\n{\"command\":\"status\"}\n").unwrap();
    let mut client = BufReader::new(client);
    for _ in 0..4 {
        let error = reply(&mut client)["error"].as_str().unwrap().to_owned();
        assert!(error.starts_with("no request: "), "{error}");
    }
    assert_eq!(reply(&mut client), json!({"ok": {"fine": true}}));
    client.get_mut().write_all(b"{\"command\":\"figures\"}\n").unwrap();
    let broken = reply(&mut client);
    assert_eq!(broken["error"], "the command broke; the server's log says more");

    let mut client = alone.connect();
    // It may be cut before it has sent all.
    let _ = client.write_all(&vec![b'a'; 3 * REQUEST_BYTES_MAX]);
    let mut told = Vec::new();
    let _ = client.read_to_end(&mut told);
    let told = String::from_utf8(told).unwrap();
    assert_eq!(told, "{\"error\":\"a request has at most 65536 bytes\"}\n");
    assert!(ask(&alone.socket, &Request::Status).is_ok());
}

#[test]
fn silent_clients_keep_nobody_else_out_for_longer_than_their_time() {
    let alone = Alone::start("");
    let mut silent: Vec<_> = (0..16).map(|_| alone.connect()).collect();
    let wait_until = |holds: &dyn Fn(Result<(), String>) -> bool| {
        for _ in 0..3_000 {
            let asked = ask(&alone.socket, &Request::Status);
            if holds(asked.map(drop).map_err(|error| error.to_string())) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("it never happened");
    };
    let full = "16 clients are connected; try again";
    wait_until(&|asked| asked.is_err_and(|error| error == full));
    // A client that leaves makes room; so does the timeout of those that stay.
    silent.pop();
    wait_until(&|asked| asked.is_ok());
    let mut rest = Vec::new();
    assert_eq!(silent[0].read_to_end(&mut rest).unwrap(), 0, "closed by the server");
}

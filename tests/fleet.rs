//! From a commit in the registry's database to an answer on port 43: PostgreSQL, the publisher,
//! NATS and a server, each as a process; and a node that is new.
//!
//! How fresh answers are, over 1,000 commits:
//! `WHOISD_COMMITS=1000 cargo test --release --test fleet commit -- --nocapture`
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]
#![allow(clippy::disallowed_methods, reason = "a test that waits for other processes")]
#![allow(clippy::disallowed_types, reason = "a node in memory, shared with the test")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a test that measures says what")]
#![allow(dead_code, unreachable_pub, reason = "the helpers are those of other tests")]

#[path = "publish/database.rs"]
mod database;
mod nats;
#[path = "publish/received.rs"]
mod received;
#[path = "publish/server.rs"]
mod server;
#[path = "server/mod.rs"]
mod whois;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use database::Database;
use whois::{Server, program};

/// Longest time from a commit to an answer in a test that does not measure.
const FRESH_MAX: Duration = Duration::from_secs(120);

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(arguments: &[&str]) -> String {
    let output = program().args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

struct Fleet {
    folder: tempfile::TempDir,
    database: Database,
    stream: nats::Server,
}

impl Fleet {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, database: Database::new(), stream: nats::Server::start() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn stream_url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.stream.port)
    }

    fn bootstrap(&self, name: &str) -> PathBuf {
        let into = self.path(name);
        let url = self.database.url();
        run(&["publish", "--from", url, "--bootstrap", "--into", into.to_str().unwrap()]);
        into
    }

    fn publisher(&self) -> Process {
        let mut command = program();
        command.args(["publish", "--from", self.database.url(), "--to", &self.stream_url()]);
        let log = fs::File::create(self.path("publisher.log")).unwrap();
        Process(command.stderr(log).stdout(Stdio::null()).spawn().unwrap())
    }

    /// A node that follows the stream; `more` is for the table of the feed.
    fn node(&self, name: &str, dir: &Path, more: &str) -> Server {
        let config = self.path(&format!("{name}.toml"));
        let text = format!(
            "[feed.nats]\nservers = [\"{}\"]\ndurable = \"{name}\"\n{more}\
             [defaults]\npreset = \"open\"\n",
            self.stream_url()
        );
        fs::write(&config, text).unwrap();
        Server::start(&[
            "--config",
            config.to_str().unwrap(),
            "--dir",
            dir.to_str().unwrap(),
            "--listen",
            "127.0.0.1:0",
            "--cores",
            "0",
        ])
    }

    fn set_email(&self, email: &str) {
        let text = format!("UPDATE registry.contacts SET email = '{email}' WHERE id = 'C-1'");
        self.database.connect().execute(&text);
    }
}

/// Asks until the answer shows a mail address; how long that took.
fn until_shown(server: &Server, email: &str) -> Duration {
    let begun = Instant::now();
    let wanted = format!("Registrant Email: {email}\r\n");
    loop {
        let answer = server.ask("example.demo\r\n");
        if answer.contains(&wanted) {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < FRESH_MAX, "no {wanted:?} in {answer}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn is_there() -> bool {
    nats::is_installed()
}

#[test]
fn a_commit_is_answered_within_moments_and_again_after_the_stream_was_gone() {
    if !is_there() {
        return;
    }
    let mut fleet = Fleet::new();
    let dir = fleet.bootstrap("node");
    let publisher = fleet.publisher();
    let server = fleet.node("node-1", &dir, "");
    let commits = std::env::var("WHOISD_COMMITS").ok().and_then(|count| count.parse().ok());
    let mut taken = Vec::new();
    let session = fleet.database.connect();
    for number in 0..commits.unwrap_or(10_u32) {
        let email = format!("n{number}@example.demo");
        session
            .execute(&format!("UPDATE registry.contacts SET email = '{email}' WHERE id = 'C-1'"));
        taken.push(until_shown(&server, &email));
    }
    taken.sort_unstable();
    let at = |share: usize| taken[(taken.len() - 1) * share / 100];
    println!("commit to answer: median {:?}, p99 {:?}, {} commits", at(50), at(99), taken.len());
    fleet.stream.kill();
    fleet.set_email("during@example.demo");
    thread::sleep(Duration::from_millis(300));
    assert!(server.ask("example.demo\r\n").contains("Registrant Email: n"), "it answers on");
    fleet.stream.go_on();
    until_shown(&server, "during@example.demo");
    drop(publisher);
    server.stop();
}

#[test]
fn a_node_that_is_new_begins_with_a_snapshot_and_catches_up_from_the_stream() {
    if !is_there() {
        return;
    }
    let fleet = Fleet::new();
    let dir = fleet.bootstrap("first");
    let shelf = fleet.path("shelf");
    let (from, to) = (dir.to_str().unwrap(), shelf.to_str().unwrap());
    run(&["publish-snapshot", "--dir", from, "--to", to]);
    let _publisher = fleet.publisher();
    fleet.set_email("after@example.demo");
    let objects = format!("objects = \"{to}\"\n");
    let server = fleet.node("node-2", &fleet.path("second"), &objects);
    until_shown(&server, "after@example.demo");
    server.stop();
}

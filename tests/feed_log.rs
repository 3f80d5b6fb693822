//! The log of a node about the stream: one line for each change, and no more.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]
#![allow(clippy::disallowed_methods, reason = "a test that waits for other processes")]
#![allow(clippy::disallowed_types, reason = "a node in memory, shared with the test")]
#![allow(dead_code, unreachable_pub, reason = "the helpers are those of other tests")]

mod nats;
mod server;

use std::fs;
use std::io::BufRead;

use server::{Server, program};
use whoisd::feed::nats::{Limits, Outbox};

/// Attempts that must log nothing.
const ATTEMPTS: usize = 3;

#[test]
fn a_node_is_connected_once_there_is_something_to_follow_and_says_so_once() {
    if !nats::is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("node");
    let dir = dir.to_str().unwrap();
    let sample = ["sample", "--domains", "100", "--quiet", "--into", dir];
    assert!(program().args(sample).output().unwrap().status.success());
    let stream = nats::Server::start();
    let config = folder.path().join("whoisd.toml");
    let text = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\ncores = \"0\"\ncontrol = \"\"\n\
         [feed.nats]\nservers = [\"nats://127.0.0.1:{}\"]\n",
        stream.port
    );
    fs::write(&config, text).unwrap();
    let config = ["--dir", dir, "--config", config.to_str().unwrap(), "--log-level", "debug"];
    let mut server = Server::start(&config);
    let next = |server: &mut Server, message: &str| -> Vec<String> {
        let mut before = Vec::new();
        loop {
            let mut line = String::new();
            assert!(server.log.read_line(&mut line).unwrap() > 0, "the server ended");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            let said = line["message"].as_str().unwrap_or_default().to_owned();
            if said == message {
                return before;
            }
            before.push(said);
        }
    };
    // It answers, and has no stream.
    for _ in 0..ATTEMPTS {
        let before = next(&mut server, "the server answers");
        assert!(!before.iter().any(|said| said == "connected"), "{before:?}");
    }
    nats::outbox(&stream, "a").send(&nats::records(1..=3)).unwrap();
    let before = next(&mut server, "connected");
    let is_trouble = |said: &&String| said.contains("no stream");
    assert_eq!(before.iter().filter(is_trouble).count(), 0, "{before:?}: said before");
    let log = server.stop();
    assert!(!log.contains("\"connected\""), "{log}");
}

#[test]
fn a_publisher_says_how_much_storage_its_stream_asks_for() {
    if !nats::is_installed() {
        return;
    }
    let config = "jetstream { store_dir: \"/var/lib/nats\", max_file_store: 1GB }\n";
    let stream = nats::Server::start_with(Some(config.to_owned()));
    let refused = Outbox::open(stream.address(), nats::source("a"), None, Limits::default());
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("asks for 4294967296 bytes"), "{refused}");
    assert!(refused.contains("max_file_store"), "{refused}");
}

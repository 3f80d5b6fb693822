//! The server under test.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use snapshot_format::object::{Contact, ContactLink, ContactRole, Domain, Postal};

use super::held::{Held, settle};
use crate::registry::Objects;
use crate::server::{Server, counts, program};

/// Length of the texts of the large domain, bytes.
const TEXT_BYTES: usize = 1_000;
/// Answer buffers of the shard: few, so that a test can use them up.
pub(crate) const ANSWER_BUFFERS: usize = 16;
/// How the server is started.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    /// `ring` or `streams`.
    pub(crate) engine: &'static str,
    /// How long it tolerates silence, milliseconds.
    pub(crate) first_byte_ms: u64,
    /// How long it waits for the end of a client that has its answer, milliseconds.
    pub(crate) drain_ms: u64,
    /// Connections that it takes.
    pub(crate) connections: usize,
    /// Descriptors that it may have at first; `None`: as many as this process.
    pub(crate) descriptors: Option<usize>,
}

/// A server, and the files that it needs.
pub(crate) struct Site {
    server: Server,
    _folder: tempfile::TempDir,
}

impl Site {
    pub(crate) fn start(setting: Setting, listen: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let snapshot = folder.path().join("hostile.snapshot");
        fs::write(&snapshot, snapshot_bytes()).unwrap();
        let config = folder.path().join("whoisd.toml");
        fs::write(&config, configuration(setting, &snapshot, listen)).unwrap();
        let config = config.to_str().unwrap();
        let server = match setting.descriptors {
            None => Server::start(&["--config", config]),
            Some(count) => {
                let mut command = Command::new("prlimit");
                command.arg(format!("--nofile={count}:20000")).arg("--");
                command.arg(program().get_program()).args(["serve", "--log-format", "json"]);
                command.args(["--config", config]).current_dir(env!("CARGO_MANIFEST_DIR"));
                Server::from_command(&mut command)
            }
        };
        let engine = server.started["engine"].as_str().unwrap();
        assert!(engine.contains(setting.engine), "{engine}");
        Self { server, _folder: folder }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.addresses[0]
    }

    /// What it holds now.
    pub(crate) fn held(&self) -> Held {
        Held::of(self.server.process.id(), &[self.address().port()])
    }

    /// Waits until no connection is left and descriptors are what they were; how long that took.
    pub(crate) fn settle(&self, before: Held) -> Result<Duration, String> {
        settle(before, || self.held())
    }

    /// Sets the limit of descriptors that the server may have from now on.
    pub(crate) fn limit_descriptors(&self, count: usize) {
        let limit = format!("--nofile={count}:20000");
        let pid = format!("--pid={}", self.server.process.id());
        assert!(Command::new("prlimit").args([limit, pid]).status().unwrap().success());
    }

    /// Drains it; what it has counted, all connections accounted for.
    pub(crate) fn stop(self) -> Vec<(String, u64)> {
        let log = self.server.stop();
        let counted: Vec<(String, u64)> = counts(&log).into_iter().collect();
        let of =
            |name: &str| counted.iter().find(|(of, _)| of == name).map_or(0, |(_, count)| *count);
        let never = ["cut_off_count", "panicked", "answered_failed"];
        assert_eq!(never.map(of), [0, 0, 0], "{counted:?}");
        let endings = ["ended_", "expired_", "evicted_", "over_bound"];
        let ended = counted
            .iter()
            .filter(|(name, _)| endings.iter().any(|ending| name.starts_with(ending)));
        let ended: u64 = ended.map(|(_, count)| count).sum();
        assert_eq!(ended, of("accepted"), "{counted:?}");
        counted
    }
}

fn configuration(setting: Setting, snapshot: &Path, listen: &str) -> String {
    let Setting { engine, first_byte_ms, drain_ms, connections, .. } = setting;
    let total_ms = first_byte_ms + drain_ms + 8_000;
    format!(
        "[server]\ndir = {snapshot:?}\nlisten = [{listen:?}]\ncores = \"0\"\n\
         engine = \"{engine}\"\nshutdown_ms = 60000\n\
         [snapshot]\ncheck = \"first\"\n\
         [port43]\nconnections_per_shard_max = {connections}\n\
         answer_buffers_per_shard_max = {ANSWER_BUFFERS}\n\
         first_byte_ms = {first_byte_ms}\nline_ms = 600\nwrite_ms = 5000\ndrain_ms = {drain_ms}\n\
         total_ms = {total_ms}\n\
         [limits]\nmode = \"off\"\n\
         [defaults]\npreset = \"open\"\nextras = \"all\"\n"
    )
}

/// A small domain, and one whose answer is as large as an answer may be.
fn snapshot_bytes() -> Vec<u8> {
    let text = "x".repeat(TEXT_BYTES);
    let contact = |id: &str| Contact {
        id: id.to_owned(),
        postal: vec![Postal {
            name: text.clone(),
            org: text.clone(),
            street: [text.clone(), text.clone(), text.clone()],
            city: text.clone(),
            sp: text.clone(),
            pc: text.clone(),
            ..Postal::default()
        }],
        ..Contact::default()
    };
    let roles =
        [ContactRole::Registrant, ContactRole::Admin, ContactRole::Tech, ContactRole::Billing];
    let large = Domain {
        name: "large.demo".to_owned(),
        contacts: roles.map(|role| ContactLink { role, id: "C1".to_owned() }).to_vec(),
        extras: (0..30).map(|number| (format!("Extra {number}"), text.clone())).collect(),
        ..Domain::default()
    };
    let small = Domain { name: "small.demo".to_owned(), ..Domain::default() };
    let objects = Objects {
        contacts: vec![contact("C1")],
        domains: vec![large, small],
        suffixes: vec!["demo".to_owned()],
        ..Objects::default()
    };
    objects.view().base().data().as_ref().to_vec()
}

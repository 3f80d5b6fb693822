//! The server under test, and the kernel's figures for it: memory, descriptors, connections.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use snapshot_format::object::{Contact, ContactLink, ContactRole, Domain, Postal};

use crate::registry::Objects;
use crate::server::{Server, counts, program};

/// Length of the texts of the large domain, bytes.
const TEXT_BYTES: usize = 1_000;
/// Answer buffers of the shard: few, so that a test can use them up.
pub(crate) const ANSWER_BUFFERS: usize = 16;
/// How long the last of an attack may take to go before it counts as left over: many times the
/// longest deadline.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);

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

/// What a process holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Held {
    /// Resident memory, KiB.
    pub(crate) memory_kib: u64,
    /// Open descriptors.
    pub(crate) descriptors: usize,
    /// Connections that are not at their end.
    pub(crate) connections: usize,
    /// Processor time so far, clock ticks.
    pub(crate) processor_ticks: u64,
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

    fn proc(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.server.process.id());
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("the server is gone: {error}"))
    }

    /// What it holds now.
    pub(crate) fn held(&self) -> Held {
        let status = self.proc("status");
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = memory.and_then(|text| text.trim().strip_suffix(" kB"));
        let descriptors = format!("/proc/{}/fd", self.server.process.id());
        let stat = self.proc("stat");
        // After the name, which ends in the last parenthesis: fields 14 and 15 of the line.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
        Held {
            memory_kib: memory.unwrap().trim().parse().unwrap(),
            descriptors: fs::read_dir(descriptors).unwrap().count(),
            connections: self.connections(),
            processor_ticks: ticks(11) + ticks(12),
        }
    }

    /// Sockets on the server's port that a process holds or that wait to be accepted; not those
    /// that the kernel alone still knows (TIME-WAIT, orphans).
    fn connections(&self) -> usize {
        const LISTEN: &str = "0A";
        const TIME_WAIT: &str = "06";
        let port = format!(":{:04X}", self.address().port());
        let mut count = 0;
        for file in ["net/tcp", "net/tcp6"] {
            let text = self.proc(file);
            for line in text.lines().skip(1) {
                // Most lines are of other sockets, and there may be thousands.
                if !line.get(..24).is_some_and(|start| start.contains(&port)) && file == "net/tcp" {
                    continue;
                }
                let fields: Vec<&str> = line.split_whitespace().collect();
                let [local, state, inode] = [fields[1], fields[3], fields[9]];
                let held = inode != "0" && ![LISTEN, TIME_WAIT].contains(&state);
                count += usize::from(local.ends_with(&port) && held);
            }
        }
        count
    }

    /// Waits until no connection is left and descriptors are what they were; how long that took.
    pub(crate) fn settle(&self, before: Held) -> Result<Duration, String> {
        let begun = Instant::now();
        loop {
            let now = self.held();
            if now.connections == 0 && now.descriptors <= before.descriptors {
                return Ok(begun.elapsed());
            }
            if begun.elapsed() > SETTLE_TIMEOUT {
                return Err(format!("left behind: {now:?}, before {before:?}"));
            }
            thread::sleep(Duration::from_millis(20));
        }
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

//! A private NATS server, a node that keeps its records in memory, and a publisher that may send
//! anything: the common part of the tests of a fleet's feed.
//!
//! # Does not
//!
//! Leave a server running: it is stopped by its own process number when it is dropped.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_nats::jetstream::stream::Config;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use whoisd::feed::key::{SecretKey, Trusted};
use whoisd::feed::message::{Message, Source};
use whoisd::feed::nats::{
    Address, AddressError, Cause, Fetched, Limits, Outbox, Refetch, Report, Settings, Status,
    Timing, Wanted, run,
};
use whoisd::feed::{Applied, Apply, ApplyError, Body, ChangeRecord};

/// Longest wait for anything, in steps of [`STEP`]: two minutes.
const STEPS_MAX: u32 = 6_000;
const STEP: Duration = Duration::from_millis(20);

/// Whether there is a server to test with. Without one a test fails, unless `WHOISD_NO_NATS` is
/// set: the output of a test that passes goes unread.
pub fn is_installed() -> bool {
    let found = Command::new("nats-server").arg("--version").output().is_ok();
    let told = std::env::var_os("WHOISD_NO_NATS").is_some();
    assert!(
        found || told,
        "no nats-server; install Debian's package nats-server, or go without: WHOISD_NO_NATS=1"
    );
    found
}

/// Waits until a condition holds, and fails with the present state if it does not.
pub fn until(what: &str, holds: impl Fn() -> bool, there: impl Fn() -> String) {
    for _ in 0..STEPS_MAX {
        if holds() {
            return;
        }
        thread::sleep(STEP);
    }
    panic!("{what}: not within {:?}; there is {}", STEP * STEPS_MAX, there());
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A NATS server with JetStream.
pub struct Server {
    pub port: u16,
    store: TempDir,
    child: Option<Child>,
    /// Text of a configuration that stores in `/var/lib/nats`; the port is the test's.
    config: Option<String>,
}

impl Server {
    pub fn start() -> Self {
        Self::start_with(None)
    }

    pub fn start_with(config: Option<String>) -> Self {
        let store = tempfile::tempdir().unwrap();
        let mut server = Self { port: free_port(), store, child: None, config };
        server.go_on();
        server
    }

    /// Starts it again, with what it has stored.
    pub fn go_on(&mut self) {
        let mut command = Command::new("nats-server");
        let store = self.store.path();
        command.args(["-a", "127.0.0.1", "-p", &self.port.to_string()]);
        match &self.config {
            Some(text) => {
                let file = store.join("nats-server.conf");
                fs::write(&file, text.replace("/var/lib/nats", store.to_str().unwrap())).unwrap();
                command.arg("-c").arg(file);
            }
            None => {
                command.args(["-js", "-sd"]).arg(store);
            }
        }
        command.env("WHOISD_PUBLISHER", "p-secret").env("WHOISD_NODE_1", "n-secret");
        command.env("WHOISD_ADMIN", "a-secret");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        let reached = || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok();
        until("nats-server listens", reached, String::new);
    }

    /// Kills it, without a chance to shut down.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Kills it, and takes all that it has stored away.
    pub fn lose_everything(&mut self) {
        self.kill();
        self.store = tempfile::tempdir().unwrap();
    }

    pub fn address(&self) -> Address {
        Address::parse(&format!("nats://127.0.0.1:{}", self.port)).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn source(name: &str) -> Source {
    name.parse().unwrap()
}

/// A record whose content is its time.
pub fn record(serial: u64, content: i64) -> ChangeRecord {
    let committed_ms = 1_000_000 + content;
    ChangeRecord { serial, committed_ms, transaction: String::new(), body: Body::Heartbeat }
}

pub fn records(serials: std::ops::RangeInclusive<u64>) -> Vec<ChangeRecord> {
    serials.map(|serial| record(serial, 0)).collect()
}

/// A publisher that keeps the rules.
pub fn outbox(server: &Server, name: &str) -> Outbox {
    Outbox::open(server.address(), source(name), None, Limits::default()).unwrap()
}

/// A publisher that keeps none.
pub struct Rogue {
    runtime: Runtime,
    jetstream: async_nats::jetstream::Context,
}

impl Rogue {
    pub fn new(server: &Server) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("nats://127.0.0.1:{}", server.port);
        let jetstream = runtime.block_on(async {
            async_nats::jetstream::new(async_nats::connect(url).await.unwrap())
        });
        Self { runtime, jetstream }
    }

    /// Stores a message, whatever the stream holds.
    pub fn send(&self, message: &Message) {
        let mut headers = async_nats::HeaderMap::new();
        for (name, value) in message.fields.iter().filter(|(name, _)| *name != "Nats-Msg-Id") {
            headers.insert(*name, value.as_str());
        }
        let jetstream = &self.jetstream;
        let payload = message.payload.clone().into();
        self.runtime.block_on(async {
            let sent = jetstream.publish_with_headers("whoisd.changes", headers, payload).await;
            sent.unwrap().await.unwrap();
        });
    }

    pub fn records(&self, name: &str, records: &[ChangeRecord], key: Option<&SecretKey>) {
        self.send(&Message::encode(&source(name), records, key).unwrap());
    }

    /// Makes the stream as the settings say, beside those of a good one.
    pub fn make(&self, change: impl FnOnce(&mut Config)) {
        let mut config = Config {
            name: "WHOISD".to_owned(),
            subjects: vec!["whoisd.changes".to_owned()],
            ..Config::default()
        };
        change(&mut config);
        self.runtime.block_on(async {
            // The one before may be there or not.
            let _ = self.jetstream.delete_stream("WHOISD").await;
            self.jetstream.create_stream(config).await.unwrap();
        });
    }

    /// Edits the stream that is there.
    pub fn edit(&self, change: impl FnOnce(&mut Config)) {
        self.runtime.block_on(async {
            let mut stream = self.jetstream.get_stream("WHOISD").await.unwrap();
            let mut config = stream.info().await.unwrap().config.clone();
            change(&mut config);
            self.jetstream.update_stream(config).await.unwrap();
        });
    }

    /// Removes every message of the stream.
    pub fn purge(&self) {
        let jetstream = &self.jetstream;
        self.runtime.block_on(async {
            jetstream.get_stream("WHOISD").await.unwrap().purge().await.unwrap();
        });
    }

    /// Messages that a durable consumer has not acknowledged.
    pub fn not_acknowledged(&self, durable: &str) -> u64 {
        let jetstream = &self.jetstream;
        self.runtime.block_on(async {
            let stream = jetstream.get_stream("WHOISD").await.unwrap();
            let info = stream.consumer_info(durable).await.unwrap();
            info.num_pending + info.num_ack_pending as u64
        })
    }

    /// Whether a node still waits for messages of a durable consumer: one that has just stopped
    /// may, until the server has seen it go, and gets what comes in the meantime.
    pub fn is_awaited(&self, durable: &str) -> bool {
        let jetstream = &self.jetstream;
        self.runtime.block_on(async {
            let stream = jetstream.get_stream("WHOISD").await.unwrap();
            stream.consumer_info(durable).await.unwrap().num_waiting > 0
        })
    }
}

/// Records in memory, as a disk would hold them.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Disk>>);

#[derive(Default)]
struct Disk {
    records: BTreeMap<u64, ChangeRecord>,
    serial: u64,
    /// What the next calls answer.
    failures: Vec<ApplyError>,
}

impl Memory {
    pub fn fail_next(&self, failures: Vec<ApplyError>) {
        self.0.lock().unwrap().failures = failures;
    }

    /// As a snapshot would leave it.
    pub fn replace(&self, serial: u64) {
        let mut disk = self.0.lock().unwrap();
        disk.records.clear();
        disk.serial = serial;
    }

    pub fn records(&self) -> Vec<ChangeRecord> {
        self.0.lock().unwrap().records.values().cloned().collect()
    }
}

impl Apply for Memory {
    fn serial(&self) -> u64 {
        self.0.lock().unwrap().serial
    }

    fn apply(&mut self, records: &[ChangeRecord]) -> Result<Applied, ApplyError> {
        let mut disk = self.0.lock().unwrap();
        if let Some(failure) = disk.failures.pop() {
            return Err(failure);
        }
        let mut new_count = 0;
        for record in records {
            let (have, got) = (disk.serial, record.serial);
            if got > have + 1 {
                return Err(ApplyError::Gap { have, got });
            }
            if got == have + 1 {
                disk.records.insert(got, record.clone());
                disk.serial = got;
                new_count += 1;
            }
        }
        Ok(Applied { serial: disk.serial, generation: disk.serial, new_count })
    }
}

/// Snapshots that a node may fetch: the newest one that there is, if any.
#[derive(Clone, Default)]
pub struct Shelf(Arc<Mutex<Option<(u64, Source)>>>);

impl Shelf {
    pub fn put(&self, serial: u64, name: &str) {
        *self.0.lock().unwrap() = Some((serial, source(name)));
    }
}

/// The way by which a node fetches.
pub type Fetch = Box<dyn Refetch + Send>;

struct Fetcher(Shelf, Memory);

impl Refetch for Fetcher {
    fn refetch(&mut self, wanted: &Wanted) -> Result<Fetched, Cause> {
        let shelf = self.0.0.lock().unwrap().clone();
        let (serial, source) = shelf.ok_or("there is no snapshot")?;
        if serial < wanted.serial_min || wanted.source.as_ref().is_some_and(|want| *want != source)
        {
            return Err(format!("the newest snapshot holds serial {serial} of {source}").into());
        }
        self.1.replace(serial);
        Ok(Fetched { serial, source: Some(source) })
    }
}

/// A node that follows the stream on a thread of its own.
pub struct Node {
    pub memory: Memory,
    pub shelf: Shelf,
    pub status: Arc<Status>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), AddressError>>>,
}

/// How a node is started.
#[derive(Default)]
pub struct Plan {
    pub memory: Memory,
    pub shelf: Shelf,
    pub trusted: Trusted,
    pub position: Option<PathBuf>,
    /// Another durable consumer than `node-1`.
    pub durable: Option<String>,
    /// In place of the shelf.
    pub fetch: Option<Fetch>,
}

impl Plan {
    pub fn start(self, address: Address) -> Node {
        let settings = Settings {
            address,
            durable: self.durable.unwrap_or_else(|| "node-1".to_owned()),
            trusted: self.trusted,
            position: self.position,
            now_ms: || 42,
            timing: Timing {
                request: Duration::from_secs(2),
                poll: Duration::from_millis(100),
                gap: Duration::from_millis(300),
                backoff_min: Duration::from_millis(20),
                backoff_max: Duration::from_millis(200),
                ..Timing::default()
            },
        };
        let (status, stop) = (Arc::new(Status::default()), Arc::new(AtomicBool::new(false)));
        let (memory, shelf) = (self.memory.clone(), self.shelf.clone());
        let thread = {
            let (status, stop) = (Arc::clone(&status), Arc::clone(&stop));
            let fetcher = Box::new(Fetcher(self.shelf, self.memory.clone()));
            let mut fetch = self.fetch.unwrap_or(fetcher);
            let mut memory = self.memory;
            thread::spawn(move || run(&settings, &mut memory, fetch.as_mut(), &stop, &status))
        };
        Node { memory, shelf, status, stop, thread: Some(thread) }
    }
}

impl Node {
    pub fn start(server: &Server) -> Self {
        Plan::default().start(server.address())
    }

    pub fn position(mut plan: Plan, path: &Path) -> Plan {
        plan.position = Some(path.to_owned());
        plan
    }

    pub fn report(&self) -> Arc<Report> {
        self.status.report()
    }

    /// Waits until the node has taken a serial in.
    pub fn reaches(&self, serial: u64) {
        let what = format!("serial {serial}");
        until(&what, || self.report().serial == serial, || format!("{:?}", self.report()));
    }

    /// Waits until the node reports a problem.
    pub fn says(&self, words: &str) {
        let said = || {
            let report = self.report();
            report.error.as_ref().is_some_and(|trouble| trouble.text.contains(words))
        };
        until(words, said, || format!("{:?}", self.report()));
    }

    /// Waits until nothing is wrong.
    pub fn is_well(&self) {
        until("no error", || self.report().error.is_none(), || format!("{:?}", self.report()));
    }

    /// Stops it and gives what it holds.
    pub fn stop(mut self) -> Memory {
        self.end();
        self.memory.clone()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

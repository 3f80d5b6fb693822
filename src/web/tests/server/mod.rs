//! A server of a small registry, and a client that reads answers byte by byte.

// Each test file uses its part of this module.
#![allow(dead_code, reason = "shared by several test binaries")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use snapshot_format::delta::encode;
use snapshot_format::object::{Domain, HostLink, Time};
use snapshot_format::{Change, Kind, Object};
use whoisd::sample;
use whoisd::sample::settings::{TLDS_DEFAULT, WATERMARK_DEFAULT_S};
use whoisd::store::{Live, Settings as StoreSettings, Stamp, Writer};
use whoisd::view::Disk;

/// Longer than anything takes, on a machine that has no time.
const PATIENCE: Duration = Duration::from_secs(120);

/// A registry in a folder of its own.
pub(crate) struct Site {
    folder: tempfile::TempDir,
}

/// A server of it.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) address: SocketAddr,
    /// Where it speaks TLS, if it does.
    pub(crate) encrypted: Option<SocketAddr>,
    /// Where health and figures are answered, if the log has it.
    pub(crate) status: Option<SocketAddr>,
    log: RefCell<Log>,
}

/// What a server logs.
struct Log {
    /// Lines of the start: threads that it starts may log before it serves.
    early: VecDeque<String>,
    rest: BufReader<ChildStderr>,
}

impl Log {
    /// The next line; empty at the end.
    fn line(&mut self) -> String {
        self.early.pop_front().unwrap_or_else(|| self.read())
    }

    fn read(&mut self) -> String {
        let mut line = String::new();
        self.rest.read_line(&mut line).unwrap();
        line
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// In their order, names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        site.build(1);
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.path("registry")
    }

    /// Writes the configuration.
    pub(crate) fn configure(&self, text: &str) {
        let mut whole = text.to_owned();
        if !text.contains("[server]") {
            let _ = write!(whole, "\n[server]\ndir = {:?}\n", self.dir().to_str().unwrap());
        }
        fs::write(self.path("next.toml"), whole).unwrap();
        fs::rename(self.path("next.toml"), self.path("whoisd.toml")).unwrap();
    }

    /// A server with this configuration.
    pub(crate) fn serve_with(&self, config: &str) -> Server {
        self.configure(config);
        let file = self.path("whoisd.toml");
        Server::start(&["--config", file.to_str().unwrap()])
    }

    /// The same, listening where the configuration says.
    pub(crate) fn serve_as_configured(&self, config: &str) -> Server {
        self.configure(config);
        let file = self.path("whoisd.toml");
        Server::start_with(&["--config", file.to_str().unwrap()])
    }

    /// A server with this configuration, figures and a query log.
    pub(crate) fn serve_logged(&self, config: &str) -> Server {
        let text = format!(
            "{config}[web]\nstatus_listen = \"127.0.0.1:0\"\nquery_log_dir = {:?}\n",
            self.path("queries")
        );
        self.serve_with(&text)
    }

    /// What the query log of a server that is stopped now has.
    pub(crate) fn logged(&self, mut server: Server) -> Vec<Value> {
        server.signal("TERM");
        assert!(server.process.wait().unwrap().success());
        let files = fs::read_dir(self.path("queries")).unwrap().map(|entry| entry.unwrap().path());
        let mut gzip = Command::new("gzip");
        gzip.arg("-dc").args(files.filter(|path| path.extension().is_some_and(|end| end == "gz")));
        let lines = String::from_utf8(gzip.output().unwrap().stdout).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A server without a configuration file.
    pub(crate) fn serve(&self, more: &[&str]) -> Server {
        let dir = self.dir();
        Server::start(&[&["--dir", dir.to_str().unwrap()], more].concat())
    }

    /// Adds a domain, as another process would.
    pub(crate) fn add_domain(&self, name: &str) {
        self.add_domain_at(name, None);
    }

    /// The same, with a nameserver.
    pub(crate) fn add_domain_at(&self, name: &str, host: Option<&str>) {
        let domain = Domain {
            name: name.to_owned(),
            roid: "D1-LIVE".to_owned(),
            created: Time::from_s(1_700_000_000),
            nameservers: host.into_iter().map(|host| HostLink::Name(host.to_owned())).collect(),
            ..Domain::default()
        };
        self.change(&[Change::Upsert(Box::new(Object::Domain(domain)))]);
    }

    /// Takes a domain away, as another process would.
    pub(crate) fn remove_domain(&self, name: &str) {
        self.change(&[Change::Delete { kind: Kind::Domain, key: name.to_owned() }]);
    }

    fn change(&self, changes: &[Change]) {
        let writer = Writer::lock(Disk::new(&self.dir()), StoreSettings::default()).unwrap();
        let mut live = Live::open(writer).unwrap();
        let encoded = encode(&**live.generation(), changes, &mut |_, _| {}).unwrap();
        let serial = live.generation().state().serial + 1;
        let committed_ms = 1_800_000_000_000;
        let stamp = Stamp { serial, committed_ms, heartbeat_ms: i64::MIN };
        live.append(&encoded, stamp).unwrap();
    }

    /// Puts another registry into the directory.
    pub(crate) fn make_anew(&self) {
        fs::remove_dir_all(self.dir()).unwrap();
        self.build(2);
    }

    fn build(&self, seed: u64) {
        let tlds = TLDS_DEFAULT.map(str::to_owned);
        let settings = sample::Settings::parse(seed, 200, &tlds, WATERMARK_DEFAULT_S).unwrap();
        let registry = sample::Registry::new(&settings);
        fs::create_dir_all(self.dir()).unwrap();
        sample::build_directory(&registry, &self.dir(), 64 << 20, &mut |_, _, _| {}).unwrap();
    }
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        Self::start_with(&[&["--listen", "127.0.0.1:0"], arguments].concat())
    }

    fn start_with(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whoisd-web"));
        command.args(["serve", "--log-format", "json"]).args(arguments);
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let rest = BufReader::new(process.stderr.take().unwrap());
        let mut log = Log { early: VecDeque::new(), rest };
        let mut status = None;
        loop {
            let line = log.read();
            assert!(!line.is_empty(), "the server ended at its start");
            let Ok(said) = serde_json::from_str::<Value>(&line) else { panic!("{line}") };
            let at = |key: &str| said[key].as_str().and_then(|text| text.parse().ok());
            match said["message"].as_str() {
                Some("health and figures") => status = at("listen"),
                Some("serving RDAP") => {
                    let encrypted = at("tls_listen");
                    let address = at("listen").or(encrypted).unwrap();
                    let log = RefCell::new(log);
                    return Self { process, address, encrypted, status, log };
                }
                _ => {}
            }
            log.early.push_back(line);
        }
    }

    /// Reads the log until a line has this message, and returns the line.
    pub(crate) fn log_until(&self, message: &str) -> String {
        let mut log = self.log.borrow_mut();
        loop {
            let line = log.line();
            assert!(!line.is_empty(), "the server ended before {message:?}");
            if line.contains(message) {
                return line;
            }
        }
    }

    /// Reads the log to its end, once the server has been told to stop.
    pub(crate) fn rest_of_log(&self) -> String {
        let mut log = self.log.borrow_mut();
        let mut said: String = log.early.drain(..).collect();
        log.rest.read_to_string(&mut said).unwrap();
        said
    }

    /// The sum of the series of a metric whose labels have this part.
    pub(crate) fn figure(&self, name: &str, labels: &str) -> u64 {
        let scrape = Self::request_at(self.status.unwrap(), "GET", "/metrics", &[]);
        let text = String::from_utf8(scrape.body).unwrap();
        let is_it = |line: &&str| line.starts_with(name) && line.contains(labels);
        let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
        text.lines().filter(is_it).map(value).sum()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        Self::connect_to(self.address)
    }

    fn connect_to(address: SocketAddr) -> TcpStream {
        let client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[])
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        Self::request_at(self.address, method, path, headers)
    }

    /// Asks `address` on a connection of its own.
    pub(crate) fn request_at(
        address: SocketAddr,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Response {
        let mut client = Self::connect_to(address);
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: other.example\r\n");
        for (name, value) in headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text.push_str("Connection: close\r\n\r\n");
        client.write_all(text.as_bytes()).unwrap();
        Response::read(&mut client, method)
    }

    /// Whether a client is answered that asks at once.
    pub(crate) fn serves(&self) -> bool {
        let mut client = self.connect();
        let asked =
            client.write_all(b"GET /rdap/help HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let mut answer = Vec::new();
        asked.is_ok()
            && client.read_to_end(&mut answer).is_ok()
            && answer.starts_with(b"HTTP/1.1 200 ")
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &id]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Response {
    /// Reads one answer to `method`.
    pub(crate) fn read(client: &mut TcpStream, method: &str) -> Self {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            let count = client.read(&mut byte).unwrap();
            assert_eq!(
                count,
                1,
                "the answer ends in its head: {:?}",
                String::from_utf8_lossy(&head)
            );
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap();
                (name.to_ascii_lowercase(), value.trim().to_owned())
            })
            .collect();
        let mut response = Self { status, headers, body: Vec::new() };
        let length = response.header("content-length").and_then(|text| text.parse().ok());
        if method != "HEAD"
            && let Some(length) = length
        {
            response.body = vec![0; length];
            client.read_exact(&mut response.body).unwrap();
        }
        response
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Waits until something holds.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let pause = Duration::from_millis(10);
    let tries = PATIENCE.as_millis() / pause.as_millis();
    let held = (0..tries).any(|_| {
        std::thread::sleep(pause);
        holds()
    });
    assert!(held, "{what}: not within {PATIENCE:?}");
}

/// Whether a client has waited in vain.
pub(crate) fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

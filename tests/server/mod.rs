//! A server as a process on loopback, for tests that ask it.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whoisd"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) log: BufReader<ChildStderr>,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) started: serde_json::Value,
    /// Address of health and figures, if the log has it.
    pub(crate) status: Option<SocketAddr>,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::from_command(program().args(["serve", "--log-format", "json"]).args(arguments))
    }

    pub(crate) fn from_command(command: &mut Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let started = serde_json::Value::Null;
        let mut server = Self { process, log, addresses: Vec::new(), started, status: None };
        while server.started["message"] != "serving" {
            let mut line = String::new();
            assert!(server.log.read_line(&mut line).unwrap() > 0, "the server ended at its start");
            server.started = serde_json::from_str(&line).unwrap();
            if server.started["message"] == "health and figures" {
                server.status = server.started["listen"].as_str().unwrap().parse().ok();
            }
        }
        let listen = server.started["listen"].as_str().unwrap();
        server.addresses = listen.split(',').map(|text| text.parse().unwrap()).collect();
        server
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(self.addresses[0]).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        client
    }

    pub(crate) fn ask(&self, query: &str) -> String {
        let mut client = self.connect();
        client.write_all(query.as_bytes()).unwrap();
        read_all(&mut client)
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Exit status and the rest of the log.
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        (self.process.wait().unwrap().code(), rest)
    }

    pub(crate) fn stop(self) -> String {
        self.signal("-TERM");
        let (status, log) = self.wait();
        assert_eq!(status, Some(0), "{log}");
        log
    }
}

/// A test that fails leaves no server running.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The counts of a server in the last line of its log; a count that is not there is zero.
pub(crate) fn counts(log: &str) -> BTreeMap<String, u64> {
    let mut lines =
        log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let line = lines.rfind(|line| line["message"] == "stopped").unwrap();
    let fields = line.as_object().unwrap().iter();
    fields.filter_map(|(name, count)| Some((name.clone(), count.as_u64()?))).collect()
}

pub(crate) fn read_all(client: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

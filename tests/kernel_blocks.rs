//! Long blocks in the kernel, for real: nftables in a separate network namespace, with the ruleset
//! of `deploy/`; and a fake `nft` that fails.
//!
//! Without the right to make a namespace, or without an nft that works there, the first tests fail
//! unless `WHOISD_NO_NAMESPACES` is set: the output of a test that passes goes unread.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be run fails it")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says why")]

mod blocks;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use whoisd::config::Nftables;
use whoisd::control::{Blocks, InKernel, Kernel};
use whoisd::observe::clock;
use whoisd::place::aside::{Place, Weight};

use blocks::Model;

const NFT: &str = "/usr/sbin/nft";
/// Longest wait for the kernel's sets, in steps of 100 ms.
const STEPS_MAX: usize = 1_200;

/// A process in a network namespace of its own, and a program that runs nft there.
struct Namespace {
    folder: tempfile::TempDir,
    keeper: Child,
}

impl Namespace {
    /// If there can be none: `None`, with the reason on standard error, if the environment permits
    /// that.
    fn new() -> Option<Self> {
        let skipped = |why: &str| {
            let told = std::env::var_os("WHOISD_NO_NAMESPACES").is_some();
            assert!(told, "{why}; WHOISD_NO_NAMESPACES=1 goes without");
            eprintln!("skipped: {why}");
            None
        };
        if !Path::new(NFT).exists() {
            return skipped("there is no /usr/sbin/nft (package nftables)");
        }
        let mut keeper = Command::new("unshare").args(["-rn", "sleep", "600"]).spawn().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let namespace = format!("/proc/{}/ns/net", keeper.id());
        let ours = fs::read_link("/proc/self/ns/net").unwrap();
        for _ in 0..STEPS_MAX {
            if keeper.try_wait().unwrap().is_some() {
                return skipped("the system refuses a network namespace (unshare -rn)");
            }
            if fs::read_link(&namespace).is_ok_and(|theirs| theirs != ours) {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let id = keeper.id();
        let enter = format!("exec nsenter --preserve-credentials -U -n -t {id} {NFT} \"$@\"");
        let made = Self { folder, keeper };
        program(&made.nft(), &enter);
        let ruleset = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/nftables.conf");
        let loaded = made.run(&["-f", ruleset]);
        if !loaded.status.success() {
            return skipped(&format!("nft does not work in a namespace: {loaded:?}"));
        }
        Some(made)
    }

    fn nft(&self) -> PathBuf {
        self.folder.path().join("nft")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(self.nft()).args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Exit status of a client: 1 refused at once, 124 no answer in a second.
    fn connect(&self, host: &str, port: u16) -> Option<i32> {
        let id = self.keeper.id().to_string();
        let client =
            format!("ip link set lo up && exec timeout 1 bash -c '</dev/tcp/{host}/{port}'");
        let mut command = Command::new("nsenter");
        command.args(["--preserve-credentials", "-U", "-n", "-t", &id, "bash", "-c", &client]);
        command.output().unwrap().status.code()
    }

    /// Prefixes of a set.
    fn elements(&self, set: &str) -> Vec<String> {
        let output = self.run(&["-j", "list", "set", "inet", "whoisd", set]);
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let all = &told["nftables"].as_array().unwrap()[1]["set"]["elem"];
        let text = |element: &serde_json::Value| {
            let value = &element["elem"]["val"];
            assert!(element["elem"]["timeout"].as_u64().unwrap() > 0, "{element}");
            match &value["prefix"] {
                serde_json::Value::Null => value.as_str().unwrap().to_owned(),
                prefix => format!("{}/{}", prefix["addr"].as_str().unwrap(), prefix["len"]),
            }
        };
        all.as_array().map(|all| all.iter().map(text).collect()).unwrap_or_default()
    }

    fn wait_for(&self, set: &str, expected: &[&str]) {
        for _ in 0..STEPS_MAX {
            if self.elements(set) == expected {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("{set}: {:?}, expected {expected:?}", self.elements(set));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// Writes a program of one line of shell.
fn program(path: &Path, line: &str) {
    // Under another name first: a file that is open for writing cannot be run.
    let draft = path.with_extension("draft");
    fs::write(&draft, format!("#!/bin/sh\n{line}\n")).unwrap();
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&draft, path).unwrap();
}

struct Running {
    stop: Arc<AtomicBool>,
    figures: Arc<InKernel>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(program: PathBuf, blocks: &Arc<Model>) -> Self {
        let nftables = Nftables {
            table: "inet whoisd".to_owned(),
            set4: "blocked4".to_owned(),
            set6: "blocked6".to_owned(),
            program,
        };
        let kernel =
            Kernel { nftables, min_s: 60, now_ms: clock::wall_ms, steady_ms: clock::steady_ms };
        let stop = Arc::new(AtomicBool::new(false));
        let place = Place { core: None, shard_cores: &[], weight: Weight::Full };
        let blocks: Arc<dyn Blocks> = Arc::<Model>::clone(blocks);
        let (figures, thread) = kernel.start(blocks, Arc::clone(&stop), place).unwrap();
        Self { stop, figures, thread: Some(thread) }
    }

    fn gauge(&self, name: &str) -> u64 {
        self.figures.gauges().iter().find(|gauge| gauge.0 == name).unwrap().2
    }
}

impl Running {
    /// The sets change a moment before the figures do.
    fn wait_for(&self, name: &str, value: u64) {
        for _ in 0..STEPS_MAX {
            if self.gauge(name) == value {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("{name}: {}, expected {value}", self.gauge(name));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[test]
fn long_blocks_are_in_the_kernels_sets_until_they_end() {
    let Some(namespace) = Namespace::new() else { return };
    // What an earlier server left is taken out.
    let stale = "add element inet whoisd blocked4 { 10.9.0.0/16 timeout 1h }";
    assert!(namespace.run(&[stale]).status.success());
    let model = Arc::new(Model::default());
    model.since("192.0.2.0/24", 1000, 3600);
    model.since("198.51.100.7/32", 0, 59);
    model.since("2001:db8::/48", 0, 3600);
    let running = Running::start(namespace.nft(), &model);
    namespace.wait_for("blocked4", &["192.0.2.0/24"]);
    namespace.wait_for("blocked6", &["2001:db8::/48"]);
    let block = |prefix: &str, seconds| {
        model.block(prefix.parse().unwrap(), seconds, "test").unwrap();
    };
    // Longer, within another one, and around another one.
    block("192.0.2.0/24", 7200);
    block("192.0.2.5/32", 7200);
    block("2001:db8::/32", 7200);
    block("203.0.113.9/32", 3600);
    namespace.wait_for("blocked4", &["192.0.2.0/24", "203.0.113.9"]);
    namespace.wait_for("blocked6", &["2001:db8::/32"]);
    running.wait_for("whoisd_kernel_blocks", 3);
    model.unblock("192.0.2.0/24".parse().unwrap()).unwrap();
    model.unblock("2001:db8::/32".parse().unwrap()).unwrap();
    namespace.wait_for("blocked4", &["192.0.2.5", "203.0.113.9"]);
    namespace.wait_for("blocked6", &["2001:db8::/48"]);
    // The set is emptied from outside: the next change that fails brings all of it back.
    assert!(namespace.run(&["flush", "set", "inet", "whoisd", "blocked4"]).status.success());
    model.unblock("203.0.113.9/32".parse().unwrap()).unwrap();
    namespace.wait_for("blocked4", &["192.0.2.5"]);
    // An error is not an empty list of blocks.
    model.busy.store(true, Ordering::Relaxed);
    thread::sleep(Duration::from_millis(2500));
    namespace.wait_for("blocked4", &["192.0.2.5"]);
    assert_eq!(running.gauge("whoisd_kernel_blocks"), 2);
    model.busy.store(false, Ordering::Relaxed);
    // No server listens there: a client is refused at once, or gets no reply if it is blocked.
    assert_eq!(namespace.connect("127.0.0.9", 43), Some(1));
    block("127.0.0.0/8", 3600);
    namespace.wait_for("blocked4", &["127.0.0.0/8", "192.0.2.5"]);
    assert_eq!(namespace.connect("127.0.0.9", 43), Some(124), "dropped");
    assert_eq!(namespace.connect("127.0.0.9", 44), Some(1), "port 43 alone");
    drop(running);
    namespace.wait_for("blocked4", &["127.0.0.0/8", "192.0.2.5"]);
}

#[test]
fn an_element_of_the_longest_block_and_of_the_widest_is_taken() {
    let Some(namespace) = Namespace::new() else { return };
    let model = Arc::new(Model::default());
    model.block("10.0.0.0/8".parse().unwrap(), 31_536_000, "year").unwrap();
    model.block("2000::/16".parse().unwrap(), 3600, "wide").unwrap();
    for number in 0..3000_u32 {
        let prefix = format!("172.{}.{}.0/25", 16 + number / 256, number % 256);
        model.since(&prefix, 60, 3600);
    }
    let running = Running::start(namespace.nft(), &model);
    namespace.wait_for("blocked6", &["2000::/16"]);
    running.wait_for("whoisd_kernel_blocks", 3002);
    assert_eq!(namespace.elements("blocked4").len(), 3001);
}

#[test]
fn a_program_that_fails_is_tried_again_with_everything_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let (nft, log) = (folder.path().join("nft"), folder.path().join("log"));
    program(&nft, "echo 'Error: No such file or directory' >&2; exit 1");
    let model = Arc::new(Model::default());
    model.since("192.0.2.0/24", 0, 3600);
    let running = Running::start(nft.clone(), &model);
    let wait_until = |reached: &dyn Fn() -> bool| {
        for _ in 0..STEPS_MAX {
            if reached() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("not reached");
    };
    running.wait_for("whoisd_kernel_failing", 1);
    program(&nft, &format!("echo run \"$@\" >> {log}; cat >> {log}", log = log.display()));
    running.wait_for("whoisd_kernel_failing", 0);
    model.unblock("192.0.2.0/24".parse().unwrap()).unwrap();
    let told = || fs::read_to_string(&log).unwrap_or_default();
    wait_until(&|| told().contains("delete"));
    let (text, expected) = (
        told(),
        [
            "run -f -",
            "flush set inet whoisd blocked4",
            "flush set inet whoisd blocked6",
            "add element inet whoisd blocked4 { 192.0.2.0/24 timeout 3",
            "run -f -",
            "delete element inet whoisd blocked4 { 192.0.2.0/24 }",
        ],
    );
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{text}");
    for (line, start) in lines.iter().zip(expected) {
        assert!(line.starts_with(start), "{line}: expected {start}");
    }
    // One that does not end is ended with the server.
    let begun = folder.path().join("begun");
    program(&nft, &format!("touch {}; exec sleep 1000", begun.display()));
    model.since("192.0.2.0/24", 0, 3600);
    wait_until(&|| begun.exists());
    let begun = clock::monotonic();
    drop(running);
    // Long before it would have ended by itself.
    assert!(begun.elapsed() < Duration::from_secs(500));
}

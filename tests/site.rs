//! Nodes of a site share what their clients have used, through a real Redis server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test: what cannot be had fails it, and it waits by the clock"
)]

mod server;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use server::{Server, program};

/// A server of Redis on a port of its own, without files.
struct Redis {
    process: Child,
    port: u16,
}

impl Redis {
    fn start(port: u16) -> Self {
        Self::start_with(port, &[])
    }

    fn start_with(port: u16, more: &[&str]) -> Self {
        let arguments = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"];
        let process = Command::new("redis-server")
            .args(arguments)
            .arg(port.to_string())
            .args(more)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server (Debian package redis-server) starts");
        let redis = Self { process, port };
        wait(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        redis
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn wait(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never happened");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn node(folder: &Path, name: &str, port: u16) -> Server {
    node_with(folder, name, port, "")
}

fn node_with(folder: &Path, name: &str, port: u16, more: &str) -> Server {
    let data = folder.join(name);
    let made = program().args(["sample", "--domains", "100", "--into"]).arg(&data).output();
    assert!(made.unwrap().status.success());
    let file = folder.join(format!("{name}.toml"));
    let text = format!(
        "[limits]\nloopback_free = false\nv4_32_per_min = 60\nv4_32_burst = 6000\n\
         v4_24_burst = 60000\nv4_20_burst = 60000\nv4_16_burst = 60000\n\
         [site]\nredis = \"redis://127.0.0.1:{port}\"\ninterval_ms = 50\n{more}"
    );
    fs::write(&file, text).unwrap();
    let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
    let listen = ["--listen", "127.0.0.1:0", "--cores", "0"];
    let mut arguments = vec!["--config", file, "--dir", data];
    arguments.extend(listen);
    Server::start(&arguments)
}

/// The rest of the limit of the address, from `limits`.
fn left(server: &Server) -> u32 {
    let answer = server.ask("limits\r\n");
    let line = answer.lines().find(|line| line.ends_with("  127.0.0.1/32")).unwrap();
    line.trim_start_matches('%').split_whitespace().next().unwrap().parse().unwrap()
}

/// Waits until queries to one node are missing at another: one look before and one after, so
/// that the looks themselves do not make the difference.
fn wait_until_shared(from: &Server, to: &Server) {
    wait(|| {
        let before = left(to);
        for _ in 0..40 {
            let _ = from.ask("x.demo\r\n");
        }
        std::thread::sleep(Duration::from_millis(300));
        left(to) + 20 < before
    });
}

#[test]
fn what_a_client_uses_at_one_node_is_used_at_the_others_and_without_redis_each_limits_alone() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let redis = Redis::start(free);
    let folder = tempfile::tempdir().unwrap();
    let nodes = [node(folder.path(), "a", redis.port), node(folder.path(), "b", redis.port)];
    wait_until_shared(&nodes[0], &nodes[1]);
    wait_until_shared(&nodes[1], &nodes[0]);
    drop(redis);
    let before_b = left(&nodes[1]);
    for _ in 0..50 {
        assert!(nodes[0].ask("example.demo\r\n").contains("Domain Name: example.demo"));
    }
    assert!(left(&nodes[1]) + 5 > before_b, "nothing is shared, nothing is held up");
    // The server comes back, and so does the sharing.
    let redis = Redis::start(free);
    wait_until_shared(&nodes[0], &nodes[1]);
    let [a, b] = nodes;
    assert!(a.stop().contains("limits alone until the site's server is back"));
    b.stop();
    drop(redis);
}

#[test]
fn a_password_is_read_again_for_each_connection() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _redis = Redis::start_with(free, &["--requirepass", "right"]);
    let folder = tempfile::tempdir().unwrap();
    let credentials = folder.path().join("credentials");
    fs::write(&credentials, ":wrong\n").unwrap();
    let more = format!("credentials = {credentials:?}\n");
    let nodes = ["a", "b"].map(|name| node_with(folder.path(), name, free, &more));
    std::thread::sleep(Duration::from_millis(500));
    for _ in 0..200 {
        let _ = nodes[0].ask("x.demo\r\n");
    }
    std::thread::sleep(Duration::from_millis(500));
    assert!(left(&nodes[1]) > 5_990, "nothing is shared with a wrong password");
    fs::write(&credentials, ":right\n").unwrap();
    wait_until_shared(&nodes[0], &nodes[1]);
}

/// Carries bytes between the nodes and Redis; on request, it silently forgets the connections, as a
/// firewall does.
fn relay(listener: TcpListener, to: u16, forgotten: &'static AtomicBool) {
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let was_forgotten = forgotten.load(Ordering::Relaxed);
            for (mut from, mut into) in
                [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
            {
                std::thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    while let Ok(length @ 1..) = from.read(&mut bytes) {
                        // Connections that were made before are silent; new ones work.
                        if forgotten.load(Ordering::Relaxed) == was_forgotten
                            && into.write_all(&bytes[..length]).is_err()
                        {
                            break;
                        }
                    }
                });
            }
        }
    });
}

#[test]
fn a_connection_that_is_silent_for_long_is_made_again_even_without_queries() {
    static FORGOTTEN: AtomicBool = AtomicBool::new(false);
    let free = || TcpListener::bind("127.0.0.1:0").unwrap();
    let redis = Redis::start(free().local_addr().unwrap().port());
    let between = free();
    let port = between.local_addr().unwrap().port();
    relay(between, redis.port, &FORGOTTEN);
    let folder = tempfile::tempdir().unwrap();
    let nodes = ["a", "b"].map(|name| node_with(folder.path(), name, port, ""));
    wait_until_shared(&nodes[0], &nodes[1]);
    FORGOTTEN.store(true, Ordering::Relaxed);
    wait_until_shared(&nodes[0], &nodes[1]);
    // No query comes for longer than a silence may last: nothing breaks.
    std::thread::sleep(Duration::from_secs(10));
    let [a, b] = nodes;
    for said in [a.stop(), b.stop()] {
        assert_eq!(said.matches("usage of other nodes cannot be heard").count(), 1, "{said}");
    }
}

//! Behind a real HAProxy (Debian's package): its headers of both versions with checksum and TLVs,
//! its health checks of every kind, and a stop under load that loses no query.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test: what cannot be run fails it")]
#![allow(clippy::disallowed_methods, reason = "a test that waits for other processes")]

mod server;

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use server::{Server, counts};
use socket2::{Domain, Socket, Type};

/// A snapshot file is served like a directory with one generation.
const SNAPSHOT: &str = "snapshot-format/tests/fixtures/version-1.snapshot";

/// Where Debian puts it; not on every user's PATH.
const HAPROXY: &str = "/usr/sbin/haproxy";

/// The start of every configuration. Without retries, a refused connection is a lost query.
const DEFAULTS: &str = "\
global
    maxconn 500
    nbthread 1
defaults
    mode tcp
    retries 0
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout check 5s
";

/// A port that is free at present.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server with one listener for every client (127.0.0.1) and two behind proxies on this machine:
/// 127.0.0.2 for version 2, 127.0.0.3 for version 1. `more` are further lines of `[server]`, and
/// tables after it.
fn start(dir: &Path, name: &str, more: &str) -> Server {
    // The client that a proxy names is limited, even with an address of this machine.
    let limits = if more.contains("[limits]") { "" } else { "[limits]\nmode = \"off\"\n" };
    let text = format!(
        "[server]\ndir = \"{SNAPSHOT}\"\n\
         listen = [\"127.0.0.1:0\", \"127.0.0.2:0\", \"127.0.0.3:0\"]\n{more}\n{limits}\
         [[proxy]]\nlisten = \"127.0.0.2:0\"\nfrom = [\"127.0.0.0/8\"]\nheader = \"v2\"\n\
         [[proxy]]\nlisten = \"127.0.0.3:0\"\nfrom = [\"127.0.0.0/8\"]\nheader = \"v1\"\n"
    );
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    Server::start(&["--config", path.to_str().unwrap()])
}

/// A running HAProxy.
struct Proxy {
    process: Child,
    log: PathBuf,
}

impl Proxy {
    /// Starts one, and waits until it listens on `ports`.
    fn start(dir: &Path, configuration: &str, ports: &[u16]) -> Self {
        let path = dir.join("haproxy.cfg");
        fs::write(&path, format!("{DEFAULTS}{configuration}")).unwrap();
        let log = dir.join("haproxy.log");
        // -db: in the foreground, one process.
        let process = Command::new(HAPROXY)
            .arg("-db")
            .arg("-f")
            .arg(&path)
            .stderr(File::create(&log).unwrap())
            .spawn()
            .expect("haproxy cannot be run; `deploy/packages haproxy` installs it");
        let mut proxy = Self { process, log };
        for port in ports {
            proxy.see_listening(*port);
        }
        proxy
    }

    fn see_listening(&mut self, port: u16) {
        for _ in 0..6_000 {
            let ended = self.process.try_wait().unwrap();
            let log = || fs::read_to_string(&self.log).unwrap_or_default();
            assert!(ended.is_none(), "haproxy has ended: {}", log());
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("haproxy does not listen on {port}");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks the proxy at `port` from `client`, which is then the client's address for the server; the
/// answer, or what went wrong. All of 127.0.0.0/8 is this machine.
fn ask_from(client: IpAddr, port: u16, query: &str) -> std::io::Result<String> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(client, 0).into())?;
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(query.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn client(last: u8) -> IpAddr {
    IpAddr::from([127, 0, 0, last])
}

fn is_answer(answer: &str) -> bool {
    answer.starts_with("Domain Name: example.demo\r\n") && answer.ends_with("\r\n")
}

/// A counter of the log's last line.
fn counted(log: &str, name: &str) -> u64 {
    counts(log).get(name).copied().unwrap_or(0)
}

#[test]
fn queries_through_haproxy_are_answered_as_the_clients_own_and_its_checks_as_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), "whoisd.toml", "[status]\nlisten = \"127.0.0.1:0\"");
    let [_, v2, v1] = server.addresses.as_slice() else { panic!("{:?}", server.addresses) };
    let ports = [free_port(), free_port()];
    let [first, second] = ports;
    let options = "proxy-v2-options crc32c,unique-id";
    let configuration = format!(
        "frontend first\n    bind 127.0.0.1:{first}\n    unique-id-format %{{+X}}o\\ %ci:%cp_%rt\n\
         \x20   default_backend v2\n\
         backend v2\n    server whoisd {v2} send-proxy-v2 {options} check inter 100ms\n\
         frontend second\n    bind 127.0.0.1:{second}\n    default_backend v1\n\
         backend v1\n    server whoisd {v1} send-proxy check inter 100ms\n"
    );
    let proxy = Proxy::start(dir.path(), &configuration, &ports);
    for last in 20..30 {
        for port in ports {
            let answer = ask_from(client(last), port, "example.demo\r\n").unwrap();
            assert!(is_answer(&answer), "{answer}");
        }
    }
    let checks_count = || {
        let mut client = TcpStream::connect(server.status.unwrap()).unwrap();
        client.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut figures = String::new();
        client.read_to_string(&mut figures).unwrap();
        let of_shard = figures.lines().filter(|line| {
            line.starts_with("whoisd_proxied_total{") && line.contains("of=\"proxy\"")
        });
        let counts = of_shard.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
        counts.sum::<u64>()
    };
    let begun = Instant::now();
    while checks_count() < 4 {
        assert!(begun.elapsed() < Duration::from_secs(120), "the balancer does not check");
        thread::sleep(Duration::from_millis(20));
    }
    drop(proxy);
    // Not one of the proxy's own: without a header it is not answered.
    let mut stranger = TcpStream::connect(v2).unwrap();
    stranger.write_all(b"example.demo\r\n").unwrap();
    let mut answer = Vec::new();
    match stranger.read_to_end(&mut answer) {
        Ok(_) => {}
        // The close threw away what was unread.
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert!(answer.is_empty());
    let log = server.stop();
    assert!(counted(&log, "proxied") >= 20, "{log}");
    assert!(counted(&log, "proxied_own") >= 4, "{log}");
    assert_eq!(counted(&log, "answered_found"), 20);
    assert_eq!(counted(&log, "ended_unproxied"), 1);
    assert!(log.contains("no PROXY header of the wanted version"), "{log}");
}

/// Limits, blocks and lists go by the client that the header names, not by the proxy, whose own
/// checks have none. All are addresses of this machine, which is free only as itself.
#[test]
fn each_client_behind_haproxy_has_its_own_limits_and_block() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("lists.toml");
    fs::write(&list, "[[entry]]\nprefix = \"127.0.0.60\"\naction = \"deny\"\n").unwrap();
    let (list, state) = (list.display(), dir.path().join("blocks.json"));
    let more = format!(
        "[limits]\ncontact = \"noc@registry.demo\"\n[blocks]\nstate = \"{}\"\npatience_burst = 5\n\
         [policy]\nlists = [\"{list}\"]",
        state.display()
    );
    let server = start(dir.path(), "whoisd.toml", &more);
    let port = free_port();
    let configuration = format!(
        "listen whois\n    bind 127.0.0.1:{port}\n    \
         server whoisd {} send-proxy-v2 check inter 20ms\n",
        server.addresses[1]
    );
    let _proxy = Proxy::start(dir.path(), &configuration, &[port]);
    let ask = |last: u8, query: &str| ask_from(client(last), port, query).unwrap();
    assert!(ask(50, "limits\r\n").starts_with("% You ask as 127.0.0.50. What is left"));
    // More than its 60 where asking takes so long that some have come back meanwhile.
    let answers = (0..500).map(|_| ask(50, "example.demo\r\n"));
    let (mut answered_count, mut refusal) = (0, None);
    for answer in answers {
        if !is_answer(&answer) {
            refusal = Some(answer);
            break;
        }
        answered_count += 1;
    }
    assert!(answered_count >= 59, "{answered_count} answers, {refusal:?}");
    let refused = "%ERROR:QUOTA limit=60/min scope=127.0.0.50/32 wait=1\r\n";
    assert!(refusal.as_ref().is_some_and(|answer| answer.starts_with(refused)), "{refusal:?}");
    assert!(is_answer(&ask(51, "example.demo\r\n")), "its neighbour is not limited");
    assert!(ask(60, "example.demo\r\n").starts_with("%ERROR:DENIED scope=127.0.0.60/32\r\n"));
    // The proxy's checks, fifty a second, count for no client; nor does `limits` cost a query.
    assert!(ask(1, "limits\r\n").contains("60        60          60"), "{}", ask(1, "limits\r\n"));
    let blocked = (0..500).any(|_| {
        thread::sleep(Duration::from_millis(5));
        ask(50, "example.demo\r\n").starts_with("%ERROR:BLOCKED scope=127.0.0.50/32 until=")
    });
    assert!(blocked, "who goes on is blocked");
    assert!(is_answer(&ask(51, "example.demo\r\n")), "its neighbour is not blocked");
    server.stop();
}

/// How a balancer sees whether a server may be asked.
#[derive(Clone, Copy, Debug)]
enum Check {
    /// `GET /ready`.
    Ready,
    /// Whether a port is open.
    Health,
}

/// Queries under way at the same time.
const CLIENTS: u8 = 8;

/// Two servers under load behind one proxy; the first gets the signal to stop. Counts the queries
/// that were answered and those that were lost.
fn stop_under_load(check: Check, delay_ms: u64, check_every_ms: u64) -> (u64, u64) {
    let dir = tempfile::tempdir().unwrap();
    let key = if matches!(check, Check::Ready) { "listen" } else { "health_listen" };
    let start = |name: &str, checked: u16| {
        let more =
            format!("drain_delay_ms = {delay_ms}\n[status]\n{key} = \"127.0.0.1:{checked}\"\n");
        start(dir.path(), name, &more)
    };
    let checked = [free_port(), free_port()];
    let servers = [start("a.toml", checked[0]), start("b.toml", checked[1])];
    let port = free_port();
    let option = if matches!(check, Check::Ready) { "    option httpchk GET /ready\n" } else { "" };
    let line = |name: &str, server: &Server, checked: u16| {
        let at = server.addresses[1];
        let check = format!("check port {checked} addr 127.0.0.1 inter {check_every_ms}ms");
        format!("    server {name} {at} send-proxy-v2 {check} fall 2 rise 1\n")
    };
    let configuration = format!(
        "listen whois\n    bind 127.0.0.1:{port}\n    balance roundrobin\n{option}{}{}",
        line("a", &servers[0], checked[0]),
        line("b", &servers[1], checked[1])
    );
    let _proxy = Proxy::start(dir.path(), &configuration, &[port]);
    let ending = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let asking: Vec<_> = (0..CLIENTS)
        .map(|last| {
            let (ending, answered) = (Arc::clone(&ending), Arc::clone(&answered));
            thread::spawn(move || {
                let mut lost_count = 0_u64;
                while !ending.load(Ordering::Relaxed) {
                    match ask_from(client(100 + last), port, "example.demo\r\n") {
                        Ok(answer) if is_answer(&answer) => {
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        _ => lost_count += 1,
                    }
                    thread::sleep(Duration::from_millis(2));
                }
                lost_count
            })
        })
        .collect();
    // Many for each of the servers, which the balancer asks in turns; and many for the one that is
    // left.
    let wait_for_more = |count: u64| {
        let wanted = answered.load(Ordering::Relaxed) + count;
        let begun = Instant::now();
        while answered.load(Ordering::Relaxed) < wanted {
            assert!(begun.elapsed() < Duration::from_secs(120), "{check:?}: no answers any more");
            thread::sleep(Duration::from_millis(5));
        }
    };
    wait_for_more(100);
    let [stopped, kept] = servers;
    let log = stopped.stop();
    assert!(counted(&log, "answered_found") > 10, "{check:?}: {log}");
    wait_for_more(100);
    ending.store(true, Ordering::Relaxed);
    let lost_count = asking.into_iter().map(|asker| asker.join().unwrap()).sum();
    let log = kept.stop();
    assert!(counted(&log, "answered_found") > 10, "{check:?}: {log}");
    (answered.load(Ordering::Relaxed), lost_count)
}

#[test]
fn a_server_that_stops_under_load_loses_no_query_behind_a_balancer() {
    for check in [Check::Ready, Check::Health] {
        // Time for the balancer to see the stop, however busy the machine is.
        let (answered_count, lost_count) = stop_under_load(check, 10_000, 100);
        assert!(answered_count > 100, "{check:?}: {answered_count} answered");
        assert_eq!(lost_count, 0, "{check:?}: of {answered_count}");
    }
}

/// Otherwise the test above would prove nothing. The balancer asks rarely, so that it cannot see
/// the stop before the listeners close however slow the machine is.
#[test]
fn without_the_delay_queries_are_lost_until_the_balancer_sees_the_stop() {
    let (answered_count, lost_count) = stop_under_load(Check::Ready, 0, 10_000);
    assert!(lost_count > 0, "none lost, {answered_count} answered");
}

#[test]
fn haproxy_accepts_the_example() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/haproxy.cfg");
    let checked = Command::new(HAPROXY).args(["-c", "-f", example]).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

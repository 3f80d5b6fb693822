//! The server as a process on loopback: started, asked, broken, stopped.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be run fails it")]

mod server;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use server::{Server, counts, program, read_all};

/// A snapshot file is served like a directory with one generation.
const SNAPSHOT: &str = "snapshot-format/tests/fixtures/version-1.snapshot";
const LOOPBACK: [&str; 4] = ["--listen", "127.0.0.1:0", "--listen", "[::1]:0"];

fn refused(arguments: &[&str]) -> (i32, String) {
    let output = program().arg("serve").args(arguments).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_server_without_configuration_answers_on_ipv4_and_ipv6_and_drains() {
    let server = Server::start(&[&["--dir", SNAPSHOT][..], &LOOPBACK].concat());
    for key in ["version", "dir", "generation", "data_time", "domains", "shards", "engine"] {
        assert!(!server.started[key].is_null(), "{key}: {}", server.started);
    }
    assert_eq!(server.started["domains"], 4);
    for address in &server.addresses {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"example.demo\r\n").unwrap();
        let answer = read_all(&mut client);
        assert!(answer.starts_with("Domain Name: example.demo\r\n"), "{answer}");
        assert!(answer.contains("\r\n>>> Last update of WHOIS database: 1970-01-01T00:00:00"));
    }
    let log = server.stop();
    let counted = ["accepted", "answered_found", "ended_served"].map(|name| counts(&log)[name]);
    assert_eq!(counted, [2, 2, 2], "{log}");
}

#[test]
fn every_line_end_gives_the_same_answer_and_it_is_that_of_lookup() {
    let server = Server::start(&[&["--dir", SNAPSHOT][..], &LOOPBACK].concat());
    let answer = server.ask("example.demo\r\n");
    assert_eq!(server.ask("example.demo\n"), answer);
    let mut client = server.connect();
    client.write_all(b"example.demo").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut client), answer);
    let lookup = ["lookup", "--dir", SNAPSHOT, "example.demo"];
    assert_eq!(succeeded(&program().args(lookup).output().unwrap()), answer);

    let address = server.addresses[1].to_string();
    let query = ["query", "--server", &address, "example.demo"];
    assert_eq!(succeeded(&program().args(query).output().unwrap()), answer);
    let miss = program().args(["query", "--server", &address, "miss.demo"]).output().unwrap();
    assert_eq!(miss.status.code(), Some(4));
    let lookup = ["lookup", "--dir", SNAPSHOT, "miss.demo"];
    let looked_up = program().args(lookup).output().unwrap();
    assert_eq!(looked_up.status.code(), Some(4));
    assert_eq!(looked_up.stdout, miss.stdout);
    server.stop();
}

#[test]
fn a_line_that_is_too_long_gets_a_whole_refusal() {
    let server = Server::start(&[&["--dir", SNAPSHOT][..], &LOOPBACK].concat());
    let answer = server.ask(&format!("{}\r\n", "a".repeat(20_000)));
    assert!(answer.starts_with("%ERROR:"), "{answer}");
    assert!(answer.contains("\r\n>>> Last update of WHOIS database: "), "{answer}");
    let log = server.stop();
    assert_eq!(counts(&log)["answered_refused"], 1, "{log}");
}

#[test]
fn debians_whois_gets_its_answers() {
    let server = Server::start(&[&["--dir", SNAPSHOT][..], &LOOPBACK].concat());
    for (index, host) in ["127.0.0.1", "::1"].iter().enumerate() {
        let port = server.addresses[index].port().to_string();
        let whois = |words: &[&str]| {
            let arguments = [&["-h", host, "-p", &port, "--"][..], words].concat();
            succeeded(&Command::new("whois").args(arguments).output().unwrap())
        };
        assert!(whois(&["EXAMPLE.demo."]).starts_with("Domain Name: example.demo\n"));
        assert!(whois(&["nameserver", "192.0.2.1"]).contains("ns2.example.demo"));
        let registrar = whois(&["registrar Example Registrar, Inc."]);
        assert!(registrar.starts_with("Registrar: Example Registrar, Inc.\n"), "{registrar}");
    }
    server.stop();
}

#[test]
fn two_shards_share_a_port() {
    let allowed = thread::available_parallelism().unwrap().get();
    let server = Server::start(&[&["--dir", SNAPSHOT][..], &LOOPBACK].concat());
    assert!(server.started["shards"].as_str().unwrap().contains('-') || allowed == 1);
    for _ in 0..50 {
        assert!(server.ask("example.demo\r\n").starts_with("Domain Name"));
    }
    assert_eq!(counts(&server.stop())["answered_found"], 50);
}

/// The status line of an HTTP answer and its body.
fn get(port: u16, path: &str) -> String {
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
    read_all(&mut client)
}

#[test]
fn sigterm_makes_the_server_unready_before_its_listeners_close() {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (status, health) = (free(), free());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("whoisd.toml");
    let start = |delay_ms: u64| {
        let text = format!(
            "[server]\ndir = \"{SNAPSHOT}\"\nlisten = [\"127.0.0.1:0\"]\n\
             drain_delay_ms = {delay_ms}\n[status]\nlisten = \"127.0.0.1:{status}\"\n\
             health_listen = \"127.0.0.1:{health}\"\n"
        );
        fs::write(&path, text).unwrap();
        Server::start(&["--config", path.to_str().unwrap()])
    };
    let server = start(10_000);
    assert!(get(status, "/ready").starts_with("HTTP/1.0 200 OK"));
    assert!(TcpStream::connect(("127.0.0.1", health)).is_ok());
    let see_draining = || {
        for _ in 0..6_000 {
            let ready = get(status, "/ready");
            if ready.starts_with("HTTP/1.0 503") {
                return assert!(ready.contains("draining"), "{ready}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("it is ready for good");
    };
    server.signal("-TERM");
    see_draining();
    assert!(get(status, "/live").starts_with("HTTP/1.0 200 OK"));
    // Another thread closes this one; the query below shows that port 43 is still open.
    let refused = |_| {
        thread::sleep(Duration::from_millis(20));
        TcpStream::connect(("127.0.0.1", health)).is_err()
    };
    assert!((0..6_000).any(refused));
    assert!(server.ask("example.demo\r\n").starts_with("Domain Name: example.demo"));
    let (code, log) = server.wait();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(counts(&log)["answered_found"], 1, "{log}");

    // A second signal does not wait for the delay.
    let server = start(60_000);
    server.signal("-TERM");
    see_draining();
    server.signal("-TERM");
    let (code, log) = server.wait();
    assert_eq!(code, Some(143), "{log}");
}

#[test]
fn figures_are_served_until_the_last_connection_has_ended() {
    let status = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dir = tempfile::tempdir().unwrap();
    let (path, socket) = (dir.path().join("whoisd.toml"), dir.path().join("control.sock"));
    let text = format!(
        "[server]\ndir = \"{SNAPSHOT}\"\nlisten = [\"127.0.0.1:0\"]\nshutdown_ms = 60000\n\
         control = \"{}\"\n[status]\nlisten = \"127.0.0.1:{status}\"\n",
        socket.display()
    );
    fs::write(&path, text).unwrap();
    let server = Server::start(&["--config", path.to_str().unwrap()]);
    let mut begun = server.connect();
    begun.write_all(b"example").unwrap();
    // Its bytes are with the shard before the signal is.
    thread::sleep(Duration::from_millis(200));
    server.signal("-TERM");
    while server.addresses.iter().any(|address| TcpStream::connect(address).is_ok()) {
        thread::sleep(Duration::from_millis(20));
    }
    let figures = get(status, "/metrics");
    assert!(figures.contains("\nwhoisd_draining 1\n"), "{figures}");
    assert!(get(status, "/ready").starts_with("HTTP/1.0 503"));
    let listed = program().args(["list", "--config", path.to_str().unwrap()]).output().unwrap();
    assert!(listed.status.success(), "{listed:?}");
    begun.write_all(b".demo\r\n").unwrap();
    assert!(read_all(&mut begun).starts_with("Domain Name: example.demo"));
    let (code, log) = server.wait();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn an_address_of_figures_in_use_ends_the_start_before_a_shard_accepts() {
    let dir = tempfile::tempdir().unwrap();
    let (path, list) = (dir.path().join("whoisd.toml"), dir.path().join("list"));
    // What comes after it, and before the shards, is wrong as well.
    fs::write(&list, "no list\n").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    for key in ["listen", "health_listen"] {
        let text = format!(
            "[server]\ndir = \"{SNAPSHOT}\"\nlisten = [\"127.0.0.1:0\"]\n[status]\n{key} = \"{}\"\n\
             [policy]\nlists = [\"{}\"]\n",
            taken.local_addr().unwrap(),
            list.display()
        );
        fs::write(&path, text).unwrap();
        let ended = program().args(["serve", "--config", path.to_str().unwrap()]).output().unwrap();
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{told}");
        assert!(told.contains(&format!("status.{key}: ")) && told.contains("in use"), "{told}");
    }
}

/// Writes into a pipe once it has a reader, after `then` was done.
fn write_once_read(pipe: &Path, text: &str, then: impl FnOnce()) {
    let mut options = fs::OpenOptions::new();
    options.write(true).custom_flags(libc::O_NONBLOCK);
    for _ in 0..1_000 {
        if let Ok(mut writer) = options.open(pipe) {
            then();
            return writer.write_all(text.as_bytes()).unwrap();
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("nobody reads {}", pipe.display());
}

#[test]
fn a_sighup_during_the_start_ends_nothing_and_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    // A server that reads its configuration has begun, and goes on once it is written.
    let path = dir.path().join("whoisd.toml");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let text = format!("[server]\ndir = \"{SNAPSHOT}\"\nlisten = [\"127.0.0.1:0\"]\n");
    let mut command = program();
    command.args(["serve", "--config"]).arg(&path).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let id = process.id().to_string();
    let signal = |signal: &str| {
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    };
    let mut log = BufReader::new(process.stderr.take().unwrap());
    write_once_read(&path, &text, || signal("-HUP"));
    let mut line = String::new();
    while !line.contains("serving") {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "the server ended at its start");
    }
    // Read a second time: that is what SIGHUP asks for.
    write_once_read(&path, &text, || {});
    signal("-TERM");
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(0), "{rest}");
}

#[test]
fn sigterm_lets_a_query_in_flight_end_and_a_second_signal_does_not_wait() {
    let server = Server::start(&[&["--dir", SNAPSHOT][..], &LOOPBACK].concat());
    let mut begun = server.connect();
    begun.write_all(b"example").unwrap();
    thread::sleep(Duration::from_millis(200));
    server.signal("-TERM");
    thread::sleep(Duration::from_millis(200));
    begun.write_all(b".demo\r\n").unwrap();
    assert!(read_all(&mut begun).starts_with("Domain Name: example.demo"));
    let (status, log) = server.wait();
    assert_eq!(status, Some(0), "{log}");
    assert!(log.contains("\"cut_off_count\":0"), "{log}");

    let server = Server::start(&[&["--dir", SNAPSHOT][..], &LOOPBACK].concat());
    let _silent = server.connect();
    thread::sleep(Duration::from_millis(200));
    server.signal("-INT");
    thread::sleep(Duration::from_millis(200));
    server.signal("-TERM");
    let (status, log) = server.wait();
    assert_eq!(status, Some(128 + 15), "{log}");
}

#[test]
fn a_server_serves_on_when_descriptors_run_out() {
    for engine in ["ring", "streams"] {
        serve_with_few_descriptors(engine);
    }
}

fn serve_with_few_descriptors(engine: &str) {
    let arguments = ["--dir", SNAPSHOT, "--cores", "0", "--engine", engine];
    let arguments = [&arguments[..], &LOOPBACK].concat();
    let script = "ulimit -n 64 && exec \"$0\" serve --log-format json \"$@\"";
    let mut command = Command::new("bash");
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["-c", script, env!("CARGO_BIN_EXE_whoisd")]).args(arguments);
    let server = Server::from_command(&mut command);
    let mut held: Vec<_> = (0..80).map(|_| server.connect()).collect();
    if engine == "streams" {
        let folder = format!("/proc/{}/fd", server.process.id());
        let open_count = || fs::read_dir(&folder).unwrap().count();
        for _ in 0..6_000 {
            if open_count() >= 63 {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        assert!(open_count() >= 63, "{} of 64 descriptors", open_count());
    }
    thread::sleep(Duration::from_millis(300));
    // With streams, the last one waits in the kernel's queue until descriptors come free; the ring
    // has made room for it.
    let mut last = held.pop().unwrap();
    last.write_all(b"example.demo\r\n").unwrap();
    thread::sleep(Duration::from_millis(100));
    drop(held);
    assert!(read_all(&mut last).starts_with("Domain Name: example.demo"));
    let log = server.stop();
    let counted = if engine == "ring" { "evicted_silent" } else { "accept_errors" };
    assert!(counts(&log).contains_key(counted), "{engine}: {log}");
}

#[test]
fn a_snapshot_that_is_missing_or_damaged_refuses_to_start() {
    let (status, message) = refused(&[]);
    assert_eq!(
        (status, message.as_str()),
        (
            3,
            "whoisd: server.dir is not set; give --dir DIR, or --config FILE with a file that sets \
             it (without both, /etc/whoisd/whoisd.toml is read if it is there)\n"
        )
    );
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().to_str().unwrap();
    let (status, message) = refused(&["--dir", empty]);
    assert_eq!(status, 3);
    assert!(message.contains(empty) && message.contains("whoisd import"), "{message}");

    let root = env!("CARGO_MANIFEST_DIR");
    let mut bytes = fs::read(format!("{root}/{SNAPSHOT}")).unwrap();
    let end = bytes.len() - 1;
    bytes[5_000] ^= 0x40;
    let path = folder.path().join("damaged.snapshot");
    let file = path.to_str().unwrap();
    fs::write(&path, &bytes).unwrap();
    let (status, message) = refused(&["--dir", file]);
    assert_eq!(status, 3);
    assert!(message.contains(file) && message.contains("are damaged"), "{message}");
    fs::write(&path, &bytes[..end]).unwrap();
    let (status, message) = refused(&["--dir", file]);
    assert_eq!(status, 3);
    assert!(message.contains("cut short"), "{message}");
}

#[test]
fn an_address_in_use_and_a_core_that_is_not_there_are_named() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let (status, message) = refused(&["--dir", SNAPSHOT, "--listen", &address]);
    assert_eq!(status, 1);
    assert!(message.contains(&format!("listen {address}: address in use")), "{message}");
    // Another whoisd of the same user is not an exception, though both set SO_REUSEPORT.
    let server = Server::start(&[&["--dir", SNAPSHOT][..], &LOOPBACK].concat());
    let address = server.addresses[0].to_string();
    let (status, message) = refused(&["--dir", SNAPSHOT, "--listen", &address]);
    assert_eq!(status, 1);
    assert!(message.contains("address in use"), "{message}");
    server.stop();

    let (status, message) = refused(&["--dir", SNAPSHOT, "--cores", "0,1000"]);
    assert_eq!(status, 1);
    let expected = "whoisd: server.cores: core 1000 is not there; this machine has 0";
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn a_server_starts_again_at_once_on_the_port_that_it_served() {
    // A separate address: other tests take ports of 127.0.0.1 as they come free.
    let server = Server::start(&["--dir", SNAPSHOT, "--listen", "127.0.0.7:0"]);
    let address = server.addresses[0].to_string();
    // The server closes first, so its end of this connection stays in TIME-WAIT.
    assert!(server.ask("example.demo\r\n").starts_with("Domain Name"));
    server.stop();
    let server = Server::start(&["--dir", SNAPSHOT, "--listen", &address]);
    assert!(server.ask("example.demo\r\n").starts_with("Domain Name"));
    server.stop();
}

#[test]
fn a_configuration_file_sets_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whoisd.toml");
    let root = env!("CARGO_MANIFEST_DIR");
    let text = format!(
        "[server]\ndir = \"{root}/{SNAPSHOT}\"\nlisten = [\"127.0.0.1:0\"]\ncores = \"0\"\n\
         engine = \"streams\"\n[port43]\nfirst_byte_ms = 2000\nconnections_per_shard_max = 2\n\
         [log]\nformat = \"json\"\n[defaults]\nnot_found = \"NOT FOUND\"\n"
    );
    fs::write(&path, text).unwrap();
    let server = Server::start(&["--config", path.to_str().unwrap()]);
    assert!(server.ask("miss.demo\r\n").starts_with("NOT FOUND\r\n"));
    let mut silent = server.connect();
    assert_eq!(read_all(&mut silent), "");
    // Well within the time that silence may take, however busy the machine is.
    let held = [server.connect(), server.connect()];
    let over = read_all(&mut server.connect());
    assert_eq!(over, "");
    drop(held);
    let log = server.stop();
    let counted = ["expired_first_byte", "over_bound"].map(|name| counts(&log)[name]);
    assert_eq!(counted, [1, 1], "{log}");
    fs::write(&path, "[server]\ndri = \"x\"\n").unwrap();
    let (status, message) = refused(&["--config", path.to_str().unwrap()]);
    assert_eq!(status, 3);
    assert!(message.contains(":2: server.dri: unknown key `dri`"), "{message}");
}

/// A sample in `directory` of which one letter of a text has changed on the disk.
fn damaged_sample(directory: &Path) {
    let into = directory.to_str().unwrap();
    succeeded(&program().args(["sample", "--domains", "300", "--into", into]).output().unwrap());
    let base = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let base = base.into_iter().find(|path| path.extension() == Some("snapshot".as_ref())).unwrap();
    let mut bytes = fs::read(&base).unwrap();
    let address = bytes.windows(8).position(|window| window == b"@example").unwrap();
    bytes[address + 1] = b'E';
    fs::write(&base, bytes).unwrap();
}

#[test]
fn damage_found_while_serving_stops_the_server_and_says_where() {
    let directory = tempfile::tempdir().unwrap();
    damaged_sample(directory.path());
    let dir = directory.path().to_str().unwrap();
    let server = Server::start(&[&["--dir", dir, "--cores", "0"][..], &LOOPBACK].concat());
    let (status, log) = server.wait();
    assert_eq!(status, Some(3), "{log}");
    assert!(log.contains("the snapshot is damaged, stopping"), "{log}");
    assert!(log.contains("bytes 0 to "), "{log}");
}

#[test]
fn with_check_first_damage_is_refused_before_a_listener_opens() {
    let directory = tempfile::tempdir().unwrap();
    damaged_sample(directory.path());
    let dir = directory.path().to_str().unwrap();
    let arguments = ["--dir", dir, "--check", "first", "--listen", "127.0.0.1:0"];
    let (status, log) = refused(&arguments);
    assert_eq!(status, 3, "{log}");
    assert!(log.contains("bytes 0 to ") && !log.contains("serving"), "{log}");
    assert!(
        refused(&["--dir", SNAPSHOT, "--check", "never"]).1.contains("is none of behind, first")
    );
}

#[test]
fn checksums_are_compared_while_serving_unless_they_were_before() {
    for check in ["behind", "first"] {
        let arguments = [&["--dir", SNAPSHOT, "--cores", "0", "--check", check][..], &LOOPBACK];
        let mut server = Server::start(&arguments.concat());
        if check == "behind" {
            let mut line = String::new();
            server.log.read_line(&mut line).unwrap();
            assert!(line.contains("checksums compared"), "{line}");
        }
        let log = server.stop();
        assert!(!log.contains("checksums compared"), "{check}: {log}");
    }
}

//! Changes while a server answers: dropped into its spool, applied by another process, folded,
//! rolled back, and the writer killed in the middle.
#![allow(clippy::unwrap_used, reason = "tests may panic")]
#![allow(clippy::disallowed_methods, reason = "a test that waits for other processes")]

mod server;

use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use server::{Server, program};
use whoisd::store::{Settings as StoreSettings, Writer};
use whoisd::view::{Disk, View};

const LOOPBACK: [&str; 4] = ["--listen", "127.0.0.1:0", "--cores", "0"];
const COMMITTED: &str = "2026-11-20T03:04:05.678Z";
/// A time that no clock has seen.
const TO_COME: &str = "2099-01-02T03:04:05.678Z";
/// An event that takes longer than this does not happen.
const PATIENCE: Duration = Duration::from_secs(120);

/// A directory with a sample of a registry, and rules that show contacts.
struct Site {
    directory: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self { directory: tempfile::tempdir().unwrap() };
        let dir = site.dir();
        let made = program().args(["sample", "--domains", "300", "--into"]).arg(&dir).output();
        assert!(made.unwrap().status.success());
        let config = "[defaults]\npreset = \"open\"\n[updater]\nfold_changed_percent = 0\n";
        fs::write(site.directory.path().join("whoisd.toml"), config).unwrap();
        site
    }

    fn dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn serve(&self, more: &[&str]) -> Server {
        let config = self.directory.path().join("whoisd.toml");
        let dir = self.dir();
        let own = ["--config", config.to_str().unwrap(), "--dir", dir.to_str().unwrap()];
        Server::start(&[&own[..], &LOOPBACK, more].concat())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, command: &str, file: &Path, more: &[&str]) -> Output {
        let dir = self.dir();
        program()
            .arg(command)
            .arg(file)
            .args(["--dir", dir.to_str().unwrap()])
            .args(more)
            .output()
            .unwrap()
    }

    fn apply(&self, text: &str) -> Output {
        self.run("apply", &self.file("changes.jsonl", text), &["--timeout", "20"])
    }
}

fn record(serial: u64, kind: &str, body: &str) -> String {
    format!(
        "{{\"v\":1,\"serial\":{serial},\"committed\":\"{COMMITTED}\",\"transaction\":\"T{serial}\",\
         \"kind\":\"{kind}\",{body}}}\n"
    )
}

fn contact(serial: u64, email: &str) -> String {
    let body = format!(
        "\"upsert\":{{\"id\":\"LIVE-1\",\"roid\":\"C1-LIVE\",\"status\":[\"ok\"],\"postalInfo\":\
         [{{\"type\":\"int\",\"name\":\"Live Person\",\"addr\":{{\"street\":[\"Road 1\"],\"city\":\
         \"Town\",\"cc\":\"DE\"}}}}],\"email\":\"{email}\",\"clID\":\"reg-live\"}}"
    );
    record(serial, "contact", &body)
}

fn domain(serial: u64, name: &str) -> String {
    let body = format!(
        "\"upsert\":{{\"name\":\"{name}\",\"roid\":\"D{serial}-LIVE\",\"status\":[\"ok\"],\
         \"contacts\":[{{\"type\":\"registrant\",\"id\":\"LIVE-1\"}}],\"ns\":\
         [\"ns1.live.example\"],\"clID\":\"reg-live\",\"crDate\":\"2029-01-01T00:00:00.000Z\"}}"
    );
    record(serial, "domain", &body)
}

fn registrar(serial: u64) -> String {
    let body = "\"upsert\":{\"id\":\"reg-live\",\"name\":\"Live Registrar\",\"gurid\":4242}";
    record(serial, "registrar", body)
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

/// Asks until the answer has a text, or fails after some seconds.
fn answer_with(server: &Server, query: &str, text: &str) -> String {
    let begun = Instant::now();
    loop {
        let answer = server.ask(query);
        if answer.contains(text) {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "no {text:?} in {answer}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_change_in_the_spool_is_answered_at_once_with_all_that_refers_to_it() {
    let site = Site::new();
    let server = site.serve(&["--spool"]);
    let name = "live-change.example";
    let missing = server.ask(&format!("{name}\r\n"));
    assert!(!missing.contains("Registry Domain ID"), "{missing}");
    // The domain comes before the objects that it refers to: the order within a batch does not
    // matter.
    let text = [domain(1, name), contact(2, "one@live.example"), registrar(3)].concat();
    succeeded(&site.apply(&text));
    let answer = server.ask(&format!("{name}\r\n"));
    for line in ["Registrar: Live Registrar\r\n", "Registrant Email: one@live.example\r\n"] {
        assert!(answer.contains(line), "{line:?} in {answer}");
    }
    assert!(answer.contains("Last update of WHOIS database: 2026-11-20T03:04:05"), "{answer}");
    // A nameserver without a record is shown by its name, and is not an answer by itself.
    assert!(answer.contains("Name Server: ns1.live.example\r\n"), "{answer}");
    let none = server.ask("nameserver ns1.live.example\r\n");
    assert!(!none.contains("Server Name"), "{none}");
    let host = record(
        5,
        "host",
        "\"upsert\":{\"name\":\"ns1.live.example\",\"addr\":{\"v4\":[\"192.0.2.7\"]}}",
    );
    succeeded(&site.apply(&[contact(4, "two@live.example"), host].concat()));
    let answer = server.ask(&format!("{name}\r\n"));
    for line in ["Registrant Email: two@live.example\r\n", "Name Server: ns1.live.example\r\n"] {
        assert!(answer.contains(line), "{line:?} in {answer}");
    }
    assert!(server.ask("nameserver 192.0.2.7\r\n").contains("ns1.live.example"));
    assert!(server.ask("live-chan%\r\n").contains(name));
    succeeded(&site.apply(&record(6, "domain", &format!("\"delete\":\"{name}\""))));
    let gone = server.ask(&format!("{name}\r\n"));
    assert!(!gone.contains("Registry Domain ID"), "{gone}");
    server.stop();
    let served = View::open(&site.dir()).unwrap();
    assert_eq!(served.state().serial, 6);
}

#[test]
fn a_bad_file_is_rejected_with_the_reason_and_a_missing_one_is_waited_for() {
    let site = Site::new();
    let server = site.serve(&["--spool"]);
    succeeded(&site.apply(&registrar(1)));
    let refused = site.apply("{\"v\":1,\"serial\":2}\n");
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("line 1"), "{refused:?}");
    let rejected = fs::read_dir(site.dir().join("spool/rejected")).unwrap();
    let names: Vec<_> = rejected.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    let file = site.file("gap.jsonl", &registrar(4));
    let gap = site.run("apply", &file, &["--timeout", "1"]);
    assert_eq!(gap.status.code(), Some(1), "{gap:?}");
    // It waits for serials 2 and 3, which come under a name before its own.
    let text = [registrar(2), registrar(3)].concat();
    let spool = site.dir().join("spool");
    fs::write(spool.join(".first"), text).unwrap();
    fs::rename(spool.join(".first"), spool.join("00-first.jsonl")).unwrap();
    let begun = Instant::now();
    while View::open(&site.dir()).unwrap().state().serial < 4 {
        assert!(begun.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(50));
    }
    let log = server.stop();
    assert!(log.contains("serial 4 does not follow 1"), "{log}");
}

#[test]
fn a_server_follows_what_other_processes_apply_import_and_roll_back() {
    let site = Site::new();
    let server = site.serve(&[]);
    let text = [registrar(7), contact(8, "a@live.example"), domain(9, "one.example")].concat();
    succeeded(&site.apply(&text));
    answer_with(&server, "one.example\r\n", "Registry Domain ID: D9-LIVE");
    let kept = View::open(&site.dir()).unwrap().generation();
    succeeded(&site.apply(&record(10, "domain", "\"delete\":\"one.example\"")));
    let begun = Instant::now();
    while server.ask("one.example\r\n").contains("D9-LIVE") {
        assert!(begun.elapsed() < PATIENCE);
    }
    let dir = site.dir();
    let to = kept.to_string();
    let arguments = ["rollback", "--dir", dir.to_str().unwrap(), "--to", &to];
    succeeded(&program().args(arguments).output().unwrap());
    answer_with(&server, "one.example\r\n", "Registry Domain ID: D9-LIVE");
    let inspected = program().arg("inspect").arg(&dir).output().unwrap();
    let text = String::from_utf8(inspected.stdout).unwrap();
    assert!(text.contains(&format!("generation: {kept}\n")) && text.contains("\nkept "), "{text}");
    let missing = ["rollback", "--dir", dir.to_str().unwrap(), "--to", "999"];
    let missing = program().args(missing).output().unwrap();
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(!missing.status.success() && said.contains("999 is not kept; there are"), "{said}");
    // Another full state: the sample again, without the changes that were applied.
    let again =
        program().args(["sample", "--domains", "300", "--replace", "--into"]).arg(&dir).output();
    succeeded(&again.unwrap());
    let begun = Instant::now();
    while server.ask("one.example\r\n").contains("D9-LIVE") {
        assert!(begun.elapsed() < PATIENCE);
    }
    server.stop();
}

#[test]
fn a_deposit_of_changes_applies_once_and_in_its_turn() {
    let site = Site::new();
    let dir = site.dir();
    let deposit = |name: &str, id: &str, prev: &str| {
        let text = fs::read_to_string("tests/deposits/diff.xml").unwrap();
        let text = text.replace("id=\"20261102001\"", &format!("id=\"{id}\""));
        let text = text.replace("prevId=\"20261101001\"", &format!("prevId=\"{prev}\""));
        site.file(name, &text.replace("2026-11-02T00:00:00Z", "2030-11-02T00:00:00Z"))
    };
    let import =
        |file: &Path| program().arg("import").arg(file).arg("--into").arg(&dir).output().unwrap();
    let early = import(&deposit("early.xml", "D2", "D1"));
    let said = String::from_utf8_lossy(&early.stderr).into_owned();
    assert_eq!(early.status.code(), Some(3), "{said}");
    assert!(said.contains("deposit D1 is missing"), "{said}");
    // An incremental one without `prevId` follows the last full one.
    let text = fs::read_to_string(deposit("first.xml", "D1", "X")).unwrap();
    let first = text.replace("type=\"DIFF\"", "type=\"INCR\"").replace(" prevId=\"X\"", "");
    succeeded(&import(&site.file("first.xml", &first)));
    let second = deposit("second.xml", "D2", "D1");
    succeeded(&import(&second));
    assert_eq!(import(&second).status.code(), Some(3), "twice");
    let view = View::open(&dir).unwrap();
    assert!(view.data().find_domain("a.test").unwrap().is_some());
    assert_eq!(&*view.state().deposit, "D2");
    // Through a spool: one that a crash kept from being moved is moved.
    let server = site.serve(&["--spool"]);
    succeeded(&site.run("apply", &second, &["--timeout", "20"]));
    let third = deposit("third.xml", "D3", "D2");
    succeeded(&site.run("apply", &third, &["--timeout", "20"]));
    server.stop();
    assert_eq!(&*View::open(&dir).unwrap().state().deposit, "D3");
}

/// Status line and body of an answer over HTTP.
fn get(port: u16, path: &str) -> (String, String) {
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(client, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[test]
fn health_and_figures_say_generation_age_and_readiness() {
    let site = Site::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!("[status]\nlisten = \"127.0.0.1:{port}\"\nready_age_max_s = 60\n");
    fs::write(site.directory.path().join("whoisd.toml"), config).unwrap();
    let server = site.serve(&["--spool"]);
    assert_eq!(get(port, "/live"), ("HTTP/1.0 200 OK".to_owned(), "live\n".to_owned()));
    // The sample is of a fixed day, which is long ago.
    let (status, why) = get(port, "/ready");
    assert!(status.contains("503") && why.contains("status.ready_age_max_s"), "{status} {why}");
    succeeded(&site.apply(&registrar(40)));
    assert!(get(port, "/ready").0.contains("503"), "its time is long ago");
    let fresh: serde_json::Value = serde_json::from_str(&get(port, "/freshness").1).unwrap();
    assert_eq!((&fresh["serial"], &fresh["newest_change"]), (&40.into(), &COMMITTED.into()));
    // A time to come counts as of its arrival: it is fresh now, and not for years.
    succeeded(&site.apply(&registrar(41).replace(COMMITTED, TO_COME)));
    assert!(get(port, "/ready").0.contains("200"));
    let fresh: serde_json::Value = serde_json::from_str(&get(port, "/freshness").1).unwrap();
    let newest = fresh["newest_change"].as_str().unwrap();
    assert!(newest > COMMITTED && newest < TO_COME, "{newest}");
    let answer = server.ask("nothing.example\r\n");
    assert!(!answer.contains("2099-"), "{answer}");
    let figures = get(port, "/metrics").1;
    assert!(figures.contains("\nwhoisd_serial 41\n"), "{figures}");
    assert!(get(port, "/nothing").0.contains("404"));
    let log = server.stop();
    assert!(log.contains("a commit time lies ahead of this machine's clock"), "{log}");
}

#[test]
fn files_whose_names_have_another_order_than_their_serials_are_applied_and_a_gap_is_reported() {
    let site = Site::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!("[status]\nlisten = \"127.0.0.1:{port}\"\n");
    fs::write(site.directory.path().join("whoisd.toml"), config).unwrap();
    let server = site.serve(&["--spool"]);
    let spool = site.dir().join("spool");
    let drop_in = |name: &str, text: &str| {
        fs::write(spool.join(".next"), text).unwrap();
        fs::rename(spool.join(".next"), spool.join(name)).unwrap();
    };
    let figures = |wanted: &str| {
        let begun = Instant::now();
        loop {
            let figures = get(port, "/metrics").1;
            if figures.contains(wanted) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "no {wanted:?} in {figures}");
            thread::sleep(Duration::from_millis(20));
        }
    };
    drop_in("a.jsonl", &domain(1, "one.example"));
    figures("\nwhoisd_serial 1\n");
    figures("\nwhoisd_spool_waiting_files 0\n");
    drop_in("b10.jsonl", &domain(4, "four.example"));
    drop_in("b9.jsonl", &domain(3, "three.example"));
    figures("\nwhoisd_spool_waiting_files 2\n");
    let (status, said) = get(port, "/ready");
    assert!(
        status.contains("200") && said.contains("in the spool") && said.contains("2 files"),
        "{said}"
    );
    // Files are counted before they are tried.
    let begun = Instant::now();
    let fresh = loop {
        let fresh: serde_json::Value = serde_json::from_str(&get(port, "/freshness").1).unwrap();
        if fresh["spool"]["file"] == "b9.jsonl" {
            break fresh;
        }
        assert!(begun.elapsed() < PATIENCE, "{fresh}");
        thread::sleep(Duration::from_millis(20));
    };
    let problem = fresh["spool"]["problem"].as_str().unwrap();
    assert!(problem.contains("serial 3 does not follow 1"), "{problem}");
    drop_in("late.jsonl", &domain(2, "two.example"));
    answer_with(&server, "four.example\r\n", "Domain Name: four.example");
    figures("\nwhoisd_spool_waiting_files 0\n");
    figures("\nwhoisd_spool_applied_total 4\n");
    server.stop();
}

#[test]
fn a_server_waits_a_while_for_an_address_and_a_directory_that_are_about_to_be_free() {
    let site = Site::new();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap().to_string();
    let status = TcpListener::bind("127.0.0.1:0").unwrap();
    let of_status = status.local_addr().unwrap().to_string();
    let more = format!("[status]\nlisten = \"{of_status}\"\n");
    let config = site.directory.path().join("whoisd.toml");
    let config = fs::read_to_string(&config).unwrap() + &more;
    site.file("whoisd.toml", &config);
    let writer = Writer::lock(Disk::new(&site.dir()), StoreSettings::default()).unwrap();
    let (dir, config) = (site.dir(), site.directory.path().join("whoisd.toml"));
    let mut process = program()
        .args(["serve", "--cores", "0", "--spool", "--listen", &address, "--config"])
        .arg(&config)
        .arg("--dir")
        .arg(&dir)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap());
    let mut said = String::new();
    // It says what it waits for, in the order in which it needs them.
    let mut until = |text: &str| {
        while !said.contains(text) {
            assert!(log.read_line(&mut said).unwrap() > 0, "no {text:?} in {said}");
        }
    };
    until("waiting for another process");
    until("is writing this directory");
    drop(writer);
    until(&format!("{address}: "));
    drop(held);
    until(&format!("status.listen: {of_status}: "));
    drop(status);
    until("serving");
    let id = process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(process.wait().unwrap().success());
}

/// Kills; the long run: `WHOISD_KILLS=1000 cargo test --release --test live_changes killed`.
fn kills() -> u64 {
    std::env::var("WHOISD_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(50)
}

/// Whether another base than the first one is in force.
fn has_folded(site: &Site) -> bool {
    let manifest = fs::read_to_string(site.dir().join("MANIFEST")).unwrap();
    let base = manifest.lines().find(|line| line.starts_with("base "));
    base.is_some_and(|line| !line.contains("base-0000000001"))
}

#[test]
fn a_writer_that_is_killed_at_any_moment_loses_nothing_that_it_acknowledged() {
    const PER_FILE: u64 = 3;
    let site = Site::new();
    let config = "[updater]\nfold_changed_percent = 0\nfold_changed_count = 30\n";
    fs::write(site.directory.path().join("whoisd.toml"), config).unwrap();
    let spool = site.dir().join("spool");
    fs::create_dir_all(&spool).unwrap();
    let mut random = 1_u64;
    let mut below = |end: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % end
    };
    let mut serial = 0;
    // A last server is given the time for a fold, if none was killed too late for one: with others
    // on its cores a writer may get to none before. The state kept to go back to may still be the
    // first one, so the base in force tells.
    for kill in 0..=kills() {
        let is_last = kill == kills();
        let server = site.serve(&["--spool"]);
        for _ in 0..below(12) {
            let mut text = String::new();
            for _ in 0..PER_FILE {
                serial += 1;
                let _ = write!(text, "{}", domain(serial, &format!("k{}.example", serial % 40)));
            }
            fs::write(spool.join(".next"), text).unwrap();
            fs::rename(spool.join(".next"), spool.join(format!("{serial:012}.jsonl"))).unwrap();
            thread::sleep(Duration::from_millis(below(25)));
        }
        if is_last {
            let begun = Instant::now();
            while !has_folded(&site) {
                assert!(begun.elapsed() < PATIENCE, "no fold");
                thread::sleep(Duration::from_millis(10));
            }
        }
        thread::sleep(Duration::from_millis(below(80)));
        server.signal("-KILL");
        drop(server);
        let done = fs::read_dir(spool.join("done")).into_iter().flatten();
        let names = done.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let acknowledged = names.filter_map(|name| name.split('.').next()?.parse().ok()).max();
        let view = View::open(&site.dir()).unwrap();
        view.prepare().unwrap();
        let reached = view.state().serial;
        assert!(
            reached >= acknowledged.unwrap_or(0_u64),
            "kill {kill}: {reached} {acknowledged:?}"
        );
        assert!(
            reached <= serial && reached.is_multiple_of(PER_FILE),
            "kill {kill}: a part of a batch"
        );
        for number in 0..40.min(reached + 1) {
            // The newest serial up to `reached` that named this domain.
            let last =
                (reached.saturating_sub(39)..=reached).rev().find(|s| s % 40 == number && *s > 0);
            let name = format!("k{number}.example");
            let found = view.data().find_domain(&name).unwrap();
            let roid = found.map(|domain| domain.roid.as_str().to_owned());
            assert_eq!(roid, last.map(|serial| format!("D{serial}-LIVE")), "kill {kill}: {name}");
        }
    }
}

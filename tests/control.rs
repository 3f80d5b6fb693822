//! A server that runs, reached by its operator: reload by command and by signal, lists that change
//! under it, and no connection lost meanwhile.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be run fails it")]

mod server;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use server::{Server, counts, program, read_all};
use tempfile::TempDir;
use whoisd::control::{Request, ask};

const SNAPSHOT: &str = "snapshot-format/tests/fixtures/version-1.snapshot";
/// Longest wait for a change that is looked for every second, in steps of 100 ms.
const STEPS_MAX: usize = 1_200;

/// Configuration, lists and socket of one server.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(place.path("lists.d")).unwrap();
        place.configure("", "");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the configuration: lines of `[server]`, and whole tables.
    fn configure(&self, server: &str, tables: &str) {
        let text = format!(
            "[server]\ndir = \"{SNAPSHOT}\"\nlisten = [\"127.0.0.1:0\"]\ncontrol = \"{}\"\n\
             {server}\n[policy]\nlists = [\"{}\"]\n{tables}\n",
            self.path("control.sock").display(),
            self.path("lists.d/*.toml").display()
        );
        // As editors do: a reload sees the old one or the new one.
        fs::write(self.path("draft"), text).unwrap();
        fs::rename(self.path("draft"), self.path("whoisd.toml")).unwrap();
    }

    fn list(&self, name: &str, prefix: &str, action: &str) {
        let text = format!("[[entry]]\nprefix = \"{prefix}\"\naction = \"{action}\"\n");
        fs::write(self.path("lists.d").join(name), text).unwrap();
    }

    fn serve(&self) -> Server {
        Server::start(&["--config", self.path("whoisd.toml").to_str().unwrap()])
    }

    fn whoisd(&self, arguments: &[&str]) -> Output {
        program().args(arguments).arg("--config").arg(self.path("whoisd.toml")).output().unwrap()
    }

    /// Exit status, standard output and standard error of `whoisd reload`.
    fn reload(&self) -> (i32, String, String) {
        let mut command = program();
        command.args(["reload", "--control"]).arg(self.path("control.sock"));
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn explain(&self, address: &str) -> String {
        let output = self.whoisd(&["policy", "explain", address]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Asks until `address` is reported to be in force in `file`, or not.
    fn wait_for(&self, address: &str, is_denied: bool) {
        let address = address.parse().unwrap();
        for _ in 0..STEPS_MAX {
            let request = Request::Explain { address };
            let told = ask(&self.path("control.sock"), &request).unwrap();
            if (told["entry"]["action"] == "deny") == is_denied {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("{address} does not change");
    }
}

#[test]
fn reload_swaps_what_can_change_and_names_what_cannot() {
    let place = Place::new();
    let server = place.serve();
    assert!(server.ask("miss.demo\r\n").starts_with("No Data Found\r\n"));
    place.configure(
        "shutdown_ms = 5000",
        "[defaults]\nnot_found = \"nothing\"\n[log]\nlevel = \"debug\"",
    );
    let (status, out, err) = place.reload();
    assert_eq!(status, 0, "{err}");
    let expected = "log.level: changed from \"info\" to \"debug\"\n\
                    how answers read ([defaults], [[tld]], [[registrar]], [[tier]]): changed\n\
                    server.shutdown_ms: changed from 10000 to 5000; takes a restart\n\
                    lists: 0 entries in force, 0 expired, from 0 files\n";
    assert_eq!(out, expected);
    assert!(server.ask("miss.demo\r\n").starts_with("nothing\r\n"));

    place.configure("shutdown_ms = 5000", "[defaults]\nmodel = \"fat\"");
    let (status, _, err) = place.reload();
    assert_eq!(status, 3);
    assert!(err.contains("whoisd.toml:9: defaults.model: "), "{err}");
    assert!(server.ask("miss.demo\r\n").starts_with("nothing\r\n"), "all stays as it was");
    // The same by signal, with the answer in the log.
    fs::write(place.path("whoisd.toml"), "").unwrap();
    let (status, _, err) = place.reload();
    assert_eq!(status, 3);
    assert!(err.contains("server.dir is not set"), "{err}");
    place.configure("", "");
    server.signal("-HUP");
    for _ in 0..STEPS_MAX {
        if server.ask("miss.demo\r\n").starts_with("No Data Found\r\n") {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    let log = server.stop();
    assert!(log.contains("configuration refused; all stays as it was"), "{log}");
    assert!(log.contains("log.level: changed from \\\"debug\\\" to \\\"info\\\""), "{log}");
}

#[test]
fn a_reload_that_cannot_hide_clients_is_refused_and_the_next_one_hides_them() {
    let place = Place::new();
    let log = place.path("log");
    let key = place.path("key");
    let table = |privacy: &str| {
        format!("[query_log]\ndir = {log:?}\nprivacy = \"{privacy}\"\nprivacy_key_file = {key:?}\n")
    };
    place.configure("", &table("none"));
    let server = place.serve();
    assert!(server.ask("clear.demo\r\n").starts_with("No Data Found\r\n"));
    place.configure("", &table("hash"));
    for _ in 0..2 {
        let (status, out, err) = place.reload();
        assert_eq!((status, out.as_str()), (3, ""), "{err}");
        let path = key.to_str().unwrap();
        assert!(err.contains("query log: ") && err.contains(path), "{err}");
    }
    fs::write(&key, "a7".repeat(32)).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let (status, out, err) = place.reload();
    assert_eq!(status, 0, "{err}");
    assert!(out.contains("query_log.privacy: changed from \"none\" to \"hash\""), "{out}");
    // From then on every record is hidden.
    assert!(server.ask("hidden.demo\r\n").starts_with("No Data Found\r\n"));
    server.stop();
    let mut rows = String::new();
    for file in fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|end| end == "gz") {
            let packed = fs::File::open(file).unwrap();
            flate2::read::MultiGzDecoder::new(packed).read_to_string(&mut rows).unwrap();
        }
    }
    let row_of = |name: &str| rows.lines().find(|row| row.contains(name)).unwrap();
    assert!(row_of("clear.demo").contains("127.0.0.1\""), "{rows}");
    let client = row_of("hidden.demo").split("\"client\":\"").nth(1).unwrap();
    assert!(client.starts_with('h'), "{rows}");
}

#[test]
fn lists_are_taken_over_when_they_change_and_one_with_an_error_keeps_the_old_one() {
    let place = Place::new();
    place.list("a.toml", "192.0.2.0/24", "deny");
    let server = place.serve();
    let file = place.path("lists.d/a.toml").display().to_string();
    let told = place.explain("192.0.2.1");
    assert!(told.starts_with("192.0.2.1: refused: the list denies it\n"), "{told}");
    assert!(told.contains(&format!("list: deny for 192.0.2.0/24 ({file}:2)\n")), "{told}");
    place.list("b.toml", "198.51.100.0/24", "deny");
    place.wait_for("198.51.100.1", true);
    place.list("a.toml", "192.0.2.1/24", "deny");
    let (status, out, err) = place.reload();
    assert_eq!(status, 3, "{out}");
    assert!(
        err.contains(&format!("{file}:2: entry 1: prefix: \"192.0.2.1/24\" has bits")),
        "{err}"
    );
    assert!(err.ends_with("entries read from it before stay in force\n"), "{err}");
    place.wait_for("192.0.2.1", true);
    let status = ask(&place.path("control.sock"), &Request::Status).unwrap();
    assert_eq!(status["lists"]["whoisd_lists_failing"], 1);
    place.list("a.toml", "203.0.113.0/24", "deny");
    place.wait_for("203.0.113.1", true);
    place.wait_for("192.0.2.1", false);
    let log = server.stop();
    assert!(log.contains("list refused; entries read from it before stay in force"), "{log}");
    assert!(log.contains("every list is good again"), "{log}");
    // Without a server, the files are read.
    let told = place.explain("203.0.113.1");
    assert!(told.starts_with("203.0.113.1: refused: the list denies it\n"), "{told}");
    assert!(told.ends_with("no server answers; the lists were read again\n"), "{told}");
}

#[test]
fn a_block_that_changes_nothing_is_explained_with_what_comes_before_it() {
    let place = Place::new();
    place.list("one.toml", "192.0.2.0/24", "allow");
    let _server = place.serve();
    assert!(place.explain("192.0.2.1").contains("block: none"));
    for (address, why) in
        [("192.0.2.1", "the list comes first"), ("127.0.0.1", "(limits.loopback_free)")]
    {
        let blocked = place.whoisd(&["block", address]);
        assert_eq!(blocked.status.code(), Some(4), "{blocked:?}");
        let told = place.explain(address);
        let line = told.lines().find(|line| line.starts_with("block: ")).unwrap();
        assert!(line.contains(address) && line.contains("it is kept"), "{told}");
        assert!(line.ends_with(why) && told.contains("answered without limits"), "{told}");
    }
}

#[test]
fn a_server_does_not_start_with_a_list_that_is_refused_or_a_socket_that_is_taken() {
    let place = Place::new();
    place.list("a.toml", "192.0.2.0/24", "block");
    let output = place.whoisd(&["serve"]);
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(err.contains("a.toml:3: entry 1: action: \"block\" is not an action"), "{err}");
    fs::remove_file(place.path("lists.d/a.toml")).unwrap();
    let server = place.serve();
    let output = place.whoisd(&["serve"]);
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains("server.control: ") && err.contains("a server answers there already"));
    // A server that was killed leaves its socket; the next one takes it over.
    let process = server.process.id().to_string();
    assert!(Command::new("kill").args(["-KILL", &process]).status().unwrap().success());
    server.wait();
    assert!(place.path("control.sock").exists());
    let server = place.serve();
    assert_eq!(place.reload().0, 0);
    server.stop();
    assert!(!place.path("control.sock").exists());
}

#[test]
fn the_usual_socket_lies_in_the_snapshot_directory_and_two_servers_of_one_get_on() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let made = program().args(["sample", "--domains", "100", "--into", dir]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let arguments = ["--dir", dir, "--listen", "127.0.0.1:0"];
    let first = Server::start(&arguments);
    // It has no socket, and reports that before it serves: the start is read past that line.
    let second = Server::start(&arguments);
    let reload = program().args(["reload", "--dir", dir]).output().unwrap();
    assert!(reload.status.success(), "{reload:?}");
    second.stop();
    assert!(folder.path().join("control.sock").exists());
    first.stop();
}

#[test]
fn no_connection_is_lost_across_reloads_under_load() {
    let place = Place::new();
    // Time enough for the half lines of below, however slow the machine is.
    let patient = "[port43]\nline_ms = 120000\ntotal_ms = 120000";
    place.configure("", patient);
    let server = place.serve();
    let ending = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicU64::new(0));
    // Lines that were begun before the first reload and end after the last one.
    let mut begun: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for client in &mut begun {
        client.write_all(b"exam").unwrap();
    }
    let address = server.addresses[0];
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (ending, asked) = (Arc::clone(&ending), Arc::clone(&asked));
            thread::spawn(move || {
                while !ending.load(Ordering::Relaxed) {
                    let mut client = std::net::TcpStream::connect(address).unwrap();
                    client.write_all(b"miss.demo\r\n").unwrap();
                    let answer = read_all(&mut client);
                    let whole = answer.starts_with("No Data Found\r\n")
                        || answer.starts_with("nothing\r\n");
                    assert!(whole && answer.contains("\r\n>>> Last update"), "{answer}");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 0..20 {
        let other = if round % 2 == 0 { "[defaults]\nnot_found = \"nothing\"" } else { "" };
        place.configure("", &format!("{patient}\n{other}"));
        place.list("a.toml", &format!("192.0.2.{round}/32"), "deny");
        if round % 5 == 4 {
            server.signal("-HUP");
            thread::sleep(Duration::from_millis(100));
        } else {
            let request = ask(&place.path("control.sock"), &Request::Reload);
            request.unwrap();
        }
    }
    ending.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    for client in &mut begun {
        client.write_all(b"ple.demo\r\n").unwrap();
        assert!(read_all(client).starts_with("Domain Name: example.demo\r\n"));
    }
    let count = asked.load(Ordering::Relaxed);
    assert!(count > 20, "{count} queries are no load");
    let log = server.stop();
    assert_eq!(counts(&log)["ended_served"], count + 20, "{log}");
}

#[test]
fn a_reload_that_takes_away_a_tier_which_lists_name_is_refused_whole() {
    let place = Place::new();
    let tier = |name: &str| format!("[[tier]]\nname = \"{name}\"\npreset = \"open\"\n");
    let list = |name: &str| {
        let text = format!("[[entry]]\nprefix = \"192.0.2.0/24\"\ntier = \"{name}\"\n");
        fs::write(place.path("lists.d/a.toml"), text).unwrap();
    };
    place.configure("", &tier("police"));
    list("police");
    let server = place.serve();
    place.configure("", &(tier("courts") + "[defaults]\nnot_found = \"nothing\"\n"));
    let (status, out, err) = place.reload();
    assert_eq!(status, 3, "{out}");
    assert!(err.contains("a.toml:2: entry 1: tier: there is no tier \"police\""), "{err}");
    assert!(server.ask("miss.demo\r\n").starts_with("No Data Found\r\n"), "all stays as it was");
    assert!(place.explain("192.0.2.1").contains("tier: police"));
    // With the lists that go with it, it is taken.
    list("courts");
    let (status, _, err) = place.reload();
    assert_eq!(status, 0, "{err}");
    assert!(server.ask("miss.demo\r\n").starts_with("nothing\r\n"));
    assert!(place.explain("192.0.2.1").contains("tier: courts"));
    server.stop();
}

/// A second server stands for whoisd-web: it has the socket that `web.control` names.
#[test]
fn orders_reach_both_servers_of_a_configuration_and_name_one_that_is_down() {
    let place = Place::new();
    let web = place.path("web.sock");
    let state = place.path("blocks.json");
    place.configure("", &format!("[blocks]\nstate = {state:?}\n[web]\ncontrol = {web:?}\n"));
    let server = place.serve();
    let run = |arguments: &[&str]| {
        let output = place.whoisd(arguments);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let down = format!("whoisd-web: not running: nobody answers at {}\n", web.display());
    let (status, out, err) = run(&["reload"]);
    assert_eq!(status, 0, "{err}");
    let lists = "lists: 0 entries in force, 0 expired, from 0 files\n";
    assert_eq!(out, format!("whoisd: {lists}{down}"));

    let other = place.path("other.toml");
    let text = fs::read_to_string(place.path("whoisd.toml")).unwrap();
    let of_whoisd = format!("control = \"{}\"", place.path("control.sock").display());
    let text = text.replace("blocks.json", "other.json").replace(&of_whoisd, "");
    let text = text.replace("[web]\ncontrol", "[server]\ncontrol");
    let (server_table, rest) = text.split_once("[server]\ncontrol").unwrap();
    let text = server_table.replacen("[server]", &format!("[server]\ncontrol = {web:?}"), 1);
    assert!(rest.contains("web.sock"));
    fs::write(&other, text).unwrap();
    let beside = Server::start(&["--config", other.to_str().unwrap()]);
    let (status, out, err) = run(&["block", "192.0.2.0/24"]);
    assert_eq!(status, 0, "{err}");
    let programs: Vec<_> = out.lines().map(|line| line.split(": blocked: ").next()).collect();
    assert_eq!(programs, [Some("whoisd"), Some("whoisd-web")], "{out}");
    for socket in ["control.sock", "web.sock"] {
        let told = ask(&place.path(socket), &Request::List).unwrap();
        assert_eq!(told["blocks"][0]["prefix"], "192.0.2.0/24", "{socket}");
    }
    // One that had no such block is told of, and is no reason to fail.
    ask(&web, &Request::Unblock { prefix: "192.0.2.0/24".to_owned() }).unwrap();
    let (status, out, err) = run(&["unblock", "192.0.2.0/24"]);
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("whoisd: unblocked: 192.0.2.0/24"), "{out}");
    assert!(out.contains("whoisd-web: 192.0.2.0/24 is not blocked"), "{out}");
    assert_eq!(run(&["unblock", "192.0.2.0/24"]).0, 4);
    assert_eq!(run(&["block", "0.0.0.0/0"]).0, 3);
    server.stop();
    let (status, out, _) = run(&["reload"]);
    assert!(status == 0 && out.starts_with("whoisd-web: lists: "), "{out}");
    assert!(out.contains("\nwhoisd: not running: nobody answers at "), "{out}");
    beside.stop();
    let (status, out, err) = run(&["reload"]);
    assert_eq!((status, out.as_str(), err.lines().count()), (1, "", 2), "{err}");
}

//! Limits, blocks, lists and tiers of a running server, as clients and operators meet them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test: what cannot be had fails it, and it waits by the clock"
)]

mod server;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use server::{Server, program};
use tempfile::TempDir;

/// A registry, and a server on it under a configuration.
struct Guarded {
    folder: TempDir,
    server: Server,
}

impl Guarded {
    fn start(configuration: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), configuration)
    }

    fn start_in(folder: TempDir, configuration: &str) -> Self {
        let data = folder.path().join("data");
        if !data.exists() {
            let made = program().args(["sample", "--domains", "200", "--into"]).arg(&data).output();
            assert!(made.unwrap().status.success());
        }
        let file = folder.path().join("whoisd.toml");
        fs::write(&file, configuration.replace("DIR", data.to_str().unwrap())).unwrap();
        let (file, data) = (file.to_str().unwrap().to_owned(), data.to_str().unwrap().to_owned());
        let listen = ["--listen", "127.0.0.1:0", "--cores", "0"];
        let mut arguments = vec!["--config", &file, "--dir", &data];
        arguments.extend(listen);
        let server = Server::start(&arguments);
        Self { folder, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What `whoisd` prints, with the control socket of this server; its status.
    fn command(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let socket = self.path("data").join("control.sock");
        let output = program().args(arguments).arg("--control").arg(socket).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (text + &String::from_utf8(output.stderr).unwrap(), output.status.code())
    }
}

const LIMITED: &str = "[limits]\nloopback_free = false\ncontact = \"noc@registry.demo\"\n";

/// Waits until `holds`; a condition that does not within two minutes never does.
fn wait(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(120), "it never happened");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn first_line(answer: &str) -> &str {
    answer.lines().next().unwrap_or_default()
}

#[test]
fn a_client_sees_its_limit_coming_is_refused_in_one_grammar_and_served_again() {
    let guarded = Guarded::start(LIMITED);
    let server = &guarded.server;
    let limits = server.ask("limits\r\n");
    assert!(limits.starts_with("% You ask as 127.0.0.1. What is left"), "{limits}");
    assert!(limits.contains("60        60          60           0 s  127.0.0.1/32"), "free");
    server.ask("example.demo\r\n");
    let limits = server.ask("limits\r\n");
    assert!(limits.contains("59        60          60           1 s  127.0.0.1/32"), "{limits}");
    assert!(limits.contains("127.0.0.0/24"), "{limits}");
    let (mut warned, mut refusal) = (0, String::new());
    // More than its 60 where asking takes so long that some have come back meanwhile.
    for _ in 0..2_000 {
        let answer = server.ask("example.demo\r\n");
        assert!(answer.contains("\r\n>>> Last update of WHOIS database: "), "{answer}");
        warned += u32::from(answer.contains("\r\n>>> Queries left: "));
        if answer.starts_with("%ERROR:QUOTA") {
            refusal = answer;
            break;
        }
    }
    assert!(warned > 5, "{warned}");
    let expected = "%ERROR:QUOTA limit=60/min scope=127.0.0.1/32 wait=1";
    assert_eq!(first_line(&refusal), expected);
    let said = "% Quota exceeded. Query rate limit exceeded: 60 a minute for you";
    assert!(refusal.contains(said), "{refusal}");
    // `limits` answers at the limit as well, however often a client asks.
    for _ in 0..20 {
        let limits = server.ask("limits\r\n");
        assert!(limits.starts_with("% You ask as 127.0.0.1. What is left"), "{limits}");
    }
    assert!(refusal.contains("% Contact: noc@registry.demo\r\n"), "{refusal}");
    let lower = refusal.to_lowercase();
    for phrase in ["no match", "not found", "no entries", "no data", "available", "domain name:"] {
        assert!(!lower.contains(phrase), "{phrase} in {refusal}");
    }
    // Honest clients wait as the answer says, and are served.
    std::thread::sleep(Duration::from_millis(1_100));
    assert!(server.ask("example.demo\r\n").contains("Domain Name: example.demo"));
}

#[test]
fn many_records_and_a_contact_by_its_roid_cost_what_each_does_by_itself() {
    let prices = "price_exact = 3\nprice_wildcard = 5\nprice_contact = 7\n";
    // One query a minute comes back, so that none does while this asks.
    let slow = "v4_32_per_min = 1\nv4_32_burst = 60\n[defaults]\npreset = \"open\"\n";
    let guarded = Guarded::start(&format!("{LIMITED}{prices}{slow}"));
    let left = || {
        let limits = guarded.server.ask("limits\r\n");
        let line = limits.lines().find(|line| line.ends_with("127.0.0.1/32")).unwrap();
        line.trim_start_matches('%').split_whitespace().next().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(left(), 60);
    let list = guarded.server.ask("exampl%\r\n");
    assert!(list.contains("(example.demo)"), "{list}");
    assert_eq!(left(), 55, "a list costs what the pattern does");
    let full = guarded.server.ask("full exampl%\r\n");
    assert_eq!(full.matches("Domain Name: ").count(), 4, "{full}");
    assert_eq!(left(), 43, "four records are four queries");
    let contact = guarded.server.ask("id K00000-DEMO\r\n");
    assert!(contact.contains("C00000u-DEMO"), "{contact}");
    assert_eq!(left(), 36, "a contact is one, however it is asked for");
}

#[test]
fn wildcards_and_lists_of_registrars_cost_more() {
    for line in ["exampl%.demo\r\n", "registrar zzz\r\n", "registrar z*\r\n"] {
        let guarded = Guarded::start(LIMITED);
        let begun = Instant::now();
        let served =
            (0..20).filter(|_| !guarded.server.ask(line).starts_with("%ERROR:QUOTA")).count();
        // One a second comes back, whatever the machine takes for the twenty.
        let served_max = (60 + begun.elapsed().as_secs() + 1).div_ceil(5);
        let is_so = served >= 12 && served as u64 <= served_max;
        assert!(is_so, "{line:?}: 60 at once, 5 each: {served}, at most {served_max}");
    }
}

#[test]
fn a_client_on_the_machine_itself_has_no_limits_unless_set_so() {
    let guarded = Guarded::start("");
    for _ in 0..100 {
        assert!(!guarded.server.ask("example.demo\r\n").starts_with("%ERROR"));
    }
    let limits = guarded.server.ask("limits\r\n");
    assert!(limits.starts_with("% You ask as 127.0.0.1, without limits."), "{limits}");
}

#[test]
fn a_dry_run_refuses_nobody_and_counts() {
    let configuration =
        // One a minute: none comes back meanwhile.
        format!("{LIMITED}mode = \"dry-run\"\nv4_32_per_min = 1\nv4_32_burst = 60\n\
                 [status]\nlisten = \"127.0.0.1:0\"\n");
    let guarded = Guarded::start(&configuration);
    for _ in 0..80 {
        assert!(!guarded.server.ask("example.demo\r\n").starts_with("%ERROR"));
    }
    let answer = guarded.server.ask("example.demo\r\n");
    assert!(!answer.contains("Queries left"), "clients see nothing of it: {answer}");
    let text = scrape(&guarded);
    let count = value(&text, "whoisd_limit_dry_run_total{prefix_length=\"32\"}");
    assert!((20..=21).contains(&count), "81 queries, 60 at once: {count}");
    assert!(!text.contains("whoisd_refusals_total{reason=\"limit\""), "{text}");
    let log = guarded.server.stop();
    assert!(log.contains("dry run: a limit would have refused it"), "{log}");
    assert!(log.contains("\"prefix_length\":32"), "{log}");
}

/// A client that goes on over its limit is blocked; its answer says so. The block survives a
/// restart and ends by hand.
#[test]
fn a_client_that_keeps_exceeding_is_blocked_over_a_restart_until_it_is_unblocked() {
    let configuration =
        format!("{LIMITED}[blocks]\npatience_burst = 10\nfirst_s = 600\nlongest_s = 6000\n");
    let guarded = Guarded::start(&configuration);
    let is_blocked = |server: &Server| {
        let answer = server.ask("example.demo\r\n");
        answer.starts_with("%ERROR:BLOCKED").then_some(answer)
    };
    wait(|| is_blocked(&guarded.server).is_some());
    let answer = is_blocked(&guarded.server).unwrap();
    assert!(answer.starts_with("%ERROR:BLOCKED scope=127.0.0.1/32 until="), "{answer}");
    assert!(first_line(&answer).ends_with(" cause=limit"), "{answer}");
    assert!(answer.contains("% Contact: noc@registry.demo"), "{answer}");
    let kept = guarded.path("data").join("blocks.json");
    wait(|| kept.exists());
    let Guarded { folder, server } = guarded;
    server.stop();
    let guarded = Guarded::start_in(folder, &configuration);
    assert!(is_blocked(&guarded.server).is_some(), "it survives a restart");
    let (listed, _) = guarded.command(&["list"]);
    assert!(listed.contains("127.0.0.1/32"), "{listed}");
    let (_, status) = guarded.command(&["unblock", "127.0.0.1"]);
    assert_eq!(status, Some(0));
    wait(|| is_blocked(&guarded.server).is_none());
    assert!(guarded.server.ask("example.demo\r\n").contains("example.demo"), "from the start");
}

#[test]
fn an_operator_blocks_and_explains() {
    let guarded = Guarded::start(LIMITED);
    let block = ["block", "127.0.0.0/24", "--for", "1h", "--reason", "asked to"];
    let (text, status) = guarded.command(&block);
    assert_eq!(status, Some(0), "{text}");
    wait(|| guarded.server.ask("example.demo\r\n").starts_with("%ERROR:BLOCKED"));
    let answer = guarded.server.ask("example.demo\r\n");
    assert!(answer.contains("cause=operator") && answer.contains("% Reason: asked to"), "{answer}");
    let (listed, _) = guarded.command(&["list"]);
    assert!(listed.contains("no entries\nno flags\n"), "{listed}");
    let (explained, _) = guarded.command(&["policy", "explain", "127.0.0.1"]);
    assert!(explained.contains("asked to") && explained.contains("127.0.0.0/24"), "{explained}");
}

/// An operator's block holds whatever limits do; a dry run does not hold blocks from limits.
#[test]
fn a_block_by_hand_holds_without_limits_and_in_a_dry_run() {
    for mode in ["off", "dry-run"] {
        let guarded = Guarded::start(&format!("{LIMITED}mode = \"{mode}\"\n"));
        let (text, status) = guarded.command(&["block", "127.0.0.0/24", "--for", "1h"]);
        assert_eq!(status, Some(0), "{text}");
        wait(|| guarded.server.ask("example.demo\r\n").starts_with("%ERROR:BLOCKED"));
    }
    let folder = tempfile::tempdir().unwrap();
    let kept = "{\"version\":1,\"blocks\":[{\"prefix\":\"127.0.0.1/32\",\"since_ms\":1,\
                \"until_ms\":4102444800000,\"repetition\":1,\"cause\":\"limit\",\"reason\":\"\"}]}";
    let state = folder.path().join("blocks.json");
    fs::write(&state, kept).unwrap();
    let state = format!("[blocks]\nstate = \"{}\"\n", state.display());
    let guarded = Guarded::start_in(folder, &format!("{LIMITED}mode = \"dry-run\"\n{state}"));
    assert!(guarded.server.ask("example.demo\r\n").contains("Domain Name: example.demo"));
    assert!(guarded.command(&["list"]).0.contains("no blocks\n"));
    let Guarded { folder, server } = guarded;
    server.stop();
    let guarded = Guarded::start_in(folder, &format!("{LIMITED}{state}"));
    assert!(guarded.server.ask("example.demo\r\n").starts_with("%ERROR:BLOCKED"));
}

#[test]
fn lists_deny_allow_limit_and_give_tiers() {
    let configuration = format!(
        "{LIMITED}[policy]\nlists = [\"LISTS\"]\n[[tier]]\nname = \"police\"\npreset = \"open\"\n"
    );
    let folder = tempfile::tempdir().unwrap();
    let lists = folder.path().join("lists.toml");
    let write = |entry: &str| {
        let text = format!("[[entry]]\nprefix = \"127.0.0.0/8\"\n{entry}\n");
        fs::write(&lists, text).unwrap();
    };
    write("action = \"deny\"\nreason = \"spam\"\ncontact = \"abuse@registry.demo\"");
    let configuration = configuration.replace("LISTS", lists.to_str().unwrap());
    let guarded = Guarded::start_in(folder, &configuration);
    let server = &guarded.server;
    let answer = server.ask("example.demo\r\n");
    assert_eq!(first_line(&answer), "%ERROR:DENIED scope=127.0.0.0/8");
    assert!(answer.contains("% Reason: spam\r\n% Contact: abuse@registry.demo\r\n"), "{answer}");
    // Changed files are taken over by themselves; a reload takes them at once.
    write("action = \"allow\"\ntier = \"police\"");
    let (text, status) = guarded.command(&["reload"]);
    assert_eq!(status, Some(0), "{text}");
    for _ in 0..100 {
        assert!(!server.ask("example.demo\r\n").starts_with("%ERROR"));
    }
    let shown = server.ask("example.demo\r\n");
    assert!(!shown.contains("Registrant Name: REDACTED"), "{shown}");
    write("action = \"limit\"\nqueries_per_min = 6\nburst = 3");
    assert_eq!(guarded.command(&["reload"]).1, Some(0));
    let served = (0..10).filter(|_| !server.ask("example.demo\r\n").starts_with("%ERROR")).count();
    assert_eq!(served, 3);
    assert!(
        server.ask("example.demo\r\n").starts_with("%ERROR:QUOTA limit=6/min scope=127.0.0.1/32")
    );
    // A list with an error keeps the old one, and names the line.
    write("action = \"denied\"");
    let (text, _) = guarded.command(&["reload"]);
    assert!(text.contains("lists.toml:3"), "{text}");
    assert!(server.ask("example.demo\r\n").starts_with("%ERROR:QUOTA limit=6/min"));
}

#[test]
fn a_client_that_counts_names_up_is_flagged_in_list_and_log_and_still_served() {
    let guarded = Guarded::start(&format!("{LIMITED}v4_32_burst = 600\n"));
    for number in 0..40 {
        assert!(!guarded.server.ask(&format!("shop{number}.demo\r\n")).starts_with("%ERROR"));
    }
    let flagged = "127.0.0.0/24 sequence: 30 names in a row up to shop29.demo (at ";
    wait(|| guarded.command(&["list"]).0.contains(flagged));
    assert!(guarded.server.stop().contains("seems to mine"));
}

#[test]
fn limits_change_with_a_reload() {
    let guarded = Guarded::start(&format!("{LIMITED}v4_32_per_min = 6\nv4_32_burst = 3\n"));
    let served = |count: usize| {
        (0..count).filter(|_| !guarded.server.ask("x.demo\r\n").starts_with("%ERROR:QUOTA")).count()
    };
    assert_eq!(served(10), 3);
    let file = guarded.path("whoisd.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("v4_32_burst = 3", "v4_32_burst = 30")).unwrap();
    let (text, status) = guarded.command(&["reload"]);
    assert_eq!(status, Some(0), "{text}");
    // Used queries stay used: 27 more at once.
    let again = served(40);
    assert!((26..=28).contains(&again), "{again}");
    let bad = fs::read_to_string(&file).unwrap().replace("= 30", "= 0");
    fs::write(&file, bad).unwrap();
    let (text, status) = guarded.command(&["reload"]);
    assert_ne!(status, Some(0));
    assert!(text.contains("limits.v4_32_burst: 0 is too small"), "{text}");
}

/// The figures over HTTP: the address is in the log.
fn scrape(guarded: &Guarded) -> String {
    let mut client = TcpStream::connect(guarded.server.status.unwrap()).unwrap();
    client.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    server::read_all(&mut client)
}

/// Prometheus's own check of a scrape (Debian's package `prometheus`).
#[test]
fn a_scrape_is_in_order_for_prometheus() {
    let configuration =
        format!("{LIMITED}[status]\nlisten = \"127.0.0.1:0\"\n[query_log]\ndir = \"DIR/log\"\n");
    let guarded = Guarded::start(&configuration);
    for _ in 0..70 {
        let _ = guarded.server.ask("example.demo\r\n");
    }
    let text = scrape(&guarded);
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let mut check = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool cannot be run; `deploy/packages prometheus` installs it");
    check.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(value(body, "whoisd_refusals_total{reason=\"limit\",prefix_length=\"32\"}") > 0);
}

fn value(text: &str, name: &str) -> u64 {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or("0");
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn every_query_is_in_the_log_with_its_outcome() {
    let guarded = Guarded::start(&format!("{LIMITED}[query_log]\ndir = \"DIR/log\"\n"));
    for query in ["example.demo\r\n", "no-such-name-here.demo\r\n", "a\0b\r\n", "help\r\n"] {
        let _ = guarded.server.ask(query);
    }
    for _ in 0..60 {
        let _ = guarded.server.ask("example.demo\r\n");
    }
    let log = guarded.path("data").join("log");
    let Guarded { folder, server } = guarded;
    server.stop();
    let output = program().args(["log", "summary", "--json"]).arg(&log).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    assert!(Path::new(&log).exists() && folder.path().exists());
    for word in ["\"found\"", "\"not_found\"", "\"refused\"", "\"help\"", "\"limited\""] {
        assert!(summary.to_string().contains(word), "{word} in {text}");
    }
}

/// The rows of a directory's files of JSON lines.
fn rows_in(log: &Path) -> Vec<serde_json::Value> {
    let mut rows = Vec::new();
    for entry in fs::read_dir(log).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "gz") {
            let output = Command::new("zcat").arg(&path).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            rows.extend(text.lines().map(|line| serde_json::from_str(line).unwrap()));
        }
    }
    rows
}

/// A server that writes a query log into `log`, with a second listener behind a proxy.
fn logging_server(folder: &Path, log: &Path) -> Server {
    let data = folder.join("data");
    let made = program().args(["sample", "--domains", "200", "--into"]).arg(&data).output();
    assert!(made.unwrap().status.success());
    let file = folder.join("whoisd.toml");
    let text = format!(
        "[server]\ndir = {data:?}\nlisten = [\"127.0.0.1:0\", \"127.0.0.3:0\"]\ncores = \"0\"\n\
         [[proxy]]\nlisten = \"127.0.0.3:0\"\nfrom = [\"127.0.0.0/8\"]\nheader = \"v1\"\n\
         [query_log]\ndir = {log:?}\n"
    );
    fs::write(&file, text).unwrap();
    Server::start(&["--config", file.to_str().unwrap()])
}

/// Every field of every row, against the query and the answer.
#[test]
fn a_row_of_the_log_says_who_asked_what_and_what_came_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let server = logging_server(folder.path(), &log);
    let host = server.ask("nameserver ns1.example.demo\r\n");
    assert!(host.contains("Server Name: "), "{host}");
    let long = "x".repeat(300);
    let asked = [
        ("example.demo\r\n", "domain", "demo", "example.demo", "found"),
        ("domain No-Such.DEMO\r\n", "domain", "demo", "No-Such.DEMO", "not_found"),
        ("exampl%.demo\r\n", "domain_pattern", "demo", "exampl%.demo", "listed"),
        ("nameserver ns1.example.demo\r\n", "nameserver", "demo", "ns1.example.demo", "found"),
        (
            "nameserver ns1.nowhere.invalid\r\n",
            "nameserver",
            "",
            "ns1.nowhere.invalid",
            "not_found",
        ),
        ("ns1.example.demo\r\n", "nameserver", "demo", "ns1.example.demo", "found"),
        ("registrar zzz\r\n", "registrar_pattern", "", "zzz", "not_found"),
        ("help\r\n", "help", "", "help", "help"),
        ("limits\r\n", "limits", "", "limits", "limits"),
        ("a\0b\r\n", "unreadable", "", "a\\u{0}b", "refused"),
        (&*format!("{long}\r\n"), "domain", "", &*format!("{}\\+45", &long[..255]), "refused"),
    ];
    let answers: Vec<_> = asked.iter().map(|(line, ..)| server.ask(line)).collect();
    let proxied = |header: &str| {
        let mut client = TcpStream::connect(server.addresses[1]).unwrap();
        client.write_all(format!("PROXY {header}\r\nexample.demo\r\n").as_bytes()).unwrap();
        server::read_all(&mut client)
    };
    let proxied_v4 = proxied("TCP4 198.51.100.7 192.0.2.9 40000 43");
    let proxied_v6 = proxied("TCP6 2001:db8:1:2::7 2001:db8::43 40000 43");
    let listen = server.addresses[0].to_string();
    server.stop();

    let rows = rows_in(&log);
    let direct = |(_, kind, tld, name, outcome): &(&str, &str, &str, &str, &str), bytes: usize| {
        serde_json::json!({"v": 1, "server": listen, "client": "127.0.0.1",
            "network": "127.0.0.0/24", "tld": tld, "kind": kind, "name": name,
            "outcome": outcome, "tier": "public", "bytes": bytes, "shard": 0, "generation": 1})
    };
    let mut expected = vec![direct(&asked[3], host.len())];
    expected.extend(asked.iter().zip(&answers).map(|(asked, answer)| direct(asked, answer.len())));
    for (client, network, to, answer) in [
        ("198.51.100.7", "198.51.100.0/24", "192.0.2.9:43", proxied_v4),
        ("2001:db8:1:2::7", "2001:db8:1::/48", "[2001:db8::43]:43", proxied_v6),
    ] {
        let mut row = direct(&asked[0], answer.len());
        (row["client"], row["network"], row["server"]) = (client.into(), network.into(), to.into());
        expected.push(row);
    }
    assert_eq!(rows.len(), expected.len(), "{rows:#?}");
    let now_ms = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let now_ms = u64::try_from(now_ms).unwrap();
    for (mut row, expected) in rows.into_iter().zip(expected) {
        let fields = row.as_object_mut().unwrap();
        let at_ms = fields.remove("at_ms").unwrap().as_u64().unwrap();
        assert!((now_ms - 600_000..=now_ms).contains(&at_ms), "{at_ms}");
        assert!(fields.remove("us").unwrap().as_u64().unwrap() < 60_000_000);
        assert_eq!(row, expected);
    }
}

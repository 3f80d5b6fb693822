//! `whoisd config check`, and where commands find their configuration.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be run fails it")]

use std::fs;
use std::path::Path;
use std::process::Command;

const FIXTURE: &str = "snapshot-format/tests/fixtures/version-1.snapshot";

/// Exit status, standard output, standard error.
fn ran(arguments: &[&str]) -> (i32, String, String) {
    let program = env!("CARGO_BIN_EXE_whoisd");
    let root = env!("CARGO_MANIFEST_DIR");
    let output = Command::new(program).args(arguments).current_dir(root).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn config_check_tells_all_errors_of_a_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whoisd.toml");
    let text = "[server]\nlisten = [\"127.0.0.1:4343\", \"localhost:43\"]\ncores = \"2-\"\n\
        [port43]\nline_ms = 1\nlime_ms = 5\nwrite_ms = \"5s\"\n[nowhere]\nx = 1\n\
        [status]\nlisten = \"127.0.0.1\"\n[defaults]\nheader = \"not found\"\n\
        not_found = \"Registrar: none\"\n[[tld]]\nsuffix = \"a..b\"\n";
    fs::write(&path, text).unwrap();
    let file = path.to_str().unwrap();
    let (status, _, err) = ran(&["config", "check", file]);
    assert_eq!(status, 3);
    for expected in [
        ":2: server.listen: \"localhost:43\"",
        ":3: server.cores: \"2-\"",
        ":5: port43.line_ms: 1 is too small",
        ":6: port43.lime_ms: unknown key",
        ":7: port43.write_ms: invalid type",
        ":8: nowhere: unknown key",
        ":11: status.listen: \"127.0.0.1\"",
        ":13: defaults.header: holds \"not found\"",
        ":14: defaults.not_found: holds \"registrar:\"",
        ":16: tld[1].suffix: \"a..b\"",
    ] {
        assert!(err.contains(&format!("{file}{expected}")), "{expected} in {err}");
    }
    // The machine is looked at, too: there is nothing to serve.
    assert!(err.contains("server.dir: is not set"), "{err}");
    assert_eq!(err.lines().count(), 11, "{err}");
    assert!(err.lines().all(|line| line.starts_with("whoisd: ")), "{err}");
    let place = format!("whoisd: {file}:");
    let lines: Vec<usize> = err
        .lines()
        .filter_map(|line| line.strip_prefix(&place)?.split(':').next()?.parse().ok())
        .collect();
    assert!(lines.len() == 10 && lines.is_sorted(), "{err}");
    // A file that is not TOML is one error, without those that follow from it.
    fs::write(&path, "[server]\ndir = \"\"\"\n[port43]\nlime_ms = 1\n").unwrap();
    assert_eq!(ran(&["config", "check", file]).2.lines().count(), 1);
}

#[test]
fn config_check_tells_all_errors_of_one_list_and_of_one_table() {
    let place = Place::new();
    let refused = |text: &str, expected: &[&str]| {
        let (status, _, err) = place.check(text);
        assert_eq!(status, 3, "{text}: {err}");
        for expected in expected {
            assert!(err.contains(expected), "{expected} in {err}");
        }
        assert_eq!(err.lines().count(), expected.len(), "{text}: {err}");
    };
    let proxy = "[[proxy]]\nlisten = \"nowhere\"\nfrom = [\"10.0.0.0/33\", \"x\"]\n\
                 header = \"v3\"\n";
    let proxy_errors = [
        "proxy[1].listen: \"nowhere\"",
        "proxy[1].from: \"10.0.0.0/33\"",
        "proxy[1].from: \"x\"",
        "proxy[1].header: ",
    ];
    refused(&format!("GOOD{proxy}"), &proxy_errors);
    let listen = format!(
        "[server]\ndir = \"{FIXTURE}\"\nlisten = [\"127.0.0.1:99999\", \"foo\", \
         \"127.0.0.1:4343\", \"127.0.0.1:4343\"]\n"
    );
    let listen_errors = [
        "server.listen: \"127.0.0.1:99999\"",
        "server.listen: \"foo\"",
        "server.listen: 127.0.0.1:4343 is named twice",
    ];
    refused(&listen, &listen_errors);
    refused(&format!("{listen}{proxy}"), &[&listen_errors[..], &proxy_errors].concat());
    refused(
        "GOOD[query_log.nats]\nservers = [\"http://a\", \"b c\"]\nsubject = \"a b\"\n",
        &["nats.servers: number 1: ", "nats.servers: number 2: ", "query_log.nats.subject: "],
    );
    refused(
        "GOOD[feed.nats]\nservers = [\"http://a\"]\nstream = \"a b\"\n",
        &["feed.nats.servers: ", "feed.nats.stream: "],
    );
    refused(
        "GOOD[policy.nftables]\ntable = \"x\"\nset4 = \"4\"\nset6 = \"6\"\n",
        &["nftables.table: ", "nftables.set4: ", "nftables.set6: "],
    );
    refused(
        "GOOD[mining]\ncanaries = [\"a b\", \"good.example\", \"c d\"]\n",
        &["mining.canaries: \"a b\", \"c d\" is not a name"],
    );
    refused(
        "server = 3\n",
        &["whoisd.toml:1: server: invalid type: integer `3`, expected a table"],
    );
}

/// A folder with a file of lists that is refused and a file in the place of a folder, and a way to
/// check a configuration in it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let list = "[[entry]]\nprefix = \"192.0.2.1/24\"\naction = \"deny\"\n";
        fs::write(place.0.path().join("list.toml"), list).unwrap();
        fs::write(place.0.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("nothing", place.0.path().join("dangling")).unwrap();
        fs::create_dir_all(place.0.path().join("locked/LOCK")).unwrap();
        place
    }

    /// A text with `DIR` for the folder, and `GOOD` for what a start needs.
    fn check(&self, text: &str) -> (i32, String, String) {
        let good = format!("[server]\ndir = \"{FIXTURE}\"\nlisten = [\"127.0.0.1:0\"]\n");
        let text = text.replace("GOOD", &good).replace("DIR", &self.0.path().display().to_string());
        let text = text.replace("LONG", &"long".repeat(100));
        let path = self.0.path().join("whoisd.toml");
        fs::write(&path, text).unwrap();
        ran(&["config", "check", path.to_str().unwrap()])
    }

    /// Each text is refused with the expected message.
    fn refuses(&self, cases: &[(&str, &str)]) {
        let (status, out, err) = self.check("GOOD");
        assert_eq!((status, err.as_str()), (0, ""));
        assert!(out.ends_with("whoisd.toml: good\n"), "{out}");
        for (text, expected) in cases {
            let (status, _, err) = self.check(text);
            assert_eq!(status, 3, "{text}: {err}");
            assert!(err.contains(expected), "{expected} in {err}");
        }
    }
}

#[test]
fn config_check_finds_what_the_machine_lacks_for_a_start() {
    let place = Place::new();
    place.refuses(&[
        ("[log]\nlevel = \"warn\"\n", "server.dir: is not set; set it, or give the --dir DIR"),
        ("[server]\ndir = \"DIR/none\"\n", "server.dir: "),
        ("[server]\ndir = \"DIR\"\n", "server.dir: "),
        ("[server]\ndir = \"DIR/file\"\n[updater]\nspool = true\n", "server.dir: "),
        (
            "[server]\ndir = \"DIR\"\nlisten = [\"192.0.2.1:4343\"]\n",
            "no interface of this machine has this address",
        ),
        ("GOODcores = \"1023\"\n", "server.cores: "),
        ("GOODcontrol = \"DIR/none/control.sock\"\n", "server.control: "),
        ("GOODcontrol = \"DIR/file\"\n", "is there and is not a socket"),
        ("GOOD[policy]\nlists = [\"DIR/list.toml\"]\n", "has bits behind"),
        ("GOOD[policy]\nlists = [\"DIR/none/*.toml\"]\n", "No such file"),
        ("GOOD[query_log]\ndir = \"DIR/file\"\n", "query_log.dir: "),
        (
            "GOOD[query_log]\ndir = \"DIR/q\"\nprivacy = \"hash\"\n\
             privacy_key_file = \"DIR/none\"\n",
            "whoisd.toml:7: query_log.privacy_key_file: ",
        ),
        ("GOOD[query_log]\ndir = \"/proc/nope\"\n", "query_log.dir: /proc/nope: is in proc"),
        ("GOOD[query_log]\ndir = \"/sys/nope\"\n", "query_log.dir: /sys/nope: "),
        ("GOOD[query_log]\ndir = \"DIR/dangling/q\"\n", "leads to nothing, which is not there"),
        ("GOOD[query_log]\ndir = \"DIR/LONG\"\n", "query_log.dir: "),
        ("GOOD[query_log]\ndir = \"DIR/locked\"\n", "query_log.dir: "),
        (
            "GOOD[feed.nats]\nservers = [\"nats://127.0.0.1:4222\"]\n\
             trusted_keys = [\"DIR/none\"]\n",
            "feed.nats.trusted_keys: ",
        ),
    ]);
    // All faults of the machine are reported at once too, and nothing was made there.
    let (_, _, err) = place.check(
        "[server]\ndir = \"DIR/none\"\nlisten = [\"192.0.2.1:4343\"]\n\
         control = \"DIR/none/control.sock\"\n[query_log]\ndir = \"DIR/file\"\n",
    );
    assert_eq!(err.lines().count(), 4, "{err}");
    let folder = place.0.path();
    assert!(!folder.join("none").exists() && !folder.join("q").exists());
}

#[test]
fn config_check_finds_doubles_and_values_that_contradict_each_other() {
    Place::new().refuses(&[
        (
            "GOOD[status]\nlisten = \"127.0.0.1:9143\"\nhealth_listen = \"127.0.0.1:9143\"\n",
            "status.health_listen: 127.0.0.1:9143 is taken by status.listen",
        ),
        (
            "[server]\nlisten = [\"0.0.0.0:4343\"]\n[status]\nlisten = \"127.0.0.1:4343\"\n",
            "status.listen: 127.0.0.1:4343 is taken by server.listen, 0.0.0.0:4343",
        ),
        ("[server]\nlisten = [\"[::1]:4343\", \"[::1]:4343\"]\n", "is named twice"),
        (
            "GOOD[[proxy]]\nlisten = \"127.0.0.1:0\"\nfrom = [\"10.0.0.0/8\"]\nheader = \"v1\"\n\
             [[proxy]]\nlisten = \"127.0.0.1:0\"\nfrom = [\"10.0.0.0/8\"]\nheader = \"v1\"\n",
            "proxy[2].listen: 127.0.0.1:0 has a table already",
        ),
        (
            "GOOD[blocks]\nfirst_s = 600\nlongest_s = 60\n",
            "blocks.first_s: 600 s is longer than blocks.longest_s, 60 s",
        ),
        (
            "GOOD[query_log]\nkeep_bytes = 1000\nrotate_bytes = 2000\ndir = \"DIR/q\"\n",
            "query_log.keep_bytes: 1000 bytes are fewer than one file has",
        ),
        (
            "GOOD[[registrar]]\niana_id = 7\n[[registrar]]\niana_id = 7\n",
            "registrar[2].iana_id: 7 has a table already",
        ),
        ("GOOD[[tld]]\nsuffix = \"x\"\n[[tld]]\nsuffix = \"X.\"\n", "tld[2].suffix: "),
        ("GOOD[[tier]]\nname = \"a\"\n[[tier]]\nname = \"a\"\n", "tier[2].name: "),
    ]);
}

#[test]
fn config_check_warns_of_what_a_running_server_or_another_user_may_explain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whoisd.toml");
    fs::create_dir(folder.path().join("lists")).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = format!(
        "[server]\ndir = \"{FIXTURE}\"\nlisten = [\"{address}\"]\n\
         [limits]\nv4_32_burst = 3\n[policy]\nlists = [\"{}/*.toml\"]\n",
        folder.path().join("lists").display()
    );
    fs::write(&path, text).unwrap();
    let file = path.to_str().unwrap();
    let (status, out, err) = ran(&["config", "check", file]);
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    let warning = format!("{file}: warning: ");
    for expected in ["address in use", "limits.price_wildcard: 5", "*.toml names no file"] {
        let found = out.lines().any(|line| line.starts_with(&warning) && line.contains(expected));
        assert!(found, "{expected} in {out}");
    }
    assert!(out.ends_with(&format!("{file}: good\n")), "{out}");
}

#[test]
fn a_command_without_a_directory_says_which_options_name_it() {
    if Path::new("/etc/whoisd/whoisd.toml").exists() {
        return;
    }
    for command in [
        &["lookup", "example.demo"][..],
        &["serve"],
        &["inspect"],
        &["verify"],
        &["rollback", "--to", "1"],
        &["apply", "Cargo.toml"],
        &["publish-snapshot", "--to", "/nowhere"],
        &["policy", "simulate", "--tier", "public", "example.demo"],
    ] {
        let (status, _, err) = ran(command);
        assert_eq!(status, 3, "{command:?}: {err}");
        for option in ["--dir DIR", "--config FILE", "/etc/whoisd/whoisd.toml"] {
            assert!(err.contains(option), "{command:?}: {option} in {err}");
        }
    }
    for command in [
        &["list"][..],
        &["reload"],
        &["top", "--once"],
        &["block", "192.0.2.1"],
        &["policy", "explain", "192.0.2.1"],
    ] {
        let (status, _, err) = ran(command);
        assert_eq!(status, 1, "{command:?}: {err}");
        for option in ["--control SOCKET", "--dir DIR", "--config FILE"] {
            assert!(err.contains(option), "{command:?}: {option} in {err}");
        }
    }
    let (status, _, err) = ran(&["log", "summary"]);
    assert!(status == 1 && err.contains("query_log.dir") && err.contains("--config"), "{err}");
}

#[test]
fn every_command_takes_the_directory_of_the_configuration_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whoisd.toml");
    fs::write(&path, format!("[server]\ndir = \"{FIXTURE}\"\n")).unwrap();
    let file = path.to_str().unwrap();
    let named = ["--config", file];
    for command in [&["inspect"][..], &["verify"]] {
        let (status, out, err) = ran(&[command, &named].concat());
        assert_eq!(status, 0, "{command:?}: {err}");
        assert!(!out.is_empty());
    }
    let asked = [&["lookup"][..], &named, &["example.demo"]].concat();
    assert_eq!(ran(&asked).0, 0);
}

#[test]
fn config_check_reports_the_file_and_the_machine_at_once() {
    let place = Place::new();
    let (status, _, err) =
        place.check("[server]\ndir = \"DIR/nope\"\ncores = \"1022\"\n[limits]\nmode = \"x\"\n");
    assert_eq!(status, 3);
    for (line, expected) in
        err.lines().zip([":2: server.dir: ", ":3: server.cores: ", ":5: limits.mode"])
    {
        assert!(line.contains(expected), "{expected} in {err}");
    }
    assert_eq!(err.lines().count(), 3, "{err}");
    // Options of a start besides the file.
    let path = place.0.path().join("whoisd.toml");
    fs::write(&path, "[server]\nlisten = [\"127.0.0.1:0\"]\n").unwrap();
    let file = path.to_str().unwrap();
    let (status, out, err) = ran(&["config", "check", file, "--dir", FIXTURE]);
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    assert_eq!(ran(&["config", "check", file, "--dir", "/nowhere"]).0, 3);
}

#[test]
fn config_check_finds_what_a_start_would_refuse_or_destroy() {
    let place = Place::new();
    let folder = place.0.path();
    fs::write(folder.join("deposit.xml"), "<?xml version=\"1.0\"?>").unwrap();
    fs::create_dir(folder.join("empty")).unwrap();
    let nats = "[feed.nats]\nservers = [\"nats://127.0.0.1:4222\"]\n";
    let new = "[server]\ndir = \"DIR/new\"\nlisten = [\"127.0.0.1:0\"]\n";
    place.refuses(&[
        ("GOOD[blocks]\nstate = \"DIR\"\n", "blocks.state: "),
        ("GOOD[blocks]\nstate = \"DIR/whoisd.toml\"\n", "blocks.state: "),
        ("GOOD[blocks]\nstate = \"DIR/deposit.xml\"\n", "is not a file of blocks"),
        ("GOOD[updater]\ncore = \"1022\"\n", "updater.core: core 1022 is not there"),
        (&format!("{new}{nats}objects = \"DIR/none\"\n"), "feed.nats.objects: "),
        (&format!("{new}{nats}objects = \"DIR/empty\"\n"), "has no snapshot"),
        (
            "GOOD[port43]\nfirst_byte_ms = 5000\ntotal_ms = 200\n",
            "port43.total_ms: 200 ms are fewer",
        ),
        (
            "GOOD[query_log]\ndir = \"DIR/q\"\nkeep_s = 3600\nrotate_s = 7200\n",
            "query_log.keep_s: 3600 s are fewer",
        ),
        (
            "GOOD[policy.nftables]\ntable = \"inet w\"\nset4 = \"a\"\nset6 = \"a\"\n",
            "policy.nftables.set6: \"a\" is the set",
        ),
    ]);
    if !cfg!(feature = "s3") {
        let s3 = format!("GOOD{nats}objects = \"s3://bucket/path\"\n");
        place.refuses(&[(&s3, "S3 is not built in")]);
    }
    let key = "GOOD[query_log]\ndir = \"DIR/q\"\nprivacy = \"none\"\nprivacy_key_file = \"k\"\n";
    let (status, out, _) = place.check(key);
    assert!(status == 0 && out.contains("query_log.privacy_key_file: k is not read"), "{out}");
    assert!(!folder.join("q").exists() && folder.join("deposit.xml").exists());
    // Sockets: a server that answers, and a folder that is not this user's.
    let _server = std::os::unix::net::UnixListener::bind(folder.join("taken.sock")).unwrap();
    let (status, out, _) = place.check("GOODcontrol = \"DIR/taken.sock\"\n");
    assert!(status == 0 && out.contains("server.control: "), "{out}");
}

#[test]
fn a_start_leaves_what_blocks_state_names_by_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir(at("registry")).unwrap();
    fs::write(at("whoisd.toml"), "").unwrap();
    for state in ["registry", "whoisd.toml"] {
        let text = format!(
            "[server]\ndir = \"{FIXTURE}\"\nlisten = [\"127.0.0.1:0\"]\n\
             [blocks]\nstate = \"{}\"\n",
            at(state)
        );
        fs::write(at("whoisd.toml"), &text).unwrap();
        let (status, _, err) = ran(&["serve", "--config", &at("whoisd.toml"), "--cores", "0"]);
        assert_eq!(status, 3, "{err}");
        assert!(err.contains("blocks.state: "), "{err}");
        assert_eq!(fs::read_to_string(at("whoisd.toml")).unwrap(), text);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}

#[test]
fn config_check_counts_descriptors_as_a_start_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whoisd.toml");
    fs::write(&path, format!("[server]\ndir = \"{FIXTURE}\"\nlisten = [\"127.0.0.1:0\"]\n"))
        .unwrap();
    let limited = |limit: &str| {
        let program = env!("CARGO_BIN_EXE_whoisd");
        let root = env!("CARGO_MANIFEST_DIR");
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{limit} && exec {program} \"$@\""), "sh"]);
        let output =
            command.args(["config", "check"]).arg(&path).current_dir(root).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (status, _, err) = limited("ulimit -n 30");
    assert_eq!(status, Some(3), "{err}");
    assert!(err.contains("open descriptors are short: the limit is 30"), "{err}");
    let (status, out, err) = limited("ulimit -n 200");
    assert_eq!(status, Some(0), "{err}");
    assert!(out.contains("warning: port43.connections_per_shard_max: "), "{out}");
}

#[test]
fn config_check_warns_where_a_contact_shows_less_than_its_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    let made = ran(&["sample", "--domains", "100", "--into", dir.to_str().unwrap()]);
    assert_eq!(made.0, 0, "{made:?}");
    let check = |more: &str| {
        let file = folder.path().join("whoisd.toml");
        let server = format!("[server]\ndir = {dir:?}\nlisten = [\"127.0.0.1:0\"]\n");
        fs::write(&file, format!("{server}{more}")).unwrap();
        ran(&["config", "check", file.to_str().unwrap()])
    };
    let tld = "[[tld]]\nsuffix = \"demo\"\nregistrant = { phone = \"redacted\" }\n";
    let (status, out, err) = check(&format!("[defaults]\npreset = \"open\"\n{tld}"));
    assert!(status == 0 && out.contains("warning: defaults.contact: "), "{out}{err}");
    let named = "[defaults]\npreset = \"open\"\ncontact = { phone = \"shown\" }\n";
    let (status, out, err) = check(&format!("{named}{tld}"));
    assert!(status == 0 && !out.contains("defaults.contact"), "{out}{err}");
}

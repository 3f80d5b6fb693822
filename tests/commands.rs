//! The commands that need no server: what they print, and their exit statuses.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be run fails it")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const FIXTURE: &str = "snapshot-format/tests/fixtures/version-1.snapshot";

fn whoisd(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_whoisd");
    let root = env!("CARGO_MANIFEST_DIR");
    Command::new(program).args(arguments).current_dir(root).output().unwrap()
}

/// Exit status, standard output, standard error.
fn ran(arguments: &[&str]) -> (i32, String, String) {
    let output = whoisd(arguments);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn inspect_shows_header_counts_and_sections() {
    let (status, out, _) = ran(&["inspect", FIXTURE]);
    assert_eq!(status, 0);
    for part in ["format version: 1\n", "domain count: 4\n", "registrar records"] {
        assert!(out.contains(part), "{part:?} is missing in {out}");
    }
}

#[test]
fn inspect_shows_a_record_by_each_of_its_keys() {
    for (option, key, expected) in [
        ("--domain", "example.demo", "kind: domain\n"),
        ("--domain", "EXAMPLE.demo.", "name: example.demo\n"),
        ("--nameserver", "ns2.example.demo", "ordinal: 1\nname: ns2.example.demo\n"),
        ("--contact", "C1", "ordinal: 0\nid: C1\n"),
        ("--contact", "c1", "ordinal: 1\nid: c1\n"),
        ("--registrar", "R1", "id: R1\n"),
        ("--registrar", "9001", "id: R1\n"),
        ("--registrar", "example  registrar, INC", "id: R1\n"),
        ("--roid", "h2-roid", "name: ns2.example.demo\n"),
    ] {
        let (status, out, err) = ran(&["inspect", FIXTURE, option, key]);
        assert_eq!(status, 0, "{option} {key}: {err}");
        assert!(out.contains(expected), "{option} {key}: {out}");
    }
    let by_number = ran(&["inspect", FIXTURE, "--kind", "nameserver", "--ordinal", "1"]);
    assert_eq!(by_number, ran(&["inspect", FIXTURE, "--nameserver", "ns2.example.demo"]));
}

#[test]
fn inspect_says_when_there_is_no_such_record() {
    let (status, out, err) = ran(&["inspect", FIXTURE, "--domain", "other.demo"]);
    assert_eq!((status, out.as_str()), (4, ""));
    assert_eq!(err, format!("whoisd: {FIXTURE}: there is no domain \"other.demo\"\n"));
    let (status, _, err) = ran(&["inspect", FIXTURE, "--kind", "domain", "--ordinal", "4"]);
    assert_eq!(status, 4, "{err}");
    assert_eq!(ran(&["inspect", FIXTURE, "--kind", "domain"]).0, 2);
    assert_eq!(ran(&["inspect", FIXTURE, "--domain", "a", "--contact", "b"]).0, 2);
}

#[test]
fn verify_passes_a_good_snapshot_and_names_the_damage_of_another() {
    let (status, out, _) = ran(&["verify", FIXTURE]);
    assert_eq!(status, 0);
    assert!(out.contains("good: generation 1, 12 records"), "{out}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.snapshot");
    let mut bytes = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(FIXTURE)).unwrap();
    bytes[4_100] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (status, _, err) = ran(&["verify", path.to_str().unwrap()]);
    assert_eq!(status, 3);
    assert!(err.contains("are damaged") && err.contains("import again"), "{err}");
    fs::write(&path, &bytes[..5_000]).unwrap();
    let (status, _, err) = ran(&["inspect", path.to_str().unwrap()]);
    assert_eq!(status, 3);
    assert!(err.contains("5000 bytes, expected 8008"), "{err}");
}

#[test]
fn a_path_that_is_not_there_is_a_failure_and_an_empty_directory_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().to_str().unwrap();
    let (status, _, err) = ran(&["verify", empty]);
    assert_eq!(status, 3);
    assert!(err.contains("whoisd import"), "{err}");
    let (_, _, err) = ran(&["inspect", "no/such/directory"]);
    assert!(err.contains("no/such/directory"), "{err}");
}

#[test]
fn config_check_names_place_key_value_and_bound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whoisd.toml");
    fs::write(&path, "[port43]\nline_ms = 1\n").unwrap();
    let file = path.to_str().unwrap();
    let (status, _, err) = ran(&["config", "check", "--file-only", file]);
    assert_eq!(status, 3);
    let expected =
        format!("whoisd: {file}:2: port43.line_ms: 1 is too small, at least 50 ms is required\n");
    assert_eq!(err, expected);
    let (status, out, _) = ran(&["config", "check", "--file-only", "deploy/whoisd.toml"]);
    assert_eq!((status, out.as_str()), (0, "deploy/whoisd.toml: good\n"));
    assert_eq!(ran(&["config", "check", "no/such.toml"]).0, 1);
}

#[test]
fn config_show_says_where_each_value_comes_from() {
    let show = ["config", "show", "--config", "deploy/whoisd.toml", "--listen", "127.0.0.1:4343"];
    let (status, out, _) = ran(&show);
    assert_eq!(status, 0);
    let line = |key: &str| out.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    assert!(line("listen").ends_with("# --listen"), "{out}");
    assert!(line("dir").contains("# deploy/whoisd.toml:"), "{out}");
    assert!(line("# cores is not set").ends_with("# default"), "{out}");
}

#[test]
fn a_key_pair_is_made_once_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed.key");
    let (file, public) = (path.to_str().unwrap(), folder.path().join("feed.key.pub"));
    let (status, out, _) = ran(&["key", "new", file]);
    assert!(status == 0 && out.contains("mode 0600"), "{out}");
    let text = fs::read_to_string(&public).unwrap();
    assert!(text.starts_with("whoisd-public-key 1\nid "), "{text}");
    for shown in [file, public.to_str().unwrap()] {
        assert_eq!(ran(&["key", "show", shown]), (0, text.clone(), String::new()));
    }
    let (status, _, err) = ran(&["key", "new", file]);
    assert!(status == 1 && err.contains("File exists"), "{err}");
    let (status, _, err) = ran(&["key", "show", "Cargo.toml"]);
    assert!(status == 3 && err.contains("expected \"whoisd-public-key 1\""), "{err}");
}

#[test]
fn completions_exist_for_every_usual_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let (status, out, _) = ran(&["completions", shell]);
        assert_eq!(status, 0);
        assert!(out.contains("inspect"), "{shell}");
    }
    assert_eq!(ran(&["completions", "dos"]).0, 2);
}

#[test]
fn every_command_has_a_help_with_examples() {
    let (_, out, _) = ran(&["--help"]);
    let commands = out.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names: Vec<_> = commands
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        let (status, out, _) = ran(&[name, "--help"]);
        assert_eq!(status, 0);
        // `config` has its own commands, which have the examples.
        assert!(out.contains("Examples:") || out.contains("Commands:"), "{name}: {out}");
    }
}

#[test]
fn simulate_shows_a_record_as_a_tier_would_see_it_and_what_differs_from_the_public() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("whoisd.toml");
    fs::write(&config, "[[tier]]\nname = \"courts\"\npreset = \"open\"\n").unwrap();
    let config = config.to_str().unwrap();
    let simulate = |tier: &str, more: &[&str]| {
        let first = ["policy", "simulate", "--dir", FIXTURE, "--config", config, "--tier", tier];
        ran(&[&first, more].concat())
    };
    let (status, courts, _) = simulate("courts", &["example.demo"]);
    let (_, public, _) = simulate("public", &["example.demo"]);
    assert_eq!(status, 0);
    assert_eq!(public, ran(&["lookup", "--dir", FIXTURE, "example.demo"]).1);
    assert!(public.contains("Registrant Name: REDACTED FOR PRIVACY\r\n"), "{public}");
    assert!(!courts.contains("Registrant Name: REDACTED"), "{courts}");
    let (status, diff, _) = simulate("courts", &["--diff", "example.demo"]);
    assert_eq!(status, 0);
    assert!(diff.contains("-Registrant Name: REDACTED FOR PRIVACY\r\n"), "{diff}");
    let without = |sign: char| -> String {
        let lines = diff.split_inclusive('\n').filter(|line| !line.starts_with(sign));
        lines.map(|line| &line[1..]).collect()
    };
    assert_eq!((without('-'), without('+')), (courts, public));
    assert_eq!(simulate("courts", &["nothing.demo"]).0, 4);
    assert_eq!(simulate("courts", &["example.demo", "--diff"]).1, diff);
}

#[test]
fn simulate_refuses_an_unknown_tier_and_names_the_known_ones() {
    let simulate = ["policy", "simulate", "--dir", FIXTURE, "--tier", "police", "example.demo"];
    let (status, out, err) = ran(&simulate);
    assert_eq!((status, out.as_str()), (3, ""));
    let expected =
        "whoisd: --tier: there is no tier \"police\" without --config; known are public\n";
    assert_eq!(err, expected);
}

#[test]
fn policy_check_counts_warns_and_refuses_with_every_place() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = write(
        "good.toml",
        "[[entry]]\nprefix = [\"192.0.2.0/24\", \"192.0.2.1\"]\naction = \"deny\"\n\
         [[entry]]\nprefix = \"::/0\"\ntier = \"police\"\n",
    );
    let (status, out, _) = ran(&["policy", "check", &good]);
    let expected = format!(
        "{good}: 3 prefixes: 2 denied, 0 allowed, 0 with limits of their own, 1 with a tier\n\
         warning: {good}:2: entry 1: 192.0.2.1/32 has no effect: 192.0.2.0/24 at {good}:2 says the \
         same\ngood: 3 prefixes in force from 1 file, 1 warning\n"
    );
    assert_eq!((status, out.as_str()), (0, expected.as_str()));
    let one = write("one.toml", "[[entry]]\nprefix = \"192.0.2.0\"\naction = \"no\"\n");
    let two = "[[entry]]\nprefix = \"192.0.2.1/24\"\naction = \"deny\"\n";
    let two = write("two.toml", &format!("{two}[[entry]]\nprefix = \"::1\"\naction = \"deyn\"\n"));
    let (status, out, err) = ran(&["policy", "check", &good, &one, &two]);
    assert_eq!((status, out.as_str()), (3, ""));
    assert!(err.contains(&format!("{one}:3: entry 1: action: \"no\"")), "{err}");
    assert!(err.contains(&format!("{two}:2: entry 1: prefix: \"192.0.2.1/24\"")), "{err}");
    assert!(err.contains(&format!("{two}:6: entry 2: action: \"deyn\"")), "{err}");
    let other = write("other.toml", "[[entry]]\nprefix = \"192.0.2.0/24\"\naction = \"allow\"\n");
    let (status, _, err) = ran(&["policy", "check", &good, &other]);
    assert!(status == 3 && err.contains(&format!("\"deny\" at {good}:2")), "{err}");
    assert_eq!(ran(&["policy", "check", "/nowhere.toml"]).0, 1);
    let config = write("whoisd.toml", &format!("[policy]\nlists = [\"{good}\"]\n"));
    let (status, _, err) = ran(&["policy", "check", "--config", &config]);
    assert!(status == 3 && err.contains("police"), "there is no such tier: {err}");
    let iana = write(
        "iana.csv",
        "ID,Registrar Name,Status,RDAP Base URL\n146,\"One, Inc.\",Accredited,https://a.example/\n\
         147,Two,Accredited,nowhere\n",
    );
    let overlay = write("registrars.toml", "[[registrar]]\niana_id = 146\ntech_name = \"Desk\"\n");
    let text = |iana: &str| format!("[registrars]\niana = {iana:?}\noverlay = {overlay:?}\n");
    let config = write("whoisd.toml", &text(&iana));
    let (status, out, _) = ran(&["policy", "check", "--config", &config]);
    let expected = format!(
        "{iana}: 1 RDAP base URL\nwarning: {iana}: 1 line passed over, without number or URL\n\
         {overlay}: 1 registrar\n"
    );
    assert!(status == 0 && out.starts_with(&expected), "{out}");
    let config = write("whoisd.toml", &text(&overlay));
    let (status, _, err) = ran(&["policy", "check", "--config", &config]);
    assert_eq!(status, 3, "{err}");
    assert!(
        err.contains(&format!("{config}:2: registrars.iana: {overlay}: not IANA's list")),
        "{err}"
    );
    let none = format!("{}/*.tmol", folder.path().display());
    let (status, out, _) = ran(&["policy", "check", &none]);
    assert_eq!(status, 0);
    assert!(out.starts_with(&format!("warning: {none} names no file\ngood: 0 prefixes")), "{out}");
    let tier = format!("[policy]\nlists = [\"{good}\"]\n[[tier]]\nname = \"police\"\n");
    let config = write("whoisd.toml", &tier);
    assert_eq!(ran(&["policy", "check", "--config", &config]).0, 0);
    let (status, out, _) = ran(&["policy", "explain", "192.0.2.9", "--config", &config]);
    assert_eq!(status, 0);
    assert!(out.starts_with("192.0.2.9: refused: the list denies it\n"), "{out}");
}

#[test]
fn help_that_cannot_be_written_is_a_failure() {
    for arguments in [&["help"][..], &["import", "--help"], &["--version"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let program = env!("CARGO_BIN_EXE_whoisd");
        let done = Command::new(program).args(arguments).stdout(full).output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("standard output: "), "{arguments:?}: {said}");
        assert_eq!(ran(arguments).0, 0);
    }
    assert_eq!(ran(&["import"]).0, 2);
}

#[test]
fn options_go_before_and_after_the_words_of_a_query() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("whoisd.toml");
    fs::write(&config, "[defaults]\nheader = \"% own header\"\n").unwrap();
    let config = config.to_str().unwrap();
    let before = ran(&["lookup", "--dir", FIXTURE, "--config", config, "contact", "C1"]);
    assert!(before.0 == 0 && before.1.contains("own header"), "{before:?}");
    let behind = ran(&["lookup", "contact", "C1", "--dir", FIXTURE, "--config", config]);
    assert_eq!(before, behind);
    // A word that begins with a dash, and everything after it, goes after two dashes.
    let (status, out, _) = ran(&["lookup", "--dir", FIXTURE, "--", "-x", "--config"]);
    assert_eq!(ran(&["lookup", "--dir", FIXTURE, "-T", "x"]).0, 2);
    assert_eq!((status, out.contains("own header")), (4, false), "{out}");
    let (status, _, err) = ran(&["query", "example.demo", "--server", "127.0.0.1:1"]);
    assert!(status == 1 && err.contains("cannot connect"), "{err}");
    let (status, _, err) = ran(&["query", "example.demo", "--server", ""]);
    assert!(status == 2 && err.contains("--server"), "{err}");
}

#[test]
fn a_query_log_that_is_not_there_is_not_a_good_one() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let (status, out, err) = ran(&["log", "verify", dir]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(err.contains("holds no query log"), "{err}");
    fs::create_dir(folder.path().join("queries")).unwrap();
    fs::write(folder.path().join("queries/LOCK"), "").unwrap();
    assert_eq!(ran(&["log", "verify", dir]).0, 1, "the folder around it is none");
    let queries = format!("{dir}/queries");
    assert_eq!(ran(&["log", "verify", &queries]).0, 0);
    assert_eq!(ran(&["log", "verify", &queries, "--hash", "zz"]).0, 2);
    let (status, _, err) =
        ran(&["log", "summary", &queries, "--from", "2026-11-30", "--to", "2026-11-01"]);
    assert!(status == 2 && err.contains("2026-11-30 is later than --to 2026-11-01"), "{err}");
}

#[test]
fn outputs_leave_what_is_read_and_snapshot_directories_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let sample = ["sample", "-q", "--domains", "100"];
    let made = |more: &[&str]| ran(&[&sample[..], more].concat());
    let made_both = made(&[
        "--rde-xml",
        &at("deposit.xml"),
        "--rde-csv",
        &at("csv"),
        "--into",
        &at("registry"),
    ]);
    assert_eq!(made_both.0, 0, "{}", made_both.2);
    let manifest = fs::read(at("registry/MANIFEST")).unwrap();
    let deposit = fs::read(at("deposit.xml")).unwrap();
    let import =
        |report: &str| ran(&["import", &at("deposit.xml"), "--into", &at("s"), "--report", report]);
    for report in [at("deposit.xml"), at("registry/MANIFEST"), at("s/report.jsonl")] {
        let (status, _, err) = import(&report);
        assert!(status == 2 && err.contains("name another file"), "{report}: {err}");
    }
    let csv = fs::read_dir(at("csv")).unwrap().flatten().map(|entry| entry.path());
    let csv: Vec<_> = csv.collect();
    let xml = csv.iter().find(|path| path.extension().unwrap() == "xml").unwrap();
    let table = csv.iter().find(|path| path.extension().unwrap() == "csv").unwrap();
    let (xml, table) = (xml.to_str().unwrap(), table.to_str().unwrap());
    let (status, _, err) = ran(&["import", xml, "--into", &at("s"), "--report", table]);
    assert!(status == 2 && err.contains("is the file that is read"), "{err}");
    let apply = ["apply", &at("deposit.xml"), "--dir", &at("registry")];
    for report in [at("deposit.xml"), at("registry/spool/report.jsonl")] {
        assert_eq!(ran(&[&apply[..], &["--report", &report]].concat()).0, 2, "{report}");
    }
    for (option, path) in [
        ("--rde-xml", at("registry/MANIFEST")),
        ("--rde-xml", at("registry")),
        ("--rde-csv", at("registry")),
    ] {
        let (status, _, err) = made(&[option, &path]);
        assert!(status == 2 && err.contains("snapshot directory"), "{option} {path}: {err}");
    }
    let publish = ["publish-snapshot", "--dir", &at("registry"), "--to"];
    for to in [at("registry"), format!("file://{}", at("registry"))] {
        assert_eq!(ran(&[&publish[..], &[&to]].concat()).0, 2, "{to}");
    }
    assert_eq!(fs::read(at("registry/MANIFEST")).unwrap(), manifest);
    assert_eq!(fs::read(at("deposit.xml")).unwrap(), deposit);
    assert!(!Path::new(&at("s")).exists());
    // A device stays one, and a folder gets a deposit.
    assert_eq!(import("/dev/null").0, 0);
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    fs::create_dir(at("folder")).unwrap();
    assert_eq!(made(&["--rde-xml", &at("folder")]).0, 0);
    assert_eq!(fs::read_dir(at("folder")).unwrap().count(), 1);
}

#[test]
fn signals_end_an_import_that_waits_or_no_command_at_all() {
    use std::io::Write;
    use std::process::Stdio;
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("s");
    let importing = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whoisd"));
        command.args(["import", "-q", "/dev/stdin", "--into"]).arg(&into);
        command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let signal = |child: &std::process::Child, name: &str| {
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    };
    let mut child = importing();
    child.stdin.as_ref().unwrap().write_all(b"<?xml version=\"1.0\"?>").unwrap();
    // It holds the lock by then, and its signals have their handlers.
    while !into.join("LOCK").exists() {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    signal(&child, "-USR1");
    signal(&child, "-USR2");
    assert!(child.try_wait().unwrap().is_none());
    // The pipe stays open, and silent.
    signal(&child, "-INT");
    let pipe = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(pipe);
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(err, "whoisd: interrupted; nothing was changed\n");
}

#[test]
fn a_server_that_hangs_is_given_up_and_a_reload_says_that_it_waits() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    // It takes connections into its queue, and answers none.
    let _hangs = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let socket = path.to_str().unwrap();
    let mut reload = Command::new(env!("CARGO_BIN_EXE_whoisd"))
        .args(["reload", "--control", socket])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(reload.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("waiting up to 120 s"), "{line}");
    reload.kill().unwrap();
    reload.wait().unwrap();
    for (command, expected) in [
        (&["list"][..], "the server does not answer in time, which is 5 s\n"),
        (&["block", "192.0.2.1"], "which is 5 s; it may do later what was asked\n"),
    ] {
        let (status, _, err) = ran(&[command, &["--control", socket]].concat());
        assert!(status == 1 && err.ends_with(expected), "{command:?}: {err}");
        assert!(!err.contains("os error"), "{err}");
    }
    let (status, _, err) = ran(&["policy", "explain", "192.0.2.1", "--dir", "/nowhere"]);
    assert!(status == 1 && err.contains("there is no such directory"), "{err}");
}

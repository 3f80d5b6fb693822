//! `whoisd doctor` on other machines: it prints what is expected, writes nothing, and does not
//! panic on garbage. `WHOISD_BLESS=1 cargo test --test doctor` writes the expected reports again.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be run fails it")]

mod machines;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use machines::{MACHINES, build};
use whoisd::config::{self, Flags, Settings};
use whoisd::doctor::report::{self, Subject};
use whoisd::doctor::settings::SETTINGS;
use whoisd::doctor::{Finding, Machine, Profile, Source, State, check, shards};

/// Exit status, standard output, standard error of `whoisd doctor`.
fn doctor(root: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_whoisd"))
        .args(["doctor", "--root"])
        .arg(root)
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// The configuration beside a machine, if there is one.
fn configuration(name: &str) -> Vec<String> {
    let path = machines::file(&format!("{name}.toml"));
    if !path.exists() {
        return Vec::new();
    }
    vec!["--config".to_owned(), path.to_str().unwrap().to_owned()]
}

fn settings(name: &str) -> Settings {
    let path = machines::file(&format!("{name}.toml"));
    let path = path.exists().then_some(path);
    config::load(path.as_deref(), &Flags::default()).unwrap().settings
}

/// Everything that the doctor says of a machine.
fn findings(root: &Path, settings: &Settings) -> (Machine, Vec<Finding>, String) {
    let machine = Machine::read(&Source::new(root));
    let (profile, chosen) = Profile::choose(&machine).unwrap();
    let found = check::check(&machine, &profile, settings);
    let subject = Subject {
        machine: &machine,
        profile: &profile,
        chosen: &chosen,
        engine: ("glommio streams", "a test"),
    };
    let rows = shards::table(&machine, settings);
    let advice = shards::advice(&machine, &profile, settings).unwrap_or_default();
    let text = report::text(&subject, &found, true)
        + &report::shards_text(&subject, &shards::origin(&machine, settings), &rows, &advice)
        + &report::json(&subject, &found, Some((&rows, &advice)));
    (machine, found, text)
}

fn compare(name: &str, what: &str, got: &str) {
    let path = machines::file(&format!("{name}.{what}.expected"));
    if std::env::var_os("WHOISD_BLESS").is_some() {
        fs::write(&path, got).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(got == expected, "{name}: {what} differs; it is now:\n{got}");
}

#[test]
fn each_kind_of_machine_gets_its_report() {
    for (name, status) in MACHINES.into_iter().zip([1, 1, 0]) {
        let root = build(name);
        let configuration = configuration(name);
        let mut arguments: Vec<_> = configuration.iter().map(String::as_str).collect();
        let (got, report, err) = doctor(root.path(), &arguments);
        compare(name, "doctor", &report);
        assert_eq!((got, err.as_str()), (status, ""), "{name}");
        arguments.push("--shards");
        let (got, report, err) = doctor(root.path(), &arguments);
        compare(name, "shards", &report);
        assert_eq!((got, err.as_str()), (1, ""), "{name}");
    }
}

#[test]
fn each_key_of_each_profile_is_checked_most_valuable_first() {
    for name in MACHINES {
        let root = build(name);
        let (_, found, _) = findings(root.path(), &settings(name));
        for setting in SETTINGS {
            let finding = found.iter().find(|finding| finding.key == setting.key);
            let finding = finding.unwrap_or_else(|| panic!("{name}: no check for {}", setting.key));
            assert!(!finding.got.contains("no check for"), "{name}: {}", finding.got);
            if finding.state == State::Todo {
                assert!(finding.action.is_some(), "{name}: {} says not what to do", setting.key);
            }
        }
        assert!(found.is_sorted_by_key(|finding| std::cmp::Reverse(finding.rank)), "{name}");
    }
}

fn files_below(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>, SystemTime)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            let changed = fs::metadata(&path).unwrap().modified().unwrap();
            found.push((path.clone(), fs::read(&path).unwrap(), changed));
        }
    }
}

fn files(root: &Path) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
    let mut found = Vec::new();
    files_below(root, &mut found);
    found.sort();
    found
}

#[test]
fn the_doctor_writes_nothing() {
    for name in MACHINES {
        let root = build(name);
        let before = files(root.path());
        for arguments in [&[][..], &["--shards"], &["--json"], &["--verbose"]] {
            doctor(root.path(), arguments);
        }
        assert!(files(root.path()) == before, "{name}: a file has changed");
    }
}

#[test]
fn whatever_a_file_holds_there_is_a_report() {
    let zeroes = vec![0; 9 << 20];
    let garbage: [Option<&[u8]>; 8] = [
        None,
        Some(b""),
        Some(b"\xff\xfe\x00"),
        Some(b"18446744073709551615"),
        Some(b"-1"),
        Some(b"0-1023"),
        Some(b": 0 [ ] , - \n\n::"),
        Some(&zeroes),
    ];
    let root = build("small-2-core");
    let settings = settings("small-2-core");
    for (path, content, _) in files(root.path()) {
        // The largest file stands for all of them.
        let last = if path.ends_with("proc/interrupts") { garbage.len() } else { 7 };
        for bytes in garbage.into_iter().take(last) {
            match bytes {
                None => fs::remove_file(&path).unwrap(),
                Some(bytes) => fs::write(&path, bytes).unwrap(),
            }
            let (_, _, text) = findings(root.path(), &settings);
            assert!(text.contains("nothing was changed"));
        }
        fs::write(&path, content).unwrap();
    }
}

#[test]
fn a_fact_that_is_not_a_number_is_unknown_with_its_file() {
    for name in MACHINES {
        let root = build(name);
        for setting in SETTINGS {
            let Some(sysctl) = setting.sysctl() else { continue };
            let path = format!("proc/sys/{}", sysctl.replace('.', "/"));
            for garbage in ["", "x", "1 2 3", "-1", "99999999999999999999"] {
                fs::write(root.path().join(&path), garbage).unwrap();
                let (_, found, _) = findings(root.path(), &settings(name));
                let finding = found.iter().find(|finding| finding.key == setting.key).unwrap();
                assert_eq!(finding.state, State::Unknown, "{path} with {garbage:?}");
                assert!(finding.got.starts_with(&format!("/{path}: ")), "{}", finding.got);
            }
        }
    }
}

#[test]
fn an_empty_machine_is_unknown_throughout() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("sys")).unwrap();
    let (status, report, err) = doctor(root.path(), &[]);
    assert_eq!(status, 3, "{report}");
    assert!(err.contains("nothing of a machine can be read there"), "{err}");
    assert!(report.contains("nothing of the machine is known"), "{report}");
    assert!(report.contains("the number of cores is unknown: the smallest"), "{report}");
    assert!(report.contains("\n27 unknown:\n"), "{report}");
    let (status, report, _) = doctor(root.path(), &["--shards"]);
    assert_eq!(status, 3);
    assert!(report.contains("cores: unknown: /proc/self/status: not there"), "{report}");
}

#[test]
fn isolated_cores_without_a_shard_are_named() {
    let root = build("bl460c-2x4-64g");
    fs::write(root.path().join("sys/devices/system/cpu/isolated"), "1-3,5-7\n").unwrap();
    let mut settings = settings("bl460c-2x4-64g");
    settings.cores = Some(vec![0, 4]);
    let (_, _, text) = findings(root.path(), &settings);
    assert!(text.contains("isolated cores 1-3,5-7 have no shard"), "{text}");
    assert!(text.contains("the running server has them on 0-15: restart it to follow"), "{text}");
    settings.cores = Some(vec![1, 77]);
    let (_, _, text) = findings(root.path(), &settings);
    assert!(text.contains("1. shards.online: got cores 77 are not there"), "{text}");
}

#[test]
fn a_card_that_is_down_is_left_out_and_one_without_interrupts_is_unknown() {
    let root = build("bl460c-2x4-64g");
    let card = root.path().join("sys/class/net/eth1");
    fs::create_dir_all(card.join("device")).unwrap();
    let settings = settings("bl460c-2x4-64g");
    let (_, found, text) = findings(root.path(), &settings);
    let state = |found: &[Finding]| {
        found.iter().find(|finding| finding.key == "interrupts.cores").unwrap().state
    };
    assert_eq!(state(&found), State::Unknown);
    assert!(text.contains("no        eth0-TxRx-0 (irq 70), unknown\n"), "{text}");
    fs::write(card.join("operstate"), "down\n").unwrap();
    let (_, found, text) = findings(root.path(), &settings);
    assert_eq!(state(&found), State::Todo);
    assert!(!text.contains("eth1"), "{text}");
}

#[test]
fn rps_is_taken_back_queue_by_queue() {
    let root = build("bl460c-2x4-64g");
    let queue = root.path().join("sys/class/net/eth0/queues/rx-3/rps_cpus");
    fs::write(queue, "00000001,00000003\n").unwrap();
    let (_, found, _) = findings(root.path(), &settings("bl460c-2x4-64g"));
    let finding = found.iter().find(|finding| finding.key == "interrupts.rps").unwrap();
    let undo = finding.undo.as_deref();
    let path = "/sys/class/net/eth0/queues/rx-3/rps_cpus";
    assert_eq!(undo, Some(format!("echo 00000001,00000003 > {path}").as_str()));
}

#[test]
fn json_holds_the_same_findings() {
    let root = build("bl460c-2x4-64g");
    let (status, report, _) = doctor(root.path(), &["--json", "--shards"]);
    assert_eq!(status, 1);
    let value: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(value["profile"]["name"], "bl460c-2x4-64g");
    assert_eq!(value["findings"].as_array().unwrap().len(), SETTINGS.len());
    assert_eq!(value["shards"]["table"].as_array().unwrap().len(), 16);
    assert!(value["findings"][0]["do"].is_string() || value["findings"][0]["state"] == "good");
}

#[test]
fn a_profile_that_cannot_be_used_is_refused_with_its_reason() {
    let root = build("small-2-core");
    let file = root.path().join("own.toml");
    let path = file.to_str().unwrap();
    fs::write(&file, "[sysctl]\n\"net.core.somaxconn\" = 1\n").unwrap();
    let (status, _, err) = doctor(root.path(), &["--profile", path]);
    let reason = "sysctl.net.core.somaxconn: 1 is too small, at least 128 is required";
    assert_eq!((status, err), (3, format!("whoisd: profile {path}: {reason}\n")));
    let (status, _, err) = doctor(root.path(), &["--profile", "no-such"]);
    assert_eq!(status, 3, "{err}");
    assert!(err.contains("known are small-2-core, bl460c-2x4-64g, dual-socket-64-core"), "{err}");
    let (status, _, err) = doctor(root.path(), &["--config", path]);
    assert_eq!(status, 3, "{err}");
    assert_eq!(doctor(root.path(), &["--fix"]).0, 2);
    fs::write(&file, "about = \"own\"\n[sysctl]\n\"net.core.somaxconn\" = 128\n").unwrap();
    let (status, report, _) = doctor(root.path(), &["--profile", path]);
    assert_eq!(status, 0, "{report}");
    assert!(report.contains("1 of 1 setting as wanted"), "{report}");
}

#[test]
fn a_profile_of_another_machine_says_which_fits() {
    let root = build("small-2-core");
    let (status, report, _) = doctor(root.path(), &["--profile", "dual-socket-64-core"]);
    assert_eq!(status, 1);
    assert!(
        report.contains("machine.cores_min: got 2 cores; wanted at least 33 cores"),
        "{report}"
    );
    assert!(report.contains("do: whoisd doctor --profile small-2-core"), "{report}");
}

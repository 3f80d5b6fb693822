//! `plan`, `compare` and `report` as programs: what they print, and their exit statuses.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_whois-loadgen");

fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = Command::new(PROGRAM).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// The fixed run, with changes to its JSON.
fn written(name: &str, change: impl Fn(&mut serde_json::Value)) -> String {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/run.json");
    let mut value: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(golden).unwrap()).unwrap();
    change(&mut value);
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, value.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_plan_names_the_peak_and_the_servers() {
    let (status, text, _) = run(&["plan", "--rate-per-server", "5000", "--sites", "2"]);
    assert_eq!(status, 0);
    assert!(text.contains("6,000 per second"), "{text}");
    let (status, json, _) = run(&["plan", "--rate-per-server", "5000", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((status, &plan["peak_per_s"]), (0, &6_000.0.into()));
    assert_eq!(plan["servers_count"], 3);
}

#[test]
fn without_a_rate_a_plan_is_the_demand_alone() {
    let (status, text, _) = run(&["plan", "--domains", "1000000"]);
    assert_eq!(status, 0);
    assert!(text.contains("300 per second") && text.contains("--rate-per-server"), "{text}");
    let (_, json, _) = run(&["plan", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&plan["peak_per_s"], plan.get("servers_count")), (&6_000.0.into(), None));
}

#[test]
fn a_plan_takes_the_knee_of_a_sweep_but_not_a_run() {
    let sweep = written("plan-sweep.json", |run| {
        let objective =
            serde_json::json!({"percentile": 99.0, "latency_us": 5_000, "error_share_max": 0.001});
        *run = serde_json::json!({
            "format": 1, "objective": objective, "steps": [run.clone()], "knee_per_s": 5_000.0
        });
    });
    let (status, text, _) = run(&["plan", "--sweep", &sweep]);
    assert_eq!(status, 0);
    assert!(text.contains("the server may be faster"), "{text}");
    assert!(text.contains("answers leaving a site"), "{text}");
    let (status, _, error) = run(&["plan", "--sweep", &written("plan-run.json", |_| ())]);
    assert_eq!(status, 1);
    assert!(error.contains("one run, not a sweep"), "{error}");
}

#[test]
fn factors_beyond_their_bounds_are_wrong_usage() {
    for arguments in [
        ["--rate-per-server", "0"],
        ["--domains", "0"],
        ["--peak-day", "101"],
        ["--head-room", "nan"],
        ["--window-s", "inf"],
    ] {
        let rate: &[&str] =
            if arguments[0] == "--rate-per-server" { &[] } else { &["--rate-per-server", "1"] };
        let (status, _, error) = run(&[&["plan"], rate, &arguments].concat());
        assert_eq!(status, 2, "{arguments:?}: {error}");
    }
    assert_eq!(run(&["plan", "--sites", "2"]).0, 2);
    assert_eq!(run(&["plan", "--sweep", "x", "--rate-per-server", "1"]).0, 2);
}

#[test]
fn a_comparison_tells_worse_from_not_comparable() {
    // Thirty seconds, so that there is something to draw from.
    let lengthen = |run: &mut serde_json::Value| {
        let seconds = run["seconds"].as_array().unwrap().clone();
        let all = [seconds.clone(), seconds].concat();
        run["seconds"] = all
            .into_iter()
            .enumerate()
            .map(|(at, mut second)| {
                second["at_s"] = at.into();
                second
            })
            .collect();
        run["duration_s"] = 40.0.into();
    };
    let before = written("compare-before.json", lengthen);
    let slower = written("compare-slower.json", |run| {
        lengthen(run);
        for second in run["seconds"].as_array_mut().unwrap() {
            second["p50_ns"] = (second["p50_ns"].as_u64().unwrap() * 2).into();
        }
        run["latency"]["percentiles"][0][1] = 500_000.into();
    });
    let other = written("compare-other.json", |run| run["method"]["profile"] = "other".into());
    assert_eq!(run(&["compare", &before, &before]).0, 0);
    let (status, text, _) = run(&["compare", &before, &slower]);
    assert!(status == 1 && text.contains("B is WORSE"), "{text}");
    let (status, text, _) = run(&["compare", "--a", &before, "--b", &other]);
    assert!(status == 3 && text.contains("profile differs"), "{text}");
    assert_eq!(run(&["compare", "--anyway", &before, &other]).0, 0);
    let (status, _, error) = run(&["compare", &before, "no-such-file"]);
    assert!(status == 3 && error.contains("no-such-file"), "{error}");
    for wrong in [&["compare"][..], &["compare", &before], &["compare", "--a", &before]] {
        assert_eq!(run(wrong).0, 2, "{wrong:?}");
    }
}

#[test]
fn a_report_is_text_or_one_html_file() {
    let result = written("report.json", |_| ());
    let (status, text, _) = run(&["report", &result]);
    assert!(status == 0 && text.starts_with("Valid run"), "{text}");
    let html = format!("{result}.html");
    let (status, text, _) = run(&["report", &result, "--html", &html]);
    assert_eq!((status, text.as_str()), (0, ""));
    assert!(std::fs::read_to_string(html).unwrap().starts_with("<!DOCTYPE html>"));
    let old = written("report-old.json", |run| run["format"] = 0.into());
    let (status, _, error) = run(&["report", &old]);
    assert!(status == 1 && error.contains("format version 0, this build reads 1"), "{error}");
}

//! Alert rules and dashboard against their sources: the list of metrics, the runbook, promtool
//! (Debian's package prometheus). And the runbook against the server's log lines.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be read fails it")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The metrics of deploy/METRICS.md: name and type.
fn listed() -> Vec<(String, String)> {
    let text = read("deploy/METRICS.md");
    let rows = text.lines().filter(|line| line.starts_with("| `whoisd_"));
    let rows = rows.map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 7, "{line}");
        (cells[1].trim_matches('`').to_owned(), cells[2].to_owned())
    });
    let rows: Vec<_> = rows.collect();
    assert!(rows.len() > 40, "{}", rows.len());
    rows
}

/// Words of a text that begin as our metrics do.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c)).filter(|word| word.starts_with("whoisd_"));
    words.map(str::to_owned).collect()
}

/// Without the ending of a histogram's series.
fn base<'a>(series: &'a str, listed: &[(String, String)]) -> &'a str {
    for ending in ["_bucket", "_count", "_sum"] {
        if let Some(base) = series.strip_suffix(ending)
            && listed.iter().any(|(name, kind)| name == base && kind == "histogram")
        {
            return base;
        }
    }
    series
}

/// The alerts of the rules: name and what follows it up to the next one.
fn alerts(rules: &str) -> Vec<(String, String)> {
    let parts = rules.split("      - alert: ").skip(1);
    let parts = parts.map(|part| {
        let (name, rest) = part.split_once('\n').unwrap();
        (name.trim().to_owned(), rest.to_owned())
    });
    parts.collect()
}

#[test]
fn every_metric_that_rules_dashboard_and_server_name_is_listed() {
    let listed = listed();
    let mut files = vec![
        PathBuf::from("deploy/prometheus-rules.yml"),
        PathBuf::from("deploy/prometheus-rules-test.yml"),
        PathBuf::from("deploy/grafana-dashboard.json"),
        PathBuf::from("deploy/RUNBOOK.md"),
    ];
    let status = fs::read_dir(root().join("src/status")).unwrap();
    files.extend(status.map(|entry| entry.unwrap().path()));
    for file in files {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        let named = metrics_in(&text);
        assert!(!named.is_empty() || file.starts_with(root()), "{}", file.display());
        for series in named {
            if series == "whoisd_" {
                // The common start of all names, for readers of the table.
                continue;
            }
            let name = base(&series, &listed);
            let known = listed.iter().any(|(known, _)| known == name);
            assert!(known, "{}: {series} is not in deploy/METRICS.md", file.display());
        }
    }
}

#[test]
fn names_follow_the_conventions() {
    let mut names = BTreeSet::new();
    for (name, kind) in listed() {
        assert!(names.insert(name.clone()), "{name} is listed twice");
        assert!(["counter", "gauge", "histogram"].contains(&kind.as_str()), "{name}: {kind}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
        assert_eq!(kind == "histogram", name.starts_with("whoisd_phase_"), "{name}");
    }
}

#[test]
fn every_alert_has_its_first_action_in_the_runbook_and_a_test() {
    let (rules, tests) =
        (read("deploy/prometheus-rules.yml"), read("deploy/prometheus-rules-test.yml"));
    let runbook = read("deploy/RUNBOOK.md");
    let alerts = alerts(&rules);
    assert!(alerts.len() > 20);
    for (name, rest) in &alerts {
        let url = rest.lines().find_map(|line| line.trim().strip_prefix("runbook_url: "));
        let anchor = name.to_lowercase();
        assert_eq!(url, Some(format!("deploy/RUNBOOK.md#{anchor}").as_str()), "{name}");
        assert!(rest.contains("severity: ") && rest.contains("summary: "), "{name}");
        let entry = runbook.split(&format!("### {name}\n")).nth(1);
        let entry = entry.unwrap_or_else(|| panic!("{name} is not in the runbook"));
        let entry = entry.split("\n### ").next().unwrap();
        assert!(entry.contains("- **First:** "), "{name} has no first action");
        let tested = format!("        alertname: {name}\n        exp_alerts:\n");
        assert!(tests.contains(&tested), "{name} has no test in which it fires");
    }
    let headings = runbook.lines().filter_map(|line| line.strip_prefix("### Whoisd"));
    let known: BTreeSet<_> = alerts.iter().map(|(name, _)| name.as_str()).collect();
    for heading in headings {
        let name = format!("Whoisd{heading}");
        assert!(known.contains(name.as_str()), "{name} stands in the runbook, but is no alert");
    }
}

/// Lines without a fixed text, and those of the publisher, which is not a server.
const NOT_IN_THE_RUNBOOK: [&str; 2] = ["src/publish/", "src/feed/nats/status.rs"];

/// The `.rs` files of a folder and below it, with their paths from the root of the project.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found.extend(sources(&path));
        } else if path.ends_with(".rs") {
            let text = read(&path);
            found.push((path, text));
        }
    }
    found
}

/// The texts in quotation marks up to the end of a macro's call, which begins here. No text has an
/// escaped mark or a bracket that is not closed.
fn texts_of_call(rest: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut depth = 1_u32;
    for (number, part) in rest.split('"').enumerate() {
        if number % 2 == 1 {
            // A line that goes on on the next one.
            let lines = part.split("\\\n").enumerate();
            texts.push(
                lines.map(|(n, line)| if n > 0 { line.trim_start() } else { line }).collect(),
            );
            continue;
        }
        for c in part.chars() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return texts;
            }
        }
    }
    texts
}

/// A message without its values, and without the reason or remark after it.
fn gist(message: &str) -> String {
    let message = message.strip_prefix("query log: ").unwrap_or(message);
    let parts = message.split('{').enumerate();
    let parts = parts.map(|(n, part)| if n > 0 { part.split_once('}').unwrap().1 } else { part });
    let clauses = parts.flat_map(|part| part.split([';', ':'])).map(str::trim);
    clauses.filter(|clause| !clause.is_empty()).map(str::to_owned).next().unwrap_or_default()
}

#[test]
fn every_warning_and_error_that_a_server_logs_is_in_the_runbook() {
    let runbook: Vec<_> = read("deploy/RUNBOOK.md").split_whitespace().map(str::to_owned).collect();
    let runbook = runbook.join(" ");
    let mut count = 0;
    for (path, text) in sources("src") {
        if NOT_IN_THE_RUNBOOK.iter().any(|left_out| path.starts_with(left_out)) {
            continue;
        }
        for level in ["tracing::warn!(", "tracing::error!("] {
            for rest in text.split(level).skip(1) {
                let texts = texts_of_call(rest);
                let said = texts.last().unwrap_or_else(|| panic!("{path}: {level} says nothing"));
                let said = gist(said);
                assert!(!said.is_empty() && runbook.contains(&said), "{path}: {said:?} is missing");
                count += 1;
            }
        }
    }
    assert!(count > 40, "{count}");
}

fn promtool(arguments: &[&str], folder: &Path) {
    // Not skipped without one: the output of a test that passes goes unread.
    let output = Command::new("promtool").args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| {
        panic!("promtool cannot be run ({error}); `deploy/packages prometheus` installs it")
    });
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn promtool_accepts_the_rules_and_their_tests_pass() {
    let folder = root().join("deploy");
    promtool(&["check", "rules", "--lint-fatal", "prometheus-rules.yml"], &folder);
    promtool(&["test", "rules", "prometheus-rules-test.yml"], &folder);
}

/// Every `expr` below a value.
fn expressions(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (key, field) in fields {
                match (key.as_str(), field) {
                    ("expr", serde_json::Value::String(text)) => found.push(text.clone()),
                    _ => expressions(field, found),
                }
            }
        }
        serde_json::Value::Array(items) => {
            items.iter().for_each(|item| expressions(item, found));
        }
        _ => {}
    }
}

#[test]
fn promtool_accepts_every_expression_of_the_dashboard() {
    let text = read("deploy/grafana-dashboard.json");
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    assert!(found.len() > 40, "{}", found.len());
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (number, expression) in found.iter().enumerate() {
        // Variables that Grafana fills in.
        let expression = expression.replace("$__rate_interval", "5m").replace('$', "");
        let expression = serde_json::to_string(&expression).unwrap();
        writeln!(rules, "      - {{ record: \"panel:{number}\", expr: {expression} }}").unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yml"), rules).unwrap();
    promtool(&["check", "rules", "rules.yml"], folder.path());
}

#[test]
fn panels_of_the_dashboard_have_their_own_numbers_and_do_not_overlap() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("deploy/grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut numbers = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in panels {
        assert!(numbers.insert(panel["id"].as_u64().unwrap()));
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        for row in place("y")..place("y") + place("h") {
            for column in place("x")..place("x") + place("w") {
                assert!(column < 24 && taken.insert((row, column)), "{}", panel["title"]);
            }
        }
    }
}

#[test]
fn every_metric_that_whoisd_web_alone_has_is_on_the_dashboard() {
    let (text, dashboard) = (read("deploy/METRICS.md"), read("deploy/grafana-dashboard.json"));
    let sections = text.split("\n## ").filter(|section| {
        let heading = section.lines().next().unwrap();
        heading.ends_with("of whoisd-web")
    });
    let mut alone: Vec<_> = sections.flat_map(metrics_in).collect();
    alone.push("whoisd_forwarded_total".to_owned());
    assert!(alone.len() > 5, "{alone:?}");
    let shown = metrics_in(&dashboard);
    let missing: Vec<_> = alone.iter().filter(|name| !shown.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

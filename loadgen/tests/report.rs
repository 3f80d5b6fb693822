//! Reports of a fixed run and a fixed sweep, byte by byte, and of hostile results.
//! `WHOISD_BLESS=1 cargo test -p whois-loadgen --test report` writes `tests/golden` again:
//! review the diff.
//! `run.json` there holds the form of results.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tests may panic; their figures are small and not negative"
)]

use std::collections::BTreeMap;
use std::path::Path;

use whois_loadgen::report::{run_html, run_text, sweep_html, sweep_text};
use whois_loadgen::result::{
    Connections, Latency, Method, Objective, RESULT_FORMAT, RunResult, Second, SweepResult, Usage,
};
use whois_loadgen::saved::Saved;

/// A spectrum that rises as queues do, from `base_us`.
fn latency(base_us: f64, load: f64, count: u64) -> Latency {
    let value = |percentile: f64| {
        let nines = -(1.0 - percentile / 100.0).max(1.0 / count as f64).log10();
        (base_us * (1.0 + nines * 0.4 + nines * nines * load * load) / (1.0 - load)) as u64 * 1_000
    };
    let percentiles = [50.0, 90.0, 99.0, 99.9, 99.99].map(|at| (at, value(at)));
    let spectrum = [0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99, 100.0];
    Latency {
        count,
        mean_ns: (base_us * 1_100.0 / (1.0 - load)).round(),
        max_ns: value(100.0),
        percentiles: percentiles.to_vec(),
        spectrum: spectrum.map(|at| (at, value(at))).to_vec(),
    }
}

fn method() -> Method {
    Method {
        program: "whois-loadgen 0.1.0".to_owned(),
        commit: "0123abc".to_owned(),
        started: "2026-01-02T03:04:05Z".to_owned(),
        processor: "Example CPU @ 3.0 GHz".to_owned(),
        processor_count: 8,
        memory_bytes: 16_000_000_000,
        kernel: "6.12.0".to_owned(),
        targets: vec!["192.0.2.1:43".to_owned()],
        protocol: String::new(),
        profile: "mixed\nkinds = { domain = 90, nameserver = 10 }\nmissing = 0.2".to_owned(),
        schedule: "Poisson, constant rate".to_owned(),
        seed: 7,
        generator_cores: vec![6, 7],
        source_count: 1,
        warm_up_s: 5.0,
        late_after_us: 1_000,
        not_measured: vec![
            "network between machines: generator and server share one".to_owned(),
            "clients that read slowly".to_owned(),
        ],
    }
}

fn run(rate_per_s: f64, load: f64) -> RunResult {
    let due_count = (rate_per_s * 20.0) as u64;
    let failed = if load > 0.9 { due_count / 500 } else { 3 };
    let answered = due_count - failed;
    let second = |at_s: u64| {
        let wave = 1.0 + ((at_s * 7 % 5) as f64 - 2.0) / 40.0;
        let due = (rate_per_s * wave) as u64;
        let stall = if at_s == 12 { 8 } else { 1 };
        Second {
            at_s,
            due_count: due,
            answered_count: due - u64::from(at_s == 12) * 3,
            error_count: u64::from(at_s == 12) * 3,
            p50_ns: (140e3 * wave / (1.0 - load)) as u64,
            p99_ns: (420e3 * wave / (1.0 - load)) as u64 * stall,
            max_ns: (900e3 * wave / (1.0 - load)) as u64 * stall,
            server_resident_bytes: 400_000_000 + at_s * 100_000,
            server_descriptor_count: 40 + at_s % 3,
        }
    };
    let usage = Usage {
        user_s: 0.25,
        system_s: 1.5,
        cpu_us_per_query: 31.25,
        anonymous_peak_bytes: 24_000_000,
    };
    RunResult {
        format: RESULT_FORMAT,
        method: method(),
        asked_per_s: rate_per_s,
        achieved_per_s: answered as f64 / 20.0,
        duration_s: 20.0,
        due_count,
        sent_count: due_count - 1,
        answered_count: answered,
        late_count: 12,
        invalid: None,
        errors: BTreeMap::from([("timeout".to_owned(), failed - 1), ("reset".to_owned(), 1)]),
        checked: BTreeMap::from([("object".to_owned(), answered), ("whole".to_owned(), answered)]),
        received_bytes: answered * 1_400,
        latency: latency(100.0, load, answered),
        service: latency(95.0, load * 0.9, answered),
        connect: latency(25.0, load * 0.5, answered),
        first_byte: latency(55.0, load * 0.8, answered),
        last_byte: latency(10.0, load * 0.3, answered),
        by_kind: BTreeMap::from([
            ("domain".to_owned(), latency(104.0, load, answered / 10 * 9)),
            ("nameserver".to_owned(), latency(80.0, load, answered / 10)),
        ]),
        seconds: (0..20).map(second).collect(),
        connections: None,
        server: Some(usage.clone()),
        generator: usage,
    }
}

fn sweep() -> SweepResult {
    let rates = [1_000.0, 2_000.0, 4_000.0, 8_000.0, 16_000.0, 11_300.0, 9_510.0, 10_400.0];
    let mut steps: Vec<_> = rates.map(|rate| run(rate, (rate / 11_500.0_f64).min(0.99))).to_vec();
    steps[4].invalid = Some("3 % of the queries were sent late".to_owned());
    let objective = Objective { percentile: 99.0, latency_us: 5_000, error_share_max: 0.001 };
    SweepResult { format: RESULT_FORMAT, objective, steps, knee_per_s: Some(9_510.0) }
}

fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("WHOISD_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    let differs = golden.lines().zip(text.lines()).position(|(golden, text)| golden != text);
    let line = differs.unwrap_or_else(|| golden.lines().count().min(text.lines().count()));
    assert!(
        golden == text,
        "{name}, line {}: {:?} instead of {:?}",
        line + 1,
        text.lines().nth(line),
        golden.lines().nth(line)
    );
}

#[test]
fn the_report_of_a_run_is_what_it_was() {
    let run = run(5_000.0, 0.43);
    assert_golden("run.txt", &run_text(&run));
    assert_golden("run.html", &run_html(&run));
}

#[test]
fn the_report_of_a_sweep_is_what_it_was() {
    let sweep = sweep();
    assert_golden("sweep.txt", &sweep_text(&sweep));
    assert_golden("sweep.html", &sweep_html(&sweep));
}

#[test]
fn the_form_of_results_is_what_it_was_and_is_read_again() {
    let run = run(5_000.0, 0.43);
    let json = serde_json::to_string(&run).unwrap() + "\n";
    assert_golden("run.json", &json);
    assert!(Saved::parse(&json).unwrap() == Saved::Run(Box::new(run)));
    let json = serde_json::to_string(&sweep()).unwrap();
    assert!(Saved::parse(&json).unwrap() == Saved::Sweep(Box::new(sweep())));
}

#[test]
fn a_result_that_means_harm_reaches_neither_terminal_nor_browser() {
    let evil = "</pre></style><script>\u{1b}[2J\" onload='x'";
    let mut run = run(5_000.0, 0.43);
    run.invalid = Some(evil.to_owned());
    run.errors = BTreeMap::from([(evil.to_owned(), 1)]);
    run.checked = run.errors.clone();
    run.by_kind = BTreeMap::from([(evil.to_owned(), Latency::default())]);
    let method = &mut run.method;
    for text in [
        &mut method.program,
        &mut method.commit,
        &mut method.started,
        &mut method.processor,
        &mut method.kernel,
        &mut method.profile,
        &mut method.schedule,
    ] {
        *text = evil.to_owned();
    }
    method.targets = vec![evil.to_owned()];
    method.not_measured = vec![evil.to_owned()];
    let sweep = SweepResult { steps: vec![run.clone()], ..sweep() };
    for text in [run_text(&run), sweep_text(&sweep)] {
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
    }
    for html in [run_html(&run), sweep_html(&sweep)] {
        assert!(!html.contains("<script") && !html.contains('\u{1b}'), "{html}");
        assert!(!html.contains("' onload") && !html.contains("\" onload"), "{html}");
        assert_eq!(html.matches("</style>").count(), 1);
    }
}

#[test]
fn a_run_over_http_says_what_became_of_its_connections() {
    let mut run = run(5_000.0, 0.43);
    run.method.protocol = "HTTP/1.1 over TLS with resumption, kept connections, /".to_owned();
    run.connections = Some(Connections {
        opened_count: 12,
        reopened_count: 2,
        resumed_count: 9,
        full_handshake_count: 3,
    });
    let line = "Connected  12 times, 2 because the server had closed a kept connection; \
                TLS: 3 whole handshakes, 9 resumed\n";
    let text = run_text(&run);
    assert!(text.contains(line), "{text}");
    assert!(text.contains("Protocol          HTTP/1.1 over TLS"), "{text}");
    assert!(run_html(&run).contains("3 whole handshakes, 9 resumed"));
}

#[test]
fn results_with_nothing_in_them_have_a_report() {
    let mut run = run(5_000.0, 0.43);
    run.latency = Latency::default();
    run.service = Latency::default();
    run.by_kind.clear();
    run.errors.clear();
    run.checked.clear();
    run.seconds.clear();
    run.server = None;
    run.method = Method::default();
    (run.due_count, run.answered_count, run.received_bytes) = (0, 0, 0);
    (run.asked_per_s, run.achieved_per_s) = (0.0, f64::NAN);
    let empty = SweepResult { steps: vec![], knee_per_s: None, ..sweep() };
    let one = SweepResult { steps: vec![run.clone()], knee_per_s: None, ..sweep() };
    for html in [run_html(&run), sweep_html(&empty), sweep_html(&one)] {
        assert!(html.ends_with("</html>\n") && !html.contains("NaN") && !html.contains("inf"));
    }
    for text in [run_text(&run), sweep_text(&empty), sweep_text(&one)] {
        assert!(text.ends_with('\n') && !text.contains("NaN"), "{text}");
    }
}

#[test]
fn a_day_is_drawn_in_few_points() {
    let mut run = run(5_000.0, 0.43);
    let second = run.seconds[0].clone();
    run.seconds = (0..86_400).map(|at_s| Second { at_s, ..second.clone() }).collect();
    run.duration_s = 86_400.0;
    let html = run_html(&run);
    assert!(html.len() < 400_000, "{} bytes", html.len());
    assert!(html.contains("Each point is 216 s"));
}

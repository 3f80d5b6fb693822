//! Screens of known readings, as `tests/top/*.txt` has them. `WHOISD_BLESS=1 cargo test --lib top`
//! writes them again: review the diff.

use std::path::Path;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::observe::readout::{
    Bucket, Deadline, Feed, Limiter, Phase, Queries, Refusal, Shard, Source, TierQueries,
};

const PHASES: [&str; 6] = ["first_byte", "read", "lookup", "render", "write", "close"];

/// A server after `seconds`, with `cores` shards, each with more to do than the one before it.
fn reading(seconds: u64, cores: usize) -> Figures {
    let shard = |core: usize| {
        let weight = core as u64 + 1;
        let count = seconds * 1_000 * weight;
        let queries = [("found", 8), ("not_found", 1), ("refused", 1)].map(|(outcome, tenths)| {
            let (kind, outcome) = ("domain".to_owned(), outcome.to_owned());
            Queries { kind, outcome, count: count * tenths / 10 }
        });
        let phase = |(place, name): (u64, &&str)| Phase {
            name: (*name).to_owned(),
            sum_us: count * 10,
            buckets: vec![
                Bucket { below_us: Some(4 << (place * weight.min(3))), count: count * 9 / 10 },
                Bucket { below_us: Some(10_000 << place), count: count / 10 },
                Bucket { below_us: None, count: count / 500 },
            ],
        };
        Shard {
            core,
            cpu_us: (core != 2).then_some(seconds * 1_000_000 * weight / 8),
            turns: count / 4,
            completions: count * 3,
            connections_open: 150 * weight,
            accepted: count + seconds,
            queries: queries.to_vec(),
            deadlines: vec![Deadline { phase: "read".to_owned(), count: seconds * (weight / 3) }],
            phases: (0_u64..).zip(&PHASES).map(phase).collect(),
            log_entries: count,
            log_dropped: if core == 5 { seconds * 7 } else { 0 },
            sent_bytes: count * 2_000,
            received_bytes: count * 14,
            answer_buffers_free: 500,
        }
    };
    let refusal = |reason: &str, prefix_length, count| Refusal {
        reason: reason.to_owned(),
        prefix_length,
        count: seconds * count,
    };
    let tier = |tier: &str, count| TierQueries { tier: tier.to_owned(), count: seconds * count };
    Figures {
        version: "0.1.0".to_owned(),
        pid: 4711,
        started_ms: 1_800_000_000_000 - 300_000_000,
        at_ms: 1_800_000_000_000 + i64::try_from(seconds).unwrap() * 1_000,
        at_us: seconds * 1_000_000,
        generation: 1_234,
        serial: 8_812,
        data_age_s: 2,
        domains: 20_000_000,
        spool: false,
        spool_waits: None,
        feed: Some(Feed { connected: true, backlog: 0, error: None }),
        draining: false,
        shards: (0..cores).map(shard).collect(),
        tiers: vec![tier("police", 3), tier("partner", 120)],
        refusals: vec![refusal("limit", 32, 90), refusal("limit", 24, 30), refusal("deny", 0, 1)],
        limiter: Some(Limiter {
            entries: 471_860,
            capacity: 1 << 20,
            evictions: seconds * 3,
            dry_run: 0,
        }),
        blocks: 12,
        blocks_total: 90,
        mining_flags: 2,
        log_written_bytes: seconds * 4_000_000,
        sources: sources(seconds),
    }
}

fn sources(seconds: u64) -> Vec<Source> {
    let source = |prefix: &str, count, standing: &str| Source {
        prefix: prefix.to_owned(),
        count: seconds * count,
        standing: standing.to_owned(),
    };
    vec![
        source("192.0.2.7/32", 3, "tier police"),
        source("2001:db8:1234:5678::/64", 91, "allowed, tier partner"),
        source("198.51.100.0/24", 1_200, ""),
    ]
}

fn screen(cores: usize) -> Screen {
    let mut screen = Screen { figures: reading(10, cores), ..Screen::default() };
    screen.take(reading(12, cores));
    screen
}

/// The screen as a terminal of this size shows it.
fn drawn(screen: &mut Screen, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(screen, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for row in 0..height {
        let line: String = (0..width).map(|column| buffer[(column, row)].symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn hold(name: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/top").join(name);
    if std::env::var_os("WHOISD_BLESS").is_some() {
        std::fs::write(&path, now).unwrap();
    }
    let then = std::fs::read_to_string(&path).unwrap();
    assert_eq!(now, then, "{name} differs");
}

#[test]
fn screens_are_as_they_are_written_down() {
    hold("80x24.txt", &drawn(&mut screen(8), 80, 24));
    hold("120x40.txt", &drawn(&mut screen(32), 120, 40));
    hold("once.txt", &screen(8).text());
    let mut troubled = screen(2);
    troubled.paused = true;
    troubled.figures.draining = true;
    troubled.figures.limiter = None;
    troubled.figures.feed =
        Some(Feed { connected: false, backlog: 71_000, error: Some("no\x1b[2J route".to_owned()) });
    troubled.problem = Some("/run/x: Connection refused (os error 111)".to_owned());
    hold("troubled.txt", &drawn(&mut troubled, 80, 24));
    let mut first = Screen { figures: reading(10, 2), ..Screen::default() };
    hold("first.txt", &drawn(&mut first, 80, 24));
}

#[test]
fn no_size_is_too_small_or_too_large() {
    for mut screen in [screen(0), screen(3), screen(64), Screen::default()] {
        for width in (0..12).chain([39, 79, 80, 81, 200, 400]) {
            for height in (0..22).chain([60, 200]) {
                let lines = screen.lines(width.into(), height.into());
                assert_eq!(lines.len(), usize::from(height));
                assert!(lines.iter().all(|line| line.width() <= usize::from(width)));
                if width > 0 && height > 0 {
                    drawn(&mut screen, width, height);
                }
            }
        }
    }
}

#[test]
fn keys_quit_pause_sort_and_scroll() {
    let mut screen = screen(16);
    let press = |code| KeyEvent::new(code, KeyModifiers::NONE);
    assert_eq!(screen.key(press(KeyCode::Char('q'))), Key::Quit);
    assert_eq!(screen.key(press(KeyCode::Esc)), Key::Quit);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(screen.key(interrupt), Key::Quit);
    assert_eq!(screen.key(press(KeyCode::Char('c'))), Key::Go);
    screen.key(press(KeyCode::Char('p')));
    assert!(screen.paused && drawn(&mut screen, 80, 24).contains("PAUSED"));
    let first_core = |screen: &mut Screen| {
        let text = drawn(screen, 80, 24);
        let mut lines = text.lines().skip_while(|line| !line.starts_with("CORE"));
        lines.nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(first_core(&mut screen), "0");
    screen.key(press(KeyCode::Down));
    assert_eq!(first_core(&mut screen), "1");
    for _ in 0..50 {
        screen.key(press(KeyCode::Down));
    }
    assert_eq!(first_core(&mut screen), "9");
    screen.key(press(KeyCode::Up));
    assert_eq!(first_core(&mut screen), "8");
    screen.key(press(KeyCode::Home));
    screen.key(press(KeyCode::Char('s')));
    assert_eq!(first_core(&mut screen), "7");
    for _ in 0..4 {
        screen.key(press(KeyCode::Char('s')));
    }
    assert_eq!(first_core(&mut screen), "0");
}

#[test]
fn a_server_that_started_again_makes_no_rates_of_nonsense() {
    let mut screen = screen(2);
    screen.take(Figures { pid: 9, ..reading(1, 2) });
    assert_eq!(screen.rates, None);
    screen.take(Figures { pid: 9, ..reading(2, 2) });
    assert!(screen.rates.is_some());
}

/// Run by the test below, in a process and on a terminal of its own.
#[test]
#[ignore = "takes the terminal, and panics"]
fn panics_on_a_terminal() {
    let (_restore, mut terminal) = begin().unwrap();
    terminal.draw(|frame| draw(&mut screen(2), frame)).unwrap();
    panic!("on purpose");
}

#[test]
fn the_terminal_is_given_back_before_the_message_of_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("typescript");
    let test = "--exact command::top::tests::panics_on_a_terminal --ignored --nocapture";
    let program = std::env::current_exe().unwrap();
    let command = format!("stty rows 24 columns 80; exec {} {test}", program.display());
    let ran = std::process::Command::new("script")
        .args(["--quiet", "--return", "--command", &command])
        .arg(&log)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(!ran.success());
    let shown = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
    let (before, after) = shown.split_once("on purpose").unwrap();
    assert!(before.contains("\x1b[?1049h"), "{before:?}");
    let left = &before[before.rfind("\x1b[?1049l").unwrap()..];
    assert!(before.rfind("\x1b[?25h") > before.rfind("\x1b[?25l"), "{left:?}");
    assert!(!after.contains("\x1b[?1049h"));
}

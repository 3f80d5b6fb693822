//! Instructions of a query, parse, find and render, counted by valgrind's callgrind: a figure that
//! a busy machine does not change.
//!
//! `cargo run --release -p whoisd-benches --bin instructions [-- --domains N | --smoke]`; with
//! `--dir DIRECTORY` over one that `whoisd sample --into` made before. Each figure is what N more
//! queries cost after N, so that opening and preparing do not count.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use snapshot_format::Kind;
use snapshot_format::record::{ArchivedContact, ArchivedDomain, ContactField};
use whoisd::config::tld::Settings as Rulebook;
use whoisd::policy::Rules;
use whoisd::query::{Answer, answer};
use whoisd::sample::build::build_directory;
use whoisd::sample::{Registry, Settings};
use whoisd::view::View;
use whoisd_benches::{Options, Random, print};

/// Kinds of queries: rules "open" or the standard ones, and what is asked.
const KINDS: [&str; 4] = ["domain, thick answer", "domain, standard rules", "miss", "contact"];

/// The argument of the process that is counted; kind, directory, queries to run and to prepare
/// follow.
const COUNTED: &str = "--counted";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, first, kind, directory, run, prepared] = arguments.as_slice()
        && first == COUNTED
    {
        return counted(
            kind,
            Path::new(directory),
            run.parse().unwrap(),
            prepared.parse().unwrap(),
        );
    }
    let options = Options::of_arguments(100_000, 1_000);
    let there = Command::new("valgrind").arg("--version").output();
    if !there.is_ok_and(|output| output.status.success()) {
        print("valgrind is missing", "no instructions counted");
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let given = arguments.iter().position(|argument| argument == "--dir");
    let directory = given.map_or_else(|| temporary.path(), |at| Path::new(&arguments[at + 1]));
    if given.is_none() {
        let registry = Registry::new(&Settings::of_size(options.domains).unwrap());
        build_directory(&registry, directory, 1 << 30, &mut |_, _, _| {}).unwrap();
    }
    let queries = if options.smoke { 50 } else { 5_000 };
    for kind in KINDS {
        let of = |run| instructions(kind, directory, run, 2 * queries);
        let each = (of(2 * queries) - of(queries)) / queries;
        print(kind, &format!("{each:6} instructions"));
    }
}

/// Instructions of a whole process that runs `run` queries of the `prepared` ones.
fn instructions(kind: &str, directory: &Path, run: u64, prepared: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args([COUNTED, kind])
        .arg(directory)
        .args([run.to_string(), prepared.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // "==123== Collected : 4567"
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    collected.unwrap().1.trim().parse().unwrap()
}

/// What is counted: `run` queries of `prepared` ones.
fn counted(kind: &str, directory: &Path, run: usize, prepared: usize) {
    let view = View::open(directory).unwrap();
    let base = view.base();
    let mut random = Random(3);
    let mut pick = |kind: Kind| u32::try_from(random.below(base.count(kind).into())).unwrap();
    let mut line = || match kind {
        "contact" => {
            let contact = base.record::<ArchivedContact>(pick(Kind::Contact)).unwrap();
            format!("contact {}", contact.field(ContactField::Id))
        }
        _ => {
            let domain = base.record::<ArchivedDomain>(pick(Kind::Domain)).unwrap();
            format!("{}{}", if kind == "miss" { "zq" } else { "" }, domain.name)
        }
    };
    let lines: Vec<String> = (0..prepared).map(|_| line()).collect();
    let rules = if kind == "domain, standard rules" {
        Rules::standard()
    } else {
        let open: Rulebook = toml::from_str("[defaults]\npreset = \"open\"\n").unwrap();
        Rules::compile(&open).unwrap()
    };
    let mut out = Answer::new();
    for line in lines.iter().take(run) {
        black_box(answer(&view, &rules, line.as_bytes(), &mut out));
    }
}

//! What deadlines cost a query: instructions of the server at work, counted by callgrind.
//!
//! `cargo run --release -p whoisd-benches --bin deadline-cost [-- --dir DIRECTORY | --smoke]`
//!
//! A server under callgrind answers N queries, another one 3 N; the difference is what queries
//! cost, without the start. The source file of the code decides what it counts as. All code that
//! could be for deadlines counts for them, so the figure is an upper bound: every list of slots
//! (those that free slots, eviction and answer buffers need too), the whole state machine, the
//! clock, and the look for expired slots.
//!
//! # Does not
//!
//! Count what the kernel does: a deadline asks nothing of it, but the tick, of which there are 250
//! a second whatever the load.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Parser;
use whoisd_benches::callgrind::Spent;
use whoisd_benches::probe::{self, Protocol};
use whoisd_benches::programs::ServedOptions;
use whoisd_benches::served::Site;
use whoisd_benches::workload::Workload;
use whoisd_benches::{Options as Sizes, print, server, steps};

/// Servers that are asked before the program gives up.
const ATTEMPTS: usize = 4;

/// Count what deadlines cost a query
#[derive(Debug, Parser)]
struct Options {
    /// Snapshot directory that is served; without it a sample
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Size of the sample
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    domains: u64,
    /// Queries of the shorter run
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    queries: usize,
    #[command(flatten)]
    server: ServedOptions,
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.server.smoke {
        (options.domains, options.queries) = (500, 20);
    }
    let there = Command::new("valgrind").arg("--version").output();
    if !there.is_ok_and(|output| output.status.success()) {
        print("valgrind is missing", "no instructions counted");
        return ExitCode::SUCCESS;
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => server::fail(&error.to_string()),
    }
}

fn run(options: &Options) -> io::Result<()> {
    let folder = tempfile::Builder::new().prefix("whoisd-deadlines-").tempdir()?;
    let whoisd = options.server.programs()?.whoisd;
    let sample = folder.path().join("registry");
    fs::create_dir(&sample)?;
    let sizes = Sizes { domains: options.domains, smoke: options.server.smoke };
    let dir = options.dir.clone().unwrap_or_else(|| steps::directory(sizes, &sample));
    let names = Workload::pick(&dir, 3 * options.queries, 1)?.names;
    let site = Site {
        whoisd: &whoisd,
        dir: &dir,
        folder: folder.path(),
        core: options.server.server_core,
    };
    let few = counted(&site, names.get(..options.queries).unwrap_or(&names))?;
    fs::remove_file(out(&site))?;
    let spent = counted(&site, &names)?.since(&few);
    let of = |wanted: &dyn Fn(&str, &str) -> bool| spent.sum(wanted) / (2 * options.queries as u64);
    let all = of(&|_, _| true);
    let deadlines = of(&is_deadline);
    let engine = of(&|file, _| file.contains("src/port43/"));
    let answer = of(&|file, _| file.contains("src/query/"));
    let share = |part: u64| format!("{part} instructions, {:.1} %", percent(part, all));
    print("a query, in user mode", &format!("{all} instructions"));
    print("of it written in src/query", &share(answer));
    print("of it written in src/port43", &share(engine));
    print("of it all that could be the deadlines'", &share(deadlines));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn percent(part: u64, all: u64) -> f64 {
    part as f64 * 100.0 / all.max(1) as f64
}

/// Whether code may be there for the deadlines.
fn is_deadline(file: &str, function: &str) -> bool {
    let files = ["ring/slots.rs", "connection/mod.rs", "observe/clock.rs"];
    let functions = ["expire", "tick", "clock_gettime", "now_ms"];
    files.iter().any(|end| file.ends_with(end))
        || functions.iter().any(|name| function.contains(name))
}

/// What callgrind writes.
fn out(site: &Site<'_>) -> PathBuf {
    site.folder.join("callgrind.out")
}

/// The instructions of a server under callgrind that answered `names`. Callgrind runs one thread at
/// a time, and while one waits in a call of its ring no other runs: the heartbeat cannot end a
/// sleep of an executor that has something to do (`src/shard/fleet/heartbeat.rs`). Then another
/// server is asked.
fn counted(site: &Site<'_>, names: &[String]) -> io::Result<Spent> {
    for _ in 1..ATTEMPTS {
        match counted_once(site, names) {
            Err(error) => print("no answer under callgrind; another server", &error.to_string()),
            spent => return spent,
        }
    }
    counted_once(site, names)
}

fn counted_once(site: &Site<'_>, names: &[String]) -> io::Result<Spent> {
    let out = out(site);
    let mut file = OsString::from("--callgrind-out-file=");
    file.push(&out);
    let by = ["valgrind".into(), "--tool=callgrind".into(), file];
    let server = site.start("server", "[snapshot]\ncheck = \"first\"\n", &by)?;
    for name in names {
        probe::ask(Protocol::Whois, server.address, name)?;
    }
    // Callgrind writes its file when the server ends.
    drop(server);
    Spent::read(&out)
}

//! Many silent connections to whoisd: memory of each, answers beside them, and their end.
//!
//! `cargo run --release -p whoisd-benches --bin idle-connections [-- --connections N | --smoke]`
//!
//! 1. A server made for one connection: its anonymous memory is what any server needs.
//! 2. A server made for all: N connections that send nothing, from many source addresses.
//! 3. Memory by connection, beside the server of 1: it counts tables made at the start too.
//! 4. Queries on further connections: answered at once.
//! 5. The deadline of the first byte closes all of them, and none before.
//! 6. As many connections again: every slot is free.
//!
//! Ends with 1 if one of these does not hold.
//!
//! Huge pages are off for the servers, and their allocator gives freed memory back at once:
//! otherwise memory that the start has used and freed, tens of megabytes, varies between runs.
//!
//! # Does not
//!
//! Measure the kernel's memory of a socket.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{fs, thread};

use clap::Parser;
use whoisd_benches::holder::{self, Held};
use whoisd_benches::probe::{self, Protocol};
use whoisd_benches::programs::ServedOptions;
use whoisd_benches::served::{Served, Site};
use whoisd_benches::{Options as Sizes, bare, median, print, server, steps};

/// Memory of a connection in user mode, bytes: the aim of the design.
const CONNECTION_BYTES_MAX: f64 = 1_024.0;

/// Connections of a server besides those held: queries, one after the other.
const SPARE: usize = 64;

/// Descriptors that the server wants besides its connections (src/command/serve.rs).
const DESCRIPTORS_OTHER: usize = 160;

/// Makes the server's allocator give freed memory back at once.
const BY: [&str; 2] = ["env", "MIMALLOC_PURGE_DELAY=0"];

/// Queries beside the silent connections.
const QUERIES: usize = 50;

/// What "at once" means for half of the queries, milliseconds: far above what one takes, far below
/// what a client would notice; a shared machine may take the core away for some.
const AT_ONCE_MS: f64 = 20.0;

/// How long after the deadline the last connection may be closed: 256 are closed each tick of 4 ms.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(60);

/// How much before its deadline a connection may seem to be closed: the server opens it before this
/// program knows of it.
const EARLY: Duration = Duration::from_millis(5);

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Hold silent connections to whoisd
#[derive(Debug, Parser)]
struct Options {
    /// Connections
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    connections: usize,
    /// Servers that share them, of one shard each: for a machine whose limit of descriptors does
    /// not suffice for all in one
    #[arg(long, value_name = "N", default_value_t = 1)]
    servers: usize,
    /// Deadline of the first byte; long enough to open all and look at them
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    first_byte_ms: u64,
    /// Snapshot directory that is served; without it a sample
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Size of the sample
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    domains: u64,
    #[command(flatten)]
    server: ServedOptions,
}

fn main() -> ExitCode {
    if let Some(held) = holder::run() {
        return held.map_or_else(|error| server::fail(&error.to_string()), |()| ExitCode::SUCCESS);
    }
    let mut options = Options::parse();
    if options.server.smoke {
        // Time to open all and look at them on a machine that others use.
        (options.connections, options.first_byte_ms, options.domains) = (500, 10_000, 500);
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => server::fail(&error.to_string()),
    }
}

fn run(options: &Options) -> io::Result<()> {
    bare::without_huge_pages()?;
    let each = options.connections.div_ceil(options.servers.max(1));
    check_limit(options.connections, each)?;
    let folder = tempfile::Builder::new().prefix("whoisd-idle-").tempdir()?;
    let whoisd = options.server.programs()?.whoisd;
    let sample = folder.path().join("registry");
    fs::create_dir(&sample)?;
    let sizes = Sizes { domains: options.domains, smoke: options.server.smoke };
    let dir = options.dir.clone().unwrap_or_else(|| steps::directory(sizes, &sample));
    let site = Site {
        whoisd: &whoisd,
        dir: &dir,
        folder: folder.path(),
        core: options.server.server_core,
    };
    let start = |name: &str, connections: usize| {
        let first_byte_ms = options.first_byte_ms;
        let settings = format!(
            "[server]\nshutdown_ms = 0\n[snapshot]\ncheck = \"first\"\n\
             [port43]\nconnections_per_shard_max = {connections}\n\
             first_byte_ms = {first_byte_ms}\ntotal_ms = 600000\n"
        );
        site.start(name, &settings, &BY.map(OsString::from))
    };

    let alone = start("alone", 1)?.process.anonymous_bytes();
    let names = (0..options.servers).map(|number| format!("server-{number}"));
    let servers: Vec<Served> =
        names.map(|name| start(&name, each + SPARE)).collect::<Result<_, _>>()?;
    silence(options, &servers, each, alone)?;
    let mut held = open(&servers, each)?;
    thread::sleep(PAUSE);
    expect("open again, every slot is free", held.open_count()?, each * servers.len())?;
    ask(&servers, !options.server.smoke)?;
    drop(held);
    let logs: Vec<PathBuf> = servers.into_iter().map(|server| server.log).collect();
    for log in &logs {
        check_counters(&fs::read_to_string(log)?, each)?;
    }
    Ok(())
}

/// From the first silent connection to the end of the last.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn silence(options: &Options, servers: &[Served], each: usize, alone: u64) -> io::Result<()> {
    let count = each * servers.len();
    let memory = || servers.iter().map(|server| server.process.anonymous_bytes()).sum::<u64>();
    let before = memory();
    let start = Instant::now();
    let mut held = open(servers, each)?;
    print("all open after", &format!("{} ms", start.elapsed().as_millis()));
    let opened = Instant::now();
    ask(servers, !options.server.smoke)?;
    let after = memory();
    expect("still open", held.open_count()?, count)?;
    let by_connection = |without: u64| (after as f64 - without as f64) / count as f64;
    let bytes = by_connection(alone * servers.len() as u64);
    print("memory, made for one connection", &format!("{alone} bytes"));
    print("memory, before and with connections", &format!("{before}, {after} bytes"));
    print("memory by connection, of it at open", &{
        format!("{bytes:.0} bytes, {:.0} bytes", by_connection(before))
    });
    if bytes > CONNECTION_BYTES_MAX && !options.server.smoke {
        let what =
            format!("{bytes:.0} bytes a connection, at most {CONNECTION_BYTES_MAX} expected");
        return Err(io::Error::other(what));
    }
    let deadline = Duration::from_millis(options.first_byte_ms);
    let mut left = count;
    while left > 0 {
        let looked = start.elapsed();
        left = held.open_count()?;
        if left < count && start.elapsed() + EARLY < deadline {
            return Err(io::Error::other(format!("{} closed after {looked:?}", count - left)));
        }
        if left > 0 && opened.elapsed() > deadline + CLOSING_TIMEOUT {
            return Err(io::Error::other(format!("{left} still open after {looked:?}")));
        }
        thread::sleep(PAUSE);
    }
    let late = opened.elapsed().saturating_sub(deadline);
    print("all closed, after the last deadline by", &format!("{} ms", late.as_millis()));
    Ok(())
}

fn open(servers: &[Served], each: usize) -> io::Result<Held> {
    let targets: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
    Held::open(&targets, each)
}

/// Asks beside the silent connections; how long that takes counts where the machine is not shared
/// with other tests.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn ask(servers: &[Served], is_judged: bool) -> io::Result<()> {
    let mut took_ms = Vec::with_capacity(QUERIES);
    for server in servers.iter().cycle().take(QUERIES) {
        let start = Instant::now();
        probe::ask(Protocol::Whois, server.address, "help")?;
        took_ms.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let half = median(&mut took_ms);
    let longest = took_ms.last().copied().unwrap_or_default();
    print("query beside them, median and longest", &format!("{half:.2} ms, {longest:.2} ms"));
    if is_judged && half > AT_ONCE_MS {
        return Err(io::Error::other(format!("answers take {half:.1} ms beside them")));
    }
    Ok(())
}

fn expect(what: &str, got: usize, expected: usize) -> io::Result<()> {
    print(what, &format!("{got} of {expected}"));
    if got == expected {
        return Ok(());
    }
    Err(io::Error::other(format!("{what}: {got}, expected {expected}")))
}

/// What a server has counted at its end: the first lot has expired, and no connection was evicted.
fn check_counters(log: &str, expired: usize) -> io::Result<()> {
    let counted = log.lines().find(|line| line.contains("stopped")).unwrap_or_default();
    let expired = format!("expired_first_byte={expired} ");
    let thrown_out = ["evicted_silent", "evicted_line", "over_bound"];
    if counted.contains(&expired) && !thrown_out.iter().any(|name| counted.contains(name)) {
        return Ok(());
    }
    Err(io::Error::other(format!("expected {expired}and nobody thrown out: {counted}")))
}

/// Whether one server may have so many connections, and what to do if not.
fn check_limit(connections: usize, each: usize) -> io::Result<()> {
    let limit = holder::raise_descriptors()?;
    let needed = each + SPARE + DESCRIPTORS_OTHER;
    if needed <= limit {
        return Ok(());
    }
    let room = limit.saturating_sub(SPARE + DESCRIPTORS_OTHER).max(1);
    Err(io::Error::other(format!(
        "{each} connections of one server need a limit of {needed} open descriptors, and the hard \
         limit is {limit}; raise it (as root `ulimit -n {needed}`, of a container `--ulimit \
         nofile={needed}`, of a unit `LimitNOFILE={needed}`), or share the connections out: \
         --servers {}",
        connections.div_ceil(room)
    )))
}

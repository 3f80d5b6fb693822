//! Searches of whoisd-web: how fast the index is built and how large it is, how long searches take,
//! how far the index is behind changes.
//!
//! `cargo run --release -p whoisd-benches --bin rdap-searches -- --domains 20000000`
//!
//! # Does not
//!
//! Check what is found: tests/rdap_search.rs and src/web/tests/search.rs do.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark may panic, reads the clock and prints"
)]

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::Value;
use snapshot_format::Kind;
use snapshot_format::delta::encode;
use snapshot_format::record::ArchivedContact;
use whoisd::query::search::contact_terms;
use whoisd::store::{Live, Settings, Stamp, Writer};
use whoisd::view::{Data, Disk, View};
use whoisd_benches::http::Client;
use whoisd_benches::process::{Process, free_address};
use whoisd_benches::programs::ServedOptions;
use whoisd_benches::registry::sampled;
use whoisd_benches::{Random, changes, server};

/// Measure the search index of whoisd-web, and searches over it
#[derive(Debug, Parser)]
struct Options {
    /// Size of the sample, domains; 20 million take 8 GB
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    domains: u64,
    /// Searches of each kind
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    searches: usize,
    /// Changes a second
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    changes: u64,
    /// How long changes come, seconds
    #[arg(long, value_name = "S", default_value_t = 30)]
    seconds: u64,
    /// Where the sample and the index are made
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    scratch: PathBuf,
    #[command(flatten)]
    served: ServedOptions,
}

/// Batches of changes a second.
const BATCHES_PER_S: u64 = 10;
/// Longer than a build takes.
const PATIENCE: Duration = Duration::from_secs(7_200);

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.served.smoke {
        (options.domains, options.searches) = (500, 20);
        (options.changes, options.seconds) = (50, 1);
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => server::fail(&error.to_string()),
    }
}

fn run(options: &Options) -> io::Result<()> {
    let programs = options.served.programs_with(&["whoisd-web"])?;
    let folder = tempfile::tempdir_in(&options.scratch)?;
    let index = folder.path().join("search");
    let dir = sampled(folder.path(), options.domains)?;
    let (listen, status) = (free_address()?, free_address()?);
    let config = folder.path().join("whoisd.toml");
    fs::write(
        &config,
        format!(
            "[server]\ndir = {dir:?}\n\
             [web]\nlisten = [\"{listen}\"]\nstatus_listen = \"{status}\"\n\
             search_dir = {index:?}\n\
             [defaults]\npreset = \"open\"\n[limits]\nmode = \"off\"\n"
        ),
    )?;
    let log = folder.path().join("log");
    let web = programs.folder.join("whoisd-web");
    let arguments = ["serve", "--log-format", "json", "--config", config.to_str().unwrap()];
    let start = || Process::start(&web, &arguments, options.served.server_core, None, &log);
    let mut process = start()?;
    let (records, seconds, peak_bytes) = built(&mut process, &log)?;
    let domains = options.domains as f64;
    println!(
        "index of {} domains: {records} records in {seconds:.1} s, {:.0} domains/s of one core; \
         {:.2} GB, {:.0} bytes a domain; {} MiB of memory while it is built",
        options.domains,
        domains / seconds,
        bytes_below(&index)? as f64 / 1e9,
        bytes_below(&index)? as f64 / domains,
        peak_bytes >> 20
    );
    drop(process);
    let process = start()?;
    let mut client = Client::connect(listen)?;
    until_searched(&mut client)?;
    {
        let view = View::open(&dir).map_err(io::Error::other)?;
        for (name, paths) in searches(view.data(), options.searches) {
            let mut waits = Vec::new();
            let mut bytes = 0;
            for path in &paths {
                let begun = Instant::now();
                let (status, body) = client.get(&format!("/rdap/{path}"))?;
                waits.push(begun.elapsed().as_secs_f64() * 1e3);
                assert!(matches!(status, 200 | 404), "{path}: {status}");
                bytes += body.len();
            }
            say(name, waits, &format!(", {} bytes", bytes / paths.len().max(1)));
        }
    }
    println!("memory without pages of files: {} MiB", process.anonymous_bytes() >> 20);
    behind(options, &dir, status)
}

/// Waits for a build; records, seconds, and the most memory.
fn built(process: &mut Process, log: &Path) -> io::Result<(u64, f64, u64)> {
    let (begun, mut peak_bytes) = (Instant::now(), 0);
    while begun.elapsed() < PATIENCE {
        peak_bytes = process.anonymous_bytes().max(peak_bytes);
        if let Some(ended) = process.ended() {
            return Err(io::Error::other(ended));
        }
        for line in fs::read_to_string(log)?.lines() {
            let Ok(said) = serde_json::from_str::<Value>(line) else { continue };
            if said["message"] == "the search index is built" {
                let records = said["records"].as_u64().unwrap();
                return Ok((records, said["seconds"].as_f64().unwrap(), peak_bytes));
            }
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(io::Error::other("the index is not built"))
}

fn bytes_below(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_below(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

/// Kinds of searches, with paths that are picked at random from the records.
fn searches(data: &Data, count: usize) -> Vec<(&'static str, Vec<String>)> {
    let mut random = Random(7);
    let mut pick = |end: u32| u32::try_from(random.below(end.into())).unwrap();
    let (hosts_end, contacts_end) =
        (data.ordinals_end(Kind::Nameserver), data.ordinals_end(Kind::Contact));
    let domains = data.base().count(Kind::Domain);
    let (mut hosts, mut names, mut of_domains) = (Vec::new(), Vec::new(), Vec::new());
    while hosts.len() < count {
        let host = pick(hosts_end);
        hosts.extend(data.key_of(Kind::Nameserver, host).unwrap().map(str::to_owned));
    }
    while names.len() < count {
        let contact: Option<&ArchivedContact> = data.record(pick(contacts_end)).unwrap();
        let mut name = None;
        if let Some(contact) = contact {
            // The first term is that of the name.
            contact_terms(contact, &mut |term| {
                name.get_or_insert_with(|| String::from_utf8_lossy(&term[3..]).into_owned());
            });
        }
        names.extend(name.filter(|name| name.is_ascii()));
    }
    while of_domains.len() < count {
        let record = data.base().record::<snapshot_format::record::ArchivedDomain>(pick(domains));
        of_domains.push(record.unwrap().name.as_str().to_owned());
    }
    let escaped = |text: &str| text.replace(' ', "+");
    let of =
        |all: &[String], path: &dyn Fn(&str) -> String| all.iter().map(|of| path(of)).collect();
    let start = |text: &str, chars: usize| text.get(..chars.min(text.len())).unwrap().to_owned();
    vec![
        ("domain/", of(&of_domains, &|name| format!("domain/{name}"))),
        ("domains?nsLdhName=", of(&hosts, &|host| format!("domains?nsLdhName={host}"))),
        (
            "domains?nsLdhName=&fieldSet=id",
            of(&hosts, &|host| format!("domains?nsLdhName={host}&fieldSet=id")),
        ),
        ("entities?fn=", of(&names, &|name| format!("entities?fn={}", escaped(name)))),
        (
            "entities?fn=abc*",
            of(&names, &|name| format!("entities?fn={}*", escaped(&start(name, 3)))),
        ),
        (
            "domains?name=abcd*",
            of(&of_domains, &|name| format!("domains?name={}*", start(name, 4))),
        ),
    ]
}

fn say(what: &str, mut waits: Vec<f64>, more: &str) {
    waits.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        let last = waits.len().saturating_sub(1);
        waits.get((waits.len() * percent / 100).min(last)).copied().unwrap_or(f64::NAN)
    };
    let [half, most, last] = [50, 99, 100].map(at);
    println!("{what:<32} {:>6}  p50 {half:.2} p99 {most:.2} max {last:.2} ms{more}", waits.len());
}

/// Applies changes, and says how far searches are behind them.
fn behind(options: &Options, dir: &Path, status: SocketAddr) -> io::Result<()> {
    let error = |error: whoisd::store::StoreError| io::Error::other(error);
    let writer = Writer::lock(Disk::new(dir), Settings::default()).map_err(error)?;
    let mut live = Live::open(writer).map_err(error)?;
    let each = options.changes / BATCHES_PER_S;
    let (mut waiting, mut waits): (Vec<(u64, Instant)>, Vec<f64>) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    let batches = options.seconds * BATCHES_PER_S;
    let mut sent = 0;
    while sent < batches || !waiting.is_empty() {
        if begun.elapsed() > PATIENCE {
            return Err(io::Error::other("the index does not follow"));
        }
        let due = begun.elapsed() >= Duration::from_millis(sent * 1_000 / BATCHES_PER_S);
        if sent < batches && due {
            let batch = changes::of_domains(live.generation(), each, sent);
            let encoded = encode(&**live.generation(), &batch, &mut |_, _| {});
            let encoded = encoded.map_err(io::Error::other)?;
            let serial = live.generation().state().serial + 1;
            let stamp = Stamp { serial, committed_ms: 1_800_000_000_000, heartbeat_ms: i64::MIN };
            live.append(&encoded, stamp).map_err(error)?;
            waiting.push((live.generation().state().generation, Instant::now()));
            sent += 1;
        }
        let seen = generation(status)?;
        waiting.retain(|(generation, since)| {
            let is_seen = *generation <= seen;
            if is_seen {
                waits.push(since.elapsed().as_secs_f64() * 1e3);
            }
            !is_seen
        });
        thread::sleep(Duration::from_millis(5));
    }
    say(&format!("behind, {} changes/s", options.changes), waits, "");
    Ok(())
}

/// The generation that searches see.
fn generation(status: SocketAddr) -> io::Result<u64> {
    let mut client = TcpStream::connect(status)?;
    client.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    client.read_to_string(&mut text)?;
    let line = text.lines().find_map(|line| line.strip_prefix("whoisd_search_generation "));
    line.and_then(|number| number.parse().ok())
        .ok_or_else(|| io::Error::other("no whoisd_search_generation in /metrics"))
}

/// Waits until searches are answered.
fn until_searched(client: &mut Client) -> io::Result<()> {
    let begun = Instant::now();
    while client.get("/rdap/entities?handle=none")?.0 == 503 {
        if begun.elapsed() > PATIENCE {
            return Err(io::Error::other("searches are not answered"));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

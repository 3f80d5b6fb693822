//! whoisd-web beside nginx with a fixed file and ICANN's server: one run, interleaved rounds,
//! processor time per answer and latency.
//!
//! `cargo run --release -p whoisd-benches --bin rdap-side-by-side -- --dir DIRECTORY`; README.md
//! says how it measures.
//!
//! # Invariants
//!
//! - `interleaved`: each round measures every server once, in an order of its own.
//! - `both-cores`: servers share one core, on which one server at a time is busy; the load
//!   generator has another.
//!
//! # Does not
//!
//! Look for the highest rate: every server is offered the same.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use whois_loadgen::result::{Method, RunResult};
use whoisd_benches::load::{Driven, Load, LoadOptions};
use whoisd_benches::registry::given_or_sampled;
use whoisd_benches::report::{self, Sample, Spread};
use whoisd_benches::web::{Server, Site};
use whoisd_benches::workload::Workload;
use whoisd_benches::{Random, programs, server};

/// Compare whoisd-web with other servers of HTTP on one core
#[derive(Debug, Parser)]
struct Options {
    /// Snapshot directory that whoisd-web serves; without it a sample of 1,000,000 domains
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// What is measured, by name; default all
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    ways: Vec<String>,
    /// Offered load over kept connections, requests per second
    #[arg(long, value_name = "RATE", default_value_t = 6_000)]
    rate: u64,
    /// Offered load with a connection of TLS for each request, requests per second
    #[arg(long, value_name = "RATE", default_value_t = 1_000)]
    tls_rate: u64,
    /// Rounds
    #[arg(long, value_name = "N", default_value_t = 7)]
    rounds: usize,
    /// Names that are asked for, picked at random from the directory
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    names: usize,
    /// ICANN's server. Default rdap-srv of the path, left out where there is none
    #[arg(long, value_name = "PROGRAM")]
    icann: Option<PathBuf>,
    /// Install nginx if it is missing (as root)
    #[arg(long)]
    install: bool,
    #[command(flatten)]
    load: LoadOptions,
}

/// One way of asking.
struct Way {
    name: &'static str,
    what: &'static str,
    /// The generator's options.
    words: &'static [&'static str],
    address: fn(&Server) -> Option<SocketAddr>,
    /// Whether each request has a connection of TLS.
    is_slow: bool,
}

const WAYS: [Way; 4] = [
    Way {
        name: "kept",
        what: "HTTP/1.1, 32 kept connections",
        words: &["--protocol", "http", "--keep-alive", "32"],
        address: |server| Some(server.plain),
        is_slow: false,
    },
    Way {
        name: "http2",
        what: "HTTP/2 without TLS, 32 kept connections, one request at a time on each",
        words: &["--protocol", "http2", "--keep-alive", "32"],
        address: |server| server.two,
        is_slow: false,
    },
    Way {
        name: "tls",
        what: "TLS 1.3 with resumption, a connection for each request",
        words: &["--protocol", "http", "--tls"],
        address: |server| server.tls,
        is_slow: true,
    },
    Way {
        name: "tls-whole",
        what: "TLS 1.3 with a whole handshake, a connection for each request",
        words: &["--protocol", "http", "--tls", "--tls-whole"],
        address: |server| server.tls,
        is_slow: true,
    },
];

/// The one that the others are compared with, and the one of ICANN.
const REFERENCE: &str = "nginx";
const ICANN: &str = "icann-rdap-srv";
const OURS: &str = "whoisd-web";

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.load.shrink() {
        (options.rate, options.tls_rate) = (100, 20);
        (options.rounds, options.names) = (1, 50);
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => server::fail(&error.to_string()),
    }
}

fn run(options: &Options) -> io::Result<()> {
    let ways = chosen(&options.ways)?;
    let folder = tempfile::Builder::new().prefix("whoisd-rdap-").tempdir()?;
    let programs = options.load.server.programs_with(&["whoisd-web"])?;
    let is_smoke = options.load.server.smoke;
    let dir = given_or_sampled(options.dir.as_deref(), folder.path(), is_smoke)?;
    let workload = Workload::pick(&dir, options.names, 1)?;
    let names_file = folder.path().join("names");
    std::fs::write(&names_file, workload.names.join("\n") + "\n")?;
    let site = Site {
        folder: folder.path().to_owned(),
        whoisd_web: programs.folder.join("whoisd-web"),
        dir,
        names: workload.names,
        core: options.load.server.server_core,
    };
    let Some(load) = options.load.load(&programs.folder)? else { return Ok(()) };
    let (mut servers, body_bytes) = start(options, &site)?;
    let mut all = Vec::new();
    for way in ways {
        let rate = if way.is_slow { options.tls_rate } else { options.rate };
        let files = (folder.path(), names_file.as_path());
        let (samples, method) = measure(&mut servers, way, &load, files, options, rate)?;
        let text = describe(way, options, &method, workload.domain_count, body_bytes, rate);
        print(&format!("\n{text}\n\n{}", report::HEAD));
        let has = |name: &str| samples.iter().any(|sample| sample.server == name);
        let reference = if has(REFERENCE) { REFERENCE } else { OURS };
        servers.sort_by_key(|server| server.name);
        for server in servers.iter().filter(|server| has(server.name)) {
            print(&report::row(&samples, server.name, server.what, reference));
        }
        if has(ICANN) {
            let ratio = Spread::of(report::ratios(&samples, OURS, ICANN));
            let Spread { least, median, greatest } = ratio;
            print(&format!("\nwhoisd-web by {ICANN}: {median:.2} ({least:.2} to {greatest:.2})"));
        }
        all.push(report::json(&text, &samples));
    }
    options.load.write_json(&serde_json::Value::from(all))
}

fn chosen(names: &[String]) -> io::Result<Vec<&'static Way>> {
    let known: Vec<&str> = WAYS.iter().map(|way| way.name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        let known = known.join(", ");
        return Err(io::Error::other(format!("--ways: no way {unknown}, there are {known}")));
    }
    let wanted = |way: &&Way| names.is_empty() || names.iter().any(|name| name == way.name);
    Ok(WAYS.iter().filter(wanted).collect())
}

/// Starts those that are there; and how long the fixed answer is, bytes.
fn start(options: &Options, site: &Site) -> io::Result<(Vec<Server>, usize)> {
    if options.install && whoisd_benches::process::find_program("nginx").is_none() {
        programs::install(&["nginx-light"])?;
    }
    let ours = site.whoisd_web()?;
    let answers = site.answers(&ours)?;
    let typical = answers.bodies.get(answers.typical).cloned().unwrap_or_default();
    let mut servers = vec![ours];
    for (name, started) in
        [(REFERENCE, site.nginx(&typical)), (ICANN, site.icann(options.icann.as_deref(), &answers))]
    {
        match started {
            Ok(server) => servers.push(server),
            Err(error) => print(&format!("left out: {name}: {error}")),
        }
    }
    Ok((servers, typical.len()))
}

/// All rounds of one way, and the generator's description of its method.
fn measure(
    servers: &mut [Server],
    way: &Way,
    load: &Load,
    files: (&Path, &Path),
    options: &Options,
    rate: u64,
) -> io::Result<(Vec<Sample>, Method)> {
    // A file answers whatever is asked for: only ours and ICANN's can be held to the names.
    let path = ["--http-path", "/rdap/{rdap}"];
    let words_of = |server: &Server| {
        let mut words = [way.words, &path].concat();
        if server.name == REFERENCE {
            words.push("--unchecked");
        }
        words
    };
    if load.warm_up_s > 0 {
        for server in &*servers {
            let Some(address) = (way.address)(server) else { continue };
            load.drive(address, &words_of(server), files, rate, load.warm_up_s)?;
        }
    }
    let (mut samples, mut method) = (Vec::new(), Method::default());
    let mut random = Random(rate);
    for round in 0..options.rounds {
        for last in (1..servers.len()).rev() {
            let other = random.below(last as u64 + 1);
            servers.swap(last, usize::try_from(other).unwrap_or(0));
        }
        for server in &mut *servers {
            let Some(address) = (way.address)(server) else { continue };
            let words = words_of(server);
            let driven = Driven {
                name: server.name,
                process: &mut server.process,
                address,
                words: &words,
                core: options.load.server.server_core,
            };
            let (sample, result) = load.measure_one(driven, files, rate, round)?;
            progress(way, &sample, &result, options.rounds);
            if !result.errors.is_empty() {
                print(&format!("errors of {}: {:?}", sample.server, result.errors));
            }
            samples.push(sample);
            method = result.method;
        }
    }
    Ok((samples, method))
}

fn describe(
    way: &Way,
    options: &Options,
    method: &Method,
    domains: u64,
    body_bytes: usize,
    rate: u64,
) -> String {
    let rounds = options.rounds;
    let LoadOptions { seconds, load_core, ref server, .. } = options.load;
    format!(
        "{}: {rate} requests per second offered to each, {rounds} rounds of {seconds} s, {} names \
         of {domains} domains, a fixed answer of {body_bytes} bytes; servers on core {}, generator \
         on core {load_core}, loopback; {}, {} processors, Linux {}, {}",
        way.what,
        options.names,
        server.server_core,
        method.processor,
        method.processor_count,
        method.kernel,
        method.started,
    )
}

#[expect(clippy::print_stderr, reason = "how far it is")]
fn progress(way: &Way, sample: &Sample, result: &RunResult, rounds: usize) {
    let Sample { server, round, cpu_us, achieved_per_s, invalid, error_count, .. } = sample;
    let round = round + 1;
    let mark = invalid.as_deref().unwrap_or_default();
    let connections = result.connections.clone().unwrap_or_default();
    eprintln!(
        "{}, round {round} of {rounds}: {server:<16} {cpu_us:8.2} us, {achieved_per_s:.0}/s, \
         {error_count} errors, {} connections, {} resumed {mark}",
        way.name, connections.opened_count, connections.resumed_count
    );
}

#[expect(clippy::print_stdout, reason = "the result")]
fn print(line: &str) {
    println!("{line}");
}

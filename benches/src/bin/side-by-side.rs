//! whoisd beside other servers: one run, interleaved rounds, processor time per query and latency.
//!
//! `cargo run --release -p whoisd-benches --bin side-by-side -- --dir DIRECTORY`; README.md says
//! how it measures and what it found.
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
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use whois_loadgen::result::Method;
use whoisd_benches::load::{Load, LoadOptions};
use whoisd_benches::registry::given_or_sampled;
use whoisd_benches::report::{self, Sample};
use whoisd_benches::rival::{REFERENCE, RIVALS, Rival, Running, Site};
use whoisd_benches::workload::Workload;
use whoisd_benches::{Random, programs, server};

/// Compare whoisd with other servers on one core
#[derive(Debug, Parser)]
struct Options {
    /// Snapshot directory that whoisd serves; without it a sample of 1,000,000 domains
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Servers to measure, by name; default all
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    rivals: Vec<String>,
    /// Offered loads, queries per second; each gets a table
    #[arg(long, value_name = "RATE,..", value_delimiter = ',', default_values_t = [2_000, 15_000])]
    rates: Vec<u64>,
    /// Rounds
    #[arg(long, value_name = "N", default_value_t = 7)]
    rounds: usize,
    /// Names that are asked for, picked at random from the directory
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    names: usize,
    /// Install the packages that are missing (as root)
    #[arg(long)]
    install: bool,
    #[command(flatten)]
    load: LoadOptions,
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.load.shrink() {
        options.rates = vec![200];
        (options.rounds, options.names) = (1, 500);
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => server::fail(&error.to_string()),
    }
}

fn run(options: &Options) -> io::Result<()> {
    let chosen = choose(options)?;
    let folder = tempfile::Builder::new().prefix("whoisd-side-by-side-").tempdir()?;
    let programs = options.load.server.programs()?;
    let is_smoke = options.load.server.smoke;
    let dir = given_or_sampled(options.dir.as_deref(), folder.path(), is_smoke)?;
    let workload = Workload::pick(&dir, options.names, 1)?;
    let names_file = folder.path().join("names");
    std::fs::write(&names_file, workload.names.join("\n") + "\n")?;
    let site = Site {
        folder: folder.path().to_owned(),
        whoisd: programs.whoisd,
        dir,
        names: workload.names,
        names_file,
        block_bytes: workload.answer_bytes,
        core: options.load.server.server_core,
        programs: programs.folder,
    };
    let Some(load) = options.load.load(&site.programs)? else { return Ok(()) };
    let mut running = start(&chosen, &site);
    let mut all = Vec::new();
    for rate in &options.rates {
        let (samples, method) = measure(&mut running, &site, &load, *rate, options.rounds)?;
        let method = describe(options, &site, &method, workload.domain_count, *rate);
        print(&format!("\n{method}\n\n{}", report::HEAD));
        for rival in RIVALS.iter().filter(|rival| chosen.iter().any(|own| own.name == rival.name)) {
            if samples.iter().any(|sample| sample.server == rival.name) {
                print(&report::row(&samples, rival.name, rival.what, REFERENCE));
            }
        }
        all.push(report::json(&method, &samples));
    }
    options.load.write_json(&serde_json::Value::from(all))
}

/// The servers that are asked for and there.
fn choose(options: &Options) -> io::Result<Vec<&'static Rival>> {
    let named = |name: &String| {
        let known: Vec<&str> = RIVALS.iter().map(|rival| rival.name).collect();
        Rival::named(name).ok_or_else(|| {
            io::Error::other(format!("no server {name}, there are {}", known.join(", ")))
        })
    };
    let mut chosen: Vec<&Rival> = options.rivals.iter().map(named).collect::<Result<_, _>>()?;
    if chosen.is_empty() {
        chosen = RIVALS.iter().collect();
    }
    let missing: Vec<&str> = chosen.iter().filter_map(|rival| rival.missing()).collect();
    if options.install && !missing.is_empty() {
        programs::install(&missing)?;
    }
    chosen.retain(|rival| {
        if let Some(package) = rival.missing() {
            print(&format!("left out: {}, no package {package} (--install)", rival.name));
        }
        rival.missing().is_none()
    });
    Ok(chosen)
}

fn start(chosen: &[&'static Rival], site: &Site) -> Vec<Running> {
    let mut running = Vec::new();
    for rival in chosen {
        match rival.start(site) {
            Ok(started) => running.push(started),
            Err(error) => print(&format!("left out: {}: {error}", rival.name)),
        }
    }
    running
}

/// All rounds at one rate, and the generator's description of its method.
fn measure(
    running: &mut Vec<Running>,
    site: &Site,
    load: &Load,
    rate: u64,
    rounds: usize,
) -> io::Result<(Vec<Sample>, Method)> {
    for server in &*running {
        load.warm_up(server, site, rate)?;
    }
    let (mut samples, mut method) = (Vec::new(), Method::default());
    let mut random = Random(rate);
    for round in 0..rounds {
        shuffle(running, &mut random);
        for server in &mut *running {
            let (sample, result) = load.measure(server, site, rate, round)?;
            progress(&sample, rounds);
            samples.push(sample);
            method = result.method;
        }
    }
    Ok((samples, method))
}

fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for last in (1..items.len()).rev() {
        let other = random.below(last as u64 + 1);
        items.swap(last, usize::try_from(other).unwrap_or(0));
    }
}

fn describe(options: &Options, site: &Site, method: &Method, domains: u64, rate: u64) -> String {
    let rounds = options.rounds;
    let LoadOptions { seconds, load_core, ref server, .. } = options.load;
    let server_core = server.server_core;
    format!(
        "{rate} queries per second offered to each, {rounds} rounds of {seconds} s, {} names of \
         {domains} domains, fixed answers of {} bytes; servers on core {server_core}, generator on \
         core {load_core}, loopback; {}, {} processors, Linux {}, {}",
        site.names.len(),
        site.block_bytes,
        method.processor,
        method.processor_count,
        method.kernel,
        method.started,
    )
}

#[expect(clippy::print_stderr, reason = "how far it is")]
fn progress(sample: &Sample, rounds: usize) {
    let Sample { server, round, cpu_us, achieved_per_s, invalid, error_count, .. } = sample;
    let round = round + 1;
    let mark = invalid.as_deref().unwrap_or_default();
    eprintln!(
        "round {round} of {rounds}: {server:<16} {cpu_us:8.2} us, {achieved_per_s:.0}/s, \
         {error_count} errors {mark}"
    );
}

#[expect(clippy::print_stdout, reason = "the result")]
fn print(line: &str) {
    println!("{line}");
}

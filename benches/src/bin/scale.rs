//! whoisd over registries of several sizes: start, processor time per query, latency, memory.
//!
//! `cargo run --release -p whoisd-benches --bin scale -- --dir SMALL --dir MIDDLE --dir LARGE`
//!
//! # Invariants
//!
//! - `interleaved`: each round starts, measures and stops a server for every directory once.
//!
//! # Does not
//!
//! Compare with others: side-by-side.rs does.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use tempfile::TempDir;
use whois_loadgen::result::Method;
use whoisd_benches::load::{Load, LoadOptions};
use whoisd_benches::programs::Programs;
use whoisd_benches::report::{Sample, Spread};
use whoisd_benches::rival::{Rival, Site};
use whoisd_benches::server;
use whoisd_benches::workload::Workload;

/// Measure whoisd over directories of several sizes
#[derive(Debug, Parser)]
struct Options {
    /// Snapshot directory, one or more; without it samples of 1, 5 and 20 million domains
    #[arg(long, value_name = "DIR")]
    dir: Vec<PathBuf>,
    /// Sizes of the samples, domains
    #[arg(long, value_name = "N,..", value_delimiter = ',',
        default_values_t = [1_000_000, 5_000_000, 20_000_000])]
    domains: Vec<u64>,
    /// Where samples are made; 20 million domains take 6 GB
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    scratch: PathBuf,
    /// Which whoisd: whoisd-ring or whoisd-streams
    #[arg(long, value_name = "NAME", default_value = "whoisd-ring")]
    server: String,
    /// Offered load, queries per second
    #[arg(long, value_name = "RATE", default_value_t = 15_000)]
    rate: u64,
    /// Rounds
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Names that are asked for, picked at random from each directory
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    names: usize,
    /// Before each start, take the snapshot out of the page cache
    #[arg(long)]
    cold: bool,
    #[command(flatten)]
    load: LoadOptions,
}

/// One directory and its results.
struct Size {
    site: Site,
    domain_count: u64,
    file_bytes: u64,
    rounds: Vec<Round>,
    /// The names' file of the site.
    _folder: TempDir,
}

struct Round {
    first_answer: Duration,
    sample: Sample,
    /// Memory after the load.
    anonymous_bytes: u64,
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.load.shrink() {
        options.domains = vec![500, 2_000];
        (options.rate, options.rounds, options.names) = (200, 1, 500);
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => server::fail(&error.to_string()),
    }
}

fn run(options: &Options) -> io::Result<()> {
    let server = &options.server;
    let rival = Rival::named(server).filter(|rival| rival.name.starts_with("whoisd-"));
    let rival = rival.ok_or_else(|| io::Error::other(format!("{server} is no whoisd")))?;
    let programs = options.load.server.programs()?;
    let scratch = tempfile::Builder::new().prefix("whoisd-scale-").tempdir_in(&options.scratch)?;
    let mut dirs = options.dir.clone();
    if dirs.is_empty() {
        dirs = samples(options, &programs.whoisd, scratch.path())?;
    }
    let sizes = dirs.into_iter().map(|dir| Size::new(options, dir, &programs));
    let mut sizes: Vec<Size> = sizes.collect::<Result<_, _>>()?;
    let Some(load) = options.load.load(&programs.folder)? else { return Ok(()) };
    let mut method = Method::default();
    for round in 0..options.rounds {
        for size in &mut sizes {
            method = size.round(options, rival, &load, round)?;
        }
    }
    let method = describe(options, rival, &method);
    print(&format!("{method}\n\n{HEAD}"));
    sizes.iter().for_each(|size| print(&size.row()));
    let sizes: Vec<_> = sizes.iter().map(Size::json).collect();
    options.load.write_json(&json!({ "method": method, "sizes": sizes }))
}

/// Makes registries to serve.
fn samples(options: &Options, whoisd: &Path, scratch: &Path) -> io::Result<Vec<PathBuf>> {
    let mut dirs = Vec::new();
    for domains in &options.domains {
        let dir = scratch.join(domains.to_string());
        let mut command = Command::new(whoisd);
        command.args(["sample", "--domains", &domains.to_string(), "--into"]).arg(&dir);
        let output = command.output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(format!("whoisd sample: {}", said.trim())));
        }
        dirs.push(dir);
    }
    Ok(dirs)
}

impl Size {
    fn new(options: &Options, dir: PathBuf, programs: &Programs) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("whoisd-scale-").tempdir()?;
        let workload = Workload::pick(&dir, options.names, 1)?;
        let names_file = folder.path().join("names");
        std::fs::write(&names_file, workload.names.join("\n") + "\n")?;
        let mut file_bytes = 0;
        for file in snapshot_files(&dir)? {
            file_bytes += file.metadata()?.len();
        }
        let site = Site {
            folder: folder.path().to_owned(),
            programs: programs.folder.clone(),
            whoisd: programs.whoisd.clone(),
            dir,
            names: workload.names,
            names_file,
            block_bytes: workload.answer_bytes,
            core: options.load.server.server_core,
        };
        let domain_count = workload.domain_count;
        Ok(Self { site, domain_count, file_bytes, rounds: Vec::new(), _folder: folder })
    }

    fn round(
        &mut self,
        options: &Options,
        rival: &'static Rival,
        load: &Load,
        round: usize,
    ) -> io::Result<Method> {
        if options.cold {
            for file in snapshot_files(&self.site.dir)? {
                forget(&file)?;
            }
        }
        let mut running = rival.start(&self.site)?;
        load.warm_up(&running, &self.site, options.rate)?;
        let (sample, result) = load.measure(&mut running, &self.site, options.rate, round)?;
        self.rounds.push(Round {
            first_answer: running.first_answer,
            sample,
            anonymous_bytes: running.process.anonymous_bytes(),
        });
        Ok(result.method)
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn row(&self) -> String {
        let over = |figure: &dyn Fn(&Round) -> f64| Spread::of(self.rounds.iter().map(figure));
        let start = over(&|round| round.first_answer.as_secs_f64() * 1e3);
        let cpu = over(&|round| round.sample.cpu_us);
        let latency = |at: usize| {
            over(&|round| round.sample.latency_us.get(at).copied().unwrap_or_default()).median
        };
        format!(
            "| {} | {:.2} | {:.1} ({:.1} to {:.1}) | {:.2} ({:.2} to {:.2}) | {:.0} | {:.0} | \
             {:.0} | {:.0} | {:.1} |",
            self.domain_count,
            self.file_bytes as f64 / 1e9,
            start.median,
            start.least,
            start.greatest,
            cpu.median,
            cpu.least,
            cpu.greatest,
            over(&|round| round.sample.achieved_per_s).median,
            latency(0),
            latency(1),
            latency(2),
            over(&|round| round.anonymous_bytes as f64).median / 1e6,
        )
    }

    fn json(&self) -> serde_json::Value {
        let round = |round: &Round| {
            json!({
                "first_answer_ms": round.first_answer.as_secs_f64() * 1e3,
                "anonymous_bytes": round.anonymous_bytes,
                "load": round.sample.json(),
            })
        };
        let rounds: Vec<_> = self.rounds.iter().map(round).collect();
        json!({ "domains": self.domain_count, "file_bytes": self.file_bytes, "rounds": rounds })
    }
}

const HEAD: &str = "\
| domains | file, GB | start to first answer, ms | CPU per query, us | rate, 1/s | p50, us \
| p99, us | p99.9, us | anonymous, MB |\n|---|---|---|---|---|---|---|---|---|";

fn snapshot_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let files = std::fs::read_dir(dir)?.flatten().map(|entry| entry.path());
    let is_snapshot = |path: &PathBuf| path.extension().is_some_and(|end| end == "snapshot");
    Ok(files.filter(is_snapshot).collect())
}

/// Drops a file's pages: `dd` asks the kernel for that when it copies nothing with `nocache`.
fn forget(file: &Path) -> io::Result<()> {
    let mut input = std::ffi::OsString::from("if=");
    input.push(file);
    let output = Command::new("dd").arg(input).args(["iflag=nocache", "count=0"]).output()?;
    if output.status.success() { Ok(()) } else { Err(io::Error::other("dd cannot read the file")) }
}

fn describe(options: &Options, rival: &Rival, method: &Method) -> String {
    let Options { rate, rounds, names, .. } = options;
    let LoadOptions { seconds, load_core, ref server, .. } = options.load;
    let server_core = server.server_core;
    let cache = if options.cold { "dropped" } else { "warm" };
    format!(
        "{}: {rate} queries per second, {rounds} rounds of {seconds} s, {names} names at random, \
         page cache {cache} at the start; server on core {server_core}, generator on core \
         {load_core}, loopback; {}, {} processors, Linux {}, {}",
        rival.what, method.processor, method.processor_count, method.kernel, method.started
    )
}

#[expect(clippy::print_stdout, reason = "the result")]
fn print(line: &str) {
    println!("{line}");
}

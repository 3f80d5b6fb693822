//! Drives a rival with the load generator, and accounts for what the rival used meanwhile; has the
//! options of every program that does so.
//!
//! # Invariants
//!
//! - `same-window`: the generator has no warm-up inside of a measured run, so that its queries and
//!   the processor time are of the same seconds; the warm-up is a run of its own.
//!
//! # Does not
//!
//! Make queries itself.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use serde_json::Value;
use whois_loadgen::result::{RESULT_FORMAT, RunResult};

use crate::process::{Process, softirq_thread_ns};
use crate::programs::ServedOptions;
use crate::report::Sample;
use crate::rival::{Running, Site};
use crate::server;

/// Command line of a measurement under load.
#[derive(Debug, Clone, Args)]
pub struct LoadOptions {
    /// Length of one measurement
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub seconds: u64,
    /// Length of the run before the first measurement of a server
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    pub warm_up: u64,
    /// Core of the load generator
    #[arg(long, value_name = "CORE", default_value_t = 1)]
    pub load_core: usize,
    /// Another load generator than the one of this source
    #[arg(long, value_name = "PROGRAM")]
    pub loadgen: Option<PathBuf>,
    /// Write every figure of every round
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// What is measured, and how.
    #[command(flatten)]
    pub server: ServedOptions,
}

impl LoadOptions {
    /// With `--smoke`: short runs, on a core that every machine has. True with it.
    pub fn shrink(&mut self) -> bool {
        if self.server.smoke {
            self.load_core = server::second_core();
            (self.seconds, self.warm_up) = (1, 0);
        }
        self.server.smoke
    }

    /// The generator; `None` for a smoke test without one, which says so.
    ///
    /// # Errors
    ///
    /// A measurement has none.
    pub fn load(&self, programs: &Path) -> io::Result<Option<Load>> {
        let load = Load {
            program: self.loadgen.clone().unwrap_or_else(|| programs.join("whois-loadgen")),
            core: self.load_core,
            seconds: self.seconds,
            warm_up_s: self.warm_up,
        };
        match load.check() {
            Ok(()) => Ok(Some(load)),
            Err(error) if self.server.smoke => {
                left_out(&error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the figures to the file of `--json`, if it is given.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn write_json(&self, figures: &Value) -> io::Result<()> {
        match &self.json {
            Some(file) => fs::write(file, serde_json::to_string_pretty(figures)?),
            None => Ok(()),
        }
    }
}

#[expect(clippy::print_stdout, reason = "a part of the result")]
fn left_out(error: &io::Error) {
    println!("left out: {error}");
}

/// The load generator and how it is used.
#[derive(Debug)]
pub struct Load {
    /// The program whois-loadgen.
    pub program: PathBuf,
    /// Its core.
    pub core: usize,
    /// Length of a measured run, seconds.
    pub seconds: u64,
    /// Length of the run before, seconds.
    pub warm_up_s: u64,
}

impl Load {
    /// Whether the generator is there.
    ///
    /// # Errors
    ///
    /// It is not; with the place where it was looked for.
    fn check(&self) -> io::Result<()> {
        if self.program.is_file() {
            return Ok(());
        }
        let program = self.program.display();
        Err(io::Error::other(format!(
            "no load generator {program}; build it or name it: --loadgen"
        )))
    }

    /// Warms a rival up; the result does not count.
    ///
    /// # Errors
    ///
    /// The generator's.
    pub fn warm_up(&self, running: &Running, site: &Site, rate: u64) -> io::Result<()> {
        if self.warm_up_s > 0 {
            let words = words_of(running);
            let files = (&*site.folder, &*site.names_file);
            self.drive(running.address, &words, files, rate, self.warm_up_s)?;
        }
        Ok(())
    }

    /// One measured run.
    ///
    /// # Errors
    ///
    /// The generator's, or the rival has ended.
    pub fn measure(
        &self,
        running: &mut Running,
        site: &Site,
        rate: u64,
        round: usize,
    ) -> io::Result<(Sample, RunResult)> {
        let words = words_of(running);
        let driven = Driven {
            name: running.rival.name,
            process: &mut running.process,
            address: running.address,
            words: &words,
            core: site.core,
        };
        self.measure_one(driven, (&site.folder, &site.names_file), rate, round)
    }

    /// One measured run of any server; `files` as in [`Self::drive`].
    ///
    /// # Errors
    ///
    /// The generator's, or the server has ended.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn measure_one(
        &self,
        driven: Driven<'_>,
        files: (&Path, &Path),
        rate: u64,
        round: usize,
    ) -> io::Result<(Sample, RunResult)> {
        let Driven { name, process, address, words, core } = driven;
        let (cpu, softirq) = (process.cpu(), softirq_thread_ns(core));
        let result = self.drive(address, words, files, rate, self.seconds)?;
        let softirq = softirq_thread_ns(core).saturating_sub(softirq);
        let cpu = process.cpu().since(cpu);
        if let Some(ended) = process.ended() {
            return Err(io::Error::other(format!("{name} {ended}")));
        }
        let answered = result.answered_count.max(1) as f64;
        let ticks = (cpu.user_ticks + cpu.system_ticks).max(1);
        let percentile = |wanted: f64| {
            let found =
                result.latency.percentiles.iter().find(|(at, _)| (at - wanted).abs() < 1e-6);
            found.map_or(0.0, |(_, ns)| *ns as f64 / 1e3)
        };
        let sample = Sample {
            server: name,
            round,
            asked_per_s: result.asked_per_s,
            achieved_per_s: result.achieved_per_s,
            answered_count: result.answered_count,
            error_count: result.errors.values().sum(),
            cpu_us: cpu.total_ns as f64 / 1e3 / answered,
            user_share: cpu.user_ticks as f64 / ticks as f64,
            softirq_us: softirq as f64 / 1e3 / answered,
            latency_us: [percentile(50.0), percentile(99.0), percentile(99.9)],
            invalid: result.invalid.clone(),
        };
        Ok((sample, result))
    }

    /// Drives whatever answers at `target` with the generator's options `words`; `files` are a
    /// folder to write in, and names, one a line.
    ///
    /// # Errors
    ///
    /// The generator's.
    pub fn drive(
        &self,
        target: SocketAddr,
        words: &[&str],
        files: (&Path, &Path),
        rate: u64,
        seconds: u64,
    ) -> io::Result<RunResult> {
        let json = files.0.join("run.json");
        let mut command = Command::new(&self.program);
        command.args(["run", "--target", &target.to_string()]);
        command.args(words);
        command.args(["--rate", &rate.to_string(), "--duration", &seconds.to_string()]);
        command.args(["--warm-up", "0", "--cores", &self.core.to_string()]);
        command.args(["--profile", "thick", "--late-share-max", "1"]);
        command.arg("--names").arg(files.1).arg("--json").arg(&json);
        let output = command.stdin(Stdio::null()).output()?;
        // 3 says that queries failed, or started late: the result says how many.
        if !output.status.success() && output.status.code() != Some(3) {
            let said = String::from_utf8_lossy(&output.stderr);
            let status = output.status;
            return Err(io::Error::other(format!("load generator: {status}: {}", said.trim())));
        }
        let result: RunResult = serde_json::from_str(&fs::read_to_string(&json)?)?;
        if result.format != RESULT_FORMAT {
            let format = result.format;
            return Err(io::Error::other(format!(
                "load generator: result format {format}, this build reads {RESULT_FORMAT}"
            )));
        }
        Ok(result)
    }
}

/// A server that is driven.
#[derive(Debug)]
pub struct Driven<'a> {
    /// As tables name it.
    pub name: &'static str,
    /// Its processes.
    pub process: &'a mut Process,
    /// Where it answers.
    pub address: SocketAddr,
    /// What the generator speaks, as its options.
    pub words: &'a [&'a str],
    /// The server's core.
    pub core: usize,
}

/// The generator's options for WHOIS; answers are counted, not read.
pub const WHOIS: [&str; 3] = ["--protocol", "whois", "--unchecked"];

fn words_of(running: &Running) -> [&'static str; 3] {
    ["--protocol", running.rival.protocol.name(), "--unchecked"]
}

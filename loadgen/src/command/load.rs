//! The options that `run`, `sweep` and `soak` share, and the settings that they make.
//!
//! # Does not
//!
//! Say how fast: each command has its own schedule.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use clap::{Args, ValueEnum};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use super::http::HttpOptions;
use super::{Failure, target};
use crate::check::Expect;
use crate::protocol::Protocol;
use crate::proxy::Proxy;
use crate::result::Second;
use crate::run::Settings;
use crate::schedule::Shape;
use crate::workload::{Names, Profile, Source};

/// Most source addresses.
const SOURCES_MAX: u32 = 65_536;

/// Header before each query.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProxyOption {
    /// The line of version 1.
    V1,
    /// The block of version 2.
    V2,
}

/// What is asked of whom, and from where.
#[derive(Debug, Args)]
pub(super) struct LoadOptions {
    /// Server's address or name, and port (default 43; 80 or 443 of HTTP); several times for
    /// several, asked in turn. Each is tried once before the run
    #[arg(long, value_name = "HOST[:PORT]", required = true)]
    target: Vec<String>,
    /// What is asked: registry, thick, hot, hostile, or a profile's file
    #[arg(long, value_name = "PROFILE", default_value = "registry")]
    profile: String,
    /// Take names from a snapshot directory
    #[arg(long, value_name = "DIR", conflicts_with = "names")]
    names_from: Option<PathBuf>,
    /// Take query lines from a file
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    /// Length, warm-up included, seconds, 1 to 1000000
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    pub(super) duration: f64,
    /// What does not count at the beginning, seconds. Default 2, or a quarter of a shorter run
    #[arg(long, value_name = "SECONDS")]
    warm_up: Option<f64>,
    /// Seed of schedule and workload
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Processors of the generator, one thread each, such as 1,3
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "0")]
    cores: Vec<usize>,
    /// Source addresses; without any, loopback targets over IPv4 are asked from 127.1.0.1 on
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    source: Vec<IpAddr>,
    /// How many source addresses of 127.0.0.0/8, 0 for the kernel's choice, up to 65536
    #[arg(long, value_name = "COUNT", default_value_t = 250)]
    source_count: u32,
    /// Connections of a core at a time, 1 to 30000; what is due beyond counts as late
    #[arg(long, value_name = "COUNT", default_value_t = 4096,
        value_parser = clap::value_parser!(u32).range(1..=30_000))]
    in_flight_max: u32,
    /// How long one exchange may take, milliseconds, 10 to 600000
    #[arg(long, value_name = "MS", default_value_t = 10_000,
        value_parser = clap::value_parser!(u64).range(10..=600_000))]
    timeout_ms: u64,
    /// From when on a query counts as started late, microseconds
    #[arg(long, value_name = "US", default_value_t = 1_000)]
    late_after_us: u64,
    /// Largest share of late queries in a valid run, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    late_share_max: f64,
    /// What is spoken; dns is for comparisons with other servers
    #[arg(long, value_name = "PROTOCOL", default_value = "whois")]
    protocol: Protocol,
    #[command(flatten)]
    http: HttpOptions,
    /// Write a PROXY header before each query
    #[arg(long, value_name = "VERSION")]
    proxy: Option<ProxyOption>,
    /// Compare answers byte for byte with those that `whoisd lookup` gives for this directory
    #[arg(long, value_name = "DIR")]
    expect_from: Option<PathBuf>,
    /// The server's whoisd.toml, for --expect-from
    #[arg(long, value_name = "FILE", requires = "expect_from")]
    rules: Option<PathBuf>,
    /// Share of answers compared with --expect-from, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    expect_share: f64,
    /// Take any answer that is not empty for good: for servers that give everybody a fixed block
    #[arg(long, conflicts_with = "expect_from")]
    unchecked: bool,
    /// Watch this process: processor time, memory, descriptors
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
}

impl LoadOptions {
    /// The settings of a run; its schedule is the caller's.
    pub(super) fn settings(&self, shape: Shape) -> Result<Settings, Failure> {
        self.check().map_err(Failure::Usage)?;
        shape.check().map_err(|error| Failure::Usage(error.to_string()))?;
        if let Some(pid) = self.server_pid {
            is_there(pid)?;
        }
        let http = self.http.settings(self.protocol).map_err(Failure::Usage)?;
        if self.protocol != Protocol::Whois && self.expect_from.is_some() {
            let message = "--expect-from: compares answers of WHOIS, and needs --protocol whois";
            return Err(Failure::Usage(message.to_owned()));
        }
        let port = self.http.port(self.protocol);
        let targets = self.target.iter().map(|text| target::resolved(text, port));
        let targets = targets.collect::<Result<Vec<_>, _>>()?;
        let proxy = self.proxy.map(|proxy| match proxy {
            ProxyOption::V1 => Proxy::V1,
            ProxyOption::V2 => Proxy::V2,
        });
        let profile = Profile::named(&self.profile)?;
        if (http.is_tls || http.is_kept || self.protocol == Protocol::Http2)
            && profile.has_slow_clients()
        {
            return Err(Failure::Usage(format!(
                "--profile: {} has slow or silent clients; these speak WHOIS or HTTP/1.1 without \
                 TLS, and keep no connection",
                profile.name()
            )));
        }
        let names = match (&self.names_from, &self.names) {
            (Some(dir), _) => Names::Directory(dir.clone()),
            (None, Some(file)) => Names::File(file.clone()),
            (None, None) => Names::Generated { count: 1_000_000 },
        };
        let expect = self.expect_from.as_ref();
        let expect = expect.map(|dir| Expect::open(dir, self.rules.as_deref())).transpose()?;
        let sources = self.sources(&targets).map_err(Failure::Usage)?;
        for target in &targets {
            target::tried(*target, self.protocol, &http, proxy, sources.first().copied())?;
        }
        Ok(Settings {
            targets,
            sources,
            shape,
            duration_s: self.duration,
            warm_up_s: self.warm_up_s(),
            seed: self.seed,
            cores: self.cores.clone(),
            in_flight_max: self.http.keep_alive.unwrap_or(self.in_flight_max),
            timeout_ms: self.timeout_ms,
            late_after_us: self.late_after_us,
            late_share_max: self.late_share_max,
            protocol: self.protocol,
            http,
            proxy,
            names: Source::open(&profile, &names)?,
            profile,
            expect,
            expect_share: self.expect_share,
            checked: !self.unchecked,
            server_pid: self.server_pid,
        })
    }

    /// Files and directories that the run reads.
    pub(super) fn inputs(&self) -> Vec<&Path> {
        let named = [&self.names_from, &self.names, &self.expect_from, &self.rules];
        let named = named.into_iter().filter_map(|path| path.as_deref());
        // The name of a built-in profile does not name a file; the check skips it.
        named.chain([Path::new(&self.profile)]).collect()
    }

    fn warm_up_s(&self) -> f64 {
        self.warm_up.unwrap_or_else(|| (self.duration / 4.0).min(2.0))
    }

    fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: f64, min: f64, max: f64| {
            if value >= min && value <= max {
                return Ok(());
            }
            Err(format!("--{name}: {value} is out of bounds, {min} to {max} is allowed"))
        };
        within("duration", self.duration, 1.0, 1e6)?;
        within("warm-up", self.warm_up_s(), 0.0, self.duration - 0.5)?;
        within("late-share-max", self.late_share_max, 0.0, 1.0)?;
        within("expect-share", self.expect_share, 0.0, 1.0)?;
        within("source-count", f64::from(self.source_count), 0.0, f64::from(SOURCES_MAX))?;
        Ok(())
    }

    /// Addresses of one family, that of the targets.
    fn sources(&self, targets: &[SocketAddr]) -> Result<Vec<SocketAddr>, String> {
        let v4 = targets.iter().all(SocketAddr::is_ipv4);
        if !v4 && targets.iter().any(SocketAddr::is_ipv4) {
            return Err("--target: IPv4 and IPv6 in one run; make two".to_owned());
        }
        if let Some(other) = self.source.iter().find(|source| source.is_ipv4() != v4) {
            return Err(format!("--source: {other} is not of the targets' family"));
        }
        if !self.source.is_empty() {
            return Ok(self.source.iter().map(|ip| SocketAddr::new(*ip, 0)).collect());
        }
        let local = targets.iter().all(|target| target.ip().is_loopback());
        if !v4 || !local {
            return Ok(Vec::new());
        }
        // 127.1.0.1 on: servers do not listen there.
        let first = u32::from(Ipv4Addr::new(127, 1, 0, 1));
        let ips = (0..self.source_count).map(|index| Ipv4Addr::from(first + index));
        Ok(ips.map(|ip| SocketAddr::from((ip, 0))).collect())
    }
}

/// Refuses a process that is not there before a run, which could not watch it.
fn is_there(pid: u32) -> Result<(), Failure> {
    if Path::new("/proc").join(pid.to_string()).is_dir() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "--server-pid: process {pid} does not exist; `pidof whoisd` prints the server's"
    )))
}

/// A flag that Ctrl-C sets, or a terminal that goes away: the run ends early, with its result.
/// SIGUSR1 and SIGUSR2, whose default would end the run without one, do nothing.
///
/// Queries under way then have a second. A second signal loses no figures: only a third one ends
/// the program without them.
pub(super) fn stop_flag() -> Result<Arc<AtomicBool>, String> {
    let stop = Arc::new(AtomicBool::new(false));
    let failed = |error: io::Error| format!("signals: {error}");
    let all = [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2];
    let mut signals = Signals::new(all).map_err(failed)?;
    let told = Arc::clone(&stop);
    let work = move || {
        let ends = |signal: &i32| ![SIGUSR1, SIGUSR2].contains(signal);
        for (earlier_count, _) in signals.forever().filter(ends).enumerate() {
            told.store(true, Ordering::Relaxed);
            if earlier_count >= 2 {
                std::process::exit(130);
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(work).map_err(failed)?;
    Ok(stop)
}

/// Whether Ctrl-C was pressed.
pub(super) fn stopped(stop: &AtomicBool) -> bool {
    stop.load(Ordering::Relaxed)
}

/// Writes a line of progress for each second; over the last one on a terminal.
pub(super) fn progress(label: &str) -> impl FnMut(&Second) + use<> {
    let label = label.to_owned();
    let terminal = io::stderr().is_terminal();
    move |second| {
        let mut line = String::new();
        let us = |ns: u64| ns / 1_000;
        let _ = write!(
            line,
            "{label}{:>5} s  asked {:>7}/s  answered {:>7}/s  errors {:>5}  p50 {:>6} us  \
             p99 {:>7} us  max {:>8} us",
            second.at_s,
            second.due_count,
            second.answered_count,
            second.error_count,
            us(second.p50_ns),
            us(second.p99_ns),
            us(second.max_ns)
        );
        let mut stderr = io::stderr().lock();
        let _ =
            if terminal { write!(stderr, "\r{line}\x1b[K") } else { writeln!(stderr, "{line}") };
        let _ = stderr.flush();
    }
}

/// Ends the line of progress.
pub(super) fn progress_ended() {
    if io::stderr().is_terminal() {
        let _ = writeln!(io::stderr());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_not_there_is_refused_before_a_run() {
        is_there(std::process::id()).unwrap();
        // Beyond what Linux numbers processes with.
        let refused = is_there(1 << 23).unwrap_err();
        assert!(matches!(refused, Failure::Usage(message) if message.contains("does not exist")));
    }
}

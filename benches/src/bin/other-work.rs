//! How long a shard's other work waits while its connections are under load: timers, and messages
//! of another thread, each of which swaps a view.
//!
//! `cargo run --release -p whoisd-benches --bin other-work [-- --dir DIRECTORY | --smoke]`
//!
//! The shard is a real one, of `whoisd::shard::Fleet`, with its heartbeat. The work is spawned into
//! its executor: a timer of 1 ms, over and over, whose wait is its delay; and a task that
//! reads times from a socket, whose wait is from the writing of the message to the end of the swap.
//! The highest rate is more than a core can answer: full load.
//!
//! Ends with 1 if more than one in a hundred waited longer than 5 ms at any rate.
//!
//! # Does not
//!
//! Tell a slow shard from a core that the machine took away: it says how long the shard's thread
//! waited for its core, as far as the kernel knows of it.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use clap::Parser;
use futures_lite::AsyncReadExt;
use glommio::net::TcpStream;
use hdrhistogram::Histogram;
use whoisd::observe::ShardFigures;
use whoisd::policy::Rules;
use whoisd::policy::guard::Guard;
use whoisd::port43::{EngineKind, Settings, Sockets};
use whoisd::shard::{Answerer, Fleet, Plan, ShardReport, Sources};
use whoisd::view::View;
use whoisd_benches::load::{self, Load, LoadOptions};
use whoisd_benches::process::free_address;
use whoisd_benches::workload::{self, Workload};
use whoisd_benches::{Options as Sizes, print, server, steps};

/// The aim: other work runs within this time, microseconds.
const WAIT_US_MAX: u64 = 5_000;

/// The part of the work that has to keep it; a shared machine delays the rest.
const QUANTILE: f64 = 0.99;

/// Length of the timer.
const TIMER: Duration = Duration::from_millis(1);

/// Between two messages: beside the timer's, so that they meet the shard at any time of its tick.
const MESSAGES: Duration = Duration::from_micros(1_700);

/// How long connections in flight may go on at the end, milliseconds.
const SHUTDOWN_MS: u64 = 1_000;

/// Measure how long other work of a shard waits
#[derive(Debug, Parser)]
struct Options {
    /// Snapshot directory that is served; without it a sample
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Size of the sample
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    domains: u64,
    /// Names that are asked for, picked at random
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    names: usize,
    /// Offered loads, queries per second; 0 is none, the last is to be more than a core can do
    #[arg(long, value_name = "RATE,..", value_delimiter = ',',
        default_values_t = [0, 6_000, 12_000, 60_000])]
    rates: Vec<u64>,
    #[command(flatten)]
    load: LoadOptions,
}

/// A kind of other work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Timer,
    Swap,
}

/// How long each kind waited.
type Waited = (Work, Duration);

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.load.shrink() {
        (options.domains, options.names, options.rates) = (500, 500, vec![0, 200]);
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => server::fail(&error.to_string()),
    }
}

fn run(options: &Options) -> io::Result<()> {
    let folder = tempfile::Builder::new().prefix("whoisd-other-work-").tempdir()?;
    let programs = options.load.server.programs()?;
    let Some(load) = options.load.load(&programs.folder)? else { return Ok(()) };
    let sample = folder.path().join("registry");
    fs::create_dir(&sample)?;
    let sizes = Sizes { domains: options.domains, smoke: options.load.server.smoke };
    let dir = options.dir.clone().unwrap_or_else(|| steps::directory(sizes, &sample));
    let names = folder.path().join("names");
    fs::write(&names, Workload::pick(&dir, options.names, 1)?.names.join("\n") + "\n")?;

    let address = free_address()?;
    let (sender, waited) = mpsc::channel();
    let ending = Arc::new(AtomicBool::new(false));
    let (fleet, messages) = start(options, &dir, address, sender, &ending)?;
    let measured = (options.rates.iter())
        .map(|rate| measure(options, &load, address, (folder.path(), &names), &waited, *rate))
        .collect::<io::Result<Vec<bool>>>();
    ending.store(true, Ordering::Relaxed);
    fleet.stop().map_err(io::Error::other)?;
    // Its reader is gone.
    let _ = messages.join();
    // A smoke test shares its cores with other tests.
    if measured?.iter().all(|kept| *kept) || options.load.server.smoke {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "other work waited longer than {WAIT_US_MAX} us; where the shard waited for its core, look \
         for who else used it and measure again"
    )))
}

/// Starts the shard with its other work, and the thread that writes messages.
fn start(
    options: &Options,
    dir: &Path,
    address: SocketAddr,
    waited: Sender<Waited>,
    ending: &Arc<AtomicBool>,
) -> io::Result<(Fleet, thread::JoinHandle<()>)> {
    let rules: whoisd::policy::display::settings::Settings =
        toml::from_str(workload::RULES).map_err(io::Error::other)?;
    let rules = Arc::new(Rules::compile(&rules).map_err(io::Error::other)?);
    let open = || View::open(dir).map(Arc::new).map_err(io::Error::other);
    let views = [open()?, open()?];
    views.iter().try_for_each(|view| view.prepare()).map_err(io::Error::other)?;
    let plan = Plan {
        listen: vec![address],
        proxies: Vec::new(),
        port43: Settings::default(),
        engine: EngineKind::Ring(Sockets::Direct),
        shutdown_ms: SHUTDOWN_MS,
    };
    let (writer, reader) = UnixStream::pair()?;
    let (reader, epoch) = (Arc::new(reader), now());
    // Called once, inside of the shard's executor.
    let answering = move |figures: &Arc<ShardFigures>| {
        glommio::spawn_local(timers(waited.clone())).detach();
        if let Ok(reader) = reader.try_clone() {
            glommio::spawn_local(swaps(reader, epoch, views.clone(), waited.clone())).detach();
        }
        let sources = Sources {
            views: Arc::new(ArcSwap::new(Arc::clone(&views[0]))),
            rules: Arc::new(ArcSwap::new(Arc::clone(&rules))),
            guard: Arc::new(Guard::open()),
        };
        Answerer::new(sources, Arc::clone(figures))
    };
    let (reports, heard) = crossbeam::channel::bounded(4);
    let core = options.load.server.server_core;
    let fleet = Fleet::start(&[core], &plan, &answering, &reports, |report| report)
        .map_err(io::Error::other)?;
    if !matches!(heard.recv(), Ok(ShardReport::Ready)) {
        let why = fleet.stop().err().map(|error| error.to_string());
        return Err(io::Error::other(why.unwrap_or_default()));
    }
    let told = Arc::clone(ending);
    Ok((fleet, thread::spawn(move || write_messages(writer, epoch, &told))))
}

/// One timer after the other.
async fn timers(waited: Sender<Waited>) {
    loop {
        let start = now();
        glommio::timer::sleep(TIMER).await;
        let late = start.elapsed().saturating_sub(TIMER);
        if waited.send((Work::Timer, late)).is_err() {
            return;
        }
    }
}

/// Swaps the view for each message, as a shard would for a new generation.
async fn swaps(reader: UnixStream, epoch: Instant, views: [Arc<View>; 2], waited: Sender<Waited>) {
    // glommio reads any stream socket as a TCP stream: it only ever calls `recv` on it.
    let mut line = TcpStream::from(socket2::Socket::from(reader));
    let mut taken = Arc::clone(&views[0]);
    let mut written_ns = [0; 8];
    for view in views.iter().cycle() {
        if line.read_exact(&mut written_ns).await.is_err() {
            return;
        }
        drop(std::mem::replace(&mut taken, Arc::clone(view)));
        let written = Duration::from_nanos(u64::from_ne_bytes(written_ns));
        if waited.send((Work::Swap, epoch.elapsed().saturating_sub(written))).is_err() {
            return;
        }
    }
}

fn write_messages(mut line: UnixStream, epoch: Instant, ending: &AtomicBool) {
    while !ending.load(Ordering::Relaxed) {
        let written_ns = u64::try_from(epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if line.write_all(&written_ns.to_ne_bytes()).is_err() {
            return;
        }
        thread::sleep(MESSAGES);
    }
}

/// Measures at one rate, and says whether the work kept its time.
fn measure(
    options: &Options,
    load: &Load,
    address: SocketAddr,
    files: (&Path, &Path),
    waited: &Receiver<Waited>,
    rate: u64,
) -> io::Result<bool> {
    waited.try_iter().for_each(drop);
    let (core_waited, start) = (shard_waited(), now());
    let achieved = if rate == 0 {
        thread::sleep(Duration::from_secs(options.load.seconds));
        0.0
    } else {
        load.drive(address, &load::WHOIS, files, rate, options.load.seconds)?.achieved_per_s
    };
    let core_waited = shard_waited().saturating_sub(core_waited);
    let share = core_waited.as_secs_f64() * 100.0 / start.elapsed().as_secs_f64();
    let name = format!("{rate}/s offered");
    print(&name, &format!("{achieved:.0}/s answered, shard waited {share:.1} % for its core"));
    let all: Vec<Waited> = waited.try_iter().collect();
    let kept = [(Work::Timer, "timers"), (Work::Swap, "view swaps")].map(|(work, what)| {
        let of_work = all.iter().filter(|(other, _)| *other == work);
        figures(&format!("  {what}"), of_work.map(|(_, waited)| *waited))
    });
    Ok(kept.iter().all(|kept| *kept))
}

/// Prints how long a kind of work waited, and says whether it kept its time.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn figures(name: &str, waited: impl Iterator<Item = Duration>) -> bool {
    let Ok(mut all) = Histogram::<u64>::new_with_max(60_000_000, 3) else { return false };
    waited.for_each(|waited| {
        all.saturating_record(u64::try_from(waited.as_micros()).unwrap_or(u64::MAX));
    });
    let at = |quantile: f64| all.value_at_quantile(quantile) as f64 / 1e3;
    let within = all.percentile_below(WAIT_US_MAX);
    print(name, &{
        format!(
            "{} of them, p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, longest {:.2} ms, {within:.2} \
             % within {WAIT_US_MAX} us",
            all.len(),
            at(0.5),
            at(QUANTILE),
            at(0.999),
            at(1.0)
        )
    });
    !all.is_empty() && all.value_at_quantile(QUANTILE) <= WAIT_US_MAX
}

/// How long the shard's thread has been ready and not on its core, as the scheduler counts it.
fn shard_waited() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of_task = |task: fs::DirEntry| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        let schedstat = fs::read_to_string(task.path().join("schedstat")).ok()?;
        let waited_ns = schedstat.split(' ').nth(1)?.parse().ok()?;
        name.starts_with("shard").then(|| Duration::from_nanos(waited_ns))
    };
    tasks.filter_map(of_task).sum()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

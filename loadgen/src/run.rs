//! One run: the cores of the generator, the server monitored beside them, and the result.
//!
//! # Invariants
//!
//! - A run that could not send on time says so itself: `invalid` is set.
//!
//! # Does not
//!
//! Parse a command line, or write anywhere but the progress that it is given.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};

use crate::LoadgenError;
use crate::check::{Checker, Expect};
use crate::clock::Clock;
use crate::engine::{Core, Plan};
use crate::http::{HttpSettings, Speech};
use crate::machine;
use crate::monitor::{Monitor, Monitored};
use crate::protocol::Protocol;
use crate::proxy::Proxy;
use crate::result::{RESULT_FORMAT, RunResult, Second, Usage};
use crate::ring;
use crate::schedule::{Due, Shape};
use crate::stats::{CoreSecond, Stats};
use crate::usage::Look;
use crate::workload::{Profile, Source, Workload};

/// From the start of the threads to the first due time, milliseconds: rings are made meanwhile.
const START_DELAY_MS: u64 = 500;

/// Everything that a run needs.
#[derive(Clone)]
pub struct Settings {
    /// Where queries go, in turn.
    pub targets: Vec<SocketAddr>,
    /// Where they come from; empty: as the kernel chooses.
    pub sources: Vec<SocketAddr>,
    /// When queries are due.
    pub shape: Shape,
    /// Length of the run, warm-up included, seconds.
    pub duration_s: f64,
    /// Length of what does not count, seconds.
    pub warm_up_s: f64,
    /// Seed of everything random.
    pub seed: u64,
    /// Processors of the generator, one thread each.
    pub cores: Vec<usize>,
    /// Connections at a time, of each core.
    pub in_flight_max: u32,
    /// How long an exchange may take, milliseconds.
    pub timeout_ms: u64,
    /// From when on a start is late, microseconds.
    pub late_after_us: u64,
    /// Largest share of late queries in a valid run.
    pub late_share_max: f64,
    /// What is spoken.
    pub protocol: Protocol,
    /// How HTTP is spoken, if it is.
    pub http: HttpSettings,
    /// Header before each query.
    pub proxy: Option<Proxy>,
    /// What is asked.
    pub profile: Profile,
    /// The names.
    pub names: Source,
    /// The answers, byte for byte.
    pub expect: Option<Expect>,
    /// Share of answers compared with them.
    pub expect_share: f64,
    /// Whether WHOIS answers are looked at.
    pub checked: bool,
    /// The server's process, to be monitored.
    pub server_pid: Option<u32>,
}

/// Takes the report of each second while the run goes on.
pub type Progress<'a> = &'a mut dyn FnMut(&Second);

/// Runs it.
///
/// # Errors
///
/// If a core cannot be used or a ring is refused; what to do about it.
pub fn run(
    settings: &Settings,
    stop: &Arc<AtomicBool>,
    progress: Progress<'_>,
) -> Result<RunResult, LoadgenError> {
    settings.shape.check()?;
    let clock = Clock::in_ms(START_DELAY_MS);
    let started = machine::now();
    let (sender, receiver) = channel();
    let mut threads = Vec::new();
    for (index, core) in settings.cores.iter().copied().enumerate() {
        let (settings, stop, sender) = (settings.clone(), Arc::clone(stop), sender.clone());
        let work = move || core_of(&settings, index, core, clock, stop, sender);
        let thread = thread::Builder::new().name(format!("core-{core}")).spawn(work);
        threads.push(thread.map_err(|source| LoadgenError::Thread { core, source })?);
    }
    drop(sender);
    let monitor = Monitor {
        server_pid: settings.server_pid,
        warm_up_ns: ns(settings.warm_up_s),
        end_ns: ns(settings.duration_s),
        clock,
        stop,
    };
    let monitored = monitor.run(&receiver, progress);
    let mut stats = Stats::default();
    let mut checked = BTreeMap::new();
    for thread in threads {
        let (core, checker) = joined(thread)?;
        stats.add(&core);
        for (check, count) in checker.counts() {
            *checked.entry(check.clone()).or_default() += count;
        }
    }
    Ok(result_of(settings, started, &stats, checked, monitored))
}

type CoreDone = Result<(Stats, Checker), LoadgenError>;

fn joined(thread: JoinHandle<CoreDone>) -> CoreDone {
    thread.join().map_err(|_| LoadgenError::Panicked)?
}

fn core_of(
    settings: &Settings,
    index: usize,
    core: usize,
    clock: Clock,
    stop: Arc<AtomicBool>,
    seconds: std::sync::mpsc::Sender<CoreSecond>,
) -> CoreDone {
    ring::pin(core).map_err(|source| LoadgenError::Core { core, source })?;
    ring::sleep_exactly();
    let count = settings.cores.len();
    let speech = settings.protocol.http().map(|version| Speech::new(version, &settings.http));
    let speech = speech.transpose()?;
    let plan = Plan {
        targets: settings.targets.clone(),
        sources: settings.sources.clone(),
        protocol: settings.protocol,
        speech,
        http_path: settings.http.path.clone(),
        checked: settings.checked,
        proxy: settings.proxy,
        slots: settings.in_flight_max,
        end_ns: ns(settings.duration_s),
        warm_up_ns: ns(settings.warm_up_s),
        late_after_ns: settings.late_after_us.saturating_mul(1_000),
        timeout_ns: settings.timeout_ms.saturating_mul(1_000_000),
        stop: Arc::clone(&stop),
    };
    let workload = Workload::new(&settings.names, settings.seed, index, count);
    let seed = settings.seed.wrapping_add(index as u64);
    let checker = Checker::new(settings.expect.as_ref(), settings.expect_share, seed);
    let due = Due::of_core(&settings.shape, settings.seed, index, count);
    let done = Core::new(plan, clock, workload, checker, seconds).and_then(|core| core.run(due));
    // If one core fails, the others need not go on.
    if done.is_err() {
        stop.store(true, Ordering::Relaxed);
    }
    Ok(done?)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run fit")]
fn result_of(
    settings: &Settings,
    started: String,
    stats: &Stats,
    checked: BTreeMap<String, u64>,
    monitored: Monitored,
) -> RunResult {
    // Ended early, the run was as long as it was.
    let ended_s = monitored.ended_ns as f64 / 1e9;
    let duration_s = (ended_s - settings.warm_up_s).max(f64::EPSILON);
    let used = |(first, last): (Look, Look), peak_bytes: u64| {
        let cpu_s = (last.cpu_s - first.cpu_s).max(0.0);
        Usage {
            user_s: cpu_s * last.user_share,
            system_s: cpu_s * (1.0 - last.user_share),
            cpu_us_per_query: cpu_s * 1e6 / (stats.in_time_count.max(1)) as f64,
            anonymous_peak_bytes: peak_bytes,
        }
    };
    let warm_up = settings.warm_up_s.floor();
    let mut seconds = monitored.seconds;
    seconds.retain(|second| second.at_s as f64 >= warm_up);
    let first_s = seconds.first().map_or(0, |second| second.at_s);
    seconds.iter_mut().for_each(|second| second.at_s -= first_s);
    let late_share = stats.late_count as f64 / stats.due_count.max(1) as f64;
    let invalid = if stats.due_count == 0 {
        Some("no query fell due in the measured part; make the run longer".to_owned())
    } else if late_share > settings.late_share_max {
        Some(format!(
            "{:.2} % of the queries started more than {} us late, at most {:.2} % are allowed: the \
             generator could not keep up; give it more cores or a larger in-flight bound",
            late_share * 100.0,
            settings.late_after_us,
            settings.late_share_max * 100.0
        ))
    } else {
        None
    };
    RunResult {
        format: RESULT_FORMAT,
        method: machine::method(settings, started),
        asked_per_s: stats.due_count as f64 / duration_s,
        achieved_per_s: stats.in_time_count as f64 / duration_s,
        duration_s,
        due_count: stats.due_count,
        sent_count: stats.sent_count,
        answered_count: stats.answered_count,
        late_count: stats.late_count,
        invalid,
        errors: stats.errors.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect(),
        checked,
        received_bytes: stats.received_bytes,
        latency: stats.latency.latency(),
        service: stats.service.latency(),
        connect: stats.connect.latency(),
        first_byte: stats.first_byte.latency(),
        last_byte: stats.last_byte.latency(),
        by_kind: stats
            .by_kind
            .iter()
            .map(|(kind, times)| ((*kind).to_owned(), times.latency()))
            .collect(),
        seconds,
        connections: settings.protocol.http().map(|_| stats.connections.clone()),
        server: monitored.server.map(|looks| used(looks, monitored.server_peak_bytes)),
        generator: used(monitored.generator, monitored.generator_peak_bytes),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates; durations are not negative"
)]
fn ns(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

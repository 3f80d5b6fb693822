//! One run: the cores of the generator, the server watched beside them, and the result.
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
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::check::{Checker, Expect};
use crate::clock::Clock;
use crate::engine::{Core, Plan};
use crate::machine;
use crate::protocol::Protocol;
use crate::proxy::Proxy;
use crate::result::{RESULT_FORMAT, RunResult, Second, Usage};
use crate::ring;
use crate::schedule::{Due, Shape};
use crate::stats::{CoreSecond, Stats};
use crate::usage::{self, Look};
use crate::workload::{Profile, Source, Workload};

/// From the start of the threads to the first due time, milliseconds: rings are made meanwhile.
const START_DELAY_MS: u64 = 500;
/// How often the watching thread wakes, milliseconds.
const WATCH_MS: u64 = 20;

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
    /// The server's process, to be watched.
    pub server_pid: Option<u32>,
}

/// What is told of each second while the run goes on.
pub type Progress<'a> = &'a mut dyn FnMut(&Second);

/// Runs it.
///
/// # Errors
///
/// If a core cannot be had or a ring is refused; what to do about it.
pub fn run(
    settings: &Settings,
    stop: &Arc<AtomicBool>,
    progress: Progress<'_>,
) -> Result<RunResult, String> {
    settings.shape.check()?;
    let clock = Clock::in_ms(START_DELAY_MS);
    let started = machine::now();
    let (sender, receiver) = channel();
    let mut threads = Vec::new();
    for (index, core) in settings.cores.iter().copied().enumerate() {
        let (settings, stop, sender) = (settings.clone(), Arc::clone(stop), sender.clone());
        let work = move || core_of(&settings, index, core, clock, stop, sender);
        let thread = thread::Builder::new().name(format!("core-{core}")).spawn(work);
        threads.push(thread.map_err(|error| format!("core {core}: {error}"))?);
    }
    drop(sender);
    let watched = watch(settings, clock, &receiver, progress);
    let mut stats = Stats::default();
    let mut checked = BTreeMap::new();
    for thread in threads {
        let (core, checker) = joined(thread)?;
        stats.add(&core);
        for (check, count) in checker.counts() {
            *checked.entry(check.clone()).or_default() += count;
        }
    }
    Ok(result_of(settings, started, &stats, checked, watched))
}

type CoreDone = Result<(Stats, Checker), String>;

fn joined(thread: JoinHandle<CoreDone>) -> CoreDone {
    thread.join().map_err(|_| "a core of the generator panicked: a bug".to_owned())?
}

fn core_of(
    settings: &Settings,
    index: usize,
    core: usize,
    clock: Clock,
    stop: Arc<AtomicBool>,
    seconds: std::sync::mpsc::Sender<CoreSecond>,
) -> CoreDone {
    ring::pin(core).map_err(|error| {
        format!("core {core} cannot be used ({error}); `taskset -pc $$` lists those that can")
    })?;
    ring::sleep_exactly();
    let count = settings.cores.len();
    let plan = Plan {
        targets: settings.targets.clone(),
        sources: settings.sources.clone(),
        protocol: settings.protocol,
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
    // What one core cannot do, the others need not go on with.
    if done.is_err() {
        stop.store(true, Ordering::Relaxed);
    }
    done
}

/// What was seen from outside while the cores ran.
#[derive(Default)]
struct Watched {
    seconds: BTreeMap<u64, CoreSecond>,
    looks: BTreeMap<u64, Look>,
    server: Option<(Look, Look)>,
    generator: (Look, Look),
    server_peak_bytes: u64,
    generator_peak_bytes: u64,
}

fn watch(
    settings: &Settings,
    clock: Clock,
    receiver: &Receiver<CoreSecond>,
    progress: Progress<'_>,
) -> Watched {
    let pid = settings.server_pid.map(|pid| pid.to_string());
    let (warm_up_ns, end_ns) = (ns(settings.warm_up_s), ns(settings.duration_s));
    let mut watched = Watched::default();
    let (mut begun, mut ended, mut told_s, mut looked_s) = (false, false, 0, u64::MAX);
    loop {
        let received = receiver.recv_timeout(Duration::from_millis(WATCH_MS));
        let now_ns = clock.now_ns();
        let at_s = now_ns / 1_000_000_000;
        let begins = !begun && now_ns >= warm_up_ns;
        let ends = !ended && now_ns >= end_ns;
        if begins || ends || at_s != looked_s {
            looked_s = at_s;
            let generator = usage::look("self");
            watched.generator_peak_bytes =
                watched.generator_peak_bytes.max(generator.anonymous_bytes);
            let server = pid.as_deref().map(usage::look).unwrap_or_default();
            watched.server_peak_bytes = watched.server_peak_bytes.max(server.anonymous_bytes);
            watched.looks.insert(at_s, server);
            if begins {
                begun = true;
                watched.generator = (generator, generator);
                watched.server = pid.as_ref().map(|_| (server, server));
            }
            if !ended {
                watched.generator.1 = generator;
                if let Some((_, last)) = &mut watched.server {
                    *last = server;
                }
            }
            ended |= ends;
        }
        match received {
            Ok(second) => {
                let empty = CoreSecond::new(second.at_s);
                watched.seconds.entry(second.at_s).or_insert(empty).add(&second);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return watched,
        }
        // A second is told when the next but one begins: every core has handed it over by then.
        while told_s + 1 < at_s {
            if let Some(second) = watched.seconds.get(&told_s) {
                progress(&second_of(second, watched.looks.get(&told_s)));
            }
            told_s += 1;
        }
    }
}

fn second_of(second: &CoreSecond, look: Option<&Look>) -> Second {
    Second {
        at_s: second.at_s,
        due_count: second.due_count,
        answered_count: second.answered_count,
        error_count: second.error_count,
        p50_ns: second.latency.at(50.0),
        p99_ns: second.latency.at(99.0),
        max_ns: second.latency.max(),
        server_resident_bytes: look.map_or(0, |look| look.resident_bytes),
        server_descriptor_count: look.map_or(0, |look| look.descriptor_count),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run fit")]
fn result_of(
    settings: &Settings,
    started: String,
    stats: &Stats,
    checked: BTreeMap<String, u64>,
    watched: Watched,
) -> RunResult {
    let duration_s = (settings.duration_s - settings.warm_up_s).max(f64::MIN_POSITIVE);
    let used = |(first, last): (Look, Look), peak_bytes: u64| {
        let cpu_s = (last.cpu_s - first.cpu_s).max(0.0);
        Usage {
            user_s: cpu_s * last.user_share,
            system_s: cpu_s * (1.0 - last.user_share),
            cpu_us_per_query: cpu_s * 1e6 / (stats.answered_count.max(1)) as f64,
            anonymous_peak_bytes: peak_bytes,
        }
    };
    let warm_up = settings.warm_up_s.floor();
    let seconds = watched.seconds.values().filter(|second| second.at_s as f64 >= warm_up);
    let mut seconds: Vec<_> =
        seconds.map(|second| second_of(second, watched.looks.get(&second.at_s))).collect();
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
        achieved_per_s: stats.answered_count as f64 / duration_s,
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
        server: watched.server.map(|looks| used(looks, watched.server_peak_bytes)),
        generator: used(watched.generator, watched.generator_peak_bytes),
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

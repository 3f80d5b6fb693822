//! `whoisd serve`: the WHOIS server.
//!
//! # Invariants
//!
//! - `checked-first`: configuration, the snapshot's header, cores and addresses are checked before
//!   the first shard starts; what is wrong ends the command with what to do. So are those of health
//!   and figures: a shard that has accepted must not be dropped for them.
//! - `checked-behind`: the snapshot's checksums are compared before the first answer or while
//!   answers are given, as set; damage ends the server.
//! - `reload`: SIGHUP and `whoisd reload` read configuration and lists again, and touch no
//!   connection. A SIGHUP during the start is kept until they can be read again.
//! - `no-signal-kills`: SIGUSR1 and SIGUSR2, which other daemons take for "reopen the log", are
//!   noted and do nothing, from the first moment on.
//! - `two-signals`: the first SIGTERM or SIGINT drains, the second ends the process at once.
//! - `unready-first`: what drains is not ready; its listeners close `server.drain_delay_ms` later.
//!   Figures and the control socket stay until the shards have ended.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use clap::Args;
use crossbeam::channel::{Receiver, Sender, bounded};
use snapshot_format::{FormatError, Kind, dump};

use super::Failure;
use super::settings::SettingsOptions;
use crate::config::{Check, Settings};
use crate::observe::log;
use crate::observe::{ShardFigures, clock};
use crate::place::aside;
use crate::place::aside::{Place, Weight};
use crate::place::cores::{self, CoresError};
use crate::port43::proxy::Rule;
use crate::port43::{self, Choice};
use crate::serving::controlling::{Controlling, Tables};
use crate::serving::guarding::Guarding;
use crate::serving::logging::Logging;
use crate::serving::patience::{self, patiently};
use crate::serving::telling;
use crate::serving::updating::{Feeds, Source, Updating};
use crate::serving::{programs, systemd};
use crate::shard::listen::ListenError;
use crate::shard::system::{self, DESCRIPTORS_OF_PROCESS, DESCRIPTORS_PER_SHARD};
use crate::shard::{Answerer, Fleet, Plan, ShardReport, Sources, listen};
use crate::status::{self, Service};
use crate::view::{Data, Disk, View};

/// Descriptors that the process has open beside its shards when it starts, and no more: with 24 in
/// all two shards do not start, with 28 they do.
const DESCRIPTORS_OF_PROCESS_MIN: u64 = 16;
/// Descriptors that a shard has open without a connection: rings, listeners and what wakes it.
const DESCRIPTORS_PER_SHARD_MIN: u64 = 16;

/// Most messages that the control thread may get at once, besides those of shards.
const EVENTS_MAX: usize = 16;

/// Answer WHOIS queries on port 43 from a snapshot directory
///
/// One shard per core, each pinned to its core with listeners of its own. The first SIGTERM or
/// SIGINT makes the server unready, stops accepting after server.drain_delay_ms, lets connections
/// in flight end, and exits with 0; a second one ends the server at once. The log goes to standard
/// error.
///
/// SIGHUP and `whoisd reload` read the configuration and the lists again, without losing a
/// connection; what takes a restart is named in the log and in the command's answer. SIGUSR1 and
/// SIGUSR2 do nothing: the log goes to standard error, and the query log changes files by itself.
///
/// Changes are shown as they come. With --spool the server is the directory's one writer, and
/// applies the files that are dropped into DIR/spool (`whoisd apply`); otherwise it follows what
/// another process writes into the directory, such as `whoisd import`.
///
/// Listeners open once the snapshot lies in memory: at once where the page cache has it, otherwise
/// after reading it. Its checksums are compared while answers are given already, and damage stops
/// the server; `--check first` compares them before the first answer, at 0.1 to 0.3 s a gigabyte.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    whoisd serve --dir /var/lib/whoisd --listen 127.0.0.1:4343 --listen '[::1]:4343'\n  \
    whoisd serve --config /etc/whoisd/whoisd.toml\n\n\
    Exit status: 0 stopped by a signal and drained; 1 failed (an address in use, a port without \
    the right to it, a core that is not there); 3 configuration or snapshot refused, io_uring or \
    locked memory refused by the system, or damage found while serving.")]
pub(super) struct Options {
    #[command(flatten)]
    settings: SettingsOptions,
}

enum ControlEvent {
    Signal(i32),
    Shard(ShardReport),
    /// The check that runs while answers are given has found this.
    Damaged(FormatError),
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    // First of all.
    let signals = programs::signals()?;
    let effective = options.settings.load()?;
    let settings = &effective.settings;
    log::start(settings.log).map_err(Failure::failed)?;
    let dir = settings.dir()?;
    warn_if_open(dir);
    let source = Source::open(settings, dir)?;
    let view = Arc::new(open(dir, source.generation(), settings.check)?);
    let views = Arc::new(ArcSwap::new(Arc::clone(&view)));
    let tables = Tables::new(settings);
    let cores = usable_cores(settings)?;
    let engine = engine(settings, cores.len())?;
    let (claims, listen) = claim(&settings.listen)?;
    let claimed = telling::Claimed::new(settings)?;
    let plan = Plan {
        proxies: settled(&settings.proxies, &settings.listen, &listen),
        listen,
        port43: settings.port43,
        engine: engine.engine,
        shutdown_ms: settings.shutdown_ms,
    };
    check_descriptors(cores.len(), settings);

    let (sender, events) = bounded(EVENTS_MAX + 2 * cores.len());
    let guarding = Guarding::start(settings, dir, Arc::clone(&tables.lists), &cores)?;
    let logging = Logging::start(settings, &cores)?;
    // Declared after the guard, and so dropped before it: it gives the warden orders.
    let again = options.settings.clone();
    let load = move || Ok(again.load()?.settings);
    let controlling = Controlling::start(load, settings, &tables, &guarding, &logging, &cores)?;
    let stop = sender.clone();
    programs::watch(signals, controlling.keeper.clone(), move |signal| {
        // If nobody listens any more, the process is ending already.
        let _ = stop.send(ControlEvent::Signal(signal));
    })?;
    let make = answerers(&views, &tables, &guarding, &logging, &cores);
    let feeds = Feeds::of(settings);
    let updating =
        Updating::start(source, settings, dir, Arc::clone(&views), &cores, feeds.clone())?;
    let fleet = Fleet::start(&cores, &plan, &make, &sender, ControlEvent::Shard)
        .map_err(Failure::failed)?;
    let service = service(&fleet, &tables, &guarding, &controlling, &logging);
    let told = told_of(settings, views, feeds, service);
    controlling.tell(told.clone());
    let draining = Arc::clone(&told.draining);
    let place = Place { core: settings.updater_core, shard_cores: &cores, weight: Weight::Full };
    let mut telling = claimed.tell(told, place)?;
    let attend = || -> Result<_, Failure> {
        telling.serve(place)?;
        tell_start(dir, &view, &cores, &plan, &engine);
        let check = match settings.check {
            Check::First => None,
            Check::Behind => Some(CheckBehind::start(view, &cores, sender)?),
        };
        let damage = wait(&events, &draining, settings.drain_delay_ms);
        drop(check);
        Ok(damage)
    };
    let outcome = if started(&events, cores.len(), claims) { attend() } else { Ok(None) };
    systemd::stopping();
    telling.drain();
    drop(updating);
    let (totals, cut_off_count) = fleet.stop().map_err(Failure::failed)?;
    totals.log_stop(cut_off_count);
    drop(controlling);
    drop(telling);
    // It waits for its file of blocks a bounded time, and not for a disk that holds up the log.
    drop(guarding);
    logging.stop();
    outcome?.map_or(Ok(()), |error| Err(damaged(dir, &error)))
}

/// What figures are read from.
fn service(
    fleet: &Fleet,
    tables: &Tables,
    guarding: &Guarding,
    controlling: &Controlling,
    logging: &Logging,
) -> Service {
    Service {
        shards: fleet.figures(),
        guard: Arc::clone(&guarding.guard),
        rules: Arc::clone(&tables.rules),
        warden: Arc::clone(&guarding.figures),
        lists: Arc::clone(&controlling.lists),
        kernel: controlling.kernel.clone(),
        log: logging.figures(),
        index: None,
        certificates: None,
    }
}

/// The directory holds data of people.
fn warn_if_open(dir: &Path) {
    if let Some(mode) = Disk::new(dir).open_to_all() {
        tracing::warn!(
            dir = %dir.display(),
            mode = format!("{mode:04o}"),
            "every user of this machine gets at the snapshot directory"
        );
    }
}

/// What makes the answerer of each shard.
fn answerers(
    views: &Arc<ArcSwap<View>>,
    tables: &Tables,
    guarding: &Guarding,
    logging: &Logging,
    cores: &[usize],
) -> impl Fn(&Arc<ShardFigures>) -> Answerer + Clone + Send + 'static + use<> {
    let sources = Sources {
        views: Arc::clone(views),
        rules: Arc::clone(&tables.rules),
        guard: Arc::clone(&guarding.guard),
    };
    let reporters = guarding.reporters();
    let recorders = logging.recorders();
    let places = cores.to_vec();
    move |figures: &Arc<ShardFigures>| {
        let place = places.iter().position(|core| *core == figures.core);
        let recorder = place.and_then(|place| recorders.get(place));
        Answerer::new(sources.clone(), Arc::clone(figures))
            .telling(reporters.try_recv().ok(), recorder.and_then(|one| one.try_recv().ok()))
    }
}

/// The sources of status and figures.
fn told_of(
    settings: &Settings,
    views: Arc<ArcSwap<View>>,
    feeds: Feeds,
    service: Service,
) -> status::Sources {
    status::Sources {
        views,
        feed: feeds.nats,
        spool: feeds.spool,
        age: Arc::default(),
        age_max_s: settings.ready_age_max_s,
        serving: Arc::default(),
        draining: Arc::default(),
        service: Some(service),
        started_ms: clock::wall_ms(),
        now_ms: clock::wall_ms,
        steady_ms: clock::steady_ms,
    }
}

fn open(dir: &Path, generation: &Arc<Data>, check: Check) -> Result<View, Failure> {
    let view = View::of(Arc::clone(generation), None).map_err(|error| damaged(dir, &error))?;
    let begun = clock::monotonic();
    // In both cases before a listener opens: a shard that waits for the disk holds up all of its
    // connections.
    let what = match check {
        Check::First => {
            view.prepare().map_err(|error| damaged(dir, &error))?;
            "snapshot loaded and its checksums compared"
        }
        Check::Behind => {
            view.load();
            "snapshot loaded"
        }
    };
    let took = clock::monotonic().saturating_duration_since(begun);
    tracing::debug!(took_ms = clock::whole_ms(took), "{what}");
    Ok(view)
}

fn damaged(dir: &Path, error: &FormatError) -> Failure {
    Failure::refused(format!("{}: {error}", dir.display()))
}

/// The thread that compares checksums while answers are given; dropped, it ends.
struct CheckBehind {
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl CheckBehind {
    fn start(
        view: Arc<View>,
        cores: &[usize],
        events: Sender<ControlEvent>,
    ) -> Result<Self, Failure> {
        let ending = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ending);
        let check = move || {
            let begun = clock::monotonic();
            match view.check_behind(&|| !told.load(Ordering::Relaxed)) {
                Ok(None) => {}
                Ok(Some(block_count)) => {
                    let took = clock::monotonic().saturating_duration_since(begun);
                    let took_ms = clock::whole_ms(took);
                    tracing::info!(took_ms, block_count, "checksums compared");
                }
                // If nobody listens any more, the process is ending already.
                Err(error) => drop(events.send(ControlEvent::Damaged(error))),
            }
        };
        let place = Place { core: None, shard_cores: cores, weight: Weight::Least };
        let thread = aside::spawn("check", place, check)
            .map_err(|error| Failure::failed(format!("thread to compare checksums: {error}")))?;
        Ok(Self { ending, thread: Some(thread) })
    }
}

impl Drop for CheckBehind {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // If it panicked, standard error has the message.
            let _ = thread.join();
        }
    }
}

fn usable_cores(settings: &Settings) -> Result<Vec<usize>, Failure> {
    check_updater_core(settings)
        .map_err(|problem| Failure::failed(format!("updater.core: {problem}")))?;
    let Some(wanted) = &settings.cores else {
        return cores::allowed().map_err(Failure::failed);
    };
    let online = cores::online().map_err(Failure::failed)?;
    cores::check(wanted, &online)
        .map_err(|problem| Failure::failed(format!("server.cores: {problem}")))?;
    Ok(wanted.clone())
}

/// Whether the core that changes are applied on is one of this machine's.
pub(super) fn check_updater_core(settings: &Settings) -> Result<(), CoresError> {
    settings.updater_core.map_or(Ok(()), |core| cores::check(&[core], &cores::online()?))
}

/// The engine, as far as the system lets this process have it. What it refuses it refuses again:
/// starting again does not help.
pub(super) fn engine(settings: &Settings, shard_count: usize) -> Result<Choice, Failure> {
    check_least_descriptors(shard_count).map_err(Failure::refused)?;
    system::check_io_uring().map_err(Failure::refused)?;
    let wanted = settings.port43.engine;
    let ring = system::ring_bytes(wanted, settings.port43.connections_max, settings.listen.len());
    system::Locked::check(shard_count, ring).map_err(Failure::refused)?;
    port43::choose(wanted).map_err(Failure::refused)
}

/// The rules with the ports that their listeners have got.
fn settled(rules: &[Rule], wanted: &[SocketAddr], got: &[SocketAddr]) -> Vec<Arc<Rule>> {
    let settle = |rule: &Rule| {
        let place = wanted.iter().position(|address| *address == rule.listen);
        let listen = place.and_then(|place| got.get(place)).copied().unwrap_or(rule.listen);
        Arc::new(Rule { listen, ..rule.clone() })
    };
    rules.iter().map(settle).collect()
}

fn claim(wanted: &[SocketAddr]) -> Result<(Vec<listen::Claim>, Vec<SocketAddr>), Failure> {
    let is_held = |error: &ListenError| matches!(error, ListenError::InUse { .. });
    let claim = |address: &SocketAddr| {
        let claimed = patiently(patience::ADDRESS, is_held, || listen::claim(*address));
        claimed.map_err(Failure::failed)
    };
    let claims = wanted.iter().map(claim).collect::<Result<Vec<_>, _>>()?;
    let addresses = claims.iter().map(|claim| claim.address).collect();
    Ok((claims, addresses))
}

/// Whether shards could start at all with the descriptors that this process may have.
fn check_least_descriptors(shard_count: usize) -> Result<(), String> {
    let Ok((_, hard)) = rlimit::Resource::NOFILE.get() else { return Ok(()) };
    let each = DESCRIPTORS_PER_SHARD_MIN.saturating_mul(shard_count as u64);
    let least = DESCRIPTORS_OF_PROCESS_MIN.saturating_add(each);
    if hard >= least {
        return Ok(());
    }
    Err(format!(
        "open descriptors are short: the limit is {hard}, {shard_count} shards need {least} before \
         the first connection; raise LimitNOFILE in the unit, or `ulimit -n` before the server"
    ))
}

/// Raises the limit of open descriptors as far as it goes, and warns if that is not enough.
fn check_descriptors(shard_count: usize, settings: &Settings) {
    if let Some(short) = short_descriptors(settings, shard_count) {
        tracing::warn!(
            "the limit of open descriptors is below what connections_per_shard_max may need: \
             {short}"
        );
    }
}

/// How many open descriptors there are of those that are needed, and what to do, once the limit is
/// raised as far as it goes. `None` if there are enough.
pub(super) fn short_descriptors(settings: &Settings, shard_count: usize) -> Option<String> {
    let per_shard = settings.port43.connections_max + DESCRIPTORS_PER_SHARD;
    let needed = per_shard.saturating_mul(shard_count as u64) + DESCRIPTORS_OF_PROCESS;
    let (soft, hard) = rlimit::Resource::NOFILE.get().ok()?;
    if soft >= needed {
        return None;
    }
    let raised = needed.min(hard);
    let is_set = rlimit::Resource::NOFILE.set(raised, hard).is_ok();
    let limit = if is_set { raised } else { soft };
    (limit < needed).then(|| {
        format!("{limit} of {needed}; raise LimitNOFILE, or lower connections_per_shard_max")
    })
}

/// Waits until every shard serves; false if one has ended or a signal came first. The addresses are
/// held until then.
fn started(
    events: &Receiver<ControlEvent>,
    shard_count: usize,
    claims: Vec<listen::Claim>,
) -> bool {
    let is_ready = |event| matches!(event, Ok(ControlEvent::Shard(ShardReport::Ready)));
    let all = (0..shard_count).all(|_| is_ready(events.recv()));
    drop(claims);
    all
}

/// Waits for a signal, for a shard to end, which it only does by itself if it broke, or for damage,
/// which it returns. After a signal the server is not ready any more, and is served on for
/// `drain_delay_ms`, so that balancers see it before a listener closes.
fn wait(
    events: &Receiver<ControlEvent>,
    draining: &AtomicBool,
    drain_delay_ms: u64,
) -> Option<FormatError> {
    let mut event = events.recv().ok();
    if let Some(ControlEvent::Signal(signal)) = event {
        draining.store(true, Ordering::Relaxed);
        systemd::stopping();
        tracing::info!(signal, drain_delay_ms, "draining");
        event = events.recv_timeout(Duration::from_millis(drain_delay_ms)).ok();
    }
    match event {
        Some(ControlEvent::Shard(report)) => tracing::error!(?report, "a shard broke, stopping"),
        Some(ControlEvent::Damaged(error)) => {
            tracing::error!(%error, "the snapshot is damaged, stopping");
            return Some(error);
        }
        Some(ControlEvent::Signal(_)) | None => {}
    }
    None
}

/// Says in the log, and to the service manager, that the server serves.
fn tell_start(dir: &Path, view: &View, cores: &[usize], plan: &Plan, choice: &Choice) {
    let listen: Vec<_> = plan.listen.iter().map(ToString::to_string).collect();
    let (generation, domains) = (view.generation(), view.data().count(Kind::Domain));
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        commit = env!("WHOISD_COMMIT"),
        dir = %dir.display(),
        generation,
        data_time = %dump::Utc(view.as_of_ms()),
        domains,
        shards = %cores::format(cores),
        listen = %listen.join(","),
        engine = choice.engine.name(),
        engine_reason = %choice.reason,
        "serving"
    );
    systemd::ready(&format!("serving generation {generation}, {domains} domains"));
}

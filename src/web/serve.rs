//! `whoisd-web serve`: the server of RDAP; and the program's other commands.
//!
//! # Invariants
//!
//! - `checked-first`: configuration, snapshot, lists and addresses are checked before the first
//!   core starts; what is wrong ends the command with what to do.
//! - `unready-first`: what drains is not ready; its listeners close `server.drain_delay_ms` later.
//! - `two-signals`: the first SIGTERM or SIGINT drains, the second ends the process at once.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use clap::{Args, Parser, Subcommand};
use crossbeam::channel::bounded;
use snapshot_format::Kind;
use tokio::sync::watch;
use whoisd::config::{self, ConfigError, Effective, Flags, STANDARD_FILE, Settings};
use whoisd::observe::counters::Totals;
use whoisd::observe::log;
use whoisd::observe::{ShardFigures, clock};
use whoisd::place::aside::{self, Place, Weight};
use whoisd::place::cores::{self, CoresError};
use whoisd::port43::proxy::Rule;
use whoisd::serving::checking::placed;
use whoisd::serving::controlling::{Controlling, Tables};
use whoisd::serving::guarding::Guarding;
use whoisd::serving::logging::Logging;
use whoisd::serving::telling::Claimed;
use whoisd::serving::updating::{Feeds, Source, Updating};
use whoisd::serving::{Failure, programs, systemd};
use whoisd::shard::Sources;
use whoisd::shard::reception::Reception;
use whoisd::status::{self, Service};
use whoisd::view::View;

use crate::activity::Deadlines;
use crate::answering::{Answerer, Site};
use crate::checking;
use crate::connection::Connections;
use crate::forwarded::Trusted;
use crate::listening::Listening;
use crate::room::Room;
use crate::search::{Building, Pool, Searching};
use crate::tls::{Tls, TlsError};
use crate::worker::Worker;

/// The name in messages.
const PROGRAM: &str = "whoisd-web";

/// RDAP over HTTP from the snapshot directory that whoisd writes and serves.
#[derive(Debug, Parser)]
#[command(name = "whoisd-web", version, about, long_about = None, max_term_width = 100)]
#[command(
    after_help = "Exit status: 0 done; 1 failed (an address in use, a core that is not there); \
    2 wrong usage; 3 configuration or snapshot refused."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer RDAP requests from a snapshot directory
    ///
    /// One runtime per core, each pinned to its core with listeners of its own. RDAP lies below
    /// /rdap/ (web.path). The directory is followed: a change shows as soon as on port 43. The
    /// first SIGTERM or SIGINT makes the server unready, stops accepting after
    /// server.drain_delay_ms, lets requests under way end, and exits with 0; a second one ends the
    /// server at once. SIGHUP and `whoisd reload --control DIR/web.sock` read the configuration and
    /// the lists again.
    #[command(after_help = "Examples:\n  \
        whoisd-web serve --dir /var/lib/whoisd --listen 127.0.0.1:8080\n  \
        curl http://127.0.0.1:8080/rdap/domain/example.demo\n  \
        whoisd-web serve --config /etc/whoisd/whoisd.toml\n\n\
        Exit status: 0 stopped by a signal and drained; 1 failed; 3 configuration or snapshot \
        refused.")]
    Serve(Options),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Options that win over the configuration file.
#[derive(Debug, Clone, Args)]
struct Options {
    /// Configuration file. Default /etc/whoisd/whoisd.toml, if it is there and --dir is not given;
    /// otherwise defaults and options hold
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Snapshot directory to answer from. Default server.dir of the configuration
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    // Not a doc comment: rustdoc would take the brackets for a link.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        help = "Address and port to listen on, such as 127.0.0.1:8080 or '[::1]:8080'; may be \
            given several times. Port 0 takes a free port, which the log names. Default web.listen \
            of the configuration, or 127.0.0.1:8080 and [::1]:8080"
    )]
    listen: Vec<SocketAddr>,

    /// Folder of the search index. Default web.search_dir of the configuration, or none: searches
    /// that need it are not offered
    #[arg(long, value_name = "DIR")]
    search_dir: Option<PathBuf>,

    /// Cores with a runtime each, such as 0,2-5. Default every core that the process may use
    #[arg(long, value_name = "LIST")]
    cores: Option<String>,

    /// How log lines look: text or json. Default text
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<log::Format>,

    /// Least severe log lines: off, error, warn, info, debug or trace. Default info
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<log::Level>,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Read a configuration file as the server would, and say what is wrong with it
    ///
    /// Looks at the machine as well: the snapshot directory, certificates, lists, cores, addresses,
    /// the control socket, the file of blocks, the folders of the query log and of the search
    /// index. All of it is told at once. Changes nothing, and a server may be running meanwhile: an
    /// address or a socket that a running whoisd-web has is a warning.
    #[command(after_help = "Exit status: 0 good, perhaps with warnings; 1 the file cannot be \
        read; 3 refused.")]
    Check {
        /// The file
        #[arg(value_name = "FILE", default_value = STANDARD_FILE)]
        file: PathBuf,
    },
    /// Print the settings in force, as TOML, with where each comes from
    #[command(after_help = "Exit status: 0 good; 1 cannot be read; 3 refused.")]
    Show(Options),
}

impl Options {
    /// The settings of the file and these options, as this program reads them.
    fn load(&self) -> Result<Settings, ConfigError> {
        Ok(self.effective()?.settings.of_web())
    }

    /// The same as they are for both programs, with where they come from.
    fn effective(&self) -> Result<Effective, ConfigError> {
        let mut effective = config::load(self.file().as_deref(), &self.flags())?;
        let settings = &mut effective.settings;
        if !self.listen.is_empty() {
            settings.web.listen.clone_from(&self.listen);
        }
        if let Some(dir) = &self.search_dir {
            settings.web.search_dir = Some(dir.clone());
        }
        let cores = settings.cores.take().filter(|_| self.cores.is_some());
        settings.web.cores = cores.or_else(|| settings.web.cores.take());
        Ok(effective)
    }

    fn flags(&self) -> Flags {
        Flags {
            dir: self.dir.clone(),
            cores: self.cores.clone(),
            log_format: self.log_format,
            log_level: self.log_level,
            ..Flags::default()
        }
    }

    /// One rule as for `whoisd`: the standard file is read unless something else is named.
    fn file(&self) -> Option<PathBuf> {
        let standard = Path::new(STANDARD_FILE);
        let or_standard = || (self.dir.is_none() && standard.exists()).then(|| standard.to_owned());
        self.config.clone().or_else(or_standard)
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    programs::begin();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(said) => return programs::usage(PROGRAM, &said),
    };
    let done = match arguments.command {
        Command::Serve(options) => serve(&options),
        Command::Config(ConfigCommand::Check { file }) => check(&file),
        Command::Config(ConfigCommand::Show(options)) => show(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => programs::ended(PROGRAM, &failure),
    }
}

fn check(file: &Path) -> Result<(), Failure> {
    let (effective, errors) = config::look(Some(file), &Flags::default())?;
    let checked = checking::of_machine(&effective.settings, &errors);
    programs::print(checked.found.warned(file).as_bytes())?;
    programs::print(checked.said(file).as_bytes())?;
    checked.found.outcome(file, &effective, &errors)?;
    programs::print(format!("{}: good\n", file.display()).as_bytes())
}

fn show(options: &Options) -> Result<(), Failure> {
    let effective = config::load(options.file().as_deref(), &options.flags())?;
    programs::print(effective.show().as_bytes())
}

fn serve(options: &Options) -> Result<(), Failure> {
    // First of all.
    let signals = programs::signals()?;
    let effective = options.effective()?;
    let settings = &effective.settings.clone().of_web();
    log::start(settings.log).map_err(Failure::failed)?;
    let dir = settings.dir()?;
    let source = Source::open(settings, dir)?;
    let views = Arc::new(ArcSwap::from_pointee(open(dir, &source)?));
    let no_cores = |problem| Failure::failed(format!("web.cores: {problem}"));
    let cores = usable_cores(settings).map_err(no_cores)?;
    let listening = Listening::new(settings, cores.len())?;
    let claimed = Claimed::new(settings)?;
    let no_tls = |error| no_tls(&effective, &error);
    let tls = Tls::start(&settings.web.certificates, &cores).map_err(no_tls)?;
    let tables = Tables::new(settings);
    let guarding = Guarding::start(settings, dir, Arc::clone(&tables.lists), &cores)?;
    let logging = Logging::start(settings, &cores)?;
    let again = options.clone();
    let prod = tls.prod();
    let load = move || {
        prod.look();
        again.load()
    };
    // Declared after the guard, and so dropped before it: it gives the warden orders.
    let controlling = Controlling::start(load, settings, &tables, &guarding, &logging, &cores)?;
    let feeds = Feeds { nats: None, spool: None };
    let updating = Updating::start(source, settings, dir, Arc::clone(&views), &cores, feeds)?;
    let ground = Ground { settings, views: &views, tables: &tables, guarding: &guarding };
    let base = listening.base(&settings.web.path);
    let (plain, encrypted) = listening.told();
    let searching = Searching::start(building(settings), Arc::clone(&views), &cores)?;
    let running = ground.start(&cores, listening, (&tls, &logging, searching.pool()), &base)?;
    let service = Service {
        shards: running.figures.clone(),
        guard: Arc::clone(&guarding.guard),
        rules: Arc::clone(&tables.rules),
        warden: Arc::clone(&guarding.figures),
        lists: Arc::clone(&controlling.lists),
        kernel: controlling.kernel.clone(),
        log: logging.figures(),
        index: searching.figures(),
        certificates: tls.figures(),
    };
    let sources = ground.told(service);
    controlling.tell(sources.clone());
    let draining = Arc::clone(&sources.draining);
    let place = Place { core: None, shard_cores: &cores, weight: Weight::Full };
    let mut telling = claimed.tell(sources, place)?;
    let (ended, ends) = bounded(4);
    programs::watch(signals, controlling.keeper.clone(), move |signal| {
        // If nobody listens any more, the process is ending already.
        let _ = ended.send(signal);
    })?;
    telling.serve(place)?;
    tell_start(dir, &views.load(), &cores, (&plain, &encrypted, &base));
    if let Ok(signal) = ends.recv() {
        draining.store(true, Ordering::Relaxed);
        systemd::stopping();
        tracing::info!(signal, drain_delay_ms = settings.drain_delay_ms, "draining");
        thread::sleep(Duration::from_millis(settings.drain_delay_ms));
    }
    telling.drain();
    drop(updating);
    let stopped = running.stop();
    searching.stop();
    drop(controlling);
    drop(telling);
    drop(guarding);
    logging.stop();
    stopped
}

/// How the search index is built, if there is to be one.
fn building(settings: &Settings) -> Option<Building> {
    let web = &settings.web;
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Some(Building {
        folder: web.search_dir.clone()?,
        threads: number(web.search_threads),
        memory_bytes: number(web.search_memory_mib).saturating_mul(1 << 20),
    })
}

fn open(dir: &Path, source: &Source) -> Result<View, Failure> {
    let view = View::of(Arc::clone(source.generation()), None)
        .map_err(|error| Failure::refused(format!("{}: {error}", dir.display())))?;
    // Before a listener opens: a core that waits for the disk holds up all of its connections.
    view.load();
    Ok(view)
}

pub(crate) fn usable_cores(settings: &Settings) -> Result<Vec<usize>, CoresError> {
    let Some(wanted) = &settings.cores else { return cores::allowed() };
    cores::check(wanted, &cores::online()?)?;
    Ok(wanted.clone())
}

/// The rules of listeners behind proxies, with the ports that these have got.
fn proxies(settings: &Settings, got: &[SocketAddr]) -> Arc<[Rule]> {
    let settled = |rule: &Rule| {
        let place = settings.listen.iter().position(|wanted| *wanted == rule.listen);
        let listen = place.and_then(|place| got.get(place)).copied().unwrap_or(rule.listen);
        Rule { listen, ..rule.clone() }
    };
    settings.proxies.iter().map(settled).collect()
}

/// What all cores stand on.
struct Ground<'a> {
    settings: &'a Settings,
    views: &'a Arc<ArcSwap<View>>,
    tables: &'a Tables,
    guarding: &'a Guarding,
}

/// The threads of all cores.
struct Running {
    figures: Vec<Arc<ShardFigures>>,
    threads: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Ground<'_> {
    /// Starts a thread on each core.
    fn start(
        &self,
        cores: &[usize],
        listening: Listening,
        (tls, logging, searches): (&Tls, &Logging, Pool),
        base: &str,
    ) -> Result<Running, Failure> {
        let (stop, stopped) = watch::channel(false);
        let site = Site {
            mount: self.settings.web.path.as_str().into(),
            base: base.into(),
            trusted: Trusted::of(&self.settings.web),
        };
        let sources = Sources {
            views: Arc::clone(self.views),
            rules: Arc::clone(&self.tables.rules),
            guard: Arc::clone(&self.guarding.guard),
        };
        let (reporters, recorders) = (self.guarding.reporters(), logging.recorders());
        let proxies = proxies(self.settings, &listening.addresses);
        let mut running = Running { figures: Vec::new(), threads: Vec::new(), stop };
        for ((place, core), listeners) in cores.iter().enumerate().zip(listening.of_cores) {
            let figures = Arc::new(ShardFigures::new(*core));
            let recorder = recorders.get(place).and_then(|one| one.try_recv().ok());
            let reception = Reception::new(sources.clone(), Arc::clone(&figures))
                .telling(reporters.try_recv().ok(), recorder);
            let worker = Worker {
                listeners,
                encrypted: listening.encrypted,
                acceptor: tls.acceptor(),
                proxies: Arc::clone(&proxies),
                shutdown: Duration::from_millis(self.settings.shutdown_ms),
                figures: Arc::clone(&figures),
                stop: stopped.clone(),
            };
            let answerer = Answerer::new(reception, site.clone(), searches.clone());
            running.threads.push(self.start_core(*core, worker, answerer).map_err(no_thread)?);
            running.figures.push(figures);
        }
        Ok(running)
    }

    fn start_core(
        &self,
        core: usize,
        worker: Worker,
        answerer: Answerer,
    ) -> io::Result<JoinHandle<()>> {
        let ms = Duration::from_millis;
        let web = &self.settings.web;
        let deadlines = Deadlines {
            first_byte: ms(web.first_byte_ms),
            idle: ms(web.idle_ms),
            write: ms(web.write_ms),
            total: ms(web.total_ms),
        };
        let connections_max = web.connections_max;
        let place = Place { core: Some(core), shard_cores: &[], weight: Weight::Full };
        aside::spawn(&format!("web-{core}"), place, move || {
            let connections = Connections::new(answerer, deadlines, Room::new(connections_max));
            if let Err(error) = worker.run(connections) {
                tracing::error!(core, %error, "a core cannot serve");
            }
        })
    }

    /// What status and figures are read from.
    fn told(&self, service: Service) -> status::Sources {
        status::Sources {
            views: Arc::clone(self.views),
            feed: None,
            spool: None,
            age: Arc::default(),
            age_max_s: self.settings.ready_age_max_s,
            serving: Arc::default(),
            draining: Arc::default(),
            service: Some(service),
            started_ms: clock::wall_ms(),
            now_ms: clock::wall_ms,
            steady_ms: clock::steady_ms,
        }
    }
}

impl Running {
    /// Accepts nothing more, and waits for the connections.
    fn stop(self) -> Result<(), Failure> {
        // Nobody is left to hear of it where all threads have ended.
        let _ = self.stop.send(true);
        let ended = self.threads.into_iter().map(JoinHandle::join);
        let panicked = ended.filter(Result::is_err).count();
        let mut totals = Totals::default();
        self.figures.iter().for_each(|of_core| totals.add(&of_core.counters.totals()));
        totals.log_stop(self.figures.iter().map(|one| one.engine.connections_open.get()).sum());
        if panicked == 0 {
            return Ok(());
        }
        Err(Failure::failed(format!("{panicked} cores ended by a panic; its message is above")))
    }
}

/// A certificate that is refused is said as other values of the file are.
fn no_tls(effective: &Effective, error: &TlsError) -> Failure {
    match error {
        TlsError::Certificate(_) => {
            Failure::refused(placed(effective, "web.certificates", &error.to_string()))
        }
        TlsError::Library(_) | TlsError::Thread(_) => Failure::failed(error),
    }
}

fn no_thread(error: io::Error) -> Failure {
    Failure::failed(format!("thread of a core: {error}"))
}

/// Says in the log, and to the service manager, that the server serves.
fn tell_start(
    dir: &Path,
    view: &View,
    cores: &[usize],
    (listen, encrypted, base): (&str, &str, &str),
) {
    let told = |addresses| Some(addresses).filter(|addresses: &&str| !addresses.is_empty());
    let (generation, domains) = (view.generation(), view.data().count(Kind::Domain));
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        dir = %dir.display(),
        generation,
        domains,
        cores = %cores::format(cores),
        listen = told(listen),
        tls_listen = told(encrypted),
        base,
        "serving RDAP"
    );
    systemd::ready(&format!("serving generation {generation}, {domains} domains"));
}

//! How an operator reaches a server that runs: the keeper, the control socket, the kernel's sets.
//!
//! # Invariants
//!
//! - `good at the start`: a list with an error refuses to start; so does a control socket that was
//!   named and cannot be had. The usual one is done without, with a warning.
//!
//! # Does not
//!
//! Carry commands out: `control` does.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use serde_json::{Value, json};

use super::Failure;
use super::guarding::Guarding;
use super::logging::Logging;
use crate::config::{ConfigError, Settings};
use crate::control::{self, Blocks, Commands, Handle, Keeper, Kernel, ListWatcher, Part, Told};
use crate::observe::clock;
use crate::place::aside::{Place, Weight};
use crate::policy::Rules;
use crate::policy::lists::Lists;
use crate::status::Sources;

/// What shards answer under, swapped while they do.
#[derive(Clone)]
pub struct Tables {
    /// How answers read.
    pub rules: Arc<ArcSwap<Rules>>,
    /// Who is treated otherwise than the public.
    pub lists: Arc<ArcSwap<Lists>>,
}

impl Tables {
    /// As the settings say, without lists yet.
    pub fn new(settings: &Settings) -> Self {
        let rules = Arc::new(ArcSwap::new(Arc::clone(settings.answers.rules())));
        Self { rules, lists: Arc::new(ArcSwap::from_pointee(Lists::default())) }
    }

    /// Whether there is a tier of a name, for the lists.
    pub fn has_tier(&self) -> control::HasTier {
        let rules = Arc::clone(&self.rules);
        Box::new(move |name| rules.load().tier(name).is_some())
    }
}

/// The threads that an operator reaches; dropped, they end.
pub struct Controlling {
    ending: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    /// Reads configuration and lists again.
    pub keeper: Handle,
    /// How the files of lists fare.
    pub lists: Arc<control::Figures>,
    /// How the kernel's sets fare, if there are some.
    pub kernel: Option<Arc<control::InKernel>>,
    /// The sources of figures, once the shards run.
    told: Arc<OnceLock<Sources>>,
}

impl Controlling {
    /// Reads the lists, and starts the threads beside the shards.
    pub fn start(
        load: impl Fn() -> Result<Settings, ConfigError> + Send + 'static,
        settings: &Settings,
        tables: &Tables,
        guarding: &Guarding,
        logging: &Logging,
        cores: &[usize],
    ) -> Result<Self, Failure> {
        let blocks: Arc<dyn Blocks> = guarding.desk();
        let lists = Arc::clone(&tables.lists);
        let mut watch =
            ListWatcher::new(settings.policy.lists.clone(), Arc::clone(&lists), tables.has_tier());
        let looked = watch.look(clock::wall_ms(), true);
        if !looked.errors.is_empty() {
            return Err(Failure::refused(looked.errors.join("\n")));
        }
        let list_figures = watch.figures();
        let keeper = Keeper {
            load: Box::new(move || {
                let settings = load()?;
                // Without it the server could not start again; so a file that is being written, and
                // is empty yet, is refused.
                settings.dir()?;
                Ok(settings)
            }),
            started: settings.clone(),
            parts: parts(tables, guarding, logging),
            watch,
            now_ms: clock::wall_ms,
            reloading: super::systemd::reloading,
        };
        let no_thread = |error| Failure::failed(format!("thread of the control socket: {error}"));
        let place = Place { core: None, shard_cores: cores, weight: Weight::Least };
        let ending = Arc::new(AtomicBool::new(false));
        let (handle, thread) =
            control::start_keeper(keeper, Arc::clone(&ending), place).map_err(no_thread)?;
        let mut controlling = Self {
            ending,
            threads: vec![thread],
            keeper: handle.clone(),
            lists: Arc::clone(&list_figures),
            kernel: None,
            told: Arc::default(),
        };
        let told = || Arc::clone(&controlling.ending);
        if let Some(nftables) = settings.policy.nftables.clone() {
            let min_s = settings.policy.nftables_min_s;
            let (now_ms, steady_ms) = (clock::wall_ms, clock::steady_ms);
            let kernel = Kernel { nftables, min_s, now_ms, steady_ms };
            let started = kernel.start(Arc::clone(&blocks), told(), place);
            let (figures, thread) = started.map_err(no_thread)?;
            controlling.kernel = Some(figures);
            controlling.threads.push(thread);
        }
        let (in_kernel, program) = (controlling.kernel.clone(), settings.program.name());
        let status: Told = Box::new(move || {
            let kernel = in_kernel.as_ref().map(|kernel| gauges(&kernel.gauges()));
            json!({
                "program": program,
                "version": env!("CARGO_PKG_VERSION"),
                "process": std::process::id(),
                "lists": gauges(&list_figures.gauges()),
                "kernel": kernel,
            })
        });
        let sources = Arc::clone(&controlling.told);
        let figures: Told = Box::new(move || {
            let readout = sources.get().map(Sources::readout);
            // Every figure has a form in JSON.
            serde_json::to_value(readout).unwrap_or_default()
        });
        let commands = Commands { lists, blocks, keeper: handle, status, figures };
        if let Some(claimed) = socket(settings)? {
            // An operator who blocks an attacker does so while shards have no time to spare.
            let place = Place { weight: Weight::Full, ..place };
            let stop = Arc::clone(&controlling.ending);
            let serving = control::serve(claimed, Arc::new(commands), stop, place, control::SILENT);
            controlling.threads.push(serving.map_err(no_thread)?);
        }
        Ok(controlling)
    }
}

/// What a reload can change besides the lists.
fn parts(tables: &Tables, guarding: &Guarding, logging: &Logging) -> Vec<Box<dyn Part>> {
    let always: [Box<dyn Part>; 3] = [
        Box::new(control::Answers::new(Arc::clone(&tables.rules))),
        Box::new(control::LogLevel::default()),
        guarding.part(),
    ];
    always.into_iter().chain(logging.part()).collect()
}

impl Controlling {
    /// Tells figures from `sources` from now on.
    pub fn tell(&self, sources: Sources) {
        // It is set once.
        let _ = self.told.set(sources);
    }
}

fn gauges(gauges: &[(&str, &str, u64)]) -> Value {
    gauges.iter().map(|(name, _, value)| ((*name).to_owned(), Value::from(*value))).collect()
}

/// The control socket, if there is to be one and can be.
fn socket(settings: &Settings) -> Result<Option<control::Claimed>, Failure> {
    let Some(path) = settings.control_path() else { return Ok(None) };
    let is_named = settings.control.is_some();
    // A server of one snapshot file has no folder of its own.
    if !is_named && !path.parent().is_some_and(Path::is_dir) {
        return Ok(None);
    }
    match control::claim(&path) {
        Ok(claimed) => {
            tracing::debug!(path = %path.display(), "control socket");
            Ok(Some(claimed))
        }
        Err(problem) if is_named => {
            Err(Failure::failed(format!("{}: {problem}", settings.program.keys().control)))
        }
        Err(problem) => {
            let problem = problem.to_string();
            tracing::warn!(
                problem,
                key = settings.program.keys().control,
                "no control socket: `whoisd reload` and others cannot reach it"
            );
            Ok(None)
        }
    }
}

impl Drop for Controlling {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // If it panicked, standard error has the message.
            let _ = thread.join();
        }
    }
}

//! The keeper: one thread that reads configuration and lists again, and swaps what has changed.
//!
//! # Invariants
//!
//! - `whole or not`: every part makes what the new settings ask for before any part puts it in
//!   force; with an error in the configuration all stays as it was.
//! - `says so`: a setting that differs and cannot change while the server runs is named at every
//!   reload, with the value in force and the one that waits for a restart.
//!
//! # Does not
//!
//! Touch connections, or know what the parts are.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use serde_json::{Value, json};

use super::error::{ControlError, PartError};
use super::watch::{ListWatcher, Looked};
use crate::config::{Change, ConfigError, Settings, changes};
use crate::place::aside::{self, Place};

/// How often the files of lists are looked at.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// Reloads that wait at most; more are one.
const JOBS_MAX: usize = 4;
/// How long a command waits for its reload.
const REPLY_TIME: Duration = Duration::from_secs(110);

/// What can change while the server runs.
pub trait Part: Send {
    /// Whether a key, with its table, is its own.
    fn takes(&self, key: &str) -> bool;

    /// Makes what `settings` ask for, without putting it in force.
    ///
    /// # Errors
    ///
    /// Why it cannot be made: nothing of the configuration is put in force then.
    fn prepare(&mut self, settings: &Settings) -> Result<(), PartError>;

    /// Puts in force what was prepared last.
    fn commit(&mut self);
}

/// Reads the configuration as the server read it at its start.
pub type Load = Box<dyn FnMut() -> Result<Settings, ConfigError> + Send>;

/// What a keeper works on.
pub struct Keeper {
    /// Reads the configuration.
    pub load: Load,
    /// The settings that the server started with.
    pub started: Settings,
    /// What can change, besides the lists.
    pub parts: Vec<Box<dyn Part>>,
    /// The lists.
    pub watch: ListWatcher,
    /// The wall clock, ms since the epoch.
    pub now_ms: fn() -> i64,
    /// Called with true when a reload begins, with false when it has ended.
    pub reloading: fn(bool),
}

/// Asks a keeper to reload.
#[derive(Debug, Clone)]
pub struct Handle {
    jobs: Sender<Job>,
}

#[derive(Debug)]
struct Job {
    reply: Option<Sender<Result<Value, ControlError>>>,
}

impl Handle {
    /// Reads everything again and waits for what comes of it.
    ///
    /// # Errors
    ///
    /// What is wrong with the configuration; the one before stays in force.
    pub fn reload(&self) -> Result<Value, ControlError> {
        let (reply, outcome) = bounded(1);
        self.jobs.send_timeout(Job { reply: Some(reply) }, REPLY_TIME).map_err(|error| {
            if error.is_timeout() { ControlError::Reloading } else { ControlError::Ending }
        })?;
        outcome.recv_timeout(REPLY_TIME).map_err(|_| ControlError::Reloading)?
    }

    /// Has everything read again; what comes of it is in the log.
    pub fn reload_soon(&self) {
        // A reload that waits already will see the same files.
        let _ = self.jobs.try_send(Job { reply: None });
    }
}

/// Starts the keeper on a thread at `place`; it ends once `stop` is true.
///
/// # Errors
///
/// If there can be no further thread.
pub fn start(
    keeper: Keeper,
    stop: Arc<AtomicBool>,
    place: Place<'_>,
) -> io::Result<(Handle, JoinHandle<()>)> {
    let (jobs, queue) = bounded(JOBS_MAX);
    let thread = aside::spawn("keeper", place, move || run(keeper, &queue, &stop))?;
    Ok((Handle { jobs }, thread))
}

/// How often the thread checks whether to end.
const STOP_PAUSE: Duration = Duration::from_millis(100);

fn run(mut keeper: Keeper, queue: &Receiver<Job>, stop: &AtomicBool) {
    let mut in_force = keeper.started.clone();
    let mut waited = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        match queue.recv_timeout(STOP_PAUSE) {
            Ok(Job { reply }) => {
                (keeper.reloading)(true);
                let outcome = keeper.reload(&mut in_force);
                (keeper.reloading)(false);
                if let Err(error) = &outcome {
                    let error = error.to_string();
                    tracing::error!(error, "configuration refused; all stays as it was");
                }
                if let Some(reply) = reply {
                    // A client that has gone has the log.
                    let _ = reply.send(outcome);
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                waited += STOP_PAUSE;
                if waited >= LOOK_PAUSE {
                    waited = Duration::ZERO;
                    keeper.watch.look((keeper.now_ms)(), false);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Keeper {
    /// Reads the configuration again and puts in force what can change. `in_force` are the settings
    /// that were read last; what takes a restart is measured against the start.
    fn reload(&mut self, in_force: &mut Settings) -> Result<Value, ControlError> {
        let new = (self.load)()?;
        let can =
            |key: &str| key == "policy.lists" || self.parts.iter().any(|part| part.takes(key));
        let changed: Vec<Change> =
            changes(in_force, &new).into_iter().filter(|change| can(change.key)).collect();
        let restart: Vec<Change> =
            changes(&self.started, &new).into_iter().filter(|change| !can(change.key)).collect();
        let wanted: Vec<usize> = self
            .parts
            .iter()
            .enumerate()
            .filter(|(_, part)| changed.iter().any(|change| part.takes(change.key)))
            .map(|(index, _)| index)
            .collect();
        if in_force.answers != new.answers {
            // Lists that name a tier which is taken away would give its members another one.
            let has_tier = |name: &str| new.answers.rules().tier(name).is_some();
            self.watch.fits(&new.policy.lists, &has_tier, (self.now_ms)())?;
        }
        for index in &wanted {
            if let Some(part) = self.parts.get_mut(*index) {
                part.prepare(&new).map_err(ControlError::Part)?;
            }
        }
        for index in &wanted {
            if let Some(part) = self.parts.get_mut(*index) {
                part.commit();
            }
        }
        for change in &changed {
            tracing::info!("{change}");
        }
        for change in &restart {
            tracing::warn!("{change}; takes a restart");
        }
        self.watch.name(&new.policy.lists);
        let looked = self.watch.look((self.now_ms)(), true);
        *in_force = new;
        tracing::info!(changed = changed.len(), takes_restart = restart.len(), "reloaded");
        Ok(told(&changed, &restart, &looked))
    }
}

fn told(changed: &[Change], restart: &[Change], looked: &Looked) -> Value {
    let lines = |changes: &[Change], end: &str| {
        changes.iter().map(|change| format!("{change}{end}")).collect::<Vec<_>>()
    };
    json!({
        "changed": lines(changed, ""),
        "takes_restart": lines(restart, "; takes a restart"),
        "lists": {
            "files": looked.file_count,
            "entries": looked.entry_count,
            "expired": looked.expired_count,
            "errors": looked.errors,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use arc_swap::ArcSwap;

    use super::*;
    use crate::policy::lists::Lists;

    /// Takes the numbers of one table; refuses one value.
    struct Numbers {
        prepared_ms: u64,
        in_force_ms: Arc<ArcSwap<u64>>,
    }

    impl Part for Numbers {
        fn takes(&self, key: &str) -> bool {
            key == "port43.line_ms"
        }

        fn prepare(&mut self, settings: &Settings) -> Result<(), PartError> {
            self.prepared_ms = settings.port43.line_ms;
            if self.prepared_ms == 666 { Err("no such time".into()) } else { Ok(()) }
        }

        fn commit(&mut self) {
            self.in_force_ms.store(Arc::new(self.prepared_ms));
        }
    }

    struct World {
        folder: tempfile::TempDir,
        /// `None`: the configuration is refused.
        wanted: Arc<ArcSwap<Option<Settings>>>,
        line_ms: Arc<ArcSwap<u64>>,
        lists: Arc<ArcSwap<Lists>>,
        keeper: Keeper,
        in_force: Settings,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let started = Settings::default();
            let wanted = Arc::new(ArcSwap::from_pointee(Some(started.clone())));
            let line_ms = Arc::new(ArcSwap::from_pointee(started.port43.line_ms));
            let lists = Arc::new(ArcSwap::from_pointee(Lists::default()));
            let part = Numbers { prepared_ms: 0, in_force_ms: Arc::clone(&line_ms) };
            let source = Arc::clone(&wanted);
            let keeper = Keeper {
                load: Box::new(move || Option::clone(&source.load()).ok_or(REFUSED)),
                started: started.clone(),
                parts: vec![Box::new(part)],
                watch: ListWatcher::new(Vec::new(), Arc::clone(&lists), Box::new(|_| true)),
                now_ms: || 1_800_000_000_000,
                reloading: |_| {},
            };
            Self { folder, wanted, line_ms, lists, keeper, in_force: started }
        }

        fn reload(&mut self, settings: Option<Settings>) -> Result<Value, ControlError> {
            self.wanted.store(Arc::new(settings));
            self.keeper.reload(&mut self.in_force)
        }
    }

    const REFUSED: ConfigError = ConfigError::Missing { key: "server.dir", flag: "--dir DIR" };

    fn with(set: impl Fn(&mut Settings)) -> Settings {
        let mut settings = Settings::default();
        set(&mut settings);
        settings
    }

    #[test]
    fn what_can_change_is_swapped_and_what_cannot_says_so_each_time() {
        let mut world = World::new();
        let settings = with(|settings| {
            settings.port43.line_ms = 700;
            settings.shutdown_ms = 5;
        });
        let first = world.reload(Some(settings.clone())).unwrap();
        assert_eq!(first["changed"], json!(["port43.line_ms: changed from 5000 to 700"]));
        let restart = json!(["server.shutdown_ms: changed from 10000 to 5; takes a restart"]);
        assert_eq!(first["takes_restart"], restart);
        assert_eq!(**world.line_ms.load(), 700);
        let second = world.reload(Some(settings)).unwrap();
        assert_eq!(second["changed"], json!([]));
        assert_eq!(second["takes_restart"], restart);
        let back = world.reload(Some(Settings::default())).unwrap();
        assert_eq!(back["changed"], json!(["port43.line_ms: changed from 700 to 5000"]));
        assert_eq!(back["takes_restart"], json!([]));
    }

    #[test]
    fn with_an_error_all_stays_as_it_was() {
        let mut world = World::new();
        let list = world.folder.path().join("a.toml");
        fs::write(&list, "[[entry]]\nprefix = \"192.0.2.0/24\"\naction = \"deny\"\n").unwrap();
        let named = |line_ms| {
            let list = list.clone();
            with(move |settings| {
                settings.port43.line_ms = line_ms;
                settings.policy.lists = vec![list.clone()];
            })
        };
        let error = world.reload(None).unwrap_err();
        assert!(matches!(error, ControlError::Config(_)), "{error}");
        assert_eq!(world.reload(Some(named(666))).unwrap_err().to_string(), "no such time");
        assert_eq!(**world.line_ms.load(), 5000);
        assert_eq!(world.lists.load().count(), 0);
        let told = world.reload(Some(named(700))).unwrap();
        assert_eq!(
            (told["lists"]["files"].clone(), told["lists"]["entries"].clone()),
            (1.into(), 1.into())
        );
        assert_eq!(world.lists.load().count(), 1);
        fs::write(&list, "[[entry]]\n").unwrap();
        let told = world.reload(Some(named(700))).unwrap();
        let error = told["lists"]["errors"][0].as_str().unwrap();
        assert!(error.contains("a.toml:1: entry 1: prefix: is not set"), "{error}");
        assert_eq!(world.lists.load().count(), 1);
    }
}

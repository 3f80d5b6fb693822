//! The feed of a fleet: change records through a NATS JetStream stream.
//!
//! ```text
//! registry: Outbox ─▶ stream WHOISD, subject whoisd.changes ─▶ run, one durable consumer a node
//!                                                                │ in order, once
//!           publish-snapshot ─▶ object store ─▶ Refetch ◀─ gap ──┴─▶ Apply
//! ```
//!
//! [`run`] follows the stream on its own thread: it connects (`connect`), looks whether the stream
//! keeps what is put into it (`fitness`), and for the place that follows the last serial on the
//! disk (`locate`), receives (`session`), puts in order (`intake`), compares with what came before
//! (`history`), and hands over to [`Apply`]. [`Outbox`] is the other end.
//!
//! # Invariants
//!
//! - `acknowledged`: a message is acknowledged once [`Apply::apply`] has returned its records as
//!   taken in, or when it holds nothing that may ever be.
//! - `by serial`: where a node goes on is what its disk holds. The durable consumer's position is
//!   given up where the two differ.
//! - `bounded`: every list of held batches, wait and retry has a bound with a name.
//!
//! # Does not
//!
//! Hold up answers: it has its thread, and shares only [`Status`] and what [`Apply`] does.

mod backoff;
mod connect;
mod error;
mod fitness;
mod history;
mod intake;
mod locate;
mod outbox;
mod session;
mod status;

pub use crate::secret::Unreadable;
pub(crate) use backoff::Backoff;
pub use connect::{Address, SERVER_COUNT_MAX, STREAM, check_name};
pub(crate) use connect::{Connection, connect};
pub use error::{AddressError, Cause, ConnectError, NotStored, OutboxError, ServerError};
pub use outbox::{Last, Limits, Outbox, SendError, Sent};
pub use status::{Kind, Report, Status, Trouble};

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_lite::future;
use tokio::runtime::{Builder, Runtime};

use self::error::{FetchError, Lost};
use self::history::History;
use self::session::{Ended, Session};
use super::Apply;
use super::key::Trusted;
use super::message::Source;

/// How long the thread may take to notice that it should stop, apart from [`Apply`].
const STOP_PAUSE: Duration = Duration::from_millis(50);

/// Between two looks at a stream's configuration: somebody may have edited it.
const LOOK_PAUSE: Duration = Duration::from_secs(60);

/// What a node follows, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The stream.
    pub address: Address,
    /// Name of the node's durable consumer: its own on every node. Letters, digits, `_` and `-`.
    pub durable: String,
    /// Keys that have to have signed; empty: signatures are not looked at.
    pub trusted: Trusted,
    /// File for what the next run has to know of this one; beside the snapshot. Without it, less of
    /// a rewritten history is noticed after a restart.
    pub position: Option<PathBuf>,
    /// Reads the wall clock, ms since the epoch; for [`Status`] alone.
    pub now_ms: fn() -> i64,
    /// How long things may take.
    pub timing: Timing,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Until a server has answered.
    pub request: Duration,
    /// Between two looks at a stream where nothing happens.
    pub poll: Duration,
    /// Until a message that is missing is no longer expected to come late.
    pub gap: Duration,
    /// Until the server delivers again what was not acknowledged.
    pub acknowledge: Duration,
    /// Shortest pause after a failure.
    pub backoff_min: Duration,
    /// Longest pause after a failure.
    pub backoff_max: Duration,
    /// Between two looks at the stream's configuration.
    pub look: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(5),
            poll: Duration::from_secs(1),
            gap: Duration::from_secs(3),
            acknowledge: Duration::from_secs(30),
            backoff_min: Duration::from_millis(200),
            backoff_max: Duration::from_secs(30),
            look: LOOK_PAUSE,
        }
    }
}

/// What a node needs to go on, when the stream cannot give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The least serial that the generation has to hold.
    pub serial_min: u64,
    /// Whose serials these are, if another generation would be of no use.
    pub source: Option<Source>,
    /// Whether one will do as well that does not say whose serials it has.
    pub unnamed: bool,
    /// Why: what happened, for messages.
    pub why: String,
}

impl Wanted {
    /// Whether a generation with the serials of `source` will do.
    #[must_use]
    pub fn is_of(&self, source: Option<&Source>) -> bool {
        match (&self.source, source) {
            (None, _) => true,
            (Some(_), None) => self.unnamed,
            (Some(wanted), Some(source)) => wanted == source,
        }
    }
}

/// What was fetched: it is on the disk, and current.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The last serial that it holds.
    pub serial: u64,
    /// Whose serials these are, if it says so.
    pub source: Option<Source>,
}

/// Gets a newer generation than the node has; called on the thread of the feed.
pub trait Refetch {
    /// Fetches the newest generation that fits, and makes it current: [`Apply::serial`] says its
    /// serial afterwards.
    ///
    /// # Errors
    ///
    /// Why there is none; the node keeps what it has, and asks again after a pause.
    fn refetch(&mut self, wanted: &Wanted) -> Result<Fetched, Cause>;
}

/// Name of the file in a snapshot directory for [`Settings::position`].
pub const POSITION: &str = "nats.position";

/// The name of a node's durable consumer, made from the host's name.
#[must_use]
pub fn durable_of_host(host: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
    let host: String = host.trim().chars().map(word).take(connect::HOST_CHARS_MAX).collect();
    format!("whoisd-{host}")
}

/// The source that a node with this snapshot directory follows, if it follows one.
#[must_use]
pub fn source_of(dir: &Path) -> Option<Source> {
    History::read(&dir.join(POSITION)).source().cloned()
}

/// Notes whose serials the snapshot in a directory has, so that no other stream is followed from
/// it. To be called where a snapshot was fetched without [`run`].
///
/// # Errors
///
/// The file cannot be written.
pub fn note_source(dir: &Path, source: &Source) -> io::Result<()> {
    let mut history = History::default();
    history.restart(Some(source.clone()));
    history.write(&dir.join(POSITION))
}

/// A node without an object store.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRefetch;

/// There is no object store.
#[derive(Debug, thiserror::Error)]
#[error(
    "no object store is set to fetch a snapshot from; set feed.nats.objects, or import a deposit"
)]
struct NoObjects;

impl Refetch for NoRefetch {
    fn refetch(&mut self, _: &Wanted) -> Result<Fetched, Cause> {
        Err(NoObjects.into())
    }
}

/// Follows the stream until `stop` is set, whatever happens to servers, stream and messages. It
/// blocks, so it wants a thread of its own. Returns within about 100 ms of `stop`, apart from what
/// `apply` and `refetch` are doing.
///
/// # Errors
///
/// Settings that can never work; nothing was done.
pub fn run(
    settings: &Settings,
    apply: &mut dyn Apply,
    refetch: &mut dyn Refetch,
    stop: &AtomicBool,
    status: &Status,
) -> Result<(), AddressError> {
    settings.address.check()?;
    check_name("durable consumer", &settings.durable)?;
    let mut history = settings.position.as_deref().map(History::read).unwrap_or_default();
    let mut backoff = Backoff::new(settings.timing.backoff_min, settings.timing.backoff_max);
    let mut next_server = 0;
    let mut is_need_told = false;
    while !stop.load(Ordering::Relaxed) {
        let before = apply.serial();
        history.cut(before);
        status.update(|report| report.serial = before);
        let mut steady = false;
        let session = Session::new(settings, apply, &mut history, status, &mut steady);
        let ended = match runtime() {
            // One runtime a session: nothing of a lost connection goes on.
            Ok(runtime) => runtime.block_on(future::or(session.run(&mut next_server), asked(stop))),
            Err(error) => Ended::Lost(Lost::Runtime(error)),
        };
        status.update(|report| report.server = None);
        let (problem, kind) = match ended {
            Ended::Stopped => break,
            Ended::Lost(problem) => (problem.to_string(), Kind::Reach),
            Ended::Stuck(mut wanted) => {
                if wanted.source.is_none() {
                    // A newer generation of somebody else's serials would be another registry.
                    (wanted.source, wanted.unnamed) = (history.source().cloned(), true);
                }
                if !std::mem::replace(&mut is_need_told, true) {
                    let serial = wanted.serial_min;
                    tracing::info!(feed = "nats", serial, "a snapshot is needed");
                }
                match fetch(&wanted, apply, refetch, &mut history) {
                    Ok(()) => {
                        is_need_told = false;
                        write_position(settings, &history, status);
                        status.update(|report| {
                            report.refetch_count = report.refetch_count.saturating_add(1);
                            report.serial = apply.serial();
                            report.error = None;
                        });
                        // A snapshot that changes nothing would be fetched again at once.
                        if apply.serial() == before {
                            wait(backoff.pause(), stop);
                        } else {
                            backoff.reset();
                        }
                        continue;
                    }
                    Err(problem) => (format!("{}; {problem}", wanted.why), Kind::Data),
                }
            }
        };
        if stop.load(Ordering::Relaxed) {
            break;
        }
        status.trouble((settings.now_ms)(), &problem, kind);
        if steady || apply.serial() > before {
            backoff.reset();
        }
        wait(backoff.pause(), stop);
    }
    Ok(())
}

fn fetch(
    wanted: &Wanted,
    apply: &dyn Apply,
    refetch: &mut dyn Refetch,
    history: &mut History,
) -> Result<(), FetchError> {
    let fetched = refetch.refetch(wanted).map_err(FetchError::Refetch)?;
    let serial = apply.serial();
    if serial < wanted.serial_min {
        return Err(FetchError::Old { got: serial, min: wanted.serial_min });
    }
    if !wanted.is_of(fetched.source.as_ref()) {
        return Err(FetchError::OtherSource);
    }
    history.restart(fetched.source);
    Ok(())
}

/// Writes what the next run has to know, if there is a place for it.
fn write_position(settings: &Settings, history: &History, status: &Status) {
    if let Some(position) = &settings.position
        && let Err(error) = history.write(position)
    {
        let text = format!("{}: cannot write the feed's position: {error}", position.display());
        status.trouble((settings.now_ms)(), &text, Kind::Data);
    }
}

/// A runtime on the thread that calls it.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Ends when it is asked to.
async fn asked(stop: &AtomicBool) -> Ended {
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(STOP_PAUSE).await;
    }
    Ended::Stopped
}

/// Waits, or until it is asked to stop.
fn wait(pause: Duration, stop: &AtomicBool) {
    let mut left = pause;
    while !left.is_zero() && !stop.load(Ordering::Relaxed) {
        let piece = left.min(STOP_PAUSE);
        std::thread::sleep(piece);
        left = left.saturating_sub(piece);
    }
}

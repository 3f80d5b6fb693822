//! Threads that make searches, so that no look-up waits for one.
//!
//! # Invariants
//!
//! - `bounded`: so many searches wait at most; one more is refused at once.
//!
//! # Does not
//!
//! Know who asks, or what it costs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use tokio::sync::oneshot;
use whoisd::observe::clock;
use whoisd::place::aside::{self, Place};
use whoisd::policy::{Rules, Tier};
use whoisd::query::Shown;
use whoisd::query::rdap::{self, Caller, Document, Outcome, Request};
use whoisd::query::search::{Awaited, Index};
use whoisd::view::View;

use super::keeper::State;

/// Searches that wait at most, for each thread.
const WAITING_MAX: usize = 32;

/// A search that is to be made.
pub(crate) struct Job {
    pub(crate) view: Arc<View>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) request: Request,
    pub(crate) tier: Tier,
    pub(crate) base: Box<str>,
    pub(crate) target: String,
}

/// A search that was made.
pub(crate) struct Made {
    pub(crate) outcome: Outcome,
    pub(crate) body: Bytes,
    pub(crate) shown: Shown,
    /// When writing began, on [`clock::micros`].
    pub(crate) began_us: u64,
}

type Order = (Job, oneshot::Sender<Made>);

/// Where searches are handed in.
#[derive(Clone)]
pub(crate) struct Pool {
    orders: Sender<Order>,
    /// Whether there is an index at all.
    has_index: bool,
}

impl Pool {
    /// Starts the threads; they end once every pool is gone.
    pub(super) fn start(
        threads: usize,
        state: Option<&Arc<State>>,
        place: Place<'_>,
    ) -> std::io::Result<(Self, Vec<JoinHandle<()>>)> {
        let (orders, queue) = bounded(threads.saturating_mul(WAITING_MAX));
        let start = |number| {
            let (queue, state): (Receiver<Order>, _) = (queue.clone(), state.cloned());
            aside::spawn(&format!("search-{number}"), place, move || {
                serve(&queue, state.as_deref())
            })
        };
        let threads = (0..threads).map(start).collect::<std::io::Result<_>>()?;
        Ok((Self { orders, has_index: state.is_some() }, threads))
    }

    /// One without threads, which refuses every search.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn none() -> Self {
        Self { orders: bounded(0).0, has_index: false }
    }

    /// Whether there is an index at all.
    pub(crate) const fn has_index(&self) -> bool {
        self.has_index
    }

    /// Hands a search in; `None` if too many wait.
    pub(crate) fn order(&self, job: Job) -> Option<oneshot::Receiver<Made>> {
        let (done, made) = oneshot::channel();
        match self.orders.try_send((job, done)) {
            Ok(()) => Some(made),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => None,
        }
    }
}

fn serve(queue: &Receiver<Order>, state: Option<&State>) {
    let mut document = Document::timed(clock::micros);
    while let Ok((job, done)) = queue.recv() {
        // The client may have gone while it waited.
        if done.is_closed() {
            continue;
        }
        let reading = state.map(|state| state.reading.load_full());
        let index: Option<&dyn Index> = match &reading {
            None => None,
            Some(None) => Some(&Awaited),
            Some(Some(reading)) => Some(&**reading),
        };
        let caller = Caller { tier: job.tier, base: &job.base, target: &job.target, index };
        // A damaged index may make its library panic. That costs this search, not the thread.
        let answered = catch_unwind(AssertUnwindSafe(|| {
            rdap::answer(&job.view, &job.rules, &caller, &job.request, &mut document)
        }));
        let Ok(outcome) = answered else {
            if let Some(Some(reading)) = &reading {
                reading.note_broken();
            }
            document = Document::timed(clock::micros);
            continue;
        };
        let body = Bytes::copy_from_slice(document.bytes());
        let (shown, began_us) = (document.shown(), document.began_us());
        // As above.
        let _ = done.send(Made { outcome, body, shown, began_us });
    }
}

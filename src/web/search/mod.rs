//! Searches: the index behind them, the thread that keeps it, the threads that ask it.
//!
//! ```text
//! views ─▶ keeper ─▶ index (files) ─▶ Reading ─┐
//! connection ─▶ Pool ─▶ search threads ────────┴─▶ query::rdap ─▶ connection
//! ```
//!
//! # Does not
//!
//! Say what a search means, or what is shown: `whoisd::query` does.

mod backoff;
mod checksums;
mod keeper;
mod lock;
mod pool;
mod reading;
mod schema;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use whoisd::observe::IndexFigures;
use whoisd::place::aside::{self, Place, Weight};
use whoisd::serving::Failure;
use whoisd::view::View;

pub(crate) use keeper::{Building, State, check};
pub(crate) use pool::{Job, Made, Pool};

/// Threads that make searches.
const SEARCH_THREADS: usize = 2;

/// The index and the threads of searches.
pub(crate) struct Searching {
    pool: Pool,
    state: Option<Arc<State>>,
    keeper: Option<JoinHandle<()>>,
    searchers: Vec<JoinHandle<()>>,
}

impl Searching {
    /// Starts the threads; without a folder there is no index, and searches that need one are not
    /// offered.
    pub(crate) fn start(
        building: Option<Building>,
        views: Arc<ArcSwap<View>>,
        cores: &[usize],
    ) -> Result<Self, Failure> {
        let no_thread = |error| Failure::failed(format!("thread of searches: {error}"));
        let place = |weight| Place { core: None, shard_cores: cores, weight };
        let state = building.as_ref().map(|_| Arc::new(State::default()));
        let keeper = match (building, &state) {
            (Some(building), Some(state)) => {
                let folder: PathBuf = building.folder.clone();
                keeper::prepare(&folder).map_err(|error| {
                    Failure::failed(format!(
                        "web.search_dir: {}: {error}; name a folder that this process may write",
                        folder.display()
                    ))
                })?;
                let state = Arc::clone(state);
                let keep = move || keeper::keep(&building, &views, &state);
                Some(aside::spawn("search-index", place(Weight::Least), keep).map_err(no_thread)?)
            }
            _ => None,
        };
        let started = Pool::start(SEARCH_THREADS, state.as_ref(), place(Weight::Full));
        let (pool, searchers) = started.map_err(no_thread)?;
        Ok(Self { pool, state, keeper, searchers })
    }

    /// How the index is, if there is one.
    pub(crate) fn figures(&self) -> Option<Arc<IndexFigures>> {
        self.state.as_ref().map(|state| Arc::clone(&state.figures))
    }

    pub(crate) fn pool(&self) -> Pool {
        self.pool.clone()
    }

    /// Ends the threads, once no connection is left.
    pub(crate) fn stop(self) {
        if let Some(state) = &self.state {
            state.stop();
        }
        drop(self.pool);
        for thread in self.searchers.into_iter().chain(self.keeper) {
            // It has said on standard error if it panicked.
            let _ = thread.join();
        }
    }
}

//! Threads for work that must not disturb the shards.
//!
//! # Invariants
//!
//! - `aside`: such a thread keeps off the shards' cores where the process may use others, or to the
//!   core that it is given; it has the least weight that the kernel gives, or that of a shard.
//!
//! # Does not
//!
//! Know what the work is.

use std::io;
use std::thread::{self, JoinHandle};

use rustix::process::nice;
use rustix::thread::{CpuSet, sched_setaffinity};

use super::cores;

/// The least weight (nice(2)): about a seventieth of a shard's where they share a core.
const NICE: i32 = 19;

/// How much a thread counts where it shares a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// As much as a shard.
    Full,
    /// The least.
    Least,
}

/// Where a thread runs.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Its core; `None`: any that no shard has, if there are such.
    pub core: Option<usize>,
    /// Cores of the shards.
    pub shard_cores: &'a [usize],
    /// How much it counts.
    pub weight: Weight,
}

/// Gives the thread that calls this the least weight.
pub fn be_least() {
    // Not needed for the work: where the kernel refuses, it disturbs more.
    let _ = nice(NICE);
}

/// Starts `work` on a thread of its own beside the shards.
///
/// # Errors
///
/// If there can be no further thread.
pub fn spawn(
    name: &str,
    place: Place<'_>,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let Place { core, shard_cores, weight } = place;
    let free = || {
        let allowed = cores::allowed().unwrap_or_default();
        allowed.into_iter().filter(|other| !shard_cores.contains(other)).collect()
    };
    let own: Vec<_> = core.map_or_else(free, |core| vec![core]);
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        if weight == Weight::Least {
            be_least();
        }
        if !own.is_empty() {
            let mut set = CpuSet::new();
            own.into_iter().for_each(|core| set.set(core));
            // As above.
            let _ = sched_setaffinity(None, &set);
        }
        work();
    })
}

//! Threads for work that must not disturb the shards.
//!
//! # Invariants
//!
//! - `aside`: such a thread has the least weight that the kernel gives, and keeps off the shards'
//!   cores where the process may use others.
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

/// Starts `work` on a thread of its own beside shards on `shard_cores`.
///
/// # Errors
///
/// If there can be no further thread.
pub fn spawn(
    name: &str,
    shard_cores: &[usize],
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let others: Vec<_> = cores::allowed()
        .unwrap_or_default()
        .into_iter()
        .filter(|core| !shard_cores.contains(core))
        .collect();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Neither is needed for the work: where the kernel refuses, it disturbs more.
        let _ = nice(NICE);
        if !others.is_empty() {
            let mut set = CpuSet::new();
            others.into_iter().for_each(|core| set.set(core));
            let _ = sched_setaffinity(None, &set);
        }
        work();
    })
}

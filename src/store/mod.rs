//! Generations on disk: a directory with a base, logs of changes over it, and the manifest that
//! ties them.
//!
//! ```text
//! MANIFEST                        which base and logs are current, which older states are kept
//! base-GGGGGGGGGG.snapshot        a base, as of generation G
//! delta-EEEEEEEEEE-KKKK.log       part K of log E: frames, one a batch, within a fixed length
//! LOCK                            locked by the one writer, whose pid it holds
//! *.new                           what is being written; the rest of a crash, if nobody writes
//! *.damaged                       what did not read, and was set aside when another state came
//! ```
//!
//! A batch is one frame at the end of the open log; once that is synced, its generation is current.
//! A fold begins a new log, writes the base that the logs before it make, and lets the manifest
//! name both. A frame is never overwritten: after a failure the log goes on in its next part, whose
//! head says which generation it continues.
//!
//! # Invariants
//!
//! - `one writer`: a process that changes the directory holds the lock on `LOCK`, which the kernel
//!   releases with the process.
//! - `commit point`: the sync of a frame, or the rename of the manifest, makes a generation
//!   current. Everything that either relies on was complete and synced before, so a reader sees the
//!   old generation or the new one, whatever crashes.
//! - `acknowledged`: a batch that was appended without error is there after any crash.
//! - `immutable`: a base is never opened for writing after its rename, a log only after its last
//!   frame; both may be unlinked while readers still have them mapped.
//!
//! # Does not
//!
//! Know queries, policy or feeds; map files (`view` does).

mod base;
mod behind;
mod damage;
mod error;
pub mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod guard;
mod live;
mod log;
mod manifest;
mod reader;
mod room;
mod writer;

pub use base::NewBase;
pub use damage::{Standing, standing};
pub use error::{ManifestError, StoreError};
pub use files::{Files, Holder};
pub use guard::{
    AHEAD_MAX_MS, FEWER_PERCENT, Holds, Loss, Permit, Permits, Refusal, Weighed, believed,
};
pub use live::{Fold, Live, Stamp};
pub use log::Rest;
pub use manifest::{Chain, LogName, Manifest};
pub use reader::{Reader, open_chain, read_manifest};
pub use room::{DiskScratch, Room};
pub use writer::{Settings, Writer};

use snapshot_format::delta::Generation;

/// Name of the manifest.
pub const MANIFEST: &str = "MANIFEST";
pub(crate) const LOCK: &str = "LOCK";
/// Ending of a base's name.
const BASE_ENDING: &str = ".snapshot";
/// Ending of a log's name.
const LOG_ENDING: &str = ".log";
/// Ending of a file that is being written; one that is found by a new writer is a crash's rest.
const ASIDE_ENDING: &str = ".new";
/// Ending of a file that was set aside because it did not read: nothing of ours removes it.
const DAMAGED_ENDING: &str = ".damaged";

/// A generation whose files are those of `F`.
pub type GenerationOf<F> = Generation<<F as Files>::Base, <F as Files>::Log>;

fn base_name(generation: u64) -> String {
    format!("base-{generation:010}{BASE_ENDING}")
}

/// The generation of a base's name.
fn generation_of(name: &str) -> Option<u64> {
    name.strip_prefix("base-")?.strip_suffix(BASE_ENDING)?.parse().ok()
}

/// The log that a file is a part of, and which.
fn part_of(name: &str) -> Option<(u64, u32)> {
    let numbers = name.strip_prefix("delta-")?.strip_suffix(LOG_ENDING)?;
    let (epoch, number) = numbers.split_once('-')?;
    Some((epoch.parse().ok()?, number.parse().ok()?))
}

fn log_name(epoch: u64, number: u32) -> String {
    format!("delta-{epoch:010}-{number:04}{LOG_ENDING}")
}

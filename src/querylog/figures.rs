//! What the query log tells about itself: for metrics, on any thread.
//!
//! # Does not
//!
//! Know what is too much: alerts do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::ring::{Ring, RingFigures};

/// Counters that the writer's threads write and anybody reads.
#[derive(Debug, Default)]
pub struct Figures {
    rings: Vec<Arc<Ring>>,
    pub(super) written: AtomicU64,
    pub(super) written_bytes: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) ended_segments: AtomicU64,
    pub(super) deleted_files: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) last_error_ms: AtomicU64,
    pub(super) stream_sent: AtomicU64,
    pub(super) stream_dropped: AtomicU64,
    pub(super) stream_waiting: AtomicU64,
    pub(super) stream_connected: AtomicBool,
}

/// What [`Figures`] says at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Each shard's ring: what it dropped, what waits in it, what may wait.
    pub shards: Vec<RingFigures>,
    /// Queries written into files, since the start.
    pub written: u64,
    /// Bytes written into files, packed, since the start.
    pub written_bytes: u64,
    /// Queries that came to the writer and could not be written into files.
    pub lost: u64,
    /// Segments of files that were completed.
    pub ended_segments: u64,
    /// Files deleted for age or size.
    pub deleted_files: u64,
    /// Times that something with files failed.
    pub errors: u64,
    /// When something last failed, milliseconds since the Unix epoch; 0 for never.
    pub last_error_ms: u64,
    /// Queries that the stream's server has acknowledged.
    pub stream_sent: u64,
    /// Queries that could not be kept for the stream.
    pub stream_dropped: u64,
    /// Batches that wait for the stream's server.
    pub stream_waiting: u64,
    /// Whether there is a connection with a server of the stream.
    pub stream_connected: bool,
}

impl Figures {
    pub(super) fn new(rings: Vec<Arc<Ring>>) -> Self {
        Self { rings, ..Self::default() }
    }

    /// The figures now.
    #[must_use]
    pub fn report(&self) -> Report {
        let get = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        Report {
            shards: self.rings.iter().map(|ring| ring.figures()).collect(),
            written: get(&self.written),
            written_bytes: get(&self.written_bytes),
            lost: get(&self.lost),
            ended_segments: get(&self.ended_segments),
            deleted_files: get(&self.deleted_files),
            errors: get(&self.errors),
            last_error_ms: get(&self.last_error_ms),
            stream_sent: get(&self.stream_sent),
            stream_dropped: get(&self.stream_dropped),
            stream_waiting: get(&self.stream_waiting),
            stream_connected: self.stream_connected.load(Ordering::Relaxed),
        }
    }
}

impl Report {
    /// Queries that were answered and are not in the files, whatever the reason.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shards.iter().map(|shard| shard.dropped).sum::<u64>() + self.lost
    }
}

/// Adds to a figure.
pub(super) fn add(figure: &AtomicU64, count: u64) {
    figure.fetch_add(count, Ordering::Relaxed);
}

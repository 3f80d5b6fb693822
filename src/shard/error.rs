//! Why shards do not start, or break.

use std::io;

use glommio::GlommioError;
use nix::errno::Errno;

use super::listen::ListenError;
use super::system::SystemError;
use crate::port43::EngineError;

/// Why a shard does not start, or has broken.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// The system does not let the process have what shards need.
    #[error(transparent)]
    System(#[from] SystemError),
    /// The thread that wakes the shards cannot start.
    #[error("heartbeat: {source}")]
    Heartbeat {
        /// Why.
        source: io::Error,
    },
    /// The signal that wakes shards has no handler.
    #[error("signal that wakes shards: {source}")]
    Signal {
        /// Why.
        source: io::Error,
    },
    /// A shard's thread or its stop line cannot be made.
    #[error("shard on core {core}: {source}")]
    Thread {
        /// Its core.
        core: usize,
        /// Why.
        source: io::Error,
    },
    /// The timer that wakes a shard until its first task has run cannot be made.
    #[error("timer: {source}")]
    Timer {
        /// Why.
        source: Errno,
    },
    /// A shard's executor cannot be made.
    #[error("executor: {source}")]
    Executor {
        /// Why.
        source: io::Error,
    },
    /// A shard's executor cannot make the queue of its engine.
    #[error("task queue: {source}")]
    TaskQueue {
        /// Why.
        source: io::Error,
    },
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The engine cannot be had.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The engine's ring has broken.
    #[error("the kernel no longer turns the ring: {source}")]
    Turn {
        /// What the kernel says.
        source: io::Error,
    },
    /// A shard has panicked.
    #[error("shard on core {core}: it panicked")]
    Panicked {
        /// Its core.
        core: usize,
    },
}

/// An error of glommio's with its text. It cannot be shared between threads itself, as it may hold
/// what a thread has panicked with.
pub(super) fn shared(error: &GlommioError<()>) -> io::Error {
    io::Error::other(error.to_string())
}

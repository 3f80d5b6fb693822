//! Why a core cannot do its work.

use std::{fmt, io};

/// The kernel refuses what a core needs.
#[derive(Debug)]
pub enum EngineError {
    /// No ring can be made.
    Ring {
        /// Connections that it is for.
        connections: u32,
        /// What the kernel said.
        source: io::Error,
    },
    /// A ring that was made no longer takes requests.
    Turn(io::Error),
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ring { connections, source } => write!(
                f,
                "the kernel refuses a ring with {connections} connections ({source}); it needs \
                 Linux 6.1, and `ulimit -n` of at least that"
            ),
            Self::Turn(source) => write!(f, "the kernel no longer turns the ring: {source}"),
        }
    }
}

impl std::error::Error for EngineError {}

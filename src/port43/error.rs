//! Why the ring engine cannot carry the connections.

use std::io;

/// Why the ring engine cannot be had: what is missing, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The kernel cannot be tried out.
    #[error("it cannot be tried out ({source})")]
    NotTried {
        /// Why the thread of the trial cannot start.
        source: io::Error,
    },
    /// The kernel has no ring of the kind that the engine needs.
    #[error("a ring with deferred task work is refused ({source}; kernel 6.1 or later has it)")]
    Deferred {
        /// What the kernel says.
        source: io::Error,
    },
    /// The kernel does not list what its rings can do.
    #[error("the kernel does not say what its rings can do ({source})")]
    Unlisted {
        /// What the kernel says.
        source: io::Error,
    },
    /// The kernel's rings lack an operation.
    #[error("the kernel's rings have no {name}")]
    Operation {
        /// The operation.
        name: &'static str,
    },
    /// The configuration asks for the ring alone.
    #[error("server.engine: the ring cannot be had: {missing}; set \"auto\" or \"streams\"")]
    Wanted {
        /// Why it cannot be had.
        missing: Box<Self>,
    },
    /// The limit of descriptors is below what the ring's table takes.
    #[error(
        "the kernel refuses a table of {slots} sockets ({source}); raise LimitNOFILE to at least \
         that, or lower port43.connections_per_shard_max"
    )]
    Table {
        /// Sockets of the table.
        slots: u32,
        /// What the kernel says.
        source: io::Error,
    },
    /// The kernel has no memory for the ring.
    #[error(
        "the kernel has no memory for a ring of {slots} sockets ({source}); raise LimitMEMLOCK, or \
         lower port43.connections_per_shard_max"
    )]
    Memory {
        /// Sockets of the ring.
        slots: u32,
        /// What the kernel says.
        source: io::Error,
    },
    /// The kernel refuses the ring for another reason.
    #[error("the kernel refuses the ring ({source}); server.engine = \"streams\" works")]
    Ring {
        /// What the kernel says.
        source: io::Error,
    },
}

impl EngineError {
    /// Sorts the kernel's error about a ring of so many sockets.
    pub(super) fn of_ring(slots: u32, source: io::Error) -> Self {
        match source.raw_os_error() {
            Some(libc::EMFILE) => Self::Table { slots, source },
            Some(libc::ENOMEM) => Self::Memory { slots, source },
            _ => Self::Ring { source },
        }
    }
}

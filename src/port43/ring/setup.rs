//! What kind of ring the engine needs, and whether this kernel has it.
//!
//! # Invariants
//!
//! - What is tried out is what is used: both make their ring here.
//!
//! # Does not
//!
//! Make requests of a connection.

use std::io;

use io_uring::{IoUring, Probe, opcode};

/// Requests taken between two turns: three for each completion of a turn, and some.
pub(super) const SUBMISSIONS: u32 = 4_096;

/// The features that the engine cannot do without.
const NEEDED: [(u8, &str); 7] = [
    (opcode::Accept::CODE, "accept"),
    (opcode::Recv::CODE, "recv"),
    (opcode::Send::CODE, "send"),
    (opcode::Close::CODE, "close"),
    (opcode::Shutdown::CODE, "shutdown"),
    (opcode::Timeout::CODE, "timeout"),
    (opcode::AsyncCancel::CODE, "cancel"),
];

/// A ring of the engine's kind, with room for so many completions.
pub(super) fn setup(completions: u32) -> io::Result<IoUring> {
    IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all()
        .setup_cqsize(completions)
        .setup_clamp()
        .build(SUBMISSIONS)
}

/// Tries out whether the kernel has what the engine needs.
///
/// # Errors
///
/// What is missing, for a person.
pub(super) fn probe() -> Result<(), String> {
    let ring = setup(SUBMISSIONS).map_err(|error| {
        format!("a ring with deferred task work is refused ({error}; kernel 6.1 or later has it)")
    })?;
    let mut probe = Probe::new();
    ring.submitter()
        .register_probe(&mut probe)
        .map_err(|error| format!("the kernel does not say what its rings can do ({error})"))?;
    for (code, name) in NEEDED {
        if !probe.is_supported(code) {
            return Err(format!("the kernel's rings have no {name}"));
        }
    }
    ring.submitter()
        .register_files_sparse(1)
        .map_err(|error| format!("a table of sockets in the ring is refused ({error})"))
}

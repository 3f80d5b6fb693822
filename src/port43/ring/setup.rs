//! What kind of ring the engine needs, and whether this kernel has it, or any ring.
//!
//! # Invariants
//!
//! - What is tried out is what is used: both make their ring here.
//!
//! # Does not
//!
//! Make requests of a connection.

use std::io;
use std::thread;

use io_uring::{IoUring, Probe, opcode};

use super::{Sockets, trial};

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

/// The operations that came last (Linux 5.6) of those that glommio exits without.
const NEEDED_BY_GLOMMIO: [(u8, &str); 6] = [
    (opcode::OpenAt::CODE, "openat"),
    (opcode::Statx::CODE, "statx"),
    (opcode::Read::CODE, "read"),
    (opcode::Write::CODE, "write"),
    (opcode::Send::CODE, "send"),
    (opcode::Recv::CODE, "recv"),
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

/// Tries out whether the kernel has what the engine needs, and how it is to hold its sockets.
///
/// # Errors
///
/// What is missing, for a person.
pub(super) fn probe() -> Result<Sockets, String> {
    aside(probe_here).unwrap_or_else(|error| Err(format!("it cannot be tried out ({error})")))
}

fn probe_here() -> Result<Sockets, String> {
    let ring = setup(SUBMISSIONS).map_err(|error| {
        format!("a ring with deferred task work is refused ({error}; kernel 6.1 or later has it)")
    })?;
    if let Some(name) = missing(&ring, &NEEDED)? {
        return Err(format!("the kernel's rings have no {name}"));
    }
    // Without a table, or where it cannot be tried, descriptors do.
    Ok(trial::in_this_kernel().unwrap_or(Sockets::Ordinary))
}

/// Tries out whether the kernel lets this process have any ring at all, and whether rings do here
/// what glommio's executors need: both engines run in one.
///
/// # Errors
///
/// What the kernel says.
pub fn attempt() -> io::Result<()> {
    aside(|| {
        let ring = IoUring::new(2)?;
        match missing(&ring, &NEEDED_BY_GLOMMIO) {
            Ok(None) => Ok(()),
            Ok(Some(name)) => Err(io::Error::other(format!("its rings have no {name}"))),
            Err(unknown) => Err(io::Error::other(unknown)),
        }
    })?
}

/// Makes a trial on a thread of its own. The kernel takes a ring down some time after it is closed,
/// and interrupts what the thread that made it waits for by then.
fn aside<T: Send>(trial: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let trial = thread::Builder::new().name("trial".to_owned()).spawn_scoped(scope, trial)?;
        trial.join().map_err(|_panic| io::Error::other("the trial panicked"))
    })
}

/// The first operation of a list that the kernel's rings do not know.
fn missing<'a>(ring: &IoUring, needed: &[(u8, &'a str)]) -> Result<Option<&'a str>, String> {
    let mut probe = Probe::new();
    ring.submitter()
        .register_probe(&mut probe)
        .map_err(|error| format!("the kernel does not say what its rings can do ({error})"))?;
    Ok(needed.iter().find(|(code, _)| !probe.is_supported(*code)).map(|(_, name)| *name))
}

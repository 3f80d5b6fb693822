//! What kind of ring the engine needs, and whether this kernel has it, or any ring.
//!
//! # Invariants
//!
//! - The trial tries the ring that the engine uses: both are made here.
//!
//! # Does not
//!
//! Make requests of a connection.

use std::io;
use std::thread;
use std::time::Duration;

use io_uring::{IoUring, Probe, opcode};

use super::{Sockets, trial};
use crate::port43::EngineError;

/// Requests taken between two turns: three for each completion of a turn, and as many again.
/// Requests that find no place wait for the next turn.
pub(super) const SUBMISSIONS: u32 = 1_024;

/// The kernel's own bound.
const COMPLETIONS_MAX: u32 = 65_536;

/// How often, and how long each time, milliseconds, a ring is tried again that finds no memory: the
/// kernel gives that of a ring, such as of a server that has just ended, back some time later.
const TRIES: u32 = 25;
const PAUSE_MS: u64 = 10;

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

/// Completions that the kernel keeps without an allocation of its own: up to two for each slot,
/// which is the most that a slot has under way, rounded down to what a ring can have.
pub(super) fn completions_for(slots: u32) -> u32 {
    let wanted = slots.saturating_mul(2).clamp(SUBMISSIONS, COMPLETIONS_MAX);
    1 << wanted.ilog2()
}

/// What a ring for so many slots takes of the limit of locked memory, where the kernel counts
/// rings, bytes.
pub(super) fn locked_bytes(slots: u32) -> u64 {
    const PAGE: u64 = 4_096;
    let (submission, completion, index) = (64, 16, 4);
    let requests = u64::from(SUBMISSIONS).saturating_mul(submission);
    let heads = u64::from(SUBMISSIONS).saturating_mul(index).saturating_add(PAGE);
    let results = u64::from(completions_for(slots)).saturating_mul(completion);
    requests.saturating_add(heads).saturating_add(results).next_multiple_of(PAGE)
}

/// A ring of the engine's kind, with room for so many completions.
pub(super) fn setup(completions: u32) -> io::Result<IoUring> {
    let make = || {
        IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_cqsize(completions)
            .setup_clamp()
            .build(SUBMISSIONS)
    };
    for _ in 1..TRIES {
        match make() {
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {
                thread::sleep(Duration::from_millis(PAUSE_MS));
            }
            made => return made,
        }
    }
    make()
}

/// Tries out whether the kernel has what the engine needs, and how it is to hold its sockets.
///
/// # Errors
///
/// What is missing, for a person.
pub(super) fn probe() -> Result<Sockets, EngineError> {
    aside(probe_here).unwrap_or_else(|source| Err(EngineError::NotTried { source }))
}

fn probe_here() -> Result<Sockets, EngineError> {
    let ring = setup(SUBMISSIONS).map_err(|source| EngineError::Deferred { source })?;
    if let Some(name) = missing(&ring, &NEEDED)? {
        return Err(EngineError::Operation { name });
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
fn missing(
    ring: &IoUring,
    needed: &[(u8, &'static str)],
) -> Result<Option<&'static str>, EngineError> {
    let mut probe = Probe::new();
    ring.submitter()
        .register_probe(&mut probe)
        .map_err(|source| EngineError::Unlisted { source })?;
    Ok(needed.iter().find(|(code, _)| !probe.is_supported(*code)).map(|(_, name)| *name))
}

//! Ends the view when its terminal goes away or a signal asks for it, whatever the main thread
//! does.
//!
//! # Invariants
//!
//! - `ends`: within [`GRACE`] and a little more the process ends. The library that reads keys reads
//!   a terminal that hung up again and again and never returns; a server that does not answer, or a
//!   terminal that takes no output, holds the main thread as well.
//! - `terminal-given-back`: the main thread has [`GRACE`] to do it. After that it is done from
//!   here, as far as the terminal takes it.
//!
//! # Does not
//!
//! Draw, or read keys.

use std::fs::File;
use std::io::{self, IsTerminal, stdin};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};

/// How long the main thread may take to end by itself.
const GRACE: Duration = Duration::from_secs(1);
/// How long giving the terminal back may take once the main thread has not done it.
const RESTORE_TIME: Duration = Duration::from_millis(200);
/// How often the thread checks for a signal, milliseconds.
const LOOK_MS: u16 = 50;
/// Exit status after a signal or a hang-up that the main thread did not follow.
const STATUS: i32 = 1;

/// What ends the view from outside.
pub(super) struct Ending {
    asked: Arc<AtomicBool>,
}

impl Ending {
    /// Listens for signals, and watches the terminal that keys come from.
    pub(super) fn watch() -> io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&asked))?;
        }
        let (terminal, told) = (terminal()?, Arc::clone(&asked));
        let work = move || {
            while !told.load(Ordering::Relaxed) && !hung_up(&terminal) {}
            told.store(true, Ordering::Relaxed);
            thread::sleep(GRACE);
            let restore = thread::Builder::new().spawn(super::give_back);
            if restore.is_ok() {
                thread::sleep(RESTORE_TIME);
            }
            std::process::exit(STATUS);
        };
        thread::Builder::new().name("ending".to_owned()).spawn(work)?;
        Ok(Self { asked })
    }

    /// Whether it is time to end.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

/// The terminal that keys are read from: standard input, or else the one of the session.
fn terminal() -> io::Result<OwnedFd> {
    if stdin().is_terminal() {
        return stdin().as_fd().try_clone_to_owned();
    }
    Ok(File::open("/dev/tty")?.into())
}

/// Waits a moment; whether nobody is at the other end of the terminal any more.
fn hung_up(terminal: &OwnedFd) -> bool {
    let mut watched = [PollFd::new(terminal.as_fd(), PollFlags::empty())];
    match poll(&mut watched, PollTimeout::from(LOOK_MS)) {
        Ok(0) | Err(Errno::EINTR) => false,
        Ok(_) => {
            let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
            watched[0].revents().is_some_and(|events| events.intersects(gone))
        }
        // A descriptor that cannot be watched must not cost a core; signals still end the view.
        Err(_) => {
            thread::sleep(Duration::from_millis(LOOK_MS.into()));
            false
        }
    }
}

const _: () = assert!(GRACE.as_millis() + RESTORE_TIME.as_millis() < 1_500);

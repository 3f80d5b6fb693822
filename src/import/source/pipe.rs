//! Deposits that come through a pipe: kept in a scratch file, since a deposit is read twice, once
//! for its kind and once for its objects.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::cell::RefCell;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use snapshot_format::sort::Scratch;

use super::Shared;
use super::limit::beyond;

/// Most bytes of a pipe: a thousand times the largest registry's deposit.
const PIPE_BYTES_MAX: u64 = 1 << 40;

/// How often a pipe that is silent is left for a look whether to stop.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// What came through pipes, by their names. Clones share it.
#[derive(Clone, Default)]
pub struct Pipes {
    read: Rc<RefCell<Vec<(PathBuf, Shared, u64)>>>,
    stop: Arc<AtomicBool>,
}

impl Pipes {
    /// Pipes that are waited for until `stop` is true.
    #[must_use]
    pub fn until(stop: Arc<AtomicBool>) -> Self {
        Self { read: Rc::default(), stop }
    }

    /// What a pipe holds, and its length: read now, or before.
    pub(super) fn read(&self, path: &Path, scratch: &Rc<dyn Scratch>) -> io::Result<(Shared, u64)> {
        if let Some((_, file, bytes)) = self.read.borrow().iter().find(|known| known.0 == path) {
            return Ok((Rc::clone(file), *bytes));
        }
        let mut file = scratch.create()?;
        let mut from = Waiting::open(path, &self.stop)?.take(PIPE_BYTES_MAX.saturating_add(1));
        let bytes = io::copy(&mut from, &mut file)?;
        if bytes > PIPE_BYTES_MAX {
            return Err(beyond("more than 1 TiB through a pipe"));
        }
        let file: Shared = Rc::new(RefCell::new(Box::new(file)));
        self.read.borrow_mut().push((path.to_owned(), Rc::clone(&file), bytes));
        Ok((file, bytes))
    }
}

/// A pipe whose silence holds nobody up: a signal does not end a read that blocks, or the opening
/// of a pipe that nobody writes into.
struct Waiting<'a> {
    pipe: File,
    stop: &'a AtomicBool,
}

impl<'a> Waiting<'a> {
    fn open(path: &Path, stop: &'a AtomicBool) -> io::Result<Self> {
        let no_wait = OFlags::NONBLOCK.bits().cast_signed();
        let pipe = OpenOptions::new().read(true).custom_flags(no_wait).open(path)?;
        Ok(Self { pipe, stop })
    }
}

impl Read for Waiting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(io::Error::other("interrupted"));
            }
            let mut waited = [PollFd::new(&self.pipe, PollFlags::IN)];
            match poll(&mut waited, Some(&LOOK)) {
                Ok(0) | Err(Errno::INTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            match self.pipe.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The end may be that of a writer which the same signal ended.
                Ok(0) if self.stop.load(Ordering::Relaxed) => {}
                done => return done,
            }
        }
    }
}

impl fmt::Debug for Pipes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.read.borrow().iter().map(|(path, _, _)| path)).finish()
    }
}

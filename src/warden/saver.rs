//! Writes the blocks to their file on a thread of its own: a disk that stalls stops nothing else.
//!
//! # Invariants
//!
//! - `the last wins`: one state is written at a time; the next one is taken when that is done.
//! - `the end waits`: for [`END_TIME`] at most.
//!
//! # Does not
//!
//! Decide when to write.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::state;
use crate::place::aside::{self, Place};
use crate::policy::block::Block;

/// How long the end of the server waits for the file.
const END_TIME: Duration = Duration::from_secs(5);

/// How writing fares.
#[derive(Debug, Default)]
pub(super) struct Saving {
    busy: AtomicBool,
    failing: AtomicBool,
}

/// The thread that writes.
pub(super) struct Saver {
    path: PathBuf,
    states: Sender<Vec<Arc<Block>>>,
    saving: Arc<Saving>,
    /// Closed once the thread has ended.
    ended: Receiver<()>,
}

impl Saver {
    /// Starts the thread at `place`.
    pub(super) fn start(path: PathBuf, place: Place<'_>) -> io::Result<Self> {
        let (states, waiting) = bounded::<Vec<Arc<Block>>>(1);
        let (ending, ended) = bounded(0);
        let saving = Arc::new(Saving::default());
        let (told, at) = (Arc::clone(&saving), path.clone());
        let work = move || {
            for blocks in waiting {
                let done = state::write(&at, &blocks);
                if let Err(error) = &done
                    && !told.failing.load(Ordering::Relaxed)
                {
                    let path = at.display();
                    tracing::error!(%path, %error, "blocks cannot be kept: a restart loses them");
                }
                told.failing.store(done.is_err(), Ordering::Relaxed);
                told.busy.store(false, Ordering::Release);
            }
            drop(ending);
        };
        aside::spawn("blocks-save", place, work)?;
        Ok(Self { path, states, saving, ended })
    }

    /// Whether it writes still.
    pub(super) fn is_busy(&self) -> bool {
        self.saving.busy.load(Ordering::Acquire)
    }

    /// Whether the last state could not be written.
    pub(super) fn is_failing(&self) -> bool {
        self.saving.failing.load(Ordering::Relaxed)
    }

    /// Has a state written; only if it is not busy.
    pub(super) fn save(&self, blocks: Vec<Arc<Block>>) {
        self.saving.busy.store(true, Ordering::Relaxed);
        // There is room: it is not busy. If the thread panicked, standard error has the message.
        let _ = self.states.try_send(blocks);
    }

    /// Has the last state written, if there is one, and ends the thread.
    pub(super) fn end(self, last: Option<Vec<Arc<Block>>>) {
        let sent = last.is_none_or(|last| self.states.send_timeout(last, END_TIME).is_ok());
        drop(self.states);
        let is_done = self.ended.recv_timeout(END_TIME) == Err(RecvTimeoutError::Disconnected);
        if !sent || !is_done {
            let path = self.path.display();
            tracing::error!(%path, "a disk holds up the file of the blocks: the last may be lost");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs::OpenOptions;
    use std::io::Read;
    use std::thread;

    use crate::place::aside::Weight;
    use crate::policy::block::{Book, Cause, Terms};

    const PLACE: Place<'_> = Place { core: None, shard_cores: &[], weight: Weight::Full };

    #[test]
    fn a_disk_that_stalls_holds_up_nobody_but_this_thread() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blocks.json");
        // A process that opens a pipe to write into it waits until another one reads.
        let beside = folder.path().join("blocks.json.new");
        let made = std::process::Command::new("mkfifo").arg(&beside).status().unwrap();
        assert!(made.success());
        let saver = Saver::start(path, PLACE).unwrap();
        let mut book = Book::new(Terms::default(), [], 0);
        book.strike("192.0.2.1/32".parse().unwrap(), Cause::Limit, "", 0);
        saver.save(book.all());
        assert!(saver.is_busy(), "it waits, and who asked does not");
        let mut text = String::new();
        let mut disk = OpenOptions::new().read(true).open(&beside).unwrap();
        disk.read_to_string(&mut text).unwrap();
        assert!(text.contains("192.0.2.1/32"), "{text}");
        while saver.is_busy() {
            thread::yield_now();
        }
        // A pipe has nothing to sync.
        assert!(saver.is_failing());
        std::fs::remove_file(&beside).unwrap();
        saver.end(Some(book.all()));
        let kept = state::read(&folder.path().join("blocks.json"), true).unwrap();
        assert_eq!(kept.len(), 1);
    }
}

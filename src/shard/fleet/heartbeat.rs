//! Wakes every executor from outside, again and again: bounds a sleep that has no end.
//!
//! glommio 0.9 goes to sleep with runnable tasks if its preemption timer expires between its look
//! at I/O and its look at tasks, as it does when the machine takes the core away there:
//! `run_task_queues` then says that nothing ran. Timers and sockets of the executor do not help,
//! since the tasks that they wake stand in the queue that is not looked at. Wakes from other
//! threads come by an event descriptor that is armed before that. Without this, shards of both
//! engines hung for good, 5 of 6 times, under load beside a compiler.
//!
//! # Invariants
//!
//! - An executor sleeps at most [`HEARTBEAT_MS`] while one of its tasks can run.
//!
//! # Does not
//!
//! Know what the executors do.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

/// Distance of two wakes, milliseconds: the longest that the fault above can cost.
const HEARTBEAT_MS: u64 = 5;

/// The thread that wakes; it ends when this is dropped.
pub(super) struct Heartbeat {
    wakers: Sender<Waker>,
    _alive: Sender<Infallible>,
}

impl Heartbeat {
    /// Starts the thread, for so many executors.
    pub(super) fn start(executor_count: usize) -> Result<Self, String> {
        let (wakers, new) = bounded(executor_count);
        let (alive, ended) = bounded(0);
        let beat = move || beat(&new, &ended);
        let spawned = thread::Builder::new().name("heartbeat".to_owned()).spawn(beat);
        spawned.map_err(|error| format!("heartbeat: {error}"))?;
        Ok(Self { wakers, _alive: alive })
    }

    /// What an executor runs as a task of its own, to be woken.
    pub(super) fn pulse(&self) -> impl Future<Output = Infallible> + use<> {
        let mut wakers = Some(self.wakers.clone());
        poll_fn(move |context| {
            if let Some(wakers) = wakers.take() {
                // There is room for every executor.
                let _ = wakers.try_send(context.waker().clone());
            }
            Poll::Pending
        })
    }
}

fn beat(new: &Receiver<Waker>, ended: &Receiver<Infallible>) {
    let mut wakers = Vec::new();
    while let Err(RecvTimeoutError::Timeout) =
        ended.recv_timeout(Duration::from_millis(HEARTBEAT_MS))
    {
        wakers.extend(new.try_iter());
        wakers.iter().for_each(Waker::wake_by_ref);
    }
}

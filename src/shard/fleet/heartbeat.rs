//! Wakes every executor from outside, again and again: bounds a sleep that has no end.
//!
//! glommio 0.9 goes to sleep with runnable tasks if its preemption timer expires between its look
//! at I/O and its look at tasks, as it does when the machine takes the core away there:
//! `run_task_queues` then says that nothing ran. Timers and sockets of the executor do not help,
//! since the tasks that they wake are in the queue that is not looked at. Wakes from other threads
//! come by an event descriptor that is armed before that. Without this, shards of both engines hung
//! for good, 5 of 6 times, under load beside a compiler.
//!
//! A wake is itself an event that ends the executor's turn, and so one that the fault can meet. An
//! engine that shows signs of life ([`Pulse::alive`]) is woken only when they fail to come.
//!
//! # Invariants
//!
//! - An executor sleeps at most two beats while one of its tasks can run.
//!
//! # Does not
//!
//! Know what the executors do.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::shard::ShardError;

/// The thread that wakes; it ends when this is dropped.
pub(super) struct Heartbeat {
    sleepers: Sender<Sleeper>,
    _alive: Sender<Infallible>,
}

/// An executor that the thread wakes.
struct Sleeper {
    waker: Waker,
    signs: Arc<AtomicU64>,
    seen: Option<u64>,
}

/// An executor's side of the heartbeat.
pub(super) struct Pulse {
    sleepers: Sender<Sleeper>,
    signs: Arc<AtomicU64>,
}

impl Heartbeat {
    /// Starts the thread, for so many executors; it looks at them every `beat_ms`.
    pub(super) fn start(executor_count: usize, beat_ms: u64) -> Result<Self, ShardError> {
        let (sleepers, new) = bounded(executor_count);
        let (alive, ended) = bounded(0);
        let beat = move || beat(beat_ms, &new, &ended);
        let spawned = thread::Builder::new().name("heartbeat".to_owned()).spawn(beat);
        spawned.map_err(|source| ShardError::Heartbeat { source })?;
        Ok(Self { sleepers, _alive: alive })
    }

    /// The pulse of one executor.
    pub(super) fn pulse(&self) -> Pulse {
        Pulse { sleepers: self.sleepers.clone(), signs: Arc::default() }
    }
}

impl Pulse {
    /// What shows that the executor runs: to be called at least once a beat. An executor whose
    /// engine never calls it is woken at every beat.
    pub(super) fn alive(&self) -> impl Fn() + use<> {
        let signs = Arc::clone(&self.signs);
        // One thread writes; the other only sees whether it has changed.
        move || signs.store(signs.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed)
    }

    /// What an executor runs as a task of its own, to be woken.
    pub(super) fn beats(self) -> impl Future<Output = Infallible> {
        let mut pulse = Some(self);
        poll_fn(move |context| {
            if let Some(Self { sleepers, signs }) = pulse.take() {
                let waker = context.waker().clone();
                // There is room for every executor.
                let _ = sleepers.try_send(Sleeper { waker, signs, seen: None });
            }
            Poll::Pending
        })
    }
}

fn beat(beat_ms: u64, new: &Receiver<Sleeper>, ended: &Receiver<Infallible>) {
    let mut sleepers = Vec::new();
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(Duration::from_millis(beat_ms)) {
        sleepers.extend(new.try_iter());
        sleepers.iter_mut().for_each(Sleeper::look);
    }
}

impl Sleeper {
    /// Wakes the executor unless it has shown a sign of life since the last look.
    fn look(&mut self) {
        let signs = self.signs.load(Ordering::Relaxed);
        if self.seen.replace(signs).is_none_or(|seen| seen == signs) {
            self.waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Wake};

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicU64);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn an_executor_is_woken_when_it_shows_no_sign_of_life_and_only_then() {
        let wakes = Arc::new(Wakes::default());
        let (sleepers, new) = bounded(1);
        let pulse = Pulse { sleepers, signs: Arc::default() };
        let alive = pulse.alive();
        let mut beats = std::pin::pin!(pulse.beats());
        let waker = Waker::from(Arc::clone(&wakes));
        assert!(beats.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let mut sleeper = new.try_recv().unwrap();
        let mut woken_by_look = || {
            let before = wakes.0.load(Ordering::Relaxed);
            sleeper.look();
            wakes.0.load(Ordering::Relaxed) - before
        };
        // Nothing is known of it yet.
        assert_eq!(woken_by_look(), 1);
        alive();
        assert_eq!(woken_by_look(), 0);
        assert_eq!(woken_by_look(), 1);
        assert_eq!(woken_by_look(), 1);
        alive();
        alive();
        assert_eq!(woken_by_look(), 0);
    }
}

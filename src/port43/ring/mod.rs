//! The ring engine: connections on the shard's own io_uring ring, driven from inside the executor.
//!
//! ```text
//! executor ──▶ Engine::serve: turn the ring, at most one tick long
//!    ▲              │ completions        ▲ requests
//!    │ yield        ▼                    │
//!    └───────── Driver: slots, buffers, deadlines; one Connection each
//! ```
//!
//! The engine's task waits inside its own ring, whose tick ends the wait, and hands over to the
//! executor at each tick. So there is one place to sleep, and no
//! wake-up between two rings that could be lost; what it costs an idle shard is one short turn per
//! tick (ARCHITECTURE.md has the figure).
//!
//! # Invariants
//!
//! - `tick-armed`: while the engine waits, a tick is under way.
//! - `other-work`: the executor's other tasks run once per tick, whatever the load
//!   (benches/src/bin/other-work.rs measures it).
//!
//! # Does not
//!
//! Decide anything about a connection: `Connection` and the driver do.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod driver;
mod kernel;
mod memory;
mod raw;
mod setup;
#[cfg(test)]
mod simulation;
mod slots;
mod trial;

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use futures_lite::future;
use socket2::Socket;

use self::driver::Driver;
use self::kernel::{Completion, Op};
use self::raw::Ring;
use self::slots::Sizes;
use super::limits::{
    COMPLETIONS_PER_TURN, DEAF_MS_MAX, Settings, TICK_MS, TURNS_BEFORE_OTHERS_MAX,
};
use super::measure::Moment;
use super::shares::random_key;
use super::{Answering, EngineError, Gate};
use crate::observe::{ShardFigures, counters};

/// How long a stopping engine takes connections out of its listeners' queues at most, milliseconds
/// (and half of its time to drain): a queue of 4,096 takes 160 ms, and under load it has no end.
const EMPTYING_MS_MAX: u64 = 500;

pub use self::setup::attempt;

/// How the engine holds the sockets of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sockets {
    /// In the table of its own ring, which no other shard touches.
    Direct,
    /// As descriptors of the process: where the kernel lets go of a table's sockets late.
    Ordinary,
}

/// Tries out whether this kernel can carry the engine, and how it is to hold its sockets.
///
/// # Errors
///
/// What is missing, for a person.
pub fn probe() -> Result<Sockets, EngineError> {
    setup::probe()
}

/// What the ring of one shard takes of the limit of locked memory, where the kernel counts rings,
/// bytes: for so many connections, and accepts of so many listeners.
#[must_use]
pub fn locked_bytes(connections_max: u64, listener_count: usize) -> u64 {
    setup::locked_bytes(Sizes::fit(connections_max, listener_count, u32::MAX).slots)
}

/// The engine of one shard.
pub struct Engine<A: Answering> {
    driver: Driver<A>,
    ring: Ring<A::Buffer>,
    figures: Arc<ShardFigures>,
    /// When the executor was handed over to last.
    handed_over_ms: u64,
    /// Turns since then.
    turns: u32,
    heard: Heard,
}

/// Until when everything that has happened is known. A shard that was kept from its core for longer
/// than a deadline finds a query that came in time beside the tick, or after more completions than
/// a turn takes: no client is cut for what the shard has not looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    until_ms: u64,
    /// When the turn before this one was.
    turned_ms: u64,
}

impl Heard {
    /// A turn at `now` has brought so many completions. Those that were there before the moment of
    /// the last turn are among them, if there was room for all.
    fn turned(&mut self, completion_count: usize, now: Moment) -> u64 {
        if completion_count < COMPLETIONS_PER_TURN {
            self.until_ms = self.turned_ms;
        }
        self.turned_ms = now.ms;
        self.until_ms.max(now.ms.saturating_sub(DEAF_MS_MAX))
    }
}

/// What a turn brought.
#[derive(Clone, Copy)]
struct Turned {
    /// The tick.
    ticked: bool,
    /// A connection.
    accepted: bool,
}

impl<A: Answering> Engine<A> {
    /// An engine that answers what comes to `listeners`, each a socket with its gate, through
    /// `answering`, and counts in `figures`. It holds its connections as `sockets` says, at most
    /// `slots_max` with its accepts. Must be made on the thread that serves.
    ///
    /// # Errors
    ///
    /// If the kernel refuses the ring; the message says what to do.
    pub fn new(
        answering: A,
        settings: Settings,
        listeners: Vec<(Socket, Gate)>,
        (sockets, slots_max): (Sockets, u32),
        figures: Arc<ShardFigures>,
    ) -> Result<Self, EngineError> {
        let (listeners, gates): (Vec<_>, Vec<_>) = listeners.into_iter().unzip();
        let sizes = Sizes::fit(settings.connections_max, gates.len(), slots_max);
        let ring = Ring::new(sizes.slots, sockets, listeners)
            .map_err(|error| EngineError::of_ring(sizes.slots, error))?;
        let key = random_key();
        let driver = Driver::new(answering, settings, sizes, gates, Arc::clone(&figures), key);
        let (handed_over_ms, turns) = (0, 0);
        Ok(Self { driver, ring, figures, handed_over_ms, turns, heard: Heard::default() })
    }

    /// Serves until `stop` is ready, then drains: what the kernel has accepted by then is served,
    /// and connections have `drain_ms` to end. Returns how many it cut off. Until the stop it
    /// calls `alive` in every turn, at least once per tick.
    ///
    /// Must run inside a glommio executor.
    ///
    /// # Errors
    ///
    /// If the kernel no longer turns the ring.
    pub async fn serve(
        mut self,
        stop: impl Future<Output = ()> + 'static,
        drain_ms: u64,
        alive: impl Fn(),
    ) -> io::Result<u64> {
        let stopped = Rc::new(Cell::new(false));
        let told = Rc::clone(&stopped);
        let stop = glommio::spawn_local(async move {
            stop.await;
            told.set(true);
        });
        let mut completions = Vec::with_capacity(COMPLETIONS_PER_TURN);
        self.driver.refill(&mut self.ring, Moment::now());
        self.ring.tick();
        while !stopped.get() {
            self.turn(1, &mut completions).await?;
            alive();
        }
        stop.await;
        let stop_ms = Moment::now().ms;
        let until_ms = stop_ms.saturating_add(drain_ms);
        let emptying_ms = EMPTYING_MS_MAX.min(drain_ms / 2);
        self.empty_queues(stop_ms.saturating_add(emptying_ms), &mut completions).await?;
        self.driver.stop_accepting(&mut self.ring);
        while self.driver.accepting_count() > 0 && Moment::now().ms < until_ms {
            self.turn(1, &mut completions).await?;
        }
        self.ring.close_listeners();
        while self.driver.open_count() > 0 && Moment::now().ms < until_ms {
            self.turn(1, &mut completions).await?;
        }
        // The last requests, closes among them, go to the kernel before the ring ends.
        self.turn(0, &mut completions).await?;
        Ok(self.driver.open_count())
    }

    /// Takes in what waits in the listeners' queues, since closing a listener resets it: until a
    /// whole tick brings no more. A turn without waiting would say nothing: an accept that has just
    /// been asked for completes only where the kernel is asked for completions.
    async fn empty_queues(
        &mut self,
        until_ms: u64,
        completions: &mut Vec<Completion>,
    ) -> io::Result<()> {
        let mut came = true;
        while Moment::now().ms < until_ms {
            let turned = self.turn(1, completions).await?;
            came |= turned.accepted;
            if turned.ticked && !std::mem::replace(&mut came, false) {
                break;
            }
        }
        Ok(())
    }

    /// One turn of the ring and all that follows from it.
    async fn turn(&mut self, want: usize, completions: &mut Vec<Completion>) -> io::Result<Turned> {
        completions.clear();
        self.ring.turn(want, completions)?;
        let now = Moment::now();
        let heard_ms = self.heard.turned(completions.len(), now);
        let (mut ticked, mut accepted) = (false, false);
        for completion in completions.iter() {
            match completion.op {
                Op::Tick => ticked = true,
                Op::Accept => {}
                _ => self.driver.completed(&mut self.ring, *completion, now),
            }
        }
        // New connections last: a full shard makes room for them by closing silent clients, and one
        // that has asked meanwhile is not silent.
        for completion in completions.iter().filter(|completion| completion.op == Op::Accept) {
            accepted |= completion.result >= 0;
            self.driver.completed(&mut self.ring, *completion, now);
        }
        if ticked {
            self.driver.expire(&mut self.ring, heard_ms, now);
            self.ring.tick();
        }
        self.driver.serve_waiting(&mut self.ring, now);
        self.driver.refill(&mut self.ring, now);
        self.note(completions.len());
        // Not by the tick alone: under load it comes after other completions.
        self.turns = self.turns.saturating_add(1);
        let is_due = now.ms.saturating_sub(self.handed_over_ms) >= TICK_MS
            || self.turns >= TURNS_BEFORE_OTHERS_MAX;
        if ticked || is_due {
            (self.handed_over_ms, self.turns) = (now.ms, 0);
            hand_over().await;
        }
        Ok(Turned { ticked, accepted })
    }

    /// Keeps the figures of a turn that brought so many completions.
    fn note(&mut self, completion_count: usize) {
        let figures = &self.figures.engine;
        let completion_count = completion_count as u64;
        counters::add(&figures.turns, 1);
        counters::add(&figures.completions, completion_count);
        counters::add(&figures.requests_waited, self.ring.take_waited_count());
        figures.batch_max.set(figures.batch_max.get().max(completion_count));
        self.driver.note_levels();
    }
}

/// Lets everything else run that can. The executor leaves its queue of tasks at the first pause,
/// since its preemption timer is shorter than a tick, and looks at its timers and sockets; the
/// tasks that these wake come after the engine, and the second pause lets them run.
async fn hand_over() {
    future::yield_now().await;
    future::yield_now().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_counts_once_all_that_came_before_it_is_looked_at_and_waits_a_bounded_time() {
        let at = |ms: u64| Moment::of_us(1_000 * ms);
        let mut heard = Heard::default();
        assert_eq!([4, 8, 12].map(|ms| heard.turned(1, at(ms))), [0, 4, 8]);
        // Kept from the core until 700 ms; what came meanwhile is more than a turn takes.
        let full = COMPLETIONS_PER_TURN;
        assert_eq!(heard.turned(full, at(700)), 8);
        assert_eq!(heard.turned(full, at(701)), 8);
        assert_eq!(heard.turned(full - 1, at(702)), 701);
        assert_eq!(heard.turned(full, at(702 + DEAF_MS_MAX)), 702);
        assert_eq!(heard.turned(full, at(710 + DEAF_MS_MAX)), 710);
    }

    const UNIT: &str = include_str!("../../../deploy/whoisd.service");

    /// The kernel bounds the ring's table by the limit of descriptors: a lower one would cut
    /// connections without a word, since a smaller table is not an error.
    #[test]
    fn the_unit_allows_the_table_of_sockets_that_the_defaults_want() {
        let limit = UNIT.lines().find_map(|line| line.strip_prefix("LimitNOFILE="));
        let limit: u32 = limit.expect("the unit sets LimitNOFILE").parse().unwrap();
        let defaults = crate::config::Settings::default();
        let fit = |slots_max| {
            Sizes::fit(defaults.port43.connections_max, defaults.listen.len(), slots_max)
        };
        let wanted = fit(u32::MAX);
        assert_eq!(u64::from(wanted.connections), defaults.port43.connections_max);
        assert_eq!(fit(limit), wanted, "LimitNOFILE={limit} is too low");
        assert_ne!(fit(wanted.slots - 1), wanted, "the test would not see a lower limit");
    }
}

//! Starts the shards, hears of them, stops them, and collects what they counted.
//!
//! # Invariants
//!
//! - `ended-is-heard`: every shard reports its end, also one whose executor never started: the
//!   report is sent when the shard's closure is dropped.

mod heartbeat;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam::channel::{Sender, bounded};
use futures_lite::AsyncReadExt;
use glommio::net::{TcpListener, TcpStream};
use glommio::{Latency, LocalExecutor, LocalExecutorBuilder, Placement, Shares};
use nix::sys::signal::{SigEvent, SigevNotify, Signal};
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::ClockId;
use signal_hook::consts::SIGURG;

use self::heartbeat::{Heartbeat, Pulse};
use super::ShardError;
use super::error::shared;
use super::listen::{self, ListenError};
use super::system::{self, Locked};
use crate::observe::ShardFigures;
use crate::observe::counters::Totals;
use crate::port43::{self, Answering, EngineKind, Gate, Sockets, proxy, ring, stream};

/// Entries of a shard's rings: polls submitted between two turns.
pub const RING_ENTRIES: usize = 512;

/// How long a task may run before it is asked to yield.
const PREEMPT: Duration = Duration::from_millis(4);

/// The same beside the ring engine: shorter than its tick, so that each of its pauses makes the
/// executor look at its own timers and sockets.
const RING_PREEMPT: Duration = Duration::from_millis(2);

const _: () = assert!(RING_PREEMPT.as_millis() < port43::limits::TICK_MS as u128);

/// The same until that engine runs, for its executor must not sleep at its first turn ([`rouser`]):
/// long beside that turn, also where a tool that counts instructions slows it down.
const RING_BEGIN_PREEMPT: Duration = Duration::from_millis(100);

/// How often an executor is woken until it has looked at its first task.
const BEGIN_BEAT: Duration = Duration::from_millis(50);

/// How often an executor is looked at whose engine shows signs of life, milliseconds.
const RING_BEAT_MS: u64 = 20;

/// How often an executor is woken whose engine shows none, milliseconds: the longest that a sleep
/// without reason can cost.
const STREAMS_BEAT_MS: u64 = 5;

/// What all shards have in common.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Addresses that every shard listens on; ports are settled.
    pub listen: Vec<SocketAddr>,
    /// Which of them are behind proxies.
    pub proxies: Vec<Arc<proxy::Rule>>,
    /// The connection engine's settings.
    pub port43: port43::Settings,
    /// The connection engine.
    pub engine: EngineKind,
    /// How long connections in flight may go on after the stop, milliseconds.
    pub shutdown_ms: u64,
}

/// What a shard tells the control side.
#[derive(Debug)]
pub enum ShardReport {
    /// It has bound every address and serves.
    Ready,
    /// It has ended: after the stop, or because it could not start or broke.
    Ended,
}

/// What a shard did, reported at its end.
#[derive(Clone, Copy, Debug)]
struct Done {
    totals: Totals,
    cut_off_count: u64,
}

/// One running shard.
struct Shard {
    core: usize,
    figures: Arc<ShardFigures>,
    /// Closing it is the signal to stop.
    stop: UnixStream,
    handle: JoinHandle<Result<Done, ShardError>>,
}

/// All shards of this process.
pub struct Fleet {
    shards: Vec<Shard>,
    /// Ends after the shards.
    _heartbeat: Heartbeat,
}

/// Sends the end of a shard, whatever ends it.
struct EndReport<M>(Sender<M>, fn(ShardReport) -> M);

impl<M> Drop for EndReport<M> {
    fn drop(&mut self) {
        // Nobody hears it any more only if the control side has ended itself.
        let _ = self.0.send((self.1)(ShardReport::Ended));
    }
}

impl Fleet {
    /// Starts one shard on each core; `answering` makes each shard's own, which may add to the
    /// shard's figures. Reports come through
    /// `reports`, wrapped by `wrap`.
    ///
    /// # Errors
    ///
    /// If a thread or its stop line cannot be made. Errors inside a shard come as a report.
    pub fn start<A, F, M>(
        cores: &[usize],
        plan: &Plan,
        answering: &F,
        reports: &Sender<M>,
        wrap: fn(ShardReport) -> M,
    ) -> Result<Self, ShardError>
    where
        A: Answering + 'static,
        F: Fn(&Arc<ShardFigures>) -> A + Clone + Send + 'static,
        M: Send + 'static,
    {
        let (beat_ms, preempt, latency) = match plan.engine {
            EngineKind::Ring(_) => {
                (RING_BEAT_MS, RING_BEGIN_PREEMPT, Latency::Matters(RING_PREEMPT))
            }
            EngineKind::Streams => (STREAMS_BEAT_MS, PREEMPT, Latency::NotImportant),
        };
        let locked = Locked::check(cores.len(), ring_bytes(plan))?;
        let slots_max = system::slots_max(plan.engine, cores.len());
        if plan.engine == EngineKind::Ring(Sockets::Ordinary) {
            system::grow_descriptors(plan.port43.connections_max, cores.len());
        }
        let heartbeat = Heartbeat::start(cores.len(), beat_ms)?;
        // An ignored signal interrupts nothing: it needs a handler, which does nothing else.
        signal_hook::flag::register(SIGURG, Arc::default())
            .map_err(|source| ShardError::Signal { source })?;
        let (all_made, are_made) = bounded::<Infallible>(0);
        let mut shards = Vec::with_capacity(cores.len());
        for (made_count, &core) in cores.iter().enumerate() {
            locked.before_executor(made_count);
            let (made, is_made) = bounded::<Infallible>(0);
            let (stop, stopped) =
                UnixStream::pair().map_err(|source| ShardError::Thread { core, source })?;
            let (plan, answering) = (plan.clone(), answering.clone());
            let end = EndReport(reports.clone(), wrap);
            let pulse = heartbeat.pulse();
            let are_made = are_made.clone();
            let figures = Arc::new(ShardFigures::new(core));
            let own = Arc::clone(&figures);
            let life = move || {
                let thread = rustix::thread::gettid().as_raw_nonzero().get();
                own.engine.thread.set(u64::try_from(thread).unwrap_or(0));
                let executor = executor(core, preempt, locked)?;
                let rouser = rouser(thread)?;
                executor.run(async move {
                    drop((rouser, made));
                    // The engine's ring is made once the limit of locked memory is lifted.
                    let _ = are_made.recv();
                    let queue =
                        glommio::executor().create_task_queue(Shares::default(), latency, "engine");
                    let own = (answering(&own), own);
                    let engine = async move {
                        let done = run(&plan, own, slots_max, stopped, pulse, || {
                            let _ = end.0.send((end.1)(ShardReport::Ready));
                        });
                        let done = done.await;
                        drop(end);
                        done
                    };
                    let engine = glommio::spawn_local_into(engine, queue)
                        .map_err(|error| ShardError::TaskQueue { source: shared(&error) })?;
                    engine.await
                })
            };
            let handle = thread::Builder::new()
                .name(format!("shard-{core}"))
                .spawn(life)
                .map_err(|source| ShardError::Thread { core, source })?;
            shards.push(Shard { core, figures, stop, handle });
            // Until its executor has looked at its first task, or has failed.
            let _ = is_made.recv();
        }
        locked.lift();
        drop(all_made);
        Ok(Self { shards, _heartbeat: heartbeat })
    }

    /// The figures of every shard. They outlive the fleet.
    #[must_use]
    pub fn figures(&self) -> Vec<Arc<ShardFigures>> {
        self.shards.iter().map(|shard| Arc::clone(&shard.figures)).collect()
    }

    /// Tells all shards to stop, waits for them, and adds up what they counted. Connections in
    /// flight have the plan's `shutdown_ms`; the second number is how many did not make it.
    ///
    /// # Errors
    ///
    /// Why a shard could not start or broke: the first of them.
    pub fn stop(self) -> Result<(Totals, u64), ShardError> {
        let (stops, handles): (Vec<_>, Vec<_>) =
            self.shards.into_iter().map(|shard| (shard.stop, (shard.core, shard.handle))).unzip();
        drop(stops);
        let (mut totals, mut cut_off_count) = (Totals::default(), 0);
        let mut failure = None;
        for (core, handle) in handles {
            match handle.join() {
                Ok(Ok(done)) => {
                    totals.add(&done.totals);
                    cut_off_count += done.cut_off_count;
                }
                Ok(Err(error)) => failure = failure.or(Some(error)),
                Err(_panic) => failure = failure.or(Some(ShardError::Panicked { core })),
            }
        }
        failure.map_or(Ok((totals, cut_off_count)), Err)
    }
}

/// What the ring of each shard's engine takes of the limit of locked memory, bytes.
fn ring_bytes(plan: &Plan) -> u64 {
    match plan.engine {
        EngineKind::Ring(_) => ring::locked_bytes(plan.port43.connections_max, plan.listen.len()),
        EngineKind::Streams => 0,
    }
}

/// A timer whose signals wake this thread, whose number is `thread`, until it is dropped. The fault
/// that the heartbeat guards against meets an executor at its very first turn as well, before a
/// task of its own can be woken: one whose preemption timer expires first sleeps with that task
/// unrun. A signal ends its sleep; the kernel's timer needs no other thread of this process.
fn rouser(thread: i32) -> Result<Timer, ShardError> {
    let failed = |source| ShardError::Timer { source };
    let signal = Signal::SIGURG;
    let notify = SigevNotify::SigevThreadId { signal, thread_id: thread, si_value: 0 };
    let mut timer = Timer::new(ClockId::CLOCK_MONOTONIC, SigEvent::new(notify)).map_err(failed)?;
    timer
        .set(Expiration::Interval(BEGIN_BEAT.into()), TimerSetTimeFlags::empty())
        .map_err(failed)?;
    Ok(timer)
}

/// Makes a shard's executor.
fn executor(core: usize, preempt: Duration, locked: Locked) -> Result<LocalExecutor, ShardError> {
    let make = || {
        LocalExecutorBuilder::new(Placement::Fixed(core))
            .name("shard")
            .io_memory(system::REGISTERED_BYTES)
            .ring_depth(RING_ENTRIES)
            .preempt_timer(preempt)
            .make()
    };
    // Other processes of this user may have used the limit up.
    let made = make().or_else(|_| {
        locked.lift();
        make()
    });
    made.map_err(|error| ShardError::Executor { source: shared(&error) })
}

/// A shard's life, inside its executor.
async fn run<A: Answering + 'static>(
    plan: &Plan,
    (answering, figures): (A, Arc<ShardFigures>),
    slots_max: u32,
    stopped: UnixStream,
    pulse: Pulse,
    ready: impl FnOnce(),
) -> Result<Done, ShardError> {
    let counting = Arc::clone(&figures);
    let alive = pulse.alive();
    let pulse = glommio::spawn_local(pulse.beats());
    let cut_off_count = match plan.engine {
        EngineKind::Ring(sockets) => {
            let open = |address: &SocketAddr| {
                let listener = listen::open(*address, plan.port43.backlog_count)?;
                Ok::<_, ListenError>((listener, Gate::new(*address, &plan.proxies)))
            };
            let listeners = plan.listen.iter().map(open).collect::<Result<_, _>>()?;
            let held = (sockets, slots_max);
            let engine = ring::Engine::new(answering, plan.port43, listeners, held, counting)?;
            ready();
            let served = engine.serve(end_of(stopped), plan.shutdown_ms, alive).await;
            served.map_err(|source| ShardError::Turn { source })?
        }
        EngineKind::Streams => {
            let bind = |&address: &SocketAddr| {
                let listener = TcpListener::bind(address)
                    .map_err(|error| ListenError::new(address, io::Error::from(error)))?;
                Ok::<_, ListenError>((listener, Gate::new(address, &plan.proxies)))
            };
            let listeners = plan.listen.iter().map(bind).collect::<Result<_, _>>()?;
            let engine = stream::Engine::new(answering, plan.port43, counting);
            ready();
            engine.serve(listeners, end_of(stopped), plan.shutdown_ms).await
        }
    };
    pulse.cancel().await;
    Ok(Done { totals: figures.counters.totals(), cut_off_count })
}

/// Ready when the other end of the stop line is closed.
fn end_of(stopped: UnixStream) -> impl Future<Output = ()> {
    // glommio reads any stream socket as a TCP stream: it only ever calls `recv` on it.
    let mut line = TcpStream::from(socket2::Socket::from(stopped));
    async move {
        let mut byte = [0];
        while matches!(line.read(&mut byte).await, Ok(bytes) if bytes > 0) {}
    }
}

#[cfg(test)]
mod other_work_tests;
#[cfg(test)]
mod proxy_tests;
#[cfg(test)]
mod room_tests;
#[cfg(test)]
mod tests;

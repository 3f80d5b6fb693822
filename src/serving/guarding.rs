//! What guards a running server: lists, limits, blocks, and the thread that keeps their books.
//!
//! # Invariants
//!
//! - `orders end first`: the warden's thread ends once nobody can give it orders any more.
//!
//! # Does not
//!
//! Decide which queries are served: `policy::guard` does.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam::channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};
use ipnet::IpNet;

use super::Failure;
use crate::config::Settings;
use crate::control::{Blocked, Blocks, ControlError, Explained, LimitLeft, Part, PartError};
use crate::observe::clock;
use crate::place::aside::{Place, Weight};
use crate::policy::block::Block;
use crate::policy::guard::{self, Admission, Guard};
use crate::policy::limit::Use;
use crate::policy::lists::Lists;
use crate::policy::mining::Flag;
use crate::warden::{self, Order, Reporter, Reports, StateFound, Warden};

/// Orders that wait for the warden.
const ORDERS_MAX: usize = 16;

/// How long an order may take: the warden's turns take milliseconds.
const ORDER_TIME: Duration = Duration::from_secs(10);

/// The guard, and the warden's thread; dropped, it ends.
pub struct Guarding {
    /// What shards ask.
    pub guard: Arc<Guard>,
    /// What the warden has counted.
    pub figures: Arc<warden::Figures>,
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    reporters: Receiver<Reporter>,
}

impl Guarding {
    /// Reads the blocks that were kept, and starts the warden beside the shards.
    pub fn start(
        settings: &Settings,
        dir: &Path,
        lists: Arc<ArcSwap<Lists>>,
        cores: &[usize],
    ) -> Result<Self, Failure> {
        if let StateFound::Foreign(problem) = settings.warden.check_state(dir) {
            let key = settings.program.keys().blocks_state;
            return Err(Failure::refused(format!("{key}: {problem}")));
        }
        let [a, b, c, d, node] = secrets()?;
        let memory_bytes = usize::try_from(settings.limits_memory_bytes).unwrap_or(usize::MAX);
        let guard = Guard::new(settings.guard.clone(), lists, memory_bytes, [a, b, c, d]);
        let guard = Arc::new(guard);
        let (rings, reporters) = Reports::new(cores.len());
        let (handed, taken) = bounded(cores.len());
        for reporter in reporters {
            // There is room for all of them.
            let _ = handed.send(reporter);
        }
        let (orders, obeyed) = bounded(ORDERS_MAX);
        let place = Place { core: None, shard_cores: cores, weight: Weight::Full };
        let failed = |error| Failure::failed(format!("thread that keeps blocks: {error}"));
        let settings = settings.warden.clone();
        let warden = Warden::new(settings, dir, Arc::clone(&guard), rings, obeyed, place, node)
            .map_err(failed)?;
        let figures = warden.figures();
        let thread = warden::start(warden, place).map_err(failed)?;
        Ok(Self { guard, figures, orders: Some(orders), thread: Some(thread), reporters: taken })
    }

    /// The ends of the rings, one for each shard.
    pub fn reporters(&self) -> Receiver<Reporter> {
        self.reporters.clone()
    }

    /// What an operator asks.
    pub fn desk(&self) -> Arc<Desk> {
        Arc::new(Desk { guard: Arc::clone(&self.guard), orders: self.orders.clone() })
    }

    /// What a reload can put in force.
    pub fn part(&self) -> Box<dyn Part> {
        let (guard, orders) = (Arc::clone(&self.guard), self.orders.clone());
        Box::new(Reloaded { guard, orders, prepared: None })
    }
}

/// Blocks and limits, for an operator.
pub struct Desk {
    guard: Arc<Guard>,
    orders: Option<Sender<Order>>,
}

impl Desk {
    /// Gives an order and waits for what comes of it.
    fn order<T>(&self, order: impl FnOnce(Sender<T>) -> Order) -> Result<T, ControlError> {
        let (reply, outcome) = bounded(1);
        let orders = self.orders.as_ref().ok_or(ControlError::Ending)?;
        orders.send_timeout(order(reply), ORDER_TIME).map_err(|error| match error {
            SendTimeoutError::Timeout(_) => ControlError::Busy,
            SendTimeoutError::Disconnected(_) => ControlError::Ending,
        })?;
        outcome.recv_timeout(ORDER_TIME).map_err(|error| match error {
            RecvTimeoutError::Timeout => ControlError::Busy,
            RecvTimeoutError::Disconnected => ControlError::Ending,
        })
    }
}

impl Blocks for Desk {
    fn block(&self, prefix: IpNet, seconds: u64, reason: &str) -> Result<Blocked, ControlError> {
        let reason = reason.to_owned();
        let block = self.order(|reply| Order::Block { prefix, seconds, reason, reply })?;
        Ok(blocked(&block))
    }

    fn unblock(&self, prefix: IpNet) -> Result<Option<Blocked>, ControlError> {
        let block = self.order(|reply| Order::Unblock { prefix, reply })?;
        let now_ms = clock::wall_ms();
        Ok(block.filter(|block| block.holds(now_ms)).map(|block| blocked(&block)))
    }

    fn list(&self) -> Result<Vec<Blocked>, ControlError> {
        let all = self.order(|reply| Order::List { reply })?;
        let (now_ms, settings) = (clock::wall_ms(), self.guard.settings());
        let holds = |block: &&Arc<Block>| block.holds(now_ms) && settings.is_in_force(block);
        Ok(all.iter().filter(holds).map(|block| blocked(block)).collect())
    }

    fn flags(&self) -> Result<Vec<Flag>, ControlError> {
        self.order(|reply| Order::Flags { reply })
    }

    fn loopback_is_free(&self) -> bool {
        self.guard.settings().loopback_free
    }

    fn explain(&self, address: IpAddr) -> Explained {
        let settings = self.guard.settings();
        let kept = || {
            let counts = |block: &Block| settings.is_in_force(block);
            let blocks = self.guard.blocks();
            let kept = blocks.of(address.to_canonical(), clock::wall_ms(), counts);
            kept.map(|block| blocked(block))
        };
        match self.guard.standing(address, false, clock::wall_ms) {
            Admission::Denied(_) => Explained { kept: kept(), ..Explained::default() },
            Admission::Blocked(block) => {
                Explained { block: Some(blocked(&block)), ..Explained::default() }
            }
            Admission::Open(pass) => {
                let uses = self.guard.uses(&pass, clock::micros());
                let left = |one: &Use| LimitLeft {
                    prefix: one.prefix,
                    queries_per_min: one.level.queries_per_min,
                    burst: one.level.burst,
                    left: one.left,
                };
                let limits = uses.all().iter().map(left).collect();
                Explained { block: None, kept: kept(), limits }
            }
        }
    }
}

fn blocked(block: &Block) -> Blocked {
    Blocked {
        prefix: block.prefix,
        since_ms: block.since_ms,
        until_ms: block.until_ms,
        reason: block.reason.to_string(),
        by: block.cause.word().to_owned(),
        repetition: block.repetition.saturating_sub(1),
    }
}

/// Limits, blocks and signs of mining as a reload reads them.
struct Reloaded {
    guard: Arc<Guard>,
    orders: Option<Sender<Order>>,
    prepared: Option<(guard::Settings, warden::Settings)>,
}

impl Part for Reloaded {
    fn takes(&self, key: &str) -> bool {
        let (table, _) = key.split_once('.').unwrap_or((key, ""));
        matches!(table, "limits" | "blocks" | "mining")
            && !matches!(key, "limits.memory_bytes" | "blocks.state")
    }

    fn prepare(&mut self, settings: &Settings) -> Result<(), PartError> {
        self.prepared = Some((settings.guard.clone(), settings.warden.clone()));
        Ok(())
    }

    fn commit(&mut self) {
        let Some((guard, warden)) = self.prepared.take() else { return };
        self.guard.set(guard);
        if let Some(orders) = &self.orders {
            // A warden that has ended needs no settings any more.
            let _ = orders.send_timeout(Order::Set(Box::new(warden)), ORDER_TIME);
        }
    }
}

/// Numbers that nobody outside can know.
fn secrets() -> Result<[u64; 5], Failure> {
    let mut bytes = [0; 40];
    let flags = rustix::rand::GetRandomFlags::empty();
    let got = rustix::rand::getrandom(&mut bytes, flags)
        .map_err(|error| Failure::failed(format!("random numbers: {error}")))?;
    if got < bytes.len() {
        return Err(Failure::failed("random numbers: the kernel gives too few"));
    }
    let mut numbers = [0; 5];
    for (number, chunk) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
        *number = u64::from_ne_bytes(chunk.try_into().unwrap_or_default());
    }
    Ok(numbers)
}

impl Drop for Guarding {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // If it panicked, standard error has the message.
            let _ = thread.join();
        }
    }
}

//! What guards a running server: lists, limits, blocks, and the thread that keeps their books.
//!
//! # Invariants
//!
//! - `orders end first`: the warden's thread ends once nobody can give it orders any more.
//!
//! # Does not
//!
//! Decide who is served: `policy::guard` does.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use crossbeam::channel::{Receiver, Sender, bounded};

use super::Failure;
use crate::config::Settings;
use crate::policy::guard::Guard;
use crate::policy::lists::Lists;
use crate::shard::aside::{Place, Weight};
use crate::warden::{self, Order, Warden, Watch, Watches};

/// Orders that wait for the warden.
const ORDERS_MAX: usize = 16;

/// The guard, and the warden's thread; dropped, it ends.
pub(super) struct Guarding {
    pub(super) guard: Arc<Guard>,
    pub(super) figures: Arc<warden::Figures>,
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    watches: Receiver<Watch>,
}

impl Guarding {
    /// Reads the blocks that were kept, and starts the warden beside the shards.
    pub(super) fn start(
        settings: &Settings,
        dir: &Path,
        lists: Arc<ArcSwap<Lists>>,
        cores: &[usize],
    ) -> Result<Self, Failure> {
        let [a, b, c, d, node] = secrets()?;
        let memory_bytes = usize::try_from(settings.limits_memory_bytes).unwrap_or(usize::MAX);
        let guard = Guard::new(settings.guard.clone(), lists, memory_bytes, [a, b, c, d]);
        let guard = Arc::new(guard);
        let (rings, watches) = Watches::new(cores.len());
        let (handed, taken) = bounded(cores.len());
        for watch in watches {
            // There is room for all of them.
            let _ = handed.send(watch);
        }
        let (orders, obeyed) = bounded(ORDERS_MAX);
        // A directory that is one snapshot file keeps its blocks beside itself.
        let dir = if dir.is_file() { dir.parent().unwrap_or(dir) } else { dir };
        let place = Place { core: None, shard_cores: cores, weight: Weight::Full };
        let failed = |error| Failure::failed(format!("thread that keeps blocks: {error}"));
        let settings = settings.warden.clone();
        let warden =
            Warden::new(settings, dir, Arc::clone(&guard), rings, obeyed, place, node)
                .map_err(failed)?;
        let figures = warden.figures();
        let thread = warden::start(warden, place).map_err(failed)?;
        Ok(Self { guard, figures, orders: Some(orders), thread: Some(thread), watches: taken })
    }

    /// The ends of the rings, one for each shard.
    pub(super) fn watches(&self) -> Receiver<Watch> {
        self.watches.clone()
    }

    /// Where orders to the warden go; it ends once all of these are gone.
    #[cfg(test)]
    pub(super) fn orders(&self) -> Option<Sender<Order>> {
        self.orders.clone()
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
            // It has said on standard error if it panicked.
            let _ = thread.join();
        }
    }
}

//! The warden's thread: takes what shards have seen, keeps the books, publishes blocks.
//!
//! # Invariants
//!
//! - `logged at a bounded rate`: at most [`LINES_MAX`] lines of the log a second, whatever happens.
//!
//! # Does not
//!
//! Answer queries, or know how a command reached it.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender};
use ipnet::IpNet;

use super::reports::{Observed, Reports};
use super::saver::Saver;
use super::site::{Sharing, SiteFigures};
use super::state::{self, Unread};
use super::top::{Top, Tops};
use super::{SAVE_MS, Settings, TURN_MS};
use crate::observe::clock;
use crate::place::aside::{self, Place};
use crate::policy::block::{Block, Book, Cause};
use crate::policy::guard::Guard;
use crate::policy::limit::{self, source_of};
use crate::policy::mining::{Flag, Miner, Signal};
use crate::time::JumpWatch;

/// Flags that are kept to be looked at.
const FLAGS_KEPT_MAX: usize = 256;

/// Lines of the log a second.
const LINES_MAX: u32 = 10;

/// How often shards are shown other blocks at most, milliseconds.
const PUBLISH_MS: i64 = 100;

/// How often the whole table is looked at for its fill, milliseconds.
const FILL_MS: i64 = 5_000;

/// More than this between two turns, by which one clock goes on more than the other, is a jump of
/// the wall clock, milliseconds.
const JUMP_MS: i64 = 1_000;

/// How long nothing is forgotten after a jump, milliseconds: the clock may jump back.
const JUMP_WAIT_MS: i64 = 86_400_000;

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// Milliseconds since the epoch: when blocks begin and end.
    pub(super) wall_ms: i64,
    /// Milliseconds of a clock that never jumps: how often something is done.
    pub(super) steady_ms: i64,
}

impl Now {
    fn read() -> Self {
        Self { wall_ms: clock::wall_ms(), steady_ms: clock::steady_ms() }
    }
}

/// An order to the warden.
pub enum Order {
    /// Block a prefix for so many seconds.
    Block {
        /// The prefix.
        prefix: IpNet,
        /// How long, seconds.
        seconds: u64,
        /// Why.
        reason: String,
        /// Where the block goes.
        reply: Sender<Arc<Block>>,
    },
    /// Take a block back.
    Unblock {
        /// The prefix.
        prefix: IpNet,
        /// Where the block that was there goes.
        reply: Sender<Option<Arc<Block>>>,
    },
    /// All blocks, those that have ended and are not forgiven among them.
    List {
        /// Where they go.
        reply: Sender<Vec<Arc<Block>>>,
    },
    /// The last flags of mining.
    Flags {
        /// Where they go, newest last.
        reply: Sender<Vec<Flag>>,
    },
    /// Other settings; those of the site need a restart.
    Set(Box<Settings>),
}

/// What the warden tells about itself.
#[derive(Debug, Default)]
pub struct Figures {
    /// Blocks given since the start.
    pub blocks_total: AtomicU64,
    /// By the place of the signal in [`Signal::ALL`].
    flags: [AtomicU64; Signal::ALL.len()],
    /// Entries of the limiter that owe something.
    pub limiter_entries: AtomicU64,
    /// Sources of the last minute.
    pub top: ArcSwap<Vec<Top>>,
    /// How sharing fares, if it is done.
    pub site: Option<Arc<SiteFigures>>,
    reports: Reports,
}

impl Figures {
    /// Flags since the start, by signal.
    pub fn flags(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let counts = self.flags.iter().map(|count| count.load(Ordering::Relaxed));
        Signal::ALL.into_iter().map(Signal::word).zip(counts)
    }

    /// What shards could not tell because their ring was full.
    #[must_use]
    pub fn dropped_count(&self) -> u64 {
        self.reports.dropped_count()
    }
}

/// The warden.
pub struct Warden {
    settings: Settings,
    /// `None` if a file cannot be read, or a damaged one not put aside: it is not written over.
    saver: Option<Saver>,
    guard: Arc<Guard>,
    reports: Reports,
    orders: Receiver<Order>,
    figures: Arc<Figures>,
    book: Book,
    miner: Miner,
    flags: VecDeque<Flag>,
    tops: Tops,
    sharing: Option<Sharing>,
    /// Whether shards have to be shown other blocks.
    changed: bool,
    /// Not before this: an order's are shown at once. This and what follows: by the steady clock.
    publish_ms: i64,
    /// Since when the file is not what it should be.
    unsaved_ms: Option<i64>,
    /// How far the wall clock was ahead of the steady one at the last turn.
    clock: JumpWatch,
    /// Before this nothing is forgotten.
    forget_ms: i64,
    fill_due_ms: i64,
    next_second_ms: i64,
    lines_left: u32,
    lines_left_out: u32,
}

/// The blocks of the file, and whether it may be written.
fn kept(path: &Path, named: bool, now_ms: i64) -> io::Result<(Vec<Block>, bool)> {
    let (problem, aside) = match state::read(path, named) {
        Ok(kept) => return Ok((kept, true)),
        Err(Unread::Foreign(foreign)) => {
            return Err(io::Error::other(format!("{}: {foreign}", path.display())));
        }
        Err(Unread::Refused(error)) => (
            error.to_string(),
            Err("it stays as it is: no blocks are kept before this is put right".to_owned()),
        ),
        Err(Unread::Damaged(damaged)) => {
            let aside = state::put_aside(path, now_ms);
            let stays = |error| format!("{error}: no blocks are kept before this is put right");
            (damaged.to_string(), aside.map(|at| at.display().to_string()).map_err(stays))
        }
    };
    let may_write = aside.is_ok();
    let (path, aside) = (path.display(), aside.unwrap_or_else(|stays| stays));
    tracing::error!(%path, problem, aside, "blocks cannot be read; none is kept");
    Ok((Vec::new(), may_write))
}

impl Warden {
    /// A warden of what is kept in `dir`. It ends once nobody can give it orders.
    ///
    /// # Errors
    ///
    /// If the file of the blocks is not one of ours, if the threads that talk to the site's server
    /// cannot be started, or if its address is not one.
    pub fn new(
        settings: Settings,
        dir: &Path,
        guard: Arc<Guard>,
        reports: Reports,
        orders: Receiver<Order>,
        place: Place<'_>,
        node: u64,
    ) -> io::Result<Self> {
        let now_ms = clock::wall_ms();
        let path = settings.state_path(dir);
        let (kept, may_write) = kept(&path, settings.state.is_some(), now_ms)?;
        let saver = may_write.then(|| Saver::start(path, place)).transpose()?;
        let sharing = match &settings.site.redis {
            Some(url) => {
                Some(Sharing::start(&settings.site, url, node, Arc::clone(&guard), place)?)
            }
            None => None,
        };
        let figures = Arc::new(Figures {
            site: sharing.as_ref().map(|sharing| Arc::clone(sharing.figures())),
            reports: reports.clone(),
            ..Figures::default()
        });
        let book = Book::new(settings.terms, kept, now_ms);
        guard.set_blocks(book.published(now_ms));
        Ok(Self {
            miner: Miner::new(settings.mining.clone()),
            settings,
            saver,
            guard,
            reports,
            orders,
            figures,
            book,
            flags: VecDeque::new(),
            tops: Tops::default(),
            sharing,
            changed: false,
            publish_ms: i64::MIN,
            unsaved_ms: None,
            clock: JumpWatch::default(),
            forget_ms: i64::MIN,
            fill_due_ms: i64::MIN,
            next_second_ms: i64::MIN,
            lines_left: LINES_MAX,
            lines_left_out: 0,
        })
    }

    /// What it tells about itself.
    #[must_use]
    pub fn figures(&self) -> Arc<Figures> {
        Arc::clone(&self.figures)
    }

    fn run(mut self) {
        loop {
            match self.orders.recv_timeout(Duration::from_millis(TURN_MS)) {
                Ok(order) => self.obey(order, Now::read()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.turn(Now::read());
        }
        self.finish(Now::read());
    }

    /// Keeps what shards have seen since the last turn, too.
    pub(super) fn finish(mut self, now: Now) {
        self.turn(now);
        if let Some(saver) = self.saver.take() {
            let is_due = self.changed || self.unsaved_ms.is_some() || saver.is_failing();
            saver.end(is_due.then(|| self.book.all()));
        }
    }

    /// One turn: what shards have seen, and what time brings.
    pub(super) fn turn(&mut self, now: Now) {
        self.watch_clock(now);
        let reports = self.reports.clone();
        reports.take(|seen| self.see(seen, now.wall_ms));
        if now.steady_ms >= self.next_second_ms {
            self.next_second_ms = now.steady_ms.saturating_add(1_000);
            self.each_second(now);
        }
        if let Some(sharing) = &mut self.sharing {
            sharing.turn(now.steady_ms);
        }
        if self.changed && now.steady_ms >= self.publish_ms {
            self.changed = false;
            self.publish(now);
            self.unsaved_ms.get_or_insert(now.steady_ms);
        }
        let save_ms = i64::try_from(SAVE_MS).unwrap_or(i64::MAX);
        let is_due = |since_ms: i64| now.steady_ms >= since_ms.saturating_add(save_ms);
        if self.unsaved_ms.is_some_and(is_due) {
            self.save(now);
        }
    }

    /// Notices a wall clock that jumps: blocks last as long as they were to, and what seems to be
    /// forgiven long since is kept until the clock has gone on for a day.
    fn watch_clock(&mut self, now: Now) {
        let jump_ms = self.clock.look(now.wall_ms, now.steady_ms);
        if jump_ms.saturating_abs() > JUMP_MS {
            tracing::warn!(jump_ms, "the wall clock has jumped; blocks last as long as before");
            self.book.shift(jump_ms);
            self.forget_ms = now.steady_ms.saturating_add(JUMP_WAIT_MS);
            self.changed = true;
            self.publish_ms = now.steady_ms;
        }
    }

    /// Shows shards the blocks that hold; under an attack that is work, so not at every turn.
    fn publish(&mut self, now: Now) {
        self.publish_ms = now.steady_ms.saturating_add(PUBLISH_MS);
        self.guard.set_blocks(self.book.published(now.wall_ms));
    }

    fn each_second(&mut self, now: Now) {
        if std::mem::take(&mut self.lines_left_out) > 0 {
            tracing::warn!("more happened than is logged; `whoisd list` and the metrics have all");
        }
        self.lines_left = LINES_MAX;
        if now.steady_ms >= self.forget_ms {
            self.changed |= self.book.forget(now.wall_ms);
        }
        if now.wall_ms >= self.guard.blocks().next_end_ms() {
            self.publish(now);
        }
        if self.saver.as_ref().is_some_and(Saver::is_failing) {
            self.unsaved_ms.get_or_insert(now.steady_ms);
        }
        self.figures.top.store(Arc::new(self.tops.turn(now.steady_ms)));
        if now.steady_ms >= self.fill_due_ms {
            self.fill_due_ms = now.steady_ms.saturating_add(FILL_MS);
            let count = self.guard.limiter().owing_count(clock::micros());
            self.figures.limiter_entries.store(count as u64, Ordering::Relaxed);
        }
    }

    fn see(&mut self, seen: &Observed, now_ms: i64) {
        let source = source_of(seen.address);
        self.tops.count(source, seen.refused);
        if seen.exempt {
            return;
        }
        if seen.strike {
            let reason = "kept exceeding its limit";
            self.strike(source, Cause::Limit, reason, now_ms);
        }
        if let Some(prefix_length) = seen.dry_run
            && self.may_say()
        {
            let address = seen.address;
            tracing::info!(%address, prefix_length, "dry run: a limit would have refused it");
        }
        if seen.refused {
            return;
        }
        // In a dry run, this node has not charged what a limit would have refused.
        if let Some(sharing) = self.sharing.as_mut().filter(|_| seen.dry_run.is_none()) {
            sharing.add(seen.address, seen.price);
        }
        if self.settings.mining_enabled && !seen.name().is_empty() {
            let mut flags = Vec::new();
            let (address, name, missed) = (seen.address, seen.name(), seen.missed);
            let query = crate::policy::mining::Lookup { address, name, missed, at_ms: now_ms };
            self.miner.see(query, &mut flags);
            for flag in flags {
                self.flag(flag, now_ms);
            }
        }
    }

    fn flag(&mut self, flag: Flag, now_ms: i64) {
        let place = Signal::ALL.iter().position(|signal| *signal == flag.signal);
        if let Some(counter) = place.and_then(|place| self.figures.flags.get(place)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        if self.may_say() {
            let (signal, prefix) = (flag.signal.word(), flag.prefix);
            tracing::warn!(signal, %prefix, evidence = flag.evidence, "seems to mine");
        }
        if self.settings.mining_blocks && flag.is_own {
            let reason = format!("{}: {}", flag.signal.word(), flag.evidence);
            self.strike(flag.prefix, Cause::Mining, &reason, now_ms);
        }
        if self.flags.len() >= FLAGS_KEPT_MAX {
            self.flags.pop_front();
        }
        self.flags.push_back(flag);
    }

    fn strike(&mut self, prefix: IpNet, cause: Cause, reason: &str, now_ms: i64) {
        if let Some(block) = self.book.strike(prefix, cause, reason, now_ms) {
            self.begun(&block);
        }
    }

    fn begun(&mut self, block: &Block) {
        self.changed = true;
        self.figures.blocks_total.fetch_add(1, Ordering::Relaxed);
        // The command that blocks by hand logs it itself.
        if block.cause != Cause::Operator && self.may_say() {
            let seconds = block.until_ms.saturating_sub(block.since_ms) / 1000;
            let (prefix, cause, repetition) = (block.prefix, block.cause.word(), block.repetition);
            tracing::info!(%prefix, cause, seconds, repetition, reason = &*block.reason, "blocked");
        }
    }

    fn may_say(&mut self) -> bool {
        match self.lines_left.checked_sub(1) {
            Some(left) => {
                self.lines_left = left;
                true
            }
            None => {
                self.lines_left_out = self.lines_left_out.saturating_add(1);
                false
            }
        }
    }

    /// The command that gave the order may be gone: that is not a fault.
    pub(super) fn obey(&mut self, order: Order, now: Now) {
        match order {
            Order::Block { prefix, seconds, reason, reply } => {
                let block = self.book.block(prefix, seconds, &reason, now.wall_ms);
                self.begun(&block);
                self.publish_ms = now.steady_ms;
                let _ = reply.send(block);
            }
            Order::Unblock { prefix, reply } => {
                let block = self.book.unblock(&prefix);
                if block.is_some() {
                    self.changed = true;
                    self.publish_ms = now.steady_ms;
                    self.forgive(prefix);
                }
                let _ = reply.send(block);
            }
            Order::List { reply } => drop(reply.send(self.book.all())),
            Order::Flags { reply } => drop(reply.send(self.flags.iter().cloned().collect())),
            Order::Set(settings) => {
                self.book.set_terms(settings.terms);
                self.miner.set(settings.mining.clone());
                self.settings = *settings;
            }
        }
    }

    /// A source that is unblocked by hand begins again, or its next query would be refused. Of an
    /// IPv6 link that holds for what its addresses share; what one of them has used of its own
    /// comes back with time.
    fn forgive(&self, prefix: IpNet) {
        if prefix == source_of(prefix.addr()) {
            let levels = &self.guard.settings().levels;
            self.guard.limiter().forgive(prefix.addr(), levels.of(prefix.addr()));
        }
    }

    /// Has the blocks written; while the last ones are, or if they could not be, again in a second.
    fn save(&mut self, now: Now) {
        let Some(saver) = &self.saver else { return self.unsaved_ms = None };
        if saver.is_busy() {
            self.unsaved_ms = Some(now.steady_ms);
            return;
        }
        self.unsaved_ms = None;
        saver.save(self.book.all());
    }

    /// Waits until what was to be written is written.
    #[cfg(test)]
    pub(super) fn wait_until_saved(&self) {
        while self.saver.as_ref().is_some_and(Saver::is_busy) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Starts a warden on a thread of its own.
///
/// # Errors
///
/// If there can be no further thread.
pub fn start(warden: Warden, place: Place<'_>) -> io::Result<JoinHandle<()>> {
    aside::spawn("warden", place, move || warden.run())
}

// An address is one source, in IPv6 its link: blocks and limits agree on that.
const _: () = assert!(limit::LEVELS_V6[1].length == 64);

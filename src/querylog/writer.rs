//! The writer thread: rings into rows into blocks into files and the stream.
//!
//! # Invariants
//!
//! - `one-interval`: each ring is emptied each [`DRAIN_MS`], unless a disk or a key's file holds
//!   the thread up; then rings fill, and shards count the queries that find no room.
//! - `said`: rows that are not written are counted, and the next row that is written carries their
//!   number as `lost`.
//!
//! # Does not
//!
//! Hold up a shard, or stop the server: a caller that gives it an order waits a bounded time.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::Settings;
use super::archive::Archive;
use super::block::Block;
use super::day::Day;
use super::entry::Taken;
use super::error::{LogError, StartError};
use super::figures::Figures;
use super::privacy::Masker;
use super::ring::{Drain, Recorder, ring};
use super::row::{ROW_VERSION, Row, escape};
use super::stream::{Batch, Stream};
use crate::observe::clock;
use crate::place::aside::{self, Place};

/// How often rings are emptied, milliseconds: at 100,000 queries a second, 600 KB of a ring.
const DRAIN_MS: u64 = 50;
/// Orders to the thread that wait.
const ORDERS_MAX: usize = 4;
/// How long the end of the server waits for what is left to be written: longer than it waits for
/// the stream; with `server.shutdown_ms` shorter than what systemd waits before it kills.
const END_WAIT: Duration = Duration::from_secs(10);

/// How long a reload waits until its change is taken: then what is recorded is hidden as it says.
const TAKEN_WAIT: Duration = Duration::from_secs(5);

/// Orders to the thread, besides the one to end.
enum Order {
    /// Other settings; the channel is closed once they are in force.
    Change(Box<(Settings, Masker)>, Sender<()>),
}

/// The writer thread, from outside. Dropped, it ends as by [`Writer::stop`].
pub struct Writer {
    settings: Settings,
    figures: Arc<Figures>,
    orders: Sender<Order>,
    stop: Arc<AtomicBool>,
    /// Closed once the thread has ended.
    ended: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the writer thread at `place`, and gives each of `shard_count` shards its end of a ring.
///
/// # Errors
///
/// The directory cannot be made or another process has it, a key's file holds no key, or no further
/// thread can be started.
pub fn start(
    settings: &Settings,
    shard_count: usize,
    place: Place<'_>,
) -> Result<(Vec<Recorder>, Writer), StartError> {
    let (recorders, core) = Core::new(settings, shard_count, clock::wall_ms(), place)?;
    let figures = Arc::clone(&core.figures);
    let (orders, queue) = bounded(ORDERS_MAX);
    let (ending, ended) = bounded(0);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let work = move || {
        run(core, &queue, &stopped);
        drop(ending);
    };
    let thread = aside::spawn("querylog", place, work).map_err(LogError::NoThread)?;
    let settings = settings.clone();
    Ok((recorders, Writer { settings, figures, orders, stop, ended, thread: Some(thread) }))
}

/// What [`start`] would refuse of the settings alone: nothing is started or made.
///
/// # Errors
///
/// A key's file is none.
pub fn check(settings: &Settings) -> Result<(), StartError> {
    Ok(Masker::new(&settings.privacy).map(drop)?)
}

fn run(mut core: Core, orders: &Receiver<Order>, stop: &AtomicBool) {
    while !stop.load(Ordering::Acquire) {
        // The writer outside holds an end of the orders until it has said to stop.
        let order = orders.recv_timeout(Duration::from_millis(DRAIN_MS));
        core.turn(clock::wall_ms());
        // After what was recorded before: addresses that were to be hidden then are not shown now.
        if let Ok(Order::Change(change, taken)) = order {
            core.change(change.0, change.1, clock::wall_ms());
            drop(taken);
        }
    }
    core.finish(clock::wall_ms());
}

/// Gives the log other settings while it runs.
pub struct Changer {
    /// Those of the start: of a directory, rings and a stream, they stay.
    started: Settings,
    orders: Sender<Order>,
    wait: Duration,
}

/// Settings that can be put in force without an error.
pub struct Prepared(Box<(Settings, Masker)>);

impl Changer {
    /// Makes what other settings need, and puts nothing in force. The directory, the rings and the
    /// stream stay as they are: they take a restart.
    ///
    /// # Errors
    ///
    /// A key's file holds no key, or the writer has not taken the last changes yet, since a disk
    /// holds it up.
    pub fn prepare(&self, settings: &Settings) -> Result<Prepared, StartError> {
        let masker = Masker::new(&settings.privacy)?;
        if self.orders.is_full() {
            return Err(LogError::HeldUp.into());
        }
        let settings = Settings {
            dir: self.started.dir.clone(),
            ring_bytes: self.started.ring_bytes,
            stream: self.started.stream.clone(),
            ..settings.clone()
        };
        Ok(Prepared(Box::new((settings, masker))))
    }

    /// Puts in force what was prepared, for the queries that come once this returns. A writer that
    /// a disk holds up is waited for 5 seconds at most; it takes the change when the disk is back.
    pub fn commit(&self, prepared: Prepared) {
        let (taking, taken) = bounded(0);
        // There is room, since nothing else sends. A thread that has ended has logged why.
        let _ = self.orders.try_send(Order::Change(prepared.0, taking));
        if taken.recv_timeout(self.wait) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("query log: its writer is held up; it takes other settings later");
        }
    }
}

impl Writer {
    /// The log's figures about itself, to be kept by the code that shows them.
    #[must_use]
    pub fn figures(&self) -> Arc<Figures> {
        Arc::clone(&self.figures)
    }

    /// The handle that gives the log other settings while it runs.
    #[must_use]
    pub fn changer(&self) -> Changer {
        let (started, orders) = (self.settings.clone(), self.orders.clone());
        Changer { started, orders, wait: TAKEN_WAIT }
    }

    /// Writes what the rings hold, ends the files, and ends the thread. To be called once the
    /// shards have ended. A disk that holds the thread up is waited for 10 seconds at most; the
    /// next start ends what was not ended then.
    pub fn stop(mut self) {
        self.end(END_WAIT);
    }

    fn end(&mut self, wait: Duration) {
        let Some(thread) = self.thread.take() else { return };
        self.stop.store(true, Ordering::Release);
        if self.ended.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
            tracing::error!(
                "query log: its writer does not end, a disk holds it up; the last entries may be \
                 lost, the next start ends its file"
            );
            return;
        }
        // It has said on standard error if it panicked.
        let _ = thread.join();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end(END_WAIT);
    }
}

/// What the thread does, turn by turn.
pub(super) struct Core {
    settings: Settings,
    pub(super) figures: Arc<Figures>,
    drains: Vec<Drain>,
    /// Of each ring, how many dropped entries are in a row already.
    dropped: Vec<u64>,
    /// Entries that were lost and that no row reports yet.
    lost: u64,
    /// Entries that found no room in a ring, and that no message has reported.
    unsent: u64,
    masker: Masker,
    texts: Texts,
    block: Block,
    block_begun_ms: i64,
    pub(super) archive: Option<Archive>,
    stream: Option<Stream>,
}

/// Memory for a row's texts.
#[derive(Default)]
struct Texts {
    server: String,
    client: String,
    network: String,
    name: String,
}

impl Core {
    pub(super) fn new(
        settings: &Settings,
        shard_count: usize,
        now_ms: i64,
        place: Place<'_>,
    ) -> Result<(Vec<Recorder>, Self), StartError> {
        let masker = Masker::new(&settings.privacy)?;
        let (recorders, drains): (Vec<_>, Vec<_>) =
            (0..=u16::MAX).take(shard_count).map(|shard| ring(settings.ring_bytes, shard)).unzip();
        let figures = Arc::new(Figures::new(drains.iter().map(Drain::shared).collect()));
        let archive = settings
            .dir
            .as_deref()
            .map(|dir| Archive::open(dir, settings, Arc::clone(&figures), now_ms, place));
        let archive = archive.transpose()?;
        let stream = settings.stream.as_ref().map(|stream| {
            Stream::start(stream, Arc::clone(&figures), now_ms, place).map_err(LogError::NoThread)
        });
        let core = Self {
            settings: settings.clone(),
            figures,
            dropped: vec![0; shard_count],
            drains,
            lost: 0,
            unsent: 0,
            masker,
            texts: Texts::default(),
            block: Block::new(settings.dir.is_some() && settings.format.has_columns()),
            block_begun_ms: now_ms,
            archive,
            stream: stream.transpose()?,
        };
        Ok((recorders, core))
    }

    /// Empties the rings, writes what is due.
    pub(super) fn turn(&mut self, now_ms: i64) {
        let mut drains = std::mem::take(&mut self.drains);
        for (at, drain) in drains.iter_mut().enumerate() {
            let dropped = drain.dropped();
            if let Some(before) = self.dropped.get_mut(at) {
                let more = dropped - std::mem::replace(before, dropped);
                self.lost += more;
                self.unsent += more;
            }
            drain.take_all(|taken| self.take(taken, now_ms));
        }
        self.drains = drains;
        let is_old =
            now_ms.saturating_sub(self.block_begun_ms).unsigned_abs() >= self.settings.flush_ms;
        if is_old || self.is_over(now_ms) {
            self.flush(now_ms);
        }
        if self.is_over(now_ms)
            && let Some(archive) = &mut self.archive
        {
            archive.begin_day(Day::of_ms(now_ms), now_ms);
        }
        if let Some(archive) = &mut self.archive {
            archive.upkeep(now_ms);
            self.lost += archive.take_lost();
        }
    }

    fn is_over(&self, now_ms: i64) -> bool {
        self.archive.as_ref().is_some_and(|archive| archive.is_over(Day::of_ms(now_ms)))
    }

    fn take(&mut self, taken: &Taken<'_>, now_ms: i64) {
        let day = Day::of_ms(taken.at_ms);
        // The first query of a new day ends the day before, unless it has a clock of its own.
        if day == Day::of_ms(now_ms) && self.is_over(taken.at_ms) {
            self.flush(now_ms);
            if let Some(archive) = &mut self.archive {
                archive.begin_day(day, now_ms);
            }
        }
        if self.block.is_empty() {
            self.block_begun_ms = now_ms;
        }
        let texts = &mut self.texts;
        texts.server.clear();
        let _ = write!(texts.server, "{}", taken.server);
        self.masker.write(taken.at_ms, taken.client, &mut texts.client, &mut texts.network);
        escape(taken.name, taken.left_out, &mut texts.name);
        self.block.push(&Row {
            v: ROW_VERSION,
            at_ms: taken.at_ms,
            server: Cow::Borrowed(&texts.server),
            client: Cow::Borrowed(&texts.client),
            network: Cow::Borrowed(&texts.network),
            tld: String::from_utf8_lossy(taken.suffix),
            kind: String::from_utf8_lossy(taken.kind),
            name: Cow::Borrowed(&texts.name),
            outcome: String::from_utf8_lossy(taken.outcome),
            tier: String::from_utf8_lossy(taken.tier),
            bytes: taken.bytes,
            us: taken.micros,
            shard: taken.shard,
            generation: taken.generation,
            lost: std::mem::take(&mut self.lost),
        });
        if self.block.is_full() {
            self.flush(now_ms);
        }
    }

    /// Gives the block out.
    fn flush(&mut self, now_ms: i64) {
        if self.block.is_empty() {
            return;
        }
        let rows = self.block.counts.queries;
        // Parquet packs for itself.
        let is_packed = self.stream.is_some() || self.settings.format.has_lines();
        let packed = if is_packed { self.block.pack().map(Some) } else { Ok(None) };
        let Ok(packed) = packed else {
            // Packing into memory does not fail; if it did, the rows are lost.
            self.lost += rows + self.block.counts.lost;
            self.unsent += rows;
            return self.block.clear();
        };
        if let Some(archive) = &mut self.archive {
            archive.write(now_ms, &mut self.block, packed.as_deref());
            self.lost += archive.take_lost();
        }
        if let (Some(stream), Some(packed)) = (&mut self.stream, packed) {
            let (first_ms, last_ms) = self.block.times_ms;
            let lost = std::mem::take(&mut self.unsent);
            stream.offer(Batch { packed, rows, first_ms, last_ms, lost });
        }
        self.block.clear();
    }

    fn change(&mut self, settings: Settings, masker: Masker, now_ms: i64) {
        self.flush(now_ms);
        self.block = Block::new(settings.dir.is_some() && settings.format.has_columns());
        if settings.privacy != self.settings.privacy {
            self.masker = masker;
        }
        if let Some(archive) = &mut self.archive {
            archive.change(&settings, now_ms);
        }
        self.settings = settings;
    }

    /// Writes everything, and ends the files.
    pub(super) fn finish(&mut self, now_ms: i64) {
        self.turn(now_ms);
        self.flush(now_ms);
        if let Some(archive) = &mut self.archive {
            archive.finish(now_ms);
            self.lost += archive.take_lost();
        }
        if let Some(stream) = self.stream.take() {
            stream.stop();
        }
        if self.lost > 0 {
            tracing::warn!(lost = self.lost, "query log: queries that stand in no row's `lost`");
        }
        let written = self.figures.written.load(Ordering::Relaxed);
        tracing::info!(written, "query log: ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_that_a_disk_holds_up_holds_up_neither_a_reload_nor_the_end() {
        let (disk_is_back, held) = bounded::<()>(0);
        let (orders, queue) = bounded(ORDERS_MAX);
        let (ending, ended) = bounded(0);
        let thread = std::thread::spawn(move || {
            let _ = held.recv();
            drop((queue, ending));
        });
        let settings = Settings::default();
        let mut writer = Writer {
            settings: settings.clone(),
            figures: Arc::default(),
            orders,
            stop: Arc::default(),
            ended,
            thread: Some(thread),
        };
        let changer = Changer { wait: Duration::from_millis(10), ..writer.changer() };
        for _ in 0..ORDERS_MAX {
            changer.commit(changer.prepare(&settings).unwrap());
        }
        let problem = changer.prepare(&settings).err().unwrap().to_string();
        assert!(problem.contains("holds it up"), "{problem}");
        // Returns, or the test never ends: the thread waits for the line below.
        writer.end(Duration::from_millis(50));
        drop(disk_is_back);
    }
}

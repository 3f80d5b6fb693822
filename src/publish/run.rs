//! The publisher's rounds: changes get serials, their records go to the sink, again and again.
//!
//! ```text
//!   ┌▶ connect ─▶ lead ─▶ ask the sink ─▶ round ─▶ wait for a notification, the poll, the stop ─┐
//!   │    ▲          │ another one leads       ▲                                                 │
//!   │    │          ▼                         └─────────────────────────────────────────────────┘
//!   └─ pause ◀──── any failure that may pass: 0.1 s, twice as long each time, 10 s at most
//! ```
//!
//! # Invariants
//!
//! - A batch is sent after the transaction that read it committed: no serial goes out that a crash
//!   of the database could give to another change.
//! - One publisher of a database is at work; others wait until its connection ends. Should two be
//!   at work for a moment, `no gap` and `converges` hold all the same.
//!
//! - A round whose views do not keep the contract takes nothing out of the queue. Once it has
//!   published, a publisher waits until they do again; before, it refuses.
//! - The monotonic clock measures what passes; the database's clock gives times alone.
//!
//! # Does not
//!
//! End on what passes: a database or a sink that is gone is tried until it is back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_postgres::types::ToSql;

use super::address::Address;
use super::assign;
use super::batch::{self, Batch, Sent};
use super::contract;
use super::error::{BaseError, PublishError};
use super::rules::Rules;
use super::session::Session;
use super::sink::{Last, Sink};
use super::unread::Unread;
use crate::observe::clock;

/// How often a stop is looked for while nothing happens.
const LOOK: Duration = Duration::from_millis(100);
/// Pause before the first new try, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Pause between two looks whether another publisher is gone.
const LEAD_PAUSE: Duration = Duration::from_secs(1);
/// How often [`once`] looks whether another publisher is gone: 5 s. One that ended just now has a
/// connection that the database has not closed yet.
const ONCE_TRIES: u32 = 50;
/// Pause between two prunings, and rows that one takes at most.
const PRUNE_PAUSE: Duration = Duration::from_secs(60);
const PRUNE_COUNT_MAX: i64 = 100_000;

/// How a publisher works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Address of the database, `postgres://..`.
    pub from: String,
    /// Least time between the beginnings of two batches: changes are collected so long. The first
    /// change after a quiet time goes out at once.
    pub batch: Duration,
    /// A heartbeat goes out after so long without a change.
    pub heartbeat: Duration,
    /// How often changes are looked for without a notification.
    pub poll: Duration,
    /// Days for which the database keeps serials that the sink has.
    pub retain_days: u16,
}

/// What a publisher has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records that went to the sink.
    pub record_count: u64,
    /// Batches.
    pub batch_count: u64,
    /// Changes that were not records, or could not be read, and were left out.
    pub refused_count: u64,
    /// Objects that wait until they can be read.
    pub unread_count: u64,
    /// The last serial of the sink; `None`: nothing was ever published.
    pub last: Option<u64>,
}

/// Publishes until `stop` is set.
///
/// # Errors
///
/// What stays so until somebody does something: a database without the contract, a sink that is of
/// another database.
pub fn run(
    settings: &Settings,
    rules: &Rules,
    sink: &mut dyn Sink,
    stop: &AtomicBool,
) -> Result<Totals, PublishError> {
    work(settings, rules, sink, Some(stop))
}

/// Publishes what there is, and ends. A failure is not tried again.
///
/// # Errors
///
/// Whatever failed; another publisher is at work.
pub fn once(
    settings: &Settings,
    rules: &Rules,
    sink: &mut dyn Sink,
) -> Result<Totals, PublishError> {
    work(settings, rules, sink, None)
}

/// A runtime on this thread.
pub(super) fn runtime() -> Result<Runtime, PublishError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| PublishError::Base(Box::new(BaseError::Start(error))))
}

fn work(
    settings: &Settings,
    rules: &Rules,
    sink: &mut dyn Sink,
    stop: Option<&AtomicBool>,
) -> Result<Totals, PublishError> {
    let address = Address::read(&settings.from)?;
    let database = Database { runtime: runtime()?, address, settings, rules };
    let mut publisher = Publisher {
        database,
        sink,
        totals: Totals::default(),
        sent: None,
        unread: Unread::default(),
        pause: PAUSE_MIN,
        has_published: false,
    };
    match stop {
        None => publisher.once()?,
        Some(stop) => publisher.until(stop)?,
    }
    Ok(publisher.totals)
}

fn is_set(stop: &AtomicBool) -> bool {
    stop.load(Ordering::Relaxed)
}

/// The database's side, each call of which blocks until it is done.
struct Database<'p> {
    runtime: Runtime,
    address: Address,
    settings: &'p Settings,
    rules: &'p Rules,
}

/// What a round read.
struct Read {
    batch: Batch,
    /// Whether changes wait that got no serial yet.
    is_rest: bool,
}

impl Database<'_> {
    fn open(&self) -> Result<Session, PublishError> {
        self.runtime.block_on(Session::open(&self.address, self.rules))
    }

    fn lead(&self, session: &Session) -> Result<bool, PublishError> {
        self.runtime.block_on(session.lead())
    }

    /// Checks that the database still has the sink's last serial for the change that the sink
    /// received: it may have gone back while no publisher was there to see it.
    fn check_last(&self, session: &mut Session, last: &Last) -> Result<(), PublishError> {
        let Some(told) = &last.told else { return Ok(()) };
        self.runtime.block_on(async {
            let Session { client, statements, durable, .. } = session;
            let transaction = assign::begin(client, durable).await?;
            batch::check_told(&transaction, statements, last.serial, told).await
        })
    }

    /// Gives serials, and reads the batch after `last`.
    fn read(
        &self,
        session: &mut Session,
        sent: Option<&Sent>,
        last: Option<u64>,
        unread: &mut Unread,
    ) -> Result<Read, PublishError> {
        self.runtime.block_on(async {
            unread.retry(session, self.rules).await?;
            let Session { client, statements, exact_times, durable, .. } = session;
            let transaction = assign::begin(client, durable).await?;
            if let Some(sent) = sent {
                sent.check(&transaction, statements).await?;
            }
            let taken = assign::assign(&transaction, statements, *exact_times).await?;
            if taken == 0 {
                assign::heartbeat(&transaction, statements, self.settings.heartbeat).await?;
            }
            let batch = batch::next(&transaction, statements, self.rules, last).await?;
            if !batch.refused.is_empty() {
                // It may be the view that is wrong, not the rows: then nothing is passed over.
                contract::check(&transaction, self.rules).await?;
            } else if !batch.read.is_empty() {
                contract::check_kept(&transaction, self.rules).await?;
            }
            unread.forget(&transaction, statements, &batch.read).await?;
            unread.note(&transaction, statements, &batch.refused).await?;
            if taken == 0 && !batch.records.is_empty() {
                // The changes that were read may have committed without a wait for the disk; a
                // commit that writes waits, for all that came before.
                transaction.query_one(&statements.durable, &[]).await?;
            }
            transaction.commit().await?;
            if !batch.read.is_empty() {
                // A view that was replaced after the transaction took its snapshot: then nothing is
                // sent, and the serials are read again.
                contract::check_kept(client, self.rules).await?;
            }
            Ok(Read { batch, is_rest: taken == i64::from(assign::TAKEN_COUNT_MAX) })
        })
    }

    /// Waits until there may be something, and at least until a batch's time is over.
    fn wait(&self, session: &Session, began: Instant, stop: &AtomicBool) {
        let longest = self.settings.poll.min(self.settings.heartbeat);
        self.runtime.block_on(async {
            while !is_set(stop) && !session.is_closed() {
                let Some(left) = longest.checked_sub(began.elapsed()) else { break };
                // One that came during the round ends this at once: it may have been seen or not.
                let woken = tokio::time::timeout(left.min(LOOK), session.wake.notified()).await;
                if woken.is_ok() {
                    break;
                }
            }
        });
        sleep(self.settings.batch.saturating_sub(began.elapsed()), stop);
    }

    /// Removes old serials that the sink has.
    fn prune(&self, session: &Session, last: Option<u64>) -> Result<(), PublishError> {
        let last = last.and_then(|last| i64::try_from(last).ok()).unwrap_or(0);
        let days = i32::from(self.settings.retain_days);
        let statement = &session.statements.prune;
        let parameters: [&(dyn ToSql + Sync); 3] = [&last, &days, &PRUNE_COUNT_MAX];
        let count = self.runtime.block_on(session.client.execute(statement, &parameters))?;
        if count > 0 {
            tracing::debug!(count, "old serials are removed");
        }
        Ok(())
    }
}

struct Publisher<'p> {
    database: Database<'p>,
    sink: &'p mut dyn Sink,
    totals: Totals,
    /// The last record that this publisher sent.
    sent: Option<Sent>,
    /// Objects that could not be read.
    unread: Unread,
    /// Pause before the next try.
    pause: Duration,
    /// Whether a round went well: the database kept the contract.
    has_published: bool,
}

impl Publisher<'_> {
    fn once(&mut self) -> Result<(), PublishError> {
        let mut session = self.database.open()?;
        let mut tries = ONCE_TRIES;
        while !self.database.lead(&session)? && tries > 0 {
            std::thread::sleep(LOOK);
            tries = tries.saturating_sub(1);
        }
        if tries == 0 {
            return Err(PublishError::Busy);
        }
        self.begin(&mut session)?;
        while self.round(&mut session)? {}
        Ok(())
    }

    /// Asks the sink where it ends, and whether that is what the database has.
    fn begin(&mut self, session: &mut Session) -> Result<(), PublishError> {
        let last = self.sink.last(&session.source)?;
        if let Some(last) = &last {
            self.database.check_last(session, last)?;
        }
        self.totals.last = last.map(|last| last.serial);
        self.unread.begin();
        Ok(())
    }

    fn until(&mut self, stop: &AtomicBool) -> Result<(), PublishError> {
        while !is_set(stop) {
            match self.connected(stop) {
                Ok(()) => return Ok(()),
                Err(error) if error.is_transient() => {
                    let pause_ms = u64::try_from(self.pause.as_millis()).unwrap_or(u64::MAX);
                    tracing::warn!(%error, pause_ms, "cannot publish; it is tried again");
                    self.rest(stop);
                }
                Err(error) if self.has_published && error.may_be_mended() => {
                    tracing::error!(
                        %error,
                        "publishing waits until the database is as it has to be; no change is lost"
                    );
                    self.rest(stop);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Pauses before the next try.
    fn rest(&mut self, stop: &AtomicBool) {
        sleep(self.pause, stop);
        self.pause = self.pause.saturating_mul(2).min(PAUSE_MAX);
    }

    /// Publishes over one connection, until it ends or `stop` is set.
    fn connected(&mut self, stop: &AtomicBool) -> Result<(), PublishError> {
        let mut session = self.database.open()?;
        if !self.database.lead(&session)? {
            tracing::info!("another publisher is at work; this one waits until it is gone");
            while !is_set(stop) && !self.database.lead(&session)? {
                sleep(LEAD_PAUSE, stop);
            }
        }
        self.begin(&mut session)?;
        let Session { source, exact_times, .. } = &session;
        tracing::info!(source, last = self.totals.last, exact_times, "publishing");
        let mut pruned = clock::monotonic();
        while !is_set(stop) {
            let began = clock::monotonic();
            let more = self.round(&mut session)?;
            (self.pause, self.has_published) = (PAUSE_MIN, true);
            if pruned.elapsed() >= PRUNE_PAUSE {
                pruned = clock::monotonic();
                self.database.prune(&session, self.totals.last)?;
            }
            if !more {
                self.database.wait(&session, began, stop);
            }
        }
        Ok(())
    }

    /// Gives serials, reads one batch, and sends it. Says whether there is more.
    fn round(&mut self, session: &mut Session) -> Result<bool, PublishError> {
        let (totals, unread) = (&mut self.totals, &mut self.unread);
        let Read { batch, is_rest } =
            self.database.read(session, self.sent.as_ref(), totals.last, unread)?;
        totals.unread_count = u64::try_from(unread.count()).unwrap_or(0);
        let Some(last) = batch.records.last().map(|record| record.serial) else {
            return Ok(is_rest);
        };
        // Outside of the runtime: a sink may have one of its own.
        self.sink.send(&batch.records)?;
        let count = u64::try_from(batch.records.len()).unwrap_or(u64::MAX);
        self.sent = batch.sent;
        totals.last = Some(last);
        totals.record_count = totals.record_count.saturating_add(count);
        totals.batch_count = totals.batch_count.saturating_add(1);
        let refused = u64::try_from(batch.refused.len()).unwrap_or(u64::MAX);
        totals.refused_count = totals.refused_count.saturating_add(refused);
        tracing::debug!(last, count, "published");
        Ok(is_rest || last < batch.given)
    }
}

fn sleep(pause: Duration, stop: &AtomicBool) {
    let mut left = pause;
    while !left.is_zero() && !is_set(stop) {
        let part = left.min(LOOK);
        std::thread::sleep(part);
        left = left.saturating_sub(part);
    }
}

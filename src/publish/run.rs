//! The publisher's rounds: changes get serials, their records go to the sink, again and again.
//!
//! ```text
//!   ┌▶ connect ─▶ lead ─▶ ask the sink ─▶ round ─▶ wait for a notification, the poll, the stop ─┐
//!   │    ▲          │ another one leads       ▲                                                 │
//!   │    │          ▼                         └─────────────────────────────────────────────────┘
//!   └─ pause ◀──── any passing failure: 0.1 s, twice as long each time, 10 s at most
//! ```
//!
//! # Invariants
//!
//! - A batch is sent after the transaction that read it committed: no serial goes out that a crash
//!   of the database could give to another change.
//! - One publisher of a database is at work; others wait until its connection ends. Should two be
//!   at work for a moment, `no gap` and `converges` hold all the same.
//!
//! # Does not
//!
//! End on what passes: a database or a sink that is gone is tried until it is back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::Config;

use super::assign;
use super::batch::{self, Sent};
use super::error::PublishError;
use super::rules::Rules;
use super::session::{self, Session};
use super::sink::Sink;
use crate::observe::clock;

/// How often a stop is looked for while nothing happens.
const LOOK: Duration = Duration::from_millis(100);
/// Pause before the first new try, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Pause between two looks whether another publisher is gone.
const LEAD_PAUSE: Duration = Duration::from_secs(1);
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
    /// Serials that the sink has are kept in the database for so many days.
    pub retain_days: u16,
}

/// What a publisher has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records that went to the sink.
    pub record_count: u64,
    /// Batches.
    pub batch_count: u64,
    /// Changes that were no records, and were left out.
    pub refused_count: u64,
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
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, PublishError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| PublishError::Base { problem: format!("cannot start: {error}") })
}

fn work(
    settings: &Settings,
    rules: &Rules,
    sink: &mut dyn Sink,
    stop: Option<&AtomicBool>,
) -> Result<Totals, PublishError> {
    let config = session::config(&settings.from)?;
    let totals = Totals::default();
    let (sent, pause) = (None, PAUSE_MIN);
    let mut publisher = Publisher { settings, rules, sink, config, totals, sent, pause };
    let runtime = runtime()?;
    match stop {
        None => runtime.block_on(publisher.once())?,
        Some(stop) => runtime.block_on(publisher.until(stop))?,
    }
    Ok(publisher.totals)
}

fn is_set(stop: &AtomicBool) -> bool {
    stop.load(Ordering::Relaxed)
}

struct Publisher<'p> {
    settings: &'p Settings,
    rules: &'p Rules,
    sink: &'p mut dyn Sink,
    config: Config,
    totals: Totals,
    /// The last record that this publisher sent.
    sent: Option<Sent>,
    /// Pause before the next try.
    pause: Duration,
}

impl Publisher<'_> {
    async fn once(&mut self) -> Result<(), PublishError> {
        let mut session = Session::open(&self.config, self.rules).await?;
        if !session.lead().await? {
            let problem = "another publisher is at work on it".to_owned();
            return Err(PublishError::Database { problem, lasting: true });
        }
        self.totals.last = self.sink.last()?;
        while self.round(&mut session).await? {}
        Ok(())
    }

    async fn until(&mut self, stop: &AtomicBool) -> Result<(), PublishError> {
        while !is_set(stop) {
            match self.connected(stop).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_transient() => {
                    let pause_ms = u64::try_from(self.pause.as_millis()).unwrap_or(u64::MAX);
                    tracing::warn!(%error, pause_ms, "publishing is interrupted");
                    sleep(self.pause, stop).await;
                    self.pause = self.pause.saturating_mul(2).min(PAUSE_MAX);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Publishes over one connection, until it ends or `stop` is set.
    async fn connected(&mut self, stop: &AtomicBool) -> Result<(), PublishError> {
        let mut session = Session::open(&self.config, self.rules).await?;
        if !session.lead().await? {
            tracing::info!("another publisher is at work; this one waits until it is gone");
            while !is_set(stop) && !session.lead().await? {
                sleep(LEAD_PAUSE, stop).await;
            }
        }
        self.totals.last = self.sink.last()?;
        tracing::info!(last = self.totals.last, exact_times = session.exact_times, "publishing");
        let mut pruned = clock::monotonic();
        while !is_set(stop) {
            let began = clock::monotonic();
            let more = self.round(&mut session).await?;
            self.pause = PAUSE_MIN;
            if pruned.elapsed() >= PRUNE_PAUSE {
                pruned = clock::monotonic();
                self.prune(&session).await?;
            }
            if !more {
                self.wait(&session, began, stop).await;
            }
        }
        Ok(())
    }

    /// Gives serials, reads one batch, and sends it. Says whether there is more.
    async fn round(&mut self, session: &mut Session) -> Result<bool, PublishError> {
        let Session { client, statements, exact_times, .. } = session;
        let transaction = session::begin_assigning(client).await?;
        if let Some(sent) = &self.sent {
            sent.check(&transaction, statements).await?;
        }
        let taken = assign::assign(&transaction, statements, *exact_times).await?;
        if taken == 0 {
            assign::heartbeat(&transaction, statements, self.settings.heartbeat).await?;
        }
        let batch = batch::next(&transaction, statements, self.rules, self.totals.last).await?;
        transaction.commit().await?;
        let is_rest = taken == i64::from(assign::TAKEN_COUNT_MAX);
        let Some(last) = batch.records.last().map(|record| record.serial) else {
            return Ok(is_rest);
        };
        self.sink.send(&batch.records)?;
        self.sent = batch.sent;
        let totals = &mut self.totals;
        let count = u64::try_from(batch.records.len()).unwrap_or(u64::MAX);
        totals.last = Some(last);
        totals.record_count = totals.record_count.saturating_add(count);
        totals.batch_count = totals.batch_count.saturating_add(1);
        totals.refused_count = totals.refused_count.saturating_add(batch.refused_count);
        tracing::debug!(last, count, "published");
        Ok(is_rest || last < batch.given)
    }

    /// Waits until there may be something, and at least until a batch's time is over.
    async fn wait(&self, session: &Session, began: Instant, stop: &AtomicBool) {
        let longest = self.settings.poll.min(self.settings.heartbeat);
        while !is_set(stop) && !session.is_closed() {
            let Some(left) = longest.checked_sub(began.elapsed()) else { break };
            // A notification that came during the round ends this at once: it may have been seen.
            if tokio::time::timeout(left.min(LOOK), session.wake.notified()).await.is_ok() {
                break;
            }
        }
        let rest = self.settings.batch.saturating_sub(began.elapsed());
        sleep(rest, stop).await;
    }

    /// Removes old serials that the sink has.
    async fn prune(&self, session: &Session) -> Result<(), PublishError> {
        let last = self.totals.last.and_then(|last| i64::try_from(last).ok()).unwrap_or(0);
        let days = i32::from(self.settings.retain_days);
        let statement = &session.statements.prune;
        let count = session.client.execute(statement, &[&last, &days, &PRUNE_COUNT_MAX]).await?;
        if count > 0 {
            tracing::debug!(count, "old serials are removed");
        }
        Ok(())
    }
}

async fn sleep(pause: Duration, stop: &AtomicBool) {
    let mut left = pause;
    while !left.is_zero() && !is_set(stop) {
        let part = left.min(LOOK);
        tokio::time::sleep(part).await;
        left = left.saturating_sub(part);
    }
}

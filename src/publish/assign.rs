//! Gives committed changes their serials, within the database.
//!
//! # Invariants
//!
//! - `no gap`: the session that holds the lock on `whoisd.assigning` gives serials, in the
//!   transaction that takes the changes out; each is the last one's plus 1.
//! - A change that is visible and has no serial gets one, whatever its transaction's age: nothing
//!   is skipped that commits late, and nobody waits for a transaction that stays open.
//!
//! # Does not
//!
//! Read objects.

use std::time::Duration;

use tokio_postgres::{Client, IsolationLevel, Transaction};

use super::error::PublishError;
use super::session::Statements;

/// Changes that get serials in one statement: bounds its memory, and how long it takes.
pub(super) const TAKEN_COUNT_MAX: u16 = 4096;

/// Begins a transaction in which serials can be given: it sees everything that committed before it
/// got the lock, and gives serials alone.
pub(super) async fn begin<'c>(
    client: &'c mut Client,
    durable: &str,
) -> Result<Transaction<'c>, PublishError> {
    let transaction =
        client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).start().await?;
    // Neither takes a snapshot, so the transaction's comes after the lock.
    let lock = format!("{durable}; LOCK TABLE whoisd.assigning IN EXCLUSIVE MODE");
    transaction.batch_execute(&lock).await?;
    Ok(transaction)
}

/// Gives serials to at most [`TAKEN_COUNT_MAX`] changes; says how many changes were there.
pub(super) async fn assign(
    transaction: &Transaction<'_>,
    statements: &Statements,
    exact_times: bool,
) -> Result<i64, PublishError> {
    let taken = i64::from(TAKEN_COUNT_MAX);
    let row = transaction.query_one(&statements.assign, &[&taken, &exact_times]).await?;
    Ok(row.try_get(0)?)
}

/// Gives a serial to a sign of life, if none was given for `pause`.
pub(super) async fn heartbeat(
    transaction: &Transaction<'_>,
    statements: &Statements,
    pause: Duration,
) -> Result<(), PublishError> {
    let pause_ms = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
    transaction.execute(&statements.heartbeat, &[&pause_ms]).await?;
    Ok(())
}

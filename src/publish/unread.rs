//! Objects that could not be read or were not records: noted in the database, and taken again once
//! they can be read.
//!
//! # Invariants
//!
//! - `taken again`: objects that are noted are tried every [`RETRY`]; those that read by then
//!   become changes again, with serials like any other.
//! - A problem is logged once, not each time that it is still there.
//! - Noting is part of the transaction that passes over the object: after a crash it is there, or
//!   the object's serial is still to be published.
//!
//! # Does not
//!
//! Hold up other objects.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio_postgres::{GenericClient, Transaction};

use super::assign;
use super::batch::{self, Refused};
use super::error::{PublishError, RowError};
use super::rows::Raw;
use super::rules::Rules;
use super::session::{Session, Statements};
use crate::observe::clock;

/// Pause between two tries.
const RETRY: Duration = Duration::from_secs(5);
/// Pause between two lines that say how many wait.
const REMIND: Duration = Duration::from_secs(600);
/// Objects that are tried together.
const TRIED_COUNT: usize = 128;
/// Objects whose problem is remembered as said, and that are kept where the database has no place
/// for them.
const KEPT_COUNT_MAX: usize = 10_000;
/// Most characters of a problem that the database keeps.
const PROBLEM_CHARS_MAX: usize = 500;

/// What is known of objects that wait.
#[derive(Debug)]
pub(super) struct Unread {
    /// By kind and key: what was said of it.
    said: BTreeMap<(String, String), String>,
    /// How many wait, as of the last look.
    count: i64,
    tried: Option<Instant>,
    reminded: Instant,
}

impl Default for Unread {
    fn default() -> Self {
        let reminded = clock::monotonic();
        Self { said: BTreeMap::new(), count: 0, tried: None, reminded }
    }
}

impl Unread {
    /// Forgets that it was tried: a new connection tries at once.
    pub(super) const fn begin(&mut self) {
        self.tried = None;
    }

    /// How many objects wait, as far as is known.
    pub(super) const fn count(&self) -> i64 {
        self.count
    }

    /// Says what is wrong with an object, unless it was said.
    fn say(&mut self, refused: &Refused) {
        let Refused { serial, kind, key, problem, .. } = refused;
        let place = (kind.clone(), key.clone());
        if self.said.get(&place) == Some(problem) {
            return;
        }
        tracing::error!(
            serial,
            kind,
            key,
            problem,
            "the object is left out: what was published of it before stays; correct the row, or \
             the view. It is tried again by itself"
        );
        if self.said.len() >= KEPT_COUNT_MAX {
            self.said.pop_first();
        }
        self.said.insert(place, problem.clone());
    }

    /// Notes objects that are passed over, within the transaction that does.
    pub(super) async fn note(
        &mut self,
        transaction: &Transaction<'_>,
        statements: &Statements,
        refused: &[Refused],
    ) -> Result<(), PublishError> {
        if refused.is_empty() {
            return Ok(());
        }
        for refused in refused {
            self.say(refused);
        }
        if let Some(statement) = &statements.unread {
            let may_read = || refused.iter().filter(|refused| refused.may_read);
            let serials: Vec<i64> = may_read()
                .map(|refused| i64::try_from(refused.serial).unwrap_or(i64::MAX))
                .collect();
            let problems: Vec<String> = may_read().map(|refused| plain(&refused.problem)).collect();
            transaction.execute(&statement.note, &[&serials, &problems]).await?;
        }
        self.recount(transaction, statements).await
    }

    /// Counts what waits.
    async fn recount(
        &mut self,
        transaction: &Transaction<'_>,
        statements: &Statements,
    ) -> Result<(), PublishError> {
        self.count = match &statements.unread {
            Some(statement) => transaction.query_one(&statement.count, &[]).await?.try_get(0)?,
            None => i64::try_from(self.said.len()).unwrap_or(i64::MAX),
        };
        Ok(())
    }

    /// Forgets objects that were read after all.
    pub(super) async fn forget(
        &mut self,
        transaction: &Transaction<'_>,
        statements: &Statements,
        read: &[(String, String)],
    ) -> Result<(), PublishError> {
        if self.count == 0 && self.said.is_empty() {
            return Ok(());
        }
        for place in read {
            self.said.remove(place);
        }
        if let Some(statement) = &statements.unread {
            let (kinds, keys): (Vec<&str>, Vec<&str>) =
                read.iter().map(|(kind, key)| (kind.as_str(), key.as_str())).unzip();
            transaction.execute(&statement.forget, &[&kinds, &keys]).await?;
        }
        self.recount(transaction, statements).await
    }

    /// Tries the objects that wait, if it is time. Those that read by now become changes again.
    pub(super) async fn retry(
        &mut self,
        session: &mut Session,
        rules: &Rules,
    ) -> Result<(), PublishError> {
        if self.tried.is_some_and(|tried| tried.elapsed() < RETRY) {
            return Ok(());
        }
        self.tried = Some(clock::monotonic());
        let mut tried: usize = 0;
        loop {
            let Session { client, statements, durable, .. } = &mut *session;
            let transaction = assign::begin(client, durable).await?;
            self.recount(&transaction, statements).await?;
            let waiting = self.waiting(&transaction, statements).await?;
            if waiting.is_empty() {
                break;
            }
            let outcome = batch::try_again(&transaction, statements, rules, &waiting).await?;
            for refused in &outcome.refused {
                self.say(refused);
            }
            self.settle(&transaction, statements, &waiting, &outcome).await?;
            transaction.commit().await?;
            tried = tried.saturating_add(waiting.len());
            if !outcome.refused.is_empty() || waiting.len() < TRIED_COUNT {
                break;
            }
        }
        self.remind();
        Ok(())
    }

    /// Objects that wait, those that were tried longest ago first.
    async fn waiting(
        &self,
        transaction: &Transaction<'_>,
        statements: &Statements,
    ) -> Result<Vec<(String, String)>, PublishError> {
        let Some(statement) = &statements.unread else {
            return Ok(self.said.keys().take(TRIED_COUNT).cloned().collect());
        };
        let mut waiting = Vec::new();
        let most = i64::try_from(TRIED_COUNT).unwrap_or(i64::MAX);
        for row in transaction.query(&statement.waiting, &[&most]).await? {
            let (kind, key): (Raw<'_>, Raw<'_>) = (row.try_get(0)?, row.try_get(1)?);
            // A key that is not text never reads.
            if let (Ok(kind), Ok(key)) = (kind.text(), key.text()) {
                waiting.push((kind, key));
            }
        }
        Ok(waiting)
    }

    /// Makes changes of what reads, and notes that the others were tried.
    async fn settle(
        &mut self,
        transaction: &Transaction<'_>,
        statements: &Statements,
        waiting: &[(String, String)],
        outcome: &batch::Again,
    ) -> Result<(), PublishError> {
        for (kind, key) in &outcome.read {
            transaction.execute(&statements.change, &[kind, key]).await?;
            self.said.remove(&(kind.clone(), key.clone()));
            tracing::info!(kind, key, "the object reads again, and is published");
        }
        for place in &outcome.gone {
            self.said.remove(place);
        }
        let Some(statement) = &statements.unread else {
            return self.recount(transaction, statements).await;
        };
        let pairs = |of: &mut dyn Iterator<Item = (&String, &String)>| {
            of.map(|(kind, key)| (kind.clone(), key.clone())).unzip()
        };
        let (kinds, keys): (Vec<String>, Vec<String>) =
            pairs(&mut outcome.read.iter().chain(&outcome.gone).map(|(kind, key)| (kind, key)));
        transaction.execute(&statement.forget, &[&kinds, &keys]).await?;
        let (kinds, keys): (Vec<String>, Vec<String>) =
            pairs(&mut waiting.iter().map(|(kind, key)| (kind, key)));
        transaction.execute(&statement.tried, &[&kinds, &keys]).await?;
        self.recount(transaction, statements).await
    }

    fn remind(&mut self) {
        if self.count > 0 && self.reminded.elapsed() >= REMIND {
            self.reminded = clock::monotonic();
            let count = self.count;
            tracing::warn!(count, "objects wait that cannot be read; whoisd.unread names them");
        }
    }
}

/// A text that a database of any encoding takes.
fn plain(problem: &str) -> String {
    let letter = |c: char| if c.is_ascii() && !c.is_control() { c } else { '?' };
    problem.chars().take(PROBLEM_CHARS_MAX).map(letter).collect()
}

/// Notes objects that a base leaves out.
pub(super) async fn note_left_out(
    client: &impl GenericClient,
    statements: &Statements,
    kind: &str,
    left_out: &[(String, RowError)],
) -> Result<(), PublishError> {
    let Some(statement) = statements.unread.as_ref().filter(|_| !left_out.is_empty()) else {
        return Ok(());
    };
    let (keys, problems): (Vec<&str>, Vec<String>) =
        left_out.iter().map(|(key, problem)| (key.as_str(), plain(&problem.to_string()))).unzip();
    client.execute(&statement.left_out, &[&kind, &keys, &problems]).await?;
    Ok(())
}

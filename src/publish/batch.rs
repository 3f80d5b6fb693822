//! The next serials as change records: their objects, read whole.
//!
//! # Invariants
//!
//! - `no gap`: there is a record for every serial. What is hidden, or is no record, is a heartbeat.
//! - A batch ends between two transactions, unless one alone is longer than a batch may be.
//! - `what may not leave`: a contact's key leaves only if the contact is shown, or was.
//!
//! # Does not
//!
//! Commit: the objects are those of the caller's snapshot.

use std::collections::{BTreeMap, BTreeSet};

use snapshot_format::Kind;
use tokio_postgres::Transaction;

use super::error::PublishError;
use super::fields::Leaves;
use super::rules::{Rules, Use};
use super::session::{DOCUMENT_BYTES_MAX, Statements};
use super::translate::{self, Head, Row, word};
use crate::feed::ChangeRecord;

/// Records of a batch.
const RECORDS_MAX: usize = 1000;
/// Records that are read together; with [`DOCUMENT_BYTES_MAX`] it bounds memory at 64 MiB.
const READ_COUNT: usize = 128;
/// A batch ends once its documents have so many bytes, within a transaction if need be.
const BATCH_BYTES_MAX: usize = 32 << 20;
/// Longest key, bytes: that of a record.
const KEY_BYTES_MAX: usize = 255;

/// A serial, and what changed.
struct Entry {
    head: Head,
    /// `None`: a heartbeat.
    kind: Option<Kind>,
    key: String,
}

/// A row of a view.
struct Document {
    zone: String,
    /// `None`: too long.
    text: Option<String>,
    bytes: usize,
}

/// What is to go out next.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<ChangeRecord>,
    /// The last serial that the database gave.
    pub(super) given: u64,
    /// Changes that are no records, and were left out.
    pub(super) refused_count: u64,
    /// What the last record's serial was given to.
    pub(super) sent: Option<Sent>,
}

/// What a serial was given to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    serial: u64,
    committed: String,
    transaction: String,
}

impl Sent {
    fn of(head: &Head) -> Self {
        let Head { serial, committed, transaction } = head.clone();
        Self { serial, committed, transaction }
    }

    /// Checks that the database still has the serial for the same change. A serial that was pruned
    /// passes.
    pub(super) async fn check(
        &self,
        transaction: &Transaction<'_>,
        statements: &Statements,
    ) -> Result<(), PublishError> {
        let before = i64::try_from(self.serial.saturating_sub(1)).unwrap_or(i64::MAX);
        let rows = transaction.query(&statements.serials, &[&before, &1i64]).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let found = Self {
            serial: unsigned(row.try_get(0)?),
            committed: row.try_get(1)?,
            transaction: row.try_get(2)?,
        };
        if found.serial == self.serial && found != *self {
            return Err(PublishError::Rewound { have: self.serial });
        }
        Ok(())
    }
}

/// Reads the serials after `after`; `None`: from the first one that the database has.
pub(super) async fn next(
    transaction: &Transaction<'_>,
    statements: &Statements,
    rules: &Rules,
    after: Option<u64>,
) -> Result<Batch, PublishError> {
    let row = transaction.query_one(&statements.position, &[]).await?;
    let given = unsigned(row.try_get(0)?);
    let first: Option<i64> = row.try_get(1)?;
    let start = first.map_or(given, |first| unsigned(first).saturating_sub(1));
    let after = after.unwrap_or(start);
    if after > given {
        return Err(PublishError::Ahead { have: after, given });
    }
    if after < start {
        return Err(PublishError::Pruned { have: after, first: start.saturating_add(1) });
    }
    let entries = entries(transaction, statements, after).await?;
    let mut batch = Batch { given, ..Batch::default() };
    let mut bytes = 0usize;
    for part in entries.chunks(READ_COUNT) {
        if bytes > BATCH_BYTES_MAX {
            break;
        }
        let found = Found::read(transaction, statements, rules, part).await?;
        bytes = bytes.saturating_add(found.bytes());
        for entry in part {
            let record = found.record(rules, entry).or_else(|problem| {
                batch.refused_count = batch.refused_count.saturating_add(1);
                let (serial, key) = (entry.head.serial, entry.key.as_str());
                let kind = entry.kind.map_or("", word);
                tracing::error!(
                    serial,
                    kind,
                    key,
                    problem,
                    "the row is no change record and is left out: what was published of the object \
                     before stays; correct the row, or the view"
                );
                translate::heartbeat(&entry.head)
            });
            // A time of the database is one of a record; see `entries`.
            batch.records.push(record.map_err(|problem| PublishError::Contract { problem })?);
            batch.sent = Some(Sent::of(&entry.head));
        }
    }
    Ok(batch)
}

fn unsigned(serial: i64) -> u64 {
    u64::try_from(serial).unwrap_or(0)
}

/// The next serials, whole transactions where they fit.
async fn entries(
    transaction: &Transaction<'_>,
    statements: &Statements,
    after: u64,
) -> Result<Vec<Entry>, PublishError> {
    let from = i64::try_from(after).unwrap_or(i64::MAX);
    // One more shows whether the last transaction goes on.
    let count = i64::try_from(RECORDS_MAX.saturating_add(1)).unwrap_or(i64::MAX);
    let rows = transaction.query(&statements.serials, &[&from, &count]).await?;
    let mut entries = Vec::with_capacity(rows.len());
    let mut expected = after.saturating_add(1);
    for row in rows {
        let serial = unsigned(row.try_get(0)?);
        if serial != expected {
            return Err(PublishError::Contract {
                problem: format!("whoisd.serials has {serial} where {expected} should be"),
            });
        }
        expected = expected.saturating_add(1);
        let kind: String = row.try_get(3)?;
        entries.push(Entry {
            head: Head { serial, committed: row.try_get(1)?, transaction: row.try_get(2)? },
            kind: Kind::ALL.into_iter().find(|&known| word(known) == kind),
            key: row.try_get(4)?,
        });
    }
    if entries.len() > RECORDS_MAX {
        let begun = |pair: &[Entry]| match pair {
            [one, two] => one.head.transaction != two.head.transaction,
            _ => false,
        };
        let whole = entries.windows(2).rposition(begun).map(|at| at.saturating_add(1));
        entries.truncate(whole.unwrap_or(RECORDS_MAX));
    }
    Ok(entries)
}

/// What the views say of the objects of some entries.
#[derive(Default)]
struct Found {
    documents: BTreeMap<(Kind, String), Document>,
    /// Of contacts, where it matters who refers to them.
    hidden: Option<BTreeMap<String, Leaves>>,
    /// Contacts that were published before.
    shown: BTreeSet<String>,
}

impl Found {
    async fn read(
        transaction: &Transaction<'_>,
        statements: &Statements,
        rules: &Rules,
        entries: &[Entry],
    ) -> Result<Self, PublishError> {
        let mut keys: BTreeMap<Kind, BTreeSet<&str>> = BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry.key.len() <= KEY_BYTES_MAX) {
            if let Some(kind) = entry.kind {
                keys.entry(kind).or_default().insert(&entry.key);
            }
        }
        let mut found = Self::default();
        for (kind, keys) in keys {
            let keys: Vec<&str> = keys.into_iter().collect();
            let Some(statement) = statements.documents(kind) else { continue };
            for row in transaction.query(statement, &[&keys]).await? {
                let bytes: Option<i32> = row.try_get(2)?;
                let bytes = usize::try_from(bytes.unwrap_or_default()).unwrap_or(usize::MAX);
                let document = Document { zone: row.try_get(1)?, text: row.try_get(3)?, bytes };
                found.documents.insert((kind, row.try_get(0)?), document);
            }
            if kind == Kind::Contact && statements.uses.is_some() {
                let hidden = hidden(transaction, statements, rules, &keys).await?;
                show(transaction, statements, hidden.keys()).await?;
                for row in transaction.query(&statements.shown, &[&keys]).await? {
                    found.shown.insert(row.try_get(0)?);
                }
                found.hidden = Some(hidden);
            }
        }
        Ok(found)
    }

    fn bytes(&self) -> usize {
        let lengths = self.documents.values().filter(|document| document.text.is_some());
        lengths.fold(0, |sum, document| sum.saturating_add(document.bytes))
    }

    fn record(&self, rules: &Rules, entry: &Entry) -> Result<ChangeRecord, String> {
        let Entry { head, kind, key } = entry;
        let Some(kind) = *kind else { return translate::heartbeat(head) };
        if key.len() > KEY_BYTES_MAX {
            return Err(format!("a key of more than {KEY_BYTES_MAX} bytes"));
        }
        let leaves = self.hidden.as_ref().map(|hidden| hidden.get(key));
        let is_hidden = kind == Kind::Contact && leaves == Some(None);
        let document = self.documents.get(&(kind, key.clone()));
        match document.filter(|_| !is_hidden) {
            Some(Document { zone, text: Some(text), .. }) => {
                let hidden = if kind == Kind::Contact { leaves.flatten() } else { None };
                translate::upsert(rules, head, Row { kind, zone, document: text, hidden })
            }
            Some(Document { text: None, bytes, .. }) => {
                Err(format!("{bytes} bytes of JSON, at most {DOCUMENT_BYTES_MAX} are read"))
            }
            // Nobody downstream may hear that there is such a contact.
            None if kind == Kind::Contact && leaves.is_some() && !self.shown.contains(key) => {
                translate::heartbeat(head)
            }
            None => translate::delete(head, kind, key),
        }
    }
}

/// The contacts that leave, with the fields that they do not show.
pub(super) async fn hidden(
    transaction: &Transaction<'_>,
    statements: &Statements,
    rules: &Rules,
    ids: &[&str],
) -> Result<BTreeMap<String, Leaves>, PublishError> {
    let Some(statement) = &statements.uses else { return Ok(BTreeMap::new()) };
    let mut uses: BTreeMap<String, Vec<Use>> = BTreeMap::new();
    for row in transaction.query(statement, &[&ids]).await? {
        let used = Use { zone: row.try_get(1)?, is_registrant: row.try_get(2)? };
        uses.entry(row.try_get(0)?).or_default().push(used);
    }
    let leaving = uses.into_iter().filter_map(|(id, uses)| Some((id, rules.hidden(&uses)?)));
    Ok(leaving.collect())
}

/// Notes contacts as published, before they are.
pub(super) async fn show(
    transaction: &Transaction<'_>,
    statements: &Statements,
    ids: impl Iterator<Item = &String>,
) -> Result<(), PublishError> {
    let ids: Vec<&str> = ids.map(String::as_str).collect();
    if !ids.is_empty() {
        transaction.execute(&statements.show, &[&ids]).await?;
    }
    Ok(())
}

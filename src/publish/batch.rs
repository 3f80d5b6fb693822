//! The next serials as change records: their objects, read whole.
//!
//! # Invariants
//!
//! - `no gap`: there is a record for every serial. A row that is hidden, is not a record, or cannot
//!   be read is a heartbeat.
//! - One row never ends a batch: see `rows`.
//! - A batch ends between two transactions, unless one alone is longer than a batch may be.
//! - `what may not leave`: a contact's key leaves only if the contact is shown, or was.
//!
//! # Does not
//!
//! Commit: the objects are those of the caller's snapshot.

use std::collections::{BTreeMap, BTreeSet};

use snapshot_format::Kind;
use tokio_postgres::Transaction;

use super::error::RowError;
use super::error::{Broken, PublishError};
use super::fields::Leaves;
use super::rows::{self, Raw};
use super::rules::{Rules, Use};
use super::session::Statements;
use super::sink::Told;
use super::translate::{self, Head, Row};
use crate::feed::{ChangeRecord, word};

/// Records of a batch.
const RECORDS_MAX: usize = 1000;
/// Records that are read together; with the bound of a document
/// ([`super::session::DOCUMENT_BYTES_MAX`]) it bounds memory at 64 MiB.
const READ_COUNT: usize = 128;
/// A batch ends once its documents have this many bytes, within a transaction if need be.
const BATCH_BYTES_MAX: usize = 32 << 20;
/// Longest key, bytes: that of a record.
pub(super) const KEY_BYTES_MAX: usize = 255;

/// A serial, and what changed.
struct Entry {
    head: Head,
    /// `None`: a heartbeat.
    kind: Option<Kind>,
    key: String,
    /// Whether the key is one that a row may have.
    is_key: bool,
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
    /// Changes that are not records, or could not be read, and were left out.
    pub(super) refused: Vec<Refused>,
    /// Kinds and keys of the objects that were read.
    pub(super) read: Vec<(String, String)>,
    /// The change that has the last record's serial.
    pub(super) sent: Option<Sent>,
}

/// An object that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// 0: it was tried again.
    pub(super) serial: u64,
    pub(super) kind: String,
    pub(super) key: String,
    pub(super) problem: String,
    /// Whether it may read later on: its key can be looked up.
    pub(super) may_read: bool,
}

/// Objects that were tried again.
#[derive(Debug, Default)]
pub(super) struct Again {
    pub(super) read: Vec<(String, String)>,
    /// They are gone, and no record can have their keys, so there is nothing to publish.
    pub(super) gone: Vec<(String, String)>,
    pub(super) refused: Vec<Refused>,
}

/// The change that has a serial.
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

    /// The change that has a serial in the database; `None`: the serial was not given yet, or was
    /// pruned.
    async fn found(
        transaction: &Transaction<'_>,
        statements: &Statements,
        serial: u64,
    ) -> Result<Option<Self>, PublishError> {
        let before = i64::try_from(serial.saturating_sub(1)).unwrap_or(i64::MAX);
        let rows = transaction.query(&statements.serials, &[&before, &1i64]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let named: Raw<'_> = row.try_get(2)?;
        let found = Self {
            serial: unsigned(row.try_get(0)?),
            committed: row.try_get(1)?,
            transaction: named.text().unwrap_or_else(|not_text| not_text.reads),
        };
        Ok((found.serial == serial).then_some(found))
    }

    /// Checks that the database still has the serial for the same change. A serial that was pruned
    /// passes.
    pub(super) async fn check(
        &self,
        transaction: &Transaction<'_>,
        statements: &Statements,
    ) -> Result<(), PublishError> {
        match Self::found(transaction, statements, self.serial).await? {
            Some(found) if found != *self => Err(PublishError::Rewound { have: self.serial }),
            _ => Ok(()),
        }
    }
}

/// Checks that the database has a serial for the same change that a sink received under it.
pub(super) async fn check_told(
    transaction: &Transaction<'_>,
    statements: &Statements,
    serial: u64,
    told: &Told,
) -> Result<(), PublishError> {
    let Some(found) = Sent::found(transaction, statements, serial).await? else { return Ok(()) };
    let head = Head { serial, committed: found.committed, transaction: found.transaction };
    let is_same = told.is_of(
        translate::heartbeat(&head).map_or(told.committed_ms, |record| record.committed_ms),
        &translate::transaction(&head),
    );
    if is_same { Ok(()) } else { Err(PublishError::Rewound { have: serial }) }
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
                batch.refused.push(entry.refused(&problem));
                translate::heartbeat(&entry.head)
            });
            // A time of the database is one of a record; see `entries`.
            batch.records.push(record.map_err(no_heartbeat)?);
            batch.sent = Some(Sent::of(&entry.head));
        }
        let refused = |place: &(String, String)| {
            batch
                .refused
                .iter()
                .any(|refused| (&refused.kind, &refused.key) == (&place.0, &place.1))
        };
        let read: Vec<_> =
            part.iter().filter_map(Entry::place).filter(|place| !refused(place)).collect();
        batch.read.extend(read);
    }
    Ok(batch)
}

/// Tries objects again that could not be read, or were not records.
pub(super) async fn try_again(
    transaction: &Transaction<'_>,
    statements: &Statements,
    rules: &Rules,
    waiting: &[(String, String)],
) -> Result<Again, PublishError> {
    let entry = |(kind, key): &(String, String)| Entry {
        head: translate::anytime(),
        kind: kind_of(kind),
        key: key.clone(),
        // It is looked for whatever it is: the row may be gone.
        is_key: true,
    };
    let entries: Vec<Entry> = waiting.iter().map(entry).collect();
    let mut again = Again::default();
    for part in entries.chunks(READ_COUNT) {
        let found = Found::read(transaction, statements, rules, part).await?;
        for entry in part {
            if found.is_gone_for_good(entry) {
                again.gone.extend(entry.place());
                continue;
            }
            match (found.record(rules, entry), entry.place()) {
                (Ok(_), Some(place)) => again.read.push(place),
                (Err(problem), _) => {
                    again.refused.push(Refused { serial: 0, ..entry.refused(&problem) });
                }
                (Ok(_), None) => {}
            }
        }
    }
    Ok(again)
}

impl Entry {
    /// Kind and key; `None`: a heartbeat.
    fn place(&self) -> Option<(String, String)> {
        Some((word(self.kind?).to_owned(), self.key.clone()))
    }

    fn refused(&self, problem: &RowError) -> Refused {
        Refused {
            serial: self.head.serial,
            kind: self.kind.map_or("", word).to_owned(),
            key: self.key.clone(),
            problem: problem.to_string(),
            may_read: self.is_key,
        }
    }
}

fn no_heartbeat(problem: RowError) -> PublishError {
    Broken::Head { problem: problem.to_string() }.into()
}

fn kind_of(text: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|&known| word(known) == text)
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
            return Err(Broken::Serial { got: serial, expected }.into());
        }
        expected = expected.saturating_add(1);
        let kind: String = row.try_get(3)?;
        let (named, key): (Raw<'_>, Raw<'_>) = (row.try_get(2)?, row.try_get(4)?);
        let transaction = named.text().unwrap_or_else(|not_text| not_text.reads);
        let (key, is_text) = match key.text() {
            Ok(key) => (key, true),
            Err(not_text) => (not_text.reads, false),
        };
        entries.push(Entry {
            head: Head { serial, committed: row.try_get(1)?, transaction },
            kind: kind_of(&kind),
            is_key: is_text && key.len() <= KEY_BYTES_MAX,
            key,
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
    /// Objects that could not be read, and why.
    failed: BTreeMap<(Kind, String), RowError>,
    /// Of contacts, where it matters which domains refer to them.
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
        for entry in entries.iter().filter(|entry| entry.is_key) {
            if let Some(kind) = entry.kind {
                keys.entry(kind).or_default().insert(&entry.key);
            }
        }
        let mut found = Self::default();
        for (kind, keys) in keys {
            let keys: Vec<&str> = keys.into_iter().collect();
            let Some(statement) = statements.documents(kind) else { continue };
            let read = rows::read(transaction, statement, &keys).await?;
            found.fail(kind, read.failed);
            for row in &read.rows {
                found.document(kind, row)?;
            }
            if kind == Kind::Contact && statements.uses.is_some() {
                let Hidden { leaving, failed } =
                    hidden(transaction, statements, rules, &keys).await?;
                found.fail(kind, failed);
                show(transaction, statements, leaving.keys()).await?;
                for row in transaction.query(&statements.shown, &[&keys]).await? {
                    found.shown.insert(row.try_get(0)?);
                }
                found.hidden = Some(leaving);
            }
        }
        Ok(found)
    }

    fn fail(&mut self, kind: Kind, failed: Vec<(String, RowError)>) {
        let failed = failed.into_iter().map(|(key, problem)| ((kind, key), problem));
        self.failed.extend(failed);
    }

    /// Takes a row of a view.
    fn document(&mut self, kind: Kind, row: &tokio_postgres::Row) -> Result<(), PublishError> {
        let key: Option<Raw<'_>> = row.try_get(0)?;
        // Nobody asked for a key that is not text.
        let Some(Ok(key)) = key.map(Raw::text) else { return Ok(()) };
        let (zone, text): (Raw<'_>, Option<Raw<'_>>) = (row.try_get(1)?, row.try_get(3)?);
        match (zone.text(), text.map(Raw::text).transpose()) {
            (Ok(zone), Ok(text)) => {
                let bytes: Option<i32> = row.try_get(2)?;
                let bytes = usize::try_from(bytes.unwrap_or_default()).unwrap_or(usize::MAX);
                self.documents.insert((kind, key), Document { zone, text, bytes });
            }
            _ => self.fail(kind, vec![(key, RowError::NotText)]),
        }
        Ok(())
    }

    /// Whether no row has the key of an entry, and no record can have it.
    fn is_gone_for_good(&self, entry: &Entry) -> bool {
        let Some(kind) = entry.kind else { return false };
        let place = (kind, entry.key.clone());
        !self.documents.contains_key(&place)
            && !self.failed.contains_key(&place)
            && translate::delete(&entry.head, kind, &entry.key).is_err()
    }

    fn bytes(&self) -> usize {
        let lengths = self.documents.values().filter(|document| document.text.is_some());
        lengths.fold(0, |sum, document| sum.saturating_add(document.bytes))
    }

    fn record(&self, rules: &Rules, entry: &Entry) -> Result<ChangeRecord, RowError> {
        let Entry { head, kind, key, .. } = entry;
        let Some(kind) = *kind else { return translate::heartbeat(head) };
        if key.len() > KEY_BYTES_MAX {
            return Err(RowError::Key);
        }
        if !entry.is_key {
            return Err(RowError::NotText);
        }
        if let Some(problem) = self.failed.get(&(kind, key.clone())) {
            return Err(problem.clone());
        }
        let leaves = self.hidden.as_ref().map(|hidden| hidden.get(key));
        let is_hidden = kind == Kind::Contact && leaves == Some(None);
        let document = self.documents.get(&(kind, key.clone()));
        match document.filter(|_| !is_hidden) {
            Some(Document { zone, text: Some(text), .. }) => {
                let hidden = if kind == Kind::Contact { leaves.flatten() } else { None };
                translate::upsert(rules, head, Row { kind, zone, document: text, hidden })
            }
            Some(Document { text: None, bytes, .. }) => Err(RowError::TooLong { got: *bytes }),
            // Nobody downstream may hear that there is such a contact.
            None if kind == Kind::Contact && leaves.is_some() && !self.shown.contains(key) => {
                translate::heartbeat(head)
            }
            // Of a key that no record can have nothing was ever published.
            None => translate::delete(head, kind, key).or_else(|_| translate::heartbeat(head)),
        }
    }
}

/// Which of some contacts may leave.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// Those that do, with the fields that they do not show.
    pub(super) leaving: BTreeMap<String, Leaves>,
    /// Those whose uses could not be read, and why.
    pub(super) failed: Vec<(String, RowError)>,
}

/// The contacts that leave, with the fields that they do not show.
pub(super) async fn hidden(
    transaction: &Transaction<'_>,
    statements: &Statements,
    rules: &Rules,
    ids: &[&str],
) -> Result<Hidden, PublishError> {
    let Some(statement) = &statements.uses else { return Ok(Hidden::default()) };
    let read = rows::read(transaction, statement, ids).await?;
    let mut failed: BTreeMap<String, RowError> = read.failed.into_iter().collect();
    let mut uses: BTreeMap<String, Vec<Use>> = BTreeMap::new();
    for row in read.rows {
        let (id, zone): (Raw<'_>, Raw<'_>) = (row.try_get(0)?, row.try_get(1)?);
        let Ok(id) = id.text() else { continue };
        let zone = zone.text().map_err(RowError::from);
        match zone.and_then(|zone| translate::zone(&zone)) {
            Ok(zone) => {
                let used = Use { zone, is_registrant: row.try_get(2)? };
                uses.entry(id).or_default().push(used);
            }
            Err(problem) => {
                failed.insert(id, RowError::Uses(Box::new(problem)));
            }
        }
    }
    uses.retain(|id, _| !failed.contains_key(id));
    let leaving = uses.into_iter().filter_map(|(id, uses)| Some((id, rules.hidden(&uses)?)));
    Ok(Hidden { leaving: leaving.collect(), failed: failed.into_iter().collect() })
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

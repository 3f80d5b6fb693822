//! Reads all objects of a kind into a sorter: in one pass through the view, or, if a row cannot be
//! read, by the keys.
//!
//! # Invariants
//!
//! - A row that cannot be read, or is not a record, is left out, counted, named and noted.
//!
//! # Does not
//!
//! Build: `bootstrap` does.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use rkyv::rancor::Error as RkyvError;
use snapshot_format::builder::contact_order_key;
use snapshot_format::object::HostLink;
use snapshot_format::sort::{Sorted, Sorter};
use snapshot_format::suffixes::SUFFIXES_MAX;
use snapshot_format::{Kind, Object};
use tokio_postgres::{Row as DatabaseRow, Transaction};

use super::batch;
use super::bootstrap::{Pass, base};
use super::error::RowError;
use super::error::{BaseError, Broken, PublishError};
use super::fields::Leaves;
use super::rows::{self, Raw};
use super::session::{self, Session, Statements};
use super::translate::{self, Row, anytime};
use super::unread;
use crate::feed::word;

/// Rows that are fetched together; with the bound of a document, 64 MiB.
const FETCH_COUNT: usize = 128;
/// Problems of rows that are logged one by one.
pub(super) const LOGGED_COUNT_MAX: u64 = 100;

/// What a pass reads at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pick {
    /// Rows.
    Whole,
    /// Keys, by which rows are read then.
    Keys,
}

/// Why a pass ended early.
enum Stopped {
    /// A row cannot be read.
    Row(PublishError),
    Else(PublishError),
}

impl Stopped {
    fn into_error(self, view: &'static str) -> PublishError {
        match self {
            Self::Row(problem) => Broken::Unlisted { view, problem: Box::new(problem) }.into(),
            Self::Else(error) => error,
        }
    }
}

impl From<PublishError> for Stopped {
    fn from(error: PublishError) -> Self {
        Self::Else(error)
    }
}

impl From<tokio_postgres::Error> for Stopped {
    fn from(error: tokio_postgres::Error) -> Self {
        if rows::is_of_row(&error) { Self::Row(error.into()) } else { Self::Else(error.into()) }
    }
}

/// The keys of rows, whose first column they are.
fn keys(rows: &[DatabaseRow]) -> Vec<String> {
    let key = |row: &DatabaseRow| row.try_get::<_, Raw<'_>>(0).ok()?.text().ok();
    rows.iter().map(|row| key(row).unwrap_or_default()).collect()
}

impl Pass<'_> {
    /// All objects of a kind, in the builder's order: in one pass through the view, or row by row
    /// if that fails for what a row holds.
    pub(super) async fn sorted(
        &mut self,
        transaction: &Transaction<'_>,
        statements: &Statements,
        kind: Kind,
    ) -> Result<Sorted, PublishError> {
        let (refused, hidden) = (self.made.refused_count, self.made.hidden_count);
        transaction.batch_execute("SAVEPOINT whoisd_kind").await?;
        let select = session::select(kind, "");
        match self.pass(transaction, statements, kind, &select, Pick::Whole).await {
            Err(Stopped::Row(problem)) => {
                let name = session::view(kind).0;
                tracing::warn!(
                    view = name,
                    problem = problem.to_string(),
                    "a row of the view cannot be read: the rows are read one by one"
                );
                transaction.batch_execute("ROLLBACK TO whoisd_kind").await?;
                (self.made.refused_count, self.made.hidden_count) = (refused, hidden);
                let keys = session::keys(kind);
                let passed = self.pass(transaction, statements, kind, &keys, Pick::Keys).await;
                passed.map_err(|stopped| stopped.into_error(name))
            }
            passed => passed.map_err(|stopped| stopped.into_error(session::view(kind).0)),
        }
    }

    /// Goes through what `select` gives, and takes the rows.
    async fn pass(
        &mut self,
        transaction: &Transaction<'_>,
        statements: &Statements,
        kind: Kind,
        select: &str,
        pick: Pick,
    ) -> Result<Sorted, Stopped> {
        let mut sorter = Sorter::new(Rc::clone(&self.scratch), self.memory_bytes);
        let declare = format!("DECLARE whoisd_rows NO SCROLL CURSOR FOR {select}");
        transaction.batch_execute(&declare).await?;
        let fetch = transaction.prepare(&format!("FETCH {FETCH_COUNT} FROM whoisd_rows")).await?;
        loop {
            let rows = transaction.query(&fetch, &[]).await?;
            if rows.is_empty() {
                break;
            }
            let rows = self.with_keys(kind, rows)?;
            let keys = keys(&rows);
            match pick {
                Pick::Whole => {
                    self.take(transaction, statements, kind, &rows, &mut sorter).await?;
                }
                Pick::Keys => {
                    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                    let Some(statement) = statements.documents(kind) else { continue };
                    let read = rows::read(transaction, statement, &keys).await?;
                    self.leave_out(kind, &read.failed).await?;
                    self.take(transaction, statements, kind, &read.rows, &mut sorter).await?;
                }
            }
        }
        transaction.batch_execute("CLOSE whoisd_rows").await?;
        Ok(sorter.finish().map_err(scratch)?)
    }

    /// Leaves out rows whose keys are not text: nobody could ask for them.
    fn with_keys(
        &mut self,
        kind: Kind,
        rows: Vec<DatabaseRow>,
    ) -> Result<Vec<DatabaseRow>, PublishError> {
        let mut kept = Vec::with_capacity(rows.len());
        for row in rows {
            let key: Option<Raw<'_>> = row.try_get(0)?;
            match key.map(Raw::text) {
                Some(Ok(_)) => kept.push(row),
                Some(Err(not_text)) => self.refused(kind, &not_text.reads, &RowError::NotText),
                None => {
                    return Err(Broken::NoKey { view: session::view(kind).0 }.into());
                }
            }
        }
        Ok(kept)
    }

    async fn take(
        &mut self,
        transaction: &Transaction<'_>,
        statements: &Statements,
        kind: Kind,
        rows: &[DatabaseRow],
        sorter: &mut Sorter,
    ) -> Result<(), PublishError> {
        let names = keys(rows);
        let keys: Vec<&str> = names.iter().map(String::as_str).collect();
        let differ = kind == Kind::Contact && self.rules.contacts_differ();
        let mut left_out = Vec::new();
        let leaving = if differ {
            let hidden = batch::hidden(transaction, statements, self.rules, &keys).await?;
            let durable = self.giver.durable;
            let given = self.giver.client.transaction().await?;
            given.batch_execute(durable).await?;
            batch::show(&given, &self.giver.statements, hidden.leaving.keys()).await?;
            given.commit().await?;
            left_out = hidden.failed;
            Some(hidden.leaving)
        } else {
            None
        };
        for (row, key) in rows.iter().zip(keys) {
            if left_out.iter().any(|(failed, _)| failed == key) {
                continue;
            }
            let hidden = match leaving.as_ref().map(|leaving| leaving.get(key)) {
                Some(None) => {
                    self.made.hidden_count = self.made.hidden_count.saturating_add(1);
                    continue;
                }
                Some(Some(hidden)) => Some(hidden),
                None => None,
            };
            match self.object(kind, row, hidden) {
                Ok(Some((object, zone))) => {
                    self.suffix(&object, &zone);
                    self.name_hosts(&object)?;
                    push(sorter, &object)?;
                }
                Ok(None) => {}
                Err(problem) => left_out.push((key.to_owned(), problem)),
            }
        }
        self.leave_out(kind, &left_out).await
    }

    /// The object of a row, and its zone in normal form.
    fn object(
        &self,
        kind: Kind,
        row: &DatabaseRow,
        hidden: Option<&Leaves>,
    ) -> Result<Option<(Object, String)>, RowError> {
        let text = |at: usize| {
            let text = row.try_get::<_, Option<Raw<'_>>>(at);
            text.map_err(|error| RowError::Column(Arc::new(error)))
        };
        let zone = text(1)?.map(Raw::text).transpose()?.unwrap_or_default();
        let document = text(3)?.map(Raw::text).transpose()?;
        let document = document.ok_or(RowError::Long)?;
        let row = Row { kind, zone: &zone, document: &document, hidden };
        let record = translate::upsert(self.rules, &anytime(), row)?;
        let zone = translate::zone(&zone).unwrap_or_default();
        Ok(translate::object(record).map(|object| (object, zone)))
    }

    /// Counts, names and notes rows that are left out.
    async fn leave_out(
        &mut self,
        kind: Kind,
        left_out: &[(String, RowError)],
    ) -> Result<(), PublishError> {
        for (key, problem) in left_out {
            self.refused(kind, key, problem);
        }
        let Session { client, statements, .. } = &self.giver;
        unread::note_left_out(client, statements, word(kind), left_out).await
    }

    fn refused(&mut self, kind: Kind, key: &str, problem: &RowError) {
        self.made.refused_count = self.made.refused_count.saturating_add(1);
        if self.made.refused_count <= LOGGED_COUNT_MAX {
            let kind = word(kind);
            tracing::error!(
                kind,
                key,
                %problem,
                "the row is not a change record, or cannot be read, and is left out of the base"
            );
        }
    }

    /// Notes the nameservers that a domain names.
    fn name_hosts(&mut self, object: &Object) -> Result<(), PublishError> {
        let (Some(named), Object::Domain(domain)) = (&mut self.named, object) else {
            return Ok(());
        };
        for link in &domain.nameservers {
            if let HostLink::Name(name) = link {
                named.push(name).map_err(scratch)?;
            }
        }
        Ok(())
    }

    /// Notes the zone of a name, by the view or by the name.
    fn suffix(&mut self, object: &Object, zone: &str) {
        let name = match object {
            Object::Domain(domain) => &domain.name,
            Object::Nndn(nndn) => &nndn.name,
            _ => return,
        };
        let is_below = name.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'));
        if !is_below || zone.is_empty() {
            self.suffixes.add(name);
        } else if self.suffixes.all().len() < SUFFIXES_MAX {
            self.suffixes.declare(zone);
        }
    }
}

pub(super) fn scratch(error: io::Error) -> PublishError {
    base(BaseError::Scratch(error))
}

fn push(sorter: &mut Sorter, object: &Object) -> Result<(), PublishError> {
    let archive = match object {
        Object::Registrar(object) => rkyv::to_bytes::<RkyvError>(object),
        Object::IdnTable(object) => rkyv::to_bytes::<RkyvError>(object),
        Object::Contact(object) => rkyv::to_bytes::<RkyvError>(object),
        Object::Nameserver(object) => rkyv::to_bytes::<RkyvError>(object),
        Object::Nndn(object) => rkyv::to_bytes::<RkyvError>(object),
        Object::Domain(object) => rkyv::to_bytes::<RkyvError>(object),
    };
    let archive = archive.map_err(base)?;
    let key = match object {
        Object::Contact(contact) => contact_order_key(&contact.id),
        object => object.key().as_bytes().to_vec(),
    };
    sorter.push(&key, &archive).map_err(scratch)
}

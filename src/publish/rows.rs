//! Reads rows of a view by their keys, whatever single rows do. A row for which the view raises an
//! error, or whose bytes are not text, is reported by itself; the others are read.
//!
//! # Invariants
//!
//! - `no poison`: an error that one row causes never ends a read; a read that fails is one of the
//!   connection, or of the view as a whole.
//! - A read of n keys of which k fail costs at most k * log2(n) further statements.
//!
//! # Does not
//!
//! Know what rows mean.

use std::sync::Arc;

use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{GenericClient, Row, Statement};

use super::error::{PublishError, RowError};

/// Bytes as the server sends them: whether they are a text shows where they are used. A database
/// without an encoding (`SQL_ASCII`) keeps what it is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'r>(pub(super) &'r [u8]);

impl<'r> FromSql<'r> for Raw<'r> {
    fn from_sql(_: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN)
    }
}

impl Raw<'_> {
    /// The text.
    pub(super) fn text(self) -> Result<String, NotText> {
        match str::from_utf8(self.0) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(NotText { reads: String::from_utf8_lossy(self.0).into_owned() }),
        }
    }
}

/// Bytes that are not a text.
#[derive(Debug)]
pub(super) struct NotText {
    /// The part of them that is text, for messages.
    pub(super) reads: String,
}

impl From<NotText> for RowError {
    fn from(_: NotText) -> Self {
        Self::NotText
    }
}

/// Rows, and the keys of those that could not be read, with what the database says.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) rows: Vec<Row>,
    pub(super) failed: Vec<(String, RowError)>,
}

/// Reads the rows with these keys by a statement that takes them as its one parameter, within a
/// transaction.
pub(super) async fn read(
    client: &impl GenericClient,
    statement: &Statement,
    keys: &[&str],
) -> Result<Read, PublishError> {
    let mut read = Read::default();
    let mut parts = vec![keys];
    while let Some(part) = parts.pop() {
        client.batch_execute("SAVEPOINT whoisd_rows").await?;
        match client.query(statement, &[&part]).await {
            Ok(rows) => {
                read.rows.extend(rows);
                client.batch_execute("RELEASE whoisd_rows").await?;
            }
            Err(error) if is_of_row(&error) => {
                let back = "ROLLBACK TO whoisd_rows; RELEASE whoisd_rows";
                client.batch_execute(back).await?;
                match part {
                    [] => {}
                    [key] => {
                        let problem = RowError::Database(Arc::new(error.into()));
                        read.failed.push(((*key).to_owned(), problem));
                    }
                    keys => {
                        let (one, other) = keys.split_at(keys.len().div_euclid(2));
                        parts.extend([other, one]);
                    }
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(read)
}

/// Whether an error is of what a row holds, so that other rows may read. Classes of SQLSTATE: 21
/// more than one row, 22 a value, 23 a constraint, 2F 38 39 a function, 54 a limit, P0 one that a
/// function raises, and XX001, XX002 a row that is damaged on the disk.
pub(super) fn is_of_row(error: &tokio_postgres::Error) -> bool {
    let classes = ["21", "22", "23", "2F", "38", "39", "54", "P0", "XX001", "XX002"];
    error.code().is_some_and(|state| classes.iter().any(|class| state.code().starts_with(class)))
}

//! The contract: what a database has to have, and goes on to have, to be published from.
//!
//! # Invariants
//!
//! - `known columns`: a view has no column that neither is a field of a record nor is renamed to
//!   one.
//! - `kept fields`: a view gives every field that it gave before (`whoisd.fields`): a column that
//!   goes would take its field out of every record that is read from then on.
//!
//! # Does not
//!
//! Read rows: it looks at columns alone.

use std::collections::{BTreeMap, BTreeSet};

use snapshot_format::Kind;
use tokio_postgres::GenericClient;

use super::error::{Broken, PublishError};
use super::fields;
use super::rules::Rules;
use super::session::{is_zoned, view};
use crate::feed::word;

/// Version of `whoisd.contract`.
pub(super) const VERSION: i32 = 1;

/// A field that is made from the name where no column gives it.
const DERIVED: &str = "uName";

/// Columns of the tables and views of the schema `whoisd`.
pub(super) struct Columns(BTreeMap<String, BTreeSet<String>>);

impl Columns {
    /// Those of one; none if there is no such.
    pub(super) fn of(&self, name: &str) -> &BTreeSet<String> {
        const NONE: &BTreeSet<String> = &BTreeSet::new();
        self.0.get(name).unwrap_or(NONE)
    }

    /// Whether fields are noted: a database of before has no place for them.
    fn have_fields(&self) -> bool {
        !self.of("fields").is_empty()
    }

    /// The fields that the view of a kind gives, under the names that records have for them.
    fn fields(&self, rules: &Rules, kind: Kind) -> BTreeSet<String> {
        let known = fields::names(kind);
        let columns = self.of(view(kind).0).iter().filter(|column| !is_zone(kind, column));
        let named = columns.flat_map(|column| rules.field_names(kind, column));
        named.filter(|field| known.contains(field)).collect()
    }
}

/// Reads which columns there are.
pub(super) async fn columns(client: &impl GenericClient) -> Result<Columns, PublishError> {
    let rows = client
        .query(
            "SELECT c.relname::text, a.attname::text FROM pg_catalog.pg_attribute a \
             JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
             WHERE c.relnamespace = to_regnamespace('whoisd') \
             AND c.relkind IN ('r', 'v', 'm', 'f', 'p') AND a.attnum > 0 AND NOT a.attisdropped",
            &[],
        )
        .await?;
    let mut columns: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        columns.entry(row.try_get(0)?).or_default().insert(row.try_get(1)?);
    }
    Ok(Columns(columns))
}

/// Checks that the database has what is to be read.
pub(super) async fn check(client: &impl GenericClient, rules: &Rules) -> Result<(), PublishError> {
    let columns = columns(client).await?;
    if columns.of("contract").is_empty() {
        return Err(Broken::NoTable.into());
    }
    let row = client.query_one("SELECT max(version) FROM whoisd.contract", &[]).await?;
    let version: Option<i32> = row.try_get(0)?;
    if version != Some(VERSION) {
        return Err(Broken::Version { got: version }.into());
    }
    for kind in Kind::ALL {
        check_view(&columns, rules, kind)?;
    }
    let uses = columns.of("contact_uses");
    if rules.contacts_differ() && ["id", "zone", "role"].iter().any(|name| !uses.contains(*name)) {
        return Err(Broken::NoUses.into());
    }
    check_fields(client, rules, &columns).await
}

/// Checks that no field has gone that views gave before; for every batch, since a row that is read
/// without it is a record like any other.
pub(super) async fn check_kept(
    client: &impl GenericClient,
    rules: &Rules,
) -> Result<(), PublishError> {
    let columns = columns(client).await?;
    check_fields(client, rules, &columns).await
}

/// Notes the fields that views give.
pub(super) async fn note(client: &impl GenericClient, rules: &Rules) -> Result<(), PublishError> {
    let columns = columns(client).await?;
    let (mut kinds, mut names) = (Vec::new(), Vec::new());
    for kind in Kind::ALL {
        let given = columns.fields(rules, kind);
        let is_lacking = |name: &String| !given.contains(name) && name != DERIVED;
        let lacking: Vec<_> = fields::names(kind).into_iter().filter(is_lacking).collect();
        if !lacking.is_empty() {
            let (view, lacking) = (view(kind).0, lacking.join(", "));
            tracing::info!(view, lacking, "fields that the view has no columns for");
        }
        kinds.extend(given.iter().map(|_| word(kind)));
        names.extend(given);
    }
    if !columns.have_fields() {
        tracing::warn!(
            "the database has no table whoisd.fields: a column that disappears from a view is not \
             noticed; load unread.sql and grants.sql as deploy/postgres/README.md says"
        );
        return Ok(());
    }
    let note = "INSERT INTO whoisd.fields SELECT * FROM unnest($1::text[], $2::text[]) \
                ON CONFLICT DO NOTHING";
    client.execute(note, &[&kinds, &names]).await?;
    Ok(())
}

fn check_view(columns: &Columns, rules: &Rules, kind: Kind) -> Result<(), PublishError> {
    let (view, key) = view(kind);
    let columns = columns.of(view);
    let zone = is_zoned(kind).then_some("zone");
    if let Some(column) =
        [Some(key), zone].into_iter().flatten().find(|&column| !columns.contains(column))
    {
        return Err(Broken::NoColumn { view, column }.into());
    }
    let known = fields::names(kind);
    let is_field = |column: &str| {
        known.contains(column) || is_zone(kind, column) || rules.renames(kind, column)
    };
    if let Some(column) = columns.iter().find(|column| !is_field(column)) {
        let (column, kind) = (column.clone(), word(kind));
        return Err(Broken::UnknownColumn { view, column, kind }.into());
    }
    Ok(())
}

async fn check_fields(
    client: &impl GenericClient,
    rules: &Rules,
    columns: &Columns,
) -> Result<(), PublishError> {
    if !columns.have_fields() {
        return Ok(());
    }
    let noted = client.query("SELECT kind, field FROM whoisd.fields ORDER BY 1, 2", &[]).await?;
    let mut noted_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in noted {
        noted_of.entry(row.try_get(0)?).or_default().push(row.try_get(1)?);
    }
    for kind in Kind::ALL {
        let given = columns.fields(rules, kind);
        let noted = noted_of.remove(word(kind)).unwrap_or_default();
        let gone: Vec<_> = noted.into_iter().filter(|field| !given.contains(field)).collect();
        if !gone.is_empty() {
            let (view, kind) = (view(kind).0, word(kind));
            return Err(Broken::Gone { view, gone, kind }.into());
        }
    }
    Ok(())
}

fn is_zone(kind: Kind, column: &str) -> bool {
    is_zoned(kind) && column == "zone"
}

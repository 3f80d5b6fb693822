//! One row of a CSV file: its cells by column, cleaned.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use snapshot_format::object::{Actor, Time};

use super::column::{Column, ColumnUse, Table};
use crate::import::xml::collapse;
use crate::vet::draft;
use crate::vet::findings::Defects;
use crate::vet::rule::Rule;

/// The cells of a row.
pub(super) struct Row {
    pub(super) table: Table,
    pub(super) columns: Vec<ColumnUse>,
    /// Cleaned text of each column.
    pub(super) cells: Vec<String>,
    pub(super) defects: Defects,
    /// The last domain name that was as it should be, as read and as kept: rows of a domain come
    /// one after another.
    last_name: (String, String),
}

impl Row {
    pub(super) fn new(table: Table, columns: Vec<ColumnUse>) -> Self {
        let cells = columns.iter().map(|_| String::new()).collect();
        Self { table, columns, cells, defects: Defects::default(), last_name: Default::default() }
    }

    /// Takes the cells of a record; `false`: it has another number of them, or is not in UTF-8.
    pub(super) fn fill(&mut self, record: &csv::ByteRecord) -> Result<(), Rule> {
        if record.len() != self.cells.len() {
            return Err(Rule::RowLength);
        }
        // At once; a cell that ends within a character is refused when it is cut out.
        let row = std::str::from_utf8(record.as_slice()).map_err(|_| Rule::RowEncoding)?;
        let mut start = 0usize;
        for ((cell, usage), bytes) in self.cells.iter_mut().zip(&self.columns).zip(record) {
            let end = start.saturating_add(bytes.len());
            let text = row.get(start..end).ok_or(Rule::RowEncoding)?;
            start = end;
            if collapse(text, cell) {
                self.defects.add(Rule::CharacterBad, usage.word.clone(), cell.as_str());
            }
            if usage.required && cell.is_empty() {
                self.defects.add(Rule::FieldRequired, usage.word.clone(), "");
            }
        }
        Ok(())
    }

    /// The text of the first column of a kind; empty if there is none.
    pub(super) fn cell(&self, column: Column) -> &str {
        self.position(column).and_then(|at| self.cells.get(at)).map_or("", String::as_str)
    }

    /// The texts of columns, as [`Self::cell`] gives them, with where their defects go.
    pub(super) fn texts<const N: usize>(
        &mut self,
        columns: [Column; N],
    ) -> ([&str; N], &mut Defects) {
        let texts = columns.map(|column| {
            let at = self.columns.iter().position(|usage| usage.column == column);
            at.and_then(|at| self.cells.get(at)).map_or("", String::as_str)
        });
        (texts, &mut self.defects)
    }

    fn position(&self, column: Column) -> Option<usize> {
        self.columns.iter().position(|usage| usage.column == column)
    }

    /// Whether the table has such a column.
    pub(super) fn has(&self, column: Column) -> bool {
        self.position(column).is_some()
    }

    /// Columns with their texts.
    pub(super) fn cells(&self) -> impl Iterator<Item = (&ColumnUse, &str)> {
        self.columns.iter().zip(self.cells.iter().map(String::as_str))
    }

    /// Runs a filler of `draft` on the text of a column.
    pub(super) fn with<T>(
        &mut self,
        column: Column,
        fill: fn(&mut Defects, &'static str, &mut T, &str),
        field: &'static str,
        slot: &mut T,
    ) {
        let Some(at) = self.position(column) else { return };
        if let Some(cell) = self.cells.get(at) {
            fill(&mut self.defects, field, slot, cell);
        }
    }

    /// The name of the domain that the row is about.
    pub(super) fn domain_name(&mut self, slot: &mut String) {
        let at = self.position(Column::DomainName);
        let Some(cell) = at.and_then(|at| self.cells.get(at)) else { return };
        let (read, kept) = &mut self.last_name;
        if read == cell {
            slot.push_str(kept);
            return;
        }
        let defects = self.defects.list.len();
        draft::own_name(&mut self.defects, "fName", slot, cell);
        if self.defects.list.len() == defects {
            read.clone_from(cell);
            kept.clone_from(slot);
        }
    }

    pub(super) fn text(&mut self, column: Column, field: &'static str, slot: &mut String) {
        self.with(column, draft::text, field, slot);
    }

    pub(super) fn identifier(&mut self, column: Column, field: &'static str, slot: &mut String) {
        self.with(column, draft::identifier, field, slot);
    }

    pub(super) fn time(&mut self, column: Column, field: &'static str, slot: &mut Time) {
        self.with(column, draft::time, field, slot);
    }

    pub(super) fn actor(
        &mut self,
        registrar: Column,
        client: Column,
        field: &'static str,
        slot: &mut Actor,
    ) {
        self.identifier(registrar, field, &mut slot.registrar);
        self.text(client, field, &mut slot.client);
    }

    /// The sponsor: `fClID`, or the registrar's IANA identifier after a mark, resolved when the
    /// registrars are known.
    pub(super) fn sponsor(&mut self, slot: &mut String) {
        self.identifier(Column::ClId, "fClID", slot);
        let gurid = self.cell(Column::Gurid);
        if slot.is_empty() && !gurid.is_empty() {
            *slot = format!("{GURID_MARK}{gurid}");
        }
    }
}

/// Begins a sponsor that is an IANA identifier: no cleaned text has a control character.
pub(in crate::import) const GURID_MARK: char = '\u{1}';

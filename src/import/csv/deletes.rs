//! Rows of `deletes` files (RFC 9022, "Deletes CSV File Definition"): keys of objects that are
//! gone. The parts of an object go with it, so their tables have no such files.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::io;

use super::column::{Column, Table};
use super::row::Row;
use crate::import::collect::Collector;
use crate::import::model;
use crate::import::sink::Removal;
use crate::vet::draft;
use crate::vet::findings::{Defects, ObjectKind, Place};
use crate::vet::rule::Rule;

/// Columns of which a deletes file of a table has one: the key; none: it has no such file.
pub(super) const fn keys(table: Table) -> &'static [Column] {
    match table {
        Table::Domain | Table::Contact | Table::Registrar | Table::IdnLanguage | Table::Nndn => {
            table.keys()
        }
        Table::Host => &[Column::Roid, Column::HostName],
        _ => &[],
    }
}

impl Row {
    /// Hands the row's key to the collector.
    pub(super) fn remove(&mut self, out: &mut Collector<'_, '_>, place: Place) -> io::Result<()> {
        let kind = match self.table {
            Table::Domain => ObjectKind::Domain,
            Table::Host => ObjectKind::Nameserver,
            Table::Contact => ObjectKind::Contact,
            Table::Registrar => ObjectKind::Registrar,
            Table::IdnLanguage => ObjectKind::IdnTable,
            _ => ObjectKind::Nndn,
        };
        let removal = match self.table {
            Table::Domain => self.key(Column::DomainName, draft::own_name).map(Removal::Domain),
            Table::Nndn => self.key(Column::AName, draft::own_name).map(Removal::Nndn),
            Table::Contact => self.key(Column::ContactId, draft::identifier).map(Removal::Contact),
            Table::IdnLanguage => {
                self.key(Column::IdnTableId, draft::identifier).map(Removal::IdnTable)
            }
            Table::Host => {
                let roid = self.key(Column::Roid, draft::identifier).map(Removal::HostRoid);
                roid.or_else(|| self.key(Column::HostName, draft::own_name).map(Removal::Host))
            }
            _ => {
                let id = self.key(Column::RegistrarId, draft::identifier).map(Removal::Registrar);
                id.or_else(|| {
                    let gurid = self.cell(Column::Gurid).to_owned();
                    let gurid = model::gurid(&mut self.defects, &gurid);
                    (gurid != 0).then_some(Removal::RegistrarGurid(gurid))
                })
            }
        };
        let shown = keys(self.table).iter().map(|&column| self.cell(column));
        let shown = shown.into_iter().find(|cell| !cell.is_empty()).unwrap_or_default().to_owned();
        if removal.is_none() {
            self.defects.add(Rule::KeyUnusable, "deletes", shown.as_str());
        }
        out.defects(&mut self.defects, place, kind, &shown);
        match removal {
            Some(removal) => out.removal(place, &removal),
            None => Ok(()),
        }
    }

    fn key(
        &mut self,
        column: Column,
        fill: fn(&mut Defects, &'static str, &mut String, &str),
    ) -> Option<String> {
        let mut key = String::new();
        self.with(column, fill, "deletes", &mut key);
        (!key.is_empty()).then_some(key)
    }
}

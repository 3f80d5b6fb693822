//! Reads a Parquet file of the query log back into rows.
//!
//! # Does not
//!
//! Read files of others: names and types of the columns have to be ours.

use std::fs::File;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Row as Fields, RowAccessor};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::Type;

use super::super::error::Damage;
use super::super::row::{ROW_VERSION, Row};
use super::{SCHEMA, VERSION_KEY, seal};

/// Hands each row to `each`; returns how many there were. An error within the rows names the last
/// row before it.
pub(in crate::querylog) fn read(
    mut file: File,
    each: &mut dyn FnMut(&Row<'_>),
) -> Result<u64, Damage> {
    seal::check(&mut file)?;
    let reader = SerializedFileReader::new(file).map_err(Damage::Columns)?;
    let metadata = reader.metadata().file_metadata();
    let expected = parse_message_type(SCHEMA).map_err(Damage::Columns)?;
    if !is_same(metadata.schema(), &expected) {
        return Err(Damage::OtherColumns);
    }
    let keys = metadata.key_value_metadata().into_iter().flatten();
    let version =
        keys.filter(|pair| pair.key == VERSION_KEY).find_map(|pair| pair.value.as_deref());
    if version != Some(&*ROW_VERSION.to_string()) {
        return Err(Damage::Rows { got: version.unwrap_or("none").to_owned() });
    }
    let mut count: u64 = 0;
    for fields in reader.get_row_iter(None).map_err(Damage::Columns)? {
        let read = fields.and_then(|fields| give(&fields, each));
        read.map_err(|source| Damage::Row { row: count, source })?;
        count = count.saturating_add(1);
    }
    let promised = u64::try_from(metadata.num_rows()).unwrap_or(u64::MAX);
    if count != promised {
        return Err(Damage::RowCount { got: count, promised });
    }
    Ok(count)
}

/// Whether both have the same columns of the same physical types, all of them required.
fn is_same(got: &Type, expected: &Type) -> bool {
    let of = |schema: &Type| -> Option<Vec<_>> {
        let column = |field: &std::sync::Arc<Type>| {
            let info = field.get_basic_info();
            field
                .is_primitive()
                .then(|| (field.name().to_owned(), field.get_physical_type(), info.repetition()))
        };
        schema.is_group().then(|| schema.get_fields().iter().map(column).collect()).flatten()
    };
    of(got).is_some_and(|columns| Some(columns) == of(expected))
}

fn give(fields: &Fields, each: &mut dyn FnMut(&Row<'_>)) -> Result<(), ParquetError> {
    let text = |at: usize| fields.get_string(at).map(|text| text.as_str().into());
    let range = |column: &str| ParquetError::General(format!("{column} is out of range"));
    let row = Row {
        v: ROW_VERSION,
        at_ms: fields.get_timestamp_millis(0)?,
        server: text(1)?,
        client: text(2)?,
        network: text(3)?,
        tld: text(4)?,
        kind: text(5)?,
        name: text(6)?,
        outcome: text(7)?,
        tier: text(8)?,
        bytes: u32::try_from(fields.get_long(9)?).map_err(|_| range("bytes"))?,
        us: u32::try_from(fields.get_long(10)?).map_err(|_| range("us"))?,
        shard: u16::try_from(fields.get_int(11)?).map_err(|_| range("shard"))?,
        generation: u64::try_from(fields.get_long(12)?).map_err(|_| range("generation"))?,
        lost: u64::try_from(fields.get_long(13)?).map_err(|_| range("lost"))?,
    };
    row.check().map_err(|damage| ParquetError::General(damage.to_string()))?;
    each(&row);
    Ok(())
}

//! The query log as Parquet files: the same fields as the JSON lines, one column each.
//!
//! # Invariants
//!
//! - `whole`: a file has its name once it is complete and on the disk; before that it ends in
//!   `.part`. A crash loses the file that was being written.
//! - `sealed`: a file carries a checksum over all of it, which is compared before it is decoded.
//!
//! # Does not
//!
//! Decide when a file ends.
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod read;
mod seal;
mod write;

pub(super) use read::read;
pub(super) use write::{ColumnsFile, Rows};

/// The columns. `whoisd log summary` compares names and physical types.
const SCHEMA: &str = "message whoisd_query_log {
    REQUIRED INT64 at_ms (TIMESTAMP(MILLIS,true));
    REQUIRED BINARY server (STRING);
    REQUIRED BINARY client (STRING);
    REQUIRED BINARY network (STRING);
    REQUIRED BINARY tld (STRING);
    REQUIRED BINARY kind (STRING);
    REQUIRED BINARY name (STRING);
    REQUIRED BINARY outcome (STRING);
    REQUIRED BINARY tier (STRING);
    REQUIRED INT64 bytes;
    REQUIRED INT64 us;
    REQUIRED INT32 shard;
    REQUIRED INT64 generation;
    REQUIRED INT64 lost;
}";

/// Key of the row's version in the file's metadata.
const VERSION_KEY: &str = "whoisd.query_log.version";

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "a test's own numbers")]

    use std::fs;

    use super::super::row::tests::row;
    use super::super::row::{ROW_VERSION, Row};
    use super::*;

    fn written(folder: &std::path::Path, rows: &[Row<'_>]) -> std::path::PathBuf {
        let path = folder.join("queries-20261126T012203Z-1.parquet");
        let mut file = ColumnsFile::create(&path, &folder.join("part")).unwrap();
        let mut buffer = Rows::default();
        for (at, row) in rows.iter().enumerate() {
            buffer.push(row);
            if at % 100 == 0 {
                file.append(&mut buffer).unwrap();
            }
        }
        file.append(&mut buffer).unwrap();
        file.finish().unwrap();
        path
    }

    fn open(path: &std::path::Path) -> fs::File {
        fs::File::open(path).unwrap()
    }

    fn some_rows(count: u64) -> Vec<Row<'static>> {
        let of = |number: u64| Row {
            at_ms: 1_795_656_123_456 + i64::try_from(number).unwrap(),
            name: format!("name-{number}\\u{{0}}ü.example").into(),
            bytes: u32::MAX,
            shard: u16::MAX,
            generation: number,
            lost: number % 3,
            ..row()
        };
        (0..count).map(of).collect()
    }

    #[test]
    fn rows_come_out_of_a_parquet_file_as_they_went_in() {
        let folder = tempfile::tempdir().unwrap();
        let rows = some_rows(1_234);
        let path = written(folder.path(), &rows);
        assert!(!folder.path().join("part").exists());
        let mut back = Vec::new();
        read(open(&path), &mut |row| back.push(format!("{row:?}"))).unwrap();
        let rows: Vec<_> = rows.iter().map(|row| format!("{row:?}")).collect();
        assert_eq!(back, rows);
        assert_eq!(ROW_VERSION, 1);
    }

    #[test]
    fn a_parquet_file_with_any_byte_changed_or_missing_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path(), &some_rows(20));
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&path, &bad).unwrap();
            assert!(read(open(&path), &mut |_| {}).is_err(), "changed at {at}");
        }
        for length in [0, 1, 4, 8, good.len() / 2, good.len() - 1] {
            fs::write(&path, &good[..length]).unwrap();
            assert!(read(open(&path), &mut |_| {}).is_err(), "cut at {length}");
        }
    }
}

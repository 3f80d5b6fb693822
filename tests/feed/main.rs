//! Change records: a written record reads back the same, every kind and every error is as in the
//! files, and the transactions of a registry are sequences of records.
//! `WHOISD_BLESS=1 cargo test --test feed` writes the files again: review the diff.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod golden;
mod law;
mod objects;
mod random;
mod registry;
mod transactions;

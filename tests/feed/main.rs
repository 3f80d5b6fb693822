//! Change records: what is written is read again, every kind and every error as files say, and the
//! transactions of a registry as sequences of records.
//! `WHOISD_BLESS=1 cargo test --test feed` writes the files again: review the diff.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod golden;
mod law;
mod objects;
mod random;
mod registry;
mod transactions;

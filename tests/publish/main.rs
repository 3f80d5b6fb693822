//! The publisher against a private PostgreSQL with the reference registry of `deploy/postgres`:
//! transactions of a registry in SQL, and their records.
//! One server for all tests, a database for each.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod bootstrap;
mod command;
mod database;
mod filter;
mod order;
mod received;
mod server;
mod tls;
mod transactions;
mod unread;

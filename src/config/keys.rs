//! The settings that are numbers, in one table: key, unit, bounds, reason.
//!
//! Loading, showing, checking and the annotated example all go through this table, so a new
//! number is one row here and one field in `file`.

use toml::Spanned;

use super::Settings;
use super::file::File;
use crate::port43::limits::{self, Bound};

/// From the stop signal until connections in flight are cut, milliseconds.
pub const SHUTDOWN_MS: Bound = Bound::new(10_000, 0, 300_000);

/// One setting that is a number.
pub struct Number {
    /// Table and key, `port43.line_ms`.
    pub key: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// Default and bounds.
    pub bound: Bound,
    pub(super) written: fn(&File) -> Option<&Spanned<u64>>,
    pub(super) set: fn(&mut Settings, u64),
    /// Its effective value.
    pub value: fn(&Settings) -> u64,
}

macro_rules! number {
    ($key:literal, $unit:literal, $bound:expr, $table:ident . $written:ident, $($slot:ident).+) => {
        Number {
            key: $key,
            unit: $unit,
            bound: $bound,
            written: |file| file.$table.$written.as_ref(),
            set: |settings, value| settings.$($slot).+ = value,
            value: |settings| settings.$($slot).+,
        }
    };
}

/// All of them, in the order in which they are shown.
pub const NUMBERS: [Number; 9] = [
    number!("server.shutdown_ms", "ms", SHUTDOWN_MS, server.shutdown_ms, shutdown_ms),
    number!(
        "port43.connections_per_shard_max",
        "connections",
        limits::CONNECTIONS_PER_SHARD,
        port43.connections_per_shard_max,
        port43.connections_max
    ),
    number!(
        "port43.answer_buffers_per_shard_max",
        "buffers",
        limits::ANSWER_BUFFERS_PER_SHARD,
        port43.answer_buffers_per_shard_max,
        port43.answer_buffers_max
    ),
    number!(
        "port43.first_byte_ms",
        "ms",
        limits::FIRST_BYTE_MS,
        port43.first_byte_ms,
        port43.first_byte_ms
    ),
    number!("port43.line_ms", "ms", limits::LINE_MS, port43.line_ms, port43.line_ms),
    number!("port43.write_ms", "ms", limits::WRITE_MS, port43.write_ms, port43.write_ms),
    number!("port43.drain_ms", "ms", limits::DRAIN_MS, port43.drain_ms, port43.drain_ms),
    number!("port43.total_ms", "ms", limits::TOTAL_MS, port43.total_ms, port43.total_ms),
    number!("port43.backlog", "connections", limits::BACKLOG, port43.backlog, port43.backlog_count),
];

/// The settings that are not numbers.
pub const OTHERS: [&str; 13] = [
    "server.dir",
    "server.listen",
    "server.cores",
    "server.engine",
    "snapshot.check",
    "log.format",
    "log.level",
    "feed.nats.servers",
    "feed.nats.stream",
    "feed.nats.durable",
    "feed.nats.credentials",
    "feed.nats.trusted_keys",
    "feed.nats.objects",
];

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

/// From the stop signal until listeners close, milliseconds: what a balancer needs to see that the
/// server is no longer ready. Without a balancer waiting helps nobody, so that the default is none.
pub const DRAIN_DELAY_MS: Bound = Bound::new(0, 0, 300_000);

/// Older states that are kept to go back to.
pub const KEEP: Bound = Bound::new(1, 0, 16);
/// How often a directory is looked at that another process writes, milliseconds.
pub const FOLLOW_MS: Bound = Bound::new(100, 10, 60_000);
/// Memory for reading deposits and for folds, bytes.
pub const MEMORY_BYTES: Bound = Bound::new(256 << 20, 64 << 20, 1 << 40);

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
pub const NUMBERS: [Number; 20] = [
    number!("server.shutdown_ms", "ms", SHUTDOWN_MS, server.shutdown_ms, shutdown_ms),
    number!("server.drain_delay_ms", "ms", DRAIN_DELAY_MS, server.drain_delay_ms, drain_delay_ms),
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
    number!("port43.proxy_ms", "ms", limits::PROXY_MS, port43.proxy_ms, port43.proxy_ms),
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
    number!("snapshot.keep", "states", KEEP, snapshot.keep, keep),
    number!("snapshot.follow_ms", "ms", FOLLOW_MS, snapshot.follow_ms, follow_ms),
    number!(
        "updater.memory_bytes",
        "bytes",
        MEMORY_BYTES,
        updater.memory_bytes,
        updater.memory_bytes
    ),
    number!(
        "updater.fold_changed_percent",
        "percent",
        Bound::new(5, 0, 100),
        updater.fold_changed_percent,
        updater.fold.changed_percent
    ),
    number!(
        "updater.fold_changed_count",
        "keys",
        Bound::new(1_000_000, 0, 1 << 31),
        updater.fold_changed_count,
        updater.fold.changed_count
    ),
    number!(
        "updater.fold_log_bytes",
        "bytes",
        Bound::new(1 << 30, 0, 1 << 40),
        updater.fold_log_bytes,
        updater.fold.log_bytes
    ),
    number!(
        "updater.fold_age_s",
        "s",
        Bound::new(86_400, 0, 31_536_000),
        updater.fold_age_s,
        updater.fold.age_s
    ),
    number!(
        "updater.fold_bytes_per_s",
        "bytes",
        Bound::new(200_000_000, 0, 1 << 40),
        updater.fold_bytes_per_s,
        updater.fold.bytes_per_s
    ),
    number!(
        "status.ready_age_max_s",
        "s",
        Bound::new(0, 0, 31_536_000),
        status.ready_age_max_s,
        ready_age_max_s
    ),
];

/// The settings that are not numbers.
pub const OTHERS: [&str; 17] = [
    "server.dir",
    "server.listen",
    "server.cores",
    "server.engine",
    "snapshot.check",
    "updater.spool",
    "updater.core",
    "status.listen",
    "status.health_listen",
    "log.format",
    "log.level",
    "feed.nats.servers",
    "feed.nats.stream",
    "feed.nats.durable",
    "feed.nats.credentials",
    "feed.nats.trusted_keys",
    "feed.nats.objects",
];

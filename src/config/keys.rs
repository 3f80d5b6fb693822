//! The settings that are numbers, in one table: key, unit, bounds, reason.
//!
//! Loading, showing, checking and the annotated example all go through this table, so a new
//! number is one row here and one field in `file`.

use toml::Spanned;

use super::file::File;
use super::{Settings, web};
use crate::bounds::Bound;
use crate::policy::{block, limit, mining};
use crate::port43::limits;
use crate::updater::{self, DEPOSIT_BYTES_MAX, FINDINGS_MAX};
use crate::warden;

/// From the stop signal until connections in flight are cut, milliseconds.
pub const SHUTDOWN_MS: Bound = Bound::new(10_000, 0, 300_000);

/// From the stop signal until listeners close, milliseconds: what a balancer needs to see that the
/// server is no longer ready. Without a balancer a delay helps nobody, so the default is 0.
pub const DRAIN_DELAY_MS: Bound = Bound::new(0, 0, 300_000);

/// Older states that are kept to go back to.
pub const KEEP: Bound = Bound::new(1, 0, 16);
/// How often a directory is looked at that another process writes, milliseconds.
pub const FOLLOW_MS: Bound = Bound::new(100, 10, 60_000);
/// Memory for reading deposits and for folds, bytes.
pub const MEMORY_BYTES: Bound = Bound::new(updater::MEMORY_BYTES, 64 << 20, 1 << 40);
/// Shortest block that is worth an element of the kernel's set, seconds.
pub const NFTABLES_MIN_S: Bound = Bound::new(3600, 1, 31_536_000);

/// Refusals of a source a minute that are borne for ever.
pub const PATIENCE_PER_MIN: Bound = Bound::new(12, 1, 1_000_000);
/// Refusals of a source at once that are borne.
pub const PATIENCE_BURST: Bound = Bound::new(60, 1, 1_000_000);

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
    ($key:literal, $unit:literal, $bound:expr, $($written:ident).+, $($slot:ident).+) => {
        Number {
            key: $key,
            unit: $unit,
            bound: $bound,
            written: |file| file.$($written).+.as_ref(),
            set: |settings, value| settings.$($slot).+ = value,
            value: |settings| settings.$($slot).+,
        }
    };
}

/// A number that is kept in 32 bits: its bound has to fit.
macro_rules! small {
    ($key:literal, $unit:literal, $bound:expr, $table:ident . $written:ident, $($slot:tt).+) => {
        Number {
            key: $key,
            unit: $unit,
            bound: {
                const BOUND: Bound = $bound;
                assert!(BOUND.max <= u32::MAX as u64, "the bound does not fit");
                BOUND
            },
            written: |file| file.$table.$written.as_ref(),
            set: |settings, value| settings.$($slot).+ = u32::try_from(value).unwrap_or(u32::MAX),
            value: |settings| u64::from(settings.$($slot).+),
        }
    };
}

/// Rate or burst of a level of the limits.
macro_rules! level {
    ($key:literal, $written:ident, $family:ident[$index:literal].queries_per_min,
     $default:literal) => {
        level!(@ $key, $written, $family, $index, queries_per_min, $default, QUERIES_PER_MIN)
    };
    ($key:literal, $written:ident, $family:ident[$index:literal].burst, $default:literal) => {
        level!(@ $key, $written, $family, $index, burst, $default, BURST)
    };
    (@ $key:literal, $written:ident, $family:ident, $index:literal, $field:ident,
     $default:literal, $bound:ident) => {
        Number {
            key: $key,
            unit: "queries",
            bound: Bound::new($default, limit::$bound.min, limit::$bound.max),
            written: |file| file.limits.$written.as_ref(),
            set: |settings, value| {
                let value = u32::try_from(value).unwrap_or(u32::MAX);
                settings.guard.levels.$family[$index].$field = value;
            },
            value: |settings| u64::from(settings.guard.levels.$family[$index].$field),
        }
    };
}

/// All of them, in the order in which they are shown.
pub const NUMBERS: &[Number] = &[
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
        "updater.spool_done_count",
        "files",
        Bound::new(10_000, 10, 10_000_000),
        updater.spool_done_count,
        spool_keep.count
    ),
    number!(
        "updater.spool_done_bytes",
        "bytes",
        Bound::new(1 << 30, 1 << 20, 1 << 50),
        updater.spool_done_bytes,
        spool_keep.bytes
    ),
    number!(
        "updater.spool_rejected_bytes",
        "bytes",
        Bound::new(1 << 30, 1 << 20, 1 << 50),
        updater.spool_rejected_bytes,
        spool_keep.rejected_bytes
    ),
    number!(
        "updater.spool_days",
        "days",
        Bound::new(30, 1, 36_500),
        updater.spool_days,
        spool_keep.days
    ),
    number!(
        "updater.memory_bytes",
        "bytes",
        MEMORY_BYTES,
        updater.memory_bytes,
        updater.memory_bytes
    ),
    number!(
        "updater.findings_max",
        "findings",
        Bound::new(FINDINGS_MAX, 0, FINDINGS_MAX),
        updater.findings_max,
        updater.findings_max
    ),
    number!(
        "updater.deposit_bytes_max",
        "bytes",
        Bound::new(DEPOSIT_BYTES_MAX, 1 << 20, 1 << 50),
        updater.deposit_bytes_max,
        updater.deposit_bytes_max
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
    number!(
        "limits.memory_bytes",
        "bytes",
        limit::MEMORY_BYTES,
        limits.memory_bytes,
        limits_memory_bytes
    ),
    small!(
        "limits.warn_percent",
        "percent",
        limit::WARN_PERCENT,
        limits.warn_percent,
        guard.warn_percent
    ),
    small!("limits.price_exact", "queries", limit::PRICE, limits.price_exact, guard.prices.exact),
    small!(
        "limits.price_wildcard",
        "queries",
        Bound::new(5, limit::PRICE.min, limit::PRICE.max),
        limits.price_wildcard,
        guard.prices.wildcard
    ),
    small!(
        "limits.price_contact",
        "queries",
        Bound::new(3, limit::PRICE.min, limit::PRICE.max),
        limits.price_contact,
        guard.prices.contact
    ),
    small!(
        "limits.price_address",
        "queries",
        Bound::new(2, limit::PRICE.min, limit::PRICE.max),
        limits.price_address,
        guard.prices.address
    ),
    level!("limits.v4_32_per_min", v4_32_per_min, v4[0].queries_per_min, 60),
    level!("limits.v4_32_burst", v4_32_burst, v4[0].burst, 60),
    level!("limits.v4_24_per_min", v4_24_per_min, v4[1].queries_per_min, 600),
    level!("limits.v4_24_burst", v4_24_burst, v4[1].burst, 600),
    level!("limits.v4_20_per_min", v4_20_per_min, v4[2].queries_per_min, 3_000),
    level!("limits.v4_20_burst", v4_20_burst, v4[2].burst, 3_000),
    level!("limits.v4_16_per_min", v4_16_per_min, v4[3].queries_per_min, 12_000),
    level!("limits.v4_16_burst", v4_16_burst, v4[3].burst, 12_000),
    level!("limits.v6_128_per_min", v6_128_per_min, v6[0].queries_per_min, 60),
    level!("limits.v6_128_burst", v6_128_burst, v6[0].burst, 60),
    level!("limits.v6_64_per_min", v6_64_per_min, v6[1].queries_per_min, 60),
    level!("limits.v6_64_burst", v6_64_burst, v6[1].burst, 60),
    level!("limits.v6_56_per_min", v6_56_per_min, v6[2].queries_per_min, 240),
    level!("limits.v6_56_burst", v6_56_burst, v6[2].burst, 240),
    level!("limits.v6_48_per_min", v6_48_per_min, v6[3].queries_per_min, 600),
    level!("limits.v6_48_burst", v6_48_burst, v6[3].burst, 600),
    level!("limits.v6_32_per_min", v6_32_per_min, v6[4].queries_per_min, 12_000),
    level!("limits.v6_32_burst", v6_32_burst, v6[4].burst, 12_000),
    number!("blocks.first_s", "s", block::FIRST_S, blocks.first_s, warden.terms.first_s),
    number!("blocks.longest_s", "s", block::LONGEST_S, blocks.longest_s, warden.terms.longest_s),
    number!("blocks.forgive_s", "s", block::FORGIVE_S, blocks.forgive_s, warden.terms.forgive_s),
    small!(
        "blocks.patience_per_min",
        "refusals",
        PATIENCE_PER_MIN,
        blocks.patience_per_min,
        guard.patience.queries_per_min
    ),
    small!(
        "blocks.patience_burst",
        "refusals",
        PATIENCE_BURST,
        blocks.patience_burst,
        guard.patience.burst
    ),
    number!(
        "mining.sequence_min",
        "names",
        mining::SEQUENCE_MIN,
        mining.sequence_min,
        warden.mining.sequence_min
    ),
    number!(
        "mining.queries_min",
        "queries",
        mining::QUERIES_MIN,
        mining.queries_min,
        warden.mining.queries_min
    ),
    number!(
        "mining.ascending_percent",
        "percent",
        mining::ASCENDING_PERCENT,
        mining.ascending_percent,
        warden.mining.ascending_percent
    ),
    number!(
        "mining.misses_percent",
        "percent",
        mining::MISSES_PERCENT,
        mining.misses_percent,
        warden.mining.misses_percent
    ),
    number!(
        "mining.spread_min",
        "addresses",
        mining::SPREAD_MIN,
        mining.spread_min,
        warden.mining.spread_min
    ),
    number!(
        "site.interval_ms",
        "ms",
        warden::INTERVAL_MS,
        site.interval_ms,
        warden.site.interval_ms
    ),
    number!(
        "policy.nftables.min_s",
        "s",
        NFTABLES_MIN_S,
        policy.nftables.min_s,
        policy.nftables_min_s
    ),
    number!(
        "query_log.rotate_bytes",
        "bytes",
        Bound::new(64 << 20, 1 << 10, 1 << 40),
        query_log.rotate_bytes,
        query_log.rotate_bytes
    ),
    number!(
        "query_log.rotate_s",
        "s",
        Bound::new(3_600, 1, 86_400),
        query_log.rotate_s,
        query_log.rotate_s
    ),
    number!(
        "query_log.keep_s",
        "s",
        Bound::new(7_776_000, 0, 3_153_600_000),
        query_log.keep_s,
        query_log.keep_s
    ),
    number!(
        "query_log.keep_bytes",
        "bytes",
        Bound::new(10 << 30, 0, 1 << 50),
        query_log.keep_bytes,
        query_log.keep_bytes
    ),
    number!(
        "query_log.flush_ms",
        "ms",
        Bound::new(1_000, 50, 60_000),
        query_log.flush_ms,
        query_log.flush_ms
    ),
    number!(
        "query_log.ring_bytes",
        "bytes",
        Bound::new(4 << 20, 64 << 10, 1 << 30),
        query_log.ring_bytes,
        query_log.ring_bytes
    ),
    number!(
        "query_log.privacy_prefix_v4",
        "bits",
        Bound::new(24, 8, 32),
        query_log.privacy_prefix_v4,
        query_log.privacy.prefix_v4
    ),
    number!(
        "query_log.privacy_prefix_v6",
        "bits",
        Bound::new(48, 16, 128),
        query_log.privacy_prefix_v6,
        query_log.privacy.prefix_v6
    ),
    number!(
        "query_log.privacy_key_hours",
        "hours",
        Bound::new(24, 1, 8_784),
        query_log.privacy_key_hours,
        query_log.privacy.key_hours
    ),
    number!(
        "web.connections_per_core_max",
        "connections",
        web::CONNECTIONS_PER_CORE,
        web.connections_per_core_max,
        web.connections_max
    ),
    number!("web.first_byte_ms", "ms", web::FIRST_BYTE_MS, web.first_byte_ms, web.first_byte_ms),
    number!("web.idle_ms", "ms", web::IDLE_MS, web.idle_ms, web.idle_ms),
    number!("web.write_ms", "ms", web::WRITE_MS, web.write_ms, web.write_ms),
    number!("web.total_ms", "ms", web::TOTAL_MS, web.total_ms, web.total_ms),
    number!(
        "web.search_threads",
        "threads",
        web::SEARCH_THREADS,
        web.search_threads,
        web.search_threads
    ),
    number!(
        "web.search_memory_mib",
        "MiB",
        web::SEARCH_MEMORY_MIB,
        web.search_memory_mib,
        web.search_memory_mib
    ),
];

/// The settings that are not numbers.
pub const OTHERS: &[&str] = &[
    "server.dir",
    "server.listen",
    "server.cores",
    "server.engine",
    "server.control",
    "snapshot.check",
    "updater.spool",
    "updater.core",
    "policy.lists",
    "registrars.iana",
    "registrars.overlay",
    "policy.nftables.table",
    "policy.nftables.set4",
    "policy.nftables.set6",
    "policy.nftables.program",
    "status.listen",
    "limits.mode",
    "limits.loopback_free",
    "limits.contact",
    "blocks.enabled",
    "blocks.state",
    "mining.enabled",
    "mining.block",
    "mining.canaries",
    "site.redis",
    "site.credentials",
    "site.channel",
    "status.health_listen",
    "log.format",
    "log.level",
    "feed.nats.servers",
    "feed.nats.stream",
    "feed.nats.durable",
    "feed.nats.credentials",
    "feed.nats.trusted_keys",
    "feed.nats.objects",
    "query_log.dir",
    "query_log.format",
    "query_log.privacy",
    "query_log.privacy_key_file",
    "query_log.nats.servers",
    "query_log.nats.subject",
    "query_log.nats.credentials",
    "web.listen",
    "web.tls_listen",
    "web.certificates",
    "web.path",
    "web.cores",
    "web.control",
    "web.status_listen",
    "web.query_log_dir",
    "web.search_dir",
    "web.forwarded_from",
    "web.forwarded_header",
];

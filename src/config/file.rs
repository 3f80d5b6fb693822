//! `whoisd.toml` as it is written: every key optional, every unknown key refused.
//!
//! # Does not
//!
//! Check bounds: `load` does, with the line of the value at hand.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::ConfigError;
use crate::observe::printable::printable;
use crate::policy::display;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) server: Server,
    pub(super) port43: Port43,
    pub(super) proxy: Vec<Proxy>,
    pub(super) snapshot: Snapshot,
    pub(super) updater: Updater,
    pub(super) policy: Policy,
    pub(super) log: Log,
    pub(super) feed: Feed,
    pub(super) status: Status,
    pub(super) limits: Limits,
    pub(super) blocks: Blocks,
    pub(super) mining: Mining,
    pub(super) site: Site,
    pub(super) query_log: QueryLog,
    pub(super) web: Web,
    // The fields of `display::settings::Settings`: serde's `flatten` would let unknown keys pass.
    pub(super) defaults: display::settings::Tld,
    pub(super) tld: Vec<display::settings::Tld>,
    pub(super) registrar: Vec<display::settings::Registrar>,
    pub(super) tier: Vec<display::tier::Tier>,
    pub(super) registrars: Registrars,
}

/// `[registrars]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Registrars {
    pub(super) iana: Option<Spanned<PathBuf>>,
    pub(super) overlay: Option<Spanned<PathBuf>>,
}

impl File {
    /// How answers read.
    pub(super) fn answers(&self) -> display::settings::Settings {
        let Self { defaults, tld, registrar, tier, .. } = self;
        display::settings::Settings {
            defaults: defaults.clone(),
            tld: tld.clone(),
            registrar: registrar.clone(),
            tier: tier.clone(),
            listed: display::settings::Listed::default(),
        }
    }
}

/// `[server]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Server {
    pub(super) dir: Option<Spanned<PathBuf>>,
    pub(super) listen: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) cores: Option<Spanned<String>>,
    pub(super) engine: Option<Spanned<String>>,
    pub(super) control: Option<Spanned<PathBuf>>,
    pub(super) shutdown_ms: Option<Spanned<u64>>,
    pub(super) drain_delay_ms: Option<Spanned<u64>>,
}

/// `[port43]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Port43 {
    pub(super) connections_per_shard_max: Option<Spanned<u64>>,
    pub(super) answer_buffers_per_shard_max: Option<Spanned<u64>>,
    pub(super) proxy_ms: Option<Spanned<u64>>,
    pub(super) first_byte_ms: Option<Spanned<u64>>,
    pub(super) line_ms: Option<Spanned<u64>>,
    pub(super) write_ms: Option<Spanned<u64>>,
    pub(super) drain_ms: Option<Spanned<u64>>,
    pub(super) total_ms: Option<Spanned<u64>>,
    pub(super) backlog: Option<Spanned<u64>>,
}

/// `[web]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Web {
    pub(super) listen: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) path: Option<Spanned<String>>,
    pub(super) cores: Option<Spanned<String>>,
    pub(super) control: Option<Spanned<PathBuf>>,
    pub(super) tls_listen: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) certificates: Option<Spanned<Vec<Certificate>>>,
    pub(super) status_listen: Option<Spanned<String>>,
    pub(super) blocks_state: Option<Spanned<PathBuf>>,
    pub(super) query_log_dir: Option<Spanned<PathBuf>>,
    pub(super) search_dir: Option<Spanned<PathBuf>>,
    pub(super) search_threads: Option<Spanned<u64>>,
    pub(super) search_memory_mib: Option<Spanned<u64>>,
    pub(super) forwarded_from: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) forwarded_header: Option<Spanned<String>>,
    pub(super) connections_per_core_max: Option<Spanned<u64>>,
    pub(super) first_byte_ms: Option<Spanned<u64>>,
    pub(super) idle_ms: Option<Spanned<u64>>,
    pub(super) write_ms: Option<Spanned<u64>>,
    pub(super) total_ms: Option<Spanned<u64>>,
}

/// An entry of `web.certificates`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Certificate {
    pub(super) chain: PathBuf,
    pub(super) key: PathBuf,
}

/// `[[proxy]]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Proxy {
    pub(super) listen: Option<Spanned<String>>,
    pub(super) from: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) header: Option<Spanned<String>>,
}

/// `[snapshot]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Snapshot {
    pub(super) check: Option<Spanned<String>>,
    pub(super) keep: Option<Spanned<u64>>,
    pub(super) follow_ms: Option<Spanned<u64>>,
}

/// `[updater]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Updater {
    pub(super) spool: Option<Spanned<bool>>,
    pub(super) spool_done_count: Option<Spanned<u64>>,
    pub(super) spool_done_bytes: Option<Spanned<u64>>,
    pub(super) spool_rejected_bytes: Option<Spanned<u64>>,
    pub(super) spool_days: Option<Spanned<u64>>,
    pub(super) core: Option<Spanned<String>>,
    pub(super) memory_bytes: Option<Spanned<u64>>,
    pub(super) findings_max: Option<Spanned<u64>>,
    pub(super) deposit_bytes_max: Option<Spanned<u64>>,
    pub(super) fold_changed_percent: Option<Spanned<u64>>,
    pub(super) fold_changed_count: Option<Spanned<u64>>,
    pub(super) fold_log_bytes: Option<Spanned<u64>>,
    pub(super) fold_age_s: Option<Spanned<u64>>,
    pub(super) fold_bytes_per_s: Option<Spanned<u64>>,
}

/// `[policy]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Policy {
    pub(super) lists: Option<Spanned<Vec<Spanned<PathBuf>>>>,
    pub(super) nftables: Nftables,
}

/// `[policy.nftables]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Nftables {
    pub(super) table: Option<Spanned<String>>,
    pub(super) set4: Option<Spanned<String>>,
    pub(super) set6: Option<Spanned<String>>,
    pub(super) program: Option<Spanned<PathBuf>>,
    pub(super) min_s: Option<Spanned<u64>>,
}

/// `[log]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) format: Option<Spanned<String>>,
    pub(super) level: Option<Spanned<String>>,
}

/// `[status]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Status {
    pub(super) listen: Option<Spanned<String>>,
    pub(super) health_listen: Option<Spanned<String>>,
    pub(super) ready_age_max_s: Option<Spanned<u64>>,
}

/// `[limits]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) mode: Option<Spanned<String>>,
    pub(super) loopback_free: Option<Spanned<bool>>,
    pub(super) contact: Option<Spanned<String>>,
    pub(super) memory_bytes: Option<Spanned<u64>>,
    pub(super) warn_percent: Option<Spanned<u64>>,
    pub(super) price_exact: Option<Spanned<u64>>,
    pub(super) price_wildcard: Option<Spanned<u64>>,
    pub(super) price_contact: Option<Spanned<u64>>,
    pub(super) price_address: Option<Spanned<u64>>,
    pub(super) v4_32_per_min: Option<Spanned<u64>>,
    pub(super) v4_32_burst: Option<Spanned<u64>>,
    pub(super) v4_24_per_min: Option<Spanned<u64>>,
    pub(super) v4_24_burst: Option<Spanned<u64>>,
    pub(super) v4_20_per_min: Option<Spanned<u64>>,
    pub(super) v4_20_burst: Option<Spanned<u64>>,
    pub(super) v4_16_per_min: Option<Spanned<u64>>,
    pub(super) v4_16_burst: Option<Spanned<u64>>,
    pub(super) v6_128_per_min: Option<Spanned<u64>>,
    pub(super) v6_128_burst: Option<Spanned<u64>>,
    pub(super) v6_64_per_min: Option<Spanned<u64>>,
    pub(super) v6_64_burst: Option<Spanned<u64>>,
    pub(super) v6_56_per_min: Option<Spanned<u64>>,
    pub(super) v6_56_burst: Option<Spanned<u64>>,
    pub(super) v6_48_per_min: Option<Spanned<u64>>,
    pub(super) v6_48_burst: Option<Spanned<u64>>,
    pub(super) v6_32_per_min: Option<Spanned<u64>>,
    pub(super) v6_32_burst: Option<Spanned<u64>>,
}

/// `[blocks]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Blocks {
    pub(super) enabled: Option<Spanned<bool>>,
    pub(super) state: Option<Spanned<PathBuf>>,
    pub(super) first_s: Option<Spanned<u64>>,
    pub(super) longest_s: Option<Spanned<u64>>,
    pub(super) forgive_s: Option<Spanned<u64>>,
    pub(super) patience_per_min: Option<Spanned<u64>>,
    pub(super) patience_burst: Option<Spanned<u64>>,
}

/// `[mining]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Mining {
    pub(super) enabled: Option<Spanned<bool>>,
    pub(super) block: Option<Spanned<bool>>,
    pub(super) canaries: Option<Spanned<Vec<String>>>,
    pub(super) sequence_min: Option<Spanned<u64>>,
    pub(super) queries_min: Option<Spanned<u64>>,
    pub(super) ascending_percent: Option<Spanned<u64>>,
    pub(super) misses_percent: Option<Spanned<u64>>,
    pub(super) spread_min: Option<Spanned<u64>>,
}

/// `[site]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Site {
    pub(super) redis: Option<Spanned<String>>,
    pub(super) credentials: Option<Spanned<PathBuf>>,
    pub(super) channel: Option<Spanned<String>>,
    pub(super) interval_ms: Option<Spanned<u64>>,
}

/// `[feed]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Feed {
    pub(super) nats: Nats,
}

/// `[feed.nats]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Nats {
    pub(super) servers: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) stream: Option<Spanned<String>>,
    pub(super) durable: Option<Spanned<String>>,
    pub(super) credentials: Option<Spanned<PathBuf>>,
    pub(super) trusted_keys: Option<Spanned<Vec<PathBuf>>>,
    pub(super) objects: Option<Spanned<String>>,
}

/// `[query_log]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct QueryLog {
    pub(super) dir: Option<Spanned<PathBuf>>,
    pub(super) format: Option<Spanned<String>>,
    pub(super) rotate_bytes: Option<Spanned<u64>>,
    pub(super) rotate_s: Option<Spanned<u64>>,
    pub(super) keep_s: Option<Spanned<u64>>,
    pub(super) keep_bytes: Option<Spanned<u64>>,
    pub(super) flush_ms: Option<Spanned<u64>>,
    pub(super) ring_bytes: Option<Spanned<u64>>,
    pub(super) privacy: Option<Spanned<String>>,
    pub(super) privacy_prefix_v4: Option<Spanned<u64>>,
    pub(super) privacy_prefix_v6: Option<Spanned<u64>>,
    pub(super) privacy_key_hours: Option<Spanned<u64>>,
    pub(super) privacy_key_file: Option<Spanned<PathBuf>>,
    pub(super) nats: QueryLogNats,
}

/// `[query_log.nats]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct QueryLogNats {
    pub(super) servers: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) subject: Option<Spanned<String>>,
    pub(super) credentials: Option<Spanned<PathBuf>>,
}

/// The file and what is needed to name a place in it.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) file: File,
    /// What is wrong with keys and types; `file` is without these keys.
    pub(super) misread: Vec<Misread>,
}

/// A key that is unknown, or of the wrong type.
#[derive(Debug, Clone)]
pub(super) struct Misread {
    line: usize,
    key: String,
    problem: String,
}

impl Misread {
    fn error(self, path: &Path) -> ConfigError {
        let Self { line, key, problem } = self;
        ConfigError::Refused { path: path.to_owned(), line, key, problem }
    }
}

/// Most errors of keys and types that are reported at once.
const ERRORS_MAX: usize = 32;

impl Source {
    /// Reads and parses `path`.
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(path, text)
    }

    /// Parses the text of `path`. A key that is unknown or of the wrong type is noted, and the rest
    /// is read without it, so that all of them are reported at once.
    pub(super) fn parse(path: &Path, text: String) -> Result<Self, ConfigError> {
        let (mut rest, mut misread) = (text.clone(), Vec::new());
        loop {
            let error = match toml::from_str(&rest) {
                Ok(file) => return Ok(Self { path: path.to_owned(), text, file, misread }),
                Err(error) => error,
            };
            let span = error.span().unwrap_or(0..0);
            misread.push(Misread {
                line: line_of(&text, span.start),
                key: printable(&key_at(&text, span.start)).into_owned(),
                problem: printable(&plain(error.message())).into_owned(),
            });
            let without = blanked(&rest, &span);
            // A text that is not TOML, or not without these lines, is not read any further.
            let reads = without != rest && toml::from_str::<toml::Table>(&without).is_ok();
            if !reads || misread.len() >= ERRORS_MAX {
                ConfigError::of(misread.iter().map(|one| one.clone().error(path)).collect())?;
            }
            rest = without;
        }
    }

    /// What is wrong with keys and types.
    pub(super) fn errors(&self) -> impl Iterator<Item = ConfigError> + '_ {
        self.misread.iter().map(|one| one.clone().error(&self.path))
    }

    /// The line of a value, from 1.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        line_of(&self.text, span.start)
    }
}

impl Source {
    /// The line of the header of the table that lacks a key, from 1, or 1.
    pub(super) fn line_of_missing(&self, key: &str) -> usize {
        let table = key.rsplit_once('.').map_or(key, |(table, _)| table);
        let header = format!("[{table}]");
        let at = self.text.lines().position(|line| line.trim() == header);
        at.map_or_else(|| self.line_of_key(key), |at| at + 1)
    }

    /// The line of a key such as `tld[2].registrant.name` or `tier[1].tld[2].suffix` (tables are
    /// counted from 1), or of the table that it belongs to, or 1.
    pub(super) fn line_of_key(&self, key: &str) -> usize {
        let mut lines: Vec<(&str, usize)> = self.text.lines().map(str::trim).zip(1..).collect();
        let (mut table, mut found) = (String::new(), 1);
        let is_key = |line: &str, key: &str| {
            line.split_once('=').is_some_and(|(left, _)| left.trim() == key)
        };
        for part in key.split('.') {
            let numbered = part.strip_suffix(']').and_then(|text| text.split_once('['));
            let (name, count) = numbered.map_or((part, 1), |(name, count)| {
                (name, count.parse::<usize>().unwrap_or(1).max(1))
            });
            let below = if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") };
            let headers = [format!("[[{below}]]"), format!("[{below}]")];
            let is_header = |(line, _): &(&str, usize)| headers.iter().any(|one| line == one);
            let mut starts = (0..lines.len()).filter(|&at| is_header(&lines[at]));
            let Some(start) = starts.nth(count - 1) else {
                // A key of the table that was found last, or a table between braces.
                let line = lines.iter().find(|(line, _)| is_key(line, name));
                return line.map_or(found, |(_, line)| *line);
            };
            // From this header to the next one of its name.
            let end = starts.next().unwrap_or(lines.len());
            found = lines[start].1;
            lines = lines[start + 1..end].to_vec();
            table = below;
        }
        found
    }
}

/// The text with blanks in place of the lines of `span`; of the whole table, if that is a header.
fn blanked(text: &str, span: &Range<usize>) -> String {
    let start = text.get(..span.start).and_then(|text| text.rfind('\n')).map_or(0, |at| at + 1);
    let is_header = text.get(start..).is_some_and(|rest| rest.trim_start().starts_with('['));
    let mut at = 0;
    let mut blanked = String::with_capacity(text.len());
    let mut in_table = is_header;
    for line in text.split_inclusive('\n') {
        let (from, to) = (at, at + line.len());
        at = to;
        if from > start && line.trim_start().starts_with('[') {
            in_table = false;
        }
        let is_meant = from >= start && (from == start || from < span.end || in_table);
        if is_meant {
            blanked.extend(line.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        } else {
            blanked.push_str(line);
        }
    }
    blanked
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The key whose line holds `offset`, with its table.
fn key_at(text: &str, offset: usize) -> String {
    let line = line_of(text, offset);
    let lines: Vec<_> = text.lines().take(line).collect();
    let header = lines.iter().rev().map(|line| line.trim()).find(|line| line.starts_with('['));
    let table = header.unwrap_or_default().trim_matches(['[', ']']);
    let key = match lines.last().and_then(|line| line.split_once('=')) {
        Some((key, _)) if !key.trim_start().starts_with(['#', '[']) => key.trim(),
        _ => "",
    };
    if table.is_empty() || key.is_empty() {
        format!("{table}{key}")
    } else {
        format!("{table}.{key}")
    }
}

/// The parser's words for a reader who does not program.
fn plain(message: &str) -> String {
    // Tables are structures of ours, each with its name.
    let message = match message.split_once("expected struct ") {
        Some((before, _)) => format!("{before}expected a table, such as [server], with its keys"),
        None => message.to_owned(),
    };
    message
        .replace("expected u64", "expected a whole number from 0")
        .replace("expected path string", "expected a path in quotes")
        .replace("expected a sequence", "expected a list in brackets")
        .replace("unknown field", "unknown key")
        .replace("`, expected one of", "`; known are")
        .replace('\n', " ")
}

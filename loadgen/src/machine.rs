//! What a result says about how and where it was measured.
//!
//! # Does not
//!
//! Guess: a value that cannot be read is empty or 0.

use std::fs;

use snapshot_format::dump::Utc;

use crate::clock;
use crate::result::Method;
use crate::run::Settings;

/// What the figures of a run never say.
const NOT_MEASURED: [&str; 3] = [
    "the network between client and server, beyond what the addresses above cross",
    "name resolution",
    "phases end when this program sees them: its own queueing is in them",
];

/// The time of day, RFC 3339.
#[must_use]
pub fn now() -> String {
    Utc(i64::try_from(clock::unix_s()).unwrap_or_default().saturating_mul(1_000)).to_string()
}

/// The method of a run with these settings.
#[must_use]
pub fn method(settings: &Settings, started: String) -> Method {
    let connections = if settings.http.is_kept {
        "clients that open a connection for each query"
    } else {
        "clients that keep their connection"
    };
    Method {
        program: concat!("whois-loadgen ", env!("CARGO_PKG_VERSION")).to_owned(),
        commit: env!("WHOISD_COMMIT").to_owned(),
        started,
        processor: field("/proc/cpuinfo", "model name"),
        processor_count: std::thread::available_parallelism().map_or(0, |count| count.get() as u64),
        memory_bytes: memory_bytes(),
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
            .unwrap_or_default()
            .trim()
            .to_owned(),
        targets: settings.targets.iter().map(ToString::to_string).collect(),
        protocol: settings.protocol.words(&settings.http),
        profile: format!("{}\n{}", settings.profile.name(), settings.profile.text()),
        schedule: settings.shape.words(),
        seed: settings.seed,
        generator_cores: settings.cores.clone(),
        source_count: settings.sources.len().max(1) as u64,
        warm_up_s: settings.warm_up_s,
        late_after_us: settings.late_after_us,
        not_measured: NOT_MEASURED.iter().chain([&connections]).map(ToString::to_string).collect(),
    }
}

fn field(path: &str, key: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value).trim().to_owned()
}

fn memory_bytes() -> u64 {
    let total = field("/proc/meminfo", "MemTotal");
    let kib = total.split_ascii_whitespace().next().and_then(|text| text.parse::<u64>().ok());
    kib.unwrap_or_default().saturating_mul(1_024)
}

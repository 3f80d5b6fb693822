//! The result of a run: written as JSON, read again by `compare`, `plan` and the reports.
//!
//! # Invariants
//!
//! - It contains everything that is needed to judge a run: method, machine, what went wrong.
//! - Times end in their unit; latencies are whole nanoseconds from the due time unless they say
//!   otherwise.
//!
//! # Does not
//!
//! Measure, or draw.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Version of this JSON form; a reader refuses others.
pub const RESULT_FORMAT: u32 = 1;

/// One run at one rate or one schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// [`RESULT_FORMAT`].
    pub format: u32,
    /// How it was measured, and on what.
    pub method: Method,
    /// Mean rate that the schedule asked for, queries per second, warm-up left out.
    pub asked_per_s: f64,
    /// Rate of whole answers that came within the measured part, per second.
    pub achieved_per_s: f64,
    /// Length of the measured part, seconds.
    pub duration_s: f64,
    /// Queries due in the measured part.
    pub due_count: u64,
    /// Queries sent.
    pub sent_count: u64,
    /// Whole answers.
    pub answered_count: u64,
    /// Queries that the generator could not start on time (later than `late_after_us`).
    pub late_count: u64,
    /// Why the run must not be used, if it must not.
    pub invalid: Option<String>,
    /// What went wrong, by kind (`connect-refused`, `reset`, `timeout`, `cut-short`,
    /// `wrong-object`, `malformed`, `two-generations`, `differs`), with how often.
    pub errors: BTreeMap<String, u64>,
    /// Answers looked at by each check.
    pub checked: BTreeMap<String, u64>,
    /// Bytes of answers received.
    pub received_bytes: u64,
    /// From the due time to the last byte.
    pub latency: Latency,
    /// From the start of connect to the last byte.
    pub service: Latency,
    /// From the start of connect to the connection, with the handshake of TLS; connections that
    /// were kept are not in it.
    pub connect: Latency,
    /// From the connection to the first byte of the answer; over a kept connection from the query.
    pub first_byte: Latency,
    /// From the first byte to the end of the answer.
    pub last_byte: Latency,
    /// From the due time to the last byte, by kind of query.
    pub by_kind: BTreeMap<String, Latency>,
    /// The run second by second.
    pub seconds: Vec<Second>,
    /// Connections of the whole run, warm-up included; HTTP alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Connections>,
    /// What the server used, if its process was named.
    pub server: Option<Usage>,
    /// What the generator used.
    pub generator: Usage,
}

/// What became of the connections of HTTP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Opened.
    pub opened_count: u64,
    /// Of these, opened because the server had closed a kept one before the query came.
    pub reopened_count: u64,
    /// Connections whose TLS resumed an earlier session.
    pub resumed_count: u64,
    /// Connections with a whole handshake of TLS.
    pub full_handshake_count: u64,
}

impl Connections {
    /// Adds those of another core.
    pub const fn add(&mut self, other: &Self) {
        self.opened_count += other.opened_count;
        self.reopened_count += other.reopened_count;
        self.resumed_count += other.resumed_count;
        self.full_handshake_count += other.full_handshake_count;
    }
}

/// A distribution of times, nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Values in it.
    pub count: u64,
    /// Mean.
    pub mean_ns: f64,
    /// Largest.
    pub max_ns: u64,
    /// Percentile (50, 90, 99, 99.9, 99.99) and its value.
    pub percentiles: Vec<(f64, u64)>,
    /// The whole spectrum: percentile and value, ascending, for plots.
    pub spectrum: Vec<(f64, u64)>,
}

/// One second of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Seconds since the measured part began.
    pub at_s: u64,
    /// Queries due.
    pub due_count: u64,
    /// Whole answers.
    pub answered_count: u64,
    /// Failures.
    pub error_count: u64,
    /// Median latency.
    pub p50_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// Largest latency.
    pub max_ns: u64,
    /// Resident memory of the server that is not pages of files, bytes; 0 if it was not watched.
    pub server_resident_bytes: u64,
    /// Open descriptors of the server; 0 if it was not watched.
    pub server_descriptor_count: u64,
}

/// Processor time and memory of a process over the measured part.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Seconds in user mode.
    pub user_s: f64,
    /// Seconds in the kernel.
    pub system_s: f64,
    /// User and system time by whole answers that came meanwhile, microseconds.
    pub cpu_us_per_query: f64,
    /// Largest resident memory that is not pages of files, bytes.
    pub anonymous_peak_bytes: u64,
}

/// How a run was made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// Program and version.
    pub program: String,
    /// Commit of the generator, if known.
    pub commit: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// Processor, as the kernel names it.
    pub processor: String,
    /// Processors online.
    pub processor_count: u64,
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// Kernel release.
    pub kernel: String,
    /// Where queries went.
    pub targets: Vec<String>,
    /// What was spoken, in words; empty in results from before there was a choice: WHOIS.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub protocol: String,
    /// Profile: its name and text.
    pub profile: String,
    /// The schedule in words.
    pub schedule: String,
    /// Seed of schedule and workload.
    pub seed: u64,
    /// Processors that the generator was pinned to.
    pub generator_cores: Vec<usize>,
    /// Source addresses that were used.
    pub source_count: u64,
    /// Warm-up that is not in the figures, seconds.
    pub warm_up_s: f64,
    /// A query that starts later than this after its due time counts as late.
    pub late_after_us: u64,
    /// What these figures do not say.
    pub not_measured: Vec<String>,
}

/// The steps of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepResult {
    /// [`RESULT_FORMAT`].
    pub format: u32,
    /// The latency objective, in words and numbers.
    pub objective: Objective,
    /// Every step, in the order in which they were made.
    pub steps: Vec<RunResult>,
    /// Highest rate that met the objective, per second; `None` if none did.
    pub knee_per_s: Option<f64>,
}

/// What a step of a sweep must meet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// Percentile that is looked at.
    pub percentile: f64,
    /// Its bound, microseconds from the due time.
    pub latency_us: u64,
    /// Largest share of queries that may fail.
    pub error_share_max: f64,
}

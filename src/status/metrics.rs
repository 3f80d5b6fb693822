//! Figures as Prometheus text, version 0.0.4: of shards, of the guard, of the query log.
//!
//! # Invariants
//!
//! - `bounded`: labels have values that are known before: shards, kinds, outcomes, phases, reasons,
//!   prefix lengths, files of the configuration. Nothing that a client sends becomes one.
//! - `beside`: shards are read, not asked: a scrape makes none of them do anything.
//! - deploy/METRICS.md lists every name; a test compares the two.
//!
//! # Does not
//!
//! Count anything itself.

use std::fmt::{Display, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;

use crate::control;
use crate::observe::figures::PhasesSnapshot;
use crate::observe::histogram::{self, Snapshot};
use crate::observe::{CertificateFigures, IndexFigures, ShardFigures};
use crate::policy::Rules;
use crate::policy::guard::{Guard, Why};
use crate::query::QueryKind;
use crate::querylog;
use crate::shard::Ended;
use crate::warden;

/// Everything of a server that answers queries.
#[derive(Clone)]
pub struct Service {
    /// Of each shard.
    pub shards: Vec<Arc<ShardFigures>>,
    /// Limits, blocks, lists.
    pub guard: Arc<Guard>,
    /// How answers read; here for the names of the tiers.
    pub rules: Arc<ArcSwap<Rules>>,
    /// Blocks, signs of mining, the site.
    pub warden: Arc<warden::Figures>,
    /// The lists' files.
    pub lists: Arc<control::Figures>,
    /// The kernel's sets, where long blocks are handed to it.
    pub kernel: Option<Arc<control::InKernel>>,
    /// The query log, where there is one.
    pub log: Option<Arc<querylog::Figures>>,
    /// The search index, where there is one.
    pub index: Option<Arc<IndexFigures>>,
    /// The certificates, where TLS is spoken.
    pub certificates: Option<Arc<CertificateFigures>>,
}

/// Text under way.
#[derive(Default)]
pub(super) struct Text(pub(super) String);

impl Text {
    /// Begins a family: what follows up to the next one is of it.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// A value of the family begun last; `labels` with their braces, or empty.
    pub(super) fn value(&mut self, name: &str, labels: impl Display, value: impl Display) {
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    /// A family of one value.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.value(name, "", value);
    }

    /// A family of one counter.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.value(name, "", value);
    }
}

impl Service {
    /// Appends all of it.
    pub(super) fn write(&self, text: &mut Text) {
        self.queries(text);
        self.phases(text);
        self.connections(text);
        self.engine(text);
        self.guard(text);
        self.lists(text);
        self.log(text);
        self.index(text);
        self.certificates(text);
    }

    fn queries(&self, text: &mut Text) {
        const NAME: &str = "whoisd_queries_total";
        text.family(NAME, "counter", "Queries answered or refused, by kind and outcome.");
        for shard in &self.shards {
            for kind in QueryKind::ALL {
                for outcome in Ended::ALL {
                    let count = shard.queries.get(kind as usize, outcome as usize);
                    // Failures are shown before the first: a rate needs two samples, and a series
                    // that begins with its only failure would never have one.
                    if count > 0 || outcome == Ended::Failed {
                        let labels = format_args!(
                            "{{shard=\"{}\",kind=\"{}\",outcome=\"{}\"}}",
                            shard.core,
                            kind.word(),
                            outcome.word()
                        );
                        text.value(NAME, labels, count);
                    }
                }
            }
        }
    }

    fn phases(&self, text: &mut Text) {
        const NAME: &str = "whoisd_phase_seconds";
        text.family(NAME, "histogram", "How long the phases of a connection took, by shard.");
        let mut all = PhasesSnapshot::default();
        for shard in &self.shards {
            let phases = shard.phases.snapshot();
            for (phase, snapshot) in phases.rows() {
                let labels = format!("shard=\"{}\",phase=\"{phase}\"", shard.core);
                histogram(text, NAME, &labels, snapshot);
            }
            all.add(&phases);
        }
        const MERGED: &str = "whoisd_phase_all_shards_seconds";
        text.family(MERGED, "histogram", "The same of all shards together.");
        for (phase, snapshot) in all.rows() {
            histogram(text, MERGED, &format!("phase=\"{phase}\""), snapshot);
        }
    }

    /// A family with one value for each shard.
    fn by_shard(
        &self,
        text: &mut Text,
        (name, kind, help): (&str, &str, &str),
        of: impl Fn(&ShardFigures) -> u64,
    ) {
        text.family(name, kind, help);
        for shard in &self.shards {
            text.value(name, format_args!("{{shard=\"{}\"}}", shard.core), of(shard));
        }
    }

    fn connections(&self, text: &mut Text) {
        let open = ("whoisd_connections_open", "gauge", "Connections open at present.");
        self.by_shard(text, open, |shard| shard.engine.connections_open.get());
        let accepted = ("whoisd_connections_accepted_total", "counter", "Connections accepted.");
        self.by_shard(text, accepted, |shard| shard.counters.accepted.get());
        // The counters' own names say how: `ended_served`, `evicted_line`, `expired_write`.
        const ENDED: &str = "whoisd_connections_ended_total";
        text.family(ENDED, "counter", "Connections ended, by how: deadlines are counted apart.");
        self.rows(text, ENDED, "how", how_ended);
        const DEADLINES: &str = "whoisd_deadlines_total";
        text.family(DEADLINES, "counter", "Connections cut by a deadline, by phase.");
        self.rows(text, DEADLINES, "phase", deadline_of);
        const PROXIED: &str = "whoisd_proxied_total";
        text.family(PROXIED, "counter", "Connections with a proxy's header, by whom it names.");
        self.rows(text, PROXIED, "of", proxied_of);
        const FORWARDED: &str = "whoisd_forwarded_total";
        text.family(FORWARDED, "counter", "Requests of proxies of HTTP, by whom they name.");
        self.rows(text, FORWARDED, "of", forwarded_of);
        for (name, help, counter) in PLAIN {
            self.by_shard(text, (name, "counter", help), |shard| {
                let mut rows = shard.counters.totals().rows();
                rows.find(|(name, _)| *name == counter).map_or(0, |(_, value)| value)
            });
        }
    }

    /// The counters of each shard that `label_of` gives a label.
    fn rows(
        &self,
        text: &mut Text,
        family: &str,
        label: &str,
        label_of: impl Fn(&'static str) -> Option<&'static str>,
    ) {
        for shard in &self.shards {
            for (name, value) in shard.counters.totals().rows() {
                if let Some(of) = label_of(name) {
                    let labels = format_args!("{{shard=\"{}\",{label}=\"{of}\"}}", shard.core);
                    text.value(family, labels, value);
                }
            }
        }
    }

    fn engine(&self, text: &mut Text) {
        type Of = fn(&ShardFigures) -> u64;
        let families: [(&str, &str, &str, Of); 6] = [
            ("whoisd_ring_turns_total", "counter", "Turns of the ring.", |shard| {
                shard.engine.turns.get()
            }),
            ("whoisd_ring_completions_total", "counter", "Completions of the ring.", |shard| {
                shard.engine.completions.get()
            }),
            (
                "whoisd_ring_requests_waited_total",
                "counter",
                "Requests that waited for a place in the ring.",
                |shard| shard.engine.requests_waited.get(),
            ),
            ("whoisd_ring_batch_max", "gauge", "Most completions of one turn.", |shard| {
                shard.engine.batch_max.get()
            }),
            ("whoisd_answer_buffers", "gauge", "Answer buffers made.", |shard| {
                shard.engine.buffers_made.get()
            }),
            ("whoisd_answer_buffers_free", "gauge", "Answer buffers not in use.", |shard| {
                shard.engine.buffers_free.get()
            }),
        ];
        for (name, kind, help, of) in families {
            self.by_shard(text, (name, kind, help), of);
        }
    }

    fn guard(&self, text: &mut Text) {
        const REFUSALS: &str = "whoisd_refusals_total";
        let figures = self.guard.figures();
        text.family(REFUSALS, "counter", "Queries refused, by reason and prefix length.");
        for (reason, why) in [("limit", Why::Limit), ("block", Why::Block), ("deny", Why::Deny)] {
            for (length, count) in figures.rows(why) {
                let labels = format_args!("{{reason=\"{reason}\",prefix_length=\"{length}\"}}");
                text.value(REFUSALS, labels, count);
            }
        }
        // Connections that found no room were refused too, though nobody knows what they asked.
        let over = self.shards.iter().map(|shard| shard.counters.over_bound.get()).sum::<u64>();
        text.value(REFUSALS, "{reason=\"overload\",prefix_length=\"0\"}", over);
        const DRY: &str = "whoisd_limit_dry_run_total";
        text.family(DRY, "counter", "Queries that limits would have refused.");
        for (length, count) in figures.rows(Why::DryRun) {
            text.value(DRY, format_args!("{{prefix_length=\"{length}\"}}"), count);
        }
        let limiter = self.guard.limiter();
        let entries = self.warden.limiter_entries.load(Ordering::Relaxed);
        text.gauge("whoisd_limiter_entries", "Sources and networks that owe something.", entries);
        let capacity = limiter.capacity();
        text.gauge("whoisd_limiter_capacity", "Those that there is room for.", capacity);
        let evictions = limiter.eviction_count();
        text.counter("whoisd_limiter_evictions_total", "Those that made room.", evictions);
        text.gauge("whoisd_blocks", "Blocks that hold.", self.guard.blocks().count());
        let given = self.warden.blocks_total.load(Ordering::Relaxed);
        text.counter("whoisd_blocks_total", "Blocks given.", given);
        const FLAGS: &str = "whoisd_mining_flags_total";
        text.family(FLAGS, "counter", "Sources flagged for mining, by signal.");
        for (signal, count) in self.warden.flags() {
            text.value(FLAGS, format_args!("{{signal=\"{signal}\"}}"), count);
        }
        let dropped = self.warden.dropped_count();
        text.counter("whoisd_watch_dropped_total", "Queries the warden did not see.", dropped);
        if let Some(site) = &self.warden.site {
            let connected = u8::from(site.connected());
            text.gauge("whoisd_site_share_connected", "Whether usage is shared.", connected);
            for (name, help, value) in [
                ("whoisd_site_sent_total", "Messages to the site.", &site.sent),
                ("whoisd_site_lost_total", "Messages not taken by its server.", &site.lost),
                ("whoisd_site_received_total", "Messages of the site.", &site.received),
                ("whoisd_site_refused_total", "Messages that could not be read.", &site.refused),
            ] {
                text.counter(name, help, value.load(Ordering::Relaxed));
            }
        }
    }

    fn lists(&self, text: &mut Text) {
        for (name, help, value) in self.lists.gauges() {
            text.gauge(name, help, value);
        }
        for (name, help, value) in self.kernel.iter().flat_map(|kernel| kernel.gauges()) {
            text.gauge(name, help, value);
        }
    }

    fn index(&self, text: &mut Text) {
        let Some(index) = &self.index else { return };
        for (name, help, value) in index.gauges() {
            text.gauge(name, help, value);
        }
        let builds = index.builds.load(Ordering::Relaxed);
        text.counter("whoisd_search_builds_total", "Builds of the search index.", builds);
    }

    fn certificates(&self, text: &mut Text) {
        let Some(certificates) = &self.certificates else { return };
        const NAME: &str = "whoisd_certificate_expiry_timestamp_seconds";
        text.family(NAME, "gauge", "When a certificate that is served expires.");
        for one in certificates.ends().iter() {
            text.value(NAME, format_args!("{{file=\"{}\"}}", escaped(&one.file)), one.end_s);
        }
    }

    fn log(&self, text: &mut Text) {
        let Some(log) = &self.log else { return };
        let report = log.report();
        const DROPPED: &str = "whoisd_log_dropped_total";
        text.family(DROPPED, "counter", "Queries that found no room in a shard's ring.");
        for (shard, ring) in self.shards.iter().zip(&report.shards) {
            let labels = format!("{{shard=\"{}\"}}", shard.core);
            text.value(DROPPED, labels, ring.dropped);
        }
        const WAITING: &str = "whoisd_log_waiting_bytes";
        text.family(WAITING, "gauge", "Bytes that wait in a shard's ring.");
        for (shard, ring) in self.shards.iter().zip(&report.shards) {
            let labels = format!("{{shard=\"{}\"}}", shard.core);
            text.value(WAITING, labels, ring.waiting_bytes);
        }
        const ENTRIES: &str = "whoisd_log_entries_total";
        text.family(ENTRIES, "counter", "Queries handed to the log.");
        for (shard, ring) in self.shards.iter().zip(&report.shards) {
            let labels = format!("{{shard=\"{}\"}}", shard.core);
            text.value(ENTRIES, labels, shard.queries.count_all().saturating_sub(ring.dropped));
        }
        for (name, help, value) in [
            ("whoisd_log_written_total", "Queries written into files.", report.written),
            ("whoisd_log_written_bytes_total", "Bytes written, packed.", report.written_bytes),
            ("whoisd_log_lost_total", "Queries that files did not take.", report.lost),
            ("whoisd_log_errors_total", "Times that files failed.", report.errors),
            ("whoisd_log_stream_sent_total", "Queries acknowledged.", report.stream_sent),
            ("whoisd_log_stream_dropped_total", "Queries not kept.", report.stream_dropped),
        ] {
            text.counter(name, help, value);
        }
        let help = "Blocks that no server of the stream has acknowledged.";
        text.gauge("whoisd_log_stream_waiting_batches", help, report.stream_waiting);
    }
}

/// Counters that are a family each: its name, its help, the counter.
const PLAIN: [(&str, &str, &str); 4] = [
    ("whoisd_accept_errors_total", "Accepts that failed.", "accept_errors"),
    ("whoisd_buffer_waits_total", "Queries that waited for a buffer.", "waited_for_buffer"),
    ("whoisd_received_bytes_total", "Bytes received.", "received_bytes"),
    ("whoisd_sent_bytes_total", "Bytes of answers sent.", "sent_bytes"),
];

/// How connections ended that a counter counts, if it counts ends that were no deadlines.
fn how_ended(name: &'static str) -> Option<&'static str> {
    let is_how = name.starts_with("evicted_") || ["over_bound", "panicked"].contains(&name);
    name.strip_prefix("ended_").or_else(|| is_how.then_some(name))
}

/// The phase whose deadline a counter counts.
fn deadline_of(name: &'static str) -> Option<&'static str> {
    name.strip_prefix("expired_")
}

/// What the headers of proxies named that a counter counts.
fn proxied_of(name: &'static str) -> Option<&'static str> {
    match name {
        "proxied" => Some("client"),
        "proxied_own" => Some("proxy"),
        _ => None,
    }
}

/// What the headers of proxies of HTTP named that a counter counts.
fn forwarded_of(name: &'static str) -> Option<&'static str> {
    let all = [("forwarded", "client"), ("forwarded_unnamed", "nobody")];
    all.iter().find(|(counter, _)| *counter == name).map(|(_, of)| *of)
}

/// A label's value as the format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// One histogram, with a bucket for each doubling.
fn histogram(text: &mut Text, name: &str, labels: &str, snapshot: &Snapshot) {
    let mut below = 0_u64;
    let mut lines = String::new();
    for (bucket, count) in snapshot.counts.iter().enumerate() {
        below = below.wrapping_add(*count);
        if let Some(bound_us) = histogram::bound_us(bucket)
            && bound_us.is_power_of_two()
        {
            // A bucket's values are below its bound, and whole: at most one less.
            let le = seconds(bound_us);
            let _ = writeln!(lines, "{name}_bucket{{{labels},le=\"{le}\"}} {below}");
        }
    }
    text.0.push_str(&lines);
    text.value(&format!("{name}_bucket"), format_args!("{{{labels},le=\"+Inf\"}}"), below);
    text.value(&format!("{name}_sum"), format_args!("{{{labels}}}"), seconds(snapshot.sum_us));
    text.value(&format!("{name}_count"), format_args!("{{{labels}}}"), below);
}

/// Microseconds as seconds, exactly.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::observe::counters::Totals;

    use std::path::Path;

    #[test]
    fn seconds_are_exact() {
        let told: Vec<_> = [1, 1_000, 1_500_000, 67_108_864].map(seconds).into();
        assert_eq!(told, ["0.000001", "0.001", "1.5", "67.108864"]);
    }

    #[test]
    fn labels_have_no_mark_that_ends_them() {
        assert_eq!(escaped("/a \"b\"\\\n.pem"), r#"/a \"b\"\\\n.pem"#);
    }

    #[test]
    fn buckets_grow_and_end_in_all_values() {
        let figures = ShardFigures::new(3);
        for value in [0, 1, 3, 900, 70_000_000] {
            figures.phases.read.record(value);
        }
        let mut text = Text::default();
        histogram(&mut text, "x", "a=\"b\"", &figures.phases.snapshot().read);
        let lines: Vec<_> = text.0.lines().collect();
        assert!(lines.contains(&"x_bucket{a=\"b\",le=\"0.000001\"} 1"), "{lines:?}");
        assert!(lines.contains(&"x_bucket{a=\"b\",le=\"0.000004\"} 3"), "{lines:?}");
        assert!(lines.contains(&"x_bucket{a=\"b\",le=\"0.001024\"} 4"), "{lines:?}");
        assert!(lines.contains(&"x_bucket{a=\"b\",le=\"+Inf\"} 5"));
        assert!(
            lines.contains(&"x_sum{a=\"b\"} 70.000904") && lines.contains(&"x_count{a=\"b\"} 5")
        );
    }

    #[test]
    fn failures_have_a_series_before_the_first() {
        let text = super::super::tests::whole_scrape();
        for kind in QueryKind::ALL {
            let labels = format!("{{shard=\"2\",kind=\"{}\",outcome=\"failed\"}}", kind.word());
            let line = format!("whoisd_queries_total{labels} 0");
            assert!(text.lines().any(|one| one == line), "{line}");
        }
    }

    #[test]
    fn every_counter_of_a_shard_is_in_one_family() {
        let (counters, text) = (Totals::default(), super::super::tests::whole_scrape());
        for (name, _) in counters.rows() {
            let labelled = |label: &str, of: &str| format!("{{shard=\"2\",{label}=\"{of}\"}}");
            let plain = PLAIN.iter().find(|(_, _, counter)| *counter == name);
            let series = [
                how_ended(name)
                    .map(|of| "whoisd_connections_ended_total".to_owned() + &labelled("how", of)),
                deadline_of(name)
                    .map(|of| "whoisd_deadlines_total".to_owned() + &labelled("phase", of)),
                proxied_of(name).map(|of| "whoisd_proxied_total".to_owned() + &labelled("of", of)),
                forwarded_of(name)
                    .map(|of| "whoisd_forwarded_total".to_owned() + &labelled("of", of)),
                plain.map(|(family, _, _)| format!("{family}{{shard=\"2\"}}")),
                (name == "accepted")
                    .then(|| "whoisd_connections_accepted_total{shard=\"2\"}".to_owned()),
            ];
            let series: Vec<_> = series.into_iter().flatten().collect();
            if name.starts_with("answered_") {
                // whoisd_queries_total counts them by kind as well.
                assert!(series.is_empty(), "{name}");
                continue;
            }
            let [series] = series.as_slice() else { panic!("{name} is in {series:?}") };
            assert!(text.lines().any(|line| line == format!("{series} 0")), "{series}");
        }
    }

    /// The table for operators has every name of a scrape, and no others.
    #[test]
    fn the_table_of_metrics_and_a_scrape_have_the_same_names() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/METRICS.md");
        let table = std::fs::read_to_string(path).unwrap();
        let mut listed: Vec<_> = table
            .lines()
            .filter_map(|line| line.strip_prefix("| `whoisd_")?.split('`').next())
            .map(|name| format!("whoisd_{name}"))
            .collect();
        let text = super::super::tests::whole_scrape();
        let mut scraped: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
            .map(str::to_owned)
            .collect();
        listed.sort();
        scraped.sort();
        assert_eq!(listed, scraped);
    }
}

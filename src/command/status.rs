//! `whoisd status`: how a running server is, in five lines.
//!
//! # Does not
//!
//! Judge: `/ready` and the alarms do.

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use snapshot_format::dump::Utc;

use super::control::ControlOptions;
use super::top::{Client, Rates, text};
use super::{Failure, output};
use crate::observe::readout::Figures;

/// Between the two readings that rates are made of.
const PAUSE: Duration = Duration::from_millis(500);

/// Show how a running server is: data, feed, load, refusals, in five lines
///
/// Rates are those of half a second; `whoisd top` watches on, and /metrics (`[status] listen`) has
/// all figures.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    whoisd status\n  \
    whoisd status --dir /var/lib/whoisd\n  \
    whoisd status --json\n\n\
    Exit status: 0 shown; 1 no server answers; 2 wrong usage; 3 the configuration was refused.")]
pub(super) struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    server: ControlOptions,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let client = Client { path: options.server.socket()? };
    let first = client.figures().map_err(Failure::failed)?;
    thread::sleep(PAUSE);
    let figures = client.figures().map_err(Failure::failed)?;
    let rates = Rates::between(&first, &figures).unwrap_or_default();
    let shown = if options.json { as_json(&figures, &rates) } else { lines(&figures, &rates) };
    output::print(shown.as_bytes())
}

/// Seconds since the start of the process.
fn uptime_s(figures: &Figures) -> u64 {
    let up_ms = figures.at_ms.saturating_sub(figures.started_ms);
    u64::try_from(up_ms / 1_000).unwrap_or(0)
}

/// Highest load of a shard, where the kernel tells.
fn load_max(rates: &Rates) -> Option<f64> {
    rates.shards.iter().filter_map(|shard| shard.load).reduce(f64::max)
}

fn lines(figures: &Figures, rates: &Rates) -> String {
    let state = if figures.draining { "draining" } else { "serving" };
    let mut told = format!(
        "whoisd {}, process {}: {state}, up {}\n",
        text::clean(&figures.version),
        figures.pid,
        text::span(uptime_s(figures))
    );
    // Writing to a String cannot fail.
    let _ = writeln!(
        told,
        "data      generation {}, serial {}, {} old, {} domains",
        text::count(figures.generation),
        text::count(figures.serial),
        text::span(figures.data_age_s),
        text::count(figures.domains),
    );
    let _ = writeln!(told, "feed      {}", feed(figures));
    let load = load_max(rates).map_or_else(|| "load unknown".to_owned(), busiest);
    let open: u64 = figures.shards.iter().map(|shard| shard.connections_open).sum();
    let _ = writeln!(
        told,
        "load      {} queries/s on {}, {load}, {} open",
        text::rate(rates.sum(|shard| shard.queries)),
        counted(figures.shards.len() as u64, "shard"),
        counted(open, "connection"),
    );
    let refused: f64 = rates.refusals.iter().map(|(_, per_s)| per_s).sum();
    let _ = writeln!(
        told,
        "refused   {}/s, {}, {} of mining",
        text::rate(refused),
        counted(figures.blocks, "block"),
        counted(figures.mining_flags, "sign"),
    );
    told
}

/// A number with its noun.
fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", text::count(number), if number == 1 { "" } else { "s" })
}

fn busiest(load: f64) -> String {
    format!("busiest at {}", text::percent(load))
}

fn feed(figures: &Figures) -> String {
    let Some(feed) = &figures.feed else {
        return match (figures.spool, &figures.spool_waits) {
            (_, Some(waits)) => format!("spool of the directory; {}", text::clean(waits)),
            (true, None) => "spool of the directory".to_owned(),
            (false, None) => "none; the directory is followed".to_owned(),
        };
    };
    let word = if feed.connected { "connected" } else { "NOT CONNECTED" };
    let error = feed.error.as_ref().map(|error| format!("; {}", text::clean(error)));
    format!("{word}, {} waiting{}", text::count(feed.backlog), error.unwrap_or_default())
}

fn as_json(figures: &Figures, rates: &Rates) -> String {
    let refusals: Vec<_> = figures
        .refusals
        .iter()
        .map(
            |of| json!({"reason": of.reason, "prefix_length": of.prefix_length, "count": of.count}),
        )
        .collect();
    let feed = figures.feed.as_ref().map(
        |feed| json!({"connected": feed.connected, "backlog": feed.backlog, "error": feed.error}),
    );
    let value = json!({
        "version": figures.version,
        "pid": figures.pid,
        "state": if figures.draining { "draining" } else { "serving" },
        "started": Utc(figures.started_ms).to_string(),
        "uptime_s": uptime_s(figures),
        "generation": figures.generation,
        "serial": figures.serial,
        "data_age_s": figures.data_age_s,
        "domains": figures.domains,
        "feed": feed,
        "spool": figures.spool,
        "spool_waits": figures.spool_waits,
        "shards": figures.shards.len(),
        "connections_open": figures.shards.iter().map(|of| of.connections_open).sum::<u64>(),
        "queries": figures.shards.iter().flat_map(|of| &of.queries).map(|of| of.count).sum::<u64>(),
        "queries_per_s": rates.sum(|shard| shard.queries),
        "load_max": load_max(rates),
        "refusals": refusals,
        "blocks": figures.blocks,
        "mining_flags": figures.mining_flags,
    });
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::observe::readout::{Feed, Queries, Refusal, Shard};

    /// The same server half a second apart.
    fn readings() -> [Figures; 2] {
        [1_u64, 2].map(|reading| {
            let count = reading * 50;
            let queries = Queries { kind: "domain".into(), outcome: "found".into(), count };
            let shard = Shard {
                core: 3,
                cpu_us: Some(reading * 100_000),
                connections_open: 7,
                queries: vec![queries],
                ..Shard::default()
            };
            Figures {
                version: "9.9".to_owned(),
                pid: 7,
                started_ms: 1_800_000_000_000,
                at_ms: 1_800_000_061_000,
                at_us: reading * 500_000,
                generation: 41,
                serial: 8_812,
                data_age_s: 3,
                domains: 12_345,
                shards: vec![shard],
                refusals: vec![Refusal { reason: "limit".into(), prefix_length: 32, count }],
                blocks: 2,
                mining_flags: 1,
                ..Figures::default()
            }
        })
    }

    #[test]
    fn five_lines_say_how_a_server_is() {
        let [before, mut now] = readings();
        let rates = Rates::between(&before, &now).unwrap();
        let expected = "whoisd 9.9, process 7: serving, up 1 min 1 s\n\
            data      generation 41, serial 8,812, 3 s old, 12,345 domains\n\
            feed      none; the directory is followed\n\
            load      100 queries/s on 1 shard, busiest at 20.0%, 7 connections open\n\
            refused   100/s, 2 blocks, 1 sign of mining\n";
        assert_eq!(lines(&now, &rates), expected);
        now.spool = true;
        assert_eq!(feed(&now), "spool of the directory");
        now.spool_waits = Some("waiting in the spool for 35 s: 2 files".to_owned());
        assert_eq!(feed(&now), "spool of the directory; waiting in the spool for 35 s: 2 files");
        let error = Some("no server\x1b[2J".to_owned());
        now.feed = Some(Feed { connected: false, backlog: 5, error });
        assert_eq!(feed(&now), "NOT CONNECTED, 5 waiting; no server [2J");
    }

    #[test]
    fn json_has_the_same_as_numbers() {
        let [before, now] = readings();
        let rates = Rates::between(&before, &now).unwrap();
        let told: Value = serde_json::from_str(&as_json(&now, &rates)).unwrap();
        for (key, number) in [
            ("generation", 41),
            ("serial", 8_812),
            ("data_age_s", 3),
            ("uptime_s", 61),
            ("domains", 12_345),
            ("queries", 100),
            ("connections_open", 7),
            ("blocks", 2),
        ] {
            assert_eq!(told[key], number, "{key}");
        }
        assert_eq!((&told["state"], &told["feed"]), (&json!("serving"), &Value::Null));
        assert!((told["queries_per_s"].as_f64().unwrap() - 100.0).abs() < 1e-9);
        assert_eq!(told["started"], "2027-01-15T08:00:00Z");
    }
}

//! What the query log costs: a shard's part by the clock, and the writer's part for each query.
//!
//! `cargo bench -p whoisd-benches --bench querylog [-- --smoke]`. A shard's part is
//! `Recorder::record` of a usual entry into a ring that is emptied; the writer's part is everything
//! that its thread does to the files, divided by the queries; then `whoisd log summary` over them.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::net::Ipv4Addr;

use whoisd::place::aside::{Place, Weight};
use whoisd::querylog::{Entry, Format, Privacy, Recorder, Settings, start, summarise};
use whoisd_benches::{Options, measure, print, print_figures, timed};

const PLACE: Place<'_> = Place { core: None, shard_cores: &[], weight: Weight::Full };

fn main() {
    let options = Options::of_arguments(1_000_000, 20_000);
    let count: u32 = if options.smoke { 20_000 } else { 1_000_000 };
    let names: Vec<String> =
        (0..1_000).map(|number| format!("some-name-{number}.example")).collect();
    record(&names, options);
    full(&names, options);
    for (what, format, privacy) in [
        ("jsonl", Format::Jsonl, Privacy::None),
        ("jsonl, hash", Format::Jsonl, Privacy::Hash),
        ("parquet", Format::Parquet, Privacy::None),
        ("both", Format::Both, Privacy::None),
    ] {
        let temporary = tempfile::tempdir().unwrap();
        let mut settings = Settings {
            dir: Some(temporary.path().to_owned()),
            format,
            // All entries wait in it: about 120 bytes each.
            ring_bytes: 160 * u64::from(count),
            ..Settings::default()
        };
        settings.privacy.privacy = privacy;
        let (mut recorders, writer) = start(&settings, 1, PLACE).unwrap();
        let figures = writer.figures();
        for number in 0..count {
            ask(&mut recorders[0], &names, number);
        }
        let ((), seconds) = timed(|| writer.stop());
        let report = figures.report();
        assert_eq!((report.written, report.dropped()), (u64::from(count), 0));
        let each = seconds * 1e9 / f64::from(count);
        let bytes = report.written_bytes / u64::from(count);
        let text = format!("{each:.0} ns a query behind the shards' end, {bytes} bytes in files");
        print(&format!("writer, {what}"), &text);
        let (summary, seconds) = timed(|| summarise(temporary.path(), None, None).unwrap());
        assert_eq!(summary.total.queries, u64::from(count));
        let rate = f64::from(count) / seconds;
        print(&format!("summary, {what}"), &format!("{rate:.0} queries/s"));
    }
}

fn ask(recorder: &mut Recorder, names: &[String], number: u32) {
    recorder.record(Entry {
        at_ms: 1_795_656_123_456,
        server: (Ipv4Addr::new(192, 0, 2, 1), 43).into(),
        client: Ipv4Addr::from_bits(0xc633_0000 | (number & 0xffff)).into(),
        kind: "domain",
        outcome: "found",
        tier: "public",
        suffix: "example",
        name: names[number as usize % names.len()].as_bytes(),
        bytes: 1_834,
        micros: 12,
        shard: 0,
        generation: 42,
    });
}

/// Into a ring that a writer empties.
fn record(names: &[String], options: Options) {
    let temporary = tempfile::tempdir().unwrap();
    let settings = Settings {
        dir: Some(temporary.path().to_owned()),
        ring_bytes: if options.smoke { 1 << 20 } else { 256 << 20 },
        ..Settings::default()
    };
    let (mut recorders, writer) = start(&settings, 1, PLACE).unwrap();
    let numbers: Vec<u32> = (0..if options.smoke { 2_000 } else { 100_000 }).collect();
    let figures =
        measure(options.rounds(), &numbers, |number| ask(&mut recorders[0], names, *number));
    print_figures("record", figures);
    let dropped = writer.figures().report().dropped();
    print("record, dropped", &dropped.to_string());
}

/// Into a ring that is full.
fn full(names: &[String], options: Options) {
    let (mut recorders, writer) =
        start(&Settings { ring_bytes: 1, flush_ms: 60_000, ..Settings::default() }, 1, PLACE)
            .unwrap();
    let numbers: Vec<u32> = (0..if options.smoke { 2_000 } else { 100_000 }).collect();
    let figures =
        measure(options.rounds(), &numbers, |number| ask(&mut recorders[0], names, *number));
    print_figures("record, ring full", figures);
    drop(writer);
}

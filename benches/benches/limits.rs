//! What the guard costs a query: lists, blocks and limits, by themselves and beside a whole answer.
//!
//! `cargo bench -p whoisd-benches --bench limits [-- --domains N | --smoke]`
//!
//! By themselves: one address, and a million of them at random over the default table of 16 MiB, so
//! that every look is a miss of the caches. Beside an answer: the same queries with and without the
//! guard, in turns; the medians of the rounds are compared.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use whoisd::observe::clock;
use whoisd::policy::Rules;
use whoisd::policy::block::{Book, Terms};
use whoisd::policy::guard::{Admission, Guard, Mode, Settings};
use whoisd::policy::limit::{Level, MEMORY_BYTES};
use whoisd::port43::{Answering, Asked};
use whoisd::shard::{Answerer, Sources};
use whoisd::view::View;
use whoisd::warden::Reports;
use whoisd_benches::{Options, measure, print, print_figures, steps};

/// Queries of a measurement.
const QUERIES: usize = 300_000;

/// Pairs of rounds with and without the guard.
const PAIRS: usize = 15;

fn main() {
    let options = Options::of_arguments(1_000_000, 2_000);
    let queries = if options.smoke { 2_000 } else { QUERIES };
    alone(options, queries);
    let temporary = tempfile::tempdir().unwrap();
    let directory = steps::directory(options, temporary.path());
    beside(&Arc::new(View::open(&directory).unwrap()), options, queries);
}

/// Limits that no client reaches here: each query takes the whole way and is served.
fn settings(mode: Mode) -> Settings {
    let mut settings =
        Settings { mode, loopback_free: false, warn_percent: 0, ..Settings::default() };
    let wide = |level: &mut Level| (level.queries_per_min, level.burst) = (6_000_000, 6_000_000);
    settings.levels.v4.iter_mut().for_each(wide);
    settings.levels.v6.iter_mut().for_each(wide);
    settings
}

fn guard(mode: Mode) -> Guard {
    let bytes = usize::try_from(MEMORY_BYTES.default).unwrap();
    Guard::new(settings(mode), Arc::default(), bytes, [1, 2, 3, 4])
}

fn address(seed: usize, v6: bool) -> IpAddr {
    let mixed = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let low = u32::try_from(mixed % 1_000_000).unwrap();
    if v6 {
        IpAddr::V6((0x2001_0db8_u128 << 96 | u128::from(low) << 64 | 1).into())
    } else {
        IpAddr::V4((0x0a00_0000 + low).into())
    }
}

fn alone(options: Options, queries: usize) {
    let one = vec![address(1, false); queries];
    let many: Vec<_> = (0..queries).map(|seed| address(seed, false)).collect();
    let many_v6: Vec<_> = (0..queries).map(|seed| address(seed, true)).collect();
    let guard = guard(Mode::On);
    let ask = |address: &IpAddr| {
        let now_us = clock::micros();
        if let Admission::Open(pass) = guard.admit(*address, false, clock::wall_ms) {
            black_box(guard.charge(&pass, 1, now_us));
        }
    };
    for (name, addresses) in [
        ("guard, one IPv4 address", &one),
        ("guard, IPv4, a million addresses", &many),
        ("guard, IPv6, a million addresses", &many_v6),
    ] {
        print_figures(name, measure(options.rounds(), addresses, ask));
    }
    let mut book = Book::new(Terms::default(), [], 0);
    for host in 0..if options.smoke { 100 } else { 50_000_u32 } {
        let prefix = IpAddr::V4((0xc0a8_0000 + host).into()).into();
        book.block(prefix, 86_400, "", clock::wall_ms());
    }
    guard.set_blocks(book.published(clock::wall_ms()));
    print_figures("the same beside 50,000 blocks, IPv4", measure(options.rounds(), &many, ask));
}

fn beside(view: &Arc<View>, options: Options, queries: usize) {
    let (rings, reports) = Reports::new(1);
    let answerer = |mode: Mode| {
        let sources = Sources {
            views: Arc::new(ArcSwap::new(Arc::clone(view))),
            rules: Arc::new(ArcSwap::from_pointee(Rules::standard())),
            guard: Arc::new(guard(mode)),
        };
        Answerer::new(sources, Arc::default()).telling(reports.first().cloned(), None)
    };
    let (mut with, mut without) = (answerer(Mode::On), answerer(Mode::Off));
    let mut buffer = with.buffer();
    let lines = steps::domain_lines(view, queries);
    let mut round = |answerer: &mut Answerer| {
        let begun = clock::monotonic();
        for (seed, line) in lines.iter().enumerate() {
            let client = SocketAddr::new(address(seed, false), 4_343);
            let asked = Asked {
                line: line.as_bytes(),
                is_unfinished: false,
                client,
                server: client,
                complete_us: 0,
                proxied: false,
                local: false,
            };
            black_box(answerer.answer(asked, &mut buffer));
            if seed % 4_096 == 0 {
                rings.take(|seen| {
                    black_box(seen);
                });
            }
        }
        begun.elapsed().as_secs_f64() * 1e9 / queries as f64
    };
    let pairs = if options.smoke { 2 } else { PAIRS };
    let mut rounds: Vec<_> = (0..pairs).map(|_| (round(&mut without), round(&mut with))).collect();
    rounds.sort_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)));
    let (without_ns, with_ns) = rounds[pairs / 2];
    print("answer without limits", &format!("{without_ns:.0} ns"));
    print("answer with limits", &format!("{with_ns:.0} ns, {:.0} ns more", with_ns - without_ns));
    let query_ns = 30_000.0;
    let share = (with_ns - without_ns) / query_ns * 100.0;
    print("share of a query's 30 us of processor time", &format!("{share:.2} % (target 5 %)"));
}

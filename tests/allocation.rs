//! Parsing, finding and rendering allocate nothing: every query of every conversation, refusals
//! and internationalised names included.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod registry;
mod script;

use allocation_counter::measure;
use whoisd::place::aside::{Place, Weight};
use whoisd::policy::display::settings::Settings;
use whoisd::policy::{Rules, Tier};
use whoisd::query::whois::{Answer, answer};
use whoisd::querylog;
use whoisd::view::View;

#[test]
fn no_query_allocates() {
    allocates_nothing(&registry::small());
}

#[test]
fn no_query_allocates_where_all_has_come_as_changes() {
    allocates_nothing(&registry::small_of_changes());
}

fn allocates_nothing(view: &View) {
    let mut out = Answer::new();
    let queries = script::queries();
    assert!(queries.len() > 150);
    assert!(queries.iter().any(|asked| asked.tier != "public"));
    for script::Asked { config, tier, query } in queries {
        let settings: Settings = toml::from_str(&config).unwrap();
        let rules = Rules::compile(&settings).unwrap();
        let tier = rules.tier(&tier).unwrap();
        let allocations = measure(|| {
            answer(view, &rules, tier, &query, &mut out);
        });
        let shown = String::from_utf8_lossy(&query);
        assert_eq!(allocations.count_total, 0, "{shown:?}: {allocations:?}");
    }
}

#[test]
fn no_look_into_the_lists_allocates() {
    let text = "[[entry]]\nprefix = [\"192.0.2.0/24\", \"2001:db8::/32\", \"2001:db8::1\"]\n\
                action = \"deny\"\ntier = \"police\"\n";
    let entries = whoisd::policy::lists::parse("a.toml", text).unwrap();
    for files in [vec![], vec![entries]] {
        let lists = whoisd::policy::lists::Lists::new(files, &|_| true, 0).unwrap();
        for address in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "2001:db8::2", "::1"] {
            let address = address.parse().unwrap();
            let allocations = measure(|| {
                let standing = lists.standing(address);
                std::hint::black_box((standing.action(), standing.tier));
            });
            assert_eq!(allocations.count_total, 0, "{address}: {allocations:?}");
        }
    }
}

#[test]
fn no_text_beyond_ascii_allocates_whatever_its_length_and_marks() {
    let view = registry::small();
    let mut out = Answer::new();
    let rules = Rules::standard();
    for text in [
        "ü".repeat(300),
        format!("{}.demo", "例".repeat(59)),
        format!("{}demo", "ü.".repeat(7)),
        "ü.".repeat(120),
        "ü.".repeat(340),
        "\u{fdfa}".repeat(250),
        "\u{fdfb}\u{344}\u{344}\u{344}\u{344}\u{344}".repeat(70),
        "a\u{301}".repeat(300),
        format!("a{}", "\u{301}".repeat(400)),
        format!("a{}", "\u{301}\u{34f}".repeat(200)),
        format!("a{}", "\u{301}\u{3164}".repeat(150)),
        format!("a{}", "\u{f81}".repeat(300)),
        format!("\u{ff76}{}", "\u{ff9e}".repeat(300)),
        "\u{1100}\u{1161}\u{11a8}".repeat(100),
        "❤\u{fe0f}".repeat(150),
    ] {
        for keyword in ["", "domain ", "nameserver ", "registrar ", "contact ", "roid "] {
            for end in ["", ".demo", "%"] {
                let query = format!("{keyword}{text}{end}");
                let allocations = measure(|| {
                    answer(&view, &rules, Tier::PUBLIC, query.as_bytes(), &mut out);
                });
                assert_eq!(allocations.count_total, 0, "{query:?}: {allocations:?}");
            }
        }
    }
}

#[test]
fn the_counter_sees_an_allocation() {
    assert!(measure(|| drop(std::hint::black_box(Answer::new()))).count_total > 0);
}

#[test]
fn logging_a_query_allocates_nothing_whether_there_is_room_or_not() {
    let place = Place { core: None, shard_cores: &[], weight: Weight::Full };
    let settings = querylog::Settings { ring_bytes: 1, ..querylog::Settings::default() };
    let (mut recorders, writer) = querylog::start(&settings, 1, place).unwrap();
    let figures = writer.figures();
    writer.stop();
    let mut log = || {
        recorders[0].record(querylog::Entry {
            at_ms: 1,
            server: "[2001:db8::1]:43".parse().unwrap(),
            client: "192.0.2.7".parse().unwrap(),
            kind: "domain",
            outcome: "found",
            tier: "public",
            suffix: "example",
            name: b"a.example",
            bytes: 1_834,
            micros: 12,
            shard: 0,
            generation: 1,
        });
    };
    let info = measure(|| (0..1_000).for_each(|_| log()));
    assert_eq!(info.count_total, 0);
    let report = figures.report();
    assert!(report.shards[0].dropped > 900 && report.shards[0].waiting_bytes > 0, "{report:?}");
}

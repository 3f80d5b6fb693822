//! The answer to any line is whole: random bytes, mutated queries, records and lists
//! larger than an answer may be.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod registry;
mod script;

use snapshot_format::object::{
    Contact, ContactLink, ContactRole, Domain, HostLink, Nameserver, Postal, PostalKind,
};
use whoisd::bounds::breaks_lines;
use whoisd::policy::display::settings::Settings;
use whoisd::policy::{Rules, Tier};
use whoisd::query::whois::{ANSWER_BYTES_MAX, Answer, AnswerResult, Outcome, answer};
use whoisd::view::View;

/// A splitmix64 sequence: the seed replays the run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

fn assert_whole(out: &Answer, outcome: Outcome, query: &[u8]) {
    let shown = query.escape_ascii();
    let text = std::str::from_utf8(out.bytes()).unwrap_or_else(|_| panic!("{shown}: not UTF-8"));
    assert!(text.len() <= ANSWER_BYTES_MAX, "{shown}: {} bytes", text.len());
    assert!(text.ends_with("\r\n"), "{shown}: does not end in a line end");
    for line in text.split_terminator("\r\n") {
        assert!(!line.contains(breaks_lines), "{shown}: {line:?}");
        assert!(!line.ends_with(' '), "{shown}: {line:?}");
    }
    let last_updates = text.lines().filter(|line| line.starts_with(">>> ")).count();
    assert_eq!(last_updates, 1, "{shown}: {text}");
    assert!(text.ends_with("any time.\r\n"), "{shown}: the disclaimer is cut: {text}");
    let registered = text.lines().any(|line| line.starts_with("Domain Name:"));
    assert!(!registered || outcome.result == AnswerResult::Found, "{shown}: {text}");
    if let AnswerResult::Refused(refusal) = outcome.result {
        assert!(text.starts_with(&format!("%ERROR:{} ", refusal.code())), "{shown}: {text}");
    }
}

fn ask(view: &View, query: &[u8], out: &mut Answer) -> Outcome {
    let outcome = answer(view, &Rules::standard(), Tier::PUBLIC, query, out);
    assert_whole(out, outcome, query);
    outcome
}

#[test]
fn random_bytes_get_whole_answers() {
    let view = registry::small();
    let mut out = Answer::new();
    let mut random = Random(1);
    for _ in 0..20_000 {
        let length = random.below(64);
        let query: Vec<u8> = (0..length).map(|_| random.byte()).collect();
        ask(&view, &query, &mut out);
    }
}

#[test]
fn mutated_queries_get_whole_answers() {
    let view = registry::small();
    let mut out = Answer::new();
    let mut random = Random(2);
    let queries = script::queries();
    let pieces: &[&[u8]] = &[
        b"%",
        b"_",
        b"=",
        b"$",
        b" ",
        b"\t",
        b"-",
        b"-T ",
        b".",
        b"..",
        b"/e",
        b"xn--",
        b"\r\n",
        b"\0",
        b"\xff",
        "ü".as_bytes(),
        "\u{202e}".as_bytes(),
        "。".as_bytes(),
        b"::",
        b"1.2.3.4",
        b"registrar ",
        b"host ",
        b"contact ",
        b"roid ",
        b"full ",
        b"=",
        b"$",
        b"*",
        b"%_",
        b"/32",
        b"%eth0",
        b"[",
        b"]:53",
        b"http://",
        b"@",
        b"\"",
        b"domain=",
        "\u{201c}".as_bytes(),
        "\u{3000}".as_bytes(),
        "\u{ff05}".as_bytes(),
        "u\u{308}".as_bytes(),
        "\u{301}\u{301}\u{301}".as_bytes(),
        "\u{fdfa}".as_bytes(),
        b"demo",
        b"aaaaaaaaaaaaaaaaaaa",
    ];
    for _ in 0..30_000 {
        let query = &queries[random.below(queries.len())].query;
        let mut query = query.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(query.len() + 1);
            match random.below(3) {
                0 => {
                    query.splice(at..at, pieces[random.below(pieces.len())].iter().copied());
                }
                1 if at < query.len() => query[at] = random.byte(),
                _ if at < query.len() => {
                    query.remove(at);
                }
                _ => {}
            }
        }
        ask(&view, &query, &mut out);
    }
}

#[test]
fn every_byte_at_every_place_of_a_query_gets_a_whole_answer() {
    let view = registry::small();
    let mut out = Answer::new();
    let query = "domain münchen.demo\r\n".as_bytes();
    for place in 0..query.len() {
        for byte in 0..=255 {
            let mut query = query.to_vec();
            query[place] = byte;
            ask(&view, &query, &mut out);
        }
    }
}

fn big_nameservers(count: u32) -> Vec<Nameserver> {
    (0..count)
        .map(|number| Nameserver {
            name: format!("ns{number:05}.example.demo"),
            roid: format!("H{number}-DEMO"),
            v4: vec![[192, 0, 2, 1]],
            ..Nameserver::default()
        })
        .collect()
}

#[test]
fn a_list_that_does_not_fit_ends_with_a_whole_line_and_says_that_there_are_more() {
    let objects = registry::Objects {
        nameservers: big_nameservers(5000),
        suffixes: vec!["demo".to_owned()],
        ..registry::Objects::default()
    };
    let view = objects.view();
    let mut out = Answer::new();
    let outcome = ask(&view, b"192.0.2.1", &mut out);
    assert_eq!(outcome.result, AnswerResult::Listed);
    let text = std::str::from_utf8(out.bytes()).unwrap();
    assert!(text.len() > ANSWER_BYTES_MAX - 3000, "{}", text.len());
    assert!(text.contains(")\r\n% There are more names than this answer lists.\r\n>>> "), "{text}");

    let outcome = ask(&view, b"full host 192.0.2.1", &mut out);
    assert_eq!(outcome.result, AnswerResult::Found);
    let text = std::str::from_utf8(out.bytes()).unwrap();
    assert!(
        text.contains("\r\n% There are more records than this answer shows.\r\n>>> "),
        "{text}"
    );
    assert!(text.len() > ANSWER_BYTES_MAX - 3000, "{}", text.len());
}

fn huge_domain() -> View {
    let long = "x".repeat(1000);
    let contact = |id: &str| Contact {
        id: id.to_owned(),
        roid: format!("{id}-DEMO"),
        postal: vec![Postal {
            kind: PostalKind::Int,
            name: long.clone(),
            org: long.clone(),
            street: [long.clone(), long.clone(), long.clone()],
            city: long.clone(),
            sp: long.clone(),
            pc: long.clone(),
            cc: "GB".to_owned(),
        }],
        email: long.clone(),
        ..Contact::default()
    };
    let roles =
        [ContactRole::Registrant, ContactRole::Admin, ContactRole::Tech, ContactRole::Billing];
    let domain = |name: &str| Domain {
        name: name.to_owned(),
        roid: "D1-DEMO".to_owned(),
        contacts: roles.map(|role| ContactLink { role, id: "C1".to_owned() }).to_vec(),
        nameservers: (0..250)
            .map(|number| HostLink::Name(format!("ns{number:05}.example.demo")))
            .collect(),
        extras: (0..24).map(|number| (format!("Extra {number}"), long.clone())).collect(),
        ..Domain::default()
    };
    registry::Objects {
        contacts: vec![contact("C1")],
        nameservers: big_nameservers(250),
        domains: vec![domain("huge-one.demo"), domain("huge-two.demo")],
        suffixes: vec!["demo".to_owned()],
        ..registry::Objects::default()
    }
    .view()
}

#[test]
fn a_record_that_does_not_fit_loses_its_last_lines_and_says_so() {
    let view = huge_domain();
    let settings: Settings =
        toml::from_str("[defaults]\npreset = \"open\"\nextras = \"all\"").unwrap();
    let rules = Rules::compile(&settings).unwrap();
    let mut out = Answer::new();
    for query in ["huge-one.demo", "full huge-%"] {
        let outcome = answer(&view, &rules, Tier::PUBLIC, query.as_bytes(), &mut out);
        assert_whole(&out, outcome, query.as_bytes());
        let text = std::str::from_utf8(out.bytes()).unwrap();
        let note = "its last lines are left out.\r\nURL of the ICANN Whois Inaccuracy Complaint \
                    Form: https://www.icann.org/wicf/\r\n>>> ";
        assert!(text.contains(note), "{query}");
    }
    // A record that fits twice is shown twice.
    let outcome = ask(&view, b"full huge-%", &mut out);
    assert_eq!(outcome.result, AnswerResult::Found);
    let text = std::str::from_utf8(out.bytes()).unwrap();
    assert_eq!(text.matches("Domain Name: huge-").count(), 2);
}

#[test]
fn the_longest_texts_of_a_configuration_leave_room_for_the_record() {
    let text = |c: &str| c.repeat(whoisd::policy::display::settings::TEXT_BYTES_MAX / c.len());
    let config = format!(
        "[defaults]\npreset = \"open\"\nheader = {:?}\nfooter = {:?}\ndisclaimer = {:?}\n",
        text("h\n"),
        text("f\n"),
        text("d "),
    );
    let settings: Settings = toml::from_str(&config).unwrap();
    let rules = Rules::compile(&settings).unwrap();
    let view = registry::small();
    let mut out = Answer::new();
    answer(&view, &rules, Tier::PUBLIC, b"pool.demo", &mut out);
    let text = std::str::from_utf8(out.bytes()).unwrap();
    assert!(text.starts_with("h\r\n") && text.ends_with("f\r\n"));
    assert!(text.contains("Registrant Name: Alex Holder\r\n") && text.contains("wicf/\r\n>>> "));
}

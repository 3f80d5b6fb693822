//! Holds the conversations of `tests/conversations/*.txt` with the query module and compares every
//! byte. `WHOISD_BLESS=1 cargo test --test conversations` writes the answers: review the diff.
//!
//! A file has a title, then sections: `== config` (TOML, for what follows; the tier is the public
//! again), `== tier` (its name, for what follows), `== query` (one line of bytes) and
//! `== answer` (its lines; each ends in CRLF). In queries and answers `\r`, `\n`, `\\` and `\xHH`
//! are bytes that would not show.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod grammar;
mod registry;
mod script;

use std::fmt::Write as _;
use std::path::Path;

use whoisd::policy::display::settings::Settings;
use whoisd::policy::{Rules, Tier};
use whoisd::query::whois::{Answer, answer};
use whoisd::view::View;

use script::{files, sections, unescape};

/// An answer as the files show it.
fn shown(answer: &[u8]) -> String {
    let text = std::str::from_utf8(answer).expect("an answer is UTF-8");
    let mut shown = String::new();
    for line in text.split_inclusive("\r\n") {
        let (line, end) = match line.strip_suffix("\r\n") {
            Some(line) => (line, "\n"),
            None => (line, "\\\n"),
        };
        for c in line.chars() {
            match c {
                '\\' => shown.push_str("\\\\"),
                c if whoisd::bounds::breaks_lines(c) => {
                    let mut bytes = [0; 4];
                    for byte in c.encode_utf8(&mut bytes).bytes() {
                        write!(shown, "\\x{byte:02x}").unwrap();
                    }
                }
                c => shown.push(c),
            }
        }
        shown.push_str(end);
    }
    shown
}

/// Holds one conversation; returns the file with the answers as they are now.
fn hold(path: &Path, file: &str, view: &View, out: &mut Answer) -> String {
    let (mut rules, mut tier) = (Rules::standard(), Tier::PUBLIC);
    let mut now = String::new();
    for section in sections(file) {
        match section.name.as_str() {
            "title" => now.push_str(&section.text),
            "config" => {
                let settings: Settings = toml::from_str(&section.text).unwrap();
                rules = Rules::compile(&settings).unwrap();
                tier = Tier::PUBLIC;
                write!(now, "== config\n{}", section.text).unwrap();
            }
            "tier" => {
                let name = section.text.trim();
                tier = rules.tier(name).unwrap_or_else(|| panic!("no tier {name}"));
                write!(now, "== tier\n{}", section.text).unwrap();
            }
            "query" => {
                let query = unescape(section.text.trim_end_matches('\n'));
                answer(view, &rules, tier, &query, out);
                let text = shown(out.bytes());
                if text.starts_with("Domain Name:") {
                    let bytes = std::str::from_utf8(out.bytes()).unwrap();
                    if let Err(problem) = grammar::check(bytes) {
                        panic!("{}: {}: {problem}", path.display(), section.text);
                    }
                }
                write!(now, "== query\n{}== answer\n{text}", section.text).unwrap();
            }
            "answer" => {}
            other => panic!("{}: unknown section {other}", path.display()),
        }
    }
    now
}

#[test]
fn every_conversation_goes_as_it_is_written_down() {
    hold_all(&registry::small(), std::env::var_os("WHOISD_BLESS").is_some());
}

#[test]
fn every_conversation_goes_the_same_where_all_has_come_as_changes() {
    hold_all(&registry::small_of_changes(), false);
}

fn hold_all(view: &View, bless: bool) {
    let mut out = Answer::new();
    script::hold_all(files(), bless, |path, file| hold(path, file, view, &mut out));
}

#[test]
fn the_grammar_check_sees_what_is_out_of_order() {
    let view = registry::small();
    let mut out = Answer::new();
    answer(&view, &Rules::standard(), Tier::PUBLIC, b"example.demo", &mut out);
    let whole = String::from_utf8(out.bytes().to_vec()).unwrap();
    grammar::check(&whole).unwrap();
    let swapped = whole.replace("Creation Date", "X").replace("Updated Date", "Creation Date");
    assert!(grammar::check(&swapped).is_err());
    for broken in [
        whole.replace("DNSSEC: unsigned\r\n", ""),
        whole.replace("\r\n", "\n"),
        whole.replace("Registrar URL: ", "Registrar URL:  \t"),
        whole.replace("2020-01-01T00:00:00Z", "2020-01-01"),
        whole.replace("wicf/", "wicf"),
        whole.replace(" <<<", ""),
        whole.replace("icann.org/epp#", "icann.org/#"),
    ] {
        assert_ne!(broken, whole);
        assert!(grammar::check(&broken).is_err(), "{broken}");
    }
}

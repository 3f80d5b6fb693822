//! Names that are there in part: suffixes, names between them, patterns, hosts with underscores.

use std::io::Cursor;
use std::rc::Rc;

use snapshot_format::object::{Domain, Nameserver, Nndn};
use snapshot_format::record::Meta;
use snapshot_format::sort::MemoryScratch;
use snapshot_format::{Builder, Options};

use super::{Answer, QueryKind, answer};
use crate::policy::{Rules, Tier};
use crate::view::View;

/// A registry of these names, typed in Unicode.
fn registry(suffixes: &[&str], hosts: &[&str], kept_back: &[&str], domains: &[&str]) -> View {
    let keys = |names: &[&str]| {
        let mut keys: Vec<String> =
            names.iter().map(|name| idna::domain_to_ascii(name).unwrap()).collect();
        keys.sort();
        keys
    };
    let out = Cursor::new(Vec::new());
    let mut builder = Builder::new(out, Rc::new(MemoryScratch), Options::default()).unwrap();
    for name in keys(hosts) {
        let host = Nameserver { name, ..Nameserver::default() };
        builder.nameserver(&host, &mut |_defect| {}).unwrap();
    }
    for name in keys(kept_back) {
        builder.nndn(&Nndn { name, ..Nndn::default() }, &mut |_defect| {}).unwrap();
    }
    for name in keys(domains) {
        builder.domain(&Domain { name, ..Domain::default() }, &mut |_defect| {}).unwrap();
    }
    let meta = Meta { suffixes: keys(suffixes), ..Meta::default() };
    let (out, _) = builder.finish(&meta, &mut |_name, _defect| {}).unwrap();
    View::of_bytes(out.into_inner()).unwrap()
}

fn ask(view: &View, line: &str) -> (QueryKind, String) {
    let mut out = Answer::new();
    let outcome = answer(view, &Rules::standard(), Tier::PUBLIC, line.as_bytes(), &mut out);
    (outcome.kind, String::from_utf8(out.bytes().to_vec()).unwrap())
}

fn text(view: &View, line: &str) -> String {
    ask(view, line).1
}

const FREE: &str = "No Data Found\r\n% Domain not found.\r\n";
const NO_HOST: &str = "No Data Found\r\n% Name server not found.\r\n";
const SUFFIX: &str = "%ERROR:TLD this server does not answer for that suffix";

#[test]
fn a_name_above_a_suffix_is_not_free_and_one_between_a_suffix_and_a_name_is() {
    let view = registry(&["trip", "x.co.trip"], &[], &["kept.trip"], &["mail.free.trip"]);
    for line in ["co.trip", "domain CO.trip.", "nameserver co.trip"] {
        let answer = text(&view, line);
        assert!(answer.starts_with("%ERROR:TLD suffixes of this server lie below"), "{answer}");
        assert!(answer.contains("Quota exceeded"), "{answer}");
    }
    for line in ["free.trip", "foo.co.trip", "foo.x.co.trip", "cco.trip"] {
        assert!(text(&view, line).starts_with(FREE), "{line}");
    }
    let only = registry(&["x.co.only"], &[], &[], &[]);
    assert!(text(&only, "only").starts_with("%ERROR:TLD suffixes of this server lie below"));
}

#[test]
fn a_pattern_beyond_ascii_finds_names_wherever_its_characters_stand() {
    let domains = ["example.中国", "examples.例.中国", "exampleü.中国", "münchen.中国"];
    let view = registry(&["中国"], &["ns1.host.例.中国", "ns1.hü.中国"], &[], &domains);
    for (pattern, count) in [
        ("exampl%国", 3),
        ("exampl%中国", 3),
        ("exampl%.中国", 3),
        ("example_中国", 1),
        ("example_.中国", 1),
        ("exampl%例%", 1),
        ("exampleü%", 1),
        ("münch%国", 1),
        ("münchen.%国", 1),
        ("nameserver ns1.h%例%", 1),
        ("nameserver ns1.h%国", 2),
        ("ns1.h%国", 2),
    ] {
        let answer = text(&view, &pattern.replace("exampl", "$exampl").replace("münch", "$münch"));
        assert_eq!(answer.matches(".xn--fiqs8s").count(), count, "{pattern}: {answer}");
    }
}

#[test]
fn a_pattern_without_a_keyword_finds_nameservers_where_no_domain_matches() {
    let hosts = ["longprefix1.foreign.net", "longprefix2.foreign.net", "ns1.example.demo"];
    let view = registry(&["demo"], &hosts, &[], &["example.demo", "longname.demo"]);
    let (kind, answer) = ask(&view, "longprefix%.net");
    assert_eq!(kind, QueryKind::NameserverPattern);
    assert!(answer.starts_with("Query matched more than one name server:\r\n"), "{answer}");
    assert!(text(&view, "ns1.exampl%").starts_with("Server Name: ns1.example.demo\r\n"));
    let (kind, answer) = ask(&view, "longn%");
    assert_eq!(kind, QueryKind::DomainPattern);
    assert!(answer.starts_with("Domain Name: longname.demo\r\n"), "{answer}");
    // A keyword means what it says.
    assert!(text(&view, "domain ns1.exampl%").starts_with(FREE));
}

#[test]
fn a_pattern_of_names_that_are_not_served_says_so_as_their_names_do() {
    let view = registry(&["demo", "x.co.trip"], &[], &[], &["example.demo"]);
    for line in ["exampl%.net", "domain exampl_.NET.", "exampl%a.co.net", "exampl＊。net"] {
        assert!(text(&view, line).starts_with(SUFFIX), "{line}");
    }
    for line in ["exampl%x.demo", "exampl%x", "exampl%net", "exampl%.co.trip"] {
        assert!(text(&view, line).starts_with(FREE), "{line}");
    }
    assert!(text(&view, "nameserver exampl%.net").starts_with(NO_HOST));
    assert!(text(&registry(&[], &[], &[], &[]), "exampl%.net").starts_with(FREE));
}

#[test]
fn a_missing_host_with_an_underscore_is_no_pattern_below_a_domain_or_in_another_zone() {
    let view = registry(&["demo"], &["ns_1.example.demo"], &[], &["example.demo"]);
    for line in ["nameserver ns_2.example.demo", "host NS_2.example.demo.", "ns ns＿2.example.demo"]
    {
        let answer = text(&view, line);
        assert!(answer.starts_with(NO_HOST), "{line}: {answer}");
    }
    assert!(text(&view, "nameserver ns_9.other.net").starts_with(NO_HOST));
    for line in ["domain ns_x.other.net", "ns_x.other.net"] {
        assert!(text(&view, line).starts_with(SUFFIX), "{line}");
    }
    for line in ["nameserver ns_2.free.demo", "ns_2.demo", "exam_", "ns%.other.net"] {
        assert!(text(&view, line).starts_with("%ERROR:WILDCARD "), "{line}");
    }
}

#[test]
fn a_line_that_was_not_understood_and_may_name_a_domain_leaves_it_open() {
    let view = registry(&["demo"], &[], &[], &["example.demo"]);
    let long = format!("example.demo{}", " ".repeat(1100));
    for line in [
        "example.demo\u{1a}",
        "example.demo\0",
        "example.demo -r",
        "example.demo,ns1.example.demo",
        "-T example.demo",
        "domain",
        &long,
    ] {
        let answer = text(&view, line);
        assert!(answer.starts_with("%ERROR:"), "{answer}");
        assert!(answer.contains("treat it as you would \"Quota exceeded\""), "{line:?}: {answer}");
    }
}

//! Names that are there in part: suffixes, names between them, patterns, hosts with underscores.

use std::io::Cursor;
use std::rc::Rc;

use snapshot_format::object::{Domain, Nameserver, Nndn};
use snapshot_format::record::Meta;
use snapshot_format::sort::MemoryScratch;
use snapshot_format::{Builder, Options};

use super::{Answer, answer};
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

fn text(view: &View, line: &str) -> String {
    let mut out = Answer::new();
    answer(view, &Rules::standard(), Tier::PUBLIC, line.as_bytes(), &mut out);
    String::from_utf8(out.bytes().to_vec()).unwrap()
}

const FREE: &str = "No Data Found\r\n% Domain not found.\r\n";

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

//! Several TLDs in one directory: a deposit of one of them may not harm another.

use snapshot_format::key::RegistrarKey;
use snapshot_format::record::ContactField;
use whoisd::view::View;

use crate::standing::{Site, has, of_tld};
use crate::support::{HEAD, HEADER, OBJECTS, TAIL, good};

/// Codes of the rules that this file tests.
pub(crate) const CODES: &[&str] = &["delete-shared", "name-of-another-tld", "rcdn-of-another-tld"];

/// A directory with test and demo: contact C1, registrar R1, table pt and ns.other.example are of
/// both.
fn both() -> Site {
    let site = Site::new();
    let demo = of_tld("demo").replace(">H2-DEMO<", ">H2-TEST<");
    let (test, demo) = (site.file("t.xml", &good()), site.file("d.xml", &demo));
    site.taken(&[&test, &demo], &["--strict"]);
    site
}

/// The next differential deposit of demo.
fn next_of_demo(deletes: &str, contents: &str) -> String {
    let head = HEAD
        .replace("type=\"FULL\" id=\"20261101001\"", "type=\"DIFF\" id=\"demo2\" prevId=\"demo\"")
        .replace("2026-11-01T", "2026-11-02T")
        .replace("<rde:contents>", &format!("<rde:deletes>{deletes}</rde:deletes><rde:contents>"));
    [&head, &HEADER.replace(">test<", ">demo<"), contents, TAIL].concat()
}

fn delete(prefix: &str, key: &str, value: &str) -> String {
    format!("<{prefix}:delete><{prefix}:{key}>{value}</{prefix}:{key}></{prefix}:delete>")
}

/// Rules of a report, sorted.
fn rules(site: &Site) -> Vec<String> {
    let lines = std::fs::read_to_string(site.path().join("r.jsonl")).unwrap();
    let rule = |line: &str| {
        let finding: serde_json::Value = serde_json::from_str(line).unwrap();
        finding["rule"].as_str().unwrap().to_owned()
    };
    let mut rules: Vec<String> = lines.lines().map(rule).collect();
    rules.retain(|rule| !rule.starts_with("count-") && rule != "menu-mismatch");
    rules.sort();
    rules
}

/// The objects of test that a deposit of demo could harm.
fn of_test(view: &View) -> String {
    let data = view.data();
    let domain = data.find_domain("a.test").unwrap().unwrap();
    let registrar = data.find_registrars(RegistrarKey::Id("R1")).next().transpose().unwrap();
    let contact = data.find_contacts("C1").next().transpose().unwrap();
    let host = |name: &str| data.find_nameserver(name).unwrap().is_some();
    format!(
        "{} {:?} {:?} {} {} {} {}",
        domain.created_ms.to_native(),
        registrar.map(|registrar| registrar.name.as_str().to_owned()),
        contact.map(|contact| contact.field(ContactField::Name).to_owned()),
        host("ns1.a.test"),
        host("ns.other.example"),
        data.find_idn_table("pt").unwrap().is_some(),
        data.find_nndn("reserved.test").unwrap().is_some(),
    )
}

/// A domain of the good deposit, created at another time.
fn domain() -> String {
    let (start, end) = ("<rdeDomain:domain>", "</rdeDomain:domain>");
    let from = OBJECTS.find(start).unwrap();
    let to = OBJECTS.find(end).unwrap() + end.len();
    OBJECTS[from..to].replace("2010-01-01", "2011-01-01")
}

#[test]
fn changes_of_one_tld_leave_alone_what_another_one_has_or_refers_to() {
    let site = both();
    let before = of_test(&site.view());
    let deletes = [
        delete("rdeDomain", "name", "a.test"),
        delete("rdeNNDN", "aName", "reserved.test"),
        delete("rdeRegistrar", "id", "R1"),
        delete("rdeContact", "id", "C1"),
        delete("rdeHost", "name", "ns1.a.test"),
        delete("rdeHost", "roid", "H2-TEST"),
        delete("rdeIDN", "id", "pt"),
    ];
    let own = delete("rdeHost", "name", "ns1.a.demo");
    let text = next_of_demo(&(deletes.concat() + &own), &domain());
    let diff = site.file("diff.xml", &text);
    let said = site.refused(&[&diff], &["--strict"]);
    assert!(said.contains("[delete-shared, ") && said.contains("[name-of-another-tld, "), "{said}");
    let view = site.taken(&[&diff], &["--report", "r.jsonl"]);
    assert_eq!(of_test(&view), before);
    assert_eq!(view.data().find_nameserver("ns1.a.demo").unwrap().map(|_| ()), None);
    let shared = ["delete-shared"; 5].into_iter();
    assert_eq!(rules(&site), shared.chain(["name-of-another-tld"; 3]).collect::<Vec<_>>());
    // Objects that no other TLD refers to go, and a name of none of the TLDs is this deposit's.
    let alone = Site::new();
    let demo = alone.file("d.xml", &of_tld("demo"));
    alone.taken(&[&demo], &[]);
    let elsewhere = domain().replace(">a.test<", ">a.shop<");
    let text = next_of_demo(&delete("rdeContact", "id", "C1"), &elsewhere);
    let diff = alone.file("diff.xml", &text);
    let view = alone.taken(&[&diff], &["--report", "r.jsonl"]);
    assert!(has(&view, "a.shop") && view.data().find_contacts("C1").next().is_none());
    let found = rules(&alone);
    assert!(found.iter().any(|rule| rule == "name-outside"), "{found:?}");
    assert!(!found.iter().any(|rule| rule == "delete-shared"), "{found:?}");
}

#[test]
fn changes_without_a_tld_are_of_the_tld_that_they_follow() {
    let site = both();
    let before = of_test(&site.view());
    let deletes = delete("rdeDomain", "name", "a.test") + &delete("rdeContact", "id", "C1");
    let text = next_of_demo(&deletes, &domain());
    let tld = "<rdeHeader:tld>demo</rdeHeader:tld>";
    assert!(text.contains(tld));
    let registrar = "<rdeHeader:registrar>1</rdeHeader:registrar>";
    let diff = site.file("diff.xml", &text.replace(tld, registrar));
    assert_eq!(of_test(&site.taken(&[&diff], &[])), before);
}

#[test]
fn a_host_that_got_another_name_takes_none_from_another_tld() {
    let site = both();
    let host = "<rdeHost:host><rdeHost:name>ns9.a.demo</rdeHost:name><rdeHost:roid>H1-TEST\
        </rdeHost:roid><rdeHost:status s=\"ok\"/><rdeHost:addr>192.0.2.7</rdeHost:addr>\
        <rdeHost:clID>R1</rdeHost:clID></rdeHost:host>";
    let diff = site.file("diff.xml", &next_of_demo("", host));
    let before = of_test(&site.view());
    assert_eq!(of_test(&site.taken(&[&diff], &[])), before);
}

#[test]
fn a_full_deposit_says_nothing_of_names_of_another_tld() {
    let site = both();
    let before = of_test(&site.view());
    let newer = of_tld("demo").replace("id=\"demo\"", "id=\"demo2\"");
    let newer = newer.replace("2026-11-01T", "2026-11-08T");
    let nndn = "<rdeNNDN:NNDN><rdeNNDN:aName>b.test</rdeNNDN:aName>\
        <rdeNNDN:nameState>blocked</rdeNNDN:nameState></rdeNNDN:NNDN>";
    let more = format!("{}{nndn}</rde:contents>", domain());
    let newer = newer.replace("</rde:contents>", &more);
    // Beside what is there, and beside another deposit of the same import.
    for files in [&["d.xml"][..], &["d.xml", "t.xml"], &["t.xml", "d.xml"]] {
        site.file("d.xml", &newer);
        let view = site.taken(files, &["--report", "r.jsonl", "--allow", "older"]);
        assert_eq!(of_test(&view), before, "{files:?}");
        assert!(view.data().find_nndn("b.test").unwrap().is_none());
        assert!(has(&view, "a.demo"));
        assert_eq!(rules(&site)[..2], ["name-of-another-tld"; 2], "{files:?}");
        snapshot_format::verify::verify(view.base(), &mut |_, _| {}).unwrap();
    }
    // With a TLD within a TLD, the name belongs to the longer one.
    let inner = Site::new();
    let of_inner = of_tld("co.test").replace("id=\"co.test\"", "id=\"co\"");
    let of_inner = of_inner.replace("-CO.TEST", "-CO");
    let (outer, within) = (inner.file("o.xml", &good()), inner.file("i.xml", &of_inner));
    inner.taken(&[&outer, &within], &[]);
    let text = good().replace("</rde:contents>", &format!("{}</rde:contents>", domain()));
    let text = text.replace("2026-11-01T", "2026-11-08T");
    let at = text.rfind(">a.test<").unwrap();
    let text = [&text[..at], ">a.co.test<", &text[at + ">a.test<".len()..]].concat();
    let outer = inner.file("o.xml", &text.replace("20261101001", "20261108001"));
    let view = inner.taken(&[&outer], &[]);
    let created = view.data().find_domain("a.co.test").unwrap().unwrap().created_ms.to_native();
    assert_eq!(created, 1_262_304_000_000, "of 2010, as its own deposit says");
}

/// A deposit whose header counts the domains of another zone as well.
fn with_rcdn(text: &str, rcdn: &str) -> String {
    let count = format!(
        "<rdeHeader:count uri=\"urn:ietf:params:xml:ns:rdeDomain-1.0\" rcdn=\"{rcdn}\">0\
         </rdeHeader:count></rdeHeader:header>"
    );
    text.replace("</rdeHeader:header>", &count)
}

fn tlds(view: &View) -> Vec<&str> {
    view.state().deposits.iter().map(|mark| &*mark.tld).collect()
}

/// The next full deposit of demo, a week later.
fn full_of_demo() -> String {
    let text = of_tld("demo").replace("id=\"demo\"", "id=\"demo2\"");
    text.replace("2026-11-01T", "2026-11-08T").replace(">H2-DEMO<", ">H2-TEST<")
}

#[test]
fn no_rcdn_replaces_a_tld_that_has_a_deposit_of_its_own_unless_an_option_says_so() {
    let site = both();
    let before = of_test(&site.view());
    for rcdn in ["test", ".test", "co.test"] {
        let full = site.file("d.xml", &with_rcdn(&full_of_demo(), rcdn));
        let said = site.refused(&[&full], &[]);
        let zone = rcdn.trim_start_matches('.');
        assert!(said.contains(&format!("its header names {zone} (rcdn)")), "{said}");
        assert!(said.contains("a deposit of their own here, 20261101001"), "{said}");
        let allow = if rcdn == "co.test" { "--allow rcdn\n" } else { "--allow rcdn,empty\n" };
        assert!(said.contains(allow), "each TLD is weighed by itself: {said}");
    }
    // A zone of none of the TLDs, and one below its own, are the deposit's.
    let full = with_rcdn(&with_rcdn(&full_of_demo(), "shop"), "co.demo");
    let full = site.file("d.xml", &full);
    let view = site.taken(&[&full], &[]);
    assert_eq!((of_test(&view), tlds(&view)), (before, vec!["test", "demo"]));
    // An older one is older than each deposit that it replaces.
    let older = with_rcdn(&of_tld("demo"), "test").replace("2026-11-01T", "2026-10-31T");
    let older = older.replace("id=\"demo\"", "id=\"demo3\"");
    let older = site.file("d.xml", &older);
    let said = site.refused(&[&older], &["--allow", "rcdn,empty"]);
    assert!(said.contains("its data of test are of 2026-10-31T"), "{said}");
    assert!(said.contains("its data of demo are of 2026-10-31T"), "{said}");
    let view = site.taken(&[&older], &["--allow", "rcdn,empty,older"]);
    assert!(!has(&view, "a.test") && has(&view, "a.demo"));
    assert_eq!(tlds(&view), ["demo"]);
}

#[test]
fn a_tld_within_a_tld_does_not_hide_that_the_outer_one_is_gone() {
    let site = Site::new();
    let inner = of_tld("co.demo").replace("id=\"co.demo\"", "id=\"co\"").replace("-CO.DEMO", "-CO");
    let outer = of_tld("demo").replace("2026-11-01T", "2026-11-08T");
    let (outer, inner) = (site.file("o.xml", &outer), site.file("i.xml", &inner));
    site.taken(&[&outer, &inner], &[]);
    let domains = |text: &str| {
        let (start, end) = ("<rdeDomain:domain>", "</rdeDomain:domain>");
        let (from, to) = (text.find(start).unwrap(), text.rfind(end).unwrap() + end.len());
        [&text[..from], &text[to..]].concat()
    };
    let empty = site.file("o.xml", &domains(&full_of_demo()));
    let said = site.refused(&[&empty], &[]);
    assert!(said.contains("no domains, the directory has 2") && said.contains("--allow empty\n"));
    // The outer one's names of a zone are as old as the outer one.
    let text = of_tld("net.demo").replace("id=\"net.demo\"", "id=\"net\"");
    let added = site.file("n.xml", &text.replace("-NET.DEMO", "-NET"));
    site.taken(&[&added], &["--add"]);
    assert!(has(&site.view(), "a.net.demo"));
    let one = domain().replace(">a.test<", ">a.org.demo<");
    let with_org = full_of_demo().replace("</rde:contents>", &(one + "</rde:contents>"));
    let full = site.file("o.xml", &with_rcdn(&with_org, "org.demo"));
    site.taken(&[&full], &[]);
    let text = of_tld("org.demo").replace("id=\"org.demo\"", "id=\"org\"");
    let added = site.file("r.xml", &text.replace("-ORG.DEMO", "-ORG"));
    let said = site.refused(&[&added], &["--add"]);
    assert!(said.contains("those here are of 2026-11-08T") && said.contains("older\n"), "{said}");
}

#[test]
fn of_deposits_that_come_together_each_speaks_for_its_own_tld() {
    let site = both();
    let before = of_test(&site.view());
    let more = format!("{}</rde:contents>", domain());
    let demo = with_rcdn(&full_of_demo().replace("</rde:contents>", &more), "test");
    site.file("d.xml", &demo);
    for files in [["d.xml", "t.xml"], ["t.xml", "d.xml"]] {
        let view = site.taken(&files, &["--report", "r.jsonl"]);
        assert_eq!(of_test(&view), before, "{files:?}");
        assert_eq!(tlds(&view).len(), 2);
        let found = rules(&site);
        let expected = ["name-of-another-tld", "rcdn-of-another-tld"];
        assert!(expected.iter().all(|rule| found.iter().any(|one| one == rule)), "{found:?}");
    }
}

#[test]
fn no_rcdn_changes_a_tld_that_has_a_deposit_of_its_own() {
    for apply in [false, true] {
        let site = both();
        let before = of_test(&site.view());
        let deletes = [
            delete("rdeDomain", "name", "a.test"),
            delete("rdeDomain", "name", "a.demo"),
            delete("rdeNNDN", "aName", "reserved.test"),
            delete("rdeContact", "id", "C1"),
        ];
        let text = with_rcdn(&next_of_demo(&deletes.concat(), &domain()), "test");
        let diff = site.file("diff.xml", &text);
        if apply {
            let done = site.run(&["apply", &diff, "--dir", "s", "--report", "r.jsonl"]);
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        } else {
            site.taken(&[&diff], &["--report", "r.jsonl"]);
        }
        let view = site.view();
        assert_eq!(of_test(&view), before);
        assert!(!has(&view, "a.demo"));
        let found = rules(&site);
        let names = ["name-of-another-tld"; 3].into_iter();
        let expected = ["delete-shared"].into_iter().chain(names).chain(["rcdn-of-another-tld"]);
        assert_eq!(found, expected.collect::<Vec<_>>());
    }
}

#[test]
fn counts_of_changes_are_not_those_of_a_tld_within() {
    let site = Site::new();
    let inner = of_tld("co.demo").replace("id=\"co.demo\"", "id=\"co\"").replace("-CO.DEMO", "-CO");
    let (outer, inner) = (site.file("o.xml", &of_tld("demo")), site.file("i.xml", &inner));
    site.taken(&[&outer, &inner], &["--strict"]);
    let diff = site.file("diff.xml", &next_of_demo("", ""));
    site.taken(&[&diff], &["--report", "r.jsonl"]);
    let lines = std::fs::read_to_string(site.path().join("r.jsonl")).unwrap();
    assert!(!lines.contains("count-wrong"), "{lines}");
}

//! Every finding rule has a deposit that triggers it, and it alone unless the table says more.

use snapshot_format::{Change, Object};
use whoisd::feed::{Body, ChangeRecord};
use whoisd::import::{ImportError, Options, Reason};
use whoisd::vet::RULES;

use crate::changes::{Read, read, read_files};
use crate::csv_model;
use crate::registry::Registry;
use crate::support::{Outcome, good, import, import_with, options, spoiled};

const DOMAIN_END: &str = "</rdeDomain:domain>";
const OK: &str = "<rdeDomain:status s=\"ok\"/>";

/// Rules that a spoiled deposit breaks; a text; its replacement.
const XML_CASES: &[(&[&str], &str, &str)] = &[
    (&["count-wrong"], "rdeDomain-1.0\">2<", "rdeDomain-1.0\">3<"),
    (&["count-unreadable"], "rdeDomain-1.0\">2<", "rdeDomain-1.0\">two<"),
    (
        &["count-missing", "menu-mismatch"],
        "<rdeHeader:count uri=\"urn:ietf:params:xml:ns:rdeNNDN-1.0\">1</rdeHeader:count>",
        "",
    ),
    (&["menu-mismatch"], "<rde:objURI>urn:ietf:params:xml:ns:rdeNNDN-1.0</rde:objURI>", ""),
    (
        &["header-repository"],
        "<rdeHeader:tld>test</rdeHeader:tld>",
        "<rdeHeader:registrar>1</rdeHeader:registrar>",
    ),
    (&["header-tld"], "<rdeHeader:tld>test<", "<rdeHeader:tld>.test<"),
    (
        &["header-tld", "count-wrong"],
        "</rdeHeader:header>",
        "<rdeHeader:count uri=\"urn:ietf:params:xml:ns:rdeDomain-1.0\" rcdn=\".co.test\">1</rdeHeader:count></rdeHeader:header>",
    ),
    (&["watermark-future"], "2026-11-01T00:00:00Z<", "2026-12-01T00:00:00Z<"),
    (&["deposit-id"], "id=\"20261101001\"", "id=\"2026-11-01-001-x\""),
    (&["deletes-in-full"], "<rde:contents>", "<rde:deletes/><rde:contents>"),
    (&["element-unknown"], DOMAIN_END, "<rdeDomain:color>red</rdeDomain:color></rdeDomain:domain>"),
    (&["element-unknown"], ">C1</rdeDomain:registrant>", "><domain:b/>C1</rdeDomain:registrant>"),
    (&["element-repeated"], DOMAIN_END, "<rdeDomain:clID>R1</rdeDomain:clID></rdeDomain:domain>"),
    (&["object-unknown"], "<rdeNNDN:NNDN>", "<ext:thing/><ext:thing/><rdeNNDN:NNDN>"),
    (
        &["policy-unknown"],
        "<rdeNNDN:NNDN>",
        "<rdePolicy:policy scope=\"//x\" element=\"y\"/><rdeNNDN:NNDN>",
    ),
    (
        &["policy-broken"],
        "<rdeNNDN:NNDN>",
        "<rdePolicy:policy scope=\"//rde:deposit/rde:contents/rdeContact:contact\" element=\"rdeContact:fax\"/><rdeNNDN:NNDN>",
    ),
    (&["key-unusable"], ">reserved.test<", ">reserved..test<"),
    (&["key-unusable", "contact-dangling"], "<rdeContact:id>C1</rdeContact:id>", ""),
    (&["name-not-a-label"], ">xn--bcher-kva.test<", ">bücher.test<"),
    (&["name-outside"], ">reserved.test<", ">reserved.example<"),
    (&["a-label-invalid"], ">xn--bcher-kva.test<", ">xn--a.test<"),
    (
        &["u-name-mismatch"],
        "<rdeDomain:idnTableId>pt",
        "<rdeDomain:uName>bucher.test</rdeDomain:uName><rdeDomain:idnTableId>pt",
    ),
    (
        &["original-name"],
        DOMAIN_END,
        "<rdeDomain:originalName>..</rdeDomain:originalName></rdeDomain:domain>",
    ),
    (&["idn-table-missing"], "<rdeDomain:idnTableId>pt</rdeDomain:idnTableId>", ""),
    (&["roid-missing"], "<rdeDomain:roid>D1-TEST</rdeDomain:roid>", ""),
    (&["roid-syntax"], ">D1-TEST<", ">D1<"),
    (&["roid-repeated"], ">D2-TEST<", ">D1-TEST<"),
    (&["contact-dangling"], ">C1</rdeDomain:registrant>", ">C2</rdeDomain:registrant>"),
    (&["nameserver-dangling"], "<domain:hostObj>ns1.a.test", "<domain:hostObj>ns2.a.test"),
    (&["registrar-dangling"], ">R1</rdeDomain:clID>", ">R2</rdeDomain:clID>"),
    (&["idn-table-dangling"], "<rdeDomain:idnTableId>pt<", "<rdeDomain:idnTableId>de<"),
    (
        &["reference"],
        DOMAIN_END,
        "<rdeDomain:originalName>none.test</rdeDomain:originalName></rdeDomain:domain>",
    ),
    (&["nndn-is-domain"], ">reserved.test<", ">a.test<"),
    (&["sponsor-missing"], "<rdeDomain:clID>R1</rdeDomain:clID>", ""),
    (&["status-missing"], OK, ""),
    (&["status-missing", "status-unknown"], OK, "<rdeDomain:status s=\"fine\"/>"),
    (&["status-ok"], OK, "<rdeDomain:status s=\"ok\"/><rdeDomain:status s=\"clientHold\"/>"),
    (
        &["status-inactive"],
        OK,
        "<rdeDomain:status s=\"clientHold\"/><rdeDomain:status s=\"inactive\"/>",
    ),
    (&["status-not-inactive"], "s=\"inactive\"", "s=\"ok\""),
    (
        &["status-pending"],
        OK,
        "<rdeDomain:status s=\"pendingUpdate\"/><rdeDomain:status s=\"pendingRenew\"/>",
    ),
    (
        &["status-prohibited"],
        OK,
        "<rdeDomain:status s=\"pendingDelete\"/><rdeDomain:status s=\"serverDeleteProhibited\"/>",
    ),
    (
        &["status-grace"],
        OK,
        "<rdeDomain:status s=\"ok\"/><rdeDomain:rgpStatus s=\"redemptionPeriod\"/>",
    ),
    (&["time-bad", "time-missing"], "2030-01-01T00:00:00.0Z<", "2030-02-30T00:00:00.0Z<"),
    (&["time-beyond"], "2030-01-01T00:00:00.0Z<", "12030-01-01T00:00:00.0Z<"),
    (&["time-without-zone"], "2030-01-01T00:00:00.0Z<", "2030-01-01T00:00:00<"),
    (&["time-missing"], "<rdeDomain:exDate>2030-01-01T00:00:00.0Z</rdeDomain:exDate>", ""),
    (&["created-after-watermark"], "2010-01-01T00:00:00.0Z<", "2026-11-02T00:00:00.0Z<"),
    (&["expired-at-watermark"], "2030-01-01T00:00:00.0Z<", "2026-01-01T00:00:00.0Z<"),
    (&["ds-bad"], ">00FF<", ">00F<"),
    (
        &["secdns-empty"],
        "<secDNS:dsData><secDNS:keyTag>1</secDNS:keyTag><secDNS:alg>8</secDNS:alg>\n<secDNS:digestType>2</secDNS:digestType><secDNS:digest>00FF</secDNS:digest></secDNS:dsData>",
        "",
    ),
    (
        &["key-data-bad"],
        "</rdeDomain:secDNS>",
        "<secDNS:keyData><secDNS:flags>257</secDNS:flags><secDNS:protocol>3</secDNS:protocol><secDNS:alg>8</secDNS:alg><secDNS:pubKey>?</secDNS:pubKey></secDNS:keyData></rdeDomain:secDNS>",
    ),
    (&["address-bad"], ">192.0.2.1<", ">192.0.2.256<"),
    (&["address-version"], "ip=\"v4\">192.0.2.1<", "ip=\"v4\">2001:db8::7<"),
    (
        &["glue-missing"],
        "<rdeHost:addr ip=\"v4\">192.0.2.1</rdeHost:addr><rdeHost:addr ip=\"v6\">2001:db8::1</rdeHost:addr>",
        "",
    ),
    (
        &["host-attributes-differ"],
        "<domain:hostObj>ns1.a.test</domain:hostObj>",
        "<domain:hostAttr><domain:hostName>ns1.a.test</domain:hostName><domain:hostAddr>192.0.2.9</domain:hostAddr></domain:hostAttr>",
    ),
    (&["registrar-name-missing"], "<rdeRegistrar:name>Registrar One</rdeRegistrar:name>", ""),
    (&["url-form"], ">http://one.test<", ">www.one.test<"),
    (&["url-bad"], ">http://one.test<", ">n/a<"),
    (&["url-form"], ">http://whois.one.test<", ">whois.one.test/look<"),
    (
        &["whois-server-form"],
        "<rdeRegistrar:whoisInfo>",
        "<rdeRegistrar:whoisInfo><rdeRegistrar:name>http://whois.one.test/</rdeRegistrar:name>",
    ),
    (
        &["whois-server-bad"],
        "<rdeRegistrar:whoisInfo>",
        "<rdeRegistrar:whoisInfo><rdeRegistrar:name>none</rdeRegistrar:name>",
    ),
    (&["value-bad"], "id=\"20261101001\"", "id=\"20261101001\" resend=\"-1\""),
    (&["value-bad"], ">8</rdeRegistrar:gurid>", ">x8</rdeRegistrar:gurid>"),
    (&["value-bad"], "<rdeNNDN:nameState>blocked", "<rdeNNDN:nameState>gone"),
    (&["value-bad"], "<rde:version>1.0", "<rde:version>2.0"),
    (&["disclose-bad"], "flag=\"0\"", "flag=\"maybe\""),
    (&["disclose-bad"], "<contact:voice/><contact:email/>", "<contact:phone/><contact:email/>"),
    (&["disclose-bad"], "<contact:voice/><contact:email/>", "<contact:name/>"),
    (
        &["disclose-repeated"],
        "<rdeContact:disclose flag=\"0\">",
        "<rdeContact:disclose flag=\"0\"><contact:fax/></rdeContact:disclose><rdeContact:disclose flag=\"0\">",
    ),
    (&["value-bad"], "type=\"admin\"", "type=\"owner\""),
    (&["character-bad"], ">Ada<", ">A&#1;da<"),
    (&["reference-bad"], ">C1</rdeDomain:registrant>", "></rdeDomain:registrant>"),
    (
        &["postal-repeated"],
        "<rdeContact:voice>",
        "<rdeContact:postalInfo type=\"int\"><contact:name>B</contact:name><contact:addr><contact:city>C</contact:city><contact:cc>FR</contact:cc></contact:addr></rdeContact:postalInfo><rdeContact:voice>",
    ),
    (&["postal-incomplete"], "<contact:city>City</contact:city>", ""),
    (&["postal-not-ascii"], ">Ada<", ">Adé<"),
    (&["country-unknown"], ">FR<", ">XX<"),
    (&["phone-bad"], ">+33.123456<", ">0033 123456<"),
    (&["email-bad"], ">ada@a.test<", ">ada<"),
    (&["email-bad"], "<rdeContact:email>ada@a.test</rdeContact:email>", ""),
];

fn assert_codes(outcome: &Outcome, expected: &[&str], case: &str) {
    let mut codes = outcome.codes();
    codes.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(codes, expected, "{case}\n{}", outcome.lines);
    snapshot_format::verify::verify(&outcome.snapshot(), &mut |_, _| {}).unwrap();
}

#[test]
fn each_defect_is_found_and_the_rest_is_served() {
    for (expected, from, to) in XML_CASES {
        assert_codes(&import(spoiled(from, to)), expected, to);
    }
}

/// Deposits that take more than one replacement.
fn long_cases() -> Vec<(&'static str, String)> {
    let many = |text: &str| text.repeat(300);
    let extras = (0..256).fold(String::new(), |all, number| {
        all + &format!("<ext:e{number}>{}</ext:e{number}>", "x".repeat(200))
    });
    let ds = (0..300).fold(String::new(), |all, tag| {
        all + &format!(
            "<secDNS:dsData><secDNS:keyTag>{tag}</secDNS:keyTag><secDNS:alg>8</secDNS:alg>\
             <secDNS:digestType>2</secDNS:digestType><secDNS:digest>00FF</secDNS:digest></secDNS:dsData>"
        )
    });
    let postal_start = good().find("<rdeContact:postalInfo").unwrap();
    let postal_end = good().find("<rdeContact:voice").unwrap();
    let postal = good()[postal_start..postal_end].to_owned();
    vec![
        ("text-too-long", spoiled(">Ada<", &format!(">{}<", many("Ada ")))),
        ("list-too-long", spoiled("</rdeDomain:secDNS>", &format!("{ds}</rdeDomain:secDNS>"))),
        ("record-too-large", spoiled(DOMAIN_END, &format!("{extras}{DOMAIN_END}"))),
        ("postal-missing", spoiled(&postal, "")),
    ]
}

#[test]
fn a_text_that_is_too_long_is_cut_and_found() {
    for (code, text) in long_cases() {
        assert_codes(&import(text), &[code], code);
    }
}

#[test]
fn no_rule_is_without_a_test() {
    let mut tested: Vec<&str> = XML_CASES.iter().flat_map(|case| case.0).copied().collect();
    tested.extend(long_cases().iter().map(|case| case.0));
    tested.extend(csv_model::CASES.iter().flat_map(|case| case.0));
    tested.extend(csv_model::REFUSALS.iter().map(|case| case.0));
    tested.extend(csv_model::ALONE);
    tested.extend(crate::refusals::CODES);
    tested.extend(crate::changes::CODES);
    tested.extend(crate::diff_findings::CODES);
    tested.extend(crate::forms::CODES);
    tested.extend(crate::tlds::CODES);
    for rule in RULES {
        assert!(tested.contains(&rule.text().code), "{}", rule.text().code);
    }
}

/// Findings that a full deposit has and one of changes has not, and why.
const OF_FULL_ALONE: &[(&str, &str)] = &[
    ("deletes-in-full", "it may have deletes"),
    ("count-wrong", "below a registry-class name: every domain would have to be read to count"),
];

/// The same deposit as one of changes, into a registry that has nothing.
fn as_changes(text: &str) -> String {
    text.replacen("type=\"FULL\"", "type=\"DIFF\" prevId=\"20261031001\"", 1)
}

fn assert_as_full(of_full: &[&str], of_changes: Result<Read, ImportError>, case: &str) {
    let mut expected = of_full.to_vec();
    let mut codes = of_changes.unwrap().codes();
    // Of a deposit whose counts are of whole kinds alone, the rule holds for both.
    let rcdn = case.contains("rcdn=");
    let alone = |code: &&str| OF_FULL_ALONE.iter().any(|(of, _)| of == code);
    expected.retain(|code| !alone(code) || *code == "count-wrong" && !rcdn);
    // Its counts are of the registry as it will be, without an object that is left out.
    codes.retain(|code| *code != "count-wrong" || !of_full.contains(&"key-unusable"));
    expected.sort_unstable();
    codes.sort_unstable();
    assert_eq!(codes, expected, "{case}");
}

#[test]
fn each_defect_is_found_in_changes_as_well_or_the_table_says_why_not() {
    let nothing = || Registry { lacks: &["*"], count: Some(0), ..Registry::default() };
    for (expected, from, to) in XML_CASES {
        assert_as_full(expected, read(as_changes(&spoiled(from, to)), &nothing()), to);
    }
    for (code, text) in long_cases() {
        assert_as_full(&[code], read(as_changes(&text), &nothing()), code);
    }
    for (expected, file, from, to) in csv_model::CASES.iter().chain(csv_model::OF_BOTH) {
        let mut files = csv_model::spoiled(file, from, to);
        files[0].1 = as_changes(&files[0].1);
        let directory = tempfile::tempdir().unwrap();
        csv_model::write(&files, directory.path());
        let read = read_files(&[&directory.path().join("deposit.xml")], &nothing());
        assert_as_full(expected, read, &format!("{file}: {to}"));
    }
}

/// Findings of the XML model that tables cannot cause, or not in another way, and why.
const OF_XML_ALONE: &[(&str, &str)] = &[
    ("object-unknown", "a table of an unknown kind refuses the deposit"),
    ("policy-unknown", "a policy is XML in either model"),
    ("policy-broken", "a policy is XML in either model"),
    ("disclose-repeated", "one reader of values; of two rows it is in unread.rs"),
    ("u-name-mismatch", "one reader of values"),
    ("original-name", "one reader of values"),
    ("reference", "the end of the same pass says it"),
    ("key-data-bad", "one reader of values"),
    ("secdns-empty", "a row without data does not read"),
    ("host-attributes-differ", "each row of a table states one more address"),
    ("whois-server-form", "one reader of values"),
    ("whois-server-bad", "one reader of values"),
    ("text-too-long", "one reader of values"),
    ("list-too-long", "one reader of values"),
    ("record-too-large", "tables have columns for what is kept"),
];

#[test]
fn each_rule_is_found_in_both_models_or_the_table_says_why_not() {
    // Statements about the deposit as a whole are in the XML of either model.
    let mut of_csv = Vec::new();
    let xml = &csv_model::good_csv()[0].1;
    for (expected, from, to) in XML_CASES.iter().filter(|case| xml.contains(case.1)) {
        let outcome = csv_model::import_csv(&csv_model::spoiled("deposit.xml", from, to));
        assert_codes(&outcome, expected, to);
        of_csv.extend(*expected);
    }
    of_csv.extend(csv_model::CASES.iter().chain(csv_model::OF_BOTH).flat_map(|case| case.0));
    let codes = XML_CASES.iter().flat_map(|case| case.0).copied();
    for code in codes.chain(long_cases().iter().map(|case| case.0)) {
        let alone = OF_XML_ALONE.iter().any(|(of, _)| *of == code);
        assert_ne!(of_csv.contains(&code), alone, "{code}");
    }
}

#[test]
fn a_finding_says_where_what_and_why() {
    let outcome = import(spoiled(">C1</rdeDomain:registrant>", ">C2</rdeDomain:registrant>"));
    let [finding] = outcome.report.findings.as_slice() else { panic!("{}", outcome.lines) };
    assert!(finding.file.ends_with("deposit.xml"));
    let line = good().lines().position(|line| line.contains("<rdeDomain:domain>")).unwrap() + 1;
    assert_eq!(finding.line, Some(line as u64));
    assert_eq!((finding.object, finding.key.as_str()), ("domain", "a.test"));
    assert_eq!((finding.field.as_ref(), finding.got.as_str()), ("contact", "C2"));
    let text = finding.to_string();
    assert!(text.ends_with(
        "domain a.test: contact: a contact that the deposit lacks: got \"C2\", expected a contact \
         of the deposit; the record is served without it [contact-dangling, RFC 9022 section 8]"
    ));
    let value: serde_json::Value = serde_json::from_str(&outcome.lines).unwrap();
    assert_eq!(value["rule"], "contact-dangling");
}

#[test]
fn a_change_record_has_a_registrars_addresses_in_the_same_form() {
    let line = br#"{"v":1,"serial":1,"committed":"2026-11-22T00:00:00Z","kind":"registrar","upsert":{"id":"R1","name":"One","url":"www.one.test","whoisInfo":{"name":"http://whois.one.test:43/","url":"n/a"}}}"#;
    let Body::Change(change) = ChangeRecord::parse(line).unwrap().body else { panic!() };
    let Change::Upsert(object) = &*change else { panic!() };
    let Object::Registrar(registrar) = &**object else { panic!() };
    assert_eq!(registrar.url, "http://www.one.test");
    assert_eq!(registrar.whois_name, "whois.one.test");
    assert_eq!(registrar.whois_url, "");
}

#[test]
fn a_finding_prints_times_as_dates() {
    for (from, to, date) in [
        ("2010-01-01T00:00:00.0Z<", "2026-11-02T00:00:00.5Z<", "2026-11-02T00:00:00.500Z"),
        ("2030-01-01T00:00:00.0Z<", "2026-01-01T00:00:00+01:00<", "2025-12-31T23:00:00Z"),
        ("2026-11-01T00:00:00Z<", "2027-11-01T00:00:00Z<", "2027-11-01T00:00:00Z"),
    ] {
        let outcome = import(spoiled(from, to));
        assert_eq!(outcome.report.findings[0].got, date, "{}", outcome.lines);
    }
}

#[test]
fn strict_refuses_any_finding_and_a_bound_more_than_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deposit.xml");
    std::fs::write(&path, spoiled(">FR<", ">XX<")).unwrap();
    let strict = Options { strict: true, ..options(&[&path]) };
    let outcome = import_with(&strict);
    assert!(matches!(outcome.bytes.unwrap_err().reason, Reason::Strict));
    assert_eq!(outcome.lines.lines().count(), 1);
    let none = Options { findings_max: Some(0), ..options(&[&path]) };
    assert!(matches!(import_with(&none).bytes.unwrap_err().reason, Reason::TooMany(0)));
    let one = Options { findings_max: Some(1), ..options(&[&path]) };
    assert!(import_with(&one).bytes.is_ok());
    std::fs::write(&path, good()).unwrap();
    assert!(import_with(&strict).bytes.is_ok());
}

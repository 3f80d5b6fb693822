//! Differential and incremental deposits: what they change, in which order, and why they are
//! refused.

use std::collections::BTreeMap;
use std::io::{self, Cursor};
use std::path::Path;
use std::rc::Rc;

use snapshot_format::layout::SECTION_ALIGN_BYTES_MIN;
use snapshot_format::object::{HostLink, Nameserver};
use snapshot_format::record::Meta;
use snapshot_format::sort::{MemoryScratch, Scratch};
use snapshot_format::{Builder, Change, Object};
use whoisd::import::{
    DepositType, Head, ImportError, Options, Quiet, Reason, Report, changes, head,
};
use whoisd::vet::ObjectKind;

use crate::registry::Registry;
use crate::support::{HEAD, HEADER, NOW_MS, TAIL, good, import, options, sample, spoiled};

/// Codes of the rules that this file tests.
pub(crate) const CODES: &[&str] =
    &["deposit-not-changes", "prev-id-missing", "delete-unknown", "delete-ambiguous"];

/// The header of a deposit, its changes, and its findings.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) id: String,
    pub(crate) prev_id: String,
    pub(crate) kind: DepositType,
    pub(crate) watermark_ms: i64,
    pub(crate) removals: u64,
    pub(crate) counts: Vec<(ObjectKind, u64)>,
    pub(crate) changes: Vec<Change>,
    pub(crate) report: Report,
}

impl Read {
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        self.report.per_rule.iter().map(|(rule, _)| rule.text().code).collect()
    }

    /// Each change as a word: `-` or `+`, kind, key.
    pub(crate) fn words(&self) -> Vec<String> {
        let word = |change: &Change| {
            let sign = if matches!(change, Change::Delete { .. }) { '-' } else { '+' };
            format!("{sign}{} {}", change.kind().word(), change.key())
        };
        self.changes.iter().map(word).collect()
    }
}

pub(crate) fn read_with(options: &Options, registry: &Registry) -> Result<Read, ImportError> {
    let scratch: Rc<dyn Scratch> = Rc::new(MemoryScratch);
    let deposit = changes(options, &scratch, None, &mut Quiet)?;
    let mut read = Read {
        id: deposit.id.clone(),
        prev_id: deposit.prev_id.clone(),
        kind: deposit.kind,
        watermark_ms: deposit.watermark_ms,
        removals: deposit.removals,
        counts: deposit.counts.clone(),
        changes: Vec::new(),
        report: Report::default(),
    };
    let list = &mut read.changes;
    read.report = deposit.visit(registry, &mut Quiet, &mut |change| {
        list.push(change);
        Ok(())
    })?;
    Ok(read)
}

pub(crate) fn read_files(paths: &[&Path], registry: &Registry) -> Result<Read, ImportError> {
    read_with(&options(paths), registry)
}

pub(crate) fn read(text: impl AsRef<[u8]>, registry: &Registry) -> Result<Read, ImportError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deposit.xml");
    std::fs::write(&path, text).unwrap();
    read_files(&[&path], registry)
}

/// Code of the rule for which a deposit is refused.
fn refusal(read: Result<Read, ImportError>) -> &'static str {
    match read {
        Err(ImportError { reason: Reason::Refused(finding), .. }) => finding.rule,
        other => panic!("{other:?}"),
    }
}

const REGISTRY: Registry = Registry {
    hosts: &[("ns1.a.test", "H1-TEST"), ("ns.other.example", "H2-TEST")],
    registrars: &[("R1", 8)],
    lacks: &[],
    count: None,
};

/// A differential deposit with deletes and contents.
pub(crate) fn diff(deletes: &str, contents: &str) -> String {
    let head = HEAD.replace("type=\"FULL\"", "type=\"DIFF\" prevId=\"20261031001\"");
    let deletes = format!("<rde:deletes>{deletes}</rde:deletes><rde:contents>");
    let head = head.replace("<rde:contents>", &deletes);
    [&head, HEADER, contents, TAIL].concat()
}

fn host(name: &str, roid: &str) -> String {
    format!(
        "<rdeHost:host><rdeHost:name>{name}</rdeHost:name><rdeHost:roid>{roid}</rdeHost:roid>\
         <rdeHost:status s=\"ok\"/><rdeHost:addr>192.0.2.7</rdeHost:addr>\
         <rdeHost:clID>R1</rdeHost:clID></rdeHost:host>"
    )
}

#[test]
fn removals_come_in_their_order_before_the_objects() {
    let read = read_files(&[&sample("diff.xml")], &REGISTRY).unwrap();
    assert_eq!((read.id.as_str(), read.prev_id.as_str()), ("20261102001", "20261101001"));
    assert_eq!((read.kind, read.watermark_ms), (DepositType::Diff, 1_793_577_600_000));
    assert_eq!(read.removals, 10);
    let expected = [
        "-domain gone1.test",
        "-domain xn--bcher-kva.test",
        "-nameserver ns1.gone1.test",
        "-nameserver ns.other.example",
        "-contact Gone1",
        "-contact gone1",
        "-registrar R9",
        "-IDN table pt",
        "-NNDN blocked.test",
        "-domain a.test",
        "+nameserver ns1.a.test",
        "+domain a.test",
    ];
    assert_eq!(read.words(), expected);
    assert_eq!(read.counts, [(ObjectKind::Domain, 17), (ObjectKind::Nameserver, 5)]);
    assert_eq!(read.codes(), ["name-not-a-label"]);
    let Some(Change::Upsert(object)) = read.changes.last() else { panic!() };
    let Object::Domain(domain) = object.as_ref() else { panic!() };
    assert_eq!((domain.roid.as_str(), domain.registrar.as_str()), ("D9-TEST", "R1"));
    assert_eq!(domain.nameservers, [HostLink::Name("ns1.a.test".to_owned())]);
}

#[test]
fn the_samples_of_rfc_9022_are_read() {
    let xml = read_files(&[&sample("rfc9022-diff-xml.xml")], &REGISTRY).unwrap();
    assert_eq!(xml.words(), ["-domain example2.example"]);
    let registry = Registry {
        hosts: &[
            ("ns1.domain1.test", "Hns1_domain1_test-TEST"),
            ("ns2.domain1.test", "Hns2_domain1_test-TEST"),
        ],
        ..Registry::default()
    };
    let csv = read_files(&[&sample("rfc9022-csv/diff.xml")], &registry).unwrap();
    assert_eq!(csv.prev_id, "20191010001");
    let removals: Vec<_> = csv.words().into_iter().filter(|word| word.starts_with('-')).collect();
    for expected in [
        "-domain domain1.example",
        "-nameserver ns1.domain1.test",
        "-nameserver ns2.domain1.test",
        "-contact domain1admin",
        "-registrar registrarZ",
        "-IDN table LANG-2",
        "-NNDN xn--bc456-3ve.example",
    ] {
        assert!(removals.iter().any(|removal| removal == expected), "{expected}: {removals:?}");
    }
    // Identifiers of hosts that the registry does not have.
    assert!(csv.codes().contains(&"delete-unknown"));
    // The contents are those of the sample of a full deposit.
    let full = crate::support::import_files(&[&sample("rfc9022-csv/deposit.xml")]);
    let upserts = csv.words().iter().filter(|word| word.starts_with('+')).count() as u64;
    let records: u64 = full.report.summary.counts.iter().map(|&count| u64::from(count)).sum();
    assert_eq!(upserts, records);
}

/// The law of this reader: the objects of a deposit, built into a snapshot, are the bytes that an
/// import of the same deposit gives.
#[test]
fn objects_are_those_that_an_import_keeps() {
    let bare = "<rdeDomain:ns><domain:hostAttr><domain:hostName>NS.b.test</domain:hostName>\
        <domain:hostAddr>192.0.2.44</domain:hostAddr></domain:hostAttr></rdeDomain:ns>";
    let texts = [
        good(),
        spoiled(
            "<rdeDomain:status s=\"inactive\"/>",
            "<rdeDomain:status s=\"inactive\"/><rdeDomain:status s=\"ok\"/>",
        ),
        spoiled(
            "<rdeDomain:clID>R1</rdeDomain:clID>\n<rdeDomain:crDate>",
            &format!("{bare}<rdeDomain:clID>R1</rdeDomain:clID>\n<rdeDomain:crDate>"),
        ),
        spoiled(">a.test<", ">ä.test<"),
    ];
    for text in texts {
        let expected = import(&text).bytes.unwrap();
        let incremental = text.replace("type=\"FULL\"", "type=\"INCR\"");
        let read = read(incremental, &Registry::default()).unwrap();
        assert_eq!((read.kind, read.prev_id.as_str()), (DepositType::Incr, ""));
        assert_eq!(built(&read), expected, "{:?}", read.words());
    }
}

/// The snapshot of the objects of a deposit.
fn built(read: &Read) -> Vec<u8> {
    let scratch: Rc<dyn Scratch> = Rc::new(MemoryScratch);
    let options = snapshot_format::Options {
        memory_bytes: 16 << 20,
        section_align_bytes: SECTION_ALIGN_BYTES_MIN,
        hash_seed: 7,
        generation: 1,
        serial: 0,
        watermark_ms: read.watermark_ms,
    };
    let mut builder = Builder::new(Cursor::new(Vec::new()), scratch, options).unwrap();
    for change in &read.changes {
        let Change::Upsert(object) = change else { panic!() };
        let defect = &mut |_: snapshot_format::Defect<'_>| {};
        match object.as_ref() {
            Object::Registrar(object) => builder.registrar(object),
            Object::IdnTable(object) => builder.idn_table(object),
            Object::Contact(object) => builder.contact(object, defect),
            Object::Nameserver(object) => builder.nameserver(object, defect),
            Object::Nndn(object) => builder.nndn(object, defect),
            Object::Domain(object) => builder.domain(object, defect),
        }
        .unwrap();
    }
    let meta = Meta {
        suffixes: vec!["test".to_owned()],
        deposits: vec![format!("{}\ttest\t{}", read.id, read.watermark_ms)],
        source: "whoisd import of an RDE deposit".to_owned(),
    };
    builder.finish(&meta, &mut |_, _| {}).unwrap().0.into_inner()
}

#[test]
fn deletes_by_identifiers_are_looked_up_in_the_registry() {
    let roid = |roid: &str| {
        let text = format!("<rdeHost:delete><rdeHost:roid>{roid}</rdeHost:roid></rdeHost:delete>");
        diff(&text, "")
    };
    let found = read(roid("H9-TEST"), &REGISTRY).unwrap();
    assert_eq!(found.codes(), ["delete-unknown"]);
    assert!(found.changes.is_empty());
    let registry = Registry {
        hosts: &[("ns1.a.test", "H1-TEST"), ("ns2.a.test", "H1-TEST")],
        ..Registry::default()
    };
    let found = read(roid("H1-TEST"), &registry).unwrap();
    assert_eq!(found.codes(), ["delete-ambiguous"]);
    assert_eq!(found.words(), ["-nameserver ns1.a.test", "-nameserver ns2.a.test"]);
}

#[test]
fn unusable_keys_of_deletes_are_findings_and_left_out() {
    let text = "<rdeDomain:delete><rdeDomain:name>a b.test</rdeDomain:name><rdeDomain:name/>\
        <rdeDomain:roid>D1-TEST</rdeDomain:roid></rdeDomain:delete>\
        <ext:delete><ext:id>x</ext:id></ext:delete><rdeDomain:domain/>";
    let read = read(diff(text, ""), &REGISTRY).unwrap();
    assert!(read.changes.is_empty());
    assert_eq!(read.codes(), ["element-unknown", "object-unknown", "key-unusable"]);
    assert_eq!(read.report.findings_count, 5);
}

#[test]
fn a_host_that_got_another_name_loses_the_old_one() {
    let renamed = diff("", &host("ns9.a.test", "H1-TEST"));
    let read_renamed = read(renamed, &REGISTRY).unwrap();
    assert_eq!(read_renamed.words(), ["-nameserver ns1.a.test", "+nameserver ns9.a.test"]);
    // Two hosts that swap their names, whichever comes first.
    let swapped = host("ns1.a.test", "H2-TEST") + &host("ns.other.example", "H1-TEST");
    let mut names = BTreeMap::new();
    for change in read(diff("", &swapped), &REGISTRY).unwrap().changes {
        match change {
            Change::Delete { key, .. } => drop(names.remove(&key)),
            Change::Upsert(object) => drop(names.insert(object.key().to_owned(), object)),
        }
    }
    assert_eq!(names.keys().collect::<Vec<_>>(), ["ns.other.example", "ns1.a.test"]);
    // A host that keeps its name, and one whose identifier several have.
    let same = read(diff("", &host("ns1.a.test", "H1-TEST")), &REGISTRY).unwrap();
    assert_eq!(same.words(), ["+nameserver ns1.a.test"]);
    let twice = Registry {
        hosts: &[("ns1.a.test", "H1-TEST"), ("ns2.a.test", "H1-TEST")],
        ..Registry::default()
    };
    let read_twice = read(diff("", &host("ns3.a.test", "H1-TEST")), &twice).unwrap();
    assert_eq!(read_twice.words(), ["+nameserver ns3.a.test"]);
}

#[test]
fn host_attributes_change_only_what_they_know() {
    let domain = |attributes: &str| {
        format!(
            "<rdeDomain:domain><rdeDomain:name>b.test</rdeDomain:name>\
             <rdeDomain:roid>D3-TEST</rdeDomain:roid><rdeDomain:status s=\"ok\"/>\
             <rdeDomain:ns>{attributes}</rdeDomain:ns><rdeDomain:clID>R1</rdeDomain:clID>\
             <rdeDomain:crDate>2010-01-01T00:00:00Z</rdeDomain:crDate>\
             <rdeDomain:exDate>2030-01-01T00:00:00Z</rdeDomain:exDate></rdeDomain:domain>"
        )
    };
    let attribute = |name: &str, address: &str| {
        let address = if address.is_empty() {
            String::new()
        } else {
            format!("<domain:hostAddr>{address}</domain:hostAddr>")
        };
        format!(
            "<domain:hostAttr><domain:hostName>{name}</domain:hostName>{address}</domain:hostAttr>"
        )
    };
    let registry = Registry {
        hosts: &[("ns1.object.test", "H1-TEST"), ("ns2.plain.test", ""), ("ns3.plain.test", "")],
        ..Registry::default()
    };
    let text = domain(
        &[
            attribute("ns1.object.test", "192.0.2.1"),
            attribute("ns2.plain.test", ""),
            attribute("ns3.plain.test", "192.0.2.3"),
            attribute("ns4.new.test", ""),
        ]
        .concat(),
    );
    let read = read(diff("", &text), &registry).unwrap();
    // Whether ns2 loses its addresses is known where the changes are applied.
    let hosts =
        ["ns2.plain", "ns3.plain", "ns4.new"].map(|name| format!("+nameserver {name}.test"));
    assert_eq!(read.words(), [&hosts[..], &["+domain b.test".into()]].concat());
    let Change::Upsert(object) = &read.changes[1] else { panic!() };
    let Object::Nameserver(Nameserver { v4, .. }) = object.as_ref() else { panic!() };
    assert_eq!(v4, &[[192, 0, 2, 3]]);
}

#[test]
fn a_file_that_is_not_a_deposit_of_changes_is_refused() {
    assert_eq!(refusal(read(good(), &REGISTRY)), "deposit-not-changes");
    let part = spoiled("type=\"FULL\"", "type=\"PART\"");
    assert_eq!(refusal(read(part, &REGISTRY)), "deposit-not-changes");
    let diff_alone = spoiled("type=\"FULL\"", "type=\"DIFF\"");
    assert_eq!(refusal(read(diff_alone, &REGISTRY)), "prev-id-missing");
    for (name, code) in
        [("rfc8909-diff.xml", "header-missing"), ("rfc8909-incr.xml", "header-missing")]
    {
        assert_eq!(refusal(read_files(&[&sample(name)], &REGISTRY)), code, "{name}");
    }
    let twice = host("ns8.a.test", "H8-TEST");
    assert_eq!(refusal(read(diff("", &[&*twice, &*twice].concat()), &REGISTRY)), "key-repeated");
}

#[test]
fn limits_and_the_taker_of_the_changes_can_end_a_deposit() {
    let path = sample("diff.xml");
    let strict = Options { strict: true, ..options(&[&path]) };
    let error = read_with(&strict, &REGISTRY).unwrap_err();
    assert!(matches!(error.reason, Reason::Strict), "{error}");
    let none = Options { findings_max: Some(0), ..options(&[&path]) };
    let error = read_with(&none, &REGISTRY).unwrap_err();
    assert!(matches!(error.reason, Reason::TooMany(0)), "{error}");
    let scratch: Rc<dyn Scratch> = Rc::new(MemoryScratch);
    let deposit = changes(&options(&[&path]), &scratch, None, &mut Quiet).unwrap();
    let mut taken = 0;
    let error = deposit.visit(&REGISTRY, &mut Quiet, &mut |_| {
        taken += 1;
        if taken == 3 { Err(io::Error::other("full")) } else { Ok(()) }
    });
    assert_eq!(error.unwrap_err().to_string(), "the deposit's changes: full");
    assert_eq!(taken, 3);
    let late = Options { now_ms: NOW_MS - (40 << 30), ..options(&[&path]) };
    assert!(read_with(&late, &REGISTRY).unwrap().codes().contains(&"watermark-future"));
}

#[test]
fn the_head_says_whether_a_deposit_is_to_be_imported_or_applied() {
    let scratch: Rc<dyn Scratch> = Rc::new(MemoryScratch);
    let of = |name: &str| head(&options(&[&sample(name)]), &scratch);
    let expected = |kind, id: &str, prev_id: &str| Head {
        kind,
        id: id.to_owned(),
        prev_id: prev_id.to_owned(),
        resend: 0,
    };
    let full = of("rfc9022-full-xml.xml").unwrap();
    assert_eq!(full, expected(DepositType::Full, "20191017001", ""));
    let diff = of("rfc8909-diff.xml").unwrap();
    assert_eq!(diff, expected(DepositType::Diff, "20191019001", "20191018001"));
    let incr = of("rfc8909-incr.xml").unwrap();
    assert_eq!(incr, expected(DepositType::Incr, "20200317001", "20200314001"));
    let rule = |result: Result<Head, ImportError>| match result.unwrap_err().reason {
        Reason::Refused(finding) => finding.rule,
        other => panic!("{other:?}"),
    };
    assert_eq!(rule(of("rfc9022-csv/domain-YYYYMMDD.csv")), "deposit-missing");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deposit.xml");
    let texts = [
        (
            spoiled("rde:deposit type", "rde:gift type").replace("rde:deposit>", "rde:gift>"),
            "not-a-deposit",
        ),
        (spoiled("FULL", "PART"), "deposit-not-changes"),
        ("<rde:deposit".to_owned(), "xml-malformed"),
    ];
    for (text, code) in texts {
        std::fs::write(&path, text).unwrap();
        assert_eq!(rule(head(&options(&[&path]), &scratch)), code);
    }
}

/// The CSV model knows registrars by their IANA identifier, too, and a deposit of changes has only
/// those that changed.
#[test]
fn csv_files_delete_and_refer_by_the_identifiers_of_their_columns() {
    let definition = |name: &str, fields: &str, file: &str| {
        format!(
            "<rdeCsv:csv name=\"{name}\"><rdeCsv:fields>{fields}</rdeCsv:fields><rdeCsv:files>\
             <rdeCsv:file>{file}</rdeCsv:file></rdeCsv:files></rdeCsv:csv>"
        )
    };
    let deletes = [
        "<csvRegistrar:deletes>",
        &definition("registrar", "<csvRegistrar:fGurid/>", "r.csv"),
        "</csvRegistrar:deletes><csvHost:deletes>",
        &definition("host", "<csvHost:fName/>", "h.csv"),
        "</csvHost:deletes>",
    ];
    let fields = "<csvDomain:fName/><rdeCsv:fRoid/><csvRegistrar:fGurid/><rdeCsv:fCrDate/>\
        <rdeCsv:fExDate/>";
    let status = "<csvDomain:fName parent=\"true\"/><csvDomain:fStatus/>";
    let contents = [
        "<csvDomain:contents>",
        &definition("domain", fields, "d.csv"),
        &definition("domainStatuses", status, "s.csv"),
        "</csvDomain:contents>",
    ];
    let namespaces = ["Domain", "Host", "Registrar"].iter().fold(
        "<rde:deposit xmlns:rdeCsv=\"urn:ietf:params:xml:ns:rdeCsv-1.0\"".to_owned(),
        |all, kind| format!("{all} xmlns:csv{kind}=\"urn:ietf:params:xml:ns:csv{kind}-1.0\""),
    );
    let xml = diff(&deletes.concat(), &contents.concat()).replace("<rde:deposit", &namespaces);
    let dates = "2010-01-01T00:00:00Z,2030-01-01T00:00:00Z";
    let rows = format!("a.test,D1-TEST,8,{dates}\nb.test,D2-TEST,9,{dates}\n");
    let files = [
        ("deposit.xml", xml.as_str()),
        ("r.csv", "8\n9\nx\n"),
        ("h.csv", "NS1.a.test.\n\"\"\n"),
        ("d.csv", &rows),
        ("s.csv", "a.test,inactive\nb.test,inactive\n"),
    ];
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let path = directory.path().join("deposit.xml");
    let read = read_files(&[&path], &REGISTRY).unwrap();
    let expected = ["-registrar R1", "-nameserver ns1.a.test", "+domain a.test", "+domain b.test"];
    assert_eq!(read.words(), expected);
    let sponsors: Vec<_> = read
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Upsert(object) => match object.as_ref() {
                Object::Domain(domain) => Some(domain.registrar.as_str()),
                _ => None,
            },
            Change::Delete { .. } => None,
        })
        .collect();
    assert_eq!(sponsors, ["R1", ""]);
    let mut codes = read.codes();
    codes.sort_unstable();
    let expected = ["delete-unknown", "key-unusable", "registrar-dangling", "value-bad"];
    assert_eq!(codes, expected);
}

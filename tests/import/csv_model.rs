//! The CSV model: the same registry as the good XML deposit, and each way to spoil it.

use std::io::Write;
use std::path::Path;

use crate::support::{HEAD, HEADER, Outcome, TAIL, good, import, import_files};

/// File name, and content; the XML comes first. `cksum="FILE"` becomes the file's checksum.
pub(crate) type Files = Vec<(String, String)>;

const CONTENTS: &str = r#"<csvDomain:contents>
<rdeCsv:csv name="domain"><rdeCsv:fields><csvDomain:fName/><rdeCsv:fRoid/><rdeCsv:fIdnTableId/><rdeCsv:fRegistrant/><rdeCsv:fClID/><rdeCsv:fCrRr/><rdeCsv:fCrID/><rdeCsv:fCrDate/><rdeCsv:fExDate isRequired="true"/></rdeCsv:fields><rdeCsv:files><rdeCsv:file cksum="domain.csv"> domain.csv </rdeCsv:file></rdeCsv:files></rdeCsv:csv>
<rdeCsv:csv name="domainContacts" sep=";"><rdeCsv:fields><csvDomain:fName parent="true"/><csvContact:fId/><csvDomain:fContactType/></rdeCsv:fields><rdeCsv:files><rdeCsv:file cksum="domainContacts.csv">domainContacts.csv</rdeCsv:file></rdeCsv:files></rdeCsv:csv>
<rdeCsv:csv name="domainStatuses"><rdeCsv:fields><csvDomain:fName parent="true"/><csvDomain:fStatus/><rdeCsv:fStatusDescription/><rdeCsv:fLang/><csvDomain:fRgpStatus/></rdeCsv:fields><rdeCsv:files><rdeCsv:file>domainStatuses.csv</rdeCsv:file></rdeCsv:files></rdeCsv:csv>
<rdeCsv:csv name="domainNameServers"><rdeCsv:fields><csvDomain:fName parent="true"/><csvHost:fName/></rdeCsv:fields><rdeCsv:files><rdeCsv:file cksum="ns-name.csv">ns-name.csv</rdeCsv:file></rdeCsv:files></rdeCsv:csv>
<rdeCsv:csv name="domainNameServers"><rdeCsv:fields><csvDomain:fName parent="true"/><rdeCsv:fRoid/></rdeCsv:fields><rdeCsv:files><rdeCsv:file cksum="ns-roid.csv">ns-roid.csv</rdeCsv:file></rdeCsv:files></rdeCsv:csv>
<rdeCsv:csv name="dnssec"><rdeCsv:fields><csvDomain:fName parent="true"/><csvDomain:fMaxSigLife/><csvDomain:fKeyTag/><csvDomain:fDsAlg/><csvDomain:fDigestType/><csvDomain:fDigest/></rdeCsv:fields><rdeCsv:files><rdeCsv:file cksum="dnssec.csv">dnssec.csv</rdeCsv:file></rdeCsv:files></rdeCsv:csv>
</csvDomain:contents>
<csvHost:contents>
<rdeCsv:csv name="host"><rdeCsv:fields><rdeCsv:fRoid/><csvHost:fName/><rdeCsv:fClID/><rdeCsv:fCrDate/></rdeCsv:fields><rdeCsv:files><rdeCsv:file cksum="host.csv">host.csv</rdeCsv:file></rdeCsv:files></rdeCsv:csv>
<rdeCsv:csv name="hostStatuses"><rdeCsv:fields><rdeCsv:fRoid parent="true"/><csvHost:fStatus/></rdeCsv:fields><rdeCsv:files><rdeCsv:file cksum="hostStatuses.csv">hostStatuses.csv</rdeCsv:file></rdeCsv:files></rdeCsv:csv>
<rdeCsv:csv name="hostAddresses"><rdeCsv:fields><rdeCsv:fRoid parent="true"/><csvHost:fAddr/><csvHost:fAddrVersion/></rdeCsv:fields><rdeCsv:files><rdeCsv:file cksum="hostAddresses.csv">hostAddresses.csv</rdeCsv:file></rdeCsv:files></rdeCsv:csv>
</csvHost:contents>
<csvContact:contents>
<rdeCsv:csv name="contact"><rdeCsv:fields><csvContact:fId/><rdeCsv:fRoid/><csvContact:fVoice/><csvContact:fEmail/><rdeCsv:fClID/><rdeCsv:fCrRr/><rdeCsv:fCrID/><rdeCsv:fCrDate/></rdeCsv:fields><rdeCsv:files><rdeCsv:file cksum="contact.csv">contact.csv</rdeCsv:file></rdeCsv:files></rdeCsv:csv>
<rdeCsv:csv name="contactStatuses"><rdeCsv:fields><csvContact:fId parent="true"/><csvContact:fStatus/></rdeCsv:fields><rdeCsv:files><rdeCsv:file cksum="contactStatuses.csv">contactStatuses.csv</rdeCsv:file></rdeCsv:files></rdeCsv:csv>
<rdeCsv:csv name="contactPostal"><rdeCsv:fields><csvContact:fId parent="true"/><csvContact:fPostalType/><csvContact:fName/><csvContact:fOrg/><csvContact:fStreet index="0"/><csvContact:fStreet index="1"/><csvContact:fCity/><csvContact:fPc/><csvContact:fCc/></rdeCsv:fields><rdeCsv:files><rdeCsv:file cksum="contactPostal.csv">contactPostal.csv</rdeCsv:file></rdeCsv:files></rdeCsv:csv>
<rdeCsv:csv name="contactDisclose"><rdeCsv:fields><csvContact:fId parent="true"/><csvContact:fDiscloseFlag/><csvContact:fDiscloseNameLoc/><csvContact:fDiscloseVoice/><csvContact:fDiscloseEmail/></rdeCsv:fields><rdeCsv:files><rdeCsv:file cksum="contactDisclose.csv">contactDisclose.csv</rdeCsv:file></rdeCsv:files></rdeCsv:csv>
</csvContact:contents>
<csvRegistrar:contents><rdeCsv:csv name="registrar"><rdeCsv:fields><csvRegistrar:fId/><csvRegistrar:fName isLoc="false"/><csvRegistrar:fGurid/><csvRegistrar:fStatus/><csvContact:fStreet isLoc="false" index="0"/><csvContact:fCity isLoc="false"/><csvContact:fCc isLoc="false"/><csvContact:fVoice/><csvContact:fVoiceExt/><csvContact:fEmail isRequired="false"/><rdeCsv:fUrl/><csvRegistrar:fWhoisUrl/><rdeCsv:fCrDate/></rdeCsv:fields><rdeCsv:files><rdeCsv:file cksum="registrar.csv">registrar.csv</rdeCsv:file></rdeCsv:files></rdeCsv:csv></csvRegistrar:contents>
<csvIDN:contents><rdeCsv:csv name="idnLanguage"><rdeCsv:fields><rdeCsv:fIdnTableId/><rdeCsv:fUrl/></rdeCsv:fields><rdeCsv:files><rdeCsv:file cksum="idn.csv">idn.csv</rdeCsv:file></rdeCsv:files></rdeCsv:csv></csvIDN:contents>
<csvNNDN:contents><rdeCsv:csv name="NNDN"><rdeCsv:fields><csvNNDN:fAName/><csvNNDN:fNameState/><csvNNDN:fMirroringNS/></rdeCsv:fields><rdeCsv:files><rdeCsv:file cksum="nndn.csv">nndn.csv</rdeCsv:file></rdeCsv:files></rdeCsv:csv></csvNNDN:contents>
"#;

const FILES: &[(&str, &str)] = &[
    (
        "domain.csv",
        "a.test,D1-TEST,,C1,R1,R1,joe,2010-01-01T00:00:00Z,2030-01-01T00:00:00Z\nxn--bcher-kva.test,D2-TEST,pt,C1,R1,,,2010-01-01T00:00:00Z,2030-01-01T00:00:00Z\n",
    ),
    ("domainContacts.csv", "a.test;C1;admin\n"),
    (
        "domainStatuses.csv",
        "a.test,ok,\"fine, \"\"really\"\"\",en,\nxn--bcher-kva.test,inactive,,,\n",
    ),
    ("ns-name.csv", "a.test,ns1.a.test\n"),
    ("ns-roid.csv", "a.test,H2-TEST\n"),
    ("dnssec.csv", "a.test,604800,1,8,2,00FF\n"),
    ("host.csv", "H1-TEST,ns1.a.test,R1,2009-09-13T08:01:00.0Z\nH2-TEST,ns.other.example,R1,\n"),
    ("hostStatuses.csv", "H1-TEST,ok\nH2-TEST,ok\n"),
    ("hostAddresses.csv", "H1-TEST,192.0.2.1,v4\nH1-TEST,2001:DB8::1,v6\n"),
    ("contact.csv", "C1,C1-TEST,+33.123456,ada@a.test,R1,R1,joe,2009-09-13T08:01:00.0Z\n"),
    ("contactStatuses.csv", "C1,ok\n"),
    ("contactPostal.csv", "C1,int,Ada,Org,\"Road 1\",,City,123,FR\n"),
    ("contactDisclose.csv", "C1,0,0,1,1\n"),
    (
        "registrar.csv",
        "R1,\"Registrar One\",8,ok,\"Street 1\",Town,US,+1.5551111,12,r@one.test,http://one.test,http://whois.one.test,2005-04-23T11:49:00.0Z\n",
    ),
    ("idn.csv", "pt,http://tables.test/pt\n"),
    ("nndn.csv", "reserved.test,blocked,\n"),
];

/// The good deposit in the CSV model.
pub(crate) fn good_csv() -> Files {
    let namespaces = ["Domain", "Host", "Contact", "Registrar", "IDN", "NNDN"].iter().fold(
        "<rde:deposit xmlns:rdeCsv=\"urn:ietf:params:xml:ns:rdeCsv-1.0\"".to_owned(),
        |all, kind| format!("{all} xmlns:csv{kind}=\"urn:ietf:params:xml:ns:csv{kind}-1.0\""),
    );
    let head = HEAD.replace("<rde:deposit", &namespaces);
    let mut files = vec![("deposit.xml".to_owned(), [&head, HEADER, CONTENTS, TAIL].concat())];
    for (name, content) in FILES {
        files.push(((*name).to_owned(), (*content).to_owned()));
    }
    files
}

/// The good deposit with one text of one file in place of another.
pub(crate) fn spoiled(file: &str, from: &str, to: &str) -> Files {
    let mut files = good_csv();
    let (_, content) = files.iter_mut().find(|(name, _)| name == file).unwrap();
    assert!(content.contains(from), "{file}: {from}");
    *content = content.replacen(from, to, 1);
    files
}

/// Writes files with their checksums into a directory.
pub(crate) fn write(files: &Files, directory: &Path) {
    let mut xml = files[0].1.clone();
    for (name, content) in &files[1..] {
        std::fs::write(directory.join(name), content).unwrap();
        let sum = format!("{:08X}", crc32fast::hash(content.as_bytes()));
        xml = xml.replace(&format!("cksum=\"{name}\""), &format!("cksum=\"{sum}\""));
    }
    std::fs::write(directory.join("deposit.xml"), xml).unwrap();
}

pub(crate) fn import_csv(files: &Files) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    write(files, directory.path());
    import_files(&[&directory.path().join("deposit.xml")])
}

/// `csv-row-encoding` and `host-roid-ambiguous` have separate tests, since they take bytes or
/// several rules.
pub(crate) const ALONE: &[&str] = &["csv-row-encoding", "host-roid-ambiguous", "csv-malformed"];

/// Rules that a spoiled file breaks; the file, a text, its replacement.
pub(crate) const CASES: &[(&[&str], &str, &str, &str)] = &[
    (&["csv-row-length"], "nndn.csv", "blocked,\n", "blocked,\nx.test\n"),
    (&["csv-field-required", "time-missing"], "domain.csv", ",2030-01-01T00:00:00Z", ","),
    (&["csv-row-orphan"], "hostStatuses.csv", "H2-TEST,ok\n", "H2-TEST,ok\nH3-TEST,ok\n"),
    (
        &["csv-row-orphan"],
        "domainContacts.csv",
        "a.test;C1;admin\n",
        "a.test;C1;admin\nc.test;C1;tech\n",
    ),
    (&["csv-row-orphan"], "contactStatuses.csv", "C1,ok\n", "C1,ok\nC2,ok\n"),
    (&["element-unknown"], "deposit.xml", "<rdeCsv:fLang/>", "<rdeCsv:fTongue/>"),
    (
        &["element-repeated"],
        "domainContacts.csv",
        "a.test;C1;admin\n",
        "a.test;C1;admin\na.test;C1;registrant\n",
    ),
    (&["disclose-bad"], "contactDisclose.csv", "C1,0,0", "C1,0,x"),
    (&["value-bad"], "nndn.csv", "blocked,", "blocked,x"),
    (&["address-version"], "hostAddresses.csv", "192.0.2.1,v4", "192.0.2.1,v6"),
    (&["reference-bad"], "ns-roid.csv", "H2-TEST", ""),
    (&["nameserver-dangling"], "ns-roid.csv", "H2-TEST", "H9-TEST"),
    (&["postal-repeated"], "contactPostal.csv", "FR\n", "FR\nC1,int,B,,,,C,,FR\n"),
    (&["key-unusable"], "nndn.csv", "reserved.test,", "-,"),
    (&["key-unusable"], "contactStatuses.csv", "C1,ok\n", "C1,ok\n,ok\n"),
];

/// Rules that both models have, as a spoiled file breaks them.
pub(crate) const OF_BOTH: &[(&[&str], &str, &str, &str)] = &[
    (&["name-not-a-label"], "domain.csv", "xn--bcher-kva.test", "bücher.test"),
    (&["name-outside"], "nndn.csv", "reserved.test", "reserved.example"),
    (
        &["a-label-invalid", "csv-row-orphan", "status-missing"],
        "domain.csv",
        "xn--bcher-kva.test",
        "xn--a.test",
    ),
    (&["idn-table-missing"], "domain.csv", ",pt,", ",,"),
    (&["roid-missing"], "domain.csv", "D1-TEST", ""),
    (&["roid-syntax"], "domain.csv", "D1-TEST", "D1"),
    (&["roid-repeated"], "domain.csv", "D2-TEST", "D1-TEST"),
    (&["contact-dangling"], "domainContacts.csv", "C1", "C2"),
    (&["registrar-dangling"], "domain.csv", "C1,R1,R1,joe", "C1,R2,R1,joe"),
    (&["idn-table-dangling"], "domain.csv", ",pt,", ",de,"),
    (&["nndn-is-domain"], "nndn.csv", "reserved.test", "a.test"),
    (&["sponsor-missing"], "domain.csv", "C1,R1,R1,joe", "C1,,R1,joe"),
    (&["status-missing"], "domainStatuses.csv", "xn--bcher-kva.test,inactive,,,\n", ""),
    (&["status-missing", "status-unknown"], "domainStatuses.csv", "inactive", "fine"),
    (&["status-ok"], "domainStatuses.csv", "xn--", "a.test,clientHold,,,\nxn--"),
    (&["status-inactive"], "domainStatuses.csv", "a.test,ok", "a.test,inactive"),
    (&["status-not-inactive"], "domainStatuses.csv", "inactive", "clientHold"),
    (
        &["status-pending"],
        "domainStatuses.csv",
        "a.test,ok",
        "a.test,pendingRenew,,,\na.test,pendingUpdate",
    ),
    (
        &["status-prohibited"],
        "domainStatuses.csv",
        "a.test,ok",
        "a.test,serverDeleteProhibited,,,\na.test,pendingDelete",
    ),
    (&["status-grace"], "domainStatuses.csv", "xn--", "a.test,,,,redemptionPeriod\nxn--"),
    (&["time-bad", "time-missing"], "domain.csv", "2030-01-01", "2030-02-30"),
    (&["time-beyond"], "domain.csv", "2030-01-01", "12030-01-01"),
    (&["time-without-zone"], "domain.csv", "2030-01-01T00:00:00Z", "2030-01-01T00:00:00"),
    (&["created-after-watermark"], "domain.csv", "2010-01-01", "2026-11-02"),
    (&["expired-at-watermark"], "domain.csv", "2030-01-01", "2026-01-01"),
    (&["ds-bad"], "dnssec.csv", "00FF", "00F"),
    (&["ds-bad"], "dnssec.csv", "604800,1,8,2,00FF", "604800,,,,"),
    (&["address-bad"], "hostAddresses.csv", "192.0.2.1", "192.0.2.256"),
    (&["glue-missing"], "hostAddresses.csv", "H1-TEST,192.0.2.1,v4\nH1-TEST,2001:DB8::1,v6\n", ""),
    (&["registrar-name-missing"], "registrar.csv", "\"Registrar One\"", ""),
    (&["url-form"], "registrar.csv", "http://one.test", "www.one.test"),
    (&["url-bad"], "registrar.csv", "http://one.test", "n/a"),
    (&["character-bad"], "contactPostal.csv", "Ada", "A\u{1}da"),
    (&["postal-incomplete"], "contactPostal.csv", "City", ""),
    (&["postal-not-ascii"], "contactPostal.csv", "Ada", "Adé"),
    (&["country-unknown"], "contactPostal.csv", "FR", "XX"),
    (&["phone-bad"], "contact.csv", "+33.123456", "0033 123456"),
    (&["email-bad"], "contact.csv", "ada@a.test", "ada"),
    (&["postal-missing"], "contactPostal.csv", "C1,int,Ada,Org,\"Road 1\",,City,123,FR\n", ""),
];

#[test]
fn each_defect_of_a_row_is_found_and_the_rest_is_served() {
    for (expected, file, from, to) in CASES.iter().chain(OF_BOTH) {
        let outcome = import_csv(&spoiled(file, from, to));
        let mut codes = outcome.codes();
        codes.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(codes, expected, "{file}: {to}\n{}", outcome.lines);
    }
}

/// Rules for which a spoiled file refuses the deposit.
pub(crate) const REFUSALS: &[(&str, &str, &str, &str)] = &[
    ("csv-file-missing", "deposit.xml", ">idn.csv<", ">idn2.csv<"),
    ("csv-file-missing", "deposit.xml", ">idn.csv<", ">../idn.csv<"),
    ("csv-checksum", "deposit.xml", "cksum=\"idn.csv\"", "cksum=\"00000000\""),
    (
        "csv-checksum-algorithm",
        "deposit.xml",
        "cksum=\"idn.csv\"",
        "cksum=\"idn.csv\" cksumAlg=\"MD5\"",
    ),
    ("csv-checksum-algorithm", "deposit.xml", "cksum=\"idn.csv\"", "cksum=\"xyz\""),
    ("csv-checksum-algorithm", "deposit.xml", "cksum=\"idn.csv\"", "cksumAlg=\"SHA256\""),
    ("csv-compression", "deposit.xml", "cksum=\"idn.csv\"", "compression=\"zip\""),
    ("csv-encoding", "deposit.xml", "cksum=\"idn.csv\"", "encoding=\"ISO-8859-1\""),
    ("csv-definition", "deposit.xml", "name=\"idnLanguage\"", "name=\"languages\""),
    ("csv-definition", "deposit.xml", "<csvDomain:fName/>", "<csvHost:fName/>"),
    ("csv-definition", "deposit.xml", "sep=\";\"", "sep=\";;\""),
    ("csv-definition", "deposit.xml", "<rdeCsv:file cksum=\"idn.csv\">idn.csv</rdeCsv:file>", ""),
    ("input-unreadable", "deposit.xml", "cksum=\"idn.csv\"", "compression=\"gzip\""),
    (
        "key-repeated",
        "nndn.csv",
        "reserved.test,blocked,\n",
        "reserved.test,blocked,\nReserved.test,blocked,\n",
    ),
    (
        "both-models",
        "deposit.xml",
        "<csvDomain:contents>",
        "<rdeNNDN:NNDN><rdeNNDN:aName>reserved.test</rdeNNDN:aName><rdeNNDN:nameState>blocked</rdeNNDN:nameState></rdeNNDN:NNDN><csvDomain:contents>",
    ),
];

#[test]
fn a_file_that_cannot_be_trusted_refuses_the_deposit() {
    for (code, file, from, to) in REFUSALS {
        assert_eq!(import_csv(&spoiled(file, from, to)).refusal(), *code, "{to}");
    }
}

#[test]
fn the_same_registry_as_csv_and_as_xml_gives_the_same_snapshot() {
    let csv = import_csv(&good_csv());
    assert_eq!(csv.lines, "");
    assert_eq!(csv.bytes.unwrap(), import(good()).bytes.unwrap());
}

#[test]
fn a_quote_that_is_not_closed_is_refused_when_the_row_passes_its_bound() {
    let rows = "x.test,blocked,\n".repeat(100_000);
    let files = spoiled("nndn.csv", "reserved.test,", &format!("\"reserved.test,\n{rows}"));
    assert_eq!(import_csv(&files).refusal(), "csv-malformed");
}

#[test]
fn a_row_that_is_not_utf_8_is_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let files = spoiled("deposit.xml", "cksum=\"nndn.csv\"", "");
    write(&files, directory.path());
    let rows = b"reserved.test,blocked,\nother.test,\xe9,\n";
    std::fs::write(directory.path().join("nndn.csv"), rows).unwrap();
    let outcome = import_files(&[&directory.path().join("deposit.xml")]);
    assert_eq!(outcome.codes(), ["csv-row-encoding"]);
    assert_eq!(outcome.report.findings[0].record, Some(2));
}

#[test]
fn files_may_be_compressed_and_have_either_checksum() {
    let directory = tempfile::tempdir().unwrap();
    let content = FILES.iter().find(|(name, _)| *name == "idn.csv").unwrap().1;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content.as_bytes()).unwrap();
    let stored = encoder.finish().unwrap();
    let expected = import(good()).bytes.unwrap();
    let sha = |bytes: &[u8]| {
        use sha2::Digest;
        sha2::Sha256::digest(bytes).iter().fold(String::new(), |all, b| all + &format!("{b:02x}"))
    };
    let crc = |bytes: &[u8]| format!("{:08x}", crc32fast::hash(bytes));
    for (algorithm, sum, good) in [
        ("SHA256", sha(content.as_bytes()), true),
        ("SHA256", sha(&stored), true),
        ("CRC32", crc(content.as_bytes()), true),
        ("CRC32", crc(&stored), true),
        ("SHA256", sha(b"other"), false),
    ] {
        let attributes = format!("compression=\"gzip\" cksum=\"{sum}\" cksumAlg=\"{algorithm}\"");
        write(&spoiled("deposit.xml", "cksum=\"idn.csv\"", &attributes), directory.path());
        std::fs::write(directory.path().join("idn.csv"), &stored).unwrap();
        let outcome = import_files(&[&directory.path().join("deposit.xml")]);
        if good {
            assert_eq!(outcome.bytes.unwrap(), expected);
        } else {
            assert_eq!(outcome.refusal(), "csv-checksum");
        }
    }
}

#[test]
fn csv_files_are_found_where_they_are_named_and_in_a_tar() {
    let directory = tempfile::tempdir().unwrap();
    write(&good_csv(), directory.path());
    let expected = import(good()).bytes.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("idn.csv");
    std::fs::rename(directory.path().join("idn.csv"), &moved).unwrap();
    let xml = directory.path().join("deposit.xml");
    assert_eq!(import_files(&[&xml]).refusal(), "csv-file-missing");
    assert_eq!(import_files(&[&xml, &moved]).bytes.unwrap(), expected);
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_path_with_name(&moved, "x/idn.csv").unwrap();
    builder.append_dir_all("x", directory.path()).unwrap();
    let tar = elsewhere.path().join("deposit.tar");
    std::fs::write(&tar, builder.into_inner().unwrap()).unwrap();
    assert_eq!(import_files(&[&tar]).bytes.unwrap(), expected);
}

#[test]
fn columns_come_in_any_order_and_custom_ones_become_extras() {
    let mut files = spoiled(
        "deposit.xml",
        "<csvDomain:fName/><rdeCsv:fRoid/>",
        "<rdeCsv:fCustom name=\"tier\"/><rdeCsv:fRoid/><csvDomain:fName/>",
    );
    let domains = &mut files.iter_mut().find(|(name, _)| name == "domain.csv").unwrap().1;
    *domains = domains
        .replace("a.test,D1-TEST", "gold,D1-TEST,a.test")
        .replace("xn--bcher-kva.test,D2-TEST", ",D2-TEST,xn--bcher-kva.test")
        .replace('\n', "\r\n");
    let outcome = import_csv(&files);
    assert_eq!(outcome.lines, "");
    let snapshot = outcome.snapshot();
    let cold = snapshot.find_domain("a.test").unwrap().unwrap().cold.as_ref().unwrap();
    assert_eq!((cold.extras[0].0.as_str(), cold.extras[0].1.as_str()), ("tier", "gold"));
}

#[test]
fn sponsors_may_be_given_by_iana_identifier() {
    let mut files = spoiled(
        "deposit.xml",
        "<rdeCsv:fRegistrant/><rdeCsv:fClID/>",
        "<rdeCsv:fRegistrant/><csvRegistrar:fGurid/>",
    );
    let domains = &mut files.iter_mut().find(|(name, _)| name == "domain.csv").unwrap().1;
    *domains = domains.replace("C1,R1,", "C1,8,");
    let outcome = import_csv(&files);
    assert_eq!(outcome.lines, "");
    assert_eq!(outcome.bytes.unwrap(), import(good()).bytes.unwrap());
    let domains = &mut files.iter_mut().find(|(name, _)| name == "domain.csv").unwrap().1;
    *domains = domains.replacen("C1,8,", "C1,9,", 1);
    assert_eq!(import_csv(&files).codes(), ["registrar-dangling"]);
}

#[test]
fn a_host_identifier_of_two_hosts_attaches_rows_to_none() {
    let outcome = import_csv(&spoiled("host.csv", "H2-TEST,", "H1-TEST,"));
    let codes = outcome.codes();
    for code in ["roid-repeated", "host-roid-ambiguous", "csv-row-orphan", "nameserver-dangling"] {
        assert!(codes.contains(&code), "{code}: {codes:?}");
    }
    let snapshot = outcome.snapshot();
    assert!(snapshot.find_nameserver("ns1.a.test").unwrap().unwrap().v4.is_empty());
}

#[test]
fn addresses_of_host_attributes_join_from_several_rows() {
    let mut files = spoiled(
        "deposit.xml",
        "<rdeCsv:csv name=\"domainNameServers\"><rdeCsv:fields><csvDomain:fName parent=\"true\"/><csvHost:fName/>",
        "<rdeCsv:csv name=\"domainNameServersAddresses\"><rdeCsv:fields><csvDomain:fName parent=\"true\"/><csvHost:fName/><csvHost:fAddr/><csvHost:fAddrVersion/>",
    );
    let rows = &mut files.iter_mut().find(|(name, _)| name == "ns-name.csv").unwrap().1;
    *rows = "a.test,ns1.a.test,192.0.2.1,v4\na.test,ns1.a.test,2001:db8::1,v6\na.test,ns7.b.example,,\n".into();
    let outcome = import_csv(&files);
    assert_eq!(outcome.lines, "");
    let snapshot = outcome.snapshot();
    assert_eq!(snapshot.find_domain("a.test").unwrap().unwrap().nameservers.len(), 3);
    assert!(snapshot.find_nameserver("ns7.b.example").unwrap().is_some());
}

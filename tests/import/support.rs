//! A small good deposit, ways to spoil it, and the import of a file.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use snapshot_format::Snapshot;
use snapshot_format::sort::{MemoryScratch, Scratch};
use whoisd::import::{ImportError, Options, Quiet, Reason, Report, run};

/// 2026-11-22.
pub(crate) const NOW_MS: i64 = 1_795_305_600_000;

pub(crate) const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<rde:deposit type="FULL" id="20261101001"
  xmlns:domain="urn:ietf:params:xml:ns:domain-1.0"
  xmlns:contact="urn:ietf:params:xml:ns:contact-1.0"
  xmlns:secDNS="urn:ietf:params:xml:ns:secDNS-1.1"
  xmlns:rde="urn:ietf:params:xml:ns:rde-1.0"
  xmlns:rdeHeader="urn:ietf:params:xml:ns:rdeHeader-1.0"
  xmlns:rdeDomain="urn:ietf:params:xml:ns:rdeDomain-1.0"
  xmlns:rdeHost="urn:ietf:params:xml:ns:rdeHost-1.0"
  xmlns:rdeContact="urn:ietf:params:xml:ns:rdeContact-1.0"
  xmlns:rdeRegistrar="urn:ietf:params:xml:ns:rdeRegistrar-1.0"
  xmlns:rdeIDN="urn:ietf:params:xml:ns:rdeIDN-1.0"
  xmlns:rdeNNDN="urn:ietf:params:xml:ns:rdeNNDN-1.0"
  xmlns:rdeEppParams="urn:ietf:params:xml:ns:rdeEppParams-1.0"
  xmlns:rdePolicy="urn:ietf:params:xml:ns:rdePolicy-1.0"
  xmlns:ext="urn:example:ext-1.0">
<rde:watermark>2026-11-01T00:00:00Z</rde:watermark>
<rde:rdeMenu><rde:version>1.0</rde:version>
<rde:objURI>urn:ietf:params:xml:ns:rdeHeader-1.0</rde:objURI>
<rde:objURI>urn:ietf:params:xml:ns:rdeDomain-1.0</rde:objURI>
<rde:objURI>urn:ietf:params:xml:ns:rdeHost-1.0</rde:objURI>
<rde:objURI>urn:ietf:params:xml:ns:rdeContact-1.0</rde:objURI>
<rde:objURI>urn:ietf:params:xml:ns:rdeRegistrar-1.0</rde:objURI>
<rde:objURI>urn:ietf:params:xml:ns:rdeIDN-1.0</rde:objURI>
<rde:objURI>urn:ietf:params:xml:ns:rdeNNDN-1.0</rde:objURI>
</rde:rdeMenu>
<rde:contents>
"#;

pub(crate) const HEADER: &str = r#"<rdeHeader:header><rdeHeader:tld>test</rdeHeader:tld>
<rdeHeader:count uri="urn:ietf:params:xml:ns:rdeDomain-1.0">2</rdeHeader:count>
<rdeHeader:count uri="urn:ietf:params:xml:ns:rdeHost-1.0">2</rdeHeader:count>
<rdeHeader:count uri="urn:ietf:params:xml:ns:rdeContact-1.0">1</rdeHeader:count>
<rdeHeader:count uri="urn:ietf:params:xml:ns:rdeRegistrar-1.0">1</rdeHeader:count>
<rdeHeader:count uri="urn:ietf:params:xml:ns:rdeIDN-1.0">1</rdeHeader:count>
<rdeHeader:count uri="urn:ietf:params:xml:ns:rdeNNDN-1.0">1</rdeHeader:count>
</rdeHeader:header>
"#;

pub(crate) const OBJECTS: &str = r#"<rdeRegistrar:registrar><rdeRegistrar:id>R1</rdeRegistrar:id>
<rdeRegistrar:name>Registrar One</rdeRegistrar:name><rdeRegistrar:gurid>8</rdeRegistrar:gurid>
<rdeRegistrar:status>ok</rdeRegistrar:status>
<rdeRegistrar:postalInfo type="int"><rdeRegistrar:addr><rdeRegistrar:street>Street 1</rdeRegistrar:street>
<rdeRegistrar:city>Town</rdeRegistrar:city><rdeRegistrar:cc>US</rdeRegistrar:cc></rdeRegistrar:addr></rdeRegistrar:postalInfo>
<rdeRegistrar:voice x="12">+1.5551111</rdeRegistrar:voice><rdeRegistrar:email>r@one.test</rdeRegistrar:email>
<rdeRegistrar:url>http://one.test</rdeRegistrar:url>
<rdeRegistrar:whoisInfo><rdeRegistrar:url>http://whois.one.test</rdeRegistrar:url></rdeRegistrar:whoisInfo>
<rdeRegistrar:crDate>2005-04-23T11:49:00.0Z</rdeRegistrar:crDate>
</rdeRegistrar:registrar>
<rdeIDN:idnTableRef id="pt"><rdeIDN:url>http://tables.test/pt</rdeIDN:url></rdeIDN:idnTableRef>
<rdeContact:contact><rdeContact:id>C1</rdeContact:id><rdeContact:roid>C1-TEST</rdeContact:roid>
<rdeContact:status s="ok"/>
<rdeContact:postalInfo type="int"><contact:name>Ada</contact:name><contact:org>Org</contact:org>
<contact:addr><contact:street>Road 1</contact:street><contact:city>City</contact:city><contact:pc>123</contact:pc><contact:cc>FR</contact:cc></contact:addr></rdeContact:postalInfo>
<rdeContact:voice>+33.123456</rdeContact:voice><rdeContact:email>ada@a.test</rdeContact:email>
<rdeContact:clID>R1</rdeContact:clID><rdeContact:crRr client="joe">R1</rdeContact:crRr>
<rdeContact:crDate>2009-09-13T08:01:00.0Z</rdeContact:crDate>
<rdeContact:disclose flag="0"><contact:voice/><contact:email/></rdeContact:disclose>
</rdeContact:contact>
<rdeHost:host><rdeHost:name>ns1.a.test</rdeHost:name><rdeHost:roid>H1-TEST</rdeHost:roid>
<rdeHost:status s="ok"/><rdeHost:addr ip="v4">192.0.2.1</rdeHost:addr><rdeHost:addr ip="v6">2001:db8::1</rdeHost:addr>
<rdeHost:clID>R1</rdeHost:clID><rdeHost:crDate>2009-09-13T08:01:00.0Z</rdeHost:crDate></rdeHost:host>
<rdeHost:host><rdeHost:name>ns.other.example</rdeHost:name><rdeHost:roid>H2-TEST</rdeHost:roid>
<rdeHost:status s="ok"/><rdeHost:clID>R1</rdeHost:clID></rdeHost:host>
<rdeDomain:domain><rdeDomain:name>a.test</rdeDomain:name><rdeDomain:roid>D1-TEST</rdeDomain:roid>
<rdeDomain:status s="ok"/><rdeDomain:registrant>C1</rdeDomain:registrant>
<rdeDomain:contact type="admin">C1</rdeDomain:contact>
<rdeDomain:ns><domain:hostObj>ns1.a.test</domain:hostObj><domain:hostObj>ns.other.example</domain:hostObj></rdeDomain:ns>
<rdeDomain:clID>R1</rdeDomain:clID><rdeDomain:crRr client="joe">R1</rdeDomain:crRr>
<rdeDomain:crDate>2010-01-01T00:00:00.0Z</rdeDomain:crDate>
<rdeDomain:exDate>2030-01-01T00:00:00.0Z</rdeDomain:exDate>
<rdeDomain:secDNS><secDNS:maxSigLife>604800</secDNS:maxSigLife><secDNS:dsData><secDNS:keyTag>1</secDNS:keyTag><secDNS:alg>8</secDNS:alg>
<secDNS:digestType>2</secDNS:digestType><secDNS:digest>00FF</secDNS:digest></secDNS:dsData></rdeDomain:secDNS>
</rdeDomain:domain>
<rdeDomain:domain><rdeDomain:name>xn--bcher-kva.test</rdeDomain:name><rdeDomain:roid>D2-TEST</rdeDomain:roid>
<rdeDomain:idnTableId>pt</rdeDomain:idnTableId>
<rdeDomain:status s="inactive"/><rdeDomain:registrant>C1</rdeDomain:registrant>
<rdeDomain:clID>R1</rdeDomain:clID>
<rdeDomain:crDate>2010-01-01T00:00:00.0Z</rdeDomain:crDate>
<rdeDomain:exDate>2030-01-01T00:00:00.0Z</rdeDomain:exDate></rdeDomain:domain>
<rdeNNDN:NNDN><rdeNNDN:aName>reserved.test</rdeNNDN:aName><rdeNNDN:nameState>blocked</rdeNNDN:nameState></rdeNNDN:NNDN>
"#;

pub(crate) const TAIL: &str = "</rde:contents>\n</rde:deposit>\n";

/// The deposit without any finding.
pub(crate) fn good() -> String {
    [HEAD, HEADER, OBJECTS, TAIL].concat()
}

/// The good deposit with one text in place of another, which has to occur.
pub(crate) fn spoiled(from: &str, to: &str) -> String {
    let good = good();
    assert!(good.contains(from), "{from}");
    good.replacen(from, to, 1)
}

/// The result of an import.
pub(crate) struct Outcome {
    pub(crate) bytes: Result<Vec<u8>, ImportError>,
    pub(crate) report: Box<Report>,
    pub(crate) lines: String,
}

impl Outcome {
    /// Codes of the rules that were broken.
    pub(crate) fn codes(&self) -> Vec<&'static str> {
        self.report.per_rule.iter().map(|(rule, _)| rule.text().code).collect()
    }

    /// The snapshot.
    pub(crate) fn snapshot(&self) -> Snapshot<&[u8]> {
        match &self.bytes {
            Ok(bytes) => Snapshot::open(bytes.as_slice()).unwrap(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Code of the rule for which the deposit was refused.
    pub(crate) fn refusal(&self) -> &'static str {
        match &self.bytes {
            Err(ImportError { reason: Reason::Refused(finding), .. }) => finding.rule,
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it was imported"),
        }
    }
}

pub(crate) fn options(paths: &[&Path]) -> Options {
    Options {
        deposits: paths.iter().map(|&path| PathBuf::from(path)).collect(),
        pipes: whoisd::import::Pipes::default(),
        memory_bytes: 64 << 20,
        content_bytes_max: Options::CONTENT_BYTES_MAX,
        follow: whoisd::import::Follow::Any,
        strict: false,
        findings_max: None,
        now_ms: NOW_MS,
        hash_seed: 7,
        generation: 1,
    }
}

/// Imports with options.
pub(crate) fn import_with(options: &Options) -> Outcome {
    let scratch: Rc<dyn Scratch> = Rc::new(MemoryScratch);
    let mut lines = Vec::new();
    let out = Cursor::new(Vec::new());
    let done = run(options, &scratch, out, Some(&mut lines), &mut Quiet);
    let lines = String::from_utf8(lines).unwrap();
    match done {
        Ok((out, report)) => {
            Outcome { bytes: Ok(out.into_inner()), report: Box::new(report), lines }
        }
        Err(ImportError { reason, report }) => {
            let error = ImportError { reason, report: Box::default() };
            Outcome { bytes: Err(error), report, lines }
        }
    }
}

/// Imports files.
pub(crate) fn import_files(paths: &[&Path]) -> Outcome {
    import_with(&options(paths))
}

/// Imports a text as a separate file.
pub(crate) fn import(text: impl AsRef<[u8]>) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deposit.xml");
    std::fs::write(&path, text).unwrap();
    import_files(&[&path])
}

/// A file of this repository's test deposits.
pub(crate) fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deposits").join(name)
}

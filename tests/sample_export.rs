//! Deposits out of any source: hostile text, references by ROID, data that a model has no room for.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process::Command;

use snapshot_format::object::{
    Contact, ContactLink, ContactRole, DnsKey, Domain, Ds, HostLink, IdnTable, Nameserver, Nndn,
    Postal, Registrar, SecDns, Time,
};
use snapshot_format::status::{ContactStatuses, DomainStatuses, HostStatuses};
use whoisd::export::csv::Options;
use whoisd::export::{Repository, Source, Visit, VisitDomain, csv, xml};

/// One object of each kind.
struct One {
    contact: Contact,
    nameserver: Nameserver,
    domain: Domain,
}

impl Source for One {
    fn repository(&mut self) -> io::Result<Repository> {
        Ok(Repository {
            suffixes: vec!["demo".to_owned()],
            watermark_ms: 1_767_225_600_000,
            deposit_id: "1".to_owned(),
            counts: [0, 0, 1, 1, 0, 1],
            suffix_domains: vec![1],
            extra_keys: vec!["A \"key\" & <more>".to_owned()],
        })
    }

    fn registrars(&mut self, _: Visit<'_, Registrar>) -> io::Result<()> {
        Ok(())
    }

    fn idn_tables(&mut self, _: Visit<'_, IdnTable>) -> io::Result<()> {
        Ok(())
    }

    fn contacts(&mut self, visit: Visit<'_, Contact>) -> io::Result<()> {
        visit(&self.contact)
    }

    fn nameservers(&mut self, visit: Visit<'_, Nameserver>) -> io::Result<()> {
        visit(&self.nameserver)
    }

    fn nndns(&mut self, _: Visit<'_, Nndn>) -> io::Result<()> {
        Ok(())
    }

    fn domains(&mut self, visit: VisitDomain<'_>) -> io::Result<()> {
        visit(&self.domain, &[])
    }
}

const HOSTILE: &str = "a, \"b\" <c> & 'd' ]]> \u{1}\u{ffff} é</rdeContact:contact>";

fn one() -> One {
    let mut contact = Contact {
        id: "C-1".to_owned(),
        roid: "C1-DEMO".to_owned(),
        statuses: ContactStatuses { bits: ContactStatuses::OK },
        email: "a@example.com".to_owned(),
        registrar: "reg".to_owned(),
        ..Contact::default()
    };
    let street = [HOSTILE.to_owned(), "line\r\nfeed,\ttab".to_owned(), String::new()];
    let name = HOSTILE.to_owned();
    let (city, cc) = ("City".to_owned(), "US".to_owned());
    contact.postal.push(Postal { name, street, city, cc, ..Postal::default() });
    let nameserver = Nameserver {
        name: "ns1.one.demo".to_owned(),
        roid: "H1-DEMO".to_owned(),
        statuses: HostStatuses { bits: HostStatuses::OK },
        v6: vec![std::net::Ipv6Addr::LOCALHOST.octets()],
        registrar: "reg".to_owned(),
        ..Nameserver::default()
    };
    let key = DnsKey { flags: 257, protocol: 3, algorithm: 13, public_key: vec![1, 2, 3, 4] };
    let ds = Ds { key_tag: 9, algorithm: 13, digest_type: 2, digest: vec![0xab, 0xcd] };
    let domain = Domain {
        name: "one.demo".to_owned(),
        roid: "D1-DEMO".to_owned(),
        statuses: DomainStatuses { bits: DomainStatuses::OK | DomainStatuses::ADD_PERIOD },
        contacts: vec![ContactLink { role: ContactRole::Registrant, id: "C-1".to_owned() }],
        nameservers: vec![HostLink::Name("ns1.one.demo".to_owned())],
        registrar: "reg".to_owned(),
        created: Time::from_ms(1_700_000_000_007),
        sec_dns: Some(SecDns { max_sig_life_s: 60, ds: vec![ds], keys: vec![key] }),
        extras: vec![("A \"key\" & <more>".to_owned(), HOSTILE.to_owned())],
        ..Domain::default()
    };
    One { contact, nameserver, domain }
}

fn xml_of(source: &mut One) -> io::Result<String> {
    let mut out = Vec::new();
    xml::write(source, &mut out).map(|()| String::from_utf8(out).unwrap())
}

fn assert_valid(text: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rde-schema/all.xsd");
    let output = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema", schema])
        .arg(file.path())
        .output()
        .expect("xmllint is not installed: install the Debian package libxml2-utils");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn hostile_text_stays_text_in_xml() {
    let text = xml_of(&mut one()).unwrap();
    assert_valid(&text);
    assert_eq!(text.matches("</rdeContact:contact>").count(), 1);
    let expected = "<contact:name>a, &quot;b&quot; &lt;c&gt; &amp; 'd' ]]&gt; \u{fffd}\u{fffd} é";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("line&#13;&#10;feed,&#9;tab"), "{text}");
    assert!(text.contains("<rdeDomain:crDate>2023-11-14T22:13:20.007Z</rdeDomain:crDate>"));
    assert!(text.contains("<secDNS:digest>ABCD</secDNS:digest><secDNS:keyData>"), "{text}");
}

#[test]
fn hostile_text_stays_a_cell_in_csv() {
    let directory = tempfile::tempdir().unwrap();
    let path = csv::write(&mut one(), directory.path(), Options::default()).unwrap();
    let declared = fs::read_to_string(path).unwrap();
    assert_valid(&declared);
    assert!(declared.contains("name=\"A &quot;key&quot; &amp; &lt;more&gt;\""), "{declared}");
    let read = |name: &str| {
        let mut reader = ::csv::ReaderBuilder::new();
        let mut reader = reader.has_headers(false).from_path(directory.path().join(name)).unwrap();
        reader.records().map(Result::unwrap).collect::<Vec<_>>()
    };
    let postal = read("demo_2026-01-01_full_S1_R0.contactPostal.csv");
    assert_eq!(&postal[0][2], HOSTILE);
    assert_eq!(&postal[0][5], "line\r\nfeed,\ttab");
    let domain = read("demo_2026-01-01_full_S1_R0.domain.csv");
    assert_eq!(domain[0].iter().next_back(), Some(HOSTILE));
    let statuses = read("demo_2026-01-01_full_S1_R0.domainStatuses.csv");
    assert_eq!(statuses[0].iter().collect::<Vec<_>>(), ["one.demo", "ok", "", "", "addPeriod"]);
    assert_eq!(&read("demo_2026-01-01_full_S1_R0.dnssec-ds.csv")[0][5], "ABCD");
    assert_eq!(&read("demo_2026-01-01_full_S1_R0.dnssec-key.csv")[0][5], "AQIDBA==");
}

#[test]
fn a_nameserver_by_roid_is_refused_in_xml_and_has_its_file_in_csv() {
    let mut source = one();
    source.domain.nameservers = vec![HostLink::Roid("H1-DEMO".to_owned())];
    let message = xml_of(&mut source).unwrap_err().to_string();
    assert!(message.contains("one.demo: refers to nameserver H1-DEMO by its ROID"), "{message}");
    let directory = tempfile::tempdir().unwrap();
    csv::write(&mut source, directory.path(), Options::default()).unwrap();
    let file = directory.path().join("demo_2026-01-01_full_S1_R0.domainNameServers-roid.csv");
    assert_eq!(fs::read_to_string(file).unwrap(), "one.demo,H1-DEMO\n");
}

#[test]
fn a_nameserver_without_a_roid_is_refused_in_csv_and_no_xml_is_left() {
    let mut source = one();
    source.nameserver.roid.clear();
    let directory = tempfile::tempdir().unwrap();
    let refused = csv::write(&mut source, directory.path(), Options::default());
    assert!(refused.unwrap_err().to_string().contains("ns1.one.demo: the CSV model needs"));
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    // Folders that were made for it go as well, those that were there stay.
    let new = directory.path().join("new/folder");
    assert!(csv::write(&mut source, &new, Options::default()).is_err());
    assert!(!directory.path().join("new").exists() && directory.path().exists());
    // The files of an earlier run stay as they were.
    let header = csv::write(&mut one(), &new, Options::default()).unwrap();
    let files = || {
        let files = fs::read_dir(&new).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| (path.clone(), fs::read(path).unwrap())).collect::<BTreeMap<_, _>>()
    };
    let before = files();
    assert!(before.contains_key(&header) && before.len() == 21);
    source.domain.name = "two.demo".to_owned();
    assert!(csv::write(&mut source, &new, Options::default()).is_err());
    assert!(files() == before);
}

//! The sample: deterministic, unique, of realistic shape, closed; and the deposits it writes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use hashbrown::{HashMap, HashSet};
use snapshot_format::layout::Kind;
use snapshot_format::object::{Contact, Domain, HostLink, Nameserver, Nndn};
use snapshot_format::sort::MemoryScratch;
use snapshot_format::status::{
    CONTACT_STATUS_WORDS, ContactStatuses, DOMAIN_STATUS_WORDS, DomainStatuses, HOST_STATUS_WORDS,
    HostStatuses,
};
use whoisd::export::csv::{Checksum, Options as CsvOptions};
use whoisd::sample::{Registry, Settings, Workspace, build, deposit, showcase};
use whoisd::view::View;

type Set = HashSet<String, ahash::RandomState>;
type Counts<K> = HashMap<K, u64, ahash::RandomState>;

const WATERMARK_S: i64 = 1_767_225_600;

fn registry(domains: u64, seed: u64, tlds: &[&str]) -> Registry {
    let tlds: Vec<String> = tlds.iter().map(ToString::to_string).collect();
    Registry::new(&Settings::parse(seed, domains, &tlds, WATERMARK_S).unwrap())
}

fn domains(registry: &Registry) -> impl Iterator<Item = Domain> + '_ {
    let mut workspace = Workspace::default();
    (0..registry.domain_count()).map(move |i| {
        let mut domain = Domain::default();
        registry.domain(i, &mut workspace, &mut domain);
        domain
    })
}

fn contacts(registry: &Registry) -> impl Iterator<Item = Contact> + '_ {
    (0..registry.contact_count()).map(|i| {
        let mut contact = Contact::default();
        registry.contact(i, &mut contact);
        contact
    })
}

fn nameservers(registry: &Registry) -> impl Iterator<Item = Nameserver> + '_ {
    let mut workspace = Workspace::default();
    (0..registry.nameserver_count()).map(move |i| {
        let mut nameserver = Nameserver::default();
        registry.nameserver(i, &mut workspace, &mut nameserver);
        nameserver
    })
}

fn nndns(registry: &Registry) -> impl Iterator<Item = Nndn> + '_ {
    let mut workspace = Workspace::default();
    (0..registry.nndn_places()).filter_map(move |i| {
        let mut nndn = Nndn::default();
        registry.nndn(i, &mut workspace, &mut nndn).then_some(nndn)
    })
}

fn xml(registry: &Registry) -> Vec<u8> {
    let mut out = Vec::new();
    deposit::write_rde_xml(registry, &mut out, &mut |_, _, _| {}).unwrap();
    out
}

fn snapshot(registry: &Registry) -> Vec<u8> {
    let options = build::options(registry, 32 << 20);
    let out = std::io::Cursor::new(Vec::new());
    let built =
        build::build_into(registry, out, Rc::new(MemoryScratch), options, &mut |_, _, _| {});
    built.unwrap().0.into_inner()
}

/// Whether `file` validates against the schemas of RFC 8909 and RFC 9022.
fn assert_valid(file: &Path) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rde-schema/all.xsd");
    let output = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema"])
        .arg(schema)
        .arg(file)
        .output()
        .expect("xmllint is not installed: install the Debian package libxml2-utils");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_same_settings_give_the_same_bytes_and_another_seed_others() {
    let first = registry(400, 1, &[]);
    assert_eq!(xml(&first), xml(&registry(400, 1, &[])));
    assert_ne!(xml(&first), xml(&registry(400, 2, &[])));
    assert_eq!(snapshot(&first), snapshot(&registry(400, 1, &[])));
    assert_ne!(snapshot(&first), snapshot(&registry(400, 2, &[])));
}

#[test]
fn objects_do_not_depend_on_what_was_made_before() {
    let registry = registry(2000, 3, &[]);
    let forward: Vec<Domain> = domains(&registry).collect();
    // One object and one workspace for all of them, from the last to the first.
    let (mut workspace, mut domain) = (Workspace::default(), Domain::default());
    for i in (0..2000).rev() {
        registry.domain(i, &mut workspace, &mut domain);
        assert_eq!(domain, forward[usize::try_from(i).unwrap()]);
    }
    let forward: Vec<Contact> = contacts(&registry).collect();
    let mut contact = Contact::default();
    for i in (0..registry.contact_count()).rev() {
        registry.contact(i, &mut contact);
        assert_eq!(contact, forward[usize::try_from(i).unwrap()]);
    }
}

#[test]
fn names_are_unique_and_valid_at_200_000() {
    let registry = registry(200_000, 5, &[]);
    let (mut workspace, mut name) = (Workspace::default(), String::new());
    let mut seen = Set::default();
    for i in 0..registry.domain_count() {
        registry.domain_name(i, &mut workspace, &mut name);
        let label = name.split('.').next().unwrap();
        assert!((3..=63).contains(&label.len()), "{name}");
        assert!(!label.starts_with('-') && !label.ends_with('-'), "{name}");
        assert!(
            name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.')),
            "{name}"
        );
        assert!(seen.insert(name.clone()), "{name} twice");
    }
    for nndn in nndns(&registry) {
        assert!(seen.insert(nndn.name.clone()), "{} twice", nndn.name);
    }
    let mut hosts = Set::default();
    for i in 0..registry.nameserver_count() {
        registry.nameserver_name(i, &mut workspace, &mut name);
        assert!(hosts.insert(name.clone()), "{name} twice");
    }
}

#[test]
fn internationalised_names_have_a_table_and_both_forms() {
    let registry = registry(20_000, 1, &[]);
    let mut tables = Set::default();
    for domain in domains(&registry) {
        let (u_name, result) = idna::domain_to_unicode(&domain.name);
        assert!(result.is_ok(), "{}", domain.name);
        if domain.name.contains("xn--") {
            assert_eq!(domain.u_name, u_name);
            assert_eq!(idna::domain_to_ascii_strict(&u_name).unwrap(), domain.name);
            assert!(registry.idn_tables().iter().any(|table| table.id == domain.idn_table));
            tables.insert(domain.idn_table);
        } else {
            assert_eq!(domain.u_name, "");
        }
    }
    assert_eq!(tables.len(), 9, "eight scripts, and ASCII below an IDN suffix");
}

#[test]
fn every_reference_names_an_object_that_is_there() {
    for (size, tlds) in [(100, &[] as &[&str]), (127, &["demo"]), (3000, &["xn--jxalpdlp", "com"])]
    {
        let registry = registry(size, 9, tlds);
        let ids: Set = contacts(&registry).map(|contact| contact.id).collect();
        assert_eq!(ids.len() as u64, registry.contact_count());
        let hosts: Set = nameservers(&registry).map(|host| host.name).collect();
        let names: Set = domains(&registry).map(|domain| domain.name).collect();
        let registrars: Set = registry.registrars().iter().map(|r| r.id.clone()).collect();
        assert_eq!(registrars.len(), registry.registrars().len());
        let mut linked = Set::default();
        for domain in domains(&registry) {
            assert!(registrars.contains(&domain.registrar));
            assert!(registrars.contains(&domain.creator.registrar));
            for link in &domain.contacts {
                assert!(ids.contains(&link.id), "{}: {}", domain.name, link.id);
                linked.insert(link.id.clone());
            }
            for link in &domain.nameservers {
                let HostLink::Name(name) = link else { panic!("{}: by ROID", domain.name) };
                assert!(hosts.contains(name), "{}: {name}", domain.name);
                linked.insert(name.clone());
            }
            assert!(domain.original_name.is_empty() || names.contains(&domain.original_name));
        }
        for nndn in nndns(&registry) {
            assert!(!names.contains(&nndn.name), "{}", nndn.name);
            assert!(nndn.original_name.is_empty() || names.contains(&nndn.original_name));
        }
        // The objects with the status `linked` are linked, and no others.
        for contact in contacts(&registry) {
            let says = contact.statuses.any(ContactStatuses::LINKED);
            assert_eq!(says, linked.contains(&contact.id), "{}", contact.id);
        }
        for host in nameservers(&registry) {
            let says = host.statuses.any(HostStatuses::LINKED);
            assert_eq!(says, linked.contains(&host.name), "{size} {}", host.name);
            let below = |tld: &String| host.name.ends_with(&format!(".{tld}"));
            let served = registry.settings().tlds().iter().any(below);
            assert_eq!(served, !host.v4.is_empty() || !host.v6.is_empty(), "{}", host.name);
            let parent = host.name.split_once('.').unwrap().1;
            assert!(!served || !says || names.contains(parent), "{}", host.name);
        }
    }
}

#[test]
fn the_shape_is_that_of_a_registry() {
    let registry = registry(50_000, 1, &[]);
    let total = 50_000.0;
    let (mut label_bytes, mut signed, mut extras, mut bare, mut links) = (0, 0, 0, 0, 0);
    let (mut many, mut idns, mut transferred) = (0, 0, 0);
    let mut shares = Counts::<String>::default();
    let mut lengths = Counts::<usize>::default();
    let mut holders = Set::default();
    for domain in domains(&registry) {
        let label = domain.name.split('.').next().unwrap();
        label_bytes += label.len();
        *lengths.entry(label.len()).or_default() += 1;
        signed += u64::from(domain.sec_dns.is_some());
        extras += u64::from(!domain.extras.is_empty());
        bare += u64::from(domain.nameservers.is_empty());
        many += u64::from(domain.nameservers.len() >= 8);
        idns += u64::from(label.starts_with("xn--"));
        transferred += u64::from(domain.transferred.is_some());
        links += domain.contacts.len();
        holders.extend(domain.contacts.into_iter().map(|link| link.id));
        *shares.entry(domain.registrar).or_default() += 1;
    }
    let share = |count: u64| count as f64 / total;
    let mean = label_bytes as f64 / total;
    assert!((11.5..=13.5).contains(&mean), "{mean}");
    assert!(lengths.contains_key(&3) && lengths.keys().any(|&length| length > 40));
    assert!((0.05..0.07).contains(&share(signed)), "{signed}");
    assert!((0.04..0.06).contains(&share(extras)), "{extras}");
    assert!((0.02..0.04).contains(&share(bare)), "{bare}");
    assert!((0.005..0.025).contains(&share(many)), "{many}");
    assert!((0.015..0.03).contains(&share(idns)), "{idns}");
    assert!((0.03..0.07).contains(&share(transferred)), "{transferred}");
    assert!((3.8..4.1).contains(&(links as f64 / total)), "{links}");
    assert!((0.38..0.42).contains(&share(holders.len() as u64)), "{}", holders.len());
    let mut shares: Vec<u64> = shares.into_values().collect();
    shares.sort_unstable();
    let ten: u64 = shares.iter().rev().take(10).sum();
    assert!(share(ten) > 0.35, "the ten biggest registrars have {ten}");
    assert_eq!(shares.len(), 250, "every registrar has domains");
}

#[test]
fn every_status_occurs_and_agrees_with_dates_and_delegation() {
    let registry = registry(5000, 1, &[]);
    let now_ms = WATERMARK_S * 1000;
    let (mut seen, mut bits) = (Set::default(), 0);
    for domain in domains(&registry) {
        bits |= domain.statuses.bits;
        seen.extend(domain.statuses.words().map(str::to_owned));
        let epp = domain.statuses.words().filter(|w| DomainStatuses::epp_bit(w).is_some()).count();
        assert!(epp >= 1, "{}", domain.name);
        assert!(!domain.statuses.any(DomainStatuses::OK) || epp == 1, "{}", domain.name);
        assert_eq!(domain.statuses.any(DomainStatuses::INACTIVE), domain.nameservers.is_empty());
        let pending = domain.statuses.any(DomainStatuses::PENDING_TRANSFER);
        let asked = domain.transfer.as_ref().is_some_and(|transfer| transfer.status == "pending");
        assert_eq!(pending, asked, "{}", domain.name);
        assert!(domain.created.ms < now_ms && domain.expires.ms > now_ms, "{}", domain.name);
        assert!(!domain.updated.is_some() || domain.updated.ms <= now_ms, "{}", domain.name);
    }
    for word in DOMAIN_STATUS_WORDS {
        assert!(seen.contains(*word), "{word} does not occur");
    }
    assert!(bits & DomainStatuses::RGP_PENDING_DELETE != 0);
    let contacts: Set = contacts(&self::registry(20_000, 1, &[]))
        .flat_map(|contact| contact.statuses.words().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    for word in CONTACT_STATUS_WORDS {
        assert!(contacts.contains(*word), "contacts: {word} does not occur");
    }
    let hosts: Set = nameservers(&self::registry(50_000, 1, &[]))
        .flat_map(|host| host.statuses.words().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    for word in HOST_STATUS_WORDS {
        assert!(hosts.contains(*word), "nameservers: {word} does not occur");
    }
}

#[test]
fn the_showcase_is_there_at_any_size_and_seed_and_answers_its_queries() {
    for (size, seed) in [(100, 1), (100, 77), (3000, 5)] {
        let registry = registry(size, seed, &[]);
        let view = View::of_bytes(snapshot(&registry)).unwrap();
        view.prepare().unwrap();
        let base = view.base();
        assert_eq!(u64::from(base.count(Kind::Domain)), size);
        for name in ["example.demo", "xn--mnchen-3ya.demo", "muenchen.demo", "xn--fa-hia.demo"] {
            assert!(base.find_domain(name).unwrap().is_some(), "{name}");
        }
        for label in ["add", "auto-renew", "renew", "transfer", "redemption", "pending-restore"] {
            assert!(base.find_domain(&format!("rgp-{label}.demo")).unwrap().is_some(), "{label}");
        }
        for name in ["nic.demo", "mnchen.demo", "fass.demo"] {
            assert!(base.find_nndn(name).unwrap().is_some(), "{name}");
            assert!(base.find_domain(name).unwrap().is_none(), "{name}");
        }
        assert!(base.find_nameserver("ns1.example.demo").unwrap().is_some());
        assert_eq!(registry.registrars()[0].name, "Example Registrar, Inc.");
    }
    let first: Vec<Domain> = domains(&registry(100, 1, &[])).take(20).collect();
    assert_eq!(first, domains(&registry(5000, 2, &[])).take(20).collect::<Vec<_>>());
    assert!(showcase::QUERIES.iter().all(|(query, what)| !query.is_empty() && !what.is_empty()));
}

#[test]
fn the_xml_model_validates_against_the_schemas() {
    let directory = tempfile::tempdir().unwrap();
    for (number, tlds) in [&[] as &[&str], &["shop"], &["xn--jxalpdlp", "com"]].iter().enumerate() {
        let file = directory.path().join(format!("{number}.xml"));
        fs::write(&file, xml(&registry(3000, 11, tlds))).unwrap();
        assert_valid(&file);
    }
}

#[test]
fn the_csv_model_validates_and_its_checksums_are_right() {
    for (gzip, checksum) in [(false, Checksum::Crc32), (true, Checksum::Sha256)] {
        let directory = tempfile::tempdir().unwrap();
        let registry = registry(2000, 4, &[]);
        let options = CsvOptions { gzip, checksum };
        let xml = deposit::write_rde_csv(&registry, directory.path(), options, &mut |_, _, _| {})
            .unwrap();
        assert_eq!(xml.file_name().unwrap(), "demo_2026-01-01_full_S1_R0.csv.xml");
        assert_valid(&xml);
        let text = fs::read_to_string(&xml).unwrap();
        let mut files = 0;
        for piece in text.split("<rdeCsv:file ").skip(1) {
            let sum = piece.split("cksum=\"").nth(1).unwrap().split('"').next().unwrap();
            let name = piece.split('>').nth(1).unwrap().split('<').next().unwrap();
            let bytes = fs::read(directory.path().join(name)).unwrap();
            let actual = match checksum {
                Checksum::Crc32 => format!("{:08X}", crc32fast::hash(&bytes)),
                Checksum::Sha256 => sha256(&bytes),
            };
            assert_eq!(sum, actual, "{name}");
            assert_eq!(gzip, piece.starts_with("compression=\"gzip\""));
            files += 1;
        }
        assert_eq!(files, 20);
        assert_eq!(rows(directory.path(), "demo_2026-01-01_full_S1_R0.domain.csv", gzip), 2000);
        let hosts = rows(directory.path(), "demo_2026-01-01_full_S1_R0.host.csv", gzip);
        assert_eq!(hosts, registry.nameserver_count());
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Rows of a CSV file; reading them all proves that each has as many cells as the first.
fn rows(directory: &Path, name: &str, gzip: bool) -> u64 {
    let name = if gzip { format!("{name}.gz") } else { name.to_owned() };
    let bytes = fs::read(directory.join(name)).unwrap();
    let mut text = Vec::new();
    if gzip {
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut text).unwrap();
    } else {
        text = bytes;
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_slice());
    reader.records().map(|record| record.map(|_| 1).unwrap()).sum()
}

#[test]
fn extras_are_custom_columns_of_the_csv_model() {
    let directory = tempfile::tempdir().unwrap();
    let registry = registry(1000, 4, &[]);
    let options = CsvOptions::default();
    let xml =
        deposit::write_rde_csv(&registry, directory.path(), options, &mut |_, _, _| {}).unwrap();
    let text = fs::read_to_string(xml).unwrap();
    assert!(text.contains("<rdeCsv:fCustom name=\"Membership ID\"/>"));
    let rows =
        fs::read_to_string(directory.path().join("demo_2026-01-01_full_S1_R0.domain.csv")).unwrap();
    assert!(rows.lines().next().unwrap().ends_with(",,,,,M-000001,,en"), "{rows:.200}");
}

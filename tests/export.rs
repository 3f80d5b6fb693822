//! `whoisd export`: a directory goes out as it came in, in both models, after live changes and a
//! fold as well.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod server;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use server::{Server, program};
use snapshot_format::delta::Chosen;
use snapshot_format::layout::Kind;
use snapshot_format::object::{Actor, Domain, Nameserver, Transfer};
use snapshot_format::{Change, Object};
use whoisd::feed::ChangeRecord;
use whoisd::view::View;

/// Everything that a directory has, by kind and key: objects, and what host attributes state.
#[derive(Debug, PartialEq, Eq)]
struct All {
    objects: BTreeMap<(Kind, String), Object>,
    attributes: BTreeMap<(String, String), Nameserver>,
}

/// An object without the parts that the XML model has no room for: key-value extras, and the client
/// of a registrar that is not there.
fn as_xml_has_it(object: &Object) -> Object {
    let mut object = object.clone();
    let transfer = |transfer: &mut Option<Transfer>| {
        for actor in transfer.iter_mut().flat_map(|of| [&mut of.requester, &mut of.actor]) {
            known(actor);
        }
    };
    match &mut object {
        Object::Domain(domain) => {
            domain.extras.clear();
            [&mut domain.creator, &mut domain.updater].into_iter().for_each(known);
            transfer(&mut domain.transfer);
        }
        Object::Contact(contact) => {
            [&mut contact.creator, &mut contact.updater].into_iter().for_each(known);
            transfer(&mut contact.transfer);
        }
        Object::Nameserver(host) => {
            [&mut host.creator, &mut host.updater].into_iter().for_each(known);
        }
        Object::Registrar(_) | Object::IdnTable(_) | Object::Nndn(_) => {}
    }
    object
}

fn known(actor: &mut Actor) {
    if actor.registrar.is_empty() {
        actor.client.clear();
    }
}

impl All {
    fn of(dir: &Path) -> Self {
        let view = View::open(dir).unwrap();
        let (mut objects, mut attributes) = (BTreeMap::new(), BTreeMap::new());
        let all = Chosen::all();
        for kind in Kind::ALL {
            let take = &mut |object: Object| {
                let key = (object.kind(), object.key().to_owned());
                assert!(objects.insert(key.clone(), object).is_none(), "{key:?} twice");
                Ok(())
            };
            view.data().objects(kind, &all, take).unwrap();
        }
        let take = &mut |domain: &Domain, own: &[Nameserver]| {
            for host in own {
                attributes.insert((domain.name.clone(), host.name.clone()), host.clone());
            }
            Ok(())
        };
        view.data().domain_objects(&all, take).unwrap();
        Self { objects, attributes }
    }

    fn in_xml(mut self) -> Self {
        self.objects.values_mut().for_each(|object| *object = as_xml_has_it(object));
        self
    }

    fn assert_is(&self, other: &Self, what: &str) {
        for (key, object) in &self.objects {
            assert_eq!(Some(object), other.objects.get(key), "{what}: {key:?}");
        }
        assert_eq!(self.objects.len(), other.objects.len(), "{what}");
        assert_eq!(self.attributes, other.attributes, "{what}");
    }
}

/// The XML files of a folder.
fn documents(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|of| of == "xml")).collect()
}

fn assert_is_valid(deposit: &Path) {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rde-schema/all.xsd");
    let mut xmllint = Command::new("xmllint");
    let output = xmllint.args(["--noout", "--nonet", "--schema", schema]).arg(deposit).output();
    let output = output.expect("xmllint is not installed: install the package libxml2-utils");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        program().args(arguments).current_dir(self.0.path()).output().unwrap()
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Sends a directory out in both models and in again, and compares.
    fn assert_is_identity(&self, dir: &str, what: &str) {
        let all = All::of(&self.at(dir));
        self.done(&["export", dir, "--rde-xml", "out.xml", "--rde-csv", "csv", "--quiet"]);
        let [csv] = documents(&self.at("csv")).try_into().unwrap();
        let (xml_dir, csv_dir) = (format!("{dir}-xml"), format!("{dir}-csv"));
        self.done(&["import", "out.xml", "--into", &xml_dir, "--quiet"]);
        self.done(&["import", csv.to_str().unwrap(), "--into", &csv_dir, "--quiet"]);
        All::of(&self.at(&csv_dir)).assert_is(&all, &format!("{what}, CSV"));
        let xml = All::of(&self.at(&xml_dir));
        xml.assert_is(&all.in_xml(), &format!("{what}, XML"));
        fs::remove_dir_all(self.at("csv")).unwrap();
    }
}

fn path_of(deposit: &str) -> String {
    format!("{}/tests/deposits/{deposit}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_samples_of_the_rfc_go_out_as_they_came_in() {
    for deposit in ["rfc9022-full-xml.xml", "rfc9022-csv/deposit.xml"] {
        let site = Site::new();
        site.done(&["import", &path_of(deposit), "--into", "a", "--quiet"]);
        site.assert_is_identity("a", deposit);
    }
}

#[test]
fn generated_registries_go_out_as_they_came_in() {
    for seed in ["1", "2", "3"] {
        let site = Site::new();
        site.done(&["sample", "--domains", "400", "--seed", seed, "--rde-csv", "sample"]);
        let [xml] = documents(&site.at("sample")).try_into().unwrap();
        site.done(&["import", xml.to_str().unwrap(), "--into", "a", "--quiet"]);
        site.assert_is_identity("a", &format!("seed {seed}"));
        assert_is_valid(&site.at("out.xml"));
    }
}

/// A deposit of a registry with host attributes.
const ATTRIBUTES: &str = r#"<rde:deposit type="FULL" id="20261101001"
    xmlns:rde="urn:ietf:params:xml:ns:rde-1.0" xmlns:h="urn:ietf:params:xml:ns:rdeHeader-1.0"
    xmlns:d="urn:ietf:params:xml:ns:rdeDomain-1.0" xmlns:e="urn:ietf:params:xml:ns:domain-1.0"
    xmlns:r="urn:ietf:params:xml:ns:rdeRegistrar-1.0">
  <rde:watermark>2026-11-01T00:00:00Z</rde:watermark>
  <rde:rdeMenu><rde:version>1.0</rde:version>
    <rde:objURI>urn:ietf:params:xml:ns:rdeDomain-1.0</rde:objURI></rde:rdeMenu>
  <rde:contents>
    <h:header><h:tld>test</h:tld>
      <h:count uri="urn:ietf:params:xml:ns:rdeDomain-1.0">2</h:count></h:header>
    <r:registrar><r:id>R1</r:id><r:name>One</r:name></r:registrar>
    <d:domain><d:name>a.test</d:name><d:roid>D1-TEST</d:roid><d:status s="ok"/>
      <d:ns><e:hostAttr><e:hostName>ns1.a.test</e:hostName>
          <e:hostAddr ip="v4">192.0.2.1</e:hostAddr><e:hostAddr ip="v6">2001:db8::1</e:hostAddr>
        </e:hostAttr>
        <e:hostAttr><e:hostName>ns.other.example</e:hostName></e:hostAttr></d:ns>
      <d:clID>R1</d:clID><d:crDate>2010-01-01T00:00:00Z</d:crDate>
      <d:exDate>2030-01-01T00:00:00Z</d:exDate></d:domain>
    <d:domain><d:name>b.test</d:name><d:roid>D2-TEST</d:roid><d:status s="ok"/>
      <d:ns><e:hostAttr><e:hostName>ns1.a.test</e:hostName></e:hostAttr></d:ns>
      <d:clID>R1</d:clID><d:crDate>2010-01-01T00:00:00Z</d:crDate>
      <d:exDate>2030-01-01T00:00:00Z</d:exDate></d:domain>
  </rde:contents></rde:deposit>"#;

#[test]
fn host_attributes_go_out_as_attributes_with_their_addresses() {
    let site = Site::new();
    fs::write(site.at("attributes.xml"), ATTRIBUTES).unwrap();
    site.done(&["import", "attributes.xml", "--into", "a", "--quiet"]);
    let all = All::of(&site.at("a"));
    assert_eq!((all.objects.len(), all.attributes.len()), (3, 3), "{all:?}");
    site.assert_is_identity("a", "host attributes");
}

#[test]
fn live_changes_are_in_it_before_and_after_a_fold() {
    let site = Site::new();
    site.done(&["import", &path_of("rfc9022-full-xml.xml"), "--into", "a", "--quiet"]);
    let changed = |serial: u64, change: Change| {
        let record = ChangeRecord {
            serial,
            committed_ms: 1_795_608_000_000,
            transaction: String::new(),
            body: change.into(),
        };
        let mut line = Vec::new();
        record.write_json(&mut line);
        String::from_utf8(line).unwrap()
    };
    let all = All::of(&site.at("a"));
    let domain = all.objects.values().find_map(|object| match object {
        Object::Domain(domain) => Some(domain.clone()),
        _ => None,
    });
    let domain = domain.unwrap();
    let new = Domain { name: "new.test".to_owned(), roid: "N1-TEST".to_owned(), ..domain.clone() };
    let moved = Domain { registrar: domain.creator.registrar.clone(), ..domain };
    let lines = [new, moved]
        .into_iter()
        .zip(1..)
        .map(|(domain, serial)| changed(serial, Change::Upsert(Box::new(Object::Domain(domain)))));
    fs::write(site.at("changes.jsonl"), lines.collect::<String>()).unwrap();
    site.done(&["apply", "changes.jsonl", "--dir", "a"]);
    let after = All::of(&site.at("a"));
    assert!(after.objects.contains_key(&(Kind::Domain, "new.test".to_owned())));
    site.assert_is_identity("a", "live changes");
    let base = |view: &View| view.base().header().generation;
    let before = base(&View::open(&site.at("a")).unwrap());
    let config = "[updater]\nspool = true\nfold_changed_percent = 0\nfold_changed_count = 1\n";
    fs::write(site.at("whoisd.toml"), config).unwrap();
    let (config, dir) = (site.at("whoisd.toml"), site.at("a"));
    let own = ["--config", config.to_str().unwrap(), "--dir", dir.to_str().unwrap()];
    let server = Server::start(&[&own[..], &["--listen", "127.0.0.1:0", "--cores", "0"]].concat());
    let has_folded = || base(&View::open(&dir).unwrap()) > before;
    for _ in 0..2400 {
        if has_folded() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(has_folded(), "no fold in two minutes");
    drop(server);
    All::of(&dir).assert_is(&after, "a fold");
    site.done(&["export", "a", "--rde-csv", "folded", "--quiet"]);
    let [csv] = documents(&site.at("folded")).try_into().unwrap();
    site.done(&["import", csv.to_str().unwrap(), "--into", "again", "--quiet"]);
    All::of(&site.at("again")).assert_is(&after, "a fold, CSV");
}

#[test]
fn one_tld_goes_out_with_what_its_names_refer_to() {
    let site = Site::new();
    let tlds = ["--tld", "one", "--tld", "two"];
    let sample = ["sample", "--domains", "300", "--into", "a", "--quiet"];
    site.done(&[&sample[..], &tlds].concat());
    let all = All::of(&site.at("a"));
    site.done(&["export", "a", "--tld", "two", "--rde-xml", "two.xml", "--quiet"]);
    site.done(&["import", "two.xml", "--into", "b", "--quiet"]);
    let two = All::of(&site.at("b"));
    let is_two = |name: &str| name == "two" || name.ends_with(".two");
    let domains = |of: &All| -> Vec<String> {
        let keys = of.objects.keys().filter(|(kind, _)| *kind == Kind::Domain);
        keys.map(|(_, name)| name.clone()).filter(|name| is_two(name)).collect()
    };
    assert!(!domains(&all).is_empty());
    assert_eq!(domains(&two), domains(&all));
    let of_kind = |kind: Kind| two.objects.keys().filter(|(of, _)| *of == kind).count();
    assert_eq!(of_kind(Kind::Domain), domains(&all).len(), "and no other");
    assert!(of_kind(Kind::Contact) > 0 && of_kind(Kind::Nameserver) > 0);
    for (key, object) in two.objects {
        let other = all.objects.get(&key).unwrap_or_else(|| panic!("{key:?}"));
        assert_eq!(object, as_xml_has_it(other), "{key:?}");
    }
}

#[test]
fn a_tld_goes_out_without_the_tld_within_it_that_has_a_deposit_of_its_own() {
    let site = Site::new();
    // Both have the objects of one seed, so each ROID comes twice.
    for (name, tlds) in [("o", &["demo", "net.demo"][..]), ("i", &["co.demo"])] {
        let tlds = tlds.iter().flat_map(|tld| ["--tld", tld]);
        let sample = ["sample", "--domains", "300", "--quiet", "--rde-xml"];
        // Their times differ: each goes out with its own.
        let time = ["--watermark", if name == "o" { "2026-01-05" } else { "2026-02-07" }];
        site.done(&sample.into_iter().chain([name]).chain(tlds).chain(time).collect::<Vec<_>>());
    }
    site.done(&["import", "o", "i", "--into", "a", "--quiet"]);
    let names = |dir: &str| -> Vec<String> {
        let keys = All::of(&site.at(dir)).objects.into_keys();
        let keys = keys.filter(|(kind, _)| matches!(kind, Kind::Domain | Kind::Nndn));
        keys.map(|(_, name)| name).collect()
    };
    let is_inner = |name: &String| name == "co.demo" || name.ends_with(".co.demo");
    let (inner, outer): (Vec<String>, Vec<String>) = names("a").into_iter().partition(is_inner);
    assert!(inner.len() > 200 && outer.iter().any(|name| name.ends_with(".net.demo")));
    for (tld, expected) in [("demo", outer), ("co.demo", inner)] {
        let file = format!("{tld}.xml");
        site.done(&["export", "a", "--tld", tld, "--rde-xml", &file, "--quiet"]);
        let text = fs::read_to_string(site.at(&file)).unwrap();
        assert!(!text.contains("rcdn=\"co.demo\""), "{tld}");
        let time = if tld == "demo" { "2026-01-05T" } else { "2026-02-07T" };
        assert!(text.contains(&format!("<rde:watermark>{time}")), "{tld}");
        assert_eq!(text.contains("rcdn=\"net.demo\""), tld == "demo");
        site.done(&["import", &file, "--strict", "--into", tld, "--quiet"]);
        assert_eq!(names(tld), expected);
        // It comes back as what it was: the other one stays a TLD of its own.
        site.done(&["import", &file, "--into", "a", "--quiet"]);
        let view = View::open(&site.at("a")).unwrap();
        let mut tlds: Vec<&str> = view.state().deposits.iter().map(|mark| &*mark.tld).collect();
        tlds.sort_unstable();
        assert_eq!(tlds, ["co.demo", "demo"], "{tld}");
    }
}

#[test]
fn an_export_that_cannot_be_written_says_what_to_do() {
    let site = Site::new();
    site.done(&["sample", "--domains", "100", "--tld", "one", "--into", "a", "--quiet"]);
    let says = |arguments: &[&str], status: i32, words: &str| {
        let output = site.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    };
    says(&["export", "a"], 2, "name --rde-xml PATH or --rde-csv DIR");
    says(&["export", "a", "--rde-xml", "a/out.xml"], 2, "lies in the snapshot directory");
    says(&["export", "a", "--rde-csv", "a"], 2, "is the snapshot directory");
    says(&["export", "none", "--rde-xml", "x.xml"], 3, "no snapshot directory");
    says(&["export", "a", "--tld", "three", "--rde-xml", "x.xml"], 3, "has no TLD \"three\"");
    says(&["export", "a", "--rde-xml", "both", "--rde-csv", "./both"], 2, "name two places");
    says(&["export", "a", "--rde-csv", "-"], 2, "standard output is one; name a directory");
    says(&["export", ".", "--rde-xml", "x.xml"], 3, "no snapshot directory");
    says(&["export", "a", "--rde-xml", "no/x.xml"], 1, "no/x.xml: its folder no is not there");
    assert!(!site.at("-").exists() && !site.at("no").exists());
    assert!(!site.at("x.xml").exists());
    let to_output = site.done(&["export", "a", "--rde-xml", "-", "--quiet"]);
    assert!(to_output.starts_with("<?xml") && to_output.trim_end().ends_with("</rde:deposit>"));
}

#[test]
fn both_models_and_several_tlds_have_room_in_one_folder_and_come_in_together() {
    let site = Site::new();
    for (tld, seed) in [("one", "1"), ("two", "2")] {
        let sample = ["sample", "--domains", "300", "--tld", tld, "--seed", seed, "--quiet"];
        site.done(&[&sample[..], &["--rde-xml", "o/", "--rde-csv", "o"]].concat());
        // Files of the same name in separate folders, as other registries write them.
        let table = |file: &Path| {
            let name = file.file_name().unwrap().to_str().unwrap();
            name.split_once("_R0.")
                .filter(|(_, rest)| *rest != "xml")
                .map(|(_, rest)| rest.to_owned())
        };
        fs::create_dir(site.at(tld)).unwrap();
        for file in fs::read_dir(site.at("o")).unwrap().map(|entry| entry.unwrap().path()) {
            let is_own = file.file_name().unwrap().to_str().unwrap().starts_with(tld);
            let Some(table) = table(&file).filter(|_| is_own) else { continue };
            let text = fs::read_to_string(&file).unwrap();
            let plain = text.replace(&format!("{tld}_2026-01-01_full_S1_R0."), "");
            fs::write(site.at(tld).join(table), plain).unwrap();
        }
    }
    let names = |file: &str| format!("o/one_2026-01-01_full_S1_R0.{file}");
    let of_two = |file: &str| names(file).replace("one", "two");
    site.done(&["import", &names("xml"), &of_two("xml"), "--into", "x", "--quiet"]);
    let xml = All::of(&site.at("x"));
    for (one, two, more) in [
        (names("csv.xml"), of_two("csv.xml"), &[][..]),
        ("one/csv.xml".to_owned(), "two/csv.xml".to_owned(), &[]),
        // A file of one deposit that is named is not the other one's.
        ("one/csv.xml".to_owned(), "two/csv.xml".to_owned(), &["one/domain.csv", "two/host.csv"]),
    ] {
        let _ = fs::remove_dir_all(site.at("c"));
        let import = [&["import", &one, &two][..], more, &["--strict", "--into", "c", "--quiet"]];
        site.done(&import.concat());
        All::of(&site.at("c")).in_xml().assert_is(&xml, &one);
    }
    // So it is in a tar with a folder for each.
    let tar =
        Command::new("tar").args(["cf", "t.tar", "one", "two"]).current_dir(site.at("")).status();
    assert!(tar.unwrap().success());
    site.done(&["import", "t.tar", "--strict", "--into", "t", "--quiet"]);
    All::of(&site.at("t")).in_xml().assert_is(&xml, "tar");
}

#[test]
fn gzip_is_what_is_asked_for_wherever_a_deposit_goes() {
    let site = Site::new();
    site.done(&["sample", "--domains", "100", "--tld", "one", "--into", "a", "--quiet"]);
    site.done(&["export", "a", "--rde-xml", "x.xml", "--gzip", "--quiet"]);
    let output = site.run(&["export", "a", "--rde-xml", "-", "--gzip", "--quiet"]);
    let file = fs::read(site.at("x.xml")).unwrap();
    assert!(file.starts_with(b"\x1f\x8b") && output.stdout.starts_with(b"\x1f\x8b"));
    site.done(&["import", "x.xml", "--into", "b", "--quiet"]);
    fs::write(site.at("y.xml"), output.stdout).unwrap();
    site.done(&["import", "y.xml", "--into", "c", "--quiet"]);
    All::of(&site.at("b")).assert_is(&All::of(&site.at("c")), "gzip");
}

#[test]
fn of_a_damaged_base_nothing_is_made() {
    let site = Site::new();
    site.done(&["sample", "--domains", "300", "--tld", "one", "--into", "a", "--quiet"]);
    let base = fs::read_dir(site.at("a")).unwrap().map(|entry| entry.unwrap().path());
    let base = base.filter(|path| path.extension().is_some_and(|of| of == "snapshot"));
    let [base] = base.collect::<Vec<_>>().try_into().unwrap();
    let mut bytes = fs::read(&base).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&base, bytes).unwrap();
    let output = site.run(&["export", "a", "--rde-xml", "out.xml"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(!site.at("out.xml").exists());
}

#[test]
fn standard_output_has_the_deposit_and_nothing_else() {
    let site = Site::new();
    site.done(&["sample", "--domains", "300", "--tld", "one", "--into", "a", "--quiet"]);
    let text = site.done(&["export", "a", "--rde-xml", "-", "--rde-csv", "csv", "--quiet"]);
    assert!(text.trim_end().ends_with("</rde:deposit>"), "{}", &text[text.len() - 200..]);
    // A file that is being written aside belongs to no deposit.
    fs::write(site.at("out.xml.new"), "mine").unwrap();
    site.done(&["export", "a", "--rde-xml", "out.xml", "--quiet"]);
    assert_eq!(fs::read_to_string(site.at("out.xml.new")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(site.at("out.xml")).unwrap(), text);
}

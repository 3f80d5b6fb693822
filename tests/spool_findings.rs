//! Findings in deposits that a running server takes from its spool: kept in files, bounded by a
//! setting, and reported to the client that hands them in.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod server;

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;

use server::{Server, program};
use whoisd::store::{Live, Settings as StoreSettings, Writer};
use whoisd::updater::{Settings, Updater};
use whoisd::view::{Disk, View};

/// A directory with the full sample of RFC 9022, which is of `test`.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        let full = "tests/deposits/rfc9022-full-xml.xml";
        let done = program().args(["import", full, "--into"]).arg(site.dir()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        site
    }

    fn dir(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn serve(&self, settings: &str) -> Server {
        let config = self.0.path().join("whoisd.toml");
        fs::write(&config, format!("[updater]\nspool = true\n{settings}\n")).unwrap();
        let (config, dir) = (config.to_str().unwrap().to_owned(), self.dir());
        let dir = dir.to_str().unwrap();
        let listen = ["--listen", "127.0.0.1:0", "--cores", "0"];
        Server::start(&[&["--config", &config, "--dir", dir][..], &listen].concat())
    }

    /// A deposit that follows another one and names a registrar that is not there.
    fn deposit(&self, id: &str, prev: &str) -> PathBuf {
        let ns = |kind: &str| format!("urn:ietf:params:xml:ns:{kind}-1.0");
        let names = ["rde", "rdeHeader", "rdeDomain"];
        let declared = names.map(|name| format!("xmlns:{name}=\"{}\"", ns(name))).join(" ");
        let deposit = format!(
            "<rde:deposit type=\"DIFF\" id=\"{id}\" prevId=\"{prev}\" {declared}>\
             <rde:watermark>2026-11-02T00:00:00Z</rde:watermark><rde:rdeMenu><rde:version>1.0\
             </rde:version><rde:objURI>{domain}</rde:objURI></rde:rdeMenu><rde:contents>\
             <rdeHeader:header><rdeHeader:tld>test</rdeHeader:tld>\
             <rdeHeader:count uri=\"{domain}\">1</rdeHeader:count></rdeHeader:header>\
             <rdeDomain:domain><rdeDomain:name>{id}.test</rdeDomain:name>\
             <rdeDomain:roid>D{id}-TEST</rdeDomain:roid><rdeDomain:status s=\"inactive\"/>\
             <rdeDomain:clID>nobody</rdeDomain:clID>\
             <rdeDomain:crDate>2010-01-01T00:00:00Z</rdeDomain:crDate>\
             <rdeDomain:exDate>2030-01-01T00:00:00Z</rdeDomain:exDate></rdeDomain:domain>\
             </rde:contents></rde:deposit>",
            domain = ns("rdeDomain")
        );
        let path = self.0.path().join(format!("{id}.xml"));
        fs::write(&path, deposit).unwrap();
        path
    }

    /// Hands such a deposit in.
    fn apply(&self, id: &str, prev: &str, more: &[&str]) -> Output {
        let path = self.deposit(id, prev);
        let mut apply = program();
        apply.arg("apply").arg(path).arg("--dir").arg(self.dir()).args(["--timeout", "60"]);
        apply.args(more).current_dir(self.0.path()).output().unwrap()
    }

    fn last(&self) -> String {
        View::open(&self.dir()).unwrap().state().deposit.to_string()
    }

    /// Names and contents of the files of findings.
    fn findings(&self) -> Vec<(String, String)> {
        let mut files = Vec::new();
        for entry in fs::read_dir(self.dir().join("spool/findings")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            files.push((name, fs::read_to_string(path).unwrap()));
        }
        files.sort();
        files
    }
}

const FULL: &str = "20191017001";

#[test]
fn a_link_that_takes_the_place_of_a_deposit_is_not_followed() {
    let site = Site::new();
    assert!(site.apply("d1", FULL, &[]).status.success());
    let elsewhere = site.deposit("d2", "d1");
    let spool = site.dir().join("spool");
    fs::create_dir_all(&spool).unwrap();
    let link = spool.join("d2.xml");
    std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
    let disk = Disk::new(&site.dir());
    let live = Live::open(Writer::lock(disk, StoreSettings::default()).unwrap()).unwrap();
    let view = View::of(Arc::clone(live.generation()), None).unwrap();
    let views = Arc::new(arc_swap::ArcSwap::new(Arc::new(view)));
    let mut updater = Updater::new(live, views, Settings::default());
    // The spool has looked at it before: this is what has changed since then.
    let refused = updater.apply_spooled(&link).unwrap_err().to_string();
    assert!(refused.contains("input-unreadable"), "{refused}");
    assert!(refused.contains("is a symbolic link"), "{refused}");
    assert_eq!(site.last(), "d1");
    fs::rename(&elsewhere, &link).unwrap();
    updater.apply_spooled(&link).unwrap();
    assert_eq!(site.last(), "d2");
}

#[test]
fn a_server_keeps_what_it_finds_and_the_command_vets_before_it_hands_over() {
    let site = Site::new();
    let server = site.serve("");
    let strict = site.apply("d1", FULL, &["--strict", "--report", "r.jsonl"]);
    let said = String::from_utf8_lossy(&strict.stderr).into_owned();
    assert_eq!(strict.status.code(), Some(3), "{said}");
    assert!(said.contains("registrar-dangling"), "{said}");
    let report = fs::read_to_string(site.0.path().join("r.jsonl")).unwrap();
    assert!(report.contains("registrar-dangling"), "{report}");
    assert_eq!(site.last(), FULL);
    let taken = site.apply("d1", FULL, &[]);
    let said = String::from_utf8_lossy(&taken.stdout).into_owned();
    let is_told = said.contains(": applied: generation ") && said.contains(", findings in ");
    assert!(taken.status.success() && is_told, "{taken:?}");
    assert_eq!(site.last(), "d1");
    let again = site.apply("d1", FULL, &[]);
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(again.status.success() && said.contains("applied before, nothing is new"), "{again:?}");
    let [(name, lines)] = site.findings().try_into().unwrap();
    assert!(name.ends_with("-d1.xml.findings.jsonl"), "{name}");
    assert!(lines.contains("registrar-dangling"), "{lines}");
    server.stop();
}

#[test]
fn a_server_refuses_a_deposit_with_more_findings_than_it_may_have() {
    let site = Site::new();
    let server = site.serve("findings_max = 0");
    let refused = site.apply("d1", FULL, &[]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(
        said.contains("at most 0 are allowed") && said.contains("updater.findings_max"),
        "{said}"
    );
    assert_eq!(site.last(), FULL);
    assert!(site.findings()[0].1.contains("registrar-dangling"));
    server.stop();
}

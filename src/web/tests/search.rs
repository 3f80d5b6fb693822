//! The search index of `whoisd-web`: built, kept up, taken up again, built anew; and searches over
//! it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod server;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use server::{Response, Server, Site, eventually};
use whoisd::view::View;

const BUILT: &str = "the search index is built\"";

fn keys(response: &Response) -> Vec<String> {
    let json = response.json();
    let lists = ["domainSearchResults", "nameserverSearchResults", "entitySearchResults"];
    let list = lists.iter().find_map(|list| json[list].as_array());
    let key = |object: &Value| {
        let key = object.get("ldhName").or_else(|| object.get("handle")).and_then(Value::as_str);
        key.unwrap_or_default().to_owned()
    };
    list.into_iter().flatten().map(key).collect()
}

/// The names or handles of all pages of a search.
fn all(server: &Server, path: &str) -> Vec<String> {
    let (mut found, mut next) = (Vec::new(), path.to_owned());
    loop {
        let response = server.get(&next);
        let body = String::from_utf8_lossy(&response.body);
        assert!(matches!(response.status, 200 | 404), "{next}: {body}");
        found.extend(keys(&response));
        let json = response.json();
        let Some(href) = json["paging_metadata"]["links"][0]["href"].as_str() else {
            return found;
        };
        next = format!("/rdap/{}", href.split_once("/rdap/").unwrap().1);
    }
}

fn serve(site: &Site) -> Server {
    let folder = site.path("search");
    site.serve(&["--search-dir", folder.to_str().unwrap()])
}

/// Waits for the index of a server that has just started, or has just built it.
fn searches(server: &Server) {
    let path = "/rdap/domains?nsLdhName=ns1.example.demo&fieldSet=id";
    eventually("searches", || server.get(path).status != 503);
}

fn index(site: &Site) -> PathBuf {
    site.path("search").join("rdap-index")
}

/// The domains of each nameserver, by the records.
fn by_host(site: &Site) -> Vec<(String, BTreeSet<String>)> {
    let view = View::open(&site.dir()).unwrap();
    let data = view.data();
    let hosts = data.hosts_from("", "").unwrap().filter_map(Result::unwrap);
    let hosts: Vec<_> = hosts.map(|(at, host)| (at, host.name.as_str().to_owned())).collect();
    let domains_of = |ordinal: u32| -> BTreeSet<String> {
        let domains = data.domains("").unwrap().filter_map(Result::unwrap);
        let has = domains.filter(|record| record.nameservers.iter().any(|of| *of == ordinal));
        has.map(|record| record.name.as_str().to_owned()).collect()
    };
    hosts.into_iter().map(|(ordinal, name)| (name, domains_of(ordinal))).collect()
}

#[test]
fn the_domains_of_every_nameserver_are_found() {
    let site = Site::new();
    let server = serve(&site);
    server.log_until(BUILT);
    searches(&server);
    let mut total = 0;
    for (host, domains) in by_host(&site) {
        let found = all(&server, &format!("/rdap/domains?nsLdhName={host}&fieldSet=id"));
        assert_eq!(found, domains.iter().cloned().collect::<Vec<_>>(), "{host}");
        total += found.len();
    }
    assert!(total > 200, "{total}");
}

#[test]
fn changes_are_found_and_a_restart_takes_the_index_up_again() {
    let site = Site::new();
    let server = serve(&site);
    server.log_until(BUILT);
    let host = "ns1.example.demo";
    let path = format!("/rdap/domains?nsLdhName={host}&fieldSet=id");
    let found = |server: &Server| -> BTreeSet<String> {
        searches(server);
        all(server, &path).into_iter().collect()
    };
    let (_, before) = by_host(&site).into_iter().find(|(name, _)| name == host).unwrap();
    let with = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned());
        before.iter().cloned().chain(names).collect::<BTreeSet<_>>()
    };
    assert_eq!(found(&server), before);
    site.add_domain_at("live.demo", Some(host));
    eventually("a change", || found(&server) == with(&["live.demo"]));
    drop(server);
    // One that comes while nobody looks.
    site.add_domain_at("later.demo", Some(host));
    let server = serve(&site);
    eventually("a later change", || found(&server) == with(&["later.demo", "live.demo"]));
    site.remove_domain("live.demo");
    eventually("a deletion", || found(&server) == with(&["later.demo"]));
    server.signal("TERM");
    let said = server.rest_of_log();
    assert!(!said.contains("building the search index"), "{said}");
}

#[test]
fn an_index_that_does_not_fit_is_built_anew() {
    let site = Site::new();
    drop(serve_until_built(&site));
    let meta = index(&site).join("meta.json");
    let spoils: [(&str, &dyn Fn()); 4] = [
        ("another history", &|| site.make_anew()),
        ("another version", &|| rewrite(&meta, "terms ", "terms 9")),
        ("damage", &|| truncate(&index(&site), "term")),
        ("no meta data", &|| fs::write(&meta, "{}").unwrap()),
    ];
    for (what, spoil) in spoils {
        spoil();
        let server = serve_until_built(&site);
        let (host, domains) = by_host(&site).into_iter().find(|(_, of)| !of.is_empty()).unwrap();
        let path = format!("/rdap/domains?nsLdhName={host}&fieldSet=id");
        eventually(what, || server.get(&path).status == 200);
        assert_eq!(all(&server, &path).len(), domains.len(), "{what}");
    }
}

/// Changes a file of so many bytes.
type Change<'a> = &'a dyn Fn(&File, u64);

/// Changes each file of the index, in its place: a running server sees it.
fn damage(site: &Site, endings: &[&str], change: Change<'_>) {
    let mut count = 0;
    for path in below(&index(site)) {
        let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        if endings.contains(&ending) {
            let file = File::options().read(true).write(true).open(&path).unwrap();
            change(&file, file.metadata().unwrap().len());
            count += 1;
        }
    }
    assert!(count > 0, "{endings:?}");
}

/// Turns over all bits of the byte at a place.
fn flip(file: &File, at: u64) {
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[!byte[0]], at).unwrap();
}

/// A nameserver with domains, and the search for these.
fn searched(site: &Site) -> (String, Vec<String>) {
    let (host, domains) = by_host(site).into_iter().max_by_key(|(_, of)| of.len()).unwrap();
    let path = format!("/rdap/domains?nsLdhName={host}&fieldSet=id");
    (path, domains.into_iter().collect())
}

#[test]
fn an_index_that_was_damaged_while_nobody_looked_gives_no_wrong_answer() {
    let site = Site::new();
    drop(serve_until_built(&site));
    let (path, domains) = searched(&site);
    let kinds: [(&str, &[&str], Change<'_>); 6] = [
        ("a byte of the postings", &["idx"], &|file, length| flip(file, length / 3)),
        ("a byte of the terms", &["term"], &|file, length| flip(file, length / 3)),
        ("a byte of the keys", &["fast"], &|file, length| flip(file, length / 3)),
        ("a byte of a checksum", &["idx", "fast"], &|file, length| flip(file, length - 20)),
        ("half a file", &["idx"], &|file, length| file.set_len(length / 2).unwrap()),
        ("empty files", &["idx", "term", "fast"], &|file, _| file.set_len(0).unwrap()),
    ];
    for (what, endings, change) in kinds {
        damage(&site, endings, change);
        let server = serve(&site);
        let said = server.log_until("search index");
        assert!(said.contains("cannot keep the search index"), "{what}: {said}");
        assert!(said.contains("\"next_try_s\":0"), "{what}: {said}");
        server.log_until(BUILT);
        eventually(what, || server.get(&path).status == 200);
        assert_eq!(all(&server, &path), domains, "{what}");
    }
}

#[test]
fn damage_under_a_running_server_costs_a_search_and_not_the_server() {
    let site = Site::new();
    drop(serve_until_built(&site));
    let (path, domains) = searched(&site);
    let server = serve(&site);
    eventually("searches", || server.get(&path).status == 200);
    // All but the ends, which are not read again.
    damage(&site, &["idx", "term", "fast"], &|file, length| {
        (0..length.saturating_sub(200)).for_each(|at| flip(file, at));
    });
    let answer = server.get(&path);
    assert!([500, 503].contains(&answer.status), "{}", answer.status);
    assert_eq!(answer.json()["errorCode"], answer.status);
    eventually("a new index", || {
        assert_eq!(server.get("/rdap/domain/example.demo").status, 200);
        server.get(&path).status == 200 && all(&server, &path) == domains
    });
}

fn serve_until_built(site: &Site) -> Server {
    let server = serve(site);
    server.log_until(BUILT);
    server
}

fn rewrite(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

/// Cuts the files of one kind short.
fn truncate(folder: &Path, ending: &str) {
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|of| of == ending) {
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            count += 1;
        }
    }
    assert!(count > 0);
}

#[test]
fn look_ups_are_answered_whatever_becomes_of_the_index() {
    let site = Site::new();
    let first = serve_until_built(&site);
    // A second process finds the index taken.
    let second = serve(&site);
    second.log_until("another process keeps the search index");
    assert_eq!(second.get("/rdap/domain/example.demo").status, 200);
    let refused = second.get("/rdap/domains?nsIp=192.0.2.1");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("60")));
    assert_eq!(second.get("/rdap/domains?name=exam*").status, 200);
    drop(first);
    eventually("the index of the first", || {
        second.get("/rdap/domains?nsIp=192.0.2.1").status == 200
    });
    // Without an index.
    let third = site.serve(&[]);
    assert_eq!(third.get("/rdap/domains?nsIp=192.0.2.1").status, 501);
    assert_eq!(third.get("/rdap/domains?name=exam*").status, 200);
    assert_eq!(third.get("/rdap/nameservers?ip=192.0.2.1").status, 200);
}

#[test]
fn a_second_process_takes_nothing_away_from_the_first() {
    let site = Site::new();
    let first = serve_until_built(&site);
    eventually("searches", || first.get("/rdap/domains?nsIp=192.0.2.1").status == 200);
    // As another version of the program has it, which a new process replaces.
    let meta = index(&site).join("meta.json");
    rewrite(&meta, "\"reference\"", "\"referred\"");
    let before = fs::read(&meta).unwrap();
    let second = serve(&site);
    let said = second.log_until("search index");
    assert!(said.contains("another process keeps the search index"), "{said}");
    assert_eq!(fs::read(&meta).unwrap(), before, "the index is as it was");
    assert_eq!(first.get("/rdap/domains?nsIp=192.0.2.1").status, 200);
    let refused = second.get("/rdap/domains?nsIp=192.0.2.1");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("60")));
    drop(first);
    let said = second.log_until("a new search index is needed");
    assert!(said.contains("another schema"), "{said}");
    second.log_until(BUILT);
    eventually("its own index", || second.get("/rdap/domains?nsIp=192.0.2.1").status == 200);
}

/// Files and folders below a folder.
fn below(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(below(&path));
        }
        found.insert(path);
    }
    found
}

#[test]
fn config_check_says_whether_an_index_can_be_kept_and_makes_nothing() {
    let site = Site::new();
    fs::write(site.path("file"), "").unwrap();
    fs::create_dir_all(site.path("held/rdap-index.lock")).unwrap();
    let check = |folder: &Path| {
        site.configure(&format!("[web]\nsearch_dir = {:?}\n", folder.to_str().unwrap()));
        let before = below(&site.path(""));
        let mut command = Command::new(env!("CARGO_BIN_EXE_whoisd-web"));
        let output = command.args(["config", "check"]).arg(site.path("whoisd.toml")).output();
        let output = output.unwrap();
        assert_eq!(below(&site.path("")), before);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let wrong = [site.path("file"), site.path("file/search"), site.path("held"), "/proc/x".into()];
    for folder in wrong {
        let (status, said) = check(&folder);
        assert_eq!(status, Some(3), "{said}");
        assert!(said.contains("whoisd.toml:2: web.search_dir: "), "{said}");
        assert!(said.contains("; name a folder that this process may write"), "{said}");
    }
    assert_eq!(check(&site.path("new/search")), (Some(0), String::new()));
    // One that a server keeps at this moment.
    let _server = serve_until_built(&site);
    assert_eq!(check(&site.path("search")), (Some(0), String::new()));
}

#[test]
fn a_folder_that_cannot_be_used_is_said_at_the_start() {
    let site = Site::new();
    let file = site.path("file");
    fs::write(&file, "").unwrap();
    let dir = site.dir();
    let mut command = Command::new(env!("CARGO_BIN_EXE_whoisd-web"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--dir"]).arg(&dir);
    command.arg("--search-dir").arg(&file).stderr(Stdio::piped());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("web.search_dir: "), "{said}");
    assert!(said.contains("name a folder that this process may write"), "{said}");
}

#[test]
fn searches_count_in_limits_and_figures_as_look_ups_do() {
    let site = Site::new();
    let server = site.serve_with(&format!(
        "[web]\nstatus_listen = \"127.0.0.1:0\"\nsearch_dir = {:?}\n\
         [limits]\nloopback_free = false\nv4_32_burst = 5\n",
        site.path("search").to_str().unwrap()
    ));
    server.log_until(BUILT);
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(server.get("/rdap/domains?name=exam*&fieldSet=id").status);
    }
    assert_eq!(statuses[0], 200, "{statuses:?}");
    assert_eq!(*statuses.last().unwrap(), 429, "{statuses:?}");
    let status = server.status.unwrap();
    let figures = Server::request_at(status, "GET", "/metrics", &[]);
    let figures = String::from_utf8(figures.body).unwrap();
    assert!(figures.contains("domain_pattern"), "{figures}");
}

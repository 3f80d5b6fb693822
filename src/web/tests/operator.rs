//! `whoisd-web` for its operator: its own files and sockets, what `config check` finds, and what a
//! reload says.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod server;

use std::fs;
use std::path::Path;
use std::process::Command;

use server::{Site, eventually};
use whoisd::control::{Request, ask};

/// Exit status, standard output and standard error of `whoisd-web config check`.
fn check(site: &Site, text: &str) -> (Option<i32>, String, String) {
    site.configure(text);
    let mut command = Command::new(env!("CARGO_BIN_EXE_whoisd-web"));
    let output = command.args(["config", "check"]).arg(site.path("whoisd.toml")).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn block(socket: &Path) {
    let prefix = "127.0.0.0/24".to_owned();
    ask(socket, &Request::Block { prefix, seconds: Some(3_600), reason: None }).unwrap();
}

#[test]
fn blocks_survive_a_restart_in_the_file_that_the_configuration_names() {
    let site = Site::new();
    let state = site.path("state/web.json");
    fs::create_dir(site.path("state")).unwrap();
    for (key, kept) in [
        (format!("blocks_state = {state:?}\n"), state),
        (String::new(), site.dir().join("web-blocks.json")),
    ] {
        let config = format!(
            "[limits]\nloopback_free = false\n[blocks]\nstate = {:?}\n[web]\n{key}",
            site.path("of-whoisd.json")
        );
        let mut server = site.serve_with(&config);
        block(&site.dir().join("web.sock"));
        eventually("the block", || server.get("/rdap/help").status == 429);
        eventually("the file", || kept.exists());
        server.signal("TERM");
        assert!(server.process.wait().unwrap().success());
        let again = site.serve_with(&config);
        assert_eq!(again.get("/rdap/help").status, 429, "{}", kept.display());
        assert!(!site.path("of-whoisd.json").exists());
    }
}

#[test]
fn config_check_finds_at_once_what_would_end_a_start() {
    let site = Site::new();
    let file = site.path("whoisd.toml");
    fs::write(site.path("file"), "no blocks").unwrap();
    fs::create_dir_all(site.path("locked/LOCK")).unwrap();
    let at = |name: &str| site.path(name);
    let (none, plain, locked) = (at("none/control.sock"), at("file"), at("locked"));
    for (text, expected) in [
        (format!("[web]\ncontrol = {none:?}\n"), ":2: web.control: "),
        (format!("[web]\ncontrol = {plain:?}\n"), "is there and is not a socket"),
        (format!("[web]\nblocks_state = {plain:?}\n"), ":2: web.blocks_state: "),
        (format!("[web]\nquery_log_dir = {locked:?}\n"), ":2: web.query_log_dir: "),
        (format!("[policy]\nlists = [{none:?}]\n"), ":2: policy.lists: "),
        ("[web]\nlisten = [\"192.0.2.1:80\"]\n".to_owned(), ":2: web.listen: "),
        ("[web]\nstatus_listen = \"192.0.2.1:80\"\n".to_owned(), ":2: web.status_listen: "),
        (
            format!("[query_log]\ndir = {locked:?}\n[web]\nquery_log_dir = {locked:?}\n"),
            "is the folder of the query log of whoisd already; name another one",
        ),
        (
            format!(
                "[server]\ndir = {:?}\ncontrol = {none:?}\n[web]\ncontrol = {none:?}\n",
                at("")
            ),
            ":5: web.control: ",
        ),
        (
            format!("[blocks]\nstate = {:?}\n", site.dir().join("./web-blocks.json")),
            ":2: blocks.state: ",
        ),
        (
            format!("[web]\nblocks_state = {:?}\n", site.dir().join("blocks.json")),
            "is the file of blocks of whoisd already",
        ),
    ] {
        let (status, out, said) = check(&site, &text);
        assert_eq!(status, Some(3), "{text}: {out}{said}");
        assert!(said.contains(expected) && said.contains("whoisd.toml:"), "{expected}: {said}");
    }
    let (_, _, said) = check(
        &site,
        &format!(
            "[web]\ncores = \"1023\"\npath = \"x\"\ncontrol = {plain:?}\nsearch_dir = {plain:?}\n"
        ),
    );
    let lines: Vec<_> = said.lines().collect();
    let keys = ["web.cores", "web.path", "web.control", "web.search_dir"];
    assert_eq!(lines.len(), keys.len(), "{said}");
    for ((line, key), number) in lines.iter().zip(keys).zip(2..) {
        assert!(line.contains(&format!("{}:{number}: {key}: ", file.display())), "{said}");
    }
}

#[test]
fn config_check_tells_a_socket_of_the_other_program_from_its_own() {
    let site = Site::new();
    let socket = site.path("control.sock");
    let text = format!("[web]\nlisten = [\"127.0.0.1:0\"]\ncontrol = {socket:?}\n");
    let _server = site.serve_with(&text);
    let (status, out, said) = check(&site, &text);
    assert!(status == Some(0) && out.contains("warning: web.control: "), "{out}{said}");
    assert!(out.contains("a server answers there"), "{out}");
    // The same socket under the key of the other one: whoisd would not start.
    let other = format!("[server]\ndir = {:?}\ncontrol = {socket:?}\n", site.dir());
    site.configure(&other);
    let settings = whoisd::config::load(Some(&site.path("whoisd.toml")), &Default::default());
    let mut found = whoisd::serving::checking::Found::default();
    found.control(&settings.unwrap().settings);
    let [(key, problem)] = found.problems.as_slice() else { panic!("{found:?}") };
    assert_eq!(*key, "server.control");
    assert!(problem.contains("whoisd-web answers there; name another socket"), "{problem}");
}

#[test]
fn a_reload_names_the_keys_of_this_program_and_no_others() {
    let site = Site::new();
    let server = site.serve_with("");
    let text = "[web]\nlisten = [\"127.0.0.1:1\"]\ncores = \"0\"\nblocks_state = \"/x/blocks\"\n\
                [port43]\nline_ms = 700\n";
    site.configure(&format!("{text}[server]\ndir = {:?}\nlisten = [\"[::1]:9\"]\n", site.dir()));
    let told = ask(&site.dir().join("web.sock"), &Request::Reload).unwrap();
    let lines = told["takes_restart"].as_array().unwrap();
    let keys: Vec<_> =
        lines.iter().map(|line| line.as_str().unwrap().split(": ").next().unwrap()).collect();
    // --listen of the test's own start goes before web.listen.
    assert_eq!(keys, ["web.cores", "web.blocks_state"], "{lines:?}");
    drop(server);
    let address = "127.0.0.1:0";
    let server = site.serve_as_configured(&format!("[web]\nlisten = [\"{address}\"]\n"));
    site.configure("[web]\nlisten = [\"127.0.0.1:1\"]\n");
    let told = ask(&site.dir().join("web.sock"), &Request::Reload).unwrap();
    let expected =
        "web.listen: changed from [\"127.0.0.1:0\"] to [\"127.0.0.1:1\"]; takes a restart";
    assert_eq!(told["takes_restart"], serde_json::json!([expected]));
    drop(server);
}

#[test]
fn a_trusted_proxy_that_names_nobody_is_counted_and_written_about_once() {
    let site = Site::new();
    let server = site
        .serve_with("[web]\nforwarded_from = [\"127.0.0.1\"]\nstatus_listen = \"127.0.0.1:0\"\n");
    let named = [("X-Forwarded-For", "203.0.113.7")];
    for (headers, count) in [(&named[..], 2), (&[], 3), (&[("X-Forwarded-For", "unknown")], 1)] {
        for _ in 0..count {
            assert_eq!(server.request("GET", "/rdap/help", headers).status, 200);
        }
    }
    let of = |word: &str| server.figure("whoisd_forwarded_total", &format!("of=\"{word}\""));
    assert_eq!((of("client"), of("nobody")), (2, 4));
    let line = server.log_until("a trusted proxy named no client");
    assert!(line.contains("\"header\":\"x-forwarded-for\""), "{line}");
    server.signal("TERM");
    let others = server.rest_of_log().matches("a trusted proxy named no client").count();
    // A line of each core at most.
    assert!(others < 4, "{others}");
}

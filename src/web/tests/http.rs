//! `whoisd-web` as a process on loopback, asked over HTTP/1.1 and HTTP/2.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod server;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::Command;

use http::Request;
use serde_json::Value;

use server::{Response, Server, Site, eventually};

/// What every answer has, whatever it is.
fn assert_common(response: &Response) {
    assert_eq!(response.header("access-control-allow-origin"), Some("*"), "{response:?}");
    assert_eq!(response.header("content-type"), Some("application/rdap+json"), "{response:?}");
    assert!(response.header("access-control-allow-credentials").is_none(), "{response:?}");
    if response.status != 200 && response.status != 304 {
        assert_eq!(response.json()["errorCode"], response.status, "{response:?}");
    }
}

#[test]
fn every_form_of_a_name_is_answered_where_it_is_asked() {
    let site = Site::new();
    let server = site.serve(&[]);
    let mut bodies = Vec::new();
    let u_name = "m\u{fc}nchen.demo";
    let names = ["xn--mnchen-3ya.demo", "XN--MNCHEN-3YA.Demo.", "m%C3%BCnchen.demo", u_name];
    for name in names {
        let response = server.get(&format!("/rdap/domain/{name}"));
        assert_common(&response);
        assert_eq!(response.status, 200, "{name}: {response:?}");
        let mut json = response.json();
        let own = json["links"][0]["value"].take();
        assert!(own.as_str().unwrap().contains("/rdap/domain/"), "{own}");
        json["notices"].take();
        bodies.push(json);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:#?}");
    assert_eq!(bodies[0]["ldhName"], "xn--mnchen-3ya.demo");
    assert_eq!(bodies[0]["unicodeName"], u_name);
}

#[test]
fn head_is_get_without_its_body() {
    let site = Site::new();
    let server = site.serve(&[]);
    for path in
        ["/rdap/domain/example.demo", "/rdap/domain/none.demo", "/rdap/help", "/", "/rdap/x"]
    {
        let (get, head) = (server.get(path), server.request("HEAD", path, &[]));
        assert_common(&get);
        assert_common_headers_equal(&get, &head);
        assert!(head.body.is_empty() && !get.body.is_empty(), "{path}");
    }
}

fn assert_common_headers_equal(get: &Response, head: &Response) {
    assert_eq!(get.status, head.status);
    let headers = |response: &Response| -> Vec<(String, String)> {
        response.headers.iter().filter(|(name, _)| name != "date").cloned().collect()
    };
    assert_eq!(headers(get), headers(head));
}

#[test]
fn what_is_asked_wrongly_gets_a_whole_error() {
    let site = Site::new();
    let server = site.serve(&[]);
    for (path, status) in [
        ("/", 404),
        ("/rdap", 404),
        ("/rdap/", 400),
        ("/rdap/domain/none.demo", 404),
        ("/rdap/domain/not-a-domain.invalid", 404),
        ("/rdap/domain/a..demo", 400),
        ("/rdap/domain/%zz", 400),
        ("/rdap/autnum/64496", 501),
        ("/rdap/domains?name=exam*&sort=colour", 400),
        ("/rdap/domains?nsIp=192.0.2.1", 501),
        ("/rdap/nameservers?ip=192.0.2.*", 422),
        ("/rdap/entity/424242", 404),
    ] {
        let response = server.get(path);
        assert_common(&response);
        assert_eq!(response.status, status, "{path}: {response:?}");
    }
    let long = server.get(&format!("/rdap/domain/{}", "a".repeat(5_000)));
    assert_eq!(long.status, 414);
    assert_common(&long);
}

#[test]
fn a_request_of_http_1_1_names_its_host_once() {
    let site = Site::new();
    let server = site.serve(&[]);
    for (version, fields, status) in [
        ("1.1", "Host: x\r\n", 200),
        ("1.1", "", 400),
        ("1.1", "Host: x\r\nHost: y\r\n", 400),
        ("1.0", "", 200),
    ] {
        let mut client = server.connect();
        let text = format!("GET /rdap/help HTTP/{version}\r\n{fields}\r\n");
        client.write_all(text.as_bytes()).unwrap();
        let response = Response::read(&mut client, "GET");
        assert_eq!(response.status, status, "{version} {fields:?}");
        assert!(status == 200 || String::from_utf8_lossy(&response.body).contains("Host"));
    }
}

#[test]
fn other_methods_are_refused_and_browsers_may_ask() {
    let site = Site::new();
    let server = site.serve(&[]);
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE"] {
        let response = server.request(method, "/rdap/help", &[]);
        assert_eq!(response.status, 405, "{method}");
        assert_eq!(response.header("allow"), Some("GET, HEAD, OPTIONS"));
        assert_common(&response);
    }
    let asks = [("Origin", "https://a.example"), ("Access-Control-Request-Headers", "accept")];
    let preflight = server.request("OPTIONS", "/rdap/help", &asks);
    assert_eq!((preflight.status, preflight.body.len()), (204, 0));
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("accept"));
}

#[test]
fn a_client_says_what_it_takes_and_what_it_has() {
    let site = Site::new();
    let server = site.serve(&[]);
    let path = "/rdap/domain/example.demo";
    let with = |name: &str, value: &str| server.request("GET", path, &[(name, value)]);
    assert_eq!(with("Accept", "application/json").status, 200);
    let html = with("Accept", "text/html");
    assert_eq!(html.status, 406);
    assert_common(&html);
    let tag = server.get(path).header("etag").unwrap().to_owned();
    let known = with("If-None-Match", &format!("\"x\", W/{tag}"));
    assert_eq!((known.status, known.body.len()), (304, 0));
    assert_eq!(known.header("etag"), Some(&*tag));
    assert_eq!(with("If-None-Match", "\"x\"").status, 200);
    assert_eq!(with("Cache-Control", "no-cache").header("cache-control"), Some("no-cache"));
}

#[test]
fn one_connection_carries_many_requests_and_http_2_too() {
    let site = Site::new();
    let server = site.serve(&[]);
    let mut client = server.connect();
    for _ in 0..50 {
        client.write_all(b"GET /rdap/help HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert_eq!(Response::read(&mut client, "GET").status, 200);
    }
    let url = format!("http://{}/rdap/domain/example.demo", server.address);
    let mut curl = Command::new("curl");
    curl.args(["-s", "--max-time", "60", "--http2-prior-knowledge", "-w", "%{http_version}", &url]);
    let output = curl.output().expect("curl is installed");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\"ldhName\":\"example.demo\"") && text.ends_with("}2"), "{text}");
    on_http_2(server.address, async |mut client| {
        let mut answers = Vec::new();
        for _ in 0..60 {
            client = client.ready().await.unwrap();
            let request = Request::get(&url).body(()).unwrap();
            answers.push(client.send_request(request, true).unwrap().0);
        }
        for answer in answers {
            assert_eq!(answer.await.unwrap().status(), 200);
        }
    });
}

/// Runs a client on one HTTP/2 connection.
fn on_http_2(server: SocketAddr, run: impl AsyncFnOnce(h2::client::SendRequest<bytes::Bytes>)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = tokio::net::TcpStream::connect(server).await.unwrap();
        let (client, connection) = h2::client::handshake(socket).await.unwrap();
        let connection = tokio::spawn(connection);
        run(client).await;
        connection.abort();
    });
}

#[test]
fn a_client_that_resets_what_it_asks_is_cut_and_others_are_served() {
    let site = Site::new();
    let server = site.serve(&[]);
    let url = format!("http://{}/rdap/help", server.address);
    on_http_2(server.address, async |mut client| {
        for _ in 0..10_000 {
            client = match client.ready().await {
                Ok(client) => client,
                Err(_) => return,
            };
            let request = Request::get(&url).body(()).unwrap();
            let Ok((_, mut stream)) = client.send_request(request, true) else { return };
            stream.send_reset(h2::Reason::CANCEL);
            tokio::task::yield_now().await;
        }
        panic!("10000 resets on one connection");
    });
    assert_eq!(server.get("/rdap/help").status, 200);
}

#[test]
fn a_client_over_its_limit_learns_when_to_ask_again() {
    let site = Site::new();
    let config = "[limits]\nloopback_free = false\nv4_32_per_min = 1\nv4_32_burst = 12\n\
        contact = \"noc@registry.example\"\n[web]\nforwarded_from = [\"127.0.0.1\"]\n";
    let server = site.serve_with(config);
    let statuses: Vec<u16> = (0..13).map(|_| server.get("/rdap/help").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 12, "{statuses:?}");
    let refused = server.get("/rdap/domain/example.demo");
    assert_eq!(refused.status, 429);
    assert_common(&refused);
    let text = String::from_utf8_lossy(&refused.body);
    assert!(text.contains("Questions go to noc@registry.example."), "{text}");
    assert_eq!(refused.header("access-control-expose-headers"), Some("retry-after"));
    let wait_s: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait_s), "{wait_s}");
    // Whom a listed proxy names has limits of its own, also where the proxy names several.
    let named = [("X-Forwarded-For", "192.0.2.1, 198.51.100.7")];
    assert_eq!(server.request("GET", "/rdap/help", &named).status, 200);
    // What the proxy does not write comes from the client.
    let named = [("Forwarded", "for=\"[2001:db8::1]:4711\";proto=https")];
    assert_eq!(server.request("GET", "/rdap/help", &named).status, 429);
    drop(server);
    let server = site.serve_with(&(config.to_owned() + "forwarded_header = \"forwarded\"\n"));
    for port in 0..13 {
        let element = format!("for=\"[2001:db8:{port}::1]:4711\";proto=https");
        assert_eq!(server.request("GET", "/rdap/help", &[("Forwarded", &element)]).status, 200);
    }
}

#[test]
fn behind_a_proxy_the_client_is_whom_its_header_names() {
    let site = Site::new();
    let config = |deadline: &str| {
        format!(
            "[limits]\nloopback_free = false\nv4_32_per_min = 1\nv4_32_burst = 12\n\
             [web]\nlisten = [\"127.0.0.1:0\"]\n{deadline}\
             [[proxy]]\nlisten = \"127.0.0.1:0\"\nfrom = [\"127.0.0.1\"]\nheader = \"either\"\n"
        )
    };
    let server = site.serve_as_configured(&config(""));
    let ask = |header: &[u8]| {
        let mut client = server.connect();
        client.write_all(header).unwrap();
        // In two pieces: the first one may come with the header.
        client.write_all(b"GET /rdap/help HTTP/1.1\r\nHo").unwrap();
        client.write_all(b"st: x\r\nConnection: close\r\n\r\n").unwrap();
        Response::read(&mut client, "GET").status
    };
    for _ in 0..12 {
        assert_eq!(ask(b"PROXY TCP4 192.0.2.1 192.0.2.9 4711 80\r\n"), 200);
    }
    assert_eq!(ask(b"PROXY TCP4 192.0.2.1 192.0.2.9 4711 80\r\n"), 429);
    assert_eq!(ask(b"PROXY TCP4 192.0.2.2 192.0.2.9 4711 80\r\n"), 200);
    // Version 2: LOCAL, a balancer's own check, which has no limits.
    let mut local = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    local.extend([0x20, 0, 0, 0]);
    for _ in 0..20 {
        assert_eq!(ask(&local), 200);
    }
    // Without a header there is no answer.
    let hasty = site.serve_as_configured(&config("first_byte_ms = 200\n"));
    let mut client = hasty.connect();
    client.write_all(b"GET /rdap/help HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let ended = client.read_to_end(&mut answer);
    assert!(answer.is_empty() && !ended.is_err_and(|error| server::is_timeout(&error)));
}

#[test]
fn a_change_shows_and_a_reload_changes_how_answers_read() {
    let site = Site::new();
    let server = site.serve_with("[defaults]\nmodel = \"thin\"\n");
    let path = "/rdap/domain/new.demo";
    assert_eq!(server.get(path).status, 404);
    site.add_domain("new.demo");
    eventually("the change shows", || server.get(path).status == 200);
    let roles = |json: &Value| json["entities"].as_array().unwrap().len();
    let of_example = || server.get("/rdap/domain/example.demo").json();
    assert_eq!(roles(&of_example()), 1, "the registrar alone");
    site.configure("[defaults]\npreset = \"open\"\n");
    server.signal("HUP");
    eventually("the reload shows", || roles(&of_example()) > 1);
}

#[test]
fn what_drains_ends_its_connections_and_exits_well() {
    let site = Site::new();
    let mut server = site.serve(&[]);
    let mut client = server.connect();
    client.write_all(b"GET /rdap/help HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(Response::read(&mut client, "GET").status, 200);
    server.signal("TERM");
    assert!(server.process.wait().unwrap().success());
    let mut rest = Vec::new();
    assert_eq!(client.read_to_end(&mut rest).unwrap_or(0), 0, "{rest:?}");
}

#[test]
fn health_figures_and_the_query_log_tell_of_requests() {
    let site = Site::new();
    let logs = site.path("queries");
    let config = format!(
        "[web]\nstatus_listen = \"127.0.0.1:0\"\nquery_log_dir = {:?}\n\
         [query_log]\nflush_ms = 50\n",
        logs.to_str().unwrap()
    );
    let mut server = site.serve_with(&config);
    server.get("/rdap/domain/example.demo");
    server.get("/rdap/domain/none.demo");
    let status = server.status.expect("the log names it");
    let scrape = Server::request_at(status, "GET", "/metrics", &[]);
    let text = String::from_utf8(scrape.body).unwrap();
    for (kind, outcome) in [("domain", "found"), ("domain", "not_found")] {
        let family = text.lines().filter(|line| line.starts_with("whoisd_queries_total{"));
        let line = family
            .into_iter()
            .find(|line| {
                line.contains(&format!("kind=\"{kind}\""))
                    && line.contains(&format!("outcome=\"{outcome}\""))
            })
            .unwrap_or_else(|| panic!("{kind} {outcome}: {text}"));
        assert!(line.ends_with(" 1"), "{line}");
    }
    assert_eq!(Server::request_at(status, "GET", "/ready", &[]).status, 200);
    server.signal("TERM");
    assert!(server.process.wait().unwrap().success());
    let files = std::fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().path());
    let mut gzip = Command::new("gzip");
    gzip.arg("-dc").args(files.filter(|path| path.extension().is_some_and(|end| end == "gz")));
    let lines = String::from_utf8(gzip.output().unwrap().stdout).unwrap();
    assert!(lines.contains("\"example.demo\"") && lines.contains("\"not_found\""), "{lines}");
}

#[test]
fn clients_that_send_slowly_or_too_much_are_cut_and_others_are_served() {
    let site = Site::new();
    let config = "[web]\nfirst_byte_ms = 50\nidle_ms = 100\nconnections_per_core_max = 64\n";
    let server = site.serve_with(config);
    let silent = server.connect();
    let mut dripping = server.connect();
    dripping.write_all(b"GET /rdap/help HT").unwrap();
    let mut endless = server.connect();
    // As far as it is taken: the server hangs up in the middle.
    let _ = endless.write_all(b"GET /rdap/help HTTP/1.1\r\n");
    let line = format!("X-{}: y\r\n", "a".repeat(1_000));
    let _ = (0..1_000).take_while(|_| endless.write_all(line.as_bytes()).is_ok()).count();
    for mut client in [silent, dripping, endless] {
        // An end, or a reset; a server that waits on would run into the time limit.
        let mut answer = Vec::new();
        let ended = client.read_to_end(&mut answer);
        assert!(ended.is_ok() || ended.is_err_and(|error| !server::is_timeout(&error)));
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
    }
    // On a machine without time, a client that means well may be too slow as well.
    eventually("others are served", || server.serves());
}

#[test]
fn the_list_of_registrars_is_read_again_with_a_reload() {
    let site = Site::new();
    let list = site.path("registrar-ids.csv");
    let write = |url: &str| {
        let text = format!("ID,Registrar Name,Status,RDAP Base URL\n90001,One,Accredited,{url}\n");
        std::fs::write(site.path("next.csv"), text).unwrap();
        std::fs::rename(site.path("next.csv"), &list).unwrap();
    };
    write("https://one.example/");
    let server = site.serve_with(&format!("[registrars]\niana = {:?}\n", list.to_str().unwrap()));
    let related = || {
        let json = server.get("/rdap/domain/example.demo").json();
        json["links"][0]["href"].as_str().unwrap().to_owned()
    };
    assert_eq!(related(), "https://one.example/domain/example.demo");
    write("https://two.example/domain/");
    server.signal("HUP");
    eventually("the new list", || related() == "https://two.example/domain/example.demo");
    // One that does not read leaves the list in force.
    std::fs::write(&list, "<html>").unwrap();
    server.signal("HUP");
    server.log_until("not IANA's list");
    assert_eq!(related(), "https://two.example/domain/example.demo");
}

#[test]
fn a_wrong_start_says_what_to_do() {
    let site = Site::new();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_whoisd-web")).args(arguments).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, said) = run(&["serve", "--dir", "/nonexistent/registry"]);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("/nonexistent/registry"), "{said}");
    let file = site.path("wrong.toml");
    std::fs::write(&file, "[web]\npath = \"rdap\"\nlisten = [\"x\"]\n").unwrap();
    let (status, said) = run(&["config", "check", file.to_str().unwrap()]);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("wrong.toml:2: web.path") && said.contains("wrong.toml:3: web.listen"));
    // What a start would refuse, without one.
    let dir = site.dir();
    let with_dir = format!("[server]\ndir = {dir:?}\n[web]\n");
    for (text, status, part) in [
        ("[web]\n".to_owned(), 3, "server.dir: is not set"),
        (with_dir.clone() + "cores = \"1023\"\n", 3, "wrong.toml:4: web.cores: core 1023"),
        (with_dir.clone() + "query_log_dir = \"/proc/x\"\n", 3, "wrong.toml:4: web.query_log_dir"),
    ] {
        std::fs::write(&file, text).unwrap();
        let (ended, said) = run(&["config", "check", file.to_str().unwrap()]);
        assert!(ended == Some(status) && said.contains(part), "{part}: {ended:?} {said}");
    }
    let server = site.serve(&[]);
    let taken = server.address.to_string();
    let (status, said) = run(&["serve", "--dir", dir.to_str().unwrap(), "--listen", &taken]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("address in use"), "{said}");
}

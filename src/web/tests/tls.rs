//! `whoisd-web` over TLS, asked by curl and by OpenSSL's client.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod server;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use server::{Response, Server, Site, eventually};

/// A certificate of its own for hosts, in the site's folder.
struct Pair {
    chain: PathBuf,
    key: PathBuf,
}

impl Pair {
    /// Makes one whose subject is the first of the hosts.
    fn new(site: &Site, file: &str, hosts: &[&str]) -> Self {
        let (chain, key) = (site.path(&format!("{file}.pem")), site.path(&format!("{file}.key")));
        let names: Vec<_> = hosts.iter().map(|host| format!("DNS:{host}")).collect();
        let mut openssl = Command::new("openssl");
        openssl
            .args(["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"])
            .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-subj", &format!("/CN={}", hosts[0])])
            .args(["-addext", &format!("subjectAltName={}", names.join(","))])
            .args([&"-out".into(), &chain, &"-keyout".into(), &key]);
        let made = openssl.output().expect("openssl is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self { chain, key }
    }

    /// Makes one that is valid between two times, as OpenSSL writes these.
    fn dated(site: &Site, file: &str, [begin, end]: [&str; 2]) -> Self {
        let pair = Self::new(site, file, &["dated.demo"]);
        let key = pair.key.to_str().unwrap();
        let config = "[ca]\ndefault_ca = d\n[d]\ndatabase = index\nnew_certs_dir = .\n\
            default_md = sha256\nrand_serial = yes\npolicy = p\nx509_extensions = e\n\
            [p]\ncommonName = supplied\n[e]\nsubjectAltName = DNS:dated.demo\n";
        std::fs::write(site.path("ca.cnf"), config).unwrap();
        std::fs::write(site.path("index"), "").unwrap();
        let run = |arguments: &[&str]| {
            let mut openssl = Command::new("openssl");
            let made = openssl.args(arguments).current_dir(site.path("")).output().unwrap();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        };
        run(&["req", "-new", "-key", key, "-subj", "/CN=dated.demo", "-out", "request.pem"]);
        let chain = pair.chain.to_str().unwrap();
        run(&[
            &["ca", "-batch", "-config", "ca.cnf", "-selfsign", "-keyfile", key, "-notext"][..],
            &["-in", "request.pem", "-startdate", begin, "-enddate", end, "-out", chain],
        ]
        .concat());
        pair
    }

    fn entry(&self) -> String {
        format!("{{ chain = {:?}, key = {:?} }}", self.chain, self.key)
    }
}

/// The part `[web]` of a configuration, open.
fn web(pairs: &[&Pair]) -> String {
    let entries: Vec<_> = pairs.iter().map(|pair| pair.entry()).collect();
    format!(
        "[web]\nlisten = [\"127.0.0.1:0\"]\ntls_listen = [\"127.0.0.1:0\"]\n\
         certificates = [{}]\n",
        entries.join(", ")
    )
}

/// Asks with curl, which trusts `pair` alone, under a host's name.
fn curl(server: &Server, pair: &Pair, host: &str, path: &str, more: &[&str]) -> Output {
    let port = server.encrypted.unwrap().port();
    let mut curl = Command::new("curl");
    curl.args(["-s", "--max-time", "60", "--cacert", pair.chain.to_str().unwrap()])
        .args(["--resolve", &format!("{host}:{port}:127.0.0.1")])
        .args(more)
        .arg(format!("https://{host}:{port}{path}"));
    curl.output().expect("curl is installed")
}

/// What OpenSSL's client says about a handshake.
fn handshake(server: &Server, more: &[&str]) -> String {
    let mut openssl = Command::new("openssl");
    openssl
        .args(["s_client", "-connect", &server.encrypted.unwrap().to_string()])
        .args(more)
        .stdin(Stdio::piped());
    let output = {
        let (out, errors) = (Stdio::piped(), Stdio::piped());
        let mut client = openssl.stdout(out).stderr(errors).spawn().expect("openssl is installed");
        // A request whose answer ends the connection, after what the server sends by itself.
        let request = b"GET /rdap/help HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let mut input = client.stdin.take().unwrap();
        // A handshake that failed takes no input.
        let _ = input.write_all(request);
        let output = client.wait_with_output().unwrap();
        drop(input);
        output
    };
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The subject of the certificate that a client gets.
fn subject(server: &Server, more: &[&str]) -> String {
    let said = handshake(server, more);
    let line = said.lines().find_map(|line| line.strip_prefix("subject="));
    line.unwrap_or_else(|| panic!("{said}")).replace(' ', "").trim_start_matches("CN=").to_owned()
}

#[test]
fn reverse_searches_are_answered_over_tls_alone() {
    let site = Site::new();
    let pair = Pair::new(&site, "a", &["a.example"]);
    let config = web(&[&pair]) + &format!("search_dir = {:?}\n", site.path("search"));
    let server = site.serve_as_configured(&config);
    server.log_until("the search index is built\"");
    let path = "/rdap/domains/reverse_search/entity?handle=90001&role=registrar&fieldSet=id";
    let plain = server.get(path);
    assert_eq!(plain.status, 403, "{plain:?}");
    assert_eq!(plain.json()["errorCode"], 403);
    let encrypted = || curl(&server, &pair, "a.example", path, &["-w", "%{http_code}"]);
    let answer = || String::from_utf8(encrypted().stdout).unwrap();
    eventually("the index", || !answer().ends_with("503"));
    let answer = answer();
    assert!(answer.ends_with("}200"), "{answer}");
    for part in ["domainSearchResults", "reverse_search_properties_mapping", "\"reverse_search\""] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
}

#[test]
fn answers_over_tls_are_those_without_it() {
    let site = Site::new();
    let pair = Pair::new(&site, "one", &["rdap.demo"]);
    let server = site.serve_as_configured(&web(&[&pair]));
    let path = "/rdap/domain/example.demo";
    let plain = server.get(path);
    assert_eq!(plain.status, 200);
    let base = plain.json()["links"][0]["value"].as_str().unwrap().to_owned();
    assert!(base.starts_with("https://127.0.0.1:"), "{base}");
    for version in [["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3", "--tls-max", "1.3"]] {
        for (protocol, spoken) in [("--http1.1", "1.1"), ("--http2", "2")] {
            let more = [&version[..], &[protocol, "-w", "\n%{http_version}"]].concat();
            let output = curl(&server, &pair, "rdap.demo", path, &more);
            assert!(output.status.success(), "{more:?}: {output:?}");
            let body = [&*plain.body, b"\n", spoken.as_bytes()].concat();
            assert!(output.stdout == body, "{more:?}: {}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

#[test]
fn a_head_that_is_too_large_is_refused_over_tls_as_well() {
    let site = Site::new();
    let pair = Pair::new(&site, "one", &["rdap.demo"]);
    let server = site.serve_as_configured(&web(&[&pair]));
    let field = format!("X: {}", "y".repeat(40_000));
    let ask = |protocol: &str| {
        let more = [protocol, "-H", &field, "-w", "%{http_code}"];
        let output = curl(&server, &pair, "rdap.demo", "/rdap/help", &more);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let whole = ask("--http1.1");
    assert!(whole.contains("\"errorCode\":431") && whole.ends_with("}431"), "{whole}");
    // h2 refuses it by itself, without a body.
    assert_eq!(ask("--http2"), "431");
}

#[test]
fn a_client_gets_the_certificate_of_the_host_that_it_asks_for() {
    let site = Site::new();
    let one = Pair::new(&site, "one", &["one.demo", "rdap.one.demo"]);
    let two = Pair::new(&site, "two", &["two.demo", "*.two.demo"]);
    let server = site.serve_as_configured(&web(&[&one, &two]));
    for (name, expected) in [
        ("one.demo", "one.demo"),
        ("rdap.one.demo", "one.demo"),
        ("two.demo", "two.demo"),
        ("TWO.Demo", "two.demo"),
        ("rdap.two.demo", "two.demo"),
        // A wildcard is one label (RFC 6125 section 6.4.3).
        ("a.rdap.two.demo", "one.demo"),
        ("three.demo", "one.demo"),
    ] {
        assert_eq!(subject(&server, &["-servername", name]), expected, "{name}");
    }
    assert_eq!(subject(&server, &["-noservername"]), "one.demo");
    let output = curl(&server, &two, "rdap.two.demo", "/rdap/help", &[]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn an_old_version_of_tls_is_refused() {
    let site = Site::new();
    let pair = Pair::new(&site, "one", &["rdap.demo"]);
    let server = site.serve_as_configured(&web(&[&pair]));
    let said = handshake(&server, &["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"]);
    assert!(said.contains("no peer certificate available"), "{said}");
    assert_eq!(subject(&server, &["-tls1_2"]), "rdap.demo");
}

#[test]
fn a_session_is_resumed() {
    let site = Site::new();
    let pair = Pair::new(&site, "one", &["rdap.demo"]);
    let server = site.serve_as_configured(&web(&[&pair]));
    let file = site.path("session");
    let file = file.to_str().unwrap();
    for version in ["-tls1_3", "-tls1_2"] {
        let first = handshake(&server, &[version, "-ign_eof", "-sess_out", file]);
        assert!(first.contains("New, TLSv1."), "{first}");
        let second = handshake(&server, &[version, "-ign_eof", "-sess_in", file]);
        assert!(second.contains("Reused, TLSv1."), "{version}: {second}");
    }
}

#[test]
fn new_files_are_served_without_a_restart_and_broken_ones_never() {
    let site = Site::new();
    let pair = Pair::new(&site, "one", &["rdap.demo", "first.demo"]);
    let server = site.serve_as_configured(&web(&[&pair]));
    assert_eq!(subject(&server, &[]), "rdap.demo");
    let next = Pair::new(&site, "two", &["renewed.demo"]);
    std::fs::copy(&next.chain, &pair.chain).unwrap();
    server.signal("HUP");
    let failed = "certificates cannot be renewed, those before stay";
    let said = server.log_until(failed);
    assert!(said.contains("one.key: is not the key of the first certificate in"), "{said}");
    assert_eq!(subject(&server, &[]), "rdap.demo");
    std::fs::copy(&next.key, &pair.key).unwrap();
    server.signal("HUP");
    eventually("the new certificate", || subject(&server, &[]) == "renewed.demo");
    std::fs::write(&pair.key, "").unwrap();
    server.signal("HUP");
    let said = server.log_until(failed);
    assert!(said.contains("one.key: no private key that can be used"), "{said}");
    assert_eq!(subject(&server, &[]), "renewed.demo");
}

#[test]
fn the_end_of_each_certificate_is_told_and_one_that_is_not_valid_is_warned_of() {
    let site = Site::new();
    let past = Pair::dated(&site, "past", ["20200101000000Z", "20200201000000Z"]);
    let now = Pair::dated(&site, "now", ["20200101000000Z", "99980101000000Z"]);
    let ahead = Pair::dated(&site, "ahead", ["99970101000000Z", "99980101000000Z"]);
    let config = web(&[&past, &now, &ahead]) + "status_listen = \"127.0.0.1:0\"\n";
    site.configure(&config);
    let mut check = Command::new(env!("CARGO_BIN_EXE_whoisd-web"));
    let output = check.args(["config", "check"]).arg(site.path("whoisd.toml")).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = said.lines().collect();
    for (line, begin, end) in [
        (
            0,
            "warning: ",
            "past.pem: the certificate expired at 2020-02-01T00:00:00Z; clients refuse it",
        ),
        (1, "", "now.pem: the certificate expires at 9998-01-01T00:00:00Z"),
        (
            2,
            "warning: ",
            "ahead.pem: the certificate is valid from 9997-01-01T00:00:00Z on; until \
            then clients refuse it",
        ),
        (3, "", "good"),
    ] {
        let line = lines[line].split_once("whoisd.toml: ").unwrap().1;
        assert!(line.starts_with(begin) && line.ends_with(end), "{said}");
    }
    let server = site.serve_as_configured(&config);
    let ends = |file: &str| {
        let name = "whoisd_certificate_expiry_timestamp_seconds{file=";
        server.figure(name, &format!("/{file}.pem\"}}"))
    };
    let [past_s, later_s] = [1_580_515_200, 253_339_228_800];
    assert_eq!(["past", "now", "ahead"].map(ends), [past_s, later_s, later_s]);
    // They are in the log once more when files are read again.
    server.signal("HUP");
    let said = server.log_until("a certificate has expired");
    assert!(said.contains("past.pem") && said.contains("2020-02-01T00:00:00Z"), "{said}");
    let said = server.log_until("a certificate is not valid yet");
    assert!(said.contains("ahead.pem") && said.contains("9997-01-01T00:00:00Z"), "{said}");
    // Once renewed, it is told with its new end.
    std::fs::copy(&now.chain, &past.chain).unwrap();
    std::fs::copy(&now.key, &past.key).unwrap();
    server.signal("HUP");
    eventually("the new end", || ends("past") == later_s);
}

#[test]
fn a_handshake_that_comes_to_nothing_is_cut_and_counted() {
    let site = Site::new();
    let pair = Pair::new(&site, "one", &["rdap.demo"]);
    let config = web(&[&pair]) + "first_byte_ms = 50\nstatus_listen = \"127.0.0.1:0\"\n";
    let server = site.serve_as_configured(&config);
    let address = server.encrypted.unwrap();
    // One that is silent, and one that never ends its first message.
    for text in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(text).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0, "{text:?}");
    }
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"\x16GET /rdap/help HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut said = Vec::new();
    // An alert, and the end, which may be a reset.
    let _ = client.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
    drop(TcpStream::connect(address).unwrap());
    // On a machine without time, the last two may be late as well.
    eventually("figures of handshakes", || {
        let late = server.figure("whoisd_deadlines_total", "phase=\"handshake\"");
        let ended = server.figure("whoisd_connections_ended_total", "how=\"handshake\"");
        late >= 2 && late + ended == 4
    });
}

#[test]
fn a_client_that_is_silent_after_its_handshake_is_let_go() {
    let site = Site::new();
    let pair = Pair::new(&site, "one", &["rdap.demo"]);
    let server = site.serve_as_configured(&(web(&[&pair]) + "idle_ms = 100\n"));
    let address = server.encrypted.unwrap().to_string();
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-quiet", "-connect", &address]);
    openssl.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut client = openssl.spawn().expect("openssl is installed");
    let input = client.stdin.take();
    client.wait().unwrap();
    drop(input);
}

#[test]
fn the_header_of_a_proxy_comes_before_the_handshake() {
    let site = Site::new();
    let pair = Pair::new(&site, "one", &["rdap.demo"]);
    let config = web(&[&pair]).replace("listen = [\"127.0.0.1:0\"]\ntls_", "listen = []\ntls_")
        + "[[proxy]]\nlisten = \"127.0.0.1:0\"\nfrom = [\"127.0.0.1\"]\nheader = \"v1\"\n";
    let server = site.serve_as_configured(&config);
    let ask = |more: &[&str]| curl(&server, &pair, "rdap.demo", "/rdap/help", more);
    let output = ask(&["--haproxy-protocol"]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("rdapConformance"), "{output:?}");
    assert!(!ask(&[]).status.success());
}

#[test]
fn what_cannot_be_served_is_refused_with_what_to_do() {
    let site = Site::new();
    let one = Pair::new(&site, "one", &["one.demo"]);
    let two = Pair::new(&site, "two", &["two.demo"]);
    let pair = |chain: &PathBuf, key: &PathBuf| Pair { chain: chain.clone(), key: key.clone() };
    let none = site.path("none.pem");
    for (pair, expected) in [
        (pair(&none, &one.key), "none.pem: No such file or directory"),
        (pair(&site.path(""), &one.key), ": not a file; expected one in PEM"),
        (pair(&one.key, &one.key), "one.key: no certificate; expected PEM"),
        (pair(&one.chain, &one.chain), "one.pem: no private key that can be used"),
        (pair(&one.chain, &two.key), "two.key: is not the key of the first certificate in"),
    ] {
        site.configure(&web(&[&pair]));
        for arguments in [&["config", "check"][..], &["serve", "--config"]] {
            let file = site.path("whoisd.toml");
            let mut program = Command::new(env!("CARGO_BIN_EXE_whoisd-web"));
            let output = program.args(arguments).arg(file).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(3), "{said}");
            let place = "whoisd.toml:4: web.certificates: ";
            assert!(said.contains(place), "{place} in {said}");
            assert!(said.contains(expected), "{said}");
        }
    }
}

#[test]
fn a_client_that_speaks_no_tls_reads_that_the_port_does() {
    let site = Site::new();
    let pair = Pair::new(&site, "one", &["rdap.demo"]);
    let config = web(&[&pair]) + "status_listen = \"127.0.0.1:0\"\n";
    let server = site.serve_as_configured(&config);
    let encrypted = server.encrypted.unwrap();
    for asked in ["GET /rdap/help HTTP/1.1\r\nHost: x\r\n\r\n", "NONSENSE\r\n\r\n"] {
        let mut client = TcpStream::connect(encrypted).unwrap();
        client.write_all(asked.as_bytes()).unwrap();
        let answer = Response::read(&mut client, "GET");
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/rdap+json"));
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(String::from_utf8_lossy(&answer.body).contains("This port speaks TLS"));
        assert_eq!(client.read(&mut [0]).unwrap(), 0, "it is closed in order");
    }
    // It is no handshake, and one that fails still is.
    let mut client = TcpStream::connect(encrypted).unwrap();
    client.write_all(&[22, 9, 9, 9, 9, 9]).unwrap();
    client.read_to_end(&mut Vec::new()).unwrap();
    let ended =
        |how: &str| server.figure("whoisd_connections_ended_total", &format!("how=\"{how}\""));
    eventually("all ends", || ended("served") == 2 && ended("handshake") == 1);
    assert_eq!(subject(&server, &[]), "rdap.demo");
}
